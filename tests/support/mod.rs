//! What the integration tests share: arrays as bits with a dtype, memory to lay them out in, and an engine of every backend.
#![allow(dead_code, reason = "no test that includes this module needs every helper")]

use numlift::{Args, Backend, DType, Engine, Error, Kernel, Schema, View, ViewMut};

/// Every backend that this machine has.
pub(crate) fn backends() -> Vec<(&'static str, Backend)> {
    let mut backends = vec![("interpreter", Backend::Interpreter), ("cranelift", Backend::Cranelift)];
    if has_avx2() {
        backends.push(("x64", Backend::X64));
    }
    if has_avx512() {
        backends.push(("AVX-512", Backend::Avx512));
    }
    backends
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2")
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn has_avx2() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn has_avx512() -> bool {
    false
}

/// One engine of each backend.
pub(crate) fn engines() -> Vec<(&'static str, Engine)> {
    let engine = |backend| Engine::builder().backend(backend).build().expect("the backend runs here");
    backends().into_iter().map(|(name, backend)| (name, engine(backend))).collect()
}

/// Engines of each backend that cut arrays into odd chunks, alone and with helpers, as well as [`engines`].
pub(crate) fn all_engines() -> Vec<(String, Engine)> {
    let mut engines: Vec<(String, Engine)> =
        engines().into_iter().map(|(name, engine)| (name.to_string(), engine)).collect();
    for (name, backend) in backends() {
        for (threads, chunk) in [(1, 1), (3, 1), (1, 7), (3, 7)] {
            let builder = Engine::builder().backend(backend).threads(threads).chunk_len(chunk);
            let engine = builder.build().expect("the backend runs here");
            engines.push((format!("{name}, {threads} threads, chunks of {chunk}"), engine));
        }
    }
    engines
}

/// Elements in C order: their dtype, and the bits of each, zero-extended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) dtype: DType,
    pub(crate) bits: Vec<u64>,
}

/// How the elements of one axis lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Bytes before the first one used.
    pub(crate) offset: usize,
    /// Elements from one to the next; negative for the last first.
    pub(crate) step: isize,
}

pub(crate) const CONTIGUOUS: Layout = Layout { offset: 0, step: 1 };

/// Bytes that hold an array in some layout.
pub(crate) struct Memory {
    dtype: DType,
    len: usize,
    layout: Layout,
    bytes: Vec<u8>,
}

/// What unused bytes hold, so that one that was overwritten is seen.
const FILL: u8 = 0xA5;

impl Array {
    /// `len` elements from `start` on, beginning anew after the last.
    pub(crate) fn cycle(&self, start: usize, len: usize) -> Array {
        let bits = (0..len).map(|i| self.bits[(start + i) % self.bits.len()]).collect();
        Array { dtype: self.dtype, bits }
    }

    pub(crate) fn memory(&self, layout: Layout) -> Memory {
        let mut memory = Memory::new(self.dtype, self.bits.len(), layout);
        for (i, bits) in self.bits.iter().enumerate() {
            let place = memory.place(i);
            memory.bytes[place..place + self.dtype.size()].copy_from_slice(&bits.to_le_bytes()[..self.dtype.size()]);
        }
        memory
    }
}

impl Memory {
    pub(crate) fn new(dtype: DType, len: usize, layout: Layout) -> Memory {
        let bytes = layout.offset + (len.saturating_sub(1) * layout.step.unsigned_abs() + 1) * dtype.size() + 16;
        Memory { dtype, len, layout, bytes: vec![FILL; bytes] }
    }

    /// Where element `i` starts.
    fn place(&self, i: usize) -> usize {
        let step = self.layout.step.unsigned_abs() * self.dtype.size();
        let index = if self.layout.step < 0 { self.len - 1 - i } else { i };
        self.layout.offset + index * step
    }

    fn strides(&self) -> [isize; 1] {
        [self.layout.step * self.dtype.size() as isize]
    }

    pub(crate) fn view(&self) -> View<'_> {
        let bytes = &self.bytes[self.layout.offset..];
        View::from_bytes(self.dtype, bytes, &[self.len], &self.strides()).expect("a layout stays in its bytes")
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let (dtype, len, strides) = (self.dtype, self.len, self.strides());
        let bytes = &mut self.bytes[self.layout.offset..];
        ViewMut::from_bytes(dtype, bytes, &[len], &strides).expect("a layout stays in its bytes")
    }

    pub(crate) fn array(&self) -> Array {
        let element = |i| bits_at(&self.bytes[self.place(i)..], self.dtype);
        Array { dtype: self.dtype, bits: (0..self.len).map(element).collect() }
    }

    /// Whether only bytes of elements were written.
    pub(crate) fn is_clean(&self) -> bool {
        let mut used = vec![false; self.bytes.len()];
        for i in 0..self.len {
            let place = self.place(i);
            used[place..place + self.dtype.size()].fill(true);
        }
        self.bytes.iter().zip(used).all(|(byte, used)| used || *byte == FILL)
    }
}

/// The bits of the element that starts `bytes`.
pub(crate) fn bits_at(bytes: &[u8], dtype: DType) -> u64 {
    let mut bits = [0; 8];
    bits[..dtype.size()].copy_from_slice(&bytes[..dtype.size()]);
    u64::from_le_bytes(bits)
}

/// Whether two elements are the same: all NaNs are.
pub(crate) fn same(dtype: DType, a: u64, b: u64) -> bool {
    let nan = |bits| match dtype {
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        DType::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    };
    a == b || (nan(a) && nan(b))
}

/// The bits of `value` as an element of `dtype`: NaN, inf, -0 and `true` in words, integers exactly.
pub(crate) fn parse_element(dtype: DType, word: &str) -> u64 {
    let mask = u64::MAX >> (64 - 8 * dtype.size());
    match dtype {
        DType::Bool => u64::from(word.parse::<bool>().expect("true or false")),
        DType::F32 => u64::from(word.parse::<f32>().expect("a float").to_bits()),
        DType::F64 => word.parse::<f64>().expect("a float").to_bits(),
        _ => word.parse::<i128>().expect("an integer") as u64 & mask,
    }
}

/// As [`parse_element`] reads it.
pub(crate) fn show_element(dtype: DType, bits: u64) -> String {
    match dtype {
        DType::Bool => (bits != 0).to_string(),
        DType::I8 => (bits as i8).to_string(),
        DType::I16 => (bits as i16).to_string(),
        DType::I32 => (bits as i32).to_string(),
        DType::I64 => (bits as i64).to_string(),
        DType::F32 => f32::from_bits(bits as u32).to_string(),
        DType::F64 => f64::from_bits(bits).to_string(),
        _ => bits.to_string(),
    }
}

/// The dtype of the kernel's first output for parameters of these dtypes, all of rank 1.
pub(crate) fn result_dtype(kernel: &Kernel, parameters: &[(&str, DType)]) -> Result<DType, Error> {
    let schema = parameters.iter().fold(Schema::new(), |schema, (name, dtype)| schema.array(name, *dtype, 1));
    Ok(kernel.prepare(&schema)?[0].dtype().expect("an output has a dtype"))
}

/// Runs `kernel` on one axis and gives its first output, laid out as asked.
pub(crate) fn run(kernel: &Kernel, inputs: &[(&str, &Memory)], output: &mut Memory) -> Result<(), Error> {
    let args = inputs.iter().fold(Args::new(), |args, (name, memory)| args.input(name, memory.view()));
    kernel.run(args.output(output.view_mut()))?;
    Ok(())
}

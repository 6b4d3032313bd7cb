//! Arrays of any dtype at the start of a cache line, filled with the same numbers in every run.
#![expect(unsafe_code, reason = "one allocation serves elements of any dtype")]

use numlift::{DType, Element, View, ViewMut};

/// Elements of one dtype.
#[derive(Clone)]
pub(crate) struct Array {
    lines: Vec<Line>,
    dtype: DType,
    len: usize,
}

/// A cache line: arrays begin at one, so that no engine gains by where an allocator puts them.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "reached through slices of elements")] [u8; 64]);

impl Array {
    /// Written once, so that no page is met for the first time under the clock.
    pub(crate) fn zeroed(dtype: DType, len: usize) -> Array {
        assert_ne!(dtype, DType::Bool, "any bytes are elements of the dtype");
        // Not zeros: those come from the system as pages that are not there yet.
        let mut lines = vec![Line([1; 64]); (len * dtype.size()).div_ceil(64)];
        lines.fill(Line([0; 64]));
        Array { lines, dtype, len }
    }

    /// Numbers from `low` up to and without `high`, spread evenly; the same for the same `seed`.
    pub(crate) fn random(dtype: DType, len: usize, (low, high): (f64, f64), seed: u64) -> Array {
        let mut array = Array::zeroed(dtype, len);
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            low + (high - low) * ((state >> 11) as f64 / (1_u64 << 53) as f64)
        };
        match dtype {
            DType::F64 => array.slice_mut::<f64>().fill_with(next),
            DType::F32 => array.slice_mut::<f32>().fill_with(|| next() as f32),
            DType::I64 => array.slice_mut::<i64>().fill_with(|| next() as i64),
            DType::I32 => array.slice_mut::<i32>().fill_with(|| next() as i32),
            DType::U32 => array.slice_mut::<u32>().fill_with(|| next() as u32),
            DType::U8 => array.slice_mut::<u8>().fill_with(|| next() as u8),
            other => panic!("no workload reads {other}"),
        }
        array
    }

    /// A copy of the bytes.
    pub(crate) fn from_bytes(dtype: DType, bytes: &[u8]) -> Array {
        let mut array = Array::zeroed(dtype, bytes.len() / dtype.size());
        array.bytes_mut().copy_from_slice(bytes);
        array
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn slice<T: Element>(&self) -> &[T] {
        assert_eq!(T::DTYPE, self.dtype);
        // SAFETY: the lines have room for `len` elements and are initialised; all but bool take any bytes.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(crate) fn slice_mut<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE, self.dtype);
        // SAFETY: as for `slice`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the lines have that many bytes.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len * self.dtype.size()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, the borrow is exclusive, and all but bool take any bytes.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len * self.dtype.size()) }
    }

    /// The elements in C order.
    pub(crate) fn shaped(&self, shape: &[usize]) -> View<'_> {
        View::from_bytes(self.dtype, self.bytes(), shape, &strides(self.dtype, shape)).expect("the bytes are there")
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.shaped(&[self.len])
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let (dtype, len) = (self.dtype, self.len);
        shaped_mut(dtype, self.bytes_mut(), &[len])
    }

    /// The largest distance to `other` in units of the last place; for integers any difference is the greatest distance.
    pub(crate) fn distance(&self, other: &Array) -> u64 {
        // Floats in order are integers in order, once negative ones are turned round.
        let order64 = |x: f64| if x < 0.0 { -((x.to_bits() & (u64::MAX >> 1)) as i64) } else { x.to_bits() as i64 };
        let order32 = |x: f32| if x < 0.0 { -i64::from(x.to_bits() & (u32::MAX >> 1)) } else { i64::from(x.to_bits()) };
        match self.dtype {
            DType::F64 => {
                let pairs = self.slice::<f64>().iter().zip(other.slice::<f64>());
                pairs.map(|(x, y)| order64(*x).abs_diff(order64(*y))).max().unwrap_or(0)
            }
            DType::F32 => {
                let pairs = self.slice::<f32>().iter().zip(other.slice::<f32>());
                pairs.map(|(x, y)| order32(*x).abs_diff(order32(*y))).max().unwrap_or(0)
            }
            _ if self.bytes() == other.bytes() => 0,
            _ => u64::MAX,
        }
    }
}

/// The elements of `bytes` in C order.
pub(crate) fn shaped_mut<'a>(dtype: DType, bytes: &'a mut [u8], shape: &[usize]) -> ViewMut<'a> {
    ViewMut::from_bytes(dtype, bytes, shape, &strides(dtype, shape)).expect("the bytes are there")
}

fn strides(dtype: DType, shape: &[usize]) -> Vec<isize> {
    let inner = |k: usize| shape[k + 1..].iter().product::<usize>() * dtype.size();
    (0..shape.len()).map(|k| inner(k) as isize).collect()
}

//! Choices to what programs are given: numbers, and arrays that lie in memory in all ways.

use numlift::{DType, View, ViewMut};

use super::choices::{Choices, Random};

/// Elements that begin somewhere in some bytes.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    /// In bytes.
    strides: Vec<isize>,
    bytes: Vec<u8>,
    /// Bytes before the array's own.
    offset: usize,
}

/// What a parameter is given.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Array(Array),
    WeakInt(i64),
    WeakFloat(f64),
}

impl Array {
    /// Without elements yet: axes in any order from slow to fast, now and then with gaps, turned, or anywhere in memory.
    pub(crate) fn unwritten(choices: &mut Choices, dtype: DType, shape: &[usize]) -> Array {
        let (size, rank) = (dtype.size(), shape.len());
        let mut axes: Vec<usize> = (0..rank).rev().collect();
        match choices.below(8) {
            6 => axes.reverse(),
            7 if rank > 2 => axes.swap(1, 2),
            _ => {}
        }
        let gap = [1, 1, 1, 1, 1, 2, 3][choices.below(7)];
        let (mut step, mut strides) = (size * gap, vec![0; rank]);
        for axis in axes {
            strides[axis] = step as isize;
            // Rows that end before the next begins.
            step = step * shape[axis].max(1) + if choices.one_in(6) { size } else { 0 };
        }
        for stride in &mut strides {
            *stride *= if choices.one_in(8) { -1 } else { 1 };
        }
        let offset = [0, 0, 0, size, 1, 3][choices.below(6)];
        Array { dtype, shape: shape.to_vec(), strides, bytes: vec![0xa5; offset + step], offset }
    }

    pub(crate) fn new(choices: &mut Choices, dtype: DType, shape: &[usize]) -> Array {
        let mut array = Array::unwritten(choices, dtype, shape);
        let size = dtype.size();
        let (kind, mut random) = (choices.below(8), Random(choices.below(1 << 20) as u64));
        let offset = array.offset;
        for place in array.bytes[offset..].chunks_exact_mut(size) {
            place.copy_from_slice(&element(dtype, random.bits(), kind).to_le_bytes()[..size]);
        }
        array
    }

    /// As outputs are before a run.
    pub(crate) fn zeros(choices: &mut Choices, dtype: DType, shape: &[usize]) -> Array {
        let mut array = Array::unwritten(choices, dtype, shape);
        for place in array.places() {
            array.bytes[place..place + dtype.size()].fill(0);
        }
        array
    }

    /// One element that is 0, of i64.
    pub(crate) fn zero() -> Array {
        Array { dtype: DType::I64, shape: Vec::new(), strides: Vec::new(), bytes: vec![0; 8], offset: 0 }
    }

    /// Where each element is among the bytes, in C order.
    fn places(&self) -> Vec<usize> {
        let count = self.shape.iter().product::<usize>();
        // The element that lies first is the first of the bytes.
        let turned = self.strides.iter().zip(&self.shape).filter(|(stride, _)| **stride < 0);
        let start: usize = turned.map(|(stride, extent)| stride.unsigned_abs() * extent.saturating_sub(1)).sum();
        let place = |k: usize| {
            let (mut rest, mut place) = (k, (self.offset + start) as isize);
            for (extent, stride) in self.shape.iter().zip(&self.strides).rev() {
                place += (rest % extent) as isize * stride;
                rest /= extent;
            }
            place as usize
        };
        (0..count).map(place).collect()
    }

    /// The elements without gaps, in C order.
    pub(crate) fn elements(&self) -> Vec<u8> {
        let size = self.dtype.size();
        self.places().into_iter().flat_map(|place| self.bytes[place..place + size].iter().copied()).collect()
    }

    /// Whether only bytes of elements were written since.
    pub(crate) fn is_clean(&self, before: &Array) -> bool {
        let mut bytes = self.bytes.clone();
        for place in self.places() {
            let range = place..place + self.dtype.size();
            bytes[range.clone()].copy_from_slice(&before.bytes[range]);
        }
        bytes == before.bytes
    }

    pub(crate) fn view(&self) -> View<'_> {
        let bytes = &self.bytes[self.offset..];
        View::from_bytes(self.dtype, bytes, &self.shape, &self.strides).expect("an array in its bytes")
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let bytes = &mut self.bytes[self.offset..];
        ViewMut::from_bytes(self.dtype, bytes, &self.shape, &self.strides).expect("an array in its bytes")
    }
}

/// Floats at which something changes.
const EDGES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.5,
    -3.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    5e-324,
    -1e-310,
    1e-40,
    f64::MAX,
    3e9,
    -9.3e18,
];

/// Integers at which something changes.
const WORDS: [u64; 12] =
    [0, 1, 2, 3, u64::MAX, u64::MAX - 1, u64::MAX >> 1, 1 << 63, 1 << 31, (1 << 31) - 1, 0x8000, 0x80];

/// The bits of an element: of plain numbers, more or less often one at which something changes.
fn element(dtype: DType, random: u64, kind: usize) -> u64 {
    let (pick, x) = (random as usize >> 3 & 0xffff, random >> 20);
    // An eighth of the elements is special, and all are in one array of eight.
    let is_special = kind == 7 || random & 7 == 7;
    match dtype {
        DType::Bool => x & 1,
        DType::F32 if is_special && pick & 1 == 0 => u64::from((EDGES[(pick >> 1) % EDGES.len()] as f32).to_bits()),
        DType::F64 if is_special && pick & 1 == 0 => EDGES[(pick >> 1) % EDGES.len()].to_bits(),
        DType::F32 if is_special => x & 0xffff_ffff,
        DType::F64 if is_special => random.rotate_left(17),
        DType::F32 => u64::from(((x as i16 as f32) / 512.0).to_bits()),
        DType::F64 => ((x as i32 as f64) / f64::from(1 << 25)).to_bits(),
        _ if is_special && pick & 1 == 0 => WORDS[(pick >> 1) % WORDS.len()],
        _ if is_special => random.rotate_left(17),
        _ => (x as i8 >> 3) as u64,
    }
}

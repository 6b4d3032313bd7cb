//! Borrowed memory to arrays: a pointer with dtype, shape and byte strides that was checked against the memory it came from.
#![expect(unsafe_code, reason = "reads and writes elements through pointers whose bounds are checked here")]

use std::alloc::{self, Layout};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};

use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};

/// The most axes an array may have.
pub(crate) const MAX_RANK: usize = 32;

/// Axes held without allocation: images, volumes and batches of them.
const INLINE_RANK: usize = 4;

/// Steps of the search for two indices that share a byte: a few milliseconds.
const OVERLAP_STEPS: u32 = 100_000;

/// An array to read: borrowed memory with a dtype, a shape and strides.
///
/// It comes from `&[T]`, `&Vec<T>`, `&[T; N]` or `&T` (rank 0), where `T` is an [`Element`], from bytes, and with the feature
/// `ndarray` from that crate's arrays. A chain of methods gives it another shape, as in NumPy, without a copy. A mistake in the
/// chain, such as a shape of another size, leaves an array without elements that carries an [`Error`]; the run reports it.
///
/// Strides are in bytes, and may be negative or 0. The rank is at most 32. Memory need not be aligned.
///
/// ```
/// use numlift::View;
/// let pixels: Vec<f32> = (0..12).map(|i| i as f32).collect();
/// let image = View::new(&pixels).shape([3, 4]);
/// assert_eq!(image.get::<f32>(&[1, 2]), Some(6.0));
/// let upside_down = image.step(0, -1).slice(1, 1..3);
/// assert_eq!(upside_down.to_vec::<f32>()?, [9.0, 10.0, 5.0, 6.0, 1.0, 2.0]);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone)]
pub struct View<'a> {
    raw: Raw,
    memory: PhantomData<&'a [u8]>,
}

/// An array to write: as [`View`], but borrowed for writing, and no two of its indices share a byte.
///
/// ```
/// use numlift::ViewMut;
/// let mut out = vec![0.0_f64; 6];
/// let table = ViewMut::new(&mut out).shape([2, 3]);
/// assert_eq!((table.extents(), table.strides()), (&[2, 3][..], &[24, 8][..]));
/// ```
pub struct ViewMut<'a> {
    raw: Raw,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: a view is a shared borrow of plain numbers, as `&[u8]` is.
unsafe impl Send for View<'_> {}
// SAFETY: as above; it has no interior mutability.
unsafe impl Sync for View<'_> {}
// SAFETY: a mutable view is an exclusive borrow of plain numbers, as `&mut [u8]` is.
unsafe impl Send for ViewMut<'_> {}
// SAFETY: as above; writing takes `&mut self`.
unsafe impl Sync for ViewMut<'_> {}

/// What `View` and `ViewMut` share. All that shape and strides reach from `pointer` is borrowed by whoever holds this.
#[derive(Clone)]
struct Raw {
    /// The first element; may dangle where there is none.
    pointer: *mut u8,
    dtype: DType,
    axes: Axes,
    /// Addresses that are borrowed without a gap, in which new strides may roam; empty where gaps may belong to others.
    solid: Range<usize>,
    fault: Option<Error>,
}

/// Extent and byte stride of each axis.
#[derive(Clone)]
enum Axes {
    Few { rank: u8, shape: [usize; INLINE_RANK], strides: [isize; INLINE_RANK] },
    Many(Box<(Vec<usize>, Vec<isize>)>),
}

impl Axes {
    fn new(shape: &[usize], strides: &[isize]) -> Axes {
        let rank = shape.len();
        if rank > INLINE_RANK {
            return Axes::Many(Box::new((shape.to_vec(), strides.to_vec())));
        }
        let mut few = ([1; INLINE_RANK], [0; INLINE_RANK]);
        few.0[..rank].copy_from_slice(shape);
        few.1[..rank].copy_from_slice(strides);
        Axes::Few { rank: rank as u8, shape: few.0, strides: few.1 }
    }

    /// Row-major without gaps. The caller has checked the shape.
    fn c_order(shape: &[usize], size: usize) -> Axes {
        let mut strides = [0; MAX_RANK];
        let mut stride = size as isize;
        for (axis, extent) in shape.iter().enumerate().rev() {
            strides[axis] = stride;
            stride *= (*extent).max(1) as isize;
        }
        Axes::new(shape, &strides[..shape.len()])
    }

    fn shape(&self) -> &[usize] {
        match self {
            Axes::Few { rank, shape, .. } => &shape[..usize::from(*rank)],
            Axes::Many(both) => &both.0,
        }
    }

    fn strides(&self) -> &[isize] {
        match self {
            Axes::Few { rank, strides, .. } => &strides[..usize::from(*rank)],
            Axes::Many(both) => &both.1,
        }
    }

    fn both_mut(&mut self) -> (&mut [usize], &mut [isize]) {
        match self {
            Axes::Few { rank, shape, strides } => {
                (&mut shape[..usize::from(*rank)], &mut strides[..usize::from(*rank)])
            }
            Axes::Many(both) => (&mut both.0, &mut both.1),
        }
    }
}

/// The elements of a shape, if its bytes can be counted in an `isize` even where empty axes are left out.
pub(crate) fn element_count(shape: &[usize], dtype: DType) -> Result<usize> {
    if shape.len() > MAX_RANK {
        let message = format!("an array has at most {MAX_RANK} axes, found {}", shape.len());
        return Err(Error::new(ErrorKind::Shape, "rank-limit", message));
    }
    let bytes = shape.iter().filter(|extent| **extent > 0).try_fold(dtype.size(), |bytes, n| bytes.checked_mul(*n));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        let message = format!("an array of shape {shape:?} and dtype {dtype} is larger than any memory");
        return Err(Error::new(ErrorKind::Shape, "shape-overflow", message));
    }
    Ok(shape.iter().product())
}

/// The bytes reached before the first byte of the first element, and from there on.
fn reach(shape: &[usize], strides: &[isize], dtype: DType) -> Result<(usize, usize)> {
    if shape.len() != strides.len() {
        let message = format!("{} strides were given for {} axes", strides.len(), shape.len());
        return Err(Error::new(ErrorKind::Shape, "strides-rank", message));
    }
    if element_count(shape, dtype)? == 0 {
        return Ok((0, 0));
    }
    let (mut before, mut after) = (0_u128, dtype.size() as u128);
    for (extent, stride) in shape.iter().zip(strides) {
        let bytes = (*extent as u128 - 1) * stride.unsigned_abs() as u128;
        let side = if *stride < 0 { &mut before } else { &mut after };
        *side = side.saturating_add(bytes);
    }
    if before.saturating_add(after) > isize::MAX as u128 {
        return Err(out_of_bounds(shape, strides, "leave the address space"));
    }
    Ok((before as usize, after as usize))
}

fn out_of_bounds(shape: &[usize], strides: &[isize], deed: &str) -> Error {
    let message = format!("strides {strides:?} of an array of shape {shape:?} {deed}");
    Error::new(ErrorKind::Shape, "out-of-bounds", message)
}

/// Whether two indices share a byte; none if [`OVERLAP_STEPS`] did not tell. The strides have passed [`reach`].
fn overlaps(shape: &[usize], strides: &[isize], size: usize) -> Option<bool> {
    if shape.contains(&0) {
        return Some(false);
    }
    let both = shape.iter().zip(strides).filter(|(extent, _)| **extent > 1);
    let mut axes: Vec<(i128, i128)> = both.map(|(n, stride)| (stride.unsigned_abs() as i128, *n as i128 - 1)).collect();
    axes.sort_unstable();
    let size = size as i128;
    if axes.first().is_some_and(|(stride, _)| *stride < size) {
        return Some(true);
    }
    let mut covered = size;
    let nested = axes.iter().all(|(stride, last)| {
        let apart = *stride >= covered;
        covered += stride * last;
        apart
    });
    if nested {
        return Some(false);
    }
    shares_byte(&axes, 0, true, size, &mut { OVERLAP_STEPS })
}

/// Whether some difference of two indices along `axes` (stride, greatest difference; strides ascend) brings `sum` under `size`.
/// `same` says that the indices do not differ in the axes already taken.
fn shares_byte(axes: &[(i128, i128)], sum: i128, same: bool, size: i128, steps: &mut u32) -> Option<bool> {
    *steps = steps.checked_sub(1)?;
    let Some(((stride, last), inner)) = axes.split_last() else {
        return Some(!same && sum.abs() < size);
    };
    let inner_reach = inner.iter().map(|(stride, last)| stride * last).sum::<i128>() + size - 1;
    // A pair of indices has two differences of opposite sign: looking at one of them is enough.
    let least = (-inner_reach - sum).div_euclid(*stride).max(if same { 0 } else { -last });
    let greatest = (inner_reach - sum).div_euclid(*stride).min(*last);
    for difference in least..=greatest {
        if shares_byte(inner, sum + difference * stride, same && difference == 0, size, steps)? {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether every byte between the lowest and the highest belongs to an element.
fn is_dense(shape: &[usize], strides: &[isize], size: usize) -> bool {
    let both = shape.iter().zip(strides).filter(|(extent, stride)| **extent > 1 && **stride != 0);
    let mut axes: Vec<(usize, usize)> = both.map(|(extent, stride)| (stride.unsigned_abs(), *extent)).collect();
    axes.sort_unstable();
    let mut expected = size;
    axes.iter().all(|(stride, extent)| {
        let dense = *stride == expected;
        expected = expected.saturating_mul(*extent);
        dense
    })
}

/// The strides with which `shape` walks the same elements in the same order, if there are any; neither shape is empty.
fn reshaped_strides(old: &Axes, shape: &[usize]) -> Option<[isize; MAX_RANK]> {
    let kept = old.shape().iter().zip(old.strides()).filter(|(extent, _)| **extent != 1);
    let old: Vec<(usize, isize)> = kept.map(|(extent, stride)| (*extent, *stride)).collect();
    let mut strides = [0; MAX_RANK];
    let (mut old_start, mut start) = (0, 0);
    // Each turn matches the shortest run of old axes with the run of new axes that has as many elements.
    while old_start < old.len() {
        let (mut old_end, mut end) = (old_start + 1, start + 1);
        let (mut old_count, mut count) = (old[old_start].0, shape[start]);
        while old_count != count {
            if count < old_count {
                count *= shape[end];
                end += 1;
            } else {
                old_count *= old[old_end].0;
                old_end += 1;
            }
        }
        let run = &old[old_start..old_end];
        if run.windows(2).any(|pair| pair[0].1 != pair[1].1.wrapping_mul(pair[1].0 as isize)) {
            return None;
        }
        let mut stride = run[run.len() - 1].1;
        for axis in (start..end).rev() {
            strides[axis] = stride;
            // Wraps only on the stride of an axis of extent 1, which nothing uses.
            stride = stride.wrapping_mul(shape[axis] as isize);
        }
        (old_start, start) = (old_end, end);
    }
    Some(strides)
}

impl Raw {
    /// A C-contiguous array of one axis.
    fn line<T: Element>(pointer: *mut T, len: usize) -> Raw {
        let (pointer, size) = (pointer.cast::<u8>(), T::DTYPE.size());
        let mut few = ([1; INLINE_RANK], [0; INLINE_RANK]);
        (few.0[0], few.1[0]) = (len, size as isize);
        let axes = Axes::Few { rank: 1, shape: few.0, strides: few.1 };
        Raw { pointer, dtype: T::DTYPE, axes, solid: pointer.addr()..pointer.addr() + len * size, fault: None }
    }

    /// One element, of rank 0.
    fn point<T: Element>(pointer: *mut T) -> Raw {
        let axes = Axes::Few { rank: 0, shape: [1; INLINE_RANK], strides: [0; INLINE_RANK] };
        Raw { axes, ..Raw::line(pointer, 1) }
    }

    /// In `bytes` from `start` on, placed so that the lowest byte reached is the first of them.
    fn in_bytes(start: *mut u8, bytes: usize, dtype: DType, shape: &[usize], strides: &[isize]) -> Result<Raw> {
        let (before, after) = reach(shape, strides, dtype)?;
        if before + after > bytes {
            let deed = format!("reach over {} bytes, the memory has {bytes}", before + after);
            return Err(out_of_bounds(shape, strides, &deed));
        }
        let (pointer, solid) = (start.wrapping_add(before), start.addr()..start.addr() + bytes);
        Ok(Raw { pointer, dtype, axes: Axes::new(shape, strides), solid, fault: None })
    }

    /// Around `pointer`, the first element, in memory of which nothing else is known.
    fn around(pointer: *mut u8, dtype: DType, shape: &[usize], strides: &[isize]) -> Result<Raw> {
        let (before, after) = reach(shape, strides, dtype)?;
        let address = pointer.addr();
        let solid = if is_dense(shape, strides, dtype.size()) {
            address.saturating_sub(before)..address.saturating_add(after)
        } else {
            0..0
        };
        Ok(Raw { pointer, dtype, axes: Axes::new(shape, strides), solid, fault: None })
    }

    fn faulty(dtype: DType, fault: Error) -> Raw {
        let axes = Axes::c_order(&[0], dtype.size());
        Raw { pointer: std::ptr::dangling_mut::<u64>().cast(), dtype, axes, solid: 0..0, fault: Some(fault) }
    }

    /// The next link of a chain: an error empties the array and stays.
    fn then(mut self, link: impl FnOnce(&mut Raw) -> Result<()>) -> Raw {
        if self.fault.is_some() {
            return self;
        }
        match link(&mut self) {
            Ok(()) => self,
            Err(fault) => Raw::faulty(self.dtype, fault),
        }
    }

    fn check_axis(&self, axis: usize) -> Result<()> {
        let rank = self.axes.shape().len();
        if axis < rank {
            return Ok(());
        }
        let message = format!("axis {axis} does not exist in an array of rank {rank}");
        Err(Error::new(ErrorKind::Shape, "no-such-axis", message))
    }

    fn reshape(&mut self, shape: &[usize]) -> Result<()> {
        let (found, asked) = (self.len(), element_count(shape, self.dtype)?);
        if found != asked {
            let message = format!("an array of {found} elements cannot take the shape {shape:?}, which has {asked}");
            return Err(Error::new(ErrorKind::Shape, "reshape", message));
        }
        if found == 0 || self.is_contiguous() {
            self.axes = Axes::c_order(shape, self.dtype.size());
            return Ok(());
        }
        let Some(strides) = reshaped_strides(&self.axes, shape) else {
            let (from, strides) = (self.axes.shape(), self.axes.strides());
            let message = format!("shape {from:?} with strides {strides:?} cannot become {shape:?} without a copy");
            return Err(Error::new(ErrorKind::Shape, "reshape-copies", message));
        };
        self.axes = Axes::new(shape, &strides[..shape.len()]);
        Ok(())
    }

    fn restride(&mut self, shape: &[usize], strides: &[isize]) -> Result<()> {
        let (before, after) = reach(shape, strides, self.dtype)?;
        let address = self.pointer.addr();
        if after > 0 {
            let (low, high) = (address.checked_sub(before), address.checked_add(after));
            if low.is_none_or(|low| low < self.solid.start) || high.is_none_or(|high| high > self.solid.end) {
                return Err(out_of_bounds(shape, strides, "leave the memory of the array"));
            }
        }
        self.axes = Axes::new(shape, strides);
        Ok(())
    }

    fn refuse_overlap(&self) -> Result<()> {
        let (shape, strides) = (self.axes.shape(), self.axes.strides());
        let finding = match overlaps(shape, strides, self.dtype.size()) {
            Some(false) => return Ok(()),
            Some(true) => "make two elements share memory",
            None => "may make two elements share memory (no quick way to tell)",
        };
        let message = format!("strides {strides:?} of an output of shape {shape:?} {finding}");
        Err(Error::new(ErrorKind::Argument, "overlapping-output", message))
    }

    /// Puts the first element at `index` of `axis`; the caller gives the axis its new extent.
    fn advance(&mut self, axis: usize, index: usize) {
        self.pointer = self.pointer.wrapping_offset(self.axes.strides()[axis].wrapping_mul(index as isize));
    }

    fn slice(&mut self, axis: usize, range: (Bound<usize>, Bound<usize>)) -> Result<()> {
        self.check_axis(axis)?;
        let extent = self.axes.shape()[axis];
        let start = match range.0 {
            Bound::Included(start) => Some(start),
            Bound::Excluded(before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.1 {
            Bound::Included(last) => last.checked_add(1),
            Bound::Excluded(end) => Some(end),
            Bound::Unbounded => Some(extent),
        };
        let Some((start, end)) = start.zip(end).filter(|(start, end)| start <= end && *end <= extent) else {
            let number = |n: Option<usize>| n.map_or("..".to_string(), |n| n.to_string());
            let asked = format!("{}..{}", number(start), number(end));
            let message = format!("the range {asked} does not lie in axis {axis}, which has {extent} elements");
            return Err(Error::new(ErrorKind::Shape, "slice-range", message));
        };
        if start < end {
            self.advance(axis, start);
        }
        self.axes.both_mut().0[axis] = end - start;
        Ok(())
    }

    fn step(&mut self, axis: usize, step: isize) -> Result<()> {
        self.check_axis(axis)?;
        if step == 0 {
            return Err(Error::new(ErrorKind::Shape, "zero-step", "the step of a slice cannot be 0"));
        }
        let extent = self.axes.shape()[axis];
        if step < 0 && extent > 0 {
            self.advance(axis, extent - 1);
        }
        let (shape, strides) = self.axes.both_mut();
        shape[axis] = extent.div_ceil(step.unsigned_abs());
        // Wraps only where one element or none is left, whose stride nothing uses.
        strides[axis] = strides[axis].wrapping_mul(step);
        Ok(())
    }

    fn index(&mut self, axis: usize, index: usize) -> Result<()> {
        self.check_axis(axis)?;
        let extent = self.axes.shape()[axis];
        if index >= extent {
            let message = format!("index {index} does not lie in axis {axis}, which has {extent} elements");
            return Err(Error::new(ErrorKind::Shape, "index-range", message));
        }
        self.advance(axis, index);
        let (mut shape, mut strides) = (self.axes.shape().to_vec(), self.axes.strides().to_vec());
        shape.remove(axis);
        strides.remove(axis);
        self.axes = Axes::new(&shape, &strides);
        Ok(())
    }

    fn transpose(&mut self) -> Result<()> {
        let (shape, strides) = self.axes.both_mut();
        shape.reverse();
        strides.reverse();
        Ok(())
    }

    fn broadcast(&mut self, shape: &[usize]) -> Result<()> {
        element_count(shape, self.dtype)?;
        let own = self.axes.shape();
        let added = shape.len().checked_sub(own.len());
        let fits = |added: usize| own.iter().zip(&shape[added..]).all(|(from, to)| from == to || *from == 1);
        let Some(added) = added.filter(|added| fits(*added)) else {
            let message = format!("shape {own:?} does not broadcast to {shape:?}");
            return Err(Error::new(ErrorKind::Shape, "broadcast", message));
        };
        let mut strides = [0; MAX_RANK];
        for (axis, (extent, stride)) in own.iter().zip(self.axes.strides()).enumerate() {
            strides[added + axis] = if *extent == 1 { 0 } else { *stride };
        }
        self.axes = Axes::new(shape, &strides[..shape.len()]);
        Ok(())
    }

    fn len(&self) -> usize {
        self.axes.shape().iter().product()
    }

    /// Whether the elements lie one behind the other in C order.
    fn is_contiguous(&self) -> bool {
        let mut expected = self.dtype.size();
        let mut both = self.axes.shape().iter().zip(self.axes.strides()).rev();
        self.axes.shape().contains(&0)
            || both.all(|(extent, stride)| {
                let fits = *extent == 1 || *stride == expected as isize;
                expected *= extent;
                fits
            })
    }

    /// The place of an element, if there is one at `index`.
    fn element(&self, index: &[usize]) -> Option<*mut u8> {
        let (shape, strides) = (self.axes.shape(), self.axes.strides());
        if index.len() != shape.len() || index.iter().zip(shape).any(|(i, extent)| i >= extent) {
            return None;
        }
        let offset = index.iter().zip(strides).map(|(i, stride)| *i as isize * stride).sum();
        Some(self.pointer.wrapping_offset(offset))
    }

    /// The bits of the element at `place`, zero-extended; a bool byte other than 0 is 1.
    ///
    /// # Safety
    /// `place` came from [`element`](Raw::element) of a `Raw` with this dtype that is still borrowed.
    unsafe fn read(dtype: DType, place: *const u8) -> u64 {
        // SAFETY: an element of this many bytes lies at `place`; alignment is not asked for.
        unsafe {
            match dtype {
                DType::Bool => u64::from(place.read() != 0),
                DType::I8 | DType::U8 => u64::from(place.read()),
                DType::I16 | DType::U16 => u64::from(place.cast::<u16>().read_unaligned()),
                DType::I32 | DType::U32 | DType::F32 => u64::from(place.cast::<u32>().read_unaligned()),
                DType::I64 | DType::U64 | DType::F64 => place.cast::<u64>().read_unaligned(),
            }
        }
    }

    /// # Safety
    /// As [`read`](Raw::read), and the `Raw` is borrowed for writing.
    unsafe fn write(dtype: DType, place: *mut u8, bits: u64) {
        // SAFETY: an element of this many bytes lies at `place`; alignment is not asked for. A bool is written as 0 or 1.
        unsafe {
            match dtype {
                DType::Bool => place.write(u8::from(bits != 0)),
                DType::I8 | DType::U8 => place.write(bits as u8),
                DType::I16 | DType::U16 => place.cast::<u16>().write_unaligned(bits as u16),
                DType::I32 | DType::U32 | DType::F32 => place.cast::<u32>().write_unaligned(bits as u32),
                DType::I64 | DType::U64 | DType::F64 => place.cast::<u64>().write_unaligned(bits),
            }
        }
    }

    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct(name);
        fields.field("dtype", &self.dtype).field("shape", &self.axes.shape()).field("strides", &self.axes.strides());
        if let Some(fault) = &self.fault {
            fields.field("fault", &fault.message());
        }
        fields.finish_non_exhaustive()
    }
}

macro_rules! shared_methods {
    () => {
        /// Gives the same elements another shape, in C order. A fault if the sizes differ or the strides would need a copy.
        pub fn shape(self, shape: impl AsRef<[usize]>) -> Self {
            self.then(|raw| raw.reshape(shape.as_ref()))
        }

        /// The part `range` of `axis`: `.slice(0, 2..5)`, `.slice(1, ..)`. A fault if the axis does not hold the range.
        pub fn slice(self, axis: usize, range: impl RangeBounds<usize>) -> Self {
            self.then(|raw| raw.slice(axis, (range.start_bound().cloned(), range.end_bound().cloned())))
        }

        /// Every `step`-th element of `axis`; a negative step starts at the last and goes back. A fault if `step` is 0.
        pub fn step(self, axis: usize, step: isize) -> Self {
            self.then(|raw| raw.step(axis, step))
        }

        /// The elements at `index` of `axis`; the axis goes. A fault if `index` is not under the extent.
        pub fn index(self, axis: usize, index: usize) -> Self {
            self.then(|raw| raw.index(axis, index))
        }

        /// The axes in the opposite order.
        pub fn transpose(self) -> Self {
            self.then(Raw::transpose)
        }

        /// The dtype of the elements.
        pub fn dtype(&self) -> DType {
            self.raw.dtype
        }

        /// The shape: how many elements each axis has.
        pub fn extents(&self) -> &[usize] {
            self.raw.axes.shape()
        }

        /// For each axis the bytes from one element to the next.
        pub fn strides(&self) -> &[isize] {
            self.raw.axes.strides()
        }

        /// The number of axes.
        pub fn rank(&self) -> usize {
            self.extents().len()
        }

        /// The number of elements, of all axes together.
        pub fn len(&self) -> usize {
            self.raw.len()
        }

        /// Whether there is no element.
        pub fn is_empty(&self) -> bool {
            self.extents().contains(&0)
        }

        /// Whether the elements lie one behind the other in C order.
        pub fn is_contiguous(&self) -> bool {
            self.raw.is_contiguous()
        }

        /// The mistake made in the chain that led here. A view with a fault has no elements.
        pub fn fault(&self) -> Option<&Error> {
            self.raw.fault.as_ref()
        }

        /// The element at `index`, if that is in range and `T` is of the array's dtype.
        pub fn get<T: Element>(&self, index: &[usize]) -> Option<T> {
            let place = self.raw.element(index).filter(|_| T::DTYPE == self.dtype())?;
            // SAFETY: the place is from `element`, and `self` borrows the memory.
            Some(T::from_bits64(unsafe { Raw::read(T::DTYPE, place) }))
        }

        /// The bits of the element at `index`, zero-extended; a bool is 0 or 1.
        ///
        /// # Panics
        /// If the index is out of range.
        pub(crate) fn bits(&self, index: &[usize]) -> u64 {
            let place = self.raw.element(index).expect("an index is in range");
            // SAFETY: the place is from `element`, and `self` borrows the memory.
            unsafe { Raw::read(self.dtype(), place) }
        }
    };
}

impl<'a> View<'a> {
    /// The array that `source` is, see [`View`].
    pub fn new(source: impl Into<View<'a>>) -> View<'a> {
        source.into()
    }

    /// An array in `bytes`, placed so that the lowest byte it reaches is the first of them; strides are in bytes. The bytes
    /// need no alignment, and a bool byte other than 0 reads as true.
    ///
    /// # Errors
    /// If the array reaches past the end of `bytes`, has more than 32 axes, or as many strides as axes are not given.
    ///
    /// ```
    /// use numlift::{DType, View};
    /// let record = [1_u8, 0, 0, 255, 2, 0, 0, 255];
    /// let column = View::from_bytes(DType::U16, &record, &[2], &[4])?;
    /// assert_eq!(column.to_vec::<u16>()?, [1, 2]);
    /// assert!(View::from_bytes(DType::U16, &record, &[3], &[4]).is_err());
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn from_bytes(dtype: DType, bytes: &'a [u8], shape: &[usize], strides: &[isize]) -> Result<View<'a>, Error> {
        let raw = Raw::in_bytes(bytes.as_ptr().cast_mut(), bytes.len(), dtype, shape, strides)?;
        Ok(View { raw, memory: PhantomData })
    }

    /// An array whose first element is at `pointer`, as NumPy, Arrow and C describe theirs; strides are in bytes. The memory
    /// need not be aligned.
    ///
    /// # Errors
    /// If there are more than 32 axes, another number of strides, or bytes that no address space holds.
    ///
    /// # Safety
    /// For all of `'a`, every element that shape and strides reach is initialised memory of one allocation, and is not
    /// written except through this view's owner.
    pub unsafe fn from_raw(
        pointer: *const u8,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<View<'a>, Error> {
        Ok(View { raw: Raw::around(pointer.cast_mut(), dtype, shape, strides)?, memory: PhantomData })
    }

    fn then(self, link: impl FnOnce(&mut Raw) -> Result<()>) -> View<'a> {
        View { raw: self.raw.then(link), memory: PhantomData }
    }

    shared_methods!();

    /// Any shape and byte strides in the same memory, the first element where it is: NumPy's `as_strided`, but a fault if the
    /// memory is left. Elements may overlap.
    ///
    /// ```
    /// use numlift::View;
    /// let days = [1.0, 2.0, 4.0, 8.0];
    /// let windows = View::new(&days).strided([3, 2], [8, 8]);
    /// assert_eq!(windows.to_vec::<f64>()?, [1.0, 2.0, 2.0, 4.0, 4.0, 8.0]);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn strided(self, shape: impl AsRef<[usize]>, strides: impl AsRef<[isize]>) -> View<'a> {
        self.then(|raw| raw.restride(shape.as_ref(), strides.as_ref()))
    }

    /// Repeats the array to `shape` by NumPy's rules, with strides of 0. A fault if the shapes do not go together. Kernels
    /// broadcast by themselves.
    pub fn broadcast(self, shape: impl AsRef<[usize]>) -> View<'a> {
        self.then(|raw| raw.broadcast(shape.as_ref()))
    }

    /// The elements in C order.
    ///
    /// # Errors
    /// The fault, if there is one; if `T` is not of the array's dtype.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if let Some(fault) = self.fault() {
            return Err(fault.clone());
        }
        if T::DTYPE != self.dtype() {
            return Err(wrong_element::<T>(self.dtype()));
        }
        let mut elements = Vec::with_capacity(self.len());
        if !self.is_empty() {
            self.collect(self.raw.pointer, 0, &mut elements);
        }
        Ok(elements)
    }

    /// Appends the elements under `pointer` that differ in `axis` and those after it. The array is not empty.
    fn collect<T: Element>(&self, pointer: *const u8, axis: usize, elements: &mut Vec<T>) {
        let Some((extent, stride)) = self.extents().get(axis).zip(self.strides().get(axis)) else {
            // SAFETY: `pointer` is of an index in range, as every axis was stepped along under its extent.
            elements.push(T::from_bits64(unsafe { Raw::read(T::DTYPE, pointer) }));
            return;
        };
        for index in 0..*extent {
            self.collect(pointer.wrapping_offset(*stride * index as isize), axis + 1, elements);
        }
    }

    /// The memory of the elements in C order, if they lie so.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if !self.is_contiguous() {
            return None;
        }
        let len = if self.is_empty() { return Some(&[]) } else { self.len() * self.dtype().size() };
        // SAFETY: contiguous elements cover these bytes, which are borrowed and initialised for `'a`.
        Some(unsafe { std::slice::from_raw_parts(self.raw.pointer, len) })
    }

    /// The first element. May dangle if there is none.
    pub(crate) fn pointer(&self) -> *const u8 {
        self.raw.pointer
    }
}

/// `T` was asked for where `found` is stored.
pub(crate) fn wrong_element<T: Element>(found: DType) -> Error {
    let message = format!("elements of dtype {found} were asked for as {}", T::DTYPE);
    let hint = format!("write `{}(...)` in the formula, or ask for a Vec of {found}", T::DTYPE);
    Error::new(ErrorKind::DType, "wrong-element", message).with_hint(hint)
}

impl<'a> ViewMut<'a> {
    /// The array that `target` is: `&mut [T]`, `&mut Vec<T>`, `&mut [T; N]`, or `&mut T` of rank 0.
    pub fn new(target: impl Into<ViewMut<'a>>) -> ViewMut<'a> {
        target.into()
    }

    /// As [`View::from_bytes`].
    ///
    /// # Errors
    /// As there, and if two indices share a byte. That is decided exactly, but where 100,000 steps of search do not decide
    /// it (many axes with strides nested in no order), the array is refused.
    pub fn from_bytes(
        dtype: DType,
        bytes: &'a mut [u8],
        shape: &[usize],
        strides: &[isize],
    ) -> Result<ViewMut<'a>, Error> {
        let raw = Raw::in_bytes(bytes.as_mut_ptr(), bytes.len(), dtype, shape, strides)?;
        raw.refuse_overlap()?;
        Ok(ViewMut { raw, memory: PhantomData })
    }

    /// As [`View::from_raw`].
    ///
    /// # Errors
    /// As there, and if two indices share a byte, as for [`from_bytes`](ViewMut::from_bytes).
    ///
    /// # Safety
    /// For all of `'a`, every element that shape and strides reach is initialised memory of one allocation, and is neither
    /// read nor written except through this view. Bytes between elements are not touched.
    pub unsafe fn from_raw(
        pointer: *mut u8,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<ViewMut<'a>, Error> {
        let raw = Raw::around(pointer, dtype, shape, strides)?;
        raw.refuse_overlap()?;
        Ok(ViewMut { raw, memory: PhantomData })
    }

    fn then(self, link: impl FnOnce(&mut Raw) -> Result<()>) -> ViewMut<'a> {
        ViewMut { raw: self.raw.then(link), memory: PhantomData }
    }

    shared_methods!();

    /// Any shape and byte strides in the same memory, the first element where it is. A fault if the memory is left or two
    /// indices share a byte.
    pub fn strided(self, shape: impl AsRef<[usize]>, strides: impl AsRef<[isize]>) -> ViewMut<'a> {
        self.then(|raw| {
            raw.restride(shape.as_ref(), strides.as_ref())?;
            raw.refuse_overlap()
        })
    }

    /// The same array for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        ViewMut { raw: self.raw.clone(), memory: PhantomData }
    }

    /// The same array, to read.
    pub fn as_view(&self) -> View<'_> {
        View { raw: self.raw.clone(), memory: PhantomData }
    }

    /// The first element. May dangle if there is none. Bytes between elements may belong to others.
    pub(crate) fn pointer(&mut self) -> *mut u8 {
        self.raw.pointer
    }

    /// Copies the elements of an array of this dtype and shape, or of one that broadcasts to it.
    pub(crate) fn copy_from(&mut self, from: &View<'_>) {
        assert_eq!(self.dtype(), from.dtype(), "a copy keeps the dtype");
        if let Some(bytes) = from.as_bytes()
            && self.raw.is_contiguous()
            && self.extents() == from.extents()
        {
            // SAFETY: contiguous elements cover as many bytes as those of the other array, which no one writes meanwhile.
            unsafe { self.raw.pointer.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            return;
        }
        let shape = self.extents().to_vec();
        let from = from.clone().broadcast(&shape);
        let mut index = vec![0; shape.len()];
        for mut rest in 0..shape.iter().product() {
            for axis in (0..shape.len()).rev() {
                index[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            self.set_bits(&index, from.bits(&index));
        }
    }

    /// Stores the low bits of `bits` as the element at `index`.
    ///
    /// # Panics
    /// If the index is out of range.
    pub(crate) fn set_bits(&mut self, index: &[usize], bits: u64) {
        let place = self.raw.element(index).expect("an index is in range");
        // SAFETY: the place is from `element`, and `self` borrows the memory for writing.
        unsafe { Raw::write(self.raw.dtype, place, bits) }
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.describe("View", f)
    }
}

impl fmt::Debug for ViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.describe("ViewMut", f)
    }
}

impl<'a, T: Element> From<&'a [T]> for View<'a> {
    fn from(elements: &'a [T]) -> View<'a> {
        View { raw: Raw::line(elements.as_ptr().cast_mut(), elements.len()), memory: PhantomData }
    }
}

impl<'a, T: Element> From<&'a Vec<T>> for View<'a> {
    fn from(elements: &'a Vec<T>) -> View<'a> {
        View::from(elements.as_slice())
    }
}

impl<'a, T: Element, const N: usize> From<&'a [T; N]> for View<'a> {
    fn from(elements: &'a [T; N]) -> View<'a> {
        View::from(elements.as_slice())
    }
}

impl<'a, T: Element> From<&'a T> for View<'a> {
    fn from(element: &'a T) -> View<'a> {
        View { raw: Raw::point(std::ptr::from_ref(element).cast_mut()), memory: PhantomData }
    }
}

impl<'a> From<&View<'a>> for View<'a> {
    fn from(view: &View<'a>) -> View<'a> {
        view.clone()
    }
}

impl<'a, T: Element> From<&'a mut [T]> for ViewMut<'a> {
    fn from(elements: &'a mut [T]) -> ViewMut<'a> {
        ViewMut { raw: Raw::line(elements.as_mut_ptr(), elements.len()), memory: PhantomData }
    }
}

impl<'a, T: Element> From<&'a mut Vec<T>> for ViewMut<'a> {
    fn from(elements: &'a mut Vec<T>) -> ViewMut<'a> {
        ViewMut::from(elements.as_mut_slice())
    }
}

impl<'a, T: Element, const N: usize> From<&'a mut [T; N]> for ViewMut<'a> {
    fn from(elements: &'a mut [T; N]) -> ViewMut<'a> {
        ViewMut::from(elements.as_mut_slice())
    }
}

impl<'a, T: Element> From<&'a mut T> for ViewMut<'a> {
    fn from(element: &'a mut T) -> ViewMut<'a> {
        ViewMut { raw: Raw::point(std::ptr::from_mut(element)), memory: PhantomData }
    }
}

impl<'a> From<&'a mut ViewMut<'_>> for ViewMut<'a> {
    fn from(view: &'a mut ViewMut<'_>) -> ViewMut<'a> {
        view.reborrow()
    }
}

#[cfg(feature = "ndarray")]
mod arrays {
    //! `ndarray`'s arrays: their strides count elements.

    use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension, RawData};

    use super::{Element, PhantomData, Raw, View, ViewMut};

    fn raw<T: Element>(pointer: *mut T, shape: &[usize], strides: &[isize]) -> Raw {
        let bytes: Option<Vec<isize>> = strides.iter().map(|s| s.checked_mul(T::DTYPE.size() as isize)).collect();
        let strides = bytes.expect("an array's strides stay in its memory");
        Raw::around(pointer.cast(), T::DTYPE, shape, &strides).unwrap_or_else(|fault| Raw::faulty(T::DTYPE, fault))
    }

    impl<'a, S: Data, D: Dimension> From<&'a ArrayBase<S, D>> for View<'a>
    where
        <S as RawData>::Elem: Element,
    {
        fn from(array: &'a ArrayBase<S, D>) -> View<'a> {
            View { raw: raw(array.as_ptr().cast_mut(), array.shape(), array.strides()), memory: PhantomData }
        }
    }

    impl<'a, T: Element, D: Dimension> From<ArrayView<'a, T, D>> for View<'a> {
        fn from(array: ArrayView<'a, T, D>) -> View<'a> {
            View { raw: raw(array.as_ptr().cast_mut(), array.shape(), array.strides()), memory: PhantomData }
        }
    }

    impl<'a, S: DataMut, D: Dimension> From<&'a mut ArrayBase<S, D>> for ViewMut<'a>
    where
        <S as RawData>::Elem: Element,
    {
        fn from(array: &'a mut ArrayBase<S, D>) -> ViewMut<'a> {
            ViewMut { raw: raw(array.as_mut_ptr(), array.shape(), array.strides()), memory: PhantomData }
        }
    }

    impl<'a, T: Element, D: Dimension> From<ArrayViewMut<'a, T, D>> for ViewMut<'a> {
        fn from(mut array: ArrayViewMut<'a, T, D>) -> ViewMut<'a> {
            ViewMut { raw: raw(array.as_mut_ptr(), array.shape(), array.strides()), memory: PhantomData }
        }
    }
}

/// Elements that numlift allocated: a `Vec<T>` behind a dtype, so that it can be given away without a copy.
pub(crate) struct Buffer {
    elements: Box<dyn Elements>,
    shape: Vec<usize>,
}

/// A `Vec` of some element type.
trait Elements: Any + Send + Sync {
    fn view(&self) -> View<'_>;
    fn view_mut(&mut self) -> ViewMut<'_>;
}

impl<T: Element> Elements for Vec<T> {
    fn view(&self) -> View<'_> {
        View::from(self)
    }

    fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::from(self)
    }
}

impl Buffer {
    /// Zeros, in C order. Large ones cost nothing until they are written. Fails with a `Limit` error if memory is short.
    pub(crate) fn zeroed(dtype: DType, shape: &[usize]) -> Result<Buffer> {
        let count = element_count(shape, dtype)?;
        let elements = match dtype {
            DType::Bool => zeros::<bool>(count),
            DType::I8 => zeros::<i8>(count),
            DType::I16 => zeros::<i16>(count),
            DType::I32 => zeros::<i32>(count),
            DType::I64 => zeros::<i64>(count),
            DType::U8 => zeros::<u8>(count),
            DType::U16 => zeros::<u16>(count),
            DType::U32 => zeros::<u32>(count),
            DType::U64 => zeros::<u64>(count),
            DType::F32 => zeros::<f32>(count),
            DType::F64 => zeros::<f64>(count),
        };
        let Some(elements) = elements else {
            let message = format!("no memory for {} bytes: shape {shape:?}, dtype {dtype}", count * dtype.size());
            return Err(Error::new(ErrorKind::Limit, "out-of-memory", message));
        };
        Ok(Buffer { elements, shape: shape.to_vec() })
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.elements.view().shape(&self.shape)
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        self.elements.view_mut().shape(&self.shape)
    }

    /// The elements in C order, without a copy. Fails if `T` is not of the buffer's dtype.
    pub(crate) fn into_vec<T: Element>(self) -> Result<Vec<T>, (Buffer, Error)> {
        let found = self.elements.view().dtype();
        if found != T::DTYPE {
            return Err((self, wrong_element::<T>(found)));
        }
        let elements: Box<dyn Any> = self.elements;
        Ok(*elements.downcast::<Vec<T>>().expect("the dtype names the type of the elements"))
    }
}

/// Zeros straight from the allocator; none if it has no memory.
fn zeros<T: Element>(count: usize) -> Option<Box<dyn Elements>> {
    let layout = Layout::array::<T>(count).ok()?;
    if layout.size() == 0 {
        return Some(Box::new(Vec::<T>::new()));
    }
    // SAFETY: the layout is not empty.
    let pointer = unsafe { alloc::alloc_zeroed(layout) };
    if pointer.is_null() {
        return None;
    }
    ask_for_huge_pages(pointer, layout.size());
    // SAFETY: the global allocator gave this memory with the layout of `count` elements, and zero bytes are an element.
    Some(Box::new(unsafe { Vec::from_raw_parts(pointer.cast::<T>(), count, count) }))
}

/// From so many bytes on memory that was just allocated is asked to come in huge pages: NumPy's limit. A page that is met for the
/// first time costs more than computing what goes there.
#[cfg(all(target_os = "linux", not(miri)))]
const MANY_BYTES: usize = 4 << 20;

/// Bytes of a huge page on most machines; elsewhere one begins at some of these multiples.
#[cfg(all(target_os = "linux", not(miri)))]
const HUGE_PAGE: usize = 2 << 20;

/// Says of the huge pages that lie whole in memory that they are wanted. Where the system has none nothing happens.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    let before = start.align_offset(HUGE_PAGE);
    if bytes >= MANY_BYTES && before < bytes {
        let whole = (bytes - before) / HUGE_PAGE * HUGE_PAGE;
        // SAFETY: the pages are whole ones of this memory, whose contents the advice does not change.
        unsafe { libc::madvise(start.add(before).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(any(miri, not(target_os = "linux")))]
fn ask_for_huge_pages(_: *mut u8, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every index of `shape`, in C order.
    fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
        shape.iter().fold(vec![vec![]], |found, extent| {
            found.iter().flat_map(|index| (0..*extent).map(move |i| [&index[..], &[i]].concat())).collect()
        })
    }

    fn offset(index: &[usize], strides: &[isize]) -> i128 {
        index.iter().zip(strides).map(|(i, stride)| *i as i128 * *stride as i128).sum()
    }

    #[test]
    fn sources() {
        let (x, y) = (vec![1.5_f64, 2.5], [7_u8, 8, 9]);
        assert_eq!(View::new(&x).to_vec::<f64>().unwrap(), x);
        assert_eq!(View::new(&x[1..]).to_vec::<f64>().unwrap(), [2.5]);
        assert_eq!(View::new(&y).to_vec::<u8>().unwrap(), y);
        let scalar = View::new(&3_i16);
        assert_eq!((scalar.rank(), scalar.len(), scalar.get::<i16>(&[])), (0, 1, Some(3)));
        let view = View::new(&x);
        assert_eq!(View::new(&view).to_vec::<f64>().unwrap(), x);
        assert_eq!(View::new(&2.0).dtype(), DType::F64);
        assert_eq!(View::new(&x).get::<f32>(&[0]), None);
        assert_eq!(View::new(&x).to_vec::<f32>().unwrap_err().code(), "wrong-element");
        assert_eq!(View::new(&[true, false]).as_bytes(), Some(&[1, 0][..]));
    }

    #[test]
    fn targets() {
        let (mut x, mut scalar) = (vec![0_u16; 6], 0.0_f32);
        let mut view = ViewMut::new(&mut x).shape([2, 3]).transpose();
        view.set_bits(&[2, 1], 0x1_0005);
        assert_eq!((view.bits(&[2, 1]), view.get::<u16>(&[0, 0])), (5, Some(0)));
        view.reborrow().step(0, -1).set_bits(&[2, 0], 7);
        assert_eq!(view.as_view().transpose().to_vec::<u16>().unwrap(), [7, 0, 0, 0, 0, 5]);
        ViewMut::new(&mut scalar).set_bits(&[], u64::from(1.5_f32.to_bits()));
        assert_eq!((x, scalar), (vec![7, 0, 0, 0, 0, 5], 1.5));
    }

    #[test]
    fn a_bool_byte_other_than_0_is_true() {
        let view = View::from_bytes(DType::Bool, &[0, 1, 2, 255], &[4], &[1]).unwrap();
        assert_eq!(view.to_vec::<bool>().unwrap(), [false, true, true, true]);
        assert_eq!(view.bits(&[3]), 1);
        let mut bytes = [9];
        ViewMut::from_bytes(DType::Bool, &mut bytes, &[], &[]).unwrap().set_bits(&[], 8);
        assert_eq!(bytes, [1]);
    }

    #[test]
    fn a_mistake_empties_the_array_and_stays() {
        let x = [0.0; 12];
        let base = || View::new(&x).shape([3, 4]);
        let most: Vec<usize> = vec![1; MAX_RANK + 1];
        for (view, code) in [
            (base().shape([5, 2]), "reshape"),
            (base().transpose().shape([12]), "reshape-copies"),
            (base().shape([usize::MAX, usize::MAX]), "shape-overflow"),
            (base().shape(&most), "rank-limit"),
            (base().slice(2, ..), "no-such-axis"),
            (base().slice(1, 2..5), "slice-range"),
            (base().slice(1, 3..=usize::MAX), "slice-range"),
            (base().step(0, 0), "zero-step"),
            (base().index(0, 3), "index-range"),
            (base().strided([2], [8, 8]), "strides-rank"),
            (base().strided([13], [8]), "out-of-bounds"),
            (base().strided([2], [-8]), "out-of-bounds"),
            (base().strided([2], [isize::MIN]), "out-of-bounds"),
            (base().broadcast([2, 3, 5]), "broadcast"),
            (base().broadcast([4]), "broadcast"),
            (base().broadcast([usize::MAX, 3, 4]), "shape-overflow"),
        ] {
            let view = view.transpose().slice(0, ..).index(0, 99);
            assert_eq!(view.fault().map(Error::code), Some(code));
            assert!(view.is_empty() && view.to_vec::<f64>().is_err());
        }
        let mut y = [0.0; 12];
        let view = ViewMut::new(&mut y).strided([3, 4], [8, 8]);
        assert_eq!((view.len(), view.fault().unwrap().code()), (0, "overlapping-output"));
    }

    #[test]
    fn strides_stay_where_no_gap_belongs_to_others() {
        let x = [1_u8, 2, 3, 4, 5, 6];
        // SAFETY: every second byte of `x`.
        let column = unsafe { View::from_raw(x.as_ptr(), DType::U8, &[3], &[2]) }.unwrap();
        assert_eq!(column.to_vec::<u8>().unwrap(), [1, 3, 5]);
        assert!(column.strided([5], [1]).fault().is_some());
        // SAFETY: every byte of `x`, from the last to the first.
        let dense = unsafe { View::from_raw(x.as_ptr().wrapping_add(5), DType::U8, &[3, 2], &[-2, -1]) }.unwrap();
        let forwards = dense.step(0, -1).step(1, -1);
        assert_eq!(forwards.clone().strided([6], [1]).to_vec::<u8>().unwrap(), x);
        assert_eq!(forwards.strided([7], [1]).fault().unwrap().code(), "out-of-bounds");
    }

    #[test]
    fn deep_shapes() {
        let x: Vec<i32> = (0..64).collect();
        let view = View::new(&x).shape([2; 6]).index(5, 1).step(0, -1);
        assert_eq!((view.rank(), view.get::<i32>(&[1, 0, 0, 0, 1])), (5, Some(3)));
        assert_eq!(View::new(&7_u8).shape([1; MAX_RANK]).to_vec::<u8>().unwrap(), [7]);
    }

    #[test]
    fn buffers() {
        for dtype in DType::ALL {
            let mut buffer = Buffer::zeroed(dtype, &[2, 3]).unwrap();
            buffer.view_mut().set_bits(&[1, 2], 1);
            assert_eq!((buffer.view().extents(), buffer.view().bits(&[1, 2])), (&[2, 3][..], 1));
            assert!(Buffer::zeroed(dtype, &[usize::MAX / 16]).is_err());
        }
        let empty = Buffer::zeroed(DType::F64, &[0, 5]).unwrap();
        let (empty, error) = empty.into_vec::<f32>().err().unwrap();
        assert_eq!((error.kind(), empty.into_vec::<f64>().ok()), (ErrorKind::DType, Some(vec![])));
    }

    #[test]
    fn a_view_is_one_of_plain_numbers() {
        fn check<T: Send + Sync>() {}
        check::<View<'_>>();
        check::<ViewMut<'_>>();
        check::<Buffer>();
    }

    /// One link of a chain, on a view and on the list of element numbers that it should hold.
    #[derive(Clone, Debug)]
    enum Link {
        Slice(usize, usize, usize),
        Step(usize, isize),
        Index(usize, usize),
        Transpose,
        Shape(Vec<usize>),
        Broadcast(usize),
    }

    fn link() -> impl Strategy<Value = Link> {
        prop_oneof![
            (0..4_usize, 0..5_usize, 0..6_usize).prop_map(|(axis, a, b)| Link::Slice(axis, a, b)),
            (0..4_usize, -3..4_isize).prop_map(|(axis, step)| Link::Step(axis, step)),
            (0..4_usize, 0..3_usize).prop_map(|(axis, index)| Link::Index(axis, index)),
            Just(Link::Transpose),
            proptest::collection::vec(0..7_usize, 0..5).prop_map(Link::Shape),
            (1..3_usize).prop_map(Link::Broadcast),
        ]
    }

    /// The list of element numbers with its shape, picked by `from`, which says for a new index where the old one was.
    fn pick(
        old: &(Vec<usize>, Vec<u32>),
        shape: Vec<usize>,
        from: impl Fn(&[usize]) -> Vec<usize>,
    ) -> (Vec<usize>, Vec<u32>) {
        let at = |index: Vec<usize>| index.iter().zip(&old.0).fold(0, |at, (i, extent)| at * extent + i);
        let elements = indices(&shape).iter().map(|index| old.1[at(from(index))]).collect();
        (shape, elements)
    }

    /// What the link should give; none where it is a mistake.
    fn model(old: &(Vec<usize>, Vec<u32>), link: &Link) -> Option<(Vec<usize>, Vec<u32>)> {
        let mut shape = old.0.clone();
        match link {
            Link::Slice(axis, start, end) => {
                let extent = *old.0.get(*axis)?;
                (start <= end && *end <= extent).then(|| {
                    shape[*axis] = end - start;
                    pick(old, shape, |index| {
                        let mut index = index.to_vec();
                        index[*axis] += start;
                        index
                    })
                })
            }
            Link::Step(axis, step) => {
                let extent = *old.0.get(*axis)?;
                (*step != 0).then(|| {
                    shape[*axis] = extent.div_ceil(step.unsigned_abs());
                    pick(old, shape, |index| {
                        let mut index = index.to_vec();
                        let i = index[*axis] * step.unsigned_abs();
                        index[*axis] = if *step > 0 { i } else { extent - 1 - i };
                        index
                    })
                })
            }
            Link::Index(axis, at) => (at < old.0.get(*axis)?).then(|| {
                shape.remove(*axis);
                pick(old, shape, |index| {
                    let mut index = index.to_vec();
                    index.insert(*axis, *at);
                    index
                })
            }),
            Link::Transpose => {
                shape.reverse();
                Some(pick(old, shape, |index| index.iter().rev().copied().collect()))
            }
            Link::Shape(to) => (to.iter().product::<usize>() == old.1.len()).then(|| (to.clone(), old.1.clone())),
            Link::Broadcast(count) => {
                shape.insert(0, *count);
                Some(pick(old, shape, |index| index[1..].to_vec()))
            }
        }
    }

    proptest! {
        #[test]
        fn chains_are_numpys(first in proptest::collection::vec(1..6_usize, 0..4), links in proptest::collection::vec(link(), 0..6)) {
            let elements: Vec<u32> = (0..first.iter().product::<usize>() as u32).collect();
            let mut view = View::new(&elements).shape(&first);
            let mut expected = (first, elements.clone());
            for link in links {
                let next = match &link {
                    Link::Slice(axis, start, end) => view.clone().slice(*axis, *start..*end),
                    Link::Step(axis, step) => view.clone().step(*axis, *step),
                    Link::Index(axis, index) => view.clone().index(*axis, *index),
                    Link::Transpose => view.clone().transpose(),
                    Link::Shape(shape) => view.clone().shape(shape),
                    Link::Broadcast(count) => view.clone().broadcast([&[*count], view.extents()].concat()),
                };
                let Some(then) = model(&expected, &link) else {
                    prop_assert!(next.fault().is_some(), "{link:?}");
                    continue;
                };
                if next.fault().is_some_and(|fault| fault.code() == "reshape-copies") {
                    // No strides can walk these elements: their places are not affine in the new index.
                    let all = indices(&then.0);
                    let place = |i: usize| i128::from(then.1[i]);
                    let unit = |axis: usize| (0..then.0.len()).map(|k| usize::from(k == axis)).collect::<Vec<_>>();
                    let stride = |axis: usize| all.iter().position(|i| *i == unit(axis)).map_or(0, |at| place(at) - place(0));
                    let strides: Vec<i128> = (0..then.0.len()).map(stride).collect();
                    let affine = |index: &[usize]| place(0) + index.iter().zip(&strides).map(|(i, s)| *i as i128 * s).sum::<i128>();
                    prop_assert!(all.iter().enumerate().any(|(at, index)| affine(index) != place(at)), "{link:?} {view:?}");
                    continue;
                }
                prop_assert!(next.fault().is_none(), "{link:?} {next:?}");
                prop_assert_eq!(next.extents(), &then.0[..]);
                prop_assert_eq!(next.to_vec::<u32>().unwrap(), &then.1[..]);
                let contiguous = then.1.windows(2).all(|pair| pair[1] == pair[0] + 1);
                prop_assert_eq!(next.is_contiguous(), contiguous, "{:?}", next);
                (view, expected) = (next, then);
            }
        }

        #[test]
        fn overlap_is_what_brute_force_finds(
            axes in proptest::collection::vec((0..5_usize, -40..40_isize), 0..5),
            dtype in proptest::sample::select(&DType::ALL[..]),
        ) {
            let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let mut places: Vec<i128> = indices(&shape).iter().map(|index| offset(index, &strides)).collect();
            places.sort_unstable();
            let expected = places.windows(2).any(|pair| pair[1] - pair[0] < dtype.size() as i128);
            prop_assert_eq!(overlaps(&shape, &strides, dtype.size()), Some(expected));
        }

        #[test]
        fn from_bytes_stays_in_bounds(
            axes in proptest::collection::vec(
                (
                    prop_oneof![0..5_usize, Just(usize::MAX), Just(isize::MAX as usize)],
                    prop_oneof![-20..20_isize, Just(isize::MIN), Just(isize::MAX), any::<isize>()],
                ),
                0..4,
            ),
            len in 0..200_usize,
            dtype in proptest::sample::select(&DType::ALL[..]),
        ) {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let view = View::from_bytes(dtype, &bytes, &shape, &strides);
            if shape.contains(&0) {
                prop_assert!(view.is_ok_and(|view| view.is_empty()) || shape.iter().any(|extent| *extent > 4));
                return Ok(());
            }
            let count = shape.iter().try_fold(1_usize, |count, extent| count.checked_mul(*extent));
            if count.is_none_or(|count| count > 1000) {
                // Only a stride of 0 makes so many elements fit.
                prop_assert!(view.is_err() || strides.contains(&0));
                return Ok(());
            }
            let places: Vec<i128> = indices(&shape).iter().map(|index| offset(index, &strides)).collect();
            let (low, high) = (places.iter().min().copied(), places.iter().max().map(|last| last + dtype.size() as i128));
            let fits = low.zip(high).is_none_or(|(low, high)| high - low <= len as i128);
            prop_assert_eq!(view.is_ok(), fits);
            let Ok(view) = view else { return Ok(()) };
            for (index, place) in indices(&shape).iter().zip(&places) {
                let at = (place - low.unwrap()) as usize;
                let expected = bytes[at..at + dtype.size()].iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
                prop_assert_eq!(view.bits(index), if dtype == DType::Bool { u64::from(expected != 0) } else { expected });
            }
        }
    }

    #[test]
    fn a_hopeless_search_refuses() {
        let shape = [1000; 8];
        let strides = [99_991, 99_989, 99_971, 99_961, 99_929, 99_923, 99_907, 99_901].map(|s: isize| s * 1009);
        assert!(overlaps(&shape, &strides, 8).is_none_or(|shared| shared));
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn ndarrays() {
        use ndarray::{Array2, s};
        let mut table = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as i32);
        assert_eq!(View::new(&table).get::<i32>(&[2, 1]), Some(21));
        assert_eq!(View::new(table.slice(s![..;-1, 1..3])).to_vec::<i32>().unwrap(), [21, 22, 11, 12, 1, 2]);
        let (left, right) = table.view_mut().split_at(ndarray::Axis(1), 1);
        let mut right = ViewMut::new(right);
        assert!(View::new(&left).strided([4], [4]).fault().is_some());
        right.set_bits(&[0, 0], 5);
        ViewMut::new(&mut table).set_bits(&[0, 3], 9);
        assert_eq!(table.row(0).to_vec(), [0, 5, 2, 9]);
    }
}

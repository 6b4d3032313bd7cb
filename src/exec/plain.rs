//! A run that needs no plan: every array lies in C order and has the shape of the outputs, and it is one chunk.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use super::float_env::FloatEnv;
use super::program::{Layout, Machine, Program};
use super::run::{self, Group, Input};
use crate::codegen::Native;
use crate::strip::Source;
use crate::view::ViewMut;

/// The most arrays, and the most scalars, of a run without a plan.
const MOST: usize = 8;

impl Layout {
    /// Whether runs of the program can do without a plan at all.
    pub(super) fn is_plain(&self) -> bool {
        let is_param = |(source, _): &(Source, _)| matches!(source, Source::Param(_));
        let sizes =
            self.inputs.iter().map(|(_, dtype)| dtype.size()).chain(self.outputs.iter().map(|dtype| dtype.size()));
        self.inputs.len() + self.outputs.len() <= MOST
            && self.scalars.len() <= MOST
            && self.inputs.iter().chain(&self.scalars).all(is_param)
            && sizes.max().is_some_and(|size| self.group * size <= size_of::<Group>())
            && self.wholes.is_empty()
            && !self.counts_turns
    }
}

/// Runs a program of `len` elements, one at least, which is one chunk; or does nothing and gives false if the arrays lie otherwise
/// than in C order. Arrays have the outputs' shape, and the program [is plain](Layout::is_plain).
pub(crate) fn run(program: &Program, inputs: &[Input<'_>], outputs: &mut [ViewMut<'_>], len: usize) -> bool {
    let (layout, Machine::Native(native)) = (&program.layout, &program.engine) else { return false };
    let mut starts = [std::ptr::null_mut(); MOST];
    if !find(layout, inputs, outputs, len, &mut starts) {
        return false;
    }
    let mut scalars = [0; MOST];
    for ((source, _), bits) in layout.scalars.iter().zip(&mut scalars) {
        *bits = run::scalar_of(*source, inputs, &[]);
    }
    let left = len & (layout.group - 1);
    let whole = len - left;
    let _float_env = FloatEnv::enter();
    if whole > 0 {
        let call = run::call_of(layout, &starts, &scalars, whole);
        // SAFETY: every array is of the outputs' shape without gaps, so it has `len` elements.
        unsafe { native.call(&call) };
    }
    if left > 0 {
        // SAFETY: every array has `left` elements behind `whole`.
        unsafe { rest(layout, native, &starts, &scalars, whole, left) };
    }
    true
}

/// Computes the `left` elements behind `whole`, which are fewer than a group.
///
/// # Safety
/// The arrays are those of the layout, at most [`MOST`], and have these elements; a [`Group`] has room for one of any.
unsafe fn rest(
    layout: &Layout,
    native: &Native,
    starts: &[*mut u8; MOST],
    scalars: &[u64; MOST],
    whole: usize,
    left: usize,
) {
    let mut tail = [Group([MaybeUninit::uninit(); _]); MOST];
    let mut places = [std::ptr::null_mut(); MOST];
    for (place, tail) in places.iter_mut().zip(&mut tail) {
        *place = tail.0.as_mut_ptr().cast::<u8>();
    }
    for (k, (_, dtype)) in layout.inputs.iter().enumerate() {
        let size = dtype.size();
        // SAFETY: the array has `left` elements behind `whole`, and its place has room for a group.
        unsafe {
            let from = starts[k].add(whole * size);
            let words = (layout.group * size).div_ceil(8);
            tail[k].0[..words].fill(MaybeUninit::new(repeated(run::read(from.add((left - 1) * size), size), size)));
            if left > 1 {
                from.copy_to_nonoverlapping(places[k], (left - 1) * size);
            }
        }
    }
    let call = run::call_of(layout, &places, scalars, layout.group);
    // SAFETY: there is a place for a group of every array, those of inputs are filled.
    unsafe { native.call(&call) };
    for (k, dtype) in layout.outputs.iter().enumerate() {
        let (k, size) = (layout.inputs.len() + k, dtype.size());
        // SAFETY: the code has written a group, and the array has `left` elements behind `whole`.
        unsafe {
            let to = starts[k].add(whole * size);
            // Calling out for a few bytes would cost more than moving them.
            if left == 1 {
                run::write(to, size, run::read(places[k], size));
            } else {
                places[k].copy_to_nonoverlapping(to, left * size);
            }
        }
    }
}

/// An element of `size` bytes as often as 8 bytes have room for it.
fn repeated(bits: u64, size: usize) -> u64 {
    match size {
        1 => bits * 0x0101_0101_0101_0101,
        2 => bits * 0x0001_0001_0001_0001,
        4 => bits << 32 | bits,
        _ => bits,
    }
}

/// Finds where the arrays start, in order of their slots, if each of them is without gaps.
fn find(
    layout: &Layout,
    inputs: &[Input<'_>],
    outputs: &mut [ViewMut<'_>],
    len: usize,
    starts: &mut [*mut u8; MOST],
) -> bool {
    let lies_plain = |shape: &[usize], strides: &[isize], size: usize| len == 1 || in_c_order(shape, strides, size);
    let (of_inputs, of_outputs) = starts.split_at_mut(layout.inputs.len());
    for ((output, dtype), start) in outputs.iter_mut().zip(&layout.outputs).zip(of_outputs.iter_mut()) {
        if !lies_plain(output.extents(), output.strides(), dtype.size()) {
            return false;
        }
        *start = output.pointer();
    }
    for ((source, dtype), start) in layout.inputs.iter().zip(of_inputs) {
        let Source::Param(param) = source else { unreachable!("a plain program reads parameters") };
        *start = match &inputs[*param as usize] {
            Input::Array(view) if lies_plain(view.extents(), view.strides(), dtype.size()) => view.pointer().cast_mut(),
            Input::Array(_) => return false,
            Input::InPlace(output) => of_outputs[*output],
            Input::Scalar(_) => unreachable!("an array slot is given an array"),
        };
    }
    true
}

/// Whether elements follow one another; none of the extents is 0.
fn in_c_order(shape: &[usize], strides: &[isize], size: usize) -> bool {
    let mut expected = size as isize;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let follows = *extent == 1 || *stride == expected;
        expected *= *extent as isize;
        follows
    })
}

//! A run that needs no plan: every array lies in C order and has the shape of the outputs, and it is one chunk.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use super::float_env::FloatEnv;
use super::program::{Layout, Program};
use super::run::{self, Input, Resources};
use crate::interp::{Halt, Turns};
use crate::strip::Source;
use crate::view::ViewMut;

/// The most arrays of a run without a plan.
const ARRAYS: usize = 8;

/// Bytes for a group of one array.
const PLACE: usize = 1024;

/// A group of each array: the elements that are left behind the last whole one.
#[repr(align(64))]
struct Tail([[MaybeUninit<u8>; PLACE]; ARRAYS]);

/// Runs a job of `len` elements, which is one chunk, or does nothing and gives false if the arrays lie otherwise.
/// `written` are the addresses of the outputs.
pub(super) fn run(
    program: &Program,
    inputs: &[Input<'_>],
    outputs: &[ViewMut<'_>],
    written: &[*mut u8],
    scalars: &[u64],
    len: usize,
    resources: &Resources<'_>,
) -> bool {
    let (layout, group) = (&program.layout, program.layout.group);
    let count = layout.inputs.len() + layout.outputs.len() + layout.wholes.len();
    let mut starts = [std::ptr::null_mut(); ARRAYS];
    if count > ARRAYS || group * size_of::<u64>() > PLACE || !find(layout, inputs, outputs, written, len, &mut starts) {
        return false;
    }
    let left = len & (group - 1);
    let whole = len - left;
    let _float_env = FloatEnv::enter();
    if whole > 0 {
        // SAFETY: every array is of the outputs' shape without gaps, so it has `len` elements.
        let done = unsafe { run::compute(program, &starts[..count], scalars, whole, resources.turns()) };
        if let Err(halt) = done {
            resources.interrupt(halt);
            return true;
        }
    }
    if left > 0 {
        // SAFETY: every array has `left` elements behind `whole`.
        let done = unsafe { rest(program, &starts[..count], scalars, whole, left, resources.turns()) };
        if let Err(halt) = done {
            resources.interrupt(halt);
        }
    }
    true
}

/// Computes the `left` elements behind `whole`, which are fewer than a group.
///
/// # Safety
/// The arrays are those of the layout, at most [`ARRAYS`], and have these elements; a group of any has room in [`PLACE`].
unsafe fn rest(
    program: &Program,
    starts: &[*mut u8],
    scalars: &[u64],
    whole: usize,
    left: usize,
    turns: Turns<'_>,
) -> Result<(), Halt> {
    let (layout, group) = (&program.layout, program.layout.group);
    let mut tail = Tail([[MaybeUninit::uninit(); PLACE]; ARRAYS]);
    let mut places = [std::ptr::null_mut(); ARRAYS];
    for (to, tail) in places.iter_mut().zip(&mut tail.0) {
        *to = tail.as_mut_ptr().cast::<u8>();
    }
    let own = layout.inputs.len() + layout.outputs.len();
    places[own..starts.len()].copy_from_slice(&starts[own..]);
    let places = &places[..starts.len()];
    for (k, (_, dtype)) in layout.inputs.iter().enumerate() {
        let size = dtype.size();
        // SAFETY: the array has `left` elements behind `whole`, and its place has room for a group.
        unsafe {
            copy(starts[k].add(whole * size), places[k], size, left);
            run::repeat_last(places[k], size, left, group);
        }
    }
    // SAFETY: there is a place for a group of every array, those of inputs are filled.
    unsafe { run::compute(program, places, scalars, group, turns)? };
    for (k, dtype) in layout.outputs.iter().enumerate() {
        let (k, size) = (layout.inputs.len() + k, dtype.size());
        // SAFETY: the code has written a group, and the array has `left` elements behind `whole`.
        unsafe { copy(places[k], starts[k].add(whole * size), size, left) };
    }
    Ok(())
}

/// Finds where the arrays start, in order of their slots, if each of them is of the outputs' shape without gaps.
fn find(
    layout: &Layout,
    inputs: &[Input<'_>],
    outputs: &[ViewMut<'_>],
    written: &[*mut u8],
    len: usize,
    starts: &mut [*mut u8; ARRAYS],
) -> bool {
    let domain = outputs[0].extents();
    let lies_plain = |shape: &[usize], strides: &[isize], size: usize| {
        len == 1 || (shape == domain && in_c_order(shape, strides, size))
    };
    for ((source, dtype), start) in layout.inputs.iter().zip(starts.iter_mut()) {
        let Source::Param(param) = source else { return false };
        *start = match &inputs[*param as usize] {
            Input::Array(view) if lies_plain(view.extents(), view.strides(), dtype.size()) => view.pointer().cast_mut(),
            // Checked below, as the output that it is.
            Input::InPlace(output) => written[*output],
            Input::Array(_) => return false,
            Input::Scalar(_) => unreachable!("an array slot is given an array"),
        };
    }
    let of_outputs = &mut starts[layout.inputs.len()..];
    of_outputs.iter_mut().zip(written).for_each(|(start, written)| *start = *written);
    let wholes = run::wholes(layout, inputs);
    of_outputs[layout.outputs.len()..].iter_mut().zip(wholes).for_each(|(start, whole)| *start = whole);
    outputs
        .iter()
        .zip(&layout.outputs)
        .all(|(output, dtype)| lies_plain(output.extents(), output.strides(), dtype.size()))
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

/// # Safety
/// As [`std::ptr::copy_nonoverlapping`] of `count` elements of `size` bytes, at any alignment.
unsafe fn copy(from: *const u8, to: *mut u8, size: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        // Calling out for a few bytes would cost more than moving them.
        if count == 1 {
            run::write(to, size, run::read(from, size))
        } else {
            from.copy_to_nonoverlapping(to, count * size)
        }
    }
}

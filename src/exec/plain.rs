//! A run that needs no plan: every array lies in C order and has the shape of the outputs, and it is one chunk.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::float_env::FloatEnv;
use super::program::{Layout, Program};
use super::run::{self, Input};
use crate::strip::Source;
use crate::view::ViewMut;

/// An array of the job.
#[derive(Clone, Copy)]
struct Plain {
    pointer: *mut u8,
    size: usize,
    is_output: bool,
}

/// Bytes for a group of each array: those that are left behind the last whole one.
#[repr(align(64))]
struct Tail([MaybeUninit<u8>; 4096]);

/// Runs a job of `len` elements, which is one chunk, or does nothing and gives false if the arrays lie otherwise.
/// `written` are the addresses of the outputs.
pub(super) fn run(
    program: &Program,
    inputs: &[Input<'_>],
    outputs: &[ViewMut<'_>],
    written: &[*mut u8],
    scalars: &[u64],
    len: usize,
) -> bool {
    let mut arrays = SmallVec::new();
    if !lie_plain(&program.layout, inputs, outputs, written, len, &mut arrays) {
        return false;
    }
    let group = program.layout.group;
    let whole = len / group * group;
    let place = |size: usize| (group * size).next_multiple_of(16);
    if whole < len && arrays.iter().map(|array| place(array.size)).sum::<usize>() > size_of::<Tail>() {
        return false;
    }
    let _float_env = FloatEnv::enter();
    let mut pointers: SmallVec<[*mut u8; 8]> = SmallVec::new();
    if whole > 0 {
        for array in &arrays {
            pointers.push(array.pointer);
        }
        // SAFETY: every array is of the outputs' shape without gaps, so it has `len` elements.
        unsafe { run::compute(program, &pointers, scalars, whole) };
        pointers.clear();
    }
    if whole == len {
        return true;
    }
    let left = len - whole;
    let mut tail = Tail([MaybeUninit::uninit(); 4096]);
    let mut free = tail.0.as_mut_ptr().cast::<u8>();
    for array in &arrays {
        pointers.push(free);
        if !array.is_output {
            // SAFETY: the array has `left` elements behind `whole`, and the tail has room for a group.
            unsafe {
                copy(array.pointer.add(whole * array.size), free, array.size, left);
                run::repeat_last(free, array.size, left, group);
            }
        }
        free = free.wrapping_add(place(array.size));
    }
    // SAFETY: the tail has a group of every array, those of inputs filled.
    unsafe { run::compute(program, &pointers, scalars, group) };
    for (array, from) in arrays.iter().zip(&pointers).filter(|(array, _)| array.is_output) {
        // SAFETY: the code has written a group, and the array has `left` elements behind `whole`.
        unsafe { copy(*from, array.pointer.add(whole * array.size), array.size, left) };
    }
    true
}

/// Fills `arrays` in order of their slots, if each of them is of the outputs' shape without gaps.
fn lie_plain(
    layout: &Layout,
    inputs: &[Input<'_>],
    outputs: &[ViewMut<'_>],
    written: &[*mut u8],
    len: usize,
    arrays: &mut SmallVec<[Plain; 8]>,
) -> bool {
    let domain = outputs[0].extents();
    let lies_plain = |shape: &[usize], strides: &[isize], size: usize| {
        len == 1 || (shape == domain && in_c_order(shape, strides, size))
    };
    for (source, dtype) in &layout.inputs {
        let Source::Param(param) = source else { return false };
        let pointer = match &inputs[*param as usize] {
            Input::Array(view) if lies_plain(view.extents(), view.strides(), dtype.size()) => view.pointer().cast_mut(),
            // Checked below, as the output that it is.
            Input::InPlace(output) => written[*output],
            Input::Array(_) => return false,
            Input::Scalar(_) => unreachable!("an array slot is given an array"),
        };
        arrays.push(Plain { pointer, size: dtype.size(), is_output: false });
    }
    for ((output, pointer), dtype) in outputs.iter().zip(written).zip(&layout.outputs) {
        if !lies_plain(output.extents(), output.strides(), dtype.size()) {
            return false;
        }
        arrays.push(Plain { pointer: *pointer, size: dtype.size(), is_output: true });
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

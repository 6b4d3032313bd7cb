//! A run that needs no plan: every array lies in C order and has the shape of the outputs, and it is one chunk.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::float_env::FloatEnv;
use super::program::{Layout, Program};
use super::run::{self, Input, Job};
use crate::strip::Source;

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

/// Runs a job of `len` elements, or does nothing and gives false if the arrays lie otherwise.
pub(super) fn run(program: &Program, job: &mut Job<'_, '_>, scalars: &[u64], len: usize) -> bool {
    let (layout, group) = (&program.layout, program.layout.group);
    let Some(arrays) = arrays(layout, job, len) else { return false };
    let whole = len / group * group;
    let place = |size: usize| (group * size).next_multiple_of(64);
    if whole < len && arrays.iter().map(|array| place(array.size)).sum::<usize>() > size_of::<Tail>() {
        return false;
    }
    let _float_env = FloatEnv::enter();
    if whole > 0 {
        let pointers: SmallVec<[*mut u8; 16]> = arrays.iter().map(|array| array.pointer).collect();
        // SAFETY: every array is of the domain's shape without gaps, so it has `len` elements.
        unsafe { run::compute(program, &pointers, scalars, whole) };
    }
    if whole == len {
        return true;
    }
    let left = len - whole;
    let mut tail = Tail([MaybeUninit::uninit(); 4096]);
    let mut pointers: SmallVec<[*mut u8; 16]> = SmallVec::new();
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

/// The arrays in order of their slots, if each of them is of the domain's shape without gaps.
fn arrays(layout: &Layout, job: &mut Job<'_, '_>, len: usize) -> Option<SmallVec<[Plain; 8]>> {
    let mut arrays = SmallVec::new();
    let lies_plain = |shape: &[usize], strides: &[isize], size: usize| {
        len == 1 || (shape == job.domain && in_c_order(shape, strides, size))
    };
    for (source, dtype) in &layout.inputs {
        let Source::Param(param) = source else { return None };
        let pointer = match &job.inputs[*param as usize] {
            Input::Array(view) if lies_plain(view.extents(), view.strides(), dtype.size()) => view.pointer().cast_mut(),
            // Checked below, as the output that it is.
            Input::InPlace(output) => job.outputs[*output].pointer(),
            Input::Array(_) => return None,
            Input::Scalar(_) => unreachable!("an array slot is given an array"),
        };
        arrays.push(Plain { pointer, size: dtype.size(), is_output: false });
    }
    for (output, dtype) in job.outputs.iter_mut().zip(&layout.outputs) {
        if !lies_plain(output.extents(), output.strides(), dtype.size()) {
            return None;
        }
        arrays.push(Plain { pointer: output.pointer(), size: dtype.size(), is_output: true });
    }
    Some(arrays)
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

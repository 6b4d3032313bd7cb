//! A run that needs no plan: every array lies in C order and has the shape of the others, and it is one chunk.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use super::float_env::FloatEnv;
use super::fold::{BLOCK, LANES, folder};
use super::program::{Layout, Machine, Program};
use super::reduce;
use super::run::{self, Group, Input};
use crate::codegen::Native;
use crate::dtype::DType;
use crate::ir::Fold;
use crate::strip::Source;
use crate::view::ViewMut;

/// The most arrays, and the most scalars, of a run without a plan.
const MOST: usize = 8;

/// The most blocks of a total that is made without a plan.
pub(super) const MOST_BLOCKS: usize = 8;

/// Accumulators that code has for one total: those of whole groups, and behind them those of the last one.
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Accumulators([u64; 2 * LANES]);

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
    let scalars = scalars_of(layout, inputs);
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
    let mut tail = Tail::new();
    // SAFETY: the caller's promise.
    let places = unsafe { tail.fill(layout, starts, whole, left) };
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

fn scalars_of(layout: &Layout, inputs: &[Input<'_>]) -> [u64; MOST] {
    let mut scalars = [0; MOST];
    for ((source, _), bits) in layout.scalars.iter().zip(&mut scalars) {
        *bits = run::scalar_of(*source, inputs, &[]);
    }
    scalars
}

/// A group of each array.
struct Tail([Group; MOST]);

impl Tail {
    fn new() -> Tail {
        Tail([Group([MaybeUninit::uninit(); _]); MOST])
    }

    /// Fills those of inputs with the `left` elements behind `whole`, the last one again and again; gives where all of them are.
    ///
    /// # Safety
    /// As [`rest`].
    unsafe fn fill(&mut self, layout: &Layout, starts: &[*mut u8; MOST], whole: usize, left: usize) -> [*mut u8; MOST] {
        let places = self.0.each_mut().map(|group| group.0.as_mut_ptr().cast::<u8>());
        for (k, (_, dtype)) in layout.inputs.iter().enumerate() {
            let size = dtype.size();
            // SAFETY: the array has `left` elements behind `whole`, and its place has room for a group.
            unsafe {
                let from = starts[k].add(whole * size);
                let last = repeated(run::read(from.add((left - 1) * size), size), size);
                let words = places[k].cast::<u64>();
                (0..(layout.group * size).div_ceil(8)).for_each(|word| words.add(word).write(last));
                if left > 1 {
                    from.copy_to_nonoverlapping(places[k], (left - 1) * size);
                }
            }
        }
        places
    }
}

/// A total that code takes all elements into.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) fold: Fold,
    pub(crate) from: DType,
    pub(crate) to: DType,
}

/// Folds `len` elements, one at least, to a total for each output of the program, as [`reduce`](reduce::reduce) does; or does
/// nothing and gives none if the arrays lie otherwise than in C order. Arrays are of one shape, the program [is
/// plain](Layout::is_plain), its outputs are all folded by code, and there are no more than [`MOST_BLOCKS`] blocks.
pub(crate) fn fold(
    program: &Program,
    inputs: &[Input<'_>],
    wholes: impl Iterator<Item = Whole> + Clone,
    len: usize,
) -> Option<[u64; MOST]> {
    let (layout, Machine::Native(native)) = (&program.layout, &program.engine) else { return None };
    let mut starts = [std::ptr::null_mut(); MOST];
    if !find(layout, inputs, &mut [], len, &mut starts) {
        return None;
    }
    let scalars = scalars_of(layout, inputs);
    let folders = || wholes.clone().map(|whole| folder(whole.fold, whole.from, whole.to)).enumerate();
    let mut accs = [Accumulators([0; _]); MOST];
    let mut blocks = [[0_u64; MOST_BLOCKS]; MOST];
    let _float_env = FloatEnv::enter();
    for (number, first) in (0..len).step_by(BLOCK).enumerate() {
        let count = BLOCK.min(len - first);
        // SAFETY: the arrays have `count` elements behind `first`; an accumulator has eight bytes at most, so there is room for
        // those of whole groups and of the last one, and in the blocks for one of each.
        unsafe {
            for (k, folder) in folders() {
                folder.reset(accs[k].0.as_mut_ptr().cast(), 2 * LANES);
            }
            let rest = taken(layout, native, &starts, &scalars, (first, count), &mut accs);
            for (k, folder) in folders() {
                let whole = accs[k].0.as_mut_ptr().cast::<u8>();
                folder.merge(whole, whole.add(LANES * folder.size()), rest);
                folder.halve(whole, 1, LANES);
                let place = blocks[k].as_mut_ptr().cast::<u8>().add(number * folder.size());
                place.copy_from_nonoverlapping(whole, folder.size());
            }
        }
    }
    let mut totals = [0; MOST];
    for (k, folder) in folders() {
        let first = blocks[k].as_mut_ptr().cast::<u8>();
        // SAFETY: there is an accumulator for each block, and room for a result of eight bytes.
        unsafe {
            reduce::tree(folder, first, len.div_ceil(BLOCK), 1);
            folder.finish(first, 1, totals.as_mut_ptr().add(k).cast());
        }
    }
    Some(totals.map(u64::from_le))
}

/// Has code take `count` elements behind `first` into accumulators; gives how many of them were in the last group, if it was not
/// full.
///
/// # Safety
/// The arrays have these elements, and there are accumulators for each output.
unsafe fn taken(
    layout: &Layout,
    native: &Native,
    starts: &[*mut u8; MOST],
    scalars: &[u64; MOST],
    (first, count): (usize, usize),
    accs: &mut [Accumulators; MOST],
) -> usize {
    let left = count & (layout.group - 1);
    let whole = count - left;
    if whole > 0 {
        let mut places = [std::ptr::null_mut(); MOST];
        for (k, (_, dtype)) in layout.inputs.iter().enumerate() {
            places[k] = starts[k].wrapping_add(first * dtype.size());
        }
        for (k, _) in layout.outputs.iter().enumerate() {
            places[layout.inputs.len() + k] = accs[k].0.as_mut_ptr().cast();
        }
        let call = run::call_of(layout, &places, scalars, whole);
        // SAFETY: the arrays have `whole` elements there, and the accumulators are those of whole groups.
        unsafe { native.call(&call) };
    }
    if left > 0 {
        let mut tail = Tail::new();
        // SAFETY: the arrays have `left` elements behind these.
        let mut places = unsafe { tail.fill(layout, starts, first + whole, left) };
        for (k, _) in layout.outputs.iter().enumerate() {
            let size = LANES * layout.outputs[k].size();
            places[layout.inputs.len() + k] = accs[k].0.as_mut_ptr().cast::<u8>().wrapping_add(size);
        }
        let call = run::call_of(layout, &places, scalars, layout.group);
        // SAFETY: there is a group of every input, and accumulators of a group behind the others.
        unsafe { native.call(&call) };
    }
    left
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

//! A program over whole arrays to totals along some of their axes: one pass, in chunks of whole blocks for threads.
//!
//! The elements that come together are numbered in C order of the reduced axes. Blocks of 4,096 are folded each by itself,
//! their results pairwise by number: whichever way the arrays lie, the same elements meet in the same order.
#![expect(unsafe_code, reason = "buffers are read and totals written through addresses")]

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::feed;
use super::float_env::FloatEnv;
use super::fold::{BLOCK, Folder, LANES, folder};
use super::pieces::{Bounds, Pieces};
use super::plan::{Placed, Plan, Strides};
use super::pool;
use super::prefix::{Scanner, scanner};
use super::program::Program;
use super::run::{self, Input, LONGEST_CHUNK, Placing, Prepared, Report, Resources, Runner, SHORTEST};
use super::stream;
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Axes, Fold};
use crate::strip::Source;
use crate::view::ViewMut;

/// One run of a program that reduces.
pub(crate) struct Reducing<'a, 'b> {
    /// As of a [`Job`](super::Job).
    pub(crate) inputs: &'a [Input<'a>],
    pub(crate) domain: &'a [usize],
    pub(crate) axes: Axes,
    /// Whether each element is what it and those before it along the only axis come to.
    pub(crate) is_scan: bool,
    /// What the first outputs of the program are written to, of the domain's shape.
    pub(crate) outputs: &'a mut [ViewMut<'b>],
    /// What the others come to.
    pub(crate) totals: &'a mut [Target<'b>],
    pub(crate) sizes: &'a [i64],
}

/// Where a total goes.
pub(crate) struct Target<'b> {
    pub(crate) fold: Fold,
    pub(crate) from: DType,
    /// Of the domain's shape; of a reduction without the reduced axes, or with one element along each.
    pub(crate) array: ViewMut<'b>,
}

/// From so many elements on a row of kept ones is cut, so that there is work for several threads.
const WIDE_TILE: usize = 2048;

/// Elements of panels that go together where no code computes them.
const LYING: usize = 4 * 1024;

/// Blocks that code folds one after another before what they come to is looked at.
const BATCH: usize = 16;

/// Bytes that the second cache likely holds: totals of a tile of rows are read again at once.
const SECOND_CACHE: usize = 1 << 20;

/// Runs `program` over the domain and folds what it computes.
///
/// Fails if the run was stopped; outputs and totals then hold unspecified but initialised values.
pub(crate) fn reduce(program: &Program, job: Reducing<'_, '_>, resources: &Resources<'_>) -> Result<Report> {
    let is_scan = job.is_scan;
    prepared(program, job, resources, |reducer| match is_scan {
        true => reducer.scan(resources),
        false => reducer.run(resources),
    })
}

/// As [`reduce`] along all axes, but for each total gives what its blocks come to, one after another, as bytes of accumulators.
pub(crate) fn blocks(
    program: &Program,
    job: Reducing<'_, '_>,
    resources: &Resources<'_>,
) -> Result<(Report, Vec<Vec<u8>>)> {
    prepared(program, job, resources, |reducer| {
        if reducer.reduced == 0 {
            return Ok((Report { threads: 1, chunks: 0 }, reducer.folds.iter().map(|_| Vec::new()).collect()));
        }
        let (report, partials) = reducer.blocks(resources, true)?;
        let count = reducer.reduced.div_ceil(BLOCK);
        let bytes = partials.iter().zip(&reducer.folds).map(|(partials, fold)| {
            let bytes = partials.iter().flat_map(|word| word.to_ne_bytes());
            bytes.take(count * fold.folder.size()).collect()
        });
        Ok((report, bytes.collect()))
    })
}

/// Bytes of an accumulator of a fold.
pub(crate) fn accumulator(fold: Fold, from: DType, to: DType) -> usize {
    folder(fold, from, to).size()
}

/// The bits of the total that blocks, as [`blocks`] gives them, come to.
pub(crate) fn total(fold: Fold, from: DType, to: DType, blocks: &[u8]) -> u64 {
    let folder = folder(fold, from, to);
    let _float_env = FloatEnv::enter();
    let count = blocks.len() / folder.size();
    let mut accs = memory(blocks.len().max(folder.size()));
    let accs = accs.as_mut_ptr().cast::<u8>();
    let mut result = 0_u64;
    if count == 0 && fold == Fold::Sum {
        return 0;
    }
    // SAFETY: there is room for as many accumulators as there are blocks, one at least; bytes of accumulators are plain
    // numbers; a result has at most eight bytes.
    unsafe {
        folder.reset(accs, 1);
        accs.copy_from_nonoverlapping(blocks.as_ptr(), count * folder.size());
        tree(folder, accs, count, 1);
        folder.finish(accs, 1, (&raw mut result).cast());
    }
    u64::from_le(result)
}

/// Folds rows of accumulators, one row for each block, into the first: neighbours first.
///
/// # Safety
/// There are `blocks` rows of `width` accumulators.
pub(super) unsafe fn tree(folder: &dyn Folder, accs: *mut u8, blocks: usize, width: usize) {
    let place = |block: usize| accs.wrapping_add(block * width * folder.size());
    let mut step = 1;
    while step < blocks {
        for block in (0..blocks - step).step_by(2 * step) {
            // SAFETY: the caller's promise.
            unsafe { folder.merge(place(block), place(block + step), width) };
        }
        step *= 2;
    }
}

/// Gives `act` all that is known of a run.
fn prepared<R>(
    program: &Program,
    job: Reducing<'_, '_>,
    resources: &Resources<'_>,
    act: impl FnOnce(&Reducer<'_>) -> Result<R>,
) -> Result<R> {
    let written: SmallVec<[*mut u8; 8]> = job.outputs.iter_mut().map(|output| output.pointer()).collect();
    let placing = Placing { inputs: job.inputs, outputs: job.outputs, written: &written, domain: job.domain };
    let arrays = |program: &Program, columns: &[u32]| {
        let layout = &program.layout;
        let read = run::columns_in(layout, columns).chain(program.read()).map(|input| placing.input(input));
        let outputs = (0..placing.outputs.len()).map(|k| placing.output(k, layout.outputs[k]));
        let kept = layout.outputs[placing.outputs.len()..].iter().map(|dtype| Placed {
            start: std::ptr::null_mut(),
            shape: &[],
            strides: &[],
            unit: dtype.size() as isize,
        });
        read.chain(outputs).chain(kept).collect::<SmallVec<[Placed<'_>; 8]>>()
    };
    let leader = arrays(program, &[])
        .into_iter()
        .zip(program.read())
        .filter(|(_, (source, _))| !matches!(source, Source::Index(_)));
    let leader = leader.map(|(array, _)| array);
    let nest = Nest::new(job.domain, job.axes, leader);
    let (program, mut plan, columns) = run::by_rows(program, job.inputs, nest.inner.is_empty(), |program, columns| {
        let arrays = arrays(program, columns).into_iter();
        Plan::nested(job.domain, &[&nest.outer, &nest.reduced, &nest.inner], arrays)
    });
    let layout = &program.layout;
    let scalars = run::scalars_of(layout, &columns, job.inputs, job.sizes);
    let of_feeds = feed::split(program, &mut plan);
    let given = feed::given(program, job.inputs, job.sizes);
    let feeds = feed::prepared(program, &given, resources);
    let reduced_axes = if job.is_scan { Axes::default() } else { job.axes };
    let strides: SmallVec<[Strides; 4]> =
        job.totals.iter().map(|total| strides_of(&total.array, job.domain.len(), reduced_axes)).collect();
    let places: SmallVec<[*mut u8; 4]> = job.totals.iter_mut().map(|total| total.array.pointer()).collect();
    let placed = |k: usize| Placed {
        start: places[k],
        shape: job.domain,
        strides: &strides[k],
        unit: job.totals[k].array.dtype().size() as isize,
    };
    let totals = (0..places.len()).map(placed);
    let kept = match job.is_scan {
        true => Plan::nested(job.domain, &[&nest.outer, &nest.reduced, &nest.inner], totals),
        false => {
            let axes: SmallVec<[usize; 8]> = nest.outer.iter().chain(&nest.inner).copied().collect();
            Plan::nested(job.domain, &[&axes], totals)
        }
    };
    let by_code = &layout.folds[job.outputs.len()..];
    let folds = job.totals.iter().zip(by_code).zip(&kept.walks).map(|((total, by_code), walk)| {
        let (from, to) = (total.from, total.array.dtype());
        // Extremes of bools are led on as those of bytes.
        let as_bytes = job.is_scan && from == DType::Bool && matches!(total.fold, Fold::Min | Fold::Max);
        let from = if as_bytes { DType::U8 } else { from };
        let folder = folder(total.fold, from, to);
        let streamed = walk.dense && total.array.len().saturating_mul(to.size()) > resources.cache.max(SECOND_CACHE);
        let scanner = if job.is_scan { scanner(total.fold, from) } else { None };
        Folding { folder, scanner, fold: total.fold, by_code: *by_code, streamed, from: from.size(), to: to.size() }
    });
    let extent = |axes: &[usize]| axes.iter().map(|axis| job.domain[*axis]).product::<usize>();
    let in_place = |k: usize| job.inputs.iter().any(|input| matches!(input, Input::InPlace(output) if *output == k));
    let streamed: SmallVec<[bool; 8]> = (0..job.outputs.len())
        .map(|k| plan.len.saturating_mul(layout.outputs[k].size()) > resources.cache && !in_place(k))
        .collect();
    let wholes = run::wholes(layout, job.inputs);
    let repeats = resources.repeats(layout, job.inputs);
    let is_in_place = run::is_in_place(job.inputs);
    let (scalars, columns, wholes, streamed) = (&scalars[..], &columns[..], &wholes[..], &streamed[..]);
    let run = Prepared { program, feeds: &feeds, scalars, columns, wholes, streamed, resources, repeats, is_in_place };
    let mut runner = Runner::new(run, &plan);
    runner.feed_by(&of_feeds);
    let reducer = Reducer {
        runner,
        program,
        kept: &kept,
        folds: folds.collect(),
        first: job.outputs.len(),
        outer: extent(&nest.outer),
        reduced: extent(&nest.reduced),
        inner: extent(&nest.inner),
    };
    act(&reducer)
}

/// The strides of a total along the axes of the domain: 0 along the reduced ones.
fn strides_of(array: &ViewMut<'_>, rank: usize, axes: Axes) -> Strides {
    let keeps = array.rank() == rank;
    let mut own = array.strides().iter();
    let stride = |axis: usize| {
        let is_reduced = axes.contains(axis);
        let stride = if is_reduced && !keeps { None } else { own.next() };
        stride.filter(|_| !is_reduced).copied().unwrap_or(0)
    };
    (0..rank).map(stride).collect()
}

/// The order in which axes are walked, slowest first.
struct Nest {
    outer: SmallVec<[usize; 8]>,
    /// In C order.
    reduced: SmallVec<[usize; 8]>,
    /// Kept axes along which memory lies closer than along any reduced one.
    inner: SmallVec<[usize; 8]>,
}

impl Nest {
    /// The array with the most bytes decides.
    fn new<'a>(domain: &[usize], axes: Axes, arrays: impl Iterator<Item = Placed<'a>>) -> Nest {
        let rank = domain.len();
        let stride = |array: &Placed<'_>, axis: usize| match (axis + array.shape.len()).checked_sub(rank) {
            Some(own) if array.shape[own] > 1 => array.strides[own].unsigned_abs(),
            _ => 0,
        };
        let bytes = |array: &Placed<'_>| {
            let extents = (0..rank).filter(|axis| stride(array, *axis) > 0).map(|axis| domain[axis] as u128);
            extents.product::<u128>() * array.unit as u128
        };
        // The first of those with the most.
        let leader = arrays.fold(None, |leader: Option<Placed<'_>>, array| match leader {
            Some(leader) if bytes(&leader) >= bytes(&array) => Some(leader),
            _ => Some(array),
        });
        let (reduced, mut kept): (SmallVec<[usize; 8]>, SmallVec<[usize; 8]>) =
            (0..rank).partition(|axis| axes.contains(*axis));
        let Some(leader) = leader else { return Nest { outer: kept, reduced, inner: SmallVec::new() } };
        let closest = reduced.iter().map(|axis| stride(&leader, *axis)).filter(|stride| *stride > 0).min();
        kept.sort_by_key(|axis| std::cmp::Reverse(stride(&leader, *axis)));
        let is_inner = |axis: &usize| {
            stride(&leader, *axis) > 0 && closest.is_some_and(|closest| stride(&leader, *axis) < closest)
        };
        let (inner, outer) = kept.into_iter().partition(is_inner);
        Nest { outer, reduced, inner }
    }
}

/// How the elements of one output are folded.
pub(super) struct Folding {
    pub(super) folder: &'static dyn Folder,
    /// If it is a scan.
    scanner: Option<&'static dyn Scanner>,
    fold: Fold,
    /// Whether code has accumulators of its own for whole groups.
    by_code: bool,
    /// Whether totals are written past the caches, which could not hold them.
    pub(super) streamed: bool,
    /// Bytes of an element, and of a total.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Folding {
    pub(super) fn scanner(&self) -> &'static dyn Scanner {
        self.scanner.expect("a scan is of sums, products or extremes")
    }
}

/// A run whose elements are numbered outer, reduced, inner, the last one fastest.
pub(super) struct Reducer<'a> {
    pub(super) runner: Runner<'a>,
    program: &'a Program,
    /// The axes of the totals in the same order, and where they lie.
    pub(super) kept: &'a Plan,
    pub(super) folds: SmallVec<[Folding; 4]>,
    /// The output of the program that the first of `folds` takes.
    pub(super) first: usize,
    pub(super) outer: usize,
    pub(super) reduced: usize,
    pub(super) inner: usize,
}

/// Memory of one chunk: what the code uses, accumulators and results for each fold.
struct Scratch {
    buffers: Vec<u128>,
    accs: SmallVec<[Vec<u128>; 4]>,
    results: Vec<u128>,
}

/// Memory that threads write disjoint parts of.
pub(super) struct Shared(pub(super) *mut u8);

// SAFETY: each part is one thread's alone.
unsafe impl Sync for Shared {}

// SAFETY: as of the runner: addresses are of views that outlive the run, and threads write disjoint elements.
unsafe impl Sync for Reducer<'_> {}

pub(super) fn memory(bytes: usize) -> Vec<u128> {
    vec![0; bytes.div_ceil(size_of::<u128>())]
}

/// As [`memory`], for what grows with the arrays: fails if there is not enough.
pub(super) fn large_memory(bytes: usize) -> Result<Vec<u128>> {
    let (mut memory, words) = (Vec::new(), bytes.div_ceil(size_of::<u128>()));
    if memory.try_reserve_exact(words).is_err() {
        let message = format!("there is no memory for {bytes} bytes between the passes of a reduction");
        return Err(Error::new(ErrorKind::Limit, "out-of-memory", message));
    }
    memory.resize(words, 0);
    Ok(memory)
}

/// Fails if the run was stopped.
pub(super) fn ended(stopped: &AtomicBool, resources: &Resources<'_>) -> Result<()> {
    if stopped.load(Ordering::Relaxed) {
        resources.stop.check()?;
    }
    resources.stop.check_whole()
}

impl Reducer<'_> {
    fn run(&self, resources: &Resources<'_>) -> Result<Report> {
        if self.outer * self.inner == 0 {
            return Ok(Report { threads: 1, chunks: 0 });
        }
        if self.reduced == 0 {
            self.nothing();
            return Ok(Report { threads: 1, chunks: 0 });
        }
        let panel = self.reduced * self.inner;
        if panel <= self.runner.strip && self.reduced <= BLOCK && !self.folds.iter().any(|fold| fold.by_code) {
            return self.chunks(self.outer, panel, resources, &|from, to| {
                let lies = |k| self.runner.lying(self.first + k, from * panel, (to - from) * panel).is_some();
                let is_lying = self.first == 0 && (0..self.folds.len()).all(lies);
                let at_once = if is_lying { LYING.max(panel) } else { self.runner.strip } / panel;
                let mut scratch = self.scratch(LANES * self.inner, at_once * self.inner, !is_lying);
                for at in (from..to).step_by(at_once) {
                    self.panels(at, at_once.min(to - at), &mut scratch);
                }
                true
            });
        }
        Ok(self.blocks(resources, false)?.0)
    }

    /// Calls `body` with ranges of `items`, each of about `len` elements, on as many threads as pay; false is that it stopped.
    pub(super) fn chunks(
        &self,
        items: usize,
        len: usize,
        resources: &Resources<'_>,
        body: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<Report> {
        let layout = &self.program.layout;
        let helpers = self.helpers(items, len).min(resources.pool.threads() - 1);
        let longest = resources.chunk.min(layout.thread_len.saturating_mul(LONGEST_CHUNK));
        let least = (layout.thread_len / SHORTEST).div_ceil(len);
        let pieces = Pieces::new(items, helpers + 1, &Bounds { unit: 1, least, most: longest.div_ceil(len) });
        let chunks = pieces.count();
        let stopped = AtomicBool::new(false);
        let one = |k: usize| {
            let Range { start, end } = pieces.range(k);
            if resources.stop.poll().is_break() || start < end && !body(start, end) {
                stopped.store(true, Ordering::Relaxed);
                return ControlFlow::Break(());
            }
            self.fence();
            ControlFlow::Continue(())
        };
        let threads = pool::run(resources.pool, chunks, helpers.min(chunks - 1), &one);
        ended(&stopped, resources)?;
        Ok(Report { threads, chunks })
    }

    /// How many threads beside the first pay for `items` of about `len` elements.
    pub(super) fn helpers(&self, items: usize, len: usize) -> usize {
        items.saturating_mul(len) / self.program.layout.thread_len
    }

    /// As the runner's, for totals too.
    pub(super) fn fence(&self) {
        self.runner.fence();
        if self.folds.iter().any(|fold| fold.streamed) {
            stream::fence();
        }
    }

    /// With `computes` for code's buffers.
    fn scratch(&self, accs: usize, results: usize, computes: bool) -> Scratch {
        // What the code uses is aligned as a vector is, by itself.
        let buffers = memory(if computes { self.runner.buffers + 64 } else { 0 });
        let accs = self.folds.iter().map(|fold| memory(accs * fold.folder.size())).collect();
        Scratch { buffers, accs, results: memory(results * size_of::<u64>()) }
    }

    /// The totals of no elements.
    fn nothing(&self) {
        for (k, fold) in self.folds.iter().enumerate() {
            let (mut acc, mut result) = (memory(fold.folder.size()), [0_u128]);
            let result = result.as_mut_ptr().cast::<u8>();
            // The sum of nothing is +0, though accumulators of sums begin with -0.
            if fold.fold != Fold::Sum {
                // SAFETY: there is room for one accumulator and one result.
                unsafe {
                    fold.folder.reset(acc.as_mut_ptr().cast(), 1);
                    fold.folder.finish(acc.as_ptr().cast(), 1, result);
                }
            }
            (0..self.outer * self.inner).for_each(|at| self.write(k, at, 1, result));
        }
    }

    /// Where `count` elements from `at` on of each fold are: in the array that they come from, else computed to a buffer.
    pub(super) fn elements(&self, at: usize, count: usize, buffers: &mut [u128]) -> SmallVec<[*const u8; 4]> {
        let buffers = aligned(buffers);
        let lying: SmallVec<[Option<*const u8>; 4]> =
            (0..self.folds.len()).map(|k| self.runner.lying(self.first + k, at, count)).collect();
        if self.first > 0 || lying.iter().any(Option::is_none) {
            self.runner.evaluate(at, count, 0, buffers);
        }
        let place = |(k, lying): (usize, Option<*const u8>)| lying.unwrap_or(self.runner.kept(self.first + k, buffers));
        lying.into_iter().enumerate().map(place).collect()
    }

    /// Where totals go from number `at` on, if they lie without gaps and stay in the caches.
    pub(super) fn lies(&self, k: usize, at: usize) -> Option<*mut u8> {
        let walk = &self.kept.walks[k];
        (walk.dense && !self.folds[k].streamed).then(|| self.kept.address(walk, at))
    }

    /// Writes totals to their places from number `at` on.
    pub(super) fn write(&self, k: usize, at: usize, count: usize, results: *const u8) {
        let (walk, size) = (&self.kept.walks[k], self.folds[k].to);
        if self.folds[k].streamed {
            // SAFETY: without gaps `count` totals follow, and as many results are there.
            return unsafe { stream::copy(results, self.kept.address(walk, at), count * size) };
        }
        self.kept.rows(walk, at, count, |start, done, row| {
            // SAFETY: the plan stays within the total's array, and `count` results are there.
            unsafe { run::scatter(results.wrapping_add(done * size), start, self.kept.step(walk), size, row) };
        });
    }

    /// Domains of one block at most, `count` of them from number `at` on, which fit a strip together.
    fn panels(&self, at: usize, count: usize, scratch: &mut Scratch) {
        let (panel, inner) = (self.reduced * self.inner, self.inner);
        let places = self.elements(at * panel, count * panel, &mut scratch.buffers);
        for (k, fold) in self.folds.iter().enumerate() {
            let (elements, accs) = (places[k], scratch.accs[k].as_mut_ptr().cast::<u8>());
            let lies = self.lies(k, at * inner);
            let results = lies.unwrap_or(scratch.results.as_mut_ptr().cast());
            // SAFETY: `count` panels of elements are there; accumulators and results have room for what `run` says.
            unsafe {
                if inner == 1 {
                    fold.folder.rows(elements, self.reduced, count, results);
                } else if !fold.folder.columns(elements, self.reduced, inner, count, results) {
                    for one in 0..count {
                        let rows = self.reduced.min(LANES);
                        fold.folder.reset(accs, rows * inner);
                        fold.folder.across(accs, elements.add(one * panel * fold.from), inner, 0, self.reduced);
                        fold.folder.halve(accs, inner, rows);
                        fold.folder.finish(accs, inner, results.add(one * inner * fold.to));
                    }
                }
            }
            if lies.is_none() {
                self.write(k, at * inner, count * inner, results);
            }
        }
    }

    /// Blocks, tile by tile of the kept elements; their results are folded behind, or given if asked.
    fn blocks(&self, resources: &Resources<'_>, gives: bool) -> Result<(Report, SmallVec<[Vec<u128>; 4]>)> {
        let blocks = self.reduced.div_ceil(BLOCK);
        let rows = self.reduced.min(BLOCK);
        let width = (resources.chunk / rows).max(WIDE_TILE).min(self.runner.strip);
        let width = if self.inner <= width + width / 2 { self.inner.min(self.runner.strip) } else { width };
        let tiles = self.inner.div_ceil(width);
        let total = self.outer * blocks * self.inner;
        let mut partials: SmallVec<[Vec<u128>; 4]> = SmallVec::new();
        if blocks > 1 || gives {
            let memory = self.folds.iter().map(|fold| large_memory(total.saturating_mul(fold.folder.size())));
            partials = memory.collect::<Result<_>>()?;
        }
        let shared: SmallVec<[Shared; 4]> = partials.iter_mut().map(|all| Shared(all.as_mut_ptr().cast())).collect();
        let is_by_code = self.folds.iter().all(|fold| fold.by_code);
        let report = self.chunks(self.outer * blocks * tiles, rows * width, resources, &|from, to| {
            let from = if is_by_code { self.whole_blocks(from, to, &shared) } else { from };
            if from == to {
                return true;
            }
            let mut scratch = self.scratch(LANES * width, width, true);
            for item in from..to {
                let (tile, block, outer) = (item % tiles, item / tiles % blocks, item / tiles / blocks);
                let block = Block {
                    outer,
                    rows: block * BLOCK..self.reduced.min((block + 1) * BLOCK),
                    columns: tile * width..self.inner.min((tile + 1) * width),
                };
                match is_by_code {
                    true => self.block_by_code(&block.rows, &mut scratch),
                    false => self.block(&block, &mut scratch),
                }
                let count = block.columns.len();
                for (k, fold) in self.folds.iter().enumerate() {
                    let accs = scratch.accs[k].as_ptr().cast::<u8>();
                    // SAFETY: a block has its own place among the partial results, and there is room for the results of one.
                    unsafe {
                        if let Some(all) = shared.get(k) {
                            let place = (outer * blocks + block.rows.start / BLOCK) * self.inner + block.columns.start;
                            let size = fold.folder.size();
                            accs.copy_to_nonoverlapping(all.0.add(place * size), count * size);
                        } else {
                            let results = scratch.results.as_mut_ptr().cast::<u8>();
                            fold.folder.finish(accs, count, results);
                            self.write(k, outer * self.inner + block.columns.start, count, results);
                        }
                    }
                }
            }
            true
        })?;
        if !gives {
            partials.iter_mut().enumerate().for_each(|(k, partials)| self.combine(k, blocks, partials));
            self.fence();
        }
        Ok((report, partials))
    }

    /// Folds the results of blocks, neighbours first.
    fn combine(&self, k: usize, blocks: usize, partials: &mut [u128]) {
        let (folder, inner) = (self.folds[k].folder, self.inner);
        let _float_env = FloatEnv::enter();
        let mut results = memory(inner * size_of::<u64>());
        let results = results.as_mut_ptr().cast::<u8>();
        for outer in 0..self.outer {
            let first = partials.as_mut_ptr().cast::<u8>().wrapping_add(outer * blocks * inner * folder.size());
            // SAFETY: there are results of `blocks` blocks, `inner` of each, and room for as many totals.
            unsafe {
                tree(folder, first, blocks, inner);
                folder.finish(first, inner, results);
            }
            self.write(k, outer * inner, inner, results);
        }
    }

    /// Folds one block for each of some kept elements into the first accumulators.
    fn block(&self, block: &Block, scratch: &mut Scratch) {
        let width = block.columns.len();
        for (fold, accs) in self.folds.iter().zip(&mut scratch.accs) {
            // SAFETY: there is room for sixteen rows of accumulators.
            unsafe { fold.folder.reset(accs.as_mut_ptr().cast(), LANES * width) };
        }
        self.reset_code(aligned(&mut scratch.buffers));
        // Rows that follow one another are computed together.
        let at = |row: usize| (block.outer * self.reduced + row) * self.inner + block.columns.start;
        let lies = |k| {
            let (at, rows) = (at(block.rows.start), block.rows.len());
            self.runner.lying_rows(self.first + k, at, rows, width, self.inner).is_some()
        };
        let at_once = match width == self.inner {
            true if self.first == 0 && (0..self.folds.len()).all(lies) => block.rows.len(),
            true => (self.runner.strip / width).max(1),
            false => 1,
        };
        for row in block.rows.clone().step_by(at_once) {
            let rows = at_once.min(block.rows.end - row);
            let places = self.elements(at(row), rows * width, &mut scratch.buffers);
            for (k, (fold, accs)) in self.folds.iter().zip(&mut scratch.accs).enumerate() {
                if !fold.by_code {
                    let accs = accs.as_mut_ptr().cast();
                    // SAFETY: the place has `rows` rows of `width` elements; there are sixteen rows of accumulators.
                    unsafe {
                        match width {
                            1 => fold.folder.along(accs, places[k], rows, row),
                            _ => fold.folder.across(accs, places[k], width, row, rows),
                        }
                    }
                }
            }
        }
        for (fold, accs) in self.folds.iter().zip(&mut scratch.accs).filter(|(fold, _)| !fold.by_code) {
            // SAFETY: as above.
            unsafe { fold.folder.halve(accs.as_mut_ptr().cast(), width, LANES) };
        }
        self.take_from_code(block.rows.len() % LANES, scratch);
    }

    /// As [`block`](Reducer::block), where all accumulators are code's: of all elements, one block after another.
    fn block_by_code(&self, rows: &Range<usize>, scratch: &mut Scratch) {
        let buffers = aligned(&mut scratch.buffers);
        self.reset_code(buffers);
        for at in rows.clone().step_by(self.runner.strip) {
            self.runner.evaluate(at, self.runner.strip.min(rows.end - at), 0, buffers);
        }
        // What comes next is on its way while this is folded.
        self.runner.prefetch(rows.end);
        self.take_from_code(rows.len() % LANES, scratch);
    }

    /// Folds blocks `from..to` as far as they are whole, where all accumulators are code's and it reaches the arrays itself: gives the first
    /// block that is left. What they come to goes to their places in `partials`.
    fn whole_blocks(&self, from: usize, to: usize, partials: &[Shared]) -> usize {
        let whole = to.min(self.reduced / BLOCK);
        if partials.is_empty() || whole <= from || !self.runner.folds_in_place() {
            return from;
        }
        let sizes = || self.folds.iter().map(|fold| fold.folder.size());
        let mut accs: SmallVec<[Vec<u128>; 4]> = sizes().map(|size| memory(BATCH * LANES * size + 64)).collect();
        let places: SmallVec<[*mut u8; 4]> = accs.iter_mut().map(|accs| aligned(accs)).collect();
        let steps: SmallVec<[usize; 4]> = sizes().map(|size| LANES * size).collect();
        for first in (from..whole).step_by(BATCH) {
            let count = BATCH.min(whole - first);
            for (fold, accs) in self.folds.iter().zip(&places) {
                // SAFETY: there is room for the accumulators of a batch.
                unsafe { fold.folder.reset(*accs, count * LANES) };
            }
            // SAFETY: as above.
            unsafe { self.runner.fold_blocks(first * BLOCK, BLOCK, count, &places, &steps) };
            for ((fold, accs), all) in self.folds.iter().zip(&places).zip(partials) {
                let (folder, size) = (fold.folder, fold.folder.size());
                for block in 0..count {
                    let accs = accs.wrapping_add(block * LANES * size);
                    // SAFETY: code has left sixteen accumulators there; each block has its own place among the partial results.
                    unsafe {
                        folder.halve_one(accs);
                        all.0.add((first + block) * size).copy_from_nonoverlapping(accs, size);
                    }
                }
            }
        }
        whole
    }

    /// The accumulators that code has, of no elements: those of whole groups, and behind them those of the last one.
    fn reset_code(&self, buffers: *mut u8) {
        for (k, fold) in self.folds.iter().enumerate().filter(|(_, fold)| fold.by_code) {
            // SAFETY: the buffer has room for both.
            unsafe { fold.folder.reset(self.runner.kept(self.first + k, buffers), 2 * LANES) };
        }
    }

    /// What the accumulators come to that code has left. Of the last group the first `rest` are of elements; what is taken into
    /// nothing is as it was, so that merging is taking.
    fn take_from_code(&self, rest: usize, scratch: &mut Scratch) {
        let buffers = aligned(&mut scratch.buffers);
        for (k, (fold, accs)) in self.folds.iter().zip(&mut scratch.accs).enumerate() {
            let (folder, whole) = (fold.folder, self.runner.kept(self.first + k, buffers));
            if !fold.by_code {
                continue;
            }
            // SAFETY: code has written both; there is room for one.
            unsafe {
                folder.merge(whole, whole.add(LANES * folder.size()), rest);
                folder.halve(whole, 1, LANES);
                accs.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(whole, folder.size());
            }
        }
    }
}

/// One block of reduced elements for each of some inner ones.
struct Block {
    outer: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// The first place in the buffers that a line of the cache begins at.
pub(super) fn aligned(buffers: &mut [u128]) -> *mut u8 {
    let start = buffers.as_mut_ptr().cast::<u8>();
    start.wrapping_add(start.align_offset(64))
}

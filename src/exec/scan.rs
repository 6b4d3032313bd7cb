//! Elements to running totals: chunk after chunk, each of which waits for the state that the one before it leaves.
//!
//! A thread that finds that state computes and writes at once. One that does not folds its blocks first, hands the state
//! on as soon as it comes, and then computes its elements again, which are still in a cache. The order of operations is the
//! same either way.
#![expect(unsafe_code, reason = "states of chunks are reached by address")]

use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::fold::{BLOCK, LANES};
use super::reduce::{Reducer, Shared, aligned, large_memory, memory};
use super::run::{Report, Resources};
use crate::error::Result;

/// Columns that are led on together at most.
const WIDTH: usize = 128;

/// How the axis and the columns are cut.
struct Cut {
    width: usize,
    /// Rows of a chunk: whole blocks.
    rows: usize,
    /// Along one line of chunks.
    chunks: usize,
}

/// Memory of one chunk.
struct Scratch {
    buffers: Vec<u128>,
    lanes: Vec<u128>,
    results: Vec<u128>,
    /// Of each fold the state, and what each block comes to.
    states: SmallVec<[Vec<u128>; 4]>,
    blocks: SmallVec<[Vec<u128>; 4]>,
}

/// What chunks leave to the next.
struct Left {
    /// Of each fold two rows of accumulators for each chunk.
    states: SmallVec<[Shared; 4]>,
    is_there: Vec<AtomicBool>,
}

/// One chunk of some columns.
struct Part {
    /// Its number among all.
    item: usize,
    is_first: bool,
    outer: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

impl Reducer<'_> {
    pub(super) fn scan(&self, resources: &Resources<'_>) -> Result<Report> {
        if self.outer * self.reduced * self.inner == 0 {
            return Ok(Report { threads: 1, chunks: 0 });
        }
        if self.inner == 1 && 2 * self.reduced <= self.runner.strip && self.reduced <= BLOCK {
            return self.short_lines(resources);
        }
        // A strip has room for sixteen rows.
        let width = self.inner.min(WIDTH).min(self.runner.strip / LANES).max(1);
        let rows = (resources.chunk / width / BLOCK).max(1) * BLOCK;
        let (tiles, chunks) = (self.inner.div_ceil(width), self.reduced.div_ceil(rows));
        let cut = Cut { width, rows, chunks };
        let items = self.outer * tiles * chunks;
        let kept = if chunks > 1 { items } else { 0 };
        let states = self.folds.iter().map(|fold| large_memory(kept * 2 * width * fold.folder.size()));
        let mut states = states.collect::<Result<SmallVec<[Vec<u128>; 4]>>>()?;
        let left = Left {
            states: states.iter_mut().map(|states| Shared(states.as_mut_ptr().cast())).collect(),
            is_there: (0..kept).map(|_| AtomicBool::new(false)).collect(),
        };
        self.chunks(items, rows.min(self.reduced) * width, resources, &|from, to| {
            let mut scratch = self.scan_scratch(&cut);
            (from..to).all(|item| {
                let (chunk, tile, outer) = (item % chunks, item / chunks % tiles, item / chunks / tiles);
                let part = Part {
                    item,
                    is_first: chunk == 0,
                    outer,
                    rows: chunk * rows..self.reduced.min((chunk + 1) * rows),
                    columns: tile * width..self.inner.min((tile + 1) * width),
                };
                self.part(&part, &cut, &left, &mut scratch, resources)
            })
        })
    }

    /// Lines of a block at most, as many as fit a strip together.
    fn short_lines(&self, resources: &Resources<'_>) -> Result<Report> {
        let len = self.reduced;
        let at_once = self.runner.strip / len;
        self.chunks(self.outer, len, resources, &|from, to| {
            let mut scratch = self.scan_scratch(&Cut { width: 1, rows: BLOCK, chunks: 1 });
            for at in (from..to).step_by(at_once) {
                let lines = at_once.min(to - at);
                let places = self.elements(at * len, lines * len, &mut scratch.buffers);
                for (k, fold) in self.folds.iter().enumerate() {
                    let (state, lanes) = (scratch.states[k].as_mut_ptr().cast(), scratch.lanes.as_mut_ptr().cast());
                    let lies = self.lies(k, at * len);
                    let results = lies.unwrap_or(scratch.results.as_mut_ptr().cast());
                    for line in 0..lines {
                        let (elements, results) = (line * len * fold.from, results.wrapping_add(line * len * fold.to));
                        // SAFETY: the elements of the lines are there, and room for what comes of them.
                        unsafe {
                            fold.folder.reset(state, 2);
                            fold.folder.scan(places[k].add(elements), (len, 1), 0, state, lanes, results);
                        }
                    }
                    if lies.is_none() {
                        self.write(k, at * len, lines * len, results);
                    }
                }
            }
            true
        })
    }

    fn scan_scratch(&self, cut: &Cut) -> Scratch {
        let size = self.folds.iter().map(|fold| fold.folder.size()).max().unwrap_or(0);
        let rows = |rows: usize| self.folds.iter().map(|fold| memory(rows * cut.width * fold.folder.size())).collect();
        Scratch {
            buffers: memory(self.runner.buffers + 64),
            lanes: memory(LANES * cut.width * size),
            results: memory(self.runner.strip.max(LANES * cut.width) * size_of::<u64>()),
            states: rows(2),
            blocks: rows(cut.rows / BLOCK),
        }
    }

    /// Computes and writes one chunk; gives false if the run is stopped.
    fn part(&self, part: &Part, cut: &Cut, left: &Left, scratch: &mut Scratch, resources: &Resources<'_>) -> bool {
        let width = part.columns.len();
        let is_there = |item: usize| left.is_there[item].load(Ordering::Acquire);
        let is_known = part.is_first || is_there(part.item - 1);
        if !is_known {
            self.fold_blocks(part, scratch);
            while !is_there(part.item - 1) {
                // The chunk before was taken before, by a thread that runs.
                if resources.stop.poll().is_break() {
                    return false;
                }
                std::thread::yield_now();
            }
        }
        for (k, fold) in self.folds.iter().enumerate() {
            let (state, bytes) = (scratch.states[k].as_mut_ptr().cast::<u8>(), 2 * width * fold.folder.size());
            // SAFETY: what is there was written by the chunk before, and is not written again.
            unsafe {
                match part.is_first {
                    true => fold.folder.reset(state, 2 * width),
                    false => self.state(left, k, part.item - 1, cut).copy_to_nonoverlapping(state, bytes),
                }
            }
        }
        if !is_known {
            self.hand_on(part, cut, left, scratch);
        }
        self.lead(part.rows.clone(), part, scratch, true);
        if is_known && cut.chunks > 1 {
            for (k, fold) in self.folds.iter().enumerate() {
                let (state, bytes) = (scratch.states[k].as_ptr().cast::<u8>(), 2 * width * fold.folder.size());
                // SAFETY: the place is this chunk's, and nobody reads it before it is said to be there.
                unsafe { state.copy_to_nonoverlapping(self.state(left, k, part.item, cut), bytes) };
            }
            left.is_there[part.item].store(true, Ordering::Release);
        }
        true
    }

    /// Where a chunk leaves its state.
    fn state(&self, left: &Left, k: usize, item: usize, cut: &Cut) -> *mut u8 {
        left.states[k].0.wrapping_add(item * 2 * cut.width * self.folds[k].folder.size())
    }

    /// What each block of the chunk comes to by itself.
    fn fold_blocks(&self, part: &Part, scratch: &mut Scratch) {
        let width = part.columns.len();
        for (number, row) in part.rows.clone().step_by(BLOCK).enumerate() {
            for (k, fold) in self.folds.iter().enumerate() {
                // SAFETY: there is room for two rows.
                unsafe { fold.folder.reset(scratch.states[k].as_mut_ptr().cast(), 2 * width) };
            }
            self.lead(row..part.rows.end.min(row + BLOCK), part, scratch, false);
            for (k, fold) in self.folds.iter().enumerate() {
                let row = width * fold.folder.size();
                let (state, blocks) = (scratch.states[k].as_ptr(), scratch.blocks[k].as_mut_ptr());
                // SAFETY: the second row of the state is the block's; there is room for each block of a chunk.
                unsafe {
                    state.cast::<u8>().add(row).copy_to_nonoverlapping(blocks.cast::<u8>().add(number * row), row)
                };
            }
        }
    }

    /// Leaves the state behind the chunk to the next one, made of the one before and of what the blocks come to.
    fn hand_on(&self, part: &Part, cut: &Cut, left: &Left, scratch: &Scratch) {
        let width = part.columns.len();
        for (k, fold) in self.folds.iter().enumerate() {
            let (folder, row) = (fold.folder, width * fold.folder.size());
            let to = self.state(left, k, part.item, cut);
            // SAFETY: the place is this chunk's; blocks and states have rows of `width`.
            unsafe {
                scratch.states[k].as_ptr().cast::<u8>().copy_to_nonoverlapping(to, 2 * row);
                for number in 0..part.rows.len().div_ceil(BLOCK) {
                    folder.merge(to, to.add(row), width);
                    let block = scratch.blocks[k].as_ptr().cast::<u8>().add(number * row);
                    block.copy_to_nonoverlapping(to.add(row), row);
                }
            }
        }
        left.is_there[part.item].store(true, Ordering::Release);
    }

    /// Leads the states on over some rows, and writes what each element comes to if asked.
    fn lead(&self, rows: std::ops::Range<usize>, part: &Part, scratch: &mut Scratch, writes: bool) {
        let width = part.columns.len();
        let buffers = aligned(&mut scratch.buffers);
        let at_once = (self.runner.strip / width / LANES * LANES).max(LANES);
        for row in rows.clone().step_by(at_once) {
            let count = at_once.min(rows.end - row);
            let at = |row: usize| (part.outer * self.reduced + row) * self.inner + part.columns.start;
            let is_whole = width == self.inner;
            let lying: SmallVec<[Option<*const u8>; 4]> = (0..self.folds.len())
                .map(|k| if is_whole { self.runner.lying(self.first + k, at(row), count * width) } else { None })
                .collect();
            if is_whole {
                if lying.iter().any(Option::is_none) {
                    self.runner.evaluate(at(row), count * width, 0, buffers);
                }
            } else {
                (0..count).for_each(|k| self.runner.evaluate(at(row + k), width, k * width, buffers));
            }
            for (k, fold) in self.folds.iter().enumerate() {
                let elements = lying[k].unwrap_or(self.runner.kept(self.first + k, buffers));
                let (state, lanes) = (scratch.states[k].as_mut_ptr().cast(), scratch.lanes.as_mut_ptr().cast());
                let results = scratch.results.as_mut_ptr().cast::<u8>();
                let lies = if is_whole { self.lies(k, at(row)) } else { None };
                let results = lies.unwrap_or(results);
                let place = if writes { results } else { std::ptr::null_mut() };
                // SAFETY: the elements are there, and room for what comes of them.
                unsafe { fold.folder.scan(elements, (count, width), row, state, lanes, place) };
                if !writes || lies.is_some() {
                    continue;
                }
                if is_whole {
                    self.write(k, at(row), count * width, results);
                } else {
                    let result = |one: usize| results.wrapping_add(one * width * fold.to);
                    (0..count).for_each(|one| self.write(k, at(row + one), width, result(one)));
                }
            }
        }
    }
}

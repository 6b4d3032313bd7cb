//! Elements to running totals: lines by themselves where there are many, else chunk after chunk of a line, each of which waits for
//! the state that the one before it leaves.
//!
//! A chunk that finds that state leads it over its elements at once. One that does not folds its blocks first, hands the state on
//! as soon as that before it is there, and then leads it over the same elements again, which are still in a cache. The order of
//! operations is the same either way.
#![expect(unsafe_code, reason = "states of chunks are reached by address")]

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::fold::{BLOCK, LANES};
use super::prefix::{Rows, Writes};
use super::reduce::{Reducer, Shared, aligned, large_memory, memory};
use super::run::{Report, Resources};
use crate::error::Result;

/// Columns that are led on together at most.
const WIDTH: usize = 128;

/// From so many lines for each thread on, threads take whole lines.
const LINES_A_THREAD: usize = 4;

/// How often a chunk looks for the state before it until it lets other threads go first.
const LOOKS: usize = 1000;

/// How the axis and the columns are cut.
struct Cut {
    width: usize,
    /// Of the columns, each of which is a line.
    tiles: usize,
    /// Rows of a chunk: whole blocks.
    rows: usize,
    /// Along one line.
    chunks: usize,
}

/// Memory of one thread.
struct Scratch {
    buffers: Vec<u128>,
    results: Vec<u128>,
    /// Of each fold the state, and what each block of a chunk comes to.
    states: SmallVec<[Vec<u128>; 4]>,
    blocks: SmallVec<[Vec<u128>; 4]>,
    /// Elements of a chunk.
    most: usize,
    /// Of each fold room for them, if they are computed and asked for twice.
    elements: SmallVec<[Vec<u128>; 4]>,
}

/// What chunks leave to the next.
struct Left {
    /// Of each fold two rows of accumulators for each chunk.
    states: SmallVec<[Shared; 4]>,
    is_there: Vec<AtomicBool>,
}

/// One chunk of some columns.
struct Part {
    outer: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// How often the elements of a chunk are led over.
#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Only,
    /// Nothing is written, but elements are kept if they are computed.
    First,
    Second,
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
        let widest = WIDTH.min(self.runner.strip / LANES).max(1);
        let tiles = self.inner.div_ceil(widest);
        let width = self.inner.div_ceil(tiles).next_multiple_of(8).min(self.inner).min(widest);
        let rows = (resources.chunk / width / BLOCK).max(1) * BLOCK;
        let cut = Cut { width, tiles: self.inner.div_ceil(width), rows, chunks: self.reduced.div_ceil(rows) };
        let (lines, threads) = (self.outer * cut.tiles, resources.pool.threads());
        match cut.chunks == 1 || threads == 1 || lines >= LINES_A_THREAD * threads {
            true => self.lines(&cut, resources),
            false => self.chained(&cut, resources),
        }
    }

    /// Lines that one thread each leads a state over.
    fn lines(&self, cut: &Cut, resources: &Resources<'_>) -> Result<Report> {
        self.chunks(self.outer * cut.tiles, self.reduced * cut.width, resources, &|from, to| {
            let mut scratch = self.scan_scratch(cut);
            (from..to).all(|line| {
                for (fold, state) in self.folds.iter().zip(&mut scratch.states) {
                    // SAFETY: there is room for two rows.
                    unsafe { fold.folder.reset(state.as_mut_ptr().cast(), 2 * cut.width) };
                }
                (0..cut.chunks).all(|chunk| {
                    let part = self.chunk(cut, line, chunk);
                    self.lead(part.rows.clone(), &part, &mut scratch, Pass::Only);
                    !resources.stop.poll().is_break()
                })
            })
        })
    }

    /// Lines whose chunks are for different threads.
    fn chained(&self, cut: &Cut, resources: &Resources<'_>) -> Result<Report> {
        let items = self.outer * cut.tiles * cut.chunks;
        let states = self.folds.iter().map(|fold| large_memory(items * 2 * cut.width * fold.folder.size()));
        let mut states = states.collect::<Result<SmallVec<[Vec<u128>; 4]>>>()?;
        let left = Left {
            states: states.iter_mut().map(|states| Shared(states.as_mut_ptr().cast())).collect(),
            is_there: (0..items).map(|_| AtomicBool::new(false)).collect(),
        };
        self.chunks(items, cut.rows * cut.width, resources, &|from, to| {
            let mut scratch = self.scan_scratch(cut);
            (from..to).all(|item| self.link(item, cut, &left, &mut scratch, resources))
        })
    }

    /// Of a line, one of the tiles of an outer element, one chunk.
    fn chunk(&self, cut: &Cut, line: usize, chunk: usize) -> Part {
        let tile = line % cut.tiles;
        Part {
            outer: line / cut.tiles,
            rows: chunk * cut.rows..self.reduced.min((chunk + 1) * cut.rows),
            columns: tile * cut.width..self.inner.min((tile + 1) * cut.width),
        }
    }

    /// Lines of a block at most, as many as fit a strip together.
    fn short_lines(&self, resources: &Resources<'_>) -> Result<Report> {
        let len = self.reduced;
        self.chunks(self.outer, len, resources, &|from, to| {
            let cut = Cut { width: 1, tiles: 1, rows: BLOCK, chunks: 1 };
            let mut scratch = self.scan_scratch(&cut);
            let lies = |k: usize| {
                let (at, count) = (from * len, (to - from) * len);
                self.runner.lying(self.first + k, at, count).is_some() && self.place(k, at, len).is_some()
            };
            // Without buffers all go together.
            let at_once = if (0..self.folds.len()).all(lies) { to - from } else { self.runner.strip / len };
            for at in (from..to).step_by(at_once) {
                let lines = at_once.min(to - at);
                let places = self.elements(at * len, lines * len, &mut scratch.buffers);
                for (k, fold) in self.folds.iter().enumerate() {
                    let place = self.place(k, at * len, len);
                    let (results, streams) = place.unwrap_or((scratch.results.as_mut_ptr().cast(), false));
                    let writes = if streams { Writes::Streaming } else { Writes::Plainly };
                    // SAFETY: the elements of the lines are there, and room for what comes of them.
                    unsafe { fold.scanner().lines(places[k], len, lines, results, writes) };
                    if place.is_none() {
                        self.write(k, at * len, lines * len, results);
                    }
                }
            }
            true
        })
    }

    fn scan_scratch(&self, cut: &Cut) -> Scratch {
        let rows = |rows: usize| self.folds.iter().map(|fold| memory(rows * cut.width * fold.folder.size())).collect();
        Scratch {
            buffers: memory(self.runner.buffers + 64),
            results: memory(self.runner.strip.max(LANES * cut.width) * size_of::<u64>()),
            states: rows(2),
            blocks: rows(cut.rows / BLOCK),
            most: cut.rows.min(self.reduced) * cut.width,
            elements: self.folds.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// Computes and writes one chunk of a line; gives false if the run is stopped.
    fn link(&self, item: usize, cut: &Cut, left: &Left, scratch: &mut Scratch, resources: &Resources<'_>) -> bool {
        let part = self.chunk(cut, item / cut.chunks, item % cut.chunks);
        let (width, is_first) = (part.columns.len(), item.is_multiple_of(cut.chunks));
        let is_last = (item + 1).is_multiple_of(cut.chunks);
        let is_there = || is_first || left.is_there[item - 1].load(Ordering::Acquire);
        let look = |_| {
            spin_loop();
            is_there()
        };
        // Who finds the state leads it on at once: those that fold meanwhile take no longer.
        let is_known = is_last || is_there();
        if !is_known {
            self.fold_blocks(&part, scratch);
        }
        while !(0..LOOKS).any(look) {
            // The chunk before was taken before, by a thread that runs.
            if resources.stop.poll().is_break() {
                return false;
            }
            std::thread::yield_now();
        }
        for (k, fold) in self.folds.iter().enumerate() {
            let (state, bytes) = (scratch.states[k].as_mut_ptr().cast::<u8>(), 2 * width * fold.folder.size());
            // SAFETY: what is there was written by the chunk before, and is not written again.
            unsafe {
                match is_first {
                    true => fold.folder.reset(state, 2 * width),
                    false => self.state(left, k, item - 1, cut).copy_to_nonoverlapping(state, bytes),
                }
            }
        }
        if !is_known {
            self.hand_on(item, &part, cut, left, scratch);
            self.lead(part.rows.clone(), &part, scratch, Pass::Second);
            return true;
        }
        self.lead(part.rows.clone(), &part, scratch, Pass::Only);
        for (k, fold) in self.folds.iter().enumerate() {
            let (state, bytes) = (scratch.states[k].as_ptr().cast::<u8>(), 2 * width * fold.folder.size());
            // SAFETY: the place is this chunk's, and nobody reads it before it is said to be there.
            unsafe { state.copy_to_nonoverlapping(self.state(left, k, item, cut), bytes) };
        }
        left.is_there[item].store(true, Ordering::Release);
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
            self.lead(row..part.rows.end.min(row + BLOCK), part, scratch, Pass::First);
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
    fn hand_on(&self, item: usize, part: &Part, cut: &Cut, left: &Left, scratch: &Scratch) {
        let width = part.columns.len();
        for (k, fold) in self.folds.iter().enumerate() {
            let (folder, row) = (fold.folder, width * fold.folder.size());
            let to = self.state(left, k, item, cut);
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
        left.is_there[item].store(true, Ordering::Release);
    }

    /// Leads the states on over some rows of a chunk.
    fn lead(&self, rows: Range<usize>, part: &Part, scratch: &mut Scratch, pass: Pass) {
        let width = part.columns.len();
        let at = |row: usize| (part.outer * self.reduced + row) * self.inner + part.columns.start;
        let lying: SmallVec<[Option<*const u8>; 4]> = (0..self.folds.len())
            .map(|k| self.runner.lying_rows(self.first + k, at(part.rows.start), part.rows.len(), width, self.inner))
            .collect();
        let place = |k: usize, row: usize| if pass == Pass::First { None } else { self.place(k, at(row), LANES) };
        let is_computed = pass != Pass::Second && lying.iter().any(Option::is_none);
        let is_buffered = pass != Pass::First && (0..self.folds.len()).any(|k| place(k, rows.start).is_none());
        let at_once = match is_computed || is_buffered {
            true => (self.runner.strip / width / LANES * LANES).max(LANES),
            false => rows.len(),
        };
        let buffers = aligned(&mut scratch.buffers);
        for row in rows.clone().step_by(at_once) {
            let count = at_once.min(rows.end - row);
            if is_computed {
                match width == self.inner {
                    true => self.runner.evaluate(at(row), count * width, 0, buffers),
                    false => (0..count).for_each(|k| self.runner.evaluate(at(row + k), width, k * width, buffers)),
                }
            }
            for (k, fold) in self.folds.iter().enumerate() {
                let computed = self.runner.kept(self.first + k, buffers).cast_const();
                if pass == Pass::First && lying[k].is_none() && scratch.elements[k].is_empty() {
                    scratch.elements[k] = memory(scratch.most * fold.from);
                }
                let kept = scratch.elements[k].as_mut_ptr().cast::<u8>();
                let (before, size) = (row - part.rows.start, fold.from);
                let (elements, step) = match lying[k] {
                    Some(lying) => (lying.wrapping_add(before * self.inner * size), self.inner),
                    None if pass == Pass::Second => (kept.wrapping_add(before * width * size).cast_const(), width),
                    None => (computed, width),
                };
                if pass == Pass::First && lying[k].is_none() {
                    // SAFETY: there is room for the elements of a chunk.
                    unsafe { computed.copy_to_nonoverlapping(kept.add(before * width * size), count * width * size) };
                }
                let (buffer, place) = (scratch.results.as_mut_ptr().cast::<u8>(), place(k, row));
                let (results, streams) = place.unwrap_or((buffer, false));
                let results_step = if place.is_some() { self.inner } else { width };
                let writes = match pass {
                    Pass::First => Writes::Nothing,
                    Pass::Only | Pass::Second if streams => Writes::Streaming,
                    Pass::Only | Pass::Second => Writes::Plainly,
                };
                let some = Rows { first: row, count, width, step, results_step, writes };
                // SAFETY: the elements are there, and room for what comes of them.
                unsafe { fold.scanner().scan(elements, &some, scratch.states[k].as_mut_ptr().cast(), results) };
                if pass == Pass::First || place.is_some() {
                    continue;
                }
                match width == self.inner {
                    true => self.write(k, at(row), count * width, results),
                    false => (0..count).for_each(|one| {
                        self.write(k, at(row + one), width, results.wrapping_add(one * width * fold.to));
                    }),
                }
            }
        }
    }

    /// Where results go from number `at` on, and whether they are written past the caches there, each `len` of them begun anew; none
    /// if they need a buffer.
    fn place(&self, k: usize, at: usize, len: usize) -> Option<(*mut u8, bool)> {
        let fold = &self.folds[k];
        if !fold.streamed {
            return Some((self.lies(k, at)?, false));
        }
        let place = self.kept.address(&self.kept.walks[k], at);
        let is_aligned = self.inner == 1 && place.addr().is_multiple_of(16) && (len * fold.to).is_multiple_of(16);
        is_aligned.then_some((place, true))
    }
}

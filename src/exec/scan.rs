//! Elements to running totals: lines by themselves where there are many, else chunk after chunk of a line, each of which begins
//! with the state that the one before it leaves.
//!
//! A thread that finds that state leads it over the first chunk left at once. One that does not leaves this chunk to the thread that
//! will, and folds the blocks of one behind it, or its sections of columns, says what they come to and goes on: a state is known as soon as
//! all that is behind the last known one is folded, and whoever needs it makes it. The chunk is led over again then, out of a cache.
//! The order of operations is the same either way.
#![expect(unsafe_code, reason = "states of chunks are reached by address")]

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use smallvec::SmallVec;

use super::fold::{BLOCK, LANES};
use super::pool;
use super::prefix::{Rows, SECTION, STATE, Writes};
use super::reduce::{Reducer, Shared, aligned, ended, large_memory, memory};
use super::run::{Report, Resources};
use crate::error::Result;

/// Columns that are led on together at least where lines are one thread's, if there are as many.
const WIDTH: usize = 128;

/// Columns that are led on together at most where the chunks of a line are for several threads: long pieces of rows are worth more
/// than a section of them that stays in the second cache.
const CHAINED_WIDTH: usize = 512;

/// Columns of a line at most: long pieces of rows are read fast, and a state of so many is still in the second cache.
const WIDEST: usize = 2048;

/// From so many lines for each thread on, threads take whole lines.
const LINES_A_THREAD: usize = 4;

/// Chunks of a thread that wait for the state before them at most: they are to stay in its caches.
const WAITING: usize = 3;

/// Bytes of the elements of such a chunk at most.
const WAITING_BYTES: usize = 1 << 17;

/// How often a thread that cannot go on looks for a state until it lets others go first.
const LOOKS: usize = 1000;

/// How the axis and the columns are cut.
struct Cut {
    width: usize,
    /// Of the columns, each of which is a line.
    tiles: usize,
    /// Rows of a chunk: whole units.
    rows: usize,
    /// Rows of which is said together what they come to: a block or a section.
    unit: usize,
    /// Along one line.
    chunks: usize,
}

/// Memory of one thread.
struct Scratch {
    /// What code uses; none until elements are computed.
    buffers: Vec<u128>,
    /// Of a strip; none until they do not go to their places at once.
    results: Vec<u128>,
    /// Bytes of these at most.
    result_bytes: usize,
    /// Of each fold the state.
    states: SmallVec<[Vec<u128>; 4]>,
    /// Elements of a chunk.
    most: usize,
    elements: Elements,
}

impl Scratch {
    /// Makes room for results, if there is none yet.
    fn buffer_results(&mut self) {
        if self.results.is_empty() {
            self.results = memory(self.result_bytes);
        }
    }
}

/// Of each fold room for a chunk's elements, if they are computed and asked for twice.
type Elements = SmallVec<[Vec<u128>; 4]>;

/// A chunk that waits for the state before it.
struct Waiting {
    item: usize,
    pass: Pass,
    elements: Elements,
}

/// What chunks leave to those behind them.
struct Left {
    /// Of each fold for each chunk the state behind it.
    states: SmallVec<[Shared; 4]>,
    /// Of each fold for each unit of each chunk what it comes to by itself: the first [`FOLDED_ROWS`] of its state.
    units: SmallVec<[Shared; 4]>,
    /// How much of this is there.
    progress: Vec<AtomicU8>,
    /// All chunks before are taken.
    taken: AtomicUsize,
}

/// Rows of the state of a unit: it has no blocks before it, and ends with a group.
const FOLDED_ROWS: usize = 2;

/// Nobody has taken the chunk.
const FREE: u8 = 0;

/// A thread is at work on it.
const TAKEN: u8 = 1;

/// What units come to is there.
const FOLDED: u8 = 2;

/// The state is there.
const KNOWN: u8 = 3;

impl Left {
    /// The first chunk from `from` on that nobody has taken.
    fn free(&self, from: usize) -> Option<usize> {
        (from..self.progress.len()).find(|item| self.progress[*item].load(Ordering::Relaxed) == FREE)
    }

    /// The first chunk that nobody has taken.
    fn first_free(&self) -> Option<usize> {
        let first = self.free(self.taken.load(Ordering::Relaxed));
        self.taken.fetch_max(first.unwrap_or(self.progress.len()), Ordering::Relaxed);
        first
    }

    /// Gives false if another thread was first.
    fn take(&self, item: usize) -> bool {
        self.progress[item].compare_exchange(FREE, TAKEN, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The chunk from which units lead on from a known state to `item`; none if some are not there yet.
    fn known_before(&self, item: usize, cut: &Cut) -> Option<usize> {
        let (line, mut first) = (item - item % cut.chunks, item);
        while first > line {
            match self.progress[first - 1].load(Ordering::Acquire) {
                KNOWN => break,
                FOLDED => first -= 1,
                _ => return None,
            }
        }
        Some(first)
    }
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
    /// What was kept is taken.
    Second,
}

impl Reducer<'_> {
    pub(super) fn scan(&self, resources: &Resources<'_>) -> Result<Report> {
        // Else elements that lie in arrays would be computed as well, without a buffer.
        assert_eq!(self.first, 0, "a pass of scans writes nothing else");
        if self.outer * self.reduced * self.inner == 0 {
            return Ok(Report { threads: 1, chunks: 0 });
        }
        if self.inner == 1 && 2 * self.reduced <= self.runner.strip && self.reduced <= BLOCK {
            return self.short_lines(resources);
        }
        let threads = resources.pool.threads();
        let widest = match threads {
            1 => WIDEST,
            _ => (self.inner / (LINES_A_THREAD * threads)).clamp(WIDTH, WIDEST),
        };
        let whole = self.cut(widest, SECTION, resources.chunk);
        if whole.chunks == 1 || threads == 1 || self.outer * whole.tiles >= LINES_A_THREAD * threads {
            return self.lines(&whole, resources);
        }
        let unit = if self.inner == 1 { BLOCK } else { SECTION };
        let size = self.folds.iter().map(|fold| fold.from).max().expect("a scan folds");
        self.chained(&self.cut(CHAINED_WIDTH, unit, resources.chunk.min(WAITING_BYTES / size)), resources)
    }

    /// Into chunks of about `len` elements.
    fn cut(&self, widest: usize, unit: usize, len: usize) -> Cut {
        // A strip has room for sixteen rows of what is computed.
        let widest = match (0..self.folds.len()).all(|k| self.runner.lies_whole(self.first + k)) {
            true => widest,
            false => widest.min(self.runner.strip / LANES).max(1),
        };
        let tiles = self.inner.div_ceil(widest);
        let width = self.inner.div_ceil(tiles).next_multiple_of(8).min(self.inner).min(widest);
        let rows = (len / width / unit).max(1) * unit;
        Cut { width, tiles: self.inner.div_ceil(width), rows, unit, chunks: self.reduced.div_ceil(rows) }
    }

    /// Lines that one thread each leads a state over.
    fn lines(&self, cut: &Cut, resources: &Resources<'_>) -> Result<Report> {
        self.chunks(self.outer * cut.tiles, self.reduced * cut.width, resources, &|from, to| {
            let mut scratch = self.scan_scratch(cut);
            (from..to).all(|line| {
                for (fold, state) in self.folds.iter().zip(&mut scratch.states) {
                    // SAFETY: there is room for a state.
                    unsafe { fold.folder.reset(state.as_mut_ptr().cast(), STATE * cut.width) };
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
        let mut states = self.rows(items * STATE, cut)?;
        let mut units = self.rows(items * (cut.rows / cut.unit) * FOLDED_ROWS, cut)?;
        let shared = |all: &mut Elements| all.iter_mut().map(|all| Shared(all.as_mut_ptr().cast())).collect();
        let left = Left {
            states: shared(&mut states),
            units: shared(&mut units),
            progress: (0..items).map(|_| AtomicU8::new(FREE)).collect(),
            taken: AtomicUsize::new(0),
        };
        let helpers = self.helpers(items, cut.rows * cut.width).min(resources.pool.threads() - 1);
        let stopped = AtomicBool::new(false);
        let threads = pool::run(resources.pool, helpers + 1, helpers, &|_| {
            if self.links(cut, &left, resources) {
                self.fence();
                return ControlFlow::Continue(());
            }
            stopped.store(true, Ordering::Relaxed);
            ControlFlow::Break(())
        });
        ended(&stopped, resources)?;
        Ok(Report { threads, chunks: items })
    }

    /// Room for rows of accumulators of each fold.
    fn rows(&self, count: usize, cut: &Cut) -> Result<SmallVec<[Vec<u128>; 4]>> {
        let room = |size: usize| large_memory(count.saturating_mul(cut.width * size));
        self.folds.iter().map(|fold| room(fold.folder.size())).collect()
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
            let cut = Cut { width: 1, tiles: 1, rows: BLOCK, unit: BLOCK, chunks: 1 };
            let mut scratch = self.scan_scratch(&cut);
            let lies = |k: usize| {
                let (at, count) = (from * len, (to - from) * len);
                self.runner.lying(self.first + k, at, count).is_some() && self.place(k, at, len).is_some()
            };
            // Without buffers all go together.
            let at_once = if (0..self.folds.len()).all(lies) {
                to - from
            } else {
                self.compute_in(&mut scratch);
                scratch.buffer_results();
                self.runner.strip / len
            };
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
        Scratch {
            buffers: Vec::new(),
            results: Vec::new(),
            result_bytes: self.runner.strip.max(LANES * cut.width) * size_of::<u64>(),
            states: self.folds.iter().map(|fold| memory(STATE * cut.width * fold.folder.size())).collect(),
            most: cut.rows.min(self.reduced) * cut.width,
            elements: self.no_elements(),
        }
    }

    /// Makes room for code's buffers, if there is none yet.
    fn compute_in(&self, scratch: &mut Scratch) {
        if scratch.buffers.is_empty() {
            scratch.buffers = memory(self.runner.buffers + 64);
        }
    }

    fn no_elements(&self) -> Elements {
        self.folds.iter().map(|_| Vec::new()).collect()
    }

    /// Takes chunks until there are no more; gives false if the run is stopped.
    fn links(&self, cut: &Cut, left: &Left, resources: &Resources<'_>) -> bool {
        let mut scratch = self.scan_scratch(cut);
        let (mut waiting, mut spare) = (VecDeque::<Waiting>::new(), Vec::new());
        while !resources.stop.poll().is_break() {
            // What waits is still in a cache.
            if let Some(first) = waiting.pop_front_if(|first| left.known_before(first.item, cut).is_some()) {
                let none = std::mem::replace(&mut scratch.elements, first.elements);
                self.link(first.item, first.pass, cut, left, &mut scratch);
                spare.push(std::mem::replace(&mut scratch.elements, none));
                continue;
            }
            let first = left.first_free();
            // The thread that makes the state before the first will go on with it.
            let next = first.map(|first| left.free(first + 1).unwrap_or(first));
            let mut known = first.into_iter().chain(next).filter(|item| left.known_before(*item, cut).is_some());
            if let Some(item) = known.next() {
                if left.take(item) {
                    self.link(item, Pass::Only, cut, left, &mut scratch);
                }
            } else if let Some(item) = next.filter(|_| waiting.len() < WAITING) {
                if left.take(item) {
                    let none = spare.pop().unwrap_or_else(|| self.no_elements());
                    let pass = self.fold_units(item, cut, left, &mut scratch);
                    waiting.push_back(Waiting { item, pass, elements: std::mem::replace(&mut scratch.elements, none) });
                }
            } else if let Some(first) = waiting.front() {
                let look = |_| {
                    spin_loop();
                    left.known_before(first.item, cut).is_some()
                };
                // A chunk before was taken before, by a thread that runs, or is left to this one.
                if !(0..LOOKS).any(look) {
                    std::thread::yield_now();
                }
            } else {
                return true;
            }
        }
        false
    }

    /// Computes and writes a chunk before which the state is known, and hands it on.
    fn link(&self, item: usize, pass: Pass, cut: &Cut, left: &Left, scratch: &mut Scratch) {
        let part = self.chunk(cut, item / cut.chunks, item % cut.chunks);
        let width = part.columns.len();
        let first = left.known_before(item, cut).expect("the state before is known");
        for (k, fold) in self.folds.iter().enumerate() {
            let (state, bytes) = (scratch.states[k].as_mut_ptr().cast::<u8>(), STATE * width * fold.folder.size());
            // SAFETY: what is there was written by the chunks before, and is not written again; the place is this chunk's, and
            // nobody reads it before it is said to be there.
            unsafe {
                match first.is_multiple_of(cut.chunks) {
                    true => fold.folder.reset(state, STATE * width),
                    false => self.state(left, k, first - 1, cut).copy_to_nonoverlapping(state, bytes),
                }
                (first..item).for_each(|behind| self.lead_behind(behind, k, width, cut, left, state));
                if pass == Pass::Second {
                    let next = self.state(left, k, item, cut);
                    state.copy_to_nonoverlapping(next, bytes);
                    self.lead_behind(item, k, width, cut, left, next);
                }
            }
        }
        if pass == Pass::Second {
            left.progress[item].store(KNOWN, Ordering::Release);
        }
        self.lead(part.rows.clone(), &part, scratch, pass);
        if pass == Pass::Second {
            return;
        }
        for (k, fold) in self.folds.iter().enumerate() {
            let (state, bytes) = (scratch.states[k].as_ptr().cast::<u8>(), STATE * width * fold.folder.size());
            // SAFETY: as above.
            unsafe { state.copy_to_nonoverlapping(self.state(left, k, item, cut), bytes) };
        }
        left.progress[item].store(KNOWN, Ordering::Release);
    }

    /// Where a chunk leaves its state.
    fn state(&self, left: &Left, k: usize, item: usize, cut: &Cut) -> *mut u8 {
        left.states[k].0.wrapping_add(item * STATE * cut.width * self.folds[k].folder.size())
    }

    /// Where a chunk leaves what one of its units comes to.
    fn unit(&self, left: &Left, k: usize, item: usize, number: usize, cut: &Cut) -> *mut u8 {
        let row = (item * (cut.rows / cut.unit) + number) * FOLDED_ROWS;
        left.units[k].0.wrapping_add(row * cut.width * self.folds[k].folder.size())
    }

    /// Says what each unit of a chunk comes to by itself; gives how its elements are led over later.
    fn fold_units(&self, item: usize, cut: &Cut, left: &Left, scratch: &mut Scratch) -> Pass {
        let part = self.chunk(cut, item / cut.chunks, item % cut.chunks);
        let width = part.columns.len();
        // Nobody asks for the last.
        if part.rows.end == self.reduced {
            return Pass::Only;
        }
        for (number, row) in part.rows.clone().step_by(cut.unit).enumerate() {
            for (k, fold) in self.folds.iter().enumerate() {
                // SAFETY: there is room for a state.
                unsafe { fold.folder.reset(scratch.states[k].as_mut_ptr().cast(), STATE * width) };
            }
            self.lead(row..row + cut.unit, &part, scratch, Pass::First);
            for (k, fold) in self.folds.iter().enumerate() {
                let (state, bytes) =
                    (scratch.states[k].as_ptr().cast::<u8>(), FOLDED_ROWS * width * fold.folder.size());
                // SAFETY: the place is this chunk's, as in `link`.
                unsafe { state.copy_to_nonoverlapping(self.unit(left, k, item, number, cut), bytes) };
            }
        }
        left.progress[item].store(FOLDED, Ordering::Release);
        Pass::Second
    }

    /// Leads the state before a chunk on by what its units come to.
    ///
    /// # Safety
    /// The chunk is folded. `state` is that of `width` columns.
    unsafe fn lead_behind(&self, item: usize, k: usize, width: usize, cut: &Cut, left: &Left, state: *mut u8) {
        let fold = &self.folds[k];
        for number in 0..cut.rows / cut.unit {
            let row = item % cut.chunks * cut.rows + number * cut.unit;
            // SAFETY: the caller's promise.
            unsafe {
                fold.scanner().turn(row, width, state);
                // Nothing is there where the unit has something.
                fold.folder.merge(state, self.unit(left, k, item, number, cut), FOLDED_ROWS * width);
            }
        }
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
        if is_computed {
            self.compute_in(scratch);
        }
        if is_buffered {
            scratch.buffer_results();
        }
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
        let is_aligned = match self.inner {
            1 => place.addr().is_multiple_of(16) && (len * fold.to).is_multiple_of(16),
            // The same places of all rows begin lines of the cache.
            inner => (inner * fold.to).is_multiple_of(64),
        };
        is_aligned.then_some((place, true))
    }
}

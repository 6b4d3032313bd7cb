//! Rows of elements to what each and those before it in its column come to: groups of sixteen rows, in registers.
//!
//! A group is two runs of eight. Each element of a run takes in the one before it in the run, then the one two before, then four;
//! the last is what the run comes to. What both runs come to is what the group comes to. Sixteen groups that follow one another are a
//! section, sixteen sections a block; blocks follow one another.
#![expect(unsafe_code, reason = "elements, accumulators and results of any type are reached by address")]

use std::marker::PhantomData;
use std::ops::Range;

use super::fold::{BLOCK, LANES, Max, Min, Product, Rule, Sum, by_element, by_sum};
#[cfg(target_arch = "x86_64")]
use super::lanes::Scans;
use crate::dtype::DType;
use crate::ir::Fold;

/// Rows of a run.
const RUN: usize = LANES / 2;

/// Rows of a section.
pub(super) const SECTION: usize = BLOCK / LANES;

/// Rows of accumulators of a state: of the section so far, of the sections before it in its block, of the blocks before; and what
/// the first run of a group comes to, until the second is there.
pub(super) const STATE: usize = 4;

/// Some rows of elements and where they and their results lie.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The number of the first: a multiple of sixteen.
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) width: usize,
    /// Elements from one row to the next.
    pub(super) step: usize,
    /// Results from one row to the next.
    pub(super) results_step: usize,
    pub(super) writes: Writes,
}

/// What becomes of results.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Writes {
    /// Only the state is led on.
    Nothing,
    Plainly,
    /// Past the caches: of a line from a multiple of 16 bytes on, of columns rows that lie some cache lines apart.
    Streaming,
}

/// A way to lead accumulators on over elements of one dtype.
///
/// # Safety
/// Of every method: elements, accumulators and results are where `rows` says; accumulators are aligned to 16, the others may lie
/// unaligned.
pub(super) trait Scanner: Sync {
    /// Gives what each element and those before it in its column come to. `state` is led on; where nothing is written it may be
    /// led on in another order if no result depends on it.
    unsafe fn scan(&self, elements: *const u8, rows: &Rows, state: *mut u8, results: *mut u8);

    /// Begins the section or the block that row `row` is the first of, if it is; `state` is that of `width` columns.
    unsafe fn turn(&self, row: usize, width: usize, state: *mut u8);

    /// As [`scan`](Scanner::scan), for `lines` lines of `len` elements, a block at most, each by itself.
    unsafe fn lines(&self, elements: *const u8, len: usize, lines: usize, results: *mut u8, writes: Writes);
}

struct By<R>(PhantomData<fn(R)>);

#[cfg(target_arch = "x86_64")]
trait Scanned: Scans {}
#[cfg(target_arch = "x86_64")]
impl<R: Scans> Scanned for R {}
#[cfg(not(target_arch = "x86_64"))]
trait Scanned: Rule {}
#[cfg(not(target_arch = "x86_64"))]
impl<R: Rule> Scanned for R {}

impl<R: Scanned> Scanner for By<R> {
    unsafe fn scan(&self, elements: *const u8, rows: &Rows, state: *mut u8, results: *mut u8) {
        let (elements, state, results) = (elements.cast(), state.cast(), results.cast());
        // SAFETY: the caller's promise; the host has what the first form is compiled for.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::scan::<R>(elements, rows, state, results);
            }
            columns::<R>(elements, rows, state, results);
        }
    }

    unsafe fn turn(&self, row: usize, width: usize, state: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { turn::<R>(row, width, state.cast()) };
    }

    unsafe fn lines(&self, elements: *const u8, len: usize, lines: usize, results: *mut u8, writes: Writes) {
        let (elements, results) = (elements.cast(), results.cast());
        // SAFETY: as in `scan`.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::lines::<R>(elements, len, lines, results, writes);
            }
            let rows = Rows { first: 0, count: len, width: 1, step: 1, results_step: 1, writes };
            for line in 0..lines {
                let mut state = [R::NOTHING; STATE];
                columns::<R>(elements.add(line * len), &rows, state.as_mut_ptr(), results.add(line * len));
            }
        }
    }
}

/// As [`Scanner::scan`], one column after another.
///
/// # Safety
/// As of [`Scanner`].
unsafe fn columns<R: Rule>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
    for at in (0..rows.count).step_by(LANES) {
        let (elements, results) = (elements.wrapping_add(at * rows.step), results.wrapping_add(at * rows.results_step));
        // SAFETY: the caller's promise.
        unsafe {
            turn::<R>(rows.first + at, rows.width, state);
            group::<R>(elements, rows, at, 0..rows.width, state, results);
        }
    }
}

/// Where row `row` begins a section or a block, what is before it in the one becomes what is before it in the other.
///
/// # Safety
/// `state` is that of `width` columns.
unsafe fn turn<R: Rule>(row: usize, width: usize, state: *mut R::Acc) {
    let levels = [SECTION, BLOCK].into_iter().take_while(|level| row.is_multiple_of(*level)).count();
    for k in 0..levels * width {
        // SAFETY: the caller's promise; the next row of accumulators lies behind.
        unsafe {
            state.add(k + width).write(R::merge(state.add(k + width).read(), state.add(k).read()));
            state.add(k).write(R::NOTHING);
        }
    }
}

/// As [`Scanner::scan`], of the group of some of the columns that begins at row `at`; `elements` and `results` are where it does.
///
/// # Safety
/// As of [`Scanner`].
#[inline(never)]
unsafe fn group<R: Rule>(
    elements: *const R::Element,
    rows: &Rows,
    at: usize,
    columns: Range<usize>,
    state: *mut R::Acc,
    results: *mut R::Total,
) {
    let count = LANES.min(rows.count - at);
    for column in columns {
        let (elements, results) = (elements.wrapping_add(column), results.wrapping_add(column));
        let mut lanes = [R::NOTHING; LANES];
        for (lane, acc) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller's promise.
            *acc = R::take(R::NOTHING, unsafe { elements.add(lane * rows.step).read_unaligned() }, 0);
        }
        for run in lanes.chunks_exact_mut(RUN) {
            for step in [1, 2, 4] {
                for lane in (step..RUN).rev() {
                    run[lane] = R::merge(run[lane - step], run[lane]);
                }
            }
        }
        // SAFETY: as above; rows of accumulators lie one behind the other.
        unsafe {
            let [section, block, before] = [0, 1, 2].map(|row| state.add(row * rows.width + column));
            if rows.writes != Writes::Nothing {
                let base = R::merge(R::merge(before.read(), block.read()), section.read());
                let bases = [base, R::merge(base, lanes[RUN - 1])];
                for (lane, acc) in lanes.iter().enumerate().take(count) {
                    let result = R::finish(R::merge(bases[lane / RUN], *acc));
                    results.add(lane * rows.results_step).write_unaligned(result);
                }
            }
            section.write(R::merge(section.read(), R::merge(lanes[RUN - 1], lanes[LANES - 1])));
        }
    }
}

/// The same in registers of 256 bits. Nothing is contracted or reordered, so neither are the bits others.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{__m256i, _MM_HINT_T0, _mm_prefetch, _mm256_alignr_epi8, _mm256_permute2x128_si256};

    use super::{BLOCK, LANES, RUN, Rows, SECTION, STATE, Scans, Writes, group, turn};

    /// Bytes that the cache holds together.
    const CACHE_LINE: usize = 64;

    /// Bytes that pieces of rows are asked for ahead.
    const AHEAD: usize = 4 * CACHE_LINE;

    /// # Safety
    /// As of [`Scanner`](super::Scanner).
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn scan<R: Scans>(
        elements: *const R::Element,
        rows: &Rows,
        state: *mut R::Acc,
        results: *mut R::Total,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match (rows.width, rows.step, rows.results_step) {
                (1, 1, 1) => line_of::<R>(elements, rows, state, results),
                _ => columns::<R>(elements, rows, state, results),
            }
        }
    }

    /// # Safety
    /// As of [`Scanner`](super::Scanner).
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn lines<R: Scans>(
        elements: *const R::Element,
        len: usize,
        lines: usize,
        results: *mut R::Total,
        writes: Writes,
    ) {
        let rows = Rows { first: 0, count: len, width: 1, step: 1, results_step: 1, writes };
        for line in 0..lines {
            let mut state = [R::NOTHING; STATE];
            // SAFETY: the caller's promise.
            unsafe { line_of::<R>(elements.add(line * len), &rows, state.as_mut_ptr(), results.add(line * len)) };
        }
    }

    /// Accumulators of a register, a group's at most.
    const fn lanes<R: Scans>() -> usize {
        let lanes = size_of::<__m256i>() / size_of::<R::Acc>();
        if lanes < LANES { lanes } else { LANES }
    }

    /// # Safety
    /// As of [`Scanner`](super::Scanner), of one column whose elements and results follow one another.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn line_of<R: Scans>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
        let whole = rows.count / LANES * LANES;
        // SAFETY: the caller's promise; a group has as many registers as are said.
        unsafe {
            match size_of::<R::Acc>() {
                8 => line::<R, 4>(elements, rows, whole, state, results),
                4 => line::<R, 2>(elements, rows, whole, state, results),
                _ => line::<R, 1>(elements, rows, whole, state, results),
            }
            if whole < rows.count {
                turn::<R>(rows.first + whole, 1, state);
                group::<R>(elements.add(whole), rows, whole, 0..1, state, results.wrapping_add(whole));
            }
        }
    }

    /// # Safety
    /// As of [`line_of`], of the `whole` rows of whole groups, of `N` registers each.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn line<R: Scans, const N: usize>(
        elements: *const R::Element,
        rows: &Rows,
        whole: usize,
        state: *mut R::Acc,
        results: *mut R::Total,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if R::IS_EXACT && rows.writes == Writes::Nothing {
                return fold::<R, N>(elements, whole, state);
            }
            let nothing = R::splat(R::NOTHING);
            let [mut section, mut block, mut before] = [0, 1, 2].map(|row| R::splat(state.add(row).read()));
            let mut behind = R::merged(before, block);
            // One group is begun before the one before it is ended: more operations at a time that do not wait for each other.
            let mut begun = [nothing; N];
            for at in (0..whole).step_by(LANES) {
                let mut group = [nothing; N];
                for (k, lanes) in group.iter_mut().enumerate() {
                    *lanes = R::load(elements.add(at + k * (LANES / N)));
                }
                runs::<R, N>(&mut group, nothing);
                if at > 0 {
                    end::<R, N>(&begun, behind, &mut section, results.wrapping_add(at - LANES), rows.writes);
                }
                if (rows.first + at).is_multiple_of(SECTION) {
                    block = R::merged(block, section);
                    section = nothing;
                    if (rows.first + at).is_multiple_of(BLOCK) {
                        before = R::merged(before, block);
                        block = nothing;
                    }
                    behind = R::merged(before, block);
                }
                begun = group;
            }
            if whole > 0 {
                end::<R, N>(&begun, behind, &mut section, results.wrapping_add(whole - LANES), rows.writes);
            }
            for (row, accs) in [section, block, before].into_iter().enumerate() {
                state.add(row).write(first::<R>(accs));
            }
        }
    }

    /// Takes whole groups into the state, in any order.
    ///
    /// # Safety
    /// As of [`line`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn fold<R: Scans, const N: usize>(elements: *const R::Element, whole: usize, state: *mut R::Acc) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut group = [R::splat(R::NOTHING); N];
            for at in (0..whole).step_by(LANES) {
                for (k, lanes) in group.iter_mut().enumerate() {
                    *lanes = R::merged(*lanes, R::load(elements.add(at + k * (LANES / N))));
                }
            }
            for accs in group {
                let mut lanes = [R::NOTHING; LANES];
                R::keep(accs, lanes.as_mut_ptr());
                state.write(lanes.into_iter().fold(state.read(), R::merge));
            }
        }
    }

    /// Has each lane take in those before it in its run, or in its register if that has both runs.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn runs<R: Scans, const N: usize>(group: &mut [__m256i; N], nothing: __m256i) {
        let len = N.div_ceil(2);
        for run in group.chunks_exact_mut(len) {
            // SAFETY: the caller's promise.
            unsafe {
                take_in::<R, 1>(run, nothing);
                take_in::<R, 2>(run, nothing);
                take_in::<R, 4>(run, nothing);
                // Registers of both runs are of integers, which may be taken in any order.
                if N == 1 {
                    take_in::<R, 8>(run, nothing);
                }
            }
        }
    }

    /// Has each lane take in the one that stands `STEP` before it; the first of them take in nothing, which changes no bit.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn take_in<R: Scans, const STEP: usize>(run: &mut [__m256i], nothing: __m256i) {
        for k in (0..run.len()).rev() {
            let register = run[k];
            let half = _mm256_permute2x128_si256::<0x21>(if k > 0 { run[k - 1] } else { nothing }, register);
            let moved = match STEP * size_of::<R::Acc>() {
                1 => _mm256_alignr_epi8::<15>(register, half),
                2 => _mm256_alignr_epi8::<14>(register, half),
                4 => _mm256_alignr_epi8::<12>(register, half),
                8 => _mm256_alignr_epi8::<8>(register, half),
                16 => half,
                bytes => k.checked_sub(bytes / size_of::<__m256i>()).map_or(nothing, |k| run[k]),
            };
            // SAFETY: the caller's promise.
            run[k] = unsafe { R::merged(moved, register) };
        }
    }

    /// Leads the state over a group whose runs are there: `behind` is what is before its section, `section` what is before it there.
    ///
    /// # Safety
    /// There is room for sixteen results.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn end<R: Scans, const N: usize>(
        group: &[__m256i; N],
        behind: __m256i,
        section: &mut __m256i,
        results: *mut R::Total,
        writes: Writes,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let first = R::last(group[(N - 1) / 2]);
            let both = if N == 1 { first } else { R::merged(first, R::last(group[N - 1])) };
            if writes != Writes::Nothing {
                let base = R::merged(behind, *section);
                let second = R::merged(base, first);
                for (k, lanes) in group.iter().enumerate() {
                    let base = if 2 * k < N { base } else { second };
                    R::store(R::merged(base, *lanes), results.add(k * (LANES / N)), writes == Writes::Streaming);
                }
            }
            *section = R::merged(*section, both);
        }
    }

    /// The first accumulator.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn first<R: Scans>(accs: __m256i) -> R::Acc {
        let mut lanes = [R::NOTHING; LANES];
        // SAFETY: a register has sixteen accumulators at most.
        unsafe { R::keep(accs, lanes.as_mut_ptr()) };
        lanes[0]
    }

    /// Group by group over all columns, so that rows are read and written in the order of memory.
    ///
    /// # Safety
    /// As of [`Scanner`](super::Scanner).
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn columns<R: Scans>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
        let lanes = lanes::<R>();
        for at in (0..rows.count).step_by(LANES) {
            let is_whole = at + LANES <= rows.count;
            let place =
                |row: usize| (elements.wrapping_add(row * rows.step), results.wrapping_add(row * rows.results_step));
            // SAFETY: the caller's promise.
            unsafe {
                turn::<R>(rows.first + at, rows.width, state);
                let mut done = 0;
                // No more rows at a time than a cache has ways: rows may lie a multiple of its size apart.
                for run in 0..if is_whole { 2 } else { 0 } {
                    let (from, to) = place(at + run * RUN);
                    let mut column = 0;
                    while column + lanes <= rows.width {
                        let (from, to, state) = (from.add(column), to.wrapping_add(column), state.add(column));
                        // What goes past the caches goes by whole lines of them.
                        let line = CACHE_LINE / size_of::<R::Total>();
                        let is_line = rows.writes == Writes::Streaming
                            && to.addr().is_multiple_of(CACHE_LINE)
                            && column + line <= rows.width;
                        column += match (is_line, line / lanes) {
                            (true, 2) => registers::<R, 2>(from, rows, run, state, to, true),
                            (true, 4) => registers::<R, 4>(from, rows, run, state, to, true),
                            _ => registers::<R, 1>(from, rows, run, state, to, false),
                        };
                    }
                    done = column;
                }
                let (from, to) = place(at);
                group::<R>(from, rows, at, done..rows.width, state, to);
            }
        }
    }

    /// Leads the state over the first or second run of a group of the columns of `K` registers; gives how many these are.
    ///
    /// # Safety
    /// As of [`columns`]; elements, state and results are where the run and its first column are.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn registers<R: Scans, const K: usize>(
        elements: *const R::Element,
        rows: &Rows,
        run: usize,
        state: *mut R::Acc,
        results: *mut R::Total,
        streams: bool,
    ) -> usize {
        let lanes = lanes::<R>();
        // SAFETY: the caller's promise.
        unsafe {
            let mut all = [[R::splat(R::NOTHING); RUN]; K];
            for (k, run_of) in all.iter_mut().enumerate() {
                let from = elements.wrapping_add(k * lanes);
                if (k * lanes * size_of::<R::Element>()).is_multiple_of(CACHE_LINE) {
                    ask_ahead::<R>(from, rows);
                }
                *run_of = column::<R>(from, rows);
                let total = run_of[RUN - 1];
                let [section, block, before, first] = [0, 1, 2, 3].map(|row| state.add(row * rows.width + k * lanes));
                let mut base = R::merged(R::merged(R::read(before), R::read(block)), R::read(section));
                if run == 0 {
                    R::keep(total, first);
                } else {
                    let first = R::read(first);
                    base = R::merged(base, first);
                    R::keep(R::merged(R::read(section), R::merged(first, total)), section);
                }
                run_of.iter_mut().for_each(|accs| *accs = R::merged(base, *accs));
            }
            if rows.writes != Writes::Nothing {
                for row in 0..RUN {
                    let to = results.wrapping_add(row * rows.results_step);
                    for (k, run_of) in all.iter().enumerate() {
                        R::store(run_of[row], to.wrapping_add(k * lanes), streams);
                    }
                }
            }
        }
        K * lanes
    }

    /// Has what a run comes to next brought to the cache: its rows are no stream that the machine knows.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn ask_ahead<R: Scans>(from: *const R::Element, rows: &Rows) {
        // Rows that lie apart are read along for some time, others soon give way to those of the next group.
        let ahead = match rows.step > rows.width {
            true => AHEAD / size_of::<R::Element>(),
            false => LANES * rows.step,
        };
        for row in 0..RUN {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(row * rows.step + ahead).cast());
        }
    }

    /// The run of a register's columns.
    ///
    /// # Safety
    /// As of [`registers`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn column<R: Scans>(from: *const R::Element, rows: &Rows) -> [__m256i; RUN] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut run = [R::splat(R::NOTHING); RUN];
            for (row, accs) in run.iter_mut().enumerate() {
                *accs = R::load(from.add(row * rows.step));
            }
            for step in [1, 2, 4] {
                for row in (step..RUN).rev() {
                    run[row] = R::merged(run[row - step], run[row]);
                }
            }
            run
        }
    }
}

const fn by<R: Scanned + 'static>() -> &'static dyn Scanner {
    &const { By::<R>(PhantomData) }
}

/// How elements of `from` are led over; none where no scan folds so.
pub(super) fn scanner(fold: Fold, from: DType) -> Option<&'static dyn Scanner> {
    match fold {
        Fold::Sum => Some(by_sum!(Sum, from)),
        Fold::Product => Some(by_sum!(Product, from)),
        Fold::Min => Some(by_element!(Min, from)),
        Fold::Max => Some(by_element!(Max, from)),
        Fold::Any | Fold::All | Fold::Count | Fold::ArgMin | Fold::ArgMax => None,
    }
}

//! Rows of elements to what each and those before it in its column come to: groups of sixteen rows, in registers.
//!
//! Each element of a group takes in the one before it, then the one two before, four, eight; the last of a group is what the
//! group comes to. Groups of a block and blocks follow one another one by one, which is one operation a group.
#![expect(unsafe_code, reason = "elements, accumulators and results of any type are reached by address")]

use std::marker::PhantomData;
use std::ops::Range;

use super::fold::{BLOCK, LANES, Max, Min, Product, Rule, Sum, by_element, by_sum};
#[cfg(target_arch = "x86_64")]
use super::lanes::Scans;
use crate::dtype::DType;
use crate::ir::Fold;

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
    /// Past the caches, of a line, from a multiple of 16 bytes on.
    Streaming,
}

/// A way to lead accumulators on over elements of one dtype.
///
/// # Safety
/// Of every method: elements, accumulators and results are where `rows` says; accumulators are aligned to 16, the others may lie
/// unaligned.
pub(super) trait Scanner: Sync {
    /// Gives what each element and those before it in its column come to. `state` is two rows of accumulators, of all blocks
    /// before and of this one so far, and is led on.
    unsafe fn scan(&self, elements: *const u8, rows: &Rows, state: *mut u8, results: *mut u8);

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
            columns::<R>(elements, rows, 0..rows.width, state, results);
        }
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
                let mut state = [R::NOTHING; 2];
                columns::<R>(elements.add(line * len), &rows, 0..1, state.as_mut_ptr(), results.add(line * len));
            }
        }
    }
}

/// As [`Scanner::scan`], of some of the columns, one after another.
///
/// # Safety
/// As of [`Scanner`].
unsafe fn columns<R: Rule>(
    elements: *const R::Element,
    rows: &Rows,
    columns: Range<usize>,
    state: *mut R::Acc,
    results: *mut R::Total,
) {
    for column in columns {
        for at in (0..rows.count).step_by(LANES) {
            let elements = elements.wrapping_add(at * rows.step + column);
            let results = results.wrapping_add(at * rows.results_step + column);
            // SAFETY: the caller's promise; the second row of accumulators lies behind the first.
            unsafe { group::<R>(elements, rows, at, state.add(column), results) };
        }
    }
}

/// As [`Scanner::scan`], of the group of one column that begins at row `at`; `elements`, `state` and `results` are where it does.
///
/// # Safety
/// As of [`Scanner`].
#[inline(never)]
unsafe fn group<R: Rule>(
    elements: *const R::Element,
    rows: &Rows,
    at: usize,
    state: *mut R::Acc,
    results: *mut R::Total,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut before, mut block) = (state.read(), state.add(rows.width).read());
        if (rows.first + at).is_multiple_of(BLOCK) {
            before = R::merge(before, block);
            block = R::NOTHING;
        }
        let count = LANES.min(rows.count - at);
        let mut lanes = [R::NOTHING; LANES];
        for (lane, acc) in lanes.iter_mut().enumerate().take(count) {
            *acc = R::take(R::NOTHING, elements.add(lane * rows.step).read_unaligned(), 0);
        }
        for step in [1, 2, 4, 8] {
            for lane in (step..count).rev() {
                lanes[lane] = R::merge(lanes[lane - step], lanes[lane]);
            }
        }
        if rows.writes != Writes::Nothing {
            let base = R::merge(before, block);
            for (lane, acc) in lanes.iter().enumerate().take(count) {
                results.add(lane * rows.results_step).write_unaligned(R::finish(R::merge(base, *acc)));
            }
        }
        state.write(before);
        state.add(rows.width).write(R::merge(block, lanes[count - 1]));
    }
}

/// The same in registers of 256 bits. Nothing is contracted or reordered, so neither are the bits others.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{__m256i, _MM_HINT_T0, _mm_prefetch, _mm256_alignr_epi8, _mm256_permute2x128_si256};

    use super::{BLOCK, LANES, Rows, Scans, Writes};

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
            if (rows.width, rows.step, rows.results_step) == (1, 1, 1) {
                return line_of::<R>(elements, rows, state, results);
            }
            let (mut column, lanes) = (0, lanes::<R>());
            while column + lanes <= rows.width {
                let results = results.wrapping_add(column);
                columns::<R>(elements.wrapping_add(column), rows, state.add(column), results);
                column += lanes;
            }
            super::columns::<R>(elements, rows, column..rows.width, state, results);
            let whole = rows.count / LANES * LANES;
            if whole < rows.count && column > 0 {
                let left = Rows { first: rows.first + whole, count: rows.count - whole, ..*rows };
                let (elements, results) =
                    (elements.wrapping_add(whole * rows.step), results.wrapping_add(whole * rows.results_step));
                super::columns::<R>(elements, &left, 0..column, state, results);
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
            let mut state = [R::NOTHING; 2];
            // SAFETY: the caller's promise.
            unsafe { line_of::<R>(elements.add(line * len), &rows, state.as_mut_ptr(), results.add(line * len)) };
        }
    }

    /// Accumulators of a register, a group's at most.
    fn lanes<R: Scans>() -> usize {
        LANES.min(size_of::<__m256i>() / size_of::<R::Acc>())
    }

    /// # Safety
    /// As of [`Scanner`](super::Scanner), of one column whose elements and results follow one another.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn line_of<R: Scans>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
        // SAFETY: the caller's promise; a group has as many registers as are said.
        unsafe {
            match size_of::<R::Acc>() {
                8 => line::<R, 4>(elements, rows, state, results),
                4 => line::<R, 2>(elements, rows, state, results),
                _ => line::<R, 1>(elements, rows, state, results),
            }
        }
    }

    /// # Safety
    /// As of [`line_of`], of groups of `N` registers.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn line<R: Scans, const N: usize>(
        elements: *const R::Element,
        rows: &Rows,
        state: *mut R::Acc,
        results: *mut R::Total,
    ) {
        let (whole, last) = (rows.count / LANES * LANES, LANES / N - 1);
        // SAFETY: the caller's promise.
        unsafe {
            let (mut before, mut block) = (state.read(), state.add(1).read());
            let nothing = R::splat(R::NOTHING);
            for at in (0..whole).step_by(LANES) {
                if (rows.first + at).is_multiple_of(BLOCK) {
                    before = R::merge(before, block);
                    block = R::NOTHING;
                }
                let mut group = [nothing; N];
                for (k, lanes) in group.iter_mut().enumerate() {
                    *lanes = R::load(elements.add(at + k * (LANES / N)));
                }
                take_in::<R, N, 1>(&mut group, nothing);
                take_in::<R, N, 2>(&mut group, nothing);
                take_in::<R, N, 4>(&mut group, nothing);
                take_in::<R, N, 8>(&mut group, nothing);
                if rows.writes != Writes::Nothing {
                    let base = R::splat(R::merge(before, block));
                    for (k, lanes) in group.iter().enumerate() {
                        let to = results.add(at + k * (LANES / N));
                        R::store(R::merged(base, *lanes), to, rows.writes == Writes::Streaming);
                    }
                }
                block = R::merge(block, (&raw const group[N - 1]).cast::<R::Acc>().add(last).read());
            }
            state.write(before);
            state.add(1).write(block);
            if whole < rows.count {
                super::group::<R>(elements.add(whole), rows, whole, state, results.wrapping_add(whole));
            }
        }
    }

    /// Has each lane take in the one that stands `STEP` before it; the first of them take in nothing, which changes no bit.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn take_in<R: Scans, const N: usize, const STEP: usize>(group: &mut [__m256i; N], nothing: __m256i) {
        let bytes = STEP * size_of::<R::Acc>();
        for k in (0..N).rev() {
            let register = group[k];
            let half = _mm256_permute2x128_si256::<0x21>(if k > 0 { group[k - 1] } else { nothing }, register);
            let moved = match bytes {
                1 => _mm256_alignr_epi8::<15>(register, half),
                2 => _mm256_alignr_epi8::<14>(register, half),
                4 => _mm256_alignr_epi8::<12>(register, half),
                8 => _mm256_alignr_epi8::<8>(register, half),
                16 => half,
                _ => k.checked_sub(bytes / size_of::<__m256i>()).map_or(nothing, |k| group[k]),
            };
            // SAFETY: the caller's promise.
            group[k] = unsafe { R::merged(moved, register) };
        }
    }

    /// Whole groups of as many columns as a register has accumulators.
    ///
    /// # Safety
    /// As of [`Scanner`](super::Scanner).
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn columns<R: Scans>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
        // SAFETY: the caller's promise.
        unsafe {
            let nothing = R::splat(R::NOTHING);
            let (of_before, of_block) = (state, state.add(rows.width));
            let (mut before, mut block) = (R::read(of_before), R::read(of_block));
            for at in (0..rows.count / LANES * LANES).step_by(LANES) {
                if (rows.first + at).is_multiple_of(BLOCK) {
                    before = R::merged(before, block);
                    block = nothing;
                }
                let mut group = [nothing; LANES];
                for (lane, register) in group.iter_mut().enumerate() {
                    let from = elements.add((at + lane) * rows.step);
                    *register = R::load(from);
                    // Rows that lie apart are no stream that the machine knows.
                    _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(LANES * rows.step).cast());
                }
                take_in_rows::<R, 1>(&mut group);
                take_in_rows::<R, 2>(&mut group);
                take_in_rows::<R, 4>(&mut group);
                take_in_rows::<R, 8>(&mut group);
                if rows.writes != Writes::Nothing {
                    let base = R::merged(before, block);
                    for (lane, register) in group.iter().enumerate() {
                        R::store(R::merged(base, *register), results.add((at + lane) * rows.results_step), false);
                    }
                }
                block = R::merged(block, group[LANES - 1]);
            }
            R::keep(before, of_before);
            R::keep(block, of_block);
        }
    }

    /// Has each row take in the one that stands `STEP` before it.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn take_in_rows<R: Scans, const STEP: usize>(group: &mut [__m256i; LANES]) {
        for lane in (STEP..LANES).rev() {
            // SAFETY: the caller's promise.
            group[lane] = unsafe { R::merged(group[lane - STEP], group[lane]) };
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

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
    /// Gives what each element and those before it in its column come to. `state` is led on, unless the last rows are less than a
    /// group, with which columns end and which are always written; where nothing is written it may be led on in another order if no
    /// result depends on it.
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
    let levels = [SECTION, BLOCK].into_iter().take_while(|level| row > 0 && row.is_multiple_of(*level)).count();
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
    let mut column = columns.start;
    while column < columns.end {
        let (elements, results) = (elements.wrapping_add(column), results.wrapping_add(column));
        let state = state.wrapping_add(column);
        // SAFETY: the caller's promise, of as many columns.
        column += unsafe {
            match columns.end - column {
                1 => group_of::<R, 1>(elements, rows, at, state, results),
                2 => group_of::<R, 2>(elements, rows, at, state, results),
                3 => group_of::<R, 3>(elements, rows, at, state, results),
                _ => group_of::<R, 4>(elements, rows, at, state, results),
            }
        };
    }
}

/// As [`group`], of the first `W` columns; gives `W`.
///
/// # Safety
/// As of [`Scanner`].
#[inline(always)]
unsafe fn group_of<R: Rule, const W: usize>(
    elements: *const R::Element,
    rows: &Rows,
    at: usize,
    state: *mut R::Acc,
    results: *mut R::Total,
) -> usize {
    let merged = |a: [R::Acc; W], b: [R::Acc; W]| -> [R::Acc; W] { std::array::from_fn(|k| R::merge(a[k], b[k])) };
    // SAFETY: the caller's promise; rows of accumulators lie one behind the other.
    unsafe {
        let [section, block, before] = [0, 1, 2].map(|row| state.add(row * rows.width).cast::<[R::Acc; W]>());
        let (mut base, mut both) = (merged(merged(before.read(), block.read()), section.read()), [R::NOTHING; W]);
        let count = LANES.min(rows.count - at);
        for first in (0..count).step_by(RUN) {
            let mut run = [[R::NOTHING; W]; RUN];
            let row = |row: usize| elements.wrapping_add((first + row) * rows.step).cast::<[R::Element; W]>();
            let taken = |row: *const [R::Element; W]| row.read_unaligned().map(|x| R::take(R::NOTHING, x, 0));
            // Of a whole run all is known but where it lies.
            match count - first {
                RUN.. => (0..RUN).for_each(|k| run[k] = taken(row(k))),
                count => (0..count).for_each(|k| run[k] = taken(row(k))),
            }
            take_in(&mut run, merged);
            if rows.writes != Writes::Nothing {
                let write = |k: usize| {
                    let place = results.wrapping_add((first + k) * rows.results_step).cast::<[R::Total; W]>();
                    place.write_unaligned(merged(base, run[k]).map(R::finish));
                };
                match count - first {
                    RUN.. => (0..RUN).for_each(write),
                    count => (0..count).for_each(write),
                }
            }
            let total = run[RUN - 1];
            (base, both) = (merged(base, total), merged(both, total));
        }
        section.write(merged(section.read(), both));
    }
    W
}

/// Has each of a run take in those before it.
#[inline(always)]
fn take_in<T: Copy>(run: &mut [T], merge: impl Fn(T, T) -> T) {
    for step in [1, 2, 4] {
        for k in (step..run.len()).rev() {
            run[k] = merge(run[k - step], run[k]);
        }
    }
}

/// Gives results for less than a group that follows `base`, with which a line ends.
///
/// # Safety
/// There are `count` elements, and room for as many results.
#[inline(always)]
unsafe fn rest<R: Rule>(mut elements: *const R::Element, count: usize, mut base: R::Acc, mut results: *mut R::Total) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= RUN {
            let total = run::<R, RUN>(elements, base, results);
            (elements, base, results) = (elements.add(RUN), R::merge(base, total), results.add(RUN));
        }
        match count % RUN {
            1 => run::<R, 1>(elements, base, results),
            2 => run::<R, 2>(elements, base, results),
            3 => run::<R, 3>(elements, base, results),
            4 => run::<R, 4>(elements, base, results),
            5 => run::<R, 5>(elements, base, results),
            6 => run::<R, 6>(elements, base, results),
            7 => run::<R, 7>(elements, base, results),
            _ => base,
        };
    }
}

/// Gives results for a run that follows `base`, and what it comes to.
///
/// # Safety
/// There are `N` elements, and room for as many results.
#[inline(always)]
unsafe fn run<R: Rule, const N: usize>(elements: *const R::Element, base: R::Acc, results: *mut R::Total) -> R::Acc {
    // SAFETY: the caller's promise.
    unsafe {
        let mut run = elements.cast::<[R::Element; N]>().read_unaligned().map(|x| R::take(R::NOTHING, x, 0));
        take_in(&mut run, R::merge);
        results.cast::<[R::Total; N]>().write_unaligned(run.map(|acc| R::finish(R::merge(base, acc))));
        run[N - 1]
    }
}

/// The same in registers of 256 bits. Nothing is contracted or reordered, so neither are the bits others.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m256i, _MM_HINT_T0, _mm_prefetch, _mm256_alignr_epi8, _mm256_blend_epi32, _mm256_castsi256_si128,
        _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_testz_si256, _mm256_unpackhi_epi64,
        _mm256_unpacklo_epi64, _mm256_xor_si256, _mm256_zextsi128_si256,
    };
    use std::mem::MaybeUninit;
    use std::ops::Range;

    use super::super::stream;
    use super::{BLOCK, LANES, RUN, Rows, SECTION, STATE, Scans, Writes, group, rest, turn};

    /// Bytes that the cache holds together.
    const CACHE_LINE: usize = 64;

    /// Bytes of a row's results that are made together.
    const PIECE: usize = 512;

    /// The same of rows that lie one behind the other.
    const COMPACT_PIECE: usize = 1024;

    /// Bytes of columns' rows that are asked for ahead.
    const AHEAD: usize = 3 * PIECE;

    /// Bytes that a line is asked for ahead: what the machine asks for by itself ends with a page.
    const LINE_AHEAD: usize = 2048;

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
            // SAFETY: the caller's promise.
            unsafe {
                let (elements, results) = (elements.add(line * len), results.add(line * len));
                match len < LANES {
                    true => rest::<R>(elements, len, R::NOTHING, results),
                    false => line_of::<R>(elements, &rows, [R::NOTHING; STATE].as_mut_ptr(), results),
                }
            }
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
                let [section, block, before] = [0, 1, 2].map(|row| state.add(row).read());
                let base = R::merge(R::merge(before, block), section);
                rest::<R>(elements.add(whole), rows.count - whole, base, results.add(whole));
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
            if rows.writes == Writes::Nothing {
                return match R::IS_EXACT {
                    true => fold::<R, N>(elements, whole, state),
                    false => sections::<R>(elements, rows.first, whole, state),
                };
            }
            if R::IS_EXTREME {
                return extremes::<R, N>(elements, rows.writes, whole, state, results);
            }
            match rows.writes {
                Writes::Streaming => sums::<R, true>(elements, rows.first, whole, state, results),
                _ => sums::<R, false>(elements, rows.first, whole, state, results),
            }
        }
    }

    /// As [`line`], of sums and products, the first row of which is number `first`.
    ///
    /// # Safety
    /// As of [`line`]; accumulators have eight bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn sums<R: Scans, const STREAMS: bool>(
        elements: *const R::Element,
        first: usize,
        whole: usize,
        state: *mut R::Acc,
        results: *mut R::Total,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let nothing = R::splat(R::NOTHING);
            let [mut section, mut block, mut before] = [0, 1, 2].map(|row| R::splat(state.add(row).read()));
            let mut at = 0;
            while at < whole {
                let row = first + at;
                if row.is_multiple_of(SECTION) {
                    block = R::merged(block, section);
                    section = nothing;
                    if row.is_multiple_of(BLOCK) {
                        before = R::merged(before, block);
                        block = nothing;
                    }
                }
                let behind = R::merged(before, block);
                let end = whole.min(at + SECTION - row % SECTION);
                // One group is begun before the one before it is ended: more operations at a time that do not wait for each other.
                let mut begun = runs_at::<R>(elements.add(at), nothing);
                at += LANES;
                while at < end {
                    let next = runs_at::<R>(elements.add(at), nothing);
                    lead_on::<R, STREAMS>(begun, behind, &mut section, results.add(at - LANES));
                    begun = next;
                    at += LANES;
                }
                lead_on::<R, STREAMS>(begun, behind, &mut section, results.add(at - LANES));
            }
            for (row, accs) in [section, block, before].into_iter().enumerate() {
                state.add(row).write(first_of::<R>(accs));
            }
        }
    }

    /// A group of a line in registers, its runs side by side: each element has taken in those before it in its run.
    ///
    /// # Safety
    /// There are sixteen elements; accumulators have eight bytes; the host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn runs_at<R: Scans>(elements: *const R::Element, nothing: __m256i) -> [__m256i; 4] {
        ask_for_group::<R>(elements);
        // SAFETY: the caller's promise.
        unsafe {
            let mut group = R::load_runs(elements);
            for k in (0..4).rev() {
                let before = if k > 0 { group[k - 1] } else { nothing };
                group[k] = R::merged(_mm256_alignr_epi8::<8>(group[k], before), group[k]);
            }
            for step in [1, 2] {
                for k in (step..4).rev() {
                    group[k] = R::merged(group[k - step], group[k]);
                }
            }
            group
        }
    }

    /// Leads the state on over what [`runs_at`] gives: `behind` is what is before the group's section, `section` what is before it
    /// there.
    ///
    /// # Safety
    /// There is room for sixteen results; accumulators have eight bytes; the host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn lead_on<R: Scans, const STREAMS: bool>(
        group: [__m256i; 4],
        behind: __m256i,
        section: &mut __m256i,
        results: *mut R::Total,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let first = _mm256_permute4x64_epi64::<0x55>(group[3]);
            let second = _mm256_permute4x64_epi64::<0xff>(group[3]);
            let base = R::merged(behind, *section);
            let bases = _mm256_blend_epi32::<0xf0>(base, R::merged(base, first));
            R::store_runs::<STREAMS>(group.map(|lanes| R::merged(bases, lanes)), results);
            *section = R::merged(*section, R::merged(first, second));
        }
    }

    /// As [`line`], of extremes: most groups have none that goes beyond what came before.
    ///
    /// # Safety
    /// As of [`line`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn extremes<R: Scans, const N: usize>(
        elements: *const R::Element,
        writes: Writes,
        whole: usize,
        state: *mut R::Acc,
        results: *mut R::Total,
    ) {
        // SAFETY: the caller's promise; a group has as many registers as are said.
        unsafe {
            let [section, block, before] = [0, 1, 2].map(|row| state.add(row).read());
            let mut base = R::splat(R::merge(R::merge(before, block), section));
            for at in (0..whole).step_by(LANES) {
                let mut group = group_at::<R, N>(elements.add(at));
                let results = results.add(at);
                let store = |k: usize, lanes: __m256i| {
                    R::store(lanes, results.add(k * (LANES / N)), writes == Writes::Streaming);
                };
                let all = group.iter().fold(base, |all, lanes| R::merged(all, *lanes));
                let mut beyond = _mm256_xor_si256(all, base);
                if size_of::<R::Acc>() == 1 {
                    // The upper half is of no element.
                    beyond = _mm256_zextsi128_si256(_mm256_castsi256_si128(beyond));
                }
                if _mm256_testz_si256(beyond, beyond) == 1 {
                    (0..N).for_each(|k| store(k, base));
                    continue;
                }
                runs::<R, N>(&mut group, R::splat(R::NOTHING));
                for (k, lanes) in group.iter().enumerate() {
                    store(k, R::merged(base, *lanes));
                    if k + 1 == N.div_ceil(2) || k + 1 == N {
                        base = R::merged(base, R::last(*lanes));
                    }
                }
            }
            state.write(first_of::<R>(base));
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
                for (lanes, more) in group.iter_mut().zip(group_at::<R, N>(elements.add(at))) {
                    *lanes = R::merged(*lanes, more);
                }
            }
            for accs in group {
                let mut lanes = [R::NOTHING; LANES];
                R::keep(accs, lanes.as_mut_ptr());
                state.write(lanes.into_iter().fold(state.read(), R::merge));
            }
        }
    }

    /// Takes whole groups of floats, the first of which stands at `first`, into the state: what a run comes to needs less than what
    /// each of its elements does.
    ///
    /// # Safety
    /// As of [`line`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn sections<R: Scans>(elements: *const R::Element, first: usize, whole: usize, state: *mut R::Acc) {
        // SAFETY: the caller's promise; accumulators of floats have eight bytes.
        unsafe {
            let mut accs = [0, 1, 2].map(|row| state.add(row).read());
            for at in (0..whole).step_by(2 * LANES) {
                let groups = if whole - at > LANES { 2 } else { 1 };
                let mut halves = [R::splat(R::NOTHING); 2];
                for (k, halves) in halves.iter_mut().enumerate().take(groups) {
                    ask_for_group::<R>(elements.wrapping_add(at + k * LANES));
                    *halves = half_runs::<R>(elements.add(at + k * LANES));
                }
                // Of both groups the first runs, then the second ones.
                let runs = neighbours::<R>(halves[0], halves[1]);
                let both = R::merged(runs, _mm256_permute2x128_si256::<0x11>(runs, runs));
                let mut lanes = [R::NOTHING; LANES];
                R::keep(both, lanes.as_mut_ptr());
                for (k, group) in lanes.into_iter().enumerate().take(groups) {
                    turn::<R>(first + at + k * LANES, 1, accs.as_mut_ptr());
                    accs[0] = R::merge(accs[0], group);
                }
            }
            state.cast::<[R::Acc; 3]>().write(accs);
        }
    }

    /// What both halves of both runs of a group come to.
    ///
    /// # Safety
    /// There are sixteen elements; accumulators have eight bytes; the host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn half_runs<R: Scans>(elements: *const R::Element) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let quarters =
                [0, RUN].map(|at| neighbours::<R>(R::load(elements.add(at)), R::load(elements.add(at + RUN / 2))));
            R::merged(
                _mm256_permute2x128_si256::<0x20>(quarters[0], quarters[1]),
                _mm256_permute2x128_si256::<0x31>(quarters[0], quarters[1]),
            )
        }
    }

    /// What each two lanes of eight bytes come to: of both registers in turn.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn neighbours<R: Scans>(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { R::merged(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)) }
    }

    /// A group of a line in registers.
    ///
    /// # Safety
    /// There are sixteen elements, of which `N` registers are full; the host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn group_at<R: Scans, const N: usize>(elements: *const R::Element) -> [__m256i; N] {
        ask_for_group::<R>(elements);
        // SAFETY: the caller's promise.
        unsafe {
            let mut group = [R::splat(R::NOTHING); N];
            for (k, lanes) in group.iter_mut().enumerate() {
                *lanes = R::load(elements.add(k * (LANES / N)));
            }
            group
        }
    }

    /// Has the groups of a line that come next brought to the cache.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn ask_for_group<R: Scans>(group: *const R::Element) {
        for at in (0..LANES * size_of::<R::Element>()).step_by(CACHE_LINE) {
            _mm_prefetch::<_MM_HINT_T0>(group.cast::<i8>().wrapping_add(LINE_AHEAD + at));
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

    /// The first accumulator.
    ///
    /// # Safety
    /// The host has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn first_of<R: Scans>(accs: __m256i) -> R::Acc {
        let mut lanes = [R::NOTHING; LANES];
        // SAFETY: a register has sixteen accumulators at most.
        unsafe { R::keep(accs, lanes.as_mut_ptr()) };
        lanes[0]
    }

    /// Some rows of a group of columns: a run, or what is left of one at the end.
    #[derive(Clone, Copy)]
    struct Run {
        count: usize,
        /// Of its group.
        is_second: bool,
    }

    /// Run by run, piece by piece over all columns, so that rows are read and written in the order of memory.
    ///
    /// # Safety
    /// As of [`Scanner`](super::Scanner).
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn columns<R: Scans>(elements: *const R::Element, rows: &Rows, state: *mut R::Acc, results: *mut R::Total) {
        let whole = rows.width / lanes::<R>() * lanes::<R>();
        let pieces = Pieces::<R> { rows, whole, state };
        for at in (0..rows.count).step_by(RUN) {
            let run = Run { count: RUN.min(rows.count - at), is_second: !at.is_multiple_of(LANES) };
            let (from, to) = (elements.wrapping_add(at * rows.step), results.wrapping_add(at * rows.results_step));
            // SAFETY: the caller's promise.
            unsafe {
                if !run.is_second {
                    turn::<R>(rows.first + at, rows.width, state);
                    group::<R>(from, rows, at, whole..rows.width, state, to);
                }
                match rows.writes {
                    _ if whole == 0 => (),
                    Writes::Streaming => pieces.stream(from, run, to),
                    _ => pieces.lead(from, run, 0..whole, to, rows.results_step),
                }
            }
        }
    }

    /// Columns whose state is led on piece by piece.
    struct Pieces<'a, R: Scans> {
        rows: &'a Rows,
        /// Columns of whole registers.
        whole: usize,
        state: *mut R::Acc,
    }

    /// Results of a run's piece, and of each of its rows what did not fill a line of the cache.
    type Buffer = [u8; RUN * COMPACT_PIECE];

    /// Bytes of one row of these.
    const BUFFERED: usize = PIECE + CACHE_LINE;

    impl<R: Scans> Pieces<'_, R> {
        /// Leads the state over a run whose results go past the caches. Eight rows at a time would keep memory from giving and taking
        /// what lies together, so that a piece's results wait in the first cache.
        ///
        /// # Safety
        /// As of [`columns`]; elements and results are where the run's first ones are.
        #[target_feature(enable = "avx2")]
        unsafe fn stream(&self, elements: *const R::Element, run: Run, results: *mut R::Total) {
            let size = size_of::<R::Total>();
            let mut buffer = MaybeUninit::<Buffer>::uninit();
            let buffer = buffer.as_mut_ptr().cast::<u8>();
            // SAFETY: the caller's promise; of each row the buffer has room for a piece, and for less than a line before it.
            unsafe {
                if self.rows.results_step == self.whole && self.whole * size <= COMPACT_PIECE {
                    self.lead(elements, run, 0..self.whole, buffer.cast(), self.whole);
                    return stream::copy(buffer, results.cast(), run.count * self.whole * size);
                }
                let mut left = 0;
                for column in (0..self.whole).step_by(PIECE / size) {
                    let end = self.whole.min(column + PIECE / size);
                    self.lead(elements, run, column..end, buffer.add(left).cast(), BUFFERED / size);
                    let place = results.wrapping_add(column).cast::<u8>().wrapping_sub(left);
                    let all = left + (end - column) * size;
                    left = if end < self.whole { (place.addr() + all) % CACHE_LINE } else { 0 };
                    for row in 0..run.count {
                        let buffer = buffer.add(row * BUFFERED);
                        stream::copy(buffer, place.wrapping_add(row * self.rows.results_step * size), all - left);
                        let rest = buffer.add(all - left).cast::<[MaybeUninit<u8>; CACHE_LINE]>().read_unaligned();
                        buffer.cast::<[MaybeUninit<u8>; CACHE_LINE]>().write_unaligned(rest);
                    }
                }
            }
        }

        /// Leads the state over a run of some columns, and writes results from `results` on.
        ///
        /// # Safety
        /// As of [`columns`]; elements are where the run's first ones are.
        #[target_feature(enable = "avx2")]
        #[inline]
        unsafe fn lead(
            &self,
            elements: *const R::Element,
            run: Run,
            columns: Range<usize>,
            results: *mut R::Total,
            step: usize,
        ) {
            let row_bytes = columns.len() * size_of::<R::Element>();
            let ahead = match columns.end < self.whole {
                true => elements.wrapping_add(columns.end),
                // Runs of narrow rows are done before memory gives the next one.
                false => elements.wrapping_add(RUN * (AHEAD / row_bytes).max(1) * self.rows.step),
            };
            let (mut row_ahead, mut asked, mut owed) = (ahead.cast::<i8>(), 0, 0);
            for at in columns.clone().step_by(lanes::<R>()) {
                // As much as is read, but row by row.
                owed += RUN * lanes::<R>() * size_of::<R::Element>();
                while owed >= CACHE_LINE {
                    _mm_prefetch::<_MM_HINT_T0>(row_ahead.wrapping_add(asked));
                    (owed, asked) = (owed - CACHE_LINE, asked + CACHE_LINE);
                    if asked >= row_bytes {
                        row_ahead = row_ahead.wrapping_add(self.rows.step * size_of::<R::Element>());
                        asked = 0;
                    }
                }
                let (from, to) = (elements.wrapping_add(at), results.wrapping_add(at - columns.start));
                // SAFETY: the caller's promise.
                unsafe {
                    match run.count {
                        RUN => self.registers::<RUN>(from, run, at, to, step),
                        _ => self.registers::<0>(from, run, at, to, step),
                    }
                }
            }
        }

        /// Leads the state over a run of a register's columns; of `COUNT` rows unless that is 0.
        ///
        /// # Safety
        /// As of [`columns`]; elements and results are where the run and its first column are.
        #[target_feature(enable = "avx2")]
        #[inline]
        unsafe fn registers<const COUNT: usize>(
            &self,
            elements: *const R::Element,
            run: Run,
            column: usize,
            results: *mut R::Total,
            step: usize,
        ) {
            let count = if COUNT > 0 { COUNT } else { run.count };
            // SAFETY: the caller's promise.
            unsafe {
                let mut accs = [R::splat(R::NOTHING); RUN];
                for (row, accs) in accs.iter_mut().enumerate().take(count) {
                    *accs = R::load(elements.add(row * self.rows.step));
                }
                for step in [1, 2, 4] {
                    for row in (step..RUN).rev() {
                        accs[row] = R::merged(accs[row - step], accs[row]);
                    }
                }
                let total = accs[RUN - 1];
                let [section, block, before, first] =
                    [0, 1, 2, 3].map(|row| self.state.add(row * self.rows.width + column));
                let mut base = R::merged(R::merged(R::read(before), R::read(block)), R::read(section));
                if run.is_second {
                    let first = R::read(first);
                    base = R::merged(base, first);
                    R::keep(R::merged(R::read(section), R::merged(first, total)), section);
                } else {
                    R::keep(total, first);
                }
                if self.rows.writes != Writes::Nothing {
                    for (row, accs) in accs.iter().enumerate().take(count) {
                        R::store(R::merged(base, *accs), results.wrapping_add(row * step), false);
                    }
                }
            }
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

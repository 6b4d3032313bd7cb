//! Elements to totals: sixteen accumulators a block, whichever way the elements come. The same bits as one at a time.
//!
//! Element `k` of a block goes to accumulator `k` mod 16. Where blocks of several places are folded at once, accumulators
//! lie place by place, sixteen rows of them.
#![expect(unsafe_code, reason = "elements and accumulators of any type are reached by address")]

use std::marker::PhantomData;

use crate::dtype::DType;
use crate::ir::Fold;
use crate::strip::ACCUMULATORS;

/// Accumulators of a block.
pub(super) const LANES: usize = ACCUMULATORS;

/// Elements of a block.
pub(crate) const BLOCK: usize = 4096;

/// A way to fold elements of one dtype into a total of another.
///
/// # Safety
/// Of every method: accumulators are addresses of so many, aligned to 16, which [`reset`](Folder::reset) has written; elements
/// may lie unaligned; results have room.
pub(super) trait Folder: Sync {
    /// Bytes of an accumulator.
    fn size(&self) -> usize;

    /// Makes `count` accumulators those of no elements.
    unsafe fn reset(&self, accs: *mut u8, count: usize);

    /// Takes `rows` rows of `width` elements, of which the first stands at `row` of its block, into as many of sixteen rows of
    /// accumulators as there are, in turn.
    unsafe fn across(&self, accs: *mut u8, elements: *const u8, width: usize, row: usize, rows: usize);

    /// Takes elements that stand from `at` on into the sixteen accumulators of one place.
    unsafe fn along(&self, accs: *mut u8, elements: *const u8, count: usize, at: usize);

    /// Gives what each of `rows` rows of `len` elements, each of one block at most, comes to.
    unsafe fn rows(&self, elements: *const u8, len: usize, rows: usize, results: *mut u8);

    /// As [`rows`](Folder::rows), of `width` columns each: for panels of `len` times `width` elements, the column fastest.
    /// Gives false if it has no way for columns of that length that is better than one by one.
    unsafe fn columns(&self, elements: *const u8, len: usize, width: usize, panels: usize, results: *mut u8) -> bool;

    /// Takes the k-th of the other accumulators, which stand for later elements, into the k-th of these.
    unsafe fn merge(&self, accs: *mut u8, others: *const u8, count: usize);

    /// Folds the sixteen accumulators of one place by halves into the first.
    unsafe fn halve_one(&self, accs: *mut u8);

    /// Gives what the accumulators come to.
    unsafe fn finish(&self, accs: *const u8, count: usize, results: *mut u8);

    /// Folds rows of `width` accumulators by halves into the first; those beyond `rows`, sixteen at most, hold nothing.
    unsafe fn halve(&self, accs: *mut u8, width: usize, mut rows: usize) {
        if width == 1 && rows == LANES {
            // SAFETY: the caller's promise.
            return unsafe { self.halve_one(accs) };
        }
        for half in [8, 4, 2, 1] {
            if rows > half {
                // SAFETY: the caller's promise; the upper half lies behind the lower.
                unsafe { self.merge(accs, accs.add(half * width * self.size()), (rows - half) * width) };
                rows = half;
            }
        }
    }
}

/// What folding means for one element. What nothing is taken into, or is merged with, is as it was.
pub(super) trait Rule: Sized + Sync {
    type Element: Copy;
    type Acc: Copy;
    type Total: Copy;
    const NOTHING: Self::Acc;
    const IS_INDEXED: bool = false;
    fn take(acc: Self::Acc, x: Self::Element, at: usize) -> Self::Acc;
    fn merge(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(acc: Self::Acc) -> Self::Total;
}

struct By<R>(PhantomData<fn(R)>);

impl<R: Rule> Folder for By<R> {
    fn size(&self) -> usize {
        size_of::<R::Acc>()
    }

    unsafe fn reset(&self, accs: *mut u8, count: usize) {
        let accs = accs.cast::<R::Acc>();
        // SAFETY: there is room for `count` accumulators.
        (0..count).for_each(|k| unsafe { accs.add(k).write(R::NOTHING) });
    }

    unsafe fn across(&self, accs: *mut u8, elements: *const u8, width: usize, row: usize, rows: usize) {
        let (accs, elements) = (accs.cast(), elements.cast());
        // SAFETY: the caller's promise; the host has what the second form is compiled for.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::across::<R>(accs, elements, width, row, rows);
            }
            across::<R>(accs, elements, width, row, rows);
        }
    }

    unsafe fn along(&self, accs: *mut u8, elements: *const u8, count: usize, at: usize) {
        let (accs, elements) = (accs.cast(), elements.cast());
        // SAFETY: as in `across`.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::along::<R>(accs, elements, count, at);
            }
            along::<R>(accs, elements, count, at);
        }
    }

    unsafe fn rows(&self, elements: *const u8, len: usize, rows: usize, results: *mut u8) {
        let (elements, results) = (elements.cast(), results.cast());
        // SAFETY: as in `across`.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::rows::<R>(elements, len, rows, results);
            }
            self::rows::<R>(elements, len, rows, results);
        }
    }

    unsafe fn columns(&self, elements: *const u8, len: usize, width: usize, panels: usize, results: *mut u8) -> bool {
        let (elements, results) = (elements.cast(), results.cast());
        // SAFETY: as in `across`.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                return wide::columns::<R>(elements, len, width, panels, results);
            }
            self::columns::<R>(elements, len, width, panels, results)
        }
    }

    unsafe fn merge(&self, accs: *mut u8, others: *const u8, count: usize) {
        let (accs, others) = (accs.cast::<R::Acc>(), others.cast::<R::Acc>());
        // SAFETY: the caller's promise.
        (0..count).for_each(|k| unsafe { accs.add(k).write(R::merge(accs.add(k).read(), others.add(k).read())) });
    }

    unsafe fn halve_one(&self, accs: *mut u8) {
        let accs = accs.cast::<[R::Acc; LANES]>();
        // SAFETY: the caller's promise.
        unsafe { accs.cast::<R::Acc>().write(halved::<R>(accs.read())) };
    }

    unsafe fn finish(&self, accs: *const u8, count: usize, results: *mut u8) {
        let (accs, results) = (accs.cast::<R::Acc>(), results.cast::<R::Total>());
        // SAFETY: the caller's promise.
        (0..count).for_each(|k| unsafe { results.add(k).write_unaligned(R::finish(accs.add(k).read())) });
    }
}

/// # Safety
/// As [`Folder::across`].
#[inline(always)]
unsafe fn across<R: Rule>(accs: *mut R::Acc, elements: *const R::Element, width: usize, row: usize, rows: usize) {
    // Where no element knows its row, those that follow one another go as far as the accumulators do.
    let most = if R::IS_INDEXED { 1 } else { LANES };
    let mut done = 0;
    while done < rows {
        let lane = (row + done) % LANES;
        let some = most.min(LANES - lane).min(rows - done);
        // SAFETY: the caller's promise.
        unsafe {
            let (accs, elements) = (accs.add(lane * width), elements.add(done * width));
            for k in 0..some * width {
                accs.add(k).write(R::take(accs.add(k).read(), elements.add(k).read_unaligned(), row + done));
            }
        }
        done += some;
    }
}

/// # Safety
/// As [`Folder::along`].
#[inline(always)]
unsafe fn along<R: Rule>(accs: *mut R::Acc, elements: *const R::Element, count: usize, at: usize) {
    // SAFETY: the caller's promise; every index into the sixteen is taken modulo 16.
    unsafe {
        let one = |k: usize| {
            let acc = accs.add((at + k) % LANES);
            acc.write(R::take(acc.read(), elements.add(k).read_unaligned(), at + k));
        };
        let first = (at.next_multiple_of(LANES) - at).min(count);
        (0..first).for_each(one);
        let whole = (count - first) / LANES * LANES;
        // A copy of which no element is indexed by a variable can stay in registers.
        let mut lanes = accs.cast::<[R::Acc; LANES]>().read();
        for k in (first..first + whole).step_by(LANES) {
            let group = elements.add(k).cast::<[R::Element; LANES]>().read_unaligned();
            for lane in 0..LANES {
                lanes[lane] = R::take(lanes[lane], group[lane], at + k + lane);
            }
        }
        accs.cast::<[R::Acc; LANES]>().write(lanes);
        (first + whole..count).for_each(one);
    }
}

/// # Safety
/// As [`Folder::rows`].
#[inline(always)]
unsafe fn rows<R: Rule>(elements: *const R::Element, len: usize, rows: usize, results: *mut R::Total) {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            1 => short_rows::<R, 1>(elements, rows, results),
            2 => short_rows::<R, 2>(elements, rows, results),
            3 => short_rows::<R, 3>(elements, rows, results),
            4 => short_rows::<R, 4>(elements, rows, results),
            8 => short_rows::<R, 8>(elements, rows, results),
            _ => {
                for first in (0..rows).step_by(TOGETHER) {
                    let count = TOGETHER.min(rows - first);
                    let mut quarters = [[R::NOTHING; 4]; TOGETHER];
                    for (at, quarter) in quarters.iter_mut().enumerate().take(count) {
                        *quarter = row::<R>(elements.add((first + at) * len), len);
                    }
                    let mut totals = [R::finish(R::NOTHING); TOGETHER];
                    for (total, [a, b, c, d]) in totals.iter_mut().zip(quarters) {
                        *total = R::finish(R::merge(R::merge(a, c), R::merge(b, d)));
                    }
                    let totals = totals.as_ptr().cast::<u8>();
                    let results = results.add(first).cast::<u8>();
                    results.copy_from_nonoverlapping(totals, count * size_of::<R::Total>());
                }
            }
        }
    }
}

/// Rows whose last four accumulators are folded together, each in a lane of its own.
const TOGETHER: usize = 8;

/// What one row comes to, but for the last two halvings.
///
/// # Safety
/// There are `len` elements.
#[inline(always)]
unsafe fn row<R: Rule>(elements: *const R::Element, len: usize) -> [R::Acc; 4] {
    let whole = len / LANES * LANES;
    let mut lanes = [R::NOTHING; LANES];
    // SAFETY: the caller's promise.
    unsafe {
        for k in (0..whole).step_by(LANES) {
            let group = elements.add(k).cast::<[R::Element; LANES]>().read_unaligned();
            for lane in 0..LANES {
                lanes[lane] = R::take(lanes[lane], group[lane], k + lane);
            }
        }
        if whole < len {
            let mut rest = lanes;
            for (lane, acc) in rest.iter_mut().enumerate().take(len - whole) {
                *acc = R::take(*acc, elements.add(whole + lane).read_unaligned(), whole + lane);
            }
            lanes = rest;
        }
    }
    quartered::<R>(lanes)
}

/// # Safety
/// As [`Folder::columns`].
#[inline(always)]
unsafe fn columns<R: Rule>(
    elements: *const R::Element,
    len: usize,
    width: usize,
    panels: usize,
    results: *mut R::Total,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            1 => short_columns::<R, 1>(elements, width, panels, results),
            2 => short_columns::<R, 2>(elements, width, panels, results),
            3 => short_columns::<R, 3>(elements, width, panels, results),
            4 => short_columns::<R, 4>(elements, width, panels, results),
            8 => short_columns::<R, 8>(elements, width, panels, results),
            _ => return false,
        }
    }
    true
}

/// The sixteen by halves to four.
#[inline(always)]
fn quartered<R: Rule>(mut lanes: [R::Acc; LANES]) -> [R::Acc; 4] {
    let mut fold = |half: usize| {
        for k in 0..half {
            lanes[k] = R::merge(lanes[k], lanes[k + half]);
        }
    };
    fold(8);
    fold(4);
    [lanes[0], lanes[1], lanes[2], lanes[3]]
}

#[inline(always)]
fn halved<R: Rule>(lanes: [R::Acc; LANES]) -> R::Acc {
    let [a, b, c, d] = quartered::<R>(lanes);
    R::merge(R::merge(a, c), R::merge(b, d))
}

/// A few elements: accumulators that nothing was taken into change nothing, and are left out.
#[inline(always)]
fn short<R: Rule, const N: usize>(elements: [R::Element; N]) -> R::Total {
    let mut accs = [R::NOTHING; N];
    for lane in 0..N {
        accs[lane] = R::take(R::NOTHING, elements[lane], lane);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            if lane + half < N {
                accs[lane] = R::merge(accs[lane], accs[lane + half]);
            }
        }
    }
    R::finish(accs[0])
}

/// # Safety
/// As [`Folder::rows`], for rows of `N`.
#[inline(always)]
unsafe fn short_rows<R: Rule, const N: usize>(elements: *const R::Element, rows: usize, results: *mut R::Total) {
    for at in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            let row = elements.add(at * N).cast::<[R::Element; N]>().read_unaligned();
            results.add(at).write_unaligned(short::<R, N>(row));
        }
    }
}

/// # Safety
/// As [`Folder::columns`], for columns of `N`.
#[inline(always)]
unsafe fn short_columns<R: Rule, const N: usize>(
    elements: *const R::Element,
    width: usize,
    panels: usize,
    results: *mut R::Total,
) {
    for panel in 0..panels {
        // SAFETY: the caller's promise.
        unsafe {
            let (elements, results) = (elements.add(panel * N * width), results.add(panel * width));
            for column in 0..width {
                let mut lanes = [elements.add(column).read_unaligned(); N];
                for (lane, x) in lanes.iter_mut().enumerate().skip(1) {
                    *x = elements.add(lane * width + column).read_unaligned();
                }
                results.add(column).write_unaligned(short::<R, N>(lanes));
            }
        }
    }
}

/// The same in wider vectors. Nothing is contracted or reordered, so neither are the bits others.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::Rule;

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn across<R: Rule>(
        accs: *mut R::Acc,
        elements: *const R::Element,
        width: usize,
        row: usize,
        rows: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { super::across::<R>(accs, elements, width, row, rows) }
    }

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn along<R: Rule>(accs: *mut R::Acc, elements: *const R::Element, count: usize, at: usize) {
        // SAFETY: the caller's promise.
        unsafe { super::along::<R>(accs, elements, count, at) }
    }

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn columns<R: Rule>(
        elements: *const R::Element,
        len: usize,
        width: usize,
        panels: usize,
        results: *mut R::Total,
    ) -> bool {
        // SAFETY: the caller's promise.
        unsafe { super::columns::<R>(elements, len, width, panels, results) }
    }

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn rows<R: Rule>(elements: *const R::Element, len: usize, rows: usize, results: *mut R::Total) {
        // SAFETY: the caller's promise.
        unsafe { super::rows::<R>(elements, len, rows, results) }
    }
}

pub(super) struct Sum<E, T>(PhantomData<(E, T)>);
pub(super) struct Product<E, T>(PhantomData<(E, T)>);
pub(super) struct Min<E>(PhantomData<E>);
pub(super) struct Max<E>(PhantomData<E>);
struct Any;
struct All;
struct Count;
struct ArgMin<E>(PhantomData<E>);
struct ArgMax<E>(PhantomData<E>);

macro_rules! float_sums {
    ($($element:ty => $total:ty;)+) => { $(
        impl Rule for Sum<$element, $total> {
            type Element = $element;
            type Acc = f64;
            type Total = $total;
            const NOTHING: f64 = -0.0;
            #[inline(always)]
            fn take(acc: f64, x: $element, _: usize) -> f64 { acc + x as f64 }
            #[inline(always)]
            fn merge(a: f64, b: f64) -> f64 { a + b }
            #[inline(always)]
            fn finish(acc: f64) -> $total { acc as $total }
        }

        impl Rule for Product<$element, $total> {
            type Element = $element;
            type Acc = f64;
            type Total = $total;
            const NOTHING: f64 = 1.0;
            #[inline(always)]
            fn take(acc: f64, x: $element, _: usize) -> f64 { acc * x as f64 }
            #[inline(always)]
            fn merge(a: f64, b: f64) -> f64 { a * b }
            #[inline(always)]
            fn finish(acc: f64) -> $total { acc as $total }
        }
    )+ };
}

float_sums! { f32 => f32; f32 => f64; f64 => f64; }

macro_rules! int_sums {
    ($($element:ty => $total:ty;)+) => { $(
        impl Rule for Sum<$element, $total> {
            type Element = $element;
            type Acc = $total;
            type Total = $total;
            const NOTHING: $total = 0;
            #[inline(always)]
            fn take(acc: $total, x: $element, _: usize) -> $total { acc.wrapping_add(x as $total) }
            #[inline(always)]
            fn merge(a: $total, b: $total) -> $total { a.wrapping_add(b) }
            #[inline(always)]
            fn finish(acc: $total) -> $total { acc }
        }

        impl Rule for Product<$element, $total> {
            type Element = $element;
            type Acc = $total;
            type Total = $total;
            const NOTHING: $total = 1;
            #[inline(always)]
            fn take(acc: $total, x: $element, _: usize) -> $total { acc.wrapping_mul(x as $total) }
            #[inline(always)]
            fn merge(a: $total, b: $total) -> $total { a.wrapping_mul(b) }
            #[inline(always)]
            fn finish(acc: $total) -> $total { acc }
        }
    )+ };
}

int_sums! {
    i8 => i64; i16 => i64; i32 => i64; i64 => i64;
    u8 => u64; u16 => u64; u32 => u64; u64 => u64;
    // Bools.
    u8 => i64;
}

/// A dtype of which one element is less than another.
pub(super) trait Ordered: Copy + PartialOrd + Sync + 'static {
    const GREATEST: Self;
    /// IEEE 754-2019 `minimum`, and its like.
    fn minimum(self, other: Self) -> Self;
    /// A number that is greater where this is less: a maximum is a minimum between two flips.
    fn flip(self) -> Self;
    fn is_nan(self) -> bool;
}

macro_rules! ordered_ints {
    ($($int:ident)+) => { $(
        impl Ordered for $int {
            const GREATEST: $int = $int::MAX;
            #[inline(always)]
            fn minimum(self, other: $int) -> $int { self.min(other) }
            #[inline(always)]
            fn flip(self) -> $int { !self }
            #[inline(always)]
            fn is_nan(self) -> bool { false }
        }
    )+ };
}

ordered_ints!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! ordered_floats {
    ($($float:ident)+) => { $(
        impl Ordered for $float {
            const GREATEST: $float = $float::INFINITY;
            /// Where neither is less, both are of the same bits, zeros or one of them NaN. So each asked before the other they
            /// differ only there, and the bits of both together are that number, -0 if one is, NaN if one is.
            #[inline(always)]
            fn minimum(self, other: $float) -> $float {
                let (a, b) = (if self < other { self } else { other }, if other < self { other } else { self });
                $float::from_bits(a.to_bits() | b.to_bits())
            }
            #[inline(always)]
            fn flip(self) -> $float { -self }
            #[inline(always)]
            fn is_nan(self) -> bool { self != self }
        }
    )+ };
}

ordered_floats!(f32 f64);

impl<E: Ordered> Rule for Min<E> {
    type Element = E;
    type Acc = E;
    type Total = E;
    const NOTHING: E = E::GREATEST;
    #[inline(always)]
    fn take(acc: E, x: E, _: usize) -> E {
        acc.minimum(x)
    }
    #[inline(always)]
    fn merge(a: E, b: E) -> E {
        a.minimum(b)
    }
    #[inline(always)]
    fn finish(acc: E) -> E {
        acc
    }
}

impl<E: Ordered> Rule for Max<E> {
    type Element = E;
    type Acc = E;
    type Total = E;
    const NOTHING: E = E::GREATEST;
    #[inline(always)]
    fn take(acc: E, x: E, _: usize) -> E {
        acc.minimum(x.flip())
    }
    #[inline(always)]
    fn merge(a: E, b: E) -> E {
        a.minimum(b)
    }
    #[inline(always)]
    fn finish(acc: E) -> E {
        acc.flip()
    }
}

macro_rules! of_bools {
    ($($rule:ident: $acc:ty, $nothing:literal, $op:tt;)+) => { $(
        impl Rule for $rule {
            type Element = u8;
            type Acc = $acc;
            type Total = $acc;
            const NOTHING: $acc = $nothing;
            #[inline(always)]
            fn take(acc: $acc, x: u8, _: usize) -> $acc { acc $op x as $acc }
            #[inline(always)]
            fn merge(a: $acc, b: $acc) -> $acc { a $op b }
            #[inline(always)]
            fn finish(acc: $acc) -> $acc { acc }
        }
    )+ };
}

of_bools! { Any: u8, 0, |; All: u8, 1, &; Count: i64, 0, +; }

/// An element and where it stands.
#[derive(Clone, Copy)]
struct Placed<E> {
    x: E,
    /// `usize::MAX` of no element.
    at: usize,
}

impl<E: Ordered> Placed<E> {
    /// The one that `is_better` says, the first of equal ones; a NaN is better than any number.
    #[inline(always)]
    fn better(self, other: Placed<E>, is_better: impl Fn(E, E) -> bool) -> Placed<E> {
        let wins = |a: Placed<E>, b: Placed<E>| is_better(a.x, b.x) || (a.x.is_nan() && !b.x.is_nan());
        let other_wins = match (self.at, other.at) {
            (usize::MAX, _) => true,
            (_, usize::MAX) => false,
            _ if wins(other, self) => true,
            _ if wins(self, other) => false,
            _ => other.at < self.at,
        };
        if other_wins { other } else { self }
    }
}

macro_rules! places {
    ($($rule:ident, $op:tt;)+) => { $(
        impl<E: Ordered> Rule for $rule<E> {
            type Element = E;
            type Acc = Placed<E>;
            type Total = i64;
            const NOTHING: Placed<E> = Placed { x: E::GREATEST, at: usize::MAX };
            const IS_INDEXED: bool = true;
            #[inline(always)]
            fn take(acc: Placed<E>, x: E, at: usize) -> Placed<E> {
                // Seldom by far.
                if x $op acc.x || x.is_nan() || acc.at == usize::MAX {
                    return acc.better(Placed { x, at }, |a, b| a $op b);
                }
                acc
            }
            #[inline(always)]
            fn merge(a: Placed<E>, b: Placed<E>) -> Placed<E> {
                a.better(b, |a, b| a $op b)
            }
            #[inline(always)]
            fn finish(acc: Placed<E>) -> i64 {
                acc.at as i64
            }
        }
    )+ };
}

places! { ArgMin, <; ArgMax, >; }

/// The folder of the rule.
const fn by<R: Rule + 'static>() -> &'static dyn Folder {
    &const { By::<R>(PhantomData) }
}

/// What `by` of the place gives for a rule of elements of the dtype; a bool is a byte.
macro_rules! by_element {
    ($rule:ident, $dtype:expr) => {
        match $dtype {
            DType::Bool | DType::U8 => by::<$rule<u8>>(),
            DType::I8 => by::<$rule<i8>>(),
            DType::I16 => by::<$rule<i16>>(),
            DType::I32 => by::<$rule<i32>>(),
            DType::I64 => by::<$rule<i64>>(),
            DType::U16 => by::<$rule<u16>>(),
            DType::U32 => by::<$rule<u32>>(),
            DType::U64 => by::<$rule<u64>>(),
            DType::F32 => by::<$rule<f32>>(),
            DType::F64 => by::<$rule<f64>>(),
        }
    };
}

pub(super) use by_element;

/// The same for a rule whose totals have NumPy's dtype for sums.
macro_rules! by_sum {
    ($rule:ident, $dtype:expr) => {
        match $dtype {
            DType::Bool => by::<$rule<u8, i64>>(),
            DType::I8 => by::<$rule<i8, i64>>(),
            DType::I16 => by::<$rule<i16, i64>>(),
            DType::I32 => by::<$rule<i32, i64>>(),
            DType::I64 => by::<$rule<i64, i64>>(),
            DType::U8 => by::<$rule<u8, u64>>(),
            DType::U16 => by::<$rule<u16, u64>>(),
            DType::U32 => by::<$rule<u32, u64>>(),
            DType::U64 => by::<$rule<u64, u64>>(),
            DType::F32 => by::<$rule<f32, f32>>(),
            DType::F64 => by::<$rule<f64, f64>>(),
        }
    };
}

pub(super) use by_sum;

/// How elements of `from` are folded to a total of `to`, which the fold gives.
pub(super) fn folder(fold: Fold, from: DType, to: DType) -> &'static dyn Folder {
    let widens = (from, to) == (DType::F32, DType::F64);
    match fold {
        Fold::Sum if widens => by::<Sum<f32, f64>>(),
        Fold::Product if widens => by::<Product<f32, f64>>(),
        Fold::Sum => by_sum!(Sum, from),
        Fold::Product => by_sum!(Product, from),
        Fold::Min if from == DType::Bool => by::<All>(),
        Fold::Max if from == DType::Bool => by::<Any>(),
        Fold::Min => by_element!(Min, from),
        Fold::Max => by_element!(Max, from),
        Fold::Any => by::<Any>(),
        Fold::All => by::<All>(),
        Fold::Count => by::<Count>(),
        Fold::ArgMin => by_element!(ArgMin, from),
        Fold::ArgMax => by_element!(ArgMax, from),
    }
}

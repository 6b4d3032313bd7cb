//! Accumulators in registers of 256 bits: loaded from elements, merged, and stored as results.
#![expect(unsafe_code, reason = "registers are loaded and stored through addresses")]

use std::arch::x86_64::*;

use super::fold::{Max, Min, Ordered, Product, Rule, Sum};

/// A rule whose accumulators lie in registers, sixteen at most in one. The same bits as one at a time.
///
/// # Safety
/// Of every method: the host has AVX2; there are as many elements, accumulators or places as a register has accumulators, at
/// any alignment unless results are streamed: those lie at a multiple of 16 bytes.
pub(super) trait Scans: Rule {
    /// Whether elements may be taken in any order.
    const IS_EXACT: bool;
    /// Whether what was taken in may be taken in again.
    const IS_EXTREME: bool = false;
    /// What elements come to by themselves.
    unsafe fn load(from: *const Self::Element) -> __m256i;
    unsafe fn splat(acc: Self::Acc) -> __m256i;
    unsafe fn merged(a: __m256i, b: __m256i) -> __m256i;
    /// Writes what accumulators come to.
    unsafe fn store(accs: __m256i, to: *mut Self::Total, streams: bool);

    /// Has all lanes be the last one.
    #[inline(always)]
    unsafe fn last(accs: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            match size_of::<Self::Acc>() {
                8 => _mm256_permute4x64_epi64::<0xff>(accs),
                4 => _mm256_permutevar8x32_epi32(accs, _mm256_set1_epi32(7)),
                2 => _mm256_set1_epi16(_mm256_extract_epi16::<15>(accs) as i16),
                _ => _mm256_set1_epi8(_mm256_extract_epi8::<15>(accs) as i8),
            }
        }
    }

    /// What the sixteen elements of a group come to by themselves, where accumulators have eight bytes: the lower half of each
    /// register has two elements of the first run, the upper one those of the second, so that no step of a run crosses halves.
    #[inline(always)]
    unsafe fn load_runs(from: *const Self::Element) -> [__m256i; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            let [a, b, c, d] = [0, 4, 8, 12].map(|at| Self::load(from.add(at)));
            let ([a, c], [b, d]) = (halves(a, c), halves(b, d));
            [a, c, b, d]
        }
    }

    /// Writes what accumulators come to that lie as [`load_runs`](Scans::load_runs) has them.
    #[inline(always)]
    unsafe fn store_runs<const STREAMS: bool>(accs: [__m256i; 4], to: *mut Self::Total) {
        // SAFETY: the caller's promise.
        unsafe {
            let ([a, c], [b, d]) = (halves(accs[0], accs[1]), halves(accs[2], accs[3]));
            for (k, accs) in [a, b, c, d].into_iter().enumerate() {
                Self::store(accs, to.add(4 * k), STREAMS);
            }
        }
    }

    #[inline(always)]
    unsafe fn read(from: *const Self::Acc) -> __m256i {
        // SAFETY: the caller's promise; of bytes a register holds sixteen.
        unsafe {
            match size_of::<Self::Acc>() {
                1 => _mm256_zextsi128_si256(_mm_loadu_si128(from.cast())),
                _ => _mm256_loadu_si256(from.cast()),
            }
        }
    }

    #[inline(always)]
    unsafe fn keep(accs: __m256i, to: *mut Self::Acc) {
        // SAFETY: as of `read`.
        unsafe {
            match size_of::<Self::Acc>() {
                1 => _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(accs)),
                _ => _mm256_storeu_si256(to.cast(), accs),
            }
        }
    }
}

/// The lower halves, then the upper halves.
#[target_feature(enable = "avx2")]
#[inline]
fn halves(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
}

/// Writes 16 or 32 bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn put<const BYTES: usize>(value: __m256i, to: *mut u8, streams: bool) {
    let (low, to) = (_mm256_castsi256_si128(value), to.cast::<__m128i>());
    // SAFETY: the caller's promise.
    unsafe {
        match (BYTES, streams) {
            (16, false) => _mm_storeu_si128(to, low),
            (16, true) => _mm_stream_si128(to, low),
            (_, false) => _mm256_storeu_si256(to.cast(), value),
            (_, true) if to.addr().is_multiple_of(size_of::<__m256i>()) => _mm256_stream_si256(to.cast(), value),
            (_, true) => {
                _mm_stream_si128(to, low);
                _mm_stream_si128(to.add(1), _mm256_extracti128_si256::<1>(value));
            }
        }
    }
}

/// Numbers that are added and multiplied.
pub(super) trait Number: Least {
    const IS_EXACT: bool;
    unsafe fn sums(a: __m256i, b: __m256i) -> __m256i;
    unsafe fn products(a: __m256i, b: __m256i) -> __m256i;
}

impl Number for f64 {
    const IS_EXACT: bool = false;
    #[inline(always)]
    unsafe fn sums(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's promise; so below.
        unsafe { _mm256_castpd_si256(_mm256_add_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b))) }
    }
    #[inline(always)]
    unsafe fn products(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_castpd_si256(_mm256_mul_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b))) }
    }
}

macro_rules! whole_numbers {
    ($($int:ty)+) => { $(
        impl Number for $int {
            const IS_EXACT: bool = true;
            #[inline(always)]
            unsafe fn sums(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: the caller's promise; so below.
                unsafe { _mm256_add_epi64(a, b) }
            }
            /// The low halves of products: of halves in 32 bits, the upper two of which do not count.
            #[inline(always)]
            unsafe fn products(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: as above.
                unsafe {
                    let crossed = _mm256_add_epi64(
                        _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), b),
                        _mm256_mul_epu32(a, _mm256_srli_epi64::<32>(b)),
                    );
                    _mm256_add_epi64(_mm256_mul_epu32(a, b), _mm256_slli_epi64::<32>(crossed))
                }
            }
        }
    )+ };
}

whole_numbers!(i64 u64);

/// Numbers of which one is less than another, as [`Ordered`] says.
pub(super) trait Least: Ordered {
    unsafe fn splat(self) -> __m256i;
    unsafe fn minima(a: __m256i, b: __m256i) -> __m256i;
    /// What [`flip`](Ordered::flip) turns.
    const FLIPPED: Self;
}

macro_rules! least_ints {
    ($($int:ty, $as:ty, $splat:ident, |$a:ident, $b:ident| $minima:expr;)+) => { $(
        impl Least for $int {
            #[inline(always)]
            unsafe fn splat(self) -> __m256i {
                // SAFETY: the caller's promise; so below.
                unsafe { $splat(self as $as) }
            }
            #[inline(always)]
            unsafe fn minima($a: __m256i, $b: __m256i) -> __m256i {
                // SAFETY: as above.
                unsafe { $minima }
            }
            const FLIPPED: $int = !0;
        }
    )+ };
}

least_ints! {
    i8, i8, _mm256_set1_epi8, |a, b| _mm256_min_epi8(a, b);
    u8, i8, _mm256_set1_epi8, |a, b| _mm256_min_epu8(a, b);
    i16, i16, _mm256_set1_epi16, |a, b| _mm256_min_epi16(a, b);
    u16, i16, _mm256_set1_epi16, |a, b| _mm256_min_epu16(a, b);
    i32, i32, _mm256_set1_epi32, |a, b| _mm256_min_epi32(a, b);
    u32, i32, _mm256_set1_epi32, |a, b| _mm256_min_epu32(a, b);
    i64, i64, _mm256_set1_epi64x, |a, b| _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(a, b));
    u64, i64, _mm256_set1_epi64x, |a, b| {
        let sign = _mm256_set1_epi64x(i64::MIN);
        _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(_mm256_xor_si256(a, sign), _mm256_xor_si256(b, sign)))
    };
}

macro_rules! least_floats {
    ($($float:ty, $splat:ident, $of:ident, $to:ident, $min:ident, $or:ident;)+) => { $(
        impl Least for $float {
            #[inline(always)]
            unsafe fn splat(self) -> __m256i {
                // SAFETY: the caller's promise; so below.
                unsafe { $to($splat(self)) }
            }
            /// As one at a time.
            #[inline(always)]
            unsafe fn minima(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: as above.
                unsafe {
                    let (a, b) = ($of(a), $of(b));
                    $to($or($min(a, b), $min(b, a)))
                }
            }
            const FLIPPED: $float = -0.0;
        }
    )+ };
}

least_floats! {
    f32, _mm256_set1_ps, _mm256_castsi256_ps, _mm256_castps_si256, _mm256_min_ps, _mm256_or_ps;
    f64, _mm256_set1_pd, _mm256_castsi256_pd, _mm256_castpd_si256, _mm256_min_pd, _mm256_or_pd;
}

impl<E: Least> Scans for Min<E> {
    const IS_EXACT: bool = true;
    const IS_EXTREME: bool = true;
    #[inline(always)]
    unsafe fn load(from: *const E) -> __m256i {
        // SAFETY: the caller's promise; so below.
        unsafe { Self::read(from) }
    }
    #[inline(always)]
    unsafe fn splat(acc: E) -> __m256i {
        // SAFETY: as above.
        unsafe { acc.splat() }
    }
    #[inline(always)]
    unsafe fn merged(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { E::minima(a, b) }
    }
    #[inline(always)]
    unsafe fn store(accs: __m256i, to: *mut E, streams: bool) {
        // SAFETY: as above.
        unsafe {
            match size_of::<E>() {
                1 => put::<16>(accs, to.cast(), streams),
                _ => put::<32>(accs, to.cast(), streams),
            }
        }
    }
}

impl<E: Least> Scans for Max<E> {
    const IS_EXACT: bool = true;
    const IS_EXTREME: bool = true;
    #[inline(always)]
    unsafe fn load(from: *const E) -> __m256i {
        // SAFETY: the caller's promise; so below.
        unsafe { _mm256_xor_si256(Self::read(from), E::FLIPPED.splat()) }
    }
    #[inline(always)]
    unsafe fn splat(acc: E) -> __m256i {
        // SAFETY: as above.
        unsafe { acc.splat() }
    }
    #[inline(always)]
    unsafe fn merged(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { E::minima(a, b) }
    }
    #[inline(always)]
    unsafe fn store(accs: __m256i, to: *mut E, streams: bool) {
        // SAFETY: as above.
        unsafe { Min::<E>::store(_mm256_xor_si256(accs, E::FLIPPED.splat()), to, streams) }
    }
}

macro_rules! sums_and_products {
    ($($element:ty, $acc:ty, $total:ty, |$from:ident| $load:expr, |$accs:ident| $bytes:literal $result:expr $(, $runs:ident)?;)+) => { $(
        sums_and_products! { @one Sum, sums, $element, $acc, $total, |$from| $load, |$accs| $bytes $result $(, $runs)? }
        sums_and_products! { @one Product, products, $element, $acc, $total, |$from| $load, |$accs| $bytes $result $(, $runs)? }
    )+ };
    (@one $rule:ident, $merged:ident, $element:ty, $acc:ty, $total:ty, |$from:ident| $load:expr, |$accs:ident| $bytes:literal $result:expr $(, $runs:ident)?) => {
        impl Scans for $rule<$element, $total> {
            const IS_EXACT: bool = <$acc as Number>::IS_EXACT;
            #[inline(always)]
            unsafe fn load($from: *const $element) -> __m256i {
                // SAFETY: the caller's promise; so below.
                unsafe { $load }
            }
            #[inline(always)]
            unsafe fn splat(acc: $acc) -> __m256i {
                // SAFETY: as above.
                unsafe { acc.splat() }
            }
            #[inline(always)]
            unsafe fn merged(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: as above.
                unsafe { <$acc as Number>::$merged(a, b) }
            }
            #[inline(always)]
            unsafe fn store($accs: __m256i, to: *mut $total, streams: bool) {
                // SAFETY: as above.
                unsafe { put::<$bytes>($result, to.cast(), streams) }
            }
            $($runs! {})?
        }
    };
}

/// Of singles, for whose halves 128 bits are enough.
macro_rules! runs_of_singles {
    () => {
        #[inline(always)]
        unsafe fn load_runs(from: *const f32) -> [__m256i; 4] {
            // SAFETY: the caller's promise.
            unsafe {
                let [a, b, c, d] = [0, 4, 8, 12].map(|at| _mm_loadu_ps(from.add(at)));
                [_mm_movelh_ps(a, c), _mm_movehl_ps(c, a), _mm_movelh_ps(b, d), _mm_movehl_ps(d, b)]
                    .map(|singles| _mm256_castpd_si256(_mm256_cvtps_pd(singles)))
            }
        }
        #[inline(always)]
        unsafe fn store_runs<const STREAMS: bool>(accs: [__m256i; 4], to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let [a, b, c, d] = accs.map(|accs| _mm256_cvtpd_ps(_mm256_castsi256_pd(accs)));
                let runs = [_mm_movelh_ps(a, b), _mm_movelh_ps(c, d), _mm_movehl_ps(b, a), _mm_movehl_ps(d, c)];
                for (k, singles) in runs.into_iter().enumerate() {
                    let singles = _mm256_castsi128_si256(_mm_castps_si128(singles));
                    put::<16>(singles, to.add(4 * k).cast(), STREAMS);
                }
            }
        }
    };
}

sums_and_products! {
    f64, f64, f64, |from| _mm256_loadu_si256(from.cast()), |accs| 32 accs;
    f32, f64, f32, |from| _mm256_castpd_si256(_mm256_cvtps_pd(_mm_loadu_ps(from))),
        |accs| 16 _mm256_castsi128_si256(_mm_castps_si128(_mm256_cvtpd_ps(_mm256_castsi256_pd(accs)))), runs_of_singles;
    i64, i64, i64, |from| _mm256_loadu_si256(from.cast()), |accs| 32 accs;
    u64, u64, u64, |from| _mm256_loadu_si256(from.cast()), |accs| 32 accs;
    i32, i64, i64, |from| _mm256_cvtepi32_epi64(_mm_loadu_si128(from.cast())), |accs| 32 accs;
    u32, u64, u64, |from| _mm256_cvtepu32_epi64(_mm_loadu_si128(from.cast())), |accs| 32 accs;
    i16, i64, i64, |from| _mm256_cvtepi16_epi64(_mm_loadu_si64(from.cast())), |accs| 32 accs;
    u16, u64, u64, |from| _mm256_cvtepu16_epi64(_mm_loadu_si64(from.cast())), |accs| 32 accs;
    i8, i64, i64, |from| _mm256_cvtepi8_epi64(_mm_loadu_si32(from.cast())), |accs| 32 accs;
    u8, u64, u64, |from| _mm256_cvtepu8_epi64(_mm_loadu_si32(from.cast())), |accs| 32 accs;
    // Bools.
    u8, i64, i64, |from| _mm256_cvtepu8_epi64(_mm_loadu_si32(from.cast())), |accs| 32 accs;
}

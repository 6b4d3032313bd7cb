//! Vectors by hand: the arithmetic workloads in 128 bits, and stores past the cache.

use std::arch::x86_64::*;

use super::{HORNER, Peer, Workers};
use crate::workloads::Case;

/// A loop over vectors of 128 bits, `U` of them side by side; arrays have whole groups.
macro_rules! by_hand {
    ($($name:ident: $element:ty, $lanes:literal, $load:ident, $store:ident, ($($x:ident),*) [$($k:ident = $value:expr),*] $body:expr)+) => { $(
        fn $name<const U: usize>(case: &mut Case, workers: &Workers) {
            #[target_feature(enable = "avx,fma")]
            unsafe fn body<const U: usize>($($x: &[$element],)* out: &mut [$element]) {
                let n = out.len();
                assert!(n.is_multiple_of(U * $lanes) $(&& $x.len() >= n)*);
                $(let $k = $value;)*
                for i in (0..n).step_by(U * $lanes) {
                    for u in 0..U {
                        let at = i + u * $lanes;
                        // SAFETY: all slices have `at + lanes <= n` elements.
                        unsafe {
                            $(let $x = $load($x.as_ptr().add(at));)*
                            $store(out.as_mut_ptr().add(at), $body);
                        }
                    }
                }
            }
            let [$($x),*] = &case.inputs[..] else { panic!("the workload's inputs") };
            $(let $x = $x.slice::<$element>();)*
            workers.share(case.output.slice_mut(), |start, out| {
                // SAFETY: no workload runs where the machine lacks the features.
                unsafe { body::<U>($(&$x[start..],)* out) }
            });
        }
    )+ };
}

by_hand! {
    triad: f64, 2, _mm_loadu_pd, _mm_storeu_pd, (a, b, c) [] _mm_add_pd(_mm_mul_pd(a, b), c)
    four: f32, 4, _mm_loadu_ps, _mm_storeu_ps, (a, b, c, d) [two = _mm_set1_ps(2.0), three = _mm_set1_ps(3.0), four = _mm_set1_ps(4.0)]
        _mm_sub_ps(_mm_add_ps(_mm_mul_ps(two, a), _mm_mul_ps(three, b)), _mm_mul_ps(_mm_mul_ps(four, c), d))
    cubic: f64, 2, _mm_loadu_pd, _mm_storeu_pd, (x) [two = _mm_set1_pd(2.0)]
        _mm_sub_pd(_mm_mul_pd(_mm_mul_pd(x, x), x), _mm_mul_pd(two, x))
    choice: f64, 2, _mm_loadu_pd, _mm_storeu_pd, (a, b) []
        _mm_blendv_pd(_mm_sub_pd(a, b), _mm_mul_pd(a, b), _mm_cmplt_pd(b, a))
    norm: f64, 2, _mm_loadu_pd, _mm_storeu_pd, (x, y) [] _mm_sqrt_pd(_mm_add_pd(_mm_mul_pd(x, x), _mm_mul_pd(y, y)))
}

/// Coefficient by coefficient, so that `U` chains run side by side.
fn horner<const U: usize>(case: &mut Case, workers: &Workers) {
    #[target_feature(enable = "avx,fma")]
    unsafe fn body<const U: usize>(x: &[f64], out: &mut [f64]) {
        let n = out.len();
        assert!(n.is_multiple_of(2 * U) && x.len() >= n);
        for i in (0..n).step_by(2 * U) {
            let (mut xs, mut sums) = ([_mm_setzero_pd(); U], [_mm_set1_pd(HORNER[0]); U]);
            for (u, vector) in xs.iter_mut().enumerate() {
                // SAFETY: both slices have `i + 2 * U <= n` elements.
                *vector = unsafe { _mm_loadu_pd(x.as_ptr().add(i + 2 * u)) };
            }
            for c in &HORNER[1..] {
                for (sum, x) in sums.iter_mut().zip(xs) {
                    *sum = _mm_fmadd_pd(*sum, x, _mm_set1_pd(*c));
                }
            }
            for (u, sum) in sums.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { _mm_storeu_pd(out.as_mut_ptr().add(i + 2 * u), sum) };
            }
        }
    }
    let [x] = &case.inputs[..] else { panic!("the workload's inputs") };
    let x = x.slice::<f64>();
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body::<U>(&x[start..], out) }
    });
}

/// A workload's loops with one, two, four and eight vectors side by side; the best of them is what to reach.
pub(crate) fn by_hand(workload: &str) -> Vec<(&'static str, Peer)> {
    macro_rules! variants {
        ($name:ident) => {
            vec![
                ("128-bit x1", $name::<1> as Peer),
                ("128-bit x2", $name::<2>),
                ("128-bit x4", $name::<4>),
                ("128-bit x8", $name::<8>),
            ]
        };
    }
    match workload {
        "a*b+c" => variants!(triad),
        "2a+3b-4cd f32" => variants!(four),
        "Horner 16" => variants!(horner),
        "x*x*x-2*x" => variants!(cubic),
        "where" => variants!(choice),
        "sqrt(x*x+y*y)" => variants!(norm),
        _ => Vec::new(),
    }
}

/// `a*b + c`, written past the cache.
pub(crate) fn triad_streamed(case: &mut Case, workers: &Workers) {
    #[target_feature(enable = "avx2,fma")]
    unsafe fn body(a: &[f64], b: &[f64], c: &[f64], out: &mut [f64]) {
        let n = out.len();
        assert!(
            n.is_multiple_of(4)
                && out.as_ptr().addr().is_multiple_of(32)
                && a.len() >= n
                && b.len() >= n
                && c.len() >= n
        );
        for i in (0..n).step_by(4) {
            // SAFETY: all slices have `i + 4 <= n` elements, and `out` begins at a multiple of 32 bytes.
            unsafe {
                let [a, b, c] = [a, b, c].map(|x| _mm256_loadu_pd(x.as_ptr().add(i)));
                _mm256_stream_pd(out.as_mut_ptr().add(i), _mm256_add_pd(_mm256_mul_pd(a, b), c));
            }
        }
        _mm_sfence();
    }
    let [a, b, c] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [a, b, c] = [a, b, c].map(|x| x.slice::<f64>());
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body(&a[start..], &b[start..], &c[start..], out) }
    });
}

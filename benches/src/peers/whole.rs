//! Loops in Rust that are more than one element after another: sums, several passes, turns, neighbours.

use super::{CHUNK, Workers};
use crate::array::Array;
use crate::workloads::Case;

/// A sum in sixteen parts, which the compiler turns into vectors.
macro_rules! sums {
    ($($name:ident($($x:ident),* $(; $k:ident)?) $body:expr;)+) => { $(
        #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
        unsafe fn $name($($x: &[f64],)* $($k: f64)?) -> f64 {
            let n = [$($x.len()),*][0];
            $(let $x = &$x[..n];)*
            let mut sums = [0.0; 16];
            for start in (0..n / 16 * 16).step_by(16) {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    $(let $x = $x[start + lane];)*
                    *sum += $body;
                }
            }
            for i in n / 16 * 16..n {
                $(let $x = $x[i];)*
                sums[0] += $body;
            }
            sums.iter().sum()
        }
    )+ };
}

sums! {
    products(a, b) a * b;
    plain(x) x;
    squares(x; mean) (x - mean) * (x - mean);
}

fn pieces(x: &[f64]) -> Vec<&[f64]> {
    x.chunks(CHUNK).collect()
}

/// `sum(a*b)`.
pub(crate) fn dot(case: &mut Case, workers: &Workers) {
    let [a, b] = &case.inputs[..] else { panic!("the workload's inputs") };
    let pairs = pieces(a.slice()).into_iter().zip(pieces(b.slice())).collect();
    // SAFETY: no workload runs where the machine lacks the features.
    let sums = workers.each(pairs, |(a, b)| unsafe { products(a, b) });
    case.output.slice_mut::<f64>()[0] = sums.iter().sum();
}

/// `(x - mean(x)) / std(x)`, in three passes.
pub(crate) fn standard_score(case: &mut Case, workers: &Workers) {
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn scores(x: &[f64], out: &mut [f64], mean: f64, deviation: f64) {
        for (x, out) in x.iter().zip(out) {
            *out = (x - mean) / deviation;
        }
    }
    let x = case.inputs[0].slice::<f64>();
    // SAFETY: no workload runs where the machine lacks the features; so below.
    let total: f64 = workers.each(pieces(x), |x| unsafe { plain(x) }).iter().sum();
    let mean = total / x.len() as f64;
    // SAFETY: as above.
    let total: f64 = workers.each(pieces(x), |x| unsafe { squares(x, mean) }).iter().sum();
    let deviation = (total / x.len() as f64).sqrt();
    workers.share(case.output.slice_mut::<f64>(), |start, out| {
        // SAFETY: as above.
        unsafe { scores(&x[start..], out, mean, deviation) }
    });
}

/// Turns until a point leaves the circle of radius 2, at most 256.
macro_rules! mandelbrot {
    ($($name:ident: $float:ty, $int:ty;)+) => { $(
        pub(crate) fn $name(case: &mut Case, workers: &Workers) {
            let [cr, ci] = &case.inputs[..] else { panic!("the workload's inputs") };
            let [cr, ci] = [cr, ci].map(Array::slice::<$float>);
            workers.share(case.output.slice_mut::<$int>(), |start, out| {
                for ((cr, ci), out) in cr[start..].iter().zip(&ci[start..]).zip(out) {
                    let (mut x, mut y, mut turns) = (0.0, 0.0, 0);
                    while turns < 256 && x * x + y * y <= 4.0 {
                        (x, y) = (x * x - y * y + cr, 2.0 * x * y + ci);
                        turns += 1;
                    }
                    *out = turns;
                }
            });
        }
    )+ };
}

mandelbrot! {
    mandelbrot: f64, i64;
    mandelbrot32: f32, i32;
}

/// A step of the heat equation on a square, edges repeated.
pub(crate) fn heat(case: &mut Case, workers: &Workers) {
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn row(up: &[f64], at: &[f64], down: &[f64], out: &mut [f64]) {
        let n = out.len();
        let (up, at, down) = (&up[..n], &at[..n], &down[..n]);
        let point = |j: usize, left: f64, right: f64| at[j] + 0.1 * (up[j] + down[j] + left + right - 4.0 * at[j]);
        out[0] = point(0, at[0], at[1]);
        for j in 1..n - 1 {
            out[j] = point(j, at[j - 1], at[j + 1]);
        }
        out[n - 1] = point(n - 1, at[n - 2], at[n - 1]);
    }
    let u = case.inputs[0].slice::<f64>();
    let side = u.len().isqrt();
    let line = |i: usize| &u[i * side..][..side];
    let rows: Vec<(usize, &mut [f64])> = case.output.slice_mut::<f64>().chunks_mut(side).enumerate().collect();
    workers.each(rows, |(i, out)| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { row(line(i.saturating_sub(1)), line(i), line((i + 1).min(side - 1)), out) }
    });
}

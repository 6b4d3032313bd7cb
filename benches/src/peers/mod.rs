//! The same work without numlift: plain Rust loops, vectors of 128 bits by hand, stores past the cache, memcpy.
//!
//! Plain loops are compiled for AVX2 and FMA, which the compiler's `target-cpu=native` comes to on a machine with these and
//! without AVX-512.
#![expect(unsafe_code, reason = "loops are compiled for more than every machine has")]

#[cfg(target_arch = "x86_64")]
pub(crate) mod by256;
#[cfg(target_arch = "x86_64")]
pub(crate) mod limits;
#[cfg(target_arch = "x86_64")]
mod wide;
mod whole;

#[cfg(target_arch = "x86_64")]
pub(crate) use wide::{by_hand, triad_streamed};

pub(crate) use whole::{dot, heat, mandelbrot, mandelbrot32, standard_score};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::array::Array;
use crate::workloads::Case;

/// Does the work of a workload once.
pub(crate) type Peer = fn(&mut Case, &Workers);

/// What the loops are compiled for.
pub(crate) const ISA: &str = if cfg!(target_arch = "x86_64") { "avx2,fma" } else { std::env::consts::ARCH };

/// Whether this machine runs what the loops are compiled for.
pub(crate) fn are_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// Whether this machine has vectors wider than those that the loops are compiled for.
pub(crate) fn has_512_bits() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Elements of one piece of work for a thread: as many as numlift takes.
const CHUNK: usize = 32 * 1024;

/// Threads that share a loop, as rayon does it.
pub(crate) struct Workers(Option<ThreadPool>);

impl Workers {
    pub(crate) fn new(threads: usize) -> Workers {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("the system has threads");
        Workers((threads > 1).then(pool))
    }

    /// Runs `body` on each of `pieces`; gives what it gives, in their order.
    fn each<P: Send, R: Send>(&self, pieces: Vec<P>, body: impl Fn(P) -> R + Send + Sync) -> Vec<R> {
        match &self.0 {
            None => pieces.into_iter().map(body).collect(),
            Some(pool) => pool.install(|| pieces.into_par_iter().map(body).collect()),
        }
    }

    /// Runs `body` on pieces of `output`; it is told where each begins.
    fn share<T: Send>(&self, output: &mut [T], body: impl Fn(usize, &mut [T]) + Sync) {
        match &self.0 {
            None => body(0, output),
            Some(pool) => pool.install(|| {
                let pieces = output.par_chunks_mut(CHUNK).enumerate();
                pieces.for_each(|(k, piece)| body(k * CHUNK, piece));
            }),
        }
    }
}

/// A plain loop over whole arrays.
macro_rules! plain {
    ($($name:ident($($x:ident: $in:ty),*) -> $out:ty { $body:expr })+) => { $(
        pub(crate) fn $name(case: &mut Case, workers: &Workers) {
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
            unsafe fn body($($x: &[$in],)* out: &mut [$out]) {
                let n = out.len();
                $(let $x = &$x[..n];)*
                for i in 0..n {
                    $(let $x = $x[i];)*
                    out[i] = $body;
                }
            }
            let [$($x),*] = &case.inputs[..] else { panic!("the workload's inputs") };
            $(let $x = $x.slice::<$in>();)*
            workers.share(case.output.slice_mut::<$out>(), |start, out| {
                // SAFETY: no workload runs where the machine lacks the features.
                unsafe { body($(&$x[start..],)* out) }
            });
        }
    )+ };
}

plain! {
    triad(a: f64, b: f64, c: f64) -> f64 { a * b + c }
    four(a: f32, b: f32, c: f32, d: f32) -> f32 { 2.0 * a + 3.0 * b - 4.0 * c * d }
    horner(x: f64) -> f64 { HORNER[1..].iter().fold(HORNER[0], |sum, c| sum.mul_add(x, *c)) }
    cubic(x: f64) -> f64 { x * x * x - 2.0 * x }
    choice(a: f64, b: f64) -> f64 { if a > b { a * b } else { a - b } }
    norm(x: f64, y: f64) -> f64 { (x * x + y * y).sqrt() }
    bell(x: f64) -> f64 { (-x * x).exp() }
    waves(x: f64, y: f64) -> f64 { x.sin() * y.cos() }
    logarithm(x: f64) -> f64 { x.ln() }
    power(x: f64) -> f64 { x.powf(2.5) }
    waves_and_norm(x: f64, y: f64) -> f64 { x.sin() * y.cos() + (x * x + y * y).sqrt() }
    haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
        {
            let (p1, p2) = (lat1.to_radians(), lat2.to_radians());
            let (u, w) = (((p2 - p1) / 2.0).sin(), ((lon2 - lon1).to_radians() / 2.0).sin());
            12742.0 * (u * u + p1.cos() * p2.cos() * w * w).sqrt().asin()
        }
    }
    log1p(x: f64) -> f64 { x.ln_1p() }
    tanh(x: f64) -> f64 { x.tanh() }
    sigmoid(x: f64) -> f64 { 1.0 / (1.0 + (-x).exp()) }
    power_of(x: f64, y: f64) -> f64 { x.powf(y) }
    mix(x: u32) -> u32 {
        {
            let h = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
            let h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
            h ^ (h >> 16)
        }
    }
    mixed_half(i: i32, x: f32) -> f64 { f64::from(i) * 0.5 + f64::from(x) }
    modulo32(a: i32, b: i32) -> i32 { a.wrapping_mul(31).wrapping_add(b).rem_euclid(97) }
    modulo64(a: i64, b: i64) -> i64 { a.wrapping_mul(31).wrapping_add(b).rem_euclid(97) }
    mixed(i: i32, x: f32) -> f64 { f64::from(i) + f64::from(x) }
    bytes(a: u8, b: u8) -> u8 { a.min(255 - b).wrapping_add(b).clamp(16, 235) }
}

/// The coefficients of the polynomial, highest power first: 1/17 to 1.
pub(crate) const HORNER: [f64; 17] = {
    let (mut coefficients, mut k) = ([0.0; 17], 0);
    while k < 17 {
        coefficients[k] = 1.0 / (17 - k) as f64;
        k += 1;
    }
    coefficients
};

/// `a*b + c` where `a` is every second element of its array.
pub(crate) fn strided(case: &mut Case, workers: &Workers) {
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn body(a: &[f64], b: &[f64], c: &[f64], out: &mut [f64]) {
        let n = out.len();
        let (a, b, c) = (&a[..2 * n], &b[..n], &c[..n]);
        for i in 0..n {
            out[i] = a[2 * i] * b[i] + c[i];
        }
    }
    let [a, b, c] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [a, b, c] = [a, b, c].map(Array::slice::<f64>);
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body(&a[2 * start..], &b[start..], &c[start..], out) }
    });
}

/// `m*row + column`, rows one after the other.
pub(crate) fn broadcast(case: &mut Case, workers: &Workers) {
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn body(m: &[f64], row: &[f64], column: &[f64], out: &mut [f64]) {
        for ((m, out), shift) in m.chunks_exact(row.len()).zip(out.chunks_exact_mut(row.len())).zip(column) {
            for ((m, out), factor) in m.iter().zip(out).zip(row) {
                *out = m * factor + shift;
            }
        }
    }
    let [m, row, column] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [m, row, column] = [m, row, column].map(Array::slice::<f64>);
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body(&m[start..], row, &column[start / row.len()..], out) }
    });
}

/// The bytes of the first input to the output, as many as both have; gives no result of the workload.
pub(crate) fn memcpy(case: &mut Case, workers: &Workers) {
    let bytes = copied_bytes(case);
    let from = &case.inputs[0].bytes()[..bytes];
    workers.share(&mut case.output.bytes_mut()[..bytes], |start, out| out.copy_from_slice(&from[start..][..out.len()]));
}

pub(crate) fn copied_bytes(case: &Case) -> usize {
    case.inputs[0].bytes().len().min(case.output.bytes().len())
}

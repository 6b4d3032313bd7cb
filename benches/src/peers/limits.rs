//! What the machine gives at most: the workload's bytes moved and nothing done, and multiply-adds in registers.

use super::{CHUNK, Workers, has_512_bits};
use crate::workloads::Case;

/// Bytes of output that no cache holds.
const STREAMED: usize = 32 << 20;

/// Reads all inputs and writes all of the output, past the cache where that is larger than the cache.
pub(crate) fn traffic(case: &mut Case, workers: &Workers) {
    let inputs: Vec<&[u8]> = case.inputs.iter().map(|array| array.bytes()).collect();
    // Elements may differ in size: pieces are cut by elements.
    let n = case.inputs[0].len();
    let output = case.output.bytes_mut();
    let (streamed, is_wide) = (output.len() >= STREAMED, has_512_bits());
    // Where less is given than is taken only the taking counts.
    let size = if output.len() < inputs[0].len() { 0 } else { output.len() / n };
    let pieces: Vec<(usize, &mut [u8])> = if size == 0 {
        (0..n.div_ceil(CHUNK)).map(|k| (k * CHUNK, [].as_mut_slice())).collect()
    } else {
        output.chunks_mut(CHUNK * size).enumerate().map(|(k, piece)| (k * CHUNK, piece)).collect()
    };
    workers.each(pieces, |(start, output)| {
        let len = CHUNK.min(n - start);
        let parts: Vec<&[u8]> = inputs.iter().map(|x| &x[start * (x.len() / n)..][..len * (x.len() / n)]).collect();
        // SAFETY: no workload runs where the machine lacks AVX2; AVX-512 was asked for. Arrays and pieces begin at cache lines.
        unsafe {
            if is_wide {
                by512::move_bytes(&parts, output, streamed)
            } else {
                by256::move_bytes(&parts, output, streamed)
            }
        }
    });
}

macro_rules! limits {
    ($name:ident, $features:literal, $bytes:literal, $zero:ident $load:ident $xor:ident $stream:ident $store:ident,
     $splat:ident $fma:ident) => {
        /// The limits in vectors of one width.
        mod $name {
            use std::arch::x86_64::*;

            /// Reads and writes by turns of at most 128 bytes an array, so that all streams run side by side.
            ///
            /// # Safety
            /// The machine has the features. `output` begins at a multiple of the vector's bytes.
            pub(super) unsafe fn move_bytes(inputs: &[&[u8]], output: &mut [u8], streamed: bool) {
                let (first, to) = (inputs[0].len(), output.len());
                assert!(inputs.iter().all(|x| x.len() == first), "the inputs of a workload are of one size");
                let run = match (inputs.len(), to / first, streamed) {
                    (1, 0, _) => streams::<1, 128, 0, false>,
                    (1, 1, false) => streams::<1, 128, 128, false>,
                    (1, 1, true) => streams::<1, 128, 128, true>,
                    (2, 0, _) => streams::<2, 128, 0, false>,
                    (2, 1, false) => streams::<2, 128, 128, false>,
                    (2, 1, true) => streams::<2, 128, 128, true>,
                    (2, 2, false) => streams::<2, 64, 128, false>,
                    (2, 2, true) => streams::<2, 64, 128, true>,
                    (3, 1, false) => streams::<3, 128, 128, false>,
                    (3, 1, true) => streams::<3, 128, 128, true>,
                    (3, 2, false) => streams::<3, 64, 128, false>,
                    (3, 2, true) => streams::<3, 64, 128, true>,
                    (4, 1, false) => streams::<4, 128, 128, false>,
                    (4, 1, true) => streams::<4, 128, 128, true>,
                    (count, times, _) => {
                        panic!("no limit for {count} inputs and an output of {times} times their size")
                    }
                };
                // SAFETY: the caller's promise.
                unsafe { run(inputs, output) }
            }

            /// `IN` bytes a turn of each of `K` inputs, `OUT` of the output.
            #[target_feature(enable = $features)]
            unsafe fn streams<const K: usize, const IN: usize, const OUT: usize, const STREAMED: bool>(
                inputs: &[&[u8]],
                output: &mut [u8],
            ) {
                let from: [*const u8; K] = std::array::from_fn(|k| inputs[k].as_ptr());
                let to = output.as_mut_ptr();
                let turns = inputs[0].len() / IN;
                assert!(inputs.iter().all(|x| x.len() >= turns * IN) && output.len() >= turns * OUT);
                let mut sums = [$zero(); 128 / $bytes];
                for turn in 0..turns {
                    for input in from {
                        for (k, sum) in sums[..IN / $bytes].iter_mut().enumerate() {
                            // SAFETY: each input has `turns * IN` bytes.
                            let x = unsafe { $load(input.add(turn * IN + $bytes * k).cast()) };
                            *sum = $xor(*sum, x);
                        }
                    }
                    for (k, sum) in sums[..OUT / $bytes].iter().enumerate() {
                        // SAFETY: the output has `turns * OUT` bytes, and begins at a multiple of the vector's.
                        unsafe {
                            let to = to.add(turn * OUT + $bytes * k).cast();
                            if STREAMED { $stream(to, *sum) } else { $store(to, *sum) }
                        }
                    }
                }
                std::hint::black_box(sums);
                _mm_sfence();
            }

            /// Ten chains of vectors fill both units whatever the latency.
            ///
            /// # Safety
            /// The machine has the features.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn multiply_adds(vectors: usize) {
                let mut sums = [$splat(1.0); 10];
                let (x, y) = ($splat(std::hint::black_box(0.999)), $splat(std::hint::black_box(0.001)));
                for _ in 0..vectors.div_ceil(10) {
                    sums.iter_mut().for_each(|sum| *sum = $fma(*sum, x, y));
                }
                std::hint::black_box(sums);
            }
        }
    };
}

limits!(by256, "avx2,fma", 32,
    _mm256_setzero_si256 _mm256_loadu_si256 _mm256_xor_si256 _mm256_stream_si256 _mm256_store_si256,
    _mm256_set1_pd _mm256_fmadd_pd);
limits!(by512, "avx512f", 64,
    _mm512_setzero_si512 _mm512_loadu_si512 _mm512_xor_si512 _mm512_stream_si512 _mm512_store_si512,
    _mm512_set1_pd _mm512_fmadd_pd);

/// As many multiply-adds as `flops` operations an element come to.
pub(crate) fn arithmetic(flops: usize, case: &mut Case, workers: &Workers) {
    let n = case.inputs[0].len();
    let is_wide = has_512_bits();
    let lanes = if is_wide { 64 } else { 32 } / case.output.dtype().size();
    let pieces: Vec<usize> = (0..n.div_ceil(CHUNK)).map(|k| CHUNK.min(n - k * CHUNK)).collect();
    workers.each(pieces, |len| {
        let vectors = (len * flops).div_ceil(2 * lanes);
        // SAFETY: no workload runs where the machine lacks AVX2; AVX-512 was asked for.
        unsafe { if is_wide { by512::multiply_adds(vectors) } else { by256::multiply_adds(vectors) } }
    });
}

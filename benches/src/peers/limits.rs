//! What the machine gives at most: the workload's bytes moved and nothing done, and multiply-adds in registers.

use std::arch::x86_64::*;

use super::{CHUNK, Workers};
use crate::workloads::Case;

/// Bytes of output that no cache holds.
const STREAMED: usize = 32 << 20;

/// Reads all inputs and writes all of the output, past the cache where that is larger than the cache.
pub(crate) fn traffic(case: &mut Case, workers: &Workers) {
    let inputs: Vec<&[u8]> = case.inputs.iter().map(|array| array.bytes()).collect();
    // Elements may differ in size: pieces are cut by elements.
    let n = case.inputs[0].len();
    let output = case.output.bytes_mut();
    let streamed = output.len() >= STREAMED;
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
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { move_bytes(&parts, output, streamed) }
    });
}

/// Reads and writes by turns of at most 128 bytes an array, so that all streams run side by side.
///
/// # Safety
/// The machine has AVX2. `output` begins at a multiple of 32 bytes.
unsafe fn move_bytes(inputs: &[&[u8]], output: &mut [u8], streamed: bool) {
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
        (count, times, _) => panic!("no limit for {count} inputs and an output of {times} times their size"),
    };
    // SAFETY: the caller's promise.
    unsafe { run(inputs, output) }
}

/// `IN` bytes a turn of each of `K` inputs, `OUT` of the output.
#[target_feature(enable = "avx2")]
unsafe fn streams<const K: usize, const IN: usize, const OUT: usize, const STREAMED: bool>(
    inputs: &[&[u8]],
    output: &mut [u8],
) {
    let from: [*const u8; K] = std::array::from_fn(|k| inputs[k].as_ptr());
    let to = output.as_mut_ptr();
    let turns = inputs[0].len() / IN;
    assert!(inputs.iter().all(|x| x.len() >= turns * IN) && output.len() >= turns * OUT);
    let mut sums = [_mm256_setzero_si256(); 4];
    for turn in 0..turns {
        for input in from {
            for (k, sum) in sums[..IN / 32].iter_mut().enumerate() {
                // SAFETY: each input has `turns * IN` bytes.
                let x = unsafe { _mm256_loadu_si256(input.add(turn * IN + 32 * k).cast()) };
                *sum = _mm256_xor_si256(*sum, x);
            }
        }
        for (k, sum) in sums[..OUT / 32].iter().enumerate() {
            // SAFETY: the output has `turns * OUT` bytes, and begins at a multiple of 32.
            unsafe {
                let to = to.add(turn * OUT + 32 * k).cast();
                if STREAMED { _mm256_stream_si256(to, *sum) } else { _mm256_store_si256(to, *sum) }
            }
        }
    }
    std::hint::black_box(sums);
    _mm_sfence();
}

/// As many multiply-adds as `flops` operations an element come to.
pub(crate) fn arithmetic(flops: usize, case: &mut Case, workers: &Workers) {
    /// Ten chains of vectors fill both units whatever the latency.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn body(vectors: usize) {
        let mut sums = [_mm256_set1_pd(1.0); 10];
        let (x, y) = (_mm256_set1_pd(std::hint::black_box(0.999)), _mm256_set1_pd(std::hint::black_box(0.001)));
        for _ in 0..vectors.div_ceil(10) {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_pd(*sum, x, y));
        }
        std::hint::black_box(sums);
    }
    let n = case.inputs[0].len();
    let lanes = 32 / case.output.dtype().size();
    let pieces: Vec<usize> = (0..n.div_ceil(CHUNK)).map(|k| CHUNK.min(n - k * CHUNK)).collect();
    // SAFETY: no workload runs where the machine lacks the features.
    workers.each(pieces, |len| unsafe { body((len * flops).div_ceil(2 * lanes)) });
}

//! Every f32 to the error of each function, and of its fast one where there is, measured against the same function in f64.
//!
//! That one is held to one or two units of f64's last place by the cases from MPFR; here every 16th of its results is also
//! compared with the standard library's, or with the `libm` crate's. Some units of f64's last place are 10^-8 of an f32's: that
//! much the greatest error may be off, and as many results may be counted as correctly rounded wrongly.
//!
//! `FUNCTIONS=erf,exp (fast)` chooses some, `STRIDE=16` every 16th input.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use numlift::{Accuracy, Bound, DType, Element, Engine, Schema, View, ViewMut};

use crate::cases::{error, ulp};
use crate::record::{Figures, note};
use crate::table::{Row, is_chosen};
use crate::{ACCURACIES, rows};

/// Inputs that a thread takes at a time: what it makes of them stays in the second cache.
const BLOCK: u64 = 1 << 13;
/// Results that are judged together.
const LANES: usize = 16;
/// One in so many results in f64 is compared with another library's.
const COMPARED: usize = 16;
/// How far those may be apart, in units of f32's last place.
const APART: f64 = 1e-6;

#[test]
#[ignore = "a minute a function"]
fn every_f32() {
    let stride: u64 = std::env::var("STRIDE").map_or(1, |stride| stride.parse().expect("STRIDE is a number"));
    for (row, accuracy) in rows().flat_map(|row| ACCURACIES.map(|accuracy| (row, accuracy))) {
        let Some(reference) = row.reference else { continue };
        let is_there = accuracy == Accuracy::Best || row.has_fast(DType::F32);
        if !is_chosen(&row.title(accuracy)) || !is_there {
            continue;
        }
        let start = Instant::now();
        let found = measure(row, accuracy, reference, stride);
        let figures = Figures {
            function: row.title(accuracy),
            dtype: DType::F32,
            inputs: found.inputs,
            max_ulp: found.worst,
            place: format!("{:?}", f32::from_bits(found.place)),
            correct: found.correct as f64 / found.inputs as f64,
            method: if stride == 1 { "every input, f64" } else { "inputs evenly over all bits, f64" }.to_owned(),
        };
        println!("{figures} ({} not the nearest, {:.0?})", found.inputs - found.correct, start.elapsed());
        note(&figures);
        let (bound, name) = (row.bound(accuracy), row.name);
        assert!(found.worst <= bound, "{name} is off by {} ulp at {}", found.worst, figures.place);
    }
}

#[derive(Clone, Copy, Default)]
struct Found {
    inputs: u64,
    correct: u64,
    worst: f64,
    /// Bits of the input with the worst error.
    place: u32,
}

impl Found {
    fn and(self, other: Found) -> Found {
        let worse = if other.worst > self.worst { other } else { self };
        Found { inputs: self.inputs + other.inputs, correct: self.correct + other.correct, ..worse }
    }
}

fn measure(row: &Row, accuracy: Accuracy, reference: fn(f64) -> f64, stride: u64) -> Found {
    let count = (1_u64 << 32).div_ceil(stride);
    let next = AtomicU64::new(0);
    let work = || {
        let (narrow, wide) = (bound(row, accuracy, DType::F32), bound(row, Accuracy::Best, DType::F64));
        let mut block = Block::default();
        let mut found = Found::default();
        loop {
            let first = next.fetch_add(BLOCK, Ordering::Relaxed);
            if first >= count {
                return found;
            }
            block.fill((first..count.min(first + BLOCK)).map(|k| f32::from_bits((k * stride) as u32)), &narrow, &wide);
            let compared = block.widened.iter().zip(&block.truths);
            let compared = compared.skip((first / BLOCK) as usize % COMPARED).step_by(COMPARED);
            compared.for_each(|(x, truth)| check_truth(row, *x, *truth, reference(*x)));
            let groups = block.inputs.chunks(LANES).zip(block.results.chunks(LANES)).zip(block.truths.chunks(LANES));
            found = groups.fold(found, |found, ((x, got), truth)| found.and_group(row, x, got, truth));
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).fold(Found::default(), Found::and)
    })
}

fn bound(row: &Row, accuracy: Accuracy, dtype: DType) -> Bound {
    let engine = Engine::builder().threads(1).accuracy(accuracy).build().expect("an engine");
    let kernel = engine.compile(row.formula).expect("the table's formulas compile");
    kernel.bind(&Schema::new().array("x", dtype, 1)).expect("it takes both floats")
}

/// What a thread works on, kept from one block to the next.
#[derive(Default)]
struct Block {
    inputs: Vec<f32>,
    widened: Vec<f64>,
    results: Vec<f32>,
    truths: Vec<f64>,
}

impl Block {
    fn fill(&mut self, inputs: impl Iterator<Item = f32>, narrow: &Bound, wide: &Bound) {
        self.inputs.clear();
        self.inputs.extend(inputs);
        self.widened.clear();
        self.widened.extend(self.inputs.iter().map(|x| f64::from(*x)));
        run(narrow, &self.inputs, &mut self.results);
        run(wide, &self.widened, &mut self.truths);
    }
}

fn run<T: Element + Default>(kernel: &Bound, inputs: &[T], results: &mut Vec<T>) {
    results.resize_with(inputs.len(), T::default);
    kernel.run(&[View::new(inputs)], &mut [ViewMut::new(results)]).expect("the kernel runs");
}

/// Panics if two libraries differ over the function in f64.
fn check_truth(row: &Row, x: f64, truth: f64, other: f64) {
    let are_same = truth == other || truth.is_nan() && other.is_nan() || row.is_exempt(x, truth);
    let is_near = (truth - other).abs() <= APART * ulp(other, false, DType::F32);
    assert!(are_same || is_near, "{} of {x:?} in f64 is {truth:?}, another library gives {other:?}", row.name);
}

impl Found {
    /// With some more results. Most are the nearest float and no worse than what is known, which needs no branch.
    fn and_group(self, row: &Row, inputs: &[f32], results: &[f32], truths: &[f64]) -> Found {
        let (mut worst, mut are_nearest) = (0.0, true);
        for (got, truth) in results.iter().zip(truths) {
            let magnitude = truth.abs();
            let normal = if magnitude > LEAST_NORMAL { magnitude } else { LEAST_NORMAL };
            // 2^(23 - e), where the true value's exponent is e.
            let per_ulp = f64::from_bits(((2 * 1023 + 23) << 52) - (normal.to_bits() & EXPONENT));
            let error = (f64::from(*got) - truth).abs() * per_ulp;
            worst = if error > worst { error } else { worst };
            let is_nearest = (*truth as f32).to_bits() == got.to_bits();
            are_nearest &= is_nearest | (truth.is_nan() & got.is_nan());
        }
        if are_nearest && worst <= self.worst {
            let inputs = inputs.len() as u64;
            return Found { inputs: self.inputs + inputs, correct: self.correct + inputs, ..self };
        }
        let judged = inputs.iter().zip(results).zip(truths);
        judged.map(|((x, got), truth)| compare(row, *x, *got, *truth)).fold(self, Found::and)
    }
}

const LEAST_NORMAL: f64 = f32::MIN_POSITIVE as f64;
const EXPONENT: u64 = 0x7ff << 52;

fn compare(row: &Row, x: f32, got: f32, truth: f64) -> Found {
    let nearest = f64::from(truth as f32);
    let unit = ulp(nearest, truth < nearest, DType::F32);
    let rest = if nearest.is_finite() { (truth - nearest) / unit } else { 0.0 };
    let error = error(f64::from(got), nearest, rest, DType::F32);
    let correct = u64::from(f64::from(got) == nearest || error == 0.0);
    let worst = if row.is_exempt(f64::from(x), truth) { 0.0 } else { error };
    Found { inputs: 1, correct, worst, place: x.to_bits() }
}

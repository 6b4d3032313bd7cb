//! Every f32 to the error of each function, measured against f64.
//!
//! The measure is some units of f64's last place off, that is 10^-8 of an f32's: that much the greatest error may be off, and
//! as many results may be counted as correctly rounded wrongly. Functions that the standard library lacks are the `libm` crate's.
//!
//! `FUNCTIONS=erf,erfc` chooses some, `STRIDE=16` every 16th input.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use numlift::{DType, Engine, Schema, View, ViewMut};

use crate::cases::{error, ulp};
use crate::record::{Figures, note};
use crate::rows;
use crate::table::Row;

/// Inputs that a thread takes at a time.
const BLOCK: u64 = 1 << 16;

#[test]
#[ignore = "minutes a function"]
fn every_f32() {
    let chosen = std::env::var("FUNCTIONS").unwrap_or_default();
    let stride: u64 = std::env::var("STRIDE").map_or(1, |stride| stride.parse().expect("STRIDE is a number"));
    for row in rows().filter(|row| chosen.is_empty() || chosen.split(',').any(|name| name == row.name)) {
        let Some(reference) = row.reference else { continue };
        let found = measure(row, reference, stride);
        let figures = Figures {
            function: row.name.to_owned(),
            dtype: DType::F32,
            inputs: found.inputs,
            max_ulp: found.worst,
            place: format!("{:?}", f32::from_bits(found.place)),
            correct: found.correct as f64 / found.inputs as f64,
            method: if stride == 1 { "every input, f64" } else { "inputs evenly over all bits, f64" }.to_owned(),
        };
        println!("{figures}");
        note(&figures);
        assert!(found.worst <= row.bound, "{} is off by {} ulp at {}", row.name, found.worst, figures.place);
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

fn measure(row: &Row, reference: fn(f64) -> f64, stride: u64) -> Found {
    let count = (1_u64 << 32).div_ceil(stride);
    let next = AtomicU64::new(0);
    let work = || {
        let engine = Engine::builder().threads(1).build().expect("an engine");
        let kernel = engine.compile(row.formula).expect("the table's formulas compile");
        let bound = kernel.bind(&Schema::new().array("x", DType::F32, 1)).expect("it takes an f32");
        let mut found = Found::default();
        loop {
            let first = next.fetch_add(BLOCK, Ordering::Relaxed);
            if first >= count {
                return found;
            }
            let bits = |k: u64| (k * stride) as u32;
            let inputs: Vec<f32> = (first..count.min(first + BLOCK)).map(|k| f32::from_bits(bits(k))).collect();
            let mut results = vec![0.0_f32; inputs.len()];
            bound.run(&[View::new(&inputs)], &mut [ViewMut::new(&mut results)]).expect("the kernel runs");
            found =
                inputs.iter().zip(&results).map(|(x, got)| compare(row, reference, *x, *got)).fold(found, Found::and);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).fold(Found::default(), Found::and)
    })
}

fn compare(row: &Row, reference: fn(f64) -> f64, x: f32, got: f32) -> Found {
    let truth = reference(f64::from(x));
    let nearest = f64::from(truth as f32);
    let unit = ulp(nearest, truth < nearest, DType::F32);
    let rest = if nearest.is_finite() { (truth - nearest) / unit } else { 0.0 };
    let error = error(f64::from(got), nearest, rest, DType::F32);
    let correct = u64::from(f64::from(got) == nearest || error == 0.0);
    let worst = if row.is_exempt(f64::from(x), truth) { 0.0 } else { error };
    Found { inputs: 1, correct, worst, place: x.to_bits() }
}

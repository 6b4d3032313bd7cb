//! Figures to `docs/accuracy.csv`, and those to `docs/ACCURACY.md`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use numlift::DType;

use crate::table::MATH;
use crate::{DTYPES, rows};

/// What was found of one function in one dtype.
pub(crate) struct Figures {
    pub(crate) function: String,
    pub(crate) dtype: DType,
    pub(crate) inputs: u64,
    pub(crate) max_ulp: f64,
    /// The arguments with the greatest error.
    pub(crate) place: String,
    /// The share of results that are the nearest float.
    pub(crate) correct: f64,
    /// Which inputs, compared with what.
    pub(crate) method: String,
}

const HEADER: &str = "function,dtype,inputs,max_ulp,at,correctly_rounded,method";

const ABOUT: &str = "\
# Accuracy

The greatest error found of each function, in units of the last place of the true value (ulp), where it was found, and the share
of results that are correctly rounded: the float nearest to the true value. Half an ulp is the least that any library can
reach. Special values, signs of zero and subnormal numbers count like all others.

Every function is held to 1 ulp over its whole domain, `erfinv`, `gamma` and `lgamma` to 2. `lgamma` has zeros between negative
integers that are no floats: where it is below 0.5 there, its absolute error is at most 7e-17 in f64 and 1.5e-8 in f32.
`logaddexp` has a zero where e^x + e^y is 1: below 1/4 there, at most 3e-17 and 8e-9.

How it is measured: functions of one argument in f32 for every one of the 2^32 inputs or for every 17th, as the table says,
against f64 (some units of f64's last place are 10^-8 of f32's). All else against MPFR with 200 bits, for random inputs
over all exponents and the whole domain, dense about zeros, poles and the points where an implementation changes its ways; for `sin`, `cos` and `tan` multiples of pi/2 of every
size and the floats nearest to one in each binade; and the inputs of NumPy's validation set. Results are the same on every
backend, to the bit.

    cargo test --release --test accuracy -- --ignored every_f32
    cargo build --release --example evaluate && python scripts/measure_accuracy.py
    cargo test --test accuracy -- --ignored write_document

| function | dtype | greatest error, ulp | at | correctly rounded | inputs | which, against what |
| --- | --- | --- | --- | --- | --- | --- |
";

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "docs", name].iter().collect()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { function, dtype, inputs, max_ulp, place, correct, method } = self;
        write!(f, "{function},{dtype},{inputs},{max_ulp:.4},{place},{correct:.6},{method}")
    }
}

/// Puts the figures into the record, in the place of those for the same function and dtype.
pub(crate) fn note(figures: &Figures) {
    let line = figures.to_string();
    let key = |line: &str| line.splitn(3, ',').take(2).map(str::to_owned).collect::<Vec<_>>();
    let text = fs::read_to_string(path("accuracy.csv")).unwrap_or_default();
    let mut lines: Vec<String> =
        text.lines().skip(1).filter(|known| key(known) != key(&line)).map(str::to_owned).collect();
    lines.push(line);
    lines.sort();
    fs::write(path("accuracy.csv"), format!("{HEADER}\n{}\n", lines.join("\n"))).expect("the record can be written");
}

fn lines() -> Vec<[String; 7]> {
    let text = fs::read_to_string(path("accuracy.csv")).expect("there is a record");
    let fields = |line: &str| line.splitn(7, ',').map(str::to_owned).collect::<Vec<_>>();
    let lines = text.lines().skip(1).map(|line| fields(line).try_into().expect("a line has seven fields"));
    lines.collect()
}

/// The document that the record makes.
fn document() -> String {
    let lines = lines();
    let mut document = ABOUT.to_owned();
    for row in MATH {
        for line in lines.iter().filter(|line| line[0] == row.name) {
            let [function, dtype, inputs, max_ulp, place, correct, method] = line;
            let share = 100.0 * correct.parse::<f64>().expect("a share is a number");
            let place = place.replace("; ", ", ");
            document +=
                &format!("| `{function}` | {dtype} | {max_ulp} | {place} | {share:.4} % | {inputs} | {method} |\n");
        }
    }
    document
}

#[test]
fn document_is_made_of_the_record() {
    let known = fs::read_to_string(path("ACCURACY.md")).expect("there is a document");
    assert!(known == document(), "docs/ACCURACY.md is older than docs/accuracy.csv: `write_document` writes it");
}

#[test]
fn every_function_is_in_the_record() {
    let lines = lines();
    for (row, dtype) in rows().flat_map(|row| DTYPES.map(|dtype| (row, dtype))) {
        let line = lines.iter().find(|line| line[0] == row.name && line[1] == dtype.to_string());
        let line = line.unwrap_or_else(|| panic!("`{}` {dtype} has a line in docs/accuracy.csv", row.name));
        let error: f64 = line[3].parse().expect("an error is a number");
        assert!(error <= row.bound, "{} {dtype} is off by {error} ulp", row.name);
    }
}

#[test]
#[ignore = "writes docs/ACCURACY.md"]
fn write_document() {
    fs::write(path("ACCURACY.md"), document()).expect("the document can be written");
}

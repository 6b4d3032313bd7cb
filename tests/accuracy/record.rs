//! Figures to `docs/accuracy.csv`, and those to `docs/ACCURACY.md`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use numlift::{Accuracy, DType};

use crate::table::MATH;
use crate::{ACCURACIES, DTYPES, rows};

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

How it is measured: functions of one argument in f32 for every one of the 2^32 inputs (fast ones partly for every 17th, as the table says),
against the same function in f64 (an ulp of f64 is 2 * 10^-9 of an f32's), of which one result in sixteen is compared with the standard
library's or the `libm` crate's. All else against MPFR with 200 bits, for random inputs
over all exponents and the whole domain, dense about zeros, poles and the points where an implementation changes its ways; for `sin`, `cos` and `tan` multiples of pi/2 of every
size and the floats nearest to one in each binade; and the inputs of NumPy's validation set.

Results are the same on every backend, to the bit: `backends_agree_on_ten_million` compares the interpreter, Cranelift and x64 at both widths on 10^7
random inputs of every function of floats, in f64 and f32.

    cargo test --release --test accuracy -- --ignored every_f32
    cargo build --release --example evaluate && python scripts/measure_accuracy.py
    cargo test --release --test accuracy -- --ignored backends_agree_on_ten_million
    cargo test --test accuracy -- --ignored write_document

";

const TABLE: &str = "\
| function | dtype | greatest error, ulp | at | correctly rounded | inputs | which, against what |
| --- | --- | --- | --- | --- | --- | --- |
";

const ABOUT_FAST: &str = "
## Accuracy::Fast

Of an engine made with `Engine::builder().accuracy(Accuracy::Fast)` these functions are held to 4 ulp, and take at most 1/1.3 of
the time (`cargo run --release -p numlift-bench -- functions` shows it); all others are as above. They have the same special values, and
the same bits on every backend.

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
    ABOUT.to_owned() + &table(&lines, Accuracy::Best) + ABOUT_FAST + &table(&lines, Accuracy::Fast)
}

fn table(lines: &[[String; 7]], accuracy: Accuracy) -> String {
    let mut document = TABLE.to_owned();
    for row in MATH {
        for line in lines.iter().filter(|line| line[0] == row.title(accuracy)) {
            let [function, dtype, inputs, max_ulp, place, correct, method] = line;
            let share = 100.0 * correct.parse::<f64>().expect("a share is a number");
            let (place, function) = (place.replace("; ", ", "), function.trim_end_matches(" (fast)"));
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
        for accuracy in ACCURACIES {
            let title = row.title(accuracy);
            let line = lines.iter().find(|line| line[0] == title && line[1] == dtype.to_string());
            let is_there = accuracy == Accuracy::Best || row.has_fast(dtype);
            assert_eq!(line.is_some(), is_there, "a line for `{title}` {dtype} in docs/accuracy.csv");
            let error: f64 = line.map_or(0.0, |line| line[3].parse().expect("an error is a number"));
            assert!(error <= row.bound(accuracy), "{title} {dtype} is off by {error} ulp");
        }
    }
}

#[test]
#[ignore = "writes docs/ACCURACY.md"]
fn write_document() {
    fs::write(path("ACCURACY.md"), document()).expect("the document can be written");
}

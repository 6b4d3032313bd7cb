//! Functions to their errors: against true values by MPFR on every backend, and in f32 for every input.
//!
//! `cargo test --release --test accuracy -- --ignored` measures what takes long: [`exhaustive`] over all f32, and
//! [`agreement`] of the backends. `scripts/measure_accuracy.py` measures the rest against MPFR. Both note what they find in
//! `docs/accuracy.csv`, of which [`record`] makes `docs/ACCURACY.md`.

mod agreement;
mod cases;
mod exhaustive;
mod record;
mod special;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::BTreeMap;

use numlift::{Accuracy, DType, Engine};

use cases::{Case, evaluate, read, value};
use table::{EXACT, MATH, NOT_OF_FLOATS, OF_ARRAYS, Row};

const DTYPES: [DType; 2] = [DType::F64, DType::F32];
const ACCURACIES: [Accuracy; 2] = [Accuracy::Best, Accuracy::Fast];

/// One engine of each backend for each accuracy.
fn engines() -> Vec<(&'static str, Accuracy, Engine)> {
    let pairs = support::backends().into_iter().flat_map(|backend| ACCURACIES.map(|accuracy| (backend, accuracy)));
    let engine = |((name, backend), accuracy)| {
        let engine = Engine::builder().backend(backend).accuracy(accuracy).build();
        (name, accuracy, engine.expect("the backend runs here"))
    };
    pairs.map(engine).collect()
}

/// The rows of the table that the language has.
fn rows() -> impl Iterator<Item = &'static Row> {
    let known: Vec<&str> = Engine::new().expect("an engine").functions().iter().map(|f| f.name()).collect();
    MATH.iter().filter(move |row| known.contains(&row.name))
}

/// What formulas call their arguments.
const NAMES: [&str; 3] = ["x", "y", "z"];

/// Every function of floats by name, and a formula of [`NAMES`].
fn formulas() -> Vec<(&'static str, String)> {
    let functions = Engine::new().expect("an engine").functions();
    let mut formulas: Vec<(&str, String)> = rows().map(|row| (row.name, row.formula.to_owned())).collect();
    for name in EXACT.iter().filter(|name| !NOT_OF_FLOATS.contains(name)) {
        let function = functions.iter().find(|function| function.name() == *name).expect("the language has it");
        let required = function.signature().split(',').filter(|parameter| !parameter.contains('=')).count();
        let formula = match *name {
            // The one that takes an integer beside a float.
            "ldexp" => "ldexp(x, i32(y))".to_owned(),
            _ => format!("{name}({})", NAMES[..required].join(", ")),
        };
        formulas.push((name, formula));
    }
    formulas
}

#[test]
fn every_function_has_a_row() {
    for function in Engine::new().expect("an engine").functions() {
        let name = function.name();
        let is_math = MATH.iter().any(|row| row.name == name);
        let places = usize::from(is_math) + usize::from(EXACT.contains(&name)) + usize::from(OF_ARRAYS.contains(&name));
        assert_eq!(places, 1, "`{name}` has a row in MATH, EXACT or OF_ARRAYS of tests/accuracy/table.rs");
    }
}

#[test]
fn errors_are_within_bounds() {
    let mut faults = Vec::new();
    for (backend, accuracy, engine) in engines() {
        for (row, dtype) in rows().flat_map(|row| DTYPES.map(|dtype| (row, dtype))) {
            let cases = read(row.name, dtype);
            let fault = fault(&engine, row, row.bound(accuracy), row.formula, dtype, &cases);
            faults.extend(fault.map(|fault| format!("{backend}, {accuracy:?}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A power with its exponent written out takes other ways.
#[test]
fn literal_powers_are_within_bounds() {
    let row = MATH.iter().find(|row| row.name == "pow").expect("pow is in the table");
    let mut faults = Vec::new();
    for dtype in DTYPES {
        let mut by_exponent: BTreeMap<i64, Vec<Case>> = BTreeMap::new();
        for case in read(row.name, dtype) {
            let doubled = 2.0 * value(case.inputs[1], dtype);
            if doubled == doubled.trunc() && doubled.abs() <= 2048.0 {
                by_exponent.entry(doubled as i64).or_default().push(case);
            }
        }
        for (backend, engine) in support::engines() {
            for (doubled, cases) in &by_exponent {
                let formula = format!("x ** {:?}", *doubled as f64 / 2.0);
                let fault = fault(&engine, row, row.bound, &formula, dtype, cases);
                faults.extend(fault.map(|fault| format!("{backend}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The worst case beyond the bound, in words.
fn fault(engine: &Engine, row: &Row, bound: f64, formula: &str, dtype: DType, cases: &[Case]) -> Option<String> {
    let inputs: Vec<Vec<u64>> = cases.iter().map(|case| case.inputs.clone()).collect();
    let results = evaluate(engine, formula, dtype, &inputs);
    let is_held = |case: &Case| !row.is_exempt(value(case.inputs[0], dtype), case.value_of_result(dtype));
    let held = cases.iter().zip(results).filter(|(case, _)| is_held(case));
    let errors = held.map(|(case, got)| (case.error(got, dtype), case, got));
    let (error, case, got) = errors.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let arguments: Vec<f64> = case.inputs.iter().map(|x| value(*x, dtype)).collect();
    let (got, nearest) = (value(got, dtype), case.value_of_result(dtype));
    let fault = format!("{formula} {dtype} is off by {error:.2} ulp for {arguments:?}: {got:?}, not {nearest:?}");
    (error > bound).then_some(fault)
}

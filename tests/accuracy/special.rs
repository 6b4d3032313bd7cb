//! `tests/data/special_values.txt` to results, on every backend and in both dtypes.

use numlift::DType;

use crate::cases::{error, evaluate, value};
use crate::support::parse_element;
use crate::table::MATH;
use crate::{DTYPES, engines, formulas};

struct Line {
    text: &'static str,
    name: &'static str,
    arguments: Vec<&'static str>,
    /// For f64 and for f32.
    results: [&'static str; 2],
}

fn lines() -> Vec<Line> {
    let text = include_str!("../data/special_values.txt");
    let line = |text: &'static str| {
        let (call, results) = text.split_once(" = ").expect("a line has a result");
        let (name, arguments) = call.split_once(' ').expect("a function has arguments");
        let (of_f64, of_f32) = results.split_once(' ').unwrap_or((results, results));
        Line { text, name, arguments: arguments.split(' ').collect(), results: [of_f64, of_f32] }
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(line).collect()
}

/// A word as bits: the ends of the dtype's range have names.
fn bits(dtype: DType, word: &str) -> u64 {
    let (sign, magnitude) = word.strip_prefix('-').map_or((0, word), |rest| (1, rest));
    let [tiny, greatest] = match dtype {
        DType::F32 => [f32::MIN_POSITIVE.to_bits(), f32::MAX.to_bits()].map(u64::from),
        _ => [f64::MIN_POSITIVE.to_bits(), f64::MAX.to_bits()],
    };
    let magnitude = match magnitude {
        "min" => 1,
        "sub" => tiny - 1,
        "tiny" => tiny,
        "max" => greatest,
        _ => parse_element(dtype, magnitude),
    };
    magnitude | sign << (8 * dtype.size() - 1)
}

#[test]
fn special_values() {
    let (lines, formulas) = (lines(), formulas());
    let mut faults = Vec::new();
    for (backend, accuracy, engine) in engines() {
        for (name, formula) in &formulas {
            let lines: Vec<&Line> = lines.iter().filter(|line| line.name == *name).collect();
            assert!(!lines.is_empty(), "`{name}` has special values");
            let row = MATH.iter().find(|row| row.name == *name);
            for (dtype, place) in DTYPES.into_iter().zip(0..) {
                let of_line = |line: &&Line| line.arguments.iter().map(|word| bits(dtype, word)).collect();
                let inputs: Vec<Vec<u64>> = lines.iter().map(of_line).collect();
                // Tests become 0 or 1.
                let formula = if row.is_some() { formula.clone() } else { format!("astype({formula}, {dtype})") };
                for (line, got) in lines.iter().zip(evaluate(&engine, &formula, dtype, &inputs)) {
                    let result = line.results[place];
                    let near = result.strip_prefix('~').zip(row);
                    let (result, allowed) = near.map_or((result, 0.0), |(value, row)| (value, row.bound(accuracy)));
                    let (got, expected) = (value(got, dtype), value(bits(dtype, result), dtype));
                    if error(got, expected, 0.0, dtype) > allowed {
                        faults.push(format!("{backend}, {accuracy:?}: {} {dtype}, found {got:?}", line.text));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

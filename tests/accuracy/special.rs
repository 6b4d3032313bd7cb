//! `tests/data/special_values.txt` to results, on every backend and in both dtypes.

use numlift::DType;

use crate::cases::{error, evaluate, value};
use crate::support::parse_element;
use crate::{DTYPES, engines, rows};

struct Line {
    text: &'static str,
    name: &'static str,
    arguments: Vec<&'static str>,
    result: &'static str,
}

fn lines() -> Vec<Line> {
    let text = include_str!("../data/special_values.txt");
    let line = |text: &'static str| {
        let (call, result) = text.split_once(" = ").expect("a line has a result");
        let (name, arguments) = call.split_once(' ').expect("a function has arguments");
        Line { text, name, arguments: arguments.split(' ').collect(), result }
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(line).collect()
}

/// A word as bits: the ends of the dtype's range have names.
fn bits(dtype: DType, word: &str) -> u64 {
    let (sign, magnitude) = word.strip_prefix('-').map_or((0, word), |rest| (1, rest));
    let [least, tiny, greatest] = match dtype {
        DType::F32 => [1, u64::from(f32::MIN_POSITIVE.to_bits()), u64::from(f32::MAX.to_bits())],
        _ => [1, f64::MIN_POSITIVE.to_bits(), f64::MAX.to_bits()],
    };
    let magnitude = match magnitude {
        "min" => least,
        "tiny" => tiny,
        "max" => greatest,
        _ => parse_element(dtype, magnitude),
    };
    magnitude | sign << (8 * dtype.size() - 1)
}

#[test]
fn special_values() {
    let lines = lines();
    let mut faults = Vec::new();
    for (backend, accuracy, engine) in engines() {
        for (row, dtype) in rows().flat_map(|row| DTYPES.map(|dtype| (row, dtype))) {
            let lines: Vec<&Line> = lines.iter().filter(|line| line.name == row.name).collect();
            assert!(!lines.is_empty(), "`{}` has special values", row.name);
            let of_line = |line: &&Line| line.arguments.iter().map(|word| bits(dtype, word)).collect();
            let inputs: Vec<Vec<u64>> = lines.iter().map(of_line).collect();
            for (line, got) in lines.iter().zip(evaluate(&engine, row.formula, dtype, &inputs)) {
                let (result, allowed) =
                    line.result.strip_prefix('~').map_or((line.result, 0.0), |value| (value, row.bound(accuracy)));
                let (got, expected) = (value(got, dtype), value(bits(dtype, result), dtype));
                if error(got, expected, 0.0, dtype) > allowed {
                    faults.push(format!("{backend}, {accuracy:?}: {} {dtype}, found {got:?}", line.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

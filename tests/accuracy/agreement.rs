//! Random inputs to the bits of the interpreter, on every backend, for each function of mathematics.

use numlift::DType;

use crate::cases::evaluate;
use crate::support::{engines, same};
use crate::{DTYPES, rows};

/// A generator of bits: Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any bits, or a number of the size that most functions do something with.
    fn element(&mut self, dtype: DType) -> u64 {
        let bits = self.next();
        let (kind, size, mantissa) = (bits & 3, (bits >> 2) & 15, self.next());
        let x = (mantissa as i64 as f64) * 2.0_f64.powi(-63 + size as i32 - 5);
        match dtype {
            DType::F32 if kind == 0 => mantissa >> 32,
            DType::F32 => u64::from((x as f32).to_bits()),
            _ if kind == 0 => mantissa,
            _ => x.to_bits(),
        }
    }
}

fn check(name: &str, formula: &str, dtype: DType, count: usize, seed: u64) {
    let mut random = Random(seed);
    let arity = if formula.contains('y') { 2 } else { 1 };
    let rows: Vec<Vec<u64>> = (0..count).map(|_| (0..arity).map(|_| random.element(dtype)).collect()).collect();
    let mut expected: Option<Vec<u64>> = None;
    for (backend, engine) in engines() {
        let found = evaluate(&engine, formula, dtype, &rows);
        let Some(expected) = &expected else {
            expected = Some(found);
            continue;
        };
        for ((row, a), b) in rows.iter().zip(expected).zip(&found) {
            assert!(same(dtype, *a, *b), "{name} {dtype} of {row:x?}: {b:#x} by {backend}, {a:#x} by the interpreter");
        }
    }
}

#[test]
fn backends_agree() {
    for (row, dtype) in rows().flat_map(|row| DTYPES.map(|dtype| (row, dtype))) {
        check(row.name, row.formula, dtype, 2000, 1);
    }
}

/// `FUNCTIONS=erf,erfc` chooses some.
#[test]
#[ignore = "minutes a function"]
fn backends_agree_on_ten_million() {
    let chosen = std::env::var("FUNCTIONS").unwrap_or_default();
    for row in rows().filter(|row| chosen.is_empty() || chosen.split(',').any(|name| name == row.name)) {
        for dtype in DTYPES {
            (0..10).for_each(|seed| check(row.name, row.formula, dtype, 1_000_000, seed));
            println!("{} {dtype}: 10^7 inputs", row.name);
        }
    }
}

//! Random inputs to the bits of the interpreter, on every backend, for each function of floats.

use std::collections::HashMap;

use numlift::{Accuracy, Args, DType, Engine, View};

use crate::support::{bits_at, same};
use crate::table::is_chosen;
use crate::{DTYPES, NAMES, engines, formulas, rows};

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

    fn column(&mut self, dtype: DType, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| self.element(dtype).to_le_bytes().into_iter().take(dtype.size())).collect()
    }
}

/// The dtype and the bytes of the result.
fn evaluate(engine: &Engine, formula: &str, dtype: DType, columns: &[Vec<u8>]) -> (DType, Vec<u8>) {
    let kernel = engine.compile(formula).unwrap_or_else(|error| panic!("{}", error.render()));
    let view = |name: &str| {
        let bytes = &columns[NAMES.iter().position(|known| *known == name)?];
        View::from_bytes(dtype, bytes, &[bytes.len() / dtype.size()], &[dtype.size() as isize]).ok()
    };
    let outputs = kernel.eval(Args::lookup(view)).unwrap_or_else(|error| panic!("{}", error.render()));
    let name = outputs.names().next().expect("a kernel has an output").to_owned();
    let view = outputs.view(&name).expect("it is one of the outputs");
    (view.dtype(), view.as_bytes().expect("an output has no gaps").to_vec())
}

fn check(name: &str, formula: &str, dtype: DType, count: usize, seed: u64) {
    let mut random = Random(seed);
    let columns: Vec<Vec<u8>> = NAMES.iter().map(|_| random.column(dtype, count)).collect();
    let mut all_expected: HashMap<Accuracy, (DType, Vec<u8>)> = HashMap::new();
    let has_fast = rows().any(|row| row.name == name && row.has_fast(dtype));
    let engines = engines().into_iter().filter(|(_, accuracy, _)| has_fast || *accuracy == Accuracy::Best);
    for (backend, accuracy, engine) in engines {
        let found = evaluate(&engine, formula, dtype, &columns);
        let Some(expected) = all_expected.get(&accuracy) else {
            all_expected.insert(accuracy, found);
            continue;
        };
        assert_eq!(expected.0, found.0, "the dtype of {formula} by {backend}");
        let size = found.0.size();
        for (k, (a, b)) in expected.1.chunks(size).zip(found.1.chunks(size)).enumerate() {
            let (a, b) = (bits_at(a, found.0), bits_at(b, found.0));
            let row = || columns.iter().map(|column| bits_at(&column[k * dtype.size()..], dtype)).collect::<Vec<_>>();
            assert!(
                same(found.0, a, b),
                "{formula} {dtype} of {:x?}: {b:#x} by {backend}, {accuracy:?}, {a:#x} by the interpreter",
                row()
            );
        }
    }
}

#[test]
fn backends_agree() {
    for (name, formula) in formulas() {
        DTYPES.into_iter().for_each(|dtype| check(name, &formula, dtype, 2000, 1));
    }
}

/// `FUNCTIONS=erf,erfc` chooses some.
#[test]
#[ignore = "a minute a function"]
fn backends_agree_on_ten_million() {
    for (name, formula) in formulas().into_iter().filter(|(name, _)| is_chosen(name)) {
        for dtype in DTYPES {
            (0..10).for_each(|seed| check(name, &formula, dtype, 1_000_000, seed));
            println!("{formula} {dtype}: the same bits for 10^7 inputs");
        }
    }
}

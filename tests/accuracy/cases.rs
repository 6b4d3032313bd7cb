//! Files of true values to errors in units of the last place.

use numlift::{Args, DType, Engine, View};

use crate::NAMES;

/// One line of `tests/data/accuracy`.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) inputs: Vec<u64>,
    nearest: u64,
    /// What the true value exceeds the nearest one by, in ulps.
    rest: f64,
}

/// The cases of a function in one dtype.
pub(crate) fn read(name: &str, dtype: DType) -> Vec<Case> {
    let path = format!("{}/tests/data/accuracy/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let digits = 2 * dtype.size();
    text.lines().filter(|line| line.find(' ') == Some(digits)).map(case).collect()
}

fn case(line: &str) -> Case {
    let fields: Vec<&str> = line.split(' ').collect();
    let (rest, bits) = fields.split_last().expect("a line has fields");
    let mut bits: Vec<u64> =
        bits.iter().map(|digits| u64::from_str_radix(digits, 16).expect("a field is bits in hex")).collect();
    let nearest = bits.pop().expect("a line has a result");
    let rest: f64 = rest.parse().expect("the last field is a number");
    Case { inputs: bits, nearest, rest: rest / 100.0 }
}

/// The value of bits of `dtype`.
pub(crate) fn value(bits: u64, dtype: DType) -> f64 {
    if dtype == DType::F32 { f64::from(f32::from_bits(bits as u32)) } else { f64::from_bits(bits) }
}

impl Case {
    /// The error of `got`; infinite for a wrong special value or sign.
    pub(crate) fn error(&self, got: u64, dtype: DType) -> f64 {
        error(value(got, dtype), value(self.nearest, dtype), self.rest, dtype)
    }

    pub(crate) fn value_of_result(&self, dtype: DType) -> f64 {
        value(self.nearest, dtype)
    }
}

/// How far `got` is from `nearest` and `rest` ulps; infinite for a wrong special value or sign.
pub(crate) fn error(got: f64, nearest: f64, rest: f64, dtype: DType) -> f64 {
    if got.is_nan() || nearest.is_nan() {
        return if got.is_nan() && nearest.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_sign_negative() != nearest.is_sign_negative() {
        return f64::INFINITY;
    }
    if got == nearest {
        return rest.abs();
    }
    // Infinite if one of them is.
    ((got - nearest) / ulp(nearest, rest < 0.0, dtype) - rest).abs()
}

/// The unit of the last place of a number whose nearest float is `nearest`, and that may be below it.
pub(crate) fn ulp(nearest: f64, is_below: bool, dtype: DType) -> f64 {
    let (digits, least) = if dtype == DType::F32 { (23, -149) } else { (52, -1074) };
    let exponent = (nearest.abs().to_bits() >> 52) as i32 - 1023;
    // Below a power of two the true value's ulp is that of the smaller numbers.
    let is_power = nearest.to_bits() << 12 == 0;
    let exponent = if is_power && is_below == (nearest > 0.0) { exponent - 1 } else { exponent };
    let ulp = (exponent - digits).max(least);
    f64::from_bits(if ulp < -1022 { 1 << (ulp + 1074) } else { ((ulp + 1023) as u64) << 52 })
}

/// The bits of `formula` for each row of bits, whose columns are [`NAMES`].
pub(crate) fn evaluate(engine: &Engine, formula: &str, dtype: DType, rows: &[Vec<u64>]) -> Vec<u64> {
    let kernel = engine.compile(formula).unwrap_or_else(|error| panic!("{}", error.render()));
    let size = dtype.size();
    let column = |k: usize| -> Vec<u8> { rows.iter().flat_map(|row| row[k].to_le_bytes()[..size].to_vec()).collect() };
    let columns: Vec<Vec<u8>> = (0..rows.first().map_or(0, Vec::len)).map(column).collect();
    let view = |name: &str| {
        let bytes = columns.get(NAMES.iter().position(|known| *known == name)?)?;
        View::from_bytes(dtype, bytes, &[rows.len()], &[size as isize]).ok()
    };
    let outputs = kernel.eval(Args::lookup(view)).unwrap_or_else(|error| panic!("{}", error.render()));
    let name = outputs.names().next().expect("a kernel has an output").to_owned();
    let view = outputs.view(&name).expect("it is one of the outputs");
    assert_eq!(view.dtype(), dtype, "{formula} keeps the dtype");
    let bytes = view.as_bytes().expect("an output has no gaps");
    bytes.chunks(size).map(|bytes| crate::support::bits_at(bytes, dtype)).collect()
}

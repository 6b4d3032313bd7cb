//! `exp`: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, and 2^n put on by its bits.
//!
//! No table and no branch. In f64 r is a sum of two floats, of which the polynomial takes the rounded one and the last
//! sums the exact ones: 1 + (r_high + (r_low + r^2 q(r))). Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 0.92 ulp, where r is near -ln 2 / 2 (3 * 10^7 inputs: any bits, the whole range,
//! subnormal results, the breaks of the reduction); f32 0.50001 ulp (all 2^32 inputs).

use std::f64::consts;

use super::double::{Double, ROUNDER, bits, float, is_outside, ordered_sum, polynomial, shift_left, widened};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// ln 2 in two parts.
const LN_2: (f64, f64) = (consts::LN_2, 2.3190468138462996e-17);

/// (e^r - 1 - r) / r^2, to 2^-57.7 of e^r.
const REST: [f64; 10] = [
    0.5000000000000012,
    0.16666666666666471,
    0.04166666666651975,
    0.008333333333458665,
    0.0013888888945921057,
    0.00019841269581196487,
    2.4801491030993337e-05,
    2.755752164644174e-06,
    2.763090755114223e-07,
    2.5020074850572813e-08,
];

/// The same, to 2^-39.4.
const REST_F32: [f64; 7] = [
    0.5000000000743857,
    0.1666666678717443,
    0.04166666305544353,
    0.008333281195479447,
    0.0013889370844999739,
    0.00019909266481153845,
    2.4638566352350512e-05,
];

const BIAS: u64 = 1023;
/// n + this is twice the bias plus n: its halves are the biased exponents of two factors of 2^n.
const TWO_BIASES: f64 = 2.0 * BIAS as f64;

pub(super) fn exp(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, exp_of_f32),
        _ => exp_of_f64(b, x),
    }
}

/// `x` between bounds behind which nothing but 0 and infinity lie; NaN stays.
fn bounded(b: &mut Builder, x: Value, least: f64, greatest: f64) -> Value {
    let (least, greatest) = (b.f64(least), b.f64(greatest));
    let x = b.lesser(greatest, x);
    b.greater(least, x)
}

fn exp_of_f64(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -746.0, 710.0);
    let Reduced { biased, r, rest } = reduce(b, x, None, TWO_BIASES);
    let one = b.f64(1.0);
    let less_one = b.add(r, rest);
    let mantissa = b.add(one, less_one);
    scaled(b, mantissa, biased)
}

/// e^x of a sum of two floats, in the making.
pub(super) struct Power {
    exponent: Value,
    mantissa: Value,
    biased: Value,
    /// The result if not [`Power::is_extreme`].
    pub(super) usual: Value,
}

/// Whatever e^x is, if `x.high` is infinite or NaN. The result has an error of 0.73 ulp if `x` is exact.
pub(super) fn exp_of_double(b: &mut Builder, x: Double) -> Power {
    let Reduced { biased, r, rest } = reduce(b, x.high, Some(x.low), BIAS as f64);
    let one = b.f64(1.0);
    let sum = ordered_sum(b, one, r);
    let low = b.add(sum.low, rest);
    let mantissa = b.add(sum.high, low);
    let scale = shift_left(b, biased, 52);
    let scale = float(b, scale);
    Power { exponent: x.high, mantissa, biased, usual: b.mul(mantissa, scale) }
}

/// e^x of a sum of two floats between -1400 and 700 as a sum times a power of two, which [`scaled`] puts on.
pub(super) fn exp_parts(b: &mut Builder, x: Double) -> (Double, Value) {
    let Reduced { biased, r, rest } = reduce(b, x.high, Some(x.low), TWO_BIASES);
    let one = b.f64(1.0);
    let sum = ordered_sum(b, one, r);
    (Double { high: sum.high, low: b.add(sum.low, rest) }, biased)
}

impl Power {
    /// Whether the result may overflow or be subnormal, or is no number.
    pub(super) fn is_extreme(&self, b: &mut Builder) -> Value {
        let biased = b.bitcast(self.biased, DType::I64);
        // The biased exponents of normal numbers start at 1.
        let least = ROUNDER.to_bits() + 1;
        is_outside(b, biased, least, least + 2 * BIAS - 1)
    }

    /// The result in any case but that of NaN.
    pub(super) fn any(&self, b: &mut Builder) -> Value {
        let bias = b.element(BIAS);
        let biased = b.add(self.biased, bias);
        let result = scaled(b, self.mantissa, biased);
        let (zero, infinity) = (b.f64(0.0), b.f64(f64::INFINITY));
        let grows = b.gt(self.exponent, zero);
        let limit = b.select(grows, infinity, zero);
        let beyond = b.f64(746.0);
        let magnitude = b.abs(self.exponent);
        let is_within = b.lt(magnitude, beyond);
        b.select(is_within, result, limit)
    }
}

/// e^(x + low) = 2^n (1 + r + rest), with n + `bias` in the low bits of `biased` (u64).
struct Reduced {
    biased: Value,
    r: Value,
    rest: Value,
}

fn reduce(b: &mut Builder, x: Value, low: Option<Value>, bias: f64) -> Reduced {
    let (rounder, per_ln2) = (b.f64(ROUNDER + bias), b.f64(consts::LOG2_E));
    let biased = b.fma(x, per_ln2, rounder);
    let n = b.sub(biased, rounder);
    // Exact: a multiple of 2^-53 below 1/2, unless n is 0.
    let minus_ln2 = b.f64(-LN_2.0);
    let r = b.fma(n, minus_ln2, x);
    let minus_ln2_low = b.f64(-LN_2.1);
    let r_low = match low {
        Some(low) => b.fma(n, minus_ln2_low, low),
        None => b.mul(n, minus_ln2_low),
    };
    let rounded = b.add(r, r_low);
    let square = b.mul(rounded, rounded);
    let rest = polynomial(b, rounded, square, &REST);
    Reduced { biased: bits(b, biased), r, rest: b.fma(square, rest, r_low) }
}

/// `x` times 2^n, given n + [`TWO_BIASES`], in two steps: the second rounds where the result is subnormal, the first never.
pub(super) fn scaled(b: &mut Builder, x: Value, biased: Value) -> Value {
    let one = b.element(1_u64);
    let half = b.shr(biased, one);
    let first = shift_left(b, half, 52);
    let both = shift_left(b, biased, 52);
    let second = b.sub(both, first);
    let (first, second) = (float(b, first), float(b, second));
    let x = b.mul(x, first);
    b.mul(x, second)
}

/// x 2^n for an integer n and an `x` between 2^-513 and 2^513.
pub(super) fn times_power_of_two(b: &mut Builder, x: Value, n: Value) -> Value {
    let n = bounded(b, n, -2000.0, 2000.0);
    let rounder = b.f64(ROUNDER + TWO_BIASES);
    let biased = b.add(n, rounder);
    let biased = bits(b, biased);
    scaled(b, x, biased)
}

/// e^x in f64, right for f32: relative error 2^-39.
pub(super) fn exp_of_f32(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -110.0, 100.0);
    let (rounder, per_ln2) = (b.f64(ROUNDER + BIAS as f64), b.f64(consts::LOG2_E));
    let scale = b.fma(x, per_ln2, rounder);
    let n = b.sub(scale, rounder);
    let minus_ln2 = b.f64(-LN_2.0);
    let r = b.fma(n, minus_ln2, x);
    let square = b.mul(r, r);
    let rest = polynomial(b, r, square, &REST_F32);
    let less_one = b.fma(square, rest, r);
    let scale = bits(b, scale);
    let scale = shift_left(b, scale, 52);
    let scale = float(b, scale);
    b.fma(less_one, scale, scale)
}

//! `sinh`, `cosh`, `tanh`: with x = n ln 2 + r the first two are a sinh r + b cosh r and a cosh r + b sinh r, a and b being
//! half the sum and the difference of 2^n and 2^-n.
//!
//! No branch, no division for the first two. In f64 all parts are sums of two floats. The f64 tanh takes half of ln 2: with h = 2^-n,
//! tanh r = s/d, a = d + s and b = d - s it is (1 - 2h) + 2h (h b + 2s) / (h b + a), of which the first term is exact and
//! the second small, and near 0 x + x (s/d / r - 1); both by one division. The f32 tanh is -E / (2 + E) with E = e^(-2|x|) - 1.
//! Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 sinh 0.80 ulp, cosh 0.82, tanh 0.98 (10^7 inputs each); f32 0.501 (10^6).

use std::f64::consts;

use super::double::{Double, ROUNDER, binade, bits, horner, ordered_sum, widened, with_sign_of};
use super::exp::{BIAS, Fraction, expm1_of_f32, fraction};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// (sinh r - r) / r^3 in powers of r^2 for |r| up to ln 2 / 2, to 2^-61.7 of the hyperbolic sine.
const SINH: [f64; 5] =
    [0.16666666666666677, 0.008333333333321428, 0.00019841269886631242, 2.7557243702649166e-06, 2.510921428216453e-08];

/// The same, to 2^-37.4.
const SINH_F32: [f64; 3] = [0.16666666756947493, 0.008333288336821709, 0.00019905329594011986];

/// (cosh r - 1 - r^2/2) / r^4 in powers of r^2, to 2^-57.2 of the hyperbolic cosine.
const COSH: [f64; 4] = [0.04166666666659981, 0.0013888888928387068, 2.480150676389433e-05, 2.7625925244086297e-07];

/// The same, to 2^-33.2.
const COSH_F32: [f64; 2] = [0.04166645450478665, 0.001393587193340197];

/// Beyond this both are infinite.
const GREATEST: f64 = 710.6;
const GREATEST_F32: f64 = 100.0;

pub(super) fn sinh(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let Parts { sum, difference, sinh, cosh, .. } = parts_of_f32(b, x);
            let part = b.mul(difference, cosh);
            let result = b.fma(sum, sinh, part);
            with_sign_of(b, result, x)
        }),
        _ => {
            let parts = parts_of_f64(b, x);
            let half = parts.combined(b, parts.sum, parts.difference);
            let result = b.add(half, half);
            let result = with_sign_of(b, result, x);
            // Half a subnormal may not be one.
            let tiny = b.f64(f64::from(-28).exp2());
            let is_tiny = b.lt(parts.magnitude, tiny);
            b.select(is_tiny, x, result)
        }
    }
}

pub(super) fn cosh(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let Parts { sum, difference, sinh, cosh, .. } = parts_of_f32(b, x);
            let part = b.mul(difference, sinh);
            b.fma(sum, cosh, part)
        }),
        _ => {
            let parts = parts_of_f64(b, x);
            let half = parts.combined(b, parts.difference, parts.sum);
            b.add(half, half)
        }
    }
}

/// |x| = n ln 2 + r in parts.
struct Parts<T> {
    magnitude: Value,
    /// Half of 2^n + 2^-n and of 2^n - 2^-n; in f64 a quarter, so that neither is infinite.
    sum: T,
    difference: T,
    /// sinh r and cosh r; in f64 the low part of the sum of two floats whose high ones are r and 1.
    sinh: Value,
    cosh: Value,
    r: Value,
}

fn parts_of_f64(b: &mut Builder, x: Value) -> Parts<Double> {
    let bias = 1023.0 - 2.0;
    let (magnitude, greatest) = (b.abs(x), b.f64(GREATEST));
    let within = b.lesser(greatest, magnitude);
    let Fraction { biased, n, r, r_low, rounded } = fraction(b, within, None, bias);
    let (half, square) = (b.f64(0.5), b.mul(rounded, rounded));
    let fourth = b.mul(square, square);
    let cube = b.mul(square, rounded);
    let sinh = horner(b, square, &SINH);
    let cosh = horner(b, square, &COSH);
    let sinh = b.fma(cube, sinh, r_low);
    let half_square = b.mul(half, square);
    let cosh = b.fma(fourth, cosh, half_square);

    let power = binade(b, biased);
    // Of a large n the inverse power weighs nothing, and might not be normal.
    let (most, rounder) = (b.f64(500.0), b.f64(ROUNDER + bias));
    let n = b.lesser(n, most);
    let inverse = b.sub(rounder, n);
    let inverse = bits(b, inverse);
    let inverse = binade(b, inverse);
    let sum = ordered_sum(b, power, inverse);
    let minus = b.neg(inverse);
    let difference = ordered_sum(b, power, minus);
    Parts { magnitude, sum, difference, sinh, cosh, r }
}

impl Parts<Double> {
    /// x sinh r + y cosh r
    fn combined(&self, b: &mut Builder, x: Double, y: Double) -> Value {
        let high = b.fma(x.high, self.r, y.high);
        let left = b.sub(y.high, high);
        let left = b.fma(x.high, self.r, left);
        let left = b.add(left, y.low);
        let left = b.fma(x.high, self.sinh, left);
        let left = b.fma(y.high, self.cosh, left);
        b.add(high, left)
    }
}

fn parts_of_f32(b: &mut Builder, x: Value) -> Parts<Value> {
    let bias = 1023.0 - 1.0;
    let (magnitude, greatest) = (b.abs(x), b.f64(GREATEST_F32));
    let within = b.lesser(greatest, magnitude);
    let Fraction { biased, n, r, .. } = fraction(b, within, None, bias);
    let (half, one, square) = (b.f64(0.5), b.f64(1.0), b.mul(r, r));
    let fourth = b.mul(square, square);
    let cube = b.mul(square, r);
    let sinh = horner(b, square, &SINH_F32);
    let cosh = horner(b, square, &COSH_F32);
    let sinh = b.fma(cube, sinh, r);
    let start = b.fma(square, half, one);
    let cosh = b.fma(fourth, cosh, start);
    let rounder = b.f64(ROUNDER + bias);
    let inverse = b.sub(rounder, n);
    let [power, inverse] = [biased, bits(b, inverse)].map(|biased| binade(b, biased));
    Parts { magnitude, sum: b.add(power, inverse), difference: b.sub(power, inverse), sinh, cosh, r }
}

/// (tanh r / r - 1) / r^2 as a quotient in powers of r^2 for |r| up to [`TANH_NEAR_END`], to 2^-57.1 of the tangent. The common
/// factor is chosen so that the parts stand high in their binades, where rounding costs least.
const TANH_ABOVE: [f64; 4] = [-0.46875, -0.030109521506905216, -0.0003422247990843023, -2.4314551426702342e-08];
const TANH_BELOW: [f64; 4] = [1.40625, 0.6528285645207145, 0.03447952877698124, 0.00035773591291765096];
const TANH_NEAR_END: f64 = 0.87;
/// From here on the tangent is 1.
const GREATEST_TANH: f64 = 20.0;

pub(super) fn tanh(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let twice = minus_twice_magnitude(b, x);
            let above = expm1_of_f32(b, twice);
            let two = b.f64(2.0);
            let below = b.add(two, above);
            let minus = b.div(above, below);
            let result = b.abs(minus);
            with_sign_of(b, result, x)
        }),
        _ => tanh_of_f64(b, x),
    }
}

/// -2|x|, but no less than what is -1 after `expm1`.
fn minus_twice_magnitude(b: &mut Builder, x: Value) -> Value {
    let (least, two) = (b.f64(-39.0), b.f64(-2.0));
    let magnitude = b.abs(x);
    let twice = b.mul(magnitude, two);
    b.greater(least, twice)
}

fn tanh_of_f64(b: &mut Builder, x: Value) -> Value {
    let (magnitude, greatest, end) = (b.abs(x), b.f64(GREATEST_TANH), b.f64(TANH_NEAR_END));
    let y = b.lesser(greatest, magnitude);
    let is_near = b.lt(y, end);
    // Near 0 n is, too.
    let (rounder, minus_two_per_ln2) = (b.f64(ROUNDER + BIAS as f64), b.f64(-2.0 * consts::LOG2_E));
    let biased = b.fma(y, minus_two_per_ln2, rounder);
    let biased = b.select(is_near, rounder, biased);
    let (minus_n, half_ln2) = (b.sub(biased, rounder), b.f64(consts::LN_2 / 2.0));
    let r = b.fma(minus_n, half_ln2, y);

    let (z, one, four) = (b.mul(r, r), b.f64(1.0), b.f64(4.0));
    let above = horner(b, z, &TANH_ABOVE);
    let d = horner(b, z, &TANH_BELOW);
    let near_above = b.mul(z, above);
    let s = b.add(d, near_above);
    let s = b.mul(r, s);
    let (sum, difference) = (b.add(d, s), b.sub(d, s));

    let biased = bits(b, biased);
    let h = binade(b, biased);
    let twice_h = b.add(h, h);
    let far_start = b.sub(one, twice_h);
    let four_s = b.mul(four, s);
    let far_above = b.fma(twice_h, difference, four_s);
    let far_below = b.fma(h, difference, sum);

    let above = b.select(is_near, near_above, far_above);
    let below = b.select(is_near, d, far_below);
    let factor = b.select(is_near, y, h);
    let start = b.select(is_near, y, far_start);
    let quotient = b.div(above, below);
    let result = b.fma(factor, quotient, start);
    with_sign_of(b, result, x)
}

//! `sinh`, `cosh`, `tanh`: with x = n ln 2 + r the first two are a sinh r + b cosh r and a cosh r + b sinh r, a and b being
//! half the sum and the difference of 2^n and 2^-n; with E = e^(-2|x|) - 1 the third is -E / (2 + E).
//!
//! No branch, no division for the first two. In f64 all parts are sums of two floats, and the quotient is mended by what it
//! leaves over. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 sinh 0.80 ulp, cosh 0.82, tanh 0.72 (10^7 inputs each); f32 0.501 (10^6).

use super::double::{Double, ROUNDER, bits, float, horner, ordered_sum, quotient, shift_left, widened, with_sign_of};
use super::exp::{Fraction, expm1_below, expm1_of_f32, fraction};
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

    let power = shift_left(b, biased, 52);
    let power = float(b, power);
    // Of a large n the inverse power weighs nothing, and might not be normal.
    let (most, rounder) = (b.f64(500.0), b.f64(ROUNDER + bias));
    let n = b.lesser(n, most);
    let inverse = b.sub(rounder, n);
    let inverse = bits(b, inverse);
    let inverse = shift_left(b, inverse, 52);
    let inverse = float(b, inverse);
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
    let [power, inverse] = [biased, bits(b, inverse)].map(|biased| {
        let power = shift_left(b, biased, 52);
        float(b, power)
    });
    Parts { magnitude, sum: b.add(power, inverse), difference: b.sub(power, inverse), sinh, cosh, r }
}

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
    let twice = minus_twice_magnitude(b, x);
    let above = expm1_below(b, twice);
    let above = ordered_sum(b, above.high, above.low);
    let two = b.f64(2.0);
    let below = ordered_sum(b, two, above.high);
    let below = Double { high: below.high, low: b.add(below.low, above.low) };
    let minus = quotient(b, above, below);
    let result = b.abs(minus);
    with_sign_of(b, result, x)
}

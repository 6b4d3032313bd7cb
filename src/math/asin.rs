//! `asin`, `acos`: an odd polynomial up to 1/2, and beyond it pi/2 less, or for `acos` just, twice that of sqrt((1 - |x|) / 2).
//!
//! No branch; both ways share the polynomial and meet again in base + factor * (s + s^3 R(s^2)). What rounding leaves out of
//! the square root is made up for to some per cent, by its residual. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 asin 0.67 ulp, acos 0.64 (4 * 10^6 inputs each); f32 0.58 (5 * 10^5).

use std::f64::consts;

use super::double::{HALF_PI_LOW, SIGN, bits, float, ordered_sum, polynomial, rough_reciprocal, widened, with_sign_of};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// (asin s - s) / s^3 in powers of s^2 up to 1/4, to 2^-59.8 of the arc sine.
const ASIN: [f64; 13] = [
    0.16666666666666757,
    0.07499999999971788,
    0.04464285717359913,
    0.03038194275829791,
    0.02237221353350355,
    0.017351638428859093,
    0.013980502397436156,
    0.011401516323663805,
    0.010765693722389105,
    0.0037611554796832753,
    0.02157501810059759,
    -0.020812917216686315,
    0.03251307182832633,
];

/// The same, to 2^-27.6.
const ASIN_F32: [f64; 5] =
    [0.16666751508390393, 0.07495352460409536, 0.04546262017360719, 0.024219862364742575, 0.042096218490756974];

pub(super) fn asin(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, asin_of_f32),
        _ => asin_of_f64(b, x),
    }
}

pub(super) fn acos(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, acos_of_f32),
        _ => acos_of_f64(b, x),
    }
}

/// What the polynomial takes: |x|, or the square root, of `square`.
struct Reduced {
    is_large: Value,
    s: Value,
    square: Value,
}

fn reduced(b: &mut Builder, x: Value) -> Reduced {
    let (half, minus_half) = (b.f64(0.5), b.f64(-0.5));
    let magnitude = b.abs(x);
    let is_large = b.gt(magnitude, half);
    let rest = b.fma(minus_half, magnitude, half);
    let square = b.mul(x, x);
    let square = b.select(is_large, rest, square);
    let root = b.sqrt(square);
    Reduced { is_large, s: b.select(is_large, root, magnitude), square }
}

/// s^3 R(s^2).
fn rest(b: &mut Builder, s: Value, square: Value, coefficients: &[f64]) -> Value {
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, coefficients);
    let cube = b.mul(s, square);
    b.mul(cube, rest)
}

/// base + factor * (s + low), base being a multiple of pi/2.
fn turned(b: &mut Builder, base: Value, factor: Value, s: Value, low: Value) -> Value {
    let part = b.mul(factor, s);
    let sum = ordered_sum(b, base, part);
    let base_low = b.f64(HALF_PI_LOW / consts::FRAC_PI_2);
    let left = b.fma(base, base_low, sum.low);
    let left = b.fma(factor, low, left);
    b.add(sum.high, left)
}

/// What s^2 lacks of `square` if s is its root, else 0.
fn residual(b: &mut Builder, reduced: &Reduced) -> Value {
    let (zero, minus) = (b.f64(0.0), b.neg(reduced.s));
    let left = b.fma(minus, reduced.s, reduced.square);
    b.select(reduced.is_large, left, zero)
}

fn asin_of_f64(b: &mut Builder, x: Value) -> Value {
    let reduced = reduced(b, x);
    let (zero, one, minus_two, half_pi) = (b.f64(0.0), b.f64(1.0), b.f64(-2.0), b.f64(consts::FRAC_PI_2));
    let base = b.select(reduced.is_large, half_pi, zero);
    let factor = b.select(reduced.is_large, minus_two, one);
    // 1 / (2s) between 0.35 and 1/2, the only place where the error of s is much of an ulp of the result.
    let (start, slope) = (b.f64(2.4), b.f64(-2.83));
    let share = b.fma(slope, reduced.s, start);
    let left = residual(b, &reduced);
    let rest = rest(b, reduced.s, reduced.square, &ASIN);
    let low = b.fma(left, share, rest);
    let result = turned(b, base, factor, reduced.s, low);
    with_sign_of(b, result, x)
}

fn acos_of_f64(b: &mut Builder, x: Value) -> Value {
    let reduced = reduced(b, x);
    let (base, factor) = acos_turn(b, x, reduced.is_large);
    let half = b.f64(0.5);
    let share = rough_reciprocal(b, reduced.s);
    let left = residual(b, &reduced);
    let left = b.mul(left, half);
    let rest = rest(b, reduced.s, reduced.square, &ASIN);
    let low = b.fma(left, share, rest);
    turned(b, base, factor, reduced.s, low)
}

/// pi/2 less s with the sign of x, or twice s where x is large, or pi less that where it is below 0, too.
fn acos_turn(b: &mut Builder, x: Value, is_large: Value) -> (Value, Value) {
    let (zero, two, minus_one) = (b.f64(0.0), b.f64(2.0), b.f64(-1.0));
    let (half_pi, pi) = (b.f64(consts::FRAC_PI_2), b.f64(consts::PI));
    let is_below = b.lt(x, zero);
    let base = b.select(is_below, pi, zero);
    let base = b.select(is_large, base, half_pi);
    let factor = b.select(is_large, two, minus_one);
    let (mask, sign, factor) = (b.element(SIGN), bits(b, x), bits(b, factor));
    let sign = b.and(sign, mask);
    let factor = b.xor(factor, sign);
    (base, float(b, factor))
}

fn asin_of_f32(b: &mut Builder, x: Value) -> Value {
    let reduced = reduced(b, x);
    let (zero, one, minus_two, half_pi) = (b.f64(0.0), b.f64(1.0), b.f64(-2.0), b.f64(consts::FRAC_PI_2));
    let base = b.select(reduced.is_large, half_pi, zero);
    let factor = b.select(reduced.is_large, minus_two, one);
    let rest = rest(b, reduced.s, reduced.square, &ASIN_F32);
    let angle = b.add(reduced.s, rest);
    let result = b.fma(factor, angle, base);
    with_sign_of(b, result, x)
}

fn acos_of_f32(b: &mut Builder, x: Value) -> Value {
    let reduced = reduced(b, x);
    let (base, factor) = acos_turn(b, x, reduced.is_large);
    let rest = rest(b, reduced.s, reduced.square, &ASIN_F32);
    let angle = b.add(reduced.s, rest);
    b.fma(factor, angle, base)
}

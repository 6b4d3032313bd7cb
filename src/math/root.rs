//! `rsqrt`, `cbrt`, `hypot`.
//!
//! `rsqrt` is the root of the reciprocal: the error of the reciprocal is halved. `cbrt` takes 2^(3q) off, has x^(-1/3) by a
//! polynomial and one step of Halley's method, and mends x (x^(-1/3))^2 by what its cube leaves over. `hypot` has the sum of
//! squares without error up to its rounding. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 rsqrt 0.86 ulp, cbrt 0.5001, hypot 0.87 (4 * 10^6 inputs each, subnormals
//! too); f32 rsqrt and hypot 0.5001, cbrt 0.61 (5 * 10^5).

use super::double::{
    ROUNDER, bits, exact_product, exact_sum, float, horner, is_outside, shift_left, widened, with_sign_of,
};
use super::log::{Split, split_normal, split_positive};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// m^(-1/3) between sqrt(1/2) and sqrt(2), to 2^-14.5.
const CUBE_ROOT: [f64; 5] =
    [1.8711981822931898, -1.8486097755811828, 1.5419677535458436, -0.690060981605076, 0.12547742811933865];
/// 2^(-j/3) for j of -1, 0, 1, as a polynomial.
const THIRDS: [f64; 3] = [1.0, -0.23311026195538673, 0.02681078793948645];

/// Between these powers of two neither 1/x nor a square is subnormal or beyond f64.
const SAFE: i32 = 1000;

fn power_of_two(exponent: i32) -> f64 {
    f64::from(exponent).exp2()
}

pub(super) fn rsqrt(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let (one, root) = (b.f64(1.0), b.sqrt(x));
            b.div(one, root)
        }),
        _ => {
            let one = b.f64(1.0);
            let inverse = b.div(one, x);
            let root = b.sqrt(inverse);
            let as_integer = b.bitcast(x, DType::I64);
            let is_extreme = is_outside(b, as_integer, power_of_two(-SAFE).to_bits(), power_of_two(SAFE).to_bits());
            b.when(is_extreme, &[root], |b| vec![extreme_rsqrt(b, x)])[0]
        }
    }
}

/// By x scaled to the middle.
fn extreme_rsqrt(b: &mut Builder, x: Value) -> Value {
    let (zero, one) = (b.f64(0.0), b.f64(1.0));
    let is_small = b.lt(x, one);
    let (up, down) = (b.f64(power_of_two(200)), b.f64(power_of_two(-200)));
    let scale = b.select(is_small, up, down);
    let (up, down) = (b.f64(power_of_two(100)), b.f64(power_of_two(-100)));
    let root_of_scale = b.select(is_small, up, down);
    let x_scaled = b.mul(x, scale);
    let inverse = b.div(one, x_scaled);
    let root = b.sqrt(inverse);
    let root = b.mul(root, root_of_scale);
    let (nan, is_negative) = (b.f64(f64::NAN), b.lt(x, zero));
    let root = b.select(is_negative, nan, root);
    // Infinity with the sign of a zero.
    let is_zero = b.eq(x, zero);
    b.select(is_zero, inverse, root)
}

pub(super) fn cbrt(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let magnitude = b.abs(x);
            let split = split_normal(b, magnitude);
            cube_root(b, x, magnitude, split, false)
        }),
        _ => {
            let magnitude = b.abs(x);
            let split = split_positive(b, magnitude);
            cube_root(b, x, magnitude, split, true)
        }
    }
}

fn cube_root(b: &mut Builder, x: Value, magnitude: Value, split: Split, is_f64: bool) -> Value {
    let Split { exponent, mantissa } = split;
    // exponent = 3q + j
    let (third, rounder, minus_three) = (b.f64(1.0 / 3.0), b.f64(ROUNDER + 1023.0), b.f64(-3.0));
    let biased = b.fma(exponent, third, rounder);
    let q = b.sub(biased, rounder);
    let j = b.fma(minus_three, q, exponent);
    let power = b.add(j, rounder);
    let [biased, power] = [biased, power].map(|sum| {
        let sum = bits(b, sum);
        let sum = shift_left(b, sum, 52);
        float(b, sum)
    });
    let a = b.mul(mantissa, power);

    let start = horner(b, mantissa, &CUBE_ROOT);
    let of_j = horner(b, j, &THIRDS);
    let r = b.mul(start, of_j);
    let root = if is_f64 { refined_root(b, a, r) } else { root_by_newton(b, a, r) };
    let root = b.mul(root, biased);
    let root = with_sign_of(b, root, x);
    let as_integer = b.bitcast(magnitude, DType::I64);
    let is_special = is_outside(b, as_integer, 1, f64::MAX.to_bits());
    b.select(is_special, x, root)
}

/// 1 - a r^3
fn shortfall(b: &mut Builder, a: Value, r: Value) -> Value {
    let (one, square) = (b.f64(1.0), b.mul(r, r));
    let (a, minus) = (b.mul(a, r), b.neg(square));
    b.fma(a, minus, one)
}

fn root_by_newton(b: &mut Builder, a: Value, r: Value) -> Value {
    let (third, h) = (b.f64(1.0 / 3.0), shortfall(b, a, r));
    let step = b.mul(r, third);
    let r = b.fma(step, h, r);
    let square = b.mul(r, r);
    b.mul(a, square)
}

fn refined_root(b: &mut Builder, a: Value, r: Value) -> Value {
    let (third, two_ninths, h) = (b.f64(1.0 / 3.0), b.f64(2.0 / 9.0), shortfall(b, a, r));
    let step = b.fma(h, two_ninths, third);
    let step = b.mul(step, h);
    let r = b.fma(step, r, r);
    let r_square = b.mul(r, r);
    let root = b.mul(a, r_square);
    let square = exact_product(b, root, root);
    let minus = b.neg(root);
    let left = b.fma(square.high, minus, a);
    let left = b.fma(square.low, minus, left);
    let share = b.mul(r_square, third);
    b.fma(left, share, root)
}

pub(super) fn hypot(b: &mut Builder, x: Value, y: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => {
            let (x, y) = (b.cast(x, DType::F64), b.cast(y, DType::F64));
            let square = b.mul(y, y);
            let square = b.fma(x, x, square);
            let root = b.sqrt(square);
            let is_nan = b.ne(root, root);
            let root = b.when(is_nan, &[root], |b| vec![infinite_hypot(b, x, y, root)])[0];
            b.cast(root, DType::F32)
        }
        _ => {
            let square = sum_of_squares(b, x, y);
            let root = b.sqrt(square);
            let as_integer = b.bitcast(square, DType::I64);
            let (least, greatest) = (power_of_two(-SAFE + 100).to_bits(), power_of_two(SAFE).to_bits());
            let is_extreme = is_outside(b, as_integer, least, greatest);
            b.when(is_extreme, &[root], |b| vec![extreme_hypot(b, x, y)])[0]
        }
    }
}

/// x^2 + y^2, rounded once but for some 2^-52 of an ulp.
fn sum_of_squares(b: &mut Builder, x: Value, y: Value) -> Value {
    let (x, y) = (exact_product(b, x, x), exact_product(b, y, y));
    let sum = exact_sum(b, x.high, y.high);
    let low = b.add(x.low, y.low);
    let low = b.add(sum.low, low);
    b.add(sum.high, low)
}

/// By both scaled to the middle.
fn extreme_hypot(b: &mut Builder, x: Value, y: Value) -> Value {
    let (x, y, one) = (b.abs(x), b.abs(y), b.f64(1.0));
    let greater = b.greater(x, y);
    let is_large = b.gt(greater, one);
    let (up, down) = (b.f64(power_of_two(600)), b.f64(power_of_two(-600)));
    let scale = b.select(is_large, down, up);
    let back = b.select(is_large, up, down);
    let (x_scaled, y_scaled) = (b.mul(x, scale), b.mul(y, scale));
    let square = sum_of_squares(b, x_scaled, y_scaled);
    let root = b.sqrt(square);
    let root = b.mul(root, back);
    infinite_hypot(b, x, y, root)
}

/// Infinity if `x` or `y` is, even beside NaN.
fn infinite_hypot(b: &mut Builder, x: Value, y: Value, root: Value) -> Value {
    let (x, y, infinity) = (b.abs(x), b.abs(y), b.f64(f64::INFINITY));
    let (x_is, y_is) = (b.eq(x, infinity), b.eq(y, infinity));
    let either = b.or(x_is, y_is);
    b.select(either, infinity, root)
}

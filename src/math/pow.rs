//! `**` of floats: |x|^y = exp(y log |x|) with the logarithm and the product as sums of two floats; literal integers by
//! products as sums of two floats.
//!
//! f32 goes through f64. The special cases of C99's Annex F stand in a region of their own.
//!
//! Greatest error against MPFR: f64 0.95 ulp, where results are just above a power of two times its square root (9 * 10^6 inputs:
//! half there, others of any bits, every size of result, bases near 1 and near the breaks of the logarithm's reduction, subnormals),
//! 0.75 ulp for literal integers, and that for subnormal results alone (5 * 10^6 inputs); f32 0.5001 ulp (4 * 10^6 inputs).

use std::f64::consts;

use super::double::{Double, exact_product, is_no_positive_normal, is_outside, widened};
use super::exp::{Power, exp_of_f32, exp_of_sum, times_power_of_two};
use super::log::{Split, log_of_f32, log_sum, split, split_normal, split_positive};
use crate::dtype::{DType, Element};
use crate::ir::{Builder, Value};

/// Integer exponents up to here take fewer operations by products than by logarithm.
const MOST_FACTORS: u64 = 1024;
/// Between the inverse of this, 2^-960, and it, no low part of a product is lost.
const SAFE: f64 = 9.7453140114e288;

pub(super) fn power(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    let literal = b.graph().constant(y).map(|bits| match dtype {
        DType::F32 => f64::from(f32::from_bits64(bits)),
        _ => f64::from_bits64(bits),
    });
    if let Some(n) = literal
        && let Some(result) = literal_power(b, x, n)
    {
        return result;
    }
    match dtype {
        DType::F32 => {
            let (x, y) = (b.cast(x, DType::F64), b.cast(y, DType::F64));
            let result = power_f32(b, x, y);
            b.cast(result, dtype)
        }
        _ => power_f64(b, x, y),
    }
}

/// Of a positive normal base and a result that is normal, too, and of all else in a region that begins anew.
fn power_f64(b: &mut Builder, x: Value, y: Value) -> Value {
    let parts = split_normal(b, x);
    let power = power_of_parts(b, parts, y);
    let (is_unusual, is_extreme) = (is_no_positive_normal(b, x), power.is_extreme(b));
    let is_unusual = b.or(is_unusual, is_extreme);
    b.when(is_unusual, &[power.usual], |b| {
        let magnitude = b.abs(x);
        let parts = split_positive(b, magnitude);
        let power = power_of_parts(b, parts, y).any(b);
        vec![special(b, x, y, power)]
    })[0]
}

fn power_of_parts(b: &mut Builder, x: Split, y: Value) -> Power {
    let log = log_sum(b, x);
    let per_ln2 = b.f64(consts::LOG2_E);
    let near = [log.high, b.mul(y, per_ln2)];
    let product = exact_product(b, y, log.high);
    exp_of_sum(b, product, [y, log.low], near)
}

fn power_f32(b: &mut Builder, x: Value, y: Value) -> Value {
    let magnitude = b.abs(x);
    let log = log_of_f32(b, magnitude);
    let exponent = b.mul(y, log);
    let power = exp_of_f32(b, exponent);
    let (is_special, is_nan) = (is_not_positive_finite(b, x), b.ne(exponent, exponent));
    let is_special = b.or(is_special, is_nan);
    b.when(is_special, &[power], |b| vec![special(b, x, y, power)])[0]
}

/// As integers the bits of 0 to infinity are in order, and those of negative numbers below.
fn is_not_positive_finite(b: &mut Builder, x: Value) -> Value {
    let bits = b.bitcast(x, DType::I64);
    is_outside(b, bits, 1, f64::MAX.to_bits())
}

/// x^y, given `magnitude`, which is |x|^y for an x that is finite and not 0, |x| = 1 with an infinite y and NaN aside.
fn special(b: &mut Builder, x: Value, y: Value, magnitude: Value) -> Value {
    let (zero, half, one) = (b.f64(0.0), b.f64(0.5), b.f64(1.0));
    let (infinity, nan) = (b.f64(f64::INFINITY), b.f64(f64::NAN));
    let x_magnitude = b.abs(x);

    // At the ends of the domain the magnitude is 0 or infinity, and 1 for a base of 1.
    let (is_large, is_growing) = (b.gt(x_magnitude, one), b.gt(y, zero));
    let shrinks = b.xor(is_large, is_growing);
    let limit = b.select(shrinks, zero, infinity);
    let (is_zero, is_infinite) = (b.eq(x_magnitude, zero), b.eq(x_magnitude, infinity));
    let is_end = b.or(is_zero, is_infinite);
    let result = b.select(is_end, limit, magnitude);
    let is_one = b.eq(x_magnitude, one);
    let result = b.select(is_one, one, result);

    // A negative base: the sign of an odd power, no power that is no integer.
    let whole = b.trunc(y);
    let is_integer = b.eq(whole, y);
    let half_y = b.mul(half, y);
    let half_whole = b.trunc(half_y);
    let is_odd = b.ne(half_whole, half_y);
    let is_odd = b.and(is_odd, is_integer);
    let signed = b.copysign(result, x);
    let result = b.select(is_odd, signed, result);
    let (is_negative, is_bounded, is_fraction) = (b.lt(x, zero), b.lt(x_magnitude, infinity), b.not(is_integer));
    let is_invalid = b.and(is_negative, is_bounded);
    let is_invalid = b.and(is_invalid, is_fraction);
    let (x_is_nan, y_is_nan) = (b.ne(x, x), b.ne(y, y));
    let is_invalid = b.or(is_invalid, x_is_nan);
    let is_invalid = b.or(is_invalid, y_is_nan);
    let result = b.select(is_invalid, nan, result);

    // These are 1 even for NaN.
    let (x_is_one, y_is_zero) = (b.eq(x, one), b.eq(y, zero));
    let is_one = b.or(x_is_one, y_is_zero);
    b.select(is_one, one, result)
}

pub(super) fn is_product(n: f64) -> bool {
    n.trunc() == n && n.abs() <= MOST_FACTORS as f64
}

/// x^n for a literal n that has a way of its own.
fn literal_power(b: &mut Builder, x: Value, n: f64) -> Option<Value> {
    let dtype = b.dtype(x);
    if n == 0.0 {
        return Some(b.float(dtype, 1.0));
    } else if n == 1.0 {
        return Some(x);
    } else if n == 2.0 {
        return Some(b.mul(x, x));
    } else if n == -1.0 {
        let one = b.float(dtype, 1.0);
        return Some(b.div(one, x));
    } else if n == 0.5 {
        return Some(square_root(b, x));
    } else if !is_product(n) {
        return None;
    }
    let (factors, inverse) = (n.abs() as u64, n < 0.0);
    Some(match dtype {
        DType::F32 => widened(b, x, |b, x| integer_power_f32(b, x, factors, inverse)),
        _ => integer_power_f64(b, x, factors, inverse),
    })
}

/// `sqrt`, but for -0 and -infinity, whose powers are +0 and infinity.
fn square_root(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let root = b.sqrt(x);
    let zero = b.float(dtype, 0.0);
    let root = b.add(root, zero);
    let (infinity, minus_infinity) = (b.float(dtype, f64::INFINITY), b.float(dtype, f64::NEG_INFINITY));
    let is_least = b.eq(x, minus_infinity);
    b.select(is_least, infinity, root)
}

/// The binary digits of `n` below the highest, that one first.
fn lower_digits(n: u64) -> impl Iterator<Item = bool> {
    (0..n.ilog2()).rev().map(move |place| n >> place & 1 == 1)
}

/// In f64: between x and the result no factor leaves f64 unless the result leaves f32.
fn integer_power_f32(b: &mut Builder, x: Value, n: u64, inverse: bool) -> Value {
    let mut result = x;
    for digit in lower_digits(n) {
        result = b.mul(result, result);
        if digit {
            result = b.mul(result, x);
        }
    }
    if inverse {
        let one = b.f64(1.0);
        result = b.div(one, result);
    }
    result
}

fn integer_power_f64(b: &mut Builder, x: Value, n: u64, inverse: bool) -> Value {
    let product = product_of_factors(b, x, n);
    let result = if inverse { reciprocal(b, product) } else { product };
    let sum = b.add(result.high, result.low);
    let magnitude = b.abs(product.high);
    let (least, greatest) = (b.f64(1.0 / SAFE), b.f64(SAFE));
    let (is_low, is_high) = (b.lt(magnitude, least), b.gt(magnitude, greatest));
    // A NaN is in neither and is in the sum.
    let is_extreme = b.or(is_low, is_high);
    b.when(is_extreme, &[sum], |b| {
        let scaled = scaled_power(b, x, n, inverse);
        let magnitude = b.abs(x);
        let (zero, infinity) = (b.f64(0.0), b.f64(f64::INFINITY));
        let (is_zero, is_infinite) = (b.eq(magnitude, zero), b.eq(magnitude, infinity));
        let is_end = b.or(is_zero, is_infinite);
        vec![b.select(is_end, result.high, scaled)]
    })[0]
}

fn product_of_factors(b: &mut Builder, x: Value, n: u64) -> Double {
    let mut result = Double { high: x, low: x };
    for (k, digit) in lower_digits(n).enumerate() {
        let square = exact_product(b, result.high, result.high);
        result = if k == 0 {
            square
        } else {
            let twice = b.add(result.high, result.high);
            Double { high: square.high, low: b.fma(twice, result.low, square.low) }
        };
        if digit {
            let more = exact_product(b, result.high, x);
            result = Double { high: more.high, low: b.fma(result.low, x, more.low) };
        }
    }
    result
}

fn reciprocal(b: &mut Builder, x: Double) -> Double {
    let (one, minus_one) = (b.f64(1.0), b.f64(-1.0));
    let quotient = b.div(one, x.high);
    // What is left of 1, negative.
    let left = b.fma(quotient, x.high, minus_one);
    let left = b.fma(quotient, x.low, left);
    let minus = b.neg(quotient);
    Double { high: quotient, low: b.mul(left, minus) }
}

/// x^n by the power of the mantissa, which is far from either end, for a finite `x` other than 0.
fn scaled_power(b: &mut Builder, x: Value, n: u64, inverse: bool) -> Value {
    let magnitude = b.abs(x);
    let Split { exponent, mantissa } = split(b, magnitude);
    let product = product_of_factors(b, mantissa, n);
    let power = if inverse { reciprocal(b, product) } else { product };
    let power = b.add(power.high, power.low);
    let factor = b.f64(if inverse { -(n as f64) } else { n as f64 });
    let exponent = b.mul(exponent, factor);
    let power = times_power_of_two(b, power, exponent);
    if n % 2 == 1 { b.copysign(power, x) } else { power }
}

//! `sigmoid`, `softplus`, `logaddexp`, `logit`, `xlogy`: from e = e^-|x| in (0, 1], whose mantissa is a sum of two floats.
//!
//! The first is q = 1 / (1 + 1/e) or 1 - q; log(1 + e) is 2 atanh(e / (2 + e)), in which 2^n is put on last, so that nothing
//! is lost to underflow; logit is 2 atanh((y - c) / (y + c)) for y and c = 1 - y but for a power of two. Coefficients:
//! `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 sigmoid 0.91 ulp, logit 0.54, softplus 0.76, xlogy 0.98, for subnormal results (10^6 to
//! 4 * 10^6 inputs each), logaddexp 0.8 but where it is below 1/4 near a zero of its own: there its absolute error is
//! 3e-17 at most; f32 0.501 (5 * 10^5).

use super::double::{
    Double, ROUNDER, binade, bits, exact_product, exact_sum, is_outside, ordered_sum, polynomial, rough_reciprocal,
    widened,
};
use super::exp::{BIAS, bounded, exp, exp_double, exp_less_one, exp_of_f32, scale_factors};
use super::log::{
    Split, infinite_or, log_double_of_parts, log_of_f32, log_of_quotient, log_of_quotient_f32, split_normal,
    split_positive,
};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// (2 atanh s - 2s) / s^3 in powers of s^2 up to 1/9, to 2^-59.3 of the logarithm.
const REST: [f64; 10] = [
    0.666666666666663,
    0.4000000000015861,
    0.2857142854776813,
    0.22222223971734362,
    0.18181743932056185,
    0.15386558622055624,
    0.13301001467076268,
    0.12105803229898549,
    0.08341540752929509,
    0.17015626295039582,
];

/// The same, to 2^-33.
const REST_F32: [f64; 5] =
    [0.6666667572741306, 0.3999887241920465, 0.2861697177122872, 0.2142711409170987, 0.24301964187229289];

/// e^x for x up to 0, with another power of two where that would be subnormal.
struct Decayed {
    mantissa: Double,
    /// Twice the bias more than the exponent.
    biased: Value,
    /// 2^exponent, but no less than 2^-200.
    power: Value,
}

fn decayed(b: &mut Builder, x: Value, low: Option<Value>) -> Decayed {
    let x = bounded(b, x, -746.0, 0.0);
    let (mantissa, n, biased) = exp_double(b, x, low);
    let (least, rounder) = (b.f64(-200.0), b.f64(ROUNDER + BIAS as f64));
    let n = b.greater(least, n);
    let power = b.add(n, rounder);
    let power = bits(b, power);
    Decayed { mantissa, biased, power: binade(b, power) }
}

/// `whole` + 2^n `mantissa`, for a `whole` of 1 or 2.
fn above(b: &mut Builder, whole: f64, decayed: &Decayed) -> Double {
    let whole = b.f64(whole);
    let high = b.mul(decayed.mantissa.high, decayed.power);
    let sum = ordered_sum(b, whole, high);
    Double { high: sum.high, low: b.fma(decayed.mantissa.low, decayed.power, sum.low) }
}

/// Up to here e^x and its inverse are normal numbers.
const GREATEST: f64 = 708.0;

fn minus_magnitude(b: &mut Builder, x: Value) -> Value {
    let magnitude = b.abs(x);
    b.neg(magnitude)
}

pub(super) fn sigmoid(b: &mut Builder, x: Value) -> Value {
    let (zero, one) = (b.f64(0.0), b.f64(1.0));
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let least = minus_magnitude(b, x);
            let e = exp_of_f32(b, least);
            let is_below = b.lt(x, zero);
            let (above, below) = (b.select(is_below, e, one), b.add(one, e));
            b.div(above, below)
        }),
        _ => sigmoid_of_f64(b, x),
    }
}

/// 1 / (1 + e^y) for y = |x|, and what that leaves of 1.
fn sigmoid_of_f64(b: &mut Builder, x: Value) -> Value {
    let (zero, one, greatest) = (b.f64(0.0), b.f64(1.0), b.f64(GREATEST));
    let magnitude = b.abs(x);
    let y = b.lesser(greatest, magnitude);
    let (power, less_one) = exp_less_one(b, y);
    // 1 + 2^n (1 + e)
    let whole = b.add(one, power);
    let below = b.fma(power, less_one, whole);
    let left = b.sub(whole, below);
    let below_low = b.fma(power, less_one, left);
    // From 2^53 up a part of the first sum is lost, too.
    let back = b.sub(whole, power);
    let lost = b.sub(one, back);
    let quotient = b.div(one, below);
    let minus = b.neg(quotient);
    let left = b.fma(minus, below, one);
    let left = b.fma(minus, below_low, left);
    let left = b.fma(minus, lost, left);
    let lower = b.fma(left, quotient, quotient);
    let upper = b.sub(one, lower);
    let is_below = b.lt(x, zero);
    let result = b.select(is_below, lower, upper);
    let least = b.f64(-GREATEST);
    let is_tiny = b.lt(x, least);
    b.when(is_tiny, &[result], |b| vec![exp(b, x)])[0]
}

/// log(1 + e) / 2^n as a sum of two floats.
fn log_above(b: &mut Builder, e: &Decayed) -> Double {
    let (one, below) = (b.f64(1.0), above(b, 2.0, e));
    let inverse = b.div(one, below.high);
    let q = b.mul(e.mantissa.high, inverse);
    let minus = b.neg(q);
    let left = b.fma(minus, below.high, e.mantissa.high);
    let left = b.add(left, e.mantissa.low);
    let left = b.fma(minus, below.low, left);
    let (left, twice) = (b.add(left, left), b.add(q, q));
    let s = b.mul(q, e.power);
    let square = b.mul(s, s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &REST);
    let cube = b.mul(q, square);
    let rest = b.mul(cube, rest);
    let low = b.fma(left, inverse, rest);
    ordered_sum(b, twice, low)
}

/// log(1 + e^x) in f64, right for f32, for x up to 0.
fn log_above_f32(b: &mut Builder, x: Value) -> Value {
    let (two, e) = (b.f64(2.0), exp_of_f32(b, x));
    let below = b.add(two, e);
    let s = b.div(e, below);
    let square = b.mul(s, s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &REST_F32);
    let factor = b.fma(square, rest, two);
    b.mul(s, factor)
}

pub(super) fn softplus(b: &mut Builder, x: Value) -> Value {
    let zero = b.f64(0.0);
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let least = minus_magnitude(b, x);
            let log = log_above_f32(b, least);
            let start = b.greater(x, zero);
            let result = b.add(start, log);
            infinite_or(b, x, result)
        }),
        _ => {
            let least = minus_magnitude(b, x);
            let e = decayed(b, least, None);
            let log = log_above(b, &e);
            // For x below 0 there is nothing to add, and the result may be subnormal.
            let [first, second] = scale_factors(b, e.biased);
            let small = b.mul(log.high, first);
            let small = b.mul(small, second);
            let (high, low) = (b.mul(log.high, e.power), b.mul(log.low, e.power));
            let sum = exact_sum(b, x, high);
            let low = b.add(sum.low, low);
            let large = b.add(sum.high, low);
            let is_above = b.gt(x, zero);
            let result = b.select(is_above, large, small);
            infinite_or(b, x, result)
        }
    }
}

/// The greater one and log(1 + e^d), d being how much less the other is.
pub(super) fn logaddexp(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    let (x, y) = (b.cast(x, DType::F64), b.cast(y, DType::F64));
    let is_first = b.gt(x, y);
    let (greater, lesser) = (b.select(is_first, x, y), b.select(is_first, y, x));
    let (difference, result) = match dtype {
        DType::F32 => {
            let difference = b.sub(lesser, greater);
            let log = log_above_f32(b, difference);
            (difference, b.add(greater, log))
        }
        _ => {
            let minus = b.neg(greater);
            let difference = exact_sum(b, lesser, minus);
            // Where the difference is so large that its low part is, or overflowed on the way to it, nothing is left of e.
            let (least, most) = (b.f64(-1.0), b.f64(1.0));
            let low = b.greater(difference.low, least);
            let low = b.lesser(low, most);
            let e = decayed(b, difference.high, Some(low));
            let log = log_above(b, &e);
            let [first, second] = scale_factors(b, e.biased);
            let [high, low] = [log.high, log.low].map(|part| {
                let part = b.mul(part, first);
                b.mul(part, second)
            });
            let sum = exact_sum(b, greater, high);
            let low = b.add(sum.low, low);
            (difference.high, b.add(sum.high, low))
        }
    };
    let (infinity, magnitude) = (b.f64(f64::INFINITY), b.abs(difference));
    let is_finite = b.lt(magnitude, infinity);
    let is_special = b.not(is_finite);
    let result = b.when(is_special, &[result], |b| {
        let (x_is_nan, y_is_nan, nan) = (b.ne(x, x), b.ne(y, y), b.f64(f64::NAN));
        let either = b.or(x_is_nan, y_is_nan);
        // The sum of a -0 and nothing is 0.
        let zero = b.f64(0.0);
        let greater = b.add(greater, zero);
        vec![b.select(either, nan, greater)]
    });
    b.cast(result[0], dtype)
}

/// log(x / (1 - x)), by the lesser of the two.
pub(super) fn logit(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let (zero, one, half) = (b.f64(0.0), b.f64(1.0), b.f64(0.5));
    let is_upper = b.gt(x, half);
    let rest = b.sub(one, x);
    let lesser = b.select(is_upper, rest, x);
    let greater = b.select(is_upper, x, rest);
    // What 1 - x has lost; in the upper half it is exact.
    let back = b.sub(one, rest);
    let greater_low = b.sub(back, x);
    let greater_low = b.select(is_upper, zero, greater_low);

    // No subnormals: 2^60 more.
    let up = b.f64(f64::from(60).exp2());
    let lesser = b.mul(lesser, up);
    let share = rough_reciprocal(b, greater);
    let ratio = b.mul(lesser, share);
    let Split { exponent, .. } = split_normal(b, ratio);
    let rounder = b.f64(ROUNDER + BIAS as f64);
    let power = b.add(exponent, rounder);
    let power = bits(b, power);
    let power = binade(b, power);
    let sixty = b.f64(60.0);
    let exponent = b.sub(exponent, sixty);
    let (greater, greater_low) = (b.mul(greater, power), b.mul(greater_low, power));
    let difference = b.sub(lesser, greater);
    let log = match dtype {
        DType::F32 => {
            let sum = b.add(lesser, greater);
            log_of_quotient_f32(b, exponent, difference, sum)
        }
        _ => {
            let sum = exact_sum(b, lesser, greater);
            let minus_low = b.neg(greater_low);
            let above = ordered_sum(b, difference, minus_low);
            let below = Double { high: sum.high, low: b.add(sum.low, greater_low) };
            let log = log_of_quotient(b, exponent, above, below);
            b.add(log.high, log.low)
        }
    };
    let (nan, minus_infinity) = (b.f64(f64::NAN), b.f64(f64::NEG_INFINITY));
    let (is_within, is_end) = (b.gt(lesser, zero), b.eq(lesser, zero));
    let end = b.select(is_end, minus_infinity, nan);
    let log = b.select(is_within, log, end);
    let opposite = b.neg(log);
    let result = b.select(is_upper, opposite, log);
    b.cast(result, dtype)
}

/// x log y, 0 where x is.
pub(super) fn xlogy(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    let (x, y) = (b.cast(x, DType::F64), b.cast(y, DType::F64));
    let (product, result) = match dtype {
        DType::F32 => {
            let log = log_of_f32(b, y);
            let product = b.mul(x, log);
            (product, product)
        }
        _ => {
            let parts = split_positive(b, y);
            let log = log_double_of_parts(b, parts);
            let product = exact_product(b, x, log.high);
            let low = b.fma(x, log.low, product.low);
            (product.high, b.add(product.high, low))
        }
    };
    let (magnitude, y_bits) = (b.abs(product), b.bitcast(y, DType::I64));
    let magnitude = b.bitcast(magnitude, DType::I64);
    let is_end = is_outside(b, magnitude, 1, f64::MAX.to_bits());
    let is_no_logarithm = is_outside(b, y_bits, 1, f64::MAX.to_bits());
    let is_special = b.or(is_end, is_no_logarithm);
    let result = b.when(is_special, &[result], |b| {
        let (zero, nan, minus_infinity) = (b.f64(0.0), b.f64(f64::NAN), b.f64(f64::NEG_INFINITY));
        let (is_negative, is_zero) = (b.lt(y, zero), b.eq(y, zero));
        // Infinity and NaN are their own logarithms.
        let log = b.select(is_negative, nan, y);
        let log = b.select(is_zero, minus_infinity, log);
        let of_special = b.mul(x, log);
        let result = b.select(is_no_logarithm, of_special, product);
        let (is_none, is_number) = (b.eq(x, zero), b.eq(y, y));
        let is_none = b.and(is_none, is_number);
        vec![b.select(is_none, zero, result)]
    });
    b.cast(result[0], dtype)
}

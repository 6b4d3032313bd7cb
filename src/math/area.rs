//! `asinh`, `acosh`, `atanh`: logarithms, of which log u = k ln 2 + 2 atanh s with s = (2^-k u - 1) / (2^-k u + 1).
//!
//! Where k is 0 the identities tanh(asinh(x) / 2) = x / (1 + sqrt(1 + x^2)), tanh(acosh(x) / 2) = sqrt(x^2 - 1) / (1 + x)
//! give s without cancellation; the two ways differ in the division's operands alone. All operands are sums of two floats.
//!
//! Greatest error against MPFR: f64 asinh 0.64 ulp, acosh 0.65, atanh 0.61 (4 * 10^6 inputs each); f32 0.501 (5 * 10^5).

use super::double::{Double, exact_product, exact_sum, ordered_sum, rough_reciprocal, widened, with_sign_of};
use super::log::{Split, infinite_or, log_of_quotient, log_of_quotient_f32, split_normal};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// From here on the root is x itself; its logarithm is the same with one more ln 2.
const HUGE: f64 = 1152921504606846976.0; // 2^60

pub(super) fn asinh(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let (one, magnitude) = (b.f64(1.0), b.abs(x));
            let square = b.fma(x, x, one);
            let root = b.sqrt(square);
            let (u, below) = (b.add(root, magnitude), b.add(root, one));
            let result = log_of_f32(b, u, magnitude, below);
            let result = infinite_or(b, magnitude, result);
            with_sign_of(b, result, x)
        }),
        _ => {
            let (one, magnitude) = (b.f64(1.0), b.abs(x));
            let within = at_most_huge(b, magnitude);
            let square = exact_product(b, within, within);
            let sum = exact_sum(b, square.high, one);
            let sum = Double { high: sum.high, low: b.add(sum.low, square.low) };
            let root = root_of(b, sum);
            let below = ordered_sum(b, root.high, one);
            let below = Double { high: below.high, low: b.add(below.low, root.low) };
            let zero = b.f64(0.0);
            let result = log_of_f64(b, [magnitude, within], root, Double { high: within, low: zero }, below);
            with_sign_of(b, result, x)
        }
    }
}

pub(super) fn acosh(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let one = b.f64(1.0);
            let (less, more) = (b.sub(x, one), b.add(x, one));
            let square = b.mul(less, more);
            let root = b.sqrt(square);
            let u = b.add(root, x);
            let result = log_of_f32(b, u, root, more);
            let result = infinite_or(b, x, result);
            nan_below(b, x, result)
        }),
        _ => {
            let one = b.f64(1.0);
            let within = at_most_huge(b, x);
            let less = b.sub(within, one);
            let more = ordered_sum(b, within, one);
            let square = exact_product(b, less, more.high);
            let square = Double { high: square.high, low: b.fma(less, more.low, square.low) };
            let root = root_of(b, square);
            let result = log_of_f64(b, [x, within], root, root, more);
            nan_below(b, x, result)
        }
    }
}

/// NaN where x is below 1.
fn nan_below(b: &mut Builder, x: Value, result: Value) -> Value {
    let (one, nan) = (b.f64(1.0), b.f64(f64::NAN));
    let is_outside = b.lt(x, one);
    b.select(is_outside, nan, result)
}

fn at_most_huge(b: &mut Builder, x: Value) -> Value {
    let huge = b.f64(HUGE);
    b.lesser(huge, x)
}

/// The square root of a sum of two floats; the low part to some per cent.
fn root_of(b: &mut Builder, square: Double) -> Double {
    let root = b.sqrt(square.high);
    let minus = b.neg(root);
    let left = b.fma(minus, root, square.high);
    let left = b.add(left, square.low);
    let (half, share) = (b.f64(0.5), rough_reciprocal(b, root));
    let left = b.mul(left, half);
    Double { high: root, low: b.mul(left, share) }
}

/// log(x + root), which is 2 atanh(above / below), or log 2x from [`HUGE`] on, with x as it is and at most that.
fn log_of_f64(b: &mut Builder, [x, within]: [Value; 2], root: Double, above: Double, below: Double) -> Value {
    let (zero, one, two, huge) = (b.f64(0.0), b.f64(1.0), b.f64(2.0), b.f64(HUGE));
    let is_huge = b.ge(x, huge);
    let u = exact_sum(b, root.high, within);
    let high = b.select(is_huge, x, u.high);
    // In the huge case this is not that of `high`, but weighs nothing.
    let low = b.add(u.low, root.low);
    let share = rough_reciprocal(b, u.high);
    let Split { exponent, mantissa } = split_normal(b, high);
    let is_near = b.eq(exponent, zero);
    let (f, sum) = (b.sub(mantissa, one), b.add(mantissa, one));
    // mantissa + 1 = (f + 2), which may round.
    let back = b.sub(sum, two);
    let sum_low = b.sub(f, back);
    let above = Double { high: b.select(is_near, above.high, f), low: b.select(is_near, above.low, zero) };
    let below = Double { high: b.select(is_near, below.high, sum), low: b.select(is_near, below.low, sum_low) };
    let more = b.select(is_huge, one, zero);
    let exponent = b.add(exponent, more);
    let log = log_of_quotient(b, exponent, above, below);
    let correction = b.mul(low, share);
    let correction = b.select(is_near, zero, correction);
    let low = b.add(log.low, correction);
    let result = b.add(log.high, low);
    infinite_or(b, x, result)
}

/// log u, which is 2 atanh(above / below).
fn log_of_f32(b: &mut Builder, u: Value, above: Value, below: Value) -> Value {
    let (zero, one) = (b.f64(0.0), b.f64(1.0));
    let Split { exponent, mantissa } = split_normal(b, u);
    let is_near = b.eq(exponent, zero);
    let (f, sum) = (b.sub(mantissa, one), b.add(mantissa, one));
    let above = b.select(is_near, above, f);
    let below = b.select(is_near, below, sum);
    log_of_quotient_f32(b, exponent, above, below)
}

/// Half the logarithm of (1 + |x|) / (1 - |x|).
pub(super) fn atanh(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let (zero, one, half) = (b.f64(0.0), b.f64(1.0), b.f64(0.5));
    let magnitude = b.abs(x);
    let more = ordered_sum(b, one, magnitude);
    let minus = b.neg(magnitude);
    let less = ordered_sum(b, one, minus);
    // k need not be the nearest: |s| may be somewhat above that of a logarithm.
    let share = rough_reciprocal(b, less.high);
    let ratio = b.mul(more.high, share);
    let Split { exponent, .. } = split_normal(b, ratio);
    let power = power_of_two(b, exponent);
    let (less, low) = (b.mul(less.high, power), b.mul(less.low, power));
    let (difference, sum) = (b.sub(more.high, less), exact_sum(b, more.high, less));
    let (difference_low, sum_low) = (b.sub(more.low, low), b.add(more.low, low));
    let is_near = b.eq(exponent, zero);
    let above = Double { high: b.select(is_near, magnitude, difference), low: b.select(is_near, zero, difference_low) };
    let sum_low = b.add(sum.low, sum_low);
    let below = Double { high: b.select(is_near, one, sum.high), low: b.select(is_near, zero, sum_low) };
    let log = match dtype {
        DType::F32 => log_of_quotient_f32(b, exponent, above.high, below.high),
        _ => {
            let log = log_of_quotient(b, exponent, above, below);
            b.add(log.high, log.low)
        }
    };
    let result = b.mul(log, half);
    let (infinity, nan) = (b.f64(f64::INFINITY), b.f64(f64::NAN));
    let (is_within, is_end) = (b.lt(magnitude, one), b.eq(magnitude, one));
    let end = b.select(is_end, infinity, nan);
    let result = b.select(is_within, result, end);
    let result = with_sign_of(b, result, x);
    b.cast(result, dtype)
}

/// 2^n for a whole n from -1022 to 1023.
fn power_of_two(b: &mut Builder, n: Value) -> Value {
    let rounder = b.f64(super::double::ROUNDER + 1023.0);
    let biased = b.add(n, rounder);
    let biased = super::double::bits(b, biased);
    super::double::binade(b, biased)
}

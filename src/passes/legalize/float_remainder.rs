//! Float remainders, exact for every pair, and the floor division that NumPy derives from them.

use super::bits::{magnitude, negate, sign_of, with_sign};
use crate::dtype::{DType, Element};
use crate::ir::{Builder, Value};

/// C's `fmod`: the sign of `x`.
pub(super) fn fmod(b: &mut Builder, x: Value, y: Value) -> Value {
    let parts = Magnitudes::new(b, x, y);
    let sign = sign_of(b, x);
    with_sign(b, parts.rest, sign)
}

/// Python's `%`: where `fmod` has not the sign of `y`, `y` more. A zero has the sign of `y`, too.
pub(super) fn remainder(b: &mut Builder, x: Value, y: Value) -> Value {
    let parts = Magnitudes::new(b, x, y);
    let adjusted = parts.is_adjusted(b, x, y);
    let complement = b.sub(parts.y, parts.rest);
    let size = b.select(adjusted, complement, parts.rest);
    let sign = sign_of(b, y);
    with_sign(b, size, sign)
}

/// NumPy's `//`, rounding for rounding.
pub(super) fn floor_divide(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    let parts = Magnitudes::new(b, x, y);
    let (one, half, zero) = (b.float(dtype, 1.0), b.float(dtype, 0.5), b.float(dtype, 0.0));
    let sign = {
        let (x_sign, y_sign) = (sign_of(b, x), sign_of(b, y));
        b.xor(x_sign, y_sign)
    };
    let adjusted = parts.is_adjusted(b, x, y);
    let multiple = b.sub(parts.x, parts.rest);
    let quotient = b.div(multiple, parts.y);
    // Less 1, but the sign comes after.
    let below = b.add(quotient, one);
    let quotient = b.select(adjusted, below, quotient);
    let quotient = with_sign(b, quotient, sign);
    let floor = b.floor(quotient);
    let fraction = b.sub(quotient, floor);
    let (rounds_up, above) = (b.gt(fraction, half), b.add(floor, one));
    let result = b.select(rounds_up, above, floor);
    let by_zero = b.eq(parts.y, zero);
    let ratio = with_sign(b, parts.ratio, sign);
    b.select(by_zero, ratio, result)
}

struct Magnitudes {
    x: Value,
    y: Value,
    /// x / y, rounded.
    ratio: Value,
    /// x less as many y as fit; NaN where `x` is infinite or `y` is 0.
    rest: Value,
}

impl Magnitudes {
    fn new(b: &mut Builder, x: Value, y: Value) -> Magnitudes {
        let dtype = b.dtype(x);
        let (constant, x) = (constant_magnitude(b, y), magnitude(b, x));
        let y = match constant {
            Some(y) => b.float(dtype, y),
            None => magnitude(b, y),
        };
        let ratio = b.div(x, y);
        let quotient = b.trunc(ratio);
        let mut rest = less_multiple(b, x, quotient, y);
        if !constant.is_some_and(f64::is_finite) {
            // An infinite `y` times 0 is NaN.
            let fits = b.lt(x, y);
            rest = b.select(fits, x, rest);
        }
        // From here on the quotient may miss more than 1.
        let limit = b.float(dtype, if dtype == DType::F32 { 16_777_216.0 } else { 9_007_199_254_740_992.0 });
        let far = b.ge(ratio, limit);
        let rest = b.when(far, &[rest], |b| vec![far_rest(b, x, y, rest)])[0];
        Magnitudes { x, y, ratio, rest }
    }

    /// Whether there is a rest and the signs differ.
    fn is_adjusted(&self, b: &mut Builder, x: Value, y: Value) -> Value {
        let (size, zero) = (b.dtype(x).size(), b.float(b.dtype(x), 0.0));
        let (x, y) = (b.bitcast(x, DType::signed(size)), b.bitcast(y, DType::signed(size)));
        let either = b.xor(x, y);
        let none = b.constant(DType::signed(size), 0);
        let differ = b.lt(either, none);
        let inexact = b.ne(self.rest, zero);
        b.and(differ, inexact)
    }
}

fn constant_magnitude(b: &Builder, x: Value) -> Option<f64> {
    let bits = b.graph().constant(x)?;
    Some(if b.dtype(x) == DType::F32 { f64::from(f32::from_bits64(bits)) } else { f64::from_bits64(bits) }.abs())
}

/// `x - quotient * y`, where `quotient` is the whole part of x / y or, if that rounded up to an integer, 1 more. Both products
/// and the difference are multiples of the last place of `y`, and the difference is no larger than `y`: it is exact.
fn less_multiple(b: &mut Builder, x: Value, quotient: Value, y: Value) -> Value {
    let opposite = negate(b, y);
    let rest = b.fma(quotient, opposite, x);
    let zero = b.float(b.dtype(x), 0.0);
    let (missed, back) = (b.lt(rest, zero), b.add(rest, y));
    b.select(missed, back, rest)
}

/// The rest of a large quotient, or `invalid` where `x` is infinite or `y` is 0.
fn far_rest(b: &mut Builder, x: Value, y: Value, invalid: Value) -> Value {
    let dtype = b.dtype(x);
    let (zero, infinity) = (b.float(dtype, 0.0), b.float(dtype, f64::INFINITY));
    let (finite, divides) = (b.lt(x, infinity), b.gt(y, zero));
    let valid = b.and(finite, divides);
    let start = b.select(valid, x, zero);
    let rest = if dtype == DType::F32 {
        // Every f32 but 0 is a normal f64.
        let (start, y) = (b.cast(start, DType::F64), b.cast(y, DType::F64));
        let rest = reduced(b, start, y);
        b.cast(rest, DType::F32)
    } else {
        scaled_rest(b, start, y)
    };
    b.select(valid, rest, invalid)
}

/// The rest in f64 where `y` may be subnormal: then first by 2^106 * y, and what is left, scaled up as much, again. Scaling
/// down is exact, for the rest is a multiple of the last place of `y`.
fn scaled_rest(b: &mut Builder, x: Value, y: Value) -> Value {
    let (limit, up) = (f64::from_bits(123 << 52), f64::from_bits((1023 + 106) << 52)); // 2^-900, 2^106
    if constant_magnitude(b, y).is_some_and(|y| y >= limit) {
        return reduced(b, x, y);
    }
    let (limit, up, down) = (b.f64(limit), b.f64(up), b.f64(1.0 / up));
    let is_small = b.lt(y, limit);
    let larger = b.mul(y, up);
    let divisor = b.select(is_small, larger, y);
    let rest = reduced(b, x, divisor);
    let larger = b.mul(rest, up);
    let rest = b.select(is_small, larger, rest);
    let rest = reduced(b, rest, divisor);
    let smaller = b.mul(rest, down);
    b.select(is_small, smaller, rest)
}

/// The rest of a finite `x` that is not negative by a normal `y`: each turn takes off a multiple of `y` times the power of two that
/// makes the quotient 2^50 to 2^52. Of 0 by anything it ends at once.
fn reduced(b: &mut Builder, x: Value, y: Value) -> Value {
    let (exponents, digits) = (b.i64(0x7ff << 52), b.i64(51 << 52));
    let zero = b.i64(0);
    let y_bits = b.bitcast(y, DType::I64);
    let y_exponent = b.and(y_bits, exponents);
    let y_digits = b.add(y_exponent, digits);
    b.repeat(&[x], |b, carried| {
        let rest = carried[0];
        let bits = b.bitcast(rest, DType::I64);
        let exponent = b.and(bits, exponents);
        let surplus = b.sub(exponent, y_digits);
        let is_far = b.gt(surplus, zero);
        let surplus = b.select(is_far, surplus, zero);
        let multiple = b.add(y_bits, surplus);
        let multiple = b.bitcast(multiple, DType::F64);
        let ratio = b.div(rest, multiple);
        let quotient = b.trunc(ratio);
        let rest = less_multiple(b, rest, quotient, multiple);
        (b.ge(rest, y), vec![rest])
    })[0]
}

//! Integer division by a variable to float division, which never traps.

use super::convert::{cast, long_to_f64, whole_to_integer};
use crate::dtype::DType;
use crate::ir::{Builder, Op, Value};

/// `floor_divide`, `remainder` or `fmod`; 0 where `y` is.
pub(super) fn divide(b: &mut Builder, op: Op, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    match dtype.size() {
        1 | 2 => by_float(b, op, x, y, DType::F32),
        4 => by_float(b, op, x, y, DType::F64),
        _ => {
            let (x_near, y_near) = (Near::new(b, x), Near::new(b, y));
            let result = of_floats(b, op, x_near.float, y_near.float);
            let result = x_near.integer(b, result);
            let outside = b.or(x_near.outside, y_near.outside);
            Near::unless(b, outside, result, |b| {
                if dtype == DType::U64 { unsigned(b, op, x, y) } else { signed(b, op, x, y) }
            })
        }
    }
}

fn by_float(b: &mut Builder, op: Op, x: Value, y: Value, float: DType) -> Value {
    let dtype = b.dtype(x);
    let (x, y) = (cast(b, x, float), cast(b, y, float));
    let result = of_floats(b, op, x, y);
    whole_to_integer(b, result, dtype)
}

/// Of integers whose magnitudes have a sum of at most 2^p, p the float's precision. A quotient x/y that is no integer lies at
/// least 1/|y| from the next one, n, at which floats are at most n * 2^(1-p) apart; as |n*y| < |x| + |y| <= 2^p, rounding never
/// reaches n. Products n*y and their differences from x are exact.
pub(super) fn of_floats(b: &mut Builder, op: Op, x: Value, y: Value) -> Value {
    let quotient = b.div(x, y);
    let quotient = if op == Op::Fmod { b.trunc(quotient) } else { b.floor(quotient) };
    let result = if op == Op::FloorDivide {
        quotient
    } else {
        let product = b.mul(quotient, y);
        b.sub(x, product)
    };
    let zero = b.constant(b.dtype(x), 0);
    let by_zero = b.eq(y, zero);
    b.select(by_zero, zero, result)
}

/// A 64-bit integer that may be in the reach of a quick conversion: from -2^51 to below 2^51, unsigned below 2^52. Then it
/// stands in the low bits of a float of exponent 52.
pub(super) struct Near {
    dtype: DType,
    /// The integer if it is in reach, else some float.
    pub(super) float: Value,
    /// Has some of its highest 12 bits set if the integer is out of reach.
    pub(super) outside: Value,
    origin: Value,
}

impl Near {
    pub(super) fn new(b: &mut Builder, x: Value) -> Near {
        let dtype = b.dtype(x);
        let (two_52, two_51) = (4_503_599_627_370_496.0, 2_251_799_813_685_248.0);
        let origin = b.f64(if dtype == DType::U64 { two_52 } else { two_52 + two_51 });
        let (start, exponent) = (b.bitcast(origin, dtype), b.integer(dtype, i128::from(f64::to_bits(two_52))));
        let bits = b.add(x, start);
        let float = b.bitcast(bits, DType::F64);
        Near { dtype, float: b.sub(float, origin), outside: b.xor(bits, exponent), origin }
    }

    /// The integer that a float in reach is.
    pub(super) fn integer(&self, b: &mut Builder, x: Value) -> Value {
        let sum = b.add(x, self.origin);
        let (bits, start) = (b.bitcast(sum, self.dtype), b.bitcast(self.origin, self.dtype));
        b.sub(bits, start)
    }

    /// `near`, but where `outside` says so what `far` makes.
    pub(super) fn unless(
        b: &mut Builder,
        outside: Value,
        near: Value,
        far: impl FnOnce(&mut Builder) -> Value,
    ) -> Value {
        let dtype = b.dtype(outside);
        let (mask, zero) = (b.integer(dtype, 0xfff << 52), b.constant(dtype, 0));
        let outside = b.and(outside, mask);
        let outside = b.ne(outside, zero);
        b.when(outside, &[near], |b| vec![far(b)])[0]
    }
}

/// The result if `y` is not 0, else 0.
fn unless_zero(b: &mut Builder, y: Value, result: Value) -> Value {
    let zero = b.constant(b.dtype(y), 0);
    let by_zero = b.eq(y, zero);
    b.select(by_zero, zero, result)
}

fn unsigned(b: &mut Builder, op: Op, x: Value, y: Value) -> Value {
    let (quotient, rest) = divide_u64(b, x, y);
    unless_zero(b, y, if op == Op::FloorDivide { quotient } else { rest })
}

/// By the magnitudes.
fn signed(b: &mut Builder, op: Op, x: Value, y: Value) -> Value {
    let (count, zero) = (b.i64(63), b.i64(0));
    let (x_sign, y_sign) = (b.shr(x, count), b.shr(y, count));
    let (x_size, y_size) = (negated_where(b, x, x_sign), negated_where(b, y, y_sign));
    let (x_size, y_size) = (b.bitcast(x_size, DType::U64), b.bitcast(y_size, DType::U64));
    let (quotient, rest) = divide_u64(b, x_size, y_size);
    let (quotient, rest) = (b.bitcast(quotient, DType::I64), b.bitcast(rest, DType::I64));
    let either = b.xor(x, y);
    let differ = b.lt(either, zero);
    let result = match op {
        Op::FloorDivide => {
            // -q where nothing is left, else -q - 1, which is the complement.
            let sign = b.xor(x_sign, y_sign);
            let quotient = b.xor(quotient, sign);
            let (exact, one) = (b.eq(rest, zero), b.i64(1));
            let adjusted = b.and(differ, exact);
            let surplus = b.select(adjusted, one, zero);
            b.add(quotient, surplus)
        }
        Op::Remainder => {
            let inexact = b.ne(rest, zero);
            let adjusted = b.and(differ, inexact);
            let y_size = b.bitcast(y_size, DType::I64);
            let complement = b.sub(y_size, rest);
            let rest = b.select(adjusted, complement, rest);
            negated_where(b, rest, y_sign)
        }
        _ => negated_where(b, rest, x_sign),
    };
    unless_zero(b, y, result)
}

/// -x where `sign` is all ones, x where it is 0.
fn negated_where(b: &mut Builder, x: Value, sign: Value) -> Value {
    let x = b.xor(x, sign);
    b.sub(x, sign)
}

/// Quotient and remainder, by two digits of 32 bits; anything where `y` is 0.
///
/// With u = 2^-53 each of four roundings changes `estimate` by a factor within 1 +- u, and 1 - 8u outweighs them: it lies between
/// (1 - 12.1u) x/y and x/y. So the high digit never is too large, and what it leaves, r, is
/// r/y <= 2^32 + 12.1u * 2^64 < 2^33. The low digit is not too large either, and misses r/y by less than 1 + 12.1u * 2^33 < 1 + 2^-16:
/// what is left is below 2y, and one more subtraction ends it.
fn divide_u64(b: &mut Builder, x: Value, y: Value) -> (Value, Value) {
    let (digit, mask) = (b.integer(DType::U64, 32), b.integer(DType::U64, 0xffff_ffff));
    let (scale, two_52) = (b.f64(1.0 / 4_294_967_296.0), b.f64(4_503_599_627_370_496.0));
    let below_one = b.f64(1.0 - 8.0 * (f64::EPSILON / 2.0));
    let float = long_to_f64(b, y);
    let reciprocal = b.div(below_one, float);
    let float = long_to_f64(b, x);
    let estimate = b.mul(float, reciprocal);
    let high = b.mul(estimate, scale);
    let high = integer_below(b, high, two_52);

    // The product moves up by a digit, so its own high digit is lost and only the low ones of its factors count.
    let (high_low, y_low) = (b.and(high, mask), b.and(y, mask));
    let product = b.mul(high_low, y_low);
    let product = b.shl(product, digit);
    let rest = b.sub(x, product);

    let float = long_to_f64(b, rest);
    let low = b.mul(float, reciprocal);
    let low = integer_below(b, low, two_52);
    let exponent = b.bitcast(two_52, DType::U64);
    let low = b.xor(low, exponent);
    let product = b.mul(low, y);
    let rest = b.sub(rest, product);

    let high = b.shl(high, digit);
    let quotient = b.add(high, low);
    let one = b.integer(DType::U64, 1);
    let (more, less) = (b.add(quotient, one), b.sub(rest, y));
    let left_over = b.ge(rest, y);
    (b.select(left_over, more, quotient), b.select(left_over, less, rest))
}

/// The floor of a float from 0 to 2^51, in the low bits of 2^52 more.
fn integer_below(b: &mut Builder, x: Value, two_52: Value) -> Value {
    let floor = b.floor(x);
    let sum = b.add(floor, two_52);
    b.bitcast(sum, DType::U64)
}

//! Integer powers by repeated squaring.

use super::bits::multiply;
use crate::dtype::DType;
use crate::ir::{Builder, Value, to_int};

pub(super) fn power(b: &mut Builder, x: Value, exponent: Value) -> Value {
    let dtype = b.dtype(x);
    match b.graph().constant(exponent).map(|bits| to_int(bits, dtype)) {
        Some(exponent @ 0..) => to_constant(b, x, exponent as u64),
        Some(_) | None => to_variable(b, x, exponent),
    }
}

fn to_constant(b: &mut Builder, x: Value, exponent: u64) -> Value {
    let mut result = None;
    let (mut square, mut left) = (x, exponent);
    while left != 0 {
        if left & 1 != 0 {
            result = Some(result.map_or(square, |result| multiply(b, result, square)));
        }
        left >>= 1;
        if left != 0 {
            square = multiply(b, square, square);
        }
    }
    result.unwrap_or_else(|| b.integer(b.dtype(x), 1))
}

/// One turn of the loop for each bit of the exponent.
fn to_variable(b: &mut Builder, x: Value, exponent: Value) -> Value {
    let dtype = b.dtype(x);
    let (x, exponent) = if dtype.is_signed_int() { without_negative(b, x, exponent) } else { (x, exponent) };
    // Lanes that multiply and shift; what a product has above the dtype is cut off.
    let lane = DType::unsigned(dtype.size().max(4));
    let unsigned = DType::unsigned(dtype.size());
    let widened = |b: &mut Builder, x: Value| {
        let x = b.bitcast(x, unsigned);
        b.cast(x, lane)
    };
    let (base, exponent) = (widened(b, x), widened(b, exponent));
    let (zero, one) = (b.constant(lane, 0), b.integer(lane, 1));
    let parts = b.repeat(&[one, base, exponent], |b, carried| {
        let (result, square, left) = (carried[0], carried[1], carried[2]);
        let bit = b.and(left, one);
        let wanted = b.ne(bit, zero);
        let product = b.mul(result, square);
        let (result, square, left) = (b.select(wanted, product, result), b.mul(square, square), b.shr(left, one));
        (b.ne(left, zero), vec![result, square, left])
    });
    let result = b.cast(parts[0], unsigned);
    b.bitcast(result, dtype)
}

/// The same power with an exponent that is not negative: bases 1 and -1 keep the exponent's last bit, others become 0, to the 1.
fn without_negative(b: &mut Builder, x: Value, exponent: Value) -> (Value, Value) {
    let dtype = b.dtype(x);
    let (zero, one) = (b.constant(dtype, 0), b.integer(dtype, 1));
    let size = super::minmax::integer_abs(b, x);
    let negative = b.lt(exponent, zero);
    let is_unit = b.eq(size, one);
    let last = b.and(exponent, one);
    let kept = b.select(is_unit, x, zero);
    let reduced = b.select(is_unit, last, one);
    (b.select(negative, kept, x), b.select(negative, reduced, exponent))
}

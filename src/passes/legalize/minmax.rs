//! IEEE's minima and maxima, and those of integers, to the machine's own `lesser` and `greater`.

use crate::dtype::{DType, Element};
use crate::ir::{Builder, Op, Value};

/// `lesser` both ways differs only for equal zeros, where either may be -0, and for a NaN, which is in one of the two: the
/// bits of both together are right.
pub(super) fn minimum(b: &mut Builder, x: Value, y: Value) -> Value {
    // A constant that is no NaN comes first; `x` stands where they are equal, so only beside -0 it might be the wrong zero.
    if let Some((constant, x)) = number_and_other(b, x, y)
        && !is_zero(constant.0, -0.0)
    {
        return b.lesser(constant.1, x);
    }
    let (one, other) = (b.lesser(x, y), b.lesser(y, x));
    either_bits(b, one, other)
}

pub(super) fn maximum(b: &mut Builder, x: Value, y: Value) -> Value {
    if let Some((constant, x)) = number_and_other(b, x, y) {
        let greater = b.greater(constant.1, x);
        if is_zero(constant.0, 0.0) {
            // Makes -0 the constant's +0.
            return b.add(greater, constant.1);
        }
        return greater;
    }
    // What `either` has more than `difference` is a zero's sign, which the subtraction clears, or a NaN, which it keeps.
    let dtype = b.dtype(x);
    let (one, other) = (b.greater(x, y), b.greater(y, x));
    let unsigned = DType::unsigned(dtype.size());
    let (one, other) = (b.bitcast(one, unsigned), b.bitcast(other, unsigned));
    let difference = b.xor(one, other);
    let either = b.or(one, difference);
    let (either, difference) = (b.bitcast(either, dtype), b.bitcast(difference, dtype));
    b.sub(either, difference)
}

pub(super) fn fmin(b: &mut Builder, x: Value, y: Value) -> Value {
    if let Some((constant, x)) = number_and_other(b, x, y)
        && !is_zero(constant.0, 0.0)
    {
        return b.lesser(x, constant.1);
    }
    let (x, y) = without_nan(b, x, y);
    let (one, other) = (b.lesser(x, y), b.lesser(y, x));
    either_bits(b, one, other)
}

pub(super) fn fmax(b: &mut Builder, x: Value, y: Value) -> Value {
    if let Some((constant, x)) = number_and_other(b, x, y)
        && !is_zero(constant.0, -0.0)
    {
        return b.greater(x, constant.1);
    }
    let (x, y) = without_nan(b, x, y);
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let (one, other) = (b.greater(x, y), b.greater(y, x));
    let (one, other) = (b.bitcast(one, unsigned), b.bitcast(other, unsigned));
    // Equal zeros give +0 if one of them is. Two NaNs are one and the same here.
    let both = b.and(one, other);
    b.bitcast(both, dtype)
}

/// A constant operand that is no NaN, its value first, and the other operand.
fn number_and_other(b: &Builder, x: Value, y: Value) -> Option<((f64, Value), Value)> {
    let number = |value: Value| {
        let bits = b.graph().constant(value)?;
        let x = if b.dtype(value) == DType::F32 { f64::from(f32::from_bits64(bits)) } else { f64::from_bits64(bits) };
        (!x.is_nan()).then_some((x, value))
    };
    number(y).map(|constant| (constant, x)).or_else(|| number(x).map(|constant| (constant, y)))
}

/// Whether `x` is a zero of the sign of `zero`.
fn is_zero(x: f64, zero: f64) -> bool {
    x.to_bits() == zero.to_bits()
}

/// Both, with the other in the place of a NaN.
fn without_nan(b: &mut Builder, x: Value, y: Value) -> (Value, Value) {
    let ordered = b.eq(x, x);
    let x = b.select(ordered, x, y);
    let ordered = b.eq(y, y);
    (x, b.select(ordered, y, x))
}

fn either_bits(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let (x, y) = (b.bitcast(x, unsigned), b.bitcast(y, unsigned));
    let bits = b.or(x, y);
    b.bitcast(bits, dtype)
}

/// `lesser` or `greater`.
pub(super) fn integer(b: &mut Builder, op: Op, x: Value, y: Value) -> Value {
    if b.dtype(x).size() < 8 {
        return b.apply(op, &[x, y]);
    }
    let first = b.apply(if op == Op::Lesser { Op::Lt } else { Op::Gt }, &[x, y]);
    b.select(first, x, y)
}

pub(super) fn integer_abs(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    if dtype.is_unsigned_int() {
        return x;
    }
    let zero = b.constant(dtype, 0);
    let opposite = b.sub(zero, x);
    if dtype.size() < 8 {
        return b.greater(x, opposite);
    }
    let negative = b.lt(x, zero);
    b.select(negative, opposite, x)
}

//! Casts to the few that machines have, by the bits of floats: an integer beside a power of two that dwarfs it stands in the
//! low bits of their sum.

use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// Its last place is 1, and it leaves a bit for the sign: `WHOLE + n` has n in its low bits, for |n| < 2^51.
const WHOLE: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
/// The same for f32 and |n| < 2^22.
const WHOLE_F32: f32 = 12_582_912.0; // 1.5 * 2^23
const TWO_32: f64 = 4_294_967_296.0;
const TWO_52: f64 = 4_503_599_627_370_496.0;
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_84: f64 = 19_342_813_113_834_066_795_298_816.0;

pub(super) fn cast(b: &mut Builder, x: Value, to: DType) -> Value {
    let from = b.dtype(x);
    if from == to {
        return x;
    }
    match (from, to) {
        (_, DType::Bool) => {
            let zero = b.constant(from, 0);
            b.ne(x, zero)
        }
        (DType::Bool, _) => {
            let (one, zero) = (b.integer(to, 1), b.constant(to, 0));
            b.select(x, one, zero)
        }
        _ if from.is_int() && to.is_int() && from.size() == to.size() => b.bitcast(x, to),
        _ if from.is_int() && to.is_float() => from_integer(b, x, to),
        _ if from.is_float() && to.is_int() => to_integer(b, x, to),
        _ => b.cast(x, to),
    }
}

/// A bool is not laid out as the byte that it is in memory.
pub(super) fn bitcast(b: &mut Builder, x: Value, to: DType) -> Value {
    if (b.dtype(x) == DType::Bool) != (to == DType::Bool) { cast(b, x, to) } else { b.bitcast(x, to) }
}

fn from_integer(b: &mut Builder, x: Value, to: DType) -> Value {
    match b.dtype(x) {
        DType::I32 => b.cast(x, to),
        DType::U32 => {
            let float = u32_to_f64(b, x);
            b.cast(float, to)
        }
        DType::I64 | DType::U64 if to == DType::F32 => {
            let short = shortened(b, x);
            let float = long_to_f64(b, short);
            b.cast(float, to)
        }
        DType::I64 | DType::U64 => long_to_f64(b, x),
        _ => {
            let wide = b.cast(x, DType::I32);
            b.cast(wide, to)
        }
    }
}

pub(super) fn u32_to_f64(b: &mut Builder, x: Value) -> Value {
    let (moved, middle) = (u32_less_middle(b, x), b.f64(2_147_483_648.0));
    b.add(moved, middle)
}

/// x - 2^31, by the machine's conversion of signed integers.
pub(super) fn u32_less_middle(b: &mut Builder, x: Value) -> Value {
    let middle = b.integer(DType::U32, 1 << 31);
    let moved = b.xor(x, middle);
    let moved = b.bitcast(moved, DType::I32);
    b.cast(moved, DType::F64)
}

/// Correctly rounded: both halves are exact, and their sum rounds once.
pub(super) fn long_to_f64(b: &mut Builder, x: Value) -> Value {
    let bias = if b.dtype(x) == DType::I64 { TWO_63 } else { 0.0 };
    let x = b.bitcast(x, DType::U64);
    let (count, low_mask) = (b.integer(DType::U64, 32), b.integer(DType::U64, 0xffff_ffff));
    let high = b.shr(x, count);
    // 2^84 + high * 2^32; flipping the sign bit of a signed one adds 2^63.
    let exponent = b.integer(DType::U64, i128::from((TWO_84 + bias).to_bits()));
    let high = b.xor(high, exponent);
    let high = b.bitcast(high, DType::F64);
    let low = b.and(x, low_mask);
    let exponent = b.integer(DType::U64, i128::from(TWO_52.to_bits()));
    let low = b.or(low, exponent);
    let low = b.bitcast(low, DType::F64);
    let surplus = b.f64(TWO_84 + bias + TWO_52);
    let high = b.sub(high, surplus);
    b.add(high, low)
}

/// A 64-bit integer that f64 holds exactly and that rounds to the same f32: one of 2^53 and more in magnitude has its low
/// 11 bits replaced by one bit that says whether any was set.
fn shortened(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let signed = dtype == DType::I64;
    let long = b.bitcast(x, DType::U64);
    let constant = |b: &mut Builder, x: i128| b.integer(DType::U64, x);
    let (offset, count) = (constant(b, if signed { 1 << 53 } else { 0 }), constant(b, if signed { 54 } else { 53 }));
    let moved = b.add(long, offset);
    let above = b.shr(moved, count);
    let zero = constant(b, 0);
    let is_long = b.ne(above, zero);
    let (low_mask, high_mask) = (constant(b, 0x7ff), constant(b, !0x7ff));
    let low = b.and(long, low_mask);
    let carry = b.add(low, low_mask);
    let sticky = b.or(long, carry);
    let short = b.and(sticky, high_mask);
    let value = b.select(is_long, short, long);
    b.bitcast(value, dtype)
}

/// Truncates and saturates; NaN gives 0.
fn to_integer(b: &mut Builder, x: Value, to: DType) -> Value {
    let float = if to.size() <= 2 { b.dtype(x) } else { DType::F64 };
    let x = b.cast(x, float);
    match to {
        DType::U64 => to_u64(b, x),
        DType::I64 => to_i64(b, x),
        _ => {
            let (least, most) = to.int_range();
            let (least, most) = (b.integer(float, least), b.integer(float, most));
            let x = if to.is_signed_int() { nan_to_zero(b, x) } else { x };
            // Of an unsigned one this makes NaN the least, which is 0.
            let x = b.greater(x, least);
            let x = b.lesser(x, most);
            let x = b.trunc(x);
            whole_to_integer(b, x, to)
        }
    }
}

fn nan_to_zero(b: &mut Builder, x: Value) -> Value {
    let zero = b.constant(b.dtype(x), 0);
    let ordered = b.eq(x, x);
    b.select(ordered, x, zero)
}

/// The integer that a float is, wrapped to a dtype of at most 32 bits; its magnitude is below 2^51, or 2^22 for f32.
pub(super) fn whole_to_integer(b: &mut Builder, x: Value, to: DType) -> Value {
    let (whole, bits) = match b.dtype(x) {
        DType::F32 => (b.f32(WHOLE_F32), DType::I32),
        _ => (b.f64(WHOLE), DType::I64),
    };
    let sum = b.add(x, whole);
    let bits = b.bitcast(sum, bits);
    cast(b, bits, to)
}

fn to_u64(b: &mut Builder, x: Value) -> Value {
    let (zero, end) = (b.f64(0.0), b.f64(2.0 * TWO_63));
    let positive = b.greater(x, zero);
    let whole = b.trunc(positive);
    let bits = long_from_whole(b, whole);
    let beyond = b.ge(x, end);
    let most = b.element(u64::MAX);
    b.select(beyond, most, bits)
}

fn to_i64(b: &mut Builder, x: Value) -> Value {
    let x = nan_to_zero(b, x);
    let (start, end) = (b.f64(-TWO_63), b.f64(TWO_63));
    let inside = b.greater(x, start);
    let whole = b.trunc(inside);
    let bits = long_from_whole(b, whole);
    let bits = b.bitcast(bits, DType::I64);
    let beyond = b.ge(x, end);
    let most = b.i64(i64::MAX);
    b.select(beyond, most, bits)
}

/// The bits of an integer from -2^63 to below 2^64.
fn long_from_whole(b: &mut Builder, x: Value) -> Value {
    let (reciprocal, shift) = (b.f64(1.0 / TWO_32), b.f64(-TWO_32));
    let scaled = b.mul(x, reciprocal);
    let high = b.floor(scaled);
    let low = b.fma(high, shift, x);
    // The upper half of 2^52 is in the way of adding the lower half; the upper half of the sum has it subtracted.
    let two_52 = b.f64(TWO_52);
    let low = b.add(low, two_52);
    let whole = b.f64(WHOLE - f64::from((TWO_52.to_bits() >> 32) as u32));
    let high = b.add(high, whole);
    let (low, high) = (b.bitcast(low, DType::U64), b.bitcast(high, DType::U64));
    let count = b.integer(DType::U64, 32);
    let high = b.shl(high, count);
    b.add(high, low)
}

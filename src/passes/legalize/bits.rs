//! Signs of floats, shifts, rotations, counts and wide products, by shifts of constant counts and the bits of floats.

use super::{convert, minmax};
use crate::dtype::DType;
use crate::ir::{Builder, Op, Value, to_int};

/// The float with its bits changed by `change`, which gets them and the sign bit.
fn with_bits(b: &mut Builder, x: Value, change: impl FnOnce(&mut Builder, Value, Value) -> Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let (bits, sign) = (b.bitcast(x, unsigned), b.integer(unsigned, 1 << (dtype.bits() - 1)));
    let bits = change(b, bits, sign);
    b.bitcast(bits, dtype)
}

pub(super) fn negate(b: &mut Builder, x: Value) -> Value {
    with_bits(b, x, |b, bits, sign| b.xor(bits, sign))
}

pub(super) fn magnitude(b: &mut Builder, x: Value) -> Value {
    with_bits(b, x, |b, bits, _| {
        let dtype = b.dtype(bits);
        let mask = b.integer(dtype, (1 << (dtype.bits() - 1)) - 1);
        b.and(bits, mask)
    })
}

/// The sign bit of a float, as its unsigned integer.
pub(super) fn sign_of(b: &mut Builder, x: Value) -> Value {
    let dtype = DType::unsigned(b.dtype(x).size());
    let (bits, sign) = (b.bitcast(x, dtype), b.integer(dtype, 1 << (dtype.bits() - 1)));
    b.and(bits, sign)
}

/// A float that is not negative, with that sign bit.
pub(super) fn with_sign(b: &mut Builder, x: Value, sign: Value) -> Value {
    with_bits(b, x, |b, bits, _| b.or(bits, sign))
}

pub(super) fn copysign(b: &mut Builder, x: Value, y: Value) -> Value {
    let sign = sign_of(b, y);
    let plus = b.constant(b.dtype(sign), 0);
    let ordered = b.eq(y, y);
    let sign = b.select(ordered, sign, plus);
    let x = magnitude(b, x);
    with_sign(b, x, sign)
}

/// As signed integers, floats with the sign bit stand below all others, and NaNs above -inf.
pub(super) fn signbit(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let bits = b.bitcast(x, DType::signed(dtype.size()));
    let infinity = b.float(dtype, f64::NEG_INFINITY);
    let infinity = b.bitcast(infinity, DType::signed(dtype.size()));
    b.le(bits, infinity)
}

/// The greatest number below 0.5 carries every half and more over the next integer, and nothing less: `x + 0.5` would round
/// the number below 0.5, and odd integers from 2^52 on, up.
pub(super) fn round_away(b: &mut Builder, x: Value) -> Value {
    let half = match b.dtype(x) {
        DType::F32 => b.f32(0.5_f32.next_down()),
        _ => b.f64(0.5_f64.next_down()),
    };
    let sign = sign_of(b, x);
    let half = with_sign(b, half, sign);
    let sum = b.add(x, half);
    b.trunc(sum)
}

/// The integer dtype of that many bytes with the sign of `dtype`.
fn sized(dtype: DType, size: usize) -> DType {
    if dtype.is_signed_int() { DType::signed(size) } else { DType::unsigned(size) }
}

pub(super) fn multiply(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    if dtype.size() > 1 {
        return b.mul(x, y);
    }
    let wide = sized(dtype, 2);
    let (x, y) = (b.cast(x, wide), b.cast(y, wide));
    let product = b.mul(x, y);
    b.cast(product, dtype)
}

pub(super) fn multiply_high(b: &mut Builder, x: Value, y: Value) -> Value {
    let dtype = b.dtype(x);
    if dtype.size() < 8 {
        let wide = sized(dtype, dtype.size() * 2);
        let (x, y) = (b.cast(x, wide), b.cast(y, wide));
        let (product, count) = (b.mul(x, y), b.integer(wide, i128::from(dtype.bits())));
        let high = b.shr(product, count);
        return b.cast(high, dtype);
    }
    let (long_x, long_y) = (b.bitcast(x, DType::U64), b.bitcast(y, DType::U64));
    let high = unsigned_high(b, long_x, long_y);
    if dtype == DType::U64 {
        return high;
    }
    // A negative operand reads as 2^64 more.
    let high = b.bitcast(high, DType::I64);
    let count = b.i64(63);
    let (x_sign, y_sign) = (b.shr(x, count), b.shr(y, count));
    let (y_surplus, x_surplus) = (b.and(x_sign, y), b.and(y_sign, x));
    let high = b.sub(high, y_surplus);
    b.sub(high, x_surplus)
}

/// Four products of halves; no sum of them overflows.
fn unsigned_high(b: &mut Builder, x: Value, y: Value) -> Value {
    let (count, mask) = (b.integer(DType::U64, 32), b.integer(DType::U64, 0xffff_ffff));
    let (x_low, x_high) = (b.and(x, mask), b.shr(x, count));
    let (y_low, y_high) = (b.and(y, mask), b.shr(y, count));
    let low = b.mul(x_low, y_low);
    let carry = b.shr(low, count);
    let middle = b.mul(x_high, y_low);
    let middle = b.add(middle, carry);
    let other = b.mul(x_low, y_high);
    let middle_low = b.and(middle, mask);
    let other = b.add(other, middle_low);
    let high = b.mul(x_high, y_high);
    let (middle, other) = (b.shr(middle, count), b.shr(other, count));
    let high = b.add(high, middle);
    b.add(high, other)
}

/// `shl` or `shr` by any count.
pub(super) fn shift(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    match b.graph().constant(count) {
        Some(count) => shift_constant(b, op, x, to_int(count, dtype)),
        None if dtype.size() <= 2 => shift_narrow(b, op, x, count),
        None => shift_variable(b, op, x, count),
    }
}

fn shift_constant(b: &mut Builder, op: Op, x: Value, count: i128) -> Value {
    let dtype = b.dtype(x);
    let last = i128::from(dtype.bits() - 1);
    let keeps_sign = op == Op::Shr && dtype.is_signed_int();
    let count = match count {
        0 => return x,
        _ if (0..=last).contains(&count) => count,
        _ if keeps_sign => last,
        _ => return b.constant(dtype, 0),
    };
    if dtype.size() > 1 {
        let count = b.integer(dtype, count);
        return b.apply(op, &[x, count]);
    }
    if op == Op::Shl {
        // As many additions as a detour by 16-bit lanes takes instructions, or fewer.
        return (0..count).fold(x, |x, _| b.add(x, x));
    }
    let wide = sized(dtype, 2);
    let (x, count) = (b.cast(x, wide), b.integer(wide, count));
    let shifted = b.shr(x, count);
    b.cast(shifted, dtype)
}

/// In lanes of 32 bits a count of 31 shifts out all that a narrow value has.
fn shift_narrow(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    let wide = sized(dtype, 4);
    let x = b.cast(x, wide);
    // A negative count is a large one.
    let count = b.bitcast(count, DType::unsigned(dtype.size()));
    let count = b.cast(count, DType::U32);
    let last = b.integer(DType::U32, 31);
    let count = b.lesser(count, last);
    let count = b.bitcast(count, wide);
    let shifted = b.apply(op, &[x, count]);
    b.cast(shifted, dtype)
}

fn shift_variable(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let last = b.integer(unsigned, i128::from(dtype.bits() - 1));
    let count = b.bitcast(count, unsigned);
    if op == Op::Shr && dtype.is_signed_int() {
        let count = minmax::integer(b, Op::Lesser, count, last);
        let count = b.bitcast(count, dtype);
        return b.shr(x, count);
    }
    let masked = b.and(count, last);
    let masked = b.bitcast(masked, dtype);
    let shifted = b.apply(op, &[x, masked]);
    let (inside, zero) = (b.le(count, last), b.constant(dtype, 0));
    b.select(inside, shifted, zero)
}

pub(super) fn rotate(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let bits = i128::from(dtype.bits());
    let x = b.bitcast(x, unsigned);
    let rotated = match b.graph().constant(count) {
        Some(count) => {
            let count = to_int(count, dtype);
            rotate_constant(b, x, (if op == Op::Rotl { count } else { -count }).rem_euclid(bits))
        }
        None => {
            let count = b.bitcast(count, unsigned);
            if dtype.size() <= 2 { rotate_narrow(b, op, x, count) } else { rotate_variable(b, op, x, count) }
        }
    };
    b.bitcast(rotated, dtype)
}

/// To the left by 0 to the width less 1.
fn rotate_constant(b: &mut Builder, x: Value, count: i128) -> Value {
    let dtype = b.dtype(x);
    if count == 0 {
        return x;
    }
    if dtype == DType::U8 {
        let twice = twice(b, x, DType::U16);
        let count = b.integer(DType::U16, 8 - count);
        let rotated = b.shr(twice, count);
        return b.cast(rotated, dtype);
    }
    let (left, right) = (b.integer(dtype, count), b.integer(dtype, i128::from(dtype.bits()) - count));
    let (left, right) = (b.shl(x, left), b.shr(x, right));
    b.or(left, right)
}

/// The bits of a narrow value two times, one above the other.
fn twice(b: &mut Builder, x: Value, wide: DType) -> Value {
    let count = b.integer(wide, i128::from(b.dtype(x).bits()));
    let low = b.cast(x, wide);
    let high = b.shl(low, count);
    b.or(low, high)
}

fn rotate_narrow(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    let bits = i128::from(dtype.bits());
    let count = b.cast(count, DType::U32);
    let mask = b.integer(DType::U32, bits - 1);
    let count = b.and(count, mask);
    let twice = twice(b, x, DType::U32);
    let rotated = if op == Op::Rotr {
        b.shr(twice, count)
    } else {
        let (left, bits) = (b.shl(twice, count), b.integer(DType::U32, bits));
        b.shr(left, bits)
    };
    b.cast(rotated, dtype)
}

fn rotate_variable(b: &mut Builder, op: Op, x: Value, count: Value) -> Value {
    let dtype = b.dtype(x);
    let (mask, zero) = (b.integer(dtype, i128::from(dtype.bits() - 1)), b.constant(dtype, 0));
    let opposite = b.sub(zero, count);
    let (count, opposite) = (b.and(count, mask), b.and(opposite, mask));
    let (left, right) = if op == Op::Rotl { (count, opposite) } else { (opposite, count) };
    let (left, right) = (b.shl(x, left), b.shr(x, right));
    b.or(left, right)
}

/// Sums of neighbouring fields of 1, 2, 4 bits and so on.
pub(super) fn popcount(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let lane = DType::unsigned(dtype.size().max(2));
    let x = b.bitcast(x, unsigned);
    let x = b.cast(x, lane);
    let repeated = |b: &mut Builder, byte: u8| b.integer(lane, i128::from(u64::from_ne_bytes([byte; 8])));
    let shifted = |b: &mut Builder, x: Value, count: u32| {
        let count = b.integer(lane, i128::from(count));
        b.shr(x, count)
    };
    let (ones, pairs, fours) = (repeated(b, 0x55), repeated(b, 0x33), repeated(b, 0x0f));
    let odd = shifted(b, x, 1);
    let odd = b.and(odd, ones);
    let x = b.sub(x, odd);
    let odd = shifted(b, x, 2);
    let (odd, even) = (b.and(odd, pairs), b.and(x, pairs));
    let x = b.add(odd, even);
    let odd = shifted(b, x, 4);
    let x = b.add(x, odd);
    let mut x = b.and(x, fours);
    for count in [8, 16, 32].into_iter().filter(|count| *count < dtype.bits()) {
        let odd = shifted(b, x, count);
        x = b.add(x, odd);
    }
    if dtype.size() > 1 {
        let mask = b.integer(lane, i128::from(dtype.bits() * 2 - 1));
        x = b.and(x, mask);
    }
    let x = b.cast(x, unsigned);
    b.bitcast(x, dtype)
}

/// The exponent of a float that is not negative, with its bias, as the unsigned integer.
fn exponent(b: &mut Builder, x: Value) -> Value {
    let (dtype, count) = if b.dtype(x) == DType::F32 { (DType::U32, 23) } else { (DType::U64, 52) };
    let (bits, count) = (b.bitcast(x, dtype), b.integer(dtype, count));
    b.shr(bits, count)
}

const BIAS: i128 = 127;
const BIAS_F64: i128 = 1023;

/// The exponent of the value as a float tells where its highest one stands; 0 counts as 0.5.
pub(super) fn leading_zeros(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let unsigned = DType::unsigned(dtype.size());
    let x = b.bitcast(x, unsigned);
    let float = match dtype.size() {
        1 | 2 => convert::cast(b, x, DType::F32),
        4 => convert::u32_to_f64(b, x),
        _ => {
            // Without the bit below its highest one the value cannot round up to a power of two.
            let count = b.integer(DType::U64, 1);
            let below = b.shr(x, count);
            let below = b.not(below);
            let x = b.and(x, below);
            convert::long_to_f64(b, x)
        }
    };
    let half = b.float(b.dtype(float), 0.5);
    let float = b.greater(float, half);
    let exponent = exponent(b, float);
    let bias = if b.dtype(exponent) == DType::U32 { BIAS } else { BIAS_F64 };
    let exponent = convert::cast(b, exponent, if dtype.size() == 8 { DType::U64 } else { DType::U32 });
    let most = b.integer(b.dtype(exponent), bias + i128::from(dtype.bits()) - 1);
    let zeros = b.sub(most, exponent);
    convert::cast(b, zeros, dtype)
}

/// The lowest one alone is a power of two, which converts exactly.
pub(super) fn trailing_zeros(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let bits = i128::from(dtype.bits());
    let x = b.bitcast(x, DType::unsigned(dtype.size()));
    let lane = DType::unsigned(dtype.size().max(4));
    let mut x = b.cast(x, lane);
    let zero = b.constant(lane, 0);
    if dtype.size() <= 2 {
        // Above a narrow value there is room for a one that ends the zeros.
        let end = b.integer(lane, 1 << bits);
        x = b.or(x, end);
    }
    let opposite = b.sub(zero, x);
    let lowest = b.and(x, opposite);
    if dtype.size() == 8 {
        let float = convert::long_to_f64(b, lowest);
        let exponent = exponent(b, float);
        let zeros = less_bias(b, exponent, BIAS_F64);
        return zeros_or(b, x, zeros, dtype);
    }
    let lowest = b.bitcast(lowest, DType::I32);
    let float = b.cast(lowest, DType::F32);
    let exponent = exponent(b, float);
    if dtype.size() <= 2 {
        let zeros = less_bias(b, exponent, BIAS);
        return b.cast(zeros, dtype);
    }
    // The highest bit converts as -2^31.
    let mask = b.integer(lane, 0xff);
    let exponent = b.and(exponent, mask);
    let zeros = less_bias(b, exponent, BIAS);
    zeros_or(b, x, zeros, dtype)
}

fn less_bias(b: &mut Builder, exponent: Value, bias: i128) -> Value {
    let bias = b.integer(b.dtype(exponent), bias);
    b.sub(exponent, bias)
}

/// The width where there is no one at all.
fn zeros_or(b: &mut Builder, x: Value, zeros: Value, dtype: DType) -> Value {
    let lane = b.dtype(x);
    let (none, width) = (b.constant(lane, 0), b.integer(lane, i128::from(dtype.bits())));
    let empty = b.eq(x, none);
    let zeros = b.select(empty, width, zeros);
    b.bitcast(zeros, dtype)
}

//! Integer division by a constant to shifts, or to a multiplication by its reciprocal: in f64 for 32 bits, else by a scaled reciprocal (Granlund and Montgomery, "Division by
//! invariant integers using multiplication", 1994).

use super::bits::multiply_high;
use super::convert::{u32_less_middle, whole_to_integer};
use super::divide::{Near, of_floats};
use crate::dtype::DType;
use crate::ir::{Builder, Op, Value};

/// `floor_divide`, `remainder` or `fmod` by a constant; 0 if that is 0.
pub(super) fn divide(b: &mut Builder, op: Op, x: Value, divisor: i128) -> Value {
    let dtype = b.dtype(x);
    if divisor == 0 {
        return b.constant(dtype, 0);
    }
    // Lanes of 8 bits have no shifts, and those of 16 no product of full width.
    let size = match dtype.size() {
        1 => 2,
        2 if !divisor.unsigned_abs().is_power_of_two() => 4,
        size => size,
    };
    let lane = if dtype.is_signed_int() { DType::signed(size) } else { DType::unsigned(size) };
    let x = b.cast(x, lane);
    let by_reciprocal = |b: &mut Builder| match dtype.is_signed_int() {
        true => signed(b, op, x, divisor, dtype.bits()),
        false => unsigned(b, op, x, divisor.unsigned_abs(), dtype.bits()),
    };
    // A product of 64 by 64 bits costs more than a float quotient.
    if size == 8 && !divisor.unsigned_abs().is_power_of_two() && divisor.unsigned_abs() < 1 << 51 {
        let (near, divisor) = (Near::new(b, x), b.f64(divisor as f64));
        let result = of_floats(b, op, near.float, divisor);
        let result = near.integer(b, result);
        return Near::unless(b, near.outside, result, by_reciprocal);
    }
    let result = by_reciprocal(b);
    b.cast(result, dtype)
}

/// `x` has at most `bits` bits.
fn unsigned(b: &mut Builder, op: Op, x: Value, divisor: u128, bits: u32) -> Value {
    let (quotient, rest) = if divisor.is_power_of_two() {
        by_power_of_two(b, x, divisor)
    } else {
        let quotient = if bits == 32 { floor_by_float(b, x, divisor) } else { quotient(b, x, divisor, bits, bits) };
        (quotient, rest_of(b, x, quotient, divisor))
    };
    if op == Op::FloorDivide { quotient } else { rest }
}

fn signed(b: &mut Builder, op: Op, x: Value, divisor: i128, bits: u32) -> Value {
    let lane = b.dtype(x);
    let (size, zero) = (divisor.unsigned_abs(), b.constant(lane, 0));
    let (floor, rest) = if size.is_power_of_two() {
        by_power_of_two(b, x, size)
    } else if bits == 32 {
        let floor = floor_by_float(b, x, size);
        (floor, rest_of(b, x, floor, size))
    } else {
        // The floor for a negative x is the complement of that for its complement.
        let unsigned = DType::unsigned(lane.size());
        let count = b.integer(lane, i128::from(lane.bits()) - 1);
        let sign = b.shr(x, count);
        let positive = b.xor(x, sign);
        let positive = b.bitcast(positive, unsigned);
        let quotient = quotient(b, positive, size, bits, bits - 1);
        let quotient = b.bitcast(quotient, lane);
        let floor = b.xor(quotient, sign);
        (floor, rest_of(b, x, floor, size))
    };
    let size = b.integer(lane, size as i128);
    match op {
        Op::FloorDivide if divisor > 0 => floor,
        Op::Remainder if divisor > 0 => rest,
        Op::FloorDivide => {
            // -floor where nothing is left, else -floor - 1, which is the complement.
            let (below, exact) = (b.not(floor), b.eq(rest, zero));
            let one = b.integer(lane, 1);
            let surplus = b.select(exact, one, zero);
            b.add(below, surplus)
        }
        Op::Remainder => {
            let (exact, less) = (b.eq(rest, zero), b.sub(rest, size));
            b.select(exact, zero, less)
        }
        _ => {
            let (negative, inexact) = (b.lt(x, zero), b.ne(rest, zero));
            let adjusted = b.and(negative, inexact);
            let less = b.sub(rest, size);
            b.select(adjusted, less, rest)
        }
    }
}

/// Floor and rest, also of negative values.
fn by_power_of_two(b: &mut Builder, x: Value, divisor: u128) -> (Value, Value) {
    let lane = b.dtype(x);
    let mask = b.integer(lane, divisor as i128 - 1);
    let rest = b.and(x, mask);
    if divisor == 1 {
        return (x, rest);
    }
    let count = b.integer(lane, i128::from(divisor.trailing_zeros()));
    (b.shr(x, count), rest)
}

fn rest_of(b: &mut Builder, x: Value, quotient: Value, divisor: u128) -> Value {
    let divisor = b.integer(b.dtype(x), divisor as i128);
    let product = b.mul(quotient, divisor);
    b.sub(x, product)
}

/// The floor of a 32-bit quotient. (x + 0.5) / divisor lies 0.5 / divisor or more from all integers, much more than two roundings of
/// 33 bits in f64 err by.
fn floor_by_float(b: &mut Builder, x: Value, divisor: u128) -> Value {
    let dtype = b.dtype(x);
    let (float, half) =
        if dtype == DType::I32 { (b.cast(x, DType::F64), 0.5) } else { (u32_less_middle(b, x), 2_147_483_648.5) };
    let (half, reciprocal) = (b.f64(half), b.f64(1.0 / divisor as f64));
    let float = b.add(float, half);
    let quotient = b.mul(float, reciprocal);
    let floor = b.floor(quotient);
    whole_to_integer(b, floor, dtype)
}

/// The quotient of an unsigned value below 2^`precision` by a divisor that is no power of two, both of dtypes of `bits` bits.
fn quotient(b: &mut Builder, x: Value, divisor: u128, bits: u32, precision: u32) -> Value {
    let shifted = |b: &mut Builder, x: Value, count: u32| {
        let count = b.integer(b.dtype(x), i128::from(count));
        b.shr(x, count)
    };
    let (surplus, shift) = reciprocal(divisor, bits, precision);
    if let Reciprocal::Fits(multiplier) = surplus {
        return scaled(b, x, multiplier, bits, shift);
    }
    let zeros = divisor.trailing_zeros();
    if zeros > 0
        && let (Reciprocal::Fits(multiplier), shift) = reciprocal(divisor >> zeros, bits, precision - zeros)
    {
        let x = shifted(b, x, zeros);
        return scaled(b, x, multiplier, bits, shift);
    }
    // x times 2^bits and more: (x - high) / 2 + high is (x + high) / 2, without its overflow.
    let Reciprocal::Exceeds(surplus) = surplus else { panic!("a reciprocal fits or exceeds") };
    let high = scaled(b, x, surplus, bits, 0);
    let difference = b.sub(x, high);
    let half = shifted(b, difference, 1);
    let sum = b.add(half, high);
    shifted(b, sum, shift - 1)
}

/// `x * multiplier >> (bits + shift)`, of a multiplier below 2^bits.
fn scaled(b: &mut Builder, x: Value, multiplier: u64, bits: u32, shift: u32) -> Value {
    let lane = b.dtype(x);
    if bits == 64 {
        let multiplier = b.element(multiplier);
        let high = multiply_high(b, x, multiplier);
        let shift = b.integer(lane, i128::from(shift));
        return b.shr(high, shift);
    }
    let (multiplier, shift) = (b.integer(lane, i128::from(multiplier)), b.integer(lane, i128::from(bits + shift)));
    let product = b.mul(x, multiplier);
    b.shr(product, shift)
}

/// A multiplier that stands for a divisor's reciprocal.
enum Reciprocal {
    Fits(u64),
    /// It has one bit more than the dtype; this is what it exceeds 2^bits by.
    Exceeds(u64),
}

/// The multiplier m with the least shift s for which `x * m >> (bits + s)` is x / divisor for all x below 2^precision.
fn reciprocal(divisor: u128, bits: u32, precision: u32) -> (Reciprocal, u32) {
    let mut shift = u128::BITS - (divisor - 1).leading_zeros();
    // Both are less 2^bits, so that they fit: 2^bits * (2^shift - divisor) is below 2^127.
    let scaled = ((1_u128 << shift) - divisor) << bits;
    let slack = 1_u128 << (bits + shift - precision);
    let (mut low, mut high) = (scaled / divisor, (scaled + slack) / divisor);
    let carry = 1_u128 << bits;
    if shift == 0 || (low + carry) / 2 >= (high + carry) / 2 {
        return (Reciprocal::Exceeds(high as u64), shift);
    }
    (low, high) = ((low + carry) / 2, (high + carry) / 2);
    shift -= 1;
    while shift > 0 && low / 2 < high / 2 {
        (low, high) = (low / 2, high / 2);
        shift -= 1;
    }
    (Reciprocal::Fits(high as u64), shift)
}

//! What each op means for one element: bits of the operands to bits of the result.

use super::Op;
use crate::dtype::{DType, Element};

/// The result of `op` on operands of `dtype` (the chosen ones, for `select`), as bits; bits are zero-extended.
///
/// # Panics
/// For an op that `math` defines, and for a dtype that the op does not take.
pub(crate) fn apply(op: Op, dtype: DType, operands: &[u64]) -> u64 {
    match dtype {
        _ if op == Op::Select => operands[if operands[0] != 0 { 1 } else { 2 }],
        DType::Bool => bits::<u8>(op, operands) & 1,
        DType::I8 => int::<i8>(op, operands),
        DType::I16 => int::<i16>(op, operands),
        DType::I32 => int::<i32>(op, operands),
        DType::I64 => int::<i64>(op, operands),
        DType::U8 => int::<u8>(op, operands),
        DType::U16 => int::<u16>(op, operands),
        DType::U32 => int::<u32>(op, operands),
        DType::U64 => int::<u64>(op, operands),
        DType::F32 => float::<f32>(op, operands),
        DType::F64 => float::<f64>(op, operands),
    }
}

/// The bits of the value converted from one dtype to another: integers wrap, floats round to nearest even,
/// floats to integers truncate and saturate with NaN as 0, anything nonzero (NaN too) is true.
pub(crate) fn cast(bits: u64, from: DType, to: DType) -> u64 {
    match from {
        DType::F32 => cast_float(f64::from(f32::from_bits64(bits)), to),
        DType::F64 => cast_float(f64::from_bits64(bits), to),
        _ => cast_int(to_int(bits, from), to),
    }
}

/// The bits read as another dtype of the size: any but 0 is true.
pub(crate) fn bitcast(bits: u64, to: DType) -> u64 {
    if to == DType::Bool { u64::from(bits != 0) } else { bits }
}

/// The value of an integer or bool from its bits.
pub(crate) fn to_int(bits: u64, dtype: DType) -> i128 {
    let width = dtype.bits();
    if dtype.is_signed_int() { i128::from(((bits << (64 - width)) as i64) >> (64 - width)) } else { i128::from(bits) }
}

fn cast_int(value: i128, to: DType) -> u64 {
    match to {
        DType::Bool => u64::from(value != 0),
        DType::F32 => (value as f32).to_bits64(),
        DType::F64 => (value as f64).to_bits64(),
        _ => value as u64 & (u64::MAX >> (64 - to.bits())),
    }
}

/// `f32` to `f64` is exact, so one source dtype is enough; Rust's `as` saturates.
fn cast_float(value: f64, to: DType) -> u64 {
    match to {
        DType::Bool => u64::from(value != 0.0),
        DType::I8 => (value as i8).to_bits64(),
        DType::I16 => (value as i16).to_bits64(),
        DType::I32 => (value as i32).to_bits64(),
        DType::I64 => (value as i64).to_bits64(),
        DType::U8 => (value as u8).to_bits64(),
        DType::U16 => (value as u16).to_bits64(),
        DType::U32 => (value as u32).to_bits64(),
        DType::U64 => (value as u64).to_bits64(),
        DType::F32 => (value as f32).to_bits64(),
        DType::F64 => value.to_bits64(),
    }
}

/// What Rust's integers share; each method is the inherent one of that name unless said otherwise.
trait Int:
    Element
    + Ord
    + std::ops::BitAnd<Output = Self>
    + std::ops::BitOr<Output = Self>
    + std::ops::BitXor<Output = Self>
    + std::ops::Not<Output = Self>
{
    fn wrapping_add(self, other: Self) -> Self;
    fn wrapping_sub(self, other: Self) -> Self;
    fn wrapping_mul(self, other: Self) -> Self;
    fn wrapping_neg(self) -> Self;
    fn wrapping_abs(self) -> Self;
    fn wrapping_div(self, other: Self) -> Self;
    fn wrapping_rem(self, other: Self) -> Self;
    fn wrapping_pow(self, exponent: Self) -> Self;
    fn shl(self, count: Self) -> Self;
    fn shr(self, count: Self) -> Self;
    fn rotate_left(self, count: Self) -> Self;
    fn count_ones(self) -> u32;
    fn leading_zeros(self) -> u32;
    fn trailing_zeros(self) -> u32;
    fn is_negative(self) -> bool;
    fn of(small: u32) -> Self;
}

macro_rules! ints {
    ($($int:ident: $abs:expr, $negative:expr;)+) => { $(
        impl Int for $int {
            fn wrapping_add(self, other: Self) -> Self { self.wrapping_add(other) }
            fn wrapping_sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            fn wrapping_mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            fn wrapping_neg(self) -> Self { self.wrapping_neg() }
            fn wrapping_abs(self) -> Self { $abs(self) }
            fn wrapping_div(self, other: Self) -> Self { self.wrapping_div(other) }
            fn wrapping_rem(self, other: Self) -> Self { self.wrapping_rem(other) }
            /// A negative exponent is the whole part of the true power: 0 but for bases 1 and -1.
            fn wrapping_pow(self, exponent: Self) -> Self {
                if $negative(exponent) {
                    let odd = exponent & 1 != 0;
                    return if self == 1 { 1 } else if $negative(self) && self.wrapping_add(1) == 0 {
                        if odd { self } else { 1 }
                    } else { 0 };
                }
                let (mut result, mut square, mut left): (Self, Self, Self) = (1, self, exponent);
                while left != 0 {
                    if left & 1 != 0 { result = result.wrapping_mul(square); }
                    square = square.wrapping_mul(square);
                    left >>= 1;
                }
                result
            }
            fn shl(self, count: Self) -> Self {
                u32::try_from(count).ok().and_then(|count| self.checked_shl(count)).unwrap_or(0)
            }
            fn shr(self, count: Self) -> Self {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                self.checked_shr(count).unwrap_or(if $negative(self) { (0 as Self).wrapping_sub(1) } else { 0 })
            }
            fn rotate_left(self, count: Self) -> Self { self.rotate_left(count as u32 & (Self::BITS - 1)) }
            fn count_ones(self) -> u32 { self.count_ones() }
            fn leading_zeros(self) -> u32 { self.leading_zeros() }
            fn trailing_zeros(self) -> u32 { self.trailing_zeros() }
            fn is_negative(self) -> bool { $negative(self) }
            fn of(small: u32) -> Self { small as Self }
        }
    )+ };
}

ints! {
    i8: i8::wrapping_abs, i8::is_negative;
    i16: i16::wrapping_abs, i16::is_negative;
    i32: i32::wrapping_abs, i32::is_negative;
    i64: i64::wrapping_abs, i64::is_negative;
    u8: std::convert::identity, |_| false;
    u16: std::convert::identity, |_| false;
    u32: std::convert::identity, |_| false;
    u64: std::convert::identity, |_| false;
}

fn int<T: Int>(op: Op, operands: &[u64]) -> u64 {
    let x = |i: usize| T::from_bits64(operands[i]);
    let (zero, one) = (T::of(0), T::of(1));
    let value = match op {
        Op::Add => x(0).wrapping_add(x(1)),
        Op::Sub => x(0).wrapping_sub(x(1)),
        Op::Mul => x(0).wrapping_mul(x(1)),
        Op::Neg => x(0).wrapping_neg(),
        Op::Abs => x(0).wrapping_abs(),
        Op::Minimum | Op::Lesser => x(0).min(x(1)),
        Op::Maximum | Op::Greater => x(0).max(x(1)),
        Op::FloorDivide | Op::Remainder | Op::Fmod if x(1) == zero => zero,
        Op::FloorDivide => {
            let (quotient, rest) = (x(0).wrapping_div(x(1)), x(0).wrapping_rem(x(1)));
            let below = rest != zero && rest.is_negative() != x(1).is_negative();
            if below { quotient.wrapping_sub(one) } else { quotient }
        }
        Op::Remainder => {
            let rest = x(0).wrapping_rem(x(1));
            let below = rest != zero && rest.is_negative() != x(1).is_negative();
            if below { rest.wrapping_add(x(1)) } else { rest }
        }
        Op::Fmod => x(0).wrapping_rem(x(1)),
        Op::Power => x(0).wrapping_pow(x(1)),
        Op::And | Op::Or | Op::Xor | Op::Not => return bits::<T>(op, operands),
        Op::Shl => x(0).shl(x(1)),
        Op::Shr => x(0).shr(x(1)),
        Op::Popcount => T::of(x(0).count_ones()),
        Op::Clz => T::of(x(0).leading_zeros()),
        Op::Ctz => T::of(x(0).trailing_zeros()),
        Op::Rotl => x(0).rotate_left(x(1)),
        Op::Rotr => x(0).rotate_left(x(1).wrapping_neg()),
        Op::Eq => return u64::from(x(0) == x(1)),
        Op::Ne => return u64::from(x(0) != x(1)),
        Op::Lt => return u64::from(x(0) < x(1)),
        Op::Le => return u64::from(x(0) <= x(1)),
        Op::Gt => return u64::from(x(0) > x(1)),
        Op::Ge => return u64::from(x(0) >= x(1)),
        _ => panic!("{} takes no integers", op.name()),
    };
    value.to_bits64()
}

fn bits<T: Int>(op: Op, operands: &[u64]) -> u64 {
    let x = |i: usize| T::from_bits64(operands[i]);
    let value = match op {
        Op::And => x(0) & x(1),
        Op::Or => x(0) | x(1),
        Op::Xor => x(0) ^ x(1),
        Op::Not => !x(0),
        _ => panic!("{} takes no bools", op.name()),
    };
    value.to_bits64()
}

/// What `f32` and `f64` share; each method is the inherent one of that name.
trait Float:
    Element
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Rem<Output = Self>
    + std::ops::Neg<Output = Self>
{
    const HALF: Self;
    const ONE: Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    fn round_ties_even(self) -> Self;
    fn round(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    fn is_nan(self) -> bool;
    fn is_sign_negative(self) -> bool;
}

macro_rules! floats {
    ($($float:ident)+) => { $(
        impl Float for $float {
            const HALF: Self = 0.5;
            const ONE: Self = 1.0;
            fn abs(self) -> Self { self.abs() }
            fn sqrt(self) -> Self { self.sqrt() }
            fn mul_add(self, b: Self, c: Self) -> Self { self.mul_add(b, c) }
            fn floor(self) -> Self { self.floor() }
            fn ceil(self) -> Self { self.ceil() }
            fn trunc(self) -> Self { self.trunc() }
            fn round_ties_even(self) -> Self { self.round_ties_even() }
            fn round(self) -> Self { self.round() }
            fn copysign(self, sign: Self) -> Self { self.copysign(sign) }
            fn is_nan(self) -> bool { self.is_nan() }
            fn is_sign_negative(self) -> bool { self.is_sign_negative() }
        }
    )+ };
}

floats!(f32 f64);

fn float<T: Float>(op: Op, operands: &[u64]) -> u64 {
    let x = |i: usize| T::from_bits64(operands[i]);
    let value = match op {
        Op::Add => x(0) + x(1),
        Op::Sub => x(0) - x(1),
        Op::Mul => x(0) * x(1),
        Op::Div => x(0) / x(1),
        Op::Neg => -x(0),
        Op::Abs => x(0).abs(),
        Op::Sqrt => x(0).sqrt(),
        Op::Fma => x(0).mul_add(x(1), x(2)),
        Op::Floor => x(0).floor(),
        Op::Ceil => x(0).ceil(),
        Op::Trunc => x(0).trunc(),
        Op::Round => x(0).round_ties_even(),
        Op::RoundAway => x(0).round(),
        Op::Minimum => minimum(x(0), x(1)),
        Op::Maximum => -minimum(-x(0), -x(1)),
        Op::Fmin => ignore_nan(x(0), x(1), minimum(x(0), x(1))),
        Op::Fmax => ignore_nan(x(0), x(1), -minimum(-x(0), -x(1))),
        Op::Lesser => {
            if x(0) < x(1) {
                x(0)
            } else {
                x(1)
            }
        }
        Op::Greater => {
            if x(0) > x(1) {
                x(0)
            } else {
                x(1)
            }
        }
        Op::Copysign => {
            if x(1).is_nan() {
                x(0).abs()
            } else {
                x(0).copysign(x(1))
            }
        }
        Op::FloorDivide => floor_divide(x(0), x(1)),
        Op::Remainder => remainder(x(0), x(1)),
        Op::Fmod => x(0) % x(1),
        Op::Eq => return u64::from(x(0) == x(1)),
        Op::Ne => return u64::from(x(0) != x(1)),
        Op::Lt => return u64::from(x(0) < x(1)),
        Op::Le => return u64::from(x(0) <= x(1)),
        Op::Gt => return u64::from(x(0) > x(1)),
        Op::Ge => return u64::from(x(0) >= x(1)),
        Op::Signbit => return u64::from(x(0).is_sign_negative() && !x(0).is_nan()),
        _ => panic!("{} takes no floats here", op.name()),
    };
    value.to_bits64()
}

/// IEEE 754-2019 `minimum`.
fn minimum<T: Float>(a: T, b: T) -> T {
    if a.is_nan() || (a == b && a.is_sign_negative()) || a < b { a } else { b }
}

fn ignore_nan<T: Float>(a: T, b: T, of_both: T) -> T {
    if a.is_nan() {
        b
    } else if b.is_nan() {
        a
    } else {
        of_both
    }
}

/// Python's `%`: the sign of the divisor, of a zero too.
fn remainder<T: Float>(a: T, b: T) -> T {
    let (zero, rest) = (T::default(), a % b);
    if rest == zero {
        zero.copysign(b)
    } else if (rest < zero) != (b < zero) {
        rest + b
    } else {
        rest
    }
}

/// Python's `//`, as NumPy rounds it.
fn floor_divide<T: Float>(a: T, b: T) -> T {
    let zero = T::default();
    if b == zero {
        return a / b;
    }
    let rest = a % b;
    let below = rest != zero && (rest < zero) != (b < zero);
    let exact = (a - rest) / b;
    let quotient = if below { exact - T::ONE } else { exact };
    if quotient == zero {
        return zero.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > T::HALF { floor + T::ONE } else { floor }
}

//! Pieces that the functions share: polynomials, sums and products without error, exponents and their bits.

use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// A value as an unevaluated sum; `low` is at most about an ulp of `high`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Double {
    pub(super) high: Value,
    pub(super) low: Value,
}

/// Added to a float below 2^51 in magnitude it rounds to an integer, which the low bits of the sum then hold.
pub(super) const ROUNDER: f64 = 6755399441055744.0;

pub(super) const SIGN: u64 = 1 << 63;

/// What the float nearest to pi/2 lacks.
pub(super) const HALF_PI_LOW: f64 = 6.123233995736766e-17;

/// The sum without error, for `|x| >= |y|` or `x == 0`.
pub(super) fn ordered_sum(b: &mut Builder, x: Value, y: Value) -> Double {
    let high = b.add(x, y);
    let back = b.sub(x, high);
    Double { high, low: b.add(back, y) }
}

/// The sum without error.
pub(super) fn exact_sum(b: &mut Builder, x: Value, y: Value) -> Double {
    let high = b.add(x, y);
    let of_y = b.sub(high, x);
    let of_x = b.sub(high, of_y);
    let (left_x, left_y) = (b.sub(x, of_x), b.sub(y, of_y));
    Double { high, low: b.add(left_x, left_y) }
}

/// The product without error, unless it overflows or its low part falls below the least subnormal.
pub(super) fn exact_product(b: &mut Builder, x: Value, y: Value) -> Double {
    let high = b.mul(x, y);
    let minus = b.neg(high);
    Double { high, low: b.fma(x, y, minus) }
}

/// x y + z without error if neither term is much larger than the sum, and `z` the larger one.
pub(super) fn sum_of_product(b: &mut Builder, x: Value, y: Value, z: Value) -> Double {
    let high = b.fma(x, y, z);
    let left = b.sub(z, high);
    Double { high, low: b.fma(x, y, left) }
}

/// x / y, with an error hardly above half an ulp; y must have an inverse in the normal numbers.
pub(super) fn quotient(b: &mut Builder, x: Double, y: Double) -> Value {
    let one = b.f64(1.0);
    let inverse = b.div(one, y.high);
    let quotient = b.mul(x.high, inverse);
    let minus = b.neg(quotient);
    let left = b.fma(minus, y.high, x.high);
    let left = b.add(left, x.low);
    let left = b.fma(minus, y.low, left);
    b.fma(left, inverse, quotient)
}

/// `coefficients[0] + coefficients[1]*x + ...`; `square` is `x*x`. Even and odd powers are summed apart: as many
/// operations as one chain, half as long.
pub(super) fn polynomial(b: &mut Builder, x: Value, square: Value, coefficients: &[f64]) -> Value {
    let mut chain = |first: usize| {
        let mut terms = coefficients.iter().skip(first).step_by(2).rev();
        let mut sum = b.f64(*terms.next().expect("a polynomial has two coefficients"));
        for coefficient in terms {
            let coefficient = b.f64(*coefficient);
            sum = b.fma(sum, square, coefficient);
        }
        sum
    };
    let (even, odd) = (chain(0), chain(1));
    b.fma(odd, x, even)
}

/// The same in one chain, for few coefficients; of either float.
pub(super) fn horner<C: Copy + Into<f64>>(b: &mut Builder, x: Value, coefficients: &[C]) -> Value {
    let dtype = b.dtype(x);
    let (last, rest) = coefficients.split_last().expect("a polynomial has a coefficient");
    let mut sum = b.float(dtype, (*last).into());
    for coefficient in rest.iter().rev() {
        let coefficient = b.float(dtype, (*coefficient).into());
        sum = b.fma(sum, x, coefficient);
    }
    sum
}

/// The bits of a float as an integer without sign.
pub(super) fn bits(b: &mut Builder, x: Value) -> Value {
    let size = b.dtype(x).size();
    b.bitcast(x, DType::unsigned(size))
}

/// The float with these bits.
pub(super) fn float(b: &mut Builder, bits: Value) -> Value {
    let to = if b.dtype(bits).size() == 4 { DType::F32 } else { DType::F64 };
    b.bitcast(bits, to)
}

pub(super) fn shift_left(b: &mut Builder, bits: Value, count: u64) -> Value {
    let count = b.constant(b.dtype(bits), count);
    b.shl(bits, count)
}

/// 2^n for n + the float's bias in the low bits, if it is normal.
pub(super) fn binade(b: &mut Builder, biased: Value) -> Value {
    let power = shift_left(b, biased, if b.dtype(biased).size() == 4 { 23 } else { 52 });
    float(b, power)
}

/// `x`, negative if `sign` is: some sums lose the sign of a zero. Of either float.
pub(super) fn with_sign_of(b: &mut Builder, x: Value, sign: Value) -> Value {
    let unsigned = DType::unsigned(b.dtype(x).size());
    let mask = b.constant(unsigned, 1 << (unsigned.bits() - 1));
    let sign = bits(b, sign);
    let sign = b.and(sign, mask);
    let x = bits(b, x);
    let x = b.or(x, sign);
    float(b, x)
}

/// 1 / x to within 6 % for a positive normal `x` below 2^1022, by its bits; a great finite number for 0.
pub(super) fn rough_reciprocal(b: &mut Builder, x: Value) -> Value {
    let both = b.element(0x7fde_623f_d622_dcf0_u64);
    let x = bits(b, x);
    let inverse = b.sub(both, x);
    float(b, inverse)
}

/// Whether the signed integer `x`, counted on from `least` and round, comes behind `greatest`.
pub(super) fn is_outside(b: &mut Builder, x: Value, least: u64, greatest: u64) -> Value {
    let dtype = b.dtype(x);
    let lowest = -1_i128 << (dtype.bits() - 1);
    // `least` becomes the least integer, so that one comparison does.
    let moved = b.integer(dtype, lowest - i128::from(least));
    let x = b.add(x, moved);
    let greatest = b.integer(dtype, lowest + i128::from(greatest - least));
    b.gt(x, greatest)
}

/// Whether `x`, of either float, is subnormal, 0, negative, infinite or NaN.
pub(super) fn is_no_positive_normal(b: &mut Builder, x: Value) -> Value {
    let (least, greatest, integers) = match b.dtype(x) {
        DType::F32 => (f32::MIN_POSITIVE.to_bits().into(), f32::MAX.to_bits().into(), DType::I32),
        _ => (f64::MIN_POSITIVE.to_bits(), f64::MAX.to_bits(), DType::I64),
    };
    let x = b.bitcast(x, integers);
    is_outside(b, x, least, greatest)
}

/// What `f` makes of f32 in f64.
pub(super) fn widened(b: &mut Builder, x: Value, f: impl FnOnce(&mut Builder, Value) -> Value) -> Value {
    let wide = b.cast(x, DType::F64);
    let result = f(b, wide);
    b.cast(result, DType::F32)
}

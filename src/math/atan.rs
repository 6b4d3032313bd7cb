//! `atan`, `atan2`: an odd polynomial of q = |x|, of (|x| - 1) / (|x| + 1) and pi/4 more, or of -1 / |x| and pi/2 more.
//!
//! No branch, and one division for the three. Its error is no less than half an ulp of q, but weighs little: q is at
//! most a half of the result wherever it is rounded. f32 does without the middle. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 atan 0.88 ulp, where |x| is just above 0.55 (10^7 inputs), atan2 0.84 (10^6);
//! f32 0.55 and 0.52 (10^6).

use std::f64::consts;

use super::double::{
    HALF_PI_LOW, SIGN, bits, float, is_outside, ordered_sum, polynomial, rough_reciprocal, widened, with_sign_of,
};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// What the floats nearest to pi/2 and pi/4 lack, of them.
const PI_LOW: f64 = HALF_PI_LOW / consts::FRAC_PI_2;

/// Up to here the polynomial takes |x| itself. The arc tangent is above 1/2 there.
const NEAR: f64 = 0.55;

/// (atan q - q) / q^3 in powers of q^2 up to [`NEAR`], to 2^-58.5 of the arc tangent.
const ATAN: [f64; 13] = [
    -0.3333333333333313,
    0.19999999999947488,
    -0.14285714280901834,
    0.11111110887851723,
    -0.09090902951819939,
    0.0769219861504415,
    -0.06665348280663869,
    0.058711740130592036,
    -0.05195547319101538,
    0.04468612863316503,
    -0.03438565672955705,
    0.020053228605219336,
    -0.006264096023091147,
];

/// The same up to 1, to 2^-28.3.
const ATAN_F32: [f64; 9] = [
    -0.333332938133394,
    0.19998389658416788,
    -0.14262566377307775,
    0.10943508662649135,
    -0.08378379376052815,
    0.05753317460859285,
    -0.030759495000767842,
    0.010692287549445666,
    -0.0017443929557476596,
];

pub(super) fn atan(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, atan_of_f32),
        _ => atan_of_f64(b, x),
    }
}

fn atan_of_f64(b: &mut Builder, x: Value) -> Value {
    let (zero, one, minus_one, two) = (b.f64(0.0), b.f64(1.0), b.f64(-1.0), b.f64(2.0));
    let (near, half_pi, quarter_pi) = (b.f64(NEAR), b.f64(consts::FRAC_PI_2), b.f64(consts::FRAC_PI_4));
    let magnitude = b.abs(x);
    let (is_middle, is_large) = (b.gt(magnitude, near), b.gt(magnitude, two));
    // Exact in the middle, between 1/2 and 2.
    let (above, below) = (b.sub(magnitude, one), b.add(magnitude, one));
    let mut choose = |small: Value, middle: Value, large: Value| {
        let chosen = b.select(is_middle, middle, small);
        b.select(is_large, large, chosen)
    };
    let above = choose(magnitude, above, minus_one);
    let below = choose(one, below, magnitude);
    let start = choose(zero, quarter_pi, half_pi);
    let q = b.div(above, below);
    let sum = ordered_sum(b, start, q);
    let start_low = b.f64(PI_LOW);
    let low = b.fma(start, start_low, sum.low);
    let square = b.mul(q, q);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &ATAN);
    let cube = b.mul(square, q);
    let low = b.fma(cube, rest, low);
    let result = b.add(sum.high, low);
    with_sign_of(b, result, x)
}

fn atan_of_f32(b: &mut Builder, x: Value) -> Value {
    let (zero, one, minus_one) = (b.f64(0.0), b.f64(1.0), b.f64(-1.0));
    let magnitude = b.abs(x);
    let is_large = b.gt(magnitude, one);
    let inverse = b.div(minus_one, magnitude);
    let q = b.select(is_large, inverse, magnitude);
    let half_pi = b.f64(consts::FRAC_PI_2);
    let start = b.select(is_large, half_pi, zero);
    let (square, sum) = (b.mul(q, q), b.add(start, q));
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &ATAN_F32);
    let cube = b.mul(square, q);
    let result = b.fma(cube, rest, sum);
    with_sign_of(b, result, x)
}

/// [`ATAN`], to 2^-30.0.
const ATAN_NEAR_F32: [f64; 6] = [
    -0.3333331461120425,
    0.1999879211369589,
    -0.14259285497423332,
    0.1083909236513285,
    -0.07617228671861768,
    0.0338266760543998,
];

/// Between these powers of two a quotient by `below` has no trouble but its own underflow.
const SAFE: i32 = 1000;

/// The angle of the point (x, y): with t = |y| / |x| or its inverse, whichever is at most 1, or with (t - 1) / (t + 1), it is a
/// multiple of pi/4 and the arc tangent of that, more or less.
pub(super) fn atan2(b: &mut Builder, y: Value, x: Value) -> Value {
    let dtype = b.dtype(x);
    let (y, x) = (b.cast(y, DType::F64), b.cast(x, DType::F64));
    let (y_magnitude, x_magnitude) = (b.abs(y), b.abs(x));
    let is_steep = b.gt(y_magnitude, x_magnitude);
    let above = b.select(is_steep, x_magnitude, y_magnitude);
    let below = b.select(is_steep, y_magnitude, x_magnitude);
    let (above, below) = in_range(b, above, below, dtype);

    let (zero, one, two, four, near) = (b.f64(0.0), b.f64(1.0), b.f64(2.0), b.f64(4.0), b.f64(NEAR));
    let limit = b.mul(near, below);
    let is_middle = b.gt(above, limit);
    let (difference, sum) = (b.sub(above, below), b.add(above, below));
    let above = b.select(is_middle, difference, above);
    let below = b.select(is_middle, sum, below);
    // How many pi/4, and whether the angle is less by that of the quotient.
    let eighths = b.select(is_middle, one, zero);
    let mirrored = b.sub(two, eighths);
    let eighths = b.select(is_steep, mirrored, eighths);
    let (x_bits, none) = (b.bitcast(x, DType::I64), b.i64(0));
    let is_left = b.lt(x_bits, none);
    let mirrored = b.sub(four, eighths);
    let eighths = b.select(is_left, mirrored, eighths);
    let is_less = b.xor(is_steep, is_left);
    let opposite = b.neg(above);
    let above = b.select(is_less, opposite, above);

    let q = b.div(above, below);
    let result = match dtype {
        DType::F32 => {
            let (quarter_pi, square) = (b.f64(consts::FRAC_PI_4), b.mul(q, q));
            let start = b.mul(eighths, quarter_pi);
            let fourth = b.mul(square, square);
            let rest = polynomial(b, square, fourth, &ATAN_NEAR_F32);
            let (cube, sum) = (b.mul(square, q), b.add(start, q));
            b.fma(cube, rest, sum)
        }
        _ => {
            let minus = b.neg(q);
            let left = b.fma(minus, below, above);
            let share = rough_reciprocal(b, below);
            sum_of_angles(b, eighths, q, left, share)
        }
    };
    let (mask, sign, result) = (b.element(SIGN), bits(b, y), bits(b, result));
    let sign = b.and(sign, mask);
    let result = b.or(result, sign);
    let result = float(b, result);
    b.cast(result, dtype)
}

/// pi/4 * `eighths` + atan(q + left * share)
fn sum_of_angles(b: &mut Builder, eighths: Value, q: Value, left: Value, share: Value) -> Value {
    let (quarter_pi, minus_quarter_pi) = (b.f64(consts::FRAC_PI_4), b.f64(-consts::FRAC_PI_4));
    let start = b.mul(eighths, quarter_pi);
    let minus_low = b.fma(eighths, minus_quarter_pi, start);
    let quarter_pi_low = b.f64(HALF_PI_LOW / 2.0);
    let start_low = b.mul(eighths, quarter_pi_low);
    let start_low = b.sub(start_low, minus_low);
    let sum = ordered_sum(b, start, q);
    let low = b.add(sum.low, start_low);
    let low = b.fma(left, share, low);
    let square = b.mul(q, q);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &ATAN);
    let cube = b.mul(square, q);
    let low = b.fma(cube, rest, low);
    b.add(sum.high, low)
}

/// The two with their quotient, at most 1, but far from the ends of f64: 0 / 0 as 0, of infinities as of ones.
fn in_range(b: &mut Builder, above: Value, below: Value, dtype: DType) -> (Value, Value) {
    let (least, greatest) = match dtype {
        DType::F32 => (f64::MIN_POSITIVE, f64::from(f32::MAX)),
        _ => (f64::from(-SAFE).exp2(), f64::from(SAFE).exp2()),
    };
    let as_integer = b.bitcast(below, DType::I64);
    let is_extreme = is_outside(b, as_integer, least.to_bits(), greatest.to_bits());
    let parts = b.when(is_extreme, &[above, below], |b| {
        let (zero, one, infinity) = (b.f64(0.0), b.f64(1.0), b.f64(f64::INFINITY));
        let (up, down) = (b.f64(f64::from(600).exp2()), b.f64(f64::from(-600).exp2()));
        let is_large = b.gt(below, one);
        let scale = b.select(is_large, down, up);
        let (above_scaled, below_scaled) = (b.mul(above, scale), b.mul(below, scale));
        let (is_infinite, both) = (b.eq(below, infinity), b.eq(above, infinity));
        let nothing = b.mul(above, zero);
        let above = b.select(is_infinite, nothing, above_scaled);
        let above = b.select(both, one, above);
        let is_zero = b.eq(below, zero);
        let is_end = b.or(is_infinite, is_zero);
        vec![above, b.select(is_end, one, below_scaled)]
    });
    (parts[0], parts[1])
}

//! `atan`: an odd polynomial of q = |x|, of (|x| - 1) / (|x| + 1) and pi/4 more, or of -1 / |x| and pi/2 more.
//!
//! No branch, and one division for the three. Its error is no less than half an ulp of q, but weighs little: q is at
//! most a half of the result wherever it is rounded. f32 does without the middle. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 0.88 ulp, where |x| is just above 0.55 (10^7 inputs); f32 0.55 (10^6).

use std::f64::consts;

use super::double::{ordered_sum, polynomial, widened, with_sign_of};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// What the floats nearest to pi/2 and pi/4 lack, of them.
const PI_LOW: f64 = 3.8981718325193755e-17;

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

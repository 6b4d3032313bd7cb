//! Functions for `Accuracy::Fast`: f32 in lanes of f32, which are twice as many as f64's, and `sin` of f64 with one polynomial.
//!
//! At most 4 ulp of error; the figures stand in `docs/ACCURACY.md`. A function is here if it takes at most a 1.3th of the time of
//! the one that it replaces. Coefficients: `scripts/coefficients.py`.

mod exp;
mod log;
mod root;
mod trig;

use crate::dtype::DType;
use crate::ir::{Builder, Value};

pub(super) use exp::{cosh, exp, exp2, exp10, expm1, sigmoid, sinh, tanh};
pub(super) use log::{log, log1p, log2, log10};
pub(super) use root::rsqrt;
pub(super) use trig::{cos, sin, tan};

/// Added to an f32 below 2^22 in magnitude it rounds to an integer, which the low bits of the sum then hold.
const ROUNDER: f32 = 12582912.0;

fn bits(b: &mut Builder, x: Value) -> Value {
    b.bitcast(x, DType::U32)
}

fn float(b: &mut Builder, bits: Value) -> Value {
    b.bitcast(bits, DType::F32)
}

fn shift_left(b: &mut Builder, bits: Value, count: u32) -> Value {
    let count = b.element(count);
    b.shl(bits, count)
}

/// `x`, negative if `sign` is.
fn with_sign_of(b: &mut Builder, x: Value, sign: Value) -> Value {
    let mask = b.element(1_u32 << 31);
    let (x, sign) = (bits(b, x), bits(b, sign));
    let sign = b.and(sign, mask);
    let x = b.or(x, sign);
    float(b, x)
}

/// `coefficients[0] + coefficients[1]*x + ...`, of f32.
fn horner(b: &mut Builder, x: Value, coefficients: &[f32]) -> Value {
    let (last, rest) = coefficients.split_last().expect("a polynomial has a coefficient");
    let mut sum = b.f32(*last);
    for coefficient in rest.iter().rev() {
        let coefficient = b.f32(*coefficient);
        sum = b.fma(sum, x, coefficient);
    }
    sum
}

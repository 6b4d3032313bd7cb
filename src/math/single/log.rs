//! `log` and its like of f32: x = 2^k m with m between sqrt(1/2) and sqrt(2), and a polynomial of m - 1.
//!
//! Greatest error of log: 0.876 ulp, at 1.2743293. Rare arguments (subnormals, 0, negatives, infinities) take the way of f64 in a region of their own.

use std::f32::consts;

use super::super::double::{bits, float, horner, is_no_positive_normal, with_sign_of};
use super::super::log as best;
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// (log(1 + f) - f) / f^2, to 2^-27.7 of log(1 + f).
const REST: [f32; 9] =
    [-0.49999988, 0.33333337, -0.250016, 0.20001237, -0.16608179, 0.14195393, -0.1326361, 0.12827516, -0.07479352];

const LN_2: (f32, f32) = (consts::LN_2, -1.9046542e-9);
const LOG10_2: (f32, f32) = (consts::LOG10_2, -1.4320989e-8);
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
const ONE_BITS: u32 = 127 << 23;

/// The exponent k as i32, and m - 1.
struct Split {
    exponent: Value,
    above: Value,
}

fn split(b: &mut Builder, x: Value) -> Split {
    let (up, width) = (b.element(ONE_BITS - SQRT_HALF_BITS), b.element(23_u32));
    let x = bits(b, x);
    let moved = b.add(x, up);
    let biased = b.shr(moved, width);
    let (mask, down) = (b.element((1_u32 << 23) - 1), b.element(SQRT_HALF_BITS));
    let mantissa = b.and(moved, mask);
    let mantissa = b.add(mantissa, down);
    let mantissa = float(b, mantissa);
    let (biased, bias, one) = (b.bitcast(biased, DType::I32), b.element(127_i32), b.f32(1.0));
    Split { exponent: b.sub(biased, bias), above: b.sub(mantissa, one) }
}

/// log(1 + f) - f, and `more`.
fn rest(b: &mut Builder, f: Value, more: Option<Value>) -> Value {
    let (sum, square) = (horner(b, f, &REST), b.mul(f, f));
    match more {
        Some(more) => b.fma(square, sum, more),
        None => b.mul(square, sum),
    }
}

/// The logarithm of (1 + `above`) 2^exponent.
fn log_of(b: &mut Builder, split: Split) -> Value {
    let exponent = b.cast(split.exponent, DType::F32);
    let (ln2, ln2_low) = (b.f32(LN_2.0), b.f32(LN_2.1));
    let low = b.mul(exponent, ln2_low);
    let low = rest(b, split.above, Some(low));
    let log = b.add(split.above, low);
    b.fma(exponent, ln2, log)
}

/// `usual`, and what `best` gives where x is no normal positive number.
fn unless_rare(b: &mut Builder, x: Value, usual: Value, best: fn(&mut Builder, Value) -> Value) -> Value {
    let is_rare = is_no_positive_normal(b, x);
    b.when(is_rare, &[usual], |b| vec![best(b, x)])[0]
}

pub(crate) fn log(b: &mut Builder, x: Value) -> Value {
    let parts = split(b, x);
    let usual = log_of(b, parts);
    unless_rare(b, x, usual, best::log_widened)
}

/// Of the mantissa alone.
fn log_of_mantissa(b: &mut Builder, above: Value) -> Value {
    let low = rest(b, above, None);
    b.add(above, low)
}

pub(crate) fn log2(b: &mut Builder, x: Value) -> Value {
    let Split { exponent, above } = split(b, x);
    let (exponent, log) = (b.cast(exponent, DType::F32), log_of_mantissa(b, above));
    let of_e = b.f32(consts::LOG2_E);
    let usual = b.fma(log, of_e, exponent);
    unless_rare(b, x, usual, best::log2)
}

pub(crate) fn log10(b: &mut Builder, x: Value) -> Value {
    let Split { exponent, above } = split(b, x);
    let (exponent, log) = (b.cast(exponent, DType::F32), log_of_mantissa(b, above));
    let (of_e, of_two, of_two_low) = (b.f32(consts::LOG10_E), b.f32(LOG10_2.0), b.f32(LOG10_2.1));
    let low = b.mul(exponent, of_two_low);
    let low = b.fma(log, of_e, low);
    let usual = b.fma(exponent, of_two, low);
    unless_rare(b, x, usual, best::log10)
}

/// What 1 + x has lost comes back with the mantissa less 1, so that of a small x nothing is lost.
pub(crate) fn log1p(b: &mut Builder, x: Value) -> Value {
    let one = b.f32(1.0);
    let sum = b.add(one, x);
    let back = b.sub(sum, one);
    let lost = b.sub(x, back);
    let Split { exponent, above } = split(b, sum);
    let (width, one_bits) = (b.element(23_i32), b.element(ONE_BITS as i32));
    let power = b.shl(exponent, width);
    let down = b.sub(one_bits, power);
    // 2^-128 would be none, but then nothing is lost.
    let zero = b.element(0_i32);
    let down = b.greater(down, zero);
    let down = b.bitcast(down, DType::F32);
    let above = b.fma(lost, down, above);
    let log = log_of(b, Split { exponent, above });
    let usual = with_sign_of(b, log, x);
    let is_rare = is_no_positive_normal(b, sum);
    b.when(is_rare, &[usual], |b| vec![best::log1p(b, x)])[0]
}

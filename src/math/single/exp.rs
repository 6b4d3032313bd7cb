//! `exp` and its like of f32: x = n step + r, a polynomial for the power of r, and 2^n put on by its bits.
//!
//! Greatest error: exp 0.892 ulp, at 5.2016387; exp2 0.879, at -126.4965. 1 + r (1 + r q(r)) is better than 1 + (r + r^2 q(r)), whose
//! last sum rounds what r has lost once more.

use std::f32::consts;

use super::super::double::{binade, bits, float, horner, shift_left, with_sign_of};
use super::super::exp::bounded;
use super::ROUNDER;
use crate::ir::{Builder, Value};

/// (e^r - 1 - r) / r^2, to 2^-28.0 of e^r.
const REST: [f32; 5] = [0.49999988, 0.16666518, 0.04166965, 0.008368947, 0.0013745326];
/// The same for where 1 is taken off.
const REST_LESS_ONE: [f32; 5] = [0.49999997, 0.16666542, 0.041667525, 0.008366675, 0.0013862413];
/// (2^r - 1) / r, to 2^-28.1 of 2^r.
const EXP2: [f32; 6] = [consts::LN_2, 0.24022645, 0.055503592, 0.009618841, 0.0013391137, 0.00015238003];
/// (10^r - 1) / r, |r| up to log10(2) / 2.
const EXP10: [f32; 5] = [2.302584, 2.6509035, 2.0348666, 1.1777815, 0.53438705];

const LN_2: (f32, f32) = (consts::LN_2, -1.9046542e-9);
const LOG10_2: (f32, f32) = (consts::LOG10_2, -1.4320989e-8);
const BIAS: f32 = 127.0;

/// n, n + `bias` in the low bits of `biased` (u32), and r.
struct Reduced {
    biased: Value,
    r: Value,
}

/// `per_step` is 1 / step.
fn reduce(b: &mut Builder, x: Value, per_step: f32, step: (f32, f32), bias: f32) -> Reduced {
    let (rounder, per_step) = (b.f32(ROUNDER + bias), b.f32(per_step));
    let biased = b.fma(x, per_step, rounder);
    let n = b.sub(biased, rounder);
    // Exact, unless n is 0.
    let (step, step_low) = (b.f32(-step.0), b.f32(-step.1));
    let r = b.fma(n, step, x);
    Reduced { biased: bits(b, biased), r: b.fma(n, step_low, r) }
}

/// 1 + r `factor`, times 2^n in two steps: the second rounds where the result is subnormal, the first never.
fn scaled(b: &mut Builder, r: Value, factor: Value, biased: Value) -> Value {
    let one = b.f32(1.0);
    let mantissa = b.fma(r, factor, one);
    let width = b.element(1_u32);
    let half = b.shr(biased, width);
    let first = shift_left(b, half, 23);
    let both = shift_left(b, biased, 23);
    let second = b.sub(both, first);
    let (first, second) = (float(b, first), float(b, second));
    let power = b.mul(mantissa, first);
    b.mul(power, second)
}

pub(crate) fn exp(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -104.0, 89.0);
    let Reduced { biased, r } = reduce(b, x, consts::LOG2_E, LN_2, 2.0 * BIAS);
    let (one, rest) = (b.f32(1.0), horner(b, r, &REST));
    let factor = b.fma(r, rest, one);
    scaled(b, r, factor, biased)
}

pub(crate) fn exp2(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -151.0, 129.0);
    let rounder = b.f32(ROUNDER + 2.0 * BIAS);
    let biased = b.add(x, rounder);
    let n = b.sub(biased, rounder);
    let r = b.sub(x, n);
    let (factor, biased) = (horner(b, r, &EXP2), bits(b, biased));
    scaled(b, r, factor, biased)
}

pub(crate) fn exp10(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -46.0, 39.0);
    let Reduced { biased, r } = reduce(b, x, consts::LOG2_10, LOG10_2, 2.0 * BIAS);
    let factor = horner(b, r, &EXP10);
    scaled(b, r, factor, biased)
}

/// (e^x - 1) / 2^`down`, for an x with which neither that nor 2^n / 2^`down` leave the normal numbers.
fn less_one(b: &mut Builder, x: Value, down: i32) -> Value {
    let down = down as f32;
    let Reduced { biased, r } = reduce(b, x, consts::LOG2_E, LN_2, BIAS - down);
    let (rest, square) = (horner(b, r, &REST_LESS_ONE), b.mul(r, r));
    let less_one = b.fma(square, rest, r);
    let (power, whole) = (binade(b, biased), b.f32(1.0 / down.exp2()));
    let whole = b.sub(power, whole);
    b.fma(less_one, power, whole)
}

/// `x` where it is so small that halves of it may be rounded; 0 keeps its sign.
fn unless_tiny(b: &mut Builder, x: Value, result: Value) -> Value {
    let (magnitude, tiny) = (b.abs(x), b.f32(f32::EPSILON / 4.0));
    let is_tiny = b.lt(magnitude, tiny);
    b.select(is_tiny, x, result)
}

pub(crate) fn expm1(b: &mut Builder, x: Value) -> Value {
    let within = bounded(b, x, -30.0, 89.0);
    let half = less_one(b, within, 1);
    let result = b.add(half, half);
    unless_tiny(b, x, result)
}

/// From t = e^|x| - 1: (t + t / (t + 1)) / 2.
pub(crate) fn sinh(b: &mut Builder, x: Value) -> Value {
    let (magnitude, greatest, four, one) = (b.abs(x), b.f32(89.6), b.f32(4.0), b.f32(1.0));
    let within = b.lesser(greatest, magnitude);
    let quarter = less_one(b, within, 2);
    let (half, below) = (b.add(quarter, quarter), b.fma(four, quarter, one));
    let (two, share) = (b.f32(2.0), b.div(quarter, below));
    let result = b.fma(two, share, half);
    let result = with_sign_of(b, result, x);
    unless_tiny(b, x, result)
}

pub(crate) fn cosh(b: &mut Builder, x: Value) -> Value {
    let (magnitude, greatest, one, eighth) = (b.abs(x), b.f32(89.6), b.f32(1.0), b.f32(0.125));
    let within = b.lesser(greatest, magnitude);
    let Reduced { biased, r } = reduce(b, within, consts::LOG2_E, LN_2, BIAS - 2.0);
    let rest = horner(b, r, &REST);
    let factor = b.fma(r, rest, one);
    let mantissa = b.fma(r, factor, one);
    let power = binade(b, biased);
    let quarter = b.mul(mantissa, power);
    let (two, inverse) = (b.f32(2.0), b.div(eighth, quarter));
    b.fma(two, quarter, inverse)
}

/// From t = e^-2|x| - 1: -t / (2 + t).
pub(crate) fn tanh(b: &mut Builder, x: Value) -> Value {
    let (magnitude, minus_two, least) = (b.abs(x), b.f32(-2.0), b.f32(-20.0));
    let twice = b.mul(magnitude, minus_two);
    let twice = b.greater(least, twice);
    let (above, two) = (less_one(b, twice, 0), b.f32(2.0));
    let below = b.add(two, above);
    let minus = b.div(above, below);
    let result = b.abs(minus);
    with_sign_of(b, result, x)
}

/// From e = e^-|x|: 1 / (1 + e), or e times that.
pub(crate) fn sigmoid(b: &mut Builder, x: Value) -> Value {
    let (zero, one) = (b.f32(0.0), b.f32(1.0));
    let magnitude = b.abs(x);
    let least = b.neg(magnitude);
    let e = exp(b, least);
    let is_below = b.lt(x, zero);
    let (above, below) = (b.select(is_below, e, one), b.add(one, e));
    b.div(above, below)
}

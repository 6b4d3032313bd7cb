//! `sin` of both floats, `cos` and `tan` of f32: x = n pi + r, or (n + 1/2) pi + r, in three steps, and one polynomial for sin r.
//!
//! Arguments beyond a limit take the way of `trig` in a region of their own.

use std::f64::consts;

use super::super::double::{self, bits, float, horner, shift_left};
use super::super::trig as best;
use super::ROUNDER;
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// What the dtypes differ in.
struct Way {
    /// Added to a smaller float it rounds to an integer, which the low bits of the sum then hold.
    rounder: f64,
    /// pi in three parts, each with the bits of the dtype. None is negative, which leaves -0 its sign.
    pi: [f64; 3],
    /// Beyond this the parts are too few, or n is not the nearest.
    limit: f64,
    /// (sin r - r) / r^3 in powers of r^2 up to (pi/2)^2.
    sin: &'static [f64],
}

const F64: Way = Way {
    rounder: double::ROUNDER,
    pi: [consts::PI, 1.224646799147353e-16, 2.1657133478438278e-32],
    limit: 26353589.0,
    sin: &[
        -0.16666666666666666,
        0.008333333333333208,
        -0.00019841269841213362,
        2.7557319211742374e-06,
        -2.505210692133358e-08,
        1.605894188473654e-10,
        -7.643042869195829e-13,
        2.721670680712887e-15,
    ],
};

const F32: Way = Way {
    rounder: ROUNDER as f64,
    pi: [3.141592502593994, 1.5099578831723193e-07, 1.078060505991553e-14],
    limit: 25735.0,
    sin: &[-0.1666666, 0.008333069, -0.0001980977, 2.60606e-06],
};

/// (tan r - r) / r^3 in powers of r^2 up to (pi/4)^2, for f32.
const TAN: [f64; 6] = [0.33333158, 0.13338743, 0.053416017, 0.024414266, 0.0031429513, 0.009373348];

fn way(dtype: DType) -> &'static Way {
    match dtype {
        DType::F32 => &F32,
        _ => &F64,
    }
}

/// x less n times `turn` pi, in three steps of which the first is without error.
fn less_turns(b: &mut Builder, x: Value, n: Value, turn: f64, way: &Way) -> Value {
    let dtype = b.dtype(x);
    way.pi.iter().fold(x, |rest, part| {
        let part = b.float(dtype, -turn * part);
        b.fma(n, part, rest)
    })
}

/// r (1 + r^2 p(r^2))
fn odd(b: &mut Builder, r: Value, coefficients: &[f64]) -> Value {
    let (square, dtype) = (b.mul(r, r), b.dtype(r));
    let sum = horner(b, square, coefficients);
    let one = b.float(dtype, 1.0);
    let factor = b.fma(square, sum, one);
    b.mul(r, factor)
}

/// `x` with its sign turned if the lowest bit of `n`, an integer of its size, is set.
fn turned(b: &mut Builder, x: Value, n: Value) -> Value {
    let highest = b.dtype(n).bits() as u64 - 1;
    let (sign, bits) = (shift_left(b, n, highest), bits(b, x));
    let bits = b.xor(bits, sign);
    float(b, bits)
}

/// `usual`, and beyond `limit` what `best` gives.
fn unless_far(b: &mut Builder, x: Value, limit: f64, usual: Value, best: fn(&mut Builder, Value) -> Value) -> Value {
    let dtype = b.dtype(x);
    let (magnitude, limit) = (b.abs(x), b.float(dtype, limit));
    let is_far = b.gt(magnitude, limit);
    b.when(is_far, &[usual], |b| vec![best(b, x)])[0]
}

pub(crate) fn sin(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let way = way(dtype);
    let (per_pi, rounder) = (b.float(dtype, consts::FRAC_1_PI), b.float(dtype, way.rounder));
    let sum = b.fma(x, per_pi, rounder);
    let n = b.sub(sum, rounder);
    let r = less_turns(b, x, n, 1.0, way);
    let sin = odd(b, r, way.sin);
    let turns = bits(b, sum);
    let usual = turned(b, sin, turns);
    unless_far(b, x, way.limit, usual, best::sin)
}

/// -(-1)^n sin r
pub(crate) fn cos(b: &mut Builder, x: Value) -> Value {
    let (per_pi, rounder) = (b.f32(std::f32::consts::FRAC_1_PI), b.f32(F32.rounder as f32));
    let (minus_half, one, two) = (b.f32(-0.5), b.f32(1.0), b.f32(2.0));
    let turns = b.fma(x, per_pi, minus_half);
    let sum = b.add(turns, rounder);
    let n = b.sub(sum, rounder);
    let halves = b.fma(n, two, one);
    let r = less_turns(b, x, halves, 0.5, &F32);
    let sin = odd(b, r, F32.sin);
    let (turns, one) = (bits(b, sum), b.element(1_u32));
    let next = b.add(turns, one);
    let usual = turned(b, sin, next);
    unless_far(b, x, F32.limit, usual, best::cos)
}

/// By n pi/2: tan r, or for an odd n -1 / tan r.
pub(crate) fn tan(b: &mut Builder, x: Value) -> Value {
    let (two_per_pi, rounder, minus_one) = (b.f32(std::f32::consts::FRAC_2_PI), b.f32(F32.rounder as f32), b.f32(-1.0));
    let sum = b.fma(x, two_per_pi, rounder);
    let n = b.sub(sum, rounder);
    let r = less_turns(b, x, n, 0.5, &F32);
    let tan = odd(b, r, &TAN);
    let inverse = b.div(minus_one, tan);
    let (turns, one, zero) = (bits(b, sum), b.element(1_u32), b.element(0_u32));
    let low = b.and(turns, one);
    let is_even = b.eq(low, zero);
    let usual = b.select(is_even, tan, inverse);
    unless_far(b, x, F32.limit, usual, best::tan)
}

//! `log`, `log2`, `log10`, `log1p`: x = 2^k m with m between sqrt(1/2) and sqrt(2), and log m = 2s + s^3 R(s^2) with s = (m-1)/(m+1).
//!
//! The scheme is fdlibm's; its sums keep the leading m - 1, which is exact. To other bases f - f^2/2, as a sum of two
//! floats, is multiplied without error. `log1p` has m between 3/4 and 3/2, so that m - 1 = x 2^-k + (2^-k - 1) is exact and no rounding of
//! 1 + x matters. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR. f64: log 0.91 ulp, where m is near sqrt(1/2) (3 * 10^7 inputs: any bits, subnormals, near 1,
//! near the breaks of the reduction); log2 0.84, log10 0.69, log1p 0.92 (10^7 inputs each). f32: 0.50001 ulp (all 2^32
//! inputs), but of log, which is `single`'s.

use std::f64::consts;

use super::double::{
    Double, exact_product, horner, is_no_positive_normal, is_outside, ordered_sum, polynomial, rough_reciprocal,
    sum_of_product, widened, with_sign_of,
};
use super::single;
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// (log((1+s)/(1-s)) - 2s) / s^3 in powers of s^2, to 2^-59.4 of the logarithm.
const REST: [f64; 7] = [
    0.6666666666666736,
    0.3999999999940528,
    0.2857142874413959,
    0.22222198415578567,
    0.18183571721190672,
    0.15313876171678634,
    0.14797582483749622,
];

/// The same, to 2^-44.9.
const REST_F32: [f64; 5] =
    [0.6666666667603587, 0.3999999555929768, 0.28572114739974047, 0.22175984007131974, 0.19586806801691975];

/// [`REST`] for |s| up to 0.215, to 2^-60.7.
const REST_WIDE: [f64; 8] = [
    0.6666666666666643,
    0.4000000000016241,
    0.28571428533070403,
    0.2222222661462062,
    0.1818153993078152,
    0.15394862186797115,
    0.1311586638391977,
    0.14202260692716248,
];

/// The same, to 2^-34.2.
const REST_WIDE_F32: [f64; 4] = [0.6666666007336887, 0.40001360524368323, 0.28484068864696266, 0.24414758314217222];

/// [`REST`] with one more, to 2^-66.6.
const REST_DOUBLE: [f64; 8] = [
    0.6666666666666666,
    0.4000000000000489,
    0.28571428569423596,
    0.2222222260504125,
    0.18181778504430474,
    0.15386982689603299,
    0.13252278358985276,
    0.13233669373351675,
];

/// 2 / (1 - z) for z up to 0.0295, to 2^-13.1.
const SLOPE: [f64; 2] = [1.9997783938113671, 2.0603275946057646];

/// ln 2, the first with room for a product with an exponent.
const LN_2: (f64, f64) = (0.6931471805598903, 5.497923018708371e-14);

/// log10(2), the first with room for a product with an exponent.
const LOG10_2: (f64, f64) = (0.30102999566395283, 2.8363394551044964e-14);

/// The greatest 1 + x for which `log1p` has a way of its own.
const GREATEST_SUM: f64 = 1e300;

const THREE_QUARTERS_BITS: u64 = 0x3fe8_0000_0000_0000;
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const MANTISSA: u64 = (1 << 52) - 1;
const BIAS: f64 = 1023.0;
/// Bits that, or-ed to an integer below 2^52, make it a float 2^52 too large.
const INTEGER: u64 = 0x4330_0000_0000_0000;
const INTEGER_OFFSET: f64 = 4503599627370496.0;

pub(super) fn log(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => single::log(b, x),
        _ => by_usual_way(b, x, log_of_parts),
    }
}

/// Of f32, by way of f64: of subnormals too.
pub(super) fn log_widened(b: &mut Builder, x: Value) -> Value {
    widened(b, x, |b, x| {
        let result = log_of_f32(b, x);
        infinite_or(b, x, result)
    })
}

/// `x` itself if it is infinity or NaN.
pub(super) fn infinite_or(b: &mut Builder, x: Value, result: Value) -> Value {
    let infinity = b.f64(f64::INFINITY);
    let is_finite = b.lt(x, infinity);
    b.select(is_finite, result, x)
}

/// The exponent and mantissa of a positive number: x = 2^exponent mantissa.
pub(super) struct Split {
    pub(super) exponent: Value,
    pub(super) mantissa: Value,
}

/// Of 0 the exponent is minus infinity, of a negative number NaN, so that the logarithm is, too.
pub(super) fn split(b: &mut Builder, x: Value) -> Split {
    let (least, bias) = (b.f64(f64::MIN_POSITIVE), b.f64(INTEGER_OFFSET + BIAS));
    let is_unusual = b.lt(x, least);
    let usual = b.when(is_unusual, &[x, bias], |b| {
        let (up, bias) = (b.f64(18014398509481984.0), b.f64(INTEGER_OFFSET + BIAS + 54.0)); // 2^54
        let (zero, infinity, nan) = (b.f64(0.0), b.f64(f64::INFINITY), b.f64(f64::NAN));
        let (is_zero, is_negative) = (b.eq(x, zero), b.lt(x, zero));
        let bias = b.select(is_zero, infinity, bias);
        vec![b.mul(x, up), b.select(is_negative, nan, bias)]
    });
    split_biased(b, usual[0], usual[1])
}

/// Of a positive number; of others anything finite.
pub(super) fn split_positive(b: &mut Builder, x: Value) -> Split {
    let (least, bias) = (b.f64(f64::MIN_POSITIVE), b.f64(INTEGER_OFFSET + BIAS));
    let is_subnormal = b.lt(x, least);
    let usual = b.when(is_subnormal, &[x, bias], |b| {
        let (up, bias) = (b.f64(18014398509481984.0), b.f64(INTEGER_OFFSET + BIAS + 54.0)); // 2^54
        vec![b.mul(x, up), bias]
    });
    split_biased(b, usual[0], usual[1])
}

/// Of a normal positive number; of others anything finite.
pub(super) fn split_normal(b: &mut Builder, x: Value) -> Split {
    let bias = b.f64(INTEGER_OFFSET + BIAS);
    split_biased(b, x, bias)
}

fn split_biased(b: &mut Builder, x: Value, bias: Value) -> Split {
    let bits = super::double::bits(b, x);
    let up = b.element((1023 << 52) - SQRT_HALF_BITS);
    let bits = b.add(bits, up);
    let exponent = exponent_above(b, bits);
    let mask = b.element(MANTISSA);
    let mantissa = b.and(bits, mask);
    let down = b.element(SQRT_HALF_BITS);
    let mantissa = b.add(mantissa, down);
    Split { exponent: b.sub(exponent, bias), mantissa: super::double::float(b, mantissa) }
}

/// The exponent in the bits of a positive float, with its bias and [`INTEGER_OFFSET`].
fn exponent_above(b: &mut Builder, bits: Value) -> Value {
    let (width, integer) = (b.element(52_u64), b.element(INTEGER));
    let exponent = b.shr(bits, width);
    let exponent = b.or(exponent, integer);
    super::double::float(b, exponent)
}

/// `log` of the parts of `x`: those of a normal positive number, and once more in a region of its own where it is none.
fn by_usual_way(b: &mut Builder, x: Value, log: impl Fn(&mut Builder, Split) -> Value) -> Value {
    let parts = split_normal(b, x);
    let usual = log(b, parts);
    let is_unusual = is_no_positive_normal(b, x);
    b.when(is_unusual, &[usual], |b| {
        let parts = split(b, x);
        let result = log(b, parts);
        vec![infinite_or(b, x, result)]
    })[0]
}

/// The logarithm of a finite `x`.
pub(super) fn log_of_f64(b: &mut Builder, x: Value) -> Value {
    let parts = split(b, x);
    log_of_parts(b, parts)
}

fn log_of_parts(b: &mut Builder, parts: Split) -> Value {
    let Split { exponent, mantissa } = parts;
    let (one, minus_one) = (b.f64(1.0), b.f64(-1.0));
    // The same as -2 - f, which would wait for f.
    let (f, minus_below) = (b.sub(mantissa, one), b.sub(minus_one, mantissa));
    let less = less_than(b, f, minus_below, &REST);
    let (ln2, minus_ln2_low) = (b.f64(LN_2.0), b.f64(-LN_2.1));
    let less = b.fma(exponent, minus_ln2_low, less);
    let log = b.sub(f, less);
    b.fma(exponent, ln2, log)
}

/// The logarithm of ((1 + s) / (1 - s)) 2^exponent with s = above / below, |s| up to 0.21, as a sum of two floats.
pub(super) fn log_of_quotient(b: &mut Builder, exponent: Value, above: Double, below: Double) -> Double {
    let s = b.div(above.high, below.high);
    let minus_s = b.neg(s);
    let left = b.fma(minus_s, below.high, above.high);
    let left = b.add(left, above.low);
    let left = b.fma(minus_s, below.low, left);
    let share = rough_reciprocal(b, below.high);
    let (left, twice) = (b.add(left, left), b.add(s, s));
    let s_low = b.mul(left, share);
    let square = b.mul(s, s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &REST_WIDE);
    let cube = b.mul(s, square);
    let low = b.fma(cube, rest, s_low);
    let (ln2, ln2_low) = (b.f64(LN_2.0), b.f64(LN_2.1));
    let low = b.fma(exponent, ln2_low, low);
    let of_exponent = b.mul(exponent, ln2);
    let sum = ordered_sum(b, of_exponent, twice);
    Double { high: sum.high, low: b.add(sum.low, low) }
}

/// The same in f64, right for f32.
pub(super) fn log_of_quotient_f32(b: &mut Builder, exponent: Value, above: Value, below: Value) -> Value {
    let s = b.div(above, below);
    let square = b.mul(s, s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &REST_WIDE_F32);
    let (two, ln2) = (b.f64(2.0), b.f64(consts::LN_2));
    let factor = b.fma(square, rest, two);
    let of_exponent = b.mul(exponent, ln2);
    b.fma(s, factor, of_exponent)
}

/// f - log(1 + f), given -2 - f.
fn less_than(b: &mut Builder, f: Value, minus_below: Value, rest: &[f64]) -> Value {
    let Series { half_square, minus_s, inner } = series(b, f, minus_below, rest);
    b.fma(minus_s, inner, half_square)
}

/// f - log(1 + f) = `half_square` + `minus_s` `inner`.
struct Series {
    half_square: Value,
    minus_s: Value,
    inner: Value,
}

fn series(b: &mut Builder, f: Value, minus_below: Value, rest: &[f64]) -> Series {
    let half = b.f64(0.5);
    let minus_s = b.div(f, minus_below);
    let square = b.mul(minus_s, minus_s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, rest);
    // 2s = f - s f, so that log m = f - (f^2/2 - s (f^2/2 + s^2 R)).
    let half_f = b.mul(half, f);
    let half_square = b.mul(half_f, f);
    Series { half_square, minus_s, inner: b.fma(square, rest, half_square) }
}

pub(super) fn log2(b: &mut Builder, x: Value) -> Value {
    let scale = Scale { of_two: (1.0, 0.0), of_e: (consts::LOG2_E, 2.0355273740931033e-17) };
    scaled_log(b, x, &scale)
}

pub(super) fn log10(b: &mut Builder, x: Value) -> Value {
    let scale = Scale { of_two: LOG10_2, of_e: (consts::LOG10_E, 1.098319650216765e-17) };
    scaled_log(b, x, &scale)
}

/// The logarithms of 2 and e to a base, in two parts.
struct Scale {
    /// The first has room for a product with an exponent.
    of_two: (f64, f64),
    of_e: (f64, f64),
}

fn scaled_log(b: &mut Builder, x: Value, scale: &Scale) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let Split { exponent, mantissa } = split(b, x);
            let one = b.f64(1.0);
            let f = b.sub(mantissa, one);
            let log = log_above_one_f32(b, f);
            let (of_two, of_e) = (b.f64(scale.of_two.0 + scale.of_two.1), b.f64(scale.of_e.0));
            let of_exponent = b.mul(exponent, of_two);
            let result = b.fma(log, of_e, of_exponent);
            infinite_or(b, x, result)
        }),
        _ => by_usual_way(b, x, |b, parts| scaled_log_of_f64(b, parts, scale)),
    }
}

fn scaled_log_of_f64(b: &mut Builder, parts: Split, scale: &Scale) -> Value {
    let Split { exponent, mantissa } = parts;
    let (one, minus_one) = (b.f64(1.0), b.f64(-1.0));
    let (f, minus_below) = (b.sub(mantissa, one), b.sub(minus_one, mantissa));
    let Series { half_square, minus_s, inner } = series(b, f, minus_below, &REST);
    // The logarithm as a sum of two floats.
    let minus_half_square = b.neg(half_square);
    let log = ordered_sum(b, f, minus_half_square);
    let minus = b.neg(log.low);
    let minus = b.fma(minus_s, inner, minus);
    let (of_e, of_e_low, minus_of_e) = (b.f64(scale.of_e.0), b.f64(scale.of_e.1), b.f64(-scale.of_e.0));
    let product = exact_product(b, log.high, of_e);
    let low = b.fma(log.high, of_e_low, product.low);
    let low = b.fma(minus, minus_of_e, low);
    let of_two = b.f64(scale.of_two.0);
    let of_exponent = b.mul(exponent, of_two);
    // No exponent but 0 is worth less than the logarithm of a mantissa.
    let sum = ordered_sum(b, of_exponent, product.high);
    let low = b.add(low, sum.low);
    let low = match scale.of_two.1 {
        0.0 => low,
        of_two_low => {
            let of_two_low = b.f64(of_two_low);
            b.fma(exponent, of_two_low, low)
        }
    };
    // Of 0 the low part is NaN, which this drops.
    let low = b.greater(low, minus_one);
    b.add(sum.high, low)
}

pub(super) fn log1p(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let log = log1p_of_f32(b, x);
            infinite_or(b, x, log)
        }),
        _ => {
            let one = b.f64(1.0);
            let sum = b.add(one, x);
            let usual = log1p_of_sum(b, x, sum);
            let integer = b.bitcast(sum, DType::I64);
            let is_unusual = is_outside(b, integer, f64::MIN_POSITIVE.to_bits(), GREATEST_SUM.to_bits());
            // Beyond, 1 is nothing beside x.
            b.when(is_unusual, &[usual], |b| {
                let log = log_of_f64(b, sum);
                vec![infinite_or(b, sum, log)]
            })[0]
        }
    }
}

/// log(1 + x), the sum rounded being between 2^-53 and [`GREATEST_SUM`].
fn log1p_of_sum(b: &mut Builder, x: Value, sum: Value) -> Value {
    // The sum is 2^k m with m from 3/4 up to and without 3/2; minus k, and 2^-k.
    let sum = super::double::bits(b, sum);
    let up = b.element((1023 << 52) - THREE_QUARTERS_BITS);
    let sum = b.add(sum, up);
    let exponent = exponent_above(b, sum);
    let bias = b.f64(INTEGER_OFFSET + BIAS);
    let minus_exponent = b.sub(bias, exponent);
    let (mask, both) = (b.element(!MANTISSA), b.element(2046_u64 << 52));
    let power = b.and(sum, mask);
    let inverse = b.sub(both, power);
    let inverse = super::double::float(b, inverse);
    // Exact below 2^53, but for the x before 1/2: a multiple of 2^-54 below 1/2. Near 0 it is x.
    let (one, minus_two) = (b.f64(1.0), b.f64(-2.0));
    let less = b.sub(one, inverse);
    let minus_less = b.neg(less);
    let f = b.fma(x, inverse, minus_less);
    let minus_below = b.sub(minus_two, f);
    let less = less_than(b, f, minus_below, &REST_WIDE);
    // Minus the exponent, and what is less than one, keep the sign of a zero.
    let (minus_ln2, ln2_low) = (b.f64(-LN_2.0), b.f64(LN_2.1));
    let less = b.fma(minus_exponent, ln2_low, less);
    let log = b.sub(f, less);
    b.fma(minus_exponent, minus_ln2, log)
}

/// log(1 + x) in f64, right for f32.
fn log1p_of_f32(b: &mut Builder, x: Value) -> Value {
    let (one, zero) = (b.f64(1.0), b.f64(0.0));
    let sum = b.add(one, x);
    let Split { exponent, mantissa } = split(b, sum);
    let is_near = b.eq(exponent, zero);
    let f = b.sub(mantissa, one);
    let f = b.select(is_near, x, f);
    let log = log_above_one_f32(b, f);
    let ln2 = b.f64(consts::LN_2);
    let log = b.fma(exponent, ln2, log);
    with_sign_of(b, log, x)
}

/// The logarithm of a finite `x`, right for f32: relative error 2^-44.
pub(super) fn log_of_f32(b: &mut Builder, x: Value) -> Value {
    let Split { exponent, mantissa } = split(b, x);
    let one = b.f64(1.0);
    let f = b.sub(mantissa, one);
    let (s, factor) = factors_f32(b, f);
    let ln2 = b.f64(consts::LN_2);
    let of_exponent = b.mul(exponent, ln2);
    b.fma(s, factor, of_exponent)
}

/// log(1 + f) in f64, right for f32.
fn log_above_one_f32(b: &mut Builder, f: Value) -> Value {
    let (s, factor) = factors_f32(b, f);
    b.mul(s, factor)
}

/// s and what it is to be multiplied with.
fn factors_f32(b: &mut Builder, f: Value) -> (Value, Value) {
    let two = b.f64(2.0);
    let below = b.add(f, two);
    let s = b.div(f, below);
    let square = b.mul(s, s);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &REST_F32);
    (s, b.fma(square, rest, two))
}

/// The logarithm of a positive finite `x`, with a relative error below 2^-65.
pub(super) fn log_double(b: &mut Builder, x: Value) -> Double {
    let parts = split(b, x);
    log_double_of_parts(b, parts)
}

pub(super) fn log_double_of_parts(b: &mut Builder, parts: Split) -> Double {
    let Double { high, low } = log_sum(b, parts);
    ordered_sum(b, high, low)
}

/// The logarithm of a positive finite number with a relative error below 2^-65, `low` being below 2^-17 of it; `high` is known early.
pub(super) fn log_sum(b: &mut Builder, parts: Split) -> Double {
    let Split { exponent, mantissa } = parts;
    let (half, minus_half, one) = (b.f64(0.5), b.f64(-0.5), b.f64(1.0));
    let (two, minus_two) = (b.f64(2.0), b.f64(-2.0));
    // s = f / (2 + f), and what f - s (2 + f) leaves over: f - 2s is exact. 1 / (2 + f) is (1 - s) / 2.
    let (f, below) = (b.sub(mantissa, one), b.add(mantissa, one));
    let s = b.div(f, below);
    let minus_s = b.neg(s);
    let left = b.fma(s, minus_two, f);
    let left = b.fma(minus_s, f, left);
    let inverse = b.fma(s, minus_half, half);
    let s_low = b.mul(left, inverse);

    // k ln 2 + s (2 + s^2 (2/3 + s^2 (first + s^2 rest))), of which `rest` needs no more than its leading digits, and `s_low` times
    // the slope of the logarithm, 2 / (1 - s^2).
    let square = exact_product(b, s, s);
    let slope = horner(b, square.high, &SLOPE);
    let (first, second) = (b.f64(REST_DOUBLE[0]), b.f64(REST_DOUBLE[1]));
    let inner = sum_of_product(b, square.high, second, first);
    let factor = sum_of_product(b, square.high, inner.high, two);
    let factor_low = b.fma(square.low, inner.high, factor.low);
    let factor_low = b.fma(square.high, inner.low, factor_low);
    let fourth = b.mul(square.high, square.high);
    let sixth = b.mul(square.high, fourth);
    let rest = polynomial(b, square.high, fourth, &REST_DOUBLE[2..]);
    let factor_low = b.fma(sixth, rest, factor_low);
    let (ln2, ln2_low) = (b.f64(LN_2.0), b.f64(LN_2.1));
    let of_exponent = b.mul(exponent, ln2);
    let sum = sum_of_product(b, s, factor.high, of_exponent);
    let low = b.fma(exponent, ln2_low, sum.low);
    let low = b.fma(s_low, slope, low);
    Double { high: sum.high, low: b.fma(s, factor_low, low) }
}

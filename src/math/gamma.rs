//! `gamma` and `lgamma`: Stirling's series from 3 on, where log G(y) = (y - 1/2) log y - y + log(2 pi)/2 + p(1/y^2)/y as a sum
//! of two floats; below, G(x) = G(x + 3) / (x (x+1) (x+2)), and log G(1 + t) = t (t-1) r((t-1)/(t+2)).
//!
//! Negative arguments are reflected, G(-x) = -pi / (x sin(pi x) G(x)), in a region of their own. The form of `lgamma` from 1 to 3
//! has the zeros there as factors, so that it is right about them; from 0 to 1 log x is taken off. Coefficients:
//! `scripts/special_coefficients.py`.
//!
//! Greatest error against MPFR (2.6 * 10^5 inputs in f64: the whole domain, near poles and zeros): `gamma` f64 0.89 ulp, f32
//! 0.5001; `lgamma` f64 1.30 ulp, where x is so large that it is a product, 1.13 elsewhere, f32 0.5001. Between negative
//! integers `lgamma` has zeros, about which its error is 7e-17 at most in f64 and 1.5e-8 in f32.

use super::double::{Double, exact_product, exact_sum, ordered_sum, polynomial, quotient, widened};
use super::exp::{exp_less_one, exp_parts, negated, scaled};
use super::log::{log_double, log_of_f64};
use super::trig::sin_of_half_turns;
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// y (log G(y) - (y - 1/2) log y + y - log(2 pi)/2) in powers of 1/y^2, from [`SERIES_START`] on, to 2^-58.1 of log G.
const SERIES: [f64; 11] = [
    0.0833333333333331,
    -0.002777777777590971,
    0.0007936507478876972,
    -0.0005952328625109647,
    0.0008414126536416184,
    -0.0019038126355687933,
    0.0060372963127961745,
    -0.022387650153462158,
    0.07682573534749786,
    -0.18920957236795977,
    0.2313578928111462,
];
/// The same to 2^-37.6.
const SERIES_F32: [f64; 5] =
    [0.0833333331811594, -0.002777749510077195, 0.0007921548716865228, -0.0005617530016456939, 0.00048296107461130456];
const SERIES_START: f64 = 3.0;
const HALF_LOG_TWO_PI: (f64, f64) = (0.9189385332046728, -3.8782941580672414e-17);
const LOG_PI: (f64, f64) = (1.1447298858494002, 1.0265951162707826e-17);
const PI: (f64, f64) = (std::f64::consts::PI, 1.2246467991473532e-16);
/// G is infinite from here on, and 0 below the negative.
const GAMMA_END: f64 = 190.0;
/// Up to here G(x) is 1/x, and log G(x) is -log |x|.
const TINY: f64 = 8.673617379884035e-19; // 2^-60
/// From here on log G(x) is x (log x - 1).
const HUGE: f64 = 1152921504606846976.0; // 2^60

/// log G(1 + t) / (t (t-1)) - [`RATIO`] in powers of (t-1)/(t+2), for t from 0 to 2, to 2^-58.0 of the ratio.
const LESS_RATIO: [f64; 20] = [
    -0.01471566490153286,
    -0.3009519050230618,
    -0.004266899432660362,
    -0.04195508306327132,
    -0.009126521574128929,
    -0.013167073277677358,
    -0.006428612845747907,
    -0.006201333195379793,
    -0.00424025945130911,
    -0.003679488191627195,
    -0.002894309541247393,
    -0.0024760749676231725,
    -0.002072241413095869,
    -0.0017886103136277995,
    -0.0015483136896258193,
    -0.0013921006506389388,
    -0.0012761200829467263,
    -0.0010520439103842035,
    -0.0006106636439964576,
    -0.00017137323567506044,
];
const RATIO: f64 = 0.4375;
/// The same to 2^-36.9.
const LESS_RATIO_F32: [f64; 12] = [
    -0.014715664903933867,
    -0.3009519049733136,
    -0.004266898015296051,
    -0.04195509138220315,
    -0.009126666095454062,
    -0.013166823704270393,
    -0.006423203313184605,
    -0.0061981372938626315,
    -0.004320398582075068,
    -0.003859327073486963,
    -0.0026302712343218987,
    -0.0010564206897628367,
];

pub(super) fn gamma(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, gamma_of_f32),
        _ => gamma_of_f64(b, x),
    }
}

pub(super) fn lgamma(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, lgamma_of_f32),
        _ => lgamma_of_f64(b, x),
    }
}

fn gamma_of_f64(b: &mut Builder, x: Value) -> Value {
    let (magnitude, end, zero, one) = (b.abs(x), b.f64(GAMMA_END), b.f64(0.0), b.f64(1.0));
    let magnitude = b.lesser(end, magnitude);
    let start = b.f64(SERIES_START);
    let is_small = b.lt(magnitude, start);
    let shift = b.select(is_small, start, zero);
    let y = exact_sum(b, magnitude, shift);
    let log = log_double(b, y.high);
    let exponent = series(b, y, log);
    let (power, biased) = exp_parts(b, exponent);

    // G(y) over G(|x|), which is 1 where y is |x|, with |x| as a factor and without.
    let unit = Double { high: one, low: zero };
    let next = next_two(b, magnitude);
    let all = times(b, next, magnitude);
    let (all, next) = (choose(b, is_small, all, unit), choose(b, is_small, next, unit));
    let mantissa = quotient(b, power, all);
    let usual = scaled(b, mantissa, biased);

    let is_negative = b.lt(x, zero);
    let result = b.when(is_negative, &[usual], |b| {
        let sine = Sine::new(b, x);
        let pi = Double { high: b.f64(PI.0), low: b.f64(PI.1) };
        let above = product(b, next, pi);
        let factor = b.select(is_small, one, magnitude);
        let power = ordered_sum(b, power.high, power.low);
        let below = times(b, power, factor);
        let below = product(b, below, sine.magnitude);
        let mantissa = quotient(b, above, below);
        let biased = negated(b, biased);
        let reflected = scaled(b, mantissa, biased);
        vec![sine.finish_gamma(b, reflected)]
    });
    // Also what is infinite.
    let (magnitude, tiny, inverse) = (b.abs(x), b.f64(TINY), b.div(one, x));
    let is_tiny = b.lt(magnitude, tiny);
    b.select(is_tiny, inverse, result[0])
}

fn gamma_of_f32(b: &mut Builder, x: Value) -> Value {
    let (magnitude, end, zero, one) = (b.abs(x), b.f64(GAMMA_END / 2.0), b.f64(0.0), b.f64(1.0));
    let magnitude = b.lesser(end, magnitude);
    let start = b.f64(SERIES_START);
    let is_small = b.lt(magnitude, start);
    let shift = b.select(is_small, start, zero);
    let y = b.add(magnitude, shift);
    let log = log_of_f64(b, y);
    let high = series_f32(b, y, log);
    let (power, less_one) = exp_less_one(b, high);
    let power = b.fma(less_one, power, power);

    let next = next_two(b, magnitude).high;
    // With the sign of x, for the pole at -0.
    let all = b.mul(next, x);
    let (all, next) = (b.select(is_small, all, one), b.select(is_small, next, one));
    let usual = b.div(power, all);
    let is_negative = b.lt(x, zero);
    let result = b.when(is_negative, &[usual], |b| {
        let sine = Sine::new(b, x);
        let pi = b.f64(PI.0);
        let above = b.mul(next, pi);
        let factor = b.select(is_small, one, magnitude);
        let below = b.mul(power, factor);
        let below = b.mul(below, sine.magnitude.high);
        let reflected = b.div(above, below);
        vec![sine.finish_gamma(b, reflected)]
    });
    result[0]
}

fn lgamma_of_f64(b: &mut Builder, x: Value) -> Value {
    let (magnitude, zero, one) = (b.abs(x), b.f64(0.0), b.f64(1.0));
    let log = log_double(b, magnitude);
    let (start, tiny, huge) = (b.f64(SERIES_START), b.f64(TINY), b.f64(HUGE));
    let far = series(b, Double { high: magnitude, low: zero }, log);
    let is_near = b.lt(magnitude, start);
    let usual = b.when(is_near, &[far.high, far.low], |b| {
        let near = near_zeros(b, magnitude);
        let is_below_one = b.lt(magnitude, one);
        let taken = choose(b, is_below_one, log, Double { high: zero, low: zero });
        let near = difference(b, near, taken);
        vec![near.high, near.low]
    });
    let usual = Double { high: usual[0], low: usual[1] };
    let sum = b.add(usual.high, usual.low);

    let is_negative = b.lt(x, zero);
    let result = b.when(is_negative, &[sum], |b| {
        let sine = Sine::new(b, x).magnitude;
        let of_sine = log_double(b, sine.high);
        let part = b.div(sine.low, sine.high);
        let of_sine = Double { high: of_sine.high, low: b.add(of_sine.low, part) };
        let log_pi = Double { high: b.f64(LOG_PI.0), low: b.f64(LOG_PI.1) };
        // log (pi / (x sin(pi x) G(x)))
        let rest = difference(b, log_pi, of_sine);
        let rest = difference(b, rest, log);
        let rest = difference(b, rest, usual);
        vec![b.add(rest.high, rest.low)]
    });

    let of_tiny = b.add(log.high, log.low);
    let of_tiny = b.neg(of_tiny);
    let is_tiny = b.lt(magnitude, tiny);
    let result = b.select(is_tiny, of_tiny, result[0]);
    let less = b.sub(log.high, one);
    let less = b.add(less, log.low);
    let of_huge = b.mul(magnitude, less);
    let is_huge = b.gt(magnitude, huge);
    let result = b.select(is_huge, of_huge, result);
    infinite_at_poles(b, x, result)
}

fn lgamma_of_f32(b: &mut Builder, x: Value) -> Value {
    let (magnitude, zero, one) = (b.abs(x), b.f64(0.0), b.f64(1.0));
    let log = log_of_f64(b, magnitude);
    let start = b.f64(SERIES_START);
    let far = series_f32(b, magnitude, log);
    let is_near = b.lt(magnitude, start);
    let usual = b.when(is_near, &[far], |b| {
        let near = near_zeros_f32(b, magnitude);
        let is_below_one = b.lt(magnitude, one);
        let taken = b.select(is_below_one, log, zero);
        let near = b.sub(near, taken);
        // -0 at 1 becomes 0.
        vec![b.add(near, zero)]
    })[0];

    let is_negative = b.lt(x, zero);
    let result = b.when(is_negative, &[usual], |b| {
        let sine = Sine::new(b, x).magnitude.high;
        let of_sine = log_of_f64(b, sine);
        let log_pi = b.f64(LOG_PI.0);
        let rest = b.sub(log_pi, of_sine);
        let rest = b.sub(rest, log);
        vec![b.sub(rest, usual)]
    });
    infinite_at_poles(b, x, result[0])
}

/// `result`, but infinity for infinities, 0 and negative integers.
fn infinite_at_poles(b: &mut Builder, x: Value, result: Value) -> Value {
    let (zero, infinity, whole) = (b.f64(0.0), b.f64(f64::INFINITY), b.trunc(x));
    let (is_integer, is_not_positive, magnitude) = (b.eq(whole, x), b.le(x, zero), b.abs(x));
    let is_pole = b.and(is_integer, is_not_positive);
    let is_infinite = b.eq(magnitude, infinity);
    let is_pole = b.or(is_pole, is_infinite);
    let result = b.select(is_pole, infinity, result);
    let is_number = b.eq(x, x);
    b.select(is_number, result, x)
}

/// log G(y) for a y from [`SERIES_START`] to [`HUGE`], given the logarithm of its high part.
fn series(b: &mut Builder, y: Double, log: Double) -> Double {
    let (half, minus_half, one) = (b.f64(0.5), b.f64(-0.5), b.f64(1.0));
    let inverse = b.div(one, y.high);
    let rest = series_rest(b, inverse, &SERIES);
    let less = b.sub(y.high, half);
    let product = exact_product(b, less, log.high);
    let low = b.fma(less, log.low, product.low);
    // The derivative, but for what does not count, times the low part.
    let slope = b.fma(minus_half, inverse, log.high);
    let low = b.fma(slope, y.low, low);
    let minus_y = b.neg(y.high);
    let sum = exact_sum(b, product.high, minus_y);
    let constant = b.f64(HALF_LOG_TWO_PI.0);
    let total = exact_sum(b, sum.high, constant);
    let constant_low = b.f64(HALF_LOG_TWO_PI.1);
    let low = b.add(low, constant_low);
    let low = b.add(low, sum.low);
    let low = b.add(low, total.low);
    let low = b.add(low, rest);
    ordered_sum(b, total.high, low)
}

fn series_f32(b: &mut Builder, y: Value, log: Value) -> Value {
    let (minus_half, one, constant) = (b.f64(-0.5), b.f64(1.0), b.f64(HALF_LOG_TWO_PI.0));
    let inverse = b.div(one, y);
    let rest = series_rest(b, inverse, &SERIES_F32);
    let (less, rest) = (b.add(y, minus_half), b.add(constant, rest));
    let rest = b.sub(rest, y);
    b.fma(less, log, rest)
}

fn series_rest(b: &mut Builder, inverse: Value, coefficients: &[f64]) -> Value {
    let square = b.mul(inverse, inverse);
    let fourth = b.mul(square, square);
    let sum = polynomial(b, square, fourth, coefficients);
    b.mul(sum, inverse)
}

/// log G(1 + t) for t = x from 0 to 1, and for t = x - 1 from there to 2.
fn near_zeros(b: &mut Builder, x: Value) -> Double {
    let (t, rest) = zero_ratio(b, x, &LESS_RATIO);
    let (one, middle) = (b.f64(1.0), b.f64(RATIO));
    let minus_one = b.neg(one);
    let less = exact_sum(b, minus_one, t);
    let zeros = times(b, less, t);
    let ratio = ordered_sum(b, middle, rest);
    product(b, zeros, ratio)
}

fn near_zeros_f32(b: &mut Builder, x: Value) -> Value {
    let (t, rest) = zero_ratio(b, x, &LESS_RATIO_F32);
    let (one, middle) = (b.f64(1.0), b.f64(RATIO));
    let less = b.sub(t, one);
    let zeros = b.mul(less, t);
    let ratio = b.add(middle, rest);
    b.mul(zeros, ratio)
}

/// t, and log G(1 + t) / (t (t-1)) - [`RATIO`].
fn zero_ratio(b: &mut Builder, x: Value, coefficients: &[f64]) -> (Value, Value) {
    let (one, two) = (b.f64(1.0), b.f64(2.0));
    let (is_below, less) = (b.lt(x, one), b.sub(x, one));
    let t = b.select(is_below, x, less);
    let (above, below) = (b.sub(t, one), b.add(t, two));
    let v = b.div(above, below);
    let square = b.mul(v, v);
    (t, polynomial(b, v, square, coefficients))
}

/// sin(pi x) of a negative x.
struct Sine {
    magnitude: Double,
    is_negative: Value,
}

impl Sine {
    fn new(b: &mut Builder, x: Value) -> Sine {
        let (half, zero) = (b.f64(0.5), b.f64(0.0));
        let whole = b.round(x);
        let rest = b.sub(x, whole);
        let half_whole = b.mul(half, whole);
        let even = b.round(half_whole);
        let (is_odd, is_below) = (b.ne(half_whole, even), b.lt(rest, zero));
        let distance = b.abs(rest);
        Sine { magnitude: sin_of_half_turns(b, distance), is_negative: b.xor(is_odd, is_below) }
    }

    /// G(x), given its magnitude: its sign is that of the sine, and there is none at poles.
    fn finish_gamma(&self, b: &mut Builder, magnitude: Value) -> Value {
        let (nan, zero, minus) = (b.f64(f64::NAN), b.f64(0.0), b.neg(magnitude));
        let result = b.select(self.is_negative, minus, magnitude);
        let is_pole = b.eq(self.magnitude.high, zero);
        b.select(is_pole, nan, result)
    }
}

/// (x + 1) (x + 2)
fn next_two(b: &mut Builder, x: Value) -> Double {
    let (one, two) = (b.f64(1.0), b.f64(2.0));
    let (next, next_but_one) = (exact_sum(b, x, one), exact_sum(b, x, two));
    product(b, next, next_but_one)
}

fn times(b: &mut Builder, x: Double, y: Value) -> Double {
    let product = exact_product(b, x.high, y);
    Double { high: product.high, low: b.fma(x.low, y, product.low) }
}

fn product(b: &mut Builder, x: Double, y: Double) -> Double {
    let product = times(b, x, y.high);
    Double { high: product.high, low: b.fma(x.high, y.low, product.low) }
}

fn difference(b: &mut Builder, x: Double, y: Double) -> Double {
    let minus = b.neg(y.high);
    let sum = exact_sum(b, x.high, minus);
    let low = b.sub(x.low, y.low);
    Double { high: sum.high, low: b.add(sum.low, low) }
}

fn choose(b: &mut Builder, condition: Value, x: Double, y: Double) -> Double {
    Double { high: b.select(condition, x.high, y.high), low: b.select(condition, x.low, y.low) }
}

//! `erf` and `erfc`: a polynomial in x^2 about 0, and further out e^(-x^2) times a polynomial in 1/(|x| + c).
//!
//! `erfc` has one polynomial from 0.8 to the end of the domain, in t = (k - x)/(k + x) (Shepherd and Laframboise,
//! Mathematics of Computation 36, 1981): that of (x + 9/16) e^(x^2) erfc x less a constant near which it stays, so that little
//! of its own rounding reaches the result. The other factors are sums of two floats. For `erf` the error of e^(x^2) erfc x
//! counts less the further out, which a polynomial in x does. Coefficients: `scripts/special_coefficients.py`.
//!
//! Greatest error against MPFR: f64 erf 0.89 ulp, just above 1, and erfc 0.90, near 1.5 (3 * 10^5 inputs each: the whole
//! range, subnormal results, the breaks); f32 0.5013 ulp (2 * 10^5 inputs each).

use super::double::{Double, exact_product, ordered_sum, polynomial, widened};
use super::exp::{exp_of_double, exp_of_f32, exp_parts, scaled};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// erf(x)/x - 1 in powers of x^2 - [`ERF_CENTRE`], up to [`ERF_NEAR_END`] to 2^-56.7.
const ERF_NEAR: [f64; 12] = [
    -0.0345312613301327,
    -0.2810721780454343,
    0.07940998675593693,
    -0.018283884489150436,
    0.0034802744965691805,
    -0.000561189422168478,
    7.829649689146223e-05,
    -9.614808221303619e-06,
    1.0536323574570938e-06,
    -1.0420552040592056e-07,
    9.432354140373534e-09,
    -7.772343755829918e-10,
];
const ERF_CENTRE: f64 = 0.5;
const ERF_NEAR_END: f64 = 1.0;
/// e^(x^2) erfc(x) in powers of x - [`ERF_NEAR_END`], from there on; the error times e^(-x^2) is 2^-58.4.
const ERF_FAR: [f64; 22] = [
    0.427583576155807,
    -0.27321201478389573,
    0.15437156137169283,
    -0.07922696893504172,
    0.03757229612026534,
    -0.016661868224832503,
    0.006970137181294835,
    -0.0027690430062388095,
    0.0010502029802335131,
    -0.00038180253379690006,
    0.00013339616276656122,
    -4.477839905922419e-05,
    1.4357063735348574e-05,
    -4.3321653453781195e-06,
    1.1993330331917811e-06,
    -2.9424420343674614e-07,
    6.140432801667445e-08,
    -1.0407763118153597e-08,
    1.3565763021341766e-09,
    -1.2625830466527734e-10,
    7.413003114469581e-12,
    -2.0519513335005235e-13,
];
/// From here on erf is 1.
const ERF_END: f64 = 6.0;

/// erf(x)/x - 1 in powers of x^2, to 2^-34.7.
const ERF_NEAR_F32: [f64; 8] = [
    0.12837916705709804,
    -0.37612638425957234,
    0.11283781839100791,
    -0.02686539212482963,
    0.005220923216823703,
    -0.0008482507749866882,
    0.00011254640827098567,
    -9.634991401871398e-06,
];
/// e^(x^2) erfc(x) / u in powers of u = 1/(x + 2), to 2^-39.1 of erf.
const ERF_FAR_F32: [f64; 7] = [
    0.5660149657624082,
    1.0788784916268321,
    2.548924906328537,
    -0.8470447406622658,
    16.34476331464514,
    -28.233558031607764,
    14.337992393490973,
];

/// erf(x)/x - 1 in powers of x^2 - [`ERFC_NEAR_CENTRE`], up to [`ERFC_NEAR_END`] to 2^-57.7.
const ERFC_NEAR: [f64; 11] = [
    0.021086488073378776,
    -0.31287464647761215,
    0.09046728432637108,
    -0.0211021357970057,
    0.004049991296747173,
    -0.0006567771485786404,
    9.201333281600956e-05,
    -1.1334888115335402e-05,
    1.2452455392994656e-06,
    -1.2365309935923818e-07,
    1.105663861565546e-08,
];
const ERFC_NEAR_CENTRE: f64 = 0.3125;
/// Up to here erfc is above 1/4, so that a difference from 1 is good.
const ERFC_NEAR_END: f64 = 0.8;
/// (x + 9/16) e^(x^2) erfc(x) - [`ERFC_MIDDLE`] in powers of t = (7/2 - x)/(7/2 + x), from there on to 2^-59.8.
const ERFC_FAR: [f64; 22] = [
    0.013692975911133084,
    0.08808365537085766,
    0.009292856933906454,
    -0.03867588977884599,
    -0.05164306114826517,
    -0.041151779338519344,
    -0.023350615355947953,
    -0.009284525557301047,
    -0.002090798382144248,
    0.00013309922802237,
    0.00027543687454420804,
    6.104836376317875e-05,
    -2.0556787146791163e-05,
    -1.2028803560546915e-05,
    1.0685372218242506e-06,
    1.8841583745592635e-06,
    -8.688052556301307e-09,
    -2.9592666765507163e-07,
    -7.418057382676067e-09,
    4.5142120240420846e-08,
    1.3826834086510867e-09,
    -4.551575369485142e-09,
];
const ERFC_SHIFT: f64 = 0.5625;
const ERFC_MIDDLE: f64 = 0.6171875;
/// From here on erfc is 0.
const ERFC_END: f64 = 28.0;

/// erf(x)/x - 1 in powers of x^2, to 2^-33.9.
const ERFC_NEAR_F32: [f64; 7] = [
    0.1283791670274483,
    -0.3761263788328792,
    0.11283766494746947,
    -0.02686382236679252,
    0.005213459887941207,
    -0.000830343035162961,
    9.149706264590151e-05,
];
/// e^(x^2) erfc(x) / u in powers of u = 1/(x + 3), to 2^-40.6.
const ERFC_FAR_F32: [f64; 13] = [
    0.5641900946216534,
    1.692526619844341,
    4.7971220920801985,
    12.663933652881873,
    31.245419736444237,
    65.25446289343475,
    119.15439769191268,
    381.2144111330177,
    -1852.6690046260244,
    9689.104354891802,
    -33964.0314810359,
    53514.37142390231,
    -31484.825082103,
];

pub(super) fn erf(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, erf_of_f32),
        _ => erf_of_f64(b, x),
    }
}

pub(super) fn erfc(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, erfc_of_f32),
        _ => erfc_of_f64(b, x),
    }
}

fn erf_of_f64(b: &mut Builder, x: Value) -> Value {
    let (magnitude, one, end) = (b.abs(x), b.f64(1.0), b.f64(ERF_END));
    let y = b.lesser(end, magnitude);
    let rest = ratio_less_one(b, y, ERF_CENTRE, &ERF_NEAR);
    let near = b.fma(y, rest, y);

    let minus_y = b.neg(y);
    let minus_square = exact_product(b, minus_y, y);
    let power = exp_of_double(b, minus_square).usual;
    let start = b.f64(ERF_NEAR_END);
    let above = b.sub(y, start);
    let square = b.mul(above, above);
    let factor = polynomial(b, above, square, &ERF_FAR);
    let complement = b.mul(factor, power);
    let far = b.sub(one, complement);
    choose_erf(b, x, y, near, far)
}

fn erf_of_f32(b: &mut Builder, x: Value) -> Value {
    let (y, one) = (b.abs(x), b.f64(1.0));
    let rest = ratio_less_one(b, y, 0.0, &ERF_NEAR_F32);
    let near = b.fma(y, rest, y);
    let complement = complement(b, y, 2.0, &ERF_FAR_F32);
    let far = b.sub(one, complement);
    choose_erf(b, x, y, near, far)
}

/// erf(y)/y - 1 near 0. About a `centre` the sums are smaller, and so are the errors that they and y^2 are rounded with.
fn ratio_less_one(b: &mut Builder, y: Value, centre: f64, coefficients: &[f64]) -> Value {
    let minus_centre = b.f64(-centre);
    let z = b.fma(y, y, minus_centre);
    let square = b.mul(z, z);
    polynomial(b, z, square, coefficients)
}

/// e^(-y^2) u p(u) with u = 1/(y + `shift`), for f32.
fn complement(b: &mut Builder, y: Value, shift: f64, coefficients: &[f64]) -> Value {
    let minus_y = b.neg(y);
    let minus_square = b.mul(minus_y, y);
    let power = exp_of_f32(b, minus_square);
    let (one, shift) = (b.f64(1.0), b.f64(shift));
    let divisor = b.add(y, shift);
    let u = b.div(one, divisor);
    let square = b.mul(u, u);
    let sum = polynomial(b, u, square, coefficients);
    let scale = b.mul(u, power);
    b.mul(sum, scale)
}

fn choose_erf(b: &mut Builder, x: Value, y: Value, near: Value, far: Value) -> Value {
    let end = b.f64(ERF_NEAR_END);
    let is_near = b.lt(y, end);
    let magnitude = b.select(is_near, near, far);
    b.copysign(magnitude, x)
}

fn erfc_of_f64(b: &mut Builder, x: Value) -> Value {
    let near = erfc_near(b, x, ERFC_NEAR_CENTRE, &ERFC_NEAR);
    let (magnitude, end) = (b.abs(x), b.f64(ERFC_END));
    let y = b.lesser(end, magnitude);
    let far = erfc_far(b, y);
    choose_erfc(b, x, y, near, far)
}

fn erfc_of_f32(b: &mut Builder, x: Value) -> Value {
    let near = erfc_near(b, x, 0.0, &ERFC_NEAR_F32);
    let y = b.abs(x);
    let far = complement(b, y, 3.0, &ERFC_FAR_F32);
    choose_erfc(b, x, y, near, far)
}

/// 1 - x - x (erf(x)/x - 1)
fn erfc_near(b: &mut Builder, x: Value, centre: f64, coefficients: &[f64]) -> Value {
    let (one, minus_x) = (b.f64(1.0), b.neg(x));
    let rest = ratio_less_one(b, x, centre, coefficients);
    let less = ordered_sum(b, one, minus_x);
    let low = b.fma(minus_x, rest, less.low);
    b.add(less.high, low)
}

fn choose_erfc(b: &mut Builder, x: Value, y: Value, near: Value, far: Value) -> Value {
    let (zero, two, end) = (b.f64(0.0), b.f64(2.0), b.f64(ERFC_NEAR_END));
    let mirrored = b.sub(two, far);
    let (is_negative, is_near) = (b.lt(x, zero), b.lt(y, end));
    let far = b.select(is_negative, mirrored, far);
    b.select(is_near, near, far)
}

/// erfc(y) from [`ERFC_NEAR_END`] to [`ERFC_END`].
fn erfc_far(b: &mut Builder, y: Value) -> Value {
    let minus_y = b.neg(y);
    let minus_square = exact_product(b, minus_y, y);
    let (power, biased) = exp_parts(b, minus_square);

    // power (middle + rest)
    let (rest, middle) = (erfc_rest(b, y), b.f64(ERFC_MIDDLE));
    let sum = b.add(middle, rest);
    let product = exact_product(b, power.high, middle);
    let low = b.fma(power.high, rest, product.low);
    let low = b.fma(power.low, sum, low);

    let Double { high: inverse, low: inverse_low } = inverse_of_sum(b, y);
    let quotient = exact_product(b, product.high, inverse);
    let quotient_low = b.fma(product.high, inverse_low, quotient.low);
    let quotient_low = b.fma(low, inverse, quotient_low);
    let mantissa = b.add(quotient.high, quotient_low);
    scaled(b, mantissa, biased)
}

/// The polynomial of [`ERFC_FAR`].
fn erfc_rest(b: &mut Builder, y: Value) -> Value {
    // Nearly all of t's error is relative, so it is small where t is.
    let centre = b.f64(3.5);
    let (below, above) = (b.sub(centre, y), b.add(centre, y));
    let t = b.div(below, above);
    let square = b.mul(t, t);
    polynomial(b, t, square, &ERFC_FAR)
}

/// 1/(y + [`ERFC_SHIFT`]) for a y from [`ERFC_NEAR_END`] on.
fn inverse_of_sum(b: &mut Builder, y: Value) -> Double {
    let (one, shift) = (b.f64(1.0), b.f64(ERFC_SHIFT));
    let divisor = ordered_sum(b, y, shift);
    let inverse = b.div(one, divisor.high);
    let minus_inverse = b.neg(inverse);
    let left = b.fma(minus_inverse, divisor.high, one);
    let left = b.fma(minus_inverse, divisor.low, left);
    Double { high: inverse, low: b.mul(inverse, left) }
}

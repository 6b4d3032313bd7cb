//! `erf` and `erfc`: in f64 `erf` is a polynomial in x^2 about 0, and further out 1 less e^(-x^2) times a quotient of polynomials in
//! x; `erfc` is one expression throughout.
//!
//! For `erfc` that is the polynomial of (x + 3/4) e^(x^2) erfc x, less a constant near which it stays, in t = (k - x)/(k + x)
//! (Shepherd and Laframboise, Mathematics of Computation 36, 1981), so that little of its own rounding reaches the result. The
//! other factors are sums of two floats. For `erf` the error of e^(x^2) erfc x counts less the further out. In f32 `erfc` has a
//! polynomial in x^2 about 0, too, and both have one in 1/(|x| + c) further out. Coefficients: `scripts/special_coefficients.py`.
//!
//! Greatest error against MPFR: f64 erf 0.91 ulp, just above 9/8, and erfc 0.98, next to 0 (10^6 inputs each: the whole
//! range, subnormal results, the breaks); f32 0.5013 ulp (2 * 10^5 inputs each).

use super::double::{exact_product, horner, ordered_sum, polynomial, widened, with_sign_of};
use super::exp::{decayed, exp_of_f32, rough_exp};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// erf(x)/x - 1 in powers of x^2 - [`ERF_CENTRE`], up to [`ERF_NEAR_END`] to 2^-56.8.
const ERF_NEAR: [f64; 13] = [
    -0.06845938041023986,
    -0.26205021975931814,
    0.07286912575493744,
    -0.01662845502116989,
    0.0031472421999331314,
    -0.0005055098019303098,
    7.032788205786646e-05,
    -8.617640191054835e-06,
    9.427715121203973e-07,
    -9.311029941994514e-08,
    8.380258365286349e-09,
    -6.970929431262709e-10,
    5.205922176760005e-11,
];
const ERF_CENTRE: f64 = 0.625;
const ERF_NEAR_END: f64 = 1.125;
/// e^(x^2) erfc(x) as a quotient in powers of x - [`ERF_NEAR_END`], from there on; the error times e^(-x^2) is 2^-60.5.
const ERF_ABOVE: [f64; 6] = [
    0.45559378495408415,
    0.5681695241296253,
    0.3105473262973992,
    0.09119977887321207,
    0.014323569378332462,
    0.0009624601090836844,
];
const ERF_BELOW: [f64; 7] = [
    1.1513671875,
    2.1285477477847703,
    1.6932776731773003,
    0.7439870665388485,
    0.19106513917014983,
    0.027306765808057267,
    0.001705925862210098,
];
/// From here on erf is 1.
const ERF_END: f64 = 6.0;

/// erf(x)/x - 1 in powers of x^2, up to [`ERF_NEAR_END_F32`] to 2^-34.7.
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
const ERF_NEAR_END_F32: f64 = 1.0;
/// e^(x^2) erfc(x) / u in powers of u = 1/(x + 2), from there on to 2^-39.1 of erf.
const ERF_FAR_F32: [f64; 7] = [
    0.5660149657624082,
    1.0788784916268321,
    2.548924906328537,
    -0.8470447406622658,
    16.34476331464514,
    -28.233558031607764,
    14.337992393490973,
];

/// (x + 3/4) e^(x^2) erfc(x) - [`ERFC_MIDDLE`] in powers of t = (15/4 - x)/(15/4 + x), from 0 on, to 2^-59.
const ERFC: [f64; 24] = [
    -0.008908754262326573,
    0.13847578216663012,
    0.05829472447188685,
    -0.00024539536409333234,
    -0.02875088706278209,
    -0.03245157890639964,
    -0.02331089330270259,
    -0.012125983421339385,
    -0.004422549162859316,
    -0.0008714290937468786,
    0.00010874108210159733,
    0.00013310236987827893,
    2.6720851463380896e-05,
    -9.646459245474925e-06,
    -5.535992819934283e-06,
    3.227002031952102e-07,
    8.3185615314417e-07,
    4.494519174546518e-08,
    -1.2344598509660115e-07,
    -1.1417279217730503e-08,
    1.906680670168955e-08,
    2.9277392147781865e-10,
    -2.3342959959725445e-09,
    4.227865929283897e-10,
];
const ERFC_SHIFT: f64 = 0.75;
const ERFC_MIDDLE: f64 = 0.6640625;
const ERFC_CENTRE: f64 = 3.75;
/// Up to here the f32 erfc is above 1/4, so that a difference from 1 is good.
const ERFC_NEAR_END: f64 = 0.8;
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

    let square = b.mul(y, y);
    let minus_square = b.neg(square);
    let (power, mantissa) = rough_exp(b, minus_square);
    let start = b.f64(ERF_NEAR_END);
    let beyond = b.sub(y, start);
    let (above, below) = (horner(b, beyond, &ERF_ABOVE), horner(b, beyond, &ERF_BELOW));
    let quotient = b.div(above, below);
    let power = b.mul(power, mantissa);
    let minus_power = b.neg(power);
    let far = b.fma(quotient, minus_power, one);
    let is_near = b.lt(y, start);
    let result = b.select(is_near, near, far);
    with_sign_of(b, result, x)
}

fn erf_of_f32(b: &mut Builder, x: Value) -> Value {
    let (y, one) = (b.abs(x), b.f64(1.0));
    let rest = ratio_less_one(b, y, 0.0, &ERF_NEAR_F32);
    let near = b.fma(y, rest, y);
    let complement = complement(b, y, 2.0, &ERF_FAR_F32);
    let far = b.sub(one, complement);
    let end = b.f64(ERF_NEAR_END_F32);
    let is_near = b.lt(y, end);
    let result = b.select(is_near, near, far);
    with_sign_of(b, result, x)
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

fn erfc_of_f64(b: &mut Builder, x: Value) -> Value {
    let (magnitude, end) = (b.abs(x), b.f64(ERFC_END));
    let y = b.lesser(end, magnitude);
    let minus_y = b.neg(y);
    let minus_square = exact_product(b, minus_y, y);
    let (power, scale) = decayed(b, minus_square);
    let Inverse { inverse, left } = inverse_of_sum(b, y);
    let (rest, middle) = (erfc_rest(b, y), b.f64(ERFC_MIDDLE));
    let sum = ordered_sum(b, middle, rest);

    // power inverse (1 + left) sum
    let product = exact_product(b, power.high, inverse);
    let low = b.fma(power.low, inverse, product.low);
    let low = b.fma(product.high, left, low);
    let of_rest = b.mul(product.high, sum.low);
    let low = b.fma(low, sum.high, of_rest);
    let mantissa = b.fma(product.high, sum.high, low);
    let complement = scale.apply(b, mantissa);

    let (zero, two) = (b.f64(0.0), b.f64(2.0));
    let (is_negative, mirrored) = (b.lt(x, zero), b.sub(two, complement));
    b.select(is_negative, mirrored, complement)
}

fn erfc_of_f32(b: &mut Builder, x: Value) -> Value {
    let (zero, one, two, end) = (b.f64(0.0), b.f64(1.0), b.f64(2.0), b.f64(ERFC_NEAR_END));
    let (y, minus_x) = (b.abs(x), b.neg(x));
    // 1 - x - x (erf(x)/x - 1)
    let rest = ratio_less_one(b, x, 0.0, &ERFC_NEAR_F32);
    let less = ordered_sum(b, one, minus_x);
    let low = b.fma(minus_x, rest, less.low);
    let near = b.add(less.high, low);
    let far = complement(b, y, 3.0, &ERFC_FAR_F32);
    let mirrored = b.sub(two, far);
    let (is_negative, is_near) = (b.lt(x, zero), b.lt(y, end));
    let far = b.select(is_negative, mirrored, far);
    b.select(is_near, near, far)
}

/// The polynomial of [`ERFC`].
fn erfc_rest(b: &mut Builder, y: Value) -> Value {
    let (centre, one, minus_two) = (b.f64(ERFC_CENTRE), b.f64(1.0), b.f64(-2.0));
    // What is taken from 1 is the less exact, the larger it is.
    let (lesser, sum) = (b.lesser(centre, y), b.add(centre, y));
    let share = b.div(lesser, sum);
    let magnitude = b.fma(share, minus_two, one);
    let difference = b.sub(centre, y);
    let t = with_sign_of(b, magnitude, difference);
    let square = b.mul(magnitude, magnitude);
    polynomial(b, t, square, &ERFC)
}

/// 1/(y + [`ERFC_SHIFT`]) = inverse (1 + left)
struct Inverse {
    inverse: Value,
    left: Value,
}

fn inverse_of_sum(b: &mut Builder, y: Value) -> Inverse {
    let (one, shift) = (b.f64(1.0), b.f64(ERFC_SHIFT));
    let divisor = b.add(y, shift);
    // Exact, since the shift has few bits.
    let back = b.sub(divisor, shift);
    let divisor_low = b.sub(y, back);
    let inverse = b.div(one, divisor);
    let minus_inverse = b.neg(inverse);
    let left = b.fma(minus_inverse, divisor, one);
    Inverse { inverse, left: b.fma(minus_inverse, divisor_low, left) }
}

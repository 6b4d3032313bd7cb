//! `exp`, `exp2`, `exp10`, `expm1`: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, and 2^n put on by its bits.
//!
//! No table and no branch. In f64 r is a sum of two floats, of which the polynomial takes the rounded one and the last
//! sums the exact ones: 1 + (r_high + (r_low + r^2 q(r))); less 1 they are (2^n - 1) + 2^n r_high, without error, and the
//! rest. `exp2` has its r, a fraction of 2's exponent, without error, so one product does: 1 + r p(r); `exp10` is
//! `exp2` of a sum of two floats. Coefficients: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR. f64: exp 0.92 ulp, where r is near -ln 2 / 2 (3 * 10^7 inputs: any bits, the whole range,
//! subnormal results, the breaks of the reduction); exp2 0.79, exp10 0.88, expm1 0.92, just above ln 2 / 2 (10^7 inputs each).
//! f32: 0.501 (all 2^32 inputs), but of exp and exp2, which are `single`'s.

use std::f64::consts;

use super::double::{
    Double, ROUNDER, binade, bits, exact_product, float, is_outside, ordered_sum, polynomial, shift_left,
    sum_of_product, widened, with_sign_of,
};
use super::single;
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// ln 2 in two parts.
const LN_2: (f64, f64) = (consts::LN_2, 2.3190468138462996e-17);

/// (e^r - 1 - r) / r^2, to 2^-57.7 of e^r.
const REST: [f64; 10] = [
    0.5000000000000012,
    0.16666666666666471,
    0.04166666666651975,
    0.008333333333458665,
    0.0013888888945921057,
    0.00019841269581196487,
    2.4801491030993337e-05,
    2.755752164644174e-06,
    2.763090755114223e-07,
    2.5020074850572813e-08,
];

/// The same, to 2^-39.4.
const REST_F32: [f64; 7] = [
    0.5000000000743857,
    0.1666666678717443,
    0.04166666305544353,
    0.008333281195479447,
    0.0013889370844999739,
    0.00019909266481153845,
    2.4638566352350512e-05,
];

/// (e^r - 1 - r - r^2/2) / r^3, to 2^-63.5 of e^r.
const EXPM1_REST: [f64; 10] = [
    0.16666666666666685,
    0.041666666666666526,
    0.008333333333315995,
    0.0013888888888968006,
    0.00019841269898513518,
    2.4801587155248963e-05,
    2.7557233039832656e-06,
    2.755741770284334e-07,
    2.511259393317407e-08,
    2.0871063566459838e-09,
];

/// (2^r - 1) / r, to 2^-59.4 of 2^r.
const EXP2: [f64; 12] = [
    consts::LN_2,
    0.2402265069591007,
    0.05550410866482295,
    0.0096181291076296,
    0.0013333558146159895,
    0.00015403530391222027,
    1.5252734041718573e-05,
    1.321548857998994e-06,
    1.0177983457977265e-07,
    7.0542398771522385e-09,
    4.465879448915883e-10,
    2.6632709973920094e-11,
];

/// The same, to 2^-34.1.
const EXP2_F32: [f64; 7] = [
    0.6931471807893514,
    0.24022651072426401,
    0.05550410157008005,
    0.009618037447540247,
    0.0013334080353891952,
    0.0001546694333093438,
    1.5165778203508076e-05,
];

const LN_10_LOW: f64 = -2.1707562233822494e-16;

pub(super) const BIAS: u64 = 1023;
/// n + this is twice the bias plus n: its halves are the biased exponents of two factors of 2^n.
pub(super) const TWO_BIASES: f64 = 2.0 * BIAS as f64;

pub(super) fn exp(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => single::exp(b, x),
        _ => exp_of_f64(b, x),
    }
}

/// `x`, of either float, between bounds behind which nothing but 0 and infinity lie; NaN stays.
pub(super) fn bounded(b: &mut Builder, x: Value, least: f64, greatest: f64) -> Value {
    let dtype = b.dtype(x);
    let (least, greatest) = (b.float(dtype, least), b.float(dtype, greatest));
    let x = b.lesser(greatest, x);
    b.greater(least, x)
}

fn exp_of_f64(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -746.0, 710.0);
    let Reduced { biased, r, rest } = reduce(b, x, None, TWO_BIASES);
    let one = b.f64(1.0);
    let less_one = b.add(r, rest);
    let mantissa = b.add(one, less_one);
    scaled(b, mantissa, biased)
}

pub(super) fn exp2(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => single::exp2(b, x),
        _ => {
            let x = bounded(b, x, -1080.0, 1030.0);
            power_of_two(b, x)
        }
    }
}

pub(super) fn exp10(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let x = bounded(b, x, -50.0, 40.0);
            let factor = b.f64(consts::LOG2_10);
            let x = b.mul(x, factor);
            power_of_two_f32(b, x)
        }),
        _ => {
            let x = bounded(b, x, -325.0, 310.0);
            let (factor, factor_low) = (b.f64(consts::LN_10), b.f64(LN_10_LOW));
            let Double { high, low } = exact_product(b, x, factor);
            let low = b.fma(x, factor_low, low);
            let Reduced { biased, r, rest } = reduce(b, high, Some(low), TWO_BIASES);
            let one = b.f64(1.0);
            let less_one = b.add(r, rest);
            let mantissa = b.add(one, less_one);
            scaled(b, mantissa, biased)
        }
    }
}

/// 2^x for x between -1080 and 1030.
fn power_of_two(b: &mut Builder, x: Value) -> Value {
    let rounder = b.f64(ROUNDER + TWO_BIASES);
    let biased = b.add(x, rounder);
    let n = b.sub(biased, rounder);
    let r = b.sub(x, n);
    let square = b.mul(r, r);
    // The leading coefficient comes last and by itself: that rounds once where it weighs most.
    let rest = polynomial(b, r, square, &EXP2[1..]);
    let (first, one) = (b.f64(EXP2[0]), b.f64(1.0));
    let factor = b.fma(r, rest, first);
    let mantissa = b.fma(r, factor, one);
    let biased = bits(b, biased);
    scaled(b, mantissa, biased)
}

/// 2^x in f64, right for f32: relative error 2^-34.
fn power_of_two_f32(b: &mut Builder, x: Value) -> Value {
    let rounder = b.f64(ROUNDER + BIAS as f64);
    let scale = b.add(x, rounder);
    let n = b.sub(scale, rounder);
    let r = b.sub(x, n);
    let square = b.mul(r, r);
    let factor = polynomial(b, r, square, &EXP2_F32);
    let less_one = b.mul(r, factor);
    let scale = bits(b, scale);
    let scale = binade(b, scale);
    b.fma(less_one, scale, scale)
}

pub(super) fn expm1(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| {
            let within = bounded(b, x, -50.0, 100.0);
            let result = expm1_of_f32(b, within);
            with_sign_of(b, result, x)
        }),
        _ => {
            let within = bounded(b, x, -50.0, 710.0);
            let Double { high, low } = half_expm1(b, within);
            let half = b.add(high, low);
            let result = b.add(half, half);
            // Half a subnormal may not be one, and a sum has lost the sign of -0.
            let (magnitude, tiny) = (b.abs(x), b.f64(f64::EPSILON / 4.0));
            let is_tiny = b.lt(magnitude, tiny);
            b.select(is_tiny, x, result)
        }
    }
}

/// (e^x - 1) / 2 for x from -50 to 710.
fn half_expm1(b: &mut Builder, x: Value) -> Double {
    // By half, since 2^n may be beyond f64.
    let bias = BIAS as f64 - 1.0;
    let biased = biased_exponent(b, x, bias);
    let Parts { power, whole, r, half_square, rest } = parts(b, x, bias, biased);
    // From 2^54 up 1/2 gets lost.
    let (half, back) = (b.f64(0.5), b.sub(power, whole));
    let low = b.sub(back, half);
    let low = b.fma(power, rest, low);
    let sum = sum_of_product(b, power, r, whole);
    let low = b.add(low, sum.low);
    // Where 2^n r nearly cancels `whole`, the square weighs too much for one rounding.
    let sum = sum_of_product(b, power, half_square, sum.high);
    Double { high: sum.high, low: b.add(low, sum.low) }
}

/// e^x - 1 = whole + power (r + `half_square` + rest), with a `whole` that is rounded.
struct Parts {
    power: Value,
    whole: Value,
    r: Value,
    half_square: Value,
    rest: Value,
}

/// The parts times 2^(`bias` - 1023).
fn parts(b: &mut Builder, x: Value, bias: f64, biased: Value) -> Parts {
    let Fraction { biased, r, r_low, rounded, .. } = fraction_behind(b, x, None, bias, biased);
    let (half, square) = (b.f64(0.5), b.mul(rounded, rounded));
    let rest = polynomial(b, rounded, square, &EXPM1_REST);
    let (half_r, cube) = (b.mul(half, rounded), b.mul(square, rounded));
    let half_square = b.mul(half_r, rounded);
    let power = binade(b, biased);
    let one = b.f64((bias - BIAS as f64).exp2());
    Parts { power, whole: b.sub(power, one), r, half_square, rest: b.fma(cube, rest, r_low) }
}

/// e^x - 1 in f64, right for f32: relative error 2^-37.
pub(super) fn expm1_of_f32(b: &mut Builder, x: Value) -> Value {
    let (less_one, scale) = reduce_in_one_step(b, x, &REST_F32);
    let one = b.f64(1.0);
    let whole = b.sub(scale, one);
    b.fma(less_one, scale, whole)
}

/// e^x in the making.
pub(super) struct Power {
    exponent: Value,
    /// e^r - 1, e^x being 2^n e^r.
    less_one: Value,
    biased: Value,
    /// The result if not [`Power::is_extreme`].
    pub(super) usual: Value,
}

/// e^(x + late), `late` being two factors that are known last. n, the power of two, does not wait for them: it is the integer
/// nearest to the product of `near`, which must be within 2^-7 of (x + late) / ln 2, as must be `late`.
///
/// Whatever e^x is, if `x.high` is infinite or NaN.
pub(super) fn exp_of_sum(b: &mut Builder, x: Double, late: [Value; 2], near: [Value; 2]) -> Power {
    let bias = BIAS as f64;
    let biased = biased_product(b, near, bias);
    let fraction = fraction_behind(b, x.high, Some(x.low), bias, biased);
    let r_low = b.fma(late[0], late[1], fraction.r_low);
    let rounded = b.add(fraction.r, r_low);
    let Reduced { biased, r, rest } = reduced(b, Fraction { r_low, rounded, ..fraction });
    let less_one = b.add(r, rest);
    let scale = binade(b, biased);
    Power { exponent: x.high, less_one, biased, usual: b.fma(less_one, scale, scale) }
}

/// e^x of a sum of two floats between -1400 and 1400 as a sum times a power of two, which [`scaled`] puts on.
pub(super) fn exp_parts(b: &mut Builder, x: Double) -> (Double, Value) {
    let Reduced { biased, r, rest } = reduce(b, x.high, Some(x.low), TWO_BIASES);
    let one = b.f64(1.0);
    let sum = ordered_sum(b, one, r);
    (Double { high: sum.high, low: b.add(sum.low, rest) }, biased)
}

/// e^x of a sum of two floats between -800 and 0 as a sum times a power of two.
pub(super) fn decayed(b: &mut Builder, x: Double) -> (Double, Scale) {
    let Reduced { biased, r, rest } = reduce(b, x.high, Some(x.low), BIAS as f64 + UP);
    let one = b.f64(1.0);
    let sum = ordered_sum(b, one, r);
    (Double { high: sum.high, low: b.add(sum.low, rest) }, Scale(binade(b, biased)))
}

/// So many binades above a power of two of which a subnormal result may come.
const UP: f64 = 128.0;

/// A power of two, [`UP`] too high.
pub(super) struct Scale(Value);

impl Scale {
    /// The second step rounds where the result is subnormal, the first never.
    pub(super) fn apply(&self, b: &mut Builder, x: Value) -> Value {
        let down = b.f64((-UP).exp2());
        let x = b.mul(x, self.0);
        b.mul(x, down)
    }
}

/// 2^n and e^r, their product being e^x to 2^-51 for x from -40 to 0.
pub(super) fn rough_exp(b: &mut Builder, x: Value) -> (Value, Value) {
    let (less_one, power) = reduce_in_one_step(b, x, &REST);
    let one = b.f64(1.0);
    (power, b.add(one, less_one))
}

/// e^(x + low), for |x| up to 1400, as a sum of two floats times 2^n; last n and twice the bias.
pub(super) fn exp_double(b: &mut Builder, x: Value, low: Option<Value>) -> (Double, Value, Value) {
    let Fraction { biased, n, r, r_low, rounded } = fraction(b, x, low, TWO_BIASES);
    let (half, one, square) = (b.f64(0.5), b.f64(1.0), b.mul(rounded, rounded));
    let rest = polynomial(b, rounded, square, &EXPM1_REST);
    let (half_r, cube) = (b.mul(half, rounded), b.mul(square, rounded));
    let half_square = b.mul(half_r, rounded);
    let rest = b.fma(cube, rest, r_low);
    let rest = b.add(half_square, rest);
    let sum = ordered_sum(b, one, r);
    let low = b.add(sum.low, rest);
    (ordered_sum(b, sum.high, low), n, biased)
}

impl Power {
    /// Whether the result may overflow or be subnormal, or is no number.
    pub(super) fn is_extreme(&self, b: &mut Builder) -> Value {
        let biased = b.bitcast(self.biased, DType::I64);
        // The biased exponents of normal numbers start at 1.
        let least = ROUNDER.to_bits() + 1;
        is_outside(b, biased, least, least + 2 * BIAS - 1)
    }

    /// The result in any case but that of NaN.
    pub(super) fn any(&self, b: &mut Builder) -> Value {
        let bias = b.element(BIAS);
        let biased = b.add(self.biased, bias);
        let one = b.f64(1.0);
        let mantissa = b.add(one, self.less_one);
        let result = scaled(b, mantissa, biased);
        let (zero, infinity) = (b.f64(0.0), b.f64(f64::INFINITY));
        let grows = b.gt(self.exponent, zero);
        let limit = b.select(grows, infinity, zero);
        let beyond = b.f64(746.0);
        let magnitude = b.abs(self.exponent);
        let is_within = b.lt(magnitude, beyond);
        b.select(is_within, result, limit)
    }
}

/// x + low = n ln 2 + r + `r_low`, with n + `bias` in the low bits of `biased` (u64).
pub(super) struct Fraction {
    pub(super) biased: Value,
    pub(super) n: Value,
    pub(super) r: Value,
    pub(super) r_low: Value,
    /// Both parts as one float.
    pub(super) rounded: Value,
}

pub(super) fn fraction(b: &mut Builder, x: Value, low: Option<Value>, bias: f64) -> Fraction {
    let biased = biased_exponent(b, x, bias);
    fraction_behind(b, x, low, bias, biased)
}

/// A sum in whose low bits n + `bias` stands.
fn biased_exponent(b: &mut Builder, x: Value, bias: f64) -> Value {
    let per_ln2 = b.f64(consts::LOG2_E);
    biased_product(b, [x, per_ln2], bias)
}

/// The same with n the integer nearest to the product.
fn biased_product(b: &mut Builder, [x, y]: [Value; 2], bias: f64) -> Value {
    let rounder = b.f64(ROUNDER + bias);
    b.fma(x, y, rounder)
}

fn fraction_behind(b: &mut Builder, x: Value, low: Option<Value>, bias: f64, biased: Value) -> Fraction {
    let rounder = b.f64(ROUNDER + bias);
    let n = b.sub(biased, rounder);
    // Exact: a multiple of 2^-53 below 1/2, unless n is 0.
    let minus_ln2 = b.f64(-LN_2.0);
    let r = b.fma(n, minus_ln2, x);
    let minus_ln2_low = b.f64(-LN_2.1);
    let r_low = match low {
        Some(low) => b.fma(n, minus_ln2_low, low),
        None => b.mul(n, minus_ln2_low),
    };
    Fraction { biased: bits(b, biased), n, r, r_low, rounded: b.add(r, r_low) }
}

/// e^(x + low) = 2^n (1 + r + rest), with n + `bias` in the low bits of `biased` (u64).
struct Reduced {
    biased: Value,
    r: Value,
    rest: Value,
}

fn reduce(b: &mut Builder, x: Value, low: Option<Value>, bias: f64) -> Reduced {
    let fraction = fraction(b, x, low, bias);
    reduced(b, fraction)
}

fn reduced(b: &mut Builder, fraction: Fraction) -> Reduced {
    let Fraction { biased, r, r_low, rounded, .. } = fraction;
    let square = b.mul(rounded, rounded);
    let rest = polynomial(b, rounded, square, &REST);
    Reduced { biased, r, rest: b.fma(square, rest, r_low) }
}

/// 2^n and e^r - 1, e^x being 2^n e^r, for |x| up to 708.
pub(super) fn exp_less_one(b: &mut Builder, x: Value) -> (Value, Value) {
    let Reduced { biased, r, rest } = reduce(b, x, None, BIAS as f64);
    (binade(b, biased), b.add(r, rest))
}

/// `x` times 2^n, given n + [`TWO_BIASES`], in two steps: the second rounds where the result is subnormal, the first never.
pub(super) fn scaled(b: &mut Builder, x: Value, biased: Value) -> Value {
    let [first, second] = scale_factors(b, biased);
    let x = b.mul(x, first);
    b.mul(x, second)
}

/// Two factors of 2^n, given n + [`TWO_BIASES`].
pub(super) fn scale_factors(b: &mut Builder, biased: Value) -> [Value; 2] {
    let one = b.element(1_u64);
    let half = b.shr(biased, one);
    let first = shift_left(b, half, 52);
    let both = shift_left(b, biased, 52);
    let second = b.sub(both, first);
    [float(b, first), float(b, second)]
}

/// The same for -n.
pub(super) fn negated(b: &mut Builder, biased: Value) -> Value {
    let twice = b.element((ROUNDER + TWO_BIASES).to_bits().wrapping_mul(2));
    b.sub(twice, biased)
}

/// x 2^n for an integer n and an `x` between 2^-513 and 2^513.
pub(super) fn times_power_of_two(b: &mut Builder, x: Value, n: Value) -> Value {
    let n = bounded(b, n, -2000.0, 2000.0);
    let rounder = b.f64(ROUNDER + TWO_BIASES);
    let biased = b.add(n, rounder);
    let biased = bits(b, biased);
    scaled(b, x, biased)
}

/// e^x in f64, right for f32: relative error 2^-39.
pub(super) fn exp_of_f32(b: &mut Builder, x: Value) -> Value {
    let x = bounded(b, x, -110.0, 100.0);
    let (less_one, scale) = reduce_in_one_step(b, x, &REST_F32);
    b.fma(less_one, scale, scale)
}

/// e^r - 1, by a polynomial `rest` for (e^r - 1 - r) / r^2, and 2^n: e^x is their product and 2^n. The second part of ln 2 is left out.
fn reduce_in_one_step(b: &mut Builder, x: Value, rest: &[f64]) -> (Value, Value) {
    let bias = BIAS as f64;
    let biased = biased_exponent(b, x, bias);
    let (rounder, minus_ln2) = (b.f64(ROUNDER + bias), b.f64(-LN_2.0));
    let n = b.sub(biased, rounder);
    let r = b.fma(n, minus_ln2, x);
    let square = b.mul(r, r);
    let rest = polynomial(b, r, square, rest);
    let less_one = b.fma(square, rest, r);
    let biased = bits(b, biased);
    (less_one, binade(b, biased))
}

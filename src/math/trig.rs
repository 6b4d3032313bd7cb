//! `sin`, `cos`, `tan`, `sinpi`, `cospi`, `sinc`: |x| = n pi/2 + r with |r| <= pi/4, a polynomial for sin r and one for cos r; n chooses.
//!
//! Both functions make the same reduction, value for value, so that sharing equal values merges them. Up to
//! [`NEAR`] (f64) pi/2 is taken off in three parts with fma, the first two steps without error (Cody and Waite);
//! beyond, in a region that rarely runs, x is multiplied by 2/pi to 212 bits behind the ones that only add whole turns
//! (Payne and Hanek). The tangent is 2t / (1 - t^2) with t = tan(r/2), of floats in pairs. Coefficients and bits: `scripts/coefficients.py`.
//!
//! Greatest error against MPFR: f64 0.92 ulp, near odd multiples of pi/4 (3 * 10^7 inputs: any bits, small and large,
//! multiples of pi/4, and those nearest to a multiple of pi/2 in every binade, whose r is 2^-61 at least); f32 0.5018
//! ulp (all 2^32 inputs). f64: tan 0.86 ulp, sinpi 0.99 (next to subnormals; else 0.92), cospi 0.94, sinc 0.93
//! (10^7 inputs each); f32 0.502 (10^6).

use std::f64::consts;

use super::double::{
    Double, ROUNDER, SIGN, bits, exact_product, exact_sum, float, ordered_sum, polynomial, quotient, shift_left,
};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

const HALF_PI: (f64, f64) = (consts::FRAC_PI_2, 6.123233995736766e-17);
/// The second has 29 bits: its product with an n below 2^24 is exact.
const HALF_PI_PARTS: (f64, f64, f64) = (consts::FRAC_PI_2, 6.12323399409214e-17, 1.6446256936324258e-26);

/// 2^24 pi/2.
const NEAR: f64 = 26353589.0;
/// Up to here pi/2 in two parts is good for an f32.
const NEAR_F32: f64 = 274877906944.0; // 2^38

/// (sin r - r) / r^3 in powers of r^2, to 2^-57.8 of the sine.
const SIN: [f64; 6] = [
    -0.1666666666666663,
    0.008333333333321973,
    -0.00019841269829520692,
    2.7557313607067274e-06,
    -2.5050746453348854e-08,
    1.589618977343222e-10,
];
/// The same, to 2^-37.5.
const SIN_F32: [f64; 4] = [-0.1666666664093631, 0.008333329327156684, -0.00019839319768573637, 2.718191240376133e-06];

/// (1 - r^2/2 - cos r) / r^4 in powers of r^2, to 2^-63.5 of the cosine.
const LESS_COS: [f64; 6] = [
    -0.041666666666666595,
    0.001388888888887346,
    -2.4801587289117357e-05,
    2.755731425770238e-07,
    -2.0875711542211635e-09,
    1.1359087310084711e-11,
];
/// The negative, to 2^-32.6.
const COS_F32: [f64; 3] = [0.04166664622447496, -0.0013887340870370366, 2.4435779096795385e-05];

/// (2 tan(r/2) - r) / r^3 in powers of r^2, to 2^-58.7 of the tangent.
const TWICE_TAN_HALF: [f64; 9] = [
    0.08333333333333377,
    0.00833333333330521,
    0.0008432539688770462,
    8.542768281838096e-05,
    8.655545095178331e-06,
    8.768302089758514e-07,
    8.920670423509795e-08,
    8.530935031888184e-09,
    1.2541968209737491e-09,
];

/// 2/pi behind the point.
const TWO_PER_PI_BITS: [u64; 19] = [
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
];
/// The exponents that share an entry of the tables, the least of them, and the number of entries.
const GROUP: i32 = 32;
const FIRST_EXPONENT: i32 = 24;
const GROUPS: i32 = 32;
/// x is scaled down and 2/pi up by this power of two, so that neither leaves the normal numbers.
const SCALE: i32 = 128;

/// What is left of |x|, and in the low two bits of `quadrant` (u64) how often pi/2 was taken off.
#[derive(Clone, Copy)]
struct Reduced {
    r: Double,
    quadrant: Value,
}

pub(super) fn sin(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced(b, x, dtype);
    let (sin, cos) = (sin_of(b, reduced, dtype), cos_of(b, reduced, dtype));
    let magnitude = choose(b, reduced.quadrant, cos, sin);
    let turned = shift_left(b, reduced.quadrant, 62);
    let x = bits(b, x);
    let turned = b.xor(turned, x);
    let result = signed(b, magnitude, turned);
    b.cast(result, dtype)
}

pub(super) fn cos(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced(b, x, dtype);
    let result = cos_of_reduced(b, reduced, dtype);
    b.cast(result, dtype)
}

fn cos_of_reduced(b: &mut Builder, reduced: Reduced, dtype: DType) -> Value {
    let (sin, cos) = (sin_of(b, reduced, dtype), cos_of(b, reduced, dtype));
    let magnitude = choose(b, reduced.quadrant, sin, cos);
    // Quadrants 1 and 2 are the negative ones.
    let one = b.element(1_u64);
    let next = b.add(reduced.quadrant, one);
    let turned = shift_left(b, next, 62);
    signed(b, magnitude, turned)
}

pub(super) fn tan(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced(b, x, dtype);
    let magnitude = match dtype {
        DType::F32 => {
            let (sin, cos) = (sin_of(b, reduced, dtype), cos_of(b, reduced, dtype));
            let above = choose(b, reduced.quadrant, cos, sin);
            let below = choose(b, reduced.quadrant, sin, cos);
            b.div(above, below)
        }
        _ => tan_f64(b, reduced),
    };
    let turned = shift_left(b, reduced.quadrant, 63);
    let x = bits(b, x);
    let turned = b.xor(turned, x);
    let result = signed(b, magnitude, turned);
    b.cast(result, dtype)
}

pub(super) fn sinpi(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced_half_turns(b, x);
    let magnitude = sinpi_of_magnitude(b, reduced, dtype);
    let x = bits(b, x);
    let result = signed(b, magnitude, x);
    b.cast(result, dtype)
}

fn sinpi_of_magnitude(b: &mut Builder, reduced: Reduced, dtype: DType) -> Value {
    let (sin, cos) = (sin_of(b, reduced, dtype), cos_of(b, reduced, dtype));
    let magnitude = choose(b, reduced.quadrant, cos, sin);
    let turned = shift_left(b, reduced.quadrant, 62);
    let result = signed(b, magnitude, turned);
    unsigned_zero(b, result)
}

pub(super) fn cospi(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced_half_turns(b, x);
    let result = cos_of_reduced(b, reduced, dtype);
    let result = unsigned_zero(b, result);
    b.cast(result, dtype)
}

/// sin(pi x) / (pi x); 1 about 0.
pub(super) fn sinc(b: &mut Builder, x: Value) -> Value {
    let dtype = b.dtype(x);
    let x = b.cast(x, DType::F64);
    let reduced = reduced_half_turns(b, x);
    // From 2^53 up every number is whole.
    let (magnitude, greatest) = (b.abs(x), b.f64(f64::from(60).exp2()));
    let within = b.lesser(greatest, magnitude);
    let angle = times_pi(b, within);
    let ratio = match dtype {
        DType::F32 => {
            let sin = sinpi_of_magnitude(b, reduced, dtype);
            b.div(sin, angle.high)
        }
        _ => {
            let (sin, cos) = (sin_double(b, reduced.r), cos_double(b, reduced.r));
            let sin = chosen(b, reduced.quadrant, cos, sin);
            let ratio = quotient(b, sin, angle);
            let turned = shift_left(b, reduced.quadrant, 62);
            let ratio = signed(b, ratio, turned);
            unsigned_zero(b, ratio)
        }
    };
    let (one, tiny) = (b.f64(1.0), b.f64(f64::from(-30).exp2()));
    let is_tiny = b.lt(magnitude, tiny);
    let result = b.select(is_tiny, one, ratio);
    b.cast(result, dtype)
}

/// 0 for -0.
fn unsigned_zero(b: &mut Builder, x: Value) -> Value {
    let zero = b.f64(0.0);
    b.add(x, zero)
}

fn times_pi(b: &mut Builder, x: Value) -> Double {
    let (pi, pi_low) = (b.f64(consts::PI), b.f64(2.0 * HALF_PI.1));
    let product = exact_product(b, x, pi);
    Double { high: product.high, low: b.fma(x, pi_low, product.low) }
}

/// pi |x| in quarter turns.
fn reduced_half_turns(b: &mut Builder, x: Value) -> Reduced {
    let (half, minus_two, minus_half) = (b.f64(0.5), b.f64(-2.0), b.f64(-0.5));
    let magnitude = b.abs(x);
    // Whole turns off, exactly.
    let turns = b.mul(magnitude, half);
    let turns = b.round(turns);
    let rest = b.fma(turns, minus_two, magnitude);
    let (rounder, two) = (b.f64(ROUNDER), b.f64(2.0));
    let sum = b.fma(rest, two, rounder);
    let n = b.sub(sum, rounder);
    let rest = b.fma(n, minus_half, rest);
    Reduced { r: times_pi(b, rest), quadrant: bits(b, sum) }
}

fn sin_of(b: &mut Builder, reduced: Reduced, dtype: DType) -> Value {
    match dtype {
        DType::F32 => sin_f32(b, reduced),
        _ => sin_f64(b, reduced),
    }
}

fn cos_of(b: &mut Builder, reduced: Reduced, dtype: DType) -> Value {
    match dtype {
        DType::F32 => cos_f32(b, reduced),
        _ => cos_f64(b, reduced),
    }
}

/// With t = 2 tan(r/2) it is t / (1 - t^2/4), or in the odd quadrants the inverse of that.
fn tan_f64(b: &mut Builder, reduced: Reduced) -> Value {
    let Double { high: r, low } = reduced.r;
    let (minus_quarter, one) = (b.f64(-0.25), b.f64(1.0));
    let square = b.mul(r, r);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &TWICE_TAN_HALF);
    let cube = b.mul(square, r);
    let rest = b.fma(cube, rest, low);
    let t = ordered_sum(b, r, rest);
    let factor = b.mul(minus_quarter, t.high);
    let less = exact_product(b, factor, t.high);
    let sum = ordered_sum(b, one, less.high);
    let (low, twice) = (b.add(sum.low, less.low), b.add(factor, factor));
    let less = Double { high: sum.high, low: b.fma(twice, t.low, low) };
    let above = chosen(b, reduced.quadrant, less, t);
    let below = chosen(b, reduced.quadrant, t, less);
    quotient(b, above, below)
}

fn chosen(b: &mut Builder, quadrant: Value, odd: Double, even: Double) -> Double {
    Double { high: choose(b, quadrant, odd.high, even.high), low: choose(b, quadrant, odd.low, even.low) }
}

/// The reduction of |x|, near or far, in f64.
fn reduced(b: &mut Builder, x: Value, dtype: DType) -> Reduced {
    let magnitude = b.abs(x);
    let (near, limit) = match dtype {
        DType::F32 => (near_f32(b, magnitude), NEAR_F32),
        _ => (near_f64(b, magnitude), NEAR),
    };
    let limit = b.f64(limit);
    let is_far = b.gt(magnitude, limit);
    let parts = b.when(is_far, &[near.r.high, near.r.low, near.quadrant], |b| {
        let far = far(b, magnitude);
        vec![far.r.high, far.r.low, far.quadrant]
    });
    Reduced { r: Double { high: parts[0], low: parts[1] }, quadrant: parts[2] }
}

fn choose(b: &mut Builder, quadrant: Value, odd: Value, even: Value) -> Value {
    let (one, zero) = (b.element(1_u64), b.element(0_u64));
    let low = b.and(quadrant, one);
    let is_even = b.eq(low, zero);
    b.select(is_even, even, odd)
}

/// `x` with its sign turned if the highest bit of `turned` is set.
fn signed(b: &mut Builder, x: Value, turned: Value) -> Value {
    let sign = b.element(SIGN);
    let turned = b.and(turned, sign);
    let x = bits(b, x);
    let x = b.xor(x, turned);
    float(b, x)
}

/// n, and the sum in whose low bits it stands.
fn quarter_turns(b: &mut Builder, x: Value) -> (Value, Value) {
    let (rounder, two_per_pi) = (b.f64(ROUNDER), b.f64(consts::FRAC_2_PI));
    let sum = b.fma(x, two_per_pi, rounder);
    (b.sub(sum, rounder), bits(b, sum))
}

fn near_f64(b: &mut Builder, x: Value) -> Reduced {
    let (n, quadrant) = quarter_turns(b, x);
    let parts = HALF_PI_PARTS;
    let (first, second, third) = (b.f64(-parts.0), b.f64(-parts.1), b.f64(-parts.2));
    // Exact: a multiple of 2^-53 below 1.
    let r = b.fma(n, first, x);
    let high = b.fma(n, second, r);
    let left = b.sub(r, high);
    let left = b.fma(n, second, left);
    Reduced { r: Double { high, low: b.fma(n, third, left) }, quadrant }
}

fn near_f32(b: &mut Builder, x: Value) -> Reduced {
    let (n, quadrant) = quarter_turns(b, x);
    let (first, second) = (b.f64(-HALF_PI.0), b.f64(-HALF_PI.1));
    let r = b.fma(n, first, x);
    let high = b.fma(n, second, r);
    Reduced { r: Double { high, low: high }, quadrant }
}

/// The reduction of `x` from 2^[`FIRST_EXPONENT`] up; NaN for infinity.
fn far(b: &mut Builder, x: Value) -> Reduced {
    let exponent = bits(b, x);
    let (width, first) = (b.element(52_u64), b.element((1023 + FIRST_EXPONENT) as u64));
    let exponent = b.shr(exponent, width);
    let above = b.sub(exponent, first);
    let group = b.element(u64::from(GROUP.ilog2()));
    let group = b.shr(above, group);
    let group = b.bitcast(group, DType::I64);
    let down = b.f64(power_of_two(-SCALE));
    let x = b.mul(x, down);

    let part = |b: &mut Builder, k: i32| b.table(&table(k), DType::F64, group);
    let parts = [part(b, 0), part(b, 1), part(b, 2), part(b, 3)];
    let [p0, p1, p2] = [0, 1, 2].map(|k| exact_product(b, x, parts[k]));
    let p3 = b.mul(x, parts[3]);

    // Whole quarter turns come off the larger products; the fractions left have few enough bits to add without error.
    let (whole0, rest0) = whole(b, p0.high);
    let (whole1, rest1) = whole(b, p0.low);
    let (whole2, rest2) = whole(b, p1.high);
    let rest = b.add(rest0, rest1);
    let rest = exact_sum(b, rest, rest2);
    let (whole3, rest3) = whole(b, rest.high);
    let quarter = b.f64(0.25);
    let minus_four = b.f64(-4.0);
    let turns = b.mul(whole0, quarter);
    let turns = b.floor(turns);
    let whole0 = b.fma(turns, minus_four, whole0);
    let n = b.add(whole0, whole1);
    let n = b.add(n, whole2);
    let n = b.add(n, whole3);
    let rounder = b.f64(ROUNDER);
    let n = b.add(n, rounder);

    let small = exact_sum(b, p2.high, p1.low);
    let sum = exact_sum(b, rest3, small.high);
    let low = b.add(p2.low, p3);
    let low = b.add(small.low, low);
    let low = b.add(rest.low, low);
    let low = b.add(sum.low, low);
    let turn = ordered_sum(b, sum.high, low);

    let (half_pi, half_pi_low) = (b.f64(HALF_PI.0), b.f64(HALF_PI.1));
    let r = exact_product(b, turn.high, half_pi);
    let low = b.fma(turn.high, half_pi_low, r.low);
    let low = b.fma(turn.low, half_pi, low);
    let r = ordered_sum(b, r.high, low);
    Reduced { r, quadrant: bits(b, n) }
}

/// The nearest integer and the rest.
fn whole(b: &mut Builder, x: Value) -> (Value, Value) {
    let whole = b.round(x);
    (whole, b.sub(x, whole))
}

/// For each group of exponents the k-th 53 bits of 2/pi, from the first whose product with such an x is not whole turns.
fn table(k: i32) -> Vec<u64> {
    let entry = |group: i32| {
        // An x of the group is a multiple of 2^(least - 52).
        let least = FIRST_EXPONENT + group * GROUP;
        let first = least - 53 + 53 * k;
        let field = (first..first + 53).fold(0, |field, place| (field << 1) | two_per_pi_bit(place));
        // In two steps, since the power itself may be too small for an f64.
        let exponent = SCALE - first - 52;
        (field as f64 * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2)).to_bits()
    };
    (0..GROUPS).map(entry).collect()
}

/// The bit of 2/pi that is worth 2^-place.
fn two_per_pi_bit(place: i32) -> u64 {
    if place < 1 {
        return 0;
    }
    let place = place as usize - 1;
    TWO_PER_PI_BITS[place / 64] >> (63 - place % 64) & 1
}

/// 2^exponent, a normal number.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

fn sin_f64(b: &mut Builder, reduced: Reduced) -> Value {
    let Double { high: r, low } = reduced.r;
    let square = b.mul(r, r);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &SIN);
    let cube = b.mul(square, r);
    let rest = b.fma(cube, rest, low);
    b.add(r, rest)
}

/// With r^3, too, as a sum of two floats.
fn sin_double(b: &mut Builder, r: Double) -> Double {
    let Double { high: r, low } = r;
    let (square, sixth) = (exact_product(b, r, r), b.f64(-1.0 / 6.0));
    let cube = exact_product(b, square.high, r);
    let cube_low = b.fma(square.low, r, cube.low);
    let low = b.fma(cube_low, sixth, low);
    let fourth = b.mul(square.high, square.high);
    let rest = polynomial(b, square.high, fourth, &SIN[1..]);
    let first = b.f64(SIN[0]);
    let rest = b.fma(square.high, rest, first);
    let rest = b.fma(cube.high, rest, low);
    ordered_sum(b, r, rest)
}

fn cos_f64(b: &mut Builder, reduced: Reduced) -> Value {
    let (one, less) = (b.f64(1.0), less_cos(b, reduced.r));
    let less = b.sub(less.low, less.high);
    b.sub(one, less)
}

fn cos_double(b: &mut Builder, r: Double) -> Double {
    let (one, less) = (b.f64(1.0), less_cos(b, r));
    let sum = ordered_sum(b, one, less.high);
    let low = b.sub(sum.low, less.low);
    ordered_sum(b, sum.high, low)
}

/// 1 - cos r = low - high, in which high is -r^2/2, rounded.
fn less_cos(b: &mut Builder, r: Double) -> Double {
    let Double { high: r, low } = r;
    let (half, minus_half) = (b.f64(0.5), b.f64(-0.5));
    let square = b.mul(r, r);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &LESS_COS);
    // What the rounding of r^2/2 and `low` leave out of it.
    let minus_half_square = b.mul(minus_half, square);
    let half_r = b.mul(half, r);
    let left = b.fma(half_r, r, minus_half_square);
    let left = b.fma(r, low, left);
    Double { high: minus_half_square, low: b.fma(fourth, rest, left) }
}

fn sin_f32(b: &mut Builder, reduced: Reduced) -> Value {
    let r = reduced.r.high;
    let square = b.mul(r, r);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &SIN_F32);
    let cube = b.mul(square, r);
    b.fma(cube, rest, r)
}

fn cos_f32(b: &mut Builder, reduced: Reduced) -> Value {
    let r = reduced.r.high;
    let square = b.mul(r, r);
    let fourth = b.mul(square, square);
    let rest = polynomial(b, square, fourth, &COS_F32);
    let (one, minus_half) = (b.f64(1.0), b.f64(-0.5));
    let start = b.fma(square, minus_half, one);
    b.fma(fourth, rest, start)
}

/// sin(pi x) for an `x` from 0 to 1/2.
pub(super) fn sin_of_half_turns(b: &mut Builder, x: Value) -> Double {
    let (quarter, half) = (b.f64(0.25), b.f64(0.5));
    let (is_far, less) = (b.gt(x, quarter), b.sub(half, x));
    let x = b.select(is_far, less, x);
    let r = times_pi(b, x);
    let (sin, cos) = (sin_double(b, r), cos_double(b, r));
    Double { high: b.select(is_far, cos.high, sin.high), low: b.select(is_far, cos.low, sin.low) }
}

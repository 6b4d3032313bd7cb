//! Vectors of 256 bits by hand, as many side by side as the loop asks for: five workloads of the suite by the algorithms of
//! numlift's own library, to its accuracy. What a compiler and a patient author reach with the same arithmetic.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::{CHUNK, HORNER, Peer, Workers};
use crate::workloads::Case;

/// `U` vectors of four f64 each.
type Wide<const U: usize> = [__m256d; U];

macro_rules! lanewise {
    ($($name:ident($($x:ident),+) = $op:ident;)+) => { $(
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        fn $name<const U: usize>($($x: Wide<U>),+) -> Wide<U> {
            from_fn(|u| $op($($x[u]),+))
        }
    )+ };
}

lanewise! {
    add(x, y) = _mm256_add_pd;
    sub(x, y) = _mm256_sub_pd;
    mul(x, y) = _mm256_mul_pd;
    div(x, y) = _mm256_div_pd;
    lesser(x, y) = _mm256_min_pd;
    greater(x, y) = _mm256_max_pd;
    sqrt(x) = _mm256_sqrt_pd;
    // x y + z, z - x y, x y - z
    fma(x, y, z) = _mm256_fmadd_pd;
    minus_product(x, y, z) = _mm256_fnmadd_pd;
    product_less(x, y, z) = _mm256_fmsub_pd;
    choose(no, yes, mask) = _mm256_blendv_pd;
    below(x, y) = less;
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn less(x: __m256d, y: __m256d) -> __m256d {
    _mm256_cmp_pd::<_CMP_LT_OQ>(x, y)
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn all<const U: usize>(x: f64) -> Wide<U> {
    [_mm256_set1_pd(x); U]
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn magnitude<const U: usize>(x: Wide<U>) -> Wide<U> {
    let sign = _mm256_set1_pd(-0.0);
    from_fn(|u| _mm256_andnot_pd(sign, x[u]))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn with_sign_of<const U: usize>(x: Wide<U>, y: Wide<U>) -> Wide<U> {
    let sign = _mm256_set1_pd(-0.0);
    from_fn(|u| _mm256_or_pd(x[u], _mm256_and_pd(y[u], sign)))
}

/// The bits moved up by 52: a small integer in the low bits becomes an exponent.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn as_exponent(x: __m256i) -> __m256i {
    _mm256_slli_epi64::<52>(x)
}

/// As the library's: even and odd powers apart.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn polynomial<const U: usize, const N: usize>(x: Wide<U>, square: Wide<U>, coefficients: &[f64; N]) -> Wide<U> {
    let top = N - 1;
    let (mut first, mut second) = (all(coefficients[top]), all(coefficients[top - 1]));
    for k in (0..top - 1).rev() {
        if (top - k).is_multiple_of(2) {
            first = fma(first, square, all(coefficients[k]));
        } else {
            second = fma(second, square, all(coefficients[k]));
        }
    }
    if top % 2 == 1 { fma(first, x, second) } else { fma(second, x, first) }
}

const ROUNDER: f64 = 6755399441055744.0;
const TWO_BIASES: f64 = 2046.0;
const LN_2: (f64, f64) = (std::f64::consts::LN_2, 2.3190468138462996e-17);

/// See `src/math/exp.rs`.
const EXP: [f64; 10] = [
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

/// e^(x + low) = 2^n (1 + r + rest), with n + [`TWO_BIASES`] in the low bits of the first.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn reduced<const U: usize>(x: Wide<U>, low: Wide<U>) -> (Wide<U>, Wide<U>, Wide<U>) {
    let rounder = all(ROUNDER + TWO_BIASES);
    let biased = fma(x, all(std::f64::consts::LOG2_E), rounder);
    let n = sub(biased, rounder);
    let r = fma(n, all(-LN_2.0), x);
    let r_low = fma(n, all(-LN_2.1), low);
    let rounded = add(r, r_low);
    let square = mul(rounded, rounded);
    let rest = polynomial(rounded, square, &EXP);
    (biased, r, fma(square, rest, r_low))
}

/// Times a power of two in two steps, so that a subnormal result is rounded once.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn scaled<const U: usize>(x: Wide<U>, biased: Wide<U>) -> Wide<U> {
    from_fn(|u| {
        let bits = _mm256_castpd_si256(biased[u]);
        let first = as_exponent(_mm256_srli_epi64::<1>(bits));
        let second = _mm256_sub_epi64(as_exponent(bits), first);
        _mm256_mul_pd(_mm256_mul_pd(x[u], _mm256_castsi256_pd(first)), _mm256_castsi256_pd(second))
    })
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn exp<const U: usize>(x: Wide<U>) -> Wide<U> {
    let x = greater(all(-746.0), lesser(all(710.0), x));
    let (biased, r, rest) = reduced(x, all(0.0));
    scaled(add(all(1.0), add(r, rest)), biased)
}

/// See `src/math/log.rs`.
const LOG: [f64; 7] = [
    0.6666666666666736,
    0.3999999999940528,
    0.2857142874413959,
    0.22222198415578567,
    0.18183571721190672,
    0.15313876171678634,
    0.14797582483749622,
];
const LOG_LN_2: (f64, f64) = (0.6931471805598903, 5.497923018708371e-14);
const SQRT_HALF: i64 = 0x3fe6_a09e_667f_3bcd;
/// 2^52, in whose low bits an integer stands, and the bias.
const INTEGER: i64 = 0x4330_0000_0000_0000;
const INTEGER_AND_BIAS: f64 = 4503599627370496.0 + 1023.0;

#[target_feature(enable = "avx2,fma")]
#[inline]
fn log<const U: usize>(x: Wide<U>) -> Wide<U> {
    let (mut up, mut bias) = (x, all(INTEGER_AND_BIAS));
    let unusual: Wide<U> = below(x, all(f64::MIN_POSITIVE));
    if unusual.iter().any(|mask| _mm256_movemask_pd(*mask) != 0) {
        let zero: Wide<U> = from_fn(|u| _mm256_cmp_pd::<_CMP_EQ_OQ>(x[u], _mm256_setzero_pd()));
        let small = choose(all(INTEGER_AND_BIAS + 54.0), all(f64::INFINITY), zero);
        let small = choose(small, all(f64::NAN), below(x, all(0.0)));
        up = choose(x, mul(x, all(18014398509481984.0)), unusual);
        bias = choose(bias, small, unusual);
    }
    let bits: [__m256i; U] =
        from_fn(|u| _mm256_add_epi64(_mm256_castpd_si256(up[u]), _mm256_set1_epi64x((1023 << 52) - SQRT_HALF)));
    let exponent: Wide<U> = from_fn(|u| {
        _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64::<52>(bits[u]), _mm256_set1_epi64x(INTEGER)))
    });
    let exponent = sub(exponent, bias);
    let mantissa: Wide<U> = from_fn(|u| {
        let low = _mm256_and_si256(bits[u], _mm256_set1_epi64x((1 << 52) - 1));
        _mm256_castsi256_pd(_mm256_add_epi64(low, _mm256_set1_epi64x(SQRT_HALF)))
    });
    let f = sub(mantissa, all(1.0));
    let minus_s = div(f, sub(all(-2.0), f));
    let square = mul(minus_s, minus_s);
    let rest = polynomial(square, mul(square, square), &LOG);
    let half_square = mul(mul(all(0.5), f), f);
    let less = fma(minus_s, fma(square, rest, half_square), half_square);
    let less = fma(exponent, all(-LOG_LN_2.1), less);
    let result = fma(exponent, all(LOG_LN_2.0), sub(f, less));
    choose(x, result, below(x, all(f64::INFINITY)))
}

/// See `src/math/erf.rs`.
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

#[target_feature(enable = "avx2,fma")]
#[inline]
fn erfc<const U: usize>(x: Wide<U>) -> Wide<U> {
    let one = all(1.0);
    let y = lesser(all(28.0), magnitude(x));
    let square = mul(y, y);
    let square_low = product_less(y, y, square);
    let negative = |x: Wide<U>| sub(all(0.0), x);
    let (biased, r, rest) = reduced(negative(square), negative(square_low));
    let power = add(one, r);
    let power_low = add(add(sub(one, power), r), rest);

    let shift = all(0.75);
    let divisor = add(y, shift);
    let divisor_low = sub(y, sub(divisor, shift));
    let inverse = div(one, divisor);
    let left = minus_product(inverse, divisor_low, minus_product(inverse, divisor, one));

    let centre = all(3.75);
    let size = minus_product(div(lesser(centre, y), add(centre, y)), all(2.0), one);
    let t = with_sign_of(size, sub(centre, y));
    let rest = polynomial(t, mul(size, size), &ERFC);
    let middle = all(0.6640625);
    let sum = add(middle, rest);
    let sum_low = add(sub(middle, sum), rest);

    let product = mul(power, inverse);
    let low = fma(power_low, inverse, product_less(power, inverse, product));
    let low = fma(product, left, low);
    let low = fma(low, sum, mul(product, sum_low));
    let whole = fma(product, sum, low);
    // Scaled as by the library: 2^128 too high, then down.
    let up: Wide<U> = from_fn(|u| {
        let bits = _mm256_castpd_si256(biased[u]);
        _mm256_castsi256_pd(as_exponent(_mm256_sub_epi64(bits, _mm256_set1_epi64x(1023 - 128))))
    });
    let far = mul(mul(whole, up), all(f64::from(-128).exp2()));
    choose(far, sub(all(2.0), far), below(x, all(0.0)))
}

/// Runs `body` on whole groups; what is left takes one more, which ends with the array.
macro_rules! groups {
    ($len:expr, $group:expr, $at:ident, $body:block) => {
        let len: usize = $len;
        assert!(len >= $group, "a piece has a group of elements");
        for $at in (0..len / $group).map(|k| k * $group) $body
        if !len.is_multiple_of($group) {
            let $at = len - $group;
            $body
        }
    };
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn load<const U: usize>(x: &[f64], at: usize) -> Wide<U> {
    let x = &x[at..at + 4 * U];
    // SAFETY: the slice has four elements from `4 * u`.
    from_fn(|u| unsafe { _mm256_loadu_pd(x.as_ptr().add(4 * u)) })
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn store<const U: usize>(out: &mut [f64], at: usize, value: Wide<U>) {
    let out = &mut out[at..at + 4 * U];
    for (u, value) in value.into_iter().enumerate() {
        // SAFETY: the slice has four elements from `4 * u`.
        unsafe { _mm256_storeu_pd(out.as_mut_ptr().add(4 * u), value) }
    }
}

fn triad<const U: usize>(case: &mut Case, workers: &Workers) {
    #[target_feature(enable = "avx2,fma")]
    fn body<const U: usize>(a: &[f64], b: &[f64], c: &[f64], out: &mut [f64]) {
        groups!(out.len(), 4 * U, at, {
            store::<U>(out, at, add(mul(load(a, at), load(b, at)), load(c, at)));
        });
    }
    let [a, b, c] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [a, b, c] = [a, b, c].map(|x| x.slice());
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body::<U>(&a[start..], &b[start..], &c[start..], out) }
    });
}

/// A function of one array.
macro_rules! unary {
    ($($name:ident($x:ident) $body:expr;)+) => { $(
        fn $name<const U: usize>(case: &mut Case, workers: &Workers) {
            #[target_feature(enable = "avx2,fma")]
            fn body<const U: usize>(x: &[f64], out: &mut [f64]) {
                groups!(out.len(), 4 * U, at, {
                    let $x: Wide<U> = load(x, at);
                    store(out, at, $body);
                });
            }
            let x = case.inputs[0].slice();
            workers.share(case.output.slice_mut(), |start, out| {
                // SAFETY: no workload runs where the machine lacks the features.
                unsafe { body::<U>(&x[start..], out) }
            });
        }
    )+ };
}

unary! {
    horner(x) HORNER[1..].iter().fold(all(HORNER[0]), |sum, c| fma(sum, x, all(*c)));
    bell(x) exp(mul(sub(all(0.0), x), x));
}

/// The rate of interest and the volatility of the suite's definition.
const RATE: f64 = 0.03;
const VOLATILITY: f64 = 0.25;

fn black_scholes<const U: usize>(case: &mut Case, workers: &Workers) {
    #[target_feature(enable = "avx2,fma")]
    fn body<const U: usize>(s: &[f64], k: &[f64], t: &[f64], call: &mut [f64], put: &mut [f64]) {
        let normal = |z: Wide<U>| mul(all(0.5), erfc(mul(sub(all(0.0), z), all(std::f64::consts::FRAC_1_SQRT_2))));
        let drift = RATE + VOLATILITY * VOLATILITY / 2.0;
        groups!(call.len(), 4 * U, at, {
            let (s, k, t): (Wide<U>, Wide<U>, Wide<U>) = (load(s, at), load(k, at), load(t, at));
            let width = mul(all(VOLATILITY), sqrt(t));
            let d1 = div(add(log(div(s, k)), mul(all(drift), t)), width);
            let d2 = sub(d1, width);
            let strike = mul(k, exp(mul(all(-RATE), t)));
            let price = sub(mul(s, normal(d1)), mul(strike, normal(d2)));
            store(call, at, price);
            store(put, at, sub(add(price, strike), s));
        });
    }
    let [s, k, t] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [s, k, t] = [s, k, t].map(|x| x.slice::<f64>());
    let (call, put) = case.output.slice_mut::<f64>().split_at_mut(s.len());
    let pieces = call.chunks_mut(CHUNK).zip(put.chunks_mut(CHUNK)).enumerate().collect();
    workers.each(pieces, |(piece, (call, put))| {
        let start = piece * CHUNK;
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body::<U>(&s[start..], &k[start..], &t[start..], call, put) }
    });
}

fn mandelbrot<const U: usize>(case: &mut Case, workers: &Workers) {
    #[target_feature(enable = "avx2,fma")]
    fn body<const U: usize>(cr: &[f64], ci: &[f64], out: &mut [i64]) {
        groups!(out.len(), 4 * U, at, {
            let (cr, ci): (Wide<U>, Wide<U>) = (load(cr, at), load(ci, at));
            let (mut x, mut y): (Wide<U>, Wide<U>) = (all(0.0), all(0.0));
            let mut turns = [_mm256_setzero_si256(); U];
            let mut on: Wide<U> = from_fn(|_| _mm256_castsi256_pd(_mm256_set1_epi64x(-1)));
            for _ in 0..256 {
                let (xx, yy) = (mul(x, x), mul(y, y));
                let within: Wide<U> =
                    from_fn(|u| _mm256_cmp_pd::<_CMP_LE_OQ>(_mm256_add_pd(xx[u], yy[u]), _mm256_set1_pd(4.0)));
                on = from_fn(|u| _mm256_and_pd(on[u], within[u]));
                let any = on.into_iter().reduce(|x, y| _mm256_or_pd(x, y)).expect("a group has a vector");
                if _mm256_movemask_pd(any) == 0 {
                    break;
                }
                // A lane that is done goes on, and its turns do not count.
                (x, y) = (add(sub(xx, yy), cr), add(mul(mul(all(2.0), x), y), ci));
                turns = from_fn(|u| _mm256_sub_epi64(turns[u], _mm256_castpd_si256(on[u])));
            }
            for (u, turns) in turns.into_iter().enumerate() {
                // SAFETY: the group's elements are in the slice.
                unsafe { _mm256_storeu_si256(out[at..at + 4 * U].as_mut_ptr().add(4 * u).cast(), turns) }
            }
        });
    }
    let [cr, ci] = &case.inputs[..] else { panic!("the workload's inputs") };
    let [cr, ci] = [cr, ci].map(|x| x.slice::<f64>());
    workers.share(case.output.slice_mut(), |start, out| {
        // SAFETY: no workload runs where the machine lacks the features.
        unsafe { body::<U>(&cr[start..], &ci[start..], out) }
    });
}

/// A workload's loop with the number of vectors side by side that is fastest on Zen 3.
pub(crate) fn by_hand(workload: &str) -> Option<Peer> {
    Some(match workload {
        "a*b+c" => triad::<2>,
        "Horner 16" => horner::<8>,
        "exp(-x*x)" => bell::<4>,
        "Black-Scholes" => black_scholes::<2>,
        "Mandelbrot" => mandelbrot::<2>,
        _ => return None,
    })
}

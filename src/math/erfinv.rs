//! `erfinv`: x + x r(w) with w = -log(1 - x^2), and near 1 q + r(q - 2) with q = sqrt(-log(1 - x)), r rational.
//!
//! The logarithms as arguments are Giles's (GPU Computing Gems, 2011) and, for rational functions, Wichura's (Applied
//! Statistics 37, 1988, AS 241); what is left of 1 is exact there. Both ways share the logarithm and the division: a lane
//! chooses its coefficients. Coefficients: `scripts/special_coefficients.py`.
//!
//! Greatest error against MPFR: f64 1.63 ulp, just below 0.973 (1.6 * 10^5 inputs: the whole domain, near its ends); f32
//! 0.5008 ulp (3 * 10^4 inputs).

use super::double::{Double, ordered_sum, widened};
use super::log::{log_double, log_of_f32};
use crate::dtype::DType;
use crate::ir::{Builder, Value};

/// Beyond this 1 - x, below this 1 - x^2.
const NEAR_END: f64 = 0.973;
/// The powers of the far functions are those of q less this.
const CENTRE: f64 = 2.0;

/// Numerators and denominators.
struct Tables<const N: usize> {
    near: [&'static [f64; N]; 2],
    far: [&'static [f64; N]; 2],
}

/// To 2^-55.6 and 2^-54.7 of the result.
const TABLES: Tables<8> = Tables {
    near: [
        &[
            -0.11377307454724199,
            0.22151556656927882,
            0.02741310233717546,
            0.009670935195673008,
            0.000890313952391802,
            0.00011210748992707752,
            5.83292257647791e-06,
            2.2927765179707645e-07,
        ],
        &[
            1.0,
            0.09227227098461536,
            0.04873444471613767,
            0.0032231210031981477,
            0.0006753488417722971,
            2.4648297723324596e-05,
            2.110768903056426e-06,
            7.356313161965719e-09,
        ],
    ],
    far: [
        &[
            -0.33181168394150345,
            -0.5645836250694942,
            -0.3776706939131207,
            -0.12320373135771068,
            -0.01951136062189638,
            -0.001297883062079738,
            -2.5572536205742742e-05,
            -2.5956445912473426e-08,
        ],
        &[
            1.0,
            1.8508590202291066,
            1.4173119590985748,
            0.5663920181039752,
            0.1228209539075052,
            0.013595662027270148,
            0.0006478324234413019,
            8.852939720602666e-06,
        ],
    ],
};

/// To 2^-33.9 and 2^-39.9.
const TABLES_F32: Tables<5> = Tables {
    near: [
        &[
            -0.11377307449486912,
            0.22713015639771067,
            0.018698590285614027,
            0.003817937008828603,
            0.00019936535212584645,
        ],
        &[1.0, 0.0429232216228641, 0.024694404124671998, 0.0006329424411764627, 4.08721729946642e-05],
    ],
    far: [
        &[
            -0.33181168394120153,
            -0.3132903314550831,
            -0.08628719998075428,
            -0.006142594880075948,
            -2.404483982813065e-05,
        ],
        &[1.0, 1.093521934944787, 0.4260513974719511, 0.06352125695952539, 0.0026522747036754634],
    ],
};

pub(super) fn erfinv(b: &mut Builder, x: Value) -> Value {
    match b.dtype(x) {
        DType::F32 => widened(b, x, |b, x| inverse(b, x, roots_f32, &TABLES_F32)),
        _ => inverse(b, x, roots, &TABLES),
    }
}

/// w = -log(left) and its root, which is below 2 in few cases while the result is in many: hence its low part.
struct Roots {
    w: Value,
    root: Double,
}

fn roots(b: &mut Builder, left: Value) -> Roots {
    let log = log_double(b, left);
    let log = ordered_sum(b, log.high, log.low);
    let (w, half) = (b.neg(log.high), b.f64(0.5));
    let root = b.sqrt(w);
    let minus = b.neg(root);
    let rest = b.fma(minus, root, w);
    let rest = b.sub(rest, log.low);
    let slope = b.div(half, root);
    Roots { w, root: Double { high: root, low: b.mul(slope, rest) } }
}

fn roots_f32(b: &mut Builder, left: Value) -> Roots {
    let log = log_of_f32(b, left);
    let w = b.neg(log);
    Roots { w, root: Double { high: b.sqrt(w), low: b.f64(0.0) } }
}

fn inverse<const N: usize>(
    b: &mut Builder,
    x: Value,
    roots: fn(&mut Builder, Value) -> Roots,
    tables: &Tables<N>,
) -> Value {
    let (magnitude, zero, one, end) = (b.abs(x), b.f64(0.0), b.f64(1.0), b.f64(NEAR_END));
    let is_far = b.gt(magnitude, end);
    let (minus, less) = (b.neg(magnitude), b.sub(one, magnitude));
    let less_square = b.fma(minus, magnitude, one);
    let left = b.select(is_far, less, less_square);
    let Roots { w, root } = roots(b, left);
    let centre = b.f64(CENTRE);
    let q = b.sub(root.high, centre);
    let argument = b.select(is_far, q, w);
    let [above, below] = [0, 1].map(|k| chosen_polynomial(b, argument, is_far, tables.far[k], tables.near[k]));
    let rest = b.div(above, below);
    let (start, factor) = (b.select(is_far, root.high, magnitude), b.select(is_far, one, magnitude));
    let low = b.select(is_far, root.low, zero);
    let low = b.fma(factor, rest, low);
    let result = b.add(start, low);
    let (is_end, infinity, nan) = (b.eq(magnitude, one), b.f64(f64::INFINITY), b.f64(f64::NAN));
    let result = b.select(is_end, infinity, result);
    let is_valid = b.le(magnitude, one);
    let result = b.select(is_valid, result, nan);
    b.copysign(result, x)
}

/// The polynomial with the coefficients of `far` or `near`.
fn chosen_polynomial(b: &mut Builder, x: Value, is_far: Value, far: &[f64], near: &[f64]) -> Value {
    let mut sum = None;
    for (far, near) in far.iter().zip(near).rev() {
        let (far, near) = (b.f64(*far), b.f64(*near));
        let coefficient = b.select(is_far, far, near);
        sum = Some(match sum {
            Some(sum) => b.fma(sum, x, coefficient),
            None => coefficient,
        });
    }
    sum.expect("a polynomial has coefficients")
}

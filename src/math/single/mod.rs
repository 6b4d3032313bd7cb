//! Functions of f32 in lanes of f32, which are twice as many as f64's.
//!
//! `exp`, `exp2` and `log` have less than 0.9 ulp of error and serve always. The others are for `Accuracy::Fast`: at most 4 ulp, and
//! at most a 1.3th of the time of those that they replace; `sin` of f64, with one polynomial, is beside them. Figures: `docs/ACCURACY.md`; coefficients: `scripts/coefficients.py`.

mod exp;
mod log;
mod root;
mod trig;

pub(super) use exp::{cosh, exp, exp2, exp10, expm1, sigmoid, sinh, tanh};
pub(super) use log::{log, log1p, log2, log10};
pub(super) use root::rsqrt;
pub(super) use trig::{cos, sin, tan};

/// Added to an f32 below 2^22 in magnitude it rounds to an integer, which the low bits of the sum then hold.
const ROUNDER: f32 = 12582912.0;

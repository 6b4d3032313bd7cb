//! The functions of the language: which are mathematics, how far off they may be, and what to compare f32 with.

use std::f64::consts::PI;

use numlift::{Accuracy, DType, Engine, Schema};

/// A function whose results are rounded more than once.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Of `x`, or of `x` and `y`.
    pub(crate) formula: &'static str,
    /// The greatest error allowed, in units of the last place of the true value.
    pub(crate) bound: f64,
    /// Results below this in magnitude, for negative x, lie near zeros that no float is, and are not held to the bound.
    pub(crate) near_zero: f64,
    /// The same in f64, good to some units of its last place: the measure for f32.
    pub(crate) reference: Option<fn(f64) -> f64>,
}

impl Row {
    /// The greatest error allowed.
    pub(crate) fn bound(&self, accuracy: Accuracy) -> f64 {
        if accuracy == Accuracy::Fast { 4.0 } else { self.bound }
    }

    /// How the record calls the function.
    pub(crate) fn title(&self, accuracy: Accuracy) -> String {
        if accuracy == Accuracy::Fast { format!("{} (fast)", self.name) } else { self.name.to_owned() }
    }

    /// Whether `Accuracy::Fast` makes a difference.
    pub(crate) fn has_fast(&self, dtype: DType) -> bool {
        let graph = |accuracy| {
            let engine = Engine::builder().accuracy(accuracy).build().expect("an engine");
            let kernel = engine.compile(self.formula).expect("the table's formulas compile");
            let schema = kernel.params().iter().fold(Schema::new(), |schema, x| schema.array(x.name(), dtype, 1));
            kernel.graph(&schema).expect("it takes both floats")
        };
        graph(Accuracy::Best) != graph(Accuracy::Fast)
    }

    /// Whether the bound is not for the value at `x`.
    pub(crate) fn is_exempt(&self, x: f64, value: f64) -> bool {
        x < 0.0 && value.abs() < self.near_zero
    }
}

/// Whether `FUNCTIONS`, a list in the environment, has the function, or is not set.
pub(crate) fn is_chosen(name: &str) -> bool {
    std::env::var("FUNCTIONS").map_or(true, |chosen| chosen.split(',').any(|known| known == name))
}

const fn one(name: &'static str, formula: &'static str, reference: fn(f64) -> f64) -> Row {
    Row { name, formula, bound: 1.0, near_zero: 0.0, reference: Some(reference) }
}

const fn two(name: &'static str, formula: &'static str) -> Row {
    Row { name, formula, bound: 1.0, near_zero: 0.0, reference: None }
}

const fn looser(row: Row) -> Row {
    Row { bound: 2.0, ..row }
}

/// Each has true values in `tests/data/accuracy`.
pub(crate) const MATH: &[Row] = &[
    one("exp", "exp(x)", f64::exp),
    one("exp2", "exp2(x)", f64::exp2),
    one("exp10", "exp10(x)", libm::exp10),
    one("expm1", "expm1(x)", f64::exp_m1),
    one("log", "log(x)", f64::ln),
    one("log2", "log2(x)", f64::log2),
    one("log10", "log10(x)", f64::log10),
    one("log1p", "log1p(x)", f64::ln_1p),
    Row { near_zero: 0.25, ..two("logaddexp", "logaddexp(x, y)") },
    two("xlogy", "xlogy(x, y)"),
    one("sigmoid", "sigmoid(x)", |x| 1.0 / (1.0 + (-x).exp())),
    one("logit", "logit(x)", |x| if x < 0.25 { (x / (1.0 - x)).ln() } else { 2.0 * libm::atanh(2.0 * x - 1.0) }),
    one("softplus", "softplus(x)", |x| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }),
    one("sin", "sin(x)", f64::sin),
    one("cos", "cos(x)", f64::cos),
    one("tan", "tan(x)", f64::tan),
    one("asin", "asin(x)", f64::asin),
    one("acos", "acos(x)", f64::acos),
    one("atan", "atan(x)", f64::atan),
    two("atan2", "atan2(x, y)"),
    one("sinpi", "sinpi(x)", sinpi),
    one("cospi", "cospi(x)", |x| if x.fract().abs() == 0.5 { 0.0 } else { sinpi(0.5 - (x % 2.0).abs()) }),
    one("sinc", "sinc(x)", |x| if x == 0.0 { 1.0 } else { sinpi(x) / (PI * x) }),
    one("sinh", "sinh(x)", f64::sinh),
    one("cosh", "cosh(x)", f64::cosh),
    one("tanh", "tanh(x)", f64::tanh),
    one("asinh", "asinh(x)", libm::asinh),
    one("acosh", "acosh(x)", |x| if x < 1.0 { f64::NAN } else { libm::acosh(x) }),
    one("atanh", "atanh(x)", libm::atanh),
    one("rsqrt", "rsqrt(x)", |x| if x == 0.0 { 1.0 / x } else { 1.0 / x.sqrt() }),
    one("cbrt", "cbrt(x)", f64::cbrt),
    two("hypot", "hypot(x, y)"),
    two("pow", "x ** y"),
    one("erf", "erf(x)", libm::erf),
    one("erfc", "erfc(x)", libm::erfc),
    looser(one("erfinv", "erfinv(x)", erfinv)),
    looser(one("gamma", "gamma(x)", libm::tgamma)),
    Row { near_zero: 0.5, ..looser(one("lgamma", "lgamma(x)", libm::lgamma)) },
];

/// The others: exact, rounded once, or a formula of such; `tests/expected.rs` and the filetests have their bits.
pub(crate) const EXACT: &[&str] = &[
    "abs",
    "negative",
    "positive",
    "sign",
    "signbit",
    "copysign",
    "reciprocal",
    "square",
    "sqrt",
    "fma",
    "fdim",
    "floor_divide",
    "remainder",
    "fmod",
    "ieee_remainder",
    "minimum",
    "maximum",
    "fmin",
    "fmax",
    "clip",
    "lerp",
    "step",
    "smoothstep",
    "relu",
    "deg2rad",
    "rad2deg",
    "floor",
    "ceil",
    "trunc",
    "round",
    "roundaway",
    "frac",
    "isnan",
    "isinf",
    "isfinite",
    "isnormal",
    "nextafter",
    "ldexp",
    "nan_to_num",
    "where",
    "logical_and",
    "logical_or",
    "logical_not",
    "logical_xor",
    "isclose",
    "popcount",
    "clz",
    "ctz",
    "rotl",
    "rotr",
    "bitcast",
    "astype",
    "index",
    "size",
    "shape",
];

/// Of these, the ones that take integers, dtypes or axes.
pub(crate) const NOT_OF_FLOATS: &[&str] =
    &["popcount", "clz", "ctz", "rotl", "rotr", "bitcast", "astype", "index", "size", "shape"];

/// Reductions, scans and gathers, which are no functions of one element.
pub(crate) const OF_ARRAYS: &[&str] = &[
    "sum",
    "prod",
    "min",
    "max",
    "mean",
    "var",
    "std",
    "any",
    "all",
    "count_nonzero",
    "argmin",
    "argmax",
    "norm",
    "dot",
    "logsumexp",
    "ptp",
    "nansum",
    "nanmin",
    "nanmax",
    "nanmean",
    "cumsum",
    "cumprod",
    "cummax",
    "cummin",
    "shift",
    "take",
];

/// About whole numbers, where the sine is small, the angle is taken from there.
fn sinpi(x: f64) -> f64 {
    let rest = x % 2.0;
    let nearest = rest.round();
    if rest == nearest {
        return 0.0_f64.copysign(x);
    }
    let sine = (PI * (rest - nearest)).sin();
    if nearest.abs() == 1.0 { -sine } else { sine }
}

/// Halley's steps from Winitzki's approximation (2008), on what is left of 1 where that is little.
fn erfinv(x: f64) -> f64 {
    let magnitude = x.abs();
    let half_root_pi = PI.sqrt() / 2.0;
    if x == 0.0 || magnitude >= 1.0 {
        return if magnitude > 1.0 { f64::NAN } else { x / (1.0 - magnitude) };
    } else if magnitude < 1e-9 {
        return x * half_root_pi;
    }
    let log = ((1.0 - magnitude) * (1.0 + magnitude)).ln();
    let a = 2.0 / (PI * 0.147) + log / 2.0;
    let mut y = ((a * a - log / 0.147).sqrt() - a).sqrt();
    for _ in 0..3 {
        let error = if magnitude > 0.5 { (1.0 - magnitude) - libm::erfc(y) } else { libm::erf(y) - magnitude };
        let step = error * half_root_pi * (y * y).exp();
        y -= step / (1.0 + y * step);
    }
    y.copysign(x)
}

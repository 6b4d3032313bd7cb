//! The functions of the language, one row each: canonical name, aliases, parameters, and a line of help.

use std::fmt;
use std::sync::Arc;

use crate::dtype::DType;

/// What a parameter of a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any expression.
    Value,
    /// The name of a dtype, bare or quoted.
    DType,
    /// An integer written out.
    Integer,
    /// Any expression, which may be left out.
    Optional,
    /// `None`, an integer or a tuple of integers, written out.
    Axes,
    /// `True` or `False`, written out.
    Flag,
    /// Integers written out, one for each axis of the array before: any number of arguments without a name.
    Distances,
    /// What an index beyond an array's edges means, one of these words in quotes.
    Mode(&'static [&'static str]),
    /// A number written out.
    Number,
}

/// What an option is if left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    Integer(i64),
    None,
    Flag(bool),
    Mode(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Without it the argument is required.
    pub(crate) default: Option<Default>,
}

/// A function of Rust that an engine adds to those of the language, as formulas see it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: Arc<str>,
    pub(crate) params: Vec<DType>,
    pub(crate) result: DType,
}

impl Host {
    /// How it is called: `name(f64, i32)`.
    pub(crate) fn signature(&self) -> String {
        let params: Vec<&str> = self.params.iter().map(|dtype| dtype.name()).collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    /// One line, for completion and help.
    pub(crate) doc: &'static str,
}

macro_rules! kind {
    () => {
        Kind::Value
    };
    (Mode $($word:literal)+) => {
        Kind::Mode(&[$($word),+])
    };
    ($kind:ident) => {
        Kind::$kind
    };
}

macro_rules! default {
    () => {
        None
    };
    (None) => {
        Some(Default::None)
    };
    (False) => {
        Some(Default::Flag(false))
    };
    ((mode $word:literal)) => {
        Some(Default::Mode($word))
    };
    ($value:literal) => {
        Some(Default::Integer($value))
    };
}

macro_rules! functions {
    ($($variant:ident = $name:literal [$($alias:literal),*]
        ($($parameter:ident $(: $kind:ident $($words:literal)*)? $(= $default:tt)?),*), $doc:literal;)+) => {
        /// A function of the language, by its canonical name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Function { $($variant),+ }

        impl Function {
            /// Every function, in the order of the table.
            pub(crate) const ALL: &[Function] = &[$(Function::$variant),+];

            pub(crate) fn row(self) -> &'static Row {
                match self {
                    $(Function::$variant => const { &Row {
                        name: $name,
                        aliases: &[$($alias),*],
                        parameters: &[$(Parameter {
                            name: parameter_name(stringify!($parameter)),
                            kind: kind!($($kind $($words)*)?),
                            default: default!($($default)?),
                        }),*],
                        doc: $doc,
                    } },)+
                }
            }

            /// The function of that name or alias.
            pub(crate) fn lookup(name: &str) -> Option<Function> {
                match name {
                    $($name $(| $alias)* => Some(Function::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// The name without the mark that Rust's own words need.
const fn parameter_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

functions! {
    Abs = "abs" ["fabs", "absolute"] (x), "the value without its sign; the least signed integer stays as it is";
    Negative = "negative" [] (x), "-x";
    Positive = "positive" [] (x), "x, refused for bool";
    Sign = "sign" [] (x), "-1, 0 or 1 by the sign of x; NaN of NaN";
    Signbit = "signbit" [] (x), "whether the sign bit is set, so also for -0.0; False for NaN";
    Copysign = "copysign" [] (x, y), "the magnitude of x with the sign of y";
    Reciprocal = "reciprocal" [] (x), "1 / x";
    Square = "square" [] (x), "x * x";
    Sqrt = "sqrt" [] (x), "the square root, correctly rounded; NaN below 0";
    Rsqrt = "rsqrt" [] (x), "1 / sqrt(x)";
    Cbrt = "cbrt" [] (x), "the cube root";
    Hypot = "hypot" [] (x, y), "sqrt(x**2 + y**2) without overflow on the way";
    Fma = "fma" [] (a, b, c), "a * b + c, rounded once";
    Fdim = "fdim" [] (x, y), "x - y where x is greater, else 0";
    FloorDivide = "floor_divide" [] (x, y), "x // y: the quotient rounded down; integers by 0 give 0";
    Remainder = "remainder" ["mod"] (x, y), "x % y: what x // y leaves, with the sign of y; integers by 0 give 0";
    Fmod = "fmod" [] (x, y), "what the division rounded to zero leaves, with the sign of x";
    Pow = "pow" ["power"] (x, y), "x ** y";
    IeeeRemainder = "ieee_remainder" [] (x, y), "x less the multiple of y nearest to it, an even one of two: C's remainder";
    Minimum = "minimum" [] (x, y), "the lesser of two; NaN if one is, and -0.0 is less than 0.0";
    Maximum = "maximum" [] (x, y), "the greater of two; NaN if one is, and 0.0 is greater than -0.0";
    Fmin = "fmin" [] (x, y), "the lesser of two, a number before NaN";
    Fmax = "fmax" [] (x, y), "the greater of two, a number before NaN";
    Clip = "clip" ["clamp"] (x, lo, hi), "minimum(maximum(x, lo), hi)";
    Lerp = "lerp" ["mix"] (a, b, t), "a + t * (b - a): from a at 0 to b at 1";
    Step = "step" [] (edge, x), "0 where x is below the edge, else 1";
    Smoothstep = "smoothstep" [] (lo, hi, x), "0 up to lo, 1 from hi, smooth between: 3t**2 - 2t**3";
    Exp = "exp" [] (x), "e to the power x";
    Exp2 = "exp2" [] (x), "2 to the power x";
    Exp10 = "exp10" [] (x), "10 to the power x";
    Expm1 = "expm1" [] (x), "exp(x) - 1, exact also where that is small";
    Log = "log" ["ln"] (x), "the natural logarithm";
    Log2 = "log2" [] (x), "the logarithm to base 2";
    Log10 = "log10" [] (x), "the logarithm to base 10";
    Log1p = "log1p" [] (x), "log(1 + x), exact also where x is small";
    Logaddexp = "logaddexp" [] (x, y), "log(exp(x) + exp(y)) without overflow on the way";
    Xlogy = "xlogy" [] (x, y), "x * log(y), 0 where x is 0";
    Sigmoid = "sigmoid" ["expit"] (x), "1 / (1 + exp(-x))";
    Logit = "logit" [] (x), "log(x / (1 - x)), the inverse of sigmoid";
    Softplus = "softplus" [] (x), "log(1 + exp(x))";
    Relu = "relu" [] (x), "maximum(x, 0)";
    Sin = "sin" [] (x), "the sine of radians";
    Cos = "cos" [] (x), "the cosine of radians";
    Tan = "tan" [] (x), "the tangent of radians";
    Asin = "asin" ["arcsin"] (x), "the angle in radians, -pi/2 to pi/2, whose sine is x";
    Acos = "acos" ["arccos"] (x), "the angle in radians, 0 to pi, whose cosine is x";
    Atan = "atan" ["arctan"] (x), "the angle in radians, -pi/2 to pi/2, whose tangent is x";
    Atan2 = "atan2" ["arctan2"] (y, x), "the angle in radians, -pi to pi, of the point (x, y)";
    Sinpi = "sinpi" [] (x), "sin(pi * x), exact for multiples of 1/2";
    Cospi = "cospi" [] (x), "cos(pi * x), exact for multiples of 1/2";
    Sinc = "sinc" [] (x), "sin(pi * x) / (pi * x), 1 at 0";
    Sinh = "sinh" [] (x), "the hyperbolic sine";
    Cosh = "cosh" [] (x), "the hyperbolic cosine";
    Tanh = "tanh" [] (x), "the hyperbolic tangent";
    Asinh = "asinh" ["arcsinh"] (x), "the inverse of sinh";
    Acosh = "acosh" ["arccosh"] (x), "the inverse of cosh, at least 0; NaN below 1";
    Atanh = "atanh" ["arctanh"] (x), "the inverse of tanh; NaN beyond -1 and 1";
    Erf = "erf" [] (x), "the error function: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x";
    Erfc = "erfc" [] (x), "1 - erf(x), also where that is tiny";
    Erfinv = "erfinv" [] (x), "the number whose error function is x";
    Gamma = "gamma" ["tgamma"] (x), "the gamma function: (x - 1)! for positive integers";
    Lgamma = "lgamma" ["gammaln"] (x), "the logarithm of the magnitude of gamma(x)";
    Deg2rad = "deg2rad" ["radians"] (x), "degrees to radians";
    Rad2deg = "rad2deg" ["degrees"] (x), "radians to degrees";
    Floor = "floor" [] (x), "rounded down";
    Ceil = "ceil" [] (x), "rounded up";
    Trunc = "trunc" [] (x), "rounded towards 0";
    Round = "round" ["rint"] (x, n: Integer = 0), "rounded to n decimals, half to even";
    Roundaway = "roundaway" [] (x), "rounded, half away from 0: C's round";
    Frac = "frac" [] (x), "x - floor(x)";
    Isnan = "isnan" [] (x), "whether x is NaN";
    Isinf = "isinf" [] (x), "whether x is infinite";
    Isfinite = "isfinite" [] (x), "whether x is neither infinite nor NaN";
    Isnormal = "isnormal" [] (x), "whether x is finite, not 0 and not subnormal";
    Isclose = "isclose" [] (x, y), "whether x and y differ by at most 1e-8 + 1e-5 * abs(y); equal infinities do";
    Nextafter = "nextafter" [] (x, y), "the next float after x towards y";
    Ldexp = "ldexp" [] (x, n), "x * 2**n for a whole n, rounded once";
    NanToNum = "nan_to_num" [] (x), "0 for NaN, the greatest and the least number for infinities, else x";
    Where = "where" ["select"] (condition, a, b), "a where the condition holds, else b";
    LogicalAnd = "logical_and" [] (x, y), "x and y";
    LogicalOr = "logical_or" [] (x, y), "x or y";
    LogicalNot = "logical_not" [] (x), "not x";
    LogicalXor = "logical_xor" [] (x, y), "whether just one of two holds";
    Popcount = "popcount" [] (x), "how many bits are set";
    Clz = "clz" [] (x), "zero bits above the highest set one; the width for 0";
    Ctz = "ctz" [] (x), "zero bits below the lowest set one; the width for 0";
    Rotl = "rotl" [] (x, n), "the bits rotated left by n, modulo the width";
    Rotr = "rotr" [] (x, n), "the bits rotated right by n, modulo the width";
    Bitcast = "bitcast" [] (x, dtype: DType), "the same bits as another dtype of the same size";
    Astype = "astype" [] (x, dtype: DType), "x converted; also written f32(x)";
    Index = "index" [] (k: Integer), "the element's index along axis k of the output";
    Size = "size" [] (x), "how many elements x has";
    Shape = "shape" [] (x, k: Integer), "how many elements x has along axis k";
    Shift = "shift" [] (x, d0: Distances, mode: Mode "edge" "wrap" "reflect" "symmetric" "constant" = (mode "constant"), fill: Number = 0), "the elements of an array moved along each of its axes: what was at i stands at i + d0; `fill` is the constant beyond its edges";
    Take = "take" [] (x, i, mode: Mode "clip" "wrap" "fill" = (mode "clip"), fill: Number = 0), "the elements of an array at the indices i, counted in C order; beyond its edges the first or last, the array again, or `fill`";
    Sum = "sum" [] (x, axis: Axes = None, keepdims: Flag = False, initial: Optional = None, r#where: Optional = None), "the sum, over all elements or along axes; of f32 rounded once, of integers in 64 bits";
    Prod = "prod" [] (x, axis: Axes = None, keepdims: Flag = False, initial: Optional = None, r#where: Optional = None), "the product, over all elements or along axes";
    Min = "min" [] (x, axis: Axes = None, keepdims: Flag = False, initial: Optional = None, r#where: Optional = None), "the least element; NaN if one is";
    Max = "max" [] (x, axis: Axes = None, keepdims: Flag = False, initial: Optional = None, r#where: Optional = None), "the greatest element; NaN if one is";
    Mean = "mean" [] (x, axis: Axes = None, keepdims: Flag = False, r#where: Optional = None), "the arithmetic mean";
    Var = "var" [] (x, axis: Axes = None, keepdims: Flag = False, ddof: Integer = 0, r#where: Optional = None), "the mean of squared deviations from the mean, divided by n - ddof";
    Std = "std" [] (x, axis: Axes = None, keepdims: Flag = False, ddof: Integer = 0, r#where: Optional = None), "the square root of var";
    Any = "any" [] (x, axis: Axes = None, keepdims: Flag = False, r#where: Optional = None), "whether some element is true";
    All = "all" [] (x, axis: Axes = None, keepdims: Flag = False, r#where: Optional = None), "whether every element is true";
    CountNonzero = "count_nonzero" [] (x, axis: Axes = None, keepdims: Flag = False), "how many elements are not 0";
    Argmin = "argmin" [] (x, axis: Axes = None, keepdims: Flag = False), "where the first least element stands, or the first NaN";
    Argmax = "argmax" [] (x, axis: Axes = None, keepdims: Flag = False), "where the first greatest element stands, or the first NaN";
    Ptp = "ptp" [] (x, axis: Axes = None, keepdims: Flag = False), "max(x) - min(x)";
    Norm = "norm" [] (x, axis: Axes = None, keepdims: Flag = False), "the square root of the sum of squares, which do not overflow";
    Dot = "dot" [] (x, y), "sum(x * y)";
    Logsumexp = "logsumexp" [] (x, axis: Axes = None, keepdims: Flag = False), "log(sum(exp(x))), which does not overflow";
    Nansum = "nansum" [] (x, axis: Axes = None, keepdims: Flag = False), "the sum of what is not NaN";
    Nanmin = "nanmin" [] (x, axis: Axes = None, keepdims: Flag = False), "the least element that is not NaN; NaN if all are";
    Nanmax = "nanmax" [] (x, axis: Axes = None, keepdims: Flag = False), "the greatest element that is not NaN; NaN if all are";
    Nanmean = "nanmean" [] (x, axis: Axes = None, keepdims: Flag = False), "the mean of what is not NaN";
    Cumsum = "cumsum" ["cumulative_sum"] (x, axis: Axes = None), "for each element the sum of it and those before it along an axis";
    Cumprod = "cumprod" ["cumulative_prod"] (x, axis: Axes = None), "for each element the product of it and those before it along an axis";
    Cummax = "cummax" [] (x, axis: Axes = None), "for each element the greatest up to it along an axis; NaN from the first on";
    Cummin = "cummin" [] (x, axis: Axes = None), "for each element the least up to it along an axis; NaN from the first on";
}

impl Function {
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// How it is called, such as `round(x, n=0)`.
    pub(crate) fn signature(self) -> String {
        let parameters: Vec<String> = self.row().parameters.iter().map(Parameter::to_string).collect();
        format!("{}({})", self.name(), parameters.join(", "))
    }

    /// Every canonical name and alias, in the order of the table.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Function::ALL.iter().flat_map(|function| {
            let row = function.row();
            std::iter::once(row.name).chain(row.aliases.iter().copied())
        })
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.default {
            Some(Default::Integer(default)) => write!(f, "{}={default}", self.name),
            Some(Default::None) => write!(f, "{}=None", self.name),
            Some(Default::Flag(true)) => write!(f, "{}=True", self.name),
            Some(Default::Flag(false)) => write!(f, "{}=False", self.name),
            Some(Default::Mode(word)) => write!(f, "{}=\"{word}\"", self.name),
            None if self.kind == Kind::Distances => write!(f, "{}, ..", self.name),
            None => f.write_str(self.name),
        }
    }
}

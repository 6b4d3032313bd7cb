//! The op table: name, operands, dtype rule, one row an op. What each means for one element is in `meaning`.

use crate::dtype::DType;

/// Which dtypes the operands have, all the same unless said otherwise, and what comes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Floats to the same.
    Float,
    /// Integers to the same.
    Int,
    /// Integers or floats to the same.
    Number,
    /// Booleans or integers to the same.
    Bits,
    /// Integers or floats to bool.
    Compare,
    /// Floats to bool.
    FloatTest,
    /// A bool and two of any one dtype to that dtype.
    Choose,
    /// Floats to the same; the meaning is a graph of other ops, in `math`.
    Function,
}

macro_rules! ops {
    ($( $(#[$doc:meta])* $op:ident = $name:literal, $arity:literal, $rule:ident; )+) => {
        /// An operation on one element of each operand.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Op { $( $(#[$doc])* $op, )+ }

        impl Op {
            /// Every op, for tests that must cover them all.
            #[cfg(test)]
            pub(crate) const ALL: &[Op] = &[$(Op::$op),+];

            /// How the op is called in the text form of a graph.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Op::$op => $name),+ }
            }

            /// How many operands it takes.
            pub(crate) const fn arity(self) -> usize {
                match self { $(Op::$op => $arity),+ }
            }

            /// Its rule of dtypes.
            pub(crate) const fn rule(self) -> Rule {
                match self { $(Op::$op => Rule::$rule),+ }
            }
        }
    };
}

ops! {
    /// Sum; integers wrap.
    Add = "add", 2, Number;
    /// Difference; integers wrap.
    Sub = "sub", 2, Number;
    /// Product; integers wrap.
    Mul = "mul", 2, Number;
    /// IEEE quotient.
    Div = "div", 2, Float;
    /// Opposite sign, also of zero and NaN; integers wrap.
    Neg = "neg", 1, Number;
    /// Magnitude; of the least integer that integer.
    Abs = "abs", 1, Number;
    /// Square root, correctly rounded.
    Sqrt = "sqrt", 1, Float;
    /// `a*b + c` rounded once.
    Fma = "fma", 3, Float;
    /// Greatest integer not above.
    Floor = "floor", 1, Float;
    /// Least integer not below.
    Ceil = "ceil", 1, Float;
    /// Nearest integer towards zero.
    Trunc = "trunc", 1, Float;
    /// Nearest integer, halves to even.
    Round = "round", 1, Float;
    /// Nearest integer, halves away from zero.
    RoundAway = "round_away", 1, Float;
    /// The lesser; NaN if either is; -0 below +0.
    Minimum = "minimum", 2, Number;
    /// The greater; NaN if either is; -0 below +0.
    Maximum = "maximum", 2, Number;
    /// The lesser; a NaN is ignored; -0 below +0.
    Fmin = "fmin", 2, Float;
    /// The greater; a NaN is ignored; -0 below +0.
    Fmax = "fmax", 2, Float;
    /// `a < b ? a : b`, the machine's own minimum.
    Lesser = "lesser", 2, Number;
    /// `a > b ? a : b`, the machine's own maximum.
    Greater = "greater", 2, Number;
    /// The magnitude of the first with the sign of the second; a NaN's sign reads as plus.
    Copysign = "copysign", 2, Float;
    /// Python's `//`; 0 where an integer divisor is 0.
    FloorDivide = "floor_divide", 2, Number;
    /// Python's `%`; 0 where an integer divisor is 0.
    Remainder = "remainder", 2, Number;
    /// C's `fmod`, exact; 0 where an integer divisor is 0.
    Fmod = "fmod", 2, Number;
    /// The first to the power of the second; integers wrap.
    Power = "power", 2, Number;
    /// Bitwise and.
    And = "and", 2, Bits;
    /// Bitwise or.
    Or = "or", 2, Bits;
    /// Bitwise exclusive or.
    Xor = "xor", 2, Bits;
    /// Bitwise complement.
    Not = "not", 1, Bits;
    /// Shift to the left; 0 by the width, more, or a negative.
    Shl = "shl", 2, Int;
    /// Shift to the right; 0, or the sign of a signed, by the width, more, or a negative.
    Shr = "shr", 2, Int;
    /// Number of ones.
    Popcount = "popcount", 1, Int;
    /// Number of zeros above the highest one.
    Clz = "clz", 1, Int;
    /// Number of zeros below the lowest one.
    Ctz = "ctz", 1, Int;
    /// Rotation to the left, modulo the width.
    Rotl = "rotl", 2, Int;
    /// Rotation to the right, modulo the width.
    Rotr = "rotr", 2, Int;
    /// Equal.
    Eq = "eq", 2, Compare;
    /// Not equal; true of NaN.
    Ne = "ne", 2, Compare;
    /// Less.
    Lt = "lt", 2, Compare;
    /// Less or equal.
    Le = "le", 2, Compare;
    /// Greater.
    Gt = "gt", 2, Compare;
    /// Greater or equal.
    Ge = "ge", 2, Compare;
    /// Whether the sign bit is set; never of a NaN.
    Signbit = "signbit", 1, FloatTest;
    /// The second where the first is true, else the third.
    Select = "select", 3, Choose;
    /// e to the power of the operand.
    Exp = "exp", 1, Function;
    /// 2 to the power of the operand.
    Exp2 = "exp2", 1, Function;
    /// 10 to the power of the operand.
    Exp10 = "exp10", 1, Function;
    /// `exp(x) - 1`.
    Expm1 = "expm1", 1, Function;
    /// Natural logarithm.
    Log = "log", 1, Function;
    /// Binary logarithm.
    Log2 = "log2", 1, Function;
    /// Decimal logarithm.
    Log10 = "log10", 1, Function;
    /// `log(1 + x)`.
    Log1p = "log1p", 1, Function;
    /// `log(exp(x) + exp(y))`.
    Logaddexp = "logaddexp", 2, Function;
    /// `x * log(y)`, 0 where x is.
    Xlogy = "xlogy", 2, Function;
    /// `1 / (1 + exp(-x))`.
    Sigmoid = "sigmoid", 1, Function;
    /// `log(x / (1 - x))`.
    Logit = "logit", 1, Function;
    /// `log(1 + exp(x))`.
    Softplus = "softplus", 1, Function;
    /// Sine of radians.
    Sin = "sin", 1, Function;
    /// Cosine of radians.
    Cos = "cos", 1, Function;
    /// Tangent of radians.
    Tan = "tan", 1, Function;
    /// Arc sine in radians.
    Asin = "asin", 1, Function;
    /// Arc cosine in radians.
    Acos = "acos", 1, Function;
    /// Angle of the point (second, first) in radians.
    Atan2 = "atan2", 2, Function;
    /// Sine of half turns.
    Sinpi = "sinpi", 1, Function;
    /// Cosine of half turns.
    Cospi = "cospi", 1, Function;
    /// `sinpi(x) / (pi * x)`, 1 at 0.
    Sinc = "sinc", 1, Function;
    /// Hyperbolic sine.
    Sinh = "sinh", 1, Function;
    /// Hyperbolic cosine.
    Cosh = "cosh", 1, Function;
    /// Inverse of the hyperbolic sine.
    Asinh = "asinh", 1, Function;
    /// Inverse of the hyperbolic cosine.
    Acosh = "acosh", 1, Function;
    /// Inverse of the hyperbolic tangent.
    Atanh = "atanh", 1, Function;
    /// Reciprocal of the square root.
    Rsqrt = "rsqrt", 1, Function;
    /// Cube root.
    Cbrt = "cbrt", 1, Function;
    /// Square root of the sum of squares.
    Hypot = "hypot", 2, Function;
    /// Arc tangent in radians.
    Atan = "atan", 1, Function;
    /// Hyperbolic tangent.
    Tanh = "tanh", 1, Function;
    /// The error function.
    Erf = "erf", 1, Function;
    /// 1 less the error function.
    Erfc = "erfc", 1, Function;
    /// The inverse of the error function.
    Erfinv = "erfinv", 1, Function;
    /// The gamma function.
    Gamma = "gamma", 1, Function;
    /// The logarithm of the gamma function's magnitude.
    Lgamma = "lgamma", 1, Function;
    /// `exp10` with up to 4 ulp of error, as the others from here on; for dtypes see [`Op::fast`].
    FastExp10 = "fast_exp10", 1, Function;
    /// `expm1`.
    FastExpm1 = "fast_expm1", 1, Function;
    /// `log2`.
    FastLog2 = "fast_log2", 1, Function;
    /// `log10`.
    FastLog10 = "fast_log10", 1, Function;
    /// `log1p`.
    FastLog1p = "fast_log1p", 1, Function;
    /// `sigmoid`.
    FastSigmoid = "fast_sigmoid", 1, Function;
    /// `sin`.
    FastSin = "fast_sin", 1, Function;
    /// `cos`.
    FastCos = "fast_cos", 1, Function;
    /// `tan`.
    FastTan = "fast_tan", 1, Function;
    /// `sinh`.
    FastSinh = "fast_sinh", 1, Function;
    /// `cosh`.
    FastCosh = "fast_cosh", 1, Function;
    /// `tanh`.
    FastTanh = "fast_tanh", 1, Function;
    /// `rsqrt`.
    FastRsqrt = "fast_rsqrt", 1, Function;
}

const F32: &[DType] = &[DType::F32];
const BOTH: &[DType] = &[DType::F32, DType::F64];

/// A function, the dtypes for which there is a faster one, and that.
const FAST: &[(Op, &[DType], Op)] = &[
    (Op::Exp10, F32, Op::FastExp10),
    (Op::Expm1, F32, Op::FastExpm1),
    (Op::Log2, F32, Op::FastLog2),
    (Op::Log10, F32, Op::FastLog10),
    (Op::Log1p, F32, Op::FastLog1p),
    (Op::Sigmoid, F32, Op::FastSigmoid),
    (Op::Sin, BOTH, Op::FastSin),
    (Op::Cos, F32, Op::FastCos),
    (Op::Tan, F32, Op::FastTan),
    (Op::Sinh, F32, Op::FastSinh),
    (Op::Cosh, F32, Op::FastCosh),
    (Op::Tanh, F32, Op::FastTanh),
    (Op::Rsqrt, F32, Op::FastRsqrt),
];

impl Op {
    /// The op of that name.
    #[cfg(test)]
    pub(crate) fn from_name(name: &str) -> Option<Op> {
        Op::ALL.iter().copied().find(|op| op.name() == name)
    }

    /// Whether the op takes operands of `dtype` (the chosen ones, for `select`).
    pub(crate) fn takes(self, dtype: DType) -> bool {
        match self.rule() {
            Rule::Float | Rule::FloatTest => dtype.is_float(),
            Rule::Function => {
                dtype.is_float() && FAST.iter().all(|(_, dtypes, fast)| *fast != self || dtypes.contains(&dtype))
            }
            Rule::Int => dtype.is_int(),
            Rule::Number | Rule::Compare => dtype != DType::Bool,
            Rule::Bits => !dtype.is_float(),
            Rule::Choose => true,
        }
    }

    /// The dtype of the result for operands of `dtype` (the chosen ones, for `select`).
    pub(crate) fn result(self, dtype: DType) -> DType {
        match self.rule() {
            Rule::Float | Rule::Function | Rule::Int | Rule::Number | Rule::Bits | Rule::Choose => dtype,
            Rule::Compare | Rule::FloatTest => DType::Bool,
        }
    }

    /// Whether `f(a, b)` is `f(b, a)`, NaN payload aside.
    pub(crate) fn is_commutative(self) -> bool {
        use Op::{Add, And, Eq, Fmax, Fmin, Maximum, Minimum, Mul, Ne, Or, Xor};
        matches!(self, Add | Mul | And | Or | Xor | Eq | Ne | Minimum | Maximum | Fmin | Fmax)
    }

    /// The op that computes the same with up to 4 ulp of error, where it is faster by a third for operands of `dtype`.
    pub(crate) fn fast(self, dtype: DType) -> Option<Op> {
        FAST.iter().find(|(op, dtypes, _)| *op == self && dtypes.contains(&dtype)).map(|(.., fast)| *fast)
    }

    /// Whether the meaning is a graph of other ops, in `math`, and not a row of `meaning`.
    pub(crate) fn is_math(self, dtype: DType) -> bool {
        self.rule() == Rule::Function || self == Op::Power && dtype.is_float()
    }
}

//! Calls to ops: what dtype each function computes in, and its meaning in terms of the op table.

use super::weak::{self, Overflow, Weak};
use super::{Asked, Join, Lowerer, Operand, Term};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::Function;
use crate::ir::{Axes, Fold, Node, Op, Value};
use crate::resolve::Argument;
use crate::source::Span;
use crate::syntax::{BinaryOperator, CompareOperator, ExprId, UnaryOperator};
use crate::view::MAX_RANK;

impl Lowerer<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Argument], span: Span) -> Result<Term> {
        let values: Vec<Operand> = arguments.iter().filter_map(|argument| self.value(argument)).collect();
        if let Some(folded) = fold(function, &values) {
            return folded.map(|n| Term::Constant(Weak::Int(n))).ok_or_else(|| self.overflow(Overflow, span));
        }
        let option = arguments.last();
        let v = |k: usize| values[k];
        match function {
            Function::Abs => self.abs(v(0)),
            Function::Negative => self.unary(UnaryOperator::Negative, v(0), span),
            Function::Positive => self.unary(UnaryOperator::Positive, v(0), span),
            Function::Sign => self.sign(v(0)),
            Function::Signbit => self.signbit(v(0)),
            Function::Copysign => self.float(Op::Copysign, [v(0), v(1)]),
            Function::Reciprocal => {
                let one = Operand { term: Term::Constant(Weak::Int(1)), span };
                self.binary(BinaryOperator::Divide, one, v(0), span)
            }
            Function::Square => self.square(v(0), span),
            Function::Sqrt => self.float(Op::Sqrt, [v(0)]),
            Function::Fma => self.float(Op::Fma, [v(0), v(1), v(2)]),
            Function::Fdim => self.fdim(v(0), v(1)),
            Function::FloorDivide => self.binary(BinaryOperator::FloorDivide, v(0), v(1), span),
            Function::Remainder => self.binary(BinaryOperator::Remainder, v(0), v(1), span),
            Function::Fmod => self.apply(Op::Fmod, [v(0), v(1)], self.join(&values).bool_as_i8()),
            Function::Pow => self.binary(BinaryOperator::Power, v(0), v(1), span),
            Function::Minimum => self.extreme(Op::Minimum, Op::Minimum, v(0), v(1)),
            Function::Maximum => self.extreme(Op::Maximum, Op::Maximum, v(0), v(1)),
            Function::Fmin => self.extreme(Op::Fmin, Op::Minimum, v(0), v(1)),
            Function::Fmax => self.extreme(Op::Fmax, Op::Maximum, v(0), v(1)),
            Function::Clip => self.clip(v(0), v(1), v(2)),
            Function::Lerp => self.lerp([v(0), v(1), v(2)], span),
            Function::Step => self.step(v(0), v(1)),
            Function::Smoothstep => self.smoothstep(v(0), v(1), v(2)),
            Function::Exp => self.float(Op::Exp, [v(0)]),
            Function::Exp2 => self.float(Op::Exp2, [v(0)]),
            Function::Exp10 => self.float(Op::Exp10, [v(0)]),
            Function::Expm1 => self.float(Op::Expm1, [v(0)]),
            Function::Log => self.float(Op::Log, [v(0)]),
            Function::Log2 => self.float(Op::Log2, [v(0)]),
            Function::Log10 => self.float(Op::Log10, [v(0)]),
            Function::Log1p => self.float(Op::Log1p, [v(0)]),
            Function::Sin => self.float(Op::Sin, [v(0)]),
            Function::Cos => self.float(Op::Cos, [v(0)]),
            Function::Tan => self.float(Op::Tan, [v(0)]),
            Function::Asin => self.float(Op::Asin, [v(0)]),
            Function::Acos => self.float(Op::Acos, [v(0)]),
            Function::Sinpi => self.float(Op::Sinpi, [v(0)]),
            Function::Cospi => self.float(Op::Cospi, [v(0)]),
            Function::Sinc => self.float(Op::Sinc, [v(0)]),
            Function::Sinh => self.float(Op::Sinh, [v(0)]),
            Function::Cosh => self.float(Op::Cosh, [v(0)]),
            Function::Asinh => self.float(Op::Asinh, [v(0)]),
            Function::Acosh => self.float(Op::Acosh, [v(0)]),
            Function::Atanh => self.float(Op::Atanh, [v(0)]),
            Function::Rsqrt => self.float(Op::Rsqrt, [v(0)]),
            Function::Cbrt => self.float(Op::Cbrt, [v(0)]),
            Function::Atan2 => self.float(Op::Atan2, [v(0), v(1)]),
            Function::Hypot => self.float(Op::Hypot, [v(0), v(1)]),
            Function::Sigmoid => self.float(Op::Sigmoid, [v(0)]),
            Function::Logit => self.float(Op::Logit, [v(0)]),
            Function::Softplus => self.float(Op::Softplus, [v(0)]),
            Function::Logaddexp => self.float(Op::Logaddexp, [v(0), v(1)]),
            Function::Xlogy => self.float(Op::Xlogy, [v(0), v(1)]),
            Function::Relu => self.relu(v(0)),
            Function::IeeeRemainder => self.ieee_remainder(v(0), v(1)),
            Function::Isclose => self.isclose(v(0), v(1)),
            Function::Nextafter => self.nextafter(v(0), v(1)),
            Function::Ldexp => self.ldexp(v(0), v(1)),
            Function::NanToNum => self.nan_to_num(v(0)),
            Function::Atan => self.float(Op::Atan, [v(0)]),
            Function::Tanh => self.float(Op::Tanh, [v(0)]),
            Function::Erf => self.float(Op::Erf, [v(0)]),
            Function::Erfc => self.float(Op::Erfc, [v(0)]),
            Function::Erfinv => self.float(Op::Erfinv, [v(0)]),
            Function::Gamma => self.float(Op::Gamma, [v(0)]),
            Function::Lgamma => self.float(Op::Lgamma, [v(0)]),
            // As NumPy rounds the factors: in the dtype.
            Function::Deg2rad => self.scaled(v(0), std::f32::consts::PI / 180.0, std::f64::consts::PI / 180.0),
            Function::Rad2deg => self.scaled(v(0), 180.0 / std::f32::consts::PI, 180.0 / std::f64::consts::PI),
            Function::Floor => self.rounded(Op::Floor, v(0)),
            Function::Ceil => self.rounded(Op::Ceil, v(0)),
            Function::Trunc => self.rounded(Op::Trunc, v(0)),
            Function::Round => self.round(v(0), integer(option)),
            Function::Roundaway => self.rounded(Op::RoundAway, v(0)),
            Function::Frac => self.frac(v(0), span),
            Function::Isnan => self.isnan(v(0)),
            Function::Isinf => self.isinf(v(0)),
            Function::Isfinite => self.isfinite(v(0)),
            Function::Isnormal => self.isnormal(v(0)),
            Function::Where => self.select(v(0), v(1), v(2)),
            Function::LogicalAnd => self.truths(Op::And, &values),
            Function::LogicalOr => self.truths(Op::Or, &values),
            Function::LogicalNot => self.truths(Op::Not, &values),
            Function::LogicalXor => self.truths(Op::Xor, &values),
            Function::Popcount => self.of_bits(function, Op::Popcount, v(0)),
            Function::Clz => self.of_bits(function, Op::Clz, v(0)),
            Function::Ctz => self.of_bits(function, Op::Ctz, v(0)),
            Function::Rotl => self.rotate(function, Op::Rotl, v(0), v(1)),
            Function::Rotr => self.rotate(function, Op::Rotr, v(0), v(1)),
            Function::Bitcast => self.bitcast(v(0), dtype(option), span),
            Function::Astype => self.astype(v(0), dtype(option)),
            Function::Index => self.index(integer(option), span),
            Function::Size => self.size(v(0)),
            Function::Shape => self.shape_of(v(0), integer(option), span),
            Function::Shift => self.shift(v(0), &arguments[1..], span),
            Function::Take => self.take(v(0), v(1), &arguments[2..]),
            Function::Dot => self.dot(v(0), v(1), span),
            Function::Sum
            | Function::Prod
            | Function::Min
            | Function::Max
            | Function::Mean
            | Function::Var
            | Function::Std
            | Function::Any
            | Function::All
            | Function::CountNonzero
            | Function::Argmin
            | Function::Argmax
            | Function::Ptp
            | Function::Norm
            | Function::Logsumexp
            | Function::Nansum
            | Function::Nanmin
            | Function::Nanmax
            | Function::Nanmean => self.reduction(function, arguments, span),
            Function::Cumsum => self.scan(Fold::Sum, arguments, span),
            Function::Cumprod => self.scan(Fold::Product, arguments, span),
            Function::Cummax => self.scan(Fold::Max, arguments, span),
            Function::Cummin => self.scan(Fold::Min, arguments, span),
        }
    }

    fn value(&self, argument: &Argument) -> Option<Operand> {
        match argument {
            Argument::Value(id) => Some(self.operand(*id)),
            Argument::DType(_) | Argument::Integer(_) | Argument::Axes(_) | Argument::Flag(_) | Argument::None => None,
            Argument::Distances(_) | Argument::Boundary(_) => None,
        }
    }

    // -- arithmetic --

    fn abs(&mut self, x: Operand) -> Result<Term> {
        let join = self.join(&[x]);
        if join.dtype == DType::Bool { Ok(x.term) } else { self.apply(Op::Abs, [x], join) }
    }

    fn sign(&mut self, x: Operand) -> Result<Term> {
        let join = self.join(&[x]);
        if join.dtype == DType::Bool {
            return Err(self.no_bools("sign", x));
        }
        let x = self.convert(x, join.dtype)?;
        let (zero, one) = (self.b.integer(join.dtype, 0), self.b.integer(join.dtype, 1));
        let rest = if join.dtype.is_unsigned_int() {
            zero
        } else {
            // What is neither above nor below is 0, -0 or NaN; the sum makes +0 of -0.
            let otherwise = if join.dtype.is_float() { self.b.add(x, zero) } else { zero };
            let (minus_one, below) = (self.b.integer(join.dtype, -1), self.b.lt(x, zero));
            self.b.select(below, minus_one, otherwise)
        };
        let above = self.b.gt(x, zero);
        Ok(join.term(self.b.select(above, one, rest)))
    }

    fn signbit(&mut self, x: Operand) -> Result<Term> {
        let x = self.settle(x)?;
        let dtype = self.b.dtype(x);
        Ok(Term::Strong(if dtype.is_float() {
            self.b.apply(Op::Signbit, &[x])
        } else if dtype.is_signed_int() {
            let zero = self.b.integer(dtype, 0);
            self.b.lt(x, zero)
        } else {
            self.constant_like(x, false)
        }))
    }

    fn square(&mut self, x: Operand, span: Span) -> Result<Term> {
        match x.term {
            Term::Constant(_) => self.binary(BinaryOperator::Multiply, x, x, span),
            Term::Weak(_) | Term::Strong(_) => self.apply(Op::Mul, [x, x], self.join(&[x]).bool_as_i8()),
        }
    }

    fn fdim(&mut self, x: Operand, y: Operand) -> Result<Term> {
        let (join, [x, y]) = self.floats([x, y])?;
        let (zero, difference) = (self.b.float(join.dtype, 0.0), self.b.sub(x, y));
        // A NaN is not less or equal, so that it comes through in the difference.
        let below = self.b.le(x, y);
        Ok(join.term(self.b.select(below, zero, difference)))
    }

    fn extreme(&mut self, of_floats: Op, of_ints: Op, x: Operand, y: Operand) -> Result<Term> {
        let join = self.join(&[x, y]);
        let [x, y] = self.convert_all([x, y], join.dtype)?;
        Ok(join.term(self.extreme_value(of_floats, of_ints, x, y)))
    }

    /// Of bools the lesser is `and`, the greater `or`.
    pub(super) fn extreme_value(&mut self, of_floats: Op, of_ints: Op, x: Value, y: Value) -> Value {
        let op = match self.b.dtype(x) {
            DType::Bool if of_ints == Op::Minimum => Op::And,
            DType::Bool => Op::Or,
            dtype if dtype.is_float() => of_floats,
            _ => of_ints,
        };
        self.b.apply(op, &[x, y])
    }

    fn clip(&mut self, x: Operand, low: Operand, high: Operand) -> Result<Term> {
        let join = self.join(&[x, low, high]);
        let [x, low, high] = self.convert_all([x, low, high], join.dtype)?;
        let raised = self.extreme_value(Op::Maximum, Op::Maximum, x, low);
        Ok(join.term(self.extreme_value(Op::Minimum, Op::Minimum, raised, high)))
    }

    /// `a + t*(b - a)`, in the dtype that all three join to.
    fn lerp(&mut self, mut operands: [Operand; 3], span: Span) -> Result<Term> {
        let join = self.join(&operands);
        if join.dtype == DType::Bool {
            return Err(self.no_bools("lerp", operands[0]));
        }
        if !join.weak {
            let values = self.convert_all(operands, join.dtype)?;
            operands.iter_mut().zip(values).for_each(|(operand, value)| operand.term = Term::Strong(value));
        }
        let [a, b, t] = operands;
        let length = self.binary(BinaryOperator::Subtract, b, a, span)?;
        let part = self.binary(BinaryOperator::Multiply, t, Operand { term: length, span }, span)?;
        self.binary(BinaryOperator::Add, a, Operand { term: part, span }, span)
    }

    fn step(&mut self, edge: Operand, x: Operand) -> Result<Term> {
        let join = self.join(&[edge, x]);
        let [edge, x] = self.convert_all([edge, x], join.dtype)?;
        let below = match join.dtype {
            DType::Bool => self.compare_wholes(CompareOperator::Less, x, edge),
            _ => self.b.lt(x, edge),
        };
        let (zero, one) = (self.b.integer(join.dtype, 0), self.b.integer(join.dtype, 1));
        Ok(join.term(self.b.select(below, zero, one)))
    }

    /// `t*t*(3 - 2*t)` with `t` from 0 at `low` to 1 at `high`.
    fn smoothstep(&mut self, low: Operand, high: Operand, x: Operand) -> Result<Term> {
        let (join, [low, high, x]) = self.floats([low, high, x])?;
        let [zero, one, two, three] = [0.0, 1.0, 2.0, 3.0].map(|x| self.b.float(join.dtype, x));
        let (above, length) = (self.b.sub(x, low), self.b.sub(high, low));
        let part = self.b.div(above, length);
        let raised = self.b.apply(Op::Maximum, &[part, zero]);
        let t = self.b.apply(Op::Minimum, &[raised, one]);
        let (double, square) = (self.b.mul(two, t), self.b.mul(t, t));
        let factor = self.b.sub(three, double);
        Ok(join.term(self.b.mul(square, factor)))
    }

    /// The operands in the dtype that a float function of them computes in.
    pub(super) fn floats<const N: usize>(&mut self, operands: [Operand; N]) -> Result<(Join, [Value; N])> {
        let join = self.join(&operands).float();
        Ok((join, self.convert_all(operands, join.dtype)?))
    }

    fn float<const N: usize>(&mut self, op: Op, operands: [Operand; N]) -> Result<Term> {
        self.apply(op, operands, self.join(&operands).float())
    }

    fn scaled(&mut self, x: Operand, by_f32: f32, by_f64: f64) -> Result<Term> {
        let (join, [x]) = self.floats([x])?;
        let factor = if join.dtype == DType::F32 { self.b.f32(by_f32) } else { self.b.f64(by_f64) };
        Ok(join.term(self.b.mul(x, factor)))
    }

    // -- rounding --

    /// An op on floats that changes no integer and no bool.
    fn rounded(&mut self, op: Op, x: Operand) -> Result<Term> {
        let join = self.join(&[x]);
        if join.dtype.is_float() { self.apply(op, [x], join) } else { Ok(x.term) }
    }

    fn frac(&mut self, x: Operand, span: Span) -> Result<Term> {
        if self.dtype(x) == Some(DType::Bool) {
            return Err(self.no_bools("frac", x));
        }
        let floor = Operand { term: self.rounded(Op::Floor, x)?, span: x.span };
        self.binary(BinaryOperator::Subtract, x, floor, span)
    }

    /// NumPy's way: scaled by the power of ten, rounded and scaled back, in the dtype; whole numbers in f64.
    fn round(&mut self, x: Operand, decimals: i64) -> Result<Term> {
        let join = self.join(&[x]);
        if decimals == 0 || (decimals > 0 && !join.dtype.is_float()) {
            return self.rounded(Op::Round, x);
        }
        let (wide, [value]) = self.floats([x])?;
        let power: f64 = format!("1e{}", decimals.unsigned_abs()).parse().expect("digits are a float");
        let power = self.b.float(wide.dtype, power);
        let (before, after) = if decimals > 0 { (Op::Mul, Op::Div) } else { (Op::Div, Op::Mul) };
        let scaled = self.b.apply(before, &[value, power]);
        let whole = self.b.round(scaled);
        let rounded = self.b.apply(after, &[whole, power]);
        Ok(join.term(self.b.cast(rounded, join.dtype)))
    }

    // -- tests: integers and bools are finite, and normal if not 0 --

    fn isnan(&mut self, x: Operand) -> Result<Term> {
        let x = self.settle(x)?;
        let is_float = self.b.dtype(x).is_float();
        Ok(Term::Strong(if is_float { self.b.ne(x, x) } else { self.constant_like(x, false) }))
    }

    fn isinf(&mut self, x: Operand) -> Result<Term> {
        let x = self.settle(x)?;
        let is_float = self.b.dtype(x).is_float();
        Ok(Term::Strong(match is_float {
            true => self.compare_magnitude(Op::Eq, x, f64::INFINITY),
            false => self.constant_like(x, false),
        }))
    }

    fn isfinite(&mut self, x: Operand) -> Result<Term> {
        let x = self.settle(x)?;
        let is_float = self.b.dtype(x).is_float();
        Ok(Term::Strong(match is_float {
            true => self.compare_magnitude(Op::Lt, x, f64::INFINITY),
            false => self.constant_like(x, true),
        }))
    }

    fn isnormal(&mut self, operand: Operand) -> Result<Term> {
        let x = self.settle(operand)?;
        let least = match self.b.dtype(x) {
            DType::F32 => f64::from(f32::MIN_POSITIVE),
            DType::F64 => f64::MIN_POSITIVE,
            _ => return Ok(Term::Strong(self.truth(operand))),
        };
        let normal = self.compare_magnitude(Op::Ge, x, least);
        let finite = self.compare_magnitude(Op::Lt, x, f64::INFINITY);
        Ok(Term::Strong(self.b.and(normal, finite)))
    }

    fn compare_magnitude(&mut self, op: Op, x: Value, bound: f64) -> Value {
        let (bound, magnitude) = (self.b.float(self.b.dtype(x), bound), self.b.abs(x));
        self.b.apply(op, &[magnitude, bound])
    }

    fn truths(&mut self, op: Op, operands: &[Operand]) -> Result<Term> {
        let values: Vec<Value> = operands.iter().map(|x| self.truth(*x)).collect();
        Ok(Term::Strong(self.b.apply(op, &values)))
    }

    // -- bits --

    /// The operand as an integer, which bits can be counted and turned in.
    fn bits(&mut self, function: Function, x: Operand) -> Result<(Join, Value)> {
        let name = function.name();
        let join = self.join(&[x]);
        if join.dtype.is_int() {
            let [value] = self.convert_all([x], join.dtype)?;
            return Ok((join, value));
        }
        let (dtype, text) = (join.dtype, self.text(x.span));
        let error = self.error("integer-function", format!("`{name}` takes integers, found {dtype}"), x.span);
        Err(error.with_hint(match dtype {
            DType::Bool => format!("`u8({text})` makes 0 and 1 of it"),
            _ => format!("`bitcast({text}, {})` are its bits", DType::unsigned(dtype.size())),
        }))
    }

    fn of_bits(&mut self, function: Function, op: Op, x: Operand) -> Result<Term> {
        let (join, x) = self.bits(function, x)?;
        Ok(join.term(self.b.apply(op, &[x])))
    }

    /// The count goes modulo the width, so its own dtype and sign do not matter: the result has the dtype of `x`.
    fn rotate(&mut self, function: Function, op: Op, x: Operand, count: Operand) -> Result<Term> {
        self.check_integral(function.name(), &[count])?;
        let is_weak = |operand: Operand| !matches!(operand.term, Term::Strong(_));
        let weak = is_weak(x) && is_weak(count);
        let (join, x) = self.bits(function, x)?;
        let count = match count.term {
            Term::Constant(Weak::Int(count)) => {
                self.b.integer(join.dtype, count.rem_euclid(i128::from(join.dtype.bits())))
            }
            Term::Constant(Weak::Float(_)) => panic!("a count is integral"),
            Term::Weak(value) | Term::Strong(value) => self.b.cast(value, join.dtype),
        };
        Ok(Join { weak, ..join }.term(self.b.apply(op, &[x, count])))
    }

    /// A call of a function of Rust. It takes the elements of a strip together, so it stands where all elements go.
    pub(super) fn host(&mut self, place: usize, args: &[ExprId], span: Span) -> Result<Term> {
        let host = &self.program.hosts[place];
        if self.b.open_blocks().len() > 1 {
            let name = &host.name;
            let message = format!("`{name}` is a function of Rust, and stands where each element goes its own way");
            let error = Error::new(ErrorKind::Shape, "call-in-block", message).at(&self.program.ast.source, span);
            return Err(error.with_hint(format!("call it before the branch or loop: `y = {name}(...)`")));
        }
        let mut operands = Vec::with_capacity(args.len());
        for (k, (arg, dtype)) in args.iter().zip(&host.params).enumerate() {
            let what = format!("argument {} of `{}`", k + 1, host.name);
            let arg = self.declared(self.operand(*arg), *dtype, &what)?;
            let value = self.convert(arg, *dtype)?;
            // It could tell NaNs apart, and which one an operation gives is open.
            operands.push(if dtype.is_float() { self.with_one_nan(value) } else { value });
        }
        let known = self.calls.iter().position(|(known, _)| *known == place);
        let call = known.unwrap_or_else(|| {
            self.calls.push((place, span));
            self.calls.len() - 1
        });
        Ok(Term::Strong(self.b.push(Node::Call(call as u32, operands.into()), host.result)))
    }

    /// The float, every NaN as the positive quiet one.
    fn with_one_nan(&mut self, value: Value) -> Value {
        let (nan, is_number) = (self.b.float(self.b.dtype(value), f64::NAN), self.b.eq(value, value));
        self.b.select(is_number, value, nan)
    }

    fn bitcast(&mut self, x: Operand, dtype: DType, span: Span) -> Result<Term> {
        let value = match x.term {
            Term::Constant(Weak::Int(bits)) => self.literal_bits(bits, dtype, x.span)?,
            Term::Constant(Weak::Float(_)) | Term::Weak(_) | Term::Strong(_) => self.settle(x)?,
        };
        let from = self.b.dtype(value);
        if from.size() != dtype.size() {
            let (size, wanted) = (from.size(), dtype.size());
            let message = format!("`bitcast` keeps the size, found {from} ({size} bytes) to {dtype} ({wanted} bytes)");
            let same = if dtype.is_float() { DType::unsigned(wanted) } else { dtype };
            return Err(self
                .error("bitcast-size", message, span)
                .with_hint(format!("`{same}({})` converts the value first", self.text(x.span))));
        }
        Ok(Term::Strong(if from == DType::Bool || dtype == DType::Bool {
            // A byte other than 0 reads as true.
            self.b.cast(value, dtype)
        } else if from.is_float() && from != dtype {
            let shown = self.with_one_nan(value);
            self.b.bitcast(shown, dtype)
        } else {
            self.b.bitcast(value, dtype)
        }))
    }

    /// A literal given for bits has the size that is asked for.
    fn literal_bits(&mut self, bits: i128, dtype: DType, span: Span) -> Result<Value> {
        let integer = if bits < 0 { DType::signed(dtype.size()) } else { DType::unsigned(dtype.size()) };
        self.check_range(span, (bits, bits), integer)?;
        Ok(self.b.integer(integer, bits))
    }

    fn astype(&mut self, x: Operand, dtype: DType) -> Result<Term> {
        let converted = self
            .convert(x, dtype)
            .map_err(|error| error.with_hint(format!("`{dtype}(i64({}))` wraps", self.text(x.span))))?;
        Ok(Term::Strong(converted))
    }

    // -- positions --

    pub(super) fn index(&mut self, axis: i64, span: Span) -> Result<Term> {
        if !(0..MAX_RANK as i64).contains(&axis) {
            let message = format!("`index` takes an axis of 0 to {}, found {axis}", MAX_RANK - 1);
            return Err(Error::new(ErrorKind::Shape, "index-axis", message).at(&self.program.ast.source, span));
        }
        let value = self.b.push(Node::Index(axis as u8), DType::I64);
        self.indexed.push((value, span));
        Ok(Term::Strong(value))
    }

    /// How many elements the operand has; which parameters decide that is known at the end.
    fn size(&mut self, x: Operand) -> Result<Term> {
        let value = match x.term {
            Term::Constant(_) => return Ok(Term::Strong(self.b.i64(1))),
            Term::Weak(value) | Term::Strong(value) => value,
        };
        let axes = Axes::all(self.rank(value));
        Ok(Term::Strong(self.asked(Asked::Elements([value; 2], axes))))
    }
}

/// A function of integer literals alone that is one; `None` within is beyond 128 bits.
fn fold(function: Function, operands: &[Operand]) -> Option<Option<i128>> {
    let literal = |operand: &Operand| match operand.term {
        Term::Constant(Weak::Int(n)) => Some(n),
        Term::Constant(Weak::Float(_)) | Term::Weak(_) | Term::Strong(_) => None,
    };
    let literals: Vec<i128> = operands.iter().map(literal).collect::<Option<_>>()?;
    match (function, &literals[..]) {
        (Function::Abs, [x]) => Some(x.checked_abs()),
        (Function::Sign, [x]) => Some(Some(x.signum())),
        (Function::Floor | Function::Ceil | Function::Trunc | Function::Roundaway, [x]) => Some(Some(*x)),
        (Function::Fmod, [x, y]) => Some(Some(weak::fmod(*x, *y))),
        (Function::Minimum | Function::Fmin, [x, y]) => Some(Some(*x.min(y))),
        (Function::Maximum | Function::Fmax, [x, y]) => Some(Some(*x.max(y))),
        (Function::Clip, [x, low, high]) => Some(Some(*x.max(low).min(high))),
        _ => None,
    }
}

fn dtype(option: Option<&Argument>) -> DType {
    match option {
        Some(Argument::DType(dtype)) => *dtype,
        _ => panic!("resolve gives a dtype, found {option:?}"),
    }
}

fn integer(option: Option<&Argument>) -> i64 {
    match option {
        Some(Argument::Integer(integer)) => *integer,
        _ => panic!("resolve gives an integer, found {option:?}"),
    }
}

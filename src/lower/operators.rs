//! Operators on terms: what dtype each computes in, and the ops that it is.

use super::weak::{self, Weak};
use super::{Join, Lowerer, Operand, Term};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ir::{Op, Value};
use crate::source::Span;
use crate::syntax::{BinaryOperator, CompareOperator, UnaryOperator};

/// The greatest literal exponent of an integer power that is multiplied out: 5 squares and 5 products at most.
const UNROLLED_EXPONENT: i128 = 63;

impl Lowerer<'_> {
    pub(super) fn unary(&mut self, operator: UnaryOperator, x: Operand, span: Span) -> Result<Term> {
        let is_bool = self.dtype(x) == Some(DType::Bool);
        match (operator, x.term) {
            (UnaryOperator::Negative | UnaryOperator::Positive, Term::Strong(_)) if is_bool => {
                Err(self.no_bools(operator.symbol(), x))
            }
            (UnaryOperator::Negative, Term::Constant(x)) => {
                weak::negative(x).map(Term::Constant).map_err(|overflow| self.overflow(overflow, span))
            }
            (UnaryOperator::Negative, Term::Weak(_)) => {
                let zero = Operand { term: Term::Constant(Weak::Int(0)), span };
                let term = self.apply(Op::Neg, [x], self.join(&[x]))?;
                self.keep_hull(BinaryOperator::Subtract, term, zero, x);
                Ok(term)
            }
            (UnaryOperator::Negative, Term::Strong(value)) => Ok(Term::Strong(self.b.neg(value))),
            (UnaryOperator::Positive, term) => Ok(term),
            (UnaryOperator::Invert, Term::Constant(Weak::Int(x))) => Ok(Term::Constant(Weak::Int(!x))),
            (UnaryOperator::Invert, Term::Constant(Weak::Float(_)) | Term::Weak(_) | Term::Strong(_)) => {
                self.check_integral(operator.symbol(), &[x])?;
                let join = self.join(&[x]);
                let [value] = self.convert_all([x], join.dtype)?;
                Ok(join.term(self.b.not(value)))
            }
        }
    }

    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: Operand,
        right: Operand,
        span: Span,
    ) -> Result<Term> {
        if let (Term::Constant(a), Term::Constant(b)) = (left.term, right.term) {
            let folded = weak::binary(operator, a, b).map_err(|overflow| self.overflow(overflow, span))?;
            if let Some(folded) = folded {
                return Ok(Term::Constant(folded));
            }
        }
        let term = self.typed_binary(operator, left, right)?;
        self.keep_hull(operator, term, left, right);
        Ok(term)
    }

    fn typed_binary(&mut self, operator: BinaryOperator, left: Operand, right: Operand) -> Result<Term> {
        let join = self.join(&[left, right]);
        let is_bool = join.dtype == DType::Bool;
        match operator {
            BinaryOperator::Add => self.apply(if is_bool { Op::Or } else { Op::Add }, [left, right], join),
            BinaryOperator::Subtract if is_bool => Err(self.no_bools("-", left)),
            BinaryOperator::Subtract => self.apply(Op::Sub, [left, right], join),
            BinaryOperator::Multiply => self.apply(if is_bool { Op::And } else { Op::Mul }, [left, right], join),
            BinaryOperator::Divide => self.apply(Op::Div, [left, right], join.float()),
            BinaryOperator::FloorDivide => self.apply(Op::FloorDivide, [left, right], join.bool_as_i8()),
            BinaryOperator::Remainder => self.apply(Op::Remainder, [left, right], join.bool_as_i8()),
            BinaryOperator::Power => self.power(left, right, join),
            BinaryOperator::And => self.bitwise(operator, Op::And, left, right, join),
            BinaryOperator::Or => self.bitwise(operator, Op::Or, left, right, join),
            BinaryOperator::Xor => self.bitwise(operator, Op::Xor, left, right, join),
            BinaryOperator::ShiftLeft => self.bitwise(operator, Op::Shl, left, right, join.bool_as_i8()),
            BinaryOperator::ShiftRight => self.bitwise(operator, Op::Shr, left, right, join.bool_as_i8()),
        }
    }

    fn bitwise(&mut self, operator: BinaryOperator, op: Op, left: Operand, right: Operand, join: Join) -> Result<Term> {
        self.check_bitwise(operator, left, right)?;
        self.apply(op, [left, right], join)
    }

    /// `op` on the operands converted to the join.
    pub(super) fn apply<const N: usize>(&mut self, op: Op, operands: [Operand; N], join: Join) -> Result<Term> {
        let values = self.convert_all(operands, join.dtype)?;
        Ok(join.term(self.b.apply(op, &values)))
    }

    fn power(&mut self, base: Operand, exponent: Operand, join: Join) -> Result<Term> {
        let literal = match exponent.term {
            Term::Constant(Weak::Int(exponent)) => Some(exponent),
            Term::Constant(Weak::Float(2.0)) => Some(2),
            Term::Constant(Weak::Float(_)) | Term::Weak(_) | Term::Strong(_) => None,
        };
        let Some(literal) = literal else { return self.apply(Op::Power, [base, exponent], join.bool_as_i8()) };
        match literal {
            2 => {
                let x = self.convert(base, join.dtype)?;
                Ok(join.term(self.b.mul(x, x)))
            }
            _ if join.dtype.is_float() => self.apply(Op::Power, [base, exponent], join),
            ..=-1 if join.weak => self.apply(Op::Power, [base, exponent], join.float()),
            ..=-1 => Err(self.negative_exponent(base, exponent, join.dtype)),
            1..=UNROLLED_EXPONENT => {
                let x = self.convert(base, join.dtype)?;
                Ok(join.term(self.multiply_out(x, literal)))
            }
            _ => self.apply(Op::Power, [base, exponent], join),
        }
    }

    /// `x` to a power of at least 1, by squares.
    fn multiply_out(&mut self, x: Value, exponent: i128) -> Value {
        let (mut product, mut square, mut left) = (None, x, exponent);
        loop {
            if left & 1 != 0 {
                product = Some(product.map_or(square, |product| self.b.mul(product, square)));
            }
            left >>= 1;
            if left == 0 {
                return product.expect("an exponent above 0 has a one");
            }
            square = self.b.mul(square, square);
        }
    }

    fn negative_exponent(&self, base: Operand, exponent: Operand, dtype: DType) -> Error {
        let (base, written) = (self.text(base.span), self.text(exponent.span));
        self.error(
            "negative-exponent",
            format!("{dtype} to the negative power `{written}` is no integer"),
            exponent.span,
        )
        .with_hint(format!("`f64({base}) ** {written}` computes in floats"))
    }

    // -- errors of dtypes --

    /// The error of an operation that bools are refused for.
    pub(super) fn no_bools(&self, what: &str, x: Operand) -> Error {
        self.error("bool-arithmetic", format!("`{what}` takes numbers, found bool"), x.span)
            .with_hint(format!("`i64({})` makes 0 and 1 of it", self.text(x.span)))
    }

    /// `what` takes integers and bools.
    pub(super) fn check_integral(&self, what: &str, operands: &[Operand]) -> Result<()> {
        let found = |operand: &Operand| match operand.term {
            Term::Constant(Weak::Float(_)) => Some("a float".to_owned()),
            Term::Constant(Weak::Int(_)) => None,
            Term::Weak(value) | Term::Strong(value) => {
                let dtype = self.b.dtype(value);
                dtype.is_float().then(|| dtype.to_string())
            }
        };
        match operands.iter().find_map(|operand| Some((found(operand)?, operand.span))) {
            None => Ok(()),
            Some((found, span)) => {
                Err(self.error("integer-operator", format!("`{what}` takes integers and bools, found {found}"), span))
            }
        }
    }

    fn check_bitwise(&self, operator: BinaryOperator, left: Operand, right: Operand) -> Result<()> {
        let symbol = operator.symbol();
        self.check_integral(symbol, &[left, right]).map_err(|error| match operator {
            BinaryOperator::Xor => {
                let power = format!("{} ** {}", self.text(left.span), self.text(right.span));
                error.with_hint(format!("`^` is exclusive or; the power is `{power}`"))
            }
            BinaryOperator::And => error.with_hint("`and` joins conditions of any dtype"),
            BinaryOperator::Or => error.with_hint("`or` joins conditions of any dtype"),
            _ => error.with_hint("`i64(x)` converts, rounding towards 0"),
        })?;
        if !self.join(&[left, right]).dtype.is_float() {
            return Ok(());
        }
        let [a, b] = [left, right].map(|side| self.dtype(side).expect("only dtypes join to a float here"));
        let unsigned = if a.is_unsigned_int() { left } else { right };
        let message =
            format!("`{symbol}` takes integers of one dtype, found {a} and {b}, which no integer dtype holds");
        let hint = format!("convert one side: `i64({})`", self.text(unsigned.span));
        Err(self.error("integer-operator", message, left.span.to(right.span)).with_hint(hint))
    }

    /// A `x^2` that found integers is legal, and hardly meant.
    pub(super) fn warn_of_xor(&mut self, left: Operand, right: Operand, span: Span) {
        let written = self.program.ast.text(right.span);
        if matches!(right.term, Term::Constant(Weak::Int(2 | 3))) && matches!(written, "2" | "3") {
            let warning = self.error("xor-power", "`^` is exclusive or, not a power", span);
            self.warnings.push(warning.with_hint(format!("the power is `{} ** {written}`", self.text(left.span))));
        }
    }

    // -- conditions --

    /// Whether it is not 0; NaN is not.
    pub(super) fn truth(&mut self, x: Operand) -> Value {
        match x.term {
            Term::Constant(x) => self.b.element(x.is_true()),
            Term::Weak(value) | Term::Strong(value) => match self.b.dtype(value) {
                DType::Bool => value,
                dtype => {
                    let zero = self.b.integer(dtype, 0);
                    self.b.ne(value, zero)
                }
            },
        }
    }

    pub(super) fn select(&mut self, condition: Operand, then: Operand, otherwise: Operand) -> Result<Term> {
        let condition = self.truth(condition);
        let join = self.join(&[then, otherwise]);
        let [a, b] = self.convert_all([then, otherwise], join.dtype)?;
        let value = self.b.select(condition, a, b);
        if let (true, Some(a), Some(b)) = (join.weak, self.hull(then), self.hull(otherwise)) {
            self.hulls.insert(value, (a.0.min(b.0), a.1.max(b.1)));
        }
        Ok(join.term(value))
    }

    /// A sum, difference or product of weak integers is greatest and least where they are.
    fn keep_hull(&mut self, operator: BinaryOperator, term: Term, left: Operand, right: Operand) {
        use BinaryOperator::{Add, Multiply, Subtract};
        let (Term::Weak(value), Add | Subtract | Multiply) = (term, operator) else { return };
        let (Some(a), Some(b)) = (self.hull(left), self.hull(right)) else { return };
        let mut hull: Option<(i128, i128)> = None;
        for (a, b) in [(a.0, b.0), (a.0, b.1), (a.1, b.0), (a.1, b.1)] {
            let Ok(Some(Weak::Int(x))) = weak::binary(operator, Weak::Int(a), Weak::Int(b)) else { return };
            hull = Some(hull.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        }
        self.hulls.extend(hull.map(|hull| (value, hull)));
    }

    fn hull(&self, x: Operand) -> Option<(i128, i128)> {
        match x.term {
            Term::Constant(Weak::Int(x)) => Some((x, x)),
            Term::Weak(value) => self.hulls.get(&value).copied(),
            Term::Constant(Weak::Float(_)) | Term::Strong(_) => None,
        }
    }

    pub(super) fn compare(&mut self, operator: CompareOperator, left: Operand, right: Operand) -> Result<Value> {
        match (self.whole(left), self.whole(right)) {
            (Some(Whole::Literal(a)), Some(Whole::Literal(b))) => {
                let holds = weak::compare(operator, Weak::Int(a), Weak::Int(b));
                Ok(self.b.element(holds))
            }
            (Some(Whole::Value(x)), Some(Whole::Literal(literal))) => Ok(self.compare_literal(operator, x, literal)),
            (Some(Whole::Literal(literal)), Some(Whole::Value(x))) => {
                Ok(self.compare_literal(mirrored(operator), x, literal))
            }
            (Some(Whole::Value(a)), Some(Whole::Value(b))) => Ok(self.compare_wholes(operator, a, b)),
            (None, _) | (_, None) => {
                let join = self.join(&[left, right]).float();
                let [a, b] = self.convert_all([left, right], join.dtype)?;
                Ok(self.b.apply(op_of(operator), &[a, b]))
            }
        }
    }

    /// The operand as a side of a comparison by true value; not of floats.
    fn whole(&self, x: Operand) -> Option<Whole> {
        match x.term {
            Term::Constant(Weak::Int(x)) => Some(Whole::Literal(x)),
            Term::Constant(Weak::Float(_)) => None,
            Term::Weak(value) | Term::Strong(value) => (!self.b.dtype(value).is_float()).then_some(Whole::Value(value)),
        }
    }

    /// A literal that the dtype of `x` does not hold makes the answer one for all.
    fn compare_literal(&mut self, operator: CompareOperator, x: Value, literal: i128) -> Value {
        let x = if self.b.dtype(x) == DType::Bool { self.b.cast(x, DType::U8) } else { x };
        let dtype = self.b.dtype(x);
        let (least, greatest) = dtype.int_range();
        if (least..=greatest).contains(&literal) {
            let literal = self.b.integer(dtype, literal);
            return self.b.apply(op_of(operator), &[x, literal]);
        }
        let answer = weak::compare(operator, Weak::Int(least), Weak::Int(literal));
        self.constant_like(x, answer)
    }

    /// Integers and bools by true value.
    pub(super) fn compare_wholes(&mut self, operator: CompareOperator, a: Value, b: Value) -> Value {
        let op = op_of(operator);
        let (of_a, of_b) = (self.b.dtype(a), self.b.dtype(b));
        let dtype = of_a.promote(of_b);
        if dtype == DType::Bool {
            return self.compare_bools(operator, a, b);
        }
        if !dtype.is_float() {
            let (a, b) = (self.b.cast(a, dtype), self.b.cast(b, dtype));
            return self.b.apply(op, &[a, b]);
        }
        // u64 with a signed: no dtype holds both, but below 0 the answer is known.
        if of_b.is_unsigned_int() {
            return self.compare_wholes(mirrored(operator), b, a);
        }
        let zero = self.b.integer(of_b, 0);
        let signed = self.b.cast(b, DType::U64);
        let above = self.b.apply(op, &[a, signed]);
        if weak::compare(operator, Weak::Int(0), Weak::Int(-1)) {
            let negative = self.b.lt(b, zero);
            self.b.or(negative, above)
        } else {
            let positive = self.b.ge(b, zero);
            self.b.and(positive, above)
        }
    }

    fn compare_bools(&mut self, operator: CompareOperator, a: Value, b: Value) -> Value {
        match operator {
            CompareOperator::NotEqual => self.b.xor(a, b),
            CompareOperator::Equal => {
                let differ = self.b.xor(a, b);
                self.b.not(differ)
            }
            CompareOperator::Less => {
                let not = self.b.not(a);
                self.b.and(not, b)
            }
            CompareOperator::LessEqual => {
                let not = self.b.not(a);
                self.b.or(not, b)
            }
            CompareOperator::Greater | CompareOperator::GreaterEqual => self.compare_bools(mirrored(operator), b, a),
        }
    }

    /// A bool that is the same for all elements of `x`, an integer or bool, and still depends on it, for its shape.
    pub(super) fn constant_like(&mut self, x: Value, answer: bool) -> Value {
        if self.b.dtype(x) != DType::Bool {
            return if answer { self.b.eq(x, x) } else { self.b.ne(x, x) };
        }
        let no = self.b.xor(x, x);
        if answer { self.b.not(no) } else { no }
    }
}

/// A side of a comparison by true value.
enum Whole {
    Literal(i128),
    Value(Value),
}

fn op_of(operator: CompareOperator) -> Op {
    match operator {
        CompareOperator::Less => Op::Lt,
        CompareOperator::LessEqual => Op::Le,
        CompareOperator::Greater => Op::Gt,
        CompareOperator::GreaterEqual => Op::Ge,
        CompareOperator::Equal => Op::Eq,
        CompareOperator::NotEqual => Op::Ne,
    }
}

/// The operator that says the same with its sides exchanged.
fn mirrored(operator: CompareOperator) -> CompareOperator {
    match operator {
        CompareOperator::Less => CompareOperator::Greater,
        CompareOperator::LessEqual => CompareOperator::GreaterEqual,
        CompareOperator::Greater => CompareOperator::Less,
        CompareOperator::GreaterEqual => CompareOperator::LessEqual,
        CompareOperator::Equal => CompareOperator::Equal,
        CompareOperator::NotEqual => CompareOperator::NotEqual,
    }
}

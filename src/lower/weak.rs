//! Constants without a dtype to constants without a dtype: literals folded as Python folds them.

use crate::dtype::{DType, Element};
use crate::ir::{self, Op};
use crate::syntax::{BinaryOperator, CompareOperator};

/// A number that has no dtype yet: a literal, or literals folded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weak {
    Int(i128),
    Float(f64),
}

/// The exact result is beyond 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// `None` where the operation is an error, or rounds in a way that `math` decides.
type Folded = Result<Option<Weak>, Overflow>;

impl Weak {
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Weak::Int(x) => x as f64,
            Weak::Float(x) => x,
        }
    }

    pub(super) fn is_true(self) -> bool {
        match self {
            Weak::Int(x) => x != 0,
            Weak::Float(x) => x != 0.0,
        }
    }
}

pub(super) fn binary(operator: BinaryOperator, left: Weak, right: Weak) -> Folded {
    match (left, right) {
        (Weak::Int(a), Weak::Int(b)) => ints(operator, a, b),
        (Weak::Int(_) | Weak::Float(_), Weak::Int(_) | Weak::Float(_)) => {
            Ok(floats(operator, left.to_f64(), right.to_f64()).map(Weak::Float))
        }
    }
}

pub(super) fn negative(x: Weak) -> Result<Weak, Overflow> {
    match x {
        Weak::Int(x) => x.checked_neg().map(Weak::Int).ok_or(Overflow),
        Weak::Float(x) => Ok(Weak::Float(-x)),
    }
}

pub(super) fn compare(operator: CompareOperator, left: Weak, right: Weak) -> bool {
    match (left, right) {
        (Weak::Int(a), Weak::Int(b)) => holds(operator, &a, &b),
        (Weak::Int(_) | Weak::Float(_), Weak::Int(_) | Weak::Float(_)) => {
            holds(operator, &left.to_f64(), &right.to_f64())
        }
    }
}

fn holds<T: PartialOrd>(operator: CompareOperator, a: &T, b: &T) -> bool {
    match operator {
        CompareOperator::Less => a < b,
        CompareOperator::LessEqual => a <= b,
        CompareOperator::Greater => a > b,
        CompareOperator::GreaterEqual => a >= b,
        CompareOperator::Equal => a == b,
        CompareOperator::NotEqual => a != b,
    }
}

fn floats(operator: BinaryOperator, a: f64, b: f64) -> Option<f64> {
    let apply = |op| Some(f64::from_bits64(ir::apply(op, DType::F64, &[a.to_bits64(), b.to_bits64()])));
    match operator {
        BinaryOperator::Add => apply(Op::Add),
        BinaryOperator::Subtract => apply(Op::Sub),
        BinaryOperator::Multiply => apply(Op::Mul),
        BinaryOperator::Divide => apply(Op::Div),
        BinaryOperator::FloorDivide => apply(Op::FloorDivide),
        BinaryOperator::Remainder => apply(Op::Remainder),
        BinaryOperator::Power if b == 2.0 => Some(a * a),
        BinaryOperator::Power
        | BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::Xor
        | BinaryOperator::ShiftLeft
        | BinaryOperator::ShiftRight => None,
    }
}

fn ints(operator: BinaryOperator, a: i128, b: i128) -> Folded {
    let exact = match operator {
        BinaryOperator::Add => a.checked_add(b),
        BinaryOperator::Subtract => a.checked_sub(b),
        BinaryOperator::Multiply => a.checked_mul(b),
        BinaryOperator::Divide => return Ok(Some(Weak::Float(a as f64 / b as f64))),
        BinaryOperator::FloorDivide => floor_divide(a, b),
        BinaryOperator::Remainder => Some(remainder(a, b)),
        BinaryOperator::Power if b < 0 => return Ok(reciprocal_power(a, b).map(Weak::Float)),
        BinaryOperator::Power => power(a, b),
        BinaryOperator::And => Some(a & b),
        BinaryOperator::Or => Some(a | b),
        BinaryOperator::Xor => Some(a ^ b),
        BinaryOperator::ShiftLeft => shift_left(a, b),
        BinaryOperator::ShiftRight => Some(if (0..127).contains(&b) { a >> b } else { a >> 127 }),
    };
    exact.map(|x| Some(Weak::Int(x))).ok_or(Overflow)
}

pub(super) fn remainder(a: i128, b: i128) -> i128 {
    let rest = fmod(a, b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

pub(super) fn fmod(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}

fn floor_divide(a: i128, b: i128) -> Option<i128> {
    if b == 0 {
        return Some(0);
    }
    let below = remainder(a, b) != fmod(a, b);
    a.checked_div(b)?.checked_sub(i128::from(below))
}

fn shift_left(a: i128, count: i128) -> Option<i128> {
    if a == 0 || count < 0 {
        return Some(0);
    }
    let count = u32::try_from(count).ok().filter(|count| *count < 127)?;
    Some(a << count).filter(|shifted| shifted >> count == a)
}

/// Bounded before it is computed: only bases -1, 0 and 1 have large exponents.
fn power(a: i128, exponent: i128) -> Option<i128> {
    match a {
        0 => Some(i128::from(exponent == 0)),
        1 => Some(1),
        -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => a.checked_pow(u32::try_from(exponent).ok().filter(|exponent| *exponent < 128)?),
    }
}

/// `1 / a**-exponent` where one division rounds it correctly, as the digits of `10**-3` do.
fn reciprocal_power(a: i128, exponent: i128) -> Option<f64> {
    let whole = power(a, exponent.checked_neg()?)?;
    (whole.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS).then(|| 1.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's own answers.
    #[test]
    fn folds_as_python() {
        use BinaryOperator::{FloorDivide, Power, Remainder, ShiftLeft, ShiftRight};
        let cases = [
            (FloorDivide, -7, 2, Ok(-4)),
            (FloorDivide, 7, -2, Ok(-4)),
            (FloorDivide, -6, 2, Ok(-3)),
            (FloorDivide, 7, 0, Ok(0)),
            (FloorDivide, i128::MIN, -1, Err(Overflow)),
            (Remainder, -7, 3, Ok(2)),
            (Remainder, 7, -3, Ok(-2)),
            (Remainder, 7, 0, Ok(0)),
            (Remainder, i128::MIN, -1, Ok(0)),
            (Power, 3, 80, Ok(147808829414345923316083210206383297601)),
            (Power, 3, 81, Err(Overflow)),
            (Power, 2, i128::MAX, Err(Overflow)),
            (Power, -1, i128::MAX, Ok(-1)),
            (Power, -2, 127, Ok(i128::MIN)),
            (Power, 0, 0, Ok(1)),
            (ShiftLeft, 1, 126, Ok(1 << 126)),
            (ShiftLeft, 1, 127, Err(Overflow)),
            (ShiftLeft, -3, 126, Err(Overflow)),
            (ShiftLeft, 1, i128::MAX, Err(Overflow)),
            (ShiftLeft, 0, i128::MAX, Ok(0)),
            (ShiftRight, -5, 1, Ok(-3)),
            (ShiftRight, -5, 500, Ok(-1)),
            (ShiftRight, 5, 500, Ok(0)),
        ];
        for (operator, a, b, expected) in cases {
            let folded = binary(operator, Weak::Int(a), Weak::Int(b));
            assert_eq!(folded, expected.map(|x| Some(Weak::Int(x))), "{a} {} {b}", operator.symbol());
        }
    }

    #[test]
    fn negative_powers_round_once() {
        for (base, exponent, expected) in
            [(10, -3, Some(1e-3)), (2, -1, Some(0.5)), (-1, -3, Some(-1.0)), (10, -22, None)]
        {
            assert_eq!(
                ints(BinaryOperator::Power, base, exponent),
                Ok(expected.map(Weak::Float)),
                "{base}**{exponent}"
            );
        }
        assert_eq!(ints(BinaryOperator::Power, 0, -1), Ok(Some(Weak::Float(f64::INFINITY))));
        assert_eq!(ints(BinaryOperator::Power, 2, i128::MIN), Ok(None));
    }
}

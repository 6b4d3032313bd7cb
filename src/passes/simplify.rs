//! Operations to cheaper ones with the same bits for every operand (NaN payload and sign aside): IEEE strict, so `x + 0.0`,
//! `x * 0` and `x - x` stay as they are on floats. What is legal stays legal.

use crate::dtype::{DType, Element};
use crate::ir::{Builder, Graph, Node, Op, Operands, Value, rewrite, to_int};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    rewrite(&graph, |b, node, dtype| match node {
        Node::Apply(op, mut operands) => {
            constants_right(b.graph(), op, &mut operands);
            apply(b, op, &operands).unwrap_or_else(|| b.push(Node::Apply(op, operands), dtype))
        }
        Node::Cast(x) => converted(b, x, dtype).unwrap_or_else(|| b.cast(x, dtype)),
        Node::Bitcast(x) => match *b.graph().node(x) {
            // A bool is one bit, whichever byte it came from.
            Node::Bitcast(inner) if b.dtype(x) != DType::Bool => b.bitcast(inner, dtype),
            _ => b.bitcast(x, dtype),
        },
        node => b.push(node, dtype),
    })
}

fn constants_right(graph: &Graph, op: Op, operands: &mut Operands) {
    let is_constant = |x: Value| graph.constant(x).is_some();
    if (op.is_commutative() || op == Op::Fma) && is_constant(operands[0]) && !is_constant(operands[1]) {
        operands.swap(0, 1);
    }
}

fn apply(b: &mut Builder, op: Op, operands: &[Value]) -> Option<Value> {
    if op == Op::Select {
        return select(b, operands);
    }
    match b.dtype(operands[0]) {
        dtype if dtype.is_float() => float(b, op, operands, dtype),
        dtype => integer(b, op, operands, dtype),
    }
}

/// The operand of `op` if that made the value.
fn operand_of(b: &Builder, op: Op, value: Value) -> Option<Value> {
    match b.graph().node(value) {
        Node::Apply(made, operands) if *made == op => Some(operands[0]),
        _ => None,
    }
}

fn select(b: &mut Builder, operands: &[Value]) -> Option<Value> {
    let (condition, x, y) = (operands[0], operands[1], operands[2]);
    if x == y {
        return Some(x);
    }
    if b.dtype(x) == DType::Bool {
        match (b.graph().constant(x), b.graph().constant(y)) {
            (Some(1), Some(0)) => return Some(condition),
            (Some(0), Some(1)) => return Some(b.not(condition)),
            (_, Some(0)) => return Some(b.and(condition, x)),
            (Some(1), _) => return Some(b.or(condition, y)),
            (Some(0), _) => {
                let opposite = b.not(condition);
                return Some(b.and(opposite, y));
            }
            (_, Some(1)) => {
                let opposite = b.not(condition);
                return Some(b.or(opposite, x));
            }
            _ => {}
        }
    }
    // What one condition chose twice it chose at once.
    if let Some([known, chosen, _]) = choice(b, x)
        && known == condition
    {
        return Some(b.select(condition, chosen, y));
    }
    if let Some([known, _, chosen]) = choice(b, y)
        && known == condition
    {
        return Some(b.select(condition, x, chosen));
    }
    let opposite = operand_of(b, Op::Not, condition)?;
    Some(select(b, &[opposite, y, x]).unwrap_or_else(|| b.select(opposite, y, x)))
}

/// The operands of a value that is a choice.
fn choice(b: &Builder, value: Value) -> Option<[Value; 3]> {
    match b.graph().node(value) {
        Node::Apply(Op::Select, operands) => Some([operands[0], operands[1], operands[2]]),
        _ => None,
    }
}

fn float(b: &mut Builder, op: Op, operands: &[Value], dtype: DType) -> Option<Value> {
    let constant = |b: &Builder, k: usize| operands.get(k).and_then(|x| b.graph().constant(*x));
    let negated = |b: &Builder, k: usize| operand_of(b, Op::Neg, operands[k]);
    let bits_of = |x: f64| if dtype == DType::F32 { (x as f32).to_bits64() } else { x.to_bits64() };
    let is = |bits: Option<u64>, x: f64| bits == Some(bits_of(x));
    match op {
        Op::Add if is(constant(b, 1), -0.0) => Some(operands[0]),
        Op::Add => match (negated(b, 0), negated(b, 1)) {
            (_, Some(y)) => Some(b.sub(operands[0], y)),
            (Some(x), None) => Some(b.sub(operands[1], x)),
            (None, None) => None,
        },
        Op::Sub if is(constant(b, 1), 0.0) => Some(operands[0]),
        Op::Sub => negated(b, 1).map(|y| b.add(operands[0], y)),
        Op::Mul | Op::Div if is(constant(b, 1), 1.0) => Some(operands[0]),
        // Adding takes as long as multiplying, but needs no constant, and other units of the machine.
        Op::Mul if is(constant(b, 1), 2.0) => Some(b.add(operands[0], operands[0])),
        Op::Mul | Op::Div if negated(b, 0).is_some() && negated(b, 1).is_some() => {
            let operands = [negated(b, 0)?, negated(b, 1)?];
            Some(b.apply(op, &operands))
        }
        Op::Div => {
            let reciprocal = exact_reciprocal(constant(b, 1)?, dtype)?;
            let reciprocal = b.constant(dtype, reciprocal);
            Some(b.mul(operands[0], reciprocal))
        }
        Op::Fma if is(constant(b, 1), 1.0) => Some(b.add(operands[0], operands[2])),
        Op::Fma if is(constant(b, 2), -0.0) => Some(b.mul(operands[0], operands[1])),
        Op::Neg => negated(b, 0),
        Op::Abs => {
            let inner = negated(b, 0).or_else(|| operand_of(b, Op::Abs, operands[0]))?;
            Some(b.abs(inner))
        }
        Op::Floor | Op::Ceil | Op::Trunc | Op::Round | Op::RoundAway => {
            is_whole(b.graph(), operands[0]).then_some(operands[0])
        }
        Op::Minimum | Op::Maximum | Op::Fmin | Op::Fmax | Op::Lesser | Op::Greater => {
            (operands[0] == operands[1]).then_some(operands[0])
        }
        _ => None,
    }
}

/// The reciprocal of a power of two where it is a normal number: then it has no rounding that the quotient lacks.
fn exact_reciprocal(bits: u64, dtype: DType) -> Option<u64> {
    let mantissa = if dtype == DType::F32 { (1 << 23) - 1 } else { (1 << 52) - 1 };
    let reciprocal = match dtype {
        DType::F32 => Some(1.0 / f32::from_bits64(bits)).filter(|x| x.is_normal()).map(Element::to_bits64),
        _ => Some(1.0 / f64::from_bits64(bits)).filter(|x| x.is_normal()).map(Element::to_bits64),
    };
    reciprocal.filter(|_| bits & mantissa == 0)
}

/// Whether rounding to an integer changes nothing.
fn is_whole(graph: &Graph, value: Value) -> bool {
    match graph.node(value) {
        Node::Apply(op, _) => matches!(op, Op::Floor | Op::Ceil | Op::Trunc | Op::Round | Op::RoundAway),
        Node::Cast(x) => !graph.dtype(*x).is_float(),
        _ => false,
    }
}

/// Integers and booleans.
fn integer(b: &mut Builder, op: Op, operands: &[Value], dtype: DType) -> Option<Value> {
    let x = operands[0];
    let Some(&y) = operands.get(1) else { return unary(b, op, x, dtype) };
    if x == y
        && let Some(value) = twice_the_same(b, op, x, dtype)
    {
        return Some(value);
    }
    let (negated_x, negated_y) = (operand_of(b, Op::Neg, x), operand_of(b, Op::Neg, y));
    match (op, negated_x, negated_y) {
        (Op::Add, _, Some(y)) => return Some(b.sub(x, y)),
        (Op::Add, Some(x), None) => return Some(b.sub(y, x)),
        (Op::Sub, _, Some(y)) => return Some(b.add(x, y)),
        _ => {}
    }
    let bits = b.graph().constant(y)?;
    let all = if dtype == DType::Bool { 1 } else { u64::MAX >> (64 - dtype.bits()) };
    match (op, bits) {
        (Op::Add | Op::Sub | Op::Or | Op::Xor | Op::Shl | Op::Shr | Op::Rotl | Op::Rotr, 0) => Some(x),
        (Op::Mul | Op::And, 0) => Some(y),
        (Op::Mul | Op::FloorDivide | Op::Power, 1) => Some(x),
        (Op::And, _) if bits == all => Some(x),
        (Op::Or, _) if bits == all => Some(y),
        (Op::Xor, _) if bits == all => Some(b.not(x)),
        (Op::Mul, _) if bits == all && dtype.is_signed_int() => {
            let zero = b.constant(dtype, 0);
            Some(b.sub(zero, x))
        }
        // Lanes of 8 bits neither multiply nor shift.
        (Op::Mul, _) if bits.is_power_of_two() && dtype.size() > 1 => {
            let count = b.constant(dtype, u64::from(bits.trailing_zeros()));
            Some(b.shl(x, count))
        }
        (Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor, _) => {
            let Node::Apply(made, inner) = *b.graph().node(x) else { return None };
            let known = if made == op { b.graph().constant(inner[1])? } else { return None };
            let bits = crate::ir::apply(op, dtype, &[known, bits]);
            let constant = b.constant(dtype, bits);
            Some(b.apply(op, &[inner[0], constant]))
        }
        (Op::Minimum | Op::Lesser, _) if to_int(bits, dtype) == dtype.int_range().0 => Some(y),
        (Op::Minimum | Op::Lesser, _) if to_int(bits, dtype) == dtype.int_range().1 => Some(x),
        (Op::Maximum | Op::Greater, _) if to_int(bits, dtype) == dtype.int_range().1 => Some(y),
        (Op::Maximum | Op::Greater, _) if to_int(bits, dtype) == dtype.int_range().0 => Some(x),
        _ => None,
    }
}

fn unary(b: &mut Builder, op: Op, x: Value, dtype: DType) -> Option<Value> {
    match op {
        Op::Neg => operand_of(b, Op::Neg, x),
        Op::Abs if dtype.is_unsigned_int() => Some(x),
        Op::Abs => {
            let inner = operand_of(b, Op::Neg, x).or_else(|| operand_of(b, Op::Abs, x))?;
            Some(b.abs(inner))
        }
        Op::Not => {
            let Node::Apply(made, operands) = *b.graph().node(x) else { return None };
            let is_int = |x: Value| b.dtype(x).is_int();
            let opposite = match made {
                Op::Not => return Some(operands[0]),
                Op::Eq => Op::Ne,
                Op::Ne => Op::Eq,
                // With a NaN neither a comparison nor its opposite holds.
                Op::Lt if is_int(operands[0]) => Op::Ge,
                Op::Le if is_int(operands[0]) => Op::Gt,
                Op::Gt if is_int(operands[0]) => Op::Le,
                Op::Ge if is_int(operands[0]) => Op::Lt,
                _ => return None,
            };
            Some(b.apply(opposite, &operands))
        }
        _ => None,
    }
}

fn twice_the_same(b: &mut Builder, op: Op, x: Value, dtype: DType) -> Option<Value> {
    match op {
        Op::And | Op::Or | Op::Minimum | Op::Maximum | Op::Lesser | Op::Greater => Some(x),
        Op::Sub | Op::Xor | Op::Remainder | Op::Fmod => Some(b.constant(dtype, 0)),
        Op::Eq | Op::Le | Op::Ge => Some(b.constant(DType::Bool, 1)),
        Op::Ne | Op::Lt | Op::Gt => Some(b.constant(DType::Bool, 0)),
        _ => None,
    }
}

/// A conversion of a conversion, where the first one loses nothing that the second keeps.
fn converted(b: &mut Builder, x: Value, to: DType) -> Option<Value> {
    let inner = match *b.graph().node(x) {
        Node::Cast(inner) => inner,
        Node::Bitcast(inner) if b.dtype(inner).is_int() && b.dtype(x).is_int() => inner,
        _ => return None,
    };
    let (from, middle) = (b.dtype(inner), b.dtype(x));
    let cut_off = from.is_int() && middle.is_int() && to.is_int() && to.size() <= middle.size();
    let back = to == from && holds(middle, from);
    let exact = from.is_int() && middle.is_int() && to.is_int() && holds(middle, from);
    if !(cut_off || back || exact) {
        return None;
    }
    Some(match (from.size() == to.size(), from.is_int()) {
        // As `legalize` writes it.
        (true, true) => b.bitcast(inner, to),
        _ => b.cast(inner, to),
    })
}

/// Whether `wide` has every value of `narrow`.
fn holds(wide: DType, narrow: DType) -> bool {
    match (wide, narrow) {
        (DType::F64, DType::F32) => true,
        (DType::F32 | DType::F64, DType::F32 | DType::F64) => wide == narrow,
        (_, DType::F32 | DType::F64) => false,
        (DType::Bool, _) => narrow == DType::Bool,
        (DType::F32, _) => narrow.size() <= 2,
        (DType::F64, _) => narrow.size() <= 4,
        _ => {
            let ((least, most), (narrow_least, narrow_most)) = (wide.int_range(), narrow.int_range());
            least <= narrow_least && narrow_most <= most
        }
    }
}

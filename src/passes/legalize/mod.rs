//! Ops that no machine has in vectors to ops that the strip vectoriser takes. Behind it a graph holds only
//!
//! - constants, parameters, `index`, `size`, `reduce`, `gather`, `when`, `repeat`, `carried`, `part`; `lookup` with an index in
//!   bounds; `bitcast` between dtypes of one size, none of them bool;
//! - on floats: add sub mul div sqrt fma floor ceil trunc round lesser greater, the six comparisons, select;
//! - on integers: add sub and or xor not, the six comparisons, select; lesser greater up to 32 bits; mul from 16 bits; shl and
//!   shr from 16 bits by a constant, from 32 bits by any count, which is at least 0 and less than the width;
//! - on bools: and or xor not;
//! - casts between integers of two sizes (the source's sign widens, the upper bits are cut off), between f32 and f64, from i32 to
//!   f32 and f64.
//!
//! An expansion runs for every element, so each is the shortest known that never branches, unless for cases that are rare.

mod bits;
mod convert;
mod divide;
mod divide_constant;
mod float_remainder;
mod minmax;
mod power;

use crate::dtype::DType;
use crate::ir::{Builder, Graph, Node, Op, Operands, Value, rewrite, to_int};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    rewrite(&graph, |b, node, dtype| match node {
        Node::Apply(op, operands) => apply(b, op, &operands),
        Node::Cast(x) => convert::cast(b, x, dtype),
        Node::Bitcast(x) => convert::bitcast(b, x, dtype),
        Node::Lookup(table, index) => {
            let index = clamped(b, index, graph.tables[table as usize].elements.len());
            b.push(Node::Lookup(table, index), dtype)
        }
        node => b.push(node, dtype),
    })
}

/// Panics if a value is none of those that the module's head lists.
pub(super) fn verify(graph: &Graph) {
    for value in (0..graph.len()).map(Value::from_index) {
        assert!(is_legal(graph, value), "{value} is legal: {:?} of {}", graph.node(value), graph.dtype(value));
    }
}

fn is_legal(graph: &Graph, value: Value) -> bool {
    let to = graph.dtype(value);
    match graph.node(value) {
        Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) | Node::Reduce(..) => true,
        Node::Call(..) | Node::Lookup(..) | Node::Gather(..) => true,
        Node::When { .. } | Node::Repeat { .. } | Node::Carried(_) | Node::Part(..) => true,
        Node::Apply(op, operands) => is_legal_op(*op, graph.dtype(operands[operands.len() - 1]), || {
            graph.constant(operands[1]).is_some_and(|count| count < u64::from(to.bits()))
        }),
        Node::Cast(x) => is_legal_cast(graph.dtype(*x), to),
        Node::Bitcast(x) => graph.dtype(*x) != DType::Bool && to != DType::Bool,
    }
}

/// Whether `op` on operands of `dtype` is on the list; `by_constant` says whether a shift is by a constant in range.
fn is_legal_op(op: Op, dtype: DType, by_constant: impl FnOnce() -> bool) -> bool {
    let (float, int) = (dtype.is_float(), dtype.is_int());
    match op {
        Op::Add | Op::Sub => true,
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Select => float || int,
        Op::Mul => float || dtype.size() >= 2,
        Op::Div | Op::Sqrt | Op::Fma | Op::Floor | Op::Ceil | Op::Trunc | Op::Round => float,
        Op::Lesser | Op::Greater => float || dtype.size() <= 4,
        Op::And | Op::Or | Op::Xor | Op::Not => true,
        Op::Shl | Op::Shr => dtype.size() >= 4 || dtype.size() == 2 && by_constant(),
        Op::Neg | Op::Abs | Op::RoundAway | Op::Minimum | Op::Maximum | Op::Fmin | Op::Fmax | Op::Copysign => false,
        Op::FloorDivide | Op::Remainder | Op::Fmod | Op::Power | Op::Signbit => false,
        Op::Popcount | Op::Clz | Op::Ctz | Op::Rotl | Op::Rotr => false,
        Op::Exp | Op::Exp2 | Op::Exp10 | Op::Expm1 | Op::Log | Op::Log2 | Op::Log10 | Op::Log1p => false,
        Op::Logaddexp | Op::Xlogy | Op::Sigmoid | Op::Logit | Op::Softplus => false,
        Op::Asin | Op::Acos | Op::Atan2 | Op::Sinpi | Op::Cospi | Op::Sinc | Op::Sinh | Op::Cosh => false,
        Op::Asinh | Op::Acosh | Op::Atanh | Op::Rsqrt | Op::Cbrt | Op::Hypot => false,
        Op::Sin | Op::Cos | Op::Tan | Op::Atan | Op::Tanh | Op::Erf | Op::Erfc => false,
        Op::Erfinv | Op::Gamma | Op::Lgamma => false,
        Op::FastExp10 | Op::FastExpm1 | Op::FastSigmoid => false,
        Op::FastLog2 | Op::FastLog10 | Op::FastLog1p | Op::FastRsqrt => false,
        Op::FastSin | Op::FastCos | Op::FastTan | Op::FastSinh | Op::FastCosh | Op::FastTanh => false,
    }
}

fn is_legal_cast(from: DType, to: DType) -> bool {
    match (from.is_float(), to.is_float()) {
        (true, true) => true,
        (false, true) => from == DType::I32,
        (false, false) => from.is_int() && to.is_int() && from.size() != to.size(),
        (true, false) => false,
    }
}

/// `op` in legal ops.
fn apply(b: &mut Builder, op: Op, operands: &[Value]) -> Value {
    match b.dtype(operands[operands.len() - 1]) {
        DType::Bool => on_bools(b, op, operands),
        dtype if dtype.is_float() => on_floats(b, op, operands),
        dtype => on_integers(b, op, operands, dtype),
    }
}

fn on_bools(b: &mut Builder, op: Op, operands: &[Value]) -> Value {
    if op != Op::Select {
        return b.apply(op, operands);
    }
    let (condition, x, y) = (operands[0], operands[1], operands[2]);
    let differ = b.xor(x, y);
    let change = b.and(condition, differ);
    b.xor(change, y)
}

fn on_floats(b: &mut Builder, op: Op, operands: &[Value]) -> Value {
    let x = operands[0];
    match op {
        Op::Neg => bits::negate(b, x),
        Op::Abs => bits::magnitude(b, x),
        Op::Copysign => bits::copysign(b, x, operands[1]),
        Op::Signbit => bits::signbit(b, x),
        Op::RoundAway => bits::round_away(b, x),
        Op::Minimum => minmax::minimum(b, x, operands[1]),
        Op::Maximum => minmax::maximum(b, x, operands[1]),
        Op::Fmin => minmax::fmin(b, x, operands[1]),
        Op::Fmax => minmax::fmax(b, x, operands[1]),
        Op::FloorDivide => float_remainder::floor_divide(b, x, operands[1]),
        Op::Remainder => float_remainder::remainder(b, x, operands[1]),
        Op::Fmod => float_remainder::fmod(b, x, operands[1]),
        _ => legal(b, op, operands),
    }
}

fn on_integers(b: &mut Builder, op: Op, operands: &[Value], dtype: DType) -> Value {
    let x = operands[0];
    match op {
        Op::Neg => {
            let zero = b.constant(dtype, 0);
            b.sub(zero, x)
        }
        Op::Abs => minmax::integer_abs(b, x),
        Op::Minimum | Op::Lesser => minmax::integer(b, Op::Lesser, x, operands[1]),
        Op::Maximum | Op::Greater => minmax::integer(b, Op::Greater, x, operands[1]),
        Op::Mul => bits::multiply(b, x, operands[1]),
        Op::Shl | Op::Shr => bits::shift(b, op, x, operands[1]),
        Op::Rotl | Op::Rotr => bits::rotate(b, op, x, operands[1]),
        Op::Popcount => bits::popcount(b, x),
        Op::Clz => bits::leading_zeros(b, x),
        Op::Ctz => bits::trailing_zeros(b, x),
        Op::FloorDivide | Op::Remainder | Op::Fmod => match b.graph().constant(operands[1]) {
            Some(divisor) => divide_constant::divide(b, op, x, to_int(divisor, dtype)),
            None => divide::divide(b, op, x, operands[1]),
        },
        Op::Power => power::power(b, x, operands[1]),
        _ => legal(b, op, operands),
    }
}

fn legal(b: &mut Builder, op: Op, operands: &[Value]) -> Value {
    let dtype = b.dtype(operands[operands.len() - 1]);
    assert!(is_legal_op(op, dtype, || false), "{} of {dtype} has been expanded", op.name());
    let result = op.result(dtype);
    b.push(Node::Apply(op, Operands::new(operands)), result)
}

/// The index of a table of `len` elements, moved into it.
fn clamped(b: &mut Builder, index: Value, len: usize) -> Value {
    let last = len as i64 - 1;
    if let Node::Apply(Op::And, operands) = *b.graph().node(index)
        && let Some(mask) = b.graph().constant(operands[1])
        && mask <= last as u64
    {
        return index;
    }
    let (first, last) = (b.i64(0), b.i64(last));
    let index = minmax::integer(b, Op::Greater, index, first);
    minmax::integer(b, Op::Lesser, index, last)
}

//! The math library: each function as a graph of primitive ops, one file a family.

mod area;
mod asin;
mod atan;
mod double;
mod erf;
mod erfinv;
mod exp;
mod gamma;
mod hyperbolic;
mod log;
mod logistic;
mod pow;
mod root;
mod single;
mod trig;

use crate::ir::{Builder, Graph, Node, Op, Value, rewrite};

/// The graph of a function, built into `b`; nothing for ops that have a meaning of their own.
pub(crate) fn expand(b: &mut Builder, op: Op, operands: &[Value]) -> Option<Value> {
    let dtype = b.dtype(operands[0]);
    match op {
        _ if !op.is_math(dtype) => None,
        Op::Exp => Some(exp::exp(b, operands[0])),
        Op::Exp2 => Some(exp::exp2(b, operands[0])),
        Op::Exp10 => Some(exp::exp10(b, operands[0])),
        Op::Expm1 => Some(exp::expm1(b, operands[0])),
        Op::Log => Some(log::log(b, operands[0])),
        Op::Log2 => Some(log::log2(b, operands[0])),
        Op::Log10 => Some(log::log10(b, operands[0])),
        Op::Log1p => Some(log::log1p(b, operands[0])),
        Op::Sigmoid => Some(logistic::sigmoid(b, operands[0])),
        Op::Logit => Some(logistic::logit(b, operands[0])),
        Op::Softplus => Some(logistic::softplus(b, operands[0])),
        Op::Logaddexp => Some(logistic::logaddexp(b, operands[0], operands[1])),
        Op::Xlogy => Some(logistic::xlogy(b, operands[0], operands[1])),
        Op::Sin => Some(trig::sin(b, operands[0])),
        Op::Cos => Some(trig::cos(b, operands[0])),
        Op::Tan => Some(trig::tan(b, operands[0])),
        Op::Asin => Some(asin::asin(b, operands[0])),
        Op::Acos => Some(asin::acos(b, operands[0])),
        Op::Atan2 => Some(atan::atan2(b, operands[0], operands[1])),
        Op::Sinpi => Some(trig::sinpi(b, operands[0])),
        Op::Cospi => Some(trig::cospi(b, operands[0])),
        Op::Sinc => Some(trig::sinc(b, operands[0])),
        Op::Sinh => Some(hyperbolic::sinh(b, operands[0])),
        Op::Cosh => Some(hyperbolic::cosh(b, operands[0])),
        Op::Asinh => Some(area::asinh(b, operands[0])),
        Op::Acosh => Some(area::acosh(b, operands[0])),
        Op::Atanh => Some(area::atanh(b, operands[0])),
        Op::Rsqrt => Some(root::rsqrt(b, operands[0])),
        Op::Cbrt => Some(root::cbrt(b, operands[0])),
        Op::Hypot => Some(root::hypot(b, operands[0], operands[1])),
        Op::Atan => Some(atan::atan(b, operands[0])),
        Op::Tanh => Some(hyperbolic::tanh(b, operands[0])),
        Op::Erf => Some(erf::erf(b, operands[0])),
        Op::Erfc => Some(erf::erfc(b, operands[0])),
        Op::Erfinv => Some(erfinv::erfinv(b, operands[0])),
        Op::Gamma => Some(gamma::gamma(b, operands[0])),
        Op::Lgamma => Some(gamma::lgamma(b, operands[0])),
        Op::FastExp10 => Some(single::exp10(b, operands[0])),
        Op::FastExpm1 => Some(single::expm1(b, operands[0])),
        Op::FastLog2 => Some(single::log2(b, operands[0])),
        Op::FastLog10 => Some(single::log10(b, operands[0])),
        Op::FastLog1p => Some(single::log1p(b, operands[0])),
        Op::FastSigmoid => Some(single::sigmoid(b, operands[0])),
        Op::FastSin => Some(single::sin(b, operands[0])),
        Op::FastCos => Some(single::cos(b, operands[0])),
        Op::FastTan => Some(single::tan(b, operands[0])),
        Op::FastSinh => Some(single::sinh(b, operands[0])),
        Op::FastCosh => Some(single::cosh(b, operands[0])),
        Op::FastTanh => Some(single::tanh(b, operands[0])),
        Op::FastRsqrt => Some(single::rsqrt(b, operands[0])),
        Op::Power => Some(pow::power(b, operands[0], operands[1])),
        _ => panic!("{} has no graph", op.name()),
    }
}

/// Puts the fast function in the place of each that has one for its dtype.
pub(crate) fn choose_fast(graph: &mut Graph) {
    for value in (0..graph.len()).map(Value::from_index) {
        if let Node::Apply(op, operands) = graph.node(value)
            && let Some(fast) = op.fast(graph.dtype(operands[operands.len() - 1]))
        {
            let operands = *operands;
            graph.set_node(value, Node::Apply(fast, operands));
        }
    }
}

/// The graph with every math function replaced by its graph.
pub(crate) fn inline(graph: &Graph) -> Graph {
    rewrite(graph, |b, node, dtype| {
        if let Node::Apply(op, operands) = &node
            && let Some(value) = expand(b, *op, operands)
        {
            return value;
        }
        b.push(node, dtype)
    })
}

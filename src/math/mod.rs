//! The math library: each function as a graph of primitive ops, one file a family.

use crate::ir::{Builder, Graph, Node, Op, Value, rewrite};

/// The graph of a function, built into `b`; nothing for ops that have a meaning of their own.
pub(crate) fn expand(_b: &mut Builder, op: Op, operands: &[Value]) -> Option<Value> {
    match op {
        Op::Exp | Op::Log | Op::Sin | Op::Cos => panic!("{} of {operands:?} has no graph yet", op.name()),
        _ => None,
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

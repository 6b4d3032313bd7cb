//! Operations on constants to their results, and a choice by a constant to what it chooses.

use crate::dtype::DType;
use crate::ir::{self, Graph, Node, Op, Value, rewrite};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    rewrite(&graph, |b, node, dtype| match fold(b.graph(), &node, dtype) {
        Some(Folded::Constant(bits)) => b.constant(dtype, bits),
        Some(Folded::Known(value)) => value,
        None => b.push(node, dtype),
    })
}

enum Folded {
    Constant(u64),
    Known(Value),
}

fn fold(graph: &Graph, node: &Node, dtype: DType) -> Option<Folded> {
    let bits = match node {
        Node::Apply(Op::Select, operands) => {
            let chosen = if graph.constant(operands[0])? != 0 { operands[1] } else { operands[2] };
            return Some(Folded::Known(chosen));
        }
        Node::Apply(op, operands) => {
            let operand = graph.dtype(operands[0]);
            let mut bits = [0; 3];
            for (bits, x) in bits.iter_mut().zip(operands.iter()) {
                *bits = graph.constant(*x)?;
            }
            if op.is_math(operand) {
                return None;
            }
            // Folding rounds as the run would: in the dtype.
            ir::apply(*op, operand, &bits[..operands.len()])
        }
        Node::Cast(x) => ir::cast(graph.constant(*x)?, graph.dtype(*x), dtype),
        Node::Bitcast(x) => ir::bitcast(graph.constant(*x)?, dtype),
        Node::Lookup(table, index) => {
            let elements = &graph.tables[*table as usize].elements;
            elements[(graph.constant(*index)? as i64).clamp(0, elements.len() as i64 - 1) as usize]
        }
        Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) | Node::Reduce(..) => return None,
        Node::Call(..) | Node::Gather(..) | Node::Carried(_) => return None,
        Node::When { .. } | Node::Repeat { .. } | Node::Part(..) => panic!("a region is no value of its own"),
    };
    Some(Folded::Constant(bits))
}

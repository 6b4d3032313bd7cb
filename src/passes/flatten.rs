//! Conditional code that costs less than a branch to code that runs for every element, and a choice.

use crate::ir::{BlockId, Builder, Graph, Node, Op, Rewrite, Value, rewrite_regions};
use crate::target::Target;

/// What a body may cost that runs unasked: about what asking and a branch that is guessed wrong now and then cost.
const CHEAP: usize = 24;

/// More branches than this would take the code generator too long: it takes time in more than their number.
const MOST_BRANCHES: usize = 256;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    let mut costs = vec![None; graph.len()];
    let mut bodies = Vec::new();
    cost(&graph, BlockId::ROOT, &mut costs, &mut bodies);
    if bodies.is_empty() {
        return graph;
    }
    let mut limit = CHEAP;
    if bodies.len() > MOST_BRANCHES {
        bodies.sort_unstable();
        limit = limit.max(bodies[bodies.len() - MOST_BRANCHES - 1]);
    }
    let flat = costs.into_iter().map(|cost| cost.is_some_and(|cost| cost <= limit)).collect();
    rewrite_regions(&graph, Flatten { flat })
}

/// The cost of a block, none if it has a loop; that of each `when` goes to `costs`, and to `bodies` if it has none.
fn cost(graph: &Graph, block: BlockId, costs: &mut [Option<usize>], bodies: &mut Vec<usize>) -> Option<usize> {
    let mut sum = Some(0_usize);
    for &value in &graph.block(block).values {
        let node = graph.node(value);
        let own = match node {
            Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) | Node::Carried(_) => Some(0),
            Node::Apply(op, operands) => Some(of_op(*op, graph.dtype(operands[0]).is_float())),
            Node::Cast(_) => Some(2),
            // As what chooses in its place.
            Node::Bitcast(_) | Node::Part(..) | Node::Reduce(..) => Some(1),
            Node::Lookup(..) | Node::Gather(..) => Some(8),
            Node::When { body, .. } => {
                let own = cost(graph, *body, costs, bodies);
                costs[value.index()] = own;
                bodies.extend(own);
                own
            }
            Node::Repeat { body, .. } => {
                cost(graph, *body, costs, bodies);
                None
            }
        };
        sum = sum.zip(own).map(|(sum, own)| sum.saturating_add(own));
    }
    sum
}

/// Vector instructions, roughly, a division as many as it takes the time of.
fn of_op(op: Op, of_floats: bool) -> usize {
    match op {
        Op::Div | Op::Sqrt => 8,
        Op::FloorDivide | Op::Remainder | Op::Fmod => 30,
        Op::Power | Op::Exp | Op::Log | Op::Sin | Op::Cos => 40,
        Op::Popcount | Op::Clz | Op::Ctz | Op::Rotl | Op::Rotr | Op::Shl | Op::Shr => 6,
        Op::Minimum | Op::Maximum | Op::Fmin | Op::Fmax | Op::RoundAway if of_floats => 5,
        _ => 1,
    }
}

struct Flatten {
    /// Of the old graph.
    flat: Vec<bool>,
}

impl Rewrite for Flatten {
    fn value(&mut self, b: &mut Builder, node: Node, dtype: crate::dtype::DType) -> Value {
        b.push(node, dtype)
    }

    fn runs_always(&self, when: Value) -> bool {
        self.flat[when.index()]
    }
}

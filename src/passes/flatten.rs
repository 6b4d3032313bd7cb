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
            Node::Bitcast(_) | Node::Part(..) | Node::Reduce(..) | Node::Call(..) => Some(1),
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
        Op::Popcount | Op::Clz | Op::Ctz | Op::Rotl | Op::Rotr | Op::Shl | Op::Shr => 6,
        Op::Minimum | Op::Maximum | Op::Fmin | Op::Fmax | Op::RoundAway if of_floats => 5,
        Op::Minimum | Op::Maximum | Op::Fmin | Op::Fmax | Op::Lesser | Op::Greater => 1,
        Op::Add | Op::Sub | Op::Mul | Op::Neg | Op::Abs | Op::Fma | Op::Copysign => 1,
        Op::Floor | Op::Ceil | Op::Trunc | Op::Round | Op::RoundAway => 1,
        Op::And | Op::Or | Op::Xor | Op::Not | Op::Select | Op::Signbit => 1,
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => 1,
        // Of integers: floats have their powers written out by now, as they have these functions.
        Op::Power => 40,
        Op::Exp | Op::Exp2 | Op::Exp10 | Op::Expm1 | Op::Log | Op::Log2 | Op::Log10 | Op::Log1p => 40,
        Op::Logaddexp | Op::Xlogy | Op::Sigmoid | Op::Logit | Op::Softplus => 40,
        Op::Sin | Op::Cos | Op::Tan | Op::Asin | Op::Acos | Op::Atan | Op::Atan2 => 40,
        Op::Sinpi | Op::Cospi | Op::Sinc | Op::Sinh | Op::Cosh | Op::Tanh | Op::Asinh | Op::Acosh | Op::Atanh => 40,
        Op::FastExp10
        | Op::FastExpm1
        | Op::FastLog2
        | Op::FastLog10
        | Op::FastLog1p
        | Op::FastSigmoid
        | Op::FastSin
        | Op::FastCos
        | Op::FastTan
        | Op::FastSinh
        | Op::FastCosh
        | Op::FastTanh
        | Op::FastRsqrt => 40,
        Op::Rsqrt | Op::Cbrt | Op::Hypot | Op::Erf | Op::Erfc | Op::Erfinv | Op::Gamma | Op::Lgamma => 40,
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

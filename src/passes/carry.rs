//! What a loop carries to a next turn to what it is where there is a next turn; at the end nobody asks for it.

use crate::ir::{BlockId, Graph, Node, Op, Value};
use crate::target::Target;

/// Conditions of a loop that are looked at.
const MOST_CONDITIONS: usize = 16;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    let loops: Vec<(Value, BlockId)> = (0..graph.len())
        .map(Value::from_index)
        .filter_map(|value| match graph.node(value) {
            Node::Repeat { body, .. } => Some((value, *body)),
            _ => None,
        })
        .collect();
    let mut graph = graph;
    for (region, body) in loops {
        let results = graph.block(body).results.clone();
        let conditions = conditions(&graph, results[0]);
        for (k, result) in results.iter().enumerate().skip(1) {
            let mut chosen = *result;
            while let Node::Apply(Op::Select, operands) = graph.node(chosen)
                && let Some((_, holds)) = conditions.iter().find(|(condition, _)| *condition == operands[0])
            {
                chosen = operands[if *holds { 1 } else { 2 }];
            }
            if chosen != *result && !is_asked_for(&graph, region, k as u32 - 1) {
                graph.set_result(body, k, chosen);
            }
        }
    }
    graph
}

/// Values of which it is known where `again` holds whether they do; those that a `break` asks do not.
fn conditions(graph: &Graph, again: Value) -> Vec<(Value, bool)> {
    let (mut all, mut next) = (vec![(again, true)], 0);
    while next < all.len() && all.len() < MOST_CONDITIONS {
        match (graph.node(all[next].0), all[next].1) {
            (Node::Apply(Op::And, operands), true) | (Node::Apply(Op::Or, operands), false) => {
                let holds = all[next].1;
                all.extend(operands.iter().map(|operand| (*operand, holds)));
            }
            (Node::Apply(Op::Not, operands), holds) => all.push((operands[0], !holds)),
            _ => {}
        }
        next += 1;
    }
    all
}

/// Whether there is a part; parts stand right behind their region.
fn is_asked_for(graph: &Graph, region: Value, k: u32) -> bool {
    let parts = (region.index() + 1..graph.len()).map(Value::from_index);
    parts
        .map_while(|x| match graph.node(x) {
            Node::Part(of, part) if *of == region => Some(*part),
            _ => None,
        })
        .any(|part| part == k)
}

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
            if let Node::Apply(Op::Select, operands) = graph.node(*result)
                && conditions.contains(&operands[0])
                && !is_asked_for(&graph, region, k as u32 - 1)
            {
                let chosen = operands[1];
                graph.set_result(body, k, chosen);
            }
        }
    }
    graph
}

/// Values that hold where `again` does.
fn conditions(graph: &Graph, again: Value) -> Vec<Value> {
    let (mut all, mut next) = (vec![again], 0);
    while next < all.len() && all.len() < MOST_CONDITIONS {
        if let Node::Apply(Op::And, operands) = graph.node(all[next]) {
            all.extend_from_slice(operands);
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

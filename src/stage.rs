//! Graph to stages: what is computed in one pass over one domain.

use crate::ir::Graph;

/// A graph whose outputs all have one shape, its domain.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) graph: Graph,
    /// Which outputs of the program the graph's outputs are.
    pub(crate) outputs: Vec<usize>,
}

/// One stage for each group of outputs that share a shape. Values that a stage has no use for stay in its graph;
/// `strip` leaves them out.
pub(crate) fn stage(graph: Graph, groups: &[Vec<usize>]) -> Vec<Stage> {
    let part = |group: &Vec<usize>| {
        let mut part = graph.clone();
        part.outputs = group.iter().map(|k| graph.outputs[*k].clone()).collect();
        Stage { graph: part, outputs: group.clone() }
    };
    match groups {
        [all] => vec![Stage { outputs: all.clone(), graph }],
        _ => groups.iter().map(part).collect(),
    }
}

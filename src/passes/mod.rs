//! Graph to graph: what the user wrote to what the strip vectoriser takes. Each pass is a function; [`PIPELINE`] is the whole order.

mod carry;
mod fold;
mod simplify;
mod share;
mod dead;
mod flatten;
mod legalize;
mod invariant;
#[cfg(test)]
mod tests;

use crate::ir::Graph;
use crate::math;
use crate::target::Target;

/// A pass takes a valid graph and returns a valid one of the same meaning, in time linear in its size.
pub(crate) type Pass = fn(Graph, &Target) -> Graph;

/// The passes in the order they run. Math functions and the graphs that `legalize` writes leave work behind, hence the second round.
pub(crate) const PIPELINE: &[(&str, Pass)] = &[
    ("math", |graph, _| math::inline(&graph)),
    ("fold", fold::run),
    ("simplify", simplify::run),
    ("share", share::run),
    ("dead", dead::run),
    ("flatten", flatten::run),
    ("legalize", legalize::run),
    ("fold", fold::run),
    ("simplify", simplify::run),
    ("invariant", invariant::run),
    ("share", share::run),
    ("dead", dead::run),
    ("carry", carry::run),
    ("dead", dead::run),
];

/// The graph without what no output needs.
pub(crate) fn drop_dead(graph: Graph, target: &Target) -> Graph {
    dead::run(graph, target)
}

/// The graph after the whole pipeline, which holds only what [`legalize`] lists. Constants are folded in the float
/// environment of the calling thread, which has to be the default one.
///
/// # Panics
/// In debug builds, if a pass breaks an invariant of the graph.
pub(crate) fn run(graph: Graph, target: &Target) -> Graph {
    let graph = PIPELINE.iter().fold(graph, |graph, (_name, pass)| {
        let graph = pass(graph, target);
        if cfg!(debug_assertions) {
            graph.verify();
        }
        graph
    });
    if cfg!(debug_assertions) {
        legalize::verify(&graph);
    }
    graph
}

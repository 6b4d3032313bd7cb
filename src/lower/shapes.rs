//! Graph to the array parameters that each output and each `size` depends on: all that is known of shapes before a run.

use std::collections::HashMap;
use std::sync::Arc;

use super::OutputInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{BlockId, Graph, Node, Value, rewrite};
use crate::source::Span;

/// How many parameters all outputs may depend on together, for each graph node that the limit allows; a bound on memory.
const DEPENDENCIES_PER_NODE: usize = 64;

/// What is known of shapes before a run.
pub(super) struct Shapes<'a> {
    pub(super) source: &'a Arc<str>,
    /// Of each parameter.
    pub(super) ranks: Vec<usize>,
    /// The arguments of `size`, one for each `Node::Size`.
    pub(super) sized: &'a [Value],
    /// Each `Node::Index`, and where it is written.
    pub(super) indexed: &'a [(Value, Span)],
    pub(super) node_limit: usize,
}

impl Shapes<'_> {
    /// The graph with each size knowing its parameters, and what its outputs depend on.
    pub(super) fn finish(&self, graph: Graph) -> Result<(Graph, Vec<OutputInfo>)> {
        let roots: Vec<Value> =
            self.sized.iter().copied().chain(graph.outputs.iter().map(|output| output.value)).collect();
        let mut of_sizes = self.dependencies(&graph, &roots)?;
        let of_outputs = of_sizes.split_off(self.sized.len());
        let rank = |depends: &[u32]| depends.iter().map(|param| self.ranks[*param as usize]).max().unwrap_or(0);
        let outputs: Vec<OutputInfo> =
            of_outputs.into_iter().map(|depends| OutputInfo { rank: rank(&depends), depends }).collect();
        self.check_axes(&graph, &outputs)?;
        Ok((if of_sizes.is_empty() { graph } else { with_sizes(&graph, of_sizes) }, outputs))
    }

    /// The array parameters that each root is computed from, in order.
    fn dependencies(&self, graph: &Graph, roots: &[Value]) -> Result<Vec<Vec<u32>>> {
        let limit = self.node_limit.saturating_mul(DEPENDENCIES_PER_NODE);
        let (mut all, mut count) = (Vec::with_capacity(roots.len()), 0);
        for roots in roots.chunks(64) {
            let seeds = roots.iter().enumerate().map(|(k, root)| (*root, 1 << k));
            let reached = reach(graph, seeds);
            let mut sets = vec![Vec::new(); roots.len()];
            for &value in &graph.block(BlockId::ROOT).values {
                let Node::Param(param) = graph.node(value) else { continue };
                if self.ranks[*param as usize] == 0 {
                    continue;
                }
                let mut left = reached[value.index()];
                count += left.count_ones() as usize;
                while left != 0 {
                    sets[left.trailing_zeros() as usize].push(*param);
                    left &= left - 1;
                }
            }
            if count > limit {
                let message = format!("the outputs depend on at least {count} parameters in all, {limit} are allowed");
                let hint = format!("`Builder::node_limit` sets the limit, {DEPENDENCIES_PER_NODE} for each node");
                return Err(Error::new(ErrorKind::Limit, "graph-nodes", message).with_hint(hint));
            }
            sets.iter_mut().for_each(|set| set.sort_unstable());
            all.extend(sets);
        }
        Ok(all)
    }

    /// An output that counts along an axis must have it.
    fn check_axes(&self, graph: &Graph, outputs: &[OutputInfo]) -> Result<()> {
        if self.indexed.is_empty() {
            return Ok(());
        }
        let seeds = graph.outputs.iter().zip(outputs).map(|(output, info)| (output.value, 1 << info.rank));
        let ranks = reach(graph, seeds);
        for (value, span) in self.indexed {
            let Node::Index(axis) = graph.node(*value) else { panic!("an index is a node of its own") };
            // Without an output that needs it there are 64 axes, more than any array has.
            let rank = ranks[value.index()].trailing_zeros();
            if u32::from(*axis) >= rank {
                let message = format!("`index({axis})` needs an output of at least {} axes, found {rank}", axis + 1);
                return Err(Error::new(ErrorKind::Shape, "index-axis", message)
                    .at(self.source, *span)
                    .with_hint("an output has the axes of the arrays that it is computed from"));
            }
        }
        Ok(())
    }
}

/// The graph with `sets[k]` as the parameters of the k-th size; each set once, and 1 for none.
fn with_sizes(graph: &Graph, sets: Vec<Vec<u32>>) -> Graph {
    let (mut known, mut sizes): (HashMap<Vec<u32>, u32>, _) = (HashMap::new(), Vec::new());
    let place = |set: Vec<u32>| {
        if set.is_empty() {
            return None;
        }
        Some(*known.entry(set).or_insert_with_key(|set| {
            sizes.push(set.clone());
            sizes.len() as u32 - 1
        }))
    };
    let places: Vec<Option<u32>> = sets.into_iter().map(place).collect();
    let mut graph = rewrite(graph, |b, node, dtype| match node {
        Node::Size(k) => match places[k as usize] {
            Some(place) => b.push(Node::Size(place), dtype),
            None => b.integer(dtype, 1),
        },
        node => b.push(node, dtype),
    });
    graph.sizes = sizes;
    graph
}

/// The bits of all seeds that each value is an operand of, at any distance.
fn reach(graph: &Graph, seeds: impl Iterator<Item = (Value, u64)>) -> Vec<u64> {
    let mut reached = vec![0; graph.len()];
    seeds.for_each(|(value, bits)| reached[value.index()] |= bits);
    for &value in graph.block(BlockId::ROOT).values.iter().rev() {
        let bits = reached[value.index()];
        if bits != 0 {
            graph.node(value).operands(|x| reached[x.index()] |= bits);
        }
    }
    reached
}

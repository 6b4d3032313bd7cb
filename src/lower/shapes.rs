//! Graph to the leaves whose shapes make that of each output, size and reduction: all that is known of shapes before a run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::reduce::Reducing;
use super::{Asked, OutputInfo};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{BlockId, Graph, Leaf, Neighbour, Node, Reduction, Size, Value, rewrite};
use crate::source::Span;

/// How many leaves all outputs may have together, for each graph node that the limit allows; a bound on memory.
const DEPENDENCIES_PER_NODE: usize = 64;

/// What is known of shapes before a run.
pub(super) struct Shapes<'a> {
    pub(super) source: &'a Arc<str>,
    /// Of each parameter.
    pub(super) ranks: Vec<usize>,
    /// Parameters behind those of the program, which have the shape of another.
    pub(super) moved: &'a [Neighbour],
    /// One for each `Node::Size`.
    pub(super) asked: &'a [Asked],
    /// One for each `Node::Reduce`.
    pub(super) reducing: &'a [Reducing],
    /// Each `Node::Index`, and where it is written.
    pub(super) indexed: &'a [(Value, Span)],
    /// How many axes a kernel names.
    pub(super) axes: usize,
    pub(super) node_limit: usize,
}

/// A value that others take their shape from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Param(u32),
    Reduced(u32),
}

impl Shapes<'_> {
    /// The graph with its domains, what its outputs depend on, and where each of its reductions is written.
    pub(super) fn finish(&self, graph: Graph) -> Result<(Graph, Vec<OutputInfo>, Vec<Span>)> {
        let of_reductions = self.reducing.iter().map(|reducing| reducing.along.shape);
        let of_sizes = self.asked.iter().filter_map(|asked| match asked {
            Asked::Elements(shape, _) => Some(*shape),
            Asked::Array(_) => None,
        });
        let of_outputs = graph.outputs.iter().map(|output| [output.value; 2]);
        let roots: Vec<[Value; 2]> = of_reductions.chain(of_sizes).chain(of_outputs).collect();
        let mut found = self.dependencies(&graph, &roots)?.into_iter();
        let mut domains = Domains::default();
        let mut reductions = Vec::new();
        for (reducing, found) in self.reducing.iter().zip(&mut found) {
            let domain = domains.place(found, &reductions);
            let along = reducing.along;
            reductions.push(Reduction {
                fold: reducing.fold,
                domain,
                rank: along.rank,
                axes: along.axes,
                keepdims: along.keepdims,
                is_scan: reducing.is_scan,
                may_be_empty: reducing.may_be_empty,
            });
        }
        let mut sizes = Vec::new();
        for asked in self.asked {
            let axes = match asked {
                Asked::Elements(_, axes) => *axes,
                Asked::Array(size) => {
                    sizes.push(Some(*size));
                    continue;
                }
            };
            let found = found.next().expect("each of these is a root");
            let is_single = found.is_empty();
            sizes.push((!is_single).then(|| Size::Elements { domain: domains.place(found, &reductions), axes }));
        }
        let mut outputs = Vec::new();
        for found in found {
            let rank = found.iter().map(|found| self.rank(*found)).max().unwrap_or(0).max(self.axes);
            outputs.push(OutputInfo { domain: domains.place(found, &reductions), rank });
        }
        self.check_axes(&graph, &outputs)?;
        let graph = described(graph, domains.all, &sizes, &reductions);
        let mut known = HashSet::new();
        let fresh = reductions.iter().zip(self.reducing).filter(|(reduction, _)| known.insert(**reduction));
        Ok((graph, outputs, fresh.map(|(_, reducing)| reducing.span).collect()))
    }

    fn rank(&self, found: Found) -> usize {
        match found {
            Found::Param(param) => self.ranks[param as usize],
            Found::Reduced(index) => self.reducing[index as usize].rank(),
        }
    }

    /// What each root, two values, takes its shape from, in order.
    fn dependencies(&self, graph: &Graph, roots: &[[Value; 2]]) -> Result<Vec<Vec<Found>>> {
        let limit = self.node_limit.saturating_mul(DEPENDENCIES_PER_NODE);
        let (mut all, mut count) = (Vec::with_capacity(roots.len()), 0);
        for roots in roots.chunks(64) {
            let seeds = roots.iter().enumerate().flat_map(|(k, root)| root.map(|value| (value, 1 << k)));
            let reached = self.reach(graph, seeds);
            let mut sets = vec![Vec::new(); roots.len()];
            for &value in &graph.block(BlockId::ROOT).values {
                let found = match graph.node(value) {
                    Node::Param(param) => {
                        let own = self.ranks.len() - self.moved.len();
                        let of = (*param as usize).checked_sub(own).map(|k| self.moved[k].of);
                        Found::Param(of.unwrap_or(*param))
                    }
                    Node::Reduce(index, _) if !self.reducing[*index as usize].is_scan => Found::Reduced(*index),
                    _ => continue,
                };
                if self.rank(found) == 0 {
                    continue;
                }
                let mut left = reached[value.index()];
                count += left.count_ones() as usize;
                while left != 0 {
                    sets[left.trailing_zeros() as usize].push(found);
                    left &= left - 1;
                }
            }
            if count > limit {
                let message = format!("the outputs depend on at least {count} parameters in all, {limit} are allowed");
                let hint = format!("`Builder::node_limit` sets the limit, {DEPENDENCIES_PER_NODE} for each node");
                return Err(Error::new(ErrorKind::Limit, "graph-nodes", message).with_hint(hint));
            }
            for set in &mut sets {
                set.sort_unstable();
                set.dedup();
            }
            all.extend(sets);
        }
        Ok(all)
    }

    /// What counts along an axis must have it: an output, or what a reduction takes together.
    fn check_axes(&self, graph: &Graph, outputs: &[OutputInfo]) -> Result<()> {
        if self.indexed.is_empty() {
            return Ok(());
        }
        let of_outputs = graph.outputs.iter().zip(outputs).map(|(output, info)| (output.value, 1_u64 << info.rank));
        let of_reductions = self.reducing.iter().map(|reducing| (reducing.operand, 1_u64 << reducing.along.rank));
        let ranks = self.reach(graph, of_outputs.chain(of_reductions));
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

    /// The bits of all seeds that each value is a source of, at any distance that no reduction lies between. A scan keeps
    /// the shape of its operand.
    fn reach(&self, graph: &Graph, seeds: impl Iterator<Item = (Value, u64)>) -> Vec<u64> {
        let carriers = graph.carriers();
        let mut reached = vec![0; graph.len()];
        let mut changed: Vec<Value> = Vec::new();
        for (value, bits) in seeds {
            reached[value.index()] |= bits;
            changed.push(value);
        }
        // Sources stand before their users but for what a loop carries, so the last value first is mostly the only time.
        while let Some(value) = changed.pop() {
            let bits = reached[value.index()];
            if matches!(graph.node(value), Node::Reduce(index, _) if !self.reducing[*index as usize].is_scan) {
                continue;
            }
            graph.sources(value, &carriers, |x| {
                if reached[x.index()] | bits != reached[x.index()] {
                    reached[x.index()] |= bits;
                    changed.push(x);
                }
            });
        }
        reached
    }
}

/// Each shape once.
#[derive(Default)]
struct Domains {
    known: HashMap<Vec<Leaf>, u32>,
    all: Vec<Vec<Leaf>>,
}

impl Domains {
    fn place(&mut self, found: Vec<Found>, reductions: &[Reduction]) -> u32 {
        let leaf = |found: Found| match found {
            Found::Param(param) => Leaf::Param(param),
            Found::Reduced(index) => {
                let Reduction { domain, axes, keepdims, .. } = reductions[index as usize];
                Leaf::Reduced { domain, axes, keepdims }
            }
        };
        let mut leaves: Vec<Leaf> = found.into_iter().map(leaf).collect();
        leaves.sort_unstable();
        leaves.dedup();
        let fresh = self.all.len() as u32;
        let place = *self.known.entry(leaves.clone()).or_insert(fresh);
        if place == fresh {
            self.all.push(leaves);
        }
        place
    }
}

/// The graph with the domains, and each size and kind of reduction once; a size of no array is 1.
fn described(graph: Graph, domains: Vec<Vec<Leaf>>, sizes: &[Option<Size>], reductions: &[Reduction]) -> Graph {
    let mut graph = graph;
    if !sizes.is_empty() || !reductions.is_empty() {
        let (of_sizes, size_places) = once(sizes.iter().copied().flatten());
        let (of_reductions, reduction_places) = once(reductions.iter().copied());
        let size_place = |k: usize| sizes[k].map(|size| size_places[&size]);
        graph = rewrite(&graph, |b, node, dtype| match node {
            Node::Size(k) => match size_place(k as usize) {
                Some(place) => b.push(Node::Size(place), dtype),
                None => b.integer(dtype, 1),
            },
            Node::Reduce(k, x) => b.push(Node::Reduce(reduction_places[&reductions[k as usize]], x), dtype),
            node => b.push(node, dtype),
        });
        (graph.sizes, graph.reductions) = (of_sizes, of_reductions);
    }
    graph.domains = domains;
    graph
}

fn once<T: Copy + Eq + std::hash::Hash>(all: impl Iterator<Item = T>) -> (Vec<T>, HashMap<T, u32>) {
    let (mut list, mut places) = (Vec::new(), HashMap::new());
    for x in all {
        places.entry(x).or_insert_with(|| {
            list.push(x);
            list.len() as u32 - 1
        });
    }
    (list, places)
}

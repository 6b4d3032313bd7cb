//! Graph to stages: what is computed in one pass over one domain. Reductions cut a graph; what stands behind one is a later pass.
//! Functions of Rust cut a stage: what they take is computed before the rest of it, for some elements at a time.

use std::collections::HashMap;

use crate::dtype::DType;
use crate::ir::{Axes, BlockId, Fold, Graph, Node, Output, Param, Rank, Reduction, Value};
use crate::passes;
use crate::target::Target;

/// A graph whose outputs all have one shape, its domain. Behind the program's parameters it has one for each of [`Staged::reads`].
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) graph: Graph,
    /// Which outputs of the program the first of the graph's outputs are.
    pub(crate) outputs: Vec<usize>,
    /// Which totals the others are reduced to: over the same domain and axes.
    pub(crate) totals: Vec<u32>,
    /// For each of these, if it is of all elements, so that code may keep its accumulators: how it folds.
    pub(crate) folds: Vec<Option<Fold>>,
    /// What calls take, in the order in which they are made. What a call gives is a parameter of what stands behind it.
    pub(crate) feeds: Vec<Feed>,
}

/// What some calls of functions of Rust take, none of which waits for another of them.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    /// The outputs of its graph are the arguments of all the calls, one behind the other.
    pub(crate) stage: Stage,
    pub(crate) calls: Vec<Call>,
}

/// A call of a function of Rust.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The number that [`Node::Call`] has.
    pub(crate) function: u32,
    /// The parameter that stands for what it gives.
    pub(crate) param: u32,
    /// Whether its arguments are the same for all elements.
    pub(crate) is_uniform: bool,
}

/// What a reduction comes to, between two stages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Total {
    /// Which of the graph's reductions it is, for one.
    pub(crate) kind: u32,
    /// With its axes dropped, however it is read.
    pub(crate) reduction: Reduction,
    /// Of the elements.
    pub(crate) from: DType,
    pub(crate) dtype: DType,
}

/// A total as later stages read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) total: u32,
    /// Whether the reduced axes are there, of one element each.
    pub(crate) keepdims: bool,
}

/// A program as a list of passes over memory.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) totals: Vec<Total>,
    pub(crate) reads: Vec<Read>,
    /// In the order in which they run; those that reduce come first.
    pub(crate) stages: Vec<Stage>,
    /// Outputs that are totals as they are, and the place in `reads` of each.
    pub(crate) taken: Vec<(usize, u32)>,
    /// The output in whose array the last stage finds what the one before it has left there: the parameter behind all reads.
    pub(crate) kept: Option<usize>,
}

/// The fewest operations that are worth to be kept in an output's array until they are asked for again, where rows are in a
/// cache by then: what writing and reading takes there.
const KEPT_OPS: usize = 12;

/// The most values that a pass over one domain computes. They are alive together where a group of elements ends; more
/// would take the register allocator time in their square.
const MOST_ROOTS: usize = 64;

/// The most calls whose arguments, eight at most, are computed in one pass.
const CALLS_AT_ONCE: usize = MOST_ROOTS / 8;

/// A pass that reduces.
struct Pass {
    depth: u32,
    group: u32,
    is_scan: bool,
    totals: Vec<u32>,
    /// Outputs that are written on the way.
    outputs: Vec<usize>,
}

/// A stage before it has a graph.
struct Plan {
    outputs: Vec<usize>,
    totals: Vec<u32>,
}

/// How a graph is cut, before there is a graph for each stage.
pub(crate) struct Cut {
    totals: Vec<Total>,
    /// What each total takes together.
    operands: Vec<Value>,
    reads: Vec<Read>,
    /// For each value that is a reduction its place in `reads`; empty if there are none.
    read_of: Vec<Option<u32>>,
    plans: Vec<Plan>,
    taken: Vec<(usize, u32)>,
    kept: Option<Kept>,
    /// Each call, in order.
    calls: Vec<Called>,
}

/// A call as it stands in the whole graph.
struct Called {
    value: Value,
    function: u32,
    operands: Box<[Value]>,
    /// How many others it waits for, one after another.
    depth: u32,
}

/// What the last pass that reduces leaves in an output's array for the last one, which is of the same shape.
#[derive(Clone, Copy)]
struct Kept {
    value: Value,
    output: usize,
}

impl Cut {
    /// `groups` has a number for each output of the graph, and for each of its domains if it has reductions: equal ones
    /// have the same shape.
    ///
    /// Reductions of one shape along the same axes share a pass if none waits for another. Outputs of one shape share
    /// one, also with the last reductions; what is no reduction is computed again by each stage that needs it.
    pub(crate) fn new(graph: &Graph, groups: &[u32]) -> Cut {
        let (of_outputs, of_domains) = groups.split_at(graph.outputs.len());
        let mut cut = Cut {
            totals: Vec::new(),
            operands: Vec::new(),
            reads: Vec::new(),
            read_of: Vec::new(),
            plans: Vec::new(),
            taken: Vec::new(),
            kept: None,
            calls: calls(graph),
        };
        let mut depths = Vec::new();
        let mut passes = Vec::new();
        if !graph.reductions.is_empty() {
            cut.find_totals(graph);
            depths = cut.depths(graph);
            passes = cut.passes(&depths, of_domains);
        }
        let mut members = vec![Vec::new(); of_outputs.iter().max().map_or(0, |last| *last as usize + 1)];
        for (output, group) in of_outputs.iter().enumerate() {
            match cut.read_of.get(graph.outputs[output].value.index()).copied().flatten() {
                Some(read) => cut.taken.push((output, read)),
                None => members[*group as usize].push(output),
            }
        }
        let depth = |output: &usize| depths.get(graph.outputs[*output].value.index()).copied().unwrap_or(0);
        // A scan may compute its elements twice.
        if let Some(last) = passes.last_mut().filter(|last| !last.is_scan)
            && let Some(outputs) = members.get_mut(last.group as usize)
            && outputs.iter().all(|output| depth(output) <= last.depth)
            && outputs.len() + last.totals.len() <= MOST_ROOTS
        {
            last.outputs = std::mem::take(outputs);
        }
        let reducing = passes.into_iter().map(|pass| Plan { outputs: pass.outputs, totals: pass.totals });
        let writing = members.into_iter().filter(|outputs| !outputs.is_empty());
        cut.plans = reducing.chain(writing.map(|outputs| Plan { outputs, totals: Vec::new() })).collect();
        cut.kept = cut.find_kept(graph, of_outputs, of_domains);
        if let (Some(kept), [.., reducing, _]) = (cut.kept, &mut cut.plans[..]) {
            reducing.outputs.push(kept.output);
        }
        cut
    }

    /// What totals take that is asked for again behind them, and costs more than to write and to read it. Nothing else may be
    /// asked for then: the output may be an input's array.
    fn find_kept(&self, graph: &Graph, of_outputs: &[u32], of_domains: &[u32]) -> Option<Kept> {
        let [.., reducing, writing] = &self.plans[..] else { return None };
        // What calls give are the parameters behind all reads.
        if !self.calls.is_empty() {
            return None;
        }
        let first = &self.totals[*reducing.totals.first()? as usize].reduction;
        let group = of_outputs[*writing.outputs.first()?];
        // Along the first axis whole arrays are reduced, which no cache holds until then.
        if !reducing.outputs.is_empty()
            || !writing.totals.is_empty()
            || first.is_scan
            || first.axes.contains(0)
            || of_domains[first.domain as usize] != group
        {
            return None;
        }
        let asked: Vec<Value> = writing.outputs.iter().map(|output| graph.outputs[*output].value).collect();
        let keeps = |value: Value| {
            let dtype = graph.dtype(value);
            let has_dtype = |output: &&usize| graph.dtype(graph.outputs[**output].value) == dtype;
            let output = *writing.outputs.iter().find(has_dtype)?;
            let is_plain = matches!(graph.node(value), Node::Apply(..) | Node::Cast(_)) && dtype != DType::Bool;
            let (cost, _) = self.needs(graph, &[value], None);
            let (_, others) = self.needs(graph, &asked, Some(value));
            (is_plain && cost >= KEPT_OPS && others == [value]).then_some(Kept { value, output })
        };
        reducing.totals.iter().find_map(|total| keeps(self.operands[*total as usize]))
    }

    /// How many operations values take, and which arrays: as these counts `known`, whose own operations are none.
    fn needs(&self, graph: &Graph, values: &[Value], known: Option<Value>) -> (usize, Vec<Value>) {
        let (mut is_met, mut open) = (vec![false; graph.len()], values.to_vec());
        let (mut operations, mut arrays) = (0, Vec::new());
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut is_met[value.index()], true) {
                continue;
            }
            let node = graph.node(value);
            let is_array = match node {
                Node::Param(param) => graph.params[*param as usize].rank == Rank::Array,
                Node::Gather(..) => true,
                _ => Some(value) == known,
            };
            if is_array {
                arrays.push(value);
            }
            if Some(value) == known || self.read_of[value.index()].is_some() {
                continue;
            }
            operations += 1;
            node.operands(|x| open.push(x));
            if let Node::Part(region, _) = node {
                open.push(*region);
            }
            open.extend(graph.inside(node));
        }
        (operations, arrays)
    }

    /// How many graphs the stages have together, at most.
    pub(crate) fn graphs(&self) -> usize {
        let depths = self.calls.iter().map(|call| call.depth as usize + 1).max().unwrap_or(0);
        self.plans.len() * (1 + depths + self.calls.len() / CALLS_AT_ONCE)
    }

    /// Totals that differ only in how they are read are one.
    fn find_totals(&mut self, graph: &Graph) {
        self.read_of = vec![None; graph.len()];
        let mut known = HashMap::new();
        for &value in &graph.block(BlockId::ROOT).values {
            let Node::Reduce(index, operand) = graph.node(value) else { continue };
            let reduction = graph.reductions[*index as usize];
            let (keepdims, reduction) = (reduction.keepdims, Reduction { keepdims: false, ..reduction });
            let (from, dtype) = (graph.dtype(*operand), graph.dtype(value));
            let place = *known.entry((reduction, dtype, *operand)).or_insert_with(|| {
                self.totals.push(Total { kind: *index, reduction, from, dtype });
                self.operands.push(*operand);
                self.totals.len() as u32 - 1
            });
            let read = Read { total: place, keepdims };
            self.read_of[value.index()] = Some(self.reads.len() as u32);
            self.reads.push(read);
        }
    }

    /// How many passes stand before each value.
    fn depths(&self, graph: &Graph) -> Vec<u32> {
        let mut depths = vec![0; graph.len()];
        for value in (0..graph.len()).map(Value::from_index) {
            let node = graph.node(value);
            let mut depth = 0;
            node.operands(|x| depth = depth.max(depths[x.index()]));
            depth = graph.inside(node).fold(depth, |depth, x| depth.max(depths[x.index()]));
            depths[value.index()] = depth + u32::from(matches!(node, Node::Reduce(..)));
        }
        depths
    }

    /// The passes that reduce, in order.
    fn passes(&self, depths: &[u32], of_domains: &[u32]) -> Vec<Pass> {
        let mut passes: Vec<Pass> = Vec::new();
        let mut open: HashMap<(u32, u32, Axes, bool), usize> = HashMap::new();
        for (total, operand) in (0..).zip(&self.operands) {
            let Reduction { domain, axes, is_scan, .. } = self.totals[total as usize].reduction;
            let (depth, group) = (depths[operand.index()], of_domains[domain as usize]);
            let place = open.entry((depth, group, axes, is_scan)).or_insert(usize::MAX);
            if passes.get(*place).is_none_or(|pass| pass.totals.len() == MOST_ROOTS) {
                *place = passes.len();
                passes.push(Pass { depth, group, is_scan, totals: Vec::new(), outputs: Vec::new() });
            }
            passes[*place].totals.push(total);
        }
        passes.sort_by_key(|pass| pass.depth);
        passes
    }

    /// The stages themselves. Values that a stage has no use for stay in its graph; `strip` leaves them out.
    pub(crate) fn finish(self, graph: Graph) -> Staged {
        let Cut { totals, operands, reads, read_of, plans, taken, kept, calls } = self;
        let mut whole = if reads.is_empty() { graph } else { with_reads(&graph, &totals, &reads, &read_of, kept) };
        let first_call = whole.params.len() as u32;
        for (call, param) in calls.iter().zip(first_call..) {
            let dtype = whole.dtype(call.value);
            whole.params.push(Param { name: format!("call {}", call.function).into(), dtype, rank: Rank::Array });
            whole.set_node(call.value, Node::Param(param));
        }
        let mut whole = Some(whole);
        let last = plans.len() - 1;
        let part = |(k, plan): (usize, Plan)| {
            let graph = if k == last { whole.take() } else { whole.clone() };
            let mut graph = graph.expect("the last stage takes the graph");
            let reduced = |total: &u32| Output { name: "total".into(), value: operands[*total as usize] };
            let reduces = !plan.totals.is_empty();
            let output = |output: &usize| match kept {
                Some(kept) if reduces && kept.output == *output => Output { name: "kept".into(), value: kept.value },
                Some(_) | None => graph.outputs[*output].clone(),
            };
            let outputs: Vec<Output> = plan.outputs.iter().map(output).collect();
            if let Some(kept) = kept.filter(|_| k == last) {
                let behind = graph.params.len() as u32 - 1;
                graph.set_node(kept.value, Node::Param(behind));
            }
            graph.outputs = outputs.into_iter().chain(plan.totals.iter().map(reduced)).collect();
            let fold = |total: &u32| {
                let Reduction { fold, is_scan, .. } = totals[*total as usize].reduction;
                let is_one = !is_scan && totals[*total as usize].reduction.is_whole();
                is_one.then_some(fold)
            };
            let folds = plan.totals.iter().map(fold).collect();
            let feeds = feeds(&mut graph, &calls, first_call);
            Stage { graph, outputs: plan.outputs, totals: plan.totals, folds, feeds }
        };
        let stages = plans.into_iter().enumerate().map(part).collect();
        Staged { totals, reads, stages, taken, kept: kept.map(|kept| kept.output) }
    }
}

/// The graph with each reduction as a parameter, and behind them one for what is kept.
fn with_reads(graph: &Graph, totals: &[Total], reads: &[Read], read_of: &[Option<u32>], kept: Option<Kept>) -> Graph {
    let mut graph = graph.clone();
    let first = graph.params.len() as u32;
    for read in reads {
        let Total { reduction, dtype, .. } = totals[read.total as usize];
        let rank = if reduction.is_whole() { Rank::Scalar } else { Rank::Array };
        graph.params.push(Param { name: format!("total {}", read.total).into(), dtype, rank });
    }
    if let Some(kept) = kept {
        graph.params.push(Param { name: "kept".into(), dtype: graph.dtype(kept.value), rank: Rank::Array });
    }
    for value in (0..graph.len()).map(Value::from_index) {
        if let Some(read) = read_of[value.index()] {
            graph.set_node(value, Node::Param(first + read));
        }
    }
    graph
}

/// Every call, those that it waits for before it.
fn calls(graph: &Graph) -> Vec<Called> {
    let root = &graph.block(BlockId::ROOT).values;
    if !root.iter().any(|x| matches!(graph.node(*x), Node::Call(..))) {
        return Vec::new();
    }
    let mut all = Vec::new();
    // One more than the depth of the deepest call that a value waits for. Reductions are no bound: they are parameters by then.
    let mut waits = vec![0_u32; graph.len()];
    for value in (0..graph.len()).map(Value::from_index) {
        let node = graph.node(value);
        let mut depth = 0;
        if !matches!(node, Node::Reduce(..)) {
            node.operands(|x| depth = depth.max(waits[x.index()]));
            depth = graph.inside(node).fold(depth, |depth, x| depth.max(waits[x.index()]));
        }
        waits[value.index()] = depth;
        if let Node::Call(function, operands) = node {
            all.push(Called { value, function: *function, operands: operands.clone(), depth });
            waits[value.index()] = depth + 1;
        }
    }
    all
}

/// What the calls take that the graph needs. Drops what it does not need.
fn feeds(graph: &mut Graph, calls: &[Called], first_call: u32) -> Vec<Feed> {
    let Some(deepest) = calls.iter().map(|call| call.depth).max() else { return Vec::new() };
    let whole = std::mem::replace(graph, drop_dead(graph.clone()));
    let varying = varying(&whole, calls, first_call);
    let mut needed = vec![false; calls.len()];
    let need = |needed: &mut Vec<bool>, graph: &Graph| {
        for value in (0..graph.len()).map(Value::from_index) {
            if let Node::Param(param) = graph.node(value)
                && let Some(call) = param.checked_sub(first_call)
            {
                needed[call as usize] = true;
            }
        }
    };
    need(&mut needed, graph);
    let mut feeds = Vec::new();
    for depth in (0..=deepest).rev() {
        let of_depth: Vec<usize> = (0..calls.len()).filter(|k| needed[*k] && calls[*k].depth == depth).collect();
        for some in of_depth.chunks(CALLS_AT_ONCE) {
            let args = some.iter().flat_map(|k| &calls[*k].operands);
            let outputs = args.map(|arg| Output { name: "argument".into(), value: *arg }).collect();
            let mut part = whole.clone();
            part.outputs = outputs;
            let part = drop_dead(part);
            need(&mut needed, &part);
            let call = |k: &usize| Call {
                function: calls[*k].function,
                param: first_call + *k as u32,
                is_uniform: calls[*k].operands.iter().all(|x| !varying[x.index()]),
            };
            let calls = some.iter().map(call).collect();
            let stage =
                Stage { graph: part, outputs: Vec::new(), totals: Vec::new(), folds: Vec::new(), feeds: Vec::new() };
            feeds.push(Feed { stage, calls });
        }
    }
    feeds.reverse();
    feeds
}

/// Which values may differ from element to element.
fn varying(graph: &Graph, calls: &[Called], first_call: u32) -> Vec<bool> {
    let mut varying = vec![false; graph.len()];
    for value in (0..graph.len()).map(Value::from_index) {
        let node = graph.node(value);
        let mut varies = match node {
            Node::Param(param) => match param.checked_sub(first_call) {
                Some(call) => calls[call as usize].operands.iter().any(|x| varying[x.index()]),
                None => graph.params[*param as usize].rank == Rank::Array,
            },
            Node::Index(_) => true,
            _ => false,
        };
        node.operands(|x| varies |= varying[x.index()]);
        varying[value.index()] = varies || graph.inside(node).any(|x| varying[x.index()]);
    }
    varying
}

/// The graph without what its outputs do not need.
fn drop_dead(graph: Graph) -> Graph {
    passes::drop_dead(graph, &Target::VECTOR_128)
}

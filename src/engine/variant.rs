//! A program and the types of its parameters to code, kept for the next run.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use smallvec::SmallVec;

use super::{Compiler, Shared};
use crate::codegen;
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{ByRows, Feed, HostCall, Layout, Machine, Program};
use crate::interp::Interp;
use crate::ir::{self, Graph, Leaf, Node, Op, Rank, Reduction, Rule, Value};
use crate::lower::{Lowered, ParamType};
use crate::passes;
use crate::stage::{self, Call, Cut, Read, Stage, Total};
use crate::strip::{Source, Strip, vectorise};
use crate::target::Target;

/// A number for each output, and in a program with reductions for each domain: equal ones have the same shape. They are
/// numbered as they appear.
pub(super) type Groups = SmallVec<[u32; 4]>;

/// What a kernel has for one signature.
pub(super) struct Variant {
    pub(super) params: Box<[ParamType]>,
    /// Of each parameter the dtype and the rank of what it is given.
    pub(super) expected: Box<[(DType, usize)]>,
    pub(super) lowered: Arc<Lowered>,
    pub(super) groups: Groups,
    /// In the order in which they run.
    pub(super) stages: Vec<Part>,
    /// What the reductions come to, and how later stages read it: behind the program's own parameters.
    pub(super) totals: Vec<Total>,
    /// Of the lowered graph the reductions that the program as it is written needs, and that have no answer for no elements.
    pub(super) need_elements: Vec<u32>,
    pub(super) reads: Vec<Read>,
    /// Outputs that are totals as they are, and the place in `reads` of each.
    pub(super) taken: Vec<(usize, u32)>,
    /// The output in whose array the last stage finds what the one before it has left there: the parameter behind all reads.
    pub(super) kept: Option<usize>,
    /// The most elements of a run for which nothing is planned, if arrays of the outputs' shape lie in C order; else 0.
    pub(super) plain_len: usize,
    /// The same of a program whose only stage takes all elements into totals, which are the outputs as they are.
    pub(super) plain_fold_len: usize,
    /// When it was used last, by the clock of [`Variants`].
    used: AtomicU64,
}

/// A stage ready to run.
pub(super) struct Part {
    pub(super) program: Program,
    /// Which outputs of the kernel the first ones of the program are.
    pub(super) outputs: Vec<usize>,
    /// Which totals the others are reduced to.
    pub(super) totals: Vec<u32>,
}

/// The variants of one kernel.
#[derive(Default)]
pub(super) struct Variants {
    /// The first one that was made, if there may be others: most kernels meet one signature alone, and find it here without a
    /// lock. It stays as long as the kernel.
    first: OnceLock<Arc<Variant>>,
    others: RwLock<Vec<Arc<Variant>>>,
    /// Stands still while one variant is used again and again, so that readers share no write then.
    clock: AtomicU64,
}

/// What is kept, or a share in it if it may be dropped by others.
pub(super) enum Held<'a, T> {
    Kept(&'a Arc<T>),
    Shared(Arc<T>),
}

impl<T> Deref for Held<'_, T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        match self {
            Held::Kept(kept) => kept,
            Held::Shared(shared) => shared,
        }
    }
}

impl Variants {
    /// A variant for these parameters: that of `groups` if they are told, else the first.
    pub(super) fn find(&self, params: &[ParamType], groups: Option<&Groups>) -> Option<Held<'_, Variant>> {
        let is_meant = |variant: &Arc<Variant>| {
            *variant.params == *params && groups.is_none_or(|groups| variant.groups == *groups)
        };
        if let Some(first) = self.first.get().filter(|first| is_meant(first)) {
            return Some(Held::Kept(first));
        }
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let variant = others.iter().find(|variant| is_meant(variant))?;
        if variant.used.load(Ordering::Relaxed) != self.clock.load(Ordering::Relaxed) {
            variant.used.store(self.tick(), Ordering::Relaxed);
        }
        Some(Held::Shared(Arc::clone(variant)))
    }

    /// Keeps `variant`, and drops the one that was not used for longest if there are more than `limit`. If another
    /// thread was faster, its variant is given instead.
    pub(super) fn insert(&self, mut variant: Variant, limit: usize) -> Held<'_, Variant> {
        let mut known = self.others.write().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &&Arc<Variant>| other.params == variant.params && other.groups == variant.groups;
        if let Some(first) = self.first.get().filter(|first| same(first)) {
            return Held::Kept(first);
        }
        if let Some(faster) = known.iter().find(same) {
            return Held::Shared(Arc::clone(faster));
        }
        if limit > 1 && self.first.get().is_none() {
            return Held::Kept(self.first.get_or_init(|| Arc::new(variant)));
        }
        *variant.used.get_mut() = self.tick();
        if known.len() + usize::from(limit > 1) >= limit {
            let oldest = (0..known.len()).min_by_key(|k| known[*k].used.load(Ordering::Relaxed));
            known.swap_remove(oldest.expect("a limit is at least 1"));
        }
        let variant = Arc::new(variant);
        known.push(Arc::clone(&variant));
        Held::Shared(variant)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Every variant there is.
    pub(super) fn all(&self) -> Vec<Arc<Variant>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        self.first.get().into_iter().chain(others.iter()).cloned().collect()
    }
}

impl Variant {
    /// Makes the code. Fails if the graph grows beyond the engine's bounds.
    pub(super) fn compile(
        engine: &Shared,
        params: &[ParamType],
        lowered: &Arc<Lowered>,
        source: &Arc<str>,
        groups: Groups,
    ) -> Result<Variant> {
        let target = engine.compiler.as_ref().map(|compiler| compiler.isa.target());
        let (graph, cut) = cut(target.as_ref(), lowered, &groups, engine.bounds.nodes)?;
        let staged = cut.finish(graph);
        let program = |stage: &Stage| match &engine.compiler {
            Some(compiler) => native(engine, compiler, stage),
            None => Ok(interpreted(stage)),
        };
        let call = |call: &Call| {
            let (function, span) = lowered.calls[call.function as usize];
            let (function, source) = (Arc::clone(&engine.functions[function]), Arc::clone(source));
            HostCall { function, source, span, param: call.param, is_uniform: call.is_uniform }
        };
        let feed = |feed: &stage::Feed| {
            Ok(Feed { program: program(&feed.stage)?, calls: feed.calls.iter().map(call).collect() })
        };
        let part = |stage: Stage| {
            let feeds = stage.feeds.iter().map(feed).collect::<Result<Vec<Feed>>>()?;
            let program = program(&stage)?.fed(feeds);
            Ok(Part { program, outputs: stage.outputs, totals: stage.totals })
        };
        let stages = pruned(staged.stages).map(part).collect::<Result<Vec<Part>>>()?;
        for part in &stages {
            check_reads(part, &staged.totals, lowered);
        }
        let expected = params.iter().map(|param| (param.dtype(), param.rank())).collect();
        let (params, lowered) = (params.into(), Arc::clone(lowered));
        let (totals, reads, taken, kept) = (staged.totals, staged.reads, staged.taken, staged.kept);
        let need_elements = need_elements(&lowered.graph);
        let plain_len = match &stages[..] {
            [part] if totals.is_empty() && need_elements.is_empty() && lowered.neighbours.is_empty() => {
                part.program.plain_len(engine.bounds.chunk, engine.cache)
            }
            _ => 0,
        };
        let plain_fold_len = match &stages[..] {
            [part] if part.outputs.is_empty() && are_outputs(&totals, &reads, &taken, &lowered) => {
                part.program.plain_fold_len(engine.bounds.chunk, engine.cache)
            }
            _ => 0,
        };
        Ok(Variant {
            params,
            expected,
            lowered,
            groups,
            stages,
            totals,
            need_elements,
            reads,
            taken,
            kept,
            plain_len,
            plain_fold_len,
            used: AtomicU64::new(0),
        })
    }
}

/// Whether every output is a total of all elements, without axes.
fn are_outputs(totals: &[Total], reads: &[Read], taken: &[(usize, u32)], lowered: &Lowered) -> bool {
    let is_bare = |(_, read): &(usize, u32)| !reads[*read as usize].keepdims;
    taken.len() == lowered.outputs.len()
        && taken.iter().all(is_bare)
        && totals.iter().all(|total| total.reduction.is_whole())
        && lowered.neighbours.is_empty()
}

/// The graph that stages are made of, for a target or for the interpreter, and where it is cut.
fn cut(target: Option<&Target>, lowered: &Lowered, groups: &Groups, node_limit: usize) -> Result<(Graph, Cut)> {
    check_size(&lowered.graph, 1, node_limit)?;
    let graph = match target {
        Some(target) => passes::run(lowered.graph.clone(), target),
        // What no output needs fails for nobody.
        None => passes::drop_dead(lowered.graph.clone(), &Target::VECTOR_128),
    };
    let cut = Cut::new(&graph, groups);
    check_size(&lowered.graph, cut.graphs(), node_limit)?;
    Ok((graph, cut))
}

/// The graph's reductions that its outputs need, whatever folding would make of it, and that have no answer for no elements.
fn need_elements(graph: &Graph) -> Vec<u32> {
    if !graph.reductions.iter().any(Reduction::needs_elements) {
        return Vec::new();
    }
    let live = passes::drop_dead(graph.clone(), &Target::VECTOR_128);
    let kinds = (0..live.len()).filter_map(|at| match live.node(Value::from_index(at)) {
        Node::Reduce(kind, _) => Some(*kind),
        _ => None,
    });
    let kinds: BTreeSet<u32> = kinds.filter(|kind| live.reductions[*kind as usize].needs_elements()).collect();
    kinds.into_iter().collect()
}

fn native(engine: &Shared, compiler: &Compiler, stage: &Stage) -> Result<Program> {
    let strip = vectorise(stage, &compiler.isa.target());
    check_live(&strip, engine.bounds.nodes)?;
    let code = codegen::compile(&strip, &compiler.isa, &compiler.memory)?;
    // Only where turns are limited does anyone ask how many one element takes.
    let judged = strip.counts_turns && engine.bounds.turns.is_some();
    let exact = judged.then(|| Interp::new(&passes::drop_dead(stage.graph.clone(), &Target::VECTOR_128)));
    let layout = Layout::of_strip(&strip, &stage.graph);
    let is_simple = !strip.counts_turns && layout.wholes.is_empty() && !layout.folds.contains(&true);
    let by_rows = (strip.cost <= FEW_INSTS && is_simple).then(|| by_rows(compiler, stage.clone()));
    Ok(Program { by_rows, ..Program::new(layout, Machine::Native(code), exact) })
}

/// Instructions of a group up to which memory is what a run takes, so that it counts how arrays are read.
const FEW_INSTS: usize = 256;

/// Makes programs of the stage that take some arrays as scalars.
fn by_rows(compiler: &Compiler, stage: Stage) -> ByRows {
    let (isa, memory) = (compiler.isa.clone(), Arc::clone(&compiler.memory));
    ByRows::new(move |params| {
        let mut stage = stage.clone();
        params.iter().for_each(|param| stage.graph.params[*param as usize].rank = Rank::Scalar);
        let strip = vectorise(&stage, &isa.target());
        // Without room for the code the usual one serves as well.
        let code = codegen::compile(&strip, &isa, &memory).ok()?;
        let layout = Layout::of_strip(&strip, &stage.graph);
        Some(Program::new(layout, Machine::Native(code), None))
    })
}

/// A parameter that a stage has no use for may be of a shape that does not go with it.
fn interpreted(stage: &Stage) -> Program {
    let graph = passes::drop_dead(stage.graph.clone(), &Target::VECTOR_128);
    Program::new(Layout::of_graph(&graph), Machine::Interpreter(Interp::new(&graph)), None)
}

/// Of the nodes that a program may have, one in so many may be kept at a time: the register allocator takes time in the
/// square of what is kept.
const NODES_A_LIVE_REGISTER: usize = 32;

/// However many nodes are allowed, what is kept has to find room on any thread's stack: bytes of vectors.
const MOST_LIVE_BYTES: usize = 512 << 10;

/// Fails if code for the strip would keep too many values at a time.
fn check_live(strip: &Strip, node_limit: usize) -> Result<()> {
    let most = MOST_LIVE_BYTES / strip.target.vector_bytes;
    let (live, limit) = (strip.live_registers(), (node_limit / NODES_A_LIVE_REGISTER).clamp(64, most));
    if live <= limit {
        return Ok(());
    }
    let message = format!("the program keeps {live} intermediate values at a time, {limit} are allowed");
    let hint = format!("`Builder::node_limit` sets the limit, one for {NODES_A_LIVE_REGISTER} nodes up to {most}");
    Err(Error::new(ErrorKind::Limit, "live-values", message).with_hint(hint))
}

/// The strips of the program's stages for `target`, what functions of Rust take before each.
pub(super) fn strips(
    lowered: &Lowered,
    groups: &Groups,
    target: &Target,
    node_limit: usize,
) -> Result<Vec<(Strip, Stage)>> {
    let (graph, cut) = cut(Some(target), lowered, groups, node_limit)?;
    let stages = pruned(cut.finish(graph).stages);
    let with_feeds = stages.flat_map(|mut stage| {
        let feeds = std::mem::take(&mut stage.feeds).into_iter().map(|feed| feed.stage);
        feeds.chain(std::iter::once(stage)).collect::<Vec<Stage>>()
    });
    Ok(with_feeds.map(|stage| (vectorise(&stage, target), stage)).collect())
}

/// The stages without what other stages compute: a branch or loop that several need computes in each but what is needed there.
fn pruned(stages: Vec<Stage>) -> impl Iterator<Item = Stage> {
    let are_several = stages.len() > 1;
    stages.into_iter().map(move |stage| match are_several {
        true => Stage { graph: passes::drop_dead(stage.graph, &Target::VECTOR_128), ..stage },
        false => stage,
    })
}

/// Panics if a stage reads an array that its outputs do not depend on: its shape need not go with theirs.
fn check_reads(part: &Part, totals: &[Total], lowered: &Lowered) {
    let graph = &lowered.graph;
    let of_outputs = part.outputs.iter().map(|output| lowered.outputs[*output].domain);
    let of_totals = part.totals.iter().map(|total| totals[*total as usize].reduction.domain);
    let domains: Vec<u32> = of_outputs.chain(of_totals).collect();
    for (source, _) in part.program.read() {
        if let Source::Param(param) = source
            && (param as usize) < graph.params.len()
        {
            let own = graph.params.len() - lowered.neighbours.len();
            let of = (param as usize).checked_sub(own).map_or(param, |k| lowered.neighbours[k].of);
            let knows = |domain: &u32| graph.domains[*domain as usize].binary_search(&Leaf::Param(of)).is_ok();
            assert!(
                domains.iter().any(knows),
                "a stage reads what its outputs depend on, and parameter {param} is not of these"
            );
        }
    }
}

/// No operation takes more nodes than this once it is written out; a test looks at every one.
const LARGEST_EXPANSION: usize = 1000;

/// Fails if the graph, its operations written out, with a copy for each stage, has more than `limit` nodes.
fn check_size(graph: &Graph, stages: usize, limit: usize) -> Result<()> {
    // Most are so small that nothing needs to be counted.
    if graph.len().saturating_mul(stages * LARGEST_EXPANSION) <= limit {
        return Ok(());
    }
    let mut sizes = HashMap::new();
    let written_out = |k: usize| match operation(graph, Value::from_index(k)) {
        Some(operation) => *sizes.entry(operation).or_insert_with(|| operation.written_out()),
        None => 1,
    };
    let nodes = (0..graph.len()).map(written_out).sum::<usize>().saturating_mul(stages);
    if nodes <= limit {
        return Ok(());
    }
    let message =
        format!("the program takes {nodes} graph nodes with its functions written out, the node limit is {limit}");
    Err(Error::new(ErrorKind::Limit, "graph-nodes", message).with_hint("`Builder::node_limit` sets the limit"))
}

/// What decides how many nodes a value comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Apply(Op, DType),
    Cast(DType, DType),
}

fn operation(graph: &Graph, value: Value) -> Option<Operation> {
    match graph.node(value) {
        Node::Apply(op, operands) => Some(Operation::Apply(*op, graph.dtype(operands[operands.len() - 1]))),
        Node::Cast(x) => Some(Operation::Cast(graph.dtype(*x), graph.dtype(value))),
        Node::Const(_)
        | Node::Param(_)
        | Node::Index(_)
        | Node::Size(_)
        | Node::Reduce(..)
        | Node::Call(..)
        | Node::Bitcast(_)
        | Node::Lookup(..)
        | Node::Gather(..)
        | Node::When { .. }
        | Node::Repeat { .. }
        | Node::Carried(_)
        | Node::Part(..) => None,
    }
}

impl Operation {
    /// How many nodes this comes to, its operands left out.
    fn written_out(self) -> usize {
        let (dtype, arity) = match self {
            Operation::Apply(op, dtype) => (dtype, op.arity()),
            Operation::Cast(from, _) => (from, 1),
        };
        let is_choice = matches!(self, Operation::Apply(op, _) if op.rule() == Rule::Choose);
        let param = |k: usize| ir::Param {
            name: k.to_string().into(),
            dtype: if is_choice && k == 0 { DType::Bool } else { dtype },
            rank: Rank::Array,
        };
        let mut b = ir::Builder::new((0..arity).map(param).collect());
        let operands: Vec<Value> = (0..arity).map(|k| b.param(k)).collect();
        let value = match self {
            Operation::Apply(op, _) => b.apply(op, &operands),
            Operation::Cast(_, to) => b.cast(operands[0], to),
        };
        let graph = b.finish(vec![ir::Output { name: "0".into(), value }]);
        passes::run(graph, &Target::VECTOR_128).len().saturating_sub(arity).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_out_larger_than_assumed() {
        let applied = Op::ALL.iter().flat_map(|op| DType::ALL.map(|dtype| (*op, dtype)));
        let applied = applied.filter(|(op, dtype)| op.takes(*dtype)).map(|(op, dtype)| Operation::Apply(op, dtype));
        let casts = DType::ALL.into_iter().flat_map(|from| DType::ALL.map(|to| Operation::Cast(from, to)));
        let largest = applied.chain(casts).map(Operation::written_out).max();
        assert!(largest.is_some_and(|largest| largest <= LARGEST_EXPANSION), "{largest:?}");
    }
}

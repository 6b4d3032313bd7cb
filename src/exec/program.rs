//! What runs: machine code or the interpreter, behind one description of its arrays and scalars.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

use super::feed::Feed;
use super::fold::BLOCK;
use super::plain;
use crate::codegen::Native;
use crate::dtype::DType;
use crate::interp::Interp;
use crate::ir::{Graph, Node, Output, Rank, Value};
use crate::strip::{Source, Strip};

/// A stage ready to run.
pub(crate) struct Program {
    pub(crate) layout: Layout,
    pub(crate) engine: Machine,
    /// What says of one element how many turns its loops take, where that is bounded and code only knows it of a group.
    pub(crate) exact: Option<Interp>,
    /// The same program for arrays of which some have one element a row; none if something runs before.
    pub(crate) by_rows: Option<ByRows>,
    /// What runs before it, for the same elements; what their calls give are parameters behind all others.
    pub(crate) feeds: Vec<Feed>,
}

/// Makes programs that take some arrays, which have one element for a whole row, as scalars: what depends on these alone is
/// computed once a row.
pub(crate) struct ByRows {
    make: Box<Make>,
    /// How many elements it would have computed before it was made.
    missed: AtomicUsize,
    /// For the first parameters that were asked for.
    made: OnceLock<Made>,
}

struct Made {
    params: SmallVec<[u32; 4]>,
    program: Option<Box<Program>>,
}

/// From so many elements on it is worth to make code for rows.
const MANY: usize = 16 * 1024;

type Make = dyn Fn(&[u32]) -> Option<Program> + Send + Sync;

impl ByRows {
    /// `make` gives the program that takes these parameters as scalars.
    pub(crate) fn new(make: impl Fn(&[u32]) -> Option<Program> + Send + Sync + 'static) -> ByRows {
        ByRows { make: Box::new(make), missed: AtomicUsize::new(0), made: OnceLock::new() }
    }

    /// The program that takes these parameters as scalars, which is made when it has been asked for enough elements.
    pub(super) fn program(&self, params: &[u32], len: usize) -> Option<&Program> {
        if self.made.get().is_none() && self.missed.fetch_add(len, Ordering::Relaxed).saturating_add(len) < MANY {
            return None;
        }
        let make = || Made { params: params.into(), program: (self.make)(params).map(Box::new) };
        let made = self.made.get_or_init(make);
        made.program.as_deref().filter(|_| *made.params == *params)
    }
}

impl Program {
    /// A program whose parameters are all given.
    pub(crate) fn new(layout: Layout, engine: Machine, exact: Option<Interp>) -> Program {
        Program { layout, engine, exact, by_rows: None, feeds: Vec::new() }
    }

    /// With what runs before it.
    pub(crate) fn fed(mut self, feeds: Vec<Feed>) -> Program {
        for feed in &feeds {
            let calls = feed.calls.len() as f64 * NANOSECONDS_A_CALL;
            let cost = |len: usize| NANOSECONDS_A_THREAD / len as f64;
            let all = cost(self.layout.thread_len) + cost(feed.program.layout.thread_len) + calls;
            self.layout.thread_len = (NANOSECONDS_A_THREAD / all).max(1.0) as usize;
        }
        if !feeds.is_empty() {
            self.by_rows = None;
        }
        self.feeds = feeds;
        self
    }

    /// Whether any element of some array may be read.
    pub(crate) fn asks_for_any(&self) -> bool {
        !self.layout.wholes.is_empty() || self.feeds.iter().any(|feed| !feed.program.layout.wholes.is_empty())
    }

    /// All that is read, once for each slot.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        let layouts = self.feeds.iter().map(|feed| &feed.program.layout).chain([&self.layout]);
        layouts.flat_map(|layout| layout.inputs.iter().chain(&layout.scalars)).map(|(source, _)| source)
    }

    /// Every array that is read, once for each slot: those of what runs before come first.
    pub(crate) fn read(&self) -> impl Iterator<Item = (Source, DType)> {
        let of_feeds = self.feeds.iter().flat_map(|feed| &feed.program.layout.inputs);
        of_feeds.chain(&self.layout.inputs).copied()
    }
}

/// Who computes.
pub(crate) enum Machine {
    Native(Native),
    Interpreter(Interp),
}

/// What a program reads and writes, in order of its slots.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Elements that are computed together; every array holds a multiple of it.
    pub(crate) group: usize,
    pub(crate) inputs: Vec<(Source, DType)>,
    pub(crate) outputs: Vec<DType>,
    /// For each output whether code takes its elements into sixteen accumulators, of the dtype that stands there.
    pub(crate) folds: Vec<bool>,
    pub(crate) scalars: Vec<(Source, DType)>,
    /// Parameters of which any element may be read; where they begin follows the arrays of a call.
    pub(crate) wholes: Vec<(u32, DType)>,
    /// For each output that code does not fold the input that it is a copy of, if it is one; none is of bools, which are made
    /// 0 and 1.
    pub(crate) copies: Vec<Option<usize>>,
    /// How many elements are worth one more thread, roughly.
    pub(crate) thread_len: usize,
    /// Bytes of an element of the widest output.
    pub(crate) widest: usize,
    /// Whether there are loops whose turns count.
    pub(crate) counts_turns: bool,
}

impl Program {
    /// The most elements of a run for which nothing is planned: they are one chunk, which no second thread pays for, and stay in
    /// the cache. 0 where every run is planned.
    pub(crate) fn plain_len(&self, chunk: usize, cache: usize) -> usize {
        let layout = &self.layout;
        match self.engine {
            Machine::Native(_) if layout.is_plain() && self.feeds.is_empty() => {
                chunk.min(layout.thread_len - 1).min(cache / layout.widest)
            }
            Machine::Native(_) | Machine::Interpreter(_) => 0,
        }
    }

    /// The same where every output is folded by code to a total of all elements, for [`fold`](super::plain::fold).
    pub(crate) fn plain_fold_len(&self, chunk: usize, cache: usize) -> usize {
        let folds_all = self.layout.folds.iter().all(|folds| *folds);
        if folds_all { self.plain_len(chunk, cache).min(plain::MOST_BLOCKS * BLOCK) } else { 0 }
    }
}

/// Nanoseconds an instruction of a strip takes, roughly: two a cycle at 3 GHz.
const NANOSECONDS_AN_INSTRUCTION: f64 = 0.2;

/// Nanoseconds to bring a byte from or to memory, roughly; one core.
const NANOSECONDS_A_BYTE: f64 = 0.03;

/// Serial work that waking one more thread is worth, in nanoseconds: it costs up to 20 us where threads sleep.
const NANOSECONDS_A_THREAD: f64 = 40_000.0;

/// Nanoseconds that the interpreter takes for a value, roughly.
const NANOSECONDS_A_VALUE: f64 = 10.0;

/// Nanoseconds that a function of Rust takes for an element, for all that is known.
const NANOSECONDS_A_CALL: f64 = 20.0;

/// Turns that a loop takes, for all that is known.
const TURNS: f64 = 64.0;

impl Layout {
    /// Of compiled code.
    pub(crate) fn of_strip(strip: &Strip, graph: &Graph) -> Layout {
        let mut layout = Layout {
            group: strip.group,
            inputs: strip.inputs.clone(),
            outputs: strip.outputs.clone(),
            folds: strip.folds.clone(),
            scalars: strip.scalars.clone(),
            wholes: strip.wholes.clone(),
            copies: Vec::new(),
            thread_len: 0,
            widest: 0,
            counts_turns: strip.counts_turns,
        };
        layout.find_copies(graph);
        layout.measured(strip.cost as f64 * NANOSECONDS_AN_INSTRUCTION / strip.group as f64)
    }

    /// Of a graph for the interpreter: every parameter that it reads, in order.
    pub(crate) fn of_graph(graph: &Graph) -> Layout {
        let mut layout = Layout {
            group: 1,
            inputs: Vec::new(),
            outputs: graph.outputs.iter().map(|output| graph.dtype(output.value)).collect(),
            folds: vec![false; graph.outputs.len()],
            scalars: Vec::new(),
            wholes: Vec::new(),
            copies: Vec::new(),
            thread_len: 0,
            widest: 0,
            counts_turns: false,
        };
        let nodes = || (0..graph.len()).map(|k| graph.node(Value::from_index(k)));
        let mut is_read = vec![false; graph.params.len()];
        for node in nodes() {
            if let Node::Param(k) = node {
                is_read[*k as usize] = true;
            }
        }
        for (k, param) in graph.params.iter().enumerate().filter(|(k, _)| is_read[*k]) {
            let slots = if param.rank == Rank::Array { &mut layout.inputs } else { &mut layout.scalars };
            slots.push((Source::Param(k as u32), param.dtype));
        }
        for node in nodes() {
            if let Node::Gather(param, _) = node {
                let whole = (*param, graph.params[*param as usize].dtype);
                if !layout.wholes.contains(&whole) {
                    layout.wholes.push(whole);
                }
            }
        }
        let axes = nodes().filter_map(|node| match node {
            Node::Index(axis) => Some(*axis),
            _ => None,
        });
        if let Some(last) = axes.max() {
            layout.inputs.extend((0..=last).map(|axis| (Source::Index(axis), DType::I64)));
        }
        layout.scalars.extend((0..graph.sizes.len()).map(|k| (Source::Size(k as u32), DType::I64)));
        layout.find_copies(graph);
        layout.counts_turns = nodes().any(|node| matches!(node, Node::Repeat { turns: Some(_), .. }));
        let turns = if layout.counts_turns { TURNS } else { 1.0 };
        layout.measured(graph.len() as f64 * turns * NANOSECONDS_A_VALUE)
    }

    fn find_copies(&mut self, graph: &Graph) {
        let copy = |(output, folds): (&Output, &bool)| match graph.node(output.value) {
            Node::Param(param) if graph.dtype(output.value) != DType::Bool && !folds => {
                self.inputs.iter().position(|(source, _)| *source == Source::Param(*param))
            }
            _ => None,
        };
        self.copies = graph.outputs.iter().zip(&self.folds).map(copy).collect();
    }

    /// With what follows from the arrays, and from the nanoseconds that computing an element takes.
    fn measured(mut self, cost: f64) -> Layout {
        let inputs = self.inputs.iter().map(|(_, dtype)| dtype.size());
        let bytes: usize = inputs.chain(self.outputs.iter().map(|dtype| dtype.size())).sum();
        self.thread_len = (NANOSECONDS_A_THREAD / (cost + bytes as f64 * NANOSECONDS_A_BYTE)).max(1.0) as usize;
        self.widest = self.outputs.iter().map(|dtype| dtype.size()).max().unwrap_or(0);
        self
    }
}

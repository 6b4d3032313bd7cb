//! What decides the size of a group: which values vary, which are alive together, how many ops there are.

use crate::dtype::DType;
use crate::ir::{BlockId, Graph, Node, Value};
use crate::target::Target;

/// Facts about the values that the outputs need.
pub(super) struct Measure {
    /// Whether anything needs the value.
    pub(super) live: Vec<bool>,
    /// Whether the value differs between elements.
    pub(super) varying: Vec<bool>,
    /// Live ops on varying values, regions included.
    pub(super) ops: usize,
    /// Bytes an element of the widest and of the narrowest varying value; a bool counts as its byte in memory.
    widest: usize,
    narrowest: usize,
    /// The most bytes an element that are alive at once in the root block.
    alive: usize,
    /// Constants that the root block uses.
    constants: usize,
    has_loop: bool,
    /// Varying ops of the longest chain; no bound on it where there are regions.
    chain: usize,
}

/// Up to this many ops in a chain and in all, the machine itself overlaps vectors that stand one after the other.
const SHORT_CHAIN: usize = 6;
const FEW_OPS: usize = 16;

impl Measure {
    pub(super) fn new(graph: &Graph) -> Measure {
        let mut measure = Measure {
            live: vec![false; graph.len()],
            varying: vec![false; graph.len()],
            ops: 0,
            widest: 1,
            narrowest: 8,
            alive: 0,
            constants: 0,
            has_loop: false,
            chain: 0,
        };
        for output in &graph.outputs {
            measure.live[output.value.index()] = true;
        }
        measure.mark_live(graph, BlockId::ROOT);
        measure.mark_varying(graph, BlockId::ROOT, false);
        measure.count(graph, BlockId::ROOT);
        // Outputs are stored from an array of their dtype, also where they are the same for all elements.
        for output in &graph.outputs {
            measure.see(graph.dtype(output.value));
        }
        measure.weigh(graph);
        measure.measure_chain(graph);
        measure
    }

    fn see(&mut self, dtype: DType) {
        self.widest = self.widest.max(dtype.size());
        self.narrowest = self.narrowest.min(dtype.size());
    }

    /// Users stand behind, so one walk from the end finds all.
    fn mark_live(&mut self, graph: &Graph, block: BlockId) {
        for &value in graph.block(block).values.iter().rev() {
            if !self.live[value.index()] {
                continue;
            }
            let node = graph.node(value);
            node.operands(|x| self.live[x.index()] = true);
            if let Some(body) = node.body() {
                graph.block(body).results.iter().for_each(|x| self.live[x.index()] = true);
                self.mark_live(graph, body);
            }
        }
    }

    fn mark_varying(&mut self, graph: &Graph, block: BlockId, carried: bool) {
        for &value in &graph.block(block).values {
            let node = graph.node(value);
            let mut varying = match node {
                Node::Param(index) => graph.params[*index as usize].rank == crate::ir::Rank::Array,
                Node::Index(_) => true,
                Node::Carried(_) => carried,
                _ => false,
            };
            node.operands(|x| varying |= self.varying[x.index()]);
            if let Some(body) = node.body() {
                let results = |measure: &Measure| graph.block(body).results.iter().any(|x| measure.varying[x.index()]);
                self.mark_varying(graph, body, varying);
                varying |= results(self);
                if matches!(node, Node::Repeat { .. }) {
                    // One lane's count of turns decides for all that they carry.
                    self.mark_varying(graph, body, varying);
                }
            }
            self.varying[value.index()] = varying;
        }
    }

    fn count(&mut self, graph: &Graph, block: BlockId) {
        for &value in &graph.block(block).values {
            if !self.live[value.index()] {
                continue;
            }
            let node = graph.node(value);
            self.has_loop |= matches!(node, Node::Repeat { .. });
            if self.varying[value.index()] && node.body().is_none() {
                self.see(graph.dtype(value));
                self.ops += usize::from(!is_leaf(node));
            }
            if let Some(body) = node.body() {
                self.count(graph, body);
            }
        }
    }

    fn weigh(&mut self, graph: &Graph) {
        let order = &graph.block(BlockId::ROOT).values;
        let mut ends_at: Vec<Vec<Value>> = vec![Vec::new(); order.len()];
        let mut last_use = vec![usize::MAX; graph.len()];
        for output in &graph.outputs {
            last_use[output.value.index()] = order.len();
        }
        let mut is_constant = vec![false; graph.len()];
        for (at, &value) in order.iter().enumerate().rev() {
            if !self.live[value.index()] {
                continue;
            }
            graph.node(value).operands(|x| {
                is_constant[x.index()] |= matches!(graph.node(x), Node::Const(_));
                if last_use[x.index()] == usize::MAX {
                    last_use[x.index()] = at;
                    ends_at[at].push(x);
                }
            });
        }
        self.constants = is_constant.iter().filter(|x| **x).count();
        let mut alive = 0;
        let mut loaded = vec![false; graph.len()];
        for (at, &value) in order.iter().enumerate() {
            if !self.live[value.index()] {
                continue;
            }
            let size = |x: Value| if graph.dtype(x) == DType::Bool { self.widest } else { graph.dtype(x).size() };
            // A leaf is loaded where it is first used.
            graph.node(value).operands(|x| {
                if self.varying[x.index()] && is_leaf(graph.node(x)) && !loaded[x.index()] {
                    loaded[x.index()] = true;
                    alive += size(x);
                }
            });
            if self.varying[value.index()] && !is_leaf(graph.node(value)) && graph.node(value).body().is_none() {
                alive += size(value);
            }
            self.alive = self.alive.max(alive);
            for &x in &ends_at[at] {
                if self.varying[x.index()] && graph.node(x).body().is_none() {
                    alive -= size(x);
                }
            }
        }
    }

    fn measure_chain(&mut self, graph: &Graph) {
        let mut chains = vec![0_usize; graph.len()];
        for &value in &graph.block(BlockId::ROOT).values {
            let node = graph.node(value);
            if !self.live[value.index()] || !self.varying[value.index()] || is_leaf(node) {
                continue;
            }
            let mut chain = if node.body().is_some() { usize::MAX } else { 1 };
            node.operands(|x| chain = chain.max(chains[x.index()].saturating_add(1)));
            chains[value.index()] = chain;
            self.chain = self.chain.max(chain);
        }
    }

    /// Whether vectors may stand one after the other in a group, so that few are alive at once.
    pub(super) fn is_short(&self) -> bool {
        self.chain <= SHORT_CHAIN && self.ops <= FEW_OPS
    }

    /// Elements of a group: as many vectors of the widest dtype side by side as hide latency and fit the registers.
    pub(super) fn group(&self, target: &Target) -> usize {
        let vectors = [4, 2, 1].into_iter().find(|vectors| self.fits(*vectors, target)).unwrap_or(1);
        // The narrowest load is of 4 bytes.
        (vectors * target.vector_bytes / self.widest).max(4 / self.narrowest)
    }

    fn fits(&self, vectors: usize, target: &Target) -> bool {
        let registers = self.alive.div_ceil(self.widest) * if self.is_short() { 1 } else { vectors };
        let most_vectors = match self.ops {
            _ if self.has_loop => 2,
            // More would compile for longer than the run gains.
            0..=64 => 4,
            65..=500 => 2,
            _ => 1,
        };
        // Two side by side are worth some spilling, four are not.
        let most_registers = target.registers * if vectors == 2 { 6 } else { 3 } / 4;
        vectors <= most_vectors && registers <= most_registers
    }

    /// Whether all constants of the root block may stay in registers.
    pub(super) fn hoists_constants(&self, group: usize, target: &Target) -> bool {
        let registers =
            if self.is_short() { self.alive.div_ceil(self.widest) } else { group * self.alive / target.vector_bytes };
        self.constants + registers < target.registers
    }
}

/// Whether a value is made on demand, where it is used: it needs no others.
pub(super) fn is_leaf(node: &Node) -> bool {
    matches!(node, Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_))
}

//! What decides the size of a group: which values vary, which are alive together, how many ops there are.

use crate::dtype::DType;
use crate::ir::{BlockId, Graph, Node, Rank, Value};
use crate::target::Target;

/// Facts about the values that the outputs need.
pub(super) struct Measure {
    /// Whether anything needs the value.
    pub(super) live: Vec<bool>,
    /// Whether the value differs between elements.
    pub(super) varying: Vec<bool>,
    /// Live ops on varying values, regions included.
    pub(super) ops: usize,
    /// Bytes an element of the widest varying value; a bool counts as its byte in memory.
    widest: usize,
    /// Bytes an element of the narrowest array that is read or written.
    narrowest: usize,
    /// The most bytes an element that are alive at once in the root block.
    alive: usize,
    /// Constants that the root block uses.
    constants: usize,
    has_loop: bool,
    /// Whether there is a loop of the program itself.
    counts_turns: bool,
    /// Varying ops of the longest chain; no bound on it where there are regions.
    chain: usize,
}

/// From so many ops a step of the longest chain on, a vector alone keeps the machine busy.
const WIDE: usize = 12;

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
            counts_turns: false,
            chain: 0,
        };
        for output in &graph.outputs {
            measure.live[output.value.index()] = true;
        }
        measure.mark_live(graph, BlockId::ROOT);
        measure.mark_varying(graph);
        measure.count(graph, BlockId::ROOT);
        // Outputs are stored from an array of their dtype, also where they are the same for all elements.
        for output in &graph.outputs {
            measure.see_array(graph.dtype(output.value));
        }
        measure.weigh(graph);
        if measure.counts_turns {
            measure.weigh_loops(graph);
        }
        measure.measure_chain(graph);
        measure
    }

    fn see_array(&mut self, dtype: DType) {
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

    /// What has a varying source varies. Of a region in which anything does, all results count as varying, for it stands
    /// where groups are computed; what is carried inside may be the same for all elements nevertheless.
    fn mark_varying(&mut self, graph: &Graph) {
        let is_varying_leaf = |node: &Node| match node {
            Node::Param(index) => graph.params[*index as usize].rank == Rank::Array,
            Node::Index(_) => true,
            _ => false,
        };
        let carriers = graph.carriers();
        let (users, mut changed) = (Users::new(graph, &carriers, &self.live), Vec::new());
        for value in (0..graph.len()).map(Value::from_index).filter(|x| is_varying_leaf(graph.node(*x))) {
            self.varying[value.index()] = true;
            changed.push(value);
        }
        while let Some(value) = changed.pop() {
            for &user in users.of(value) {
                if !std::mem::replace(&mut self.varying[user.index()], true) {
                    changed.push(user);
                }
            }
        }
    }

    fn count(&mut self, graph: &Graph, block: BlockId) {
        for &value in &graph.block(block).values {
            if !self.live[value.index()] {
                continue;
            }
            let node = graph.node(value);
            self.has_loop |= matches!(node, Node::Repeat { .. });
            self.counts_turns |= matches!(node, Node::Repeat { turns: Some(_), .. });
            if self.varying[value.index()] && node.body().is_none() {
                if is_leaf(node) {
                    self.see_array(graph.dtype(value));
                } else {
                    self.widest = self.widest.max(graph.dtype(value).size());
                    self.ops += 1;
                }
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

    /// Bytes an element alive in the program's own loops, where registers are worth most: what is carried, what is brought
    /// in, and what a turn computes, at least once each.
    fn weigh_loops(&mut self, graph: &Graph) {
        let mut defined_in = vec![0; graph.len()];
        let regions = (0..graph.len()).map(Value::from_index);
        for (depth, region) in regions.enumerate() {
            let Node::Repeat { body, turns: Some(_), .. } = graph.node(region) else { continue };
            if !self.live[region.index()] || !self.varying[region.index()] {
                continue;
            }
            let values = &graph.block(*body).values;
            values.iter().for_each(|x| defined_in[x.index()] = depth);
            let mut bytes = 0;
            let mut brought = std::collections::HashSet::new();
            for &x in values.iter().filter(|x| self.live[x.index()]) {
                let node = graph.node(x);
                if matches!(node, Node::Carried(_)) && self.varying[x.index()] {
                    bytes += 2 * graph.dtype(x).size();
                }
                node.operands(|y| {
                    let is_outside = defined_in[y.index()] != depth || is_leaf(graph.node(y));
                    if is_outside && self.varying[y.index()] && brought.insert(y) {
                        bytes += graph.dtype(y).size();
                    }
                });
            }
            self.alive = self.alive.max(bytes);
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

    pub(super) fn counts_turns(&self) -> bool {
        self.counts_turns
    }

    /// Elements of a group: as many vectors of the widest dtype side by side as hide latency and fit the registers.
    pub(super) fn group(&self, target: &Target) -> usize {
        let vectors = [4, 2, 1].into_iter().find(|vectors| self.fits(*vectors, target)).unwrap_or(1);
        // The narrowest load is of 4 bytes.
        (vectors * target.vector_bytes / self.widest).max(4 / self.narrowest)
    }

    fn fits(&self, vectors: usize, target: &Target) -> bool {
        let registers = self.alive.div_ceil(self.widest) * if self.is_short() { 1 } else { vectors };
        // So many keep the machine busy.
        let enough = match WIDE.saturating_mul(self.chain) {
            busy if self.ops >= busy => 1,
            busy if self.ops >= busy / 2 => 2,
            _ => 4,
        };
        // More would compile for longer than the run gains.
        let most = match self.ops {
            _ if self.has_loop => 2,
            ops if ops <= target.fourfold_ops => 4,
            ops if ops <= target.paired_ops => 2,
            _ => 1,
        };
        let most_vectors = if self.is_short() { most } else { most.min(enough) };
        let most_registers = if vectors == 2 { target.paired_registers } else { target.fourfold_registers };
        vectors <= most_vectors && registers <= most_registers
    }

    /// Whether all constants of the root block may stay in registers.
    pub(super) fn hoists_constants(&self, group: usize, target: &Target) -> bool {
        let registers =
            if self.is_short() { self.alive.div_ceil(self.widest) } else { group * self.alive / target.vector_bytes };
        self.constants + registers <= target.hoisted_registers
    }
}

/// What varies if a value does.
struct Users {
    /// Where the users of each value begin in `list`; one more at the end.
    starts: Vec<u32>,
    list: Vec<Value>,
}

impl Users {
    fn new(graph: &Graph, carriers: &[Option<Value>], live: &[bool]) -> Users {
        let each = |visit: &mut dyn FnMut(Value, Value)| {
            for value in (0..graph.len()).map(Value::from_index) {
                graph.sources(value, carriers, |x| visit(x, value));
                if let Node::Part(region, k) = graph.node(value) {
                    visit(value, *region);
                    visit(*region, value);
                    // A bool that someone asks for at the end stays as it is where an element ends early; what a number is then is
                    // carried beside it.
                    if let Node::Repeat { body, .. } = graph.node(*region)
                        && live[value.index()]
                        && graph.dtype(value) == DType::Bool
                    {
                        let body = graph.block(*body);
                        visit(body.results[0], body.values[*k as usize]);
                    }
                }
            }
        };
        let mut starts = vec![0; graph.len() + 1];
        each(&mut |x, _| starts[x.index() + 1] += 1);
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        let mut next = starts.clone();
        let mut list = vec![Value::from_index(0); starts[graph.len()] as usize];
        each(&mut |x, user| {
            list[next[x.index()] as usize] = user;
            next[x.index()] += 1;
        });
        Users { starts, list }
    }

    fn of(&self, value: Value) -> &[Value] {
        &self.list[self.starts[value.index()] as usize..self.starts[value.index() + 1] as usize]
    }
}

/// Whether a value is made on demand, where it is used: it needs no others.
pub(super) fn is_leaf(node: &Node) -> bool {
    matches!(node, Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_))
}

//! Stage to strip: each value becomes as many registers as a group of it fills, side by side in the order of emission.

use super::fold::{self, ACCUMULATORS};
use super::measure::{Measure, is_leaf};
use super::{Block, Inst, Reg, RegType, Source, Strip, dead, order, recur};
use crate::dtype::DType;
use crate::ir::{BlockId, Graph, Node, Op, Rank, Value};
use crate::stage::Stage;
use crate::target::Target;

/// The most registers that a value of a group takes.
const MOST: usize = 4;

/// Conditions of a loop that are taken apart.
const MOST_CONDITIONS: usize = 16;

/// The registers that hold a value: one for all elements if it is the same for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regs {
    regs: [Reg; MOST],
    len: usize,
    uniform: bool,
}

impl Regs {
    pub(super) fn uniform(reg: Reg) -> Regs {
        Regs { regs: [reg; MOST], len: 1, uniform: true }
    }

    fn collect(regs: impl Iterator<Item = Reg>) -> Regs {
        let mut all = Regs { regs: [Reg(0); MOST], len: 0, uniform: false };
        for reg in regs {
            all.regs[all.len] = reg;
            all.len += 1;
        }
        all
    }

    /// Registers of a value that is the same for all elements if this one is.
    pub(super) fn like(&self, regs: impl Iterator<Item = Reg>) -> Regs {
        Regs { uniform: self.uniform, ..Regs::collect(regs) }
    }

    pub(super) fn is_uniform(&self) -> bool {
        self.uniform
    }

    /// The register for the `k`-th part of the group.
    pub(super) fn get(&self, k: usize) -> Reg {
        self.regs[if self.uniform { 0 } else { k }]
    }

    pub(super) fn as_slice(&self) -> &[Reg] {
        &self.regs[..self.len]
    }
}

/// How a value is held: numbers in one way, a bool as masks of the lane sizes that were asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    vector: Option<Regs>,
    masks: Vec<(usize, Regs)>,
}

/// A result of a region that something needs.
pub(super) struct Part {
    /// Its place among the results.
    place: usize,
    pub(super) value: Value,
    /// What it is where the region is not wanted.
    pub(super) otherwise: Value,
    pub(super) reg_type: RegType,
}

impl Part {
    pub(super) fn mask_size(&self) -> Option<usize> {
        match self.reg_type {
            RegType::Mask(size) => Some(size),
            RegType::Vector(_) => None,
        }
    }
}

pub(super) struct Vectoriser<'a> {
    pub(super) stage: &'a Stage,
    pub(super) measure: Measure,
    pub(super) strip: Strip,
    hoists_constants: bool,
    pub(super) held: Vec<Held>,
    /// Blocks under construction, innermost last; the first is the strip's body.
    open: Vec<Block>,
    /// What became held inside an open region, to be forgotten behind it.
    log: Vec<(Value, Option<usize>)>,
    /// How many loops are open.
    loops: usize,
    /// Lanes that the enclosing regions want.
    pub(super) active: Option<(usize, Regs)>,
    /// Whether a routine is made, which reads nothing of what is held outside but what it is given.
    pub(super) is_routine: bool,
    /// Whether new instructions go to the prologue.
    hoisting: bool,
}

/// If all inputs are one array and neighbours of it, which are named after it, the one that is furthest on.
fn front(inputs: &[(Source, DType)], graph: &Graph) -> Option<u32> {
    // The array itself has no offsets.
    let parts = |(source, _): &(Source, DType)| match source {
        Source::Param(param) => {
            let name = &*graph.params[*param as usize].name;
            Some(name.split_once('[').unwrap_or((name, "")))
        }
        Source::Index(_) | Source::Size(_) => None,
    };
    let parts = inputs.iter().map(parts).collect::<Option<Vec<_>>>()?;
    if parts.iter().any(|(array, _)| *array != parts[0].0) {
        return None;
    }
    let axes = parts.iter().map(|(_, offsets)| offsets.split(", ").count()).max()?;
    let offset = |text: &str| text.trim_end_matches(']').parse::<isize>().unwrap_or(0);
    let offsets = |slot: &usize| -> Vec<isize> {
        let known = parts[*slot].1.split(", ").map(offset);
        known.chain(std::iter::repeat(0)).take(axes).collect()
    };
    (0..parts.len()).max_by_key(offsets).map(|slot| slot as u32)
}

/// The stage as a program for groups of elements on `target`.
pub(crate) fn vectorise(stage: &Stage, target: &Target) -> Strip {
    let graph = &stage.graph;
    let measure = Measure::new(graph);
    let (mut group, mut accumulators) = (measure.group(target), Vec::new());
    // Groups of loops may run again, and smaller ones take longer for their elements than for what comes of them.
    if group >= ACCUMULATORS && !measure.counts_turns() {
        accumulators = fold::accumulators(stage, target);
        group = if accumulators.iter().any(Option::is_some) { ACCUMULATORS } else { group };
    }
    accumulators.resize(stage.totals.len(), None);
    let of_outputs = graph.outputs.iter().map(|output| graph.dtype(output.value));
    let mut outputs: Vec<DType> = of_outputs.collect();
    let mut folds = vec![false; outputs.len()];
    for (k, dtype) in accumulators.iter().enumerate() {
        if let Some(dtype) = dtype {
            (outputs[stage.outputs.len() + k], folds[stage.outputs.len() + k]) = (*dtype, true);
        }
    }
    let strip = Strip {
        target: *target,
        group,
        inputs: Vec::new(),
        outputs,
        folds,
        wholes: Vec::new(),
        scalars: Vec::new(),
        tables: graph.tables.clone(),
        prologue: Block::default(),
        body: Block::default(),
        routines: Vec::new(),
        types: Vec::new(),
        cost: 0,
        counts_turns: false,
        front: None,
    };
    let hoists_constants = measure.hoists_constants(group, target);
    let held = vec![Held::default(); graph.len()];
    let mut vectoriser = Vectoriser {
        stage,
        measure,
        strip,
        hoists_constants,
        held,
        open: vec![Block::default()],
        log: Vec::new(),
        loops: 0,
        active: None,
        is_routine: false,
        hoisting: false,
    };
    vectoriser.collect_inputs();
    vectoriser.strip.front = front(&vectoriser.strip.inputs, graph);
    vectoriser.block(BlockId::ROOT);
    vectoriser.stores();
    let is_short = vectoriser.measure.is_short();
    let mut strip = vectoriser.strip;
    strip.body = vectoriser.open.pop().expect("the body is open");
    dead::run(&mut strip);
    if is_short {
        strip.body = order::by_store(strip.body, &strip.types);
    }
    strip.cost = cost(&strip.body);
    strip
}

/// Turns that a loop of the program takes, for all that is known.
const TURNS: usize = 64;

/// Instructions that take as long as reading as many elements as a register has, each by itself.
const GATHER: usize = 12;

/// A rough count of instructions, those of rare paths left out.
fn cost(block: &Block) -> usize {
    let of = |inst: &Inst| match inst {
        Inst::Repeat { body, counted: true, .. } => TURNS.saturating_mul(cost(body)),
        Inst::When { body, .. } if has_counted(body) => cost(body),
        Inst::Gather(..) => GATHER,
        _ => 1,
    };
    block.insts.iter().fold(0, |sum: usize, (_, inst)| sum.saturating_add(of(inst)))
}

fn has_counted(block: &Block) -> bool {
    block.insts.iter().any(|(_, inst)| match inst {
        Inst::Repeat { counted, .. } => *counted,
        Inst::When { body, .. } => has_counted(body),
        _ => false,
    })
}

impl Vectoriser<'_> {
    /// Slots stand in the order of the graph, so that output arrays may follow the inputs.
    fn collect_inputs(&mut self) {
        let graph = &self.stage.graph;
        let leaves = (0..graph.len()).filter(|k| self.measure.live[*k]);
        for value in leaves.map(Value::from_index) {
            let (source, is_array) = match graph.node(value) {
                Node::Param(index) => (Source::Param(*index), graph.params[*index as usize].rank == Rank::Array),
                Node::Index(axis) => (Source::Index(*axis), true),
                Node::Size(index) => (Source::Size(*index), false),
                Node::Gather(param, _) => {
                    let whole = (*param, graph.dtype(value));
                    if !self.strip.wholes.contains(&whole) {
                        self.strip.wholes.push(whole);
                    }
                    continue;
                }
                _ => continue,
            };
            let slots = if is_array { &mut self.strip.inputs } else { &mut self.strip.scalars };
            if !slots.iter().any(|(known, _)| *known == source) {
                slots.push((source, graph.dtype(value)));
            }
        }
    }

    pub(super) fn emit(&mut self, reg_type: RegType, inst: Inst) -> Reg {
        let reg = self.reg(reg_type);
        self.current().insts.push((Some(reg), inst));
        reg
    }

    pub(super) fn dtype(&self, value: Value) -> DType {
        self.stage.graph.dtype(value)
    }

    pub(super) fn reg(&mut self, reg_type: RegType) -> Reg {
        self.strip.types.push(reg_type);
        Reg(self.strip.types.len() as u32 - 1)
    }

    pub(super) fn current(&mut self) -> &mut Block {
        if self.hoisting { &mut self.strip.prologue } else { self.open.last_mut().expect("a block is open") }
    }

    /// How many registers a varying value of that lane size takes.
    pub(super) fn count(&self, size: usize) -> usize {
        (self.strip.group * size / self.strip.target.vector_bytes).max(1)
    }

    /// Emits an instruction for each register of the operands; one only where all are uniform.
    pub(super) fn each(&mut self, reg_type: RegType, operands: &[Regs], inst: impl Fn([Reg; 3]) -> Inst) -> Regs {
        let at = |k: usize| {
            let first = operands[0].get(k);
            std::array::from_fn(|j| operands.get(j).map_or(first, |regs| regs.get(k)))
        };
        if operands.iter().all(|regs| regs.uniform) {
            return Regs::uniform(self.emit(reg_type, inst(at(0))));
        }
        let count = self.count(reg_type.size());
        Regs::collect((0..count).map(|k| self.emit(reg_type, inst(at(k)))))
    }

    /// Runs `make` with the prologue as its target if the value is the same for all and this is no region.
    fn placed<R>(&mut self, value: Value, make: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.hoisting;
        self.hoisting |= !self.measure.varying[value.index()] && self.open.len() == 1;
        let result = make(self);
        self.hoisting = before;
        result
    }

    pub(super) fn hold_vector(&mut self, value: Value, regs: Regs) {
        self.held[value.index()].vector = Some(regs);
        self.log.push((value, None));
    }

    pub(super) fn hold_mask(&mut self, value: Value, size: usize, regs: Regs) {
        self.held[value.index()].masks.push((size, regs));
        self.log.push((value, Some(size)));
    }

    /// The registers of a number.
    pub(super) fn vector(&mut self, value: Value) -> Regs {
        let dtype = self.stage.graph.dtype(value);
        let node = self.stage.graph.node(value);
        if matches!(node, Node::Const(_)) && (self.is_routine || !self.hoists_constants) {
            return self.constant(node, RegType::Vector(dtype));
        }
        if let Some(regs) = self.held[value.index()].vector {
            return regs;
        }
        let node = node.clone();
        let regs = self.placed(value, |this| this.leaf(&node, dtype));
        self.hold_vector(value, regs);
        regs
    }

    fn constant(&mut self, node: &Node, reg_type: RegType) -> Regs {
        let Node::Const(bits) = node else { panic!("{node:?} is a constant") };
        Regs::uniform(self.emit(reg_type, Inst::Const(*bits)))
    }

    fn leaf(&mut self, node: &Node, dtype: DType) -> Regs {
        let source = match node {
            Node::Const(_) => return self.constant(node, RegType::Vector(dtype)),
            Node::Param(index) => Source::Param(*index),
            Node::Index(axis) => Source::Index(*axis),
            Node::Size(index) => Source::Size(*index),
            _ => panic!("{node:?} is computed before its use"),
        };
        // A bool in memory is a byte; any but 0 is true.
        let reg_type = RegType::Vector(if dtype == DType::Bool { DType::U8 } else { dtype });
        if let Some(slot) = self.strip.scalars.iter().position(|(known, _)| *known == source) {
            return Regs::uniform(self.emit(reg_type, Inst::Scalar(slot as u32)));
        }
        let array = self.strip.inputs.iter().position(|(known, _)| *known == source).expect("a leaf has a slot") as u32;
        let (count, lanes, bytes) = self.parts(dtype.size());
        Regs::collect((0..count).map(|k| self.emit(reg_type, Inst::Load { array, offset: k as u32 * lanes, bytes })))
    }

    /// Registers, elements a register and bytes a register of a varying value in memory.
    pub(super) fn parts(&self, size: usize) -> (usize, u32, u32) {
        let count = self.count(size);
        let lanes = self.strip.group / count;
        (count, lanes as u32, (lanes * size) as u32)
    }

    /// The lane size that a bool has already, or that it would have at first.
    pub(super) fn mask_size(&self, value: Value) -> Option<usize> {
        let graph = &self.stage.graph;
        match graph.node(value) {
            Node::Const(_) => None,
            node if is_leaf(node) => Some(1),
            _ => self.held[value.index()].masks.first().map(|(size, _)| *size),
        }
    }

    /// The lane size for masks made of these: the widest that they have. Where some are the same for all elements and
    /// some not, the first may be wider than any that a group has room for, so they do not count.
    fn common_mask_size(&self, values: &[Value]) -> usize {
        let varying = |x: &&Value| self.measure.varying[x.index()];
        let any = values.iter().any(|x| varying(&x));
        let counted = values.iter().filter(|x| !any || varying(x));
        counted.filter_map(|x| self.mask_size(*x)).max().unwrap_or(1)
    }

    /// The lane size for a bool that comes out of a region which gives it these values.
    fn part_mask_size(&self, value: Value, uniform: bool) -> usize {
        if uniform || self.measure.varying[value.index()] { self.common_mask_size(&[value]) } else { 1 }
    }

    /// The registers of a bool as masks of lanes of `size` bytes.
    pub(super) fn mask(&mut self, value: Value, size: usize) -> Regs {
        if let Some((_, regs)) = self.held[value.index()].masks.iter().find(|(known, _)| *known == size) {
            return *regs;
        }
        let node = self.stage.graph.node(value).clone();
        if matches!(node, Node::Const(_)) {
            return self.constant(&node, RegType::Mask(size));
        }
        if is_leaf(&node) && self.held[value.index()].masks.is_empty() {
            let regs = self.placed(value, |this| {
                let bytes = this.leaf(&node, DType::Bool);
                let zero = Regs::uniform(this.emit(RegType::Vector(DType::U8), Inst::Const(0)));
                this.each(RegType::Mask(1), &[bytes, zero], |x| Inst::Apply(Op::Ne, x))
            });
            self.hold_mask(value, 1, regs);
            return self.mask(value, size);
        }
        let (from, regs) = *self.held[value.index()].masks.first().expect("a bool is computed before its use");
        let resized = self.placed(value, |this| this.resize_mask(regs, from, size));
        self.hold_mask(value, size, resized);
        resized
    }

    pub(super) fn resize_mask(&mut self, regs: Regs, from: usize, to: usize) -> Regs {
        let (mut regs, mut size) = (regs, from);
        while size < to {
            size *= 2;
            regs = self.widen(regs, RegType::Mask(size));
        }
        while size > to {
            size /= 2;
            regs = self.narrow(regs, RegType::Mask(size));
        }
        regs
    }

    /// To lanes of twice the size.
    fn widen(&mut self, regs: Regs, to: RegType) -> Regs {
        self.halves(regs, to, Inst::WidenLow, Inst::WidenHigh)
    }

    fn halves(&mut self, regs: Regs, to: RegType, low: fn(Reg) -> Inst, high: fn(Reg) -> Inst) -> Regs {
        if regs.uniform {
            return Regs::uniform(self.emit(to, low(regs.get(0))));
        }
        // The target's registers decide, not the source's: a source may fill but a part of its register.
        let count = self.count(to.size());
        let halves = |k: usize| if k.is_multiple_of(2) { low(regs.get(k / 2)) } else { high(regs.get(k / 2)) };
        Regs::collect((0..count).map(|k| self.emit(to, halves(k))))
    }

    /// To lanes of half the size.
    fn narrow(&mut self, regs: Regs, to: RegType) -> Regs {
        if regs.uniform {
            return Regs::uniform(self.emit(to, Inst::Narrow(regs.get(0), Some(regs.get(0)))));
        }
        let count = self.count(to.size());
        let pair = |k: usize| match regs.as_slice() {
            [one] => Inst::Narrow(*one, None),
            all => Inst::Narrow(all[2 * k], Some(all[2 * k + 1])),
        };
        Regs::collect((0..count).map(|k| self.emit(to, pair(k))))
    }

    pub(super) fn block(&mut self, block: BlockId) {
        let stage = self.stage;
        for &value in &stage.graph.block(block).values {
            let node = stage.graph.node(value);
            if self.measure.live[value.index()] && !is_leaf(node) {
                self.placed(value, |this| this.node(value, node));
            }
        }
    }

    fn node(&mut self, value: Value, node: &Node) {
        let dtype = self.stage.graph.dtype(value);
        match node {
            Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) => panic!("a leaf is made on demand"),
            Node::Reduce(..) | Node::Call(..) => panic!("a stage has no reductions and calls inside"),
            // Whoever opens the region holds what it carries and gives.
            Node::Carried(_) | Node::Part(..) => {}
            Node::Apply(op, operands) if dtype == DType::Bool && matches!(op, Op::And | Op::Or | Op::Xor | Op::Not) => {
                let size = self.common_mask_size(operands);
                let masks: Vec<Regs> = operands.iter().map(|x| self.mask(*x, size)).collect();
                let regs = self.each(RegType::Mask(size), &masks, |x| Inst::Apply(*op, x));
                self.hold_mask(value, size, regs);
            }
            Node::Apply(Op::Select, operands) => {
                let mask = self.mask(operands[0], dtype.size());
                let (x, y) = (self.vector(operands[1]), self.vector(operands[2]));
                let regs = self.each(RegType::Vector(dtype), &[mask, x, y], |x| Inst::Apply(Op::Select, x));
                self.hold_vector(value, regs);
            }
            Node::Apply(op @ (Op::Shl | Op::Shr), operands)
                if let Some(count) = self.stage.graph.constant(operands[1]) =>
            {
                let x = self.vector(operands[0]);
                let regs = self.each(RegType::Vector(dtype), &[x], |x| Inst::Shift(*op, x[0], count as u32));
                self.hold_vector(value, regs);
            }
            Node::Apply(op, operands) => {
                let vectors: Vec<Regs> = operands.iter().map(|x| self.vector(*x)).collect();
                let size = self.stage.graph.dtype(operands[0]).size();
                if dtype == DType::Bool {
                    let regs = self.each(RegType::Mask(size), &vectors, |x| Inst::Apply(*op, x));
                    self.hold_mask(value, size, regs);
                } else {
                    let regs = self.each(RegType::Vector(dtype), &vectors, |x| Inst::Apply(*op, x));
                    self.hold_vector(value, regs);
                }
            }
            Node::Cast(x) => {
                let from = self.stage.graph.dtype(*x);
                let regs = self.vector(*x);
                let regs = self.cast(regs, from, dtype);
                self.hold_vector(value, regs);
            }
            Node::Bitcast(x) => {
                let x = self.vector(*x);
                let regs = self.each(RegType::Vector(dtype), &[x], |x| Inst::Bitcast(x[0]));
                self.hold_vector(value, regs);
            }
            Node::Lookup(table, index) => {
                let index = self.vector(*index);
                let regs = self.at_lanes(index, dtype, |x, y| Inst::Lookup(*table, x, y));
                self.hold_vector(value, regs);
            }
            Node::Gather(param, offset) => {
                let offset = self.vector(*offset);
                self.gather(value, *param, offset, dtype);
            }
            Node::When { condition, body, otherwise } => self.when(value, *condition, *body, otherwise),
            Node::Repeat { initial, body, turns } => self.repeat(value, initial, *body, turns.is_some()),
        }
    }

    pub(super) fn cast(&mut self, regs: Regs, from: DType, to: DType) -> Regs {
        if from == DType::I32 && to == DType::F32 {
            return self.each(RegType::Vector(to), &[regs], |x| Inst::ToF32(x[0]));
        }
        if from == DType::I32 && to == DType::F64 {
            return self.halves(regs, RegType::Vector(to), Inst::ToF64Low, Inst::ToF64High);
        }
        assert_eq!(from.is_float(), to.is_float(), "legalize leaves no cast from {from} to {to}");
        let of_size = |size: usize| match from {
            _ if from.is_float() => {
                if size == 8 {
                    DType::F64
                } else {
                    DType::F32
                }
            }
            _ if from.is_signed_int() => DType::signed(size),
            _ => DType::unsigned(size),
        };
        let (mut regs, mut size) = (regs, from.size());
        while size < to.size() {
            size *= 2;
            regs = self.widen(regs, RegType::Vector(of_size(size)));
        }
        while size > to.size() {
            size /= 2;
            regs = self.narrow(regs, RegType::Vector(of_size(size)));
        }
        if of_size(size) == to { regs } else { self.each(RegType::Vector(to), &[regs], |x| Inst::Bitcast(x[0])) }
    }

    /// What stands at i64 lanes, in lanes of `dtype`, which are of 4 or 8 bytes.
    fn at_lanes(&mut self, index: Regs, dtype: DType, inst: impl Fn(Reg, Option<Reg>) -> Inst) -> Regs {
        let reg_type = RegType::Vector(dtype);
        assert!(dtype.size() >= 4, "what is looked up is of 4 or 8 bytes");
        if dtype.size() == 8 {
            return self.each(reg_type, &[index], |x| inst(x[0], None));
        }
        if index.uniform {
            return Regs::uniform(self.emit(reg_type, inst(index.get(0), Some(index.get(0)))));
        }
        let pair = |k: usize| match index.as_slice() {
            [one] => inst(*one, None),
            all => inst(all[2 * k], Some(all[2 * k + 1])),
        };
        Regs::collect((0..self.count(4)).map(|k| self.emit(reg_type, pair(k))))
    }

    /// Elements of less than 4 bytes are read into lanes of 4, which are narrowed as in a conversion.
    fn gather(&mut self, value: Value, param: u32, offset: Regs, dtype: DType) {
        let whole = self.strip.wholes.iter().position(|(known, _)| *known == param).expect("a whole array has a place");
        let lanes = if dtype.size() < 4 { DType::U32 } else { dtype };
        let regs = self.at_lanes(offset, lanes, |x, y| Inst::Gather(whole as u32, x, y));
        if dtype == DType::Bool {
            let zero = Regs::uniform(self.emit(RegType::Vector(lanes), Inst::Const(0)));
            let mask = self.each(RegType::Mask(4), &[regs, zero], |x| Inst::Apply(Op::Ne, x));
            self.hold_mask(value, 4, mask);
        } else {
            let regs = if lanes == dtype { regs } else { self.cast(regs, lanes, dtype) };
            self.hold_vector(value, regs);
        }
    }

    /// Opens a block, lets `fill` emit into it, and forgets what became known inside.
    pub(super) fn region<R>(&mut self, fill: impl FnOnce(&mut Self) -> R) -> (Block, R) {
        let (known, active) = (self.log.len(), self.active);
        self.open.push(Block::default());
        let hoisting = std::mem::replace(&mut self.hoisting, false);
        let result = fill(self);
        self.hoisting = hoisting;
        self.active = active;
        for (value, mask) in self.log.drain(known..).rev() {
            match mask {
                None => self.held[value.index()].vector = None,
                Some(_) => drop(self.held[value.index()].masks.pop()),
            }
        }
        (self.open.pop().expect("the region is open"), result)
    }

    /// The parts of a region that something needs, with their place in its results.
    fn live_parts(&self, region: Value, count: usize) -> Vec<(usize, Value)> {
        let graph = &self.stage.graph;
        let parts = (region.index() + 1..graph.len()).map(Value::from_index);
        let parts = parts.map_while(|x| match graph.node(x) {
            Node::Part(of, k) if *of == region => Some((*k as usize, x)),
            _ => None,
        });
        let parts: Vec<(usize, Value)> = parts.filter(|(_, x)| self.measure.live[x.index()]).collect();
        assert!(parts.len() <= count, "a region has as many parts as results");
        parts
    }

    /// A value's registers as a region takes and gives them: all of a group's, or one if `uniform`.
    pub(super) fn spread(&mut self, value: Value, mask_size: Option<usize>, uniform: bool) -> Vec<Reg> {
        let dtype = self.stage.graph.dtype(value);
        let (regs, size) = match mask_size {
            Some(size) => (self.mask(value, size), size),
            None => (self.vector(value), dtype.size()),
        };
        let count = if uniform { 1 } else { self.count(size) };
        (0..count).map(|k| regs.get(k)).collect()
    }

    pub(super) fn results(&mut self, parts: &[(Value, Option<usize>, bool)]) -> Vec<Reg> {
        let mut all = Vec::new();
        for &(value, mask_size, uniform) in parts {
            let dtype = self.stage.graph.dtype(value);
            let reg_type = mask_size.map_or(RegType::Vector(dtype), RegType::Mask);
            let count = if uniform { 1 } else { self.count(reg_type.size()) };
            let regs = Regs::collect((0..count).map(|_| self.reg(reg_type)));
            let regs = Regs { uniform, ..regs };
            all.extend_from_slice(regs.as_slice());
            match mask_size {
                Some(size) => self.hold_mask(value, size, regs),
                None => self.hold_vector(value, regs),
            }
        }
        all
    }

    /// The varying condition and what the enclosing regions want, as masks of the condition's size.
    fn wanted(&mut self, condition: Value) -> (usize, Regs) {
        let size = self.common_mask_size(&[condition]);
        let mask = self.mask(condition, size);
        let Some((active_size, active)) = self.active else { return (size, mask) };
        let active = self.resize_mask(active, active_size, size);
        (size, self.each(RegType::Mask(size), &[mask, active], |x| Inst::Apply(Op::And, x)))
    }

    fn when(&mut self, value: Value, condition: Value, body: BlockId, otherwise: &[Value]) {
        let uniform = !self.measure.varying[value.index()];
        // A condition that is the same for all elements decides for all: no lane needs to be masked.
        let branches = !self.measure.varying[condition.index()];
        let parts = self.live_parts(value, otherwise.len()).into_iter().map(|(place, value)| {
            // A bool leaves as a mask of the size that it has outside.
            let reg_type = match self.dtype(value) {
                DType::Bool => RegType::Mask(self.part_mask_size(otherwise[place], uniform)),
                dtype => RegType::Vector(dtype),
            };
            Part { place, value, otherwise: otherwise[place], reg_type }
        });
        let parts: Vec<Part> = parts.collect();
        let outside: Vec<Vec<Reg>> =
            parts.iter().map(|part| self.spread(part.otherwise, part.mask_size(), uniform)).collect();
        if branches {
            let size = self.common_mask_size(&[condition]);
            let wanted = self.mask(condition, size);
            let (mut block, results) = self.region(|this| {
                this.block(body);
                let inside = parts.iter().map(|part| this.inside(body, part, uniform));
                inside.collect::<Vec<_>>().concat()
            });
            block.results = results;
            return self.branch(vec![wanted.get(0)], block, &parts, &outside, uniform);
        }
        let (size, wanted) = self.wanted(condition);
        if let Some(rare) = self.rare(body, &parts) {
            return self.enter(rare, body, &parts, (size, wanted), &outside);
        }
        let (mut block, results) = self.region(|this| {
            this.active = Some((size, wanted));
            this.block(body);
            this.chosen(body, &parts, (size, wanted), &outside)
        });
        block.results = results;
        let counts: Vec<usize> = outside.iter().map(Vec::len).collect();
        let block = order::by_result(block, &counts);
        self.branch(wanted.as_slice().to_vec(), block, &parts, &outside, uniform);
    }

    fn branch(&mut self, masks: Vec<Reg>, body: Block, parts: &[Part], otherwise: &[Vec<Reg>], uniform: bool) {
        let held: Vec<_> = parts.iter().map(|part| (part.value, part.mask_size(), uniform)).collect();
        let results = self.results(&held);
        let inst = Inst::When { masks, body, otherwise: otherwise.concat(), results };
        self.current().insts.push((None, inst));
    }

    /// What a region computes of one of its results.
    fn inside(&mut self, body: BlockId, part: &Part, uniform: bool) -> Vec<Reg> {
        let result = self.stage.graph.block(body).results[part.place];
        self.spread(result, part.mask_size(), uniform)
    }

    /// What leaves a region: where a lane of `wanted`, masks of `size`, is on, what it computes, else `otherwise`.
    pub(super) fn chosen(
        &mut self,
        body: BlockId,
        parts: &[Part],
        (size, wanted): (usize, Regs),
        otherwise: &[Vec<Reg>],
    ) -> Vec<Reg> {
        let mut results = Vec::new();
        for (part, otherwise) in parts.iter().zip(otherwise) {
            let inside = self.inside(body, part, false);
            let mask = self.resize_mask(wanted, size, part.reg_type.size());
            for (j, (inside, otherwise)) in inside.into_iter().zip(otherwise).enumerate() {
                results.push(self.choose(part.reg_type, mask.get(j), inside, *otherwise));
            }
        }
        results
    }

    /// `mask ? x : y` for numbers and for masks.
    fn choose(&mut self, reg_type: RegType, mask: Reg, x: Reg, y: Reg) -> Reg {
        match reg_type {
            RegType::Vector(_) => self.emit(reg_type, Inst::Apply(Op::Select, [mask, x, y])),
            RegType::Mask(_) => {
                let x = self.emit(reg_type, Inst::Apply(Op::And, [mask, x, mask]));
                let off = self.emit(reg_type, Inst::Apply(Op::Not, [mask, mask, mask]));
                let y = self.emit(reg_type, Inst::Apply(Op::And, [off, y, off]));
                self.emit(reg_type, Inst::Apply(Op::Or, [x, y, x]))
            }
        }
    }

    fn repeat(&mut self, value: Value, initial: &[Value], body: BlockId, counted: bool) {
        let stage = self.stage;
        let graph = &stage.graph;
        let (again, next) = graph.block(body).results.split_first().expect("a loop says whether to go on");
        // If all elements take as many turns, no lane needs to be masked.
        let together = !self.measure.varying[again.index()];
        if self.loops == 0 {
            self.hold_leaves(body);
        }
        self.loops += 1;
        let carried_values = graph.block(body).values.iter().copied();
        let carried_values: Vec<Value> =
            carried_values.take_while(|x| matches!(graph.node(*x), Node::Carried(_))).collect();
        assert_eq!(carried_values.len(), initial.len(), "a loop's block begins with what it carries");
        let held: Vec<(Value, Option<usize>, bool)> = carried_values
            .into_iter()
            .zip(initial)
            .map(|(x, first)| {
                let uniform = !self.measure.varying[x.index()];
                (x, (graph.dtype(x) == DType::Bool).then(|| self.part_mask_size(*first, uniform)), uniform)
            })
            .collect();
        let parts = self.live_parts(value, initial.len());
        let part = |k: usize| parts.iter().find(|(known, _)| *known == k).map(|(_, part)| *part);
        // The same for all elements that are under way, but not where they end: what each ends with is carried beside it.
        let ends_apart = |k: usize| !together && held[k].2 && part(k).is_some();
        let apart: Vec<usize> = (0..held.len()).filter(|k| ends_apart(*k)).collect();
        // Lanes as wide as the widest that is carried, so that the choices need the fewest resizes; and wide enough to fill
        // registers, for a lane that is no element's could go on for ever.
        let varies = |k: &usize| !held[*k].2 || apart.contains(k);
        let sizes = (0..held.len()).filter(varies).map(|k| graph.dtype(held[k].0).size());
        let widest = sizes.max().unwrap_or(1);
        let size = widest.max(self.strip.target.vector_bytes / self.strip.group);
        let active = match self.active {
            Some((known, regs)) if !together => self.resize_mask(regs, known, size),
            Some(_) | None => Regs::uniform(self.emit(RegType::Mask(size), Inst::Const(1))),
        };
        let masks = if together { 0 } else { self.count(size) };
        let mut first: Vec<Reg> = (0..masks).map(|k| active.get(k)).collect();
        for (x, (_, mask_size, uniform)) in initial.iter().zip(&held) {
            first.extend(self.spread(*x, *mask_size, *uniform));
        }
        for k in &apart {
            first.extend(self.spread(initial[*k], None, false));
        }

        let (mut block, (also, carried, results)) = self.region(|this| {
            let active = Regs::collect((0..masks).map(|_| this.reg(RegType::Mask(size))));
            if !together {
                this.active = Some((size, active));
            }
            let mut carried = active.as_slice().to_vec();
            carried.extend(this.results(&held));
            let ends: Vec<Vec<Reg>> = apart.iter().map(|k| this.fresh(graph.dtype(held[*k].0))).collect();
            carried.extend(ends.iter().flatten());
            this.block(body);
            let (also, mut results) = this.goes_on(*again, active, size);
            for (k, (&(known, mask_size, uniform), x)) in held.iter().zip(next).enumerate() {
                let new = this.spread(*x, mask_size, uniform);
                // Where nobody asks at the end, a lane that is off may hold anything.
                if together || part(k).is_none() || apart.contains(&k) {
                    results.extend(new);
                    continue;
                }
                let old = this.spread(known, mask_size, uniform);
                let reg_type = mask_size.map_or(RegType::Vector(graph.dtype(known)), RegType::Mask);
                let mask = this.resize_mask(active, size, reg_type.size());
                for (k, (new, old)) in new.into_iter().zip(old).enumerate() {
                    results.push(this.choose(reg_type, mask.get(k), new, old));
                }
            }
            for (k, old) in apart.iter().zip(&ends) {
                let reg_type = RegType::Vector(graph.dtype(held[*k].0));
                let new = this.spread(next[*k], None, false);
                let mask = this.resize_mask(active, size, reg_type.size());
                for (j, (new, old)) in new.into_iter().zip(old).enumerate() {
                    results.push(this.choose(reg_type, mask.get(j), new, *old));
                }
            }
            (also, carried, results)
        });
        self.loops -= 1;
        block.results = results;
        let mut results: Vec<Reg> = (0..masks).map(|_| self.reg(RegType::Mask(size))).collect();
        for (k, &(x, mask_size, uniform)) in held.iter().enumerate() {
            // A part that nobody needs still has its registers, for the loop gives all that it carries.
            match part(k).filter(|_| !apart.contains(&k)) {
                Some(part) => results.extend(self.results(&[(part, mask_size, uniform)])),
                None => {
                    let reg_type = mask_size.map_or(RegType::Vector(graph.dtype(x)), RegType::Mask);
                    let count = if uniform { 1 } else { self.count(reg_type.size()) };
                    results.extend((0..count).map(|_| self.reg(reg_type)));
                }
            }
        }
        for k in &apart {
            let part = part(*k).expect("what ends apart is asked for");
            results.extend(self.results(&[(part, None, false)]));
        }
        self.strip.counts_turns |= counted;
        let mut inst = Inst::Repeat { initial: first, carried, masks, also, body: block, results, counted };
        let (mut types, registers) = (std::mem::take(&mut self.strip.types), self.strip.target.registers);
        recur::run(&mut inst, self.current(), &mut types, registers);
        order::by_turn(&mut inst);
        self.strip.types = types;
        self.current().insts.push((None, inst));
    }

    /// Registers for a varying number.
    fn fresh(&mut self, dtype: DType) -> Vec<Reg> {
        (0..self.count(dtype.size())).map(|_| self.reg(RegType::Vector(dtype))).collect()
    }

    /// The lanes that go on with a loop, and what is the same for all of them, so that it need not be in the masks: where it does
    /// not hold there is no next turn.
    fn goes_on(&mut self, again: Value, active: Regs, size: usize) -> (Option<Reg>, Vec<Reg>) {
        let (same, varying) = self.conditions(again);
        let same_size = self.common_mask_size(&same);
        let same: Vec<Reg> = same.into_iter().map(|x| self.mask(x, same_size).get(0)).collect();
        let and =
            |this: &mut Self, x: Reg, y: Reg| this.emit(RegType::Mask(same_size), Inst::Apply(Op::And, [x, y, x]));
        let also = same.into_iter().reduce(|x, y| and(self, x, y));
        let mut on = active;
        for x in varying {
            let goes = self.mask(x, size);
            on = self.each(RegType::Mask(size), &[on, goes], |x| Inst::Apply(Op::And, x));
        }
        (also, on.as_slice().to_vec())
    }

    /// Values that are all on where a condition is: those that are the same for all elements, and the others.
    fn conditions(&self, condition: Value) -> (Vec<Value>, Vec<Value>) {
        let (mut same, mut varying, mut open) = (Vec::new(), Vec::new(), vec![condition]);
        while let Some(x) = open.pop() {
            match self.stage.graph.node(x) {
                _ if !self.measure.varying[x.index()] => same.push(x),
                Node::Apply(Op::And, operands) if varying.len() + open.len() < MOST_CONDITIONS => {
                    open.extend(operands.iter().copied())
                }
                _ => varying.push(x),
            }
        }
        if same.is_empty() { (same, vec![condition]) } else { (same, varying) }
    }

    /// Makes what a loop reads of arrays, scalars and constants before it, as far as there may be registers.
    fn hold_leaves(&mut self, body: BlockId) {
        let mut leaves = Vec::new();
        self.leaves(body, &mut leaves);
        let mut left = self.strip.target.registers / 2;
        for value in leaves {
            let held = &self.held[value.index()];
            if held.vector.is_some() || self.stage.graph.dtype(value) == DType::Bool {
                continue;
            }
            let registers =
                if self.measure.varying[value.index()] { self.count(self.stage.graph.dtype(value).size()) } else { 1 };
            if registers > left {
                continue;
            }
            left -= registers;
            let (dtype, node) = (self.stage.graph.dtype(value), self.stage.graph.node(value).clone());
            let regs = self.placed(value, |this| this.leaf(&node, dtype));
            self.hold_vector(value, regs);
        }
    }

    /// The leaves that a block's values are computed from, innermost loops first.
    fn leaves(&self, block: BlockId, leaves: &mut Vec<Value>) {
        let graph = &self.stage.graph;
        let visit = |x: Value, leaves: &mut Vec<Value>| {
            if is_leaf(graph.node(x)) && !leaves.contains(&x) && leaves.len() < 64 {
                leaves.push(x);
            }
        };
        for &value in graph.block(block).values.iter().filter(|x| self.measure.live[x.index()]) {
            let node = graph.node(value);
            if let Some(body) = node.body() {
                self.leaves(body, leaves);
            }
            // A count of a shift is part of the instruction.
            let shifts =
                matches!(node, Node::Apply(Op::Shl | Op::Shr, operands) if graph.constant(operands[1]).is_some());
            let mut first = true;
            node.operands(|x| {
                if first || !shifts {
                    visit(x, leaves);
                }
                first = false;
            });
        }
        graph.block(block).results.iter().for_each(|x| visit(*x, leaves));
    }

    /// Stores stand last, behind the loads of what is no more than copied too, so that an output may lie where an input did.
    fn stores(&mut self) {
        let (outputs, first) = (&self.stage.graph.outputs, self.strip.inputs.len());
        let (folded, written): (Vec<usize>, Vec<usize>) = (0..outputs.len()).partition(|slot| self.strip.folds[*slot]);
        for slot in folded {
            let fold = self.stage.folds[slot - self.stage.outputs.len()].expect("accumulators are of a fold");
            self.fold((first + slot) as u32, fold, self.strip.outputs[slot], outputs[slot].value);
        }
        let stored: Vec<(usize, (DType, Regs))> =
            written.into_iter().map(|slot| (slot, self.stored(outputs[slot].value))).collect();
        for (slot, (dtype, regs)) in stored {
            let array = (first + slot) as u32;
            let (count, lanes, bytes) = self.parts(dtype.size());
            for k in 0..count {
                let store = Inst::Store { array, offset: k as u32 * lanes, bytes, value: regs.get(k) };
                self.current().insts.push((None, store));
            }
        }
    }

    /// The registers of a value as an array holds it.
    fn stored(&mut self, value: Value) -> (DType, Regs) {
        let dtype = self.stage.graph.dtype(value);
        let regs = match dtype {
            DType::Bool => {
                let masks = self.mask(value, 1);
                let one = Regs::uniform(self.emit(RegType::Vector(DType::U8), Inst::Const(1)));
                let bytes = self.each(RegType::Vector(DType::U8), &[masks], |x| Inst::Bitcast(x[0]));
                self.each(RegType::Vector(DType::U8), &[bytes, one], |x| Inst::Apply(Op::And, x))
            }
            _ => self.vector(value),
        };
        (dtype, regs)
    }
}

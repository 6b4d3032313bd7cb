//! Regions of a stage that few elements want to routines: what is wanted at several places, and by each vector of a group, is
//! compiled once.

use std::collections::HashSet;
use std::ops::Range;

use super::measure::is_leaf;
use super::vectorise::{Part, Regs, Vectoriser};
use super::{Inst, Reg, RegType, Routine, dead, order, share};
use crate::dtype::DType;
use crate::ir::{BlockId, Node, Value};

/// Ops of a region from which on a routine pays: entering one takes about as many.
const FEWEST_OPS: usize = 24;

/// Ops that a routine has at most: what is compiled fast keeps on the stack most of what it computes.
const MOST_OPS: usize = 1000;

/// Results of an instruction at most: all of them are in registers, and all but one of what they replace in others.
const MOST_RESULTS: usize = 8;

/// How many of these are masks, for which a machine has few registers.
const MOST_MASKS: usize = 3;

/// So many routines are looked at for one that is the same.
const LAST: usize = 64;

/// A region that may be a routine.
pub(super) struct Rare {
    /// What it reads of what stands before it, constants left out.
    outside: Vec<Value>,
    /// Bytes of the narrowest of its varying numbers.
    narrowest: usize,
}

/// A walk over a region.
struct Walk {
    inside: HashSet<Value>,
    known: HashSet<Value>,
    rare: Rare,
    ops: usize,
}

/// What one of several calls takes of a value.
fn of_call(regs: &Regs, calls: usize, call: usize) -> &[Reg] {
    if regs.is_uniform() { regs.as_slice() } else { share(regs.as_slice(), calls, call) }
}

impl Vectoriser<'_> {
    /// The region as one that may be a routine, if that pays. `parts` is what it gives.
    pub(super) fn rare(&self, body: BlockId, parts: &[Part]) -> Option<Rare> {
        if self.is_routine {
            return None;
        }
        let rare = Rare { outside: Vec::new(), narrowest: 8 };
        let mut walk = Walk { inside: HashSet::new(), known: HashSet::new(), rare, ops: 0 };
        if !self.walk(body, &mut walk) || walk.ops < FEWEST_OPS {
            return None;
        }
        parts.iter().for_each(|part| self.reads(part.otherwise, &mut walk));
        let rare = walk.rare;
        let graph = &self.stage.graph;
        // Its masks have a byte an element, which may be less than the region's registers are made for.
        let is_array_of_bools = |x: &Value| is_leaf(graph.node(*x)) && graph.dtype(*x) == DType::Bool;
        if rare.outside.iter().any(is_array_of_bools) {
            return None;
        }
        let is_wide = |part: &Part| part.reg_type.size() >= rare.narrowest;
        let (results, masks) = self.results_of_call(parts, self.count(rare.narrowest));
        let is_small = results <= MOST_RESULTS && masks <= MOST_MASKS;
        (is_small && parts.iter().all(is_wide)).then_some(rare)
    }

    /// How many results one of several calls has, and how many of them are masks.
    fn results_of_call(&self, parts: &[Part], calls: usize) -> (usize, usize) {
        let count = |part: &Part| self.count(part.reg_type.size()) / calls;
        let masks = parts.iter().filter(|part| part.mask_size().is_some());
        (parts.iter().map(count).sum(), masks.map(count).sum())
    }

    /// Whether a region counts no turns and has few ops.
    fn walk(&self, block: BlockId, walk: &mut Walk) -> bool {
        let graph = &self.stage.graph;
        let block = graph.block(block);
        for &value in block.values.iter().filter(|x| self.measure.live[x.index()]) {
            let node = graph.node(value);
            if is_leaf(node) {
                continue;
            }
            walk.inside.insert(value);
            self.see(value, walk);
            walk.ops += 1;
            if walk.ops > MOST_OPS || matches!(node, Node::Repeat { turns: Some(_), .. }) {
                return false;
            }
            node.operands(|x| self.reads(x, walk));
            if node.body().is_some_and(|body| !self.walk(body, walk)) {
                return false;
            }
        }
        block.results.iter().for_each(|x| self.reads(*x, walk));
        true
    }

    fn reads(&self, x: Value, walk: &mut Walk) {
        let is_constant = matches!(self.stage.graph.node(x), Node::Const(_));
        if !is_constant && !walk.inside.contains(&x) && walk.known.insert(x) {
            self.see(x, walk);
            walk.rare.outside.push(x);
        }
    }

    fn see(&self, x: Value, walk: &mut Walk) {
        let dtype = self.dtype(x);
        if self.measure.varying[x.index()] && dtype != DType::Bool {
            walk.rare.narrowest = walk.rare.narrowest.min(dtype.size());
        }
    }

    /// Makes the region a routine and enters it with each vector of the narrowest dtype that it has, where a lane of `wanted`,
    /// masks of `size`, is on. `otherwise` are the registers of what its parts are elsewhere.
    pub(super) fn enter(
        &mut self,
        rare: Rare,
        body: BlockId,
        parts: &[Part],
        (size, wanted): (usize, Regs),
        otherwise: &[Vec<Reg>],
    ) {
        let calls = self.count(rare.narrowest);
        let wide = size.max(rare.narrowest);
        let wanted = self.resize_mask(wanted, size, wide);
        let mut given = vec![(RegType::Mask(wide), wanted)];
        for &x in &rare.outside {
            given.push(self.given(x, rare.narrowest));
        }
        let (routine, needed) = self.routine(&rare, body, parts, &given, calls);
        let number = self.number(routine);
        let results: Vec<Vec<Reg>> =
            parts.iter().map(|part| self.results(&[(part.value, part.mask_size(), false)])).collect();
        let inputs_of = |call: usize| {
            let regs = given.iter().flat_map(move |(_, regs)| of_call(regs, calls, call));
            regs.zip(&needed).filter_map(|(reg, is_needed)| is_needed.then_some(*reg))
        };
        let parts_of = |regs: &[Vec<Reg>], here: &Range<usize>| {
            let of_call = |call: usize| regs.iter().flat_map(move |regs| share(regs, calls, call));
            here.clone().flat_map(of_call).copied().collect()
        };
        let (all, masks) = self.results_of_call(parts, calls);
        let together = (MOST_RESULTS / all.max(1)).min(MOST_MASKS / masks.max(1)).max(1);
        for first in (0..calls).step_by(together) {
            let here = first..calls.min(first + together);
            let inst = Inst::Enter {
                routine: number,
                calls: here.len(),
                masks: here.clone().flat_map(|call| of_call(&wanted, calls, call)).copied().collect(),
                inputs: here.clone().flat_map(inputs_of).collect(),
                otherwise: parts_of(otherwise, &here),
                results: parts_of(&results, &here),
            };
            self.current().insts.push((None, inst));
        }
    }

    /// A value as a routine is given it: masks are no narrower than the routine's numbers.
    fn given(&mut self, x: Value, narrowest: usize) -> (RegType, Regs) {
        match self.dtype(x) {
            DType::Bool => {
                let size = self.mask_size(x).unwrap_or(narrowest).max(narrowest);
                (RegType::Mask(size), self.mask(x, size))
            }
            dtype => (RegType::Vector(dtype), self.vector(x)),
        }
    }

    /// The region for the vectors of one call, and which of its inputs it needs.
    fn routine(
        &mut self,
        rare: &Rare,
        body: BlockId,
        parts: &[Part],
        given: &[(RegType, Regs)],
        calls: usize,
    ) -> (Routine, Vec<bool>) {
        let held: Vec<_> = rare.outside.iter().map(|x| std::mem::take(&mut self.held[x.index()])).collect();
        let types = std::mem::take(&mut self.strip.types);
        let group = self.strip.group;
        self.strip.group /= calls;
        self.is_routine = true;
        let inside = given.iter().map(|(reg_type, regs)| {
            let each = of_call(regs, calls, 0).iter();
            regs.like(each.map(|_| self.reg(*reg_type)))
        });
        let inside: Vec<Regs> = inside.collect();
        let (mut block, results) = self.region(|this| {
            for (x, ((reg_type, _), regs)) in rare.outside.iter().zip(given.iter().zip(&inside).skip(1)) {
                match reg_type {
                    RegType::Vector(_) => this.hold_vector(*x, *regs),
                    RegType::Mask(size) => this.hold_mask(*x, *size, *regs),
                }
            }
            let wanted = (given[0].0.size(), inside[0]);
            this.active = Some(wanted);
            this.block(body);
            let otherwise: Vec<Vec<Reg>> =
                parts.iter().map(|part| this.spread(part.otherwise, part.mask_size(), false)).collect();
            this.chosen(body, parts, wanted, &otherwise)
        });
        let counts: Vec<usize> = parts.iter().map(|part| self.count(part.reg_type.size())).collect();
        block.results = results;
        let block = order::by_result(block, &counts);
        self.is_routine = false;
        self.strip.group = group;
        let types = std::mem::replace(&mut self.strip.types, types);
        for (x, held) in rare.outside.iter().zip(held) {
            self.held[x.index()] = held;
        }
        let params = inside.iter().flat_map(|regs| regs.as_slice()).copied().collect();
        let mut routine = Routine { types, params, body: block };
        let needed = dead::in_routine(&mut routine);
        (routine, needed)
    }

    /// Which routine of the strip is the same, with a new one if none is.
    fn number(&mut self, routine: Routine) -> u32 {
        let routines = &mut self.strip.routines;
        let known = routines.iter().enumerate().rev().take(LAST).find(|(_, known)| **known == routine);
        known.map(|(number, _)| number).unwrap_or_else(|| {
            routines.push(routine);
            routines.len() - 1
        }) as u32
    }
}

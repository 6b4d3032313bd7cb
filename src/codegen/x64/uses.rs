//! A strip to what decides how its registers are held: which are the same, who reads them, and whether close by.

use crate::ir::Op;
use crate::strip::{Block, Inst, Reg, RegType};

/// What is known of one register of a strip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The register that holds the same bits, itself or one that stands before.
    pub(super) root: Reg,
    /// How often this register and its copies are read.
    pub(super) uses: u32,
    /// How many of these read the lower or the upper half alone, each by itself.
    pub(super) halves: u32,
    /// How many of these are an operand of `fma`.
    pub(super) fused: u32,
    /// Whether all of these stand in the block of the definition.
    pub(super) is_local: bool,
    /// Whether no store of elements of the size stands between. Others cannot write what was loaded: an output is apart from
    /// every input, or is one of them, of its dtype.
    pub(super) is_undisturbed: bool,
    /// The block of the definition, and how many such stores stood before.
    home: (u32, u32),
}

/// How an instruction reads a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Whole,
    Half,
    Fused,
}

/// The facts of every register; `blocks` come one after the other.
pub(super) fn find(types: &[RegType], blocks: &[&Block]) -> Vec<Fact> {
    let unknown = |k: usize| Fact {
        root: Reg(k as u32),
        uses: 0,
        halves: 0,
        fused: 0,
        is_local: true,
        is_undisturbed: true,
        home: (0, 0),
    };
    let facts = (0..types.len()).map(unknown).collect();
    let mut finder = Finder { types, facts, blocks: 0, stores: [0; 9] };
    blocks.iter().for_each(|block| finder.block(block));
    finder.facts
}

/// Calls `visit` for every register that the instruction reads; of a region, outside of its body.
pub(super) fn each_use(inst: &Inst, mut visit: impl FnMut(Reg, Use)) {
    match inst {
        Inst::Const(_) | Inst::Scalar(_) | Inst::Load { .. } | Inst::Recall { .. } => {}
        Inst::Store { value: x, .. }
        | Inst::Keep { value: x, .. }
        | Inst::Shift(_, x, _)
        | Inst::Bitcast(x)
        | Inst::ToF32(x) => visit(*x, Use::Whole),
        Inst::WidenLow(x) | Inst::WidenHigh(x) | Inst::ToF64Low(x) | Inst::ToF64High(x) => visit(*x, Use::Half),
        Inst::Apply(op, operands) => {
            let how = if *op == Op::Fma { Use::Fused } else { Use::Whole };
            operands[..op.arity()].iter().for_each(|x| visit(*x, how));
        }
        Inst::Narrow(x, y) | Inst::Lookup(_, x, y) | Inst::Gather(_, x, y) => {
            visit(*x, Use::Whole);
            y.iter().for_each(|y| visit(*y, Use::Whole));
        }
        Inst::When { masks, otherwise, .. } => masks.iter().chain(otherwise).for_each(|x| visit(*x, Use::Whole)),
        Inst::Enter { masks, inputs, otherwise, .. } => {
            masks.iter().chain(otherwise).chain(inputs).for_each(|x| visit(*x, Use::Whole));
        }
        Inst::Repeat { initial, .. } => initial.iter().for_each(|x| visit(*x, Use::Whole)),
    }
}

struct Finder<'a> {
    types: &'a [RegType],
    facts: Vec<Fact>,
    /// Blocks met so far, and stores of elements of each size.
    blocks: u32,
    stores: [u32; 9],
}

impl Finder<'_> {
    fn block(&mut self, block: &Block) {
        let number = self.blocks;
        self.blocks += 1;
        for (reg, inst) in &block.insts {
            each_use(inst, |x, how| self.reads(x, how, number));
            reg.iter().for_each(|reg| self.defines(*reg, number));
            match inst {
                Inst::Bitcast(x) => {
                    let reg = reg.expect("a copy has a name");
                    let root = self.facts[x.index()].root;
                    self.facts[reg.index()].root = root;
                    // What counts is who reads the copy.
                    self.facts[root.index()].uses -= 1;
                }
                Inst::Store { value, .. } => self.stores[self.types[value.index()].size()] += 1,
                Inst::When { body, results, .. } => {
                    self.block(body);
                    results.iter().for_each(|reg| self.defines(*reg, number));
                }
                Inst::Enter { results, .. } => results.iter().for_each(|reg| self.defines(*reg, number)),
                Inst::Repeat { carried, also, body, results, .. } => {
                    let inside = self.blocks;
                    carried.iter().for_each(|reg| self.defines(*reg, inside));
                    self.block(body);
                    also.iter().for_each(|reg| self.reads(*reg, Use::Whole, inside));
                    results.iter().for_each(|reg| self.defines(*reg, number));
                }
                _ => {}
            }
        }
        block.results.iter().for_each(|x| self.reads(*x, Use::Whole, number));
    }

    fn defines(&mut self, reg: Reg, block: u32) {
        self.facts[reg.index()].home = (block, self.stores_like(reg));
    }

    fn stores_like(&self, reg: Reg) -> u32 {
        self.stores[self.types[reg.index()].size()]
    }

    fn reads(&mut self, reg: Reg, how: Use, block: u32) {
        let root = self.facts[reg.index()].root;
        let stores = self.stores_like(root);
        let fact = &mut self.facts[root.index()];
        fact.uses += 1;
        fact.halves += u32::from(how == Use::Half);
        fact.fused += u32::from(how == Use::Fused);
        fact.is_local &= fact.home.0 == block;
        fact.is_undisturbed &= fact.home.1 == stores;
    }
}

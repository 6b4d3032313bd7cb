//! A strip to what decides how its registers are held: which are the same, who reads them, and whether close by.

use crate::strip::{Block, Inst, Reg, Strip};

/// What is known of one register of a strip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The register that holds the same bits, itself or one that stands before.
    pub(super) root: Reg,
    /// How often this register and its copies are read.
    pub(super) uses: u32,
    /// How many of these read the lower or the upper half alone, each by itself.
    pub(super) halves: u32,
    /// Whether all of these stand in the block of the definition, with no store between.
    pub(super) is_local: bool,
    /// The block of the definition, and how many stores stood before.
    home: (u32, u32),
}

/// How an instruction reads a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Whole,
    Half,
}

/// The facts of every register.
pub(super) fn find(strip: &Strip) -> Vec<Fact> {
    let unknown = |k: usize| Fact { root: Reg(k as u32), uses: 0, halves: 0, is_local: true, home: (0, 0) };
    let mut finder = Finder { facts: (0..strip.types.len()).map(unknown).collect(), blocks: 0, stores: 0 };
    finder.block(&strip.prologue);
    finder.block(&strip.body);
    finder.facts
}

/// Calls `visit` for every register that the instruction reads; of a region, outside of its body.
pub(super) fn each_use(inst: &Inst, mut visit: impl FnMut(Reg, Use)) {
    match inst {
        Inst::Const(_) | Inst::Scalar(_) | Inst::Load { .. } => {}
        Inst::Store { value: x, .. } | Inst::Shift(_, x, _) | Inst::Bitcast(x) | Inst::ToF32(x) => {
            visit(*x, Use::Whole)
        }
        Inst::WidenLow(x) | Inst::WidenHigh(x) | Inst::ToF64Low(x) | Inst::ToF64High(x) => visit(*x, Use::Half),
        Inst::Apply(op, operands) => operands[..op.arity()].iter().for_each(|x| visit(*x, Use::Whole)),
        Inst::Narrow(x, y) | Inst::Lookup(_, x, y) => {
            visit(*x, Use::Whole);
            y.iter().for_each(|y| visit(*y, Use::Whole));
        }
        Inst::When { masks, otherwise, .. } => masks.iter().chain(otherwise).for_each(|x| visit(*x, Use::Whole)),
        Inst::Repeat { initial, .. } => initial.iter().for_each(|x| visit(*x, Use::Whole)),
    }
}

struct Finder {
    facts: Vec<Fact>,
    /// Blocks and stores met so far.
    blocks: u32,
    stores: u32,
}

impl Finder {
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
                Inst::Store { .. } => self.stores += 1,
                Inst::When { body, results, .. } => {
                    self.block(body);
                    results.iter().for_each(|reg| self.defines(*reg, number));
                }
                Inst::Repeat { carried, body, results, .. } => {
                    let inside = self.blocks;
                    carried.iter().for_each(|reg| self.defines(*reg, inside));
                    self.block(body);
                    results.iter().for_each(|reg| self.defines(*reg, number));
                }
                _ => {}
            }
        }
        block.results.iter().for_each(|x| self.reads(*x, Use::Whole, number));
    }

    fn defines(&mut self, reg: Reg, block: u32) {
        self.facts[reg.index()].home = (block, self.stores);
    }

    fn reads(&mut self, reg: Reg, how: Use, block: u32) {
        let root = self.facts[reg.index()].root;
        let fact = &mut self.facts[root.index()];
        fact.uses += 1;
        fact.halves += u32::from(how == Use::Half);
        fact.is_local &= fact.home == (block, self.stores);
    }
}

//! A strip to what decides how its registers are held: which are the same, who reads them, and whether close by.

use std::collections::HashMap;

use crate::ir::Op;
use crate::strip::{Block, Inst, Reg, RegType, Strip};

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
    /// Whether it is a constant, which is the same wherever it is made.
    is_constant: bool,
    /// The block of the definition, and how many such stores stood before.
    home: (u32, u32),
}

/// A region that is run rarely: it becomes a function apart, so that what it does takes no registers of those around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Apart {
    /// What it reads of what stands before it, and how: registers that are roots.
    pub(super) inputs: Vec<(Reg, Fact)>,
    /// The constants among what it reads.
    pub(super) constants: Vec<Reg>,
}

/// What is known of a strip.
pub(super) struct Facts {
    /// Of each register.
    pub(super) regs: Vec<Fact>,
    /// Of each `when`, in their order, whether it is apart. Those within one that is are not told of.
    pub(super) whens: Vec<Option<Apart>>,
}

/// How an instruction reads a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Whole,
    Half,
    Fused,
}

/// Instructions of a region from which on it is worth to be apart: entering one costs about as many.
const MANY: usize = 64;

/// Results of a region that is apart at most: all of them are in registers, and all but one of what they overwrite in others.
const MOST_RESULTS: usize = 8;

/// How many of these are masks, for which there are seven registers; one has what is asked.
const MOST_MASKS: usize = 3;

/// The facts of every register.
pub(super) fn find(strip: &Strip) -> Facts {
    let unknown = |k: usize| Fact {
        root: Reg(k as u32),
        uses: 0,
        halves: 0,
        fused: 0,
        is_local: true,
        is_undisturbed: true,
        is_constant: false,
        home: (0, 0),
    };
    let facts = (0..strip.types.len()).map(unknown).collect();
    let mut large = Vec::new();
    for block in [&strip.prologue, &strip.body] {
        measure(strip, block, &mut large);
    }
    let large = large.into_iter();
    let mut finder = Finder { strip, facts, blocks: 0, stores: [0; 9], large, whens: Vec::new(), apart: None };
    finder.block(&strip.prologue);
    finder.block(&strip.body);
    Facts { regs: finder.facts, whens: finder.whens }
}

/// Of each `when` whether it may be apart; gives how many instructions the block has, and whether its turns are counted.
fn measure(strip: &Strip, block: &Block, whens: &mut Vec<bool>) -> (usize, bool) {
    let (mut count, mut counts_turns) = (0, false);
    for (_, inst) in &block.insts {
        count += 1;
        let inside = match inst {
            Inst::When { body, results, .. } => {
                let place = whens.len();
                whens.push(false);
                let inside = measure(strip, body, whens);
                let masks = results.iter().filter(|reg| matches!(strip.reg_type(**reg), RegType::Mask(_)));
                let are_few = results.len() <= MOST_RESULTS && masks.count() <= MOST_MASKS;
                whens[place] = inside.0 >= MANY && !inside.1 && are_few;
                inside
            }
            Inst::Repeat { body, counted, .. } => {
                let inside = measure(strip, body, whens);
                (inside.0, inside.1 || *counted)
            }
            _ => (0, false),
        };
        count += inside.0;
        counts_turns |= inside.1;
    }
    (count, counts_turns)
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
        Inst::Repeat { initial, .. } => initial.iter().for_each(|x| visit(*x, Use::Whole)),
    }
}

struct Finder<'a> {
    strip: &'a Strip,
    facts: Vec<Fact>,
    /// Blocks met so far, and stores of elements of each size.
    blocks: u32,
    stores: [u32; 9],
    /// Of each `when` yet to come whether it may be apart.
    large: std::vec::IntoIter<bool>,
    whens: Vec<Option<Apart>>,
    /// Inside a region apart its first block, and what it reads of what stands before it.
    apart: Option<(u32, HashMap<Reg, Fact>)>,
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
                    self.fact(root).uses -= 1;
                }
                Inst::Const(_) => {
                    let reg = reg.expect("a constant has a name");
                    self.facts[reg.index()].is_constant = true;
                }
                Inst::Store { value, .. } => self.stores[self.strip.reg_type(*value).size()] += 1,
                Inst::When { body, results, .. } => {
                    self.region(body, number);
                    results.iter().for_each(|reg| self.defines(*reg, number));
                }
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

    fn region(&mut self, body: &Block, number: u32) {
        let is_large = self.large.next().expect("every region was measured");
        if self.apart.is_some() {
            return self.block(body);
        }
        if !is_large {
            self.whens.push(None);
            return self.block(body);
        }
        let place = self.whens.len();
        self.apart = Some((self.blocks, HashMap::new()));
        self.block(body);
        let (_, read) = self.apart.take().expect("a region is open");
        let mut read: Vec<(Reg, Fact)> = read.into_iter().collect();
        read.sort_unstable_by_key(|(reg, _)| *reg);
        let (constants, inputs): (Vec<_>, Vec<_>) = read.into_iter().partition(|(_, fact)| fact.is_constant);
        inputs.iter().for_each(|(reg, _)| self.reads(*reg, Use::Whole, number));
        let constants = constants.into_iter().map(|(reg, _)| reg).collect();
        self.whens.insert(place, Some(Apart { inputs, constants }));
    }

    /// What is known of a root here: inside a region apart, what that knows of it.
    fn fact(&mut self, root: Reg) -> &mut Fact {
        let outside = &mut self.facts[root.index()];
        match &mut self.apart {
            Some((first, read)) if outside.home.0 < *first => read.entry(root).or_insert(Fact {
                uses: 0,
                halves: 0,
                fused: 0,
                is_local: true,
                is_undisturbed: true,
                home: (*first, outside.home.1),
                ..*outside
            }),
            _ => outside,
        }
    }

    fn defines(&mut self, reg: Reg, block: u32) {
        self.facts[reg.index()].home = (block, self.stores_like(reg));
    }

    fn stores_like(&self, reg: Reg) -> u32 {
        self.stores[self.strip.reg_type(reg).size()]
    }

    fn reads(&mut self, reg: Reg, how: Use, block: u32) {
        let root = self.facts[reg.index()].root;
        let stores = self.stores_like(root);
        let fact = self.fact(root);
        fact.uses += 1;
        fact.halves += u32::from(how == Use::Half);
        fact.fused += u32::from(how == Use::Fused);
        fact.is_local &= fact.home.0 == block;
        fact.is_undisturbed &= fact.home.1 == stores;
    }
}

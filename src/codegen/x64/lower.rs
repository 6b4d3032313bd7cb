//! Strip to machine instructions: each register of the strip becomes one of the function, a constant, or a place in memory.

use regalloc2::{Block, Operand, VReg};
use smallvec::{SmallVec, smallvec};

use super::function::{Address, Function, Kind, MASKS};
use super::opcode::{Opcode, Shape, Width};
use super::uses::{self, Fact};
use super::{apply, data::Data, select};
use crate::dtype::DType;
use crate::ir::Op;
use crate::strip::{self, Inst, Reg, RegType, Routine, Strip};

/// An operand, before it has a register.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Register(VReg),
    Memory(Address),
    /// These 8 bytes again and again.
    Constant(u64),
    /// Floats in a register with the other sign, for `fma` alone.
    Negative(VReg),
    /// A bit for each lane of so many bytes, and zeros above them: masks, where vectors are of 512 bits.
    Mask(VReg, u8),
}

/// The function and what stands behind its code.
pub(super) struct Lowered {
    pub(super) function: Function,
    pub(super) routines: Vec<RoutineFunction>,
    pub(super) data: Vec<u8>,
}

/// A routine as a function, which finds its inputs in memory and leaves its results there.
pub(super) struct RoutineFunction {
    pub(super) function: Function,
    pub(super) inputs: usize,
    pub(super) results: usize,
}

pub(super) struct Lowerer<'a> {
    strip: &'a Strip,
    pub(super) width: Width,
    /// Of the strip's registers, or of those of the routine that is lowered.
    types: &'a [RegType],
    function: Function,
    data: Data,
    facts: Vec<Fact>,
    /// How often each register will be read yet.
    left: Vec<u32>,
    held: Vec<Option<Source>>,
    /// The bits, as often as 8 bytes have room for them, of what is a constant.
    constants: Vec<Option<u64>>,
    /// Where each table begins.
    tables: &'a [u32],
    /// The accumulators, and the register that has each.
    kept: Vec<(InPlace, VReg)>,
}

/// Accumulators of a register in an array that stays in place.
#[derive(Clone, Copy)]
struct InPlace {
    array: u32,
    /// In bytes, as `bytes`.
    offset: i32,
    bytes: u32,
}

pub(super) fn lower(strip: &Strip, width: Width) -> Lowered {
    assert_eq!(strip.target.vector_bytes, width.bytes(), "the strip is for vectors of this width");
    let mut data = Data::new(width);
    let tables: Vec<u32> = strip.tables.iter().map(|table| data.table(&table.elements)).collect();
    let mut lower = |types: &[RegType], blocks: &[&strip::Block], fill: &dyn Fn(&mut Lowerer<'_>)| {
        let facts = uses::find(types, blocks);
        let mut lowerer = Lowerer {
            strip,
            width,
            types,
            function: Function::new(width, types.len() * 5 / 4 + 16),
            data: std::mem::replace(&mut data, Data::new(width)),
            left: facts.iter().map(|fact| fact.uses).collect(),
            facts,
            held: vec![None; types.len()],
            constants: vec![None; types.len()],
            tables: &tables,
            kept: Vec::new(),
        };
        fill(&mut lowerer);
        lowerer.function.link();
        data = lowerer.data;
        lowerer.function
    };
    let function = lower(&strip.types, &[&strip.prologue, &strip.body], &|lowerer| lowerer.function());
    let routines = strip.routines.iter().map(|routine| RoutineFunction {
        function: lower(&routine.types, &[&routine.body], &|lowerer| lowerer.routine(routine)),
        inputs: routine.params.len(),
        results: routine.body.results.len(),
    });
    let routines = routines.collect();
    Lowered { function, routines, data: data.bytes }
}

impl Lowerer<'_> {
    pub(super) fn reg_type(&self, reg: Reg) -> RegType {
        self.types[reg.index()]
    }

    fn function(&mut self) {
        let strip = self.strip;
        self.function.open(Vec::new());
        self.block(&strip.prologue);
        if strip.counts_turns {
            self.function.push(Kind::KeepTurns, Address::None, &[]);
        }
        let (first, recalled) = self.recall();
        let head = self.next_block(0);
        self.function.end(Kind::Goto(head), &[], first);
        self.function.open(recalled);
        if strip.counts_turns {
            self.function.push(Kind::RestoreTurns, Address::None, &[]);
        }
        self.block(&strip.body);
        let kept: Vec<VReg> = self.kept.iter().map(|(_, value)| *value).collect();
        let (again, out) = (self.next_block(0), self.next_block(1));
        self.function.end(Kind::NextGroup(again, out), &[], Vec::new());
        self.function.open(Vec::new());
        self.function.end(Kind::Goto(head), &[], kept);
        self.function.open(Vec::new());
        for (place, value) in std::mem::take(&mut self.kept) {
            let address = Address::InPlace { slot: place.array, offset: place.offset };
            self.function.push(storing(place.bytes, self.width), address, &[Operand::reg_use(value)]);
        }
        self.function.end(Kind::Return, &[], Vec::new());
    }

    fn routine(&mut self, routine: &Routine) {
        self.function.open(Vec::new());
        for (k, reg) in routine.params.iter().enumerate() {
            let address = Address::Input(k as u32);
            let source = match self.mask_size(*reg) {
                Some(size) => {
                    let mask = self.function.mask_register();
                    self.function.push(Kind::Vector(Opcode::MaskMove, None), address, &[Operand::reg_def(mask)]);
                    Source::Mask(mask, size)
                }
                None if self.facts[reg.index()].uses > 2 => Source::Register(self.register(Source::Memory(address))),
                None => Source::Memory(address),
            };
            self.held[reg.index()] = Some(source);
        }
        self.block(&routine.body);
        let results = self.values(&routine.body.results);
        for (k, result) in results.into_iter().enumerate() {
            let place = Address::Result(k as u32);
            let store = if result.class() == MASKS { Opcode::MaskStore } else { Opcode::Store };
            self.function.push(Kind::Vector(store, None), place, &[Operand::reg_use(result)]);
        }
        self.function.end(Kind::Return, &[], Vec::new());
    }

    /// The accumulators as they are before the first group, and the registers that the loop has them in.
    fn recall(&mut self) -> (Vec<VReg>, Vec<VReg>) {
        let strip = self.strip;
        let (mut first, mut recalled) = (Vec::new(), Vec::new());
        for (reg, inst) in &strip.body.insts {
            let Inst::Keep { array, offset, bytes, value } = inst else { continue };
            let size = strip.reg_type(*value).size();
            let place = InPlace { array: *array, offset: (*offset as usize * size) as i32, bytes: *bytes };
            let address = Address::InPlace { slot: place.array, offset: place.offset };
            first.push(self.load(loading(place.bytes, self.width), address));
            let register = self.function.register();
            recalled.push(register);
            // Until it is kept anew.
            self.kept.push((place, register));
            debug_assert!(reg.is_none(), "what is kept has no other name");
        }
        (first, recalled)
    }

    /// Which of the accumulators that are kept this one is.
    fn kept_at(&mut self, array: u32, offset: u32, size: usize) -> &mut VReg {
        let offset = (offset as usize * size) as i32;
        let found = self.kept.iter_mut().find(|(place, _)| place.array == array && place.offset == offset);
        &mut found.expect("what is recalled is kept").1
    }

    /// The block that will be opened after `more` others.
    fn next_block(&self, more: usize) -> Block {
        Block::new(self.function.blocks.len() + more)
    }

    fn block(&mut self, block: &strip::Block) {
        for (reg, inst) in &block.insts {
            uses::each_use(inst, |x, _| {
                let root = self.facts[x.index()].root;
                if !matches!(inst, Inst::Bitcast(_)) {
                    self.left[root.index()] -= 1;
                }
            });
            match inst {
                Inst::When { masks, body, otherwise, results } => self.when(masks, body, otherwise, results),
                Inst::Enter { routine, calls, masks, inputs, otherwise, results } => {
                    self.enter((*routine, *calls), masks, inputs, otherwise, results);
                }
                Inst::Repeat { initial, carried, masks, also, body, results, counted } => {
                    if *counted {
                        self.function.push(Kind::BeginLoop, Address::None, &[]);
                    }
                    self.repeat((initial, carried), (*masks, *also), body, results, *counted);
                }
                Inst::Store { array, offset, bytes, value } => self.store(*array, *offset, *bytes, *value),
                Inst::Keep { array, offset, value, .. } => {
                    let register = self.value(*value);
                    *self.kept_at(*array, *offset, self.reg_type(*value).size()) = register;
                }
                // A copy is read under the name of what it is a copy of.
                Inst::Bitcast(_) => {}
                inst => {
                    let reg = reg.expect("an instruction with a result names it");
                    let source = self.inst(reg, inst);
                    self.held[reg.index()] = Some(source);
                }
            }
        }
    }

    // -- operands --

    pub(super) fn source(&self, reg: Reg) -> Source {
        let root = self.facts[reg.index()].root;
        self.held[root.index()].expect("a register is written before it is read")
    }

    /// Whether the register is read in the block of its definition alone.
    pub(super) fn is_local(&self, reg: Reg) -> bool {
        let root = self.facts[reg.index()].root;
        self.facts[root.index()].is_local
    }

    /// Whether nothing reads the register any more, so that its place may be taken.
    pub(super) fn is_done(&self, reg: Reg) -> bool {
        let root = self.facts[reg.index()].root;
        self.left[root.index()] == 0
            && self.facts[root.index()].is_local
            && matches!(self.source(reg), Source::Register(_))
    }

    pub(super) fn register(&mut self, source: Source) -> VReg {
        match source {
            Source::Register(register) => register,
            Source::Memory(address) => self.load(Opcode::Load, address),
            Source::Negative(_) => panic!("a sign is turned where it is needed"),
            Source::Mask(mask, size) => {
                let result = self.function.register();
                let operands = [Operand::reg_def(result), Operand::reg_use(mask)];
                let spread =
                    select::of_size(size.into(), [Opcode::SpreadB, Opcode::SpreadW, Opcode::SpreadD, Opcode::SpreadQ]);
                self.function.push(Kind::Vector(spread, None), Address::None, &operands);
                result
            }
            // No memory is needed for all zeros and all ones.
            Source::Constant(0) => self.of_itself(Opcode::Xor, None),
            Source::Constant(u64::MAX) => match self.width {
                Width::Bits256 => self.of_itself(Opcode::EqD, None),
                Width::Bits512 => self.of_itself(Opcode::Ternary, Some(0xff)),
            },
            Source::Constant(bits) => {
                let address = Address::Data(self.data.constant(bits));
                self.load(Opcode::Load, address)
            }
        }
    }

    pub(super) fn value(&mut self, reg: Reg) -> VReg {
        let source = self.source(reg);
        self.register(source)
    }

    /// The size of its lanes, if the register is a mask that has a bit for each.
    fn mask_size(&self, reg: Reg) -> Option<u8> {
        match self.reg_type(reg) {
            RegType::Mask(size) if self.width == Width::Bits512 => Some(size as u8),
            _ => None,
        }
    }

    /// As a register of its own kind: what goes from block to block.
    fn carried(&mut self, reg: Reg) -> VReg {
        match self.mask_size(reg) {
            Some(size) => {
                let source = self.source(reg);
                self.mask(source, size)
            }
            None => self.value(reg),
        }
    }

    fn values(&mut self, regs: &[Reg]) -> Vec<VReg> {
        regs.iter().map(|reg| self.carried(*reg)).collect()
    }

    /// A new register of the kind that `reg` has.
    fn register_for(&mut self, reg: Reg) -> VReg {
        match self.mask_size(reg) {
            Some(_) => self.function.mask_register(),
            None => self.function.register(),
        }
    }

    fn hold(&mut self, reg: Reg, register: VReg) {
        let source = self.mask_size(reg).map_or(Source::Register(register), |size| Source::Mask(register, size));
        self.held[reg.index()] = Some(source);
    }

    /// A mask register with a bit for each lane.
    fn mask(&mut self, source: Source, size: u8) -> VReg {
        let opcode = match source {
            Source::Mask(mask, _) => return mask,
            Source::Constant(0) => Opcode::MaskXor,
            Source::Constant(_) => select::of_size(
                size.into(),
                [Opcode::MaskOnesQ, Opcode::MaskOnesD, Opcode::MaskOnesW, Opcode::MaskOnesB],
            ),
            Source::Register(_) | Source::Memory(_) | Source::Negative(_) => panic!("{source:?} is no mask"),
        };
        let result = self.function.mask_register();
        self.function.push(Kind::OfItself(opcode, None), Address::None, &[Operand::reg_def(result)]);
        result
    }

    /// An op on masks that have a bit for each lane.
    pub(super) fn on_masks(&mut self, op: Op, size: u8, x: Source, y: Source) -> Source {
        let x = self.mask(x, size);
        let opcode = match op {
            Op::Not => {
                let not = select::of_size(
                    size.into(),
                    [Opcode::MaskNotQ, Opcode::MaskNotD, Opcode::MaskNotW, Opcode::MaskNotB],
                );
                return Source::Mask(self.of_masks(not, None, &[x]), size);
            }
            Op::And => Opcode::MaskAnd,
            Op::Or => Opcode::MaskOr,
            Op::Xor => Opcode::MaskXor,
            _ => panic!("legalize leaves no {} of masks", op.name()),
        };
        let y = self.mask(y, size);
        Source::Mask(self.of_masks(opcode, None, &[x, y]), size)
    }

    fn of_masks(&mut self, opcode: Opcode, last_byte: Option<u8>, masks: &[VReg]) -> VReg {
        let result = self.function.mask_register();
        let mut operands: SmallVec<[Operand; 3]> = smallvec![Operand::reg_def(result)];
        operands.extend(masks.iter().map(|mask| Operand::reg_use(*mask)));
        self.function.push(Kind::Vector(opcode, last_byte), Address::None, &operands);
        result
    }

    /// The bits of two masks for lanes of `size` bytes, one behind the other, for lanes of half the size.
    fn joined_masks(&mut self, size: u8, low: VReg, high: VReg) -> VReg {
        let join =
            select::of_size(size.into(), [Opcode::MaskJoinB, Opcode::MaskJoinD, Opcode::MaskJoinW, Opcode::MaskJoinB]);
        self.of_masks(join, None, &[high, low])
    }

    /// Masks for lanes of another size: the first or second half of the lanes at twice the size, or two at half the size.
    fn resized(&mut self, inst: &Inst, size: u8) -> Option<Source> {
        let (Inst::WidenLow(x) | Inst::WidenHigh(x) | Inst::Narrow(x, _)) = inst else { return None };
        let from = self.mask_size(*x)?;
        let source = self.source(*x);
        let mask = self.mask(source, from);
        let result = match inst {
            Inst::WidenLow(_) => {
                let low = select::of_size(
                    from.into(),
                    [Opcode::MaskLowD, Opcode::MaskLowW, Opcode::MaskLowB, Opcode::MaskLowB],
                );
                self.of_masks(low, None, &[mask])
            }
            Inst::WidenHigh(_) => self.of_masks(Opcode::MaskShift, Some(64 / from / 2), &[mask]),
            Inst::Narrow(_, y) => {
                let high = match y {
                    Some(y) => {
                        let source = self.source(*y);
                        self.mask(source, from)
                    }
                    None => mask,
                };
                self.joined_masks(from, mask, high)
            }
            _ => return None,
        };
        Some(Source::Mask(result, size))
    }

    /// The last operand of an instruction, which may be in memory.
    fn last(&mut self, source: Source) -> (Address, Option<Operand>) {
        match source {
            Source::Mask(..) => (Address::None, Some(Operand::any_use(self.register(source)))),
            Source::Register(register) => (Address::None, Some(Operand::any_use(register))),
            Source::Memory(address) => (address, None),
            Source::Negative(_) => panic!("a sign is turned where it is needed"),
            Source::Constant(bits) => (Address::Data(self.data.constant(bits)), None),
        }
    }

    // -- instructions --

    fn load(&mut self, opcode: Opcode, address: Address) -> VReg {
        let result = self.function.register();
        self.function.push(Kind::Vector(opcode, None), address, &[Operand::reg_def(result)]);
        result
    }

    /// What comes of any register and itself.
    fn of_itself(&mut self, opcode: Opcode, last_byte: Option<u8>) -> VReg {
        let result = self.function.register();
        self.function.push(Kind::OfItself(opcode, last_byte), Address::None, &[Operand::reg_def(result)]);
        result
    }

    pub(super) fn unary(&mut self, opcode: Opcode, last_byte: Option<u8>, x: Source) -> Source {
        let result = self.function.register();
        let (address, operand) = self.last(x);
        let operands = [Some(Operand::reg_def(result)), operand];
        self.push(Kind::Vector(opcode, last_byte), address, &operands);
        Source::Register(result)
    }

    pub(super) fn binary(&mut self, opcode: Opcode, last_byte: Option<u8>, x: Source, y: Source) -> Source {
        let (x, y) = match (x, y) {
            (Source::Memory(_) | Source::Constant(_), Source::Register(_)) if opcode.is_commutative() => (y, x),
            _ => (x, y),
        };
        let x = self.register(x);
        let is_mask = self.width == Width::Bits512 && opcode.row().shape == Shape::Compare;
        let result = if is_mask { self.function.mask_register() } else { self.function.register() };
        let (address, y) = self.last(y);
        let operands = [Some(Operand::reg_def(result)), Some(Operand::reg_use(x)), y];
        self.push(Kind::Vector(opcode, last_byte), address, &operands);
        if is_mask { Source::Mask(result, opcode.compared()) } else { Source::Register(result) }
    }

    /// `place`, whose register becomes that of the result, `y` and `z` in the order of the machine.
    pub(super) fn fused(
        &mut self,
        opcode: Opcode,
        last_byte: Option<u8>,
        place: Source,
        y: Source,
        z: Source,
    ) -> Source {
        let (place, y) = (self.register(place), self.register(y));
        let result = self.function.register();
        let (address, z) = self.last(z);
        let operands =
            [Some(Operand::reg_reuse_def(result, 1)), Some(Operand::reg_use(place)), Some(Operand::reg_use(y)), z];
        self.push(Kind::Vector(opcode, last_byte), address, &operands);
        Source::Register(result)
    }

    pub(super) fn shift(&mut self, opcode: Opcode, count: u32, x: Source) -> Source {
        self.of_register(opcode, Some(count as u8), x)
    }

    /// Of a source that has to be in a register.
    fn of_register(&mut self, opcode: Opcode, last_byte: Option<u8>, x: Source) -> Source {
        let x = self.register(x);
        let result = self.function.register();
        let operands = [Operand::reg_def(result), Operand::reg_use(x)];
        self.function.push(Kind::Vector(opcode, last_byte), Address::None, &operands);
        Source::Register(result)
    }

    /// `x` where the mask is on, else `y`, in lanes of so many bytes.
    pub(super) fn blend(&mut self, opcode: Opcode, size: u8, mask: Source, x: Source, y: Source) -> Source {
        let mask = match self.width {
            Width::Bits256 => self.register(mask),
            Width::Bits512 => self.mask(mask, size),
        };
        let y = self.register(y);
        let result = self.function.register();
        let (address, x) = self.last(x);
        let operands = [Some(Operand::reg_def(result)), Some(Operand::reg_use(y)), Some(Operand::reg_use(mask)), x];
        self.push(Kind::Vector(opcode, None), address, &operands);
        Source::Register(result)
    }

    fn push(&mut self, kind: Kind, address: Address, operands: &[Option<Operand>]) {
        let given = operands.iter().flatten().count();
        debug_assert_eq!(given + usize::from(address != Address::None), operands.len(), "every operand is somewhere");
        let mut all = [operands[0].expect("an instruction has a result"); 4];
        operands.iter().flatten().zip(&mut all).for_each(|(operand, place)| *place = *operand);
        self.function.push(kind, address, &all[..given]);
    }

    fn inst(&mut self, reg: Reg, inst: &Inst) -> Source {
        let reg_type = self.reg_type(reg);
        if let Some(size) = self.mask_size(reg)
            && let Some(resized) = self.resized(inst, size)
        {
            return resized;
        }
        match inst {
            Inst::Const(bits) => self.constant(reg, reg_type, *bits),
            Inst::Scalar(slot) => {
                let opcode = match reg_type.size() {
                    1 => Opcode::Broadcast8,
                    2 => Opcode::Broadcast16,
                    4 => Opcode::Broadcast32,
                    _ => Opcode::Broadcast64,
                };
                Source::Register(self.load(opcode, Address::Scalar(*slot)))
            }
            Inst::Load { array, offset, bytes } => self.load_array(reg, *array, *offset, *bytes),
            Inst::Recall { array, offset, .. } => Source::Register(*self.kept_at(*array, *offset, reg_type.size())),
            Inst::Apply(Op::Xor, [x, sign, _]) if self.is_fused(reg) && self.is_sign(*sign, reg_type.size()) => {
                Source::Negative(self.value(*x))
            }
            Inst::Apply(op, operands) => apply::apply(self, *op, operands),
            Inst::Shift(op, x, count) => {
                let x = self.source(*x);
                apply::shift(self, *op, reg_type, x, *count)
            }
            Inst::WidenLow(x) => {
                let (opcode, x) = (widening(self.reg_type(*x)), self.source(*x));
                self.unary(opcode, None, x)
            }
            Inst::WidenHigh(x) => {
                let opcode = widening(self.reg_type(*x));
                let x = self.upper_half(*x);
                self.unary(opcode, None, x)
            }
            Inst::Narrow(x, y) => self.narrow(reg_type, *x, y.unwrap_or(*x)),
            Inst::ToF32(x) => {
                let x = self.source(*x);
                self.unary(Opcode::FloatD, None, x)
            }
            Inst::ToF64Low(x) => {
                let x = self.source(*x);
                self.unary(Opcode::FloatHalf, None, x)
            }
            Inst::ToF64High(x) => {
                let x = self.upper_half(*x);
                self.unary(Opcode::FloatHalf, None, x)
            }
            Inst::Lookup(table, x, y) => {
                let table = Address::Data(self.tables[*table as usize]);
                self.at_lanes(reg_type.size(), table, *x, *y)
            }
            Inst::Gather(whole, x, y) => {
                let (place, (_, dtype)) =
                    (Address::Whole(self.strip.whole(*whole)), self.strip.wholes[*whole as usize]);
                self.at_lanes(dtype.size(), place, *x, *y)
            }
            Inst::Store { .. }
            | Inst::Keep { .. }
            | Inst::Bitcast(_)
            | Inst::When { .. }
            | Inst::Enter { .. }
            | Inst::Repeat { .. } => {
                panic!("{inst:?} has no result of its own")
            }
        }
    }

    /// Whether the register is read by `fma` alone, close by.
    fn is_fused(&self, reg: Reg) -> bool {
        let fact = &self.facts[reg.index()];
        fact.is_local && fact.uses == fact.fused
    }

    /// Whether every lane of the register has its top bit on and no other.
    fn is_sign(&self, reg: Reg, size: usize) -> bool {
        let sign = 1 << (8 * size - 1);
        self.constants[self.facts[reg.index()].root.index()] == Some(repeated(sign, size))
    }

    /// A constant that is read once or twice stays in memory until then.
    fn constant(&mut self, reg: Reg, reg_type: RegType, bits: u64) -> Source {
        let size = reg_type.size();
        let ones = u64::MAX >> (64 - 8 * size);
        let lane = match reg_type {
            RegType::Mask(_) => {
                if bits != 0 {
                    ones
                } else {
                    0
                }
            }
            RegType::Vector(_) => bits & ones,
        };
        let all = repeated(lane, size);
        self.constants[reg.index()] = Some(all);
        let fact = &self.facts[reg.index()];
        let source = Source::Constant(all);
        let is_kept = fact.uses <= 2 && fact.is_local || self.mask_size(reg).is_some();
        if is_kept { source } else { Source::Register(self.register(source)) }
    }

    /// The array's slot and the place in it, in bytes.
    fn address(&self, slot: u32, offset: u32, size: usize) -> Address {
        Address::Array { slot, scale: size.trailing_zeros() as u8, offset: (offset as usize * size) as i32 }
    }

    /// Every lane gets a real element, also where fewer bytes are loaded than the register has: a loop goes on while any
    /// lane wants it.
    fn load_array(&mut self, reg: Reg, array: u32, offset: u32, bytes: u32) -> Source {
        let address = self.address(array, offset, self.reg_type(reg).size());
        let fact = self.facts[reg.index()];
        let (stays, by_halves) = (fact.is_local && fact.is_undisturbed, fact.uses == fact.halves);
        let whole = self.width.bytes() as u32;
        if stays && (bytes == whole && fact.uses == 1 || bytes >= whole / 2 && by_halves) {
            return Source::Memory(address);
        }
        Source::Register(self.load(loading(bytes, self.width), address))
    }

    fn store(&mut self, array: u32, offset: u32, bytes: u32, value: Reg) {
        let address = self.address(array, offset, self.reg_type(value).size());
        let value = self.value(value);
        self.function.push(storing(bytes, self.width), address, &[Operand::reg_use(value)]);
    }

    /// The upper half, as the lower one of another register or in memory.
    fn upper_half(&mut self, x: Reg) -> Source {
        match self.source(x) {
            Source::Memory(Address::Array { slot, scale, offset }) => {
                Source::Memory(Address::Array { slot, scale, offset: offset + self.width.bytes() as i32 / 2 })
            }
            source => self.shift(self.extract_half(), 1, source),
        }
    }

    fn extract_half(&self) -> Opcode {
        match self.width {
            Width::Bits256 => Opcode::Extract128,
            Width::Bits512 => Opcode::ExtractHalf,
        }
    }

    /// `low`, with the lower half of `high` as the upper one.
    fn joined(&mut self, low: Source, high: Source) -> Source {
        let insert = match self.width {
            Width::Bits256 => Opcode::Insert128,
            Width::Bits512 => Opcode::InsertHalf,
        };
        self.binary(insert, Some(1), low, high)
    }

    fn narrow(&mut self, to: RegType, x: Reg, y: Reg) -> Source {
        let (x, y) = (self.value(x), self.value(y));
        let (x, y) = (Source::Register(x), Source::Register(y));
        if to == RegType::Vector(DType::F32) {
            let (low, high) = (self.unary(Opcode::NarrowPd, None, x), self.unary(Opcode::NarrowPd, None, y));
            return self.joined(low, high);
        }
        if self.width == Width::Bits512 {
            let opcode = match to.size() {
                4 => Opcode::NarrowQ,
                2 => Opcode::NarrowD,
                _ => Opcode::NarrowW,
            };
            let [low, high] = [x, y].map(|x| self.of_register(opcode, None, x));
            return self.joined(low, high);
        }
        // Each of these works on the halves of its operands by themselves, hence the last step.
        let mixed = match (to.size(), to) {
            (4, _) => self.binary(Opcode::ShufflePs, Some(0x88), x, y),
            (2, RegType::Mask(_)) => self.binary(Opcode::PackSd, None, x, y),
            (_, RegType::Mask(_)) => self.binary(Opcode::PackSw, None, x, y),
            (size, RegType::Vector(_)) => {
                // Without its upper half no lane saturates.
                let (opcode, low) =
                    if size == 2 { (Opcode::PackUd, 0xffff_0000_ffff) } else { (Opcode::PackUw, 0xff_00ff_00ff_00ff) };
                let [x, y] = [x, y].map(|x| self.binary(Opcode::And, None, x, Source::Constant(low)));
                self.binary(opcode, None, x, y)
            }
        };
        self.unary(Opcode::PermuteQ, Some(0b11_01_10_00), mixed)
    }

    /// The elements of `size` bytes at the lanes; those of less than 8 of two registers, one behind the other.
    fn at_lanes(&mut self, size: usize, place: Address, x: Reg, y: Option<Reg>) -> Source {
        let kind = match size {
            1 => Kind::GatherNarrow(Opcode::InsertB),
            2 => Kind::GatherNarrow(Opcode::InsertW),
            4 => Kind::Gather(Opcode::GatherQd),
            _ => return self.gather(Kind::Gather(Opcode::GatherQq), place, x),
        };
        let low = self.gather(kind, place, x);
        let high = y.map_or(low, |y| self.gather(kind, place, y));
        self.joined(low, high)
    }

    fn gather(&mut self, kind: Kind, place: Address, lanes: Reg) -> Source {
        let lanes = self.value(lanes);
        let result = self.function.register();
        let mut operands = vec![Operand::reg_def_at_start(result), Operand::reg_use(lanes)];
        let scratches = match (kind, self.width) {
            (_, Width::Bits256) => vec![self.function.register()],
            (Kind::GatherNarrow(_), Width::Bits512) => vec![self.function.register(), self.function.register()],
            (_, Width::Bits512) => vec![self.function.mask_register()],
        };
        operands.extend(scratches.into_iter().map(Operand::reg_temp));
        self.function.push(kind, place, &operands);
        Source::Register(result)
    }

    // -- regions --

    /// A register with a bit on if any of the masks has one.
    fn any(&mut self, masks: &[Reg]) -> VReg {
        let sources: Vec<Source> = masks.iter().map(|mask| self.source(*mask)).collect();
        if let Some(size) = self.mask_size(masks[0]) {
            let any = sources.into_iter().reduce(|x, y| self.on_masks(Op::Or, size, x, y));
            return self.mask(any.expect("a condition has masks"), size);
        }
        let any = sources.into_iter().reduce(|x, y| self.binary(Opcode::Or, None, x, y));
        self.register(any.expect("a condition has masks"))
    }

    /// What a loop asks whether to go on.
    fn goes(&mut self, masks: &[Reg], also: Option<Reg>) -> Vec<Operand> {
        let any = (!masks.is_empty()).then(|| self.any(masks));
        if let (Some(any), Some(also)) = (any, also)
            && let (Some(size), Some(mut also_size)) = (self.mask_size(masks[0]), self.mask_size(also))
        {
            let mut also = self.carried(also);
            while also_size > size {
                also = self.joined_masks(also_size, also, also);
                also_size /= 2;
            }
            return vec![Operand::reg_use(self.of_masks(Opcode::MaskAnd, None, &[any, also]))];
        }
        let also = also.map(|mask| self.carried(mask));
        match (any, also) {
            (Some(any), Some(also)) => vec![Operand::reg_use(any), Operand::any_use(also)],
            (any, also) => any.or(also).into_iter().map(Operand::reg_use).collect(),
        }
    }

    fn when(&mut self, masks: &[Reg], body: &strip::Block, otherwise: &[Reg], results: &[Reg]) {
        let otherwise = self.values(otherwise);
        let any = self.any(masks);
        let from = self.function.current();
        let wanted = self.next_block(0);
        self.function.end(Kind::IfAny(wanted, wanted), &[Operand::reg_use(any)], Vec::new());
        self.function.open(Vec::new());
        self.block(body);
        let inside = self.values(&body.results);
        let end = self.function.current();
        let (skip, join) = (self.next_block(0), self.next_block(1));
        self.function.end(Kind::Goto(join), &[], inside);
        debug_assert_eq!(end, self.function.current());
        self.function.retarget(from, Kind::IfAny(wanted, skip));
        self.function.open(Vec::new());
        self.function.end(Kind::Goto(join), &[], otherwise);
        let params = self.params(results);
        self.function.open(params);
    }

    /// Entering a routine is one instruction: where no lane wants it, results are what they overwrite.
    fn enter(
        &mut self,
        (routine, calls): (u32, usize),
        masks: &[Reg],
        inputs: &[Reg],
        otherwise: &[Reg],
        results: &[Reg],
    ) {
        let given = (0..calls).map(|call| {
            // One call alone is wanted if any is; several masks of a call need not be asked, for it chooses lane by lane.
            let asked = if calls > 1 && masks.len() == calls { strip::share(masks, calls, call) } else { &[] };
            [self.values(asked), self.values(strip::share(inputs, calls, call))].concat()
        });
        let given: Vec<Vec<VReg>> = given.collect();
        let mut overwritten: Vec<VReg> = Vec::new();
        for (k, reg) in otherwise.iter().enumerate() {
            let value = self.carried(*reg);
            // Each result has a register of its own, which none of the calls behind reads.
            let behind = &given[k * calls / results.len() + 1..];
            overwritten.push(match overwritten.contains(&value) || behind.iter().flatten().any(|x| *x == value) {
                true if self.mask_size(*reg).is_some() => self.of_masks(Opcode::MaskMove, None, &[value]),
                true => {
                    let copy = self.unary(Opcode::Move, None, Source::Register(value));
                    self.register(copy)
                }
                false => value,
            });
        }
        let any = self.any(masks);
        let registers: Vec<VReg> = results.iter().map(|reg| self.register_for(*reg)).collect();
        let reused = registers.iter().enumerate().map(|(k, result)| Operand::reg_reuse_def(*result, results.len() + k));
        let mut operands: Vec<Operand> = reused.collect();
        operands.extend(overwritten.into_iter().map(Operand::reg_use));
        operands.push(Operand::reg_use(any));
        operands.extend(given.into_iter().flatten().map(Operand::any_use));
        self.function.push(Kind::Enter { routine, calls: calls as u32 }, Address::None, &operands);
        for (result, register) in results.iter().zip(registers) {
            self.hold(*result, register);
        }
    }

    fn repeat(
        &mut self,
        (initial, carried): (&[Reg], &[Reg]),
        (masks, also): (usize, Option<Reg>),
        body: &strip::Block,
        results: &[Reg],
        counted: bool,
    ) {
        let initial = self.values(initial);
        let head = self.next_block(0);
        self.function.end(Kind::Goto(head), &[], initial);
        let params = self.params(carried);
        self.function.open(params);
        self.block(body);
        let next = self.values(&body.results);
        let goes = self.goes(&body.results[..masks], also);
        let (again, out) = (self.next_block(0), self.next_block(1));
        let kind = if counted { Kind::IfTurn(again, out) } else { Kind::IfAny(again, out) };
        self.function.end(kind, &goes, Vec::new());
        self.function.open(Vec::new());
        self.function.end(Kind::Goto(head), &[], next.clone());
        self.function.open(Vec::new());
        for (result, value) in results.iter().zip(next) {
            self.hold(*result, value);
        }
    }

    /// New registers for what a block is given.
    fn params(&mut self, regs: &[Reg]) -> Vec<VReg> {
        let mut params = Vec::with_capacity(regs.len());
        for reg in regs {
            let register = self.register_for(*reg);
            self.hold(*reg, register);
            params.push(register);
        }
        params
    }
}

fn loading(bytes: u32, width: Width) -> Opcode {
    match bytes {
        whole if whole as usize == width.bytes() => Opcode::Load,
        32 => Opcode::LoadHalf,
        16 => Opcode::Broadcast128,
        8 => Opcode::Broadcast64,
        4 => Opcode::Broadcast32,
        _ => panic!("a load is of 4 bytes, of twice as many or so on, and no more than a vector"),
    }
}

fn storing(bytes: u32, width: Width) -> Kind {
    let (opcode, last_byte) = match bytes {
        whole if whole as usize == width.bytes() => (Opcode::Store, None),
        32 => (Opcode::StoreLower, Some(0)),
        16 => (Opcode::StoreHalf, None),
        8 => (Opcode::Store64, None),
        4 => (Opcode::Store32, None),
        _ => panic!("a store is of 4 bytes, of twice as many or so on, and no more than a vector"),
    };
    Kind::Vector(opcode, last_byte)
}

/// The lane of `size` bytes as often as 8 bytes have room for it.
fn repeated(lane: u64, size: usize) -> u64 {
    lane.wrapping_mul(u64::MAX / (u64::MAX >> (64 - 8 * size)))
}

/// To lanes of twice the size.
fn widening(from: RegType) -> Opcode {
    let is_unsigned = matches!(from, RegType::Vector(dtype) if dtype.is_unsigned_int());
    match (from, from.size()) {
        (RegType::Vector(dtype), _) if dtype.is_float() => Opcode::WidenPs,
        (_, 1) => {
            if is_unsigned {
                Opcode::WidenUb
            } else {
                Opcode::WidenSb
            }
        }
        (_, 2) => {
            if is_unsigned {
                Opcode::WidenUw
            } else {
                Opcode::WidenSw
            }
        }
        _ => {
            if is_unsigned {
                Opcode::WidenUd
            } else {
                Opcode::WidenSd
            }
        }
    }
}

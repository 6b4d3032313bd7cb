//! Allocated machine instructions to bytes: entry, loop, jumps, exit.

use regalloc2::{Allocation, Block, Edit, Inst, InstOrEdit, Output, PReg, RegClass};
use smallvec::SmallVec;

use super::abi::{ARRAYS, Convention, END, INDEX, SCALARS, SCRATCH, TURNS};
use super::encode::{Assembler, Condition, Gpr, Label, Place};
use super::function::{Address, Function, Kind, MASK_BYTES, MASKS, MachineInst};
use super::opcode::{Opcode, Shape, Width};
use crate::codegen::code::{self, Call};
use crate::strip::{self, Strip};

/// A page of the stack: no more is taken at once, lest the page behind the stack be stepped over.
const PAGE: usize = 4096;

/// Bytes that a routine has of the stack by itself, the address that it goes back to among them: as many as leave whole vectors
/// as far away as they were, which makes for short instructions.
const ROUTINE_FRAME: usize = 64;
const ADDRESS: usize = 8;

/// How the code is aligned, and a loop in it.
pub(super) const CODE_ALIGN: usize = 64;
const LOOP_ALIGN: usize = 32;

/// Bytes an instruction, roughly.
const BYTES_AN_INSTRUCTION: usize = 8;

/// A function with its registers.
pub(super) struct Unit<'a> {
    function: &'a Function,
    output: Output,
    /// Whether the allocator moves something before or behind an instruction.
    is_edited: Vec<bool>,
    /// Of a routine how many inputs and results it has.
    inputs: usize,
    results: usize,
    /// The number of its first label; those of its blocks are followed by one more.
    first_label: usize,
    /// Where on the stack its spilled registers are.
    spills: usize,
}

/// An instruction that enters a routine.
struct Entry {
    inst: Inst,
    /// The unit.
    routine: usize,
    calls: usize,
    /// Where it goes if the routine is wanted, and where it goes on.
    wanted: Label,
    behind: Label,
}

impl<'a> Unit<'a> {
    pub(super) fn new(function: &'a Function, output: Output, (inputs, results): (usize, usize)) -> Unit<'a> {
        let mut is_edited = vec![false; function.insts.len()];
        for (point, _) in &output.edits {
            is_edited[point.inst().index()] = true;
        }
        Unit { function, output, is_edited, inputs, results, first_label: 0, spills: 0 }
    }

    /// The registers that are used.
    fn registers(&self) -> Registers {
        let moved = self.output.edits.iter().flat_map(|(_, Edit::Move { from, to })| [from, to]);
        let all = self.output.allocs.iter().chain(moved).filter_map(|allocation| allocation.as_reg());
        all.collect()
    }
}

/// Some of the vector registers, and some of the mask registers.
#[derive(Clone, Copy, Default)]
struct Registers {
    vectors: u32,
    masks: u8,
}

impl Extend<PReg> for Registers {
    fn extend<I: IntoIterator<Item = PReg>>(&mut self, registers: I) {
        for register in registers {
            match register.class() {
                MASKS => self.masks |= 1 << register.hw_enc(),
                _ => self.vectors |= 1 << register.hw_enc(),
            }
        }
    }
}

impl FromIterator<PReg> for Registers {
    fn from_iter<I: IntoIterator<Item = PReg>>(registers: I) -> Registers {
        let mut all = Registers::default();
        all.extend(registers);
        all
    }
}

pub(super) struct Emitter<'a> {
    strip: &'a Strip,
    width: Width,
    /// The function, then the routines.
    units: Vec<Unit<'a>>,
    /// Which of them is written.
    unit: usize,
    convention: &'a Convention,
    to: Assembler,
    /// How many arrays have their addresses in registers.
    pointers: usize,
    /// Bytes of the stack, without what is pushed.
    frame: usize,
    /// Where on the stack routines keep the registers of the function around them.
    kept: usize,
    kept_masks: usize,
    /// Where on the stack the inputs of a routine are; its results follow.
    parcel: usize,
    /// The instructions met yet that enter routines.
    entries: Vec<Entry>,
    /// Labels of all functions.
    labels: usize,
    /// The first label that no one has: behind those of both ways of storing.
    next_label: usize,
    /// Whether stores go past the caches.
    streams: bool,
}

/// Machine code.
pub(super) struct Emitted {
    pub(super) bytes: Vec<u8>,
    /// Where the function begins a second time, with stores past the caches, if it is there.
    pub(super) streaming: Option<usize>,
    /// Where each instruction ends, and how it reads, if that was asked for.
    pub(super) listing: Option<Vec<(usize, String)>>,
}

/// Bytes of a line of the caches.
const CACHE_LINE: usize = 64;

/// Bytes from what is read to what is asked for; half or a third of it is somewhat slower.
const AHEAD: i32 = 3072;

/// Instructions of a group from which on what it computes takes longer than what it stores.
const FEW_INSTS: usize = 64;

/// Whether stores past the caches are worth a second function, and are all of whole registers, as the machine wants them.
fn is_streamable(strip: &Strip, width: Width) -> bool {
    let is_whole = |inst: &strip::Inst| match inst {
        strip::Inst::Store { bytes, .. } => *bytes as usize == width.bytes(),
        _ => true,
    };
    let is_written = strip.folds.iter().any(|folds| !folds);
    is_written
        && strip.cost <= FEW_INSTS
        && !strip.counts_turns
        && strip.body.insts.iter().all(|(_, inst)| is_whole(inst))
}

/// The function, which is the first unit, with routines and `data` behind it.
pub(super) fn emit(
    strip: &Strip,
    mut units: Vec<Unit<'_>>,
    convention: &Convention,
    data: &[u8],
    is_listed: bool,
) -> Emitted {
    let around = &units[0];
    let width = around.function.width;
    let slots = strip.inputs.len() + strip.outputs.len();
    let saved_vectors = 16 - usize::from(convention.first_saved_vector);
    let kept = (around.output.num_spillslots + saved_vectors * 16).next_multiple_of(width.bytes());
    let kept_masks = kept + usize::from(width.registers()) * width.bytes();
    let parcel = (kept_masks + 8 * MASK_BYTES).next_multiple_of(width.bytes());
    let largest = units[1..].iter().map(|unit| unit.inputs + unit.results).max();
    let spills = parcel + largest.unwrap_or(0) * width.bytes();
    let mut frame = kept;
    let (mut labels, mut insts) = (0, 0);
    for (k, unit) in units.iter_mut().enumerate() {
        if k > 0 {
            unit.spills = spills;
            frame = frame.max(spills + unit.output.num_spillslots);
        }
        unit.first_label = labels;
        labels += unit.function.blocks.len() + 1;
        insts += unit.function.insts.len();
    }
    let mut emitter = Emitter {
        strip,
        width,
        units,
        unit: 0,
        convention,
        to: Assembler::new(width, insts * BYTES_AN_INSTRUCTION + data.len() + 256, is_listed),
        pointers: slots.min(convention.pointers.len()),
        frame: frame.next_multiple_of(width.bytes()),
        kept,
        kept_masks,
        parcel,
        entries: Vec::new(),
        labels,
        next_label: 2 * labels,
        streams: false,
    };
    emitter.function();
    let streaming = is_streamable(strip, width).then(|| {
        emitter.to.align(CODE_ALIGN);
        emitter.streams = true;
        let start = emitter.to.bytes.len();
        emitter.function();
        start
    });
    let listing = emitter.to.listing.take();
    Emitted { bytes: emitter.to.finish(data, CODE_ALIGN), streaming, listing }
}

/// An instruction, or what the allocator moves between two.
enum Part {
    Copy(Allocation, Allocation),
    Inst(Inst),
}

impl<'a> Emitter<'a> {
    fn function(&mut self) {
        self.unit = 0;
        self.entry();
        self.blocks();
        self.exit();
        for entry in std::mem::take(&mut self.entries) {
            self.enter(&entry);
        }
        for unit in 1..self.units.len() {
            self.unit = unit;
            self.routine();
        }
    }

    fn blocks(&mut self) {
        for block in 0..self.code().blocks.len() {
            self.block(Block::new(block));
        }
    }

    fn code(&self) -> &'a Function {
        self.units[self.unit].function
    }

    fn allocations(&self, inst: Inst) -> &[Allocation] {
        self.units[self.unit].output.inst_allocs(inst)
    }

    /// Hands a routine its inputs and takes its results, call by call.
    fn enter(&mut self, entry: &Entry) {
        let operands = regalloc2::Function::inst_operands(self.code(), entry.inst);
        let operands = operands.iter().map(|operand| operand.class());
        let operands: Vec<(Allocation, RegClass)> =
            self.allocations(entry.inst).iter().copied().zip(operands).collect();
        let calls = entry.calls;
        let Unit { inputs, results, .. } = self.units[entry.routine];
        let (replaced, given) = operands.split_at(2 * calls * results + 1);
        self.to.bind(entry.wanted);
        for call in 0..calls {
            let (asked, given) = strip::share(given, calls, call).split_at(given.len() / calls - inputs);
            let behind = self.fresh_label();
            // A mask in memory is not asked: the routine chooses lane by lane.
            if let Some(mask) = asked.first().and_then(|(mask, _)| mask.as_reg()) {
                let mask = mask.hw_enc() as u8;
                self.test_bits(mask, Place::Vector(mask));
                self.to.jump_if(Condition::Zero, behind);
            }
            for (k, (allocation, class)) in given.iter().enumerate() {
                self.hand_over(*allocation, *class, self.parcel + k * self.width.bytes());
            }
            self.to.call(self.label_of(entry.routine));
            for (k, (allocation, class)) in strip::share(&replaced[..calls * results], calls, call).iter().enumerate() {
                let load = if *class == MASKS { Opcode::MaskMove } else { Opcode::Load };
                self.to.vector(load, register(*allocation), 0, self.parcel(inputs + k), None);
            }
            self.to.bind(behind);
        }
        self.to.jump(entry.behind);
    }

    /// Stores an operand of the function around routines on the stack.
    fn hand_over(&mut self, allocation: Allocation, class: RegClass, to: usize) {
        let Some(slot) = allocation.as_stack() else {
            let store = if class == MASKS { Opcode::MaskStore } else { Opcode::Store };
            return self.to.vector(store, register(allocation), 0, self.on_stack(to), None);
        };
        // All vector registers are taken.
        let from = self.units[0].spills + slot.index();
        for at in (0..self.code().spill_bytes(class)).step_by(8) {
            self.to.load_general(SCRATCH, Gpr::RSP, (from + at) as i32);
            self.to.store_general(SCRATCH, Gpr::RSP, (to + at) as i32);
        }
    }

    /// A routine keeps all registers as they are.
    fn routine(&mut self) {
        let used = self.units[self.unit].registers();
        let vectors = (0..self.width.registers()).filter(|k| used.vectors >> k & 1 != 0);
        let vectors =
            vectors.map(|k| (Opcode::Store, Opcode::Load, k, self.kept + usize::from(k) * self.width.bytes()));
        let masks = self.width.masks().filter(|k| used.masks >> k & 1 != 0);
        let masks =
            masks.map(|k| (Opcode::MaskStore, Opcode::MaskMove, k, self.kept_masks + usize::from(k) * MASK_BYTES));
        let kept: Vec<(Opcode, Opcode, u8, usize)> = vectors.chain(masks).collect();
        self.to.bind(self.label_of(self.unit));
        self.to.subtract(Gpr::RSP, (ROUTINE_FRAME - ADDRESS) as i32);
        for (store, _, register, place) in &kept {
            self.to.vector(*store, *register, 0, self.on_stack(*place), None);
        }
        self.blocks();
        for (_, load, register, place) in &kept {
            self.to.vector(*load, *register, 0, self.on_stack(*place), None);
        }
        self.to.add(Gpr::RSP, (ROUTINE_FRAME - ADDRESS) as i32);
        self.to.ret();
    }

    /// So many bytes from where the frame of the function around routines begins.
    fn on_stack(&self, offset: usize) -> Place {
        let own = if self.unit > 0 { ROUTINE_FRAME } else { 0 };
        Place::at(Gpr::RSP, (own + offset) as i32)
    }

    /// One of a routine's inputs and results.
    fn parcel(&self, k: usize) -> Place {
        self.on_stack(self.parcel + k * self.width.bytes())
    }

    fn label(&self, block: usize) -> Label {
        self.label_in(self.unit, block)
    }

    fn label_in(&self, unit: usize, k: usize) -> Label {
        let before = if self.streams { self.labels } else { 0 };
        Label((before + self.units[unit].first_label + k) as u32)
    }

    /// Where a routine begins.
    fn label_of(&self, unit: usize) -> Label {
        self.label_in(unit, self.units[unit].function.blocks.len())
    }

    fn fresh_label(&mut self) -> Label {
        self.next_label += 1;
        Label(self.next_label as u32 - 1)
    }

    /// The general registers that the caller wants back.
    fn saved(&self) -> impl DoubleEndedIterator<Item = Gpr> + use<> {
        let pointers = &self.convention.pointers[self.convention.first_saved.min(self.pointers)..self.pointers];
        let turns = self.strip.counts_turns.then_some(TURNS);
        turns.into_iter().chain(pointers.iter().copied())
    }

    /// Where each vector register that the caller wants back is kept.
    fn saved_vectors(&self) -> impl Iterator<Item = (u8, Place)> + use<> {
        let spills = self.units[0].output.num_spillslots;
        let first = self.convention.first_saved_vector;
        (first..16).map(move |k| (k, Place::at(Gpr::RSP, (spills + usize::from(k - first) * 16) as i32)))
    }

    /// Where the function around routines ends.
    fn end(&self) -> Label {
        self.label_of(0)
    }

    fn entry(&mut self) {
        let call = self.convention.argument;
        if self.frame > 0 {
            self.to.push(Gpr::RBP);
            self.to.move_general(Gpr::RBP, Gpr::RSP);
        }
        self.saved().for_each(|register| self.to.push(register));
        if self.frame > 0 {
            for _ in 0..self.frame / PAGE {
                self.to.subtract(Gpr::RSP, PAGE as i32);
                self.to.touch(Gpr::RSP);
            }
            self.to.subtract(Gpr::RSP, (self.frame % PAGE) as i32);
            self.to.and(Gpr::RSP, -(self.width.bytes() as i32));
        }
        for (register, place) in self.saved_vectors() {
            self.to.vector(Opcode::StoreHalf, register, 0, place, None);
        }
        let field = |offset: usize| offset as i32;
        let group = self.strip.group as i32;
        self.to.load_general(SCALARS, call, field(std::mem::offset_of!(Call, scalars)));
        if self.strip.counts_turns {
            self.to.load_general(TURNS, SCALARS, code::LEFT);
        }
        self.to.multiply(END, call, field(std::mem::offset_of!(Call, groups)), group);
        self.to.test(END);
        self.to.jump_if(Condition::Zero, self.end());
        self.to.load_general(ARRAYS, call, field(std::mem::offset_of!(Call, arrays)));
        self.to.zero(INDEX);
        for (slot, pointer) in self.convention.pointers[..self.pointers].iter().enumerate() {
            self.to.load_general(*pointer, ARRAYS, slot as i32 * 8);
        }
    }

    /// All groups are done.
    fn exit(&mut self) {
        self.to.bind(self.end());
        if self.strip.counts_turns {
            self.to.store_general(TURNS, SCALARS, code::LEFT);
        }
        for (register, place) in self.saved_vectors() {
            self.to.vector(Opcode::Broadcast128, register, 0, place, None);
        }
        self.to.zero_uppers();
        if self.frame > 0 {
            self.to.address_of(Gpr::RSP, Gpr::RBP, -8 * self.saved().count() as i32);
        }
        self.saved().rev().for_each(|register| self.to.pop(register));
        if self.frame > 0 {
            self.to.pop(Gpr::RBP);
        }
        self.to.zero(Gpr::RAX);
        self.to.ret();
    }

    /// Where one gets who jumps to the block: blocks that only jump further are passed over.
    fn target(&self, mut block: Block) -> Block {
        while let Some(next) = self.only_jumps_to(block) {
            block = next;
        }
        block
    }

    fn only_jumps_to(&self, block: Block) -> Option<Block> {
        // A loop of nothing but a jump would never end here.
        let is_edited = self.units[self.unit].is_edited[self.code().first_inst(block).index()];
        let next = self.code().only_jumps_to(block).filter(|_| !is_edited)?;
        (next != block).then_some(next)
    }

    /// Whether nobody comes to the block.
    fn is_passed_over(&self, block: Block) -> bool {
        block.index() > 0 && self.only_jumps_to(block).is_some()
    }

    /// Whether the code of `block` comes next.
    fn follows(&self, block: Block, current: Block) -> bool {
        let mut between = (current.index() + 1..block.index()).map(Block::new);
        block.index() > current.index() && between.all(|block| self.is_passed_over(block))
    }

    fn block(&mut self, block: Block) {
        if self.is_passed_over(block) {
            return;
        }
        if self.code().blocks[block.index()].is_loop_head {
            self.to.align(LOOP_ALIGN);
        }
        self.to.bind(self.label(block.index()));
        let parts = self.units[self.unit].output.block_insts_and_edits(self.code(), block);
        let parts: Vec<Part> = parts
            .map(|part| match part {
                InstOrEdit::Edit(Edit::Move { from, to }) => Part::Copy(*from, *to),
                InstOrEdit::Inst(inst) => Part::Inst(inst),
            })
            .collect();
        for part in parts {
            match part {
                Part::Copy(from, to) => self.copy(from, to),
                Part::Inst(inst) => self.inst(inst, block),
            }
        }
    }

    fn copy(&mut self, from: Allocation, to: Allocation) {
        let class = from.as_reg().or(to.as_reg()).expect("nothing is copied from memory to memory").class();
        let [copy, load, store] = match class {
            MASKS => [Opcode::MaskMove, Opcode::MaskMove, Opcode::MaskStore],
            _ => [Opcode::Move, Opcode::Load, Opcode::Store],
        };
        match from.as_reg() {
            Some(_) if to.is_reg() => self.to.vector(copy, register(to), 0, Place::Vector(register(from)), None),
            Some(_) => self.to.vector(store, register(from), 0, self.place(to), None),
            None => self.to.vector(load, register(to), 0, self.place(from), None),
        }
    }

    /// Where the code finds an operand in memory.
    fn memory(&mut self, address: Address) -> Place {
        match address {
            Address::None => panic!("an operand is somewhere"),
            Address::Whole(_) => panic!("elements of whole arrays are gathered"),
            Address::Input(k) => self.parcel(k as usize),
            Address::Result(k) => self.parcel(self.units[self.unit].inputs + k as usize),
            Address::Data(datum) => Place::Data(datum),
            Address::Scalar(slot) => Place::at(SCALARS, slot as i32 * 8),
            Address::InPlace { slot, offset } => Place::at(self.array(slot), offset),
            Address::Array { slot, scale, offset } => {
                Place::Memory { base: self.array(slot), index: Some((INDEX.0, scale)), offset }
            }
        }
    }

    /// A register that has the address of an array.
    fn array(&mut self, slot: u32) -> Gpr {
        if let Some(pointer) = self.convention.pointers[..self.pointers].get(slot as usize) {
            return *pointer;
        }
        self.to.load_general(SCRATCH, ARRAYS, slot as i32 * 8);
        SCRATCH
    }

    fn place(&self, allocation: Allocation) -> Place {
        match (allocation.as_reg(), allocation.as_stack()) {
            (Some(register), _) => Place::Vector(register.hw_enc() as u8),
            (_, Some(slot)) => self.on_stack(self.units[self.unit].spills + slot.index()),
            (None, None) => panic!("an operand is somewhere"),
        }
    }

    fn inst(&mut self, inst: Inst, block: Block) {
        let MachineInst { kind, address, .. } = self.code().insts[inst.index()];
        match kind {
            Kind::Vector(opcode, last_byte) => self.vector(inst, opcode, address, last_byte),
            Kind::OfItself(opcode, last_byte) => {
                let register = register(self.allocations(inst)[0]);
                self.to.vector(opcode, register, register, Place::Vector(register), last_byte);
            }
            Kind::Gather(opcode) => {
                let scale = match address {
                    Address::Data(table) => {
                        self.to.address_of_data(SCRATCH, table);
                        3
                    }
                    Address::Whole(slot) => {
                        self.to.load_general(SCRATCH, ARRAYS, slot as i32 * 8);
                        0
                    }
                    Address::None
                    | Address::Array { .. }
                    | Address::InPlace { .. }
                    | Address::Scalar(_)
                    | Address::Input(_)
                    | Address::Result(_) => panic!("{address:?} has no elements"),
                };
                let registers = self.registers(inst);
                let place = Place::Memory { base: SCRATCH, index: Some((registers[1], scale)), offset: 0 };
                let wanted = registers[2];
                let ones = if self.width == Width::Bits256 { Opcode::EqD } else { Opcode::MaskOnesQ };
                self.to.vector(ones, wanted, wanted, Place::Vector(wanted), None);
                match self.width {
                    Width::Bits256 => self.to.vector(opcode, registers[0], wanted, place, None),
                    Width::Bits512 => self.to.masked(opcode, wanted, registers[0], 0, place),
                }
            }
            Kind::GatherNarrow(opcode) => {
                let Address::Whole(slot) = address else { panic!("{address:?} is no whole array") };
                let registers = self.registers(inst);
                match self.width {
                    Width::Bits256 => self.gather_narrow(opcode, slot, &registers),
                    Width::Bits512 => self.gather_narrow_twice(opcode, slot, &registers),
                }
            }
            Kind::Goto(to) => self.jump(to, block),
            Kind::IfAny(yes, no) => {
                self.test(inst);
                self.branch(Condition::NotZero, Condition::Zero, yes, no, block);
            }
            Kind::IfTurn(yes, no) => {
                let out = self.label(self.target(no).index());
                self.test(inst);
                self.to.jump_if(Condition::Zero, out);
                self.to.subtract(TURNS, 1);
                self.to.jump_if(Condition::Negative, out);
                self.ask(self.label(self.target(yes).index()));
                self.jump(no, block);
            }
            Kind::Enter { routine, calls } => {
                let (routine, calls) = (1 + routine as usize, calls as usize);
                let any = register(self.allocations(inst)[2 * calls * self.units[routine].results]);
                self.test_bits(any, Place::Vector(any));
                let (wanted, behind) = (self.fresh_label(), self.fresh_label());
                self.to.jump_if(Condition::NotZero, wanted);
                self.to.bind(behind);
                self.entries.push(Entry { inst, routine, calls, wanted, behind });
            }
            Kind::BeginLoop => {
                let on = self.fresh_label();
                self.to.subtract(TURNS, 1);
                self.ask(on);
                self.to.bind(on);
            }
            Kind::KeepTurns => self.to.store_general(TURNS, SCALARS, code::GROUP_TURNS),
            Kind::RestoreTurns => {
                self.to.test(TURNS);
                self.to.move_unless_negative(TURNS, SCALARS, code::GROUP_TURNS);
            }
            Kind::NextGroup(yes, no) => {
                self.fetch_ahead();
                self.to.add(INDEX, self.strip.group as i32);
                self.to.compare(INDEX, END);
                self.branch(Condition::Below, Condition::NotBelow, yes, no, block);
            }
            // The exit of the function or of the routine follows the last block.
            Kind::Return => assert_eq!(block.index() + 1, self.code().blocks.len(), "the last block returns"),
        }
    }

    /// Where memory sends a single stream and stores go past the caches, the processor by itself asks for too little of it: it
    /// stops at the end of each page. With several streams asking for more makes them slower. A long group keeps the processor
    /// from the loads of the next one, so that whoever computes much asks for all that is read and written.
    fn fetch_ahead(&mut self) {
        let strip = self.strip;
        if strip.cost > FEW_INSTS && !strip.counts_turns {
            let inputs = strip.inputs.len();
            let is_folded = |slot: &usize| *slot >= inputs && strip.folds[*slot - inputs];
            let walked = (0..inputs + strip.outputs.len()).filter(|slot| !is_folded(slot));
            walked.for_each(|slot| self.fetch(slot));
        } else if let Some(slot) = strip.front.filter(|_| self.streams) {
            self.fetch(slot as usize);
        }
    }

    /// Asks for a group of an array whose address is in a register.
    fn fetch(&mut self, slot: usize) {
        let Some(base) = self.convention.pointers.get(slot).filter(|_| slot < self.pointers) else { return };
        let (inputs, outputs) = (&self.strip.inputs, &self.strip.outputs);
        let size = inputs.get(slot).map_or_else(|| outputs[slot - inputs.len()].size(), |(_, dtype)| dtype.size());
        for line in (0..self.strip.group * size).step_by(CACHE_LINE) {
            self.to.prefetch(*base, INDEX, size.trailing_zeros() as u8, AHEAD + line as i32);
        }
    }

    /// To `on`, unless this turn asks whether the run is to stop and it is. What follows then has no turns left, and neither have
    /// the loops around.
    fn ask(&mut self, on: Label) {
        self.to.has_none_of(TURNS, code::TURNS_UNASKED);
        self.to.jump_if(Condition::NotZero, on);
        self.to.load_general(SCRATCH, SCALARS, code::STOP);
        self.to.is_zero_byte(SCRATCH);
        self.to.jump_if(Condition::Zero, on);
        self.to.zero(TURNS);
        self.to.subtract(TURNS, 1);
    }

    /// Whether a bit of the operand is on, in both if there are two.
    fn test(&mut self, inst: Inst) {
        let (first, last) = match *self.allocations(inst) {
            [any] => (any, any),
            [any, also] => (any, also),
            _ => panic!("a jump asks one operand or two"),
        };
        self.test_bits(register(first), self.place(last));
    }

    fn test_bits(&mut self, first: u8, last: Place) {
        match self.width {
            Width::Bits256 => self.to.vector(Opcode::Test, first, 0, last, None),
            Width::Bits512 => self.to.vector(Opcode::MaskTest, first, 0, last, None),
        }
    }

    /// The registers of a gather: of the result, of the indices, and what it needs besides.
    fn registers(&self, inst: Inst) -> SmallVec<[u8; 4]> {
        self.allocations(inst).iter().copied().map(register).collect()
    }

    /// No machine gathers less than 4 bytes, and beyond an element there may be nothing to read: each lane goes by itself.
    fn gather_narrow(&mut self, opcode: Opcode, slot: u32, registers: &[u8]) {
        let [result, offsets, upper] = *registers else { panic!("a gather of narrow elements has three registers") };
        self.to.vector(Opcode::Extract128, offsets, 0, Place::Vector(upper), Some(1));
        self.to.vector(Opcode::Xor, result, result, Place::Vector(result), None);
        self.take_pair(opcode, slot, (result, 0), offsets);
        self.take_pair(opcode, slot, (result, 2), upper);
    }

    /// The same of twice as many: the upper half of the result by itself, then the lower one.
    fn gather_narrow_twice(&mut self, opcode: Opcode, slot: u32, registers: &[u8]) {
        let [result, offsets, quarter, other] = *registers else {
            panic!("a gather of narrow elements has four registers");
        };
        for (k, to) in [(2, other), (0, result)] {
            self.to.vector(Opcode::ExtractQuarter, offsets, 0, Place::Vector(quarter), Some(k));
            self.to.vector(Opcode::Xor, to, to, Place::Vector(to), None);
            self.take_pair(opcode, slot, (to, 0), quarter);
            self.to.vector(Opcode::ExtractQuarter, offsets, 0, Place::Vector(quarter), Some(k + 1));
            self.take_pair(opcode, slot, (to, 2), quarter);
        }
        self.to.vector(Opcode::InsertQuarter, result, result, Place::Vector(other), Some(1));
    }

    /// Two elements, from the lane of `to` on, whose places in the whole array are in `offsets`.
    fn take_pair(&mut self, opcode: Opcode, slot: u32, (to, lane): (u8, u8), offsets: u8) {
        let lanes_of_element = 4 / opcode.row().bytes(self.width) as u8;
        for k in 0..2 {
            self.to.vector(Opcode::ExtractQ, offsets, 0, Place::Vector(SCRATCH.0), Some(k));
            self.to.add_from(SCRATCH, ARRAYS, slot as i32 * 8);
            self.to.vector(opcode, to, to, Place::at(SCRATCH, 0), Some((lane + k) * lanes_of_element));
        }
    }

    fn jump(&mut self, to: Block, from: Block) {
        let to = self.target(to);
        if !self.follows(to, from) {
            self.to.jump(self.label(to.index()));
        }
    }

    fn branch(&mut self, if_yes: Condition, if_no: Condition, yes: Block, no: Block, from: Block) {
        let (yes, no) = (self.target(yes), self.target(no));
        if self.follows(yes, from) {
            self.to.jump_if(if_no, self.label(no.index()));
            return;
        }
        self.to.jump_if(if_yes, self.label(yes.index()));
        if !self.follows(no, from) {
            self.to.jump(self.label(no.index()));
        }
    }

    fn vector(&mut self, inst: Inst, opcode: Opcode, address: Address, last_byte: Option<u8>) {
        let allocations: SmallVec<[Allocation; 4]> = self.allocations(inst).into();
        let last = match address {
            Address::None => self.place(allocations[allocations.len() - 1]),
            address => self.memory(address),
        };
        let at = |k: usize| register(allocations[k]);
        match opcode.row().shape {
            Shape::Unary | Shape::Broadcast => self.to.vector(opcode, at(0), 0, last, last_byte),
            Shape::FromMask | Shape::MaskUnary => self.to.vector(opcode, at(0), 0, last, last_byte),
            Shape::MaskedBlend => self.to.masked(opcode, at(2), at(0), at(1), last),
            Shape::MaskStore => self.to.vector(opcode, at(0), 0, last, None),
            Shape::Binary | Shape::Compare | Shape::MaskBinary => self.to.vector(opcode, at(0), at(1), last, last_byte),
            Shape::Fused => self.to.vector(opcode, at(0), at(2), last, last_byte),
            Shape::Shift => self.to.vector(opcode, opcode.row().digit, at(0), last, last_byte),
            Shape::Blend => self.to.vector(opcode, at(0), at(1), last, Some(at(2) << 4)),
            Shape::Extract => self.to.vector(opcode, at(1), 0, Place::Vector(at(0)), last_byte),
            Shape::Store if self.streams && matches!(address, Address::Array { .. }) => {
                self.to.vector(Opcode::StorePast, at(0), 0, last, last_byte)
            }
            Shape::Store => self.to.vector(opcode, at(0), 0, last, last_byte),
            Shape::Gather | Shape::ToGeneral | Shape::Test | Shape::MaskTest => {
                panic!("{opcode:?} is part of another instruction")
            }
        }
    }
}

fn register(allocation: Allocation) -> u8 {
    allocation.as_reg().expect("the operand has to be in a register").hw_enc() as u8
}

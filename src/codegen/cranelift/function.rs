//! The function around a strip: its arguments, the loop over groups, regions as blocks; and its routines as functions.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData as MemFlags,
    Signature, StackSlot, StackSlotData, StackSlotKind, Type, UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use super::emit::{self, memory};
use super::isa::Isa;
use super::reads;
use crate::codegen::code::{self, Call};
use crate::strip::{self, Inst, Reg, RegType, Routine, Strip};

/// Arrays whose addresses are held through the loop. Of more, each access loads its own: that many values alive at once would
/// take the register allocator time in their square.
const FEW_ARRAYS: u32 = 32;

/// The functions that a strip becomes.
pub(super) struct Functions<'a> {
    strip: &'a Strip,
    isa: &'a Isa,
    /// What the code refers to.
    pub(super) tables: Vec<Box<[u64]>>,
}

impl<'a> Functions<'a> {
    pub(super) fn new(strip: &'a Strip, isa: &'a Isa) -> Functions<'a> {
        let tables = strip.tables.iter().map(|table| table.elements.clone().into()).collect();
        Functions { strip, isa, tables }
    }

    /// Fills `function` with the one that runs the strip; it calls routines by their numbers.
    pub(super) fn around(&self, function: &mut Function, scratch: &mut FunctionBuilderContext) {
        let mut signature = Signature::new(self.isa.target.default_call_conv());
        signature.params.push(AbiParam::new(self.isa.target.pointer_type()));
        signature.returns.push(AbiParam::new(types::I32));
        let held = Registers::new(&self.strip.types, &[&self.strip.prologue, &self.strip.body]);
        self.build(function, signature, held, scratch, |body| body.function());
    }

    /// The routines that are functions.
    pub(super) fn routines(&self) -> &'a [Routine] {
        if self.isa.has_routines { &self.strip.routines } else { &[] }
    }

    /// Fills `function` with the one that is a routine.
    pub(super) fn routine(&self, routine: &Routine, function: &mut Function, scratch: &mut FunctionBuilderContext) {
        let signature = signature_of_routines(self.isa.target.pointer_type());
        let held = Registers::new(&routine.types, &[&routine.body]);
        self.build(function, signature, held, scratch, |body| body.function_of(routine));
    }

    fn build(
        &self,
        function: &mut Function,
        signature: Signature,
        held: Registers<'_>,
        scratch: &mut FunctionBuilderContext,
        fill: impl FnOnce(&mut Body<'_>),
    ) {
        function.signature = signature;
        let mut body = Body {
            strip: self.strip,
            isa: self.isa,
            pointer: self.isa.target.pointer_type(),
            builder: FunctionBuilder::new(function, scratch),
            held,
            call: None,
            table: None,
            scalars: None,
            turns: None,
            at: None,
            places: Vec::new(),
            tables: &self.tables,
            kept: Vec::new(),
            routines: Vec::new(),
            parcel: None,
        };
        fill(&mut body);
        body.builder.seal_all_blocks();
        body.builder.finalize(self.isa.target.frontend_config());
    }
}

/// Of the call, the first element of the group, and the memory in which inputs come and results go.
fn signature_of_routines(pointer: Type) -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.extend([AbiParam::new(pointer); 3]);
    signature
}

/// Registers of the strip or of a routine.
struct Registers<'a> {
    types: &'a [RegType],
    /// How often each is read yet.
    reads: Vec<u32>,
    /// Of each the value in the function under construction.
    values: Vec<Option<Value>>,
}

impl Registers<'_> {
    fn new<'a>(types: &'a [RegType], blocks: &[&strip::Block]) -> Registers<'a> {
        Registers { types, reads: reads::count(types.len(), blocks), values: vec![None; types.len()] }
    }
}

pub(super) struct Body<'a> {
    pub(super) strip: &'a Strip,
    pub(super) isa: &'a Isa,
    pub(super) pointer: Type,
    pub(super) builder: FunctionBuilder<'a>,
    held: Registers<'a>,
    /// What the code is given.
    call: Option<Value>,
    /// Where the addresses of the arrays are.
    table: Option<Value>,
    /// Where the scalars are.
    pub(super) scalars: Option<Value>,
    /// How many turns are left, where loops count them.
    turns: Option<Variable>,
    /// The first element of the group.
    at: Option<Value>,
    /// Where it is in each array, if they are few.
    places: Vec<Value>,
    pub(super) tables: &'a [Box<[u64]>],
    /// The accumulators: array, first element, and the value that each has.
    kept: Vec<(u32, u32, Value)>,
    /// The routines that are functions.
    routines: Vec<FuncRef>,
    /// The memory for what they take and give.
    parcel: Option<StackSlot>,
}

impl<'a> Body<'a> {
    pub(super) fn reg_type(&self, reg: Reg) -> RegType {
        self.held.types[reg.index()]
    }

    pub(super) fn value(&mut self, reg: Reg) -> Value {
        let ty = emit::clif_type(self.reg_type(reg));
        self.value_as(reg, ty)
    }

    /// The same bits as another type.
    pub(super) fn value_as(&mut self, reg: Reg, ty: Type) -> Value {
        // What a loop asks of its results is read twice.
        let reads = &mut self.held.reads[reg.index()];
        *reads = reads.saturating_sub(1);
        let value = self.held.values[reg.index()].expect("a register is written before it is read");
        emit::bitcast(self, ty, value)
    }

    /// Whether nobody reads the register but who is about to; in a loop the next turn may.
    pub(super) fn is_free(&self, reg: Reg) -> bool {
        self.held.reads[reg.index()] <= 1
    }

    pub(super) fn set(&mut self, reg: Reg, value: Value) {
        self.held.values[reg.index()] = Some(value);
    }

    /// Where the first element of the group is in an array.
    pub(super) fn place(&mut self, slot: u32) -> Value {
        self.places.get(slot as usize).copied().unwrap_or_else(|| {
            let array = self.load_address(slot);
            self.place_in(array, slot)
        })
    }

    fn place_in(&mut self, array: Value, slot: u32) -> Value {
        let at = self.at.expect("arrays are read and written in the loop");
        let (slot, inputs) = (slot as usize, &self.strip.inputs);
        let dtype = inputs.get(slot).map_or_else(|| self.strip.outputs[slot - inputs.len()], |(_, dtype)| *dtype);
        let bytes = self.builder.ins().ishl_imm_u(at, i64::from(dtype.size().trailing_zeros()));
        self.builder.ins().iadd(array, bytes)
    }

    pub(super) fn load_address(&mut self, slot: u32) -> Value {
        let table = self.table.expect("the addresses are known on entry");
        let offset = (slot * self.pointer.bytes()) as i32;
        self.builder.ins().load(self.pointer, MemFlags::trusted(), table, offset)
    }

    fn new_block(&mut self, params: &[Reg]) -> Block {
        let block = self.builder.create_block();
        for reg in params {
            let ty = emit::clif_type(self.reg_type(*reg));
            let value = self.builder.append_block_param(block, ty);
            self.set(*reg, value);
        }
        block
    }

    fn values(&mut self, regs: &[Reg]) -> Vec<Value> {
        regs.iter().map(|reg| self.value(*reg)).collect()
    }

    fn args(&mut self, regs: &[Reg]) -> Vec<BlockArg> {
        self.values(regs).into_iter().map(BlockArg::Value).collect()
    }

    fn function(&mut self) {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        let call = self.builder.block_params(entry)[0];
        self.enter(call);
        let routines = if self.isa.has_routines { self.strip.routines.len() } else { 0 };
        self.routines = (0..routines as u32).map(|number| self.callee(number)).collect();
        let groups = self.field(call, std::mem::offset_of!(Call, groups));
        let slots = (self.strip.inputs.len() + self.strip.outputs.len()) as u32;
        let few = if slots <= FEW_ARRAYS { 0..slots } else { 0..0 };
        let arrays: Vec<Value> = few.clone().map(|slot| self.load_address(slot)).collect();
        let strip = self.strip;
        if strip.counts_turns {
            self.enter_turns();
        }
        self.block(&strip.prologue);
        // What is left is what each group may take.
        let all_turns = strip.counts_turns.then(|| self.turns());

        let (turn, exit) = (self.builder.create_block(), self.builder.create_block());
        let at = self.builder.append_block_param(turn, self.pointer);
        let recalled = self.recall(turn, exit);
        let zero = self.builder.ins().iconst(self.pointer, 0);
        let end = self.builder.ins().imul_imm_s(groups, strip.group as i64);
        let any = self.builder.ins().icmp(IntCC::NotEqual, end, zero);
        let first = [&[BlockArg::Value(zero)], &recalled[..]].concat();
        self.builder.ins().brif(any, turn, &first, exit, &recalled);

        self.builder.switch_to_block(turn);
        self.at = Some(at);
        self.places = few.zip(arrays).map(|(slot, array)| self.place_in(array, slot)).collect();
        if let Some(all) = all_turns {
            self.restore_turns(all);
        }
        self.block(&strip.body);
        let next = self.builder.ins().iadd_imm_s(at, strip.group as i64);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, end);
        let kept: Vec<BlockArg> = self.kept.iter().map(|(.., value)| BlockArg::Value(*value)).collect();
        let next = [&[BlockArg::Value(next)], &kept[..]].concat();
        self.builder.ins().brif(more, turn, &next, exit, &kept);

        self.builder.switch_to_block(exit);
        self.keep(exit);
        if strip.counts_turns {
            self.leave_turns();
        }
        let done = self.builder.ins().iconst(types::I32, 0);
        self.builder.ins().return_(&[done]);
    }

    fn field(&mut self, call: Value, offset: usize) -> Value {
        self.builder.ins().load(self.pointer, MemFlags::trusted(), call, offset as i32)
    }

    fn enter(&mut self, call: Value) {
        self.call = Some(call);
        self.table = Some(self.field(call, std::mem::offset_of!(Call, arrays)));
        self.scalars = Some(self.field(call, std::mem::offset_of!(Call, scalars)));
    }

    fn function_of(&mut self, routine: &Routine) {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        let [call, at, parcel] = self.builder.block_params(entry) else { panic!("a routine has three arguments") };
        let (call, parcel) = (*call, *parcel);
        self.at = Some(*at);
        self.enter(call);
        let inputs = self.unpack(routine.types_of(&routine.params), parcel);
        routine.params.iter().zip(inputs).for_each(|(reg, value)| self.set(*reg, value));
        self.block(&routine.body);
        let results = self.values(&routine.body.results);
        self.pack(&results, parcel);
        self.builder.ins().return_(&[]);
    }

    /// Stores vectors one behind the other.
    fn pack(&mut self, values: &[Value], parcel: Value) {
        for (k, value) in values.iter().enumerate() {
            emit::store_to(self, *value, parcel, (k * emit::BYTES) as i32, emit::BYTES as u32);
        }
    }

    /// Loads what stands there one behind the other.
    fn unpack(&mut self, types: impl Iterator<Item = RegType>, parcel: Value) -> Vec<Value> {
        let load = |(k, reg_type): (usize, RegType)| {
            let ty = emit::clif_type(reg_type);
            emit::load_from(self, ty, parcel, (k * emit::BYTES) as i32, emit::BYTES as u32)
        };
        types.enumerate().map(load).collect()
    }

    /// Calls a routine; gives its results.
    fn call(&mut self, number: u32, inputs: &[Value]) -> Vec<Value> {
        self.builder.set_cold_block(self.builder.current_block().expect("a block is open"));
        let routine = &self.strip.routines[number as usize];
        let place = self.parcel(inputs.len().max(routine.body.results.len()));
        let parcel = self.builder.ins().stack_addr(self.pointer, place, 0);
        self.pack(inputs, parcel);
        let callee = self.routines[number as usize];
        let call = self.call.expect("the call is known from the entry");
        let at = self.at.expect("routines are called in the loop");
        self.builder.ins().call(callee, &[call, at, parcel]);
        self.unpack(routine.types_of(&routine.body.results), parcel)
    }

    /// The code of a routine where it is entered.
    fn inline(&mut self, routine: &'a Routine, inputs: Vec<Value>) -> Vec<Value> {
        let inside = Registers::new(&routine.types, &[&routine.body]);
        let around = std::mem::replace(&mut self.held, inside);
        routine.params.iter().zip(inputs).for_each(|(reg, value)| self.set(*reg, value));
        self.block(&routine.body);
        let results = self.values(&routine.body.results);
        self.held = around;
        results
    }

    fn callee(&mut self, number: u32) -> FuncRef {
        let function = &mut *self.builder.func;
        let name = function.declare_imported_user_function(UserExternalName::new(0, number));
        let signature = function.import_signature(signature_of_routines(self.pointer));
        let name = ExternalName::user(name);
        function.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
    }

    /// Memory for so many vectors.
    fn parcel(&mut self, vectors: usize) -> StackSlot {
        let function = &mut *self.builder.func;
        let bytes = (vectors * emit::BYTES) as u32;
        let slot = *self.parcel.get_or_insert_with(|| {
            let align = emit::BYTES.trailing_zeros() as u8;
            function.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, align))
        });
        let size = &mut function.sized_stack_slots[slot].size;
        *size = bytes.max(*size);
        slot
    }

    /// Loads the accumulators, which the blocks `turn` and `exit` are given.
    fn recall(&mut self, turn: Block, exit: Block) -> Vec<BlockArg> {
        let strip = self.strip;
        let mut recalled = Vec::new();
        for (_, inst) in &strip.body.insts {
            let Inst::Keep { array, offset, bytes, value } = inst else { continue };
            let ty = emit::clif_type(strip.reg_type(*value));
            let address = self.load_address(*array);
            let from = (*offset * ty.lane_type().bytes()) as i32;
            recalled.push(BlockArg::Value(emit::load_from(self, ty, address, from, *bytes)));
            let inside = self.builder.append_block_param(turn, ty);
            self.builder.append_block_param(exit, ty);
            self.kept.push((*array, *offset, inside));
        }
        recalled
    }

    /// Which of the accumulators that are kept this one is.
    pub(super) fn kept_at(&mut self, array: u32, offset: u32) -> &mut Value {
        let found = self.kept.iter_mut().find(|(of, at, _)| (*of, *at) == (array, offset));
        &mut found.expect("what is recalled is kept").2
    }

    /// Stores what `exit` was given.
    fn keep(&mut self, exit: Block) {
        let strip = self.strip;
        let kept = self.builder.block_params(exit).to_vec();
        let keeps = strip.body.insts.iter().filter_map(|(_, inst)| match inst {
            Inst::Keep { array, offset, bytes, value } => Some((*array, *offset, *bytes, *value)),
            _ => None,
        });
        for ((array, offset, bytes, reg), value) in keeps.zip(kept) {
            let address = self.load_address(array);
            let to = (offset as usize * strip.reg_type(reg).size()) as i32;
            emit::store_to(self, value, address, to, bytes);
        }
    }

    fn block(&mut self, block: &strip::Block) {
        for (reg, inst) in &block.insts {
            match inst {
                Inst::When { masks, body, otherwise, results } => {
                    let join = self.begin_when(masks, otherwise, results);
                    self.block(body);
                    let inside = self.values(&body.results);
                    self.end_when(join, inside);
                }
                Inst::Enter { routine, calls, masks, inputs, otherwise, results } => {
                    for call in 0..*calls {
                        let [masks, otherwise, results, inputs] =
                            [masks, otherwise, results, inputs].map(|regs| strip::share(regs, *calls, call));
                        let join = self.begin_when(masks, otherwise, results);
                        let inputs = self.values(inputs);
                        let inside = match self.routines.is_empty() {
                            true => self.inline(&self.strip.routines[*routine as usize], inputs),
                            false => self.call(*routine, &inputs),
                        };
                        self.end_when(join, inside);
                    }
                }
                Inst::Repeat { initial, carried, masks, also, body, results, counted } => {
                    if *counted {
                        self.begin_loop();
                    }
                    self.repeat((initial, carried), (*masks, *also), body, results, *counted);
                }
                inst => {
                    if let (Some(reg), Some(value)) = (*reg, emit::inst(self, *reg, inst)) {
                        self.set(reg, value);
                    }
                }
            }
        }
    }

    /// Whether any lane of the masks is on, and of `also` if there is one.
    fn any(&mut self, masks: &[Reg], also: Option<Reg>) -> Value {
        let masks = self.values(masks);
        let any = masks.into_iter().reduce(|x, y| self.builder.ins().bor(x, y));
        let goes = match (any, also) {
            (Some(any), Some(also)) => {
                let also = self.value_as(also, self.builder.func.dfg.value_type(any));
                self.builder.ins().band(any, also)
            }
            (None, Some(also)) => self.value(also),
            (any, None) => any.expect("a condition has masks"),
        };
        self.builder.ins().vany_true(goes)
    }

    /// Opens the block for where any of the masks has a lane on; gives the one behind, which is given the results.
    fn begin_when(&mut self, masks: &[Reg], otherwise: &[Reg], results: &[Reg]) -> Block {
        let wanted = self.builder.create_block();
        let join = self.new_block(results);
        let any = self.any(masks, None);
        let otherwise = self.args(otherwise);
        self.builder.ins().brif(any, wanted, &[], join, &otherwise);
        self.builder.switch_to_block(wanted);
        join
    }

    fn end_when(&mut self, join: Block, inside: Vec<Value>) {
        let inside: Vec<BlockArg> = inside.into_iter().map(BlockArg::Value).collect();
        self.builder.ins().jump(join, &inside);
        self.builder.switch_to_block(join);
    }

    /// Counts from here on what the call allows.
    fn enter_turns(&mut self) {
        let scalars = self.scalars.expect("scalars are known from the entry");
        let left = self.builder.ins().load(types::I64, MemFlags::trusted(), scalars, code::LEFT);
        let turns = self.builder.declare_var(types::I64);
        self.turns = Some(turns);
        self.builder.def_var(turns, left);
    }

    /// The next group has turns again, unless one wanted too many.
    fn restore_turns(&mut self, all: Value) {
        let left = self.turns();
        let spent = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let left = self.builder.ins().select(spent, left, all);
        self.set_turns(left);
    }

    /// Leaves what is left to who called.
    fn leave_turns(&mut self) {
        let (left, scalars) = (self.turns(), self.scalars.expect("scalars are known from the entry"));
        self.builder.ins().store(MemFlags::trusted(), left, scalars, code::LEFT);
    }

    fn turns(&mut self) -> Value {
        self.builder.use_var(self.turns.expect("turns are counted from the entry"))
    }

    fn set_turns(&mut self, left: Value) {
        self.builder.def_var(self.turns.expect("turns are counted from the entry"), left);
    }

    /// One turn fewer is left; gives how many.
    fn begin_turn(&mut self) -> Value {
        let left = self.turns();
        let left = self.builder.ins().iadd_imm_s(left, -1);
        self.set_turns(left);
        left
    }

    /// To `on`, unless this turn asks whether the run is to stop and it is. What follows then has no turns left, and neither have
    /// the loops around.
    fn ask(&mut self, left: Value, on: Block) {
        let (asks, stops) = (self.builder.create_block(), self.builder.create_block());
        let unasked = self.builder.ins().band_imm_u(left, i64::from(code::TURNS_UNASKED));
        self.builder.ins().brif(unasked, on, &[], asks, &[]);
        self.builder.switch_to_block(asks);
        self.builder.set_cold_block(asks);
        let scalars = self.scalars.expect("scalars are known from the entry");
        let stop = self.builder.ins().load(self.pointer, MemFlags::trusted(), scalars, code::STOP);
        // Another thread writes it.
        let stop = self.builder.ins().load(types::I8, memory(), stop, 0);
        self.builder.ins().brif(stop, stops, &[], on, &[]);
        self.builder.switch_to_block(stops);
        self.builder.set_cold_block(stops);
        let none = self.builder.ins().iconst(types::I64, -1);
        self.set_turns(none);
    }

    /// The first turn of a loop. It asks as any other does: else a loop around could be one that never asks.
    fn begin_loop(&mut self) {
        let left = self.begin_turn();
        let on = self.builder.create_block();
        self.ask(left, on);
        self.builder.ins().jump(on, &[]);
        self.builder.switch_to_block(on);
    }

    /// Another turn, if one is left and no one wants the run to stop.
    fn next_turn(&mut self, turn: Block, exit: Block, next: &[BlockArg]) {
        let (some, again) = (self.builder.create_block(), self.builder.create_block());
        let left = self.begin_turn();
        let any = self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, 0);
        self.builder.ins().brif(any, some, &[], exit, next);
        self.builder.switch_to_block(some);
        self.ask(left, again);
        self.builder.ins().jump(exit, next);
        self.builder.switch_to_block(again);
        self.builder.ins().jump(turn, next);
    }

    fn repeat(
        &mut self,
        (initial, carried): (&[Reg], &[Reg]),
        (masks, also): (usize, Option<Reg>),
        body: &strip::Block,
        results: &[Reg],
        counted: bool,
    ) {
        let initial = self.args(initial);
        let turn = self.new_block(carried);
        let exit = self.new_block(results);
        self.builder.ins().jump(turn, &initial);
        self.builder.switch_to_block(turn);
        self.block(body);
        let any = self.any(&body.results[..masks], also);
        let next = self.args(&body.results);
        if counted {
            let wanted = self.builder.create_block();
            self.builder.ins().brif(any, wanted, &[], exit, &next);
            self.builder.switch_to_block(wanted);
            self.next_turn(turn, exit, &next);
        } else {
            self.builder.ins().brif(any, turn, &next, exit, &next);
        }
        self.builder.switch_to_block(exit);
    }
}

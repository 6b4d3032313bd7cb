//! The function around a strip: its arguments, the loop over groups, regions as blocks.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlagsData as MemFlags, Signature, Type, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::emit::{self, memory};
use super::isa::Isa;
use crate::codegen::code::{self, Call};
use crate::strip::{self, Inst, Reg, Strip};

/// Arrays whose addresses are held through the loop. Of more, each access loads its own: that many values alive at once would
/// take the register allocator time in their square.
const FEW_ARRAYS: u32 = 32;

/// Fills `function` and gives the tables that its code refers to.
pub(super) fn build(
    strip: &Strip,
    isa: &Isa,
    function: &mut Function,
    scratch: &mut FunctionBuilderContext,
) -> Vec<Box<[u64]>> {
    let pointer = isa.target.pointer_type();
    function.signature = Signature::new(isa.target.default_call_conv());
    function.signature.params.push(AbiParam::new(pointer));
    function.signature.returns.push(AbiParam::new(types::I32));
    let tables: Vec<Box<[u64]>> = strip.tables.iter().map(|table| table.elements.clone().into()).collect();
    let builder = FunctionBuilder::new(function, scratch);
    let values = vec![None; strip.types.len()];
    let mut body = Body {
        strip,
        isa,
        pointer,
        builder,
        values,
        table: None,
        scalars: None,
        at: None,
        places: Vec::new(),
        tables: &tables,
        kept: Vec::new(),
    };
    body.function();
    body.builder.finalize(isa.target.frontend_config());
    tables
}

pub(super) struct Body<'a> {
    pub(super) strip: &'a Strip,
    pub(super) isa: &'a Isa,
    pub(super) pointer: Type,
    pub(super) builder: FunctionBuilder<'a>,
    values: Vec<Option<Value>>,
    /// Where the addresses of the arrays are.
    table: Option<Value>,
    /// Where the scalars are.
    pub(super) scalars: Option<Value>,
    /// The first element of the group.
    at: Option<Value>,
    /// Where it is in each array, if they are few.
    places: Vec<Value>,
    pub(super) tables: &'a [Box<[u64]>],
    /// The accumulators: array, first element, and the value that each has.
    kept: Vec<(u32, u32, Value)>,
}

impl Body<'_> {
    pub(super) fn value(&self, reg: Reg) -> Value {
        self.values[reg.index()].expect("a register is written before it is read")
    }

    pub(super) fn set(&mut self, reg: Reg, value: Value) {
        self.values[reg.index()] = Some(value);
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
            let ty = emit::clif_type(self.strip.reg_type(*reg));
            let value = self.builder.append_block_param(block, ty);
            self.set(*reg, value);
        }
        block
    }

    fn args(&self, regs: &[Reg]) -> Vec<BlockArg> {
        regs.iter().map(|reg| BlockArg::Value(self.value(*reg))).collect()
    }

    fn function(&mut self) {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        let call = self.builder.block_params(entry)[0];
        let field = |this: &mut Self, offset: usize| {
            this.builder.ins().load(this.pointer, MemFlags::trusted(), call, offset as i32)
        };
        let groups = field(self, std::mem::offset_of!(Call, groups));
        self.table = Some(field(self, std::mem::offset_of!(Call, arrays)));
        self.scalars = Some(field(self, std::mem::offset_of!(Call, scalars)));
        let slots = (self.strip.inputs.len() + self.strip.outputs.len()) as u32;
        let few = if slots <= FEW_ARRAYS { 0..slots } else { 0..0 };
        let arrays: Vec<Value> = few.clone().map(|slot| self.load_address(slot)).collect();
        let strip = self.strip;
        self.block(&strip.prologue);
        if strip.counts_turns {
            self.keep_turns();
        }

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
        if strip.counts_turns {
            self.restore_turns();
        }
        self.block(&strip.body);
        let next = self.builder.ins().iadd_imm_s(at, strip.group as i64);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, end);
        let kept: Vec<BlockArg> = self.kept.iter().map(|(.., value)| BlockArg::Value(*value)).collect();
        let next = [&[BlockArg::Value(next)], &kept[..]].concat();
        self.builder.ins().brif(more, turn, &next, exit, &kept);

        self.builder.switch_to_block(exit);
        self.keep(exit);
        let done = self.builder.ins().iconst(types::I32, 0);
        self.builder.ins().return_(&[done]);
        self.builder.seal_all_blocks();
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
                Inst::When { masks, body, otherwise, results } => self.when(masks, body, otherwise, results),
                Inst::Repeat { initial, carried, masks, body, results, counted } => {
                    if *counted {
                        self.begin_turn();
                    }
                    self.repeat((initial, carried), *masks, body, results, *counted);
                }
                inst => {
                    if let (Some(reg), Some(value)) = (*reg, emit::inst(self, *reg, inst)) {
                        self.set(reg, value);
                    }
                }
            }
        }
    }

    fn any(&mut self, masks: &[Reg]) -> Value {
        let masks: Vec<Value> = masks.iter().map(|mask| self.value(*mask)).collect();
        let all = masks.into_iter().reduce(|x, y| self.builder.ins().bor(x, y)).expect("a condition has masks");
        self.builder.ins().vany_true(all)
    }

    fn when(&mut self, masks: &[Reg], body: &strip::Block, otherwise: &[Reg], results: &[Reg]) {
        let wanted = self.builder.create_block();
        let join = self.new_block(results);
        let any = self.any(masks);
        let otherwise = self.args(otherwise);
        self.builder.ins().brif(any, wanted, &[], join, &otherwise);
        self.builder.switch_to_block(wanted);
        self.block(body);
        let inside = self.args(&body.results);
        self.builder.ins().jump(join, &inside);
        self.builder.switch_to_block(join);
    }

    /// What is left is what each group may take.
    fn keep_turns(&mut self) {
        let scalars = self.scalars.expect("scalars are known from the entry");
        let left = self.builder.ins().load(types::I64, MemFlags::trusted(), scalars, code::LEFT);
        self.builder.ins().store(MemFlags::trusted(), left, scalars, code::GROUP_TURNS);
    }

    /// The next group has turns again, unless one wanted too many.
    fn restore_turns(&mut self) {
        let scalars = self.scalars.expect("scalars are known from the entry");
        let left = self.builder.ins().load(types::I64, MemFlags::trusted(), scalars, code::LEFT);
        let all = self.builder.ins().load(types::I64, MemFlags::trusted(), scalars, code::GROUP_TURNS);
        let spent = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let left = self.builder.ins().select(spent, left, all);
        self.builder.ins().store(MemFlags::trusted(), left, scalars, code::LEFT);
    }

    /// One turn fewer is left; gives how many.
    fn begin_turn(&mut self) -> Value {
        let scalars = self.scalars.expect("scalars are known from the entry");
        let left = self.builder.ins().load(types::I64, MemFlags::trusted(), scalars, code::LEFT);
        let left = self.builder.ins().iadd_imm_s(left, -1);
        self.builder.ins().store(MemFlags::trusted(), left, scalars, code::LEFT);
        left
    }

    /// Whether there is another turn, and no one wants the run to stop.
    fn may_go_on(&mut self) -> Value {
        let left = self.begin_turn();
        let scalars = self.scalars.expect("scalars are known from the entry");
        let stop = self.builder.ins().load(self.pointer, MemFlags::trusted(), scalars, code::STOP);
        // Another thread writes it.
        let stop = self.builder.ins().load(types::I8, memory(), stop, 0);
        let goes = self.builder.ins().icmp_imm_u(IntCC::Equal, stop, 0);
        let any = self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, 0);
        self.builder.ins().band(goes, any)
    }

    fn repeat(
        &mut self,
        (initial, carried): (&[Reg], &[Reg]),
        masks: usize,
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
        let any = self.any(&body.results[..masks]);
        let next = self.args(&body.results);
        if counted {
            let wanted = self.builder.create_block();
            self.builder.ins().brif(any, wanted, &[], exit, &next);
            self.builder.switch_to_block(wanted);
            let goes = self.may_go_on();
            self.builder.ins().brif(goes, turn, &next, exit, &next);
        } else {
            self.builder.ins().brif(any, turn, &next, exit, &next);
        }
        self.builder.switch_to_block(exit);
    }
}

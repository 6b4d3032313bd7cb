//! What stands between a strip and bytes: machine instructions on as many registers as they like, as the allocator reads them.

use regalloc2::{Block, Inst, InstRange, Operand, PRegSet, RegClass, VReg};
use smallvec::SmallVec;

use super::opcode::{Opcode, Width};

/// How the allocator calls mask registers.
pub(super) const MASKS: RegClass = RegClass::Int;
pub(super) const MASK_BYTES: usize = 8;

/// Where an instruction finds its last operand, if not in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// It is in a register, or there is none.
    None,
    /// So many bytes from where the group begins in an array of elements of `1 << scale` bytes.
    Array { slot: u32, scale: u8, offset: i32 },
    /// So many bytes from where an array begins that stays in place.
    InPlace { slot: u32, offset: i32 },
    /// So many bytes behind the first datum.
    Data(u32),
    /// A scalar of the call.
    Scalar(u32),
    /// Where a whole array begins, the address at this place among those of the call.
    Whole(u32),
    /// Of a routine, what it is given.
    Input(u32),
    /// Of a routine, what it gives.
    Result(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// An instruction of the table and its last byte, if it has one.
    Vector(Opcode, Option<u8>),
    /// An instruction of two sources or three on the result's register alone, whatever is in it, and the last byte.
    OfItself(Opcode, Option<u8>),
    /// Elements of 4 or 8 bytes: of a table whose elements are 8 bytes apart, or of a whole array, so many bytes behind its first.
    Gather(Opcode),
    /// Elements of 1 or 2 bytes of a whole array as lanes of 4 bytes, one after the other; the opcode puts one in.
    GatherNarrow(Opcode),
    Goto(Block),
    /// To the first block if a bit of the operand is on, or one that is on in both if there are two, else to the second.
    IfAny(Block, Block),
    /// The same for another turn of a loop that counts them: to the second block also where none is left or the run is to stop.
    IfTurn(Block, Block),
    /// The routine of this number as often as it has calls, if a bit of the operand behind the results and what they overwrite is
    /// on. For each call its inputs follow; if there are several, behind a mask that says whether it is wanted.
    Enter {
        routine: u32,
        calls: u32,
    },
    /// The first turn of a loop that counts them. It asks as any other does: else a loop around could be one that never asks.
    BeginLoop,
    /// What is left is what each group may take.
    KeepTurns,
    /// The next group has turns again, unless one wanted too many.
    RestoreTurns,
    /// To the first block with the next group if there is one, else to the second.
    NextGroup(Block, Block),
    Return,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct MachineInst {
    pub(super) kind: Kind,
    pub(super) address: Address,
    /// Range in [`Function::operands`].
    operands: (u32, u32),
}

/// A run of instructions that ends in a jump.
#[derive(Clone, Debug, Default)]
pub(super) struct BasicBlock {
    params: Vec<VReg>,
    first: u32,
    end: u32,
    successors: SmallVec<[Block; 2]>,
    predecessors: SmallVec<[Block; 2]>,
    /// For the parameters of the only successor.
    args: Vec<VReg>,
    /// Whether a later block jumps back to this one.
    pub(super) is_loop_head: bool,
}

/// A function of vector and mask registers in SSA form. Blocks stand in the order of emission.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) width: Width,
    pub(super) blocks: Vec<BasicBlock>,
    pub(super) insts: Vec<MachineInst>,
    operands: Vec<Operand>,
    registers: usize,
}

impl Function {
    pub(super) fn new(width: Width, insts: usize) -> Function {
        let (insts, operands) = (Vec::with_capacity(insts), Vec::with_capacity(3 * insts));
        Function { width, blocks: Vec::new(), insts, operands, registers: 0 }
    }

    pub(super) fn register(&mut self) -> VReg {
        self.registers += 1;
        VReg::new(self.registers - 1, RegClass::Float)
    }

    /// A register of a bit a lane.
    pub(super) fn mask_register(&mut self) -> VReg {
        self.registers += 1;
        VReg::new(self.registers - 1, MASKS)
    }

    /// The block that is under construction.
    pub(super) fn current(&self) -> Block {
        Block::new(self.blocks.len() - 1)
    }

    /// Begins the next block: the last one has ended with a jump.
    pub(super) fn open(&mut self, params: Vec<VReg>) -> Block {
        let first = self.insts.len() as u32;
        self.blocks.push(BasicBlock { params, first, ..BasicBlock::default() });
        self.current()
    }

    pub(super) fn push(&mut self, kind: Kind, address: Address, operands: &[Operand]) {
        let first = self.operands.len() as u32;
        self.operands.extend_from_slice(operands);
        self.insts.push(MachineInst { kind, address, operands: (first, self.operands.len() as u32) });
    }

    /// Ends the block.
    pub(super) fn end(&mut self, kind: Kind, operands: &[Operand], args: Vec<VReg>) {
        self.push(kind, Address::None, operands);
        let end = self.insts.len() as u32;
        let block = self.blocks.last_mut().expect("a block is open");
        block.end = end;
        block.args = args;
        match kind {
            Kind::Goto(to) => block.successors.push(to),
            Kind::IfAny(yes, no) | Kind::IfTurn(yes, no) | Kind::NextGroup(yes, no) => {
                block.successors.extend([yes, no])
            }
            Kind::Return => {}
            Kind::Vector(..)
            | Kind::OfItself(..)
            | Kind::Gather(_)
            | Kind::GatherNarrow(_)
            | Kind::Enter { .. }
            | Kind::BeginLoop
            | Kind::KeepTurns
            | Kind::RestoreTurns => {
                panic!("{kind:?} ends no block")
            }
        }
    }

    /// Lets a jump that was made before its target was known go there.
    pub(super) fn retarget(&mut self, block: Block, kind: Kind) {
        let block = &mut self.blocks[block.index()];
        self.insts[block.end as usize - 1].kind = kind;
        block.successors = match kind {
            Kind::Goto(to) => SmallVec::from_slice(&[to]),
            Kind::IfAny(yes, no) | Kind::IfTurn(yes, no) | Kind::NextGroup(yes, no) => SmallVec::from_slice(&[yes, no]),
            Kind::Vector(..)
            | Kind::OfItself(..)
            | Kind::Gather(_)
            | Kind::GatherNarrow(_)
            | Kind::Enter { .. }
            | Kind::BeginLoop
            | Kind::KeepTurns
            | Kind::RestoreTurns
            | Kind::Return => {
                panic!("{kind:?} goes nowhere")
            }
        };
    }

    /// Finds who jumps where, once all blocks are there.
    pub(super) fn link(&mut self) {
        for from in 0..self.blocks.len() {
            for to in self.blocks[from].successors.clone() {
                let target = &mut self.blocks[to.index()];
                target.predecessors.push(Block::new(from));
                target.is_loop_head |= to.index() <= from;
            }
        }
    }

    /// Where the block goes if it does nothing else.
    pub(super) fn only_jumps_to(&self, block: Block) -> Option<Block> {
        let (first, end) = (self.blocks[block.index()].first, self.blocks[block.index()].end);
        match self.insts[first as usize].kind {
            Kind::Goto(to) if end - first == 1 => Some(to),
            _ => None,
        }
    }

    /// Bytes that a spilled register takes.
    pub(super) fn spill_bytes(&self, class: RegClass) -> usize {
        if class == MASKS { MASK_BYTES } else { self.width.bytes() }
    }

    pub(super) fn first_inst(&self, block: Block) -> Inst {
        Inst::new(self.blocks[block.index()].first as usize)
    }
}

impl regalloc2::Function for Function {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        let block = &self.blocks[block.index()];
        InstRange::new(Inst::new(block.first as usize), Inst::new(block.end as usize))
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.blocks[block.index()].successors
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.blocks[block.index()].predecessors
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.blocks[block.index()].params
    }

    fn is_ret(&self, inst: Inst) -> bool {
        matches!(self.insts[inst.index()].kind, Kind::Return)
    }

    fn is_branch(&self, inst: Inst) -> bool {
        matches!(
            self.insts[inst.index()].kind,
            Kind::Goto(_) | Kind::IfAny(..) | Kind::IfTurn(..) | Kind::NextGroup(..)
        )
    }

    fn branch_blockparams(&self, block: Block, _inst: Inst, _successor: usize) -> &[VReg] {
        &self.blocks[block.index()].args
    }

    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        let (first, end) = self.insts[inst.index()].operands;
        &self.operands[first as usize..end as usize]
    }

    fn inst_clobbers(&self, _inst: Inst) -> PRegSet {
        PRegSet::empty()
    }

    fn num_vregs(&self) -> usize {
        self.registers
    }

    fn spillslot_size(&self, class: RegClass) -> usize {
        self.spill_bytes(class)
    }
}

//! The program for one group of elements in machine vectors of one target; and how a stage becomes one.

mod dead;
#[cfg(test)]
mod evaluate;
mod fold;
mod live;
mod measure;
mod order;
mod print;
mod recur;
mod routine;
mod vectorise;

use crate::dtype::DType;
use crate::ir::{Op, Table};
use crate::target::Target;

#[cfg(test)]
pub(crate) use evaluate::Call;
pub(crate) use fold::ACCUMULATORS;
pub(crate) use vectorise::vectorise;

/// Names one register value of a [`Strip`]; it shares its numbers with nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reg(pub(crate) u32);

impl Reg {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a register holds. A value narrower than the register fills its low part; the rest is unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RegType {
    /// Lanes of a dtype other than bool.
    Vector(DType),
    /// Lanes of that many bytes, all ones where true, all zeros where false.
    Mask(usize),
}

impl RegType {
    /// Bytes of a lane.
    pub(crate) fn size(self) -> usize {
        match self {
            RegType::Vector(dtype) => dtype.size(),
            RegType::Mask(size) => size,
        }
    }
}

/// An instruction on whole registers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Inst {
    /// The bits in every lane; of a mask 0 or 1.
    Const(u64),
    /// A scalar slot of the call in every lane.
    Scalar(u32),
    /// `bytes` (4, 8, 16 or the whole register) from element `offset` of the group in an array.
    Load { array: u32, offset: u32, bytes: u32 },
    /// `bytes` of the register to element `offset` of the group in an array.
    Store { array: u32, offset: u32, bytes: u32, value: Reg },
    /// `bytes` of an accumulator at `offset` of an array that stays in place, as the group before left them.
    Recall { array: u32, offset: u32, bytes: u32 },
    /// Leaves `bytes` of the register as such an accumulator: to the next group, behind the last one to the array. Of each that
    /// is recalled one stands in the body, outside of regions.
    Keep { array: u32, offset: u32, bytes: u32, value: Reg },
    /// A legal op of the graph (see `passes::legalize`) on every lane; on masks `and or xor not`. An op of fewer
    /// operands repeats the first.
    Apply(Op, [Reg; 3]),
    /// `shl` or `shr` of every lane by a count below the lane's width.
    Shift(Op, Reg, u32),
    /// The same bits as another dtype of the size.
    Bitcast(Reg),
    /// The lower half of the lanes at twice the size: integers by their signedness, f32 to f64, masks.
    WidenLow(Reg),
    /// The upper half of the lanes at twice the size.
    WidenHigh(Reg),
    /// The lanes of both at half the size, the first below: integers cut off, f64 rounded to f32, masks.
    /// Without a second the upper half is unspecified.
    Narrow(Reg, Option<Reg>),
    /// i32 to f32.
    ToF32(Reg),
    /// The lower half of the lanes, i32 to f64.
    ToF64Low(Reg),
    /// The upper half of the lanes, i32 to f64.
    ToF64High(Reg),
    /// The elements of a table at i64 lanes, all in bounds; a lane of 4 bytes takes those of two registers.
    Lookup(u32, Reg, Option<Reg>),
    /// As `Lookup`, the elements of one of [`Strip::wholes`] so many bytes behind its first; those of 1 and 2 bytes with zeros
    /// above them, as u32.
    Gather(u32, Reg, Option<Reg>),
    /// Runs `body` if any lane of any mask is on; the results are those of `body`, else `otherwise`.
    When { masks: Vec<Reg>, body: Block, otherwise: Vec<Reg>, results: Vec<Reg> },
    /// Calls the routine of this number so many times; to each call an equal [`share`] of the registers belongs. If any lane of its
    /// masks is on, the routine runs on its inputs and gives its results, else they are `otherwise`.
    Enter { routine: u32, calls: usize, masks: Vec<Reg>, inputs: Vec<Reg>, otherwise: Vec<Reg>, results: Vec<Reg> },
    /// Carries registers, first `initial`, through `body`, whose first `masks` results say whether to go on, if there are any: while
    /// a lane of one is on; and while `also` is, a mask of the body that is the same in all lanes, if there is one.
    /// `carried` name them inside, `results` behind. If `counted`, each turn is one less of those that are left in the call, and
    /// where none are, or the run is to stop, the loop ends whatever the masks say.
    Repeat {
        initial: Vec<Reg>,
        carried: Vec<Reg>,
        masks: usize,
        also: Option<Reg>,
        body: Block,
        results: Vec<Reg>,
        counted: bool,
    },
}

impl Inst {
    /// What an instruction reads.
    ///
    /// # Panics
    /// Of a region, which reads as many registers as it likes.
    pub(crate) fn operands(&self) -> [Option<Reg>; 3] {
        match self {
            Inst::Const(_) | Inst::Scalar(_) | Inst::Load { .. } | Inst::Recall { .. } => [None; 3],
            Inst::Store { value: x, .. }
            | Inst::Keep { value: x, .. }
            | Inst::Shift(_, x, _)
            | Inst::Bitcast(x)
            | Inst::WidenLow(x)
            | Inst::WidenHigh(x)
            | Inst::ToF32(x)
            | Inst::ToF64Low(x)
            | Inst::ToF64High(x) => [Some(*x), None, None],
            Inst::Apply(_, operands) => operands.map(Some),
            Inst::Narrow(x, y) | Inst::Lookup(_, x, y) | Inst::Gather(_, x, y) => [Some(*x), *y, None],
            Inst::When { .. } | Inst::Enter { .. } | Inst::Repeat { .. } => {
                panic!("a region has more operands than an instruction")
            }
        }
    }
}

/// What one of several calls takes of registers, if each takes as many as another.
pub(crate) fn share<T>(regs: &[T], calls: usize, call: usize) -> &[T] {
    let each = regs.len() / calls;
    &regs[call * each..][..each]
}

/// Instructions in the order in which they are emitted, and the registers that leave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block {
    /// The register that each defines, if it defines one.
    pub(crate) insts: Vec<(Option<Reg>, Inst)>,
    pub(crate) results: Vec<Reg>,
}

/// What few elements want, entered by a vector or a few from wherever it is wanted. It has registers of its own, enters no other
/// and counts no turns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Routine {
    pub(crate) types: Vec<RegType>,
    /// What it is given.
    pub(crate) params: Vec<Reg>,
    pub(crate) body: Block,
}

impl Routine {
    pub(crate) fn types_of(&self, regs: &[Reg]) -> impl Iterator<Item = RegType> {
        regs.iter().map(|reg| self.types[reg.index()])
    }
}

/// Where an array that the code reads comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A parameter of the program.
    Param(u32),
    /// The position along an axis, i64.
    Index(u8),
    /// The answer to one of the graph's questions for a size, i64.
    Size(u32),
}

/// The program for one group of elements.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    pub(crate) target: Target,
    /// Elements of a group.
    pub(crate) group: usize,
    /// The arrays that are read, in order of their slots, with the dtype in memory; those that are written follow.
    pub(crate) inputs: Vec<(Source, DType)>,
    /// The dtypes of the arrays that are written.
    pub(crate) outputs: Vec<DType>,
    /// For each of these whether it is sixteen accumulators, which stay in place.
    pub(crate) folds: Vec<bool>,
    /// Parameters of which any element may be read, with the dtype in memory. Where they begin stands behind the arrays' addresses.
    pub(crate) wholes: Vec<(u32, DType)>,
    /// The scalars, in order of their slots.
    pub(crate) scalars: Vec<(Source, DType)>,
    pub(crate) tables: Vec<Table>,
    /// Runs once a call: what is the same for all elements.
    pub(crate) prologue: Block,
    /// Runs once a group.
    pub(crate) body: Block,
    pub(crate) routines: Vec<Routine>,
    /// Of the registers of `prologue` and `body`.
    pub(crate) types: Vec<RegType>,
    /// A rough count of machine instructions a group.
    pub(crate) cost: usize,
    /// Whether a loop counts its turns, so that the words before the scalars are needed.
    pub(crate) counts_turns: bool,
    /// If all arrays that are read are one, here and beside, so that memory sends a single stream, the slot of the one furthest on.
    pub(crate) front: Option<u32>,
}

impl Strip {
    pub(crate) fn reg_type(&self, reg: Reg) -> RegType {
        self.types[reg.index()]
    }

    /// Where among the addresses of a call that of the `k`-th whole array stands.
    pub(crate) fn whole(&self, k: u32) -> u32 {
        (self.inputs.len() + self.outputs.len()) as u32 + k
    }
}

//! Elements of a group to the instructions that take them into accumulators, which stay in registers from group to group.

use super::vectorise::{Regs, Vectoriser};
use super::{Inst, Reg, RegType};
use crate::dtype::DType;
use crate::ir::{Fold, Op, Value};
use crate::stage::Stage;
use crate::target::Target;

/// Accumulators of a block, and elements of a group whose code takes them into some: element `k` belongs to accumulator `k`.
pub(crate) const ACCUMULATORS: usize = 16;

/// The most vectors of accumulators that one total has.
const MOST_VECTORS: usize = 4;

/// The dtype of the accumulators that code has for such elements; none where it leaves them to be folded.
pub(crate) fn accumulator(fold: Fold, from: DType) -> Option<DType> {
    match fold {
        Fold::Product if from == DType::Bool => None,
        Fold::Sum | Fold::Product if from.is_float() => Some(DType::F64),
        Fold::Sum | Fold::Product if from.is_unsigned_int() => Some(DType::U64),
        Fold::Sum | Fold::Product | Fold::Count => Some(DType::I64),
        Fold::Min | Fold::Max => Some(from).filter(|from| *from != DType::Bool),
        Fold::Any | Fold::All | Fold::ArgMin | Fold::ArgMax => None,
    }
}

/// For each total of the stage the dtype of the accumulators that its code has; as many as three quarters of the registers hold.
pub(super) fn accumulators(stage: &Stage, target: &Target) -> Vec<Option<DType>> {
    let first = stage.outputs.len();
    let mut left = target.registers * 3 / 4;
    let mut of = |(fold, k): (&Option<Fold>, usize)| {
        let from = stage.graph.dtype(stage.graph.outputs[first + k].value);
        let dtype = accumulator((*fold)?, from)?;
        let vectors = (ACCUMULATORS * dtype.size()).div_ceil(target.vector_bytes);
        let fits = vectors <= MOST_VECTORS.min(left);
        left -= if fits { vectors } else { 0 };
        fits.then_some(dtype)
    };
    stage.folds.iter().zip(0..).map(&mut of).collect()
}

impl Vectoriser<'_> {
    /// Takes a value of the group into the accumulators that are in `array`.
    pub(super) fn fold(&mut self, array: u32, fold: Fold, dtype: DType, value: Value) {
        let taken = self.taken(fold, dtype, value);
        let is_truth = self.dtype(value) == DType::Bool;
        let (count, lanes, bytes) = self.parts(dtype.size());
        for k in 0..count {
            let offset = k as u32 * lanes;
            let before = self.emit(RegType::Vector(dtype), Inst::Recall { array, offset, bytes });
            let value = self.folded((fold, is_truth), dtype, before, taken.get(k));
            self.current().insts.push((None, Inst::Keep { array, offset, bytes, value }));
        }
    }

    /// What accumulators take of a value: a truth as 0 or -1, for the greatest what is least where that is greatest.
    fn taken(&mut self, fold: Fold, dtype: DType, value: Value) -> Regs {
        let from = self.dtype(value);
        if from == DType::Bool {
            let masks = self.mask(value, dtype.size());
            return self.each(RegType::Vector(dtype), &[masks], |x| Inst::Bitcast(x[0]));
        }
        let regs = self.vector(value);
        match fold {
            Fold::Max if dtype.is_float() => {
                let bits = RegType::Vector(DType::unsigned(dtype.size()));
                let sign = Regs::uniform(self.emit(bits, Inst::Const(1 << (dtype.bits() - 1))));
                let regs = self.each(bits, &[regs], |x| Inst::Bitcast(x[0]));
                let regs = self.each(bits, &[regs, sign], |x| Inst::Apply(Op::Xor, x));
                self.each(RegType::Vector(dtype), &[regs], |x| Inst::Bitcast(x[0]))
            }
            Fold::Max => self.each(RegType::Vector(dtype), &[regs], |x| Inst::Apply(Op::Not, x)),
            _ if from == dtype => regs,
            _ => self.cast(regs, from, dtype),
        }
    }

    /// The accumulator with what is taken in.
    fn folded(&mut self, (fold, is_truth): (Fold, bool), dtype: DType, before: Reg, taken: Reg) -> Reg {
        let of_two = |op: Op| Inst::Apply(op, [before, taken, before]);
        let reg_type = RegType::Vector(dtype);
        match fold {
            Fold::Sum if is_truth => self.emit(reg_type, of_two(Op::Sub)),
            Fold::Sum => self.emit(reg_type, of_two(Op::Add)),
            Fold::Product => self.emit(reg_type, of_two(Op::Mul)),
            Fold::Count => self.emit(reg_type, of_two(Op::Sub)),
            Fold::Min | Fold::Max if dtype.is_float() => self.minimum(dtype, before, taken),
            Fold::Min | Fold::Max if dtype.size() < 8 => self.emit(reg_type, of_two(Op::Lesser)),
            Fold::Min | Fold::Max => {
                let less = self.emit(RegType::Mask(8), of_two(Op::Lt));
                self.emit(reg_type, Inst::Apply(Op::Select, [less, before, taken]))
            }
            Fold::Any | Fold::All | Fold::ArgMin | Fold::ArgMax => panic!("{fold:?} has no accumulators in code"),
        }
    }

    /// As the op of that name: the lesser one way and the other differ for zeros and NaN alone, where the bits of both are right.
    fn minimum(&mut self, dtype: DType, x: Reg, y: Reg) -> Reg {
        let bits = RegType::Vector(DType::unsigned(dtype.size()));
        let either = [(x, y), (y, x)].map(|(x, y)| {
            let lesser = self.emit(RegType::Vector(dtype), Inst::Apply(Op::Lesser, [x, y, x]));
            self.emit(bits, Inst::Bitcast(lesser))
        });
        let both = self.emit(bits, Inst::Apply(Op::Or, [either[0], either[1], either[0]]));
        self.emit(RegType::Vector(dtype), Inst::Bitcast(both))
    }
}

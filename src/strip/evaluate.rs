//! Runs a strip one lane at a time, for tests: it knows no machine, so it takes strips made for any target.

use super::{Block, Inst, Reg, RegType, Routine, Strip, share};
use crate::dtype::DType;
use crate::ir::{self, Op};

/// What a strip is called with: arrays as bytes, each a multiple of the group long, outputs after inputs.
pub(crate) struct Call<'a> {
    pub(crate) groups: usize,
    pub(crate) arrays: &'a mut [Vec<u8>],
    pub(crate) scalars: &'a [u64],
}

impl Strip {
    /// Runs the prologue, then the body for each group.
    pub(crate) fn evaluate(&self, call: &mut Call<'_>) {
        let mut machine = Machine { strip: self, types: &self.types, regs: vec![None; self.types.len()], first: 0 };
        machine.block(&self.prologue, call);
        for group in 0..call.groups {
            machine.first = group * self.group;
            machine.block(&self.body, call);
        }
    }
}

struct Machine<'a> {
    strip: &'a Strip,
    /// Those of the strip or of the routine that runs, and what they hold.
    types: &'a [RegType],
    regs: Vec<Option<Vec<u8>>>,
    /// The first element of the group.
    first: usize,
}

/// What lanes are that nothing has written: a sign that something read them shows.
const UNSPECIFIED: u8 = 0xa5;

impl Machine<'_> {
    fn reg_type(&self, reg: Reg) -> RegType {
        self.types[reg.index()]
    }

    fn lane(&self, reg: Reg, size: usize, lane: usize) -> u64 {
        let bytes = self.regs[reg.index()].as_ref().expect("a register is written before it is read");
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(&bytes[lane * size..][..size]);
        u64::from_le_bytes(bits)
    }

    fn lanes(&self, reg: Reg) -> Vec<u64> {
        let size = self.reg_type(reg).size();
        (0..self.strip.target.vector_bytes / size).map(|lane| self.lane(reg, size, lane)).collect()
    }

    fn block(&mut self, block: &Block, call: &mut Call<'_>) {
        for (reg, inst) in &block.insts {
            match inst {
                Inst::Store { array, offset, bytes, value } => {
                    let size = self.reg_type(*value).size();
                    let at = (self.first + *offset as usize) * size;
                    let register = self.regs[value.index()].as_ref().expect("a stored register is written");
                    let bytes = *bytes as usize;
                    call.arrays[*array as usize][at..at + bytes].copy_from_slice(&register[..bytes]);
                }
                Inst::Keep { array, offset, bytes, value } => {
                    let (at, bytes) = (*offset as usize * self.reg_type(*value).size(), *bytes as usize);
                    let register = self.regs[value.index()].as_ref().expect("a kept register is written");
                    call.arrays[*array as usize][at..at + bytes].copy_from_slice(&register[..bytes]);
                }
                Inst::When { masks, body, otherwise, results } => {
                    let from = if self.any(masks) {
                        self.block(body, call);
                        &body.results
                    } else {
                        otherwise
                    };
                    self.copy(from, results);
                }
                Inst::Enter { routine, calls, masks, inputs, otherwise, results } => {
                    let routine = &self.strip.routines[*routine as usize];
                    for k in 0..*calls {
                        let is_wanted = self.any(share(masks, *calls, k));
                        let from = share(if is_wanted { inputs } else { otherwise }, *calls, k);
                        let mut values: Vec<_> = from.iter().map(|reg| self.regs[reg.index()].clone()).collect();
                        if is_wanted {
                            values = self.routine(routine, values, call);
                        }
                        let results = share(results, *calls, k).iter();
                        results.zip(values).for_each(|(reg, value)| self.regs[reg.index()] = value);
                    }
                }
                Inst::Repeat { initial, carried, masks, also, body, results, counted: _ } => {
                    self.copy(initial, carried);
                    loop {
                        self.block(body, call);
                        let wanted = *masks == 0 || self.any(&body.results[..*masks]);
                        let goes = wanted && also.is_none_or(|also| self.any(&[also]));
                        self.copy(&body.results, carried);
                        if !goes {
                            break;
                        }
                    }
                    self.copy(carried, results);
                }
                inst => {
                    let reg = reg.expect("an instruction with a result names it");
                    let bytes = self.inst(self.reg_type(reg), inst, call);
                    assert_eq!(bytes.len(), self.strip.target.vector_bytes, "a register is full");
                    self.regs[reg.index()] = Some(bytes);
                }
            }
        }
    }

    fn routine(&self, routine: &Routine, inputs: Vec<Option<Vec<u8>>>, call: &mut Call<'_>) -> Vec<Option<Vec<u8>>> {
        let regs = vec![None; routine.types.len()];
        let mut inside = Machine { strip: self.strip, types: &routine.types, regs, first: self.first };
        routine.params.iter().zip(inputs).for_each(|(reg, value)| inside.regs[reg.index()] = value);
        inside.block(&routine.body, call);
        routine.body.results.iter().map(|reg| inside.regs[reg.index()].clone()).collect()
    }

    fn copy(&mut self, from: &[Reg], to: &[Reg]) {
        let values: Vec<_> = from.iter().map(|reg| self.regs[reg.index()].clone()).collect();
        for (value, reg) in values.into_iter().zip(to) {
            self.regs[reg.index()] = value;
        }
    }

    fn any(&self, masks: &[Reg]) -> bool {
        masks.iter().any(|mask| self.lanes(*mask).iter().any(|lane| *lane != 0))
    }

    fn inst(&self, reg_type: RegType, inst: &Inst, call: &Call<'_>) -> Vec<u8> {
        let size = reg_type.size();
        let count = self.strip.target.vector_bytes / size;
        let ones = u64::MAX >> (64 - 8 * size);
        let same = |lane: u64| vec![lane; count];
        let lanes = match inst {
            Inst::Const(bits) if matches!(reg_type, RegType::Mask(_)) => same(if *bits != 0 { ones } else { 0 }),
            Inst::Const(bits) => same(*bits),
            Inst::Scalar(slot) => same(call.scalars[*slot as usize] & ones),
            Inst::Load { array, offset, bytes } | Inst::Recall { array, offset, bytes } => {
                let first = if matches!(inst, Inst::Load { .. }) { self.first } else { 0 };
                let at = (first + *offset as usize) * size;
                let mut register = vec![UNSPECIFIED; self.strip.target.vector_bytes];
                let bytes = *bytes as usize;
                register[..bytes].copy_from_slice(&call.arrays[*array as usize][at..at + bytes]);
                return register;
            }
            Inst::Store { .. } | Inst::Keep { .. } | Inst::When { .. } | Inst::Enter { .. } | Inst::Repeat { .. } => {
                panic!("{inst:?} has no single result")
            }
            Inst::Apply(op, operands) => self.apply(reg_type, *op, &operands[..op.arity()]),
            Inst::Shift(op, x, shift) => {
                let RegType::Vector(dtype) = reg_type else { panic!("a mask is not shifted") };
                self.lanes(*x).iter().map(|x| ir::apply(*op, dtype, &[*x, u64::from(*shift)])).collect()
            }
            Inst::Bitcast(x) => self.lanes(*x),
            Inst::WidenLow(x) => self.widen(*x, reg_type, 0),
            Inst::WidenHigh(x) => self.widen(*x, reg_type, count),
            Inst::Narrow(x, y) => {
                let convert = |x: &u64| match reg_type {
                    RegType::Vector(DType::F32) => ir::cast(*x, DType::F64, DType::F32),
                    RegType::Vector(_) | RegType::Mask(_) => x & ones,
                };
                let mut lanes: Vec<u64> = self.lanes(*x).iter().map(convert).collect();
                match y {
                    Some(y) => lanes.extend(self.lanes(*y).iter().map(convert)),
                    None => lanes.resize(count, u64::from_le_bytes([UNSPECIFIED; 8]) & ones),
                }
                lanes
            }
            Inst::Gather(whole, x, y) => {
                let (array, (_, dtype)) =
                    (&call.arrays[self.strip.whole(*whole) as usize], self.strip.wholes[*whole as usize]);
                let offsets = self.lanes(*x).into_iter().chain(y.map(|y| self.lanes(y)).unwrap_or_default());
                let element = |offset: u64| {
                    let mut bits = [0; 8];
                    bits[..dtype.size()].copy_from_slice(&array[offset as usize..][..dtype.size()]);
                    u64::from_le_bytes(bits)
                };
                let mut lanes: Vec<u64> = offsets.map(element).collect();
                lanes.resize(count, 0);
                lanes
            }
            Inst::ToF32(x) => self.lanes(*x).iter().map(|x| ir::cast(*x, DType::I32, DType::F32)).collect(),
            Inst::ToF64Low(x) => (0..count).map(|k| ir::cast(self.lane(*x, 4, k), DType::I32, DType::F64)).collect(),
            Inst::ToF64High(x) => {
                (0..count).map(|k| ir::cast(self.lane(*x, 4, count + k), DType::I32, DType::F64)).collect()
            }
            Inst::Lookup(table, x, y) => {
                let elements = &self.strip.tables[*table as usize].elements;
                let indices = self.lanes(*x).into_iter().chain(y.map(|y| self.lanes(y)).unwrap_or_default());
                let mut lanes: Vec<u64> = indices.map(|index| elements[index as usize]).collect();
                lanes.resize(count, 0);
                lanes
            }
        };
        lanes.iter().flat_map(|lane| lane.to_le_bytes()[..size].to_vec()).collect()
    }

    fn widen(&self, x: Reg, to: RegType, first: usize) -> Vec<u64> {
        let from = self.reg_type(x);
        let size = from.size();
        let lanes = (0..self.strip.target.vector_bytes / to.size()).map(|k| self.lane(x, size, first + k));
        lanes
            .map(|lane| match (from, to) {
                (RegType::Vector(from), RegType::Vector(to)) => ir::cast(lane, from, to),
                _ => {
                    if lane != 0 {
                        u64::MAX >> (64 - 16 * size)
                    } else {
                        0
                    }
                }
            })
            .collect()
    }

    fn apply(&self, reg_type: RegType, op: Op, operands: &[Reg]) -> Vec<u64> {
        let lanes: Vec<Vec<u64>> = operands.iter().map(|reg| self.lanes(*reg)).collect();
        let operand_type = self.reg_type(operands[operands.len() - 1]);
        let ones = u64::MAX >> (64 - 8 * reg_type.size());
        (0..lanes[0].len())
            .map(|k| {
                let bits: Vec<u64> = lanes.iter().map(|lanes| lanes[k]).collect();
                match (reg_type, operand_type) {
                    (RegType::Mask(size), RegType::Mask(_)) => ir::apply(op, DType::unsigned(size), &bits),
                    (RegType::Mask(_), RegType::Vector(dtype)) => ir::apply(op, dtype, &bits) * ones,
                    (RegType::Vector(dtype), _) => ir::apply(op, dtype, &bits),
                }
            })
            .collect()
    }
}

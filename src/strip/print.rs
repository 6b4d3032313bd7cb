//! The text form of a strip, as introspection shows it.

use std::fmt;

use super::{Block, Inst, Reg, RegType, Routine, Source, Strip};
use crate::dtype::DType;
use crate::ir::print::constant;

impl fmt::Display for Strip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group of {} elements, vectors of {} bytes", self.group, self.target.vector_bytes)?;
        for (slot, (source, dtype)) in self.inputs.iter().enumerate() {
            writeln!(f, "array {slot}: {dtype} of {source}")?;
        }
        for (slot, (dtype, folds)) in self.outputs.iter().zip(&self.folds).enumerate() {
            let how = if *folds { "accumulators" } else { "written" };
            writeln!(f, "array {}: {dtype} {how}", self.inputs.len() + slot)?;
        }
        for (k, (param, dtype)) in self.wholes.iter().enumerate() {
            writeln!(f, "whole {k}: {dtype} of param {param}")?;
        }
        for (slot, (source, dtype)) in self.scalars.iter().enumerate() {
            writeln!(f, "scalar {slot}: {dtype} of {source}")?;
        }
        writeln!(f, "once:")?;
        print_block(f, &self.prologue, &self.types, 1)?;
        writeln!(f, "for each group:")?;
        print_block(f, &self.body, &self.types, 1)?;
        for (number, Routine { types, params, body }) in self.routines.iter().enumerate() {
            let params: Vec<String> = params.iter().map(|reg| format!("{reg}: {}", types[reg.index()])).collect();
            writeln!(f, "routine {number} of {}:", params.join(", "))?;
            print_block(f, body, types, 1)?;
            writeln!(f, "  gives {}", list(&body.results))?;
        }
        Ok(())
    }
}

fn print_block(f: &mut fmt::Formatter<'_>, block: &Block, types: &[RegType], depth: usize) -> fmt::Result {
    for (reg, inst) in &block.insts {
        f.write_str(&"  ".repeat(depth))?;
        let reg_type = reg.map(|reg| types[reg.index()]);
        if let (Some(reg), Some(reg_type)) = (reg, reg_type) {
            write!(f, "{reg}: {reg_type} = ")?;
        }
        print_inst(f, reg_type, inst)?;
        match inst {
            Inst::When { body, .. } | Inst::Repeat { body, .. } => {
                print_block(f, body, types, depth + 1)?;
                writeln!(f, "{}}} {}", "  ".repeat(depth), list(&body.results))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn print_inst(f: &mut fmt::Formatter<'_>, reg_type: Option<RegType>, inst: &Inst) -> fmt::Result {
    match inst {
        Inst::Const(bits) => match reg_type {
            Some(RegType::Vector(dtype)) => writeln!(f, "{}", constant(*bits, dtype)),
            _ => writeln!(f, "{}", constant(*bits, DType::Bool)),
        },
        Inst::Scalar(slot) => writeln!(f, "scalar {slot}"),
        Inst::Load { array, offset, bytes } => writeln!(f, "load {bytes} bytes of array {array} at {offset}"),
        Inst::Store { array, offset, bytes, value } => {
            writeln!(f, "store {value}, {bytes} bytes to array {array} at {offset}")
        }
        Inst::Recall { array, offset, bytes } => writeln!(f, "recall {bytes} bytes of array {array} at {offset}"),
        Inst::Keep { array, offset, bytes, value } => {
            writeln!(f, "keep {value}, {bytes} bytes of array {array} at {offset}")
        }
        Inst::Apply(op, operands) => writeln!(f, "{} {}", op.name(), list(&operands[..op.arity()])),
        Inst::Shift(op, x, count) => writeln!(f, "{} {x} by {count}", op.name()),
        Inst::Bitcast(x) => writeln!(f, "bitcast {x}"),
        Inst::WidenLow(x) => writeln!(f, "widen_low {x}"),
        Inst::WidenHigh(x) => writeln!(f, "widen_high {x}"),
        Inst::Narrow(x, None) => writeln!(f, "narrow {x}"),
        Inst::Narrow(x, Some(y)) => writeln!(f, "narrow {x}, {y}"),
        Inst::ToF32(x) => writeln!(f, "to_f32 {x}"),
        Inst::ToF64Low(x) => writeln!(f, "to_f64_low {x}"),
        Inst::ToF64High(x) => writeln!(f, "to_f64_high {x}"),
        Inst::Lookup(table, x, None) => writeln!(f, "lookup {table} {x}"),
        Inst::Lookup(table, x, Some(y)) => writeln!(f, "lookup {table} {x}, {y}"),
        Inst::Gather(whole, x, None) => writeln!(f, "gather {whole} {x}"),
        Inst::Gather(whole, x, Some(y)) => writeln!(f, "gather {whole} {x}, {y}"),
        Inst::When { masks, otherwise, results, .. } => {
            writeln!(f, "{} = when any of {} else {} {{", list(results), list(masks), list(otherwise))
        }
        Inst::Enter { routine, calls, masks, inputs, otherwise, results } => {
            let [results, masks, otherwise, inputs] = [results, masks, otherwise, inputs].map(|regs| list(regs));
            writeln!(f, "{results} = when any of {masks} else {otherwise} {calls} of routine {routine} on {inputs}")
        }
        Inst::Repeat { initial, carried, masks, also, results, .. } => {
            let (results, carried, initial) = (list(results), list(carried), list(initial));
            let any = Some(format!("any of {masks}")).filter(|_| *masks > 0);
            let goes: Vec<String> = any.into_iter().chain(also.map(|also| also.to_string())).collect();
            writeln!(f, "{results} = repeat {carried} from {initial} while {} {{", goes.join(" and "))
        }
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for RegType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegType::Vector(dtype) => write!(f, "{dtype}"),
            RegType::Mask(size) => write!(f, "mask{}", size * 8),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Param(index) => write!(f, "param {index}"),
            Source::Index(axis) => write!(f, "index {axis}"),
            Source::Size(index) => write!(f, "size {index}"),
        }
    }
}

fn list(regs: &[Reg]) -> String {
    regs.iter().map(Reg::to_string).collect::<Vec<_>>().join(", ")
}

//! One op of a strip to the machine instructions that do it to every lane.

use super::lower::{Lowerer, Source};
use super::opcode::{Opcode, Width};
use super::select::{self, Order};
use crate::ir::Op;
use crate::strip::{Reg, RegType};

/// `op` on the operands that it takes.
pub(super) fn apply(to: &mut Lowerer<'_>, op: Op, operands: &[Reg; 3]) -> Source {
    let operand_type = to.reg_type(operands[op.arity() - 1]);
    let [mut x, mut y, z] = operands.map(|reg| to.source(reg));
    // What lives long may be in memory by then, which the second operand can be.
    if op.is_commutative() && !to.is_local(operands[0]) && to.is_local(operands[1]) {
        (x, y) = (y, x);
    }
    let size = operand_type.size();
    if op == Op::Select {
        return to.blend(blend(operand_type, to.width), size as u8, x, y, z);
    }
    match operand_type {
        RegType::Vector(dtype) if dtype.is_float() && op == Op::Fma => fma(to, operands, size == 8),
        RegType::Vector(dtype) if dtype.is_float() => on_floats(to, op, x, y, size == 8),
        RegType::Vector(dtype) => on_integers(to, op, x, y, size, dtype.is_unsigned_int()),
        RegType::Mask(_) if to.width == Width::Bits512 => to.on_masks(op, size as u8, x, y),
        RegType::Mask(_) => on_integers(to, op, x, y, size, true),
    }
}

/// A mask's lanes are all ones or all zeros, so bytes are as good as lanes where there is no choice of lanes.
fn blend(of: RegType, width: Width) -> Opcode {
    match of {
        _ if width == Width::Bits512 => {
            select::of_size(of.size(), [Opcode::ChooseB, Opcode::ChooseW, Opcode::ChooseD, Opcode::ChooseQ])
        }
        RegType::Vector(dtype) if dtype.is_float() && dtype.size() == 4 => Opcode::BlendPs,
        RegType::Vector(dtype) if dtype.is_float() => Opcode::BlendPd,
        RegType::Vector(_) | RegType::Mask(_) => Opcode::BlendB,
    }
}

fn is_register(source: Source) -> bool {
    matches!(source, Source::Register(_))
}

fn on_floats(to: &mut Lowerer<'_>, op: Op, x: Source, y: Source, is_double: bool) -> Source {
    let (op, x, y) = match select::exchanged(op) {
        Some(exchanged) if !is_register(x) && is_register(y) => (exchanged, y, x),
        _ => (op, x, y),
    };
    let selected = select::on_floats(op, is_double);
    let (opcode, last) = selected.unwrap_or_else(|| panic!("legalize leaves no {} of floats", op.name()));
    if op.arity() == 1 { to.unary(opcode, last, x) } else { to.binary(opcode, last, x, y) }
}

/// `a * b + c` in the form that overwrites an operand which nothing reads any more, and takes one from memory if it is there.
fn fma(to: &mut Lowerer<'_>, operands: &[Reg; 3], is_double: bool) -> Source {
    let mut turns_product = false;
    let [mut a, mut b, mut c] = operands.map(|reg| to.source(reg));
    let [a_is_done, b_is_done, c_is_done] = operands.map(|reg| to.is_done(reg));
    for factor in [&mut a, &mut b] {
        if let Source::Negative(x) = *factor {
            *factor = Source::Register(x);
            turns_product = !turns_product;
        }
    }
    let mut turns_sum = false;
    if let Source::Negative(x) = c {
        c = Source::Register(x);
        turns_sum = true;
    }
    let of = |order| select::fused(turns_product, turns_sum, order, is_double);
    // What dies, or else what is in a register, comes first.
    if is_register(b) && (!is_register(a) || b_is_done && !a_is_done) {
        (a, b) = (b, a);
    }
    // What is in memory has to be loaded, and may as well be where the result will.
    let is_kept = is_register(b) || is_register(c) || a_is_done || b_is_done;
    let takes_sum = c_is_done || !is_kept;
    if takes_sum {
        return to.fused(of(Order::Sum), None, c, a, b);
    }
    if !is_register(b) && is_register(c) {
        return to.fused(of(Order::FactorOfLast), None, a, c, b);
    }
    to.fused(of(Order::Factor), None, a, b, c)
}

fn on_integers(to: &mut Lowerer<'_>, op: Op, x: Source, y: Source, size: usize, is_unsigned: bool) -> Source {
    if to.width == Width::Bits512
        && let Some((opcode, predicate)) = select::compare(op, size, is_unsigned)
    {
        return to.binary(opcode, Some(predicate), x, y);
    }
    if let Some(opcode) = select::on_integers(op, size, is_unsigned, to.width) {
        return to.binary(opcode, None, x, y);
    }
    match op {
        Op::Not => not(to, x),
        Op::Ne => {
            let equal = on_integers(to, Op::Eq, x, y, size, is_unsigned);
            not(to, equal)
        }
        Op::Lt | Op::Le | Op::Gt | Op::Ge if is_unsigned && size < 8 => compare_unsigned(to, op, x, y, size),
        Op::Lt | Op::Le | Op::Gt | Op::Ge if is_unsigned => {
            // The order of the unsigned is that of the signed with the top bit turned.
            let [x, y] = [x, y].map(|x| turned(to, x));
            on_integers(to, op, x, y, size, false)
        }
        Op::Lt => on_integers(to, Op::Gt, y, x, size, false),
        Op::Le | Op::Ge => {
            let (x, y) = if op == Op::Le { (x, y) } else { (y, x) };
            let greater = on_integers(to, Op::Gt, x, y, size, false);
            not(to, greater)
        }
        Op::Mul if size == 8 => multiply(to, x, y),
        Op::Shr if size == 8 => {
            // The sign's copies are what lies above the sign once it is back where it was.
            let sign = Source::Constant(SIGN);
            let (x, y) = (to.register(x), to.register(y));
            let (x, y) = (Source::Register(x), Source::Register(y));
            let shifted = to.binary(Opcode::SrlvQ, None, x, y);
            let sign = to.binary(Opcode::SrlvQ, None, sign, y);
            extended(to, shifted, sign)
        }
        _ => panic!("legalize leaves no {} of integers of {size} bytes", op.name()),
    }
}

const SIGN: u64 = 1 << 63;

fn not(to: &mut Lowerer<'_>, x: Source) -> Source {
    to.binary(Opcode::Xor, None, x, Source::Constant(u64::MAX))
}

/// With the top bit of each 8 bytes turned.
fn turned(to: &mut Lowerer<'_>, x: Source) -> Source {
    match x {
        Source::Constant(bits) => Source::Constant(bits ^ SIGN),
        x => to.binary(Opcode::Xor, None, x, Source::Constant(SIGN)),
    }
}

fn compare_unsigned(to: &mut Lowerer<'_>, op: Op, x: Source, y: Source, size: usize) -> Source {
    let x = Source::Register(to.register(x));
    let extreme = if matches!(op, Op::Ge | Op::Lt) { Op::Greater } else { Op::Lesser };
    let extreme = on_integers(to, extreme, x, y, size, true);
    let is_x = on_integers(to, Op::Eq, extreme, x, size, true);
    if matches!(op, Op::Ge | Op::Le) { is_x } else { not(to, is_x) }
}

/// The lower 64 bits of products, from those of 32-bit halves.
fn multiply(to: &mut Lowerer<'_>, x: Source, y: Source) -> Source {
    let (x, y) = (Source::Register(to.register(x)), Source::Register(to.register(y)));
    let (x_high, y_high) = (to.shift(Opcode::SrlQ, 32, x), to.shift(Opcode::SrlQ, 32, y));
    let crossed = to.binary(Opcode::MulLowHalves, None, x_high, y);
    let other = to.binary(Opcode::MulLowHalves, None, x, y_high);
    let crossed = to.binary(Opcode::AddQ, None, crossed, other);
    let crossed = to.shift(Opcode::SllQ, 32, crossed);
    let low = to.binary(Opcode::MulLowHalves, None, x, y);
    to.binary(Opcode::AddQ, None, low, crossed)
}

/// Fills the bits above where the sign is now, given as one bit, with copies of it.
fn extended(to: &mut Lowerer<'_>, x: Source, sign: Source) -> Source {
    let sign = match sign {
        Source::Constant(_) => sign,
        sign => Source::Register(to.register(sign)),
    };
    let turned = to.binary(Opcode::Xor, None, x, sign);
    to.binary(Opcode::SubQ, None, turned, sign)
}

/// `shl` or `shr` of every lane by one count.
pub(super) fn shift(to: &mut Lowerer<'_>, op: Op, of: RegType, x: Source, count: u32) -> Source {
    let is_unsigned = matches!(of, RegType::Vector(dtype) if dtype.is_unsigned_int());
    if let Some(opcode) = select::shift(op, of.size(), is_unsigned, to.width) {
        return to.shift(opcode, count, x);
    }
    assert!(op == Op::Shr && of.size() == 8, "legalize leaves no {} of {of} by a constant", op.name());
    if count == 63 {
        return to.binary(Opcode::GtQ, None, Source::Constant(0), x);
    }
    let shifted = to.shift(Opcode::SrlQ, count, x);
    extended(to, shifted, Source::Constant(SIGN >> count))
}

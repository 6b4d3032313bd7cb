//! An op and the lanes that it works on to the instruction of the table that does it, where there is one.

use super::opcode::Opcode::{self, *};
use super::opcode::Width;
use crate::ir::Op;

/// The opcode on floats of either size, and the last byte.
pub(super) fn on_floats(op: Op, is_double: bool) -> Option<(Opcode, Option<u8>)> {
    let of = |single: Opcode, double: Opcode| Some((if is_double { double } else { single }, None));
    // Comparisons are those that raise no flag for a quiet NaN; rounding leaves the flag for inexactness alone.
    let with = |single: Opcode, double: Opcode, last: u8| Some((if is_double { double } else { single }, Some(last)));
    match op {
        Op::Add => of(AddPs, AddPd),
        Op::Sub => of(SubPs, SubPd),
        Op::Mul => of(MulPs, MulPd),
        Op::Div => of(DivPs, DivPd),
        Op::Sqrt => of(SqrtPs, SqrtPd),
        Op::Lesser => of(MinPs, MinPd),
        Op::Greater => of(MaxPs, MaxPd),
        Op::Round => with(RoundPs, RoundPd, 0x08),
        Op::Floor => with(RoundPs, RoundPd, 0x09),
        Op::Ceil => with(RoundPs, RoundPd, 0x0a),
        Op::Trunc => with(RoundPs, RoundPd, 0x0b),
        Op::Eq => with(CmpPs, CmpPd, 0x00),
        Op::Ne => with(CmpPs, CmpPd, 0x04),
        Op::Lt => with(CmpPs, CmpPd, 0x11),
        Op::Le => with(CmpPs, CmpPd, 0x12),
        Op::Ge => with(CmpPs, CmpPd, 0x1d),
        Op::Gt => with(CmpPs, CmpPd, 0x1e),
        _ => None,
    }
}

/// Which operand of a fused multiply-add the result overwrites, with the other two as they follow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// A factor; the summand, the other factor.
    FactorOfLast,
    /// A factor; the other factor, the summand.
    Factor,
    /// The summand; the factors.
    Sum,
}

/// `a * b + c` with the sign of the product or of the summand turned.
pub(super) fn fused(turns_product: bool, turns_sum: bool, order: Order, is_double: bool) -> Opcode {
    let all = match (turns_product, turns_sum) {
        (false, false) => [Fmadd132Ps, Fmadd132Pd, Fmadd213Ps, Fmadd213Pd, Fmadd231Ps, Fmadd231Pd],
        (false, true) => [Fmsub132Ps, Fmsub132Pd, Fmsub213Ps, Fmsub213Pd, Fmsub231Ps, Fmsub231Pd],
        (true, false) => [Fnmadd132Ps, Fnmadd132Pd, Fnmadd213Ps, Fnmadd213Pd, Fnmadd231Ps, Fnmadd231Pd],
        (true, true) => [Fnmsub132Ps, Fnmsub132Pd, Fnmsub213Ps, Fnmsub213Pd, Fnmsub231Ps, Fnmsub231Pd],
    };
    all[2 * order as usize + usize::from(is_double)]
}

/// The comparison that says the same with the operands exchanged.
pub(super) fn exchanged(op: Op) -> Option<Op> {
    match op {
        Op::Eq | Op::Ne => Some(op),
        Op::Lt => Some(Op::Gt),
        Op::Gt => Some(Op::Lt),
        Op::Le => Some(Op::Ge),
        Op::Ge => Some(Op::Le),
        _ => None,
    }
}

/// What is for lanes of so many bytes: the first of lanes of 1, the last of lanes of 8.
pub(super) fn of_size(size: usize, all: [Opcode; 4]) -> Opcode {
    all[size.trailing_zeros() as usize]
}

/// The comparison of integers of `size` bytes in vectors of 512 bits, and the last byte.
pub(super) fn compare(op: Op, size: usize, is_unsigned: bool) -> Option<(Opcode, u8)> {
    let predicate = match op {
        Op::Eq => 0,
        Op::Lt => 1,
        Op::Le => 2,
        Op::Ne => 4,
        Op::Ge => 5,
        Op::Gt => 6,
        _ => return None,
    };
    let all = match is_unsigned {
        false => [CompareSb, CompareSw, CompareSd, CompareSq],
        true => [CompareUb, CompareUw, CompareUd, CompareUq],
    };
    Some((of_size(size, all), predicate))
}

/// The opcode on integers of `size` bytes.
pub(super) fn on_integers(op: Op, size: usize, is_unsigned: bool, width: Width) -> Option<Opcode> {
    let by_size = |all: [Opcode; 4]| Some(of_size(size, all));
    let narrow = |all: [Opcode; 3]| all.get(size.trailing_zeros() as usize).copied();
    match op {
        Op::Add => by_size([AddB, AddW, AddD, AddQ]),
        Op::Sub => by_size([SubB, SubW, SubD, SubQ]),
        Op::Mul if size == 2 => Some(MulW),
        Op::Mul if size == 4 => Some(MulD),
        Op::Mul if size == 8 && width == Width::Bits512 => Some(MulQ),
        Op::Lesser if is_unsigned => narrow([MinUb, MinUw, MinUd]),
        Op::Lesser => narrow([MinSb, MinSw, MinSd]),
        Op::Greater if is_unsigned => narrow([MaxUb, MaxUw, MaxUd]),
        Op::Greater => narrow([MaxSb, MaxSw, MaxSd]),
        Op::And => Some(And),
        Op::Or => Some(Or),
        Op::Xor => Some(Xor),
        Op::Eq => by_size([EqB, EqW, EqD, EqQ]),
        Op::Gt if !is_unsigned => by_size([GtB, GtW, GtD, GtQ]),
        Op::Shl if size >= 4 => Some(if size == 4 { SllvD } else { SllvQ }),
        Op::Shr if size == 4 => Some(if is_unsigned { SrlvD } else { SravD }),
        Op::Shr if size == 8 && is_unsigned => Some(SrlvQ),
        Op::Shr if size == 8 && width == Width::Bits512 => Some(SravQ),
        _ => None,
    }
}

/// The shift of all lanes by one count.
pub(super) fn shift(op: Op, size: usize, is_unsigned: bool, width: Width) -> Option<Opcode> {
    match (op, size) {
        (Op::Shl, 2) => Some(SllW),
        (Op::Shl, 4) => Some(SllD),
        (Op::Shl, 8) => Some(SllQ),
        (Op::Shr, 2) => Some(if is_unsigned { SrlW } else { SraW }),
        (Op::Shr, 4) => Some(if is_unsigned { SrlD } else { SraD }),
        (Op::Shr, 8) if is_unsigned => Some(SrlQ),
        (Op::Shr, 8) if width == Width::Bits512 => Some(SraQ),
        _ => None,
    }
}

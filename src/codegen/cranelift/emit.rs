//! One strip instruction to Cranelift's.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::V128Imm;
use cranelift_codegen::ir::{
    ConstantData, Endianness, InstBuilder, InstructionData, MemFlagsData as MemFlags, Type, Value, types,
};

use super::function::Body;
use crate::dtype::DType;
use crate::ir::Op;
use crate::strip::{Inst, Reg, RegType};

/// Bytes of the vectors that Cranelift has.
pub(super) const BYTES: usize = 16;

/// How a register is typed: a mask as integers of its lanes' size.
pub(super) fn clif_type(reg_type: RegType) -> Type {
    match reg_type {
        RegType::Vector(DType::F32) => types::F32X4,
        RegType::Vector(DType::F64) => types::F64X2,
        _ => int_type(reg_type.size()),
    }
}

fn int_type(size: usize) -> Type {
    match size {
        1 => types::I8X16,
        2 => types::I16X8,
        4 => types::I32X4,
        _ => types::I64X2,
    }
}

/// Emits an instruction that is no region; gives what it computes.
pub(super) fn inst(body: &mut Body<'_>, reg: Option<Reg>, inst: &Inst) -> Option<Value> {
    if let Inst::Store { array, offset, bytes, value } = inst {
        store(body, *array, *offset, *bytes, *value);
        return None;
    }
    if let Inst::Keep { array, offset, value, .. } = inst {
        *body.kept_at(*array, *offset) = body.value(*value);
        return None;
    }
    let reg_type = body.reg_type(reg.expect("an instruction with a result names it"));
    let ty = clif_type(reg_type);
    Some(match inst {
        Inst::Const(bits) => {
            let mask = matches!(reg_type, RegType::Mask(_));
            constant(body, ty, if mask { bits.wrapping_neg() } else { *bits })
        }
        Inst::Scalar(slot) => {
            let scalars = body.scalars.expect("scalars are known from the entry");
            let offset = *slot as i32 * 8;
            let scalar = body.builder.ins().load(ty.lane_type(), MemFlags::trusted(), scalars, offset);
            body.builder.ins().splat(ty, scalar)
        }
        Inst::Load { array, offset, bytes } => load(body, ty, *array, *offset, *bytes),
        Inst::Recall { array, offset, .. } => *body.kept_at(*array, *offset),
        Inst::Store { .. } | Inst::Keep { .. } | Inst::When { .. } | Inst::Enter { .. } | Inst::Repeat { .. } => {
            panic!("{inst:?} has no single result")
        }
        Inst::Apply(op, operands) => apply(body, reg_type, *op, operands),
        Inst::Shift(op, x, count) => {
            let (x, count) = (body.value(*x), body.builder.ins().iconst(types::I32, i64::from(*count)));
            shift(body, reg_type, *op, x, count)
        }
        Inst::Bitcast(x) => body.value_as(*x, ty),
        Inst::WidenLow(x) => widen_low(body, *x),
        Inst::WidenHigh(x) => widen_high(body, *x),
        Inst::Narrow(x, y) => narrow(body, reg_type, *x, y.unwrap_or(*x)),
        Inst::ToF32(x) => {
            let x = body.value(*x);
            body.builder.ins().fcvt_from_sint(types::F32X4, x)
        }
        Inst::ToF64Low(x) => {
            let x = body.value(*x);
            to_f64(body, x)
        }
        Inst::ToF64High(x) => {
            let x = high_half(body, *x);
            let x = bitcast(body, types::I32X4, x);
            to_f64(body, x)
        }
        Inst::Lookup(table, x, y) => lookup(body, ty, *table, *x, *y),
        Inst::Gather(whole, x, y) => gather(body, ty, *whole, *x, *y),
    })
}

pub(super) fn bitcast(body: &mut Body<'_>, ty: Type, x: Value) -> Value {
    if body.builder.func.dfg.value_type(x) == ty {
        return x;
    }
    body.builder.ins().bitcast(ty, MemFlags::new().with_endianness(Endianness::Little), x)
}

/// The bits in every lane.
fn constant(body: &mut Body<'_>, ty: Type, bits: u64) -> Value {
    let size = ty.lane_type().bytes() as usize;
    let lanes: Vec<u8> = bits.to_le_bytes()[..size].iter().copied().cycle().take(BYTES).collect();
    let handle = body.builder.func.dfg.constants.insert(ConstantData::from(lanes.as_slice()));
    body.builder.ins().vconst(ty, handle)
}

/// Arrays come from safe slices or bytes: aligned for nothing.
pub(super) fn memory() -> MemFlags {
    MemFlags::new().with_notrap()
}

/// The first element of the group, and how many bytes from there.
fn address(body: &mut Body<'_>, array: u32, offset: u32, size: usize) -> (Value, i32) {
    (body.place(array), (offset as usize * size) as i32)
}

fn load(body: &mut Body<'_>, ty: Type, array: u32, offset: u32, bytes: u32) -> Value {
    let (address, offset) = address(body, array, offset, ty.lane_type().bytes() as usize);
    load_from(body, ty, address, offset, bytes)
}

/// `bytes` that lie `offset` bytes behind an address.
pub(super) fn load_from(body: &mut Body<'_>, ty: Type, address: Value, offset: i32, bytes: u32) -> Value {
    let part = match bytes {
        16 if body.isa.folds_loads => return body.builder.ins().load(ty, memory(), address, offset),
        16 => {
            let lanes = body.builder.ins().load(int_type(ty.lane_type().bytes() as usize), memory(), address, offset);
            return bitcast(body, ty, lanes);
        }
        8 => types::I64,
        4 => types::I32,
        _ => panic!("a load is of 4, 8 or 16 bytes"),
    };
    let scalar = body.builder.ins().load(part, memory(), address, offset);
    let vector = body.builder.ins().scalar_to_vector(int_type(bytes as usize), scalar);
    bitcast(body, ty, vector)
}

fn store(body: &mut Body<'_>, array: u32, offset: u32, bytes: u32, value: Reg) {
    let size = body.reg_type(value).size();
    let (address, offset) = address(body, array, offset, size);
    let value = body.value(value);
    store_to(body, value, address, offset, bytes);
}

/// The first `bytes` of a value to a place so many bytes behind an address.
pub(super) fn store_to(body: &mut Body<'_>, value: Value, address: Value, offset: i32, bytes: u32) {
    let stored = match bytes {
        16 => value,
        4 | 8 => {
            let lanes = bitcast(body, int_type(bytes as usize), value);
            body.builder.ins().extractlane(lanes, 0)
        }
        _ => panic!("a store is of 4, 8 or 16 bytes"),
    };
    body.builder.ins().store(memory(), stored, address, offset);
}

fn apply(body: &mut Body<'_>, reg_type: RegType, op: Op, operands: &[Reg; 3]) -> Value {
    if op == Op::Select {
        return select(body, clif_type(reg_type), operands);
    }
    let operand_type = body.reg_type(operands[op.arity() - 1]);
    let operands = if op == Op::Fma { &fused(body, *operands) } else { operands };
    let mut values = operands[..op.arity()].iter().map(|reg| body.value(*reg));
    let x = values.next().expect("an op has an operand");
    let (y, z) = (values.next().unwrap_or(x), values.next().unwrap_or(x));
    drop(values);
    let ins = body.builder.ins();
    let is_float = matches!(operand_type, RegType::Vector(dtype) if dtype.is_float());
    let is_unsigned = matches!(operand_type, RegType::Vector(dtype) if dtype.is_unsigned_int());
    match op {
        Op::Add if is_float => ins.fadd(x, y),
        Op::Sub if is_float => ins.fsub(x, y),
        Op::Mul if is_float => ins.fmul(x, y),
        Op::Add => ins.iadd(x, y),
        Op::Sub => ins.isub(x, y),
        Op::Mul => ins.imul(x, y),
        Op::Div => ins.fdiv(x, y),
        Op::Sqrt => ins.sqrt(x),
        Op::Fma => ins.fma(x, y, z),
        Op::Floor => ins.floor(x),
        Op::Ceil => ins.ceil(x),
        Op::Trunc => ins.trunc(x),
        Op::Round => ins.nearest(x),
        // In these words Cranelift knows the machine's own minimum and maximum.
        Op::Lesser if is_float => {
            let less = ins.fcmp(FloatCC::LessThan, x, y);
            let less = bitcast(body, clif_type(reg_type), less);
            body.builder.ins().bitselect(less, x, y)
        }
        Op::Greater if is_float => {
            let less = ins.fcmp(FloatCC::LessThan, y, x);
            let less = bitcast(body, clif_type(reg_type), less);
            body.builder.ins().bitselect(less, x, y)
        }
        Op::Lesser if is_unsigned => ins.umin(x, y),
        Op::Lesser => ins.smin(x, y),
        Op::Greater if is_unsigned => ins.umax(x, y),
        Op::Greater => ins.smax(x, y),
        Op::And => ins.band(x, y),
        Op::Or => ins.bor(x, y),
        Op::Xor => match (sign_of(body, x), sign_of(body, y)) {
            (_, Some(ty)) => negative(body, ty, x),
            (Some(ty), _) => negative(body, ty, y),
            _ => body.builder.ins().bxor(x, y),
        },
        Op::Not => ins.bnot(x),
        Op::Shl | Op::Shr => shift_lanes(body, reg_type, op, x, y),
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge if is_float => ins.fcmp(float_condition(op), x, y),
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => ins.icmp(int_condition(op, is_unsigned), x, y),
        _ => panic!("legalize leaves no {} of {operand_type}", op.name()),
    }
}

/// The floats of whose lanes `x` is all signs, if it is a constant.
fn sign_of(body: &Body<'_>, x: Value) -> Option<Type> {
    let dfg = &body.builder.func.dfg;
    let InstructionData::UnaryConst { constant_handle, .. } = dfg.insts[dfg.value_def(x).inst()?] else { return None };
    let bytes = dfg.constants.get(constant_handle).as_slice();
    let is_sign =
        |size: usize| bytes.iter().enumerate().all(|(k, byte)| *byte == if k % size == size - 1 { 0x80 } else { 0 });
    match dfg.value_type(x) {
        types::I64X2 if is_sign(8) => Some(types::F64X2),
        types::I32X4 if is_sign(4) => Some(types::F32X4),
        _ => None,
    }
}

/// Cranelift makes one instruction of a negation and a multiply-add behind it.
fn negative(body: &mut Body<'_>, ty: Type, x: Value) -> Value {
    let x = bitcast(body, ty, x);
    body.builder.ins().fneg(x)
}

/// The operands of a fused multiply-add, whose result takes the place of the first: better of one that nobody needs any more.
fn fused(body: &Body<'_>, [x, y, z]: [Reg; 3]) -> [Reg; 3] {
    if body.is_free(y) && !body.is_free(x) { [y, x, z] } else { [x, y, z] }
}

fn float_condition(op: Op) -> FloatCC {
    match op {
        Op::Eq => FloatCC::Equal,
        Op::Ne => FloatCC::NotEqual,
        Op::Lt => FloatCC::LessThan,
        Op::Le => FloatCC::LessThanOrEqual,
        Op::Gt => FloatCC::GreaterThan,
        _ => FloatCC::GreaterThanOrEqual,
    }
}

fn int_condition(op: Op, is_unsigned: bool) -> IntCC {
    let signed = match op {
        Op::Eq => IntCC::Equal,
        Op::Ne => IntCC::NotEqual,
        Op::Lt => IntCC::SignedLessThan,
        Op::Le => IntCC::SignedLessThanOrEqual,
        Op::Gt => IntCC::SignedGreaterThan,
        _ => IntCC::SignedGreaterThanOrEqual,
    };
    if is_unsigned { signed.unsigned() } else { signed }
}

/// A mask's lanes are all ones or all zeros, so choosing by the top bit of a lane is as good as by each bit.
fn select(body: &mut Body<'_>, ty: Type, operands: &[Reg; 3]) -> Value {
    let size = ty.lane_type().bytes() as usize;
    // There is no blend of 16-bit lanes; bytes do as well.
    let lanes = if body.isa.has_blend && size == 2 { types::I8X16 } else { int_type(size) };
    let [mask, x, y] = operands.map(|reg| body.value_as(reg, lanes));
    let chosen = if body.isa.has_blend {
        body.builder.ins().blendv(mask, x, y)
    } else {
        body.builder.ins().bitselect(mask, x, y)
    };
    bitcast(body, ty, chosen)
}

fn shift(body: &mut Body<'_>, reg_type: RegType, op: Op, x: Value, count: Value) -> Value {
    let is_unsigned = matches!(reg_type, RegType::Vector(dtype) if dtype.is_unsigned_int());
    match op {
        Op::Shl => body.builder.ins().ishl(x, count),
        _ if is_unsigned => body.builder.ins().ushr(x, count),
        _ => body.builder.ins().sshr(x, count),
    }
}

/// Cranelift shifts all lanes by one count, so each goes by itself.
fn shift_lanes(body: &mut Body<'_>, reg_type: RegType, op: Op, x: Value, counts: Value) -> Value {
    let mut shifted = x;
    for lane in 0..clif_type(reg_type).lane_count() as u8 {
        let (element, count) = (body.builder.ins().extractlane(x, lane), body.builder.ins().extractlane(counts, lane));
        let element = shift(body, reg_type, op, element, count);
        shifted = body.builder.ins().insertlane(shifted, element, lane);
    }
    shifted
}

/// The upper 8 bytes moved down.
fn high_half(body: &mut Body<'_>, x: Reg) -> Value {
    let bytes = body.value_as(x, types::I8X16);
    let mask = std::array::from_fn(|k| 8 + (k % 8) as u8);
    shuffle(body, bytes, bytes, mask)
}

/// The bytes of `x` and `y` by number.
fn shuffle(body: &mut Body<'_>, x: Value, y: Value, bytes: [u8; BYTES]) -> Value {
    let mask = body.builder.func.dfg.immediates.push(ConstantData::from(V128Imm(bytes)));
    body.builder.ins().shuffle(x, y, mask)
}

fn widen_low(body: &mut Body<'_>, x: Reg) -> Value {
    let (value, from) = (body.value(x), body.reg_type(x));
    let ins = body.builder.ins();
    match from {
        RegType::Vector(dtype) if dtype.is_float() => ins.fvpromote_low(value),
        RegType::Vector(dtype) if dtype.is_unsigned_int() => ins.uwiden_low(value),
        RegType::Vector(_) | RegType::Mask(_) => ins.swiden_low(value),
    }
}

fn widen_high(body: &mut Body<'_>, x: Reg) -> Value {
    let value = body.value(x);
    match body.reg_type(x) {
        RegType::Vector(dtype) if dtype.is_float() => {
            let low = high_half(body, x);
            let low = bitcast(body, types::F32X4, low);
            body.builder.ins().fvpromote_low(low)
        }
        RegType::Vector(dtype) if dtype.is_unsigned_int() => body.builder.ins().uwiden_high(value),
        RegType::Vector(_) | RegType::Mask(_) => body.builder.ins().swiden_high(value),
    }
}

fn narrow(body: &mut Body<'_>, to: RegType, x: Reg, y: Reg) -> Value {
    let ty = clif_type(to);
    if to == RegType::Vector(DType::F32) {
        let [x, y] = [x, y].map(|reg| {
            let value = body.value(reg);
            let half = body.builder.ins().fvdemote(value);
            bitcast(body, types::I8X16, half)
        });
        let joined = shuffle(body, x, y, std::array::from_fn(|k| if k < 8 { k as u8 } else { 8 + k as u8 }));
        return bitcast(body, ty, joined);
    }
    if to.size() == 4 {
        // The lower half of each of the four.
        let [x, y] = [x, y].map(|reg| body.value_as(reg, types::I8X16));
        let joined = shuffle(body, x, y, std::array::from_fn(|k| (k / 4 * 8 + k % 4) as u8));
        return bitcast(body, ty, joined);
    }
    let [x, y] = [x, y].map(|reg| body.value(reg));
    match to {
        RegType::Mask(_) => body.builder.ins().snarrow(x, y),
        RegType::Vector(_) => {
            // Without its upper half no lane saturates.
            let wide = int_type(to.size() * 2);
            let low = constant(body, wide, u64::MAX >> (64 - 8 * to.size()));
            let [x, y] = [x, y].map(|x| body.builder.ins().band(x, low));
            body.builder.ins().unarrow(x, y)
        }
    }
}

/// The lower two of four lanes, in the words that Cranelift has one instruction for.
fn to_f64(body: &mut Body<'_>, x: Value) -> Value {
    let wide = body.builder.ins().swiden_low(x);
    body.builder.ins().fcvt_from_sint(types::F64X2, wide)
}

fn lookup(body: &mut Body<'_>, ty: Type, table: u32, x: Reg, y: Option<Reg>) -> Value {
    let base = body.tables[table as usize].as_ptr() as i64;
    let base = body.builder.ins().iconst(body.pointer, base);
    at_lanes(body, ty, x, y, |body, index| {
        let offset = body.builder.ins().ishl_imm_u(index, 3);
        let address = body.builder.ins().iadd(base, offset);
        body.builder.ins().load(ty.lane_type(), MemFlags::trusted(), address, 0)
    })
}

fn gather(body: &mut Body<'_>, ty: Type, whole: u32, x: Reg, y: Option<Reg>) -> Value {
    let base = body.load_address(body.strip.whole(whole));
    let (_, dtype) = body.strip.wholes[whole as usize];
    at_lanes(body, ty, x, y, |body, offset| {
        let address = body.builder.ins().iadd(base, offset);
        let ins = body.builder.ins();
        match dtype.size() {
            1 => ins.uload8(types::I32, memory(), address, 0),
            2 => ins.uload16(types::I32, memory(), address, 0),
            _ => ins.load(ty.lane_type(), memory(), address, 0),
        }
    })
}

/// What `element` makes of each i64 lane of the registers.
fn at_lanes(
    body: &mut Body<'_>,
    ty: Type,
    x: Reg,
    y: Option<Reg>,
    element: impl Fn(&mut Body<'_>, Value) -> Value,
) -> Value {
    let per_register = BYTES as u8 / 8;
    let mut found = constant(body, ty, 0);
    for (k, reg) in [Some(x), y].into_iter().flatten().enumerate() {
        let indices = body.value(reg);
        for lane in 0..per_register {
            let index = body.builder.ins().extractlane(indices, lane);
            let element = element(body, index);
            found = body.builder.ins().insertlane(found, element, lane + k as u8 * per_register);
        }
    }
    found
}

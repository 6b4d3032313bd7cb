//! The encoder against iced-x86's decoder, in every form that an instruction can take.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use super::abi::{SYSTEM_V, WINDOWS};
use super::encode::{Assembler, Gpr, Place};
use super::opcode::{Opcode, Row, Shape, Width};
use super::{Isa, generate};
use crate::dtype::DType;
use crate::ir::{Builder, Op, Output, Param, Rank, Value};
use crate::passes;
use crate::stage::Stage;
use crate::strip::{Strip, vectorise};
use crate::target::Target;

/// Every register of its kind that an operand may be, and one beside it.
const REGISTERS: [u8; 4] = [0, 7, 8, 15];

/// Those that vectors of 512 bits have besides.
const MORE_REGISTERS: [u8; 4] = [16, 23, 24, 31];

/// Of one byte, of four, and what becomes one byte where whole vectors are counted.
const OFFSETS: [i32; 8] = [0, 32, -1, 127, 128, -4096, 8128, 8192];

fn registers(width: Width) -> Vec<u8> {
    let more = if width == Width::Bits512 { &MORE_REGISTERS[..] } else { &[] };
    [&REGISTERS, more].concat()
}

fn places(row: &Row, width: Width) -> Vec<Place> {
    let vectors = || registers(width).into_iter().map(Place::Vector);
    let masks = || width.masks().map(Place::Vector);
    let gathers = row.shape == Shape::Gather;
    let bases = (0..16).map(Gpr);
    let with_index = |base: Gpr| {
        // The number of rsp means that there is no index, unless vectors are meant.
        let indices = (0..if gathers { width.registers() } else { 16 }).filter(|index| gathers || *index != 4);
        indices.flat_map(move |index| [0, 3].map(|scale| (base, Some((index, scale)))))
    };
    let alone = bases.clone().filter(|_| !gathers).map(|base| (base, None));
    let memory = alone.chain(bases.flat_map(with_index));
    let memory = memory.flat_map(|(base, index)| OFFSETS.map(|offset| Place::Memory { base, index, offset }));
    let memory = memory.chain([Place::Data(96)].into_iter().filter(|_| !gathers));
    match row.shape {
        // From a register they would take a general one.
        Shape::Binary if row.bytes(width) <= 2 => memory.collect(),
        Shape::Broadcast | Shape::Store | Shape::Gather => memory.collect(),
        Shape::ToGeneral => REGISTERS.map(Place::Vector).to_vec(),
        Shape::Shift | Shape::Extract => vectors().collect(),
        Shape::FromMask | Shape::MaskBinary | Shape::MaskTest => masks().collect(),
        // A part of a mask, the complement and what is shifted are of registers.
        Shape::MaskUnary if row.code != 0x90 || !row.w || row.prefix as u8 != 0 => masks().collect(),
        Shape::MaskUnary => memory.chain(masks()).collect(),
        Shape::MaskStore => memory.collect(),
        Shape::MaskedBlend
        | Shape::Unary
        | Shape::Binary
        | Shape::Fused
        | Shape::Compare
        | Shape::Blend
        | Shape::Test => memory.chain(vectors()).collect(),
    }
}

fn vector(number: u8, bytes: u32) -> Register {
    let first = match bytes {
        64 => Register::ZMM0,
        32 => Register::YMM0,
        _ => Register::XMM0,
    };
    first + u32::from(number)
}

fn check_place(row: &Row, width: Width, place: Place, found: &Instruction, operand: u32) {
    match place {
        Place::Vector(number) if row.shape == Shape::ToGeneral => {
            assert_eq!(found.op_register(operand), Register::RAX + u32::from(number), "{found:?}")
        }
        Place::Vector(number) if row.shape == Shape::FromMask || row.is_of_masks() => {
            assert_eq!(found.op_register(operand), Register::K0 + u32::from(number), "{found:?}")
        }
        Place::Vector(number) => {
            assert_eq!(found.op_register(operand), vector(number, row.bytes(width)), "{found:?}")
        }
        Place::Data(_) => {
            assert_eq!((found.op_kind(operand), found.memory_base()), (OpKind::Memory, Register::RIP), "{found:?}");
        }
        Place::Memory { base, index, offset } => {
            assert_eq!(found.op_kind(operand), OpKind::Memory, "{found:?}");
            assert_eq!(found.memory_base(), Register::RAX + u32::from(base.0), "{found:?}");
            assert_eq!(found.memory_displacement64() as i64, i64::from(offset), "{found:?}");
            let first = match row.shape {
                Shape::Gather => vector(0, width.bytes() as u32),
                _ => Register::RAX,
            };
            let expected = index.map_or(Register::None, |(index, _)| first + u32::from(index));
            assert_eq!(found.memory_index(), expected, "{found:?}");
            if let Some((_, scale)) = index {
                assert_eq!(found.memory_index_scale(), 1 << scale, "{found:?}");
            }
        }
    }
}

#[test]
fn every_form_reads_as_it_was_meant() {
    for width in [Width::Bits256, Width::Bits512] {
        let vectors = registers(width);
        let masks: Vec<u8> = width.masks().collect();
        for opcode in Opcode::ALL.iter().filter(|opcode| opcode.row().is_of(width)) {
            let row = opcode.row();
            let takes_byte = matches!(row.map as u8, 3) || matches!(row.code, 0xc2 | 0xc4 | 0xc6) && row.map as u8 == 1;
            let byte = (takes_byte || row.shape == Shape::Shift).then_some(1);
            let registers = if row.is_of_masks() { &masks } else { &vectors };
            for place in places(row, width) {
                for (k, first) in registers.iter().enumerate() {
                    check(width, *opcode, *first, registers[(k + 1) % registers.len()], place, byte);
                }
            }
        }
    }
}

fn check(width: Width, opcode: Opcode, first: u8, second: u8, place: Place, byte: Option<u8>) {
    let row = opcode.row();
    let is_masked = width == Width::Bits512;
    let (first, second) = match row.shape {
        Shape::Shift => (row.digit, second),
        Shape::Gather if is_masked => (first, 0),
        Shape::Compare if is_masked => (first & 7, second),
        Shape::MaskUnary | Shape::MaskStore | Shape::MaskTest => (first, 0),
        Shape::Unary | Shape::Broadcast | Shape::Extract | Shape::ToGeneral => (first, 0),
        Shape::FromMask | Shape::Store | Shape::Test => (first, 0),
        Shape::Binary | Shape::Fused | Shape::Compare | Shape::Blend | Shape::Gather => (first, second),
        Shape::MaskedBlend | Shape::MaskBinary => (first, second),
    };
    let byte = if row.shape == Shape::Blend { Some(0x90) } else { byte };
    if let (Shape::Gather, Place::Memory { index: Some((index, _)), .. }) = (row.shape, place)
        && (index == first || !is_masked && (index == second || first == second))
    {
        // No gather may have a register twice.
        return;
    }
    let mut assembler = Assembler::new(width, 16, true);
    // Any but the first, in which no mask has a meaning.
    let mask = 1 + first % 7;
    let takes_mask = is_masked && matches!(row.shape, Shape::Gather | Shape::MaskedBlend);
    match takes_mask {
        true => assembler.masked(opcode, mask, first, second, place),
        false => assembler.vector(opcode, first, second, place, byte),
    }
    let length = assembler.bytes.len();
    let text = assembler.listing.as_ref().expect("a listing was asked for")[0].1.clone();
    let bytes = assembler.finish(&[0; 128], 64);
    let found = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
    assert_eq!(found.len(), length, "{text}: {:02x?}", &bytes[..length]);
    assert_eq!(format!("{:?}", found.mnemonic()).to_lowercase(), row.name(width), "{text}");
    if let Place::Data(datum) = place {
        assert_eq!(found.memory_displacement64(), 64 + u64::from(datum), "{text}");
    }
    let whole = row.vector_bytes(width);
    let result = if opcode.halves() { whole / 2 } else { whole };
    let mask = if takes_mask { Register::K0 + u32::from(mask) } else { Register::None };
    assert_eq!(found.op_mask(), mask, "{text}");
    let register = |number: u8, bytes: u32| match row.is_of_masks() {
        true => Register::K0 + u32::from(number),
        false => vector(number, bytes),
    };
    match row.shape {
        Shape::Unary | Shape::Broadcast | Shape::FromMask | Shape::Test | Shape::MaskUnary | Shape::MaskTest => {
            assert_eq!(found.op0_register(), register(first, result), "{text}");
            check_place(row, width, place, &found, 1);
        }
        Shape::Binary | Shape::Fused | Shape::Compare | Shape::Blend | Shape::MaskedBlend | Shape::MaskBinary => {
            let is_mask = is_masked && row.shape == Shape::Compare;
            let first = if is_mask { Register::K0 + u32::from(first) } else { register(first, result) };
            assert_eq!(found.op0_register(), first, "{text}");
            assert_eq!(found.op1_register(), register(second, result), "{text}");
            check_place(row, width, place, &found, 2);
        }
        Shape::Shift => {
            assert_eq!(found.op0_register(), vector(second, whole), "{text}");
            check_place(row, width, place, &found, 1);
        }
        Shape::Extract | Shape::ToGeneral | Shape::Store | Shape::MaskStore => {
            check_place(row, width, place, &found, 0);
            assert_eq!(found.op1_register(), register(first, whole), "{text}");
        }
        Shape::Gather => {
            assert_eq!(found.op0_register(), vector(first, result), "{text}");
            check_place(row, width, place, &found, 1);
            if !is_masked {
                assert_eq!(found.op2_register(), vector(second, result), "{text}");
            }
        }
    }
    if row.shape == Shape::Blend {
        assert_eq!(found.op3_register(), vector(9, whole), "{text}");
    } else if let Some(byte) = byte {
        assert_eq!(found.immediate8(), byte, "{text}");
    }
    assert!(text.starts_with(row.name(width)), "{text}");
}

/// The sum of so many arrays, and sines of it, which spill.
fn crowded(arrays: usize, sines: usize, target: &Target) -> Strip {
    let param = |k: usize| Param { name: k.to_string().into(), dtype: DType::F64, rank: Rank::Array };
    let mut b = Builder::new((0..arrays).map(param).collect());
    let params: Vec<Value> = (0..arrays).map(|k| b.param(k)).collect();
    let sum = params.into_iter().reduce(|x, y| b.add(x, y)).expect("there are arrays");
    let sines: Vec<Value> = (0..sines)
        .map(|k| {
            let shift = b.f64(k as f64);
            let shifted = b.add(sum, shift);
            b.apply(Op::Sin, &[shifted])
        })
        .collect();
    let value = sines.into_iter().fold(sum, |x, y| b.mul(x, y));
    let graph = b.finish(vec![Output { name: "0".into(), value }]);
    let graph = passes::run(graph, target);
    vectorise(&Stage { graph, outputs: vec![0], totals: Vec::new(), folds: Vec::new(), feeds: Vec::new() }, target)
}

#[test]
fn functions_read_as_they_are_listed_and_give_back_what_they_took() {
    let isas = [Width::Bits256, Width::Bits512].into_iter().filter_map(|width| Isa::host(width).ok());
    for (isa, convention) in isas.flat_map(|isa| [(isa.clone(), &SYSTEM_V), (isa, &WINDOWS)]) {
        for (arrays, sines) in [(1, 0), (3, 0), (12, 0), (2, 3), (12, 3)] {
            let emitted = generate(&crowded(arrays, sines, &isa.target()), &isa, convention, true);
            let (mut start, mut pushed, mut saved) = (0, Vec::new(), 0);
            for (end, line) in emitted.listing.expect("a listing was asked for") {
                if start == end {
                    continue;
                }
                let found = Decoder::with_ip(64, &emitted.bytes[start..end], 0, DecoderOptions::NONE).decode();
                let name = format!("{:?}", found.mnemonic()).to_lowercase();
                let listed = line.split(' ').next().expect("a line begins with a name");
                let listed = if let "jz" | "jnz" = listed { listed.replace('z', "e") } else { listed.to_owned() };
                assert_eq!((&name, found.len()), (&listed, end - start), "{line}");
                let is_stack = found.memory_base() == Register::RSP;
                match found.mnemonic() {
                    Mnemonic::Push => pushed.push(found.op0_register()),
                    Mnemonic::Pop => assert_eq!(pushed.pop(), Some(found.op0_register()), "{line}"),
                    Mnemonic::Ret => assert!(pushed.is_empty(), "the stack is as it was"),
                    // Whole vectors are spilled, and halves kept for the caller.
                    Mnemonic::Vmovups
                        if is_stack && (Register::XMM0..=Register::XMM15).contains(&found.op1_register()) =>
                    {
                        saved += 1
                    }
                    _ => {}
                }
                start = end;
            }
            let functions = 1 + usize::from(emitted.streaming.is_some());
            assert_eq!(saved, functions * (16 - usize::from(convention.first_saved_vector)));
        }
    }
}

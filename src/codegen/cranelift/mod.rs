//! Strip to machine code by way of Cranelift: every ISA that it has, in vectors of 128 bits. The only place that names it.

mod emit;
mod function;
mod isa;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, LibCall};
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;

use super::Object;
use crate::strip::Strip;

pub(crate) use isa::Isa;

/// The strip as machine code for `isa`.
///
/// # Panics
/// If Cranelift has no code for an instruction of the strip: a gap that `legalize` or `emit` ought to fill.
pub(crate) fn compile(strip: &Strip, isa: &Isa) -> Object {
    let (mut context, tables) = build(strip, isa);
    let compiled = context.compile(&*isa.target, &mut ControlPlane::default());
    let compiled = compiled.unwrap_or_else(|error| panic!("code for every strip: {:?}", error.inner));
    assert!(compiled.buffer.traps().is_empty(), "no instruction traps");
    let addresses = compiled.buffer.relocs().iter().map(|reloc| {
        assert_eq!(reloc.kind, Reloc::Abs8, "an address is absolute");
        let FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) = &reloc.target else {
            panic!("code refers to nothing but library calls: {:?}", reloc.target)
        };
        (reloc.offset as usize, library(*call) + reloc.addend as usize)
    });
    let addresses = addresses.collect();
    let align = compiled.buffer.alignment as usize;
    Object { bytes: compiled.code_buffer().to_vec(), align, streaming: None, addresses, tables }
}

/// The strip in Cranelift's own text form.
pub(crate) fn clif(strip: &Strip, isa: &Isa) -> String {
    build(strip, isa).0.func.display().to_string()
}

/// The machine code as text.
pub(crate) fn asm(strip: &Strip, isa: &Isa) -> String {
    let (mut context, _) = build(strip, isa);
    context.set_disasm(true);
    let compiled = context.compile(&*isa.target, &mut ControlPlane::default());
    let compiled = compiled.unwrap_or_else(|error| panic!("code for every strip: {:?}", error.inner));
    compiled.vcode.clone().expect("a disassembly was asked for")
}

fn build(strip: &Strip, isa: &Isa) -> (Context, Vec<Box<[u64]>>) {
    let mut context = Context::new();
    let tables = function::build(strip, isa, &mut context.func, &mut FunctionBuilderContext::new());
    (context, tables)
}

/// What an x86-64 without SSE4.1 or FMA calls instead: exact, one lane at a time.
fn library(call: LibCall) -> usize {
    extern "C" fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    extern "C" fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
    extern "C" fn floor_f32(x: f32) -> f32 {
        x.floor()
    }
    extern "C" fn floor_f64(x: f64) -> f64 {
        x.floor()
    }
    extern "C" fn ceil_f32(x: f32) -> f32 {
        x.ceil()
    }
    extern "C" fn ceil_f64(x: f64) -> f64 {
        x.ceil()
    }
    extern "C" fn trunc_f32(x: f32) -> f32 {
        x.trunc()
    }
    extern "C" fn trunc_f64(x: f64) -> f64 {
        x.trunc()
    }
    extern "C" fn nearest_f32(x: f32) -> f32 {
        x.round_ties_even()
    }
    extern "C" fn nearest_f64(x: f64) -> f64 {
        x.round_ties_even()
    }
    match call {
        LibCall::FmaF32 => fma_f32 as *const () as usize,
        LibCall::FmaF64 => fma_f64 as *const () as usize,
        LibCall::FloorF32 => floor_f32 as *const () as usize,
        LibCall::FloorF64 => floor_f64 as *const () as usize,
        LibCall::CeilF32 => ceil_f32 as *const () as usize,
        LibCall::CeilF64 => ceil_f64 as *const () as usize,
        LibCall::TruncF32 => trunc_f32 as *const () as usize,
        LibCall::TruncF64 => trunc_f64 as *const () as usize,
        LibCall::NearestF32 => nearest_f32 as *const () as usize,
        LibCall::NearestF64 => nearest_f64 as *const () as usize,
        other => panic!("a strip needs no {other}"),
    }
}

//! Strip to machine code by way of Cranelift: every ISA that it has, in vectors of 128 bits. The only place that names it.

mod emit;
mod function;
mod isa;
mod reads;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, LibCall};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{CompiledCode, Context, FinalizedRelocTarget};

use super::{Object, code};
use crate::strip::Strip;
use function::Functions;
use isa::Scratch;

pub(crate) use isa::Isa;

/// The strip as machine code for `isa`.
///
/// # Panics
/// If Cranelift has no code for an instruction of the strip: a gap that `legalize` or `emit` ought to fill.
pub(crate) fn compile(strip: &Strip, isa: &Isa) -> Object {
    let mut linked = Linked::default();
    let tables = each_function(strip, isa, |context, target| linked.add(compiled(context, target)));
    linked.object(tables)
}

/// The strip in Cranelift's own text form.
pub(crate) fn clif(strip: &Strip, isa: &Isa) -> String {
    let mut texts = Vec::new();
    each_function(strip, isa, |context, _| texts.push(context.func.display().to_string()));
    texts.join("\n")
}

/// The machine code as text.
pub(crate) fn asm(strip: &Strip, isa: &Isa) -> String {
    let mut texts = Vec::new();
    each_function(strip, isa, |context, target| {
        context.set_disasm(true);
        texts.extend(compiled(context, target).vcode.clone());
    });
    texts.join("\n")
}

/// Calls `visit` with each function that the strip becomes, the one around first; gives the tables that they refer to.
fn each_function(strip: &Strip, isa: &Isa, mut visit: impl FnMut(&mut Context, &OwnedTargetIsa)) -> Vec<Box<[u64]>> {
    let functions = Functions::new(strip, isa);
    isa.with_scratch(strip.types.len(), |Scratch { context, builder }| {
        functions.around(&mut context.func, builder);
        visit(context, &isa.target);
        context.clear();
        for routine in functions.routines() {
            functions.routine(routine, &mut context.func, builder);
            visit(context, &isa.target_of_routines);
            context.clear();
        }
    });
    functions.tables
}

fn compiled<'a>(context: &'a mut Context, target: &OwnedTargetIsa) -> &'a CompiledCode {
    let compiled = context.compile(&**target, &mut ControlPlane::default());
    let compiled = compiled.unwrap_or_else(|error| panic!("code for every strip: {:?}", error.inner));
    assert!(compiled.buffer.traps().is_empty(), "no instruction traps");
    compiled
}

/// Functions one behind the other.
#[derive(Default)]
struct Linked {
    bytes: Vec<u8>,
    align: usize,
    /// Where each begins.
    starts: Vec<usize>,
    addresses: Vec<(usize, usize)>,
    /// Places where 4 bytes take how far a function, by its number, is from there, and what to add to that.
    calls: Vec<(usize, usize, i64)>,
}

impl Linked {
    fn add(&mut self, compiled: &CompiledCode) {
        let align = compiled.buffer.alignment as usize;
        self.align = self.align.max(align);
        let start = self.bytes.len().next_multiple_of(align);
        let between = start - self.bytes.len();
        self.bytes.extend(code::TRAP.iter().cycle().take(between));
        self.bytes.extend_from_slice(compiled.code_buffer());
        self.starts.push(start);
        for reloc in compiled.buffer.relocs() {
            let place = start + reloc.offset as usize;
            match (&reloc.target, reloc.kind) {
                (FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)), Reloc::Abs8) => {
                    self.addresses.push((place, library(*call) + reloc.addend as usize));
                }
                // Routines are declared in their order; the function around them has no number.
                (FinalizedRelocTarget::ExternalName(ExternalName::User(routine)), Reloc::X86CallPCRel4) => {
                    self.calls.push((place, routine.as_u32() as usize + 1, reloc.addend));
                }
                (target, kind) => panic!("code refers to library calls and its own functions: {kind} {target:?}"),
            }
        }
    }

    fn object(mut self, tables: Vec<Box<[u64]>>) -> Object {
        for (place, function, addend) in self.calls {
            let distance = self.starts[function] as i64 - place as i64 + addend;
            let distance = i32::try_from(distance).expect("code is shorter than 2 GiB");
            self.bytes[place..place + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let Linked { bytes, align, addresses, .. } = self;
        Object { bytes, align, streaming: None, addresses, tables }
    }
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

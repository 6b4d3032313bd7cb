//! Strip to machine code of x86-64: with AVX2, FMA and BMI in vectors of 256 bits, with AVX-512 in vectors of 512. The only place
//! that names regalloc2.

mod abi;
mod apply;
mod data;
mod emit;
mod encode;
mod function;
mod lower;
mod opcode;
mod select;
#[cfg(test)]
mod tests;
mod uses;

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use regalloc2::{Algorithm, Ctx, MachineEnv, Output, PReg, PRegSet, RegClass, RegallocOptions};

use super::{Object, Streaming};
use crate::error::{Error, ErrorKind, Result};
use crate::strip::Strip;
use crate::target::Target;
use abi::Convention;
use emit::{Emitted, Unit};
use function::{Function, MASKS};
use lower::{Lowered, RoutineFunction};
pub(crate) use opcode::Width;

/// What the backend compiles for, and the allocator's memory, kept from one kernel to the next.
#[derive(Clone)]
pub(crate) struct Isa {
    width: Width,
    contexts: Arc<Mutex<Vec<Ctx>>>,
}

/// More instructions than these leave so much memory in a context that it is not kept.
const LARGE: usize = 4096;

impl Isa {
    /// This machine, if it has what code of that width takes.
    pub(crate) fn host(width: Width) -> Result<Isa> {
        if has_instructions(width) {
            return Ok(Isa { width, contexts: Arc::default() });
        }
        let (code, message) = match width {
            Width::Bits256 => {
                ("no-avx2", "this machine does not have AVX2, FMA and BMI, which the backend `X64` takes")
            }
            Width::Bits512 => {
                ("no-avx512", "this machine does not have AVX-512 with VBMI, which the backend `Avx512` takes")
            }
        };
        Err(Error::new(ErrorKind::Host, code, message).with_hint("`Backend::Auto` takes what the machine has"))
    }

    pub(crate) fn width(&self) -> Width {
        self.width
    }

    pub(crate) fn target(&self) -> Target {
        match self.width {
            Width::Bits256 => Target::VECTOR_256,
            Width::Bits512 => Target::VECTOR_512,
        }
    }

    /// Runs `work` with a context that no one else uses.
    fn with_context<R>(&self, insts: usize, work: impl FnOnce(&mut Ctx) -> R) -> R {
        let contexts = || self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        let context = contexts().pop();
        let mut context = context.unwrap_or_default();
        let result = work(&mut context);
        if insts <= LARGE {
            contexts().push(context);
        }
        result
    }
}

#[cfg(target_arch = "x86_64")]
fn has_instructions(width: Width) -> bool {
    use std::arch::is_x86_feature_detected as has;
    let has_avx2 = has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2");
    // The code has no use for VBMI, but machines without it lower their clock where vectors are of 512 bits.
    let has_avx512 =
        || has!("avx512f") && has!("avx512dq") && has!("avx512bw") && has!("avx512vl") && has!("avx512vbmi");
    has_avx2 && (width == Width::Bits256 || has_avx512())
}

#[cfg(not(target_arch = "x86_64"))]
fn has_instructions(_: Width) -> bool {
    false
}

/// The strip, which is made for the ISA's target, as machine code.
///
/// # Panics
/// If there is no code for an instruction of the strip: a gap that `legalize` or `apply` ought to fill.
pub(crate) fn compile(strip: &Strip, isa: &Isa) -> Object {
    let Emitted { bytes, streaming, .. } = generate(strip, isa, Convention::host(), false);
    let streaming = streaming.map(|start| Streaming { start, align: isa.width.bytes() });
    Object { bytes, align: emit::CODE_ALIGN, streaming, addresses: Vec::new(), tables: Vec::new() }
}

/// The machine code as text: the bytes of each instruction and how it reads.
pub(crate) fn asm(strip: &Strip, isa: &Isa) -> String {
    let Emitted { bytes, listing, .. } = generate(strip, isa, Convention::host(), true);
    let mut text = String::new();
    let mut start = 0;
    for (end, line) in listing.expect("a listing was asked for") {
        let code: String = bytes[start..end].iter().map(|byte| format!("{byte:02x}")).collect();
        let wrote =
            if code.is_empty() { writeln!(text, "{line}") } else { writeln!(text, "  {start:5x}  {code:<22}  {line}") };
        wrote.expect("a String takes all");
        start = end;
    }
    text
}

fn generate(strip: &Strip, isa: &Isa, convention: &Convention, is_listed: bool) -> Emitted {
    let Lowered { function, routines, data } = lower::lower(strip, isa.width);
    isa.with_context(function.insts.len(), |context| {
        let mut units = vec![Unit::new(&function, allocated(&function, Algorithm::Ion, context), (0, 0))];
        for RoutineFunction { function, inputs, results } in &routines {
            // What runs rarely had better compile fast.
            let output = allocated(function, Algorithm::Fastalloc, context);
            units.push(Unit::new(function, output, (*inputs, *results)));
        }
        emit::emit(strip, units, convention, &data, is_listed)
    })
}

fn allocated(function: &Function, algorithm: Algorithm, context: &mut Ctx) -> Output {
    let options = RegallocOptions { validate_ssa: cfg!(debug_assertions), algorithm, ..RegallocOptions::default() };
    let output = regalloc2::run_with_ctx(function, &registers(function.width), &options, context);
    output.unwrap_or_else(|error| panic!("registers for every function: {error}")).clone()
}

fn registers(width: Width) -> MachineEnv {
    let mut vectors = PRegSet::empty();
    (0..width.registers()).for_each(|number| vectors.add(PReg::new(number.into(), RegClass::Float)));
    let mut masks = PRegSet::empty();
    width.masks().for_each(|number| masks.add(PReg::new(number.into(), MASKS)));
    MachineEnv {
        preferred_regs_by_class: [masks, vectors, PRegSet::empty()],
        non_preferred_regs_by_class: [PRegSet::empty(); 3],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.width {
            Width::Bits256 => "x86-64 with AVX2, FMA and BMI",
            Width::Bits512 => "x86-64 with AVX-512",
        })
    }
}

//! Strip to machine code of x86-64 with AVX2, FMA and BMI, in vectors of 256 bits. The only place that names regalloc2.

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
use function::{Function, VECTOR_BYTES};
use lower::Lowered;

/// What the backend compiles for, and the allocator's memory, kept from one kernel to the next.
#[derive(Clone)]
pub(crate) struct Isa {
    contexts: Arc<Mutex<Vec<Ctx>>>,
}

/// More instructions than these leave so much memory in a context that it is not kept.
const LARGE: usize = 4096;

impl Isa {
    /// This machine, if it has what the code takes.
    pub(crate) fn host() -> Result<Isa> {
        if has_instructions() {
            return Ok(Isa { contexts: Arc::default() });
        }
        let message = "this machine does not have AVX2, FMA and BMI, which the backend `X64` takes";
        Err(Error::new(ErrorKind::Host, "no-avx2", message).with_hint("`Backend::Auto` takes what the machine has"))
    }

    pub(crate) fn target(&self) -> Target {
        Target::VECTOR_256
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
fn has_instructions() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_instructions() -> bool {
    false
}

/// The strip, which is made for [`Target::VECTOR_256`], as machine code.
///
/// # Panics
/// If there is no code for an instruction of the strip: a gap that `legalize` or `apply` ought to fill.
pub(crate) fn compile(strip: &Strip, isa: &Isa) -> Object {
    let Emitted { bytes, streaming, .. } = generate(strip, isa, Convention::host(), false);
    let streaming = streaming.map(|start| Streaming { start, align: VECTOR_BYTES });
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
    let Lowered { function, aparts: regions, data } = lower::lower(strip);
    isa.with_context(function.insts.len(), |context| {
        let around = Unit::new(&function, allocated(&function, Algorithm::Ion, context), None);
        let mut aparts = Vec::with_capacity(regions.len());
        for apart in &regions {
            // What runs rarely had better compile fast.
            let output = allocated(&apart.function, Algorithm::Fastalloc, context);
            aparts.push(Unit::new(&apart.function, output, Some((apart.entered, apart.results))));
        }
        emit::emit(strip, around, aparts, convention, &data, is_listed)
    })
}

fn allocated(function: &Function, algorithm: Algorithm, context: &mut Ctx) -> Output {
    let options = RegallocOptions { validate_ssa: cfg!(debug_assertions), algorithm, ..RegallocOptions::default() };
    let output = regalloc2::run_with_ctx(function, &registers(), &options, context);
    output.unwrap_or_else(|error| panic!("registers for every function: {error}")).clone()
}

fn registers() -> MachineEnv {
    let mut vectors = PRegSet::empty();
    (0..16).for_each(|number| vectors.add(PReg::new(number, RegClass::Float)));
    MachineEnv {
        preferred_regs_by_class: [PRegSet::empty(), vectors, PRegSet::empty()],
        non_preferred_regs_by_class: [PRegSet::empty(); 3],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x86-64 with AVX2, FMA and BMI")
    }
}

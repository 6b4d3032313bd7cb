//! What Cranelift compiles for.

use std::sync::{Arc, Mutex, PoisonError};

use cranelift_codegen::Context;
use cranelift_codegen::isa::{Builder, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;

use crate::error::{Error, ErrorKind, Result};

/// An instruction set, and how its code is made.
#[derive(Clone)]
pub(crate) struct Isa {
    pub(super) target: OwnedTargetIsa,
    /// The same for routines, which run rarely and had better compile fast.
    pub(super) target_of_routines: OwnedTargetIsa,
    /// Whether routines are functions of their own.
    pub(super) has_routines: bool,
    /// Whether there is an instruction that chooses lanes by their top bit.
    pub(super) has_blend: bool,
    /// Whether any load may become an operand in memory. Without AVX Cranelift 0.135 makes it one of `cmpps` and `cmppd`
    /// although these need it aligned; a load of integers cannot become one.
    pub(super) folds_loads: bool,
    scratches: Arc<Mutex<Vec<Scratch>>>,
}

/// Memory that a compilation leaves to the next.
pub(super) struct Scratch {
    pub(super) context: Context,
    pub(super) builder: FunctionBuilderContext,
}

/// More registers of a strip than these leave so much memory that it is not kept.
const LARGE: usize = 4096;

impl Isa {
    /// The instruction set of this machine.
    pub(crate) fn host() -> Result<Isa> {
        let builder = cranelift_native::builder();
        builder.map(Isa::new).map_err(|error| Error::new(ErrorKind::Host, "no-isa", error))
    }

    /// The instruction set of that name with nothing but what every machine of it has.
    #[cfg(test)]
    pub(crate) fn baseline(name: &str) -> Isa {
        Isa::new(cranelift_codegen::isa::lookup_by_name(name).expect("an ISA that this build knows"))
    }

    fn new(builder: Builder) -> Isa {
        let target = target_of(&builder, "backtracking");
        let target_of_routines = target_of(&builder, "single_pass");
        let has = |name| target.isa_flags().iter().any(|flag| flag.name == name && flag.as_bool() == Some(true));
        let (has_blend, folds_loads) = (has("has_sse41"), has("has_avx"));
        let has_routines = target.name() == "x64";
        Isa { target, target_of_routines, has_routines, has_blend, folds_loads, scratches: Arc::default() }
    }

    /// Runs `work` with memory that no one else uses.
    pub(super) fn with_scratch<R>(&self, registers: usize, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let scratches = || self.scratches.lock().unwrap_or_else(PoisonError::into_inner);
        let known = scratches().pop();
        let mut scratch =
            known.unwrap_or_else(|| Scratch { context: Context::new(), builder: FunctionBuilderContext::new() });
        let result = work(&mut scratch);
        if registers <= LARGE {
            scratches().push(scratch);
        }
        result
    }
}

fn target_of(builder: &Builder, allocator: &str) -> OwnedTargetIsa {
    let mut flags = settings::builder();
    // The strip has the order already: the mid-end would undo the interleaving.
    let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
    let options = [
        ("opt_level", "none"),
        ("enable_verifier", verifier),
        ("unwind_info", "false"),
        ("is_pic", "false"),
        ("regalloc_algorithm", allocator),
        // A frame larger than a page must not step over the one behind the stack.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
    ];
    for (name, value) in options {
        flags.set(name, value).expect("a setting that Cranelift has");
    }
    builder.finish(settings::Flags::new(flags)).expect("settings that agree")
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.target.triple())
    }
}

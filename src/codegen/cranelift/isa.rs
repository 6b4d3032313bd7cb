//! What Cranelift compiles for.

use cranelift_codegen::isa::{Builder, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use crate::error::{Error, ErrorKind, Result};

/// An instruction set, and how its code is made.
#[derive(Clone)]
pub(crate) struct Isa {
    pub(super) target: OwnedTargetIsa,
    /// Whether there is an instruction that chooses lanes by their top bit.
    pub(super) has_blend: bool,
    /// Whether any load may become an operand in memory. Without AVX Cranelift 0.135 makes it one of `cmpps` and `cmppd`
    /// although these need it aligned; a load of integers cannot become one.
    pub(super) folds_loads: bool,
}

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
        let mut flags = settings::builder();
        // The strip has the order already: the mid-end would undo the interleaving.
        let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
        let options =
            [("opt_level", "none"), ("enable_verifier", verifier), ("unwind_info", "false"), ("is_pic", "false")];
        for (name, value) in options {
            flags.set(name, value).expect("a setting that Cranelift has");
        }
        let target = builder.finish(settings::Flags::new(flags)).expect("settings that agree");
        let has = |name| target.isa_flags().iter().any(|flag| flag.name == name && flag.as_bool() == Some(true));
        let (has_blend, folds_loads) = (has("has_sse41"), has("has_avx"));
        Isa { target, has_blend, folds_loads }
    }
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.target.triple())
    }
}

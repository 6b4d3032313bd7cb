//! Strips to machine code that runs.

pub(crate) mod code;
pub(crate) mod cranelift;
mod os;
pub(crate) mod x64;

use std::sync::Arc;

use crate::error::Result;
use crate::strip::Strip;
use crate::target::Target;
use code::{Call, Code, CodeMemory, Relocation};

/// Who makes the code, and for what.
#[derive(Clone, Debug)]
pub(crate) enum Isa {
    Cranelift(cranelift::Isa),
    X64(x64::Isa),
}

impl Isa {
    /// What strips have to be made for.
    pub(crate) fn target(&self) -> Target {
        match self {
            Isa::Cranelift(_) => Target::VECTOR_128,
            Isa::X64(isa) => isa.target(),
        }
    }

    /// The machine code of a strip, as text.
    pub(crate) fn asm(&self, strip: &Strip) -> String {
        match self {
            Isa::Cranelift(isa) => cranelift::asm(strip, isa),
            Isa::X64(isa) => x64::asm(strip, isa),
        }
    }

    fn compile(&self, strip: &Strip) -> Object {
        match self {
            Isa::Cranelift(isa) => cranelift::compile(strip, isa),
            Isa::X64(isa) => x64::compile(strip, isa),
        }
    }
}

/// Machine code that is not yet where it will run.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) align: usize,
    /// Places where 8 bytes take an absolute address.
    pub(crate) addresses: Vec<(usize, usize)>,
    /// What the code looks up; lives as long as the code.
    pub(crate) tables: Vec<Box<[u64]>>,
}

/// Machine code with the tables that it reads.
pub(crate) struct Native {
    code: Code,
    /// The code holds their addresses.
    _tables: Vec<Box<[u64]>>,
}

/// Compiles the strip, which is made for the ISA's target, into `memory`; fails where that is full.
pub(crate) fn compile(strip: &Strip, isa: &Isa, memory: &Arc<CodeMemory>) -> Result<Native> {
    let object = isa.compile(strip);
    let absolute = |(offset, address): &(usize, usize)| Relocation { offset: *offset, address: *address };
    let relocations: Vec<Relocation> = object.addresses.iter().map(absolute).collect();
    let code = memory.publish(&object.bytes, object.align, &relocations)?;
    Ok(Native { code, _tables: object.tables })
}

impl Native {
    /// Runs the code.
    ///
    /// # Safety
    /// As [`Code::call`].
    #[expect(unsafe_code, reason = "the door to code.rs")]
    pub(crate) unsafe fn call(&self, call: &Call) {
        // SAFETY: the caller's promise.
        unsafe { self.code.call(call) };
    }
}

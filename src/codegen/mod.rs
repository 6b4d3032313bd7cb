//! Strips to machine code that runs.

pub(crate) mod code;
pub(crate) mod cranelift;
mod os;

use std::sync::Arc;

use crate::error::Result;
use crate::strip::Strip;
use code::{Call, Code, CodeMemory, Relocation};
use cranelift::Isa;

/// Machine code with the tables that it reads.
pub(crate) struct Native {
    code: Code,
    /// The code holds their addresses.
    _tables: Vec<Box<[u64]>>,
}

/// Compiles the strip into `memory`; fails where that is full.
pub(crate) fn compile(strip: &Strip, isa: &Isa, memory: &Arc<CodeMemory>) -> Result<Native> {
    let object = cranelift::compile(strip, isa);
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

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

/// A second function that does the same, with stores past the caches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streaming {
    /// Where in the code it begins.
    start: usize,
    /// What the address of every output has to be a multiple of. A group of each is as long, or several times as long.
    align: usize,
}

/// Machine code that is not yet where it will run.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) align: usize,
    pub(crate) streaming: Option<Streaming>,
    /// Places where 8 bytes take an absolute address.
    pub(crate) addresses: Vec<(usize, usize)>,
    /// What the code looks up; lives as long as the code.
    pub(crate) tables: Vec<Box<[u64]>>,
}

/// Machine code with the tables that it reads.
pub(crate) struct Native {
    code: Code,
    streaming: Option<Streaming>,
    /// The code holds their addresses.
    _tables: Vec<Box<[u64]>>,
}

/// Compiles the strip, which is made for the ISA's target, into `memory`; fails where that is full.
pub(crate) fn compile(strip: &Strip, isa: &Isa, memory: &Arc<CodeMemory>) -> Result<Native> {
    let object = isa.compile(strip);
    let absolute = |(offset, address): &(usize, usize)| Relocation { offset: *offset, address: *address };
    let relocations: Vec<Relocation> = object.addresses.iter().map(absolute).collect();
    let code = memory.publish(&object.bytes, object.align, &relocations)?;
    Ok(Native { code, streaming: object.streaming, _tables: object.tables })
}

impl Native {
    /// What the address of every output has to be a multiple of for [`call_streaming`](Native::call_streaming), if that can
    /// be called. A group of each output is no shorter.
    pub(crate) fn stream_align(&self) -> Option<usize> {
        self.streaming.map(|streaming| streaming.align)
    }

    /// Runs the code.
    ///
    /// # Safety
    /// As [`Code::call`].
    #[expect(unsafe_code, reason = "the door to code.rs")]
    pub(crate) unsafe fn call(&self, call: &Call) {
        // SAFETY: the caller's promise.
        unsafe { self.code.call(0, call) };
    }

    /// Runs the code; whatever it writes goes past the caches. Before another thread reads it, a fence is due.
    ///
    /// # Safety
    /// As [`Code::call`]; every output is aligned as [`stream_align`](Native::stream_align) says.
    #[expect(unsafe_code, reason = "the door to code.rs")]
    pub(crate) unsafe fn call_streaming(&self, call: &Call) {
        let streaming = self.streaming.expect("the code has a function that streams");
        // SAFETY: the caller's promise; a function begins there.
        unsafe { self.code.call(streaming.start, call) };
    }
}

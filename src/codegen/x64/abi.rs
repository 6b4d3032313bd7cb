//! What a function may do with the registers: the one place that knows calling conventions.

use super::encode::Gpr;

/// A calling convention, as far as a function of one pointer needs it.
///
/// rax, rcx, rdx, r8 to r11 are anyone's in both conventions: [`INDEX`], [`END`], [`SCRATCH`], [`ARRAYS`] and [`SCALARS`]
/// are of these, and so are the first of `pointers`.
pub(super) struct Convention {
    /// Where the argument is on entry.
    pub(super) argument: Gpr,
    /// Registers for the addresses of arrays, best first.
    pub(super) pointers: &'static [Gpr],
    /// From this place in `pointers` on a register has to be as it was on return.
    pub(super) first_saved: usize,
    /// From this number on the lower halves of vector registers have to be as they were on return.
    pub(super) first_saved_vector: u8,
}

/// The element at which the group begins.
pub(super) const INDEX: Gpr = Gpr::RAX;
/// The element behind the last group.
pub(super) const END: Gpr = Gpr::RDX;
/// Holds nothing from one instruction to the next.
pub(super) const SCRATCH: Gpr = Gpr::RCX;
/// Where the addresses of the arrays are.
pub(super) const ARRAYS: Gpr = Gpr::R10;
/// Where the scalars are.
pub(super) const SCALARS: Gpr = Gpr::R11;
/// How many turns loops may begin yet, where they count them; has to be as it was on return in both conventions.
pub(super) const TURNS: Gpr = Gpr::RBX;

/// The System V convention, of every system but Windows.
pub(super) const SYSTEM_V: Convention = Convention {
    argument: Gpr::RDI,
    pointers: &[Gpr::R8, Gpr::R9, Gpr::RSI, Gpr::RDI, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15],
    first_saved: 4,
    first_saved_vector: 16,
};

/// The convention of Windows.
pub(super) const WINDOWS: Convention = Convention {
    argument: Gpr::RCX,
    pointers: &[Gpr::R8, Gpr::R9, Gpr::RSI, Gpr::RDI, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15],
    first_saved: 2,
    first_saved_vector: 6,
};

impl Convention {
    /// That of `extern "C"` here.
    pub(super) fn host() -> &'static Convention {
        if cfg!(windows) { &WINDOWS } else { &SYSTEM_V }
    }
}

//! What a machine offers, as plain data, so that passes and scheduling may ask.

/// A machine as scheduling sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Bytes of a vector register.
    pub(crate) vector_bytes: usize,
    /// Number of vector registers.
    pub(crate) registers: usize,
    /// Up to so many ops and registers' worth of values alive four vectors side by side pay.
    pub(crate) fourfold_ops: usize,
    pub(crate) fourfold_registers: usize,
    /// The same for two, although some are spilled.
    pub(crate) paired_ops: usize,
    pub(crate) paired_registers: usize,
    /// Up to so many registers' worth of constants and of values alive the constants are made once, before the first group.
    pub(crate) hoisted_registers: usize,
}

impl Target {
    /// What Cranelift's vectors are on x86-64 (16 registers; aarch64 has more, which scheduling does not need).
    pub(crate) const VECTOR_128: Target =
        Target { vector_bytes: 16, fourfold_ops: 64, paired_ops: 500, paired_registers: 48, ..Target::VECTOR_256 };

    /// The vectors of AVX-512.
    pub(crate) const VECTOR_512: Target = Target {
        vector_bytes: 64,
        registers: 32,
        fourfold_ops: 600,
        fourfold_registers: 72,
        paired_ops: 1000,
        paired_registers: 64,
        hoisted_registers: 63,
    };

    /// The vectors of AVX2.
    pub(crate) const VECTOR_256: Target = Target {
        vector_bytes: 32,
        registers: 16,
        fourfold_ops: 600,
        fourfold_registers: 12,
        paired_ops: 1000,
        paired_registers: 64,
        hoisted_registers: 15,
    };
}

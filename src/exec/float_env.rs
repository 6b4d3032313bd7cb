//! A thread's floating-point modes to the default ones, for as long as a guard lives.
#![expect(unsafe_code, reason = "the control register is read and written by assembly")]

use std::marker::PhantomData;

/// Holds the calling thread's floating-point modes at the default: round to nearest, subnormals kept, nothing traps.
///
/// The register is written only where it differs, and given back as it was on drop.
pub(crate) struct FloatEnv {
    found: Option<control::Word>,
    /// The modes are the thread's own, so the guard must be dropped where it was made.
    not_send: PhantomData<*const ()>,
}

impl FloatEnv {
    pub(crate) fn enter() -> FloatEnv {
        let found = control::read();
        let differs = control::differs(found);
        if differs {
            control::write(control::DEFAULT);
        }
        FloatEnv { found: differs.then_some(found), not_send: PhantomData }
    }

    /// Makes the modes the default ones again, under a guard, after code that is not ours.
    pub(super) fn renew() {
        if control::differs(control::read()) {
            control::write(control::DEFAULT);
        }
    }
}

impl Drop for FloatEnv {
    fn drop(&mut self) {
        if let Some(found) = self.found {
            control::write(found);
        }
    }
}

/// What `f` returns, computed under the default floating-point modes whatever the caller's are.
pub(crate) fn with_default<R>(f: impl FnOnce() -> R) -> R {
    let _float_env = FloatEnv::enter();
    apart(f)
}

/// Calls `f` out of line: the optimiser takes the modes for constant and might move arithmetic past their change.
#[inline(never)]
fn apart<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod control {
    use std::arch::asm;

    pub(super) type Word = u32;

    pub(super) const DEFAULT: Word = 0x1f80;

    /// Denormals are zero, exception masks, rounding, flush to zero. The six bits below are sticky flags.
    const MODES: Word = 0xffc0;

    pub(super) fn differs(word: Word) -> bool {
        word & MODES != DEFAULT
    }

    pub(super) fn read() -> Word {
        let mut word: Word = 0;
        // SAFETY: stores MXCSR into the local it is given.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word
    }

    pub(super) fn write(word: Word) {
        // SAFETY: `word` is the default or was read from MXCSR, so no reserved bit is set.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags, readonly)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod control {
    use std::arch::asm;

    pub(super) type Word = u64;

    pub(super) const DEFAULT: Word = 0;

    /// FPCR holds modes alone; the sticky flags are in FPSR.
    pub(super) fn differs(word: Word) -> bool {
        word != DEFAULT
    }

    pub(super) fn read() -> Word {
        let word: Word;
        // SAFETY: reading FPCR has no effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nostack, preserves_flags)) };
        word
    }

    pub(super) fn write(word: Word) {
        // SAFETY: `word` is the default or was read from FPCR.
        unsafe { asm!("msr fpcr, {}", in(reg) word, options(nostack, preserves_flags)) };
    }
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod control {
    pub(super) type Word = ();

    pub(super) const DEFAULT: Word = ();

    pub(super) fn differs(_: Word) -> bool {
        false
    }

    pub(super) fn read() -> Word {}

    pub(super) fn write(_: Word) {}
}

/// Modes that a program may leave behind, for tests that show results do not depend on them.
#[cfg(all(test, target_arch = "x86_64", not(miri)))]
pub(crate) mod hostile {
    use super::control;

    /// Flush to zero, denormals are zero, round up; every exception masked.
    pub(crate) const WORD: u32 = 0x1f80 | 0x8000 | 0x0040 | 0x4000;

    /// Puts the calling thread into these modes while `f` runs.
    pub(crate) fn within<R>(f: impl FnOnce() -> R) -> R {
        let found = control::read();
        control::write(WORD);
        let result = super::apart(f);
        control::write(found);
        result
    }

    /// Puts the calling thread into these modes for good.
    pub(crate) fn enter() {
        control::write(WORD);
    }

    /// The modes of the calling thread, without the sticky flags.
    pub(crate) fn modes() -> u32 {
        control::read() & 0xffc0
    }
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use std::hint::black_box;

    use super::{FloatEnv, control, hostile, with_default};

    /// (smallest normal / 4, 1 + 2^-60): subnormals and rounding up both show.
    fn probe() -> (f64, f64) {
        (black_box(f64::MIN_POSITIVE) / black_box(4.0), black_box(1.0) + black_box(2f64.powi(-60)))
    }

    #[test]
    fn hostile_modes_are_seen_outside_and_not_within() {
        // IEEE 754-2019, 4.3 and 3.4: 2^-1024 is representable as a subnormal, 1 + 2^-60 rounds to 1.
        let expected = (f64::from_bits(1 << 50), 1.0);
        hostile::within(|| {
            assert_ne!(probe(), expected);
            assert_eq!(with_default(probe), expected);
            assert_eq!(hostile::modes(), hostile::WORD);
        });
        assert_eq!(probe(), expected);
    }

    #[test]
    fn sticky_flags_alone_write_nothing() {
        control::write(0x1f80 | 0x20);
        assert!(FloatEnv::enter().found.is_none());
        assert_eq!(control::read() & 0x20, 0x20);
    }

    #[test]
    fn traps_are_masked_within() {
        let found = control::read();
        // Division by zero unmasked: the process would die of SIGFPE.
        control::write(0x1f80 & !0x0200);
        let quotient = with_default(|| black_box(1.0) / black_box(0.0));
        let kept = control::read();
        control::write(found);
        assert_eq!(quotient, f64::INFINITY);
        assert_eq!(kept, 0x1f80 & !0x0200);
    }

    #[test]
    fn modes_come_back_on_unwind() {
        hostile::within(|| {
            let result = std::panic::catch_unwind(|| with_default(|| std::panic::resume_unwind(Box::new(()))));
            assert!(result.is_err());
            assert_eq!(hostile::modes(), hostile::WORD);
        });
    }
}

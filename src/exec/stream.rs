//! A buffer in cache to memory, past the cache: for outputs that the cache could not hold anyway.
#![expect(unsafe_code, reason = "non-temporal stores are intrinsics on raw pointers")]

use std::fs;

/// Copies `bytes` bytes; where the ISA can, whole cache lines of `dest` are written without being read first.
///
/// Another thread may read `dest` only after this one has called [`fence`].
///
/// # Safety
/// `source` is readable and `dest` writable for `bytes` bytes, and the two do not overlap.
#[inline]
pub(crate) unsafe fn copy(source: *const u8, dest: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { isa::copy(source, dest, bytes) }
}

/// Has some cache lines from an address on brought to the cache, if they are there; what follows the machine finds by itself.
pub(crate) fn prefetch(from: *const u8) {
    isa::prefetch(from);
}

/// Orders the streamed stores of this thread before all its later ones; due before a chunk is reported done.
#[inline]
pub(crate) fn fence() {
    isa::fence();
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod isa {
    use std::arch::x86_64::{__m128i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_sfence, _mm_stream_si128};

    /// Bytes of a cache line, which is what the write-combining buffers send out whole.
    const LINE: usize = 64;

    /// Lines that memory gives in the time that passes between two blocks: a quarter of these left sums 5 to 10 % slower.
    const AHEAD: usize = 32;

    pub(super) unsafe fn copy(source: *const u8, dest: *mut u8, bytes: usize) {
        let head = dest.align_offset(LINE).min(bytes);
        let lines = (bytes - head) / LINE;
        let tail = head + lines * LINE;
        if head > 0 {
            // SAFETY: `head <= bytes`.
            unsafe { dest.copy_from_nonoverlapping(source, head) };
        }
        for line in 0..lines {
            let start = head + line * LINE;
            // SAFETY: `start + LINE <= tail <= bytes`, and `dest + start` is a multiple of LINE.
            unsafe {
                let from = source.add(start).cast::<__m128i>();
                let to = dest.add(start).cast::<__m128i>();
                let quarters = [0, 1, 2, 3].map(|quarter| _mm_loadu_si128(from.add(quarter)));
                for (quarter, value) in quarters.into_iter().enumerate() {
                    _mm_stream_si128(to.add(quarter), value);
                }
            }
        }
        if tail < bytes {
            // SAFETY: as above.
            unsafe { dest.add(tail).copy_from_nonoverlapping(source.add(tail), bytes - tail) };
        }
    }

    pub(super) fn prefetch(from: *const u8) {
        for line in 0..AHEAD {
            // SAFETY: SSE is part of x86-64; an address of nothing is passed over.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(line * LINE).cast()) };
        }
    }

    pub(super) fn fence() {
        // SAFETY: SSE is part of x86-64.
        unsafe { _mm_sfence() };
    }
}

#[cfg(any(miri, not(target_arch = "x86_64")))]
mod isa {
    pub(super) unsafe fn copy(source: *const u8, dest: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { dest.copy_from_nonoverlapping(source, bytes) };
    }

    pub(super) fn prefetch(_: *const u8) {}

    pub(super) fn fence() {}
}

/// What is assumed where the system does not tell: of the sizes in use one of the larger, since streaming what would
/// have stayed in the cache costs more than keeping what would not.
const LIKELY_CACHE: usize = 32 << 20;

/// Bytes of the largest cache that the first processor uses. Reads files: ask once an engine.
pub(crate) fn last_level_cache_bytes() -> usize {
    let caches = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").into_iter().flatten().flatten();
    let sizes = caches.filter_map(|cache| {
        let read = |name| fs::read_to_string(cache.path().join(name)).ok();
        let holds_data = read("type")?.trim() != "Instruction";
        parse_size(read("size")?.trim()).filter(|_| holds_data)
    });
    sizes.max().unwrap_or(LIKELY_CACHE)
}

/// Bytes of a size as the kernel writes it, such as `32768K`.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::{copy, fence, last_level_cache_bytes, parse_size};

    #[test]
    fn every_alignment_and_length_is_copied_exactly() {
        let source: Vec<u8> = (0..512).map(|i| (i * 7 + 1) as u8).collect();
        // Miri has the plain copy only, and is slow.
        let step = if cfg!(miri) { 31 } else { 1 };
        let lengths = (0..200).chain([255, 256, 257, 320, 400]).step_by(step);
        let mut memory = vec![0_u8; 1024];
        for bytes in lengths {
            for offset in (0..=64).step_by(step) {
                memory.fill(0xee);
                let from = offset * 3 % 17;
                // SAFETY: both ranges lie in their vectors, which are different ones.
                unsafe { copy(source[from..].as_ptr(), memory[offset..].as_mut_ptr(), bytes) };
                fence();
                let (before, rest) = memory.split_at(offset);
                let (copied, after) = rest.split_at(bytes);
                assert_eq!(copied, &source[from..from + bytes], "{bytes} bytes at {offset}");
                assert!(before.iter().chain(after).all(|byte| *byte == 0xee), "{bytes} bytes at {offset}");
            }
        }
    }

    #[test]
    fn another_thread_sees_what_was_streamed() {
        let source = vec![0x5a_u8; 1 << 20];
        let mut memory = vec![0_u8; (1 << 20) + 16];
        std::thread::scope(|scope| {
            let dest = &mut memory[16..];
            // SAFETY: both are a mebibyte long and apart.
            scope.spawn(|| unsafe {
                copy(source.as_ptr(), dest.as_mut_ptr(), source.len());
                fence();
            });
        });
        assert_eq!(&memory[16..], &source[..]);
    }

    #[test]
    fn cache_sizes_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_size("32768K"), Some(32 << 20));
        assert_eq!(parse_size("1M"), Some(1 << 20));
        assert_eq!(parse_size("512"), Some(512));
        for odd in ["", "K", "0K", "12X", "-1K", "99999999999999999999K", "18446744073709551615K"] {
            assert_eq!(parse_size(odd), None, "{odd}");
        }
        assert!(last_level_cache_bytes() >= 16 << 10);
    }
}

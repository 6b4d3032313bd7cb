//! What is asked of the operating system for code memory: pages seen twice, once to write and once to execute.
#![expect(unsafe_code, reason = "system calls, and the instructions that make written code visible")]

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use linux::{Mapping, forks};

#[cfg(any(miri, not(target_os = "linux")))]
pub(super) use elsewhere::{Mapping, forks};

/// What a mapping's length is a multiple of: every page size in use divides it.
pub(super) const GRANULE: usize = 64 << 10;

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use std::ffi::{CStr, c_int, c_uint, c_void};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The same memory at two addresses, of which one is writable and the other executable; unmapped on drop.
    ///
    /// A forked process shares the memory: what either writes, both execute.
    pub(in crate::codegen) struct Mapping {
        writable: Pages,
        executable: Pages,
    }

    impl Mapping {
        pub(in crate::codegen) fn new(bytes: usize) -> io::Result<Mapping> {
            count_forks()?;
            super::cache::prepare()?;
            let memory = anonymous_file()?;
            memory.set_len(bytes as u64)?;
            let writable = Pages::of(&memory, bytes, libc::PROT_READ | libc::PROT_WRITE)?;
            let executable = Pages::of(&memory, bytes, libc::PROT_READ | libc::PROT_EXEC)?;
            Ok(Mapping { writable, executable })
        }

        pub(in crate::codegen) fn bytes(&self) -> usize {
            self.writable.bytes
        }

        pub(in crate::codegen) fn writable(&self) -> *mut u8 {
            self.writable.start.cast()
        }

        pub(in crate::codegen) fn executable(&self) -> *const u8 {
            self.executable.start.cast()
        }

        /// Makes every thread execute what was written to `bytes` bytes at `offset`, if it comes there from now on.
        pub(in crate::codegen) fn publish(&self, offset: usize, bytes: usize) {
            debug_assert!(offset + bytes <= self.bytes());
            super::cache::publish(self.writable().wrapping_add(offset), self.executable().wrapping_add(offset), bytes);
        }
    }

    struct Pages {
        start: *mut c_void,
        bytes: usize,
    }

    // SAFETY: an address range; who may touch it is for the owner of the mapping to say.
    unsafe impl Send for Pages {}
    // SAFETY: as above.
    unsafe impl Sync for Pages {}

    impl Pages {
        fn of(memory: &File, bytes: usize, protection: c_int) -> io::Result<Pages> {
            // SAFETY: a new mapping at an address of the system's choice touches no other memory.
            let start =
                unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, memory.as_raw_fd(), 0) };
            if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Pages { start, bytes }) }
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: mapped by `of` with this length, and unmapped here alone.
            unsafe { libc::munmap(self.start, self.bytes) };
        }
    }

    fn anonymous_file() -> io::Result<File> {
        const NAME: &CStr = c"numlift-code";
        // The seal says that nobody will `exec` the file itself, which hardened systems insist on and old ones do not know.
        create(NAME, libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL).or_else(|_| create(NAME, libc::MFD_CLOEXEC))
    }

    fn create(name: &CStr, flags: c_uint) -> io::Result<File> {
        // SAFETY: `name` ends in a zero byte.
        let descriptor = unsafe { libc::memfd_create(name.as_ptr(), flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nothing else owns.
        Ok(unsafe { File::from_raw_fd(descriptor) })
    }

    /// A fact of the process, as its id is: nothing but the system's `fork` writes it.
    static FORKS: AtomicU64 = AtomicU64::new(0);

    /// How many processes this one (and those it was forked from) had forked when asked, since the first mapping.
    pub(in crate::codegen) fn forks() -> u64 {
        FORKS.load(Ordering::SeqCst)
    }

    fn count_forks() -> io::Result<()> {
        static OUTCOME: OnceLock<c_int> = OnceLock::new();
        extern "C" fn before_fork() {
            FORKS.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the handler only adds to an atomic number, which is sound in any state of the process.
        let outcome = *OUTCOME.get_or_init(|| unsafe { libc::pthread_atfork(Some(before_fork), None, None) });
        if outcome == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(outcome)) }
    }
}

/// Stores are seen by instruction fetch without help.
#[cfg(all(target_os = "linux", not(miri), not(target_arch = "aarch64")))]
mod cache {
    use std::io;

    pub(super) fn prepare() -> io::Result<()> {
        if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
            Ok(())
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    pub(super) fn publish(_writable: *mut u8, _executable: *const u8, _bytes: usize) {}
}

#[cfg(all(target_os = "linux", not(miri), target_arch = "aarch64"))]
mod cache {
    use std::arch::asm;
    use std::ffi::c_long;
    use std::io;

    // From <linux/membarrier.h>.
    const PRIVATE_EXPEDITED_SYNC_CORE: c_long = 1 << 5;
    const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: c_long = 1 << 6;

    /// Lets the process ask for instruction barriers on its other threads; systems before Linux 4.16 refuse.
    pub(super) fn prepare() -> io::Result<()> {
        membarrier(REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
    }

    pub(super) fn publish(writable: *mut u8, executable: *const u8, bytes: usize) {
        let types: u64;
        // SAFETY: reads the cache type register, which Linux leaves open to programs.
        unsafe { asm!("mrs {}, ctr_el0", out(reg) types, options(nomem, nostack, preserves_flags)) };
        // Both fields are logarithms of a count of 4-byte words.
        let (data_line, instruction_line) = (4_usize << (types >> 16 & 15), 4_usize << (types & 15));
        for line in lines(writable as usize, bytes, data_line) {
            // SAFETY: cleaning a line that is mapped changes no memory.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
        // SAFETY: a barrier: the data is out before the instruction cache lets go of what it held.
        unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
        for line in lines(executable as usize, bytes, instruction_line) {
            // SAFETY: invalidating a line that is mapped changes no memory.
            unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
        // SAFETY: barriers.
        unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
        // The other threads' pipelines may hold instructions that stood there before.
        membarrier(PRIVATE_EXPEDITED_SYNC_CORE).expect("a registered process may ask for a barrier");
    }

    /// The addresses of the lines of `line` bytes that hold `bytes` bytes at `start`.
    fn lines(start: usize, bytes: usize, line: usize) -> impl Iterator<Item = usize> {
        (start & !(line - 1)..start + bytes).step_by(line)
    }

    fn membarrier(command: c_long) -> io::Result<()> {
        // SAFETY: the call takes numbers only.
        let outcome = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(any(miri, not(target_os = "linux")))]
mod elsewhere {
    use std::convert::Infallible;
    use std::io;

    /// Does not exist: numlift has no code memory for this system yet.
    pub(in crate::codegen) struct Mapping(Infallible);

    impl Mapping {
        pub(in crate::codegen) fn new(_bytes: usize) -> io::Result<Mapping> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::codegen) fn bytes(&self) -> usize {
            match self.0 {}
        }

        pub(in crate::codegen) fn writable(&self) -> *mut u8 {
            match self.0 {}
        }

        pub(in crate::codegen) fn executable(&self) -> *const u8 {
            match self.0 {}
        }

        pub(in crate::codegen) fn publish(&self, _offset: usize, _bytes: usize) {
            match self.0 {}
        }
    }

    pub(in crate::codegen) fn forks() -> u64 {
        0
    }
}

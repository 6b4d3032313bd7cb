//! Machine code as bytes to machine code that runs: packed into an engine's pages, freed on drop.
#![expect(unsafe_code, reason = "code is written through one address and called through another")]

use std::collections::BTreeMap;
use std::mem::transmute;
use std::ops::Range;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codegen::os::{self, GRANULE, Mapping};
use crate::error::{Error, ErrorKind, Result};

/// What generated code is given: `extern "C" fn(*const Call) -> u32`.
#[repr(C)]
pub(crate) struct Call {
    /// How many groups of elements to compute.
    pub(crate) groups: u64,
    /// The first byte of each array, outputs among them, in the order of the strip.
    pub(crate) arrays: *const *mut u8,
    /// The scalars in the order of the strip, eight bytes each; a narrower one is in the low bytes. Before them stand, for code
    /// that counts turns, the words at [`STOP`] and [`LEFT`].
    pub(crate) scalars: *const u64,
}

/// Where, from the scalars, the address of a byte is that is not 0 when the run is to stop.
pub(crate) const STOP: i32 = -16;

/// Where, from the scalars, the number of turns is that loops may begin yet; below 0 they wanted more. Each group begins with as
/// many as there were before the first one.
pub(crate) const LEFT: i32 = -8;

/// Of that number these bits are 0 where code asks whether the run is to stop: in each sixteenth turn.
pub(crate) const TURNS_UNASKED: u8 = 15;

/// Where, from the scalars, there is room for that number.
pub(crate) const GROUP_TURNS: i32 = -24;

/// Eight bytes of a blob that hold an absolute address, known once the blob has its place.
pub(crate) struct Relocation {
    /// Where in the blob.
    pub(crate) offset: usize,
    /// Of a function or datum that outlives the code.
    pub(crate) address: usize,
}

/// Blocks begin and end on cache lines, so that no two kernels share one.
const LINE: usize = 64;

/// The largest segment that is made for more than one block.
const LARGEST_SEGMENT: usize = 4 << 20;

/// What fills memory that holds no code: an instruction that stops whoever comes there.
pub(super) const TRAP: [u8; 4] = if cfg!(target_arch = "aarch64") { [0x00, 0x00, 0x20, 0xd4] } else { [0xcc; 4] };

/// The code of one engine. A page of it is never writable where it is executable.
pub(crate) struct CodeMemory {
    /// In bytes of mapped memory.
    limit: usize,
    segments: Mutex<Vec<Segment>>,
}

impl CodeMemory {
    /// Fails where the system gives no executable memory. `limit` is in bytes of memory taken from the system, which
    /// is done in steps of 64 KiB.
    pub(crate) fn new(limit: usize) -> Result<Arc<CodeMemory>> {
        let mut segments = Vec::new();
        if limit >= GRANULE {
            segments.push(Segment::new(GRANULE)?);
        }
        Ok(Arc::new(CodeMemory { limit, segments: Mutex::new(segments) }))
    }

    /// Gives `bytes` a place for as long as the returned value lives; execution starts at the first byte.
    ///
    /// Constants may follow the code. `align` is a power of two, and at most 4096.
    pub(crate) fn publish(self: &Arc<Self>, bytes: &[u8], align: usize, relocations: &[Relocation]) -> Result<Code> {
        assert!(align.is_power_of_two() && align <= 4096, "code is aligned to a power of two within a page");
        let size = bytes.len().max(1).next_multiple_of(LINE);
        let code = self.reserve(size, align.max(LINE))?;
        code.write(bytes, relocations);
        Ok(code)
    }

    fn reserve(self: &Arc<Self>, size: usize, align: usize) -> Result<Code> {
        let mut segments = self.segments();
        let process = process::id();
        let mut mine = segments.iter_mut().filter(|segment| segment.process == process);
        let code = |segment: &Segment, offset| Code {
            memory: Arc::clone(self),
            mapping: Arc::clone(&segment.mapping),
            block: offset..offset + size,
            forks: os::forks(),
        };
        if let Some((segment, offset)) = mine.find_map(|segment| segment.take(size, align).map(|at| (&*segment, at))) {
            return Ok(code(segment, offset));
        }

        let taken: usize = segments.iter().map(|segment| segment.mapping.bytes()).sum();
        let left = self.limit.saturating_sub(taken);
        let least = size.next_multiple_of(GRANULE);
        if least > left {
            let message = format!(
                "the engine's limit of {} bytes of code leaves no room for a kernel of {size} bytes, {taken} are taken",
                self.limit
            );
            return Err(Error::new(ErrorKind::Limit, "code-memory", message)
                .with_hint("drop kernels that are no longer needed, or raise `Builder::code_limit`"));
        }
        // Doubling keeps segments few; a step that the limit does not allow is made as small as it can be.
        let wanted = taken.clamp(GRANULE, LARGEST_SEGMENT).next_multiple_of(GRANULE).max(least);
        let mut segment = Segment::new(if wanted <= left { wanted } else { least })?;
        let offset = segment.take(size, align).expect("a new segment has room for what it was made for");
        let code = code(&segment, offset);
        segments.push(segment);
        Ok(code)
    }

    /// Bytes of memory taken from the system.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.segments().iter().map(|segment| segment.mapping.bytes()).sum()
    }

    fn segments(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One mapping and what of it is free.
struct Segment {
    mapping: Arc<Mapping>,
    /// The only process that writes here. Others, forked from it, go on executing what they inherited.
    process: u32,
    /// How many `Code`s have a block here.
    live: usize,
    /// Free ranges, start to length; no two touch.
    free: BTreeMap<usize, usize>,
    /// No free range is longer.
    longest: usize,
}

impl Segment {
    fn new(bytes: usize) -> Result<Segment> {
        let mapping = Mapping::new(bytes).map_err(|refusal| {
            let message = format!("the system gives no memory for machine code: {refusal}");
            Error::new(ErrorKind::Host, "no-code-memory", message)
                .with_hint("the interpreter runs every kernel without such memory")
        })?;
        Ok(Segment {
            mapping: Arc::new(mapping),
            process: process::id(),
            live: 0,
            free: BTreeMap::from([(0, bytes)]),
            longest: bytes,
        })
    }

    /// The first free range that has room.
    fn take(&mut self, size: usize, align: usize) -> Option<usize> {
        if size > self.longest {
            return None;
        }
        let fits = |(start, length): (&usize, &usize)| {
            let aligned = start.next_multiple_of(align);
            (aligned + size <= start + length).then_some((*start, *length, aligned))
        };
        let Some((start, length, aligned)) = self.free.iter().find_map(fits) else {
            self.longest = self.free.values().copied().max().unwrap_or(0);
            return None;
        };
        self.free.remove(&start);
        let (before, after) = (aligned - start, start + length - (aligned + size));
        if before > 0 {
            self.free.insert(start, before);
        }
        if after > 0 {
            self.free.insert(aligned + size, after);
        }
        self.live += 1;
        Some(aligned)
    }

    fn give_back(&mut self, block: Range<usize>) {
        let (mut start, mut end) = (block.start, block.end);
        if let Some((&before, &length)) = self.free.range(..start).next_back()
            && before + length == start
        {
            start = before;
        }
        if let Some(length) = self.free.remove(&end) {
            end += length;
        }
        self.free.insert(start, end - start);
        self.longest = self.longest.max(end - start);
    }

    fn is_whole(&self) -> bool {
        self.free.get(&0) == Some(&self.mapping.bytes())
    }
}

/// Machine code in its place; its memory is freed on drop. Keeps the memory of the engine alive.
pub(crate) struct Code {
    memory: Arc<CodeMemory>,
    mapping: Arc<Mapping>,
    block: Range<usize>,
    /// As [`os::forks`] was when the block was taken.
    forks: u64,
}

impl Code {
    /// The first byte, which is the first instruction.
    pub(crate) fn entry(&self) -> *const u8 {
        self.mapping.executable().wrapping_add(self.block.start)
    }

    /// Bytes taken, a multiple of 64.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.block.len()
    }

    /// Runs the code from the byte `start` on, and returns what it returns.
    ///
    /// # Safety
    /// There a function of the C calling convention begins that takes `call`, and every pointer in `*call` is valid for
    /// what the code reads and writes through it.
    #[inline]
    pub(crate) unsafe fn call(&self, start: usize, call: *const Call) -> u32 {
        // SAFETY: the caller's promise; the bytes at `entry` stay as they are while `self` lives.
        unsafe {
            let entry =
                transmute::<*const u8, unsafe extern "C" fn(*const Call) -> u32>(self.entry().wrapping_add(start));
            entry(call)
        }
    }

    fn write(&self, bytes: &[u8], relocations: &[Relocation]) {
        let full = bytes.len() / TRAP.len() * TRAP.len();
        self.trap(self.block.start + full..self.block.end);
        let start = self.mapping.writable().wrapping_add(self.block.start);
        // SAFETY: the block is in the mapping, is at least as long as `bytes`, and is this value's alone.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        for Relocation { offset, address } in relocations {
            let room = offset.checked_add(size_of::<usize>()).is_some_and(|end| end <= bytes.len());
            assert!(room, "a relocation lies within its blob");
            // SAFETY: the address written lies in the block.
            unsafe { start.add(*offset).cast::<usize>().write_unaligned(*address) };
        }
        self.mapping.publish(self.block.start, self.block.len());
    }

    /// Fills a part of the block with instructions that stop whoever comes there.
    fn trap(&self, range: Range<usize>) {
        debug_assert!(range.start >= self.block.start && range.end <= self.block.end);
        let start = self.mapping.writable().wrapping_add(range.start).cast::<[u8; 4]>();
        // SAFETY: the block is in the mapping and this value's alone; an array of bytes has no alignment.
        unsafe { std::slice::from_raw_parts_mut(start, range.len() / TRAP.len()) }.fill(TRAP);
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let mut segments = self.memory.segments();
        let at = segments.iter().position(|segment| Arc::ptr_eq(&segment.mapping, &self.mapping));
        let at = at.expect("the segment of a live block is kept");
        let segment = &mut segments[at];
        segment.live -= 1;
        // A block that was there when a process was forked is still executed in the other one: it is never written
        // again, and goes when its segment goes.
        if segment.process == process::id() && self.forks == os::forks() {
            self.trap(self.block.clone());
            segment.give_back(self.block.clone());
        }
        // The only segment stays while it is whole, so that kernels which come and go one by one cost no system call.
        let keep = segment.live > 0 || segments.len() == 1 && segments[at].is_whole();
        if !keep {
            segments.swap_remove(at);
        }
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64", not(miri)))]
mod tests {
    use std::env;
    use std::fs;
    use std::process::Command;
    use std::ptr;
    use std::sync::Arc;
    use std::thread;

    use super::{Call, Code, CodeMemory, GRANULE, Relocation};
    use crate::error::ErrorKind;

    const LIMIT: usize = 64 << 20;

    /// `mov eax, number; ret`, and `padding` bytes behind.
    fn returns(number: u32, padding: usize) -> Vec<u8> {
        let mut bytes = vec![0xb8];
        bytes.extend(number.to_le_bytes());
        bytes.push(0xc3);
        bytes.resize(bytes.len() + padding, 0x90);
        bytes
    }

    fn publish(memory: &Arc<CodeMemory>, number: u32, padding: usize) -> Code {
        memory.publish(&returns(number, padding), 16, &[]).unwrap()
    }

    fn call(code: &Code) -> u32 {
        // SAFETY: the tests' code is a function, and reads nothing through its argument unless they pass one.
        unsafe { code.call(0, ptr::null()) }
    }

    fn bytes_at(start: *const u8, count: usize) -> Vec<u8> {
        // SAFETY: the tests ask for memory that is mapped.
        unsafe { std::slice::from_raw_parts(start, count) }.to_vec()
    }

    /// Numbers that look random, the same in every run.
    fn noise(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*state >> 33) as usize
    }

    #[test]
    fn code_gets_its_argument_and_returns() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        // mov eax, [rdi]; add eax, 2; ret
        let code = memory.publish(&[0x8b, 0x07, 0x83, 0xc0, 0x02, 0xc3], 16, &[]).unwrap();
        let argument = Call { groups: 40, arrays: ptr::null(), scalars: ptr::null() };
        // SAFETY: the code reads `groups`.
        assert_eq!(unsafe { code.call(0, &raw const argument) }, 42);
    }

    #[test]
    fn blobs_are_aligned_as_asked() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let mut codes = Vec::new();
        for align in (0..=12).map(|log| 1 << log) {
            let code = memory.publish(&returns(align as u32, 40), align, &[]).unwrap();
            assert_eq!(code.entry() as usize % align.max(64), 0);
            codes.push((align as u32, code));
        }
        assert!(codes.iter().all(|(align, code)| call(code) == *align));
        assert_eq!(memory.publish(&[], 1, &[]).unwrap().size(), 64);
    }

    #[test]
    fn relocations_reach_functions() {
        extern "C" fn seven(_: *const Call) -> u32 {
            7
        }
        let memory = CodeMemory::new(LIMIT).unwrap();
        // mov rax, function; jmp rax
        let function = [Relocation { offset: 2, address: seven as *const () as usize }];
        let jump = [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0];
        assert_eq!(call(&memory.publish(&jump, 16, &function).unwrap()), 7);
    }

    #[test]
    #[should_panic(expected = "a relocation lies within its blob")]
    fn a_relocation_beyond_its_blob_is_our_own_mistake() {
        let outside = [Relocation { offset: 1, address: 0 }];
        let _ = CodeMemory::new(LIMIT).unwrap().publish(&[0xc3; 8], 16, &outside);
    }

    #[test]
    fn no_page_is_writable_and_executable() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let code = publish(&memory, 1, 0);
        let mut found = false;
        for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let address = |text| usize::from_str_radix(text, 16).unwrap();
            assert!(!rest.starts_with("rwx"), "{line}");
            if (address(start)..address(end)).contains(&(code.entry() as usize)) {
                assert!(rest.starts_with("r-xs"), "{line}");
                found = true;
            }
        }
        assert!(found);
    }

    #[test]
    fn freed_and_unused_bytes_trap() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let (kept, freed) = (publish(&memory, 1, 0), publish(&memory, 2, 300));
        let (start, size) = (freed.entry(), freed.size());
        assert_eq!(bytes_at(kept.entry(), 64)[6..], [[0xcc; 58]].concat());
        drop(freed);
        assert_eq!(bytes_at(start, size), vec![0xcc; size]);
        assert_eq!(call(&kept), 1);
    }

    #[test]
    fn blocks_that_come_and_go_at_random_keep_their_code() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let mut live: Vec<(u32, Code)> = Vec::new();
        let mut state = 1;
        for number in 0..20_000 {
            if live.len() > 300 || noise(&mut state).is_multiple_of(3) && !live.is_empty() {
                let (number, code) = live.swap_remove(noise(&mut state) % live.len());
                assert_eq!(call(&code), number);
            } else {
                let padding = noise(&mut state) % if noise(&mut state).is_multiple_of(50) { 200_000 } else { 3000 };
                let align = 1 << (noise(&mut state) % 13);
                live.push((number, memory.publish(&returns(number, padding), align, &[]).unwrap()));
            }
        }
        assert!(live.iter().all(|(number, code)| call(code) == *number));
        assert!(memory.taken() > GRANULE);
        live.clear();
        assert!(memory.segments().len() == 1 && memory.segments()[0].is_whole() && memory.segments()[0].live == 0);
    }

    #[test]
    fn a_hundred_thousand_kernels_take_no_more_memory_than_one() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let neighbour = publish(&memory, 0, 0);
        for number in 0..100_000 {
            assert_eq!(call(&publish(&memory, number, 500)), number);
        }
        assert_eq!(memory.taken(), GRANULE);
        assert_eq!(call(&neighbour), 0);
    }

    #[test]
    fn free_segments_go_back_to_the_system() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let small = publish(&memory, 1, 0);
        let large = publish(&memory, 2, 10 << 20);
        assert!(memory.taken() > 10 << 20);
        assert_eq!((call(&small), call(&large)), (1, 2));
        drop(large);
        assert_eq!(memory.taken(), GRANULE);
        assert_eq!(call(&small), 1);
    }

    #[test]
    fn the_limit_is_a_typed_error_and_holds_to_the_byte() {
        let limit = 5 * GRANULE + 1;
        let memory = CodeMemory::new(limit).unwrap();
        let mut live = Vec::new();
        let error = loop {
            match memory.publish(&returns(live.len() as u32, 10_000), 16, &[]) {
                Ok(code) => live.push(code),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "code-memory"));
        assert!(error.message().contains("327681") && error.hint().unwrap().contains("Builder::code_limit"));
        assert_eq!(memory.taken(), 5 * GRANULE);
        assert!(live.len() >= 28);
        assert!(live.iter().zip(0..).all(|(code, number)| call(code) == number));
        live.clear();
        assert_eq!(call(&publish(&memory, 9, 10_000)), 9);

        let none = CodeMemory::new(0).unwrap();
        assert_eq!(none.publish(&[0xc3], 16, &[]).err().unwrap().code(), "code-memory");
    }

    #[test]
    fn many_threads_publish_run_and_free_at_once() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let shared = publish(&memory, 77, 0);
        thread::scope(|scope| {
            for i in 0..64_u32 {
                let (memory, shared) = (&memory, &shared);
                scope.spawn(move || {
                    let mut state = u64::from(i);
                    let mut live = Vec::new();
                    for turn in 0..300 {
                        let number = i * 1000 + turn;
                        live.push((number, publish(memory, number, noise(&mut state) % 2000)));
                        if live.len() > 10 {
                            let (number, code) = live.swap_remove(noise(&mut state) % live.len());
                            assert_eq!(call(&code), number);
                        }
                        assert_eq!(call(shared), 77);
                    }
                    assert!(live.iter().all(|(number, code)| call(code) == *number));
                });
            }
        });
        assert_eq!(call(&shared), 77);
    }

    #[test]
    fn code_outlives_the_last_handle_to_its_memory() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let code = publish(&memory, 5, 0);
        drop(memory);
        assert_eq!(call(&code), 5);
    }

    /// Runs `child` in a forked process and `parent` here; says whether `child` returned true. The child begins when
    /// `parent` has returned.
    fn forked(child: impl FnOnce() -> bool, parent: impl FnOnce()) -> bool {
        let mut pipe = [0; 2];
        // SAFETY: the pipe is this function's, the child leaves by `_exit`, and the status is a local.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let process = libc::fork();
            assert!(process >= 0);
            if process == 0 {
                libc::close(pipe[1]);
                libc::read(pipe[0], [0_u8; 1].as_mut_ptr().cast(), 1);
                libc::_exit(if child() { 0 } else { 1 });
            }
            parent();
            libc::close(pipe[0]);
            libc::close(pipe[1]);
            let mut status = 1;
            libc::waitpid(process, &raw mut status, 0);
            status == 0
        }
    }

    #[test]
    fn forked_processes_leave_each_other_their_code() {
        let test = "codegen::code::tests::fork_in_a_process_of_its_own";
        let output = Command::new(env::current_exe().unwrap()).args(["--exact", "--ignored", test]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    }

    #[test]
    #[ignore = "a fork is seen by every code memory of its process: run by the test above"]
    fn fork_in_a_process_of_its_own() {
        let memory = CodeMemory::new(LIMIT).unwrap();
        let kept = publish(&memory, 1, 0);
        let mut freed_here = Some(publish(&memory, 2, 0));
        let freed_there = publish(&memory, 3, 0);
        let inherited = freed_here.as_ref().unwrap().entry();
        let mut later = Vec::new();
        let child = || {
            let still = bytes_at(inherited, 6) == returns(2, 0) && call(&kept) == 1;
            // The child frees what the parent still runs, and publishes code of its own.
            let address = freed_there.entry();
            // SAFETY: the memory of the parent's value is the parent's; this is the child's copy, dropped once.
            drop(unsafe { ptr::read(&raw const freed_there) });
            let new: Vec<Code> = (10..30).map(|number| publish(&memory, number, 0)).collect();
            still
                && new.iter().zip(10..).all(|(code, number)| call(code) == number)
                && bytes_at(address, 6) == returns(3, 0)
        };
        let parent = || {
            freed_here = None;
            later.extend((40..60).map(|number| publish(&memory, number, 0)));
        };
        // The parent's closure changes `freed_here` before the child looks, in another copy of this frame.
        assert!(forked(child, parent));
        assert_eq!((call(&kept), call(&freed_there)), (1, 3));
        assert!(later.iter().zip(40..).all(|(code, number)| call(code) == number));

        // What was quarantined goes with its segment.
        drop((kept, freed_there, later));
        assert_eq!(memory.taken(), 0);
        assert_eq!(call(&publish(&memory, 6, 0)), 6);
        assert_eq!(memory.taken(), GRANULE);
    }
}

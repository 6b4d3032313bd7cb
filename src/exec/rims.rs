//! A few elements here and a few there, as where lines begin and end, to whole groups in buffers.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::run::{self, Prepared};
use crate::interp::Halt;

/// Eight bytes each, for the buffers of all arrays: half of a first-level cache.
pub(super) const WORDS: usize = 2048;

/// Elements of one array that are taken before those of the next: neighbours lie in the same lines, of which the first-level cache
/// holds few where they are a power of two apart.
const TOGETHER: usize = 4;

/// Elements that wait in buffers until there are enough of them.
pub(super) struct Rims<'a> {
    run: Prepared<'a>,
    /// Elements that each buffer has room for: whole groups.
    room: usize,
    filled: usize,
    /// The buffers of the program's arrays; then those of which any element may be read.
    arrays: SmallVec<[*mut u8; 16]>,
    sizes: SmallVec<[usize; 16]>,
    results: SmallVec<[Results; 8]>,
}

/// Where elements of an output go.
struct Results {
    output: usize,
    /// The first of them in the buffer.
    from: usize,
    count: usize,
    to: *mut u8,
    stride: isize,
}

impl<'a> Rims<'a> {
    /// None if there are so many arrays that the buffers have no room for a group of each.
    pub(super) fn new(run: Prepared<'a>, buffers: &'a mut [MaybeUninit<u64>; WORDS]) -> Option<Rims<'a>> {
        let layout = &run.program.layout;
        let inputs = layout.inputs.iter().map(|(_, dtype)| dtype.size());
        let sizes: SmallVec<[usize; 16]> = inputs.chain(layout.outputs.iter().map(|dtype| dtype.size())).collect();
        let room = WORDS / sizes.len() / layout.group * layout.group;
        if room == 0 {
            return None;
        }
        let mut arrays: SmallVec<[*mut u8; 16]> = SmallVec::new();
        arrays.extend(buffers.chunks_exact_mut(room).take(sizes.len()).map(|buffer| buffer.as_mut_ptr().cast()));
        arrays.extend_from_slice(run.wholes);
        Some(Rims { run, room, filled: 0, arrays, sizes, results: SmallVec::new() })
    }

    /// Takes `count` elements: the first is at `starts` in the arrays of the program, each `strides` bytes behind the one before.
    ///
    /// Fails if the run is to end.
    ///
    /// # Safety
    /// All of them lie in the arrays, and no one else has them until [`finish`](Rims::finish) was called.
    pub(super) unsafe fn take(&mut self, starts: &[*mut u8], strides: &[isize], count: usize) -> Result<(), Halt> {
        let inputs = self.run.program.layout.inputs.len();
        let mut done = 0;
        while done < count {
            let part = (self.room - self.filled).min(count - done);
            let at = |k: usize, moved: usize| starts[k].wrapping_offset((done + moved) as isize * strides[k]);
            for first in (0..part).step_by(TOGETHER) {
                for (k, stride) in strides.iter().enumerate().take(inputs) {
                    let (size, count) = (self.sizes[k], TOGETHER.min(part - first));
                    // SAFETY: the caller's promise; the buffer has room behind what was taken.
                    unsafe {
                        let to = self.arrays[k].add((self.filled + first) * size);
                        run::gather(at(k, first), *stride, to, size, count);
                    }
                }
            }
            for (output, stride) in strides.iter().enumerate().skip(inputs) {
                let to = at(output, 0);
                self.results.push(Results { output, from: self.filled, count: part, to, stride: *stride });
            }
            (done, self.filled) = (done + part, self.filled + part);
            if self.filled == self.room {
                // SAFETY: the caller's promise.
                unsafe { self.finish() }?;
            }
        }
        Ok(())
    }

    /// Computes what was taken.
    ///
    /// # Safety
    /// As of [`take`](Rims::take).
    pub(super) unsafe fn finish(&mut self) -> Result<(), Halt> {
        let Prepared { program, scalars, resources, .. } = self.run;
        let computed = self.filled.next_multiple_of(program.layout.group);
        if computed == 0 {
            return Ok(());
        }
        for (array, size) in self.arrays.iter().zip(&self.sizes).take(program.layout.inputs.len()) {
            // SAFETY: the buffer has room for whole groups, and holds one element at least.
            unsafe { run::repeat_last(*array, *size, self.filled, computed) };
        }
        // SAFETY: the buffers hold so many elements of each array.
        unsafe { run::compute(program, &self.arrays, scalars, computed, resources.turns()) }?;
        for Results { output, from, count, to, stride } in self.results.drain(..) {
            let size = self.sizes[output];
            // SAFETY: the caller's promise when they were taken.
            unsafe { run::scatter(self.arrays[output].add(from * size), to, stride, size, count) };
        }
        self.filled = 0;
        Ok(())
    }
}

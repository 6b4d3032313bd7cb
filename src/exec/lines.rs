//! Lines along the fastest axis, of which code reaches every array itself, to calls of code for parts of them.
//!
//! The most of a line is done in groups from where the outputs are aligned on. The elements before and behind are computed with
//! their neighbours, a second time.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::program::{Machine, Program};
use super::run::{self, Prepared};
use super::stream;
use crate::interp::Halt;

/// From so many groups on a line is walked for itself.
pub(super) const FEW_GROUPS: usize = 2;

/// From so many groups on aligned stores are worth one group more.
const MANY_GROUPS: usize = 32;

/// Bytes of a line of the caches: what is written past them in part costs as much as the whole.
const CACHE_LINE: usize = 64;

/// How lines are computed that are alike.
pub(super) struct Lines {
    parts: SmallVec<[Part; 3]>,
    /// Whether outputs are written past the caches.
    pub(super) streams: bool,
}

/// What one call of code computes of a line.
struct Part {
    first: usize,
    /// Whole groups.
    count: usize,
    streams: bool,
}

impl Lines {
    /// Lines of `len` elements. `streamed` are all outputs of the program, none of which lies where an input does; `are_aligned`
    /// says whether all of them are multiples of so many bytes at an element of every line. None if lines are too short.
    pub(super) fn new(
        program: &Program,
        streamed: &[bool],
        len: usize,
        are_aligned: impl Fn(usize, usize) -> bool,
    ) -> Option<Lines> {
        let group = program.layout.group;
        if len < FEW_GROUPS * group {
            return None;
        }
        let aligned = first_aligned(program, 0..group, are_aligned);
        let is_past = streamed.len() == program.layout.outputs.len() && streamed.iter().all(|streamed| *streamed);
        let streams = aligned.is_some() && is_past;
        let first = aligned.filter(|_| streams || len >= MANY_GROUPS * group).unwrap_or(0);
        let whole = (len - first) / group * group;
        let mut parts = SmallVec::new();
        if first > 0 {
            parts.push(Part { first: 0, count: group, streams: false });
        }
        parts.push(Part { first, count: whole, streams });
        if first + whole < len {
            parts.push(Part { first: len - group, count: group, streams: false });
        }
        Some(Lines { parts, streams })
    }

    /// Whether elements are computed twice.
    pub(super) fn repeat(&self) -> bool {
        self.parts.len() > 1
    }

    /// Rows of `len` elements with what is between them, as lines each of which is to be computed so many times, `extent` elements
    /// behind the time before. As of [`new`](Lines::new), from the first element of the first row to the last of the last one.
    ///
    /// Where outputs are written past the caches, what is between two rows is not, nor what shares a cache line with it: it is to be
    /// written once more, and what memory has already would have to be read back for that.
    pub(super) fn through(
        program: &Program,
        streamed: &[bool],
        (rows, len, extent): (usize, usize, usize),
        are_aligned: impl Fn(usize, usize) -> bool,
    ) -> Option<SmallVec<[(Lines, usize); 4]>> {
        let (group, whole) = (program.layout.group, len + (rows - 1) * extent);
        let lines = Lines::new(program, streamed, whole, &are_aligned)?;
        let begins_line =
            |at: &usize| stream_align(program).is_some_and(|align| are_aligned(*at, align.max(CACHE_LINE)));
        let first = (0..group).find(begins_line).filter(|first| lines.streams && begins_line(&(first + extent)));
        let count = first.and_then(|first| {
            let mut groups = (MANY_GROUPS..=len.saturating_sub(first) / group).rev().take(CACHE_LINE);
            let groups = groups.find(|groups| begins_line(&(first + groups * group)))?;
            Some(groups * group).filter(|count| (extent - count).is_multiple_of(group))
        });
        let (Some(first), Some(count)) = (first, count) else { return Some(smallvec![(lines, 1)]) };
        let part = |first: usize, count: usize, streams: bool| {
            let parts = if count > 0 { smallvec![Part { first, count, streams }] } else { smallvec![] };
            Lines { parts, streams }
        };
        let behind = (len - first - count).next_multiple_of(group);
        let mut parts = smallvec![
            (part(first, count, true), rows),
            (part(first + count, extent - count, false), rows - 1),
            (part(whole - behind, behind, false), 1),
        ];
        if first > 0 {
            parts.push((part(0, group, false), 1));
        }
        Some(parts)
    }

    /// Computes `count` lines. The first begins at `starts` in the arrays of the program, which have elements of `units` bytes; each
    /// is `steps` bytes behind the one before. What columns have for the first is at `columns`.
    ///
    /// Fails if the run is to end; outputs then hold unspecified but initialised values.
    ///
    /// # Safety
    /// All elements of the lines lie in the arrays, outputs as these lines were made for, and no one else has them meanwhile. Columns
    /// have one for each line.
    pub(super) unsafe fn compute(
        &self,
        run: &Prepared<'_>,
        starts: &[*mut u8],
        units: &[isize],
        steps: &[isize],
        columns: &[*const u8],
        count: usize,
    ) -> Result<(), Halt> {
        let turns = run.resources.turns();
        let mut all: SmallVec<[SmallVec<[*mut u8; 16]>; 3]> = SmallVec::new();
        for part in &self.parts {
            let mut arrays = SmallVec::new();
            for (start, unit) in starts.iter().zip(units) {
                arrays.push(start.wrapping_offset(part.first as isize * unit));
            }
            arrays.extend_from_slice(run.wholes);
            all.push(arrays);
        }
        let mut scalars: SmallVec<[u64; 8]> = SmallVec::from_slice(run.scalars);
        let mut columns: SmallVec<[*const u8; 4]> = SmallVec::from_slice(columns);
        for _ in 0..count {
            for (column, at) in run.columns.iter().zip(&mut columns) {
                // SAFETY: a column has an element for each line.
                unsafe { column.take(*at, &mut scalars) };
                *at = at.wrapping_offset(column.step());
            }
            for (part, arrays) in self.parts.iter().zip(&mut all) {
                // SAFETY: a line has so many elements from there on, of every array, and outputs are aligned there if code streams.
                unsafe {
                    match part.streams {
                        true => run::compute_streaming(run.program, arrays, &scalars, part.count),
                        false => run::compute(run.program, arrays, &scalars, part.count, turns)?,
                    }
                }
                arrays.iter_mut().zip(steps).for_each(|(array, step)| *array = array.wrapping_offset(*step));
            }
        }
        Ok(())
    }

    /// To be called where a chunk ends: what was written past the caches is then in memory.
    pub(super) fn fence(&self) {
        if self.streams {
            stream::fence();
        }
    }
}

/// The first of some elements at which outputs are aligned for code that writes past the caches, at lines of these if they meet
/// there. None if there is no such element or code.
fn first_aligned(
    program: &Program,
    elements: Range<usize>,
    are_aligned: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let align = stream_align(program)?;
    let first = |align: usize| elements.clone().find(|at| are_aligned(*at, align));
    first(align.max(CACHE_LINE)).or_else(|| first(align))
}

/// Bytes that outputs are to be aligned at for code that writes past the caches, if there is such code.
fn stream_align(program: &Program) -> Option<usize> {
    match &program.engine {
        Machine::Native(native) => native.stream_align(),
        _ => None,
    }
}

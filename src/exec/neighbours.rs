//! Inputs that are another array moved: where all of a span lies inside, the array itself; at the edges a buffer.
#![expect(unsafe_code, reason = "elements are read through the addresses of checked views")]

use std::ops::Range;

use smallvec::SmallVec;

use super::plan::Walk;
use super::run::{Runner, lay_out, read, repeat_last, write};
use crate::ir::{Boundary, Neighbour};
use crate::strip::Source;

impl<'a> Runner<'a> {
    /// The parameters from `first` on are `neighbours`. Spans end where rows do, and where neighbours are beyond a row.
    pub(super) fn move_inputs(&mut self, neighbours: &'a [Neighbour], first: usize) {
        self.moved = (0..self.slots.len()).map(|_| None).collect();
        for (k, (source, _)) in self.program.layout.inputs.iter().enumerate() {
            if let Source::Param(param) = source
                && let Some(place) = (*param as usize).checked_sub(first)
            {
                let neighbour = &neighbours[place];
                self.moved[k] = Some(neighbour);
                let along = neighbour.offsets.last().copied().unwrap_or(0);
                self.rims.0 = self.rims.0.max(along.min(0).unsigned_abs());
                self.rims.1 = self.rims.1.max(along.max(0).unsigned_abs());
            }
        }
        self.by_rows = true;
        // Spans begin where they must, aligned or not.
        self.streams_from = None;
        for (slot, moved) in self.slots.iter_mut().zip(&self.moved) {
            slot.direct &= moved.is_none();
        }
        let group = self.program.layout.group;
        (self.strip, self.buffers) = lay_out(&mut self.slots, self.plan.len, group, group);
    }

    /// How many elements there are from a column of a row up to the next place where spans end.
    pub(super) fn rim_from(&self, column: usize, inner: usize) -> usize {
        let last = inner.saturating_sub(self.rims.1);
        let end = [self.rims.0, last, inner].into_iter().find(|end| *end > column);
        end.unwrap_or(inner).min(inner) - column
    }

    /// Where `computed` elements are of which the first are the neighbours of `elements`, which lie in one row.
    ///
    /// # Safety
    /// The walk is that of the array, which has the domain's shape; the buffer has room for `computed` elements.
    pub(super) unsafe fn beside(
        &self,
        neighbour: &Neighbour,
        walk: &Walk,
        size: usize,
        elements: Range<usize>,
        computed: usize,
        buffer: *mut u8,
    ) -> *mut u8 {
        let (at, count, extents) = (elements.start, elements.len(), &self.plan.extents);
        let last = extents.len() - 1;
        let mut positions: SmallVec<[usize; 4]> = SmallVec::from_elem(0, extents.len());
        self.plan.each_axis(at, |axis, position| positions[axis] = position);
        let place = |axis: usize, position: usize| {
            neighbour.boundary.place(position as isize + neighbour.offsets[axis], extents[axis])
        };
        let row = (0..last).try_fold(walk.start, |start, axis| {
            Some(start.wrapping_offset(place(axis, positions[axis])? as isize * walk.strides[axis]))
        });
        let (step, first) = (walk.strides[last], positions[last] as isize + neighbour.offsets[last]);
        let is_inside = first >= 0 && first as usize + count <= extents[last];
        if let (Some(row), true) = (row, is_inside && step == walk.unit && count == computed) {
            return row.wrapping_offset(first * step);
        }
        for k in 0..count {
            let element = row.zip(place(last, positions[last] + k));
            // SAFETY: the place is inside the array, and the buffer has room.
            unsafe {
                let bits = match (element, neighbour.boundary) {
                    (Some((row, column)), _) => read(row.wrapping_offset(column as isize * step), size),
                    (None, Boundary::Constant(bits)) => bits,
                    (None, _) => unreachable!("every other boundary has a place"),
                };
                write(buffer.add(k * size), size, bits);
            }
        }
        // SAFETY: `count` elements are written, and there is room for `computed`.
        unsafe { repeat_last(buffer, size, count, computed) };
        buffer
    }
}

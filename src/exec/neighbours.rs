//! A run that reads beside its elements to runs over boxes, in each of which every neighbour is an array that lies in some way.
//!
//! Inside, where all neighbours exist, a neighbour is the array itself, some steps aside: one tight loop. At an edge it is the
//! array turned round, a row of it again and again, or the constant.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::feed;
use super::plan::{Extents, Placed, Plan, Strides};
use super::pool;
use super::run::{Input, LONGEST_CHUNK, Prepared, Report, Runner};
use crate::dtype::DType;
use crate::error::Result;
use crate::ir::{Boundary, Neighbour};
use crate::strip::Source;

/// A range of positions along one axis, or one along each axis.
type Ranges = SmallVec<[Range<usize>; 8]>;

/// A neighbour and the array that it moves.
struct Moved<'a> {
    neighbour: &'a Neighbour,
    /// Of the array, whose axes are the last of the domain's.
    shape: &'a [usize],
    /// What stands beyond its edges, if that is a constant.
    constant: u64,
}

impl Moved<'_> {
    /// The extent and the offset along an axis of a domain of so many axes, if the array has it.
    fn along(&self, axis: usize, axes: usize) -> Option<(usize, isize)> {
        let own = (axis + self.shape.len()).checked_sub(axes)?;
        Some((self.shape[own], self.neighbour.offsets[own]))
    }
}

/// A run and how it is cut. Along each axis a piece ends where a neighbour goes on in another way.
struct Boxes<'a> {
    run: Prepared<'a>,
    /// All arrays along all axes; a neighbour lies where the array does that it moves.
    whole: &'a Plan,
    /// Of each array that is read.
    moved: SmallVec<[Option<Moved<'a>>; 8]>,
    pieces: SmallVec<[Ranges; 4]>,
    /// Pieces of the axes up to this one are cut further, into bands: of one position, of this axis of so many.
    banded: usize,
    band: usize,
}

// SAFETY: as of a runner: addresses are of views that outlive the run, and threads write disjoint elements.
#[expect(unsafe_code, reason = "addresses of checked views go to threads")]
unsafe impl Sync for Boxes<'_> {}

/// Runs over `whole`, whose axes are in order. The last of the `inputs` are `neighbours`.
pub(super) fn run(run: Prepared<'_>, whole: &Plan, inputs: &[Input<'_>], neighbours: &[Neighbour]) -> Result<Report> {
    let (layout, resources) = (&run.program.layout, run.resources);
    let moved = run.program.read().map(|(source, dtype)| moved(source, dtype, inputs, neighbours));
    let longest = resources.chunk.min(layout.thread_len.saturating_mul(LONGEST_CHUNK));
    let mut boxes = Boxes { run, whole, moved: moved.collect(), pieces: SmallVec::new(), banded: 0, band: 1 };
    let inside = interior(&whole.extents, inputs, neighbours);
    boxes.pieces = inside.iter().enumerate().map(|(axis, range)| boxes.pieces(axis, range.clone())).collect();
    boxes.cut(&inside, longest);
    let items: usize = (0..=boxes.banded).map(|axis| boxes.bands(axis)).product();
    let elements: usize = inside.iter().map(|range| range.len()).product();
    if elements == 0 {
        return Ok(Report { threads: 1, chunks: 0 });
    }
    let stopped = AtomicBool::new(false);
    let body = |item: usize| {
        if resources.stop.poll().is_break() {
            stopped.store(true, Ordering::Relaxed);
            return ControlFlow::Break(());
        }
        boxes.item(item);
        ControlFlow::Continue(())
    };
    let helpers = elements / layout.thread_len;
    let threads = pool::run(resources.pool, items, helpers.min(items - 1), &body);
    if stopped.load(Ordering::Relaxed) {
        resources.stop.check()?;
    }
    resources.stop.check_whole()?;
    Ok(Report { threads, chunks: items })
}

fn moved<'a>(source: Source, dtype: DType, inputs: &[Input<'a>], neighbours: &'a [Neighbour]) -> Option<Moved<'a>> {
    let Source::Param(param) = source else { return None };
    let neighbour = neighbours.get((param as usize).checked_sub(inputs.len() - neighbours.len())?)?;
    let Input::Array(view) = inputs[param as usize] else { unreachable!("an array has neighbours") };
    let constant = match neighbour.boundary {
        // As an element of the dtype has them in memory.
        Boundary::Constant(bits) if cfg!(target_endian = "big") => bits << (64 - 8 * dtype.size()),
        Boundary::Constant(bits) => bits,
        Boundary::Edge | Boundary::Wrap | Boundary::Reflect | Boundary::Symmetric | Boundary::Interior => 0,
    };
    Some(Moved { neighbour, shape: view.extents(), constant })
}

/// The positions along each axis where every neighbour exists that has to.
fn interior(extents: &[usize], inputs: &[Input<'_>], neighbours: &[Neighbour]) -> Ranges {
    let mut ranges: Ranges = extents.iter().map(|extent| 0..*extent).collect();
    let arrays = &inputs[inputs.len() - neighbours.len()..];
    for (neighbour, array) in neighbours.iter().zip(arrays).filter(|(it, _)| it.boundary == Boundary::Interior) {
        let Input::Array(view) = array else { unreachable!("an array has neighbours") };
        let first = extents.len() - view.rank();
        for (range, (offset, extent)) in ranges[first..].iter_mut().zip(neighbour.offsets.iter().zip(view.extents())) {
            range.start = range.start.max(offset.min(&0).unsigned_abs());
            let end = (*extent as isize).saturating_sub(*offset.max(&0)).max(0) as usize;
            range.end = range.end.min(end).max(range.start);
        }
    }
    ranges
}

impl Boxes<'_> {
    /// Where along an axis each neighbour goes on in one way.
    fn pieces(&self, axis: usize, range: Range<usize>) -> Ranges {
        let mut pieces = Ranges::new();
        let mut at = range.start;
        while at < range.end {
            let mut count = range.end - at;
            for moved in self.moved.iter().flatten() {
                let Some((extent, offset)) = moved.along(axis, self.whole.extents.len()) else { continue };
                // Of an array that is repeated along the axis all elements have one neighbour.
                if extent == self.whole.extents[axis] {
                    let stretch = moved.neighbour.boundary.stretch(at as isize + offset, extent);
                    count = count.min(stretch.count);
                }
            }
            pieces.push(at..at + count);
            at += count;
        }
        pieces
    }

    /// Decides on bands of about `longest` elements, so that there is work for several threads and a stop is soon seen.
    fn cut(&mut self, inside: &[Range<usize>], longest: usize) {
        let mut behind = 1_usize;
        self.banded = inside.len() - 1;
        for (axis, range) in inside.iter().enumerate().skip(1).rev() {
            if behind.saturating_mul(range.len()) > longest {
                break;
            }
            behind *= range.len().max(1);
            self.banded = axis - 1;
        }
        self.band = (longest / behind).max(1);
    }

    /// Positions of a band of an axis.
    fn band(&self, axis: usize) -> usize {
        if axis == self.banded { self.band } else { 1 }
    }

    fn bands(&self, axis: usize) -> usize {
        self.pieces[axis].iter().map(|piece| piece.len().div_ceil(self.band(axis))).sum()
    }

    /// The `k`-th band of an axis.
    fn nth(&self, axis: usize, mut k: usize) -> Range<usize> {
        let band = self.band(axis);
        for piece in &self.pieces[axis] {
            let bands = piece.len().div_ceil(band);
            if k < bands {
                let start = piece.start + k * band;
                return start..piece.end.min(start + band);
            }
            k -= bands;
        }
        unreachable!("an item is a band of each axis")
    }

    /// Computes all boxes in a band.
    fn item(&self, item: usize) {
        let mut part: Ranges = self.pieces.iter().map(|pieces| pieces[0].clone()).collect();
        let mut rest = item;
        for axis in (0..=self.banded).rev() {
            let bands = self.bands(axis);
            part[axis] = self.nth(axis, rest % bands);
            rest /= bands;
        }
        let unbanded = &self.pieces[self.banded + 1..];
        for mut k in 0..unbanded.iter().map(|pieces| pieces.len()).product() {
            for (axis, pieces) in unbanded.iter().enumerate().rev() {
                part[self.banded + 1 + axis] = pieces[k % pieces.len()].clone();
                k /= pieces.len();
            }
            self.compute(&part);
        }
    }

    /// Computes a box.
    fn compute(&self, part: &[Range<usize>]) {
        let extents: Extents = part.iter().map(|range| range.len()).collect();
        let mut strides: SmallVec<[Strides; 8]> = SmallVec::new();
        let mut starts: SmallVec<[*mut u8; 8]> = SmallVec::new();
        for (k, walk) in self.whole.walks.iter().enumerate() {
            let (mut start, mut own) = (walk.start, walk.strides.clone());
            let moved = self.moved.get(k).and_then(Option::as_ref);
            for (axis, range) in part.iter().enumerate() {
                let along = moved.and_then(|moved| Some((moved, moved.along(axis, part.len())?)));
                let Some((moved, (extent, offset))) = along else {
                    start = start.wrapping_offset(range.start as isize * own[axis]);
                    continue;
                };
                let is_repeated = extent != self.whole.extents[axis];
                let at = if is_repeated { 0 } else { range.start as isize };
                match moved.neighbour.boundary.stretch(at + offset, extent).place {
                    Some((place, step)) => {
                        start = start.wrapping_offset(place as isize * own[axis]);
                        own[axis] *= if is_repeated { 0 } else { step };
                    }
                    None => {
                        start = (&raw const moved.constant).cast_mut().cast();
                        own.fill(0);
                        break;
                    }
                }
            }
            strides.push(own);
            starts.push(start);
        }
        let placed = starts.iter().zip(&strides).zip(&self.whole.walks).map(|((start, strides), walk)| Placed {
            start: *start,
            shape: &extents,
            strides,
            unit: walk.unit,
        });
        let mut plan = Plan::new(&extents, placed);
        let of_feeds = feed::split(self.run.program, &mut plan);
        let mut runner = Runner::new(self.run, &plan);
        runner.feed_by(&of_feeds);
        runner.chunk(0, plan.len);
    }
}

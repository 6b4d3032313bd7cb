//! A run that reads beside its elements to runs over boxes, in each of which every neighbour is an array that lies in some way.
//!
//! Inside, where all neighbours exist, a neighbour is the array itself, some steps aside: one tight loop. At an edge it is the
//! array turned round, a row of it again and again, or the constant. Where rows follow one another without a gap in all arrays,
//! the inside is one line from the first row through to the last: what lies at the ends of rows in between is computed of what
//! happens to lie beside it, and then computed anew.

use std::mem::MaybeUninit;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::feed;
use super::lines::Lines;
use super::plan::{Extents, Placed, Plan, Strides, Walk};
use super::pool;
use super::rims::{Rims, WORDS};
use super::run::{Input, LONGEST_CHUNK, Prepared, Report, Runner};
use crate::dtype::DType;
use crate::error::Result;
use crate::interp::Halt;
use crate::ir::{Boundary, Neighbour};
use crate::strip::Source;

/// A range of positions along one axis, or one along each axis.
type Ranges = SmallVec<[Range<usize>; 8]>;

/// Where arrays begin in a box, and their steps along the axes.
type Lying = SmallVec<[(*mut u8, Strides); 8]>;

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

/// Elements of a chunk at most, so that rows are in the second cache when those beside them read them again.
const LONGEST_BAND: usize = 32 * 1024;

/// Runs over `whole`, whose axes are in order. The last of the `inputs` are `neighbours`.
pub(super) fn run(run: Prepared<'_>, whole: &Plan, inputs: &[Input<'_>], neighbours: &[Neighbour]) -> Result<Report> {
    let (layout, resources) = (&run.program.layout, run.resources);
    let moved = run.program.read().map(|(source, dtype)| moved(source, dtype, inputs, neighbours));
    let longest = resources.chunk.min(LONGEST_BAND).min(layout.thread_len.saturating_mul(LONGEST_CHUNK));
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
        let (unbanded, last) = (self.banded + 1, self.pieces.len() - 1);
        let mut buffers = [MaybeUninit::uninit(); WORDS];
        let core = self.core().filter(|_| self.banded < last);
        let Some((core, mut rims)) = core.and_then(|core| Some((core, Rims::new(self.run, &mut buffers)?))) else {
            return self.each_box(&mut part, unbanded..last + 1, &mut |part| self.compute(part));
        };
        let mut computed = Ok(());
        self.each_box(&mut part, unbanded..last, &mut |part| {
            part[last] = core.clone();
            let placed = self.placed(part);
            match self.lines_through(part, &placed) {
                Some(lines) => computed = computed.and_then(|()| self.compute_through(&lines, part, &placed)),
                None => self.compute(part),
            }
            for piece in self.pieces[last].iter().filter(|piece| **piece != core) {
                part[last] = piece.clone();
                computed = computed.and_then(|()| self.compute_rim(&mut rims, part));
            }
        });
        // SAFETY: the rims are of these boxes, which no other thread has.
        #[expect(unsafe_code, reason = "addresses of checked views go to code")]
        if let Err(halt) = computed.and_then(|()| unsafe { rims.finish() }) {
            self.run.resources.interrupt(halt);
        }
    }

    /// The piece of the last axis that is most of it, if what is between two of them may be written twice.
    fn core(&self) -> Option<Range<usize>> {
        let Prepared { program, feeds, is_in_place, .. } = self.run;
        let (pieces, extent) = (self.pieces.last()?, *self.whole.extents.last()?);
        let is_whole = pieces.first()?.start == 0 && pieces.last()?.end == extent;
        let has_index = program.layout.inputs.iter().any(|(source, _)| matches!(source, Source::Index(_)));
        // Loops need not end for elements that nobody asked for, and calls ought not to see them.
        let may_repeat = !program.layout.counts_turns && feeds.is_empty() && !is_in_place && !has_index;
        pieces.iter().find(|piece| is_whole && may_repeat && 2 * piece.len() > extent).cloned()
    }

    /// Visits every combination of the pieces of some axes.
    fn each_box(&self, part: &mut Ranges, axes: Range<usize>, visit: &mut dyn FnMut(&mut Ranges)) {
        for mut k in 0..self.pieces[axes.clone()].iter().map(|pieces| pieces.len()).product() {
            for axis in axes.clone().rev() {
                let pieces = &self.pieces[axis];
                part[axis] = pieces[k % pieces.len()].clone();
                k /= pieces.len();
            }
            visit(part);
        }
    }

    /// Where each array begins in a box, and its steps along the axes.
    fn placed(&self, part: &[Range<usize>]) -> Lying {
        let mut placed = Lying::new();
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
            placed.push((start, own));
        }
        placed
    }

    /// Computes a box.
    fn compute(&self, part: &[Range<usize>]) {
        let extents: Extents = part.iter().map(|range| range.len()).collect();
        let all = self.placed(part);
        let placed = all.iter().zip(&self.whole.walks).map(|((start, strides), walk)| Placed {
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

    /// The rows of a box as lines, with what is between the end of one and the beginning of the next, if these follow one
    /// another without a gap in all arrays and are long.
    fn lines_through(&self, part: &[Range<usize>], placed: &Lying) -> Option<SmallVec<[(Lines, usize); 4]>> {
        let (last, program) = (part.len() - 1, self.run.program);
        let (rows, extent) = (part[last - 1].len(), self.whole.extents[last]);
        let follow = |((_, strides), walk): (&(*mut u8, Strides), &Walk)| {
            let is_next = rows == 1 || strides[last - 1] == walk.unit * extent as isize;
            is_next && strides[last] == walk.unit
        };
        if !placed.iter().zip(&self.whole.walks).all(follow) {
            return None;
        }
        let inputs = program.layout.inputs.len();
        let outputs = || placed[inputs..].iter().zip(&self.whole.walks[inputs..]);
        Lines::through(program, self.run.streamed, (rows, part[last].len(), extent), |at, align| {
            outputs().all(|((start, strides), walk)| {
                let mut slower = strides.iter().zip(&part[..last - 1]).filter(|(_, range)| range.len() > 1);
                start.addr().wrapping_add(at * walk.unit as usize).is_multiple_of(align)
                    && slower.all(|(stride, _)| stride.unsigned_abs().is_multiple_of(align))
            })
        })
    }

    fn compute_through(&self, lines: &[(Lines, usize)], part: &[Range<usize>], placed: &Lying) -> Result<(), Halt> {
        let units: SmallVec<[isize; 8]> = self.whole.walks.iter().map(|walk| walk.unit).collect();
        let extent = self.whole.extents[part.len() - 1] as isize;
        let steps: SmallVec<[isize; 8]> = units.iter().map(|unit| extent * unit).collect();
        let computed = each_plane(part, placed, |starts| {
            // SAFETY: rows follow one another, so that all from the first to the last element of the box are elements of the arrays.
            // What is not of the box is of a rim beside it, which is this thread's too and computed later.
            #[expect(unsafe_code, reason = "addresses of checked views go to code")]
            lines
                .iter()
                .try_for_each(|(lines, count)| unsafe { lines.compute(&self.run, starts, &units, &steps, &[], *count) })
        });
        lines.iter().for_each(|(lines, _)| lines.fence());
        computed
    }

    /// Computes a box of few columns.
    fn compute_rim(&self, rims: &mut Rims<'_>, part: &[Range<usize>]) -> Result<(), Halt> {
        let (last, placed) = (part.len() - 1, self.placed(part));
        let strides: SmallVec<[isize; 8]> = placed.iter().map(|(_, strides)| strides[last - 1]).collect();
        each_plane(part, &placed, |starts| {
            for column in 0..part[last].len() as isize {
                let start =
                    |(start, (_, strides)): (&*mut u8, &(_, Strides))| start.wrapping_offset(column * strides[last]);
                let starts: SmallVec<[*mut u8; 8]> = starts.iter().zip(&placed).map(start).collect();
                // SAFETY: the elements are some of the box, which no other thread has.
                #[expect(unsafe_code, reason = "addresses of checked views go to code")]
                unsafe { rims.take(&starts, &strides, part[last - 1].len()) }?;
            }
            Ok(())
        })
    }
}

/// Visits every position along the axes before the last two, with where the arrays begin there.
fn each_plane(
    part: &[Range<usize>],
    placed: &Lying,
    mut visit: impl FnMut(&[*mut u8]) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let slower = &part[..part.len() - 2];
    for plane in 0..slower.iter().map(|range| range.len()).product() {
        let start = |(start, strides): &(*mut u8, Strides)| {
            let mut rest: usize = plane;
            slower.iter().zip(strides).rev().fold(*start, |start, (range, stride)| {
                let position = rest % range.len();
                rest /= range.len();
                start.wrapping_offset(position as isize * stride)
            })
        };
        visit(&placed.iter().map(start).collect::<SmallVec<[*mut u8; 8]>>())?;
    }
    Ok(())
}

//! A program with reductions to a job for each of its stages, with the totals that go from one to the next.

use smallvec::SmallVec;

use super::kernel::Formula;
use super::rows::{self, Rows};
use super::run::{Inputs, Run, Shapes, left};
use super::variant::{Part, Variant};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::plan::Extents;
use crate::exec::{self, Input, Job, Reducing, Report, Resources, Target};
use crate::ir::Fold;
use crate::lower::Lowered;
use crate::stage::{Read, Total};
use crate::strip::Source;
use crate::view::{Buffer, View, ViewMut, element_count};

/// Where a total lies between the stages.
enum Place {
    /// It is what this output is.
    Output(usize),
    Buffer(Buffer),
}

/// Runs the stages of `variant`; `shapes` are those of the graph's domains.
pub(super) fn execute(
    run: &Run<'_>,
    variant: &Variant,
    outputs: &mut [ViewMut<'_>],
    shapes: &Shapes,
    sizes: &[i64],
    resources: &Resources<'_>,
) -> Result<Report> {
    check_overwritten(run, variant)?;
    let Some(rows) = Rows::of(run, variant, outputs, shapes) else {
        return stages(run, variant, outputs, shapes, sizes, resources);
    };
    exec::by_rows(rows.count, rows.at_once, outputs, resources, |range, outputs, resources| {
        let (views, shapes) = (rows.views(&range, run.inputs), rows.shapes(&range, shapes));
        let inputs = rows::replaced(run.inputs, &views);
        let run = Run { inputs: &inputs, ..*run };
        stages(&run, variant, outputs, &shapes, sizes, resources)
    })
}

/// Runs the stages one after another, each over all of its domain.
fn stages(
    run: &Run<'_>,
    variant: &Variant,
    outputs: &mut [ViewMut<'_>],
    shapes: &[Extents],
    sizes: &[i64],
    resources: &Resources<'_>,
) -> Result<Report> {
    let mut places = places(run, variant, outputs, shapes)?;
    let stages = InStages { run, variant, shapes, sizes, resources };
    let mut report = Report::default();
    for part in &variant.stages {
        let one = stages.stage(part, &mut places, outputs)?;
        report.threads = report.threads.max(one.threads);
        report.chunks += one.chunks;
    }
    for (output, read) in &variant.taken {
        let read = variant.reads[*read as usize];
        match &places[read.total as usize] {
            Place::Output(known) if known == output => {}
            Place::Output(known) => {
                let known = *known;
                let (low, high) = outputs.split_at_mut(known.max(*output));
                let (from, to) =
                    if known < *output { (&low[known], &mut high[0]) } else { (&high[0], &mut low[*output]) };
                to.copy_from(&stages.shown(read, from.as_view()));
            }
            Place::Buffer(buffer) => outputs[*output].copy_from(&stages.shown(read, buffer.view())),
        }
    }
    Ok(report)
}

/// Fails if a fold that has no answer for no elements would have to give one; `shapes` are those of the graph's domains.
pub(super) fn check_empty(run: &Run<'_>, variant: &Variant, shapes: &[Extents]) -> Result<()> {
    for &kind in &variant.need_elements {
        let reduction = &run.lowered.graph.reductions[kind as usize];
        let shape = &shapes[reduction.domain as usize];
        let is_empty = |(axis, extent): (usize, &usize)| reduction.axes.contains(axis) && *extent == 0;
        let gives_some = !left(shape, reduction.axes, false).contains(&0);
        if gives_some && shape.iter().enumerate().any(is_empty) {
            return Err(empty(run.formula, run.lowered, kind));
        }
    }
    Ok(())
}

/// That the fold of no elements has no answer.
pub(super) fn empty(formula: &Formula, lowered: &Lowered, kind: u32) -> Error {
    let fold = lowered.graph.reductions[kind as usize].fold;
    let error =
        Error::new(ErrorKind::Shape, "empty-reduction", format!("`{}` of no elements has no answer", fold.name()));
    let error = error.at(&formula.program.ast.source, lowered.reductions[kind as usize]);
    match fold {
        Fold::Min | Fold::Max => error.with_hint("`initial=` is what it gives if there are none"),
        _ => error,
    }
}

/// Fails if a stage reads a parameter that an earlier one has written over.
fn check_overwritten(run: &Run<'_>, variant: &Variant) -> Result<()> {
    let mut written: SmallVec<[usize; 4]> = SmallVec::new();
    for part in &variant.stages {
        for (source, _) in part.program.read() {
            if let Source::Param(param) = source
                && let Some(Input::InPlace(output)) = run.inputs.get(param as usize)
                && written.contains(output)
            {
                let name = &run.formula.param_names[param as usize];
                let message = format!("`{name}` is written before another output reads it");
                return Err(Error::new(ErrorKind::Argument, "aliasing", message)
                    .with_hint("give that output an array of its own"));
            }
        }
        written.extend_from_slice(&part.outputs);
    }
    Ok(())
}

/// Bytes that the blocks of a reduction take until they are folded. Fails if there are more elements than any memory has.
pub(super) fn between(total: &Total, domain: &[usize]) -> Result<u128> {
    let elements = element_count(domain, DType::U8)?;
    let along = |(axis, extent): (usize, &usize)| if total.reduction.axes.contains(axis) { *extent } else { 1 };
    let reduced: usize = domain.iter().enumerate().map(along).product();
    let accumulator = exec::accumulator(total.reduction.fold, total.from, total.dtype);
    let kept = elements.checked_div(reduced).unwrap_or(0);
    Ok(if reduced > exec::BLOCK {
        kept as u128 * reduced.div_ceil(exec::BLOCK) as u128 * accumulator as u128
    } else {
        0
    })
}

/// The shape of a total as it is read.
fn shape_of(total: &Total, keepdims: bool, shapes: &[Extents]) -> Extents {
    let Total { reduction, .. } = total;
    let domain = &shapes[reduction.domain as usize];
    if reduction.is_scan { domain.clone() } else { left(domain, reduction.axes, keepdims) }
}

/// A total lies in the output that it is, if that has its shape and is no input; else in memory of its own.
fn places(run: &Run<'_>, variant: &Variant, outputs: &[ViewMut<'_>], shapes: &[Extents]) -> Result<Vec<Place>> {
    let shape = |total: &Total, keepdims| shape_of(total, keepdims, shapes);
    let is_input = |output: usize| run.inputs.iter().any(|input| matches!(input, Input::InPlace(k) if *k == output));
    let mut taken: Vec<Option<usize>> = vec![None; variant.totals.len()];
    for (output, read) in &variant.taken {
        let Read { total, keepdims } = variant.reads[*read as usize];
        let own = shape(&variant.totals[total as usize], keepdims);
        if *own == *outputs[*output].extents() && !is_input(*output) {
            taken[total as usize].get_or_insert(*output);
        }
    }
    let mut bytes: u128 = 0;
    for total in &variant.totals {
        bytes += between(total, &shapes[total.reduction.domain as usize])?;
    }
    for (total, _) in variant.totals.iter().zip(&taken).filter(|(_, taken)| taken.is_none()) {
        let size = total.dtype.size() as u128;
        bytes += shape(total, false).iter().fold(size, |bytes, extent| bytes.saturating_mul(*extent as u128));
    }
    run.check_memory("temporary arrays take", bytes)?;
    let place = |(total, taken): (&Total, Option<usize>)| match taken {
        Some(output) => Ok(Place::Output(output)),
        None => Buffer::zeroed(total.dtype, &shape(total, false)).map(Place::Buffer),
    };
    variant.totals.iter().zip(taken).map(place).collect()
}

/// A run whose totals go from stage to stage.
struct InStages<'a> {
    run: &'a Run<'a>,
    variant: &'a Variant,
    shapes: &'a [Extents],
    sizes: &'a [i64],
    resources: &'a Resources<'a>,
}

impl InStages<'_> {
    /// A total with the reduced axes or without, as it is read.
    fn shown<'v>(&self, read: Read, view: View<'v>) -> View<'v> {
        view.shape(&*shape_of(&self.variant.totals[read.total as usize], read.keepdims, self.shapes))
    }

    fn stage(&self, part: &Part, places: &mut [Place], outputs: &mut [ViewMut<'_>]) -> Result<Report> {
        let is_written = |total: usize| part.totals.iter().any(|written| *written as usize == total);
        // What the stage writes, and views of the rest.
        let mut own: SmallVec<[ViewMut<'_>; 4]> = SmallVec::new();
        let mut others: SmallVec<[Option<View<'_>>; 4]> = SmallVec::new();
        let mut targets: Vec<Option<ViewMut<'_>>> = places.iter().map(|_| None).collect();
        let mut known: Vec<Option<View<'_>>> = places.iter().map(|_| None).collect();
        let of_output =
            |k: usize| places.iter().position(|place| matches!(place, Place::Output(output) if *output == k));
        let of_outputs: SmallVec<[Option<usize>; 4]> = (0..outputs.len()).map(of_output).collect();
        for (k, output) in outputs.iter_mut().enumerate() {
            others.push(None);
            match of_outputs[k] {
                Some(total) if is_written(total) => targets[total] = Some(output.reborrow()),
                _ if part.outputs.contains(&k) => own.push(output.reborrow()),
                Some(total) => known[total] = Some(output.as_view()),
                None => others[k] = Some(output.as_view()),
            }
        }
        for (total, place) in places.iter_mut().enumerate() {
            match place {
                Place::Output(_) => {}
                Place::Buffer(buffer) => match is_written(total) {
                    true => targets[total] = Some(buffer.view_mut()),
                    false => known[total] = Some(buffer.view()),
                },
            }
        }
        let view = |read: &Read| known[read.total as usize].clone().map(|view| self.shown(*read, view));
        let views: Vec<Option<View<'_>>> = self.variant.reads.iter().map(view).collect();
        let mut inputs = Inputs::new();
        for input in self.run.inputs {
            inputs.push(match input {
                Input::Array(view) => Input::Array(view),
                Input::Scalar(bits) => Input::Scalar(*bits),
                Input::InPlace(output) => match &others[*output] {
                    Some(view) => Input::Array(view),
                    None => Input::InPlace(part.outputs.iter().take_while(|k| *k != output).count()),
                },
            });
        }
        for (read, view) in self.variant.reads.iter().zip(&views) {
            let is_single = self.variant.totals[read.total as usize].reduction.is_whole();
            inputs.push(match view {
                Some(view) if is_single => Input::Scalar(view.clone().shape([]).bits(&[])),
                Some(view) => Input::Array(view),
                // A total of this stage is no input of it.
                None => Input::Scalar(0),
            });
        }
        if let Some(output) = self.variant.kept {
            inputs.push(match part.totals.is_empty() {
                true => Input::InPlace(part.outputs.iter().take_while(|k| **k != output).count()),
                false => Input::Scalar(0),
            });
        }
        if part.totals.is_empty() {
            let job = Job { inputs: &inputs, outputs: &mut own, sizes: self.sizes, neighbours: &[] };
            return exec::run(&part.program, job, self.resources);
        }
        let target = |total: &u32| {
            let Total { reduction, from, .. } = self.variant.totals[*total as usize];
            let array = targets[*total as usize].take().expect("a total has a place");
            Target { fold: reduction.fold, from, array }
        };
        let mut totals: Vec<Target<'_>> = part.totals.iter().map(target).collect();
        let reduction = &self.variant.totals[part.totals[0] as usize].reduction;
        let (domain, axes) = (&*self.shapes[reduction.domain as usize], reduction.axes);
        let is_scan = reduction.is_scan;
        let job = Reducing {
            inputs: &inputs,
            domain,
            axes,
            is_scan,
            outputs: &mut own,
            totals: &mut totals,
            sizes: self.sizes,
        };
        // What is kept is read again at once.
        let keeps = self.variant.kept.is_some_and(|output| part.outputs.contains(&output));
        let cache = if keeps { usize::MAX } else { self.resources.cache };
        exec::reduce(&part.program, job, &Resources { cache, ..*self.resources })
    }
}

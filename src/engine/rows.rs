//! A program with reductions to tiles of rows: where no row asks for another, all stages run over a tile while it is in the cache.

use std::ops::Range;

use smallvec::SmallVec;

use super::run::{Inputs, Run, Shapes, left};
use super::variant::Variant;
use crate::exec::Input;
use crate::exec::plan::Extents;
use crate::ir::Leaf;
use crate::strip::Source;
use crate::view::{View, ViewMut};

/// Bytes of a tile: few enough that what one stage reads is in the second cache for the next, and so many that beginning a
/// stage costs little beside them.
const TILE: usize = 512 * 1024;

/// Rows that are longer fill a cache by themselves.
const LONGEST_ROW: usize = 128 * 1024;

/// How the arrays of a run are cut along their first axes.
pub(super) struct Rows {
    pub(super) count: usize,
    pub(super) at_once: usize,
    /// Which parameters have rows; the others are the same for each.
    params: SmallVec<[bool; 8]>,
    /// Which domains have.
    domains: SmallVec<[bool; 4]>,
}

impl Rows {
    /// None if a row of some stage asks for more than its own rows of arrays, or if there is nothing to gain.
    pub(super) fn of(run: &Run<'_>, variant: &Variant, outputs: &[ViewMut<'_>], shapes: &Shapes) -> Option<Rows> {
        let first = variant.totals.first()?.reduction.domain as usize;
        let count = *shapes[first].first()?;
        let mut sources = variant.stages.iter().flat_map(|part| part.program.sources());
        // The number of a row is that among all.
        let is_numbered = sources.any(|source| *source == Source::Index(0));
        let asks_for_any = variant.stages.iter().any(|part| part.program.asks_for_any());
        if variant.stages.len() < 2 || count < 2 || is_numbered || asks_for_any {
            return None;
        }
        let mut rows = Rows { count, at_once: 1, params: SmallVec::new(), domains: SmallVec::new() };
        let kinds = rows.kinds(run, outputs, shapes)?;
        rows.params = kinds.iter().map(|kind| *kind == Some(true)).collect();
        let lowered = run.lowered;
        let has_rows = |domain: u32| rows.domains[domain as usize];
        let mut totals = variant.totals.iter().map(|total| &total.reduction);
        let is_whole = |(k, output): (usize, &ViewMut<'_>)| {
            let domain = lowered.outputs[k].domain;
            has_rows(domain) && *shapes[domain as usize] == *output.extents()
        };
        let in_place = |input: &Input<'_>| matches!(input, Input::InPlace(_));
        if !totals.all(|reduction| has_rows(reduction.domain) && !reduction.axes.contains(0))
            || !outputs.iter().enumerate().all(is_whole)
            || !run.inputs.iter().zip(&rows.params).all(|(input, has_rows)| *has_rows || !in_place(input))
        {
            return None;
        }
        let longest = shapes.iter().zip(&rows.domains).filter(|(_, has_rows)| **has_rows);
        let longest = longest.map(|(shape, _)| shape[1..].iter().product::<usize>()).max()?;
        let read =
            run.inputs.iter().zip(&rows.params).filter(|(_, has_rows)| **has_rows).map(|(input, _)| match input {
                Input::Array(view) => view.dtype().size(),
                Input::InPlace(_) | Input::Scalar(_) => 0,
            });
        let bytes: usize = read.chain(outputs.iter().map(|output| output.dtype().size())).sum();
        rows.at_once = (TILE / (longest.max(1) * bytes.max(1))).clamp(1, count);
        (longest <= LONGEST_ROW && rows.at_once < count).then_some(rows)
    }

    /// Finds the domains that have rows, and for each parameter whether it has, if any domain knows it; none if one has in one
    /// domain and not in another.
    fn kinds(&mut self, run: &Run<'_>, outputs: &[ViewMut<'_>], shapes: &Shapes) -> Option<Vec<Option<bool>>> {
        let mut kinds = vec![None; run.inputs.len()];
        for (domain, shape) in run.lowered.graph.domains.iter().zip(shapes) {
            let has_count = shape.first() == Some(&self.count);
            let has_rows = |extents: &[usize]| has_count && extents.len() == shape.len() && extents[0] == self.count;
            let mut is_cut = has_count;
            for leaf in domain {
                match leaf {
                    Leaf::Param(param) => {
                        let kind = has_rows(run.shape(*param, outputs));
                        if kinds[*param as usize].replace(kind).is_some_and(|known| known != kind) {
                            return None;
                        }
                    }
                    Leaf::Reduced { domain, axes, keepdims } => {
                        let of = *domain as usize;
                        let keeps = self.domains[of] && !axes.contains(0);
                        is_cut &= keeps && has_rows(&left(&shapes[of], *axes, *keepdims));
                    }
                }
            }
            self.domains.push(is_cut);
        }
        Some(kinds)
    }

    /// The shapes of the domains for some rows.
    pub(super) fn shapes(&self, rows: &Range<usize>, shapes: &Shapes) -> Shapes {
        let cut = |(shape, has_rows): (&Extents, &bool)| {
            let mut shape = shape.clone();
            if *has_rows {
                shape[0] = rows.len();
            }
            shape
        };
        shapes.iter().zip(&self.domains).map(cut).collect()
    }

    /// Views of some rows of those arrays that have rows.
    pub(super) fn views<'v>(&self, rows: &Range<usize>, inputs: &[Input<'v>]) -> SmallVec<[Option<View<'v>>; 8]> {
        let cut = |(input, has_rows): (&Input<'v>, &bool)| match input {
            Input::Array(view) if *has_rows => Some((*view).clone().slice(0, rows.clone())),
            Input::Array(_) | Input::InPlace(_) | Input::Scalar(_) => None,
        };
        inputs.iter().zip(&self.params).map(cut).collect()
    }
}

/// The inputs with `views` in their places.
pub(super) fn replaced<'v>(inputs: &'v [Input<'_>], views: &'v [Option<View<'_>>]) -> Inputs<'v> {
    let one = |(input, view): (&'v Input<'_>, &'v Option<View<'_>>)| match (view, input) {
        (Some(view), _) => Input::Array(view),
        (None, Input::Array(view)) => Input::Array(view),
        (None, Input::InPlace(output)) => Input::InPlace(*output),
        (None, Input::Scalar(bits)) => Input::Scalar(*bits),
    };
    inputs.iter().zip(views).map(one).collect()
}

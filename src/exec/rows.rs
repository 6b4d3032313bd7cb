//! Outputs to tiles of rows, each of which one thread fills by itself.
#![expect(unsafe_code, reason = "threads write disjoint rows of the same arrays")]

use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::pool::{self, Pool};
use super::reduce::Shared;
use super::run::{Report, Resources};
use crate::error::Result;
use crate::view::ViewMut;

/// Calls `act` with ranges of `at_once` of the `count` rows, the outputs cut to these rows along their first axis, and what
/// a run on one thread may use.
///
/// Fails as the first tile that does.
pub(crate) fn by_rows(
    count: usize,
    at_once: usize,
    outputs: &mut [ViewMut<'_>],
    resources: &Resources<'_>,
    act: impl Fn(Range<usize>, &mut [ViewMut<'_>], &Resources<'_>) -> Result<Report> + Sync,
) -> Result<Report> {
    let tiles = count.div_ceil(at_once);
    // An output of which all is beyond the cache is so in each tile.
    let cache = (resources.cache as u128 * at_once as u128 / count as u128) as usize;
    let alone = Pool::own(1)?;
    let places: SmallVec<[Shared; 4]> = outputs.iter_mut().map(|output| Shared(output.pointer())).collect();
    let outputs = &*outputs;
    let failure = Mutex::new(None);
    let body = |tile: usize| {
        let rows = tile * at_once..count.min((tile + 1) * at_once);
        let cut = |(place, output): (&Shared, &ViewMut<'_>)| {
            let mut shape: SmallVec<[usize; 4]> = output.extents().into();
            shape[0] = rows.len();
            let start = place.0.wrapping_offset(rows.start as isize * output.strides()[0]);
            // SAFETY: rows of an array that is borrowed for writing; no two indices of it share a byte, and no two tiles a row.
            let cut = unsafe { ViewMut::from_raw(start, output.dtype(), &shape, output.strides()) };
            cut.expect("rows of an array are an array")
        };
        let mut own: SmallVec<[ViewMut<'_>; 4]> = places.iter().zip(outputs).map(cut).collect();
        let resources =
            Resources { pool: &alone, chunk: resources.chunk, cache, stop: resources.stop, budget: resources.budget };
        match act(rows, &mut own, &resources) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    };
    let threads = pool::run(resources.pool, tiles, tiles - 1, &body);
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(Report { threads, chunks: tiles }),
    }
}

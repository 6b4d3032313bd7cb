//! A program over whole arrays: chunks for threads, strips that stay in the first cache, buffers for what does not lie right.
#![expect(unsafe_code, reason = "elements are read and written through the addresses of checked views")]

use std::mem::MaybeUninit;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use smallvec::SmallVec;

use super::feed::{self, Level};
use super::float_env::FloatEnv;
use super::fold::LANES;
use super::lines::{FEW_GROUPS, Lines};
use super::neighbours;
use super::pieces::{Bounds, Pieces};
use super::plan::{Placed, Plan, Walk};
use super::pool::{self, Pool};
use super::program::{Layout, Machine, Program};
use super::stop::Stop;
use super::stream;
use crate::codegen::code::Call;
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::interp::{self, Halt, Interp, Turns};
use crate::ir::{Boundary, Neighbour};
use crate::source::Span;
use crate::strip::Source;
use crate::view::{MAX_RANK, View, ViewMut};

/// What a parameter of the program is in one run.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    Array(&'a View<'a>),
    /// The array that this output of the job is written to.
    InPlace(usize),
    /// The bits of a scalar, zero-extended.
    Scalar(u64),
}

/// One run of a program.
pub(crate) struct Job<'a, 'b> {
    /// For each parameter of the graph; arrays broadcast to the outputs' shape and have the parameter's dtype.
    pub(crate) inputs: &'a [Input<'a>],
    /// One at least, of one shape, the domain, and of the program's dtypes.
    pub(crate) outputs: &'a mut [ViewMut<'b>],
    /// The answers to the graph's sizes.
    pub(crate) sizes: &'a [i64],
    /// What the last of the inputs are; each of these is given the array that it moves.
    pub(crate) neighbours: &'a [Neighbour],
}

/// What a run may use.
pub(crate) struct Resources<'a> {
    pub(crate) pool: &'a Pool,
    /// Elements a chunk.
    pub(crate) chunk: usize,
    /// Bytes of the last-level cache: an output beyond it is written past it.
    pub(crate) cache: usize,
    pub(crate) stop: &'a Stop,
    pub(crate) budget: Budget<'a>,
}

/// How many turns the loops of one element may take together.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    pub(crate) turns: Option<u64>,
    /// The program, and where in it each loop is that counts.
    pub(crate) loops: Option<(&'a Arc<str>, &'a [Span])>,
}

impl Budget<'_> {
    #[cfg(test)]
    pub(crate) const NONE: Budget<'static> = Budget { turns: None, loops: None };

    fn spent(&self, on: u32) -> Error {
        let limit = self.turns.unwrap_or(u64::MAX);
        let asked = limit.saturating_add(1);
        let message = format!("an element takes at least {asked} turns of loops, the loop budget is {limit}");
        let (source, loops) = self.loops.expect("turns are limited of loops that are known");
        Error::new(ErrorKind::Limit, "loop-budget", message)
            .at(source, loops[on as usize])
            .with_note("its outputs hold unspecified but initialised values")
            .with_hint("`Builder::loop_budget` sets the budget")
    }
}

impl Resources<'_> {
    pub(super) fn turns(&self) -> Turns<'_> {
        Turns { limit: self.budget.turns.unwrap_or(u64::MAX), stop: Some(self.stop.byte()) }
    }

    /// Ends the run: some of it was left undone.
    pub(super) fn interrupt(&self, halt: Halt) {
        match halt {
            Halt::Stopped => self.stop.interrupt(None),
            Halt::Spent(on) => self.stop.interrupt(Some(self.budget.spent(on))),
        }
    }

    /// Whether groups may be computed twice, so that outputs must not lie where inputs do.
    pub(super) fn repeats(&self, layout: &Layout, inputs: &[Input<'_>]) -> bool {
        layout.counts_turns && self.budget.turns.is_some() && is_in_place(inputs)
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) threads: usize,
    pub(crate) chunks: usize,
}

/// What this part of what is worth a thread takes is not cut any further, so that none waits long for the last chunk of another.
pub(super) const SHORTEST: usize = 4;

/// What a chunk takes at most, in times of what is worth a thread, so that a stop is seen within about a millisecond.
pub(super) const LONGEST_CHUNK: usize = 25;

/// Bytes of buffers of one strip, half of a first-level cache, so that the arrays beside them find room.
const STRIP_BYTES: usize = 16 * 1024;

/// Elements of one strip at most.
const STRIP_LEN: usize = 2048;

/// From this extent on the fastest axis is walked for itself, without buffers for arrays that lie right along it.
const LONG_AXIS: usize = 256;

/// Bytes of buffers that lie on the stack; more are allocated.
pub(super) const STACK_BYTES: usize = 32 * 1024;

/// Runs `program` over the domain.
///
/// Fails if the run was stopped; outputs then hold unspecified but initialised values.
pub(crate) fn run(program: &Program, job: Job<'_, '_>, resources: &Resources<'_>) -> Result<Report> {
    let mut outputs: SmallVec<[*mut u8; 8]> = SmallVec::new();
    for output in job.outputs.iter_mut() {
        outputs.push(output.pointer());
    }
    let outputs_of = &*job.outputs;
    let domain = outputs_of[0].extents();
    let len: usize = domain.iter().product();
    if len == 0 {
        return Ok(Report { threads: 1, chunks: 0 });
    }
    let aside = looks_aside(program, &job);
    let repeats = resources.repeats(&program.layout, job.inputs);
    let placing = Placing { inputs: job.inputs, outputs: outputs_of, written: &outputs, domain };
    let (program, mut plan, columns) =
        by_rows(program, job.inputs, !aside, |program, columns| placing.plan(program, columns, aside));
    let layout = &program.layout;
    let scalars = scalars_of(layout, &columns, job.inputs, job.sizes);
    let in_place = |k: usize| job.inputs.iter().any(|input| matches!(input, Input::InPlace(output) if *output == k));
    // What reads beside its elements reads an array again and again: what counts is whether that stays in the cache.
    let beside = if aside { job.inputs.iter().map(bytes_of).max().unwrap_or(0) } else { 0 };
    let streamed: SmallVec<[bool; 8]> = (0..layout.outputs.len())
        .map(|k| len.saturating_mul(layout.outputs[k].size()).saturating_add(beside) > resources.cache && !in_place(k))
        .collect();
    let wholes = wholes(layout, job.inputs);
    let is_in_place = is_in_place(job.inputs);
    let (scalars, wholes, streamed) = (&scalars[..], &wholes[..], &streamed[..]);
    let given = feed::given(program, job.inputs, job.sizes);
    let feeds = feed::prepared(program, &given, resources);
    let columns = &columns[..];
    let run = Prepared { program, feeds: &feeds, scalars, columns, wholes, streamed, resources, repeats, is_in_place };
    if aside {
        return neighbours::run(run, &plan, job.inputs, job.neighbours);
    }
    let of_feeds = feed::split(program, &mut plan);
    let mut runner = Runner::new(run, &plan);
    runner.feed_by(&of_feeds);
    runner.run()
}

/// Whether an output lies where an input does.
pub(super) fn is_in_place(inputs: &[Input<'_>]) -> bool {
    inputs.iter().any(|input| matches!(input, Input::InPlace(_)))
}

fn bytes_of(input: &Input<'_>) -> usize {
    match input {
        Input::Array(view) => view.len().saturating_mul(view.dtype().size()),
        Input::InPlace(_) | Input::Scalar(_) => 0,
    }
}

/// Whether the program reads a neighbour, or keeps to the elements that have all of theirs.
fn looks_aside(program: &Program, job: &Job<'_, '_>) -> bool {
    let first = job.inputs.len() - job.neighbours.len();
    let are_neighbours = first..job.inputs.len();
    let is_neighbour = |source| matches!(source, Source::Param(param) if are_neighbours.contains(&(param as usize)));
    job.neighbours.iter().any(|neighbour| neighbour.boundary == Boundary::Interior)
        || program.read().any(|(source, _)| is_neighbour(source))
}

/// What is the same for all parts of a run.
#[derive(Clone, Copy)]
pub(super) struct Prepared<'a> {
    pub(super) program: &'a Program,
    /// The same of what runs before it.
    pub(super) feeds: &'a [Prepared<'a>],
    pub(super) scalars: &'a [u64],
    /// What code takes as scalars, one for each row.
    pub(super) columns: &'a [Column],
    pub(super) wholes: &'a [*mut u8],
    /// Of each output that is written to an array whether it is written past the caches.
    pub(super) streamed: &'a [bool],
    pub(super) resources: &'a Resources<'a>,
    /// Whether outputs are written when all of a span is known.
    pub(super) repeats: bool,
    /// Whether an output lies where an input does.
    pub(super) is_in_place: bool,
}

/// The program, its plan, and what it takes as scalars, one for each row. That is another program than the one given if arrays have one
/// element for a row and this pays.
///
/// `plan_of` gives the walks of columns before those of the program's arrays.
pub(super) fn by_rows<'p>(
    program: &'p Program,
    inputs: &[Input<'_>],
    may: bool,
    plan_of: impl Fn(&Program, &[u32]) -> Plan,
) -> (&'p Program, Plan, SmallVec<[Column; 4]>) {
    let plan = plan_of(program, &[]);
    let is_in_place = is_in_place(inputs);
    if let Some(by_rows) = program.by_rows.as_ref().filter(|_| may && plan.has_rows(program, is_in_place))
        && let found = columns_of(program, &plan)
        && !found.is_empty()
        && let Some(other) = by_rows.program(&found, plan.len).filter(|other| plan.has_rows(other, is_in_place))
    {
        let mut plan = plan_of(other, &found);
        let walks: SmallVec<[Walk; 4]> = plan.walks.drain(..found.len()).collect();
        let columns = found.iter().zip(walks).map(|(param, walk)| Column::new(other, *param, walk));
        return (other, plan, columns.collect());
    }
    (program, plan, SmallVec::new())
}

/// The parameters whose arrays have one element for a row.
fn columns_of(program: &Program, plan: &Plan) -> SmallVec<[u32; 4]> {
    let inputs = program.layout.inputs.iter().zip(&plan.walks);
    let of = |((source, _), walk): (&(Source, DType), &Walk)| match source {
        Source::Param(param) if plan.step(walk) == 0 => Some(*param),
        Source::Param(_) | Source::Index(_) | Source::Size(_) => None,
    };
    inputs.filter_map(of).collect()
}

/// Where `columns` are, in the order in which the program takes scalars.
pub(super) fn columns_in<'a>(layout: &'a Layout, columns: &'a [u32]) -> impl Iterator<Item = (Source, DType)> + 'a {
    let of = |param: &u32| layout.scalars.iter().find(|(source, _)| *source == Source::Param(*param));
    columns.iter().map(move |param| *of(param).expect("a program by rows takes its columns as scalars"))
}

/// An array that has one element for a row, which code takes as a scalar.
pub(super) struct Column {
    slot: usize,
    dtype: DType,
    walk: Walk,
}

impl Plan {
    /// Whether the fastest axis is walked for itself.
    fn has_long_rows(&self) -> bool {
        self.extents.len() > 1 && self.inner() >= LONG_AXIS
    }

    /// Whether rows are long enough to be walked one by one by code that takes what is the same for a row as a scalar.
    fn has_rows(&self, program: &Program, is_in_place: bool) -> bool {
        let (inner, group) = (self.inner(), program.layout.group);
        let is_simple = |walk: &Walk| [0, walk.unit].contains(&self.step(walk));
        let is_whole = !is_in_place || inner.is_multiple_of(group);
        let is_worth_it = inner >= FEW_GROUPS * group && is_whole && self.walks.iter().all(is_simple);
        self.has_long_rows() || self.extents.len() > 1 && is_worth_it
    }

    /// The lines along the fastest axis, of which code reaches every array.
    fn lines(&self, program: &Program, streamed: &[bool]) -> Option<Lines> {
        let outputs = &self.walks[program.layout.inputs.len()..];
        Lines::new(program, streamed, self.inner(), |at, align| {
            outputs.iter().all(|walk| {
                let slower = &walk.strides[..walk.strides.len() - 1];
                walk.start.addr().wrapping_add(at * walk.unit as usize).is_multiple_of(align)
                    && slower.iter().all(|stride| stride.unsigned_abs().is_multiple_of(align))
            })
        })
    }
}

impl Column {
    fn new(program: &Program, param: u32, walk: Walk) -> Column {
        let scalars = &program.layout.scalars;
        let slot = scalars.iter().position(|(source, _)| *source == Source::Param(param));
        let slot = slot.expect("a program by rows takes its columns as scalars");
        Column { slot, dtype: scalars[slot].1, walk }
    }

    /// Where it has the element of a row.
    pub(super) fn address(&self, positions: &[usize]) -> *const u8 {
        self.walk.address(positions).cast_const()
    }

    /// Bytes from a row's element to that of the next.
    pub(super) fn step(&self) -> isize {
        let strides = &self.walk.strides;
        strides[strides.len() - 2]
    }

    /// Puts a row's element among the scalars.
    ///
    /// # Safety
    /// It is there.
    pub(super) unsafe fn take(&self, element: *const u8, scalars: &mut [u64]) {
        // SAFETY: the caller's promise.
        let bits = unsafe { read(element, self.dtype.size()) };
        scalars[self.slot] = if self.dtype == DType::Bool { u64::from(bits != 0) } else { bits };
    }
}

/// Where the arrays of a job lie.
pub(super) struct Placing<'a, 'b> {
    pub(super) inputs: &'a [Input<'a>],
    pub(super) outputs: &'a [ViewMut<'b>],
    /// The addresses of the outputs.
    pub(super) written: &'a [*mut u8],
    pub(super) domain: &'a [usize],
}

impl<'a> Placing<'a, '_> {
    /// The walks of `columns`, then those of the program's arrays.
    fn plan(&self, program: &Program, columns: &[u32], in_order: bool) -> Plan {
        let layout = &program.layout;
        let read = columns_in(layout, columns).chain(program.read()).map(|input| self.input(input));
        let arrays = read.chain((0..layout.outputs.len()).map(|k| self.output(k, layout.outputs[k])));
        if in_order { Plan::in_order(self.domain, arrays) } else { Plan::new(self.domain, arrays) }
    }

    /// A parameter beyond the inputs is what a call gives, and in no array.
    pub(super) fn input(&self, (source, dtype): (Source, DType)) -> Placed<'a> {
        let unit = dtype.size() as isize;
        match source {
            Source::Index(axis) => {
                let strides = &AXIS_STEPS[usize::from(axis)];
                Placed { start: std::ptr::null_mut(), shape: self.domain, strides, unit: 1 }
            }
            Source::Param(param) if param as usize >= self.inputs.len() => {
                Placed { start: std::ptr::null_mut(), shape: &[], strides: &[], unit }
            }
            Source::Param(param) => match &self.inputs[param as usize] {
                Input::Array(view) => {
                    let start = view.pointer().cast_mut();
                    Placed { start, shape: view.extents(), strides: view.strides(), unit }
                }
                Input::InPlace(output) => self.output(*output, dtype),
                Input::Scalar(_) => unreachable!("an array slot is given an array"),
            },
            Source::Size(_) => unreachable!("a size is a scalar"),
        }
    }

    pub(super) fn output(&self, k: usize, dtype: DType) -> Placed<'a> {
        let (start, output) = (self.written[k], &self.outputs[k]);
        Placed { start, shape: output.extents(), strides: output.strides(), unit: dtype.size() as isize }
    }
}

pub(super) fn scalar_of(source: Source, inputs: &[Input<'_>], sizes: &[i64]) -> u64 {
    match source {
        Source::Param(param) => match &inputs[param as usize] {
            Input::Scalar(bits) => *bits,
            Input::Array(_) | Input::InPlace(_) => unreachable!("a scalar slot is given a scalar"),
        },
        Source::Size(index) => sizes[index as usize] as u64,
        Source::Index(_) => unreachable!("an index is an array"),
    }
}

/// The scalars of a program; those that are columns are not known yet.
pub(super) fn scalars_of(
    layout: &Layout,
    columns: &[Column],
    inputs: &[Input<'_>],
    sizes: &[i64],
) -> SmallVec<[u64; 8]> {
    let scalar = |(slot, (source, _)): (usize, &(Source, DType))| {
        let is_column = columns.iter().any(|column| column.slot == slot);
        if is_column { 0 } else { scalar_of(*source, inputs, sizes) }
    };
    layout.scalars.iter().enumerate().map(scalar).collect()
}

/// Stands where an array without elements is: a program reads the element at 0 there, and makes nothing of it.
static NOTHING: u64 = 0;

/// Where the arrays begin of which any element may be read.
pub(super) fn wholes(layout: &Layout, inputs: &[Input<'_>]) -> SmallVec<[*mut u8; 4]> {
    let start = |(param, _): &(u32, DType)| match &inputs[*param as usize] {
        Input::Array(view) if view.is_empty() => (&raw const NOTHING).cast_mut().cast(),
        Input::Array(view) => view.pointer().cast_mut(),
        Input::InPlace(_) | Input::Scalar(_) => unreachable!("elements are gathered of an array that nothing writes"),
    };
    layout.wholes.iter().map(start).collect()
}

/// The steps along the axes of a domain of the position along one of them.
static AXIS_STEPS: [[isize; MAX_RANK]; MAX_RANK] = {
    let mut steps = [[0; MAX_RANK]; MAX_RANK];
    let mut axis = 0;
    while axis < MAX_RANK {
        steps[axis][axis] = 1;
        axis += 1;
    }
    steps
};

pub(super) struct Runner<'a> {
    pub(super) run: Prepared<'a>,
    pub(super) plan: &'a Plan,
    /// What runs before, for the same elements.
    pub(super) levels: Vec<Level<'a>>,
    pub(super) slots: SmallVec<[Slot; 8]>,
    /// Elements of one call of code where buffers are used, a multiple of `unit`.
    pub(super) strip: usize,
    pub(super) unit: usize,
    /// Bytes of all buffers.
    pub(super) buffers: usize,
    /// Whether spans end where the fastest axis does.
    by_rows: bool,
    /// If code itself writes past the caches, and rows are not walked: how many elements of a chunk go before, until every output is
    /// aligned.
    streams_from: Option<usize>,
    /// Whether what is left of a span behind its whole groups is computed with elements before it, a second time.
    overlaps: bool,
    /// If rows are walked and of each code reaches every array itself: how.
    lines: Option<Lines>,
}

/// How one array is reached.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) size: usize,
    is_output: bool,
    is_index: bool,
    /// Code reads or writes the array itself, where whole groups are left.
    pub(super) direct: bool,
    /// What the buffer holds is written past the caches.
    streamed: bool,
    /// The buffer is read by whoever asked for the elements; there is no array.
    kept: bool,
    /// It is kept as accumulators, of whole groups and of the last one where that is not whole.
    pub(super) folds: bool,
    /// If a call gives what it reads: where that begins in the buffers.
    pub(super) fed: Option<usize>,
    /// Where its buffer begins.
    pub(super) buffer: usize,
}

// SAFETY: the addresses in a plan are of views that the job borrows for as long as the run lasts; threads get disjoint
// ranges of elements, and no two elements of an output share a byte.
unsafe impl Sync for Runner<'_> {}

impl<'a> Runner<'a> {
    /// What is written to arrays are the first outputs, one for each of `streamed`; the others are kept. With `repeats` they are
    /// written when all of a span is known.
    pub(super) fn new(run: Prepared<'a>, plan: &'a Plan) -> Runner<'a> {
        let Prepared { program, streamed, repeats, .. } = run;
        let layout = &program.layout;
        // Each group begins with the first of the accumulators.
        let inner = plan.inner();
        let is_even = inner.is_multiple_of(LANES) || !layout.folds.contains(&true);
        // Without buffers a row need not be long to be worth a call.
        let lies_in_rows = |walk: &Walk| plan.step(walk) == walk.unit;
        let has_index = layout.inputs.iter().any(|(source, _)| matches!(source, Source::Index(_)));
        let is_simple = !layout.folds.contains(&true) && !repeats && !has_index;
        let inputs = layout.inputs.len();
        let lie_in_rows = plan.walks[..inputs + streamed.len()].iter().all(lies_in_rows);
        let is_worth_it = is_simple && inner >= FEW_GROUPS * layout.group && lie_in_rows;
        let has_columns = !run.columns.is_empty();
        let are_dense = !has_columns && plan.walks[..inputs + streamed.len()].iter().all(|walk| walk.dense);
        let by_rows =
            is_even && !are_dense && (has_columns || plan.has_long_rows() || plan.extents.len() > 1 && is_worth_it);
        let streams_from = if by_rows { None } else { streams_from(program, plan, streamed) };
        let lines = (by_rows && is_worth_it && run.feeds.is_empty()).then(|| plan.lines(program, streamed)).flatten();
        // What is written past the caches as a whole, and not by code, goes through buffers.
        let lies_whole = |(walk, streamed): (&Walk, &bool)| walk.dense && *streamed;
        let is_past = plan.walks[inputs..].iter().zip(streamed).any(lies_whole);
        let lines = lines.filter(|lines| (lines.streams || !is_past) && !(run.is_in_place && lines.repeat()));
        let mut slots: SmallVec<[Slot; 8]> = SmallVec::new();
        for (k, walk) in plan.walks.iter().enumerate() {
            let is_output = k >= inputs;
            let is_index = !is_output && matches!(layout.inputs[k].0, Source::Index(_));
            let size = if is_output { layout.outputs[k - inputs] } else { layout.inputs[k].1 }.size();
            let kept = is_output && k - inputs >= streamed.len();
            let streamed = is_output && !kept && streamed[k - inputs] && walk.dense;
            let streamed = streamed && streams_from.is_none() && lines.is_none();
            let waits = repeats && is_output;
            let lies_right = walk.dense || (by_rows && plan.step(walk) == walk.unit);
            slots.push(Slot {
                size,
                is_output,
                is_index,
                direct: lies_right && !waits && !is_index && !streamed && !kept,
                streamed,
                kept,
                folds: is_output && layout.folds[k - inputs],
                fed: None,
                buffer: 0,
            });
        }
        // Both are powers of two: what is kept is best looked at in whole rows of accumulators.
        let unit = if streamed.len() < layout.outputs.len() { layout.group.max(LANES) } else { layout.group };
        let (strip, buffers) = lay_out(&mut slots, plan.len, layout.group, unit);
        // Only what code writes itself is sure to be the same a second time, and only where it does not lie on what it reads.
        let overlaps =
            !run.is_in_place && run.feeds.is_empty() && slots.iter().all(|slot| slot.direct || !slot.is_output);
        Runner { run, plan, levels: Vec::new(), slots, strip, unit, buffers, by_rows, streams_from, overlaps, lines }
    }

    fn run(&self) -> Result<Report> {
        let (layout, resources) = (&self.run.program.layout, self.run.resources);
        let helpers = (self.plan.len / layout.thread_len).min(resources.pool.threads() - 1);
        let longest = layout.thread_len.saturating_mul(LONGEST_CHUNK);
        let bounds =
            Bounds { unit: layout.group, least: layout.thread_len / SHORTEST, most: resources.chunk.min(longest) };
        let pieces = Pieces::new(self.plan.len, helpers + 1, &bounds);
        let chunks = pieces.count();
        let stopped = AtomicBool::new(false);
        let body = |k: usize| {
            if resources.stop.poll().is_break() {
                stopped.store(true, Ordering::Relaxed);
                return ControlFlow::Break(());
            }
            let Range { start, end } = pieces.range(k);
            if start < end {
                self.chunk(start, end);
            }
            ControlFlow::Continue(())
        };
        let threads = pool::run(resources.pool, chunks, helpers.min(chunks - 1), &body);
        if stopped.load(Ordering::Relaxed) {
            resources.stop.check()?;
        }
        resources.stop.check_whole()?;
        Ok(Report { threads, chunks })
    }

    /// Elements `start..end` in the order of the plan.
    pub(super) fn chunk(&self, start: usize, end: usize) {
        if self.buffers <= STACK_BYTES {
            let mut stack = MaybeUninit::<Aligned>::uninit();
            self.spans(start, end, stack.as_mut_ptr().cast());
        } else {
            let mut heap: Vec<MaybeUninit<Aligned>> = Vec::with_capacity(self.buffers.div_ceil(STACK_BYTES));
            self.spans(start, end, heap.as_mut_ptr().cast());
        }
        self.fence();
    }

    /// To be called where a chunk ends: what was written past the caches is then in memory.
    pub(super) fn fence(&self) {
        if self.streams_from.is_some() || self.slots.iter().any(|slot| slot.streamed) {
            stream::fence();
        }
        self.lines.iter().for_each(Lines::fence);
    }

    fn spans(&self, start: usize, end: usize, buffers: *mut u8) {
        let inner = self.plan.inner();
        let mut at = start;
        let before = self.streams_from.filter(|_| !self.by_rows).map_or(0, |before| before.min(end - start));
        if before > 0 {
            self.call(at, before, self.run.program.layout.group, buffers, 0);
            at += before;
        }
        while at < end {
            let left = if self.by_rows { inner - at % inner } else { usize::MAX };
            if left == inner {
                let rows = self.rows(at, end - at, buffers, 0);
                at += rows;
                if rows > 0 {
                    continue;
                }
            }
            let span = left.min(end - at).min(self.strip);
            self.span(at, span, buffers, 0);
            at += span;
        }
    }

    /// How many rows there are from the beginning of one to where a slower axis than that of rows goes on.
    fn rows_from(&self, at: usize) -> usize {
        let axes = self.plan.extents.len();
        self.plan.extents[axes - 2] - at / self.plan.inner() % self.plan.extents[axes - 2]
    }

    /// Computes whole rows of `count` elements from the beginning of one on, if code reaches every array itself; what is kept goes
    /// behind `before` elements. Gives of how many.
    fn rows(&self, at: usize, count: usize, buffers: *mut u8, before: usize) -> usize {
        let Some(lines) = &self.lines else { return 0 };
        let inner = self.plan.inner();
        let rows = self.rows_from(at).min(count / inner);
        if rows == 0 {
            return 0;
        }
        let positions = self.plan.positions(at);
        let slots = || self.slots.iter().zip(&self.plan.walks);
        let start = |(slot, walk): (&Slot, &Walk)| match slot.kept {
            true => buffers.wrapping_add(slot.buffer + before * slot.size),
            false => walk.address(&positions),
        };
        let step = |(slot, walk): (&Slot, &Walk)| match slot.kept {
            true => (inner * slot.size) as isize,
            false => walk.strides[walk.strides.len() - 2],
        };
        let starts: SmallVec<[*mut u8; 8]> = slots().map(start).collect();
        let units: SmallVec<[isize; 8]> = self.slots.iter().map(|slot| slot.size as isize).collect();
        let steps: SmallVec<[isize; 8]> = slots().map(step).collect();
        let columns: SmallVec<[*const u8; 4]> =
            self.run.columns.iter().map(|column| column.address(&positions)).collect();
        // SAFETY: the rows are some of the plan, whose addresses stay in the views; no other thread has them. Buffers have room for a
        // strip.
        if let Err(halt) = unsafe { lines.compute(&self.run, &starts, &units, &steps, &columns, rows) } {
            self.run.resources.interrupt(halt);
        }
        rows * inner
    }

    /// Computes `count` elements from `at` on into arrays and the buffers of what is kept, there behind `before` elements;
    /// `before + count` are a strip at most.
    pub(super) fn evaluate(&self, at: usize, count: usize, before: usize, buffers: *mut u8) {
        debug_assert!(before + count <= self.strip, "the buffers have room for a strip");
        let inner = self.plan.inner();
        let mut done = 0;
        while done < count {
            let left = if self.by_rows { inner - (at + done) % inner } else { usize::MAX };
            if left == inner {
                let rows = self.rows(at + done, count - done, buffers, before + done);
                done += rows;
                if rows > 0 {
                    continue;
                }
            }
            let span = left.min(count - done);
            self.span(at + done, span, buffers, before + done);
            done += span;
        }
    }

    /// Whether code reaches every array itself and folds all that it computes.
    pub(super) fn folds_in_place(&self) -> bool {
        let lies = |slot: &Slot| if slot.is_output { slot.folds } else { slot.direct };
        self.levels.is_empty() && !self.by_rows && self.slots.iter().all(lies)
    }

    /// Folds blocks of `len` elements, which are whole groups, from `at` on. The accumulators of the first are at `accs`, of each other one
    /// `steps` bytes behind the one before.
    ///
    /// # Safety
    /// Code [folds in place](Runner::folds_in_place); there are accumulators for all.
    pub(super) unsafe fn fold_blocks(&self, at: usize, len: usize, count: usize, accs: &[*mut u8], steps: &[usize]) {
        let Prepared { program, scalars, wholes, resources, .. } = self.run;
        let inputs = program.layout.inputs.len();
        let read = self.plan.walks[..inputs].iter().map(|walk| self.plan.address(walk, at));
        let mut arrays: SmallVec<[*mut u8; 16]> = read.chain(accs.iter().copied()).collect();
        arrays.extend_from_slice(wholes);
        let widths = self.slots[..inputs].iter().map(|slot| len * slot.size);
        let steps: SmallVec<[usize; 16]> = widths.chain(steps.iter().copied()).collect();
        for _ in 0..count {
            // SAFETY: the blocks are elements of the arrays, and the caller's promise.
            if let Err(halt) = unsafe { compute(program, &arrays, scalars, len, resources.turns()) } {
                resources.interrupt(halt);
                return;
            }
            arrays.iter_mut().zip(&steps).for_each(|(array, step)| *array = array.wrapping_add(*step));
        }
    }

    /// Has the first elements from `at` on of what code reads in place brought to the cache.
    pub(super) fn prefetch(&self, at: usize) {
        if at >= self.plan.len {
            return;
        }
        let slots = self.slots.iter().zip(&self.plan.walks);
        slots.filter(|(slot, _)| slot.direct && !slot.is_output).for_each(|(_, walk)| {
            stream::prefetch(self.plan.address(walk, at));
        });
    }

    /// Where `count` elements of the `k`-th output lie in an array, if it is no more than a copy of one.
    pub(super) fn lying(&self, k: usize, at: usize, count: usize) -> Option<*const u8> {
        let input = self.run.program.layout.copies[k]?;
        let (slot, walk) = (&self.slots[input], &self.plan.walks[input]);
        if slot.fed.is_some() {
            return None;
        }
        let inner = self.plan.inner();
        let is_one_run = walk.dense || (slot.direct && at % inner + count <= inner);
        is_one_run.then(|| self.plan.address(walk, at).cast_const())
    }

    /// Whether [`lying`](Runner::lying) and [`lying_rows`](Runner::lying_rows) find all elements of the `k`-th output.
    pub(super) fn lies_whole(&self, k: usize) -> bool {
        let input = self.run.program.layout.copies[k];
        input.is_some_and(|input| self.slots[input].fed.is_none() && self.plan.walks[input].dense)
    }

    /// As [`lying`](Runner::lying), where `count` rows of `width` elements begin, `step` elements from one to the next.
    pub(super) fn lying_rows(&self, k: usize, at: usize, count: usize, width: usize, step: usize) -> Option<*const u8> {
        if width == step {
            return self.lying(k, at, count * width);
        }
        let input = self.run.program.layout.copies[k]?;
        self.plan.walks[input].dense.then(|| self.lying(k, at, 1))?
    }

    /// Where the `k`-th output is kept.
    pub(super) fn kept(&self, k: usize, buffers: *mut u8) -> *mut u8 {
        buffers.wrapping_add(self.slots[self.run.program.layout.inputs.len() + k].buffer)
    }

    /// Elements from `at` on, not beyond a row's end if rows are walked: whole groups, then what is left. What is kept goes
    /// behind `done` elements.
    fn span(&self, at: usize, span: usize, buffers: *mut u8, done: usize) {
        let group = self.run.program.layout.group;
        let whole = span / group * group;
        if whole > 0 {
            self.call(at, whole, whole, buffers, done);
        }
        if whole == span {
            return;
        }
        if whole > 0 && self.overlaps {
            self.call(at + span - group, group, group, buffers, done);
        } else {
            self.call(at + whole, span - whole, group, buffers, done + whole);
        }
    }

    /// Computes `count` elements in code that takes `computed`: the same, or one group for what is less than a group.
    fn call(&self, at: usize, count: usize, computed: usize, buffers: *mut u8, done: usize) {
        if !self.levels.is_empty() && !self.feed(at, count, buffers, done) {
            return;
        }
        let Prepared { program, scalars, columns, wholes, resources, .. } = self.run;
        let mut arrays: SmallVec<[*mut u8; 16]> = SmallVec::new();
        let positions = self.plan.positions(at);
        for (slot, walk) in self.slots.iter().zip(&self.plan.walks) {
            if let Some(results) = slot.fed {
                // SAFETY: the calls were made for these elements; the buffer has room for a group.
                arrays.push(unsafe { slot.fed(results, count, computed, buffers, done) });
                continue;
            }
            if slot.direct && count == computed {
                arrays.push(walk.address(&positions));
                continue;
            }
            let buffer = buffers.wrapping_add(slot.buffer);
            if slot.folds {
                let last = if count == computed { 0 } else { LANES * slot.size };
                arrays.push(buffer.wrapping_add(last));
                continue;
            }
            if slot.kept {
                arrays.push(buffer.wrapping_add(done * slot.size));
                continue;
            }
            arrays.push(buffer);
            if !slot.is_output {
                // SAFETY: the buffer has room for `computed` elements of the slot, which no one else uses.
                unsafe { self.fill(slot, walk, at, count, computed, buffer) };
            }
        }
        arrays.extend_from_slice(wholes);
        let mut of_row: SmallVec<[u64; 8]> = SmallVec::new();
        if !columns.is_empty() {
            of_row.extend_from_slice(scalars);
        }
        for column in columns {
            // SAFETY: an element of the array, which the plan's walk stays within.
            unsafe { column.take(column.address(&positions), &mut of_row) };
        }
        let scalars = if columns.is_empty() { scalars } else { &of_row };
        let is_whole = count == computed;
        if let Some(before) = self.streams_from
            && is_whole
            && !self.by_rows
            && at % program.layout.group == before
        {
            // SAFETY: as below; every output is reached directly, and aligned behind the elements that went before.
            unsafe { compute_streaming(program, &arrays, scalars, computed) };
            return;
        }
        // SAFETY: arrays and buffers have `computed` elements from their addresses on.
        let computed = unsafe { compute(program, &arrays, scalars, computed, resources.turns()) };
        if let Err(halt) = computed {
            resources.interrupt(halt);
            return;
        }
        for (slot, walk) in self.slots.iter().zip(&self.plan.walks) {
            if slot.is_output && !slot.kept && !(slot.direct && is_whole) {
                let buffer = buffers.wrapping_add(slot.buffer);
                // SAFETY: the code has written `computed` elements to the buffer.
                unsafe { self.flush(slot, walk, at, count, buffer) };
            }
        }
    }

    /// Copies elements into a buffer and repeats the last one up to `computed`.
    ///
    /// # Safety
    /// The buffer has room for `computed` elements of the slot.
    unsafe fn fill(&self, slot: &Slot, walk: &Walk, at: usize, count: usize, computed: usize, buffer: *mut u8) {
        let stride = self.plan.step(walk);
        self.plan.rows(walk, at, count, |start, done, row| {
            let to = buffer.wrapping_add(done * slot.size);
            // SAFETY: the plan's walk stays within the view, `done + row <= count <= computed`.
            unsafe {
                if slot.is_index {
                    for k in 0..row {
                        to.cast::<i64>().add(k).write_unaligned(start.addr() as i64 + k as i64 * stride as i64);
                    }
                } else {
                    gather(start, stride, to, slot.size, row);
                }
            }
        });
        // SAFETY: `count` elements are written, and `computed` have room.
        unsafe { repeat_last(buffer, slot.size, count, computed) };
    }

    /// Copies elements from a buffer to the array.
    ///
    /// # Safety
    /// The buffer holds `count` elements of the slot.
    unsafe fn flush(&self, slot: &Slot, walk: &Walk, at: usize, count: usize, buffer: *const u8) {
        if slot.streamed {
            // SAFETY: a streamed array is dense, so `count` elements follow.
            unsafe { stream::copy(buffer, self.plan.address(walk, at), count * slot.size) };
            return;
        }
        let stride = self.plan.step(walk);
        self.plan.rows(walk, at, count, |start, done, row| {
            let from = buffer.wrapping_add(done * slot.size);
            // SAFETY: the plan's walk stays within the view, and `done + row <= count`.
            unsafe { scatter(from, start, stride, slot.size, row) };
        });
    }
}

/// Gives each slot its buffer; gives the elements of a strip, in steps of `unit`, and the bytes of all buffers.
fn lay_out(slots: &mut [Slot], len: usize, group: usize, unit: usize) -> (usize, usize) {
    let bytes = slots.iter().filter(|slot| !slot.direct && !slot.folds).map(|slot| slot.size).sum();
    let strip = strip_of(bytes, unit);
    (strip, place_buffers(slots, 0, strip, len, group))
}

/// The elements of a strip, in steps of `unit`, of which each takes so many bytes of buffers.
pub(super) fn strip_of(bytes: usize, unit: usize) -> usize {
    let fitting = STRIP_BYTES.checked_div(bytes).map_or(usize::MAX, |fitting| fitting.min(STRIP_LEN));
    (fitting / unit * unit).max(unit)
}

/// Gives each slot its buffer, from the byte `start` on; gives the byte behind the last.
pub(super) fn place_buffers(slots: &mut [Slot], start: usize, strip: usize, len: usize, group: usize) -> usize {
    let mut end = start;
    for slot in slots {
        slot.buffer = end;
        let elements = if slot.direct || slot.fed.is_some() { group } else { strip.min(len.next_multiple_of(group)) };
        let elements = elements + if slot.kept { group } else { 0 };
        let elements = if slot.folds { 2 * LANES } else { elements };
        end += (elements * slot.size).next_multiple_of(64);
    }
    end
}

/// The elements before the first at which every output is aligned for code that writes past the caches. None if there is no
/// such code or element, or if an output ought to stay in the caches.
fn streams_from(program: &Program, plan: &Plan, streamed: &[bool]) -> Option<usize> {
    let Machine::Native(native) = &program.engine else { return None };
    let outputs = &plan.walks[program.layout.inputs.len()..];
    let align = native.stream_align()?;
    if streamed.len() < outputs.len()
        || !streamed.iter().all(|streamed| *streamed)
        || !outputs.iter().all(|walk| walk.dense)
    {
        return None;
    }
    let is_aligned = |before: usize| {
        outputs.iter().all(|walk| (walk.start.addr() + before * walk.unit as usize).is_multiple_of(align))
    };
    // Elements of the narrowest output to its next aligned address are fewer than a group.
    (0..program.layout.group).find(|before| is_aligned(*before))
}

/// As [`compute`], with code that writes past the caches.
///
/// # Safety
/// As [`compute`]; [`streams_from`] elements went before.
pub(super) unsafe fn compute_streaming(program: &Program, arrays: &[*mut u8], scalars: &[u64], computed: usize) {
    let Machine::Native(native) = &program.engine else { unreachable!("only code streams") };
    let call = call_of(&program.layout, arrays, scalars, computed);
    // SAFETY: the caller's promise.
    unsafe { native.call_streaming(&call) };
}

/// The call of code for `computed` elements, which are whole groups.
pub(super) fn call_of(layout: &Layout, arrays: &[*mut u8], scalars: &[u64], computed: usize) -> Call {
    let groups = (computed >> layout.group.trailing_zeros()) as u64;
    Call { groups, arrays: arrays.as_ptr(), scalars: scalars.as_ptr() }
}

/// Computes `computed` elements, which are whole groups.
///
/// # Safety
/// The arrays are those of the layout, inputs first: each has `computed` elements of its dtype, which may be read, of an
/// output written. Behind them are those of which the program reads any element, as [`wholes`] gives them. The scalars are those
/// of the layout.
pub(super) unsafe fn compute(
    program: &Program,
    arrays: &[*mut u8],
    scalars: &[u64],
    computed: usize,
    turns: Turns<'_>,
) -> Result<(), Halt> {
    match &program.engine {
        // SAFETY: the caller's promise.
        Machine::Native(_) if program.layout.counts_turns => unsafe {
            counted(program, arrays, scalars, computed, turns)
        },
        Machine::Native(native) => {
            let call = call_of(&program.layout, arrays, scalars, computed);
            // SAFETY: the caller's promise.
            unsafe { native.call(&call) };
            Ok(())
        }
        // SAFETY: the caller's promise.
        Machine::Interpreter(interp) => unsafe { interpret(interp, &program.layout, arrays, scalars, computed, turns) },
    }
}

/// For runs that no one stops.
static NEVER: AtomicU8 = AtomicU8::new(0);

/// As [`compute`], for code that counts turns. It knows how many a group takes, which is no fewer than any of its elements
/// takes. Where these are too many, groups are computed one by one, and of a group that still takes too many each element.
///
/// # Safety
/// As [`compute`]; no output lies where an input does if turns are limited.
unsafe fn counted(
    program: &Program,
    arrays: &[*mut u8],
    scalars: &[u64],
    computed: usize,
    turns: Turns<'_>,
) -> Result<(), Halt> {
    let Machine::Native(native) = &program.engine else { unreachable!("code counts turns") };
    let layout = &program.layout;
    let stop = turns.stop.unwrap_or(&NEVER);
    let limit = turns.limit.min(i64::MAX as u64);
    let mut words: SmallVec<[u64; 16]> = SmallVec::new();
    words.extend([0, stop.as_ptr().expose_provenance() as u64, limit]);
    words.extend_from_slice(scalars);
    let mut is_within = |arrays: &[*mut u8], groups: usize| {
        words[2] = limit;
        let words = words.as_mut_ptr();
        let call = Call { groups: groups as u64, arrays: arrays.as_ptr(), scalars: words.wrapping_add(3).cast_const() };
        // SAFETY: the caller's promise; the words that the code counts by stand before the scalars.
        let left = unsafe {
            native.call(&call);
            words.add(2).read() as i64
        };
        if stop.load(Ordering::Relaxed) == 0 { Ok(left >= 0) } else { Err(Halt::Stopped) }
    };
    let groups = computed / layout.group;
    if is_within(arrays, groups)? {
        return Ok(());
    }
    for group in 0..groups {
        let inputs = layout.inputs.iter().map(|(_, dtype)| *dtype);
        let dtypes = inputs.chain(layout.outputs.iter().copied());
        let at = |(array, dtype): (&*mut u8, DType)| array.wrapping_add(group * layout.group * dtype.size());
        let mut one: SmallVec<[*mut u8; 16]> = arrays.iter().zip(dtypes).map(at).collect();
        one.extend_from_slice(&arrays[one.len()..]);
        if groups > 1 && is_within(&one, 1)? {
            continue;
        }
        let interp = program.exact.as_ref().expect("turns are limited where there is a judge");
        // SAFETY: the caller's promise, of one group.
        unsafe { interpret(interp, layout, &one, scalars, layout.group, turns) }?;
    }
    Ok(())
}

/// The interpreter in the place of code.
///
/// # Safety
/// As [`compute`].
unsafe fn interpret(
    interp: &Interp,
    layout: &Layout,
    arrays: &[*mut u8],
    scalars: &[u64],
    computed: usize,
    turns: Turns<'_>,
) -> Result<(), Halt> {
    // What the layout has no slot for does not matter.
    let (mut params, mut sizes) = (vec![0; interp.params()], vec![0; interp.sizes()]);
    let mut index = [0; MAX_RANK];
    for ((source, _), bits) in layout.scalars.iter().zip(scalars) {
        match source {
            Source::Param(k) => params[*k as usize] = *bits,
            Source::Size(k) => sizes[*k as usize] = *bits as i64,
            Source::Index(_) => unreachable!("an index is an array"),
        }
    }
    let first_whole = layout.inputs.len() + layout.outputs.len();
    let gather = |param: u32, offset: i64| {
        let known = layout.wholes.iter().position(|(known, _)| *known == param);
        let (k, dtype) = known.map(|k| (k, layout.wholes[k].1)).expect("a whole array has a place");
        // SAFETY: the program keeps the offset inside of the array.
        let bits = unsafe { read(arrays[first_whole + k].offset(offset as isize), dtype.size()) };
        // A bool in memory is a byte; any but 0 is true.
        if dtype == DType::Bool { u64::from(bits != 0) } else { bits }
    };
    let mut scratch = interp.scratch();
    let mut results = vec![0; layout.outputs.len()];
    for k in 0..computed {
        for ((source, dtype), array) in layout.inputs.iter().zip(arrays) {
            // SAFETY: the array has `computed` elements.
            let bits = unsafe { read(array.add(k * dtype.size()), dtype.size()) };
            match source {
                // A bool in memory is a byte; any but 0 is true.
                Source::Param(param) if *dtype == DType::Bool => params[*param as usize] = u64::from(bits != 0),
                Source::Param(param) => params[*param as usize] = bits,
                Source::Index(axis) => index[usize::from(*axis)] = bits as i64,
                Source::Size(_) => unreachable!("a size is a scalar"),
            }
        }
        let element = interp::Element { params: &params, index: &index, sizes: &sizes, gather: &gather };
        interp.bounded(&element, turns, &mut scratch, &mut results)?;
        for ((dtype, array), bits) in layout.outputs.iter().zip(&arrays[layout.inputs.len()..]).zip(&results) {
            // SAFETY: as above.
            unsafe { write(array.add(k * dtype.size()), dtype.size(), *bits) };
        }
    }
    Ok(())
}

/// The one element of a program that reads no array and has one output; as bits, like the `params`, which are all scalars.
pub(crate) fn scalar(program: &Program, params: &[u64]) -> u64 {
    let layout = &program.layout;
    let ([], [dtype]) = (&layout.inputs[..], &layout.outputs[..]) else { unreachable!("a scalar of scalars") };
    let mut scalars: SmallVec<[u64; 8]> = SmallVec::new();
    for (source, _) in &layout.scalars {
        scalars.push(match source {
            Source::Param(param) => params[*param as usize],
            // Of scalars there is one element.
            Source::Size(_) => 1,
            Source::Index(_) => unreachable!("an index is an array"),
        });
    }
    assert!(layout.group * dtype.size() <= size_of::<Group>(), "a group has room on the stack");
    let mut stack = MaybeUninit::<Group>::uninit();
    let lanes = stack.as_mut_ptr().cast::<u8>();
    let _float_env = FloatEnv::enter();
    // SAFETY: the stack has room for a group of the only array, and the code writes all of it.
    unsafe {
        compute(program, &[lanes], &scalars, layout.group, Turns::ALL).expect("no one stops this");
        read(lanes, dtype.size())
    }
}

/// A group of one array: of the widest vectors that there are, four.
#[repr(align(64))]
#[derive(Clone, Copy)]
pub(super) struct Group(pub(super) [MaybeUninit<u64>; 32]);

#[repr(align(64))]
pub(super) struct Aligned(#[expect(dead_code, reason = "bytes that are only reached by address")] [u8; STACK_BYTES]);

/// Fills places `count..computed` with the element before them: a lane without an element of its own computes what
/// some element computes, and no loop can fail to end.
///
/// # Safety
/// There is room for `computed` elements, and `count`, at least one, are there.
pub(super) unsafe fn repeat_last(buffer: *mut u8, size: usize, count: usize, computed: usize) {
    // SAFETY: the caller's promise; each of the loops has one type, so that it becomes plain moves.
    unsafe {
        match size {
            1 => repeat::<u8>(buffer, count, computed),
            2 => repeat::<u16>(buffer, count, computed),
            4 => repeat::<u32>(buffer, count, computed),
            _ => repeat::<u64>(buffer, count, computed),
        }
    }
}

/// # Safety
/// As [`repeat_last`], with elements of `T`'s size.
unsafe fn repeat<T: Copy>(buffer: *mut u8, count: usize, computed: usize) {
    let buffer = buffer.cast::<T>();
    // SAFETY: the caller's promise.
    unsafe {
        let last = buffer.add(count - 1).read_unaligned();
        for k in count..computed {
            buffer.add(k).write_unaligned(last);
        }
    }
}

/// # Safety
/// `size` bytes (1, 2, 4 or 8) can be read there.
pub(super) unsafe fn read(from: *const u8, size: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => u64::from(*from),
            2 => u64::from(from.cast::<u16>().read_unaligned()),
            4 => u64::from(from.cast::<u32>().read_unaligned()),
            _ => from.cast::<u64>().read_unaligned(),
        }
    }
}

/// # Safety
/// `size` bytes (1, 2, 4 or 8) can be written there.
pub(super) unsafe fn write(to: *mut u8, size: usize, bits: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => *to = bits as u8,
            2 => to.cast::<u16>().write_unaligned(bits as u16),
            4 => to.cast::<u32>().write_unaligned(bits as u32),
            _ => to.cast::<u64>().write_unaligned(bits),
        }
    }
}

/// Copies `count` elements that lie `stride` bytes apart to a place without gaps.
///
/// # Safety
/// The elements can be read, and there is room.
pub(super) unsafe fn gather(from: *const u8, stride: isize, to: *mut u8, size: usize, count: usize) {
    // SAFETY: the caller's promise; each of the loops has one type, so that it becomes plain moves.
    unsafe {
        match size {
            _ if stride == size as isize => std::ptr::copy_nonoverlapping(from, to, count * size),
            // One element for a whole row: stores alone, in vectors.
            _ if stride == 0 && count > 0 => {
                std::ptr::copy_nonoverlapping(from, to, size);
                repeat_last(to, size, 1, count);
            }
            1 => every::<u8>(from, stride, to, count),
            2 => every::<u16>(from, stride, to, count),
            4 => every::<u32>(from, stride, to, count),
            _ => every::<u64>(from, stride, to, count),
        }
    }
}

/// As [`gather`], of elements of `T`'s size; the strides that are met most have a loop of their own, which is vectorised.
///
/// # Safety
/// As [`gather`].
unsafe fn every<T: Copy>(from: *const u8, stride: isize, to: *mut u8, count: usize) {
    let size = size_of::<T>() as isize;
    // SAFETY: the caller's promise.
    unsafe {
        match stride {
            _ if stride == 2 * size => strided::<T>(from, 2 * size, to, size, count),
            _ if stride == 3 * size => strided::<T>(from, 3 * size, to, size, count),
            _ if stride == 4 * size => strided::<T>(from, 4 * size, to, size, count),
            _ if stride == -size => strided::<T>(from, -size, to, size, count),
            _ => strided::<T>(from, stride, to, size, count),
        }
    }
}

/// Copies `count` elements without gaps to places `stride` bytes apart.
///
/// # Safety
/// The elements can be read, and the places written.
pub(super) unsafe fn scatter(from: *const u8, to: *mut u8, stride: isize, size: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            _ if stride == size as isize => std::ptr::copy_nonoverlapping(from, to, count * size),
            1 => strided::<u8>(from, 1, to, stride, count),
            2 => strided::<u16>(from, 2, to, stride, count),
            4 => strided::<u32>(from, 4, to, stride, count),
            _ => strided::<u64>(from, 8, to, stride, count),
        }
    }
}

/// # Safety
/// `count` elements of `T`'s size can be read from and written to, each at its stride, at any alignment.
#[inline(always)]
unsafe fn strided<T: Copy>(from: *const u8, from_stride: isize, to: *mut u8, to_stride: isize, count: usize) {
    for k in 0..count as isize {
        // SAFETY: the caller's promise.
        unsafe {
            let element = from.wrapping_offset(k * from_stride).cast::<T>().read_unaligned();
            to.wrapping_offset(k * to_stride).cast::<T>().write_unaligned(element);
        }
    }
}

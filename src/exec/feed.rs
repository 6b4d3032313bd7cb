//! Calls of functions of Rust between two programs: some elements of what they take, then the calls, then the rest of a stage.
#![expect(unsafe_code, reason = "arguments and results are reached by address")]

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::host::HostFunction;
use super::plan::Plan;
use super::program::Program;
use super::run::{self, Input, Prepared, Resources, Runner, Slot, repeat_last};
use crate::error::{Error, ErrorKind};
use crate::interp::Halt;
use crate::source::Span;
use crate::strip::Source;

/// What some calls take, and the calls.
pub(crate) struct Feed {
    /// Its outputs are the arguments of all the calls.
    pub(crate) program: Program,
    pub(crate) calls: Vec<HostCall>,
}

/// A call of a function of Rust.
pub(crate) struct HostCall {
    pub(crate) function: Arc<HostFunction>,
    /// Where it is written.
    pub(crate) source: Arc<str>,
    pub(crate) span: Span,
    /// The parameter of later programs that stands for what it gives.
    pub(crate) param: u32,
    /// Whether its arguments are the same for all elements.
    pub(crate) is_uniform: bool,
}

impl HostCall {
    fn panicked(&self, words: &str) -> Error {
        let message = format!("the function `{}` panicked: {words}", self.function.seen.name);
        Error::new(ErrorKind::Host, "function-panicked", message)
            .at(&self.source, self.span)
            .with_note("its outputs hold unspecified but initialised values")
    }
}

/// What a feed is given beside arrays.
pub(super) struct Given {
    scalars: SmallVec<[u64; 8]>,
    wholes: SmallVec<[*mut u8; 4]>,
}

/// What each feed of the program is given.
pub(super) fn given(program: &Program, inputs: &[Input<'_>], sizes: &[i64]) -> Vec<Given> {
    let one = |feed: &Feed| {
        let layout = &feed.program.layout;
        let scalars = layout.scalars.iter().map(|(source, _)| run::scalar_of(*source, inputs, sizes)).collect();
        Given { scalars, wholes: run::wholes(layout, inputs) }
    };
    program.feeds.iter().map(one).collect()
}

/// The feeds of the program, ready to run; arguments are kept in buffers.
pub(super) fn prepared<'a>(
    program: &'a Program,
    given: &'a [Given],
    resources: &'a Resources<'a>,
) -> Vec<Prepared<'a>> {
    let one = |(feed, Given { scalars, wholes }): (&'a Feed, &'a Given)| Prepared {
        program: &feed.program,
        feeds: &[],
        scalars,
        columns: &[],
        wholes,
        streamed: &[],
        resources,
        repeats: false,
        is_in_place: false,
    };
    program.feeds.iter().zip(given).map(one).collect()
}

/// The arrays of the feeds, which stand first in the plan, as plans of the same order of elements.
pub(super) fn split(program: &Program, plan: &mut Plan) -> Vec<Plan> {
    let one = |feed: &Feed| {
        let layout = &feed.program.layout;
        let mut walks: SmallVec<_> = plan.walks.drain(..layout.inputs.len()).collect();
        walks.extend(layout.outputs.iter().map(|dtype| plan.nowhere(dtype.size())));
        Plan { len: plan.len, extents: plan.extents.clone(), walks }
    };
    program.feeds.iter().map(one).collect()
}

/// A feed in one run.
pub(super) struct Level<'a> {
    runner: Runner<'a>,
    calls: SmallVec<[Ready<'a>; 2]>,
}

/// A call in one run.
struct Ready<'a> {
    call: &'a HostCall,
    /// Which outputs of the feed it takes.
    args: Range<usize>,
    /// Where in the buffers its results are.
    results: usize,
}

impl<'a> Runner<'a> {
    /// Lets the feeds of the program run before it, over `plans`.
    pub(super) fn feed_by(&mut self, plans: &'a [Plan]) {
        for ((feed, run), plan) in self.run.program.feeds.iter().zip(self.run.feeds).zip(plans) {
            let runner = Runner::new(*run, plan);
            let mut first = 0;
            let calls = feed.calls.iter().map(|call| {
                let args = first..first + call.function.seen.params.len();
                first = args.end;
                Ready { call, args, results: 0 }
            });
            let calls = calls.collect();
            self.levels.push(Level { runner, calls });
        }
        if !self.levels.is_empty() {
            self.lay_out_all();
        }
    }

    /// Buffers for the results of all calls and for every program, for strips of one length.
    fn lay_out_all(&mut self) {
        let calls = || self.levels.iter().flat_map(|level| &level.calls);
        let of_result = |ready: &Ready<'_>| ready.call.function.seen.result.size();
        let runners = || std::iter::once(&*self).chain(self.levels.iter().map(|level| &level.runner));
        let is_fed = |runner: &Runner<'_>, k: usize| {
            let source = runner.run.program.layout.inputs.get(k).map(|(source, _)| *source);
            calls().any(|ready| source == Some(Source::Param(ready.call.param)))
        };
        let of_runner = |runner: &Runner<'_>| -> usize {
            let slots =
                runner.slots.iter().enumerate().filter(|(k, slot)| !slot.direct && !slot.folds && !is_fed(runner, *k));
            slots.map(|(_, slot)| slot.size).sum()
        };
        let bytes = calls().map(of_result).sum::<usize>() + runners().map(of_runner).sum::<usize>();
        let unit = runners().map(|runner| runner.unit).max().expect("a runner");
        let strip = run::strip_of(bytes, unit);
        let mut end = 0;
        let mut results: SmallVec<[(u32, usize); 4]> = SmallVec::new();
        for level in &mut self.levels {
            for ready in &mut level.calls {
                ready.results = end;
                results.push((ready.call.param, end));
                end += (strip * ready.call.function.seen.result.size()).next_multiple_of(64);
            }
        }
        let own = (&mut self.slots, self.run.program, &mut self.strip, self.plan);
        let of_levels = self.levels.iter_mut().map(|level| {
            let Runner { slots, run, strip, plan, .. } = &mut level.runner;
            (slots, run.program, strip, *plan)
        });
        for (slots, program, own_strip, plan) in std::iter::once(own).chain(of_levels) {
            for (slot, (source, _)) in slots.iter_mut().zip(&program.layout.inputs) {
                let of = |(param, _): &&(u32, usize)| *source == Source::Param(*param);
                slot.fed = results.iter().find(of).map(|(_, place)| *place);
                slot.direct &= slot.fed.is_none();
            }
            *own_strip = strip;
            end = run::place_buffers(slots, end, strip, plan.len, program.layout.group);
        }
        self.buffers = end;
    }

    /// Makes the calls for `count` elements from `at` on; what they give goes behind `done` elements. False is that the run stops.
    pub(super) fn feed(&self, at: usize, count: usize, buffers: *mut u8, done: usize) -> bool {
        let resources = self.run.resources;
        let stop = resources.stop;
        for level in &self.levels {
            level.runner.evaluate(at, count, done, buffers);
            // What they would take may not be there.
            if stop.is_interrupted() {
                return false;
            }
            for ready in &level.calls {
                if stop.poll().is_break() {
                    resources.interrupt(Halt::Stopped);
                    return false;
                }
                if let Err(words) = level.call(ready, count, buffers, done) {
                    stop.interrupt(Some(ready.call.panicked(&words)));
                    return false;
                }
            }
        }
        true
    }
}

impl Level<'_> {
    fn call(&self, ready: &Ready<'_>, count: usize, buffers: *mut u8, done: usize) -> Result<(), String> {
        let seen = &ready.call.function.seen;
        let arg = |(k, dtype): (usize, &crate::dtype::DType)| {
            self.runner.kept(k, buffers).wrapping_add(done * dtype.size()).cast_const()
        };
        let args: SmallVec<[*const u8; 8]> = ready.args.clone().zip(&seen.params).map(arg).collect();
        let results = buffers.wrapping_add(ready.results + done * seen.result.size());
        let asked = if ready.call.is_uniform { 1 } else { count };
        // SAFETY: code has written `count` elements of each argument, bools as 0 and 1; buffers begin on lines of the cache and
        // have room for a strip.
        unsafe {
            ready.call.function.call(&args, results, asked)?;
            repeat_last(results, seen.result.size(), asked, count);
        }
        Ok(())
    }
}

impl Slot {
    /// Where `computed` elements of what a call gave are; `count` of them are there behind `done` others.
    ///
    /// # Safety
    /// The slot is of what a call gave, its buffer has room for `computed` elements if these are more.
    pub(super) unsafe fn fed(
        &self,
        results: usize,
        count: usize,
        computed: usize,
        buffers: *mut u8,
        done: usize,
    ) -> *mut u8 {
        let from = buffers.wrapping_add(results + done * self.size);
        if count == computed {
            return from;
        }
        let buffer = buffers.wrapping_add(self.buffer);
        // SAFETY: the caller's promise.
        unsafe {
            buffer.copy_from_nonoverlapping(from, count * self.size);
            repeat_last(buffer, self.size, count, computed);
        }
        buffer
    }
}

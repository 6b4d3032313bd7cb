//! A kernel run again and again, each time on what it gave before: two arrays in turn, one read and one written.

use std::time::Instant;

use smallvec::SmallVec;

use super::kernel::Kernel;
use super::run::{Inputs, Run};
use super::variant::Variant;
use crate::args::{Args, Given, Stats};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::stop::Stop;
use crate::exec::{Input, Report};
use crate::ir::Boundary;
use crate::view::{Buffer, View, ViewMut};

/// An array that goes from step to step: the parameter that reads it, the output that writes it.
#[derive(Clone, Copy)]
struct State {
    param: usize,
    output: usize,
}

impl Kernel {
    /// Runs the formula `steps` times, each time on what the time before gave.
    ///
    /// What is given with [`Args::inout`] is the state: its parameter reads what its output gave in the step before, and at the
    /// end the array holds the last one. Unlike a run in place, a step may read its state at neighbours and at any index: it
    /// writes to a second array, and the two change places. That array is allocated at the beginning; from step to step there is
    /// nothing but what threads take to share the work. Elements that a kernel leaves out, at the rim of an `interior`, stay
    /// as they are. Outputs that are no state hold what the last step gives. A deadline is one for all steps.
    ///
    /// ```
    /// use numlift::{Args, Engine};
    /// let text = "kernel heat(u: f64[1] boundary(edge)) -> (v) over (i) { v = u + 0.25 * (u[i-1] - 2*u + u[i+1]) }";
    /// let heat = Engine::new()?.compile(text)?;
    /// let mut u = vec![0.0, 0.0, 16.0, 0.0];
    /// heat.iterate(2, Args::new().inout("u", &mut u))?;
    /// assert_eq!(u, [1.0, 4.0, 6.0, 5.0]);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Kernel::run), if no array is given with `inout`, or if there is no memory for the second arrays. If the run is
    /// cancelled or beyond its deadline, the outputs hold unspecified but initialised values.
    pub fn iterate(&self, steps: usize, mut args: Args<'_>) -> Result<Stats, Error> {
        let (start, formula) = (Instant::now(), &*self.0);
        let matched = args.matched(&formula.param_names, &formula.output_names)?;
        formula.check_given_outputs(&matched)?;
        let outputs = matched.outputs;
        let states = states(&matched.inputs)?;
        let (params, inputs) = formula.given(&matched.inputs, outputs)?;
        let typed = formula.typed(&params)?;
        let run = Run { formula, lowered: &typed.lowered, params: &params, inputs: &inputs };
        for (k, output) in outputs.iter().enumerate() {
            formula.check_output_dtype(&typed.lowered, k, output.dtype())?;
        }
        run.check_output_shapes(outputs)?;
        let groups = run.groups(outputs)?;
        let (variant, compile_time) = formula.variant(&params, &typed.lowered, groups)?;
        let mut spare = run.second(&states, outputs, steps)?;
        let mut second: SmallVec<[ViewMut<'_>; 4]> = spare.iter_mut().map(Buffer::view_mut).collect();
        let mut first: SmallVec<[ViewMut<'_>; 4]> = outputs.iter_mut().map(ViewMut::reborrow).collect();
        let stop = formula.stop(&typed.lowered, matched.ends.cancel, matched.ends.deadline);
        let mut report = Report { threads: 1, chunks: 0 };
        // The last step writes to the arrays that were given.
        if steps.is_multiple_of(2) {
            exchange(&states, &mut first, &mut second);
        }
        for step in 0..steps {
            if step > 0 {
                exchange(&states, &mut first, &mut second);
            }
            let one = run.step(&variant, &states, &mut first, &second, &stop)?;
            report.threads = report.threads.max(one.threads);
            report.chunks += one.chunks;
        }
        let compile_time = typed.compile_time + compile_time;
        let bytes = |output: &ViewMut<'_>| (output.len() * output.dtype().size()) as u64;
        Ok(Stats {
            compile_time,
            run_time: start.elapsed().saturating_sub(compile_time),
            threads: report.threads,
            chunks: report.chunks,
            bytes_read: run.bytes_read(&first).saturating_mul(steps as u64),
            bytes_written: first.iter().map(bytes).sum::<u64>().saturating_mul(steps as u64),
            backend: formula.engine.backend(),
            cached: compile_time.is_zero(),
        })
    }
}

fn states(given: &[Given<'_>]) -> Result<SmallVec<[State; 4]>> {
    let state = |(param, given): (usize, &Given<'_>)| match given {
        Given::InPlace(output) => Some(State { param, output: *output }),
        Given::Array(_) | Given::Weak(_) => None,
    };
    let states: SmallVec<[State; 4]> = given.iter().enumerate().filter_map(state).collect();
    if states.is_empty() {
        let message = "no array goes from step to step";
        return Err(Error::new(ErrorKind::Argument, "no-state", message)
            .with_hint("`Args::inout` names the array that a parameter reads and an output replaces"));
    }
    Ok(states)
}

/// What was written is read next.
fn exchange<'a>(states: &[State], written: &mut [ViewMut<'a>], read: &mut [ViewMut<'a>]) {
    for (state, read) in states.iter().zip(read) {
        std::mem::swap(&mut written[state.output], read);
    }
}

impl Run<'_> {
    /// A second array for each that goes from step to step, a copy where it is read first.
    fn second(&self, states: &[State], outputs: &[ViewMut<'_>], steps: usize) -> Result<SmallVec<[Buffer; 4]>> {
        let bytes = |state: &State| (outputs[state.output].len() * outputs[state.output].dtype().size()) as u128;
        self.check_memory("the second arrays of `iterate` take", states.iter().map(bytes).sum())?;
        // Of an even number of steps the first one writes the second arrays, all elements but those without neighbours.
        let keeps_some = self.lowered.neighbours.iter().any(|it| it.boundary == Boundary::Interior);
        let begins_there = !steps.is_multiple_of(2) || keeps_some;
        let second = |state: &State| {
            let array = &outputs[state.output];
            let mut second = Buffer::zeroed(array.dtype(), array.extents())?;
            if begins_there {
                second.view_mut().copy_from(&array.as_view());
            }
            Ok(second)
        };
        states.iter().map(second).collect()
    }

    fn step(
        &self,
        variant: &Variant,
        states: &[State],
        written: &mut [ViewMut<'_>],
        read: &[ViewMut<'_>],
        stop: &Stop,
    ) -> Result<Report> {
        let views: SmallVec<[View<'_>; 4]> = read.iter().map(ViewMut::as_view).collect();
        let mut inputs: Inputs<'_> = self.inputs.iter().copied().collect();
        for (state, view) in states.iter().zip(&views) {
            inputs[state.param] = match view.rank() {
                0 => Input::Scalar(view.bits(&[])),
                _ => Input::Array(view),
            };
        }
        Run { inputs: &inputs, ..*self }.execute(variant, written, stop)
    }
}

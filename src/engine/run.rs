//! Arguments in a kernel's order to results: shapes agreed on, and a job for each stage.

use smallvec::SmallVec;

use super::kernel::Formula;
use super::reduce;
use super::variant::{Groups, Part, Variant};
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::plain::Whole;
use crate::exec::plan::{self, Extents};
use crate::exec::stop::Stop;
use crate::exec::{self, Budget, Input, Job, Report, Resources};
use crate::ir::{Axes, Leaf, Size};
use crate::lower::{Lowered, ParamType};
use crate::stage::Total;
use crate::strip::Source;
use crate::view::{Buffer, View, ViewMut, element_count};

/// What each parameter is given.
pub(super) type Inputs<'a> = SmallVec<[Input<'a>; 8]>;

/// One run of a formula: its arguments and what is known of their types.
pub(super) struct Run<'a> {
    pub(super) formula: &'a Formula,
    pub(super) lowered: &'a Lowered,
    pub(super) params: &'a [ParamType],
    pub(super) inputs: &'a [Input<'a>],
}

/// The shape of each domain of the graph.
pub(super) type Shapes = SmallVec<[Extents; 2]>;

/// Outputs that one stage computes. Their values are all alive where a group of elements ends; more would take the register
/// allocator time in their square.
const STAGE_OUTPUTS: usize = 64;

/// Outputs of one shape are one group, as far as a stage goes; groups are numbered as they appear.
fn groups(outputs: &[ViewMut<'_>]) -> Groups {
    if let [_] = outputs {
        return Groups::from_elem(0, 1);
    }
    grouped(outputs.iter().map(ViewMut::extents))
}

/// The group of each key.
pub(super) fn grouped<K: PartialEq>(keys: impl Iterator<Item = K>) -> Groups {
    // Of each key the group that is being filled, and its members.
    let mut filling: SmallVec<[(K, u32, usize); 4]> = SmallVec::new();
    let mut count = 0;
    let group = |key: K| {
        let known = filling.iter().position(|(known, ..)| *known == key);
        let place = known.unwrap_or(filling.len());
        if known.is_none_or(|place| filling[place].2 == STAGE_OUTPUTS) {
            let fresh = (key, count, 0);
            match known {
                Some(place) => filling[place] = fresh,
                None => filling.push(fresh),
            }
            count += 1;
        }
        filling[place].2 += 1;
        filling[place].1
    };
    keys.map(group).collect()
}

/// A number for each domain of the shape `key`: that of an output known to have it, else a new one.
pub(super) fn grouped_domains<K: PartialEq>(
    known: impl Iterator<Item = (K, u32)>,
    keys: impl Iterator<Item = K>,
) -> SmallVec<[u32; 4]> {
    let mut known: SmallVec<[(K, u32); 4]> = known.collect();
    let mut fresh = known.iter().map(|(_, group)| group + 1).max().unwrap_or(0);
    let group = |key: K| {
        if let Some((_, group)) = known.iter().find(|(other, _)| *other == key) {
            return *group;
        }
        known.push((key, fresh));
        fresh += 1;
        fresh - 1
    };
    keys.map(group).collect()
}

/// What a run of the formula may use.
pub(super) fn resources<'a>(formula: &'a Formula, lowered: &'a Lowered, stop: &'a Stop) -> Resources<'a> {
    let engine = &formula.engine.0;
    let loops = Some((&formula.program.ast.source, &*lowered.loops));
    let budget = Budget { turns: engine.bounds.turns, loops };
    Resources { pool: &engine.pool, chunk: engine.bounds.chunk, cache: engine.cache, stop, budget }
}

/// Equality of the few extents that a shape has, without a call.
pub(super) fn is_same(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// The shape that reduced axes leave.
pub(super) fn left(shape: &[usize], axes: Axes, keepdims: bool) -> Extents {
    let extent = |(axis, extent): (usize, &usize)| match axes.contains(axis) {
        true => keepdims.then_some(1),
        false => Some(*extent),
    };
    shape.iter().enumerate().filter_map(extent).collect()
}

fn bytes<'a>(arrays: impl Iterator<Item = (DType, &'a [usize])>) -> u128 {
    let of = |dtype: DType, shape: &[usize]| {
        shape.iter().fold(dtype.size() as u128, |bytes, extent| bytes.saturating_mul(*extent as u128))
    };
    arrays.map(|(dtype, shape)| of(dtype, shape)).fold(0, u128::saturating_add)
}

/// The axis in which an output's array has no room for the output's `own` shape; they are aligned at their last.
fn misfit(own: &[usize], array: &[usize]) -> String {
    let Some(added) = array.len().checked_sub(own.len()) else {
        return format!("the output is of rank {}, the array for it of rank {}", own.len(), array.len());
    };
    let misfits = |axis: &usize| own[*axis] != 1 && own[*axis] != array[added + axis];
    let axis = (0..own.len()).rev().find(misfits).expect("an axis of an array that does not fit differs");
    let (needed, found) = (own[axis], array[added + axis]);
    format!("axis {axis} of the output has {needed} elements, axis {} of the array has {found}", added + axis)
}

impl Run<'_> {
    /// The extents of what a parameter is given; none of a scalar.
    pub(super) fn shape<'s>(&'s self, param: u32, outputs: &'s [ViewMut<'_>]) -> &'s [usize] {
        match &self.inputs[param as usize] {
            Input::Array(view) => view.extents(),
            Input::InPlace(output) => outputs[*output].extents(),
            Input::Scalar(_) => &[],
        }
    }

    /// What each domain's leaves broadcast to.
    pub(super) fn shapes(&self, outputs: &[ViewMut<'_>]) -> Result<Shapes> {
        let graph = &self.lowered.graph;
        let mut shapes = Shapes::new();
        for domain in &graph.domains {
            let left = domain.iter().filter_map(|leaf| match leaf {
                Leaf::Param(_) => None,
                Leaf::Reduced { domain, axes, keepdims } => Some(left(&shapes[*domain as usize], *axes, *keepdims)),
            });
            let left: SmallVec<[Extents; 2]> = left.collect();
            let mut left = left.iter();
            let named = |leaf: &Leaf| match leaf {
                Leaf::Param(param) => (&*self.formula.param_names[*param as usize], self.shape(*param, outputs)),
                Leaf::Reduced { .. } => ("reduction", &**left.next().expect("one for each leaf")),
            };
            let named: SmallVec<[(&str, &[usize]); 8]> = domain.iter().map(named).collect();
            let keeps = "`keepdims=True` keeps the reduced axes, so that a reduction goes with its array";
            let is_reduced = named.len() > 1 && domain.iter().any(|leaf| matches!(leaf, Leaf::Reduced { .. }));
            let common = plan::broadcast(named.iter().copied());
            shapes.push(common.map_err(|error| if is_reduced { error.with_hint(keeps) } else { error })?);
        }
        Ok(shapes)
    }

    /// A number for each output, and for each domain of a program with reductions, the same for the same shape.
    pub(super) fn groups(&self, outputs: &[ViewMut<'_>]) -> Result<Groups> {
        let mut groups = groups(outputs);
        if self.lowered.graph.reductions.is_empty() {
            return Ok(groups);
        }
        let shapes = self.shapes(outputs)?;
        let known = outputs.iter().zip(&groups).map(|(output, group)| (output.extents(), *group));
        let numbers = grouped_domains(known, shapes.iter().map(|shape| &**shape));
        groups.extend(numbers);
        Ok(groups)
    }

    /// Fails if an output's own shape does not broadcast to that of its array.
    pub(super) fn check_output_shapes(&self, outputs: &[ViewMut<'_>]) -> Result<()> {
        let graph = &self.lowered.graph;
        let is_plain = |(k, output): (usize, &ViewMut<'_>)| {
            let domain = &graph.domains[self.lowered.outputs[k].domain as usize];
            let found = output.extents();
            let has_it = |leaf: &Leaf| matches!(leaf, Leaf::Param(param) if self.shape(*param, outputs) == found);
            !domain.is_empty() && domain.iter().all(has_it)
        };
        if graph.reductions.is_empty() && outputs.iter().enumerate().all(is_plain) {
            return Ok(());
        }
        let shapes = self.shapes(outputs)?;
        (0..outputs.len()).try_for_each(|k| self.check_output_shape(k, outputs, &shapes))
    }

    fn check_output_shape(&self, k: usize, outputs: &[ViewMut<'_>], shapes: &[Extents]) -> Result<()> {
        let (own, found) = (&shapes[self.lowered.outputs[k].domain as usize], outputs[k].extents());
        if **own == *found {
            return Ok(());
        }
        let name = &self.formula.output_names[k];
        // A broadcast that leaves the array's shape as it is.
        let fits = plan::broadcast([("", &**own), ("", found)].into_iter()).is_ok_and(|both| *both == *found);
        if fits {
            return Ok(());
        }
        let message = format!(
            "the output `{name}` has the shape {}, the array for it has {}",
            plan::show(own),
            plan::show(found)
        );
        let error = Error::new(ErrorKind::Shape, "output-shape", message).with_note(misfit(own, found));
        let in_place = |input: &Input<'_>| matches!(input, Input::InPlace(output) if *output == k);
        Err(match self.inputs.iter().position(in_place) {
            Some(param) => {
                error.with_note(format!("it is also that of the parameter `{}`", self.formula.param_names[param]))
            }
            None => error,
        })
    }

    /// An array of its own shape for each output.
    pub(super) fn allocate(&self) -> Result<Vec<Buffer>> {
        let graph = &self.lowered.graph;
        let shapes = self.shapes(&[])?;
        if let Some(open) = self.lowered.outputs.iter().position(|info| shapes[info.domain as usize].len() < info.rank)
        {
            return Err(self
                .open_extents(open)
                .with_hint("`run` goes over the arrays that it is given for the outputs"));
        }
        let outputs = || {
            let outputs = graph.outputs.iter().zip(&self.lowered.outputs);
            outputs.map(|(output, info)| (graph.dtype(output.value), &*shapes[info.domain as usize]))
        };
        self.check_memory("the outputs take", bytes(outputs()))?;
        outputs().map(|(dtype, shape)| Buffer::zeroed(dtype, shape)).collect()
    }

    pub(super) fn check_memory(&self, what: &str, bytes: u128) -> Result<()> {
        match self.formula.engine.0.bounds.memory {
            Some(limit) if bytes > limit as u128 => {
                let message = format!("{what} {bytes} bytes, the memory limit is {limit} bytes");
                let error = Error::new(ErrorKind::Limit, "memory-limit", message);
                Err(error.with_hint("`Builder::memory_limit` sets the limit"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Runs `variant` if that takes no plan, and says whether it does; every array has the shape of the outputs. Such a run is over
    /// before anyone could stop it.
    pub(super) fn without_plan(&self, variant: &Variant, outputs: &mut [ViewMut<'_>]) -> Result<bool> {
        let len: usize = outputs[0].extents().iter().product();
        if !(1..=variant.plain_len).contains(&len) {
            return Ok(false);
        }
        self.check_ranges()?;
        Ok(exec::plain::run(&variant.stages[0].program, self.inputs, outputs, len))
    }

    /// As [`without_plan`](Run::without_plan), where all arrays have one shape, of a `variant` that gives totals of all elements.
    pub(super) fn totals_without_plan(&self, variant: &Variant, outputs: &mut [ViewMut<'_>]) -> Result<bool> {
        let mut shape: Option<&[usize]> = None;
        for input in self.inputs {
            match input {
                Input::Array(view) if shape.is_none_or(|shape| is_same(shape, view.extents())) => {
                    shape = Some(view.extents());
                }
                Input::Scalar(_) => {}
                Input::Array(_) | Input::InPlace(_) => return Ok(false),
            }
        }
        let len: usize = shape.map_or(0, |shape| shape.iter().product());
        if !(1..=variant.plain_fold_len).contains(&len) || outputs.iter().any(|output| output.rank() > 0) {
            return Ok(false);
        }
        self.check_ranges()?;
        let part = &variant.stages[0];
        let whole = |total: &u32| {
            let Total { reduction, from, dtype, .. } = variant.totals[*total as usize];
            Whole { fold: reduction.fold, from, to: dtype }
        };
        let Some(bits) = exec::plain::fold(&part.program, self.inputs, part.totals.iter().map(whole), len) else {
            return Ok(false);
        };
        for (output, read) in &variant.taken {
            let total = variant.reads[*read as usize].total;
            let place = part.totals.iter().position(|known| *known == total).expect("the stage makes all totals");
            outputs[*output].set_bits(&[], bits[place]);
        }
        Ok(true)
    }

    /// Whether every array has the same shape.
    pub(super) fn is_of_one_shape(&self, outputs: &[ViewMut<'_>]) -> bool {
        let shape = outputs[0].extents();
        let is_alike = |input: &Input<'_>| match input {
            Input::Array(view) => is_same(view.extents(), shape),
            Input::InPlace(_) | Input::Scalar(_) => true,
        };
        outputs[1..].iter().all(|output| is_same(output.extents(), shape)) && self.inputs.iter().all(is_alike)
    }

    /// Runs each stage of `variant`, which is of these types and groups.
    pub(super) fn execute(&self, variant: &Variant, outputs: &mut [ViewMut<'_>], stop: &Stop) -> Result<Report> {
        self.check_ranges()?;
        self.check_gathered(outputs.iter().all(ViewMut::is_empty))?;
        // Of a kernel that reads nothing where it stands an output decides how far it goes.
        let axes = self.formula.program.axes;
        if let Some(open) = outputs.iter().position(|output| output.rank() < axes) {
            let note =
                format!("the kernel goes over {axes} axes, the array for it is of rank {}", outputs[open].rank());
            return Err(self.open_extents(open).with_note(note));
        }
        let graph = &self.lowered.graph;
        let mut shapes = Shapes::new();
        if !graph.sizes.is_empty() || !variant.totals.is_empty() || !variant.need_elements.is_empty() {
            shapes = self.shapes(outputs)?;
            reduce::check_empty(self, variant, &shapes)?;
        }
        let sizes = self.sizes(&shapes)?;
        let formula = self.formula;
        let resources = resources(formula, self.lowered, stop);
        if !self.lowered.neighbours.is_empty() {
            let inputs = self.with_neighbours(outputs)?;
            return Run { inputs: &inputs, ..*self }.stages(variant, outputs, &sizes, &resources);
        }
        if !variant.totals.is_empty() {
            return reduce::execute(self, variant, outputs, &shapes, &sizes, &resources);
        }
        self.stages(variant, outputs, &sizes, &resources)
    }

    /// Runs stages that no total goes between.
    fn stages(
        &self,
        variant: &Variant,
        outputs: &mut [ViewMut<'_>],
        sizes: &[i64],
        resources: &Resources<'_>,
    ) -> Result<Report> {
        if let [part] = &variant.stages[..] {
            return self.stage(part, self.inputs, outputs, sizes, resources);
        }
        for (group, part) in variant.stages.iter().enumerate() {
            if let Some(param) = self.overwritten(part, variant, group as u32) {
                let name = &self.formula.param_names[param];
                let message = format!("`{name}` is written before another output reads it");
                return Err(Error::new(ErrorKind::Argument, "aliasing", message)
                    .with_hint("give that output an array of its own"));
            }
        }
        let mut report = Report::default();
        for (group, part) in variant.stages.iter().enumerate() {
            let one = self.one_of_many(part, variant, group as u32, outputs, sizes, resources)?;
            report.threads = report.threads.max(one.threads);
            report.chunks += one.chunks;
        }
        Ok(report)
    }

    /// The inputs of a run that reads beside its elements: behind its own the array that each neighbour moves.
    fn with_neighbours(&self, outputs: &[ViewMut<'_>]) -> Result<Inputs<'_>> {
        let mut inputs: Inputs<'_> = self.inputs.iter().copied().collect();
        for neighbour in &self.lowered.neighbours {
            let name = &self.formula.param_names[neighbour.of as usize];
            let view = match inputs[neighbour.of as usize] {
                Input::Array(view) => view,
                Input::InPlace(_) => {
                    let message = format!("`{name}` is written in a run that reads its neighbours");
                    return Err(Error::new(ErrorKind::Argument, "in-place-neighbours", message).with_hint(
                        "a neighbour may be written before it is read: give the output an array of its own",
                    ));
                }
                Input::Scalar(_) => unreachable!("an array has neighbours"),
            };
            // What a formula moves is repeated as any array is; a kernel goes over its own axes.
            let is_other = |output: &&ViewMut<'_>| output.extents() != view.extents();
            if self.formula.program.axes > 0
                && let Some(output) = outputs.iter().find(is_other)
            {
                let (own, found) = (plan::show(view.extents()), plan::show(output.extents()));
                let message = format!("the kernel goes over `{name}` of shape {own}, an output has the shape {found}");
                return Err(Error::new(ErrorKind::Shape, "neighbour-shape", message)
                    .with_note("arrays of which neighbours are read have the shape of the outputs"));
            }
            inputs.push(Input::Array(view));
        }
        Ok(inputs)
    }

    fn stage(
        &self,
        part: &Part,
        inputs: &[Input<'_>],
        outputs: &mut [ViewMut<'_>],
        sizes: &[i64],
        resources: &Resources<'_>,
    ) -> Result<Report> {
        exec::run(&part.program, Job { inputs, outputs, sizes, neighbours: &self.lowered.neighbours }, resources)
    }

    /// A stage that writes some of the outputs, and may read what later ones write.
    fn one_of_many(
        &self,
        part: &Part,
        variant: &Variant,
        group: u32,
        outputs: &mut [ViewMut<'_>],
        sizes: &[i64],
        resources: &Resources<'_>,
    ) -> Result<Report> {
        let (mut own, mut others): (SmallVec<[ViewMut<'_>; 4]>, SmallVec<[Option<View<'_>>; 4]>) = Default::default();
        for (k, output) in outputs.iter_mut().enumerate() {
            if variant.groups[k] == group {
                own.push(output.reborrow());
                others.push(None);
            } else {
                others.push(Some(output.as_view()));
            }
        }
        let mut inputs = Inputs::new();
        for input in self.inputs {
            inputs.push(match input {
                Input::Array(view) => Input::Array(view),
                Input::Scalar(bits) => Input::Scalar(*bits),
                Input::InPlace(output) => match &others[*output] {
                    Some(view) => Input::Array(view),
                    None => Input::InPlace(others[..*output].iter().filter(|other| other.is_none()).count()),
                },
            });
        }
        self.stage(part, &inputs, &mut own, sizes, resources)
    }

    /// A parameter that the stage reads and an earlier one has written over.
    fn overwritten(&self, part: &Part, variant: &Variant, group: u32) -> Option<usize> {
        part.program.read().find_map(|(source, _)| match source {
            Source::Param(param) => match self.inputs.get(param as usize)? {
                Input::InPlace(output) if variant.groups[*output] < group => Some(param as usize),
                Input::InPlace(_) | Input::Array(_) | Input::Scalar(_) => None,
            },
            Source::Index(_) | Source::Size(_) => None,
        })
    }

    /// The answers to the program's questions for sizes.
    pub(super) fn sizes(&self, shapes: &[Extents]) -> Result<SmallVec<[i64; 4]>> {
        if self.lowered.graph.sizes.is_empty() {
            return Ok(SmallVec::new());
        }
        let array = |param: u32| match &self.inputs[param as usize] {
            Input::Array(view) => *view,
            Input::InPlace(_) | Input::Scalar(_) => unreachable!("what is gathered is an array that nothing writes"),
        };
        let size = |size: &Size| match size {
            Size::Elements { domain, axes } => {
                let shape = &shapes[*domain as usize];
                // As of an array of bytes: so many elements are none of any memory, and no output need be made of them to ask.
                element_count(shape, DType::U8)?;
                let along = shape.iter().enumerate().filter(|(axis, _)| axes.contains(*axis));
                Ok(along.map(|(_, extent)| *extent as i64).product())
            }
            Size::Extent { param, axis } => Ok(array(*param).extents()[usize::from(*axis)] as i64),
            Size::Step { param, axis } => {
                let view = array(*param);
                Ok(if view.is_empty() { 0 } else { view.strides()[usize::from(*axis)] as i64 })
            }
        };
        self.lowered.graph.sizes.iter().map(size).collect()
    }

    /// The extents of an output follow from no array.
    fn open_extents(&self, output: usize) -> Error {
        let output = &self.formula.program.outputs[output];
        let message = format!("nothing says how far the kernel goes to compute `{}`", output.name);
        Error::new(ErrorKind::Shape, "open-extents", message)
            .at(&self.formula.program.ast.source, output.span)
            .with_note("its extents are those of the arrays that are read at its own axes")
    }

    /// Fails if an array that is read at computed places is written, too, or has no element to be read. Where
    /// nothing is wanted it may have none.
    pub(super) fn check_gathered(&self, nothing_wanted: bool) -> Result<()> {
        for gathered in &self.lowered.gathered {
            let name = &self.formula.param_names[gathered.param];
            let at = |error: Error| error.at(&self.formula.program.ast.source, gathered.span);
            match &self.inputs[gathered.param] {
                Input::Array(view) if view.is_empty() && gathered.needs_elements && !nothing_wanted => {
                    let message = format!("`{name}` has no elements, and every index means one");
                    return Err(at(Error::new(ErrorKind::Shape, "empty-array", message))
                        .with_hint("with a constant beyond the edges it may be empty"));
                }
                Input::InPlace(_) => {
                    let message = format!("`{name}` is written in a run that reads it at computed places");
                    return Err(at(Error::new(ErrorKind::Argument, "in-place-neighbours", message)).with_hint(
                        "an element may be written before it is read: give the output an array of its own",
                    ));
                }
                Input::Array(_) | Input::Scalar(_) => {}
            }
        }
        Ok(())
    }

    /// Fails if a number without a dtype does not fit one that it is converted to.
    pub(super) fn check_ranges(&self) -> Result<()> {
        for (param, dtype) in &self.lowered.ranges {
            let Input::Scalar(bits) = self.inputs[*param] else { unreachable!("a weak parameter is given a scalar") };
            let number = match self.params[*param] {
                ParamType::WeakInt => i128::from(i64::from_bits64(bits)),
                ParamType::WeakUint => i128::from(bits),
                ParamType::WeakFloat | ParamType::Scalar(_) | ParamType::Array { .. } => {
                    unreachable!("a range is of a weak integer")
                }
            };
            let (least, greatest) = dtype.int_range();
            if !(least..=greatest).contains(&number) {
                let parameter = &self.formula.program.parameters[*param];
                let message = format!(
                    "`{number}`, given for `{}`, does not fit {dtype}, which holds {least} to {greatest}",
                    parameter.name
                );
                return Err(Error::new(ErrorKind::DType, "literal-range", message)
                    .at(&self.formula.program.ast.source, parameter.span)
                    .with_hint(format!(
                        "to compute in {dtype} all the same, give it as one: `.input(\"{}\", &value)`",
                        parameter.name
                    )));
            }
        }
        Ok(())
    }

    /// Bytes of the elements that the run reads of its arguments.
    pub(super) fn bytes_read(&self, outputs: &[ViewMut<'_>]) -> u64 {
        let bytes = |(input, param): (&Input<'_>, &ParamType)| match (input, param) {
            (Input::Array(view), _) => view.len() as u64 * view.dtype().size() as u64,
            (Input::InPlace(output), _) => outputs[*output].len() as u64 * outputs[*output].dtype().size() as u64,
            (Input::Scalar(_), ParamType::Scalar(dtype)) => dtype.size() as u64,
            (Input::Scalar(_), _) => 0,
        };
        self.inputs.iter().zip(self.params).map(bytes).sum()
    }
}

//! A formula that runs: what it is given is matched with what it was compiled for.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::bound::{Arguments, Bound};
use super::run::{self, Inputs, Run};
use super::variant::{self, Groups, Held, Variant, Variants};
use super::{Compiler, Engine};
use crate::args::{Accuracy, Args, Ends, Given, Kind, Matched, Outputs, Param, Schema, Stats, Weak};
use crate::codegen::{Isa, cranelift};
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::float_env;
use crate::exec::stop::Stop;
use crate::exec::{Cancel, Input, Report};
use crate::lower::{Lowered, ParamType, Signature, lower};
use crate::math;
use crate::resolve::Program;
use crate::strip::Strip;
use crate::target::Target;
use crate::view::{Buffer, View, ViewMut};

/// A compiled formula. It takes arrays of any dtypes and ranks: code is made for each combination when it is first met,
/// and kept.
///
/// Clones are the same kernel, from any thread; it keeps its engine and its code alive.
///
/// ```
/// use numlift::{Args, Engine};
/// let kernel = Engine::new()?.compile("total = price * qty; total, total > 100")?;
/// let args = Args::new().input("price", &[9.5, 40.0]).input("qty", &[2, 3]);
/// let mut outputs = kernel.eval(args)?;
/// assert_eq!(outputs.take::<f64>("total")?, [19.0, 120.0]);
/// assert_eq!(outputs.take::<bool>("1")?, [false, true]);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone)]
pub struct Kernel(pub(super) Arc<Formula>);

/// What clones of a kernel share.
pub(super) struct Formula {
    pub(super) engine: Engine,
    pub(super) program: Program,
    params: Vec<Param>,
    outputs: Vec<Param>,
    pub(super) param_names: Vec<Arc<str>>,
    pub(super) output_names: Vec<Arc<str>>,
    variants: Variants,
}

/// What is known of a run before shapes are.
pub(super) struct Typed<'a> {
    pub(super) lowered: Held<'a, Lowered>,
    /// A variant of the signature, if there is one.
    variant: Option<Held<'a, Variant>>,
    /// Spent on the way here.
    pub(super) compile_time: Duration,
}

impl Kernel {
    pub(super) fn new(engine: Engine, program: Program) -> Kernel {
        let param_names: Vec<Arc<str>> = program.parameters.iter().map(|param| Arc::clone(&param.name)).collect();
        let output_names: Vec<Arc<str>> = program.outputs.iter().map(|output| Arc::clone(&output.name)).collect();
        let open = |names: &[Arc<str>]| names.iter().map(|name| Param::new(Arc::clone(name), Kind::Any)).collect();
        let (params, outputs) = (open(&param_names), open(&output_names));
        let variants = Variants::default();
        Kernel(Arc::new(Formula { engine, program, params, outputs, param_names, output_names, variants }))
    }

    /// The parameters, in the order of their first appearance. No dtype is fixed.
    pub fn params(&self) -> &[Param] {
        &self.0.params
    }

    /// The outputs, in order. Their dtypes depend on those of the parameters: [`prepare`](Kernel::prepare) tells them.
    pub fn outputs(&self) -> &[Param] {
        &self.0.outputs
    }

    /// What is legal but likely not meant, such as a value that nothing uses; and for each combination of dtypes met so
    /// far, what shows only then, such as `^` between integers.
    ///
    /// ```
    /// let kernel = numlift::Engine::new()?.compile("a = x + 1; x * 2")?;
    /// assert_eq!(kernel.warnings()[0].message(), "the value assigned to `a` is not used");
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<Error> {
        let mut warnings = self.0.program.warnings.clone();
        let mut known = HashSet::new();
        for variant in self.0.variants.all() {
            let of_dtypes = variant.lowered.warnings.iter();
            warnings.extend(of_dtypes.filter(|warning| known.insert((warning.code(), warning.span()))).cloned());
        }
        warnings
    }

    /// Checks the formula for the types of `schema` and compiles it for them, before there is data.
    ///
    /// The outputs have their dtype and rank. Variables that the formula has no use for may be in the schema.
    ///
    /// # Errors
    /// With the place in the text: if dtypes do not go together or a literal does not fit. If the schema lacks a parameter.
    /// If a bound of the engine is reached.
    pub fn prepare(&self, schema: &Schema) -> Result<Vec<Param>, Error> {
        let variant = self.0.prepared(&self.0.declared(schema)?)?;
        let lowered = &variant.lowered;
        let outputs = lowered.graph.outputs.iter().zip(&lowered.outputs);
        Ok(outputs
            .map(|(output, info)| {
                Param::new(Arc::clone(&output.name), Kind::Array(lowered.graph.dtype(output.value), info.rank))
            })
            .collect())
    }

    /// Runs the formula; the arguments have an array for each output.
    ///
    /// An array's dtype is that of its output, its shape that of the parameters which the output is computed from,
    /// broadcast together, or one that this broadcasts to.
    ///
    /// ```
    /// use numlift::{Args, Engine};
    /// let scale = Engine::new()?.compile("x * factor")?;
    /// let mut x = vec![1.0_f32, 2.0, 3.0];
    /// scale.run(Args::new().inout("x", &mut x).scalar("factor", 10))?;
    /// assert_eq!(x, [10.0, 20.0, 30.0]);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an argument is missing or surplus; if dtypes, literals or shapes do not fit; if a bound of the engine is reached;
    /// if the run is cancelled or beyond its deadline, and then the outputs hold unspecified but initialised values.
    pub fn run(&self, mut args: Args<'_>) -> Result<Stats, Error> {
        let matched = args.matched(&self.0.param_names, &self.0.output_names)?;
        self.0.check_given_outputs(&matched)?;
        self.0.run(&matched.inputs, matched.outputs, matched.ends)
    }

    /// Runs the formula into arrays that numlift allocates.
    ///
    /// # Errors
    /// As [`run`](Kernel::run); if the arguments have an array for an output; if the outputs need more memory than there is
    /// or than the engine's bound.
    pub fn eval(&self, mut args: Args<'_>) -> Result<Outputs, Error> {
        let matched = args.matched(&self.0.param_names, &self.0.output_names)?;
        self.0.refuse_outputs(&matched, "eval")?;
        let (buffers, stats) = self.0.eval(&matched)?;
        Ok(Outputs::new(self.0.output_names.clone(), buffers, stats))
    }

    /// Runs a formula of one value, such as `a + b` of two scalars.
    ///
    /// ```
    /// use numlift::{Args, Engine};
    /// let sum: i32 = Engine::new()?.compile("a + b")?.scalar(Args::new().input("a", &1).input("b", &2))?;
    /// assert_eq!(sum, 3);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Kernel::run); if the formula has several outputs, or one that is not a single value of type `T`.
    pub fn scalar<T: Element>(&self, mut args: Args<'_>) -> Result<T, Error> {
        let matched = args.matched(&self.0.param_names, &self.0.output_names)?;
        self.0.refuse_outputs(&matched, "scalar")?;
        self.0.check_one_output()?;
        let mut value = T::default();
        self.0.run(&matched.inputs, &mut [ViewMut::from(&mut value)], matched.ends)?;
        Ok(value)
    }

    /// Fixes the dtypes and ranks of the parameters, for loops over many small arrays: nothing is looked up any more.
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare).
    pub fn bind(&self, schema: &Schema) -> Result<Bound, Error> {
        let params = self.0.declared(schema)?;
        Ok(Bound::new(self.clone(), self.0.prepared(&params)?))
    }

    /// The formula as a function of scalars, in the order of [`params`](Kernel::params).
    ///
    /// ```
    /// let f = numlift::Engine::new()?.compile("x**2 + y")?.bind_fn::<(f64, f64), f64>()?;
    /// assert_eq!(f.call((3.0, 1.0)), 10.0);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare); if the formula does not have as many parameters as `A` has elements, or not one
    /// output of type `R`; if it has loops and the engine bounds them, or calls a function of Rust.
    #[expect(clippy::type_complexity, reason = "the signature of the function is the type of the bound call")]
    pub fn bind_fn<A: Arguments, R: Element>(&self) -> Result<Bound<fn(A) -> R>, Error> {
        let formula = &self.0;
        formula.check_one_output()?;
        if A::DTYPES.len() != formula.params.len() {
            let message =
                format!("the formula has {} parameters, found {} types", formula.params.len(), A::DTYPES.len());
            return Err(Error::new(ErrorKind::Argument, "argument-count", message));
        }
        let params: SmallVec<[ParamType; 8]> = A::DTYPES.iter().map(|dtype| ParamType::Scalar(*dtype)).collect();
        let variant = formula.prepared(&params)?;
        if formula.engine.0.bounds.turns.is_some() && !variant.lowered.loops.is_empty() {
            let message = "a bound function gives no error, and the loops of this one have a budget";
            return Err(Error::new(ErrorKind::Limit, "loop-budget", message)
                .with_hint("`bind` bounds it; `Builder::loop_budget` sets the budget"));
        }
        if let Some((function, span)) = variant.lowered.calls.first() {
            let name = &formula.program.hosts[*function].name;
            let message =
                format!("a bound function gives no error, and `{name}` is a function of Rust, which may fail");
            return Err(Error::new(ErrorKind::Argument, "bound-call", message)
                .at(&formula.program.ast.source, *span)
                .with_hint("`bind` gives its errors"));
        }
        formula.check_output_dtype(&variant.lowered, 0, R::DTYPE)?;
        Ok(Bound::new(self.clone(), variant))
    }

    /// The typed graph for `schema`, as text: what the interpreter executes. The form is for people, and may change.
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare).
    pub fn graph(&self, schema: &Schema) -> Result<String, Error> {
        Ok(self.0.typed(&self.0.declared(schema)?)?.lowered.graph.to_string())
    }

    /// The vector program for `schema`, as text. The form is for people, and may change.
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare).
    pub fn strip(&self, schema: &Schema) -> Result<String, Error> {
        self.0.shown(schema, |strip| Ok(strip.to_string()))
    }

    /// Cranelift's intermediate code for `schema`, as text. The form is for people, and may change.
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare); if the engine's machine code is not made by Cranelift.
    pub fn clif(&self, schema: &Schema) -> Result<String, Error> {
        self.0.shown(schema, |strip| match &self.0.compiler()?.isa {
            Isa::Cranelift(isa) => Ok(cranelift::clif(strip, isa)),
            Isa::X64(_) => {
                let message = "the engine makes machine code without Cranelift, there is none of its code to show";
                let hint = "`Builder::backend(Backend::Cranelift)` makes an engine that has it";
                Err(Error::new(ErrorKind::Host, "no-clif", message).with_hint(hint))
            }
        })
    }

    /// The machine code for `schema`, as text. The form is for people, and may change.
    ///
    /// # Errors
    /// As [`prepare`](Kernel::prepare); if the engine makes no machine code.
    pub fn asm(&self, schema: &Schema) -> Result<String, Error> {
        self.0.shown(schema, |strip| Ok(self.0.compiler()?.isa.asm(strip)))
    }
}

impl Formula {
    // -- types --

    /// The types of the parameters by `schema`.
    fn declared(&self, schema: &Schema) -> Result<SmallVec<[ParamType; 8]>> {
        let variables = schema.by_name()?;
        let declared = |name: &Arc<str>| match variables.get(&**name).map(|param| param.kind()) {
            Some(Kind::Array(dtype, 0)) => Ok(ParamType::Scalar(dtype)),
            Some(Kind::Array(dtype, rank)) => Ok(ParamType::Array { dtype, rank }),
            Some(Kind::WeakInt) => Ok(ParamType::WeakInt),
            Some(Kind::WeakFloat) => Ok(ParamType::WeakFloat),
            Some(Kind::Any) | None => {
                let message = format!("the schema has no variable for the parameter `{name}`");
                Err(Error::new(ErrorKind::Argument, "missing-argument", message))
            }
        };
        self.param_names.iter().map(declared).collect()
    }

    /// The program for these types; from a variant if there is one.
    pub(super) fn typed(&self, params: &[ParamType]) -> Result<Typed<'_>> {
        if let Some(variant) = self.variants.find(params, None) {
            let lowered = match &variant {
                Held::Kept(kept) => Held::Kept(&kept.lowered),
                Held::Shared(shared) => Held::Shared(Arc::clone(&shared.lowered)),
            };
            return Ok(Typed { lowered, variant: Some(variant), compile_time: Duration::ZERO });
        }
        let start = Instant::now();
        let signature = Signature { params: params.to_vec() };
        let nodes = self.engine.0.bounds.nodes;
        let mut lowered = float_env::with_default(|| lower(&self.program, &signature, nodes))?;
        if self.engine.0.accuracy == Accuracy::Fast {
            math::choose_fast(&mut lowered.graph);
        }
        Ok(Typed { lowered: Held::Shared(Arc::new(lowered)), variant: None, compile_time: start.elapsed() })
    }

    /// The variant that computes outputs in these groups, and the time that it took to compile it.
    pub(super) fn variant(
        &self,
        params: &[ParamType],
        lowered: &Arc<Lowered>,
        groups: Groups,
    ) -> Result<(Held<'_, Variant>, Duration)> {
        if let Some(variant) = self.variants.find(params, Some(&groups)) {
            return Ok((variant, Duration::ZERO));
        }
        let (start, engine) = (Instant::now(), &self.engine.0);
        let source = &self.program.ast.source;
        let variant = float_env::with_default(|| Variant::compile(engine, params, lowered, source, groups))?;
        let variant = self.variants.insert(variant, engine.bounds.variants);
        Ok((variant, start.elapsed()))
    }

    /// The variant for these types where outputs of one rank have one shape, as they have mostly.
    pub(super) fn prepared(&self, params: &[ParamType]) -> Result<Arc<Variant>> {
        let lowered = self.typed(params)?.lowered;
        Ok(Arc::clone(&self.variant(params, &lowered, groups_by_rank(&lowered))?.0))
    }

    fn compiler(&self) -> Result<&Compiler> {
        self.engine.0.compiler.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Host, "no-machine-code", "the engine interprets, there is no machine code to show")
        })
    }

    fn shown(&self, schema: &Schema, mut show: impl FnMut(&Strip) -> Result<String>) -> Result<String> {
        let lowered = self.typed(&self.declared(schema)?)?.lowered;
        let nodes = self.engine.0.bounds.nodes;
        let target = self.engine.0.compiler.as_ref().map_or(Target::VECTOR_128, |compiler| compiler.isa.target());
        let groups = groups_by_rank(&lowered);
        let strips = float_env::with_default(|| variant::strips(&lowered, &groups, &target, nodes))?;
        let mut text = String::new();
        for (strip, stage) in &strips {
            if strips.len() > 1 {
                let outputs = stage.outputs.iter().map(|k| format!("`{}`", self.output_names[*k]));
                let names: Vec<String> = outputs.chain(stage.totals.iter().map(|k| format!("total {k}"))).collect();
                let names = if names.is_empty() { "arguments of functions".to_owned() } else { names.join(", ") };
                text.push_str(&format!("# {names}\n"));
            }
            text.push_str(&show(strip)?);
        }
        Ok(text)
    }

    // -- runs --

    /// Fails if an output was given no array.
    pub(super) fn check_given_outputs(&self, matched: &Matched<'_, '_>) -> Result<()> {
        let names = &self.output_names;
        if matched.slots.len() == names.len() {
            return Ok(());
        }
        let missing = (0..names.len()).find(|output| !matched.slots.contains(output));
        Err(missing_output(&names[missing.expect("no two arrays are for one output")]))
    }

    fn run(&self, given: &[Given<'_>], outputs: &mut [ViewMut<'_>], ends: Ends<'_>) -> Result<Stats> {
        let start = Instant::now();
        let (params, inputs) = self.given(given, outputs)?;
        let typed = self.typed(&params)?;
        let run = Run { formula: self, lowered: &typed.lowered, params: &params, inputs: &inputs };
        for (k, output) in outputs.iter().enumerate() {
            self.check_output_dtype(&typed.lowered, k, output.dtype())?;
        }
        run.check_output_shapes(outputs)?;
        self.execute(&run, &typed, outputs, ends, start)
    }

    fn eval(&self, matched: &Matched<'_, '_>) -> Result<(Vec<Buffer>, Stats)> {
        let start = Instant::now();
        let (params, inputs) = self.given(&matched.inputs, &[])?;
        let typed = self.typed(&params)?;
        let run = Run { formula: self, lowered: &typed.lowered, params: &params, inputs: &inputs };
        let mut buffers = run.allocate()?;
        let mut outputs: SmallVec<[ViewMut<'_>; 4]> = buffers.iter_mut().map(Buffer::view_mut).collect();
        let stats = self.execute(&run, &typed, &mut outputs, matched.ends, start)?;
        drop(outputs);
        Ok((buffers, stats))
    }

    /// Runs on outputs that were checked.
    fn execute(
        &self,
        run: &Run<'_>,
        typed: &Typed<'_>,
        outputs: &mut [ViewMut<'_>],
        Ends { deadline, cancel }: Ends<'_>,
        start: Instant,
    ) -> Result<Stats> {
        let groups = run.groups(outputs)?;
        let known = typed.variant.as_ref().filter(|variant| variant.groups == groups);
        let made;
        let (variant, compile_time) = match known {
            Some(variant) => (variant, typed.compile_time),
            None => {
                let (variant, compile_time) = self.variant(run.params, &typed.lowered, groups)?;
                made = variant;
                (&made, typed.compile_time + compile_time)
            }
        };
        let may_end = cancel.is_some() || deadline.or(self.engine.0.bounds.deadline).is_some();
        let is_done = !may_end
            && (variant.plain_fold_len > 0 && run.totals_without_plan(variant, outputs)?
                || run.is_of_one_shape(outputs) && run.without_plan(variant, outputs)?);
        let report = match is_done {
            true => Report { threads: 1, chunks: 1 },
            false => run.execute(variant, outputs, &self.stop(run.lowered, cancel, deadline))?,
        };
        let bytes = |output: &ViewMut<'_>| output.len() as u64 * output.dtype().size() as u64;
        Ok(Stats {
            compile_time,
            run_time: start.elapsed().saturating_sub(compile_time),
            threads: report.threads,
            chunks: report.chunks,
            bytes_read: run.bytes_read(outputs),
            bytes_written: outputs.iter().map(bytes).sum(),
            backend: self.engine.backend(),
            cached: compile_time.is_zero(),
        })
    }

    /// Ends a run by `cancel`, or by the lesser of `deadline` and the engine's.
    pub(super) fn stop(&self, lowered: &Lowered, cancel: Option<&Cancel>, deadline: Option<Duration>) -> Stop {
        let engine = &self.engine.0;
        let limits = [deadline, engine.bounds.deadline];
        let watchdog = (!lowered.loops.is_empty()).then_some(&engine.watchdog);
        Stop::new(cancel, limits.into_iter().flatten().min(), watchdog)
    }

    /// The types of what was given, and the same as a job takes it.
    pub(super) fn given<'a>(
        &self,
        given: &'a [Given<'_>],
        outputs: &[ViewMut<'_>],
    ) -> Result<(SmallVec<[ParamType; 8]>, Inputs<'a>)> {
        let mut params = SmallVec::new();
        let mut inputs = Inputs::new();
        for (k, given) in given.iter().enumerate() {
            let (param, input) = match given {
                Given::Array(view) => array(view),
                Given::Weak(number) => self.weak(k, **number)?,
                Given::InPlace(output) => in_place(*output, &outputs[*output]),
            };
            params.push(param);
            inputs.push(input);
        }
        Ok((params, inputs))
    }

    fn weak(&self, param: usize, number: Weak) -> Result<(ParamType, Input<'static>)> {
        match number {
            Weak::Float(x) => Ok((ParamType::WeakFloat, Input::Scalar(x.to_bits()))),
            Weak::Int(x) => match (i64::try_from(x), u64::try_from(x)) {
                (Ok(x), _) => Ok((ParamType::WeakInt, Input::Scalar(x as u64))),
                (_, Ok(x)) => Ok((ParamType::WeakUint, Input::Scalar(x))),
                _ => {
                    let message = format!("`{x}`, given for `{}`, fits neither i64 nor u64", self.param_names[param]);
                    Err(Error::new(ErrorKind::DType, "literal-range", message))
                }
            },
        }
    }

    /// Fails if an array was given for an output of a run that `method` gives the outputs of.
    pub(super) fn refuse_outputs(&self, matched: &Matched<'_, '_>, method: &str) -> Result<()> {
        let Some(given) = matched.slots.first() else { return Ok(()) };
        let name = &self.output_names[*given];
        let message = format!("`{method}` allocates its outputs, and an array was given for `{name}`");
        let error = Error::new(ErrorKind::Argument, "surplus-output", message);
        Err(error.with_hint("`run` writes to the arrays that it is given"))
    }

    fn check_one_output(&self) -> Result<()> {
        if self.output_names.len() == 1 {
            return Ok(());
        }
        let message = format!("one output was asked for, the formula has {}", self.output_names.len());
        Err(Error::new(ErrorKind::Argument, "several-outputs", message))
    }

    pub(super) fn check_output_dtype(&self, lowered: &Lowered, k: usize, found: DType) -> Result<()> {
        let dtype = lowered.graph.dtype(lowered.graph.outputs[k].value);
        if dtype == found {
            return Ok(());
        }
        let ast = &self.program.ast;
        let span = self.program.outputs[k].span;
        let text = ast.text(span);
        let text = if text.len() <= 40 && !text.contains('\n') { text } else { "..." };
        let message = format!("the output `{}` is {dtype}, the array for it is {found}", self.output_names[k]);
        Err(Error::new(ErrorKind::DType, "output-dtype", message)
            .at(&ast.source, span)
            .with_hint(format!("nothing is converted unasked: write `{found}({text})`, or give an array of {dtype}")))
    }
}

fn array<'a>(view: &'a View<'_>) -> (ParamType, Input<'a>) {
    match view.rank() {
        0 => (ParamType::Scalar(view.dtype()), Input::Scalar(view.bits(&[]))),
        rank => (ParamType::Array { dtype: view.dtype(), rank }, Input::Array(view)),
    }
}

/// A single value is read before anything is written.
fn in_place(output: usize, array: &ViewMut<'_>) -> (ParamType, Input<'static>) {
    match array.rank() {
        0 => (ParamType::Scalar(array.dtype()), Input::Scalar(array.bits(&[]))),
        rank => (ParamType::Array { dtype: array.dtype(), rank }, Input::InPlace(output)),
    }
}

fn groups_by_rank(lowered: &Lowered) -> Groups {
    let mut groups = run::grouped(lowered.outputs.iter().map(|output| output.rank));
    let graph = &lowered.graph;
    if !graph.reductions.is_empty() {
        let known: Vec<(usize, u32)> = lowered.outputs.iter().map(|output| output.rank).zip(groups.clone()).collect();
        // That of a domain that is neither reduced nor an output's does not matter.
        let rank = |domain: usize| {
            let of_reduction = graph.reductions.iter().find(|reduction| reduction.domain as usize == domain);
            let of_output = || lowered.outputs.iter().find(|output| output.domain as usize == domain);
            of_reduction.map(|reduction| reduction.rank).or_else(|| of_output().map(|output| output.rank)).unwrap_or(0)
        };
        groups.extend(run::grouped_domains(known.into_iter(), (0..graph.domains.len()).map(rank)));
    }
    groups
}

fn missing_output(name: &str) -> Error {
    let message = format!("the output `{name}` was given no array");
    Error::new(ErrorKind::Argument, "missing-output", message).with_hint("`eval` allocates its outputs")
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("source", &self.0.program.ast.source).finish_non_exhaustive()
    }
}

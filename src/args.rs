//! What a caller gives a run and gets of it: names to arrays, matched with the parameters and outputs of a kernel.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use unicode_normalization::UnicodeNormalization;

use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result, did_you_mean};
use crate::exec::Cancel;
use crate::view::{Buffer, View, ViewMut};

/// The arguments of one run.
///
/// Nothing is checked while they are listed: what does not fit the kernel is the run's error.
///
/// ```
/// use numlift::{Args, Engine};
/// let (x, mut out) = (vec![1.0, 2.0], vec![0.0; 2]);
/// let scale = Engine::new()?.compile("a * x")?;
/// scale.run(Args::new().scalar("a", 3.0).input("x", &x).output(&mut out))?;
/// assert_eq!(out, [3.0, 6.0]);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Default)]
pub struct Args<'a> {
    // Of few arguments nothing is allocated.
    inputs: SmallVec<[(&'a str, Input<'a>); 4]>,
    targets: SmallVec<[Target<'a>; 4]>,
    /// One for each of `targets`.
    arrays: SmallVec<[ViewMut<'a>; 1]>,
    lookup: Option<Lookup<'a>>,
    deadline: Option<Duration>,
    cancel: Option<&'a Cancel>,
}

type Lookup<'a> = Box<dyn FnMut(&str) -> Option<View<'a>> + 'a>;

enum Input<'a> {
    Array(View<'a>),
    Weak(Weak),
    /// That target's array.
    Target(usize),
}

/// Which output an array takes.
#[derive(Clone, Copy)]
enum Target<'a> {
    Next,
    Named(&'a str),
    /// That of the name, if there is one, else the next.
    InOut(&'a str),
}

/// A number without a dtype, as a literal is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weak {
    Int(i128),
    Float(f64),
}

/// What [`Args::scalar`] takes: the integers up to 64 bits, `i128`, `f32` and `f64`.
pub trait Number: Copy {
    #[doc(hidden)]
    fn weak(self) -> sealed::Sealed;
}

mod sealed {
    #[derive(Clone, Copy, Debug)]
    pub struct Sealed(pub(super) super::Weak);
}

macro_rules! numbers {
    ($variant:ident: $($rust:ty)+) => { $(
        impl Number for $rust {
            fn weak(self) -> sealed::Sealed { sealed::Sealed(Weak::$variant(self.into())) }
        }
    )+ };
}

numbers!(Int: i8 i16 i32 i64 u8 u16 u32 u64 i128);
numbers!(Float: f32 f64);

impl<'a> Args<'a> {
    /// No arguments yet.
    #[inline]
    pub fn new() -> Args<'a> {
        Args::default()
    }

    /// Asks `find` for each parameter of the kernel that [`input`](Args::input) and its like do not give, and for no other.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use numlift::{Args, Engine};
    /// let table = HashMap::from([("price", vec![2.0, 3.0]), ("qty", vec![10.0, 20.0]), ("unused", vec![])]);
    /// let sums = Engine::new()?.compile("price * qty")?.eval(Args::lookup(|name| table.get(name)))?;
    /// assert_eq!(sums.into_vec::<f64>()?, [20.0, 60.0]);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn lookup<V: Into<View<'a>>>(mut find: impl FnMut(&str) -> Option<V> + 'a) -> Args<'a> {
        Args { lookup: Some(Box::new(move |name| find(name).map(Into::into))), ..Args::default() }
    }

    /// The array, or the scalar of a fixed dtype (`&2.0_f32`), that the parameter `name` reads.
    #[inline]
    pub fn input(mut self, name: &'a str, array: impl Into<View<'a>>) -> Args<'a> {
        self.inputs.push((name, Input::Array(array.into())));
        self
    }

    /// A number without a dtype of its own: `f32array * a` stays f32, as with a literal. Another value or another kind of
    /// array does not compile the kernel again.
    #[inline]
    pub fn scalar(mut self, name: &'a str, value: impl Number) -> Args<'a> {
        self.inputs.push((name, Input::Weak(value.weak().0)));
        self
    }

    /// The array that the parameter `name` reads and an output replaces: the output of that name, else the next one, as with
    /// [`output`](Args::output).
    #[inline]
    pub fn inout(mut self, name: &'a str, array: impl Into<ViewMut<'a>>) -> Args<'a> {
        self.inputs.push((name, Input::Target(self.targets.len())));
        self.to(Target::InOut(name), array.into())
    }

    /// Where the kernel's next output goes, in their order, that has no array of its name.
    #[inline]
    pub fn output(self, array: impl Into<ViewMut<'a>>) -> Args<'a> {
        self.to(Target::Next, array.into())
    }

    /// Where the output `name` goes.
    #[inline]
    pub fn output_named(self, name: &'a str, array: impl Into<ViewMut<'a>>) -> Args<'a> {
        self.to(Target::Named(name), array.into())
    }

    #[inline]
    fn to(mut self, target: Target<'a>, array: ViewMut<'a>) -> Args<'a> {
        self.targets.push(target);
        self.arrays.push(array);
        self
    }

    /// Ends the run with [`ErrorKind::Cancelled`] when it has taken `limit`.
    pub fn deadline(mut self, limit: Duration) -> Args<'a> {
        self.deadline = Some(limit);
        self
    }

    /// Lets `cancel` end the run from another thread.
    pub fn cancel(mut self, cancel: &'a Cancel) -> Args<'a> {
        self.cancel = Some(cancel);
        self
    }

    /// Puts the arguments in the order of the kernel's `params` and `outputs`.
    pub(crate) fn matched<'m>(&'m mut self, params: &[Arc<str>], outputs: &[Arc<str>]) -> Result<Matched<'m, 'a>> {
        let mut slots = slots(&self.targets, outputs)?;
        let mut places: SmallVec<[Option<usize>; 8]> = SmallVec::from_elem(None, params.len());
        let names = Names::new(params, self.inputs.len());
        for (given, (name, _)) in self.inputs.iter().enumerate() {
            let param = names.place(name).ok_or_else(|| unknown("parameter", name, params))?;
            if places[param].replace(given).is_some() {
                return Err(twice("parameter", &params[param]));
            }
        }
        if let Some(find) = &mut self.lookup {
            for (param, place) in params.iter().zip(&mut places).filter(|(_, place)| place.is_none()) {
                if let Some(view) = find(param) {
                    *place = Some(self.inputs.len());
                    self.inputs.push(("", Input::Array(view)));
                }
            }
        }
        let mut inputs = SmallVec::new();
        for (param, place) in params.iter().zip(&places) {
            inputs.push(match &self.inputs[place.ok_or_else(|| missing(param))?].1 {
                Input::Array(view) => {
                    check_fault(view.fault(), "parameter", param)?;
                    Given::Array(view)
                }
                Input::Weak(number) => Given::Weak(number),
                Input::Target(target) => Given::InPlace(slots[*target]),
            });
        }
        for (slot, array) in slots.iter().zip(&self.arrays) {
            check_fault(array.fault(), "output", &outputs[*slot])?;
        }
        if slots.len() == outputs.len() {
            for k in 0..slots.len() {
                while slots[k] != k {
                    let place = slots[k];
                    slots.swap(k, place);
                    self.arrays.swap(k, place);
                }
            }
        }
        let ends = Ends { deadline: self.deadline, cancel: self.cancel };
        Ok(Matched { inputs, outputs: &mut self.arrays, slots, ends })
    }
}

/// Names that others are looked up in: one after another, or by hash where that would take too long.
enum Names<'a> {
    Few(&'a [Arc<str>]),
    Many(HashMap<&'a str, usize>),
}

impl<'a> Names<'a> {
    /// For so many questions.
    fn new(names: &'a [Arc<str>], questions: usize) -> Names<'a> {
        // A hash takes as long as some tens of comparisons, of which most see the first byte alone.
        if names.len().min(questions) <= 32 {
            return Names::Few(names);
        }
        Names::Many(names.iter().enumerate().map(|(place, name)| (&**name, place)).collect())
    }

    fn place(&self, name: &str) -> Option<usize> {
        match self {
            Names::Few(names) => position(name, names),
            Names::Many(places) => places.get(&*normal(name)).copied(),
        }
    }
}

/// Arguments in the order of a kernel's parameters and outputs. No view has a fault.
pub(crate) struct Matched<'m, 'a> {
    pub(crate) inputs: SmallVec<[Given<'m>; 8]>,
    /// In the order of the kernel's outputs if each has one.
    pub(crate) outputs: &'m mut [ViewMut<'a>],
    /// Which output each of `outputs` is for.
    pub(crate) slots: SmallVec<[usize; 4]>,
    pub(crate) ends: Ends<'a>,
}

/// What may end a run.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    pub(crate) deadline: Option<Duration>,
    pub(crate) cancel: Option<&'a Cancel>,
}

/// What one parameter reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    Array(&'a View<'a>),
    Weak(&'a Weak),
    /// The array of that output, which the caller gave.
    InPlace(usize),
}

/// The output that each target takes; no two the same.
fn slots(targets: &[Target<'_>], outputs: &[Arc<str>]) -> Result<SmallVec<[usize; 4]>> {
    let mut slots: SmallVec<[Option<usize>; 4]> = SmallVec::from_elem(None, targets.len());
    for (slot, target) in slots.iter_mut().zip(targets) {
        *slot = match target {
            Target::Next => None,
            Target::InOut(name) => position(name, outputs),
            Target::Named(name) => Some(position(name, outputs).ok_or_else(|| unknown("output", name, outputs))?),
        };
    }
    let mut free: SmallVec<[bool; 16]> = SmallVec::from_elem(true, outputs.len());
    for slot in slots.iter().copied().flatten() {
        if !std::mem::replace(&mut free[slot], false) {
            return Err(twice("output", &outputs[slot]));
        }
    }
    let mut next = (0..outputs.len()).filter(|slot| free[*slot]);
    let slots = slots.into_iter().map(|slot| slot.or_else(|| next.next()));
    slots.collect::<Option<_>>().ok_or_else(|| {
        let message = format!("{} arrays were given for {}", targets.len(), listed("output", outputs));
        Error::new(ErrorKind::Argument, "surplus-output", message)
    })
}

fn position(name: &str, names: &[Arc<str>]) -> Option<usize> {
    names.iter().position(|known| is(name, known))
}

/// The name in normal form, as all names of a formula are.
fn normal(name: &str) -> Cow<'_, str> {
    if name.is_ascii() { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

/// Whether a caller's `name` is the `known` one, which is in normal form as all names of a formula are.
fn is(name: &str, known: &str) -> bool {
    name == known || (!name.is_ascii() && name.nfc().eq(known.chars()))
}

fn check_fault(fault: Option<&Error>, role: &str, name: &str) -> Result<()> {
    fault.map_or(Ok(()), |fault| Err(fault.clone().with_note(format!("in the array for the {role} `{name}`"))))
}

fn missing(param: &str) -> Error {
    Error::new(ErrorKind::Argument, "missing-argument", format!("the parameter `{param}` was given no value"))
}

fn twice(role: &str, name: &str) -> Error {
    Error::new(ErrorKind::Argument, "given-twice", format!("the {role} `{name}` was given twice"))
}

/// As `2 outputs: `call`, `put``.
fn listed(role: &str, names: &[Arc<str>]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let colon = if names.is_empty() { "" } else { ": " };
    format!("{} {role}{plural}{colon}{}", names.len(), names.join(", "))
}

/// `name` is not among the `names` of that role.
fn unknown(role: &str, name: &str, names: &[Arc<str>]) -> Error {
    let code = if role == "output" { "unknown-output" } else { "unknown-argument" };
    let error = Error::new(ErrorKind::Argument, code, format!("`{name}` is not a {role} of the formula"))
        .with_note(format!("it has {}", listed(role, names)));
    match did_you_mean(name, names.iter().map(|name| &**name)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// One parameter or output: its name, and what is known of its type.
///
/// ```
/// use numlift::{DType, Engine, Schema};
/// let kernel = Engine::new()?.compile("a * x")?;
/// assert_eq!(kernel.params()[0].name(), "a");
/// assert_eq!(kernel.params()[0].dtype(), None);
/// let outputs = kernel.prepare(&Schema::new().number("a").array("x", DType::F32, 1))?;
/// assert_eq!(outputs[0].to_string(), "0: f32[1]");
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    name: Arc<str>,
    kind: Kind,
}

/// What is known of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Nothing before a run.
    Any,
    Array(DType, usize),
    WeakInt,
    WeakFloat,
}

impl Param {
    pub(crate) fn new(name: impl Into<Arc<str>>, kind: Kind) -> Param {
        Param { name: name.into(), kind }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The name, as the formula has it; an output without a name of its own is called by its position, `0` first.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dtype of the elements, if it is fixed.
    pub fn dtype(&self) -> Option<DType> {
        match self.kind {
            Kind::Array(dtype, _) => Some(dtype),
            Kind::Any | Kind::WeakInt | Kind::WeakFloat => None,
        }
    }

    /// The number of axes, if it is fixed; 0 for a scalar.
    pub fn rank(&self) -> Option<usize> {
        match self.kind {
            Kind::Array(_, rank) => Some(rank),
            Kind::WeakInt | Kind::WeakFloat => Some(0),
            Kind::Any => None,
        }
    }
}

impl fmt::Display for Param {
    /// As `price: f64[1]`, `fee: f64`, `n: integer`, `k: number`, or the name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.kind {
            Kind::Any => Ok(()),
            Kind::Array(dtype, 0) => write!(f, ": {dtype}"),
            Kind::Array(dtype, rank) => write!(f, ": {dtype}[{rank}]"),
            Kind::WeakInt => f.write_str(": integer"),
            Kind::WeakFloat => f.write_str(": number"),
        }
    }
}

/// The variables that a formula may use and their types, known before there is data.
///
/// ```
/// use numlift::{DType, Engine, Schema};
/// let schema = Schema::new().array("price", DType::F64, 1).array("qty", DType::I32, 1).scalar("fee", DType::F64);
/// let error = Engine::new()?.compile_with("prize * qty + fee", &schema).unwrap_err();
/// assert_eq!(error.hint(), Some("did you mean `price`?"));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schema {
    params: Vec<Param>,
}

impl Schema {
    /// No variables yet.
    pub fn new() -> Schema {
        Schema::default()
    }

    /// An array of `rank` axes.
    pub fn array(self, name: &str, dtype: DType, rank: usize) -> Schema {
        self.with(name, Kind::Array(dtype, rank))
    }

    /// One value of a fixed dtype.
    pub fn scalar(self, name: &str, dtype: DType) -> Schema {
        self.array(name, dtype, 0)
    }

    /// A whole number without a dtype of its own, as `2` in a formula; a [`Bound`](crate::Bound) takes it as `&i64`.
    pub fn integer(self, name: &str) -> Schema {
        self.with(name, Kind::WeakInt)
    }

    /// A number without a dtype of its own, as `2.0` in a formula; a [`Bound`](crate::Bound) takes it as `&f64`.
    pub fn number(self, name: &str) -> Schema {
        self.with(name, Kind::WeakFloat)
    }

    /// The variables, in the order they were added.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    fn with(mut self, name: &str, kind: Kind) -> Schema {
        self.params.push(Param::new(name, kind));
        self
    }

    /// The variables by their names in normal form. Fails if one was added twice.
    pub(crate) fn by_name(&self) -> Result<HashMap<Cow<'_, str>, &Param>> {
        let mut known = HashMap::with_capacity(self.params.len());
        for param in &self.params {
            if known.insert(normal(&param.name), param).is_some() {
                return Err(twice("variable", &param.name));
            }
        }
        Ok(known)
    }
}

/// The results of a run, in memory that numlift allocated.
///
/// ```
/// use numlift::{Args, DType, Engine};
/// let kernel = Engine::new()?.compile("half = x / 2; twice = x * 2; half, twice")?;
/// let mut outputs = kernel.eval(Args::new().input("x", &[2, 4]))?;
/// assert_eq!(outputs.dtype("twice")?, DType::I32);
/// let half: Vec<f64> = outputs.take("half")?;
/// assert_eq!(half, [1.0, 2.0]);
/// # Ok::<(), numlift::Error>(())
/// ```
pub struct Outputs {
    names: Vec<Arc<str>>,
    /// None once taken.
    buffers: Vec<Option<Buffer>>,
    stats: Stats,
}

impl Outputs {
    /// A buffer for each name.
    pub(crate) fn new(names: Vec<Arc<str>>, buffers: Vec<Buffer>, stats: Stats) -> Outputs {
        Outputs { names, buffers: buffers.into_iter().map(Some).collect(), stats }
    }

    /// How many outputs there are, those taken too.
    #[expect(clippy::len_without_is_empty, reason = "a formula has an output")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The names, in the formula's order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The array of that output.
    ///
    /// # Errors
    /// If there is no such output, or it was taken.
    pub fn view(&self, name: &str) -> Result<View<'_>, Error> {
        let at = self.position(name)?;
        self.buffers[at].as_ref().map(Buffer::view).ok_or_else(|| taken(name))
    }

    /// The dtype of that output.
    ///
    /// # Errors
    /// As [`view`](Outputs::view).
    pub fn dtype(&self, name: &str) -> Result<DType, Error> {
        Ok(self.view(name)?.dtype())
    }

    /// The shape of that output.
    ///
    /// # Errors
    /// As [`view`](Outputs::view).
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, Error> {
        Ok(self.view(name)?.extents().to_vec())
    }

    /// Moves the elements of that output out, in C order; they are not copied.
    ///
    /// # Errors
    /// As [`view`](Outputs::view); if `T` is not of the output's dtype, and then the output stays.
    pub fn take<T: Element>(&mut self, name: &str) -> Result<Vec<T>, Error> {
        let at = self.position(name)?;
        let buffer = self.buffers[at].take().ok_or_else(|| taken(name))?;
        buffer.into_vec().map_err(|(buffer, error)| {
            self.buffers[at] = Some(buffer);
            error.with_note(format!("in the output `{name}`"))
        })
    }

    /// The elements of the only output, in C order; they are not copied.
    ///
    /// # Errors
    /// If there are several outputs, or as [`take`](Outputs::take).
    pub fn into_vec<T: Element>(mut self) -> Result<Vec<T>, Error> {
        let [name] = &self.names[..] else {
            let message = format!("one output was asked for, the formula has {}", listed("output", &self.names));
            return Err(Error::new(ErrorKind::Argument, "several-outputs", message).with_hint("take them by name"));
        };
        let name = Arc::clone(name);
        self.take(&name)
    }

    /// How the run went.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn position(&self, name: &str) -> Result<usize> {
        position(name, &self.names).ok_or_else(|| unknown("output", name, &self.names))
    }
}

fn taken(name: &str) -> Error {
    Error::new(ErrorKind::Argument, "output-taken", format!("the output `{name}` was taken before"))
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let views = self.buffers.iter().map(|buffer| buffer.as_ref().map(Buffer::view));
        f.debug_map().entries(self.names().zip(views)).finish()
    }
}

/// What executes kernels.
///
/// ```
/// use numlift::{Backend, Engine};
/// let engine = Engine::builder().backend(Backend::Interpreter).build()?;
/// assert_eq!(engine.backend(), Backend::Interpreter);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The best that the host can do; the interpreter where it does not run generated code.
    #[default]
    Auto,
    /// The reference: one element at a time, no machine code. Far slower.
    Interpreter,
    /// Machine code by Cranelift, with vectors of 128 bits.
    Cranelift,
    /// Machine code with vectors of 256 bits, for x86-64 with AVX2, FMA and BMI.
    X64,
    /// Machine code with vectors of 512 bits, for x86-64 with AVX-512 (F, DQ, BW, VL and VBMI).
    Avx512,
}

/// How far results of functions of mathematics may be off, in units of the last place (ulp) of the true value.
///
/// Either way a result has the same bits on every backend, and special values are those of C99. `docs/ACCURACY.md` has
/// the greatest error found of each function.
///
/// ```
/// use numlift::{Accuracy, Args, Engine};
/// let engine = Engine::builder().accuracy(Accuracy::Fast).build()?;
/// let sine = engine.compile("sin(x)")?.eval(Args::new().input("x", &[1.0_f32]))?.take::<f32>("0")?;
/// assert!((sine[0] - 0.841471).abs() < 4.0 * f32::EPSILON);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accuracy {
    /// At most 1 ulp; 2 for `erfinv`, `gamma` and `lgamma`.
    #[default]
    Best,
    /// At most 4 ulp, where a function is at least 1.3 times as fast for it; the others are as in [`Best`](Accuracy::Best).
    Fast,
}

/// How one run went.
///
/// ```
/// use numlift::{Args, Engine};
/// let kernel = Engine::new()?.compile("x + 1")?;
/// let mut out = [0.0; 3];
/// let stats = kernel.run(Args::new().input("x", &[1.0, 2.0, 3.0]).output(&mut out))?;
/// assert_eq!((stats.bytes_read, stats.bytes_written, stats.threads), (24, 24, 1));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Time to compile the kernel for these dtypes; 0 if [`cached`](Stats::cached).
    pub compile_time: Duration,
    /// Time from the arguments to the results, without compiling.
    pub run_time: Duration,
    /// Threads that worked.
    pub threads: usize,
    /// Pieces that the arrays were cut into.
    pub chunks: usize,
    /// Size of the elements read from the arguments; what is broadcast counts once.
    pub bytes_read: u64,
    /// Size of the elements written.
    pub bytes_written: u64,
    /// What executed the kernel; never [`Backend::Auto`].
    pub backend: Backend,
    /// Whether code for these dtypes was there already.
    pub cached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn failure(mut args: Args<'_>, params: &[&str], outputs: &[&str]) -> Error {
        args.matched(&names(params), &names(outputs)).err().expect("the arguments do not match")
    }

    #[test]
    fn inputs_come_in_the_kernels_order() {
        let (x, y) = ([1_u8, 2], vec![3.0_f32; 2]);
        let mut args = Args::new().input("y", &y).scalar("k", 2).input("x", &x);
        let matched = args.matched(&names(&["x", "y", "k"]), &[]).unwrap();
        let [Given::Array(x), Given::Array(y), Given::Weak(k)] = &matched.inputs[..] else { panic!("x, y, k") };
        assert_eq!((x.dtype(), y.dtype(), **k), (DType::U8, DType::F32, Weak::Int(2)));
    }

    #[test]
    fn numbers_keep_their_value() {
        let mut args = Args::new().scalar("a", u64::MAX).scalar("b", -1_i8).scalar("c", 0.5_f32).scalar("d", i128::MIN);
        let matched = args.matched(&names(&["a", "b", "c", "d"]), &[]).unwrap();
        let found: Vec<_> = matched.inputs.iter().map(|given| format!("{given:?}")).collect();
        let expected = [u64::MAX.to_string(), "-1".into(), i128::MIN.to_string()].map(|n| format!("Weak(Int({n}))"));
        assert_eq!(found, [&*expected[0], &*expected[1], "Weak(Float(0.5))", &*expected[2]]);
    }

    #[test]
    fn lookup_is_asked_for_the_rest_alone() {
        let (x, mut asked) = ([1, 2], vec![]);
        let args = Args::lookup(|name| {
            asked.push(name.to_owned());
            (name == "x").then_some(&x)
        });
        assert_eq!(args.input("y", &1).matched(&names(&["y", "x"]), &[]).unwrap().inputs.len(), 2);
        assert_eq!(asked, ["x"]);
        assert_eq!(failure(Args::lookup(|_| None::<View<'_>>), &["x"], &[]).code(), "missing-argument");
        assert_eq!(failure(Args::lookup(|_| Some(&x)).input("z", &1), &["x"], &[]).code(), "unknown-argument");
    }

    #[test]
    fn outputs_named_first_then_in_order() {
        let (mut a, mut b, mut c) = ([0_u8], [0_u16], [0_u32]);
        let mut args = Args::new().output(&mut b).output_named("a", &mut a).inout("x", &mut c);
        let matched = args.matched(&names(&["x"]), &names(&["a", "b", "c"])).unwrap();
        let found: Vec<_> = matched.outputs.iter().map(ViewMut::dtype).collect();
        assert_eq!(found, [DType::U8, DType::U16, DType::U32]);
        assert!(matches!(matched.inputs[..], [Given::InPlace(2)]));

        let (mut a, mut c) = ([0_u8], [0_u32]);
        let mut args = Args::new().output(&mut a).inout("x", &mut c);
        let matched = args.matched(&names(&["x"]), &names(&["x", "y", "z"])).unwrap();
        assert!(matches!(matched.inputs[..], [Given::InPlace(0)]));
        assert_eq!((&matched.slots[..], matched.outputs[0].dtype()), (&[1, 0][..], DType::U8));
    }

    #[test]
    fn what_does_not_match_is_told() {
        let (x, mut a, mut b, mut c) = ([1.0, 2.0], 0, 0, 0);
        let error = failure(Args::new().input("price", &x).input("qti", &x), &["price", "qty"], &[]);
        assert_eq!(
            error.render(),
            "`qti` is not a parameter of the formula\n  note: it has 2 parameters: `price`, `qty`\n  hint: did you mean `qty`?"
        );
        let error = failure(Args::new().input("x", &x), &["x", "y"], &[]);
        assert_eq!((error.code(), error.message()), ("missing-argument", "the parameter `y` was given no value"));
        let error = failure(Args::new().input("x", &x).scalar("x", 1), &["x"], &[]);
        assert_eq!((error.code(), error.message()), ("given-twice", "the parameter `x` was given twice"));
        let error = failure(Args::new().input("x", View::new(&x).shape([3])), &["x"], &[]);
        assert_eq!((error.code(), error.notes()), ("reshape", &["in the array for the parameter `x`".to_owned()][..]));
        let error = failure(Args::new().output(ViewMut::new(&mut a).index(0, 0)), &[], &["y"]);
        assert_eq!(
            (error.code(), error.notes()),
            ("no-such-axis", &["in the array for the output `y`".to_owned()][..])
        );
        let error = failure(Args::new().output(&mut a).output(&mut b), &[], &["y"]);
        assert_eq!((error.code(), error.message()), ("surplus-output", "2 arrays were given for 1 output: `y`"));
        let error = failure(Args::new().output_named("z", &mut c), &[], &["call", "put"]);
        assert_eq!((error.code(), error.kind()), ("unknown-output", ErrorKind::Argument));
        let error = failure(Args::new().output_named("y", &mut a).output_named("y", &mut b), &[], &["y"]);
        assert_eq!(error.message(), "the output `y` was given twice");
    }

    #[test]
    fn many_arguments_are_matched_as_few_are() {
        let names: Vec<Arc<str>> = (0..1000).map(|k| format!("\u{e9}{k}").into()).collect();
        let given: Vec<String> = (0..1000).rev().map(|k| format!("e\u{301}{k}")).collect();
        let mut args = given.iter().enumerate().fold(Args::new(), |args, (k, name)| args.scalar(name, 999 - k as i32));
        let matched = args.matched(&names, &[]).unwrap();
        assert!((0..1000).all(|k| matches!(matched.inputs[k], Given::Weak(Weak::Int(x)) if *x == k as i128)));
        let mut args = given.iter().fold(Args::new(), |args, name| args.scalar(name, 0)).scalar("x", 1);
        assert_eq!(args.matched(&names, &[]).err().unwrap().code(), "unknown-argument");
    }

    #[test]
    fn names_compare_in_normal_form() {
        let mut args = Args::new().scalar("e\u{301}", 1);
        assert_eq!(args.matched(&names(&["\u{e9}"]), &[]).unwrap().inputs.len(), 1);
    }

    #[test]
    fn schemas_know_their_variables() {
        let schema = Schema::new().array("x", DType::F32, 2).scalar("fee", DType::F64).integer("n").number("k");
        let shown: Vec<_> = schema.params().iter().map(Param::to_string).collect();
        assert_eq!(shown, ["x: f32[2]", "fee: f64", "n: integer", "k: number"]);
        assert_eq!(schema.by_name().unwrap()["fee"].rank(), Some(0));
        assert!(!schema.by_name().unwrap().contains_key("y"));
        assert_eq!(schema.scalar("x", DType::I8).by_name().unwrap_err().code(), "given-twice");
    }

    #[test]
    fn outputs_are_taken_once() {
        let stats = Stats {
            compile_time: Duration::ZERO,
            run_time: Duration::ZERO,
            threads: 1,
            chunks: 1,
            bytes_read: 0,
            bytes_written: 0,
            backend: Backend::Interpreter,
            cached: true,
        };
        let outputs = |list: &[&str]| {
            let buffers = list.iter().map(|_| Buffer::zeroed(DType::I16, &[2, 1]).unwrap()).collect();
            Outputs::new(names(list), buffers, stats)
        };
        let mut two = outputs(&["call", "put"]);
        assert_eq!(
            (two.len(), two.names().collect::<Vec<_>>(), two.shape("put").unwrap()),
            (2, vec!["call", "put"], vec![2, 1])
        );
        assert_eq!(two.take::<f64>("put").unwrap_err().code(), "wrong-element");
        assert_eq!(two.take::<i16>("put").unwrap(), [0, 0]);
        assert_eq!(two.take::<i16>("put").unwrap_err().code(), "output-taken");
        assert_eq!(two.view("cal").unwrap_err().hint(), Some("did you mean `call`?"));
        assert_eq!(two.into_vec::<i16>().unwrap_err().code(), "several-outputs");
        assert_eq!(outputs(&["0"]).into_vec::<i16>().unwrap(), [0, 0]);
    }
}

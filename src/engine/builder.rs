//! Choices and bounds to an engine.

use std::sync::Arc;
use std::time::Duration;

use super::{Compiler, Engine, Shared};
use crate::args::{Accuracy, Backend};
use crate::codegen::code::CodeMemory;
use crate::codegen::x64::Width;
use crate::codegen::{Isa, cranelift, x64};
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::pool::{Pool, ThreadPool};
use crate::exec::{HostArguments, HostFunction, stream};
use crate::functions::{Function, Host};
use crate::syntax;

/// Elements a chunk, unless told: throughput is the same within 3 % from 1 Ki to 512 Ki elements.
const CHUNK_LEN: usize = 512 * 1024;

/// What an engine may use, and what a formula may ask of it.
///
/// Every bound that is reached is an error of kind [`Limit`](crate::ErrorKind::Limit) that names the method here which
/// sets it. Without a choice an engine runs on rayon's current pool, with the best backend that the host has.
///
/// ```
/// use numlift::{Backend, Engine};
/// let engine = Engine::builder().threads(2).backend(Backend::Interpreter).build()?;
/// assert_eq!((engine.threads(), engine.backend()), (2, Backend::Interpreter));
/// let strict = Engine::builder().untrusted().source_limit(10).build()?;
/// assert_eq!(strict.compile("x + y + z + w").unwrap_err().hint(), Some("`Builder::source_limit` sets the limit"));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Builder {
    threads: Threads,
    backend: Backend,
    accuracy: Accuracy,
    bounds: Bounds,
    functions: Vec<Arc<HostFunction>>,
}

#[derive(Clone, Default)]
enum Threads {
    #[default]
    Current,
    Own(usize),
    Given(Arc<ThreadPool>),
}

/// What formulas may ask of an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) text: syntax::Limits,
    /// Values of a graph, math functions written out.
    pub(super) nodes: usize,
    /// Bytes of machine code of the engine.
    pub(super) code: usize,
    /// Variants that a kernel keeps.
    pub(super) variants: usize,
    /// Elements a chunk.
    pub(super) chunk: usize,
    /// Turns of loops an element.
    pub(super) turns: Option<u64>,
    /// Of every run.
    pub(super) deadline: Option<Duration>,
    /// Bytes that one run may allocate.
    pub(super) memory: Option<usize>,
    /// Whether loops and definitions are refused.
    pub(super) expressions_only: bool,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            text: syntax::Limits::default(),
            nodes: 100_000,
            code: 64 << 20,
            variants: 64,
            chunk: CHUNK_LEN,
            turns: None,
            deadline: None,
            memory: None,
            expressions_only: false,
        }
    }
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder::default()
    }

    /// A pool of the engine's own: `threads` work on a run at most, the caller's among them.
    pub fn threads(mut self, threads: usize) -> Builder {
        self.threads = Threads::Own(threads);
        self
    }

    /// Threads of `pool` help the caller.
    pub fn pool(mut self, pool: Arc<ThreadPool>) -> Builder {
        self.threads = Threads::Given(pool);
        self
    }

    /// What executes kernels; [`Backend::Auto`] unless told.
    pub fn backend(mut self, backend: Backend) -> Builder {
        self.backend = backend;
        self
    }

    /// How far functions of mathematics may be off; [`Accuracy::Best`] unless told.
    pub fn accuracy(mut self, accuracy: Accuracy) -> Builder {
        self.accuracy = accuracy;
        self
    }

    /// How many elements one thread takes at a time at most, rounded up to what the kernel computes together; 32 Ki unless told.
    /// Results do not depend on it.
    pub fn chunk_len(mut self, elements: usize) -> Builder {
        // So that a chunk's end can be counted.
        self.bounds.chunk = elements.min(isize::MAX as usize);
        self
    }

    /// Bytes that a formula's text may have; 1 MiB unless told.
    pub fn source_limit(mut self, bytes: usize) -> Builder {
        self.bounds.text.source_bytes = bytes;
        self
    }

    /// Levels of brackets, prefix operators, `**` and `else` that may be open at one place; 256 unless told.
    pub fn nesting_limit(mut self, levels: usize) -> Builder {
        self.bounds.text.nesting = levels;
        self
    }

    /// Operations that a formula may come to, those inside math functions counted too; 100,000 unless told. Time and
    /// memory to compile are linear in it.
    pub fn node_limit(mut self, nodes: usize) -> Builder {
        self.bounds.nodes = nodes;
        self
    }

    /// Bytes of machine code that the engine's kernels may have together, in steps of 64 KiB; 64 MiB unless told.
    pub fn code_limit(mut self, bytes: usize) -> Builder {
        self.bounds.code = bytes;
        self
    }

    /// For how many combinations of dtypes and ranks a kernel keeps its code; 64 unless told. Beyond them the one that was
    /// not used for longest goes.
    pub fn variant_limit(mut self, variants: usize) -> Builder {
        self.bounds.variants = variants;
        self
    }

    /// Ends every run with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) that has taken `limit`;
    /// [`Args::deadline`](crate::Args::deadline) can make it shorter for one run. None unless told.
    pub fn deadline(mut self, limit: Duration) -> Builder {
        self.bounds.deadline = Some(limit);
        self
    }

    /// Bytes of outputs and temporary arrays that a run may allocate. None unless told.
    pub fn memory_limit(mut self, bytes: usize) -> Builder {
        self.bounds.memory = Some(bytes);
        self
    }

    /// How many turns the loops of one element may take, all its loops together. None unless told. An element that wants more
    /// ends the run with [`ErrorKind::Limit`](crate::ErrorKind::Limit), whatever the others do.
    ///
    /// ```
    /// use numlift::{Args, Engine, ErrorKind};
    /// let kernel = Engine::builder().loop_budget(1000).build()?.compile("while x > 0 { x -= step }")?;
    /// let x = kernel.eval(Args::new().input("x", &[10, 20]).input("step", &1))?.take::<i32>("x")?;
    /// assert_eq!(x, [0, 0]);
    /// let error = kernel.eval(Args::new().input("x", &[10, 20]).input("step", &0)).unwrap_err();
    /// assert_eq!((error.kind(), error.line_column()), (ErrorKind::Limit, Some((1, 1))));
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn loop_budget(mut self, turns: u64) -> Builder {
        self.bounds.turns = Some(turns);
        self
    }

    /// Lets formulas call `function` by that name, on elements of the types `A` (a tuple of one to eight) giving `R`.
    ///
    /// It gets slices of as many elements each, some thousand at a time, and fills the last with as many results, which are 0
    /// before. It is called on any thread and on several at once, for elements in any order, once or more often: it has to give
    /// the same for the same. Arguments that are the same for all elements are one element. A panic in it ends the
    /// run with [`ErrorKind::Host`](crate::ErrorKind::Host); a deadline ends the run only between two calls. Its arguments are
    /// not converted but for numbers without a dtype; a NaN is the positive quiet one.
    ///
    /// In a formula a call may stand where all elements go: not in a loop or branch. A `fn` of the text by the same name takes
    /// its place there.
    ///
    /// ```
    /// use numlift::{Args, Engine};
    /// let engine = Engine::builder()
    ///     .function::<(f64, i32), f64>("bessel", |(x, n), results| {
    ///         // Any crate's function of one element; here a few terms of the series of J_n.
    ///         let one = |x: f64, n: i32| {
    ///             let first = (1..=n).fold(1.0, |term, k| term * x / 2.0 / f64::from(k));
    ///             let next = |term: f64, k: i32| -term * x * x / 4.0 / f64::from(k * (n + k));
    ///             (1..20).scan(first, |term, k| Some(std::mem::replace(term, next(*term, k)))).sum()
    ///         };
    ///         x.iter().zip(n).zip(results).for_each(|((x, n), result)| *result = one(*x, *n));
    ///     })
    ///     .build()?;
    /// let x = [0.0, 0.5, 1.0];
    /// let energy: f64 = engine.compile("sum(bessel(2 * x, 1) ** 2)")?.scalar(Args::new().input("x", &x))?;
    /// assert!((energy - 0.526_256_021_9).abs() < 1e-9);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn function<A: HostArguments, R: Element>(
        mut self,
        name: &str,
        function: impl Fn(A::Slices<'_>, &mut [R]) + Send + Sync + 'static,
    ) -> Builder {
        self.functions.push(Arc::new(HostFunction::new::<A, R>(name, function)));
        self
    }

    /// For formulas from strangers: 10^6 turns of loops an element, a deadline of 30 s a run and a memory limit of 4 GiB.
    ///
    /// The other bounds hold for every engine. A bound set after this one takes its place.
    pub fn untrusted(self) -> Builder {
        self.loop_budget(1_000_000).deadline(Duration::from_secs(30)).memory_limit(4 << 30)
    }

    /// Refuses loops, `fn` and `kernel`: a formula is expressions, assignments and branches alone.
    pub fn expressions_only(mut self) -> Builder {
        self.bounds.expressions_only = true;
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// If a number of threads, elements or variants is 0; if the system refuses the threads; if a backend was asked for by
    /// name and the host does not have what it takes, or does not run generated code; if a function has the name of another or
    /// of one of the language.
    pub fn build(self) -> Result<Engine, Error> {
        let (pool, threads) = match self.threads {
            Threads::Current => (Pool::current(), 1),
            Threads::Given(pool) => (Pool::given(pool), 1),
            Threads::Own(threads) => (Pool::own(threads)?, threads),
        };
        refuse_zero("threads", threads)?;
        refuse_zero("chunk_len", self.bounds.chunk)?;
        refuse_zero("variant_limit", self.bounds.variants)?;
        let hosts: Arc<[Host]> = self.functions.iter().map(|function| function.seen.clone()).collect();
        check_names(&hosts)?;
        let compiler = match self.backend {
            Backend::Interpreter => None,
            Backend::X64 => Some(compiler(Isa::X64(x64::Isa::host(Width::Bits256)?), self.bounds.code)?),
            Backend::Avx512 => Some(compiler(Isa::X64(x64::Isa::host(Width::Bits512)?), self.bounds.code)?),
            Backend::Cranelift => Some(compiler(Isa::Cranelift(cranelift::Isa::host()?), self.bounds.code)?),
            Backend::Auto => best_isa().and_then(|isa| compiler(isa, self.bounds.code)).ok(),
        };
        let cache = stream::last_level_cache_bytes();
        let Builder { accuracy, bounds, functions, .. } = self;
        let (functions, watchdog) = (functions.into(), Arc::default());
        Ok(Engine(Arc::new(Shared { pool, compiler, cache, accuracy, bounds, watchdog, functions, hosts })))
    }
}

fn best_isa() -> Result<Isa> {
    let wide = [Width::Bits512, Width::Bits256].into_iter().find_map(|width| x64::Isa::host(width).ok());
    wide.map_or_else(|| cranelift::Isa::host().map(Isa::Cranelift), |isa| Ok(Isa::X64(isa)))
}

fn compiler(isa: Isa, code_limit: usize) -> Result<Compiler> {
    Ok(Compiler { isa, memory: CodeMemory::new(code_limit)? })
}

/// Fails if a formula could not tell which function is meant.
fn check_names(hosts: &[Host]) -> Result<()> {
    for (k, host) in hosts.iter().enumerate() {
        let name = &*host.name;
        let what = match () {
            () if Function::lookup(name).is_some() => "a function of the language",
            () if DType::from_name(name).is_some() => "a dtype, which converts",
            () if hosts[..k].iter().any(|other| other.name == host.name) => "another function of Rust",
            () => continue,
        };
        let message = format!("a function of Rust is called `{name}`, which is {what}");
        return Err(Error::new(ErrorKind::Argument, "function-name", message).with_hint("give it another name"));
    }
    Ok(())
}

fn refuse_zero(method: &str, value: usize) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    let message = format!("`Builder::{method}` takes at least 1, found 0");
    Err(Error::new(ErrorKind::Argument, "builder-zero", message))
}

//! Formulas to kernels, and kernels to results: what a caller holds.

mod bound;
mod builder;
mod iterate;
mod kernel;
mod module;
mod partial;
mod reduce;
mod rows;
mod run;
mod variant;

use std::fmt;
use std::sync::Arc;

use crate::args::{Accuracy, Backend, Schema};
use crate::codegen::Isa;
use crate::codegen::code::CodeMemory;
use crate::codegen::x64::Width;
use crate::error::{Error, ErrorKind};
use crate::exec::pool::Pool;
use crate::exec::stop::Watchdog;
use crate::exec::{HostFunctions, float_env};
use crate::functions::{self, Host};
use crate::resolve::{kernels, resolve};
use crate::syntax::{Ast, parse};
use builder::Bounds;

pub use bound::Bound;
pub use builder::Builder;
pub use kernel::Kernel;
pub use module::Module;
pub use partial::Partial;

/// Compiles formulas into kernels, and has what they run with: threads and memory for code.
///
/// Clones are the same engine, from any thread. Kernels keep it alive.
///
/// ```
/// use numlift::{Args, Engine};
/// let engine = Engine::new()?;
/// let hypot = engine.compile("sqrt(x**2 + y**2)")?;
/// let mut out = [0.0; 2];
/// hypot.run(Args::new().input("x", &[3.0, 5.0]).input("y", &[4.0, 12.0]).output(&mut out))?;
/// assert_eq!(out, [5.0, 13.0]);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    pool: Pool,
    /// None where the interpreter executes.
    compiler: Option<Compiler>,
    /// Bytes of the last-level cache.
    cache: usize,
    accuracy: Accuracy,
    bounds: Bounds,
    watchdog: Arc<Watchdog>,
    /// Functions of Rust, and the same as formulas see them.
    functions: HostFunctions,
    hosts: Arc<[Host]>,
}

/// What makes machine code, and where it goes.
struct Compiler {
    isa: Isa,
    memory: Arc<CodeMemory>,
}

impl Engine {
    /// An engine on rayon's current pool, with the best backend that the host has and the bounds that [`Builder`] names.
    ///
    /// # Errors
    /// None today.
    pub fn new() -> Result<Engine, Error> {
        Engine::builder().build()
    }

    /// Chooses threads, backend and bounds.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Parses a formula and finds out what its names mean; those it does not assign and that are no constants are parameters.
    ///
    /// Machine code is made at the first run for each combination of dtypes and ranks.
    ///
    /// # Errors
    /// With the place in the text: if it is no formula, calls a function that does not exist or with the wrong number of
    /// arguments, or is beyond a bound of the engine.
    pub fn compile(&self, text: &str) -> Result<Kernel, Error> {
        self.kernel(text, None)
    }

    /// As [`compile`](Engine::compile), where the parameters may be variables of `schema` alone; these come before constants.
    ///
    /// # Errors
    /// As [`compile`](Engine::compile); if a name is not in the schema, with the nearest one as hint.
    pub fn compile_with(&self, text: &str, schema: &Schema) -> Result<Kernel, Error> {
        let names: Vec<&str> = schema.params().iter().map(|param| param.name()).collect();
        self.kernel(text, Some(&names))
    }

    /// Parses a text of kernels, and of functions that they share.
    ///
    /// ```
    /// use numlift::{Args, Engine};
    /// let module = Engine::new()?.compile_module(
    ///     "fn square(x) = x * x
    ///      kernel area(r: f64) -> (a) { a = pi * square(r) }
    ///      kernel countdown(n: i64) -> (turns) {
    ///          turns = 0
    ///          while n > 0 { n -= 2; turns += 1 }
    ///      }",
    /// )?;
    /// let turns = module.kernel("countdown")?.eval(Args::new().input("n", &[7_i64, 0]))?.take::<i64>("turns")?;
    /// assert_eq!(turns, [4, 0]);
    /// assert_eq!(module.names().collect::<Vec<_>>(), ["area", "countdown"]);
    /// # Ok::<(), numlift::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compile`](Engine::compile); if the text is a formula, or two kernels have one name.
    pub fn compile_module(&self, text: &str) -> Result<Module, Error> {
        float_env::with_default(|| {
            let programs = kernels(self.parse(text)?, &self.0.hosts)?.into_iter();
            Ok(Module::new(programs.map(|(name, program)| (name, Kernel::new(self.clone(), program))).collect()))
        })
    }

    fn kernel(&self, text: &str, declared: Option<&[&str]>) -> Result<Kernel, Error> {
        // Literals are read with float arithmetic too.
        float_env::with_default(|| {
            let program = resolve(self.parse(text)?, declared, &self.0.hosts)?;
            Ok(Kernel::new(self.clone(), program))
        })
    }

    fn parse(&self, text: &str) -> Result<Ast, Error> {
        let ast = parse(text, self.0.bounds.text)?;
        match ast.first_of_programs().filter(|_| self.0.bounds.expressions_only) {
            Some(span) => Err(Error::new(ErrorKind::Limit, "expressions-only", "this engine takes expressions alone")
                .at(&ast.source, span)
                .with_hint("`Builder::expressions_only` refuses loops, functions and kernels")),
            None => Ok(ast),
        }
    }

    /// Every function of the language, for completion and help.
    ///
    /// ```
    /// let engine = numlift::Engine::new()?;
    /// let functions = engine.functions();
    /// let clip = functions.iter().find(|function| function.name() == "clip").unwrap();
    /// assert_eq!((clip.signature(), clip.aliases()), ("clip(x, lo, hi)", &["clamp"][..]));
    /// assert_eq!(clip.doc(), "minimum(maximum(x, lo), hi)");
    /// # Ok::<(), numlift::Error>(())
    /// ```
    pub fn functions(&self) -> Vec<Function> {
        let described = |function: &functions::Function| {
            let row = function.row();
            Function { name: row.name, aliases: row.aliases, signature: function.signature(), doc: row.doc }
        };
        functions::Function::ALL.iter().map(described).collect()
    }

    /// What executes kernels: never [`Backend::Auto`], but what that came to.
    pub fn backend(&self) -> Backend {
        match self.0.compiler.as_ref().map(|compiler| &compiler.isa) {
            Some(Isa::X64(isa)) => match isa.width() {
                Width::Bits256 => Backend::X64,
                Width::Bits512 => Backend::Avx512,
            },
            Some(Isa::Cranelift(_)) => Backend::Cranelift,
            None => Backend::Interpreter,
        }
    }

    /// How many threads can work on one run, the caller's among them.
    pub fn threads(&self) -> usize {
        self.0.pool.threads()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

/// A function of the language.
#[derive(Clone, Debug)]
pub struct Function {
    name: &'static str,
    aliases: &'static [&'static str],
    signature: String,
    doc: &'static str,
}

impl Function {
    /// The name that documentation uses.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Other names of it.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// How it is called, such as `round(x, n=0)`.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// What it gives, in one line.
    pub fn doc(&self) -> &'static str {
        self.doc
    }
}

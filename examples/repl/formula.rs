//! A formula and variables to results: the only file that asks the engine for anything.

use std::collections::BTreeMap;

use numlift::{Accuracy, Args, Backend, Cancel, DType, Engine, Error, Kernel, Schema, Stats, View};

use crate::array::{Array, Data, Number, with_type, with_values};
use crate::definitions::{Definition, Definitions, Sort};
use crate::failure::Result;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Variable {
    /// A literal that was typed: as in a formula, it takes the dtype of what it meets.
    Literal(Number),
    Array(Array),
}

pub(crate) type Variables = BTreeMap<String, Variable>;

/// What a formula gave.
pub(crate) struct Evaluated {
    /// Names and values, in the formula's order.
    pub(crate) outputs: Vec<(String, Array)>,
    pub(crate) stats: Stats,
    /// What is legal but likely not meant.
    pub(crate) warnings: Vec<Error>,
}

/// A form that a formula takes on its way to machine code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Graph,
    Strip,
    Clif,
    Asm,
}

/// A function of the language.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// Its other names.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) signature: String,
    pub(crate) doc: &'static str,
}

/// An engine, and how it was made.
pub(crate) struct Formulas {
    engine: Engine,
    /// `None` is as many as there are cores.
    threads: Option<usize>,
    backend: Backend,
    accuracy: Accuracy,
    /// What formulas may call, and kernels.
    pub(crate) definitions: Definitions,
}

const BACKENDS: [(&str, Backend); 5] = [
    ("auto", Backend::Auto),
    ("avx512", Backend::Avx512),
    ("x64", Backend::X64),
    ("cranelift", Backend::Cranelift),
    ("interpreter", Backend::Interpreter),
];

const ACCURACIES: [(&str, Accuracy); 2] = [("best", Accuracy::Best), ("fast", Accuracy::Fast)];

fn engine(threads: Option<usize>, backend: Backend, accuracy: Accuracy) -> Result<Engine> {
    let builder = Engine::builder().backend(backend).accuracy(accuracy);
    let builder = match threads {
        Some(threads) => builder.threads(threads),
        None => builder,
    };
    Ok(builder.build()?)
}

impl Formulas {
    pub(crate) fn new() -> Result<Formulas> {
        let (backend, accuracy) = (Backend::default(), Accuracy::default());
        let engine = engine(None, backend, accuracy)?;
        Ok(Formulas { engine, threads: None, backend, accuracy, definitions: Definitions::default() })
    }

    /// How many threads may work.
    pub(crate) fn threads(&self) -> usize {
        self.engine.threads()
    }

    pub(crate) fn set_threads(&mut self, threads: usize) -> Result<()> {
        self.engine = engine(Some(threads), self.backend, self.accuracy)?;
        self.threads = Some(threads);
        Ok(())
    }

    /// The name of what executes formulas.
    pub(crate) fn backend(&self) -> &'static str {
        name_of(self.engine.backend())
    }

    pub(crate) fn set_backend(&mut self, name: &str) -> Result<()> {
        let Some((_, backend)) = BACKENDS.iter().find(|(known, _)| *known == name) else {
            return Err(
                format!("there is no backend `{name}`\n  hint: auto, avx512, x64, cranelift or interpreter").into()
            );
        };
        self.engine = engine(self.threads, *backend, self.accuracy)?;
        self.backend = *backend;
        Ok(())
    }

    /// The name of how accurate functions of mathematics are.
    pub(crate) fn accuracy(&self) -> &'static str {
        ACCURACIES.iter().find(|(_, known)| *known == self.accuracy).map_or("another", |(name, _)| name)
    }

    pub(crate) fn set_accuracy(&mut self, name: &str) -> Result<()> {
        let Some((_, accuracy)) = ACCURACIES.iter().find(|(known, _)| *known == name) else {
            return Err(format!("there is no accuracy `{name}`\n  hint: best or fast").into());
        };
        self.engine = engine(self.threads, self.backend, *accuracy)?;
        self.accuracy = *accuracy;
        Ok(())
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let known = self.engine.functions().into_iter();
        let function = known.map(|function| Function {
            name: function.name(),
            aliases: function.aliases(),
            signature: function.signature().to_owned(),
            doc: function.doc(),
        });
        function.collect()
    }

    /// A formula that can be run many times.
    pub(crate) fn prepare(&self, text: &str, variables: &Variables) -> Result<Prepared> {
        let kernel = self.engine.compile_with(&self.definitions.with_functions(text), &schema(variables))?;
        Ok(Prepared { kernel })
    }

    /// Remembers functions and kernels, which may call one another in any order; each with the line of a script in which its text
    /// begins. Of several of which one is wrong none is remembered.
    pub(crate) fn define(&mut self, all: &[(Definition, usize)]) -> Result<()> {
        let mut known = self.definitions.clone();
        all.iter().for_each(|(definition, _)| known.set(definition.clone()));
        for (definition, line) in all {
            let mut others = known.clone();
            others.remove(&definition.name);
            let text = others.with_functions(&definition.text);
            // A function alone has no result.
            let result = if definition.sort == Sort::Function { "\n0" } else { "" };
            self.engine.compile(&("\n".repeat(line - 1) + &text + result))?;
        }
        self.definitions = known;
        Ok(())
    }

    /// A kernel that was defined, ready to run on the variables that its parameters name.
    pub(crate) fn prepare_kernel(&self, name: &str, variables: &Variables) -> Result<Prepared> {
        let Some(definition) = self.definitions.kernel(name) else {
            return Err(format!("there is no kernel `{name}`\n  hint: :kernels lists them").into());
        };
        let text = self.definitions.with_functions(&definition.text);
        Ok(Prepared { kernel: self.engine.compile_with(&text, &schema(variables))? })
    }

    /// Name, dtype and rank of each output, without running anything.
    pub(crate) fn types(&self, text: &str, variables: &Variables) -> Result<Vec<(String, DType, usize)>> {
        let schema = schema(variables);
        let text = self.definitions.with_functions(text);
        let outputs = self.engine.compile_with(&text, &schema)?.prepare(&schema)?;
        let described = outputs.iter().map(|output| {
            let (dtype, rank) = output.dtype().zip(output.rank()).expect("a prepared kernel knows its outputs");
            (output.name().to_owned(), dtype, rank)
        });
        Ok(described.collect())
    }

    /// The formula as text of that stage.
    pub(crate) fn stage(&self, text: &str, variables: &Variables, stage: Stage) -> Result<String> {
        let schema = schema(variables);
        let kernel = self.engine.compile_with(&self.definitions.with_functions(text), &schema)?;
        Ok(match stage {
            Stage::Graph => kernel.graph(&schema)?,
            Stage::Strip => kernel.strip(&schema)?,
            Stage::Clif => kernel.clif(&schema)?,
            Stage::Asm => kernel.asm(&schema)?,
        })
    }
}

pub(crate) fn name_of(backend: Backend) -> &'static str {
    BACKENDS.iter().find(|(_, known)| *known == backend).map_or("another", |(name, _)| name)
}

/// A compiled formula.
pub(crate) struct Prepared {
    kernel: Kernel,
}

impl Prepared {
    /// Runs it; `cancel` ends the run.
    pub(crate) fn evaluate(&self, variables: &Variables, cancel: &Cancel) -> Result<Evaluated> {
        let mut args = Args::lookup(|name: &str| match variables.get(name) {
            Some(Variable::Array(array)) => Some(view(array)),
            Some(Variable::Literal(_)) | None => None,
        });
        for param in self.kernel.params() {
            match variables.get(param.name()) {
                Some(Variable::Literal(Number::Int(x))) => args = args.scalar(param.name(), *x),
                Some(Variable::Literal(Number::Float(x))) => args = args.scalar(param.name(), *x),
                Some(Variable::Array(_)) | None => {}
            }
        }
        let mut results = self.kernel.eval(args.cancel(cancel))?;
        let names: Vec<String> = results.names().map(str::to_owned).collect();
        let mut outputs = Vec::new();
        for name in names {
            let shape = results.shape(&name)?;
            let array = with_type!(results.dtype(&name)?, T => Array::new(shape, results.take::<T>(&name)?));
            outputs.push((name, array));
        }
        Ok(Evaluated { outputs, stats: results.stats(), warnings: self.kernel.warnings() })
    }
}

fn view(array: &Array) -> View<'_> {
    with_values!(array.data(), values => View::new(values).shape(array.shape()))
}

fn schema(variables: &Variables) -> Schema {
    variables.iter().fold(Schema::new(), |schema, (name, variable)| match variable {
        Variable::Literal(Number::Int(_)) => schema.integer(name),
        Variable::Literal(Number::Float(_)) => schema.number(name),
        Variable::Array(array) => schema.array(name, array.dtype(), array.shape().len()),
    })
}

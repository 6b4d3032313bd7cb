//! Random programs over random arrays: every executor gives the bits of the interpreter, or its error.
//!
//! `PROGRAMS` says how many, `SEED` which is the first, `SHOW` shows each before it runs: `PROGRAMS=1000000 cargo test --release --test differential programs -- --nocapture`.

mod arrays;
mod choices;
mod programs;
mod reductions;
#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use arrays::{Array, Given};
use choices::Choices;
use numlift::{Args, Backend, Builder, Engine, Error, Kernel, Outputs, View};
use programs::{Class, Extent, Parameter, Program};

/// How work is cut: threads, and elements a chunk.
const CUTS: [(usize, usize); 3] = [(1, 16 * 1024), (2, 7), (3, 1)];

/// Engines of every backend.
struct Engines {
    reference: Engine,
    /// For each way to cut those that are compared with it.
    others: Vec<Vec<Engine>>,
}

impl Engines {
    fn new(cuts: &[(usize, usize)]) -> Engines {
        let engine = |backend, threads, chunk| {
            let builder = Engine::builder().backend(backend).threads(threads).chunk_len(chunk);
            with_functions(builder).build().expect("an engine")
        };
        let of_cut = |(threads, chunk): &(usize, usize)| {
            support::backends().into_iter().map(|(_, backend)| engine(backend, *threads, *chunk)).collect()
        };
        Engines { reference: engine(Backend::Interpreter, 1, 16 * 1024), others: cuts.iter().map(of_cut).collect() }
    }
}

/// With the functions of Rust that programs call.
fn with_functions(builder: Builder) -> Builder {
    builder
        .function::<(f64,), f64>("cubed", |(x,), results| {
            x.iter().zip(results).for_each(|(x, result)| *result = x * x * x);
        })
        .function::<(f64, i32, bool), f32>("mixed", |(x, n, is_on), results| {
            for (((x, n), is_on), result) in x.iter().zip(n).zip(is_on).zip(results) {
                *result = if *is_on { *x as f32 } else { *n as f32 };
            }
        })
        .function::<(u8, f32), i64>("pick", |(x, y), results| {
            x.iter().zip(y).zip(results).for_each(|((x, y), result)| *result = i64::from(*x).wrapping_sub(*y as i64));
        })
}

/// A program and what it is given.
struct Case {
    program: Program,
    given: Vec<(&'static str, Given)>,
    /// Which of the ways to cut.
    cut: usize,
    /// How the outputs' arrays lie; numlift allocates them where that is 0.
    layouts: usize,
}

impl Case {
    fn new(choices: &mut Choices) -> Case {
        let program = Program::new(choices);
        let domain = domain(choices, program.rank);
        let given = program.parameters.iter().map(|parameter| (parameter.name, given(choices, parameter, &domain)));
        let given = given.collect();
        Case {
            given,
            cut: choices.below(CUTS.len()),
            layouts: [0, 1][choices.below(2)] * choices.below(1 << 16),
            program,
        }
    }

    /// What the kernel takes of it.
    fn args(&self, kernel: &Kernel) -> Args<'_> {
        let is_taken = |(name, _): &&(&str, Given)| kernel.params().iter().any(|param| param.name() == *name);
        self.given.iter().filter(is_taken).fold(Args::new(), |args, (name, given)| match given {
            Given::Array(array) => args.input(name, array.view()),
            Given::WeakInt(x) => args.scalar(name, *x),
            Given::WeakFloat(x) => args.scalar(name, *x),
        })
    }

    fn eval(&self, engine: &Engine, text: &str) -> Result<Outputs, Error> {
        let kernel = engine.compile(text)?;
        kernel.eval(self.args(&kernel))
    }

    fn show(&self) -> String {
        let given = self.given.iter().map(|(name, given)| match given {
            Given::Array(array) => format!("{name}: {:?}\n", array.view()),
            Given::WeakInt(x) => format!("{name} = {x}\n"),
            Given::WeakFloat(x) => format!("{name} = {x:?}\n"),
        });
        format!("{}\n{}", self.program.text, given.collect::<String>())
    }
}

const LENGTHS: [usize; 24] =
    [3, 1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 37, 48, 63, 64, 65, 70, 97, 128, 130, 260, 300];
const WIDTHS: [usize; 14] = [3, 1, 2, 4, 5, 8, 15, 16, 17, 33, 37, 40, 70, 131];

/// Extents of a program's arrays; now and then there is no element.
fn domain(choices: &mut Choices, rank: usize) -> Vec<usize> {
    let mut domain = match rank {
        0 => Vec::new(),
        1 => vec![choices.of(&LENGTHS)],
        2 => vec![choices.of(&[2, 1, 3, 5, 6]), choices.of(&WIDTHS)],
        _ => vec![choices.of(&[2, 1, 3]), choices.of(&[2, 1, 3, 4]), choices.of(&[3, 1, 2, 5, 17, 33])],
    };
    if rank == 2 && choices.one_in(4) {
        domain.reverse();
    }
    if rank > 0 && choices.one_in(60) {
        let axis = choices.below(rank);
        domain[axis] = 0;
    }
    domain
}

fn given(choices: &mut Choices, parameter: &Parameter, domain: &[usize]) -> Given {
    let dtype = parameter.dtype.unwrap_or_else(|| choices.of(parameter.class.dtypes()));
    let shape: Vec<usize> = match parameter.extent {
        Extent::Whole => domain.to_vec(),
        Extent::Some => {
            let first = choices.below(domain.len() + 1);
            domain[first..].iter().map(|extent| if choices.below(2) == 0 { *extent } else { 1 }).collect()
        }
        Extent::Table(rank) => (0..rank).map(|_| choices.of(&[3, 1, 2, 5, 8])).collect(),
        Extent::One if parameter.dtype.is_none() && parameter.class != Class::Bool && choices.one_in(3) => {
            let x = choices.below(9) as i64 - 4;
            return if parameter.class == Class::Int { Given::WeakInt(x) } else { Given::WeakFloat(x as f64 * 0.75) };
        }
        Extent::One => Vec::new(),
        Extent::Zero => return Given::Array(Array::zero()),
    };
    Given::Array(Array::new(choices, dtype, &shape))
}

/// Equal shapes and bits, NaN payload aside.
fn same(a: &Outputs, b: &Outputs) -> Result<(), String> {
    let (a_names, b_names): (Vec<&str>, Vec<&str>) = (a.names().collect(), b.names().collect());
    if a_names != b_names {
        return Err(format!("outputs {a_names:?} and {b_names:?}"));
    }
    a.names().try_for_each(|name| {
        let (x, y) = (a.view(name).expect("an output"), b.view(name).expect("an output"));
        if (x.dtype(), x.extents()) != (y.dtype(), y.extents()) {
            return Err(format!("{name}: {} {:?} and {} {:?}", x.dtype(), x.extents(), y.dtype(), y.extents()));
        }
        same_elements(name, &x, y.as_bytes().expect("no gaps"))
    })
}

/// The elements of an array without gaps, and others.
fn same_elements(name: &str, expected: &View<'_>, found: &[u8]) -> Result<(), String> {
    let (dtype, size) = (expected.dtype(), expected.dtype().size());
    let expected = expected.as_bytes().expect("no gaps");
    if expected == found {
        return Ok(());
    }
    let elements = expected.chunks_exact(size).zip(found.chunks_exact(size)).enumerate();
    for (k, (p, q)) in elements {
        let (p, q) = (support::bits_at(p, dtype), support::bits_at(q, dtype));
        if !support::same(dtype, p, q) {
            return Err(format!("{name}[{k}]: {p:#x} and {q:#x} of {dtype}"));
        }
    }
    Ok(())
}

/// Fails unless all engines do with the text what the first does.
fn agree<'a, 'b>(
    text: &str,
    args: impl Fn() -> Args<'a>,
    reference: &Engine,
    others: impl IntoIterator<Item = &'b Engine>,
) -> Result<(), String> {
    let run = |engine: &Engine| engine.compile(text)?.eval(args());
    let expected = run(reference);
    others.into_iter().try_for_each(|engine| match (&expected, &run(engine)) {
        (Ok(a), Ok(b)) => same(a, b),
        (expected, found) => same_error(expected, found, true),
    })
}

/// Both fail in the same way; where texts differ only the kind of it is compared.
fn same_error<T, U>(a: &Result<T, Error>, b: &Result<U, Error>, is_one_text: bool) -> Result<(), String> {
    match (a.as_ref().err(), b.as_ref().err()) {
        (Some(a), Some(b)) if is_one_text && a.render() == b.render() => Ok(()),
        (Some(a), Some(b)) if !is_one_text && a.code() == b.code() => Ok(()),
        (Some(a), Some(b)) => Err(format!("{}\nand\n{}", a.render(), b.render())),
        (None, Some(error)) => Err(format!("fails in code alone: {}", error.render())),
        (Some(error), None) => Err(format!("fails in the interpreter alone: {}", error.render())),
        (None, None) => Err("neither fails".to_owned()),
    }
}

impl Engines {
    /// Whether the program runs, or fails as it should.
    fn check(&self, case: &Case) -> Result<bool, String> {
        let Program { text, gathering, .. } = &case.program;
        let oracle = gathering.as_ref().unwrap_or(text);
        let expected = case.eval(&self.reference, oracle);
        for engine in &self.others[case.cut] {
            // What the reference does alike need not be done again.
            if engine.backend() == Backend::Interpreter && case.cut == 0 && gathering.is_none() {
                continue;
            }
            match &expected {
                Ok(expected) if case.layouts > 0 => self.check_run(case, engine, expected),
                Ok(_) | Err(_) => {
                    let found = case.eval(engine, text);
                    match (&expected, &found) {
                        (Ok(a), Ok(b)) => same(a, b),
                        (expected, found) => same_error(expected, found, gathering.is_none()),
                    }
                }
            }
            .map_err(|why| format!("{:?}, {:?}: {why}", engine.backend(), CUTS[case.cut]))?;
        }
        Ok(expected.is_ok())
    }

    /// Runs into arrays that lie in some way.
    fn check_run(&self, case: &Case, engine: &Engine, expected: &Outputs) -> Result<(), String> {
        let mut choices = Choices::of_seed(case.layouts as u64);
        let views: Vec<(&str, View<'_>)> =
            expected.names().map(|name| (name, expected.view(name).expect("an output"))).collect();
        let mut arrays: Vec<Array> =
            views.iter().map(|(_, view)| Array::zeros(&mut choices, view.dtype(), view.extents())).collect();
        let before: Vec<Array> = arrays.clone();
        let names = views.iter().map(|(name, _)| *name);
        let targets = arrays.iter_mut().map(Array::view_mut).zip(names);
        let found = engine.compile(&case.program.text).and_then(|kernel| {
            kernel.run(targets.fold(case.args(&kernel), |args, (target, name)| args.output_named(name, target)))
        });
        found.map_err(|error| format!("fails in code alone: {}", error.render()))?;
        for (((name, view), array), before) in views.iter().zip(&arrays).zip(&before) {
            same_elements(name, view, &array.elements())?;
            array.is_clean(before).then_some(()).ok_or_else(|| format!("{name} is written beside its elements"))?;
        }
        Ok(())
    }
}

/// How many cases, and the first.
fn extent_of_test(count: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    (number("SEED").unwrap_or(0), number("PROGRAMS").unwrap_or(count))
}

#[test]
fn programs_agree() {
    let engines = Engines::new(&CUTS);
    let (first, count) = extent_of_test(300);
    let (start, tried, run) = (Instant::now(), Cell::new(0_u64), Cell::new(0_u64));
    // What kills the process or never ends is the last that was shown.
    let shows = std::env::var_os("SHOW").is_some();
    let test = |case: &Case| {
        if shows {
            println!("{}", case.show());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| engines.check(case)));
        let ran = outcome.unwrap_or_else(|_| Err("a panic".to_owned()))?;
        tried.set(tried.get() + 1);
        run.set(run.get() + u64::from(ran));
        if tried.get().is_multiple_of(10_000) || tried.get() == count {
            let each = start.elapsed().as_secs_f64() / tried.get() as f64;
            println!("{} programs from {first} on, {} of them run, {:.0} a second", tried.get(), run.get(), 1.0 / each);
        }
        Ok(())
    };
    choices::check(first, count, Case::new, test, Case::show);
}

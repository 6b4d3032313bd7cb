//! Programs of statements to times: loops, branches and neighbours beside loops in Rust, what a turn's count costs, how long large
//! texts compile, how soon a run that is cancelled ends.

use std::error::Error;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use numlift::{Args, Backend, Cancel, DType, Engine, Kernel, Schema, View};

use crate::Filter;
use crate::array::Array;
use crate::machine::Machine;
use crate::peers::{self, Workers};
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, Samples, race};
use crate::workloads::Case;

const TURNS: usize = 15;
const TURN: Duration = Duration::from_millis(20);

const COLUMNS: [(&str, usize); 6] =
    [("program", 30), ("contender", 26), ("threads", 8), ("us", 10), ("best us", 10), ("of the first", 13)];

/// Where the figures go.
struct Table<'a> {
    record: Record,
    filter: &'a Filter,
}

pub(crate) fn measure(machine: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    if !peers::are_supported() {
        return Err(format!("the loops beside numlift are compiled for {}", peers::ISA).into());
    }
    head(&COLUMNS);
    let record = Record::new("programs", "program,contender,threads,turns,us,best_us,of_the_first");
    let mut table = Table { record, filter };
    mandelbrot(&mut table)?;
    heat(machine, &mut table)?;
    sides(&mut table)?;
    turns(&mut table)?;
    compile(&mut table)?;
    cancel(&mut table)?;
    Ok(Records::of(table.record))
}

impl Table<'_> {
    /// Races the contenders; each is put beside the first.
    fn race<S>(&mut self, program: &str, threads: usize, state: &mut S, contenders: &[Contender<'_, S>]) {
        if !self.filter.takes(program) {
            return;
        }
        let clock = if threads == 1 { Clock::Thread } else { Clock::Wall };
        let samples = race(state, contenders, TURNS, TURN, clock);
        for (contender, sample) in contenders.iter().zip(&samples) {
            self.push(program, contender.name, threads, sample, sample.over(&samples[0]));
        }
    }

    fn push(&mut self, program: &str, contender: &str, threads: usize, samples: &Samples, ratio: f64) {
        let times = [digits(samples.median() / 1e3), digits(samples.best() / 1e3), format!("{ratio:.3}")];
        let who = [program.to_owned(), contender.to_owned(), threads.to_string()];
        row(&COLUMNS, &[&who[..], &times[..]].concat());
        self.record.push(&[&who[..], &[samples.0.len().to_string()], &times[..]].concat());
    }
}

/// The engines whose code is compared, with one thread.
fn engines() -> Result<Vec<(&'static str, Engine)>, numlift::Error> {
    let backends = [("Cranelift, 128 bits", Backend::Cranelift), ("x64, 256 bits", Backend::X64)];
    let engine = |(name, backend)| Ok((name, Engine::builder().threads(1).backend(backend).build()?));
    backends.into_iter().map(engine).collect()
}

/// Runs a kernel on the case's arrays, which are matrices of such rows.
fn kernel<'a>(
    name: &'static str,
    kernel: Kernel,
    columns: usize,
    names: &'a [&'a str],
    scalars: &'a [(&'a str, f64)],
) -> Contender<'a, Case> {
    let run = move |case: &mut Case, repeats| {
        let shape = [case.output.len() / columns, columns];
        for _ in 0..repeats {
            let arrays = names.iter().zip(&case.inputs);
            let args = arrays.fold(Args::new(), |args, (name, array)| args.input(name, array.view().shape(shape)));
            let args = scalars.iter().fold(args, |args, (name, value)| args.input(name, value));
            kernel.run(args.output(case.output.view_mut().shape(shape))).expect("the kernel runs");
        }
    };
    Contender { name, run: Box::new(run) }
}

fn rust<'a>(peer: peers::Peer, workers: &'a Workers) -> Contender<'a, Case> {
    Contender { name: "Rust loop", run: Box::new(move |case, repeats| (0..repeats).for_each(|_| peer(case, workers))) }
}

// -- loops and neighbours --

const MANDELBROT: &str = "
    kernel mandelbrot(cr: f32, ci: f32) -> (n) {
        zr, zi, n = 0f32, 0f32, 0i32
        while n < 256 and zr*zr + zi*zi <= 4 {
            zr, zi = zr*zr - zi*zi + cr, 2*zr*zi + ci
            n += 1
        }
    }
";

/// Points of the plane around the set, rows of so many.
fn points(columns: usize) -> Case {
    let mut inputs = [0, 1].map(|_| Array::zeroed(DType::F32, columns * columns));
    for (axis, (array, (low, high))) in inputs.iter_mut().zip([(-2.25, 0.75), (-1.25, 1.25)]).enumerate() {
        for (k, place) in array.slice_mut::<f32>().iter_mut().enumerate() {
            let at = if axis == 0 { k % columns } else { k / columns };
            *place = low + (high - low) * at as f32 / columns as f32;
        }
    }
    Case { inputs: inputs.into(), output: Array::zeroed(DType::I32, columns * columns) }
}

fn mandelbrot(table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    const SIDE: usize = 512;
    let (mut case, workers) = (points(SIDE), Workers::new(1));
    let mut contenders = Vec::new();
    for (name, engine) in engines()? {
        contenders.push(kernel(name, engine.compile(MANDELBROT)?, SIDE, &["cr", "ci"], &[]));
    }
    contenders.push(rust(peers::mandelbrot32, &workers));
    table.race("Mandelbrot f32 512x512 x256", 1, &mut case, &contenders);
    Ok(())
}

const HEAT: &str = "
    kernel heat(u: f64[2] boundary(edge), alpha: uniform f64) -> (v) over (i, j) {
        v = u[i,j] + alpha * (u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u[i,j])
    }
";

fn heat(machine: &Machine, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    for (side, threads) in [(2048, machine.cores), (2048, 1), (512, 1), (128, 1)] {
        let program = format!("heat f64 {side}x{side}");
        let workers = Workers::new(threads);
        let engine = Engine::builder().threads(threads).build()?;
        let first = Array::random(DType::F64, side * side, (0.0, 1.0), 1);
        let mut case = Case { inputs: vec![first], output: Array::zeroed(DType::F64, side * side) };
        let contenders =
            [kernel("numlift", engine.compile(HEAT)?, side, &["u"], &[("alpha", 0.1)]), rust(peers::heat, &workers)];
        table.race(&program, threads, &mut case, &contenders);
        steps(&format!("{program}, 20 steps"), threads, &engine, side, table)?;
    }
    Ok(())
}

/// The same again and again, each time on what came before.
fn steps(
    program: &str,
    threads: usize,
    engine: &Engine,
    side: usize,
    table: &mut Table<'_>,
) -> Result<(), Box<dyn Error>> {
    const STEPS: usize = 20;
    let (kernel, workers) = (engine.compile(HEAT)?, Workers::new(threads));
    let first = Array::random(DType::F64, side * side, (0.0, 1.0), 1);
    let mut case = Case { inputs: vec![first], output: Array::zeroed(DType::F64, side * side) };
    let contenders: [Contender<'_, Case>; 2] = [
        Contender {
            name: "iterate",
            run: Box::new(|case, repeats| {
                for _ in 0..repeats {
                    let state = case.output.view_mut().shape([side, side]);
                    kernel.iterate(STEPS, Args::new().inout("u", state).input("alpha", &0.1)).expect("the kernel runs");
                }
            }),
        },
        Contender {
            name: "Rust loop",
            run: Box::new(|case, repeats| {
                for _ in 0..repeats * STEPS {
                    peers::heat(case, &workers);
                    let Case { inputs, output } = case;
                    std::mem::swap(&mut inputs[0], output);
                }
            }),
        },
    ];
    table.race(program, threads, &mut case, &contenders);
    Ok(())
}

// -- branches, turns --

/// A side that costs, where it is taken and where no element takes it; and the program without it.
fn sides(table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    const LEN: usize = 16 * 1024;
    let text = "y = x\nif x > least { y = gamma(x) * erfc(x) + atan2(x, 1 + sinh(x)) }\ny";
    let mut case =
        Case { inputs: vec![Array::random(DType::F64, LEN, (0.1, 1.0), 1)], output: Array::zeroed(DType::F64, LEN) };
    for (name, engine) in engines()? {
        let compiled = engine.compile(text)?;
        let contenders = [
            kernel("no element takes the side", compiled.clone(), LEN, &["x"], &[("least", 2.0)]),
            kernel("all elements take it", compiled, LEN, &["x"], &[("least", 0.0)]),
            kernel("a program without it", engine.compile("y = x * 1\ny")?, LEN, &["x"], &[]),
        ];
        table.race(&format!("a costly side, {name}"), 1, &mut case, &contenders);
    }
    Ok(())
}

/// 256 steps, one a turn or two: the second has half the turns to count, test and jump, and the same arithmetic. What the first
/// takes more is no less than what half of that costs.
fn turns(table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    const LEN: usize = 64 * 64;
    let step = "x, y = x*x - y*y + cr, 2*x*y + ci\n";
    let text =
        |steps: usize| format!("x, y = 0f32, 0f32\nfor k in 0..{} {{\n{}}}\nx + y", 256 / steps, step.repeat(steps));
    // Points that stay.
    let inputs = [1, 2].map(|seed| Array::random(DType::F32, LEN, (-0.2, 0.2), seed));
    let mut case = Case { inputs: inputs.into(), output: Array::zeroed(DType::F32, LEN) };
    for (name, engine) in engines()? {
        let counted =
            |name, steps| Ok::<_, numlift::Error>(kernel(name, engine.compile(&text(steps))?, LEN, &["cr", "ci"], &[]));
        let contenders = [counted("two steps a turn", 2)?, counted("one step a turn", 1)?];
        table.race(&format!("what turns cost, {name}"), 1, &mut case, &contenders);
    }
    Ok(())
}

// -- large texts --

fn compile(table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let ifs = |count: usize| -> String {
        let one = |k: usize| format!("if x > {k} {{ n += {k} }} else {{ n -= 1 }}\n");
        format!("n = 0i32\n{}", (0..count).map(one).collect::<String>())
    };
    let nest = |depth: usize| {
        let open: String = (0..depth).map(|k| format!("for i{k} in 0..2 {{\n")).collect();
        format!("n = 0i32\n{open}n += x\n{}", "}\n".repeat(depth))
    };
    let lines: String = (0..400).map(|k| format!("    if n % {} == 0 {{ n = n + x * {k} }}\n", k % 7 + 1)).collect();
    let texts = [
        ("a nest of 5 loops", nest(5)),
        ("a nest of 10 loops", nest(10)),
        ("500 ifs", ifs(500)),
        ("1000 ifs", ifs(1000)),
        ("a kernel of 400 lines", format!("kernel long(x: i32) -> (n) {{\n    n = 0i32\n{lines}}}")),
    ];
    for (name, engine) in engines()? {
        let compile = |text: &str| {
            let schema = Schema::new().array("x", DType::I32, 1);
            engine.compile(text).and_then(|kernel| kernel.prepare(&schema)).expect("the program compiles");
        };
        let contender = |(name, text): &(&'static str, String)| {
            let text = text.clone();
            Contender { name, run: Box::new(move |(): &mut (), repeats| (0..repeats).for_each(|_| compile(&text))) }
        };
        let contenders: Vec<Contender<'_, ()>> = texts.iter().map(contender).collect();
        table.race(&format!("compile, {name}"), 1, &mut (), &contenders);
    }
    Ok(())
}

// -- stops --

/// From the call that cancels to the end of the run, inside a loop that nothing else ends.
fn cancel(table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let x = vec![1_i32; 100_000];
    for (name, engine) in engines()? {
        let program = format!("cancel, {name}");
        if !table.filter.takes(&program) {
            continue;
        }
        let kernel = engine.compile("n = x\nwhile True { n += 1 }")?;
        let latency = |_| {
            let (cancel, cancelled) = (Cancel::new(), Mutex::new(None));
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(5));
                    *cancelled.lock().expect("no panic") = Some(Instant::now());
                    cancel.cancel();
                });
                kernel.eval(Args::new().input("x", View::new(&x)).cancel(&cancel)).expect_err("the loop has no end");
            });
            let since = cancelled.into_inner().expect("no panic").expect("it was cancelled");
            since.elapsed().as_nanos() as f64
        };
        let samples = Samples((0..TURNS).map(latency).collect());
        let longest = Samples(vec![samples.0.iter().copied().fold(0.0, f64::max)]);
        table.push(&program, "from cancel to the end", 1, &samples, 1.0);
        table.push(&program, "the longest", 1, &longest, longest.median() / samples.median());
    }
    Ok(())
}

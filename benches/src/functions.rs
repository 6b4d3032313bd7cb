//! Each function of mathematics to time an element in the second cache, beside the same function of Rust's library or `libm`.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use numlift::{Accuracy, Backend, Bound, DType, Element, Engine, Schema, View};

use crate::Filter;
use crate::array::Array;
use crate::machine::Machine;
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, Samples, race};
use crate::workloads::Case;

const TURNS: usize = 11;
const TURN: Duration = Duration::from_millis(2);

/// A function of one or two numbers in Rust.
#[derive(Clone, Copy)]
enum Call<T> {
    One(fn(T) -> T),
    Two(fn(T, T) -> T),
}

struct Function {
    formula: &'static str,
    /// Where x is; y, where there is one, too.
    range: (f64, f64),
    /// Whose the functions beside it are.
    peer: &'static str,
    f64: Call<f64>,
    f32: Call<f32>,
}

const fn one(
    formula: &'static str,
    range: (f64, f64),
    peer: &'static str,
    f64: fn(f64) -> f64,
    f32: fn(f32) -> f32,
) -> Function {
    Function { formula, range, peer, f64: Call::One(f64), f32: Call::One(f32) }
}

const fn two(
    formula: &'static str,
    range: (f64, f64),
    peer: &'static str,
    f64: fn(f64, f64) -> f64,
    f32: fn(f32, f32) -> f32,
) -> Function {
    Function { formula, range, peer, f64: Call::Two(f64), f32: Call::Two(f32) }
}

const FUNCTIONS: &[Function] = &[
    one("exp(x)", (-10.0, 10.0), "std", f64::exp, f32::exp),
    one("exp2(x)", (-10.0, 10.0), "std", f64::exp2, f32::exp2),
    one("exp10(x)", (-10.0, 10.0), "libm", libm::exp10, libm::exp10f),
    one("expm1(x)", (-2.0, 2.0), "std", f64::exp_m1, f32::exp_m1),
    one("log(x)", (0.001, 1000.0), "std", f64::ln, f32::ln),
    one("log2(x)", (0.001, 1000.0), "std", f64::log2, f32::log2),
    one("log10(x)", (0.001, 1000.0), "std", f64::log10, f32::log10),
    one("log1p(x)", (-0.5, 2.0), "std", f64::ln_1p, f32::ln_1p),
    one("sin(x)", (-10.0, 10.0), "std", f64::sin, f32::sin),
    one("cos(x)", (-10.0, 10.0), "std", f64::cos, f32::cos),
    one("tan(x)", (-10.0, 10.0), "std", f64::tan, f32::tan),
    one("asin(x)", (-1.0, 1.0), "std", f64::asin, f32::asin),
    one("acos(x)", (-1.0, 1.0), "std", f64::acos, f32::acos),
    one("atan(x)", (-5.0, 5.0), "std", f64::atan, f32::atan),
    one("sinh(x)", (-5.0, 5.0), "std", f64::sinh, f32::sinh),
    one("cosh(x)", (-5.0, 5.0), "std", f64::cosh, f32::cosh),
    one("tanh(x)", (-5.0, 5.0), "std", f64::tanh, f32::tanh),
    one("asinh(x)", (-5.0, 5.0), "libm", libm::asinh, libm::asinhf),
    one("acosh(x)", (1.0, 10.0), "libm", libm::acosh, libm::acoshf),
    one("atanh(x)", (-0.9, 0.9), "libm", libm::atanh, libm::atanhf),
    one("cbrt(x)", (-100.0, 100.0), "std", f64::cbrt, f32::cbrt),
    one("rsqrt(x)", (0.001, 1000.0), "std", |x| 1.0 / x.sqrt(), |x| 1.0 / x.sqrt()),
    one("sigmoid(x)", (-5.0, 5.0), "std", |x| 1.0 / (1.0 + (-x).exp()), |x| 1.0 / (1.0 + (-x).exp())),
    one("erf(x)", (-3.0, 3.0), "libm", libm::erf, libm::erff),
    one("erfc(x)", (-3.0, 6.0), "libm", libm::erfc, libm::erfcf),
    one("gamma(x)", (0.1, 30.0), "libm", libm::tgamma, libm::tgammaf),
    one("lgamma(x)", (0.1, 100.0), "libm", libm::lgamma, libm::lgammaf),
    two("x ** y", (0.1, 5.0), "std", f64::powf, f32::powf),
    two("atan2(x, y)", (-5.0, 5.0), "std", f64::atan2, f32::atan2),
    two("hypot(x, y)", (-5.0, 5.0), "std", f64::hypot, f32::hypot),
];

const COLUMNS: [(&str, usize); 10] = [
    ("formula", 14),
    ("dtype", 6),
    ("peer", 6),
    ("peer ns", 9),
    ("ns", 8),
    ("peer/", 8),
    ("128-bit ns", 12),
    ("peer/", 8),
    ("fast ns", 9),
    ("ns/fast", 9),
];

/// A column `peer/` says how many times as long the peer's loop takes, `ns/fast` how many times as long as where the accuracy
/// may be less; functions that the language lacks are left out.
pub(crate) fn measure(machine: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    let header = "formula,dtype,elements,peer,peer_ns,ns,peer_over_numlift,cranelift_ns,peer_over_cranelift,fast_ns,ns_over_fast";
    let mut record = Record::new("functions", header);
    head(&COLUMNS);
    let best = Engine::builder().threads(1).build()?;
    let narrow = Engine::builder().threads(1).backend(Backend::Cranelift).build()?;
    let fast = Engine::builder().threads(1).accuracy(Accuracy::Fast).build()?;
    let engines = [&best, &narrow, &fast];
    for function in FUNCTIONS.iter().filter(|function| filter.takes(function.formula)) {
        let name = function.formula.split('(').next().expect("a split has a first part");
        if function.formula.contains('(') && !best.functions().iter().any(|known| known.name() == name) {
            continue;
        }
        for dtype in [DType::F64, DType::F32] {
            let arrays = if matches!(function.f64, Call::Two(_)) { 3 } else { 2 };
            let n = machine.caches[1] / 2 / arrays / dtype.size() / 64 * 64;
            let figures = match dtype {
                DType::F32 => time(function, function.f32, n, engines)?,
                _ => time(function, function.f64, n, engines)?,
            };
            let [peer, ns, narrow, fast] = figures.times.map(|ns| ns / n as f64);
            let [over, over_narrow, over_fast] = figures.ratios;
            let cells =
                |more: [String; 7]| [vec![function.formula.to_owned(), dtype.to_string()], more.to_vec()].concat();
            let [over, over_narrow, over_fast] = [over, over_narrow, over_fast].map(|ratio| format!("{ratio:.2}"));
            let figures = [digits(peer), digits(ns), over, digits(narrow), over_narrow, digits(fast), over_fast];
            let mut shown = cells(figures.clone());
            shown.insert(2, function.peer.to_owned());
            row(&COLUMNS, &shown);
            let mut line = cells(figures);
            line.splice(2..2, [n.to_string(), function.peer.to_owned()]);
            record.push(&line);
        }
    }
    Ok(Records::of(record))
}

struct Figures {
    /// Nanoseconds of the peer, the best backend, the one of 128 bits, and the best with less accuracy.
    times: [f64; 4],
    /// The peer's time over that of the backends, and the best one's over that with less accuracy.
    ratios: [f64; 3],
}

fn time<T: Element + Into<f64>>(
    function: &Function,
    call: Call<T>,
    n: usize,
    engines: [&Engine; 3],
) -> Result<Figures, Box<dyn Error>> {
    let names: &[&str] = if matches!(call, Call::Two(_)) { &["x", "y"] } else { &["x"] };
    let schema = names.iter().fold(Schema::new(), |schema, name| schema.array(name, T::DTYPE, 1));
    let bind = |engine: &Engine| engine.compile(function.formula)?.bind(&schema);
    let bounds = [bind(engines[0])?, bind(engines[1])?, bind(engines[2])?];
    let inputs = (0..names.len() as u64).map(|k| Array::random(T::DTYPE, n, function.range, k + 1)).collect();
    let mut case = Case { inputs, output: Array::zeroed(T::DTYPE, n) };
    check(function, call, &bounds[0], &mut case)?;
    let engine = |bound: &Bound, case: &mut Case, repeats: usize| {
        let Case { inputs, output } = case;
        let inputs: Vec<View<'_>> = inputs.iter().map(Array::view).collect();
        let mut outputs = [output.view_mut()];
        (0..repeats).for_each(|_| bound.run(black_box(&inputs), &mut outputs).expect("the kernel runs"));
    };
    let contenders = [
        Contender {
            name: function.peer,
            run: Box::new(move |case: &mut Case, repeats| (0..repeats).for_each(|_| plain(call, black_box(case)))),
        },
        Contender { name: "numlift", run: Box::new(|case, repeats| engine(&bounds[0], case, repeats)) },
        Contender { name: "numlift, 128-bit", run: Box::new(|case, repeats| engine(&bounds[1], case, repeats)) },
        Contender { name: "numlift, fast", run: Box::new(|case, repeats| engine(&bounds[2], case, repeats)) },
    ];
    let samples = race(&mut case, &contenders, TURNS, TURN, Clock::Thread);
    let [peer, ns, narrow, fast] = &samples[..] else { panic!("four contenders") };
    Ok(Figures {
        times: [peer, ns, narrow, fast].map(Samples::median),
        ratios: [peer.over(ns), peer.over(narrow), ns.over(fast)],
    })
}

fn plain<T: Element>(call: Call<T>, case: &mut Case) {
    let Case { inputs, output } = case;
    let (x, out) = (inputs[0].slice::<T>(), output.slice_mut::<T>());
    match call {
        Call::One(f) => out.iter_mut().zip(x).for_each(|(out, x)| *out = f(*x)),
        Call::Two(f) => {
            let y = inputs[1].slice::<T>();
            out.iter_mut().zip(x.iter().zip(y)).for_each(|(out, (x, y))| *out = f(*x, *y));
        }
    }
}

/// Fails unless numlift gives what the peer gives, but for some units of the last place or of 1.
fn check<T: Element + Into<f64>>(
    function: &Function,
    call: Call<T>,
    bound: &Bound,
    case: &mut Case,
) -> Result<(), Box<dyn Error>> {
    plain(call, case);
    let expected = case.output.clone();
    let inputs: Vec<View<'_>> = case.inputs.iter().map(Array::view).collect();
    bound.run(&inputs, &mut [case.output.view_mut()])?;
    let tolerance = if T::DTYPE == DType::F32 { 1e-5 } else { 1e-13 };
    for (expected, found) in expected.slice::<T>().iter().zip(case.output.slice::<T>()) {
        let (expected, found): (f64, f64) = ((*expected).into(), (*found).into());
        if (expected - found).abs() > tolerance * expected.abs().max(1.0) {
            return Err(
                format!("{} gives {found:?}, the {} library {expected:?}", function.formula, function.peer).into()
            );
        }
    }
    Ok(())
}

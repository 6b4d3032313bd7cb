//! Reductions and scans to bytes a second, beside loops by hand that read the same memory, or copy it, and do nothing.

use std::error::Error;
use std::time::Duration;

use numlift::{Bound, DType, Engine, Schema, View, ViewMut};

use crate::Filter;
use crate::array::Array;
use crate::machine::Machine;
use crate::peers::{self, Peer, Workers, limits};
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, race};
use crate::workloads::Case;

const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(20);

/// Whole rows of all shapes but the widest.
const STEP: usize = 384;

/// Elements that no cache holds: whole rows of each of the shapes.
const BEYOND: usize = 1365 * 24_576;

struct Formula {
    name: &'static str,
    text: &'static str,
    inputs: &'static [&'static str],
    dtype: DType,
    /// Elements of a row, if the arrays are matrices.
    columns: Option<usize>,
    output: Output,
    plain: Option<Peer>,
}

/// What comes of `n` elements.
#[derive(Clone, Copy, PartialEq)]
enum Output {
    All,
    One,
    /// One for each row.
    Rows,
    /// One for each column.
    Columns,
}

const SOFTMAX: &str = "e = exp(x - max(x, axis=1, keepdims=True)); e / sum(e, axis=1, keepdims=True)";

const fn formula(
    name: &'static str,
    text: &'static str,
    dtype: DType,
    columns: Option<usize>,
    output: Output,
) -> Formula {
    Formula { name, text, inputs: &["x"], dtype, columns, output, plain: None }
}

const FORMULAS: &[Formula] = &[
    Formula {
        name: "sum(a*b)",
        text: "sum(a*b)",
        inputs: &["a", "b"],
        dtype: DType::F64,
        columns: None,
        output: Output::One,
        plain: Some(peers::dot),
    },
    formula("sum(x) f64", "sum(x)", DType::F64, None, Output::One),
    formula("sum(x) f32", "sum(x)", DType::F32, None, Output::One),
    formula("max(x)", "max(x)", DType::F64, None, Output::One),
    formula("rows of 3", "sum(x, axis=1)", DType::F64, Some(3), Output::Rows),
    formula("rows of 128", "sum(x, axis=1)", DType::F64, Some(128), Output::Rows),
    formula("64 columns", "sum(x, axis=0)", DType::F64, Some(64), Output::Columns),
    formula("3 columns", "sum(x, axis=0)", DType::F64, Some(3), Output::Columns),
    Formula {
        plain: Some(peers::standard_score),
        ..formula("standard score", "(x - mean(x)) / std(x)", DType::F64, None, Output::All)
    },
    formula("softmax f64", SOFTMAX, DType::F64, Some(128), Output::All),
    formula("softmax f32", SOFTMAX, DType::F32, Some(128), Output::All),
    formula("cumsum", "cumsum(x)", DType::F64, None, Output::All),
    formula("cumsum f32", "cumsum(x)", DType::F32, None, Output::All),
    formula("cumsum i64", "cumsum(x)", DType::I64, None, Output::All),
    formula("cumprod", "cumprod(x)", DType::F64, None, Output::All),
    formula("cummax", "cummax(x)", DType::F64, None, Output::All),
    formula("cummin f32", "cummin(x)", DType::F32, None, Output::All),
    formula("cumsum of exp", "cumsum(exp(x))", DType::F64, None, Output::All),
    formula("cumsum of rows", "cumsum(x, axis=1)", DType::F64, Some(128), Output::All),
    formula("cumsum of columns", "cumsum(x, axis=0)", DType::F64, Some(64), Output::All),
    formula("cumsum of wide columns", "cumsum(x, axis=0)", DType::F64, Some(4096), Output::All),
];

impl Formula {
    fn shape(&self, n: usize) -> Vec<usize> {
        self.columns.map_or(vec![n], |columns| vec![n / columns, columns])
    }

    fn output_shape(&self, n: usize) -> Vec<usize> {
        let columns = self.columns.unwrap_or(1);
        match self.output {
            Output::All => self.shape(n),
            Output::One => Vec::new(),
            Output::Rows => vec![n / columns],
            Output::Columns => vec![columns],
        }
    }

    fn case(&self, n: usize) -> Case {
        let inputs = (0..self.inputs.len()).map(|k| Array::random(self.dtype, n, (-1.0, 1.0), k as u64 + 1));
        let len = self.output_shape(n).iter().product();
        Case { inputs: inputs.collect(), output: Array::zeroed(self.dtype, len) }
    }

    fn bound(&self, threads: usize) -> Result<Bound, Box<dyn Error>> {
        let rank = self.columns.map_or(1, |_| 2);
        let schema = self.inputs.iter().fold(Schema::new(), |schema, name| schema.array(name, self.dtype, rank));
        Ok(Engine::builder().threads(threads).build()?.compile(self.text)?.bind(&schema)?)
    }

    fn run(&self, bound: &Bound, case: &mut Case) {
        let n = case.inputs[0].len();
        let inputs: Vec<View<'_>> = case.inputs.iter().map(|array| array.view().shape(self.shape(n))).collect();
        let output: ViewMut<'_> = case.output.view_mut().shape(self.output_shape(n));
        bound.run(&inputs, &mut [output]).expect("the kernel runs");
    }
}

const COLUMNS: [(&str, usize); 8] = [
    ("formula", 22),
    ("elements", 10),
    ("threads", 8),
    ("ns/elem", 9),
    ("GB/s", 8),
    ("limit GB/s", 12),
    ("of limit", 10),
    ("/Rust", 8),
];

/// The limit of what gives as much as it takes is a copy, of others the reading alone: `of limit` is the limit's time over ours.
pub(crate) fn measure(machine: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    if !peers::are_supported() {
        return Err(format!("the loops beside numlift are compiled for {}", peers::ISA).into());
    }
    let header =
        "formula,text,elements,threads,engine,turns,ns_per_element,best_ns_per_element,gb_per_s,share_of_limit";
    let mut record = Record::new("reductions", header);
    head(&COLUMNS);
    for formula in FORMULAS.iter().filter(|formula| filter.takes(formula.name)) {
        let arrays = formula.inputs.len() + usize::from(formula.output == Output::All);
        // Whole rows.
        let step = formula.columns.filter(|columns| !STEP.is_multiple_of(*columns)).unwrap_or(STEP);
        let second = machine.caches[1] / 2 / arrays / formula.dtype.size() / step * step;
        for (n, threads) in [(second, 1), (BEYOND, 1), (BEYOND, machine.cores)] {
            one(formula, n, threads, &mut record)?;
        }
    }
    Ok(Records::of(record))
}

fn one(formula: &Formula, n: usize, threads: usize, record: &mut Record) -> Result<(), Box<dyn Error>> {
    let (bound, workers) = (formula.bound(threads)?, Workers::new(threads));
    let (bound, workers) = (&bound, &workers);
    let mut case = formula.case(n);
    // The limit counts bytes of outputs by elements of the inputs.
    let mut contenders = vec![
        Contender {
            name: "numlift",
            run: Box::new(move |case: &mut Case, repeats| (0..repeats).for_each(|_| formula.run(bound, case))),
        },
        Contender {
            name: "limit",
            run: Box::new(move |case: &mut Case, repeats| (0..repeats).for_each(|_| limits::traffic(case, workers))),
        },
    ];
    if let Some(plain) = formula.plain {
        let run = move |case: &mut Case, repeats| (0..repeats).for_each(|_| plain(case, workers));
        contenders.push(Contender { name: "Rust loop", run: Box::new(run) });
    }
    let clock = if threads == 1 { Clock::Thread } else { Clock::Wall };
    let times = race(&mut case, &contenders, TURNS, TURN, clock);
    let bytes = case.inputs.iter().map(|array| array.bytes().len()).sum::<usize>();
    let bytes = bytes + if formula.output == Output::All { case.output.bytes().len() } else { 0 };
    let speed = |ns: f64| bytes as f64 / ns;
    let plain = times.get(2).map_or(String::new(), |plain| format!("{:.2}", times[0].over(plain)));
    let share = times[1].over(&times[0]);
    let cells = [
        formula.name.to_owned(),
        n.to_string(),
        threads.to_string(),
        digits(times[0].median() / n as f64),
        digits(speed(times[0].median())),
        digits(speed(times[1].median())),
        format!("{:.0} %", 100.0 * share),
        plain,
    ];
    row(&COLUMNS, &cells);
    for (contender, time) in contenders.iter().zip(&times) {
        record.push(&[
            formula.name.to_owned(),
            formula.text.to_owned(),
            n.to_string(),
            threads.to_string(),
            contender.name.to_owned(),
            time.0.len().to_string(),
            digits(time.median() / n as f64),
            digits(time.best() / n as f64),
            digits(speed(time.median())),
            format!("{:.3}", times[1].over(time)),
        ]);
    }
    Ok(())
}

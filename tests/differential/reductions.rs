//! Random formulas with reductions and scans in them, over arrays of several blocks that lie in all ways.

use numlift::{Args, Backend, DType, View};

use super::choices::{Choices, Random, check};
use super::{Engines, agree, extent_of_test};

/// How an array lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// In C order.
    Rows,
    /// The first axis fastest.
    Columns,
    /// In C order, the last axis from its end, two elements apart.
    Apart,
}

/// Which of the case's axes an array has, of one element or all.
#[derive(Clone, Copy, Debug)]
enum Extent {
    Whole,
    First,
    Last,
    One,
}

#[derive(Clone, Debug)]
struct Given {
    dtype: DType,
    shape: Vec<usize>,
    strides: Vec<isize>,
    bytes: Vec<u8>,
}

/// Domains of less than a block, of some blocks, of short and long axes, and of nothing.
const DOMAINS: [&[usize]; 12] =
    [&[], &[1], &[37], &[4096], &[8200], &[3, 37], &[4100, 3], &[130, 70], &[3, 4200], &[2, 5, 300], &[0], &[3, 0]];

/// Numbers of which products and sums stay finite now and then, few of them special.
fn bits(dtype: DType, random: u64) -> u64 {
    let small = (random >> 32) as i64 % 41 - 20;
    let special = random.is_multiple_of(509);
    match dtype {
        DType::Bool => random >> 17 & 1,
        DType::F32 if special => {
            u64::from([f32::NAN, f32::INFINITY, -0.0, 1e-40][(random >> 20) as usize % 4].to_bits())
        }
        DType::F64 if special => [f64::NAN, f64::NEG_INFINITY, -0.0, 5e-324][(random >> 20) as usize % 4].to_bits(),
        DType::F32 => u64::from((small as f32 / 8.0 + (random as u16 as f32) * 1e-9).to_bits()),
        DType::F64 => (small as f64 / 8.0 + (random as u32 as f64) * 1e-17).to_bits(),
        _ if special => random,
        _ => small as u64,
    }
}

impl Given {
    fn new(domain: &[usize], extent: Extent, layout: Layout, dtype: DType, mut random: Random) -> Given {
        let shape: Vec<usize> = match extent {
            Extent::Whole => domain.to_vec(),
            Extent::First => domain.iter().enumerate().map(|(axis, n)| if axis == 0 { *n } else { 1 }).collect(),
            Extent::Last => domain.last().copied().into_iter().collect(),
            Extent::One => Vec::new(),
        };
        let (size, rank) = (dtype.size(), shape.len());
        let axes: Vec<usize> = match layout {
            Layout::Rows | Layout::Apart => (0..rank).rev().collect(),
            Layout::Columns => (0..rank).collect(),
        };
        let mut step = if matches!(layout, Layout::Apart) { 2 * size } else { size };
        let (mut strides, unit) = (vec![0; rank], step);
        for axis in axes {
            strides[axis] = step as isize;
            step *= shape[axis];
        }
        if let (Layout::Apart, Some(stride)) = (layout, strides.last_mut()) {
            *stride = -*stride;
        }
        let elements = (step / size + unit) as u64;
        let bytes = (0..elements).flat_map(|_| bits(dtype, random.bits()).to_le_bytes()[..size].to_vec()).collect();
        Given { dtype, shape, strides, bytes }
    }

    fn view(&self) -> View<'_> {
        View::from_bytes(self.dtype, &self.bytes, &self.shape, &self.strides).expect("bytes of the shape")
    }
}

const NAMES: [&str; 4] = ["x", "y", "z", "w"];

fn given(choices: &mut Choices, domain: &[usize]) -> Given {
    let extent = choices.of(&[Extent::Whole, Extent::Whole, Extent::First, Extent::Last, Extent::One]);
    let layout = choices.of(&[Layout::Rows, Layout::Rows, Layout::Columns, Layout::Apart]);
    let dtype = choices.of(&DType::ALL);
    Given::new(domain, extent, layout, dtype, Random(choices.below(1 << 20) as u64))
}

const FOLDS: [&str; 19] = [
    "sum",
    "prod",
    "min",
    "max",
    "mean",
    "any",
    "all",
    "count_nonzero",
    "argmin",
    "argmax",
    "ptp",
    "var",
    "std",
    "norm",
    "logsumexp",
    "nansum",
    "nanmin",
    "nanmax",
    "nanmean",
];

fn fold(choices: &mut Choices, depth: usize) -> String {
    let (name, operand) = (choices.of(&FOLDS), expression(choices, depth));
    let axis = choices.of(&["", "", ", axis=0", ", axis=-1", ", axis=(0, 1)", ", axis=None", ", axis=1"]);
    let keeps = choices.of(&["", "", ", keepdims=True"]);
    let extra = ["", "", "", "", ", where=x > 0", ", initial=3", ", where=y < 2, initial=1", ", ddof=1"];
    format!("{name}({operand}{axis}{keeps}{})", choices.of(&extra))
}

fn expression(choices: &mut Choices, depth: usize) -> String {
    if depth == 0 {
        return match choices.below(7) {
            6 => choices.of(&["2", "0.5", "-1", "True"]).to_owned(),
            _ => choices.of(&NAMES).to_owned(),
        };
    }
    let depth = depth - 1;
    match choices.below(14) {
        0..2 => expression(choices, 0),
        2..6 => fold(choices, depth),
        6 => {
            let (name, operand) = (choices.of(&["cumsum", "cumprod", "cummax", "cummin"]), expression(choices, depth));
            format!("{name}({operand}{})", choices.of(&["", ", axis=0", ", axis=-1"]))
        }
        7..10 => {
            let (a, operator) = (expression(choices, depth), choices.of(&["+", "-", "*", "/", "<"]));
            format!("({a} {operator} {})", expression(choices, depth))
        }
        10 => format!("{}({})", choices.of(&["exp", "abs", "sqrt", "f32", "i64"]), expression(choices, depth)),
        11 => {
            let x = expression(choices, depth);
            format!("(({x}) - mean({x})) / std({x})")
        }
        12 => {
            let x = expression(choices, depth);
            format!("exp(({x}) - {}({x}, axis=-1, keepdims=True))", choices.of(&["max", "min", "sum"]))
        }
        _ => {
            let (c, a) = (expression(choices, depth), expression(choices, depth));
            format!("where({c}, {a}, {})", expression(choices, depth))
        }
    }
}

fn program(choices: &mut Choices) -> String {
    let kind = choices.below(6);
    let x = expression(choices, 4);
    match kind {
        0..3 => x,
        3 => format!("{x}, {}", expression(choices, 4)),
        4 => {
            let axis = choices.of(&["-1", "0", "1"]);
            format!("e = exp({x} - max({x}, axis={axis}, keepdims=True)); e / sum(e, axis={axis}, keepdims=True)")
        }
        _ => format!("a, b = {x}, {}\na, a + b, {}", expression(choices, 3), expression(choices, 3)),
    }
}

struct Case {
    text: String,
    arrays: Vec<Given>,
}

impl Case {
    fn new(choices: &mut Choices) -> Case {
        let text = program(choices);
        let domain = choices.of(&DOMAINS);
        Case { text, arrays: NAMES.iter().map(|_| given(choices, domain)).collect() }
    }

    fn args(&self) -> Args<'_> {
        NAMES.into_iter().zip(&self.arrays).fold(Args::new(), |args, (name, array)| args.input(name, array.view()))
    }

    fn show(&self) -> String {
        let arrays = NAMES.iter().zip(&self.arrays).map(|(name, array)| format!("{name}: {:?}\n", array.view()));
        format!("{}\n{}", self.text, arrays.collect::<String>())
    }
}

#[test]
fn reductions_agree() {
    let engines = Engines::new(&[(1, 16 * 1024), (2, 7), (3, 1), (8, 16 * 1024)]);
    let others = || engines.others.iter().flatten().filter(|engine| engine.backend() != Backend::Interpreter);
    let (first, count) = extent_of_test(200);
    let test = |case: &Case| agree(&case.text, || case.args(), &engines.reference, others());
    check(first, count, Case::new, test, Case::show);
}

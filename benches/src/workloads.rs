//! The workloads: a formula, its arrays, and the same in Rust. Plain data, so that more can come from elsewhere.

use numlift::{DType, View, ViewMut};

use crate::array::Array;
use crate::peers::{self, HORNER, Peer};

/// One formula and what it is measured beside.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) formula: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) output: DType,
    pub(crate) is_matrix: bool,
    /// How far the functions of Rust's standard library may be from ours, in units of the last place; 0 where the arithmetic
    /// is the same.
    pub(crate) tolerance: u64,
    pub(crate) plain: Peer,
}

/// One parameter of the formula.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) dtype: DType,
    pub(crate) layout: Layout,
    pub(crate) range: (f64, f64),
}

/// How a parameter lies along the output.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    Dense,
    EverySecond,
    Row,
    Column,
}

/// Elements of a row where the output is a matrix.
const COLUMNS: usize = 256;

/// The arrays of a workload for one length.
pub(crate) struct Case {
    pub(crate) inputs: Vec<Array>,
    pub(crate) output: Array,
}

impl Workload {
    /// Lengths are multiples of this, so that loops by hand need no tails and matrices have whole rows.
    pub(crate) fn step(&self) -> usize {
        if self.is_matrix { COLUMNS } else { 64 }
    }

    pub(crate) fn rank(&self) -> usize {
        1 + usize::from(self.is_matrix)
    }

    /// Arrays for `n` elements of output, the inputs filled.
    pub(crate) fn case(&self, n: usize) -> Case {
        let len = |layout| match layout {
            Layout::Dense => n,
            Layout::EverySecond => 2 * n,
            Layout::Row => COLUMNS,
            Layout::Column => n / COLUMNS,
        };
        let input =
            |(k, input): (usize, &Input)| Array::random(input.dtype, len(input.layout), input.range, k as u64 + 1);
        Case { inputs: self.inputs.iter().enumerate().map(input).collect(), output: Array::zeroed(self.output, n) }
    }

    /// The arrays as the formula takes them.
    pub(crate) fn views<'a>(&self, case: &'a mut Case) -> (Vec<View<'a>>, ViewMut<'a>) {
        let shaped = |(input, array): (&Input, &'a Array)| {
            let (view, n) = (array.view(), array.view().len());
            match input.layout {
                Layout::Dense if self.is_matrix => view.shape([n / COLUMNS, COLUMNS]),
                Layout::Dense => view,
                Layout::EverySecond => view.step(0, 2),
                Layout::Row => view.shape([1, n]),
                Layout::Column => view.shape([n, 1]),
            }
        };
        let inputs = self.inputs.iter().zip(&case.inputs).map(shaped).collect();
        let output = case.output.view_mut();
        let n = output.len();
        (inputs, if self.is_matrix { output.shape([n / COLUMNS, COLUMNS]) } else { output })
    }

    /// Bytes of cache that an element of the output takes, what lies between strided elements too.
    pub(crate) fn footprint(&self) -> usize {
        let bytes = |input: &Input| match input.layout {
            Layout::Dense => input.dtype.size(),
            Layout::EverySecond => 2 * input.dtype.size(),
            Layout::Row | Layout::Column => 0,
        };
        self.inputs.iter().map(bytes).sum::<usize>() + self.output.size()
    }

    /// Bytes that a run reads and writes; broadcast elements count once, what lies between strided ones does not count.
    pub(crate) fn traffic(&self, n: usize) -> usize {
        let bytes = |input: &Input| match input.layout {
            Layout::Dense | Layout::EverySecond => n * input.dtype.size(),
            Layout::Row => COLUMNS * input.dtype.size(),
            Layout::Column => n / COLUMNS * input.dtype.size(),
        };
        self.inputs.iter().map(bytes).sum::<usize>() + n * self.output.size()
    }
}

pub(crate) fn all() -> Vec<Workload> {
    let of = |name, formula: &str, inputs: &[(&'static str, DType, f64, f64)], output, tolerance, plain| Workload {
        name,
        formula: formula.to_owned(),
        inputs: inputs.iter().map(|&(name, dtype, low, high)| dense(name, dtype, low, high)).collect(),
        output,
        is_matrix: false,
        tolerance,
        plain,
    };
    let f64s = |names: &[&'static str]| names.iter().map(|name| (*name, DType::F64, -1.0, 1.0)).collect::<Vec<_>>();
    let f32s = |names: &[&'static str]| names.iter().map(|name| (*name, DType::F32, -1.0, 1.0)).collect::<Vec<_>>();
    let horner = HORNER[1..].iter().fold(format!("{:?}", HORNER[0]), |sum, c| format!("fma({sum}, x, {c:?})"));
    let integers = |dtype| [("a", dtype, -1e6, 1e6), ("b", dtype, -1e6, 1e6)];
    let triad = || of("a*b+c", "a*b + c", &f64s(&["a", "b", "c"]), DType::F64, 0, peers::triad);
    let strided = Workload { name: "a*b+c, a[::2]", plain: peers::strided, ..triad() };
    let broadcast =
        of("m*row+column", "m*row + column", &f64s(&["m", "row", "column"]), DType::F64, 0, peers::broadcast);
    vec![
        of("copy", "x", &f64s(&["x"]), DType::F64, 0, peers::memcpy),
        triad(),
        of("2a+3b-4cd f32", "2*a + 3*b - 4*c*d", &f32s(&["a", "b", "c", "d"]), DType::F32, 0, peers::four),
        of("Horner 16", &horner, &f64s(&["x"]), DType::F64, 0, peers::horner),
        of("x*x*x-2*x", "x*x*x - 2*x", &f64s(&["x"]), DType::F64, 0, peers::cubic),
        of("where", "where(a > b, a*b, a - b)", &f64s(&["a", "b"]), DType::F64, 0, peers::choice),
        of("sqrt(x*x+y*y)", "sqrt(x*x + y*y)", &f64s(&["x", "y"]), DType::F64, 0, peers::norm),
        of("exp(-x*x)", "exp(-x*x)", &[("x", DType::F64, -5.0, 5.0)], DType::F64, 2, peers::bell),
        of(
            "sin(x)*cos(y)",
            "sin(x)*cos(y)",
            &[("x", DType::F64, -10.0, 10.0), ("y", DType::F64, -10.0, 10.0)],
            DType::F64,
            6,
            peers::waves,
        ),
        of("log(x)", "log(x)", &[("x", DType::F64, 0.001, 1000.0)], DType::F64, 2, peers::logarithm),
        of("x**2.5", "x**2.5", &[("x", DType::F64, 0.001, 1000.0)], DType::F64, 2, peers::power),
        of("(a*31+b)%97 i32", "(a*31 + b) % 97", &integers(DType::I32), DType::I32, 0, peers::modulo32),
        of("(a*31+b)%97 i64", "(a*31 + b) % 97", &integers(DType::I64), DType::I64, 0, peers::modulo64),
        of(
            "i32+f32",
            "i + x",
            &[("i", DType::I32, -1e9, 1e9), ("x", DType::F32, -1e3, 1e3)],
            DType::F64,
            0,
            peers::mixed,
        ),
        of(
            "u8 add, clip",
            "clip(minimum(a, 255 - b) + b, 16, 235)",
            &[("a", DType::U8, 0.0, 256.0), ("b", DType::U8, 0.0, 256.0)],
            DType::U8,
            0,
            peers::bytes,
        ),
        laid(strided, 0, Layout::EverySecond),
        laid(laid(Workload { is_matrix: true, ..broadcast }, 1, Layout::Row), 2, Layout::Column),
    ]
}

fn dense(name: &'static str, dtype: DType, low: f64, high: f64) -> Input {
    Input { name, dtype, layout: Layout::Dense, range: (low, high) }
}

/// The workload with another layout of one input.
fn laid(mut workload: Workload, input: usize, layout: Layout) -> Workload {
    workload.inputs[input].layout = layout;
    workload
}

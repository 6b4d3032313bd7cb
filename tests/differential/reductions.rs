//! Random formulas with reductions and scans in them, over arrays of several blocks that lie in all ways.

use std::collections::HashMap;

use numlift::{DType, View};
use proptest::prelude::*;

use super::{NAMES, agree, check, compiling, dtype, interpreting};

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

/// Steele, Lea and Flood's SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Given {
    fn new(domain: &[usize], extent: Extent, layout: Layout, dtype: DType, seed: u64) -> Given {
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
        let bytes = (0..elements).flat_map(|k| bits(dtype, mixed(seed ^ k)).to_le_bytes()[..size].to_vec()).collect();
        Given { dtype, shape, strides, bytes }
    }

    fn view(&self) -> View<'_> {
        View::from_bytes(self.dtype, &self.bytes, &self.shape, &self.strides).expect("bytes of the shape")
    }
}

fn given(domain: &'static [usize]) -> impl Strategy<Value = Given> {
    let extents = prop::sample::select(vec![Extent::Whole, Extent::Whole, Extent::First, Extent::Last, Extent::One]);
    let layouts = prop::sample::select(vec![Layout::Rows, Layout::Rows, Layout::Columns, Layout::Apart]);
    (extents, layouts, dtype(), any::<u64>())
        .prop_map(move |(extent, layout, dtype, seed)| Given::new(domain, extent, layout, dtype, seed))
}

fn options() -> impl Strategy<Value = String> {
    let axis = prop::sample::select(vec!["", "", ", axis=0", ", axis=-1", ", axis=(0, 1)", ", axis=None", ", axis=1"]);
    let keepdims = prop::sample::select(vec!["", "", ", keepdims=True"]);
    (axis, keepdims).prop_map(|(axis, keepdims)| format!("{axis}{keepdims}"))
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["2", "0.5", "-1", "True"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let folds = [
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
        ];
        let more = ["norm", "logsumexp", "nansum", "nanmin", "nanmax", "nanmean"];
        let folds: Vec<&str> = [&folds[..], &more[..]].concat();
        let extra = prop::sample::select(vec![
            "",
            "",
            "",
            "",
            ", where=x > 0",
            ", initial=3",
            ", where=y < 2, initial=1",
            ", ddof=1",
        ]);
        let scans = vec!["cumsum", "cumprod", "cummax", "cummin"];
        prop_oneof![
            3 => (prop::sample::select(folds), inner.clone(), options(), extra)
                .prop_map(|(f, x, options, extra)| format!("{f}({x}{options}{extra})")),
            1 => (prop::sample::select(scans), inner.clone(), prop::sample::select(vec!["", ", axis=0", ", axis=-1"]))
                .prop_map(|(f, x, axis)| format!("{f}({x}{axis})")),
            3 => (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "<"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => (prop::sample::select(vec!["exp", "abs", "sqrt", "f32", "i64"]), inner.clone())
                .prop_map(|(f, x)| format!("{f}({x})")),
            1 => inner.clone().prop_map(|x| format!("(({x}) - mean({x})) / std({x})")),
            1 => (inner.clone(), prop::sample::select(vec!["max", "min", "sum"]))
                .prop_map(|(x, f)| format!("exp(({x}) - {f}({x}, axis=-1, keepdims=True))")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(c, a, b)| format!("where({c}, {a}, {b})")),
        ]
    })
}

fn program() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => expression(),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{a}, {b}")),
        1 => (expression(), prop::sample::select(vec!["-1", "0", "1"])).prop_map(|(x, axis)| {
            format!("e = exp({x} - max({x}, axis={axis}, keepdims=True)); e / sum(e, axis={axis}, keepdims=True)")
        }),
        1 => (expression(), expression(), expression()).prop_map(|(a, b, c)| format!("a, b = {a}, {b}\na, a + b, {c}")),
    ]
}

#[test]
fn executors_agree_on_reductions() {
    let (reference, others) = (interpreting(), compiling(&[(1, 16 * 1024), (2, 7), (3, 1), (8, 16 * 1024)]));
    let cases = (program(), prop::sample::select(DOMAINS.to_vec()))
        .prop_flat_map(|(text, domain)| (Just(text), prop::collection::vec(given(domain), NAMES.len())));
    check(200, &cases, |(text, arrays)| {
        let views: HashMap<&str, View<'_>> = NAMES.into_iter().zip(arrays.iter().map(Given::view)).collect();
        agree(&text, &views, &reference, &others)
    });
}

//! Random programs as text over random arrays: every executor gives the bits of the interpreter, or its error.

mod reductions;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;

use numlift::{Args, Backend, DType, Engine, Outputs, View};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Bytes, dtype and shape of one array.
#[derive(Clone, Debug)]
struct Array {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn view(&self) -> View<'_> {
        let mut strides = vec![0; self.shape.len()];
        let mut stride = self.dtype.size() as isize;
        for (axis, extent) in self.shape.iter().enumerate().rev() {
            strides[axis] = stride;
            stride *= *extent as isize;
        }
        View::from_bytes(self.dtype, &self.bytes, &self.shape, &strides).expect("bytes of the shape")
    }
}

fn dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.to_vec())
}

/// The bits of an element, often one at which something changes.
fn element(dtype: DType) -> BoxedStrategy<Vec<u8>> {
    let size = dtype.size();
    let cut = move |bits: u64| bits.to_le_bytes()[..size].to_vec();
    let of_float = move |x: f64| match dtype {
        DType::F32 => (x as f32).to_le_bytes().to_vec(),
        _ => x.to_le_bytes().to_vec(),
    };
    let edges =
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, 1e-310, f64::MAX, 3e9];
    match dtype {
        DType::Bool => (0_u64..2).prop_map(cut).boxed(),
        DType::F32 | DType::F64 => prop_oneof![
            any::<u64>().prop_map(cut),
            prop::sample::select(edges.to_vec()).prop_map(of_float),
            (-1000_i32..1000).prop_map(move |x| of_float(f64::from(x) / 8.0)),
        ]
        .boxed(),
        _ => prop_oneof![
            any::<u64>().prop_map(cut),
            prop::sample::select(vec![0, 1, 2, 3, u64::MAX, u64::MAX >> 1, 1 << 63, 1 << 31, 0x80, 0x7f, 0x8000])
                .prop_map(cut),
            (-10_i64..10).prop_map(move |x| cut(x as u64)),
        ]
        .boxed(),
    }
}

fn array(shapes: &'static [&'static [usize]]) -> impl Strategy<Value = Array> {
    (dtype(), prop::sample::select(shapes)).prop_flat_map(|(dtype, shape)| {
        let len = shape.iter().product::<usize>();
        let elements = prop::collection::vec(element(dtype), len);
        elements.prop_map(move |elements| Array { dtype, shape: shape.to_vec(), bytes: elements.concat() })
    })
}

const NAMES: [&str; 4] = ["x", "y", "z", "w"];

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["0", "1", "2", "3", "7", "10", "-1", "0.5", "2.5", "1e300", "pi", "True", "3u8", "1.5f32", "nan"]).prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 24, 3, |inner| {
        let binary = ["+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "<", "<=", "==", "!=", ">", ">=", "and", "or"];
        let unary = ["-", "+", "~", "not "];
        let of_one = [
            "abs", "sign", "signbit", "reciprocal", "square", "sqrt", "floor", "ceil", "trunc", "round", "roundaway", "frac",
            "isnan", "isinf", "isfinite", "isnormal", "logical_not", "popcount", "clz", "ctz", "deg2rad", "exp", "log", "sin", "cos", "erf", "erfc", "erfinv", "gamma", "lgamma",
            "exp2", "exp10", "expm1", "log2", "log10", "log1p", "tan", "atan", "tanh",
            "asin", "acos", "sinpi", "cospi", "sinc", "sinh", "cosh", "asinh", "acosh", "atanh", "rsqrt", "cbrt", "sigmoid", "logit", "softplus", "relu", "nan_to_num",
            "f32", "f64", "i8", "i64", "u16", "u32", "bool",
        ];
        let of_two = [
            "copysign", "fdim", "minimum", "maximum", "fmin", "fmax", "floor_divide", "remainder", "fmod", "logical_xor", "rotl",
            "rotr", "step", "power", "atan2", "hypot", "logaddexp", "xlogy", "ieee_remainder", "nextafter", "isclose", "ldexp",
        ];
        let of_three = ["fma", "clip", "where", "lerp", "smoothstep"];
        prop_oneof![
            4 => (inner.clone(), prop::sample::select(binary.to_vec()), inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => (prop::sample::select(unary.to_vec()), inner.clone()).prop_map(|(op, a)| format!("({op}{a})")),
            3 => (prop::sample::select(of_one.to_vec()), inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            2 => (prop::sample::select(of_two.to_vec()), inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
            1 => (prop::sample::select(of_three.to_vec()), inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(f, a, b, c)| format!("{f}({a}, {b}, {c})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} < {b} <= {c})")),
        ]
    })
}

/// Statements over the variables `a` and `b`, with loops of a few turns.
fn block(depth: usize, in_loop: bool) -> BoxedStrategy<String> {
    let assign = prop_oneof![
        2 => expression().prop_map(|x| format!("a = {x}")),
        1 => expression().prop_map(|x| format!("b = {x}")),
        1 => Just("a, b = b, a".to_owned()),
        1 => expression().prop_map(|x| format!("b = f({x}, a)")),
        1 => prop::sample::select(vec!["+", "-", "*"]).prop_map(|operator| format!("a {operator}= b")),
    ];
    let exit = prop::sample::select(if in_loop { vec!["break", "continue", "b = x"] } else { vec!["b = y", "a = b"] });
    let leave = (expression(), exit).prop_map(|(x, exit)| format!("if {x} {{ {exit} }}"));
    if depth == 0 {
        return prop_oneof![3 => assign, 1 => leave].boxed();
    }
    let several = move |in_loop| {
        prop::collection::vec(block(depth - 1, in_loop), 1..4).prop_map(|statements| statements.join("\n")).boxed()
    };
    let counter = format!("k{depth}");
    let of_while = counter.clone();
    prop_oneof![
        2 => several(in_loop),
        1 => (expression(), several(in_loop)).prop_map(|(x, then)| format!("if {x} {{\n{then}\n}}")),
        2 => (expression(), several(in_loop), expression(), several(in_loop), several(in_loop))
            .prop_map(|(x, a, y, b, c)| format!("if {x} {{\n{a}\n}} elif {y} {{\n{b}\n}} else {{\n{c}\n}}")),
        1 => (0..4, several(true)).prop_map(move |(n, body)| format!("for {counter} in 0..{n} {{\n{body}\n}}")),
        2 => (expression(), several(true)).prop_map(move |(x, body)| {
            format!("{of_while} = 0\nwhile {of_while} < 4 and {x} {{\n{of_while} += 1\n{body}\n}}")
        }),
    ]
    .boxed()
}

/// A function of two parameters that returns here and there.
fn function() -> impl Strategy<Value = String> {
    (expression(), expression(), expression()).prop_map(|(x, y, z)| {
        format!("fn f(x, y) {{\nz, w = y, x\nfor i in 0..3 {{ if {x} {{ return {y} }}\nz = x }}\nreturn {z}\n}}")
    })
}

fn program() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => expression(),
        3 => (function(), expression(), block(2, false))
            .prop_map(|(f, x, body)| format!("{f}\na, b = x, {x}\n{body}\na, b")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{a}, {b}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("x = {a}; r = x\nr, {b}")),
    ]
}

/// Equal shapes and bits, NaN payload aside.
fn same(a: &Outputs, b: &Outputs) -> Result<(), String> {
    let (a_names, b_names): (Vec<&str>, Vec<&str>) = (a.names().collect(), b.names().collect());
    if a_names != b_names {
        return Err(format!("outputs {a_names:?} and {b_names:?}"));
    }
    for name in a.names() {
        let (x, y) = (a.view(name).expect("an output"), b.view(name).expect("an output"));
        if (x.dtype(), x.extents()) != (y.dtype(), y.extents()) {
            return Err(format!("{name}: {} {:?} and {} {:?}", x.dtype(), x.extents(), y.dtype(), y.extents()));
        }
        let size = x.dtype().size();
        let (x_bytes, y_bytes) = (x.as_bytes().expect("no gaps"), y.as_bytes().expect("no gaps"));
        for (k, (p, q)) in x_bytes.chunks(size).zip(y_bytes.chunks(size)).enumerate() {
            let is_nan = |bytes: &[u8]| match x.dtype() {
                DType::F32 => f32::from_le_bytes(bytes.try_into().expect("4 bytes")).is_nan(),
                DType::F64 => f64::from_le_bytes(bytes.try_into().expect("8 bytes")).is_nan(),
                _ => false,
            };
            if p != q && !(is_nan(p) && is_nan(q)) {
                return Err(format!("{name}[{k}]: {p:02x?} and {q:02x?} of {}", x.dtype()));
            }
        }
    }
    Ok(())
}

const SHAPES: &[&[usize]] = &[&[37], &[1], &[], &[3, 37], &[3, 1]];

/// Engines with code, of each backend one for each number of threads and length of chunks.
fn compiling(cuts: &[(usize, usize)]) -> Vec<Engine> {
    let engine = |backend, threads, chunk| Engine::builder().backend(backend).threads(threads).chunk_len(chunk).build();
    let of_backend = |backend| cuts.iter().map(move |(threads, chunk)| engine(backend, *threads, *chunk));
    let compiled = support::backends().into_iter().map(|(_, backend)| backend);
    let compiled = compiled.filter(|backend| *backend != Backend::Interpreter);
    compiled.flat_map(of_backend).map(|engine| engine.expect("an engine")).collect()
}

fn interpreting() -> Engine {
    Engine::builder().backend(Backend::Interpreter).threads(1).build().expect("an engine")
}

/// Runs as many cases as `CASES` says.
fn check<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    if let Err(failure) = runner.run(strategy, test) {
        panic!("{failure}");
    }
}

/// Fails unless all engines do with the text what the first does.
fn agree(
    text: &str,
    views: &HashMap<&str, View<'_>>,
    reference: &Engine,
    others: &[Engine],
) -> Result<(), TestCaseError> {
    let run = |engine: &Engine| engine.compile(text)?.eval(Args::lookup(|name| views.get(name).cloned()));
    let expected = run(reference);
    for engine in others {
        match (&expected, &run(engine)) {
            (Ok(a), Ok(b)) => prop_assert_eq!(same(a, b), Ok(()), "{}", text),
            (Err(a), Err(b)) => prop_assert_eq!(a.render(), b.render(), "{}", text),
            (Ok(_), Err(error)) => prop_assert!(false, "{} fails in code alone: {}", text, error.render()),
            (Err(error), Ok(_)) => {
                prop_assert!(false, "{} fails in the interpreter alone: {}", text, error.render())
            }
        }
    }
    Ok(())
}

#[test]
fn executors_agree() {
    let (reference, others) = (interpreting(), compiling(&[(1, 16 * 1024), (3, 1), (3, 7)]));
    let arrays = prop::collection::vec(array(SHAPES), NAMES.len());
    check(400, &(program(), arrays), |(text, arrays)| {
        let views = NAMES.into_iter().zip(arrays.iter().map(Array::view)).collect();
        agree(&text, &views, &reference, &others)
    });
}

//! Formulas lowered and interpreted. Values beside them are NumPy 2.4's or Python's unless a line says otherwise.

use std::time::{Duration, Instant};

use super::*;
use crate::functions::{Function, Kind};
use crate::interp::{self, Interp};
use crate::ir::{Leaf, Size};
use crate::resolve::resolve;
use crate::syntax::{Limits, parse};
use DType::{Bool, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};

const NODE_LIMIT: usize = 100_000;
const WEAK: ParamType = ParamType::WeakInt;

fn lowered(source: &str, params: &[ParamType]) -> Result<Lowered> {
    let program = resolve(parse(source, Limits::default())?, None, &Arc::from([]))?;
    let lowered = lower(&program, &Signature { params: params.to_vec() }, NODE_LIMIT)?;
    lowered.graph.verify();
    Ok(lowered)
}

fn array(dtype: DType) -> ParamType {
    ParamType::Array { dtype, rank: 1 }
}

fn arrays(dtypes: &[DType]) -> Vec<ParamType> {
    dtypes.iter().copied().map(array).collect()
}

fn dtype(source: &str, params: &[ParamType]) -> DType {
    let lowered = lowered(source, params).unwrap_or_else(|error| panic!("{}", error.render()));
    lowered.graph.dtype(lowered.graph.outputs[0].value)
}

/// The first output for one element of each parameter.
fn value<T: Element>(source: &str, params: &[(ParamType, u64)]) -> T {
    let (types, bits): (Vec<ParamType>, Vec<u64>) = params.iter().copied().unzip();
    let lowered = lowered(source, &types).unwrap_or_else(|error| panic!("{}", error.render()));
    assert_eq!(lowered.graph.dtype(lowered.graph.outputs[0].value), T::DTYPE, "{source}");
    let mut outputs = vec![0; lowered.graph.outputs.len()];
    let interp = Interp::new(&lowered.graph);
    interp.element(
        &interp::Element { params: &bits, index: &[2, 5], sizes: &[6, 24], gather: &interp::nothing },
        &mut interp.scratch(),
        &mut outputs,
    );
    T::from_bits64(outputs[0])
}

fn element<T: Element>(x: T) -> (ParamType, u64) {
    (array(T::DTYPE), x.to_bits64())
}

#[test]
fn weak_operands_adapt() {
    let cases: &[(&str, &[DType], DType)] = &[
        ("x * 2.0", &[F32], F32),
        ("x * pi", &[F32], F32),
        ("x * sqrt(2)", &[F32], F32),
        ("x + exp(1)", &[F32], F32),
        ("x * (1 / 3)", &[F32], F32),
        ("x * 2**-1", &[F32], F32),
        ("x * minimum(1, 2.5)", &[F32], F32),
        ("x + 1", &[Bool], I64),
        ("x + 1", &[U8], U8),
        ("x + abs(-3)", &[U8], U8),
        ("x + 1.0", &[U8], F64),
        ("x / 300", &[U8], F64),
        ("x / 3", &[F32], F32),
        ("sqrt(x)", &[I8], F64),
        ("copysign(x, y)", &[I8, F32], F32),
        ("copysign(x, y)", &[I32, F32], F64),
        // All together, not in pairs: np.result_type("i2", "u2", "f4").
        ("clip(x, y, z)", &[I16, U16, F32], F32),
        ("lerp(x, y, z)", &[I16, U16, F32], F32),
        ("x if c else 1", &[U16, Bool], U16),
        ("1 if c else 2.5", &[Bool], F64),
        // Weak sides leave the choice weak.
        ("x * (1 if c else 2)", &[F32, Bool], F32),
        ("x * where(c, 1.0, 0.5)", &[F32, Bool], F32),
        ("a = 2; b = a ** 3; x * b", &[I8], I8),
        ("x + True", &[I8], I8),
        ("5 > 3", &[], Bool),
        ("index(0) + x", &[U8], I64),
        ("size(x) * x", &[U8], I64),
        ("rotl(x, n)", &[U8, I64], U8),
        ("9223372036854775808", &[], U64),
    ];
    for (source, params, expected) in cases {
        assert_eq!(dtype(source, &arrays(params)), *expected, "{source} of {params:?}");
    }
}

#[test]
fn weak_parameters_adapt() {
    let weak = [WEAK, ParamType::WeakUint, ParamType::WeakFloat];
    let cases: &[(&str, [DType; 3])] = &[
        ("k * x", [U8, U8, F64]),
        ("k", [I64, U64, F64]),
        ("k / 2 * x", [F64, F64, F64]),
        ("k + 1", [I64, U64, F64]),
        ("k < x", [Bool, Bool, Bool]),
        ("x if k else 1", [U8, U8, U8]),
    ];
    for (source, expected) in cases {
        for (k, expected) in weak.iter().zip(expected) {
            let params = if source.contains('x') { vec![*k, array(U8)] } else { vec![*k] };
            let params = if source.starts_with('x') { vec![array(U8), *k] } else { params };
            assert_eq!(dtype(source, &params), *expected, "{source} with {k:?}");
        }
    }
    assert_eq!(dtype("k * x", &[ParamType::WeakFloat, array(F32)]), F32);
    assert_eq!(dtype("sqrt(k) * x", &[WEAK, array(F32)]), F32);
}

#[test]
fn ranges_are_of_weak_integers_alone() {
    let params = [WEAK, array(U8), array(I64), array(F32)];
    let ranges = |source: &str, params: &[ParamType]| lowered(source, params).expect("a program").ranges;
    assert_eq!(ranges("k * x + k * y + k * z", &params), [(0, U8)]);
    assert_eq!(ranges("k + x", &[ParamType::WeakUint, array(I64)]), [(0, I64)]);
    assert_eq!(ranges("i16(k)", &[WEAK]), [(0, I16)]);
    // By true value, whatever it is.
    assert_eq!(ranges("k < x", &params[..2]), []);
    assert_eq!(ranges("k + x", &[ParamType::WeakFloat, array(U8)]), []);
    assert!(!value::<bool>("x < k", &[element(200_u8), (WEAK, 200)]));
    assert!(value::<bool>("x > k", &[element(200_u8), (WEAK, (-1_i64) as u64)]));
}

#[test]
fn values() {
    let (minus_five, half) = (element(-5_i8), element(0.5_f32));
    assert_eq!(value::<i8>("sign(x)", &[minus_five]), -1);
    assert_eq!(value::<f32>("sign(x)", &[element(-0.0_f32)]).to_bits(), 0);
    assert!(value::<f32>("sign(x)", &[element(f32::NAN)]).is_nan());
    assert_eq!(value::<f64>("reciprocal(x)", &[element(4_i32)]), 0.25);
    assert_eq!(value::<f32>("lerp(2, 4, t)", &[half]), 3.0);
    assert_eq!(value::<u8>("lerp(a, b, 1u8)", &[element(9_u8), element(4_u8)]), 4);
    // GLSL's step and smoothstep; C's fdim.
    assert_eq!(value::<f32>("step(0.5, x)", &[half]), 1.0);
    assert_eq!(value::<f32>("step(0.75, x)", &[half]), 0.0);
    assert_eq!(value::<f32>("smoothstep(0, 2, x)", &[half]), 0.15625);
    assert_eq!(value::<f32>("smoothstep(1, 2, x)", &[half]), 0.0);
    assert_eq!(value::<f32>("fdim(x, 2)", &[half]), 0.0);
    assert!(value::<f32>("fdim(nan, x)", &[half]).is_nan());
    assert_eq!(value::<f32>("fdim(inf, x)", &[element(f32::INFINITY)]), 0.0);
    assert_eq!(value::<f64>("round(x, 2)", &[element(2.675)]), 2.68);
    assert_eq!(value::<f32>("round(x, 2)", &[element(1.255_f32)]), 1.26);
    assert_eq!(value::<f64>("round(x, -1)", &[element(25.0)]), 20.0);
    assert_eq!(value::<i8>("round(x, -1)", &[element(-15_i8)]), -20);
    assert_eq!(value::<i8>("round(x, 3)", &[element(-15_i8)]), -15);
    assert!(value::<f64>("round(x, -400)", &[element(25.0)]).is_nan());
    assert_eq!(value::<f32>("rad2deg(x)", &[element(2_f32)]), 114.59155);
    assert_eq!(value::<u8>("rotl(x, 9)", &[element(0x81_u8)]), 3);
    assert_eq!(value::<u8>("rotr(x, n)", &[element(0x81_u8), element(-1_i64)]), 3);
    assert_eq!(value::<u8>("rotl(x, -1)", &[element(0x81_u8)]), 0xc0);
    assert_eq!(value::<u32>("bitcast(x, u32)", &[element(-f32::NAN)]), 0x7fc0_0000);
    assert_eq!(value::<f32>("bitcast(0x3f800000, f32)", &[]), 1.0);
    assert!(value::<bool>("bitcast(x, bool)", &[element(2_u8)]));
}

#[test]
fn powers() {
    assert_eq!(value::<i8>("x ** 2", &[element(-12_i8)]), -112);
    assert_eq!(value::<i64>("x ** 13", &[element(-7_i64)]), -96889010407);
    assert_eq!(value::<i64>("x ** 63", &[element(3_i64)]), 3_i64.wrapping_pow(63));
    assert_eq!(value::<u8>("x ** 0", &[element(0_u8)]), 1);
    assert_eq!(value::<u8>("2 ** x", &[element(7_u8)]), 128);
    assert_eq!(value::<i64>("b ** 3", &[element(true)]), 1);
    assert_eq!(value::<f32>("x ** 2", &[element(1.1_f32)]), 1.1_f32 * 1.1);
    assert_eq!(value::<f64>("x ** 2.0", &[element(3_i8)]), 9.0);
    assert_eq!(value::<f64>("10 ** -3", &[]), 1e-3);
    // `math` rounds, so that the graph keeps the constant exponent.
    let cube = lowered("x ** 3", &[array(F64)]).expect("a program");
    assert_eq!(
        cube.graph.to_string(),
        "param 0 `x`: f64[]\nv0: f64 = param 0\nv1: f64 = 3.0\nv2: f64 = power v0, v1\noutput `0` = v2\n"
    );
}

#[test]
fn comparisons_are_of_true_values() {
    let (most, least) = (element(u64::MAX), element(i64::MIN));
    let (big, minus_one) = (element(1_u64 << 63), element(-1_i8));
    for (source, params, expected) in [
        ("x < y", [most, least], false),
        ("x > y", [most, minus_one], true),
        ("x == y", [most, minus_one], false),
        ("x != y", [most, minus_one], true),
        ("y <= x", [least, big], true),
        ("y >= x", [least, big], false),
        ("x == y", [element(5_u64), element(5_i8)], true),
        ("x < y", [element(true), element(1_i32)], false),
        ("x < y", [element(false), element(true)], true),
        ("x >= y", [element(false), element(true)], false),
        ("x <= y == x", [element(false), element(true)], false),
    ] {
        assert_eq!(value::<bool>(source, &params), expected, "{source} of {params:?}");
    }
    for (source, expected) in [
        ("x < 300", true),
        ("300 <= x", false),
        ("x != -1", true),
        ("-1 == x", false),
        ("x > -1", true),
        ("x < 1e300", true),
        ("0 < x < 300", true),
        ("x == 2**100", false),
    ] {
        assert_eq!(value::<bool>(source, &[element(7_u8)]), expected, "{source}");
        let program = lowered(source, &[array(U8)]).expect("a program");
        assert_eq!(leaves(&program, 0), [Leaf::Param(0)], "{source} has the shape of `x`");
    }
}

/// What an output takes its shape from.
fn leaves(program: &Lowered, output: usize) -> &[Leaf] {
    &program.graph.domains[program.outputs[output].domain as usize]
}

fn domain(size: &Size) -> usize {
    match size {
        Size::Elements { domain, .. } => *domain as usize,
        Size::Extent { .. } | Size::Step { .. } => panic!("{size:?} is of one array"),
    }
}

#[test]
fn what_outputs_depend_on() {
    let of = |rank| ParamType::Array { dtype: F64, rank };
    let params = [of(2), of(1), of(0), ParamType::Scalar(F64), of(3)];
    let program = lowered("a = x + y; (a * z, b + z, a if b else c, size(a + c) + z, y)", &params).expect("a program");
    let params = |list: &[u32]| list.iter().map(|param| Leaf::Param(*param)).collect::<Vec<_>>();
    let expected = [(params(&[0, 1]), 2), (vec![], 0), (params(&[0, 1, 4]), 3), (vec![], 0), (params(&[1]), 1)];
    for (k, (expected, rank)) in expected.iter().enumerate() {
        assert_eq!((leaves(&program, k), program.outputs[k].rank), (&expected[..], *rank));
    }
    assert_eq!(program.graph.domains[domain(&program.graph.sizes[0])], params(&[0, 1, 4]));

    let many: Vec<String> = (0..200).map(|k| format!("x{k}")).collect();
    let prefixes: Vec<String> = (0..200).map(|k| many[..=k].join("+")).collect();
    let program = lowered(&prefixes.join(","), &vec![of(1); 200]).expect("a program");
    for k in 0..200 {
        assert!(leaves(&program, k).iter().copied().eq((0..=k as u32).map(Leaf::Param)), "output {k}");
    }
}

#[test]
fn sizes_and_indices() {
    let graph = lowered("size(x) + size(y) + size(x * 2) + size(3) + size(k)", &[array(F64), array(U8), WEAK]);
    let graph = graph.expect("a program").graph;
    let domains: Vec<_> = graph.sizes.iter().map(|size| &graph.domains[domain(size)][..]).collect();
    assert_eq!(domains, [[Leaf::Param(0)], [Leaf::Param(1)]]);
    let matrix = ParamType::Array { dtype: F64, rank: 2 };
    assert_eq!(value::<f64>("index(1) * 10 + index(0) + x", &[(matrix, 1_f64.to_bits())]), 53.0);
    assert_eq!(dtype("k = index(7); x", &[matrix]), F64);
}

/// `formula | dtypes of its parameters | code | what is marked | message | hint`
const ERRORS: &str = "
x + 300 | u8 | literal-range | 300 | `300` does not fit u8, which holds 0 to 255 | convert the other side: `u16(x)`
x * -1 | u16 | literal-range | -1 | `-1` does not fit u16, which holds 0 to 65535 | convert the other side: `i32(x)`
x + 2**63 | i64 | literal-range | 2**63 | `9223372036854775808` does not fit i64, which holds -9223372036854775808 to 9223372036854775807 | convert the other side: `f64(x)`
where(x, y, 300) | bool u8 | literal-range | 300 | `300` does not fit u8, which holds 0 to 255 | convert the other side: `u16(y)`
x + where(c, 300, 1) | u8 bool | literal-range | where(c, 300, 1) | `300` does not fit u8, which holds 0 to 255 |
x + (1 if c else 2) * 200 | u8 bool | literal-range | (1 if c else 2) * 200 | `400` does not fit u8, which holds 0 to 255 |
x - -(1 if c else 2) | u8 bool | literal-range | -(1 if c else 2) | `-2` does not fit u8, which holds 0 to 255 |
frac(b) | bool | bool-arithmetic | b | `frac` takes numbers, found bool | `i64(b)` makes 0 and 1 of it
a = 200 + 100; x + a | u8 | literal-range | a | `300` does not fit u8, which holds 0 to 255 | convert the other side: `u16(x)`
u8(300) | | literal-range | 300 | `300` does not fit u8, which holds 0 to 255 | `u8(i64(300))` wraps
2**64 | | literal-range | 2**64 | `18446744073709551616` fits neither i64 nor u64 | write it as a float: `f64(2**64)`
2**200 % 7 | | literal-range | 2**200 | this integer is beyond 128 bits | literals are folded as exact integers; write one of them as a float, such as `2.0`
(a > 0) - b | f64 bool | bool-arithmetic | a > 0 | `-` takes numbers, found bool | `i64(a > 0)` makes 0 and 1 of it
-b | bool | bool-arithmetic | b | `-` takes numbers, found bool | `i64(b)` makes 0 and 1 of it
sign(b) | bool | bool-arithmetic | b | `sign` takes numbers, found bool | `i64(b)` makes 0 and 1 of it
x ^ 2 | f64 | integer-operator | x | `^` takes integers and bools, found f64 | `^` is exclusive or; the power is `x ** 2`
x & y | bool f32 | integer-operator | y | `&` takes integers and bools, found f32 | `and` joins conditions of any dtype
x & y | u64 i8 | integer-operator | x & y | `&` takes integers of one dtype, found u64 and i8, which no integer dtype holds | convert one side: `i64(x)`
x << 0.5 | u8 | integer-operator | 0.5 | `<<` takes integers and bools, found a float | `i64(x)` converts, rounding towards 0
~x | f32 | integer-operator | x | `~` takes integers and bools, found f32 |
x ** -2 | i32 | negative-exponent | -2 | i32 to the negative power `-2` is no integer | `f64(x) ** -2` computes in floats
popcount(x) | f32 | integer-function | x | `popcount` takes integers, found f32 | `bitcast(x, u32)` are its bits
clz(b) | bool | integer-function | b | `clz` takes integers, found bool | `u8(b)` makes 0 and 1 of it
rotl(x, 0.5) | u8 | integer-operator | 0.5 | `rotl` takes integers and bools, found a float |
bitcast(x, f32) | f64 | bitcast-size | bitcast(x, f32) | `bitcast` keeps the size, found f64 (8 bytes) to f32 (4 bytes) | `u32(x)` converts the value first
x + index(1) | f64 | index-axis | index(1) | `index(1)` needs an output of at least 2 axes, found 1 | an output has the axes of the arrays that it is computed from
index(-1) | | index-axis | index(-1) | `index` takes an axis of 0 to 31, found -1 |
";

#[test]
fn errors() {
    for line in ERRORS.trim().lines() {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [source, params, code, marked, message, hint @ ..] = &fields[..] else { panic!("{line}") };
        let params = params.split_whitespace().map(|dtype| array(DType::from_name(dtype).expect("a dtype")));
        let error = lowered(source, &params.collect::<Vec<_>>()).expect_err(source);
        let span = error.span().expect("a place");
        let found = (error.code(), &source[span.start..span.end], error.message(), error.hint());
        let hint = hint.first().copied().filter(|hint| !hint.is_empty());
        assert_eq!(found, (*code, *marked, *message, hint), "{source}");
    }
}

#[test]
fn xor_with_a_small_literal_warns() {
    let warnings = |source: &str, dtype| lowered(source, &[array(dtype)]).expect("a program").warnings;
    assert_eq!(warnings("x^2", I32)[0].hint(), Some("the power is `x ** 2`"));
    for source in ["x ^ 0x2", "x ^ 255", "x ^ x", "x | 2"] {
        assert!(warnings(source, U32).is_empty(), "{source}");
    }
}

#[test]
fn graphs() {
    let cases = [
        (
            "a*x + y",
            vec![ParamType::Scalar(F32), array(F32), array(I32)],
            "param 0 `a`: f32
param 1 `x`: f32[]
param 2 `y`: i32[]
v0: f32 = param 0
v1: f32 = param 1
v2: f32 = mul v0, v1
v3: i32 = param 2
v4: f64 = cast v2
v5: f64 = cast v3
v6: f64 = add v4, v5
output `0` = v6
",
        ),
        (
            "y = x + 0.5; z = y < 2 <= x; z",
            vec![array(U8)],
            "param 0 `x`: u8[]
v0: u8 = param 0
v1: f64 = cast v0
v2: f64 = 0.5
v3: f64 = add v1, v2
v4: f64 = 2.0
v5: bool = lt v3, v4
v6: u8 = 2
v7: bool = ge v0, v6
v8: bool = and v5, v7
output `z` = v8
",
        ),
        (
            "k * x, size(x)",
            vec![WEAK, array(U8)],
            "param 0 `k`: i64
param 1 `x`: u8[]
domain 0 = param 1
domain 1 = 
size 0 = domain 0 axes 0
v0: i64 = param 0
v1: u8 = param 1
v2: u8 = cast v0
v3: u8 = mul v2, v1
v4: i64 = size 0
output `0` = v3
output `1` = v4
",
        ),
    ];
    for (source, params, expected) in cases {
        assert_eq!(lowered(source, &params).expect("a program").graph.to_string(), expected, "{source}");
    }
}

/// Random programs of every function and operator: each is a graph that the interpreter runs, or an error with a place.
#[test]
fn any_program_is_a_graph_or_an_error() {
    let types: Vec<ParamType> = DType::ALL
        .iter()
        .flat_map(|dtype| [array(*dtype), ParamType::Scalar(*dtype)])
        .chain([WEAK, ParamType::WeakUint, ParamType::WeakFloat])
        .collect();
    let mut state = 1_u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let atoms = ["x", "y", "x", "y", "2", "0", "-3", "300", "2.5", "True", "1u8", "2f32", "nan", "9223372036854775808"];
    let operators = "+ - * / // % ** & | ^ << >> < <= == != > >= and or".split(' ').collect::<Vec<_>>();
    let (mut graphs, mut errors) = (0, 0);
    for _ in 0..4000 {
        let mut exprs: Vec<String> = atoms.iter().map(|atom| (*atom).to_owned()).collect();
        for _ in 0..4 {
            let [a, b, c] = [0; 3].map(|_| exprs[below(exprs.len())].clone());
            let function = Function::ALL[below(Function::ALL.len())];
            let given =
                function.row().parameters.iter().zip([&a, &b, &c]).map(|(parameter, value)| match parameter.kind {
                    Kind::Value => value.clone(),
                    Kind::DType => DType::ALL[value.len() % DType::ALL.len()].to_string(),
                    Kind::Integer => (value.len() % 3).to_string(),
                    Kind::Axes => ["axis=None", "axis=0", "axis=-1", "axis=(0, 1)"][value.len() % 4].to_owned(),
                    Kind::Flag => "keepdims=True".to_owned(),
                    Kind::Optional => "initial=None".to_owned(),
                    Kind::Distances => (value.len() % 3).to_string(),
                    Kind::Mode(words) => format!("mode=\"{}\"", words[value.len() % words.len()]),
                    Kind::Number => "fill=2".to_owned(),
                });
            exprs.push(match below(4) {
                0 => format!("({a} if {b} else {c})"),
                1 => format!("({}{a} {} {b})", ["", "-", "~", "not "][below(4)], operators[below(operators.len())]),
                _ => format!("{}({})", function.name(), given.collect::<Vec<_>>().join(", ")),
            });
        }
        let source = exprs.pop().expect("an expression");
        let program =
            resolve(parse(&source, Limits::default()).expect("a program"), None, &Arc::from([])).expect("names");
        let params: Vec<ParamType> = program.parameters.iter().map(|_| types[below(types.len())]).collect();
        match lowered(&source, &params) {
            Err(error) => {
                assert!(error.span().is_some(), "{source} of {params:?}: {error}");
                errors += 1;
            }
            // What a reduction comes to is no affair of one element.
            Ok(lowered) if !lowered.graph.reductions.is_empty() => graphs += 1,
            Ok(lowered) => {
                let interp = Interp::new(&lowered.graph);
                let elements: Vec<u64> = (0..interp.params()).map(|_| below(2) as u64).collect();
                let (index, sizes) = ([0; 3], vec![1; interp.sizes()]);
                let element = interp::Element {
                    params: &elements,
                    index: &index,
                    sizes: &sizes,
                    gather: &|_, offset| offset as u64,
                };
                interp.element(&element, &mut interp.scratch(), &mut [0]);
                graphs += 1;
            }
        }
    }
    assert!(graphs > 1000 && errors > 500, "{graphs} graphs, {errors} errors");
}

/// Parts numbered from 0, up to some bytes of text; how many there are.
fn text_of(bytes: usize, part: impl Fn(usize) -> String) -> (usize, String) {
    let (mut text, mut count) = (String::new(), 0);
    while text.len() < bytes {
        text.push_str(&part(count));
        count += 1;
    }
    (count, text)
}

/// A graph or the error of the limit, in linear time: a test of a mebibyte takes its time in the parser.
#[test]
fn long_programs() {
    let timed = |source: &str, params: &[ParamType]| {
        let program = resolve(parse(source, Limits::default())?, None, &Arc::from([]))?;
        let start = Instant::now();
        let found = lower(&program, &Signature { params: params.to_vec() }, 20_000);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        found
    };
    let (_, doubling) = text_of(100_000, |k| format!("a{}=a{k}+a{k};", k + 1));
    timed(&doubling, &[array(F64)]).expect("few nodes");
    let (_, literals) = text_of(100_000, |k| if k == 0 { "1".into() } else { "+1".into() });
    timed(&literals, &[]).expect("no nodes");
    let (_, outputs) = text_of(100_000, |k| format!("x{},", k % 300));
    timed(&outputs, &vec![array(F64); 300]).expect("few nodes");
    let (terms, sum) = text_of(100_000, |k| if k == 0 { "a0".into() } else { format!("+a{k}") });
    let (_, ones) = text_of(100_000, |k| if k == 0 { "x".into() } else { "+1".into() });
    for (source, params) in [(&sum, terms), (&ones, 1)] {
        let error = timed(source, &vec![array(F64); params]).expect_err("a limit");
        assert_eq!((error.code(), error.hint()), ("graph-nodes", Some("`Builder::node_limit` sets the limit")));
    }
}

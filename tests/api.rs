//! What the public API promises, from a caller's side.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use numlift::{
    Args, Backend, Bound, Builder, Cancel, DType, Engine, Error, ErrorKind, Kernel, Outputs, Schema, Stats, View,
    ViewMut,
};

/// Every backend x {1, 3 threads} x {chunk 1, 7, default}.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for (_, backend) in support::backends() {
        for threads in [1, 3] {
            let builder = Engine::builder().backend(backend).threads(threads);
            engines.extend([1, 7].map(|chunk| builder.clone().chunk_len(chunk).build().unwrap()));
            engines.push(builder.build().unwrap());
        }
    }
    engines
}

fn engine() -> Engine {
    Engine::builder().threads(1).build().unwrap()
}

fn compile(text: &str) -> Kernel {
    engine().compile(text).unwrap()
}

/// What identifies an error to a program, and its place.
fn told(error: &Error) -> (ErrorKind, &'static str, Option<(usize, usize)>) {
    (error.kind(), error.code(), error.line_column())
}

// -- types --

#[test]
fn handles_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Engine>();
    shared::<Kernel>();
    shared::<Bound>();
    shared::<Bound<fn((f64, f64)) -> f64>>();
    shared::<Builder>();
    shared::<Schema>();
    shared::<Cancel>();
    shared::<Error>();
    shared::<Stats>();
    fn sent<T: Send + Sync>() {}
    sent::<Outputs>();
    sent::<View<'_>>();
    sent::<ViewMut<'_>>();
}

#[test]
fn borrows_end_with_the_run() {
    let kernel = compile("x + 1");
    let mut x = vec![1.0, 2.0];
    let name = String::from("x");
    kernel.run(Args::new().inout(&name, &mut x)).unwrap();
    kernel.run(Args::new().inout(&name, &mut x)).unwrap();
    x.push(0.0);
    let outputs = kernel.eval(Args::new().input(&name, &x)).unwrap();
    drop(x);
    assert_eq!(outputs.into_vec::<f64>().unwrap(), [4.0, 5.0, 1.0]);
}

#[test]
fn kernels_outlive_their_engine() {
    let (kernel, bound, f) = {
        let engine = engine();
        let kernel = engine.compile("x * x").unwrap();
        let bound = kernel.bind(&Schema::new().array("x", DType::F64, 1)).unwrap();
        (kernel.clone(), bound, kernel.bind_fn::<(i32,), i32>().unwrap())
    };
    assert_eq!(kernel.eval(Args::new().input("x", &[3.0])).unwrap().into_vec::<f64>().unwrap(), [9.0]);
    drop(kernel);
    let mut out = [0.0; 3];
    bound.run(&[View::from(&[1.0, 2.0, 3.0])], &mut [ViewMut::from(&mut out)]).unwrap();
    assert_eq!((out, f.call((7,))), ([1.0, 4.0, 9.0], 49));
}

// -- running --

#[test]
fn a_formula_runs_over_arrays() {
    for engine in engines() {
        let kernel = engine.compile("a * b + c").unwrap();
        for n in [0, 1, 2, 7, 8, 100, 5000] {
            let a: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let b: Vec<f64> = (0..n).map(|i| (i % 10) as f64 - 0.5).collect();
            let mut out = vec![f64::NAN; n];
            let stats = kernel.run(Args::new().input("a", &a).input("b", &b).scalar("c", 2).output(&mut out)).unwrap();
            assert!((0..n).all(|i| out[i] == a[i] * b[i] + 2.0), "{n}");
            let moved = (stats.bytes_read, stats.bytes_written);
            assert_eq!((moved, stats.backend), ((16 * n as u64, 8 * n as u64), engine.backend()));
        }
    }
}

#[test]
fn shapes_broadcast_and_each_output_has_its_own() {
    for engine in engines() {
        let kernel = engine.compile("p = x + y; p, x * 2, size(y), index(1) + 0 * p").unwrap();
        let (x, y) = ([1_i32, 2, 3], [10_i32, 20]);
        let column = View::new(&y).shape([2, 1]);
        let mut outputs = kernel.eval(Args::new().input("x", &x).input("y", column)).unwrap();
        assert_eq!(outputs.shape("p").unwrap(), [2, 3]);
        assert_eq!(outputs.take::<i32>("p").unwrap(), [11, 12, 13, 21, 22, 23]);
        assert_eq!((outputs.shape("1").unwrap(), outputs.take::<i32>("1").unwrap()), (vec![3], vec![2, 4, 6]));
        assert_eq!((outputs.shape("2").unwrap(), outputs.take::<i64>("2").unwrap()), (vec![], vec![2]));
        assert_eq!(outputs.take::<i64>("3").unwrap(), [0, 1, 2, 0, 1, 2]);
    }
}

#[test]
fn sizes_beyond_any_memory_are_errors() {
    let (line, column) = (View::new(&[1.0]).broadcast([1 << 40]), View::new(&[1.0]).broadcast([1 << 40, 1]));
    let args = || Args::new().input("x", line.clone()).input("y", column.clone());
    for text in ["size(x + y)", "x + y"] {
        assert_eq!(
            told(&compile(text).eval(args()).unwrap_err()),
            (ErrorKind::Shape, "shape-overflow", None),
            "{text}"
        );
    }
    let size = compile("size(x) + size(y)").scalar::<i64>(args()).unwrap();
    assert_eq!(size, 1 << 41);
}

#[test]
fn an_output_may_be_larger() {
    for engine in engines() {
        let kernel = engine.compile("a + x, a * 2").unwrap();
        let (mut table, mut line) = ([0.0; 6], [0.0; 2]);
        let args = Args::new().input("a", &0.5).input("x", &[1.0, 2.0, 3.0]);
        kernel.run(args.output(ViewMut::new(&mut table).shape([2, 3])).output(&mut line)).unwrap();
        assert_eq!((table, line), ([1.5, 2.5, 3.5, 1.5, 2.5, 3.5], [1.0, 1.0]));
    }
}

#[test]
fn what_is_computed_in_place_replaces_what_was_read() {
    for engine in engines() {
        let kernel = engine.compile("x * 2 + y, x - y").unwrap();
        let n = 1000;
        let mut x: Vec<i64> = (0..n).collect();
        let mut difference = vec![0; n as usize];
        kernel.run(Args::new().inout("x", &mut x).scalar("y", 1).output(&mut difference)).unwrap();
        assert!((0..n).all(|i| x[i as usize] == 2 * i + 1 && difference[i as usize] == i - 1));

        let mut one = 20_u8;
        engine.compile("x + 1").unwrap().run(Args::new().inout("x", &mut one)).unwrap();
        assert_eq!(one, 21);

        let (mut x, mut y) = ((0..n).collect::<Vec<i64>>(), (0..n).map(|i| -i).collect::<Vec<i64>>());
        let swap = engine.compile("x, y = y, x").unwrap();
        swap.run(Args::new().inout("x", &mut x).inout("y", &mut y)).unwrap();
        assert!((0..n).all(|i| (x[i as usize], y[i as usize]) == (-i, i)));
    }
}

#[test]
fn strides_do_not_show() {
    for engine in engines() {
        let kernel = engine.compile("x - 2 * y").unwrap();
        let x: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let y: Vec<f32> = (0..60).map(|i| (i * i) as f32).collect();
        let mut out = vec![0.0_f32; 60];
        // x transposed, y backwards along one axis, every other column written backwards.
        let transposed = View::new(&x).shape([6, 10]).transpose();
        let reversed = View::new(&y).shape([10, 6]).step(0, -1);
        let mut wide = vec![0.0_f32; 120];
        let target = ViewMut::new(&mut wide).shape([10, 12]).step(1, -2);
        kernel.run(Args::new().input("x", transposed.clone()).input("y", reversed.clone()).output(target)).unwrap();
        kernel
            .run(Args::new().input("x", transposed).input("y", reversed).output(ViewMut::new(&mut out).shape([10, 6])))
            .unwrap();
        for i in 0..10 {
            for j in 0..6 {
                let expected = x[j * 10 + i] - 2.0 * y[(9 - i) * 6 + j];
                assert_eq!((out[i * 6 + j], wide[i * 12 + 11 - 2 * j]), (expected, expected), "{i} {j}");
            }
        }
    }
}

#[test]
fn numbers_without_a_dtype_take_that_of_what_they_meet() {
    for engine in engines() {
        let kernel = engine.compile("x * a").unwrap();
        let dtype = |args: Args<'_>| kernel.eval(args).unwrap().dtype("0").unwrap();
        assert_eq!(dtype(Args::new().input("x", &[1.0_f32]).scalar("a", 2.0)), DType::F32);
        assert_eq!(dtype(Args::new().input("x", &[1_u8]).scalar("a", 200)), DType::U8);
        assert_eq!(dtype(Args::new().input("x", &[1_u8]).scalar("a", 0.5)), DType::F64);
        assert_eq!(dtype(Args::new().input("x", &[1_u8]).input("a", &200_i64)), DType::I64);
        assert_eq!(dtype(Args::new().scalar("x", u64::MAX).scalar("a", 1.0)), DType::F64);
        let error = kernel.eval(Args::new().input("x", &[1_u8]).scalar("a", 256)).unwrap_err();
        assert_eq!(told(&error), (ErrorKind::DType, "literal-range", Some((1, 5))));
        assert_eq!(error.message(), "`256`, given for `a`, does not fit u8, which holds 0 to 255");
        let error = kernel.eval(Args::new().input("x", &[1_u8]).scalar("a", i128::MAX)).unwrap_err();
        assert_eq!(error.code(), "literal-range");
    }
}

#[test]
fn scalars_have_rank_0() {
    for engine in engines() {
        let kernel = engine.compile("a + b").unwrap();
        let sum: f32 = kernel.scalar(Args::new().input("a", &1.5_f32).scalar("b", 2)).unwrap();
        assert_eq!(sum, 3.5);
        let outputs = kernel.eval(Args::new().scalar("a", 1).scalar("b", 2)).unwrap();
        assert_eq!((outputs.shape("0").unwrap(), outputs.dtype("0").unwrap()), (vec![], DType::I64));
        let f = kernel.bind_fn::<(i8, i8), i8>().unwrap();
        assert_eq!(f.call((100, 100)), -56);
        let compared = engine.compile("a < b and not c").unwrap().bind_fn::<(f64, u16, bool), bool>().unwrap();
        assert_eq!((compared.call((0.5, 1, false)), compared.call((1.5, 1, false))), (true, false));
        assert_eq!(engine.compile("2 + 3").unwrap().bind_fn::<(), i64>().unwrap().call(()), 5);
    }
}

#[test]
fn bound_kernels_take_arrays_by_position() {
    for engine in engines() {
        let schema = Schema::new().array("x", DType::F32, 2).integer("k").number("s").array("y", DType::F32, 1);
        let kernel = engine.compile("y * s, x + k + y").unwrap();
        let bound = kernel.bind(&schema).unwrap();
        let names: Vec<&str> = bound.kernel().params().iter().map(|param| param.name()).collect();
        assert_eq!(names, ["y", "s", "x", "k"]);
        let (x, y) = ([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5_f32, 1.5, 2.5]);
        let x = View::new(&x).shape([2, 3]);
        for _ in 0..2 {
            let (mut scaled, mut sum) = ([0.0_f32; 3], [0.0_f32; 6]);
            let inputs = [View::new(&y), View::new(&0.5), x.clone(), View::new(&2_i64)];
            bound.run(&inputs, &mut [ViewMut::new(&mut scaled), ViewMut::new(&mut sum).shape([2, 3])]).unwrap();
            assert_eq!(scaled, [0.25, 0.75, 1.25]);
            assert_eq!(sum, [3.5, 5.5, 7.5, 6.5, 8.5, 10.5]);
            // Another partition of the outputs than ranks suggest.
            let (mut scaled, mut sum) = ([0.0_f32; 6], [0.0_f32; 6]);
            let [one, two] = [&mut scaled, &mut sum].map(|array| ViewMut::new(array).shape([2, 3]));
            bound.run(&inputs, &mut [one, two]).unwrap();
            assert_eq!((scaled, sum[5]), ([0.25, 0.75, 1.25, 0.25, 0.75, 1.25], 10.5));
        }
        let mut out = [0.0_f32; 3];
        let error = bound.run(&[View::new(&y)], &mut [ViewMut::new(&mut out)]).unwrap_err();
        assert_eq!((error.code(), error.message()), ("argument-count", "the formula has 4 inputs, found 1"));
        let doubles = [1.0; 3];
        let inputs = [View::new(&doubles), View::new(&0.5), x.clone(), View::new(&2_i64)];
        let error = bound.run(&inputs, &mut [ViewMut::new(&mut out), ViewMut::new(&mut [0.0_f32; 6])]).unwrap_err();
        assert_eq!(error.message(), "the parameter `y` is bound to f32 of rank 1, found f64 of rank 1");
    }
}

#[test]
fn results_do_not_depend_on_threads_chunks_or_backend() {
    let x: Vec<f64> = (0..10_007).map(|i| (i as f64).sin() * 1e3).collect();
    let mut results = engines().into_iter().map(|engine| {
        let kernel = engine.compile("exp(-x * x / 1e5) + sqrt(abs(x)) // 0.3 - cos(x) % 0.7").unwrap();
        let values = kernel.eval(Args::new().input("x", &x)).unwrap().into_vec::<f64>().unwrap();
        values.into_iter().map(f64::to_bits).collect::<Vec<_>>()
    });
    let first = results.next().unwrap();
    assert!(results.all(|result| result == first));
}

#[test]
fn variants_come_and_go() {
    let engine = Engine::builder().threads(1).variant_limit(2).build().unwrap();
    let kernel = engine.compile("x + 1").unwrap();
    let cached = |array: View<'_>| kernel.eval(Args::new().input("x", array)).unwrap().stats().cached;
    let (a, b, c) = ([1.0_f64], [1.0_f32], [1_i32]);
    assert_eq!([cached(View::new(&a)), cached(View::new(&a)), cached(View::new(&b))], [false, true, false]);
    assert!(cached(View::new(&a)));
    // The one that was not used for longest goes.
    assert!(!cached(View::new(&c)));
    assert_eq!([cached(View::new(&a)), cached(View::new(&c)), cached(View::new(&b))], [true, true, false]);
}

#[test]
fn threads_share_kernels() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let kernel = engine.compile("x * 2 + k").unwrap();
    thread::scope(|scope| {
        for k in 0..16_i64 {
            let kernel = kernel.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    let x: Vec<i64> = (0..n).collect();
                    let out = kernel.eval(Args::new().input("x", &x).scalar("k", k)).unwrap();
                    assert!(out.into_vec::<i64>().unwrap().iter().zip(&x).all(|(out, x)| *out == 2 * x + k));
                }
            });
        }
    });
}

#[test]
fn runs_nest_in_tasks_of_the_pool_they_use() {
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
    let kernel = Engine::builder().pool(Arc::clone(&pool)).build().unwrap().compile("x + 1").unwrap();
    let x = vec![1.0; 1 << 20];
    let run = || kernel.eval(Args::new().input("x", &x)).unwrap().into_vec::<f64>().unwrap();
    let (a, b) = pool.install(|| rayon::join(run, || rayon::join(run, run)));
    assert!([&a, &b.0, &b.1].into_iter().all(|out| out.iter().all(|x| *x == 2.0)));
}

// -- before there is data --

#[test]
fn schemas_check_formulas() {
    let schema = Schema::new().array("price", DType::F64, 1).array("qty", DType::I32, 2).scalar("fee", DType::F32);
    let engine = engine();
    let kernel = engine.compile_with("total = price * qty; total - fee, qty > 3, 1u8", &schema).unwrap();
    let outputs = kernel.prepare(&schema).unwrap();
    let shown: Vec<String> = outputs.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["0: f64[2]", "1: bool[2]", "2: u8"]);
    let error = engine.compile_with("prise + 1", &schema).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Name, "unknown-variable", Some((1, 1))));
    assert_eq!(error.hint(), Some("did you mean `price`?"));
    let error = engine.compile("price ^ 2").unwrap().prepare(&schema).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
    let error = engine.compile("price + tax").unwrap().prepare(&schema).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Argument, "missing-argument", None));
    let error = kernel.prepare(&schema.clone().integer("fee")).unwrap_err();
    assert_eq!(error.code(), "given-twice");
    // A declared variable comes before a constant.
    let named = Schema::new().array("e", DType::I8, 1);
    let out = engine.compile_with("e + 1", &named).unwrap().eval(Args::new().input("e", &[1_i8])).unwrap();
    assert_eq!(out.into_vec::<i8>().unwrap(), [2]);
    assert!(engine.compile("e + 1").unwrap().params().is_empty());
}

const CLIF_HINT: &str = "`Builder::backend(Backend::Cranelift)` makes an engine that has it";

#[test]
fn each_stage_can_be_read() {
    let schema = Schema::new().array("x", DType::F32, 1).array("y", DType::F32, 2);
    let kernel = compile("a = x * 3.0; a, a + y");
    let graph = kernel.graph(&schema).unwrap();
    assert!(graph.contains("param 0 `x`: f32[]") && graph.contains("output `a` = "), "{graph}");
    let strip = kernel.strip(&schema).unwrap();
    assert!(strip.starts_with("# `a`\ngroup of ") && strip.contains("# `1`\n"), "{strip}");
    assert!(!kernel.asm(&schema).unwrap().is_empty());
    let of = |backend| Engine::builder().backend(backend).build().unwrap().compile("x * 3.0").unwrap();
    assert!(of(Backend::Cranelift).clif(&schema).unwrap().contains("fmul"));
    if support::has_avx2() {
        assert!(of(Backend::X64).asm(&schema).unwrap().contains("vmulps ymm"));
        let error = of(Backend::X64).clif(&schema).unwrap_err();
        assert_eq!((error.kind(), error.code(), error.hint()), (ErrorKind::Host, "no-clif", Some(CLIF_HINT)));
    }
    if support::has_avx512() {
        assert!(of(Backend::Avx512).asm(&schema).unwrap().contains("vmulps zmm"));
    }
    let interpreted = Engine::builder().backend(Backend::Interpreter).build().unwrap().compile("x + 1").unwrap();
    assert!(interpreted.strip(&schema).is_ok());
    assert_eq!(interpreted.asm(&schema).unwrap_err().kind(), ErrorKind::Host);
}

#[test]
fn warnings_come_with_dtypes_too() {
    let kernel = compile("x ^ 2");
    assert!(kernel.warnings().is_empty());
    for dtype in [DType::I32, DType::I64] {
        kernel.prepare(&Schema::new().array("x", dtype, 1)).unwrap();
    }
    assert_eq!(kernel.warnings().len(), 1, "{:?}", kernel.warnings());
}

#[test]
fn functions_are_listed() {
    let functions = engine().functions();
    let names: HashMap<&str, &str> = functions.iter().map(|function| (function.name(), function.signature())).collect();
    assert_eq!((names["sin"], names["round"]), ("sin(x)", "round(x, n=0)"));
    assert!(functions.iter().all(|function| !function.doc().is_empty()));
}

// -- errors of a run --

#[test]
fn arguments_must_fit() {
    let kernel = compile("x + y");
    let (x, y, mut out) = ([1.0, 2.0], [1.0_f32, 2.0, 3.0], [0.0; 3]);
    let error = kernel.run(Args::new().input("x", &x).output(&mut out)).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Argument, "missing-argument", None));
    let error = kernel.run(Args::new().input("x", &x).input("y", &y)).unwrap_err();
    assert_eq!((error.code(), error.hint()), ("missing-output", Some("`eval` allocates its outputs")));
    let error = kernel.run(Args::new().input("x", &x).input("y", &x).input("z", &x).output(&mut out)).unwrap_err();
    assert_eq!(error.code(), "unknown-argument");
    let error = kernel.eval(Args::new().input("x", &x).input("y", &y)).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Shape, "shape-mismatch", None));
    assert!(error.message().contains("(2,)") && error.message().contains("(3,)"), "{error}");
    let error = kernel.run(Args::new().input("x", &x).scalar("y", 1).output(&mut out)).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Shape, "output-shape", None));
    assert_eq!(error.message(), "the output `0` has the shape (2,), the array for it has (3,)");
    let error = kernel.eval(Args::new().input("x", &x).scalar("y", 1).output(&mut out)).unwrap_err();
    assert_eq!(error.code(), "surplus-output");
    let error = kernel.eval(Args::new().input("x", View::new(&x).shape([3])).scalar("y", 1)).unwrap_err();
    assert_eq!((error.code(), error.notes()), ("reshape", &["in the array for the parameter `x`".to_owned()][..]));
    let error = kernel.scalar::<f64>(Args::new().input("x", &x).scalar("y", 1)).unwrap_err();
    assert_eq!(error.code(), "output-shape");
    let error = compile("x, y").scalar::<f64>(Args::new().scalar("x", 1).scalar("y", 1)).unwrap_err();
    assert_eq!(error.code(), "several-outputs");
    let error = kernel.bind_fn::<(f64,), f64>().unwrap_err();
    assert_eq!((error.code(), error.message()), ("argument-count", "the formula has 2 parameters, found 1 types"));
    assert_eq!(kernel.bind_fn::<(f32, f32), f64>().unwrap_err().code(), "output-dtype");
}

#[test]
fn nothing_is_converted_into_an_output() {
    let (x, mut out) = ([1_i32, 2], [0.0_f32; 2]);
    let error = compile("d = x * 2.5; d").run(Args::new().input("x", &x).output(&mut out)).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::DType, "output-dtype", Some((1, 14))));
    assert_eq!(
        error.render(),
        "the output `d` is f64, the array for it is f32\n   1 | d = x * 2.5; d\n     |              ^\n  \
         hint: nothing is converted unasked: write `f32(d)`, or give an array of f64"
    );
}

#[test]
fn an_array_in_place_is_not_read_after_it_was_written() {
    let kernel = compile("x * 2, x + y");
    let (mut x, y, mut sum) = ([1.0, 2.0], [10.0, 20.0, 30.0, 40.0], [0.0; 4]);
    let table = View::new(&y).shape([2, 2]);
    let args = Args::new().inout("x", &mut x).input("y", table.clone());
    let error = kernel.run(args.output(ViewMut::new(&mut sum).shape([2, 2]))).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Argument, "aliasing", None));
    // Written by the last stage, it is there for those before.
    let kernel = compile("x + y, x * 2");
    let args = Args::new().input("y", table).output_named("0", ViewMut::new(&mut sum).shape([2, 2]));
    kernel.run(args.inout("x", &mut x)).unwrap();
    assert_eq!((x, sum), ([2.0, 4.0], [11.0, 22.0, 31.0, 42.0]));
    // An array too small for what takes its place.
    let (mut small, y) = ([1.0], [1.0, 2.0]);
    let error = compile("x + y").run(Args::new().inout("x", &mut small).input("y", &y)).unwrap_err();
    assert_eq!(error.code(), "output-shape");
    assert_eq!(error.notes().last().unwrap(), "it is also that of the parameter `x`");
}

#[test]
fn runs_end_when_told() {
    for (_, backend) in support::backends() {
        let engine = Engine::builder().backend(backend).threads(2).deadline(Duration::from_secs(60)).build().unwrap();
        let kernel = engine.compile("sin(x) + cos(x)").unwrap();
        let x = vec![1e22; 1 << 20];
        let error = kernel.eval(Args::new().input("x", &x).deadline(Duration::ZERO)).unwrap_err();
        assert_eq!(told(&error), (ErrorKind::Cancelled, "deadline", None));
        let cancel = Cancel::new();
        cancel.cancel();
        let error = kernel.eval(Args::new().input("x", &x).cancel(&cancel)).unwrap_err();
        assert_eq!(told(&error), (ErrorKind::Cancelled, "cancelled", None));
        let cancel = Cancel::new();
        let stop = cancel.clone();
        let ending = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            stop.cancel();
        });
        let error = (0..10_000).find_map(|_| kernel.eval(Args::new().input("x", &x).cancel(&cancel)).err());
        assert_eq!(error.unwrap().code(), "cancelled");
        ending.join().unwrap();
    }
    let strict = Engine::builder().deadline(Duration::ZERO).build().unwrap().compile("x + 1").unwrap();
    let error = strict.eval(Args::new().input("x", &[1.0]).deadline(Duration::from_secs(9))).unwrap_err();
    assert_eq!(error.code(), "deadline", "the engine's deadline holds");
}

#[test]
fn a_deadline_is_seen_inside_long_work() {
    for (_, backend) in support::backends() {
        let engine = Engine::builder().backend(backend).threads(1).build().unwrap();
        let terms: Vec<String> = (0..100).map(|k| format!("sin(x + {k})")).collect();
        let kernel = engine.compile(&terms.join(" + ")).unwrap();
        kernel.prepare(&Schema::new().array("x", DType::F64, 1)).unwrap();
        let x = vec![0.5; 1 << 20];
        let start = Instant::now();
        let error = kernel.eval(Args::new().input("x", &x).deadline(Duration::from_millis(20))).unwrap_err();
        assert_eq!(error.code(), "deadline");
        assert!(start.elapsed() < Duration::from_secs(2), "{backend:?}: {:?}", start.elapsed());
    }
}

// -- bounds --

#[test]
fn each_bound_names_its_method() {
    fn refused<T>(builder: Builder, method: &str, f: impl FnOnce(&Engine) -> Result<T, Error>) -> String {
        let error = f(&builder.threads(1).build().unwrap()).err().expect("a bound is reached");
        assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains(&format!("`Builder::{method}`"))), "{error:?}");
        error.message().to_owned()
    }
    let x = Schema::new().array("x", DType::F64, 1);
    let message = refused(Engine::builder().source_limit(4), "source_limit", |engine| engine.compile("x + 1"));
    assert!(message.contains('4') && message.contains('5'), "{message}");
    refused(Engine::builder().nesting_limit(3), "nesting_limit", |engine| engine.compile("((((x))))"));
    let nodes = |engine: &Engine| engine.compile("x*x + x*2 + 3*x - 1")?.prepare(&x);
    refused(Engine::builder().node_limit(5), "node_limit", nodes);
    let sine = |engine: &Engine| engine.compile("sin(x)")?.prepare(&x);
    let message = refused(Engine::builder().node_limit(5), "node_limit", sine);
    assert!(message.contains("written out"), "{message}");
    refused(Engine::builder().code_limit(1000), "code_limit", sine);
    let wide = |engine: &Engine| engine.compile("x + 1")?.eval(Args::new().input("x", &[1.0; 100]));
    let message = refused(Engine::builder().memory_limit(799), "memory_limit", wide);
    assert_eq!(message, "the outputs take 800 bytes, the memory limit is 799 bytes");
    assert!(wide(&Engine::builder().memory_limit(800).build().unwrap()).is_ok());
    let broadcast = |engine: &Engine| {
        let args = Args::new().input("x", View::new(&[1.0]).broadcast([1 << 30]));
        engine.compile("x + y")?.eval(args.input("y", View::new(&[1.0]).broadcast([1 << 30, 1])))
    };
    refused(Engine::builder().untrusted(), "memory_limit", broadcast);
}

#[test]
fn builders_refuse_nonsense() {
    for builder in [Engine::builder().threads(0), Engine::builder().chunk_len(0), Engine::builder().variant_limit(0)] {
        let error = builder.build().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Argument, "builder-zero"));
    }
    let engine = Engine::builder().chunk_len(usize::MAX).untrusted().expressions_only().build().unwrap();
    let out = engine.compile("x + 1").unwrap().eval(Args::new().input("x", &vec![1.0; 100_000])).unwrap();
    assert!(out.into_vec::<f64>().unwrap().iter().all(|x| *x == 2.0));
}

#[test]
fn arrays_change_places_in_place() {
    // Every element is read before any array that it lies in is written, whatever the order of the outputs.
    let a: Vec<f64> = (0..1003).map(f64::from).collect();
    let b: Vec<i16> = (0..1003).map(|k| 7 * k - 3000).collect();
    for engine in engines() {
        let swap = engine.compile("x, y, z = y, x + z, x - y").unwrap();
        let (mut x, mut y, mut z) = (a.clone(), a.iter().map(|x| -2.0 * x).collect::<Vec<_>>(), vec![0.5; 1003]);
        swap.run(Args::new().inout("x", &mut x).inout("y", &mut y).inout("z", &mut z)).unwrap();
        assert!(x.iter().zip(&a).all(|(x, a)| *x == -2.0 * a));
        assert!(y.iter().zip(&a).all(|(y, a)| *y == a + 0.5));
        assert!(z.iter().zip(&a).all(|(z, a)| *z == 3.0 * a));
        // Lanes of different sizes: one store of the narrow covers several of the wide.
        let mixed = engine.compile("n, x = n + 1i16, x * n").unwrap();
        let (mut n, mut x) = (b.clone(), a.clone());
        mixed.run(Args::new().inout("n", &mut n).inout("x", &mut x)).unwrap();
        assert!(n.iter().zip(&b).all(|(n, b)| *n == b + 1));
        assert!(x.iter().zip(a.iter().zip(&b)).all(|(x, (a, b))| *x == a * f64::from(*b)));
    }
}

//! Functions of Rust in formulas: the same bits on every backend, wherever a call stands, whatever the function does.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use numlift::{Args, Builder, Cancel, Element, Engine, Error, ErrorKind, Partial, Schema, View, ViewMut};

/// An engine of every backend and of odd chunks, with the functions of these tests.
fn engines() -> Vec<(String, Engine)> {
    let mut engines = Vec::new();
    for (name, backend) in support::backends() {
        for (threads, chunk) in [(1, 32 * 1024), (3, 1), (3, 7), (2, 5000)] {
            let builder = with_functions(Engine::builder().backend(backend).threads(threads).chunk_len(chunk));
            engines.push((format!("{name}, {threads} threads, chunks of {chunk}"), builder.build().unwrap()));
        }
    }
    engines
}

fn with_functions(builder: Builder) -> Builder {
    builder
        .function::<(f64,), f64>("cubed", |(x,), results| {
            x.iter().zip(results).for_each(|(x, result)| *result = x * x * x);
        })
        .function::<(f64, i32, bool), f32>("mixed", |(x, n, is_on), results| {
            for (((x, n), is_on), result) in x.iter().zip(n).zip(is_on).zip(results) {
                *result = if *is_on { (*x as f32).powi(*n) } else { -1.0 };
            }
        })
        .function::<(u8, u8), bool>("less", |(x, y), results| {
            x.iter().zip(y).zip(results).for_each(|((x, y), result)| *result = x < y);
        })
        .function::<(f64,), u64>("bits", |(x,), results| {
            x.iter().zip(results).for_each(|(x, result)| *result = x.to_bits());
        })
}

fn cubed(x: f64) -> f64 {
    x * x * x
}

fn eval<T: Element>(engine: &Engine, text: &str, args: Args<'_>) -> Result<Vec<T>, Error> {
    engine.compile(text)?.eval(args)?.take("0")
}

#[test]
fn a_branch_gives_what_a_call_gave_before_it() {
    let x: Vec<f64> = (0..70).map(|k| f64::from(k) - 30.0).collect();
    for (name, engine) in engines() {
        for s in [0.0, 2.0] {
            let text = "v = cubed(x)\ny = s\nif s { y = v }\ncubed(y) + 0 * x";
            let found = eval::<f64>(&engine, text, Args::new().input("x", &x).input("s", &s)).unwrap();
            let expected: Vec<f64> = x.iter().map(|x| cubed(if s == 0.0 { s } else { cubed(*x) })).collect();
            assert_eq!(found, expected, "s is {s}, {name}");
        }
    }
}

#[test]
fn calls_stand_anywhere_in_an_expression() {
    for (name, engine) in engines() {
        for len in (0..70).chain([1000, 4096, 5001, 40_000]) {
            if len > 100 && name.contains("chunks of 1") {
                continue;
            }
            let x: Vec<f64> = (0..len).map(|k| f64::from(k) - 30.0).collect();
            let n: Vec<i32> = (0..len).map(|k| k % 5).collect();
            let args = || Args::new().input("x", &x).input("n", &n);
            let each = |f: &dyn Fn(f64, i32) -> f64| x.iter().zip(&n).map(|(x, n)| f(*x, *n)).collect::<Vec<f64>>();
            for (text, expected) in [
                ("cubed(x) + 0 * n", each(&|x, _| cubed(x))),
                ("1 + 2 * cubed(x - n)", each(&|x, n| 1.0 + 2.0 * cubed(x - f64::from(n)))),
                (
                    "cubed(cubed(x) / 1000) + cubed(x) + n",
                    each(&|x, n| cubed(cubed(x) / 1000.0) + cubed(x) + f64::from(n)),
                ),
                (
                    "mixed(x, n, x > 0) + f64(0)",
                    each(&|x, n| f64::from(if x > 0.0 { (x as f32).powi(n) } else { -1.0 })),
                ),
                ("mixed(x, 2, True) + cubed(2) + 0.0 * n", each(&|x, _| f64::from((x as f32).powi(2)) + 8.0)),
                ("t = n * 1.0\nfor i in 0..3 { t += x }\ncubed(t)", each(&|x, n| cubed(((f64::from(n) + x) + x) + x))),
                ("t = cubed(x)\nif n > 2 { t = -t }\nt + 0", each(&|x, n| if n > 2 { -cubed(x) } else { cubed(x) })),
            ] {
                let found = eval::<f64>(&engine, text, args()).unwrap_or_else(|error| panic!("{}", error.render()));
                assert_eq!(found, expected, "{text} of {len}, {name}");
            }
            let bytes: Vec<u8> = (0..len).map(|k| (k * 7 % 256) as u8).collect();
            let expected: Vec<bool> = bytes.iter().map(|byte| *byte < 100).collect();
            let found = eval::<bool>(&engine, "less(b, 100) == True", Args::new().input("b", &bytes)).unwrap();
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn calls_meet_reductions_scans_neighbours_and_gathers() {
    for (name, engine) in engines() {
        for len in [1_usize, 2, 33, 300, 5000, 9001] {
            if len > 500 && name.contains("chunks of 1") {
                continue;
            }
            let x: Vec<f64> = (0..len).map(|k| (k % 11) as f64 - 5.0).collect();
            let sum: f64 = x.iter().map(|x| cubed(*x)).sum();
            let args = || Args::new().input("x", &x);
            let scalar = |text: &str| engine.compile(text).unwrap().scalar::<f64>(args());
            assert_eq!(scalar("sum(cubed(x))").unwrap(), sum, "{name}");
            assert_eq!(scalar("cubed(sum(x)) + sum(x + cubed(2))").unwrap(), {
                let plain: f64 = x.iter().sum();
                cubed(plain) + plain + 8.0 * len as f64
            });
            let running: Vec<f64> = x
                .iter()
                .scan(0.0, |state, x| {
                    *state += cubed(*x);
                    Some(*state)
                })
                .collect();
            assert_eq!(eval::<f64>(&engine, "cumsum(cubed(x)) + 0", args()).unwrap(), running, "{name}");
            assert_eq!(eval::<f64>(&engine, "x - cubed(mean(x))", args()).unwrap(), {
                let mean = cubed(x.iter().sum::<f64>() / len as f64);
                x.iter().map(|x| x - mean).collect::<Vec<f64>>()
            });
            let kernel =
                "kernel k(x: f64[1] boundary(edge)) -> (y) over (i) { y = cubed(x[i-1]) + x[i+1] + cubed(x[i]) }";
            let found = engine.compile(kernel).unwrap().eval(args()).unwrap().take::<f64>("y").unwrap();
            let at = |k: isize| x[k.clamp(0, len as isize - 1) as usize];
            let expected: Vec<f64> = (0..len as isize).map(|k| cubed(at(k - 1)) + at(k + 1) + cubed(at(k))).collect();
            assert_eq!(found, expected, "{name} of {len}");
            let found = eval::<f64>(&engine, "cubed(take(x, i)) + x", args().input("i", &vec![0_i64; len])).unwrap();
            assert_eq!(found, x.iter().map(|y| cubed(x[0]) + y).collect::<Vec<f64>>(), "{name}");
        }
    }
}

#[test]
fn matrices_are_broadcast_transposed_and_reduced_along_axes() {
    for (name, engine) in engines() {
        let (rows, columns) = (5, 301);
        let x: Vec<f64> = (0..rows * columns).map(|k| (k % 17) as f64).collect();
        let row: Vec<f64> = (0..columns).map(|k| k as f64).collect();
        let matrix = || View::new(&x).shape([rows, columns]);
        fn args<'a>(x: View<'a>, row: &'a [f64]) -> Args<'a> {
            Args::new().input("x", x).input("row", row)
        }
        let at = |i: usize, j: usize| cubed(x[i * columns + j] + row[j]);
        let kernel = engine.compile("cubed(x + row)").unwrap();
        let mut out = vec![0.0; rows * columns];
        // Columns of the output lie one after the other.
        let output = ViewMut::new(&mut out).shape([columns, rows]).transpose();
        kernel.run(args(matrix(), &row).output(output)).unwrap();
        for i in 0..rows {
            for j in 0..columns {
                assert_eq!(out[j * rows + i], at(i, j), "{name}");
            }
        }
        for (text, expected) in [
            (
                "sum(cubed(x + row), axis=0)",
                (0..columns).map(|j| (0..rows).map(|i| at(i, j)).sum()).collect::<Vec<f64>>(),
            ),
            ("sum(cubed(x + row), axis=1)", (0..rows).map(|i| (0..columns).map(|j| at(i, j)).sum()).collect()),
        ] {
            assert_eq!(eval::<f64>(&engine, text, args(matrix(), &row)).unwrap(), expected, "{text}, {name}");
        }
        let kernel = engine.compile("x = cubed(x) - 1").unwrap();
        let mut changed = x.clone();
        kernel.run(Args::new().inout("x", &mut changed)).unwrap();
        assert_eq!(changed, x.iter().map(|x| cubed(*x) - 1.0).collect::<Vec<f64>>(), "{name}");
    }
}

#[test]
fn a_function_sees_one_nan_and_real_elements_alone() {
    let quiet = f64::NAN.to_bits();
    for (name, engine) in engines() {
        let x = [f64::from_bits(0xfff8_0000_0000_0001), f64::from_bits(0x7ff0_0000_0000_0001), -0.0];
        let found = eval::<u64>(&engine, "bits(x) + 0u64", Args::new().input("x", &x)).unwrap();
        assert_eq!(found, [quiet, quiet, (-0.0_f64).to_bits()], "{name}");
    }
    for (name, backend) in support::backends() {
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let builder = Engine::builder().backend(backend).threads(2).function::<(f32,), f32>("count", move |(x,), y| {
            counter.fetch_add(x.len(), Ordering::Relaxed);
            y.copy_from_slice(x);
        });
        let engine = builder.build().unwrap();
        for len in [1_usize, 7, 33, 1000, 100_003] {
            seen.store(0, Ordering::Relaxed);
            let x = vec![1.0_f32; len];
            let sum: f32 = engine.compile("sum(2 * count(x))").unwrap().scalar(Args::new().input("x", &x)).unwrap();
            assert_eq!((sum, seen.load(Ordering::Relaxed)), (2.0 * len as f32, len), "{name}");
        }
        // One element stands for all.
        seen.store(0, Ordering::Relaxed);
        eval::<f32>(&engine, "x + count(f32(2))", Args::new().input("x", &[0.0_f32; 100])).unwrap();
        assert!(seen.load(Ordering::Relaxed) < 3, "{name}");
    }
}

#[test]
fn a_panic_is_an_error_and_the_engine_goes_on() {
    for (name, backend) in support::backends() {
        for threads in [1, 3] {
            let builder = Engine::builder().backend(backend).threads(threads).chunk_len(1000);
            let engine = builder
                .function::<(f64,), f64>("positive", |(x,), y| {
                    assert!(x.iter().all(|x| *x >= 0.0), "found a negative number");
                    y.copy_from_slice(x);
                })
                .build()
                .unwrap_err();
            // `positive` is a function of the language.
            assert_eq!((engine.kind(), engine.code()), (ErrorKind::Argument, "function-name"));
            let builder = Engine::builder().backend(backend).threads(threads).chunk_len(1000);
            let engine = builder
                .function::<(f64,), f64>("checked", |(x,), y| {
                    assert!(x.iter().all(|x| *x >= 0.0), "found a negative number");
                    y.copy_from_slice(x);
                })
                .build()
                .unwrap();
            let mut x = vec![1.0; 20_000];
            x[17_000] = -1.0;
            for text in ["y = 2 * x\n1 + checked(x)", "y = 2 * x\nsum(checked(x))", "y = 2 * x\ncumsum(checked(x))"] {
                let kernel = engine.compile(text).unwrap();
                let error = kernel.eval(Args::new().input("x", &x)).unwrap_err();
                assert_eq!((error.kind(), error.code()), (ErrorKind::Host, "function-panicked"), "{name}");
                assert_eq!(error.message(), "the function `checked` panicked: found a negative number");
                assert_eq!(error.line_column().unwrap().0, 2);
                assert!(kernel.eval(Args::new().input("x", &x[..17_000])).is_ok());
            }
        }
    }
}

#[test]
fn a_function_may_use_rayon_and_kernels() {
    use rayon::prelude::*;
    for (name, backend) in support::backends() {
        let inner = Engine::builder().backend(backend).build().unwrap().compile("x * x").unwrap();
        let engine = Engine::builder()
            .backend(backend)
            .chunk_len(500)
            .function::<(f64,), f64>("parallel", |(x,), y| {
                y.par_iter_mut().zip(x).for_each(|(y, x)| *y = x + 1.0);
            })
            .function::<(f64,), f64>("squared", move |(x,), y| {
                inner.run(Args::new().input("x", x).output(y)).unwrap();
            })
            .build()
            .unwrap();
        let x: Vec<f64> = (0..50_000).map(f64::from).collect();
        let expected: Vec<f64> = x.iter().map(|x| x * x + (x + 1.0)).collect();
        let kernel = engine.compile("squared(x) + parallel(x)").unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for len in [1, 999, 50_000] {
                        let found = kernel.eval(Args::new().input("x", &x[..len])).unwrap().take::<f64>("0").unwrap();
                        assert_eq!(found, expected[..len], "{name}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_function_may_cancel_the_run_that_calls_it() {
    let cancel = Cancel::new();
    let token = cancel.clone();
    let engine = Engine::builder()
        .threads(1)
        .chunk_len(1000)
        .function::<(f64,), f64>("cancels", move |(x,), y| {
            token.cancel();
            y.copy_from_slice(x);
        })
        .build()
        .unwrap();
    let x = vec![1.0; 100_000];
    let kernel = engine.compile("cancels(x)").unwrap();
    let error = kernel.eval(Args::new().input("x", &x).cancel(&cancel)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn errors_say_what_is_wrong_with_a_call() {
    let engine = with_functions(Engine::builder()).build().unwrap();
    let x = [1.0, 2.0];
    for (text, code, message, hint) in [
        ("cubed(x, x)", "argument-count", "`cubed` takes 1 argument, found 2", "cubed(f64)"),
        ("mixed(x)", "argument-count", "`mixed` takes 3 arguments, found 1", "mixed(f64, i32, bool)"),
        ("cubed(x=x)", "unknown-argument", "`cubed` has no argument `x`", "cubed(f64)"),
        ("cubd(x)", "unknown-function", "unknown function `cubd`", "did you mean `cubed`?"),
        (
            "cubed(f32(x))",
            "declared-dtype",
            "argument 1 of `cubed` is declared f64, found f32",
            "`f64(f32(x))` converts",
        ),
        (
            "mixed(x, 1.5, True)",
            "declared-dtype",
            "argument 2 of `mixed` is declared i32, found f64",
            "`i32(1.5)` converts",
        ),
        (
            "y = x\nfor i in 0..3 { y = cubed(y) }\ny",
            "call-in-block",
            "`cubed` is a function of Rust, and stands where each element goes its own way",
            "call it before the branch or loop: `y = cubed(...)`",
        ),
        (
            "y = x\nif x > 1 { y = cubed(y) }\ny",
            "call-in-block",
            "`cubed` is a function of Rust, and stands where each element goes its own way",
            "call it before the branch or loop: `y = cubed(...)`",
        ),
        (
            "while cubed(x) > 0 { x -= 1 }",
            "call-in-block",
            "`cubed` is a function of Rust, and stands where each element goes its own way",
            "call it before the branch or loop: `y = cubed(...)`",
        ),
    ] {
        let error = eval::<f64>(&engine, text, Args::new().input("x", &x)).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {}", error.render());
        assert_eq!((error.message(), error.hint()), (message, Some(hint)), "{text}");
    }
    let double = |(x,): (&[f64],), y: &mut [f64]| y.copy_from_slice(x);
    for (names, message) in [
        (["sqrt", "a"], "a function of Rust is called `sqrt`, which is a function of the language"),
        (["clamp", "a"], "a function of Rust is called `clamp`, which is a function of the language"),
        (["f32", "a"], "a function of Rust is called `f32`, which is a dtype, which converts"),
        (["a", "a"], "a function of Rust is called `a`, which is another function of Rust"),
    ] {
        let builder =
            names.iter().fold(Engine::builder(), |builder, name| builder.function::<(f64,), f64>(name, double));
        let error = builder.build().unwrap_err();
        assert_eq!((error.code(), error.message()), ("function-name", message));
    }
}

#[test]
fn names_and_bounds() {
    let engine = with_functions(Engine::builder().untrusted()).build().unwrap();
    let x = [2.0, 3.0];
    // The text's own function comes first.
    assert_eq!(eval::<f64>(&engine, "fn cubed(x) = x + 1\ncubed(x)", Args::new().input("x", &x)).unwrap(), [3.0, 4.0]);
    assert_eq!(eval::<f64>(&engine, "fn f(x) = cubed(x) + 1\nf(x)", Args::new().input("x", &x)).unwrap(), [9.0, 28.0]);
    // As a variable the name is free.
    assert_eq!(eval::<f64>(&engine, "cubed(cubed)", Args::new().input("cubed", &x)).unwrap(), [8.0, 27.0]);
    let kernel = engine.compile("cubed(x)").unwrap();
    assert_eq!(kernel.bind_fn::<(f64,), f64>().unwrap_err().code(), "bound-call");
    let bound = kernel.bind(&Schema::new().array("x", numlift::DType::F64, 1)).unwrap();
    let mut out = [0.0; 2];
    bound.run(&[View::from(&x)], &mut [ViewMut::from(&mut out)]).unwrap();
    assert_eq!(out, [8.0, 27.0]);
    let scalar: f64 = kernel.scalar(Args::new().input("x", &2.0)).unwrap();
    assert_eq!(scalar, 8.0);
    let text = kernel.strip(&Schema::new().array("x", numlift::DType::F64, 1)).unwrap();
    assert!(text.contains("# arguments of functions"), "{text}");
    // A long chain of calls is bounded as any program is.
    let mut chain = String::from("y = x\n");
    (0..3000).for_each(|_| chain.push_str("y = cubed(y)\n"));
    let error = eval::<f64>(&engine, &(chain + "y"), Args::new().input("x", &x)).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "graph-nodes"), "{}", error.render());
}

#[test]
fn parts_of_an_array_merge() {
    let engine = with_functions(Engine::builder()).build().unwrap();
    let kernel = engine.compile("sqrt(sum(cubed(x)))").unwrap();
    let x: Vec<f64> = (0..10_000).map(|k| f64::from(k % 7)).collect();
    let mut state = kernel.partial(Args::new().input("x", &x[..8192])).unwrap();
    let sent = kernel.partial(Args::new().input("x", &x[8192..])).unwrap().to_bytes();
    state.merge(&Partial::from_bytes(&kernel, &sent).unwrap()).unwrap();
    let whole = kernel.eval(Args::new().input("x", &x)).unwrap().into_vec::<f64>().unwrap();
    assert_eq!(state.finish().unwrap().into_vec::<f64>().unwrap(), whole);
}

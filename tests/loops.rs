//! Loops that end for the given data, that end by a budget, a deadline or a token, and programs of many blocks.

use std::fmt::Debug;
use std::time::Duration;

use numlift::{Args, Backend, Builder, Cancel, Element, Engine, Error, ErrorKind, Schema};

fn engines(build: impl Fn(Builder) -> Builder) -> Vec<Engine> {
    let backends = [Backend::Interpreter, Backend::Cranelift, Backend::X64, Backend::Avx512];
    let engine = |backend| build(Engine::builder().threads(2).backend(backend)).build();
    let mut engines: Vec<Engine> = backends.into_iter().filter_map(|backend| engine(backend).ok()).collect();
    engines.push(build(Engine::builder().threads(3).chunk_len(7)).build().expect("an engine"));
    engines
}

/// What the text makes of `x`.
fn run(engine: &Engine, text: &str, x: &[i32]) -> Result<Vec<i32>, Error> {
    engine.compile(text)?.eval(Args::new().input("x", x))?.take("n")
}

/// Elements that the engine's code for vectors of `T` computes together; 1 where there is none.
fn group<T: Element>(engine: &Engine, text: &str) -> usize {
    if engine.backend() == Backend::Interpreter {
        return 1;
    }
    let strip = engine.compile(text).unwrap().strip(&Schema::new().array("x", T::DTYPE, 1)).unwrap();
    let words = strip.split_once("group of ").and_then(|(_, rest)| rest.split_once(' '));
    words.expect("a strip tells its group").0.parse().expect("a number")
}

/// For anything but the given elements the loop takes as many turns as the dtype has numbers, or never ends.
fn ends_at_every_length<T: Element + PartialEq + Debug>(of: impl Fn(u8) -> T) {
    let text = "n = x - x
                while x != 0 { x -= 1; n += 2 }";
    for engine in engines(|builder| builder) {
        let (kernel, group) = (engine.compile(text).unwrap(), group::<T>(&engine, text));
        for len in 1..=2 * group + 1 {
            let turns: Vec<u8> = (0..len).map(|k| (k % 5 + 1) as u8).collect();
            let x: Vec<T> = turns.iter().map(|turns| of(*turns)).collect();
            let doubled: Vec<T> = turns.iter().map(|turns| of(2 * turns)).collect();
            let mut outputs = kernel.eval(Args::new().input("x", &x)).unwrap();
            assert_eq!(outputs.take::<T>("n").unwrap(), doubled, "{len} of {}", T::DTYPE);
        }
    }
}

#[test]
fn a_loop_that_ends_for_the_data_ends_at_every_length() {
    ends_at_every_length(|x| x);
    ends_at_every_length(i16::from);
    ends_at_every_length(i32::from);
    ends_at_every_length(i64::from);
    ends_at_every_length(f32::from);
    ends_at_every_length(f64::from);
}

/// For an element that has left the outer loop the inner one would take four milliards of turns.
#[test]
fn what_is_carried_where_an_element_has_left_is_not_seen() {
    let text = "n, y = 0i32, x
                while True {
                    if y == 0 { break }
                    k = y
                    while k != 0 { k -= 1; n += 1 }
                    y -= 1
                }
                n, y";
    for engine in engines(|builder| builder) {
        let kernel = engine.compile(text).unwrap();
        for len in 1..70 {
            let x: Vec<i32> = (0..len).map(|k| k * k % 7).collect();
            let mut outputs = kernel.eval(Args::new().input("x", &x)).unwrap();
            let sums: Vec<i32> = x.iter().map(|x| x * (x + 1) / 2).collect();
            assert_eq!(outputs.take::<i32>("n").unwrap(), sums, "{len}");
            assert_eq!(outputs.take::<i32>("y").unwrap(), vec![0; x.len()], "{len}");
        }
    }
}

#[test]
fn an_endless_loop_ends_with_its_line() {
    for text in ["n = x\nwhile True { n = n + 0 }", "n = x\nwhile True {}"] {
        for engine in engines(|builder| builder.untrusted().loop_budget(10_000)) {
            for len in [1, 100, 3000] {
                let error = run(&engine, text, &vec![3; len]).unwrap_err();
                let of = error.render();
                assert_eq!((error.kind(), error.line_column()), (ErrorKind::Limit, Some((2, 1))), "{text}: {of}");
                assert_eq!(error.message(), "an element takes at least 10001 turns of loops, the loop budget is 10000");
                assert_eq!(error.hint(), Some("`Builder::loop_budget` sets the budget"));
            }
        }
    }
}

#[test]
fn the_budget_is_that_of_an_element() {
    // Neighbours take turns in different loops, so that a group takes twice as many as an element.
    let text = "n, y = 0i32, x
                if x % 2 == 0 {
                    while x > 0 { x -= 1; n += 1 }
                } else {
                    while x > 0 { x -= 1; n += 1 }
                }
                for i in 0..2 { n += 0 }
                n, y";
    for engine in engines(|builder| builder.loop_budget(12)) {
        for len in (1..40).chain([1000, 5000]) {
            let mut x: Vec<i32> = (0..len).map(|k| 9 + k % 2).collect();
            assert_eq!(run(&engine, text, &x).unwrap(), x, "{len}");
            let last = x.len() - 1;
            x[last] = 11;
            let error = run(&engine, text, &x).unwrap_err();
            assert_eq!(error.code(), "loop-budget", "{}", error.render());
        }
    }
}

#[test]
fn what_is_written_in_place_is_read_before() {
    let text = "if x % 2 == 0 { while x > 0 { x -= 3 } } else { while x > 0 { x -= 7 } }";
    for engine in engines(|builder| builder.loop_budget(40)) {
        let kernel = engine.compile(text).unwrap();
        let mut x: Vec<i64> = (0..500).map(|k| k % 100).collect();
        let expected: Vec<i64> = x
            .iter()
            .map(|x| {
                if *x <= 0 {
                    *x
                } else if x % 2 == 0 {
                    -((3 - x % 3) % 3)
                } else {
                    -((7 - x % 7) % 7)
                }
            })
            .collect();
        kernel.run(Args::new().inout("x", &mut x)).unwrap();
        assert_eq!(x, expected);
    }
}

#[test]
fn a_deadline_and_a_token_reach_into_loops() {
    let text = "n = x\nwhile True { n += 1 }";
    for engine in engines(|builder| builder) {
        let kernel = engine.compile(text).unwrap();
        for len in [1, 5000] {
            let x = vec![1_i32; len];
            let late = kernel.eval(Args::new().input("x", &x).deadline(Duration::from_millis(20)));
            assert_eq!(late.unwrap_err().code(), "deadline");
            let cancel = Cancel::new();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(20));
                    cancel.cancel();
                });
                let cancelled = kernel.eval(Args::new().input("x", &x).cancel(&cancel));
                assert_eq!(cancelled.unwrap_err().code(), "cancelled");
            });
        }
    }
}

/// Code asks in some turns alone whether it is to stop: those of the outer loop may never be among them.
#[test]
fn a_deadline_reaches_into_loops_of_any_number_of_turns() {
    for engine in engines(|builder| builder) {
        for (before, inside) in [(0, 1), (1, 1), (2, 1), (0, 7), (5, 7), (0, 15), (1, 15), (2, 15), (3, 15)] {
            let text = format!(
                "n, k = x, x
                 while k < {before} {{ k += 1 }}
                 while True {{
                     j = n - n
                     while j < {inside} {{ j += 1 }}
                     n += j
                 }}"
            );
            let kernel = engine.compile(&text).unwrap();
            let late = kernel.eval(Args::new().input("x", &[0_i32; 3]).deadline(Duration::from_millis(5)));
            assert_eq!(late.unwrap_err().code(), "deadline", "{before} turns before, {inside} inside");
        }
    }
}

#[test]
fn a_loop_inside_a_reduction_is_bounded_too() {
    let text = "fn f(x) { while x > 3 { x -= 1 }
                          return x }
                n = sum(f(x))";
    for engine in engines(|builder| builder.loop_budget(5)) {
        let kernel = engine.compile(text).unwrap();
        let sum: i64 = kernel.scalar(Args::new().input("x", &[1, 5, 8, 2])).unwrap();
        assert_eq!(sum, 1 + 3 + 3 + 2);
        let error = kernel.scalar::<i64>(Args::new().input("x", &[1, 5, 9, 2])).unwrap_err();
        assert_eq!((error.code(), error.line_column()), ("loop-budget", Some((1, 11))));
    }
}

#[test]
fn blocks_may_be_many_and_deep() {
    let deep = |depth: usize| {
        let open: String = (0..depth).map(|k| format!("for i{k} in 0..2 {{\n")).collect();
        format!("n = 0i32\n{open}n += x\n{}", "}\n".repeat(depth))
    };
    let ifs: String = (0..1000).map(|k| format!("if x > {k} {{ n += {k} }} else {{ n -= 1 }}\n")).collect();
    let elifs: String = (0..1000).map(|k| format!(" elif x == {k} {{ n = {}i32 }}", k * 2)).collect();
    let breaks: String = (0..300).map(|k| format!("if x == {k} {{ break }}\nn += 1\n")).collect();
    let kernel: String = (0..400).map(|k| format!("    if n % {} == 0 {{ n = n + x * {k} }}\n", k % 7 + 1)).collect();
    let cases = [
        (deep(10), 3 * 1024),
        (format!("n = 0i32\n{ifs}"), 3 - 997),
        (format!("if x < 0 {{ n = 1i32 }}{elifs} else {{ n = 5i32 }}"), 6),
        (format!("n = 0i32\nwhile True {{\n{breaks}\n}}"), 3),
    ];
    for engine in engines(|builder| builder) {
        for (text, expected) in &cases {
            assert_eq!(run(&engine, text, &[3, 3]).unwrap(), [*expected; 2], "{}", &text[..60]);
        }
        let long = format!("kernel long(x: i32) -> (n) {{\n    n = 0i32\n{kernel}}}");
        assert!(run(&engine, &long, &[3, 4]).is_ok());
        let error = engine.compile(&long.replacen("x * 350", "x * y", 1)).unwrap_err();
        assert_eq!(error.line_column().map(|(line, _)| line), Some(353));
    }
}

#[test]
fn what_nests_too_deep_is_an_error() {
    let engine = Engine::new().unwrap();
    for depth in [200, 300] {
        let text = format!("n = x\n{}n += 1{}", "if x > 0 { ".repeat(depth), " }".repeat(depth));
        let result = run(&engine, &text, &[1]);
        assert_eq!(result.is_ok(), depth == 200, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.code(), "nesting-limit");
        }
    }
    let chain: String = (0..100).map(|k| format!("fn f{k}(x) = f{}(x) + f{}(x)\n", k + 1, k + 1)).collect();
    let error = engine.compile(&format!("{chain}fn f100(x) = x\nf0(x)")).unwrap_err();
    assert_eq!(error.code(), "call-depth");
    let chain: String = (0..40).map(|k| format!("fn f{k}(x) = f{}(f{}(x))\n", k + 1, k + 1)).collect();
    let kernel = engine.compile(&format!("{chain}fn f40(x) = x\nn = f0(x)")).unwrap();
    assert_eq!(kernel.eval(Args::new().input("x", &[1])).unwrap_err().code(), "graph-nodes");
}

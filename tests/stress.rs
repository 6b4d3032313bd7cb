//! Many threads, many kernels, hostile float modes, blocked pools: results stay right and memory stays flat.
#![expect(unsafe_code, reason = "the float modes of a thread are set by hand")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use numlift::{Args, Backend, DType, Engine, Schema};

fn eval(engine: &Engine, text: &str, x: &[f64]) -> Vec<f64> {
    let kernel = engine.compile(text).expect("a formula");
    kernel.eval(Args::new().input("x", x)).expect("a run").into_vec().expect("f64")
}

/// Resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = pages.split_whitespace().nth(1).expect("resident pages").parse().expect("a number");
    pages * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn kernels_that_come_and_go_leave_nothing() {
    // Other tests of this file allocate too, so this one has a process of its own.
    if std::env::var_os("NUMLIFT_ALONE").is_none() {
        let test = std::env::current_exe().expect("this test");
        let mut alone = std::process::Command::new(test);
        alone.args(["--exact", "kernels_that_come_and_go_leave_nothing", "--nocapture"]).env("NUMLIFT_ALONE", "1");
        let output = alone.output().expect("a process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    for (name, backend) in support::backends().into_iter().filter(|(_, backend)| *backend != Backend::Interpreter) {
        let engine = Engine::builder().backend(backend).threads(1).build().expect("an engine");
        let cycle = |k: usize| assert_eq!(eval(&engine, &format!("x * {k}.5 + 1"), &[2.0]), [k as f64 * 2.0 + 2.0]);
        let cycles = std::env::var("CYCLES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
        (0..500).for_each(cycle);
        let before = resident();
        (0..cycles).for_each(cycle);
        let grown = resident().saturating_sub(before);
        println!("{name}: {cycles} cycles, {grown} bytes more");
        assert!(grown < 1 << 20, "{name}: {cycles} cycles left {grown} bytes");
    }
}

#[test]
fn shared_kernels_on_many_threads() {
    let engine = Engine::new().expect("an engine");
    let texts = ["x * 2 + 1", "sqrt(x) + x", "where(x > 1, x, -x)", "exp(x) - 1"];
    let x: Vec<f64> = (0..5000).map(|k| f64::from(k) / 64.0).collect();
    let expected: Vec<Vec<f64>> = texts.iter().map(|text| eval(&engine, text, &x)).collect();
    let shared: Vec<_> = texts.iter().map(|text| engine.compile(text).expect("a formula")).collect();
    thread::scope(|scope| {
        for t in 0..64 {
            let (engine, x, expected, shared) = (&engine, &x, &expected, &shared);
            scope.spawn(move || {
                for k in 0..10 {
                    let which = (t + k) % texts.len();
                    let found: Vec<f64> = if k % 2 == 0 {
                        eval(engine, texts[which], x)
                    } else {
                        let kernel = shared[which].clone();
                        kernel.eval(Args::new().input("x", x)).expect("a run").into_vec().expect("f64")
                    };
                    assert_eq!(found, expected[which]);
                }
            });
        }
    });
}

#[test]
fn running_while_others_compile() {
    let engine = Engine::builder().threads(2).build().expect("an engine");
    let kernel = engine.compile("x * x + 1").expect("a formula");
    let x: Vec<f64> = (0..100_000).map(f64::from).collect();
    let total = std::env::var("COMPILES").ok().and_then(|n| n.parse().ok()).unwrap_or(800);
    let compiled = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let k = compiled.fetch_add(1, Ordering::Relaxed);
                    if k >= total {
                        break;
                    }
                    assert_eq!(eval(&engine, &format!("x + {k}"), &[1.0]), [1.0 + k as f64]);
                }
            });
        }
        for _ in 0..8 {
            scope.spawn(|| {
                while compiled.load(Ordering::Relaxed) < total {
                    let found: Vec<f64> =
                        kernel.eval(Args::new().input("x", &x)).expect("a run").into_vec().expect("f64");
                    assert!(found.iter().zip(&x).all(|(y, x)| *y == x * x + 1.0));
                }
            });
        }
    });
}

#[test]
fn a_run_needs_no_free_thread() {
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool"));
    let engine = Engine::builder().pool(Arc::clone(&pool)).build().expect("an engine");
    let (blocked, free) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    for _ in 0..2 {
        let (blocked, free) = (Arc::clone(&blocked), Arc::clone(&free));
        pool.spawn(move || {
            blocked.wait();
            free.wait();
        });
    }
    blocked.wait();
    let x = vec![1.0; 4_000_000];
    assert!(eval(&engine, "exp(x) * 0 + 2", &x).iter().all(|y| *y == 2.0));
    free.wait();
}

#[test]
fn runs_inside_rayon_tasks() {
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool"));
    let engine = Engine::builder().pool(Arc::clone(&pool)).build().expect("an engine");
    let (done, all) = mpsc::channel();
    pool.scope(|scope| {
        for k in 0..12 {
            let (engine, done) = (engine.clone(), done.clone());
            scope.spawn(move |_| {
                let x = vec![f64::from(k); 500_000];
                let inner = eval(&engine, "sqrt(x) * sqrt(x) + 1", &x);
                done.send(inner.len()).expect("the test listens");
            });
        }
    });
    assert_eq!(all.try_iter().sum::<usize>(), 12 * 500_000);
}

/// Sets flush-to-zero, denormals-are-zero and rounding towards zero for the time of `f`.
#[cfg(target_arch = "x86_64")]
fn with_hostile_modes<R>(f: impl FnOnce() -> R) -> R {
    fn modes() -> u32 {
        let mut word = 0_u32;
        // SAFETY: the control word is stored to a local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
        word
    }
    fn set(word: u32) {
        // SAFETY: the word differs from a valid one in rounding, FTZ and DAZ alone.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack)) };
    }
    let before = modes();
    set(before | 0x8000 | 0x0040 | 0x6000);
    let result = f();
    assert_eq!(modes() & 0xe040, 0xe040, "the caller has its modes back");
    set(before);
    result
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_callers_float_modes_do_not_matter() {
    let x: Vec<f64> = (0..70_000).map(|k| f64::from(k) * 1e-312).chain([0.1, 0.7, 1e-300, 3.0]).collect();
    let text = "x * 0.3 + 1e-310 + 1/3, x / 7, exp(x), (0.1 + 0.2) * x";
    for backend in [Backend::Interpreter, Backend::Auto] {
        let bits = |engine: &Engine| -> Vec<u64> {
            let kernel = engine.compile(text).expect("a formula");
            let mut outputs = kernel.eval(Args::new().input("x", &x)).expect("a run");
            let names: Vec<String> = outputs.names().map(str::to_owned).collect();
            names.iter().flat_map(|name| outputs.take::<f64>(name).expect("f64")).map(f64::to_bits).collect()
        };
        let make = || Engine::builder().backend(backend).threads(2).chunk_len(4096).build().expect("an engine");
        let expected = bits(&make());
        // Made, compiled and run there.
        assert!(with_hostile_modes(|| bits(&make())) == expected, "{backend:?}");
        // Compiled here, run there, and the other way round.
        let engine = make();
        let schema = Schema::new().array("x", DType::F64, 1);
        let run = |kernel: &numlift::Kernel| {
            kernel.eval(Args::new().input("x", &x)).expect("a run").take::<f64>("2").expect("f64")
        };
        let here = engine.compile(text).expect("a formula");
        here.prepare(&schema).expect("a variant");
        let there = with_hostile_modes(|| {
            let kernel = engine.compile(text).expect("a formula");
            kernel.prepare(&schema).expect("a variant");
            kernel
        });
        assert!(with_hostile_modes(|| run(&here)) == run(&there), "{backend:?}");
    }
}

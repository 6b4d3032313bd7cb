//! What the public API promises, from a caller's side.

use numlift::{Args, Backend, DType, Engine, ErrorKind, Schema, View, ViewMut};

fn engines() -> Vec<Engine> {
    let engine = |backend, threads| Engine::builder().backend(backend).threads(threads).build().unwrap();
    [Backend::Cranelift, Backend::Interpreter].into_iter().flat_map(|b| [engine(b, 1), engine(b, 3)]).collect()
}

#[test]
fn a_formula_runs_over_arrays() {
    for engine in engines() {
        let kernel = engine.compile("a * b + c").unwrap();
        for n in [0, 1, 2, 7, 8, 100, 5000, 200_000] {
            let a: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let b: Vec<f64> = (0..n).map(|i| (i % 10) as f64 - 0.5).collect();
            let mut out = vec![f64::NAN; n];
            let args = Args::new().input("a", &a).input("b", &b).scalar("c", 2).output(&mut out);
            kernel.run(args).unwrap();
            assert!((0..n).all(|i| out[i] == a[i] * b[i] + 2.0), "{n}");
        }
    }
}

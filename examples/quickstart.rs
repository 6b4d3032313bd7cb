//! Two formulas over ten million numbers: `cargo run --release --example quickstart`.

use std::time::{Duration, Instant};

use numlift::{Args, Engine, Error, Stats};

const N: usize = 10_000_000;

fn main() -> Result<(), Error> {
    let x: Vec<f64> = (0..N).map(|i| i as f64 / 1e6).collect();
    let y: Vec<f64> = (0..N).map(|i| (i % 1000) as f64).collect();
    let mut out = vec![0.0; N];
    let engine = Engine::new()?;

    let text = "a * x + y";
    let axpy = engine.compile(text)?;
    let stats = runs(|| axpy.run(Args::new().scalar("a", 2.5).input("x", &x).input("y", &y).output(&mut out)))?;
    let (expected, plain) = plain_loop(&x, &y, |x, y| 2.5 * x + y);
    report(text, &out, &stats, plain);
    assert!(out == expected, "arithmetic is exact to the bit");

    let text = "where(0 < y < 900, exp(-x / 3) * sin(2 * x) + log(1 + y), sqrt(x**2 + y**2))";
    let wave = engine.compile(text)?;
    let stats = runs(|| wave.run(Args::new().input("x", &x).input("y", &y).output(&mut out)))?;
    let (expected, plain) = plain_loop(&x, &y, |x, y| {
        let inside = 0.0 < y && y < 900.0;
        if inside { (-x / 3.0).exp() * (2.0 * x).sin() + (1.0 + y).ln() } else { (x * x + y * y).sqrt() }
    });
    report(text, &out, &stats, plain);
    let difference = out.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("largest difference from Rust's exp, sin and ln: {difference:.1e}");
    assert!(difference < 1e-13, "each function is within 1 ulp");
    Ok(())
}

/// The first run compiles the formula for the dtypes it meets; the others find it compiled.
fn runs(mut run: impl FnMut() -> Result<Stats, Error>) -> Result<Vec<Stats>, Error> {
    (0..6).map(|_| run()).collect()
}

/// The same by hand on one thread, and its best time.
fn plain_loop(x: &[f64], y: &[f64], formula: impl Fn(f64, f64) -> f64) -> (Vec<f64>, Duration) {
    let mut out = vec![0.0; N];
    let mut best = Duration::MAX;
    for _ in 0..6 {
        let began = Instant::now();
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out = formula(*x, *y);
        }
        best = best.min(began.elapsed());
    }
    (out, best)
}

fn report(text: &str, out: &[f64], stats: &[Stats], plain: Duration) {
    let best = stats.iter().min_by_key(|stats| stats.run_time).expect("there were runs");
    let rate = (best.bytes_read + best.bytes_written) as f64 / best.run_time.as_secs_f64() / 1e9;
    println!("{text}");
    println!("  [{:.6}, {:.6}, {:.6}, ..., {:.6}]", out[0], out[1], out[2], out[N - 1]);
    println!("  compiled in {:.1?}, ran in {:.1?}: {rate:.1} GB/s", stats[0].compile_time, best.run_time);
    println!("  on {} threads by {:?}; a plain Rust loop takes {plain:.1?}\n", best.threads, best.backend);
}

//! Two formulas over ten million numbers: `cargo run --release --example quickstart`.

use std::time::{Duration, Instant};

use numlift::{Args, Engine, Error, Stats};

const N: usize = 10_000_000;

fn main() -> Result<(), Error> {
    let x: Vec<f64> = (0..N).map(|i| i as f64 / 1e6).collect();
    let y: Vec<f64> = (0..N).map(|i| (i % 1000) as f64).collect();
    let mut out = vec![0.0; N];

    let engine = Engine::new()?;
    let axpy = engine.compile("a * x + y")?;
    let first = axpy.run(Args::new().scalar("a", 2.5).input("x", &x).input("y", &y).output(&mut out))?;
    // The first run compiles for the dtypes it meets, and is the first to touch the pages of `out`.
    let stats = axpy.run(Args::new().scalar("a", 2.5).input("x", &x).input("y", &y).output(&mut out))?;
    let (expected, plain) = timed(|| x.iter().zip(&y).map(|(x, y)| 2.5 * x + y).collect::<Vec<f64>>());
    report("a * x + y", &out, first.compile_time, stats, plain);
    assert!(out == expected, "arithmetic is exact to the bit");

    let text = "where(0 < y < 900, exp(-x / 3) * sin(2 * x) + log(1 + y), sqrt(x**2 + y**2))";
    let wave = engine.compile(text)?;
    let first = wave.run(Args::new().input("x", &x).input("y", &y).output(&mut out))?;
    let stats = wave.run(Args::new().input("x", &x).input("y", &y).output(&mut out))?;
    let (expected, plain) = timed(|| x.iter().zip(&y).map(|(x, y)| by_hand(*x, *y)).collect::<Vec<f64>>());
    report(text, &out, first.compile_time, stats, plain);
    let error = out.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("largest difference from Rust's functions: {error:.1e}");
    assert!(error < 1e-13, "each function is within 1 ulp");
    Ok(())
}

fn by_hand(x: f64, y: f64) -> f64 {
    if 0.0 < y && y < 900.0 { (-x / 3.0).exp() * (2.0 * x).sin() + y.ln_1p() } else { (x * x + y * y).sqrt() }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (work(), began.elapsed())
}

fn report(formula: &str, out: &[f64], compile: Duration, stats: Stats, plain: Duration) {
    let bytes = (stats.bytes_read + stats.bytes_written) as f64;
    println!("{formula}");
    println!("  = [{:.6}, {:.6}, {:.6}, ..., {:.6}]", out[0], out[1], out[2], out[N - 1]);
    println!(
        "  compiled in {compile:.0?}, ran in {:.1?} on {} threads: {:.1} GB/s (a plain Rust loop: {plain:.1?})\n",
        stats.run_time,
        stats.threads,
        bytes / stats.run_time.as_secs_f64() / 1e9,
    );
}

//! Prices of a million options, calls and puts, from one text: `cargo run --release --example black_scholes`.

use std::time::{Duration, Instant};

use numlift::{Args, Engine, Error};

const KERNEL: &str = "
    fn cnd(z) = 0.5 * erfc(-z / sqrt(2))

    kernel black_scholes(s, k, t, r: uniform f64, v: uniform f64) -> (call, put) {
        d1 = (log(s / k) + (r + v*v/2) * t) / (v * sqrt(t))
        d2 = d1 - v * sqrt(t)
        call = s * cnd(d1) - k * exp(-r*t) * cnd(d2)
        put  = call + k * exp(-r*t) - s
    }
";
const N: usize = 1_000_000;
const RATE: f64 = 0.03;
const VOLATILITY: f64 = 0.25;

fn main() -> Result<(), Error> {
    let spread = |low: f64, high: f64, step: usize| -> Vec<f64> {
        (0..N).map(|i| low + (high - low) * ((i * step) % N) as f64 / N as f64).collect()
    };
    let (s, k, t) = (spread(50.0, 150.0, 7919), spread(50.0, 150.0, 104_729), spread(0.1, 2.0, 611_953));
    let (mut call, mut put) = (vec![0.0; N], vec![0.0; N]);

    let kernel = Engine::new()?.compile(KERNEL)?;
    let mut best = None;
    for turn in 0..8 {
        let args = Args::new()
            .input("s", &s)
            .input("k", &k)
            .input("t", &t)
            .scalar("r", RATE)
            .scalar("v", VOLATILITY)
            .output_named("call", &mut call)
            .output_named("put", &mut put);
        let stats = kernel.run(args)?;
        if turn == 0 {
            println!("compiled in {:.1?}", stats.compile_time);
        }
        best = best.min(Some(stats.run_time)).or(Some(stats.run_time));
    }
    let best = best.expect("there were runs");

    println!("  spot   strike  years    call      put");
    for i in 0..4 {
        println!("{:7.2}{:8.2}{:7.2}{:9.4}{:9.4}", s[i], k[i], t[i], call[i], put[i]);
    }
    let (furthest, plain) = plain_loop([&s, &k, &t], &call);
    let rate = |time: Duration| N as f64 / time.as_secs_f64() / 1e6;
    println!("numlift        {best:>8.1?}  {:6.1} million options a second", rate(best));
    println!("plain loop     {plain:>8.1?}  {:6.1} million options a second, one thread", rate(plain));
    println!("largest difference of a call, the loop's normal distribution being good to 7.5e-8: {furthest:.1e}");
    assert!(furthest < 150.0 * 2.0 * 7.5e-8, "both price alike");
    Ok(())
}

/// The calls by a loop, whose standard library has no `erfc`: the normal distribution is that of Abramowitz and Stegun, 26.2.17.
/// Gives the greatest difference from `calls`.
fn plain_loop([s, k, t]: [&[f64]; 3], calls: &[f64]) -> (f64, Duration) {
    let cnd = |z: f64| {
        let u = 1.0 / (1.0 + 0.2316419 * z.abs());
        let tail = u * (0.319381530 + u * (-0.356563782 + u * (1.781477937 + u * (-1.821255978 + u * 1.330274429))));
        let below = (-0.5 * z * z).exp() * tail / std::f64::consts::TAU.sqrt();
        if z < 0.0 { below } else { 1.0 - below }
    };
    let began = Instant::now();
    let (mut call, mut put) = (vec![0.0; N], vec![0.0; N]);
    for i in 0..N {
        let width = VOLATILITY * t[i].sqrt();
        let d1 = ((s[i] / k[i]).ln() + (RATE + VOLATILITY * VOLATILITY / 2.0) * t[i]) / width;
        let strike = k[i] * (-RATE * t[i]).exp();
        call[i] = s[i] * cnd(d1) - strike * cnd(d1 - width);
        put[i] = call[i] + strike - s[i];
    }
    let time = began.elapsed();
    std::hint::black_box(put);
    (call.iter().zip(calls).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max), time)
}

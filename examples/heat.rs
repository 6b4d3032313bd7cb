//! Heat that spreads over a plate, step after step, to pictures:
//! `cargo run --release --example heat [-- folder]`.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use numlift::{Args, Engine, ViewMut};

const KERNEL: &str = "
    kernel heat(u: f64[2] boundary(edge), alpha: uniform f64) -> (v) over (i, j) {
        v = u[i,j] + alpha * (u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u[i,j])
    }
";
const ROWS: usize = 768;
const COLUMNS: usize = 1024;
const ALPHA: f64 = 0.2;
const FRAMES: usize = 5;

/// Steps from one picture to the next.
const STEPS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let first = plate();

    // One formula for any number of threads; here all of them, then one beside the loop by hand.
    let mut all = first.clone();
    let mut time = Duration::ZERO;
    let kernel = Engine::new()?.compile(KERNEL)?;
    for frame in 0..FRAMES {
        write_picture(&Path::new(&folder).join(format!("heat-{frame}.png")), &all)?;
        time += steps(&kernel, &mut all)?;
    }
    let (mut one, mut plain) = (first.clone(), first);
    let kernel = Engine::builder().threads(1).build()?.compile(KERNEL)?;
    let (mut one_time, mut plain_time) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..FRAMES {
        one_time += steps(&kernel, &mut one)?;
        plain_time += plain_loop(&mut plain);
    }
    assert!(all == plain && one == plain, "the kernel computes what the loop does");

    println!("{ROWS} x {COLUMNS} points, {} steps, {FRAMES} pictures in {folder}", FRAMES * STEPS);
    let points = (FRAMES * STEPS * ROWS * COLUMNS) as f64;
    let times = [("numlift, all threads", time), ("numlift, one thread", one_time), ("plain Rust loop", plain_time)];
    for (name, time) in times {
        let (millions, ratio) = (points / time.as_secs_f64() / 1e6, plain_time.as_secs_f64() / time.as_secs_f64());
        println!("  {name:22}{time:>10.1?}  {millions:>6.0} million points a second  {ratio:>5.2}x");
    }
    Ok(())
}

/// A cold plate with a few hot spots.
fn plate() -> Vec<f64> {
    let spots = [(200.0, 300.0, 80.0), (500.0, 700.0, 140.0), (620.0, 180.0, 50.0), (150.0, 860.0, 60.0)];
    let is_hot = |i: usize, j: usize| {
        spots.iter().any(|(y, x, radius): &(f64, f64, f64)| (i as f64 - y).hypot(j as f64 - x) < *radius)
    };
    (0..ROWS * COLUMNS).map(|k| if is_hot(k / COLUMNS, k % COLUMNS) { 1.0 } else { 0.0 }).collect()
}

/// The steps up to the next picture, and their time without the compiler's.
fn steps(kernel: &numlift::Kernel, u: &mut [f64]) -> Result<Duration, Box<dyn Error>> {
    let array = ViewMut::new(u).shape([ROWS, COLUMNS]);
    Ok(kernel.iterate(STEPS, Args::new().inout("u", array).scalar("alpha", ALPHA))?.run_time)
}

fn plain_loop(u: &mut Vec<f64>) -> Duration {
    let began = Instant::now();
    let mut v = vec![0.0; ROWS * COLUMNS];
    for _ in 0..STEPS {
        for (i, to) in v.chunks_mut(COLUMNS).enumerate() {
            let row = |i: usize| &u[i * COLUMNS..][..COLUMNS];
            let (up, at, down) = (row(i.saturating_sub(1)), row(i), row((i + 1).min(ROWS - 1)));
            let point =
                |j: usize, left: f64, right: f64| at[j] + ALPHA * (up[j] + down[j] + left + right - 4.0 * at[j]);
            to[0] = point(0, at[0], at[1]);
            for j in 1..COLUMNS - 1 {
                to[j] = point(j, at[j - 1], at[j + 1]);
            }
            to[COLUMNS - 1] = point(COLUMNS - 1, at[COLUMNS - 2], at[COLUMNS - 1]);
        }
        std::mem::swap(u, &mut v);
    }
    began.elapsed()
}

/// From black over red and yellow to white.
fn write_picture(path: &Path, u: &[f64]) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), COLUMNS as u32, ROWS as u32);
    encoder.set_color(png::ColorType::Rgb);
    let colour = |heat: &f64| [0.0, 1.0, 2.0].map(|from| ((3.0 * heat - from).clamp(0.0, 1.0) * 255.0) as u8);
    let bytes: Vec<u8> = u.iter().flat_map(colour).collect();
    encoder.write_header()?.write_image_data(&bytes)?;
    Ok(())
}

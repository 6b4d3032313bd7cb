//! The Mandelbrot set, a loop that every point leaves at a time of its own, to a picture:
//! `cargo run --release --example mandelbrot [-- picture.png]`.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use numlift::{Args, Engine, View, ViewMut};

const KERNEL: &str = "
    kernel mandelbrot(cr: f32, ci: f32, limit: uniform i32) -> (n) {
        zr, zi, n = 0f32, 0f32, 0i32
        while n < limit and zr*zr + zi*zi <= 4 {
            zr, zi = zr*zr - zi*zi + cr, 2*zr*zi + ci
            n += 1
        }
    }
";
const WIDTH: usize = 1536;
const HEIGHT: usize = 1024;
const LIMIT: i32 = 256;

/// Rows of a part of the picture, after each of which the progress shows.
const BAND: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "mandelbrot.png".to_owned());
    let real: Vec<f32> = (0..WIDTH).map(|k| -2.25 + 3.0 * k as f32 / WIDTH as f32).collect();
    let imaginary: Vec<f32> = (0..HEIGHT).map(|k| 1.0 - 2.0 * k as f32 / HEIGHT as f32).collect();

    // One formula for any number of threads; here all of them, then one beside the loop by hand.
    let mut turns = vec![0_i32; WIDTH * HEIGHT];
    let all = draw(&Engine::new()?, &real, &imaginary, &mut turns, true)?;
    let one = draw(&Engine::builder().threads(1).build()?, &real, &imaginary, &mut turns, false)?;
    let (expected, plain) = plain_loop(&real, &imaginary);
    assert!(turns == expected, "the kernel counts as the loop does");

    write_picture(&path, &turns)?;
    let total: f64 = turns.iter().map(|n| f64::from(*n)).sum();
    println!("{WIDTH} x {HEIGHT} points, {total:.3e} turns of the loop, {path}");
    for (name, time) in [("numlift, all threads", all), ("numlift, one thread", one), ("plain Rust loop", plain)] {
        let (millions, ratio) = (total / time.as_secs_f64() / 1e6, plain.as_secs_f64() / time.as_secs_f64());
        println!("  {name:22}{time:>10.1?}  {millions:>6.0} million turns a second  {ratio:>5.2}x");
    }
    Ok(())
}

/// Fills `turns` band by band, and gives the time of that without the compiler's.
fn draw(
    engine: &Engine,
    real: &[f32],
    imaginary: &[f32],
    turns: &mut [i32],
    shows: bool,
) -> Result<Duration, Box<dyn Error>> {
    let kernel = engine.compile(KERNEL)?;
    let mut time = Duration::ZERO;
    for (band, rows) in turns.chunks_mut(BAND * WIDTH).enumerate() {
        let imaginary = &imaginary[band * BAND..];
        let height = rows.len() / WIDTH;
        // A row and a column broadcast to a matrix.
        let args = Args::new()
            .input("cr", View::new(real).shape([1, WIDTH]))
            .input("ci", View::new(&imaginary[..height]).shape([height, 1]))
            .scalar("limit", LIMIT)
            .output(ViewMut::new(rows).shape([height, WIDTH]));
        time += kernel.run(args)?.run_time;
        if shows {
            print!("\r{:3} %", 100 * (band + 1) * BAND / HEIGHT);
            std::io::stdout().flush()?;
        }
    }
    if shows {
        println!();
    }
    Ok(time)
}

fn plain_loop(real: &[f32], imaginary: &[f32]) -> (Vec<i32>, Duration) {
    let began = Instant::now();
    let mut turns = Vec::with_capacity(WIDTH * HEIGHT);
    for ci in imaginary {
        for cr in real {
            let (mut zr, mut zi, mut n) = (0.0_f32, 0.0_f32, 0);
            while n < LIMIT && zr * zr + zi * zi <= 4.0 {
                (zr, zi) = (zr * zr - zi * zi + cr, 2.0 * zr * zi + ci);
                n += 1;
            }
            turns.push(n);
        }
    }
    (turns, began.elapsed())
}

/// Black inside, outside from blue over white to brown by the number of turns.
fn write_picture(path: &str, turns: &[i32]) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    let colour = |n: &i32| {
        if *n == LIMIT {
            return [0, 0, 0];
        }
        let t = (f64::from(*n) / f64::from(LIMIT)).powf(0.4);
        let part = |low: f64, middle: f64, high: f64| {
            let value =
                if t < 0.5 { low + (middle - low) * 2.0 * t } else { middle + (high - middle) * (2.0 * t - 1.0) };
            value as u8
        };
        [part(10.0, 245.0, 120.0), part(20.0, 240.0, 60.0), part(80.0, 255.0, 10.0)]
    };
    let bytes: Vec<u8> = turns.iter().flat_map(colour).collect();
    encoder.write_header()?.write_image_data(&bytes)?;
    Ok(())
}

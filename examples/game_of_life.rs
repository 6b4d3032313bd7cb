//! Conway's game of life on a torus, one byte a cell: `cargo run --release --example game_of_life`.

use std::error::Error;
use std::time::{Duration, Instant};

use numlift::{Args, Engine, ViewMut};

const KERNEL: &str = "
    kernel life(u: u8[2] boundary(wrap)) -> (v) over (i, j) {
        n = u[i-1,j-1] + u[i-1,j] + u[i-1,j+1] + u[i,j-1] + u[i,j+1] + u[i+1,j-1] + u[i+1,j] + u[i+1,j+1]
        v = u8(n == 3 or (n == 2 and u == 1))
    }
";
const SIDE: usize = 1024;
const STEPS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    glider()?;
    // A soup that looks random, the same in every run.
    let mut state = 1_u64;
    let mut cell = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        u8::from(state >> 33 & 3 == 0)
    };
    let first: Vec<u8> = (0..SIDE * SIDE).map(|_| cell()).collect();
    let (mut all, mut one, mut plain) = (first.clone(), first.clone(), first);
    let all_time = steps(&Engine::new()?, &mut all)?;
    let one_time = steps(&Engine::builder().threads(1).build()?, &mut one)?;
    let plain_time = plain_loop(&mut plain);
    assert!(all == plain && one == plain, "the kernel plays as the loop does");

    let alive = all.iter().filter(|cell| **cell == 1).count();
    println!("{SIDE} x {SIDE} cells, {STEPS} steps, {alive} alive at the end");
    let cells = (STEPS * SIDE * SIDE) as f64;
    let times =
        [("numlift, all threads", all_time), ("numlift, one thread", one_time), ("plain Rust loop", plain_time)];
    for (name, time) in times {
        let (millions, ratio) = (cells / time.as_secs_f64() / 1e6, plain_time.as_secs_f64() / time.as_secs_f64());
        println!("  {name:22}{time:>10.1?}  {millions:>6.0} million cells a second  {ratio:>5.2}x");
    }
    Ok(())
}

/// Shows what four steps do to a glider: it is the same, one cell further along the diagonal.
fn glider() -> Result<(), Box<dyn Error>> {
    let kernel = Engine::new()?.compile(KERNEL)?;
    let mut cells = vec![0_u8; 36];
    [1, 8, 12, 13, 14].into_iter().for_each(|place| cells[place] = 1);
    for step in 0..=4 {
        if step > 0 {
            kernel.iterate(1, Args::new().inout("u", ViewMut::new(&mut cells).shape([6, 6])))?;
        }
        println!("step {step}");
        for row in cells.chunks(6) {
            println!("  {}", row.iter().map(|cell| if *cell == 1 { " o" } else { " ." }).collect::<String>());
        }
    }
    Ok(())
}

fn steps(engine: &Engine, cells: &mut [u8]) -> Result<Duration, Box<dyn Error>> {
    let array = ViewMut::new(cells).shape([SIDE, SIDE]);
    Ok(engine.compile(KERNEL)?.iterate(STEPS, Args::new().inout("u", array))?.run_time)
}

fn plain_loop(u: &mut Vec<u8>) -> Duration {
    let began = Instant::now();
    let mut v = vec![0; SIDE * SIDE];
    for _ in 0..STEPS {
        for (i, to) in v.chunks_mut(SIDE).enumerate() {
            let row = |i: usize| &u[i % SIDE * SIDE..][..SIDE];
            let (up, at, down) = (row(i + SIDE - 1), row(i), row(i + 1));
            let cell = |j: usize, left: usize, right: usize| {
                let n = up[left] + up[j] + up[right] + at[left] + at[right] + down[left] + down[j] + down[right];
                u8::from(n == 3 || n == 2 && at[j] == 1)
            };
            to[0] = cell(0, SIDE - 1, 1);
            (1..SIDE - 1).for_each(|j| to[j] = cell(j, j - 1, j + 1));
            to[SIDE - 1] = cell(SIDE - 1, SIDE - 2, 0);
        }
        std::mem::swap(u, &mut v);
    }
    began.elapsed()
}

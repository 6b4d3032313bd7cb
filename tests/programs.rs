//! The programs that the documents show: the same bits on every backend, cut in any way, and what a loop in Rust computes.

mod support;

use numlift::{Args, Outputs, View};
use support::all_engines;

const NORM: &str = "sqrt(x**2 + y**2)";

const BLACK_SCHOLES: &str = "\
fn cnd(z) = 0.5 * erfc(-z / sqrt(2))
kernel black_scholes(s, k, t, r: uniform f64, v: uniform f64) -> (call, put) {
    d1 = (log(s / k) + (r + v*v/2) * t) / (v * sqrt(t))
    d2 = d1 - v * sqrt(t)
    call = s * cnd(d1) - k * exp(-r*t) * cnd(d2)
    put  = call + k * exp(-r*t) - s
}";

const MANDELBROT: &str = "\
kernel mandelbrot(cr: f32, ci: f32, limit: uniform i32) -> (n) {
    zr, zi, n = 0f32, 0f32, 0i32
    while n < limit and zr*zr + zi*zi <= 4 {
        zr, zi = zr*zr - zi*zi + cr, 2*zr*zi + ci
        n += 1
    }
}";

const HEAT: &str = "\
kernel heat(u: f64[2] boundary(edge), alpha: uniform f64) -> (v) over (i, j) {
    v = u[i,j] + alpha * (u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u[i,j])
}";

const LENGTHS: [usize; 20] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100, 257, 1000, 4099, 40_000];

/// Numbers from 0 to 1 that repeat late.
fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|k| ((k + 1) * (seed + 7919)) as f64 * 0.618_033_988_749_894_9 % 1.0).collect()
}

/// Runs the program everywhere, and gives each output as the interpreter computes it.
fn run_everywhere<'a>(text: &str, args: impl Fn() -> Args<'a>, is_long: bool) -> Outputs {
    let mut engines = all_engines().into_iter().filter(|(name, _)| !is_long || !name.contains("chunks of"));
    let mut run = || {
        let (name, engine) = engines.next()?;
        let outputs = engine.compile(text).and_then(|kernel| kernel.eval(args()));
        Some((name, outputs.unwrap_or_else(|error| panic!("{}", error.render()))))
    };
    let (first, expected) = run().expect("an engine");
    assert_eq!(first, "interpreter");
    while let Some((name, found)) = run() {
        for output in expected.names() {
            let bytes = |outputs: &Outputs| outputs.view(output).expect("an output").as_bytes().map(<[u8]>::to_vec);
            assert_eq!(bytes(&found), bytes(&expected), "{name}: {output} of {text}");
        }
    }
    expected
}

/// Whether arrays are too long for engines with chunks of few elements.
fn is_long(len: usize) -> bool {
    len > 2000
}

#[test]
fn norm() {
    for len in LENGTHS {
        let (x, y) = (numbers(len, 1), numbers(len, 2));
        let mut found = run_everywhere(NORM, || Args::new().input("x", &x).input("y", &y), is_long(len));
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| (x * x + y * y).sqrt()).collect();
        assert_eq!(found.take::<f64>("0").expect("an output"), expected);
    }
}

#[test]
fn black_scholes() {
    for len in LENGTHS {
        let scaled = |seed, low: f64, high: f64| -> Vec<f64> {
            numbers(len, seed).into_iter().map(|x| low + (high - low) * x).collect()
        };
        let (mut s, mut k, mut t) = (scaled(1, 10.0, 100.0), scaled(2, 10.0, 100.0), scaled(3, 0.1, 2.0));
        // A case that textbooks price.
        if let (Some(s), Some(k), Some(t)) = (s.first_mut(), k.first_mut(), t.first_mut()) {
            (*s, *k, *t) = (100.0, 100.0, 1.0);
        }
        let args = || {
            let arrays = Args::new().input("s", &s).input("k", &k).input("t", &t);
            arrays.input("r", &0.05).input("v", &0.2)
        };
        let mut found = run_everywhere(BLACK_SCHOLES, args, is_long(len));
        let (call, put): (Vec<f64>, Vec<f64>) =
            (found.take("call").expect("an output"), found.take("put").expect("an output"));
        assert!(call.first().is_none_or(|call| (call - 10.450_583_572_185_565).abs() < 1e-12), "{call:?}");
        assert!(put.first().is_none_or(|put| (put - 5.573_526_022_256_971).abs() < 1e-12), "{put:?}");
    }
}

#[test]
fn mandelbrot() {
    for (rows, columns) in [(0, 3), (1, 1), (1, 17), (3, 16), (2, 33), (16, 5), (30, 100), (7, 301), (40, 300)] {
        let real: Vec<f32> = (0..columns).map(|k| -2.25 + 3.0 * k as f32 / columns as f32).collect();
        let imaginary: Vec<f32> = (0..rows).map(|k| 1.0 - 2.0 * k as f32 / rows as f32).collect();
        let args = || {
            let (row, column) = (View::new(&real).shape([1, columns]), View::new(&imaginary).shape([rows, 1]));
            Args::new().input("cr", row).input("ci", column).input("limit", &99_i32)
        };
        let mut found = run_everywhere(MANDELBROT, args, is_long(rows * columns));
        let turns = |(ci, cr): (&f32, &f32)| {
            let (mut zr, mut zi, mut n) = (0.0_f32, 0.0_f32, 0_i32);
            while n < 99 && zr * zr + zi * zi <= 4.0 {
                (zr, zi) = (zr * zr - zi * zi + cr, 2.0 * zr * zi + ci);
                n += 1;
            }
            n
        };
        let expected: Vec<i32> = imaginary.iter().flat_map(|ci| real.iter().map(move |cr| turns((ci, cr)))).collect();
        assert_eq!(found.take::<i32>("n").expect("an output"), expected, "{rows} x {columns}");
    }
}

#[test]
fn heat() {
    let shapes = [
        (0, 3),
        (3, 0),
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (1, 40),
        (40, 1),
        (3, 17),
        (5, 34),
        (30, 66),
        (7, 301),
        (300, 130),
    ];
    for (rows, columns) in shapes {
        let u = numbers(rows * columns, 5);
        let args = || Args::new().input("u", View::new(&u).shape([rows, columns])).input("alpha", &0.1);
        let mut found = run_everywhere(HEAT, args, is_long(rows * columns));
        let at = |i: usize, j: usize| u[i.min(rows - 1) * columns + j.min(columns - 1)];
        let each = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
        let expected: Vec<f64> = each
            .map(|(i, j)| {
                let (up, left) = (at(i.saturating_sub(1), j), at(i, j.saturating_sub(1)));
                at(i, j) + 0.1 * (up + at(i + 1, j) + left + at(i, j + 1) - 4.0 * at(i, j))
            })
            .collect();
        assert_eq!(found.take::<f64>("v").expect("an output"), expected, "{rows} x {columns}");
    }
}

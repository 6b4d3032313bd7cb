//! Running totals to what a plain loop in the language's order gives: lines and columns, whatever the threads, chunks and strides.

use numlift::{Args, Backend, Engine, View, ViewMut};

/// A scan of floats: what it is called, what it begins with, how it takes one more.
type Scan = (&'static str, f64, fn(f64, f64) -> f64);

const SCANS: [Scan; 4] = [
    ("cumsum", -0.0, |a, b| a + b),
    ("cumprod", 1.0, |a, b| a * b),
    ("cummax", f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b }),
    ("cummin", f64::INFINITY, |a, b| if a.is_nan() || a < b { a } else { b }),
];

/// A line: each element of a run of eight takes in those one, two and four before it; two runs are a group, the second of which takes
/// in the first; sixteen groups that follow one another are a section, sixteen sections a block; blocks follow one another.
fn running(line: &[f64], (_, nothing, take): Scan) -> Vec<f64> {
    let (mut before, mut results) = (nothing, Vec::with_capacity(line.len()));
    for block in line.chunks(4096) {
        let mut of_block = nothing;
        for section in block.chunks(256) {
            let mut of_section = nothing;
            for group in section.chunks(16) {
                let (mut base, mut of_group) = (take(take(before, of_block), of_section), nothing);
                for run in group.chunks(8) {
                    let mut run = run.to_vec();
                    for step in [1, 2, 4] {
                        for k in (step..run.len()).rev() {
                            run[k] = take(run[k - step], run[k]);
                        }
                    }
                    results.extend(run.iter().map(|x| take(base, *x)));
                    let total = *run.last().expect("a run has elements");
                    (base, of_group) = (take(base, total), take(of_group, total));
                }
                of_section = take(of_section, of_group);
            }
            of_block = take(of_block, of_section);
        }
        before = take(before, of_block);
    }
    results
}

/// Every line along the axis of an array in C order.
fn along(x: &[f64], shape: &[usize], axis: usize, scan: Scan) -> Vec<f64> {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut results = vec![0.0; x.len()];
    for outer in 0..shape[..axis].iter().product() {
        for column in 0..inner {
            let place = |k: usize| (outer * shape[axis] + k) * inner + column;
            let line: Vec<f64> = (0..shape[axis]).map(|k| x[place(k)]).collect();
            running(&line, scan).into_iter().enumerate().for_each(|(k, total)| results[place(k)] = total);
        }
    }
    results
}

/// Numbers whose sums round, and whose products neither vanish nor overflow.
fn element(i: usize) -> f64 {
    let bits = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12;
    let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
    sign * (0.97 + bits as f64 / (1_u64 << 52) as f64 * 0.06)
}

fn engine(backend: Backend, threads: usize, chunk: usize) -> Engine {
    Engine::builder().backend(backend).threads(threads).chunk_len(chunk).build().expect("an engine")
}

/// Asserts equal bits; NaN is NaN.
fn assert_same(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
        assert!(same, "{what}: element {k} is {found}, expected {expected}");
    }
}

const DEFAULT: usize = 1 << 15;

#[test]
fn floats_are_led_on_in_the_order_of_the_language() {
    let cuts = [1, 2, 3, 8, 64].map(|threads| [1, 7, DEFAULT].map(|chunk| (Backend::Auto, threads, chunk)));
    let others = [(Backend::Cranelift, 1, DEFAULT), (Backend::Cranelift, 3, 7), (Backend::Interpreter, 8, 1)];
    let engines: Vec<_> = cuts.into_iter().flatten().chain(others).collect();
    // Lines of several blocks, short ones and some that end amid a group; few columns, many, and more than go together.
    let shapes: [(&[usize], usize); 15] = [
        (&[70, 2], 1),
        (&[70, 3], 1),
        (&[70, 7], 1),
        (&[70, 8], 1),
        (&[70, 13], 1),
        (&[5 * 4096 + 77], 0),
        (&[3, 2 * 4096 + 5], 1),
        (&[70, 128], 1),
        (&[70, 100], 1),
        (&[4100, 3], 0),
        (&[2 * 4096 + 3, 20], 0),
        (&[40, 133], 0),
        (&[4100, 131], 0),
        (&[33, 2600], 0),
        (&[2, 4099, 5], 1),
    ];
    for (shape, axis) in shapes {
        let len = shape.iter().product();
        let mut x: Vec<f64> = (0..len).map(element).collect();
        let gap: Vec<f64> = x.iter().flat_map(|x| [*x, f64::NAN]).collect();
        for scan in SCANS {
            // Read where they lie, with gaps, and computed.
            let (name, ..) = scan;
            let expected = along(&x, shape, axis, scan);
            let of_negative: Vec<f64> = x.iter().map(|x| -x).collect();
            let of_negative = along(&of_negative, shape, axis, scan);
            let plain = format!("{name}(x, axis={axis})");
            let computed = format!("{name}(-x, axis={axis})");
            for (backend, threads, chunk) in &engines {
                let what = format!("{plain} of {shape:?} by {backend:?}, {threads} threads, chunks of {chunk}");
                let engine = engine(*backend, *threads, *chunk);
                let run = |text: &str, view: View<'_>| {
                    let found = engine.compile(text).expect("a formula").eval(Args::new().input("x", view));
                    found.expect("a run").into_vec::<f64>().expect("one output")
                };
                let view = || View::new(&x).shape(shape);
                assert_same(&run(&plain, view()), &expected, &what);
                assert_same(&run(&computed, view()), &of_negative, &format!("computed: {what}"));
                if *chunk == 7 {
                    let last = shape.len() - 1;
                    let shape: Vec<usize> = [&shape[..last], &[2 * shape[last]]].concat();
                    let apart = View::new(&gap).shape(shape).step(last, 2);
                    assert_same(&run(&plain, apart), &expected, &format!("with gaps: {what}"));
                }
            }
        }
        // From a NaN on all are.
        x[len / 2] = f64::NAN;
        for scan in SCANS {
            let found = engine(Backend::Auto, 3, 7).compile(&format!("{}(x, axis={axis})", scan.0));
            let found = found.expect("a formula").eval(Args::new().input("x", View::new(&x).shape(shape)));
            let found = found.expect("a run").into_vec::<f64>().expect("one output");
            assert_same(&found, &along(&x, shape, axis, scan), scan.0);
        }
    }
}

#[test]
fn singles_are_added_as_doubles_and_integers_exactly() {
    let len = 3 * 4096 + 45;
    let wide: Vec<f64> = (0..len).map(element).collect();
    let single: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
    let of_single: Vec<f64> = single.iter().map(|x| f64::from(*x)).collect();
    let whole = |k: usize| (element(k) * 1e9) as i64 ^ (k as i64) << 40;
    macro_rules! check {
        ($engine:expr, $($name:ident $dtype:ty, $total:ty, $take:expr;)+) => { $( {
            let x: Vec<$dtype> = (0..len).map(|k| whole(k) as $dtype).collect();
            let mut total: Option<$total> = None;
            let expected = x.iter().map(|x| {
                let next = total.map_or(*x as $total, |total: $total| $take(total, *x as $total));
                *total.insert(next)
            });
            let expected: Vec<$total> = expected.collect();
            for (shape, axis) in [([len, 1], 0), ([1, len], 1)] {
                let text = format!("{}(x, axis={axis})", stringify!($name));
                let found = $engine.compile(&text).expect("a formula").eval(Args::new().input("x", View::new(&x).shape(shape)));
                let found = found.expect("a run").into_vec::<$total>().expect("one output");
                assert!(found == expected, "{text} of {}", stringify!($dtype));
            }
        } )+ };
    }
    for (threads, chunk) in [(1, DEFAULT), (2, 1), (8, 7), (64, 1)] {
        let engine = engine(Backend::Auto, threads, chunk);
        for scan in SCANS {
            let found = engine.compile(&format!("{}(x)", scan.0)).expect("a formula");
            let found =
                found.eval(Args::new().input("x", &single)).expect("a run").into_vec::<f32>().expect("one output");
            let expected: Vec<f32> = running(&of_single, scan).into_iter().map(|x| x as f32).collect();
            assert!(found == expected, "{} of f32", scan.0);
        }
        check! { engine,
            cumsum i8, i64, i64::wrapping_add; cumsum u16, u64, u64::wrapping_add; cumsum i32, i64, i64::wrapping_add;
            cumsum i64, i64, i64::wrapping_add; cumsum u64, u64, u64::wrapping_add; cumprod i64, i64, i64::wrapping_mul;
            cumprod u8, u64, u64::wrapping_mul; cummax i8, i8, i8::max; cummax u8, u8, u8::max; cummax i16, i16, i16::max;
            cummax u32, u32, u32::max; cummax i64, i64, i64::max; cummin i8, i8, i8::min; cummin u16, u16, u16::min;
            cummin i32, i32, i32::min; cummin u64, u64, u64::min;
        }
    }
}

#[test]
fn extremes_rise_and_stay() {
    // By the rules of the language: zeros are ordered by their signs, and a NaN stays.
    let len = 3 * 4096 + 45;
    let rising = |k: usize| (k / 700) as f64 / 20.0 - 0.3 + 0.04 * element(k);
    macro_rules! check {
        ($engine:expr, $($dtype:ty, $most:expr;)+) => { $( {
            let x: Vec<$dtype> = (0..len).map(|k| (rising(k) * $most as f64) as $dtype).collect();
            let fallen: Vec<$dtype> = x.iter().rev().copied().collect();
            let run = |text: &str, x: &[$dtype]| {
                let found = $engine.compile(text).expect("a formula").eval(Args::new().input("x", x));
                found.expect("a run").into_vec::<$dtype>().expect("one output")
            };
            let mut greatest = x[0];
            let expected = x.iter().map(|x| { if *x > greatest { greatest = *x } greatest });
            assert!(run("cummax(x)", &x).into_iter().eq(expected), "cummax of {}", stringify!($dtype));
            let mut least = fallen[0];
            let expected = fallen.iter().map(|x| { if *x < least { least = *x } least });
            assert!(run("cummin(x)", &fallen).into_iter().eq(expected), "cummin of {}", stringify!($dtype));
        } )+ };
    }
    for (threads, chunk) in [(1, DEFAULT), (3, 7)] {
        let engine = engine(Backend::Auto, threads, chunk);
        check! { engine,
            i8, i8::MAX; u8, u8::MAX; i16, i16::MAX; u16, u16::MAX; i32, i32::MAX; u32, u32::MAX; i64, i64::MAX;
            u64, u64::MAX; f32, 1.0; f64, 1.0;
        }
        for nan_at in [len - 1, len - 40, 40] {
            // Only the last zeros are positive, so only from them on is the greatest one.
            let x: Vec<f64> = (0..len).map(|k| if k < 2 * len / 3 { -0.0 } else { 0.0 }).collect();
            let mut x = [x, vec![-0.0; 100]].concat();
            x[nan_at] = f64::NAN;
            let found = engine.compile("cummax(x)").expect("a formula").eval(Args::new().input("x", &x));
            let found = found.expect("a run").into_vec::<f64>().expect("one output");
            let expected = |k: usize| match k {
                _ if k >= nan_at => f64::NAN,
                _ if k < 2 * len / 3 => -0.0,
                _ => 0.0,
            };
            assert_same(&found, &(0..x.len()).map(expected).collect::<Vec<f64>>(), "zeros and a NaN");
        }
    }
}

#[test]
fn results_beyond_the_caches_are_the_same() {
    // More than the last cache of many a machine; the results begin at a cache line, or eight bytes behind one.
    let (rows, columns) = (40_000, 128);
    let x: Vec<f64> = (0..rows * columns).map(element).collect();
    let mut memory = vec![0.0; x.len() + 9];
    let aligned = memory.as_ptr().align_offset(64);
    for threads in [1, 2] {
        let engine = engine(Backend::Auto, threads, DEFAULT);
        for (text, shape, axis) in [
            ("cumsum(x)", vec![x.len()], 0),
            ("cumsum(x, axis=1)", vec![rows, columns], 1),
            ("cumsum(x, axis=0)", vec![rows, columns], 0),
            // Longer rows than are written at once, and a last run of few.
            ("cumsum(x, axis=0)", vec![6_397, 800], 0),
        ] {
            let x = &x[..shape.iter().product()];
            let expected = along(x, &shape, axis, SCANS[0]);
            for behind in [0, 1, 2] {
                let place = &mut memory[aligned + behind..][..x.len()];
                place.fill(f64::NAN);
                let args = Args::new().input("x", View::new(x).shape(&shape[..]));
                let kernel = engine.compile(text).expect("a formula");
                kernel.run(args.output(ViewMut::new(&mut *place).shape(&shape[..]))).expect("a run");
                assert_same(place, &expected, text);
            }
        }
    }
}

#[test]
fn columns_of_singles_beyond_the_caches_are_the_same() {
    let (rows, columns) = (70_000, 128);
    let single: Vec<f32> = (0..rows * columns).map(|k| element(k) as f32).collect();
    let wide: Vec<f64> = single.iter().map(|x| f64::from(*x)).collect();
    let mut memory = vec![0.0_f32; single.len() + 17];
    let aligned = memory.as_ptr().align_offset(64);
    for scan in [SCANS[0], SCANS[2]] {
        let expected = along(&wide, &[rows, columns], 0, scan);
        for (threads, behind) in [(1, 0), (2, 0), (2, 1)] {
            let place = &mut memory[aligned + behind..][..single.len()];
            place.fill(f32::NAN);
            let kernel = engine(Backend::Auto, threads, DEFAULT).compile(&format!("{}(x, axis=0)", scan.0));
            let args = Args::new().input("x", View::new(&single).shape([rows, columns]));
            let args = args.output(ViewMut::new(&mut *place).shape([rows, columns]));
            kernel.expect("a formula").run(args).expect("a run");
            assert!(place.iter().zip(&expected).all(|(found, expected)| *found == *expected as f32), "{}", scan.0);
        }
    }
}

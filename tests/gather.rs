//! Arrays read at computed places, however they lie in memory, against plain indexing.

mod support;

use numlift::{Args, Engine, ErrorKind, View};
use support::{all_engines, engines};

#[test]
fn arrays_that_lie_in_any_way() {
    let table: Vec<i32> = (0..60).map(|k| k * k).collect();
    let index: Vec<i64> = (-9..31).collect();
    let at = |rows: i64, columns: i64, element: &dyn Fn(usize, usize) -> usize| -> Vec<i32> {
        let turned = |i: i64| (i.rem_euclid(rows) as usize, (i / 3).clamp(0, columns - 1) as usize);
        index.iter().map(|i| table[element(turned(*i).0, turned(*i).1)]).collect()
    };
    let whole = View::new(&table).shape([6, 10]);
    let bytes: Vec<u8> = table.iter().flat_map(|x| x.to_le_bytes()).collect();
    let backwards = View::from_bytes(numlift::DType::I32, &bytes, &[6, 5], &[-40, -8]).expect("an array in its bytes");
    let repeated = View::new(&table[..10]).broadcast([6, 10]);
    let cases: [(View<'_>, Vec<i32>); 4] = [
        (whole.clone(), at(6, 10, &|i, j| 10 * i + j)),
        (whole.transpose(), at(10, 6, &|i, j| 10 * j + i)),
        (backwards, at(6, 5, &|i, j| 58 - 10 * i - 2 * j)),
        (repeated, at(6, 10, &|_, j| j)),
    ];
    let text = "kernel one(t: i32[2] boundary(edge), r: i64[1], c: i64[1]) -> (v) over (k) { v = t[r, c] }";
    for (name, engine) in all_engines() {
        let kernel = engine.compile(text).expect("a kernel");
        for (table, expected) in &cases {
            let (rows, columns) = (table.extents()[0] as i64, table.extents()[1] as i64);
            let r: Vec<i64> = index.iter().map(|i| i.rem_euclid(rows)).collect();
            let c: Vec<i64> = index.iter().map(|i| (i / 3).clamp(0, columns - 1)).collect();
            let args = Args::new().input("t", table.clone()).input("r", &r).input("c", &c);
            let found = kernel.eval(args).expect("a run").into_vec::<i32>().expect("one output");
            assert_eq!(found, *expected, "{name}, {:?}", table.strides());
        }
    }
}

#[test]
fn indices_of_any_size() {
    let x: Vec<f64> = (0..7).map(f64::from).collect();
    let far = [i64::MIN, i64::MIN + 1, -8, -7, -1, 0, 6, 7, i64::MAX - 1, i64::MAX];
    let beyond = [0, 6, 7, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];
    for (name, engine) in engines() {
        let taken = |mode: &str, i: View<'_>| {
            let kernel = engine.compile(&format!("take(x, i, mode=\"{mode}\")")).expect("a formula");
            kernel.eval(Args::new().input("x", &x).input("i", i)).expect("a run").into_vec::<f64>().expect("one output")
        };
        let wrapped: Vec<f64> = far.iter().map(|i| i.rem_euclid(7) as f64).collect();
        assert_eq!(taken("wrap", View::new(&far)), wrapped, "{name}");
        let clipped: Vec<f64> = far.iter().map(|i| (*i).clamp(0, 6) as f64).collect();
        assert_eq!(taken("clip", View::new(&far)), clipped, "{name}");
        let filled: Vec<f64> = far.iter().map(|i| if (0..7).contains(i) { *i as f64 } else { 0.0 }).collect();
        assert_eq!(taken("fill", View::new(&far)), filled, "{name}");
        let wrapped: Vec<f64> = beyond.iter().map(|i| (i % 7) as f64).collect();
        assert_eq!(taken("wrap", View::new(&beyond)), wrapped, "{name}");
        let clipped: Vec<f64> = beyond.iter().map(|i| (*i).min(6) as f64).collect();
        assert_eq!(taken("clip", View::new(&beyond)), clipped, "{name}");
        let filled: Vec<f64> = beyond.iter().map(|i| if *i < 7 { *i as f64 } else { 0.0 }).collect();
        assert_eq!(taken("fill", View::new(&beyond)), filled, "{name}");
    }
}

/// Beside elements that take a branch stand some that do not and whose index is of the rare kind that division treats apart.
#[test]
fn indices_of_elements_that_stay_out_of_a_branch() {
    let table: Vec<bool> = (0..6).map(|k| k % 2 == 0).collect();
    let text = "v = 0
                if c {
                    if take(t, i, mode=\"wrap\") { v = 1 } else { v = 2 }
                    v += popcount(i) * i64(sqrt(abs(f64(i)))) % 7
                }
                v";
    let near = [0_i64, 1, 5, -1, 7, 3];
    let far = [0x27e1_05e0_761e_59b1, i64::MIN, i64::MAX, -0x27e1_05e0_761e_59b1, 1 << 53, -(1 << 62)];
    for shape in [vec![6], vec![3, 2], vec![6, 1], vec![1, 2, 3]] {
        let run = |engine: &Engine, i: &[i64], c: &[bool]| {
            let kernel = engine.compile(text).expect("a formula");
            let args = Args::new().input("t", View::new(&table).shape(&shape)).input("i", i).input("c", c);
            kernel.eval(args).expect("a run").take::<i64>("v").expect("an output")
        };
        let engines = engines();
        for stride in 1..20 {
            let is_far = |k: usize| k % stride == stride - 1 && stride > 1;
            let i: Vec<i64> = (0..67).map(|k| if is_far(k) { far[k % 6] } else { near[k % 6] }).collect();
            let c: Vec<bool> = (0..67).map(|k| !is_far(k)).collect();
            let expected = run(&engines[0].1, &i, &c);
            for (name, engine) in &engines[1..] {
                assert_eq!(run(engine, &i, &c), expected, "{name}, {shape:?}, {stride}");
            }
        }
    }
}

#[test]
fn arrays_without_elements() {
    let none: [f32; 0] = [];
    for (name, engine) in engines() {
        let text = "kernel k(t: f32[2] boundary(constant, 3), i: i32[1]) -> (v) over (k) { v = t[i, i] }";
        let kernel = engine.compile(text).expect("a kernel");
        for shape in [[0, 5], [5, 0], [0, 0]] {
            let args = Args::new().input("t", View::new(&none).shape(shape)).input("i", &[-1, 0, 4, i32::MAX]);
            let found = kernel.eval(args).expect("a run").into_vec::<f32>().expect("one output");
            assert_eq!(found, [3.0; 4], "{name}");
        }
        let take = engine.compile("take(x, i)").expect("a formula");
        let args = Args::new().input("x", &none).input("i", &[0; 0]);
        assert_eq!(take.eval(args).expect("nothing is wanted").into_vec::<f32>().expect("one output"), none, "{name}");
        let error = take.eval(Args::new().input("x", &none).input("i", &[0])).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Shape, "empty-array"), "{name}");
    }
}

#[test]
fn what_is_gathered_is_not_written() {
    for (name, engine) in engines() {
        let kernel = engine.compile("take(x, i)").expect("a formula");
        let (mut x, i) = ([1, 2, 3], [2, 1, 0]);
        let error = kernel.run(Args::new().inout("x", &mut x).input("i", &i)).unwrap_err();
        assert_eq!(error.code(), "in-place-neighbours", "{name}");
        // The index may be.
        let mut i = [2_i32, 1, 0];
        kernel.run(Args::new().input("x", &x).inout("i", &mut i)).expect("a run");
        assert_eq!(i, [3, 2, 1], "{name}");
    }
}

#[test]
fn bound_kernels_gather() {
    let schema = numlift::Schema::new().array("x", numlift::DType::F64, 1).array("i", numlift::DType::I64, 1);
    let bound = Engine::new().expect("an engine").compile("take(x, i) + sum(take(x, i))").expect("a formula");
    let bound = bound.bind(&schema).expect("a bound kernel");
    for len in [1, 3, 40] {
        let (x, i): (Vec<f64>, Vec<i64>) = ((0..9).map(f64::from).collect(), (0..len).collect());
        let mut out = vec![0.0; len as usize];
        bound.run(&[View::new(&x), View::new(&i)], &mut [(&mut out).into()]).expect("a run");
        let taken: Vec<f64> = i.iter().map(|i| x[(*i).min(8) as usize]).collect();
        let sum: f64 = taken.iter().sum();
        assert_eq!(out, taken.iter().map(|x| x + sum).collect::<Vec<_>>());
    }
}

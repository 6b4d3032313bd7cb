//! Kernels run step after step: what comes out, what is allocated, and what ends them.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use numlift::{Args, Cancel, Engine, View, ViewMut};
use support::all_engines;

/// The system's allocator, and how often a thread asked it for memory.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
#[expect(unsafe_code, reason = "an allocator that counts is an allocator")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEAT: &str = "kernel heat(u: f64[2] boundary(edge), alpha: uniform f64) -> (v) over (i, j) {
    v = u[i,j] + alpha * (u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u[i,j])
}";

/// As the kernel, with plain loops.
fn heat(u: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| u[i * columns + j];
    let point = |i: usize, j: usize| {
        let (up, down) = (at(i.saturating_sub(1), j), at((i + 1).min(rows - 1), j));
        let (left, right) = (at(i, j.saturating_sub(1)), at(i, (j + 1).min(columns - 1)));
        at(i, j) + 0.1 * (up + down + left + right - 4.0 * at(i, j))
    };
    (0..rows * columns).map(|k| point(k / columns, k % columns)).collect()
}

#[test]
fn a_thousand_steps_are_those_of_a_loop() {
    for (rows, columns, steps) in [(37, 53, 1000), (1, 40, 7), (40, 1, 8), (2, 2, 1), (5, 300, 0), (3, 1030, 5)] {
        let first: Vec<f64> = (0..rows * columns).map(|k| (k * k % 97) as f64).collect();
        let expected = (0..steps).fold(first.clone(), |u, _| heat(&u, rows, columns));
        for (name, engine) in all_engines() {
            if steps == 1000 && name.contains("chunks of") {
                continue;
            }
            let (kernel, mut u) = (engine.compile(HEAT).expect("a kernel"), first.clone());
            let array = ViewMut::new(&mut u).shape([rows, columns]);
            kernel.iterate(steps, Args::new().inout("u", array).scalar("alpha", 0.1)).expect("a run");
            assert!(u.iter().zip(&expected).all(|(x, y)| x.to_bits() == y.to_bits()), "{name}: {rows} x {columns}");
        }
    }
}

#[test]
fn nothing_is_allocated_from_step_to_step() {
    let engine = Engine::builder().threads(1).build().expect("an engine");
    for text in [HEAT, "kernel k(u: f64[2], alpha: uniform f64) -> (v) over (i, j) { v = u[i, j] * alpha + j }"] {
        let kernel = engine.compile(text).expect("a kernel");
        let mut u = vec![1.0; 300 * 280];
        let mut asked = |steps: usize| {
            let array = ViewMut::new(&mut u).shape([300, 280]);
            let before = ASKED.with(Cell::get);
            kernel.iterate(steps, Args::new().inout("u", array).scalar("alpha", 0.1)).expect("a run");
            ASKED.with(Cell::get) - before
        };
        asked(1);
        assert_eq!(asked(1), asked(1000));
    }
}

#[test]
fn states_of_any_kind() {
    let text = "kernel step(x: i64[1] boundary(wrap), y: i64[1], n: i32) -> (to, next, count, sum) over (i) {
        to, next, count, sum = x[i - 1] + y, y + 1, n + 1, x + y
    }";
    for (name, engine) in all_engines() {
        let kernel = engine.compile(text).expect("a kernel");
        let mut spread = vec![-1_i64; 14];
        spread.iter_mut().step_by(2).enumerate().for_each(|(k, x)| *x = k as i64);
        let (mut y, mut n, mut sum) = (vec![10_i64; 7], vec![0_i32; 7], vec![0_i64; 7]);
        let x = ViewMut::new(&mut spread).strided([7], [16]);
        let args = Args::new().inout("x", x).inout("y", &mut y).inout("n", &mut n).output_named("sum", &mut sum);
        kernel.iterate(3, args).expect("a run");
        // Each step turns x by one element and adds 10, 11, 12.
        let expected: Vec<i64> = (0..7).map(|k: i64| (k - 3).rem_euclid(7) + 33).collect();
        assert_eq!(spread.iter().copied().step_by(2).collect::<Vec<_>>(), expected, "{name}");
        assert!(spread[1..].iter().step_by(2).all(|x| *x == -1), "{name}");
        assert_eq!((y, n), (vec![13; 7], vec![3; 7]), "{name}");
        let before: Vec<i64> = (0..7).map(|k: i64| (k - 2).rem_euclid(7) + 21 + 12).collect();
        assert_eq!(sum, before, "{name}");
    }
}

#[test]
fn rims_stay_as_they_are() {
    let text = "kernel relax(u: f64[1] boundary(interior)) -> (v) over (i) { v = (u[i - 1] + u[i + 1]) / 2 }";
    for (name, engine) in all_engines() {
        let kernel = engine.compile(text).expect("a kernel");
        for steps in [1, 2, 400] {
            let mut u = [8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 16.0];
            kernel.iterate(steps, Args::new().inout("u", &mut u)).expect("a run");
            let line = |k: usize| 8.0 + k as f64;
            match steps {
                1 => assert_eq!(u, [8.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 16.0], "{name}"),
                2 => assert_eq!(u, [8.0, 4.0, 2.0, 0.0, 0.0, 0.0, 4.0, 8.0, 16.0], "{name}"),
                _ => assert!(u.iter().enumerate().all(|(k, x)| (x - line(k)).abs() < 1e-6), "{name}: {u:?}"),
            }
        }
        // A run leaves them too.
        let mut v = [7.0; 4];
        kernel.run(Args::new().input("u", &[1.0, 2.0, 5.0, 8.0]).output(&mut v)).expect("a run");
        assert_eq!(v, [7.0, 3.0, 5.0, 7.0], "{name}");
        // Nothing has all its neighbours.
        let mut v = [7.0; 2];
        kernel.run(Args::new().input("u", &[1.0, 2.0]).output(&mut v)).expect("a run");
        assert_eq!(v, [7.0; 2], "{name}");
    }
}

#[test]
fn what_ends_it_and_what_is_refused() {
    let engine = Engine::builder().threads(2).build().expect("an engine");
    let kernel = engine.compile(HEAT).expect("a kernel");
    let mut u = vec![1.0; 400 * 400];
    let late = kernel.iterate(
        usize::MAX,
        Args::new()
            .inout("u", ViewMut::new(&mut u).shape([400, 400]))
            .scalar("alpha", 0.1)
            .deadline(Duration::from_millis(20)),
    );
    assert_eq!(late.unwrap_err().code(), "deadline");
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            cancel.cancel();
        });
        let array = ViewMut::new(&mut u).shape([400, 400]);
        let args = Args::new().inout("u", array).scalar("alpha", 0.1).cancel(&cancel);
        assert_eq!(kernel.iterate(usize::MAX, args).unwrap_err().code(), "cancelled");
    });
    let (u, mut v) = ([1.0; 4], [0.0; 4]);
    let args = Args::new().input("u", View::new(&u).shape([2, 2])).scalar("alpha", 0.1);
    let error = kernel.iterate(3, args.output(ViewMut::new(&mut v).shape([2, 2]))).unwrap_err();
    assert_eq!(error.code(), "no-state");
    let small = Engine::builder().memory_limit(1000).build().expect("an engine").compile("x + 1").expect("a formula");
    let mut x = vec![0.0; 1000];
    assert_eq!(small.iterate(1, Args::new().inout("x", &mut x)).unwrap_err().code(), "memory-limit");
    // One state that is a single value.
    let mut n = 0_i64;
    engine.compile("n + 3").expect("a formula").iterate(5, Args::new().inout("n", &mut n)).expect("a run");
    assert_eq!(n, 15);
}

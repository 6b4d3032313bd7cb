//! Arrays of any layout through the interpreter, against plain nested indexing. Small enough for Miri.

use super::pool::Pool;
use super::stop::{Cancel, Stop};
use super::{Budget, Input, Job, Layout, Machine, Program, Resources, plan, run};
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::interp::Interp;
use crate::ir::{Builder, Node, Op, Output, Param, Rank};
use crate::view::{View, ViewMut};

/// `a * 100 + b` on i32, and with `index` the position along that axis on top.
fn program(index: Option<u8>) -> Program {
    let param = |name: &str| Param { name: name.into(), dtype: DType::I32, rank: Rank::Array };
    let mut b = Builder::new(vec![param("a"), param("b")]);
    let (x, y, hundred) = (b.param(0), b.param(1), b.element(100_i32));
    let product = b.apply(Op::Mul, &[x, hundred]);
    let mut value = b.apply(Op::Add, &[product, y]);
    if let Some(axis) = index {
        let position = b.push(Node::Index(axis), DType::I64);
        let (position, million) = (b.cast(position, DType::I32), b.element(1_000_000_i32));
        let position = b.mul(position, million);
        value = b.add(value, position);
    }
    let graph = b.finish(vec![Output { name: "0".into(), value }]);
    Program::new(Layout::of_graph(&graph), Machine::Interpreter(Interp::new(&graph)), None)
}

fn check(index: Option<u8>, a: &View<'_>, b: &View<'_>, mut out: ViewMut<'_>, pool: &Pool, chunk: usize) {
    let domain = out.extents().to_vec();
    let stop = Stop::new(None, None, None);
    let inputs = [Input::Array(a), Input::Array(b)];
    let outputs = &mut [out.reborrow()];
    let job = Job { inputs: &inputs, outputs, sizes: &[], neighbours: &[] };
    run(&program(index), job, &Resources { pool, chunk, cache: usize::MAX, stop: &stop, budget: Budget::NONE })
        .expect("a run that nobody stops");
    let element = |view: &View<'_>, position: &[usize]| {
        let own = &position[position.len() - view.rank()..];
        let own: Vec<usize> =
            own.iter().zip(view.extents()).map(|(k, extent)| if *extent == 1 { 0 } else { *k }).collect();
        view.get::<i32>(&own).expect("an element")
    };
    let count: usize = domain.iter().product();
    for k in 0..count {
        let mut rest = k;
        let mut position = vec![0; domain.len()];
        for axis in (0..domain.len()).rev() {
            position[axis] = rest % domain[axis];
            rest /= domain[axis];
        }
        let along = index.map_or(0, |axis| position[usize::from(axis)] as i32);
        let expected = element(a, &position) * 100 + element(b, &position) + along * 1_000_000;
        assert_eq!(out.get::<i32>(&position), Some(expected), "{position:?} of {domain:?}, chunk {chunk}");
    }
}

#[test]
fn layouts() {
    let pools = [1, 3].map(|threads| Pool::own(threads).expect("threads"));
    let numbers: Vec<i32> = (0..60).collect();
    let cube = || View::new(&numbers).shape([3, 4, 5]);
    let first = View::new(&numbers);
    let inputs = [
        cube(),
        cube().step(0, -1).step(2, -1),
        first.clone().shape([4, 3, 5]).strided([3, 4, 5], [5 * 4, 15 * 4, 4]),
        first.clone().slice(0, 0..20).shape([4, 5]),
        first.clone().slice(0, 0..3).shape([3, 1, 1]),
        first.clone().slice(0, 7..8),
        View::new(&numbers[9]),
    ];
    // Under Miri a run takes a second: threads and short chunks, where they meet.
    let (pools, chunks) = if cfg!(miri) { (&pools[1..], &[7][..]) } else { (&pools[..], &[1, 7, 4096][..]) };
    for pool in pools {
        for &chunk in chunks {
            for (k, a) in inputs.iter().enumerate() {
                let b = &inputs[(k + 1) % inputs.len()];
                let mut memory = vec![0_i32; 60];
                check(None, a, b, ViewMut::new(&mut memory).shape([3, 4, 5]), pool, chunk);
                check(Some(1), a, b, ViewMut::new(&mut memory).shape([3, 4, 5]).step(1, -1), pool, chunk);
                check(Some(2), a, b, ViewMut::new(&mut memory).shape([5, 4, 3]).transpose(), pool, chunk);
                let mut gaps = vec![-1_i32; 120];
                check(None, a, b, ViewMut::new(&mut gaps).strided([3, 4, 5], [160, 40, 8]), pool, chunk);
                assert!(gaps.iter().skip(1).step_by(2).all(|gap| *gap == -1), "what lies between is left alone");
            }
        }
    }
}

#[test]
fn long_rows_and_streams() {
    let pool = Pool::own(2).expect("threads");
    let numbers: Vec<i32> = (0..4 * 300).collect();
    let (a, b) = (View::new(&numbers).shape([4, 300]), View::new(&numbers).slice(0, 0..300));
    let mut memory = vec![0_i32; 4 * 320];
    check(Some(1), &a, &b, ViewMut::new(&mut memory).strided([4, 300], [320 * 4, 4]), &pool, 64);
    let mut dense = vec![0_i32; 4 * 300];
    let (stop, inputs) = (Stop::new(None, None, None), [Input::Array(&a), Input::Array(&b)]);
    let outputs = &mut [ViewMut::new(&mut dense).shape([4, 300])];
    let job = Job { inputs: &inputs, outputs, sizes: &[], neighbours: &[] };
    run(&program(None), job, &Resources { pool: &pool, chunk: 64, cache: 16, stop: &stop, budget: Budget::NONE })
        .expect("a run");
    assert!(dense.iter().enumerate().all(|(k, x)| *x == k as i32 * 100 + (k % 300) as i32));
}

#[test]
fn in_place() {
    let pool = Pool::own(2).expect("threads");
    let b: Vec<i32> = (0..50).collect();
    let mut a: Vec<i32> = (0..50).rev().collect();
    let stop = Stop::new(None, None, None);
    let b_view = View::new(&b);
    let inputs = [Input::InPlace(0), Input::Array(&b_view)];
    let outputs = &mut [ViewMut::new(&mut a)];
    let job = Job { inputs: &inputs, outputs, sizes: &[], neighbours: &[] };
    run(
        &program(None),
        job,
        &Resources { pool: &pool, chunk: 7, cache: usize::MAX, stop: &stop, budget: Budget::NONE },
    )
    .expect("a run");
    assert!(a.iter().enumerate().all(|(k, x)| *x == (49 - k as i32) * 100 + k as i32));
}

#[test]
fn nothing_to_do_and_nothing_allowed() {
    let pool = Pool::own(1).expect("threads");
    let none: [i32; 0] = [];
    let mut out: [i32; 0] = [];
    check(
        None,
        &View::new(&none).shape([0, 3]),
        &View::new(&none).shape([0, 1]),
        ViewMut::new(&mut out).shape([0, 3]),
        &pool,
        7,
    );

    let cancel = Cancel::new();
    cancel.cancel();
    let (x, mut out) = ([1; 9], [0; 9]);
    let (view, stop) = (View::new(&x), Stop::new(Some(&cancel), None, None));
    let inputs = [Input::Array(&view), Input::Array(&view)];
    let job = Job { inputs: &inputs, outputs: &mut [ViewMut::new(&mut out)], sizes: &[], neighbours: &[] };
    let refused =
        run(&program(None), job, &Resources { pool: &pool, chunk: 7, cache: 1, stop: &stop, budget: Budget::NONE });
    assert_eq!(refused.expect_err("a cancelled run").kind(), ErrorKind::Cancelled);
}

#[test]
fn broadcasting_names_the_axis() {
    let shapes: [(&str, &[usize]); 3] = [("a", &[2, 1]), ("b", &[5]), ("c", &[4])];
    let error = plan::broadcast(shapes.into_iter()).expect_err("5 and 4");
    assert_eq!(
        error.message(),
        "`b` of shape (5,) and `c` of shape (4,) do not broadcast: axis 0 of `b` has 5 elements, axis 0 of `c` has 4"
    );
    assert_eq!(plan::broadcast(shapes[..2].iter().copied()).expect("a shape").as_slice(), [2, 5]);
    let empty: [(&str, &[usize]); 2] = [("a", &[0]), ("b", &[3, 1])];
    assert_eq!(plan::broadcast(empty.into_iter()).expect("a shape").as_slice(), [3, 0]);
}

//! Arrays of any shape and strides to arrays of the broadcast shape, compared with a plain loop over indices.

mod support;

use numlift::{Args, DType, Engine, Error, ErrorKind, Kernel, View, ViewMut};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{all_engines, bits_at, engines};

/// An array somewhere in `bytes`, with the strides it was given.
#[derive(Clone, Debug)]
struct Spread {
    dtype: DType,
    bytes: Vec<u8>,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

impl Spread {
    /// The first byte of the element at `index`; axes of extent 1 and missing ones repeat.
    fn place(&self, index: &[usize]) -> usize {
        let own = &index[index.len() - self.shape.len()..];
        let mut place = 0;
        for ((i, extent), stride) in own.iter().zip(&self.shape).zip(&self.strides) {
            let i = if *extent == 1 { 0 } else { *i as isize };
            let first = if *stride < 0 { (*extent as isize - 1) * -stride } else { 0 };
            place += first + i * stride;
        }
        usize::try_from(place).expect("an index lies in the bytes")
    }

    fn bits(&self, index: &[usize]) -> u64 {
        bits_at(&self.bytes[self.place(index)..], self.dtype)
    }

    fn view(&self) -> View<'_> {
        View::from_bytes(self.dtype, &self.bytes, &self.shape, &self.strides).expect("the array lies in its bytes")
    }

    fn view_mut(&mut self) -> ViewMut<'_> {
        let Spread { dtype, bytes, shape, strides } = self;
        ViewMut::from_bytes(*dtype, bytes, shape, strides).expect("the array lies in its bytes")
    }
}

/// Bytes for an array whose axes lie in memory in the order `order`, with gaps, some backwards.
fn spread(dtype: DType, shape: &[usize], layout: &AxisLayouts, value: impl Fn(usize) -> u64) -> Spread {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    order.sort_by_key(|axis| layout[*axis].0);
    let (mut strides, mut step) = (vec![0; shape.len()], dtype.size());
    for axis in order {
        let (_, gap, backwards) = layout[axis];
        step *= 1 + usize::from(gap);
        strides[axis] = if backwards { -(step as isize) } else { step as isize };
        step *= shape[axis].max(1);
    }
    let mut array = Spread { dtype, bytes: vec![0; step + dtype.size()], shape: shape.to_vec(), strides };
    for (number, index) in indices(shape).enumerate() {
        let place = array.place(&index);
        array.bytes[place..place + dtype.size()].copy_from_slice(&value(number).to_le_bytes()[..dtype.size()]);
    }
    array
}

/// For each axis: where it stands in memory, a gap in elements after each of its elements, whether it runs backwards.
type AxisLayouts = [(u8, u8, bool); 4];

/// Every index of a shape, in C order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    (0..shape.iter().product::<usize>()).map(move |number| {
        let (mut rest, mut index) = (number, vec![0; shape.len()]);
        for axis in (0..shape.len()).rev() {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        index
    })
}

/// How one operand differs from the common shape: leading axes left out, axes of extent 1, an axis with stride 0.
#[derive(Clone, Debug)]
struct Part {
    dropped: usize,
    ones: [bool; 4],
    repeated: Option<usize>,
    layout: AxisLayouts,
}

fn part() -> impl Strategy<Value = Part> {
    let layout = proptest::array::uniform4((any::<u8>(), 0..3_u8, any::<bool>()));
    (
        0..3_usize,
        proptest::array::uniform4(proptest::bool::weighted(0.2)),
        proptest::option::weighted(0.2, 0..4_usize),
        layout,
    )
        .prop_map(|(dropped, ones, repeated, layout)| Part { dropped, ones, repeated, layout })
}

fn operand(dtype: DType, common: &[usize], part: &Part, value: impl Fn(usize) -> u64) -> Spread {
    let own = &common[part.dropped.min(common.len())..];
    let shape: Vec<usize> = own.iter().zip(part.ones).map(|(extent, one)| if one { 1 } else { *extent }).collect();
    let mut array = spread(dtype, &shape, &part.layout, value);
    if let Some(axis) = part.repeated.filter(|axis| *axis < shape.len()) {
        array.strides[axis] = 0;
    }
    array
}

/// numpy's rule, for shapes known to go together.
fn broadcast(shapes: &[&[usize]]) -> Vec<usize> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut common = vec![1; rank];
    for shape in shapes {
        for (extent, own) in common[rank - shape.len()..].iter_mut().zip(*shape) {
            if *own != 1 {
                *extent = *own;
            }
        }
    }
    common
}

fn kernels(text: &str) -> Vec<(String, Kernel)> {
    all_engines()
        .into_iter()
        .map(|(name, engine)| (name, engine.compile(text).expect("the formula is right")))
        .collect()
}

/// Runs the formula into an output of the broadcast shape and `layout`; compares it with `expected`, given an index.
fn check(
    kernels: &[(String, Kernel)],
    inputs: &[(&str, &Spread)],
    dtype: DType,
    layout: &AxisLayouts,
    expected: impl Fn(&[usize]) -> u64,
) {
    let shapes: Vec<&[usize]> = inputs.iter().map(|(_, array)| array.shape.as_slice()).collect();
    let common = broadcast(&shapes);
    for (engine, kernel) in kernels {
        let mut output = spread(dtype, &common, layout, |_| 0);
        let args = inputs.iter().fold(Args::new(), |args, (name, array)| args.input(name, array.view()));
        kernel.run(args.output(output.view_mut())).unwrap_or_else(|error| panic!("{engine}: {error:?}"));
        for index in indices(&common) {
            assert_eq!(output.bits(&index), expected(&index), "{engine}: at {index:?} of {common:?}");
        }
    }
}

fn small_float(number: usize) -> u64 {
    (number as f64 * 0.37 - 3.0).to_bits()
}

#[test]
fn random_shapes_and_strides() {
    let same = kernels("a*b + c");
    let mixed = kernels("where(m, a, i) + u");
    let case = (
        prop::collection::vec(prop_oneof![Just(0_usize), 1..6_usize, 1..6_usize, 1..6_usize], 0..5),
        prop::collection::vec(part(), 5),
    );
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    )
    .run(&case, |(common, parts)| {
        let floats: Vec<Spread> =
            parts[..3].iter().map(|part| operand(DType::F64, &common, part, small_float)).collect();
        let inputs = [("a", &floats[0]), ("b", &floats[1]), ("c", &floats[2])];
        check(&same, &inputs, DType::F64, &parts[3].layout, |index| {
            let [a, b, c] = [0, 1, 2].map(|k| f64::from_bits(floats[k].bits(index)));
            (a * b + c).to_bits()
        });

        let m = operand(DType::Bool, &common, &parts[0], |number| u64::from(number % 3 == 0));
        let a = operand(DType::F32, &common, &parts[1], |number| u64::from((number as f32 * 0.5 - 7.0).to_bits()));
        let i = operand(DType::I16, &common, &parts[2], |number| number as u64 * 37 % 1000);
        let u = operand(DType::U8, &common, &parts[3], |number| number as u64 * 11 % 256);
        let inputs = [("m", &m), ("a", &a), ("i", &i), ("u", &u)];
        check(&mixed, &inputs, DType::F32, &parts[4].layout, |index| {
            let side = if m.bits(index) != 0 {
                f32::from_bits(a.bits(index) as u32)
            } else {
                f32::from(i.bits(index) as u16 as i16)
            };
            u64::from((side + f32::from(u.bits(index) as u8)).to_bits())
        });
        Ok(())
    });
    result.expect("every shape gives what a plain loop gives");
}

/// A few large shapes, in which chunks end amid rows.
#[test]
fn large_shapes() {
    let kernels = kernels("a*b + c");
    let plain: AxisLayouts = [(3, 0, false), (2, 0, false), (1, 0, false), (0, 0, false)];
    let turned: AxisLayouts = [(0, 0, false), (1, 0, true), (2, 0, false), (3, 1, false)];
    for common in [vec![513, 257], vec![1, 100_003], vec![100_003, 1], vec![3, 5, 7, 1009], vec![70_001, 3]] {
        let whole = Part { dropped: 0, ones: [false; 4], repeated: None, layout: plain };
        let a = operand(DType::F64, &common, &whole, small_float);
        let b = operand(DType::F64, &common, &Part { dropped: 1, ..whole.clone() }, small_float);
        let c = operand(
            DType::F64,
            &common,
            &Part { layout: turned, ones: [true, false, true, false], ..whole },
            small_float,
        );
        check(&kernels, &[("a", &a), ("b", &b), ("c", &c)], DType::F64, &turned, |index| {
            let [a, b, c] = [&a, &b, &c].map(|array| f64::from_bits(array.bits(index)));
            (a * b + c).to_bits()
        });
    }
}

/// Arrays of one element a row, which code takes as scalars where rows are long and many; which they are differs from run to run.
#[test]
fn columns() {
    let kernels = kernels("where(m, a*k + r, a - i)");
    let layouts: [AxisLayouts; 2] = [
        [(3, 0, false), (2, 0, false), (1, 0, false), (0, 0, false)],
        [(1, 0, false), (0, 1, true), (2, 0, false), (3, 0, false)],
    ];
    let whole = Part { dropped: 0, ones: [false; 4], repeated: None, layout: layouts[0] };
    let column = Part { ones: [false, true, false, false], ..whole.clone() };
    let row = Part { dropped: 1, ..whole.clone() };
    for common in [vec![70, 300], vec![300, 70]] {
        for (m, k) in [(&column, &column), (&column, &row), (&whole, &column)] {
            let a = operand(DType::F64, &common, &whole, small_float);
            let m = operand(DType::Bool, &common, m, |number| number as u64 % 3);
            let k = operand(DType::F64, &common, k, small_float);
            let r = operand(DType::F64, &common, &row, small_float);
            let i = operand(DType::I16, &common, &column, |number| (number as u64).wrapping_mul(0xfffb));
            let inputs = [("m", &m), ("a", &a), ("k", &k), ("r", &r), ("i", &i)];
            for layout in &layouts {
                check(&kernels, &inputs, DType::F64, layout, |index| {
                    let [a, k, r] = [&a, &k, &r].map(|array| f64::from_bits(array.bits(index)));
                    let i = f64::from(i.bits(index) as u16 as i16);
                    (if m.bits(index) != 0 { a * k + r } else { a - i }).to_bits()
                });
            }
        }
    }
}

fn run_error(engine: &Engine, text: &str, shapes: &[&[usize]], output: Option<&[usize]>) -> Error {
    let plain: AxisLayouts = [(3, 0, false), (2, 0, false), (1, 0, false), (0, 0, false)];
    let arrays: Vec<Spread> = shapes.iter().map(|shape| spread(DType::F64, shape, &plain, small_float)).collect();
    let kernel = engine.compile(text).expect("the formula is right");
    let args =
        arrays.iter().zip(["a", "b", "c"]).fold(Args::new(), |args, (array, name)| args.input(name, array.view()));
    match output {
        Some(shape) => {
            let mut output = spread(DType::F64, shape, &plain, |_| 0);
            kernel.run(args.output(output.view_mut())).expect_err("the shapes do not go together")
        }
        None => kernel.eval(args).map(|_| ()).expect_err("the shapes do not go together"),
    }
}

/// A shape as numpy shows it: `(2, 3)`, `(3,)`.
fn as_numpy(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({}{})", extents.join(", "), if extents.len() == 1 { "," } else { "" })
}

#[test]
fn shapes_that_do_not_go_together() {
    for (_, engine) in engines() {
        for (shapes, output, axis) in [
            ([&[2, 3][..], &[2, 4], &[1]], None, "axis 1"),
            ([&[2, 3][..], &[4, 3], &[1]], None, "axis 0"),
            ([&[3][..], &[2, 4], &[1]], None, "axis 1"),
            ([&[5, 1, 3][..], &[1], &[4, 5, 3]], None, "axis 0"),
            ([&[0][..], &[2], &[1]], None, "axis 0"),
            ([&[2, 3][..], &[3], &[1]], Some(&[2, 2][..]), "axis 1"),
            ([&[2, 3][..], &[3], &[1]], Some(&[3][..]), ""),
            ([&[3][..], &[3], &[1]], Some(&[1][..]), "axis 0"),
        ] {
            let error = run_error(&engine, "a*b + c", &shapes, output);
            let text = error.render();
            assert_eq!(error.kind(), ErrorKind::Shape, "{text}");
            assert!(text.contains(axis), "`{axis}` of {shapes:?} in: {text}");
            let shown = shapes.iter().copied().chain(output).filter(|shape| text.contains(&as_numpy(shape))).count();
            assert!(shown >= 2, "both shapes of {shapes:?} -> {output:?} in: {text}");
        }
    }
}

#[test]
fn output_larger_by_broadcasting() -> Result<(), Error> {
    for (engine_name, engine) in engines() {
        let x = [1.0, 2.0, 3.0];
        let mut out = [0.0; 12];
        let output = ViewMut::new(&mut out).shape([2, 2, 3]);
        engine.compile("x + 1")?.run(Args::new().input("x", &x).output(output))?;
        assert_eq!(out, [2.0, 3.0, 4.0].repeat(4)[..], "{engine_name}");

        let mut out = [0.0; 5];
        engine.compile("2.5 * 2")?.run(Args::new().output(&mut out))?;
        assert_eq!(out, [5.0; 5], "{engine_name}");
    }
    Ok(())
}

#[test]
fn each_output_has_its_own_shape() -> Result<(), Error> {
    for (_, engine) in engines() {
        let (row, column) = ([1.0, 2.0, 3.0], [10.0, 20.0]);
        let column = View::new(&column).shape([2, 1]);
        let kernel = engine.compile("total = row + column; total, row * 2, -column, 7, row")?;
        let args = Args::new().input("row", &row).input("column", column);
        let mut outputs = kernel.eval(args)?;
        let shapes: Vec<Vec<usize>> =
            ["total", "1", "2", "3", "row"].map(|name| outputs.shape(name)).into_iter().collect::<Result<_, _>>()?;
        assert_eq!(shapes, [vec![2, 3], vec![3], vec![2, 1], vec![], vec![3]]);
        assert_eq!(outputs.take::<f64>("total")?, [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
        assert_eq!(outputs.take::<f64>("1")?, [2.0, 4.0, 6.0]);
        assert_eq!(outputs.take::<f64>("2")?, [-10.0, -20.0]);
        assert_eq!(outputs.take::<i64>("3")?, [7]);
        assert_eq!(outputs.take::<f64>("row")?, row);
    }
    Ok(())
}

#[test]
fn rank_0() -> Result<(), Error> {
    for (_, engine) in engines() {
        let product: f64 = engine.compile("x * y")?.scalar(Args::new().input("x", &2.0).input("y", &4.0))?;
        assert_eq!(product, 8.0);
        let constant: i64 = engine.compile("6 * 7")?.scalar(Args::new())?;
        assert_eq!(constant, 42);
        let mut outputs = engine.compile("x and 1 < 2")?.eval(Args::new().input("x", &3_u8))?;
        assert_eq!(outputs.shape("0")?, [0_usize; 0]);
        assert_eq!(outputs.take::<bool>("0")?, [true]);
        let mut out = 0.0;
        engine.compile("x ** 2")?.run(Args::new().input("x", &3.0).output(&mut out))?;
        assert_eq!(out, 9.0);
        let mut one = [0.0];
        engine.compile("x ** 2")?.run(Args::new().input("x", &3.0).output(&mut one))?;
        assert_eq!(one, [9.0]);
    }
    Ok(())
}

#[test]
fn index_and_size() -> Result<(), Error> {
    for (_, engine) in engines() {
        let (row, column) = (vec![0_u8; 5], vec![1_u8; 3]);
        let column = View::new(&column).shape([3, 1]);
        let args = Args::new().input("row", &row).input("column", column);
        let mut outputs = engine.compile("index(0) * 10 + index(1) + 0*row + 0*column")?.eval(args)?;
        let expected: Vec<i64> = (0..3).flat_map(|i| (0..5).map(move |j| i * 10 + j)).collect();
        assert_eq!(outputs.take::<i64>("0")?, expected);

        let mut outputs = engine.compile("x + size(x), size(x)")?.eval(Args::new().input("x", &[1.0; 3]))?;
        assert_eq!(outputs.take::<f64>("0")?, [4.0; 3]);
        assert_eq!(outputs.take::<i64>("1")?, [3]);

        let error = engine.compile("x + index(1)")?.eval(Args::new().input("x", &[1.0; 3])).map(|_| ());
        assert_eq!(error.expect_err("the output has one axis").kind(), ErrorKind::Shape);
    }
    Ok(())
}

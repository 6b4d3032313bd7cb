//! Reductions from `tests/data` to what numpy and the language's tree give: every dtype, axis and layout, on every backend,
//! whatever the threads and chunks.

mod support;

use std::collections::HashMap;

use numlift::{Args, Backend, DType, Engine, Kernel, Partial, Schema, View, ViewMut};
use support::{bits_at, same};

/// Elements in C order.
struct Array {
    dtype: DType,
    shape: Vec<usize>,
    bits: Vec<u64>,
}

fn hex(words: &str) -> Vec<u64> {
    words
        .split_whitespace()
        .filter(|word| *word != "-")
        .map(|word| u64::from_str_radix(word, 16).expect("hexadecimal digits"))
        .collect()
}

fn shape(word: &str) -> Vec<usize> {
    word.split(',').filter(|word| *word != "-").map(|word| word.parse().expect("an extent")).collect()
}

fn array(words: &str) -> Array {
    let mut parts = words.splitn(3, ' ');
    let mut next = || parts.next().expect("a dtype, a shape and elements");
    let (dtype, own, bits) = (DType::from_name(next()).expect("a dtype"), shape(next()), hex(next()));
    Array { dtype, shape: own, bits }
}

/// The orders of axes in memory, slowest first, with gaps between elements of the last one, some backwards.
const LAYOUTS: [(&[usize], usize, bool); 4] =
    [(&[0, 1, 2], 1, false), (&[2, 1, 0], 1, false), (&[1, 0, 2], 3, false), (&[0, 2, 1], 2, true)];

/// Bytes and strides of an array that lies so.
fn laid_out(array: &Array, (order, gap, backwards): (&[usize], usize, bool)) -> (Vec<u8>, Vec<isize>) {
    let (rank, size) = (array.shape.len(), array.dtype.size());
    let mut strides = vec![0_isize; rank];
    let mut step = (size * gap) as isize;
    for axis in order.iter().rev().filter(|axis| **axis < rank) {
        strides[*axis] = if backwards && axis % 2 == 0 { -step } else { step };
        step *= array.shape[*axis].max(1) as isize;
    }
    let first: isize =
        strides.iter().zip(&array.shape).map(|(s, n)| if *s < 0 { -s * (*n as isize - 1) } else { 0 }).sum();
    let mut bytes = vec![0xA5; step as usize + size];
    for (number, bits) in array.bits.iter().enumerate() {
        let (mut rest, mut place) = (number, first);
        for axis in (0..rank).rev() {
            place += (rest % array.shape[axis]) as isize * strides[axis];
            rest /= array.shape[axis];
        }
        bytes[place as usize..place as usize + size].copy_from_slice(&bits.to_le_bytes()[..size]);
    }
    (bytes, strides)
}

fn view<'a>(array: &Array, (bytes, strides): &'a (Vec<u8>, Vec<isize>)) -> View<'a> {
    View::from_bytes(array.dtype, bytes, &array.shape, strides).expect("the array lies in its bytes")
}

/// Each result's dtype, shape and bits.
fn result(kernel: &Kernel, x: View<'_>) -> Result<Array, numlift::Error> {
    let outputs = kernel.eval(Args::new().input("x", x))?;
    let view = outputs.view(kernel.outputs()[0].name())?;
    let (dtype, bytes) = (view.dtype(), view.as_bytes().expect("outputs lie in C order"));
    let bits = bytes.chunks(dtype.size()).map(|bytes| bits_at(bytes, dtype)).collect();
    Ok(Array { dtype, shape: view.extents().to_vec(), bits })
}

fn engines() -> Vec<(String, Engine)> {
    let mut engines = Vec::new();
    for backend in [Backend::Interpreter, Backend::Cranelift, Backend::Auto] {
        for (threads, chunk) in [(1, 1 << 16), (3, 7)] {
            let engine = Engine::builder().backend(backend).threads(threads).chunk_len(chunk).build();
            let engine = engine.expect("an engine");
            engines.push((format!("{:?}, {threads} threads", engine.backend()), engine));
        }
    }
    engines
}

const DATA: &str = include_str!("data/reductions.txt");

#[test]
fn every_reduction_is_what_numpy_says() {
    let mut arrays = HashMap::new();
    let mut cases: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for line in DATA.lines() {
        let (kind, rest) = line.split_once(' ').expect("a line has words");
        if kind == "array" {
            let (name, rest) = rest.split_once(' ').expect("a name");
            arrays.insert(name, array(rest));
        } else if kind != "golden" {
            let mut parts = rest.split(" | ");
            cases.push((kind, parts.next().expect("a formula"), parts.collect()));
        }
    }
    let mut failures = Vec::new();
    for (engine_name, engine) in engines() {
        let mut kernels: HashMap<&str, Kernel> = HashMap::new();
        for (k, (kind, formula, parts)) in cases.iter().enumerate() {
            let kernel = kernels
                .entry(formula)
                .or_insert_with(|| engine.compile(formula).unwrap_or_else(|error| panic!("{}", error.render())));
            let x = &arrays[parts[0]];
            // Each case in two of the layouts, all cases in all.
            for layout in [LAYOUTS[0], LAYOUTS[1 + k % 3]] {
                let memory = laid_out(x, layout);
                let found = result(kernel, view(x, &memory));
                let fault = match (*kind, found) {
                    ("error", Err(error)) if error.code() == parts[1] => None,
                    ("case", Ok(found)) => compare(&found, &array(parts[1])),
                    ("near", Ok(found)) => compare_near(&found, parts[1]),
                    (_, Ok(_)) => Some("there is a result".to_owned()),
                    (_, Err(error)) => Some(error.render()),
                };
                if let Some(fault) = fault {
                    failures.push(format!("{engine_name}: {formula} of {} laid out {layout:?}: {fault}", parts[0]));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
}

fn compare(found: &Array, expected: &Array) -> Option<String> {
    if (found.dtype, &found.shape) != (expected.dtype, &expected.shape) {
        return Some(format!("{} {:?}, expected {} {:?}", found.dtype, found.shape, expected.dtype, expected.shape));
    }
    let differs = |k: &usize| !same(found.dtype, found.bits[*k], expected.bits[*k]);
    let k = (0..found.bits.len()).find(differs)?;
    Some(format!("element {k} is {:x}, expected {:x}", found.bits[k], expected.bits[k]))
}

/// `DTYPE SHAPE BOUND VALUES`.
fn compare_near(found: &Array, expected: &str) -> Option<String> {
    let words: Vec<&str> = expected.split_whitespace().collect();
    if found.dtype.name() != words[0] || found.shape != shape(words[1]) {
        return Some(format!("{} {:?}, expected {expected}", found.dtype, found.shape));
    }
    let number = |word: &str| word.parse::<f64>().expect("a number");
    let bound = number(words[2]);
    let value = |bits: u64| match found.dtype {
        DType::F32 => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits),
    };
    let far = |(x, y): (f64, f64)| !((x - y).abs() <= bound || x == y || (x.is_nan() && y.is_nan()));
    let pairs = found.bits.iter().map(|bits| value(*bits)).zip(words[3..].iter().map(|word| number(word)));
    let (x, y) = pairs.into_iter().find(|pair| far(*pair))?;
    Some(format!("{x} is not within {bound} of {y}"))
}

/// As `pattern` of the script.
fn pattern(i: u64) -> f64 {
    let whole = i.wrapping_mul(2654435761) % (1 << 24);
    (whole as f64 - f64::from(1 << 23)) * 2_f64.powi((i % 21) as i32 - 10)
}

#[test]
fn the_tree_is_the_same_for_all_threads_chunks_and_strides() {
    let engines: Vec<(String, Engine)> = [1, 2, 3, 8, 64]
        .into_iter()
        .flat_map(|threads| [1, 7, 1 << 15, 1 << 20].map(|chunk| (threads, chunk)))
        .map(|(threads, chunk)| {
            let engine = Engine::builder().threads(threads).chunk_len(chunk).build().expect("an engine");
            (format!("{threads} threads, chunks of {chunk}"), engine)
        })
        .chain([(
            "interpreter".to_owned(),
            Engine::builder().backend(Backend::Interpreter).build().expect("an engine"),
        )])
        .collect();
    for line in DATA.lines().filter_map(|line| line.strip_prefix("golden ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let (len, bits) = (words[2].parse::<u64>().expect("a length"), hex(words[3])[0]);
        let dtype = DType::from_name(words[1]).expect("a dtype");
        let element = |i: u64| match dtype {
            DType::F32 => u64::from((pattern(i) as f32).to_bits()),
            _ => pattern(i).to_bits(),
        };
        let x = Array { dtype, shape: vec![len as usize], bits: (0..len).map(element).collect() };
        for (name, engine) in &engines {
            // Of a scan the last element, which hangs on all others.
            let (formula, is_scan) = words[0].strip_suffix("[-1]").map_or((words[0], false), |formula| (formula, true));
            let kernel = engine.compile(formula).expect("a formula");
            for layout in [LAYOUTS[0], LAYOUTS[3]] {
                let memory = laid_out(&x, layout);
                let found = result(&kernel, view(&x, &memory)).expect("a sum");
                assert!(is_scan || found.bits.len() == 1);
                assert_eq!(found.bits.last(), Some(&bits), "{line}: {name}, {layout:?}");
            }
        }
    }
}

#[test]
fn parts_merge_to_the_same_bits() {
    let engine = Engine::builder().threads(2).chunk_len(1).build().expect("an engine");
    let x: Vec<f64> = (0..3 * 4096 + 77).map(pattern).collect();
    let k: Vec<i16> = (0..x.len()).map(|i| (i * 7919 % 65536) as i16).collect();
    let text = "s = sum(x * k); m = mean(x); (s / m, m, min(x), max(k), any(k > 32766), norm(x), prod(k), a * count_nonzero(x > 0))";
    let kernel = engine.compile(text).expect("a formula");
    let args = |from: usize, to: usize| Args::new().input("x", &x[from..to]).input("k", &k[from..to]).scalar("a", 3);
    let shown = |outputs: numlift::Outputs| -> Vec<(DType, u64)> {
        let names: Vec<String> = outputs.names().map(str::to_owned).collect();
        let view = |name: &String| outputs.view(name).expect("an output");
        names
            .iter()
            .map(|name| (view(name).dtype(), bits_at(view(name).as_bytes().expect("C order"), view(name).dtype())))
            .collect()
    };
    let whole = shown(kernel.eval(args(0, x.len())).expect("a run"));
    // Every choice of boundaries of blocks, of which the first leaves a part without elements.
    for chosen in 0..1 << 4 {
        let cuts: Vec<usize> = (0..4).filter(|k| chosen >> k & 1 == 1).map(|k| k * 4096).collect();
        let ends: Vec<usize> = [&[0], &cuts[..], &[x.len()]].concat();
        let mut state: Option<Partial> = None;
        for ends in ends.windows(2) {
            let part = kernel.partial(args(ends[0], ends[1])).expect("a part");
            assert_eq!(part.len(), (ends[1] - ends[0]) as u64);
            let part = Partial::from_bytes(&kernel, &part.to_bytes()).expect("the bytes of a state");
            match &mut state {
                Some(state) => state.merge(&part).expect("parts merge"),
                None => state = Some(part),
            }
        }
        assert_eq!(shown(state.expect("a part").finish().expect("outputs")), whole, "{cuts:?}");
    }
}

#[test]
fn what_does_not_merge_is_told() {
    let engine = Engine::new().expect("an engine");
    let x = [1.0, 2.0, 3.0];
    let kernel = engine.compile("sum(x * a)").expect("a formula");
    let part = |a: f64| kernel.partial(Args::new().input("x", &x).scalar("a", a)).expect("a part");
    let mut state = part(1.0);
    assert_eq!(state.merge(&part(1.0)).unwrap_err().code(), "unlike-partials");
    assert_eq!(state.merge(&part(2.0)).unwrap_err().code(), "unlike-partials");
    let other = engine.compile("sum(x + a)").expect("a formula");
    assert_eq!(Partial::from_bytes(&other, &state.to_bytes()).unwrap_err().code(), "partial-bytes");
    let bytes = state.to_bytes();
    for len in 0..bytes.len() {
        assert!(Partial::from_bytes(&kernel, &bytes[..len]).is_err());
        let mut changed = bytes.clone();
        changed[len] ^= 0x55;
        let _ = Partial::from_bytes(&kernel, &changed).map(|state| state.finish());
    }
    for text in [
        "std(x)",
        "x * 2",
        "x - mean(x)",
        "argmax(x)",
        "sum(x, axis=0, keepdims=True)",
        "sum(x * index(0))",
        "cumsum(x)",
    ] {
        let found = engine.compile(text).expect("a formula").partial(Args::new().input("x", &x)).map(|_| ());
        assert_eq!(found.expect_err(text).code(), "not-mergeable", "{text}");
    }
}

/// Reductions and scans of every kind, of which the compiler and `exec` fold some each.
const KINDS: [&str; 31] = [
    "sum(x)",
    "sum(x * x + 1)",
    "prod(x)",
    "prod(x != 0)",
    "min(x)",
    "max(x)",
    "min(abs(x))",
    "max(-x * 2)",
    "mean(x)",
    "var(x)",
    "std(x, ddof=1)",
    "any(x > 0)",
    "all(x < 1)",
    "count_nonzero(x)",
    "sum(x > 0)",
    "argmin(x)",
    "argmax(x + 0)",
    "ptp(x)",
    "norm(x)",
    "dot(x, x)",
    "logsumexp(x / 1000)",
    "nansum(x)",
    "nanmin(x)",
    "nanmax(x)",
    "nanmean(x)",
    "y = x * 2; y, sum(y), min(y), max(y), prod(y), argmin(y)",
    "cumsum(x)",
    "cumprod(x)",
    "cummax(x)",
    "cummin(x * 3)",
    "(x - mean(x)) / std(x)",
];

/// Totals of few elements need no plan, in up to eight blocks; neither way of a call changes a bit.
#[test]
fn short_totals_have_the_same_bits_with_a_plan_and_without() {
    let texts =
        ["sum(x + y)", "sum(x * y), max(x - y), count_nonzero(x < y), min(y)", "prod(x / 4), sum(where(x > 0, y, 0))"];
    let data: Vec<f64> = (0..9 * 4096).map(|k| if k % 1009 == 1000 { f64::NAN } else { pattern(k) }).collect();
    let reference = Engine::builder().backend(Backend::Interpreter).build().expect("an engine");
    let schema = Schema::new().array("x", DType::F64, 1).array("y", DType::F64, 1);
    for text in texts {
        for len in [1, 15, 16, 17, 999, 4095, 4096, 4097, 8 * 4096 - 1, 8 * 4096, 8 * 4096 + 1] {
            let (x, y) = (&data[..len], &data[data.len() - len..]);
            let args = || Args::new().input("x", x).input("y", y);
            let bits = |engine: &Engine| {
                let outputs = engine.compile(text).expect("a formula").eval(args()).expect("a result");
                let bits = |name: &str| outputs.view(name).expect("an output").as_bytes().expect("no gaps").to_vec();
                outputs.names().map(bits).collect::<Vec<_>>()
            };
            let expected = bits(&reference);
            for (backend, engine) in support::engines() {
                assert_eq!(bits(&engine), expected, "{text}, {len}, {backend}");
                let kernel = engine.compile(text).expect("a formula");
                let bound = kernel.bind(&schema).expect("types");
                let (mut first, mut second, mut third, mut fourth) = ([0.0_f64], [0.0_f64], [0_i64], [0.0_f64]);
                let mut outputs = [
                    ViewMut::from(&mut first[0]),
                    ViewMut::from(&mut second[0]),
                    ViewMut::from(&mut third[0]),
                    ViewMut::from(&mut fourth[0]),
                ];
                let count = expected.len();
                bound.run(&[View::from(x), View::from(y)], &mut outputs[..count]).expect("a result");
                let found = [first[0].to_bits(), second[0].to_bits(), third[0] as u64, fourth[0].to_bits()];
                let found: Vec<Vec<u8>> = found[..count].iter().map(|bits| bits.to_le_bytes().to_vec()).collect();
                assert_eq!(found, expected, "{text}, {len}, {backend}, bound");
            }
        }
    }
}

#[test]
fn every_reduction_has_the_same_bits_whoever_computes_it() {
    let engine = |backend, threads, chunk| {
        Engine::builder().backend(backend).threads(threads).chunk_len(chunk).build().expect("an engine")
    };
    let mut engines = vec![("the interpreter".to_owned(), engine(Backend::Interpreter, 1, 1 << 16))];
    let cuts = [1, 2, 3, 8, 64].map(|threads| [1, 7, 1 << 15].map(|chunk| (Backend::Auto, threads, chunk)));
    let others = [(Backend::Cranelift, 1, 1 << 15), (Backend::Cranelift, 3, 7), (Backend::Interpreter, 8, 1)];
    for (backend, threads, chunk) in cuts.into_iter().flatten().chain(others) {
        let name = format!("{backend:?}, {threads} threads, chunks of {chunk}");
        engines.push((name, engine(backend, threads, chunk)));
    }
    // Three blocks, and a group that is not whole.
    let len = 2 * 4096 + 77;
    for dtype in [DType::F64, DType::F32, DType::I32, DType::U8, DType::U64, DType::Bool] {
        let element = |i: u64| match dtype {
            DType::F32 => u64::from((pattern(i) as f32).to_bits()),
            DType::F64 => pattern(i).to_bits(),
            DType::Bool => u64::from(pattern(i) > 0.0),
            _ => pattern(i) as i64 as u64,
        };
        let x = Array { dtype, shape: vec![len], bits: (0..len as u64).map(element).collect() };
        let memory = laid_out(&x, LAYOUTS[0]);
        for text in KINDS {
            let results = |engine: &Engine| {
                let outputs = engine.compile(text)?.eval(Args::new().input("x", view(&x, &memory)))?;
                let names: Vec<&str> = outputs.names().collect();
                let bits = |name: &&str| {
                    let found = outputs.view(name).expect("an output");
                    let bytes = found.as_bytes().expect("outputs lie in C order");
                    let bits = bytes.chunks(found.dtype().size()).map(|bytes| bits_at(bytes, found.dtype()));
                    (found.dtype(), bits.collect::<Vec<u64>>())
                };
                Ok::<_, numlift::Error>(names.iter().map(bits).collect::<Vec<_>>())
            };
            // A dtype that the formula does not take is an error of every engine.
            let Ok(expected) = results(&engines[0].1) else { continue };
            for (name, engine) in &engines[1..] {
                for ((dtype, bits), (_, expected)) in results(engine).expect("a run").iter().zip(&expected) {
                    let same = bits.iter().zip(expected).all(|(x, y)| same(*dtype, *x, *y));
                    assert!(same && bits.len() == expected.len(), "{text} of {dtype}: {name}");
                }
            }
        }
    }
}

#[test]
fn sums_are_accurate() {
    // A hundred million times 0.1 in f32, which take the memory of one.
    let engine = Engine::new().expect("an engine");
    let sum = engine.compile("sum(x)").expect("a formula");
    let tenths = View::new(&[0.1_f32]).broadcast([100_000_000]);
    let found: f32 = sum.scalar(Args::new().input("x", tenths)).expect("a sum");
    assert!((f64::from(found) / 1e7 - 1.0).abs() < 1e-6, "{found}");
}

#[test]
fn what_cancels_is_off_by_no_more_than_the_tree_allows() {
    // Tenths, and at the end their sum, rounded, with the other sign: what is left is known exactly.
    const COUNT: i128 = 4_000_000;
    let (bits, tenth) = (0.1_f64.to_bits(), 0.1_f64);
    let mantissa = i128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let unit = tenth / mantissa as f64;
    let rounded = (COUNT * mantissa) as f64 * unit;
    let left = (COUNT * mantissa - (rounded / unit) as i128) as f64 * unit;
    let mut x = vec![tenth; COUNT as usize];
    x.push(-rounded);
    let sum = Engine::new().expect("an engine").compile("sum(x)").expect("a formula");
    let found: f64 = sum.scalar(Args::new().input("x", &x)).expect("a sum");
    // An accumulator takes 256 elements; halves and blocks are folded pairwise.
    let depth = 256.0 + 4.0 + (x.len() as f64 / 4096.0).log2().ceil();
    let bound = depth * f64::EPSILON / 2.0 * x.iter().map(|x| x.abs()).sum::<f64>();
    assert!((found - left).abs() <= bound, "{found} is not within {bound} of {left}");
    let one_by_one: f64 = x.iter().sum();
    assert!((one_by_one - left).abs() > bound, "one element after another loses more");
}

#[test]
fn reductions_meet_outputs_of_all_kinds() {
    let engine = Engine::new().expect("an engine");
    let (x, mut scaled, mut total) = (vec![1.0, 2.0, 6.0], vec![0.0; 3], 0.0);
    let both = engine.compile("y = 2 * x; y, sum(y)").expect("a formula");
    both.run(Args::new().input("x", &x).output(&mut scaled).output(&mut total)).expect("a run");
    assert_eq!((&scaled[..], total), (&[2.0, 4.0, 12.0][..], 18.0));
    // In place, and into an array that the total is repeated along.
    let mut place = x.clone();
    engine.compile("x - mean(x)").expect("a formula").run(Args::new().inout("x", &mut place)).expect("a run");
    assert_eq!(place, [-2.0, -1.0, 3.0]);
    let mut repeated = [0.0; 4];
    engine.compile("sum(x)").expect("a formula").run(Args::new().input("x", &x).output(&mut repeated)).expect("a run");
    assert_eq!(repeated, [9.0; 4]);
    let mut place = x.clone();
    engine.compile("max(x)").expect("a formula").run(Args::new().inout("x", &mut place)).expect("a run");
    assert_eq!(place, [6.0; 3]);
    let mut place = x.clone();
    engine.compile("cumsum(x)").expect("a formula").run(Args::new().inout("x", &mut place)).expect("a run");
    assert_eq!(place, [1.0, 3.0, 9.0]);
}

#[test]
fn a_branch_gives_what_was_computed_before_it() {
    // A value that leaves a branch and was made outside of it: what the branch comes to waits for it and has its rank.
    let texts = [
        // A total, behind a condition of every element.
        (
            "
            b = n + sum(n, axis=-1, keepdims=True)
            if s { b = n } elif c { b = n } else { b = b }
            s, b
            ",
            "s, where(s, n, where(c, n, n + sum(n, axis=-1, keepdims=True)))",
        ),
        // An array, behind one of the whole run.
        ("b = 0\nif s { b = n }\nsum(b, axis=1), s", "sum(where(s, n, 0), axis=1), s"),
        (
            "b = n * 0\ni = 0\nwhile i < s { b = n\n i = i + 1 }\nmax(b, axis=0), s",
            "max(where(s > 0, n, n * 0), axis=0), s",
        ),
    ];
    let n: Vec<i64> = (0..2 * 37).map(|k| k * 37 % 101 - 40).collect();
    let c: Vec<bool> = n.iter().map(|n| n % 3 == 0).collect();
    for (name, engine) in engines() {
        for (branches, selects) in texts {
            for s in [0_i64, 1] {
                let eval = |text: &str| {
                    let kernel = engine.compile(text).expect("a formula");
                    let shape = [2, 37];
                    let args = Args::new().input("s", &s).input("n", View::new(&n).shape(shape));
                    let takes_c = kernel.params().iter().any(|param| param.name() == "c");
                    let args = if takes_c { args.input("c", View::new(&c).shape(shape)) } else { args };
                    let outputs = kernel.eval(args).unwrap_or_else(|error| panic!("{text}: {}", error.render()));
                    let view = |name| outputs.view(name).expect("an output").to_vec::<i64>().expect("integers");
                    outputs.names().map(view).collect::<Vec<_>>()
                };
                assert_eq!(eval(branches), eval(selects), "{branches} where s is {s}, {name}");
            }
        }
    }
}

#[test]
fn what_nobody_needs_does_not_fail() {
    let nothing: [f64; 0] = [];
    for (name, engine) in engines() {
        let found = engine.compile("least = min(x); 2 * x").expect("a formula").eval(Args::new().input("x", &nothing));
        assert_eq!(found.expect("a run").into_vec::<f64>().expect("one output"), nothing, "{name}");
        let found = engine.compile("least = min(x); least").expect("a formula").eval(Args::new().input("x", &nothing));
        assert_eq!(found.expect_err("no element is the least").code(), "empty-reduction", "{name}");
    }
}

/// What is folded away was asked for all the same, and no backend may find out by itself that its answer makes no difference.
#[test]
fn what_is_written_fails_whatever_it_is_folded_to() {
    let nothing: [f64; 0] = [];
    for (name, engine) in engines() {
        for text in ["where(False, min(x), 1.0) + 2 * x", "max(x) if s < s else 1.0", "argmin(x) * 0", "min(x), x"] {
            let kernel = engine.compile(text).expect("a formula");
            let takes_s = kernel.params().iter().any(|param| param.name() == "s");
            let args = || Args::new().input("x", &nothing);
            let found = if takes_s { kernel.eval(args().scalar("s", 1.0)) } else { kernel.eval(args()) };
            assert_eq!(found.expect_err("no element is the least").code(), "empty-reduction", "{text}, {name}");
        }
        let text = "where(False, min(x), 1.0) + 2 * x";
        let bound = engine.compile(text).expect("a formula").bind(&Schema::new().array("x", DType::F64, 1));
        let bound = bound.expect("one signature");
        let found = bound.run(&[View::new(&nothing)], &mut [ViewMut::new(&mut [0.0; 0])]);
        assert_eq!(found.expect_err("no element is the least").code(), "empty-reduction", "{text}, bound, {name}");
        let mut out = [0.0; 3];
        bound.run(&[View::new(&[1.0, 2.0, 3.0])], &mut [ViewMut::new(&mut out)]).expect("a run");
        assert_eq!(out, [3.0, 5.0, 7.0], "{text}, bound, {name}");
        let text = "where(False, min(x, initial=0.0), 1.0) + 2 * x";
        let found = engine.compile(text).expect("a formula").eval(Args::new().input("x", &nothing)).expect("a run");
        assert_eq!(found.into_vec::<f64>().expect("one output"), nothing, "{text}, {name}");
    }
}

#[test]
fn passes_are_as_few_as_what_waits_for_what_allows() {
    let engine = Engine::new().expect("an engine");
    let passes = |text: &str, rank: usize| {
        let schema = Schema::new().array("x", DType::F64, rank).array("y", DType::F64, rank);
        engine.compile(text).expect("a formula").strip(&schema).expect("passes").matches("for each group:").count()
    };
    assert_eq!(passes("(x - mean(x)) / std(x)", 1), 3);
    assert_eq!(passes("e = exp(x - max(x, axis=1, keepdims=True)); e / sum(e, axis=1, keepdims=True)", 2), 3);
    assert_eq!(passes("sum(x), sum(x * x), min(x), max(x), dot(x, y), norm(y - x)", 1), 2);
    assert_eq!(passes("y = x + 1; y, sum(y), count_nonzero(y > 2)", 1), 1);
}

#[test]
fn rows_that_ask_for_no_others_go_tile_by_tile() {
    // Several tiles, of which the last is shorter; in place, with rows backwards, and where the input is asked for again.
    let (rows, columns) = (1003, 128);
    let x: Vec<f64> = (0..rows * columns).map(|i| pattern(i as u64).sin()).collect();
    let softmax = "e = exp(x - max(x, axis=1, keepdims=True)); e / sum(e, axis=1, keepdims=True)";
    let texts = [softmax, &format!("{softmax} + x"), "(x - mean(x, axis=1, keepdims=True)) * index(0)"];
    let one = Engine::builder().backend(Backend::Interpreter).threads(1).build().expect("an engine");
    for text in texts {
        let view = || View::new(&x).shape([rows, columns]).step(0, -1);
        let expected = one.compile(text).expect("a formula").eval(Args::new().input("x", view())).expect("a run");
        let expected = expected.into_vec::<f64>().expect("one output");
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
        for (threads, backend) in [(1, Backend::Auto), (3, Backend::Auto), (2, Backend::Cranelift)] {
            let engine = Engine::builder().threads(threads).backend(backend).build().expect("an engine");
            let kernel = engine.compile(text).expect("a formula");
            let found = kernel.eval(Args::new().input("x", view())).expect("a run").into_vec::<f64>();
            assert_eq!(bits(&found.expect("one output")), bits(&expected), "{text}");
            let mut place: Vec<f64> = x.clone();
            let turned = ViewMut::new(&mut place).shape([rows, columns]).step(0, -1);
            kernel.run(Args::new().inout("x", turned)).expect("a run");
            for (row, expected) in place.chunks(columns).rev().zip(expected.chunks(columns)) {
                assert_eq!(bits(row), bits(expected), "{text} in place");
            }
        }
    }
}

#[test]
fn domains_larger_than_any_memory_are_refused() {
    let engine = Engine::builder().memory_limit(1 << 20).build().expect("an engine");
    let x = vec![1.0; 1 << 20];
    let along = |axis: usize| {
        let mut shape = [1; 4];
        shape[axis] = x.len();
        View::new(&x).shape(shape)
    };
    for (text, names, code) in [
        ("sum(a * b * c * d)", "abcd", "shape-overflow"),
        ("sum(a * b * c)", "abc", "memory-limit"),
        ("sum(a * b, axis=1)", "ab", "memory-limit"),
        ("cumsum(a * b, axis=0)", "ab", "memory-limit"),
    ] {
        let names = (0..names.len()).map(|k| (&names[k..=k], along(k)));
        let args = names.fold(Args::new(), |args, (name, view)| args.input(name, view));
        assert_eq!(engine.compile(text).expect("a formula").eval(args).expect_err(text).code(), code, "{text}");
    }
    let cancel = numlift::Cancel::new();
    cancel.cancel();
    for text in ["sum(a)", "cumsum(a, axis=0)", "max(a, axis=1)"] {
        let kernel = engine.compile(text).expect("a formula");
        let error = kernel.eval(Args::new().input("a", View::new(&x[..9]).shape([3, 3])).cancel(&cancel));
        assert_eq!(error.expect_err("a cancelled run").code(), "cancelled", "{text}");
    }
}

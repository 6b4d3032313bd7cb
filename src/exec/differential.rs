//! Every executor against the interpreter, bit for bit, on graphs: each op on each dtype, and random programs.

use std::sync::Arc;

use super::pool::Pool;
use super::stop::Stop;
use super::{Budget, Input, Job, Layout, Machine, Program, Resources, run};
use crate::codegen;
use crate::codegen::code::CodeMemory;
use crate::codegen::x64::Width;
use crate::codegen::{Isa, cranelift, x64};
use crate::dtype::DType;
use crate::interp::{self, Element, Interp};
use crate::ir::{Builder, Graph, Op, Output, Param, Rank, Rule, Value};
use crate::passes;
use crate::stage::{Cut, Stage};
use crate::strip::{self, Source, vectorise};
use crate::target::Target;
use crate::view::{View, ViewMut};

/// A generator of bits: Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Bits of a value of `dtype`, often one at which something changes.
    fn bits(&mut self, dtype: DType) -> u64 {
        let ones = u64::MAX >> (64 - dtype.bits());
        let kind = self.below(4);
        match dtype {
            DType::Bool => self.next() & 1,
            DType::F64 if kind == 0 => FLOATS[self.below(FLOATS.len())].to_bits(),
            DType::F32 if kind == 0 => u64::from((FLOATS[self.below(FLOATS.len())] as f32).to_bits()),
            DType::F64 if kind < 3 => ((self.next() as i32 as f64) * 2.0_f64.powi(-(self.below(40) as i32))).to_bits(),
            DType::F32 if kind < 3 => {
                u64::from(((self.next() as i16 as f32) * 2.0_f32.powi(-(self.below(20) as i32))).to_bits())
            }
            DType::F32 | DType::F64 => self.next() & ones,
            _ if kind == 0 => {
                [0, 1, 2, ones, ones - 1, ones >> 1, (ones >> 1) + 1, 1 << (dtype.bits() / 2)][self.below(8)]
            }
            _ if kind == 1 => (self.next() as i8 as i64 as u64) & ones,
            _ => (self.next() >> self.below(64)) & ones,
        }
    }
}

const FLOATS: [f64; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -3.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    1e-40,
    f64::MAX,
    f64::MIN,
    4503599627370496.5,
    9007199254740993.0,
    9223372036854775808.0,
    18446744073709551616.0,
    2147483648.0,
    0.49999999999999994,
];

/// Arrays of bits for each parameter, as bytes.
fn array(random: &mut Random, dtype: DType, len: usize) -> Vec<u8> {
    (0..len).flat_map(|_| random.bits(dtype).to_le_bytes()[..dtype.size()].to_vec()).collect()
}

fn element(bytes: &[u8], dtype: DType, k: usize) -> u64 {
    let mut bits = [0; 8];
    bits[..dtype.size()].copy_from_slice(&bytes[k * dtype.size()..][..dtype.size()]);
    u64::from_le_bytes(bits)
}

/// Equal bits, or both NaN.
fn same(a: u64, b: u64, dtype: DType) -> bool {
    let is_nan = |bits: u64| match dtype {
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        DType::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    };
    a == b || (is_nan(a) && is_nan(b))
}

struct Case {
    graph: Graph,
    len: usize,
    /// One element for a scalar.
    params: Vec<Vec<u8>>,
    expected: Vec<Vec<u64>>,
}

impl Case {
    fn new(graph: Graph, len: usize, random: &mut Random) -> Case {
        let params: Vec<Vec<u8>> = graph
            .params
            .iter()
            .map(|param| array(random, param.dtype, if param.rank == Rank::Array { len } else { 1 }))
            .collect();
        let interp = Interp::new(&graph);
        let (mut scratch, mut bits) = (interp.scratch(), vec![0; graph.outputs.len()]);
        let mut expected = vec![Vec::new(); graph.outputs.len()];
        for k in 0..len {
            let elements: Vec<u64> = graph
                .params
                .iter()
                .zip(&params)
                .map(|(param, bytes)| element(bytes, param.dtype, if param.rank == Rank::Array { k } else { 0 }))
                .collect();
            let sizes = vec![len as i64; graph.sizes.len()];
            interp.element(
                &Element { params: &elements, index: &[k as i64], sizes: &sizes, gather: &interp::nothing },
                &mut scratch,
                &mut bits,
            );
            expected.iter_mut().zip(&bits).for_each(|(all, bits)| all.push(*bits));
        }
        Case { graph, len, params, expected }
    }

    fn check(&self, found: &[Vec<u8>], who: &str) {
        for ((output, expected), found) in self.graph.outputs.iter().zip(&self.expected).zip(found) {
            let dtype = self.graph.dtype(output.value);
            for (k, expected) in expected.iter().enumerate() {
                let bits = element(found, dtype, k);
                if !same(bits, *expected, dtype) {
                    let operands: Vec<String> = self
                        .graph
                        .params
                        .iter()
                        .zip(&self.params)
                        .map(|(param, bytes)| {
                            let k = if param.rank == Rank::Array { k } else { 0 };
                            format!("{} = {:#x}", param.name, element(bytes, param.dtype, k))
                        })
                        .collect();
                    panic!(
                        "{who}: element {k} of {}: {dtype} is {bits:#x}, the interpreter says {expected:#x}\n{}\n{}",
                        self.len,
                        operands.join("\n"),
                        self.graph
                    );
                }
            }
        }
    }

    fn stage_for(&self, target: &Target) -> Stage {
        let graph = passes::run(self.graph.clone(), target);
        let groups = vec![0; graph.outputs.len()];
        Cut::new(&graph, &groups).finish(graph).stages.remove(0)
    }

    /// The strip made for `target`, evaluated.
    fn evaluate(&self, target: &Target) {
        let strip = vectorise(&self.stage_for(target), target);
        let padded = self.len.next_multiple_of(strip.group);
        let (inputs, scalars) = (&strip.inputs, &strip.scalars);
        let mut arrays: Vec<Vec<u8>> = inputs
            .iter()
            .map(|(source, dtype)| match source {
                Source::Param(param) => {
                    let mut bytes = self.params[*param as usize].clone();
                    let last = bytes[bytes.len() - dtype.size()..].to_vec();
                    (self.len..padded).for_each(|_| bytes.extend_from_slice(&last));
                    bytes
                }
                Source::Index(_) => (0..padded as i64).flat_map(i64::to_le_bytes).collect(),
                Source::Size(_) => panic!("a size is a scalar"),
            })
            .collect();
        arrays.extend(strip.outputs.iter().map(|dtype| vec![0; padded * dtype.size()]));
        let scalars: Vec<u64> = scalars
            .iter()
            .map(|(source, dtype)| match source {
                Source::Param(param) => element(&self.params[*param as usize], *dtype, 0),
                Source::Size(_) => self.len as u64,
                Source::Index(_) => panic!("an index is an array"),
            })
            .collect();
        let groups = padded / strip.group;
        strip.evaluate(&mut strip::Call { groups, arrays: &mut arrays, scalars: &scalars });
        self.check(&arrays[inputs.len()..], &format!("{target:?}"));
    }

    fn run(&self, program: &Program, pool: &Pool, chunk: usize, who: &str) {
        let shape: &[usize] = if self.len == 1 { &[] } else { &[self.len] };
        // Nothing is aligned: bytes begin one behind where they might.
        let shifted: Vec<Vec<u8>> = self.params.iter().map(|bytes| [&[0], bytes.as_slice()].concat()).collect();
        let views: Vec<View<'_>> = self
            .graph
            .params
            .iter()
            .zip(&shifted)
            .map(|(param, bytes)| {
                let shape = if param.rank == Rank::Array { shape } else { &[] };
                let strides: Vec<isize> = shape.iter().map(|_| param.dtype.size() as isize).collect();
                View::from_bytes(param.dtype, &bytes[1..], shape, &strides).expect("bytes of the array")
            })
            .collect();
        let inputs: Vec<Input<'_>> = self
            .graph
            .params
            .iter()
            .zip(&views)
            .zip(&self.params)
            .map(|((param, view), bytes)| match param.rank {
                Rank::Array => Input::Array(view),
                Rank::Scalar => Input::Scalar(element(bytes, param.dtype, 0)),
            })
            .collect();
        let dtypes: Vec<DType> = self.graph.outputs.iter().map(|output| self.graph.dtype(output.value)).collect();
        // But elements may lie right in some runs: then code writes past the caches itself.
        let before = |dtype: DType| if chunk.is_multiple_of(2) { dtype.size() } else { 1 };
        let bytes = |dtype: &DType| vec![0xee; self.len * dtype.size() + before(*dtype)];
        let mut found: Vec<Vec<u8>> = dtypes.iter().map(bytes).collect();
        let mut outputs: Vec<ViewMut<'_>> = found
            .iter_mut()
            .zip(&dtypes)
            .map(|(bytes, dtype)| {
                let strides: Vec<isize> = shape.iter().map(|_| dtype.size() as isize).collect();
                ViewMut::from_bytes(*dtype, &mut bytes[before(*dtype)..], shape, &strides).expect("bytes of the array")
            })
            .collect();
        let sizes = vec![self.len as i64; self.graph.sizes.len()];
        let job = Job { inputs: &inputs, outputs: &mut outputs, sizes: &sizes, neighbours: &[] };
        let stop = Stop::new(None, None, None);
        // So small a cache that the longer arrays are streamed.
        run(program, job, &Resources { pool, chunk, cache: 256, stop: &stop, budget: Budget::NONE })
            .expect("a run that nobody stops");
        let found: Vec<Vec<u8>> =
            found.iter().zip(&dtypes).map(|(bytes, dtype)| bytes[before(*dtype)..].to_vec()).collect();
        self.check(&found, who);
    }
}

struct Executors {
    isas: Vec<(&'static str, Isa)>,
    other: cranelift::Isa,
    memory: Arc<CodeMemory>,
    pools: Vec<Pool>,
}

impl Executors {
    fn new() -> Executors {
        let host = cranelift::Isa::host().expect("a host that Cranelift knows");
        let mut isas = vec![("Cranelift", Isa::Cranelift(host))];
        if cfg!(target_arch = "x86_64") {
            isas.push(("x86-64 without SSE4.1 and FMA", Isa::Cranelift(cranelift::Isa::baseline("x86_64"))));
        }
        for (name, width) in [("x64", Width::Bits256), ("AVX-512", Width::Bits512)] {
            isas.extend(x64::Isa::host(width).ok().map(|isa| (name, Isa::X64(isa))));
        }
        let memory = CodeMemory::new(64 << 20).expect("executable memory");
        let pools = [1, 3].map(|threads| Pool::own(threads).expect("threads")).into();
        Executors { isas, other: cranelift::Isa::baseline("aarch64"), memory, pools }
    }

    /// Runs the graph everywhere, at lengths around the group's and the strip's.
    fn check(&self, graph: &Graph, random: &mut Random, all: bool) {
        let case = Case::new(graph.clone(), 0, random);
        let strip_for = |target: &Target| vectorise(&case.stage_for(target), target);
        cranelift::compile(&strip_for(&Target::VECTOR_128), &self.other);
        let mut groups = Vec::new();
        let natives: Vec<(&str, Program)> = self
            .isas
            .iter()
            .map(|(name, isa)| {
                let strip = strip_for(&isa.target());
                groups.push(strip.group);
                let native = codegen::compile(&strip, isa, &self.memory).expect("room for code");
                (
                    *name,
                    Program::new(
                        Layout::of_strip(&strip, &case.stage_for(&isa.target()).graph),
                        Machine::Native(native),
                        None,
                    ),
                )
            })
            .collect();
        let interpreter = Program::new(Layout::of_graph(graph), Machine::Interpreter(Interp::new(graph)), None);
        groups.sort_unstable();
        groups.dedup();
        let around = |g: &usize| if all { vec![g - 1, *g, g + 1] } else { vec![3 * g + 1] };
        let mut lens: Vec<usize> = groups.iter().flat_map(around).collect();
        lens.extend(if all { &[0, 1, 2047, 2049][..] } else { &[1, 600] });
        for len in lens {
            let case = Case::new(graph.clone(), len, random);
            for pool in &self.pools {
                for chunk in [1, 7, 16 * 1024] {
                    if chunk < 1000 && len > 600 || !all && chunk == 1 {
                        continue;
                    }
                    for (name, native) in &natives {
                        case.run(native, pool, chunk, name);
                    }
                    if chunk == 7 {
                        case.run(&interpreter, pool, chunk, "interpreter");
                    }
                }
            }
            if len > 0 {
                let few = Target { registers: 8, ..Target::VECTOR_128 };
                for target in [few, Target::VECTOR_128, Target::VECTOR_256, Target::VECTOR_512] {
                    case.evaluate(&target);
                }
            }
        }
    }
}

/// `op` on parameters of `dtype`; with `scalar` the last one is the same for all elements.
fn graph_of(op: Op, dtype: DType, scalar: bool) -> Graph {
    let dtypes = |k: usize| if op.rule() == Rule::Choose && k == 0 { DType::Bool } else { dtype };
    let param = |k: usize| Param {
        name: format!("x{k}").into(),
        dtype: dtypes(k),
        rank: if scalar && k + 1 == op.arity() { Rank::Scalar } else { Rank::Array },
    };
    let mut b = Builder::new((0..op.arity()).map(param).collect());
    let params: Vec<Value> = (0..op.arity()).map(|k| b.param(k)).collect();
    let value = b.apply(op, &params);
    b.finish(vec![Output { name: "0".into(), value }])
}

#[test]
fn every_op_on_every_dtype() {
    let (executors, mut random) = (Executors::new(), Random(1));
    for &op in Op::ALL {
        for dtype in DType::ALL.into_iter().filter(|dtype| op.takes(*dtype)) {
            for scalar in [false, true] {
                executors.check(&graph_of(op, dtype, scalar), &mut random, !scalar);
            }
        }
    }
}

#[test]
fn every_cast() {
    let (executors, mut random) = (Executors::new(), Random(2));
    for from in DType::ALL {
        for to in DType::ALL.into_iter().filter(|to| *to != from) {
            for rank in [Rank::Array, Rank::Scalar] {
                let mut b = Builder::new(vec![Param { name: "x".into(), dtype: from, rank }]);
                let x = b.param(0);
                let value = b.cast(x, to);
                executors.check(&b.finish(vec![Output { name: "0".into(), value }]), &mut random, rank == Rank::Array);
            }
        }
    }
}

/// A program of a few dozen values of all dtypes over a few parameters, with several outputs.
fn random_graph(random: &mut Random) -> Graph {
    let params: Vec<Param> = (0..1 + random.below(5))
        .map(|k| Param {
            name: format!("x{k}").into(),
            dtype: DType::ALL[random.below(11)],
            rank: if random.below(4) == 0 { Rank::Scalar } else { Rank::Array },
        })
        .collect();
    let count = params.len();
    let mut b = Builder::new(params);
    let mut values: Vec<Value> = (0..count).map(|k| b.param(k)).collect();
    for _ in 0..3 + random.below(25) {
        let value = random_value(&mut b, &values, random, 0);
        values.push(value);
    }
    let outputs = 1 + random.below(3);
    let chosen = values.iter().rev().take(outputs).enumerate();
    let outputs = chosen.map(|(k, value)| Output { name: format!("{k}").into(), value: *value }).collect();
    b.finish(outputs)
}

fn random_value(b: &mut Builder, values: &[Value], random: &mut Random, depth: usize) -> Value {
    let pick = |random: &mut Random| values[random.below(values.len())];
    match random.below(12) {
        0 => {
            let dtype = DType::ALL[random.below(11)];
            let bits = random.bits(dtype);
            b.constant(dtype, bits)
        }
        1 | 2 => {
            let x = pick(random);
            b.cast(x, DType::ALL[random.below(11)])
        }
        3 if depth < 2 => {
            let (x, condition) = (pick(random), pick(random));
            let condition = b.cast(condition, DType::Bool);
            let parts = b.when(condition, &[x], |b| {
                let mut inner = values.to_vec();
                for _ in 0..3 {
                    let value = random_value(b, &inner, random, depth + 1);
                    inner.push(value);
                }
                let (dtype, last) = (b.dtype(x), inner[inner.len() - 1]);
                vec![b.cast(last, dtype)]
            });
            parts[0]
        }
        4 if depth < 2 => {
            // Doubles and counts until a limit, which some element sets.
            let (x, limit) = (pick(random), pick(random));
            let limit = b.cast(limit, DType::U8);
            let zero = b.element(0_u8);
            let dtype = b.dtype(x);
            let parts = b.repeat(&[x, zero], |b, carried| {
                let mixed = random_value(b, &[values, carried].concat(), random, depth + 1);
                let next = b.cast(mixed, dtype);
                let (three, seven) = (b.element(3_u8), b.element(7_u8));
                let count = b.add(carried[1], three);
                let small = b.and(limit, seven);
                let again = b.lt(count, small);
                (again, vec![next, count])
            });
            parts[random.below(2)]
        }
        _ => {
            let dtype = {
                let x = pick(random);
                b.dtype(x)
            };
            let fitting: Vec<Op> = Op::ALL.iter().copied().filter(|op| op.takes(dtype)).collect();
            let op = fitting[random.below(fitting.len())];
            let operands: Vec<Value> = (0..op.arity())
                .map(|k| {
                    let x = pick(random);
                    b.cast(x, if op.rule() == Rule::Choose && k == 0 { DType::Bool } else { dtype })
                })
                .collect();
            b.apply(op, &operands)
        }
    }
}

#[test]
fn random_programs() {
    let (executors, mut random) = (Executors::new(), Random(3));
    let cases = std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    for _ in 0..cases {
        let graph = random_graph(&mut random);
        graph.verify();
        executors.check(&graph, &mut random, false);
    }
}

#[test]
fn a_region_for_all_inside_one_for_some() {
    let (executors, mut random) = (Executors::new(), Random(4));
    let param = |name: &str, dtype, rank| Param { name: name.into(), dtype, rank };
    let mut b = Builder::new(vec![param("x", DType::F64, Rank::Array), param("k", DType::I32, Rank::Scalar)]);
    let (x, k, seven) = (b.param(0), b.param(1), b.element(7_i32));
    let some = b.cast(x, DType::Bool);
    let parts = b.when(some, &[k], |b| {
        let all = b.cast(k, DType::Bool);
        let inner = b.when(all, &[k], |_| vec![seven]);
        let zero = b.element(0_i32);
        b.repeat(&[inner[0], zero], |b, carried| {
            let (one, three) = (b.element(1_i32), b.element(3_i32));
            let count = b.add(carried[1], one);
            let next = b.mul(carried[0], three);
            (b.lt(count, three), vec![next, count])
        })[..1]
            .to_vec()
    });
    let sum = b.cast(parts[0], DType::F64);
    let sum = b.add(sum, x);
    let graph = b.finish(vec![Output { name: "0".into(), value: sum }]);
    executors.check(&graph, &mut random, true);
}

#[test]
fn more_values_than_a_page_of_the_stack_holds() {
    let (executors, mut random) = (Executors::new(), Random(5));
    let mut b = Builder::new(vec![Param { name: "x".into(), dtype: DType::F64, rank: Rank::Array }]);
    let x = b.param(0);
    let products: Vec<Value> = (0..400)
        .map(|k| {
            let factor = b.f64(f64::from(k) + 0.5);
            b.mul(x, factor)
        })
        .collect();
    let sum = products.iter().copied().reduce(|x, y| b.add(x, y)).expect("there are products");
    let value = products.iter().rev().fold(sum, |x, y| b.sub(x, *y));
    let graph = b.finish(vec![Output { name: "0".into(), value }]);
    executors.check(&graph, &mut random, false);
}

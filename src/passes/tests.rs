//! Passes on graphs written as text, and the pipeline against the interpreter.

use super::*;
use crate::dtype::{DType, Element as _};
use crate::interp::{self, Element, Interp};
use crate::ir::parse::parse;
use crate::ir::{Builder, Op, Output, Param, Rank, Rule, Value};

fn pass(name: &str, text: &str) -> String {
    let (_, pass) = PIPELINE.iter().find(|(known, _)| *known == name).expect("a pass of that name");
    let graph = parse(text);
    graph.verify();
    let graph = pass(graph, &Target::VECTOR_128);
    graph.verify();
    graph.to_string()
}

/// Lines without the spaces that indent them here.
fn text(lines: &str) -> String {
    let lines = lines.trim_start_matches('\n').trim_end();
    let indent = lines.len() - lines.trim_start().len();
    lines.lines().map(|line| format!("{}\n", line.get(indent..).unwrap_or(""))).collect()
}

const TWO_LOOPS: &str = "
    param 0 `x`: f64[]
    param 1 `n`: i32
    table 0: f64 = 1.0, -0.0, inf, NaN, 1e-320
    domain 0 = param 0, param 1
    domain 1 = domain 0 without axes 0 kept
    size 0 = domain 0 axes 0
    reduction 0 = sum of domain 0 axes 0 kept
    v0: f64 = param 0
    v1: bool = gt v0, v0
    v10 = when v1 else v0, v0 {
      v2: f64 = sqrt v0
      v8 = repeat v2, v0 {
        v3: f64 = carried 0
        v4: f64 = carried 1
        v5: f64 = add v3, v4
        v6: bool = lt v5, v0
        yield v6, v5, v4
      }
      v9: f64 = part v8 0
      v11: f64 = part v8 1
      yield v9, v2
    }
    v12: f64 = part v10 0
    v13: f64 = part v10 1
    v24 = when v1 else v0, v0 {
      v14: f64 = sqrt v0
      v21 = repeat v14, v0 {
        v15: f64 = carried 0
        v16: f64 = carried 1
        v17: f64 = add v15, v16
        v18: bool = lt v17, v0
        yield v18, v17, v16
      }
      v22: f64 = part v21 0
      v23: f64 = part v21 1
      yield v22, v14
    }
    v25: f64 = part v24 0
    v26: f64 = part v24 1
    v27: f64 = add v12, v25
    v28: i64 = size 0
    v29: f64 = lookup 0 v28
    output `a` = v27
    output `b` = v29
";

#[test]
fn a_graph_reads_back_as_it_prints() {
    let graph = parse(&text(TWO_LOOPS));
    let printed = graph.to_string();
    let again = parse(&printed);
    assert_eq!(again, graph);
    assert_eq!(again.to_string(), printed);
}

#[test]
fn equal_regions_are_one() {
    let shared = pass("dead", &pass("share", &text(TWO_LOOPS)));
    assert_eq!(shared.matches("when").count(), 1, "{shared}");
    assert_eq!(shared.matches("repeat").count(), 1, "{shared}");
    assert_eq!(shared.matches("part").count(), 3, "the second results are dropped but for the carried one: {shared}");
}

/// What `names` in turn make of a graph whose one output is the last value of `body`.
fn passed(names: &[&str], params: &str, body: &str) -> String {
    let mut program = text(params);
    program.push_str(&text(body));
    let last = program.lines().last().and_then(|line| line.split(':').next()).expect("a value").to_owned();
    program.push_str(&format!("output `y` = {last}\n"));
    let program = names.iter().fold(program, |program, name| pass(name, &program));
    program.lines().filter(|line| !line.starts_with("param")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn constants_fold_as_the_dtype_rounds() {
    let body = "
    v0: f32 = 0.1
    v1: f32 = 0.2
    v2: f32 = add v0, v1
    v3: f64 = cast v2
    ";
    assert_eq!(passed(&["fold", "dead"], "", body), "v0: f64 = 0.30000001192092896\noutput `y` = v0\n");
}

#[test]
fn a_region_of_constant_condition_goes() {
    let params = "param 0 `x`: f64[]";
    let region = "
    v0: f64 = param 0
    v1: f64 = 1.0
    v2: bool = lt v1, CONSTANT
    v5 = when v2 else v0 {
      v4: f64 = sqrt v0
      yield v4
    }
    v6: f64 = part v5 0
    ";
    let never = passed(&["fold", "dead"], params, &region.replace("CONSTANT", "v1"));
    assert_eq!(never, "v0: f64 = param 0\noutput `y` = v0\n");
    let always = region.replace("1.0", "1.0\n    v9: f64 = 2.0").replace("CONSTANT", "v9");
    let always = passed(&["fold", "dead"], params, &always);
    assert_eq!(always, "v0: f64 = param 0\nv1: f64 = sqrt v0\noutput `y` = v1\n");
}

/// Simplifies `op` of x and the constant.
fn beside(dtype: &str, op: &str, constant: &str) -> String {
    let params = format!("param 0 `x`: {dtype}[]");
    let body = format!("\n    v0: {dtype} = param 0\n    v1: {dtype} = {constant}\n    v2: {dtype} = {op}\n    ");
    let simple = passed(&["simplify", "dead"], &params, &body);
    let lines: Vec<&str> = simple.lines().collect();
    match lines[..] {
        [_, "output `y` = v0"] => "x".to_owned(),
        [_, "output `y` = v1"] => lines[0].split(" = ").nth(1).expect("a value").to_owned(),
        _ => {
            let [.., constant, value, _] = lines[..] else { panic!("{simple}") };
            let of = |line: &str| line.split(" = ").nth(1).expect("a value").to_owned();
            of(value).replace("v0", "x").replace("v1", &of(constant))
        }
    }
}

#[test]
fn simpler_ops_have_the_same_bits() {
    let cases = [
        ("f64", "mul v1, v0", "1.0", "x"),
        ("f64", "sub v0, v1", "0.0", "x"),
        ("f64", "sub v0, v1", "-0.0", "sub x, -0.0"),
        ("f64", "add v0, v1", "-0.0", "x"),
        ("f64", "add v0, v1", "0.0", "add x, 0.0"),
        ("f64", "mul v0, v1", "0.0", "mul x, 0.0"),
        ("f64", "div v0, v1", "8.0", "mul x, 0.125"),
        ("f64", "div v0, v1", "3.0", "div x, 3.0"),
        ("f32", "div v0, v1", "-0.25", "mul x, -4.0"),
        ("f64", "div v0, v1", "8.98846567431158e307", "div x, 8.98846567431158e307"),
        ("f64", "add v1, v0", "2.5", "add x, 2.5"),
        ("i32", "mul v1, v0", "16", "shl x, 4"),
        ("i8", "mul v0, v1", "16", "mul x, 16"),
        ("i64", "add v0, v1", "0", "x"),
        ("u8", "and v0, v1", "255", "x"),
        ("u8", "xor v0, v1", "255", "not x"),
    ];
    for (dtype, op, constant, expected) in cases {
        let found = beside(dtype, op, constant);
        let found = if found.starts_with("not") { "not x".to_owned() } else { found };
        assert_eq!(found, expected, "{op} of {dtype}, v1 = {constant}");
    }
}

#[test]
fn zeros_of_both_signs_are_two_values() {
    let body = "
    v0: f64 = 0.0
    v1: f64 = -0.0
    v2: f64 = param 0
    v3: f64 = param 0
    v4: f64 = add v2, v0
    v5: f64 = add v1, v3
    v6: f64 = add v0, v3
    v7: f64 = mul v4, v5
    v8: f64 = mul v7, v6
    ";
    let shared = passed(&["share", "dead"], "param 0 `x`: f64[]", body);
    assert_eq!(shared.matches("param").count(), 1, "{shared}");
    assert_eq!(shared.matches("add").count(), 2, "{shared}");
}

/// A program before the pipeline and after it, to be run side by side.
struct Twin {
    what: String,
    params: Vec<DType>,
    result: DType,
    runs: [(Interp, Vec<u64>); 2],
}

impl Twin {
    /// `build` makes the result from the parameters.
    fn new(what: String, params: &[DType], build: impl FnOnce(&mut Builder, &[Value]) -> Value) -> Twin {
        let names = params.iter().map(|dtype| Param { name: "x".into(), dtype: *dtype, rank: Rank::Array });
        let mut b = Builder::new(names.collect());
        let operands: Vec<Value> = (0..params.len()).map(|k| b.param(k)).collect();
        let value = build(&mut b, &operands);
        let result = b.dtype(value);
        let graph = b.finish(vec![Output { name: "y".into(), value }]);
        graph.verify();
        let before = Interp::new(&graph);
        let after = Interp::new(&run(graph, &Target::VECTOR_128));
        let runs = [before, after].map(|interp| {
            let scratch = interp.scratch();
            (interp, scratch)
        });
        Twin { what, params: params.to_vec(), result, runs }
    }

    fn op(op: Op, params: &[DType]) -> Twin {
        Twin::new(format!("{} of {params:?}", op.name()), params, |b, operands| b.apply(op, operands))
    }

    fn check(&mut self, params: &[u64]) {
        let results = self.runs.each_mut().map(|(interp, scratch)| {
            let mut result = [0];
            interp.element(&Element { params, index: &[], sizes: &[], gather: &interp::nothing }, scratch, &mut result);
            result[0]
        });
        let [expected, found] = results;
        let shown = |bits, dtype| crate::ir::print::constant(bits, dtype);
        if expected != found && !(is_nan(expected, self.result) && is_nan(found, self.result)) {
            let params: Vec<String> = params.iter().zip(&self.params).map(|(x, dtype)| shown(*x, *dtype)).collect();
            let (expected, found) = (shown(expected, self.result), shown(found, self.result));
            panic!("{} at {params:?}: {expected} expected, {found} found", self.what);
        }
    }

    /// On every combination of edge values of the first two operands, and on `count` at random.
    fn check_all(&mut self, random: &mut Random, count: usize) {
        let edges: Vec<Vec<u64>> = self.params.iter().map(|dtype| edges(*dtype)).collect();
        for (j, x) in edges[0].iter().enumerate() {
            for (k, y) in edges.get(1).map_or(&[0][..], Vec::as_slice).iter().enumerate() {
                let z = edges.get(2).map_or(0, |edges| edges[(j + k) % edges.len()]);
                self.check(&[*x, *y, z][..self.params.len()]);
            }
        }
        for _ in 0..count {
            let params: Vec<u64> = self.params.iter().map(|dtype| random.bits(*dtype)).collect();
            self.check(&params);
        }
    }
}

fn is_nan(bits: u64, dtype: DType) -> bool {
    match dtype {
        DType::F32 => f32::from_bits64(bits).is_nan(),
        DType::F64 => f64::from_bits64(bits).is_nan(),
        _ => false,
    }
}

fn mask(dtype: DType) -> u64 {
    if dtype == DType::Bool { 1 } else { u64::MAX >> (64 - dtype.bits()) }
}

fn edges(dtype: DType) -> Vec<u64> {
    let floats = [
        0.0,
        0.3,
        0.5,
        0.499_999_999_999_999_94,
        0.499_999_97,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        7.0,
        127.5,
        128.0,
        255.5,
        256.0,
        32767.5,
        65535.9,
        65536.0,
        8_388_609.0,
        2_147_483_647.5,
        2_147_483_648.0,
        4_294_967_295.9,
        4_294_967_296.0,
        4_503_599_627_370_497.5,
        9_007_199_254_740_993.0,
        9_223_372_036_854_774_784.0,
        9_223_372_036_854_775_808.0,
        18_446_744_073_709_549_568.0,
        18_446_744_073_709_551_616.0,
        1e30,
        3e38,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        f64::MIN_POSITIVE,
        5e-324,
        1e-310,
        1e-45,
        1e-38,
        1e-40,
    ];
    match dtype {
        DType::F32 => floats.iter().flat_map(|x| [*x as f32, -*x as f32]).map(|x| x.to_bits64()).collect(),
        DType::F64 => floats.iter().flat_map(|x| [*x, -*x]).map(|x| x.to_bits64()).collect(),
        _ => {
            let near =
                [0, 1, 2, 3, 7, 8, 10, 31, 32, 63, 64, 100, 127, 128, 255, 641, 0x7fff, 0x8000, 0xffff, 0x1_0000];
            let wide = [
                0x7fff_ffff,
                0x8000_0000,
                0xffff_ffff,
                0x1_0000_0000,
                (1 << 53) + 1,
                1 << 62,
                u64::MAX >> 1,
                1 << 63,
                (1 << 51) - 1,
                1 << 51,
                (1 << 51) + 1,
                (1 << 52) - 1,
                1 << 52,
            ];
            let mut all: Vec<u64> = near.iter().chain(&wide).flat_map(|x| [*x, x.wrapping_neg()]).collect();
            all.iter_mut().for_each(|x| *x &= mask(dtype));
            all.sort_unstable();
            all.dedup();
            all
        }
    }
}

/// Marsaglia's xorshift; each kind of number turns up often.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bits(&mut self, dtype: DType) -> u64 {
        let (kind, x) = (self.next() % 8, self.next());
        let small = (x as i64) >> (32 + self.next() % 32);
        let bits = match (kind, dtype) {
            (0, _) => edges(dtype)[x as usize % edges(dtype).len()],
            (1, DType::F32) => (small as f32).to_bits64(),
            (1, DType::F64) => (small as f64).to_bits64(),
            (2, DType::F32) => (small as f32 / 8.0).to_bits64(),
            (2, DType::F64) => (small as f64 / 1024.0).to_bits64(),
            (3, DType::F32) => ((x as i64) as f32).to_bits64(),
            (3, DType::F64) => ((x as i64) as f64).to_bits64(),
            (4, DType::F32 | DType::F64) => x >> (self.next() % 32),
            (1 | 2, _) => small as u64,
            (3, _) => ((x as i64) >> (self.next() % 64)) as u64,
            _ => x,
        };
        bits & mask(dtype)
    }
}

/// More of them were run once; these are what a debug build has time for.
const COUNT: usize = 200;

#[test]
fn every_op_keeps_its_meaning_for_every_dtype() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for &op in Op::ALL {
        for dtype in DType::ALL {
            if !op.takes(dtype) || op.is_math(dtype) {
                continue;
            }
            let mut params = vec![dtype; op.arity()];
            if op.rule() == Rule::Choose {
                params[0] = DType::Bool;
            }
            Twin::op(op, &params).check_all(&mut random, COUNT);
        }
    }
}

#[test]
fn every_op_keeps_its_meaning_beside_a_constant() {
    let mut random = Random(7);
    for &op in Op::ALL.iter().filter(|op| op.arity() == 2) {
        for dtype in DType::ALL {
            if !op.takes(dtype) || op.is_math(dtype) {
                continue;
            }
            for constant in edges(dtype) {
                let what = format!(
                    "{} of {dtype} and the constant {}",
                    op.name(),
                    crate::ir::print::constant(constant, dtype)
                );
                let mut right = Twin::new(what.clone(), &[dtype], |b, x| {
                    let y = b.constant(dtype, constant);
                    b.apply(op, &[x[0], y])
                });
                right.check_all(&mut random, COUNT / 50);
                let mut left = Twin::new(what + ", that first", &[dtype], |b, x| {
                    let y = b.constant(dtype, constant);
                    b.apply(op, &[y, x[0]])
                });
                left.check_all(&mut random, COUNT / 50);
            }
        }
    }
}

#[test]
fn every_cast_keeps_its_meaning() {
    let mut random = Random(11);
    for from in DType::ALL {
        for to in DType::ALL.into_iter().filter(|to| *to != from) {
            let cast = |b: &mut Builder, x: &[Value]| b.cast(x[0], to);
            Twin::new(format!("cast {from} to {to}"), &[from], cast).check_all(&mut random, 4 * COUNT);
            let back = |b: &mut Builder, x: &[Value]| {
                let middle = b.cast(x[0], to);
                b.cast(middle, from)
            };
            Twin::new(format!("cast {from} to {to} and back"), &[from], back).check_all(&mut random, COUNT);
            if from.size() == to.size() {
                let bitcast = |b: &mut Builder, x: &[Value]| b.bitcast(x[0], to);
                Twin::new(format!("bitcast {from} to {to}"), &[from], bitcast).check_all(&mut random, COUNT);
            }
        }
    }
}

#[test]
fn every_chain_of_integer_casts_keeps_its_meaning() {
    let mut random = Random(13);
    for from in DType::ALL {
        for middle in DType::ALL {
            for to in DType::ALL {
                let chain = |b: &mut Builder, x: &[Value]| {
                    let middle = b.cast(x[0], middle);
                    b.cast(middle, to)
                };
                Twin::new(format!("cast {from} to {middle} to {to}"), &[from], chain)
                    .check_all(&mut random, COUNT / 20);
            }
        }
    }
}

#[test]
fn integers_divide_by_every_constant() {
    let mut random = Random(17);
    for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_int()) {
        let divisors: Vec<u64> = match dtype.size() {
            1 => (0..256).collect(),
            _ => (0..400).map(|k| if k < 100 { k } else { random.bits(dtype) }).collect(),
        };
        for divisor in divisors {
            for op in [Op::FloorDivide, Op::Remainder, Op::Fmod] {
                let what = format!("{} of {dtype} by {}", op.name(), crate::ir::print::constant(divisor, dtype));
                let mut twin = Twin::new(what, &[dtype], |b, x| {
                    let divisor = b.constant(dtype, divisor);
                    b.apply(op, &[x[0], divisor])
                });
                if dtype.size() == 1 {
                    (0..256).for_each(|x| twin.check(&[x]));
                    continue;
                }
                twin.check_all(&mut random, COUNT / 20);
                // Multiples and their neighbours are where a reciprocal fails.
                for _ in 0..COUNT / 20 {
                    let multiple = divisor.wrapping_mul(random.bits(dtype));
                    (0..3).for_each(|k| twin.check(&[multiple.wrapping_add(k).wrapping_sub(1) & mask(dtype)]));
                }
            }
        }
    }
}

#[test]
fn quotients_near_integers_are_right() {
    let mut random = Random(19);
    for dtype in DType::ALL.into_iter().filter(|dtype| *dtype != DType::Bool) {
        for op in [Op::FloorDivide, Op::Remainder, Op::Fmod] {
            let mut twin = Twin::op(op, &[dtype, dtype]);
            for _ in 0..COUNT {
                let (x, y) = (random.bits(dtype), random.bits(dtype));
                let product = crate::ir::apply(Op::Mul, dtype, &[x, y]);
                for near in [product.wrapping_sub(1), product, product.wrapping_add(1)] {
                    twin.check(&[near & mask(dtype), y]);
                    twin.check(&[near & mask(dtype), x]);
                }
            }
        }
    }
}

#[test]
fn float_remainders_are_right_at_every_distance() {
    let mut random = Random(23);
    for (dtype, exponents, digits) in [(DType::F32, 255, 23), (DType::F64, 2047, 52)] {
        for op in [Op::FloorDivide, Op::Remainder, Op::Fmod] {
            let mut twin = Twin::op(op, &[dtype, dtype]);
            for _ in 0..COUNT {
                let (sign, low) =
                    (random.next() & mask(dtype) & !(mask(dtype) >> 1), random.next() & ((1 << digits) - 1));
                let exponent = random.next() % (exponents + 1);
                let near = (exponent + random.next() % 120).saturating_sub(60).min(exponents);
                let far = random.next() % (exponents + 1);
                let y = sign | near << digits | random.next() & ((1 << digits) - 1);
                twin.check(&[exponent << digits | low, y]);
                twin.check(&[(exponent << digits | low) ^ sign, y]);
                twin.check(&[far << digits | low, y]);
                twin.check(&[far << digits | low, low >> (random.next() % 52)]);
            }
        }
    }
}

/// Values that a random program may use, those of open regions last.
struct Programmer<'a> {
    random: &'a mut Random,
    known: Vec<Value>,
}

impl Programmer<'_> {
    fn below(&mut self, n: usize) -> usize {
        (self.random.next() % n as u64) as usize
    }

    fn dtype(&mut self) -> DType {
        DType::ALL[self.below(DType::ALL.len())]
    }

    fn any(&mut self) -> Value {
        let k = self.below(self.known.len());
        self.known[k]
    }

    fn value(&mut self, b: &mut Builder, dtype: DType) -> Value {
        if self.below(5) == 0 {
            let bits = self.random.bits(dtype);
            return b.constant(dtype, bits);
        }
        for _ in 0..4 {
            let value = self.any();
            if b.dtype(value) == dtype {
                return value;
            }
        }
        let value = self.any();
        b.cast(value, dtype)
    }

    fn values(&mut self, b: &mut Builder, dtypes: &[DType]) -> Vec<Value> {
        dtypes.iter().map(|dtype| self.value(b, *dtype)).collect()
    }

    fn statements(&mut self, b: &mut Builder, count: usize, depth: usize) {
        for _ in 0..count {
            let dtype = self.dtype();
            match self.below(12) {
                0 if depth < 3 => {
                    let (dtypes, condition) = ([dtype, self.dtype()], self.value(b, DType::Bool));
                    let (otherwise, outside) = (self.values(b, &dtypes), self.known.len());
                    let parts = b.when(condition, &otherwise, |b| {
                        self.statements(b, 4, depth + 1);
                        self.values(b, &dtypes)
                    });
                    self.known.truncate(outside);
                    self.known.extend(parts);
                }
                1 if depth < 3 => {
                    let dtypes = [dtype, self.dtype()];
                    let (mut initial, outside) = (self.values(b, &dtypes), self.known.len());
                    initial.push(b.i64(0));
                    let parts = b.repeat(&initial, |b, carried| {
                        self.known.extend(carried);
                        self.statements(b, 4, depth + 1);
                        let (one, limit) = (b.i64(1), b.i64(3));
                        let turns = b.add(carried[2], one);
                        let mut next = self.values(b, &dtypes);
                        next.push(turns);
                        let (early, more) = (self.value(b, DType::Bool), b.lt(turns, limit));
                        (b.and(early, more), next)
                    });
                    self.known.truncate(outside);
                    self.known.extend(parts);
                }
                _ => {
                    let k = self.below(Op::ALL.len());
                    let op = Op::ALL[k];
                    if !op.takes(dtype) || op.is_math(dtype) {
                        continue;
                    }
                    let mut dtypes = vec![dtype; op.arity()];
                    if op.rule() == Rule::Choose {
                        dtypes[0] = DType::Bool;
                    }
                    let operands = self.values(b, &dtypes);
                    self.known.push(b.apply(op, &operands));
                }
            }
        }
    }
}

#[test]
fn random_programs_keep_their_meaning() {
    for seed in 1..COUNT as u64 / 2 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let params: Vec<DType> = (0..4).map(|_| DType::ALL[random.next() as usize % DType::ALL.len()]).collect();
        let mut twin = Twin::new(format!("program {seed}"), &params, |b, params| {
            let mut programmer = Programmer { random: &mut random, known: params.to_vec() };
            programmer.statements(b, 25, 0);
            *programmer.known.last().expect("a program has parameters")
        });
        for _ in 0..20 {
            let params: Vec<u64> = params.iter().map(|dtype| random.bits(*dtype)).collect();
            twin.check(&params);
        }
    }
}

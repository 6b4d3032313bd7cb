//! Formulas and operands from `tests/data` to results, compared bit for bit with what numpy and IEEE 754 give, on every backend.

mod support;

use std::fmt::Write as _;
use std::fs;

use numlift::{Args, DType, Engine, ErrorKind, Kernel};
use support::{Array, CONTIGUOUS, Layout, Memory, all_engines, engines, result_dtype, run, same, show_element};

/// Lengths around every number of elements that one turn of a loop may cover.
const LENGTHS: [usize; 15] = [0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65];

/// Lengths that take several turns and a strip's end.
const LONG_LENGTHS: [usize; 2] = [1000, 4097];

/// Failures shown of one file; more would hide the first.
const SHOWN: usize = 40;

/// One formula at fixed dtypes: operands and results, row by row.
struct Group {
    formula: String,
    operands: Vec<(String, Array)>,
    result: Array,
}

impl Group {
    fn rows(&self) -> usize {
        self.result.bits.len()
    }

    fn row(&self, row: usize) -> String {
        let operands = self.operands.iter().map(|(name, array)| {
            let bits = array.bits[row];
            format!("{name} = {} ({} {bits:#x})", show_element(array.dtype, bits), array.dtype)
        });
        operands.collect::<Vec<_>>().join(", ")
    }
}

fn read(path: &str) -> String {
    let path = format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dtype(name: &str) -> DType {
    DType::from_name(name).unwrap_or_else(|| panic!("`{name}` is a dtype"))
}

fn hex(word: &str) -> u64 {
    u64::from_str_radix(word, 16).unwrap_or_else(|_| panic!("`{word}` is hexadecimal"))
}

/// The groups of a file; `scripts/generate_ops.py` says how it is written.
fn groups(text: &str) -> Vec<Group> {
    let mut sets: Vec<Vec<u64>> = Vec::new();
    let mut groups: Vec<(Group, Vec<Vec<u64>>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (first, rest) = line.split_once(' ').expect("a line has words");
        if first.starts_with('@') {
            sets.push(rest.split(' ').map(hex).collect());
        } else if let Some((formula, signature)) = line.rsplit_once(" | ") {
            let (operands, result) = signature.split_once(" -> ").expect("a signature has a result");
            let operands = operands.split(' ').map(|operand| {
                let (name, of) = operand.split_once(':').expect("an operand has a dtype");
                (name.to_string(), Array { dtype: dtype(of), bits: Vec::new() })
            });
            let result = Array { dtype: dtype(result), bits: Vec::new() };
            groups.push((Group { formula: formula.to_string(), operands: operands.collect(), result }, Vec::new()));
        } else if first == "=" {
            let bits = &mut groups.last_mut().expect("results stand in a group").0.result;
            match bits.dtype {
                DType::Bool => bits.bits.extend(rest.bytes().map(|byte| u64::from(byte == b'1'))),
                _ => bits.bits.extend(rest.split(' ').map(hex)),
            }
        } else {
            let number: usize = rest[1..].parse().expect("a list has a number");
            groups.last_mut().expect("operands stand in a group").1.push(sets[number].clone());
        }
    }
    groups.into_iter().map(|(group, edges)| cross(group, &edges)).collect()
}

/// Fills in the cross product of the operands' values, the last one varying fastest.
fn cross(mut group: Group, edges: &[Vec<u64>]) -> Group {
    let rows = edges.iter().map(Vec::len).product();
    assert_eq!(rows, group.rows(), "{}: a result for each row", group.formula);
    let mut every = rows;
    for ((_, array), edge) in group.operands.iter_mut().zip(edges) {
        every /= edge.len();
        array.bits = (0..rows).map(|row| edge[row / every % edge.len()]).collect();
    }
    group
}

/// Collects what went wrong, one line a formula and dtype and engine.
#[derive(Default)]
struct Failures {
    checked: usize,
    lines: Vec<String>,
}

impl Failures {
    fn finish(self, title: &str) {
        assert!(self.checked > 0, "{title}: nothing was checked");
        if self.lines.is_empty() {
            return;
        }
        let mut text = format!("{title}: {} of {} groups are wrong\n", self.lines.len(), self.checked);
        for line in self.lines.iter().take(SHOWN) {
            writeln!(text, "  {line}").expect("a String takes all");
        }
        panic!("{text}");
    }
}

/// One run of rows `start..start + len` (from the first again after the last), operands and result in that layout.
fn check(group: &Group, kernel: &Kernel, start: usize, len: usize, layout: Layout) -> Result<(), String> {
    let operands: Vec<(&str, Memory)> =
        group.operands.iter().map(|(name, array)| (name.as_str(), array.cycle(start, len).memory(layout))).collect();
    let inputs: Vec<(&str, &Memory)> = operands.iter().map(|(name, memory)| (*name, memory)).collect();
    let mut output = Memory::new(group.result.dtype, len, layout);
    run(kernel, &inputs, &mut output).map_err(|error| error.render())?;
    compare(group, start, &output).map_err(|found| format!("length {len}, {layout:?}: {found}"))
}

fn compare(group: &Group, start: usize, output: &Memory) -> Result<(), String> {
    let (dtype, found) = (group.result.dtype, output.array());
    for (i, bits) in found.bits.iter().enumerate() {
        let row = (start + i) % group.rows();
        let expected = group.result.bits[row];
        if !same(dtype, *bits, expected) {
            let show = |bits| format!("{} ({dtype} {bits:#x})", show_element(dtype, bits));
            return Err(format!("{}: expected {}, got {} [{i}]", group.row(row), show(expected), show(*bits)));
        }
    }
    if !output.is_clean() {
        return Err("bytes outside of the elements were written".to_string());
    }
    Ok(())
}

/// The first operand's array is the output too.
fn check_in_place(group: &Group, kernel: &Kernel, len: usize) -> Result<(), String> {
    let mut first = group.operands[0].1.cycle(0, len).memory(CONTIGUOUS);
    let others: Vec<(&str, Memory)> = group.operands[1..]
        .iter()
        .map(|(name, array)| (name.as_str(), array.cycle(0, len).memory(CONTIGUOUS)))
        .collect();
    let args = others.iter().fold(Args::new(), |args, (name, memory)| args.input(name, memory.view()));
    kernel.run(args.inout(&group.operands[0].0, first.view_mut())).map_err(|error| error.render())?;
    compare(group, 0, &first).map_err(|found| format!("in place: {found}"))
}

/// Everything that is tried of one group; `number` spreads the longer tries over the groups.
fn check_group(group: &Group, engine: &Engine, number: usize, thorough: bool) -> Result<(), String> {
    let kernel = engine.compile(&group.formula).map_err(|error| error.render())?;
    let rows = group.rows();
    check(group, &kernel, 0, rows, CONTIGUOUS)?;
    check(group, &kernel, number, LENGTHS[number % LENGTHS.len()], CONTIGUOUS)?;
    if !thorough {
        return check(group, &kernel, number, 200 + number % 64, Layout { offset: 1, step: 1 });
    }
    for (turn, len) in LENGTHS.into_iter().enumerate() {
        check(group, &kernel, number + turn * 7, len, CONTIGUOUS)?;
    }
    let len = rows.max(67);
    for layout in [
        Layout { offset: 1, step: 1 },
        Layout { offset: 3, step: 1 },
        Layout { offset: 0, step: 3 },
        Layout { offset: 0, step: -1 },
        Layout { offset: 5, step: -2 },
    ] {
        check(group, &kernel, 0, len, layout)?;
    }
    if group.operands[0].1.dtype == group.result.dtype {
        check_in_place(group, &kernel, len)?;
    }
    if number.is_multiple_of(16) {
        for len in LONG_LENGTHS {
            check(group, &kernel, number, len, CONTIGUOUS)?;
            check(group, &kernel, number, len, Layout { offset: 1, step: 2 })?;
        }
    }
    Ok(())
}

fn check_file(name: &str) {
    let groups = groups(&read(&format!("ops/{name}.txt")));
    let mut failures = Failures::default();
    for (engine_number, (engine_name, engine)) in all_engines().into_iter().enumerate() {
        let thorough = engine_name == "cranelift";
        // Every backend gets every group; engines that only cut otherwise get a part of them, each another.
        let every = if engine_number < engines().len() { 1 } else { 8 };
        for (number, group) in groups.iter().enumerate().filter(|(number, _)| (number + engine_number) % every == 0) {
            failures.checked += 1;
            if let Err(found) = check_group(group, &engine, number, thorough) {
                let dtypes: Vec<&str> = group.operands.iter().map(|(_, array)| array.dtype.name()).collect();
                failures.lines.push(format!("{engine_name}: {} {dtypes:?}: {found}", group.formula));
            }
        }
    }
    failures.finish(name);
}

macro_rules! files {
    ($($name:ident)+) => { $( #[test] fn $name() { check_file(stringify!($name)); } )+ };
}

files! { arithmetic bits casts chains constants division extremes floats logic powers rounding }

/// The name of the class, as the data has it.
fn kind_name(kind: ErrorKind) -> String {
    format!("{kind:?}")
}

#[test]
fn literals() {
    let mut failures = Failures::default();
    for (engine_name, engine) in engines() {
        for line in read("literals.txt").lines().filter(|line| !line.starts_with('#')) {
            failures.checked += 1;
            if let Err(found) = check_literal(&engine, line) {
                failures.lines.push(format!("{engine_name}: {line}: {found}"));
            }
        }
    }
    failures.finish("literals");
}

/// A line of `literals.txt`; `scripts/generate_literals.py` says how it is written.
fn check_literal(engine: &Engine, line: &str) -> Result<(), String> {
    let (formula, signature) = line.rsplit_once(" | ").expect("a line has a signature");
    let (operand, result) = signature.split_once("-> ").expect("a signature has a result");
    let (result_name, result_bits) = result.split_once(' ').expect("a result has a value");
    let mut words = operand.split_whitespace();
    let operands = words.next().map(|word| {
        let (name, of) = word.split_once(':').expect("an operand has a dtype");
        (name.to_string(), Array { dtype: dtype(of), bits: words.map(hex).collect() })
    });
    if result_name == "error" {
        let parameters: Vec<(&str, DType)> =
            operands.iter().map(|(name, array)| (name.as_str(), array.dtype)).collect();
        return match engine.compile(formula).and_then(|kernel| result_dtype(&kernel, &parameters)) {
            Ok(found) => Err(format!("expected an error, got {found}")),
            Err(error) if kind_name(error.kind()) == result_bits => Ok(()),
            Err(error) => Err(format!("another error: {error:?}")),
        };
    }
    let group = Group {
        formula: formula.to_string(),
        operands: operands.into_iter().collect(),
        result: Array { dtype: dtype(result_name), bits: result_bits.split(' ').map(hex).collect() },
    };
    let kernel = engine.compile(formula).map_err(|error| error.render())?;
    let parameters: Vec<(&str, DType)> =
        group.operands.iter().map(|(name, array)| (name.as_str(), array.dtype)).collect();
    let found = result_dtype(&kernel, &parameters).map_err(|error| error.render())?;
    if found != group.result.dtype {
        return Err(format!("dtype {found}"));
    }
    check(&group, &kernel, 0, group.rows(), CONTIGUOUS)
}

/// The table's dtypes for each formula; `-` is a dtype error.
#[test]
fn promotion() {
    let engine = &engines()[0].1;
    let text = read("promotion.txt");
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    let all: Vec<DType> = lines.next().expect("the first line names the dtypes").split(' ').map(dtype).collect();
    assert_eq!(all, DType::ALL);
    let mut failures = Failures::default();
    while let Some(title) = lines.next() {
        let formula = title.strip_prefix(": ").expect("a table starts with its formula");
        while let Some(row) = lines.next_if(|line| !line.starts_with(':')) {
            let (mut words, mut first) = (row.split(' ').collect::<Vec<_>>(), None);
            if words.len() > all.len() {
                first = Some(dtype(words.remove(0)));
            }
            for (second, word) in all.iter().zip(words) {
                let expected = (word != "-").then(|| dtype(word));
                failures.checked += 1;
                let found = match first {
                    Some(first) if formula == "result_type" => Some(first.promote(*second)),
                    Some(first) => dtype_of(engine, formula, &[("x", first), ("y", *second)]),
                    None => dtype_of(engine, formula, &[("x", *second)]),
                };
                if found != expected {
                    let of = first.map_or(second.to_string(), |first| format!("{first}, {second}"));
                    failures.lines.push(format!("{formula} of {of}: expected {expected:?}, got {found:?}"));
                }
            }
        }
    }
    failures.finish("promotion");
}

/// None for a dtype error.
fn dtype_of(engine: &Engine, formula: &str, parameters: &[(&str, DType)]) -> Option<DType> {
    let found = engine.compile(formula).and_then(|kernel| result_dtype(&kernel, parameters));
    match found {
        Ok(dtype) => Some(dtype),
        Err(error) if error.kind() == ErrorKind::DType => None,
        Err(error) => panic!("{formula} of {parameters:?}: {error:?}"),
    }
}

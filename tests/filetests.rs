//! Files of cases in `tests/filetests` to runs, compared with the text that stands in the file; `BLESS=1` rewrites that text.
//!
//! A case is separated from the next by a blank line:
//!
//! ```text
//! # a comment
//! > a * b                      the program, a line or more
//! a: f64[3] = 1 2 3            an input: dtype, shape, elements (zeros where none are given)
//! weak b = 2.5                 a weak scalar
//! schema a: f64[1]             compiles against a schema: dtype and rank of a parameter (0 is a scalar)
//! out: f32[3]                  runs into an output of that dtype and shape
//! engine untrusted             a setting of the engine: untrusted, expressions_only, functions (`cubed` of Rust)
//! | 0: f64[3] = 2 4 6          what comes out: each output, or the rendered error
//! ```
//!
//! In `graph` and `strip` what comes out is the text of that stage for the schema.
//!
//! Files in `run` are written by hand or from numpy, never blessed unread; a case there runs on every backend, cut in several ways.

mod support;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use numlift::{Args, Backend, Builder, DType, Engine, Error, Outputs, Schema, View, ViewMut};
use support::{bits_at, parse_element, show_element};

/// One array of a case.
struct Given {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Given {
    fn view(&self) -> Result<View<'_>, Error> {
        View::from_bytes(self.dtype, &self.bytes, &self.shape, &strides(self.dtype, &self.shape))
    }
}

/// What stands between two blank lines.
#[derive(Default)]
struct Case {
    program: String,
    inputs: Vec<Given>,
    weak: Vec<(String, String)>,
    output: Option<Given>,
    schema: Vec<(String, DType, usize)>,
    settings: Vec<String>,
    expected: String,
}

fn parse_case(lines: &[&str]) -> Case {
    let mut case = Case::default();
    let mut program = Vec::new();
    for line in lines {
        if line.starts_with('#') {
            continue;
        } else if let Some(text) = line.strip_prefix('>') {
            program.push(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(text) = line.strip_prefix('|') {
            writeln!(case.expected, "{}", text.strip_prefix(' ').unwrap_or(text)).expect("a String takes all");
        } else if let Some(rest) = line.strip_prefix("weak ") {
            let (name, value) = rest.split_once(" = ").expect("a weak scalar has a value");
            case.weak.push((name.to_string(), value.to_string()));
        } else if let Some(rest) = line.strip_prefix("schema ") {
            let (name, dtype, rank) = parse_type(rest);
            case.schema.push((name, dtype, rank[0]));
        } else if let Some(rest) = line.strip_prefix("engine ") {
            case.settings.push(rest.to_string());
        } else if line.starts_with("out: ") {
            case.output = Some(parse_given(line));
        } else {
            case.inputs.push(parse_given(line));
        }
    }
    case.program = program.join("\n");
    case
}

/// `name: dtype[extents]`.
fn parse_type(text: &str) -> (String, DType, Vec<usize>) {
    let parts = text.rsplit_once(": ").and_then(|(name, rest)| Some((name, rest.split_once('[')?)));
    let (name, (dtype, shape)) = parts.unwrap_or_else(|| panic!("`{text}` is `name: dtype[shape]`"));
    let shape = shape.strip_suffix(']').expect("a shape ends in a bracket");
    let extents = shape.split(',').filter(|word| !word.is_empty());
    let extents = extents.map(|word| word.trim().parse().expect("an extent is a number")).collect();
    (name.to_string(), DType::from_name(dtype).unwrap_or_else(|| panic!("`{dtype}` is a dtype")), extents)
}

fn parse_given(line: &str) -> Given {
    let (declared, values) = line.split_once(" = ").unwrap_or((line, ""));
    let (name, dtype, shape) = parse_type(declared);
    let count: usize = shape.iter().product();
    let mut bytes: Vec<u8> = values
        .split_whitespace()
        .flat_map(|word| parse_element(dtype, word).to_le_bytes().into_iter().take(dtype.size()))
        .collect();
    assert!(bytes.is_empty() || bytes.len() == count * dtype.size(), "`{line}` has as many values as its shape");
    bytes.resize(count * dtype.size(), 0);
    Given { name, dtype, shape, bytes }
}

/// Row-major byte strides.
fn strides(dtype: DType, shape: &[usize]) -> Vec<isize> {
    let mut stride = dtype.size() as isize;
    let mut strides: Vec<isize> = shape
        .iter()
        .rev()
        .map(|extent| {
            let this = stride;
            stride *= (*extent).max(1) as isize;
            this
        })
        .collect();
    strides.reverse();
    strides
}

/// How a case is executed: backend, threads, elements a chunk.
type Way = (Backend, usize, usize);

fn engine(case: &Case, (backend, threads, chunk): Way) -> Engine {
    let apply = |builder: Builder, setting: &String| match setting.as_str() {
        "untrusted" => builder.untrusted(),
        "expressions_only" => builder.expressions_only(),
        "functions" => builder.function::<(f64,), f64>("cubed", |(x,), results| {
            x.iter().zip(results).for_each(|(x, result)| *result = x * x * x);
        }),
        other => panic!("no setting is called `{other}`"),
    };
    let builder =
        case.settings.iter().fold(Engine::builder().backend(backend).threads(threads).chunk_len(chunk), apply);
    builder.build().expect("the backend runs here")
}

/// What of a case is shown: its results, or the text of a stage for its schema.
type Show = fn(&Case, &Engine) -> Result<String, Error>;

fn graph(case: &Case, engine: &Engine) -> Result<String, Error> {
    engine.compile(&case.program)?.graph(&schema(case))
}

fn strip(case: &Case, engine: &Engine) -> Result<String, Error> {
    engine.compile(&case.program)?.strip(&schema(case))
}

fn schema(case: &Case) -> Schema {
    let add = |schema: Schema, (name, dtype, rank): &(String, DType, usize)| match rank {
        0 => schema.scalar(name, *dtype),
        _ => schema.array(name, *dtype, *rank),
    };
    case.schema.iter().fold(Schema::new(), add)
}

/// The text that belongs behind the bars.
fn outcome(case: &Case, way: Way, show: Show) -> String {
    match show(case, &engine(case, way)) {
        Ok(text) => text,
        Err(error) => format!("{}\n", error.render()),
    }
}

fn evaluate(case: &Case, engine: &Engine) -> Result<String, Error> {
    let kernel = if case.schema.is_empty() {
        engine.compile(&case.program)?
    } else {
        let schema = schema(case);
        let kernel = engine.compile_with(&case.program, &schema)?;
        kernel.prepare(&schema)?;
        if case.inputs.is_empty() {
            return Ok("accepted\n".to_string());
        }
        kernel
    };
    let mut bytes = case.output.as_ref().map_or(Vec::new(), |given| given.bytes.clone());
    let mut args = Args::new();
    for given in &case.inputs {
        args = args.input(&given.name, given.view()?);
    }
    for (name, value) in &case.weak {
        args = match value.parse::<i128>() {
            Ok(integer) => args.scalar(name, integer),
            Err(_) => args.scalar(name, value.parse::<f64>().expect("a weak scalar is a number")),
        };
    }
    let Some(given) = &case.output else {
        return Ok(show_outputs(&kernel.eval(args)?));
    };
    let target = ViewMut::from_bytes(given.dtype, &mut bytes, &given.shape, &strides(given.dtype, &given.shape))?;
    kernel.run(args.output(target))?;
    Ok(show_array(&given.name, given.dtype, &given.shape, &bytes))
}

fn show_outputs(outputs: &Outputs) -> String {
    let show = |name: &str| {
        let view = outputs.view(name).expect("each name has an output");
        let bytes = view.as_bytes().expect("an output is contiguous");
        show_array(name, view.dtype(), view.extents(), bytes)
    };
    outputs.names().map(show).collect()
}

fn show_array(name: &str, dtype: DType, shape: &[usize], bytes: &[u8]) -> String {
    let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let elements: Vec<String> =
        bytes.chunks_exact(dtype.size()).map(|bytes| show_element(dtype, bits_at(bytes, dtype))).collect();
    let values = if elements.is_empty() { String::new() } else { format!(" = {}", elements.join(" ")) };
    format!("{name}: {dtype}[{}]{values}\n", extents.join(", "))
}

/// A file with the text behind the bars replaced.
fn bless(text: &str, way: Way, show: Show) -> String {
    let mut blessed = Vec::new();
    for block in blocks(text) {
        let kept = block.iter().filter(|line| !line.starts_with('|'));
        let mut lines: Vec<String> = kept.map(ToString::to_string).collect();
        if lines.iter().any(|line| line.starts_with('>')) {
            lines.extend(
                outcome(&parse_case(&block), way, show).lines().map(|line| format!("| {line}").trim_end().to_string()),
            );
        }
        blessed.push(lines.join("\n"));
    }
    blessed.join("\n\n") + "\n"
}

fn blocks(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    lines.split(|line| line.is_empty()).filter(|block| !block.is_empty()).map(<[&str]>::to_vec).collect()
}

fn check_folder(folder: &str, ways: &[Way], show: Show) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("an entry is readable").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has files", folder.display());
    let mut failures = String::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file of cases is text");
        if env::var_os("BLESS").is_some() {
            fs::write(&file, bless(&text, ways[0], show)).expect("a file of cases can be written");
            continue;
        }
        for block in blocks(&text).iter().filter(|block| block.iter().any(|line| line.starts_with('>'))) {
            let case = parse_case(block);
            for way in ways {
                let found = outcome(&case, *way, show);
                let trimmed: String = found.lines().map(|line| format!("{}\n", line.trim_end())).collect();
                if trimmed != case.expected {
                    let name = file.file_name().expect("a file has a name").display();
                    let (program, expected) = (&case.program, &case.expected);
                    writeln!(failures, "{name}, {way:?}:\n{program}\n--- expected\n{expected}--- found\n{trimmed}")
                        .expect("a String takes all");
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn run() {
    let backends = support::backends().into_iter().map(|(_, backend)| backend);
    let cuts = [(1, 32 * 1024), (3, 32 * 1024), (1, 1), (3, 1), (1, 7), (3, 7)];
    let ways: Vec<Way> = backends.flat_map(|b| cuts.map(|(threads, chunk)| (b, threads, chunk))).collect();
    check_folder("run", &ways, evaluate);
}

#[test]
fn errors() {
    check_folder("errors", &[(Backend::Interpreter, 1, 32 * 1024)], evaluate);
}

#[test]
fn graphs() {
    check_folder("graph", &[(Backend::Interpreter, 1, 32 * 1024)], graph);
}

#[test]
fn strips() {
    check_folder("strip", &[(Backend::Cranelift, 1, 32 * 1024)], strip);
}

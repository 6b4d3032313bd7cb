//! Lines that begin with a colon to what they do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::definitions::{Definition, Sort};
use crate::failure::Result;
use crate::formula::{Stage, Variable, name_of};
use crate::make::MAKERS;
use crate::plot::Chart;
use crate::scan::{formulas, statements, written};
use crate::session::{LAST, Session, Timing};
use crate::{npy, picture, plot, table};

/// A command: what is typed, what it does in a few words, and its deed.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    arguments: &'static str,
    doc: &'static str,
    run: fn(&mut Session, &str, &mut dyn Write) -> Result<()>,
}

pub(crate) const COMMANDS: [Command; 18] = [
    Command { name: "help", arguments: "[name]", doc: "this page, or what a function does", run: help },
    Command {
        name: "load",
        arguments: "FILE",
        doc: "a .npy file, each column of a .csv file, or definitions from a .nl file",
        run: load,
    },
    Command { name: "save", arguments: "[y] FILE.npy", doc: "keep the last result, or y, in a file", run: save },
    Command { name: "plot", arguments: "[x] y [FILE.png]", doc: "a chart here, or a picture", run: plot },
    Command { name: "vars", arguments: "", doc: "the variables, their dtypes and shapes", run: vars },
    Command { name: "del", arguments: "x ...", doc: "forget variables, functions, kernels", run: del },
    Command { name: "kernels", arguments: "", doc: "the functions and kernels that were defined", run: kernels },
    Command {
        name: "run",
        arguments: "KERNEL",
        doc: "run it on the variables that its parameters name",
        run: run_kernel,
    },
    Command { name: "type", arguments: "FORMULA", doc: "the dtype and rank of its result", run: types },
    Command { name: "time", arguments: "FORMULA", doc: "how long it compiles and runs", run: time },
    Command { name: "threads", arguments: "[n]", doc: "how many threads run a formula", run: threads },
    Command { name: "backend", arguments: "[name]", doc: "auto, avx512, x64, cranelift or interpreter", run: backend },
    Command { name: "accuracy", arguments: "[name]", doc: "best (1 ulp) or fast (4 ulp)", run: accuracy },
    Command { name: "graph", arguments: "FORMULA", doc: "its operations and their dtypes", run: graph },
    Command { name: "strip", arguments: "FORMULA", doc: "its operations on vectors", run: strip },
    Command { name: "clif", arguments: "FORMULA", doc: "what Cranelift is given", run: clif },
    Command { name: "asm", arguments: "FORMULA", doc: "its machine code", run: asm },
    Command { name: "quit", arguments: "", doc: "end; so does Ctrl-D", run: quit },
];

/// Runs `line`, a command without its colon; its name may be cut short where only one begins so.
pub(crate) fn execute(session: &mut Session, line: &str, out: &mut dyn Write) -> Result<()> {
    let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let exact = COMMANDS.iter().filter(|command| command.name == name);
    let begun = COMMANDS.iter().filter(|command| command.name.starts_with(name) && !name.is_empty());
    let found: Vec<&Command> = if exact.clone().count() == 1 { exact.collect() } else { begun.collect() };
    match found.as_slice() {
        [command] => (command.run)(session, rest.trim(), out),
        [] => Err(format!("there is no command `:{name}`\n  hint: :help lists them").into()),
        several => {
            let names: Vec<String> = several.iter().map(|command| format!(":{}", command.name)).collect();
            Err(format!("`:{name}` may be {}", names.join(" or ")).into())
        }
    }
}

fn quit(session: &mut Session, _rest: &str, _out: &mut dyn Write) -> Result<()> {
    session.ended = true;
    Ok(())
}

const PAGE: &str = "\
Type a formula to see its value, or NAME = FORMULA to keep it. A formula is applied to every element.

  x = linspace(0, 10, 1e6)        arange(5)  rand(3, 4)  [1, 2, 3]  [[1, 2], [3, 4]] make arrays
  y = exp(-x / 3) * sin(2 * x)    + - * / // % **  & | ^ ~ << >>  < <= == != >= >  and or not
  where(0.1 < y < 0.5, y, nan)    y if x > 1 else 0  is the same as  where(x > 1, y, 0)
  fn f(x) = x**2 + 1              defines a function;  kernel k(x) -> (y) { y = f(x) }  a kernel, which :run k runs
  `unit price` * 1.19             backticks for names that are not plain;  _  is the last result

";

fn help(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let name = rest.trim_start_matches(':').trim_end_matches(['(', ')']);
    if !name.is_empty() {
        return help_on(session, name, out);
    }
    out.write_all(PAGE.as_bytes())?;
    let usages: Vec<String> =
        COMMANDS.iter().map(|command| format!(":{} {}", command.name, command.arguments)).collect();
    for (usage, command) in usages.iter().zip(&COMMANDS) {
        writeln!(out, "  {usage:<24} {}", command.doc)?;
    }
    writeln!(out, "\nFunctions (:help sin tells more):")?;
    let names = session.formulas.functions().into_iter().map(|function| function.name).collect::<Vec<_>>();
    Ok(writeln!(out, "{}", wrapped(&names, 100))?)
}

/// Words in lines of at most `width` characters, indented.
fn wrapped(words: &[&str], width: usize) -> String {
    let mut lines = vec![" ".to_owned()];
    for word in words {
        let line = lines.last_mut().expect("one line at least");
        match line.len() + 1 + word.len() > width {
            true => lines.push(format!("  {word}")),
            false => line.push_str(&format!(" {word}")),
        }
    }
    lines.join("\n")
}

fn help_on(session: &Session, name: &str, out: &mut dyn Write) -> Result<()> {
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return Ok(writeln!(out, ":{} {}\n  {}", command.name, command.arguments, command.doc)?);
    }
    if let Some(maker) = MAKERS.iter().find(|maker| maker.name == name) {
        return Ok(writeln!(out, "{}\n  {}", maker.usage, maker.doc)?);
    }
    let mut functions = session.formulas.functions().into_iter();
    let Some(function) = functions.find(|function| function.name == name || function.aliases.contains(&name)) else {
        return Err(format!("there is no function or command `{name}`\n  hint: :help lists them").into());
    };
    writeln!(out, "{}\n  {}", function.signature, function.doc)?;
    match function.aliases {
        [] => Ok(()),
        aliases => Ok(writeln!(out, "  also called {}", aliases.join(", "))?),
    }
}

/// The last word of `text`, in quotes if it has blanks, as a path, and what stands before it.
fn path_at_end(text: &str) -> (&str, PathBuf) {
    for quote in ['"', '\''] {
        if let Some((before, path)) = text.strip_suffix(quote).and_then(|text| text.rsplit_once(quote)) {
            return (before.trim(), PathBuf::from(path));
        }
    }
    let (before, path) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    (before.trim(), PathBuf::from(path))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn load(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let path = PathBuf::from(rest.trim_matches(['"', '\'']));
    if has_extension(&path, "npy") {
        let array = npy::load(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('`', "'");
        writeln!(out, "{}: {}", written(&name), array.kind())?;
        session.set(&name, Variable::Array(array));
        return Ok(());
    }
    if has_extension(&path, "nl") {
        return load_definitions(session, &path, out);
    }
    if !has_extension(&path, "csv") {
        return Err(format!("`{rest}` is neither a .npy, a .csv nor a .nl file\n  hint: :load data.csv").into());
    }
    let table = table::load(&path)?;
    let rows = table.columns.first().map_or(0, |(_, column)| column.len());
    writeln!(out, "{rows} rows")?;
    let width = table.columns.iter().map(|(name, _)| written(name).chars().count()).max().unwrap_or(0);
    for (name, column) in table.columns {
        let replaced = if session.variables.contains_key(&name) { " (replaced)" } else { "" };
        writeln!(out, "  {:<width$}  {}{replaced}", written(&name), column.dtype())?;
        session.set(&name, Variable::Array(column));
    }
    if !table.text.is_empty() {
        writeln!(out, "text, left out: {}", table.text.join(", "))?;
    }
    Ok(())
}

/// Text that defines functions and kernels and does nothing else.
fn load_definitions(session: &mut Session, path: &Path, out: &mut dyn Write) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let mut found = Vec::new();
    for statement in statements(&text) {
        let Some(definition) = Definition::of(statement.text) else {
            return Err(format!("line {}: a .nl file has nothing but `fn` and `kernel`", statement.line).into());
        };
        found.push((definition, statement.line));
    }
    session.formulas.define(&found)?;
    for (definition, _) in &found {
        writeln!(out, "  {}", definition.head())?;
    }
    Ok(())
}

fn kernels(session: &mut Session, _rest: &str, out: &mut dyn Write) -> Result<()> {
    for sort in [Sort::Function, Sort::Kernel] {
        for definition in session.formulas.definitions.of_sort(sort) {
            writeln!(out, "{}", definition.head())?;
        }
    }
    Ok(())
}

fn run_kernel(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    for (name, array) in session.run_kernel(rest)? {
        writeln!(out, "{name}:")?;
        session.print(&array, out)?;
    }
    Ok(())
}

fn save(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let (formula, path) = path_at_end(rest);
    if !has_extension(&path, "npy") {
        return Err(format!("`{rest}` does not end in the name of a .npy file\n  hint: :save y data.npy").into());
    }
    let array = session.evaluate_one(if formula.is_empty() { LAST } else { formula })?;
    npy::save(&path, &array)?;
    Ok(writeln!(out, "{}: {}", path.display(), array.kind())?)
}

fn plot(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let (before, path) = path_at_end(rest);
    let (text, path) = if has_extension(&path, "png") { (before, Some(path)) } else { (rest, None) };
    let (x_label, y_label) = match formulas(text)[..] {
        [] => ("index", LAST),
        [y] => ("index", y),
        [x, y] => (x, y),
        _ => return Err("one or two formulas are plotted\n  hint: :plot x, sin(x)".into()),
    };
    let y = session.evaluate_one(y_label)?.to_f64();
    let x = match x_label {
        "index" if formulas(text).len() < 2 => (0..y.len()).map(|i| i as f64).collect(),
        formula => session.evaluate_one(formula)?.to_f64(),
    };
    if x.len() != y.len() {
        return Err(format!("`{x_label}` has {} elements and `{y_label}` {}", x.len(), y.len()).into());
    }
    let chart = Chart { x: &x, y: &y, x_label, y_label };
    match path {
        Some(path) => {
            picture::write(&chart, &path)?;
            Ok(writeln!(out, "{}: {} points", path.display(), x.len())?)
        }
        None => Ok(write!(out, "{}", plot::draw(&chart, session.chart_size.0, session.chart_size.1)?)?),
    }
}

fn vars(session: &mut Session, _rest: &str, out: &mut dyn Write) -> Result<()> {
    let width = session.variables.keys().map(|name| written(name).chars().count()).max().unwrap_or(0);
    for (name, variable) in &session.variables {
        let kind = match variable {
            Variable::Array(array) => array.kind(),
            Variable::Literal(number) => format!("literal {number}"),
        };
        writeln!(out, "{:<width$}  {kind}", written(name))?;
    }
    Ok(())
}

fn del(session: &mut Session, rest: &str, _out: &mut dyn Write) -> Result<()> {
    for name in formulas(rest) {
        let name = name.trim_matches('`');
        if session.variables.remove(name).is_none() && !session.formulas.definitions.remove(name) {
            return Err(format!("there is no variable, function or kernel `{name}`").into());
        }
    }
    Ok(())
}

fn types(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let outputs = session.ask(rest, |formulas, text, variables| formulas.types(text, variables))?;
    let several = outputs.len() > 1;
    for (name, dtype, rank) in outputs {
        let rank = if rank == 0 { "a scalar".to_owned() } else { format!("rank {rank}") };
        let name = if several { format!("{name}: ") } else { String::new() };
        writeln!(out, "{name}{dtype}, {rank}")?;
    }
    Ok(())
}

/// So long `:time` repeats a formula.
const TIMING: Duration = Duration::from_millis(500);

fn time(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    let Timing { compile, best, runs } = session.time(rest, TIMING)?;
    let bytes = (best.bytes_read + best.bytes_written) as f64;
    let (read, written) = (best.bytes_read as f64 / 1e6, best.bytes_written as f64 / 1e6);
    writeln!(out, "compiled in  {compile:.3?} by {}", name_of(best.backend))?;
    writeln!(out, "ran in       {:.3?}, the best of {runs}, threads: {}", best.run_time, best.threads)?;
    let rate = bytes / best.run_time.as_secs_f64() / 1e9;
    Ok(writeln!(out, "moved        {rate:.1} GB/s: {read:.1} MB read, {written:.1} MB written")?)
}

fn threads(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    if !rest.is_empty() {
        let count = rest.parse().map_err(|_| format!("`{rest}` is no number of threads"))?;
        session.formulas.set_threads(count)?;
    }
    Ok(writeln!(out, "{} threads", session.formulas.threads())?)
}

fn backend(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    if !rest.is_empty() {
        session.formulas.set_backend(rest)?;
    }
    Ok(writeln!(out, "{}", session.formulas.backend())?)
}

fn accuracy(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    if !rest.is_empty() {
        session.formulas.set_accuracy(rest)?;
    }
    Ok(writeln!(out, "{}", session.formulas.accuracy())?)
}

fn graph(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    stage(session, rest, Stage::Graph, out)
}

fn strip(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    stage(session, rest, Stage::Strip, out)
}

fn clif(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    stage(session, rest, Stage::Clif, out)
}

fn asm(session: &mut Session, rest: &str, out: &mut dyn Write) -> Result<()> {
    stage(session, rest, Stage::Asm, out)
}

fn stage(session: &mut Session, formula: &str, stage: Stage, out: &mut dyn Write) -> Result<()> {
    let text = session.ask(formula, |formulas, text, variables| formulas.stage(text, variables, stage))?;
    Ok(writeln!(out, "{}", text.trim_end())?)
}

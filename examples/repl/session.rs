//! Statements to variables and printed results: what the REPL remembers between two lines.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use numlift::{Cancel, DType, Stats};
use unicode_normalization::UnicodeNormalization;

use crate::array::Array;
use crate::commands;
use crate::definitions::Definition;
use crate::failure::Result;
use crate::formula::{Evaluated, Formulas, Variable, Variables};
use crate::make::{self, Context, Expanded, Random};
use crate::scan::{self, Kind, Statement, tokens};
use crate::show::show;

/// Name of the last result.
pub(crate) const LAST: &str = "_";

pub(crate) struct Session {
    pub(crate) formulas: Formulas,
    pub(crate) variables: Variables,
    /// Columns and lines of a chart.
    pub(crate) chart_size: (usize, usize),
    /// Whether the output is a terminal that shows colours.
    pub(crate) color: bool,
    /// Whether `:quit` was typed.
    pub(crate) ended: bool,
    random: Random,
    running: Running,
    /// How many calls of the REPL's own stand within each other where a formula is evaluated.
    depth: usize,
}

/// So many calls of the REPL's own may stand within each other.
const MOST_NESTED: usize = 16;

/// Stops the formula that is running when told so from another thread.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Option<Cancel>>>);

impl Running {
    /// Nothing happens if no formula runs.
    pub(crate) fn stop(&self) {
        if let Some(cancel) = &*self.0.lock().expect("no holder of the lock panics") {
            cancel.cancel();
        }
    }

    fn during<T>(&self, run: impl FnOnce(&Cancel) -> T) -> T {
        let cancel = Cancel::new();
        self.set(Some(cancel.clone()));
        let result = run(&cancel);
        self.set(None);
        result
    }

    fn set(&self, cancel: Option<Cancel>) {
        *self.0.lock().expect("no holder of the lock panics") = cancel;
    }
}

/// What `:time` tells.
pub(crate) struct Timing {
    /// From text to machine code.
    pub(crate) compile: Duration,
    /// Of the shortest run.
    pub(crate) best: Stats,
    pub(crate) runs: usize,
}

impl Session {
    pub(crate) fn new(formulas: Formulas, color: bool) -> Session {
        let variables = Variables::new();
        Session {
            formulas,
            variables,
            chart_size: (80, 22),
            color,
            ended: false,
            random: Random(0),
            running: Running::default(),
            depth: 0,
        }
    }

    pub(crate) fn running(&self) -> Running {
        self.running.clone()
    }

    /// Runs a statement or command and prints what it yields.
    pub(crate) fn execute(&mut self, statement: &Statement, out: &mut dyn Write) -> Result<()> {
        if let Some(command) = statement.text.strip_prefix(':') {
            return commands::execute(self, command, out);
        }
        if let Some(definition) = Definition::of(statement.text) {
            return self.formulas.define(&[(definition, statement.line)]);
        }
        if scan::is_assignment(statement.text) {
            return self.assign(statement);
        }
        let outputs = self.evaluate(statement.text, statement.line)?.outputs;
        let several = outputs.len() > 1;
        for (name, array) in outputs {
            if several {
                writeln!(out, "{name}:")?;
            }
            self.print(&array, out)?;
            self.set(LAST, Variable::Array(array));
        }
        Ok(())
    }

    /// An array as NumPy prints it, then its dtype and shape.
    pub(crate) fn print(&self, array: &Array, out: &mut dyn Write) -> Result<()> {
        let kind = array.kind();
        let kind = if self.color { format!("\x1b[2m{kind}\x1b[0m") } else { kind };
        Ok(writeln!(out, "{}  {kind}", show(array))?)
    }

    /// The name is compared as the language compares names.
    pub(crate) fn set(&mut self, name: &str, variable: Variable) {
        self.variables.insert(name.nfc().collect(), variable);
    }

    fn assign(&mut self, statement: &Statement) -> Result<()> {
        let Expanded { text, mut made } = make::expand(statement.text, self)?;
        // `x = [1, 2]` needs no engine, nor a copy.
        if let [(name, _)] = made.as_slice()
            && let Some((target, value)) = plain_assignment(&text)
            && value == format!("`{name}`")
        {
            let (_, array) = made.remove(0);
            self.set(&target, Variable::Array(array));
            return Ok(());
        }
        let Evaluated { outputs, .. } = self.run(&text, statement.line, made)?;
        for (name, array) in outputs {
            let variable = match array.number() {
                Some(number) if self.is_literal(&text, &array) => Variable::Literal(number),
                Some(_) | None => Variable::Array(array),
            };
            self.set(&name, variable);
        }
        Ok(())
    }

    /// Whether `text` is `name = value` with a value that has no dtype of its own, as `2` or `2 * pi`.
    fn is_literal(&self, text: &str, value: &Array) -> bool {
        if !value.shape().is_empty() || !matches!(value.dtype(), DType::I64 | DType::U64 | DType::F64) {
            return false;
        }
        let Some(value) = assigned_value(text) else { return false };
        // A value of 64 bits would make this f64.
        let outputs = self.formulas.types(&format!("f32(0) * ({value})"), &self.variables);
        outputs.is_ok_and(|outputs| outputs.iter().all(|(_, dtype, _)| *dtype == DType::F32))
    }

    /// The results of a formula that stands in line `line` of the script.
    pub(crate) fn evaluate(&mut self, formula: &str, line: usize) -> Result<Evaluated> {
        let Expanded { text, made } = make::expand(formula, self)?;
        self.run(&text, line, made)
    }

    /// The one result of a formula.
    pub(crate) fn evaluate_one(&mut self, formula: &str) -> Result<Array> {
        if formula == LAST && !self.variables.contains_key(LAST) {
            return Err("there is no result yet".into());
        }
        let mut outputs = self.evaluate(formula, 1)?.outputs;
        match outputs.len() {
            1 => Ok(outputs.remove(0).1),
            n => Err(format!("`{formula}` has {n} results, expected one").into()),
        }
    }

    fn run(&mut self, text: &str, line: usize, made: Vec<(String, Array)>) -> Result<Evaluated> {
        let running = self.running();
        let evaluated = self.with_made(made, |session| {
            let prepared = session.formulas.prepare(&in_line(text, line), &session.variables)?;
            running.during(|cancel| prepared.evaluate(&session.variables, cancel))
        })?;
        warn(&evaluated);
        Ok(evaluated)
    }

    /// Runs a kernel on the variables that its parameters name, and keeps what it gives under the names of its outputs.
    pub(crate) fn run_kernel(&mut self, name: &str) -> Result<Vec<(String, Array)>> {
        let prepared = self.formulas.prepare_kernel(name, &self.variables)?;
        let evaluated = self.running.during(|cancel| prepared.evaluate(&self.variables, cancel))?;
        warn(&evaluated);
        for (name, array) in &evaluated.outputs {
            self.set(name, Variable::Array(array.clone()));
        }
        Ok(evaluated.outputs)
    }

    /// How long a formula compiles and runs: the statistics of a first run, then the best of later ones for about `time`.
    pub(crate) fn time(&mut self, formula: &str, time: Duration) -> Result<Timing> {
        let running = self.running();
        self.ask(formula, |formulas, text, variables| {
            let began = Instant::now();
            let prepared = formulas.prepare(text, variables)?;
            let parse = began.elapsed();
            running.during(|cancel| {
                let first = prepared.evaluate(variables, cancel)?.stats;
                let mut timing = Timing { compile: parse + first.compile_time, best: first, runs: 1 };
                let began = Instant::now();
                while began.elapsed() < time {
                    let stats = prepared.evaluate(variables, cancel)?.stats;
                    timing.runs += 1;
                    if stats.run_time < timing.best.run_time {
                        timing.best = stats;
                    }
                }
                Ok(timing)
            })
        })
    }

    /// Runs `action` while the arrays in `made` are variables.
    fn with_made<T>(&mut self, made: Vec<(String, Array)>, action: impl FnOnce(&Session) -> T) -> T {
        let mut hidden = Vec::new();
        for (name, array) in made {
            let before = self.variables.insert(name.clone(), Variable::Array(array));
            hidden.push((name, before));
        }
        let result = action(self);
        for (name, before) in hidden {
            match before {
                Some(variable) => self.variables.insert(name, variable),
                None => self.variables.remove(&name),
            };
        }
        result
    }

    /// Calls `question` with the engine, a formula in which every call of the REPL's own is a name, and the variables.
    pub(crate) fn ask<T>(
        &mut self,
        formula: &str,
        question: impl FnOnce(&Formulas, &str, &Variables) -> Result<T>,
    ) -> Result<T> {
        let Expanded { text, made } = make::expand(formula, self)?;
        self.with_made(made, |session| question(&session.formulas, &text, &session.variables))
    }
}

impl Context for Session {
    fn evaluate(&mut self, formula: &str) -> Result<Array> {
        if self.depth == MOST_NESTED {
            return Err(format!("more than {MOST_NESTED} lists, ranges and the like within each other").into());
        }
        self.depth += 1;
        let result = self.evaluate_one(formula);
        self.depth -= 1;
        result
    }

    fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

fn warn(evaluated: &Evaluated) {
    for warning in &evaluated.warnings {
        eprintln!("warning: {}", warning.render());
    }
}

/// The text with its first line moved to `line`, so that an error tells the line of the script.
fn in_line(text: &str, line: usize) -> String {
    "\n".repeat(line - 1) + text
}

/// Of `name = value` the name, without backticks, and the text of the value.
fn plain_assignment(text: &str) -> Option<(String, &str)> {
    let tokens = tokens(text);
    let [name, equals, first, ..] = tokens.as_slice() else { return None };
    let plain = name.kind == Kind::Name && equals.kind == Kind::Operator && &text[equals.range.clone()] == "=";
    let end = tokens.last().map_or(0, |last| last.range.end);
    plain.then(|| (text[name.range.clone()].trim_matches('`').to_owned(), &text[first.range.start..end]))
}

/// Of `name = value` the value; of `name += value` the sum.
fn assigned_value(text: &str) -> Option<String> {
    if let Some((_, value)) = plain_assignment(text) {
        return Some(value.to_owned());
    }
    let tokens = tokens(text);
    let equals = tokens.iter().position(|token| &text[token.range.clone()] == "=")?;
    let operators = tokens.get(1..equals)?;
    let plain = tokens[0].kind == Kind::Name && operators.iter().all(|token| token.kind == Kind::Operator);
    let value = &text[tokens[equals].range.end..tokens.last()?.range.end];
    plain.then(|| format!("{} ({value})", &text[tokens[0].range.start..tokens[equals].range.start]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::scan::statements;

    /// `session.txt` has what is typed after `> ` and then what is printed; of an engine's error its code.
    #[test]
    fn a_session_answers_as_it_is_written_down() {
        let written = include_str!("session.txt");
        let mut session = Session::new(Formulas::new().expect("an engine"), false);
        let mut found = String::new();
        for typed in written.split_inclusive('\n').filter_map(|line| line.strip_prefix("> ")) {
            found.push_str(&format!("> {typed}"));
            for statement in statements(typed) {
                let mut out = Vec::new();
                let failure = session.execute(&statement, &mut out).err();
                found.push_str(&String::from_utf8(out).expect("text"));
                match failure {
                    Some(Failure::Formula(error)) => found.push_str(&format!("error: {}\n", error.code())),
                    Some(failure) => found.push_str(&format!("error: {failure}\n")),
                    None => {}
                }
            }
        }
        assert_eq!(found, written, "found:\n{found}");
    }
}

//! Formulas typed by a person, or read from a script, to arrays on the screen: numlift's REPL.
//!
//! `cargo run --release --example repl` reads lines; `:help` tells what can be typed. Without a terminal it reads a
//! script from standard input, with `-e 'FORMULA'`, once for each, it takes its statements from there, and ends with exit
//! code 1 at the first error.

mod array;
mod commands;
mod complete;
mod definitions;
mod failure;
mod font;
mod formula;
mod make;
mod npy;
mod picture;
mod plot;
mod scan;
mod session;
mod show;
mod table;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use numlift::ErrorKind;
use rustyline::config::{ColorMode, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::complete::Assistant;
use crate::failure::{Failure, Result};
use crate::formula::Formulas;
use crate::scan::statements;
use crate::session::Session;

const USAGE: &str = "\
usage: repl                                 read lines, or a script from standard input
       repl -e 'FORMULA' [-e 'FORMULA' ..]  run these statements, each after an -e of its own
";

fn main() -> ExitCode {
    let mut scripts = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("-e", Some(script)) => scripts.push(script),
            ("-h" | "--help", _) => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let script = match scripts.is_empty() {
        false => Some(scripts.join("\n")),
        true if std::io::stdin().is_terminal() => None,
        true => {
            let mut script = String::new();
            if let Err(error) = std::io::stdin().read_to_string(&mut script) {
                eprintln!("error: the script cannot be read: {error}");
                return ExitCode::FAILURE;
            }
            Some(script)
        }
    };
    let ended = match script {
        Some(script) => run(&script, &mut std::io::stdout().lock()),
        None => converse(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(Failure::Output(_)) => ExitCode::FAILURE,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn has_colors(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Writes to standard error: `error` in red if it is a terminal.
fn complain(message: &str) {
    let error = if has_colors(&std::io::stderr()) { "\x1b[1;31merror\x1b[0m" } else { "error" };
    eprintln!("{error}: {message}");
}

/// Runs a script up to its end, `:quit` or the first error.
fn run(script: &str, out: &mut dyn Write) -> Result<()> {
    let mut session = Session::new(Formulas::new()?, has_colors(&std::io::stdout()));
    for statement in statements(script) {
        session.execute(&statement, out).map_err(|failure| match failure {
            Failure::Output(_) => failure,
            // The excerpt tells the line.
            Failure::Formula(error) if error.span().is_some() => Failure::Formula(error),
            Failure::Formula(_) | Failure::Other(_) => Failure::Other(format!("line {}: {failure}", statement.line)),
        })?;
        if session.ended {
            break;
        }
    }
    Ok(out.flush()?)
}

/// Reads lines from a terminal until `:quit` or Ctrl-D; an error ends nothing.
fn converse() -> Result<()> {
    let mut session = Session::new(Formulas::new()?, has_colors(&std::io::stdout()));
    let running = session.running();
    // While a line is typed, Ctrl-C is a key and comes from the editor.
    ctrlc::set_handler(move || running.stop()).map_err(|error| format!("Ctrl-C cannot be caught: {error}"))?;
    let terminal = |error: ReadlineError| Failure::Other(format!("the terminal cannot be used: {error}"));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .color_mode(if session.color { ColorMode::Enabled } else { ColorMode::Disabled })
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).map_err(terminal)?;
    editor.set_helper(Some(Assistant::new()));
    let history = std::env::home_dir().map(|home| home.join(".numlift_history"));
    load_history(&mut editor, &history);

    println!(
        "numlift {}, {} on {} threads",
        env!("CARGO_PKG_VERSION"),
        session.formulas.backend(),
        session.formulas.threads()
    );
    println!(":help tells what can be typed, :quit ends");
    while !session.ended {
        if let Some(assistant) = editor.helper_mut() {
            assistant.update(&session);
        }
        if let Some((columns, lines)) = editor.dimensions() {
            session.chart_size = (usize::from(columns).min(120), usize::from(lines).saturating_sub(2).clamp(12, 30));
        }
        match editor.readline("> ") {
            Ok(line) => answer(&mut session, &line)?,
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(error)),
        }
    }
    if let Some(path) = history
        && let Err(error) = editor.save_history(&path)
    {
        complain(&format!("the history cannot be kept in `{}`: {error}", path.display()));
    }
    Ok(())
}

/// A session without a past is none the worse.
fn load_history(editor: &mut Editor<Assistant, FileHistory>, path: &Option<PathBuf>) {
    if let Some(path) = path {
        let _ = editor.load_history(path);
    }
}

/// Runs the statements of a line up to the first error.
fn answer(session: &mut Session, line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for statement in statements(line) {
        match session.execute(&statement, &mut out) {
            Ok(()) => {}
            Err(Failure::Output(error)) => return Err(Failure::Output(error)),
            Err(failure) => {
                if matches!(&failure, Failure::Formula(error) if error.kind() == ErrorKind::Cancelled) {
                    eprintln!(); // after the `^C` that the terminal shows
                }
                complain(&failure.to_string());
                return Ok(());
            }
        }
    }
    Ok(out.flush()?)
}

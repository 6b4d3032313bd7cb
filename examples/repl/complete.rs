//! The line being typed to what could come next, and whether it is whole.

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::commands::COMMANDS;
use crate::definitions::Sort;
use crate::make::MAKERS;
use crate::scan::is_open;
use crate::session::Session;

/// What the line editor asks while a line is typed.
pub(crate) struct Assistant {
    /// What may stand in a formula: variables as they are written, functions with an opening parenthesis; sorted.
    words: Vec<String>,
    files: FilenameCompleter,
}

impl Assistant {
    pub(crate) fn new() -> Assistant {
        Assistant { words: Vec::new(), files: FilenameCompleter::new() }
    }

    /// Takes the names that are known now.
    pub(crate) fn update(&mut self, session: &Session) {
        let variables = session.variables.keys().map(|name| crate::scan::written(name));
        let functions = session.formulas.functions();
        let names = functions.iter().flat_map(|function| std::iter::once(&function.name).chain(function.aliases));
        let makers = MAKERS.iter().map(|maker| &maker.name);
        let own = session.formulas.definitions.of_sort(Sort::Function).map(|function| format!("{}(", function.name));
        let calls = names.chain(makers).map(|name| format!("{name}("));
        self.words = variables.chain(calls).chain(own).collect();
        self.words.sort();
    }

    /// Where the word that ends at `at` begins, and the words that go on from it.
    fn candidates(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let before = &line[..at];
        let in_backticks = before.matches('`').count() % 2 == 1;
        let start =
            match before.rfind(|c: char| if in_backticks { c == '`' } else { !(c.is_alphanumeric() || c == '_') }) {
                Some(found) if in_backticks => found,
                Some(found) => found + before[found..].chars().next().map_or(0, char::len_utf8),
                None => 0,
            };
        let word = &before[start..];
        let command = before[..start].trim_start() == ":";
        let known: Vec<String> = match command {
            true => COMMANDS.iter().map(|command| format!("{} ", command.name)).collect(),
            false => self.words.clone(),
        };
        // A name in backticks is also found by its first letters.
        let fits = |known: &String| {
            !word.is_empty()
                && (known.starts_with(word) || known.strip_prefix('`').is_some_and(|name| name.starts_with(word)))
        };
        (start, known.into_iter().filter(fits).collect())
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>), ReadlineError> {
        if line.trim_start().starts_with(":load ") {
            return self.files.complete_path(line, at);
        }
        let (start, words) = self.candidates(line, at);
        let pair = |word: String| Pair { display: word.trim_end().to_owned(), replacement: word };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult, ReadlineError> {
        Ok(if is_open(context.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_where_they_stand() {
        let words = ["`unit price`", "sign(", "sin(", "größe"].map(str::to_owned).to_vec();
        let assistant = Assistant { words, ..Assistant::new() };
        let candidates = |line: &str| assistant.candidates(line, line.len());
        assert_eq!(candidates("2 * si"), (4, vec!["sign(".to_owned(), "sin(".to_owned()]));
        assert_eq!(candidates("größe + grö"), (10, vec!["größe".to_owned()]));
        assert_eq!(candidates("1 + un"), (4, vec!["`unit price`".to_owned()]));
        assert_eq!(candidates("1 + `unit p"), (4, vec!["`unit price`".to_owned()]));
        assert_eq!(candidates(":th"), (1, vec!["threads ".to_owned()]));
        assert_eq!(candidates(""), (0, vec![]));
    }
}

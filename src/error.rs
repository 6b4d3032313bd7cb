//! The one error type: what went wrong, where in the text, and what to do.

use std::fmt;
use std::sync::Arc;

use crate::source::{Span, floor_char};

/// The result of every fallible step.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where in the text if it has a place there.
///
/// `Display` is the message alone; [`render`](Error::render) adds the line, a caret under the place and the hint.
///
/// ```
/// let engine = numlift::Engine::new()?;
/// let error = engine.compile("sqrt(x, y)").unwrap_err();
/// assert_eq!(error.kind(), numlift::ErrorKind::Arity);
/// assert_eq!(error.line_column(), Some((1, 1)));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    place: Option<(Arc<str>, Span)>,
    hint: Option<String>,
    notes: Vec<String>,
}

/// The classes of [`Error`] that a caller may want to tell apart.
///
/// ```
/// let error = numlift::Engine::new()?.compile("a +").unwrap_err();
/// assert!(matches!(error.kind(), numlift::ErrorKind::Syntax));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not a program of the language.
    Syntax,
    /// A function or variable of that name does not exist.
    Name,
    /// A function was given too few, too many or wrongly named arguments.
    Arity,
    /// Dtypes that do not go together, or a literal that its dtype cannot hold.
    DType,
    /// Shapes that do not broadcast, or a rank that does not fit.
    Shape,
    /// The arguments of a run do not fit the kernel: missing, surplus, of another dtype, or overlapping.
    Argument,
    /// A bound of the engine was reached.
    Limit,
    /// The run was cancelled or met its deadline.
    Cancelled,
    /// The host cannot do what was asked of it, such as run generated code.
    Host,
}

impl Error {
    /// `code` is stable text for programs, as `unknown-function`; `message` is for people.
    pub(crate) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Error {
        Error(Arc::new(Inner { kind, code, message: message.into(), place: None, hint: None, notes: Vec::new() }))
    }

    fn edit(mut self, edit: impl FnOnce(&mut Inner)) -> Error {
        edit(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn at(self, source: &Arc<str>, span: Span) -> Error {
        self.edit(|inner| inner.place = Some((Arc::clone(source), span)))
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Error {
        self.edit(|inner| inner.hint = Some(hint.into()))
    }

    pub(crate) fn with_note(self, note: impl Into<String>) -> Error {
        self.edit(|inner| inner.notes.push(note.into()))
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// A stable name of this very error, such as `unknown-function`; for programs, where messages are for people.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What was found and what was expected, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The bytes of the text that the error speaks of, if it has a place there.
    pub fn span(&self) -> Option<Span> {
        self.0.place.as_ref().map(|(_, span)| *span)
    }

    /// The 1-based line and column (in characters) of the place.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.0.place.as_ref().map(|(source, span)| span.line_column(source))
    }

    /// What to write instead, if there is a guess.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Further facts, a line each.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// The whole error for a terminal: message, line, caret, notes and hint.
    pub fn render(&self) -> String {
        let mut text = self.0.message.clone();
        if let Some((source, span)) = &self.0.place {
            text.push_str(&excerpt(source, *span));
        }
        for note in &self.0.notes {
            text.push_str(&format!("\n  note: {note}"));
        }
        if let Some(hint) = &self.0.hint {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        text
    }
}

/// The longest part of a line that is shown, in characters.
const EXCERPT_WIDTH: usize = 100;

/// The line of `span` with carets below; a long line is cut around the place.
fn excerpt(source: &str, span: Span) -> String {
    let (number, column) = span.line_column(source);
    let start = floor_char(source, span.start);
    let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
    let line: Vec<char> = source[line_start..line_end].trim_end_matches('\r').chars().collect();
    let marked = source[start..floor_char(source, span.end.clamp(start, line_end))].chars().count().max(1);

    let first = if line.len() <= EXCERPT_WIDTH { 0 } else { (column - 1).saturating_sub(EXCERPT_WIDTH / 2) };
    let shown = &line[first.min(line.len())..line.len().min(first + EXCERPT_WIDTH)];
    // A tab stays a tab below, so that the caret lands under its character in every terminal.
    let indent: String =
        line[first..line.len().min(column - 1)].iter().map(|c| if *c == '\t' { '\t' } else { ' ' }).collect();
    let (before, after) = (if first > 0 { "…" } else { "" }, if line.len() > first + EXCERPT_WIDTH { "…" } else { "" });
    let carets = "^".repeat(marked.min(EXCERPT_WIDTH.saturating_sub(column - 1 - first).max(1)));
    let pad = if first > 0 { " " } else { "" };
    let shown: String = shown.iter().collect();
    format!("\n{number:>4} | {before}{shown}{after}\n     | {pad}{indent}{carets}")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.render())
    }
}

impl std::error::Error for Error {}

/// The candidate nearest to `word`, if near enough to be what was meant.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // Of one character nothing is left that could be near.
    let limit = (length / 3).max(1).min(length.saturating_sub(1));
    let near = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    near.filter(|(edits, candidate)| *edits <= limit && *candidate != word).min().map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) from `a` to `b`: the optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    if a.len().abs_diff(b.len()) > 3 || a.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

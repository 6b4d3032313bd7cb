//! Bytes of a program to bounds kept: its size, the depth of its brackets, and that brackets and quotes are closed.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::source::Span;

/// Bounds on a program's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the text.
    pub(crate) source_bytes: usize,
    /// Brackets, blocks, prefix operators, `**` and `else` pending at one place.
    pub(crate) nesting: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { source_bytes: 1024 * 1024, nesting: 256 }
    }
}

impl Limits {
    /// The error of a text that nests deeper than `nesting` at `span`.
    pub(super) fn too_deep(self, source: &Arc<str>, span: Span) -> Error {
        let (limit, asked) = (self.nesting, self.nesting + 1);
        Error::new(
            ErrorKind::Limit,
            "nesting-limit",
            format!("the program nests at least {asked} levels deep, the nesting limit is {limit}"),
        )
        .at(source, span)
        .with_hint("`Builder::nesting_limit` sets the limit")
    }

    pub(super) fn check_size(self, source: &str) -> Result<()> {
        if source.len() <= self.source_bytes {
            return Ok(());
        }
        let (limit, asked) = (self.source_bytes, source.len());
        Err(Error::new(
            ErrorKind::Limit,
            "source-limit",
            format!("the program is {asked} bytes long, the source limit is {limit} bytes"),
        )
        .with_hint("`Builder::source_limit` sets the limit"))
    }
}

/// The text with comments, tabs, carriage returns and newlines inside `()` and `[]` blanked, byte for byte. What this passes,
/// the parser can recurse over: no brackets are deeper than the limit.
pub(super) fn scan(source: &Arc<str>, limits: Limits) -> Result<Cow<'_, str>> {
    let bytes = source.as_bytes();
    let error = |code, message: String, start, end| {
        Error::new(ErrorKind::Syntax, code, message).at(source, Span::new(start, end))
    };
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut blanked: Option<Vec<u8>> = None;
    let mut blank = |range: Range<usize>, with| blanked.get_or_insert_with(|| bytes.to_vec())[range].fill(with);
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'(' | b'[' | b'{' => {
                if open.len() == limits.nesting {
                    return Err(limits.too_deep(source, Span::new(start, at)));
                }
                open.push((char::from(bytes[start]), start));
            }
            b')' | b']' | b'}' => {
                let close = char::from(bytes[start]);
                let Some((opener, opened)) = open.pop() else {
                    return Err(error("unopened-bracket", format!("`{close}` closes nothing"), start, at));
                };
                if closer(opener) != close {
                    let (line, column) = Span::new(opened, opened).line_column(source);
                    return Err(error("mismatched-bracket", format!("`{close}` cannot close `{opener}`"), start, at)
                        .with_note(format!("`{opener}` opens at line {line}, column {column}")));
                }
            }
            quote @ (b'"' | b'\'' | b'`') => {
                let rest = &bytes[at..];
                let length = rest.iter().position(|byte| *byte == quote || is_newline(*byte)).unwrap_or(rest.len());
                if rest.get(length) != Some(&quote) {
                    let message = match quote {
                        b'`' => "the name in backticks is never closed",
                        _ => "the string is never closed",
                    };
                    return Err(error("unclosed-quote", message.to_owned(), start, at + length));
                }
                at += length + 1;
            }
            b'#' => {
                while at < bytes.len() && !is_newline(bytes[at]) {
                    at += 1;
                }
                blank(start..at, b' ');
            }
            // A carriage return by itself is a newline.
            b'\r' if ends_lines(&open) && bytes.get(at) != Some(&b'\n') => blank(start..at, b'\n'),
            b'\n' if ends_lines(&open) => {}
            b'\t' | b'\r' | b'\n' => blank(start..at, b' '),
            _ => {}
        }
    }
    if let Some((opener, opened)) = open.pop() {
        return Err(error("unclosed-bracket", format!("`{opener}` is never closed"), opened, opened + 1));
    }
    Ok(match blanked {
        Some(bytes) => Cow::Owned(String::from_utf8(bytes).expect("whole comments are blanked")),
        None => Cow::Borrowed(source),
    })
}

fn closer(opener: char) -> char {
    match opener {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// Whether a newline separates statements inside these brackets: in braces it does.
fn ends_lines(open: &[(char, usize)]) -> bool {
    open.last().is_none_or(|(opener, _)| *opener == '{')
}

fn is_newline(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

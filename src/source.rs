//! Source text and places in it.

/// A range of bytes in the text of a program; `end` is exclusive.
///
/// ```
/// use numlift::{Engine, Span};
/// let text = "y = x * 2\ny + foo(x)";
/// let span = Engine::new()?.compile(text).unwrap_err().span().unwrap();
/// assert_eq!((span, &text[span.start..span.end]), (Span::new(14, 17), "foo"));
/// assert_eq!(span.line_column(text), (2, 5));
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset one past the last byte.
    pub end: usize,
}

impl Span {
    /// The span of the bytes `start..end`.
    pub const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// The smallest span that holds both.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The 1-based line and column (in characters) of the first character of this span in `source`.
    pub fn line_column(self, source: &str) -> (usize, usize) {
        let before = &source[..floor_char(source, self.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// The last character boundary at or before `at`, so that no span can split a character.
pub(crate) fn floor_char(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

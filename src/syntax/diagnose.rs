//! A place where the grammar could not go on, to an error in words.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::source::Span;

/// The error of a program whose `text` (as the grammar sees it) makes no sense from byte `at`, where an operand or else an
/// operator was expected.
pub(super) fn diagnose(source: &Arc<str>, text: &str, at: usize, operand_expected: bool) -> Error {
    let (before, after) = (text[..at].trim_end_matches(' '), &text[at..]);
    let statement = before.rfind(['\n', ';', '{', '}']).map_or(0, |separator| separator + 1);
    let first = text.len() - text[statement..].trim_start_matches(' ').len();
    let found = first_token(after);
    let last = last_token(before);
    let error = |code, message: String| {
        Error::new(ErrorKind::Syntax, code, message).at(source, Span::new(at, at + found.len()))
    };

    let construct = construct(&text[first..]);
    let begins = before.len() <= first;
    if let (true, "elif" | "else") = (begins, found) {
        return error("unexpected-token", format!("`{found}` without an `if` before it"))
            .with_hint("`if condition { ... } elif condition { ... } else { ... }`");
    }
    if let (false, Some((keyword, form)), "" | "\n" | ";" | "}") = (operand_expected, construct, found) {
        return Error::new(ErrorKind::Syntax, "missing-block", format!("the `{keyword}` is not complete"))
            .at(source, Span::new(first, before.len().max(first + keyword.len())))
            .with_hint(format!("`{form}`"));
    }
    if operand_expected && matches!(found, "" | "\n" | ";") {
        let message = format!(
            "the {} ends after `{}`, expected a value",
            if found.is_empty() { "program" } else { "statement" },
            shorten(last)
        );
        let error = Error::new(ErrorKind::Syntax, "unexpected-end", message)
            .at(source, Span::new(before.len() - last.len(), before.len()));
        return if found == "\n" { error.with_hint(CONTINUATION) } else { error };
    }
    if let Some(hint) = lookalike(found).or_else(|| (found == "\\").then_some(CONTINUATION)) {
        return error("unexpected-character", format!("unexpected character {}", show(found))).with_hint(hint);
    }
    if let Some((problem, hint)) = foreign(last, found, after, operand_expected) {
        return error("unexpected-token", problem.to_owned()).with_hint(hint);
    }
    if !is_operand_start(found) && !found.starts_with(|c: char| c.is_ascii_graphic() && !"$?@".contains(c)) {
        return error("unexpected-character", format!("unexpected character {}", show(found)));
    }
    let place = if before.is_empty() { String::new() } else { format!(" after `{}`", shorten(last)) };
    let expected = if operand_expected { "a value" } else { "an operator" };
    let error = error("unexpected-token", format!("unexpected {}{place}, expected {expected}", show(found)));
    if let ("else", "if") = (last, found) {
        return error.with_hint("a further condition is `elif condition { ... }`");
    }
    if let (false, Some((_, form))) = (begins, construct) {
        return error.with_hint(format!("`{form}`"));
    }
    if operand_expected && KEYWORDS.contains(&found) {
        return error.with_hint(format!("`{found}` is a keyword; as a name it is written in backticks"));
    }
    if !operand_expected && is_operand_start(found) {
        let separators = match is_in_brackets(&before[first.min(before.len())..]) {
            true => "values are separated by `,`",
            false => "statements are separated by a newline or `;`",
        };
        return error.with_hint(format!("a product is written with `*`, {separators}"));
    }
    error
}

const CONTINUATION: &str = "a formula in parentheses can go on on the next line";

const KEYWORDS: [&str; 12] =
    ["and", "break", "continue", "elif", "else", "for", "if", "in", "not", "or", "return", "while"];

/// The word that `statement` begins with if it is none of an expression or an assignment, and how one is written.
fn construct(statement: &str) -> Option<(&str, &'static str)> {
    let keyword = first_token(statement);
    let next = statement[keyword.len()..].trim_start_matches(' ');
    let form = match keyword {
        "if" => "if condition { ... } elif condition { ... } else { ... }",
        "while" => "while condition { ... }",
        "for" => "for i in first..end { ... }",
        "fn" if next.starts_with(is_word) => "fn name(x, y) = value` or `fn name(x, y) { ... return value }",
        "kernel" if next.starts_with(is_word) => "kernel name(x: f64, n: uniform i32) -> (out) { ... }",
        _ => return None,
    };
    Some((keyword, form))
}

/// What other languages have: what is wrong with `found` after `last`, and a hint.
fn foreign(last: &str, found: &str, after: &str, operand_expected: bool) -> Option<(&'static str, &'static str)> {
    const NOT_EQUAL: &str = "`!=` is true where two values differ";
    const LAMBDA: &str = "write the formula itself; its free names are its parameters";
    if last == "lambda" {
        return Some(("`lambda` is not in the language", LAMBDA));
    }
    Some(match (found, operand_expected) {
        ("=", false) => ("`=` cannot stand inside an expression", "`==` compares; an assignment has one `=`"),
        (">", true) if last == "<" => ("`<>` is not in the language", NOT_EQUAL),
        ("@", _) => ("`@` is not in the language", "a variable is written by its plain name: `x`, not `@x`"),
        ("in", false) => {
            ("`in` is not in the language", "compare with each value: `x == 1 or x == 2`; a range is `1 <= x <= 2`")
        }
        ("is", false) => ("`is` is not in the language", "`==` compares, `isnan(x)` finds NaN"),
        ("not", false) => ("`not` cannot stand between two values", NOT_EQUAL),
        ("?", _) => ("`?` is not in the language", "a choice is written `x if condition else y`"),
        (".", false) if after.starts_with("..") => ("`..` can only stand in a `for` loop", "a range is `1 <= x <= 2`"),
        (".", false) if !after[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            ("`.` is not in the language", "functions stand by themselves: `sin(x)`, not `np.sin(x)` or `x.sin()`")
        }
        _ => return None,
    })
}

/// The hint for a character that looks like one of the language.
fn lookalike(found: &str) -> Option<&'static str> {
    Some(match found.chars().next()? {
        '×' | '·' | '⋅' | '∙' | '∗' => "a product is written `*`",
        '÷' | '∕' | '⁄' => "a quotient is written `/`",
        '−' | '–' | '—' | '‐' | '‑' => "a minus is written `-`",
        '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»' => "quotes are written `\"` or `'`",
        '≤' => "write `<=`",
        '≥' => "write `>=`",
        '≠' => "write `!=`",
        '²' => "a square is written `**2`",
        '³' => "a cube is written `**3`",
        '√' => "a root is written `sqrt(x)`",
        '¬' => "write `not`",
        '∧' => "write `and`",
        '∨' => "write `or`",
        '（' => "write `(`",
        '）' => "write `)`",
        '，' => "write `,`",
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => "write a plain space",
        '\u{feff}' | '\u{200b}' | '\u{200c}' | '\u{200d}' => "this character is invisible; delete it",
        _ => return None,
    })
}

fn is_operand_start(found: &str) -> bool {
    found.starts_with(|c: char| is_word(c) || matches!(c, '(' | '"' | '\'' | '`' | '.'))
}

fn is_in_brackets(text: &str) -> bool {
    text.matches(['(', '[']).count() > text.matches([')', ']']).count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word, string or character at the start of `text`.
fn first_token(text: &str) -> &str {
    let Some(first) = text.chars().next() else { return "" };
    let length = match first {
        first if is_word(first) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        quote @ ('"' | '\'' | '`') => text[1..].find(quote).map_or(1, |end| end + 2),
        first => symbol(|symbol| text.starts_with(symbol)).map_or(first.len_utf8(), str::len),
    };
    &text[..length]
}

/// The word, string or symbol at the end of `text`.
fn last_token(text: &str) -> &str {
    let Some(last) = text.chars().next_back() else { return "" };
    let start = match last {
        last if is_word(last) => text.trim_end_matches(is_word).len(),
        quote @ ('"' | '\'' | '`') => text[..text.len() - 1].rfind(quote).unwrap_or(text.len() - 1),
        last => text.len() - symbol(|symbol| text.ends_with(symbol)).map_or(last.len_utf8(), str::len),
    };
    &text[start..]
}

/// The operator of two characters for which `holds`.
fn symbol(holds: impl Fn(&str) -> bool) -> Option<&'static str> {
    const SYMBOLS: [&str; 12] = ["**", "//", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-="];
    SYMBOLS.into_iter().find(|symbol| holds(symbol))
}

/// `found` for a message, whether or not it can be seen.
fn show(found: &str) -> String {
    match found.chars().next() {
        Some(c) if c.is_control() || c.is_whitespace() || lookalike(found) == lookalike("\u{feff}") => {
            format!("U+{:04X}", u32::from(c))
        }
        _ => format!("`{}`", shorten(found)),
    }
}

/// `text` for a message.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

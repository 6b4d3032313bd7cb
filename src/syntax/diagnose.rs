//! A place where the grammar could not go on, to an error in words.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::source::Span;

/// The error of a program whose `text` (brackets' newlines blanked) makes no sense from byte `at`, where an operand or else
/// an operator was expected.
pub(super) fn diagnose(source: &Arc<str>, text: &str, at: usize, operand_expected: bool) -> Error {
    let before = text[..at].trim_end_matches([' ', '\t']);
    let found = token(&text[at..]);
    let line_start = before.rfind(['\n', '\r', ';']).map_or(0, |newline| newline + 1);
    let line = before[line_start..].trim_start_matches([' ', '\t']);
    let first = token(line);
    let error = |code, message: String| {
        Error::new(ErrorKind::Syntax, code, message).at(source, Span::new(at, at + found.len()))
    };
    let unexpected = |message: String| error("unexpected-token", message);
    let shown = shorten(found);

    // A statement that is to come.
    let keyword = if line.is_empty() { found } else { first };
    if let Some(construct) = construct(keyword, !line.is_empty()) {
        let start = if line.is_empty() {
            at
        } else {
            at - (text[..at].len() - line_start) + (before[line_start..].len() - line.len())
        };
        return Error::new(ErrorKind::Syntax, "not-supported", format!("{construct} are not supported yet"))
            .at(source, Span::new(start, start + keyword.len()));
    }
    if found.is_empty() || found.starts_with(['\n', '\r', ';']) {
        let what = if found.is_empty() { "program" } else { "statement" };
        let last = last_token(before);
        let end = Span::new(before.len() - last.len(), before.len());
        let message = format!("the {what} ends after `{}`, expected a value", shorten(last));
        let error = Error::new(ErrorKind::Syntax, "unexpected-end", message).at(source, end);
        let in_parentheses = "a formula in parentheses can go on on the next line";
        return if found.is_empty() { error } else { error.with_hint(in_parentheses) };
    }
    if let Some((meaning, hint)) = lookalike(found) {
        return error("unexpected-character", format!("unexpected character `{shown}`{meaning}")).with_hint(hint);
    }
    match found {
        "=" if !operand_expected => {
            return unexpected("`=` cannot stand inside an expression".to_owned()).with_hint("`==` compares");
        }
        ">" if before.ends_with('<') => {
            return unexpected("`<>` is no operator".to_owned()).with_hint("`!=` is true where two values differ");
        }
        "@" => {
            return unexpected("`@` is not in the language".to_owned())
                .with_hint("a variable is written by its plain name: `x`, not `@x`");
        }
        "in" => {
            return unexpected("`in` is not an operator of the language".to_owned())
                .with_hint("compare with each value: `x == 1 or x == 2`; a range is `1 <= x <= 2`");
        }
        "is" if !operand_expected => {
            return unexpected("`is` is not in the language".to_owned())
                .with_hint("`==` compares, `isnan(x)` finds NaN");
        }
        "not" if !operand_expected => {
            return unexpected("`not` cannot stand between two values".to_owned())
                .with_hint("`!=` is true where two values differ");
        }
        "?" | ":" => {
            let hint = match first {
                "lambda" => "write the formula itself; its free names are its parameters",
                _ => "a choice is written `x if condition else y`",
            };
            return unexpected(format!("`{found}` is not in the language")).with_hint(hint);
        }
        "." if !operand_expected => {
            return unexpected("`.` is not in the language: there are no methods or attributes".to_owned())
                .with_hint("a function is called as `f(x)`");
        }
        "\\" => {
            return error("unexpected-character", "unexpected character `\\`".to_owned())
                .with_hint("a formula in parentheses can go on on the next line");
        }
        _ => {}
    }
    if last_token(before) == "lambda" {
        return unexpected("`lambda` is not in the language".to_owned())
            .with_hint("write the formula itself; its free names are its parameters");
    }
    if is_symbol_outside_language(found) {
        return error("unexpected-character", format!("unexpected character `{shown}`"));
    }
    if !operand_expected {
        let error =
            unexpected(format!("unexpected `{shown}` after `{}`, expected an operator", shorten(last_token(before))));
        return match is_operand_start(found) {
            true => error.with_hint("a product is written with `*`; statements are separated by a newline or `;`"),
            false => error,
        };
    }
    let error = match before.is_empty() {
        true => unexpected(format!("unexpected `{shown}`, expected a value")),
        false => unexpected(format!("unexpected `{shown}` after `{}`, expected a value", shorten(last_token(before)))),
    };
    match KEYWORDS.contains(&found) {
        true => error.with_hint(format!("`{found}` is a keyword; as a name it is written in backticks")),
        false => error,
    }
}

const KEYWORDS: [&str; 12] =
    ["and", "break", "continue", "elif", "else", "for", "if", "in", "not", "or", "return", "while"];

/// What the statement that starts with `word` is called, if the language will have it; `more` follows it.
fn construct(word: &str, more: bool) -> Option<&'static str> {
    Some(match word {
        "if" | "elif" | "else" => "`if` statements",
        "while" => "`while` loops",
        "for" => "`for` loops",
        "return" => "`return` statements",
        "break" => "`break` statements",
        "continue" => "`continue` statements",
        "fn" if more => "`fn` definitions",
        "kernel" if more => "`kernel` definitions",
        _ => return None,
    })
}

/// Characters that stand for others: what to add to the message, and the hint.
fn lookalike(found: &str) -> Option<(&'static str, &'static str)> {
    Some(match found.chars().next()? {
        '×' | '·' | '⋅' | '∙' | '∗' => ("", "a product is written `*`"),
        '÷' | '∕' | '⁄' => ("", "a quotient is written `/`"),
        '−' | '–' | '—' | '‐' | '‑' => (", which is not `-`", "write a plain minus, `-`"),
        '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»' => (", a typographic quote", "write `\"` or `'`"),
        '≤' => ("", "write `<=`"),
        '≥' => ("", "write `>=`"),
        '≠' => ("", "write `!=`"),
        '²' => ("", "write `**2`"),
        '³' => ("", "write `**3`"),
        '√' => ("", "write `sqrt(x)`"),
        '¬' => ("", "write `not`"),
        '∧' => ("", "write `and`"),
        '∨' => ("", "write `or`"),
        '(' | ')' => return None,
        '（' | '）' => (", a full-width bracket", "write `(` and `)`"),
        '，' => (", a full-width comma", "write `,`"),
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => {
            (", a space that is none of the language's", "write a plain space")
        }
        '\u{feff}' | '\u{200b}' | '\u{200c}' | '\u{200d}' => (", which is invisible", "delete it"),
        _ => return None,
    })
}

fn is_symbol_outside_language(found: &str) -> bool {
    !is_operand_start(found)
        && !found.starts_with(|c: char| c.is_ascii() && !c.is_ascii_control() && !"$?@\\".contains(c))
}

fn is_operand_start(found: &str) -> bool {
    found.starts_with(|c: char| is_word(c) || matches!(c, '(' | '"' | '\'' | '`' | '.'))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word or the symbol at the start of `text`.
fn token(text: &str) -> &str {
    let Some(first) = text.chars().next() else { return "" };
    let length = match first {
        first if is_word(first) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        quote @ ('"' | '\'' | '`') => text[1..].find(quote).map_or(1, |end| end + 2),
        first => first.len_utf8(),
    };
    &text[..length]
}

/// The word or the symbol at the end of `text`.
fn last_token(text: &str) -> &str {
    let start = match text.chars().next_back() {
        None => 0,
        Some(last) if is_word(last) => {
            text.rfind(|c| !is_word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8))
        }
        Some(last) => {
            let one = text.len() - last.len_utf8();
            ["**", "//", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%="]
                .iter()
                .find(|symbol| text.ends_with(**symbol))
                .map_or(one, |symbol| text.len() - symbol.len())
        }
    };
    &text[start..]
}

/// `text` for a message.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

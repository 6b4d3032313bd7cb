//! Text to tokens, statements and words: just enough of the language to know where a formula ends.

use std::ops::Range;

/// A piece of text without meaning yet; white space, comments and escaped line ends are left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Bytes of the text.
    pub(crate) range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, in backticks or not.
    Name,
    Number,
    Text,
    Open,
    Close,
    /// A newline or `;`.
    Separator,
    Operator,
    /// A quote or backtick that is never closed.
    Unclosed,
}

/// Two-character operators that must not be taken for an assignment.
const COMPARISONS: [&str; 4] = ["==", "!=", "<=", ">="];

/// The tokens of `text`, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    Tokens { text, at: 0 }.collect()
}

/// Tokens as they are asked for, so that the first statement of a long script costs no more than itself.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let start = self.at;
            let (kind, length) = first(&self.text[start..])?;
            self.at = start + length;
            if let Some(kind) = kind {
                return Some(Token { kind, range: start..start + length });
            }
        }
    }
}

/// What `text` begins with, and its length in bytes; white space and comments are of no kind.
fn first(text: &str) -> Option<(Option<Kind>, usize)> {
    let character = text.chars().next()?;
    let line = || text.find('\n').unwrap_or(text.len());
    Some(match character {
        '\n' | ';' => (Some(Kind::Separator), 1),
        '#' => (None, line()),
        '`' | '"' | '\'' => match text[1..].find([character, '\n']) {
            Some(end) if text[1 + end..].starts_with(character) => {
                (Some(if character == '`' { Kind::Name } else { Kind::Text }), end + 2)
            }
            Some(_) | None => (Some(Kind::Unclosed), line()),
        },
        '(' | '[' | '{' => (Some(Kind::Open), 1),
        ')' | ']' | '}' => (Some(Kind::Close), 1),
        c if c.is_whitespace() => (None, c.len_utf8()),
        c if c.is_alphabetic() || c == '_' => (Some(Kind::Name), name_length(text)),
        c if c.is_ascii_digit() || (c == '.' && text[1..].starts_with(|c: char| c.is_ascii_digit())) => {
            (Some(Kind::Number), number_length(text))
        }
        _ if COMPARISONS.iter().any(|operator| text.starts_with(operator)) => (Some(Kind::Operator), 2),
        c => (Some(Kind::Operator), c.len_utf8()),
    })
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || is_mark(c))).unwrap_or(text.len())
}

/// Combining marks, of which names written in decomposed form are full.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let decimal = !(text.starts_with("0x") || text.starts_with("0X"));
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let signed_exponent = matches!(byte, b'+' | b'-') && decimal && at > 0 && matches!(bytes[at - 1], b'e' | b'E');
        let range = byte == b'.' && bytes.get(at + 1) == Some(&b'.');
        if range || !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || signed_exponent) {
            break;
        }
        at += 1;
    }
    at
}

/// Whether a bracket is still open at the end of `text`, so that its formula goes on in the next line.
pub(crate) fn is_open(text: &str) -> bool {
    if text.trim_start().starts_with(':') {
        return false;
    }
    let depth = tokens(text).iter().fold(0_i64, |depth, token| match token.kind {
        Kind::Open => depth + 1,
        Kind::Close => depth - 1,
        Kind::Name | Kind::Number | Kind::Text | Kind::Separator | Kind::Operator | Kind::Unclosed => depth,
    });
    depth > 0
}

/// A statement of the language or a command, and where it begins.
#[derive(Debug, PartialEq)]
pub(crate) struct Statement<'a> {
    pub(crate) text: &'a str,
    /// 1-based line of its first character.
    pub(crate) line: usize,
}

/// Cuts a script into statements, at newlines and `;` outside brackets; a line that starts with `:` is a command.
pub(crate) fn statements(script: &str) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < script.len() {
        let rest = &script[at..];
        let length = match rest.trim_start_matches([' ', '\t']).starts_with(':') {
            true => rest.find('\n').unwrap_or(rest.len()),
            false => statement_length(rest),
        };
        let whole = &rest[..length];
        let text = whole.trim();
        if first_token(text).is_some() {
            let blank = &whole[..whole.len() - whole.trim_start().len()];
            found.push(Statement { text, line: line + blank.matches('\n').count() });
        }
        let end = (at + length + 1).min(script.len());
        line += script[at..end].matches('\n').count();
        at = end;
    }
    found
}

fn first_token(text: &str) -> Option<Token> {
    Tokens { text, at: 0 }.next()
}

/// The bytes up to the separator that ends the first statement of `text`.
fn statement_length(text: &str) -> usize {
    let mut tokens = Tokens { text, at: 0 };
    let mut depth = 0_i64;
    while let Some(token) = tokens.next() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Separator if depth <= 0 => {
                let next = Tokens { ..tokens }.find(|token| token.kind != Kind::Separator);
                let goes_on = next.is_some_and(|next| matches!(&text[next.range], "else" | "elif"));
                if !goes_on {
                    return token.range.start;
                }
            }
            Kind::Separator | Kind::Name | Kind::Number | Kind::Text | Kind::Operator | Kind::Unclosed => {}
        }
    }
    text.len()
}

/// Whether a statement keeps names rather than yields a value.
pub(crate) fn is_assignment(statement: &str) -> bool {
    let mut depth = 0_i64;
    for token in tokens(statement) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Operator if depth == 0 && &statement[token.range.clone()] == "=" => return true,
            // Within a formula it stands behind a value.
            Kind::Name if token.range.start == 0 && &statement[token.range.clone()] == "if" => return true,
            Kind::Name if depth == 0 && matches!(&statement[token.range.clone()], "while" | "for") => return true,
            Kind::Operator | Kind::Name | Kind::Number | Kind::Text | Kind::Separator | Kind::Unclosed => {}
        }
    }
    false
}

/// Words that stand between two operands.
const BETWEEN: [&str; 5] = ["and", "or", "not", "if", "else"];

/// Cuts `x, y + 1` or `x sin(y) out.png` into its formulas: at commas, else where one operand follows another.
pub(crate) fn formulas(text: &str) -> Vec<&str> {
    let tokens = tokens(text);
    let depths: Vec<i64> = tokens
        .iter()
        .scan(0, |depth, token| {
            let before = *depth;
            *depth += i64::from(token.kind == Kind::Open) - i64::from(token.kind == Kind::Close);
            Some(before.min(*depth))
        })
        .collect();
    let is = |i: usize, operator: &str| &text[tokens[i].range.clone()] == operator;
    let commas: Vec<usize> = (0..tokens.len()).filter(|i| depths[*i] == 0 && is(*i, ",")).collect();
    let mut cuts: Vec<Range<usize>> = commas.iter().map(|i| tokens[*i].range.clone()).collect();
    if cuts.is_empty() {
        let operand = |i: usize| {
            matches!(tokens[i].kind, Kind::Name | Kind::Number | Kind::Text) && !BETWEEN.iter().any(|word| is(i, word))
        };
        for i in 1..tokens.len() {
            let spaced = tokens[i - 1].range.end < tokens[i].range.start;
            let ends = operand(i - 1) || tokens[i - 1].kind == Kind::Close;
            let begins = operand(i) || (tokens[i].kind == Kind::Open && spaced);
            if depths[i - 1] == 0 && depths[i] == 0 && ends && begins {
                cuts.push(tokens[i - 1].range.end..tokens[i].range.start);
            }
        }
    }
    let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut.end));
    let ends = cuts.iter().map(|cut| cut.start).chain(std::iter::once(text.len()));
    starts.zip(ends).map(|(start, end)| text[start..end].trim()).filter(|formula| !formula.is_empty()).collect()
}

/// The name as it is written in a formula: in backticks unless it is an identifier.
pub(crate) fn written(name: &str) -> String {
    const RESERVED: [&str; 15] = [
        "if", "elif", "else", "for", "while", "in", "and", "or", "not", "return", "break", "continue", "True", "False",
        "None",
    ];
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name_length(name) == name.len();
    if plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("`{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        statements(script).iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn a_script_is_cut_at_newlines_and_semicolons_outside_brackets() {
        let script = "a = 1; b = (2 +\n 3) # more; here\n\n:time a; b\n`x;y` + 1";
        assert_eq!(texts(script), ["a = 1", "b = (2 +\n 3) # more; here", ":time a; b", "`x;y` + 1"]);
        let lines: Vec<usize> = statements(script).iter().map(|statement| statement.line).collect();
        assert_eq!(lines, [1, 1, 4, 5]);
        assert_eq!(
            texts("if x > 0 {\n y = 1\n}\nelse {\n y = 2 }\ny"),
            ["if x > 0 {\n y = 1\n}\nelse {\n y = 2 }", "y"]
        );
        assert_eq!(texts("# nothing\n\n ; ;"), [] as [&str; 0]);
    }

    #[test]
    fn a_long_script_is_cut_in_time_linear_in_it() {
        let script = "x = f(1, 2) # and so on\n".repeat(100_000);
        let found = statements(&script);
        assert_eq!((found.len(), found[99_999].line), (100_000, 100_000));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_statements_and_formulas(text in r##"[ -~\n\PC]{0,60}|[()\[\]`"'#;:\n ab1.,=]{0,60}"##) {
            for token in tokens(&text) {
                assert!(!text[token.range].is_empty());
            }
            for statement in statements(&text) {
                assert!(text.contains(statement.text) && !statement.text.is_empty());
                assert!(text.lines().nth(statement.line - 1).is_some());
                is_assignment(statement.text);
                formulas(statement.text);
            }
            is_open(&text);
        }
    }

    #[test]
    fn an_open_bracket_goes_on_in_the_next_line() {
        assert!(is_open("f(1,"));
        assert!(is_open("[[1, 2], "));
        assert!(!is_open("f(1)"));
        assert!(!is_open("x # ("));
        assert!(!is_open(":help ("));
        assert!(!is_open("`(`"));
    }

    #[test]
    fn assignments_are_told_from_comparisons_and_named_arguments() {
        for text in ["x = 1", "x += 1", "`a b` = c", "a, b = b, a", "x **= 2", "if a > b { c = 1 }"] {
            assert!(is_assignment(text), "{text}");
        }
        for text in ["x == 1", "a <= b", "sum(x, axis=0)", "x != y", "a if b else c"] {
            assert!(!is_assignment(text), "{text}");
        }
    }

    #[test]
    fn formulas_are_cut_at_commas_or_between_operands() {
        assert_eq!(formulas("y"), ["y"]);
        assert_eq!(formulas("x y"), ["x", "y"]);
        assert_eq!(formulas("x sin(x)"), ["x", "sin(x)"]);
        assert_eq!(formulas("x, y + 1"), ["x", "y + 1"]);
        assert_eq!(formulas("x + 1 -y"), ["x + 1 -y"]);
        assert_eq!(formulas("x (y + 1)"), ["x", "(y + 1)"]);
        assert_eq!(formulas("`unit price` x if x > 0 else 1"), ["`unit price`", "x if x > 0 else 1"]);
        assert_eq!(formulas("atan2(y, x)"), ["atan2(y, x)"]);
        assert_eq!(formulas(""), [] as [&str; 0]);
    }

    #[test]
    fn numbers_take_their_exponent_and_suffix() {
        let kinds =
            |text: &str| tokens(text).iter().map(|token| text[token.range.clone()].to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds("1e-3+2.5f32"), ["1e-3", "+", "2.5f32"]);
        assert_eq!(kinds("0x1e-3"), ["0x1e", "-", "3"]);
        assert_eq!(kinds("0..n"), ["0", ".", ".", "n"]);
    }

    #[test]
    fn names_that_are_no_identifiers_are_written_in_backticks() {
        assert_eq!(written("größe"), "größe");
        assert_eq!(written("unit price"), "`unit price`");
        assert_eq!(written("return"), "`return`");
        assert_eq!(written("2nd"), "`2nd`");
    }
}

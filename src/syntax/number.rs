//! The text of a number to its value.

use super::ast::{Number, NumberValue};
use super::diagnose::shorten;
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};

/// `text` starts with a digit, or with a dot and a digit.
pub(super) fn number(text: &str) -> Result<Number> {
    let radix = match text.get(..2) {
        Some("0x" | "0X") => Some((16, "a hexadecimal")),
        Some("0o" | "0O") => Some((8, "an octal")),
        Some("0b" | "0B") => Some((2, "a binary")),
        _ => None,
    };
    match radix {
        Some((radix, article)) => radix_number(text, radix, article),
        None => decimal_number(text),
    }
}

fn radix_number(text: &str, radix: u32, article: &str) -> Result<Number> {
    let body = &text[2..];
    let end = body.find(|c: char| !c.is_digit(radix) && c != '_').unwrap_or(body.len());
    let (digits, suffix) = body.split_at(end);
    if !separated(digits.strip_prefix('_').unwrap_or(digits)) {
        return Err(not_a_number(text).with_hint(format!("{article} number is digits after `{}`", &text[..2])));
    }
    let dtype = dtype_suffix(text, suffix)?;
    if dtype.is_some_and(DType::is_float) {
        return Err(bad_suffix(format!("{article} number takes an integer suffix, found `{suffix}`")));
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).map_err(|_| too_large(text))?;
    integer(text, value, dtype)
}

fn decimal_number(text: &str) -> Result<Number> {
    let digits =
        |from: usize| text[from..].find(|c: char| !c.is_ascii_digit() && c != '_').map_or(text.len(), |n| from + n);
    let whole = digits(0);
    let mut end = whole;
    let mut well_formed = whole == 0 || separated(&text[..whole]);
    if text[end..].starts_with('.') {
        end = digits(whole + 1);
        well_formed &= end == whole + 1 || separated(&text[whole + 1..end]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = end + 1 + usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(sign);
        well_formed &= separated(&text[sign..exponent]);
        end = exponent;
    }
    if !well_formed {
        return Err(not_a_number(text));
    }
    let (digits, suffix) = text.split_at(end);
    let dtype = dtype_suffix(text, suffix)?;
    let is_int = end == whole;
    if is_int && digits.len() > 1 && digits.starts_with('0') && digits.contains(|c| matches!(c, '1'..='9')) {
        let plain = digits.trim_start_matches(['0', '_']);
        return Err(Error::new(ErrorKind::Syntax, "leading-zero", format!("`{digits}` has a leading zero"))
            .with_hint(format!("write `{plain}`; octal numbers start with `0o`")));
    }
    let plain = digits.replace('_', "");
    let float = |dtype| {
        // Parsed as f32, for rounding to f64 first would round twice.
        let value = match dtype == Some(DType::F32) {
            true => plain.parse::<f32>().map(f64::from),
            false => plain.parse::<f64>(),
        };
        Number { value: NumberValue::Float(value.expect("digits, a dot and an exponent are a float")), dtype }
    };
    match dtype {
        Some(dtype) if dtype.is_float() => Ok(float(Some(dtype))),
        None if !is_int => Ok(float(None)),
        Some(_) if !is_int => Err(bad_suffix(format!("`{digits}` is no integer, the suffix `{suffix}` needs one"))),
        _ => integer(text, plain.parse().map_err(|_| too_large(text))?, dtype),
    }
}

/// Whether these are digits with single underscores between them.
fn separated(digits: &str) -> bool {
    !digits.is_empty() && !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__")
}

fn dtype_suffix(text: &str, suffix: &str) -> Result<Option<DType>> {
    if suffix.is_empty() {
        return Ok(None);
    }
    let dtype = DType::ALL.into_iter().find(|dtype| dtype.name() == suffix && *dtype != DType::Bool);
    dtype.map(Some).ok_or_else(|| {
        let digits = &text[..text.len() - suffix.len()];
        let error = not_a_number(text);
        match suffix.starts_with(|c: char| c.is_alphabetic()) && digits != "0" {
            true => error
                .with_hint(format!("a product is `{digits} * {suffix}`; suffixes are dtypes, as in `1u8`, `2.5f32`")),
            false => error,
        }
    })
}

fn integer(text: &str, value: i128, dtype: Option<DType>) -> Result<Number> {
    if let Some(dtype) = dtype {
        let (least, greatest) = dtype.int_range();
        if value > greatest {
            let error =
                literal_range(format!("`{}` is out of range: {dtype} holds {least} to {greatest}", shorten(text)));
            return Err(if value == -least {
                error.with_hint(format!("`{dtype}(-{value})` is the least {dtype}"))
            } else {
                error
            });
        }
    }
    Ok(Number { value: NumberValue::Int(value), dtype })
}

fn too_large(text: &str) -> Error {
    literal_range(format!("`{}` is too large for an integer of 128 bits", shorten(text)))
        .with_hint("a float is written with a dot or an exponent")
}

fn literal_range(message: String) -> Error {
    Error::new(ErrorKind::DType, "literal-range", message)
}

fn bad_suffix(message: String) -> Error {
    Error::new(ErrorKind::Syntax, "literal-suffix", message)
}

fn not_a_number(text: &str) -> Error {
    Error::new(ErrorKind::Syntax, "malformed-number", format!("`{}` is not a number", shorten(text)))
}

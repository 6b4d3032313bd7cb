//! An array to text, letter for letter as NumPy prints it with its default options.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;

use crate::array::{Array, Data, Stored};

/// Larger arrays are summarised.
const THRESHOLD: usize = 1000;
/// What a summary keeps at both ends of each axis.
const EDGE: usize = 3;
const LINE_WIDTH: usize = 75;
/// Digits after the decimal point.
const PRECISION: usize = 8;

/// `numpy.array_str(array)`.
pub(crate) fn show(array: &Array) -> String {
    if array.len() == 0 && !array.shape().is_empty() {
        return "[]".to_owned();
    }
    let summarise = array.len() > THRESHOLD;
    let mut shown = Vec::new();
    collect(array.shape(), summarise, 0, &mut shown);
    let words = match array.data() {
        Data::Bool(values) if array.shape().is_empty() => pick(values, &shown, |x| x.to_string()),
        Data::Bool(values) => pick(values, &shown, |x| if x { " True" } else { "False" }.to_owned()),
        Data::F32(values) if array.shape().is_empty() => vec![scalar(values[0])],
        Data::F64(values) if array.shape().is_empty() => vec![scalar(values[0])],
        Data::F32(values) => floats(&pick(values, &shown, |x| x)),
        Data::F64(values) => floats(&pick(values, &shown, |x| x)),
        Data::I8(values) => integers(&pick(values, &shown, |x| x)),
        Data::I16(values) => integers(&pick(values, &shown, |x| x)),
        Data::I32(values) => integers(&pick(values, &shown, |x| x)),
        Data::I64(values) => integers(&pick(values, &shown, |x| x)),
        Data::U8(values) => integers(&pick(values, &shown, |x| x)),
        Data::U16(values) => integers(&pick(values, &shown, |x| x)),
        Data::U32(values) => integers(&pick(values, &shown, |x| x)),
        Data::U64(values) => integers(&pick(values, &shown, |x| x)),
    };
    if array.shape().is_empty() {
        return capitalised(&words[0]);
    }
    layout(array.shape(), summarise, &mut words.iter().map(String::as_str), 1)
}

/// Python's `True` and `False`.
fn capitalised(word: &str) -> String {
    match word {
        "true" => "True".to_owned(),
        "false" => "False".to_owned(),
        word => word.to_owned(),
    }
}

fn pick<T: Copy, U>(values: &[T], shown: &[usize], word: impl Fn(T) -> U) -> Vec<U> {
    shown.iter().map(|index| word(values[*index])).collect()
}

/// The indices along one axis that are shown.
fn kept(extent: usize, summarise: bool) -> Vec<usize> {
    if is_cut(extent, summarise) { (0..EDGE).chain(extent - EDGE..extent).collect() } else { (0..extent).collect() }
}

fn is_cut(extent: usize, summarise: bool) -> bool {
    summarise && extent > 2 * EDGE
}

/// Appends the flat indices of the elements that are shown, in C order.
fn collect(shape: &[usize], summarise: bool, base: usize, shown: &mut Vec<usize>) {
    let Some((extent, inner)) = shape.split_first() else {
        shown.push(base);
        return;
    };
    for index in kept(*extent, summarise) {
        collect(inner, summarise, (base * extent) + index, shown);
    }
}

/// Brackets, separators and line ends round `words`; `indent` is that of the first line, which is left out.
fn layout<'a>(shape: &[usize], summarise: bool, words: &mut impl Iterator<Item = &'a str>, indent: usize) -> String {
    let hanging = " ".repeat(indent);
    let extent = shape[0];
    let cut = is_cut(extent, summarise);
    let count = kept(extent, summarise).len();
    let mut text = String::new();
    if let [_] = shape {
        // Each bracket to the left costs a column at the right, too.
        let width = LINE_WIDTH - indent;
        let mut line = hanging.clone();
        let mut push = |line: &mut String, word: &str, last: bool| {
            if line.len() + word.len() > width && line.len() > hanging.len() {
                text.push_str(line.trim_end());
                text.push('\n');
                line.clone_from(&hanging);
            }
            line.push_str(word);
            if !last {
                line.push(' ');
            }
        };
        for i in 0..count {
            if cut && i == EDGE {
                push(&mut line, "...", false);
            }
            push(&mut line, words.next().expect("a word for each element shown"), i + 1 == count);
        }
        text.push_str(&line);
    } else {
        let line_end = "\n".repeat(shape.len() - 1);
        for i in 0..count {
            if cut && i == EDGE {
                text.push_str(&hanging);
                text.push_str("...");
                text.push_str(&line_end);
            }
            text.push_str(&hanging);
            text.push_str(&layout(&shape[1..], summarise, words, indent + 1));
            if i + 1 < count {
                text.push_str(&line_end);
            }
        }
    }
    format!("[{}]", &text[indent..])
}

fn integers<T: fmt::Display>(values: &[T]) -> Vec<String> {
    right_aligned(values.iter().map(T::to_string).collect())
}

fn right_aligned(words: Vec<String>) -> Vec<String> {
    let width = words.iter().map(String::len).max().unwrap_or(0);
    words.into_iter().map(|word| format!("{word:>width$}")).collect()
}

/// A float dtype: what decides between positional and scientific notation is computed in it.
trait Float: Stored + FromStr<Err = ParseFloatError> + fmt::Display + fmt::LowerExp + PartialOrd {
    /// Arrays with a value from here on are printed with exponents.
    const LARGE: Self;
    /// Scalars from here on are.
    const LARGE_SCALAR: f64;
    const SMALL: Self;
    fn abs(self) -> Self;
    fn ratio_exceeds_1000(self, least: Self) -> bool;
}

impl Float for f32 {
    const LARGE: f32 = 1e6;
    const LARGE_SCALAR: f64 = 1e6;
    const SMALL: f32 = 0.0001;
    fn abs(self) -> f32 {
        f32::abs(self)
    }
    fn ratio_exceeds_1000(self, least: f32) -> bool {
        self / least > 1000.0
    }
}

impl Float for f64 {
    const LARGE: f64 = 1e8;
    const LARGE_SCALAR: f64 = 1e16;
    const SMALL: f64 = 0.0001;
    fn abs(self) -> f64 {
        f64::abs(self)
    }
    fn ratio_exceeds_1000(self, least: f64) -> bool {
        self / least > 1000.0
    }
}

/// A float by itself: all its digits.
fn scalar<T: Float>(x: T) -> String {
    if let Some(word) = not_finite(x.to_f64()) {
        return word.to_owned();
    }
    let magnitude = x.abs().to_f64();
    if magnitude != 0.0 && !(1e-4..T::LARGE_SCALAR).contains(&magnitude) {
        let (digits, exponent) = scientific(x, 0, usize::MAX);
        return format!("{}{exponent}", digits.trim_end_matches('.'));
    }
    let text = shortest(x);
    if text.contains('.') { text } else { text + ".0" }
}

/// The shortest digits that read back as `x`; of two equally near, the even one, as NumPy has it.
fn shortest<T: Float>(x: T) -> String {
    let text = x.to_string();
    let digits = text.find('.').map_or(0, |dot| text.len() - dot - 1);
    Some(format!("{x:.digits$}")).filter(|even| even.parse() == Ok(x)).unwrap_or(text)
}

fn not_finite(x: f64) -> Option<&'static str> {
    match x {
        x if x.is_nan() => Some("nan"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// One word a value, all of one width.
fn floats<T: Float>(values: &[T]) -> Vec<String> {
    let finite: Vec<T> = values.iter().copied().filter(|x| x.to_f64().is_finite()).collect();
    let words = if wants_exponent(&finite) { with_exponents(values, &finite) } else { positional_words(values) };
    right_aligned(words)
}

fn wants_exponent<T: Float>(finite: &[T]) -> bool {
    let mut sizes = finite.iter().map(|x| x.abs()).filter(|x| x.to_f64() != 0.0);
    let Some(first) = sizes.next() else { return false };
    let (least, greatest) = sizes.fold((first, first), |(least, greatest), x| {
        (if x < least { x } else { least }, if x > greatest { x } else { greatest })
    });
    greatest >= T::LARGE || least < T::SMALL || greatest.ratio_exceeds_1000(least)
}

/// The dots stand below each other: zeros at the end of a fraction are blanks.
fn positional_words<T: Float>(values: &[T]) -> Vec<String> {
    let words: Vec<String> = values.iter().map(|x| positional(*x)).collect();
    let fraction = |word: &str| word.find('.').map(|dot| word.len() - dot - 1);
    let longest = words.iter().filter_map(|word| fraction(word)).max().unwrap_or(0);
    // What is not finite ends where the longest fraction does.
    let pad = |word: &String| fraction(word).map_or(0, |digits| longest - digits);
    words.iter().map(|word| format!("{word}{}", " ".repeat(pad(word)))).collect()
}

/// The shortest digits that read back as `x`, but no more than [`PRECISION`] of the fraction; ends in a dot if that
/// is zero.
fn positional<T: Float>(x: T) -> String {
    if let Some(word) = not_finite(x.to_f64()) {
        return word.to_owned();
    }
    let mut text = shortest(x);
    match text.find('.') {
        None => text.push('.'),
        Some(dot) if text.len() - dot - 1 > PRECISION => {
            text = format!("{:.PRECISION$}", x.to_f64());
            text.truncate(text.trim_end_matches('0').len());
        }
        Some(_) => {}
    }
    text
}

/// All mantissas have the same number of digits, all exponents too.
fn with_exponents<T: Float>(values: &[T], finite: &[T]) -> Vec<String> {
    let fraction = |(mantissa, _): (String, String)| mantissa.len() - mantissa.find('.').expect("a dot") - 1;
    let longest = finite.iter().map(|x| fraction(scientific(*x, 0, PRECISION))).max().unwrap_or(0);
    let exponents = finite.iter().map(|x| scientific(*x, 0, PRECISION).1.len() - 2).max().unwrap_or(0);
    let word = |x: &T| match not_finite(x.to_f64()) {
        Some(word) => word.to_owned(),
        None => {
            let (mantissa, exponent) = scientific(*x, longest, PRECISION);
            format!("{mantissa}{}{:0>exponents$}", &exponent[..2], &exponent[2..])
        }
    };
    values.iter().map(word).collect()
}

/// `-1.25` and `e+03`: the shortest digits that read back, but at least `least` and at most `most` after the dot.
fn scientific<T: Float>(x: T, least: usize, most: usize) -> (String, String) {
    let mut text = format!("{x:e}");
    let exponent_at = text.find('e').expect("an exponent");
    let digits = text.find('.').map_or(0, |dot| exponent_at - dot - 1);
    if digits < least {
        // NumPy goes on with the digits of the exact value, which need not be zeros.
        text = format!("{:.least$e}", x.to_f64());
    } else if digits > most {
        text = format!("{:.most$e}", x.to_f64());
    } else {
        // As in `shortest`.
        text = Some(format!("{x:.digits$e}")).filter(|even| even.parse() == Ok(x)).unwrap_or(text);
    }
    let (mantissa, exponent) = text.split_once('e').expect("an exponent");
    let mantissa = match mantissa.contains('.') {
        true if least == 0 => mantissa.trim_end_matches('0').to_owned(),
        true => mantissa.to_owned(),
        false => format!("{mantissa}."),
    };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    (mantissa, format!("e{sign}{exponent:0>2}"))
}

#[cfg(test)]
mod tests {
    use numlift::{DType, Element};

    use super::*;
    use crate::array::with_type;

    /// Cases are `# dtype shape [step]`, a line of bits in hex (or nothing: element i is i * step), NumPy's text.
    #[test]
    fn arrays_print_as_numpy_prints_them() {
        let cases = include_str!("../../tests/data/show.txt").split("# ").skip(1);
        let mut count = 0;
        for case in cases {
            let (head, rest) = case.split_once('\n').expect("a head line");
            let (data, expected) = rest.split_once('\n').expect("a data line");
            let mut head = head.split(' ');
            let dtype = DType::from_name(head.next().expect("a dtype")).expect("a dtype");
            let shape = head.next().expect("a shape").trim_matches(['(', ')']);
            let shape: Vec<usize> = shape.split(',').filter_map(|extent| extent.parse().ok()).collect();
            let step: Option<f64> = head.next().map(|step| step.parse().expect("a step"));
            let array = match step {
                Some(step) => {
                    let values = (0..shape.iter().product::<usize>()).map(|i| i as f64 * step);
                    match dtype {
                        DType::F32 => Array::new(shape, values.map(|x| x as f32).collect::<Vec<_>>()),
                        DType::F64 => Array::new(shape, values.collect::<Vec<_>>()),
                        _ => Array::new(shape, values.map(|x| x as i64).collect::<Vec<_>>()),
                    }
                }
                None => {
                    let bits = data.split_whitespace().map(|word| u64::from_str_radix(word, 16).expect("hex"));
                    with_type!(dtype, T => Array::new(shape, bits.map(T::from_bits64).collect::<Vec<T>>()))
                }
            };
            assert_eq!(show(&array), expected.trim_end_matches('\n'), "{dtype} {:?} {data}", array.shape());
            count += 1;
        }
        assert!(count > 500, "only {count} cases were read");
    }
}

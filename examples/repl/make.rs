//! Lists and the calls `linspace`, `arange` and `rand` in a formula to arrays.
//!
//! The language has no arrays to write down; a formula is applied to some. So the REPL computes these itself, wherever
//! they stand, and hands the engine a formula with a name in their place: the text of the call, in backticks.

use std::ops::Range;

use numlift::DType;

use crate::array::{Array, Number, Stored, with_type};
use crate::failure::Result;
use crate::scan::{Kind, Token, tokens};

/// A function that makes an array, for help and completion.
pub(crate) struct Maker {
    pub(crate) name: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) doc: &'static str,
}

pub(crate) const MAKERS: [Maker; 3] = [
    Maker {
        name: "linspace",
        usage: "linspace(start, stop, n=50)",
        doc: "n numbers from start to stop, both included",
    },
    Maker {
        name: "arange",
        usage: "arange(start=0, stop, step=1)",
        doc: "numbers from start up to stop, which is left out",
    },
    Maker {
        name: "rand",
        usage: "rand(n, m, ..., seed=)",
        doc: "random f64 in [0, 1) of that shape; the same in every session",
    },
];

/// Axes that a list may have, as in NumPy.
const MOST_AXES: usize = 64;

/// More elements are taken for a slip of the finger.
const MOST: usize = 1 << 30;

/// A formula in which names stand for what the REPL made.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    pub(crate) made: Vec<(String, Array)>,
}

/// What the arguments of calls may need: the value of a formula, and random numbers.
pub(crate) trait Context {
    fn evaluate(&mut self, formula: &str) -> Result<Array>;
    fn random(&mut self) -> &mut Random;
}

/// Replaces every list and call in `text` by a name for its array.
pub(crate) fn expand(text: &str, context: &mut impl Context) -> Result<Expanded> {
    let tokens = tokens(text);
    let mut expanded = Expanded { text: String::new(), made: Vec::new() };
    let (mut i, mut copied) = (0, 0);
    while i < tokens.len() {
        let Some(end) = made_at(text, &tokens, i) else {
            i += 1;
            continue;
        };
        let end =
            end.ok_or_else(|| format!("`{}` has a bracket that is never closed", &text[tokens[i].range.clone()]))?;
        let range = tokens[i].range.start..tokens[end].range.end;
        let array = make(text, &tokens[i..=end], context)?;
        let name = name(&text[range.clone()], &expanded.made);
        expanded.text.push_str(&text[copied..range.start]);
        expanded.text.push_str(&format!("`{name}`"));
        expanded.made.push((name, array));
        (i, copied) = (end + 1, range.end);
    }
    expanded.text.push_str(&text[copied..]);
    Ok(expanded)
}

/// If a list or call begins at token `i`: the index of the token that closes it, if one does.
fn made_at(text: &str, tokens: &[Token], i: usize) -> Option<Option<usize>> {
    let written = |i: usize| tokens.get(i).map_or("", |token: &Token| &text[token.range.clone()]);
    let after_operand = i > 0
        && match tokens[i - 1].kind {
            Kind::Name => !["and", "or", "not", "if", "else", "in", "return"].contains(&written(i - 1)),
            Kind::Number | Kind::Close | Kind::Text => true,
            Kind::Open | Kind::Separator | Kind::Operator | Kind::Unclosed => false,
        };
    let open = if MAKERS.iter().any(|maker| maker.name == written(i)) && written(i + 1) == "(" {
        i + 1
    } else if written(i) == "[" && !after_operand {
        i
    } else {
        return None;
    };
    Some(closing(tokens, open))
}

/// The index of the token that closes the bracket at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Name | Kind::Number | Kind::Text | Kind::Separator | Kind::Operator | Kind::Unclosed => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// A name that no other array of the formula has: the text itself if it is short and plain.
fn name(text: &str, made: &[(String, Array)]) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = text.len() <= 60 && !text.contains(['`', '#']);
    let base = if plain { words.join(" ") } else { "list or call".to_owned() };
    let numbered = (2..).map(|k| format!("{base} {k}"));
    let mut names = std::iter::once(base.clone()).chain(numbered);
    names.find(|name| made.iter().all(|(other, _)| other != name)).expect("numbers do not run out")
}

fn make(text: &str, tokens: &[Token], context: &mut impl Context) -> Result<Array> {
    let first = &text[tokens[0].range.clone()];
    if first == "[" {
        return list(text, tokens, context);
    }
    let mut arguments = Vec::new();
    let mut seed = None;
    for argument in parts(text, &tokens[1..]) {
        let named = argument.split_once('=').filter(|(name, _)| name.trim() == "seed" && first == "rand");
        match named {
            Some((_, value)) => seed = Some(count("seed", scalar(value.trim(), context)?)?),
            None => arguments.push(scalar(argument, context)?),
        }
    }
    let numbers: Vec<Number> = arguments.iter().map(|(_, number)| *number).collect();
    let integers = arguments.iter().all(|(dtype, _)| !dtype.is_float());
    match (first, numbers.as_slice()) {
        ("linspace", [start, stop]) => linspace(start.to_f64(), stop.to_f64(), 50),
        ("linspace", [start, stop, _]) => linspace(start.to_f64(), stop.to_f64(), count("n", arguments[2])?),
        ("arange", [stop]) => arange(Number::Int(0), *stop, Number::Int(1), integers),
        ("arange", [start, stop]) => arange(*start, *stop, Number::Int(1), integers),
        ("arange", [start, stop, step]) => arange(*start, *stop, *step, integers),
        ("rand", _) => {
            let shape = arguments.iter().map(|argument| count("a shape", *argument)).collect::<Result<Vec<usize>>>()?;
            let random = seed.map(|seed| Random(seed as u64));
            fill(shape, random.unwrap_or_else(|| context.random().split()))
        }
        (name, found) => {
            let maker = MAKERS.iter().find(|maker| maker.name == name).expect("only makers are made");
            Err(format!("`{name}` does not take {} arguments\n  hint: {} is {}", found.len(), maker.usage, maker.doc)
                .into())
        }
    }
}

/// The text between the commas of a bracketed list of tokens; a trailing comma adds nothing.
fn parts<'a>(text: &'a str, tokens: &[Token]) -> Vec<&'a str> {
    let inner = &tokens[1..tokens.len() - 1];
    let mut depth = 0;
    let mut parts = Vec::new();
    let mut start = tokens[0].range.end;
    for token in inner {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Operator if depth == 0 && &text[token.range.clone()] == "," => {
                parts.push(text[start..token.range.start].trim());
                start = token.range.end;
            }
            Kind::Operator | Kind::Name | Kind::Number | Kind::Text | Kind::Separator | Kind::Unclosed => {}
        }
    }
    let last = text[start..tokens[tokens.len() - 1].range.start].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// The value of a literal or of any formula that gives one number.
fn scalar(formula: &str, context: &mut impl Context) -> Result<(DType, Number)> {
    let digits = formula.replace('_', "");
    if formula.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        if let Ok(x) = digits.parse::<i64>() {
            return Ok((DType::I64, Number::Int(x.into())));
        }
        if let Ok(x) = digits.parse::<f64>() {
            return Ok((DType::F64, Number::Float(x)));
        }
    }
    let array = context.evaluate(formula)?;
    let number = array.number().ok_or_else(|| format!("`{formula}` is {}, expected one number", array.kind()))?;
    Ok((array.dtype(), number))
}

fn count(what: &str, (_, number): (DType, Number)) -> Result<usize> {
    let value = number.to_f64();
    let whole = value.fract() == 0.0 && (0.0..=MOST as f64).contains(&value);
    if whole {
        Ok(value as usize)
    } else {
        Err(format!("{what} is {value}, expected a whole number up to {MOST}").into())
    }
}

fn list(text: &str, tokens: &[Token], context: &mut impl Context) -> Result<Array> {
    let mut rows = Rows { shape: Vec::new(), values: Vec::new() };
    rows.read(text, tokens, 0, context)?;
    let dtype = rows.values.iter().map(|(dtype, _)| *dtype).reduce(DType::promote).unwrap_or(DType::F64);
    let numbers = rows.values.iter().map(|(_, number)| *number);
    Ok(with_type!(dtype, T => Array::new(rows.shape, numbers.map(T::from_number).collect::<Vec<T>>())))
}

/// A list in the making: the extents known so far and the elements read so far.
struct Rows {
    shape: Vec<usize>,
    values: Vec<(DType, Number)>,
}

impl Rows {
    /// Reads a bracket at `axis`, and those within it.
    fn read(&mut self, text: &str, tokens: &[Token], axis: usize, context: &mut impl Context) -> Result<()> {
        if axis == MOST_AXES {
            return Err(format!("the list has more than {MOST_AXES} axes").into());
        }
        let parts = parts(text, tokens);
        match self.shape.get(axis) {
            Some(extent) if *extent != parts.len() => {
                let row = &text[Range { start: tokens[0].range.start, end: tokens[tokens.len() - 1].range.end }];
                return Err(format!("the row `{row}` has {} elements, the one before has {extent}", parts.len()).into());
            }
            Some(_) => {}
            None => self.shape.push(parts.len()),
        }
        for part in parts {
            let tokens = crate::scan::tokens(part);
            let nested = part.starts_with('[') && closing(&tokens, 0) == Some(tokens.len() - 1);
            let elements_begin = self.shape.len() == axis + 1;
            match nested {
                true if elements_begin && !self.values.is_empty() => {
                    return Err(format!("the list holds numbers and rows; `{part}` is a row").into());
                }
                true => self.read(part, &tokens, axis + 1, context)?,
                false if !elements_begin => {
                    return Err(format!("the list holds rows and numbers; `{part}` is no row").into());
                }
                false => self.values.push(scalar(part, context)?),
            }
        }
        Ok(())
    }
}

/// As `numpy.linspace` computes it, so that the numbers are the same.
fn linspace(start: f64, stop: f64, n: usize) -> Result<Array> {
    let (intervals, span) = (n.saturating_sub(1) as f64, stop - start);
    let step = span / intervals;
    let value = |i: usize| match i {
        i if i + 1 == n && n > 1 => stop,
        0 => start,
        i if step == 0.0 => i as f64 / intervals * span + start,
        i => i as f64 * step + start,
    };
    Ok(Array::vector((0..n).map(value).collect::<Vec<f64>>()))
}

/// As `numpy.arange` computes it: integers if all arguments are.
fn arange(start: Number, stop: Number, step: Number, integers: bool) -> Result<Array> {
    let n = ((stop.to_f64() - start.to_f64()) / step.to_f64()).ceil().max(0.0);
    if n.is_nan() || n > MOST as f64 {
        return Err(format!("a range of {n} numbers, expected up to {MOST}").into());
    }
    let n = n as usize;
    match (start, step) {
        (Number::Int(start), Number::Int(step)) if integers => {
            Ok(Array::vector((0..n).map(|i| (start + i as i128 * step) as i64).collect::<Vec<i64>>()))
        }
        (start, step) => {
            let (first, second) = (start.to_f64(), start.to_f64() + step.to_f64());
            let difference = second - first;
            let value = |i: usize| if i == 1 { second } else { first + i as f64 * difference };
            Ok(Array::vector((0..n).map(value).collect::<Vec<f64>>()))
        }
    }
}

fn fill(shape: Vec<usize>, mut random: Random) -> Result<Array> {
    let n = shape.iter().try_fold(1_usize, |n, extent| n.checked_mul(*extent)).filter(|n| *n <= MOST);
    let n = n.ok_or_else(|| format!("an array of shape {shape:?} has more than {MOST} elements"))?;
    Ok(Array::new(shape, (0..n).map(|_| random.uniform()).collect::<Vec<f64>>()))
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A generator of its own for one array.
    fn split(&mut self) -> Random {
        Random(self.next())
    }

    /// A multiple of 2**-53 in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::show;

    struct NoEngine(Random);

    impl Context for NoEngine {
        fn evaluate(&mut self, formula: &str) -> Result<Array> {
            match formula {
                "n" => Ok(Array::new([], vec![3_i64])),
                "x" => Ok(Array::vector(vec![1.0_f32, 2.0])),
                "True" => Ok(Array::new([], vec![true])),
                _ => Err(format!("no `{formula}` here").into()),
            }
        }
        fn random(&mut self) -> &mut Random {
            &mut self.0
        }
    }

    fn expanded(text: &str) -> Result<Expanded> {
        expand(text, &mut NoEngine(Random(0)))
    }

    fn one(text: &str) -> String {
        match expanded(text) {
            Ok(Expanded { made, .. }) => format!("{} {}", made[0].1.kind(), show(&made[0].1)),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lists_have_the_dtype_and_shape_numpy_gives_them() {
        assert_eq!(one("[1, 2, 3]"), "i64 (3,) [1 2 3]");
        assert_eq!(one("[[1, 2],\n [3, 4.5],]"), "f64 (2, 2) [[1.  2. ]\n [3.  4.5]]");
        assert_eq!(one("[True, True]"), "bool (2,) [ True  True]");
        assert_eq!(one("[]"), "f64 (0,) []");
        assert_eq!(one("[[], []]"), "f64 (2, 0) []");
        assert_eq!(one("[-1, n, 0x_f]"), "no `0x_f` here");
        assert_eq!(one("[-1, n, 1_000]"), "i64 (3,) [  -1    3 1000]");
    }

    #[test]
    fn ragged_lists_are_refused() {
        assert_eq!(one("[[1, 2], [3]]"), "the row `[3]` has 1 elements, the one before has 2");
        assert_eq!(one("[[1, 2], 3]"), "the list holds rows and numbers; `3` is no row");
        assert_eq!(one("[1, [2]]"), "the list holds numbers and rows; `[2]` is a row");
        assert_eq!(one("[x]"), "`x` is f32 (2,), expected one number");
        assert_eq!(one(&("[".repeat(100_000) + &"]".repeat(100_000))), "the list has more than 64 axes");
        assert_eq!(one("[1, 2"), "`[` has a bracket that is never closed");
    }

    /// Expected values from numpy 2.4.
    #[test]
    fn ranges_are_numpys() {
        assert_eq!(one("linspace(0, 1, n)"), "f64 (3,) [0.  0.5 1. ]");
        assert_eq!(one("linspace(0, 1, 1e0)"), "f64 (1,) [0.]");
        assert_eq!(one("linspace(0, 1, 0)"), "f64 (0,) []");
        assert_eq!(one("linspace(2, 2, 3)"), "f64 (3,) [2. 2. 2.]");
        assert_eq!(one("arange(3)"), "i64 (3,) [0 1 2]");
        assert_eq!(one("arange(5, 0, -2)"), "i64 (3,) [5 3 1]");
        assert_eq!(one("arange(0, 1, 0.3)"), "f64 (4,) [0.  0.3 0.6 0.9]");
        assert_eq!(one("arange(5, 0)"), "i64 (0,) []");
        let Ok(Expanded { made, .. }) = expanded("linspace(0, 1, 8) + arange(0, 1, 0.1)") else { panic!("two ranges") };
        let sevenths = [
            0.0,
            0.14285714285714285,
            0.2857142857142857,
            0.42857142857142855,
            0.5714285714285714,
            0.7142857142857142,
            0.8571428571428571,
            1.0,
        ];
        assert_eq!(made[0].1, Array::vector(sevenths.to_vec()));
        let tenths = [0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6000000000000001, 0.7000000000000001, 0.8, 0.9];
        assert_eq!(made[1].1, Array::vector(tenths.to_vec()));
        assert!(one("arange(0, 1, 0)").starts_with("a range of inf numbers"));
        assert!(one("linspace(0, 1, 1e12)").starts_with("n is 1000000000000, expected"));
        assert!(one("linspace(1)").starts_with("`linspace` does not take 1 arguments"));
    }

    #[test]
    fn random_arrays_differ_within_a_session_and_repeat_with_a_seed() {
        let Ok(Expanded { made, text }) = expanded("rand(4) - rand(4) + rand(2, 3, seed=1)") else {
            panic!("three arrays")
        };
        assert_eq!(text, "`rand(4)` - `rand(4) 2` + `rand(2, 3, seed=1)`");
        assert_ne!(made[0].1, made[1].1);
        assert_eq!(made[2].1.shape(), [2, 3]);
        assert_eq!(one("rand(3, seed=7)"), one("rand(3,  seed = 7)"));
        // The first output of SplitMix64 from 0 is e220a8397b1dcdaf.
        assert_eq!(Random(0).next(), 0xe220_a839_7b1d_cdaf);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in r##"([\[\](),` ab1.]|rand|arange|linspace){0,40}"##) {
            let _ = expanded(&text);
        }
    }

    #[test]
    fn only_what_the_repl_makes_is_replaced() {
        let text = |text: &str| expanded(text).expect("a formula").text;
        assert_eq!(text("sin(linspace(0, 1, 3)) * x[0] + [1]"), "sin(`linspace(0, 1, 3)`) * x[0] + `[1]`");
        assert_eq!(text("rand + linspace"), "rand + linspace");
        assert_eq!(text("a = not [1] # [2]"), "a = not `[1]` # [2]");
    }
}

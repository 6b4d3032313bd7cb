//! Texts that mean harm to results or typed errors: never a panic, an overflowing stack or a hang.

mod support;

use std::thread;

use numlift::{Args, DType, Engine, Error, ErrorKind, View};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};
use support::engines;

/// The stack of a thread that Rust starts.
const STACK: usize = 2 * 1024 * 1024;

const MIB: usize = 1024 * 1024;

/// What came of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Value,
    Failed(ErrorKind),
}

use Outcome::{Failed, Value};

/// Compiles and runs `text` on a small stack, every parameter three elements.
fn outcome(engine: &Engine, text: String) -> Outcome {
    let engine = engine.clone();
    let run = move || match evaluate(&engine, &text) {
        Ok(()) => Value,
        Err(error) => {
            assert!(!error.message().is_empty() && error.render().len() < 4096, "{}", error.render());
            Failed(error.kind())
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread starts").join().expect("no text panics")
}

fn evaluate(engine: &Engine, text: &str) -> Result<(), Error> {
    let x = [0.5, 1.0, 2.0];
    let kernel = engine.compile(text)?;
    kernel.eval(Args::lookup(|_| Some(View::new(&x))))?;
    Ok(())
}

/// `text` again and again until that many bytes.
fn fill(text: &str, bytes: usize) -> String {
    text.repeat(bytes / text.len())
}

/// Texts of this length are tried on one engine alone: what is slow of them comes before any backend.
const LONG: usize = 64 * 1024;

/// Each pair of a text and the outcomes that are right for it.
fn expect_all(cases: Vec<(&str, String, &[Outcome])>) {
    for (engine_name, engine) in engines() {
        for (name, text, right) in &cases {
            if text.len() > LONG && engine_name == "interpreter" {
                continue;
            }
            let found = outcome(&engine, text.clone());
            assert!(
                right.contains(&found),
                "{engine_name}: {name} ({} bytes): {found:?}, not of {right:?}",
                text.len()
            );
        }
    }
}

const LIMIT: &[Outcome] = &[Failed(ErrorKind::Limit)];
const SYNTAX_OR_LIMIT: &[Outcome] = &[Failed(ErrorKind::Syntax), Failed(ErrorKind::Limit)];
const VALUE: &[Outcome] = &[Value];
const VALUE_OR_LIMIT: &[Outcome] = &[Value, Failed(ErrorKind::Limit)];

/// A million of each: the text alone is too long, or nearly.
#[test]
fn a_million() {
    let n = 1_000_000;
    expect_all(vec![
        ("parentheses", "(".repeat(n), SYNTAX_OR_LIMIT),
        ("closed parentheses", format!("{}x{}", "(".repeat(n), ")".repeat(n)), LIMIT),
        ("minus signs", format!("{}x", "-".repeat(n)), LIMIT),
        ("not", format!("{}x", "not ".repeat(n)), LIMIT),
        ("exclamation marks", format!("{}x", "!".repeat(n)), LIMIT),
        ("tildes", format!("{}x", "~".repeat(n)), LIMIT),
        ("powers", format!("{}x", "x**".repeat(n)), LIMIT),
        ("conditionals", format!("{}x", "x if x else ".repeat(n)), LIMIT),
        ("calls", format!("{}x{}", "abs(".repeat(n), ")".repeat(n)), LIMIT),
        ("open calls", "abs(".repeat(n), LIMIT),
        ("brackets", "[".repeat(n), SYNTAX_OR_LIMIT),
        ("indices", format!("x{}", "[0".repeat(n)), LIMIT),
        ("braces", "{".repeat(n), SYNTAX_OR_LIMIT),
        ("blanks", " ".repeat(n), SYNTAX_OR_LIMIT),
        ("newlines", "\n".repeat(n), SYNTAX_OR_LIMIT),
        ("semicolons", ";".repeat(n), SYNTAX_OR_LIMIT),
        ("a comment", format!("x #{}", "#".repeat(n)), VALUE),
        (
            "a long number",
            "1".repeat(n),
            &[Failed(ErrorKind::DType), Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax)],
        ),
        ("a long fraction", format!("0.{}", "1".repeat(n)), VALUE_OR_LIMIT),
        (
            "a long exponent",
            format!("1e{}", "1".repeat(n)),
            &[Value, Failed(ErrorKind::DType), Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax)],
        ),
        ("a long name", "x".repeat(n), VALUE_OR_LIMIT),
        (
            "a long quoted name",
            format!("`{}`", " ".repeat(n)),
            &[Value, Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax)],
        ),
        ("an open string", format!("\"{}", "a".repeat(n)), SYNTAX_OR_LIMIT),
        ("an open name", format!("`{}", "a".repeat(n)), SYNTAX_OR_LIMIT),
        ("equals signs", "=".repeat(n), SYNTAX_OR_LIMIT),
    ]);
}

/// As deep as 1 MiB of text can go.
#[test]
fn nesting_in_a_mebibyte() {
    let n = 340_000;
    expect_all(vec![
        ("parentheses", "(".repeat(MIB), SYNTAX_OR_LIMIT),
        ("closed parentheses", format!("{}x{}", "(".repeat(n), ")".repeat(n)), LIMIT),
        ("minus signs", format!("{}x", "-".repeat(n)), LIMIT),
        ("minus signs apart", format!("{}x", "- ".repeat(n)), LIMIT),
        ("plus and tilde", format!("{}x", "+~".repeat(n)), LIMIT),
        ("not", format!("{}x", "not ".repeat(MIB / 4 - 1)), LIMIT),
        ("powers", format!("{}x", "x**".repeat(n)), LIMIT),
        ("powers of minus", format!("{}x", "x**-".repeat(MIB / 4 - 1)), LIMIT),
        ("conditionals", format!("{}x", fill("x if x else ", MIB - 12)), LIMIT),
        (
            "conditionals in conditions",
            format!("{}x{}", fill("x if (", MIB / 4), fill(") else x", MIB / 4)),
            SYNTAX_OR_LIMIT,
        ),
        ("calls", format!("{}x{}", "abs(".repeat(MIB / 6), ")".repeat(MIB / 6)), LIMIT),
        ("tuples", format!("{}x{}", "(x,".repeat(MIB / 5), ")".repeat(MIB / 5)), SYNTAX_OR_LIMIT),
        ("indices", format!("x{}{}", "[x".repeat(n), "]".repeat(n)), SYNTAX_OR_LIMIT),
        (
            "indices in a row",
            format!("x{}", "[0]".repeat(n)),
            &[
                Failed(ErrorKind::Syntax),
                Failed(ErrorKind::Limit),
                Failed(ErrorKind::Name),
                Failed(ErrorKind::Shape),
                Failed(ErrorKind::DType),
            ],
        ),
        ("calls in a row", format!("abs{}", "(x)".repeat(n)), SYNTAX_OR_LIMIT),
        ("opens of each kind", fill("([{`\"", MIB), SYNTAX_OR_LIMIT),
        ("closes", fill(")]}", MIB), SYNTAX_OR_LIMIT),
        ("blocks", fill("if x {", MIB), SYNTAX_OR_LIMIT),
        ("elifs", format!("if x {{a=1}}{}", fill("elif x {a=1}", MIB - 20)), SYNTAX_OR_LIMIT),
    ]);
}

/// 256 levels are allowed, and no stack is too small for them.
#[test]
fn nesting_under_the_limit() {
    let n = 250;
    expect_all(vec![
        ("parentheses", format!("{}x{}", "(".repeat(n), ")".repeat(n)), VALUE),
        ("minus signs", format!("{}x", "-".repeat(n)), VALUE),
        ("not", format!("{}x", "not ".repeat(n)), VALUE),
        ("powers", format!("{}1", "x**".repeat(n / 4)), VALUE),
        ("conditionals", format!("{}x", "x if x else ".repeat(n)), VALUE),
        ("calls", format!("{}x{}", "abs(".repeat(n), ")".repeat(n)), VALUE),
        ("one too many", format!("{}x{}", "(".repeat(257), ")".repeat(257)), LIMIT),
    ]);
}

/// Long and flat: a mebibyte that is no deeper than one operator.
#[test]
fn long_and_flat() {
    let names = |separator: &str| {
        let mut text = String::from("a0");
        for k in 1.. {
            let next = format!("{separator}a{k}");
            if text.len() + next.len() > MIB {
                break;
            }
            text.push_str(&next);
        }
        text
    };
    let mut sines = String::from("sin(x)");
    for k in 1.. {
        let next = format!("+sin(x+{k})");
        if sines.len() + next.len() > MIB {
            break;
        }
        sines.push_str(&next);
    }
    expect_all(vec![
        ("ones", format!("{}1", "1+".repeat(MIB / 2 - 1)), VALUE_OR_LIMIT),
        ("x", format!("{}x", "x+".repeat(MIB / 2 - 1)), VALUE_OR_LIMIT),
        ("names", names("+"), VALUE_OR_LIMIT),
        ("outputs", names(","), VALUE_OR_LIMIT),
        ("maxima", names("*-"), VALUE_OR_LIMIT),
        ("sines", sines, VALUE_OR_LIMIT),
        ("comparisons", format!("{}x", "x<".repeat(MIB / 2 - 1)), VALUE_OR_LIMIT),
        ("and", format!("{}x", "x and ".repeat(MIB / 6 - 1)), VALUE_OR_LIMIT),
        (
            "arguments",
            format!("abs({}x)", "x,".repeat(MIB / 2 - 4)),
            &[Failed(ErrorKind::Arity), Failed(ErrorKind::Limit)],
        ),
        ("statements", format!("{}a", "a=x;".repeat(MIB / 4 - 1)), VALUE_OR_LIMIT),
        ("unused values", "x;".repeat(MIB / 2 - 1), SYNTAX_OR_LIMIT),
        (
            "chained assignments",
            format!("a0=x;{}", (1..40_000).map(|k| format!("a{k}=a{}+1;", k - 1)).collect::<String>()),
            VALUE_OR_LIMIT,
        ),
    ]);
}

/// Under every limit, but with more arrays, outputs and constants than a machine has registers.
#[test]
fn wide() {
    let many = |n: usize, first: &str, next: &dyn Fn(usize) -> String| {
        (1..n).fold(first.to_string(), |text, k| text + &next(k))
    };
    expect_all(vec![
        ("parameters", many(6000, "a0", &|k| format!("+a{k}")), VALUE),
        ("outputs", many(1000, "x", &|k| format!(",x+{k}")), VALUE),
        ("outputs of parameters", many(700, "a0", &|k| format!(",a{k}*{k}")), VALUE),
        ("too many outputs", many(5000, "x", &|k| format!(",x+{k}")), VALUE_OR_LIMIT),
        ("constants", many(4000, "x", &|k| format!("*(x+{k}.5)")), VALUE),
        ("conditions", many(300, "x", &|k| format!(" + (x if y > {k} else {k})")), VALUE),
        ("sines", many(100, "x", &|k| format!("+sin(x+{k})")), VALUE),
        ("powers", many(60, "x", &|k| format!("+x**(y+{k})")), VALUE),
    ]);
}

/// Definitions whose meaning doubles with every line, were they not shared.
#[test]
fn doubling() {
    let doubled = |definition: &str| {
        let mut text = format!("a0 = {};", definition.replace('$', "x"));
        for k in 1..60 {
            text.push_str(&format!("a{k} = {};", definition.replace('$', &format!("a{}", k - 1))));
        }
        text + "a59"
    };
    let mut functions = String::from("fn f0(x) = x + 1\n");
    for k in 1..60 {
        functions.push_str(&format!("fn f{k}(x) = f{}(x) + f{}(x * 2)\n", k - 1, k - 1));
    }
    expect_all(vec![
        ("sums", doubled("$ + $"), VALUE),
        ("products", doubled("$ * ($ + 1)"), VALUE),
        ("sines", doubled("sin($) + cos($)"), VALUE),
        ("choices", doubled("($ if x else $ * 2)"), VALUE),
        ("powers", doubled("$ ** $"), VALUE_OR_LIMIT),
        (
            "functions",
            functions + "f59(x)",
            &[Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax), Failed(ErrorKind::Name)],
        ),
    ]);
}

#[test]
fn odd_characters() {
    let wrong = SYNTAX_OR_LIMIT;
    expect_all(vec![
        ("nothing", String::new(), wrong),
        ("a comment alone", "# nothing".to_string(), wrong),
        ("a zero byte", "x + \0".to_string(), wrong),
        ("a byte order mark", "\u{feff}x".to_string(), &[Value, Failed(ErrorKind::Syntax)]),
        ("a right-to-left mark", "x + \u{202e}y".to_string(), &[Value, Failed(ErrorKind::Syntax)]),
        ("a wide space", "x\u{3000}+\u{a0}y".to_string(), &[Value, Failed(ErrorKind::Syntax)]),
        ("a minus of typography", "x − y".to_string(), wrong),
        ("greek", "α + β * Δt".to_string(), VALUE),
        ("chinese", "价格 * 数量".to_string(), VALUE),
        ("emoji", "🚀 + 1".to_string(), wrong),
        (
            "combining marks",
            format!("e{}", "\u{301}".repeat(100_000)),
            &[Value, Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax)],
        ),
        ("ligatures that grow", "ﷺ".repeat(50_000), &[Value, Failed(ErrorKind::Limit), Failed(ErrorKind::Syntax)]),
        ("carriage returns", "x +\r1".to_string(), &[Value, Failed(ErrorKind::Syntax)]),
        ("windows lines", "a = x\r\n\r\na + 1\r\n".to_string(), VALUE),
        ("octal as C has it", "010 + x".to_string(), wrong),
        ("a dot", ".".to_string(), wrong),
        ("dots", "1..2".to_string(), wrong),
        (
            "a huge exponent",
            "1e999999999999999999999".to_string(),
            &[Value, Failed(ErrorKind::DType), Failed(ErrorKind::Syntax)],
        ),
        ("a tiny exponent", "1e-999999999999999999999".to_string(), VALUE),
        ("a huge shift", "1 << 99999999999999999999999999999999".to_string(), &[Failed(ErrorKind::DType)]),
        ("a huge power", "2 ** 99999999999999999999".to_string(), &[Failed(ErrorKind::DType)]),
        ("a huge power of one", "1 ** 99999999999999999999 + (-1) ** 99999999999999999999".to_string(), VALUE),
        ("a power tower", "9**9**9**9".to_string(), &[Failed(ErrorKind::DType)]),
        ("backquotes", "``".to_string(), &[Value, Failed(ErrorKind::Syntax)]),
        ("an open backquote", "`x".to_string(), wrong),
        ("an open quote", "bitcast(x, \"i64".to_string(), wrong),
        (
            "a line in a quote",
            "bitcast(x, \"i6\n4\")".to_string(),
            &[Failed(ErrorKind::Syntax), Failed(ErrorKind::Name), Failed(ErrorKind::DType)],
        ),
    ]);
}

/// Prints nothing and returns nothing: what counts is that it comes back.
fn survives(engine: &Engine, text: &str) {
    if let Err(error) = evaluate(engine, text) {
        assert!(!error.render().is_empty());
        let (Some(span), Some((line, column))) = (error.span(), error.line_column()) else { return };
        assert!(span.start <= span.end && span.end <= text.len(), "{text:?}: {span:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{text:?}: {span:?}");
        assert!(line >= 1 && column >= 1);
    }
}

fn random(cases: u32, strategy: impl Strategy<Value = String>) {
    let engine = Engine::builder().untrusted().build().expect("the host runs an engine");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(Default::default()));
    let result = runner.run(&strategy, |text| {
        survives(&engine, &text);
        Ok(())
    });
    result.expect("a text gives a result or an error");
}

#[test]
fn random_text() {
    random(2000, "\\PC{0,60}");
    random(2000, "[ -~\n\t`\"]{0,80}");
}

#[test]
fn random_tokens() {
    let tokens = [
        "x", "y", "a", "if", "else", "and", "or", "not", "in", "for", "while", "fn", "kernel", "return", "True",
        "None", "(", ")", "[", "]", "{", "}", ",", ";", "\n", "=", "+=", "==", "!=", "<", "<=", ">>", "<<", "+", "-",
        "*", "/", "//", "%", "**", "&", "|", "^", "~", "!", "&&", "||", "@", ".", "..", ":", "->", "1", "0", "2.5",
        "1e300", "0xff", "300u8", "1f32", "\"i8\"", "`x y`", "abs", "where", "minimum", "clip", "astype", "bitcast",
        "i8", "u64", "f32", "sqrt", "fma", "index", "size", "round", "axis", "pi", "inf", "nan", "#",
    ];
    let token = prop::sample::select(tokens.to_vec());
    random(4000, prop::collection::vec(token.clone(), 0..24).prop_map(|words| words.join(" ")));
    random(2000, prop::collection::vec(token, 0..24).prop_map(|words| words.concat()));
}

/// Formulas that are mostly right, of every dtype, run on every backend.
#[test]
fn random_formulas() {
    let leaf = prop::sample::select(vec![
        "x", "y", "z", "1", "2.5", "300", "-1", "True", "7u8", "i8(x)", "u64(y)", "f32(z)", "bool(x)", "index(0)",
    ])
    .prop_map(String::from);
    let formula = leaf.prop_recursive(5, 40, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "<", "==", ">=", "and", "or",
        ]);
        let unary = prop::sample::select(vec![
            "-", "~", "not ", "abs", "sqrt", "sign", "floor", "round", "square", "isnan", "popcount", "exp", "sin",
        ]);
        let two = prop::sample::select(vec!["minimum", "fmax", "fmod", "copysign", "rotl", "fdim"]);
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (unary, inner.clone()).prop_map(|(op, a)| format!("{op}({a})")),
            (two, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, c, b)| format!("({a} if {c} else {b})")),
        ]
    });
    let dtypes = prop::collection::vec(prop::sample::select(DType::ALL.to_vec()), 3);
    let engines = engines();
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(Default::default()));
    let result = runner.run(&(formula, dtypes), |(text, dtypes)| {
        let bytes: Vec<u8> = (0..200_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let results: Vec<Result<Vec<u64>, ErrorKind>> = engines
            .iter()
            .map(|(_, engine)| {
                let kernel = engine.compile(&text).map_err(|error| error.kind())?;
                let view = |name: &str| {
                    let dtype = dtypes["xyz".find(name)?];
                    Some(View::from_bytes(dtype, &bytes, &[23], &[dtype.size() as isize]).expect("the bytes suffice"))
                };
                let outputs = kernel.eval(Args::lookup(view)).map_err(|error| error.kind())?;
                let output = outputs.view(outputs.names().next().expect("a name")).expect("there is one output");
                Ok(canonical_bits(&output))
            })
            .collect();
        prop_assert_eq!(&results[0], &results[1], "{} of {:?}", text, dtypes);
        Ok(())
    });
    result.expect("every backend gives the same");
}

/// The bits of the elements, NaNs all alike.
fn canonical_bits(view: &View<'_>) -> Vec<u64> {
    let (dtype, bytes) = (view.dtype(), view.as_bytes().expect("an output is contiguous"));
    let bits = bytes.chunks_exact(dtype.size()).map(|bytes| support::bits_at(bytes, dtype));
    bits.map(|bits| if support::same(dtype, bits, f64_nan(dtype)) { f64_nan(dtype) } else { bits }).collect()
}

fn f64_nan(dtype: DType) -> u64 {
    match dtype {
        DType::F32 => u64::from(f32::NAN.to_bits()),
        _ => f64::NAN.to_bits(),
    }
}

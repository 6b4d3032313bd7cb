//! Programs to trees and errors: structure as Python sees it, round trips, limits, messages.

use super::{Ast, ExprId, ExprKind, ItemKind, Limits, Number, NumberValue, normalize_name, parse};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind};

fn tree(text: &str) -> Ast {
    parse(text, Limits::default()).unwrap_or_else(|error| panic!("{text:?}: {}", error.render()))
}

fn error(text: &str) -> Error {
    parse(text, Limits::default()).err().unwrap_or_else(|| panic!("{text:?} parses"))
}

/// Each item as S-expressions, in the form of `scripts/generate_grammar_cases.py`; what Python lacks is marked so that no two
/// trees look alike.
fn structure(ast: &Ast) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    for expr in &ast.exprs {
        let text = |id: ExprId| &done[id.index()];
        let structure = match &expr.kind {
            ExprKind::Number(Number { value: NumberValue::Int(value), dtype }) => {
                format!("{value}{}", dtype.map_or("", DType::name))
            }
            ExprKind::Number(Number { value: NumberValue::Float(value), dtype }) => {
                format!("f{:016x}{}", value.to_bits(), dtype.map_or("", DType::name))
            }
            ExprKind::Bool(true) => "True".to_owned(),
            ExprKind::Bool(false) => "False".to_owned(),
            ExprKind::None => "None".to_owned(),
            ExprKind::Text(text) => format!("{text:?}"),
            ExprKind::Name(name) if name.quoted => format!("`{}`", name.text),
            ExprKind::Name(name) => name.text.to_string(),
            ExprKind::Unary { operator, operand } => format!("({} {})", operator.symbol(), text(*operand)),
            ExprKind::Not { operand } => format!("(not {})", text(*operand)),
            ExprKind::Binary { operator, left, right } => {
                format!("({} {} {})", operator.symbol(), text(*left), text(*right))
            }
            ExprKind::And { left, right } => format!("(and {} {})", text(*left), text(*right)),
            ExprKind::Or { left, right } => format!("(or {} {})", text(*left), text(*right)),
            ExprKind::Compare { first, rest } => {
                let rest: Vec<String> =
                    rest.iter().map(|(operator, id)| format!("{} {}", operator.symbol(), text(*id))).collect();
                format!("(compare {} {})", text(*first), rest.join(" "))
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                format!("(if {} {} {})", text(*condition), text(*then), text(*otherwise))
            }
            ExprKind::Call { callee, args } => {
                let mut list = vec![callee.text.to_string()];
                for arg in args {
                    let name = arg.name.as_ref().map_or(String::new(), |name| format!("{}=", name.text));
                    list.push(format!("{name}{}", text(arg.value)));
                }
                format!("(call {})", list.join(" "))
            }
            ExprKind::Tuple { values } => {
                let values: Vec<&str> = values.iter().map(|id| text(*id).as_str()).collect();
                format!("(tuple {})", values.join(" "))
            }
            ExprKind::Index { operand, indices } => {
                let indices: Vec<&str> = indices.iter().map(|id| text(*id).as_str()).collect();
                format!("(index {} {})", text(*operand), indices.join(" "))
            }
        };
        done.push(structure);
    }
    let list = |values: &[ExprId]| values.iter().map(|id| done[id.index()].clone()).collect::<Vec<_>>().join(", ");
    let defined = ast.functions.iter().chain(&ast.kernels);
    let defined = defined.map(|definition| {
        let body: Vec<String> = definition.body.iter().map(|item| shown(item, &list)).collect();
        format!("(define {} {})", definition.name.text, body.join("; "))
    });
    defined.chain(ast.items.iter().map(|item| shown(item, &list))).collect()
}

fn shown(item: &super::Item, list: &impl Fn(&[ExprId]) -> String) -> String {
    let block = |items: &[super::Item]| items.iter().map(|item| shown(item, list)).collect::<Vec<_>>().join("; ");
    match &item.kind {
        ItemKind::Assign { targets, values } => {
            let targets: Vec<String> = targets.iter().map(|name| name.text.to_string()).collect();
            format!("{} = {}", targets.join(", "), list(values))
        }
        ItemKind::Result { values } => list(values),
        ItemKind::If { arms, otherwise } => {
            let arm = |arm: &super::Arm| format!("{} {{{}}}", list(&[arm.condition]), block(&arm.body));
            let arms: Vec<String> = arms.iter().map(arm).collect();
            let otherwise = otherwise.as_ref().map_or(String::new(), |items| format!(" else {{{}}}", block(items)));
            format!("(if {}{otherwise})", arms.join(" "))
        }
        ItemKind::While { condition, body } => format!("(while {} {{{}}})", list(&[*condition]), block(body)),
        ItemKind::For { variable, start, end, body } => {
            format!("(for {} {} {{{}}})", variable.text, list(&[*start, *end]), block(body))
        }
        ItemKind::Return { values } => format!("(return {})", list(values)),
        ItemKind::Break => "break".to_owned(),
        ItemKind::Continue => "continue".to_owned(),
    }
}

/// Calls `visit` with each operand, in the order of evaluation.
fn operands(kind: &ExprKind, mut visit: impl FnMut(ExprId)) {
    match kind {
        ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::None | ExprKind::Text(_) | ExprKind::Name(_) => {}
        ExprKind::Unary { operand, .. } | ExprKind::Not { operand } => visit(*operand),
        ExprKind::Binary { left, right, .. } | ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            visit(*left);
            visit(*right);
        }
        ExprKind::Compare { first, rest } => {
            visit(*first);
            rest.iter().for_each(|(_, operand)| visit(*operand));
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            visit(*then);
            visit(*condition);
            visit(*otherwise);
        }
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| visit(arg.value)),
        ExprKind::Tuple { values } => values.iter().for_each(|value| visit(*value)),
        ExprKind::Index { operand, indices } => {
            visit(*operand);
            indices.iter().for_each(|index| visit(*index));
        }
    }
}

/// Operands stand before their user, and each node but the results has one user, in the statement's own range.
fn check_order(ast: &Ast) {
    let mut next = 0;
    for item in &ast.items {
        assert_eq!(item.exprs.start, next);
        next = item.exprs.end;
        let mut users = vec![0; ast.exprs.len()];
        for index in item.exprs.clone() {
            operands(&ast.exprs[index].kind, |operand| {
                assert!(operand.index() < index && item.exprs.contains(&operand.index()));
                users[operand.index()] += 1;
            });
        }
        let (ItemKind::Assign { values, .. } | ItemKind::Result { values }) = &item.kind else {
            panic!("{} has no blocks", ast.source)
        };
        values.iter().for_each(|value| users[value.index()] += 1);
        assert!(users[item.exprs.clone()].iter().all(|users| *users == 1), "{}", ast.source);
    }
    assert_eq!(next, ast.exprs.len());
}

fn check_round_trip(ast: &Ast) {
    let printed = ast.to_string();
    let again = tree(&printed);
    assert_eq!(structure(&again), structure(ast), "{:?} printed as {printed:?}", ast.source);
    assert_eq!(again.to_string(), printed);
}

#[test]
fn structure_is_that_of_python() {
    let cases = include_str!("../../tests/data/grammar.txt");
    let mut trees = 0;
    for case in cases.lines() {
        let (text, expected) = case.rsplit_once('\t').expect("a case is a text and its structure");
        match parse(text, Limits::default()) {
            Ok(ast) => {
                assert_eq!(structure(&ast), [expected], "{text}");
                check_order(&ast);
                check_round_trip(&ast);
                trees += 1;
            }
            Err(error) => assert_eq!(expected, "error", "{}", error.render()),
        }
    }
    assert!(trees > 2000);
}

#[test]
fn what_python_lacks() {
    for (text, expected) in [
        ("!a == b && c || d", "(or (and (not (compare a == b)) c) d)"),
        (
            "1u8 + 2.5f32 + 0x1f32 + 0b101i16 + 3f32",
            "(+ (+ (+ (+ 1u8 f4004000000000000f32) 7986) 5i16) f4008000000000000f32)",
        ),
        ("`unit price` * `return`", "(* `unit price` `return`)"),
        ("f(\"x\", mode='it`s', axis=None,)", "(call f \"x\" mode=\"it`s\" axis=None)"),
        ("u[i - 1, j][0]", "(index (index u (- i 1) j) 0)"),
        ("a, b\n", "a, b"),
        ("(a, b,)", "a, b"),
        ("(a,)", "a"),
        ("(a\n+ # one [ bracket\n b)", "(+ a b)"),
        ("f(\r\na\r\n)", "(call f a)"),
        ("#\n;;\r\n a # b\n;", "a"),
        ("0.1f32", "f3fb99999a0000000f32"),
        ("fn + kernel * over", "(+ fn (* kernel over))"),
        ("cafe\u{301} + caf\u{e9}", "(+ caf\u{e9} caf\u{e9})"),
    ] {
        let ast = tree(text);
        assert_eq!(structure(&ast), [expected], "{text}");
        check_order(&ast);
        check_round_trip(&ast);
    }
}

#[test]
fn statements() {
    for (text, expected) in [
        ("x = 1; y = x + 2", vec!["x = 1", "y = (+ x 2)"]),
        ("a, b = x, y\nb, a", vec!["a, b = x, y", "b, a"]),
        ("(a, b) = (x, y)", vec!["a, b = x, y"]),
        ("x **= 2 if a else 3", vec!["x = (** x (if a 2 3))"]),
        ("x<<=1;x>>=1;x//=2;x/=2;x*=2;x%=2;x+=2;x-=2;x&=2;x|=2;x^=2", {
            let symbols =
                ["<< x 1", ">> x 1", "// x 2", "/ x 2", "* x 2", "% x 2", "+ x 2", "- x 2", "& x 2", "| x 2", "^ x 2"];
            vec![""; 0].into_iter().chain(symbols.map(|symbol| &*format!("x = ({symbol})").leak())).collect()
        }),
        ("y=-x", vec!["y = (- x)"]),
    ] {
        let ast = tree(text);
        assert_eq!(structure(&ast), expected, "{text}");
        check_order(&ast);
        check_round_trip(&ast);
    }
}

#[test]
fn names_are_compared_in_nfc() {
    assert_eq!(normalize_name("e\u{301}"), "\u{e9}");
    assert_eq!(normalize_name("x_1"), "x_1");
}

/// Parses on a stack of 2 MiB, as threads have it.
fn on_a_small_stack(text: String, limits: Limits) -> Result<usize, Error> {
    let parsed = move || parse(&text, limits).map(|ast| ast.exprs.len());
    std::thread::Builder::new().stack_size(2 << 20).spawn(parsed).expect("a thread starts").join().expect("no panic")
}

#[test]
fn nesting_has_a_limit() {
    let limits = Limits { source_bytes: usize::MAX, ..Limits::default() };
    for (before, after, levels) in [
        ("(", ")", 1),
        ("[", "]", 1),
        ("f(", ")", 1),
        ("f(1, ", ")", 1),
        ("x[", "]", 1),
        ("-", "", 1),
        ("~ + ", "", 2),
        ("not ", "", 1),
        ("!", "", 1),
        ("a ** ", "", 1),
        ("a**-", "", 2),
        ("x if c else ", "", 1),
        ("-(", ")", 2),
        ("a or b and not c == d | e ^ f & g << h + i * -j ** (", ")", 4),
    ] {
        let legal = 256 / levels;
        let text = |n: usize| format!("{}a{}", before.repeat(n), after.repeat(n));
        if before != "[" {
            on_a_small_stack(text(legal), limits).unwrap_or_else(|error| panic!("{before:?}: {}", error.render()));
        }
        let error = on_a_small_stack(text(legal + 1), limits).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "nesting-limit"), "{before:?}");
        assert!(error.message().contains("257") && error.message().contains("256"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("Builder::nesting_limit")));
        assert_eq!(on_a_small_stack(text(20_000), limits).unwrap_err().kind(), ErrorKind::Limit, "{before:?}");
        let unfinished = on_a_small_stack(before.repeat(20_000), limits).unwrap_err();
        assert!(after.is_empty() || unfinished.kind() == ErrorKind::Limit, "{before:?}");
    }
}

#[test]
fn a_raised_nesting_limit_ends_in_an_error() {
    let limits = Limits { source_bytes: usize::MAX, nesting: usize::MAX };
    let error = on_a_small_stack(format!("{}a{}", "f(".repeat(50_000), ")".repeat(50_000)), limits).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "nesting-limit"));
    // What does not recurse in the grammar does not in the tree either.
    assert_eq!(on_a_small_stack("-".repeat(50_000) + "a", limits).unwrap(), 50_001);
    assert_eq!(on_a_small_stack("a**".repeat(20_000) + "a", limits).unwrap(), 40_001);
}

#[test]
fn what_does_not_nest_may_be_long() {
    for part in ["1+", "a<", "a and ", "a - -b*", "sin(x)+", "(a)*", "-1 ** 2 | ", "x,", "a = 1;", "a if b else (c) +"]
    {
        let text = part.repeat(20_000) + "1";
        let limits = Limits { source_bytes: usize::MAX, nesting: if part.contains("else") { usize::MAX } else { 3 } };
        assert!(on_a_small_stack(text, limits).unwrap() >= 20_000, "{part:?}");
    }
}

#[test]
fn size_has_a_limit() {
    let limits = Limits { source_bytes: 10, nesting: 256 };
    assert!(parse("aaaaaaaaaa", limits).is_ok());
    let error = parse("aaaaaaaaaaa", limits).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "source-limit"));
    assert_eq!(error.message(), "the program is 11 bytes long, the source limit is 10 bytes");
    assert_eq!(error.hint(), Some("`Builder::source_limit` sets the limit"));
}

#[test]
fn numbers() {
    let number = |text: &str| match &tree(text).exprs[..] {
        [super::Expr { kind: ExprKind::Number(number), .. }] => *number,
        other => panic!("{text:?} is {other:?}"),
    };
    let int = |value| NumberValue::Int(value);
    for (text, value, dtype) in [
        ("0x1f32", int(0x1f32), None),
        ("0XFFu8", int(255), Some(DType::U8)),
        ("0b1111_0000u64", int(240), Some(DType::U64)),
        ("0o17i8", int(15), Some(DType::I8)),
        ("127i8", int(127), Some(DType::I8)),
        ("18446744073709551615u64", int(u64::MAX.into()), Some(DType::U64)),
        ("170141183460469231731687303715884105727", int(i128::MAX), None),
        ("000", int(0), None),
        ("16777217f32", NumberValue::Float(16777216.0), Some(DType::F32)),
        ("1.f64", NumberValue::Float(1.0), Some(DType::F64)),
        ("1_0e-1_0", NumberValue::Float(1e-9), None),
        // Rounded to f64 first, this would be 1.0000001192092896.
        ("1.00000017881393432617187500001f32", NumberValue::Float(1.000_000_238_418_579), Some(DType::F32)),
        ("1e39f32", NumberValue::Float(f64::INFINITY), Some(DType::F32)),
    ] {
        assert_eq!(number(text), Number { value, dtype }, "{text}");
    }
    for (text, code, kind) in [
        ("170141183460469231731687303715884105728", "literal-range", ErrorKind::DType),
        ("0xffffffffffffffffffffffffffffffffff", "literal-range", ErrorKind::DType),
        ("256u8", "literal-range", ErrorKind::DType),
        ("128i8", "literal-range", ErrorKind::DType),
        ("1.5u8", "literal-suffix", ErrorKind::Syntax),
        ("1e3i32", "literal-suffix", ErrorKind::Syntax),
        ("0b1f32", "literal-suffix", ErrorKind::Syntax),
        ("0o7f64", "literal-suffix", ErrorKind::Syntax),
        ("010", "leading-zero", ErrorKind::Syntax),
        ("0_1", "leading-zero", ErrorKind::Syntax),
        ("1__0", "malformed-number", ErrorKind::Syntax),
        ("1_", "malformed-number", ErrorKind::Syntax),
        ("1_u8", "malformed-number", ErrorKind::Syntax),
        ("1e", "malformed-number", ErrorKind::Syntax),
        ("1._5", "malformed-number", ErrorKind::Syntax),
        ("1.5_", "malformed-number", ErrorKind::Syntax),
        ("0x", "malformed-number", ErrorKind::Syntax),
        ("0xg", "malformed-number", ErrorKind::Syntax),
        ("0b2", "malformed-number", ErrorKind::Syntax),
        ("1bool", "malformed-number", ErrorKind::Syntax),
        ("2x", "malformed-number", ErrorKind::Syntax),
        ("1é", "malformed-number", ErrorKind::Syntax),
    ] {
        let error = error(text);
        assert_eq!((error.code(), error.kind()), (code, kind), "{}", error.render());
        assert_eq!(error.line_column(), Some((1, 1)), "{text}");
    }
    assert_eq!(error("128i8 + 1").hint(), Some("`i8(-128)` is the least i8"));
}

/// A text, and of its error: the code, the column, and words of the message and the hint.
const ERRORS: &[(&str, &str, usize, &str, &str)] = &[
    ("", "empty-program", 0, "the program is empty", ""),
    (" # nothing\n;", "empty-program", 0, "the program is empty", ""),
    ("a b", "unexpected-token", 3, "unexpected `b` after `a`, expected an operator", "newline or `;`"),
    ("f(a b)", "unexpected-token", 5, "unexpected `b` after `a`, expected an operator", "separated by `,`"),
    ("f(a;b)", "unexpected-token", 4, "unexpected `;` after `a`, expected an operator", ""),
    ("a + )", "unopened-bracket", 5, "`)` closes nothing", ""),
    ("(a", "unclosed-bracket", 1, "`(` is never closed", ""),
    ("a[1", "unclosed-bracket", 2, "`[` is never closed", ""),
    ("f(a, [b)", "mismatched-bracket", 8, "`)` cannot close `[`", ""),
    ("'abc", "unclosed-quote", 1, "the string is never closed", ""),
    ("`abc\n`", "unclosed-quote", 1, "the name in backticks is never closed", ""),
    ("2 (x)", "not-callable", 1, "`2` is not the name of a function", "`2 * (...)`"),
    ("f(x)(y)", "not-callable", 1, "`f(x)` is not the name of a function", "`f(x) * (...)`"),
    ("(f)(y)", "not-callable", 1, "`(f)` is not the name of a function", ""),
    ("2x", "malformed-number", 1, "`2x` is not a number", "`2 * x`"),
    ("1 +", "unexpected-end", 3, "the program ends after `+`, expected a value", ""),
    ("1 +\n2", "unexpected-end", 3, "the statement ends after `+`, expected a value", "parentheses"),
    ("a if b else", "unexpected-end", 8, "the program ends after `else`, expected a value", ""),
    ("x == ", "unexpected-end", 3, "the program ends after `==`, expected a value", ""),
    ("a = b = c", "unexpected-token", 7, "`=` cannot stand inside an expression", "`==` compares"),
    ("(a = b)", "unexpected-token", 4, "`=` cannot stand inside an expression", "`==` compares"),
    ("= 3", "unexpected-token", 1, "unexpected `=`, expected a value", ""),
    ("and b", "unexpected-token", 1, "unexpected `and`, expected a value", "backticks"),
    ("in = 3", "unexpected-token", 1, "unexpected `in`, expected a value", "backticks"),
    ("a + for", "unexpected-token", 5, "unexpected `for` after `+`, expected a value", "backticks"),
    ("a ** ** b", "unexpected-token", 6, "unexpected `**` after `**`, expected a value", ""),
    ("a <> b", "unexpected-token", 4, "`<>` is not in the language", "`!=`"),
    ("x in y", "unexpected-token", 3, "`in` is not in the language", "`x == 1 or x == 2`"),
    ("x not in y", "unexpected-token", 3, "`not` cannot stand between two values", "`!=`"),
    ("x is None", "unexpected-token", 3, "`is` is not in the language", "`isnan(x)`"),
    ("lambda x: x", "unexpected-token", 8, "`lambda` is not in the language", "free names"),
    ("@x + 1", "unexpected-token", 1, "`@` is not in the language", "`x`, not `@x`"),
    ("a ? b : c", "unexpected-token", 3, "`?` is not in the language", "`x if condition else y`"),
    ("np.sin(x)", "unexpected-token", 3, "`.` is not in the language", "`sin(x)`, not `np.sin(x)`"),
    ("0..n", "unexpected-token", 2, "`..` can only stand in a `for` loop", ""),
    ("a .5", "unexpected-token", 3, "unexpected `.` after `a`, expected an operator", ""),
    ("()", "unexpected-token", 2, "unexpected `)` after `(`, expected a value", ""),
    ("a,,b", "unexpected-token", 3, "unexpected `,` after `,`, expected a value", ""),
    ("a {b}", "unexpected-token", 3, "unexpected `{` after `a`, expected an operator", ""),
    ("a if b", "unexpected-token", 3, "`if` without an `else`", "x if condition else y"),
    ("a else b", "unexpected-token", 3, "`else` without an `if`", ""),
    ("a if b if c else d else e", "unexpected-token", 8, "needs parentheses", "a if (b if c else d) else e"),
    ("a + not b", "unexpected-token", 5, "`not` binds looser than the operator before it", "parentheses"),
    ("a \\\n+ b", "unexpected-character", 3, "unexpected character `\\`", "parentheses"),
    ("a × b", "unexpected-character", 3, "unexpected character `×`", "`*`"),
    ("a ÷ b", "unexpected-character", 3, "unexpected character `÷`", "`/`"),
    ("a − b", "unexpected-character", 3, "unexpected character `−`", "`-`"),
    ("f(“a”)", "unexpected-character", 3, "unexpected character `“`", "`\"`"),
    ("größe² + 1", "unexpected-character", 6, "unexpected character `²`", "`**2`"),
    ("a\u{a0}+ b", "unexpected-character", 2, "unexpected character U+00A0", "plain space"),
    ("\u{feff}a", "unexpected-character", 1, "unexpected character U+FEFF", "invisible"),
    ("a\0", "unexpected-character", 2, "unexpected character U+0000", ""),
    ("a $ b", "unexpected-character", 3, "unexpected character `$`", ""),
    ("😀", "unexpected-character", 1, "unexpected character `😀`", ""),
    ("if x { y }", "unused-value", 8, "this value is not used: a block is statements", "`x = ...`"),
    ("y = 1; while x", "missing-block", 8, "the `while` is not complete", "while condition { ... }"),
    ("if x", "missing-block", 1, "the `if` is not complete", "if condition { ... }"),
    ("if x { y = 1", "unclosed-bracket", 6, "`{` is never closed", ""),
    ("if x { y = 1 }}", "unopened-bracket", 15, "`}` closes nothing", ""),
    ("if x { y = (1 }", "mismatched-bracket", 15, "`}` cannot close `(`", ""),
    ("if x { y = 1 } else if z { y = 2 }", "unexpected-token", 21, "unexpected `if` after `else`", "`elif condition"),
    ("else { y = 1 }", "unexpected-token", 1, "`else` without an `if` before it", "elif"),
    ("if x { y = 1 } z = 2", "unexpected-token", 16, "unexpected `z` after `}`", ""),
    ("for i in 0..3", "missing-block", 1, "the `for` is not complete", "for i in first..end { ... }"),
    ("for i in 3 { y = i }", "unexpected-token", 12, "unexpected `{` after `3`", "for i in first..end { ... }"),
    ("fn f(x)", "missing-block", 1, "the `fn` is not complete", "fn name(x, y) = value"),
    ("fn f(x) = 2", "empty-program", 1, "the program defines functions and has no result", "`kernel`"),
    ("if x { fn f(x) = 2 }", "nested-definition", 8, "a `fn` is defined outside of all blocks", ""),
    ("kernel k(x) { y = x }; z", "statement-beside-kernels", 24, "a statement stands outside of the kernels", ""),
    ("(1, 2) + 3", "misplaced-tuple", 1, "where one value is expected", "a statement's result"),
    ("f((1, 2))", "misplaced-tuple", 3, "where one value is expected", ""),
    ("(1, 2), 3", "misplaced-tuple", 1, "where one value is expected", ""),
    ("a, b = 1", "target-count", 1, "an assignment of 2 names and 1 value", ""),
    ("a += 1, 2", "target-count", 1, "several values for one name", ""),
    ("a + 1 = 2", "invalid-target", 1, "cannot assign to `a + 1`, expected a name", "`==` compares"),
    ("True = 1", "invalid-target", 1, "cannot assign to `True`, expected a name", ""),
    ("a, b += 1", "invalid-target", 1, "cannot assign to `a, b`, expected a name", ""),
    ("a, a = 1, 2", "duplicate-target", 4, "`a` is assigned twice in one statement", ""),
    ("a\n+ b", "unused-value", 1, "this value is not used", "in parentheses"),
];

#[test]
fn errors_speak_of_what_was_written() {
    for (text, code, column, message, hint) in ERRORS {
        let error = error(text);
        let found = error.render();
        assert_eq!(error.code(), *code, "{text:?}: {found}");
        assert_eq!(error.line_column().map_or(0, |(_, column)| column), *column, "{text:?}: {found}");
        assert!(error.message().contains(message), "{text:?}: {found}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{text:?}: {found}");
        assert_eq!(error.kind(), ErrorKind::Syntax);
    }
    let error = error("f(a,\n [b)");
    assert_eq!((error.line_column(), error.notes()), (Some((2, 4)), &["`[` opens at line 2, column 2".to_owned()][..]));
}

#[test]
fn likely_mistakes_are_warned_of() {
    for (text, warned) in [
        ("a < b & c < d", true),
        ("x == 1 | x == 2", true),
        ("(a < b) & (c < d)", false),
        ("a < (b & c) < d", false),
        ("a & b < c", false),
        ("a < b + c < d", false),
    ] {
        let warnings = tree(text).warnings;
        assert_eq!(warnings.len(), usize::from(warned), "{text}");
        assert!(warnings.iter().all(|warning| warning.code() == "bitwise-between-comparisons"));
    }
    assert_eq!(tree("a < b & c < d").warnings[0].hint(), Some("write `and`, or put each comparison in parentheses"));
}

const WORDS: &[&str] = &[
    "a", "b", "é", "`q r`", "1", "2.5", ".5", "1.", "0x1f", "1u8", "300u8", "1e", "010", "True", "None", "'s'", "\"",
    "'", "`", "(", ")", "[", "]", "{", "}", ",", ",", "f(", "k=", "=", "+=", "**=", ";", "\n", "\r\n", "\r", "\t",
    "# c\n", "#", "+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "~", "<<", ">>", "<", "<=", "==", "!=", "<>",
    "!", "&&", "||", "not", "and", "or", "if", "else", "in", "is", "lambda", "while", "fn", "kernel", ".", "..", "@",
    "?", ":", "\\", "×", "“", "²", "\u{a0}", "\u{301}", "\0", "😀",
];

proptest::proptest! {
    /// Whatever is written, there is a tree or an error whose place can be shown; a tree prints and parses back.
    #[test]
    fn any_text_has_an_answer(picks in proptest::collection::vec(0..WORDS.len() * 2, 0..24)) {
        // A space after a word, or none.
        let word = |pick: usize| format!("{}{}", WORDS[pick / 2], [" ", ""][pick % 2]);
        let text: String = picks.into_iter().map(word).collect();
        match parse(&text, Limits::default()) {
            Ok(ast) => {
                check_order(&ast);
                check_round_trip(&ast);
            }
            Err(error) => assert!(!error.render().is_empty() && error.span().is_none_or(|span| span.start <= span.end && span.end <= text.len())),
        }
    }

    #[test]
    fn any_characters_have_an_answer(text in ".{0,24}") {
        if let Err(error) = parse(&text, Limits::default()) {
            assert!(!error.render().is_empty());
        }
    }
}

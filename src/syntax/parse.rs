//! Text to syntax tree. The only file that names pest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pest::error::{Error as PestError, ErrorVariant, InputLocation};
use pest::{Parser, Token};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::ast::{
    Arg, Ast, BinaryOperator, CompareOperator, Expr, ExprId, ExprKind, Item, ItemKind, Name, Precedence, UnaryOperator,
};
use super::diagnose::{diagnose, shorten};
use super::number::number;
use super::scan::{Limits, scan};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Span;

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/numlift.pest"]
    pub(super) struct Grammar;
}
use grammar::{Grammar, Rule};

/// Parses a whole program; its text may come from a stranger.
pub(crate) fn parse(source: &str, limits: Limits) -> Result<Ast> {
    limits.check_size(source)?;
    let source: Arc<str> = source.into();
    let text = scan(&source, limits)?;
    let pairs = Grammar::parse(Rule::program, &text).map_err(|error| syntax_error(&source, &text, error))?;
    let mut tree = TreeBuilder::new(Arc::clone(&source), limits);
    for token in pairs.tokens() {
        match token {
            Token::Start { rule, pos } => tree.start(rule, pos.pos())?,
            Token::End { rule, pos } => tree.end(rule, pos.pos())?,
        }
    }
    tree.finish()
}

fn syntax_error(source: &Arc<str>, text: &str, error: PestError<Rule>) -> Error {
    let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        // pest's own guard of the stack, which the limit on nesting comes before unless it was raised.
        ErrorVariant::CustomError { .. } => {
            return Error::new(
                ErrorKind::Limit,
                "nesting-limit",
                "the program nests deeper than this thread's stack allows",
            )
            .at(source, Span::new(at, at));
        }
    };
    // A rule that failed where it began stands for the rules that it began with.
    let starts_operand =
        |rule: &Rule| matches!(rule, Rule::program | Rule::statement | Rule::value | Rule::name | Rule::number);
    diagnose(source, text, at, expected.iter().any(starts_operand))
}

/// What a name is compared by.
pub(crate) fn normalize_name(name: &str) -> String {
    match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => name.to_owned(),
        IsNormalized::No | IsNormalized::Maybe => name.nfc().collect(),
    }
}

/// An operator that waits for its right operand.
#[derive(Clone, Copy, Debug)]
enum Operator {
    /// Of a conditional, before and after its `else`.
    If,
    Else,
    Or,
    And,
    Not,
    Compare(CompareOperator),
    Binary(BinaryOperator),
    Unary(UnaryOperator),
}

impl Operator {
    fn precedence(self) -> Precedence {
        match self {
            Operator::If | Operator::Else => Precedence::Conditional,
            Operator::Or => Precedence::Or,
            Operator::And => Precedence::And,
            Operator::Not => Precedence::Not,
            Operator::Compare(_) => Precedence::Compare,
            Operator::Unary(_) => Precedence::Unary,
            Operator::Binary(operator) => operator.precedence(),
        }
    }

    /// Whether operators of this kind can pile up, each inside the one before.
    fn nests(self) -> bool {
        match self {
            Operator::Else | Operator::Not | Operator::Unary(_) | Operator::Binary(BinaryOperator::Power) => true,
            Operator::If | Operator::Or | Operator::And | Operator::Compare(_) | Operator::Binary(_) => false,
        }
    }
}

struct Pending {
    operator: Operator,
    span: Span,
}

/// What an operator or a bracket takes: one expression, or the values of a parenthesis with a comma.
struct Operand {
    values: Values,
    /// With the parentheses round it.
    span: Span,
    parenthesised: bool,
}

enum Values {
    One(ExprId),
    Tuple(Vec<ExprId>),
}

/// A statement or bracket whose end has not come.
struct Frame {
    kind: FrameKind,
    start: usize,
    /// The length of `TreeBuilder::operators` where the present value began: those before it are not its own.
    floor: usize,
    values: Vec<Operand>,
}

enum FrameKind {
    Statement { first_expr: usize, assignment: Option<Assignment> },
    Paren,
    Call { callee: Name, names: Vec<Option<Name>>, name: Option<Name> },
    Index { operand: ExprId },
}

enum Assignment {
    Plain(Vec<Name>),
    Compound { target: Name, operand: Operand, operator: BinaryOperator },
}

/// Makes the tree from the grammar's flat rows of operands and operators, in one walk without recursion.
struct TreeBuilder {
    ast: Ast,
    limits: Limits,
    names: HashMap<String, Arc<str>>,
    operators: Vec<Pending>,
    operands: Vec<Operand>,
    frames: Vec<Frame>,
    /// How many brackets and nesting operators are open.
    depth: usize,
    /// Where the present word or symbol starts.
    start: usize,
}

impl TreeBuilder {
    fn new(source: Arc<str>, limits: Limits) -> TreeBuilder {
        TreeBuilder {
            ast: Ast { source, exprs: Vec::new(), items: Vec::new(), warnings: Vec::new() },
            limits,
            names: HashMap::new(),
            operators: Vec::new(),
            operands: Vec::new(),
            frames: Vec::new(),
            depth: 0,
            start: 0,
        }
    }

    fn finish(self) -> Result<Ast> {
        if self.ast.items.is_empty() {
            return Err(Error::new(ErrorKind::Syntax, "empty-program", "the program is empty, expected a formula"));
        }
        Ok(self.ast)
    }

    fn start(&mut self, rule: Rule, at: usize) -> Result<()> {
        match rule {
            Rule::statement => {
                self.check_result_is_last()?;
                self.open(FrameKind::Statement { first_expr: self.ast.exprs.len(), assignment: None }, at);
            }
            Rule::value => {
                let floor = self.operators.len();
                self.frame().floor = floor;
            }
            Rule::paren => {
                self.deepen(Span::new(at, at + 1))?;
                self.open(FrameKind::Paren, at);
            }
            Rule::call => {
                self.deepen(Span::new(at, at + 1))?;
                let operand = self.operands.pop().expect("a call follows its callee");
                let callee = self.callee(&operand, at)?;
                self.open(FrameKind::Call { callee, names: Vec::new(), name: None }, operand.span.start);
            }
            Rule::index => {
                self.deepen(Span::new(at, at + 1))?;
                let operand = self.operands.pop().expect("an index follows what it indexes");
                let start = operand.span.start;
                let operand = self.one(operand)?;
                self.open(FrameKind::Index { operand }, start);
            }
            _ => self.start = at,
        }
        Ok(())
    }

    fn end(&mut self, rule: Rule, at: usize) -> Result<()> {
        let span = Span::new(self.start, at);
        match rule {
            Rule::EOI | Rule::program => {}
            Rule::statement => self.end_statement()?,
            Rule::value => self.end_value()?,
            Rule::paren => self.end_paren(at)?,
            Rule::call => self.end_call(at)?,
            Rule::index => self.end_index(at)?,
            Rule::argument_name => self.end_argument_name(),
            Rule::assign => match compound(self.ast.text(span)) {
                Some(operator) => self.compound(operator)?,
                None => self.assign()?,
            },

            Rule::name => {
                let name = self.name(span);
                self.push_expr(ExprKind::Name(name), span);
            }
            Rule::number => {
                let value = number(self.ast.text(span)).map_err(|error| error.at(&self.ast.source, span))?;
                self.push_expr(ExprKind::Number(value), span);
            }
            Rule::text => {
                let text = self.ast.text(Span::new(span.start + 1, span.end - 1)).into();
                self.push_expr(ExprKind::Text(text), span);
            }
            Rule::literal => self.push_expr(literal(self.ast.text(span)), span),

            Rule::infix => match infix(self.ast.text(span)) {
                Operator::If => self.if_(span)?,
                Operator::Else => self.else_(span)?,
                operator => self.infix(operator, span)?,
            },
            Rule::prefix => match prefix(self.ast.text(span)) {
                Operator::Not => self.not(span)?,
                operator => self.push_operator(operator, span)?,
            },

            silent @ (Rule::separator
            | Rule::blank
            | Rule::item
            | Rule::values
            | Rule::operand
            | Rule::arithmetic
            | Rule::atom
            | Rule::postfix
            | Rule::argument
            | Rule::equals
            | Rule::first
            | Rule::letter
            | Rule::end
            | Rule::keyword
            | Rule::digit
            | Rule::fraction
            | Rule::exponent) => unreachable!("{silent:?} is silent in the grammar"),
        }
        Ok(())
    }

    // -- operands --

    fn push_expr(&mut self, kind: ExprKind, span: Span) {
        let values = Values::One(self.emit(kind, span));
        self.operands.push(Operand { values, span, parenthesised: false });
    }

    fn emit(&mut self, kind: ExprKind, span: Span) -> ExprId {
        let id = ExprId(u32::try_from(self.ast.exprs.len()).expect("a program has fewer than 2^32 expressions"));
        self.ast.exprs.push(Expr { kind, span });
        id
    }

    fn name(&mut self, span: Span) -> Name {
        let written = self.ast.text(span);
        let quoted = written.starts_with('`');
        let bare = if quoted { &written[1..written.len() - 1] } else { written };
        let text = match self.names.get(bare) {
            Some(text) => Arc::clone(text),
            None => {
                let text: Arc<str> = normalize_name(bare).into();
                self.names.insert(bare.to_owned(), Arc::clone(&text));
                text
            }
        };
        Name { text, quoted, span }
    }

    /// The one expression that `operand` is.
    fn one(&self, operand: Operand) -> Result<ExprId> {
        match operand.values {
            Values::One(id) => Ok(id),
            Values::Tuple(_) => Err(self
                .error(
                    "misplaced-tuple",
                    "several values in parentheses stand where one value is expected",
                    operand.span,
                )
                .with_hint("a tuple can only be the whole of a statement's result or of a side of an assignment")),
        }
    }

    /// The name that `operand` is, taken back from the tree: it stood last in it.
    fn take_name(&mut self, operand: &Operand) -> Option<Name> {
        let Values::One(id) = operand.values else { return None };
        let ExprKind::Name(name) = &self.ast.expr(id).kind else { return None };
        let name = name.clone();
        self.ast.exprs.truncate(id.index());
        Some(name)
    }

    // -- operators --

    fn infix(&mut self, operator: Operator, span: Span) -> Result<()> {
        let precedence = operator.precedence();
        // A chain of comparisons waits to become one node, and `**` associates to the right.
        let waits = matches!(precedence, Precedence::Compare | Precedence::Power);
        self.reduce(|pending| pending > precedence || (pending == precedence && !waits))?;
        self.push_operator(operator, span)
    }

    fn not(&mut self, span: Span) -> Result<()> {
        if self.pending().is_some_and(|pending| pending.operator.precedence() > Precedence::Not) {
            return Err(self
                .error("unexpected-token", "`not` binds looser than the operator before it", span)
                .with_hint("put `not` and its operand in parentheses"));
        }
        self.push_operator(Operator::Not, span)
    }

    fn if_(&mut self, span: Span) -> Result<()> {
        self.reduce(|pending| pending > Precedence::Conditional)?;
        if self.pending().is_some_and(|pending| matches!(pending.operator, Operator::If)) {
            return Err(self
                .error("unexpected-token", "an `if` inside the condition of another needs parentheses", span)
                .with_hint("a if (b if c else d) else e"));
        }
        self.push_operator(Operator::If, span)
    }

    fn else_(&mut self, span: Span) -> Result<()> {
        self.reduce(|pending| pending > Precedence::Conditional)?;
        if !self.pending().is_some_and(|pending| matches!(pending.operator, Operator::If)) {
            return Err(self.error("unexpected-token", "`else` without an `if` before it", span));
        }
        self.operators.pop();
        self.push_operator(Operator::Else, span)
    }

    fn push_operator(&mut self, operator: Operator, span: Span) -> Result<()> {
        if operator.nests() {
            self.deepen(span)?;
        }
        self.operators.push(Pending { operator, span });
        Ok(())
    }

    fn deepen(&mut self, span: Span) -> Result<()> {
        if self.depth == self.limits.nesting {
            return Err(self.limits.too_deep(&self.ast.source, span));
        }
        self.depth += 1;
        Ok(())
    }

    /// The last operator of the present value that waits for its right operand.
    fn pending(&self) -> Option<&Pending> {
        let floor = self.frames.last().expect("operators stand in statements").floor;
        self.operators[floor..].last()
    }

    /// Gives operators their operands, last first, as long as their precedence is `ready`.
    fn reduce(&mut self, ready: impl Fn(Precedence) -> bool) -> Result<()> {
        while self.pending().is_some_and(|pending| ready(pending.operator.precedence())) {
            let Pending { operator, span } = self.operators.pop().expect("one is pending");
            if operator.nests() {
                self.depth -= 1;
            }
            let last = self.pop();
            match operator {
                Operator::Unary(operator) => {
                    let (span, operand) = (span.to(last.span), self.one(last)?);
                    self.push_expr(ExprKind::Unary { operator, operand }, span);
                }
                Operator::Not => {
                    let (span, operand) = (span.to(last.span), self.one(last)?);
                    self.push_expr(ExprKind::Not { operand }, span);
                }
                Operator::Binary(operator) => {
                    let (left, right, span) = self.pair(last)?;
                    self.push_expr(ExprKind::Binary { operator, left, right }, span);
                }
                Operator::And => {
                    let (left, right, span) = self.pair(last)?;
                    self.push_expr(ExprKind::And { left, right }, span);
                }
                Operator::Or => {
                    let (left, right, span) = self.pair(last)?;
                    self.push_expr(ExprKind::Or { left, right }, span);
                }
                Operator::Compare(operator) => self.compare(operator, last)?,
                Operator::Else => {
                    let condition = self.pop();
                    let then = self.pop();
                    let span = then.span.to(last.span);
                    let (then, condition, otherwise) = (self.one(then)?, self.one(condition)?, self.one(last)?);
                    self.push_expr(ExprKind::Conditional { condition, then, otherwise }, span);
                }
                Operator::If => {
                    return Err(self
                        .error("unexpected-token", "`if` without an `else` after it", span)
                        .with_hint("x if condition else y"));
                }
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Operand {
        self.operands.pop().expect("the grammar gives each operator its operands")
    }

    fn pair(&mut self, right: Operand) -> Result<(ExprId, ExprId, Span)> {
        let left = self.pop();
        let span = left.span.to(right.span);
        Ok((self.one(left)?, self.one(right)?, span))
    }

    /// The whole chain of comparisons that ends in `operator last`.
    fn compare(&mut self, operator: CompareOperator, last: Operand) -> Result<()> {
        let end = last.span;
        let mut chain = vec![(operator, last)];
        while let Some(&Pending { operator: Operator::Compare(operator), .. }) = self.pending() {
            self.operators.pop();
            chain.push((operator, self.pop()));
        }
        let first = self.pop();
        let span = first.span.to(end);
        for (_, middle) in &chain[1..] {
            self.warn_of_bitwise(middle, span);
        }
        let first = self.one(first)?;
        let rest = chain
            .into_iter()
            .rev()
            .map(|(operator, operand)| Ok((operator, self.one(operand)?)))
            .collect::<Result<_>>()?;
        self.push_expr(ExprKind::Compare { first, rest }, span);
        Ok(())
    }

    /// `a < b & c < d` compares with `b & c`, as in Python; whoever wrote it meant `and`.
    fn warn_of_bitwise(&mut self, operand: &Operand, chain: Span) {
        let Values::One(id) = operand.values else { return };
        let ExprKind::Binary { operator, .. } = &self.ast.expr(id).kind else { return };
        let word = if *operator == BinaryOperator::And { "and" } else { "or" };
        if operand.parenthesised || !matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            return;
        }
        let symbol = operator.symbol();
        let message = format!(
            "`{symbol}` binds tighter than the comparisons beside it, so this compares with `{}`",
            shorten(self.ast.text(operand.span))
        );
        let warning = self
            .error("bitwise-between-comparisons", message, chain)
            .with_hint(format!("write `{word}`, or put each comparison in parentheses"));
        self.ast.warnings.push(warning);
    }

    // -- brackets --

    fn open(&mut self, kind: FrameKind, start: usize) {
        self.frames.push(Frame { kind, start, floor: self.operators.len(), values: Vec::new() });
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("values stand in statements")
    }

    fn close(&mut self) -> Frame {
        self.frames.pop().expect("what ends has started")
    }

    fn end_value(&mut self) -> Result<()> {
        self.reduce(|_| true)?;
        let mut operand = self.pop();
        // The first argument of a call is no option.
        let is_option = |frame: &Frame| match &frame.kind {
            FrameKind::Call { name, .. } => name.is_some() || !frame.values.is_empty(),
            FrameKind::Statement { .. } | FrameKind::Paren | FrameKind::Index { .. } => false,
        };
        if is_option(self.frame())
            && let Values::Tuple(values) = operand.values
        {
            operand.values = Values::One(self.emit(ExprKind::Tuple { values }, operand.span));
        }
        let frame = self.frames.last_mut().expect("values stand in statements");
        frame.values.push(operand);
        if let FrameKind::Call { names, name, .. } = &mut frame.kind {
            names.push(name.take());
        }
        Ok(())
    }

    fn end_paren(&mut self, at: usize) -> Result<()> {
        let mut frame = self.close_bracket();
        let span = Span::new(frame.start, at);
        let values = match frame.values.len() {
            1 => frame.values.remove(0).values,
            _ => Values::Tuple(self.all(frame.values)?),
        };
        self.operands.push(Operand { values, span, parenthesised: true });
        Ok(())
    }

    /// The callee, which stands before the `(` at `paren`.
    fn callee(&mut self, operand: &Operand, paren: usize) -> Result<Name> {
        let name = if operand.parenthesised { None } else { self.take_name(operand) };
        name.ok_or_else(|| {
            let text = shorten(self.ast.text(operand.span));
            let span = Span::new(operand.span.start, paren + 1);
            self.error("not-callable", format!("`{text}` is not the name of a function, so `(` cannot follow it"), span)
                .with_hint(format!("a product is written `{text} * (...)`"))
        })
    }

    fn end_argument_name(&mut self) {
        let operand = self.pop();
        let written = self.take_name(&operand);
        let FrameKind::Call { name, .. } = &mut self.frame().kind else { unreachable!("calls alone name arguments") };
        *name = written;
    }

    fn end_call(&mut self, at: usize) -> Result<()> {
        let frame = self.close_bracket();
        let FrameKind::Call { callee, names, .. } = frame.kind else { unreachable!("a call ends where it started") };
        let args = names.into_iter().zip(self.all(frame.values)?).map(|(name, value)| Arg { name, value }).collect();
        self.push_expr(ExprKind::Call { callee, args }, Span::new(frame.start, at));
        Ok(())
    }

    fn end_index(&mut self, at: usize) -> Result<()> {
        let frame = self.close_bracket();
        let FrameKind::Index { operand } = frame.kind else { unreachable!("an index ends where it started") };
        let indices = self.all(frame.values)?;
        self.push_expr(ExprKind::Index { operand, indices }, Span::new(frame.start, at));
        Ok(())
    }

    fn close_bracket(&mut self) -> Frame {
        self.depth -= 1;
        self.close()
    }

    fn all(&self, operands: Vec<Operand>) -> Result<Vec<ExprId>> {
        operands.into_iter().map(|operand| self.one(operand)).collect()
    }

    // -- statements --

    fn check_result_is_last(&self) -> Result<()> {
        match self.ast.items.last() {
            Some(Item { kind: ItemKind::Result { .. }, span, .. }) => Err(self
                .error("unused-value", "this value is not used: only the last statement is the result", *span)
                .with_hint("put a formula of several lines in parentheses, or give the value a name")),
            Some(Item { kind: ItemKind::Assign { .. }, .. }) | None => Ok(()),
        }
    }

    /// The `=` of an assignment: the values before it were targets.
    fn assign(&mut self) -> Result<()> {
        let FrameKind::Statement { first_expr, .. } = self.frame().kind else {
            unreachable!("assignments stand in statements")
        };
        let values = std::mem::take(&mut self.frame().values);
        let mut targets: Vec<Name> = Vec::new();
        let mut distinct = HashSet::new();
        for target in self.flatten(values)? {
            let Expr { kind: ExprKind::Name(name), .. } = self.ast.expr(target) else {
                return Err(self.bad_target(self.ast.expr(target).span));
            };
            if !distinct.insert(Arc::clone(&name.text)) {
                let message = format!("`{}` is assigned twice in one statement", name.text);
                return Err(self.error("duplicate-target", message, name.span));
            }
            targets.push(name.clone());
        }
        // Targets are no reads.
        self.ast.exprs.truncate(first_expr);
        self.set_assignment(Assignment::Plain(targets));
        Ok(())
    }

    /// `x += y` is `x = x + y`.
    fn compound(&mut self, operator: BinaryOperator) -> Result<()> {
        let mut values = std::mem::take(&mut self.frame().values);
        let operand = values.remove(0);
        let span = values.last().map_or(operand.span, |last| operand.span.to(last.span));
        let (Values::One(id), true) = (&operand.values, values.is_empty()) else { return Err(self.bad_target(span)) };
        let ExprKind::Name(target) = &self.ast.expr(*id).kind else { return Err(self.bad_target(span)) };
        let target = target.clone();
        self.set_assignment(Assignment::Compound { target, operand, operator });
        Ok(())
    }

    fn set_assignment(&mut self, to: Assignment) {
        let FrameKind::Statement { assignment, .. } = &mut self.frame().kind else {
            unreachable!("assignments stand in statements")
        };
        *assignment = Some(to);
    }

    fn bad_target(&self, span: Span) -> Error {
        let text = shorten(self.ast.text(span));
        self.error("invalid-target", format!("cannot assign to `{text}`, expected a name"), span)
            .with_hint("`==` compares")
    }

    fn end_statement(&mut self) -> Result<()> {
        let frame = self.close();
        let FrameKind::Statement { first_expr, assignment } = frame.kind else {
            unreachable!("a statement ends where it started")
        };
        let end = frame.values.last().expect("a statement has a value").span.end;
        let span = Span::new(frame.start, end);
        let kind = match assignment {
            None => ItemKind::Result { values: self.flatten(frame.values)? },
            Some(Assignment::Plain(targets)) => {
                let values = self.flatten(frame.values)?;
                if targets.len() != values.len() {
                    let message = format!("{} and {}", count(targets.len(), "name"), count(values.len(), "value"));
                    return Err(self.error("target-count", format!("an assignment of {message}"), span));
                }
                ItemKind::Assign { targets, values }
            }
            Some(Assignment::Compound { target, operand, operator }) => {
                let [right] = <[Operand; 1]>::try_from(frame.values)
                    .map_err(|_| self.error("target-count", "several values for one name", span))?;
                self.operands.push(operand);
                let (left, right, span) = self.pair(right)?;
                let value = self.emit(ExprKind::Binary { operator, left, right }, span);
                ItemKind::Assign { targets: vec![target], values: vec![value] }
            }
        };
        let exprs = first_expr..self.ast.exprs.len();
        self.ast.items.push(Item { kind, span, exprs });
        Ok(())
    }

    /// The values of a statement, in parentheses or not.
    fn flatten(&self, mut values: Vec<Operand>) -> Result<Vec<ExprId>> {
        match values.pop() {
            Some(Operand { values: Values::Tuple(ids), .. }) if values.is_empty() => Ok(ids),
            last => {
                values.extend(last);
                self.all(values)
            }
        }
    }

    fn error(&self, code: &'static str, message: impl Into<String>, span: Span) -> Error {
        Error::new(ErrorKind::Syntax, code, message).at(&self.ast.source, span)
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The operator between two operands that is written so.
fn infix(written: &str) -> Operator {
    match written {
        "if" => Operator::If,
        "else" => Operator::Else,
        "or" | "||" => Operator::Or,
        "and" | "&&" => Operator::And,
        "<" => Operator::Compare(CompareOperator::Less),
        "<=" => Operator::Compare(CompareOperator::LessEqual),
        ">" => Operator::Compare(CompareOperator::Greater),
        ">=" => Operator::Compare(CompareOperator::GreaterEqual),
        "==" => Operator::Compare(CompareOperator::Equal),
        "!=" => Operator::Compare(CompareOperator::NotEqual),
        arithmetic => Operator::Binary(binary(arithmetic)),
    }
}

fn binary(written: &str) -> BinaryOperator {
    match written {
        "+" => BinaryOperator::Add,
        "-" => BinaryOperator::Subtract,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "//" => BinaryOperator::FloorDivide,
        "%" => BinaryOperator::Remainder,
        "**" => BinaryOperator::Power,
        "&" => BinaryOperator::And,
        "|" => BinaryOperator::Or,
        "^" => BinaryOperator::Xor,
        "<<" => BinaryOperator::ShiftLeft,
        ">>" => BinaryOperator::ShiftRight,
        other => unreachable!("the grammar has no operator {other}"),
    }
}

fn prefix(written: &str) -> Operator {
    match written {
        "-" => Operator::Unary(UnaryOperator::Negative),
        "+" => Operator::Unary(UnaryOperator::Positive),
        "~" => Operator::Unary(UnaryOperator::Invert),
        "!" | "not" => Operator::Not,
        other => unreachable!("the grammar has no prefix {other}"),
    }
}

/// The operator of a compound assignment; none in a plain one.
fn compound(written: &str) -> Option<BinaryOperator> {
    match written {
        "=" => None,
        compound => Some(binary(&compound[..compound.len() - 1])),
    }
}

fn literal(written: &str) -> ExprKind {
    match written {
        "True" => ExprKind::Bool(true),
        "False" => ExprKind::Bool(false),
        "None" => ExprKind::None,
        other => unreachable!("the grammar has no literal {other}"),
    }
}

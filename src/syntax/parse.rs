//! Text to syntax tree. The only file that names pest.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use pest::error::{Error as PestError, ErrorVariant, InputLocation};
use pest::{Parser, Token};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::ast::{
    Arg, Arm, Ast, BinaryOperator, CompareOperator, Definition, Expr, ExprId, ExprKind, Item, ItemKind, Name,
    ParameterName, Precedence, UnaryOperator,
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

/// A statement, definition or bracket whose end has not come.
struct Frame {
    kind: FrameKind,
    start: usize,
    /// The length of `TreeBuilder::operators` where the present value began: those before it are not its own.
    floor: usize,
    values: Vec<Operand>,
}

enum FrameKind {
    Statement {
        first_expr: usize,
        assignment: Option<Assignment>,
    },
    Paren,
    Call {
        callee: Name,
        names: Vec<Option<Name>>,
        name: Option<Name>,
    },
    Index {
        operand: ExprId,
    },
    /// A statement with blocks, or one that begins with a word; its nodes begin at `first_expr`.
    /// `heads` are the nodes before each of its blocks.
    Words {
        first_expr: usize,
        variable: Option<Name>,
        heads: Vec<Range<usize>>,
        blocks: Vec<Vec<Item>>,
    },
    Definition {
        first_expr: usize,
        definition: Box<Definition>,
        has_block: bool,
    },
    /// The mode comes before the value.
    Boundary {
        mode: Option<Name>,
    },
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
    /// The statements of each open block, innermost last; the first are those of the program.
    blocks: Vec<Vec<Item>>,
    /// How many brackets and nesting operators are open.
    depth: usize,
    /// Where the present word or symbol starts.
    start: usize,
}

impl TreeBuilder {
    fn new(source: Arc<str>, limits: Limits) -> TreeBuilder {
        TreeBuilder {
            ast: Ast {
                source,
                exprs: Vec::new(),
                items: Vec::new(),
                functions: Vec::new(),
                kernels: Vec::new(),
                warnings: Vec::new(),
            },
            limits,
            names: HashMap::new(),
            operators: Vec::new(),
            operands: Vec::new(),
            frames: Vec::new(),
            blocks: vec![Vec::new()],
            depth: 0,
            start: 0,
        }
    }

    fn finish(mut self) -> Result<Ast> {
        self.ast.items = self.blocks.pop().expect("the program is open");
        let Some(first) = self.ast.items.first() else {
            return match (self.ast.kernels.is_empty(), self.ast.functions.last()) {
                (false, _) => Ok(self.ast),
                (true, None) => {
                    Err(Error::new(ErrorKind::Syntax, "empty-program", "the program is empty, expected a formula"))
                }
                (true, Some(function)) => Err(self
                    .error("empty-program", "the program defines functions and has no result", function.span)
                    .with_hint("a formula or a `kernel` makes use of them")),
            };
        };
        if self.ast.kernels.is_empty() {
            return Ok(self.ast);
        }
        Err(self
            .error("statement-beside-kernels", "a statement stands outside of the kernels", first.span)
            .with_hint("beside kernels only functions are defined"))
    }

    fn start(&mut self, rule: Rule, at: usize) -> Result<()> {
        match rule {
            Rule::statement => {
                self.check_result_is_last()?;
                self.open(FrameKind::Statement { first_expr: self.ast.exprs.len(), assignment: None }, at);
            }
            Rule::if_statement | Rule::while_loop | Rule::for_loop | Rule::return_ | Rule::break_ | Rule::continue_ => {
                self.check_result_is_last()?;
                let first_expr = self.ast.exprs.len();
                let kind = FrameKind::Words { first_expr, variable: None, heads: Vec::new(), blocks: Vec::new() };
                self.open(kind, at);
                self.start = at;
            }
            Rule::function | Rule::kernel => self.start_definition(at)?,
            Rule::boundary => self.open(FrameKind::Boundary { mode: None }, at),
            Rule::block => self.start_block(at)?,
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

            Rule::block => self.end_block()?,
            Rule::if_statement => self.end_if()?,
            Rule::while_loop => self.end_while()?,
            Rule::for_loop => self.end_for()?,
            Rule::return_ => self.end_return()?,
            Rule::break_ => self.end_word(ItemKind::Break),
            Rule::continue_ => self.end_word(ItemKind::Continue),
            Rule::function | Rule::kernel => self.end_definition(rule)?,
            Rule::boundary => self.end_boundary()?,
            Rule::uniform => self.parameter().uniform = true,
            Rule::dims => {
                let rank = self.ast.text(span).parse().unwrap_or(usize::MAX);
                self.parameter().rank = Some((rank, span));
            }
            Rule::variable
            | Rule::defined
            | Rule::parameter_name
            | Rule::dtype
            | Rule::mode
            | Rule::output
            | Rule::axis => self.end_defined_name(rule),

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
            | Rule::newlines
            | Rule::definition
            | Rule::parameters
            | Rule::parameter
            | Rule::rank
            | Rule::outputs
            | Rule::axes
            | Rule::results
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
            FrameKind::Statement { .. }
            | FrameKind::Paren
            | FrameKind::Index { .. }
            | FrameKind::Words { .. }
            | FrameKind::Definition { .. }
            | FrameKind::Boundary { .. } => false,
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

    fn items(&mut self) -> &mut Vec<Item> {
        self.blocks.last_mut().expect("statements stand in blocks")
    }

    fn check_result_is_last(&self) -> Result<()> {
        match self.blocks.last().and_then(|items| items.last()) {
            Some(Item { kind: ItemKind::Result { .. }, span, .. }) => Err(self.unused_value(*span)),
            Some(_) | None => Ok(()),
        }
    }

    fn unused_value(&self, span: Span) -> Error {
        self.error("unused-value", "this value is not used: only the last statement is the result", span)
            .with_hint("put a formula of several lines in parentheses, or give the value a name")
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
                // How many values a call gives is known later.
                let is_call = matches!(values[..], [one] if matches!(self.ast.expr(one).kind, ExprKind::Call { .. }));
                if targets.len() != values.len() && !is_call {
                    return Err(target_count(targets.len(), values.len()).at(&self.ast.source, span));
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
        self.push_item(kind, span, first_expr);
        Ok(())
    }

    fn push_item(&mut self, kind: ItemKind, span: Span, first_expr: usize) {
        let exprs = first_expr..self.ast.exprs.len();
        self.items().push(Item { kind, span, exprs });
    }

    // -- statements that begin with a word --

    fn start_block(&mut self, at: usize) -> Result<()> {
        self.deepen(Span::new(at, at + 1))?;
        self.blocks.push(Vec::new());
        let exprs = self.ast.exprs.len();
        let frame = self.frame();
        let head = Span::new(frame.start, at);
        match &mut frame.kind {
            FrameKind::Definition { definition, has_block, .. } => {
                *has_block = true;
                definition.span = head;
            }
            FrameKind::Words { first_expr, heads, .. } => heads.push(*first_expr..exprs),
            _ => {}
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        self.depth -= 1;
        let items = self.blocks.pop().expect("what ends has started");
        let exprs = self.ast.exprs.len();
        let in_definition = match &mut self.frame().kind {
            FrameKind::Words { first_expr, .. } => {
                *first_expr = exprs;
                false
            }
            _ => true,
        };
        if let (false, Some(Item { kind: ItemKind::Result { .. }, span, .. })) = (in_definition, items.last()) {
            return Err(self
                .error("unused-value", "this value is not used: a block is statements", *span)
                .with_hint("give the value a name: `x = ...`"));
        }
        match &mut self.frame().kind {
            FrameKind::Words { blocks, .. } => blocks.push(items),
            FrameKind::Definition { definition, .. } => definition.body = items,
            _ => unreachable!("blocks stand in statements and definitions"),
        }
        Ok(())
    }

    /// The frame of a statement that begins with a word, and its head.
    fn close_words(&mut self) -> (Frame, Span) {
        let frame = self.close();
        let text = &self.ast.source[frame.start..];
        let word = text.len() - text.trim_start_matches(char::is_alphabetic).len();
        let span = Span::new(frame.start, frame.start + word);
        (frame, span)
    }

    fn end_if(&mut self) -> Result<()> {
        let (frame, word) = self.close_words();
        let FrameKind::Words { heads, mut blocks, .. } = frame.kind else { unreachable!("an `if` is words") };
        let span = word.to(frame.values[0].span);
        let otherwise = if blocks.len() > frame.values.len() { blocks.pop() } else { None };
        let arm = |((condition, exprs), body)| Ok(Arm { condition: self.one(condition)?, exprs, body });
        let arms = frame.values.into_iter().zip(heads).zip(blocks).map(arm).collect::<Result<_>>()?;
        let first = self.ast.exprs.len();
        self.push_item(ItemKind::If { arms, otherwise }, span, first);
        Ok(())
    }

    fn end_while(&mut self) -> Result<()> {
        let (mut frame, word) = self.close_words();
        let FrameKind::Words { mut heads, mut blocks, .. } = frame.kind else { unreachable!("a loop is words") };
        let condition = frame.values.remove(0);
        let span = word.to(condition.span);
        let kind = ItemKind::While { condition: self.one(condition)?, body: blocks.remove(0) };
        self.items().push(Item { kind, span, exprs: heads.remove(0) });
        Ok(())
    }

    fn end_for(&mut self) -> Result<()> {
        let (mut frame, word) = self.close_words();
        let FrameKind::Words { variable, mut heads, mut blocks, .. } = frame.kind else {
            unreachable!("a loop is words")
        };
        let variable = variable.expect("a loop has a variable");
        let (end, start) = (frame.values.remove(1), frame.values.remove(0));
        let span = word.to(end.span);
        let kind = ItemKind::For { variable, start: self.one(start)?, end: self.one(end)?, body: blocks.remove(0) };
        self.items().push(Item { kind, span, exprs: heads.remove(0) });
        Ok(())
    }

    fn end_return(&mut self) -> Result<()> {
        let (frame, word) = self.close_words();
        let FrameKind::Words { first_expr, .. } = frame.kind else { unreachable!("a `return` is words") };
        let span = frame.values.last().map_or(word, |last| word.to(last.span));
        let values = self.flatten(frame.values)?;
        self.push_item(ItemKind::Return { values }, span, first_expr);
        Ok(())
    }

    fn end_word(&mut self, kind: ItemKind) {
        let (_, word) = self.close_words();
        let first = self.ast.exprs.len();
        self.push_item(kind, word, first);
    }

    // -- definitions --

    fn start_definition(&mut self, at: usize) -> Result<()> {
        self.start = at;
        if self.blocks.len() > 1 {
            let word = if self.ast.source[at..].starts_with("fn") { "fn" } else { "kernel" };
            let message = format!("a `{word}` is defined outside of all blocks");
            return Err(self.error("nested-definition", message, Span::new(at, at + word.len())));
        }
        let definition = Box::new(Definition {
            name: Name { text: "".into(), quoted: false, span: Span::new(at, at) },
            parameters: Vec::new(),
            result: None,
            outputs: Vec::new(),
            axes: Vec::new(),
            body: Vec::new(),
            span: Span::new(at, at),
        });
        let first_expr = self.ast.exprs.len();
        self.open(FrameKind::Definition { first_expr, definition, has_block: false }, at);
        Ok(())
    }

    fn definition(&mut self) -> &mut Definition {
        let FrameKind::Definition { definition, .. } = &mut self.frame().kind else {
            unreachable!("parameters stand in definitions")
        };
        definition
    }

    fn parameter(&mut self) -> &mut ParameterName {
        self.definition().parameters.last_mut().expect("a parameter begins with its name")
    }

    /// A name that says what it is by where it stands.
    fn end_defined_name(&mut self, rule: Rule) {
        let operand = self.pop();
        let name = self.take_name(&operand).expect("the grammar has a name there");
        match rule {
            Rule::variable => {
                let FrameKind::Words { variable, .. } = &mut self.frame().kind else { unreachable!("a loop is words") };
                *variable = Some(name);
            }
            Rule::mode => {
                let FrameKind::Boundary { mode } = &mut self.frame().kind else {
                    unreachable!("a mode is a boundary's")
                };
                *mode = Some(name);
            }
            Rule::defined => self.definition().name = name,
            Rule::parameter_name => self.definition().parameters.push(ParameterName {
                name,
                uniform: false,
                dtype: None,
                rank: None,
                boundary: None,
            }),
            Rule::dtype => {
                let start = self.frame().start;
                // Behind the parameters it is that of the result.
                let of_result = self.ast.source[start..name.span.start].trim_end().ends_with("->");
                match of_result {
                    true => self.definition().result = Some(name),
                    false => self.parameter().dtype = Some(name),
                }
            }
            Rule::output => self.definition().outputs.push(name),
            _ => self.definition().axes.push(name),
        }
    }

    fn end_boundary(&mut self) -> Result<()> {
        let mut frame = self.close();
        let FrameKind::Boundary { mode } = frame.kind else { unreachable!("a boundary ends where it started") };
        let value = frame.values.pop().map(|value| self.one(value)).transpose()?;
        self.parameter().boundary = Some((mode.expect("a boundary has a mode"), value));
        Ok(())
    }

    fn end_definition(&mut self, rule: Rule) -> Result<()> {
        let frame = self.close();
        let FrameKind::Definition { first_expr, mut definition, has_block } = frame.kind else {
            unreachable!("a definition ends where it started")
        };
        if !has_block {
            let span = frame.values[0].span.to(frame.values.last().expect("a function has a value").span);
            definition.span = Span::new(frame.start, frame.values[0].span.start);
            let kind = ItemKind::Return { values: self.flatten(frame.values)? };
            definition.body = vec![Item { kind, span, exprs: first_expr..self.ast.exprs.len() }];
        }
        let end = self.ast.source[..definition.span.end].trim_end_matches([' ', '=', '\t', '\n', '\r']).len();
        definition.span = Span::new(frame.start, end);
        match rule {
            Rule::function => self.ast.functions.push(*definition),
            _ => self.ast.kernels.push(*definition),
        }
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

/// The error of an assignment to as many names of as many values.
pub(crate) fn target_count(targets: usize, values: usize) -> Error {
    let message = format!("an assignment of {} and {}", count(targets, "name"), count(values, "value"));
    Error::new(ErrorKind::Syntax, "target-count", message)
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

//! The syntax tree: what was written, and where. An arena, so that no step over it recurses and no drop does.

use std::ops::Range;
use std::sync::Arc;

use crate::dtype::DType;
use crate::error::Error;
use crate::source::Span;

/// A parsed program with its text. `exprs` is in post-order: operands stand before their user, statement after statement, so a
/// step over expressions is a plain loop.
#[derive(Clone, Debug)]
pub(crate) struct Ast {
    pub(crate) source: Arc<str>,
    pub(crate) exprs: Vec<Expr>,
    /// The statements outside of definitions; none if there are kernels.
    pub(crate) items: Vec<Item>,
    pub(crate) functions: Vec<Definition>,
    pub(crate) kernels: Vec<Definition>,
    /// What is legal but likely not meant.
    pub(crate) warnings: Vec<Error>,
}

/// A statement.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    /// Of a statement with a block its head.
    pub(crate) span: Span,
    /// The nodes of this statement in [`Ast::exprs`], all of them but for those of its blocks and of conditions of `if`.
    pub(crate) exprs: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum ItemKind {
    /// `a, b = x, y`. `x += y` stands here as `x = x + y`. As many targets as values, unless the one value is a call.
    Assign {
        targets: Vec<Name>,
        values: Vec<ExprId>,
    },
    /// The result of the program or of a function: only the last item is one.
    Result {
        values: Vec<ExprId>,
    },
    /// The first arm whose condition holds runs.
    If {
        arms: Vec<Arm>,
        otherwise: Option<Vec<Item>>,
    },
    While {
        condition: ExprId,
        body: Vec<Item>,
    },
    /// Runs for each integer from `start` to below `end`.
    For {
        variable: Name,
        start: ExprId,
        end: ExprId,
        body: Vec<Item>,
    },
    Return {
        values: Vec<ExprId>,
    },
    Break,
    Continue,
}

/// One condition of an `if` and what runs where it is the first to hold.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) condition: ExprId,
    /// The nodes of the condition.
    pub(crate) exprs: Range<usize>,
    pub(crate) body: Vec<Item>,
}

/// `fn` or `kernel`.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    pub(crate) parameters: Vec<ParameterName>,
    /// The dtype behind `->` of a function.
    pub(crate) result: Option<Name>,
    /// The outputs of a kernel; none if it does not name them.
    pub(crate) outputs: Vec<Name>,
    /// The names behind `over`.
    pub(crate) axes: Vec<Name>,
    /// That of `fn f(x) = y` is `return y`.
    pub(crate) body: Vec<Item>,
    /// Of the head.
    pub(crate) span: Span,
}

/// A parameter as it is written.
#[derive(Clone, Debug)]
pub(crate) struct ParameterName {
    pub(crate) name: Name,
    pub(crate) uniform: bool,
    pub(crate) dtype: Option<Name>,
    /// `[2]`.
    pub(crate) rank: Option<(usize, Span)>,
    /// The mode, and the value of `constant`.
    pub(crate) boundary: Option<(Name, Option<ExprId>)>,
}

/// A place in [`Ast::exprs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ExprId(pub(crate) u32);

impl ExprId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One expression; `span` leaves out parentheses round it.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Number(Number),
    Bool(bool),
    /// `None`, an option's value only.
    None,
    /// An option's value only; without its quotes.
    Text(Arc<str>),
    Name(Name),
    Unary {
        operator: UnaryOperator,
        operand: ExprId,
    },
    Binary {
        operator: BinaryOperator,
        left: ExprId,
        right: ExprId,
    },
    /// `first < second <= third`: true if each neighbour pair compares so; each operand is evaluated once.
    Compare {
        first: ExprId,
        rest: Vec<(CompareOperator, ExprId)>,
    },
    Not {
        operand: ExprId,
    },
    And {
        left: ExprId,
        right: ExprId,
    },
    Or {
        left: ExprId,
        right: ExprId,
    },
    /// `then if condition else otherwise`.
    Conditional {
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    Call {
        callee: Name,
        args: Vec<Arg>,
    },
    /// `(0, 1)`, an option's value only.
    Tuple {
        values: Vec<ExprId>,
    },
    /// `operand[i, j]`.
    Index {
        operand: ExprId,
        indices: Vec<ExprId>,
    },
}

/// A name where it is written, without its backticks and in NFC.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: Arc<str>,
    /// Whether it stands in backticks.
    pub(crate) quoted: bool,
    pub(crate) span: Span,
}

/// An argument of a call: `value` or `name=value`.
#[derive(Clone, Debug)]
pub(crate) struct Arg {
    pub(crate) name: Option<Name>,
    pub(crate) value: ExprId,
}

/// A literal without a sign; weak if it has no suffix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: NumberValue,
    /// The suffix. An integer dtype holds `value`; a float's `value` is rounded to it once.
    pub(crate) dtype: Option<DType>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NumberValue {
    Int(i128),
    Float(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnaryOperator {
    Negative,
    Positive,
    Invert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CompareOperator {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// How tightly an expression holds together. Operators of one level associate to the left, but for `Power`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precedence {
    Conditional,
    Or,
    And,
    Not,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Sum,
    Product,
    Unary,
    Power,
    Atom,
}

impl Precedence {
    /// The next level.
    pub(super) fn tighter(self) -> Precedence {
        match self {
            Precedence::Conditional => Precedence::Or,
            Precedence::Or => Precedence::And,
            Precedence::And => Precedence::Not,
            Precedence::Not => Precedence::Compare,
            Precedence::Compare => Precedence::BitOr,
            Precedence::BitOr => Precedence::BitXor,
            Precedence::BitXor => Precedence::BitAnd,
            Precedence::BitAnd => Precedence::Shift,
            Precedence::Shift => Precedence::Sum,
            Precedence::Sum => Precedence::Product,
            Precedence::Product => Precedence::Unary,
            Precedence::Unary => Precedence::Power,
            Precedence::Power | Precedence::Atom => Precedence::Atom,
        }
    }
}

impl Ast {
    pub(crate) fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// The first loop or definition, by what it begins with.
    pub(crate) fn first_of_programs(&self) -> Option<Span> {
        fn in_items(items: &[Item]) -> Option<Span> {
            items.iter().find_map(|item| match &item.kind {
                ItemKind::While { .. } | ItemKind::For { .. } => Some(item.span),
                ItemKind::If { arms, otherwise } => {
                    let blocks = arms.iter().map(|arm| &arm.body).chain(otherwise);
                    blocks.into_iter().find_map(|items| in_items(items))
                }
                ItemKind::Assign { .. }
                | ItemKind::Result { .. }
                | ItemKind::Return { .. }
                | ItemKind::Break
                | ItemKind::Continue => None,
            })
        }
        let definitions = self.functions.iter().chain(&self.kernels).map(|definition| definition.span);
        definitions.chain(in_items(&self.items)).min_by_key(|span| span.start)
    }

    /// What was written there.
    pub(crate) fn text(&self, span: Span) -> &str {
        &self.source[span.start..span.end]
    }
}

impl ExprKind {
    pub(super) fn precedence(&self) -> Precedence {
        match self {
            ExprKind::Conditional { .. } => Precedence::Conditional,
            ExprKind::Or { .. } => Precedence::Or,
            ExprKind::And { .. } => Precedence::And,
            ExprKind::Not { .. } => Precedence::Not,
            ExprKind::Compare { .. } => Precedence::Compare,
            ExprKind::Binary { operator, .. } => operator.precedence(),
            ExprKind::Unary { .. } => Precedence::Unary,
            ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::None
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            | ExprKind::Call { .. }
            | ExprKind::Tuple { .. }
            | ExprKind::Index { .. } => Precedence::Atom,
        }
    }
}

impl UnaryOperator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            UnaryOperator::Negative => "-",
            UnaryOperator::Positive => "+",
            UnaryOperator::Invert => "~",
        }
    }
}

impl BinaryOperator {
    pub(super) fn precedence(self) -> Precedence {
        match self {
            BinaryOperator::Or => Precedence::BitOr,
            BinaryOperator::Xor => Precedence::BitXor,
            BinaryOperator::And => Precedence::BitAnd,
            BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight => Precedence::Shift,
            BinaryOperator::Add | BinaryOperator::Subtract => Precedence::Sum,
            BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::FloorDivide
            | BinaryOperator::Remainder => Precedence::Product,
            BinaryOperator::Power => Precedence::Power,
        }
    }

    pub(crate) fn symbol(self) -> &'static str {
        match self {
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::FloorDivide => "//",
            BinaryOperator::Remainder => "%",
            BinaryOperator::Power => "**",
            BinaryOperator::And => "&",
            BinaryOperator::Or => "|",
            BinaryOperator::Xor => "^",
            BinaryOperator::ShiftLeft => "<<",
            BinaryOperator::ShiftRight => ">>",
        }
    }
}

impl CompareOperator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            CompareOperator::Less => "<",
            CompareOperator::LessEqual => "<=",
            CompareOperator::Greater => ">",
            CompareOperator::GreaterEqual => ">=",
            CompareOperator::Equal => "==",
            CompareOperator::NotEqual => "!=",
        }
    }
}

//! Text to syntax tree, and back.

mod ast;
mod diagnose;
mod number;
mod parse;
mod print;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use ast::{
    Arg, Ast, BinaryOperator, CompareOperator, Expr, ExprId, ExprKind, Item, ItemKind, Name, Number, NumberValue,
    UnaryOperator,
};
pub(crate) use parse::{normalize_name, parse};
pub(crate) use scan::Limits;

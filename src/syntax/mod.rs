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
    Arg, Arm, Ast, BinaryOperator, CompareOperator, Definition, Expr, ExprId, ExprKind, Item, ItemKind, Name, Number,
    NumberValue, ParameterName, UnaryOperator,
};
pub(crate) use parse::{normalize_name, parse, target_count};
pub(crate) use scan::Limits;

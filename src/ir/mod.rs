//! The graph: scalar SSA for one element, typed, with regions that run only where they are wanted.

mod build;
mod graph;
mod meaning;
mod op;
#[cfg(test)]
pub(crate) mod parse;
pub(crate) mod print;
mod verify;

pub(crate) use build::{Builder, Mark, Rewrite, rewrite, rewrite_regions};
pub(crate) use graph::{
    Axes, BlockId, Boundary, Fold, Graph, Leaf, Neighbour, Node, Operands, Output, Param, Rank, Reduction, Size, Table,
    Value,
};
pub(crate) use meaning::{apply, bitcast, cast, to_int};
pub(crate) use op::{Op, Rule};

//! The text form of a graph, as introspection and file tests show it.

use std::fmt;

use super::graph::{Axes, BlockId, Graph, Leaf, Node, Rank, Size, Value};
use super::meaning::to_int;
use crate::dtype::{DType, Element};

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, param) in self.params.iter().enumerate() {
            let brackets = if param.rank == Rank::Array { "[]" } else { "" };
            writeln!(f, "param {k} `{}`: {}{brackets}", param.name, param.dtype)?;
        }
        for (k, table) in self.tables.iter().enumerate() {
            let elements: Vec<String> = table.elements.iter().map(|bits| constant(*bits, table.dtype)).collect();
            writeln!(f, "table {k}: {} = {}", table.dtype, elements.join(", "))?;
        }
        // Where nothing asks for them, shapes need no mention.
        let are_needed = !self.sizes.is_empty() || !self.reductions.is_empty();
        for (k, domain) in self.domains.iter().enumerate().filter(|_| are_needed) {
            let leaves: Vec<String> = domain.iter().map(leaf).collect();
            writeln!(f, "domain {k} = {}", leaves.join(", "))?;
        }
        for (k, size) in self.sizes.iter().enumerate() {
            match size {
                Size::Elements { domain, axes: along } => writeln!(f, "size {k} = domain {domain}{}", axes(*along))?,
                Size::Extent { param, axis } => writeln!(f, "size {k} = extent of param {param} along {axis}")?,
                Size::Step { param, axis } => writeln!(f, "size {k} = step of param {param} along {axis}")?,
            }
        }
        for (k, reduction) in self.reductions.iter().enumerate() {
            let kept = if reduction.keepdims { " kept" } else { "" };
            let (fold, domain) = (reduction.fold.name(), reduction.domain);
            let kept = if reduction.is_scan { " running" } else { kept };
            writeln!(f, "reduction {k} = {fold} of domain {domain}{}{kept}", axes(reduction.axes))?;
        }
        self.print_block(f, BlockId::ROOT, 0)?;
        for output in &self.outputs {
            writeln!(f, "output `{}` = {}", output.name, output.value)?;
        }
        Ok(())
    }
}

impl Graph {
    fn print_block(&self, f: &mut fmt::Formatter<'_>, block: BlockId, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        for &value in &self.block(block).values {
            let node = self.node(value);
            write!(f, "{indent}{value}")?;
            if node.body().is_none() {
                write!(f, ": {}", self.dtype(value))?;
            }
            f.write_str(" = ")?;
            match node {
                Node::Const(bits) => f.write_str(&constant(*bits, self.dtype(value)))?,
                Node::Param(index) => write!(f, "param {index}")?,
                Node::Index(axis) => write!(f, "index {axis}")?,
                Node::Size(index) => write!(f, "size {index}")?,
                Node::Reduce(index, x) => write!(f, "reduce {index} {x}")?,
                Node::Call(function, operands) => write!(f, "call {function} with {}", list(operands))?,
                Node::Apply(op, operands) => write!(f, "{} {}", op.name(), list(operands))?,
                Node::Cast(x) => write!(f, "cast {x}")?,
                Node::Bitcast(x) => write!(f, "bitcast {x}")?,
                Node::Lookup(table, index) => write!(f, "lookup {table} {index}")?,
                Node::Gather(param, offset) => write!(f, "gather {param} {offset}")?,
                Node::When { condition, otherwise, .. } => write!(f, "when {condition} else {} {{", list(otherwise))?,
                Node::Repeat { initial, turns: None, .. } => write!(f, "repeat {} {{", list(initial))?,
                Node::Repeat { initial, turns: Some(k), .. } => write!(f, "loop {k} with {} {{", list(initial))?,
                Node::Carried(k) => write!(f, "carried {k}")?,
                Node::Part(region, k) => write!(f, "part {region} {k}")?,
            }
            writeln!(f)?;
            if let Some(body) = node.body() {
                self.print_block(f, body, depth + 1)?;
                writeln!(f, "{indent}  yield {}", list(&self.block(body).results))?;
                writeln!(f, "{indent}}}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

fn list(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

fn leaf(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Param(param) => format!("param {param}"),
        Leaf::Reduced { domain, axes: reduced, keepdims } => {
            format!("domain {domain} without{}{}", axes(*reduced), if *keepdims { " kept" } else { "" })
        }
    }
}

fn axes(axes: Axes) -> String {
    let list: Vec<String> = (0..32).filter(|axis| axes.contains(*axis)).map(|axis| axis.to_string()).collect();
    format!(" axes {}", list.join(" "))
}

/// A constant in the shortest digits that read back as the same bits; NaN has one spelling.
pub(crate) fn constant(bits: u64, dtype: DType) -> String {
    match dtype {
        DType::Bool => (bits != 0).to_string(),
        DType::F32 => format!("{:?}", f32::from_bits64(bits)),
        DType::F64 => format!("{:?}", f64::from_bits64(bits)),
        _ => to_int(bits, dtype).to_string(),
    }
}

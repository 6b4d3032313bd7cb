//! The text form back to a graph, for tests; what does not parse is the test's mistake, hence a panic.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Lines;
use std::sync::Arc;

use super::build::Builder;
use super::graph::{Axes, Fold, Graph, Leaf, Node, Output, Param, Rank, Reduction, Size, Table, Value};
use super::op::Op;
use crate::dtype::{DType, Element};

type Source<'a> = Peekable<Lines<'a>>;

/// Reads what `Display` writes.
pub(crate) fn parse(text: &str) -> Graph {
    let mut lines = text.lines().peekable();
    let mut params = Vec::new();
    while let Some(rest) = next_with(&mut lines, "param ") {
        let (_, name, dtype) = split3(rest, "`", "`: ");
        let (dtype, rank) = dtype.strip_suffix("[]").map_or((dtype, Rank::Scalar), |dtype| (dtype, Rank::Array));
        params.push(Param { name: name.into(), dtype: named(dtype), rank });
    }
    let mut tables = Vec::new();
    while let Some(rest) = next_with(&mut lines, "table ") {
        let (_, dtype, elements) = split3(rest, ": ", " = ");
        let dtype = named(dtype);
        tables.push(Table { dtype, elements: elements.split(", ").map(|x| constant(x, dtype)).collect() });
    }
    let mut domains = Vec::new();
    while let Some(rest) = next_with(&mut lines, "domain ") {
        let (_, leaves) = rest.split_once(" = ").expect("domain k = leaves");
        domains.push(leaves.split(", ").filter(|x| !x.is_empty()).map(leaf).collect());
    }
    let mut sizes = Vec::new();
    while let Some(rest) = next_with(&mut lines, "size ") {
        let along = |of: &str| of.split_once(" along ").map(|(param, axis)| (number(param), number(axis) as u8));
        sizes.push(if let Some((_, of)) = rest.split_once(" = extent of param ") {
            let (param, axis) = along(of).expect("a parameter and its axis");
            Size::Extent { param, axis }
        } else if let Some((_, of)) = rest.split_once(" = step of param ") {
            let (param, axis) = along(of).expect("a parameter and its axis");
            Size::Step { param, axis }
        } else {
            let (_, domain, list) = split3(rest, " = domain ", " axes");
            Size::Elements { domain: number(domain), axes: axes(list) }
        });
    }
    let mut reductions = Vec::new();
    while let Some(rest) = next_with(&mut lines, "reduction ") {
        let (_, fold, rest) = split3(rest, " = ", " of domain ");
        let (domain, list) = rest.split_once(" axes").expect("a domain and its axes");
        let (list, keepdims) = list.strip_suffix(" kept").map_or((list, false), |list| (list, true));
        let (list, is_scan) = list.strip_suffix(" running").map_or((list, false), |list| (list, true));
        let folds = [Fold::Sum, Fold::Product, Fold::Min, Fold::Max, Fold::Any, Fold::All, Fold::Count];
        let fold = folds.into_iter().find(|known| known.name() == fold).expect("a reduction");
        let (domain, axes) = (number(domain), axes(list));
        // The text does not say it; what is reduced has its axes at least.
        let rank = 32 - axes.0.leading_zeros() as usize;
        reductions.push(Reduction { fold, domain, rank, axes, keepdims, is_scan, may_be_empty: false });
    }
    let mut reader = Reader { known: HashMap::new(), tables };
    let mut builder = Builder::new(params);
    builder.set_shapes(domains, sizes, reductions);
    reader.block(&mut builder, &mut lines, &[]);
    let outputs = lines.map(|line| {
        let (_, name, value) = split3(line, "`", "` = ");
        Output { name: Arc::from(name), value: reader.known[value] }
    });
    let outputs = outputs.collect();
    builder.finish(outputs)
}

struct Reader<'a> {
    known: HashMap<&'a str, Value>,
    tables: Vec<Table>,
}

impl<'a> Reader<'a> {
    fn values(&self, list: &str) -> Vec<Value> {
        list.split(", ").filter(|x| !x.is_empty()).map(|x| self.known[x]).collect()
    }

    /// Reads up to the line that ends the block; gives what it yields.
    fn block(&mut self, b: &mut Builder, lines: &mut Source<'a>, carried: &[Value]) -> Vec<Value> {
        let mut regions: HashMap<&str, Vec<Value>> = HashMap::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("output ")) {
            let line = line.trim();
            if let Some(results) = line.strip_prefix("yield ") {
                assert_eq!(lines.next().map(str::trim), Some("}"), "a block ends");
                return self.values(results);
            }
            let (name, what) = line.split_once(" = ").expect("value = node");
            let (name, dtype) = name.split_once(": ").unwrap_or((name, "bool"));
            let dtype = named(dtype);
            let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
            let value = match word {
                "param" => b.param(number(rest) as usize),
                "index" => b.push(Node::Index(number(rest) as u8), DType::I64),
                "size" => b.push(Node::Size(number(rest)), DType::I64),
                "reduce" => {
                    let (index, x) = rest.split_once(' ').expect("reduce k x");
                    b.push(Node::Reduce(number(index), self.known[x]), dtype)
                }
                "call" => {
                    let (function, operands) = rest.split_once(" with ").expect("call k with x");
                    b.push(Node::Call(number(function), self.values(operands).into()), dtype)
                }
                "cast" => b.cast(self.known[rest], dtype),
                "bitcast" => b.bitcast(self.known[rest], dtype),
                "lookup" => {
                    let (table, index) = rest.split_once(' ').expect("lookup table index");
                    let table = &self.tables[number(table) as usize];
                    b.table(&table.elements, table.dtype, self.known[index])
                }
                "gather" => {
                    let (param, offset) = rest.split_once(' ').expect("gather param offset");
                    b.push(Node::Gather(number(param), self.known[offset]), dtype)
                }
                "when" => {
                    let (condition, otherwise) =
                        rest.trim_end_matches(" {").split_once(" else ").expect("when .. else ..");
                    let (condition, otherwise) = (self.known[condition], self.values(otherwise));
                    regions.insert(name, b.when(condition, &otherwise, |b| self.block(b, lines, &[])));
                    continue;
                }
                "repeat" | "loop" => {
                    let rest = rest.trim_end_matches('{').trim_end();
                    let (turns, initial) =
                        rest.split_once(" with").map_or((None, rest), |(k, rest)| (Some(number(k)), rest.trim_start()));
                    let initial = self.values(initial);
                    let parts = b.counted_repeat(&initial, turns, |b, carried| {
                        let mut results = self.block(b, lines, carried);
                        (results.remove(0), results)
                    });
                    regions.insert(name, parts);
                    continue;
                }
                "carried" => carried[number(rest) as usize],
                "part" => {
                    let (region, k) = rest.split_once(' ').expect("part region k");
                    regions[region][number(k) as usize]
                }
                _ => match Op::from_name(word) {
                    Some(op) => b.apply(op, &self.values(rest)),
                    None => b.constant(dtype, constant(what, dtype)),
                },
            };
            self.known.insert(name, value);
        }
        Vec::new()
    }
}

fn next_with<'a>(lines: &mut Source<'a>, prefix: &str) -> Option<&'a str> {
    lines.next_if(|line| line.starts_with(prefix)).map(|line| &line[prefix.len()..])
}

fn split3<'a>(text: &'a str, first: &str, second: &str) -> (&'a str, &'a str, &'a str) {
    let (a, rest) = text.split_once(first).expect("the first separator");
    let (b, c) = rest.split_once(second).expect("the second separator");
    (a, b, c)
}

fn leaf(text: &str) -> Leaf {
    if let Some(param) = text.strip_prefix("param ") {
        return Leaf::Param(number(param));
    }
    let (text, keepdims) = text.strip_suffix(" kept").map_or((text, false), |text| (text, true));
    let (_, domain, list) = split3(text, "domain ", " without axes");
    Leaf::Reduced { domain: number(domain), axes: axes(list), keepdims }
}

fn axes(list: &str) -> Axes {
    Axes(list.split_whitespace().fold(0, |axes, axis| axes | 1 << number(axis)))
}

fn number(text: &str) -> u32 {
    text.trim().parse().expect("a number")
}

fn named(dtype: &str) -> DType {
    DType::from_name(dtype).expect("a dtype")
}

fn constant(text: &str, dtype: DType) -> u64 {
    match dtype {
        DType::Bool => u64::from(text == "true"),
        DType::F32 => text.parse::<f32>().expect("a number of f32").to_bits64(),
        DType::F64 => text.parse::<f64>().expect("a number of f64").to_bits64(),
        _ => text.parse::<i128>().expect("an integer") as u64 & (u64::MAX >> (64 - dtype.bits())),
    }
}

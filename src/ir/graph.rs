//! The graph's data: values in an arena, blocks that list them in order.

use std::sync::Arc;

use super::Op;
use crate::dtype::DType;

/// Names one value of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Value(pub(super) u32);

/// Names one block of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockId(pub(super) u32);

impl Value {
    pub(crate) fn from_index(index: usize) -> Value {
        Value(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl BlockId {
    pub(crate) const ROOT: BlockId = BlockId(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether a parameter has one value for all elements or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rank {
    Scalar,
    Array,
}

/// What a program is given: its dtype is that of the values that read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Param {
    pub(crate) name: Arc<str>,
    pub(crate) dtype: DType,
    pub(crate) rank: Rank,
}

/// What stands beyond the edges of an array, in NumPy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Boundary {
    /// The element at the edge.
    Edge,
    /// The array again.
    Wrap,
    /// The array turned round; the element at the edge is not repeated.
    Reflect,
    /// The array turned round; the element at the edge is repeated.
    Symmetric,
    /// These bits.
    Constant(u64),
    /// Nothing: only elements all of whose neighbours exist are computed.
    Interior,
}

/// Where elements are found that follow one another beyond the edges of an array or between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The place of the first, and the step from each to the next: 1, 0 or -1. None if they are the constant.
    pub(crate) place: Option<(usize, isize)>,
    /// How many of them go on like this.
    pub(crate) count: usize,
}

impl Boundary {
    /// Where among `count` elements (one at least) those from `at` on are found.
    pub(crate) fn stretch(self, at: isize, count: usize) -> Stretch {
        let n = count as isize;
        let stretch = |place: isize, step: isize, count: isize| Stretch {
            place: Some((place as usize, step)),
            count: count as usize,
        };
        if (0..n).contains(&at) {
            return stretch(at, 1, n - at);
        }
        let outside = if at < 0 { -at } else { isize::MAX };
        match self {
            Boundary::Constant(_) => Stretch { place: None, count: outside as usize },
            Boundary::Interior => panic!("elements without all their neighbours are left out"),
            Boundary::Edge => stretch(at.clamp(0, n - 1), 0, outside),
            Boundary::Wrap => stretch(at.rem_euclid(n), 1, n - at.rem_euclid(n)),
            Boundary::Symmetric => {
                let turned = at.rem_euclid(2 * n);
                if turned < n {
                    stretch(turned, 1, n - turned)
                } else {
                    stretch(2 * n - 1 - turned, -1, 2 * n - turned)
                }
            }
            Boundary::Reflect if n == 1 => stretch(0, 0, outside),
            Boundary::Reflect => {
                let end = n - 1;
                let turned = at.rem_euclid(2 * end);
                if turned < end {
                    stretch(turned, 1, end - turned)
                } else {
                    stretch(2 * end - turned, -1, 2 * end - turned)
                }
            }
        }
    }
}

/// A parameter that is another one, moved: its elements are that one's, so far away along each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Neighbour {
    pub(crate) of: u32,
    pub(crate) offsets: Vec<isize>,
    pub(crate) boundary: Boundary,
}

/// One result of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) value: Value,
}

/// What a reduction does with the elements that it takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fold {
    /// Integers in 64 bits, wrapping; floats in f64, rounded once if the result is f32.
    Sum,
    /// As the sum.
    Product,
    /// NaN if one is; -0 below +0; of bools `and`.
    Min,
    /// NaN if one is; +0 above -0; of bools `or`.
    Max,
    /// Whether one of the bools is true.
    Any,
    /// Whether all of the bools are true.
    All,
    /// How many of the bools are true.
    Count,
    /// The position, in C order, of the first least element, or of the first NaN.
    ArgMin,
    /// The position, in C order, of the first greatest element, or of the first NaN.
    ArgMax,
}

impl Fold {
    /// How the reduction is called in the text form of a graph.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Fold::Sum => "sum",
            Fold::Product => "product",
            Fold::Min => "min",
            Fold::Max => "max",
            Fold::Any => "any",
            Fold::All => "all",
            Fold::Count => "count",
            Fold::ArgMin => "argmin",
            Fold::ArgMax => "argmax",
        }
    }

    /// Whether it takes elements of `from` and may give one of `to`.
    pub(crate) fn gives(self, from: DType, to: DType) -> bool {
        match self {
            Fold::Sum | Fold::Product => match from {
                DType::F32 => to.is_float(),
                DType::F64 => to == DType::F64,
                _ if from.is_unsigned_int() => to == DType::U64,
                _ => to == DType::I64,
            },
            Fold::Min | Fold::Max => from == to,
            Fold::Any | Fold::All => from == DType::Bool && to == DType::Bool,
            Fold::Count => from == DType::Bool && to == DType::I64,
            Fold::ArgMin | Fold::ArgMax => to == DType::I64,
        }
    }
}

/// Axes of a domain, as a set; the first axis is the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Axes(pub(crate) u32);

impl Axes {
    /// Those of an array of `rank`.
    pub(crate) fn all(rank: usize) -> Axes {
        Axes(((1_u64 << rank) - 1) as u32)
    }

    pub(crate) fn contains(self, axis: usize) -> bool {
        self.0 >> axis & 1 != 0
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// One of the shapes that broadcast together are a domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Leaf {
    /// That of an array parameter.
    Param(u32),
    /// What a reduction leaves of an earlier domain; not a single value.
    Reduced { domain: u32, axes: Axes, keepdims: bool },
}

/// What is known of arrays before a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Size {
    /// How many elements a domain has along some axes.
    Elements { domain: u32, axes: Axes },
    /// How many elements a parameter has along one of its own axes.
    Extent { param: u32, axis: u8 },
    /// How many bytes lie from one of its elements to the next along that axis; 0 if it has no elements.
    Step { param: u32, axis: u8 },
}

/// Elements of a domain, taken together along some axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reduction {
    pub(crate) fold: Fold,
    pub(crate) domain: u32,
    /// Of the domain.
    pub(crate) rank: usize,
    pub(crate) axes: Axes,
    /// Whether the axes stay, of one element each.
    pub(crate) keepdims: bool,
    /// Whether each element is what it and those before it along the only axis come to: the shape stays.
    pub(crate) is_scan: bool,
    /// Whether the program knows what to make of no elements where the fold itself has no answer.
    pub(crate) may_be_empty: bool,
}

impl Reduction {
    /// Whether it leaves a single value.
    pub(crate) fn is_whole(&self) -> bool {
        self.axes.len() == self.rank && !self.is_scan
    }

    /// Whether there is no answer for no elements.
    pub(crate) fn needs_elements(&self) -> bool {
        let has_answer = match self.fold {
            Fold::Sum | Fold::Product | Fold::Any | Fold::All | Fold::Count => true,
            Fold::Min | Fold::Max | Fold::ArgMin | Fold::ArgMax => self.is_scan || self.may_be_empty,
        };
        !has_answer
    }
}

/// Constants that are looked up by a computed index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) dtype: DType,
    /// Bits of each element, zero-extended.
    pub(crate) elements: Vec<u64>,
}

/// One to three operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Operands {
    values: [Value; 3],
    len: u8,
}

impl Operands {
    pub(crate) fn new(operands: &[Value]) -> Operands {
        let mut values = [Value(0); 3];
        values[..operands.len()].copy_from_slice(operands);
        Operands { values, len: operands.len() as u8 }
    }
}

impl std::ops::Deref for Operands {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values[..usize::from(self.len)]
    }
}

impl std::ops::DerefMut for Operands {
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.values[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for Operands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.iter().map(|x| x.0).collect::<Vec<_>>().fmt(f)
    }
}

/// How one value comes about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// These bits, zero-extended.
    Const(u64),
    /// The element of a parameter.
    Param(u32),
    /// The position of the element along an axis of the output, i64.
    Index(u8),
    /// The answer to one of [`Graph::sizes`], i64.
    Size(u32),
    /// The operand's elements as one of [`Graph::reductions`] takes them together. Its operand's elements are those of
    /// another domain; it stands in the root block.
    Reduce(u32, Value),
    /// What a function of Rust, by its number, gives for these; it stands in the root block, and gives the same for the same.
    Call(u32, Box<[Value]>),
    Apply(Op, Operands),
    /// The operand converted to this value's dtype.
    Cast(Value),
    /// The operand's bits as this value's dtype, of the same size. Which NaN an operation gives is open, so whoever
    /// shows the bits to the program makes every NaN the same before.
    Bitcast(Value),
    /// The element of a [`Graph::tables`] at an i64 index, clamped to the table.
    Lookup(u32, Value),
    /// The element of an array parameter that begins so many bytes, an i64, behind its first one. Whoever makes the node keeps
    /// it inside, for every value of what it is computed from; an array without elements has one to be read at 0.
    Gather(u32, Value),
    /// Where `condition` holds the results of `body`, else `otherwise`; a body runs only if some element wants it.
    /// The results are this value's [`Node::Part`]s.
    When {
        condition: Value,
        body: BlockId,
        otherwise: Box<[Value]>,
    },
    /// Runs `body` on the carried values, first `initial`, until its first result is false; at least once.
    /// The carried values at the end are this value's [`Node::Part`]s.
    Repeat {
        initial: Box<[Value]>,
        body: BlockId,
        /// Which loop of the program this is, whose turns count towards a budget; none for a loop of our own, which ends.
        turns: Option<u32>,
    },
    /// A value that the innermost enclosing `Repeat` carries.
    Carried(u32),
    /// A result of a `When` or `Repeat`.
    Part(Value, u32),
}

impl Node {
    /// Calls `visit` on the operands; those of a region's body are not its own.
    pub(crate) fn operands_mut(&mut self, mut visit: impl FnMut(&mut Value)) {
        match self {
            Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) | Node::Carried(_) => {}
            Node::Apply(_, operands) => operands.iter_mut().for_each(visit),
            Node::Call(_, operands) => operands.iter_mut().for_each(visit),
            Node::Cast(x) | Node::Bitcast(x) | Node::Lookup(_, x) | Node::Gather(_, x) => visit(x),
            Node::Reduce(_, x) | Node::Part(x, _) => visit(x),
            Node::When { condition, otherwise, .. } => {
                visit(condition);
                otherwise.iter_mut().for_each(visit);
            }
            Node::Repeat { initial, .. } => initial.iter_mut().for_each(visit),
        }
    }

    /// Calls `visit` on the operands, as [`operands_mut`](Node::operands_mut).
    pub(crate) fn operands(&self, mut visit: impl FnMut(Value)) {
        match self {
            Node::Const(_) | Node::Param(_) | Node::Index(_) | Node::Size(_) | Node::Carried(_) => {}
            Node::Apply(_, operands) => operands.iter().copied().for_each(visit),
            Node::Call(_, operands) => operands.iter().copied().for_each(visit),
            Node::Cast(x) | Node::Bitcast(x) | Node::Lookup(_, x) | Node::Gather(_, x) => visit(*x),
            Node::Reduce(_, x) | Node::Part(x, _) => visit(*x),
            Node::When { condition, otherwise, .. } => {
                visit(*condition);
                otherwise.iter().copied().for_each(visit);
            }
            Node::Repeat { initial, .. } => initial.iter().copied().for_each(visit),
        }
    }

    /// The block that a region runs.
    pub(crate) fn body(&self) -> Option<BlockId> {
        match self {
            Node::When { body, .. } | Node::Repeat { body, .. } => Some(*body),
            _ => None,
        }
    }
}

/// Values in order of evaluation, and those of them that leave the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) values: Vec<Value>,
    pub(crate) results: Vec<Value>,
}

/// A program for one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) params: Vec<Param>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) tables: Vec<Table>,
    /// Shapes that are known when the program runs, each of what its leaves are broadcast together; in order of need.
    pub(crate) domains: Vec<Vec<Leaf>>,
    /// Numbers of elements that the program asks for.
    pub(crate) sizes: Vec<Size>,
    /// Each kind of reduction that the program has.
    pub(crate) reductions: Vec<Reduction>,
    pub(super) nodes: Vec<Node>,
    pub(super) dtypes: Vec<DType>,
    pub(super) blocks: Vec<Block>,
}

impl Graph {
    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.index()]
    }

    /// Lets the value come about in another way.
    pub(crate) fn set_node(&mut self, value: Value, node: Node) {
        self.nodes[value.index()] = node;
    }

    pub(crate) fn dtype(&self, value: Value) -> DType {
        self.dtypes[value.index()]
    }

    pub(crate) fn block(&self, block: BlockId) -> &Block {
        &self.blocks[block.index()]
    }

    /// What a region's body computes, and what leaves it, which may have been computed before; nothing of other nodes.
    pub(crate) fn inside(&self, node: &Node) -> impl Iterator<Item = Value> {
        let body = node.body().map(|body| self.block(body));
        body.into_iter().flat_map(|body| body.values.iter().chain(&body.results)).copied()
    }

    /// The number of values, regions included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Lets a result of a block be another value of it.
    pub(crate) fn set_result(&mut self, block: BlockId, k: usize, value: Value) {
        self.blocks[block.index()].results[k] = value;
    }

    /// The region that each carried value is of.
    pub(crate) fn carriers(&self) -> Vec<Option<Value>> {
        let mut carriers = Vec::new();
        for region in (0..self.len()).map(Value::from_index) {
            if let Node::Repeat { body, .. } = self.node(region) {
                carriers.resize(self.len(), None);
                let values = self.block(*body).values.iter();
                let carried = values.take_while(|x| matches!(self.node(**x), Node::Carried(_)));
                carried.for_each(|x| carriers[x.index()] = Some(region));
            }
        }
        carriers
    }

    /// Calls `visit` on each value that `value` is computed from: of a part what decides on it, of a carried value what it is
    /// at first and in the next turn. `carriers` are those of this graph.
    pub(crate) fn sources(&self, value: Value, carriers: &[Option<Value>], mut visit: impl FnMut(Value)) {
        let (region, k) = match self.node(value) {
            Node::Part(region, k) => (*region, *k as usize),
            Node::Carried(k) => {
                (carriers[value.index()].expect("a carried value stands first in a repeat"), *k as usize)
            }
            // Whatever needs a region needs one of its parts.
            Node::When { .. } | Node::Repeat { .. } => return,
            node => return node.operands(visit),
        };
        match self.node(region) {
            Node::When { condition, body, otherwise } => {
                visit(*condition);
                visit(otherwise[k]);
                visit(self.block(*body).results[k]);
            }
            Node::Repeat { initial, body, .. } => {
                let results = &self.block(*body).results;
                visit(initial[k]);
                visit(results[k + 1]);
                // Another element may have another number of turns; inside, it is on its way as long as this one is.
                if matches!(self.node(value), Node::Part(..)) {
                    visit(results[0]);
                }
            }
            node => panic!("{node:?} has no parts"),
        }
    }

    /// The bits of a value that is a constant.
    pub(crate) fn constant(&self, value: Value) -> Option<u64> {
        match self.node(value) {
            Node::Const(bits) => Some(*bits),
            _ => None,
        }
    }
}

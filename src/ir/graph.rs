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

/// One result of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) value: Value,
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
    /// How many elements the parameters of [`Graph::sizes`] have when broadcast together, i64.
    Size(u32),
    Apply(Op, Operands),
    /// The operand converted to this value's dtype.
    Cast(Value),
    /// The operand's bits as this value's dtype, of the same size. Which NaN an operation gives is open, so whoever
    /// shows the bits to the program makes every NaN the same before.
    Bitcast(Value),
    /// The element of a [`Graph::tables`] at an i64 index, clamped to the table.
    Lookup(u32, Value),
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
            Node::Cast(x) | Node::Bitcast(x) | Node::Lookup(_, x) | Node::Part(x, _) => visit(x),
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
            Node::Cast(x) | Node::Bitcast(x) | Node::Lookup(_, x) | Node::Part(x, _) => visit(*x),
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
    /// Sets of parameters whose common number of elements the program asks for.
    pub(crate) sizes: Vec<Vec<u32>>,
    pub(super) nodes: Vec<Node>,
    pub(super) dtypes: Vec<DType>,
    pub(super) blocks: Vec<Block>,
}

impl Graph {
    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.index()]
    }

    pub(crate) fn dtype(&self, value: Value) -> DType {
        self.dtypes[value.index()]
    }

    pub(crate) fn block(&self, block: BlockId) -> &Block {
        &self.blocks[block.index()]
    }

    /// The number of values, regions included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The bits of a value that is a constant.
    pub(crate) fn constant(&self, value: Value) -> Option<u64> {
        match self.node(value) {
            Node::Const(bits) => Some(*bits),
            _ => None,
        }
    }
}

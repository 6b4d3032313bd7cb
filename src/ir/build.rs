//! Makes graphs, value by value, and remakes one from another.

use std::sync::Arc;

use super::graph::{Block, BlockId, Graph, Leaf, Node, Operands, Output, Param, Reduction, Size, Table, Value};
use super::op::{Op, Rule};
use crate::dtype::{DType, Element};

/// A place to come back to, see [`Builder::mark`].
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) nodes: usize,
    blocks: usize,
    open: usize,
    of_root: usize,
    of_innermost: usize,
}

/// A graph under construction. New values go to the innermost open block.
#[derive(Debug)]
pub(crate) struct Builder {
    graph: Graph,
    open: Vec<BlockId>,
}

impl Builder {
    pub(crate) fn new(params: Vec<Param>) -> Builder {
        let graph = Graph {
            params,
            outputs: Vec::new(),
            tables: Vec::new(),
            domains: Vec::new(),
            sizes: Vec::new(),
            reductions: Vec::new(),
            nodes: Vec::new(),
            dtypes: Vec::new(),
            blocks: vec![Block::default()],
        };
        Builder { graph, open: vec![BlockId::ROOT] }
    }

    pub(crate) fn finish(mut self, outputs: Vec<Output>) -> Graph {
        assert_eq!(self.open, [BlockId::ROOT], "every region is closed");
        self.graph.outputs = outputs;
        self.graph
    }

    /// What stands so far.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The block that new values go to, and those around it, outermost first.
    pub(crate) fn open_blocks(&self) -> &[BlockId] {
        &self.open
    }

    pub(crate) fn dtype(&self, value: Value) -> DType {
        self.graph.dtype(value)
    }

    /// The number of values so far.
    pub(crate) fn len(&self) -> usize {
        self.graph.len()
    }

    pub(crate) fn push(&mut self, node: Node, dtype: DType) -> Value {
        let value = Value(self.graph.nodes.len() as u32);
        self.graph.nodes.push(node);
        self.graph.dtypes.push(dtype);
        let block = self.open.last().expect("a builder has an open block").index();
        self.graph.blocks[block].values.push(value);
        value
    }

    /// As [`push`](Builder::push), to the open block of that depth.
    pub(crate) fn push_at(&mut self, depth: usize, node: Node, dtype: DType) -> Value {
        let value = Value(self.graph.nodes.len() as u32);
        self.graph.nodes.push(node);
        self.graph.dtypes.push(dtype);
        self.graph.blocks[self.open[depth].index()].values.push(value);
        value
    }

    /// Whether a block is the body of a loop that carries something.
    pub(crate) fn is_loop(&self, block: BlockId) -> bool {
        let first = self.graph.block(block).values.first();
        first.is_some_and(|first| matches!(self.graph.node(*first), Node::Carried(_)))
    }

    pub(crate) fn constant(&mut self, dtype: DType, bits: u64) -> Value {
        self.push(Node::Const(bits), dtype)
    }

    /// A constant of the Rust type's dtype.
    pub(crate) fn element<T: Element>(&mut self, x: T) -> Value {
        self.constant(T::DTYPE, x.to_bits64())
    }

    pub(crate) fn f64(&mut self, x: f64) -> Value {
        self.element(x)
    }

    pub(crate) fn f32(&mut self, x: f32) -> Value {
        self.element(x)
    }

    pub(crate) fn i64(&mut self, x: i64) -> Value {
        self.element(x)
    }

    /// The integer as `dtype`, cut off to its width; of a float the nearest.
    pub(crate) fn integer(&mut self, dtype: DType, x: i128) -> Value {
        let bits = match dtype {
            DType::F32 => (x as f32).to_bits64(),
            DType::F64 => (x as f64).to_bits64(),
            _ => x as u64 & (u64::MAX >> (64 - dtype.bits())),
        };
        self.constant(dtype, bits)
    }

    /// The float as `dtype`.
    ///
    /// # Panics
    /// If `dtype` is no float.
    pub(crate) fn float(&mut self, dtype: DType, x: f64) -> Value {
        match dtype {
            DType::F32 => self.f32(x as f32),
            DType::F64 => self.f64(x),
            _ => panic!("{dtype} is no float"),
        }
    }

    pub(crate) fn param(&mut self, index: usize) -> Value {
        let dtype = self.graph.params[index].dtype;
        self.push(Node::Param(index as u32), dtype)
    }

    /// `op` on operands of one dtype (after the condition, for `select`).
    pub(crate) fn apply(&mut self, op: Op, operands: &[Value]) -> Value {
        assert_eq!(operands.len(), op.arity(), "operands of {}", op.name());
        let dtype = self.dtype(operands[usize::from(op.rule() == Rule::Choose)]);
        self.push(Node::Apply(op, Operands::new(operands)), op.result(dtype))
    }

    /// The value as `dtype`; itself if it is that already.
    pub(crate) fn cast(&mut self, x: Value, dtype: DType) -> Value {
        if self.dtype(x) == dtype { x } else { self.push(Node::Cast(x), dtype) }
    }

    /// The bits as `dtype`, of the same size; the value itself if it is that already.
    pub(crate) fn bitcast(&mut self, x: Value, dtype: DType) -> Value {
        assert_eq!(self.dtype(x).size(), dtype.size(), "a bitcast keeps the size");
        if self.dtype(x) == dtype { x } else { self.push(Node::Bitcast(x), dtype) }
    }

    /// The element at `index` (i64, clamped) of a table of bits.
    pub(crate) fn table(&mut self, elements: &[u64], dtype: DType, index: Value) -> Value {
        assert!(!elements.is_empty(), "a table has elements");
        let table = Table { dtype, elements: elements.to_vec() };
        let known = self.graph.tables.iter().position(|known| *known == table);
        let id = known.unwrap_or_else(|| {
            self.graph.tables.push(table);
            self.graph.tables.len() - 1
        });
        self.push(Node::Lookup(id as u32, index), dtype)
    }

    /// Gives the graph what [`Node::Size`] and [`Node::Reduce`] speak of.
    pub(crate) fn set_shapes(&mut self, domains: Vec<Vec<Leaf>>, sizes: Vec<Size>, reductions: Vec<Reduction>) {
        (self.graph.domains, self.graph.sizes, self.graph.reductions) = (domains, sizes, reductions);
    }

    fn block(&mut self, body: impl FnOnce(&mut Builder) -> Vec<Value>) -> BlockId {
        let id = self.open_block();
        let results = body(self);
        self.close_block(results);
        id
    }

    fn parts(&mut self, region: Value, dtypes: &[DType]) -> Vec<Value> {
        dtypes.iter().enumerate().map(|(k, dtype)| self.push(Node::Part(region, k as u32), *dtype)).collect()
    }

    // -- blocks that are filled before their region stands --

    /// Opens a block of its own; new values go to it until it is closed.
    pub(crate) fn open_block(&mut self) -> BlockId {
        let id = BlockId(self.graph.blocks.len() as u32);
        self.graph.blocks.push(Block::default());
        self.open.push(id);
        id
    }

    /// Goes on in a block that was closed.
    pub(crate) fn reopen_block(&mut self, block: BlockId) {
        self.open.push(block);
    }

    /// Closes the innermost block, with what leaves it.
    pub(crate) fn close_block(&mut self, results: Vec<Value>) {
        let block = self.open.pop().expect("a block is open");
        self.graph.blocks[block.index()].results = results;
    }

    /// The values that a loop's block, which is open and empty, begins with.
    pub(crate) fn carried(&mut self, dtypes: &[DType]) -> Vec<Value> {
        dtypes.iter().enumerate().map(|(k, dtype)| self.push(Node::Carried(k as u32), *dtype)).collect()
    }

    /// A `when` whose body is closed.
    pub(crate) fn push_when(&mut self, condition: Value, body: BlockId, otherwise: &[Value]) -> Vec<Value> {
        let dtypes: Vec<DType> = otherwise.iter().map(|x| self.dtype(*x)).collect();
        let region = self.push(Node::When { condition, body, otherwise: otherwise.into() }, DType::Bool);
        self.parts(region, &dtypes)
    }

    /// A `repeat` whose body is closed; `turns` names it where its turns are counted.
    pub(crate) fn push_repeat(&mut self, initial: &[Value], body: BlockId, turns: Option<u32>) -> Vec<Value> {
        let dtypes: Vec<DType> = initial.iter().map(|x| self.dtype(*x)).collect();
        let region = self.push(Node::Repeat { initial: initial.into(), body, turns }, DType::Bool);
        self.parts(region, &dtypes)
    }

    /// Adds a parameter behind the others; gives its index.
    pub(crate) fn add_param(&mut self, param: Param) -> usize {
        self.graph.params.push(param);
        self.graph.params.len() - 1
    }

    /// The value of a parameter, in the root block.
    pub(crate) fn root_param(&mut self, index: usize) -> Value {
        self.open.push(BlockId::ROOT);
        let value = self.param(index);
        self.open.pop();
        value
    }

    /// What stands so far, to come back to; blocks that are open now must not have been closed by then.
    pub(crate) fn mark(&self) -> Mark {
        let innermost = self.open.last().expect("a builder has an open block").index();
        Mark {
            nodes: self.graph.nodes.len(),
            blocks: self.graph.blocks.len(),
            open: self.open.len(),
            of_root: self.graph.blocks[0].values.len(),
            of_innermost: self.graph.blocks[innermost].values.len(),
        }
    }

    /// Forgets what was made since `mark`.
    pub(crate) fn rollback(&mut self, mark: &Mark) {
        self.graph.nodes.truncate(mark.nodes);
        self.graph.dtypes.truncate(mark.nodes);
        self.graph.blocks.truncate(mark.blocks);
        self.open.truncate(mark.open);
        let innermost = self.open.last().expect("a builder has an open block").index();
        self.graph.blocks[innermost].values.truncate(mark.of_innermost);
        self.graph.blocks[0].values.truncate(mark.of_root);
    }

    /// For each element the values of `body` if `condition` holds, else `otherwise`; the body runs if some element wants it.
    pub(crate) fn when(
        &mut self,
        condition: Value,
        otherwise: &[Value],
        body: impl FnOnce(&mut Builder) -> Vec<Value>,
    ) -> Vec<Value> {
        let body = self.block(body);
        self.push_when(condition, body, otherwise)
    }

    /// Carries values round `body`, which gives whether to go on and the next values; at least one turn.
    pub(crate) fn repeat(
        &mut self,
        initial: &[Value],
        body: impl FnOnce(&mut Builder, &[Value]) -> (Value, Vec<Value>),
    ) -> Vec<Value> {
        self.counted_repeat(initial, None, body)
    }

    /// A `repeat` that counts its turns if `turns` names it.
    pub(crate) fn counted_repeat(
        &mut self,
        initial: &[Value],
        turns: Option<u32>,
        body: impl FnOnce(&mut Builder, &[Value]) -> (Value, Vec<Value>),
    ) -> Vec<Value> {
        let dtypes: Vec<DType> = initial.iter().map(|x| self.dtype(*x)).collect();
        let body = self.block(|b| {
            let carried = b.carried(&dtypes);
            let (again, next) = body(b, &carried);
            std::iter::once(again).chain(next).collect()
        });
        self.push_repeat(initial, body, turns)
    }
}

macro_rules! short {
    ($($method:ident($($x:ident),+) = $op:ident;)+) => {
        /// One method an op.
        impl Builder { $(
            pub(crate) fn $method(&mut self, $($x: Value),+) -> Value {
                self.apply(Op::$op, &[$($x),+])
            }
        )+ }
    };
}

short! {
    add(x, y) = Add; sub(x, y) = Sub; mul(x, y) = Mul; div(x, y) = Div; fma(x, y, z) = Fma;
    neg(x) = Neg; abs(x) = Abs; sqrt(x) = Sqrt; floor(x) = Floor; trunc(x) = Trunc; round(x) = Round;
    copysign(x, y) = Copysign; lesser(x, y) = Lesser; greater(x, y) = Greater;
    eq(x, y) = Eq; ne(x, y) = Ne; lt(x, y) = Lt; le(x, y) = Le; gt(x, y) = Gt; ge(x, y) = Ge;
    and(x, y) = And; or(x, y) = Or; xor(x, y) = Xor; not(x) = Not;
    shl(x, count) = Shl; shr(x, count) = Shr;
    select(condition, x, y) = Select;
}

/// What becomes of a graph's values when it is remade. A closure decides on every value that is no region.
pub(crate) trait Rewrite {
    /// Gives the value that stands for `node`, whose operands are already those of the new graph.
    fn value(&mut self, b: &mut Builder, node: Node, dtype: DType) -> Value;

    /// Gives the values that stand for the parts of the region just made, `before` it the graph had so many values.
    fn region(&mut self, _b: &Builder, _before: usize, parts: Vec<Value>) -> Vec<Value> {
        parts
    }

    /// Whether the body of that `when` of the old graph becomes part of the block around it.
    fn runs_always(&self, _when: Value) -> bool {
        false
    }
}

impl<F: FnMut(&mut Builder, Node, DType) -> Value> Rewrite for F {
    fn value(&mut self, b: &mut Builder, node: Node, dtype: DType) -> Value {
        self(b, node, dtype)
    }
}

/// Remakes `graph` with `visit` deciding on every value that is no region, see [`Rewrite::value`].
pub(crate) fn rewrite(graph: &Graph, visit: impl FnMut(&mut Builder, Node, DType) -> Value) -> Graph {
    rewrite_regions(graph, visit)
}

/// Remakes `graph` as `visit` decides; a `when` whose condition has become a constant goes.
pub(crate) fn rewrite_regions(graph: &Graph, visit: impl Rewrite) -> Graph {
    let mut builder = Builder::new(graph.params.clone());
    builder.graph.tables = graph.tables.clone();
    builder.set_shapes(graph.domains.clone(), graph.sizes.clone(), graph.reductions.clone());
    builder.graph.nodes.reserve(graph.len());
    builder.graph.dtypes.reserve(graph.len());
    let mut rewriter = Rewriter { old: graph, new: vec![None; graph.len()], visit };
    rewriter.block(&mut builder, BlockId::ROOT, &[]);
    let renamed = |output: &Output| Output { name: Arc::clone(&output.name), value: rewriter.renamed(output.value) };
    builder.finish(graph.outputs.iter().map(renamed).collect())
}

struct Rewriter<'a, R> {
    old: &'a Graph,
    new: Vec<Option<Value>>,
    visit: R,
}

impl<R: Rewrite> Rewriter<'_, R> {
    fn renamed(&self, value: Value) -> Value {
        self.new[value.index()].expect("an operand stands before its user")
    }

    fn all_renamed(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|x| self.renamed(*x)).collect()
    }

    fn block(&mut self, b: &mut Builder, block: BlockId, carried: &[Value]) -> Vec<Value> {
        let old = self.old;
        let mut parts: Vec<(Value, Vec<Value>)> = Vec::new();
        for &value in &old.block(block).values {
            let new = match old.node(value) {
                Node::When { condition, body, otherwise } => {
                    parts.push((value, self.when(b, value, *condition, *body, otherwise)));
                    continue;
                }
                Node::Repeat { initial, body, turns } => {
                    let (before, initial) = (b.len(), self.all_renamed(initial));
                    let results = b.counted_repeat(&initial, *turns, |b, carried| {
                        let mut results = self.block(b, *body, carried);
                        (results.remove(0), results)
                    });
                    parts.push((value, self.visit.region(b, before, results)));
                    continue;
                }
                Node::Part(region, k) => {
                    let (_, results) =
                        parts.iter().rev().find(|(known, _)| known == region).expect("a part follows its region");
                    results[*k as usize]
                }
                Node::Carried(k) => carried[*k as usize],
                node => {
                    let mut node = node.clone();
                    node.operands_mut(|x| *x = self.renamed(*x));
                    self.visit.value(b, node, old.dtype(value))
                }
            };
            self.new[value.index()] = Some(new);
        }
        self.all_renamed(&old.block(block).results)
    }

    fn when(
        &mut self,
        b: &mut Builder,
        when: Value,
        condition: Value,
        body: BlockId,
        otherwise: &[Value],
    ) -> Vec<Value> {
        let (before, condition) = (b.len(), self.renamed(condition));
        let otherwise = self.all_renamed(otherwise);
        match b.graph().constant(condition) {
            Some(0) => otherwise,
            Some(_) => self.block(b, body, &[]),
            None if self.visit.runs_always(when) => {
                let inside = self.block(b, body, &[]);
                inside
                    .into_iter()
                    .zip(otherwise)
                    .map(|(x, y)| if x == y { x } else { b.select(condition, x, y) })
                    .collect()
            }
            None => {
                let results = b.when(condition, &otherwise, |b| self.block(b, body, &[]));
                self.visit.region(b, before, results)
            }
        }
    }
}

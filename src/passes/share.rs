//! Values that are computed twice to one: value numbering, where what a region computes is known in that region alone.
//! Regions that do the same to the same operands are one, too.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::mem::discriminant;

use crate::dtype::DType;
use crate::ir::{BlockId, Builder, Graph, Node, Op, Rewrite, Value, rewrite_regions};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    let slots = vec![None; (graph.len() * 2).next_power_of_two()];
    rewrite_regions(&graph, Known { slots, regions: HashMap::default() })
}

/// How many slots are looked at. Constants chosen to collide are then computed twice, and cost nobody quadratic time.
const LONGEST_CHAIN: usize = 32;

/// What has been computed so far.
struct Known {
    /// Values by the hash of their node, in the first free slot from there on. There are twice as many slots as values.
    slots: Vec<Option<Entry>>,
    /// The latest region of each hash, so that looking for an equal one takes one comparison.
    regions: HashMap<u64, Region, BuildHasherDefault<Fx>>,
}

#[derive(Clone, Copy)]
struct Entry {
    value: Value,
    scope: Scope,
}

struct Region {
    value: Value,
    before: usize,
    scope: Scope,
    parts: Vec<Value>,
}

/// The block that a value is computed in. It is in reach while that block is open.
#[derive(Clone, Copy)]
struct Scope {
    block: BlockId,
    depth: usize,
}

impl Scope {
    fn innermost(b: &Builder) -> Scope {
        let depth = b.open_blocks().len() - 1;
        Scope { block: b.open_blocks()[depth], depth }
    }

    fn is_open(self, b: &Builder) -> bool {
        b.open_blocks().get(self.depth) == Some(&self.block)
    }
}

impl Rewrite for Known {
    fn value(&mut self, b: &mut Builder, mut node: Node, dtype: DType) -> Value {
        order_operands(b.graph(), &mut node);
        let mask = self.slots.len() - 1;
        let mut hasher = Fx::default();
        (&node, dtype).hash(&mut hasher);
        let home = hasher.finish() as usize;
        for slot in (home..home + LONGEST_CHAIN).map(|slot| slot & mask) {
            let same = |entry: &Entry| *b.graph().node(entry.value) == node && b.dtype(entry.value) == dtype;
            match self.slots[slot] {
                Some(entry) if !same(&entry) => continue,
                Some(entry) if entry.scope.is_open(b) => return entry.value,
                Some(_) | None => {
                    let value = b.push(node, dtype);
                    self.slots[slot] = Some(Entry { value, scope: Scope::innermost(b) });
                    return value;
                }
            }
        }
        b.push(node, dtype)
    }

    fn region(&mut self, b: &Builder, before: usize, parts: Vec<Value>) -> Vec<Value> {
        let Some(first) = parts.first() else { return parts };
        let Node::Part(value, _) = *b.graph().node(*first) else { panic!("a region's results are its parts") };
        let hash = region_hash(b.graph(), value);
        if let Some(known) = self.regions.get(&hash)
            && known.scope.is_open(b)
            && (Twins { graph: b.graph(), before: [known.before, before] }).nodes(known.value, value)
        {
            // The copy has no users left, so `dead` drops it.
            return known.parts.clone();
        }
        self.regions.insert(hash, Region { value, before, scope: Scope::innermost(b), parts: parts.clone() });
        parts
    }
}

/// The operands of a commutative op in one order, constants last.
fn order_operands(graph: &Graph, node: &mut Node) {
    if let Node::Apply(op, operands) = node
        && (op.is_commutative() || *op == Op::Fma)
    {
        let key = |x: Value| (graph.constant(x).is_some(), x);
        if key(operands[0]) > key(operands[1]) {
            operands.swap(0, 1);
        }
    }
}

/// Equal for equal regions: of the operands, and of the kinds of nodes in the body but not of their operands.
fn region_hash(graph: &Graph, region: Value) -> u64 {
    let mut hasher = Fx::default();
    let node = graph.node(region);
    node.operands(|x| x.hash(&mut hasher));
    for &value in &graph.block(node.body().expect("a region has a body")).values {
        let node = graph.node(value);
        (discriminant(node), graph.dtype(value)).hash(&mut hasher);
        match node {
            Node::Const(bits) => bits.hash(&mut hasher),
            Node::Apply(op, _) => op.hash(&mut hasher),
            _ => {}
        }
    }
    hasher.finish()
}

/// Compares two regions of one graph. What is computed in one has the number of its twin in the other, counted from
/// where the region begins.
struct Twins<'a> {
    graph: &'a Graph,
    before: [usize; 2],
}

impl Twins<'_> {
    fn values(&self, x: Value, y: Value) -> bool {
        let [x_before, y_before] = self.before;
        x == y || x.index() >= x_before && y.index() >= y_before && x.index() - x_before == y.index() - y_before
    }

    fn lists(&self, x: &[Value], y: &[Value]) -> bool {
        x.len() == y.len() && x.iter().zip(y).all(|(x, y)| self.values(*x, *y))
    }

    fn blocks(&self, x: BlockId, y: BlockId) -> bool {
        let (x, y) = (self.graph.block(x), self.graph.block(y));
        x.values.len() == y.values.len()
            && x.values
                .iter()
                .zip(&y.values)
                .all(|(x, y)| self.values(*x, *y) && self.graph.dtype(*x) == self.graph.dtype(*y) && self.nodes(*x, *y))
            && self.lists(&x.results, &y.results)
    }

    fn nodes(&self, x: Value, y: Value) -> bool {
        match (self.graph.node(x), self.graph.node(y)) {
            (Node::Apply(f, x), Node::Apply(g, y)) => f == g && self.lists(x, y),
            (Node::Cast(x), Node::Cast(y)) | (Node::Bitcast(x), Node::Bitcast(y)) => self.values(*x, *y),
            (Node::Lookup(j, x), Node::Lookup(k, y)) | (Node::Gather(j, x), Node::Gather(k, y)) => {
                j == k && self.values(*x, *y)
            }
            (Node::Part(x, j), Node::Part(y, k)) => j == k && self.values(*x, *y),
            (
                Node::When { condition: x, body: x_body, otherwise: x_else },
                Node::When { condition: y, body: y_body, otherwise: y_else },
            ) => self.values(*x, *y) && self.lists(x_else, y_else) && self.blocks(*x_body, *y_body),
            (
                Node::Repeat { initial: x, body: x_body, turns: j },
                Node::Repeat { initial: y, body: y_body, turns: k },
            ) => j == k && self.lists(x, y) && self.blocks(*x_body, *y_body),
            (leaf, other) => leaf == other,
        }
    }
}

/// A quick hash for small keys.
#[derive(Default)]
struct Fx(u64);

impl Fx {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Fx {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, x: u8) {
        self.mix(u64::from(x));
    }

    fn write_u32(&mut self, x: u32) {
        self.mix(u64::from(x));
    }

    fn write_u64(&mut self, x: u64) {
        self.mix(x);
    }

    fn write_isize(&mut self, x: isize) {
        self.mix(x as u64);
    }

    /// The product's upper half is the well-mixed one.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

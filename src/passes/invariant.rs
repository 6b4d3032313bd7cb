//! What is the same in each turn of a loop to before the loop.

use crate::dtype::DType;
use crate::ir::{BlockId, Builder, Graph, Node, Rewrite, Value, rewrite_regions};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    let has_loop = (0..graph.len()).any(|k| matches!(graph.node(Value::from_index(k)), Node::Repeat { .. }));
    if has_loop { rewrite_regions(&graph, Hoist { block_of: Vec::new() }) } else { graph }
}

struct Hoist {
    /// The block of each value of the new graph, as far as it was asked for.
    block_of: Vec<Option<BlockId>>,
}

impl Rewrite for Hoist {
    fn value(&mut self, b: &mut Builder, node: Node, dtype: DType) -> Value {
        let mut depth = 0;
        let open = b.open_blocks();
        node.operands(|x| {
            let at = match b.graph().node(x) {
                Node::Carried(k) => {
                    open.iter().rposition(|block| b.graph().block(*block).values.get(*k as usize) == Some(&x))
                }
                _ => open.iter().rposition(|block| self.block_of[x.index()] == Some(*block)),
            };
            depth = depth.max(at.expect("an operand is in scope"));
        });
        // Where only some elements go, what they need is not computed for all.
        while depth < open.len() - 1 && !open[depth + 1..].iter().all(|block| b.is_loop(*block)) {
            depth += 1;
        }
        let (block, value) = (open[depth], b.push_at(depth, node, dtype));
        self.note(value, block);
        value
    }

    fn region(&mut self, b: &Builder, _before: usize, parts: Vec<Value>) -> Vec<Value> {
        let block = *b.open_blocks().last().expect("a block is open");
        parts.iter().for_each(|part| self.note(*part, block));
        parts
    }
}

impl Hoist {
    fn note(&mut self, value: Value, block: BlockId) {
        if self.block_of.len() <= value.index() {
            self.block_of.resize(value.index() + 1, None);
        }
        self.block_of[value.index()] = Some(block);
    }
}

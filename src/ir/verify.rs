//! Checks a graph's invariants; a graph that breaks one is our mistake, hence a panic.

use super::graph::{BlockId, Graph, Node, Rank, Value};
use super::op::Rule;
use crate::dtype::DType;

impl Graph {
    /// Panics, naming the value, if an invariant is broken: operands stand before users and in scope, dtypes obey
    /// the op table, regions and their parts agree. Run between passes in tests and debug builds.
    pub(crate) fn verify(&self) {
        assert!(!self.outputs.is_empty(), "a graph has an output");
        let mut seen = vec![false; self.len()];
        self.verify_block(BlockId::ROOT, &mut seen, &[]);
        for output in &self.outputs {
            assert!(seen[output.value.index()], "output `{}` is computed in the root block", output.name);
        }
    }

    fn verify_block(&self, block: BlockId, seen: &mut Vec<bool>, carried: &[DType]) {
        let block = self.block(block);
        let is_root = std::ptr::eq(block, self.block(BlockId::ROOT));
        for &value in &block.values {
            assert!(!seen[value.index()], "v{} is computed once", value.0);
            let node = self.node(value);
            node.operands(|x| assert!(seen[x.index()], "v{}: operand v{} in scope and before", value.0, x.0));
            let takes_all = matches!(node, Node::Reduce(..) | Node::Call(..));
            assert!(is_root || !takes_all, "v{}: stands in the root block", value.0);
            self.verify_node(value, node, carried);
            match node {
                Node::When { body, otherwise, .. } => {
                    let dtypes: Vec<DType> = otherwise.iter().map(|x| self.dtype(*x)).collect();
                    self.verify_region(value, *body, seen, &[], &dtypes);
                }
                Node::Repeat { initial, body, .. } => {
                    let carried: Vec<DType> = initial.iter().map(|x| self.dtype(*x)).collect();
                    let results: Vec<DType> = std::iter::once(DType::Bool).chain(carried.iter().copied()).collect();
                    self.verify_region(value, *body, seen, &carried, &results);
                }
                _ => {}
            }
            seen[value.index()] = true;
        }
        for result in &block.results {
            assert!(seen[result.index()], "v{} leaves its block, so it is computed there", result.0);
        }
    }

    /// What a region computes is out of scope behind it.
    fn verify_region(&self, value: Value, body: BlockId, seen: &mut Vec<bool>, carried: &[DType], results: &[DType]) {
        self.verify_block(body, seen, carried);
        let found: Vec<DType> = self.block(body).results.iter().map(|x| self.dtype(*x)).collect();
        assert_eq!(found, results, "v{}: results of its body", value.0);
        self.hide(body, seen);
    }

    fn hide(&self, block: BlockId, seen: &mut [bool]) {
        for &value in &self.block(block).values {
            seen[value.index()] = false;
        }
    }

    fn verify_node(&self, value: Value, node: &Node, carried: &[DType]) {
        let (id, dtype) = (value.0, self.dtype(value));
        let of = |x: &Value| self.dtype(*x);
        match node {
            Node::Const(bits) => assert!(*bits <= u64::MAX >> (64 - dtype.bits()), "v{id}: bits of {dtype}"),
            Node::Param(index) => {
                assert_eq!(dtype, self.params[*index as usize].dtype, "v{id}: dtype of its parameter")
            }
            Node::Index(_) => assert_eq!(dtype, DType::I64, "v{id}: an index is i64"),
            Node::Size(index) => assert!(dtype == DType::I64 && (*index as usize) < self.sizes.len(), "v{id}: a size"),
            Node::Reduce(index, x) => {
                let fold = self.reductions[*index as usize].fold;
                assert!(fold.gives(of(x), dtype), "v{id}: {} of {} gives no {dtype}", fold.name(), of(x));
            }
            // Whoever calls knows the dtypes.
            Node::Call(..) => {}
            Node::Apply(op, operands) => {
                assert_eq!(operands.len(), op.arity(), "v{id}: operands of {}", op.name());
                let (conditions, rest) = operands.split_at(usize::from(op.rule() == Rule::Choose));
                assert!(conditions.iter().all(|x| of(x) == DType::Bool), "v{id}: a condition is bool");
                let operand = of(&rest[0]);
                assert!(rest.iter().all(|x| of(x) == operand), "v{id}: operands of {} have one dtype", op.name());
                assert!(op.takes(operand), "v{id}: {} takes no {operand}", op.name());
                assert_eq!(dtype, op.result(operand), "v{id}: dtype of {}", op.name());
            }
            Node::Cast(x) => assert_ne!(of(x), dtype, "v{id}: a cast changes the dtype"),
            Node::Bitcast(x) => assert_eq!(of(x).size(), dtype.size(), "v{id}: a bitcast keeps the size"),
            Node::Lookup(table, index) => {
                assert_eq!(dtype, self.tables[*table as usize].dtype, "v{id}: dtype of its table");
                assert_eq!(of(index), DType::I64, "v{id}: an index is i64");
            }
            Node::Gather(param, offset) => {
                let param = &self.params[*param as usize];
                assert_eq!((dtype, Rank::Array), (param.dtype, param.rank), "v{id}: an element of its array");
                assert_eq!(of(offset), DType::I64, "v{id}: an offset is i64");
            }
            Node::When { condition, .. } => assert_eq!(of(condition), DType::Bool, "v{id}: a condition is bool"),
            Node::Repeat { .. } => {}
            Node::Carried(k) => assert_eq!(dtype, carried[*k as usize], "v{id}: dtype of the carried value"),
            Node::Part(region, k) => {
                let whole = match self.node(*region) {
                    Node::When { otherwise, .. } => otherwise,
                    Node::Repeat { initial, .. } => initial,
                    _ => panic!("v{id}: a part of a region"),
                };
                assert_eq!(dtype, of(&whole[*k as usize]), "v{id}: dtype of the part");
            }
        }
    }
}

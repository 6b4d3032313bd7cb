//! Values and results of regions that no output needs are dropped.

use crate::ir::{BlockId, Builder, Graph, Node, Output, Value};
use crate::target::Target;

pub(super) fn run(graph: Graph, _target: &Target) -> Graph {
    let live = Live::of(&graph);
    let mut builder = Builder::new(graph.params.clone());
    let places = live.results.iter().scan(0, |kept, needed| Some(std::mem::replace(kept, *kept + u32::from(*needed))));
    let mut keeper = Keeper { old: &graph, live: &live, places: places.collect(), new: vec![None; graph.len()] };
    keeper.block(&mut builder, BlockId::ROOT, &[]);
    let outputs =
        graph.outputs.iter().map(|x| Output { name: x.name.clone(), value: keeper.renamed(x.value) }).collect();
    let mut kept = builder.finish(outputs);
    kept.tables = graph.tables;
    (kept.domains, kept.sizes, kept.reductions) = (graph.domains, graph.sizes, graph.reductions);
    kept
}

/// What the outputs need.
struct Live<'a> {
    graph: &'a Graph,
    values: Vec<bool>,
    /// For each region the place of its first result in `results`.
    first_result: Vec<u32>,
    /// Which results of the regions are needed, outside or as what the next turn begins with.
    results: Vec<bool>,
    /// The region that carries a carried value.
    carrier: Vec<Option<Value>>,
    /// Needed values whose operands have not been looked at.
    left: Vec<Value>,
}

impl Live<'_> {
    fn of(graph: &Graph) -> Live<'_> {
        let mut live = Live {
            graph,
            values: vec![false; graph.len()],
            first_result: Vec::new(),
            results: Vec::new(),
            carrier: Vec::new(),
            left: Vec::new(),
        };
        live.find_regions();
        graph.outputs.iter().for_each(|output| live.need(output.value));
        while let Some(value) = live.left.pop() {
            live.need_operands(value);
        }
        live
    }

    /// Most graphs have no region and need no tables of them.
    fn find_regions(&mut self) {
        let graph = self.graph;
        let regions = (0..graph.len()).map(Value::from_index).filter(|x| graph.node(*x).body().is_some());
        for region in regions {
            if self.first_result.is_empty() {
                self.first_result.resize(graph.len(), 0);
                self.carrier.resize(graph.len(), None);
            }
            self.first_result[region.index()] = self.results.len() as u32;
            let node = graph.node(region);
            let carries = matches!(node, Node::Repeat { .. });
            let body = graph.block(node.body().expect("a region has a body"));
            self.results.resize(self.results.len() + body.results.len() - usize::from(carries), false);
            if carries {
                for x in body.values.iter().take_while(|x| matches!(graph.node(**x), Node::Carried(_))) {
                    self.carrier[x.index()] = Some(region);
                }
            }
        }
    }

    fn need(&mut self, value: Value) {
        if !std::mem::replace(&mut self.values[value.index()], true) {
            self.left.push(value);
        }
    }

    fn needs(&self, region: Value, k: usize) -> bool {
        self.results[self.first_result[region.index()] as usize + k]
    }

    fn need_operands(&mut self, value: Value) {
        match self.graph.node(value) {
            Node::Part(region, k) => self.need_result(*region, *k as usize),
            Node::Carried(k) => {
                let region = self.carrier[value.index()].expect("a carried value stands first in a repeat");
                self.need_result(region, *k as usize);
            }
            Node::When { condition, .. } => self.need(*condition),
            Node::Repeat { body, .. } => self.need(self.graph.block(*body).results[0]),
            node => node.operands(|x| self.need(x)),
        }
    }

    fn need_result(&mut self, region: Value, k: usize) {
        self.need(region);
        let place = self.first_result[region.index()] as usize + k;
        if std::mem::replace(&mut self.results[place], true) {
            return;
        }
        let graph = self.graph;
        match graph.node(region) {
            Node::When { body, otherwise, .. } => {
                self.need(otherwise[k]);
                self.need(graph.block(*body).results[k]);
            }
            Node::Repeat { body, initial, .. } => {
                self.need(initial[k]);
                self.need(graph.block(*body).results[k + 1]);
            }
            node => panic!("{node:?} has no results"),
        }
    }
}

/// Copies what is needed.
struct Keeper<'a> {
    old: &'a Graph,
    live: &'a Live<'a>,
    /// How many results are kept before each of `live.results`.
    places: Vec<u32>,
    new: Vec<Option<Value>>,
}

impl Keeper<'_> {
    fn renamed(&self, value: Value) -> Value {
        self.new[value.index()].expect("what is needed is kept")
    }

    /// The renamed ones of a region's results that are needed.
    fn kept(&self, region: Value, values: &[Value]) -> Vec<Value> {
        let needed = values.iter().enumerate().filter(|(k, _)| self.live.needs(region, *k));
        needed.map(|(_, x)| self.renamed(*x)).collect()
    }

    /// Which of the kept results the `k`-th became.
    fn place(&self, region: Value, k: u32) -> usize {
        let first = self.live.first_result[region.index()] as usize;
        (self.places[first + k as usize] - self.places[first]) as usize
    }

    /// `carried` are those that the enclosing `repeat` still carries.
    fn block(&mut self, b: &mut Builder, block: BlockId, carried: &[Value]) {
        let old = self.old;
        let mut parts: (Option<Value>, Vec<Value>) = (None, Vec::new());
        for &value in &old.block(block).values {
            if !self.live.values[value.index()] {
                continue;
            }
            let new = match old.node(value) {
                Node::When { condition, body, otherwise } => {
                    let otherwise = self.kept(value, otherwise);
                    let results = b.when(self.renamed(*condition), &otherwise, |b| {
                        self.block(b, *body, &[]);
                        self.kept(value, &old.block(*body).results)
                    });
                    parts = (Some(value), results);
                    continue;
                }
                Node::Repeat { initial, body, turns } => {
                    let initial = self.kept(value, initial);
                    let results = b.counted_repeat(&initial, *turns, |b, carried| {
                        self.block(b, *body, carried);
                        let results = &old.block(*body).results;
                        (self.renamed(results[0]), self.kept(value, &results[1..]))
                    });
                    parts = (Some(value), results);
                    continue;
                }
                Node::Part(region, k) => {
                    assert_eq!(parts.0, Some(*region), "parts stand right behind their region");
                    parts.1[self.place(*region, *k)]
                }
                Node::Carried(k) => {
                    carried[self.place(self.live.carrier[value.index()].expect("a repeat carries it"), *k)]
                }
                node => {
                    let mut node = node.clone();
                    node.operands_mut(|x| *x = self.renamed(*x));
                    b.push(node, old.dtype(value))
                }
            };
            self.new[value.index()] = Some(new);
        }
    }
}

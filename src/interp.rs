//! The reference: a graph as `lower` left it, evaluated one element at a time. The meaning of the language.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::ir::{self, BlockId, Graph, Node, Value};
use crate::math;

/// A graph ready to be evaluated; math functions are the graphs that `math` gives.
#[derive(Debug)]
pub(crate) struct Interp {
    graph: Graph,
}

/// Why an element was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Someone wants the run to stop.
    Stopped,
    /// That loop began a turn more than were left.
    Spent(u32),
}

/// How far loops may go.
#[derive(Clone, Copy)]
pub(crate) struct Turns<'a> {
    /// How many turns the loops of one element may take together.
    pub(crate) limit: u64,
    /// Not 0 when the run is to stop.
    pub(crate) stop: Option<&'a AtomicU8>,
}

impl Turns<'_> {
    /// As many as it likes.
    pub(crate) const ALL: Turns<'static> = Turns { limit: u64::MAX, stop: None };
}

/// What one element is computed from, as bits.
pub(crate) struct Element<'a> {
    /// The element of each parameter.
    pub(crate) params: &'a [u64],
    /// The position along each axis of the output.
    pub(crate) index: &'a [i64],
    /// The answers to [`Graph::sizes`].
    pub(crate) sizes: &'a [i64],
    /// The element of a parameter that begins so many bytes behind its first.
    pub(crate) gather: &'a dyn Fn(u32, i64) -> u64,
}

/// For graphs that gather no element.
#[cfg(test)]
pub(crate) fn nothing(_param: u32, _offset: i64) -> u64 {
    panic!("no element is gathered")
}

struct State<'a> {
    scratch: &'a mut [u64],
    turns: Turns<'a>,
    left: u64,
}

impl State<'_> {
    fn begin_turn(&mut self, of: u32) -> Result<(), Halt> {
        if self.turns.stop.is_some_and(|stop| stop.load(Ordering::Relaxed) != 0) {
            return Err(Halt::Stopped);
        }
        self.left = self.left.checked_sub(1).ok_or(Halt::Spent(of))?;
        Ok(())
    }
}

impl Interp {
    pub(crate) fn new(graph: &Graph) -> Interp {
        Interp { graph: math::inline(graph) }
    }

    /// How many parameters an element has, whether they are read or not.
    pub(crate) fn params(&self) -> usize {
        self.graph.params.len()
    }

    /// How many sizes it asks for.
    pub(crate) fn sizes(&self) -> usize {
        self.graph.sizes.len()
    }

    /// What [`element`](Interp::element) keeps its values in, so that a loop over elements allocates once.
    pub(crate) fn scratch(&self) -> Vec<u64> {
        vec![0; self.graph.len()]
    }

    /// The bits of each output for one element; nothing ends its loops but what they compute.
    #[cfg(test)]
    pub(crate) fn element(&self, element: &Element<'_>, scratch: &mut [u64], outputs: &mut [u64]) {
        self.bounded(element, Turns::ALL, scratch, outputs).expect("no bound is reached");
    }

    /// The bits of each output for one element.
    pub(crate) fn bounded(
        &self,
        element: &Element<'_>,
        turns: Turns<'_>,
        scratch: &mut [u64],
        outputs: &mut [u64],
    ) -> Result<(), Halt> {
        self.block(BlockId::ROOT, element, &[], &mut State { scratch, turns, left: turns.limit })?;
        for (bits, output) in outputs.iter_mut().zip(&self.graph.outputs) {
            *bits = scratch[output.value.index()];
        }
        Ok(())
    }

    fn block(&self, block: BlockId, element: &Element<'_>, carried: &[u64], state: &mut State<'_>) -> Result<(), Halt> {
        let mut parts: Vec<(Value, Vec<u64>)> = Vec::new();
        for &value in &self.graph.block(block).values {
            let scratch = &*state.scratch;
            let of = |x: &Value| scratch[x.index()];
            let dtype = self.graph.dtype(value);
            let bits = match self.graph.node(value) {
                Node::Const(bits) => *bits,
                Node::Param(index) => element.params[*index as usize],
                Node::Index(axis) => element.index[usize::from(*axis)] as u64,
                Node::Size(index) => element.sizes[*index as usize] as u64,
                Node::Reduce(..) | Node::Call(..) => panic!("a stage has no reductions and calls inside"),
                Node::Apply(op, operands) => {
                    let mut bits = [0; 3];
                    for (bits, x) in bits.iter_mut().zip(operands.iter()) {
                        *bits = of(x);
                    }
                    let operand = self.graph.dtype(operands[operands.len() - 1]);
                    ir::apply(*op, operand, &bits[..operands.len()])
                }
                Node::Cast(x) => ir::cast(of(x), self.graph.dtype(*x), dtype),
                Node::Bitcast(x) => ir::bitcast(of(x), dtype),
                Node::Lookup(table, index) => {
                    let elements = &self.graph.tables[*table as usize].elements;
                    elements[(of(index) as i64).clamp(0, elements.len() as i64 - 1) as usize]
                }
                Node::Gather(param, offset) => (element.gather)(*param, of(offset) as i64),
                Node::When { condition, body, otherwise } => {
                    let results = if of(condition) != 0 {
                        self.block(*body, element, &[], state)?;
                        self.results(*body, state.scratch)
                    } else {
                        otherwise.iter().map(of).collect()
                    };
                    parts.push((value, results));
                    continue;
                }
                Node::Repeat { initial, body, turns } => {
                    let mut carried: Vec<u64> = initial.iter().map(of).collect();
                    loop {
                        if let Some(turns) = turns {
                            state.begin_turn(*turns)?;
                        }
                        self.block(*body, element, &carried, state)?;
                        let results = self.results(*body, state.scratch);
                        carried.copy_from_slice(&results[1..]);
                        if results[0] == 0 {
                            break;
                        }
                    }
                    parts.push((value, carried));
                    continue;
                }
                Node::Carried(k) => carried[*k as usize],
                Node::Part(region, k) => {
                    let known = parts.iter().rev().find(|(known, _)| known == region);
                    known.expect("a part follows its region").1[*k as usize]
                }
            };
            state.scratch[value.index()] = bits;
        }
        Ok(())
    }

    fn results(&self, block: BlockId, scratch: &[u64]) -> Vec<u64> {
        self.graph.block(block).results.iter().map(|x| scratch[x.index()]).collect()
    }
}

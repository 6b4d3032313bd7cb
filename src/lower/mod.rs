//! Program and signature to graph: dtypes promoted, casts explicit, literals folded; the last step that a user's mistake can fail.

mod floats;
mod flow;
mod functions;
mod gather;
mod operators;
mod reduce;
mod shapes;
#[cfg(test)]
mod tests;
mod weak;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{self, Axes, Boundary, Builder, Graph, Neighbour, Node, Output, Param, Rank, Size, Value};
use crate::resolve::{self, Meaning, Program, Results};
use crate::source::Span;
use crate::syntax::{BinaryOperator, ExprId, ExprKind, Number, NumberValue};
use flow::Flow;
use reduce::Reducing;
use weak::{Overflow, Weak};

/// What a program is called with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Signature {
    /// In the order of [`Program::parameters`].
    pub(crate) params: Vec<ParamType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ParamType {
    Array {
        dtype: DType,
        rank: usize,
    },
    Scalar(DType),
    /// An integer that takes the dtype of what it joins; an i64 in the graph.
    WeakInt,
    /// Like it, for what only a u64 holds.
    WeakUint,
    /// A float that takes the float dtype of what it joins; an f64 in the graph.
    WeakFloat,
}

impl ParamType {
    /// The dtype of the parameter in the graph.
    pub(crate) fn dtype(self) -> DType {
        match self {
            ParamType::Array { dtype, .. } | ParamType::Scalar(dtype) => dtype,
            ParamType::WeakInt => DType::I64,
            ParamType::WeakUint => DType::U64,
            ParamType::WeakFloat => DType::F64,
        }
    }

    pub(crate) fn rank(self) -> usize {
        match self {
            ParamType::Array { rank, .. } => rank,
            ParamType::Scalar(_) | ParamType::WeakInt | ParamType::WeakUint | ParamType::WeakFloat => 0,
        }
    }

    fn is_weak(self) -> bool {
        match self {
            ParamType::WeakInt | ParamType::WeakUint | ParamType::WeakFloat => true,
            ParamType::Array { .. } | ParamType::Scalar(_) => false,
        }
    }
}

/// A program for one signature.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) graph: Graph,
    /// Weak integer parameters and a dtype that each was converted to: a value beyond its range is an error of that run.
    pub(crate) ranges: Vec<(usize, DType)>,
    /// One for each output of the graph.
    pub(crate) outputs: Vec<OutputInfo>,
    /// Where each kind of reduction of the graph is first written.
    pub(crate) reductions: Vec<Span>,
    /// Where each loop is written that counts its turns.
    pub(crate) loops: Vec<Span>,
    /// Which of the program's functions of Rust each one is that the graph calls, and where that is first written.
    pub(crate) calls: Vec<(usize, Span)>,
    /// Parameters of the graph behind those of the program.
    pub(crate) neighbours: Vec<Neighbour>,
    /// Arrays that are read at computed places.
    pub(crate) gathered: Vec<Gathered>,
    /// What is legal but likely not meant, in the light of the dtypes.
    pub(crate) warnings: Vec<Error>,
}

/// An array that is read at computed places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathered {
    pub(crate) param: usize,
    /// Whether every index means one of its elements, so that it must have some.
    pub(crate) needs_elements: bool,
    /// Where it is read.
    pub(crate) span: Span,
}

/// What a `Node::Size` asks for.
#[derive(Clone, Copy)]
enum Asked {
    /// How many elements these values, broadcast together, have along some axes.
    Elements([Value; 2], Axes),
    /// Something of an array as it is given.
    Array(Size),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputInfo {
    /// The one of the graph's domains whose shape is its own.
    pub(crate) domain: u32,
    /// The greatest of its leaves' ranks; `Node::Index` counts along the output's own axes.
    pub(crate) rank: usize,
}

/// Types `program` for `signature`. More than `node_limit` graph nodes are an error.
pub(crate) fn lower(program: &Program, signature: &Signature, node_limit: usize) -> Result<Lowered> {
    assert_eq!(program.parameters.len(), signature.params.len(), "a signature has every parameter");
    let param = |(parameter, of): (&crate::resolve::Parameter, &ParamType)| Param {
        name: Arc::clone(&parameter.name),
        dtype: of.dtype(),
        rank: if of.rank() > 0 { Rank::Array } else { Rank::Scalar },
    };
    let params = program.parameters.iter().zip(&signature.params).map(param).collect();
    let mut lowerer = Lowerer {
        program,
        signature,
        b: Builder::new(params),
        params: vec![None; signature.params.len()],
        terms: vec![None; program.ast.exprs.len()],
        hulls: BTreeMap::new(),
        ranges: BTreeSet::new(),
        ranged: Vec::new(),
        asked: Vec::new(),
        gathered: Vec::new(),
        reducing: Vec::new(),
        ranks: Vec::new(),
        indexed: Vec::new(),
        loops: Vec::new(),
        calls: Vec::new(),
        neighbours: Vec::new(),
        warnings: Vec::new(),
        flow: Flow::default(),
        several: HashMap::new(),
        read: Vec::new(),
        node_limit,
    };
    lowerer.check_parameters()?;
    lowerer.body()?;
    lowerer.finish()
}

fn over_limit(asked: usize, limit: usize) -> Error {
    let message = format!("the program takes at least {asked} graph nodes, the node limit is {limit}");
    Error::new(ErrorKind::Limit, "graph-nodes", message).with_hint("`Builder::node_limit` sets the limit")
}

/// What an expression gives.
#[derive(Clone, Copy, Debug)]
enum Term {
    /// A literal, or literals folded.
    Constant(Weak),
    /// Computed from weak operands alone: an i64, u64 or f64 that takes the dtype of what it joins.
    Weak(Value),
    Strong(Value),
}

/// A term and where it is written.
#[derive(Clone, Copy, Debug)]
struct Operand {
    term: Term,
    span: Span,
}

/// What operands are computed in together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Join {
    dtype: DType,
    /// Whether all are weak, so that the result is.
    weak: bool,
}

impl Join {
    /// What a float function computes in.
    fn float(self) -> Join {
        Join { dtype: if self.dtype.is_float() { self.dtype } else { DType::F64 }, ..self }
    }

    /// What an operation computes in that bools have no meaning of their own for.
    fn bool_as_i8(self) -> Join {
        Join { dtype: if self.dtype == DType::Bool { DType::I8 } else { self.dtype }, ..self }
    }

    fn term(self, value: Value) -> Term {
        if self.weak { Term::Weak(value) } else { Term::Strong(value) }
    }
}

struct Lowerer<'a> {
    program: &'a Program,
    signature: &'a Signature,
    b: Builder,
    /// The value of each parameter that was read.
    params: Vec<Option<Value>>,
    /// Of each expression, as it was evaluated last; options have none.
    terms: Vec<Option<Term>>,
    /// The least and the greatest that a weak integer can be, where literals alone decide.
    hulls: BTreeMap<Value, (i128, i128)>,
    ranges: BTreeSet<(usize, DType)>,
    /// The same in the order in which they were found.
    ranged: Vec<(usize, DType)>,
    /// One for each `Node::Size`.
    asked: Vec<Asked>,
    gathered: Vec<Gathered>,
    /// One for each `Node::Reduce`.
    reducing: Vec<Reducing>,
    /// The ranks of the first values, as far as they were asked for.
    ranks: Vec<u8>,
    /// Each `Node::Index`, and where it is written.
    indexed: Vec<(Value, Span)>,
    /// Where each `Node::Repeat` is written that counts its turns.
    loops: Vec<Span>,
    /// The functions of Rust that are called, and where first.
    calls: Vec<(usize, Span)>,
    neighbours: Vec<Neighbour>,
    warnings: Vec<Error>,
    flow: Flow,
    /// Calls that gave several values.
    several: HashMap<ExprId, Vec<Operand>>,
    /// Parameters in the order in which they were read first.
    read: Vec<usize>,
    node_limit: usize,
}

impl<'a> Lowerer<'a> {
    fn error(&self, code: &'static str, message: impl Into<String>, span: Span) -> Error {
        Error::new(ErrorKind::DType, code, message).at(&self.program.ast.source, span)
    }

    /// What was written there, or `x` if that is too long for a hint.
    fn text(&self, span: Span) -> &'a str {
        let text = self.program.ast.text(span);
        if text.len() <= 30 && !text.contains('\n') { text } else { "x" }
    }

    fn operand(&self, id: ExprId) -> Operand {
        let term = self.terms[id.index()].expect("an operand stands before its user and is no option");
        Operand { term, span: self.program.ast.expr(id).span }
    }

    fn expr(&mut self, index: usize) -> Result<Option<Term>> {
        let (expr, program) = (&self.program.ast.exprs[index], self.program);
        match &program.meanings[index] {
            Meaning::Plain => {}
            Meaning::Parameter(place) => return self.param(*place).map(Some),
            Meaning::Axis(axis) => return self.index(*axis as i64, expr.span).map(Some),
            Meaning::Neighbour(place, offsets) => return self.neighbour(*place, offsets).map(Some),
            Meaning::Gather(place, indices) => return self.gather(*place, indices, expr.span).map(Some),
            Meaning::Variable(slot) => return Ok(self.variable(*slot).map(|operand| operand.term)),
            Meaning::Inline(function, args) => {
                let args = args.iter().map(|arg| self.operand(*arg)).collect();
                let mut results = self.inline(&program.functions[*function], index, args)?;
                let first = results[0].term;
                if results.len() > 1 {
                    results.iter_mut().for_each(|result| result.span = expr.span);
                    self.several.insert(ExprId(index as u32), results);
                }
                return Ok(Some(first));
            }
            Meaning::Host(host, args) => return self.host(*host, args, expr.span).map(Some),
            Meaning::Constant(constant) => return Ok(Some(Term::Constant(Weak::Float(constant.value())))),
            Meaning::Call(function, arguments) => return self.call(*function, arguments, expr.span).map(Some),
            Meaning::Option => return Ok(None),
        }
        let term = match &expr.kind {
            ExprKind::Number(number) => self.number(*number),
            ExprKind::Bool(value) => Term::Strong(self.b.element(*value)),
            ExprKind::Unary { operator, operand } => self.unary(*operator, self.operand(*operand), expr.span)?,
            ExprKind::Binary { operator, left, right } => {
                let (left, right) = (self.operand(*left), self.operand(*right));
                let term = self.binary(*operator, left, right, expr.span)?;
                if *operator == BinaryOperator::Xor {
                    self.warn_of_xor(left, right, expr.span);
                }
                term
            }
            ExprKind::Compare { first, rest } => {
                let mut left = self.operand(*first);
                let mut all = None;
                for (operator, right) in rest {
                    let right = self.operand(*right);
                    let holds = self.compare(*operator, left, right)?;
                    all = Some(all.map_or(holds, |all| self.b.and(all, holds)));
                    left = right;
                }
                Term::Strong(all.expect("a comparison has two sides"))
            }
            ExprKind::Not { operand } => {
                let truth = self.truth(self.operand(*operand));
                Term::Strong(self.b.not(truth))
            }
            ExprKind::And { left, right } => {
                let [left, right] = [*left, *right].map(|side| self.truth(self.operand(side)));
                Term::Strong(self.b.and(left, right))
            }
            ExprKind::Or { left, right } => {
                let [left, right] = [*left, *right].map(|side| self.truth(self.operand(side)));
                Term::Strong(self.b.or(left, right))
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let [condition, then, otherwise] = [*condition, *then, *otherwise].map(|id| self.operand(id));
                self.select(condition, then, otherwise)?
            }
            ExprKind::None
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            | ExprKind::Call { .. }
            | ExprKind::Tuple { .. }
            | ExprKind::Index { .. } => {
                panic!("resolve gives {:?} a meaning or refuses it", expr.kind)
            }
        };
        Ok(Some(term))
    }

    /// Evaluates expressions, which stand in the order of evaluation.
    fn exprs(&mut self, exprs: Range<usize>) -> Result<()> {
        self.count_inlined(exprs.len())?;
        for index in exprs {
            self.terms[index] = self.expr(index)?;
            if self.b.len() > self.node_limit {
                let span = self.program.ast.exprs[index].span;
                return Err(over_limit(self.b.len(), self.node_limit).at(&self.program.ast.source, span));
            }
        }
        Ok(())
    }

    fn param(&mut self, place: usize) -> Result<Term> {
        let value = self.read_param(place);
        if !self.signature.params[place].is_weak() {
            return Ok(Term::Strong(value));
        }
        let parameter = &self.program.parameters[place];
        let Some(dtype) = parameter.dtype else { return Ok(Term::Weak(value)) };
        let operand = Operand { term: Term::Weak(value), span: parameter.span };
        self.declared(operand, dtype, &format!("`{}`", parameter.name)).map(|operand| operand.term)
    }

    /// The element of a parameter so far away: that of a parameter of its own.
    fn neighbour(&mut self, place: usize, offsets: &[isize]) -> Result<Term> {
        if offsets.iter().all(|offset| *offset == 0) {
            return self.param(place);
        }
        let parameter = &self.program.parameters[place];
        let boundary = parameter.boundary.expect("resolve asks for a boundary");
        let boundary = self.boundary(boundary, self.signature.params[place].dtype(), parameter.span)?;
        Ok(self.moved(Neighbour { of: place as u32, offsets: offsets.to_vec(), boundary }))
    }

    /// The element of a neighbour: that of a parameter of its own.
    fn moved(&mut self, neighbour: Neighbour) -> Term {
        let (place, offsets) = (neighbour.of as usize, &neighbour.offsets);
        let (parameter, dtype) = (&self.program.parameters[place], self.signature.params[place].dtype());
        let known = self.neighbours.iter().position(|known| *known == neighbour);
        let index = match known {
            Some(known) => self.signature.params.len() + known,
            None => {
                let offsets: Vec<String> = offsets.iter().map(|offset| format!("{offset:+}")).collect();
                let name = format!("{}[{}]", parameter.name, offsets.join(", ")).into();
                self.neighbours.push(neighbour);
                self.params.push(None);
                self.b.add_param(Param { name, dtype, rank: Rank::Array })
            }
        };
        Term::Strong(self.read_param(index))
    }

    /// What stands beyond the edges of an array of `dtype`.
    fn boundary(&self, boundary: resolve::Boundary, dtype: DType, span: Span) -> Result<Boundary> {
        Ok(match boundary {
            resolve::Boundary::Edge => Boundary::Edge,
            resolve::Boundary::Wrap => Boundary::Wrap,
            resolve::Boundary::Reflect => Boundary::Reflect,
            resolve::Boundary::Symmetric => Boundary::Symmetric,
            resolve::Boundary::Interior => Boundary::Interior,
            resolve::Boundary::Constant(number) => Boundary::Constant(self.boundary_bits(number, dtype, span)?),
        })
    }

    /// A value that is known when shapes are.
    fn asked(&mut self, asked: Asked) -> Value {
        self.asked.push(asked);
        self.b.push(Node::Size(self.asked.len() as u32 - 1), DType::I64)
    }

    fn boundary_bits(&self, number: NumberValue, dtype: DType, span: Span) -> Result<u64> {
        match number {
            NumberValue::Int(x) if dtype.is_int() => {
                self.check_range(span, (x, x), dtype)?;
                Ok(x as u64 & (u64::MAX >> (64 - dtype.bits())))
            }
            NumberValue::Int(x) => Ok(ir::cast((x as f64).to_bits64(), DType::F64, dtype)),
            NumberValue::Float(x) => Ok(ir::cast(x.to_bits64(), DType::F64, dtype)),
        }
    }

    /// The rank of a parameter of the graph.
    fn param_rank(&self, param: usize) -> usize {
        let of = param.checked_sub(self.signature.params.len()).map(|k| self.neighbours[k].of as usize);
        self.signature.params[of.unwrap_or(param)].rank()
    }

    fn read_param(&mut self, place: usize) -> Value {
        if let Some(value) = self.params[place] {
            return value;
        }
        self.read.push(place);
        *self.params[place].insert(self.b.root_param(place))
    }

    /// What a kernel declares of its parameters holds.
    fn check_parameters(&self) -> Result<()> {
        for (parameter, found) in self.program.parameters.iter().zip(&self.signature.params) {
            let name = &parameter.name;
            if let Some(rank) = parameter.rank.filter(|rank| *rank != found.rank()) {
                let wanted = match rank {
                    0 => "one value for all elements".to_owned(),
                    rank => format!("an array of {rank} {}", if rank == 1 { "axis" } else { "axes" }),
                };
                let message = format!("`{name}` is declared {wanted}, found an array of rank {}", found.rank());
                return Err(
                    Error::new(ErrorKind::Shape, "declared-rank", message).at(&self.program.ast.source, parameter.span)
                );
            }
            let strong = (!found.is_weak()).then_some(found.dtype());
            if let (Some(dtype), Some(found)) = (parameter.dtype, strong)
                && dtype != found
            {
                let message = format!("`{name}` is declared {dtype}, found {found}");
                return Err(self
                    .error("declared-dtype", message, parameter.span)
                    .with_hint("without a dtype it takes arrays of any"));
            }
        }
        Ok(())
    }

    fn number(&mut self, number: Number) -> Term {
        match (number.value, number.dtype) {
            (NumberValue::Int(x), None) => Term::Constant(Weak::Int(x)),
            (NumberValue::Float(x), None) => Term::Constant(Weak::Float(x)),
            (NumberValue::Int(x), Some(dtype)) => Term::Strong(self.b.integer(dtype, x)),
            (NumberValue::Float(x), Some(dtype)) => Term::Strong(self.b.float(dtype, x)),
        }
    }

    // -- dtypes --

    /// The dtype of what has one; of weak constants `None`.
    fn dtype(&self, operand: Operand) -> Option<DType> {
        match operand.term {
            Term::Constant(_) => None,
            Term::Weak(value) | Term::Strong(value) => Some(self.b.dtype(value)),
        }
    }

    /// NumPy's promotion of all the strong operands together, which weak ones adapt to.
    fn join(&self, operands: &[Operand]) -> Join {
        let strong = |operand: &Operand| match operand.term {
            Term::Strong(value) => Some(self.b.dtype(value)),
            Term::Constant(_) | Term::Weak(_) => None,
        };
        let strong = || operands.iter().filter_map(strong);
        // f32 with i16 and u16 is f32, whatever i16 with u16 is: floats come first.
        let floats = strong().filter(|dtype| dtype.is_float());
        let joined = floats.chain(strong().filter(|dtype| !dtype.is_float())).reduce(DType::promote);
        let all_strong = strong().count() == operands.len();
        let dtype = match (joined, self.weak_dtype(operands)) {
            (Some(DType::Bool), weak) if !all_strong => weak.unwrap_or(DType::I64),
            (Some(dtype), Some(DType::F64)) if !dtype.is_float() => DType::F64,
            (Some(dtype), _) => dtype,
            (None, Some(weak)) => weak,
            (None, None) => {
                let beyond = |operand: &Operand| matches!(operand.term, Term::Constant(Weak::Int(x)) if x > i128::from(i64::MAX));
                if operands.iter().any(beyond) { DType::U64 } else { DType::I64 }
            }
        };
        Join { dtype, weak: joined.is_none() }
    }

    /// What the weak operands ask for: f64 if one is a float; integers their own, to which literals adapt in turn.
    fn weak_dtype(&self, operands: &[Operand]) -> Option<DType> {
        let own = |operand: &Operand| match operand.term {
            Term::Constant(Weak::Float(_)) => Some(DType::F64),
            Term::Weak(value) => Some(self.b.dtype(value)),
            Term::Constant(Weak::Int(_)) | Term::Strong(_) => None,
        };
        operands.iter().filter_map(own).reduce(DType::promote)
    }

    /// The operand as `dtype`; a weak integer must fit one of integers.
    fn convert(&mut self, operand: Operand, dtype: DType) -> Result<Value> {
        match operand.term {
            Term::Constant(Weak::Int(x)) if dtype == DType::Bool => Ok(self.b.element(x != 0)),
            Term::Constant(Weak::Int(x)) => {
                self.check_range(operand.span, (x, x), dtype)?;
                Ok(self.b.integer(dtype, x))
            }
            Term::Constant(Weak::Float(x)) => {
                let bits = ir::cast(x.to_bits64(), DType::F64, dtype);
                Ok(self.b.constant(dtype, bits))
            }
            Term::Weak(value) => {
                self.check_weak(operand.span, value, dtype)?;
                Ok(self.b.cast(value, dtype))
            }
            Term::Strong(value) => Ok(self.b.cast(value, dtype)),
        }
    }

    /// Literals are checked now, parameters at each run.
    fn check_weak(&mut self, span: Span, value: Value, dtype: DType) -> Result<()> {
        let own = self.b.dtype(value);
        if !dtype.is_int() || !own.is_int() || own == dtype {
            return Ok(());
        }
        if let Node::Param(place) = self.b.graph().node(value) {
            let range = (*place as usize, dtype);
            if self.ranges.insert(range) {
                self.ranged.push(range);
            }
        }
        self.hulls.get(&value).map_or(Ok(()), |hull| self.check_range(span, *hull, dtype))
    }

    fn check_range(&self, span: Span, (low, high): (i128, i128), dtype: DType) -> Result<()> {
        if dtype.is_float() {
            return Ok(());
        }
        let (least, greatest) = dtype.int_range();
        match [low, high].into_iter().find(|x| !(least..=greatest).contains(x)) {
            None => Ok(()),
            Some(x) => {
                let message = format!("`{x}` does not fit {dtype}, which holds {least} to {greatest}");
                Err(self.error("literal-range", message, span))
            }
        }
    }

    /// Every operand as `dtype`; the error of a literal beyond it says how to widen the others.
    fn convert_all<const N: usize>(&mut self, operands: [Operand; N], dtype: DType) -> Result<[Value; N]> {
        let mut values = [None; N];
        for (value, operand) in values.iter_mut().zip(&operands) {
            let converted = self.convert(*operand, dtype);
            *value = Some(converted.map_err(|error| self.with_wider(error, *operand, &operands, dtype))?);
        }
        Ok(values.map(|value| value.expect("each operand was converted")))
    }

    fn with_wider(&self, error: Error, literal: Operand, operands: &[Operand], dtype: DType) -> Error {
        let typed = operands.iter().find(|operand| matches!(operand.term, Term::Strong(_)));
        let (Some(typed), Term::Constant(Weak::Int(x))) = (typed, literal.term) else { return error };
        let (same, other): (Vec<DType>, Vec<DType>) = DType::ALL
            .into_iter()
            .filter(|wider| wider.is_int() && wider.size() > dtype.size())
            .partition(|wider| wider.is_unsigned_int() == dtype.is_unsigned_int());
        let holds = |wider: &DType| {
            let (least, greatest) = wider.int_range();
            (least..=greatest).contains(&x) && wider.promote(dtype) == *wider
        };
        let wider = same.into_iter().chain(other).find(holds).unwrap_or(DType::F64);
        error.with_hint(format!("convert the other side: `{wider}({})`", self.text(typed.span)))
    }

    /// The term as the program shows it: a weak one has the dtype of its kind.
    fn settle(&mut self, operand: Operand) -> Result<Value> {
        match operand.term {
            Term::Constant(Weak::Int(x)) => {
                let dtype = self.join(&[operand]).dtype;
                let (least, greatest) = dtype.int_range();
                if !(least..=greatest).contains(&x) {
                    let message = format!("`{x}` fits neither i64 nor u64");
                    let float = format!("write it as a float: `f64({})`", self.text(operand.span));
                    return Err(self.error("literal-range", message, operand.span).with_hint(float));
                }
                Ok(self.b.integer(dtype, x))
            }
            Term::Constant(Weak::Float(x)) => Ok(self.b.f64(x)),
            Term::Weak(value) | Term::Strong(value) => Ok(value),
        }
    }

    fn overflow(&self, Overflow: Overflow, span: Span) -> Error {
        self.error("literal-range", "this integer is beyond 128 bits", span)
            .with_hint("literals are folded as exact integers; write one of them as a float, such as `2.0`")
    }

    // -- outputs --

    fn finish(mut self) -> Result<Lowered> {
        let program = self.program;
        let results = match &program.results {
            Results::Values(values, exprs) => self.values(values, exprs)?,
            Results::Variables(slots) => {
                // A variable that no element comes to set, behind an endless loop, may have any value.
                let unset = Operand { term: Term::Constant(Weak::Int(0)), span: Span::new(0, 0) };
                slots.iter().map(|slot| self.variable(*slot).unwrap_or(unset)).collect()
            }
        };
        let mut outputs = Vec::with_capacity(results.len());
        for (output, operand) in program.outputs.iter().zip(results) {
            let value = self.settle(operand)?;
            let value = self.at_the_end(value);
            outputs.push(Output { name: Arc::clone(&output.name), value });
        }
        let node_limit = self.node_limit;
        if self.b.len() > node_limit {
            return Err(over_limit(self.b.len(), node_limit));
        }
        if let (false, Some(reducing)) = (self.neighbours.is_empty(), self.reducing.first()) {
            let message = "a kernel reads neighbours or takes all elements together, not both";
            return Err(Error::new(ErrorKind::Shape, "neighbours-and-reductions", message)
                .at(&self.program.ast.source, reducing.span)
                .with_note("neighbours are read box by box, and what is taken together has one order for all boxes")
                .with_hint("compute it in a kernel before, and give it as a parameter"));
        }
        let ranks = (0..self.params.len()).map(|param| self.param_rank(param)).collect();
        let graph = self.b.finish(outputs);
        let shapes = shapes::Shapes {
            source: &self.program.ast.source,
            ranks,
            moved: &self.neighbours,
            asked: &self.asked,
            axes: program.axes,
            reducing: &self.reducing,
            indexed: &self.indexed,
            node_limit,
        };
        let (graph, outputs, reductions) = shapes.finish(graph)?;
        let ranges = self.ranges.into_iter().collect();
        let Lowerer { loops, calls, neighbours, gathered, warnings, .. } = self;
        Ok(Lowered { graph, ranges, outputs, reductions, loops, calls, neighbours, gathered, warnings })
    }
}

//! Indices beside the element that a kernel computes, and what stands beyond the edges.

use super::{Argument, Boundary, Constant, Meaning, Resolver};
use crate::error::{ErrorKind, Result, did_you_mean};
use crate::functions::{Default, Function, Kind};
use crate::source::Span;
use crate::syntax::{Arg, BinaryOperator, ExprId, ExprKind, Name, Number, NumberValue, UnaryOperator};

const MODES: [&str; 6] = ["edge", "wrap", "reflect", "symmetric", "constant", "interior"];

impl Resolver<'_> {
    /// `u[i - 1, j]`: an element of a parameter, so far away; `u[2 * i, k[j]]`: one at computed places.
    pub(super) fn neighbour(&mut self, operand: ExprId, indices: &[ExprId], id: ExprId) -> Result<Meaning> {
        let (ast, span) = (self.ast, self.ast.expr(id).span);
        let axes = self.scope.axes().len();
        if axes == 0 {
            let message = "an index stands in a kernel `over` named axes";
            return Err(self
                .error(ErrorKind::Syntax, "misplaced-index", message, span)
                .with_hint("`kernel name(u: f64[2] boundary(edge)) -> (v) over (i, j) { v = u[i - 1, j] }`"));
        }
        let written = ast.expr(operand);
        let place = match &written.kind {
            ExprKind::Name(name) if !self.scope.ever_assigned().contains(&name.text) => self.scope.place(&name.text),
            _ => None,
        };
        let Some(place) = place else {
            let message = "only a parameter that the kernel does not assign has neighbours";
            return Err(self.error(ErrorKind::Syntax, "misplaced-index", message, written.span));
        };
        let name = self.scope.parameter(place).name.clone();
        let offsets = indices.iter().enumerate().map(|(axis, index)| self.offset(axis, *index));
        let offsets: Option<Vec<isize>> = offsets.collect::<Option<_>>().filter(|_| indices.len() == axes);
        let is_own = offsets.as_ref().is_some_and(|offsets| offsets.iter().all(|offset| *offset == 0));
        if !is_own && self.scope.parameter(place).boundary.is_none() {
            let (how, interior) = match offsets {
                Some(_) => ("beside its elements", ", interior"),
                None => ("at computed places", ""),
            };
            let message = format!("`{name}` is read {how}, and what stands beyond its edges is not declared");
            let declared = format!("`{name}: f64[{}] boundary(edge)`", indices.len());
            return Err(self
                .error(ErrorKind::Shape, "boundary-missing", message, span)
                .with_hint(format!("{declared}, or wrap, reflect, symmetric, constant{interior}")));
        }
        if offsets.is_none() && self.scope.parameter(place).boundary == Some(Boundary::Interior) {
            let message =
                format!("`{name}` is read at computed places, and `interior` names no element beyond its edges");
            return Err(self
                .error(ErrorKind::Shape, "boundary-missing", message, span)
                .with_hint("one of edge, wrap, reflect, symmetric, constant"));
        }
        self.scope.reads_along_axes(place, indices.len()).map_err(|rank| {
            let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            let (axes, found) = (plural(rank, "axis", "axes"), plural(indices.len(), "index", "indices"));
            let message = format!("`{name}` is an array of {axes}, found {found}");
            let own = |axis: usize| self.scope.axes().get(axis).map_or("0", |name| &*name.text);
            let all: Vec<&str> = (0..rank).map(own).collect();
            self.error(ErrorKind::Shape, "index-count", message, span)
                .with_hint(format!("one for each of its axes: `{name}[{}]`", all.join(", ")))
        })?;
        Ok(match offsets {
            Some(offsets) => {
                self.meanings[operand.index()..id.index()].fill(Meaning::Option);
                Meaning::Neighbour(place, offsets)
            }
            None => {
                self.meanings[operand.index()] = Meaning::Option;
                Meaning::Gather(place, indices.to_vec())
            }
        })
    }

    /// How far an index is from the axis that it stands for, if that is written out.
    fn offset(&self, axis: usize, index: ExprId) -> Option<isize> {
        let integer = |id: ExprId| match &self.ast.expr(id).kind {
            ExprKind::Number(Number { value: NumberValue::Int(x), .. }) => i32::try_from(*x).ok(),
            ExprKind::Unary { operator: UnaryOperator::Negative, operand } => match &self.ast.expr(*operand).kind {
                ExprKind::Number(Number { value: NumberValue::Int(x), .. }) => i32::try_from(-*x).ok(),
                _ => None,
            },
            _ => None,
        };
        let name = |id: ExprId| match &self.ast.expr(id).kind {
            ExprKind::Name(name) => self.scope.axes().iter().position(|axis| axis.text == name.text),
            _ => None,
        };
        let expr = self.ast.expr(index);
        let found = match &expr.kind {
            ExprKind::Binary { operator: BinaryOperator::Add, left, right } => match (name(*left), integer(*right)) {
                (Some(axis), Some(offset)) => Some((axis, offset)),
                _ => name(*right).zip(integer(*left)),
            },
            ExprKind::Binary { operator: BinaryOperator::Subtract, left, right } => {
                name(*left).zip(integer(*right).and_then(i32::checked_neg))
            }
            _ => name(index).map(|axis| (axis, 0)),
        };
        found.filter(|(known, _)| *known == axis).map(|(_, offset)| offset as isize)
    }

    // -- functions --

    /// `shift(x, d0, d1, mode="wrap", fill=0)`: the arguments without a name behind the first are distances.
    pub(super) fn shift(&mut self, function: Function, callee: &Name, args: &[Arg], span: Span) -> Result<Meaning> {
        let unnamed = args.iter().take_while(|arg| arg.name.is_none()).count();
        let mut bound = args.to_vec();
        let distances = bound.splice(1.min(unnamed)..unnamed, args.get(1).cloned().filter(|_| unnamed > 1));
        let distances: Vec<ExprId> = distances.map(|arg| arg.value).collect();
        let given = self.bind(function, callee, &bound, span)?;
        let (x, first) = (given[0].expect("it has no default"), given[1].expect("it has no default"));
        let distances = if distances.is_empty() { vec![first] } else { distances };
        let distance = |this: &mut Self, value: ExprId| {
            let number = this.integer(value, function, "d0")?;
            i32::try_from(number).map(|number| number as isize).map_err(|_| {
                let message = format!("`shift` moves by less than 2147483648 elements, found {number}");
                this.error(ErrorKind::Arity, "option-kind", message, this.ast.expr(value).span)
            })
        };
        let distances = distances.into_iter().map(|value| distance(self, value)).collect::<Result<_>>()?;
        let boundary = self.mode(function, given[2], given[3])?;
        let arguments = vec![Argument::Value(x), Argument::Distances(distances), Argument::Boundary(boundary)];
        Ok(Meaning::Call(function, arguments))
    }

    /// What `mode` and `fill` of a function mean together.
    pub(super) fn mode(&mut self, function: Function, mode: Option<ExprId>, fill: Option<ExprId>) -> Result<Boundary> {
        let parameters = function.row().parameters;
        let known = parameters.iter().find_map(|parameter| match (parameter.kind, parameter.default) {
            (Kind::Mode(words), Some(Default::Mode(default))) => Some((words, default)),
            _ => None,
        });
        let (words, default) = known.expect("a mode has words and a default");
        let word = match mode {
            None => default,
            Some(value) => self.word(function, value, words)?,
        };
        let boundary = match word {
            "edge" | "clip" => Boundary::Edge,
            "wrap" => Boundary::Wrap,
            "reflect" => Boundary::Reflect,
            "symmetric" => Boundary::Symmetric,
            _ => {
                let number = fill.map_or(Ok(NumberValue::Int(0)), |fill| self.fill(function, fill))?;
                return Ok(Boundary::Constant(number));
            }
        };
        match fill {
            None => Ok(boundary),
            Some(fill) => {
                let constant = words.last().expect("a mode has words");
                let message = format!("mode=\"{word}\" takes no `fill`");
                Err(self
                    .error(ErrorKind::Arity, "boundary-value", message, self.ast.expr(fill).span)
                    .with_hint(format!("mode=\"{constant}\" does")))
            }
        }
    }

    fn word(&mut self, function: Function, value: ExprId, words: &[&'static str]) -> Result<&'static str> {
        let expr = self.ast.expr(value);
        let found = match &expr.kind {
            ExprKind::Text(text) => words.iter().find(|word| ***word == **text),
            _ => None,
        };
        let Some(word) = found else {
            let listed: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let message = format!("`mode` of `{}` is one of {}", function.name(), listed.join(", "));
            let error = self.error(ErrorKind::Arity, "option-kind", message, expr.span);
            return Err(match &expr.kind {
                ExprKind::Text(text) => match did_you_mean(text, words.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
                    None => error,
                },
                _ => error,
            });
        };
        self.meanings[value.index()] = Meaning::Option;
        Ok(word)
    }

    /// A number written out, or one of the constants that have no digits.
    fn fill(&mut self, function: Function, value: ExprId) -> Result<NumberValue> {
        let (negative, id) = match &self.ast.expr(value).kind {
            ExprKind::Unary { operator: UnaryOperator::Negative, operand } => (true, *operand),
            _ => (false, value),
        };
        let number = match &self.ast.expr(id).kind {
            ExprKind::Number(Number { value, .. }) => Some(*value),
            ExprKind::Name(name) => {
                let constant = Constant::ALL.into_iter().find(|constant| constant.name() == &*name.text);
                constant.map(|constant| NumberValue::Float(constant.value()))
            }
            _ => None,
        };
        let Some(number) = number else {
            let message = format!("`fill` of `{}` must be a number written out", function.name());
            return Err(self.error(ErrorKind::Arity, "option-kind", message, self.ast.expr(value).span));
        };
        self.meanings[id.index()..=value.index()].fill(Meaning::Option);
        Ok(match number {
            NumberValue::Int(x) if negative => NumberValue::Int(-x),
            NumberValue::Float(x) if negative => NumberValue::Float(-x),
            number => number,
        })
    }

    /// What `boundary(mode, value)` declares.
    pub(super) fn boundary(&self, mode: &Name, value: Option<ExprId>) -> Result<Boundary> {
        let boundary = match &*mode.text {
            "edge" => Boundary::Edge,
            "wrap" => Boundary::Wrap,
            "reflect" => Boundary::Reflect,
            "symmetric" => Boundary::Symmetric,
            "interior" => Boundary::Interior,
            "constant" => return self.constant(mode, value),
            other => {
                let message = format!("unknown boundary `{other}`");
                let error = self.error(ErrorKind::Name, "unknown-boundary", message, mode.span);
                return Err(match did_you_mean(other, MODES) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error.with_hint(format!("one of {}", MODES.join(", "))),
                });
            }
        };
        match value {
            None => Ok(boundary),
            Some(value) => {
                let message = format!("`{}` takes no value", mode.text);
                Err(self.error(ErrorKind::Arity, "boundary-value", message, self.ast.expr(value).span))
            }
        }
    }

    fn constant(&self, mode: &Name, value: Option<ExprId>) -> Result<Boundary> {
        let number = |id: ExprId| match &self.ast.expr(id).kind {
            ExprKind::Number(number) => Some(number.value),
            _ => None,
        };
        let found = value.and_then(|value| match &self.ast.expr(value).kind {
            ExprKind::Unary { operator: UnaryOperator::Negative, operand } => {
                number(*operand).map(|number| match number {
                    NumberValue::Int(x) => NumberValue::Int(-x),
                    NumberValue::Float(x) => NumberValue::Float(-x),
                })
            }
            _ => number(value),
        });
        found.map(Boundary::Constant).ok_or_else(|| {
            let span = value.map_or(mode.span, |value| self.ast.expr(value).span);
            self.error(ErrorKind::Arity, "boundary-value", "the constant is a number written out", span)
                .with_hint("`boundary(constant, 0)`")
        })
    }
}

//! Indices beside the element that a kernel computes, and what stands beyond the edges.

use super::{Boundary, Meaning, Resolver};
use crate::error::{ErrorKind, Result, did_you_mean};
use crate::syntax::{BinaryOperator, ExprId, ExprKind, Name, Number, NumberValue, UnaryOperator};

const MODES: [&str; 5] = ["edge", "wrap", "reflect", "symmetric", "constant"];

impl Resolver<'_> {
    /// `u[i - 1, j]`: an element of a parameter, so far away.
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
        if indices.len() != axes {
            let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            let (needed, found) = (plural(axes, "axis", "axes"), plural(indices.len(), "index", "indices"));
            let message = format!("the kernel goes over {needed}, found {found} of `{name}`");
            return Err(self.error(ErrorKind::Shape, "index-count", message, span));
        }
        let mut offsets = Vec::with_capacity(axes);
        for (axis, index) in indices.iter().enumerate() {
            offsets.push(self.offset(axis, *index)?);
        }
        if offsets.iter().any(|offset| *offset != 0) && self.scope.parameter(place).boundary.is_none() {
            let message =
                format!("`{name}` is read beside its elements, and what stands beyond its edges is not declared");
            return Err(self
                .error(ErrorKind::Shape, "boundary-missing", message, span)
                .with_hint(format!("`{name}: f64[{axes}] boundary(edge)`, or wrap, reflect, symmetric, constant")));
        }
        self.meanings[operand.index()..id.index()].fill(Meaning::Option);
        self.scope.reads_along_axes(place, axes).map_err(|rank| {
            let plural = if axes == 1 { "axis" } else { "axes" };
            let message = format!("the kernel goes over {axes} {plural}, `{name}` is declared with {rank}");
            self.error(ErrorKind::Shape, "index-count", message, span)
        })?;
        Ok(Meaning::Neighbour(place, offsets))
    }

    /// How far an index is from the axis that it stands for.
    fn offset(&self, axis: usize, index: ExprId) -> Result<isize> {
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
        let own = &self.scope.axes()[axis].text;
        match found {
            Some((known, offset)) if known == axis => Ok(offset as isize),
            _ => {
                let message =
                    format!("index {axis} is `{own}` and a number written out, found `{}`", self.ast.text(expr.span));
                Err(self
                    .error(ErrorKind::Shape, "index-form", message, expr.span)
                    .with_hint(format!("`{own}`, `{own} - 1` or `{own} + 2`")))
            }
        }
    }

    /// What `boundary(mode, value)` declares.
    pub(super) fn boundary(&self, mode: &Name, value: Option<ExprId>) -> Result<Boundary> {
        let boundary = match &*mode.text {
            "edge" => Boundary::Edge,
            "wrap" => Boundary::Wrap,
            "reflect" => Boundary::Reflect,
            "symmetric" => Boundary::Symmetric,
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

//! Syntax tree to text: the shortest in parentheses that parses to the same tree.

use std::fmt;

use super::ast::{Ast, BinaryOperator, Expr, ExprId, ExprKind, ItemKind, Name, Number, NumberValue, Precedence};
use crate::dtype::DType;

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer { ast: self, texts: Vec::with_capacity(self.exprs.len()) };
        for expr in &self.exprs {
            let text = printer.expr(expr);
            printer.texts.push(text);
        }
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &item.kind {
                ItemKind::Assign { targets, values } => {
                    let targets: Vec<String> = targets.iter().map(name).collect();
                    write!(f, "{} = {}", targets.join(", "), printer.list(values))?;
                }
                ItemKind::Result { values } => f.write_str(&printer.list(values))?,
            }
        }
        Ok(())
    }
}

struct Printer<'a> {
    ast: &'a Ast,
    /// The text of each expression so far; an operand's moves into its user.
    texts: Vec<String>,
}

impl Printer<'_> {
    fn expr(&mut self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Number(value) => number(*value),
            ExprKind::Bool(true) => "True".to_owned(),
            ExprKind::Bool(false) => "False".to_owned(),
            ExprKind::None => "None".to_owned(),
            ExprKind::Text(text) if text.contains('"') => format!("'{text}'"),
            ExprKind::Text(text) => format!("\"{text}\""),
            ExprKind::Name(written) => name(written),
            ExprKind::Unary { operator, operand } => {
                format!("{}{}", operator.symbol(), self.operand(*operand, Precedence::Unary))
            }
            ExprKind::Not { operand } => format!("not {}", self.operand(*operand, Precedence::Not)),
            ExprKind::Binary { operator: BinaryOperator::Power, left, right } => {
                self.join(*left, Precedence::Atom, "**", *right, Precedence::Unary)
            }
            ExprKind::Binary { operator, left, right } => {
                self.left_to_right(*left, operator.symbol(), *right, operator.precedence())
            }
            ExprKind::And { left, right } => self.left_to_right(*left, "and", *right, Precedence::And),
            ExprKind::Or { left, right } => self.left_to_right(*left, "or", *right, Precedence::Or),
            ExprKind::Compare { first, rest } => {
                let mut text = self.operand(*first, Precedence::BitOr);
                for (operator, operand) in rest {
                    text.push_str(&format!(" {} {}", operator.symbol(), self.operand(*operand, Precedence::BitOr)));
                }
                text
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let then = self.operand(*then, Precedence::Or);
                let condition = self.operand(*condition, Precedence::Or);
                format!("{then} if {condition} else {}", self.operand(*otherwise, Precedence::Conditional))
            }
            ExprKind::Call { callee, args } => {
                let mut list = Vec::new();
                for arg in args {
                    let value = self.operand(arg.value, Precedence::Conditional);
                    list.push(match &arg.name {
                        Some(written) => format!("{}={value}", name(written)),
                        None => value,
                    });
                }
                format!("{}({})", name(callee), list.join(", "))
            }
            ExprKind::Tuple { values } => format!("({})", self.list(values)),
            ExprKind::Index { operand, indices } => {
                format!("{}[{}]", self.operand(*operand, Precedence::Atom), self.list(indices))
            }
        }
    }

    /// Takes the text of an operand, in parentheses if it holds together less than `least`.
    fn operand(&mut self, id: ExprId, least: Precedence) -> String {
        let text = std::mem::take(&mut self.texts[id.index()]);
        match self.ast.expr(id).kind.precedence() < least {
            true => format!("({text})"),
            false => text,
        }
    }

    fn left_to_right(&mut self, left: ExprId, symbol: &str, right: ExprId, precedence: Precedence) -> String {
        self.join(left, precedence, symbol, right, precedence.tighter())
    }

    // Appends, so that a long chain is printed in linear time.
    fn join(
        &mut self,
        left: ExprId,
        least_left: Precedence,
        symbol: &str,
        right: ExprId,
        least_right: Precedence,
    ) -> String {
        let mut text = self.operand(left, least_left);
        text.push(' ');
        text.push_str(symbol);
        text.push(' ');
        text.push_str(&self.operand(right, least_right));
        text
    }

    fn list(&mut self, values: &[ExprId]) -> String {
        let values: Vec<String> = values.iter().map(|value| self.operand(*value, Precedence::Conditional)).collect();
        values.join(", ")
    }
}

fn name(name: &Name) -> String {
    match name.quoted {
        true => format!("`{}`", name.text),
        false => name.text.to_string(),
    }
}

fn number(number: Number) -> String {
    let suffix = number.dtype.map_or("", DType::name);
    match number.value {
        NumberValue::Int(value) => format!("{value}{suffix}"),
        NumberValue::Float(value) if value.is_infinite() => format!("1e999{suffix}"),
        NumberValue::Float(value) if number.dtype == Some(DType::F32) => format!("{:?}{suffix}", value as f32),
        NumberValue::Float(value) => format!("{value:?}{suffix}"),
    }
}

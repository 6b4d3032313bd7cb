//! Syntax tree to text: the shortest in parentheses that parses to the same tree.

use std::fmt;

use super::ast::{
    Ast, BinaryOperator, Definition, Expr, ExprId, ExprKind, Item, ItemKind, Name, Number, NumberValue, ParameterName,
    Precedence,
};
use crate::dtype::DType;

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer { ast: self, texts: Vec::with_capacity(self.exprs.len()) };
        for expr in &self.exprs {
            let text = printer.expr(expr);
            printer.texts.push(text);
        }
        let mut lines = Vec::new();
        for function in &self.functions {
            lines.push(printer.definition("fn", function));
        }
        for kernel in &self.kernels {
            lines.push(printer.definition("kernel", kernel));
        }
        lines.extend(self.items.iter().map(|item| printer.item(item, 0)));
        f.write_str(&lines.join("\n"))?;
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

    fn definition(&mut self, word: &str, definition: &Definition) -> String {
        let names = |names: &[Name]| names.iter().map(name).collect::<Vec<_>>().join(", ");
        let parameters: Vec<String> = definition.parameters.iter().map(|written| self.parameter(written)).collect();
        let mut head = format!("{word} {}({})", name(&definition.name), parameters.join(", "));
        if let Some(result) = &definition.result {
            head.push_str(&format!(" -> {}", name(result)));
        }
        if !definition.outputs.is_empty() {
            head.push_str(&format!(" -> ({})", names(&definition.outputs)));
        }
        if !definition.axes.is_empty() {
            head.push_str(&format!(" over ({})", names(&definition.axes)));
        }
        format!("{head} {}", self.block(&definition.body, 0))
    }

    fn parameter(&mut self, written: &ParameterName) -> String {
        let mut text = name(&written.name);
        if let Some(dtype) = &written.dtype {
            text.push_str(if written.uniform { ": uniform " } else { ": " });
            text.push_str(&name(dtype));
        }
        if let Some((rank, _)) = written.rank {
            text.push_str(&format!("[{rank}]"));
        }
        match &written.boundary {
            Some((mode, Some(value))) => {
                let value = self.operand(*value, Precedence::Conditional);
                text.push_str(&format!(" boundary({}, {value})", name(mode)));
            }
            Some((mode, None)) => text.push_str(&format!(" boundary({})", name(mode))),
            None => {}
        }
        text
    }

    fn block(&mut self, items: &[Item], depth: usize) -> String {
        let mut text = "{\n".to_owned();
        for item in items {
            text.push_str(&format!("{}{}\n", "    ".repeat(depth + 1), self.item(item, depth + 1)));
        }
        text.push_str(&format!("{}}}", "    ".repeat(depth)));
        text
    }

    fn item(&mut self, item: &Item, depth: usize) -> String {
        match &item.kind {
            ItemKind::Assign { targets, values } => {
                let targets: Vec<String> = targets.iter().map(name).collect();
                format!("{} = {}", targets.join(", "), self.list(values))
            }
            ItemKind::Result { values } => self.list(values),
            ItemKind::If { arms, otherwise } => {
                let mut text = String::new();
                for (k, arm) in arms.iter().enumerate() {
                    text.push_str(if k == 0 { "if " } else { " elif " });
                    text.push_str(&self.operand(arm.condition, Precedence::Conditional));
                    text.push_str(&format!(" {}", self.block(&arm.body, depth)));
                }
                if let Some(otherwise) = otherwise {
                    text.push_str(&format!(" else {}", self.block(otherwise, depth)));
                }
                text
            }
            ItemKind::While { condition, body } => {
                format!("while {} {}", self.operand(*condition, Precedence::Conditional), self.block(body, depth))
            }
            ItemKind::For { variable, start, end, body } => {
                let [start, end] = [*start, *end].map(|end| self.operand(end, Precedence::Conditional));
                format!("for {} in {start} .. {end} {}", name(variable), self.block(body, depth))
            }
            ItemKind::Return { values } if values.is_empty() => "return".to_owned(),
            ItemKind::Return { values } => format!("return {}", self.list(values)),
            ItemKind::Break => "break".to_owned(),
            ItemKind::Continue => "continue".to_owned(),
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

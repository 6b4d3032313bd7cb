//! Syntax tree to program: what each name means, arities and options checked, parameters and outputs listed.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result, did_you_mean};
use crate::functions::{Default, Function, Host, Kind};
use crate::source::Span;
use crate::syntax::{Arg, Ast, Expr, ExprId, ExprKind, Name, Number, NumberValue, UnaryOperator};

mod flow;
mod neighbours;

pub(crate) use flow::{Arm, Loop, LoopKind, Slot, Statement};

/// A program or kernel of which every name is known. What one text has is shared by all its kernels.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) ast: Arc<Ast>,
    /// One for each of the tree's expressions.
    pub(crate) meanings: Arc<[Meaning]>,
    /// The functions that the text defines, inlined where they are called.
    pub(crate) functions: Arc<[UserFunction]>,
    /// Functions of Rust that a text may call.
    pub(crate) hosts: Arc<[Host]>,
    pub(crate) body: Vec<Statement>,
    /// Of each variable the parameter that it is until it is assigned.
    pub(crate) slots: Vec<Option<usize>>,
    pub(crate) results: Results,
    /// Whether the text has a loop that nothing ends.
    pub(crate) has_endless: bool,
    /// How many axes the kernel goes over, if it names them.
    pub(crate) axes: usize,
    /// In order of first appearance, or as a kernel declares them.
    pub(crate) parameters: Vec<Parameter>,
    /// At least one; no two of one name.
    pub(crate) outputs: Vec<Output>,
    /// What is legal but likely not meant, from here and from the parser.
    pub(crate) warnings: Vec<Error>,
}

/// Where the outputs come from.
#[derive(Clone, Debug)]
pub(crate) enum Results {
    /// The last statement, and its nodes.
    Values(Vec<ExprId>, Range<usize>),
    /// Variables at the end.
    Variables(Vec<Slot>),
}

/// A function that the text defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserFunction {
    pub(crate) name: Arc<str>,
    /// Its first variables, and the dtype that each has to be of.
    pub(crate) parameters: Vec<(Arc<str>, Option<DType>)>,
    /// How many variables it has.
    pub(crate) slots: usize,
    /// How many values it returns.
    pub(crate) results: usize,
    /// The dtype that it says its value has.
    pub(crate) result: Option<DType>,
    pub(crate) body: Vec<Statement>,
}

/// What an expression means beyond what it says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// An operator or a literal.
    Plain,
    /// A place in [`Program::parameters`].
    Parameter(usize),
    /// What the variable holds there.
    Variable(Slot),
    Constant(Constant),
    /// A call; as many arguments as the function's row has parameters, in that order, each of its kind.
    Call(Function, Vec<Argument>),
    /// The position along an axis of the kernel.
    Axis(usize),
    /// The element of a parameter so far away along each axis.
    Neighbour(usize, Vec<isize>),
    /// The element of a parameter at an index along each of its own axes.
    Gather(usize, Vec<ExprId>),
    /// A call of a place in [`Program::functions`]; as many arguments as it has parameters.
    Inline(usize, Vec<ExprId>),
    /// A call of a place in [`Program::hosts`]; as many arguments as it has parameters.
    Host(usize, Vec<ExprId>),
    /// Part of an option, which the call holds; no value of its own.
    Option,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    Value(ExprId),
    DType(DType),
    Integer(i64),
    /// Axes as they were written, negative ones from the end; all of them without.
    Axes(Option<Vec<i64>>),
    Flag(bool),
    Distances(Vec<isize>),
    /// What an index beyond the edges means; of a constant, with it.
    Boundary(Boundary),
    /// An option that was left out, or is part of another.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Pi,
    E,
    Tau,
    Inf,
    Nan,
}

impl Constant {
    pub(crate) const ALL: [Constant; 5] = [Constant::Pi, Constant::E, Constant::Tau, Constant::Inf, Constant::Nan];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Constant::Pi => "pi",
            Constant::E => "e",
            Constant::Tau => "tau",
            Constant::Inf => "inf",
            Constant::Nan => "nan",
        }
    }

    pub(crate) fn value(self) -> f64 {
        match self {
            Constant::Pi => std::f64::consts::PI,
            Constant::E => std::f64::consts::E,
            Constant::Tau => std::f64::consts::TAU,
            Constant::Inf => f64::INFINITY,
            Constant::Nan => f64::NAN,
        }
    }
}

/// A free name of the program, or a declared one of a kernel.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Arc<str>,
    /// Where it is declared or first read.
    pub(crate) span: Span,
    /// What it has to be of, if that is declared.
    pub(crate) dtype: Option<DType>,
    pub(crate) rank: Option<usize>,
    /// What stands beyond its edges, if neighbours are read.
    pub(crate) boundary: Option<Boundary>,
}

/// What a kernel declares to stand beyond an array's edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Boundary {
    Edge,
    Wrap,
    Reflect,
    Symmetric,
    Constant(NumberValue),
    Interior,
}

/// A result of the program.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    /// Where its value, or its name, is written.
    pub(crate) span: Span,
}

/// Finds out what each name means in a program, or in a text of one kernel. With `declared`, every free name of a program must
/// be one of these, which also come before constants. It may call `hosts` beside the functions of the language and its own.
pub(crate) fn resolve(ast: Ast, declared: Option<&[&str]>, hosts: &Arc<[Host]>) -> Result<Program> {
    let mut resolver = Resolver::new(&ast, declared, hosts);
    match &ast.kernels[..] {
        [] => {}
        [_] => return Ok(kernels(ast, hosts)?.remove(0).1),
        [_, second, ..] => {
            let message = format!("the text has {} kernels, and one was expected", ast.kernels.len());
            return Err(resolver
                .error(ErrorKind::Syntax, "several-kernels", message, second.span)
                .with_hint("`Engine::compile_module` compiles a text of several"));
        }
    }
    resolver.define()?;
    let unfinished = resolver.program()?;
    let shared = resolver.finish()?;
    Ok(unfinished.with(&Arc::new(ast), &shared))
}

/// Each kernel of the text, by name.
pub(crate) fn kernels(ast: Ast, hosts: &Arc<[Host]>) -> Result<Vec<(Arc<str>, Program)>> {
    let mut resolver = Resolver::new(&ast, None, hosts);
    if ast.kernels.is_empty() {
        let span = ast.items[0].span;
        return Err(resolver
            .error(ErrorKind::Syntax, "no-kernel", "a module is made of kernels, found a formula", span)
            .with_hint("`Engine::compile` compiles a formula; a kernel is `kernel name(x) -> (y) { y = ... }`"));
    }
    resolver.define()?;
    let mut unfinished = Vec::new();
    let mut names = HashSet::new();
    for kernel in &ast.kernels {
        if !names.insert(&kernel.name.text) {
            return Err(resolver.duplicate("kernel", &kernel.name));
        }
        unfinished.push((Arc::clone(&kernel.name.text), resolver.kernel(kernel)?));
    }
    let shared = resolver.finish()?;
    let ast = Arc::new(ast);
    Ok(unfinished.into_iter().map(|(name, kernel)| (name, kernel.with(&ast, &shared))).collect())
}

/// A program but for what its text shares.
struct Unfinished {
    body: Vec<Statement>,
    slots: Vec<Option<usize>>,
    results: Results,
    axes: usize,
    parameters: Vec<Parameter>,
    outputs: Vec<Output>,
    warnings: Vec<Error>,
}

/// What the kernels of a text share.
struct Shared {
    meanings: Arc<[Meaning]>,
    functions: Arc<[UserFunction]>,
    hosts: Arc<[Host]>,
    has_endless: bool,
    warnings: Vec<Error>,
}

impl Unfinished {
    fn with(self, ast: &Arc<Ast>, shared: &Shared) -> Program {
        let Unfinished { body, slots, results, axes, parameters, outputs, mut warnings } = self;
        warnings.splice(0..0, shared.warnings.iter().cloned());
        Program {
            ast: Arc::clone(ast),
            meanings: Arc::clone(&shared.meanings),
            functions: Arc::clone(&shared.functions),
            hosts: Arc::clone(&shared.hosts),
            body,
            slots,
            results,
            has_endless: shared.has_endless,
            axes,
            parameters,
            outputs,
            warnings,
        }
    }
}

/// Whether a name (in backticks) looks like the index of an output.
fn is_index(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

struct Resolver<'a> {
    ast: &'a Ast,
    declared: Option<HashSet<String>>,
    meanings: Vec<Meaning>,
    functions: Vec<Stage>,
    /// Where each function is defined.
    defined: HashMap<Arc<str>, usize>,
    hosts: &'a Arc<[Host]>,
    /// The functions that are being resolved, each called by the one before.
    calling: Vec<usize>,
    /// The program, kernel or function that is being resolved.
    scope: flow::Scope,
    has_endless: bool,
    /// A call that may give several values, as it is all of a statement.
    whole: Option<ExprId>,
    warnings: Vec<Error>,
}

/// How far a function is.
#[derive(Clone)]
enum Stage {
    Defined,
    Begun,
    Done(UserFunction),
}

impl Resolver<'_> {
    fn error(&self, kind: ErrorKind, code: &'static str, message: impl Into<String>, span: Span) -> Error {
        Error::new(kind, code, message).at(&self.ast.source, span)
    }

    // -- names --

    /// Gives a meaning to each name, in order; calls have theirs by now.
    fn names(&mut self, exprs: Range<usize>) -> Result<()> {
        let ast = self.ast;
        for index in exprs {
            if self.meanings[index] == Meaning::Option {
                continue;
            }
            let expr = &ast.exprs[index];
            match &expr.kind {
                ExprKind::Name(name) => self.meanings[index] = self.name(name)?,
                ExprKind::Text(_) => return Err(self.only_option("a string", expr.span)),
                ExprKind::None => return Err(self.only_option("`None`", expr.span)),
                ExprKind::Tuple { .. } => {
                    let message = "several values in parentheses stand where one value is expected";
                    return Err(self.error(ErrorKind::Syntax, "misplaced-tuple", message, expr.span));
                }
                // Its own meaning is known.
                ExprKind::Index { .. } => {}
                ExprKind::Number(_)
                | ExprKind::Bool(_)
                | ExprKind::Unary { .. }
                | ExprKind::Binary { .. }
                | ExprKind::Compare { .. }
                | ExprKind::Not { .. }
                | ExprKind::And { .. }
                | ExprKind::Or { .. }
                | ExprKind::Conditional { .. }
                | ExprKind::Call { .. } => {}
            }
        }
        Ok(())
    }

    fn only_option(&self, what: &str, span: Span) -> Error {
        let message = format!("{what} is no value, it can only be an option of a function");
        self.error(ErrorKind::Syntax, "misplaced-option", message, span)
    }

    // -- calls --

    /// Gives a meaning to each call and marks its options, which would read as names otherwise.
    fn calls(&mut self, exprs: Range<usize>) -> Result<()> {
        let ast = self.ast;
        for index in exprs {
            let expr = &ast.exprs[index];
            if let ExprKind::Index { operand, indices } = &expr.kind {
                self.meanings[index] = self.neighbour(*operand, indices, ExprId(index as u32))?;
            }
            if let ExprKind::Call { callee, args } = &expr.kind {
                self.meanings[index] = match self.defined.get(&callee.text) {
                    Some(function) => self.inline(*function, callee, args, ExprId(index as u32))?,
                    None => match self.hosts.iter().position(|host| host.name == callee.text) {
                        Some(host) => self.host(host, callee, args, expr.span)?,
                        None => self.call(callee, args, expr.span)?,
                    },
                };
            }
        }
        Ok(())
    }

    /// A call of a function of Rust, whose parameters have no names.
    fn host(&self, place: usize, callee: &Name, args: &[Arg], span: Span) -> Result<Meaning> {
        let host = &self.hosts[place];
        if let Some(name) = args.iter().find_map(|arg| arg.name.as_ref()) {
            return Err(self.unknown_argument(name, &callee.text, &host.signature()));
        }
        if args.len() != host.params.len() {
            let count = host.params.len();
            let takes = format!("{count} argument{}", if count == 1 { "" } else { "s" });
            return Err(self.wrong_count(&callee.text, &takes, args.len(), &host.signature(), span));
        }
        Ok(Meaning::Host(place, args.iter().map(|arg| arg.value).collect()))
    }

    fn call(&mut self, callee: &Name, args: &[Arg], span: Span) -> Result<Meaning> {
        // A dtype's name converts.
        if let Some(dtype) = DType::from_name(&callee.text) {
            return match args {
                [Arg { name: None, value }] => {
                    Ok(Meaning::Call(Function::Astype, vec![Argument::Value(*value), Argument::DType(dtype)]))
                }
                [Arg { name: Some(name), .. }] => {
                    Err(self.unknown_argument(name, &callee.text, &format!("{}(x)", callee.text)))
                }
                _ => {
                    Err(self.wrong_count(&callee.text, "1 argument", args.len(), &format!("{}(x)", callee.text), span))
                }
            };
        }
        let Some(function) = Function::lookup(&callee.text) else { return Err(self.unknown_function(callee)) };
        let parameters = function.row().parameters;
        if let Some(Kind::Distances) = parameters.get(1).map(|parameter| parameter.kind) {
            return self.shift(function, callee, args, span);
        }
        let given = self.bind(function, callee, args, span)?;
        if let Some(first) = parameters.iter().position(|parameter| matches!(parameter.kind, Kind::Mode(_))) {
            let values = given[..first].iter().map(|value| Argument::Value(value.expect("a value has no default")));
            let mut arguments: Vec<Argument> = values.collect();
            arguments.push(Argument::Boundary(self.mode(function, given[first], given[first + 1])?));
            return Ok(Meaning::Call(function, arguments));
        }
        let arguments = parameters.iter().zip(given).map(|(parameter, value)| match (parameter.kind, value) {
            (Kind::Value, Some(value)) => Ok(Argument::Value(value)),
            (Kind::DType, Some(value)) => self.dtype(value, function).map(Argument::DType),
            (Kind::Integer, Some(value)) => self.integer(value, function, parameter.name).map(Argument::Integer),
            (Kind::Optional, Some(value)) if !self.is_none(value) => Ok(Argument::Value(value)),
            (Kind::Optional, Some(_)) => Ok(Argument::None),
            (Kind::Axes, Some(value)) => self.axes(value, function).map(Argument::Axes),
            (Kind::Flag, Some(value)) => self.flag(value, function, parameter.name).map(Argument::Flag),
            (Kind::Distances | Kind::Mode(_) | Kind::Number, _) => unreachable!("they have functions of their own"),
            (kind, None) => Ok(match parameter.default.expect("a required argument is bound") {
                Default::Integer(default) => Argument::Integer(default),
                Default::Flag(default) => Argument::Flag(default),
                Default::Mode(_) => unreachable!("a mode is bound before"),
                Default::None if kind == Kind::Axes => Argument::Axes(None),
                Default::None => Argument::None,
            }),
        });
        Ok(Meaning::Call(function, arguments.collect::<Result<_>>()?))
    }

    /// The values given for the function's parameters; those without a default are there.
    fn bind(&self, function: Function, callee: &Name, args: &[Arg], span: Span) -> Result<Vec<Option<ExprId>>> {
        let parameters = function.row().parameters;
        let written = &*callee.text;
        let signature = function.signature();
        let required = parameters.iter().filter(|parameter| parameter.default.is_none()).count();
        let positional = args.iter().filter(|arg| arg.name.is_none()).count();
        if args.len() > parameters.len() || (positional == args.len() && positional < required) {
            let takes = match required == parameters.len() {
                true => format!("{required} argument{}", if required == 1 { "" } else { "s" }),
                false => format!("{required} to {} arguments", parameters.len()),
            };
            return Err(self.wrong_count(written, &takes, args.len(), &help(function), span));
        }
        if let (Function::Min | Function::Max, [x, Arg { name: None, value }]) = (function, args) {
            let [a, b] = [x.value, *value].map(|value| self.ast.text(self.ast.expr(value).span));
            let message = format!("`{written}` takes one array and its axis by name, found a second value");
            return Err(self.error(ErrorKind::Arity, "axis-by-name", message, self.ast.expr(*value).span).with_hint(
                format!(
                    "the {written} of two is `{written}imum({a}, {b})`, that along an axis `{written}({a}, axis=0)`"
                ),
            ));
        }
        let first_named = args.iter().position(|arg| arg.name.is_some()).unwrap_or(args.len());
        let mut given = vec![None; parameters.len()];
        for (index, arg) in args.iter().enumerate() {
            let value_span = self.ast.expr(arg.value).span;
            let place = match &arg.name {
                None if index < first_named => index,
                None => {
                    return Err(self
                        .error(
                            ErrorKind::Arity,
                            "argument-order",
                            "an argument without a name follows a named one",
                            value_span,
                        )
                        .with_hint(help(function)));
                }
                Some(name) => match parameters.iter().position(|parameter| parameter.name == &*name.text) {
                    Some(place) => place,
                    None => return Err(self.unknown_argument(name, written, &help(function))),
                },
            };
            if given[place].replace(arg.value).is_some() {
                let message = format!("`{written}` is given its argument `{}` twice", parameters[place].name);
                return Err(self
                    .error(ErrorKind::Arity, "duplicate-argument", message, value_span)
                    .with_hint(signature));
            }
        }
        match parameters.iter().zip(&given).find(|(parameter, value)| value.is_none() && parameter.default.is_none()) {
            Some((missing, _)) => {
                let message = format!("`{written}` lacks its argument `{}`", missing.name);
                Err(self.error(ErrorKind::Arity, "missing-argument", message, span).with_hint(help(function)))
            }
            None => Ok(given),
        }
    }

    fn wrong_count(&self, callee: &str, takes: &str, found: usize, hint: &str, span: Span) -> Error {
        let message = format!("`{callee}` takes {takes}, found {found}");
        self.error(ErrorKind::Arity, "argument-count", message, span).with_hint(hint)
    }

    fn unknown_argument(&self, name: &Name, callee: &str, hint: &str) -> Error {
        let message = format!("`{callee}` has no argument `{}`", name.text);
        self.error(ErrorKind::Arity, "unknown-argument", message, name.span).with_hint(hint)
    }

    fn dtype(&mut self, value: ExprId, function: Function) -> Result<DType> {
        let expr = self.ast.expr(value);
        let (ExprKind::Name(Name { text, .. }) | ExprKind::Text(text)) = &expr.kind else {
            let message = format!("`{}` takes the name of a dtype here, such as `f32`", function.name());
            return Err(self.error(ErrorKind::Arity, "option-kind", message, expr.span).with_hint(help(function)));
        };
        match DType::from_name(text) {
            Some(dtype) => {
                self.meanings[value.index()] = Meaning::Option;
                Ok(dtype)
            }
            None => Err(self.unknown_dtype(text, expr.span)),
        }
    }

    fn unknown_dtype(&self, text: &str, span: Span) -> Error {
        let error = self.error(ErrorKind::DType, "unknown-dtype", format!("unknown dtype `{text}`"), span);
        let names = DType::ALL.into_iter().flat_map(|dtype| [dtype.name(), dtype.numpy_name()]);
        match (foreign_dtype(text), did_you_mean(text, names)) {
            (Some(hint), _) => error.with_hint(hint),
            (None, Some(near)) => error.with_hint(format!("did you mean `{near}`?")),
            (None, None) => error,
        }
    }

    fn integer(&mut self, value: ExprId, function: Function, parameter: &str) -> Result<i64> {
        let mut id = value;
        let mut negative = false;
        while let ExprKind::Unary { operator: sign @ (UnaryOperator::Negative | UnaryOperator::Positive), operand } =
            &self.ast.expr(id).kind
        {
            negative ^= *sign == UnaryOperator::Negative;
            id = *operand;
        }
        let number = match &self.ast.expr(id).kind {
            ExprKind::Number(Number { value: NumberValue::Int(number), .. }) => i64::try_from(*number).ok(),
            _ => None,
        };
        let Some(number) = number else {
            let message = format!("`{parameter}` of `{}` must be an integer written out", function.name());
            let span = self.ast.expr(value).span;
            return Err(self.error(ErrorKind::Arity, "option-kind", message, span).with_hint(help(function)));
        };
        // The signs and the number are the last nodes of the argument, in one row.
        self.meanings[id.index()..=value.index()].fill(Meaning::Option);
        Ok(if negative { -number } else { number })
    }

    /// Marks `None`, if that is what was written.
    fn is_none(&mut self, value: ExprId) -> bool {
        let is_none = matches!(self.ast.expr(value).kind, ExprKind::None);
        if is_none {
            self.meanings[value.index()] = Meaning::Option;
        }
        is_none
    }

    fn axes(&mut self, value: ExprId, function: Function) -> Result<Option<Vec<i64>>> {
        if self.is_none(value) {
            return Ok(None);
        }
        let ast = self.ast;
        let ExprKind::Tuple { values } = &ast.expr(value).kind else {
            return Ok(Some(vec![self.integer(value, function, "axis")?]));
        };
        let axes = values.iter().map(|value| self.integer(*value, function, "axis")).collect::<Result<_>>()?;
        self.meanings[value.index()] = Meaning::Option;
        Ok(Some(axes))
    }

    fn flag(&mut self, value: ExprId, function: Function, parameter: &str) -> Result<bool> {
        let expr = self.ast.expr(value);
        let ExprKind::Bool(flag) = expr.kind else {
            let message = format!("`{parameter}` of `{}` must be `True` or `False`", function.name());
            return Err(self.error(ErrorKind::Arity, "option-kind", message, expr.span).with_hint(help(function)));
        };
        self.meanings[value.index()] = Meaning::Option;
        Ok(flag)
    }

    fn unknown_function(&self, callee: &Name) -> Error {
        let text = &callee.text;
        let is_read = |expr: &Expr| matches!(&expr.kind, ExprKind::Name(name) if name.text == *text);
        let is_variable = self.scope.ever_assigned().contains(text)
            || self.ast.exprs.iter().any(is_read)
            || self.declared.as_ref().is_some_and(|declared| declared.contains(&**text));
        if is_variable {
            return self
                .error(
                    ErrorKind::Name,
                    "unknown-function",
                    format!("`{text}` is a variable, not a function"),
                    callee.span,
                )
                .with_hint(format!("a product is written `{text} * (...)`"));
        }
        let error = self.error(ErrorKind::Name, "unknown-function", format!("unknown function `{text}`"), callee.span);
        let dtypes = DType::ALL.into_iter().flat_map(|dtype| [dtype.name(), dtype.numpy_name()]);
        let defined = self.defined.keys().map(|name| &**name);
        let hosts = self.hosts.iter().map(|host| &*host.name);
        let names = Function::names().map(|name| name as &str).chain(dtypes).chain(defined).chain(hosts);
        match (foreign_dtype(text), did_you_mean(text, names)) {
            (Some(hint), _) => error.with_hint(hint),
            (None, Some(near)) => error.with_hint(format!("did you mean `{near}`?")),
            (None, None) => error,
        }
    }
}

/// How a function is called and what it does, as a hint.
fn help(function: Function) -> String {
    format!("{} is {}", function.signature(), function.row().doc)
}

/// The hint for a dtype's name as others write it.
fn foreign_dtype(name: &str) -> Option<String> {
    let dtype = match name {
        "i1" | "b" => DType::I8,
        "i2" | "short" => DType::I16,
        "i4" => DType::I32,
        "u1" | "B" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "f4" | "single" => DType::F32,
        "f8" | "float" | "double" => DType::F64,
        "int" | "long" => DType::I64,
        "?" | "b1" | "bool_" => DType::Bool,
        _ => return None,
    };
    Some(format!("the dtype is called `{dtype}` here; names count bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Limits, parse};

    fn resolved(text: &str, declared: Option<&[&str]>) -> Result<Program> {
        resolve(parse(text, Limits::default()).expect("the text parses"), declared, &Arc::from([]))
    }

    fn program(text: &str) -> Program {
        resolved(text, None).unwrap_or_else(|error| panic!("{text:?}: {}", error.render()))
    }

    fn parameters(program: &Program) -> Vec<&str> {
        program.parameters.iter().map(|parameter| &*parameter.name).collect()
    }

    fn outputs(program: &Program) -> Vec<&str> {
        program.outputs.iter().map(|output| &*output.name).collect()
    }

    /// The last call's function and arguments.
    fn call(text: &str) -> (Function, Vec<Argument>) {
        let call = |meaning: &Meaning| match meaning {
            Meaning::Call(function, arguments) => Some((*function, arguments.clone())),
            _ => None,
        };
        program(text).meanings.iter().rev().find_map(call).expect("the text has a call")
    }

    #[test]
    fn parameters_stand_in_order_of_first_appearance() {
        for (text, expected) in [
            ("b * a + b", vec!["b", "a"]),
            ("pi * e + tau - inf * nan", vec![]),
            ("y = x; x = y; x + z", vec!["x", "z"]),
            ("x += 1", vec!["x"]),
            ("gamma + size * sin(sin)", vec!["gamma", "size", "sin"]),
            // A constant that the program assigns is a variable all through it.
            ("a = pi; pi = 3; a + pi", vec!["pi"]),
            ("astype(x, f32) + f32", vec!["x", "f32"]),
            ("`unit price` + caf\u{e9} + cafe\u{301}", vec!["unit price", "caf\u{e9}"]),
        ] {
            assert_eq!(parameters(&program(text)), expected, "{text}");
        }
    }

    #[test]
    fn names_that_are_assigned_are_variables() {
        let program = program("x = x + 1; x = x * 2; x");
        for read in [0, 3, 6] {
            assert_eq!(program.meanings[read], Meaning::Variable(0));
        }
        assert_eq!(program.slots, [Some(0)]);
        assert!(program.warnings.is_empty());
    }

    #[test]
    fn outputs_have_names() {
        for (text, expected) in [
            ("a + b", vec!["0"]),
            ("a", vec!["a"]),
            ("a, b + 1, c", vec!["a", "1", "c"]),
            ("a, a", vec!["a", "1"]),
            ("x, y = a, b", vec!["x", "y"]),
            ("t = a; y = t + 1; t = y", vec!["t", "y"]),
            ("t = a; y = t + 1; y", vec!["y"]),
            ("x += 1", vec!["x"]),
            ("`1`, b + c", vec!["0", "1"]),
        ] {
            assert_eq!(outputs(&program(text)), expected, "{text}");
        }
    }

    #[test]
    fn options_are_read() {
        use Argument::{DType as Type, Integer, Value};
        let first = || Value(ExprId(0));
        for (text, function, arguments) in [
            ("astype(x, f32)", Function::Astype, vec![first(), Type(DType::F32)]),
            ("astype(x, dtype=\"uint64\")", Function::Astype, vec![first(), Type(DType::U64)]),
            ("bitcast(dtype='i8', x=y)", Function::Bitcast, vec![Value(ExprId(1)), Type(DType::I8)]),
            ("int32(x)", Function::Astype, vec![first(), Type(DType::I32)]),
            ("round(x)", Function::Round, vec![first(), Integer(0)]),
            ("rint(x, -2)", Function::Round, vec![first(), Integer(-2)]),
            ("round(x, n=+-+3)", Function::Round, vec![first(), Integer(-3)]),
            ("index(1)", Function::Index, vec![Integer(1)]),
            ("ln(x)", Function::Log, vec![first()]),
            ("clip(lo=a, hi=b, x=c)", Function::Clip, vec![Value(ExprId(2)), Value(ExprId(0)), Value(ExprId(1))]),
        ] {
            assert_eq!(call(text), (function, arguments), "{text}");
        }
        assert_eq!(program("round(x, -2)").meanings[1..3], [Meaning::Option, Meaning::Option]);
    }

    #[test]
    fn the_table_is_consistent() {
        let mut names = HashSet::new();
        for name in Function::names() {
            assert!(names.insert(name), "{name} stands twice");
            assert!(DType::from_name(name).is_none());
        }
        for function in Function::ALL {
            let row = function.row();
            assert!(
                std::iter::once(&row.name).chain(row.aliases).all(|name| Function::lookup(name) == Some(*function))
            );
            let first_default = row.parameters.iter().position(|parameter| parameter.default.is_some());
            assert!(
                row.parameters[first_default.unwrap_or(row.parameters.len())..].iter().all(|p| p.default.is_some())
            );
        }
        assert_eq!(Function::Round.signature(), "round(x, n=0)");
    }

    /// A text, and of its error: the code, the column, and words of the message and the hint.
    const ERRORS: &[(&str, &str, usize, &str, &str)] = &[
        ("1 + sqrt(x, y)", "argument-count", 5, "`sqrt` takes 1 argument, found 2", "sqrt(x) is the square root"),
        ("copysign(x)", "argument-count", 1, "`copysign` takes 2 arguments, found 1", "copysign(x, y) is"),
        ("round()", "argument-count", 1, "`round` takes 1 to 2 arguments, found 0", "round(x, n=0)"),
        ("f32(x, y)", "argument-count", 1, "`f32` takes 1 argument, found 2", "f32(x)"),
        ("clip(x, lo=1)", "missing-argument", 1, "`clip` lacks its argument `hi`", "clip(x, lo, hi)"),
        ("clip(x, low=1, hi=2)", "unknown-argument", 9, "`clip` has no argument `low`", "clip(x, lo, hi)"),
        ("clip(x, 1, x=2)", "duplicate-argument", 14, "`clip` is given its argument `x` twice", ""),
        ("clip(x=1, 2, 3)", "argument-order", 11, "an argument without a name follows a named one", ""),
        ("f32(y=1)", "unknown-argument", 5, "`f32` has no argument `y`", ""),
        ("sqroot(x)", "unknown-function", 1, "unknown function `sqroot`", ""),
        ("1 + Sqrt(x)", "unknown-function", 5, "unknown function `Sqrt`", "did you mean `sqrt`?"),
        ("flor(x)", "unknown-function", 1, "unknown function `flor`", "did you mean `floor`?"),
        ("max(x, 0)", "axis-by-name", 8, "`max` takes one array and its axis by name", "`maximum(x, 0)`"),
        ("sum(x, axis=n)", "option-kind", 13, "`axis` of `sum` must be an integer written out", ""),
        ("sum(x, axis=(0, 1.5))", "option-kind", 17, "`axis` of `sum` must be an integer written out", ""),
        ("sum(x, keepdims=1)", "option-kind", 17, "`keepdims` of `sum` must be `True` or `False`", ""),
        ("sqrt(x=(1, 2))", "misplaced-tuple", 8, "where one value is expected", ""),
        ("f4(x)", "unknown-function", 1, "unknown function `f4`", "`f32`"),
        ("x + x(2)", "unknown-function", 5, "`x` is a variable, not a function", "`x * (...)`"),
        ("x = 2; x(2)", "unknown-function", 8, "`x` is a variable, not a function", "`x * (...)`"),
        ("astype(x, \"f4\")", "unknown-dtype", 11, "unknown dtype `f4`", "`f32`"),
        ("astype(x, flaot32)", "unknown-dtype", 11, "unknown dtype `flaot32`", "did you mean `float32`?"),
        ("astype(x, 2)", "option-kind", 11, "`astype` takes the name of a dtype here", "astype(x, dtype)"),
        ("round(x, n)", "option-kind", 10, "`n` of `round` must be an integer written out", ""),
        ("round(x, 2.0)", "option-kind", 10, "`n` of `round` must be an integer written out", ""),
        ("index(1 + 1)", "option-kind", 7, "`k` of `index` must be an integer written out", ""),
        ("x + 'a'", "misplaced-option", 5, "a string is no value", ""),
        ("sqrt(None)", "misplaced-option", 6, "`None` is no value", ""),
        ("u[1]", "misplaced-index", 1, "an index stands in a kernel `over` named axes", "over (i, j)"),
    ];

    #[test]
    fn errors_speak_of_what_was_written() {
        for (text, code, column, message, hint) in ERRORS {
            let error = resolved(text, None).err().unwrap_or_else(|| panic!("{text:?} resolves"));
            let found = error.render();
            assert_eq!(error.code(), *code, "{text:?}: {found}");
            assert_eq!(error.line_column(), Some((1, *column)), "{text:?}: {found}");
            assert!(error.message().contains(message), "{text:?}: {found}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{text:?}: {found}");
        }
    }

    #[test]
    fn declared_names_are_the_only_ones() {
        let declared = ["price", "qty", "e", "cafe\u{301}"];
        assert_eq!(
            parameters(&resolved("price * qty + e + pi + caf\u{e9}", Some(&declared)).unwrap()),
            ["price", "qty", "e", "caf\u{e9}"]
        );
        for (text, column, hint) in [
            ("prise * qty", 1, "did you mean `price`?"),
            ("qty + QTY", 7, "did you mean `qty`?"),
            ("total = qty; totl", 14, "did you mean `total`?"),
            ("a = later; later = a", 5, "`later` is assigned only later"),
            ("sqrt + 1", 1, "`sqrt` is a function: sqrt(x)"),
            ("zzz", 1, ""),
        ] {
            let error = resolved(text, Some(&declared)).err().unwrap_or_else(|| panic!("{text:?} resolves"));
            assert_eq!((error.kind(), error.code()), (ErrorKind::Name, "unknown-variable"), "{text}");
            assert_eq!(error.line_column(), Some((1, column)), "{text}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{}", error.render());
        }
        let error = resolved("price(2)", Some(&declared)).unwrap_err();
        assert_eq!(error.message(), "`price` is a variable, not a function");
    }

    #[test]
    fn values_that_are_lost_are_warned_of() {
        for (text, expected) in [
            ("a = 1; b = 2; b", vec![1]),
            ("a = 1; b = 2", vec![]),
            ("a = 1; a = 2; a", vec![1]),
            ("a = x; b = a", vec![]),
            ("a, b = x, y; a", vec![4]),
            ("a = x; a += 1", vec![]),
        ] {
            let columns: Vec<usize> =
                program(text).warnings.iter().filter_map(|warning| Some(warning.line_column()?.1)).collect();
            assert_eq!(columns, expected, "{text}");
        }
    }
}

//! Syntax tree to program: what each name means, arities and options checked, parameters and outputs listed.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result, did_you_mean};
use crate::functions::{Function, Kind};
use crate::source::Span;
use crate::syntax::{
    Arg, Ast, ExprId, ExprKind, Item, ItemKind, Name, Number, NumberValue, UnaryOperator, normalize_name,
};

/// A program of which every name is known.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) ast: Ast,
    /// One for each of the tree's expressions.
    pub(crate) meanings: Vec<Meaning>,
    /// In order of first appearance.
    pub(crate) parameters: Vec<Parameter>,
    /// At least one; no two of one name.
    pub(crate) outputs: Vec<Output>,
    /// What is legal but likely not meant, from here and from the parser.
    pub(crate) warnings: Vec<Error>,
}

/// What an expression means beyond what it says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// An operator or a literal.
    Plain,
    /// A place in [`Program::parameters`].
    Parameter(usize),
    /// The value of that earlier expression, by the name it was assigned to.
    Value(ExprId),
    Constant(Constant),
    /// A call; as many arguments as the function's row has parameters, in that order, each of its kind.
    Call(Function, Vec<Argument>),
    /// Part of an option, which the call holds; no value of its own.
    Option,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Argument {
    Value(ExprId),
    DType(DType),
    Integer(i64),
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

/// A free name of the program.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Arc<str>,
    /// Where it is first read.
    pub(crate) span: Span,
}

/// A result of the program.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) value: ExprId,
}

/// Finds out what each name means. With `declared`, every free name must be one of these, which also come before constants.
pub(crate) fn resolve(ast: Ast, declared: Option<&[&str]>) -> Result<Program> {
    let assigned = ast.items.iter().flat_map(targets).map(|target| Arc::clone(&target.text)).collect();
    let mut resolver = Resolver {
        meanings: vec![Meaning::Plain; ast.exprs.len()],
        ast: &ast,
        declared: declared.map(|names| names.iter().map(|name| normalize_name(name)).collect()),
        assigned,
        values: HashMap::new(),
        parameters: Vec::new(),
        places: HashMap::new(),
        warnings: ast.warnings.clone(),
    };
    for item in &ast.items {
        resolver.calls(item.exprs.clone())?;
        resolver.names(item.exprs.clone())?;
        if let ItemKind::Assign { targets, values } = &item.kind {
            for (target, value) in targets.iter().zip(values) {
                resolver.assign(target, *value);
            }
        }
    }
    let outputs = outputs(&ast);
    resolver.warn_of_unread(&outputs);
    let Resolver { meanings, parameters, warnings, .. } = resolver;
    Ok(Program { ast, meanings, parameters, outputs, warnings })
}

fn targets(item: &Item) -> &[Name] {
    match &item.kind {
        ItemKind::Assign { targets, .. } => targets,
        ItemKind::Result { .. } => &[],
    }
}

/// A result is named by the plain name that it is, else by its index; what ends in an assignment yields its targets.
fn outputs(ast: &Ast) -> Vec<Output> {
    let mut outputs: Vec<Output> = Vec::new();
    match &ast.items.last().expect("a program has an item").kind {
        ItemKind::Assign { targets, values } => {
            outputs.extend(
                targets
                    .iter()
                    .zip(values)
                    .map(|(target, value)| Output { name: Arc::clone(&target.text), value: *value }),
            );
        }
        ItemKind::Result { values } => {
            let mut taken = HashSet::new();
            for (index, value) in values.iter().enumerate() {
                let name = match &ast.expr(*value).kind {
                    ExprKind::Name(name) if taken.insert(&name.text) => Arc::clone(&name.text),
                    _ => index.to_string().into(),
                };
                outputs.push(Output { name, value: *value });
            }
        }
    }
    outputs
}

struct Resolver<'a> {
    ast: &'a Ast,
    declared: Option<HashSet<String>>,
    /// Names that the program assigns anywhere.
    assigned: HashSet<Arc<str>>,
    meanings: Vec<Meaning>,
    /// The last value of each name assigned so far, and whether it was read.
    values: HashMap<Arc<str>, Assigned>,
    parameters: Vec<Parameter>,
    places: HashMap<Arc<str>, usize>,
    warnings: Vec<Error>,
}

struct Assigned {
    value: ExprId,
    target: Name,
    read: bool,
}

impl Resolver<'_> {
    fn error(&self, kind: ErrorKind, code: &'static str, message: impl Into<String>, span: Span) -> Error {
        Error::new(kind, code, message).at(&self.ast.source, span)
    }

    // -- names --

    /// Gives a meaning to each name, in order; calls have theirs by now.
    fn names(&mut self, exprs: Range<usize>) -> Result<()> {
        for index in exprs {
            if self.meanings[index] == Meaning::Option {
                continue;
            }
            let expr = &self.ast.exprs[index];
            match &expr.kind {
                ExprKind::Name(name) => self.meanings[index] = self.name(name)?,
                ExprKind::Text(_) => return Err(self.only_option("a string", expr.span)),
                ExprKind::None => return Err(self.only_option("`None`", expr.span)),
                ExprKind::Index { .. } => {
                    return Err(self.error(
                        ErrorKind::Syntax,
                        "not-supported",
                        "indexing is not supported yet",
                        expr.span,
                    ));
                }
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

    fn name(&mut self, name: &Name) -> Result<Meaning> {
        if let Some(assigned) = self.values.get_mut(&name.text) {
            assigned.read = true;
            return Ok(Meaning::Value(assigned.value));
        }
        if let Some(place) = self.places.get(&name.text) {
            return Ok(Meaning::Parameter(*place));
        }
        let is_declared = self.declared.as_ref().map(|declared| declared.contains(&*name.text));
        let constant = Constant::ALL.into_iter().find(|constant| constant.name() == &*name.text);
        match (constant, is_declared) {
            (Some(constant), None | Some(false)) if !self.assigned.contains(&name.text) => {
                Ok(Meaning::Constant(constant))
            }
            (_, Some(false)) => Err(self.unknown_variable(name)),
            (_, Some(true) | None) => {
                let place = self.parameters.len();
                self.parameters.push(Parameter { name: Arc::clone(&name.text), span: name.span });
                self.places.insert(Arc::clone(&name.text), place);
                Ok(Meaning::Parameter(place))
            }
        }
    }

    fn unknown_variable(&self, name: &Name) -> Error {
        let text = &name.text;
        let error = self.error(ErrorKind::Name, "unknown-variable", format!("unknown variable `{text}`"), name.span);
        if let Some(target) = self.assigned.get(text) {
            return error.with_hint(format!("`{target}` is assigned only later"));
        }
        if let Some(function) = Function::lookup(text) {
            return error.with_hint(format!("`{text}` is a function: {}", function.signature()));
        }
        let declared = self.declared.iter().flatten().map(String::as_str);
        let known = declared.chain(self.values.keys().map(|name| &**name)).chain(Constant::ALL.map(Constant::name));
        match did_you_mean(text, known) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }

    fn assign(&mut self, target: &Name, value: ExprId) {
        let assigned = Assigned { value, target: target.clone(), read: false };
        if let Some(before) = self.values.insert(Arc::clone(&target.text), assigned)
            && !before.read
        {
            self.warn_of_unread_target(&before.target);
        }
    }

    fn warn_of_unread(&mut self, outputs: &[Output]) {
        let mut unread: Vec<Name> = Vec::new();
        for assigned in self.values.values() {
            if !assigned.read && !outputs.iter().any(|output| output.value == assigned.value) {
                unread.push(assigned.target.clone());
            }
        }
        unread.sort_by_key(|target| target.span.start);
        for target in unread {
            self.warn_of_unread_target(&target);
        }
    }

    fn warn_of_unread_target(&mut self, target: &Name) {
        let message = format!("the value assigned to `{}` is not used", target.text);
        let warning = self.error(ErrorKind::Name, "unused-value", message, target.span);
        self.warnings.push(warning);
    }

    // -- calls --

    /// Gives a meaning to each call and marks its options, which would read as names otherwise.
    fn calls(&mut self, exprs: Range<usize>) -> Result<()> {
        for index in exprs {
            let expr = &self.ast.exprs[index];
            if let ExprKind::Call { callee, args } = &expr.kind {
                self.meanings[index] = self.call(callee, args, expr.span)?;
            }
        }
        Ok(())
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
        let Some(function) = Function::lookup(&callee.text) else { return Err(self.unknown_function(callee, args)) };
        let given = self.bind(function, callee, args, span)?;
        let parameters = function.row().parameters;
        let arguments = parameters.iter().zip(given).map(|(parameter, value)| match (parameter.kind, value) {
            (Kind::Value, Some(value)) => Ok(Argument::Value(value)),
            (Kind::DType, Some(value)) => self.dtype(value, function).map(Argument::DType),
            (Kind::Integer, Some(value)) => self.integer(value, function, parameter.name).map(Argument::Integer),
            (_, None) => Ok(Argument::Integer(parameter.default.expect("a required argument is bound"))),
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
        let mut given = vec![None; parameters.len()];
        for (index, arg) in args.iter().enumerate() {
            let value_span = self.ast.expr(arg.value).span;
            let place = match &arg.name {
                None if index < positional => index,
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
            None => {
                let error = self.error(ErrorKind::DType, "unknown-dtype", format!("unknown dtype `{text}`"), expr.span);
                let names = DType::ALL.into_iter().flat_map(|dtype| [dtype.name(), dtype.numpy_name()]);
                Err(match (foreign_dtype(text), did_you_mean(text, names)) {
                    (Some(hint), _) => error.with_hint(hint),
                    (None, Some(near)) => error.with_hint(format!("did you mean `{near}`?")),
                    (None, None) => error,
                })
            }
        }
    }

    fn integer(&mut self, value: ExprId, function: Function, parameter: &str) -> Result<i64> {
        let mut id = value;
        let mut negative = false;
        let number = loop {
            match &self.ast.expr(id).kind {
                ExprKind::Unary { operator: UnaryOperator::Negative, operand } => {
                    negative = !negative;
                    id = *operand;
                }
                ExprKind::Unary { operator: UnaryOperator::Positive, operand } => id = *operand,
                ExprKind::Number(Number { value: NumberValue::Int(number), .. }) => break i64::try_from(*number).ok(),
                _ => break None,
            }
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

    fn unknown_function(&self, callee: &Name, args: &[Arg]) -> Error {
        let text = &callee.text;
        let is_variable = self.values.contains_key(text)
            || self.places.contains_key(text)
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
        let of_two = [("max", "maximum"), ("min", "minimum")].into_iter().find(|(name, _)| *name == &**text);
        if let (Some((_, function)), [a, b]) = (of_two, args) {
            let [a, b] = [a, b].map(|arg| self.ast.text(self.ast.expr(arg.value).span));
            return error.with_hint(format!("the {text} of two is `{function}({a}, {b})`"));
        }
        let names =
            Function::names().chain(DType::ALL.into_iter().flat_map(|dtype| [dtype.name(), dtype.numpy_name()]));
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

//! Statements to statements of which every variable is known: who assigns it, and that it is set wherever it is read.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::{
    Constant, Meaning, Output, Parameter, Resolver, Results, Shared, Stage, Unfinished, UserFunction, is_index,
};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result, did_you_mean};
use crate::functions::{Function, Host};
use crate::source::Span;
use crate::syntax::{self, Arg, Definition, ExprId, ExprKind, Item, ItemKind, Name, ParameterName, target_count};

/// A variable of a program, kernel or function; numbered as they are first assigned.
pub(crate) type Slot = usize;

/// A statement of which every variable is known.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    /// As many targets as values, or as the one call gives.
    Assign {
        targets: Vec<Slot>,
        values: Vec<ExprId>,
        exprs: Range<usize>,
    },
    If {
        arms: Vec<Arm>,
        otherwise: Vec<Statement>,
    },
    Loop(Box<Loop>),
    Return {
        values: Vec<ExprId>,
        exprs: Range<usize>,
    },
    Break,
    Continue,
}

#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) condition: ExprId,
    pub(crate) exprs: Range<usize>,
    pub(crate) body: Vec<Statement>,
}

/// A `while` or `for`.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    pub(crate) kind: LoopKind,
    /// The nodes of its head.
    pub(crate) exprs: Range<usize>,
    pub(crate) body: Vec<Statement>,
    /// Every variable that the body assigns, once.
    pub(crate) assigned: Vec<Slot>,
    /// Whether the body has a `return` in it.
    pub(crate) returns: bool,
    /// Of the head.
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum LoopKind {
    While(ExprId),
    For { variable: Slot, start: ExprId, end: ExprId },
}

/// What is being resolved.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Program,
    Kernel,
    Function,
}

/// The variables of what is being resolved.
pub(super) struct Scope {
    kind: Kind,
    parameters: Vec<Parameter>,
    places: HashMap<Arc<str>, usize>,
    slots: HashMap<Arc<str>, Slot>,
    variables: Vec<Variable>,
    /// Variables in the order in which they became set on the way to here.
    set: Vec<Slot>,
    /// Whether no way leads here.
    unreachable: bool,
    /// Targets of all assignments since the outermost loop began.
    assigned: Vec<Slot>,
    loops: Vec<OpenLoop>,
    /// Variables whose last value nothing has read yet, in this very block.
    unread: HashMap<Slot, Name>,
    outputs: Vec<Name>,
    results: Option<usize>,
    /// Names that are assigned anywhere, so that even where they are still parameters they are read as variables.
    ever_assigned: HashSet<Arc<str>>,
    /// The axes that a kernel goes over.
    axes: Vec<Name>,
    assigned_count: usize,
}

struct Variable {
    name: Name,
    /// How many variables were assigned before it for the first time.
    assigned: Option<usize>,
    /// The parameter that it is until it is assigned.
    parameter: Option<usize>,
    is_set: bool,
    /// How many `break`s the innermost loop had by then.
    set_at: usize,
    is_read: bool,
    /// Why it is not set, if it was assigned somewhere.
    unset: Option<Unset>,
}

/// What assigns a variable on some ways only.
#[derive(Clone, Copy)]
enum Unset {
    If { at: Span, has_else: bool },
    Loop(Span),
}

#[derive(Default)]
struct OpenLoop {
    /// In how many of its `break`s each variable is set.
    at_breaks: HashMap<Slot, usize>,
    breaks: usize,
    returns: bool,
}

impl Scope {
    pub(super) fn new() -> Scope {
        Scope {
            kind: Kind::Program,
            parameters: Vec::new(),
            places: HashMap::new(),
            slots: HashMap::new(),
            variables: Vec::new(),
            set: Vec::new(),
            unreachable: false,
            assigned: Vec::new(),
            loops: Vec::new(),
            unread: HashMap::new(),
            outputs: Vec::new(),
            results: None,
            ever_assigned: HashSet::new(),
            axes: Vec::new(),
            assigned_count: 0,
        }
    }

    pub(super) fn axes(&self) -> &[Name] {
        &self.axes
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub(super) fn parameter(&self, place: usize) -> &Parameter {
        &self.parameters[place]
    }

    /// The parameter has so many axes, or another number was declared.
    pub(super) fn reads_along_axes(&mut self, place: usize, axes: usize) -> Result<(), usize> {
        match self.parameters[place].rank.replace(axes) {
            Some(rank) if rank != axes => Err(rank),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn ever_assigned(&self) -> &HashSet<Arc<str>> {
        &self.ever_assigned
    }

    fn set(&mut self, slot: Slot) {
        let variable = &mut self.variables[slot];
        if !std::mem::replace(&mut variable.is_set, true) {
            variable.set_at = self.loops.last().map_or(0, |open| open.breaks);
            self.set.push(slot);
        }
    }

    /// Forgets what was set since `mark`, in the loop that is open now, and gives it.
    fn unset_since(&mut self, mark: usize) -> Vec<Slot> {
        let slots = self.set.split_off(mark);
        for slot in &slots {
            let variable = &mut self.variables[*slot];
            variable.is_set = false;
            // Counted when it is over, once: a `break` does not go through all that is set there.
            if let Some(open) = self.loops.last_mut()
                && open.breaks > variable.set_at
            {
                *open.at_breaks.entry(*slot).or_default() += open.breaks - variable.set_at;
            }
        }
        slots
    }
}

/// The longest chain of functions that call one another.
const DEEPEST_CALL: usize = 64;

impl<'a> Resolver<'a> {
    pub(super) fn new(ast: &'a syntax::Ast, declared: Option<&[&str]>, hosts: &'a Arc<[Host]>) -> Resolver<'a> {
        Resolver {
            meanings: vec![Meaning::Plain; ast.exprs.len()],
            ast,
            declared: declared.map(|names| names.iter().map(|name| syntax::normalize_name(name)).collect()),
            functions: vec![Stage::Defined; ast.functions.len()],
            defined: HashMap::new(),
            hosts,
            calling: Vec::new(),
            scope: Scope::new(),
            has_endless: false,
            whole: None,
            warnings: ast.warnings.clone(),
        }
    }

    /// Lists the functions of the text.
    pub(super) fn define(&mut self) -> Result<()> {
        for (place, function) in self.ast.functions.iter().enumerate() {
            if self.defined.insert(Arc::clone(&function.name.text), place).is_some() {
                return Err(self.duplicate("function", &function.name));
            }
        }
        Ok(())
    }

    pub(super) fn duplicate(&self, what: &str, name: &Name) -> Error {
        let message = format!("a second {what} is called `{}`", name.text);
        self.error(ErrorKind::Name, "duplicate-name", message, name.span)
    }

    // -- programs, kernels, functions --

    pub(super) fn program(&mut self) -> Result<Unfinished> {
        let items = &self.ast.items;
        assigned_names(items, &mut self.scope.ever_assigned);
        let (body, results, outputs) = self.body(items)?;
        self.warn_of_unread();
        Ok(self.unfinished(body, results, outputs))
    }

    fn unfinished(&mut self, body: Vec<Statement>, results: Results, outputs: Vec<Output>) -> Unfinished {
        let scope = std::mem::replace(&mut self.scope, Scope::new());
        let axes = scope.axes.len();
        let slots = scope.variables.iter().map(|variable| variable.parameter).collect();
        let warnings = Vec::new();
        Unfinished { body, slots, results, axes, parameters: scope.parameters, outputs, warnings }
    }

    /// Statements of which the last gives the outputs: a value, else every name that is set by then.
    fn body(&mut self, items: &'a [Item]) -> Result<(Vec<Statement>, Results, Vec<Output>)> {
        let Some(Item { kind: ItemKind::Result { values }, exprs, .. }) = items.last() else {
            let body = self.block(items)?;
            return self.variables_as_outputs(body, items);
        };
        let body = self.block(&items[..items.len() - 1])?;
        let count = self.values(values, exprs)?;
        let mut outputs: Vec<Output> = Vec::new();
        let mut taken = HashSet::new();
        for index in 0..count {
            let expr = self.ast.expr(values[index.min(values.len() - 1)]);
            let name = match &expr.kind {
                ExprKind::Name(name) if !is_index(&name.text) && taken.insert(&name.text) => Arc::clone(&name.text),
                _ => index.to_string().into(),
            };
            outputs.push(Output { name, span: expr.span });
        }
        Ok((body, Results::Values(values.clone(), exprs.clone()), outputs))
    }

    /// What ends in another statement yields every name that it has set by then, in order of first assignment.
    fn variables_as_outputs(
        &mut self,
        body: Vec<Statement>,
        items: &[Item],
    ) -> Result<(Vec<Statement>, Results, Vec<Output>)> {
        let variables = &self.scope.variables;
        let is_result = |slot: &Slot| variables[*slot].is_set && variables[*slot].assigned.is_some();
        let mut slots: Vec<Slot> = (0..variables.len()).filter(is_result).collect();
        slots.sort_unstable_by_key(|slot| variables[*slot].assigned);
        if slots.is_empty() {
            let last = items.last().expect("a body has a statement");
            return Err(self
                .error(ErrorKind::Syntax, "no-result", "the program has no result", last.span)
                .with_hint("its last line is its result: a value, or names that are assigned whatever happens"));
        }
        let output = |slot: &Slot| {
            let name = &self.scope.variables[*slot].name;
            Output { name: Arc::clone(&name.text), span: name.span }
        };
        let outputs = slots.iter().map(output).collect();
        for slot in &slots {
            self.scope.unread.remove(slot);
            self.scope.variables[*slot].is_read = true;
        }
        Ok((body, Results::Variables(slots), outputs))
    }

    pub(super) fn kernel(&mut self, kernel: &'a Definition) -> Result<Unfinished> {
        self.scope = Scope { kind: Kind::Kernel, outputs: kernel.outputs.clone(), ..Scope::new() };
        assigned_names(&kernel.body, &mut self.scope.ever_assigned);
        for axis in &kernel.axes {
            if self.scope.axes.iter().any(|known| known.text == axis.text) {
                return Err(self.duplicate("axis", axis));
            }
            self.scope.axes.push(axis.clone());
        }
        if kernel.axes.len() > crate::view::MAX_RANK {
            let message = format!("an array has at most {} axes, found {}", crate::view::MAX_RANK, kernel.axes.len());
            return Err(self.error(ErrorKind::Shape, "rank-limit", message, kernel.span));
        }
        for written in &kernel.parameters {
            let parameter = self.declared_parameter(written)?;
            let place = self.scope.parameters.len();
            if self.scope.places.insert(Arc::clone(&parameter.name), place).is_some() {
                return Err(self.duplicate("parameter", &written.name));
            }
            self.scope.parameters.push(parameter);
        }
        if kernel.outputs.is_empty() {
            if kernel.body.is_empty() {
                let message = format!("the kernel `{}` has no result", kernel.name.text);
                return Err(self.error(ErrorKind::Syntax, "no-result", message, kernel.span));
            }
            let (body, results, outputs) = self.body(&kernel.body)?;
            self.warn_of_unread();
            return Ok(self.unfinished(body, results, outputs));
        }
        let mut outputs: Vec<Output> = Vec::new();
        for name in &kernel.outputs {
            if outputs.iter().any(|known| known.name == name.text) {
                return Err(self.duplicate("output", name));
            }
            outputs.push(Output { name: Arc::clone(&name.text), span: name.span });
        }
        let body = self.block(&kernel.body)?;
        if !self.scope.unreachable {
            self.check_outputs(None)?;
        }
        let slots = kernel.outputs.iter().map(|name| self.slot(name)).collect();
        self.warn_of_unread();
        Ok(self.unfinished(body, Results::Variables(slots), outputs))
    }

    /// Each output has a value where the kernel ends: at its last line, or at a `return`.
    fn check_outputs(&mut self, at: Option<Span>) -> Result<()> {
        for name in self.scope.outputs.clone() {
            let slot = self.slot(&name);
            self.scope.unread.remove(&slot);
            let variable = &mut self.scope.variables[slot];
            variable.is_read = true;
            if !variable.is_set {
                let why = variable.unset.map(|unset| self.why(unset));
                let (text, code) = (&name.text, "unset-output");
                return Err(match (at, why) {
                    (Some(at), why) => {
                        let message = format!("the output `{text}` may be unset where the kernel returns");
                        let error = self.error(ErrorKind::Name, code, message, at);
                        why.into_iter().fold(error, Error::with_note)
                    }
                    (None, Some(why)) => {
                        let message = format!("the output `{text}` may be unset at the end");
                        self.error(ErrorKind::Name, code, message, name.span).with_note(why)
                    }
                    (None, None) => {
                        let message = format!("the output `{text}` is not assigned");
                        self.error(ErrorKind::Name, code, message, name.span).with_hint(format!("`{text} = ...`"))
                    }
                });
            }
        }
        Ok(())
    }

    fn declared_parameter(&mut self, written: &ParameterName) -> Result<Parameter> {
        let dtype = written.dtype.as_ref().map(|name| self.dtype_name(name)).transpose()?;
        let rank = match (written.uniform, written.rank) {
            (true, Some((_, span))) => {
                let message = format!("`{}` is one value for all elements, it has no axes", written.name.text);
                return Err(self.error(ErrorKind::Shape, "uniform-rank", message, span));
            }
            (true, None) => Some(0),
            (false, Some((rank, span))) if rank > crate::view::MAX_RANK => {
                let message = format!("an array has at most {} axes, found {rank}", crate::view::MAX_RANK);
                return Err(self.error(ErrorKind::Shape, "rank-limit", message, span));
            }
            (false, rank) => rank.map(|(rank, _)| rank),
        };
        let boundary = match &written.boundary {
            Some((mode, value)) => Some(self.boundary(mode, *value)?),
            None => None,
        };
        Ok(Parameter { name: Arc::clone(&written.name.text), span: written.name.span, dtype, rank, boundary })
    }

    /// Resolves a function before its first call, and gives how many values it returns.
    pub(super) fn function(&mut self, place: usize, callee: &Name) -> Result<usize> {
        match &self.functions[place] {
            Stage::Done(function) => return Ok(function.results),
            Stage::Begun => return Err(self.recursion(place, callee)),
            Stage::Defined => {}
        }
        if self.calling.len() == DEEPEST_CALL {
            let message = format!("functions call one another more than {DEEPEST_CALL} deep");
            return Err(self.error(ErrorKind::Limit, "call-depth", message, callee.span));
        }
        self.functions[place] = Stage::Begun;
        self.calling.push(place);
        let scope = std::mem::replace(&mut self.scope, Scope { kind: Kind::Function, ..Scope::new() });
        let whole = self.whole.take();
        let function = self.function_body(&self.ast.functions[place])?;
        let results = function.results;
        (self.scope, self.whole) = (scope, whole);
        self.calling.pop();
        self.functions[place] = Stage::Done(function);
        Ok(results)
    }

    fn recursion(&self, place: usize, callee: &Name) -> Error {
        let first = self.calling.iter().position(|function| *function == place).expect("it is being resolved");
        let name = |function: &usize| format!("`{}`", self.ast.functions[*function].name.text);
        let mut cycle: Vec<String> = self.calling[first..].iter().map(name).collect();
        cycle.push(name(&place));
        let message = match cycle.len() {
            2 => format!("{} calls itself", cycle[0]),
            _ => format!("functions call one another in a circle: {}", cycle.join(" calls ")),
        };
        self.error(ErrorKind::Name, "recursion", message, callee.span)
            .with_hint("functions are inlined where they are called; a loop repeats")
    }

    fn function_body(&mut self, definition: &'a Definition) -> Result<UserFunction> {
        let mut parameters = Vec::new();
        for written in &definition.parameters {
            if let Some((mode, _)) = &written.boundary {
                let message = "a boundary is that of a kernel's parameter";
                return Err(self.error(ErrorKind::Syntax, "misplaced-boundary", message, mode.span));
            }
            let dtype = written.dtype.as_ref().map(|name| self.dtype_name(name)).transpose()?;
            if self.scope.slots.contains_key(&written.name.text) {
                return Err(self.duplicate("parameter", &written.name));
            }
            let slot = self.slot(&written.name);
            self.scope.set(slot);
            self.scope.variables[slot].is_read = true;
            parameters.push((Arc::clone(&written.name.text), dtype));
        }
        let mut body = match definition.body.last() {
            Some(Item { kind: ItemKind::Result { values }, span, exprs }) => {
                let mut body = self.block(&definition.body[..definition.body.len() - 1])?;
                if !self.scope.unreachable {
                    body.push(self.return_(values, exprs, *span)?);
                }
                body
            }
            _ => self.block(&definition.body)?,
        };
        if !self.scope.unreachable {
            let name = &definition.name.text;
            let (message, hint) = match self.scope.results {
                None => (format!("`{name}` returns nothing"), "`return value`"),
                Some(_) => (format!("`{name}` does not return a value on every path"), "end with a `return`"),
            };
            return Err(self.error(ErrorKind::Syntax, "no-return", message, definition.span).with_hint(hint));
        }
        self.warn_of_unread();
        let result = definition.result.as_ref().map(|name| self.dtype_name(name)).transpose()?;
        let results = match self.scope.results {
            Some(results) => results,
            // It never ends.
            None => {
                let message = format!("`{}` returns nothing", definition.name.text);
                return Err(self.error(ErrorKind::Syntax, "no-return", message, definition.span));
            }
        };
        body.shrink_to_fit();
        let (name, slots) = (Arc::clone(&definition.name.text), self.scope.variables.len());
        Ok(UserFunction { name, parameters, slots, results, result, body })
    }

    /// Functions that nothing calls are checked all the same.
    pub(super) fn finish(&mut self) -> Result<Shared> {
        for (place, definition) in self.ast.functions.iter().enumerate() {
            self.function(place, &definition.name)?;
        }
        let functions = std::mem::take(&mut self.functions).into_iter().map(|stage| match stage {
            Stage::Done(function) => function,
            Stage::Defined | Stage::Begun => unreachable!("every function was resolved"),
        });
        let functions = functions.collect();
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.sort_by_key(|warning| warning.span().map(|span| span.start));
        let meanings = std::mem::take(&mut self.meanings).into();
        let hosts = Arc::clone(self.hosts);
        Ok(Shared { meanings, functions, hosts, has_endless: self.has_endless, warnings })
    }

    fn dtype_name(&self, name: &Name) -> Result<DType> {
        DType::from_name(&name.text).ok_or_else(|| self.unknown_dtype(&name.text, name.span))
    }

    // -- statements --

    /// The statements up to the first behind which nothing is reached.
    fn block(&mut self, items: &'a [Item]) -> Result<Vec<Statement>> {
        let mut statements = Vec::with_capacity(items.len());
        for (k, item) in items.iter().enumerate() {
            let was_unreachable = self.scope.unreachable;
            let statement = self.statement(item)?;
            if was_unreachable {
                continue;
            }
            statements.push(statement);
            if let (true, Some(next)) = (self.scope.unreachable, items.get(k + 1)) {
                let warning = self.error(ErrorKind::Syntax, "unreachable", "nothing leads here", next.span);
                self.warnings.push(warning);
            }
        }
        Ok(statements)
    }

    fn statement(&mut self, item: &'a Item) -> Result<Statement> {
        match &item.kind {
            ItemKind::Assign { targets, values } => {
                let count = self.values(values, &item.exprs)?;
                if count != targets.len() {
                    return Err(target_count(targets.len(), count).at(&self.ast.source, item.span));
                }
                let targets = targets.iter().map(|target| self.assign(target)).collect();
                Ok(Statement::Assign { targets, values: values.clone(), exprs: item.exprs.clone() })
            }
            ItemKind::Result { .. } => unreachable!("a result is the last statement of a body"),
            ItemKind::If { arms, otherwise } => self.if_(arms, otherwise.as_deref(), item.span),
            ItemKind::While { condition, body } => {
                self.resolve_exprs(&item.exprs)?;
                let always = matches!(self.ast.expr(*condition).kind, ExprKind::Bool(true));
                self.loop_(item, body, always, |_| LoopKind::While(*condition))
            }
            ItemKind::For { variable, start, end, body } => {
                self.resolve_exprs(&item.exprs)?;
                let kind = |this: &mut Self| {
                    let variable = this.assign(variable);
                    // Whether the body reads it is no one's concern.
                    this.scope.unread.remove(&variable);
                    this.scope.variables[variable].is_read = true;
                    LoopKind::For { variable, start: *start, end: *end }
                };
                self.loop_(item, body, false, kind)
            }
            ItemKind::Return { values } => self.return_(values, &item.exprs, item.span),
            ItemKind::Break => self.exit(item.span, "break", Statement::Break),
            ItemKind::Continue => self.exit(item.span, "continue", Statement::Continue),
        }
    }

    fn resolve_exprs(&mut self, exprs: &Range<usize>) -> Result<()> {
        self.calls(exprs.clone())?;
        self.names(exprs.clone())
    }

    /// Gives how many values there are: one call alone may give several.
    fn values(&mut self, values: &[ExprId], exprs: &Range<usize>) -> Result<usize> {
        let [value] = values else {
            self.resolve_exprs(exprs)?;
            return Ok(values.len());
        };
        self.whole = Some(*value);
        self.resolve_exprs(exprs)?;
        self.whole = None;
        Ok(match &self.meanings[value.index()] {
            Meaning::Inline(function, _) => match &self.functions[*function] {
                Stage::Done(function) => function.results,
                Stage::Defined | Stage::Begun => unreachable!("a function is resolved before its call"),
            },
            _ => 1,
        })
    }

    /// A call of a function that the text defines.
    pub(super) fn inline(&mut self, place: usize, callee: &Name, args: &[Arg], id: ExprId) -> Result<Meaning> {
        let (definition, span) = (&self.ast.functions[place], self.ast.expr(id).span);
        let results = self.function(place, callee)?;
        let name = &*callee.text;
        let written: Vec<&str> = definition.parameters.iter().map(|parameter| &*parameter.name.text).collect();
        let signature = format!("{name}({})", written.join(", "));
        if args.len() != written.len() {
            let takes = format!("{} argument{}", written.len(), if written.len() == 1 { "" } else { "s" });
            return Err(self.wrong_count(name, &takes, args.len(), &signature, span));
        }
        let mut given = vec![None; written.len()];
        let mut any_named = false;
        for (index, arg) in args.iter().enumerate() {
            let value_span = self.ast.expr(arg.value).span;
            any_named |= arg.name.is_some();
            let place = match &arg.name {
                Some(name) => match written.iter().position(|parameter| *parameter == &*name.text) {
                    Some(place) => place,
                    None => return Err(self.unknown_argument(name, &callee.text, &signature)),
                },
                None if !any_named => index,
                None => {
                    let message = "an argument without a name follows a named one";
                    return Err(self
                        .error(ErrorKind::Arity, "argument-order", message, value_span)
                        .with_hint(signature));
                }
            };
            if given[place].replace(arg.value).is_some() {
                let message = format!("`{name}` is given its argument `{}` twice", written[place]);
                return Err(self
                    .error(ErrorKind::Arity, "duplicate-argument", message, value_span)
                    .with_hint(signature));
            }
        }
        if results != 1 && self.whole != Some(id) {
            let message = format!("`{name}` gives {results} values where one is expected");
            return Err(self
                .error(ErrorKind::Arity, "several-values", message, span)
                .with_hint(format!("give them names first: `a, b = {signature}`")));
        }
        Ok(Meaning::Inline(place, given.into_iter().map(|value| value.expect("all are given")).collect()))
    }

    /// A block of its own: what it does not read may be read behind it.
    fn inner(&mut self, items: &'a [Item]) -> Result<Vec<Statement>> {
        self.scope.unread.clear();
        let statements = self.block(items)?;
        self.scope.unread.clear();
        Ok(statements)
    }

    fn if_(&mut self, arms: &'a [syntax::Arm], otherwise: Option<&'a [Item]>, span: Span) -> Result<Statement> {
        let was_unreachable = self.scope.unreachable;
        let mark = self.scope.set.len();
        let mut merged = Merge::default();
        let mut done = Vec::with_capacity(arms.len());
        for arm in arms {
            self.resolve_exprs(&arm.exprs)?;
            let body = self.inner(&arm.body)?;
            merged.branch(self.scope.unset_since(mark), !self.scope.unreachable);
            self.scope.unreachable = was_unreachable;
            done.push(Arm { condition: arm.condition, exprs: arm.exprs.clone(), body });
        }
        let rest = match otherwise {
            Some(items) => {
                let body = self.inner(items)?;
                merged.branch(self.scope.unset_since(mark), !self.scope.unreachable);
                body
            }
            None => {
                merged.branch(Vec::new(), !was_unreachable);
                Vec::new()
            }
        };
        self.scope.unreachable = merged.branches == 0;
        for slot in merged.order {
            if merged.counts[&slot] == merged.branches {
                self.scope.set(slot);
            } else {
                self.scope.variables[slot].unset = Some(Unset::If { at: span, has_else: otherwise.is_some() });
            }
        }
        Ok(Statement::If { arms: done, otherwise: rest })
    }

    fn loop_(
        &mut self,
        item: &Item,
        body: &'a [Item],
        always: bool,
        kind: impl FnOnce(&mut Self) -> LoopKind,
    ) -> Result<Statement> {
        let was_unreachable = self.scope.unreachable;
        let (set_before, first) = (self.scope.set.len(), self.scope.assigned.len());
        self.scope.loops.push(OpenLoop::default());
        let kind = kind(self);
        let body = self.inner(body)?;
        let ends_set = self.scope.unset_since(set_before);
        let open = self.scope.loops.pop().expect("the loop is open");
        if always && open.breaks > 0 {
            open.at_breaks
                .iter()
                .filter(|(_, count)| **count == open.breaks)
                .for_each(|(slot, _)| self.scope.set(*slot));
        }
        for slot in ends_set.into_iter().chain(open.at_breaks.into_keys()) {
            if !self.scope.variables[slot].is_set {
                self.scope.variables[slot].unset = Some(Unset::Loop(item.span));
            }
        }
        let mut assigned = self.scope.assigned.split_off(first);
        assigned.sort_unstable();
        assigned.dedup();
        self.scope.assigned.extend_from_slice(&assigned);
        self.has_endless |= always && open.breaks == 0 && !open.returns;
        self.scope.unreachable = was_unreachable || (always && open.breaks == 0 && open.returns);
        if let Some(outer) = self.scope.loops.last_mut() {
            outer.returns |= open.returns;
        } else {
            self.scope.assigned.clear();
        }
        let (exprs, span) = (item.exprs.clone(), item.span);
        Ok(Statement::Loop(Box::new(Loop { kind, exprs, body, assigned, returns: open.returns, span })))
    }

    fn exit(&mut self, span: Span, word: &str, statement: Statement) -> Result<Statement> {
        let unreachable = self.scope.unreachable;
        let Some(open) = self.scope.loops.last_mut() else {
            let message = format!("`{word}` stands outside of all loops");
            return Err(self.error(ErrorKind::Syntax, "misplaced-exit", message, span));
        };
        if matches!(statement, Statement::Break) && !unreachable {
            open.breaks += 1;
        }
        self.scope.unreachable = true;
        Ok(statement)
    }

    fn return_(&mut self, values: &[ExprId], exprs: &Range<usize>, span: Span) -> Result<Statement> {
        let count = self.values(values, exprs)?;
        match self.scope.kind {
            Kind::Program => {
                return Err(self
                    .error(ErrorKind::Syntax, "misplaced-exit", "`return` stands outside of all functions", span)
                    .with_hint("the last line of a program is its result"));
            }
            Kind::Kernel if values.is_empty() && !self.scope.outputs.is_empty() => {
                if !self.scope.unreachable {
                    self.check_outputs(Some(span))?;
                }
            }
            Kind::Kernel => {
                let (message, hint) = match self.scope.outputs.is_empty() {
                    true => ("a kernel that returns names its outputs", "`kernel name(x) -> (y) { ... }`"),
                    false => ("a kernel returns no values", "its outputs are assigned; `return` alone ends it"),
                };
                return Err(self.error(ErrorKind::Syntax, "misplaced-exit", message, span).with_hint(hint));
            }
            Kind::Function if values.is_empty() => {
                let message = "a function returns a value";
                return Err(self.error(ErrorKind::Syntax, "no-return", message, span).with_hint("`return value`"));
            }
            Kind::Function => {
                let known = *self.scope.results.get_or_insert(count);
                if known != count {
                    let message = format!(
                        "this returns {count} value{}, and an earlier `return` {known}",
                        if count == 1 { "" } else { "s" }
                    );
                    return Err(self.error(ErrorKind::Arity, "return-count", message, span));
                }
            }
        }
        if !self.scope.unreachable {
            self.scope.loops.iter_mut().for_each(|open| open.returns = true);
        }
        self.scope.unreachable = true;
        Ok(Statement::Return { values: values.to_vec(), exprs: exprs.clone() })
    }

    // -- names --

    fn slot(&mut self, name: &Name) -> Slot {
        if let Some(slot) = self.scope.slots.get(&name.text) {
            return *slot;
        }
        let slot = self.scope.variables.len();
        let parameter = self.scope.places.get(&name.text).copied();
        // A parameter that is assigned is set before.
        let is_set = parameter.is_some();
        self.scope.variables.push(Variable {
            name: name.clone(),
            assigned: None,
            parameter,
            is_set,
            set_at: 0,
            is_read: false,
            unset: None,
        });
        self.scope.slots.insert(Arc::clone(&name.text), slot);
        slot
    }

    fn assign(&mut self, target: &Name) -> Slot {
        let slot = self.slot(target);
        let count = self.scope.assigned_count;
        if self.scope.variables[slot].assigned.is_none() {
            self.scope.variables[slot].assigned = Some(count);
            self.scope.variables[slot].name = target.clone();
            self.scope.assigned_count += 1;
        }
        if !self.scope.unreachable {
            self.scope.set(slot);
            self.scope.assigned.push(slot);
            if let Some(before) = self.scope.unread.insert(slot, target.clone()) {
                self.warn_of_unread_target(&before);
            }
        }
        slot
    }

    pub(super) fn name(&mut self, name: &Name) -> Result<Meaning> {
        if let Some(&slot) = self.scope.slots.get(&name.text) {
            self.scope.unread.remove(&slot);
            let unreachable = self.scope.unreachable;
            let variable = &mut self.scope.variables[slot];
            variable.is_read = true;
            if variable.is_set || unreachable {
                return Ok(Meaning::Variable(slot));
            }
            let why = variable.unset.map(|unset| self.why(unset));
            return Err(self.unset(name, why));
        }
        if let Some(place) = self.scope.places.get(&name.text) {
            return Ok(self.read_parameter(name, *place));
        }
        if let Some(axis) = self.scope.axes.iter().position(|axis| axis.text == name.text) {
            return Ok(Meaning::Axis(axis));
        }
        let is_declared = match self.scope.kind {
            Kind::Program => self.declared.as_ref().map(|declared| declared.contains(&*name.text)),
            Kind::Kernel | Kind::Function => Some(false),
        };
        let constant = Constant::ALL.into_iter().find(|constant| constant.name() == &*name.text);
        let is_assigned = self.scope.kind == Kind::Program && self.scope.ever_assigned.contains(&name.text);
        match (constant, is_declared) {
            (Some(constant), None | Some(false)) if !is_assigned => Ok(Meaning::Constant(constant)),
            (_, Some(false)) => Err(self.unknown_variable(name)),
            (_, Some(true) | None) => {
                let place = self.scope.parameters.len();
                let (text, span) = (Arc::clone(&name.text), name.span);
                self.scope.parameters.push(Parameter { name: text, span, dtype: None, rank: None, boundary: None });
                self.scope.places.insert(Arc::clone(&name.text), place);
                Ok(self.read_parameter(name, place))
            }
        }
    }

    fn read_parameter(&mut self, name: &Name, place: usize) -> Meaning {
        if !self.scope.ever_assigned.contains(&name.text) {
            return Meaning::Parameter(place);
        }
        let slot = self.slot(name);
        self.scope.variables[slot].is_read = true;
        Meaning::Variable(slot)
    }

    /// Told when it is asked for: to find a line takes time.
    fn why(&self, unset: Unset) -> String {
        let line = |at: Span| at.line_column(&self.ast.source).0;
        match unset {
            Unset::If { at, has_else: false } => {
                format!("it is assigned in the `if` of line {}, which has no `else` that assigns it", line(at))
            }
            Unset::If { at, has_else: true } => format!("not every branch of the `if` in line {} assigns it", line(at)),
            Unset::Loop(at) => format!("it is assigned in the loop of line {}, which may end before", line(at)),
        }
    }

    fn unset(&self, name: &Name, why: Option<String>) -> Error {
        let message = format!("`{}` may be unset here", name.text);
        let error = self.error(ErrorKind::Name, "unset-variable", message, name.span);
        match why {
            Some(why) => error.with_note(why),
            None => error,
        }
    }

    fn unknown_variable(&self, name: &Name) -> Error {
        let text = &name.text;
        let error = self.error(ErrorKind::Name, "unknown-variable", format!("unknown variable `{text}`"), name.span);
        if let (Kind::Program, Some(target)) = (&self.scope.kind, self.scope.ever_assigned.get(text)) {
            return error.with_hint(format!("`{target}` is assigned only later"));
        }
        if let Some(function) = Function::lookup(text) {
            return error.with_hint(format!("`{text}` is a function: {}", function.signature()));
        }
        if self.defined.contains_key(text) || self.hosts.iter().any(|host| host.name == *text) {
            return error.with_hint(format!("`{text}` is a function"));
        }
        let declared = self.declared.iter().flatten().map(String::as_str);
        let declared = declared.filter(|_| self.scope.kind == Kind::Program);
        let known = declared.chain(self.scope.slots.keys().chain(self.scope.places.keys()).map(|name| &**name));
        match (did_you_mean(text, known.chain(Constant::ALL.map(Constant::name))), &self.scope.kind) {
            (Some(near), _) => error.with_hint(format!("did you mean `{near}`?")),
            (None, Kind::Function) => error.with_hint("a `fn` sees its own parameters, constants and functions"),
            (None, Kind::Kernel) => error.with_hint("a kernel declares its parameters: `kernel name(x, y) -> (z)`"),
            (None, Kind::Program) => error,
        }
    }

    /// What was assigned and is never read, here or anywhere.
    fn warn_of_unread(&mut self) {
        let mut targets: Vec<Name> = self.scope.unread.values().cloned().collect();
        for (slot, variable) in self.scope.variables.iter().enumerate() {
            if !variable.is_read && variable.parameter.is_none() && !self.scope.unread.contains_key(&slot) {
                targets.push(variable.name.clone());
            }
        }
        targets.sort_by_key(|target| target.span.start);
        targets.iter().for_each(|target| self.warn_of_unread_target(target));
    }

    fn warn_of_unread_target(&mut self, target: &Name) {
        let message = format!("the value assigned to `{}` is not used", target.text);
        let warning = self.error(ErrorKind::Name, "unused-value", message, target.span);
        self.warnings.push(warning);
    }
}

/// What the branches of an `if` set.
#[derive(Default)]
struct Merge {
    /// In how many branches each variable is set.
    counts: HashMap<Slot, usize>,
    order: Vec<Slot>,
    /// How many branches come to the end.
    branches: usize,
}

impl Merge {
    fn branch(&mut self, set: Vec<Slot>, comes_to_the_end: bool) {
        self.branches += usize::from(comes_to_the_end);
        for slot in set {
            let count = self.counts.entry(slot).or_insert_with(|| {
                self.order.push(slot);
                0
            });
            *count += usize::from(comes_to_the_end);
        }
    }
}

/// Adds the names that the statements assign anywhere.
fn assigned_names(items: &[Item], names: &mut HashSet<Arc<str>>) {
    for item in items {
        match &item.kind {
            ItemKind::Assign { targets, .. } => names.extend(targets.iter().map(|name| Arc::clone(&name.text))),
            ItemKind::If { arms, otherwise } => {
                arms.iter().for_each(|arm| assigned_names(&arm.body, names));
                otherwise.iter().for_each(|items| assigned_names(items, names));
            }
            ItemKind::While { body, .. } => assigned_names(body, names),
            ItemKind::For { variable, body, .. } => {
                names.insert(Arc::clone(&variable.text));
                assigned_names(body, names);
            }
            ItemKind::Result { .. } | ItemKind::Return { .. } | ItemKind::Break | ItemKind::Continue => {}
        }
    }
}

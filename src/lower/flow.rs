//! Statements to regions: what an element does not do is guarded by a condition, and values are joined where paths meet.
//!
//! An element that leaves a loop or function keeps its variables as they are, and a flag says that it is gone; what follows
//! is done where the flag holds. So nothing but conditions decides, and no path needs a copy of its own.

use std::collections::HashMap;

use super::{Join, Lowerer, Operand, Term, over_limit};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{BlockId, Mark, Value};
use crate::resolve::{Arm, Loop, LoopKind, Slot, Statement, UserFunction};
use crate::source::Span;

/// How often a loop is typed until the dtypes of its variables settle.
const MOST_PASSES: usize = 32;

/// Blocks inside one another, those of inlined functions included; a bound on the stack.
const DEEPEST_BLOCK: usize = 256;

/// What variables hold, and where control may go.
#[derive(Default)]
pub(super) struct Flow {
    /// Of each variable, those of calling functions first. Flags and results are variables without a name.
    variables: Vec<Option<Operand>>,
    /// What was overwritten, to go back.
    log: Vec<(usize, Option<Operand>)>,
    /// Where the variables of the present function begin.
    base: usize,
    /// Where the named variables of the present function end.
    named: usize,
    /// What elements can leave: the function, then its loops, innermost last.
    scopes: Vec<Scope>,
    /// Where the present function's results go; none outside of functions.
    results: Vec<usize>,
    is_function: bool,
    depth: usize,
    /// Which calls led here.
    path: Vec<usize>,
    /// The dtypes that each loop settled on when it was lowered last.
    settled: HashMap<(Vec<usize>, usize), Vec<Option<Join>>>,
    /// Expressions and statements of inlined functions so far.
    inlined: usize,
    /// False where an endless loop would have ended, which no one knows; no variable if there are no such loops.
    ended: Option<usize>,
}

/// What an element can leave.
#[derive(Clone, Copy)]
struct Scope {
    /// The flag of elements that go on.
    live: usize,
    /// Of a loop: the flag of elements that may take another turn.
    go: Option<usize>,
}

/// Whether elements leave on the way.
#[derive(Clone, Copy, Default)]
struct Exits {
    may: bool,
    /// None comes to the end.
    always: bool,
    /// None leaves but by returning from a function, which needs its variables no more.
    returning: bool,
}

/// A branch that is lowered but for the join.
struct Branch {
    condition: Value,
    block: BlockId,
    changes: Vec<(usize, Operand)>,
    exits: Exits,
}

/// What branches leave no need to keep where none of them is taken.
#[derive(Clone, Copy, PartialEq)]
enum Covers {
    /// One always is.
    All,
    /// Who takes none has no use for named variables.
    Named,
    Nothing,
}

/// Everything that lowering adds to, to go back.
struct Snapshot {
    mark: Mark,
    log: usize,
    variables: usize,
    asked: usize,
    indexed: usize,
    warnings: usize,
    loops: usize,
    ranged: usize,
}

impl Lowerer<'_> {
    /// Lowers the body of the program.
    pub(super) fn body(&mut self) -> Result<()> {
        let program = self.program;
        self.flow.variables = vec![None; program.slots.len()];
        self.flow.named = program.slots.len();
        for (slot, parameter) in program.slots.iter().enumerate() {
            if let Some(place) = parameter {
                let term = self.param(*place)?;
                let span = program.parameters[*place].span;
                self.flow.variables[slot] = Some(Operand { term, span });
            }
        }
        if program.has_endless {
            self.flow.ended = Some(self.flag(Span::new(0, 0)));
        }
        if program.body.iter().any(leaves) {
            let live = self.flag(Span::new(0, 0));
            self.flow.scopes.push(Scope { live, go: None });
        }
        self.statements(&program.body)?;
        Ok(())
    }

    pub(super) fn variable(&self, slot: Slot) -> Option<Operand> {
        self.flow.variables[self.flow.base + slot]
    }

    /// The value where the program ends: of an endless loop never, though no one knows.
    pub(super) fn at_the_end(&mut self, value: Value) -> Value {
        let Some(ended) = self.flow.ended.and_then(|ended| self.flow.variables[ended]) else { return value };
        let ended = self.truth(ended);
        let block = self.b.open_block();
        self.b.close_block(vec![value]);
        let zero = self.b.integer(self.b.dtype(value), 0);
        self.b.push_when(ended, block, &[zero])[0]
    }

    fn set(&mut self, slot: usize, operand: Operand) {
        self.flow.log.push((slot, self.flow.variables[slot]));
        self.flow.variables[slot] = Some(operand);
    }

    /// A new flag that is true.
    fn flag(&mut self, span: Span) -> usize {
        let term = Term::Strong(self.b.element(true));
        self.flow.variables.push(Some(Operand { term, span }));
        self.flow.variables.len() - 1
    }

    fn lower_flag(&mut self, flag: usize, span: Span) {
        let term = Term::Strong(self.b.element(false));
        self.set(flag, Operand { term, span });
    }

    fn read_flag(&mut self, flag: usize) -> Value {
        let operand = self.flow.variables[flag].expect("a flag is set");
        self.truth(operand)
    }

    // -- statements --

    fn statements(&mut self, list: &[Statement]) -> Result<Exits> {
        let mut at = 0;
        let mut exits = Exits { returning: true, ..Exits::default() };
        while at < list.len() {
            // What follows a statement that elements may leave by is done where they have not.
            let next = if exits.may {
                let count = list[at..].iter().position(leaves).map_or(list.len() - at, |k| k + 1);
                let live = self.flow.scopes.last().expect("a function is open").live;
                let live = self.read_flag(live);
                let rest = &list[at..at + count];
                at += count;
                let branch = self.branch(live, |this| this.statements(rest))?;
                let inner = branch.exits;
                // What elements have that returned from a function is of no use.
                let returned = exits.returning && self.flow.is_function;
                self.join_branches(vec![branch], if returned { Covers::Named } else { Covers::Nothing })?;
                inner
            } else {
                at += 1;
                self.statement(&list[at - 1])?
            };
            exits =
                Exits { may: exits.may || next.may, always: next.always, returning: exits.returning && next.returning };
            if exits.always {
                break;
            }
        }
        Ok(exits)
    }

    fn statement(&mut self, statement: &Statement) -> Result<Exits> {
        let falls = Exits { returning: true, ..Exits::default() };
        self.count_inlined(1)?;
        match statement {
            Statement::Assign { targets, values, exprs } => {
                let values = self.values(values, exprs)?;
                for (target, value) in targets.iter().zip(values) {
                    self.set(self.flow.base + target, value);
                }
                Ok(falls)
            }
            Statement::If { arms, otherwise } => self.if_(arms, otherwise),
            Statement::Loop(of) => self.loop_(of),
            Statement::Return { values, exprs } => {
                let values = self.values(values, exprs)?;
                let span = Span::new(0, 0);
                for (slot, value) in self.flow.results.clone().into_iter().zip(values) {
                    self.set(slot, value);
                }
                for scope in self.flow.scopes.clone() {
                    self.lower_flag(scope.live, span);
                    scope.go.into_iter().for_each(|go| self.lower_flag(go, span));
                }
                Ok(Exits { may: true, always: true, returning: self.flow.is_function })
            }
            Statement::Break | Statement::Continue => {
                let scope = *self.flow.scopes.last().expect("a loop is open");
                self.lower_flag(scope.live, Span::new(0, 0));
                if let (Statement::Break, Some(go)) = (statement, scope.go) {
                    self.lower_flag(go, Span::new(0, 0));
                }
                Ok(Exits { may: true, always: true, returning: false })
            }
        }
    }

    /// What the values of a statement are: one call may give several.
    pub(super) fn values(
        &mut self,
        values: &[crate::syntax::ExprId],
        exprs: &std::ops::Range<usize>,
    ) -> Result<Vec<Operand>> {
        self.exprs(exprs.clone())?;
        if let [value] = values
            && let Some(several) = self.several.remove(value)
        {
            return Ok(several);
        }
        Ok(values.iter().map(|value| self.operand(*value)).collect())
    }

    fn if_(&mut self, arms: &[Arm], otherwise: &[Statement]) -> Result<Exits> {
        let mut branches = Vec::with_capacity(arms.len() + 1);
        // Where none of the conditions so far holds.
        let mut pending: Option<Value> = None;
        for arm in arms {
            let holds = match pending {
                None => self.condition(arm)?,
                Some(pending) => {
                    let block = self.b.open_block();
                    let holds = self.condition(arm)?;
                    self.b.close_block(vec![holds]);
                    let no = self.b.element(false);
                    self.b.push_when(pending, block, &[no])[0]
                }
            };
            branches.push(self.branch(holds, |this| this.statements(&arm.body))?);
            let rest = self.b.not(holds);
            pending = Some(pending.map_or(rest, |pending| self.b.and(pending, rest)));
        }
        if !otherwise.is_empty() {
            let pending = pending.expect("an `if` has a condition");
            branches.push(self.branch(pending, |this| this.statements(otherwise))?);
        }
        self.join_branches(branches, if otherwise.is_empty() { Covers::Nothing } else { Covers::All })
    }

    fn condition(&mut self, arm: &Arm) -> Result<Value> {
        self.exprs(arm.exprs.clone())?;
        let condition = self.operand(arm.condition);
        Ok(self.truth(condition))
    }

    /// Lowers what `fill` does to a block of its own, and takes it back from the variables.
    fn branch(&mut self, condition: Value, fill: impl FnOnce(&mut Self) -> Result<Exits>) -> Result<Branch> {
        self.deepen()?;
        let (block, mark) = (self.b.open_block(), self.flow.log.len());
        let exits = fill(self)?;
        self.b.close_block(Vec::new());
        self.flow.depth -= 1;
        Ok(Branch { condition, block, changes: self.take_changes(mark), exits })
    }

    fn deepen(&mut self) -> Result<()> {
        if self.flow.depth == DEEPEST_BLOCK {
            let message = format!("blocks nest more than {DEEPEST_BLOCK} levels deep, those of functions counted");
            return Err(Error::new(ErrorKind::Limit, "nesting-limit", message));
        }
        self.flow.depth += 1;
        Ok(())
    }

    /// What variables have become since `mark`, which they are no more.
    fn take_changes(&mut self, mark: usize) -> Vec<(usize, Operand)> {
        let overwritten = self.flow.log.split_off(mark);
        let mut changes: Vec<(usize, Operand)> = Vec::new();
        for (slot, before) in overwritten.into_iter().rev() {
            if slot >= self.flow.variables.len() {
                continue;
            }
            let now = std::mem::replace(&mut self.flow.variables[slot], before);
            changes.extend(now.map(|now| (slot, now)));
        }
        // The last assignment of each comes first.
        let mut seen = std::collections::HashSet::new();
        changes.retain(|(slot, _)| seen.insert(*slot));
        changes.sort_unstable_by_key(|(slot, _)| *slot);
        changes
    }

    /// Regions for the branches, of which one at most is taken, and for each variable the join of what they make of it.
    fn join_branches(&mut self, branches: Vec<Branch>, covers: Covers) -> Result<Exits> {
        let mut slots: Vec<usize> = branches.iter().flat_map(|branch| &branch.changes).map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        let mut joined: HashMap<usize, (Join, Value, Span)> = HashMap::new();
        for slot in slots {
            if let Some((join, before, span)) = self.join_of(slot, &branches, covers)? {
                joined.insert(slot, (join, before, span));
            }
        }
        let exits = Exits {
            may: branches.iter().any(|branch| branch.exits.may),
            always: covers == Covers::All && branches.iter().all(|branch| branch.exits.always),
            returning: branches.iter().all(|branch| branch.exits.returning),
        };
        let mut order: Vec<usize> = joined.keys().copied().collect();
        order.sort_unstable();
        for branch in branches {
            let matters = |slot: &usize| self.matters(*slot, &branch.exits) && joined.contains_key(slot);
            let changes: Vec<(usize, Operand)> =
                branch.changes.iter().copied().filter(|(slot, _)| matters(slot)).collect();
            if changes.is_empty() {
                continue;
            }
            self.b.reopen_block(branch.block);
            let results = changes.iter().map(|(slot, operand)| self.convert(*operand, joined[slot].0.dtype));
            let results = results.collect::<Result<Vec<Value>>>()?;
            self.b.close_block(results);
            let otherwise: Vec<Value> = changes.iter().map(|(slot, _)| joined[slot].1).collect();
            let parts = self.b.push_when(branch.condition, branch.block, &otherwise);
            for ((slot, operand), part) in changes.iter().zip(parts) {
                let known = joined.get_mut(slot).expect("it is joined");
                (known.1, known.2) = (part, operand.span);
            }
        }
        for slot in order {
            let (join, value, span) = joined[&slot];
            self.set(slot, Operand { term: join.term(value), span });
        }
        Ok(exits)
    }

    /// Whether the variable is of use behind a branch with these exits.
    fn matters(&self, slot: usize, exits: &Exits) -> bool {
        !(self.is_named(slot) && exits.always && exits.returning && self.flow.is_function)
    }

    fn is_named(&self, slot: usize) -> bool {
        (self.flow.base..self.flow.named).contains(&slot)
    }

    /// What the variable is computed in behind the branches, and its value where none is taken; none if it stays as it is.
    fn join_of(&mut self, slot: usize, branches: &[Branch], covers: Covers) -> Result<Option<(Join, Value, Span)>> {
        let old = self.flow.variables[slot];
        let mut stays = match covers {
            Covers::All => false,
            Covers::Named => !self.is_named(slot),
            Covers::Nothing => true,
        };
        let mut operands = Vec::new();
        for branch in branches.iter().filter(|branch| self.matters(slot, &branch.exits)) {
            match branch.changes.binary_search_by_key(&slot, |(slot, _)| *slot) {
                Ok(k) => operands.push(branch.changes[k].1),
                Err(_) => stays = true,
            }
        }
        let Some(last) = operands.last().copied() else { return Ok(None) };
        let old = old.filter(|_| stays);
        operands.extend(old);
        let join = self.join(&operands);
        let value = match old {
            Some(old) => self.convert(old, join.dtype)?,
            None => self.b.integer(join.dtype, 0),
        };
        Ok(Some((join, value, last.span)))
    }

    // -- loops --

    fn loop_(&mut self, of: &Loop) -> Result<Exits> {
        let range = match of.kind {
            LoopKind::While(_) => {
                self.exprs(of.exprs.clone())?;
                None
            }
            LoopKind::For { start, end, .. } => {
                self.exprs(of.exprs.clone())?;
                let ends = [start, end].map(|end| self.operand(end));
                let mut values = [None; 2];
                for (value, end) in values.iter_mut().zip(ends) {
                    let dtype = self.join(&[end]).dtype;
                    if !dtype.is_int() {
                        let message = format!("a loop runs over integers, found {dtype}");
                        return Err(self
                            .error("loop-range", message, end.span)
                            .with_hint(format!("`i64({})` rounds towards 0", self.text(end.span))));
                    }
                    *value = Some(self.convert(end, DType::I64)?);
                }
                Some(values.map(|value| value.expect("both ends are converted")))
            }
        };
        let first = match (of.kind, range) {
            (LoopKind::While(condition), _) => {
                let condition = self.operand(condition);
                let holds = self.truth(condition);
                (self.b.graph().constant(holds) != Some(1)).then_some(holds)
            }
            (LoopKind::For { .. }, Some([start, end])) => Some(self.b.lt(start, end)),
            (LoopKind::For { .. }, None) => unreachable!("a `for` has a range"),
        };
        let mut slots: Vec<usize> = of.assigned.iter().map(|slot| self.flow.base + slot).collect();
        if of.returns {
            let flags = self.flow.scopes.iter().flat_map(|scope| [Some(scope.live), scope.go]).flatten();
            slots.extend(self.flow.results.iter().copied().chain(flags));
        }
        slots.extend(self.flow.ended);
        let key = (self.flow.path.clone(), std::ptr::from_ref(of).addr());
        let mut joins: Vec<Option<Join>> =
            slots.iter().map(|slot| self.flow.variables[*slot].map(|operand| self.join(&[operand]))).collect();
        if let LoopKind::For { variable, .. } = of.kind
            && let Some(place) = of.assigned.iter().position(|slot| *slot == variable)
        {
            joins[place].get_or_insert(Join { dtype: DType::I64, weak: false });
        }
        if let Some(settled) = self.flow.settled.get(&key) {
            // As wide as when an enclosing loop was typed the last time, since then nothing became narrower.
            for (join, settled) in joins.iter_mut().zip(settled) {
                *join = match (*join, settled) {
                    (Some(join), Some(settled)) => Some(self.wider(join, *settled)),
                    (None, settled) => *settled,
                    (join, None) => join,
                };
            }
        }
        for _ in 0..MOST_PASSES {
            let snapshot = self.snapshot();
            let settled = joins.clone();
            self.turn(of, first, range, &slots, &mut joins)?;
            if settled == joins {
                self.flow.settled.insert(key, settled);
                return Ok(Exits { may: of.returns, always: false, returning: true });
            }
            self.rollback(snapshot);
        }
        let unstable = "the dtypes of the loop's variables do not settle";
        Err(self
            .error("loop-dtypes", unstable, of.span)
            .with_hint("give them their dtypes before the loop: `x = f64(0)`"))
    }

    /// The join of two joins.
    fn wider(&self, a: Join, b: Join) -> Join {
        match (a.weak, b.weak) {
            (true, false) if a.dtype == DType::F64 && !b.dtype.is_float() => Join { dtype: DType::F64, weak: false },
            (false, true) if b.dtype == DType::F64 && !a.dtype.is_float() => Join { dtype: DType::F64, weak: false },
            (true, false) => b,
            (false, true) => a,
            (true, true) | (false, false) => Join { dtype: a.dtype.promote(b.dtype), weak: a.weak },
        }
    }

    /// Lowers the loop with its variables of these dtypes, or makes them wider.
    fn turn(
        &mut self,
        of: &Loop,
        first: Option<Value>,
        range: Option<[Value; 2]>,
        slots: &[usize],
        joins: &mut [Option<Join>],
    ) -> Result<()> {
        let before: Vec<Option<Operand>> = slots.iter().map(|slot| self.flow.variables[*slot]).collect();
        let carried: Vec<usize> = (0..slots.len()).filter(|k| joins[*k].is_some()).collect();
        let dtype = |k: usize| joins[k].expect("what is carried has a dtype").dtype;
        let carried_dtypes: Vec<DType> = carried.iter().map(|k| dtype(*k)).collect();
        let (mark, count) = (self.flow.log.len(), self.flow.variables.len());
        self.deepen()?;
        let outer = first.map(|_| self.b.open_block());
        let mut initial = Vec::with_capacity(carried.len() + 1);
        for (k, dtype) in carried.iter().zip(&carried_dtypes) {
            initial.push(self.before_loop(before[*k], *dtype)?);
        }
        let mut dtypes = carried_dtypes.clone();
        if let Some([start, _]) = range {
            initial.push(start);
            dtypes.push(DType::I64);
        }
        let body = self.b.open_block();
        let values = self.b.carried(&dtypes);
        for (&k, value) in carried.iter().zip(&values) {
            if let (Some(operand), Some(join)) = (before[k], joins[k]) {
                self.set(slots[k], Operand { term: join.term(*value), span: operand.span });
            }
        }
        let heads: Vec<Option<Operand>> = slots.iter().map(|slot| self.flow.variables[*slot]).collect();
        let counter = range.map(|_| *values.last().expect("a counter is carried"));
        if let (LoopKind::For { variable, .. }, Some(counter)) = (of.kind, counter) {
            self.set(self.flow.base + variable, Operand { term: Term::Strong(counter), span: of.span });
        }
        let mut go = None;
        if of.body.iter().any(leaves) {
            let live = self.flag(of.span);
            go = Some(self.flag(of.span));
            self.flow.scopes.push(Scope { live, go });
        }
        self.statements(&of.body)?;
        if go.is_some() {
            self.flow.scopes.pop();
        }
        let (again, next) = self.again(of, go, counter.zip(range))?;
        let mut results = vec![again];
        let mut is_settled = true;
        for k in 0..slots.len() {
            let Some(end) = self.flow.variables[slots[k]] else { continue };
            let joined = match heads[k].filter(|_| before[k].is_some()) {
                Some(head) => self.join(&[head, end]),
                None => joins[k].map_or_else(|| self.join(&[end]), |join| self.wider(join, self.join(&[end]))),
            };
            is_settled &= joins[k] == Some(joined);
            joins[k] = Some(joined);
        }
        if !is_settled {
            return Ok(());
        }
        for (k, dtype) in carried.iter().zip(&carried_dtypes) {
            let end = self.flow.variables[slots[*k]];
            results.push(self.before_loop(end, *dtype)?);
        }
        results.extend(next);
        self.b.close_block(results);
        self.loops.push(of.span);
        let turns = self.loops.len() as u32 - 1;
        let mut parts = self.b.push_repeat(&initial, body, Some(turns));
        self.take_changes(mark);
        self.flow.variables.truncate(count);
        parts.truncate(carried.len());
        if let (Some(outer), Some(first)) = (outer, first) {
            self.b.close_block(parts);
            let mut otherwise = Vec::with_capacity(carried.len());
            for (k, dtype) in carried.iter().zip(&carried_dtypes) {
                otherwise.push(self.before_loop(before[*k], *dtype)?);
            }
            parts = self.b.push_when(first, outer, &otherwise);
        }
        self.flow.depth -= 1;
        for (k, part) in carried.into_iter().zip(parts) {
            let span = before[k].map_or(of.span, |operand| operand.span);
            let join = joins[k].expect("what is carried has a dtype");
            self.set(slots[k], Operand { term: join.term(part), span });
        }
        Ok(())
    }

    /// A variable as a loop carries it; any value if it is not set.
    fn before_loop(&mut self, operand: Option<Operand>, dtype: DType) -> Result<Value> {
        match operand {
            Some(operand) => self.convert(operand, dtype),
            None => Ok(self.b.integer(dtype, 0)),
        }
    }

    /// Whether an element takes another turn, and the counter that it has then.
    fn again(
        &mut self,
        of: &Loop,
        go: Option<usize>,
        counted: Option<(Value, [Value; 2])>,
    ) -> Result<(Value, Option<Value>)> {
        let goes = go.map(|go| self.read_flag(go));
        if let Some((counter, [_, end])) = counted {
            let one = self.b.i64(1);
            let next = self.b.add(counter, one);
            let more = self.b.lt(next, end);
            return Ok((goes.map_or(more, |goes| self.b.and(goes, more)), Some(next)));
        }
        let LoopKind::While(condition) = of.kind else { unreachable!("a `for` counts") };
        let block = goes.map(|_| self.b.open_block());
        self.exprs(of.exprs.clone())?;
        let condition = self.operand(condition);
        let holds = self.truth(condition);
        let (Some(goes), Some(block)) = (goes, block) else { return Ok((holds, None)) };
        self.b.close_block(vec![holds]);
        let no = self.b.element(false);
        Ok((self.b.push_when(goes, block, &[no])[0], None))
    }

    // -- functions --

    /// The values that a function returns for these arguments.
    pub(super) fn inline(&mut self, function: &UserFunction, place: usize, args: Vec<Operand>) -> Result<Vec<Operand>> {
        let base = self.flow.variables.len();
        let mark = self.flow.log.len();
        self.flow.variables.resize(base + function.slots, None);
        for (k, ((name, dtype), arg)) in function.parameters.iter().zip(args).enumerate() {
            let value = match dtype {
                Some(dtype) => self.declared(arg, *dtype, &format!("`{name}` of `{}`", function.name))?,
                None => arg,
            };
            self.flow.variables[base + k] = Some(value);
        }
        let outer = (
            std::mem::replace(&mut self.flow.base, base),
            std::mem::replace(&mut self.flow.named, base + function.slots),
            std::mem::take(&mut self.flow.scopes),
            std::mem::take(&mut self.flow.results),
            std::mem::replace(&mut self.flow.is_function, true),
        );
        if function.body.len() > 1 {
            let live = self.flag(Span::new(0, 0));
            self.flow.scopes.push(Scope { live, go: None });
        }
        self.flow.results = (0..function.results).map(|k| self.flow.variables.len() + k).collect();
        self.flow.variables.resize(self.flow.variables.len() + function.results, None);
        self.flow.path.push(place);
        self.deepen()?;
        self.statements(&function.body)?;
        self.flow.depth -= 1;
        self.flow.path.pop();
        let results: Vec<Operand> = self
            .flow
            .results
            .iter()
            .map(|slot| self.flow.variables[*slot].expect("a function returns on every path"))
            .collect();
        let (base, named, scopes, of_caller, is_function) = outer;
        self.flow.variables.truncate(self.flow.base);
        self.flow.log.truncate(mark);
        (self.flow.base, self.flow.named, self.flow.scopes) = (base, named, scopes);
        (self.flow.results, self.flow.is_function) = (of_caller, is_function);
        match function.result {
            Some(dtype) => {
                let what = format!("the result of `{}`", function.name);
                results.into_iter().map(|result| self.declared(result, dtype, &what)).collect()
            }
            None => Ok(results),
        }
    }

    /// The operand as what it is declared to be: a number without a dtype adapts, nothing else is converted.
    pub(super) fn declared(&mut self, operand: Operand, dtype: DType, what: &str) -> Result<Operand> {
        let join = self.join(&[operand]);
        let adapts = join.weak && (dtype.is_float() || join.dtype.is_int());
        if !adapts && join.dtype != dtype {
            let (found, text) = (join.dtype, self.text(operand.span));
            return Err(self
                .error("declared-dtype", format!("{what} is declared {dtype}, found {found}"), operand.span)
                .with_hint(format!("`{dtype}({text})` converts")));
        }
        let value = self.convert(operand, dtype)?;
        Ok(Operand { term: Term::Strong(value), span: operand.span })
    }

    /// Counts work that the text's length does not bound.
    pub(super) fn count_inlined(&mut self, count: usize) -> Result<()> {
        if !self.flow.is_function {
            return Ok(());
        }
        self.flow.inlined += count;
        match self.flow.inlined > self.node_limit {
            true => Err(over_limit(self.flow.inlined, self.node_limit)),
            false => Ok(()),
        }
    }

    // -- going back --

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            mark: self.b.mark(),
            log: self.flow.log.len(),
            variables: self.flow.variables.len(),
            asked: self.asked.len(),
            indexed: self.indexed.len(),
            warnings: self.warnings.len(),
            loops: self.loops.len(),
            ranged: self.ranged.len(),
        }
    }

    fn rollback(&mut self, to: Snapshot) {
        self.take_changes(to.log);
        self.flow.variables.truncate(to.variables);
        self.flow.depth -= 1;
        self.b.rollback(&to.mark);
        self.ranks.truncate(to.mark.nodes);
        self.asked.truncate(to.asked);
        self.indexed.truncate(to.indexed);
        self.warnings.truncate(to.warnings);
        self.loops.truncate(to.loops);
        for range in self.ranged.split_off(to.ranged) {
            self.ranges.remove(&range);
        }
        self.hulls.split_off(&Value::from_index(to.mark.nodes));
        while let Some(place) =
            self.read.pop_if(|place| self.params[*place].is_some_and(|value| value.index() >= to.mark.nodes))
        {
            self.params[place] = None;
        }
    }
}

/// Whether elements may leave what the statement stands in.
fn leaves(statement: &Statement) -> bool {
    match statement {
        Statement::Assign { .. } => false,
        Statement::If { arms, otherwise } => {
            arms.iter().any(|arm| arm.body.iter().any(leaves)) || otherwise.iter().any(leaves)
        }
        Statement::Loop(of) => of.returns,
        Statement::Return { .. } | Statement::Break | Statement::Continue => true,
    }
}

//! Calls of reductions to folds along axes, and what stands round them.

use super::{Asked, Lowerer, Operand, Term};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::Function;
use crate::ir::{Axes, Fold, Node, Op, Value};
use crate::resolve::Argument;
use crate::source::Span;

/// A reduction whose domain is known at the end.
pub(super) struct Reducing {
    pub(super) fold: Fold,
    pub(super) operand: Value,
    pub(super) along: Along,
    pub(super) is_scan: bool,
    pub(super) may_be_empty: bool,
    pub(super) span: Span,
}

impl Reducing {
    /// The rank of what it gives.
    pub(super) fn rank(&self) -> usize {
        if self.is_scan { self.along.rank } else { self.along.rank_left() }
    }
}

/// The domain that a call reduces, and how.
#[derive(Clone, Copy)]
pub(super) struct Along {
    /// The values that have the domain's shape when broadcast together.
    pub(super) shape: [Value; 2],
    pub(super) rank: usize,
    pub(super) axes: Axes,
    pub(super) keepdims: bool,
}

impl Along {
    fn kept(self) -> Along {
        Along { keepdims: true, ..self }
    }
}

/// What a call was given.
struct Call {
    x: Value,
    along: Along,
    /// Which elements count.
    mask: Option<Value>,
    initial: Option<Operand>,
}

impl Lowerer<'_> {
    pub(super) fn reduction(&mut self, function: Function, arguments: &[Argument], span: Span) -> Result<Term> {
        self.check_in_root(function.name(), span)?;
        let call = self.reduced(function, arguments, span)?;
        let dtype = self.b.dtype(call.x);
        let Call { x, along, mask, .. } = call;
        let value = match function {
            Function::Sum => self.accumulated(&call, Fold::Sum, Op::Add, span)?,
            Function::Prod => self.accumulated(&call, Fold::Product, Op::Mul, span)?,
            Function::Min => self.extremum(&call, Fold::Min, span)?,
            Function::Max => self.extremum(&call, Fold::Max, span)?,
            Function::Mean => {
                let mean = self.mean(&call, along, span);
                self.b.cast(mean, float_of(dtype))
            }
            Function::Var => self.variance(&call, integer(arguments), span),
            Function::Std => {
                let variance = self.variance(&call, integer(arguments), span);
                self.b.sqrt(variance)
            }
            Function::Any => {
                let counted = mask.map_or(x, |mask| self.b.and(mask, x));
                self.fold(Fold::Any, counted, along, DType::Bool, span)
            }
            Function::All => {
                let counted = mask.map_or(x, |mask| {
                    let out = self.b.not(mask);
                    self.b.or(out, x)
                });
                self.fold(Fold::All, counted, along, DType::Bool, span)
            }
            Function::CountNonzero => self.fold(Fold::Count, x, along, DType::I64, span),
            Function::Argmin => self.fold(Fold::ArgMin, x, along, DType::I64, span),
            Function::Argmax => self.fold(Fold::ArgMax, x, along, DType::I64, span),
            Function::Ptp => {
                let [least, greatest] = [Fold::Min, Fold::Max].map(|fold| self.fold(fold, x, along, dtype, span));
                self.b.sub(greatest, least)
            }
            Function::Norm => self.norm(x, along, span),
            Function::Logsumexp => self.logsumexp(x, along, span),
            Function::Nansum => {
                let numbers = self.without_nan(x, 0.0);
                self.fold(Fold::Sum, numbers, along, sum_of(dtype), span)
            }
            Function::Nanmin => self.number_extremum(Fold::Min, x, along, span),
            Function::Nanmax => self.number_extremum(Fold::Max, x, along, span),
            Function::Nanmean => {
                let (wide, is_number) = (self.b.cast(x, DType::F64), self.is_number(x));
                let numbers = self.without_nan(wide, 0.0);
                let sum = self.fold(Fold::Sum, numbers, along, DType::F64, span);
                let count = self.fold(Fold::Count, is_number, along, DType::I64, span);
                let count = self.b.cast(count, DType::F64);
                let mean = self.b.div(sum, count);
                self.b.cast(mean, float_of(dtype))
            }
            _ => panic!("{} is no reduction", function.name()),
        };
        Ok(Term::Strong(value))
    }

    /// The sum of products, in the dtype of the sum.
    pub(super) fn dot(&mut self, x: Operand, y: Operand, span: Span) -> Result<Term> {
        self.check_in_root("dot", span)?;
        let dtype = sum_of(self.join(&[x, y]).dtype);
        let [x, y] = self.convert_all([x, y], dtype)?;
        let product = self.b.mul(x, y);
        let along = self.along([product; 2], None, false, span)?;
        Ok(Term::Strong(self.fold(Fold::Sum, product, along, dtype, span)))
    }

    /// How many elements the operand has along one axis.
    pub(super) fn shape_of(&mut self, x: Operand, axis: i64, span: Span) -> Result<Term> {
        let x = self.settle(x)?;
        let along = self.along([x; 2], Some(&[axis]), false, span)?;
        Ok(Term::Strong(self.size_along(along)))
    }

    /// What takes all elements together does not stand where only some elements go.
    fn check_in_root(&self, name: &str, span: Span) -> Result<()> {
        if self.b.open_blocks().len() == 1 {
            return Ok(());
        }
        let message = format!("`{name}` takes all elements together, and stands where each goes its own way");
        let error = Error::new(ErrorKind::Shape, "reduction-in-block", message).at(&self.program.ast.source, span);
        Err(error.with_hint(format!("give it a name before the branch or loop: `total = {name}(...)`")))
    }

    pub(super) fn scan(&mut self, fold: Fold, arguments: &[Argument], span: Span) -> Result<Term> {
        self.check_in_root("a running total", span)?;
        let [Argument::Value(id), Argument::Axes(axes)] = arguments else {
            panic!("a scan takes an array and an axis")
        };
        let operand = self.settle(self.operand(*id))?;
        let rank = self.rank(operand);
        let along = self.along([operand; 2], axes.as_deref(), false, span)?;
        let dtype = match fold {
            Fold::Sum | Fold::Product => sum_of(self.b.dtype(operand)),
            _ => self.b.dtype(operand),
        };
        if rank == 0 {
            return Ok(Term::Strong(self.b.cast(operand, dtype)));
        }
        if along.axes.len() != 1 {
            let message = format!("a running {} goes along one axis of an array of rank {rank}", fold.name());
            let error = Error::new(ErrorKind::Shape, "several-axes", message).at(&self.program.ast.source, span);
            return Err(error.with_hint("name it with `axis=`"));
        }
        self.reducing.push(Reducing { fold, operand, along, is_scan: true, may_be_empty: true, span });
        Ok(Term::Strong(self.b.push(Node::Reduce(self.reducing.len() as u32 - 1, operand), dtype)))
    }

    // -- arguments --

    fn reduced(&mut self, function: Function, arguments: &[Argument], span: Span) -> Result<Call> {
        let (mut axes, mut keepdims, mut operands) = (None, false, Vec::new());
        for (argument, parameter) in arguments.iter().zip(function.row().parameters) {
            match argument {
                Argument::Axes(list) => axes = list.as_deref(),
                Argument::Flag(flag) => keepdims = *flag,
                Argument::Value(id) => operands.push((parameter.name, self.operand(*id))),
                Argument::Integer(_) | Argument::None => {}
                Argument::DType(_) | Argument::Distances(_) | Argument::Boundary(_) => {
                    panic!("a reduction takes no {argument:?}")
                }
            }
        }
        let of = |name: &str| operands.iter().find(|(known, _)| *known == name).map(|(_, operand)| *operand);
        let operand = of("x").expect("a reduction takes an array");
        let x = match function {
            Function::Any | Function::All | Function::CountNonzero => self.truth(operand),
            Function::Norm | Function::Logsumexp => self.settled_float(operand)?,
            Function::Ptp if self.dtype(operand) == Some(DType::Bool) => return Err(self.no_bools("ptp", operand)),
            _ => self.settle(operand)?,
        };
        let mask = of("where").map(|mask| self.truth(mask));
        let (is_arg, text) = (matches!(function, Function::Argmin | Function::Argmax), function.name());
        if is_arg && axes.is_some_and(|axes| axes.len() > 1) {
            let message = format!("`{text}` goes along one axis, or over all elements, found several axes");
            return Err(Error::new(ErrorKind::Shape, "several-axes", message).at(&self.program.ast.source, span));
        }
        let along = self.along([x, mask.unwrap_or(x)], axes, keepdims, span)?;
        Ok(Call { x, along, mask, initial: of("initial") })
    }

    fn settled_float(&mut self, x: Operand) -> Result<Value> {
        let value = self.settle(x)?;
        Ok(self.b.cast(value, float_of(self.b.dtype(value))))
    }

    fn along(&mut self, shape: [Value; 2], axes: Option<&[i64]>, keepdims: bool, span: Span) -> Result<Along> {
        let rank = shape.map(|value| self.rank(value)).into_iter().max().unwrap_or(0);
        let Some(list) = axes else { return Ok(Along { shape, rank, axes: Axes::all(rank), keepdims }) };
        let mut axes = Axes::default();
        for axis in list {
            let place = if *axis < 0 { axis + rank as i64 } else { *axis };
            let fault = match place {
                _ if !(0..rank as i64).contains(&place) => "no-such-axis",
                _ if axes.contains(place as usize) => "duplicate-axis",
                _ => "",
            };
            if !fault.is_empty() {
                let message = match fault {
                    "duplicate-axis" => format!("axis {axis} is given twice"),
                    _ => format!("axis {axis} does not exist in an array of rank {rank}"),
                };
                return Err(Error::new(ErrorKind::Shape, fault, message).at(&self.program.ast.source, span));
            }
            axes.0 |= 1 << place;
        }
        Ok(Along { shape, rank, axes, keepdims })
    }

    /// The number of axes of the shape that the value has by itself.
    pub(super) fn rank(&mut self, value: Value) -> usize {
        for k in self.ranks.len()..=value.index() {
            let graph = self.b.graph();
            let node = graph.node(Value::from_index(k));
            let mut rank = match node {
                Node::Param(param) => self.param_rank(*param as usize),
                Node::Reduce(index, _) => self.reducing[*index as usize].rank(),
                // Of what the loop's end makes of it nothing is known yet.
                Node::Carried(_) => self.signature.params.iter().map(|param| param.rank()).max().unwrap_or(0),
                _ => 0,
            };
            if !matches!(node, Node::Reduce(..)) {
                node.operands(|x| rank = rank.max(usize::from(self.ranks[x.index()])));
            }
            rank = graph.inside(node).fold(rank, |rank, x| rank.max(usize::from(self.ranks[x.index()])));
            self.ranks.push(rank as u8);
        }
        usize::from(self.ranks[value.index()])
    }

    // -- folds --

    fn fold(&mut self, fold: Fold, operand: Value, along: Along, dtype: DType, span: Span) -> Value {
        self.fold_or_nothing(fold, operand, along, dtype, false, span)
    }

    fn fold_or_nothing(
        &mut self,
        fold: Fold,
        operand: Value,
        along: Along,
        dtype: DType,
        may_be_empty: bool,
        span: Span,
    ) -> Value {
        if along.rank == 0 {
            return self.of_one(fold, operand, dtype);
        }
        self.reducing.push(Reducing { fold, operand, along, is_scan: false, may_be_empty, span });
        self.b.push(Node::Reduce(self.reducing.len() as u32 - 1, operand), dtype)
    }

    /// What a single element comes to by itself.
    fn of_one(&mut self, fold: Fold, operand: Value, dtype: DType) -> Value {
        match fold {
            Fold::ArgMin | Fold::ArgMax => self.b.i64(0),
            Fold::Sum | Fold::Product | Fold::Min | Fold::Max | Fold::Any | Fold::All | Fold::Count => {
                self.b.cast(operand, dtype)
            }
        }
    }

    /// How many elements of the domain come together.
    fn size_along(&mut self, along: Along) -> Value {
        self.asked(Asked::Elements(along.shape, along.axes))
    }

    /// A sum or product; what does not count is an element that changes neither, but that a sum of zeros is +0, as that of nothing.
    fn accumulated(&mut self, call: &Call, fold: Fold, op: Op, span: Span) -> Result<Value> {
        let dtype = self.b.dtype(call.x);
        let neutral = match (fold, dtype.is_float()) {
            (Fold::Sum, true) => self.b.float(dtype, 0.0),
            (Fold::Sum, false) => self.b.integer(dtype, 0),
            _ => self.b.integer(dtype, 1),
        };
        let counted = call.mask.map_or(call.x, |mask| self.b.select(mask, call.x, neutral));
        let value = self.fold(fold, counted, call.along, sum_of(dtype), span);
        let Some(initial) = call.initial else { return Ok(value) };
        let initial = self.convert(initial, sum_of(dtype))?;
        Ok(self.b.apply(op, &[initial, value]))
    }

    fn extremum(&mut self, call: &Call, fold: Fold, span: Span) -> Result<Value> {
        let dtype = self.b.dtype(call.x);
        let Some(initial) = call.initial else {
            if call.mask.is_some() {
                let message =
                    format!("`{}` with `where` needs `initial`, which is taken if no element counts", fold.name());
                return Err(self.error("missing-initial", message, span));
            }
            return Ok(self.fold(fold, call.x, call.along, dtype, span));
        };
        let initial = self.convert(initial, dtype)?;
        let counted = call.mask.map_or(call.x, |mask| self.b.select(mask, call.x, initial));
        let value = self.fold_or_nothing(fold, counted, call.along, dtype, true, span);
        let op = if fold == Fold::Min { Op::Minimum } else { Op::Maximum };
        Ok(self.extreme_value(op, op, initial, value))
    }

    /// In f64, whatever the dtype.
    fn mean(&mut self, call: &Call, along: Along, span: Span) -> Value {
        let wide = self.b.cast(call.x, DType::F64);
        let sum = self.counted_sum(wide, call.mask, along, span);
        let count = self.count(call, along, span);
        self.b.div(sum, count)
    }

    fn counted_sum(&mut self, x: Value, mask: Option<Value>, along: Along, span: Span) -> Value {
        let counted = mask.map_or(x, |mask| {
            let nothing = self.b.f64(-0.0);
            self.b.select(mask, x, nothing)
        });
        self.fold(Fold::Sum, counted, along, DType::F64, span)
    }

    /// How many elements count, as f64.
    fn count(&mut self, call: &Call, along: Along, span: Span) -> Value {
        let count = match call.mask {
            Some(mask) => self.fold(Fold::Count, mask, along, DType::I64, span),
            None => self.size_along(along),
        };
        self.b.cast(count, DType::F64)
    }

    /// The deviations from the mean are squared in a second pass: exact where the mean is far from 0.
    fn variance(&mut self, call: &Call, ddof: i64, span: Span) -> Value {
        let mean = self.mean(call, call.along.kept(), span);
        let wide = self.b.cast(call.x, DType::F64);
        let deviation = self.b.sub(wide, mean);
        let square = self.b.mul(deviation, deviation);
        let sum = self.counted_sum(square, call.mask, call.along, span);
        let (count, ddof, zero) = (self.count(call, call.along, span), self.b.f64(ddof as f64), self.b.f64(0.0));
        let freedom = self.b.sub(count, ddof);
        let freedom = self.b.apply(Op::Maximum, &[freedom, zero]);
        let variance = self.b.div(sum, freedom);
        self.b.cast(variance, float_of(self.b.dtype(call.x)))
    }

    fn is_number(&mut self, x: Value) -> Value {
        match self.b.dtype(x).is_float() {
            true => self.b.eq(x, x),
            false => self.constant_like(x, true),
        }
    }

    fn without_nan(&mut self, x: Value, instead: f64) -> Value {
        let dtype = self.b.dtype(x);
        if !dtype.is_float() {
            return x;
        }
        let (is_number, instead) = (self.is_number(x), self.b.float(dtype, instead));
        self.b.select(is_number, x, instead)
    }

    fn number_extremum(&mut self, fold: Fold, x: Value, along: Along, span: Span) -> Value {
        let dtype = self.b.dtype(x);
        if !dtype.is_float() {
            return self.fold(fold, x, along, dtype, span);
        }
        let numbers = self.without_nan(x, if fold == Fold::Min { f64::INFINITY } else { f64::NEG_INFINITY });
        let is_number = self.is_number(x);
        let value = self.fold(fold, numbers, along, dtype, span);
        let some = self.fold(Fold::Any, is_number, along, DType::Bool, span);
        let nan = self.b.float(dtype, f64::NAN);
        self.b.select(some, value, nan)
    }

    fn logsumexp(&mut self, x: Value, along: Along, span: Span) -> Value {
        let dtype = self.b.dtype(x);
        let inside = self.finite_maximum(x, along.kept(), span);
        let difference = self.b.sub(x, inside);
        let power = self.b.apply(Op::Exp, &[difference]);
        let sum = self.fold(Fold::Sum, power, along, dtype, span);
        let (log, shift) = (self.b.apply(Op::Log, &[sum]), self.finite_maximum(x, along, span));
        self.b.add(log, shift)
    }

    /// 0 if the maximum is not finite.
    fn finite_maximum(&mut self, x: Value, along: Along, span: Span) -> Value {
        let dtype = self.b.dtype(x);
        let greatest = self.fold(Fold::Max, x, along, dtype, span);
        let (magnitude, infinity) = (self.b.abs(greatest), self.b.float(dtype, f64::INFINITY));
        let (is_finite, zero) = (self.b.lt(magnitude, infinity), self.b.float(dtype, 0.0));
        self.b.select(is_finite, greatest, zero)
    }

    /// Squares of f32 fit f64. Those of f64 are summed in three classes of magnitude, each scaled so that it neither
    /// overflows nor underflows: Anderson, Algorithm 978 (2017), after Blue (1978).
    fn norm(&mut self, x: Value, along: Along, span: Span) -> Value {
        if self.b.dtype(x) == DType::F32 {
            let wide = self.b.cast(x, DType::F64);
            let square = self.b.mul(wide, wide);
            let sum = self.fold(Fold::Sum, square, along, DType::F64, span);
            let norm = self.b.sqrt(sum);
            return self.b.cast(norm, DType::F32);
        }
        let power = |exponent: i32| 2_f64.powi(exponent);
        let (huge, shrink, tiny, grow) = (power(486), power(-538), power(-511), power(537));
        let magnitude = self.b.abs(x);
        let [huge, shrink_by, tiny, grow_by, zero] = [huge, shrink, tiny, grow, 0.0].map(|x| self.b.f64(x));
        let (is_huge, is_tiny) = (self.b.gt(magnitude, huge), self.b.lt(magnitude, tiny));
        let is_extreme = self.b.or(is_huge, is_tiny);
        let is_middle = self.b.not(is_extreme);
        let classes = [(is_huge, Some(shrink_by)), (is_middle, None), (is_tiny, Some(grow_by))];
        let [large, middle, small] = classes.map(|(class, scale)| {
            let chosen = self.b.select(class, x, zero);
            let scaled = scale.map_or(chosen, |scale| self.b.mul(chosen, scale));
            let square = self.b.mul(scaled, scaled);
            self.fold(Fold::Sum, square, along, DType::F64, span)
        });
        // Huge ones with what the middle adds; tiny ones are lost beside them.
        let shrunk = self.b.mul(middle, shrink_by);
        let shrunk = self.b.mul(shrunk, shrink_by);
        let (above, unshrink) = (self.b.add(large, shrunk), self.b.f64(power(538)));
        let above = self.b.sqrt(above);
        let above = self.b.mul(above, unshrink);
        // Middle and tiny ones.
        let (root, ungrow) = (self.b.sqrt(small), self.b.f64(power(-537)));
        let (low, mid) = (self.b.mul(root, ungrow), self.b.sqrt(middle));
        let (lesser, greater) = (self.b.lesser(low, mid), self.b.greater(low, mid));
        let (ratio, one) = (self.b.div(lesser, greater), self.b.f64(1.0));
        let square = self.b.mul(ratio, ratio);
        let sum = self.b.add(one, square);
        let root = self.b.sqrt(sum);
        let both = self.b.mul(greater, root);
        let (has_large, has_small, has_middle) =
            (self.b.gt(large, zero), self.b.gt(small, zero), self.b.ne(middle, zero));
        let mixed = self.b.select(has_middle, both, low);
        let below = self.b.select(has_small, mixed, mid);
        self.b.select(has_large, above, below)
    }
}

impl Along {
    /// The rank of what is left.
    pub(super) fn rank_left(self) -> usize {
        if self.keepdims { self.rank } else { self.rank - self.axes.len() }
    }
}

/// The dtype of a sum.
fn sum_of(dtype: DType) -> DType {
    match dtype {
        DType::F32 | DType::F64 => dtype,
        _ if dtype.is_unsigned_int() => DType::U64,
        _ => DType::I64,
    }
}

/// The dtype of a mean.
fn float_of(dtype: DType) -> DType {
    if dtype == DType::F32 { DType::F32 } else { DType::F64 }
}

fn integer(arguments: &[Argument]) -> i64 {
    let integer = arguments.iter().find_map(|argument| match argument {
        Argument::Integer(integer) => Some(*integer),
        _ => None,
    });
    integer.expect("resolve gives an integer")
}

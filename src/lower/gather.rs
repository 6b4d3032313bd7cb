//! Elements of an array at computed places, or moved: indices become offsets that stay inside of it, whatever the index is.

use super::weak::Weak;
use super::{Asked, Gathered, Lowerer, Operand, Term};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Boundary, Neighbour, Node, Op, Size, Value};
use crate::resolve::Argument;
use crate::source::Span;
use crate::syntax::ExprId;

/// No array is taken to have more elements, so that twice as many are an i64 yet. Only one that repeats its elements could.
const MOST_ELEMENTS: i64 = 1 << 60;

/// An index inside of an array, and whether it was there before; none if every index means an element.
struct Bounded {
    index: Value,
    is_inside: Option<Value>,
}

impl Lowerer<'_> {
    /// `table[2 * i, k]` of a kernel.
    pub(super) fn gather(&mut self, place: usize, indices: &[ExprId], span: Span) -> Result<Term> {
        let parameter = &self.program.parameters[place];
        let dtype = self.signature.params[place].dtype();
        let boundary = parameter.boundary.expect("resolve asks for a boundary");
        let boundary = self.boundary(boundary, dtype, parameter.span)?;
        let mut along = Vec::with_capacity(indices.len());
        let mut is_inside = None;
        for (axis, index) in indices.iter().enumerate() {
            let index = self.index_of(self.operand(*index))?;
            let count = self.extent(place, axis);
            let bounded = self.bounded(index, count, boundary);
            is_inside = self.both(is_inside, bounded.is_inside);
            along.push(bounded.index);
        }
        let offset = self.offset(place, &along);
        Ok(self.element_at(place, offset, is_inside, boundary, span))
    }

    /// `take(x, i, mode="clip")`: an array of several axes is numbered in C order.
    pub(super) fn take(&mut self, x: Operand, index: Operand, options: &[Argument]) -> Result<Term> {
        let place = self.array_of(x, "take")?;
        let boundary = self.boundary(boundary(options), self.signature.params[place].dtype(), x.span)?;
        let index = self.index_of(index)?;
        let rank = self.signature.params[place].rank();
        let extents: Vec<Value> = (0..rank).map(|axis| self.extent(place, axis)).collect();
        let count = extents.iter().copied().reduce(|x, y| self.b.mul(x, y)).expect("an array has an axis");
        let Bounded { index, is_inside } = self.bounded(index, count, boundary);
        let along = self.unravelled(index, &extents);
        let offset = self.offset(place, &along);
        Ok(self.element_at(place, offset, is_inside, boundary, x.span))
    }

    /// `shift(x, d0, d1, mode="wrap")`: what stands at an index was before at one so much less.
    pub(super) fn shift(&mut self, x: Operand, options: &[Argument], span: Span) -> Result<Term> {
        let [Argument::Distances(distances), rest @ ..] = options else { panic!("resolve gives distances") };
        let place = self.array_of(x, "shift")?;
        let rank = self.signature.params[place].rank();
        if distances.len() != rank {
            let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            let (axes, found) = (plural(rank, "axis", "axes"), plural(distances.len(), "distance", "distances"));
            let message = format!("`shift` moves along each axis, the array has {axes}, found {found}");
            let error = Error::new(ErrorKind::Shape, "shift-count", message).at(&self.program.ast.source, span);
            return Err(error.with_hint("along an axis on which nothing moves the distance is 0"));
        }
        if distances.iter().all(|distance| *distance == 0) {
            return Ok(x.term);
        }
        let boundary = self.boundary(boundary(rest), self.signature.params[place].dtype(), x.span)?;
        let offsets = distances.iter().map(|distance| -distance).collect();
        Ok(self.moved(Neighbour { of: place as u32, offsets, boundary }))
    }

    /// The parameter that an operand is: an array that is given, not one that is computed.
    fn array_of(&self, x: Operand, function: &str) -> Result<usize> {
        let found = match x.term {
            Term::Constant(_) | Term::Weak(_) => "one value",
            Term::Strong(value) => match self.b.graph().node(value) {
                Node::Param(place) if (*place as usize) >= self.signature.params.len() => "a computed value",
                Node::Param(place) if self.signature.params[*place as usize].rank() > 0 => return Ok(*place as usize),
                Node::Param(_) | Node::Const(_) => "one value",
                _ => "a computed value",
            },
        };
        let message = format!("`{function}` reads a parameter that is an array, found {found}");
        let error = Error::new(ErrorKind::Shape, "no-array", message).at(&self.program.ast.source, x.span);
        Err(match found {
            "one value" => error,
            _ => error.with_hint("compute it in a run before, and give it as a parameter"),
        })
    }

    /// An index as an i64 or u64.
    fn index_of(&mut self, index: Operand) -> Result<Value> {
        let found = match index.term {
            Term::Constant(Weak::Float(_)) => Some(DType::F64),
            Term::Constant(Weak::Int(_)) => None,
            Term::Weak(value) | Term::Strong(value) => Some(self.b.dtype(value)).filter(|dtype| !dtype.is_int()),
        };
        if let Some(found) = found {
            let message = format!("an index is an integer, found {found}");
            let text = self.text(index.span);
            let whole = if found.is_float() { format!("`i64(floor({text}))`") } else { format!("`i64({text})`") };
            return Err(self.error("index-dtype", message, index.span).with_hint(whole));
        }
        let value = self.settle(index)?;
        let dtype = self.b.dtype(value);
        Ok(if dtype == DType::U64 { value } else { self.b.cast(value, DType::I64) })
    }

    fn extent(&mut self, place: usize, axis: usize) -> Value {
        self.asked(Asked::Array(Size::Extent { param: place as u32, axis: axis as u8 }))
    }

    fn both(&mut self, x: Option<Value>, y: Option<Value>) -> Option<Value> {
        match (x, y) {
            (Some(x), Some(y)) => Some(self.b.and(x, y)),
            (x, y) => x.or(y),
        }
    }

    /// An i64 or u64 moved to 0 or more and less than `count`; 0 if there are none.
    fn bounded(&mut self, index: Value, count: Value, boundary: Boundary) -> Bounded {
        let (one, most) = (self.b.i64(1), self.b.i64(MOST_ELEMENTS));
        let count = self.b.apply(Op::Minimum, &[count, most]);
        let some = self.b.apply(Op::Maximum, &[count, one]);
        let last = self.b.sub(some, one);
        let moved = match boundary {
            Boundary::Edge | Boundary::Constant(_) => self.signed(index),
            Boundary::Interior => panic!("resolve asks for a boundary that names an element"),
            Boundary::Wrap => self.turned(index, some),
            Boundary::Symmetric => {
                let period = self.b.add(some, some);
                let turned = self.turned(index, period);
                let end = self.b.sub(period, one);
                let back = self.b.sub(end, turned);
                self.b.apply(Op::Minimum, &[turned, back])
            }
            Boundary::Reflect => {
                let period = self.b.add(last, last);
                let period = self.b.apply(Op::Maximum, &[period, one]);
                let turned = self.turned(index, period);
                let back = self.b.sub(period, turned);
                self.b.apply(Op::Minimum, &[turned, back])
            }
        };
        let index = self.within(moved, last);
        let is_inside = matches!(boundary, Boundary::Constant(_)).then(|| {
            let (is_not_moved, is_below) = (self.b.eq(index, moved), self.b.lt(moved, count));
            self.b.and(is_not_moved, is_below)
        });
        Bounded { index, is_inside }
    }

    /// What is beyond an i64 is beyond every array.
    fn signed(&mut self, index: Value) -> Value {
        if self.b.dtype(index) == DType::I64 {
            return index;
        }
        let greatest = self.b.element(i64::MAX as u64);
        let least = self.b.apply(Op::Minimum, &[index, greatest]);
        self.b.bitcast(least, DType::I64)
    }

    /// What is left of the index, as an i64, when as many periods as go are taken off; they are positive.
    fn turned(&mut self, index: Value, period: Value) -> Value {
        let period = self.b.bitcast(period, self.b.dtype(index));
        let turned = self.b.apply(Op::Remainder, &[index, period]);
        self.b.bitcast(turned, DType::I64)
    }

    /// An index that is at least 0 and at most `last`, whatever it was. A division writes out its rare operands as a region, which
    /// does not run for an element that stays out of a branch; code reads for that element all the same.
    fn within(&mut self, index: Value, last: Value) -> Value {
        let zero = self.b.i64(0);
        let index = self.b.apply(Op::Maximum, &[index, zero]);
        self.b.apply(Op::Minimum, &[index, last])
    }

    /// The index along each axis of the element of that number in C order.
    fn unravelled(&mut self, index: Value, extents: &[Value]) -> Vec<Value> {
        let mut along = vec![index; extents.len()];
        let one = self.b.i64(1);
        for axis in (1..extents.len()).rev() {
            let some = self.b.apply(Op::Maximum, &[extents[axis], one]);
            let slower = self.b.apply(Op::FloorDivide, &[along[axis], some]);
            let before = self.b.mul(slower, some);
            (along[axis], along[axis - 1]) = (self.b.sub(along[axis], before), slower);
        }
        if extents.len() > 1 {
            for (index, extent) in along.iter_mut().zip(extents) {
                let some = self.b.apply(Op::Maximum, &[*extent, one]);
                let last = self.b.sub(some, one);
                *index = self.within(*index, last);
            }
        }
        along
    }

    /// Bytes from the first element to that at the index.
    fn offset(&mut self, place: usize, along: &[Value]) -> Value {
        let mut offset = None;
        for (axis, index) in along.iter().enumerate() {
            let step = self.asked(Asked::Array(Size::Step { param: place as u32, axis: axis as u8 }));
            let bytes = self.b.mul(*index, step);
            offset = Some(offset.map_or(bytes, |offset| self.b.add(offset, bytes)));
        }
        offset.expect("an array has an axis")
    }

    fn element_at(
        &mut self,
        place: usize,
        offset: Value,
        is_inside: Option<Value>,
        boundary: Boundary,
        span: Span,
    ) -> Term {
        let dtype = self.signature.params[place].dtype();
        let element = self.b.push(Node::Gather(place as u32, offset), dtype);
        self.gathered.push(Gathered { param: place, needs_elements: is_inside.is_none(), span });
        Term::Strong(match (is_inside, boundary) {
            (Some(is_inside), Boundary::Constant(bits)) => {
                let constant = self.b.constant(dtype, bits);
                self.b.select(is_inside, element, constant)
            }
            _ => element,
        })
    }
}

fn boundary(options: &[Argument]) -> crate::resolve::Boundary {
    match options {
        [Argument::Boundary(boundary), ..] => *boundary,
        _ => panic!("resolve gives a boundary, found {options:?}"),
    }
}

//! Functions of floats' own structure to ops: neighbours, powers of two, remainders to nearest, comparison within a tolerance.

use super::{Lowerer, Operand, Term};
use crate::dtype::DType;
use crate::error::Result;
use crate::ir::{Op, Value};

impl Lowerer<'_> {
    pub(super) fn relu(&mut self, x: Operand) -> Result<Term> {
        let join = self.join(&[x]);
        if join.dtype == DType::Bool {
            return Ok(x.term);
        }
        let [x] = self.convert_all([x], join.dtype)?;
        let zero = self.b.integer(join.dtype, 0);
        Ok(join.term(self.b.apply(Op::Maximum, &[x, zero])))
    }

    /// NumPy's formula.
    pub(super) fn isclose(&mut self, x: Operand, y: Operand) -> Result<Term> {
        let (join, [x, y]) = self.floats([x, y])?;
        let (atol, rtol) = (self.b.float(join.dtype, 1e-8), self.b.float(join.dtype, 1e-5));
        let (difference, size) = (self.b.sub(x, y), self.b.abs(y));
        let difference = self.b.abs(difference);
        let part = self.b.mul(rtol, size);
        let limit = self.b.add(atol, part);
        let infinity = self.b.float(join.dtype, f64::INFINITY);
        let (is_near, is_finite, is_equal) = (self.b.le(difference, limit), self.b.lt(size, infinity), self.b.eq(x, y));
        let is_near = self.b.and(is_near, is_finite);
        Ok(Term::Strong(self.b.or(is_near, is_equal)))
    }

    /// Integers have neither NaN nor infinities.
    pub(super) fn nan_to_num(&mut self, x: Operand) -> Result<Term> {
        let join = self.join(&[x]);
        if !join.dtype.is_float() {
            return Ok(x.term);
        }
        let [x] = self.convert_all([x], join.dtype)?;
        let greatest = if join.dtype == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
        let (least, greatest) = (self.b.float(join.dtype, -greatest), self.b.float(join.dtype, greatest));
        let (zero, is_number) = (self.b.float(join.dtype, 0.0), self.b.eq(x, x));
        let x = self.b.select(is_number, x, zero);
        let x = self.b.lesser(x, greatest);
        Ok(join.term(self.b.greater(x, least)))
    }

    /// Floats of one sign are in the order of their bits, so that the next one is one more or less.
    pub(super) fn nextafter(&mut self, x: Operand, y: Operand) -> Result<Term> {
        let (join, [x, y]) = self.floats([x, y])?;
        let dtype = join.dtype;
        let signed = DType::signed(dtype.size());
        let (zero, one, minus_one) = (self.b.float(dtype, 0.0), self.b.integer(signed, 1), self.b.integer(signed, -1));
        let (is_up, is_equal) = (self.b.gt(y, x), self.b.eq(x, y));
        let (is_positive, is_zero) = (self.b.gt(x, zero), self.b.eq(x, zero));
        let is_away = self.b.apply(Op::Eq, &[x, x]);
        let same = self.b.xor(is_up, is_positive);
        let step = self.b.select(same, minus_one, one);
        let bits = self.b.bitcast(x, signed);
        let next = self.b.add(bits, step);
        let next = self.b.bitcast(next, dtype);
        // From 0 it is the least number with the sign of `y`.
        let least = self.b.bitcast(one, dtype);
        let minus_least = self.b.neg(least);
        let first = self.b.select(is_up, least, minus_least);
        let next = self.b.select(is_zero, first, next);
        let next = self.b.select(is_equal, y, next);
        let (y_is_number, nan) = (self.b.eq(y, y), self.b.float(dtype, f64::NAN));
        let are_numbers = self.b.and(is_away, y_is_number);
        Ok(join.term(self.b.select(are_numbers, next, nan)))
    }

    /// The dtype of `x`, as a float; `n` is an integer of any dtype.
    pub(super) fn ldexp(&mut self, x: Operand, n: Operand) -> Result<Term> {
        self.check_integral("ldexp", &[n])?;
        let (join, [x]) = self.floats([x])?;
        let n = self.settle(n)?;
        let n = self.b.cast(n, DType::I64);
        // Beyond this any number is 0 or infinite.
        let (least, most) = (self.b.i64(-2200), self.b.i64(2200));
        let n = self.b.apply(Op::Maximum, &[n, least]);
        let n = self.b.apply(Op::Minimum, &[n, most]);
        let wide = self.b.cast(x, DType::F64);
        let result = if join.dtype == DType::F32 { self.scaled_once(wide, n) } else { self.scaled_in_steps(wide, n) };
        Ok(join.term(self.b.cast(result, join.dtype)))
    }

    /// 2^n for n between -1022 and 1023.
    fn power_of_two(&mut self, n: Value) -> Value {
        let (bias, width) = (self.b.i64(1023), self.b.i64(52));
        let biased = self.b.add(n, bias);
        let bits = self.b.shl(biased, width);
        self.b.bitcast(bits, DType::F64)
    }

    /// Of an f32, which no power within f64's range takes to a subnormal f64 unless it is 0 as an f32.
    fn scaled_once(&mut self, x: Value, n: Value) -> Value {
        let (least, most) = (self.b.i64(-400), self.b.i64(400));
        let n = self.b.apply(Op::Maximum, &[n, least]);
        let n = self.b.apply(Op::Minimum, &[n, most]);
        let power = self.power_of_two(n);
        self.b.mul(x, power)
    }

    /// In three steps. One that goes down less than all the way is followed by more than 53 powers of two, so that what it
    /// rounded becomes 0.
    fn scaled_in_steps(&mut self, x: Value, n: Value) -> Value {
        let (mut x, mut left) = (x, n);
        for _ in 0..2 {
            let (least, most, part) = (self.b.i64(-1022), self.b.i64(1023), self.b.i64(-1022 + 53));
            let is_far = self.b.lt(left, least);
            let near = self.b.apply(Op::Minimum, &[left, most]);
            let step = self.b.select(is_far, part, near);
            let power = self.power_of_two(step);
            x = self.b.mul(x, power);
            left = self.b.sub(left, step);
        }
        let power = self.power_of_two(left);
        self.b.mul(x, power)
    }

    /// What `fmod` by 2y leaves lies within 2y of the nearest multiple; of it y comes off once or twice.
    pub(super) fn ieee_remainder(&mut self, x: Operand, y: Operand) -> Result<Term> {
        let (join, [x, y]) = self.floats([x, y])?;
        let dtype = join.dtype;
        let half = self.b.float(dtype, 0.5);
        let (x_size, y_size) = (self.b.abs(x), self.b.abs(y));
        let greatest = if dtype == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
        let limit = self.b.float(dtype, greatest / 2.0);
        // Twice a large y would be infinite, but then x is less than that already.
        let twice = self.b.add(y_size, y_size);
        let fits = self.b.le(y_size, limit);
        let rest = self.b.apply(Op::Fmod, &[x_size, twice]);
        let rest = self.b.select(fits, rest, x_size);
        // Halves are exact where they decide: a subnormal y is compared with twice the rest.
        let (half_y, twice_rest) = (self.b.mul(half, y_size), self.b.add(rest, rest));
        let above_half = self.b.gt(twice_rest, y_size);
        let above_half_of_large = self.b.gt(rest, half_y);
        let is_above = self.b.select(fits, above_half, above_half_of_large);
        let less = self.b.sub(rest, y_size);
        let rest = self.b.select(is_above, less, rest);
        let twice_rest = self.b.add(rest, rest);
        let (at_least_half, at_least_half_of_large) = (self.b.ge(twice_rest, y_size), self.b.ge(rest, half_y));
        let is_still = self.b.select(fits, at_least_half, at_least_half_of_large);
        let is_still = self.b.and(is_still, is_above);
        let less = self.b.sub(rest, y_size);
        let rest = self.b.select(is_still, less, rest);
        // An infinite x or a y of 0 has none; an infinite y takes nothing off.
        let (infinity, zero, nan) =
            (self.b.float(dtype, f64::INFINITY), self.b.float(dtype, 0.0), self.b.float(dtype, f64::NAN));
        let (is_finite, divides) = (self.b.lt(x_size, infinity), self.b.gt(y_size, zero));
        let is_valid = self.b.and(is_finite, divides);
        let rest = self.b.select(is_valid, rest, nan);
        // The sign of x turns it.
        let unsigned = DType::unsigned(dtype.size());
        let sign = self.b.constant(unsigned, 1 << (dtype.bits() - 1));
        let (x_bits, rest_bits) = (self.b.bitcast(x, unsigned), self.b.bitcast(rest, unsigned));
        let sign = self.b.and(x_bits, sign);
        let turned = self.b.xor(rest_bits, sign);
        Ok(join.term(self.b.bitcast(turned, dtype)))
    }
}

//! The graphs, evaluated by the interpreter, against true values by MPFR (`scripts/generate_math_cases.py`).

use std::collections::HashMap;

use super::pow::is_product;
use crate::dtype::{DType, Element as _};
use crate::interp::{Element, Interp};
use crate::ir::{Builder, Op, Output, Param, Rank};

/// One line of `tests/data/math_*.txt`.
struct Case {
    dtype: DType,
    inputs: Vec<u64>,
    nearest: u64,
    /// What the true value exceeds the nearest one by, in ulps.
    rest: f64,
}

fn cases(text: &str) -> impl Iterator<Item = Case> {
    text.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let dtype = if fields[0].len() == 16 { DType::F64 } else { DType::F32 };
        let mut bits: Vec<u64> = fields[..fields.len() - 1]
            .iter()
            .map(|digits| u64::from_str_radix(digits, 16).expect("a field is bits in hex"))
            .collect();
        let nearest = bits.pop().expect("a line has a result");
        let rest: f64 = fields[fields.len() - 1].parse().expect("the last field is a number");
        Case { dtype, inputs: bits, nearest, rest: rest / 100.0 }
    })
}

fn value(bits: u64, dtype: DType) -> f64 {
    if dtype == DType::F32 { f64::from(f32::from_bits64(bits)) } else { f64::from_bits64(bits) }
}

/// The error of `got` in ulps of the true value; infinite for a wrong special value or sign.
fn error(got: u64, case: &Case) -> f64 {
    let (got, nearest) = (value(got, case.dtype), value(case.nearest, case.dtype));
    if got.is_nan() || nearest.is_nan() {
        return if got.is_nan() && nearest.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_sign_negative() != nearest.is_sign_negative() {
        return f64::INFINITY;
    }
    if got == nearest {
        return case.rest.abs();
    }
    let (digits, least) = if case.dtype == DType::F32 { (23, -149) } else { (52, -1074) };
    let exponent = (nearest.abs().to_bits() >> 52) as i32 - 1023;
    // Below a power of two the true value's ulp is that of the smaller numbers.
    let is_power = nearest.to_bits() << 12 == 0;
    let exponent = if is_power && case.rest * nearest < 0.0 { exponent - 1 } else { exponent };
    let ulp = (exponent - digits).max(least);
    let ulp = f64::from_bits(if ulp < -1022 { 1 << (ulp + 1074) } else { ((ulp + 1023) as u64) << 52 });
    // Infinite if one of them is.
    ((got - nearest) / ulp - case.rest).abs()
}

fn program(dtype: DType, op: Op, literal: Option<u64>) -> Interp {
    let param = |name: &str| Param { name: name.into(), dtype, rank: Rank::Array };
    let mut b = Builder::new(vec![param("x"), param("y")]);
    let mut operands = vec![b.param(0)];
    if op == Op::Power {
        operands.push(match literal {
            Some(bits) => b.constant(dtype, bits),
            None => b.param(1),
        });
    }
    let value = b.apply(op, &operands);
    let graph = b.finish(vec![Output { name: "0".into(), value }]);
    graph.verify();
    super::inline(&graph).verify();
    Interp::new(&graph)
}

/// The greatest error of each dtype must be within its bound.
fn check(op: Op, text: &str) {
    let mut programs = HashMap::new();
    let mut worst: HashMap<DType, (f64, String)> = HashMap::new();
    let mut run = |case: &Case, literal: Option<u64>| {
        let program = programs.entry((case.dtype, literal)).or_insert_with(|| program(case.dtype, op, literal));
        let mut got = [0];
        let mut params = case.inputs.clone();
        params.resize(2, 0);
        program.element(&Element { params: &params, index: &[], sizes: &[] }, &mut program.scratch(), &mut got);
        let error = error(got[0], case);
        let known = worst.entry(case.dtype).or_insert((0.0, String::new()));
        if error > known.0 {
            let inputs: Vec<f64> = case.inputs.iter().map(|x| value(*x, case.dtype)).collect();
            *known = (error, format!("{op:?} of {inputs:?}, literal {literal:?}: {:?}", value(got[0], case.dtype)));
        }
    };
    for case in cases(text) {
        run(&case, None);
        if let Some(&y) = case.inputs.get(1)
            && (is_product(value(y, case.dtype)) || value(y, case.dtype) == 0.5)
        {
            run(&case, Some(y));
        }
    }
    for (dtype, bound) in [(DType::F64, 1.0), (DType::F32, 0.51)] {
        let (error, place) = &worst[&dtype];
        assert!(*error <= bound, "{dtype}: {error} ulp, {place}");
    }
}

#[test]
fn exp() {
    check(Op::Exp, include_str!("../../tests/data/math_exp.txt"));
}

#[test]
fn log() {
    check(Op::Log, include_str!("../../tests/data/math_log.txt"));
}

#[test]
fn sin() {
    check(Op::Sin, include_str!("../../tests/data/math_sin.txt"));
}

#[test]
fn cos() {
    check(Op::Cos, include_str!("../../tests/data/math_cos.txt"));
}

#[test]
fn erf() {
    check(Op::Erf, include_str!("../../tests/data/math_erf.txt"));
}

#[test]
fn erfc() {
    check(Op::Erfc, include_str!("../../tests/data/math_erfc.txt"));
}

#[test]
fn power() {
    check(Op::Power, include_str!("../../tests/data/math_pow.txt"));
}

//! The body of a short program in another order: vector after vector, as what is stored and folded asks for them.

use std::collections::HashMap;

use super::{Block, Inst, Reg, RegType};

/// Puts what is stored for a range of elements, and what that needs, before what is for the next. Nothing in `body` is a region.
///
/// The loads for a range stand before all of its stores: any output may lie where an input of its dtype does.
pub(super) fn by_store(body: Block, types: &[RegType]) -> Block {
    let mut defined_at = vec![None; types.len()];
    let mut stores = Vec::new();
    // A register of the narrowest output covers whole registers of the others.
    let mut range = 1;
    for (at, (reg, inst)) in body.insts.iter().enumerate() {
        if let Some(reg) = reg {
            defined_at[reg.index()] = Some(at);
        }
        if let Inst::Store { offset, bytes, value, .. } | Inst::Keep { offset, bytes, value, .. } = inst {
            stores.push((*offset, at));
            range = range.max(bytes / types[value.index()].size() as u32);
        }
    }
    stores.sort_unstable();
    let mut is_taken = vec![false; body.insts.len()];
    let mut order = Vec::with_capacity(body.insts.len());
    for stores in stores.chunk_by(|x, y| x.0 / range == y.0 / range) {
        let before = order.len();
        let mut open: Vec<usize> = stores.iter().map(|(_, at)| *at).collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut is_taken[at], true) {
                order.push(at);
                open.extend(body.insts[at].1.operands().iter().flatten().filter_map(|reg| defined_at[reg.index()]));
            }
        }
        // Operands stand before their users in the old order, and stores last.
        order[before..].sort_unstable();
    }
    let mut insts: Vec<_> = body.insts.into_iter().map(Some).collect();
    let insts = order.into_iter().filter_map(|at| insts[at].take()).collect();
    Block { insts, results: body.results }
}

/// Puts what the first vector of each of the results needs before what the second does, and so on; `counts` says how many
/// vectors each result has. Regions inside stay where they are, and so does all else then.
///
/// Few registers are alive at once: those that are alive around the region may stay where they are.
pub(super) fn by_result(body: Block, counts: &[usize]) -> Block {
    if body.insts.iter().any(|(_, inst)| is_region(inst)) {
        return body;
    }
    let defined_at: HashMap<Reg, usize> =
        body.insts.iter().enumerate().filter_map(|(at, (reg, _))| reg.map(|reg| (reg, at))).collect();
    let starts = counts.iter().scan(0, |sum, count| Some(std::mem::replace(sum, *sum + count)));
    let starts: Vec<usize> = starts.collect();
    let mut order = Vec::with_capacity(body.insts.len());
    let mut is_taken = vec![false; body.insts.len()];
    for vector in 0..counts.iter().copied().max().unwrap_or(0) {
        let results = starts.iter().zip(counts).filter(|(_, count)| vector < **count);
        let results = results.map(|(start, _)| body.results[start + vector]);
        let mut open: Vec<usize> = results.filter_map(|reg| defined_at.get(&reg).copied()).collect();
        let before = order.len();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut is_taken[at], true) {
                order.push(at);
                open.extend(
                    body.insts[at].1.operands().iter().flatten().filter_map(|reg| defined_at.get(reg).copied()),
                );
            }
        }
        // Operands stand before their users in the old order.
        order[before..].sort_unstable();
    }
    let mut insts: Vec<_> = body.insts.into_iter().map(Some).collect();
    let insts = order.into_iter().filter_map(|at| insts[at].take()).collect();
    Block { insts, results: body.results }
}

/// Of a loop, puts what reads a carried register before what takes its place in the next turn, where it can: so the two may be in
/// one place, and nothing is copied at the end of a turn. A body with regions stays as it is.
pub(super) fn by_turn(repeat: &mut Inst) {
    let Inst::Repeat { carried, body, .. } = repeat else { panic!("{repeat:?} is a loop") };
    if body.insts.iter().any(|(_, inst)| is_region(inst)) {
        return;
    }
    let insts = body.insts.iter().enumerate();
    let defined_at: HashMap<Reg, usize> = insts.filter_map(|(at, (reg, _))| Some(((*reg)?, at))).collect();
    let next: HashMap<Reg, Reg> = carried.iter().copied().zip(body.results.iter().copied()).collect();
    let replaced: HashMap<Reg, Reg> = next.iter().map(|(reg, next)| (*next, *reg)).collect();
    let replaced_at = |reg: &Reg| defined_at.get(next.get(reg)?).copied();
    let mut last_read: HashMap<Reg, usize> = HashMap::new();
    for (at, (reg, inst)) in body.insts.iter().enumerate() {
        let others = inst.operands().into_iter().flatten().filter(|x| reg.is_none() || next.get(x) != reg.as_ref());
        last_read.extend(others.map(|x| (x, at)));
    }
    // Twice as far down as its number, so that there is a place before each.
    let place = |at: usize, reg: Reg, inst: &Inst| {
        let operands = inst.operands();
        let first = operands.iter().flatten().filter_map(replaced_at).min().filter(|first| *first < at);
        let ready = operands.iter().flatten().filter_map(|x| defined_at.get(x)).max();
        let read = replaced.get(&reg).and_then(|reg| last_read.get(reg));
        let may_stand = |first: &usize| ready.max(read).is_none_or(|before| before < first);
        first.filter(may_stand).map_or(2 * at + 1, |first| 2 * first)
    };
    let places = body.insts.iter().enumerate().map(|(at, (reg, inst))| match (reg, inst) {
        (Some(reg), Inst::Apply(..) | Inst::Shift(..)) => place(at, *reg, inst),
        _ => 2 * at + 1,
    });
    let places: Vec<usize> = places.collect();
    let mut placed: Vec<_> = places.into_iter().zip(std::mem::take(&mut body.insts)).collect();
    placed.sort_by_key(|(place, _)| *place);
    body.insts = placed.into_iter().map(|(_, inst)| inst).collect();
}

fn is_region(inst: &Inst) -> bool {
    matches!(inst, Inst::When { .. } | Inst::Enter { .. } | Inst::Repeat { .. })
}

#[cfg(test)]
mod tests {
    use crate::dtype::DType;
    use crate::ir::{Builder, Op, Output, Param, Rank};
    use crate::stage::Stage;
    use crate::strip::{Block, Inst, Reg, vectorise};
    use crate::target::Target;

    #[test]
    fn what_is_carried_is_read_before_it_is_replaced() {
        let [x, n, sum, next, double, more, least, on] = std::array::from_fn(|k| Reg(k as u32));
        let apply = |reg: Reg, op: Op, x: Reg, y: Reg| (Some(reg), Inst::Apply(op, [x, y, x]));
        let insts = vec![
            apply(next, Op::Add, x, n),
            apply(double, Op::Add, x, x),
            // Takes the place of `n`, which is read behind.
            apply(more, Op::Add, n, double),
            apply(least, Op::Mul, next, n),
            apply(sum, Op::Add, least, x),
            apply(on, Op::Lt, sum, double),
        ];
        let (body, carried) = (Block { insts, results: vec![on, next, more] }, vec![Reg(8), x, n]);
        let (initial, results) = (carried.clone(), vec![Reg(9), Reg(10), Reg(11)]);
        let mut repeat = Inst::Repeat { initial, carried, masks: 1, also: None, body, results, counted: true };
        super::by_turn(&mut repeat);
        let Inst::Repeat { body, .. } = repeat else { panic!("a loop") };
        let order: Vec<Reg> = body.insts.iter().filter_map(|(reg, _)| *reg).collect();
        assert_eq!(order, [double, next, least, more, sum, on]);
    }

    #[test]
    fn elements_are_read_before_any_output_has_them() {
        let dtypes = [DType::F64, DType::F64, DType::I32];
        let param = |(k, dtype): (usize, DType)| Param { name: k.to_string().into(), dtype, rank: Rank::Array };
        let mut b = Builder::new(dtypes.into_iter().enumerate().map(param).collect());
        let [x, y, n] = [0, 1, 2].map(|k| b.param(k));
        let wide = b.cast(n, DType::F64);
        let shifted = b.add(wide, y);
        let outputs = [shifted, x, n].map(|value| Output { name: "0".into(), value });
        let stage = Stage {
            graph: b.finish(outputs.to_vec()),
            outputs: vec![0, 1, 2],
            totals: vec![],
            folds: vec![],
            feeds: vec![],
        };
        let strip = vectorise(&stage, &Target::VECTOR_128);
        let ranges = strip.body.insts.iter().filter_map(|(_, inst)| match inst {
            Inst::Load { array, offset, .. } => Some((false, *array, *offset)),
            Inst::Store { array, offset, .. } => Some((true, *array, *offset)),
            _ => None,
        });
        let ranges: Vec<_> = ranges.collect();
        // Were x and y swapped in place, a load behind a store of the same elements would read the wrong ones.
        for (at, (_, _, stored)) in ranges.iter().enumerate().filter(|(_, access)| access.0) {
            assert!(ranges[at..].iter().all(|(is_store, _, offset)| *is_store || offset > stored), "{ranges:?}");
        }
    }
}

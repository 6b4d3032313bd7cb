//! A loop to one that keeps what a turn has computed of the next turn's values: where that turn would compute it anew, it is carried.

use std::collections::HashMap;

use super::{Block, Inst, Reg, RegType};
use crate::ir::Op;

/// Registers that are not for what is carried.
const OTHERS: usize = 3;

/// Changes `repeat`, a loop; what it carries more is computed in `before` at first. `registers` are those of the target.
pub(super) fn run(repeat: &mut Inst, before: &mut Block, types: &mut Vec<RegType>, registers: usize) {
    let Inst::Repeat { initial, carried, body, results, .. } = repeat else { panic!("{repeat:?} is a loop") };
    let mut places: HashMap<Reg, usize> = carried.iter().enumerate().map(|(place, reg)| (*reg, place)).collect();
    // What is carried and what the body computes differ from turn to turn.
    let mut known: HashMap<(Op, [Reg; 3]), Reg> = HashMap::new();
    let mut inside: Vec<bool> = vec![false; types.len()];
    for (reg, inst) in &body.insts {
        match (reg, inst) {
            (Some(reg), Inst::Apply(op, operands)) => {
                known.entry((*op, *operands)).or_insert(*reg);
            }
            (None, Inst::When { results, .. } | Inst::Enter { results, .. } | Inst::Repeat { results, .. }) => {
                results.iter().for_each(|reg| inside[reg.index()] = true);
            }
            _ => {}
        }
        reg.iter().for_each(|reg| inside[reg.index()] = true);
    }
    body.insts.retain(|(reg, inst)| {
        let (Some(reg), Inst::Apply(op, operands)) = (reg, inst) else { return true };
        let is_of_turn = |x: &Reg| !places.contains_key(x) && inside[x.index()];
        let is_carried = |x: &Reg| places.contains_key(x);
        if carried.len() + OTHERS >= registers || operands.iter().any(is_of_turn) || !operands.iter().any(is_carried) {
            return true;
        }
        let of = |regs: &[Reg]| operands.map(|x| places.get(&x).map_or(x, |place| regs[*place]));
        let Some(next) = known.get(&(*op, of(&body.results))) else { return true };
        let reg_type = types[reg.index()];
        let mut fresh = || {
            types.push(reg_type);
            Reg(types.len() as u32 - 1)
        };
        let (first, last) = (fresh(), fresh());
        before.insts.push((Some(first), Inst::Apply(*op, of(initial))));
        places.insert(*reg, carried.len());
        initial.push(first);
        carried.push(*reg);
        body.results.push(*next);
        results.push(last);
        false
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn squares_are_carried_from_the_test_to_the_next_turn() {
        let [x0, x, square, next, square_next, limit, on, out_mask, out] = std::array::from_fn(|k| Reg(k as u32));
        let mut types = vec![RegType::Vector(DType::F64); 9];
        let body = Block {
            insts: vec![
                (Some(square), Inst::Apply(Op::Mul, [x, x, x])),
                (Some(next), Inst::Apply(Op::Add, [square, limit, square])),
                (Some(square_next), Inst::Apply(Op::Mul, [next, next, next])),
                (Some(on), Inst::Apply(Op::Lt, [square_next, limit, square_next])),
            ],
            results: vec![on, next],
        };
        let mask = Reg(9);
        types.push(RegType::Mask(8));
        let mut repeat = Inst::Repeat {
            initial: vec![mask, x0],
            carried: vec![mask, x],
            masks: 1,
            also: None,
            body,
            results: vec![out_mask, out],
            counted: true,
        };
        let mut before = Block::default();
        run(&mut repeat, &mut before, &mut types, 16);
        let Inst::Repeat { initial, carried, body, results, .. } = repeat else { panic!("a loop") };
        assert_eq!(before.insts, [(Some(Reg(10)), Inst::Apply(Op::Mul, [x0, x0, x0]))]);
        assert_eq!((carried, initial), (vec![mask, x, square], vec![mask, x0, Reg(10)]));
        assert_eq!((body.insts.len(), body.results), (3, vec![on, next, square_next]));
        assert_eq!(results, [out_mask, out, Reg(11)]);
    }
}

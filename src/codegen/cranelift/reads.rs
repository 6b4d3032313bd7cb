//! A strip to what reads its registers: how often each is read, and what a region reads of what stands before it.

use std::collections::{BTreeSet, HashSet};

use crate::strip::{Block, Inst, Reg, Strip};

/// How often each register is read.
pub(super) fn count(strip: &Strip) -> Vec<u32> {
    let mut reads = vec![0; strip.types.len()];
    for block in [&strip.prologue, &strip.body] {
        each(block, &mut |reg, is_read| reads[reg.index()] += u32::from(is_read));
    }
    reads
}

/// What the block reads and does not write itself.
pub(super) fn inputs(block: &Block) -> Vec<Reg> {
    let (mut inside, mut outside) = (HashSet::new(), BTreeSet::new());
    each(block, &mut |reg, is_read| {
        if !is_read {
            inside.insert(reg);
        } else if !inside.contains(&reg) {
            outside.insert(reg);
        }
    });
    outside.into_iter().collect()
}

/// Calls `visit` for each register that is read, or else written, in that order.
fn each(block: &Block, visit: &mut impl FnMut(Reg, bool)) {
    for (reg, inst) in &block.insts {
        match inst {
            Inst::When { masks, body, otherwise, results } => {
                masks.iter().chain(otherwise).for_each(|reg| visit(*reg, true));
                each(body, visit);
                results.iter().for_each(|reg| visit(*reg, false));
            }
            Inst::Repeat { initial, carried, also, body, results, .. } => {
                initial.iter().for_each(|reg| visit(*reg, true));
                carried.iter().for_each(|reg| visit(*reg, false));
                each(body, visit);
                also.iter().for_each(|reg| visit(*reg, true));
                results.iter().for_each(|reg| visit(*reg, false));
            }
            inst => inst.operands().iter().flatten().for_each(|reg| visit(*reg, true)),
        }
        reg.iter().for_each(|reg| visit(*reg, false));
    }
    block.results.iter().for_each(|reg| visit(*reg, true));
}

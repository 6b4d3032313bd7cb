//! Blocks of a strip to how often each of their registers is read.

use crate::strip::{Block, Inst, Reg};

/// Of each of so many registers how often the blocks read it.
pub(super) fn count(registers: usize, blocks: &[&Block]) -> Vec<u32> {
    let mut reads = vec![0; registers];
    blocks.iter().for_each(|block| each(block, &mut |reg| reads[reg.index()] += 1));
    reads
}

fn each(block: &Block, visit: &mut impl FnMut(Reg)) {
    for (_, inst) in &block.insts {
        match inst {
            Inst::When { masks, body, otherwise, .. } => {
                [masks, otherwise].into_iter().flatten().for_each(|reg| visit(*reg));
                each(body, visit);
            }
            Inst::Enter { masks, inputs, otherwise, .. } => {
                [masks, inputs, otherwise].into_iter().flatten().for_each(|reg| visit(*reg));
            }
            Inst::Repeat { initial, also, body, .. } => {
                initial.iter().chain(also).for_each(|reg| visit(*reg));
                each(body, visit);
            }
            inst => inst.operands().iter().flatten().for_each(|reg| visit(*reg)),
        }
    }
    block.results.iter().for_each(|reg| visit(*reg));
}

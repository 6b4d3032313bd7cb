//! Strip to what its stores, accumulators and regions need: what nothing reads any more is not computed.

use super::{Block, Inst, Reg, Routine, Strip};

pub(super) fn run(strip: &mut Strip) {
    let mut is_read = vec![false; strip.types.len()];
    clear(&mut strip.body, &mut is_read);
    clear(&mut strip.prologue, &mut is_read);
}

/// The parameters of a routine that it needs.
pub(super) fn in_routine(routine: &mut Routine) -> Vec<bool> {
    let mut is_read = vec![false; routine.types.len()];
    clear(&mut routine.body, &mut is_read);
    let needed: Vec<bool> = routine.params.iter().map(|reg| is_read[reg.index()]).collect();
    routine.params.retain(|reg| is_read[reg.index()]);
    needed
}

/// Readers stand behind what they read, so one walk from the end finds all.
fn clear(block: &mut Block, is_read: &mut [bool]) {
    read(&block.results, is_read);
    for at in (0..block.insts.len()).rev() {
        let (reg, inst) = &mut block.insts[at];
        match inst {
            Inst::When { masks, body, otherwise, .. } => {
                read(masks, is_read);
                read(otherwise, is_read);
                clear(body, is_read);
            }
            Inst::Enter { masks, inputs, otherwise, .. } => {
                [masks, inputs, otherwise].into_iter().for_each(|regs| read(regs, is_read));
            }
            Inst::Repeat { initial, also, body, .. } => {
                read(initial, is_read);
                read(also.as_slice(), is_read);
                clear(body, is_read);
            }
            inst if reg.is_none_or(|reg| is_read[reg.index()]) => {
                inst.operands().iter().flatten().for_each(|reg| is_read[reg.index()] = true);
            }
            _ => {}
        }
    }
    block.insts.retain(|(reg, _)| reg.is_none_or(|reg| is_read[reg.index()]));
}

fn read(regs: &[Reg], is_read: &mut [bool]) {
    regs.iter().for_each(|reg| is_read[reg.index()] = true);
}

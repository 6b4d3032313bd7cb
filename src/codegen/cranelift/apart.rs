//! Regions of a strip that run rarely to functions of their own: to the code around, each is one call that keeps all registers.

use super::reads;
use crate::strip::{Block, Inst, Reg, Strip};

/// Instructions of a region from which on it is worth a function: calling one costs about as many.
const MANY: usize = 64;

/// Instructions of a region that may be a function at most: what a single pass spills has a place of the stack each.
const MOST: usize = 1000;

/// A region and what it reads of what stands before it.
pub(super) struct Apart<'a> {
    pub(super) body: &'a Block,
    pub(super) inputs: Vec<Reg>,
}

/// The branches of the body that are large, but not too large, in the order in which they stand; not those within another.
pub(super) fn find(strip: &Strip) -> Vec<Apart<'_>> {
    let mut aparts = Vec::new();
    // Turns are counted in one place, and loops hold what they carry in registers.
    if !strip.counts_turns {
        find_in(&strip.body, &mut aparts);
    }
    aparts
}

fn find_in<'a>(block: &'a Block, aparts: &mut Vec<Apart<'a>>) {
    for (_, inst) in &block.insts {
        match inst {
            Inst::When { body, .. } if (MANY..=MOST).contains(&count(body, 0)) => {
                aparts.push(Apart { body, inputs: reads::inputs(body) })
            }
            Inst::When { body, .. } | Inst::Repeat { body, .. } => find_in(body, aparts),
            _ => {}
        }
    }
}

/// How many instructions there are besides `known`; of more than [`MOST`] it looks at no others.
fn count(block: &Block, known: usize) -> usize {
    block.insts.iter().fold(known, |count, (_, inst)| match inst {
        _ if count > MOST => count,
        Inst::When { body, .. } | Inst::Repeat { body, .. } => self::count(body, count + 1),
        _ => count + 1,
    })
}

//! Strip to how many of its registers are alive at once, which is what it costs a register allocator and the stack.

use super::{Block, Inst, Reg, Strip};

impl Strip {
    /// The most registers that hold a value which is needed later, in the loop over groups.
    pub(crate) fn live_registers(&self) -> usize {
        let mut live = Live { alive: vec![false; self.types.len()], count: 0, most: 0 };
        // What the loop needs of what was computed before it stays alive all through the loop.
        live.block(&self.body);
        let hoisted =
            self.prologue.insts.iter().filter_map(|(reg, _)| *reg).filter(|reg| live.alive[reg.index()]).count();
        let inside = self.routines.iter().map(|routine| {
            let mut live = Live { alive: vec![false; routine.types.len()], count: 0, most: 0 };
            live.block(&routine.body);
            live.most
        });
        live.most.max(hoisted) + inside.max().unwrap_or(0)
    }
}

/// A walk against the order of execution.
struct Live {
    alive: Vec<bool>,
    count: usize,
    most: usize,
}

impl Live {
    fn uses(&mut self, regs: &[Reg]) {
        for reg in regs {
            if !std::mem::replace(&mut self.alive[reg.index()], true) {
                self.count += 1;
            }
        }
        self.most = self.most.max(self.count);
    }

    fn defines(&mut self, regs: &[Reg]) {
        for reg in regs {
            if std::mem::replace(&mut self.alive[reg.index()], false) {
                self.count -= 1;
            }
        }
    }

    fn block(&mut self, block: &Block) {
        self.uses(&block.results);
        for (reg, inst) in block.insts.iter().rev() {
            self.defines(reg.as_slice());
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::When { masks, body, otherwise, results } => {
                self.defines(results);
                self.uses(otherwise);
                self.block(body);
                self.uses(masks);
            }
            Inst::Enter { masks, inputs, otherwise, results, .. } => {
                self.defines(results);
                [masks, inputs, otherwise].into_iter().for_each(|regs| self.uses(regs));
            }
            Inst::Repeat { initial, carried, also, body, results, .. } => {
                self.defines(results);
                self.uses(also.as_slice());
                self.block(body);
                self.defines(carried);
                self.uses(initial);
            }
            inst => inst.operands().iter().flatten().for_each(|reg| self.uses(&[*reg])),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ir::{Builder, Output, Param, Rank};
    use crate::stage::Stage;
    use crate::strip::vectorise;
    use crate::target::Target;

    #[test]
    fn values_that_wait_for_each_other_are_counted() {
        let rank = |k: usize| if k == 0 { Rank::Array } else { Rank::Scalar };
        let param = |k: usize| Param { name: k.to_string().into(), dtype: crate::dtype::DType::F64, rank: rank(k) };
        let live = |count: usize, hoisted: bool| {
            let mut b = Builder::new((0..=count).map(param).collect());
            let x = b.param(0);
            let values: Vec<_> = (1..=count).map(|k| if hoisted { b.param(k) } else { b.f64(k as f64) }).collect();
            let products: Vec<_> = values.iter().map(|y| b.mul(x, *y)).collect();
            let sum = products.iter().copied().reduce(|x, y| b.add(x, y)).unwrap();
            let both = if hoisted { sum } else { products.iter().rev().fold(sum, |x, y| b.mul(x, *y)) };
            let graph = b.finish(vec![Output { name: "0".into(), value: both }]);
            vectorise(
                &Stage { graph, outputs: vec![0], totals: vec![], folds: vec![], feeds: vec![] },
                &Target::VECTOR_128,
            )
            .live_registers()
        };
        for hoisted in [false, true] {
            assert!(live(3000, hoisted) >= 3000, "{hoisted}");
            assert!(live(30, hoisted) < 200, "{hoisted}");
        }
    }
}

//! Formulas, loops and machines to tables: how long numlift compiles, what a call costs, how fast kernels run beside others.

mod array;
mod call;
mod compile;
mod machine;
mod peers;
mod record;
mod throughput;
mod turns;
mod workloads;

use std::error::Error;

use machine::Machine;
use record::Records;

type Section = fn(&Machine, &Filter) -> Result<Records, Box<dyn Error>>;

/// What can be measured; the words that choose it.
const SECTIONS: [(&str, Section); 3] =
    [("compile", compile::measure), ("call", call::measure), ("throughput", throughput::measure)];

/// The rows that the command line asks for: those whose name contains one of the words; all without a word.
struct Filter(Vec<String>);

impl Filter {
    fn takes(&self, row: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| row.contains(word.as_str()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (sections, rows): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .partition(|word| SECTIONS.iter().any(|s| s.0 == word));
    let filter = Filter(rows);
    let mut machine = Machine::here();
    println!("{machine}");
    let mut all = Records::default();
    for (name, measure) in SECTIONS {
        if sections.is_empty() || sections.iter().any(|section| section == name) {
            println!("\n== {name}\n");
            all.append(measure(&machine, &filter)?);
        }
    }
    machine.note_end();
    // A part of the whole would stand in the place of a whole record.
    if sections.is_empty() && filter.0.is_empty() {
        println!("\nwritten to {}", all.write(&machine)?.display());
    }
    Ok(())
}

//! Formulas, loops and machines to tables: how long numlift compiles, what a call costs, how fast kernels run beside others.

mod array;
mod call;
mod compile;
mod functions;
mod machine;
mod peers;
mod programs;
mod record;
// Its limits are loops of AVX2.
#[cfg(target_arch = "x86_64")]
mod reductions;
// Its limits are loops of AVX2, and it stops processes by signals.
#[cfg(all(unix, target_arch = "x86_64"))]
mod suite;
mod throughput;
mod turns;
mod workloads;

use std::error::Error;

use machine::Machine;
use record::Records;

type Section = fn(&Machine, &Filter) -> Result<Records, Box<dyn Error>>;

/// What can be measured; the words that choose it.
const SECTIONS: &[(&str, Section)] = &[
    ("compile", compile::measure),
    ("call", call::measure),
    ("throughput", throughput::measure),
    ("functions", functions::measure),
    ("programs", programs::measure),
    #[cfg(target_arch = "x86_64")]
    ("reductions", reductions::measure),
    #[cfg(all(unix, target_arch = "x86_64"))]
    ("suite", suite::measure),
];

/// The rows that the command line asks for: those whose name contains one of the words; all without a word.
struct Filter(Vec<String>);

impl Filter {
    fn takes(&self, row: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| row.contains(word.as_str()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.split_first() {
        #[cfg(all(unix, target_arch = "x86_64"))]
        Some((word, job)) if word == "worker" => return suite::serve(job),
        #[cfg(all(unix, target_arch = "x86_64"))]
        Some((word, [])) if word == "readme" => {
            println!("written to {}", suite::update_readme()?.display());
            return Ok(());
        }
        _ => {}
    }
    if let Some(option) = words.iter().find(|word| word.starts_with("--")) {
        let sections: Vec<&str> = SECTIONS.iter().map(|section| section.0).collect();
        let usage = "numlift-bench [SECTION ...] [PART OF A ROW'S NAME ...], or numlift-bench readme";
        eprintln!("there is no `{option}`\n{usage}\nsections: {}", sections.join(" "));
        std::process::exit(2);
    }
    let (sections, rows): (Vec<String>, Vec<String>) =
        words.into_iter().partition(|word| SECTIONS.iter().any(|s| s.0 == word));
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
    // A part of a section would stand in the place of a whole record.
    if filter.0.is_empty() {
        println!("\nwritten to {}", all.write(&machine, &sections)?.display());
    }
    Ok(())
}

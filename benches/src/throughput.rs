//! Workloads to time an element and bytes a second, in each cache and beyond, beside the same work in Rust.

use std::error::Error;
use std::time::Duration;

use numlift::{Bound, Engine, Schema};

use crate::Filter;
use crate::machine::Machine;
use crate::peers::{self, Peer, Workers};
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, Samples, race};
use crate::workloads::{self, Case, Workload};

const TURNS: usize = 11;
const TURN: Duration = Duration::from_millis(2);

/// Turns where a run takes long.
const LONG_TURNS: usize = 5;

/// Elements that no cache holds.
const BEYOND: usize = 32 << 20;

const NUMLIFT: &str = "numlift";
const PLAIN: &str = "Rust loop";
const STREAMED: &str = "Rust loop, streamed";
const MEMCPY: &str = "memcpy";

/// Where the arrays of a case fit.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    First,
    Second,
    Third,
    Memory,
}

impl Level {
    const ALL: [(Level, &str); 4] =
        [(Level::First, "L1"), (Level::Second, "L2"), (Level::Third, "L3"), (Level::Memory, "DRAM")];

    /// Elements whose arrays fill a part of the cache: of the first three quarters, of the others what leaves room for all else.
    fn elements(self, workload: &Workload, machine: &Machine) -> usize {
        let bytes = match self {
            Level::First => machine.caches[0] * 3 / 4,
            Level::Second => machine.caches[1] / 2,
            Level::Third => machine.caches[2] / 4,
            Level::Memory => return BEYOND,
        };
        // Half of them is a length too.
        let step = 2 * workload.step();
        (bytes / workload.footprint() / step * step).max(step)
    }
}

const COLUMNS: [(&str, usize); 10] = [
    ("kernel", 17),
    ("fits", 9),
    ("threads", 8),
    ("elements", 10),
    ("ns/elem", 9),
    ("GB/s", 8),
    ("/Rust", 8),
    ("/128-bit", 10),
    ("/streamed", 10),
    ("memcpy GB/s", 12),
];

/// A column `/x` is numlift's time over that of x: under 1 numlift is faster.
pub(crate) fn measure(machine: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    if !peers::are_supported() {
        return Err(format!("the loops beside numlift are compiled for {}", peers::ISA).into());
    }
    let header = "kernel,formula,fits,elements,threads,engine,turns,ns_per_element,best_ns_per_element,gb_per_s,numlift_over_this";
    let mut record = Record::new("throughput", header);
    head(&COLUMNS);
    let workloads = workloads::all();
    for workload in &workloads {
        for (level, fits) in Level::ALL {
            if !filter.takes(&format!("{} {fits}", workload.name)) {
                continue;
            }
            let n = level.elements(workload, machine);
            let threads: &[usize] = match level {
                Level::First | Level::Second => &[1],
                Level::Third | Level::Memory => &[1, 2],
            };
            // Half as many elements beside it: the difference is what an element costs without the call.
            let mut cases = vec![workload.case(n)];
            if level == Level::First {
                cases.push(workload.case(n / 2));
            }
            for &threads in threads {
                let runs = Runs::new(workload, level, threads)?;
                runs.check(&mut cases[0], fits)?;
                let all = runs.race(&mut cases, level);
                let (full, half) = all.split_at(runs.engines.len());
                let per_element = |samples: &Samples| Samples(samples.0.iter().map(|ns| ns / n as f64).collect());
                let times: Vec<Samples> = full.iter().map(per_element).collect();
                report(&mut record, &runs, &cases[0], (fits, n), &times);
                if level == Level::First {
                    let times: Vec<Samples> =
                        full.iter().zip(half).map(|(full, half)| full.slope(half, n - n / 2)).collect();
                    report(&mut record, &runs, &cases[0], ("L1 loop", n), &times);
                }
            }
        }
    }
    Ok(Records::of(record))
}

/// A workload's engines for a number of threads.
struct Runs<'a> {
    workload: &'a Workload,
    threads: usize,
    bound: Bound,
    workers: Workers,
    /// numlift first, then its peers.
    engines: Vec<(&'static str, Option<Peer>)>,
}

impl Runs<'_> {
    fn new(workload: &Workload, level: Level, threads: usize) -> Result<Runs<'_>, Box<dyn Error>> {
        let kernel = Engine::builder().threads(threads).build()?.compile(&workload.formula)?;
        let rank = |input: &workloads::Input| (input.name, input.dtype, workload.rank());
        let schema =
            workload.inputs.iter().map(rank).fold(Schema::new(), |s, (name, dtype, rank)| s.array(name, dtype, rank));
        let mut engines = vec![(NUMLIFT, None), (PLAIN, Some(workload.plain))];
        #[cfg(target_arch = "x86_64")]
        match level {
            Level::First | Level::Second => {
                engines.extend(peers::by_hand(workload.name).into_iter().map(|(name, peer)| (name, Some(peer))));
            }
            Level::Memory if workload.name == "a*b+c" => engines.push((STREAMED, Some(peers::triad_streamed))),
            Level::Third | Level::Memory => {}
        }
        engines.push((MEMCPY, Some(peers::memcpy)));
        let bound = kernel.bind(&schema)?;
        Ok(Runs { workload, threads, bound, workers: Workers::new(threads), engines })
    }

    fn run(&self, peer: Option<Peer>, case: &mut Case, repeats: usize) {
        match peer {
            Some(peer) => (0..repeats).for_each(|_| std::hint::black_box(peer)(case, &self.workers)),
            None => {
                let (inputs, output) = self.workload.views(case);
                let mut outputs = [output];
                (0..repeats).for_each(|_| self.bound.run(&inputs, &mut outputs).expect("the kernel runs"));
            }
        }
    }

    /// Fails unless every engine gives what the plain loop gives.
    fn check(&self, case: &mut Case, fits: &str) -> Result<(), Box<dyn Error>> {
        self.run(Some(self.workload.plain), case, 1);
        let expected = case.output.clone();
        for (name, peer) in self.engines.iter().filter(|(name, _)| *name != MEMCPY) {
            case.output.bytes_mut().fill(0xa5);
            self.run(*peer, case, 1);
            let tolerance = if *name == NUMLIFT { self.workload.tolerance } else { 0 };
            let distance = expected.distance(&case.output);
            if distance > tolerance {
                let workload = self.workload.name;
                return Err(
                    format!("{workload}, {fits}: {name} is off by {distance} units, not up to {tolerance}").into()
                );
            }
        }
        Ok(())
    }

    /// Times of a run of each engine on the first case, then on the second if there is one.
    fn race(&self, cases: &mut Vec<Case>, level: Level) -> Vec<Samples> {
        let turns = if level == Level::Memory { LONG_TURNS } else { TURNS };
        let contender = |at: usize, (name, peer): (&'static str, Option<Peer>)| Contender {
            name,
            run: Box::new(move |cases: &mut Vec<Case>, repeats| self.run(peer, &mut cases[at], repeats)),
        };
        let contenders: Vec<_> =
            (0..cases.len()).flat_map(|at| self.engines.iter().map(move |engine| contender(at, *engine))).collect();
        let clock = if self.threads == 1 { Clock::Thread } else { Clock::Wall };
        race(cases, &contenders, turns, TURN, clock)
    }
}

/// Whether an engine is the one asked for, or one of several of a kind, as `128-bit x4` is `128-bit`.
fn is_one_of(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(" x"))
}

/// A row of the table, and a line of the record for each engine.
fn report(record: &mut Record, runs: &Runs<'_>, case: &Case, (fits, n): (&str, usize), times: &[Samples]) {
    let workload = runs.workload;
    let bytes = |name: &str| match name {
        MEMCPY => 2 * peers::copied_bytes(case),
        _ => workload.traffic(n),
    };
    let speed = |name: &str, time: &Samples| bytes(name) as f64 / n as f64 / time.median();
    let ratio = |wanted: &str| {
        let rivals = runs.engines.iter().zip(times).filter(|((name, _), _)| is_one_of(name, wanted));
        let best = rivals.min_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
        best.map_or(String::new(), |(_, best)| format!("{:.2}", times[0].over(best)))
    };
    let about = [workload.name.to_owned(), fits.to_owned(), runs.threads.to_string(), n.to_string()];
    let memcpy = times.last().expect("memcpy is measured");
    let figures = [
        digits(times[0].median()),
        digits(speed(NUMLIFT, &times[0])),
        ratio(PLAIN),
        ratio("128-bit"),
        ratio(STREAMED),
        digits(speed(MEMCPY, memcpy)),
    ];
    row(&COLUMNS, &[&about[..], &figures[..]].concat());
    for ((name, _), time) in runs.engines.iter().zip(times) {
        record.push(&[
            workload.name.to_owned(),
            workload.formula.clone(),
            fits.to_owned(),
            n.to_string(),
            runs.threads.to_string(),
            (*name).to_owned(),
            time.0.len().to_string(),
            digits(time.median()),
            digits(time.best()),
            digits(speed(name, time)),
            format!("{:.3}", times[0].over(time)),
        ]);
    }
}

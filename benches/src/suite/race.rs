//! Definitions to a record: every engine a process, all of them by turns, the ones whose turn it is not stopped.
#![expect(unsafe_code, reason = "processes are stopped and continued by signals")]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::compare;
use super::definition::{self, Definition};
use super::engines::{self, ENGINES, Host, LIMIT_FMA, LIMIT_MEMORY, NUMLIFT};
use super::page;
use super::worker::Job;
use crate::Filter;
use crate::array::Array;
use crate::machine::Machine;
use crate::record::{Record, Records, digits, head, row};
use crate::turns::Samples;

const TURNS: usize = 9;

/// Turns of an engine whose runs take longer than [`LONG`].
const LONG_TURNS: usize = 3;
const LONG: u64 = 1_000_000_000;

/// Arrays that about fill the last cache are faster or slower by the pages that they get: rows of fewer elements than these that
/// several threads work on take a third of their turns each in processes of their own.
const BEYOND_CACHES: usize = 4 << 20;
const ROUNDS: usize = 3;

/// Nanoseconds of a turn.
const TURN: u64 = 40_000_000;

/// Fresh processes for numlift's time to a first result; that of others is many times longer, and one does.
const COLD: usize = 3;

/// One line of the record: an engine on a workload of a size.
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) limit: definition::Limit,
    pub(crate) n: usize,
    pub(crate) threads: usize,
    pub(crate) engine: &'static str,
    /// Microseconds from the text to the first result in a fresh process, where it was measured.
    pub(crate) cold_us: Option<f64>,
    /// Nanoseconds an element: the median of the turns.
    pub(crate) ns: f64,
    turns: usize,
    pub(crate) best_ns: f64,
    /// numlift's time over this engine's, the median over the turns.
    pub(crate) numlift_over_this: f64,
    /// In the units of [`compare::distance`].
    pub(crate) distance: f64,
    /// The time that the nearer limit asks for over this engine's time.
    pub(crate) share_of_limit: f64,
}

const HEADER: &str = "workload,limit,elements,threads,engine,turns,cold_us,ns_per_element,best_ns_per_element,numlift_over_this,distance_ulp,share_of_limit";

const COLUMNS: [(&str, usize); 8] = [
    ("workload", 22),
    ("elements", 10),
    ("threads", 8),
    ("engine", 19),
    ("cold ms", 10),
    ("ns/elem", 9),
    ("numlift/this", 13),
    ("of limit", 9),
];

/// Runs what the filter takes; a result that is not numlift's is an error.
pub(crate) fn measure(machine: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    let directory = engines::root().join("target/suite");
    fs::create_dir_all(&directory)?;
    let mut rows = Vec::new();
    let definitions = definition::all()?;
    head(&COLUMNS);
    for definition in definitions.iter().filter(|definition| filter.takes(&definition.name)) {
        for (k, &n) in definition.sizes.iter().enumerate() {
            let threads = if n < 100_000 { 1 } else { machine.cores };
            race(definition, &directory, n, threads, k == 0, &mut rows)?;
        }
    }
    let mut record = Record::new("suite", HEADER);
    rows.iter().for_each(|row| record.push(&row.cells()));
    let mut records = Records::of(record);
    records.add_page("suite.html", page::page(machine, &definitions, &rows));
    Ok(records)
}

/// Every engine on one workload of one size.
fn race(
    definition: &Definition,
    directory: &Path,
    n: usize,
    threads: usize,
    cold: bool,
    rows: &mut Vec<Row>,
) -> Result<(), Box<dyn Error>> {
    let case = definition.case(n);
    for (input, array) in definition.inputs.iter().zip(&case.inputs) {
        fs::write(directory.join(&input.name).with_extension("bin"), array.bytes())?;
    }
    drop(case);
    let mut workers: Vec<Worker> = Vec::new();
    let mut colds = Vec::new();
    for (engine, host) in ENGINES {
        let job = job(engine, definition, directory, n, threads);
        let mut times = Vec::new();
        let fresh = if cold && engine.starts_with(NUMLIFT) { COLD } else { 1 };
        for k in 0..fresh {
            match Worker::start(engine, host, &job, definition) {
                Ok((worker, first)) => {
                    times.push(first as f64 / 1e3);
                    if k == 0 {
                        workers.push(worker);
                    }
                }
                Err(why) => {
                    if cold && !engines::is_limit(engine) {
                        println!("{:22}{n:>10}{threads:>8}{engine:>19}  {why}", definition.name);
                    }
                    break;
                }
            }
        }
        if !times.is_empty() {
            // A C compiler's time is not in a loop's first run.
            colds.push((cold && host != Host::C).then(|| Samples(times).median()));
        }
    }
    let distances = check(definition, directory, n, &mut workers)?;
    let rounds = if threads > 1 && n < BEYOND_CACHES { ROUNDS } else { 1 };
    let mut samples = turns(&mut workers, n, TURNS / rounds)?;
    for _ in 1..rounds {
        // Other pages of memory.
        let again: Vec<(&str, Host)> = workers.drain(..).map(|worker| (worker.engine, worker.host)).collect();
        for (engine, host) in again {
            let job = job(engine, definition, directory, n, threads);
            workers.push(Worker::start(engine, host, &job, definition)?.0);
        }
        let more = turns(&mut workers, n, TURNS / rounds)?;
        samples.iter_mut().zip(more).for_each(|(samples, more)| samples.0.extend(more.0));
    }
    report(definition, (n, threads), &workers, &colds, &distances, &samples, rows)
}

fn job(engine: &str, definition: &Definition, directory: &Path, n: usize, threads: usize) -> Job {
    let (definition, directory) = (definition.path.clone(), directory.to_owned());
    Job { engine: engine.to_owned(), definition, directory, n, threads }
}

/// Each engine's distance from numlift's result.
fn check(
    definition: &Definition,
    directory: &Path,
    n: usize,
    workers: &mut [Worker],
) -> Result<Vec<f64>, Box<dyn Error>> {
    let read = |engine: &str| -> Result<Vec<Array>, Box<dyn Error>> {
        let file = |name: &String| directory.join(format!("{engine}.{name}.bin"));
        definition
            .outputs
            .iter()
            .map(|output| Ok(Array::from_bytes(output.dtype, &fs::read(file(&output.name))?)))
            .collect()
    };
    let mut distances = Vec::new();
    let mut expected = Vec::new();
    for worker in workers.iter_mut() {
        if engines::is_limit(worker.engine) {
            distances.push(0.0);
            continue;
        }
        worker.ask("check")?;
        let found = read(worker.engine)?;
        if worker.engine == NUMLIFT {
            expected = found;
            if n == definition.checked_size() {
                checksum(definition, &expected)?;
            }
            distances.push(0.0);
            continue;
        }
        let pairs = || expected.iter().zip(&found);
        let exact = worker.engine.starts_with(NUMLIFT);
        let (distance, allowed) = match definition.ulp {
            ulp if ulp >= 0 || exact => {
                let scale = if exact { 0.0 } else { definition.scale };
                let distance = pairs().map(|(x, y)| compare::distance(x, y, scale)).fold(0.0, f64::max);
                (distance, if exact { 0.0 } else { ulp as f64 })
            }
            _ => (pairs().map(|(x, y)| compare::averages(x, y)).fold(0.0, f64::max), 1e-3),
        };
        if distance > allowed {
            let (name, engine) = (&definition.name, worker.engine);
            return Err(format!(
                "{name}, {n} elements: {engine} is {distance} off numlift's result, {allowed} are allowed"
            )
            .into());
        }
        distances.push(distance);
    }
    Ok(distances)
}

/// Fails unless the bits are those that the definition tells.
fn checksum(definition: &Definition, found: &[Array]) -> Result<(), Box<dyn Error>> {
    let found = found.iter().map(compare::checksum).collect::<Vec<_>>().join(" ");
    match &definition.checksum {
        Some(expected) if *expected == found => Ok(()),
        expected => {
            let expected = expected.as_deref().unwrap_or("none");
            Err(format!("{}: checksum = \"{found}\", its file has {expected}", definition.name).into())
        }
    }
}

/// Nanoseconds an element, turn by turn, of every worker.
fn turns(workers: &mut [Worker], n: usize, most: usize) -> Result<Vec<Samples>, Box<dyn Error>> {
    let (mut repeats, mut counts) = (Vec::new(), Vec::new());
    for worker in workers.iter_mut() {
        let mut times = 1;
        loop {
            let ns: u64 = worker.ask(&format!("run {times}"))?.parse()?;
            if ns >= TURN / 8 {
                repeats.push((times * TURN / ns).max(1));
                counts.push(if ns > LONG { LONG_TURNS.min(most) } else { most });
                break;
            }
            times *= if ns < TURN / 1000 { 64 } else { 4 };
        }
    }
    let mut samples = vec![Samples(Vec::new()); workers.len()];
    for turn in 0..most {
        for (k, worker) in workers.iter_mut().enumerate().filter(|(k, _)| turn < counts[*k]) {
            let ns: f64 = worker.ask(&format!("run {}", repeats[k]))?.parse()?;
            samples[k].0.push(ns / repeats[k] as f64 / n as f64);
        }
    }
    Ok(samples)
}

fn report(
    definition: &Definition,
    (n, threads): (usize, usize),
    workers: &[Worker],
    colds: &[Option<f64>],
    distances: &[f64],
    samples: &[Samples],
    rows: &mut Vec<Row>,
) -> Result<(), Box<dyn Error>> {
    let of = |engine: &str| workers.iter().position(|worker| worker.engine == engine).map(|k| &samples[k]);
    let numlift = of(NUMLIFT).ok_or("numlift runs every workload of the suite")?;
    let limit = |engine: &str| of(engine).map_or(0.0, Samples::median);
    let limit = limit(LIMIT_MEMORY).max(limit(LIMIT_FMA));
    for (k, worker) in workers.iter().enumerate() {
        let line = Row {
            workload: definition.name.clone(),
            limit: definition.limit,
            n,
            threads,
            engine: worker.engine,
            cold_us: colds[k],
            ns: samples[k].median(),
            turns: samples[k].0.len(),
            best_ns: samples[k].best(),
            numlift_over_this: numlift.over(&samples[k]),
            distance: distances[k],
            share_of_limit: limit / samples[k].median(),
        };
        row(&COLUMNS, &line.shown());
        rows.push(line);
    }
    Ok(())
}

impl Row {
    fn shown(&self) -> [String; 8] {
        [
            self.workload.clone(),
            self.n.to_string(),
            self.threads.to_string(),
            self.engine.to_owned(),
            self.cold_us.map_or(String::new(), |us| digits(us / 1e3)),
            digits(self.ns),
            format!("{:.2}", self.numlift_over_this),
            format!("{:.0} %", self.share_of_limit * 100.0),
        ]
    }

    fn cells(&self) -> [String; 12] {
        [
            self.workload.clone(),
            match self.limit {
                definition::Limit::Memory => "memory",
                definition::Limit::Compute => "compute",
            }
            .to_owned(),
            self.n.to_string(),
            self.threads.to_string(),
            self.engine.to_owned(),
            self.turns.to_string(),
            self.cold_us.map_or(String::new(), digits),
            format!("{:.4}", self.ns),
            format!("{:.4}", self.best_ns),
            format!("{:.3}", self.numlift_over_this),
            format!("{:.3}", self.distance),
            format!("{:.3}", self.share_of_limit),
        ]
    }
}

/// A process that is stopped unless it is asked something.
struct Worker {
    engine: &'static str,
    host: Host,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// The worker, stopped, and the nanoseconds to its first result.
    fn start(
        engine: &'static str,
        host: Host,
        job: &Job,
        definition: &Definition,
    ) -> Result<(Worker, u64), Box<dyn Error>> {
        let mut command = engines::command(host, job, definition)?;
        let errors = job.directory.join(PathBuf::from(engine)).with_extension("err");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(&errors)?);
        let mut child = command.spawn()?;
        let input = child.stdin.take().expect("the input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let mut worker = Worker { engine, host, child, input, output };
        let line = worker.line()?;
        match line.split_once(' ') {
            Some(("ready", ns)) => {
                let ns = ns.parse()?;
                worker.signal(libc::SIGSTOP);
                Ok((worker, ns))
            }
            Some(("cannot", why)) => Err(why.to_owned().into()),
            _ => Err(format!("it ended; see {}", errors.display()).into()),
        }
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// The answer to a line.
    fn ask(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        self.signal(libc::SIGCONT);
        writeln!(self.input, "{line}")?;
        let answer = self.line()?;
        self.signal(libc::SIGSTOP);
        if answer.is_empty() { Err(format!("{} ended at `{line}`", self.engine).into()) } else { Ok(answer) }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the process is a child that has not been waited for, so the number is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A process that has ended already is no worse.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

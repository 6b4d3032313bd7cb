//! A definition to times of one engine, in a process of its own; the process that races them speaks to it in lines.
//!
//! On start a worker prints `ready <nanoseconds to the first result>` or `cannot <why>`. Then it answers `check` with `checked` once its results
//! are in files `<engine>.<output>.bin`, and `run <times>` with nanoseconds: of the wall where several threads work, else of the process.
//! Several threads work half as long before the clock starts: a system may put all of them on one core when they wake, and takes some milliseconds
//! until it moves them.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::time::Instant;

use numlift::{Backend, Bound, Engine, View, ViewMut};

use super::definition::Definition;
use super::engines::{self, Loop};
use crate::array::{self, Array};
use crate::peers::Workers;
use crate::turns::Clock;
use crate::workloads::Case;

/// The worker's command line behind the word that asks for one.
pub(crate) struct Job {
    pub(crate) engine: String,
    pub(crate) definition: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) n: usize,
    pub(crate) threads: usize,
}

impl Job {
    pub(crate) fn from_words(words: &[String]) -> Result<Job, Box<dyn Error>> {
        let [engine, definition, directory, n, threads] = words else {
            return Err("worker: engine, definition, directory, elements, threads".into());
        };
        Ok(Job {
            engine: engine.clone(),
            definition: definition.into(),
            directory: directory.into(),
            n: n.parse()?,
            threads: threads.parse()?,
        })
    }

    pub(crate) fn words(&self) -> [String; 5] {
        let path = |path: &Path| path.display().to_string();
        [
            self.engine.clone(),
            path(&self.definition),
            path(&self.directory),
            self.n.to_string(),
            self.threads.to_string(),
        ]
    }
}

/// What does the work.
enum Work {
    Numlift(Box<Bound>),
    Loop(Loop, Workers),
}

/// Serves until the input ends.
pub(crate) fn serve(words: &[String]) -> Result<(), Box<dyn Error>> {
    let job = Job::from_words(words)?;
    let definition = Definition::read(&job.definition)?;
    let mut case = definition.case(job.n);
    let start = Instant::now();
    let work = match Work::new(&job, &definition) {
        Ok(work) => work,
        Err(error) => {
            println!("cannot {}", error.to_string().lines().next().unwrap_or_default());
            return Ok(());
        }
    };
    work.run(&definition, &mut case, 1);
    println!("ready {}", start.elapsed().as_nanos());
    let clock = if job.threads > 1 { Clock::Wall } else { Clock::Process };
    for line in io::stdin().lock().lines() {
        match line?.split_once(' ') {
            Some(("run", times)) => {
                let times = times.parse()?;
                if job.threads > 1 {
                    work.run(&definition, &mut case, times / 2);
                }
                let start = clock.now();
                work.run(&definition, &mut case, times);
                println!("{}", clock.now() - start);
            }
            _ => {
                work.run(&definition, &mut case, 1);
                store(&job, &definition, &case)?;
                println!("checked");
            }
        }
    }
    Ok(())
}

impl Work {
    fn new(job: &Job, definition: &Definition) -> Result<Work, Box<dyn Error>> {
        let backend = match job.engine.as_str() {
            engines::NUMLIFT => Some(Backend::Auto),
            engines::NUMLIFT_256 if !crate::peers::has_512_bits() => {
                return Err("numlift's vectors have 256 bits anyway".into());
            }
            engines::NUMLIFT_256 => Some(Backend::X64),
            "numlift-cranelift" => Some(Backend::Cranelift),
            _ => None,
        };
        if let Some(backend) = backend {
            let engine = Engine::builder().threads(job.threads).backend(backend).build()?;
            let bound = engine.compile(&definition.formula)?.bind(&definition.schema())?;
            return Ok(Work::Numlift(Box::new(bound)));
        }
        let peer = engines::rust(&job.engine, definition).ok_or("the suite has no such loop")?;
        Ok(Work::Loop(peer, Workers::new(job.threads)))
    }

    fn run(&self, definition: &Definition, case: &mut Case, times: usize) {
        match self {
            Work::Loop(peer, workers) => (0..times).for_each(|_| peer(case, workers)),
            Work::Numlift(bound) => {
                let shape = definition.shape(case.inputs[0].len());
                let Case { inputs: arrays, output: written } = case;
                // In the order in which the formula names them.
                let params = bound.kernel().params().iter();
                let inputs: Vec<View<'_>> =
                    params.map(|param| given(definition, arrays, &shape, param.name())).collect();
                let mut outputs: Vec<ViewMut<'_>> = Vec::new();
                let mut rest = written.bytes_mut();
                for output in &definition.outputs {
                    let shape: &[usize] = if output.single { &[] } else { &shape };
                    let bytes = shape.iter().product::<usize>() * output.dtype.size();
                    let (this, others) = rest.split_at_mut(bytes);
                    rest = others;
                    outputs.push(array::shaped_mut(output.dtype, this, shape));
                }
                for _ in 0..times {
                    bound.run(&inputs, &mut outputs).expect("the kernel runs");
                }
            }
        }
    }
}

/// The array or number that a parameter stands for.
fn given<'a>(definition: &'a Definition, arrays: &'a [Array], shape: &[usize], name: &str) -> View<'a> {
    if let Some(place) = definition.inputs.iter().position(|input| input.name == name) {
        return arrays[place].shaped(shape);
    }
    let scalar = definition.scalars.iter().find(|(known, _)| known == name);
    View::from(&scalar.unwrap_or_else(|| panic!("the definition has no `{name}`")).1)
}

fn store(job: &Job, definition: &Definition, case: &Case) -> io::Result<()> {
    let mut rest = case.output.bytes();
    for output in &definition.outputs {
        let (this, others) = rest.split_at(output.dtype.size() * if output.single { 1 } else { job.n });
        rest = others;
        fs::write(job.directory.join(format!("{}.{}.bin", job.engine, output.name)), this)?;
    }
    Ok(())
}

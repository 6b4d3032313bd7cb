//! The engines of the suite: which there are, how each is started, and the loops in Rust by workload.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use numlift::DType;

use super::definition::Definition;
use super::worker::Job;
use crate::peers::{self, Peer, Workers};
use crate::workloads::Case;

/// How an engine comes to run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Host {
    /// In this program.
    Rust,
    /// By `peers/worker.py` in the environment that `peers/setup` makes.
    Python,
    /// By the C compiler, from `peers/worker.c`.
    C,
}

/// The first is what the others are compared with; a limit is what no engine can pass.
pub(crate) const ENGINES: [(&str, Host); 14] = [
    (NUMLIFT, Host::Rust),
    (NUMLIFT_256, Host::Rust),
    ("numlift-cranelift", Host::Rust),
    ("rust", Host::Rust),
    ("rust-avx2", Host::Rust),
    ("gcc", Host::C),
    (GCC_512, Host::C),
    ("numba", Host::Python),
    ("jax", Host::Python),
    ("symjit", Host::Python),
    ("numexpr", Host::Python),
    ("numpy", Host::Python),
    (LIMIT_MEMORY, Host::Rust),
    (LIMIT_FMA, Host::Rust),
];

pub(crate) const NUMLIFT: &str = "numlift";

/// Loads and stores of as many bytes as the workload's, and nothing else.
pub(crate) const LIMIT_MEMORY: &str = "limit-memory";

/// As many fused multiply-adds as the workload's operations come to, in registers.
pub(crate) const LIMIT_FMA: &str = "limit-fma";

/// Code for vectors of 256 bits where the machine, and so numlift, has wider ones.
pub(crate) const NUMLIFT_256: &str = "numlift-256";

/// C for vectors of 512 bits, which the compiler has to be told to prefer.
const GCC_512: &str = "gcc-512";

/// Whether an engine is one that numlift is compared with.
pub(crate) fn is_peer(engine: &str) -> bool {
    !engine.starts_with(NUMLIFT) && !is_limit(engine)
}

/// Whether an engine measures the machine instead of the workload.
pub(crate) fn is_limit(engine: &str) -> bool {
    [LIMIT_MEMORY, LIMIT_FMA].contains(&engine)
}

/// A loop in Rust.
pub(crate) type Loop = Box<dyn Fn(&mut Case, &Workers)>;

/// The loop that does a workload, if there is one.
pub(crate) fn rust(engine: &str, definition: &Definition) -> Option<Loop> {
    let flops = definition.flops;
    match engine {
        LIMIT_MEMORY => Some(Box::new(peers::limits::traffic)),
        LIMIT_FMA if flops > 0 => Some(Box::new(move |case, workers| peers::limits::arithmetic(flops, case, workers))),
        "rust" => plain(&definition.name).map(|peer| Box::new(peer) as Loop),
        "rust-avx2" => peers::by256::by_hand(&definition.name).map(|peer| Box::new(peer) as Loop),
        _ => None,
    }
}

fn plain(workload: &str) -> Option<Peer> {
    Some(match workload {
        "a*b+c" => peers::triad,
        "2a+3b-4cd f32" => peers::four,
        "Horner 16" => peers::horner,
        "exp(-x*x)" => peers::bell,
        "sin(x)*cos(y)+sqrt" => peers::waves_and_norm,
        "haversine" => peers::haversine,
        "where(a>b, a*b, a-b)" => peers::choice,
        "sum(a*b)" => peers::dot,
        "(x-mean(x))/std(x)" => peers::standard_score,
        "Mandelbrot" => peers::mandelbrot,
        "heat 5-point" => peers::heat,
        "log1p(x)" => peers::log1p,
        "tanh(x)" => peers::tanh,
        "sigmoid(x)" => peers::sigmoid,
        "x**y" => peers::power_of,
        "(a*31+b)%97 i64" => peers::modulo64,
        "mix u32" => peers::mix,
        "i32+f32 -> f64" => peers::mixed_half,
        _ => return None,
    })
}

/// The command that starts a worker, or why there is none.
pub(crate) fn command(host: Host, job: &Job, definition: &Definition) -> Result<Command, Box<dyn Error>> {
    match host {
        Host::Rust => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("worker").args(job.words());
            Ok(command)
        }
        Host::Python => {
            let python = root().join("target/peers/bin/python");
            if !python.exists() {
                return Err("run benches/peers/setup first".into());
            }
            let mut command = Command::new(python);
            command.arg(root().join("benches/peers/worker.py")).args(job.words());
            // Where SVML lies, which Numba looks for by name.
            command.env("LD_LIBRARY_PATH", root().join("target/peers/lib"));
            // An allocator that gives pages back would meet them anew at each call.
            command.env("MALLOC_MMAP_THRESHOLD_", "8589934592").env("MALLOC_TRIM_THRESHOLD_", "8589934592");
            Ok(command)
        }
        Host::C => {
            let program = compile(definition, job)?;
            let mut command = Command::new(program);
            command.arg(&job.directory).arg(job.n.to_string()).arg(job.threads.to_string());
            command.env("OMP_NUM_THREADS", job.threads.to_string());
            Ok(command)
        }
    }
}

/// Where the repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a directory of the repository")
}

/// The worker in C with the definition's body.
fn compile(definition: &Definition, job: &Job) -> Result<PathBuf, Box<dyn Error>> {
    let directory = &job.directory;
    let body = definition.gcc.as_ref().ok_or("the definition has no body for it")?;
    fs::write(directory.join("job.h"), header(definition, body))?;
    let program = directory.join("worker-c").with_extension(&job.engine);
    let mut command = Command::new("gcc");
    command.args(["-O3", "-march=native", "-ffast-math", "-fopenmp"]).arg(format!("-DENGINE=\"{}\"", job.engine));
    if job.engine == GCC_512 {
        if !peers::has_512_bits() {
            return Err("the machine has no vectors of 512 bits".into());
        }
        command.arg("-mprefer-vector-width=512");
    }
    command.arg("-I").arg(directory).arg(root().join("benches/peers/worker.c")).arg("-o").arg(&program).arg("-lm");
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("gcc: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(program)
}

fn header(definition: &Definition, body: &str) -> String {
    let mut text = String::new();
    let (mut load, mut store) = (String::new(), String::new());
    for input in &definition.inputs {
        let (name, ty) = (&input.name, c_type(input.dtype));
        text += &format!("static const {ty} *restrict {name};\n");
        load += &format!("    {name} = from_file(directory, \"{name}\", n * sizeof({ty}));\n");
    }
    for output in &definition.outputs {
        let (name, ty, count) = (&output.name, c_type(output.dtype), if output.single { "1" } else { "n" });
        text += &format!("static {ty} *restrict {name};\n");
        load += &format!("    {name} = aligned({count} * sizeof({ty}));\n");
        store += &format!("    to_file(directory, \"{name}\", {name}, {count} * sizeof({ty}));\n");
    }
    for (name, value) in &definition.scalars {
        text += &format!("static const double {name} = {value:?};\n");
    }
    text += &format!("static void load(const char *directory) {{\n{load}}}\n");
    text += &format!("static void store(const char *directory) {{\n{store}}}\n");
    text += &format!("static __attribute__((noinline)) void body(void) {{\n{body}}}\n");
    text
}

fn c_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F64 => "double",
        DType::F32 => "float",
        DType::I64 => "int64_t",
        DType::I32 => "int32_t",
        DType::U32 => "uint32_t",
        other => panic!("no workload has arrays of {other}"),
    }
}

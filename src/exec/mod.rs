//! Code and arrays to results: what a run needs of threads, memory and the processor's modes.

#[cfg(test)]
mod differential;
mod feed;
pub(crate) mod float_env;
mod fold;
mod host;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod lines;
mod neighbours;
mod pieces;
pub(crate) mod plain;
pub(crate) mod plan;
pub(crate) mod pool;
mod prefix;
mod program;
mod reduce;
mod rims;
mod rows;
mod run;
mod scan;
pub(crate) mod stop;
pub(crate) mod stream;
#[cfg(test)]
mod tests;

pub(crate) use feed::{Feed, HostCall};
pub(crate) use fold::BLOCK;
pub(crate) use host::{HostArguments, HostFunction, HostFunctions};
pub(crate) use program::{ByRows, Layout, Machine, Program};
pub(crate) use reduce::{Reducing, Target, accumulator, blocks, reduce, total};
pub(crate) use rows::by_rows;
pub(crate) use run::{Budget, Input, Job, Report, Resources, run, scalar};
pub use stop::Cancel;

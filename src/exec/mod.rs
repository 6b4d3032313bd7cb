//! Code and arrays to results: what a run needs of threads, memory and the processor's modes.

pub(crate) mod float_env;
pub(crate) mod pool;
pub(crate) mod stop;
pub(crate) mod stream;

pub use stop::Cancel;

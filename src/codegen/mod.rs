//! Strips to machine code that runs.

pub(crate) mod code;
mod os;

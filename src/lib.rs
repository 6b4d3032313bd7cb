//! Compiles numeric formulas to SIMD machine code at run time and runs them over arrays on all cores.

mod source;
mod error;
mod dtype;
mod view;
mod target;
mod syntax;
mod ir;
mod functions;
mod resolve;
mod lower;
mod math;
mod interp;
mod passes;
mod stage;
mod strip;
mod codegen;
mod exec;
mod args;
mod engine;

pub use crate::args::{Args, Backend, Outputs, Param, Schema, Stats};
pub use crate::dtype::{DType, Element};
pub use crate::engine::{Bound, Builder, Engine, Kernel};
pub use crate::error::{Error, ErrorKind};
pub use crate::exec::Cancel;
pub use crate::source::Span;
pub use crate::view::{View, ViewMut};

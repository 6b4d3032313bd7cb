//! Compiles numeric formulas to SIMD machine code at run time and runs them over arrays on all cores.
//!
//! ```
//! use numlift::{Args, Engine};
//!
//! let engine = Engine::new()?;
//! let axpy = engine.compile("a * x + y")?;
//! let (x, y) = (vec![1.0_f32, 2.0, 3.0], vec![10.0_f32, 20.0, 30.0]);
//! let mut out = vec![0.0_f32; 3];
//! axpy.run(Args::new().scalar("a", 2.0).input("x", &x).input("y", &y).output(&mut out))?;
//! assert_eq!(out, [12.0, 24.0, 36.0]);
//! # Ok::<(), numlift::Error>(())
//! ```
//!
//! An [`Engine`] has threads and memory for code. It compiles a text into a [`Kernel`], which takes arrays of any
//! [`DType`] and shape: code is made when a combination of dtypes and ranks is first met. [`Args`] name what a run reads
//! and writes, as [`View`]s of memory that stays the caller's; [`Kernel::eval`] allocates the outputs instead. A
//! [`Schema`] checks a formula before there is data, and [`Bound`] makes calls with small arrays cheap. Formulas may come
//! from strangers: no text panics, hangs or reads out of bounds, and a [`Builder`] sets what one may cost. What is wrong
//! is an [`Error`] with a place in the text, for the one who wrote it.
//!
//! # How it works
//!
//! Data walks through the modules in the order in which this file lists them, and each imports only from those above it:
//!
//! | step | from | to |
//! | --- | --- | --- |
//! | `syntax` | text | a tree |
//! | `resolve` | a tree | one of which every name is known |
//! | `lower` | it and the types of the arguments | a graph: what one element of the result is |
//! | `passes` | a graph | one that is less work, of what vectors can do |
//! | `stage` | a graph | one for each shape of outputs |
//! | `strip` | a stage | a program for a group of elements in vector registers |
//! | `codegen` | a strip | machine code |
//! | `exec` | code and arrays | results, in chunks on all cores |
//!
//! `interp` evaluates the graph as `lower` left it: it is the meaning of the language, and compiled code equals it to the
//! bit. Results do not depend on threads, chunks, strides or the machine.

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

pub use crate::args::{Accuracy, Args, Backend, Outputs, Param, Schema, Stats};
pub use crate::dtype::{DType, Element};
pub use crate::engine::{Bound, Builder, Engine, Kernel, Module, Partial};
pub use crate::error::{Error, ErrorKind};
pub use crate::exec::Cancel;
pub use crate::source::Span;
pub use crate::view::{View, ViewMut};

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

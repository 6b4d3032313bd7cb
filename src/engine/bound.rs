//! A kernel with its types fixed: calls by position, with nothing looked up and nothing allocated.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::kernel::Kernel;
use super::run::{Inputs, Run, is_same};
use super::variant::Variant;
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{self, Input};
use crate::view::{View, ViewMut};

/// A kernel for parameters of fixed dtypes and ranks, as [`Kernel::bind`] gives it; or `Bound<fn(A) -> R>`, a function of
/// scalars, as [`Kernel::bind_fn`] gives it.
///
/// ```
/// use numlift::{DType, Engine, Schema, View, ViewMut};
/// let schema = Schema::new().array("x", DType::F32, 1).scalar("a", DType::F32);
/// let bound = Engine::new()?.compile("a * x")?.bind(&schema)?;
/// let (x, mut out) = ([1.0_f32, 2.0, 4.0], [0.0_f32; 3]);
/// bound.run(&[View::from(&2.0_f32), View::from(&x)], &mut [ViewMut::from(&mut out)])?;
/// assert_eq!(out, [2.0, 4.0, 8.0]);
/// # Ok::<(), numlift::Error>(())
/// ```
pub struct Bound<F = ()> {
    kernel: Kernel,
    variant: Arc<Variant>,
    function: PhantomData<F>,
}

impl<F> Bound<F> {
    pub(super) fn new(kernel: Kernel, variant: Arc<Variant>) -> Bound<F> {
        Bound { kernel, variant, function: PhantomData }
    }

    /// The kernel that this was made from.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

impl<F> Clone for Bound<F> {
    fn clone(&self) -> Bound<F> {
        Bound::new(self.kernel.clone(), Arc::clone(&self.variant))
    }
}

impl<F> fmt::Debug for Bound<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("kernel", &self.kernel).finish_non_exhaustive()
    }
}

impl Bound {
    /// Runs the kernel: an input for each of [`Kernel::params`], an array for each of [`Kernel::outputs`], in their order.
    ///
    /// A scalar is `View::from(&x)`; what the schema calls an integer is an `i64`, a number an `f64`. Arrays in C order up
    /// to a few thousand elements cost a fraction of a microsecond besides the work itself; nothing is allocated.
    ///
    /// # Errors
    /// If a count, a dtype or a rank is not that of the schema, or shapes do not fit; if a number without a dtype does not
    /// fit the one it meets; if the run is beyond the engine's deadline.
    pub fn run(&self, inputs: &[View<'_>], outputs: &mut [ViewMut<'_>]) -> Result<(), Error> {
        let (formula, variant) = (&*self.kernel.0, &*self.variant);
        check_count("input", inputs.len(), variant.params.len())?;
        check_count("output", outputs.len(), variant.lowered.outputs.len())?;
        let shape = outputs[0].extents();
        // The usual case by far: no array is repeated along any axis.
        let mut all_alike = true;
        let mut given = Inputs::new();
        for (k, (view, expected)) in inputs.iter().zip(&variant.expected).enumerate() {
            if (view.dtype(), view.rank()) != *expected || view.fault().is_some() {
                return Err(self.unfit(k, view));
            }
            if view.rank() == 0 {
                given.push(Input::Scalar(view.bits(&[])));
            } else {
                all_alike &= is_same(view.extents(), shape);
                given.push(Input::Array(view));
            }
        }
        let run = Run { formula, lowered: &variant.lowered, params: &variant.params, inputs: &given };
        for (k, output) in outputs.iter().enumerate() {
            if let Some(fault) = output.fault() {
                return Err(in_array(fault, "output", &formula.output_names[k]));
            }
            formula.check_output_dtype(&variant.lowered, k, output.dtype())?;
            all_alike &= is_same(output.extents(), shape);
        }
        let is_timed = formula.engine.0.bounds.deadline.is_some();
        if all_alike && !is_timed && run.without_plan(variant, outputs)? {
            return Ok(());
        }
        if variant.plain_fold_len > 0 && !is_timed && run.totals_without_plan(variant, outputs)? {
            return Ok(());
        }
        all_alike &= variant.totals.is_empty();
        if !all_alike {
            run.check_output_shapes(outputs)?;
        }
        let stop = formula.stop(&variant.lowered, None, None);
        if all_alike && variant.stages.len() == 1 {
            return run.execute(variant, outputs, &stop).map(drop);
        }
        let groups = run.groups(outputs)?;
        if groups == variant.groups {
            return run.execute(variant, outputs, &stop).map(drop);
        }
        let (variant, _) = formula.variant(&variant.params, &variant.lowered, groups)?;
        run.execute(&variant, outputs, &stop).map(drop)
    }

    /// Why the view is not what the parameter is bound to.
    #[cold]
    fn unfit(&self, k: usize, view: &View<'_>) -> Error {
        let (name, param) = (&self.kernel.0.param_names[k], &self.variant.params[k]);
        if let Some(fault) = view.fault() {
            return in_array(fault, "parameter", name);
        }
        let message = format!(
            "the parameter `{name}` is bound to {} of rank {}, found {} of rank {}",
            param.dtype(),
            param.rank(),
            view.dtype(),
            view.rank()
        );
        Error::new(ErrorKind::Argument, "bound-type", message)
    }
}

#[cold]
fn in_array(fault: &Error, role: &str, name: &str) -> Error {
    fault.clone().with_note(format!("in the array for the {role} `{name}`"))
}

fn check_count(role: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let plural = if expected == 1 { "" } else { "s" };
    let message = format!("the formula has {expected} {role}{plural}, found {found}");
    Err(Error::new(ErrorKind::Argument, "argument-count", message))
}

impl<A: Arguments, R: Element> Bound<fn(A) -> R> {
    /// The function's value. Takes some ten nanoseconds, and allocates nothing.
    pub fn call(&self, arguments: A) -> R {
        let bits = arguments.bits();
        // No parameter is weak or an array, so that nothing is left to be checked.
        R::from_bits64(exec::scalar(&self.variant.stages[0].program, bits.as_ref()))
    }
}

/// A tuple of up to eight scalars.
pub trait Arguments: Copy {
    #[doc(hidden)]
    const DTYPES: &[DType];

    #[doc(hidden)]
    fn bits(self) -> impl AsRef<[u64]>;
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: Element),*> Arguments for ($($name,)*) {
            const DTYPES: &[DType] = &[$($name::DTYPE),*];

            #[expect(non_snake_case, reason = "types name their values")]
            fn bits(self) -> impl AsRef<[u64]> {
                let ($($name,)*) = self;
                [$($name.to_bits64()),*] as [u64; <[&str]>::len(&[$(stringify!($name)),*])]
            }
        }
    };
}

impl Arguments for () {
    const DTYPES: &[DType] = &[];

    fn bits(self) -> impl AsRef<[u64]> {
        []
    }
}

arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);

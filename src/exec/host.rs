//! A closure over slices to a function over addresses, which says so if the closure panics.
#![expect(unsafe_code, reason = "slices are made of addresses")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::float_env::FloatEnv;
use crate::dtype::{DType, Element};
use crate::functions::Host;
use crate::syntax;

/// A function of Rust that formulas may call.
pub(crate) struct HostFunction {
    pub(crate) seen: Host,
    /// Takes where the elements of each argument are, where the results go, and how many there are.
    call: Box<Erased>,
}

type Erased = dyn Fn(&[*const u8], *mut u8, usize) + Send + Sync;

/// A tuple of one to eight types of elements: what a function of Rust takes.
pub trait HostArguments: 'static {
    #[doc(hidden)]
    const DTYPES: &[DType];

    /// A slice for each, of one length.
    type Slices<'a>;

    /// # Safety
    /// At each address are `len` initialised elements of the type that has its place, which nobody writes while the slices live.
    #[doc(hidden)]
    unsafe fn slices<'a>(starts: &[*const u8], len: usize) -> Self::Slices<'a>;
}

macro_rules! host_arguments {
    ($($name:ident $place:literal),+) => {
        impl<$($name: Element),+> HostArguments for ($($name,)+) {
            const DTYPES: &[DType] = &[$($name::DTYPE),+];

            type Slices<'a> = ($(&'a [$name],)+);

            unsafe fn slices<'a>(starts: &[*const u8], len: usize) -> Self::Slices<'a> {
                // SAFETY: the caller's promise.
                unsafe { ($(std::slice::from_raw_parts(starts[$place].cast::<$name>(), len),)+) }
            }
        }
    };
}

host_arguments!(A 0);
host_arguments!(A 0, B 1);
host_arguments!(A 0, B 1, C 2);
host_arguments!(A 0, B 1, C 2, D 3);
host_arguments!(A 0, B 1, C 2, D 3, E 4);
host_arguments!(A 0, B 1, C 2, D 3, E 4, F 5);
host_arguments!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
host_arguments!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl HostFunction {
    pub(crate) fn new<A: HostArguments, R: Element>(
        name: &str,
        function: impl Fn(A::Slices<'_>, &mut [R]) + Send + Sync + 'static,
    ) -> HostFunction {
        let seen = Host { name: syntax::normalize_name(name).into(), params: A::DTYPES.to_vec(), result: R::DTYPE };
        let call = move |starts: &[*const u8], results: *mut u8, len: usize| {
            // SAFETY: only `call` below comes here, whose caller promises it.
            let (slices, results) =
                unsafe { (A::slices(starts, len), std::slice::from_raw_parts_mut(results.cast::<R>(), len)) };
            function(slices, results);
        };
        HostFunction { seen, call: Box::new(call) }
    }

    /// Computes `len` results, which are 0 before; fails with its words if the function panics.
    ///
    /// # Safety
    /// At each address of `args` are `len` elements of the parameter's dtype (bools are 0 or 1), and there is room for as many
    /// results; all are aligned as their dtypes are.
    pub(super) unsafe fn call(&self, args: &[*const u8], results: *mut u8, len: usize) -> Result<(), String> {
        // SAFETY: the caller's promise; all dtypes have zero.
        unsafe { results.write_bytes(0, len * self.seen.result.size()) };
        // Whatever the function leaves broken is its own: elements do not outlive the run that fails.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.call)(args, results, len)));
        FloatEnv::renew();
        outcome.map_err(|panic| words(&*panic))
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it does not say why").to_owned()
}

/// Functions by the number that programs know them by.
pub(crate) type HostFunctions = Arc<[Arc<HostFunction>]>;

//! A text of several kernels, by name.

use std::fmt;
use std::sync::Arc;

use super::kernel::Kernel;
use crate::error::{Error, ErrorKind, did_you_mean};

/// The kernels of one text, as [`Engine::compile_module`](crate::Engine::compile_module) gives them. Clones are the same kernels.
#[derive(Clone)]
pub struct Module(Arc<[(Arc<str>, Kernel)]>);

impl Module {
    pub(super) fn new(kernels: Vec<(Arc<str>, Kernel)>) -> Module {
        Module(kernels.into())
    }

    /// The kernel of that name.
    ///
    /// # Errors
    /// If there is none, with the nearest name as hint.
    pub fn kernel(&self, name: &str) -> Result<&Kernel, Error> {
        if let Some((_, kernel)) = self.0.iter().find(|(known, _)| **known == *name) {
            return Ok(kernel);
        }
        let message = format!("the text has no kernel `{name}`");
        let error = Error::new(ErrorKind::Name, "unknown-kernel", message);
        Err(match did_you_mean(name, self.names()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// The names of the kernels, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Module").field(&self.names().collect::<Vec<_>>()).finish()
    }
}

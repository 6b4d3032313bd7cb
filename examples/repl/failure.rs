//! Everything that can go wrong, for the person at the keyboard.

use std::{fmt, io};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a statement or command has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine does not take the formula, or a run ended early.
    Formula(numlift::Error),
    /// A command or file is not as it should be.
    Other(String),
    /// The results cannot be written; nobody is left to be told why.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Formula(error) => f.write_str(&error.render()),
            Failure::Other(message) => f.write_str(message),
            Failure::Output(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

impl From<numlift::Error> for Failure {
    fn from(error: numlift::Error) -> Failure {
        Failure::Formula(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Other(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure::Other(message.to_owned())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

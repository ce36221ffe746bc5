//! Which computer is meant.

use crate::os;

/// A computer as the service control manager is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Machine {
    /// This one.
    Own,
    /// Another one, as `\\name`.
    Other(String),
}

impl Machine {
    /// The computer at an address.
    pub(super) fn at(address: &str) -> Self {
        if os::is_this_computer(address) {
            Self::Own
        } else {
            Self::Other(format!(r"\\{address}"))
        }
    }

    /// As the API takes it.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Own => None,
            Self::Other(name) => Some(name),
        }
    }
}

//! svcwatch: the adapters around the core.

pub mod probe;
pub mod secret;

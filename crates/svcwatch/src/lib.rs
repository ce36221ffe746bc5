//! svcwatch: the adapters around the core.

pub mod config;
pub mod dest;
pub mod probe;
pub mod secret;
pub mod store;
pub mod transport;

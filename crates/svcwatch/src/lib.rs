//! svcwatch: the adapters around the core.

pub mod config;
pub mod demo;
pub mod probe;
pub mod secret;

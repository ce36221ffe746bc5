//! svcwatch: the adapters around the core.
pub mod config;
pub mod secret;

//! svcwatch: the adapters around the core.
pub mod store;

//! svcwatch: the adapters around the core.

pub mod board;
pub mod facts;
pub mod store;

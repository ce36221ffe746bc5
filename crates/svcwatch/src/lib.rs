//! svcwatch: the adapters around the core.

pub mod board;
pub mod config;
pub mod dest;
pub mod facts;
pub mod secret;
pub mod store;
pub mod transport;
pub mod web;

//! svcwatch: the adapters around the core.

mod acks;
pub mod app;
mod asked;
pub mod board;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod demo;
pub mod dest;
mod ending;
pub mod engine;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod feed;
pub mod guests;
pub mod init;
pub mod lists;
pub mod os;
pub mod parts;
pub mod perform;
pub mod probe;
pub mod prometheus;
pub mod reload;
pub mod remedy;
pub mod rights;
pub mod runbook;
pub mod secret;
pub mod store;
pub mod template;
pub mod transport;
pub mod wanted;
pub mod web;
pub mod wiring;
mod writing;

/// The version of svcwatch.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from; `unknown` where it was not built in a checkout.
pub const COMMIT: &str = env!("SVCWATCH_COMMIT");

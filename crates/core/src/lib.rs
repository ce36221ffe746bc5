//! svcwatch-core: decides what is watched, what is wrong, what is told, to whom and when.
//!
//! It cannot do I/O, reads no clock and draws no random numbers: everything that happens comes in as an
//! [`event::Event`] with the time at which it happened, and everything that should be done goes out as an
//! [`effect::Effect`], held back until the [`record::Record`]s of the same step are durable.
//! The same crate is driven by the program's loop and by the seeded simulator.
#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::print_stderr
)]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
mod words;

pub mod account;
pub mod boot;
pub mod cause;
pub mod changes;
pub mod command_line;
pub mod effect;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod first_look;
pub mod glob;
pub mod group;
pub mod guest;
pub mod health;
pub mod hearing;
pub mod host;
pub mod id;
pub mod incident;
pub mod later;
pub mod limits;
pub mod night;
pub mod noise;
pub mod notice;
pub mod observe;
pub mod outbox;
pub mod per_user;
pub mod pipeline;
pub mod plan;
pub mod planted;
pub mod policy;
mod processes;
pub mod record;
pub mod remedy;
pub mod rhythm;
pub mod schedule;
pub mod silence;
pub mod target;
pub mod time;
pub mod view;

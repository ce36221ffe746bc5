//! Real servers for tests: Samba alone, and Samba in front of Wine's service control manager.
//!
//! Each server runs in a folder of its own on a free port, and ends with the value that stands for it.
//! Other test programs use this by `#[path = "../peers/support/mod.rs"] mod support;`.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub(crate) mod bridge;
pub(crate) mod control;
pub(crate) mod domain;
pub(crate) mod eventlog;
pub(crate) mod influx;
pub(crate) mod mosquitto;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod samba;
pub(crate) mod webhook;
pub(crate) mod windows;
pub(crate) mod wine;

/// The user that is an administrator of the test servers.
pub(crate) const ADMINISTRATOR: &str = "svcadm";

/// The user without rights on the test servers.
pub(crate) const USER: &str = "svcuser";

/// The password of both.
pub(crate) const PASSWORD: &str = "Passw0rd!";

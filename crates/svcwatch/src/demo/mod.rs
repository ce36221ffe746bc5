//! The simulated fleet: hosts that are none, read over the real protocol.
//!
//! [`World`] holds the hosts, [`Fleet`] answers for them at a port of 127.0.0.1 with the server side of MS-SCMR, and a
//! [`story`] makes outages happen to some of them. Everything that looks at them is the real thing.

pub mod cast;
mod catalogue;
mod fleet;
mod host;
mod manager;
mod names;
mod random;
pub mod story;
mod world;

pub use catalogue::SERVICES_PER_HOST;
pub use fleet::Fleet;
pub use host::{Condition, Difference};
pub use world::{Target, World};

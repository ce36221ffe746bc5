//! What svcwatch speaks by hand, without I/O: DCE/RPC PDUs, NDR, MS-SCMR, MS-EVEN and one call of MS-SRVS, both
//! sides.
//!
//! Bytes go in, values come out; nothing here opens a socket, reads a clock or allocates more than
//! its input justifies. A decoder answers with a [`WireError`], never with a panic, whatever it is given.
//!
//! - [`ndr`]: the bounds-checked NDR32 reader and writer.
//! - [`pdu`]: bind, request, response and fault, their fragments, and the two state machines
//!   [`pdu::Client`] and [`pdu::Server`]; [`pdu::secure`] seals them.
//! - [`scmr`]: the calls of the Windows service control manager, and [`scmr::Enumeration`].
//! - [`srvs`]: how long a server runs, from its server service.
//! - [`even`]: the last events of a log, read from its end.
//! - [`limits`]: every bound in one place.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::arithmetic_side_effects,
        clippy::wildcard_enum_match_arm,
        clippy::float_arithmetic,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
pub mod even;
pub mod limits;
pub mod ndr;
pub mod pdu;
pub mod scmr;
pub mod srvs;
#[cfg(test)]
mod testing;

pub use error::{PacketKind, WireError};

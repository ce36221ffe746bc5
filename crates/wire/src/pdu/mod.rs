//! DCE/RPC packets over one connection, without security of their own, where the transport signs and encrypts, or
//! [`secure`].
//!
//! C706 (DCE 1.1: RPC), chapter 12, and MS-RPCE 2.2.2. [`Client`] and [`Server`] are state machines
//! that take fragments and give fragments; who carries them is not their business.

mod bind;
mod client;
mod header;
mod reassembly;
pub mod secure;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Progress};
pub use header::fragment_length;
pub use server::{Incoming, Server};

/// Fault: the server has no such operation (C706, appendix E, `nca_s_op_rng_error`).
pub const FAULT_NO_SUCH_OPERATION: u32 = 0x1c01_0002;
/// Fault: the handle belongs to another connection (C706, appendix E, `nca_s_fault_context_mismatch`).
pub const FAULT_CONTEXT_MISMATCH: u32 = 0x1c00_001a;
/// Fault: the interface is not bound (C706, appendix E, `nca_s_unk_if`).
pub const FAULT_UNKNOWN_INTERFACE: u32 = 0x1c01_0003;
/// Fault: the packet broke the protocol (C706, appendix E, `nca_s_proto_error`).
pub const FAULT_PROTOCOL: u32 = 0x1c01_000b;
/// Fault: the caller may not do this (MS-RPCE 3.1.1.5.5, a Win32 code).
pub const FAULT_ACCESS_DENIED: u32 = 5;
/// Fault: the server could not read the stub (MS-RPCE 3.1.1.5.5, `RPC_X_BAD_STUB_DATA`).
pub const FAULT_BAD_STUB: u32 = 0x0000_06f7;

/// The name of a fault in words, to be put behind its number.
pub(crate) const fn fault_name(status: u32) -> &'static str {
    match status {
        FAULT_NO_SUCH_OPERATION => " (no such operation)",
        FAULT_CONTEXT_MISMATCH => " (handle of another connection)",
        FAULT_UNKNOWN_INTERFACE => " (unknown interface)",
        FAULT_PROTOCOL => " (protocol error)",
        FAULT_ACCESS_DENIED => " (access denied)",
        FAULT_BAD_STUB => " (the call could not be read)",
        _ => "",
    }
}

/// An interface or a transfer syntax: a UUID as it stands on the wire, and a version (C706, 12.6.3.1, `p_syntax_id_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Syntax {
    /// The UUID in wire order: the first three parts little-endian.
    pub uuid: [u8; 16],
    /// Major version in the low half, minor version in the high half.
    pub version: u32,
}

/// The service control manager, 367abb81-9844-35f1-ad32-98f038001003 version 2.0 (MS-SCMR 1.9).
pub const SERVICE_CONTROL: Syntax = Syntax {
    uuid: [
        0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10,
        0x03,
    ],
    version: 2,
};

/// The server service, 4b324fc8-1670-01d3-1278-5a47bf6ee188 version 3.0 (MS-SRVS 1.9).
pub const SERVER_SERVICE: Syntax = Syntax {
    uuid: [
        0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1,
        0x88,
    ],
    version: 3,
};

/// The event log, 82273fdc-e32a-18c3-3f78-827929dc23ea version 0.0 (MS-EVEN 1.9).
pub const EVENT_LOG: Syntax = Syntax {
    uuid: [
        0xdc, 0x3f, 0x27, 0x82, 0x2a, 0xe3, 0xc3, 0x18, 0x3f, 0x78, 0x82, 0x79, 0x29, 0xdc, 0x23,
        0xea,
    ],
    version: 0,
};

/// NDR32, 8a885d04-1ceb-11c9-9fe8-08002b104860 version 2 (C706, appendix I).
pub const NDR: Syntax = Syntax {
    uuid: [
        0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48,
        0x60,
    ],
    version: 2,
};

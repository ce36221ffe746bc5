//! What can be wrong with bytes from the other side.

use crate::pdu::fault_name;
use core::fmt;

/// What can be wrong with bytes from the other side, or with the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("the message ends inside {what}: {need} bytes needed, {have} left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes that it needs.
        need: usize,
        /// Bytes that were left.
        have: usize,
    },
    /// A count or length is over its limit, or does not fit the bytes that came with it.
    #[error("{what} is {value}, over the limit of {limit}")]
    OverLimit {
        /// What was counted.
        what: &'static str,
        /// The value on the wire.
        value: u64,
        /// The largest that is taken.
        limit: u64,
    },
    /// A field holds a value that the protocol does not have.
    #[error("{what} has the impossible value {value:#x}")]
    BadValue {
        /// The field.
        what: &'static str,
        /// The value on the wire.
        value: u32,
    },
    /// An offset points outside its buffer, or between two UTF-16 units.
    #[error("{what} points to offset {offset} of a buffer of {size} bytes")]
    BadOffset {
        /// What the offset should lead to.
        what: &'static str,
        /// The offset on the wire.
        offset: u32,
        /// The size of the buffer, in bytes.
        size: usize,
    },
    /// A string in a buffer has no terminator.
    #[error("{what} has no end")]
    Unterminated {
        /// The string.
        what: &'static str,
    },
    /// The offsets of a buffer lead to the same text again and again, far more than the buffer holds.
    #[error("the offsets in a buffer of {size} bytes lead to more text than it can hold")]
    SharedText {
        /// The size of the buffer, in bytes.
        size: usize,
    },
    /// The answer belongs to another call.
    #[error("the answer is for call {got}, but call {expected} was asked")]
    CallId {
        /// The call that is under way.
        expected: u32,
        /// The call id on the wire.
        got: u32,
    },
    /// A packet came that does not belong here.
    #[error("a {got} packet came where {expected} was due")]
    UnexpectedPacket {
        /// What was due.
        expected: &'static str,
        /// What came.
        got: PacketKind,
    },
    /// The server refused the bind as a whole.
    #[error("the server refused the bind, reason {reason}")]
    BindRefused {
        /// `provider_reject_reason` of the `bind_nak` (C706, 12.6.3.1 and `p_reject_reason_t`).
        reason: u16,
    },
    /// The server answered the bind, but refused the interface or the transfer syntax.
    #[error("the server refused the interface, result {result}, reason {reason}")]
    InterfaceRefused {
        /// `p_cont_def_result_t` of the first result.
        result: u16,
        /// `p_provider_reason_t` of the first result.
        reason: u16,
    },
    /// The server answered the call with a fault of RPC itself.
    #[error("the server answered with RPC fault {:#010x}{}", .0, fault_name(*.0))]
    Fault(u32),
    /// A packet came without the seal that all packets of this connection bear, or with another one.
    #[error("{what} is not sealed as was agreed on")]
    Unsealed {
        /// The packet.
        what: &'static str,
    },
    /// The seal of a packet is not the one of its bytes, or the packet is out of its order.
    #[error("the seal of a packet is wrong; something between may have changed it")]
    WrongSeal,
    /// Keys that cannot seal: they give a signature that has no room in a packet, or none.
    #[error("a packet cannot be sealed with these keys")]
    CannotSeal,
    /// The connection failed on an earlier message and cannot be used any more; open another.
    #[error("this RPC connection failed earlier; open another one")]
    Broken,
}

/// The kind of a DCE/RPC packet (C706, 12.6.3.1, `PTYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketKind(pub u8);

impl PacketKind {
    /// A call.
    pub const REQUEST: Self = Self(0);
    /// An answer.
    pub const RESPONSE: Self = Self(2);
    /// An answer that is an error of RPC itself.
    pub const FAULT: Self = Self(3);
    /// The first message of a client.
    pub const BIND: Self = Self(11);
    /// The server's answer to a bind.
    pub const BIND_ACK: Self = Self(12);
    /// The server's refusal of a bind.
    pub const BIND_NAK: Self = Self(13);
    /// A further message of a client that is being bound, or wants another interface.
    pub const ALTER_CONTEXT: Self = Self(14);
    /// The server's answer to it.
    pub const ALTER_CONTEXT_ACK: Self = Self(15);
    /// The last proof of a client, which is not answered (MS-RPCE 2.2.2.5).
    pub const AUTH3: Self = Self(16);
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::REQUEST => f.write_str("request"),
            Self::RESPONSE => f.write_str("response"),
            Self::FAULT => f.write_str("fault"),
            Self::BIND => f.write_str("bind"),
            Self::BIND_ACK => f.write_str("bind_ack"),
            Self::BIND_NAK => f.write_str("bind_nak"),
            Self::ALTER_CONTEXT => f.write_str("alter_context"),
            Self::ALTER_CONTEXT_ACK => f.write_str("alter_context_resp"),
            Self::AUTH3 => f.write_str("auth3"),
            Self(other) => write!(f, "type {other}"),
        }
    }
}

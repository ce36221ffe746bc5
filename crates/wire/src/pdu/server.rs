//! The side that is called: for the simulated fleet and for tests.

use super::bind::{
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, Bind, PROVIDER_REJECTION, REASON_NOT_SPECIFIED,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, decode_bind, encode_bind_ack, encode_bind_nak,
};
use super::header::{FIRST, Header, LAST, OBJECT, Packet, begin, finish, split};
use super::reassembly::Reassembly;
use super::{FAULT_UNKNOWN_INTERFACE, Syntax};
use crate::limits::{FRAGMENT_BYTES, REQUEST_BYTES_MAX};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// What a fragment from a client leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Fragments are missing: read another.
    More,
    /// Send this back: the answer to a bind, or the fault of a call before any bind.
    Answer(Vec<u8>),
    /// A whole call. Answer it with [`Server::response`] or [`Server::fault`].
    Call {
        /// The id to answer with.
        call_id: u32,
        /// The operation.
        operation: u16,
        /// The arguments.
        stub: Vec<u8>,
    },
}

/// The called side of one RPC connection, without I/O.
#[derive(Debug)]
pub struct Server {
    interface: Syntax,
    other: Option<Syntax>,
    bound: bool,
    broken: bool,
    fragment_bytes: u16,
    /// The call whose fragments are coming in.
    call: Option<(u32, u16)>,
    request: Reassembly,
}

impl Server {
    /// Serves an interface.
    #[must_use]
    pub fn new(interface: Syntax) -> Self {
        Self {
            interface,
            other: None,
            bound: false,
            broken: false,
            fragment_bytes: FRAGMENT_BYTES,
            call: None,
            request: Reassembly::default(),
        }
    }

    /// Serves another interface too; the last bind chooses.
    #[must_use]
    pub const fn also(mut self, interface: Syntax) -> Self {
        self.other = Some(interface);
        self
    }

    /// Takes exactly one fragment. After an error the connection must be closed.
    pub fn on_fragment(&mut self, fragment: &[u8]) -> Result<Incoming, WireError> {
        if self.broken {
            return Err(WireError::Broken);
        }
        let result = self.incoming(fragment);
        self.broken = result.is_err();
        result
    }

    fn incoming(&mut self, fragment: &[u8]) -> Result<Incoming, WireError> {
        let packet = Packet::decode(fragment)?;
        match packet.header.kind {
            PacketKind::BIND if !self.request.under_way() => Ok(self.bind(&packet)),
            PacketKind::REQUEST => self.request(&packet),
            got => Err(WireError::UnexpectedPacket {
                expected: "a bind or a call",
                got,
            }),
        }
    }

    fn serves(&self, interface: Syntax) -> bool {
        interface == self.interface || Some(interface) == self.other
    }

    /// Answers a bind; one that cannot be read is refused, not an error of the connection.
    fn bind(&mut self, packet: &Packet<'_>) -> Incoming {
        let call_id = packet.header.call_id;
        let Ok(Bind { takes, contexts }) = decode_bind(packet) else {
            return Incoming::Answer(encode_bind_nak(call_id, REASON_NOT_SPECIFIED));
        };
        let results: Vec<(u16, u16)> = contexts
            .iter()
            .map(|(interface, ndr)| match (self.serves(*interface), ndr) {
                (true, true) => (ACCEPTANCE, 0),
                (true, false) => (PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED),
                (false, _) => (PROVIDER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED),
            })
            .collect();
        self.bound = results.iter().any(|(result, _)| *result == ACCEPTANCE);
        self.fragment_bytes = takes;
        Incoming::Answer(encode_bind_ack(call_id, &results))
    }

    /// Takes a fragment of a call.
    fn request(&mut self, packet: &Packet<'_>) -> Result<Incoming, WireError> {
        let call_id = packet.header.call_id;
        if !self.bound {
            return Ok(Incoming::Answer(
                self.fault(call_id, FAULT_UNKNOWN_INTERFACE),
            ));
        }
        let mut reader = packet.body()?;
        reader.u32("the size of the call")?;
        reader.u16("the context id")?;
        let operation = reader.u16("the operation")?;
        if packet.has(OBJECT) {
            reader.bytes("the object of the call", 16)?;
        }
        let part = reader.bytes("the call", reader.remaining())?;
        let (expected, first_operation) = *self.call.get_or_insert((call_id, operation));
        if expected != call_id {
            return Err(WireError::CallId {
                expected,
                got: call_id,
            });
        }
        let Some(stub) = self.request.take(packet, part, REQUEST_BYTES_MAX)? else {
            return Ok(Incoming::More);
        };
        self.call = None;
        Ok(Incoming::Call {
            call_id,
            operation: first_operation,
            stub,
        })
    }

    /// The fragments of an answer, to be sent in order.
    #[must_use]
    pub fn response(&self, call_id: u32, stub: &[u8]) -> Vec<Vec<u8>> {
        split(PacketKind::RESPONSE, call_id, 0, stub, self.fragment_bytes)
    }

    /// A fault as the answer (C706, 12.6.4.7).
    #[must_use]
    pub fn fault(&self, call_id: u32, status: u32) -> Vec<u8> {
        let header = Header {
            kind: PacketKind::FAULT,
            flags: FIRST | LAST,
            call_id,
        };
        let mut writer = begin(header, 32);
        writer.u32(0).u16(0).u16(0).u32(status).u32(0);
        finish(writer)
    }
}

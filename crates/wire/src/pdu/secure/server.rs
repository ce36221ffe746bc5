//! The side that is called, which refuses every call that is not sealed: for tests and the simulated fleet.

use super::trailer::{Sealing, Trailer, finish_with_token, split_sealed, unseal};
use super::{PRIVACY, Protection, Provider};
use crate::limits::{FRAGMENT_BYTES, REQUEST_BYTES_MAX};
use crate::pdu::bind::{
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, PROVIDER_REJECTION, REASON_NOT_SPECIFIED,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, WHOLE, begin_bind_ack, decode_bind, encode_bind_ack,
    encode_bind_nak,
};
use crate::pdu::header::{
    CALL_HEADER_BYTES, FIRST, Header, LAST, OBJECT, Packet, SIGNS_HEADERS, begin, finish,
};
use crate::pdu::reassembly::Reassembly;
use crate::pdu::{FAULT_ACCESS_DENIED, FAULT_UNKNOWN_INTERFACE, Incoming, Syntax};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// What a client's token leads to.
#[derive(Debug)]
pub enum Accepted<P> {
    /// Another token is wanted; this is the answer to it.
    Challenge(Vec<u8>),
    /// The client is who it says. The token goes back where an answer is due.
    Proved(Vec<u8>, P),
    /// It is not.
    Refused,
}

/// Who judges the tokens of clients.
pub trait Accept {
    /// The keys that a client gets.
    type Protection: Protection;

    /// By what clients prove who they are.
    fn provider(&self) -> Provider;

    /// Takes a token of the client.
    fn token(&mut self, token: &[u8], signs_headers: bool) -> Accepted<Self::Protection>;
}

/// The called side of one RPC connection. Whoever binds with less than packet privacy is let in and refused each call, as
/// Windows does it.
#[derive(Debug)]
pub struct SecureServer<A: Accept> {
    interface: Syntax,
    accept: A,
    protection: Option<A::Protection>,
    bound: bool,
    broken: bool,
    signs_headers: bool,
    context: u32,
    fragment_bytes: u16,
    call: Option<(u32, u16)>,
    request: Reassembly,
}

impl<A: Accept> SecureServer<A> {
    /// Serves an interface.
    #[must_use]
    pub fn new(interface: Syntax, accept: A) -> Self {
        Self {
            interface,
            accept,
            protection: None,
            bound: false,
            broken: false,
            signs_headers: false,
            context: 0,
            fragment_bytes: FRAGMENT_BYTES,
            call: None,
            request: Reassembly::default(),
        }
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

    /// The fragments of an answer, to be sent in order.
    pub fn response(&mut self, call_id: u32, stub: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
        let sealing = Sealing {
            kind: PacketKind::RESPONSE,
            call_id,
            operation: 0,
            fragment_bytes: self.fragment_bytes,
            provider: self.accept.provider(),
            context: self.context,
        };
        let protection = self.protection.as_mut().ok_or(WireError::CannotSeal)?;
        split_sealed(sealing, stub, protection)
    }

    /// A fault as the answer (C706, 12.6.4.7), without a seal.
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

    fn incoming(&mut self, fragment: &[u8]) -> Result<Incoming, WireError> {
        let packet = Packet::decode(fragment)?;
        match packet.header.kind {
            PacketKind::BIND | PacketKind::ALTER_CONTEXT if !self.request.under_way() => {
                self.bind(fragment, &packet)
            }
            PacketKind::AUTH3 => {
                if let Some(trailer) = Trailer::of(fragment)? {
                    self.judge(fragment.get(trailer.value).unwrap_or_default());
                }
                Ok(Incoming::More)
            }
            PacketKind::REQUEST => self.request(fragment, &packet),
            got => Err(WireError::UnexpectedPacket {
                expected: "a bind or a call",
                got,
            }),
        }
    }

    /// Takes a token; gives the one that goes back.
    fn judge(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        match self.accept.token(token, self.signs_headers) {
            Accepted::Challenge(answer) => Some(answer),
            Accepted::Proved(answer, protection) => {
                self.protection = Some(protection);
                Some(answer)
            }
            Accepted::Refused => None,
        }
    }

    fn bind(&mut self, fragment: &[u8], packet: &Packet<'_>) -> Result<Incoming, WireError> {
        let call_id = packet.header.call_id;
        let Ok(bind) = decode_bind(packet) else {
            return Ok(Incoming::Answer(encode_bind_nak(
                call_id,
                REASON_NOT_SPECIFIED,
            )));
        };
        let results: Vec<(u16, u16)> = bind
            .contexts
            .iter()
            .map(
                |(interface, ndr)| match (*interface == self.interface, ndr) {
                    (true, true) => (ACCEPTANCE, 0),
                    (true, false) => (PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED),
                    (false, _) => (PROVIDER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED),
                },
            )
            .collect();
        self.bound = results.iter().any(|(result, _)| *result == ACCEPTANCE);
        self.fragment_bytes = bind.takes;
        let provider = self.accept.provider();
        let ours = |trailer: &Trailer| (trailer.provider, trailer.level) == (provider, PRIVACY);
        let Some(trailer) = Trailer::of(fragment)?.filter(ours) else {
            return Ok(Incoming::Answer(encode_bind_ack(call_id, &results)));
        };
        let first = packet.header.kind == PacketKind::BIND;
        if first {
            self.signs_headers = packet.has(SIGNS_HEADERS);
            self.context = trailer.context;
        }
        let token = fragment.get(trailer.value).unwrap_or_default();
        let Some(answer) = self.judge(token) else {
            return Ok(Incoming::Answer(self.fault(call_id, FAULT_ACCESS_DENIED)));
        };
        let signs = if first && self.signs_headers {
            SIGNS_HEADERS
        } else {
            0
        };
        let header = Header {
            kind: if first {
                PacketKind::BIND_ACK
            } else {
                PacketKind::ALTER_CONTEXT_ACK
            },
            flags: WHOLE | signs,
            call_id,
        };
        let writer = begin_bind_ack(header, &results);
        let packet = if answer.is_empty() {
            finish(writer)
        } else {
            finish_with_token(writer, provider, self.context, &answer)?
        };
        Ok(Incoming::Answer(packet))
    }

    fn request(&mut self, fragment: &[u8], packet: &Packet<'_>) -> Result<Incoming, WireError> {
        let call_id = packet.header.call_id;
        if !self.bound {
            return Ok(Incoming::Answer(
                self.fault(call_id, FAULT_UNKNOWN_INTERFACE),
            ));
        }
        let provider = self.accept.provider();
        let context = self.context;
        let trailer = Trailer::of(fragment)?.filter(|trailer| trailer.is_of(provider, context));
        let (Some(trailer), Some(protection)) = (trailer, self.protection.as_mut()) else {
            return Ok(Incoming::Answer(self.fault(call_id, FAULT_ACCESS_DENIED)));
        };
        let plain = unseal(fragment, CALL_HEADER_BYTES, &trailer, protection)?;
        let packet = Packet::decode(&plain)?;
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
        let Some(stub) = self.request.take(&packet, part, REQUEST_BYTES_MAX)? else {
            return Ok(Incoming::More);
        };
        self.call = None;
        Ok(Incoming::Call {
            call_id,
            operation: first_operation,
            stub,
        })
    }
}

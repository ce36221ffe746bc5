//! The side that calls.

use super::trailer::{Sealing, Trailer, finish_with_token, our_context, split_sealed, unseal};
use super::{Protection, Provider};
use crate::limits::{FRAGMENT_BYTES, REPLY_BYTES_MAX};
use crate::pdu::bind::{WHOLE, begin_bind, decode_answer};
use crate::pdu::client::decode_fault;
use crate::pdu::header::{CALL_HEADER_BYTES, Header, Packet, SIGNS_HEADERS, begin};
use crate::pdu::reassembly::Reassembly;
use crate::pdu::{Progress, Syntax};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// Size of the header of a fault, in bytes: what stands in it is not encrypted (C706, 12.6.4.7).
const FAULT_HEADER_BYTES: usize = 32;

/// What the server answered to the bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its proof, or its challenge.
    pub token: Vec<u8>,
    /// Whether signatures cover the headers too, where the provider leaves that open.
    pub signs_headers: bool,
}

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waiting for the answer to the bind.
    Binding,
    /// Bound; our proof and the keys are missing.
    Proving,
    /// Waiting for the answer to our proof.
    Altering,
    /// No call is under way.
    Idle,
    /// Waiting for the answer to the call of this id.
    Calling,
    /// Something could not be understood or believed, so nothing that follows can be trusted.
    Broken,
}

/// The calling side of one RPC connection whose calls are sealed: one call at a time, without I/O.
///
/// Send [`SecureClient::bind`], give the answer to [`SecureClient::on_bind_reply`]; send [`SecureClient::prove`], which
/// is not answered, or [`SecureClient::alter`], which is; then [`SecureClient::protect`] and call.
#[derive(Debug)]
pub struct SecureClient<P> {
    interface: Syntax,
    provider: Provider,
    stage: Stage,
    call_id: u32,
    fragment_bytes: u16,
    reply: Reassembly,
    protection: Option<P>,
}

impl<P: Protection> SecureClient<P> {
    /// Prepares a connection to an interface.
    #[must_use]
    pub fn new(interface: Syntax, provider: Provider) -> Self {
        Self {
            interface,
            provider,
            stage: Stage::Binding,
            call_id: 1,
            fragment_bytes: FRAGMENT_BYTES,
            reply: Reassembly::default(),
            protection: None,
        }
    }

    /// The first message: the bind to the interface, with the first token.
    pub fn bind(&self, token: &[u8]) -> Result<Vec<u8>, WireError> {
        self.binding(PacketKind::BIND, WHOLE | SIGNS_HEADERS, token)
    }

    fn binding(&self, kind: PacketKind, flags: u8, token: &[u8]) -> Result<Vec<u8>, WireError> {
        let header = Header {
            kind,
            flags,
            call_id: self.call_id,
        };
        let writer = begin_bind(header, self.interface);
        finish_with_token(writer, self.provider, our_context(), token)
    }

    /// Takes the server's answer to the bind: exactly one fragment.
    pub fn on_bind_reply(&mut self, fragment: &[u8]) -> Result<Bound, WireError> {
        self.due(Stage::Binding)?;
        let packet = self.packet(fragment)?;
        self.fragment_bytes = decode_answer(&packet, PacketKind::BIND_ACK)?;
        let trailer = self.trailer(fragment, "the answer to the bind")?;
        let token = fragment.get(trailer.value).unwrap_or_default().to_vec();
        self.stage = Stage::Proving;
        Ok(Bound {
            token,
            signs_headers: packet.has(SIGNS_HEADERS),
        })
    }

    /// The last proof, which the server does not answer: it refuses the first call where it does not believe.
    pub fn prove(&mut self, token: &[u8]) -> Result<Vec<u8>, WireError> {
        self.due(Stage::Proving)?;
        let header = Header {
            kind: PacketKind::AUTH3,
            flags: WHOLE,
            call_id: self.call_id,
        };
        let mut writer = begin(header, token.len().saturating_add(28));
        // Four bytes that nobody looks at (MS-RPCE 2.2.2.5).
        writer.zeros(4);
        let packet = finish_with_token(writer, self.provider, our_context(), token)?;
        self.stage = Stage::Proving;
        Ok(packet)
    }

    /// A further proof, which the server answers.
    pub fn alter(&mut self, token: &[u8]) -> Result<Vec<u8>, WireError> {
        self.due(Stage::Proving)?;
        self.call_id = self.call_id.wrapping_add(1);
        let packet = self.binding(PacketKind::ALTER_CONTEXT, WHOLE, token)?;
        self.stage = Stage::Altering;
        Ok(packet)
    }

    /// Takes the server's answer to a further proof; gives the token in it, which may be empty.
    pub fn on_alter_reply(&mut self, fragment: &[u8]) -> Result<Vec<u8>, WireError> {
        self.due(Stage::Altering)?;
        let packet = self.packet(fragment)?;
        decode_answer(&packet, PacketKind::ALTER_CONTEXT_ACK)?;
        let token = match Trailer::of(fragment)? {
            None => Vec::new(),
            Some(trailer) => fragment.get(trailer.value).unwrap_or_default().to_vec(),
        };
        self.stage = Stage::Proving;
        Ok(token)
    }

    /// Takes the keys of the connection; from here on everything is sealed.
    pub fn protect(&mut self, protection: P) -> Result<(), WireError> {
        self.due(Stage::Proving)?;
        self.protection = Some(protection);
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Begins a call: the fragments to send, in order. Only when the one before is answered: what is sealed has an order.
    pub fn request(&mut self, operation: u16, stub: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
        self.due(Stage::Idle)?;
        self.call_id = self.call_id.wrapping_add(1);
        self.reply = Reassembly::default();
        let sealing = Sealing {
            kind: PacketKind::REQUEST,
            call_id: self.call_id,
            operation,
            fragment_bytes: self.fragment_bytes,
            provider: self.provider,
            context: our_context(),
        };
        let protection = self.protection.as_mut().ok_or(WireError::CannotSeal)?;
        let packets = split_sealed(sealing, stub, protection)?;
        self.stage = Stage::Calling;
        Ok(packets)
    }

    /// Takes exactly one fragment of the answer.
    ///
    /// A sealed [`WireError::Fault`] ends the call and leaves the connection usable; after any other error it is
    /// broken. A fault without a seal is told as what it says, as a server that refuses our proof has no keys.
    pub fn on_fragment(&mut self, fragment: &[u8]) -> Result<Progress, WireError> {
        self.due(Stage::Calling)?;
        let packet = self.packet(fragment)?;
        match packet.header.kind {
            PacketKind::RESPONSE => self.response(fragment),
            PacketKind::FAULT => Err(self.fault(fragment, &packet)),
            got => Err(WireError::UnexpectedPacket {
                expected: "the answer to a call",
                got,
            }),
        }
    }

    /// Whether the connection can still be used.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.stage == Stage::Broken
    }

    fn response(&mut self, fragment: &[u8]) -> Result<Progress, WireError> {
        let plain = self.unsealed(fragment, CALL_HEADER_BYTES, "the answer")?;
        let packet = Packet::decode(&plain)?;
        let mut reader = packet.body()?;
        reader.bytes("the header of the answer", 8)?;
        let part = reader.bytes("the answer", reader.remaining())?;
        Ok(match self.reply.take(&packet, part, REPLY_BYTES_MAX)? {
            None => {
                self.stage = Stage::Calling;
                Progress::More
            }
            Some(stub) => {
                self.stage = Stage::Idle;
                Progress::Done(stub)
            }
        })
    }

    fn fault(&mut self, fragment: &[u8], packet: &Packet<'_>) -> WireError {
        let fault = decode_fault(packet);
        match Trailer::of(fragment) {
            Ok(None) => return fault,
            Ok(Some(_)) => {}
            Err(error) => return error,
        }
        if let Err(error) = self.unsealed(fragment, FAULT_HEADER_BYTES, "the fault") {
            return error;
        }
        if matches!(fault, WireError::Fault(_)) {
            self.stage = Stage::Idle;
        }
        fault
    }

    fn unsealed(
        &mut self,
        fragment: &[u8],
        from: usize,
        what: &'static str,
    ) -> Result<Vec<u8>, WireError> {
        let trailer = self.trailer(fragment, what)?;
        let protection = self.protection.as_mut().ok_or(WireError::CannotSeal)?;
        unseal(fragment, from, &trailer, protection)
    }

    /// The trailer of a packet that must have ours.
    fn trailer(&self, fragment: &[u8], what: &'static str) -> Result<Trailer, WireError> {
        Trailer::of(fragment)?
            .filter(|trailer| trailer.is_of(self.provider, our_context()))
            .ok_or(WireError::Unsealed { what })
    }

    /// Checks what is due; until it went well, the connection counts as broken.
    fn due(&mut self, stage: Stage) -> Result<(), WireError> {
        let due = self.stage == stage;
        self.stage = Stage::Broken;
        if due { Ok(()) } else { Err(WireError::Broken) }
    }

    fn packet<'a>(&self, fragment: &'a [u8]) -> Result<Packet<'a>, WireError> {
        let packet = Packet::decode(fragment)?;
        if packet.header.call_id != self.call_id {
            return Err(WireError::CallId {
                expected: self.call_id,
                got: packet.header.call_id,
            });
        }
        Ok(packet)
    }
}

//! The side that calls.

use super::Syntax;
use super::bind::{decode_answer, encode_bind};
use super::header::{Packet, split};
use super::reassembly::Reassembly;
use crate::limits::{FRAGMENT_BYTES, REPLY_BYTES_MAX};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// How far an answer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Fragments are missing: read another.
    More,
    /// The whole stub of the answer.
    Done(Vec<u8>),
}

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waiting for the answer to the bind.
    Binding,
    /// No call is under way.
    Idle,
    /// Waiting for the answer to the call of this id.
    Calling,
    /// Something could not be understood, so nothing that follows can be trusted.
    Broken,
}

/// The calling side of one RPC connection: one call at a time, without I/O.
///
/// Send [`Client::bind`], give the answer to [`Client::on_bind_reply`]; then for each call send every
/// fragment of [`Client::request`] in order and give each fragment that comes to [`Client::on_fragment`]
/// until it is [`Progress::Done`]. A fault ends its call only; any other error ends the connection.
#[derive(Debug)]
pub struct Client {
    interface: Syntax,
    stage: Stage,
    call_id: u32,
    fragment_bytes: u16,
    reply: Reassembly,
}

impl Client {
    /// Prepares a connection to an interface.
    #[must_use]
    pub fn new(interface: Syntax) -> Self {
        Self {
            interface,
            stage: Stage::Binding,
            call_id: 1,
            fragment_bytes: FRAGMENT_BYTES,
            reply: Reassembly::default(),
        }
    }

    /// The first message: the bind to the interface, in NDR32.
    #[must_use]
    pub fn bind(&self) -> Vec<u8> {
        encode_bind(self.call_id, self.interface)
    }

    /// Takes the server's answer to the bind: exactly one fragment.
    pub fn on_bind_reply(&mut self, fragment: &[u8]) -> Result<(), WireError> {
        let due = self.stage == Stage::Binding;
        self.stage = Stage::Broken;
        if !due {
            return Err(WireError::Broken);
        }
        let packet = self.packet(fragment)?;
        self.fragment_bytes = decode_answer(&packet, PacketKind::BIND_ACK)?;
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Begins a call: the fragments to send, in order. A call still under way is given up, and its
    /// late answer will be refused by its id.
    #[must_use]
    pub fn request(&mut self, operation: u16, stub: &[u8]) -> Vec<Vec<u8>> {
        self.call_id = self.call_id.wrapping_add(1);
        if self.stage == Stage::Idle {
            self.stage = Stage::Calling;
        }
        self.reply = Reassembly::default();
        split(
            PacketKind::REQUEST,
            self.call_id,
            operation,
            stub,
            self.fragment_bytes,
        )
    }

    /// Takes exactly one fragment of the answer.
    ///
    /// [`WireError::Fault`] ends the call and leaves the connection usable; after any other error it is broken.
    pub fn on_fragment(&mut self, fragment: &[u8]) -> Result<Progress, WireError> {
        let due = self.stage == Stage::Calling;
        self.stage = Stage::Broken;
        if !due {
            return Err(WireError::Broken);
        }
        let packet = self.packet(fragment)?;
        match packet.header.kind {
            PacketKind::RESPONSE => {}
            PacketKind::FAULT => {
                let fault = decode_fault(&packet);
                if matches!(fault, WireError::Fault(_)) {
                    self.stage = Stage::Idle;
                }
                return Err(fault);
            }
            got => {
                return Err(WireError::UnexpectedPacket {
                    expected: "the answer to a call",
                    got,
                });
            }
        }
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

    /// Whether the connection can still be used.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.stage == Stage::Broken
    }

    /// Reads one packet of this call.
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

/// Reads a fault (C706, 12.6.4.7): its status as an error.
pub(super) fn decode_fault(packet: &Packet<'_>) -> WireError {
    let status = packet.body().and_then(|mut reader| {
        reader.bytes("the header of the fault", 8)?;
        reader.u32("the status of the fault")
    });
    status.map_or_else(|error| error, WireError::Fault)
}

//! Bind, `bind_ack` and `bind_nak` (C706, 12.6.4.3 to 12.6.4.5; MS-RPCE 2.2.2.13).

use super::header::{FIRST, Header, LAST, Packet, begin, finish};
use super::{NDR, Syntax};
use crate::limits::{CONTEXTS_MAX, FRAGMENT_BYTES, FRAGMENT_BYTES_MIN};
use crate::ndr::{Reader, Writer, within};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// `p_cont_def_result_t`: taken.
pub(super) const ACCEPTANCE: u16 = 0;
/// `p_cont_def_result_t`: refused by the provider.
pub(super) const PROVIDER_REJECTION: u16 = 2;
/// `p_provider_reason_t`: no such interface.
pub(super) const ABSTRACT_SYNTAX_NOT_SUPPORTED: u16 = 1;
/// `p_provider_reason_t`: no such transfer syntax.
pub(super) const TRANSFER_SYNTAXES_NOT_SUPPORTED: u16 = 2;
/// `p_reject_reason_t`: the bind could not be read.
pub(super) const REASON_NOT_SPECIFIED: u16 = 0;

/// A packet that is not in parts.
pub(super) const WHOLE: u8 = FIRST | LAST;

/// Writes a bind with one interface in NDR32.
pub(super) fn encode_bind(call_id: u32, interface: Syntax) -> Vec<u8> {
    finish(begin_bind(
        Header {
            kind: PacketKind::BIND,
            flags: WHOLE,
            call_id,
        },
        interface,
    ))
}

/// Begins a bind, or what goes on with one: all but a security trailer.
pub(super) fn begin_bind(header: Header, interface: Syntax) -> Writer {
    let mut writer = begin(header, 72);
    // Largest fragment sent and received, association group, one context with one transfer syntax.
    writer
        .u16(FRAGMENT_BYTES)
        .u16(FRAGMENT_BYTES)
        .u32(0)
        .bytes(&[1, 0, 0, 0])
        .u16(0)
        .bytes(&[1, 0])
        .bytes(&interface.uuid)
        .u32(interface.version)
        .bytes(&NDR.uuid)
        .u32(NDR.version);
    writer
}

/// Reads the answer of this kind to a bind: the largest fragment that the server takes, in bytes.
pub(super) fn decode_answer(packet: &Packet<'_>, due: PacketKind) -> Result<u16, WireError> {
    let mut reader = packet.body()?;
    match packet.header.kind {
        kind if kind == due => {}
        PacketKind::BIND_NAK => {
            let reason = reader.u16("the reason of the refusal")?;
            return Err(WireError::BindRefused { reason });
        }
        PacketKind::FAULT => return Err(super::client::decode_fault(packet)),
        got => {
            return Err(WireError::UnexpectedPacket {
                expected: "the answer to the bind",
                got,
            });
        }
    }
    reader.u16("the largest fragment sent")?;
    let takes = reader.u16("the largest fragment received")?;
    reader.u32("the association group")?;
    let address = reader.u16("the secondary address")?;
    reader.bytes("the secondary address", address.into())?;
    reader.align("the results of the bind", 4)?;
    let results = reader.u8("the results of the bind")?;
    within("the results of the bind", results.into(), 1)?;
    reader.bytes("the results of the bind", 3)?;
    let result = reader.u16("the result of the bind")?;
    let reason = reader.u16("the reason of the result")?;
    let syntax = decode_syntax(&mut reader)?;
    if results == 0 || result != ACCEPTANCE || syntax != NDR {
        return Err(WireError::InterfaceRefused { result, reason });
    }
    // Every implementation takes this much, so a smaller figure is a mistake and not a wish.
    Ok(takes.clamp(FRAGMENT_BYTES_MIN, FRAGMENT_BYTES))
}

/// What a client asked for in its bind.
#[derive(Debug)]
pub(super) struct Bind {
    /// The largest fragment that the client takes, in bytes.
    pub(super) takes: u16,
    /// For each context: its interface and whether it offered NDR32.
    pub(super) contexts: Vec<(Syntax, bool)>,
}

/// Reads a bind.
pub(super) fn decode_bind(packet: &Packet<'_>) -> Result<Bind, WireError> {
    let mut reader = packet.body()?;
    reader.u16("the largest fragment sent")?;
    let takes = reader.u16("the largest fragment received")?;
    reader.u32("the association group")?;
    let count = reader.u8("the contexts of the bind")?;
    within(
        "the contexts of the bind",
        count.into(),
        CONTEXTS_MAX.into(),
    )?;
    reader.bytes("the contexts of the bind", 3)?;
    let mut contexts = Vec::new();
    for _ in 0..count {
        reader.u16("the context id")?;
        let syntaxes = reader.u8("the transfer syntaxes")?;
        reader.u8("the transfer syntaxes")?;
        let interface = decode_syntax(&mut reader)?;
        let mut ndr = false;
        for _ in 0..syntaxes {
            ndr |= decode_syntax(&mut reader)? == NDR;
        }
        contexts.push((interface, ndr));
    }
    Ok(Bind {
        takes: takes.clamp(FRAGMENT_BYTES_MIN, FRAGMENT_BYTES),
        contexts,
    })
}

/// Writes the answer to a bind: a result and a reason for each context.
pub(super) fn encode_bind_ack(call_id: u32, results: &[(u16, u16)]) -> Vec<u8> {
    finish(begin_bind_ack(
        Header {
            kind: PacketKind::BIND_ACK,
            flags: WHOLE,
            call_id,
        },
        results,
    ))
}

/// Begins the answer to a bind, or to what goes on with one: all but a security trailer.
pub(super) fn begin_bind_ack(header: Header, results: &[(u16, u16)]) -> Writer {
    let mut writer = begin(header, 72);
    // Largest fragments, association group, and an empty secondary address (its NUL only).
    writer
        .u16(FRAGMENT_BYTES)
        .u16(FRAGMENT_BYTES)
        .u32(1)
        .u16(1)
        .u8(0)
        .align(4)
        .u8(u8::try_from(results.len()).unwrap_or(u8::MAX))
        .bytes(&[0, 0, 0]);
    for (result, reason) in results {
        writer.u16(*result).u16(*reason);
        if *result == ACCEPTANCE {
            writer.bytes(&NDR.uuid).u32(NDR.version);
        } else {
            writer.zeros(20);
        }
    }
    writer
}

/// Writes the refusal of a bind.
pub(super) fn encode_bind_nak(call_id: u32, reason: u16) -> Vec<u8> {
    let header = Header {
        kind: PacketKind::BIND_NAK,
        flags: WHOLE,
        call_id,
    };
    let mut writer = begin(header, 24);
    // The reason, then the versions that are spoken: one, 5.0.
    writer.u16(reason).bytes(&[1, 5, 0]);
    finish(writer)
}

fn decode_syntax(reader: &mut Reader<'_>) -> Result<Syntax, WireError> {
    Ok(Syntax {
        uuid: reader.array("the UUID of a syntax")?,
        version: reader.u32("the version of a syntax")?,
    })
}

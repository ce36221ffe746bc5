//! The trailer of a packet: whose proof or signature follows, and how much filling stands before it (MS-RPCE 2.2.2.11).

use super::{BODY_MULTIPLE, PRIVACY, Protection, Provider};
use crate::limits::SIGNATURE_BYTES_MAX;
use crate::ndr::{Reader, Writer, count};
use crate::pdu::header::{
    CALL_HEADER_BYTES, FIRST, Header, LAST, TRAILER_BYTES, begin, finish, set_lengths,
};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;
use core::ops::Range;

/// Where the length of the signature stands in a header, in bytes.
const SIGNATURE_LENGTH_AT: usize = 10;

/// The number of the security context. A connection has one only.
const CONTEXT: u32 = 1;

/// A trailer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) provider: Provider,
    pub(super) level: u8,
    pub(super) context: u32,
    /// Where the trailer begins: the end of the body with its filling.
    pub(super) at: usize,
    /// Where the proof or signature stands.
    pub(super) value: Range<usize>,
}

impl Trailer {
    /// Reads the trailer of a whole packet that was decoded already; `None` where it has none.
    pub(super) fn of(fragment: &[u8]) -> Result<Option<Self>, WireError> {
        let mut reader = Reader::new(fragment);
        reader.bytes("the packet header", SIGNATURE_LENGTH_AT)?;
        let length = usize::from(reader.u16("the length of the security trailer")?);
        if length == 0 {
            return Ok(None);
        }
        let truncated = || WireError::Truncated {
            what: "the security trailer",
            need: length.saturating_add(TRAILER_BYTES),
            have: fragment.len(),
        };
        let value = fragment.len().checked_sub(length).ok_or_else(truncated)?;
        let at = value.checked_sub(TRAILER_BYTES).ok_or_else(truncated)?;
        let mut reader = Reader::new(fragment.get(at..).ok_or_else(truncated)?);
        let provider = Provider(reader.u8("the security provider")?);
        let level = reader.u8("the security level")?;
        reader.u16("the filling before the security trailer")?;
        let context = reader.u32("the security context")?;
        Ok(Some(Self {
            provider,
            level,
            context,
            at,
            value: value..fragment.len(),
        }))
    }

    /// Whether it is one of ours.
    pub(super) fn is_of(&self, provider: Provider, context: u32) -> bool {
        (self.provider, self.level, self.context) == (provider, PRIVACY, context)
    }
}

/// Our number of the security context.
pub(super) const fn our_context() -> u32 {
    CONTEXT
}

/// Ends a packet that carries a proof.
pub(super) fn finish_with_token(
    mut writer: Writer,
    provider: Provider,
    context: u32,
    token: &[u8],
) -> Result<Vec<u8>, WireError> {
    let before = writer.len();
    writer.align(4);
    let filling = writer.len().saturating_sub(before);
    writer
        .u8(provider.0)
        .u8(PRIVACY)
        .u8(u8::try_from(filling).unwrap_or(0))
        .u8(0)
        .u32(context)
        .bytes(token);
    let mut bytes = finish(writer);
    let over = |_| WireError::OverLimit {
        what: "the size of a packet with a proof",
        value: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        limit: u16::MAX.into(),
    };
    let length = u16::try_from(bytes.len()).map_err(over)?;
    let signature = u16::try_from(token.len()).map_err(over)?;
    set_lengths(&mut bytes, length, signature);
    Ok(bytes)
}

/// What stands in the headers of sealed packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sealing {
    pub(super) kind: PacketKind,
    pub(super) call_id: u32,
    pub(super) operation: u16,
    pub(super) fragment_bytes: u16,
    pub(super) provider: Provider,
    pub(super) context: u32,
}

/// Splits a stub into sealed packets.
pub(super) fn split_sealed(
    sealing: Sealing,
    stub: &[u8],
    protection: &mut impl Protection,
) -> Result<Vec<Vec<u8>>, WireError> {
    let signature = protection.signature_bytes();
    if signature == 0 || signature > SIGNATURE_BYTES_MAX {
        return Err(WireError::CannotSeal);
    }
    let overhead = CALL_HEADER_BYTES
        .saturating_add(TRAILER_BYTES)
        .saturating_add(signature);
    let room = usize::from(sealing.fragment_bytes).saturating_sub(overhead);
    let room = room.saturating_sub(room.checked_rem(BODY_MULTIPLE).unwrap_or(0));
    if room == 0 {
        return Err(WireError::CannotSeal);
    }
    let mut packets = Vec::new();
    let mut rest = stub;
    loop {
        let (part, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let first = if packets.is_empty() { FIRST } else { 0 };
        let last = if after.is_empty() { LAST } else { 0 };
        let header = Header {
            kind: sealing.kind,
            flags: first | last,
            call_id: sealing.call_id,
        };
        let mut writer = begin(header, overhead.saturating_add(room));
        writer
            .u32(count(rest.len()))
            .u16(0)
            .u16(sealing.operation)
            .bytes(part);
        packets.push(seal(writer, sealing, part.len(), signature, protection)?);
        if after.is_empty() {
            return Ok(packets);
        }
        rest = after;
    }
}

/// Fills the body up, writes the trailer, and seals.
fn seal(
    mut writer: Writer,
    sealing: Sealing,
    part: usize,
    signature: usize,
    protection: &mut impl Protection,
) -> Result<Vec<u8>, WireError> {
    let over = part.checked_rem(BODY_MULTIPLE).unwrap_or(0);
    let filling = if over == 0 {
        0
    } else {
        BODY_MULTIPLE.saturating_sub(over)
    };
    writer.zeros(filling);
    let end = writer.len();
    writer
        .u8(sealing.provider.0)
        .u8(PRIVACY)
        .u8(u8::try_from(filling).map_err(|_| WireError::CannotSeal)?)
        .u8(0)
        .u32(sealing.context);
    let mut packet = writer.finish();
    let length = packet.len().saturating_add(signature);
    // The signature covers its own length, so that is written before.
    set_lengths(
        &mut packet,
        u16::try_from(length).map_err(|_| WireError::CannotSeal)?,
        u16::try_from(signature).map_err(|_| WireError::CannotSeal)?,
    );
    let value = protection
        .seal(&mut packet, CALL_HEADER_BYTES..end)
        .map_err(|_| WireError::CannotSeal)?;
    if value.len() != signature {
        return Err(WireError::CannotSeal);
    }
    packet.extend_from_slice(&value);
    Ok(packet)
}

/// Checks and decrypts a sealed packet whose body begins at `from`; its signature is left as it was.
pub(super) fn unseal(
    fragment: &[u8],
    from: usize,
    trailer: &Trailer,
    protection: &mut impl Protection,
) -> Result<Vec<u8>, WireError> {
    let size = trailer.value.len();
    if size != protection.signature_bytes() {
        return Err(WireError::WrongSeal);
    }
    let mut packet = fragment.to_vec();
    let (covered, signature) = packet
        .split_at_mut_checked(trailer.value.start)
        .ok_or(WireError::WrongSeal)?;
    if from > trailer.at {
        return Err(WireError::WrongSeal);
    }
    protection
        .unseal(covered, from..trailer.at, signature)
        .map_err(|_| WireError::WrongSeal)?;
    Ok(packet)
}

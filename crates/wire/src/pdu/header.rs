//! The header that every packet begins with, and the trailer that some end with.

use crate::ndr::{Reader, Writer, count};
use crate::{PacketKind, WireError};
use alloc::vec::Vec;

/// Size of the common header, in bytes.
pub(crate) const HEADER_BYTES: usize = 16;
/// Size of the header of a request, response or fault with its own fields, in bytes.
pub(crate) const CALL_HEADER_BYTES: usize = 24;
/// Size of the fixed part of a security trailer, in bytes (MS-RPCE 2.2.2.11).
pub(crate) const TRAILER_BYTES: usize = 8;
/// Where `frag_length` stands in the header, in bytes.
const FRAGMENT_LENGTH_AT: usize = 8;

/// `PFC_FIRST_FRAG`.
pub(crate) const FIRST: u8 = 1;
/// `PFC_LAST_FRAG`.
pub(crate) const LAST: u8 = 2;
/// `PFC_SUPPORT_HEADER_SIGN`, in a bind and its answer: signatures cover the headers too (MS-RPCE 2.2.2.3).
pub(crate) const SIGNS_HEADERS: u8 = 4;
/// `PFC_OBJECT_UUID`: a request carries an object UUID before its stub.
pub(crate) const OBJECT: u8 = 0x80;

/// The common header (C706, 12.6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: PacketKind,
    pub(crate) flags: u8,
    pub(crate) call_id: u32,
}

/// A packet: its header and what stands between the header and a security trailer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) header: Header,
    /// The whole packet without its trailer, so that offsets count from its start.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads exactly one packet.
    pub(crate) fn decode(fragment: &'a [u8]) -> Result<Self, WireError> {
        let size = fragment_length(fragment).unwrap_or(Err(WireError::Truncated {
            what: "the packet header",
            need: HEADER_BYTES,
            have: fragment.len(),
        }))?;
        if fragment.len() > size {
            return Err(WireError::OverLimit {
                what: "the length of the packet",
                value: fragment.len().try_into().unwrap_or(u64::MAX),
                limit: size.try_into().unwrap_or(u64::MAX),
            });
        }
        let mut reader = Reader::new(fragment);
        reader.bytes("the packet", size)?;
        let mut reader = Reader::new(fragment);
        reader.bytes("the version", 2)?;
        let kind = PacketKind(reader.u8("the packet type")?);
        let flags = reader.u8("the packet flags")?;
        reader.bytes("the data representation", 4)?;
        reader.u16("the fragment length")?;
        let auth_length = reader.u16("the length of the security trailer")?;
        let call_id = reader.u32("the call id")?;
        Ok(Self {
            header: Header {
                kind,
                flags,
                call_id,
            },
            bytes: without_trailer(fragment, usize::from(auth_length))?,
        })
    }

    /// A reader behind the common header; its alignment counts from the start of the packet.
    pub(crate) fn body(&self) -> Result<Reader<'a>, WireError> {
        let mut reader = Reader::new(self.bytes);
        reader.bytes("the packet header", HEADER_BYTES)?;
        Ok(reader)
    }

    /// Whether the packet bears a flag.
    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.header.flags & flag != 0
    }
}

/// Cuts a security trailer and the padding before it (MS-RPCE 2.2.2.11). We ask for no security, so
/// what a trailer says is of no use, but it must not be taken for data.
fn without_trailer(fragment: &[u8], auth_length: usize) -> Result<&[u8], WireError> {
    if auth_length == 0 {
        return Ok(fragment);
    }
    let what = "the security trailer";
    let need = auth_length.saturating_add(TRAILER_BYTES);
    let have = fragment.len().saturating_sub(HEADER_BYTES);
    let truncated = WireError::Truncated { what, need, have };
    if need > have {
        return Err(truncated);
    }
    let (before, trailer) = fragment
        .split_at_checked(fragment.len().saturating_sub(need))
        .ok_or(truncated)?;
    let padding = usize::from(trailer.get(2).copied().unwrap_or(0));
    let have = before.len().saturating_sub(HEADER_BYTES);
    let end = before.len().saturating_sub(padding);
    if padding > have {
        return Err(WireError::Truncated {
            what: "the padding before the security trailer",
            need: padding,
            have,
        });
    }
    Ok(before.get(..end).unwrap_or(before))
}

/// The length of the packet that begins here, in bytes, for transports that are a stream of bytes.
///
/// `None` until the 16 bytes of the header are there; an error where they are no header of ours.
#[must_use]
pub fn fragment_length(bytes: &[u8]) -> Option<Result<usize, WireError>> {
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    Some(check_header(header))
}

/// Checks version and representation, and gives the packet's length.
fn check_header(header: &[u8; HEADER_BYTES]) -> Result<usize, WireError> {
    let mut reader = Reader::new(header);
    let version = reader.u16("the version")?;
    // Version 5, minor 0 or 1: nothing that we use differs between the two.
    if !matches!(version.to_le_bytes(), [5, 0 | 1]) {
        return Err(WireError::BadValue {
            what: "the protocol version",
            value: version.into(),
        });
    }
    reader.bytes("the packet type and flags", 2)?;
    let representation = reader.u32("the data representation")?;
    // Little-endian integers and ASCII; the kind of floating point does not matter, there is none.
    if representation & 0xff != 0x10 {
        return Err(WireError::BadValue {
            what: "the data representation",
            value: representation,
        });
    }
    let length = reader.u16("the fragment length")?;
    if usize::from(length) < HEADER_BYTES {
        return Err(WireError::BadValue {
            what: "the fragment length",
            value: length.into(),
        });
    }
    Ok(length.into())
}

/// Begins a packet. [`finish`] fills in its length.
pub(crate) fn begin(header: Header, capacity: usize) -> Writer {
    let mut writer = Writer::with_capacity(capacity);
    writer
        .u8(5)
        .u8(0)
        .u8(header.kind.0)
        .u8(header.flags)
        .bytes(&[0x10, 0, 0, 0])
        .u16(0)
        .u16(0)
        .u32(header.call_id);
    writer
}

/// Ends a packet: writes its length into its header. Packets of ours are never longer than a fragment.
pub(crate) fn finish(writer: Writer) -> Vec<u8> {
    let mut bytes = writer.finish();
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    set_lengths(&mut bytes, length, 0);
    bytes
}

/// Writes the length of a packet and that of the proof or signature at its end into its header.
pub(crate) fn set_lengths(bytes: &mut [u8], length: u16, signature: u16) {
    let lengths = length.to_le_bytes().into_iter();
    for (to, from) in bytes
        .iter_mut()
        .skip(FRAGMENT_LENGTH_AT)
        .zip(lengths.chain(signature.to_le_bytes()))
    {
        *to = from;
    }
}

/// Splits a stub into packets of at most `fragment_bytes`. `word` stands in the upper half of the last
/// word of the call header: the operation of a request, zero in a response.
pub(crate) fn split(
    kind: PacketKind,
    call_id: u32,
    word: u16,
    stub: &[u8],
    fragment_bytes: u16,
) -> Vec<Vec<u8>> {
    // Stub bytes of all fragments but the last are a multiple of eight, as MS-RPCE 2.2.2.6 asks of signed ones.
    let room = usize::from(fragment_bytes).saturating_sub(CALL_HEADER_BYTES) & !7;
    let mut fragments = Vec::new();
    let mut rest = stub;
    loop {
        let (part, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let mut flags = 0;
        if fragments.is_empty() {
            flags |= FIRST;
        }
        if after.is_empty() {
            flags |= LAST;
        }
        let header = Header {
            kind,
            flags,
            call_id,
        };
        let mut writer = begin(header, CALL_HEADER_BYTES.saturating_add(part.len()));
        // alloc_hint, context, operation (or cancel count and reserved).
        writer.u32(count(rest.len())).u16(0).u16(word).bytes(part);
        fragments.push(finish(writer));
        if after.is_empty() {
            return fragments;
        }
        rest = after;
    }
}

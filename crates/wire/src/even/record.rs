//! `EVENTLOGRECORD` (2.2.3). Every length in it is the server's word and no more.

use crate::WireError;
use crate::limits::{EVENT_STRING_UNITS_MAX, EVENT_STRINGS_MAX};
use crate::ndr::{Reader, count, length, text};
use alloc::string::String;
use alloc::vec::Vec;

/// Size of the fixed part, in bytes.
const FIXED_BYTES: usize = 56;
/// The smallest record: the fixed part, two empty names and the length again, in bytes.
const SMALLEST_BYTES: usize = FIXED_BYTES + 8;
/// What stands in the second word of every record: `LfLe`.
const SIGNATURE: u32 = 0x654c_664c;

/// Kinds of events (2.2.1).
pub mod kind {
    /// Something went well.
    pub const SUCCESS: u16 = 0;
    /// An error.
    pub const ERROR: u16 = 1;
    /// A warning.
    pub const WARNING: u16 = 2;
    /// Information.
    pub const INFORMATION: u16 = 4;
}

/// An event, without its data and the user that it names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventRecord {
    /// Its number in the log.
    pub number: u32,
    /// When it happened, in seconds since 1970-01-01T00:00:00Z.
    pub generated: u32,
    /// When it was written, likewise.
    pub written: u32,
    /// Its identifier with the severity in the upper bits; people know the lower 16.
    pub id: u32,
    /// One of [`kind`].
    pub kind: u16,
    /// Its category, which its source gives a meaning.
    pub category: u16,
    /// Who reported it.
    pub source: String,
    /// On which computer.
    pub computer: String,
    /// What is filled into its text, each cut to [`EVENT_STRING_UNITS_MAX`], at most [`EVENT_STRINGS_MAX`].
    pub strings: Vec<String>,
}

impl EventRecord {
    /// The identifier as people know it: without severity and facility.
    #[must_use]
    pub const fn code(&self) -> u32 {
        self.id & 0xffff
    }

    /// Reads the records of a buffer, which are whole. What follows the last one must be too short for another.
    pub fn decode_all(buffer: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut records = Vec::new();
        let mut rest = buffer;
        while rest.len() >= 4 {
            let mut reader = Reader::new(rest);
            let size = length(reader.u32("the length of an event")?);
            if size < SMALLEST_BYTES {
                return Err(WireError::BadValue {
                    what: "the length of an event",
                    value: count(size),
                });
            }
            let (record, after) = rest.split_at_checked(size).ok_or(WireError::Truncated {
                what: "an event",
                need: size,
                have: rest.len(),
            })?;
            records.push(Self::decode(record)?);
            rest = after;
        }
        Ok(records)
    }

    /// Reads one whole record.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        reader.u32("the length of an event")?;
        let signature = reader.u32("the signature of an event")?;
        if signature != SIGNATURE {
            return Err(WireError::BadValue {
                what: "the signature of an event",
                value: signature,
            });
        }
        let number = reader.u32("the number of an event")?;
        let generated = reader.u32("the time of an event")?;
        let written = reader.u32("the time of an event")?;
        let id = reader.u32("the identifier of an event")?;
        let kind = reader.u16("the kind of an event")?;
        let strings = reader.u16("the strings of an event")?;
        let category = reader.u16("the category of an event")?;
        reader.u16("the flags of an event")?;
        reader.u32("the closing number of an event")?;
        let strings_at = reader.u32("the strings of an event")?;
        reader.bytes("the user and the data of an event", 16)?;
        // The record's length stands at its end again, and is no text.
        let (inside, again) = bytes
            .split_last_chunk::<4>()
            .ok_or(WireError::Unterminated { what: "an event" })?;
        if length(u32::from_le_bytes(*again)) != bytes.len() {
            return Err(WireError::BadValue {
                what: "the length at the end of an event",
                value: u32::from_le_bytes(*again),
            });
        }
        let mut names = inside.get(FIXED_BYTES..).unwrap_or_default();
        let source = next_text(&mut names, "the source of an event")?;
        let computer = next_text(&mut names, "the computer of an event")?;
        let texts = texts(inside, strings, strings_at)?;
        Ok(Self {
            number,
            generated,
            written,
            id,
            kind,
            category,
            source,
            computer,
            strings: texts,
        })
    }

    /// Writes the record as a server does.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut tail = Vec::new();
        for name in [&self.source, &self.computer] {
            push_text(&mut tail, name);
        }
        tail.resize(tail.len().next_multiple_of(4), 0);
        let strings_at = FIXED_BYTES.saturating_add(tail.len());
        for string in &self.strings {
            push_text(&mut tail, string);
        }
        let data_at = FIXED_BYTES.saturating_add(tail.len());
        tail.resize(tail.len().next_multiple_of(4), 0);
        let size = count(FIXED_BYTES.saturating_add(tail.len()).saturating_add(4));
        let strings = u16::try_from(self.strings.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::new();
        for word in [
            size,
            SIGNATURE,
            self.number,
            self.generated,
            self.written,
            self.id,
        ] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for short in [self.kind, strings, self.category, 0] {
            bytes.extend_from_slice(&short.to_le_bytes());
        }
        let ends = count(data_at);
        for word in [0, count(strings_at), 0, count(strings_at), 0, ends] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&tail);
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes
    }
}

/// The strings of a record; `inside` is all of it but the length at its end.
fn texts(inside: &[u8], strings: u16, at: u32) -> Result<Vec<String>, WireError> {
    if strings == 0 {
        return Ok(Vec::new());
    }
    let outside = WireError::BadOffset {
        what: "the strings of an event",
        offset: at,
        size: inside.len(),
    };
    if length(at) < FIXED_BYTES {
        return Err(outside);
    }
    let mut rest = inside.get(length(at)..).ok_or(outside)?;
    let mut texts = Vec::new();
    for _ in 0..usize::from(strings).min(EVENT_STRINGS_MAX) {
        texts.push(next_text(&mut rest, "a string of an event")?);
    }
    Ok(texts)
}

/// Takes a text with its end from the front, and keeps its beginning.
fn next_text(rest: &mut &[u8], what: &'static str) -> Result<String, WireError> {
    let units = rest.as_chunks::<2>().0;
    let end = units
        .iter()
        .position(|unit| *unit == [0, 0])
        .ok_or(WireError::Unterminated { what })?;
    let kept = end.min(EVENT_STRING_UNITS_MAX).saturating_mul(2);
    let taken = text(rest.get(..kept).unwrap_or_default());
    *rest = rest
        .get(end.saturating_add(1).saturating_mul(2)..)
        .unwrap_or_default();
    Ok(taken)
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16().chain([0]) {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
}

//! NDR32, little-endian: the representation of calls and answers (C706, chapter 14; MS-RPCE 2.2.4).
//!
//! Only what MS-SCMR needs: integers, fixed and conformant byte arrays, unique pointers and
//! conformant varying strings of UTF-16. Alignment counts from the start of the stub.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::Reader;
pub(crate) use reader::within;
pub use writer::Writer;

use alloc::string::String;

/// A `u32` of the wire as a length. Where `usize` is smaller it becomes the largest length, which no buffer has.
#[must_use]
pub fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A length as a `u32` of the wire. What does not fit becomes the largest value, which every reader refuses.
#[must_use]
pub fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// UTF-16LE bytes as text, up to the first NUL or the end. A lone surrogate becomes U+FFFD; an odd last byte is left out.
#[must_use]
pub fn text(utf16: &[u8]) -> String {
    // One byte a unit is right for nearly every service name, and never more than half of the input.
    let mut text = String::with_capacity(utf16.len() / 2);
    let units = utf16
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0);
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text
}

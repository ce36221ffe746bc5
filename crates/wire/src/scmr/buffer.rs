//! Buffers with fixed parts in front that point, by offset, to strings behind them.

use crate::WireError;
use crate::ndr::{Reader, Writer, length, text};
use alloc::string::String;
use alloc::vec::Vec;

/// Reads a buffer by offset. All strings together may be twice as long as the buffer, so that entries
/// which point to the same bytes over and over cannot make a small reply into much memory.
#[derive(Debug)]
pub(crate) struct OffsetReader<'a> {
    buffer: &'a [u8],
    budget: usize,
}

impl<'a> OffsetReader<'a> {
    pub(crate) const fn new(buffer: &'a [u8]) -> Self {
        Self {
            buffer,
            budget: buffer.len().saturating_mul(2),
        }
    }

    /// A reader at an offset; text begins between units never, structures at words only.
    pub(crate) fn at(
        &self,
        what: &'static str,
        offset: u32,
        boundary: u32,
    ) -> Result<&'a [u8], WireError> {
        let bad = WireError::BadOffset {
            what,
            offset,
            size: self.buffer.len(),
        };
        if offset.checked_rem(boundary) != Some(0) {
            return Err(bad);
        }
        self.buffer.get(length(offset)..).ok_or(bad)
    }

    /// The text at an offset, up to its NUL: at most `limit` units with it.
    pub(crate) fn string(
        &mut self,
        what: &'static str,
        offset: u32,
        limit: usize,
    ) -> Result<String, WireError> {
        let bytes = self.at(what, offset, 2)?;
        let units = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .take(limit)
            .position(|unit| *unit == [0, 0])
            .ok_or(WireError::Unterminated { what })?;
        let size = units.saturating_mul(2);
        self.budget = self.budget.checked_sub(size).ok_or(WireError::SharedText {
            size: self.buffer.len(),
        })?;
        Ok(text(bytes.get(..size).unwrap_or(bytes)))
    }

    /// The text at an offset, or `None` where the offset is zero.
    pub(crate) fn optional_string(
        &mut self,
        what: &'static str,
        offset: u32,
    ) -> Result<Option<String>, WireError> {
        if offset == 0 {
            return Ok(None);
        }
        self.string(what, offset, self.buffer.len()).map(Some)
    }

    /// The texts at an offset, up to an empty one.
    pub(crate) fn strings(
        &mut self,
        what: &'static str,
        offset: u32,
    ) -> Result<Vec<String>, WireError> {
        let mut texts = Vec::new();
        let mut at = offset;
        loop {
            let units = self.units(what, at)?;
            let text = self.string(what, at, self.buffer.len())?;
            if text.is_empty() {
                return Ok(texts);
            }
            texts.push(text);
            // A text of the buffer ends inside it, so this neither overflows nor stands still.
            at = at.saturating_add(units.saturating_mul(2));
        }
    }

    /// Units of the text at an offset, with its NUL.
    fn units(&self, what: &'static str, offset: u32) -> Result<u32, WireError> {
        let units = self.at(what, offset, 2)?.as_chunks::<2>().0;
        let position = units.iter().position(|unit| *unit == [0, 0]);
        position
            .and_then(|units| u32::try_from(units.saturating_add(1)).ok())
            .ok_or(WireError::Unterminated { what })
    }

    /// A reader of the fixed part at the start.
    pub(crate) const fn start(&self) -> Reader<'a> {
        Reader::new(self.buffer)
    }
}

/// Size of a text with its NUL, in bytes.
pub(crate) fn text_bytes(text: &str) -> usize {
    text.encode_utf16()
        .count()
        .saturating_add(1)
        .saturating_mul(2)
}

/// Appends a text and gives its offset from the start of the writer.
pub(crate) fn append(writer: &mut Writer, text: &str) -> u32 {
    let offset = crate::ndr::count(writer.len());
    writer.utf16(text);
    offset
}

//! The writer. What it writes is our own, so it cannot fail.

use super::count;
use alloc::vec::Vec;

/// Writes NDR32. Alignment counts from the first byte written.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    referents: u32,
}

impl Writer {
    /// The referent id of the first pointer; any value but zero would do, and this is what Windows sends.
    const FIRST_REFERENT: u32 = 0x0002_0000;

    /// Starts an empty stub.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an empty stub with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            referents: 0,
        }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Writes `size` zero bytes.
    pub fn zeros(&mut self, size: usize) -> &mut Self {
        let end = self.bytes.len().saturating_add(size);
        self.bytes.resize(end, 0);
        self
    }

    /// Fills with zeros to the next multiple of `boundary` (a power of two).
    pub fn align(&mut self, boundary: usize) -> &mut Self {
        let over = self.bytes.len().checked_rem(boundary).unwrap_or(0);
        if over != 0 {
            self.zeros(boundary.saturating_sub(over));
        }
        self
    }

    /// Writes a byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Writes an aligned `u16`.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.align(2).bytes(&value.to_le_bytes())
    }

    /// Writes an aligned `u32`.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4).bytes(&value.to_le_bytes())
    }

    /// Writes an aligned `u64`.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.align(8).bytes(&value.to_le_bytes())
    }

    /// Writes the referent id of a unique pointer: a fresh one where there is something, else zero.
    pub fn pointer(&mut self, present: bool) -> &mut Self {
        if !present {
            return self.u32(0);
        }
        let referent = Self::FIRST_REFERENT.wrapping_add(self.referents.wrapping_mul(4));
        self.referents = self.referents.wrapping_add(1);
        self.u32(referent)
    }

    /// Writes a conformant array of bytes: its size, then the bytes.
    pub fn conformant_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(count(bytes.len())).bytes(bytes)
    }

    /// Writes a conformant varying string of UTF-16 with its terminator.
    pub fn string(&mut self, text: &str) -> &mut Self {
        let units = count(text.encode_utf16().count().saturating_add(1));
        self.u32(units).u32(0).u32(units).utf16(text)
    }

    /// Writes UTF-16 units and a terminator, without any count before them.
    pub fn utf16(&mut self, text: &str) -> &mut Self {
        for unit in text.encode_utf16() {
            self.bytes.extend_from_slice(&unit.to_le_bytes());
        }
        self.bytes(&[0, 0])
    }
}

//! The bounds-checked reader.

use super::{length, text};
use crate::WireError;
use alloc::string::String;

/// Reads NDR32 from a stub. Every read is checked against what is left; nothing is allocated before that.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of a stub.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far, counted from the start of the stub.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// Takes the next `size` bytes.
    pub fn bytes(&mut self, what: &'static str, size: usize) -> Result<&'a [u8], WireError> {
        let truncated = WireError::Truncated {
            what,
            need: size,
            have: self.remaining(),
        };
        let Some(end) = self.position.checked_add(size) else {
            return Err(truncated);
        };
        let taken = self.bytes.get(self.position..end).ok_or(truncated)?;
        self.position = end;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        for (to, from) in array.iter_mut().zip(self.bytes(what, N)?) {
            *to = *from;
        }
        Ok(array)
    }

    /// Skips to the next multiple of `boundary` (a power of two), counted from the start of the stub.
    pub fn align(&mut self, what: &'static str, boundary: usize) -> Result<(), WireError> {
        let over = self.position.checked_rem(boundary).unwrap_or(0);
        if over != 0 {
            self.bytes(what, boundary.saturating_sub(over))?;
        }
        Ok(())
    }

    /// Reads a byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    /// Reads an aligned `u16`.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.align(what, 2)?;
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// Reads an aligned `u32`.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        self.align(what, 4)?;
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Reads an aligned `u64`.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.align(what, 8)?;
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Reads the referent id of a unique pointer: whether there is something that it points to.
    pub fn pointer(&mut self, what: &'static str) -> Result<bool, WireError> {
        Ok(self.u32(what)? != 0)
    }

    /// Reads a count and checks it against a limit.
    pub fn count(&mut self, what: &'static str, limit: u32) -> Result<u32, WireError> {
        let value = self.u32(what)?;
        within(what, value, limit)?;
        Ok(value)
    }

    /// Reads a conformant array of bytes: its size, then the bytes.
    pub fn conformant_bytes(
        &mut self,
        what: &'static str,
        limit: u32,
    ) -> Result<&'a [u8], WireError> {
        let size = self.count(what, limit)?;
        self.bytes(what, length(size))
    }

    /// Reads a conformant varying string of UTF-16 (C706, 14.3.4.2): maximum, offset, actual count, units.
    ///
    /// The text ends at its first NUL. A lone surrogate becomes U+FFFD.
    pub fn string(&mut self, what: &'static str, limit: usize) -> Result<String, WireError> {
        let maximum = self.u32(what)?;
        let offset = self.u32(what)?;
        if offset != 0 {
            return Err(WireError::BadValue {
                what,
                value: offset,
            });
        }
        let actual = self.u32(what)?;
        within(what, actual, maximum.min(super::count(limit)))?;
        let size = length(actual).saturating_mul(2);
        Ok(text(self.bytes(what, size)?))
    }

    /// Succeeds only when everything was read.
    pub fn end(&self, what: &'static str) -> Result<(), WireError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(WireError::OverLimit {
                what,
                value: u64::try_from(left).unwrap_or(u64::MAX),
                limit: 0,
            }),
        }
    }
}

/// Checks a count against its limit.
pub(crate) fn within(what: &'static str, value: u32, limit: u32) -> Result<(), WireError> {
    if value > limit {
        return Err(WireError::OverLimit {
            what,
            value: value.into(),
            limit: limit.into(),
        });
    }
    Ok(())
}

//! Putting a stub together from fragments.

use crate::WireError;
use crate::limits::FRAGMENTS_MAX;
use crate::pdu::header::{FIRST, LAST, Packet};
use alloc::vec::Vec;

/// A stub of which some fragments may still be missing.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    stub: Vec<u8>,
    fragments: usize,
}

impl Reassembly {
    /// Takes the stub bytes of one fragment; gives the whole stub with the last one.
    ///
    /// The hint of the sender is not used: memory grows only with bytes that came.
    pub(crate) fn take(
        &mut self,
        packet: &Packet<'_>,
        part: &[u8],
        limit: usize,
    ) -> Result<Option<Vec<u8>>, WireError> {
        if packet.has(FIRST) != (self.fragments == 0) {
            return Err(WireError::BadValue {
                what: "the first-fragment flag",
                value: packet.header.flags.into(),
            });
        }
        let last = packet.has(LAST);
        if part.is_empty() && !last {
            // Such fragments could come for ever without anything growing.
            return Err(WireError::BadValue {
                what: "the length of a fragment that is not the last",
                value: 0,
            });
        }
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > FRAGMENTS_MAX {
            return Err(over(
                "the number of fragments",
                self.fragments,
                FRAGMENTS_MAX,
            ));
        }
        let size = self.stub.len().saturating_add(part.len());
        if size > limit {
            return Err(over("the size of the message", size, limit));
        }
        self.stub.extend_from_slice(part);
        if !last {
            return Ok(None);
        }
        self.fragments = 0;
        Ok(Some(core::mem::take(&mut self.stub)))
    }

    /// Whether fragments are still missing.
    pub(crate) const fn under_way(&self) -> bool {
        self.fragments != 0
    }
}

fn over(what: &'static str, value: usize, limit: usize) -> WireError {
    WireError::OverLimit {
        what,
        value: value.try_into().unwrap_or(u64::MAX),
        limit: limit.try_into().unwrap_or(u64::MAX),
    }
}

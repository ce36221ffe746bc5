//! Keys that seal the calls of RPC itself, for services that take nothing less (MS-RPCE 3.3.1.5.2), as the event log does.
//!
//! The packets are the wire crate's; here is what is done to their bytes: by NTLM ([`ntlm`]) or by Kerberos
//! ([`kerberos`](mod@self::kerberos)), with the cryptography that the logon uses already.

pub mod kerberos;
pub mod ntlm;

use std::ops::Range;

use svcwatch_wire::pdu::secure::{BadSeal, Protection};

/// The keys of one connection, by either way.
#[derive(Debug)]
pub(super) enum Keys {
    /// Those of NTLM.
    Ntlm(Box<ntlm::Keys>),
    /// Those of Kerberos.
    Kerberos(Box<kerberos::Keys>),
}

impl Protection for Keys {
    fn signature_bytes(&self) -> usize {
        match self {
            Self::Ntlm(keys) => keys.signature_bytes(),
            Self::Kerberos(keys) => keys.signature_bytes(),
        }
    }

    fn seal(&mut self, packet: &mut [u8], body: Range<usize>) -> Result<Vec<u8>, BadSeal> {
        match self {
            Self::Ntlm(keys) => keys.seal(packet, body),
            Self::Kerberos(keys) => keys.seal(packet, body),
        }
    }

    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal> {
        match self {
            Self::Ntlm(keys) => keys.unseal(packet, body, signature),
            Self::Kerberos(keys) => keys.unseal(packet, body, signature),
        }
    }
}

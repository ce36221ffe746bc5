//! Connections whose calls are sealed: encrypted and signed by RPC itself (C706, 13.2; MS-RPCE 2.2.2.11 and 3.3.1.5).
//!
//! Only the strongest level, packet privacy, is spoken. Proofs and keys come from outside, as tokens and a
//! [`Protection`]; what is known here is where they stand in a packet. [`SecureClient`] and [`SecureServer`] take
//! fragments and give fragments.

mod client;
mod server;
#[cfg(test)]
mod tests;
mod trailer;

pub use client::{Bound, SecureClient};
pub use server::{Accept, Accepted, SecureServer};

use alloc::vec::Vec;
use core::ops::Range;

/// By what a client proves who it is (MS-RPCE 2.2.1.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Provider(pub u8);

impl Provider {
    /// NTLM, `RPC_C_AUTHN_WINNT`.
    pub const NTLM: Self = Self(10);
    /// Kerberos, `RPC_C_AUTHN_GSS_KERBEROS`.
    pub const KERBEROS: Self = Self(16);
}

/// `RPC_C_AUTHN_LEVEL_PKT_PRIVACY` (MS-RPCE 2.2.1.1.8): each packet is encrypted and signed.
pub(crate) const PRIVACY: u8 = 6;

/// Sealed bodies are filled up to a multiple of this, in bytes: what every cipher of Windows takes.
pub(crate) const BODY_MULTIPLE: usize = 16;

/// A packet that cannot be sealed, or whose seal is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSeal;

/// The keys of one connection, and how far they were used.
///
/// Packets are sealed in the order in which they are sent, and unsealed in the order in which they come.
pub trait Protection {
    /// The size of every signature, in bytes.
    fn signature_bytes(&self) -> usize;

    /// Encrypts the bytes `body` of a packet, which ends before its signature, and gives the signature.
    fn seal(&mut self, packet: &mut [u8], body: Range<usize>) -> Result<Vec<u8>, BadSeal>;

    /// Decrypts the bytes `body` of a packet, which ends before its signature, and checks the signature.
    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal>;
}

//! NTLM's session security with 128-bit keys (MS-NLMP 3.4): RC4, and HMAC-MD5 over each packet with its number.

use std::fmt;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use svcwatch_wire::pdu::secure::{BadSeal, Protection};

/// What a host must agree to (MS-NLMP 2.2.2.5): signing, sealing, extended session security, an exchanged key of 128 bits.
pub(in crate::probe) const NEEDED: u32 = 0x10 | 0x20 | 0x0008_0000 | 0x2000_0000 | 0x4000_0000;

/// Where the flags stand in a CHALLENGE, in bytes (MS-NLMP 2.2.1.2).
const FLAGS_AT: usize = 20;

/// The size of a signature, in bytes (MS-NLMP 2.2.2.9.2).
const SIGNATURE: usize = 16;

/// The constants from which the keys of each direction come (MS-NLMP 3.4.5.2 and 3.4.5.3).
const CLIENT_SIGNS: &[u8] = b"session key to client-to-server signing key magic constant\0";
const CLIENT_SEALS: &[u8] = b"session key to client-to-server sealing key magic constant\0";
const SERVER_SIGNS: &[u8] = b"session key to server-to-client signing key magic constant\0";
const SERVER_SEALS: &[u8] = b"session key to server-to-client sealing key magic constant\0";

/// Whether a host's CHALLENGE agrees to sealing with full keys.
pub(in crate::probe) fn seals(challenge: &[u8]) -> bool {
    challenge
        .get(FLAGS_AT..)
        .and_then(<[u8]>::first_chunk)
        .is_some_and(|flags| u32::from_le_bytes(*flags) & NEEDED == NEEDED)
}

/// RC4, which MS-NLMP 3.4 prescribes; it hides nothing from whoever can break it, so the session under it is encrypted too.
pub(in crate::probe) struct Stream {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Stream {
    pub(in crate::probe) fn new(key: &[u8]) -> Self {
        let mut state = [0; 256];
        for (slot, value) in state.iter_mut().zip(0..=u8::MAX) {
            *slot = value;
        }
        let mut j = 0_u8;
        for (i, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(state[i]).wrapping_add(*key);
            state.swap(i, j.into());
        }
        Self { state, i: 0, j: 0 }
    }

    pub(in crate::probe) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            let a = self.state[usize::from(self.i)];
            self.j = self.j.wrapping_add(a);
            let b = self.state[usize::from(self.j)];
            self.state[usize::from(self.i)] = b;
            self.state[usize::from(self.j)] = a;
            *byte ^= self.state[usize::from(a.wrapping_add(b))];
        }
    }
}

/// One direction.
struct Direction {
    signs: Hmac<Md5>,
    stream: Stream,
    /// The number of the next packet.
    number: u32,
}

impl Direction {
    fn new(key: &[u8], signs: &[u8], seals: &[u8]) -> Option<Self> {
        let derived = |with: &[u8]| Md5::new().chain_update(key).chain_update(with).finalize();
        Some(Self {
            signs: Hmac::new_from_slice(&derived(signs)).ok()?,
            stream: Stream::new(&derived(seals)),
            number: 0,
        })
    }

    /// The signature of a packet whose body is readable, and which was encrypted or decrypted just before.
    fn signature(&mut self, packet: &[u8]) -> [u8; SIGNATURE] {
        let number = self.number.to_le_bytes();
        self.number = self.number.wrapping_add(1);
        let mut code = self.signs.clone();
        code.update(&number);
        code.update(packet);
        self.finish(code, number)
    }

    fn finish(&mut self, code: Hmac<Md5>, number: [u8; 4]) -> [u8; SIGNATURE] {
        let code = code.finalize().into_bytes();
        let mut signature = [0; SIGNATURE];
        // Version 1, eight bytes of the code, the number.
        signature[0] = 1;
        for (to, from) in signature[4..12].iter_mut().zip(&code) {
            *to = *from;
        }
        self.stream.apply(&mut signature[4..12]);
        signature[12..].copy_from_slice(&number);
        signature
    }
}

/// The keys of both directions.
pub struct Keys {
    sends: Direction,
    receives: Direction,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("sent", &self.sends.number)
            .field("received", &self.receives.number)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys of who calls, from the exported session key.
    pub fn of_client(session: &[u8]) -> Option<Self> {
        Some(Self {
            sends: Direction::new(session, CLIENT_SIGNS, CLIENT_SEALS)?,
            receives: Direction::new(session, SERVER_SIGNS, SERVER_SEALS)?,
        })
    }

    /// The keys of who is called.
    #[cfg(test)]
    pub(in crate::probe) fn of_server(session: &[u8]) -> Option<Self> {
        let Self { sends, receives } = Self::of_client(session)?;
        Some(Self {
            sends: receives,
            receives: sends,
        })
    }
}

impl Protection for Keys {
    fn signature_bytes(&self) -> usize {
        SIGNATURE
    }

    /// The signature covers the whole packet, whatever was agreed on about headers: so it is with extended session security.
    fn seal(&mut self, packet: &mut [u8], body: Range<usize>) -> Result<Vec<u8>, BadSeal> {
        let number = self.sends.number.to_le_bytes();
        self.sends.number = self.sends.number.wrapping_add(1);
        let mut code = self.sends.signs.clone();
        code.update(&number);
        code.update(packet);
        self.sends
            .stream
            .apply(packet.get_mut(body).ok_or(BadSeal)?);
        Ok(self.sends.finish(code, number).to_vec())
    }

    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal> {
        self.receives
            .stream
            .apply(packet.get_mut(body).ok_or(BadSeal)?);
        let due = self.receives.signature(packet);
        // In a time that does not depend on where they differ.
        let differs = due
            .iter()
            .zip(signature)
            .fold(0, |differs, (ours, theirs)| differs | (ours ^ theirs));
        if signature.len() == SIGNATURE && differs == 0 {
            Ok(())
        } else {
            Err(BadSeal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_its_test_vectors() {
        // RFC 6229, a key of 40 bits, and of 128 bits.
        let mut bytes = [0; 16];
        Stream::new(&[1, 2, 3, 4, 5]).apply(&mut bytes);
        assert_eq!(
            bytes,
            [
                0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27, 0xcc, 0xc3, 0x52, 0x4a, 0x0a, 0x11,
                0x18, 0xa8
            ]
        );
        let key: Vec<u8> = (1..=16).collect();
        let mut bytes = [0; 4];
        Stream::new(&key).apply(&mut bytes);
        assert_eq!(bytes, [0x9a, 0xc7, 0xcc, 0x9a]);
    }

    #[test]
    fn a_message_is_sealed_as_in_the_standard() {
        // MS-NLMP 4.2.4.4: the text "Plaintext" under the random session key of its examples.
        let mut keys = Keys::of_client(&[0x55; 16]).unwrap();
        let mut packet: Vec<u8> = "Plaintext"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let signature = keys.seal(&mut packet, 0..18).unwrap();
        assert_eq!(
            packet,
            [
                0x54, 0xe5, 0x01, 0x65, 0xbf, 0x19, 0x36, 0xdc, 0x99, 0x60, 0x20, 0xc1, 0x81, 0x1b,
                0x0f, 0x06, 0xfb, 0x5f
            ]
        );
        assert_eq!(
            signature,
            [
                1, 0, 0, 0, 0x7f, 0xb3, 0x8e, 0xc5, 0xc5, 0x5d, 0x49, 0x76, 0, 0, 0, 0
            ]
        );
    }

    #[test]
    fn both_sides_understand_each_other_and_nobody_between() {
        let mut client = Keys::of_client(&[7; 16]).unwrap();
        let mut server = Keys::of_server(&[7; 16]).unwrap();
        for size in [0, 16, 4096] {
            let plain = vec![3; 24 + size + 8];
            let mut packet = plain.clone();
            let signature = client.seal(&mut packet, 24..24 + size).unwrap();
            assert_eq!(
                server.unseal(&mut packet, 24..24 + size, &signature),
                Ok(())
            );
            assert_eq!(packet, plain);
            let mut back = plain.clone();
            let signature = server.seal(&mut back, 24..24 + size).unwrap();
            assert_eq!(client.unseal(&mut back, 24..24 + size, &signature), Ok(()));
        }
        let mut packet = vec![3; 64];
        let signature = client.seal(&mut packet, 24..56).unwrap();
        packet[2] ^= 1;
        assert_eq!(server.unseal(&mut packet, 24..56, &signature), Err(BadSeal));
        assert!(!format!("{client:?}").contains("state"), "{client:?}");
    }

    #[test]
    fn a_challenge_with_weaker_keys_is_told() {
        let mut challenge = vec![0; 32];
        challenge[20..24].copy_from_slice(&NEEDED.to_le_bytes());
        assert!(seals(&challenge));
        challenge[23] &= !0x20;
        assert!(!seals(&challenge));
        assert!(!seals(&challenge[..22]));
    }
}

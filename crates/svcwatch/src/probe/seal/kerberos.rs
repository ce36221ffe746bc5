//! Kerberos' session security: the tokens of RFC 4121 4.2.6.2 in the form that RPC uses (MS-KILE 3.4.5.4.1 and 3.4.5.6).

use std::fmt;
use std::ops::Range;

use svcwatch_wire::pdu::secure::{BadSeal, Protection};

use crate::probe::kerberos::{Cipher, Secured};

/// Sizes in bytes: of a token's header, of the random bytes before a text, of the filling, and of the code.
const HEADER: usize = 16;
const CONFOUNDER: usize = 16;
const FILLING: usize = 16;
const CODE: usize = 12;

/// The size of a signature: everything of a sealed token but the text.
const SIGNATURE: usize = HEADER + FILLING + HEADER + CODE + CONFOUNDER;

/// How far the sealed bytes are turned so that the text stands where it was: `RRC`, beside the filling (MS-KILE 3.4.5.4.1).
const TURN: u16 = 28;

/// Flags of a token (RFC 4121 4.2.2): from the acceptor, sealed, under the acceptor's key.
const BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
const ACCEPTORS_KEY: u8 = 4;

/// The keys of both directions.
pub struct Keys {
    sends: Cipher,
    receives: Cipher,
    flags: u8,
    signs_headers: bool,
    sent: u64,
    received: u64,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys of who calls, from what both proved.
    pub(in crate::probe) fn of_client(secured: Secured, signs_headers: bool) -> Self {
        Self {
            sends: secured.sends,
            receives: secured.receives,
            flags: if secured.acceptors_key {
                ACCEPTORS_KEY
            } else {
                0
            },
            signs_headers,
            sent: secured.our_number.into(),
            received: secured.their_number.into(),
        }
    }

    /// The keys of who calls where both share this key (RFC 3962; kind 17 or 18) and count from zero; nothing where its
    /// length does not fit.
    pub fn of_key(kind: i32, key: Vec<u8>) -> Option<Self> {
        Some(Self::of_client(Secured::of_key(kind, key)?, true))
    }

    /// What the code of a token covers besides the text.
    fn around<'a>(&self, packet: &'a [u8], body: &Range<usize>) -> [&'a [u8]; 2] {
        if self.signs_headers {
            [
                packet.get(..body.start).unwrap_or_default(),
                packet.get(body.end..).unwrap_or_default(),
            ]
        } else {
            [&[], &[]]
        }
    }
}

/// The header of a sealed token.
fn header(flags: u8, filling: u16, turn: u16, number: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let fixed = [5, 4, flags, 0xff].into_iter();
    let bytes = fixed
        .chain(filling.to_be_bytes())
        .chain(turn.to_be_bytes())
        .chain(number.to_be_bytes());
    for (to, from) in header.iter_mut().zip(bytes) {
        *to = from;
    }
    header
}

impl Protection for Keys {
    fn signature_bytes(&self) -> usize {
        SIGNATURE
    }

    fn seal(&mut self, packet: &mut [u8], body: Range<usize>) -> Result<Vec<u8>, BadSeal> {
        const FILLING_16: u16 = 16;
        let flags = self.flags | SEALED;
        let mut plain = vec![0; CONFOUNDER];
        getrandom::fill(&mut plain).map_err(|_| BadSeal)?;
        let [before, after] = self.around(packet, &body);
        let text = packet.get(body.clone()).ok_or(BadSeal)?;
        let size = text.len();
        plain.extend_from_slice(text);
        plain.extend_from_slice(&[0; FILLING]);
        plain.extend_from_slice(&header(flags, FILLING_16, 0, self.sent));
        let (random, rest) = plain.split_at(CONFOUNDER);
        let (text, tail) = rest.split_at_checked(size).ok_or(BadSeal)?;
        let code = self.sends.code(&[random, before, text, after, tail]);
        let sealed = self.sends.encrypt(&plain).ok_or(BadSeal)?;
        // The end comes to the front, so that the text stays in its place.
        let (front, end) = sealed.split_at_checked(CONFOUNDER + size).ok_or(BadSeal)?;
        let (random, text) = front.split_at_checked(CONFOUNDER).ok_or(BadSeal)?;
        packet.get_mut(body).ok_or(BadSeal)?.copy_from_slice(text);
        let mut signature = header(flags, FILLING_16, TURN, self.sent).to_vec();
        signature.extend_from_slice(end);
        signature.extend_from_slice(&code);
        signature.extend_from_slice(random);
        self.sent = self.sent.wrapping_add(1);
        Ok(signature)
    }

    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal> {
        let (head, rest) = signature.split_first_chunk::<HEADER>().ok_or(BadSeal)?;
        let [5, 4, flags, 0xff, a, b, c, d, ..] = *head else {
            return Err(BadSeal);
        };
        let filling = u16::from_be_bytes([a, b]);
        let turn = u16::from_be_bytes([c, d]);
        let due = header(
            self.flags | SEALED | BY_ACCEPTOR,
            filling,
            turn,
            self.received,
        );
        if flags & SEALED == 0 || due != *head {
            return Err(BadSeal);
        }
        // Turned back, the bytes are the random ones, the text, the filling, the header again, and the code.
        let mut whole = rest.to_vec();
        whole.extend_from_slice(packet.get(body.clone()).ok_or(BadSeal)?);
        let turned = usize::from(turn) + usize::from(filling);
        if turned > whole.len() {
            return Err(BadSeal);
        }
        whole.rotate_left(turned);
        let (sealed, code) = whole
            .split_at_checked(whole.len().checked_sub(CODE).ok_or(BadSeal)?)
            .ok_or(BadSeal)?;
        let plain = self.receives.decrypt(sealed).ok_or(BadSeal)?;
        let (random, rest) = plain.split_at_checked(CONFOUNDER).ok_or(BadSeal)?;
        let (text, tail) = rest.split_at_checked(body.len()).ok_or(BadSeal)?;
        let [before, after] = self.around(packet, &body);
        if !self
            .receives
            .is_code(&[random, before, text, after, tail], code)
        {
            return Err(BadSeal);
        }
        let inner = header(flags, filling, 0, self.received);
        if tail.len() != usize::from(filling) + HEADER || !tail.ends_with(&inner) {
            return Err(BadSeal);
        }
        packet.get_mut(body).ok_or(BadSeal)?.copy_from_slice(text);
        self.received = self.received.wrapping_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::kerberos::tests::both_sides;

    fn keys(signs_headers: bool) -> (Keys, Keys) {
        let (client, server) = both_sides();
        let client = Keys::of_client(client, signs_headers);
        let mut server = Keys::of_client(server, signs_headers);
        server.flags |= BY_ACCEPTOR;
        (client, server)
    }

    /// As the client reads what the server sealed; the other way round only the flag of the acceptor differs.
    #[test]
    fn what_the_server_seals_the_client_reads_and_nothing_else() {
        for signs_headers in [false, true] {
            let (mut client, mut server) = keys(signs_headers);
            for size in [0, 16, 4096] {
                let plain = vec![3; 24 + size + 8];
                let mut packet = plain.clone();
                let signature = server.seal(&mut packet, 24..24 + size).unwrap();
                assert_eq!(signature.len(), SIGNATURE);
                assert!(size == 0 || packet != plain);
                assert_eq!(
                    client.unseal(&mut packet, 24..24 + size, &signature),
                    Ok(())
                );
                assert_eq!(packet, plain);
            }
            let mut packet = vec![3; 64];
            let signature = server.seal(&mut packet, 24..56).unwrap();
            for at in [30, 55] {
                let mut changed = packet.clone();
                changed[at] ^= 1;
                assert_eq!(
                    client.unseal(&mut changed, 24..56, &signature),
                    Err(BadSeal)
                );
            }
            let mut changed = packet.clone();
            changed[2] ^= 1;
            let refused = client.unseal(&mut changed, 24..56, &signature).is_err();
            assert_eq!(refused, signs_headers);
        }
    }

    #[test]
    fn a_signature_that_lies_is_no_signature() {
        let (mut client, mut server) = keys(true);
        let mut packet = vec![3; 64];
        let signature = server.seal(&mut packet, 24..56).unwrap();
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 0x40;
            assert_eq!(
                client.unseal(&mut packet.clone(), 24..56, &changed),
                Err(BadSeal),
                "{at}"
            );
        }
        for cut in 0..signature.len() {
            assert_eq!(
                client.unseal(&mut packet.clone(), 24..56, &signature[..cut]),
                Err(BadSeal)
            );
        }
        assert_eq!(client.unseal(&mut packet, 24..56, &signature), Ok(()));
    }
}

//! A logon to a service of RPC itself: three tokens, after which both sides share keys (RFC 4121 4.1, MS-KILE 3.4.5.1).

use smb2::auth::kerberos::messages::{
    PrincipalName, encode_ap_req, encode_authenticator, parse_ap_rep, parse_enc_ap_rep_part,
};

use super::clock::Moment;
use super::crypt::{Cipher, Key};
use super::message::{Granted, refusal};
use super::{KerberosError, der};

/// For what a key is used (RFC 4120 7.5.1, RFC 4121 2).
const LOGON: u32 = 11;
const LOGON_REPLY: u32 = 12;
const ACCEPTOR_SEALS: u32 = 22;
const INITIATOR_SEALS: u32 = 24;

/// The kind of the checksum that carries flags, and the flags: both prove themselves, in order, sealed, in the style of
/// DCE (RFC 4121 4.1.1, RFC 4757 7.1).
const FLAGS_KIND: i32 = 0x8003;
const FLAGS: u32 = 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x1000;

/// A logon that waits for the service's answer.
#[derive(Debug)]
pub(crate) struct Opening {
    granted: Granted,
    moment: Moment,
    subkey: Key,
    number: u32,
}

/// What both sides share.
#[derive(Debug)]
pub(crate) struct Secured {
    /// For what we send.
    pub(crate) sends: Cipher,
    /// For what comes.
    pub(crate) receives: Cipher,
    /// Whether the key is the service's own.
    pub(crate) acceptors_key: bool,
    /// The number of our first packet.
    pub(crate) our_number: u32,
    /// The number of the service's first packet.
    pub(crate) their_number: u32,
}

impl Secured {
    /// What who calls shares with the service where both have this key and count from zero.
    pub(crate) fn of_key(kind: i32, key: Vec<u8>) -> Option<Self> {
        let key = Key::new(kind, key)?;
        Some(Self {
            sends: key.cipher(INITIATOR_SEALS),
            receives: key.cipher(ACCEPTOR_SEALS),
            acceptors_key: true,
            our_number: 0,
            their_number: 0,
        })
    }
}

impl Opening {
    /// Begins: the first token, and what waits for its answer.
    pub(crate) fn begin(granted: Granted) -> Result<(Vec<u8>, Self), KerberosError> {
        let moment = Moment::now();
        let subkey = Key::random(granted.key.kind())?;
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(|_| KerberosError::NoRandomness)?;
        // Without the highest bit: some read it as a sign.
        let number = u32::from_le_bytes(number) >> 1;
        let client = PrincipalName {
            name_type: 1,
            name_string: granted.client.parts.clone(),
        };
        let mut flags = 16_u32.to_le_bytes().to_vec();
        flags.extend_from_slice(&[0; 16]);
        flags.extend_from_slice(&FLAGS.to_le_bytes());
        let proof = encode_authenticator(
            &granted.client.realm,
            &client,
            &moment.text,
            moment.microseconds,
            Some((subkey.bytes(), subkey.kind())),
            Some(number),
            Some((&flags, FLAGS_KIND)),
        );
        let proof = granted.key.sealed(LOGON, &proof)?;
        let token = encode_ap_req(&granted.ticket, &proof, true);
        let opening = Self {
            granted,
            moment,
            subkey,
            number,
        };
        Ok((token, opening))
    }

    /// Takes the service's answer, which proves that it has the key of the ticket; gives the last token and the keys.
    pub(crate) fn answer(self, token: &[u8]) -> Result<(Vec<u8>, Secured), KerberosError> {
        let malformed = || KerberosError::Malformed("the service's answer to the ticket");
        if token.is_empty() {
            return Err(KerberosError::NoProof);
        }
        if let Some(error) = refusal(token) {
            return Err(error);
        }
        let reply = parse_ap_rep(token).map_err(|_| malformed())?;
        let plain = self
            .granted
            .key
            .decrypt(LOGON_REPLY, &reply.enc_part.cipher)
            .ok_or(KerberosError::HostHasNoKey)?;
        let fields = der::body(&plain, 0x7b)
            .and_then(|part| der::body(part, 0x30))
            .ok_or_else(malformed)?;
        let moment = der::field(fields, 0).and_then(|field| der::body(field, 0x18));
        let microseconds = der::field(fields, 1).and_then(der::number);
        if moment != Some(self.moment.text.as_bytes())
            || microseconds != Some(self.moment.microseconds.into())
        {
            // The answer to another logon.
            return Err(KerberosError::NoProof);
        }
        let part = parse_enc_ap_rep_part(&plain).map_err(|_| malformed())?;
        let their_number = part.seq_number.unwrap_or(0);
        let third = self.third(their_number)?;
        let (key, acceptors_key) = match part.subkey {
            Some(key) => {
                let key = Key::new(key.keytype, key.keyvalue).ok_or(KerberosError::WeakKey)?;
                (key, true)
            }
            None => (self.subkey, false),
        };
        let secured = Secured {
            sends: key.cipher(INITIATOR_SEALS),
            receives: key.cipher(ACCEPTOR_SEALS),
            acceptors_key,
            our_number: self.number,
            their_number,
        };
        Ok((third, secured))
    }

    /// The last token, which repeats the service's number (MS-KILE 3.4.5.1).
    fn third(&self, their_number: u32) -> Result<Vec<u8>, KerberosError> {
        let part = der::sequence(&[
            der::context(0, &der::moment(&self.moment.text)),
            der::context(1, &der::integer(self.moment.microseconds.into())),
            der::context(3, &der::integer(their_number.into())),
        ]);
        let sealed = self
            .granted
            .key
            .sealed(LOGON_REPLY, &der::application(27, &part))?;
        let sealed = der::sequence(&[
            der::context(0, &der::integer(sealed.etype.into())),
            der::context(2, &der::octets(&sealed.cipher)),
        ]);
        let reply = der::sequence(&[
            der::context(0, &der::integer(5)),
            der::context(1, &der::integer(15)),
            der::context(2, &sealed),
        ]);
        Ok(der::application(15, &reply))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The keys of a client, and of its server as if it were the client.
    pub(crate) fn both_sides() -> (Secured, Secured) {
        let side = || Secured::of_key(18, vec![9; 32]).unwrap();
        let (client, server) = (side(), side());
        let server = Secured {
            sends: server.receives,
            receives: server.sends,
            ..server
        };
        (client, server)
    }
}

//! The other side of NTLM, for a host of ours: it knows one password and takes no weaker keys.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use smb2::auth::kerberos::crypto::string_to_key_rc4;
use svcwatch_wire::pdu::secure::{Accept, Accepted, Provider};

use crate::probe::seal::ntlm::{Keys, NEEDED, Stream};

/// What this host challenges with.
const CHALLENGE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Flags beside those that are needed: Unicode, a target, NTLM, always signed, target information.
const FLAGS: u32 = 0x1 | 0x4 | 0x200 | 0x8000 | 0x0080_0000;

/// Lets in who knows the password.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) password: &'static str,
    /// Flags that this host leaves out.
    pub(super) lacks: u32,
    challenged: bool,
}

impl Acceptor {
    pub(super) const fn new(password: &'static str, lacks: u32) -> Self {
        Self {
            password,
            lacks,
            challenged: false,
        }
    }

    /// The CHALLENGE (MS-NLMP 2.2.1.2), with the computer's name and the end mark as target information.
    fn challenge(&self) -> Vec<u8> {
        let mut info = vec![1, 0, 10, 0];
        info.extend("WEB-1".encode_utf16().flat_map(u16::to_le_bytes));
        info.extend([0; 4]);
        let length = u16::try_from(info.len()).unwrap().to_le_bytes();
        let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
        message.extend([0, 0, 0, 0, 48, 0, 0, 0]);
        message.extend(((NEEDED | FLAGS) & !self.lacks).to_le_bytes());
        message.extend(CHALLENGE);
        message.extend([0; 8]);
        message.extend([length, length].concat());
        message.extend(48_u32.to_le_bytes());
        message.extend(info);
        message
    }

    /// The exported session key of who knows the password (MS-NLMP 3.3.2 and 3.4.5.1).
    fn session(&self, message: &[u8]) -> Option<Vec<u8>> {
        let field = |at: usize| {
            let length = u16::from_le_bytes([message[at], message[at + 1]]);
            let offset = u32::from_le_bytes(*message[at + 4..].first_chunk()?);
            let offset = usize::try_from(offset).ok()?;
            message.get(offset..offset + usize::from(length))
        };
        let (proof, domain, user, key) = (field(20)?, field(28)?, field(36)?, field(52)?);
        let units: Vec<u16> = user
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        let user = String::from_utf16(&units).ok()?.to_uppercase();
        let user: Vec<u8> = user.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let owner = code(&string_to_key_rc4(self.password), &[&user, domain]);
        let (proof, rest) = proof.split_at_checked(16)?;
        if code(&owner, &[&CHALLENGE, rest]) != proof {
            return None;
        }
        let mut session = key.to_vec();
        Stream::new(&code(&owner, &[proof])).apply(&mut session);
        Some(session)
    }
}

fn code(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut code = Hmac::<Md5>::new_from_slice(key).unwrap();
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().to_vec()
}

impl Accept for Acceptor {
    type Protection = Keys;

    fn provider(&self) -> Provider {
        Provider::NTLM
    }

    fn token(&mut self, token: &[u8], _: bool) -> Accepted<Keys> {
        if !self.challenged {
            self.challenged = true;
            return Accepted::Challenge(self.challenge());
        }
        let keys = self
            .session(token)
            .and_then(|session| Keys::of_server(&session));
        keys.map_or(Accepted::Refused, |keys| Accepted::Proved(Vec::new(), keys))
    }
}

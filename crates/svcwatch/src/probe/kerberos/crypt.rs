//! Keys of Kerberos, and what is done with them: AES with HMAC-SHA1 (RFC 3962). Weaker kinds are not spoken.

use std::fmt;

use aes::{Aes128, Aes256};
use cts::{CbcCs3, Decrypt, Encrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use smb2::auth::kerberos::crypto::{
    EncryptionType, compute_checksum, decrypt_aes_cts, derive_key_aes, encrypt_aes_cts,
    string_to_key_aes, usage_enc, usage_int,
};

use smb2::auth::kerberos::messages::EncryptedData;

use super::KerberosError;

/// The kinds of keys that are spoken, the stronger one first: AES-256 and AES-128 (RFC 3962 section 7).
pub(super) const KINDS: [i32; 2] = [18, 17];

/// The length of a block, and of the random bytes before each text (RFC 3962 section 6).
const BLOCK: usize = 16;
/// The length of the code behind each text (RFC 3962 section 6).
const CODE: usize = 12;

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    kind: EncryptionType,
    bytes: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A key of a kind that is spoken; nothing where it is another, or its length does not fit.
    pub(super) fn new(kind: i32, bytes: Vec<u8>) -> Option<Self> {
        let kind = spoken(kind)?;
        (bytes.len() == length(kind)).then_some(Self { kind, bytes })
    }

    /// The key of a user, from the password and the salt that the domain controller named (RFC 3962 section 4).
    pub(super) fn of_password(kind: i32, password: &str, salt: &str) -> Option<Self> {
        let kind = spoken(kind)?;
        let bytes = string_to_key_aes(password, salt, length(kind));
        Some(Self { kind, bytes })
    }

    /// Its kind, as a number on the wire.
    pub(super) const fn kind(&self) -> i32 {
        match self.kind {
            EncryptionType::Aes256CtsHmacSha196 => 18,
            EncryptionType::Aes128CtsHmacSha196 => 17,
            EncryptionType::Rc4Hmac => 23,
        }
    }

    /// The key's own bytes, from which those of SMB are derived.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Encrypts a text for one use (RFC 3961 section 5.3).
    pub(super) fn encrypt(&self, usage: u32, text: &[u8]) -> Result<Vec<u8>, KerberosError> {
        let mut plain = vec![0; BLOCK];
        getrandom::fill(&mut plain).map_err(|_| KerberosError::NoRandomness)?;
        plain.extend_from_slice(text);
        let mut sealed = encrypt_aes_cts(&self.derived(usage_enc(usage)), &[0; BLOCK], &plain);
        let code = self.code(usage, &plain)?.finalize().into_bytes();
        sealed.extend(code.iter().take(CODE));
        Ok(sealed)
    }

    /// Decrypts a text; nothing where it was not encrypted with this key for this use.
    pub(super) fn decrypt(&self, usage: u32, sealed: &[u8]) -> Option<Vec<u8>> {
        let (sealed, code) = sealed.split_at_checked(sealed.len().checked_sub(CODE)?)?;
        if sealed.len() < BLOCK {
            return None;
        }
        let key = self.derived(usage_enc(usage));
        let plain = decrypt_aes_cts(&key, &[0; BLOCK], sealed).ok()?;
        self.code(usage, &plain)
            .ok()?
            .verify_truncated_left(code)
            .ok()?;
        plain.get(BLOCK..).map(<[u8]>::to_vec)
    }

    /// The checksum of a text for one use, with the number of its kind (RFC 3962 section 7).
    pub(super) fn checksum(&self, usage: u32, text: &[u8]) -> (Vec<u8>, i32) {
        let kind = if self.bytes.len() == BLOCK { 15 } else { 16 };
        (compute_checksum(&self.bytes, usage, text, self.kind), kind)
    }

    /// The same, as it stands in a message.
    pub(super) fn sealed(&self, usage: u32, text: &[u8]) -> Result<EncryptedData, KerberosError> {
        Ok(EncryptedData {
            etype: self.kind(),
            kvno: None,
            cipher: self.encrypt(usage, text)?,
        })
    }

    /// A new key of a kind that is spoken.
    pub(super) fn random(kind: i32) -> Result<Self, KerberosError> {
        let kind = spoken(kind).ok_or(KerberosError::WeakKey)?;
        let mut bytes = vec![0; length(kind)];
        getrandom::fill(&mut bytes).map_err(|_| KerberosError::NoRandomness)?;
        Ok(Self { kind, bytes })
    }

    /// The keys that it gives for one use, for many texts.
    pub(super) fn cipher(&self, usage: u32) -> Cipher {
        Cipher {
            encrypts: self.derived(usage_enc(usage)),
            signs: self.derived(usage_int(usage)),
        }
    }

    fn derived(&self, usage: [u8; 5]) -> Vec<u8> {
        derive_key_aes(&self.bytes, &usage)
    }

    fn code(&self, usage: u32, plain: &[u8]) -> Result<Hmac<Sha1>, KerberosError> {
        let mut code = Hmac::<Sha1>::new_from_slice(&self.derived(usage_int(usage)))
            .map_err(|_| KerberosError::Malformed("a key"))?;
        code.update(plain);
        Ok(code)
    }
}

/// The two keys of one use: the text is put together by the caller, with its random bytes.
pub(crate) struct Cipher {
    encrypts: Vec<u8>,
    signs: Vec<u8>,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cipher").finish_non_exhaustive()
    }
}

impl Cipher {
    /// Encrypts a text of more than a block; nothing where it is shorter than one.
    pub(crate) fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut text = plain.to_vec();
        let (key, start) = (&self.encrypts, &[0; BLOCK]);
        let done = if key.len() == length(EncryptionType::Aes256CtsHmacSha196) {
            Encrypt::encrypt(
                CbcCs3::<Aes256>::new_from_slices(key, start).ok()?,
                &mut text,
            )
        } else {
            Encrypt::encrypt(
                CbcCs3::<Aes128>::new_from_slices(key, start).ok()?,
                &mut text,
            )
        };
        done.is_ok().then_some(text)
    }

    /// Decrypts a text of more than a block; nothing where it is shorter than one.
    pub(crate) fn decrypt(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut text = sealed.to_vec();
        let (key, start) = (&self.encrypts, &[0; BLOCK]);
        let done = if key.len() == length(EncryptionType::Aes256CtsHmacSha196) {
            Decrypt::decrypt(
                CbcCs3::<Aes256>::new_from_slices(key, start).ok()?,
                &mut text,
            )
        } else {
            Decrypt::decrypt(
                CbcCs3::<Aes128>::new_from_slices(key, start).ok()?,
                &mut text,
            )
        };
        done.is_ok().then_some(text)
    }

    /// The code of a text in parts.
    pub(crate) fn code(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut code = self
            .of(parts)
            .map_or_else(Vec::new, |code| code.finalize().into_bytes().to_vec());
        code.truncate(CODE);
        code
    }

    /// Whether this is the code of a text in parts.
    pub(crate) fn is_code(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        code.len() == CODE
            && self
                .of(parts)
                .is_some_and(|ours| ours.verify_truncated_left(code).is_ok())
    }

    fn of(&self, parts: &[&[u8]]) -> Option<Hmac<Sha1>> {
        let mut code = Hmac::<Sha1>::new_from_slice(&self.signs).ok()?;
        for part in parts {
            code.update(part);
        }
        Some(code)
    }
}

const fn spoken(kind: i32) -> Option<EncryptionType> {
    match kind {
        18 => Some(EncryptionType::Aes256CtsHmacSha196),
        17 => Some(EncryptionType::Aes128CtsHmacSha196),
        _ => None,
    }
}

const fn length(kind: EncryptionType) -> usize {
    match kind {
        EncryptionType::Aes256CtsHmacSha196 => 32,
        EncryptionType::Aes128CtsHmacSha196 | EncryptionType::Rc4Hmac => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_gives_the_key_of_the_standard() {
        // Made by Samba's domain controller for a user `kuser` of SPIKE.TEST, and taken from its keytab.
        let keys = [
            (
                18,
                "30c4bf714a40c5065b18823de70b598599e08fdd89c5e33f91bb8d851b8ef1e1",
            ),
            (17, "9541b4d3b353be9b517109a70e0ad16e"),
        ];
        for (kind, wanted) in keys {
            let key = Key::of_password(kind, "Kuser0!Word", "SPIKE.TESTkuser").unwrap();
            let hex: Vec<String> = key
                .bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!((hex.concat().as_str(), key.kind()), (wanted, kind));
        }
        assert!(
            Key::of_password(23, "x", "y").is_none(),
            "RC4 is not spoken"
        );
        assert!(Key::new(18, vec![0; 16]).is_none());
        let shown = format!("{:?}", Key::new(17, vec![7; 16]));
        assert!(!shown.contains("bytes"), "{shown}");
    }

    #[test]
    fn the_cipher_of_a_session_is_that_of_single_messages() {
        for kind in KINDS {
            let key = Key::new(kind, vec![7; length(spoken(kind).unwrap())]).unwrap();
            let cipher = key.cipher(24);
            for size in (BLOCK + 1..5 * BLOCK).chain([4_096, 4_097]) {
                let text: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
                let sealed = cipher.encrypt(&text).unwrap();
                let of_library = encrypt_aes_cts(&cipher.encrypts, &[0; BLOCK], &text);
                assert_eq!(sealed, of_library, "{kind} {size}");
                assert_eq!(cipher.decrypt(&sealed), Some(text), "{kind} {size}");
            }
            for short in 0..BLOCK {
                assert_eq!(cipher.encrypt(&vec![1; short]), None);
                assert_eq!(cipher.decrypt(&vec![1; short]), None);
            }
        }
    }

    #[test]
    fn what_was_encrypted_is_read_with_the_same_key_and_use_alone() {
        for (kind, length) in [(18, 32), (17, 16)] {
            let key = Key::new(kind, vec![7; length]).unwrap();
            for text in [&b""[..], b"a", &[1; 16], &[2; 33]] {
                let sealed = key.encrypt(3, text).unwrap();
                assert_eq!(key.decrypt(3, &sealed).as_deref(), Some(text));
                assert_eq!(key.decrypt(4, &sealed), None);
                let mut changed = sealed.clone();
                changed[0] ^= 1;
                assert_eq!(key.decrypt(3, &changed), None);
                for cut in 0..sealed.len() {
                    assert_eq!(key.decrypt(3, &sealed[..cut]), None);
                }
            }
            let other = Key::new(kind, vec![8; length]).unwrap();
            assert_eq!(other.decrypt(3, &key.encrypt(3, b"text").unwrap()), None);
        }
    }
}

//! What the SMB library's NTLMv2 leaves out: whom we mean, from where we come, and who answered.
//!
//! The library computes the NTLMv2 response; these functions put the target name into what it signs, add
//! the workstation's name, and compute the message integrity code over the result again (MS-NLMP 3.1.5.1.2).
//! A host that checks target names refuses a logon without one, and an audit log without a workstation
//! name shows an empty field.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// Where the target information's length and offset stand in a CHALLENGE (MS-NLMP 2.2.1.2).
const CHALLENGE_TARGET_INFO: usize = 40;

/// Where the flags and the version stand in a CHALLENGE (MS-NLMP 2.2.1.2), and the flag that there is a version (2.2.2.5).
const CHALLENGE_FLAGS: usize = 20;
const CHALLENGE_VERSION: usize = 48;
const NEGOTIATE_VERSION: u32 = 0x0200_0000;

/// Where the workstation's length and offset stand in an AUTHENTICATE (MS-NLMP 2.2.1.3).
const AUTHENTICATE_WORKSTATION: usize = 44;

/// Where the integrity code stands in an AUTHENTICATE (MS-NLMP 2.2.1.3).
const AUTHENTICATE_MIC: std::ops::Range<usize> = 72..88;

/// Where the payload of an AUTHENTICATE without an integrity code begins.
const AUTHENTICATE_SHORT: u32 = 72;

/// AV_PAIR identifiers (MS-NLMP 2.2.2.1).
const AV_END: u16 = 0;
const AV_NETBIOS_COMPUTER: u16 = 1;
const AV_DNS_COMPUTER: u16 = 3;
const AV_TARGET: u16 = 9;

/// How many AV_PAIRs of a challenge are looked at; the protocol has eleven kinds.
const PAIR_LIMIT: usize = 32;

/// The longest name that is taken from a challenge, in characters.
const NAME_LIMIT: usize = 255;

/// The names by which a host calls itself in its challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ComputerNames {
    /// The NetBIOS name, as `SRV01`.
    pub(super) netbios: Option<String>,
    /// The DNS name, as `srv01.corp.example`.
    pub(super) dns: Option<String>,
}

/// Reads the host's own names from its CHALLENGE.
pub(super) fn computer_names(challenge: &[u8]) -> ComputerNames {
    let mut names = ComputerNames::default();
    for (kind, value) in pairs(target_info(challenge)) {
        match kind {
            AV_NETBIOS_COMPUTER => names.netbios = name(value),
            AV_DNS_COMPUTER => names.dns = name(value),
            _ => {}
        }
    }
    names
}

/// The version of Windows that a CHALLENGE tells (MS-NLMP 2.2.2.10), as `10.0.20348`; Samba tells one too.
pub(super) fn windows_version(challenge: &[u8]) -> Option<String> {
    let told = u32_at(challenge, CHALLENGE_FLAGS)? & NEGOTIATE_VERSION != 0;
    let [major, minor, ..] = challenge.get(CHALLENGE_VERSION..)? else {
        return None;
    };
    let build = u16_at(challenge, CHALLENGE_VERSION + 2)?;
    told.then(|| format!("{major}.{minor}.{build}"))
}

/// The challenge with the target name `target` (as `cifs/srv01`) among its target information, so that the
/// response that is computed from it covers that name. Unchanged where that does not fit.
pub(super) fn with_target_name(challenge: &[u8], target: &str) -> Vec<u8> {
    let mut mended = challenge.to_vec();
    let mut info = Vec::new();
    for (kind, value) in pairs(target_info(challenge)).filter(|(kind, _)| *kind != AV_TARGET) {
        push_pair(&mut info, kind, value);
    }
    push_pair(&mut info, AV_TARGET, &utf16(target));
    push_pair(&mut info, AV_END, &[]);
    if set_field(&mut mended, CHALLENGE_TARGET_INFO, &info).is_none() {
        return challenge.to_vec();
    }
    mended
}

/// The three messages of a logon and its key, from which its integrity code is computed.
pub(super) struct Exchange<'a> {
    /// Our NEGOTIATE.
    pub(super) negotiate: &'a [u8],
    /// The host's CHALLENGE as it came.
    pub(super) challenge: &'a [u8],
    /// The exported session key.
    pub(super) key: &'a [u8],
}

/// The AUTHENTICATE message with the workstation's name, and its integrity code computed again.
/// None where the message is not one that this can be done to.
pub(super) fn finish(
    authenticate: &[u8],
    workstation: &str,
    exchange: &Exchange<'_>,
) -> Option<Vec<u8>> {
    let mut message = authenticate.to_vec();
    // The domain's text comes first in the payload, so its offset says whether an integrity code precedes it.
    let has_code = u32_at(&message, 32)? > AUTHENTICATE_SHORT;
    set_field(&mut message, AUTHENTICATE_WORKSTATION, &utf16(workstation))?;
    if has_code {
        message.get_mut(AUTHENTICATE_MIC)?.fill(0);
        let mut code = Hmac::<Md5>::new_from_slice(exchange.key).ok()?;
        code.update(exchange.negotiate);
        code.update(exchange.challenge);
        code.update(&message);
        message
            .get_mut(AUTHENTICATE_MIC)?
            .copy_from_slice(&code.finalize().into_bytes());
    }
    Some(message)
}

/// The target information of a CHALLENGE, empty where there is none.
fn target_info(challenge: &[u8]) -> &[u8] {
    let range = || {
        let length = usize::from(u16_at(challenge, CHALLENGE_TARGET_INFO)?);
        let offset = usize::try_from(u32_at(challenge, CHALLENGE_TARGET_INFO + 4)?).ok()?;
        challenge.get(offset..offset.checked_add(length)?)
    };
    range().unwrap_or_default()
}

/// The AV_PAIRs of target information, up to the end mark or the first that is cut off.
fn pairs(info: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = info;
    std::iter::from_fn(move || {
        let kind = u16_at(rest, 0).filter(|kind| *kind != AV_END)?;
        let end = 4 + usize::from(u16_at(rest, 2)?);
        let value = rest.get(4..end)?;
        rest = rest.get(end..)?;
        Some((kind, value))
    })
    .take(PAIR_LIMIT)
}

fn push_pair(info: &mut Vec<u8>, kind: u16, value: &[u8]) {
    if let Ok(length) = u16::try_from(value.len()) {
        info.extend_from_slice(&kind.to_le_bytes());
        info.extend_from_slice(&length.to_le_bytes());
        info.extend_from_slice(value);
    }
}

/// Appends `value` to a message and points the length, maximal length and offset at `at` to it.
fn set_field(message: &mut Vec<u8>, at: usize, value: &[u8]) -> Option<()> {
    let length = u16::try_from(value.len()).ok()?.to_le_bytes();
    let offset = u32::try_from(message.len()).ok()?.to_le_bytes();
    let field = message.get_mut(at..)?.first_chunk_mut::<8>()?;
    *field = [
        length[0], length[1], length[0], length[1], offset[0], offset[1], offset[2], offset[3],
    ];
    message.extend_from_slice(value);
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A name of the challenge as text; None where it is empty or holds what no name holds.
fn name(value: &[u8]) -> Option<String> {
    let units: Vec<u16> = value
        .chunks_exact(2)
        .filter_map(|unit| u16_at(unit, 0))
        .take(NAME_LIMIT)
        .collect();
    let text = String::from_utf16(&units).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(info: &[u8]) -> Vec<u8> {
        let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
        message.resize(48, 0);
        message.extend_from_slice(b"padding!");
        set_field(&mut message, CHALLENGE_TARGET_INFO, info).unwrap();
        message
    }

    fn info(pairs: &[(u16, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, text) in pairs {
            push_pair(&mut bytes, *kind, &utf16(text));
        }
        push_pair(&mut bytes, AV_END, &[]);
        bytes
    }

    #[test]
    fn the_host_is_known_by_its_own_names() {
        let message = challenge(&info(&[
            (2, "CORP"),
            (AV_NETBIOS_COMPUTER, "SRV01"),
            (AV_DNS_COMPUTER, "srv01.corp.example"),
        ]));
        let names = computer_names(&message);
        assert_eq!(names.netbios.as_deref(), Some("SRV01"));
        assert_eq!(names.dns.as_deref(), Some("srv01.corp.example"));
    }

    #[test]
    fn a_challenge_that_lies_about_lengths_gives_no_names() {
        let good = challenge(&info(&[(AV_NETBIOS_COMPUTER, "SRV01")]));
        for cut in 0..good.len() {
            let names = computer_names(&good[..cut]);
            assert_eq!(names, ComputerNames::default(), "cut at {cut}");
        }
        let mut far = good;
        far[44..48].fill(0xff);
        assert_eq!(computer_names(&far), ComputerNames::default());
        assert_eq!(
            computer_names(&challenge(&info(&[(AV_NETBIOS_COMPUTER, "bad\u{7}name")]))),
            ComputerNames::default()
        );
        assert_eq!(
            computer_names(&challenge(&[1, 0, 0xff, 0xff, 0])),
            ComputerNames::default()
        );
    }

    #[test]
    fn the_target_name_is_added_once_and_the_rest_kept() {
        let message = challenge(&info(&[
            (AV_NETBIOS_COMPUTER, "SRV01"),
            (AV_TARGET, "cifs/other"),
        ]));
        let mended = with_target_name(&message, "cifs/srv01");
        let found: Vec<_> = pairs(target_info(&mended))
            .map(|(kind, value)| (kind, name(value).unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                (AV_NETBIOS_COMPUTER, "SRV01".to_owned()),
                (AV_TARGET, "cifs/srv01".to_owned())
            ]
        );
        assert_eq!(
            mended[..CHALLENGE_TARGET_INFO],
            message[..CHALLENGE_TARGET_INFO]
        );
        assert_eq!(with_target_name(b"short", "cifs/srv01"), b"short");
    }

    #[test]
    fn the_workstation_is_added_and_covered_by_the_code() {
        let mut authenticate = vec![0; 88];
        authenticate[32] = 88;
        let exchange = Exchange {
            negotiate: b"one",
            challenge: b"two",
            key: &[5; 16],
        };
        let message = finish(&authenticate, "MONITOR", &exchange).unwrap();
        assert_eq!(&message[44..52], &[14, 0, 14, 0, 88, 0, 0, 0]);
        assert_eq!(&message[88..], utf16("MONITOR"));

        let mut without_code = message.clone();
        without_code[AUTHENTICATE_MIC].fill(0);
        let mut code = Hmac::<Md5>::new_from_slice(&[5; 16]).unwrap();
        code.update(b"onetwo");
        code.update(&without_code);
        assert_eq!(
            &message[AUTHENTICATE_MIC],
            code.finalize().into_bytes().as_slice()
        );

        let mut short = vec![0; 80];
        short[32] = 72;
        assert_eq!(
            finish(&short, "MONITOR", &exchange).unwrap()[72..80],
            short[72..80]
        );
        assert_eq!(finish(b"short", "MONITOR", &exchange), None);
    }
}

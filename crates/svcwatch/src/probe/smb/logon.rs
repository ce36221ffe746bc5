//! From a connected socket to a signed and encrypted session (MS-SMB2 3.2.4.2).

use smb2::client::connection::{Connection, Frame, NegotiatedParams};
use smb2::crypto::encryption::Cipher;
use smb2::crypto::kdf::{PreauthHasher, derive_session_keys};
use smb2::crypto::signing::{SigningAlgorithm, algorithm_for_dialect, verify_signature};
use smb2::msg::session_setup::{
    SessionFlags, SessionSetupRequest, SessionSetupRequestFlags, SessionSetupResponse,
};
use smb2::pack::{ReadCursor, Unpack};
use smb2::types::flags::{Capabilities, SecurityMode};
use smb2::types::status::NtStatus;
use smb2::types::{Command, Dialect};
use svcwatch_core::observe::Refusal;
use tokio::time::Instant;

use super::ntlm;
use super::proof::{Who, first_token, proof};
use super::socket::Tap;
use super::{SmbTarget, failed};
use crate::probe::kerberos::{self, Granted};
use crate::probe::record::Agreed;
use crate::probe::transport::TransportError;
use crate::probe::{Encryption, codes};

/// What is being done, for messages.
const DOING: &str = "logging on";

/// Keys of a session (MS-SMB2 3.2.5.3.1).
struct Keys {
    signing: Vec<u8>,
    algorithm: SigningAlgorithm,
    encryption: Option<(Vec<u8>, Vec<u8>)>,
}

/// Negotiates and logs on; gives the computer's own name and what was agreed on. Afterwards the connection signs, and encrypts
/// where that was asked for, or demanded by the host.
pub(super) async fn log_on(
    connection: &mut Connection,
    tap: &Tap,
    target: &SmbTarget<'_>,
    deadline: Instant,
) -> Result<(String, Agreed), TransportError> {
    connection
        .negotiate()
        .await
        .map_err(|error| failed(tap, &error, "agreeing on a version of SMB"))?;
    let params = connection
        .params()
        .ok_or_else(|| broken("the host agreed on no version of SMB"))?;
    let cipher = offered_cipher(&params);
    suits(params.dialect, cipher, target.encryption)?;

    let proof = match target.kerberos {
        None => with_ntlm(connection, tap, target).await?,
        Some((tickets, with)) => {
            let user = target.user;
            let granted = tickets.for_host(user, with, deadline).await;
            let granted = granted.map_err(TransportError::Kerberos)?;
            with_kerberos(connection, tap, target, &granted).await?
        }
    };
    let Proved {
        frame,
        session_key,
        challenge,
        computer,
        windows,
    } = proof;

    let response = SessionSetupResponse::unpack(&mut ReadCursor::new(&frame.body))
        .map_err(|error| failed(tap, &error, DOING))?;
    if response.session_flags.is_guest() || response.session_flags.is_null() {
        let who = if response.session_flags.is_guest() {
            "a guest"
        } else {
            "nobody"
        };
        return Err(TransportError::GuestRefused { who });
    }
    let keys = derive(&session_key, &params, cipher, tap, challenge.as_deref())?;
    check_signature(&frame, &params, &keys)?;
    connection.set_session_id(frame.header.session_id);
    let signing = format!("{:?}", keys.algorithm);
    let encrypted = protect(
        connection,
        keys,
        (params.dialect, cipher),
        response.session_flags,
        target.encryption,
    )?;
    tap.stop();
    let agreed = Agreed {
        dialect: version(params.dialect).0.to_owned(),
        signing,
        encryption: encrypted.map(|cipher| format!("{cipher:?}")),
        logon: if target.kerberos.is_some() {
            "kerberos"
        } else {
            "ntlm"
        }
        .to_owned(),
        windows,
    };
    Ok((computer, agreed))
}

/// What the rounds of a logon leave behind.
struct Proved {
    /// The host's last answer.
    frame: Frame,
    /// The key of the session.
    session_key: Vec<u8>,
    /// The host's answer to the first of two rounds.
    challenge: Option<Vec<u8>>,
    /// The name by which the computer called itself; empty where it gave none.
    computer: String,
    /// The version of Windows that it told.
    windows: Option<String>,
}

/// The two rounds of NTLM.
async fn with_ntlm(
    connection: &mut Connection,
    tap: &Tap,
    target: &SmbTarget<'_>,
) -> Result<Proved, TransportError> {
    let (challenge_frame, challenge) = first_round(connection, tap).await?;
    let names = ntlm::computer_names(&challenge);
    let (token, session_key) = answer(&challenge, target, &names)?;
    let frame = connection
        .execute(Command::SessionSetup, &setup(token), None)
        .await
        .map_err(|error| unanswered(failed(tap, &error, DOING)))?;
    refused(frame.header.status, target.encryption)?;
    Ok(Proved {
        frame,
        session_key,
        challenge: Some(challenge_frame),
        computer: names.netbios.or(names.dns).unwrap_or_default(),
        windows: ntlm::windows_version(&challenge),
    })
}

/// The one round of Kerberos. A computer that is not the one the ticket is for has no key to read it with, so the name
/// by which it would call itself proves no more and is not asked for.
async fn with_kerberos(
    connection: &mut Connection,
    tap: &Tap,
    target: &SmbTarget<'_>,
    granted: &Granted,
) -> Result<Proved, TransportError> {
    let token = kerberos::token(granted).map_err(TransportError::Kerberos)?;
    let frame = connection
        .execute(Command::SessionSetup, &setup(token), None)
        .await
        .map_err(|error| unanswered(failed(tap, &error, DOING)))?;
    let answer = SessionSetupResponse::unpack(&mut ReadCursor::new(&frame.body))
        .map(|response| response.security_buffer);
    let status = frame.header.status;
    if status.0 != 0 {
        if let Some(error) = answer.ok().and_then(|answer| kerberos::refusal(&answer)) {
            return Err(TransportError::Kerberos(error));
        }
        return Err(refused_ticket(status, target.encryption));
    }
    let answer = answer.map_err(|error| failed(tap, &error, DOING))?;
    let session_key = kerberos::session_key(granted, &answer).map_err(TransportError::Kerberos)?;
    Ok(Proved {
        frame,
        session_key,
        challenge: None,
        computer: String::new(),
        windows: None,
    })
}

/// What it means that the proof of who we are was sent and no answer came.
fn unanswered(error: TransportError) -> TransportError {
    match error {
        TransportError::Closed(why) => TransportError::LogonUnanswered(why),
        error => error,
    }
}

/// A host that refuses a ticket says nothing about the account, neither of its password nor whether it may be used at
/// all: the domain controller knows, and has given the ticket. What it says about itself is as good as ever.
fn refused_ticket(status: NtStatus, encryption: Encryption) -> TransportError {
    match refused(status, encryption) {
        Err(TransportError::LogonRefused { status: refused })
            if codes::refusal(refused).is_some_and(|refusal| refusal != Refusal::Other) =>
        {
            TransportError::TicketRefused { status: refused }
        }
        Err(error) => error,
        Ok(()) => broken("the host wants more than a ticket"),
    }
}

/// Refuses a version of SMB that cannot do what is asked for, before anything about the user is said.
fn suits(
    dialect: Dialect,
    cipher: Option<Cipher>,
    wanted: Encryption,
) -> Result<(), TransportError> {
    let (version, windows) = version(dialect);
    let is_old = matches!(dialect, Dialect::Smb2_0_2 | Dialect::Smb2_1);
    match wanted {
        Encryption::Required | Encryption::Preferred if is_old => {
            Err(TransportError::OldVersion { version, windows })
        }
        Encryption::Required if cipher.is_none() => {
            Err(TransportError::NoEncryption { version, windows })
        }
        Encryption::Required | Encryption::Preferred | Encryption::Off => Ok(()),
    }
}

/// A version of SMB, and the Windows that speaks no later one (MS-SMB2 appendix A).
const fn version(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Smb2_0_2 => ("2.0.2", "Windows Vista or Windows Server 2008"),
        Dialect::Smb2_1 => ("2.1", "Windows 7 or Windows Server 2008 R2"),
        Dialect::Smb3_0 => ("3.0", "Windows 8 or Windows Server 2012"),
        Dialect::Smb3_0_2 => ("3.0.2", "Windows 8.1 or Windows Server 2012 R2"),
        Dialect::Smb3_1_1 => ("3.1.1", "Windows 10, Windows Server 2016 or later"),
    }
}

/// The cipher that the host chose, or implied: SMB 3.0 knows only one and says so by a capability.
fn offered_cipher(params: &NegotiatedParams) -> Option<Cipher> {
    match params.dialect {
        Dialect::Smb3_1_1 => params.cipher,
        Dialect::Smb3_0 | Dialect::Smb3_0_2 => params
            .capabilities
            .contains(Capabilities::ENCRYPTION)
            .then_some(Cipher::Aes128Ccm),
        Dialect::Smb2_0_2 | Dialect::Smb2_1 => None,
    }
}

/// Sends the NTLM NEGOTIATE and gives the host's answer and the CHALLENGE in it.
async fn first_round(
    connection: &mut Connection,
    tap: &Tap,
) -> Result<(Vec<u8>, Vec<u8>), TransportError> {
    let frame = connection
        .execute(Command::SessionSetup, &setup(first_token()), None)
        .await
        .map_err(|error| failed(tap, &error, DOING))?;
    if !frame.header.status.is_more_processing_required() {
        if frame.header.status.is_error() {
            return Err(TransportError::Status {
                status: frame.header.status.0,
                doing: DOING,
            });
        }
        return Err(broken(
            "the host let the user in before the user said who it is",
        ));
    }
    let response = SessionSetupResponse::unpack(&mut ReadCursor::new(&frame.body))
        .map_err(|error| failed(tap, &error, DOING))?;
    connection.set_session_id(frame.header.session_id);
    Ok((frame.raw, response.security_buffer))
}

/// The NTLM AUTHENTICATE for a CHALLENGE, and the session's key.
fn answer(
    challenge: &[u8],
    target: &SmbTarget<'_>,
    names: &ntlm::ComputerNames,
) -> Result<(Vec<u8>, Vec<u8>), TransportError> {
    let who = Who {
        user: target.user,
        password: target.password,
        workstation: target.workstation,
        service: &format!("cifs/{}", target.address),
    };
    let answer = proof(challenge, &who, names);
    answer.ok_or_else(|| broken("the host's NTLM challenge cannot be used"))
}

fn setup(token: Vec<u8>) -> SessionSetupRequest {
    SessionSetupRequest {
        flags: SessionSetupRequestFlags(0),
        security_mode: SecurityMode::new(
            SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED,
        ),
        capabilities: Capabilities::default(),
        channel: 0,
        previous_session_id: 0,
        security_buffer: token,
    }
}

/// The status of the last round as a refusal.
fn refused(status: NtStatus, encryption: Encryption) -> Result<(), TransportError> {
    match status.0 {
        0 => Ok(()),
        codes::STATUS_ACCESS_DENIED if encryption == Encryption::Off => {
            Err(TransportError::EncryptionDemanded)
        }
        status if codes::refusal(status).is_some() => Err(TransportError::LogonRefused { status }),
        status => Err(TransportError::Status {
            status,
            doing: DOING,
        }),
    }
}

/// Derives the session's keys (MS-SMB2 3.1.4.2); those of SMB 3.1.1 depend on each byte of the handshake.
fn derive(
    session_key: &[u8],
    params: &NegotiatedParams,
    cipher: Option<Cipher>,
    tap: &Tap,
    challenge: Option<&[u8]>,
) -> Result<Keys, TransportError> {
    let algorithm = algorithm_for_dialect(params.dialect, params.gmac_negotiated);
    let bits = match cipher {
        Some(Cipher::Aes256Ccm | Cipher::Aes256Gcm) => 256,
        Some(Cipher::Aes128Ccm | Cipher::Aes128Gcm) | None => 128,
    };
    let hash = match params.dialect {
        Dialect::Smb2_0_2 | Dialect::Smb2_1 => {
            return Ok(Keys {
                signing: session_key.to_vec(),
                algorithm,
                encryption: None,
            });
        }
        Dialect::Smb3_0 | Dialect::Smb3_0_2 => None,
        Dialect::Smb3_1_1 => Some(handshake_hash(tap, challenge)?),
    };
    // The signing key has 128 bits whatever the cipher is.
    let signing = derive_session_keys(session_key, params.dialect, hash.as_ref(), 128).signing_key;
    let keys = derive_session_keys(session_key, params.dialect, hash.as_ref(), bits);
    Ok(Keys {
        signing,
        algorithm,
        encryption: Some((keys.encryption_key, keys.decryption_key)),
    })
}

/// The pre-authentication integrity hash up to our last token (MS-SMB2 3.2.5.3.1): of one round, or of two with the
/// host's answer to the first.
fn handshake_hash(tap: &Tap, challenge: Option<&[u8]>) -> Result<[u8; 64], TransportError> {
    let hash = tap.with_handshake(|handshake| {
        let negotiated = handshake.negotiated.as_slice();
        let messages: Vec<&[u8]> = match (handshake.sent.as_slice(), challenge) {
            ([negotiate, first, second], Some(challenge)) => {
                vec![negotiate, negotiated, first, challenge, second]
            }
            ([negotiate, only], None) => vec![negotiate, negotiated, only],
            _ => return None,
        };
        let mut hasher = PreauthHasher::new();
        for message in messages {
            hasher.update(message);
        }
        Some(*hasher.value())
    });
    hash.flatten()
        .ok_or_else(|| broken("the handshake did not run in its order"))
}

/// The last answer must prove that the host knows the key, or its flags mean nothing.
fn check_signature(
    frame: &Frame,
    params: &NegotiatedParams,
    keys: &Keys,
) -> Result<(), TransportError> {
    let is_old = matches!(params.dialect, Dialect::Smb2_0_2 | Dialect::Smb2_1);
    if is_old && !frame.header.flags.is_signed() {
        return Ok(());
    }
    if !frame.header.flags.is_signed() {
        return Err(broken(
            "the host did not sign its answer to the logon; something between may have changed it",
        ));
    }
    verify_signature(&frame.raw, &keys.signing, keys.algorithm, frame.header.message_id.0, false)
        .map_err(|_| broken("the host's answer to the logon has a wrong signature; something between may have changed it"))
}

/// Turns signing on, and encryption where it is wanted or demanded; gives the cipher where it encrypts.
fn protect(
    connection: &mut Connection,
    keys: Keys,
    (dialect, cipher): (Dialect, Option<Cipher>),
    flags: SessionFlags,
    wanted: Encryption,
) -> Result<Option<Cipher>, TransportError> {
    connection.activate_signing(keys.signing, keys.algorithm);
    // SMB 2 knows no encryption, but a server may set the flag even there.
    let demanded = flags.encrypt_data() && keys.encryption.is_some();
    let encrypt = match wanted {
        Encryption::Required => true,
        Encryption::Preferred => cipher.is_some() || demanded,
        Encryption::Off => demanded,
    };
    match (encrypt, cipher, keys.encryption) {
        (false, _, _) => Ok(None),
        (true, Some(cipher), Some((ours, theirs))) => {
            connection.activate_encryption(ours, theirs, cipher);
            Ok(Some(cipher))
        }
        (true, _, _) if wanted == Encryption::Off => Err(TransportError::EncryptionDemanded),
        (true, _, _) => {
            let (version, windows) = version(dialect);
            Err(TransportError::NoEncryption { version, windows })
        }
    }
}

fn broken(what: &str) -> TransportError {
    TransportError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_named_with_their_windows_and_the_line_to_write() {
        let told = |dialect, cipher, wanted| {
            suits(dialect, cipher, wanted).map_err(|error| error.to_string())
        };
        for wanted in [Encryption::Required, Encryption::Preferred] {
            let old = told(Dialect::Smb2_1, None, wanted).unwrap_err();
            assert!(
                old.contains("Windows Server 2008 R2") && old.contains("write `encryption: off`"),
                "{old}"
            );
        }
        assert_eq!(told(Dialect::Smb2_1, None, Encryption::Off), Ok(()));
        let none = told(Dialect::Smb3_0_2, None, Encryption::Required).unwrap_err();
        assert!(
            none.contains("Windows Server 2012 R2")
                && none.contains("write `encryption: preferred`"),
            "{none}"
        );
        assert_eq!(told(Dialect::Smb3_0_2, None, Encryption::Preferred), Ok(()));
        let ccm = Some(Cipher::Aes128Ccm);
        assert_eq!(told(Dialect::Smb3_0, ccm, Encryption::Required), Ok(()));
    }

    #[test]
    fn a_refusal_is_told_from_other_failures() {
        assert_eq!(refused(NtStatus(0), Encryption::Required), Ok(()));
        let refusal = refused(NtStatus(0xC000_006D), Encryption::Required);
        assert_eq!(
            refusal,
            Err(TransportError::LogonRefused {
                status: 0xC000_006D
            })
        );
        let denied = refused(NtStatus(codes::STATUS_ACCESS_DENIED), Encryption::Off);
        assert_eq!(denied, Err(TransportError::EncryptionDemanded));
        let denied = refused(NtStatus(codes::STATUS_ACCESS_DENIED), Encryption::Required);
        assert!(matches!(denied, Err(TransportError::Status { .. })));
    }

    #[test]
    fn a_host_that_refuses_a_ticket_says_nothing_about_the_account() {
        let told = |status| {
            let error = refused_ticket(NtStatus(status), Encryption::Required);
            codes::transport_fault(&error).refusal
        };
        // A wrong password, locked out, expired, disabled.
        for status in [0xC000_006D, 0xC000_0234, 0xC000_0193, 0xC000_0072] {
            assert_eq!(told(status), Some(Refusal::Other), "{status:x}");
        }
        // No right to log on over the network.
        let error = refused_ticket(NtStatus(0xC000_015B), Encryption::Required);
        assert!(error.to_string().contains("over the network"), "{error}");
    }
}

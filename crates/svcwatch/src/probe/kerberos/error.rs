//! Why a logon with Kerberos came to nothing.

use svcwatch_core::observe::{Fault, Refusal};
use thiserror::Error;

use super::clock::Moment;
use crate::probe::codes;

/// Why a logon with Kerberos came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KerberosError {
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandomness,
    /// Something makes no sense.
    #[error("{0} makes no sense")]
    Malformed(&'static str),
    /// The file is no cache of tickets.
    #[error("this is no ticket cache of Kerberos; make one with `kinit -c FILE`")]
    NoCache,
    /// The file is no keytab.
    #[error("this is no keytab; make one with `ktutil` or `samba-tool domain exportkeytab`")]
    NoKeytab,
    /// Nobody said which realm.
    #[error("nobody says which realm the account belongs to; write `realm:` under it")]
    NoRealm,
    /// The cache belongs to somebody else.
    #[error(
        "the ticket cache is that of {owner}, and the account is {wanted}; make a cache for it with `kinit -c FILE {wanted}`"
    )]
    OtherCache {
        /// Whose it is.
        owner: String,
        /// Whose it should be.
        wanted: String,
    },
    /// The cache holds no ticket that gives tickets.
    #[error(
        "the ticket cache of {owner} holds no ticket of its realm with an AES key; run `kinit` again"
    )]
    EmptyCache {
        /// Whose it is.
        owner: String,
    },
    /// The ticket is over.
    #[error("the ticket of {owner} in the cache expired {} ago; run `kinit` again, or let something renew it", span(*.seconds))]
    Expired {
        /// Whose it is.
        owner: String,
        /// For how long.
        seconds: i64,
    },
    /// The keytab holds no key of the account.
    #[error("the keytab holds no AES key of {wanted}, but {}; export one for it", if .owners.is_empty() { "none at all".to_owned() } else { format!("those of {}", .owners.join(", ")) })]
    NotInKeytab {
        /// Whose key is wanted.
        wanted: String,
        /// Whose keys it holds.
        owners: Vec<String>,
    },
    /// No domain controller answers.
    #[error(
        "no domain controller of {realm} answers at {at}: {reason}; write `kdc:` under the account if they are elsewhere"
    )]
    NoCenter {
        /// The realm.
        realm: String,
        /// Where they were looked for.
        at: String,
        /// Why not.
        reason: String,
    },
    /// The domain controller's answer was made with another key than ours.
    #[error("wrong password (the domain controller's answer cannot be read with its key)")]
    Unreadable,
    /// The domain controller knows no key of a kind that is spoken.
    #[error(
        "the domain controller knows no AES key of the account; allow AES for it, and change its password once"
    )]
    WeakKey,
    /// The service belongs to another realm.
    #[error("{service} belongs to the realm {realm}; read the host with an account of that realm")]
    OtherRealm {
        /// The service.
        service: String,
        /// Where it belongs.
        realm: String,
    },
    /// The host could not prove that it has the key of its service.
    #[error(
        "the computer there does not have the key of the service that the ticket is for: another computer answers"
    )]
    HostHasNoKey,
    /// The host let us in without a proof.
    #[error("the host did not prove who it is")]
    NoProof,
    /// Somebody answered with an error of Kerberos.
    #[error("{}", .0.words())]
    Refused(Refused),
}

/// An error of Kerberos that somebody answered with (RFC 4120 section 7.5.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub(super) code: i64,
    /// The clock of who answered, in seconds since 1970.
    pub(super) their_time: Option<i64>,
    /// The NTSTATUS that Windows adds.
    pub(super) status: Option<u32>,
    /// What else it says, by the number.
    pub(super) data: Vec<u8>,
}

/// The errors that are told apart: number, name, words, refusal (RFC 4120 section 7.5.9).
const ERRORS: &[(i64, &str, &str, Option<Refusal>)] = &[
    (
        1,
        "KDC_ERR_NAME_EXP",
        "the account has expired",
        Some(Refusal::Expired),
    ),
    (
        6,
        "KDC_ERR_C_PRINCIPAL_UNKNOWN",
        "the realm knows no such user",
        Some(Refusal::WrongPassword),
    ),
    (
        7,
        "KDC_ERR_S_PRINCIPAL_UNKNOWN",
        "the realm knows no such service: the host has another name there, or is no member; name it as the domain does, or write `auth: ntlm`",
        None,
    ),
    (
        12,
        "KDC_ERR_POLICY",
        "the account may not log on now, or not from here",
        Some(Refusal::Other),
    ),
    (
        14,
        "KDC_ERR_ETYPE_NOSUPP",
        "the domain controller has no AES key of the account or of the host; allow AES for it there, and change its password once",
        None,
    ),
    (
        18,
        "KDC_ERR_CLIENT_REVOKED",
        "the account is locked out, disabled or expired",
        Some(Refusal::Disabled),
    ),
    (
        23,
        "KDC_ERR_KEY_EXPIRED",
        "the password has expired",
        Some(Refusal::Expired),
    ),
    (
        24,
        "KDC_ERR_PREAUTH_FAILED",
        "wrong password",
        Some(Refusal::WrongPassword),
    ),
    (32, "KRB_AP_ERR_TKT_EXPIRED", "the ticket has expired", None),
    (
        35,
        "KRB_AP_ERR_NOT_US",
        "the ticket is for another service: another computer answers",
        None,
    ),
    (
        37,
        "KRB_AP_ERR_SKEW",
        "the clocks differ too much; set the one that is wrong",
        None,
    ),
    (
        41,
        "KRB_AP_ERR_MODIFIED",
        "the ticket cannot be read there: another computer answers, or its service belongs to another account",
        None,
    ),
    (
        68,
        "KDC_ERR_WRONG_REALM",
        "the domain controller is not one of this realm",
        None,
    ),
];

/// The number of a wish to see a proof before a ticket is given.
const PROOF_WANTED: i64 = 25;
/// The numbers that say that another computer answers.
const OTHER_COMPUTER: [i64; 2] = [35, 41];
/// Clocks that differ too much.
const SKEW: i64 = 37;

impl Refused {
    /// Whether it only asks for the proof of a key.
    pub(super) const fn wants_proof(&self) -> bool {
        self.code == PROOF_WANTED
    }

    fn known(&self) -> Option<&'static (i64, &'static str, &'static str, Option<Refusal>)> {
        ERRORS.iter().find(|(code, ..)| *code == self.code)
    }

    /// Which refusal it is.
    fn refusal(&self) -> Option<Refusal> {
        self.status
            .and_then(codes::refusal)
            .or_else(|| self.known().and_then(|(.., refusal)| *refusal))
    }

    fn words(&self) -> String {
        let (name, words) = self.known().map_or_else(
            || {
                let words = "the domain controller or the host refused the logon".to_owned();
                (format!("Kerberos error {}", self.code), words)
            },
            |(_, name, words, _)| ((*name).to_owned(), (*words).to_owned()),
        );
        let status = self
            .status
            .filter(|status| codes::refusal(*status).is_some());
        let words = status.map_or(words, codes::status_text);
        let skew =
            self.their_time
                .filter(|_| self.code == SKEW)
                .map_or_else(String::new, |theirs| {
                    let ours = Moment::now().seconds;
                    let by = span(theirs.abs_diff(ours).try_into().unwrap_or(i64::MAX));
                    let which = if ours < theirs { "behind" } else { "ahead of" };
                    format!("; ours is {by} {which} theirs")
                });
        format!("{words} ({name}{skew})")
    }
}

impl KerberosError {
    /// What it means for the host and for the account.
    pub(crate) fn fault(&self) -> (Fault, Option<Refusal>) {
        match self {
            Self::HostHasNoKey => (Fault::WrongHost, None),
            Self::Refused(refused) if OTHER_COMPUTER.contains(&refused.code) => {
                (Fault::WrongHost, None)
            }
            Self::Refused(refused) => (Fault::LogonRefused, refused.refusal()),
            Self::Unreadable => (Fault::LogonRefused, Some(Refusal::WrongPassword)),
            Self::Malformed(_) | Self::NoProof => (Fault::ProtocolError, None),
            Self::NoRandomness
            | Self::NoCache
            | Self::NoKeytab
            | Self::NoRealm
            | Self::OtherCache { .. }
            | Self::EmptyCache { .. }
            | Self::Expired { .. }
            | Self::NotInKeytab { .. }
            | Self::NoCenter { .. }
            | Self::WeakKey
            | Self::OtherRealm { .. } => (Fault::LogonRefused, None),
        }
    }
}

/// Seconds in words, roughly.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, status: Option<u32>) -> KerberosError {
        KerberosError::Refused(Refused {
            code,
            their_time: None,
            status,
            data: Vec::new(),
        })
    }

    #[test]
    fn errors_of_kerberos_are_the_refusals_that_they_are() {
        let refusal = |code, status| refused(code, status).fault();
        let is = |refusal| (Fault::LogonRefused, refusal);
        assert_eq!(refusal(24, None), is(Some(Refusal::WrongPassword)));
        assert_eq!(refusal(18, None), is(Some(Refusal::Disabled)));
        assert_eq!(
            refusal(18, Some(0xC000_0234)),
            is(Some(Refusal::LockedOut)),
            "Windows says which"
        );
        assert_eq!(refusal(37, None), is(None), "a clock is no bad logon");
        assert_eq!(refusal(7, None), is(None));
        assert_eq!(refusal(41, None), (Fault::WrongHost, None));
        assert_eq!(refusal(4_711, None), is(None));
        assert!(refused(4_711, None).to_string().contains("4711"));
    }

    #[test]
    fn a_wrong_clock_is_told_with_its_error() {
        let error = KerberosError::Refused(Refused {
            code: SKEW,
            their_time: Some(Moment::now().seconds + 3_605),
            status: None,
            data: Vec::new(),
        });
        let told = error.to_string();
        assert!(told.contains("ours is 60 min behind theirs"), "{told}");
    }
}

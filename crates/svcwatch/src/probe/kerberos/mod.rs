//! Logons with Kerberos: tickets from a password, a keytab or a cache, kept and renewed for all hosts of an account.
//!
//! The SMB library logs on with Kerberos too, but asks for a new ticket at each logon, takes no keytab, derives the key
//! of a password without the salt that the domain controller names, and tells its errors apart in texts alone. So only
//! its encoders and its cryptography are used.

mod center;
mod clock;
mod crypt;
mod der;
mod error;
mod files;
mod message;
mod secured;
mod tickets;

use std::sync::Arc;

pub(crate) use self::crypt::Cipher;
pub use self::error::{KerberosError, Refused};
pub use self::files::{Cache, Keytab};
pub(crate) use self::message::Granted;
#[cfg(test)]
pub(crate) use self::secured::tests;
pub(crate) use self::secured::{Opening, Secured};
pub(crate) use self::tickets::Tickets;

use self::clock::Moment;
use crate::secret::Secret;

/// With what an account proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Its password.
    Password(Secret),
    /// A file of its keys.
    Keytab(Arc<Keytab>),
    /// A cache with a ticket of it.
    Cache(Arc<Cache>),
}

/// Who logs on to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kerberos {
    /// The realm, where the configuration names it.
    pub realm: Option<String>,
    /// The domain controllers, where the configuration names them: names or addresses, with or without a port.
    pub kdc: Vec<String>,
    /// The name of the host in its realm.
    pub host: String,
    /// With what; nothing where a session is kept and no logon is meant.
    pub proof: Option<Proof>,
}

/// The token that logs on to a host.
pub(super) fn token(granted: &Granted) -> Result<Vec<u8>, KerberosError> {
    message::logon_token(granted, &Moment::now())
}

/// The key of the session, from the host's answer, which proves that it is the host that the ticket is for.
pub(super) fn session_key(granted: &Granted, answer: &[u8]) -> Result<Vec<u8>, KerberosError> {
    if answer.is_empty() {
        return Err(KerberosError::NoProof);
    }
    message::logon_key(granted, answer)
}

/// Why a host refused the token, where it said so.
pub(super) fn refusal(answer: &[u8]) -> Option<KerberosError> {
    message::logon_refusal(answer)
}

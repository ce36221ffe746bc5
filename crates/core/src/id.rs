//! Names and identities. A name is what people wrote; it is compared without case.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
};
use core::{cmp::Ordering, fmt, hash};
use sha2::{Digest, Sha256};

/// The name of a host, service, destination, account or group: shown as written, compared without case.
#[derive(Clone)]
pub struct Name {
    shown: Arc<str>,
    key: Arc<str>,
}

impl Name {
    /// A name as somebody wrote it.
    pub fn new(shown: &str) -> Self {
        let folded = shown.to_lowercase();
        let shown: Arc<str> = Arc::from(shown);
        let key = if *shown == *folded {
            Arc::clone(&shown)
        } else {
            Arc::from(folded)
        };
        Self { shown, key }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The form in which it is compared and stored: lower case.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key) || self.key == other.key
    }
}
impl Eq for Name {}
impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}
impl hash::Hash for Name {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, formatter)
    }
}
impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}
impl From<&str> for Name {
    fn from(shown: &str) -> Self {
        Self::new(shown)
    }
}

/// What an incident, a lane or a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A service on a host: a target.
    Service {
        /// The host.
        host: Name,
        /// The service, by its key name.
        service: Name,
    },
    /// A host that cannot be read.
    Host(Name),
    /// A host that shows us fewer services than before.
    Visibility(Name),
    /// An account whose logons are refused.
    Account(Name),
    /// A destination that does not take what it is given.
    Destination(Name),
    /// All of it: summaries.
    Fleet,
    /// A service that is counted over the hosts of a group.
    Group {
        /// The group.
        group: Name,
        /// The service, by its key name.
        service: Name,
    },
}

impl Subject {
    /// The text under which it is stored and hashed; distinct for distinct subjects, because no name holds a line end.
    pub fn key(&self) -> String {
        match self {
            Self::Service { host, service } => {
                format!("service\n{}\n{}", host.key(), service.key())
            }
            Self::Host(host) => format!("host\n{}", host.key()),
            Self::Visibility(host) => format!("visibility\n{}", host.key()),
            Self::Account(account) => format!("account\n{}", account.key()),
            Self::Destination(destination) => format!("destination\n{}", destination.key()),
            Self::Fleet => "fleet".to_string(),
            Self::Group { group, service } => {
                format!("group\n{}\n{}", group.key(), service.key())
            }
        }
    }

    /// The host it belongs to, where it belongs to one.
    pub const fn host(&self) -> Option<&Name> {
        match self {
            Self::Service { host, .. } | Self::Host(host) | Self::Visibility(host) => Some(host),
            Self::Account(_) | Self::Destination(_) | Self::Fleet | Self::Group { .. } => None,
        }
    }

    /// The group, where it is counted over one.
    pub const fn group(&self) -> Option<&Name> {
        match self {
            Self::Group { group, .. } => Some(group),
            Self::Service { .. }
            | Self::Host(_)
            | Self::Visibility(_)
            | Self::Account(_)
            | Self::Destination(_)
            | Self::Fleet => None,
        }
    }

    /// The service, where it is one, on one host or on those of a group.
    pub const fn service(&self) -> Option<&Name> {
        match self {
            Self::Service { service, .. } | Self::Group { service, .. } => Some(service),
            Self::Host(_)
            | Self::Visibility(_)
            | Self::Account(_)
            | Self::Destination(_)
            | Self::Fleet => None,
        }
    }
}

/// The random 128 bits that a store gets when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StoreId(pub [u8; 16]);

/// Which incident: made from the store, the subject and the sequence number of its opening, and so never used twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub Arc<str>);

impl IncidentId {
    /// The identity of the incident that a subject opened with this sequence number.
    pub fn new(store: StoreId, subject: &Subject, seq: u64) -> Self {
        let hash = hex_of_hash(&[&store.0, subject.key().as_bytes()], 8);
        Self(Arc::from(format!("{hash}-{seq}")))
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The natural key of a delivery: the far end may use it to drop a repeat.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey(pub Arc<str>);

impl DeliveryKey {
    /// The key of what is told of an incident (or of the store, for summaries) to one recipient at one destination.
    pub fn new(destination: &Name, recipient: &str, about: &str, kind: &str, seq: u64) -> Self {
        let seq = seq.to_le_bytes();
        let parts: [&[u8]; 5] = [
            destination.key().as_bytes(),
            recipient.as_bytes(),
            about.as_bytes(),
            kind.as_bytes(),
            &seq,
        ];
        Self(Arc::from(hex_of_hash(&parts, 16)))
    }

    /// The key as text: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The first `bytes` bytes of the SHA-256 of the parts, each with its length before it, in hexadecimal.
fn hex_of_hash(parts: &[&[u8]], bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let mut hex = String::with_capacity(bytes.saturating_mul(2));
    for byte in hasher.finalize().iter().take(bytes) {
        for nibble in [byte >> 4, byte & 0x0f] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    hex
}

/// A stable 64-bit hash (FNV-1a) of a text, for phases and jitter: the same on every machine and in every run.
pub fn stable_hash(text: &str, salt: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // The low bits of FNV of short texts are poor; a final mix spreads them.
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_show_as_written() {
        assert_eq!(Name::new("SRV01"), Name::new("srv01"));
        assert_eq!(Name::new("SRV01").as_str(), "SRV01");
        assert_eq!(Name::new("ÅSE").key(), "åse");
    }

    #[test]
    fn keys_are_stable_and_distinct() {
        let key = |recipient: &str, seq| {
            DeliveryKey::new(&"duty".into(), recipient, "abc-1", "opened", seq)
        };
        assert_eq!(key("a@b", 1), key("a@b", 1));
        assert_ne!(key("a@b", 1), key("a@b", 2));
        assert_ne!(key("a@b", 1), key("a@c", 1));
        assert_eq!(key("", 1).as_str().len(), 32);
        let subject = Subject::Service {
            host: "a".into(),
            service: "b".into(),
        };
        assert!(
            IncidentId::new(StoreId([7; 16]), &subject, 12)
                .as_str()
                .ends_with("-12")
        );
    }
}

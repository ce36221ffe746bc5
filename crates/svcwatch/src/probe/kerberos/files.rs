//! Files of tickets and keys as MIT Kerberos writes them: caches (versions 3 and 4) and keytabs (version 2).

use super::KerberosError;
use super::crypt::{KINDS, Key};

/// The most entries that are looked at in one file.
const ENTRIES_MAX: usize = 4_096;
/// The most parts that a name may have.
const PARTS_MAX: u32 = 16;

/// Somebody or something that has keys: parts and a realm, as `cifs/srv01.corp.example@CORP.EXAMPLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Its parts.
    pub(crate) parts: Vec<String>,
    /// Its realm.
    pub(crate) realm: String,
}

impl std::fmt::Display for Principal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}@{}", self.parts.join("/"), self.realm)
    }
}

impl Principal {
    /// Whether it is this user of this realm; names of Windows compare without case.
    pub(super) fn is(&self, user: &str, realm: &str) -> bool {
        matches!(self.parts.as_slice(), [part] if part.eq_ignore_ascii_case(user))
            && self.realm.eq_ignore_ascii_case(realm)
    }

    /// Whether it is what gives tickets of its realm.
    fn gives_tickets(&self) -> bool {
        matches!(self.parts.as_slice(), [name, realm] if name == "krbtgt" && *realm == self.realm)
    }
}

/// A ticket of a cache that gives further tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedTicket {
    pub(super) client: Principal,
    pub(super) key: Key,
    /// From when to when it is good, and until when it can be renewed, in seconds since 1970.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) renew_until: i64,
    pub(super) ticket: Vec<u8>,
}

/// A cache of tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    pub(super) owner: Principal,
    /// What gives further tickets of the owner's realm; the one that is good for longest.
    pub(super) ticket: Option<CachedTicket>,
}

/// A file of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keytab {
    entries: Vec<KeytabEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeytabEntry {
    principal: Principal,
    version: u32,
    key: Key,
}

impl Cache {
    /// Reads a cache.
    pub fn parse(bytes: &[u8]) -> Result<Self, KerberosError> {
        Self::read(bytes).ok_or(KerberosError::NoCache)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut file = Bytes(bytes);
        match file.u16()? {
            0x0503 => {}
            0x0504 => {
                let length = file.u16()?;
                file.take(usize::from(length))?;
            }
            _ => return None,
        }
        let owner = file.cached_principal()?;
        let mut best: Option<CachedTicket> = None;
        for _ in 0..ENTRIES_MAX {
            // What is cut off at the end is being written just now.
            let Some((server, ticket)) = file.cached_ticket() else {
                break;
            };
            let Some(ticket) = ticket else { continue };
            let fits = server.gives_tickets() && server.realm == owner.realm;
            if fits && best.as_ref().is_none_or(|best| best.end < ticket.end) {
                best = Some(ticket);
            }
        }
        Some(Self {
            owner,
            ticket: best,
        })
    }
}

impl Keytab {
    /// Reads a file of keys; those of kinds that are not spoken are left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, KerberosError> {
        Self::read(bytes).ok_or(KerberosError::NoKeytab)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut file = Bytes(bytes);
        if file.u16()? != 0x0502 {
            return None;
        }
        let mut entries = Vec::new();
        for _ in 0..ENTRIES_MAX {
            if file.0.is_empty() {
                break;
            }
            let length = file.u32()?.cast_signed();
            let body = file.take(usize::try_from(length.unsigned_abs()).ok()?)?;
            // A negative length is a hole that an entry left.
            if length > 0 {
                let (principal, version, key) = Bytes(body).keytab_entry()?;
                entries.extend(key.map(|key| KeytabEntry {
                    principal,
                    version,
                    key,
                }));
            }
        }
        Some(Self { entries })
    }

    /// The newest key of a user for each kind, the strongest kind first.
    pub(super) fn keys(&self, user: &str, realm: &str) -> Vec<Key> {
        let newest = |kind: i32| {
            self.entries
                .iter()
                .filter(|entry| entry.principal.is(user, realm) && entry.key.kind() == kind)
                .max_by_key(|entry| entry.version)
                .map(|entry| entry.key.clone())
        };
        KINDS.into_iter().filter_map(newest).collect()
    }

    /// The realm of its first key.
    pub(super) fn realm(&self) -> Option<&str> {
        self.entries
            .first()
            .map(|entry| entry.principal.realm.as_str())
    }

    /// Whose keys it holds, each once, at most three.
    pub(super) fn owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = Vec::new();
        for entry in &self.entries {
            let owner = entry.principal.to_string();
            if !owners.contains(&owner) && owners.len() < 3 {
                owners.push(owner);
            }
        }
        owners
    }
}

/// The rest of a file; its numbers have their high byte first.
struct Bytes<'file>(&'file [u8]);

impl<'file> Bytes<'file> {
    fn take(&mut self, length: usize) -> Option<&'file [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Bytes behind a length of four bytes.
    fn long(&mut self) -> Option<&'file [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    /// Bytes behind a length of two bytes.
    fn short(&mut self) -> Option<&'file [u8]> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    fn cached_principal(&mut self) -> Option<Principal> {
        self.u32()?;
        let count = self.u32().filter(|count| *count <= PARTS_MAX)?;
        let realm = text(self.long()?)?;
        let parts = (0..count)
            .map(|_| text(self.long()?))
            .collect::<Option<_>>()?;
        Some(Principal { parts, realm })
    }

    /// One entry of a cache: for whom it is, and the ticket where its key is of a kind that is spoken.
    fn cached_ticket(&mut self) -> Option<(Principal, Option<CachedTicket>)> {
        let client = self.cached_principal()?;
        let server = self.cached_principal()?;
        let kind = i32::from(self.u16()?);
        let key = self.long()?.to_vec();
        let [auth, start, end, renew_until] =
            [self.u32()?, self.u32()?, self.u32()?, self.u32()?].map(i64::from);
        // Whether the key is a session key, and flags.
        self.u8()?;
        self.u32()?;
        // Addresses, then authorization data: each a kind and bytes.
        for _ in 0..2 {
            let count = self.u32()?;
            for _ in 0..count {
                self.u16()?;
                self.long()?;
            }
        }
        let ticket = self.long()?.to_vec();
        self.long()?;
        let key = Key::new(kind, key);
        let ticket = key.map(|key| CachedTicket {
            client,
            key,
            start: if start == 0 { auth } else { start },
            end,
            renew_until,
            ticket,
        });
        Some((server, ticket))
    }

    /// One entry of a keytab: whose it is, which version, and the key where it is of a kind that is spoken.
    fn keytab_entry(&mut self) -> Option<(Principal, u32, Option<Key>)> {
        let count = self.u16()?;
        let realm = text(self.short()?)?;
        let parts = (0..count)
            .map(|_| text(self.short()?))
            .collect::<Option<_>>()?;
        // The kind of the name, and when the entry was written.
        self.u32()?;
        self.u32()?;
        let short_version = u32::from(self.u8()?);
        let kind = i32::from(self.u16()?);
        let key = self.short()?.to_vec();
        let version = match self.u32() {
            None | Some(0) => short_version,
            Some(version) => version,
        };
        let principal = Principal { parts, realm };
        Some((principal, version, Key::new(kind, key)))
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        [&length.to_be_bytes()[..], bytes].concat()
    }

    fn short(bytes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(bytes.len()).unwrap();
        [&length.to_be_bytes()[..], bytes].concat()
    }

    fn cached(parts: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 1];
        bytes.extend(u32::try_from(parts.len()).unwrap().to_be_bytes());
        bytes.extend(long(b"CORP.EXAMPLE"));
        for part in parts {
            bytes.extend(long(part.as_bytes()));
        }
        bytes
    }

    /// A cache with one ticket for each of these services and ends, all with keys of this kind.
    fn cache(tickets: &[(&[&str], u32)], kind: u16) -> Vec<u8> {
        let mut bytes = vec![5, 4, 0, 0];
        bytes.extend(cached(&["ops"]));
        for (service, end) in tickets {
            bytes.extend(cached(&["ops"]));
            bytes.extend(cached(service));
            bytes.extend(kind.to_be_bytes());
            bytes.extend(long(&[9; 32]));
            for time in [100, 0, *end, 5_000] {
                bytes.extend(time.to_be_bytes());
            }
            bytes.extend([0; 5]);
            // One address, and no authorization data.
            bytes.extend([0, 0, 0, 1, 0, 2]);
            bytes.extend(long(&[127, 0, 0, 1]));
            bytes.extend([0; 4]);
            bytes.extend(long(b"ticket"));
            bytes.extend(long(b""));
        }
        bytes
    }

    const GIVER: &[&str] = &["krbtgt", "CORP.EXAMPLE"];

    #[test]
    fn the_ticket_of_a_cache_that_is_good_for_longest_is_taken() {
        let file = cache(
            &[(&["cifs", "srv01"], 9_999), (GIVER, 900), (GIVER, 950)],
            18,
        );
        let read = Cache::parse(&file).unwrap();
        assert_eq!(read.owner.to_string(), "ops@CORP.EXAMPLE");
        let ticket = read.ticket.unwrap();
        assert_eq!(
            (
                ticket.start,
                ticket.end,
                ticket.renew_until,
                &*ticket.ticket
            ),
            (100, 950, 5_000, &b"ticket"[..])
        );
        let weak = Cache::parse(&cache(&[(GIVER, 900)], 23)).unwrap();
        assert_eq!(weak.ticket, None, "keys of RC4 are of no use");
        for bytes in [&b""[..], b"\x05", b"\x05\x01", b"password\n"] {
            assert_eq!(Cache::parse(bytes), Err(KerberosError::NoCache));
        }
    }

    fn entry(user: &str, version: u8, kind: u16, key: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 1];
        body.extend(short(b"CORP.EXAMPLE"));
        body.extend(short(user.as_bytes()));
        body.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
        body.extend(kind.to_be_bytes());
        body.extend(short(key));
        long(&body)
    }

    #[test]
    fn the_newest_key_of_each_kind_is_taken_from_a_keytab() {
        let mut file = vec![5, 2];
        file.extend(entry("ops", 2, 17, &[1; 16]));
        file.extend(entry("ops", 3, 17, &[2; 16]));
        file.extend(entry("ops", 3, 18, &[3; 32]));
        file.extend(entry("ops", 3, 23, &[4; 16]));
        // A hole that a removed entry left.
        file.extend((-6_i32).to_be_bytes());
        file.extend([0; 6]);
        file.extend(entry("other", 9, 18, &[5; 32]));
        let keytab = Keytab::parse(&file).unwrap();
        let keys = keytab.keys("OPS", "corp.example");
        let bytes: Vec<&[u8]> = keys.iter().map(Key::bytes).collect();
        assert_eq!(bytes, [&[3; 32][..], &[2; 16]]);
        assert!(keytab.keys("nobody", "CORP.EXAMPLE").is_empty());
        assert_eq!(keytab.realm(), Some("CORP.EXAMPLE"));
        assert_eq!(keytab.owners(), ["ops@CORP.EXAMPLE", "other@CORP.EXAMPLE"]);
        assert_eq!(Keytab::parse(b"\x05\x01"), Err(KerberosError::NoKeytab));
    }

    #[test]
    fn files_that_are_cut_off_or_changed_anywhere_break_nothing() {
        let mut keytab = vec![5, 2];
        keytab.extend(entry("ops", 3, 18, &[3; 32]));
        for file in [cache(&[(GIVER, 900), (GIVER, 950)], 18), keytab] {
            for at in 0..file.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut changed = file.clone();
                    changed[at] = value;
                    // Only that they end: most are no file of the kind, and some are one with another content.
                    drop((Cache::parse(&changed), Keytab::parse(&changed)));
                }
                drop((Cache::parse(&file[..at]), Keytab::parse(&file[..at])));
            }
        }
    }
}

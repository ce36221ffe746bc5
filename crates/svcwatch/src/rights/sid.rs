//! Who is meant: a SID (MS-DTYP 2.4.2) or one of the two letters that stand for a well-known one (2.5.1.1).

use super::RightsError;

/// Most numbers behind the authority of a SID (MS-DTYP 2.4.2.2, `SubAuthorityCount`).
const SUBAUTHORITIES_MAX: usize = 15;
/// The first number that a domain or a computer gives to accounts which are not built in.
const FIRST_OWN_ACCOUNT: u32 = 1000;
/// Groups that every Windows has and whose members are few and chosen: those that read performance, read event logs and
/// manage from afar.
const BUILT_IN_TAKEN: [u32; 3] = [558, 573, 580];

/// The letters whose SID is the same everywhere (MS-DTYP 2.4.2.4).
pub(super) const FIXED: &[(&str, &str)] = &[
    ("AA", "S-1-5-32-579"),
    ("AC", "S-1-15-2-1"),
    ("AN", "S-1-5-7"),
    ("AO", "S-1-5-32-548"),
    ("AS", "S-1-18-1"),
    ("AU", "S-1-5-11"),
    ("BA", "S-1-5-32-544"),
    ("BG", "S-1-5-32-546"),
    ("BO", "S-1-5-32-551"),
    ("BU", "S-1-5-32-545"),
    ("CD", "S-1-5-32-574"),
    ("CG", "S-1-3-1"),
    ("CO", "S-1-3-0"),
    ("CY", "S-1-5-32-569"),
    ("ED", "S-1-5-9"),
    ("ER", "S-1-5-32-573"),
    ("ES", "S-1-5-32-576"),
    ("HA", "S-1-5-32-578"),
    ("HI", "S-1-16-12288"),
    ("IS", "S-1-5-32-568"),
    ("IU", "S-1-5-4"),
    ("LS", "S-1-5-19"),
    ("LU", "S-1-5-32-559"),
    ("LW", "S-1-16-4096"),
    ("ME", "S-1-16-8192"),
    ("MP", "S-1-16-8448"),
    ("MS", "S-1-5-32-577"),
    ("MU", "S-1-5-32-558"),
    ("NO", "S-1-5-32-556"),
    ("NS", "S-1-5-20"),
    ("NU", "S-1-5-2"),
    ("OW", "S-1-3-4"),
    ("PO", "S-1-5-32-550"),
    ("PS", "S-1-5-10"),
    ("PU", "S-1-5-32-547"),
    ("RA", "S-1-5-32-575"),
    ("RC", "S-1-5-12"),
    ("RD", "S-1-5-32-555"),
    ("RE", "S-1-5-32-552"),
    ("RM", "S-1-5-32-580"),
    ("RU", "S-1-5-32-554"),
    ("SI", "S-1-16-16384"),
    ("SO", "S-1-5-32-549"),
    ("SS", "S-1-18-2"),
    ("SU", "S-1-5-6"),
    ("SY", "S-1-5-18"),
    ("UD", "S-1-5-84-0-0-0-0-0"),
    ("WD", "S-1-1-0"),
    ("WR", "S-1-5-33"),
];
/// The letters whose SID depends on the domain.
pub(super) const OF_A_DOMAIN: [&str; 17] = [
    "AP", "CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "RO", "RS",
    "SA",
];

/// Who is meant, written in one way only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sid(String);

impl Sid {
    /// Everyone.
    pub const EVERYONE: &str = "S-1-1-0";
    /// Everyone who has logged on as somebody.
    pub const AUTHENTICATED: &str = "S-1-5-11";
    /// Everyone who has logged on over the network.
    pub const NETWORK: &str = "S-1-5-2";
    /// The system itself.
    pub const SYSTEM: &str = "S-1-5-18";
    /// The administrators of the computer.
    pub const ADMINISTRATORS: &str = "S-1-5-32-544";

    /// Reads a SID or two letters; None where it is neither.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        if let Some((_, sid)) = FIXED.iter().find(|(letters, _)| *letters == text) {
            return Some(Self((*sid).to_owned()));
        }
        if OF_A_DOMAIN.contains(&text.as_str()) {
            return Some(Self(text));
        }
        let mut numbers = text.strip_prefix("S-1-")?.split('-');
        let authority: u64 = number(numbers.next()?)?;
        if authority >= 1 << 48 {
            return None;
        }
        let rest: Vec<u32> = numbers
            .map(|text| number(text)?.try_into().ok())
            .collect::<Option<_>>()?;
        if rest.is_empty() || rest.len() > SUBAUTHORITIES_MAX {
            return None;
        }
        let rest: Vec<String> = rest.iter().map(u32::to_string).collect();
        Some(Self(format!("S-1-{authority}-{}", rest.join("-"))))
    }

    /// `S-1-…`, or two letters where only the domain knows the SID.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A number in decimal, without a sign.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !text.is_empty()).then(|| text.parse().ok())?
}

/// A group that may be given rights: one whose members somebody has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group(Sid);

impl Group {
    /// Reads the SID of a group; refuses what is wide or built in, as everyone, all users or the administrators.
    pub fn read(text: &str) -> Result<Self, RightsError> {
        let text = text.trim();
        let refused = |why: &'static str| RightsError::Group {
            group: text.chars().take(200).collect(),
            why,
        };
        if !text.to_ascii_uppercase().starts_with("S-") {
            return Err(refused(
                "is no SID; write the whole of it, as S-1-5-21-1004336348-1177238915-682003330-1604 (`whoami /groups` and `Get-ADGroup` print it)",
            ));
        }
        let sid = Sid::read(text)
            .ok_or_else(|| refused("is no SID: it is S-1- and then numbers with dashes between"))?;
        let numbers: Vec<u32> = sid
            .0
            .split('-')
            .skip(2)
            .filter_map(|text| text.parse().ok())
            .collect();
        match numbers.as_slice() {
            [5, 21, _, _, _, account] if *account >= FIRST_OWN_ACCOUNT => Ok(Self(sid)),
            [5, 21, ..] => Err(refused(
                "is a group that every domain has, with members that nobody chose for this; make a group of its own",
            )),
            // A group of the cloud's directory.
            [12, 1, _, _, _, _] => Ok(Self(sid)),
            [5, 32, account] if BUILT_IN_TAKEN.contains(account) => Ok(Self(sid)),
            [5, 32, ..] => Err(refused(
                "is a group that every Windows has, with members that nobody chose for this; make a group of its own",
            )),
            _ => Err(refused(
                "means more than the members of one group; make a group of its own, and never give rights to everyone, to all who have logged on, or to a kind of logon",
            )),
        }
    }

    /// Its SID.
    pub const fn sid(&self) -> &Sid {
        &self.0
    }
}

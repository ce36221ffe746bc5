//! Tickets that are kept: one per account, renewed before it expires.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use smb2::auth::kerberos::messages::{PrincipalName, parse_ticket};
use tokio::time::{Instant, timeout_at};

use super::clock::Moment;
use super::crypt::Key;
use super::files::{Cache, CachedTicket, Principal};
use super::message::{self, Ask, CANONICAL, Granted, RENEW, RENEWABLE, Wanted};
use super::{Kerberos, KerberosError, Proof, center};

/// Kinds of names (RFC 4120 section 6.2, RFC 6806 section 5).
const USER: i32 = 1;
const ENTERPRISE: i32 = 10;
/// How long the renewal of a cached ticket may take.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long a renewal that failed waits until it is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// The longest sleep until a ticket is looked at again; clocks may be set meanwhile.
const LOOK_EVERY: Duration = Duration::from_mins(10);
/// A ticket is renewed in the last quarter of its life, and at least so many seconds before its end: domain controllers
/// refuse one that has two minutes left.
const LAST_PART: i64 = 4;
const LAST_SECONDS: i64 = 300;

/// A ticket that gives tickets, and by what it came.
#[derive(Debug, Clone)]
struct Held {
    user: String,
    proof: Proof,
    granted: Granted,
    /// Until when it can be renewed, in seconds since 1970.
    renew_until: i64,
}

/// The place of one account's ticket; locked while it is asked for, so that a thousand logons ask once.
type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// The tickets of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    slots: Mutex<BTreeMap<(String, Option<String>), Slot>>,
}

impl Granted {
    /// Whether it is good at this moment.
    fn is_good(&self, now: i64) -> bool {
        now < self.end
    }

    /// Whether so much of its life is over that another one is wanted.
    fn is_late(&self, now: i64) -> bool {
        now >= self.late_at()
    }

    fn late_at(&self) -> i64 {
        let life = self.end.saturating_sub(self.start).max(0);
        self.end.saturating_sub(LAST_SECONDS.max(life / LAST_PART))
    }
}

impl Tickets {
    /// A ticket for the host's files and pipes. The account's own ticket is taken from what is kept, or asked for.
    pub(crate) async fn for_host(
        &self,
        user: &str,
        with: &Kerberos,
        deadline: Instant,
    ) -> Result<Granted, KerberosError> {
        let own = timeout_at(deadline, self.own(user, with, deadline));
        let own = own.await.map_err(|_| late(with))??;
        service(&own, with, deadline).await
    }

    /// The account's own ticket.
    async fn own(
        &self,
        user: &str,
        with: &Kerberos,
        deadline: Instant,
    ) -> Result<Granted, KerberosError> {
        let Some(proof) = &with.proof else {
            return Err(KerberosError::Malformed("a logon without a secret"));
        };
        let slot = self.slot(user, with);
        let mut held = slot.lock().await;
        let now = Moment::now().seconds;
        if let Proof::Cache(cache) = proof {
            let began = take_cached(&mut held, user, with, cache, now)?;
            if began {
                tokio::spawn(keep(Arc::downgrade(&slot), with.clone()));
            }
            if held.as_ref().is_some_and(|held| held.granted.is_late(now)) {
                try_to_renew(&mut held, with, deadline).await;
            }
            let granted = held.as_ref().map(|held| held.granted.clone());
            return granted.ok_or(KerberosError::Malformed("a ticket cache"));
        }
        let kept = held
            .as_ref()
            .filter(|held| held.user == user && held.proof == *proof)
            .map(|held| &held.granted);
        if let Some(granted) = kept.filter(|granted| !granted.is_late(now)) {
            return Ok(granted.clone());
        }
        match first(user, with, proof, deadline).await {
            Ok(granted) => {
                *held = Some(Held {
                    user: user.to_owned(),
                    proof: proof.clone(),
                    granted: granted.clone(),
                    renew_until: 0,
                });
                Ok(granted)
            }
            // While no domain controller answers, the old one does as long as it is good.
            Err(error @ KerberosError::NoCenter { .. }) => {
                match kept.filter(|granted| granted.is_good(now)) {
                    Some(granted) => Ok(granted.clone()),
                    None => Err(error),
                }
            }
            Err(error) => {
                *held = None;
                Err(error)
            }
        }
    }

    fn slot(&self, user: &str, with: &Kerberos) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (user.to_lowercase(), with.realm.clone());
        Arc::clone(slots.entry(key).or_default())
    }
}

/// Takes the ticket of a cache where it is good for longer than the one that is held. Says whether it is the first.
fn take_cached(
    held: &mut Option<Held>,
    user: &str,
    with: &Kerberos,
    cache: &Arc<Cache>,
    now: i64,
) -> Result<bool, KerberosError> {
    let owner = &cache.owner;
    let (name, realm) = names(user, with.realm.as_deref().or(Some(&owner.realm)))?;
    let parts = name.name_string.first().map_or("", String::as_str);
    if !owner.is(parts, &realm) {
        return Err(KerberosError::OtherCache {
            owner: owner.to_string(),
            wanted: format!("{parts}@{realm}"),
        });
    }
    let kept = held
        .as_ref()
        .filter(|held| matches!(held.proof, Proof::Cache(_)))
        .map(|held| held.granted.end);
    let Some(ticket) = &cache.ticket else {
        return Err(KerberosError::EmptyCache {
            owner: owner.to_string(),
        });
    };
    let end = kept.unwrap_or(i64::MIN).max(ticket.end);
    if end <= now {
        return Err(KerberosError::Expired {
            owner: owner.to_string(),
            seconds: now.saturating_sub(end),
        });
    }
    if kept.is_none_or(|kept| kept < ticket.end) {
        *held = Some(Held {
            user: user.to_owned(),
            proof: Proof::Cache(Arc::clone(cache)),
            granted: of_cache(ticket)?,
            renew_until: ticket.renew_until,
        });
    }
    Ok(kept.is_none())
}

fn of_cache(cached: &CachedTicket) -> Result<Granted, KerberosError> {
    let ticket = parse_ticket(&cached.ticket).map_err(|_| KerberosError::NoCache)?;
    Ok(Granted {
        client: cached.client.clone(),
        service: Principal {
            parts: vec!["krbtgt".to_owned(), cached.client.realm.clone()],
            realm: cached.client.realm.clone(),
        },
        ticket,
        key: cached.key.clone(),
        start: cached.start,
        end: cached.end,
    })
}

/// Keeps the ticket of a cache good while nobody logs on, as long as it can be renewed and is wanted at all.
async fn keep(slot: Weak<tokio::sync::Mutex<Option<Held>>>, with: Kerberos) {
    loop {
        let Some(slot) = slot.upgrade() else { return };
        let mut held = slot.lock().await;
        let now = Moment::now().seconds;
        let Some(granted) = held.as_ref().map(|held| &held.granted) else {
            return;
        };
        if !granted.is_good(now) {
            // The next logon takes what the cache holds then, and says where that is over too.
            *held = None;
            return;
        }
        let sleep = if granted.is_late(now) {
            try_to_renew(&mut held, &with, Instant::now() + RENEWAL).await;
            AGAIN
        } else {
            let left = granted.late_at().saturating_sub(now);
            Duration::from_secs(u64::try_from(left).unwrap_or(0) + 1)
        };
        drop(held);
        drop(slot);
        tokio::time::sleep(sleep.min(LOOK_EVERY)).await;
    }
}

/// Renews a ticket where that is possible; otherwise the old one stays as long as it is good.
async fn try_to_renew(held: &mut Option<Held>, with: &Kerberos, deadline: Instant) {
    let Some(old) = held else { return };
    if old.renew_until <= old.granted.end {
        return;
    }
    let ask = Ask {
        client: None,
        realm: &old.granted.client.realm,
        service: &["krbtgt", &old.granted.client.realm],
        options: RENEW | RENEWABLE,
        nonce: 0,
    };
    match further(ask, &old.granted, with, deadline).await {
        Ok(granted) => {
            tracing::debug!(user = old.user, "a ticket was renewed");
            old.granted = granted;
        }
        Err(error) => tracing::warn!(user = old.user, %error, "a ticket could not be renewed"),
    }
}

/// The first ticket of an account, by its password or a key (AS exchange).
async fn first(
    user: &str,
    with: &Kerberos,
    proof: &Proof,
    deadline: Instant,
) -> Result<Granted, KerberosError> {
    let of_file = match proof {
        Proof::Keytab(keytab) => keytab.realm(),
        Proof::Password(_) | Proof::Cache(_) => None,
    };
    let (client, realm) = names(user, with.realm.as_deref().or(of_file))?;
    let ask = Ask {
        client: Some(&client),
        realm: &realm,
        service: &["krbtgt", &realm],
        options: if client.name_type == ENTERPRISE {
            CANONICAL
        } else {
            0
        },
        nonce: nonce()?,
    };
    let keys = match proof {
        Proof::Keytab(keytab) => Some(keys(keytab, &client, &realm)?),
        Proof::Password(_) | Proof::Cache(_) => None,
    };
    let center = (realm.as_str(), with.kdc.as_slice());
    // Without a proof at first: only the answer says which key, and with which salt, is wanted.
    let hello = ask.first(None, &Moment::now())?;
    let answer = center::ask(center, &hello, false, deadline).await?;
    let wanted = match message::granted(&answer, &nobody()?, ask.nonce) {
        Err(KerberosError::Refused(refused)) if refused.wants_proof() => {
            message::wanted(&refused.data)
        }
        // An account that needs no proof before: its ticket is for whoever knows the key.
        Err(KerberosError::Unreadable) | Ok(_) => Vec::new(),
        Err(error) => return Err(error),
    };
    let key = match (proof, keys) {
        (Proof::Password(password), _) => of_password(password.reveal(), &wanted, &client, &realm)?,
        (_, Some(keys)) => fitting(keys, &wanted)?,
        (Proof::Keytab(_) | Proof::Cache(_), None) => return Err(KerberosError::WeakKey),
    };
    let proved = ask.first(Some(&key), &Moment::now())?;
    let answer = center::ask(center, &proved, true, deadline).await?;
    message::granted(&answer, &key, ask.nonce)
}

/// A key that fits nothing, to read an answer with that is expected to be an error.
fn nobody() -> Result<Key, KerberosError> {
    Key::new(18, vec![0; 32]).ok_or(KerberosError::Malformed("a key"))
}

fn of_password(
    password: &str,
    wanted: &[Wanted],
    client: &PrincipalName,
    realm: &str,
) -> Result<Key, KerberosError> {
    let wanted = match wanted.first() {
        Some(wanted) => wanted.clone(),
        None => Wanted {
            kind: 18,
            salt: None,
        },
    };
    let salt = wanted
        .salt
        .unwrap_or_else(|| format!("{realm}{}", client.name_string.concat()));
    Key::of_password(wanted.kind, password, &salt).ok_or(KerberosError::WeakKey)
}

fn keys(
    keytab: &super::Keytab,
    client: &PrincipalName,
    realm: &str,
) -> Result<Vec<Key>, KerberosError> {
    let user = client.name_string.first().map_or("", String::as_str);
    let keys = keytab.keys(user, realm);
    if keys.is_empty() {
        return Err(KerberosError::NotInKeytab {
            wanted: format!("{user}@{realm}"),
            owners: keytab.owners(),
        });
    }
    Ok(keys)
}

/// The key of a keytab that the domain controller wants.
fn fitting(keys: Vec<Key>, wanted: &[Wanted]) -> Result<Key, KerberosError> {
    let mut keys = keys.into_iter();
    let fits = |key: &Key| wanted.is_empty() || wanted.iter().any(|one| one.kind == key.kind());
    keys.find(fits).ok_or(KerberosError::WeakKey)
}

/// A ticket for the host's files and pipes (TGS exchange).
async fn service(
    own: &Granted,
    with: &Kerberos,
    deadline: Instant,
) -> Result<Granted, KerberosError> {
    let ask = Ask {
        client: None,
        realm: &own.client.realm,
        service: &["cifs", &with.host],
        options: CANONICAL,
        nonce: 0,
    };
    let granted = further(ask, own, with, deadline).await?;
    match granted.service.parts.as_slice() {
        [first, realm] if first == "krbtgt" => Err(KerberosError::OtherRealm {
            service: format!("cifs/{}", with.host),
            realm: realm.clone(),
        }),
        _ => Ok(granted),
    }
}

async fn further(
    ask: Ask<'_>,
    own: &Granted,
    with: &Kerberos,
    deadline: Instant,
) -> Result<Granted, KerberosError> {
    let ask = Ask {
        nonce: nonce()?,
        ..ask
    };
    let message = ask.further(own, &Moment::now())?;
    let center = (ask.realm, with.kdc.as_slice());
    let answer = center::ask(center, &message, false, deadline).await?;
    match message::granted(&answer, &own.key, ask.nonce) {
        Err(KerberosError::Unreadable) => {
            Err(KerberosError::Malformed("the domain controller's answer"))
        }
        other => other,
    }
}

/// The name of a user as Kerberos writes it, and the realm. `user@domain` with another realm is a name of the
/// enterprise, which only the domain controller can take apart.
fn names(user: &str, realm: Option<&str>) -> Result<(PrincipalName, String), KerberosError> {
    let name = |kind, text: &str| PrincipalName {
        name_type: kind,
        name_string: vec![text.to_owned()],
    };
    let bare = user.split_once('\\').map_or(user, |(_, user)| user);
    match (bare.split_once('@'), realm) {
        (None, Some(realm)) => Ok((name(USER, bare), realm.to_uppercase())),
        (None, None) => Err(KerberosError::NoRealm),
        (Some((user, of)), None) => Ok((name(USER, user), of.to_uppercase())),
        (Some((user, of)), Some(realm)) if of.eq_ignore_ascii_case(realm) => {
            Ok((name(USER, user), realm.to_uppercase()))
        }
        (Some(_), Some(realm)) => Ok((name(ENTERPRISE, bare), realm.to_uppercase())),
    }
}

/// A number that the answer must repeat; 31 bits, for some take it for a signed one.
fn nonce() -> Result<u32, KerberosError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|_| KerberosError::NoRandomness)?;
    Ok(u32::from_be_bytes(bytes) >> 1)
}

fn late(with: &Kerberos) -> KerberosError {
    KerberosError::NoCenter {
        realm: with.realm.clone().unwrap_or_else(|| "the realm".to_owned()),
        at: with.kdc.join(", "),
        reason: "no answer in time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_their_realm_names_them() {
        let is = |user, realm| {
            names(user, realm)
                .map(|(name, realm)| (name.name_type, name.name_string.concat(), realm))
        };
        let ok = |kind, name: &str, realm: &str| Ok((kind, name.to_owned(), realm.to_owned()));
        assert_eq!(
            is(r"CORP\w", Some("corp.example")),
            ok(USER, "w", "CORP.EXAMPLE")
        );
        assert_eq!(is("w", Some("CORP.EXAMPLE")), ok(USER, "w", "CORP.EXAMPLE"));
        assert_eq!(is("w@corp.example", None), ok(USER, "w", "CORP.EXAMPLE"));
        assert_eq!(
            is("w@mail.example", Some("corp.example")),
            ok(ENTERPRISE, "w@mail.example", "CORP.EXAMPLE")
        );
        assert_eq!(is("w", None), Err(KerberosError::NoRealm));
    }

    /// What a domain controller brings about that answers each request with these bytes.
    async fn told_by(answer: &'static [u8]) -> KerberosError {
        use crate::secret::Secret;
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u32().await.unwrap();
                let mut request = vec![0; usize::try_from(length).unwrap()];
                stream.read_exact(&mut request).await.unwrap();
                assert!(!request.windows(6).any(|part| part == b"canary"));
                stream.write_all(answer).await.unwrap();
            }
        });
        let with = Kerberos {
            realm: Some("CORP.EXAMPLE".into()),
            kdc: vec![address],
            host: "srv01.corp.example".into(),
            proof: Some(Proof::Password(Secret::from("canary"))),
        };
        let deadline = Instant::now() + Duration::from_millis(500);
        let tickets = Tickets::default();
        let error = tickets.for_host("ops", &with, deadline).await.unwrap_err();
        assert!(!format!("{error:?}{error}{tickets:?}{with:?}").contains("canary"));
        error
    }

    #[tokio::test]
    async fn a_domain_controller_that_lies_or_is_silent_is_no_wrong_password() {
        let refused = |error: &KerberosError| error.fault().1.is_some();
        for answer in [
            &b""[..],
            b"\x00",
            b"\xff\xff\xff\xff",
            b"\x00\x00\x00\x05ab",
        ] {
            let error = told_by(answer).await;
            assert!(matches!(error, KerberosError::NoCenter { .. }), "{error:?}");
            assert!(!refused(&error));
        }
        for answer in [
            &b"\x00\x00\x00\x00"[..],
            b"\x00\x00\x00\x04HTTP",
            b"\x00\x00\x00\x02\x7e\x00",
            b"\x00\x00\x00\x02\x6b\x00",
            b"\x00\x00\x00\x04\x6b\x82\xff\xff",
        ] {
            let error = told_by(answer).await;
            assert!(matches!(error, KerberosError::Malformed(_)), "{error:?}");
            assert!(!refused(&error));
        }
    }
}

//! The secrets of accounts: read at each logon, and looked at in between, so that another one is noticed.

use super::Passwords;
use crate::{
    config::{Credential, SecretError, SecretSource, TicketFile},
    probe::kerberos::Proof,
    secret::Secret,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use svcwatch_core::id::Name;

/// With which user and secrets each account logged on last, so that another secret is noticed.
#[derive(Debug, Default)]
pub struct Logons {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: BTreeMap<Name, Last>,
    /// The accounts whose previous password was accepted last, after the new one was refused.
    previous_first: BTreeSet<Name>,
}

/// What an account logs on with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    user: String,
    password: Secret,
    previous: Option<Secret>,
    file: Option<Proof>,
}

impl Last {
    fn read(credential: &Credential) -> Result<Self, SecretError> {
        let read =
            |source: &Option<SecretSource>| source.as_ref().map(SecretSource::read).transpose();
        let password = read(&credential.password)?.unwrap_or_default();
        let previous = read(&credential.previous)?;
        let file = credential.file.as_ref().map(TicketFile::read).transpose()?;
        Ok(Self {
            user: credential.user.clone(),
            // The same twice is one: it would be refused twice.
            previous: previous.filter(|previous| *previous != password),
            password,
            file,
        })
    }
}

impl Logons {
    /// Reads the secrets of an account for a logon, the one first that was accepted last.
    pub fn read(&self, account: &Name, credential: &Credential) -> Result<Passwords, SecretError> {
        let last = Last::read(credential)?;
        let mut known = self.lock();
        let mut passwords = Passwords {
            first: last.password.clone(),
            second: last.previous.clone(),
            file: last.file.clone(),
        };
        if known.previous_first.contains(account)
            && let Some(previous) = &mut passwords.second
        {
            mem::swap(&mut passwords.first, previous);
        }
        known.last.insert(account.clone(), last);
        Ok(passwords)
    }

    /// A host accepted the second password of an account after it had refused the first: the next logon begins with it.
    pub fn second_accepted(&self, account: &Name) {
        let mut known = self.lock();
        if !known.previous_first.remove(account) {
            known.previous_first.insert(account.clone());
        }
    }

    /// The accounts whose user or secret is another one than at the last logon; each is named once for each change.
    pub fn changed(&self, credentials: &BTreeMap<Name, Credential>) -> Vec<Name> {
        let mut changed = Vec::new();
        for (account, credential) in credentials {
            let Some(last) = self.lock().last.get(account).cloned() else {
                continue;
            };
            // What cannot be read now is told where it is needed.
            let Ok(now) = Last::read(credential) else {
                continue;
            };
            if now != last {
                let mut known = self.lock();
                known.last.insert(account.clone(), now);
                known.previous_first.remove(account);
                changed.push(account.clone());
            }
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(user: &str, password: &str) -> Credential {
        Credential {
            user: user.to_owned(),
            password: Some(SecretSource::Text(Secret::from(password))),
            previous: None,
            realm: None,
            file: None,
            kdc: Vec::new(),
            acting: false,
        }
    }

    #[test]
    fn another_secret_is_noticed_once_and_only_after_a_logon() {
        let logons = Logons::default();
        let ops = Name::new("ops");
        let with = |password: &str| BTreeMap::from([(ops.clone(), credential("u", password))]);
        assert!(
            logons.changed(&with("a")).is_empty(),
            "nobody has logged on yet"
        );
        assert!(logons.read(&ops, &credential("u", "a")).is_ok());
        assert!(logons.changed(&with("a")).is_empty());
        assert_eq!(logons.changed(&with("b")), std::slice::from_ref(&ops));
        assert!(logons.changed(&with("b")).is_empty(), "it was told");
        let other_user = BTreeMap::from([(ops.clone(), credential("v", "b"))]);
        assert_eq!(logons.changed(&other_user), [ops]);
    }

    #[test]
    fn the_password_that_was_accepted_last_is_tried_first() {
        let (logons, ops) = (Logons::default(), Name::new("ops"));
        let mut credential = credential("u", "new");
        credential.previous = Some(SecretSource::Text(Secret::from("old")));
        let read = |credential: &Credential| {
            let passwords = logons.read(&ops, credential).unwrap();
            let second = passwords.second.map(|one| one.reveal().to_owned());
            (passwords.first.reveal().to_owned(), second)
        };
        let both = |first: &str, second: &str| (first.to_owned(), Some(second.to_owned()));
        assert_eq!(read(&credential), both("new", "old"));
        logons.second_accepted(&ops);
        assert_eq!(read(&credential), both("old", "new"));
        logons.second_accepted(&ops);
        assert_eq!(read(&credential), both("new", "old"));
        logons.second_accepted(&ops);
        credential.password = Some(SecretSource::Text(Secret::from("newer")));
        let all = BTreeMap::from([(ops.clone(), credential.clone())]);
        assert_eq!(logons.changed(&all).len(), 1);
        assert_eq!(read(&credential), both("newer", "old"));
        credential.previous = Some(SecretSource::Text(Secret::from("newer")));
        assert_eq!(read(&credential), ("newer".to_owned(), None));
    }
}

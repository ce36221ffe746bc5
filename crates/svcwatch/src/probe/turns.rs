//! Turns of the logons of an account that acts, so that a wrong password does not lock it out: until one was accepted, and
//! again some time after, they go one after another, and after a refused one the account is left alone for long.

use super::{Access, Auth, kerberos::Proof};
use crate::{clock, secret::Secret};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use svcwatch_core::{
    id::Name,
    limits::{PROVEN_FOR, REFUSED_WAIT},
    observe::{Fault, HostFault},
    time::Tick,
};
use tokio::sync::OwnedMutexGuard;

/// The right to log on while no other does, until it is dropped.
pub type Alone = OwnedMutexGuard<()>;

/// What is known of the logons of one account.
#[derive(Debug, Default)]
pub struct Turns {
    one: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When which of the secrets was accepted last.
    accepted: Option<(Tick, Tried, Secret)>,
    refused: Option<(Tick, Tried)>,
}

/// With what an account logs on. Two are the same also where the password and the one before it change places.
#[derive(Debug, Clone)]
pub struct Tried {
    user: Name,
    password: Secret,
    second: Option<Secret>,
    file: Option<Proof>,
}

impl Tried {
    /// What is tried where a host is reached so.
    pub fn of(access: &Access) -> Self {
        let proof = match &access.auth {
            Auth::Kerberos(with) => with.proof.clone(),
            Auth::Ntlm => None,
        };
        Self {
            user: Name::new(&access.user),
            password: access.password.clone(),
            second: access.second_password.clone(),
            // The password is the same by whatever it logs on.
            file: proof.filter(|proof| !matches!(proof, Proof::Password(_))),
        }
    }
}

impl PartialEq for Tried {
    fn eq(&self, other: &Self) -> bool {
        let straight = self.password == other.password && self.second == other.second;
        let crossed = self.second.as_ref() == Some(&other.password)
            && other.second.as_ref() == Some(&self.password);
        self.user == other.user && self.file == other.file && (straight || crossed)
    }
}

impl Turns {
    /// Waits until it is known whether others were accepted with the same; the right to log on alone where it is not
    /// known even then.
    pub async fn enter(&self, tried: &Tried) -> Option<Alone> {
        if self.is_proven(clock::now().tick, tried) {
            return None;
        }
        let alone = Arc::clone(&self.one).lock_owned().await;
        (!self.is_proven(clock::now().tick, tried)).then_some(alone)
    }

    /// Whether the account may be used with this, or is left alone because it was refused a short while ago.
    pub fn check(&self, now: Tick, tried: &Tried) -> Result<(), HostFault> {
        match &self.lock().refused {
            Some((at, refused)) if now.since(*at) < REFUSED_WAIT && refused == tried => {
                Err(HostFault {
                    fault: Fault::LogonRefused,
                    cause: "the acting account was refused a short while ago and is left alone for an hour or until its secret is another one, so that it is not locked out".to_owned(),
                    refusal: None,
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the second secret of the two is the one that was accepted last, so that it is tried first.
    pub fn prefers_second(&self, tried: &Tried) -> bool {
        let known = self.lock();
        let accepted = known.accepted.as_ref();
        accepted
            .is_some_and(|(_, with, secret)| with == tried && tried.second.as_ref() == Some(secret))
    }

    /// A host accepted this, by this one of its secrets.
    pub(super) fn accepted(&self, now: Tick, tried: &Tried, secret: &Secret) {
        self.lock().accepted = Some((now, tried.clone(), secret.clone()));
    }

    /// A host refused this.
    pub(super) fn refused(&self, now: Tick, tried: &Tried) {
        let mut known = self.lock();
        known.refused = Some((now, tried.clone()));
        // From now on one at a time again.
        known.accepted = None;
    }

    /// Whether others need not wait for the end of this one.
    fn is_proven(&self, now: Tick, tried: &Tried) -> bool {
        let known = self.lock();
        let accepted = known.accepted.as_ref();
        accepted.is_some_and(|(at, with, _)| now.since(*at) < PROVEN_FOR && with == tried)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::time::Span;

    fn tried(password: &str, second: Option<&str>) -> Tried {
        Tried {
            user: Name::new("hands"),
            password: Secret::from(password),
            second: second.map(Secret::from),
            file: None,
        }
    }

    #[test]
    fn a_refused_account_is_left_alone_for_an_hour_or_until_its_secret_is_another_one() {
        let turns = Turns::default();
        let wrong = tried("wrong", Some("old"));
        let at = Tick(5_000);
        assert!(turns.check(at, &wrong).is_ok());
        turns.refused(at, &wrong);
        let last = Tick(at.0 + REFUSED_WAIT.0 - 1);
        for held in [&wrong, &tried("old", Some("wrong"))] {
            let fault = turns.check(last, held).unwrap_err();
            assert_eq!(fault.fault, Fault::LogonRefused);
        }
        for other in [tried("right", Some("old")), tried("wrong", None)] {
            assert!(turns.check(at, &other).is_ok());
        }
        let other_user = Tried {
            user: Name::new("feet"),
            ..wrong.clone()
        };
        assert!(turns.check(at, &other_user).is_ok());
        assert!(turns.check(at + REFUSED_WAIT, &wrong).is_ok());
        // Somewhere else it was let in at the same moment: that does not end it.
        turns.accepted(last, &wrong, &Secret::from("wrong"));
        assert!(turns.check(last, &wrong).is_err());
    }

    #[test]
    fn an_acceptance_holds_for_a_minute_for_the_same_secret_and_until_a_refusal() {
        let turns = Turns::default();
        let right = tried("new", Some("old"));
        let at = Tick(5_000);
        assert!(!turns.is_proven(at, &right));
        turns.accepted(at, &right, &Secret::from("old"));
        assert!(turns.prefers_second(&right));
        assert!(!turns.prefers_second(&tried("old", Some("new"))));
        assert!(!turns.prefers_second(&tried("newer", Some("old"))));
        assert!(turns.is_proven(Tick(at.0 + PROVEN_FOR.0 - 1), &right));
        assert!(!turns.is_proven(at + PROVEN_FOR, &right));
        assert!(!turns.is_proven(at, &tried("newer", Some("old"))));
        turns.refused(at + Span(1), &right);
        assert!(!turns.is_proven(at + Span(2), &right));
        assert!(!turns.prefers_second(&right));
    }

    #[tokio::test]
    async fn one_logs_on_alone_until_it_is_known() {
        let turns = Arc::new(Turns::default());
        let one = tried("right", None);
        let alone = turns.enter(&one).await;
        assert!(alone.is_some());
        let waiting = |with: &Tried| {
            let (turns, with) = (Arc::clone(&turns), with.clone());
            tokio::spawn(async move { turns.enter(&with).await })
        };
        let (second, third, other) = (
            waiting(&one),
            waiting(&one),
            waiting(&tried("another", None)),
        );
        tokio::task::yield_now().await;
        assert!(!second.is_finished() && !third.is_finished() && !other.is_finished());
        turns.accepted(clock::now().tick, &one, &Secret::from("right"));
        drop(alone);
        assert!(second.await.unwrap().is_none());
        assert!(third.await.unwrap().is_none());
        assert!(
            other.await.unwrap().is_some(),
            "of that nobody knows anything"
        );
    }
}

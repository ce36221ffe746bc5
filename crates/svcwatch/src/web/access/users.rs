//! Users with hashes of their passwords by bcrypt, which costs much on purpose: so that is done for a new login only,
//! for few at once, and for a user that does not exist just as well.

use crate::{config::hash_cost, secret::Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// Checks at once, at most: one must be left to do everything else.
const CHECKS_AT_ONCE: usize = 2;
/// Logins that wait for their check, at most; more are refused at once.
const WAITING_MAX: usize = 32;
/// How long a login waits for its check, at most.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Good logins that are remembered, at most.
const REMEMBERED_MAX: usize = 128;
/// The cost of checks where there is nobody.
const COST_USUAL: u32 = 10;

/// What became of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logon {
    /// It is good.
    Accepted,
    /// It is not.
    Refused,
    /// Nobody knows: too many are being checked.
    Busy,
}

/// The users.
#[derive(Debug)]
pub(super) struct Users {
    hashes: BTreeMap<String, Secret>,
    /// What a user that does not exist is held against.
    nobody: Secret,
    /// Of good logins, a code that nobody else can make; the password itself is not kept.
    good: Mutex<VecDeque<[u8; 32]>>,
    /// The key of those codes; none where the system gave no random bytes, and then nothing is remembered.
    key: Option<[u8; 32]>,
    waiting: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, Secret>) -> Self {
        let costs = hashes.values().filter_map(|hash| hash_cost(hash.reveal()));
        let cost = costs.max().unwrap_or(COST_USUAL);
        // A hash of no password that is known, but as costly as the others.
        let nobody = format!("$2b${cost:02}${}", ".".repeat(53));
        let mut key = [0; 32];
        let random = getrandom::fill(&mut key);
        Self {
            hashes,
            nobody: Secret::new(nobody),
            good: Mutex::default(),
            key: random.is_ok().then_some(key),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
        }
    }

    /// Checks a login. One that was good before is good without any cost, so that those who are known are answered
    /// however many others try.
    pub(super) async fn check(&self, user: &str, password: String) -> Logon {
        let known = self.hashes.get(user);
        let hash = known.unwrap_or(&self.nobody).clone();
        let code = self.code(user, &hash, &password);
        if code.is_some_and(|code| self.lock().contains(&code)) {
            return Logon::Accepted;
        }
        let Ok(_waits) = self.waiting.try_acquire() else {
            return Logon::Busy;
        };
        let Ok(Ok(permit)) = timeout(WAIT_MAX, Arc::clone(&self.checks).acquire_owned()).await
        else {
            return Logon::Busy;
        };
        let checked = tokio::task::spawn_blocking(move || {
            let good = bcrypt::verify(password, hash.reveal());
            // Held until the work is done, even where nobody waits for it any more.
            drop(permit);
            good.unwrap_or(false)
        });
        let good = checked.await.unwrap_or(false) && known.is_some();
        if !good {
            return Logon::Refused;
        }
        if let Some(code) = code {
            let mut remembered = self.lock();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.pop_front();
            }
            remembered.push_back(code);
        }
        Logon::Accepted
    }

    fn code(&self, user: &str, hash: &Secret, password: &str) -> Option<[u8; 32]> {
        let mut code = Hmac::<Sha256>::new_from_slice(self.key.as_ref()?).ok()?;
        for part in [user, hash.reveal(), password] {
            code.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            code.update(part.as_bytes());
        }
        Some(code.finalize().into_bytes().into())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<[u8; 32]>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn users(cost: u32) -> Users {
        let hash = bcrypt::hash_with_salt("correct horse", cost, [3; 16]).unwrap();
        let hashes = [
            ("alice", hash.to_string()),
            ("legacy", hash.format_for_version(bcrypt::Version::TwoY)),
        ];
        Users::new(
            hashes
                .into_iter()
                .map(|(user, hash)| (user.to_owned(), Secret::new(hash)))
                .collect(),
        )
    }

    #[tokio::test]
    async fn the_right_password_of_the_right_user_is_good() {
        let users = users(4);
        for (user, password, wanted) in [
            ("alice", "correct horse", Logon::Accepted),
            ("legacy", "correct horse", Logon::Accepted),
            ("alice", "correct horse", Logon::Accepted),
            ("alice", "wrong", Logon::Refused),
            ("alice", "", Logon::Refused),
            ("ALICE", "correct horse", Logon::Refused),
            ("mallory", "correct horse", Logon::Refused),
            ("mallory", "", Logon::Refused),
            ("", "", Logon::Refused),
            ("alice", "nul\0", Logon::Refused),
        ] {
            assert_eq!(
                users.check(user, password.to_owned()).await,
                wanted,
                "{user}:{password}"
            );
        }
        assert_eq!(
            users.lock().len(),
            2,
            "only good logins are remembered, once each"
        );
    }

    #[tokio::test]
    async fn a_user_that_does_not_exist_takes_as_long_as_one_that_does() {
        let users = users(6);
        let nobody = users.nobody.reveal();
        assert_eq!(hash_cost(nobody), hash_cost(users.hashes["alice"].reveal()));
        // What bcrypt could not even read would be refused at once.
        assert!(matches!(bcrypt::verify("wrong", nobody), Ok(false)));
        for user in ["alice", "mallory"] {
            let begun = Instant::now();
            assert_eq!(users.check(user, "wrong".to_owned()).await, Logon::Refused);
            println!("{user} was refused after {:?}", begun.elapsed());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_wrong_logins_keep_nobody_out_who_is_known() {
        let users = Arc::new(users(6));
        assert_eq!(
            users.check("alice", "correct horse".to_owned()).await,
            Logon::Accepted
        );
        let flood: Vec<_> = (0..100)
            .map(|number| {
                let users = Arc::clone(&users);
                tokio::spawn(async move { users.check("alice", format!("guess {number}")).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let begun = Instant::now();
        assert_eq!(
            users.check("alice", "correct horse".to_owned()).await,
            Logon::Accepted
        );
        println!("let in beside a flood after {:?}", begun.elapsed());
        let mut busy = 0;
        for guess in flood {
            match guess.await.unwrap() {
                Logon::Accepted => panic!("a guess was accepted"),
                Logon::Refused => {}
                Logon::Busy => busy += 1,
            }
        }
        assert!(
            busy >= 100 - WAITING_MAX - CHECKS_AT_ONCE,
            "only {busy} were sent away"
        );
        assert!(users.checks.available_permits() <= CHECKS_AT_ONCE);
        // Whoever is known takes no place, so that none needs to be free.
        let places = u32::try_from(WAITING_MAX).unwrap();
        let _taken = Arc::clone(&users.waiting).acquire_many_owned(places).await;
        let login = |password: &str| users.check("alice", password.to_owned());
        assert_eq!(login("correct horse").await, Logon::Accepted);
        assert_eq!(login("guess").await, Logon::Busy);
    }
}

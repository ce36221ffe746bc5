//! Carries out what the engine decides about services that are to be started again: with the acting account, one at a
//! time on each host, on the record, and with an answer in any case.

use super::{Act, Journal, JournalError, Order, Turn, TurnError, may_act, restart};
use crate::{
    clock,
    probe::{Access, hand::Hand},
    wiring::{self, Logons, Reach},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use svcwatch_core::{
    effect::ActRequest,
    id::Name,
    limits::{PROVEN_FOR, REFUSED_WAIT, RESTART_STILL, RESTART_TIME},
    remedy::{
        Outcome,
        procedure::{self, Aim, Asked},
    },
    time::{Span, Tick},
};

/// How a try ended, and what happened, in one sentence.
type Ended = (Outcome, String);

/// What starts services that the engine wants started.
#[derive(Debug)]
pub struct Actor {
    data: PathBuf,
    journal: Arc<Journal>,
    accounts: Mutex<HashMap<Name, Arc<Logon>>>,
}

/// What is known of the logons of an account that acts, so that a wrong password does not lock it out: until one was
/// accepted, and again some time after, its logons take turns, and after a refused one it is left alone for long.
#[derive(Debug, Default)]
struct Logon {
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    accepted: Option<Tick>,
    refused: Option<Tick>,
}

impl Logon {
    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether others need not wait for the end of this one.
    fn is_proven(&self, now: Tick) -> bool {
        let accepted = self.known().accepted;
        accepted.is_some_and(|at| now.since(at) < PROVEN_FOR)
    }

    /// Whether it is left alone.
    fn check(&self, now: Tick) -> Result<(), Ended> {
        match self.known().refused {
            Some(at) if now.since(at) < REFUSED_WAIT => Err((
                Outcome::Denied,
                "the acting account was refused a short while ago and is left alone for an hour, so that it is not locked out".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl Actor {
    /// One that keeps its records in this folder.
    pub fn new(data: PathBuf) -> Self {
        Self {
            journal: Arc::new(Journal::new(&data)),
            data,
            accounts: Mutex::default(),
        }
    }

    /// Carries out one try to its end.
    pub async fn act(&self, request: &ActRequest, reach: &Reach, logons: &Arc<Logons>) -> Ended {
        match self.try_to(request, reach, logons).await {
            Ok(act) => ended(&act),
            Err(ended) => ended,
        }
    }

    async fn try_to(
        &self,
        request: &ActRequest,
        reach: &Reach,
        logons: &Arc<Logons>,
    ) -> Result<Act, Ended> {
        in_time(request)?;
        let failed = |error: JournalError| (Outcome::Failed, error.to_string());
        let logon = self.logon(&request.host, reach);
        // Others of this account wait until it is known whether its password is right.
        let _alone = if logon.is_proven(clock::now().tick) {
            None
        } else {
            Some(logon.turn.lock().await)
        };
        logon.check(clock::now().tick)?;
        let (access, timeout) = access_of(&request.host, reach, logons).await?;
        let turn = if request.dry_run {
            None
        } else {
            Some(self.turn(&request.host)?)
        };
        // Reading a secret, or the turns of others, may have taken their time.
        in_time(request)?;
        let order = Order {
            host: request.host.clone(),
            asked: Asked {
                service: request.service.clone(),
                aim: Aim::Run,
                dry_run: request.dry_run,
                time: RESTART_TIME,
                still: RESTART_STILL,
            },
            by: format!("remedy {}", request.plan),
        };
        let hand = Hand::new(request.host.clone(), access, timeout);
        let mut hand = hand.expecting(request.computer.clone());
        let act = Box::pin(restart(&mut hand, &order, &self.journal, |_| {})).await;
        let refused = hand.is_refused();
        let accepted = hand.computer().is_some() && !refused;
        hand.end().await;
        let now = clock::now().tick;
        logon.learn(|known| {
            known.refused = refused.then_some(now).or(known.refused);
            known.accepted = accepted.then_some(now).or(known.accepted);
        });
        if refused {
            let text = act.map_or_else(|error| error.to_string(), |act| act.text);
            return Err((Outcome::Denied, text));
        }
        drop(turn);
        act.map_err(failed)
    }

    /// What is known of the account that acts on a host.
    fn logon(&self, host: &Name, reach: &Reach) -> Arc<Logon> {
        let account = may_act(reach, host).ok().and_then(|(_, account)| account);
        let name = account.map_or_else(|| Name::new(""), |(name, _)| name.clone());
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(name).or_default())
    }

    fn turn(&self, host: &Name) -> Result<Turn, Ended> {
        Turn::take(&self.data, host).map_err(|error| {
            let outcome = match error {
                // Whoever acts there now will have changed what is known.
                TurnError::Taken { .. } => Outcome::TooLate,
                TurnError::Unwritable { .. } => Outcome::Failed,
            };
            (outcome, error.to_string())
        })
    }
}

/// Whether a try may still be begun.
fn in_time(request: &ActRequest) -> Result<(), Ended> {
    if clock::now().tick < request.begin_before {
        Ok(())
    } else {
        let text = "it could not be begun soon enough after it was decided";
        Err((Outcome::TooLate, text.to_owned()))
    }
}

/// How a host is reached to act there, and how long a question to it may take.
async fn access_of(
    host: &Name,
    reach: &Reach,
    logons: &Arc<Logons>,
) -> Result<(Access, Span), Ended> {
    let (connection, account) =
        may_act(reach, host).map_err(|error| (Outcome::Denied, error.to_string()))?;
    let Some((name, credential)) = account else {
        let access = wiring::acting_access(connection, None, None);
        return Ok((access, connection.timeout));
    };
    let (logons, name, of_account) = (Arc::clone(logons), name.clone(), credential.clone());
    // A secret may lie on a disk that does not answer.
    let read = tokio::task::spawn_blocking(move || logons.read(&name, &of_account)).await;
    let passwords = match read {
        Ok(Ok(passwords)) => passwords,
        Ok(Err(error)) => {
            let text = format!("there is no password to act with: {error}");
            return Err((Outcome::Failed, text));
        }
        Err(_) => {
            let text = "reading the password to act with broke off".to_owned();
            return Err((Outcome::Failed, text));
        }
    };
    let access = wiring::acting_access(connection, Some(credential), Some(passwords));
    Ok((access, connection.timeout))
}

/// What the record of a restart says to the engine.
fn ended(act: &Act) -> Ended {
    let word = act.outcome.as_deref().and_then(procedure::Outcome::parse);
    let outcome = word.map_or(Outcome::Unknown, Outcome::from);
    if outcome == Outcome::DryRun {
        let deeds = act.planned.iter();
        let deeds: Vec<String> = deeds
            .map(|deed| format!("{} {}", deed.verb, deed.service))
            .collect();
        return (outcome, format!("would {}", deeds.join(", ")));
    }
    (outcome, act.text.clone())
}

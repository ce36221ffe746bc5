//! Carries out what the engine decides about services that are to be started again: with the acting account, one at a
//! time on each host, on the record, and with an answer in any case.

use super::{Act, Journal, JournalError, Order, Turn, TurnError, may_act, restart};
use crate::{
    clock,
    config::{Connection, Credential},
    probe::{
        Access,
        hand::Hand,
        turns::{Tried, Turns},
    },
    wiring::{self, Logons, Reach},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use svcwatch_core::{
    effect::ActRequest,
    id::Name,
    limits::{RESTART_STILL, RESTART_TIME},
    remedy::{
        Outcome,
        procedure::{self, Aim, Asked},
    },
};
use tokio::time::timeout;

/// How a try ended, and what happened, in one sentence.
type Ended = (Outcome, String);

/// What starts services that the engine wants started.
#[derive(Debug)]
pub struct Actor {
    data: PathBuf,
    journal: Arc<Journal>,
    /// The turns of the logons of each account that acts.
    accounts: Mutex<HashMap<Name, Arc<Turns>>>,
}

/// What is ready to act: only the logon is left.
struct Ready {
    hand: Hand,
    /// The turn on the host; none for a dry run, which changes nothing there.
    turn: Option<Turn>,
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
        // Reading a secret, the turns of others or the disk may take longer than it may wait.
        let left = request.begin_before.since(clock::now().tick);
        let ready = self.make_ready(request, reach, logons);
        let ready = timeout(Duration::from_millis(left.0), Box::pin(ready)).await;
        let Ready { mut hand, turn } = ready.map_err(|_| too_late())??;
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
        let act = Box::pin(restart(&mut hand, &order, &self.journal, |_| {})).await;
        let (refused, late) = (hand.is_refused(), hand.is_late());
        hand.end().await;
        drop(turn);
        if refused {
            // A program that prints the secret is asked anew.
            if let Ok((_, Some((_, credential)))) = may_act(reach, &request.host) {
                credential.forget();
            }
            let text = act.map_or_else(|error| error.to_string(), |act| act.text);
            return Err((Outcome::Denied, text));
        }
        if late {
            return Err(too_late());
        }
        act.map_err(|error: JournalError| (Outcome::Failed, error.to_string()))
    }

    /// Makes everything ready, and waits for the turn of its logon. Nothing is sent to the host.
    async fn make_ready(
        &self,
        request: &ActRequest,
        reach: &Reach,
        logons: &Arc<Logons>,
    ) -> Result<Ready, Ended> {
        let (connection, account) = may_act(reach, &request.host).map_err(|error| {
            if request.dry_run {
                let text = format!("would start {}, but {error}", request.service);
                return (Outcome::DryRun, text);
            }
            (Outcome::Denied, error.to_string())
        })?;
        let hand = |access| Hand::new(request.host.clone(), access, connection.timeout);
        let hand = match account {
            None => hand(wiring::acting_access(connection, None, None)),
            Some((name, credential)) => {
                let turns = self.turns_of(name);
                let read = || read(&turns, connection, (name, credential), logons);
                let tried = Tried::of(&read().await?);
                // Others of this account wait until it is known whether its password is right.
                let alone = turns.enter(&tried).await;
                // By now it may be another one, or another one of the two may be known to be right.
                hand(read().await?).taking_turns(turns, alone)
            }
        };
        let hand = hand
            .expecting(request.computer.clone())
            .beginning_before(request.begin_before);
        let turn = if request.dry_run {
            None
        } else {
            Some(self.turn(&request.host).await?)
        };
        Ok(Ready { hand, turn })
    }

    pub(super) fn turns_of(&self, account: &Name) -> Arc<Turns> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(account.clone()).or_default())
    }

    async fn turn(&self, host: &Name) -> Result<Turn, Ended> {
        let (data, of) = (self.data.clone(), host.clone());
        let taken = tokio::task::spawn_blocking(move || Turn::take(&data, &of)).await;
        let taken = taken.map_err(|_| {
            let text = "waiting for the turn on the host broke off".to_owned();
            (Outcome::Failed, text)
        })?;
        taken.map_err(|error| {
            let outcome = match error {
                // Whoever acts there now will have changed what is known.
                TurnError::Taken { .. } => Outcome::TooLate,
                TurnError::Unwritable { .. } => Outcome::Failed,
            };
            (outcome, error.to_string())
        })
    }
}

fn too_late() -> Ended {
    let text = "it could not be begun soon enough after it was decided";
    (Outcome::TooLate, text.to_owned())
}

/// How a host is reached with an account to act there, unless the account is left alone.
pub(super) async fn read(
    turns: &Turns,
    connection: &Connection,
    (name, credential): (&Name, &Credential),
    logons: &Arc<Logons>,
) -> Result<Access, Ended> {
    let (logons, name, of_account) = (Arc::clone(logons), name.clone(), credential.clone());
    // A secret may lie on a disk that does not answer.
    let read = tokio::task::spawn_blocking(move || logons.read(&name, &of_account)).await;
    let mut passwords = match read {
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
    let access = |passwords| wiring::acting_access(connection, Some(credential), Some(passwords));
    let tried = Tried::of(&access(passwords.clone()));
    turns
        .check(clock::now().tick, &tried)
        .map_err(|fault| (Outcome::Denied, fault.cause))?;
    if turns.prefers_second(&tried)
        && let Some(second) = &mut passwords.second
    {
        std::mem::swap(&mut passwords.first, second);
    }
    Ok(access(passwords))
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

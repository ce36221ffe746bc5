//! Whether what acts on a host may do so there: it logs on, opens each service with the rights for it, and closes it
//! again. Nothing is started or stopped.

use super::{actor::read, may_act, words::why_denied};
use crate::{
    probe::{
        hand::Hand,
        turns::{Tried, Turns},
    },
    wiring::{self, Logons, Reach},
};
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use svcwatch_core::{
    id::Name,
    remedy::{
        Outcome,
        procedure::{Answer, Step},
    },
};

/// Services of one host that are opened, at most.
const OPENED_MAX: usize = 64;
/// How many services a sentence names.
const NAMES_SHOWN: usize = 5;
/// `ERROR_ACCESS_DENIED` (MS-ERREF 2.2).
const ACCESS_DENIED: u32 = 5;

/// What acts on the hosts of a configuration, tried: the logons of one user go one after another until one was accepted,
/// and after one that was refused no other is tried with the same.
#[derive(Debug)]
pub struct Trials {
    reach: Reach,
    logons: Arc<Logons>,
    /// What was refused where hosts are read.
    refused: Vec<Tried>,
    /// The turns of the logons of each user.
    users: Mutex<HashMap<Name, Arc<Turns>>>,
}

/// What is to be tried on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The host.
    pub host: Name,
    /// The name by which the computer must call itself, where that is known.
    pub computer: Option<String>,
    /// The services that would be acted on.
    pub services: Vec<Name>,
}

/// What is granted on one host to what acts there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// The account; none where nothing may act, or where it is the one that svcwatch runs as.
    pub account: Option<String>,
    /// Whether it is an administrator there, where the host said so.
    pub administrator: Option<bool>,
    /// Services that it may start and stop.
    pub may: Vec<String>,
    /// Services on which rights lack.
    pub lacking: Vec<Lacking>,
    /// Services that could not be opened for another reason, each with it.
    pub unopened: Vec<(String, String)>,
    /// Services whose dependents are not told, so that a restart would not know them.
    pub dependents_untold: Vec<String>,
    /// Services that were not opened, because there are too many.
    pub left_out: usize,
    /// Why nothing could be tried, or not all of it.
    pub fault: Option<String>,
}

/// The rights that lack on a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacking {
    /// The service.
    pub service: String,
    /// The rights, as Windows calls them.
    pub rights: Vec<&'static str>,
}

impl Trials {
    /// Those of a configuration. What was refused already is not tried again.
    pub fn new(reach: Reach, logons: Arc<Logons>, refused: Vec<Tried>) -> Self {
        Self {
            reach,
            logons,
            refused,
            users: Mutex::default(),
        }
    }

    /// Whether anything may act on a host; why not.
    pub fn may(&self, host: &Name) -> Result<(), String> {
        let may = may_act(&self.reach, host);
        may.map(drop).map_err(|error| error.to_string())
    }

    /// Whether an account of its own acts on a host.
    pub fn has_account(&self, host: &Name) -> bool {
        may_act(&self.reach, host).is_ok_and(|(_, account)| account.is_some())
    }

    /// Logs on to a host as what acts there, and opens the services.
    pub async fn of(&self, trial: &Trial) -> Granted {
        let mut granted = Granted::default();
        match self.hand(trial, &mut granted).await {
            Ok(hand) => {
                let mut hand = hand.expecting(trial.computer.clone());
                granted.open(&mut hand, &trial.services).await;
                granted.administrator = hand.administrator();
                hand.end().await;
            }
            Err(why) => granted.fault = Some(why),
        }
        granted
    }

    /// What would act, with the turn of its logon.
    async fn hand(&self, trial: &Trial, granted: &mut Granted) -> Result<Hand, String> {
        let may = may_act(&self.reach, &trial.host);
        let (connection, account) = may.map_err(|error| error.to_string())?;
        let hand = |access| Hand::new(trial.host.clone(), access, connection.timeout);
        let Some((name, credential)) = account else {
            return Ok(hand(wiring::acting_access(connection, None, None)));
        };
        granted.account = Some(name.to_string());
        let turns = self.turns_of(&credential.user);
        let read = || read(&turns, connection, (name, credential), &self.logons);
        let why = |(_, why): (Outcome, String)| why;
        let tried = Tried::of(&read().await.map_err(why)?);
        if self.refused.contains(&tried) {
            return Err(
                "not tried, because a host refused the same user and password when it was read"
                    .to_owned(),
            );
        }
        let alone = turns.enter(&tried).await;
        // By now it may have been refused elsewhere.
        let access = read().await.map_err(why)?;
        Ok(hand(access).taking_turns(Arc::clone(&turns), alone))
    }

    fn turns_of(&self, user: &str) -> Arc<Turns> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(users.entry(Name::new(user)).or_default())
    }
}

impl Granted {
    /// Opens services as a restart would before it touches anything.
    async fn open(&mut self, hand: &mut Hand, services: &[Name]) {
        self.left_out = services.len().saturating_sub(OPENED_MAX);
        for service in services.iter().take(OPENED_MAX) {
            if let Err(why) = self.open_one(hand, service).await {
                self.fault = Some(why);
                return;
            }
        }
    }

    async fn open_one(&mut self, hand: &mut Hand, service: &Name) -> Result<(), String> {
        let may = |stop| Step::May {
            service: service.clone(),
            stop,
        };
        let mut rights = Vec::new();
        match asked(hand, may(true)).await? {
            Answer::Code(ACCESS_DENIED) => {
                if asked(hand, may(false)).await? == Answer::Done {
                    rights.push("SERVICE_STOP");
                } else {
                    rights.extend(["SERVICE_START", "SERVICE_STOP"]);
                }
            }
            Answer::Code(code) => {
                self.unopened.push((service.to_string(), in_words(code)));
                return Ok(());
            }
            _ => {}
        }
        let state = asked(hand, Step::Query(service.clone())).await?;
        if state == Answer::Code(ACCESS_DENIED) {
            rights.push("SERVICE_QUERY_STATUS");
        }
        let dependents = asked(hand, Step::Dependents(service.clone())).await?;
        if dependents == Answer::NotOffered {
            self.dependents_untold.push(service.to_string());
        }
        let service = service.to_string();
        if rights.is_empty() {
            self.may.push(service);
        } else {
            self.lacking.push(Lacking { service, rights });
        }
        Ok(())
    }

    /// Who acts, for a sentence.
    fn who(&self) -> &str {
        self.account.as_deref().unwrap_or("svcwatch itself")
    }

    /// What lacks, each a sentence.
    pub fn lacks(&self) -> Vec<String> {
        let who = self.who();
        let mut lacks = Vec::new();
        if let Some(fault) = &self.fault {
            lacks.push(match &self.account {
                Some(account) => format!("{account} cannot act there: {fault}"),
                None => fault.clone(),
            });
        }
        let mut by_rights: Vec<(&[&str], Vec<String>)> = Vec::new();
        for lacking in &self.lacking {
            let known = by_rights.iter_mut();
            match { known }.find(|(rights, _)| *rights == lacking.rights) {
                Some((_, services)) => services.push(lacking.service.clone()),
                None => by_rights.push((&lacking.rights, vec![lacking.service.clone()])),
            }
        }
        let controls = |right: &&str| matches!(*right, "SERVICE_START" | "SERVICE_STOP");
        for (rights, services) in by_rights {
            let why = if rights.iter().any(controls) {
                why_denied(self.administrator)
            } else {
                "the service itself denies it; see docs/remedy.md"
            };
            let (rights, services) = (rights.join(", "), some(&services));
            lacks.push(format!(
                "{who} may not act on {services} ({rights} denied): {why}"
            ));
        }
        for (service, why) in &self.unopened {
            lacks.push(format!("{who} cannot act on {service}: {why}"));
        }
        lacks
    }

    /// What is good to know, each a sentence.
    pub fn notes(&self) -> Vec<String> {
        let who = self.who();
        let mut notes = Vec::new();
        if !self.may.is_empty() {
            notes.push(format!("{who} may act on {}", some(&self.may)));
        }
        if !self.dependents_untold.is_empty() {
            notes.push(format!(
                "what depends on {} is not told to {who} (SERVICE_ENUMERATE_DEPENDENTS lacks, or the host does not offer it), so a restart would not stop and start that with it",
                some(&self.dependents_untold)
            ));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} more services were not opened to see whether {who} may act on them",
                self.left_out
            ));
        }
        notes
    }
}

/// Asks the host; a fault ends the trial.
async fn asked(hand: &mut Hand, step: Step) -> Result<Answer, String> {
    match hand.carry_out(&step).await {
        Answer::Fault(fault) => Err(format!("{}: {}", fault.fault, fault.cause)),
        answer => Ok(answer),
    }
}

/// A code of Windows in words.
fn in_words(code: u32) -> String {
    match svcwatch_core::cause::exit_meaning(code) {
        Some(meaning) => format!("{meaning} ({code})"),
        None => format!("error {code}"),
    }
}

/// Some of the names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

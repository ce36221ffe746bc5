//! `svcwatch check --connect`, of what acts: whether it may start and stop what it would have to.
//!
//! Where a plan starts services again, what lacks for that lacks. Elsewhere `svcwatch restart` would be asked by hand,
//! and what it would be denied is only good to know.

use super::{
    connect::{AT_ONCE, HostFound, broken},
    failure::Failure,
    output::Progress,
};
use crate::{
    remedy::{Granted, Trial, Trials},
    wiring::{Logons, Reach},
};
use std::sync::Arc;
use svcwatch_core::{
    id::Name,
    observe::{HostReading, ServiceConfig},
    plan::{EntryPlan, HostPlan},
};
use tokio::task::JoinSet;

/// What is to be tried on a host of which nothing is known yet.
pub(super) fn trial(plan: &HostPlan) -> Trial {
    Trial {
        host: plan.name.clone(),
        computer: None,
        services: Vec::new(),
    }
}

/// Whether something of a host is really to be started again.
pub(super) fn is_remedied(plan: &HostPlan) -> bool {
    let acts = |entry: &EntryPlan| {
        let remedy = entry.remedy.as_deref();
        remedy.is_some_and(|remedy| !remedy.plan.dry_run)
    };
    plan.services.iter().any(acts)
}

/// The services of a host that would be acted on: those with a remedy, else all that are watched.
pub(super) fn services(
    plan: &HostPlan,
    reading: &HostReading,
    configs: &[ServiceConfig],
) -> Vec<Name> {
    let (mut remedied, mut watched) = (Vec::new(), Vec::new());
    for service in &reading.services {
        let name = Name::new(&service.name);
        let mut known = configs.iter();
        let start = known
            .find(|config| config.name.eq_ignore_ascii_case(&service.name))
            .and_then(|config| config.start_type);
        let place = plan.entry_for(&name, Some(&service.display_name), start);
        let Some(entry) = place.and_then(|place| plan.services.get(place)) else {
            continue;
        };
        if entry.remedy.is_some() {
            remedied.push(name.clone());
        }
        watched.push(name);
    }
    if remedied.is_empty() {
        watched
    } else {
        remedied
    }
}

/// Tries what acts on each host that could be read and on which something would.
pub(super) async fn try_all(
    (reach, logons): (Reach, Arc<Logons>),
    found: &mut [HostFound],
    progress: &Progress,
) -> Result<(), Failure> {
    let refused = found.iter_mut().filter_map(|host| host.refused.take());
    let trials = Arc::new(Trials::new(reach, logons, refused.collect()));
    let mut wanted = Vec::new();
    for (place, host) in found.iter_mut().enumerate() {
        if host.remedied
            && let Err(why) = trials.may(&host.trial.host)
        {
            host.take(Granted {
                fault: Some(why),
                ..Granted::default()
            });
            continue;
        }
        let acts = host.remedied || trials.has_account(&host.trial.host);
        if acts && host.fault.is_none() && !host.trial.services.is_empty() {
            wanted.push((place, host.trial.clone()));
        }
    }
    let (total, mut done) = (wanted.len(), 0_usize);
    let mut wanted = wanted.into_iter();
    let mut trying = JoinSet::new();
    loop {
        while trying.len() < AT_ONCE
            && let Some((place, trial)) = wanted.next()
        {
            let trials = Arc::clone(&trials);
            trying.spawn(async move { (place, Box::pin(trials.of(&trial)).await) });
        }
        let Some(tried) = trying.join_next().await else {
            return Ok(());
        };
        let (place, granted) = tried.map_err(|_| broken())?;
        if let Some(host) = found.get_mut(place) {
            host.take(granted);
        }
        done += 1;
        progress.at(&format!("What acts on host {done} of {total} …"));
    }
}

impl HostFound {
    /// Takes in what is granted to what acts.
    fn take(&mut self, granted: Granted) {
        let lacks = granted.lacks();
        // An account that is let in nowhere is wrong, whatever it is for.
        if self.remedied || granted.fault.is_some() {
            self.lacks.extend(lacks);
        } else {
            self.notes.extend(lacks);
        }
        self.notes.extend(granted.notes());
        self.acting = Some(granted);
    }
}

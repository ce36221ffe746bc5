//! Services that fail and that their machines start again: the judge knows how long that may take, and that another
//! process is a restart unless the whole machine was started anew.

use crate::{
    oracle::{Oracle, Window},
    readings::{Sight, entry_of, host_of},
    rng::Rng,
    setup::{HOUR, MINUTE, SECOND, Setup},
    store::Store,
    story::{Happening, ServiceChange, What},
};
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    id::{Name, Subject},
    notice::ToldEvent,
    observe::{FailureAction, FailureActions, State},
    plan::{EntryPlan, Expect, StoppedOk},
    record::{IncidentRow, Record, TargetRow},
    time::Span,
};

/// How long a service that failed for the first time is left to its machine: both turns and some slack.
pub(crate) const TURNS: u64 = 2 * MINUTE;

/// What a machine does when a service fails; only some are set up so.
pub(crate) fn failure_actions(service: &str) -> Option<FailureActions> {
    service.to_lowercase().starts_with("svc").then(|| {
        let start = |seconds| (FailureAction::RestartService, Span::seconds(seconds));
        FailureActions {
            reset_after: Some(Span(HOUR)),
            actions: vec![start(30), start(60), (FailureAction::None, Span::ZERO)],
            on_error_exit: false,
        }
    })
}

/// In some worlds services are left to their machines first.
pub(crate) fn gather(seed: u64, setup: &mut Setup) {
    let mut rng = Rng::new(seed, 11);
    if rng.chance(50) {
        return;
    }
    for host in &mut setup.plan.hosts {
        for entry in &mut Arc::make_mut(host).services {
            let plain = entry.expect == Expect::Running && entry.selector.is_named();
            if plain && !entry.counted {
                entry.recovery = true;
                entry.for_span = Span::ZERO;
            }
        }
    }
}

/// What happens to such services.
pub(crate) fn stories(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 12);
    let mut hosts = setup.plan.hosts.iter();
    if !hosts.any(|host| host.services.iter().any(|entry| entry.recovery)) {
        return;
    }
    for _ in 0..rng.between(2, 14) {
        let at = rng.between(5 * MINUTE, setup.horizon);
        let machine = rng.index(setup.machines.len());
        let services = setup.machines[machine].services.iter();
        let count = services.filter(|(name, _)| failure_actions(name.as_str()).is_some());
        let service = rng.index(count.count());
        let mut push = |at, change| {
            story.push(Happening {
                at,
                what: What::Service(machine, service, change),
            });
        };
        match rng.below(4) {
            0 => push(at, ServiceChange::Restart),
            1 => {
                push(at, ServiceChange::Die(1_067));
                push(at + rng.between(4 * MINUTE, HOUR), ServiceChange::Start);
            }
            _ => {
                let beat = rng.pick(&[3 * SECOND, 31 * SECOND, 92 * SECOND]);
                for round in 0..rng.between(1, 4) {
                    push(at + round * 4 * MINUTE, ServiceChange::Mend(beat));
                }
            }
        }
    }
}

/// Which service of a row.
fn key_of(row: &TargetRow) -> (Name, Name) {
    (row.host.clone(), row.service.clone())
}

/// Whether it runs in another process than before.
fn is_another(before: &TargetRow, now: &TargetRow) -> bool {
    let run = before.state == State::Running && now.state == State::Running;
    run && before.pid.is_some() && now.pid.is_some() && before.pid != now.pid
}

impl Oracle {
    /// Whether every configuration within a window leaves a service to its machine first.
    fn recovers(&self, window: Window, (host, service): (&Name, &Name)) -> bool {
        self.plans_within(window).iter().all(|plan| {
            host_of(plan, host)
                .and_then(|host| entry_of(host, service))
                .is_some_and(|entry| entry.recovery)
        })
    }

    /// Whether every stop of such a service counts, so that another process is news.
    fn counts_stops(&self, window: Window, (host, service): (&Name, &Name)) -> bool {
        let never =
            |entry: &EntryPlan| entry.stopped_ok == StoppedOk::Never && entry.noise.is_none();
        self.recovers(window, (host, service))
            && self.plans_within(window).iter().all(|plan| {
                let host = host_of(plan, host);
                host.and_then(|host| entry_of(host, service))
                    .is_some_and(never)
            })
    }

    /// An incident was opened: it was not, while the machine was about to start the service again.
    pub(crate) fn judge_failure(&mut self, store: &Store, window: Window, row: &IncidentRow) {
        let Subject::Service { host, service } = &row.subject else {
            return;
        };
        let known = store.targets.get(&(host.clone(), service.clone()));
        let Some(target) = known.filter(|_| self.recovers(window, (host, service))) else {
            return;
        };
        let actions = target.details.as_ref().map(|one| &one.failure_actions);
        let first_time = target.restarts.as_ref().is_none_or(|one| one.failures == 0);
        let failed = target.state == State::Stopped && target.exit_code == Some(1_067);
        let leaves = actions.is_some_and(Option::is_some) && failed && first_time;
        let Some(since) = self.grounds_of_incident(row).filter(|_| leaves) else {
            return;
        };
        let held =
            window.until - since + (window.until - window.from) + 20 + self.forward_since(since);
        if row.event == ToldEvent::Stopped && held < TURNS && !self.is_unsure(since, window) {
            let sentence = format!(
                "{host}/{service} was told after {held} ms, while its machine was about to start it again"
            );
            self.broken("policy", sentence);
        }
    }

    /// Whether the last reading of a service says that it runs.
    fn is_seen_running(&self, row: &TargetRow) -> bool {
        let runs = self.readings.of_service(&row.host, &row.service);
        runs.last()
            .is_some_and(|run| run.sight.0 == Sight::State(State::Running))
    }

    /// Looks at a batch: another process is a restart, unless all that ran on the machine has left its process.
    pub(crate) fn judge_restarts(&mut self, store: &Store, window: Window, records: &[Record]) {
        let mut last: BTreeMap<(Name, Name), &TargetRow> = BTreeMap::new();
        for record in records {
            if let Record::Target(row) = record {
                last.insert(key_of(row), row);
            }
        }
        let said = |subject: &Subject| {
            records.iter().any(|record| match record {
                Record::History(row) => {
                    row.subject == *subject && row.event == Some(ToldEvent::Restarted)
                }
                _ => false,
            })
        };
        let quick = window.until - window.from < 5 * SECOND;
        for (key, row) in &last {
            let Some(before) = store.targets.get(key).filter(|_| quick) else {
                continue;
            };
            let by_event = row.trigger_start == Some(true) || row.per_user == Some(true);
            let counts = self.counts_stops(window, (&key.0, &key.1)) && !by_event;
            if !is_another(before, row) || !counts {
                continue;
            }
            let first = (key.0.clone(), Name::new(""));
            let of_host = store
                .targets
                .range(first..)
                .take_while(|(other, _)| other.0 == key.0);
            let others: Vec<_> = of_host
                .filter(|(other, _)| *other != key)
                .map(|(other, row)| (last.get(other), row))
                .filter(|(_, row)| row.state == State::Running && !row.removed && row.pid.is_some())
                .collect();
            // A reading that is not believed yet says neither that one stays nor that it has left.
            let stays = others.iter().any(|(now, before)| {
                let row = now.map_or(*before, |now| *now);
                let runs = row.state == State::Running && row.pid == before.pid;
                runs && self.is_seen_running(row)
            });
            let left = |(now, before): &(Option<&&TargetRow>, &TargetRow)| {
                now.is_some_and(|now| is_another(before, now))
            };
            let all_left = !others.is_empty() && others.iter().all(left);
            let subject = Subject::Service {
                host: key.0.clone(),
                service: key.1.clone(),
            };
            if stays && !said(&subject) {
                let sentence = format!("{subject:?} was started again, and nobody says so");
                self.broken("I1", sentence);
            } else if all_left && said(&subject) {
                let sentence = format!(
                    "all services of {} have left their processes, and {subject:?} is said to be restarted",
                    key.0
                );
                self.broken("P4", sentence);
            }
        }
    }
}

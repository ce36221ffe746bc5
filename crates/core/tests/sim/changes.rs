//! How services are set up, how that changes, and what must be written and told of it.

use crate::{
    oracle::{Oracle, Window},
    readings::{Sight, entry_of, host_of},
    rng::Rng,
    services::{Service, Visible},
    setup::{HOUR, SECOND, Setup, start_type_of},
    store::Store,
    story::{Happening, ServiceChange, What},
    world::World,
};
use std::collections::BTreeMap;
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, ToldEvent},
    observe::{ServiceConfig, StartType, State},
    plan::{Expect, Plan, Selector, StoppedOk},
    record::{HistoryRow, Record, TargetRow},
};

/// How a service is set up otherwise than its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SetUp {
    /// How it is started.
    pub(crate) start: Option<StartType>,
    /// The number of its account.
    pub(crate) account: u8,
}

impl Service {
    /// How it is started.
    pub(crate) fn start_type(&self) -> StartType {
        let own = || start_type_of(self.name.as_str());
        self.set_up.start.unwrap_or_else(own)
    }

    /// The account it runs as.
    pub(crate) fn account(&self) -> String {
        format!("account{}", self.set_up.account)
    }

    /// Fills in its configuration.
    pub(crate) fn configure(&self, config: &mut ServiceConfig) {
        config.start_type = Some(self.start_type());
        config.account = Some(self.account());
    }
}

/// In half of the worlds stops are judged by their exit codes, and some changes are told. It is a chance of its own, so
/// that all else is as it was without.
pub(crate) fn rules(seed: u64, plan: &mut Plan) {
    let mut rng = Rng::new(seed, 9);
    let plain = rng.chance(50);
    for host in &mut plan.hosts {
        for entry in &mut std::sync::Arc::make_mut(host).services {
            let by_start = matches!(entry.selector, Selector::Start(_));
            entry.required |= by_start;
            entry.stopped_ok = match entry.expect {
                Expect::Either => StoppedOk::Always,
                _ if plain => StoppedOk::Never,
                _ if by_start || rng.chance(25) => {
                    rng.pick(&[StoppedOk::Exit0, StoppedOk::Exit0, StoppedOk::Always])
                }
                _ => StoppedOk::Never,
            };
            entry.changes = rng.chance(40);
        }
    }
}

/// Some services are set up in another way, with a chance of its own.
pub(crate) fn happenings(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 10);
    if rng.chance(40) {
        return;
    }
    for _ in 0..rng.between(1, 6) {
        let machine = rng.index(setup.machines.len());
        let service = rng.index(setup.machines[machine].services.len());
        let at = rng.between(20 * SECOND, setup.horizon.saturating_sub(HOUR / 2).max(MIN));
        let change = if rng.chance(50) {
            ServiceChange::Account(u8::try_from(rng.between(1, 4)).unwrap_or(1))
        } else {
            ServiceChange::StartAs(rng.pick(&[
                StartType::Manual,
                StartType::Disabled,
                StartType::Automatic,
            ]))
        };
        story.push(Happening {
            at,
            what: What::Service(machine, service, change),
        });
    }
}

/// The first moment at which something is set up otherwise, at the latest.
const MIN: u64 = 60 * SECOND;

/// Changes that a batch has written into rows and not yet into history, and those that it has to tell.
#[derive(Debug, Default)]
pub(crate) struct Written {
    unsaid: BTreeMap<Subject, String>,
    untold: BTreeMap<(Subject, u64), String>,
}

impl Oracle {
    /// Looks at a row of a batch for what it says of changes.
    pub(crate) fn changes_written(&mut self, store: &Store, window: Window, record: &Record) {
        match record {
            Record::Target(row) => self.row_changes(store, window, row),
            Record::History(row) if row.event == Some(ToldEvent::Changed) => {
                self.change_is_kept(store, window, row);
            }
            Record::Delivery(row) if row.notice.kind == Kind::Info => {
                let key = (row.notice.subject.clone(), row.notice.seq);
                self.changes.untold.remove(&key);
            }
            Record::Dropped(row) => {
                self.changes.untold.remove(&(row.subject.clone(), row.seq));
            }
            _ => {}
        }
    }

    fn row_changes(&mut self, store: &Store, window: Window, row: &TargetRow) {
        let key = (row.host.clone(), row.service.clone());
        let Some(before) = store.targets.get(&key).filter(|before| !before.removed) else {
            return;
        };
        if row.removed {
            self.judge_removed(window, row);
            return;
        }
        let account = |row: &TargetRow| row.details.as_ref().and_then(|all| all.run_as.clone());
        let start = before.start_type.zip(row.start_type);
        let run_as = account(before).zip(account(row));
        let changed =
            start.is_some_and(|(was, is)| was != is) || run_as.is_some_and(|(was, is)| was != is);
        if changed {
            let subject = Subject::Service {
                host: row.host.clone(),
                service: row.service.clone(),
            };
            let words = format!("{start:?}");
            self.changes.unsaid.insert(subject, words);
        }
    }

    /// What was selected stays watched, whatever becomes of its start type: unless the plan lets go of it, or it is not
    /// installed any more.
    fn judge_removed(&mut self, window: Window, row: &TargetRow) {
        let planned = self.plans_within(window).iter().all(|plan| {
            host_of(plan, &row.host).is_some_and(|host| entry_of(host, &row.service).is_some())
        });
        let runs = self.readings.of_service(&row.host, &row.service);
        let missing = runs.iter().any(|run| {
            run.sight.0 == Sight::State(State::Missing) && run.last + HOUR > window.from
        });
        if planned && !missing {
            let sentence = format!(
                "{}/{} is not watched any more although it is installed and the plan means it",
                row.host, row.service
            );
            self.broken("selection", sentence);
        }
    }

    fn change_is_kept(&mut self, store: &Store, window: Window, row: &HistoryRow) {
        self.changes.unsaid.remove(&row.subject);
        let (Some(host), Some(service)) = (row.subject.host(), row.subject.service()) else {
            return;
        };
        let again = store.history.contains_key(&(row.subject.clone(), row.seq));
        let told = self.plans_within(window).iter().all(|plan| {
            let entry = host_of(plan, host).and_then(|host| entry_of(host, service));
            entry.is_some_and(|entry| entry.changes)
        });
        if told && !again {
            let words = row.cause.clone().unwrap_or_default();
            let key = (row.subject.clone(), row.seq);
            self.changes.untold.insert(key, words);
        }
    }

    /// A batch is written: every change in it stands in history too, and is on its way or has a reason why not.
    pub(crate) fn changes_are_whole(&mut self) {
        let Written { unsaid, untold } = std::mem::take(&mut self.changes);
        if let Some((subject, words)) = unsaid.into_iter().next() {
            let sentence = format!("a change of {subject:?} ({words}) is not in history");
            self.broken("changes", sentence);
        }
        if let Some(((subject, _), words)) = untold.into_iter().next() {
            let sentence = format!("a change of {subject:?} ({words}) is neither told nor dropped");
            self.broken("changes", sentence);
        }
    }
}

impl World {
    /// After a long quiet it is known of every watched service how it is set up.
    pub(crate) fn set_up_is_known(&mut self) {
        let mut unknown = Vec::new();
        for host in &self.plan.hosts {
            let Some(at) = self.names.get(&host.name) else {
                continue;
            };
            for service in &self.machines[*at].services {
                let key: (Name, Name) = (host.name.clone(), service.name.clone());
                let row = self.store.targets.get(&key).filter(|row| !row.removed);
                let seen = service.visible() == Visible::Listed
                    && service.state(self.now).0 != State::Missing;
                if let Some(row) = row.filter(|_| seen)
                    && row.start_type != Some(service.start_type())
                {
                    unknown.push(format!(
                        "{}/{} starts {}, and is believed to start {:?}",
                        host.name,
                        service.name,
                        service.start_type(),
                        row.start_type
                    ));
                }
            }
        }
        if let Some(sentence) = unknown.pop() {
            self.oracle.broken("changes", sentence);
        }
    }
}

//! Groups: a service that runs on one of several machines and moves between them. The judge knows from the readings what
//! could be known of it, and from the machines what is true.

use crate::{
    oracle::{Oracle, Window},
    readings::{Sight, host_of},
    rng::Rng,
    services::Visible,
    setup::{MINUTE, MachineSetup, SECOND, Setup, host_name},
    store::Store,
    story::{Happening, MachineChange, Reload, ServiceChange, What},
    world::World,
};
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    id::{Name, Subject},
    notice::ToldEvent,
    observe::{Refusal, State},
    plan::{EntryPlan, Expect, GroupPlan, HostPlan, Plan, Selector, StoppedOk, Wanted},
    record::{IncidentRow, Record},
    time::Span,
};

/// The service that groups count. It is the last one of its machines, so that all else is as it was without it.
pub(crate) const SERVICE: &str = "Clus0";

/// How many services a machine has besides that of its group.
pub(crate) fn others(machine: &MachineSetup) -> usize {
    let own = |(name, _): &&(Name, State)| name.as_str() != SERVICE;
    machine.services.iter().filter(own).count()
}

/// Gives some worlds a group.
pub(crate) fn gather(seed: u64, setup: &mut Setup) {
    let mut rng = Rng::new(seed, 9);
    if rng.chance(40) {
        return;
    }
    let count = rng.index(setup.machines.len() - 1) + 2;
    let expect = match rng.below(4) {
        0 => Wanted::AtLeast(u32::try_from(rng.index(count) + 1).unwrap_or(1)),
        _ => Wanted::Exactly(1),
    };
    let running = usize::try_from(expect.least()).unwrap_or(1);
    let for_span = Span(rng.pick(&[2 * MINUTE, 2 * MINUTE, 30 * SECOND, 10 * MINUTE]));
    for (at, machine) in setup.machines.iter_mut().take(count).enumerate() {
        let state = if at < running {
            State::Running
        } else {
            State::Stopped
        };
        machine.services.push((Name::new(SERVICE), state));
    }
    for host in setup.plan.hosts.iter_mut().take(count) {
        Arc::make_mut(host).services.push(EntryPlan {
            selector: Selector::Name(Name::new(SERVICE)),
            expect: Expect::Either,
            for_span,
            confirm: 1,
            required: false,
            stopped_ok: StoppedOk::Always,
            changes: false,
            noise: None,
            counted: true,
            remedy: None,
            recovery: false,
            instant: false,
            friendly_name: None,
            severity: None,
            labels: Arc::from([]),
        });
    }
    setup.plan.groups = vec![Arc::new(GroupPlan {
        group: Name::new("prod"),
        service: Name::new(SERVICE),
        expect,
        for_span,
        members: (0..count).map(host_name).collect(),
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    })];
}

/// What happens to the group.
pub(crate) fn stories(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 10);
    let has = |machine: &&MachineSetup| others(machine) < machine.services.len();
    let members = setup.machines.iter().filter(has).count();
    if members == 0 {
        return;
    }
    let mut on = 0;
    let mut at = rng.between(3 * MINUTE, 10 * MINUTE);
    while at < setup.horizon {
        let next = (on + 1 + rng.index(members - 1)) % members;
        let service = |machine: usize, at, change| Happening {
            at,
            what: What::Service(machine, setup.machines[machine].services.len() - 1, change),
        };
        let machine = |machine, at, change| Happening {
            at,
            what: What::Machine(machine, change),
        };
        let quick = at + rng.between(SECOND, 100 * SECOND);
        let slow = at + rng.between(3 * MINUTE, 40 * MINUTE);
        match rng.below(8) {
            0..3 => {
                story.push(service(on, at, ServiceChange::Stop));
                story.push(service(
                    next,
                    quick,
                    ServiceChange::SlowStart(3, 5 * SECOND),
                ));
                on = next;
            }
            3 => {
                story.push(service(on, at, ServiceChange::Die(1067)));
                story.push(service(next, slow, ServiceChange::Start));
                on = next;
            }
            4 => {
                story.push(service(next, at, ServiceChange::Start));
                story.push(service(next, slow, ServiceChange::Stop));
            }
            // Its machine cannot be seen: it may or may not run there still.
            5 | 6 => {
                let mode = blindness(&mut rng);
                story.push(machine(on, at, mode));
                if rng.chance(50) {
                    story.push(service(on, at, ServiceChange::Stop));
                    story.push(service(next, quick, ServiceChange::Start));
                }
                story.push(machine(on, slow, MachineChange::Heal));
                story.push(service(on, slow + MINUTE, ServiceChange::Start));
                story.push(service(next, slow + MINUTE, ServiceChange::Stop));
            }
            _ => {
                let what = trouble(&mut rng);
                story.push(Happening { at: quick, what });
                story.push(Happening {
                    at: slow,
                    what: What::Reload(Reload::ReturnGroup),
                });
                story.push(service(on, at, ServiceChange::Stop));
                story.push(service(on, slow, ServiceChange::Start));
            }
        }
        at = slow + rng.pick(&[5 * MINUTE, 20 * MINUTE, 90 * MINUTE]);
    }
}

/// A way in which a machine cannot be read.
fn blindness(rng: &mut Rng) -> MachineChange {
    match rng.below(4) {
        0 => MachineChange::Die,
        1 => MachineChange::Hang,
        2 => MachineChange::Deny,
        _ => MachineChange::Refuse(Refusal::Other),
    }
}

/// Something that happens to the monitor while a group is wrong.
fn trouble(rng: &mut Rng) -> What {
    match rng.below(3) {
        0 => What::Reload(Reload::RemoveGroup),
        1 => What::Reload(Reload::ChangeGroup(rng.pick(&[0, MINUTE, 5 * MINUTE]))),
        _ => What::Crash(rng.pick(&[SECOND, 5 * MINUTE])),
    }
}

/// What could be known of a group at one time: since when it was wrong, whether it was right.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: u64,
    wrong: Option<ToldEvent>,
    right: bool,
    since: Option<u64>,
}

impl World {
    /// The configuration of groups changes.
    pub(crate) fn reload_group(&mut self, reload: Reload) {
        let first = self.setup.plan.groups.clone();
        match reload {
            Reload::RemoveGroup => self.replan(|plan| plan.groups.clear()),
            Reload::ChangeGroup(length) => self.replan(|plan| {
                for group in &mut plan.groups {
                    Arc::make_mut(group).for_span = Span(length);
                }
            }),
            _ => self.replan(|plan| plan.groups.clone_from(&first)),
        }
    }

    /// A group has the incident that fits it, and its hosts are shown so, once there was time to see how it is.
    pub(crate) fn scan_groups(&mut self, steady: u64) {
        let plan = Arc::clone(&self.plan);
        for group in &plan.groups {
            if let Some(sentence) = self.wrongly_told(&plan, group, steady) {
                self.oracle.broken("I1", sentence);
            }
        }
    }

    fn wrongly_told(&self, plan: &Plan, group: &GroupPlan, steady: u64) -> Option<String> {
        let (mut base, mut bound, mut states) =
            (steady, group.for_span.0 + MINUTE, BTreeMap::new());
        for host in members(plan, group) {
            let machine = &self.machines[*self.names.get(&host.name)?];
            let service = machine.services.last()?;
            let (state, since, _) = service.state(self.now);
            if state.is_pending() || service.visible() != Visible::Listed {
                return None;
            }
            base = base.max(since).max(self.fine_since(host)?);
            bound = bound.max(group.for_span.0 + 4 * self.round(host, machine.session.is_some()));
            states.insert(host.name.clone(), state);
        }
        if states.is_empty() || self.now < base + bound {
            return None;
        }
        let runs = |state: &&State| **state == State::Running;
        let running = states.values().filter(runs).count();
        let expected = wrong(group.expect, running, 0);
        let subject = subject_of(group);
        let open = self.store.open.get(&subject);
        let known = open.and_then(|id| self.store.incidents.get(id));
        let known = known.map(|row| row.event);
        if known != expected {
            return Some(format!(
                "{} is {states:?}, which is {expected:?} since {} s, and its incident is {known:?}",
                group.service,
                (self.now - base) / SECOND
            ));
        }
        let key = (group.group.clone(), group.service.clone());
        let ran_on = self
            .store
            .groups
            .get(&key)
            .and_then(|row| row.ran_on.clone());
        let runs_on: Vec<Name> = states
            .iter()
            .filter(|(_, state)| **state == State::Running)
            .map(|(host, _)| host.clone())
            .collect();
        if expected.is_none() && ran_on.as_ref() != Some(&runs_on) {
            return Some(format!("it runs on {runs_on:?}, and {ran_on:?} is known"));
        }
        let (host, state) = states.iter().find(|(host, state)| {
            let green = match expected {
                None => true,
                Some(ToldEvent::Stopped) => **state == State::Running,
                Some(_) => **state != State::Running,
            };
            let green = green && **state != State::Paused;
            let shown = self
                .page
                .services
                .get(&((*host).clone(), group.service.clone()));
            shown.map(|view| view.as_expected) != Some(green)
        })?;
        Some(format!(
            "{host} is {state} in a group that is {expected:?}, and is not shown so"
        ))
    }
}

impl Oracle {
    /// The reading from which the incident of a group could be known; or why it could not.
    pub(crate) fn grounds_of_group(
        &self,
        window: Window,
        (group, service): (&Name, &Name),
        event: ToldEvent,
        opening: bool,
    ) -> Result<u64, String> {
        let mut why = "no configuration had it".to_string();
        for plan in self.plans_within(window) {
            let Some(known) = group_of(&plan, group, service) else {
                continue;
            };
            let moments = self.moments(&plan, known);
            let later = |at: u64| moments.iter().find(|next| next.at > at);
            let mut within = moments.iter().filter(|moment| {
                moment.at <= window.until
                    && later(moment.at).is_none_or(|next| next.at + 20 >= window.from)
            });
            let Some(moment) = within.rfind(|moment| moment.wrong == Some(event)) else {
                why = format!(
                    "the readings say otherwise; the last ones are {:?}",
                    &moments[moments.len().saturating_sub(4)..]
                );
                continue;
            };
            let since = moment.since.unwrap_or(moment.at);
            let slack = window.until - window.from + 20 + self.forward_since(since);
            let held = window.until - since + slack;
            if opening && held < known.for_span.0 && !self.is_unsure(since, window) {
                why = format!("it was so for {held} ms only, of {}", known.for_span.0);
                continue;
            }
            return Ok(since);
        }
        Err(format!(
            "{service} of {group} was said to be {event}, but {why}"
        ))
    }

    /// Whether the monitor may know from before something else than the readings of its last life say.
    pub(crate) fn is_unsure(&self, since: u64, window: Window) -> bool {
        let from = since.saturating_sub(10 * MINUTE);
        let near = |at: u64| at >= from && at <= window.until;
        self.crashes.iter().any(|at| near(*at))
            || self.plans.iter().any(|(at, _)| *at > 0 && near(*at))
            || near(self.store_slow_at)
    }

    /// Why an incident of a group cannot be over, where it cannot.
    pub(crate) fn false_end_of_group(&self, window: Window, row: &IncidentRow) -> Option<String> {
        let Subject::Group { group, service } = &row.subject else {
            return None;
        };
        let plans = self.plans_within(window);
        let mut right = plans.iter().map(|plan| {
            group_of(plan, group, service).is_none_or(|known| {
                let moments = self.moments(plan, known);
                let later = |at: u64| moments.iter().find(|next| next.at > at);
                moments.iter().any(|moment| {
                    moment.right
                        && moment.at <= window.until
                        && later(moment.at).is_none_or(|next| next.at + 20 >= window.from)
                })
            })
        });
        (!right.any(|right| right)).then(|| {
            format!(
                "the incident of {service} of {group} was said to be over, but no reading said so"
            )
        })
    }

    /// What could be known of a group, from change to change.
    fn moments(&self, plan: &Plan, group: &GroupPlan) -> Vec<Moment> {
        let hosts: Vec<&HostPlan> = members(plan, group).collect();
        let mut times: Vec<u64> = Vec::new();
        for host in &hosts {
            let services = self.readings.of_service(&host.name, &group.service);
            times.extend(services.iter().map(|run| run.first));
            let looks = self.readings.of_host(&host.name);
            times.extend(looks.iter().map(|run| run.first));
        }
        times.sort_unstable();
        times.dedup();
        let mut moments = Vec::new();
        let mut since = None;
        for at in times {
            let (mut running, mut unknown) = (0, 0);
            for host in &hosts {
                match self.known_at(&host.name, &group.service, at) {
                    Some(State::Running) => running += 1,
                    Some(_) => {}
                    None => unknown += 1,
                }
            }
            let least = usize::try_from(group.expect.least()).unwrap_or(0);
            let wrong = wrong(group.expect, running, unknown);
            let right = wrong.is_none() && running >= least;
            if right {
                since = None;
            } else if wrong.is_some() && since.is_none() {
                since = Some(at);
            }
            moments.push(Moment {
                at,
                wrong,
                right,
                since,
            });
        }
        moments
    }

    /// What the last reading says of a service at one time; none where its host could not be read.
    fn known_at(&self, host: &Name, service: &Name, at: u64) -> Option<State> {
        let looks = self.readings.of_host(host).iter();
        let look = looks.rev().find(|run| run.first <= at)?;
        if look.sight.is_some() {
            return None;
        }
        let runs = self.readings.of_service(host, service).iter();
        match runs.rev().find(|run| run.first <= at)?.sight.0 {
            Sight::State(State::Unknown) | Sight::Hidden => None,
            Sight::State(state) => Some(state),
        }
    }

    /// Looks at a batch: a service that runs elsewhere than before is told to have moved, and what is good to know is
    /// told or has a reason why not.
    pub(crate) fn judge_news(&mut self, store: &Store, records: &[Record]) {
        for record in records {
            let Record::History(row) = record else {
                continue;
            };
            let news = matches!(row.event, Some(ToldEvent::Moved | ToldEvent::Restarted));
            let told = records.iter().any(|other| match other {
                Record::Delivery(told) => {
                    told.notice.subject == row.subject && Some(told.notice.event) == row.event
                }
                Record::Dropped(dropped) => dropped.subject == row.subject,
                _ => false,
            });
            if news && !told {
                let sentence = format!("{:?} of {:?} was told to nobody", row.event, row.subject);
                self.broken("I1", sentence);
            }
        }
        let mut known: BTreeMap<(Name, Name), Option<Vec<Name>>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            let Record::Group(row) = record else { continue };
            let key = (row.group.clone(), row.service.clone());
            let before = known
                .insert(key.clone(), row.ran_on.clone())
                .unwrap_or_else(|| store.groups.get(&key).and_then(|row| row.ran_on.clone()));
            let (Some(before), Some(after)) = (before, &row.ran_on) else {
                continue;
            };
            let exact = (self.plans.iter().rev())
                .find_map(|(_, plan)| group_of(plan, &key.0, &key.1).map(|one| one.expect));
            let moved = exact.is_some_and(Wanted::is_exact)
                && before.iter().any(|host| !after.contains(host))
                && after.iter().any(|host| !before.contains(host));
            let subject = Subject::Group {
                group: key.0,
                service: key.1,
            };
            let said = records[at..].iter().any(|other| match other {
                Record::History(line) => line.subject == subject && line.event.is_some(),
                _ => false,
            });
            if moved && !said {
                let sentence = format!("it moved from {before:?} to {after:?}, and nobody says so");
                self.broken("I1", sentence);
            }
        }
    }
}

/// What an incident of a group is about.
fn subject_of(group: &GroupPlan) -> Subject {
    Subject::Group {
        group: group.group.clone(),
        service: group.service.clone(),
    }
}

/// A group of a plan.
fn group_of<'plan>(plan: &'plan Plan, group: &Name, service: &Name) -> Option<&'plan GroupPlan> {
    let mut groups = plan.groups.iter().map(|one| &**one);
    groups.find(|one| one.group == *group && one.service == *service)
}

/// The hosts of a group that a plan has.
pub(crate) fn members<'plan>(
    plan: &'plan Plan,
    group: &'plan GroupPlan,
) -> impl Iterator<Item = &'plan HostPlan> {
    group.members.iter().filter_map(|name| host_of(plan, name))
}

/// The hosts over which a plan counts what a subject is about.
pub(crate) fn hosts_of(plan: &Plan, subject: &Subject) -> Vec<Name> {
    let Subject::Group { group, service } = subject else {
        return Vec::new();
    };
    group_of(plan, group, service)
        .map(|group| members(plan, group).map(|host| host.name.clone()).collect())
        .unwrap_or_default()
}

/// What is wrong for certain where so many run, and of so many that is not known.
fn wrong(expect: Wanted, running: usize, unknown: usize) -> Option<ToldEvent> {
    let least = usize::try_from(expect.least()).unwrap_or(0);
    if running + unknown < least {
        Some(ToldEvent::Stopped)
    } else if expect.is_exact() && running > least {
        Some(ToldEvent::Started)
    } else {
        None
    }
}

//! The engine: one owner of all state, one door. Each event goes through [`Engine::apply`], which never fails; what
//! the event means is written down in the step, and nothing is done here.
//!
//! After each event the same short pass restores what must always hold: what has come due is looked at, whoever may
//! be read is read, and whatever may be sent is sent.

mod boots;
mod changed;
mod explain;
mod explain_group;
mod explain_remedy;
mod gathering;
mod grouped;
mod hearing;
mod informed;
mod listed;
mod muted;
mod observed;
mod opened;
mod probing;
mod reload;
mod remedied;
mod restarts;
mod restore;
mod service;
mod stirred;
mod telling;
mod together;
mod vanished;
mod views;
mod visiting;

#[cfg(test)]
mod tests;

pub use explain::{Explanation, GroupExplained, LaneExplained, RemedyExplained, ServiceExplained};

use crate::{
    account::Account,
    effect::{Effect, Fact, Step},
    event::Event,
    evidence,
    first_look::FirstLook,
    group::Groups,
    guest::Guests,
    host::Host,
    id::{IncidentId, Name, StoreId, Subject},
    incident::Incidents,
    limits,
    night::Night,
    observe::ServiceDetails,
    outbox::{Outbox, Signal},
    plan::Plan,
    record::{Acknowledged, HostRow, Record},
    remedy::Tries,
    schedule::Schedule,
    silence::Mutes,
    time::{Now, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

/// All that is decided, and what it is decided from.
#[derive(Debug, Clone)]
pub struct Engine {
    store: StoreId,
    plan: Arc<Plan>,
    /// The greatest number given to a line of history or a delivery.
    last_record: u64,
    hosts: BTreeMap<Name, Host>,
    /// Numbers of targets and hosts that are not watched any more: they never go back.
    retired_targets: BTreeMap<(Name, Name), u64>,
    retired_hosts: BTreeMap<Name, HostRow>,
    accounts: BTreeMap<Name, Account>,
    incidents: Incidents,
    groups: Groups,
    /// Hosts that are read without being watched.
    guests: Guests,
    outbox: Outbox,
    schedule: Schedule,
    /// Names of services, once for all hosts.
    names: BTreeSet<Arc<str>>,
    /// Configurations of services, once for all hosts.
    details: BTreeSet<Arc<ServiceDetails>>,
    first_look: FirstLook,
    /// Who is to be asked why services are not as expected.
    evidence: evidence::Queue,
    /// What is not told for a while.
    mutes: Mutes,
    /// Hosts that shut down and boot.
    night: Night,
    /// What was tried to start services again.
    remedies: Tries,
    /// Hosts of which something may be to be started again, for another reason than a reading.
    unremedied: BTreeSet<Name>,
    /// Hosts that can be read again: what a mute held back of their services is judged anew.
    recovered: Vec<Name>,
    /// Hosts of which nothing was shown yet since the start, or that are to be shown anew.
    unshown: BTreeSet<Name>,
    /// Whether everything that was there at the start has been shown.
    complete: bool,
    stopping: bool,
    /// How many registrations with hosts there are, standing or asked for.
    ears: usize,
    /// The number of the last one.
    last_ear: u64,
}

impl Engine {
    /// Takes in one event. What it comes to must be made durable (`commit`) before what is told of it is told.
    pub fn apply(&mut self, now: Now, event: Event) -> Step {
        let mut step = self.take(now, event);
        self.advance(now, &mut step);
        step
    }

    /// Applies an event and leaves what has come due to the next [`Self::apply`]: of several events that waited, none
    /// may make the others late.
    pub fn take(&mut self, now: Now, event: Event) -> Step {
        let mut step = Step::default();
        self.look_at_mutes(now, &mut step);
        match event {
            Event::Tick => {}
            // Deadlines run on the tick clock, and what is stored is made from both clocks at each write. Only what
            // people agreed on by the wall clock is another time now: silences, windows and schedules by the calendar.
            Event::ClockJumped { .. } => {
                self.mutes.clock_set();
                self.schedule.clock_set(now);
            }
            Event::Silence(row) => self.silence(now, *row, &mut step),
            Event::EndSilence { id, by } => self.end_silence(now, &id, by, &mut step),
            Event::Calendar(times) => self.mutes.set_times(&times),
            Event::Observed(observation) => self.observed(now, observation, &mut step),
            Event::Stirred { host } => self.stirred(now, &host, &mut step),
            Event::Heard {
                host,
                service,
                ear,
                news,
            } => self.heard(now, (&host, &service), ear, news, &mut step),
            Event::ConfigRead { host, services } => {
                self.config_read(now, &host, services, &mut step);
            }
            Event::Acted { act, outcome, text } => {
                self.acted(now, &act, outcome, &text, &mut step);
            }
            Event::Gathered {
                host,
                gather,
                found,
            } => self.gathered(now, &host, gather, &found, &mut step),
            Event::Rendered { delivery, payload } => {
                let signal = self.outbox.rendered(now, &delivery, payload, &mut step);
                self.signalled(now, signal, &mut step);
            }
            Event::Settled {
                delivery,
                verdict,
                answer,
            } => {
                let signal = self
                    .outbox
                    .settled(now, &delivery, &verdict, &answer, &mut step);
                self.signalled(now, signal, &mut step);
            }
            Event::Acknowledge { incident, by, note } => {
                self.acknowledge(now, &incident, by, &note, &mut step);
            }
            Event::PlanReplaced(plan) => self.replace_plan(now, &plan, &mut step),
            Event::SecretChanged { account } => self.secret_changed(now, &account, &mut step),
            Event::ReadNow { host } => self.schedule.no_later(&host, now.tick),
            Event::Visit(visit) => self.visit(now, &visit, &mut step),
            Event::Visited(ended) => self.visited(now, ended, &mut step),
            Event::Stop => self.stopping = true,
        }
        step
    }

    /// Looks at everything that has come due.
    fn advance(&mut self, now: Now, step: &mut Step) {
        if !self.unshown.is_empty() {
            self.show_more(step);
        }
        self.look_at_mutes(now, step);
        self.look_at_boots(now, step);
        for subject in self.due_together(now, step) {
            self.incident_due(now, &subject, step);
        }
        for subject in self.incidents.due_ends(now.tick) {
            self.end_waited(now, &subject, step);
        }
        if self.first_look.is_over(now.tick) {
            self.tell_first_look(now, step);
        }
        self.give_up_gathering(now, step);
        self.give_up_acts(now, step);
        if !self.stopping {
            self.begin_gathering(now, step);
            self.look_for_remedies(now);
            self.begin_probes(now, step);
            self.begin_visits(now, step);
        }
        let overdue = self.outbox.take_overdue();
        self.pay_debts(now, overdue, step);
        let mut orders = self.last_record;
        if !self.stopping {
            self.outbox.pump(now, &mut orders, step);
        }
        self.last_record = orders;
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Tick> {
        let logons = self.accounts.values().filter_map(Account::deadline).min();
        let (probes, visits, sends) = if self.stopping {
            (None, None, None)
        } else {
            (
                self.schedule.deadline(),
                self.visits_deadline(),
                self.outbox.deadline(),
            )
        };
        let shows = (!self.unshown.is_empty()).then_some(Tick(0));
        [
            shows,
            self.mutes.deadline(),
            self.incidents.deadline(),
            self.night.deadline(),
            self.first_look.deadline(),
            self.remedies.deadline(),
            self.evidence.deadline(),
            probes,
            visits,
            sends,
            logons,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The plan that is carried out.
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The store that its identities belong to.
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// Counts one more change of a subject, and writes its row. For a subject that is not watched any more it is the
    /// next number of the whole store, which is not used twice either.
    fn bump(&mut self, subject: &Subject, step: &mut Step) -> u64 {
        match subject {
            Subject::Service { host, service } => {
                let Some(target) = self.target_mut(host, service) else {
                    return self.next_record();
                };
                target.row.seq = target.row.seq.saturating_add(1);
                step.commit.push(Record::Target(target.row.clone()));
                target.row.seq
            }
            Subject::Host(host) => {
                let Some(host) = self.hosts.get_mut(host) else {
                    return self.next_record();
                };
                host.row.seq = host.row.seq.saturating_add(1);
                step.commit.push(Record::Host(host.row.clone()));
                host.row.seq
            }
            Subject::Visibility(host) => {
                let Some(host) = self.hosts.get_mut(host) else {
                    return self.next_record();
                };
                host.row.visibility_seq = host.row.visibility_seq.saturating_add(1);
                step.commit.push(Record::Host(host.row.clone()));
                host.row.visibility_seq
            }
            Subject::Account(account) => {
                let Some(account) = self.accounts.get_mut(account) else {
                    return self.next_record();
                };
                account.row.seq = account.row.seq.saturating_add(1);
                step.commit.push(Record::Account(account.row.clone()));
                account.row.seq
            }
            Subject::Destination(destination) => {
                let Some(destination) = self.outbox.destination_mut(destination) else {
                    return self.next_record();
                };
                destination.row.seq = destination.row.seq.saturating_add(1);
                step.commit
                    .push(Record::Destination(destination.row.clone()));
                destination.row.seq
            }
            Subject::Fleet => self.next_record(),
            Subject::Group { group, service } => {
                let key = (group.clone(), service.clone());
                let Some(group) = self.groups.get_mut(&key) else {
                    return self.next_record();
                };
                group.row.seq = group.row.seq.saturating_add(1);
                step.commit.push(Record::Group(group.row.clone()));
                group.row.seq
            }
        }
    }

    fn target_mut(&mut self, host: &Name, service: &Name) -> Option<&mut crate::target::Target> {
        let host = self.hosts.get_mut(host)?;
        let place = host.find(service)?;
        host.targets.get_mut(place)
    }

    /// Somebody takes note of an incident: it is not repeated any more.
    fn acknowledge(&mut self, now: Now, id: &IncidentId, by: String, note: &str, step: &mut Step) {
        let subject = self.incidents.subject_of(id).cloned();
        let Some(incident) = subject
            .as_ref()
            .and_then(|subject| self.incidents.of_mut(subject))
        else {
            step.effects.push(Effect::Note(Fact::NotOpen {
                incident: id.clone(),
            }));
            return;
        };
        let note = note.chars().take(limits::NOTE_CHARACTERS_MAX).collect();
        incident.row.acknowledged = Some(Acknowledged {
            by,
            at: now.wall,
            note,
        });
        step.commit.push(Record::Incident(incident.row.clone()));
    }

    /// What the end of a delivery means beyond its lane.
    fn signalled(&mut self, now: Now, signal: Option<Signal>, step: &mut Step) {
        match signal {
            Some(Signal::Failing {
                destination,
                reason,
            }) => {
                self.destination_failing(now, &destination, reason, step);
            }
            Some(Signal::Works {
                destination,
                recipient,
                healed,
            }) => {
                self.destination_works(now, &destination, &recipient, healed, step);
            }
            None => {}
        }
    }
}

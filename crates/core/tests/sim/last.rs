//! The last look, after a long quiet: everything that was to be told was told or has a reason why not, and the last word
//! of every message is true (P1, P2, I1, I4).

use crate::{heard::Belief, services::Visible, setup::CANARY, store::Recipient, world::World};
use std::sync::Arc;
use svcwatch_core::{
    glob::Glob,
    id::{Name, Subject},
    notice::{Kind, Why},
    observe::State,
    plan::Plan,
    record::{DeliveryRow, DeliveryState, IncidentRow},
};

impl World {
    /// The last look.
    pub(crate) fn last_words(&mut self) {
        self.pump_is_idle();
        self.scan();
        self.nothing_waits();
        self.hosts_are_well();
        self.all_is_heard();
        self.set_up_is_known();
        let recipients = self.recipients();
        for recipient in &recipients {
            self.beliefs_are_true(recipient);
        }
        let incidents: Vec<IncidentRow> = self.store.incidents.values().cloned().collect();
        for incident in &incidents {
            for recipient in &recipients {
                self.is_explained(incident, recipient);
            }
        }
    }

    fn pump_is_idle(&mut self) {
        if self.monitor.is_none() {
            self.oracle
                .broken("P5", "the monitor did not come back".to_string());
        }
        if self
            .writing
            .as_ref()
            .is_some_and(|writing| writing.failed.is_some())
        {
            self.oracle
                .broken("P5", "a failed commit was never tried again".to_string());
        }
    }

    fn nothing_waits(&mut self) {
        let recipients = self.recipients();
        for key in self.store.waiting.values() {
            let Some(stored) = self.store.deliveries.get(key) else {
                continue;
            };
            let recipient = (
                stored.row.destination.clone(),
                Arc::clone(&stored.row.recipient),
            );
            // What was made in the last moments may still be held by a limit.
            if recipients.contains(&recipient) && stored.first_at + CANARY / 2 < self.now {
                let sentence = format!(
                    "delivery {key} to {} {} waits for ever",
                    recipient.0, recipient.1
                );
                self.oracle.broken("P1", sentence);
                return;
            }
        }
    }

    fn hosts_are_well(&mut self) {
        let quiet = self.quiet_since.unwrap_or(0);
        let open: Vec<Subject> = self.store.open.keys().cloned().collect();
        for subject in open {
            let watched = match &subject {
                Subject::Host(host) => self.is_planned(host),
                Subject::Account(account) => self
                    .plan
                    .hosts
                    .iter()
                    .any(|host| host.account.as_ref() == Some(account)),
                // It works again once everybody there whom it failed has got something.
                Subject::Destination(destination) => {
                    let mut everybody = self.recipients();
                    everybody.retain(|(name, _)| name == destination);
                    let took = |one: &Recipient| self.oracle.ledger.took.get(one).copied();
                    !everybody.is_empty() && everybody.iter().all(|one| took(one) >= Some(quiet))
                }
                Subject::Visibility(host) => self.is_planned(host) && self.hides_nothing(host),
                Subject::Service { host, .. } => !self.is_planned(host),
                Subject::Group { .. } => !self.is_watched(&subject),
                Subject::Fleet => true,
            };
            if watched {
                self.oracle.broken(
                    "P2",
                    format!("the incident of {subject:?} is still open after the quiet"),
                );
            }
        }
        let faulty = self.plan.hosts.iter().find(|host| {
            self.page
                .hosts
                .get(&host.name)
                .is_none_or(|view| view.fault.is_some())
        });
        if let Some(host) = faulty {
            self.oracle
                .broken("P4", format!("{} is well and is not shown so", host.name));
        }
    }

    fn is_planned(&self, host: &Name) -> bool {
        self.plan.hosts.iter().any(|planned| planned.name == *host)
    }

    fn hides_nothing(&self, host: &Name) -> bool {
        self.names.get(host).is_some_and(|at| {
            self.machines[*at].services.iter().all(|service| {
                service.visible() == Visible::Listed && service.state(self.now).0 != State::Missing
            })
        })
    }

    /// What a recipient heard last of each subject that is told there is true.
    fn beliefs_are_true(&mut self, recipient: &Recipient) {
        let quiet = self.quiet_since.unwrap_or(0);
        let mut subjects: Vec<Subject> = self.store.open.keys().cloned().collect();
        let heard = self.oracle.ledger.heard.keys();
        subjects.extend(
            heard
                .filter(|(who, _)| who == recipient)
                .map(|(_, subject)| subject.clone()),
        );
        subjects.sort();
        subjects.dedup();
        for subject in subjects {
            if !self.routed_always(&subject, &recipient.0) || !self.is_watched(&subject) {
                continue;
            }
            let lane = (recipient.clone(), subject.clone());
            let open = self
                .store
                .open
                .get(&subject)
                .and_then(|id| self.store.incidents.get(id))
                .cloned();
            let truth = open.as_ref().map(|incident| incident.event);
            let heard = self
                .oracle
                .ledger
                .heard
                .get(&lane)
                .and_then(|heard| heard.belief);
            let right = match (truth, heard) {
                (None, None | Some(Belief::Fine)) => true,
                (Some(truth), Some(Belief::Wrong(event))) => truth == event,
                _ => false,
            };
            let excused = open
                .as_ref()
                .is_some_and(|incident| self.was_dropped(incident, &recipient.0, false))
                || (self
                    .store
                    .lanes
                    .get(&lane)
                    .is_some_and(|lane| lane.owes_state)
                    && self
                        .oracle
                        .takings
                        .get(&recipient.0)
                        .is_none_or(|at| *at < quiet));
            // A message that is still held by a limit has not had its time yet.
            let held = self.store.waiting.values().any(|key| {
                self.store.deliveries.get(key).is_some_and(|stored| {
                    stored.row.destination == recipient.0
                        && stored.row.recipient == recipient.1
                        && stored.row.notice.subject == subject
                })
            });
            if !right && !excused && !held && !self.was_refused(&lane) {
                let sentence = format!(
                    "{} {} last heard {heard:?} of {subject:?}, and the truth is {truth:?}",
                    recipient.0, recipient.1
                );
                self.oracle.broken("P2", sentence);
                return;
            }
        }
    }

    /// Whether the destination itself refused for ever what it was told last of a subject.
    fn was_refused(&self, (recipient, subject): &(Recipient, Subject)) -> bool {
        let rows = self
            .store
            .deliveries
            .values()
            .filter(|stored| !stored.merged)
            .map(|stored| &stored.row);
        let lane = rows.filter(|row| {
            row.destination == recipient.0
                && row.recipient == recipient.1
                && row.notice.subject == *subject
                // That something changed says nothing of how it stands.
                && row.notice.incident.is_some()
        });
        let last = lane.max_by_key(|row| row.order);
        last.is_some_and(|row| row.state == DeliveryState::Parked)
    }

    fn is_watched(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Service { host, service } => {
                let planned = self.plan.hosts.iter().find(|planned| planned.name == *host);
                planned.is_some_and(|planned| crate::readings::entry_of(planned, service).is_some())
            }
            Subject::Host(host) | Subject::Visibility(host) => self.is_planned(host),
            Subject::Account(_) | Subject::Destination(_) => true,
            Subject::Fleet => false,
            Subject::Group { .. } => !crate::clusters::hosts_of(&self.plan, subject).is_empty(),
        }
    }

    /// Whether a destination was in every plan, and every plan leads notices of this subject there.
    fn routed_always(&self, subject: &Subject, destination: &Name) -> bool {
        self.oracle.plans.iter().all(|(_, plan)| {
            plan.destinations
                .iter()
                .any(|known| known.name == *destination)
                && self.routed(plan, subject).contains(destination)
        })
    }

    fn routed(&self, plan: &Plan, subject: &Subject) -> Vec<Name> {
        if plan.routes.is_empty() {
            return plan
                .destinations
                .iter()
                .map(|known| known.name.clone())
                .collect();
        }
        let mut hosts: Vec<Option<Name>> = vec![subject.host().cloned()];
        if subject.group().is_some() {
            let of = crate::clusters::hosts_of(plan, subject);
            hosts = of.into_iter().map(Some).collect();
        }
        let site = |host: &Option<Name>| {
            let machine = host.as_ref().and_then(|host| self.names.get(host))?;
            self.setup.plan.hosts[*machine].site.clone()
        };
        let sites: Vec<Option<Arc<str>>> = hosts.iter().map(site).collect();
        let any = |globs: &[Glob], text: Option<&str>| {
            globs.is_empty() || text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)))
        };
        let mut found = Vec::new();
        for route in &plan.routes {
            if sites
                .iter()
                .any(|site| any(&route.matcher.site, site.as_deref()))
                && any(&route.matcher.service, subject.service().map(Name::as_str))
            {
                found.extend(route.to.iter().cloned());
                if !route.go_on {
                    break;
                }
            }
        }
        found
    }

    /// Whether there is a written reason why an incident was not told at a destination.
    fn was_dropped(&self, incident: &IncidentRow, destination: &Name, lost_counts: bool) -> bool {
        let next = self
            .store
            .incidents
            .values()
            .filter(|other| other.subject == incident.subject && other.seq > incident.seq)
            .map(|other| other.seq)
            .min()
            .unwrap_or(u64::MAX);
        let rows = self
            .store
            .dropped
            .range((incident.subject.clone(), incident.seq, None)..);
        let mut rows =
            rows.take_while(|((subject, seq, _), _)| *subject == incident.subject && *seq < next);
        let dropped = rows.any(|((_, _, at), row)| {
            let lost = matches!(
                row.why,
                Why::Expired | Why::Parked | Why::MergedLater | Why::DestinationRemoved
            );
            // What a mute held back is told when it is over.
            let later = matches!(
                row.why,
                Why::Silenced | Why::Maintenance | Why::BootGrace | Why::ShuttingDown
            );
            at.as_ref().is_none_or(|at| at == destination) && (lost_counts || !(lost || later))
        });
        let own = incident.subject == Subject::Destination(destination.clone());
        dropped || own
    }

    /// Every incident reached every recipient that it was for, or there is a reason why not.
    fn is_explained(&mut self, incident: &IncidentRow, recipient: &Recipient) {
        if !self.routed_always(&incident.subject, &recipient.0) {
            return;
        }
        let lane = (recipient.clone(), incident.subject.clone());
        let heard = self.oracle.ledger.heard.get(&lane);
        if heard.is_some_and(|heard| heard.known.contains(&incident.id)) {
            return;
        }
        let about = |row: &DeliveryRow| {
            let named = row.notice.incident.as_ref();
            named.is_some_and(|one| one.id == incident.id)
        };
        let lost = self.store.given_up(&lane).any(about);
        let late = self.store.waiting.values().any(|key| {
            self.store
                .deliveries
                .get(key)
                .is_some_and(|stored| stored.row.notice.subject == incident.subject)
        });
        let summarized = self.store.deliveries.values().any(|stored| {
            stored.row.notice.kind == Kind::Summary
                && stored.row.destination == recipient.0
                && !stored.merged
        });
        if lost || late || self.was_dropped(incident, &recipient.0, true) {
            return;
        }
        // A summary that arrived after its incident was over names the service all the same.
        if summarized && heard.is_some_and(|heard| heard.belief.is_some()) {
            return;
        }
        let sentence = format!(
            "incident {} ({:?}, {}) never reached {} {}, and nothing says why",
            incident.id, incident.subject, incident.event, recipient.0, recipient.1
        );
        self.oracle.broken("I1", sentence);
    }
}

//! From an incident to the lanes of those who are to know of it.

use super::{Engine, together::Summary};
use crate::{
    effect::Step,
    id::{Name, Subject},
    limits,
    notice::{GroupSeen, IncidentRef, Kind, Notice, Severity, ToldEvent, Why},
    outbox::LaneKey,
    policy::route,
    record::Told,
    silence::About,
    time::{Now, Span},
};
use alloc::{collections::BTreeSet, string::String, sync::Arc, vec::Vec};

/// Names in one text: the first few, and how many more there are.
pub(super) fn together(names: &[Name]) -> String {
    let shown: Vec<&str> = names
        .iter()
        .take(limits::NAMES_TOLD_MAX)
        .map(Name::as_str)
        .collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => alloc::format!("{} and {more} more", shown.join(", ")),
    }
}

impl Engine {
    /// The notice about the open incident of a subject, as things stand now.
    pub(super) fn notice(
        &self,
        now: Now,
        subject: &Subject,
        kind: Kind,
        seq: u64,
    ) -> Option<Notice> {
        let incident = &self.incidents.of(subject)?.row;
        let at = if kind == Kind::Opened {
            incident.opened_at
        } else {
            now.wall
        };
        let mut notice = Notice::new(kind, incident.event, at, subject.clone(), seq);
        notice.severity = incident.severity;
        notice.cause.clone_from(&incident.cause);
        if let Some(evidence) = &incident.evidence {
            let evidence = evidence.for_destinations();
            notice.cause = notice.cause.or_else(|| evidence.sentence());
            notice.evidence = Some(Arc::new(evidence));
        }
        notice.remedy = self.tries_for(subject, &incident.id);
        notice.incident = Some(IncidentRef {
            id: incident.id.clone(),
            opened_at: incident.opened_at,
        });
        self.describe(subject, &mut notice);
        Some(notice)
    }

    /// Fills in what is known of the subject.
    pub(super) fn describe(&self, subject: &Subject, notice: &mut Notice) {
        if let Some(host) = subject.host().and_then(|host| self.hosts.get(host)) {
            notice.site.clone_from(&host.plan.site);
            notice.labels = Arc::clone(&host.plan.labels);
            match subject.service() {
                None => notice.since = Some(host.row.since),
                Some(service) => {
                    let Some(target) = host.find(service).and_then(|place| host.targets.get(place))
                    else {
                        return;
                    };
                    let row = &target.row;
                    notice.display_name.clone_from(&row.display_name);
                    notice.state = Some(row.state);
                    notice.previous_state = row.previous_state;
                    notice.since = Some(row.since);
                    notice.start_type = row.start_type;
                    notice.details.clone_from(&row.details);
                    notice.exit_code = row.exit_code;
                    notice.service_exit_code = row.service_exit_code;
                    if let Some(entry) = host.plan.services.get(target.entry) {
                        notice.friendly_name.clone_from(&entry.friendly_name);
                        notice.labels = super::views::labels_of(&host.plan.labels, &entry.labels);
                    }
                }
            }
        }
        if let Subject::Group { group, service } = subject
            && let Some(group) = self.groups.get(group, service)
        {
            self.describe_group(group, notice);
        }
        if let Subject::Account(account) = subject {
            notice
                .counts
                .push((ToldEvent::AccountPaused, self.unseen_hosts(account)));
            notice.cause = notice
                .cause
                .as_ref()
                .map(|cause| alloc::format!("account {account}: {cause}"));
        }
    }

    /// Where a notice goes. A destination that fails is not told of that itself.
    pub(super) fn destinations_of(&self, notice: &Notice) -> Vec<(Name, Option<Span>)> {
        let mut found = match &notice.group {
            None => route::destinations(&self.plan, notice),
            Some(group) => {
                route::destinations_of_any(&self.plan, notice.kind, &self.abouts(notice, group))
            }
        };
        if let Subject::Destination(failing) = &notice.subject {
            found.retain(|(name, _)| name != failing);
        }
        found
    }

    /// What a notice about a service of a group is about: the service on each of its hosts.
    fn abouts<'a>(&'a self, notice: &'a Notice, group: &'a GroupSeen) -> Vec<About<'a>> {
        let hosts = group.members.iter().filter_map(|(host, _)| {
            let host = self.hosts.get(host)?;
            Some(About {
                host: Some(&host.plan.name),
                site: host.plan.site.as_deref(),
                labels: [&notice.labels, &host.plan.labels],
                ..About::of(notice)
            })
        });
        let mut abouts: Vec<About<'a>> = hosts.collect();
        if abouts.is_empty() {
            abouts.push(About::of(notice));
        }
        abouts
    }

    /// Puts a notice into the lanes of one destination.
    pub(super) fn tell_one(
        &mut self,
        now: Now,
        notice: &Notice,
        destination: &Name,
        step: &mut Step,
    ) {
        let mut orders = self.last_record;
        self.outbox.tell(
            now,
            &Arc::new(notice.clone()),
            destination,
            &mut orders,
            step,
        );
        self.last_record = orders;
    }

    /// Tells of an opening, once its hold is over.
    pub(super) fn tell_opening(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        if self.withholds(now, subject, step) {
            return;
        }
        self.tell_owed_end(now, subject, step);
        self.mark_told(now, subject, step);
        self.tell(now, subject, Kind::Opened, step);
        self.plan_reminder(now, subject);
    }

    pub(super) fn mark_told(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(incident) = self.incidents.of_mut(subject) else {
            return;
        };
        incident.row.told = true;
        incident.row.held_until = None;
        incident.row.first_look = false;
        incident.row.reminded_at = Some(now.wall);
        incident.reminded = now.tick;
        self.note_muted(subject, None, None, step);
        if let Some(host) = subject.host() {
            self.remedy_soon(host);
        }
    }

    /// Tells of an open incident to everyone who is to know.
    pub(super) fn tell(&mut self, now: Now, subject: &Subject, kind: Kind, step: &mut Step) {
        let seq = self.seq_of(subject);
        let Some(notice) = self.notice(now, subject, kind, seq) else {
            return;
        };
        let mut destinations: BTreeSet<Name> = self
            .destinations_of(&notice)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        if kind != Kind::Opened {
            destinations.extend(self.knowing(subject, kind));
        }
        if destinations.is_empty() {
            let why = if matches!(subject, Subject::Destination(_)) {
                Why::OwnFailure
            } else {
                Why::NoRoute
            };
            self.not_told(now, subject, notice.event, why, step);
        }
        for destination in destinations {
            self.tell_one(now, &notice, &destination, step);
        }
    }

    /// Destinations that know, or will know from what waits, of the incident of a subject.
    fn knowing(&self, subject: &Subject, kind: Kind) -> Vec<Name> {
        self.outbox
            .lanes_of(subject)
            .filter(|(_, lane)| lane.will_know())
            .map(|(key, _)| key.destination.clone())
            .filter(|name| route::wants(&self.plan, name, kind))
            .collect()
    }

    /// Tells of the end of an incident to everyone who knows of it.
    pub(super) fn tell_end(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        step: &mut Step,
    ) {
        let seq = self.seq_of(subject);
        let Some(mut notice) = self.notice(now, subject, Kind::Resolved, seq) else {
            return;
        };
        notice.event = event;
        notice.cause = None;
        notice.evidence = None;
        self.tell_end_to_all(now, &Arc::new(notice), step);
    }

    /// Puts the end of an incident into the lanes of everyone who knows of it.
    pub(super) fn tell_end_to_all(&mut self, now: Now, notice: &Arc<Notice>, step: &mut Step) {
        let subject = &notice.subject;
        let lanes: Vec<LaneKey> = self
            .outbox
            .lanes_of(subject)
            .filter(|(key, lane)| {
                lane.will_know() && route::wants(&self.plan, &key.destination, Kind::Resolved)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let mut orders = self.last_record;
        for key in &lanes {
            self.outbox.enqueue(now, key, notice, &mut orders, step);
        }
        self.last_record = orders;
        for destination in self.waiting_for_ends(notice) {
            if !lanes.iter().any(|key| key.destination == destination) {
                self.tell_one(now, notice, &destination, step);
            }
        }
    }

    /// Destinations that are to hear of ends without having heard of any opening: all their routes say so.
    fn waiting_for_ends(&self, end: &Notice) -> Vec<Name> {
        self.destinations_of(end)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| {
                !route::wants(&self.plan, name, Kind::Opened)
                    && !route::wants(&self.plan, name, Kind::Summary)
                    && !route::wants(&self.plan, name, Kind::Updated)
            })
            .collect()
    }

    /// Tells what was already wrong when we began to look: one summary for each destination that would get too many.
    pub(super) fn tell_first_look(&mut self, now: Now, step: &mut Step) {
        let found = self.first_look.take().into_iter();
        let mut subjects: Vec<Subject> = found
            .filter(|subject| self.incidents.of(subject).is_some())
            .collect();
        subjects.retain(|subject| !self.withholds(now, subject, step));
        let cause = "already wrong when svcwatch began to look";
        self.tell_together(now, subjects, &Summary::of(self, cause), step);
    }

    /// Tells a destination that works again how things stand where it may not know.
    pub(super) fn pay_debts(&mut self, now: Now, owing: Vec<LaneKey>, step: &mut Step) {
        for key in owing {
            if self.withholds_debt(&key) {
                continue;
            }
            let told = self
                .outbox
                .lane(&key)
                .and_then(|lane| lane.row.told.clone());
            let open = self
                .incidents
                .of(&key.subject)
                .filter(|incident| incident.row.told)
                .map(|incident| incident.row.id.clone());
            let mut orders;
            let ends = route::wants(&self.plan, &key.destination, Kind::Resolved);
            if let Some(told) = told.filter(|told| ends && open.as_ref() != Some(&told.incident)) {
                let seq = self.bump(&key.subject, step);
                let notice = Arc::new(self.end_of(now, &key.subject, &told, seq));
                orders = self.last_record;
                self.outbox.enqueue(now, &key, &notice, &mut orders, step);
                self.last_record = orders;
            }
            if open.is_some() {
                let seq = self.bump(&key.subject, step);
                if let Some(notice) = self.notice(now, &key.subject, Kind::Updated, seq) {
                    // Who has not heard of it gets it as an opening.
                    orders = self.last_record;
                    self.outbox
                        .enqueue(now, &key, &Arc::new(notice), &mut orders, step);
                    self.last_record = orders;
                }
            }
            self.outbox.pay(now, &key, step);
        }
    }

    /// The end of an incident that is over and of which only the recipient still knows.
    pub(super) fn end_of(&self, now: Now, subject: &Subject, told: &Told, seq: u64) -> Notice {
        let event = match subject {
            Subject::Service { .. } => self.end_event(subject),
            Subject::Host(_) => ToldEvent::HostRecovered,
            Subject::Visibility(_) => ToldEvent::Hidden,
            Subject::Account(_) => ToldEvent::AccountPaused,
            Subject::Destination(_) | Subject::Fleet => ToldEvent::DestinationFailing,
            Subject::Group { .. } => ToldEvent::Started,
        };
        let mut notice = Notice::new(Kind::Resolved, event, now.wall, subject.clone(), seq);
        notice.incident = Some(IncidentRef {
            id: told.incident.clone(),
            opened_at: told.opened_at,
        });
        self.describe(subject, &mut notice);
        notice
    }

    /// The notice that would be made if this happened.
    pub(super) fn imagined(
        &self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        severity: Severity,
    ) -> Notice {
        let mut notice = Notice::new(Kind::Opened, event, now.wall, subject.clone(), 0);
        notice.severity = severity;
        self.describe(subject, &mut notice);
        notice
    }
}

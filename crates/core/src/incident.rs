//! Incidents: one for each subject until it is as expected again.

use crate::{
    id::{IncidentId, Name, Subject},
    notice::{ToldEvent, Why},
    record::IncidentRow,
    time::{Now, Span, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// An open incident.
#[derive(Debug, Clone)]
pub struct Incident {
    /// What is durable of it.
    pub row: IncidentRow,
    /// Until when its opening is held.
    pub held_until: Option<Tick>,
    /// When it was last told or repeated.
    pub reminded: Tick,
    /// The same for destinations that were reminded.
    pub reminded_of: BTreeMap<Name, Tick>,
    /// When it is looked at for a reminder.
    remind_at: Option<Tick>,
}

/// All open incidents, with what is to be done about them and when.
#[derive(Debug, Clone, Default)]
pub struct Incidents {
    open: BTreeMap<Subject, Incident>,
    subjects: BTreeMap<IncidentId, Subject>,
    agenda: BTreeSet<(Tick, Subject)>,
    /// Subjects of which something is held back for now.
    withheld: BTreeSet<Subject>,
    /// Incidents that are over and whose end is held back: at most one of a subject, because nothing later of it is
    /// told before.
    owed_ends: BTreeMap<Subject, IncidentRow>,
    /// Of these, those that wait for what ended them to be answered, with how long. They are as few as tries at once.
    held_ends: BTreeMap<Subject, Tick>,
}

impl Incidents {
    /// The open incident of a subject.
    pub fn of(&self, subject: &Subject) -> Option<&Incident> {
        self.open.get(subject)
    }

    /// The open incident of a subject, to change it.
    pub fn of_mut(&mut self, subject: &Subject) -> Option<&mut Incident> {
        self.open.get_mut(subject)
    }

    /// The subject of an open incident.
    pub fn subject_of(&self, id: &IncidentId) -> Option<&Subject> {
        self.subjects.get(id)
    }

    /// All open incidents in the order of their subjects.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &Incident)> {
        self.open.iter()
    }

    /// Adds an incident that has just opened, or that the store knows as open. A hold goes on with what remains of it.
    pub fn add(&mut self, now: Now, row: IncidentRow, hold: Span) {
        let subject = row.subject.clone();
        let told_ago = row.reminded_at.map_or(Span::ZERO, |at| now.wall.since(at));
        let reminded = Tick(now.tick.0.saturating_sub(told_ago.0));
        let held_until = row.held_until.map(|until| now.tick_of(until, hold));
        self.subjects.insert(row.id.clone(), subject.clone());
        if row.muted.is_some() {
            self.withheld.insert(subject.clone());
        }
        if let Some(at) = held_until {
            self.agenda.insert((at, subject.clone()));
        }
        self.open.insert(
            subject,
            Incident {
                row,
                held_until,
                reminded,
                reminded_of: BTreeMap::new(),
                remind_at: None,
            },
        );
    }

    /// Takes an incident away that is over.
    pub fn end(&mut self, subject: &Subject) -> Option<Incident> {
        let incident = self.open.remove(subject)?;
        self.subjects.remove(&incident.row.id);
        self.withheld.remove(subject);
        for at in [incident.held_until, incident.remind_at]
            .into_iter()
            .flatten()
        {
            self.agenda.remove(&(at, subject.clone()));
        }
        Some(incident)
    }

    /// Notes that something of an incident is held back, or not any more; its row.
    pub fn set_muted(
        &mut self,
        subject: &Subject,
        muted: Option<Why>,
        untold: Option<ToldEvent>,
    ) -> Option<IncidentRow> {
        let incident = self.open.get_mut(subject)?;
        incident.row.muted = muted;
        incident.row.untold = untold;
        if muted.is_some() {
            self.withheld.insert(subject.clone());
        } else {
            self.withheld.remove(subject);
        }
        Some(incident.row.clone())
    }

    /// A host and its services, as far as something of them is held back.
    pub fn withheld_of(&self, host: &Name) -> Vec<Subject> {
        if self.withheld.is_empty() {
            return Vec::new();
        }
        let first = Subject::Service {
            host: host.clone(),
            service: "".into(),
        };
        let services = self.withheld.range(first..).take_while(
            |subject| matches!(subject, Subject::Service { host: of, .. } if of == host),
        );
        let own = [
            Subject::Host(host.clone()),
            Subject::Visibility(host.clone()),
        ];
        let own = own
            .into_iter()
            .filter(|subject| self.withheld.contains(subject));
        services.cloned().chain(own).collect()
    }

    /// The services of a host that have an open incident.
    pub fn services_of<'a>(&'a self, host: &'a Name) -> impl Iterator<Item = &'a Name> {
        let first = Subject::Service {
            host: host.clone(),
            service: "".into(),
        };
        self.open
            .range(first..)
            .map(|(subject, _)| subject)
            .take_while(
                move |subject| matches!(subject, Subject::Service { host: of, .. } if of == host),
            )
            .filter_map(Subject::service)
    }

    /// Notes that the end of an incident is to be told when nothing covers it any more.
    pub fn owe_end(&mut self, row: IncidentRow) {
        self.owed_ends.insert(row.subject.clone(), row);
    }

    /// Subjects of which an end is owed.
    pub fn owed_ends(&self) -> impl Iterator<Item = &Subject> {
        self.owed_ends.keys()
    }

    /// The incident of a subject whose end is owed.
    pub fn owed_end(&self, subject: &Subject) -> Option<&IncidentRow> {
        self.owed_ends.get(subject)
    }

    /// Takes the incident whose end is owed.
    pub fn take_owed_end(&mut self, subject: &Subject) -> Option<IncidentRow> {
        self.held_ends.remove(subject);
        self.owed_ends.remove(subject)
    }

    /// Notes that the end of an incident is to be told at this time at the latest.
    pub fn hold_end(&mut self, row: IncidentRow, until: Tick) {
        self.held_ends.insert(row.subject.clone(), until);
        self.owe_end(row);
    }

    /// The incident of a subject whose end is owed and waits for no mute.
    pub fn held_end(&self, subject: &Subject) -> Option<&IncidentRow> {
        self.held_ends.get(subject)?;
        self.owed_end(subject)
    }

    /// Subjects whose end has waited for long enough.
    pub fn due_ends(&self, now: Tick) -> Vec<Subject> {
        let due = self.held_ends.iter().filter(|(_, until)| **until <= now);
        due.map(|(subject, _)| subject.clone()).collect()
    }

    /// Holds an incident until another time than before.
    pub fn hold(&mut self, now: Now, subject: &Subject, at: Tick) {
        self.release(subject);
        if let Some(incident) = self.open.get_mut(subject) {
            incident.row.held_until = Some(now.wall_of(at));
            incident.held_until = Some(at);
            self.agenda.insert((at, subject.clone()));
        }
    }

    /// Ends the hold of an incident.
    pub fn release(&mut self, subject: &Subject) {
        if let Some(incident) = self.open.get_mut(subject) {
            incident.row.held_until = None;
            if let Some(at) = incident.held_until.take() {
                self.agenda.remove(&(at, subject.clone()));
            }
        }
    }

    /// Looks at an incident again at this time, for a reminder; never where none is given.
    pub fn remind(&mut self, subject: &Subject, at: Option<Tick>) {
        let Some(incident) = self.open.get_mut(subject) else {
            return;
        };
        if let Some(before) = incident.remind_at.take() {
            self.agenda.remove(&(before, subject.clone()));
        }
        incident.remind_at = at;
        if let Some(at) = at {
            self.agenda.insert((at, subject.clone()));
        }
    }

    /// Subjects whose hold has ended or that are to be looked at for a reminder now.
    pub fn due(&self, now: Tick) -> Vec<Subject> {
        self.agenda
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, subject)| subject.clone())
            .collect()
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        let first = self.agenda.first().map(|(at, _)| *at);
        first
            .into_iter()
            .chain(self.held_ends.values().copied())
            .min()
    }
}

impl Incident {
    /// When it is looked at for a reminder.
    pub const fn remind_at(&self) -> Option<Tick> {
        self.remind_at
    }
}

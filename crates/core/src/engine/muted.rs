//! What is not told for a while, and what is told when that is over.
//!
//! An incident that a silence or a window covers goes on as any other; only nobody is told. What was held back stands
//! in its row (`muted`, `untold`), so that a restart changes nothing, and is told once when nothing covers it any more:
//! an opening that was never told as an opening, a change as an update, what was told before and is still wrong as a
//! reminder, and the end of what was told as its end.

use super::{Engine, together::Summary, views::host_means};
use crate::{
    effect::{Effect, Fact, Step},
    host::Host,
    id::{Name, Subject},
    limits,
    notice::{Kind, Severity, ToldEvent, Why},
    outbox::LaneKey,
    planted::{self, Planted},
    policy::{Ruling, mute},
    record::{IncidentRow, Record, Told},
    silence::{About, By, Mute, SilenceId, SilenceRow},
    time::Now,
    view::{SilenceView, View},
};
use alloc::{string::String, sync::Arc, vec::Vec};

impl Engine {
    /// Somebody wants to hear nothing of something for a while.
    pub(super) fn silence(&mut self, now: Now, row: SilenceRow, step: &mut Step) {
        let known = self.mutes.silence(&row.id).is_some();
        let room = self.mutes.silences().count() < limits::SILENCES_MAX;
        if row.until <= now.wall || row.until <= row.from || !(known || room) {
            step.effects
                .push(Effect::Note(Fact::SilenceRefused { silence: row.id }));
            return;
        }
        step.commit.push(Record::Silence(row.clone()));
        step.effects.push(Effect::Note(Fact::Silenced {
            silence: row.id.clone(),
            author: row.author.clone(),
            comment: row.comment.clone(),
        }));
        step.effects.push(Effect::Show(View::Silence(SilenceView {
            holds: row.from <= now.wall,
            row: row.clone(),
        })));
        self.mutes.add(row);
    }

    /// A silence is not wanted any more.
    pub(super) fn end_silence(&mut self, now: Now, id: &SilenceId, by: String, step: &mut Step) {
        if self.mutes.silence(id).is_some() {
            self.mutes.end(id, now.wall, by);
        } else {
            step.effects.push(Effect::Note(Fact::SilenceRefused {
                silence: id.clone(),
            }));
        }
    }

    /// Looks which silences and windows hold, where it is time to, and tells what they held back and do not any more.
    pub(super) fn look_at_mutes(&mut self, now: Now, step: &mut Step) {
        if self.mutes.is_due(now.wall) {
            self.mutes.look(now.wall);
            let turned = self.mutes.take_turned();
            for row in turned.over {
                step.effects.push(Effect::Note(Fact::SilenceEnded {
                    silence: row.id.clone(),
                    by: row.ended_by.clone(),
                }));
                step.effects
                    .push(Effect::Show(View::SilenceGone(row.id.clone())));
                step.commit.push(Record::Silence(row));
            }
            self.show_turned(&turned.changed, step);
            let subjects: Vec<Subject> = self
                .incidents
                .iter()
                .map(|(subject, _)| subject.clone())
                .collect();
            self.judge_again(now, subjects, step);
            let owed: Vec<Subject> = self.incidents.owed_ends().cloned().collect();
            for subject in owed {
                let waits = self.incidents.held_end(&subject).is_some();
                if !waits && self.mute_for(&subject).is_none() {
                    self.tell_owed_end(now, &subject, step);
                }
            }
            self.outbox.overdue_too(self.mutes.take_debts());
        }
        for host in core::mem::take(&mut self.recovered) {
            let subjects = self.incidents.withheld_of(&host);
            self.judge_again(now, subjects, step);
        }
        self.mutes.foresee(now);
    }

    /// Judges open incidents anew: what is covered now, and what is not any more and is to be told.
    pub(super) fn judge_again(&mut self, now: Now, subjects: Vec<Subject>, step: &mut Step) {
        let mut untold = Vec::new();
        let mut told = Vec::new();
        for subject in subjects {
            let Some(incident) = self.incidents.of(&subject) else {
                continue;
            };
            let (was, is_told) = (incident.row.muted, incident.row.told);
            match (was, self.withheld_because(&subject)) {
                (was, Some(why))
                    if was != Some(why) && ((is_told && !why.is_of_boot()) || was.is_some()) =>
                {
                    let untold = incident.row.untold;
                    self.note_muted(&subject, Some(why), untold, step);
                    if planted::is(Planted::SilenceEndsIncidents) {
                        self.fine(now, &subject, ToldEvent::Started, step);
                    }
                }
                (Some(_), None) if is_told => told.push(subject),
                (Some(_), None) => untold.push(subject),
                (None, None) | (_, Some(_)) => {}
            }
        }
        for subject in told {
            self.tell_again(now, &subject, step);
        }
        if planted::is(Planted::SilencedOpeningForgotten) {
            untold.clear();
        }
        if !untold.is_empty() {
            let cause = "still wrong after what held it back was over: a silence, a maintenance window, a shutdown or a fault of its host";
            self.tell_together(now, untold, &Summary::of(self, cause), step);
        }
    }

    /// Tells of what was told before a mute and is still wrong after it.
    pub(super) fn tell_again(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        let event = incident.row.event;
        let acknowledged = incident.row.acknowledged.is_some();
        let kind = if incident.row.untold.is_some() {
            Kind::Updated
        } else {
            Kind::Reminder
        };
        self.note_muted(subject, None, None, step);
        if kind == Kind::Reminder
            && let Ruling::Drop(why) = mute::repeats(acknowledged, true, None)
        {
            self.not_told(now, subject, event, why, step);
            return;
        }
        self.bump(subject, step);
        self.tell(now, subject, kind, step);
        if let Some(incident) = self.incidents.of_mut(subject) {
            incident.reminded = now.tick;
            incident.reminded_of.clear();
            incident.row.reminded_at = Some(now.wall);
            step.commit.push(Record::Incident(incident.row.clone()));
        }
        self.plan_reminder(now, subject);
    }

    /// Holds something of an open incident back where a mute covers it; whether one does.
    pub(super) fn withholds(&mut self, now: Now, subject: &Subject, step: &mut Step) -> bool {
        let Some(why) = self.withheld_because(subject) else {
            return false;
        };
        let Some(incident) = self.incidents.of_mut(subject) else {
            return false;
        };
        incident.row.held_until = None;
        incident.row.first_look = false;
        let event = incident.row.event;
        self.note_muted(subject, Some(why), Some(event), step);
        self.not_told(now, subject, event, why, step);
        true
    }

    /// Holds the end of an incident that was told back, where a mute covers it; whether one does. It is the incident's
    /// last row.
    pub(super) fn withholds_end(
        &mut self,
        now: Now,
        subject: &Subject,
        row: &mut IncidentRow,
        event: ToldEvent,
        step: &mut Step,
    ) -> bool {
        // An end that comes with a boot is good news, and is told at once.
        let Some(why) = self.mute_for(subject).map(|mute| mute.by.why()) else {
            return false;
        };
        self.not_told(now, subject, event, why, step);
        row.muted = Some(why);
        row.untold = Some(event);
        if !planted::is(Planted::SilencedEndForgotten) {
            self.incidents.owe_end(row.clone());
        }
        true
    }

    /// Tells the end of an incident that was held back, with what was tried for it.
    pub(super) fn tell_owed_end(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(mut row) = self.incidents.take_owed_end(subject) else {
            return;
        };
        let event = row.untold.take();
        row.muted = None;
        row.held_until = None;
        let told = Told {
            incident: row.id.clone(),
            opened_at: row.opened_at,
        };
        let (at, severity) = (row.resolved_at, row.severity);
        let tries = self.tries_for(subject, &row.id);
        step.commit.push(Record::Incident(row));
        let seq = self.bump(subject, step);
        let mut notice = self.end_of(now, subject, &told, seq);
        notice.event = event.unwrap_or(notice.event);
        notice.at = at.unwrap_or(now.wall);
        notice.severity = severity;
        notice.remedy = tries;
        self.tell_end_to_all(now, &Arc::new(notice), step);
    }

    /// Whether a debt may not be told now; it is then owed until no mute covers its subject.
    pub(super) fn withholds_debt(&mut self, key: &LaneKey) -> bool {
        let withheld = self.mute_of(&key.subject).is_some()
            || self
                .incidents
                .of(&key.subject)
                .is_some_and(|incident| incident.row.muted.is_some());
        if withheld {
            self.mutes.owe(key.clone());
        }
        withheld
    }

    /// Writes down that something of an incident is held back, or not any more.
    pub(super) fn note_muted(
        &mut self,
        subject: &Subject,
        muted: Option<Why>,
        untold: Option<ToldEvent>,
        step: &mut Step,
    ) {
        if let Some(row) = self.incidents.set_muted(subject, muted, untold) {
            step.commit.push(Record::Incident(row));
        }
    }

    /// Why nothing is told of an open incident now.
    fn withheld_because(&self, subject: &Subject) -> Option<Why> {
        let host_fails = match subject {
            Subject::Service { host, .. } => {
                self.hosts.get(host).is_some_and(|host| host.failed > 0)
            }
            Subject::Host(_)
            | Subject::Visibility(_)
            | Subject::Account(_)
            | Subject::Destination(_)
            | Subject::Group { .. }
            | Subject::Fleet => false,
        };
        let held_back = self.incidents.of(subject).is_some_and(|incident| {
            incident.row.muted.is_some() || (host_fails && !incident.row.told)
        });
        // After a start nobody knows yet whether what was held back is still so.
        let in_sight = match subject {
            Subject::Service { host, .. } | Subject::Visibility(host) => {
                self.hosts.get(host).is_none_or(Host::is_in_sight)
            }
            Subject::Host(host) => self.hosts.get(host).is_none_or(|host| host.looked),
            Subject::Group { group, service } => self.is_group_in_sight(group, service),
            Subject::Account(_) | Subject::Destination(_) | Subject::Fleet => true,
        };
        match mute::tells(self.mute_of(subject), held_back, in_sight) {
            Ruling::Drop(why) => Some(why),
            Ruling::Pass | Ruling::Wait(_) => None,
        }
    }

    /// Why a mute covers a subject as it is now: by its open incident, else by the one whose end is owed, else by what
    /// would be told of it first.
    pub(super) fn mute_of(&self, subject: &Subject) -> Option<Why> {
        let mute = self.mute_for(subject).map(|mute| mute.by.why());
        mute.or_else(|| self.boot_holds(subject))
    }

    /// The mute that covers a subject.
    pub(super) fn mute_for(&self, subject: &Subject) -> Option<&Arc<Mute>> {
        // Mostly nothing is muted, and this is asked for each of millions of services.
        if self.mutes.is_quiet() {
            return None;
        }
        let incident = self.incidents.of(subject).map(|incident| &incident.row);
        let row = incident.or_else(|| self.incidents.owed_end(subject));
        let (severity, event) =
            row.map_or_else(|| self.usual(subject), |row| (row.severity, row.event));
        self.mute_covering(subject, severity, event)
    }

    /// The mute that covers something of a subject. What is about a group is covered where each of its hosts is: one
    /// host that nobody works on should carry the service.
    pub(super) fn mute_covering(
        &self,
        subject: &Subject,
        severity: Severity,
        event: ToldEvent,
    ) -> Option<&Arc<Mute>> {
        if self.mutes.is_quiet() {
            return None;
        }
        if let Subject::Group { group, service } = subject
            && let Some(group) = self.groups.get(group, service)
        {
            let mut least: Option<&Arc<Mute>> = None;
            for name in group.members.keys() {
                let host = self.hosts.get(name)?;
                let found = self.mutes.find(&About {
                    host: Some(name),
                    service: Some(service),
                    site: host.plan.site.as_deref(),
                    severity,
                    event,
                    labels: [&group.plan.labels, &host.plan.labels],
                })?;
                let first = least.is_none_or(|least| found.until < least.until);
                least = if first { Some(found) } else { least };
            }
            return least;
        }
        let host = subject.host().and_then(|name| self.hosts.get(name));
        let entry = host.and_then(|host| {
            let target = host.targets.get(host.find(subject.service()?)?)?;
            host.plan.services.get(target.entry)
        });
        let about = About {
            host: subject.host(),
            service: subject.service(),
            site: host.and_then(|host| host.plan.site.as_deref()),
            severity,
            event,
            labels: [
                entry.map_or(&[], |entry| &entry.labels),
                host.map_or(&[], |host| &host.plan.labels),
            ],
        };
        self.mutes.find(&about).filter(|mute| {
            !(matches!(mute.by, By::Window(_)) && planted::is(Planted::WindowIgnored))
        })
    }

    /// What would be told of a subject first, unless the configuration says otherwise, and how bad that is.
    fn usual(&self, subject: &Subject) -> (Severity, ToldEvent) {
        let event = match subject {
            Subject::Service { .. } | Subject::Group { .. } => ToldEvent::Stopped,
            Subject::Host(_) => ToldEvent::HostUnreachable,
            Subject::Visibility(_) => ToldEvent::Hidden,
            Subject::Account(_) => ToldEvent::AccountPaused,
            Subject::Destination(_) | Subject::Fleet => ToldEvent::DestinationFailing,
        };
        let (severity, ..) = self.circumstances(subject, event);
        (severity, event)
    }

    /// Shows every silence.
    pub(super) fn show_silences(&self, step: &mut Step) {
        for row in self.mutes.silences() {
            step.effects.push(Effect::Show(View::Silence(SilenceView {
                row: row.clone(),
                holds: self.mutes.holds(&By::Silence(row.id.clone())),
            })));
        }
    }

    /// Shows the services that mutes cover now and did not, or did and do not now.
    fn show_turned(&mut self, changed: &[Arc<Mute>], step: &mut Step) {
        for mute in changed {
            if let By::Silence(id) = &mute.by
                && let Some(row) = self.mutes.silence(id)
            {
                step.effects.push(Effect::Show(View::Silence(SilenceView {
                    row: row.clone(),
                    holds: self.mutes.holds(&mute.by),
                })));
            }
        }
        let (named, others): (Vec<&Arc<Mute>>, Vec<&Arc<Mute>>) =
            changed.iter().partition(|mute| names_hosts(mute));
        for glob in named.iter().flat_map(|mute| &mute.matcher.host) {
            let name = Name::new(glob.as_str());
            if self.hosts.contains_key(&name) {
                self.unshown.insert(name);
            }
        }
        if others.is_empty() {
            return;
        }
        let every = others.len() > limits::MUTES_SHOWN_EACH_MAX;
        let concerned = self
            .hosts
            .values()
            .filter(|host| every || others.iter().any(|mute| host_means(&mute.matcher, host)))
            .map(|host| host.plan.name.clone());
        self.unshown.extend(concerned);
    }
}

/// Whether a mute says each of its hosts by name.
fn names_hosts(mute: &Mute) -> bool {
    let hosts = &mute.matcher.host;
    let plain = |glob: &crate::glob::Glob| !crate::glob::Glob::is_pattern(glob.as_str());
    !hosts.is_empty() && hosts.iter().all(plain)
}

//! Services that are counted over the hosts of a group: the incident is the group's, and a move is only told.

use super::{Engine, service::Turn, telling::together, views::labels_of};
use crate::{
    effect::Step,
    group::{Group, GroupKey, Member},
    host::Host,
    id::{Name, Subject},
    notice::{GroupSeen, Notice, ToldEvent},
    observe::State,
    plan::{GroupPlan, Labels, Plan},
    planted::{self, Planted},
    policy::{Ruling, confirm, quorum::Count},
    record::{GroupRow, Record},
    time::Now,
};
use alloc::{collections::BTreeSet, format, string::String, sync::Arc, vec::Vec};

/// What an incident of a group is about.
fn subject_of(key: &GroupKey) -> Subject {
    Subject::Group {
        group: key.0.clone(),
        service: key.1.clone(),
    }
}

/// What is known of a service on a host: whatever its last check did not show is not known.
fn member(host: &Host, service: &Name, now: Now) -> Member {
    let target = host.find(service).and_then(|place| host.targets.get(place));
    let last = target.map_or(State::Unknown, |target| target.row.state);
    let seen = target
        .filter(|target| host.is_in_sight() && target.is_sure())
        .map(|target| target.row.state)
        .filter(|state| *state != State::Unknown);
    Member {
        seen,
        last,
        read_at: now.tick,
    }
}

impl Engine {
    /// A host was read, or could not be: the groups that count services of it are judged.
    pub(super) fn regroup(&mut self, now: Now, host: &Name, step: &mut Step) {
        for key in self.groups.of(host) {
            let (Some(known), Some(group)) = (self.hosts.get(host), self.groups.get_mut(&key))
            else {
                continue;
            };
            let was = group.judge_last();
            let new = group.know(host, member(known, &key.1, now));
            let turned = was != group.judge_last();
            if new || group.wrong_since.is_some() {
                self.judge_group(now, &key, step);
            }
            if turned {
                self.show_members(&key, step);
            }
        }
    }

    /// Judges a service of a group by what is known of it on all its hosts.
    fn judge_group(&mut self, now: Now, key: &GroupKey, step: &mut Step) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let count = group.judge();
        if count.is_certain() {
            let first = !core::mem::replace(&mut group.looked, true);
            group.first_look |= first && count.is_wrong() && group.wrong_since.is_none();
        }
        let subject = subject_of(key);
        let open = self.incidents.of(&subject).map(|one| one.row.event);
        match count {
            Count::TooFew | Count::TooMany => self.group_wrong(now, key, count, step),
            // That too many run is not over because one of them cannot be seen.
            Count::RightAsSeen if open == Some(ToldEvent::Started) => {}
            Count::Right | Count::RightAsSeen => self.group_right(now, key, step),
            Count::Unclear => {}
        }
        let withheld = |one: &crate::incident::Incident| one.row.muted.is_some();
        if count.is_certain() && self.incidents.of(&subject).is_some_and(withheld) {
            self.judge_again(now, alloc::vec![subject], step);
        }
    }

    /// Too few or too many run: that is told once it has lasted, and every host was read once more.
    fn group_wrong(&mut self, now: Now, key: &GroupKey, count: Count, step: &mut Step) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let event = if count == Count::TooMany {
            ToldEvent::Started
        } else {
            ToldEvent::Stopped
        };
        if group.wrong_since.is_none() {
            group.wrong_since = Some(now.tick);
            group.row.wrong_since = Some(now.wall);
            step.commit.push(Record::Group(group.row.clone()));
        }
        let subject = subject_of(key);
        let open = self.incidents.of(&subject).is_some();
        let since = group.wrong_since.unwrap_or(now.tick);
        let needed = if planted::is(Planted::MoveIsOutage) {
            crate::time::Span::ZERO
        } else {
            group.plan.for_span
        };
        let due = since + needed;
        let lasted = confirm::lasted(now.tick, since, needed) == Ruling::Pass;
        let stale = if open { Vec::new() } else { group.stale(due) };
        let waits = !open && (!lasted || !stale.is_empty());
        let ask = waits && group.asked_for.replace(due) != Some(due);
        self.groups.set_waiting(key, waits);
        // One of them may have started it since it was read last.
        for host in stale.iter().filter(|_| ask) {
            self.schedule.no_later(host, due);
        }
        if waits {
            return;
        }
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let first_look = core::mem::take(&mut group.first_look);
        let cause = Some(cause(group));
        self.wrong(now, &subject, event, cause, first_look, step);
        if !open {
            self.show_members(key, step);
        }
    }

    /// It runs on as many hosts as it should: an incident is over, and without one it may have moved.
    fn group_right(&mut self, now: Now, key: &GroupKey, step: &mut Step) {
        self.groups.set_waiting(key, false);
        let subject = subject_of(key);
        let open = self.incidents.of(&subject).map(|one| one.row.event);
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        group.first_look = false;
        group.asked_for = None;
        let runs_on = group.runs_on();
        let moved = group.moved(&runs_on);
        let cleared = group.wrong_since.take().is_some();
        if cleared || group.row.ran_on.as_ref() != Some(&runs_on) {
            group.row.wrong_since = None;
            group.row.ran_on = Some(runs_on);
            step.commit.push(Record::Group(group.row.clone()));
        }
        if let Some(event) = open {
            let end = if event == ToldEvent::Started {
                ToldEvent::Stopped
            } else {
                ToldEvent::Started
            };
            self.fine(now, &subject, end, step);
            self.show_members(key, step);
        } else if let Some((left, new)) = moved {
            let cause = format!("from {} to {}", together(&left), together(&new));
            let event = ToldEvent::Moved;
            self.write_turn(
                now,
                &subject,
                Turn::Updates(event),
                Some(cause.clone()),
                step,
            );
            self.inform(now, &subject, event, (Some(cause), None), step);
        }
    }

    /// Shows the service again on all hosts of the group: whether it is as expected there depends on the others.
    fn show_members(&self, key: &GroupKey, step: &mut Step) {
        if let Some(group) = self.groups.get(&key.0, &key.1) {
            for host in group.members.keys() {
                self.show_service(host, &key.1, step);
            }
        }
    }

    /// Lays the groups of a plan over those that are known.
    pub(super) fn place_groups(&mut self, now: Now, plan: &Plan, step: &mut Step) {
        let planned: BTreeSet<GroupKey> = plan
            .groups
            .iter()
            .map(|one| (one.group.clone(), one.service.clone()))
            .collect();
        let known = self.groups.iter().map(Group::key);
        let gone: Vec<GroupKey> = known.filter(|key| !planned.contains(key)).collect();
        for key in gone {
            self.forget_group(now, &key, step);
        }
        // Of those that are not planned the store may know an open incident still.
        for key in self.groups.retired.keys().cloned().collect::<Vec<_>>() {
            let row = self.groups.retired.get(&key);
            let open = self.incidents.of(&subject_of(&key)).is_some();
            let known = row.is_some_and(|row| !row.removed);
            if (open || known) && !planned.contains(&key) {
                self.restore_group(now, &key);
                self.forget_group(now, &key, step);
            }
        }
        for plan in &plan.groups {
            self.place_group(now, plan, step);
        }
        self.groups.index();
        for key in planned {
            self.know_members(now, &key, step);
        }
    }

    /// Takes up a group that the plan lacks, so that it can be let go of as any other.
    fn restore_group(&mut self, now: Now, key: &GroupKey) {
        let Some(row) = self.groups.retired.remove(key) else {
            return;
        };
        let plan = GroupPlan {
            group: key.0.clone(),
            service: key.1.clone(),
            expect: crate::plan::Wanted::AtLeast(0),
            for_span: crate::time::Span::ZERO,
            members: Vec::new(),
            friendly_name: None,
            severity: None,
            labels: Arc::from([]),
        };
        self.groups
            .insert(Group::new(Arc::new(plan), Some(row), now));
    }

    fn forget_group(&mut self, now: Now, key: &GroupKey, step: &mut Step) {
        self.fine(now, &subject_of(key), ToldEvent::Unwatched, step);
        let Some(group) = self.groups.remove(key) else {
            return;
        };
        let row = GroupRow {
            wrong_since: None,
            ran_on: None,
            removed: true,
            ..group.row
        };
        step.commit.push(Record::Group(row.clone()));
        self.groups.retired.insert(key.clone(), row);
    }

    fn place_group(&mut self, now: Now, plan: &Arc<GroupPlan>, step: &mut Step) {
        let key = (plan.group.clone(), plan.service.clone());
        if let Some(group) = self.groups.get_mut(&key) {
            let before = core::mem::replace(&mut group.plan, Arc::clone(plan));
            if (before.for_span, before.expect) != (plan.for_span, plan.expect) {
                // What is wrong now counts as a first look.
                group.looked = false;
                if group.wrong_since.is_some() {
                    group.wrong_since = Some(now.tick);
                    group.row.wrong_since = Some(now.wall);
                    group.first_look = true;
                    step.commit.push(Record::Group(group.row.clone()));
                }
            }
            return;
        }
        let row = self.groups.retired.remove(&key).map(|row| GroupRow {
            removed: false,
            ..row
        });
        let row = row.filter(|_| !planted::is(Planted::GroupForgotten));
        let group = Group::new(Arc::clone(plan), row, now);
        step.commit.push(Record::Group(group.row.clone()));
        self.groups.insert(group);
    }

    /// Takes in anew what is known of all hosts of a group.
    fn know_members(&mut self, now: Now, key: &GroupKey, step: &mut Step) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let read_at = group.members.clone();
        group.clear();
        for host in &Arc::clone(&group.plan).members {
            if let Some(known) = self.hosts.get(host) {
                let mut now_known = member(known, &key.1, now);
                // It was not read just now.
                now_known.read_at = read_at
                    .get(host)
                    .map_or(crate::time::Tick(0), |before| before.read_at);
                group.know(host, now_known);
            }
        }
        // After a start nobody was looked at yet: there is nothing to judge.
        let (_, unknown) = group.counts();
        if u32::try_from(group.members.len()).unwrap_or(u32::MAX) > unknown {
            self.judge_group(now, key, step);
        }
        self.show_members(key, step);
    }

    /// Fills in what is known of a service of a group.
    pub(super) fn describe_group(&self, group: &Group, notice: &mut Notice) {
        let hosts = || group.members.keys().filter_map(|name| self.hosts.get(name));
        let first = hosts().next();
        notice.site = first
            .and_then(|first| first.plan.site.clone())
            .filter(|site| hosts().all(|host| host.plan.site.as_ref() == Some(site)));
        let shared: Labels = first.map_or_else(Labels::default, |first| {
            let of_all =
                |label: &&(String, String)| hosts().all(|host| host.plan.labels.contains(label));
            first.plan.labels.iter().filter(of_all).cloned().collect()
        });
        notice.labels = labels_of(&shared, &group.plan.labels);
        notice.friendly_name.clone_from(&group.plan.friendly_name);
        notice.display_name = hosts().find_map(|host| {
            let target = host.targets.get(host.find(&group.plan.service)?)?;
            target.row.display_name.clone()
        });
        notice.group = Some(Arc::new(seen(group)));
    }

    /// Whether it is known how the service of a group stands.
    pub(super) fn is_group_in_sight(&self, group: &Name, service: &Name) -> bool {
        self.groups
            .get(group, service)
            .is_none_or(|group| group.judge().is_certain())
    }

    /// The group that counts a service on a host.
    pub(super) fn group_of(&self, host: &Name, service: &Name) -> Option<&Group> {
        self.groups.counting(host, service)
    }
}

/// A group as it is told.
pub(super) fn seen(group: &Group) -> GroupSeen {
    let (running, _) = group.counts();
    let members = group.members.iter();
    GroupSeen {
        name: group.plan.group.clone(),
        expected: group.plan.expect,
        running,
        members: members
            .map(|(host, member)| (host.clone(), member.seen.unwrap_or(State::Unknown)))
            .collect(),
    }
}

/// Why a group is wrong, in one sentence.
fn cause(group: &Group) -> String {
    let (running, unknown) = group.counts();
    let expected = group.plan.expect.in_words();
    let hosts = group.members.len();
    let seen = match running {
        0 => format!("it runs on none of {hosts} hosts"),
        _ => format!(
            "it runs on {} ({running} of {hosts} hosts)",
            together(&group.runs_on())
        ),
    };
    match unknown {
        0 => format!("{seen}, where {expected} is expected"),
        _ => format!("{seen}, where {expected} is expected; {unknown} cannot be read"),
    }
}

//! A service that is counted over the hosts of a group, and all of them.

use crate::{
    id::{Name, Subject},
    observe::State,
    plan::GroupPlan,
    policy::quorum::{self, Count},
    record::GroupRow,
    time::{Now, Tick, Wall},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

/// Which service of which group.
pub type GroupKey = (Name, Name);

/// What is known of the service on one host of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its state; none where it cannot be seen.
    pub seen: Option<State>,
    /// Its last confirmed state, seen or not.
    pub last: State,
    /// When its host was last read.
    pub read_at: Tick,
}

/// A service of a group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its part of the plan.
    pub plan: Arc<GroupPlan>,
    /// What is durable of it.
    pub row: GroupRow,
    /// Its hosts that are watched.
    pub members: BTreeMap<Name, Member>,
    /// Since when too few or too many are seen running.
    pub wrong_since: Option<Tick>,
    /// Whether it was so when it could first be judged after the start or the reload that brought it.
    pub first_look: bool,
    /// Whether it was judged since then.
    pub looked: bool,
    /// From when on every host was asked to be read, before it is told.
    pub asked_for: Option<Tick>,
    running: u32,
    unknown: u32,
    last_running: u32,
}

impl Group {
    /// A group as the store knows it. A `for` that was running goes on with what remains of it.
    pub fn new(plan: Arc<GroupPlan>, row: Option<GroupRow>, now: Now) -> Self {
        let row = row.unwrap_or_else(|| GroupRow {
            group: plan.group.clone(),
            service: plan.service.clone(),
            seq: 0,
            wrong_since: None,
            ran_on: None,
            removed: false,
        });
        let wrong_since = row.wrong_since.map(|since| began(now, since, &plan));
        Self {
            plan,
            row,
            members: BTreeMap::new(),
            wrong_since,
            first_look: false,
            looked: false,
            asked_for: None,
            running: 0,
            unknown: 0,
            last_running: 0,
        }
    }

    /// What its incident is about.
    pub fn subject(&self) -> Subject {
        Subject::Group {
            group: self.plan.group.clone(),
            service: self.plan.service.clone(),
        }
    }

    /// Which it is.
    pub fn key(&self) -> GroupKey {
        (self.plan.group.clone(), self.plan.service.clone())
    }

    /// Takes in what is known of one host; whether anything but the time is new.
    pub fn know(&mut self, host: &Name, member: Member) -> bool {
        let before = self.members.insert(host.clone(), member);
        if let Some(before) = before {
            self.count(before, false);
        }
        self.count(member, true);
        before.is_none_or(|before| (before.seen, before.last) != (member.seen, member.last))
    }

    /// Forgets all hosts.
    pub fn clear(&mut self) {
        self.members.clear();
        (self.running, self.unknown, self.last_running) = (0, 0, 0);
    }

    fn count(&mut self, member: Member, more: bool) {
        let count = |number: &mut u32, counts: bool| {
            *number = match (counts, more) {
                (false, _) => *number,
                (true, true) => number.saturating_add(1),
                (true, false) => number.saturating_sub(1),
            };
        };
        count(&mut self.running, member.seen == Some(State::Running));
        count(&mut self.unknown, member.seen.is_none());
        count(&mut self.last_running, member.last == State::Running);
    }

    /// How it stands, as far as it can be seen.
    pub fn judge(&self) -> Count {
        quorum::judge(self.plan.expect, self.running, self.unknown)
    }

    /// How it stood when each of its hosts was last seen.
    pub fn judge_last(&self) -> Count {
        quorum::judge(self.plan.expect, self.last_running, 0)
    }

    /// On how many hosts it is seen running, and of how many that is not known.
    pub const fn counts(&self) -> (u32, u32) {
        (self.running, self.unknown)
    }

    /// The hosts on which it is seen running.
    pub fn runs_on(&self) -> Vec<Name> {
        let running = self
            .members
            .iter()
            .filter(|(_, member)| member.seen == Some(State::Running));
        running.map(|(host, _)| host.clone()).collect()
    }

    /// The hosts that it has left, and those that it runs on instead, since it was last as expected; none where it did
    /// not move.
    pub fn moved(&self, runs_on: &[Name]) -> Option<(Vec<Name>, Vec<Name>)> {
        let before = self.row.ran_on.as_ref()?;
        // Where exactly so many run, one that cannot be seen is left behind; else it may run still.
        let left = |host: &&Name| {
            let member = self.members.get(*host);
            !runs_on.contains(host)
                && (self.plan.expect.is_exact()
                    || member.is_none_or(|member| member.seen.is_some()))
        };
        let left: Vec<Name> = before.iter().filter(left).cloned().collect();
        let new: Vec<Name> = runs_on
            .iter()
            .filter(|host| !before.contains(host))
            .cloned()
            .collect();
        (!left.is_empty() && !new.is_empty()).then_some((left, new))
    }

    /// The hosts that are in sight and were not read since then.
    pub fn stale(&self, since: Tick) -> Vec<Name> {
        let stale = self
            .members
            .iter()
            .filter(|(_, member)| member.seen.is_some() && member.read_at < since);
        stale.map(|(host, _)| host.clone()).collect()
    }

    /// Whether the service on a host of it is as expected: where the group is, and else where it is not what makes it
    /// wrong.
    pub fn is_right_with(&self, state: State) -> bool {
        match self.judge_last() {
            Count::Right | Count::RightAsSeen | Count::Unclear => true,
            Count::TooFew => state == State::Running,
            Count::TooMany => state != State::Running,
        }
    }
}

/// When something began that the store knows by the wall clock, so that what remains of its `for` goes on.
fn began(now: Now, since: Wall, plan: &GroupPlan) -> Tick {
    let due = now.tick_of(since + plan.for_span, plan.for_span);
    Tick(due.0.saturating_sub(plan.for_span.0))
}

/// All services of groups.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    all: BTreeMap<GroupKey, Group>,
    of_host: BTreeMap<Name, Vec<GroupKey>>,
    /// Those that are wrong and wait until that has lasted.
    pending: BTreeSet<GroupKey>,
    /// What the store knows of groups that are not watched.
    pub retired: BTreeMap<GroupKey, GroupRow>,
}

impl Groups {
    /// One of them.
    pub fn get(&self, group: &Name, service: &Name) -> Option<&Group> {
        if self.all.is_empty() {
            return None;
        }
        self.all.get(&(group.clone(), service.clone()))
    }

    /// One of them, to change it.
    pub fn get_mut(&mut self, key: &GroupKey) -> Option<&mut Group> {
        self.all.get_mut(key)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.all.values()
    }

    /// Those of a group, one for each service.
    pub fn named<'a>(&'a self, group: &'a Name) -> impl Iterator<Item = &'a Group> {
        self.all
            .values()
            .filter(move |one| one.plan.group == *group)
    }

    /// The one that counts a service on a host.
    pub fn counting(&self, host: &Name, service: &Name) -> Option<&Group> {
        let keys = self.of_host.get(host)?;
        self.all.get(keys.iter().find(|key| key.1 == *service)?)
    }

    /// Those that count services of a host.
    pub fn of(&self, host: &Name) -> Vec<GroupKey> {
        self.of_host.get(host).cloned().unwrap_or_default()
    }

    /// Whether one waits until it has been wrong for long enough.
    pub fn waits(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Notes whether one waits until it has been wrong for long enough.
    pub fn set_waiting(&mut self, key: &GroupKey, waits: bool) {
        if waits {
            self.pending.insert(key.clone());
        } else {
            self.pending.remove(key);
        }
    }

    /// Adds one, or puts it in the place of one with the same names.
    pub fn insert(&mut self, group: Group) {
        self.all.insert(group.key(), group);
    }

    /// Takes one away.
    pub fn remove(&mut self, key: &GroupKey) -> Option<Group> {
        self.pending.remove(key);
        self.all.remove(key)
    }

    /// Finds anew which of them count services of which hosts.
    pub fn index(&mut self) {
        self.of_host.clear();
        for group in self.all.values() {
            for host in &group.plan.members {
                let keys = self.of_host.entry(host.clone()).or_default();
                keys.push(group.key());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::Wanted,
        time::{Span, Wall},
    };

    fn group(expect: Wanted) -> Group {
        let plan = GroupPlan {
            group: "sql".into(),
            service: "MSSQL$PROD".into(),
            expect,
            for_span: Span::minutes(2),
            members: ["a", "b", "c"].map(Name::new).to_vec(),
            friendly_name: None,
            severity: None,
            labels: Arc::from([]),
        };
        let now = Now {
            tick: Tick(1_000_000),
            wall: Wall(5_000_000),
        };
        Group::new(Arc::new(plan), None, now)
    }

    fn know(group: &mut Group, host: &str, seen: Option<State>) {
        let last = seen.unwrap_or(State::Running);
        let read_at = Tick(1);
        let member = Member {
            seen,
            last,
            read_at,
        };
        group.know(&host.into(), member);
    }

    #[test]
    fn it_counts_each_host_once() {
        let mut group = group(Wanted::Exactly(1));
        for state in [State::Running, State::Stopped, State::Running] {
            know(&mut group, "a", Some(state));
        }
        know(&mut group, "b", Some(State::StartPending));
        know(&mut group, "c", None);
        assert_eq!(group.counts(), (1, 1));
        assert_eq!(group.judge(), Count::RightAsSeen);
        assert_eq!(
            group.judge_last(),
            Count::TooMany,
            "c ran when it was last seen"
        );
        assert!(group.is_right_with(State::Stopped) && !group.is_right_with(State::Running));
    }

    #[test]
    fn it_moves_where_one_left_and_another_came() {
        let names =
            |names: &[&str]| -> Vec<Name> { names.iter().map(|name| (*name).into()).collect() };
        let mut exact = group(Wanted::Exactly(1));
        assert_eq!(
            exact.moved(&names(&["a"])),
            None,
            "nobody knows where it ran"
        );
        exact.row.ran_on = Some(names(&["a"]));
        assert_eq!(exact.moved(&names(&["a"])), None);
        know(&mut exact, "a", None);
        let moved = Some((names(&["a"]), names(&["b"])));
        assert_eq!(exact.moved(&names(&["b"])), moved, "its old host is down");

        let mut many = group(Wanted::AtLeast(1));
        many.row.ran_on = Some(names(&["a"]));
        know(&mut many, "a", None);
        assert_eq!(many.moved(&names(&["b"])), None, "it may run on a still");
        know(&mut many, "a", Some(State::Stopped));
        assert_eq!(many.moved(&names(&["b"])), moved);
        assert_eq!(many.moved(&names(&[])), None);
    }
}

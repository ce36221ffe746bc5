//! What was tried, as far as it still counts: for the attempts of an open incident, for a budget, or because it is under
//! way.

use super::{ActId, EntryRemedy, Outcome, RemedyRow, RemedyTold, Scope, budget};
use crate::{
    id::{IncidentId, Name},
    limits,
    planted::{self, Planted},
    time::{Now, Tick},
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// A try and its times on the clock that durations are measured by.
#[derive(Debug, Clone)]
struct Try {
    row: RemedyRow,
    began: Tick,
    ended: Option<Tick>,
    /// Whether its service was read since it ended.
    seen: bool,
}

/// What was tried, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Tries {
    all: BTreeMap<(Tick, ActId), Try>,
    of: BTreeMap<(Name, Name), Vec<(Tick, ActId)>>,
    under_way: BTreeMap<ActId, Tick>,
}

/// What was tried for one service and its open incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// Whether a try is under way.
    pub under_way: bool,
    /// How often it was tried for this incident.
    pub made: u32,
    /// When the last try of any incident ended.
    pub ended: Option<Tick>,
    /// Whether nobody knows what the last try came to.
    pub unknown: bool,
    /// Whether the host did not let us at the last try for this incident.
    pub denied: bool,
    /// Whether it was said for this incident what would be done.
    pub said: bool,
}

/// Which tries are for a service.
type Key = (Name, Name);

impl Tries {
    /// What the store knows. A try that was under way as we ended is over now, and nobody knows what it came to.
    pub fn restored(rows: Vec<RemedyRow>, now: Now) -> Self {
        let mut tries = Self::default();
        if planted::is(Planted::TriesForgotten) {
            return tries;
        }
        for row in rows {
            let tick = |wall| Tick(now.tick.0.saturating_sub(now.wall.since(wall).0));
            let (began, ended) = (tick(row.at), row.ended_at.map(tick));
            if row.outcome.is_none() {
                tries.under_way.insert(row.id.clone(), began);
            }
            tries.add(row, began, ended);
        }
        tries
    }

    fn add(&mut self, row: RemedyRow, began: Tick, ended: Option<Tick>) {
        if row.outcome == Some(Outcome::TooLate) {
            return;
        }
        let place = (began, row.id.clone());
        let of = self
            .of
            .entry((row.host.clone(), row.service.clone()))
            .or_default();
        of.push(place.clone());
        of.sort();
        let seen = ended.is_some();
        self.all.insert(
            place,
            Try {
                row,
                began,
                ended,
                seen,
            },
        );
    }

    /// A try begins.
    pub fn begin(&mut self, now: Tick, row: RemedyRow) {
        self.under_way.insert(row.id.clone(), now);
        self.add(row, now, None);
    }

    /// A try has ended; its row. Nothing where it is not under way.
    pub fn end(
        &mut self,
        now: Now,
        id: &ActId,
        outcome: Outcome,
        text: String,
    ) -> Option<RemedyRow> {
        let began = self.under_way.remove(id)?;
        let place = (began, id.clone());
        let one = self.all.get_mut(&place)?;
        one.row.outcome = Some(outcome);
        one.row.ended_at = Some(now.wall);
        one.row.text = text;
        one.ended = Some(now.tick);
        one.seen = false;
        let row = one.row.clone();
        if outcome == Outcome::TooLate {
            // It never was: it counts for nothing.
            self.remove(&place);
        }
        Some(row)
    }

    fn remove(&mut self, place: &(Tick, ActId)) {
        let Some(gone) = self.all.remove(place) else {
            return;
        };
        let key = (gone.row.host, gone.row.service);
        if let Some(of) = self.of.get_mut(&key) {
            of.retain(|one| one != place);
            if of.is_empty() {
                self.of.remove(&key);
            }
        }
    }

    /// Lets go of what counts for nothing any more.
    pub fn forget(&mut self, now: Tick, is_open: impl Fn(&IncidentId) -> bool) {
        let old: Vec<(Tick, ActId)> = self
            .all
            .iter()
            .take_while(|((began, _), _)| now.since(*began) > limits::BUDGET_WITHIN_MAX)
            .filter(|(_, one)| one.ended.is_some() && !is_open(&one.row.incident))
            .map(|(place, _)| place.clone())
            .collect();
        for place in old {
            self.remove(&place);
        }
    }

    /// Whether a try for this incident of a service is under way.
    pub fn is_under_way(&self, key: &Key, incident: &IncidentId) -> bool {
        let mut tries = self.of(key);
        tries.any(|one| one.ended.is_none() && one.row.incident == *incident)
    }

    /// Tries that are under way, each with its row.
    pub fn under_way(&self) -> impl Iterator<Item = &RemedyRow> {
        self.under_way
            .iter()
            .filter_map(|(id, began)| self.all.get(&(*began, id.clone())))
            .map(|one| &one.row)
    }

    /// How many are under way on a host, and in all.
    pub fn busy(&self, host: &Name) -> (usize, usize) {
        let there = self.under_way().filter(|row| row.host == *host).count();
        (there, self.under_way.len())
    }

    /// When a try that has not ended is given up.
    pub fn deadline(&self) -> Option<Tick> {
        let began = self.under_way.values().min()?;
        Some(*began + limits::ACT_MAX)
    }

    /// Tries that are to be given up now.
    pub fn overdue(&self, now: Tick) -> Vec<ActId> {
        let late = |(_, began): &(&ActId, &Tick)| **began + limits::ACT_MAX <= now;
        let late = self.under_way.iter().filter(late);
        late.map(|(id, _)| id.clone()).collect()
    }

    fn of(&self, key: &Key) -> impl DoubleEndedIterator<Item = &Try> {
        let places = self.of.get(key).into_iter().flatten();
        places.filter_map(|place| self.all.get(place))
    }

    /// A service was read after whatever was tried for it.
    pub fn seen(&mut self, key: &Key) {
        let Some(place) = self.of.get(key).and_then(|of| of.last()) else {
            return;
        };
        if let Some(last) = self.all.get_mut(place) {
            last.seen |= last.ended.is_some();
        }
    }

    /// What was tried for a service, and for this incident of it.
    pub fn past(&self, key: &Key, incident: &IncidentId) -> Past {
        let last = self.of(key).next_back();
        let mut past = Past {
            under_way: self.of(key).any(|one| one.ended.is_none()),
            ended: last.and_then(|last| last.ended),
            unknown: last.is_some_and(|last| {
                last.row.outcome == Some(Outcome::Unknown) && last.ended.is_some() && !last.seen
            }),
            ..Past::default()
        };
        for one in self.of(key).filter(|one| one.row.incident == *incident) {
            past.said |= one.row.dry_run;
            if !one.row.dry_run {
                past.made = past.made.saturating_add(1);
                past.denied = one.row.outcome == Some(Outcome::Denied);
            }
        }
        past
    }

    /// When the last try for a service ended that may have changed something.
    pub fn touched(&self, key: &Key) -> Option<Tick> {
        let touches =
            |one: &&Try| !one.row.dry_run && !matches!(one.row.outcome, Some(Outcome::Denied));
        self.of(key).rev().find(touches)?.ended
    }

    /// What was tried for an incident of a service, for a notice: the newest, at most
    /// [`limits::REMEDY_LINES_MAX`], oldest first.
    pub fn told(&self, key: &Key, incident: &IncidentId) -> Vec<RemedyTold> {
        let of = self.of(key).rev();
        let mut told: Vec<RemedyTold> = of
            .filter(|one| one.row.incident == *incident)
            .take(limits::REMEDY_LINES_MAX)
            .map(|one| RemedyTold::from(&one.row))
            .collect();
        told.reverse();
        told
    }

    /// Whether a budget counts a try for a service. What is only said is counted by itself.
    fn counts(scope: Scope, key: &Key, remedy: &EntryRemedy, one: &Try) -> bool {
        one.row.dry_run == remedy.plan.dry_run
            && match scope {
                Scope::Service => one.row.host == key.0 && one.row.service == key.1,
                Scope::Group => one.row.group.is_some() && one.row.group == remedy.group,
                Scope::Fleet => true,
            }
    }

    /// The first budget that is used up, and when it has room again.
    pub fn used_up(&self, now: Tick, key: &Key, remedy: &EntryRemedy) -> Option<(Scope, Tick)> {
        let budgets = remedy.plan.budget;
        let scopes = [
            (Scope::Service, budgets.service),
            (Scope::Group, budgets.group),
            (Scope::Fleet, budgets.fleet),
        ];
        scopes.into_iter().find_map(|(scope, budget)| {
            if scope == Scope::Group && remedy.group.is_none() {
                return None;
            }
            let lately = self.all.values().rev();
            let begun = lately
                .take_while(|one| now.since(one.began) < budget.within)
                .filter(|one| Self::counts(scope, key, remedy, one))
                .map(|one| one.began);
            budget::full_until(budget, now, begun).map(|until| (scope, until))
        })
    }

    /// Notes that it is told that a budget is used up; the row to write. Nothing where that was told since the last try
    /// that it counts.
    pub fn tell_used_up(
        &mut self,
        scope: Scope,
        key: &Key,
        remedy: &EntryRemedy,
    ) -> Option<RemedyRow> {
        let mut tries = self.all.values_mut().rev();
        let row = &mut tries.find(|one| Self::counts(scope, key, remedy, one))?.row;
        if row.budgets_told.contains(&scope) {
            return None;
        }
        row.budgets_told.push(scope);
        Some(row.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        remedy::{Budget, RemedyPlan},
        time::{Span, Wall},
    };
    use alloc::{string::ToString, sync::Arc};

    const MINUTE: u64 = 60_000;

    fn now(minute: u64) -> Now {
        Now {
            tick: Tick(limits::TICK_ORIGIN + minute * MINUTE),
            wall: Wall(1_700_000_000_000) + Span::minutes(minute),
        }
    }

    fn key(service: &str) -> Key {
        ("srv01".into(), service.into())
    }

    fn incident(service: &str) -> IncidentId {
        IncidentId(Arc::from(service))
    }

    fn row(service: &str, group: Option<&str>, minute: u64) -> RemedyRow {
        RemedyRow {
            id: ActId::new(&incident(service), minute),
            host: "srv01".into(),
            service: service.into(),
            group: group.map(Name::new),
            incident: incident(service),
            plan: "restart".into(),
            attempt: 1,
            dry_run: false,
            at: now(minute).wall,
            ended_at: None,
            outcome: None,
            text: String::new(),
            budgets_told: Vec::new(),
        }
    }

    fn remedy(group: Option<&str>) -> EntryRemedy {
        let mut plan = RemedyPlan::new(&"restart".into());
        let within = |acts, minutes| Budget {
            acts,
            within: Span::minutes(minutes),
        };
        plan.budget.service = within(2, 60);
        plan.budget.group = within(3, 60);
        plan.budget.fleet = within(4, 10);
        EntryRemedy {
            plan: Arc::new(plan),
            group: group.map(Name::new),
            may_act: true,
        }
    }

    fn try_one(tries: &mut Tries, service: &str, group: Option<&str>, minute: u64) -> RemedyRow {
        let row = row(service, group, minute);
        let id = row.id.clone();
        tries.begin(now(minute).tick, row);
        tries
            .end(now(minute), &id, Outcome::Failed, "it failed".to_string())
            .expect("it was under way")
    }

    fn used_up(
        tries: &Tries,
        service: &str,
        group: Option<&str>,
        minute: u64,
    ) -> Option<(Scope, u64)> {
        let (scope, until) = tries.used_up(now(minute).tick, &key(service), &remedy(group))?;
        Some((scope, (until.0 - limits::TICK_ORIGIN) / MINUTE))
    }

    #[test]
    fn budgets_count_what_they_are_for() {
        let mut tries = Tries::default();
        try_one(&mut tries, "a", Some("web"), 0);
        assert_eq!(used_up(&tries, "a", Some("web"), 1), None);
        try_one(&mut tries, "a", Some("web"), 1);
        assert_eq!(
            used_up(&tries, "a", Some("web"), 2),
            Some((Scope::Service, 60))
        );
        assert_eq!(used_up(&tries, "b", Some("web"), 2), None);
        try_one(&mut tries, "b", Some("web"), 2);
        assert_eq!(
            used_up(&tries, "c", Some("web"), 3),
            Some((Scope::Group, 60))
        );
        assert_eq!(used_up(&tries, "c", Some("mail"), 3), None);
        assert_eq!(used_up(&tries, "c", None, 3), None);
        try_one(&mut tries, "d", None, 4);
        assert_eq!(used_up(&tries, "c", None, 5), Some((Scope::Fleet, 10)));
        assert_eq!(used_up(&tries, "c", None, 10), None, "it slides");
        assert_eq!(used_up(&tries, "a", None, 60), None);
    }

    #[test]
    fn a_restart_forgets_no_try() {
        let mut before = Tries::default();
        let rows = [0, 1].map(|minute| try_one(&mut before, "a", Some("web"), minute));
        let after = Tries::restored(rows.to_vec(), now(30));
        assert_eq!(
            used_up(&after, "a", Some("web"), 31),
            Some((Scope::Service, 60))
        );
        assert_eq!(after.past(&key("a"), &incident("a")).made, 2);
        assert_eq!(after.deadline(), None);
    }

    #[test]
    fn what_was_under_way_as_we_ended_is_still_to_be_ended() {
        let mut tries = Tries::restored(alloc::vec![row("a", None, 0)], now(1));
        assert!(tries.past(&key("a"), &incident("a")).under_way);
        let id = ActId::new(&incident("a"), 0);
        let text = "nobody knows".to_string();
        let row = tries.end(now(1), &id, Outcome::Unknown, text.clone());
        assert_eq!(row.and_then(|row| row.outcome), Some(Outcome::Unknown));
        let past = tries.past(&key("a"), &incident("a"));
        assert!(past.unknown && !past.under_way);
        tries.seen(&key("a"));
        assert!(!tries.past(&key("a"), &incident("a")).unknown);
        assert!(
            tries.end(now(2), &id, Outcome::Started, text).is_none(),
            "it ends once"
        );
    }

    #[test]
    fn what_was_not_begun_in_time_counts_for_nothing() {
        let mut tries = Tries::default();
        let one = row("a", None, 0);
        tries.begin(now(0).tick, one.clone());
        tries.end(now(9), &one.id, Outcome::TooLate, "too late".to_string());
        assert_eq!(tries.past(&key("a"), &incident("a")), Past::default());
        let late = RemedyRow {
            outcome: Some(Outcome::TooLate),
            ended_at: Some(now(9).wall),
            ..one
        };
        let after = Tries::restored(alloc::vec![late], now(10));
        assert_eq!(after.past(&key("a"), &incident("a")), Past::default());
    }

    #[test]
    fn a_budget_is_told_once_until_it_is_used_again() {
        let mut tries = Tries::default();
        let web = remedy(Some("web"));
        assert!(
            tries
                .tell_used_up(Scope::Service, &key("a"), &web)
                .is_none()
        );
        try_one(&mut tries, "a", Some("web"), 0);
        let mut told = |scope| tries.tell_used_up(scope, &key("a"), &web).is_some();
        assert!(told(Scope::Service));
        assert!(!told(Scope::Service));
        assert!(told(Scope::Fleet));
        try_one(&mut tries, "a", Some("web"), 1);
        assert!(
            tries
                .tell_used_up(Scope::Service, &key("a"), &web)
                .is_some()
        );
    }

    #[test]
    fn what_is_old_goes_unless_its_incident_is_open() {
        let mut tries = Tries::default();
        try_one(&mut tries, "a", None, 0);
        try_one(&mut tries, "b", None, 0);
        let later = now(0).tick + limits::BUDGET_WITHIN_MAX + Span(1);
        tries.forget(later, |open| *open == incident("b"));
        assert_eq!(tries.past(&key("a"), &incident("a")).made, 0);
        assert_eq!(tries.past(&key("b"), &incident("b")).made, 1);
    }

    #[test]
    fn one_that_never_ends_is_given_up() {
        let mut tries = Tries::default();
        let one = row("a", None, 0);
        tries.begin(now(0).tick, one.clone());
        assert_eq!(tries.busy(&"srv01".into()), (1, 1));
        assert_eq!(tries.deadline(), Some(now(0).tick + limits::ACT_MAX));
        assert!(tries.overdue(now(1).tick).is_empty());
        assert_eq!(tries.overdue(now(0).tick + limits::ACT_MAX), [one.id]);
    }
}

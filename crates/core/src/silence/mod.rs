//! Silences and maintenance windows: what is not told for a while, since when and until when.
//!
//! Both hold by the wall clock, because that is what people agreed on: a clock that is set moves them with it. Whether
//! one of them holds is looked at when its time comes and then stays so until the next look, so that everything that
//! is decided in between is decided alike.

mod index;

use crate::{
    id::Name,
    notice::{Notice, Severity, ToldEvent, Why},
    outbox::LaneKey,
    plan::{MaintenancePlan, Matcher, Ranges},
    policy::route,
    time::{Now, Tick, Wall},
};
use alloc::{collections::BTreeMap, collections::BTreeSet, string::String, sync::Arc, vec::Vec};
use core::fmt;
use index::Index;

/// Which silence: a short random text that the one who asks for it makes up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceId(pub Arc<str>);

impl SilenceId {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SilenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A silence: somebody does not want to be told of something for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRow {
    /// Which.
    pub id: SilenceId,
    /// What is not told. Its kinds of notice play no part.
    pub matcher: Matcher,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when.
    pub from: Wall,
    /// Until when.
    pub until: Wall,
    /// When it was found to be over, or somebody ended it.
    pub ended_at: Option<Wall>,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
}

/// What is judged: something that would be told.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The host.
    pub host: Option<&'a Name>,
    /// The service.
    pub service: Option<&'a Name>,
    /// The site of the host.
    pub site: Option<&'a str>,
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub event: ToldEvent,
    /// Labels of the service, then those of the host; the first with a name counts.
    pub labels: [&'a [(String, String)]; 2],
}

impl<'a> About<'a> {
    /// What a notice is about.
    pub fn of(notice: &'a Notice) -> Self {
        Self {
            host: notice.subject.host(),
            service: notice.subject.service(),
            site: notice.site.as_deref(),
            severity: notice.severity,
            event: notice.event,
            labels: [&notice.labels, &[]],
        }
    }
}

/// A silence or a window that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// What it silences.
    pub matcher: Matcher,
    /// Which.
    pub by: By,
    /// Until when, as far as is known.
    pub until: Wall,
}

/// What silences.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// A silence.
    Silence(SilenceId),
    /// A maintenance window, by its name.
    Window(Name),
}

impl By {
    /// Why something is not told then.
    pub const fn why(&self) -> Why {
        match self {
            Self::Silence(_) => Why::Silenced,
            Self::Window(_) => Why::Maintenance,
        }
    }
}

/// What a look at the clock came to.
#[derive(Debug, Clone, Default)]
pub struct Turned {
    /// Those that hold now and did not, or did and do not now.
    pub changed: Vec<Arc<Mute>>,
    /// Silences that are over.
    pub over: Vec<SilenceRow>,
}

/// All silences and windows, and which of them hold.
#[derive(Debug, Clone, Default)]
pub struct Mutes {
    silences: BTreeMap<SilenceId, SilenceRow>,
    windows: Vec<MaintenancePlan>,
    holding: BTreeMap<By, Arc<Mute>>,
    index: Index,
    /// When the next one begins or ends.
    next: Option<Wall>,
    deadline: Option<Tick>,
    stale: bool,
    /// Those that changed and were not shown yet.
    changed: Vec<Arc<Mute>>,
    over: Vec<SilenceRow>,
    /// Debts that wait until they may be told.
    debts: BTreeSet<LaneKey>,
}

impl Mutes {
    /// What a store gave back.
    pub fn restored(silences: Vec<SilenceRow>) -> Self {
        let silences = silences.into_iter().filter(|row| row.ended_at.is_none());
        Self {
            silences: silences.map(|row| (row.id.clone(), row)).collect(),
            stale: true,
            ..Self::default()
        }
    }

    /// The silences that are not over, by their identity.
    pub fn silences(&self) -> impl Iterator<Item = &SilenceRow> {
        self.silences.values()
    }

    /// A silence that is not over.
    pub fn silence(&self, id: &SilenceId) -> Option<&SilenceRow> {
        self.silences.get(id)
    }

    /// Whether this silence or window holds.
    pub fn holds(&self, by: &By) -> bool {
        self.holding.contains_key(by)
    }

    /// Adds a silence.
    pub fn add(&mut self, row: SilenceRow) {
        self.silences.insert(row.id.clone(), row);
        self.stale = true;
    }

    /// Ends a silence before its time.
    pub fn end(&mut self, id: &SilenceId, at: Wall, by: String) {
        if let Some(mut row) = self.silences.remove(id) {
            row.ended_at = Some(at);
            row.ended_by = Some(by);
            self.over.push(row);
            self.stale = true;
        }
    }

    /// Takes in the windows of a plan.
    pub fn set_windows(&mut self, windows: &[MaintenancePlan]) {
        self.windows = windows.to_vec();
        self.stale = true;
    }

    /// Takes in the times of windows, as far as they are known now.
    pub fn set_times(&mut self, times: &[(Name, Ranges)]) {
        for (name, ranges) in times {
            for window in self.windows.iter_mut().filter(|one| one.name == *name) {
                window.ranges = Arc::clone(ranges);
            }
        }
        self.stale = true;
    }

    /// The clock was set, so every time is another one now.
    pub const fn clock_set(&mut self) {
        self.stale = true;
    }

    /// Whether it is time to look which of them hold.
    pub fn is_due(&self, wall: Wall) -> bool {
        self.stale || self.next.is_some_and(|at| wall >= at)
    }

    /// Looks which of them hold now.
    pub fn look(&mut self, wall: Wall) {
        self.stale = false;
        let over: Vec<SilenceId> = self
            .silences
            .values()
            .filter(|row| row.until <= wall)
            .map(|row| row.id.clone())
            .collect();
        for id in over {
            if let Some(mut row) = self.silences.remove(&id) {
                row.ended_at = Some(wall);
                self.over.push(row);
            }
        }
        let mut now: BTreeMap<By, Arc<Mute>> = BTreeMap::new();
        let silences = self.silences.values().filter(|row| row.from <= wall);
        for row in silences {
            self.hold(
                &mut now,
                By::Silence(row.id.clone()),
                &row.matcher,
                row.until,
            );
        }
        for window in &self.windows {
            let range = window
                .ranges
                .iter()
                .find(|(from, until)| *from <= wall && wall < *until);
            if let Some((_, until)) = range {
                self.hold(
                    &mut now,
                    By::Window(window.name.clone()),
                    &window.matcher,
                    *until,
                );
            }
        }
        let before = core::mem::replace(&mut self.holding, now);
        let gone = before.iter().filter(|(by, mute)| {
            self.holding
                .get(*by)
                .is_none_or(|now| now.matcher != mute.matcher)
        });
        let gone: Vec<Arc<Mute>> = gone.map(|(_, mute)| Arc::clone(mute)).collect();
        let new = self.holding.iter().filter(|(by, mute)| {
            before
                .get(*by)
                .is_none_or(|was| was.matcher != mute.matcher)
        });
        let new: Vec<Arc<Mute>> = new.map(|(_, mute)| Arc::clone(mute)).collect();
        for mute in &gone {
            self.index.remove(mute);
        }
        for mute in &new {
            self.index.add(mute);
        }
        self.changed.extend(gone);
        self.changed.extend(new);
        self.next = self.boundary(wall);
    }

    /// Notes one that holds; the very same as before where nothing of it changed.
    fn hold(&self, now: &mut BTreeMap<By, Arc<Mute>>, by: By, matcher: &Matcher, until: Wall) {
        let known = self
            .holding
            .get(&by)
            .filter(|known| known.matcher == *matcher && known.until == until);
        let mute = known.map_or_else(
            || {
                Arc::new(Mute {
                    matcher: matcher.clone(),
                    by: by.clone(),
                    until,
                })
            },
            Arc::clone,
        );
        now.insert(by, mute);
    }

    fn boundary(&self, wall: Wall) -> Option<Wall> {
        let silences = self.silences.values().flat_map(|row| [row.from, row.until]);
        let windows = self.windows.iter().flat_map(|window| {
            window
                .ranges
                .iter()
                .flat_map(|(from, until)| [*from, *until])
        });
        silences.chain(windows).filter(|at| *at > wall).min()
    }

    /// What changed since it was asked last.
    pub fn take_turned(&mut self) -> Turned {
        Turned {
            changed: core::mem::take(&mut self.changed),
            over: core::mem::take(&mut self.over),
        }
    }

    /// Whether nothing is silenced now.
    pub fn is_quiet(&self) -> bool {
        self.holding.is_empty()
    }

    /// What silences this, where something does.
    pub fn find(&self, about: &About<'_>) -> Option<&Arc<Mute>> {
        self.index.find(about.host, about.service, |mute| {
            route::means(&mute.matcher, about)
        })
    }

    /// Notes a debt that may not be told now.
    pub fn owe(&mut self, key: LaneKey) {
        self.debts.insert(key);
    }

    /// Debts that may be told now, perhaps.
    pub fn take_debts(&mut self) -> BTreeSet<LaneKey> {
        core::mem::take(&mut self.debts)
    }

    /// Foresees on the clock of durations when the next one begins or ends.
    pub fn foresee(&mut self, now: Now) {
        self.deadline = if self.stale {
            Some(now.tick)
        } else {
            self.next.map(|at| now.tick + at.since(now.wall))
        };
    }

    /// When to look again.
    pub const fn deadline(&self) -> Option<Tick> {
        self.deadline
    }
}

#[cfg(test)]
mod tests;

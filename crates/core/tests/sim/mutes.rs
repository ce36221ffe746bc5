//! Silences and maintenance windows: the judge knows which of them surely hold, and that nothing is told then.

use crate::{
    heard::subject_of,
    item::Item,
    oracle::{Oracle, Window},
    rng::Rng,
    setup::{HOUR, MINUTE, SECOND},
    store::Store,
    world::{WALL, World},
};
use std::sync::Arc;
use svcwatch_core::{
    event::Event,
    glob::Glob,
    id::{Name, Subject},
    notice::Notice,
    plan::{MaintenancePlan, Matcher, Plan},
    record::DeliveryRow,
    silence::{SilenceId, SilenceRow},
    time::{Span, Wall},
};

/// What a silence of a story is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quiet {
    /// A machine with all its services.
    Machine(usize),
    /// One service of a machine.
    Service(usize, usize),
    /// A pattern of hosts.
    Hosts,
    /// A site.
    Site,
}

/// The windows of a world: some hosts are worked on at times.
pub(crate) fn windows(rng: &mut Rng, horizon: u64) -> Vec<MaintenancePlan> {
    let mut all = Vec::new();
    for name in ["patch night", "backup"].into_iter().take(rng.index(3)) {
        let matcher = if rng.chance(50) {
            Matcher {
                site: vec![Glob::new("oslo")],
                ..Matcher::default()
            }
        } else {
            Matcher {
                host: vec![Glob::new(rng.pick(&["srv*", "srv0", "srv1", "new?"]))],
                service: rng
                    .pick(&[None, None, Some("App*")])
                    .map(Glob::new)
                    .into_iter()
                    .collect(),
                ..Matcher::default()
            }
        };
        let gap = rng.pick(&[HOUR, 6 * HOUR]);
        let length = rng.pick(&[5 * MINUTE, 30 * MINUTE, 50 * MINUTE]);
        let mut from = rng.between(MINUTE, gap);
        let mut ranges = Vec::new();
        while from < horizon {
            ranges.push((wall(from), wall(from + length)));
            from += gap;
        }
        all.push(MaintenancePlan {
            name: Name::new(name),
            matcher,
            ranges: Arc::from(ranges),
        });
    }
    all
}

fn wall(at: u64) -> Wall {
    Wall(WALL) + Span(at)
}

impl World {
    /// Somebody wants to hear nothing of something, from so long on for so long.
    pub(crate) fn silence(&mut self, about: Quiet, wait: u64, length: u64) {
        let host = |machine: usize| Glob::new(crate::setup::host_name(machine).as_str());
        let matcher = match about {
            Quiet::Machine(machine) => Matcher {
                host: vec![host(machine)],
                ..Matcher::default()
            },
            Quiet::Service(machine, service) => Matcher {
                host: vec![host(machine)],
                service: vec![Glob::new(
                    self.machines[machine].services[service].name.as_str(),
                )],
                ..Matcher::default()
            },
            Quiet::Hosts => Matcher {
                host: vec![Glob::new("s*")],
                ..Matcher::default()
            },
            Quiet::Site => Matcher {
                site: vec![Glob::new("bergen")],
                ..Matcher::default()
            },
        };
        let now = self.clocks().wall;
        let id = format!("quiet-{}", self.now);
        self.tell(Event::Silence(Box::new(SilenceRow {
            id: SilenceId(Arc::from(id)),
            matcher,
            author: "ann".to_string(),
            comment: "working on it".to_string(),
            from: now + Span(wait),
            until: now + Span(wait + length),
            ended_at: None,
            ended_by: None,
        })));
    }

    /// Somebody ends one of the silences.
    pub(crate) fn end_silence(&mut self, which: u64) {
        let open: Vec<SilenceId> = self
            .store
            .open_silences()
            .map(|row| row.id.clone())
            .collect();
        let count = u64::try_from(open.len()).unwrap_or(0).max(1);
        let place = usize::try_from(which % count).unwrap_or(0);
        if let Some(id) = open.get(place) {
            self.tell(Event::EndSilence {
                id: id.clone(),
                by: "bo".to_string(),
            });
        }
    }

    /// In the quiet nothing is muted, so that the last word must be told: the monitor may be away when it is asked, so
    /// it is asked until it has done so.
    pub(crate) fn end_all_silences(&mut self) {
        if !self.plan.maintenance.is_empty() {
            self.replan(|plan| plan.maintenance.clear());
        }
        let open: Vec<SilenceId> = self
            .store
            .open_silences()
            .map(|row| row.id.clone())
            .collect();
        for id in open {
            self.tell(Event::EndSilence {
                id,
                by: "bo".to_string(),
            });
        }
        if self
            .quiet_since
            .is_some_and(|since| self.now < since + HOUR)
        {
            self.later(self.now + 5 * MINUTE, Item::Unmute);
        }
    }

    /// The times of windows come anew, as they do after the clock was set.
    pub(crate) fn calendar(&mut self) {
        let windows = self.plan.maintenance.iter();
        let times: Vec<_> = windows
            .map(|window| (window.name.clone(), Arc::clone(&window.ranges)))
            .collect();
        self.tell(Event::Calendar(Arc::from(times)));
    }
}

impl Oracle {
    /// A message that is made while something surely mutes what it is about.
    pub(crate) fn judge_muted(&mut self, store: &Store, window: Window, row: &DeliveryRow) {
        // What was on its way before is delivered, and may be merged on the way.
        let lane = (
            (row.destination.clone(), Arc::clone(&row.recipient)),
            row.notice.subject.clone(),
        );
        let turned = store
            .turned
            .get(&lane)
            .is_some_and(|at| at + SECOND > window.from);
        let waits = store.waiting.values().any(|key| {
            store.deliveries.get(key).is_some_and(|other| {
                (
                    &other.row.destination,
                    &other.row.recipient,
                    &other.row.notice.subject,
                ) == (&row.destination, &row.recipient, &row.notice.subject)
            })
        });
        if turned || waits {
            return;
        }
        self.judge_in_boot(store, window, row);
        let notice = &row.notice;
        let mut subjects = vec![notice.subject.clone()];
        subjects.extend(notice.items.iter().filter_map(subject_of));
        for subject in subjects {
            if let Some(mute) = self.surely_muted(store, window, &subject, notice) {
                let sentence = format!(
                    "{subject:?} is told ({}) although {mute} covers it",
                    notice.kind
                );
                self.broken("mute", sentence);
            }
        }
    }

    /// What surely mutes a subject in the whole of this window.
    pub(crate) fn surely_muted(
        &self,
        store: &Store,
        window: Window,
        subject: &Subject,
        notice: &Notice,
    ) -> Option<String> {
        if subject.group().is_some() {
            // It is covered where each of its hosts is.
            let hosts = crate::clusters::hosts_of(&self.plan(), subject);
            let each = hosts.into_iter().map(|host| Subject::Service {
                host,
                service: subject.service().cloned().unwrap_or_else(|| "".into()),
            });
            let mutes: Option<Vec<String>> = each
                .map(|one| self.surely_muted(store, window, &one, notice))
                .collect();
            return mutes?.pop();
        }
        let host = subject.host()?;
        // What is on both sides of a clock that was set just now is not sure.
        let jumped =
            |(at, _): &(u64, i64)| *at + SECOND > window.from && *at <= window.until + SECOND;
        if self.jumps.iter().any(jumped) {
            return None;
        }
        let site = self.plans.iter().rev().find_map(|(_, plan)| {
            crate::readings::host_of(plan, host).map(|host| host.site.clone())
        })?;
        let site = if notice.subject == *subject {
            notice.site.clone()
        } else {
            site
        };
        let means = |matcher: &Matcher| {
            let any = |globs: &[Glob], text: Option<&str>| {
                globs.is_empty()
                    || text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)))
            };
            any(&matcher.host, Some(host.as_str()))
                && any(&matcher.service, subject.service().map(Name::as_str))
                && any(&matcher.site, site.as_deref())
        };
        let (from, until) = (self.wall_at(window.from), self.wall_at(window.until));
        let spans = |range: &(Wall, Wall)| range.0 <= from && until < range.1;
        let silence = store.open_silences().find(|row| {
            let known = store
                .silenced_at
                .get(&row.id)
                .is_some_and(|at| *at < window.from);
            known && spans(&(row.from, row.until)) && means(&row.matcher)
        });
        if let Some(row) = silence {
            return Some(format!("silence {}", row.id));
        }
        let plan: Arc<Plan> = self.plan();
        let window = plan
            .maintenance
            .iter()
            .find(|window| window.ranges.iter().any(spans) && means(&window.matcher))?;
        Some(format!("window {}", window.name))
    }

    /// How far the clock was set forward since a moment: after a restart a stored deadline may come so much early.
    pub(crate) fn forward_since(&self, since: u64) -> u64 {
        if !self.crashes.iter().any(|at| *at >= since) {
            return 0;
        }
        self.jumps
            .iter()
            .filter(|(at, by)| *at >= since && *by > 0)
            .map(|(_, by)| by.unsigned_abs())
            .sum()
    }

    /// The wall clock of the monitor at a moment.
    fn wall_at(&self, at: u64) -> Wall {
        let jumps = self.jumps.iter().filter(|(when, _)| *when <= at);
        let off: i64 = jumps.map(|(_, by)| by).sum();
        Wall(WALL + i64::try_from(at).unwrap_or(i64::MAX) + off)
    }
}

//! Who is read when: stable phases, no host twice at once, and places for live and dead hosts apart, so that the dead
//! cannot hold up the living.

use crate::{
    id::Name,
    limits,
    observe::ProbeId,
    planted::{self, Planted},
    rhythm::Rhythm,
    time::{Now, Span, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// When one host is read.
#[derive(Debug, Clone)]
struct Slot {
    host: Name,
    every: Rhythm,
    timeout: Span,
    /// When it is due next.
    due: Tick,
    /// When it would be due by its rhythm alone.
    planned: Tick,
    /// Since when it waits for a place.
    waiting_since: Option<Tick>,
    /// The probe under way.
    under_way: Option<UnderWay>,
    /// Whether its last check got no answer: it then takes a place among the dead.
    dead: bool,
}

impl Slot {
    /// Whether it neither is read nor waits for it.
    fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.waiting_since.is_none()
    }

    /// Plans the next round, from a moment at which the host was just read or might have been.
    fn plan(&mut self, now: Now) -> Tick {
        let delay = self.every.until_next(&self.host, now.wall);
        self.planned = now.tick + delay.unwrap_or(limits::NEVER);
        self.planned
    }

    /// How many further rounds went by since one that was at a tick.
    fn rounds(&self, since: Tick, now: Now) -> u64 {
        self.every.rounds(&self.host, now.wall_of(since), now.wall)
    }
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    probe: ProbeId,
    began: Tick,
    gives_up: Tick,
    dead: bool,
}

/// A host that is to be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub host: Name,
    /// The number of the probe that is under way from now on.
    pub probe: ProbeId,
    /// How late it is.
    pub lag: Span,
    /// How many rounds were left out before.
    pub missed: u64,
}

/// The place of a host in the timetable. Among those of the same time, the one that was added first comes first.
type Place = usize;

/// The timetable.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// Names are looked up once for each call; everything else goes by places.
    places: BTreeMap<Name, Place>,
    slots: Vec<Option<Slot>>,
    /// Places of hosts that were removed, to be given to others.
    free: Vec<Place>,
    /// What happens next: a host is due, or its probe is given up.
    agenda: BTreeSet<(Tick, Place)>,
    /// Hosts that wait for a place in a pool, by since when.
    waiting: [BTreeSet<(Tick, Place)>; 2],
    /// Probes of the living under way, by when they have taken so long that they count among the dead.
    quick: BTreeSet<(Tick, Place)>,
    /// Probes under way, of the living and of the dead.
    busy: [usize; 2],
    next_probe: u64,
}

/// How many probes each of the two pools has under way at most.
const POOLS: [usize; 2] = [limits::LIVE_PROBES_MAX, limits::DEAD_PROBES_MAX];

impl Schedule {
    /// Adds a host, or changes its rhythm. The first check comes with the `turn`-th step of the ramp, or earlier
    /// where its phase comes first.
    pub fn add(
        &mut self,
        now: Now,
        host: &Name,
        every: &Rhythm,
        timeout: Span,
        turn: u64,
        dead: bool,
    ) {
        if let Some(place) = self.places.get(host).copied() {
            let Some(slot) = self.slot_mut(place) else {
                return;
            };
            slot.timeout = timeout;
            if slot.every != *every {
                slot.every = every.clone();
                if slot.is_idle() {
                    let due = slot.plan(now);
                    self.set_due(place, due);
                }
            }
            return;
        }
        let ramp = limits::FIRST_CHECKS_SPACING.times(turn);
        let delay = every.until_first(host, now.wall).unwrap_or(limits::NEVER);
        let due = now.tick + ramp.min(delay);
        let slot = Slot {
            host: host.clone(),
            every: every.clone(),
            timeout,
            due,
            planned: due,
            waiting_since: None,
            under_way: None,
            dead,
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len().saturating_sub(1)
        });
        if let Some(free) = self.slots.get_mut(place) {
            *free = Some(slot);
        }
        self.places.insert(host.clone(), place);
        self.agenda.insert((due, place));
    }

    /// Whether a host is in the timetable.
    pub fn knows(&self, host: &Name) -> bool {
        self.places.contains_key(host)
    }

    /// Whether the last check of a host got no answer.
    pub fn is_dead(&self, host: &Name) -> bool {
        let place = self.places.get(host).copied();
        place
            .and_then(|place| self.slot(place))
            .is_some_and(|slot| slot.dead)
    }

    /// Removes a host. An answer that still comes is late.
    pub fn remove(&mut self, host: &Name) {
        let Some(place) = self.places.remove(host) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.free.push(place);
        self.agenda.remove(&(slot.due, place));
        if let Some(since) = slot.waiting_since {
            for pool in &mut self.waiting {
                pool.remove(&(since, place));
            }
        }
        if let Some(probe) = slot.under_way {
            self.quick
                .remove(&(probe.began + limits::SLOW_PROBE, place));
            self.agenda.remove(&(probe.gives_up, place));
            self.leave(probe.dead);
        }
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots.get(place).and_then(Option::as_ref)
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(place).and_then(Option::as_mut)
    }

    /// Reads a host no later than at this time.
    pub fn no_later(&mut self, host: &Name, at: Tick) {
        let Some(place) = self.places.get(host).copied() else {
            return;
        };
        let sooner = |slot: &Slot| slot.is_idle() && at < slot.due;
        if self.slot(place).is_some_and(sooner) {
            self.set_due(place, at);
        }
    }

    /// Plans the rounds anew of hosts whose schedule goes by the calendar, after the wall clock was set. One that is to
    /// be read sooner for another reason still is.
    pub fn clock_set(&mut self, now: Now) {
        for place in 0..self.slots.len() {
            let Some(slot) = self.slot_mut(place).filter(|slot| slot.is_idle()) else {
                continue;
            };
            if matches!(slot.every, Rhythm::Interval(_)) {
                continue;
            }
            let sooner = (slot.due != slot.planned).then_some(slot.due);
            let due = slot.plan(now);
            self.set_due(place, sooner.map_or(due, |sooner| sooner.min(due)));
        }
    }

    fn set_due(&mut self, place: Place, due: Tick) {
        if let Some(slot) = self.slot_mut(place) {
            let before = core::mem::replace(&mut slot.due, due);
            self.agenda.remove(&(before, place));
            self.agenda.insert((due, place));
        }
    }

    fn leave(&mut self, dead: bool) {
        if let Some(busy) = self.busy.get_mut(usize::from(dead)) {
            *busy = busy.saturating_sub(1);
        }
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        let begins = (0..2).any(|pool| {
            self.has_room(pool) && self.waiting.get(pool).is_some_and(|set| !set.is_empty())
        });
        if begins {
            return Some(Tick(0));
        }
        // Where the living wait, the slowest of those under way is moved among the dead in time.
        let crowded = self.waiting.first().is_some_and(|set| !set.is_empty());
        let slow = self.quick.first().filter(|_| crowded).map(|(at, _)| *at);
        self.agenda
            .first()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(slow)
            .min()
    }

    fn has_room(&self, pool: usize) -> bool {
        self.busy
            .get(pool)
            .zip(POOLS.get(pool))
            .is_some_and(|(busy, room)| busy < room)
    }

    /// Hosts whose probe is given up now: it has not answered within its timeout and some grace.
    pub fn overdue(&self, now: Now) -> Vec<(Name, ProbeId)> {
        self.agenda
            .iter()
            .take_while(|(at, _)| *at <= now.tick)
            .filter_map(|(_, place)| {
                let slot = self.slot(*place)?;
                let probe = slot
                    .under_way
                    .filter(|probe| probe.gives_up <= now.tick)?
                    .probe;
                Some((slot.host.clone(), probe))
            })
            .collect()
    }

    /// Hosts to be read now. Each is then under way until [`Self::answered`] or [`Self::skip`] is called for it.
    pub fn due(&mut self, now: Now) -> Vec<Due> {
        self.queue_due(now);
        self.move_slow(now);
        let mut found = Vec::new();
        for pool in 0..2 {
            while self.has_room(pool) {
                let Some((since, place)) = self.waiting.get_mut(pool).and_then(BTreeSet::pop_first)
                else {
                    break;
                };
                found.extend(self.begin(now, pool == 1, since, place));
            }
        }
        found
    }

    /// Moves what is due into the queues.
    fn queue_due(&mut self, now: Now) {
        while self.agenda.first().is_some_and(|(at, _)| *at <= now.tick) {
            let Some((at, place)) = self.agenda.pop_first() else {
                break;
            };
            let Some(slot) = self.slot_mut(place) else {
                continue;
            };
            if slot.under_way.is_some() || slot.waiting_since.is_some() {
                continue;
            }
            slot.waiting_since = Some(at);
            let pool = usize::from(slot.dead);
            if let Some(queue) = self.waiting.get_mut(pool) {
                queue.insert((at, place));
            }
        }
    }

    /// Moves live hosts whose checks take long among the dead: who hangs does not hold up the living.
    fn move_slow(&mut self, now: Now) {
        while self.quick.first().is_some_and(|(at, _)| *at <= now.tick) {
            let Some((_, place)) = self.quick.pop_first() else {
                break;
            };
            if let Some(probe) = self
                .slot_mut(place)
                .and_then(|slot| slot.under_way.as_mut())
            {
                probe.dead = true;
                self.leave(false);
                self.enter(true);
            }
        }
    }

    fn enter(&mut self, dead: bool) {
        if let Some(busy) = self.busy.get_mut(usize::from(dead)) {
            *busy = busy.saturating_add(1);
        }
    }

    fn begin(&mut self, now: Now, dead: bool, since: Tick, place: Place) -> Option<Due> {
        let probe = ProbeId(self.next_probe.saturating_add(1));
        let slot = self.slot_mut(place)?;
        let gives_up = now.tick + slot.timeout + limits::PROBE_GRACE;
        let lag = now.tick.since(since);
        slot.waiting_since = None;
        slot.under_way = Some(UnderWay {
            probe,
            began: now.tick,
            gives_up,
            dead,
        });
        slot.due = gives_up;
        let due = Due {
            host: slot.host.clone(),
            probe,
            lag,
            missed: slot.rounds(since, now),
        };
        self.next_probe = probe.0;
        self.agenda.insert((gives_up, place));
        if !dead {
            self.quick.insert((now.tick + limits::SLOW_PROBE, place));
        }
        self.enter(dead);
        Some(due)
    }

    /// The probe of a host that is under way.
    pub fn under_way(&self, host: &Name) -> Option<ProbeId> {
        let place = self.places.get(host)?;
        Some(self.slot(*place)?.under_way?.probe)
    }

    /// Takes an answer; whether it is the one that is waited for. The next round is planned; rounds that went by
    /// while the check ran are counted, not caught up.
    pub fn answered(&mut self, now: Now, host: &Name, probe: ProbeId, dead: bool) -> Option<u64> {
        let place = *self.places.get(host)?;
        let slot = self.slot_mut(place)?;
        let Some(under_way) = slot.under_way.take_if(|known| known.probe == probe) else {
            return (planted::is(Planted::LateAnswerBelieved)).then_some(0);
        };
        slot.dead = dead;
        let missed = slot.rounds(under_way.began, now);
        let due = slot.plan(now);
        slot.due = due;
        self.quick
            .remove(&(under_way.began + limits::SLOW_PROBE, place));
        self.agenda.remove(&(under_way.gives_up, place));
        self.agenda.insert((due, place));
        self.leave(under_way.dead);
        Some(missed)
    }

    /// Ends the probe of a host that was not begun after all. It is asked again with the next round, or when
    /// [`Self::no_later`] says so.
    pub fn skip(&mut self, now: Now, due: &Due) {
        let dead = self
            .places
            .get(&due.host)
            .and_then(|place| self.slot(*place))
            .is_some_and(|slot| slot.dead);
        self.answered(now, &due.host, due.probe, dead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        later::{Constraint, Field, Occurrences, Rule, Test},
        time::Wall,
    };
    use alloc::{sync::Arc, vec};

    /// 2024-01-01T00:00:00Z.
    const NEW_YEAR: i64 = 1_704_067_200_000;

    fn at(seconds: u64, jumped: i64) -> Now {
        Now {
            tick: Tick(1_000_000) + Span::seconds(seconds),
            wall: Wall(NEW_YEAR + jumped) + Span::seconds(seconds),
        }
    }

    /// A schedule that is due at the beginning of each hour.
    fn hourly() -> Rhythm {
        let constraint = Constraint {
            field: Field::Minute,
            test: Test::one_of(vec![0]),
        };
        let rule = Rule::new(&[constraint]);
        Rhythm::Occurrences(Arc::new(
            Occurrences::new("on the 0 minute", vec![rule], vec![]).unwrap(),
        ))
    }

    /// The host, read once at the beginning, so that its rhythm alone counts.
    fn read_once() -> (Schedule, Name) {
        let (mut schedule, host) = (Schedule::default(), Name::new("srv01"));
        schedule.add(at(60, 0), &host, &hourly(), Span::seconds(10), 0, false);
        let due = schedule.due(at(60, 0));
        assert_eq!(due.len(), 1, "the first check does not wait for its hour");
        assert_eq!(
            schedule.answered(at(61, 0), &host, due[0].probe, false),
            Some(0)
        );
        (schedule, host)
    }

    fn waits(schedule: &Schedule, now: Now) -> u64 {
        schedule.deadline().unwrap().since(now.tick).0 / 1_000
    }

    #[test]
    fn a_wall_clock_that_was_set_plans_schedules_anew() {
        let (mut schedule, host) = read_once();
        let before = waits(&schedule, at(61, 0));
        assert!((3_539..=3_570).contains(&before), "{before}");
        // Half an hour forward, then back again.
        schedule.clock_set(at(61, 1_800_000));
        assert_eq!(waits(&schedule, at(61, 1_800_000)), before - 1_800);
        schedule.clock_set(at(61, 0));
        assert_eq!(waits(&schedule, at(61, 0)), before);
        // Another look that was asked for stays.
        schedule.no_later(&host, at(66, 0).tick);
        schedule.clock_set(at(61, 1_800_000));
        assert_eq!(waits(&schedule, at(61, 1_800_000)), 5);
    }

    #[test]
    fn rounds_that_went_by_while_a_host_was_read_are_counted_and_not_caught_up() {
        let (mut schedule, host) = read_once();
        let due = schedule.due(at(3_700, 0));
        assert_eq!((due.len(), due[0].missed), (1, 0));
        assert!(schedule.due(at(10_900, 0)).is_empty(), "it is under way");
        assert_eq!(
            schedule.answered(at(10_900, 0), &host, due[0].probe, false),
            Some(2)
        );
        assert!(schedule.due(at(10_901, 0)).is_empty());
        let left = waits(&schedule, at(10_901, 0));
        assert!((3_499..=3_530).contains(&left), "{left}");
    }
}

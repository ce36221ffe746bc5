//! Who is read when: stable phases, no host twice at once, and places for live and dead hosts apart, so that the dead
//! cannot hold up the living.

use crate::{
    id::{Name, stable_hash},
    limits,
    observe::ProbeId,
    planted::{self, Planted},
    time::{Now, Span, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// When one host is read.
#[derive(Debug, Clone)]
struct Slot {
    every: Span,
    timeout: Span,
    /// When it is due next.
    due: Tick,
    /// Since when it waits for a place.
    waiting_since: Option<Tick>,
    /// The probe under way.
    under_way: Option<UnderWay>,
    /// The number of the last probe.
    last: ProbeId,
    /// Whether its last check got no answer: it then takes a place among the dead.
    dead: bool,
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
    /// How late it is.
    pub lag: Span,
    /// How many rounds were left out before.
    pub missed: u64,
}

/// The timetable.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    slots: BTreeMap<Name, Slot>,
    /// What happens next: a host is due, or its probe is given up.
    agenda: BTreeSet<(Tick, Name)>,
    /// Hosts that wait for a place, by since when.
    waiting: [BTreeSet<(Tick, Name)>; 2],
    /// Probes of the living under way, by when they have taken so long that they count among the dead.
    quick: BTreeSet<(Tick, Name)>,
    /// Probes under way, of the living and of the dead.
    busy: [usize; 2],
    next_probe: u64,
}

/// The places of each of the two pools.
const PLACES: [usize; 2] = [limits::LIVE_PROBES_MAX, limits::DEAD_PROBES_MAX];

impl Schedule {
    /// Adds a host, or changes its interval. The first check comes with the `place`-th step of the ramp, or earlier
    /// where its phase comes first.
    pub fn add(
        &mut self,
        now: Now,
        host: &Name,
        every: Span,
        timeout: Span,
        place: u64,
        dead: bool,
    ) {
        if let Some(slot) = self.slots.get_mut(host) {
            let changed = slot.every != every;
            slot.every = every;
            slot.timeout = timeout;
            if changed && slot.under_way.is_none() && slot.waiting_since.is_none() {
                let due = now.tick + phase_delay(now, host, every, false);
                self.set_due(host, due);
            }
            return;
        }
        let ramp = limits::FIRST_CHECKS_SPACING.times(place);
        let due = now.tick + ramp.min(phase_delay(now, host, every, true));
        let slot = Slot {
            every,
            timeout,
            due,
            waiting_since: None,
            under_way: None,
            last: ProbeId(0),
            dead,
        };
        self.slots.insert(host.clone(), slot);
        self.agenda.insert((due, host.clone()));
    }

    /// Whether a host is in the timetable.
    pub fn knows(&self, host: &Name) -> bool {
        self.slots.contains_key(host)
    }

    /// Removes a host. An answer that still comes is late.
    pub fn remove(&mut self, host: &Name) {
        let Some(slot) = self.slots.remove(host) else {
            return;
        };
        self.agenda.remove(&(slot.due, host.clone()));
        if let Some(since) = slot.waiting_since {
            for pool in &mut self.waiting {
                pool.remove(&(since, host.clone()));
            }
        }
        if let Some(probe) = slot.under_way {
            self.quick
                .remove(&(probe.began + limits::SLOW_PROBE, host.clone()));
            self.agenda.remove(&(probe.gives_up, host.clone()));
            self.leave(probe.dead);
        }
    }

    /// Reads a host no later than at this time.
    pub fn no_later(&mut self, host: &Name, at: Tick) {
        let Some(slot) = self.slots.get(host) else {
            return;
        };
        if slot.under_way.is_none() && slot.waiting_since.is_none() && at < slot.due {
            self.set_due(host, at);
        }
    }

    fn set_due(&mut self, host: &Name, due: Tick) {
        if let Some(slot) = self.slots.get_mut(host) {
            self.agenda.remove(&(slot.due, host.clone()));
            slot.due = due;
            self.agenda.insert((due, host.clone()));
        }
    }

    fn leave(&mut self, dead: bool) {
        if let Some(busy) = self.busy.get_mut(usize::from(dead)) {
            *busy = busy.saturating_sub(1);
        }
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        let places = (0..2).any(|pool| {
            self.has_place(pool) && self.waiting.get(pool).is_some_and(|set| !set.is_empty())
        });
        if places {
            return Some(Tick(0));
        }
        // Where the living wait for places, the slowest of them is moved among the dead in time.
        let crowded = self.waiting.first().is_some_and(|set| !set.is_empty());
        let slow = self.quick.first().filter(|_| crowded).map(|(at, _)| *at);
        self.agenda
            .first()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(slow)
            .min()
    }

    fn has_place(&self, pool: usize) -> bool {
        self.busy
            .get(pool)
            .zip(PLACES.get(pool))
            .is_some_and(|(busy, places)| busy < places)
    }

    /// Hosts whose probe is given up now: it has not answered within its timeout and some grace.
    pub fn overdue(&mut self, now: Now) -> Vec<(Name, ProbeId)> {
        let mut given_up = Vec::new();
        for (_, host) in self.agenda.iter().take_while(|(at, _)| *at <= now.tick) {
            if let Some(probe) = self
                .slots
                .get(host)
                .and_then(|slot| slot.under_way)
                .filter(|probe| probe.gives_up <= now.tick)
            {
                given_up.push((host.clone(), probe.probe));
            }
        }
        given_up
    }

    /// Hosts to be read now. Each is then under way until [`Self::answered`] or [`Self::skip`] is called for it.
    pub fn due(&mut self, now: Now) -> Vec<Due> {
        self.queue_due(now);
        self.move_slow(now);
        let mut found = Vec::new();
        for pool in 0..2 {
            while self.has_place(pool) {
                let Some((since, host)) = self.waiting.get_mut(pool).and_then(BTreeSet::pop_first)
                else {
                    break;
                };
                if let Some(due) = self.begin(now, pool == 1, since, host) {
                    found.push(due);
                }
            }
        }
        found
    }

    /// Moves what is due into the queues for places.
    fn queue_due(&mut self, now: Now) {
        while let Some((at, host)) = self
            .agenda
            .first()
            .filter(|(at, _)| *at <= now.tick)
            .cloned()
        {
            self.agenda.remove(&(at, host.clone()));
            let Some(slot) = self.slots.get_mut(&host) else {
                continue;
            };
            if slot.under_way.is_some() || slot.waiting_since.is_some() {
                continue;
            }
            slot.waiting_since = Some(at);
            let pool = usize::from(slot.dead);
            if let Some(queue) = self.waiting.get_mut(pool) {
                queue.insert((at, host));
            }
        }
    }

    /// Gives the places of live hosts free whose checks take long: who hangs does not hold up the living.
    fn move_slow(&mut self, now: Now) {
        while let Some((at, host)) = self
            .quick
            .first()
            .filter(|(at, _)| *at <= now.tick)
            .cloned()
        {
            self.quick.remove(&(at, host.clone()));
            if let Some(probe) = self
                .slots
                .get_mut(&host)
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

    fn begin(&mut self, now: Now, dead: bool, since: Tick, host: Name) -> Option<Due> {
        let slot = self.slots.get_mut(&host)?;
        self.next_probe = self.next_probe.saturating_add(1);
        let probe = ProbeId(self.next_probe);
        let gives_up = now.tick + slot.timeout + limits::PROBE_GRACE;
        let lag = now.tick.since(since);
        slot.last = probe;
        slot.waiting_since = None;
        slot.under_way = Some(UnderWay {
            probe,
            began: now.tick,
            gives_up,
            dead,
        });
        slot.due = gives_up;
        let missed = lag.0.checked_div(slot.every.0).unwrap_or(0);
        self.agenda.insert((gives_up, host.clone()));
        if !dead {
            self.quick
                .insert((now.tick + limits::SLOW_PROBE, host.clone()));
        }
        self.enter(dead);
        Some(Due { host, lag, missed })
    }

    /// The probe of a host that is under way.
    pub fn under_way(&self, host: &Name) -> Option<ProbeId> {
        self.slots
            .get(host)
            .and_then(|slot| slot.under_way)
            .map(|probe| probe.probe)
    }

    /// Takes an answer; whether it is the one that is waited for. The next round is planned; rounds that went by
    /// while the check ran are counted, not caught up.
    pub fn answered(&mut self, now: Now, host: &Name, probe: ProbeId, dead: bool) -> Option<u64> {
        let slot = self.slots.get_mut(host)?;
        let under_way = slot.under_way;
        if under_way.is_none_or(|known| known.probe != probe) {
            return (planted::is(Planted::LateAnswerBelieved)).then_some(0);
        }
        let UnderWay {
            gives_up,
            began,
            dead: was_dead,
            ..
        } = under_way?;
        let missed = now
            .tick
            .since(began)
            .0
            .checked_div(slot.every.0)
            .unwrap_or(0);
        slot.under_way = None;
        slot.dead = dead;
        self.quick
            .remove(&(began + limits::SLOW_PROBE, host.clone()));
        let every = slot.every;
        self.agenda.remove(&(gives_up, host.clone()));
        let due = now.tick + phase_delay(now, host, every, false);
        if let Some(slot) = self.slots.get_mut(host) {
            slot.due = due;
        }
        self.agenda.insert((due, host.clone()));
        self.leave(was_dead);
        Some(missed)
    }

    /// Ends the probe of a host that was not begun after all. It is asked again with the next round, or when
    /// [`Self::no_later`] says so.
    pub fn skip(&mut self, now: Now, host: &Name) {
        if let Some(probe) = self.under_way(host) {
            let dead = self.slots.get(host).is_some_and(|slot| slot.dead);
            self.answered(now, host, probe, dead);
        }
    }
}

/// How long until a host's next round: the phase of its name within its interval, the same after every restart.
/// A round that would come a moment after this one (the two clocks differ by some milliseconds) is left to the next.
fn phase_delay(now: Now, host: &Name, every: Span, first: bool) -> Span {
    let every = every.0.max(1);
    let phase = stable_hash(host.key(), 0).checked_rem(every).unwrap_or(0);
    let position = now
        .wall
        .0
        .rem_euclid(i64::try_from(every).unwrap_or(i64::MAX));
    let position = u64::try_from(position).unwrap_or(0);
    let delay = phase
        .saturating_add(every)
        .saturating_sub(position)
        .checked_rem(every)
        .unwrap_or(0);
    let soonest = if first { 0 } else { (every / 20).clamp(1, 500) };
    Span(if delay < soonest {
        delay.saturating_add(every)
    } else {
        delay
    })
}

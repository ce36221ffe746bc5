//! News of a host: registrations with it to be told of changes of services, and how often news leads to a reading.
//!
//! A registration is called an ear here. What is heard is never believed: it only makes the host be read at once.

use crate::{
    id::Name,
    limits,
    observe::State,
    time::{Now, Span, Tick, Wall},
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// Which registration: news of an earlier one than the last of its service is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EarId(pub u64);

/// What a registration brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It stands: from now on changes are told.
    Listening,
    /// The host says that the service changed.
    Changed {
        /// The state that it says; nobody is told it before a reading says the same.
        state: State,
    },
    /// It has ended, and another one may stand.
    Lost {
        /// Why, for people.
        cause: String,
    },
    /// It has ended because the host is shutting down (1115).
    ShuttingDown {
        /// Why, for people.
        cause: String,
    },
    /// The host refuses it for this service.
    Refused {
        /// Why, for people.
        cause: String,
    },
    /// The host does not know how to tell of changes.
    NotOffered {
        /// Why, for people.
        cause: String,
    },
}

words! {
    /// What became of a registration, for the log and the metrics.
    pub enum Turn {
        /// The host tells of changes from now on.
        Listening = "listening",
        /// It told of one.
        Heard = "heard",
        /// It does not tell any more, and is asked to again.
        Lost = "lost",
        /// It does not tell any more, because it is shutting down.
        ShuttingDown = "shutting_down",
        /// It may not tell us of this service.
        Refused = "refused",
        /// It does not know how to.
        NotOffered = "not_offered",
        /// Nobody wants to hear it any more.
        Ended = "ended",
    }
}

/// How changes of a service come to us, where that is more than by rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hears {
    /// The host tells of them, since then.
    AtOnce {
        /// Since when.
        since: Wall,
    },
    /// The host tells of all changes by itself, and nobody asks it to.
    ByItself {
        /// How long a notice is held after that.
        held: Span,
    },
    /// The host is being asked to, or will be after its next reading.
    Soon,
    /// Only its readings show them, for this reason.
    ByReadings {
        /// Why, for people.
        cause: String,
    },
}

/// One registration, wanted or standing.
#[derive(Debug, Clone, Default)]
pub struct Ear {
    /// Its number while the host was asked for it.
    pub id: Option<EarId>,
    /// Since when it stands.
    pub since: Option<(Tick, Wall)>,
    /// How often it was lost soon after it stood, or before.
    fails: u32,
    /// When it may be asked for again.
    pub not_before: Tick,
    /// Why the host refuses it, where it does.
    pub refused: Option<String>,
}

/// The news of one host.
#[derive(Debug, Clone, Default)]
pub struct Hearing {
    /// The registrations that are wanted, by service.
    pub ears: BTreeMap<Name, Ear>,
    /// Until when the readings that news led to are paid for.
    paid: Tick,
    /// When news has the host read.
    pending: Option<Tick>,
    /// Whether there was news while it was being read: what was read may be older.
    again: bool,
    /// Why the host offers no registrations, and until when it is not asked again.
    not_offered: Option<(String, Tick)>,
    /// Which service that is heard at once was last told without being held, and when.
    pub told_at: Option<(Name, Tick)>,
}

impl Ear {
    /// It ended. One that stood for a while is asked for again at once; else each time later.
    pub fn lost(&mut self, now: Now) {
        let stood = self
            .since
            .is_some_and(|(since, _)| now.tick.since(since) >= limits::EAR_STANDS);
        self.fails = if stood {
            0
        } else {
            self.fails.saturating_add(1)
        };
        let wait = match self.fails {
            0 | 1 => Span::ZERO,
            more => limits::EAR_RETRY_FIRST
                .times(
                    1_u64
                        .checked_shl(more.saturating_sub(2))
                        .unwrap_or(u64::MAX),
                )
                .min(limits::EAR_RETRY_MAX),
        };
        self.not_before = now.tick + wait;
        self.id = None;
        self.since = None;
    }

    /// The host refuses it.
    pub fn refused(&mut self, now: Now, cause: String) {
        self.id = None;
        self.since = None;
        self.refused = Some(cause);
        self.not_before = now.tick + limits::EAR_REFUSED_WAIT;
    }
}

impl Hearing {
    /// The numbers of the registrations that were asked for.
    pub fn open(&self) -> impl Iterator<Item = (&Name, EarId)> {
        self.ears
            .iter()
            .filter_map(|(service, ear)| Some((service, ear.id?)))
    }

    /// The registration of a service, where it bears this number.
    pub fn ear(&mut self, service: &Name, id: EarId) -> Option<&mut Ear> {
        self.ears.get_mut(service).filter(|ear| ear.id == Some(id))
    }

    /// When news that comes now has the host read; where it is being read, afterwards.
    pub fn news(&mut self, now: Tick, under_way: bool) -> Option<Tick> {
        if under_way {
            self.again = true;
            return None;
        }
        let burst = limits::HEARD_READS_EVERY.times(limits::HEARD_READS_AT_ONCE);
        let earliest = Tick(self.paid.0.saturating_sub(burst.0));
        Some(*self.pending.get_or_insert(now.max(earliest)))
    }

    /// A reading begins. One that news led to is paid for, so that ceaseless news is no ceaseless reading.
    pub fn read_begins(&mut self, now: Tick) {
        if self.pending.take().is_some() {
            self.paid = self.paid.max(now) + limits::HEARD_READS_EVERY;
        }
    }

    /// A reading has ended; whether there was news meanwhile.
    pub fn read_ended(&mut self) -> bool {
        core::mem::take(&mut self.again)
    }

    /// The host does not offer registrations.
    pub fn not_offered(&mut self, now: Now, cause: String) {
        self.not_offered = Some((cause, now.tick + limits::EAR_REFUSED_WAIT));
        for ear in self.ears.values_mut() {
            ear.id = None;
            ear.since = None;
        }
    }

    /// The host was logged on to anew: what it refused before it may grant now.
    pub fn new_session(&mut self) {
        self.not_offered = None;
        for ear in self.ears.values_mut() {
            if ear.refused.take().is_some() {
                ear.not_before = Tick(0);
            }
        }
    }

    /// Whether registrations may be asked for.
    pub fn is_offered(&mut self, now: Tick) -> bool {
        if self
            .not_offered
            .as_ref()
            .is_some_and(|(_, until)| *until <= now)
        {
            self.not_offered = None;
        }
        self.not_offered.is_none()
    }

    /// Leaves only these services; gives the registrations of the others that were asked for.
    pub fn keep(&mut self, wanted: &[Name]) -> Vec<(Name, EarId)> {
        let gone: Vec<(Name, Option<EarId>)> = self
            .ears
            .iter()
            .filter(|(service, _)| !wanted.contains(service))
            .map(|(service, ear)| (service.clone(), ear.id))
            .collect();
        for (service, _) in &gone {
            self.ears.remove(service);
        }
        gone.into_iter()
            .filter_map(|(service, id)| Some((service, id?)))
            .collect()
    }

    /// How changes of a service come to us.
    pub fn hears(&self, service: &Name) -> Hears {
        if let Some((cause, _)) = &self.not_offered {
            return Hears::ByReadings {
                cause: cause.clone(),
            };
        }
        match self.ears.get(service) {
            Some(Ear {
                since: Some((_, since)),
                ..
            }) => Hears::AtOnce { since: *since },
            Some(Ear {
                refused: Some(cause),
                ..
            }) => Hears::ByReadings {
                cause: cause.clone(),
            },
            Some(_) | None => Hears::Soon,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn at(milliseconds: u64) -> Now {
        Now {
            tick: Tick(1_000_000) + Span(milliseconds),
            wall: Wall(0) + Span(milliseconds),
        }
    }

    #[test]
    fn ceaseless_news_is_a_bounded_number_of_readings() {
        let mut hearing = Hearing::default();
        let (mut reads, mut next) = (0_u32, None::<Tick>);
        // A change each millisecond for a minute, and a reading of two milliseconds each time that it may be.
        for milliseconds in 0..60_000_u64 {
            let now = at(milliseconds).tick;
            if next.is_some_and(|at| at <= now) {
                hearing.read_begins(now);
                assert_eq!(hearing.news(now, true), None, "it is being read");
                assert!(hearing.read_ended());
                reads += 1;
                next = None;
            }
            let due = hearing.news(now, false);
            next = next.or(due);
        }
        assert!((60..=66).contains(&reads), "{reads}");
        assert!(!hearing.read_ended());
    }

    #[test]
    fn what_is_lost_at_once_is_asked_for_later_each_time_and_what_stood_at_once() {
        let mut ear = Ear::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            ear.lost(at(0));
            waits.push(ear.not_before.since(at(0).tick).0);
        }
        assert_eq!(waits[..4], [0, 1_000, 2_000, 4_000]);
        assert_eq!(waits[11], limits::EAR_RETRY_MAX.0);
        ear.since = Some((at(0).tick, at(0).wall));
        let later = at(limits::EAR_STANDS.0);
        ear.lost(later);
        assert_eq!(ear.not_before, later.tick);
    }

    #[test]
    fn a_refusal_holds_for_hours_or_until_a_new_session() {
        let mut hearing = Hearing::default();
        let service = Name::new("Spooler");
        hearing.ears.insert(service.clone(), Ear::default());
        assert_eq!(hearing.hears(&service), Hears::Soon);
        if let Some(ear) = hearing.ears.get_mut(&service) {
            ear.refused(at(0), "denied".to_string());
        }
        let refused = Hears::ByReadings {
            cause: "denied".to_string(),
        };
        assert_eq!(hearing.hears(&service), refused);
        hearing.new_session();
        assert_eq!(hearing.hears(&service), Hears::Soon);

        hearing.not_offered(at(0), "unknown call".to_string());
        assert!(!hearing.is_offered(at(1_000).tick));
        assert!(hearing.is_offered(at(limits::EAR_REFUSED_WAIT.0).tick));
    }
}

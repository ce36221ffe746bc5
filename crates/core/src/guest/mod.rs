//! Guests: hosts that nobody watches, and that somebody asks for all the same. A guest is read when it is asked for and
//! never else; it has no incidents, no rows of its own and no views. What a logon there comes to counts for its account as
//! one at a host does.

mod name;

pub use name::{Allowed, BadPattern, name};

use crate::{
    id::Name,
    limits,
    observe::{HostFault, Logon},
    plan::{HostPlan, Plan},
    time::{Now, Span, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Who may be a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestPlan {
    /// The names that are let in; where there are none, nobody is.
    pub allow: Vec<Allowed>,
    /// The accounts that guests are read with.
    pub accounts: Vec<Name>,
    /// How long one reading may take, and how long one may wait for its logon.
    pub timeout: Span,
}

impl GuestPlan {
    /// Whether it lets in a guest of this name.
    pub fn lets_in(&self, guest: &Name) -> bool {
        self.allow.iter().any(|allowed| allowed.lets_in(guest))
    }
}

/// A guest and the account that it is read with: whoever asks for the same at the same time shares one reading, and each
/// has a session of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visit {
    /// The guest, by its name in the one form that [`name`] gives.
    pub guest: Name,
    /// The account.
    pub account: Name,
}

/// What a reading of a guest is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRequest {
    /// Of which guest, and with which account.
    pub visit: Visit,
    /// Whether it may log on where no session is kept.
    pub may_log_on: bool,
    /// How many logons it may try: a second one, with the account's previous password, where a first one is refused.
    pub logons: u8,
    /// How long all of it may take.
    pub timeout: Span,
}

/// How a reading of a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// It was read. What was read is for who asked, and means nothing here.
    Read,
    /// It was not.
    Fault(HostFault),
    /// There is no kept session, and the reading was not allowed to log on. Nothing was tried.
    LogonNeeded,
}

/// What a reading of a guest brings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitEnded {
    /// Of which guest, and with which account.
    pub visit: Visit,
    /// Whether it logged on.
    pub logon: Logon,
    /// How many of its logons were refused.
    pub refusals: u8,
    /// How it ended.
    pub met: Met,
    /// Whether a session is kept open for the next one.
    pub session_kept: bool,
}

/// What those are told who asked for a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisitAnswer {
    /// It was read.
    Read,
    /// It was not read.
    Fault(HostFault),
    /// It may not be read: the plan does not let it in, or it is a host of the plan.
    NotAllowed,
    /// There is no room for it now.
    TooMany(Full),
}

/// Where there is no room for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// So many are being read or wait for it as may.
    Readings,
    /// So many have a session as may.
    Sessions,
    /// So many are remembered to have refused the account's password as can be.
    Refusals,
    /// The program is ending.
    Ending,
}

/// What becomes of a guest that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It waits for its turn.
    Waits,
    /// It waits already, or is being read.
    Joins,
    /// There are too many.
    TooMany(Full),
}

/// What becomes of a guest whose reading has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its session is kept for a while.
    Stays,
    /// It is forgotten, and who asked for it is told.
    Goes,
    /// It is forgotten, and everybody was told before.
    Dismissed,
}

/// Where a guest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for its turn to log on.
    Waits {
        /// Its place among those that wait.
        place: u64,
        /// When it is given up.
        until: Tick,
    },
    /// It is being read.
    UnderWay {
        /// Whether anybody still wants to know.
        wanted: bool,
    },
    /// It was read, and its session is kept.
    Idle {
        /// Since when.
        since: Tick,
    },
}

#[derive(Debug, Clone, Copy)]
struct Guest {
    session_kept: bool,
    stage: Stage,
}

/// The guests that are known: those that wait, are being read, or were read a short while ago.
#[derive(Debug, Clone, Default)]
pub struct Guests {
    known: BTreeMap<Visit, Guest>,
    /// The names and addresses of the plan's hosts, as guests would be named.
    hosts: BTreeSet<Name>,
    /// How often one began to wait.
    places: u64,
}

/// The names that a host would have as a guest: its own and that of its address.
pub fn names_of(host: &HostPlan) -> impl Iterator<Item = Name> {
    let by_name = name(host.name.as_str());
    let by_address = name(&host.address).filter(|address| by_name.as_ref() != Some(address));
    by_name.into_iter().chain(by_address)
}

impl Guests {
    /// Another plan: from now on its hosts are no guests, under whatever spelling.
    pub fn set_hosts(&mut self, plan: &Plan) {
        self.hosts.clear();
        if !plan.guests.allow.is_empty() {
            let hosts = plan.hosts.iter();
            self.hosts.extend(hosts.flat_map(|host| names_of(host)));
        }
    }

    /// Whether a guest is a host of the plan, by its name or address.
    pub fn is_host(&self, guest: &Name) -> bool {
        self.hosts.contains(guest)
    }

    /// Whether a guest of this name is being read, with whatever account.
    pub fn is_read(&self, guest: &Name) -> bool {
        let mut readings = self.known.iter();
        readings.any(|(visit, one)| {
            visit.guest == *guest && matches!(one.stage, Stage::UnderWay { .. })
        })
    }

    /// Somebody asks for a guest, and waits for so long at most.
    pub fn ask(&mut self, now: Now, visit: &Visit, patience: Span) -> Asked {
        let known = self.known.get_mut(visit);
        let session_kept = match known {
            Some(guest) => match &mut guest.stage {
                Stage::Waits { .. } => return Asked::Joins,
                Stage::UnderWay { wanted } => {
                    *wanted = true;
                    return Asked::Joins;
                }
                Stage::Idle { .. } => guest.session_kept,
            },
            None => false,
        };
        if self.busy() >= limits::VISITS_MAX {
            return Asked::TooMany(Full::Readings);
        }
        if !self.known.contains_key(visit) && self.known.len() >= limits::GUESTS_MAX {
            return Asked::TooMany(Full::Sessions);
        }
        self.wait(now, visit, session_kept, patience);
        Asked::Waits
    }

    fn wait(&mut self, now: Now, visit: &Visit, session_kept: bool, patience: Span) {
        self.places = self.places.saturating_add(1);
        let guest = Guest {
            session_kept,
            stage: Stage::Waits {
                place: self.places,
                until: now.tick + patience,
            },
        };
        self.known.insert(visit.clone(), guest);
    }

    /// How many wait or are being read.
    fn busy(&self) -> usize {
        let idle = |guest: &&Guest| matches!(guest.stage, Stage::Idle { .. });
        self.known
            .len()
            .saturating_sub(self.known.values().filter(idle).count())
    }

    /// Those that wait, in the order in which they were asked for, each with when it is given up.
    pub fn waiting(&self) -> Vec<(Visit, Tick)> {
        let mut waiting: Vec<(u64, Visit, Tick)> = Vec::new();
        for (visit, guest) in &self.known {
            if let Stage::Waits { place, until } = guest.stage {
                waiting.push((place, visit.clone(), until));
            }
        }
        waiting.sort_unstable_by_key(|(place, ..)| *place);
        waiting
            .into_iter()
            .map(|(_, visit, until)| (visit, until))
            .collect()
    }

    /// Whether a session with a guest is kept.
    pub fn has_session(&self, visit: &Visit) -> bool {
        self.known
            .get(visit)
            .is_some_and(|guest| guest.session_kept)
    }

    /// A guest that waited is being read from now on.
    pub fn begin(&mut self, visit: &Visit) {
        if let Some(guest) = self.known.get_mut(visit) {
            guest.stage = Stage::UnderWay { wanted: true };
        }
    }

    /// The reading of a guest has ended.
    pub fn ended(&mut self, now: Now, visit: &Visit, session_kept: bool) -> Ended {
        let Some(guest) = self.known.get_mut(visit) else {
            return Ended::Dismissed;
        };
        let wanted = guest.stage != Stage::UnderWay { wanted: false };
        if wanted && session_kept {
            *guest = Guest {
                session_kept,
                stage: Stage::Idle { since: now.tick },
            };
            return Ended::Stays;
        }
        self.known.remove(visit);
        if wanted {
            Ended::Goes
        } else {
            Ended::Dismissed
        }
    }

    /// The session with a guest was gone: it waits for its turn to log on, unless nobody wants to know any more. Then it is
    /// forgotten, and that is said.
    pub fn needs_logon(&mut self, now: Now, visit: &Visit, patience: Span) -> bool {
        match self.known.get(visit).map(|guest| guest.stage) {
            Some(Stage::UnderWay { wanted: false }) | None => {
                self.known.remove(visit);
                true
            }
            Some(Stage::UnderWay { wanted: true } | Stage::Waits { .. } | Stage::Idle { .. }) => {
                self.wait(now, visit, false, patience);
                false
            }
        }
    }

    /// A guest is not known any more.
    pub fn forget(&mut self, visit: &Visit) {
        self.known.remove(visit);
    }

    /// Those whose session was not used for long; they are forgotten with that.
    pub fn take_idle(&mut self, now: Now) -> Vec<Visit> {
        let mut gone = Vec::new();
        self.known.retain(|visit, guest| {
            let over = matches!(guest.stage, Stage::Idle { since } if since + limits::GUEST_KEPT <= now.tick);
            if over {
                gone.push(visit.clone());
            }
            !over
        });
        gone
    }

    /// All that are known.
    pub fn all(&self) -> Vec<Visit> {
        self.known.keys().cloned().collect()
    }

    /// A guest may not be read any more: it is forgotten unless it is being read, which ends by itself. Whether somebody
    /// waits for it who is to be told.
    pub fn dismiss(&mut self, visit: &Visit) -> bool {
        let Some(guest) = self.known.get_mut(visit) else {
            return false;
        };
        match &mut guest.stage {
            Stage::UnderWay { wanted } => core::mem::replace(wanted, false),
            Stage::Waits { .. } => {
                self.known.remove(visit);
                true
            }
            Stage::Idle { .. } => {
                self.known.remove(visit);
                false
            }
        }
    }

    /// Whether a guest is known.
    pub fn knows(&self, visit: &Visit) -> bool {
        self.known.contains_key(visit)
    }

    /// When the next session is to be ended because it was not used for long.
    pub fn idle_deadline(&self) -> Option<Tick> {
        let idle = self.known.values().filter_map(|guest| match guest.stage {
            Stage::Idle { since } => Some(since + limits::GUEST_KEPT),
            Stage::Waits { .. } | Stage::UnderWay { .. } => None,
        });
        idle.min()
    }
}

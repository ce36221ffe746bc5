//! Hosts that tell of changes at once: most of them truly, some late, twice or not at all, and some lie. What they say
//! must have them read, and never be told itself.

use crate::{
    item::Item,
    machines::Mode,
    rng::Rng,
    services::Visible,
    setup::{SECOND, Setup},
    story::StoreChange,
    world::World,
};
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    effect::Fact,
    event::Event,
    hearing::{self, EarId, News},
    id::Name,
    limits,
    observe::{Fault, State},
    plan::HostPlan,
};

/// How many of a hundred worlds hear at once.
const WORLDS: u64 = 50;
/// How long after news a reading may begin: one under way may have to be given up before, and then it has its turn.
const READ_WITHIN: u64 = 8 * SECOND;

/// A registration as it truly stands.
#[derive(Debug, Clone)]
pub(crate) struct Ear {
    host: Name,
    service: Name,
    machine: usize,
    /// The session that it stands in.
    session_since: u64,
    /// The lasting state that was seen last.
    last: State,
    /// Whether it stands; before, nothing is told.
    stands: bool,
}

/// What a host will do about a registration.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// It answers whether it tells.
    Stands(EarId),
    /// It tells of a change.
    Tells(EarId, State),
    /// It does not tell any more.
    Lost(EarId),
    /// It does not tell any more, because it shuts down.
    ShutsDown(EarId),
    /// Something may have changed that is to be told of.
    Look,
}

/// What a registration comes to when it is looked at.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// It goes on, and has this to tell.
    Tells(State),
    /// It broke.
    Broke,
    /// Its host shuts down.
    ShutsDown,
}

/// What is registered, and whose news waits for a reading.
#[derive(Debug)]
pub(crate) struct Ears {
    standing: BTreeMap<EarId, Ear>,
    /// Since when news of a host waits for a reading, and the session that it came in.
    waits: BTreeMap<Name, (u64, u64)>,
    chance: Rng,
}

impl Ears {
    /// None.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            standing: BTreeMap::new(),
            waits: BTreeMap::new(),
            chance: Rng::new(seed, 14),
        }
    }

    /// The monitor has died, and all registrations with it.
    pub(crate) fn clear(&mut self) {
        self.standing.clear();
        self.waits.clear();
    }

    /// The plan is another one.
    pub(crate) fn replanned(&mut self) {
        self.waits.clear();
    }

    /// The monitor ends a registration.
    pub(crate) fn end(&mut self, ear: EarId) {
        self.standing.remove(&ear);
    }

    /// The monitor ends the session with a host.
    pub(crate) fn forget(&mut self, host: &Name) {
        self.standing.retain(|_, ear| ear.host != *host);
        self.waits.remove(host);
    }
}

/// The same world, but some services are to be heard at once, where this world is one of those that hear.
pub(crate) fn with_instant(seed: u64, setup: &mut Setup) {
    let mut rng = Rng::new(seed, 13);
    if !rng.chance(WORLDS) {
        return;
    }
    for host in &mut setup.plan.hosts {
        for entry in &mut Arc::make_mut(host).services {
            entry.instant = rng.chance(60);
        }
    }
}

/// The same world, but nothing is heard at once.
pub(crate) fn deaf(mut setup: Setup) -> Setup {
    for host in &mut setup.plan.hosts {
        for entry in &mut Arc::make_mut(host).services {
            entry.instant = false;
            entry.remedy = None;
        }
    }
    setup
}

/// Whether a machine knows how to tell of changes.
const fn offers(machine: usize) -> bool {
    machine % 4 != 3
}

impl World {
    /// The monitor was told by a registration that its host shuts down.
    pub(crate) fn note_ear(&mut self, fact: &Fact) {
        if let Fact::Ear { host, turn, .. } = fact
            && *turn == hearing::Turn::ShuttingDown
        {
            self.oracle.says_so(host);
        }
    }

    /// The monitor asks a host to tell of a service.
    pub(crate) fn listen(&mut self, host: &Name, service: &Name, id: EarId) {
        let Some(&machine) = self.names.get(host) else {
            return;
        };
        let standing = self.ears.standing.values().filter(|ear| ear.host == *host);
        if standing.count() >= limits::EARS_PER_HOST_MAX {
            let sentence = format!("{host} is asked for too many registrations");
            self.oracle.broken("I6", sentence);
        }
        let twice = self
            .ears
            .standing
            .values()
            .any(|ear| ear.host == *host && ear.service == *service);
        if twice {
            let sentence = format!("{host} is asked twice to tell of {service}");
            self.oracle.broken("I6", sentence);
        }
        let ear = Ear {
            host: host.clone(),
            service: service.clone(),
            machine,
            session_since: self.machines[machine].session_since,
            last: State::Unknown,
            stands: false,
        };
        self.ears.standing.insert(id, ear);
        let wait = self.ears.chance.between(1, 60);
        self.later(self.now + wait, Item::Ear(Turn::Stands(id)));
    }

    /// A host does something about a registration.
    pub(crate) fn turn_ear(&mut self, turn: Turn) {
        match turn {
            Turn::Stands(ear) => self.ear_stands(ear),
            Turn::Tells(ear, state) => self.ear_tells(ear, state),
            Turn::Lost(ear) => self.lose(ear, "it broke"),
            Turn::ShutsDown(ear) => self.says_goodbye(ear),
            Turn::Look => self.look_at_ears(),
        }
    }

    /// A host answers whether it tells of a service.
    fn ear_stands(&mut self, id: EarId) {
        let Some(ear) = self.ears.standing.get(&id).cloned() else {
            return;
        };
        let machine = &self.machines[ear.machine];
        let well = machine.mode(self.now) == Mode::Well
            && machine.session.is_some()
            && machine.session_since == ear.session_since;
        if !well {
            self.lose(id, "no session");
        } else if !offers(ear.machine) {
            self.ears.standing.remove(&id);
            let cause = "it does not know the call".to_string();
            self.news(&ear, id, News::NotOffered { cause });
        } else {
            if let Some(known) = self.ears.standing.get_mut(&id) {
                known.stands = true;
            }
            self.news(&ear, id, News::Listening);
            self.look_at_ears();
        }
    }

    fn lose(&mut self, id: EarId, why: &str) {
        if let Some(ear) = self.ears.standing.remove(&id) {
            let cause = why.to_string();
            self.news(&ear, id, News::Lost { cause });
        }
    }

    /// A host ends a registration because it shuts down; its other calls say the same.
    fn says_goodbye(&mut self, id: EarId) {
        if let Some(ear) = self.ears.standing.remove(&id) {
            let cause = "1115".to_string();
            self.news(&ear, id, News::ShuttingDown { cause });
        }
    }

    fn news(&mut self, ear: &Ear, id: EarId, news: News) {
        self.say(|| format!("news of {} {}: {news:?}", ear.host, ear.service));
        let reads = matches!(news, News::Changed { .. } | News::Listening);
        if reads && self.monitor.is_some() && self.store_mode.0 == StoreChange::Heal {
            let since = self.machines[ear.machine].session_since;
            let waits = self.ears.waits.entry(ear.host.clone());
            waits.or_insert((self.now, since));
        }
        self.tell(Event::Heard {
            host: ear.host.clone(),
            service: ear.service.clone(),
            ear: id,
            news,
        });
    }

    /// Looks which registrations have something to tell.
    pub(crate) fn look_at_ears(&mut self) {
        let mut due = Vec::new();
        for (id, ear) in &mut self.ears.standing {
            let machine = &self.machines[ear.machine];
            if !ear.stands {
                continue;
            }
            if machine.mode(self.now) == Mode::Fault(Fault::ShuttingDown) {
                // Nothing more is told by it.
                ear.stands = false;
                due.push((*id, Due::ShutsDown));
                continue;
            }
            if machine.session.is_none() || machine.session_since != ear.session_since {
                due.push((*id, Due::Broke));
                continue;
            }
            let Some(service) = machine.services.iter().find(|one| one.name == ear.service) else {
                continue;
            };
            let (state, _, _) = service.state(self.now);
            let lasts = matches!(state, State::Running | State::Stopped | State::Paused);
            if lasts && state != ear.last && service.visible() == Visible::Listed {
                ear.last = state;
                due.push((*id, Due::Tells(state)));
            }
        }
        for (id, state) in due {
            self.tell_of(id, state);
        }
    }

    /// A registration tells of a change, or of its end: now, soon, often, falsely, or never.
    fn tell_of(&mut self, id: EarId, end: Due) {
        let chance = &mut self.ears.chance;
        let soon = self.now + chance.between(0, 300);
        let state = match end {
            Due::Tells(state) => state,
            Due::ShutsDown if chance.chance(80) => {
                self.later(soon, Item::Ear(Turn::ShutsDown(id)));
                return;
            }
            Due::ShutsDown | Due::Broke => {
                let end = self.now + chance.between(0, 2 * SECOND);
                self.later(end, Item::Ear(Turn::Lost(id)));
                return;
            }
        };
        let times = if chance.chance(10) { 40 } else { 1 };
        let lie = chance
            .chance(15)
            .then(|| chance.pick(&[State::Stopped, State::Running, State::Paused]));
        let lies_at = soon + chance.between(1, 30 * SECOND);
        match chance.below(100) {
            0..10 => {}
            10..20 => self.later(soon, Item::Ear(Turn::Lost(id))),
            20..30 => self.later(lies_at, Item::Ear(Turn::Tells(id, state))),
            _ => {
                for turn in 0..times {
                    self.later(soon + turn, Item::Ear(Turn::Tells(id, state)));
                }
            }
        }
        if let Some(lie) = lie {
            self.later(lies_at, Item::Ear(Turn::Tells(id, lie)));
        }
    }

    /// Times at which a machine has something to tell that goes down now.
    pub(crate) fn foresee_news(&mut self, down: u64) {
        for at in (0..=down).step_by(700) {
            self.later(self.now + at, Item::Ear(Turn::Look));
        }
    }

    /// A registration tells.
    fn ear_tells(&mut self, id: EarId, state: State) {
        let Some(ear) = self.ears.standing.get(&id).cloned() else {
            return;
        };
        let machine = &self.machines[ear.machine];
        if machine.session.is_some() && machine.session_since == ear.session_since {
            self.news(&ear, id, News::Changed { state });
        }
    }

    /// A reading begins: it follows what was heard before it, and must not be late.
    pub(crate) fn reading_follows(&mut self, host: &Name, timeout: u64) {
        let Some((since, session)) = self.ears.waits.remove(host) else {
            return;
        };
        self.news_is_read(host, (since, session), timeout);
    }

    fn news_is_read(&mut self, host: &Name, (since, session): (u64, u64), timeout: u64) {
        let Some(&machine) = self.names.get(host) else {
            return;
        };
        let machine = &self.machines[machine];
        let steady = self.store_mode.0 == StoreChange::Heal
            && self.store_mode.1 + 60 * SECOND < since
            && self.up_since < since
            && self.writing.as_ref().is_none_or(|one| one.failed.is_none())
            && machine.mode(self.now) == Mode::Well
            && machine.mode_since < since
            && machine.session.is_some()
            && machine.session_since == session
            && session < since;
        if steady && self.now > since + timeout + limits::PROBE_GRACE.0 + READ_WITHIN {
            let sentence = format!(
                "{host} said at {} that something changed, and was not read before now",
                crate::story::clock(since).trim()
            );
            self.oracle.broken("I6", sentence);
        }
    }

    /// News that nobody read is found too.
    pub(crate) fn scan_news(&mut self) {
        let plan = Arc::clone(&self.plan);
        for host in &plan.hosts {
            if let Some(waits) = self.ears.waits.get(&host.name).copied() {
                self.news_is_read(&host.name, waits, host.timeout.0);
            }
        }
    }

    /// After the quiet every service that is to be heard is heard.
    pub(crate) fn all_is_heard(&mut self) {
        let plan = Arc::clone(&self.plan);
        for host in &plan.hosts {
            self.host_is_heard(host);
        }
    }

    fn host_is_heard(&mut self, host: &HostPlan) {
        let Some(&at) = self.names.get(&host.name) else {
            return;
        };
        let machine = &self.machines[at];
        if !offers(at)
            || machine.session.is_none()
            || machine.services.len() > limits::EARS_PER_HOST_MAX
        {
            return;
        }
        let deaf = machine.services.iter().find(|service| {
            let entry = crate::readings::entry_of(host, &service.name);
            let there =
                service.visible() == Visible::Listed && service.state(self.now).0 != State::Missing;
            let stands = self.ears.standing.values().any(|ear| {
                ear.stands
                    && ear.host == host.name
                    && ear.service == service.name
                    && ear.session_since == machine.session_since
            });
            // Another host of the same machine may have selected it for what it is no more.
            let known = (host.name.clone(), service.name.clone());
            let watched = self.page.services.contains_key(&known);
            there && watched && entry.is_some_and(|entry| entry.instant) && !stands
        });
        if let Some(service) = deaf {
            let sentence = format!(
                "nobody listens to {} on {} any more",
                service.name, host.name
            );
            self.oracle.broken("I6", sentence);
        }
    }
}

//! News of the services of this computer, at once: of each of them when its state changes, of new and deleted ones, and
//! of processes that end without a word. News is no reading: it only has the computer read. What is missed or comes
//! too late the next reading finds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use svcwatch_core::id::Name;
use svcwatch_wire::scmr::access;
use windows_sys::Win32::Foundation::ERROR_SERVICE_MARKED_FOR_DELETE;
use windows_sys::Win32::System::Services::{
    SERVICE_NOTIFY_CONTINUE_PENDING, SERVICE_NOTIFY_CREATED, SERVICE_NOTIFY_DELETE_PENDING,
    SERVICE_NOTIFY_DELETED, SERVICE_NOTIFY_PAUSE_PENDING, SERVICE_NOTIFY_PAUSED,
    SERVICE_NOTIFY_RUNNING, SERVICE_NOTIFY_START_PENDING, SERVICE_NOTIFY_STOP_PENDING,
    SERVICE_NOTIFY_STOPPED,
};

use super::calls::{Code, Handle};
use super::ends::Ends;
use super::faults;
use super::pace::Pace;
use super::pulse::{Pulse, watch_over};
use super::watched::{Bell, Ear, Process};
use crate::probe::Stirs;

/// Services that are heard at once, at most, and processes that are held on to.
const EARS_MAX: usize = 1_000;
/// How often the computer is read where not all of it is heard.
const READ_WHERE_DEAF: Duration = Duration::from_secs(30);
/// How long a service that could not be heard is left alone.
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// How long the thread waits until it opens the manager again that it lost.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Everything that a service tells.
const STATES: u32 = SERVICE_NOTIFY_STOPPED
    | SERVICE_NOTIFY_START_PENDING
    | SERVICE_NOTIFY_STOP_PENDING
    | SERVICE_NOTIFY_RUNNING
    | SERVICE_NOTIFY_CONTINUE_PENDING
    | SERVICE_NOTIFY_PAUSE_PENDING
    | SERVICE_NOTIFY_PAUSED
    | SERVICE_NOTIFY_DELETE_PENDING;

/// The services of the last list, with the process that each runs in.
pub(super) type Listed = Vec<(String, Option<u32>)>;

/// Those that listen, by the name of this computer among the hosts. They outlive the sessions that services are read
/// in: who lost the manager has the computer read as soon as it is back, which no round would for long.
#[derive(Debug, Default)]
pub(in crate::probe) struct Listening(Mutex<Listeners>);

#[derive(Debug, Default)]
struct Listeners {
    all: BTreeMap<Name, Arc<News>>,
    /// Whether nobody is to listen.
    silent: bool,
}

impl Listening {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one for a host, begun where there is none; nothing where nobody is to listen.
    pub(super) fn begin(&self, host: &Name, stirs: &Stirs) -> Result<Option<Arc<News>>, String> {
        let mut listeners = self.lock();
        if listeners.silent {
            return Ok(None);
        }
        if let Some(known) = listeners.all.get(host) {
            return Ok(Some(Arc::clone(known)));
        }
        let news = Arc::new(News::start(host.clone(), stirs.clone())?);
        listeners.all.insert(host.clone(), Arc::clone(&news));
        Ok(Some(news))
    }

    /// Does not listen for a host any more: it is not watched, or is read in another way.
    pub(in crate::probe) fn end(&self, host: &Name) {
        if let Some(news) = self.lock().all.remove(host) {
            news.end();
        }
    }

    /// Whether there may be those that listen; where not, all end now.
    pub(in crate::probe) fn hear(&self, hears: bool) {
        let mut listeners = self.lock();
        listeners.silent = !hears;
        if !hears {
            while let Some((_, news)) = listeners.all.pop_first() {
                news.end();
            }
        }
    }

    /// Whether somebody may listen and nobody does, or the other way round, for a session that was opened with `news`.
    pub(super) fn differs(&self, news: Option<&Arc<News>>) -> bool {
        news.is_some_and(|news| news.has_ended()) || (news.is_none() && !self.lock().silent)
    }
}

/// The thread that listens, as long as this value lives and was not ended.
#[derive(Debug)]
pub(super) struct News {
    /// None once it was ended.
    listed: Mutex<Option<mpsc::Sender<Listed>>>,
    bell: Arc<Bell>,
    ends: Arc<Mutex<Ends>>,
    /// Says to who watches over the thread that it is wanted.
    _alive: Arc<()>,
}

impl News {
    /// Begins to listen; what happens is told as the name of this computer among the hosts.
    pub(super) fn start(host: Name, stirs: Stirs) -> Result<Self, String> {
        let bell = Bell::new().map_err(|code| format!("error {code} while making an event"))?;
        let bell = Arc::new(bell);
        let ends = Arc::new(Mutex::new(Ends::default()));
        let (listed, lists) = mpsc::channel();
        let (pulse, alive) = (Arc::new(Pulse::default()), Arc::new(()));
        let listener = Listener {
            host: host.clone(),
            stirs: stirs.clone(),
            lists,
            bell: Arc::clone(&bell),
            ends: Arc::clone(&ends),
            pulse: Arc::clone(&pulse),
        };
        std::thread::Builder::new()
            .name("scm-news".to_owned())
            .spawn(move || listener.listen())
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        tokio::spawn(watch_over(host, stirs, pulse, Arc::downgrade(&alive)));
        Ok(Self {
            listed: Mutex::new(Some(listed)),
            bell,
            ends,
            _alive: alive,
        })
    }

    /// How processes ended.
    pub(super) fn ends(&self) -> Arc<Mutex<Ends>> {
        Arc::clone(&self.ends)
    }

    /// Listens to the services of this list from now on.
    pub(super) fn listen_to(&self, listed: Listed) {
        // A thread that has ended is as good as one that hears nothing: the computer is read all the same.
        drop(self.sender().as_ref().map(|sender| sender.send(listed)));
        self.bell.ring();
    }

    /// Does not listen any more.
    fn end(&self) {
        // The thread ends where nobody can send a list any more.
        drop(self.sender().take());
        self.bell.ring();
    }

    fn has_ended(&self) -> bool {
        self.sender().is_none()
    }

    fn sender(&self) -> MutexGuard<'_, Option<mpsc::Sender<Listed>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.end();
    }
}

struct Listener {
    host: Name,
    stirs: Stirs,
    lists: mpsc::Receiver<Listed>,
    bell: Arc<Bell>,
    ends: Arc<Mutex<Ends>>,
    pulse: Arc<Pulse>,
}

/// What the thread hears with. Dropped as a whole where the manager lost track of us.
struct Ears {
    manager: Handle,
    /// For new and deleted services, where the manager tells of them.
    database: Option<Ear>,
    services: HashMap<String, Ear>,
    /// Services that could not be heard, and since when.
    deaf: HashMap<String, Instant>,
    /// Services that are between two states, as they told last.
    pending: HashSet<String>,
}

impl Listener {
    fn listen(self) {
        let mut listed = Listed::new();
        let mut ears = None;
        let mut processes: HashMap<u32, Process> = HashMap::new();
        let mut pace = Pace::new(Instant::now());
        let mut read = Instant::now();
        let mut not_before = Instant::now();
        loop {
            self.pulse.beats();
            let now = Instant::now();
            if ears.is_none() && now >= not_before {
                not_before = now + REOPEN_AFTER;
                ears = self.open();
                // What happened while nobody listened.
                if ears.is_some() {
                    pace.happened();
                }
            }
            let ended = self.look_at(&mut processes);
            if ended || ears.as_ref().is_some_and(Ears::have_news) {
                pace.happened();
            }
            let all = ears.as_ref().is_some_and(Ears::hear_all);
            if !all && now.duration_since(read) >= READ_WHERE_DEAF {
                pace.happened();
            }
            if pace.passes(now) {
                read = now;
                if self.stirs.try_send(self.host.clone()).is_err() {
                    if self.stirs.is_closed() {
                        return;
                    }
                    pace.happened();
                }
            }
            // Registering is a call to the manager, which would hold up the news. What changed in between is in another
            // reading, a little later.
            if self.hear(&mut ears, &listed, now) {
                pace.happened();
            }
            let all = ears.as_ref().is_some_and(Ears::hear_all);
            let deaf = (!all).then(|| READ_WHERE_DEAF.saturating_sub(now.duration_since(read)));
            let gone = ears
                .is_none()
                .then(|| not_before.saturating_duration_since(now));
            let limit = [pace.wait(now), deaf, gone].into_iter().flatten().min();
            self.pulse.rests();
            self.bell.wait(limit);
            self.pulse.beats();
            loop {
                match self.lists.try_recv() {
                    Ok(list) => {
                        self.hold_on(&list, &mut processes);
                        listed = list;
                    }
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        }
    }

    /// Takes in the news and registers for what comes next; whether there was any.
    fn hear(&self, ears: &mut Option<Ears>, listed: &Listed, now: Instant) -> bool {
        let Some(hearing) = ears else {
            return false;
        };
        let heard = hearing.listen_to(listed, now).and_then(|()| hearing.hear());
        heard.unwrap_or_else(|code| {
            tracing::info!(host = %self.host, code, "services are listened to anew, because the service control manager lost track");
            *ears = None;
            true
        })
    }

    /// Opens the manager; nothing where it is away.
    fn open(&self) -> Option<Ears> {
        Ears::open()
            .inspect_err(|code| {
                tracing::debug!(host = %self.host, code, "services cannot be listened to");
            })
            .ok()
    }

    /// Holds on to the processes of services, and to no others.
    fn hold_on(&self, list: &Listed, processes: &mut HashMap<u32, Process>) {
        let mut wanted: HashSet<u32> = list.iter().filter_map(|(_, pid)| *pid).collect();
        let held = self
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .held();
        processes.retain(|pid, _| wanted.contains(pid) || held.contains(pid));
        wanted.retain(|pid| !processes.contains_key(pid));
        for pid in wanted {
            if processes.len() >= EARS_MAX {
                break;
            }
            // One that may not be held on to, or is gone already, the manager tells of.
            if let Ok(process) = Process::hold(pid, &self.bell) {
                processes.insert(pid, process);
            }
        }
    }

    /// Looks which processes have ended since the last look.
    fn look_at(&self, processes: &mut HashMap<u32, Process>) -> bool {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ends.before();
        let mut any = false;
        for (pid, process) in processes.iter().filter(|(pid, _)| !known.contains(pid)) {
            if let Some(code) = process.exit_code() {
                ends.ended(*pid, code);
                any = true;
            }
        }
        any
    }
}

impl Ears {
    fn open() -> Result<Self, Code> {
        let rights = access::MANAGER_CONNECT | access::MANAGER_ENUMERATE;
        let manager = Handle::manager(None, rights)?;
        let second = Handle::manager(None, rights)?;
        Ok(Self {
            manager,
            // Where the manager does not tell of new services, the next list does.
            database: Ear::new(second, SERVICE_NOTIFY_CREATED | SERVICE_NOTIFY_DELETED).ok(),
            services: HashMap::new(),
            deaf: HashMap::new(),
            pending: HashSet::new(),
        })
    }

    /// Registers with the services of the list that are not heard yet, and lets go of those that are gone. An error means
    /// that the manager lost track of us.
    fn listen_to(&mut self, listed: &Listed, now: Instant) -> Result<(), Code> {
        let names: HashSet<&String> = listed.iter().map(|(name, _)| name).collect();
        self.services.retain(|name, _| names.contains(name));
        self.deaf
            .retain(|name, since| names.contains(name) && now.duration_since(*since) < AGAIN_AFTER);
        self.pending.retain(|name| names.contains(name));
        for (name, _) in listed {
            if self.services.contains_key(name) || self.deaf.contains_key(name) {
                continue;
            }
            let ear = if self.services.len() < EARS_MAX {
                self.manager
                    .service(name, access::QUERY_STATUS)
                    .and_then(|service| Ear::new(service, STATES))
            } else {
                Err(0)
            };
            match ear {
                Ok(ear) => {
                    self.services.insert(name.clone(), ear);
                }
                Err(code) => {
                    if let Some(code) = lost(code) {
                        return Err(code);
                    }
                    tracing::debug!(service = name, code, "the service is not heard at once");
                    self.deaf.insert(name.clone(), now);
                }
            }
        }
        Ok(())
    }

    /// Whether anything was told that was not taken in.
    fn have_news(&self) -> bool {
        let mut ears = self.database.iter().chain(self.services.values());
        ears.any(Ear::has_news)
    }

    /// Takes in what was told and registers anew; whether there was anything. An error means that the manager lost
    /// track of us, and that all is to be opened again.
    fn hear(&mut self) -> Result<bool, Code> {
        let mut any = false;
        if let Some(ear) = &mut self.database
            && let Some(told) = ear.take()
        {
            any = true;
            if let Some(code) = lost(told.code) {
                return Err(code);
            }
            if let Err(code) = ear.arm() {
                match lost(code) {
                    Some(code) => return Err(code),
                    None => self.database = None,
                }
            }
        }
        let mut gone = Vec::new();
        for (name, ear) in &mut self.services {
            let Some(told) = ear.take() else {
                continue;
            };
            any = true;
            if let Some(code) = lost(told.code) {
                return Err(code);
            }
            // 2, 3, 5 and 6 are the states between two others (SERVICE_STATUS, dwCurrentState).
            if matches!(told.state, 2 | 3 | 5 | 6) {
                self.pending.insert(name.clone());
            } else {
                self.pending.remove(name);
            }
            // A service that is to be deleted stays as long as somebody holds on to it.
            let deleted = told.triggered & SERVICE_NOTIFY_DELETE_PENDING != 0
                || told.code == ERROR_SERVICE_MARKED_FOR_DELETE;
            if deleted {
                gone.push(name.clone());
                continue;
            }
            if let Err(code) = ear.arm() {
                match lost(code) {
                    Some(code) => return Err(code),
                    None => gone.push(name.clone()),
                }
            }
        }
        for name in gone {
            self.services.remove(&name);
            self.pending.remove(&name);
            self.deaf.insert(name, Instant::now());
        }
        Ok(any)
    }

    /// Whether everything that happens is heard, so that nothing needs to be looked for.
    fn hear_all(&self) -> bool {
        self.database.is_some() && self.deaf.is_empty() && self.pending.is_empty()
    }
}

/// The code once more where it means that the manager lost track of us, or is not there any more.
fn lost(code: Code) -> Option<Code> {
    faults::lost_track(code).then_some(code)
}

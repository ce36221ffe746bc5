//! What reads a host: over the network, by the protocol of the Windows service control manager.
//!
//! [`Prober`] keeps one session per host. A check reads the whole list of services in one call and says what it
//! saw; whether that is good or bad is decided elsewhere. Nothing but [`hand`] starts or stops a service (P8).

pub mod codes;
pub mod command_line;
mod dependents;
mod ears;
pub mod events;
pub mod hand;
pub mod hello;
pub mod kerberos;
mod logs;
mod loopback;
pub mod record;
mod reports;
mod rpc;
pub(crate) mod scm;
pub mod seal;
mod session;
mod smb;
mod transport;
pub mod turns;
#[cfg(any(windows, test))]
mod wmi;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::hearing::News;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    HostFault, HostReading, Logon, Observation, Outcome, Refusal, ServiceConfig,
};
use svcwatch_core::time::Span;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub use crate::config::Encryption;
use crate::secret::Secret;
pub use dependents::{DEPENDENTS_MAX, Dependent};
pub use ears::Ears;
use kerberos::{Kerberos, Proof, Tickets};
use record::{Record, Recorder};
use rpc::{After, Ear, Failure, LoggedOn, Uptime};
pub(crate) use session::workstation;
use session::{Session, busy, no_session};

/// How a host is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A named pipe over SMB 2 or 3.
    Smb {
        /// Whether the session must be encrypted.
        encryption: Encryption,
    },
    /// Plain TCP to the simulated fleet on this machine.
    Loopback,
    /// The Windows API, as the account that svcwatch runs as; on Windows alone.
    Local,
    /// WMI, as the account that svcwatch runs as; on Windows alone.
    Wmi,
}

/// From now on the services of this computer are not read any more: it shuts down, and they end one after another.
#[cfg(windows)]
pub(crate) fn machine_goes_down() {
    scm::GOES_DOWN.begins();
}

/// Takes the names of hosts where something has just happened, so that they are read at once.
pub type Stirs = mpsc::Sender<Name>;

/// How a host is reached and as whom. A kept session is used only where nothing but the password differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Name or IP address to connect to.
    pub address: String,
    /// TCP port, usually 445.
    pub port: u16,
    /// How the host is spoken to.
    pub transport: Transport,
    /// `DOMAIN\user`, `.\user`, `user@domain` or `user`.
    pub user: String,
    /// The user's password; the simulated fleet asks for none.
    pub password: Secret,
    /// Another password, tried where the first is refused and the check may try two.
    pub second_password: Option<Secret>,
    /// By what the user logs on.
    pub auth: Auth,
}

/// By what a user logs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// NTLMv2, with the password.
    Ntlm,
    /// Kerberos, with the password or what stands in its place.
    Kerberos(Box<Kerberos>),
}

impl Access {
    /// The same with the second password in place of the first; nothing where there is none, or no password is used.
    fn with_second_password(&self) -> Option<Self> {
        let second = self.second_password.clone()?;
        let auth = match &self.auth {
            Auth::Ntlm => Auth::Ntlm,
            Auth::Kerberos(with) => match with.proof {
                Some(Proof::Password(_)) => Auth::Kerberos(Box::new(Kerberos {
                    proof: Some(Proof::Password(second.clone())),
                    ..(**with).clone()
                })),
                Some(Proof::Keytab(_) | Proof::Cache(_)) | None => return None,
            },
        };
        Some(Self {
            password: second,
            second_password: None,
            auth,
            ..self.clone()
        })
    }
}

/// The place of one host's session; locked while the host is being read.
type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// All sessions that are kept, one per host.
#[derive(Debug)]
pub struct Prober {
    slots: Mutex<BTreeMap<Name, Slot>>,
    /// Hosts that lost their session over the question how long they run: they are not asked that again.
    deaf: Mutex<BTreeSet<Name>>,
    ours: Ours,
}

/// What all sessions share.
#[derive(Debug)]
struct Ours {
    /// The name of this computer.
    workstation: String,
    tickets: Tickets,
    /// Where news goes; none where nobody wants to hear it.
    stirs: Option<Stirs>,
    /// Those that listen to this computer.
    #[cfg(windows)]
    listening: Arc<scm::Listening>,
    /// What takes down the exchange, where one is asked for.
    recorder: Option<Arc<Recorder>>,
    /// What answers in place of the hosts, where a record does.
    replay: Option<Arc<Record>>,
    /// Whether they are for acting, and so keep out of the way of those that read the same computer.
    #[cfg_attr(
        not(windows),
        expect(dead_code, reason = "only calls of the Windows API stand in one line")
    )]
    acts: bool,
}

impl Default for Prober {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober {
    /// A prober without sessions, which logs on from this computer's name.
    pub fn new() -> Self {
        Self {
            slots: Mutex::new(BTreeMap::new()),
            deaf: Mutex::new(BTreeSet::new()),
            ours: Ours {
                workstation: workstation(),
                tickets: Tickets::default(),
                stirs: None,
                #[cfg(windows)]
                listening: Arc::default(),
                recorder: None,
                replay: None,
                acts: false,
            },
        }
    }

    /// The same, which tells of hosts where something has just happened, as far as they say so by themselves.
    #[must_use]
    pub fn that_hears(mut self, stirs: Stirs) -> Self {
        self.ours.stirs = Some(stirs);
        self
    }

    /// Whether this computer is listened to from now on. Where it is not any more, all who listen to it end at once; where
    /// it is again, they begin with its next reading.
    #[cfg(windows)]
    pub fn hear(&self, hears: bool) {
        self.ours.listening.hear(hears);
    }

    /// The same, with everything taken down that its host is asked and answers. Only for one host.
    #[must_use]
    pub fn recording(mut self, recorder: Arc<Recorder>) -> Self {
        self.ours.recorder = Some(recorder);
        self
    }

    /// The same, answered by a record in place of any host: nothing is connected to.
    #[must_use]
    pub fn replaying(mut self, record: Arc<Record>) -> Self {
        self.ours.replay = Some(record);
        self
    }

    /// Reads a host's services. Answers within the request's timeout, and never twice at once for one host.
    ///
    /// A kept session that turns out to be over is renewed where the request permits a logon, and the reading is
    /// tried once more; without that permission the answer is [`Outcome::LogonNeeded`], and nobody is at fault.
    pub async fn check(&self, request: &ProbeRequest, access: &Access) -> Observation {
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(request.timeout.0);
        let mut logon = LoggedOn::default();
        let slot = self.slot(&request.host);
        let (outcome, used, session_kept) = match timeout_at(deadline, slot.lock()).await {
            // Who waited until the very end does not begin with a logon then.
            Ok(mut session) if Instant::now() < deadline => {
                let (outcome, computer) =
                    Box::pin(self.read(&mut session, request, access, deadline, &mut logon)).await;
                (outcome, computer, session.is_some())
            }
            Ok(session) => (Outcome::Fault(busy()), None, session.is_some()),
            Err(_) => (Outcome::Fault(busy()), None, false),
        };
        let took = Span(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        Observation {
            host: request.host.clone(),
            probe: request.probe,
            refusals: logon.refusals,
            administrator: logon.administrator,
            took,
            logon: if logon.accepted {
                Logon::Accepted
            } else {
                Logon::None
            },
            computer_name: used.or(logon.computer),
            outcome,
            session_kept,
        }
    }

    /// Reads how services are set up, over the kept session only. Services that do not exist are left out; a failure
    /// ends the session, and the next check opens another.
    pub async fn read_config(
        &self,
        host: &Name,
        services: &[Name],
        timeout: Span,
    ) -> Result<Vec<ServiceConfig>, HostFault> {
        let deadline = Instant::now() + Duration::from_millis(timeout.0);
        let slot = self.slot(host);
        let mut kept = timeout_at(deadline, slot.lock())
            .await
            .map_err(|_| busy())?;
        let mut session = kept.take().ok_or_else(no_session)?;
        match Box::pin(session.read_config(services, deadline)).await {
            Ok(configs) => {
                *kept = Some(session);
                Ok(configs)
            }
            Err(failure) => Err(failure.fault),
        }
    }

    /// Reads a host's services once more, over the kept session only, and asks for those of `ask` that the list lacks, as it
    /// lacks drivers; not by WMI, which tells drivers apart from services. A failure ends the session, and the next check
    /// opens another.
    pub async fn look(
        &self,
        host: &Name,
        ask: &[Name],
        timeout: Span,
    ) -> Result<HostReading, HostFault> {
        let deadline = Instant::now() + Duration::from_millis(timeout.0);
        let slot = self.slot(host);
        let mut kept = timeout_at(deadline, slot.lock())
            .await
            .map_err(|_| busy())?;
        let mut session = kept.take().ok_or_else(no_session)?;
        let ask = if session.opens_drivers() { ask } else { &[] };
        match Box::pin(session.check(ask, deadline)).await {
            Ok(reading) => {
                *kept = Some(session);
                Ok(reading)
            }
            Err(failure) => Err(failure.fault),
        }
    }

    /// Asks a host over its kept session to tell of a service's changes, until `deadline`. It never logs on.
    async fn listen(
        &self,
        host: &Name,
        service: &Name,
        deadline: Instant,
    ) -> Result<Box<Ear>, News> {
        let place = match self.known_slot(host) {
            Some(slot) => match timeout_at(deadline, slot.lock()).await {
                Ok(mut kept) => kept.as_mut().map(|session| session.ear_place(host)),
                Err(_) => None,
            },
            None => None,
        };
        let Some(place) = place else {
            let cause = "no session with the host is open".to_owned();
            return Err(News::Lost { cause });
        };
        let place = place.map_err(|cause| News::NotOffered {
            cause: cause.to_owned(),
        })?;
        let _turn = place.turn(deadline).await?;
        Box::pin(place.listen(service, deadline)).await
    }

    /// Ends the session with a host where it was given up; the next check opens another.
    async fn end_where_over(&self, host: &Name) {
        let Some(slot) = self.known_slot(host) else {
            return;
        };
        let over = slot.lock().await.take_if(|session| session.is_over());
        if let Some(session) = over {
            session.end().await;
        }
    }

    /// Ends the session with a host that is not watched any more, politely.
    pub async fn forget(&self, host: &Name) {
        let slot = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(host);
        self.deaf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(host);
        #[cfg(windows)]
        self.ours.listening.end(host);
        if let Some(slot) = slot
            && let Some(session) = slot.lock().await.take()
        {
            session.end().await;
        }
    }

    /// The number of sessions that are open; those in use at the moment count.
    pub fn sessions(&self) -> usize {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .values()
            .filter(|slot| slot.try_lock().map_or(true, |session| session.is_some()))
            .count()
    }

    /// The place of a host's session, where it was not forgotten meanwhile.
    fn known_slot(&self, host: &Name) -> Option<Slot> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(host).cloned()
    }

    fn slot(&self, host: &Name) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(host.clone()).or_default())
    }

    /// Reads over the kept session, else over a new one. The session is out of its place while it is used, so that a
    /// check that is dropped half way leaves none behind that is in the middle of an answer.
    async fn read(
        &self,
        kept: &mut Option<Session>,
        request: &ProbeRequest,
        access: &Access,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> (Outcome, Option<String>) {
        if let Some(mut session) = kept.take().filter(|session| session.is_for(access)) {
            match session.check(&request.ask, deadline).await {
                Ok(reading) => {
                    return self.keep(kept, session, request, reading, deadline).await;
                }
                Err(Failure {
                    fault,
                    after: After::Drop,
                }) => {
                    return (Outcome::Fault(fault), session.computer().map(str::to_owned));
                }
                Err(Failure {
                    fault,
                    after: After::Reopen,
                }) => {
                    tracing::debug!(host = %request.host, cause = fault.cause, "the kept session is over");
                }
            }
        }
        if !request.may_log_on {
            return (Outcome::LogonNeeded, None);
        }
        let opened = self.open(request, access, deadline, logon).await;
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => return (Outcome::Fault(failure.fault), None),
        };
        match session.check(&request.ask, deadline).await {
            Ok(reading) => self.keep(kept, session, request, reading, deadline).await,
            Err(failure) => (Outcome::Fault(failure.fault), None),
        }
    }

    /// Puts a session that answered back into its place, after it was asked how long the host runs where that is wanted.
    async fn keep(
        &self,
        kept: &mut Option<Session>,
        mut session: Session,
        request: &ProbeRequest,
        mut reading: HostReading,
        deadline: Instant,
    ) -> (Outcome, Option<String>) {
        let computer = session.computer().map(str::to_owned);
        let deaf = || self.deaf.lock().unwrap_or_else(PoisonError::into_inner);
        let asks = request.uptime && !deaf().contains(&request.host);
        let answer = if asks {
            session.uptime(deadline).await
        } else {
            Uptime::Told(None)
        };
        match answer {
            Uptime::Told(uptime) => {
                reading.uptime = uptime;
                *kept = Some(session);
            }
            Uptime::Lost => {
                tracing::debug!(host = %request.host, "the host did not answer how long it runs and is not asked that again");
                deaf().insert(request.host.clone());
            }
        }
        (Outcome::Read(reading), computer)
    }

    /// Logs on, and once more with the second password where the first is refused and the check may try two. A second
    /// try that fails otherwise says nothing of the passwords, so the refusal of the first stands.
    async fn open(
        &self,
        request: &ProbeRequest,
        access: &Access,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> Result<Session, Failure> {
        let host = &request.host;
        let first = Session::open(host, access, &self.ours, deadline, logon).await;
        let refused = match first {
            Err(failure) if failure.fault.refusal.is_some() => failure,
            other => return other,
        };
        logon.refusals = 1;
        let wrong = refused.fault.refusal == Some(Refusal::WrongPassword);
        let second = access
            .with_second_password()
            .filter(|_| wrong && request.logons > 1);
        let Some(access) = second else {
            return Err(refused);
        };
        match Session::open(host, &access, &self.ours, deadline, logon).await {
            Err(failure) if failure.fault.refusal.is_some() => {
                logon.refusals = 2;
                Err(failure)
            }
            Err(_) if !logon.accepted => Err(refused),
            opened => opened,
        }
    }
}

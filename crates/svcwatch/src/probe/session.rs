//! A kept session with one host, in whatever way the host is read.

use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, HostFault, HostReading, ServiceConfig};
use svcwatch_core::remedy::procedure::{Answer, Step, Verb};
use tokio::time::{Instant, timeout_at};

use super::dependents::Dependent;
use super::events::{EventsAsked, EventsFound, NoEvents};
use super::rpc::{self, Failure, LoggedOn, Uptime};
#[cfg(windows)]
use super::scm;
use super::transport::within;
#[cfg(windows)]
use super::wmi;
use super::{Access, Ours, Transport};

/// Only Windows has a service control manager and WMI of its own; a configuration that names them elsewhere is refused before.
#[cfg(not(windows))]
fn only_on_windows() -> Failure {
    Failure {
        fault: HostFault {
            fault: Fault::ProtocolError,
            cause: "only on Windows are services read by the Windows API or by WMI".to_owned(),
            refusal: None,
        },
        after: rpc::After::Drop,
    }
}

/// What was opened over one session is used over it alone, so that this is never met.
#[cfg(windows)]
fn no_such_session() -> HostFault {
    HostFault {
        fault: Fault::ProtocolError,
        cause: "the service was opened over another session".to_owned(),
        refusal: None,
    }
}

/// WMI only reads here.
#[cfg(windows)]
fn wmi_only_reads() -> Failure {
    Failure {
        fault: HostFault {
            fault: Fault::ProtocolError,
            cause: "by WMI services are only read; to start and stop them the host needs transport: rpc or local"
                .to_owned(),
            refusal: None,
        },
        after: rpc::After::Drop,
    }
}

/// A service that was opened for one control.
#[derive(Debug)]
pub(super) enum Opened {
    /// By MS-SCMR.
    Rpc(svcwatch_wire::scmr::Handle),
    /// By the Windows API.
    #[cfg(windows)]
    Local(scm::Handle),
}

/// Where the event log of a host is read while others use its session.
#[derive(Debug)]
pub(super) enum LogPlace {
    /// On a pipe of its own.
    Rpc(rpc::LogPlace),
    /// By the Windows API, on the computer of this address.
    #[cfg(windows)]
    Local(String),
}

impl LogPlace {
    /// Reads the last lines of the host's event logs.
    pub(super) async fn events(
        self,
        asked: &EventsAsked,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> Result<EventsFound, NoEvents> {
        match self {
            Self::Rpc(place) => place.events(asked, access, ours, deadline).await,
            #[cfg(windows)]
            Self::Local(address) => scm::read_events(&address, asked, deadline).await,
        }
    }
}

/// A kept session with one host.
#[derive(Debug)]
pub(super) enum Session {
    /// By MS-SCMR.
    Rpc(Box<rpc::Session>),
    /// By the Windows API.
    #[cfg(windows)]
    Local(Box<scm::Session>),
    /// By WMI.
    #[cfg(windows)]
    Wmi(Box<wmi::Session>),
}

impl Session {
    /// Connects, logs on and opens the service control manager, until `deadline`. `logon` says afterwards whether the host
    /// accepted the logon and who it is, also where a later step failed.
    pub(super) async fn open(
        host: &Name,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> Result<Self, Failure> {
        match access.transport {
            #[cfg(windows)]
            Transport::Local => {
                let session = Box::pin(scm::Session::open(host, access, ours, deadline, logon));
                Ok(Self::Local(Box::new(session.await?)))
            }
            #[cfg(windows)]
            Transport::Wmi => {
                ours.listening.end(host);
                let session = Box::pin(wmi::Session::open(access, deadline, logon));
                Ok(Self::Wmi(Box::new(session.await?)))
            }
            #[cfg(not(windows))]
            Transport::Local | Transport::Wmi => Err(only_on_windows()),
            Transport::Smb { .. } | Transport::Loopback => {
                #[cfg(windows)]
                ours.listening.end(host);
                let session = Box::pin(rpc::Session::open(host, access, ours, deadline, logon));
                Ok(Self::Rpc(Box::new(session.await?)))
            }
        }
    }

    /// Whether it was opened in the way that is asked for now.
    pub(super) fn is_for(&self, access: &Access) -> bool {
        match self {
            Self::Rpc(session) => session.is_for(access),
            #[cfg(windows)]
            Self::Local(session) => session.is_for(access),
            #[cfg(windows)]
            Self::Wmi(session) => session.is_for(access),
        }
    }

    /// The name by which the computer called itself.
    pub(super) fn computer(&self) -> Option<&str> {
        match self {
            Self::Rpc(session) => session.computer(),
            #[cfg(windows)]
            Self::Local(session) => session.computer(),
            #[cfg(windows)]
            Self::Wmi(session) => session.computer(),
        }
    }

    /// Reads the list of services, and asks one by one for those of `ask` that it lacks.
    pub(super) async fn check(
        &mut self,
        ask: &[Name],
        deadline: Instant,
    ) -> Result<HostReading, Failure> {
        match self {
            Self::Rpc(session) => session.check(ask, deadline).await,
            #[cfg(windows)]
            Self::Local(session) => Box::pin(session.check(ask, deadline)).await,
            #[cfg(windows)]
            Self::Wmi(session) => Box::pin(session.check(ask, deadline)).await,
        }
    }

    /// Whether drivers are found by their names as services are.
    pub(super) const fn opens_drivers(&self) -> bool {
        match self {
            Self::Rpc(_) => true,
            #[cfg(windows)]
            Self::Local(_) | Self::Wmi(_) => matches!(self, Self::Local(_)),
        }
    }

    /// Reads the configuration of services; those that do not exist are left out.
    pub(super) async fn read_config(
        &mut self,
        services: &[Name],
        deadline: Instant,
    ) -> Result<Vec<ServiceConfig>, Failure> {
        match self {
            Self::Rpc(session) => session.read_config(services, deadline).await,
            #[cfg(windows)]
            Self::Local(session) => Box::pin(session.read_config(services, deadline)).await,
            #[cfg(windows)]
            Self::Wmi(session) => Box::pin(session.read_config(services, deadline)).await,
        }
    }

    /// The services that depend on one; none where the host does not say it.
    pub(super) async fn dependents(
        &mut self,
        service: &Name,
        deadline: Instant,
    ) -> Result<Option<Vec<Dependent>>, Failure> {
        match self {
            Self::Rpc(session) => session.dependents(service.as_str(), deadline).await,
            #[cfg(windows)]
            Self::Local(session) => Box::pin(session.dependents(service, deadline)).await,
            #[cfg(windows)]
            Self::Wmi(_) => Ok(None),
        }
    }

    /// Asks how long the host runs; one that does not tell has nothing to say.
    pub(super) async fn uptime(&mut self, deadline: Instant) -> Uptime {
        match self {
            Self::Rpc(session) => session.uptime(deadline).await,
            #[cfg(windows)]
            Self::Local(session) => Uptime::Told(session.uptime()),
            #[cfg(windows)]
            Self::Wmi(_) => Uptime::Told(None),
        }
    }

    /// Where the event log can be read beside everything else; nothing where whoever reads it needs the session for that.
    pub(super) fn log_place(&self) -> Option<LogPlace> {
        match self {
            Self::Rpc(session) => session.log_place().map(LogPlace::Rpc),
            #[cfg(windows)]
            Self::Local(session) => Some(LogPlace::Local(session.address().to_owned())),
            #[cfg(windows)]
            Self::Wmi(_) => None,
        }
    }

    /// Reads the last lines of the host's event logs where there is no place beside, and says whether the session can be
    /// used on.
    pub(super) async fn events(
        &mut self,
        asked: &EventsAsked,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> (Result<EventsFound, NoEvents>, bool) {
        match self {
            Self::Rpc(session) => session.events(asked, access, ours, deadline).await,
            #[cfg(windows)]
            Self::Local(session) => {
                let found = scm::read_events(session.address(), asked, deadline);
                (found.await, true)
            }
            #[cfg(windows)]
            Self::Wmi(_) => {
                let why = "it is read by WMI, which svcwatch reads no event log by";
                (Err(NoEvents::Failed(why.to_owned())), true)
            }
        }
    }

    /// Where one more service can be listened to over this session, or why it cannot be.
    #[cfg_attr(
        not(windows),
        expect(
            clippy::unnecessary_wraps,
            reason = "only Windows has sessions without such places"
        )
    )]
    pub(super) fn ear_place(&mut self, host: &Name) -> Result<rpc::EarPlace, &'static str> {
        match self {
            Self::Rpc(session) => Ok(session.ear_place(host)),
            #[cfg(windows)]
            Self::Local(_) => Err(
                "by the Windows API all services of the machine itself are heard, each without a registration, and none of another machine",
            ),
            #[cfg(windows)]
            Self::Wmi(_) => Err("WMI tells of no change by itself"),
        }
    }

    /// Whether it was given up, because nothing answers in it or something cannot be ended otherwise.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Rpc(session) => session.is_over(),
            #[cfg(windows)]
            Self::Local(_) | Self::Wmi(_) => false,
        }
    }

    /// Answers a question of a restart; nothing is changed by one.
    pub(super) async fn question(
        &mut self,
        step: &Step,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        match self {
            Self::Rpc(session) => {
                within(deadline, "asking about a service", async {
                    Ok(session.question(step).await)
                })
                .await?
            }
            #[cfg(windows)]
            Self::Local(session) => session.question(step, deadline).await,
            #[cfg(windows)]
            Self::Wmi(_) => Err(wmi_only_reads()),
        }
    }

    /// Opens a service for one control. That this fails, or is answered with a code, means that nothing was sent.
    pub(super) async fn open_to(
        &mut self,
        verb: Verb,
        name: &Name,
        deadline: Instant,
    ) -> Result<Result<Opened, Answer>, Failure> {
        match self {
            Self::Rpc(session) => {
                let opened = within(deadline, "opening a service", async {
                    Ok(session.open_to(verb, name).await)
                });
                Ok(opened.await??.map(Opened::Rpc))
            }
            #[cfg(windows)]
            Self::Local(session) => {
                let opened = session.open_to(verb, name, deadline).await?;
                Ok(opened.map(Opened::Local))
            }
            #[cfg(windows)]
            Self::Wmi(_) => Err(wmi_only_reads()),
        }
    }

    /// Sends a control, and waits for its answer until `deadline`; says also whether the session can be used on.
    pub(super) async fn control(
        &mut self,
        verb: Verb,
        opened: Opened,
        deadline: Instant,
    ) -> (Answer, bool) {
        match (self, opened) {
            (Self::Rpc(session), Opened::Rpc(handle)) => {
                let Ok(answer) = timeout_at(deadline, session.control(verb, handle)).await else {
                    let cause = format!("no answer came to the {verb} in time");
                    return (Answer::Lost { cause }, false);
                };
                let usable = !matches!(answer, Answer::Lost { .. });
                let closed = usable
                    && matches!(
                        timeout_at(deadline, session.close_again(handle)).await,
                        Ok(Ok(()))
                    );
                (answer, closed)
            }
            #[cfg(windows)]
            (Self::Local(session), Opened::Local(handle)) => {
                session.control(verb, handle, deadline).await
            }
            #[cfg(windows)]
            (Self::Rpc(_), Opened::Local(_))
            | (Self::Local(_), Opened::Rpc(_))
            | (Self::Wmi(_), _) => (Answer::Fault(no_such_session()), false),
        }
    }

    /// Ends the session politely.
    pub(super) async fn end(self) {
        match self {
            Self::Rpc(session) => session.end().await,
            #[cfg(windows)]
            Self::Local(_) | Self::Wmi(_) => {}
        }
    }
}

/// What is told where only a kept session may be used and there is none.
pub(super) fn no_session() -> HostFault {
    HostFault {
        fault: Fault::Unreachable,
        cause: "no session with the host is open".to_owned(),
        refusal: None,
    }
}

/// What is told where nothing was asked, because the host has not answered yet what was asked before.
pub(super) fn busy() -> HostFault {
    let cause = "an earlier question to the host was still under way".to_owned();
    HostFault {
        fault: Fault::Timeout,
        cause,
        refusal: None,
    }
}

/// Longest name of our own computer that is sent, in characters: that of a NetBIOS name.
const WORKSTATION_LIMIT: usize = 15;

/// The name of this computer, as hosts write it into their security logs.
pub(crate) fn workstation() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = from_kernel
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_default();
    let short = name.trim().split('.').next().unwrap_or_default();
    if short.is_empty() {
        "SVCWATCH".to_owned()
    } else {
        short
            .to_uppercase()
            .chars()
            .take(WORKSTATION_LIMIT)
            .collect()
    }
}

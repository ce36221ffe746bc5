//! A kept session with one host, in whatever way the host is read.

use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, HostFault, HostReading, ServiceConfig};
use svcwatch_core::remedy::procedure::{Answer, Step, Verb};
use tokio::time::{Instant, timeout_at};

use super::events::{EventsAsked, EventsFound, NoEvents};
use super::rpc::{self, Failure, LoggedOn, Uptime};
#[cfg(windows)]
use super::scm;
use super::transport::within;
use super::{Access, Ours, Transport};

/// Only Windows has a service control manager of its own; a configuration that names it elsewhere is refused before.
#[cfg(not(windows))]
fn no_local() -> Failure {
    Failure {
        fault: HostFault {
            fault: Fault::ProtocolError,
            cause: "only on Windows are services read by the Windows API".to_owned(),
            refusal: None,
        },
        after: rpc::After::Drop,
    }
}

/// What was opened over one session is used over it alone, so that this is never met.
#[cfg(windows)]
fn no_such_session() -> svcwatch_core::observe::HostFault {
    svcwatch_core::observe::HostFault {
        fault: svcwatch_core::observe::Fault::ProtocolError,
        cause: "the service was opened over another session".to_owned(),
        refusal: None,
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

/// A kept session with one host.
#[derive(Debug)]
pub(super) enum Session {
    /// By MS-SCMR.
    Rpc(Box<rpc::Session>),
    /// By the Windows API.
    #[cfg(windows)]
    Local(Box<scm::Session>),
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
            #[cfg(not(windows))]
            Transport::Local => Err(no_local()),
            Transport::Smb { .. } | Transport::Loopback => {
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
        }
    }

    /// The name by which the computer called itself.
    pub(super) fn computer(&self) -> Option<&str> {
        match self {
            Self::Rpc(session) => session.computer(),
            #[cfg(windows)]
            Self::Local(session) => session.computer(),
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
        }
    }

    /// Asks how long the host runs; one that does not tell has nothing to say.
    pub(super) async fn uptime(&mut self, deadline: Instant) -> Uptime {
        match self {
            Self::Rpc(session) => session.uptime(deadline).await,
            #[cfg(windows)]
            Self::Local(session) => Uptime::Told(session.uptime()),
        }
    }

    /// Reads the last lines of the host's event logs, and says whether the session can be used on.
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
            Self::Local(session) => (session.events(asked, deadline).await, true),
        }
    }

    /// Where one more service can be listened to over this session. The machine itself is heard as a whole, so there is no
    /// such place.
    #[cfg_attr(
        not(windows),
        expect(
            clippy::unnecessary_wraps,
            reason = "only Windows has sessions without such places"
        )
    )]
    pub(super) fn ear_place(&mut self, host: &Name) -> Option<rpc::EarPlace> {
        match self {
            Self::Rpc(session) => Some(session.ear_place(host)),
            #[cfg(windows)]
            Self::Local(_) => None,
        }
    }

    /// Whether it was given up, because nothing answers in it or something cannot be ended otherwise.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Rpc(session) => session.is_over(),
            #[cfg(windows)]
            Self::Local(_) => false,
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
            (Self::Rpc(_), Opened::Local(_)) | (Self::Local(_), Opened::Rpc(_)) => {
                (Answer::Fault(no_such_session()), false)
            }
        }
    }

    /// Ends the session politely.
    pub(super) async fn end(self) {
        match self {
            Self::Rpc(session) => session.end().await,
            #[cfg(windows)]
            Self::Local(_) => {}
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

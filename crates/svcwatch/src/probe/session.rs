//! A kept session with one host, in whatever way the host is read.

use svcwatch_core::id::Name;
use svcwatch_core::observe::{HostReading, ServiceConfig};
use tokio::time::Instant;

use super::rpc::{self, Failure, LoggedOn, Uptime};
#[cfg(windows)]
use super::scm;
use super::{Access, Ours, Transport};

/// Only Windows has a service control manager of its own; a configuration that names it elsewhere is refused before.
#[cfg(not(windows))]
fn no_local() -> Failure {
    Failure {
        fault: svcwatch_core::observe::HostFault {
            fault: svcwatch_core::observe::Fault::ProtocolError,
            cause: "only on Windows are services read by the Windows API".to_owned(),
            refusal: None,
        },
        after: rpc::After::Drop,
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

    /// Ends the session politely.
    pub(super) async fn end(self) {
        match self {
            Self::Rpc(session) => session.end().await,
            #[cfg(windows)]
            Self::Local(_) => {}
        }
    }
}

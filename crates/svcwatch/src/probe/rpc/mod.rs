//! A kept session with one host's service control manager.

mod channel;
pub(super) mod config;
pub(super) mod dependents;
mod ear;
mod events;
mod hand;
pub(super) mod reading;
mod sealed;
#[cfg(test)]
mod tests;
mod uptime;

use std::collections::HashSet;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::limits::{ASKED_MAX, SERVICES_PER_HOST_MAX};
use svcwatch_core::observe::{Asked, Fault, HostFault, HostReading, ServiceConfig};
use svcwatch_wire::WireError;
use svcwatch_wire::scmr::{
    CloseServiceHandle, Code, Enumeration, EnumerationError, Handle, OpenScManager, OpenService,
    QueryServiceStatusEx, access,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::loopback::LoopbackPipe;
use super::record::{Agreed, Recorder, ReplayPipe};
use super::smb::{SmbPipe, SmbTarget};
use super::transport::{AnyPipe, TransportError, within};
use super::{Access, Auth, Ours, Transport, codes};
pub(super) use channel::CallError;
use channel::Channel;
pub(super) use ear::{Ear, EarPlace};
pub(super) use events::LogPlace;
pub(super) use uptime::Uptime;

/// The pipe of the service control manager (MS-SCMR 2.1.2).
const PIPE: &str = "svcctl";

/// What a failure means for the session that it happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The session is not to be used any more.
    Drop,
    /// The session is over, and a new one may well answer.
    Reopen,
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The fault of the host, for core.
    pub(super) fault: HostFault,
    /// What becomes of the session.
    pub(super) after: After,
}

impl Failure {
    fn of_call(error: CallError, doing: &str) -> Self {
        match error {
            CallError::Transport(error) => Self::from(error),
            CallError::Wire(error) => {
                let after = match error {
                    WireError::Fault(_) if !codes::is_stale_wire(&error) => After::Drop,
                    _ => After::Reopen,
                };
                Self {
                    fault: codes::wire_fault(&error, doing),
                    after,
                }
            }
            CallError::Unreadable(error) => Self {
                fault: codes::wire_fault(&error, doing),
                after: After::Reopen,
            },
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        // Waiting again would take as long again, and a logon that was not answered may have been refused; everything else is tried once more on a fresh connection.
        let ends = matches!(
            error,
            TransportError::Timeout { .. } | TransportError::LogonUnanswered(_)
        );
        let after = if ends { After::Drop } else { After::Reopen };
        Self {
            fault: codes::transport_fault(&error),
            after,
        }
    }
}

/// The failure that a code of the service control manager means.
fn code_failure(code: Code, doing: &str) -> Failure {
    let after = if code == Code::INVALID_HANDLE {
        After::Reopen
    } else {
        After::Drop
    };
    Failure {
        fault: codes::win32_fault(code.0, doing),
        after,
    }
}

/// How far a logon came.
#[derive(Debug, Default)]
pub(super) struct LoggedOn {
    /// Whether the host accepted it.
    pub(super) accepted: bool,
    /// The name by which the computer called itself in it, where it gave one.
    pub(super) computer: Option<String>,
    /// How many tries it refused.
    pub(super) refusals: u8,
    /// Whether the user is an administrator there, where the host said so.
    pub(super) administrator: Option<bool>,
}

impl LoggedOn {
    fn accept(&mut self, computer: String, agreed: Option<Agreed>, ours: &Ours) {
        self.accepted = true;
        self.computer = Some(computer).filter(|name| !name.is_empty());
        if let Some(recorder) = &ours.recorder {
            recorder.met(self.computer.clone(), agreed);
        }
    }
}

/// An open connection to a host with its handle of the service control manager.
#[derive(Debug)]
pub(super) struct Session {
    channel: Channel,
    manager: Handle,
    access: Access,
    computer: Option<String>,
    /// Size of the buffer that the last list needed, in bytes.
    list_bytes: Option<u32>,
    /// Whether the host knows the list with processes.
    with_processes: bool,
    listeners: ear::Listeners,
    /// Whose turn it is to read the event log.
    log_turns: Arc<Semaphore>,
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
        let pipe = open_pipe(host, access, ours, deadline, logon).await?;
        let (channel, manager, administrator) =
            within(deadline, "opening the service control manager", async {
                // The inner result is a failure of its own kind; only the waiting is bounded here.
                Ok(open_manager(pipe, ours.recorder.clone()).await)
            })
            .await??;
        logon.administrator = administrator;
        Ok(Self {
            channel,
            manager,
            access: access.clone(),
            computer: logon.computer.clone(),
            list_bytes: None,
            with_processes: true,
            listeners: ear::Listeners::default(),
            log_turns: Arc::new(Semaphore::new(1)),
        })
    }

    /// Whether it was opened in the way that is asked for now. With which password does not matter: a session stays
    /// good when the password of its account is changed, and only the next logon needs the new one.
    pub(super) fn is_for(&self, access: &Access) -> bool {
        let Access {
            address,
            port,
            transport,
            user,
            password: _,
            second_password: _,
            auth,
        } = &self.access;
        let same_auth = match (auth, &access.auth) {
            (Auth::Ntlm, Auth::Ntlm) => true,
            (Auth::Kerberos(ours), Auth::Kerberos(theirs)) => {
                (&ours.realm, &ours.host) == (&theirs.realm, &theirs.host)
            }
            (Auth::Ntlm, Auth::Kerberos(_)) | (Auth::Kerberos(_), Auth::Ntlm) => false,
        };
        same_auth
            && !self.is_over()
            && (address, port, transport, user)
                == (
                    &access.address,
                    &access.port,
                    &access.transport,
                    &access.user,
                )
    }

    /// The name by which the computer called itself at the logon.
    pub(super) fn computer(&self) -> Option<&str> {
        self.computer.as_deref()
    }

    /// Reads the list of services, and asks one by one for those of `ask` that it lacks.
    pub(super) async fn check(
        &mut self,
        ask: &[Name],
        deadline: Instant,
    ) -> Result<HostReading, Failure> {
        within(deadline, "reading the services", async {
            Ok(self.read(ask).await)
        })
        .await?
    }

    /// Reads the configuration of services; those that do not exist are left out.
    pub(super) async fn read_config(
        &mut self,
        services: &[Name],
        deadline: Instant,
    ) -> Result<Vec<ServiceConfig>, Failure> {
        let read = async {
            let mut configs = Vec::with_capacity(services.len());
            for name in services {
                configs.extend(self.config(name.as_str()).await?);
            }
            Ok(configs)
        };
        within(deadline, "reading the configuration of services", async {
            Ok(read.await)
        })
        .await?
    }

    /// Whether it was given up, because nothing answers in it or something cannot be ended otherwise.
    pub(super) fn is_over(&self) -> bool {
        self.listeners.is_over()
    }

    /// Where one more service can be listened to over this session.
    pub(super) fn ear_place(&mut self, host: &Name) -> EarPlace {
        self.listeners.begin(&self.channel, host, &self.access)
    }

    /// Ends the connection politely.
    pub(super) async fn end(self) {
        self.channel.close().await;
    }

    async fn read(&mut self, ask: &[Name]) -> Result<HostReading, Failure> {
        let services = reading::services(self.list().await?);
        let mut asked = Vec::new();
        if !ask.is_empty() {
            let known: HashSet<String> = services
                .iter()
                .map(|service| service.name.to_lowercase())
                .collect();
            for name in ask
                .iter()
                .filter(|name| !known.contains(name.key()))
                .take(ASKED_MAX)
            {
                asked.push((name.clone(), self.ask(name.as_str()).await?));
            }
        }
        Ok(HostReading {
            services,
            asked,
            uptime: None,
        })
    }

    async fn list(&mut self) -> Result<Vec<svcwatch_wire::scmr::EnumeratedService>, Failure> {
        const DOING: &str = "reading the list of services";
        let mut enumeration = Enumeration::new(self.manager, self.list_bytes, self.with_processes);
        let list = loop {
            let (operation, stub) = enumeration.next_request();
            let reply = match self.channel.call_stub(operation, &stub).await {
                Ok(stub) => Ok(stub),
                Err(CallError::Wire(error @ WireError::Fault(_))) => Err(error),
                Err(error) => return Err(Failure::of_call(error, DOING)),
            };
            match enumeration.on_reply(reply) {
                Ok(Some(list)) => break list,
                Ok(None) => {}
                Err(error) => return Err(list_failure(error, DOING)),
            }
        };
        if list.len() > SERVICES_PER_HOST_MAX {
            let cause = format!(
                "the host lists {} services, more than {SERVICES_PER_HOST_MAX}",
                list.len()
            );
            let fault = HostFault {
                fault: Fault::ProtocolError,
                cause,
                refusal: None,
            };
            return Err(Failure {
                fault,
                after: After::Drop,
            });
        }
        self.list_bytes = Some(enumeration.buffer_size());
        self.with_processes = enumeration.has_processes();
        Ok(list)
    }

    /// Opens one service that the list lacks, to learn whether it is missing or only hidden.
    async fn ask(&mut self, name: &str) -> Result<Asked, Failure> {
        const DOING: &str = "asking for a service by name";
        let open = OpenService {
            manager: self.manager,
            name: name.to_owned(),
            access: access::QUERY_STATUS,
        };
        let opened = self
            .channel
            .call(&open)
            .await
            .map_err(|error| Failure::of_call(error, DOING))?;
        let handle = match (opened.handle, opened.code) {
            (Some(handle), _) => handle,
            (None, Code::SERVICE_DOES_NOT_EXIST) => return Ok(Asked::Missing),
            (None, Code::ACCESS_DENIED) => return Ok(Asked::Hidden),
            (None, code @ (Code::INVALID_HANDLE | Code::SHUTDOWN_IN_PROGRESS)) => {
                return Err(code_failure(code, DOING));
            }
            (None, _) => return Ok(Asked::Read(reading::UNKNOWN)),
        };
        let query = QueryServiceStatusEx { service: handle };
        let reply = self
            .channel
            .call(&query)
            .await
            .map_err(|error| Failure::of_call(error, DOING))?;
        let reading = reply
            .status
            .map(|process| reading::reading(&process.status, Some(process.pid)));
        self.close(handle).await?;
        Ok(Asked::Read(reading.unwrap_or(reading::UNKNOWN)))
    }

    async fn close(&mut self, handle: Handle) -> Result<(), Failure> {
        let closed = self.channel.call(&CloseServiceHandle { handle }).await;
        // Whatever the code is, the handle is of no use any more; it ends with the connection at the latest.
        closed
            .map(drop)
            .map_err(|error| Failure::of_call(error, "closing a service"))
    }
}

/// Connects and logs on by the transport that is asked for.
async fn open_pipe(
    host: &Name,
    access: &Access,
    ours: &Ours,
    deadline: Instant,
    logon: &mut LoggedOn,
) -> Result<AnyPipe, TransportError> {
    if let Some(record) = &ours.replay {
        let computer = record.header.computer_name.clone();
        logon.accept(computer.unwrap_or_default(), None, ours);
        return Ok(AnyPipe::Replay(ReplayPipe::new(Arc::clone(record))));
    }
    match access.transport {
        Transport::Smb { encryption } => {
            let target = SmbTarget {
                address: &access.address,
                port: access.port,
                user: &access.user,
                password: &access.password,
                workstation: &ours.workstation,
                encryption,
                kerberos: match &access.auth {
                    Auth::Ntlm => None,
                    Auth::Kerberos(with) => Some((&ours.tickets, with)),
                },
            };
            let (mut pipe, computer, agreed) = SmbPipe::log_on(&target, deadline).await?;
            logon.accept(computer, Some(agreed), ours);
            pipe.open(&target, PIPE, deadline).await?;
            Ok(AnyPipe::Smb(Box::new(pipe)))
        }
        Transport::Loopback | Transport::Local | Transport::Wmi => {
            let (pipe, computer) = LoopbackPipe::open(
                &access.address,
                access.port,
                &access.user,
                host.as_str(),
                deadline,
            )
            .await?;
            logon.accept(computer, None, ours);
            Ok(AnyPipe::Loopback(pipe))
        }
    }
}

/// Binds to the service control manager and opens it for listing; says also whether the user is an administrator.
async fn open_manager(
    pipe: AnyPipe,
    recorder: Option<Arc<Recorder>>,
) -> Result<(Channel, Handle, Option<bool>), Failure> {
    const DOING: &str = "opening the service control manager";
    let mut channel = Channel::bind(pipe, recorder)
        .await
        .map_err(|error| Failure::of_call(error, DOING))?;
    let open = OpenScManager {
        machine: None,
        database: None,
        access: access::MANAGER_CONNECT | access::MANAGER_ENUMERATE,
    };
    let opened = channel
        .call(&open)
        .await
        .map_err(|error| Failure::of_call(error, DOING))?;
    let Some(manager) = opened.handle else {
        let mut failure = code_failure(opened.code, DOING);
        if opened.code == Code::ACCESS_DENIED {
            let lacking = lacking(&mut channel).await;
            let lacking = lacking.map_err(|error| Failure::of_call(error, DOING))?;
            failure.fault.cause = format!("{}: {lacking}", failure.fault.cause);
        }
        return Err(failure);
    };
    let administrator = is_administrator(&mut channel)
        .await
        .map_err(|error| Failure::of_call(error, DOING))?;
    Ok((channel, manager, administrator))
}

/// Which right on the manager a user lacks who may not connect and list.
async fn lacking(channel: &mut Channel) -> Result<&'static str, CallError> {
    let open = OpenScManager {
        machine: None,
        database: None,
        access: access::MANAGER_CONNECT,
    };
    let opened = channel.call(&open).await?;
    let Some(handle) = opened.handle else {
        return Ok("it may not even connect to the service control manager (SC_MANAGER_CONNECT)");
    };
    channel.call(&CloseServiceHandle { handle }).await?;
    Ok(
        "it may connect to the service control manager, but not list its services (SC_MANAGER_ENUMERATE_SERVICE)",
    )
}

/// Whether the user may install services, which a monitor need not and only administrators may: the manager is opened
/// with that right and closed again, and nothing is done with it. Nothing where the host says neither.
async fn is_administrator(channel: &mut Channel) -> Result<Option<bool>, CallError> {
    let open = OpenScManager {
        machine: None,
        database: None,
        access: access::MANAGER_CONNECT | access::MANAGER_CREATE_SERVICE,
    };
    let opened = channel.call(&open).await?;
    match (opened.handle, opened.code) {
        (Some(handle), _) => {
            channel.call(&CloseServiceHandle { handle }).await?;
            Ok(Some(true))
        }
        (None, Code::ACCESS_DENIED) => Ok(Some(false)),
        (None, _) => Ok(None),
    }
}

fn list_failure(error: EnumerationError, doing: &str) -> Failure {
    match error {
        EnumerationError::Refused(code) => code_failure(code, doing),
        EnumerationError::Wire(error @ WireError::Fault(_)) => {
            Failure::of_call(CallError::Wire(error), doing)
        }
        EnumerationError::Wire(error) => Failure::of_call(CallError::Unreadable(error), doing),
        error @ (EnumerationError::Endless { .. } | EnumerationError::TooLarge { .. }) => {
            let fault = HostFault {
                fault: Fault::ProtocolError,
                cause: format!("{error} while {doing}"),
                refusal: None,
            };
            Failure {
                fault,
                after: After::Drop,
            }
        }
    }
}

//! A kept connection with one service control manager.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use svcwatch_core::id::Name;
use svcwatch_core::limits::{ASKED_MAX, SERVICES_PER_HOST_MAX};
use svcwatch_core::observe::{
    Asked, Fault, HostFault, HostReading, ServiceConfig, ServiceReading, StartType,
};
use svcwatch_core::per_user;
use svcwatch_core::time::Span;
use svcwatch_wire::scmr::{EnumeratedService, access};
use tokio::time::Instant;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, ERROR_SERVICE_DOES_NOT_EXIST,
    ERROR_SHUTDOWN_IN_PROGRESS,
};
use windows_sys::Win32::System::Services::{
    SERVICE_CONFIG_DELAYED_AUTO_START_INFO, SERVICE_CONFIG_DESCRIPTION,
    SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
    SERVICE_CONFIG_TRIGGER_INFO,
};

use super::calls::{Code, Handle};
use super::machine::Machine;
use super::news::{Listed, Listening, News};
use super::thread::{blocking, close_apart};
use super::{buffer::Buffer, faults};
use crate::os;
use crate::probe::rpc::{After, Failure, LoggedOn, config, reading};
use crate::probe::{Access, Ours};

/// An open connection to a service control manager.
#[derive(Debug)]
pub(in crate::probe) struct Session {
    access: Access,
    /// The line in which its calls stand: one at a time for each computer, and one beside it for acting.
    line: String,
    computer: Option<String>,
    /// Whether it is this computer.
    own: bool,
    /// Out of its place while it is used, and lost where it did not come back in time.
    manager: Option<Manager>,
    /// What is heard at once; of this computer alone.
    news: Option<Arc<News>>,
    /// Those that listen, where somebody wants news of this computer.
    listening: Option<Arc<Listening>>,
}

#[derive(Debug)]
pub(super) struct Manager {
    pub(super) handle: Handle,
    /// What the last list needed.
    list_bytes: Option<u32>,
}

impl Session {
    /// Opens the service control manager at an address, until `deadline`.
    pub(in crate::probe) async fn open(
        host: &Name,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> Result<Self, Failure> {
        const DOING: &str = "opening the service control manager";
        let machine = Machine::at(&access.address);
        let own = machine == Machine::Own;
        let line = if ours.acts {
            format!("{} (acting)", access.address)
        } else {
            access.address.clone()
        };
        let opened = blocking(&line, deadline, DOING, move || {
            let rights = access::MANAGER_CONNECT | access::MANAGER_ENUMERATE;
            let handle = Handle::manager(machine.name(), rights)?;
            // To install services is what only administrators may; nothing is done with it.
            let rights = access::MANAGER_CONNECT | access::MANAGER_CREATE_SERVICE;
            let administrator = match Handle::manager(machine.name(), rights) {
                Ok(_) => Some(true),
                Err(ERROR_ACCESS_DENIED) => Some(false),
                Err(_) => None,
            };
            Ok((handle, administrator))
        });
        let opened = opened.await;
        // Also where the manager is away: who listens says when it is back. Not at once with the first call, which
        // Wine's side of the protocol does not stand.
        let stirs = ours.stirs.as_ref().filter(|_| own);
        let listening = stirs.map(|_| Arc::clone(&ours.listening));
        let news = stirs.and_then(|stirs| {
            let begun = ours.listening.begin(host, stirs);
            begun.unwrap_or_else(|error| {
                tracing::warn!(%host, error, "changes are found by reading alone");
                None
            })
        });
        let (handle, administrator) = opened?.map_err(|code| failure(code, DOING))?;
        logon.accepted = true;
        logon.administrator = administrator;
        let name = own.then(os::computer_name).flatten();
        logon.computer.clone_from(&name);
        Ok(Self {
            access: access.clone(),
            line,
            computer: name,
            own,
            manager: Some(Manager {
                handle,
                list_bytes: None,
            }),
            news,
            listening,
        })
    }

    /// The computer, whose event log is read apart from the session ([`super::read_events`]).
    pub(in crate::probe) fn address(&self) -> &str {
        &self.access.address
    }

    /// Whether it was opened in the way that is asked for now, and listens where it is to.
    pub(in crate::probe) fn is_for(&self, access: &Access) -> bool {
        let listening = self.listening.as_ref();
        let as_wanted = !listening.is_some_and(|all| all.differs(self.news.as_ref()));
        let same =
            (&self.access.address, self.access.transport) == (&access.address, access.transport);
        same && as_wanted
    }

    /// The name of the computer, where it is known.
    pub(in crate::probe) fn computer(&self) -> Option<&str> {
        self.computer.as_deref()
    }

    /// Reads the list of services, and asks one by one for those of `ask` that it lacks.
    pub(in crate::probe) async fn check(
        &mut self,
        ask: &[Name],
        deadline: Instant,
    ) -> Result<HostReading, Failure> {
        const DOING: &str = "reading the list of services";
        super::GOES_DOWN.refuses(self.own, DOING)?;
        let ask = ask.to_vec();
        let ends = self.news.as_deref().map(News::ends);
        let read = self.with_manager(deadline, DOING, move |manager| {
            let before = ends
                .as_ref()
                .map(|ends| ends.lock().unwrap_or_else(PoisonError::into_inner).before());
            let listed = manager.handle.list(&mut manager.list_bytes)?;
            let asked = asked(&manager.handle, &listed, &ask)?;
            let (mut services, instances): (Vec<ServiceReading>, Vec<bool>) =
                reading::lines(listed).unzip();
            if let (Some(ends), Some(before)) = (ends, before) {
                let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
                ends.explain(&mut services, &before);
            }
            // Who listens has to know each instance; who judges wants each per-user service once.
            let running = listed_of(&services);
            let services = per_user::folded(services.into_iter().zip(instances));
            let reading = HostReading {
                services,
                asked,
                uptime: None,
            };
            Ok((reading, running))
        });
        let (reading, listed) = read.await?;
        super::GOES_DOWN.refuses(self.own, DOING)?;
        if reading.services.len() > SERVICES_PER_HOST_MAX {
            return Err(Failure {
                fault: HostFault {
                    fault: Fault::ProtocolError,
                    cause: format!("the host lists more than {SERVICES_PER_HOST_MAX} services"),
                    refusal: None,
                },
                after: After::Drop,
            });
        }
        if let Some(news) = &self.news {
            news.listen_to(listed);
        }
        Ok(reading)
    }

    /// How long this computer runs, suspended or not; of another one that is not known.
    pub(in crate::probe) fn uptime(&self) -> Option<Span> {
        self.own.then(os::windows::uptime)
    }

    /// Reads the configuration of services; those that do not exist are left out.
    pub(in crate::probe) async fn read_config(
        &mut self,
        services: &[Name],
        deadline: Instant,
    ) -> Result<Vec<ServiceConfig>, Failure> {
        let services = services.to_vec();
        let doing = "reading the configuration of services";
        self.with_manager(deadline, doing, move |manager| {
            let mut configs = Vec::with_capacity(services.len());
            for name in services {
                configs.extend(config_of(&manager.handle, name.as_str())?);
            }
            Ok(configs)
        })
        .await
    }

    /// The line in which its calls stand.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Does something with the manager on a thread of its own.
    pub(super) async fn with_manager<T: Send + 'static>(
        &mut self,
        deadline: Instant,
        doing: &str,
        work: impl FnOnce(&mut Manager) -> Result<T, Code> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(mut manager) = self.manager.take() else {
            return Err(failure(ERROR_INVALID_HANDLE, doing));
        };
        let done = blocking(&self.line, deadline, doing, move || {
            let done = work(&mut manager);
            (manager, done)
        });
        let (manager, done) = done.await?;
        self.manager = Some(manager);
        done.map_err(|code| failure(code, doing))
    }
}

impl Drop for Session {
    /// To close a handle asks the manager too, which may hang: nobody else waits for that.
    fn drop(&mut self) {
        if let Some(manager) = self.manager.take() {
            close_apart(manager);
        }
    }
}

/// The services of a list with their processes.
fn listed_of(services: &[ServiceReading]) -> Listed {
    let listed = services.iter();
    listed
        .map(|service| (service.name.clone(), service.reading.pid))
        .collect()
}

pub(super) fn failure(code: Code, doing: &str) -> Failure {
    Failure {
        fault: faults::fault(code, doing),
        after: faults::after(code),
    }
}

/// Opens the services that the list lacks, to learn whether they are missing or only hidden.
fn asked(
    manager: &Handle,
    listed: &[EnumeratedService],
    ask: &[Name],
) -> Result<Vec<(Name, Asked)>, Code> {
    if ask.is_empty() {
        return Ok(Vec::new());
    }
    let known: HashSet<String> = listed
        .iter()
        .map(|service| service.name.to_lowercase())
        .collect();
    let lacking = ask.iter().filter(|name| !known.contains(name.key()));
    let mut answers = Vec::new();
    for name in lacking.take(ASKED_MAX) {
        let answer = match manager.service(name.as_str(), access::QUERY_STATUS) {
            Ok(service) => Asked::Read(match service.status() {
                Ok(process) => reading::reading(&process.status, Some(process.pid)),
                Err(_) => reading::UNKNOWN,
            }),
            Err(ERROR_SERVICE_DOES_NOT_EXIST) => Asked::Missing,
            Err(ERROR_ACCESS_DENIED) => Asked::Hidden,
            Err(code) if ends_all(code) => return Err(code),
            Err(_) => Asked::Read(reading::UNKNOWN),
        };
        answers.push((name.clone(), answer));
    }
    Ok(answers)
}

/// Whether a code concerns more than the one service that was asked for.
pub(super) fn ends_all(code: Code) -> bool {
    code == ERROR_SHUTDOWN_IN_PROGRESS || faults::after(code) == After::Reopen
}

/// The configuration of one service; none where it does not exist. What is denied or not known stays out of it.
fn config_of(manager: &Handle, name: &str) -> Result<Option<ServiceConfig>, Code> {
    let mut config = ServiceConfig {
        name: name.to_owned(),
        ..ServiceConfig::default()
    };
    let service = match manager.service(name, access::QUERY_CONFIG) {
        Ok(service) => service,
        Err(ERROR_SERVICE_DOES_NOT_EXIST) => return Ok(None),
        Err(code) if ends_all(code) => return Err(code),
        Err(_) => return Ok(Some(config)),
    };
    if let Ok(found) = service.config(|buffer| buffer.config()) {
        config::take(&mut config, found);
    }
    let flag = |level| service.config2(level, |buffer: Buffer<'_>| buffer.flag());
    if config.start_type == Some(StartType::Automatic)
        && flag(SERVICE_CONFIG_DELAYED_AUTO_START_INFO) == Ok(true)
    {
        config.start_type = Some(StartType::AutomaticDelayed);
    }
    let description = |buffer: Buffer<'_>| Some(buffer.description());
    config.description = service
        .config2(SERVICE_CONFIG_DESCRIPTION, description)
        .ok()
        .flatten();
    let actions = |buffer: Buffer<'_>| buffer.failure_actions();
    config.failure_actions = service
        .config2(SERVICE_CONFIG_FAILURE_ACTIONS, actions)
        .ok()
        .map(|found| {
            let mut told = config::told_actions(&found);
            told.on_error_exit =
                !told.actions.is_empty() && flag(SERVICE_CONFIG_FAILURE_ACTIONS_FLAG) == Ok(true);
            told
        });
    let triggers = |buffer: Buffer<'_>| buffer.has_triggers();
    config.trigger_start = service.config2(SERVICE_CONFIG_TRIGGER_INFO, triggers).ok();
    Ok(Some(config))
}

//! The calls of a restart: questions about one service, and the two controls, each with a handle of its own that has the
//! rights for it and no others.

use svcwatch_core::observe::StartType;
use svcwatch_core::remedy::procedure::{Answer, Setup, Step, Verb};
use svcwatch_core::{id::Name, limits::RESTART_SERVICES_MAX};
use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{FAULT_ACCESS_DENIED, FAULT_NO_SUCH_OPERATION};
use svcwatch_wire::scmr::{
    self, Code, ControlService, EnumDependentServices, Handle, OpenService, QueryServiceStatusEx,
    StartService, access, controls, filter,
};

use super::channel::CallError;
use super::config::{given, main_part};
use super::{Failure, Session, code_failure, reading};

/// The first buffer for dependents, in bytes, and the largest that the call takes (MS-SCMR 3.1.4.13).
const LIST_BYTES: u32 = 4 * 1024;
const LIST_BYTES_MAX: u32 = 256 * 1024;

/// A service that was opened, or the code of the refusal.
type Opened = Result<Handle, Code>;

impl Session {
    /// Answers a question of a restart; nothing is changed by one.
    pub(in crate::probe) async fn question(&mut self, step: &Step) -> Result<Answer, Failure> {
        match step {
            Step::Query(name) => self.state_of(name).await,
            Step::Setup(name) => self.setup_of(name).await,
            Step::Dependents(name) => self.dependents_of(name).await,
            Step::May { service, stop } => self.may(service, *stop).await,
            Step::Stop(_) | Step::Start(_) | Step::Wait(_) | Step::Done(_) => {
                Ok(Answer::NotOffered)
            }
        }
    }

    /// Opens a service. A handle of the manager that is not good any more is a failure, which a fresh session mends.
    async fn opened(&mut self, name: &Name, access: u32, doing: &str) -> Result<Opened, Failure> {
        let open = OpenService {
            manager: self.manager,
            name: name.as_str().to_owned(),
            access,
        };
        let opened = self.channel.call(&open).await;
        let opened = opened.map_err(|error| Failure::of_call(error, doing))?;
        match (opened.handle, opened.code) {
            (Some(handle), _) => Ok(Ok(handle)),
            (None, code @ Code::INVALID_HANDLE) => Err(code_failure(code, doing)),
            (None, code) => Ok(Err(code)),
        }
    }

    /// The state of a service.
    async fn state_of(&mut self, name: &Name) -> Result<Answer, Failure> {
        const DOING: &str = "reading the state of a service";
        let handle = match self.opened(name, access::QUERY_STATUS, DOING).await? {
            Ok(handle) => handle,
            Err(code) => return Ok(Answer::Code(code.0)),
        };
        let query = QueryServiceStatusEx { service: handle };
        let reply = self.channel.call(&query).await;
        let reply = reply.map_err(|error| Failure::of_call(error, DOING))?;
        self.close(handle).await?;
        Ok(match reply.status {
            Some(process) => Answer::Status(reading::reading(&process.status, Some(process.pid))),
            None => Answer::Code(reply.code.0),
        })
    }

    /// How a service is set up, as far as a restart needs it.
    async fn setup_of(&mut self, name: &Name) -> Result<Answer, Failure> {
        const DOING: &str = "reading the configuration of a service";
        let handle = match self.opened(name, access::QUERY_CONFIG, DOING).await? {
            Ok(handle) => handle,
            Err(Code::ACCESS_DENIED) => return Ok(Answer::NotOffered),
            Err(code) => return Ok(Answer::Code(code.0)),
        };
        let found = main_part(&mut self.channel, handle).await?;
        self.close(handle).await?;
        Ok(found.map_or(Answer::NotOffered, |found| Answer::Setup(setup(&found))))
    }

    /// The services that depend on one and do not stand still.
    async fn dependents_of(&mut self, name: &Name) -> Result<Answer, Failure> {
        const DOING: &str = "listing what depends on a service";
        let handle = match self
            .opened(name, access::ENUMERATE_DEPENDENTS, DOING)
            .await?
        {
            Ok(handle) => handle,
            Err(Code::ACCESS_DENIED) => return Ok(Answer::NotOffered),
            Err(code) => return Ok(Answer::Code(code.0)),
        };
        let mut query = EnumDependentServices {
            service: handle,
            state: filter::ACTIVE,
            buffer_size: LIST_BYTES,
        };
        let mut reply = given(self.channel.call(&query).await)?;
        // There is no resume index: what did not fit is asked for once more as a whole.
        if let Some(short) = reply.as_ref().filter(|reply| reply.code == Code::MORE_DATA) {
            query.buffer_size = query
                .buffer_size
                .saturating_add(short.needed)
                .min(LIST_BYTES_MAX);
            reply = given(self.channel.call(&query).await)?;
        }
        self.close(handle).await?;
        Ok(match reply {
            Some(reply) if reply.code.is_success() => dependents(&reply.services),
            Some(_) | None => Answer::NotOffered,
        })
    }

    /// Whether a service may be started, and stopped where that is asked: it is opened with these rights and closed again.
    async fn may(&mut self, name: &Name, stop: bool) -> Result<Answer, Failure> {
        const DOING: &str = "opening a service to start it";
        let rights = access::START | if stop { access::STOP } else { 0 };
        match self.opened(name, rights, DOING).await? {
            Ok(handle) => self.close(handle).await.map(|()| Answer::Done),
            Err(code) => Ok(Answer::Code(code.0)),
        }
    }

    /// Opens a service for one control. That this fails means that nothing was sent.
    pub(in crate::probe) async fn open_to(
        &mut self,
        verb: Verb,
        name: &Name,
    ) -> Result<Result<Handle, Answer>, Failure> {
        let (rights, doing) = match verb {
            Verb::Stop => (access::STOP, "opening a service to stop it"),
            Verb::Start => (access::START, "opening a service to start it"),
        };
        let opened = self.opened(name, rights, doing).await?;
        Ok(opened.map_err(|code| Answer::Code(code.0)))
    }

    /// Sends the control. From here on no answer means that nobody knows what became of it, a fault of RPC too: it may
    /// have come after the manager had begun.
    pub(in crate::probe) async fn control(&mut self, verb: Verb, handle: Handle) -> Answer {
        let code = match verb {
            Verb::Stop => {
                let stop = ControlService {
                    service: handle,
                    control: controls::STOP,
                };
                self.channel.call(&stop).await.map(|reply| reply.code)
            }
            Verb::Start => {
                let start = StartService {
                    service: handle,
                    arguments: Vec::new(),
                };
                self.channel.call(&start).await.map(|reply| reply.code)
            }
        };
        match code {
            Ok(Code::SUCCESS) => Answer::Done,
            Ok(code) => Answer::Code(code.0),
            // These say that the call was not even begun.
            Err(CallError::Wire(WireError::Fault(FAULT_ACCESS_DENIED))) => {
                Answer::Code(Code::ACCESS_DENIED.0)
            }
            Err(CallError::Wire(WireError::Fault(FAULT_NO_SUCH_OPERATION))) => {
                Answer::Code(Code::CALL_NOT_IMPLEMENTED.0)
            }
            Err(error) => Answer::Lost {
                cause: Failure::of_call(error, "waiting for the answer to a control")
                    .fault
                    .cause,
            },
        }
    }

    /// Closes a service that was opened for a control.
    pub(in crate::probe) async fn close_again(&mut self, handle: Handle) -> Result<(), Failure> {
        self.close(handle).await
    }
}

/// What a restart needs of a configuration.
fn setup(found: &scmr::ServiceConfig) -> Setup {
    Setup {
        start_type: found.start().map(|start| match start {
            scmr::StartType::Boot => StartType::Boot,
            scmr::StartType::System => StartType::System,
            scmr::StartType::Automatic => StartType::Automatic,
            scmr::StartType::Manual => StartType::Manual,
            scmr::StartType::Disabled => StartType::Disabled,
        }),
        dependencies: found.dependencies.clone(),
    }
}

/// The names of dependents; more than a restart touches are not kept.
fn dependents(listed: &[scmr::EnumeratedService]) -> Answer {
    let names = listed.iter().filter(|one| !one.name.is_empty());
    let names = names.map(|one| Name::new(&one.name));
    Answer::Dependents(names.take(RESTART_SERVICES_MAX + 1).collect())
}

//! The service control manager of a simulated host: a call in, an answer out (MS-SCMR 3.1.4).
//!
//! It keeps nothing of a connection: a handle says itself what it stands for, so that fifty thousand connections cost
//! no table of handles.

use super::catalogue::{Role, Service, Start};
use super::host::{Condition, Difference};
use super::world::{Target, World};
use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{FAULT_BAD_STUB, FAULT_CONTEXT_MISMATCH, FAULT_NO_SUCH_OPERATION};
use svcwatch_wire::scmr::{
    CloseServiceHandle, CloseServiceHandleReply, Code, Config2, Config2Level, ControlService,
    ControlServiceReply, CurrentState, EnumDependentServices, EnumDependentServicesReply,
    EnumServicesStatus, EnumServicesStatusEx, EnumServicesStatusExReply, EnumServicesStatusReply,
    EnumeratedService, FailureAction, FailureActions, Handle, OpenScManager, OpenScManagerReply,
    OpenService, OpenServiceReply, ProcessStatus, QueryServiceConfig, QueryServiceConfig2,
    QueryServiceConfig2Reply, QueryServiceConfigEx, QueryServiceConfigExReply,
    QueryServiceConfigReply, QueryServiceStatus, QueryServiceStatusEx, QueryServiceStatusExReply,
    QueryServiceStatusReply, Reply, Request, ServiceConfig, StartService, StartServiceReply,
    access, controls, filter,
};

/// What the handles of the simulated fleet begin with, behind the word of attributes (MS-SCMR 2.2.4).
const MARK: [u8; 8] = *b"svcwatch";
/// Stands in a handle in place of a service's number where it is that of the manager.
const MANAGER: u16 = u16::MAX;

/// An RPC fault as the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) u32);

impl From<WireError> for Fault {
    fn from(_: WireError) -> Self {
        Self(FAULT_BAD_STUB)
    }
}

/// Answers one call to a host: the stub of the answer, or a fault of RPC.
pub(super) fn answer(
    world: &World,
    host: usize,
    operation: u16,
    stub: &[u8],
) -> Result<Vec<u8>, Fault> {
    let manager = Manager {
        world,
        host,
        role: world.role_of(host).ok_or(Fault(FAULT_CONTEXT_MISMATCH))?,
    };
    match operation {
        OpenScManager::OPNUM => {
            reply::<OpenScManager>(stub, |request| Ok(manager.open(request.access)))
        }
        CloseServiceHandle::OPNUM => reply::<CloseServiceHandle>(stub, |request| {
            manager.number(request.handle)?;
            Ok(CloseServiceHandleReply {
                code: Code::SUCCESS,
            })
        }),
        EnumServicesStatusEx::OPNUM => reply::<EnumServicesStatusEx>(stub, |request| {
            manager.is_manager(request.manager)?;
            let list = manager.list(request.state);
            let resume = request.resume.unwrap_or(0);
            Ok(EnumServicesStatusExReply::page(
                &list,
                request.buffer_size,
                resume,
            ))
        }),
        EnumServicesStatus::OPNUM => reply::<EnumServicesStatus>(stub, |request| {
            manager.is_manager(request.manager)?;
            let list = manager.list(request.state);
            let resume = request.resume.unwrap_or(0);
            Ok(EnumServicesStatusReply::page(
                &list,
                request.buffer_size,
                resume,
            ))
        }),
        OpenService::OPNUM => reply::<OpenService>(stub, |request| manager.open_service(&request)),
        _ => of_service(&manager, operation, stub),
    }
}

/// Answers a call that is about one service.
fn of_service(manager: &Manager<'_>, operation: u16, stub: &[u8]) -> Result<Vec<u8>, Fault> {
    match operation {
        QueryServiceStatus::OPNUM => reply::<QueryServiceStatus>(stub, |request| {
            let (status, code) = manager.status(request.service)?;
            let status = status.map(|service| service.status);
            Ok(QueryServiceStatusReply { status, code })
        }),
        QueryServiceStatusEx::OPNUM => reply::<QueryServiceStatusEx>(stub, |request| {
            let (status, code) = manager.status(request.service)?;
            let status = status.map(|service| ProcessStatus {
                status: service.status,
                pid: service.pid.unwrap_or(0),
                flags: 0,
            });
            Ok(QueryServiceStatusExReply { status, code })
        }),
        QueryServiceConfig::OPNUM => reply::<QueryServiceConfig>(stub, |request| {
            let (service, _) = manager.service(request.service)?;
            Ok(QueryServiceConfigReply {
                config: Some(configuration(service)),
                needed: 0,
                code: Code::SUCCESS,
            })
        }),
        QueryServiceConfig2::OPNUM => reply::<QueryServiceConfig2>(stub, |request| {
            let (service, _) = manager.service(request.service)?;
            let piece =
                Config2Level::from_raw(request.level).and_then(|level| piece(service, level));
            Ok(match piece {
                Some(piece) => QueryServiceConfig2Reply::of(&piece, request.buffer_size),
                None => QueryServiceConfig2Reply::refused(Code::INVALID_LEVEL, request.buffer_size),
            })
        }),
        QueryServiceConfigEx::OPNUM => reply::<QueryServiceConfigEx>(stub, |request| {
            manager.service(request.service)?;
            Ok(QueryServiceConfigExReply {
                triggers: Some(Vec::new()),
                code: Code::SUCCESS,
            })
        }),
        EnumDependentServices::OPNUM => reply::<EnumDependentServices>(stub, |request| {
            let (service, _) = manager.service(request.service)?;
            let list = manager.dependents(service, request.state);
            Ok(EnumDependentServicesReply::whole(
                &list,
                request.buffer_size,
            ))
        }),
        StartService::OPNUM => {
            reply::<StartService>(stub, |request| manager.start(request.service))
        }
        ControlService::OPNUM => reply::<ControlService>(stub, |request| {
            manager.control(request.service, request.control)
        }),
        // Like Samba, which has no notifications either.
        _ => Err(Fault(FAULT_NO_SUCH_OPERATION)),
    }
}

fn reply<R: Request>(
    stub: &[u8],
    answer: impl FnOnce(R) -> Result<R::Reply, Fault>,
) -> Result<Vec<u8>, Fault> {
    Ok(answer(R::decode(stub)?)?.encode())
}

/// The manager of one host for the length of one call.
struct Manager<'a> {
    world: &'a World,
    host: usize,
    role: &'a Role,
}

impl<'a> Manager<'a> {
    /// Nobody may install services in the fleet.
    fn open(&self, access: u32) -> OpenScManagerReply {
        if self.world.condition(self.host) == Condition::DeniesAccess
            || access & access::MANAGER_CREATE_SERVICE != 0
        {
            return OpenScManagerReply {
                handle: None,
                code: Code::ACCESS_DENIED,
            };
        }
        OpenScManagerReply {
            handle: Some(self.handle(MANAGER)),
            code: Code::SUCCESS,
        }
    }

    /// The handle that stands for a service, or for the manager.
    fn handle(&self, number: u16) -> Handle {
        let mut bytes = [0; 20];
        let host = u32::try_from(self.host).unwrap_or(u32::MAX).to_le_bytes();
        let parts = [&[0; 4][..], &MARK, &host, &number.to_le_bytes()];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        Handle(bytes)
    }

    /// What a handle stands for; a fault where it is not one of this host.
    fn number(&self, handle: Handle) -> Result<u16, Fault> {
        let [.., low, high, _, _] = handle.0;
        let number = u16::from_le_bytes([low, high]);
        if handle == self.handle(number) {
            Ok(number)
        } else {
            Err(Fault(FAULT_CONTEXT_MISMATCH))
        }
    }

    fn is_manager(&self, handle: Handle) -> Result<(), Fault> {
        match self.number(handle)? {
            MANAGER => Ok(()),
            _ => Err(Fault(FAULT_CONTEXT_MISMATCH)),
        }
    }

    fn service(&self, handle: Handle) -> Result<(&'a Service, Target), Fault> {
        let place = usize::from(self.number(handle)?);
        let service = self.role.services.get(place);
        let service = service.ok_or(Fault(FAULT_CONTEXT_MISMATCH))?;
        Ok((
            service,
            Target {
                host: self.host,
                service: place,
            },
        ))
    }

    fn list(&self, wanted: u32) -> Vec<EnumeratedService> {
        let Some(host) = self.world.host(self.host) else {
            return Vec::new();
        };
        host.note_read();
        let mut list = host.list(self.role);
        if wanted != filter::ALL {
            let stopped = CurrentState::Stopped.raw();
            list.retain(|one| {
                (one.status.current_state == stopped) == (wanted == filter::INACTIVE)
            });
        }
        list
    }

    fn dependents(&self, of: &Service, wanted: u32) -> Vec<EnumeratedService> {
        let mut list = self.list(wanted);
        list.retain(|one| {
            let place = self.role.find(&one.name);
            place
                .and_then(|place| self.role.services.get(place))
                .is_some_and(|service| needs(service).any(|name| name == of.name))
        });
        list
    }

    fn open_service(&self, request: &OpenService) -> Result<OpenServiceReply, Fault> {
        self.is_manager(request.manager)?;
        let refused = |code| OpenServiceReply { handle: None, code };
        let Some(place) = self.role.find(&request.name) else {
            return Ok(refused(Code::SERVICE_DOES_NOT_EXIST));
        };
        let target = Target {
            host: self.host,
            service: place,
        };
        Ok(match self.world.difference(target) {
            Some(Difference::Missing) => refused(Code::SERVICE_DOES_NOT_EXIST),
            Some(Difference::Hidden) => refused(Code::ACCESS_DENIED),
            Some(Difference::Status { .. }) | None => OpenServiceReply {
                handle: Some(self.handle(u16::try_from(place).unwrap_or(MANAGER))),
                code: Code::SUCCESS,
            },
        })
    }

    /// A service as it is now; one that was uninstalled while somebody had it open is marked for deletion.
    fn status(&self, handle: Handle) -> Result<(Option<EnumeratedService>, Code), Fault> {
        let (_, target) = self.service(handle)?;
        let host = self.world.host(self.host);
        Ok(
            match host.and_then(|host| host.read(self.role, target.service)) {
                Some(service) => (Some(service), Code::SUCCESS),
                None => (None, Code::SERVICE_MARKED_FOR_DELETE),
            },
        )
    }

    fn start(&self, handle: Handle) -> Result<StartServiceReply, Fault> {
        let (service, target) = self.service(handle)?;
        let (status, code) = self.status(handle)?;
        let code = match status.and_then(|service| service.status.state()) {
            None => code,
            Some(_) if service.start == Start::Disabled => Code::SERVICE_DISABLED,
            Some(CurrentState::Stopped) => {
                let at_rest = service.running;
                let running = (!at_rest).then_some(Difference::RUNNING);
                self.world.set(target, running);
                Code::SUCCESS
            }
            Some(_) => Code::SERVICE_ALREADY_RUNNING,
        };
        Ok(StartServiceReply { code })
    }

    fn control(&self, handle: Handle, control: u32) -> Result<ControlServiceReply, Fault> {
        let (_, target) = self.service(handle)?;
        let (status, code) = self.status(handle)?;
        let state = status.and_then(|service| service.status.state());
        let refused = |code| Ok(ControlServiceReply { status: None, code });
        let to = match (state, control) {
            (None, _) => return refused(code),
            (Some(CurrentState::Stopped), _) => return refused(Code::SERVICE_NOT_ACTIVE),
            (Some(_), controls::INTERROGATE) => None,
            (Some(_), controls::STOP) => Some(Difference::stopped(0, 0)),
            (Some(CurrentState::Running), controls::PAUSE) => Some(Difference::PAUSED),
            (Some(CurrentState::Paused), controls::CONTINUE) => Some(Difference::RUNNING),
            (Some(_), _) => return refused(Code::INVALID_SERVICE_CONTROL),
        };
        if let Some(to) = to {
            self.world.set(target, Some(to));
        }
        let (status, code) = self.status(handle)?;
        let status = status.map(|service| service.status);
        Ok(ControlServiceReply { status, code })
    }
}

/// The services that one needs, itself left out.
fn needs(service: &Service) -> impl Iterator<Item = &'static str> {
    let itself = service.name;
    service
        .needs
        .iter()
        .copied()
        .filter(move |name| *name != itself)
}

fn configuration(service: &Service) -> ServiceConfig {
    ServiceConfig {
        service_type: service.service_type(),
        start_type: match service.start {
            Start::Automatic | Start::AutomaticDelayed => 2,
            Start::Manual => 3,
            Start::Disabled => 4,
        },
        error_control: 1,
        binary_path: Some(service.path.to_owned()),
        load_order_group: Some(String::new()),
        tag_id: 0,
        dependencies: Some(needs(service).map(str::to_owned).collect()),
        start_name: Some(service.account.to_owned()),
        display_name: Some(service.display_name.to_owned()),
    }
}

/// A piece of the optional configuration, where the host has it.
fn piece(service: &Service, level: Config2Level) -> Option<Config2> {
    Some(match level {
        Config2Level::Description => Config2::Description(Some(format!(
            "{} of the simulated fleet.",
            service.display_name
        ))),
        Config2Level::FailureActions => Config2::FailureActions(FailureActions {
            reset_period: 86_400,
            reboot_message: None,
            command: None,
            actions: if service.shared {
                Vec::new()
            } else {
                vec![FailureAction {
                    action: 1,
                    delay: 60_000,
                }]
            },
        }),
        Config2Level::DelayedAutoStart => {
            Config2::DelayedAutoStart(service.start == Start::AutomaticDelayed)
        }
        Config2Level::FailureActionsFlag => Config2::FailureActionsFlag(false),
        Config2Level::ServiceSid => Config2::ServiceSid(1),
        Config2Level::Preshutdown => Config2::Preshutdown(10_000),
        Config2Level::RequiredPrivileges => return None,
    })
}

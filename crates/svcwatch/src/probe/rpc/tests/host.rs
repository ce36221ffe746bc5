//! A small service control manager on loopback, which can be told to misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use svcwatch_wire::pdu::{FAULT_NO_SUCH_OPERATION, Incoming, Server};
use svcwatch_wire::scmr::{
    CloseServiceHandle, CloseServiceHandleReply, Code, Config2, Config2Level,
    EnumDependentServices, EnumDependentServicesReply, EnumServicesStatus, EnumServicesStatusEx,
    EnumServicesStatusExReply, EnumServicesStatusReply, EnumeratedService, FailureAction,
    FailureActions, GetNotifyResults, GetNotifyResultsReply, Handle, Notification,
    NotifyServiceStatusChange, NotifyServiceStatusChangeReply, OpenScManager, OpenScManagerReply,
    OpenService, OpenServiceReply, ProcessStatus, QueryServiceConfig, QueryServiceConfig2,
    QueryServiceConfig2Reply, QueryServiceConfigReply, QueryServiceStatusEx,
    QueryServiceStatusExReply, Reply, Request, SERVICE_CONTROL, ServiceConfig, ServiceStatus,
    access,
};
use svcwatch_wire::srvs::{RemoteTimeOfDay, RemoteTimeOfDayReply, SERVER_SERVICE, TimeOfDay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::probe::hello::{Hello, Reply as HelloReply};
use crate::probe::{Access, Auth, Transport};
use crate::secret::Secret;

/// How the host misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trick {
    None,
    /// Refuses the logon with this NTSTATUS.
    Refuse(u32),
    /// Refuses the first so many logons with this NTSTATUS.
    RefuseFirst(usize, u32),
    /// Takes the user for an administrator.
    Administrator,
    /// Lets the user connect to the service control manager, but not list.
    ConnectOnly,
    /// Knows the failure actions of services, and whether they follow a stop with an error too.
    FailureActions,
    /// Refuses to open the service control manager with this code.
    RefuseManager(u32),
    /// Knows no list with processes.
    Old,
    /// Refuses the list with this code, on the second call.
    ListCode(u32),
    /// Answers the second list with a fault of RPC.
    ListFault(u32),
    /// Closes each connection after its first list.
    CloseAfterList,
    /// Does not answer the second list.
    Silent,
    /// Answers with rubbish instead of a list.
    Rubbish,
    /// Tells of changes, in this way.
    Tells(Tells),
    /// Has no server service.
    NoServerService,
    /// Never says how long it runs.
    DeafServerService,
    /// Its services depend on other services, drivers and a group.
    Depends,
}

/// How a host tells of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// So many, as fast as it is asked, and then none any more.
    Changes(usize),
    /// So many, and then this code.
    Code(usize, u32),
    /// Refuses to with this code.
    Refuses(u32),
    /// That the service is to be deleted, after which it cannot be asked about any more.
    Deletion,
    /// Closes the connection in the middle of the wait.
    Breaks,
}

/// `ERROR_SERVICE_MARKED_FOR_DELETE` (MS-ERREF 2.2).
const MARKED_FOR_DELETE: Code = Code(1072);

/// Instead of a fault: no answer at all, and the end of the connection.
const SILENCE: u32 = 0;
const END: u32 = u32::MAX;

/// A host and what was done to it.
#[derive(Debug)]
pub(super) struct Host {
    trick: Trick,
    logons: AtomicUsize,
    lists: AtomicUsize,
    told: AtomicUsize,
    open: AtomicUsize,
}

pub(super) const MANAGER: Handle = Handle([1; 20]);
pub(super) const SERVICE: Handle = Handle([2; 20]);

pub(super) fn spooler() -> EnumeratedService {
    let status = ServiceStatus {
        service_type: 0x10,
        current_state: 4,
        ..ServiceStatus::default()
    };
    EnumeratedService {
        name: "Spooler".into(),
        display_name: "Print Spooler".into(),
        status,
        pid: Some(4711),
        flags: Some(0),
    }
}

/// Instances of a per-user service: two users are logged on, and one of them has lost his.
pub(in crate::probe::rpc) fn instances() -> [EnumeratedService; 2] {
    let instance = |number: &str, current_state, win32_exit_code| EnumeratedService {
        name: format!("CDPUserSvc_{number}"),
        display_name: format!("Connected Devices Platform User Service_{number}"),
        status: ServiceStatus {
            service_type: 0xd0,
            current_state,
            win32_exit_code,
            ..ServiceStatus::default()
        },
        ..spooler()
    };
    [instance("1a2b3", 4, 0), instance("5f00d", 1, 1067)]
}

/// A list that needs more than the first buffer.
pub(super) fn services() -> Vec<EnumeratedService> {
    let others = (0..80).map(|number| EnumeratedService {
        name: format!("Service{number}"),
        ..spooler()
    });
    others.chain([spooler()]).collect()
}

impl Host {
    /// Starts the host; gives it and how it is reached.
    pub(super) async fn start(trick: Trick) -> (Arc<Self>, Access) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Arc::new(Self {
            trick,
            logons: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&host);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let host = Arc::clone(&serving);
                tokio::spawn(async move {
                    host.open.fetch_add(1, Ordering::SeqCst);
                    host.serve(stream).await;
                    host.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let access = Access {
            address: "127.0.0.1".into(),
            port,
            transport: Transport::Loopback,
            user: "watcher".into(),
            password: Secret::default(),
            second_password: None,
            auth: Auth::Ntlm,
        };
        (host, access)
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        Hello::receive(&mut stream).await.ok()?;
        let logons = self.logons.fetch_add(1, Ordering::Relaxed);
        let reply = match self.trick {
            Trick::Refuse(status) => HelloReply::Refused { status },
            Trick::RefuseFirst(count, status) if logons < count => HelloReply::Refused { status },
            _ => HelloReply::Accepted {
                computer: "WEB-1".into(),
            },
        };
        reply.send(&mut stream).await.ok()?;
        let mut server = match self.trick {
            Trick::NoServerService => Server::new(SERVICE_CONTROL),
            _ => Server::new(SERVICE_CONTROL).also(SERVER_SERVICE),
        };
        loop {
            let mut head = [0; 16];
            stream.read_exact(&mut head).await.ok()?;
            let mut fragment = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
            fragment[..16].copy_from_slice(&head);
            stream.read_exact(&mut fragment[16..]).await.ok()?;
            match server.on_fragment(&fragment).unwrap() {
                Incoming::More => {}
                Incoming::Answer(answer) => stream.write_all(&answer).await.ok()?,
                Incoming::Call {
                    call_id,
                    operation,
                    stub,
                } => match self.answer(operation, &stub) {
                    Err(END) => return None,
                    // Nothing is sent to it meanwhile, so whatever comes is the end.
                    Err(SILENCE) => {
                        let minute = Duration::from_mins(1);
                        let end = tokio::time::timeout(minute, stream.read_u8()).await;
                        if end.is_ok() {
                            return None;
                        }
                    }
                    Err(fault) => stream.write_all(&server.fault(call_id, fault)).await.ok()?,
                    Ok(answer) => {
                        for fragment in server.response(call_id, &answer) {
                            stream.write_all(&fragment).await.ok()?;
                        }
                        if self.trick == Trick::CloseAfterList
                            && operation == EnumServicesStatusEx::OPNUM
                        {
                            return None;
                        }
                    }
                },
            }
        }
    }

    /// The answer to a call, or the fault.
    fn answer(&self, operation: u16, stub: &[u8]) -> Result<Vec<u8>, u32> {
        match operation {
            RemoteTimeOfDay::OPNUM => {
                if self.trick == Trick::DeafServerService {
                    return Err(0);
                }
                let time = TimeOfDay {
                    uptime: 90_000,
                    ..TimeOfDay::default()
                };
                let reply = RemoteTimeOfDayReply {
                    time: Some(time),
                    code: Code::SUCCESS,
                };
                Ok(reply.encode())
            }
            OpenScManager::OPNUM => {
                let reply = match self.trick {
                    Trick::RefuseManager(code) => OpenScManagerReply {
                        handle: None,
                        code: Code(code),
                    },
                    Trick::ConnectOnly if lists(stub) => OpenScManagerReply {
                        handle: None,
                        code: Code::ACCESS_DENIED,
                    },
                    trick if trick != Trick::Administrator && installs(stub) => {
                        OpenScManagerReply {
                            handle: None,
                            code: Code::ACCESS_DENIED,
                        }
                    }
                    _ => OpenScManagerReply {
                        handle: Some(MANAGER),
                        code: Code::SUCCESS,
                    },
                };
                Ok(reply.encode())
            }
            EnumServicesStatusEx::OPNUM => self.list(&EnumServicesStatusEx::decode(stub).unwrap()),
            EnumServicesStatus::OPNUM => {
                let request = EnumServicesStatus::decode(stub).unwrap();
                Ok(EnumServicesStatusReply::whole(&services(), request.buffer_size).encode())
            }
            OpenService::OPNUM => {
                let (handle, code) = match OpenService::decode(stub).unwrap().name.as_str() {
                    "Missing" => (None, Code::SERVICE_DOES_NOT_EXIST),
                    "Hidden" => (None, Code::ACCESS_DENIED),
                    "Bad/Name" => (None, Code::INVALID_NAME),
                    _ => (Some(SERVICE), Code::SUCCESS),
                };
                Ok(OpenServiceReply { handle, code }.encode())
            }
            QueryServiceStatusEx::OPNUM
            | QueryServiceConfig::OPNUM
            | QueryServiceConfig2::OPNUM => Ok(about_a_service(self.trick, operation, stub)),
            CloseServiceHandle::OPNUM => Ok(CloseServiceHandleReply {
                code: Code::SUCCESS,
            }
            .encode()),
            NotifyServiceStatusChange::OPNUM => self.register(),
            GetNotifyResults::OPNUM => self.tell(),
            EnumDependentServices::OPNUM => self.dependents(stub),
            _ => Err(FAULT_NO_SUCH_OPERATION),
        }
    }

    /// All other services depend on each.
    fn dependents(&self, stub: &[u8]) -> Result<Vec<u8>, u32> {
        let request = EnumDependentServices::decode(stub).unwrap();
        match self.trick {
            Trick::None => {
                Ok(EnumDependentServicesReply::whole(&services(), request.buffer_size).encode())
            }
            Trick::ListCode(code) => Ok(EnumDependentServicesReply {
                services: Vec::new(),
                buffer_size: request.buffer_size,
                needed: 0,
                code: Code(code),
            }
            .encode()),
            _ => Err(FAULT_NO_SUCH_OPERATION),
        }
    }

    fn register(&self) -> Result<Vec<u8>, u32> {
        let Trick::Tells(tells) = self.trick else {
            return Err(FAULT_NO_SUCH_OPERATION);
        };
        let (notify, code) = match tells {
            Tells::Refuses(code) => (None, Code(code)),
            Tells::Deletion if self.told.load(Ordering::SeqCst) > 0 => (None, MARKED_FOR_DELETE),
            _ => (Some(SERVICE), Code::SUCCESS),
        };
        Ok(NotifyServiceStatusChangeReply { notify, code }.encode())
    }

    fn tell(&self) -> Result<Vec<u8>, u32> {
        let told = self.told.fetch_add(1, Ordering::SeqCst);
        let (changes, code) = match self.trick {
            Trick::Tells(Tells::Changes(most)) => (most, None),
            Trick::Tells(Tells::Code(most, code)) => (most, Some(code)),
            Trick::Tells(Tells::Deletion) => (1, None),
            _ => return Err(END),
        };
        let status = ProcessStatus {
            status: spooler().status,
            pid: 12,
            flags: 0,
        };
        let change = Notification {
            status,
            ..Notification::default()
        };
        match code {
            _ if told < changes => Ok(GetNotifyResultsReply {
                notifications: Some(vec![change]),
                code: Code::SUCCESS,
            }
            .encode()),
            None => Err(SILENCE),
            Some(code) => Ok(GetNotifyResultsReply {
                notifications: None,
                code: Code(code),
            }
            .encode()),
        }
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn list(&self, request: &EnumServicesStatusEx) -> Result<Vec<u8>, u32> {
        let lists = self.lists.fetch_add(1, Ordering::Relaxed);
        match self.trick {
            Trick::Old => Err(FAULT_NO_SUCH_OPERATION),
            Trick::ListCode(code) if lists == 2 => {
                Ok(EnumServicesStatusExReply::refused(Code(code), request.buffer_size).encode())
            }
            Trick::ListFault(fault) if lists == 2 => Err(fault),
            Trick::Silent if lists >= 2 => Err(SILENCE),
            Trick::Rubbish => Ok(vec![0xff; 64]),
            _ if request.manager == MANAGER => {
                Ok(EnumServicesStatusExReply::whole(&services(), request.buffer_size).encode())
            }
            _ => Ok(
                EnumServicesStatusExReply::refused(Code::INVALID_HANDLE, request.buffer_size)
                    .encode(),
            ),
        }
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (
            self.logons.load(Ordering::Relaxed),
            self.lists.load(Ordering::Relaxed),
        )
    }
}

/// Whether the manager is opened with the right to install services.
fn installs(stub: &[u8]) -> bool {
    OpenScManager::decode(stub).unwrap().access & access::MANAGER_CREATE_SERVICE != 0
}

/// Whether the manager is opened with the right to list.
fn lists(stub: &[u8]) -> bool {
    OpenScManager::decode(stub).unwrap().access & access::MANAGER_ENUMERATE != 0
}

/// The answer to a call about one service, of which there is only one.
fn about_a_service(trick: Trick, operation: u16, stub: &[u8]) -> Vec<u8> {
    match operation {
        QueryServiceStatusEx::OPNUM => {
            let status = ProcessStatus {
                status: spooler().status,
                pid: 12,
                flags: 0,
            };
            QueryServiceStatusExReply {
                status: Some(status),
                code: Code::SUCCESS,
            }
            .encode()
        }
        QueryServiceConfig::OPNUM => {
            let needed = ["Service7", "Missing", "Hidden", "Http", "+TDI"];
            let config = ServiceConfig {
                dependencies: (trick == Trick::Depends).then(|| needed.map(str::to_owned).to_vec()),
                service_type: 0xd0,
                start_type: 2,
                binary_path: Some(r"C:\spoolsv.exe -x".into()),
                ..ServiceConfig::default()
            };
            QueryServiceConfigReply {
                config: Some(config),
                needed: 0,
                code: Code::SUCCESS,
            }
            .encode()
        }
        _ => {
            let request = QueryServiceConfig2::decode(stub).unwrap();
            let known = match Config2Level::from_raw(request.level) {
                Some(Config2Level::DelayedAutoStart) => Some(Config2::DelayedAutoStart(true)),
                Some(Config2Level::FailureActions) if trick == Trick::FailureActions => {
                    Some(Config2::FailureActions(failure_actions()))
                }
                Some(Config2Level::FailureActionsFlag) if trick == Trick::FailureActions => {
                    Some(Config2::FailureActionsFlag(true))
                }
                _ => None,
            };
            let size = request.buffer_size;
            let reply = known.map_or_else(
                || QueryServiceConfig2Reply::refused(Code::INVALID_LEVEL, size),
                |known| QueryServiceConfig2Reply::of(&known, size),
            );
            reply.encode()
        }
    }
}

/// Failure actions with one of each kind and one that does not exist.
fn failure_actions() -> FailureActions {
    let action = |action| FailureAction {
        action,
        delay: action * 1_000,
    };
    FailureActions {
        reset_period: 60,
        reboot_message: Some("going down".into()),
        command: Some("mend.exe --password hunter2".into()),
        actions: (0..5).map(action).collect(),
    }
}

//! A small service control manager on loopback, whose services depend on each other, and which can break off.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use svcwatch_wire::pdu::{FAULT_NO_SUCH_OPERATION, Incoming, Server};
use svcwatch_wire::scmr::{
    CloseServiceHandle, CloseServiceHandleReply, Code, ControlService, ControlServiceReply,
    CurrentState, EnumDependentServices, EnumDependentServicesReply, EnumeratedService, Handle,
    OpenScManager, OpenScManagerReply, OpenService, OpenServiceReply, ProcessStatus,
    QueryServiceConfig, QueryServiceConfigReply, QueryServiceStatusEx, QueryServiceStatusExReply,
    Reply, Request, SERVICE_CONTROL, ServiceConfig, ServiceStatus, StartService, StartServiceReply,
    access,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::probe::hello::{Hello, Reply as HelloReply};
use crate::probe::{Access, Auth, Transport};
use crate::secret::Secret;

/// What the host does besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Trick {
    #[default]
    None,
    /// Refuses the logon.
    RefusesLogon,
    /// Denies the rights to stop and start.
    Denies,
    /// Breaks the connection instead of an answer to a start, which it carries out or not.
    BreaksAtStart { works: bool },
    /// Never answers a stop, which it does not carry out.
    SilentAtStop,
    /// Does not know the list of dependents.
    ListsNothing,
    /// Answers a stop with rubbish, which it carries out.
    Rubbish,
}

#[derive(Debug, Clone)]
struct Service {
    state: CurrentState,
    needs: Vec<String>,
    pid: u32,
    /// The state that it reaches at the next question.
    coming: Option<CurrentState>,
}

/// What the host makes of a logon.
#[derive(Debug, Clone, Copy)]
pub(super) enum Greeting {
    /// Accepts it, after so many milliseconds.
    Accepts(u64),
    /// Refuses it, after so many milliseconds.
    Refuses(u64),
    /// Breaks the connection instead of an answer.
    Breaks,
}

/// A host and what was done to it.
#[derive(Debug)]
pub(super) struct Host {
    trick: Trick,
    /// What it makes of the next logons; afterwards of each as its trick says.
    pub(super) greetings: Mutex<VecDeque<Greeting>>,
    /// `+` for a logon that begins, `-` for one that ends.
    pub(super) course: Mutex<String>,
    pub(super) logons: AtomicUsize,
    services: Mutex<BTreeMap<String, Service>>,
    controls: Mutex<Vec<String>>,
    /// The rights that services were opened with.
    rights: Mutex<Vec<u32>>,
}

const MANAGER: Handle = Handle([1; 20]);

impl Host {
    /// Starts a host with services, whether they run, and what they depend on.
    pub(super) async fn start(
        services: &[(&str, bool, &[&str])],
        trick: Trick,
    ) -> (Arc<Self>, Access) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let services = services.iter().zip(25_u32..);
        let services = services.map(|((name, runs, needs), number)| {
            let service = Service {
                state: if *runs {
                    CurrentState::Running
                } else {
                    CurrentState::Stopped
                },
                needs: needs.iter().map(|need| (*need).to_owned()).collect(),
                pid: number * 4,
                coming: None,
            };
            ((*name).to_owned(), service)
        });
        let host = Arc::new(Self {
            trick,
            greetings: Mutex::default(),
            course: Mutex::default(),
            logons: AtomicUsize::new(0),
            services: Mutex::new(services.collect()),
            controls: Mutex::default(),
            rights: Mutex::default(),
        });
        let serving = Arc::clone(&host);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let host = Arc::clone(&serving);
                tokio::spawn(async move { host.serve(stream).await });
            }
        });
        let access = Access {
            address: "127.0.0.1".into(),
            port,
            transport: Transport::Loopback,
            user: "hands".into(),
            password: Secret::default(),
            second_password: None,
            auth: Auth::Ntlm,
        };
        (host, access)
    }

    /// The controls that it was sent, in order.
    pub(super) fn controls(&self) -> String {
        self.controls.lock().unwrap().join(", ")
    }

    /// All rights that were asked for on services.
    pub(super) fn rights(&self) -> u32 {
        let rights = self.rights.lock().unwrap();
        rights.iter().fold(0, |all, one| all | one)
    }

    /// The most rights that one handle had beside reading.
    pub(super) fn widest(&self) -> u32 {
        let rights = self.rights.lock().unwrap();
        let most = rights.iter().map(|one| one & !access::QUERY_STATUS);
        most.max_by_key(|one| one.count_ones()).unwrap_or(0)
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        Hello::receive(&mut stream).await.ok()?;
        self.logons.fetch_add(1, Ordering::SeqCst);
        self.course.lock().unwrap().push('+');
        let next = self.greetings.lock().unwrap().pop_front();
        let greeting = next.unwrap_or(match self.trick {
            Trick::RefusesLogon => Greeting::Refuses(0),
            _ => Greeting::Accepts(0),
        });
        if let Greeting::Accepts(wait) | Greeting::Refuses(wait) = greeting {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        self.course.lock().unwrap().push('-');
        let reply = match greeting {
            Greeting::Accepts(_) => HelloReply::Accepted {
                computer: "WEB-1".into(),
            },
            Greeting::Refuses(_) => HelloReply::Refused {
                status: 0xC000_006D,
            },
            Greeting::Breaks => return None,
        };
        reply.send(&mut stream).await.ok()?;
        let mut server = Server::new(SERVICE_CONTROL);
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
                } => {
                    let answer = self.answer(operation, &stub);
                    let broken = match (self.trick, operation) {
                        (Trick::BreaksAtStart { .. }, StartService::OPNUM) => return None,
                        (Trick::SilentAtStop, ControlService::OPNUM) => {
                            // Until whoever asked goes away.
                            drop(stream.read_u8().await);
                            return None;
                        }
                        (Trick::Rubbish, ControlService::OPNUM) => Some(vec![7; 9]),
                        _ => None,
                    };
                    match broken.map_or(answer, Ok) {
                        Ok(answer) => {
                            for fragment in server.response(call_id, &answer) {
                                stream.write_all(&fragment).await.ok()?;
                            }
                        }
                        Err(fault) => {
                            let fault = server.fault(call_id, fault);
                            stream.write_all(&fault).await.ok()?;
                        }
                    }
                }
            }
        }
    }

    fn answer(&self, operation: u16, stub: &[u8]) -> Result<Vec<u8>, u32> {
        match operation {
            OpenScManager::OPNUM => {
                let asked = OpenScManager::decode(stub).unwrap().access;
                let installs = asked & access::MANAGER_CREATE_SERVICE != 0;
                let (handle, code) = if installs {
                    (None, Code::ACCESS_DENIED)
                } else {
                    (Some(MANAGER), Code::SUCCESS)
                };
                Ok(OpenScManagerReply { handle, code }.encode())
            }
            OpenService::OPNUM => Ok(self.open(&OpenService::decode(stub).unwrap()).encode()),
            CloseServiceHandle::OPNUM => Ok(CloseServiceHandleReply {
                code: Code::SUCCESS,
            }
            .encode()),
            QueryServiceStatusEx::OPNUM => {
                let asked = QueryServiceStatusEx::decode(stub).unwrap();
                Ok(self.status(asked.service).encode())
            }
            QueryServiceConfig::OPNUM => {
                let asked = QueryServiceConfig::decode(stub).unwrap();
                let (_, service) = self.named(asked.service);
                let config = ServiceConfig {
                    service_type: 0x10,
                    start_type: 3,
                    dependencies: Some(service.needs),
                    ..ServiceConfig::default()
                };
                Ok(QueryServiceConfigReply {
                    config: Some(config),
                    needed: 0,
                    code: Code::SUCCESS,
                }
                .encode())
            }
            EnumDependentServices::OPNUM if self.trick != Trick::ListsNothing => {
                let asked = EnumDependentServices::decode(stub).unwrap();
                let list = self.dependents(&self.named(asked.service).0);
                Ok(EnumDependentServicesReply::whole(&list, asked.buffer_size).encode())
            }
            ControlService::OPNUM => {
                let asked = ControlService::decode(stub).unwrap();
                let code = self.stop(&self.named(asked.service).0);
                let status = code.is_success().then(ServiceStatus::default);
                Ok(ControlServiceReply { status, code }.encode())
            }
            StartService::OPNUM => {
                let asked = StartService::decode(stub).unwrap();
                let code = self.run(&self.named(asked.service).0);
                Ok(StartServiceReply { code }.encode())
            }
            _ => Err(FAULT_NO_SUCH_OPERATION),
        }
    }

    fn open(&self, asked: &OpenService) -> OpenServiceReply {
        let refused = |code| OpenServiceReply { handle: None, code };
        let services = self.services.lock().unwrap();
        let Some(place) = services
            .keys()
            .position(|name| name.eq_ignore_ascii_case(&asked.name))
        else {
            return refused(Code::SERVICE_DOES_NOT_EXIST);
        };
        self.rights.lock().unwrap().push(asked.access);
        if self.trick == Trick::Denies && asked.access & (access::START | access::STOP) != 0 {
            return refused(Code::ACCESS_DENIED);
        }
        let mut handle = [2; 20];
        handle[1] = u8::try_from(place).unwrap();
        OpenServiceReply {
            handle: Some(Handle(handle)),
            code: Code::SUCCESS,
        }
    }

    fn named(&self, handle: Handle) -> (String, Service) {
        let services = self.services.lock().unwrap();
        let (name, service) = services.iter().nth(usize::from(handle.0[1])).unwrap();
        (name.clone(), service.clone())
    }

    fn status(&self, handle: Handle) -> QueryServiceStatusExReply {
        let name = self.named(handle).0;
        let mut services = self.services.lock().unwrap();
        let service = services.get_mut(&name).unwrap();
        let state = service.state;
        if let Some(coming) = service.coming.take() {
            service.state = coming;
        }
        let status = ServiceStatus {
            current_state: state.raw(),
            ..ServiceStatus::default()
        };
        let pid = if state == CurrentState::Stopped {
            0
        } else {
            service.pid
        };
        QueryServiceStatusExReply {
            status: Some(ProcessStatus {
                status,
                pid,
                flags: 0,
            }),
            code: Code::SUCCESS,
        }
    }

    fn dependents(&self, of: &str) -> Vec<EnumeratedService> {
        let services = self.services.lock().unwrap();
        let depends = services.iter().filter(|(_, service)| {
            service.state != CurrentState::Stopped && service.needs.iter().any(|need| need == of)
        });
        depends
            .map(|(name, service)| EnumeratedService {
                name: name.clone(),
                display_name: name.clone(),
                status: ServiceStatus {
                    current_state: service.state.raw(),
                    ..ServiceStatus::default()
                },
                pid: None,
                flags: None,
            })
            .collect()
    }

    fn stop(&self, name: &str) -> Code {
        self.controls.lock().unwrap().push(format!("stop {name}"));
        if !self.dependents(name).is_empty() {
            return Code::DEPENDENT_SERVICES_RUNNING;
        }
        if self.trick != Trick::SilentAtStop {
            self.goes(name, CurrentState::StopPending, CurrentState::Stopped);
        }
        Code::SUCCESS
    }

    fn run(&self, name: &str) -> Code {
        self.controls.lock().unwrap().push(format!("start {name}"));
        if self.trick != (Trick::BreaksAtStart { works: false }) {
            self.goes(name, CurrentState::StartPending, CurrentState::Running);
        }
        Code::SUCCESS
    }

    fn goes(&self, name: &str, over: CurrentState, to: CurrentState) {
        let mut services = self.services.lock().unwrap();
        let service = services.get_mut(name).unwrap();
        service.state = over;
        service.coming = Some(to);
        if to == CurrentState::Running {
            service.pid += 1_000;
        }
    }
}

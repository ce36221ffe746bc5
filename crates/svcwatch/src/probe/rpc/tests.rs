//! A session against a small service control manager on loopback, which can be told to misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    Asked, Fault, Logon, Observation, Outcome, ProbeId, Refusal, StartType, State,
};
use svcwatch_core::time::Span;
use svcwatch_wire::pdu::{FAULT_CONTEXT_MISMATCH, FAULT_NO_SUCH_OPERATION, Incoming, Server};
use svcwatch_wire::scmr::{
    CloseServiceHandle, CloseServiceHandleReply, Code, Config2, Config2Level, EnumServicesStatus,
    EnumServicesStatusEx, EnumServicesStatusExReply, EnumServicesStatusReply, EnumeratedService,
    Handle, OpenScManager, OpenScManagerReply, OpenService, OpenServiceReply, ProcessStatus,
    QueryServiceConfig, QueryServiceConfig2, QueryServiceConfig2Reply, QueryServiceConfigReply,
    QueryServiceStatusEx, QueryServiceStatusExReply, Reply, Request, SERVICE_CONTROL,
    ServiceConfig, ServiceStatus,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::probe::hello::{Hello, Reply as HelloReply};
use crate::probe::{Access, Prober, Transport};
use crate::secret::Secret;

/// How the host misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    None,
    /// Refuses the logon with this NTSTATUS.
    Refuse(u32),
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
}

/// A host and what was done to it.
#[derive(Debug)]
struct Host {
    trick: Trick,
    logons: AtomicUsize,
    lists: AtomicUsize,
}

const MANAGER: Handle = Handle([1; 20]);
const SERVICE: Handle = Handle([2; 20]);

fn spooler() -> EnumeratedService {
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

/// A list that needs more than the first buffer.
fn services() -> Vec<EnumeratedService> {
    let others = (0..80).map(|number| EnumeratedService {
        name: format!("Service{number}"),
        ..spooler()
    });
    others.chain([spooler()]).collect()
}

impl Host {
    /// Starts the host; gives it and how it is reached.
    async fn start(trick: Trick) -> (Arc<Self>, Access) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Arc::new(Self {
            trick,
            logons: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
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
            user: "watcher".into(),
            password: Secret::default(),
        };
        (host, access)
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        Hello::receive(&mut stream).await.ok()?;
        self.logons.fetch_add(1, Ordering::Relaxed);
        let reply = match self.trick {
            Trick::Refuse(status) => HelloReply::Refused { status },
            _ => HelloReply::Accepted {
                computer: "WEB-1".into(),
            },
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
                } => match self.answer(operation, &stub) {
                    Err(0) => tokio::time::sleep(Duration::from_secs(60)).await,
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

    /// The answer to a call, or the fault; 0 for no answer at all.
    fn answer(&self, operation: u16, stub: &[u8]) -> Result<Vec<u8>, u32> {
        match operation {
            OpenScManager::OPNUM => {
                let reply = match self.trick {
                    Trick::RefuseManager(code) => OpenScManagerReply {
                        handle: None,
                        code: Code(code),
                    },
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
            QueryServiceStatusEx::OPNUM => {
                let status = ProcessStatus {
                    status: spooler().status,
                    pid: 12,
                    flags: 0,
                };
                Ok(QueryServiceStatusExReply {
                    status: Some(status),
                    code: Code::SUCCESS,
                }
                .encode())
            }
            QueryServiceConfig::OPNUM => {
                let config = ServiceConfig {
                    service_type: 0xd0,
                    start_type: 2,
                    binary_path: Some(r"C:\spoolsv.exe -x".into()),
                    ..ServiceConfig::default()
                };
                Ok(QueryServiceConfigReply {
                    config: Some(config),
                    needed: 0,
                    code: Code::SUCCESS,
                }
                .encode())
            }
            QueryServiceConfig2::OPNUM => {
                let request = QueryServiceConfig2::decode(stub).unwrap();
                let reply = if request.level == Config2Level::DelayedAutoStart.raw() {
                    QueryServiceConfig2Reply::of(
                        &Config2::DelayedAutoStart(true),
                        request.buffer_size,
                    )
                } else {
                    QueryServiceConfig2Reply::refused(Code::INVALID_LEVEL, request.buffer_size)
                };
                Ok(reply.encode())
            }
            CloseServiceHandle::OPNUM => Ok(CloseServiceHandleReply {
                code: Code::SUCCESS,
            }
            .encode()),
            _ => Err(FAULT_NO_SUCH_OPERATION),
        }
    }

    fn list(&self, request: &EnumServicesStatusEx) -> Result<Vec<u8>, u32> {
        let lists = self.lists.fetch_add(1, Ordering::Relaxed);
        match self.trick {
            Trick::Old => Err(FAULT_NO_SUCH_OPERATION),
            Trick::ListCode(code) if lists == 2 => {
                Ok(EnumServicesStatusExReply::refused(Code(code), request.buffer_size).encode())
            }
            Trick::ListFault(fault) if lists == 2 => Err(fault),
            Trick::Silent if lists >= 2 => Err(0),
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

    fn counts(&self) -> (usize, usize) {
        (
            self.logons.load(Ordering::Relaxed),
            self.lists.load(Ordering::Relaxed),
        )
    }
}

fn request(may_log_on: bool, ask: &[&str]) -> ProbeRequest {
    ProbeRequest {
        host: Name::new("web-1"),
        probe: ProbeId(7),
        may_log_on,
        ask: ask.iter().map(|name| Name::new(name)).collect(),
        timeout: Span(2_000),
    }
}

fn listed(observation: &Observation) -> usize {
    match &observation.outcome {
        Outcome::Read(reading) => reading.services.len(),
        other => panic!("not read: {other:?}"),
    }
}

fn fault(observation: &Observation) -> (Fault, Option<Refusal>) {
    match &observation.outcome {
        Outcome::Fault(fault) => (fault.fault, fault.refusal),
        other => panic!("no fault: {other:?}"),
    }
}

#[tokio::test]
async fn one_session_is_kept_and_its_buffer_size_remembered() {
    let (host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let first = prober.check(&request(true, &[]), &access).await;
    assert_eq!(
        (listed(&first), first.logon, first.session_kept),
        (81, Logon::Accepted, true)
    );
    assert_eq!(first.computer_name.as_deref(), Some("WEB-1"));
    assert_eq!(host.counts(), (1, 2), "the first list asks for the size");

    let second = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (listed(&second), second.logon, second.session_kept),
        (81, Logon::None, true)
    );
    assert_eq!(second.computer_name.as_deref(), Some("WEB-1"));
    assert_eq!(host.counts(), (1, 3), "each further check is one call");
    assert_eq!(prober.sessions(), 1);

    prober.forget(&Name::new("WEB-1")).await;
    assert_eq!(prober.sessions(), 0);
    let third = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (third.outcome, third.session_kept),
        (Outcome::LogonNeeded, false)
    );
}

#[tokio::test]
async fn without_permission_nothing_is_tried() {
    let (host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let observation = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (observation.outcome, observation.logon),
        (Outcome::LogonNeeded, Logon::None)
    );
    assert_eq!(host.counts(), (0, 0));
}

#[tokio::test]
async fn names_that_the_list_lacks_are_asked_for() {
    let (_host, access) = Host::start(Trick::None).await;
    let ask = ["SPOOLER", "Missing", "Hidden", "Bad/Name", "Template"];
    let observation = Prober::new().check(&request(true, &ask), &access).await;
    let Outcome::Read(reading) = observation.outcome else {
        panic!("not read")
    };
    let asked: Vec<_> = reading
        .asked
        .iter()
        .map(|(name, asked)| (name.as_str(), asked))
        .collect();
    assert_eq!(asked.len(), 4, "the list has Spooler: {asked:?}");
    assert_eq!(asked[0], ("Missing", &Asked::Missing));
    assert_eq!(asked[1], ("Hidden", &Asked::Hidden));
    assert!(
        matches!(asked[2], ("Bad/Name", Asked::Read(reading)) if reading.state == State::Unknown)
    );
    assert!(matches!(asked[3], ("Template", Asked::Read(reading)) if reading.pid == Some(12)));
}

#[tokio::test]
async fn a_host_without_processes_in_its_list_is_remembered_as_one() {
    let (host, access) = Host::start(Trick::Old).await;
    let prober = Prober::new();
    for check in 0..2 {
        let observation = prober.check(&request(check == 0, &[]), &access).await;
        assert_eq!(listed(&observation), 81);
    }
    assert_eq!(
        host.counts(),
        (1, 1),
        "the unknown call is made once for a connection"
    );
}

#[tokio::test]
async fn a_session_that_is_over_is_renewed_where_that_is_allowed() {
    for trick in [
        Trick::CloseAfterList,
        Trick::ListCode(6),
        Trick::ListFault(FAULT_CONTEXT_MISMATCH),
    ] {
        let (host, access) = Host::start(trick).await;
        let prober = Prober::new();
        if trick == Trick::CloseAfterList {
            // The first connection ends between asking for the size and asking for the list: that is the host's fault.
            let first = prober.check(&request(true, &[]), &access).await;
            assert_eq!(fault(&first).0, Fault::Unreachable);
            continue;
        }
        prober.check(&request(true, &[]), &access).await;
        let renewed = prober.check(&request(true, &[]), &access).await;
        assert_eq!(
            (listed(&renewed), renewed.logon),
            (81, Logon::Accepted),
            "{trick:?}"
        );
        assert_eq!(host.counts().0, 2, "{trick:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_no_fault_where_logging_on_is_not_allowed() {
    let (_host, access) = Host::start(Trick::ListCode(6)).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let observation = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (observation.outcome, observation.session_kept),
        (Outcome::LogonNeeded, false)
    );
}

#[tokio::test]
async fn another_password_means_another_logon() {
    let (host, mut access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    access.password = Secret::new("changed");
    let denied = prober.check(&request(false, &[]), &access).await;
    assert_eq!(denied.outcome, Outcome::LogonNeeded);
    let allowed = prober.check(&request(true, &[]), &access).await;
    assert_eq!((listed(&allowed), allowed.logon), (81, Logon::Accepted));
    assert_eq!(host.counts().0, 2);
}

#[tokio::test]
async fn each_refusal_is_the_fault_that_it_is() {
    for (trick, expected, logon) in [
        (
            Trick::Refuse(0xC000_006D),
            (Fault::LogonRefused, Some(Refusal::WrongPassword)),
            Logon::None,
        ),
        (
            Trick::Refuse(0xC000_0234),
            (Fault::LogonRefused, Some(Refusal::LockedOut)),
            Logon::None,
        ),
        (
            Trick::RefuseManager(5),
            (Fault::AccessDenied, None),
            Logon::Accepted,
        ),
        (
            Trick::RefuseManager(1115),
            (Fault::ShuttingDown, None),
            Logon::Accepted,
        ),
        (
            Trick::Rubbish,
            (Fault::ProtocolError, None),
            Logon::Accepted,
        ),
    ] {
        let (host, access) = Host::start(trick).await;
        let observation = Prober::new().check(&request(true, &[]), &access).await;
        assert_eq!(
            (fault(&observation), observation.logon),
            (expected, logon),
            "{trick:?}"
        );
        assert!(!observation.session_kept);
        assert_eq!(
            host.counts().0,
            1,
            "a refusal is not tried again: {trick:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_shuts_down_says_so_on_the_kept_session() {
    let (host, access) = Host::start(Trick::ListCode(1115)).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let observation = prober.check(&request(true, &[]), &access).await;
    assert_eq!(fault(&observation).0, Fault::ShuttingDown);
    assert_eq!(host.counts().0, 1);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_the_session_with_it() {
    let (host, access) = Host::start(Trick::Silent).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let mut short = request(true, &[]);
    short.timeout = Span(300);
    let (one, other) = tokio::join!(prober.check(&short, &access), prober.check(&short, &access));
    for observation in [one, other] {
        assert_eq!(fault(&observation).0, Fault::Timeout);
        assert!(observation.took < Span(1_500), "{observation:?}");
        assert!(!observation.session_kept);
    }
    assert_eq!(
        host.counts().0,
        1,
        "a host is not read twice at once, nor tried again after silence"
    );
}

#[tokio::test]
async fn what_a_host_does_not_tell_of_a_configuration_stays_unknown() {
    let (_host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let names: Vec<Name> = ["Spooler", "Missing", "Hidden"]
        .iter()
        .map(|name| Name::new(name))
        .collect();
    let host = Name::new("web-1");
    let early = prober.read_config(&host, &names, Span(2_000)).await;
    assert_eq!(
        early.unwrap_err().fault,
        Fault::Unreachable,
        "there is no session yet"
    );

    prober.check(&request(true, &[]), &access).await;
    let configs = prober
        .read_config(&host, &names, Span(2_000))
        .await
        .unwrap();
    assert_eq!(configs.len(), 2, "the missing one is left out");
    let spooler = &configs[0];
    assert_eq!(spooler.start_type, Some(StartType::AutomaticDelayed));
    assert_eq!(spooler.per_user, Some(true));
    assert_eq!(spooler.binary_path.as_deref(), Some(r"C:\spoolsv.exe -x"));
    assert_eq!(
        (
            &spooler.account,
            &spooler.description,
            spooler.trigger_start
        ),
        (&None, &None, None)
    );
    let hidden = &configs[1];
    assert_eq!(
        (hidden.name.as_str(), hidden.start_type, hidden.per_user),
        ("Hidden", None, None)
    );
    assert_eq!(
        prober.sessions(),
        1,
        "a session survives what a host does not know"
    );
}

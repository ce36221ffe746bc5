//! The event log of a host of ours that refuses anything less than packet privacy.

use std::time::Duration;

use svcwatch_wire::even::{
    CloseEventLog, CloseEventLogReply, EVENT_LOG, EventRecord, NumberOfRecords, NumberReply,
    OldestRecord, OpenEventLog, OpenEventLogReply, ReadEventLog, ReadEventLogReply, flags, status,
};
use svcwatch_wire::pdu::secure::SecureServer;
use svcwatch_wire::pdu::{FAULT_ACCESS_DENIED, Incoming, SERVICE_CONTROL, Server};
use svcwatch_wire::scmr::{
    Code, EnumServicesStatusEx, EnumServicesStatusExReply, Handle, OpenScManager,
    OpenScManagerReply, OpenService, OpenServiceReply, Reply, Request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use svcwatch_core::evidence::{GatherId, GatherRequest, GatherService};
use svcwatch_core::time::Wall;

use super::acceptor::Acceptor;
use super::host::{MANAGER, services};
use super::*;
use crate::evidence::Gatherer;
use crate::probe::events::{EventsAsked, EventsFound, NoEvents};
use crate::probe::hello::{Hello, Reply as HelloReply};
use crate::probe::{Auth, Transport};

const PASSWORD: &str = "the right one";
const LOG: Handle = Handle([8; 20]);
/// Events begin then, in seconds since 1970.
const BEGAN: u32 = 1_700_000_000;

/// What is odd about a host's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Nothing,
    /// It has a million records, and says so.
    Million,
    /// It refuses to be opened.
    Denied,
    /// A record says that it is longer than it is.
    Lies,
    /// It is never opened.
    Deaf,
    /// The host seals with weak keys only.
    Weak,
}

async fn start(odd: Odd) -> Access {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { serve(stream, odd).await });
        }
    });
    Access {
        address: "127.0.0.1".into(),
        port,
        transport: Transport::Loopback,
        user: r"CORP\watcher".into(),
        password: Secret::new(PASSWORD),
        second_password: None,
        auth: Auth::Ntlm,
    }
}

async fn serve(mut stream: TcpStream, odd: Odd) -> Option<()> {
    Hello::receive(&mut stream).await.ok()?;
    let hello = HelloReply::Accepted {
        computer: "WEB-1".into(),
    };
    hello.send(&mut stream).await.ok()?;
    let mut manager = Server::new(SERVICE_CONTROL);
    let mut log: Option<SecureServer<Acceptor>> = None;
    // The number of the next record that a sequential read gives.
    let mut next = None;
    loop {
        let mut head = [0; 16];
        stream.read_exact(&mut head).await.ok()?;
        let mut fragment = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
        fragment[..16].copy_from_slice(&head);
        stream.read_exact(&mut fragment[16..]).await.ok()?;
        let with_token = fragment[10..12] != [0, 0];
        if fragment[2] == 11 {
            let lacks = if odd == Odd::Weak { 0x2000_0000 } else { 0 };
            let acceptor = Acceptor::new(PASSWORD, lacks);
            log = with_token.then(|| SecureServer::new(EVENT_LOG, acceptor));
        }
        let incoming = match &mut log {
            Some(log) => log.on_fragment(&fragment),
            None => manager.on_fragment(&fragment),
        };
        let answers = match incoming.unwrap() {
            Incoming::More => continue,
            Incoming::Answer(answer) => vec![answer],
            Incoming::Call {
                call_id,
                operation,
                stub,
            } => match &mut log {
                None => manager.response(call_id, &of_manager(operation, &stub)),
                Some(log) => {
                    if let Some(answer) = of_log(odd, operation, &stub, &mut next) {
                        log.response(call_id, &answer).unwrap()
                    } else {
                        tokio::time::sleep(Duration::from_mins(1)).await;
                        vec![log.fault(call_id, FAULT_ACCESS_DENIED)]
                    }
                }
            },
        };
        for answer in answers {
            stream.write_all(&answer).await.ok()?;
        }
    }
}

fn of_manager(operation: u16, stub: &[u8]) -> Vec<u8> {
    if operation == OpenService::OPNUM {
        return OpenServiceReply {
            handle: None,
            code: Code::SERVICE_DOES_NOT_EXIST,
        }
        .encode();
    }
    if operation == EnumServicesStatusEx::OPNUM {
        let request = EnumServicesStatusEx::decode(stub).unwrap();
        return EnumServicesStatusExReply::whole(&services(), request.buffer_size).encode();
    }
    assert!(
        [0, OpenScManager::OPNUM].contains(&operation),
        "{operation}"
    );
    OpenScManagerReply {
        handle: Some(MANAGER),
        code: Code::SUCCESS,
    }
    .encode()
}

/// The answer about the log; nothing where none comes.
fn of_log(odd: Odd, operation: u16, stub: &[u8], next: &mut Option<u32>) -> Option<Vec<u8>> {
    let count = if odd == Odd::Million { 1_000_000 } else { 500 };
    let code = status::SUCCESS;
    let number = |number| NumberReply {
        number: Some(number),
        code,
    };
    Some(match operation {
        OpenEventLog::OPNUM if odd == Odd::Deaf => return None,
        OpenEventLog::OPNUM => {
            *next = None;
            let denied = odd == Odd::Denied;
            OpenEventLogReply {
                handle: (!denied).then_some(LOG),
                code: if denied { status::ACCESS_DENIED } else { code },
            }
            .encode()
        }
        NumberOfRecords::OPNUM => number(count).encode(),
        OldestRecord::OPNUM => number(1).encode(),
        CloseEventLog::OPNUM => CloseEventLogReply { code }.encode(),
        ReadEventLog::OPNUM => {
            let request = ReadEventLog::decode(stub).unwrap();
            read(odd, next.unwrap_or(count), &request, next).encode()
        }
        other => panic!("operation {other} is not asked for"),
    })
}

/// Reads on from a record to older ones.
fn read(odd: Odd, from: u32, request: &ReadEventLog, next: &mut Option<u32>) -> ReadEventLogReply {
    let mut records = Vec::new();
    let mut number = from;
    assert_eq!(request.flags, flags::SEQUENTIAL | flags::BACKWARDS);
    while number > 0 {
        let record = EventRecord {
            number,
            generated: BEGAN + number,
            written: BEGAN + number,
            id: 0xc000_1b7a,
            kind: 1,
            source: "Service Control Manager".into(),
            strings: vec![
                if number.is_multiple_of(200) {
                    "Print Spooler"
                } else {
                    "Other"
                }
                .into(),
            ],
            ..EventRecord::default()
        };
        let bytes = record.encode();
        if records.len() + bytes.len() > request.buffer_size as usize {
            break;
        }
        records.extend(bytes);
        number -= 1;
    }
    *next = Some(number);
    if odd == Odd::Lies {
        records[1] ^= 0x80;
    }
    ReadEventLogReply {
        records,
        needed: 0,
        code: status::SUCCESS,
    }
}

fn asked(since: u32) -> EventsAsked {
    EventsAsked {
        executable: None,
        service: "Spooler".into(),
        display_name: Some("Print Spooler".into()),
        sources: Vec::new(),
        since,
    }
}

async fn events(access: &Access, since: u32) -> (Result<EventsFound, NoEvents>, usize) {
    let prober = Prober::new();
    let host = Name::new("web-1");
    assert_eq!(listed(&prober.check(&request(true, &[]), access).await), 81);
    let found = prober
        .events(&host, access, &asked(since), Span(5_000), Span(5_000))
        .await;
    let kept = prober.sessions();
    if kept == 1 {
        // The services can be read over the same session, whatever came of the log.
        assert_eq!(
            listed(&prober.check(&request(false, &[]), access).await),
            81
        );
    }
    (found, kept)
}

#[tokio::test]
async fn a_host_that_wants_privacy_is_read() {
    let access = start(Odd::Nothing).await;
    let (found, kept) = events(&access, BEGAN + 100).await;
    let found = found.unwrap();
    let at: Vec<u32> = found.lines.iter().map(|line| line.at - BEGAN).collect();
    // Both logs of this host hold the same.
    assert_eq!((at, found.cut, kept), (vec![400, 400, 200, 200], false, 1));
    assert_eq!(
        (found.lines[0].id, found.lines[0].is_of_manager()),
        (7034, true)
    );
}

#[tokio::test]
async fn a_million_records_cost_no_more_than_the_bound() {
    let access = start(Odd::Million).await;
    let (found, kept) = events(&access, 0).await;
    let found = found.unwrap();
    assert!(found.cut, "not all of it was looked at");
    assert!(
        (2..=20).contains(&found.lines.len()),
        "{}",
        found.lines.len()
    );
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn why_there_are_no_lines_is_said() {
    for (odd, due, stays) in [
        (
            Odd::Denied,
            "put the account into the group Event Log Readers",
            1,
        ),
        (Odd::Weak, "keys of 128 bits", 1),
        (Odd::Lies, "the event log cannot be read: ", 1),
    ] {
        let access = start(odd).await;
        let (found, kept) = events(&access, 0).await;
        let error = found.unwrap_err().to_string();
        assert!(error.contains(due), "{odd:?}: {error}");
        assert_eq!(kept, stays, "{odd:?}");
    }
    let wrong = Access {
        password: Secret::new("the wrong one"),
        ..start(Odd::Nothing).await
    };
    let (found, _) = events(&wrong, 0).await;
    assert!(matches!(found, Err(NoEvents::ProofRefused(_))), "{found:?}");
}

#[tokio::test]
async fn a_host_that_never_answers_costs_the_time_that_it_was_given_and_the_session() {
    let access = start(Odd::Deaf).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let found = prober
        .events(
            &Name::new("web-1"),
            &access,
            &asked(0),
            Span(300),
            Span(5_000),
        )
        .await;
    assert_eq!((found, prober.sessions()), (Err(NoEvents::Timeout), 0));
}

/// A host is asked why its services are not as expected, for far longer than a check may take.
fn why(services: &[&str], log: bool) -> GatherRequest {
    let services = services.iter().map(|name| GatherService {
        service: Name::new(name),
        display_name: None,
        since: Wall(0),
    });
    GatherRequest {
        host: Name::new("web-1"),
        gather: GatherId(1),
        services: services.collect(),
        log,
        timeout: Span(9_500),
        question: Span(2_000),
    }
}

#[tokio::test]
async fn a_check_is_on_time_although_a_log_does_not_answer() {
    let access = start(Odd::Deaf).await;
    let prober = Arc::new(Prober::new());
    prober.check(&request(true, &[]), &access).await;
    // All of it over one pipe, so that the check has to wait for the log.
    let gatherer = Gatherer::new(Arc::clone(&prober));
    let known = access.clone();
    let asking = tokio::spawn(async move {
        let access = async { Ok(known) };
        gatherer.gather(&why(&["Spooler"], true), access).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..2 {
        let seen = prober.check(&request(true, &[]), &access).await;
        assert_eq!(listed(&seen), 81);
    }
    let found = asking.await.unwrap();
    let lacking = found[0].lacking.join("; ");
    assert!(lacking.contains("not read in time"), "{lacking}");
}

#[tokio::test]
async fn drivers_that_a_service_depends_on_are_asked_for_by_name() {
    let (_host, access) = Host::start(Trick::Depends).await;
    let prober = Arc::new(Prober::new());
    prober.check(&request(true, &[]), &access).await;
    let nobody = async { Err("it is not asked".to_owned()) };
    let gatherer = Gatherer::new(Arc::clone(&prober));
    let found = gatherer.gather(&why(&["Spooler"], false), nobody).await;
    let due = [
        ("Service7", Some(State::Running)),
        ("Missing", Some(State::Missing)),
        ("Hidden", None),
        // The list lacks it, as lists of services lack drivers.
        ("Http", Some(State::Running)),
        ("+TDI", None),
    ];
    assert_eq!(
        found[0].dependencies,
        due.map(|(name, state)| (name.to_owned(), state))
    );
    assert_eq!(prober.sessions(), 1);
}

#[tokio::test]
async fn a_host_without_a_log_says_so() {
    let (_host, access) = Host::start(Trick::NoServerService).await;
    let (found, kept) = events(&access, 0).await;
    assert!(matches!(found, Err(NoEvents::NotSealed(_))), "{found:?}");
    assert_eq!(kept, 1);
}

//! What the fuzz targets of svcwatch-wire do with their input. The corpus test of that crate includes
//! this file too, so that the same checks run on stable with every `cargo test`.

use svcwatch_wire::WireError;
use svcwatch_wire::even::{self, EventRecord};
use svcwatch_wire::limits::{
    ENUMERATION_BYTES_MAX, EVENT_LOG_BYTES_MAX, EVENT_STRINGS_MAX, REPLY_BYTES_MAX,
    REQUEST_BYTES_MAX,
};
use svcwatch_wire::ndr::{Reader, Writer};
use svcwatch_wire::pdu::secure::{
    Accept, Accepted, BadSeal, Protection, Provider, SecureClient, SecureServer,
};
use svcwatch_wire::pdu::{self, Client, Incoming, Progress, SERVICE_CONTROL, Server};
use svcwatch_wire::scmr::{
    self, Config2, Config2Level, Enumeration, EnumerationError, Handle, Reply, Request,
};
use svcwatch_wire::srvs::{RemoteTimeOfDay, RemoteTimeOfDayReply};

/// A target: its name, which is also its corpus folder, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("pdu_client", pdu_client),
    ("pdu_server", pdu_server),
    ("ndr", ndr),
    ("scmr_replies", scmr_replies),
    ("scmr_requests", scmr_requests),
    ("enumeration", enumeration),
    ("srvs", srvs),
    ("pdu_secure", pdu_secure),
    ("even", even),
];

/// Cuts a stream into packets as a stream transport does; what is no packet comes as one piece.
fn packets(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if stream.is_empty() {
            return None;
        }
        let size = match pdu::fragment_length(stream) {
            Some(Ok(size)) => size.min(stream.len()),
            Some(Err(_)) | None => stream.len(),
        };
        let (packet, rest) = stream.split_at(size);
        stream = rest;
        Some(packet)
    })
}

/// A server's packets, given to a client that asks a new call whenever the last one is answered.
pub fn pdu_client(data: &[u8]) {
    let mut client = Client::new(SERVICE_CONTROL);
    drop(client.bind());
    let mut bound = false;
    for packet in packets(data) {
        if !bound {
            if client.on_bind_reply(packet).is_err() {
                assert!(client.is_broken());
                return;
            }
            bound = true;
            drop(client.request(15, &[0; 8]));
            continue;
        }
        match client.on_fragment(packet) {
            Ok(Progress::More) => {}
            Ok(Progress::Done(stub)) => {
                assert!(stub.len() <= REPLY_BYTES_MAX);
                drop(client.request(42, &stub));
            }
            Err(WireError::Fault(_)) => {
                assert!(!client.is_broken());
                drop(client.request(14, &[]));
            }
            Err(_) => {
                assert!(client.is_broken());
                assert_eq!(client.on_fragment(packet), Err(WireError::Broken));
                return;
            }
        }
    }
}

/// A client's packets, given to a server; what it answers must be packets again.
pub fn pdu_server(data: &[u8]) {
    let mut server = Server::new(SERVICE_CONTROL);
    for packet in packets(data) {
        let answers = match server.on_fragment(packet) {
            Ok(Incoming::More) => continue,
            Ok(Incoming::Answer(answer)) => vec![answer],
            Ok(Incoming::Call {
                call_id,
                operation,
                stub,
            }) => {
                assert!(stub.len() <= REQUEST_BYTES_MAX);
                let mut answers = server.response(call_id, &stub);
                answers.push(server.fault(call_id, u32::from(operation)));
                answers
            }
            Err(_) => {
                assert_eq!(server.on_fragment(packet), Err(WireError::Broken));
                return;
            }
        };
        for answer in answers {
            assert_eq!(pdu::fragment_length(&answer), Some(Ok(answer.len())));
        }
    }
}

/// A seal that everybody can break: it must not keep the fuzzer from what is inside.
#[derive(Debug)]
pub struct OpenSeal;

impl Protection for OpenSeal {
    fn signature_bytes(&self) -> usize {
        16
    }

    fn seal(
        &mut self,
        packet: &mut [u8],
        body: std::ops::Range<usize>,
    ) -> Result<Vec<u8>, BadSeal> {
        assert!(packet[body].len().is_multiple_of(16));
        Ok(vec![0x5e; 16])
    }

    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: std::ops::Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal> {
        assert!(packet.get(body).is_some());
        if signature == [0x5e; 16] {
            Ok(())
        } else {
            Err(BadSeal)
        }
    }
}

/// Lets everybody in, who says `me`.
#[derive(Debug)]
pub struct OpenDoor;

impl Accept for OpenDoor {
    type Protection = OpenSeal;

    fn provider(&self) -> Provider {
        Provider::NTLM
    }

    fn token(&mut self, token: &[u8], _: bool) -> Accepted<OpenSeal> {
        match token {
            b"me" => Accepted::Proved(Vec::new(), OpenSeal),
            b"" => Accepted::Refused,
            _ => Accepted::Challenge(b"who?".to_vec()),
        }
    }
}

/// The first byte says whose packets follow: a server's, given to a client that calls again and again, or a client's,
/// given to a server.
pub fn pdu_secure(data: &[u8]) {
    match data.split_first() {
        Some((0, stream)) => secure_client(stream),
        Some((_, stream)) => secure_server(stream),
        None => {}
    }
}

fn secure_client(stream: &[u8]) {
    let mut client = SecureClient::new(even::EVENT_LOG, Provider::NTLM);
    drop(client.bind(b"hello"));
    let mut bound = false;
    for packet in packets(stream) {
        if !bound {
            if client.on_bind_reply(packet).is_err() {
                assert!(client.is_broken());
                return;
            }
            bound = true;
            client.prove(b"me").expect("a proof is due");
            client.protect(OpenSeal).expect("keys are due");
            client.request(7, &[0; 8]).expect("a call is due");
            continue;
        }
        match client.on_fragment(packet) {
            Ok(Progress::More) => {}
            Ok(Progress::Done(stub)) => {
                assert!(stub.len() <= REPLY_BYTES_MAX);
                client.request(10, &stub).expect("a call is due");
            }
            Err(WireError::Fault(_)) if !client.is_broken() => {
                client.request(10, &[]).expect("a call is due");
            }
            Err(_) => {
                assert!(client.is_broken());
                assert_eq!(client.on_fragment(packet), Err(WireError::Broken));
                return;
            }
        }
    }
}

fn secure_server(stream: &[u8]) {
    let mut server = SecureServer::new(even::EVENT_LOG, OpenDoor);
    for packet in packets(stream) {
        let answers = match server.on_fragment(packet) {
            Ok(Incoming::More) => continue,
            Ok(Incoming::Answer(answer)) => vec![answer],
            Ok(Incoming::Call { call_id, stub, .. }) => {
                assert!(stub.len() <= REQUEST_BYTES_MAX);
                server.response(call_id, &stub).expect("who calls has keys")
            }
            Err(_) => {
                assert_eq!(server.on_fragment(packet), Err(WireError::Broken));
                return;
            }
        };
        for answer in answers {
            assert_eq!(pdu::fragment_length(&answer), Some(Ok(answer.len())));
        }
    }
}

/// The first byte chooses a call or an answer of the event log, or bare records; the stub stands behind it.
pub fn even(data: &[u8]) {
    let Some((&kind, stub)) = data.split_first() else {
        return;
    };
    match kind {
        0 => request::<even::OpenEventLog>(stub),
        1 => request::<even::CloseEventLog>(stub),
        2 => request::<even::NumberOfRecords>(stub),
        3 => request::<even::OldestRecord>(stub),
        4 => request::<even::ReadEventLog>(stub),
        5 => reply::<even::OpenEventLogReply>(stub),
        6 => reply::<even::CloseEventLogReply>(stub),
        7 => reply::<even::NumberReply>(stub),
        8 => reply::<even::ReadEventLogReply>(stub),
        9 => log_reading(stub),
        _ => records(stub),
    }
}

fn records(buffer: &[u8]) {
    let Ok(records) = EventRecord::decode_all(buffer) else {
        return;
    };
    for record in &records {
        assert!(record.strings.len() <= EVENT_STRINGS_MAX);
        let again = EventRecord::decode_all(&record.encode());
        assert_eq!(
            again.as_ref().map(Vec::as_slice),
            Ok([record.clone()].as_slice())
        );
    }
}

/// A conversation: for each answer its length in two bytes, its status in one, and its records.
fn log_reading(data: &[u8]) {
    let bounds = even::Bounds {
        records: 50,
        bytes: 4096,
        calls: 9,
        buffer: 2048,
        since: 10,
    };
    let mut reading = even::LogReading::new(Handle([7; 20]), 1, 100, bounds);
    let mut rest = data;
    let (mut calls, mut read) = (0, 0);
    while let Some(([low, high, code], after)) = rest.split_first_chunk::<3>() {
        assert!(reading.next_request().buffer_size <= EVENT_LOG_BYTES_MAX);
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (records, after) = after.split_at(length.min(after.len()));
        rest = after;
        let reply = even::ReadEventLogReply {
            records: records.to_vec(),
            needed: u32::from(*low) << 8,
            code: match code {
                0 => even::status::SUCCESS,
                1 => even::status::BUFFER_TOO_SMALL,
                2 => even::status::END_OF_FILE,
                _ => even::status::ACCESS_DENIED,
            },
        };
        calls += 1;
        assert!(calls <= 9, "the bounds hold");
        match reading.on_reply(&reply) {
            Ok(step) => {
                read += step.records.len();
                assert!(read <= 50, "the bounds hold");
                if step.ended.is_some() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// The first byte counts the reads, the next ones choose them, the rest is read; what can be read is
/// written again and must be read as the same.
pub fn ndr(data: &[u8]) {
    let Some((&number, rest)) = data.split_first() else {
        return;
    };
    let (reads, stub) = rest.split_at(usize::from(number).min(rest.len()));
    let mut reader = Reader::new(stub);
    for read in reads {
        let before = reader.remaining();
        let result = match read % 9 {
            0 => reader.u8("a byte").map(drop),
            1 => reader.u16("a short").map(drop),
            2 => reader.u32("a word").map(drop),
            3 => reader.u64("a long").map(drop),
            4 => reader.pointer("a pointer").map(drop),
            5 => reader.align("a boundary", 8),
            6 => reader.conformant_bytes("some bytes", 4096).map(drop),
            7 => reader.array::<20>("an array").map(drop),
            _ => reader.string("a string", 4096).map(|text| {
                let mut writer = Writer::new();
                writer.string(&text);
                let again = writer.finish();
                assert_eq!(Reader::new(&again).string("it again", 4097), Ok(text));
            }),
        };
        assert!(reader.remaining() <= before);
        if result.is_err() {
            return;
        }
    }
    assert_eq!(reader.end("the rest").is_ok(), reader.remaining() == 0);
}

/// What decodes must come out the same after being encoded. Only a size may stand in the way: a string
/// gets the terminator that it lacked, and strings that shared bytes get bytes of their own.
fn same<T: PartialEq + std::fmt::Debug>(first: &T, again: Result<T, WireError>) {
    match again {
        Ok(again) => assert_eq!(&again, first),
        Err(WireError::OverLimit { .. } | WireError::SharedText { .. }) => {}
        Err(error) => panic!("{first:?} cannot be read again: {error}"),
    }
}

fn reply<R: Reply + PartialEq + std::fmt::Debug>(stub: &[u8]) {
    if let Ok(reply) = R::decode(stub) {
        same(&reply, R::decode(&reply.encode()));
    }
}

fn request<R: Request + PartialEq + std::fmt::Debug>(stub: &[u8]) {
    if let Ok(request) = R::decode(stub) {
        same(&request, R::decode(&request.encode()));
    }
}

/// A list may need a larger buffer than it came in, so its size is not compared.
macro_rules! list {
    ($reply:ty, $stub:expr) => {
        if let Ok(reply) = <$reply>::decode($stub) {
            match <$reply>::decode(&reply.encode()) {
                Ok(again) => {
                    assert_eq!(again.services, reply.services);
                    assert_eq!(again.code, reply.code);
                }
                Err(WireError::OverLimit { .. } | WireError::SharedText { .. }) => {}
                Err(error) => panic!("{reply:?} cannot be read again: {error}"),
            }
        }
    };
}

/// The operation stands in the first byte, the stub of its answer behind it.
pub fn scmr_replies(data: &[u8]) {
    let Some((&operation, stub)) = data.split_first() else {
        return;
    };
    match operation {
        0 => reply::<scmr::CloseServiceHandleReply>(stub),
        1 => reply::<scmr::ControlServiceReply>(stub),
        6 => reply::<scmr::QueryServiceStatusReply>(stub),
        13 => list!(scmr::EnumDependentServicesReply, stub),
        14 => list!(scmr::EnumServicesStatusReply, stub),
        15 => reply::<scmr::OpenScManagerReply>(stub),
        16 => reply::<scmr::OpenServiceReply>(stub),
        17 => reply::<scmr::QueryServiceConfigReply>(stub),
        19 => reply::<scmr::StartServiceReply>(stub),
        39 => config2(stub),
        40 => reply::<scmr::QueryServiceStatusExReply>(stub),
        42 => list!(scmr::EnumServicesStatusExReply, stub),
        47 => reply::<scmr::NotifyServiceStatusChangeReply>(stub),
        48 => reply::<scmr::GetNotifyResultsReply>(stub),
        49 => reply::<scmr::CloseNotifyHandleReply>(stub),
        56 => reply::<scmr::QueryServiceConfigExReply>(stub),
        _ => {}
    }
}

/// The first byte chooses the call or its answer, the stub stands behind it.
pub fn srvs(data: &[u8]) {
    match data.split_first() {
        Some((0, stub)) => request::<RemoteTimeOfDay>(stub),
        Some((_, stub)) => reply::<RemoteTimeOfDayReply>(stub),
        None => {}
    }
}

fn config2(stub: &[u8]) {
    reply::<scmr::QueryServiceConfig2Reply>(stub);
    let Ok(reply) = scmr::QueryServiceConfig2Reply::decode(stub) else {
        return;
    };
    for level in Config2Level::ALL {
        if let Ok(Some(config)) = reply.config(level) {
            assert_eq!(config.level(), level);
            same(&config, Config2::decode(level, &config.encode()));
        }
    }
}

/// The operation stands in the first byte, the stub of the call behind it.
pub fn scmr_requests(data: &[u8]) {
    let Some((&operation, stub)) = data.split_first() else {
        return;
    };
    match operation {
        0 => request::<scmr::CloseServiceHandle>(stub),
        1 => request::<scmr::ControlService>(stub),
        6 => request::<scmr::QueryServiceStatus>(stub),
        13 => request::<scmr::EnumDependentServices>(stub),
        14 => request::<scmr::EnumServicesStatus>(stub),
        15 => request::<scmr::OpenScManager>(stub),
        16 => request::<scmr::OpenService>(stub),
        17 => request::<scmr::QueryServiceConfig>(stub),
        19 => request::<scmr::StartService>(stub),
        39 => request::<scmr::QueryServiceConfig2>(stub),
        40 => request::<scmr::QueryServiceStatusEx>(stub),
        42 => request::<scmr::EnumServicesStatusEx>(stub),
        47 => request::<scmr::NotifyServiceStatusChange>(stub),
        48 => request::<scmr::GetNotifyResults>(stub),
        49 => request::<scmr::CloseNotifyHandle>(stub),
        56 => request::<scmr::QueryServiceConfigEx>(stub),
        _ => {}
    }
}

/// A conversation: for each answer its length in two bytes and the answer; the length 65535 stands for
/// the fault of a server that has no such operation.
pub fn enumeration(data: &[u8]) {
    let mut enumeration = Enumeration::new(Handle([7; 20]), None, true);
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (operation, stub) = enumeration.next_request();
        let asked = if operation == 42 {
            scmr::EnumServicesStatusEx::decode(&stub).map(|asked| asked.buffer_size)
        } else {
            scmr::EnumServicesStatus::decode(&stub).map(|asked| asked.buffer_size)
        };
        assert!(asked.expect("what we ask can be read") <= ENUMERATION_BYTES_MAX);
        let length = u16::from_le_bytes(*length);
        let answer = if length == u16::MAX {
            rest = after;
            Err(WireError::Fault(pdu::FAULT_NO_SUCH_OPERATION))
        } else {
            let (answer, after) = after.split_at(usize::from(length).min(after.len()));
            rest = after;
            Ok(answer.to_vec())
        };
        match enumeration.on_reply(answer) {
            Ok(_) => assert!(enumeration.buffer_size() <= ENUMERATION_BYTES_MAX),
            Err(EnumerationError::Refused(code)) => {
                assert!(!code.is_success());
                return;
            }
            Err(_) => return,
        }
    }
}

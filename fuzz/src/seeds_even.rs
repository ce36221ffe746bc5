//! The seeds of sealed connections and of the event log.

use super::Seed;
use crate::wire::{OpenDoor, OpenSeal};
use svcwatch_wire::even::{
    CloseEventLog, CloseEventLogReply, EVENT_LOG, EventRecord, NumberOfRecords, NumberReply,
    OldestRecord, OpenEventLog, OpenEventLogReply, ReadEventLog, ReadEventLogReply, flags, status,
};
use svcwatch_wire::pdu::secure::{Provider, SecureClient, SecureServer};
use svcwatch_wire::pdu::{FAULT_NO_SUCH_OPERATION, Incoming};
use svcwatch_wire::scmr::{Handle, Reply, Request};

pub(super) fn seeds(seeds: &mut Vec<Seed>) {
    sealed(seeds);
    events(seeds);
}

/// The packets of a sealed conversation, as each side receives them.
fn sealed(seeds: &mut Vec<Seed>) {
    for (name, stub) in [("short", vec![1, 2, 3]), ("fragments", vec![5; 9000])] {
        let mut client = SecureClient::new(EVENT_LOG, Provider::NTLM);
        let mut server = SecureServer::new(EVENT_LOG, OpenDoor);
        let bind = client.bind(b"hello").expect("a bind");
        let Ok(Incoming::Answer(ack)) = server.on_fragment(&bind) else {
            panic!("the server answers the bind");
        };
        client.on_bind_reply(&ack).expect("the bind is taken");
        let proof = client.prove(b"me").expect("a proof");
        server.on_fragment(&proof).expect("the proof is taken");
        client.protect(OpenSeal).expect("keys");
        let call = client.request(7, &stub).expect("a call");
        let answer = server.response(2, &stub).expect("an answer");
        let fault = server.fault(3, FAULT_NO_SUCH_OPERATION);
        let to_server = [vec![vec![1], bind, proof], call].concat().concat();
        let to_client = [vec![vec![0], ack], answer, vec![fault]].concat().concat();
        seeds.push(("pdu_secure", format!("server_{name}"), to_server));
        seeds.push(("pdu_secure", format!("client_{name}"), to_client));
    }
}

/// Calls, answers and records of an event log.
fn events(seeds: &mut Vec<Seed>) {
    let log = Handle([7; 20]);
    let record = |number| EventRecord {
        number,
        generated: 1_700_000_000,
        written: 1_700_000_000,
        id: 0xc000_1b7a,
        kind: 1,
        category: 0,
        source: "Service Control Manager".into(),
        computer: "srv01".into(),
        strings: vec!["Print Spooler".into(), "1".into()],
    };
    let records = [record(9).encode(), record(8).encode()].concat();
    let read = ReadEventLog {
        log,
        flags: flags::SEQUENTIAL | flags::BACKWARDS,
        offset: 0,
        buffer_size: 65_536,
    };
    let answer = |records: &[u8], code| ReadEventLogReply {
        records: records.to_vec(),
        needed: 0,
        code,
    };
    let mut talk = Vec::new();
    for number in [100, 99] {
        let bytes = record(number).encode();
        talk.extend(u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
        talk.push(0);
        talk.extend(bytes);
    }
    talk.extend([0, 0, 2]);
    let open = OpenEventLog {
        log: "System".into(),
    };
    let opened = OpenEventLogReply {
        handle: Some(log),
        code: status::SUCCESS,
    };
    let count = NumberReply {
        number: Some(5),
        code: status::SUCCESS,
    };
    let closed = CloseEventLogReply {
        code: status::SUCCESS,
    };
    for (name, kind, stub) in [
        ("open", 0, open.encode()),
        ("close", 1, CloseEventLog { log }.encode()),
        ("count", 2, NumberOfRecords { log }.encode()),
        ("oldest", 3, OldestRecord { log }.encode()),
        ("read", 4, read.encode()),
        ("opened", 5, opened.encode()),
        ("closed", 6, closed.encode()),
        ("counted", 7, count.encode()),
        ("events", 8, answer(&records, status::SUCCESS).encode()),
        ("end", 8, answer(&[], status::END_OF_FILE).encode()),
        ("talk", 9, talk),
        ("records", 10, records.clone()),
    ] {
        let mut data = vec![kind];
        data.extend(stub);
        seeds.push(("even", name.to_owned(), data));
    }
}

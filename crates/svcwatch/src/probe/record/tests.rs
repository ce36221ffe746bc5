use std::sync::Arc;

use proptest::prelude::*;
use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, Outcome, ProbeId};
use svcwatch_core::time::Span;
use svcwatch_wire::scmr::{
    Code, Config2, Config2Level, EnumServicesStatusEx, EnumServicesStatusExReply,
    EnumeratedService, FailureActions, Handle, QueryServiceConfig, QueryServiceConfig2,
    QueryServiceConfig2Reply, QueryServiceConfigEx, QueryServiceConfigExReply,
    QueryServiceConfigReply, Reply, Request, ServiceConfig, ServiceStatus, Trigger, TriggerItem,
};

use super::*;
use crate::probe::{Access, Auth, Encryption, Prober, Transport};
use crate::secret::Secret;

const CANARY: &str = "hunter2-canary";

/// Whether bytes hold a text, in UTF-16 or as it is.
fn holds(bytes: &[u8], text: &str) -> bool {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [wide.as_slice(), text.as_bytes()]
        .iter()
        .any(|text| bytes.windows(text.len()).any(|window| window == *text))
}

#[test]
fn command_lines_are_masked_and_the_rest_of_the_answer_stays() {
    let config = ServiceConfig {
        start_type: 2,
        binary_path: Some(format!(r#""C:\x\a.exe" --password {CANARY} --port 80"#)),
        start_name: Some(r"CORP\svc".into()),
        display_name: Some("A".into()),
        ..ServiceConfig::default()
    };
    let reply = QueryServiceConfigReply {
        config: Some(config),
        needed: 0,
        code: Code::SUCCESS,
    };
    let stub = reply.encode();
    assert!(holds(&stub, CANARY));
    let kept = redact::reply(QueryServiceConfig::OPNUM, &[], &stub).unwrap();
    assert!(!holds(&kept, CANARY));
    let kept = QueryServiceConfigReply::decode(&kept)
        .unwrap()
        .config
        .unwrap();
    assert_eq!(
        kept.binary_path.as_deref(),
        Some(r#""C:\x\a.exe" --password ******** --port 80"#)
    );
    assert_eq!(
        (kept.start_type, kept.start_name.as_deref()),
        (2, Some(r"CORP\svc"))
    );
}

#[test]
fn free_texts_commands_and_data_of_triggers_do_not_go_along() {
    let service = Handle([2; 20]);
    let actions = FailureActions {
        command: Some(format!("run.exe -token={CANARY}")),
        reboot_message: Some(format!("call {CANARY}")),
        ..FailureActions::default()
    };
    for (config, expected) in [
        (
            Config2::Description(Some(format!("log on with {CANARY}"))),
            Config2::Description(Some("xxx xx xxxx xxxxxxxxxxxxxx".into())),
        ),
        (
            Config2::FailureActions(actions),
            Config2::FailureActions(FailureActions {
                command: Some("run.exe -token=********".into()),
                reboot_message: Some("xxxx xxxxxxxxxxxxxx".into()),
                ..FailureActions::default()
            }),
        ),
    ] {
        let level = config.level();
        let query = QueryServiceConfig2::new(service, level);
        let stub = QueryServiceConfig2Reply::of(&config, 1024).encode();
        assert!(holds(&stub, CANARY));
        let kept = redact::reply(QueryServiceConfig2::OPNUM, &query.encode(), &stub).unwrap();
        assert!(!holds(&kept, CANARY), "{level:?}");
        let kept = QueryServiceConfig2Reply::decode(&kept).unwrap();
        assert_eq!(
            (kept.buffer.len(), kept.config(level)),
            (1024, Ok(Some(expected)))
        );
    }
    // A refusal says how much is needed, and its buffer nothing.
    let query = QueryServiceConfig2::new(service, Config2Level::Description);
    let mut refused = QueryServiceConfig2Reply::refused(Code::INSUFFICIENT_BUFFER, 64);
    refused.buffer[..CANARY.len()].copy_from_slice(CANARY.as_bytes());
    refused.needed = 99;
    let kept = redact::reply(
        QueryServiceConfig2::OPNUM,
        &query.encode(),
        &refused.encode(),
    )
    .unwrap();
    let kept = QueryServiceConfig2Reply::decode(&kept).unwrap();
    assert_eq!((kept.needed, kept.buffer), (99, vec![0; 64]));

    let triggers = QueryServiceConfigExReply {
        triggers: Some(vec![Trigger {
            trigger_type: 20,
            action: 1,
            subtype: None,
            items: Some(vec![TriggerItem {
                data_type: 2,
                data: Some(CANARY.as_bytes().to_vec()),
            }]),
        }]),
        code: Code::SUCCESS,
    };
    let kept = redact::reply(QueryServiceConfigEx::OPNUM, &[], &triggers.encode()).unwrap();
    assert!(!holds(&kept, CANARY));
    let kept = QueryServiceConfigExReply::decode(&kept)
        .unwrap()
        .triggers
        .unwrap();
    assert_eq!(
        kept[0].items.as_ref().unwrap()[0].data,
        Some(vec![0; CANARY.len()])
    );
}

#[test]
fn of_a_list_only_what_belongs_to_services_stays() {
    let service = |name: &str| EnumeratedService {
        name: name.to_owned(),
        display_name: format!("The {name}"),
        status: ServiceStatus::default(),
        pid: Some(4),
        flags: Some(0),
    };
    let services = [service("Spooler"), service("W32Time"), service("å")];
    let mut stub = EnumServicesStatusExReply::whole(&services, 4096).encode();
    // What was in the host's memory before, in the middle of the buffer.
    let middle = 4 + 2048;
    stub[middle..middle + CANARY.len()].copy_from_slice(CANARY.as_bytes());
    assert!(holds(&stub, CANARY));
    let kept = redact::reply(EnumServicesStatusEx::OPNUM, &[], &stub).unwrap();
    assert!(!holds(&kept, CANARY));
    assert_eq!(kept.len(), stub.len());
    assert_eq!(
        EnumServicesStatusExReply::decode(&kept).unwrap().services,
        services
    );
}

#[test]
fn what_is_not_understood_is_left_out() {
    for (operation, stub) in [
        (17, vec![0xff; 64]),
        (99, vec![1, 2, 3]),
        (42, vec![0xff; 64]),
        (42, vec![]),
    ] {
        let why = redact::reply(operation, &[], &stub).unwrap_err();
        assert!(!why.is_empty(), "{operation}");
    }
    assert_eq!(redact::request(99, CANARY.as_bytes()), None);
    assert_eq!(redact::request(16, CANARY.as_bytes()), None);
}

#[test]
fn files_that_are_no_record_are_told_apart() {
    let recorder = Recorder::default();
    let number = recorder.asked(0, &[0; 20]);
    recorder.answered(number, 0, &[0; 20], &Ok(vec![0; 24]));
    recorder.asked(42, &[]);
    let good = recorder.record("srv01", "nothing came");
    let text = good.to_text();
    assert_eq!(Record::read(text.as_bytes()), Ok(good.clone()));
    assert_eq!((good.calls(), good.outcome()), (2, "nothing came"));

    let lines: Vec<&str> = text.lines().collect();
    let read = |text: &str| Record::read(text.as_bytes()).unwrap_err().to_string();
    assert!(read("").contains("no record of svcwatch"));
    assert!(read("<html>").contains("no record of svcwatch"));
    assert!(read("{\"name\": 1}").contains("no record of svcwatch"));
    assert!(read("{\"svcwatch_record\":2}").contains("version 2"));
    assert!(
        read("{\"svcwatch_record\":1}").contains("line 1 is no line of a record: missing field")
    );
    assert!(read(lines[0]).contains("no end after 0 calls"));
    assert!(read(&lines[..2].join("\n")).contains("no end after 1 calls"));
    assert!(read(&[lines[0], lines[1], lines[3]].join("\n")).contains("no end after 1 calls"));
    assert!(
        read(&text[..text.len() - 4]).contains("line 4"),
        "{}",
        read(&text[..text.len() - 4])
    );
    assert!(read(&text[..lines[0].len() + 12]).contains("no end after 0 calls"));
    assert!(
        read(&format!("{text}{}", lines[1]))
            .contains("line 5 is no line of a record: it stands behind the end")
    );
    assert!(read(&text.replace("\"reply\":\"z", "\"reply\":\"q")).contains("hexadecimal digits"));
    assert!(read(&text.replace("z20.", "z99999999999.")).contains("line 2"));
    assert_eq!(
        Record::read(&vec![b' '; BYTES_MAX + 1]),
        Err(RecordError::TooLong)
    );
    for cut in 0..text.len() - 1 {
        assert!(Record::read(&text.as_bytes()[..cut]).is_err(), "{cut}");
    }
}

#[tokio::test]
async fn a_record_that_lacks_answers_gives_faults_and_no_hang() {
    let request = ProbeRequest {
        host: Name::new("srv01"),
        probe: ProbeId(1),
        may_log_on: true,
        logons: 1,
        ask: Arc::from([]),
        uptime: false,
        timeout: Span(2_000),
    };
    let access = Access {
        address: "srv01".into(),
        port: 445,
        transport: Transport::Smb {
            encryption: Encryption::Required,
        },
        user: String::new(),
        password: Secret::default(),
        second_password: None,
        auth: Auth::Ntlm,
    };
    let recorder = Recorder::default();
    let open = svcwatch_wire::scmr::OpenScManager {
        machine: None,
        database: None,
        access: 5,
    }
    .encode();
    // Without a call at all, with one that was never answered, and with one whose answer was left out.
    let mut seen = Vec::new();
    for step in 0..3 {
        if step == 1 {
            recorder.asked(15, &open);
        }
        if step == 2 {
            recorder.answered(0, 15, &open, &Ok(vec![7; 3]));
        }
        let prober = Prober::new().replaying(Arc::new(recorder.record("srv01", "")));
        match prober.check(&request, &access).await.outcome {
            Outcome::Fault(fault) => seen.push((fault.fault, fault.cause)),
            other => panic!("{step}: {other:?}"),
        }
    }
    assert_eq!(seen[0].0, Fault::ProtocolError, "{seen:?}");
    assert!(
        seen[1].1.contains("that the record does not have"),
        "{seen:?}"
    );
    assert!(seen[2].1.contains("ends inside"), "{seen:?}");
}

proptest! {
    #[test]
    fn bytes_come_back_from_their_text(bytes in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..80), zeros in 0_usize..40) {
        let mut bytes = bytes;
        bytes.resize(bytes.len() + zeros, 0);
        prop_assert_eq!(hex::read(&hex::write(&bytes)), Ok(bytes));
    }

    #[test]
    fn any_text_is_bytes_or_an_error(text in "[0-9a-fz.å+ -]{0,20}") {
        drop(hex::read(&text));
    }

    #[test]
    fn any_answer_is_kept_or_left_out(operation in prop::sample::select(vec![0_u16, 6, 13, 14, 15, 16, 17, 39, 40, 42, 56]), mut stub in prop::collection::vec(any::<u8>(), 0..200), size in 0_u8..120) {
        if let Some(first) = stub.first_chunk_mut::<4>() {
            *first = u32::from(size).to_le_bytes();
        }
        drop(redact::request(operation, &stub));
        drop(redact::reply(operation, &stub, &stub));
    }

    #[test]
    fn any_file_is_a_record_or_an_error(text in "(\\{\"svcwatch_record\":1,\"made_by\":\"\",\"host\":\"\"\\}\n)?[ -~\n]{0,200}") {
        drop(Record::read(text.as_bytes()));
    }
}

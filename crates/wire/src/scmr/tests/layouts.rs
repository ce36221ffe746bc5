//! Each call against its layout, written by hand.

use super::{HANDLE, HANDLE_HEX, STATUS, STATUS_HEX};
use crate::WireError;
use crate::scmr::{
    CloseNotifyHandle, CloseNotifyHandleReply, CloseServiceHandle, CloseServiceHandleReply, Code,
    ControlService, ControlServiceReply, CurrentState, EnumDependentServices, EnumServicesStatus,
    EnumServicesStatusEx, GetNotifyResults, GetNotifyResultsReply, Notification,
    NotifyServiceStatusChange, NotifyServiceStatusChangeReply, OpenScManager, OpenScManagerReply,
    OpenService, OpenServiceReply, ProcessStatus, QueryServiceConfig, QueryServiceConfigEx,
    QueryServiceStatus, QueryServiceStatusEx, QueryServiceStatusExReply, QueryServiceStatusReply,
    Reply, Request, StartService, StartServiceReply, controls, filter, notify_mask, service_type,
};
use crate::testing::{bytes, hex};
use core::fmt::Debug;
use insta::assert_snapshot;
use std::string::ToString;
use std::{format, vec};

/// Both sides of a call agree with a layout written by hand.
fn request<R: Request + PartialEq + Debug>(opnum: u16, request: &R, layout: &str) {
    assert_eq!(R::OPNUM, opnum);
    assert_eq!(hex(&request.encode()), hex(&bytes(layout)));
    assert_eq!(R::decode(&bytes(layout)).as_ref(), Ok(request));
}

/// Both sides of an answer agree with a layout written by hand.
fn reply<R: Reply + PartialEq + Debug>(reply: &R, layout: &str) {
    assert_eq!(hex(&reply.encode()), hex(&bytes(layout)));
    assert_eq!(R::decode(&bytes(layout)).as_ref(), Ok(reply));
}

#[test]
fn open_sc_manager() {
    request(
        15,
        &OpenScManager {
            machine: Some("ab".into()),
            database: None,
            access: 5,
        },
        // Pointer, three units with the terminator, two bytes of padding, no database, rights.
        "00000200 03000000 00000000 03000000 6100 6200 0000 0000 00000000 05000000",
    );
    reply(
        &OpenScManagerReply {
            handle: Some(HANDLE),
            code: Code::SUCCESS,
        },
        &format!("{HANDLE_HEX} 00000000"),
    );
}

#[test]
fn open_service() {
    request(
        16,
        &OpenService {
            manager: HANDLE,
            name: "abc".into(),
            access: 4,
        },
        // A reference pointer: no referent id before the string.
        &format!("{HANDLE_HEX} 04000000 00000000 04000000 6100 6200 6300 0000 04000000"),
    );
    reply(
        &OpenServiceReply {
            handle: None,
            code: Code::SERVICE_DOES_NOT_EXIST,
        },
        "0000000000000000000000000000000000000000 24040000",
    );
}

#[test]
fn a_handle_counts_only_with_success_and_success_needs_one() {
    let with_error = bytes(&format!("{HANDLE_HEX} 05000000"));
    assert_eq!(
        OpenServiceReply::decode(&with_error),
        Ok(OpenServiceReply {
            handle: None,
            code: Code::ACCESS_DENIED
        })
    );
    let without_handle = [0; 24];
    assert!(matches!(
        OpenServiceReply::decode(&without_handle),
        Err(WireError::BadValue { value: 0, .. })
    ));
}

#[test]
fn close() {
    request(0, &CloseServiceHandle { handle: HANDLE }, HANDLE_HEX);
    reply(
        &CloseServiceHandleReply {
            code: Code::INVALID_HANDLE,
        },
        "0000000000000000000000000000000000000000 06000000",
    );
}

#[test]
fn query_service_status() {
    request(6, &QueryServiceStatus { service: HANDLE }, HANDLE_HEX);
    reply(
        &QueryServiceStatusReply {
            status: Some(STATUS),
            code: Code::SUCCESS,
        },
        &format!("{STATUS_HEX} 00000000"),
    );
    // Wine does not have the call; what stands before the code is of no meaning.
    let refused = bytes(&format!("{STATUS_HEX} 78000000"));
    let refused = QueryServiceStatusReply::decode(&refused).expect("a refusal");
    assert_eq!(refused.status, None);
    assert_snapshot!(refused.code, @"120 (call not implemented)");
}

#[test]
fn query_service_status_ex() {
    request(
        40,
        &QueryServiceStatusEx { service: HANDLE },
        &format!("{HANDLE_HEX} 00000000 24000000"),
    );
    reply(
        &QueryServiceStatusExReply {
            status: Some(ProcessStatus {
                status: STATUS,
                pid: 264,
                flags: 1,
            }),
            code: Code::SUCCESS,
        },
        &format!("24000000 {STATUS_HEX} 08010000 01000000 24000000 00000000"),
    );
    // A buffer too short for a status, with success.
    let short = bytes(&format!("1c000000 {STATUS_HEX} 24000000 00000000"));
    let short = QueryServiceStatusExReply::decode(&short).expect_err("no process");
    assert_snapshot!(short, @"the message ends inside the process id of a service: 4 bytes needed, 0 left");
    // The same with an error is an error of the server's, told as such.
    let denied = bytes("00000000 24000000 05000000");
    assert_eq!(
        QueryServiceStatusExReply::decode(&denied),
        Ok(QueryServiceStatusExReply {
            status: None,
            code: Code::ACCESS_DENIED
        })
    );
}

#[test]
fn an_impossible_state_is_kept_raw_and_told() {
    let garbage = "10000000 00000000 ffffffff 00000000 00000000 00000000 00000000 00000000";
    let reply = QueryServiceStatusReply::decode(&bytes(garbage)).expect("it can be read");
    let status = reply.status.expect("a status");
    assert_eq!(status.current_state, 0);
    assert_eq!(status.state(), None);
    assert_eq!(status.controls_accepted, u32::MAX);
    for raw in [0, 8, u32::MAX] {
        assert_eq!(CurrentState::from_raw(raw), None);
    }
    for raw in 1..=7 {
        assert_eq!(
            CurrentState::from_raw(raw).map(CurrentState::raw),
            Some(raw)
        );
    }
}

#[test]
fn start_service() {
    request(
        19,
        &StartService {
            service: HANDLE,
            arguments: vec![],
        },
        &format!("{HANDLE_HEX} 00000000 00000000"),
    );
    request(
        19,
        &StartService {
            service: HANDLE,
            arguments: vec![Some("a".into()), None],
        },
        &format!(
            "{HANDLE_HEX} 02000000 00000200  02000000 04000200 00000000
             02000000 00000000 02000000 6100 0000"
        ),
    );
    reply(
        &StartServiceReply {
            code: Code::SERVICE_ALREADY_RUNNING,
        },
        "20040000",
    );
    let many = bytes(&format!("{HANDLE_HEX} ffffffff 00000200 ffffffff"));
    assert_snapshot!(StartService::decode(&many).expect_err("too many"), @"the arguments of the start is 4294967295, over the limit of 1024");
    let different = bytes(&format!(
        "{HANDLE_HEX} 01000000 00000200 02000000 00000000 00000000"
    ));
    assert!(StartService::decode(&different).is_err());
}

#[test]
fn control_service() {
    request(
        1,
        &ControlService {
            service: HANDLE,
            control: controls::STOP,
        },
        &format!("{HANDLE_HEX} 01000000"),
    );
    reply(
        &ControlServiceReply {
            status: Some(STATUS),
            code: Code::SUCCESS,
        },
        &format!("{STATUS_HEX} 00000000"),
    );
}

#[test]
fn the_requests_of_lists() {
    request(
        42,
        &EnumServicesStatusEx {
            manager: HANDLE,
            service_type: service_type::WIN32,
            state: filter::ALL,
            buffer_size: 4096,
            resume: Some(0),
            group: None,
        },
        &format!("{HANDLE_HEX} 00000000 30000000 03000000 00100000 00000200 00000000 00000000"),
    );
    request(
        14,
        &EnumServicesStatus {
            manager: HANDLE,
            service_type: service_type::WIN32,
            state: filter::ACTIVE,
            buffer_size: 4096,
            resume: Some(9),
        },
        &format!("{HANDLE_HEX} 30000000 01000000 00100000 00000200 09000000"),
    );
    request(
        13,
        &EnumDependentServices {
            service: HANDLE,
            state: filter::ALL,
            buffer_size: 256,
        },
        &format!("{HANDLE_HEX} 03000000 00010000"),
    );
    let large = bytes(&format!("{HANDLE_HEX} 03000000 01000400"));
    assert_snapshot!(EnumDependentServices::decode(&large).expect_err("too large"), @"the size of the buffer is 262145, over the limit of 262144");
}

#[test]
fn the_requests_of_configurations() {
    request(
        17,
        &QueryServiceConfig::new(HANDLE),
        &format!("{HANDLE_HEX} 00200000"),
    );
    request(
        56,
        &QueryServiceConfigEx { service: HANDLE },
        &format!("{HANDLE_HEX} 08000000"),
    );
    let other = bytes(&format!("{HANDLE_HEX} 09000000"));
    assert!(QueryServiceConfigEx::decode(&other).is_err());
}

/// A change to running, as the server fills it: 96 bytes.
fn notification_hex() -> std::string::String {
    format!(
        "00000000 00000000 09000000
         00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
         {STATUS_HEX} 08010000 01000000  00000000 01000000 08000000 00000000"
    )
}

fn notification() -> Notification {
    Notification {
        mask: notify_mask::STOPPED | notify_mask::RUNNING,
        status: ProcessStatus {
            status: STATUS,
            pid: 264,
            flags: 1,
        },
        notification_status: Code::SUCCESS,
        sequence: 1,
        triggered: notify_mask::RUNNING,
        names: None,
    }
}

#[test]
fn notify_service_status_change() {
    request(
        47,
        &NotifyServiceStatusChange {
            service: HANDLE,
            mask: notify_mask::STOPPED | notify_mask::RUNNING,
        },
        // The level, the tag of the union, a pointer; 96 bytes aligned to eight; a GUID.
        &format!(
            "{HANDLE_HEX} 02000000 02000000 00000200
             00000000 00000000 09000000
             00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
             00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
             00000000 00000000 00000000 00000000
             00000000 00000000 00000000 00000000"
        ),
    );
    reply(
        &NotifyServiceStatusChangeReply {
            notify: Some(HANDLE),
            code: Code::SUCCESS,
        },
        &format!("00000000 00000000 00000000 00000000 00000000 {HANDLE_HEX} 00000000"),
    );
}

#[test]
fn get_notify_results() {
    request(48, &GetNotifyResults { notify: HANDLE }, HANDLE_HEX);
    let layout = format!(
        "00000200 01000000 01000000 02000000 02000000 04000200 {} 00000000",
        notification_hex()
    );
    // The status of the service stands at offset 68.
    assert_eq!(hex(&bytes(&layout)[68..96]), hex(&bytes(STATUS_HEX)));
    reply(
        &GetNotifyResultsReply {
            notifications: Some(vec![notification()]),
            code: Code::SUCCESS,
        },
        &layout,
    );
    reply(
        &GetNotifyResultsReply {
            notifications: None,
            code: Code::REQUEST_ABORTED,
        },
        "00000000 d3040000",
    );
}

#[test]
fn notifications_that_lie_are_refused() {
    let refused = |layout: &str| {
        let error = GetNotifyResultsReply::decode(&bytes(layout));
        error.expect_err("it is refused").to_string()
    };
    assert_snapshot!(refused("00000200 ffffffff ffffffff"), @"the notifications is 4294967295, over the limit of 4096");
    assert_snapshot!(refused("00000200 00100000 00100000"), @"the message ends inside the level of a notification: 4 bytes needed, 0 left");
    assert_snapshot!(refused("00000200 01000000 02000000"), @"the notifications has the impossible value 0x2");
    assert_snapshot!(refused("00000200 01000000 01000000 01000000 01000000 04000200"), @"the level of a notification has the impossible value 0x1");
    assert_snapshot!(refused("00000200 01000000 01000000 02000000 03000000 04000200"), @"the kind of a notification has the impossible value 0x3");
}

#[test]
fn close_notify_handle() {
    request(49, &CloseNotifyHandle { notify: HANDLE }, HANDLE_HEX);
    reply(
        &CloseNotifyHandleReply {
            code: Code::SUCCESS,
        },
        "0000000000000000000000000000000000000000 00000000 00000000",
    );
}

#[test]
fn codes_have_names_and_unknown_ones_a_number() {
    assert_snapshot!(Code::SERVICE_NEVER_STARTED, @"1077 (never started since the boot)");
    assert_snapshot!(Code(1051), @"1051 (other running services depend on it)");
    assert_snapshot!(Code(4242), @"4242");
    assert_eq!(Code(4242).name(), None);
    assert!(Code(0).is_success() && !Code(5).is_success());
}

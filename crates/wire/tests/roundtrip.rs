//! Every message, encoded by one side and decoded by the other, is the same again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::fmt::Debug;
use svcwatch_wire::pdu::{Client, Incoming, Progress, SERVICE_CONTROL, Server};
use svcwatch_wire::scmr::*;
use svcwatch_wire::srvs::{RemoteTimeOfDay, RemoteTimeOfDayReply, TimeOfDay};

/// Text as servers have it: anything but NUL.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", "[^\u{0}]{0,20}"]
}

/// Text that is not empty and has no slash, as a service name is.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[ -.0-~]{1,40}", "[^\u{0}/]{1,20}"]
}

fn handle() -> impl Strategy<Value = Handle> {
    any::<[u8; 20]>().prop_map(Handle)
}

/// A handle that is not the handle of nothing.
fn given() -> impl Strategy<Value = Handle> {
    handle().prop_filter("a handle", |handle| !handle.is_null())
}

/// A code that is not success.
fn refusal() -> impl Strategy<Value = Code> {
    (1..=u32::MAX).prop_map(Code)
}

/// A value with success, or none with another code.
fn answer<T: Clone + Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = (Option<T>, Code)> {
    prop_oneof![
        value.prop_map(|value| (Some(value), Code::SUCCESS)),
        refusal().prop_map(|code| (None, code)),
    ]
}

fn status() -> impl Strategy<Value = ServiceStatus> {
    any::<[u32; 7]>().prop_map(|[a, b, c, d, e, f, g]| ServiceStatus {
        service_type: a,
        current_state: b,
        controls_accepted: c,
        win32_exit_code: d,
        service_exit_code: e,
        checkpoint: f,
        wait_hint: g,
    })
}

fn process() -> impl Strategy<Value = ProcessStatus> {
    (status(), any::<u32>(), any::<u32>()).prop_map(|(status, pid, flags)| ProcessStatus {
        status,
        pid,
        flags,
    })
}

fn service() -> impl Strategy<Value = EnumeratedService> {
    (text(), text(), process()).prop_map(|(name, display_name, process)| EnumeratedService {
        name,
        display_name,
        status: process.status,
        pid: Some(process.pid),
        flags: Some(process.flags),
    })
}

fn without_processes(services: &[EnumeratedService]) -> Vec<EnumeratedService> {
    let mut services = services.to_vec();
    for service in &mut services {
        service.pid = None;
        service.flags = None;
    }
    services
}

fn config() -> impl Strategy<Value = ServiceConfig> {
    let words = any::<[u32; 4]>();
    let texts = (
        option::of(text()),
        option::of(text()),
        option::of(vec(name(), 0..4)),
        option::of(text()),
        option::of(text()),
    );
    (words, texts).prop_map(
        |([service_type, start_type, error_control, tag_id], texts)| {
            let (binary_path, load_order_group, dependencies, start_name, display_name) = texts;
            ServiceConfig {
                service_type,
                start_type,
                error_control,
                binary_path,
                load_order_group,
                tag_id,
                dependencies,
                start_name,
                display_name,
            }
        },
    )
}

fn config2() -> impl Strategy<Value = Config2> {
    let action = any::<(u32, u32)>().prop_map(|(action, delay)| FailureAction { action, delay });
    let actions = (
        any::<u32>(),
        option::of(text()),
        option::of(text()),
        vec(action, 0..6),
    );
    prop_oneof![
        option::of(text()).prop_map(Config2::Description),
        actions.prop_map(|(reset_period, reboot_message, command, actions)| {
            Config2::FailureActions(FailureActions {
                reset_period,
                reboot_message,
                command,
                actions,
            })
        }),
        any::<bool>().prop_map(Config2::DelayedAutoStart),
        any::<bool>().prop_map(Config2::FailureActionsFlag),
        any::<u32>().prop_map(Config2::ServiceSid),
        vec(name(), 0..5).prop_map(Config2::RequiredPrivileges),
        any::<u32>().prop_map(Config2::Preshutdown),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let data = option::of(vec(any::<u8>(), 0..40));
    let item = (any::<u32>(), data).prop_map(|(data_type, data)| TriggerItem { data_type, data });
    let items = option::of(vec(item, 0..4));
    (any::<u32>(), any::<u32>(), any::<Option<[u8; 16]>>(), items).prop_map(
        |(trigger_type, action, subtype, items)| Trigger {
            trigger_type,
            action,
            subtype,
            items,
        },
    )
}

fn notification() -> impl Strategy<Value = Notification> {
    (any::<[u32; 4]>(), process(), option::of(text())).prop_map(
        |([mask, code, sequence, triggered], status, names)| Notification {
            mask,
            status,
            notification_status: Code(code),
            sequence,
            triggered,
            names,
        },
    )
}

fn request<R: Request + PartialEq + Debug>(request: &R) {
    assert_eq!(R::decode(&request.encode()).as_ref(), Ok(request));
}

fn reply<R: Reply + PartialEq + Debug>(reply: &R) {
    let decoded = R::decode(&reply.encode());
    assert_eq!(decoded.as_ref(), Ok(reply));
    assert_eq!(decoded.map(|decoded| decoded.code()), Ok(reply.code()));
}

proptest! {
    #[test]
    fn handles(
        machine in option::of(text()), database in option::of(text()), name in text(),
        handle in handle(), access: u32, code: u32, opened in answer(given()),
    ) {
        request(&OpenScManager { machine, database, access });
        request(&OpenService { manager: handle, name, access });
        request(&CloseServiceHandle { handle });
        let (handle, opened) = opened;
        reply(&OpenScManagerReply { handle, code: opened });
        reply(&OpenServiceReply { handle, code: opened });
        reply(&CloseServiceHandleReply { code: Code(code) });
    }

    #[test]
    fn status_of_one(service in handle(), status in answer(status()), process in answer(process())) {
        request(&QueryServiceStatus { service });
        request(&QueryServiceStatusEx { service });
        reply(&QueryServiceStatusReply { status: status.0, code: status.1 });
        reply(&ControlServiceReply { status: status.0, code: status.1 });
        reply(&QueryServiceStatusExReply { status: process.0, code: process.1 });
    }

    #[test]
    fn starts_and_controls(
        service in handle(), arguments in vec(option::of(text()), 0..5), control: u32, code: u32,
    ) {
        request(&StartService { service, arguments });
        request(&ControlService { service, control });
        reply(&StartServiceReply { code: Code(code) });
    }

    #[test]
    fn lists_are_asked_for(
        manager in handle(), service_type: u32, state: u32, buffer_size in 0..=0x4_0000_u32,
        resume: Option<u32>, group in option::of(text()),
    ) {
        request(&EnumServicesStatus { manager, service_type, state, buffer_size, resume });
        request(&EnumServicesStatusEx { manager, service_type, state, buffer_size, resume, group });
        request(&EnumDependentServices { service: manager, state, buffer_size });
    }

    #[test]
    fn lists(services in vec(service(), 0..12), size in 0..4000_u32, resume in 0..12_u32, code in refusal()) {
        let plain = without_processes(&services);
        reply(&EnumServicesStatusExReply::page(&services, size, resume));
        reply(&EnumServicesStatusExReply::whole(&services, size));
        reply(&EnumServicesStatusReply::page(&plain, size, resume));
        reply(&EnumServicesStatusReply::whole(&plain, size));
        reply(&EnumDependentServicesReply::whole(&plain, size));
        prop_assume!(code != Code::MORE_DATA);
        reply(&EnumServicesStatusReply::refused(code, size));
        reply(&EnumServicesStatusExReply::refused(code, size));
    }

    #[test]
    fn an_enumeration_gives_the_whole_list(
        services in vec(service(), 0..80), remembered in option::of(0..8192_u32), pages: bool, known: bool,
    ) {
        let mut enumeration = Enumeration::new(Handle::NULL, remembered, known);
        let expected = if known { services.clone() } else { without_processes(&services) };
        for _ in 0..64 {
            let (operation, stub) = enumeration.next_request();
            let answer = if operation == EnumServicesStatusEx::OPNUM {
                let asked = EnumServicesStatusEx::decode(&stub).unwrap();
                if pages {
                    EnumServicesStatusExReply::page(&services, asked.buffer_size, asked.resume.unwrap_or(0))
                } else {
                    EnumServicesStatusExReply::whole(&services, asked.buffer_size)
                }.encode()
            } else {
                let asked = EnumServicesStatus::decode(&stub).unwrap();
                EnumServicesStatusReply::whole(&services, asked.buffer_size).encode()
            };
            if let Some(list) = enumeration.on_reply(Ok(answer)).unwrap() {
                prop_assert_eq!(list, expected);
                return Ok(());
            }
        }
        prop_assert!(false, "the enumeration did not end");
    }

    #[test]
    fn configurations(service in handle(), buffer_size in 0..=8192_u32, config in answer(config()), needed: u32) {
        request(&QueryServiceConfig { service, buffer_size });
        reply(&QueryServiceConfigReply { config: config.0, needed, code: config.1 });
    }

    #[test]
    fn optional_configurations(service in handle(), level: u32, buffer_size in 0..=8192_u32, config in config2()) {
        request(&QueryServiceConfig2 { service, level, buffer_size });
        let answer = QueryServiceConfig2Reply::of(&config, buffer_size);
        reply(&answer);
        let level = config.level();
        let got = answer.config(level);
        if answer.code().is_success() {
            prop_assert_eq!(got, Ok(Some(config)));
        } else {
            prop_assert_eq!(got, Ok(None));
        }
    }

    #[test]
    fn triggers(service in handle(), triggers in answer(vec(trigger(), 0..5))) {
        request(&QueryServiceConfigEx { service });
        reply(&QueryServiceConfigExReply { triggers: triggers.0, code: triggers.1 });
    }

    #[test]
    fn notifications(
        handle in handle(), mask: u32, notify in answer(given()),
        notifications in answer(vec(notification(), 0..4)), code: u32,
    ) {
        request(&NotifyServiceStatusChange { service: handle, mask });
        request(&GetNotifyResults { notify: handle });
        request(&CloseNotifyHandle { notify: handle });
        reply(&NotifyServiceStatusChangeReply { notify: notify.0, code: notify.1 });
        reply(&GetNotifyResultsReply { notifications: notifications.0, code: notifications.1 });
        reply(&CloseNotifyHandleReply { code: Code(code) });
    }

    #[test]
    fn calls_through_packets(calls in vec((any::<u16>(), vec(any::<u8>(), 0..20_000), vec(any::<u8>(), 0..20_000)), 1..4)) {
        let mut client = Client::new(SERVICE_CONTROL);
        let mut server = Server::new(SERVICE_CONTROL);
        let Ok(Incoming::Answer(ack)) = server.on_fragment(&client.bind()) else {
            panic!("the server answers a bind");
        };
        client.on_bind_reply(&ack).unwrap();
        for (asked, question, answer) in calls {
            let mut call = None;
            for fragment in client.request(asked, &question) {
                prop_assert!(call.is_none());
                if let Incoming::Call { call_id, operation, stub } = server.on_fragment(&fragment).unwrap() {
                    call = Some((call_id, operation, stub));
                }
            }
            let (call_id, operation, stub) = call.expect("the whole call");
            prop_assert_eq!(operation, asked);
            prop_assert!(stub == question);
            let mut done = None;
            for fragment in server.response(call_id, &answer) {
                prop_assert!(done.is_none());
                if let Progress::Done(stub) = client.on_fragment(&fragment).unwrap() {
                    done = Some(stub);
                }
            }
            prop_assert!(done == Some(answer));
        }
    }
}

fn time_of_day() -> impl Strategy<Value = TimeOfDay> {
    any::<[u32; 12]>().prop_map(|[a, b, c, d, e, f, g, h, i, j, k, l]| TimeOfDay {
        elapsed: a,
        uptime: b,
        hours: c,
        minutes: d,
        seconds: e,
        hundredths: f,
        time_zone: g,
        interval: h,
        day: i,
        month: j,
        year: k,
        weekday: l,
    })
}

proptest! {
    #[test]
    fn a_time_of_day_is_the_same_again((time, code) in answer(time_of_day())) {
        let reply = RemoteTimeOfDayReply { time, code };
        prop_assert_eq!(RemoteTimeOfDayReply::decode(&reply.encode()), Ok(reply));
        prop_assert_eq!(RemoteTimeOfDay::decode(&RemoteTimeOfDay.encode()), Ok(RemoteTimeOfDay));
    }
}

//! The seed corpora of the targets in `wire.rs`, made from real encodings of both sides.

#[path = "seeds_even.rs"]
mod even;

use svcwatch_wire::ndr::Writer;
use svcwatch_wire::pdu::{Client, FAULT_NO_SUCH_OPERATION, Incoming, SERVICE_CONTROL, Server};
use svcwatch_wire::scmr::{
    CloseNotifyHandle, CloseNotifyHandleReply, CloseServiceHandle, CloseServiceHandleReply, Code,
    Config2, Config2Level, ControlService, ControlServiceReply, CurrentState,
    EnumDependentServices, EnumDependentServicesReply, EnumServicesStatus, EnumServicesStatusEx,
    EnumServicesStatusExReply, EnumServicesStatusReply, EnumeratedService, FailureAction,
    FailureActions, GetNotifyResults, GetNotifyResultsReply, Handle, Notification,
    NotifyServiceStatusChange, NotifyServiceStatusChangeReply, OpenScManager, OpenScManagerReply,
    OpenService, OpenServiceReply, ProcessStatus, QueryServiceConfig, QueryServiceConfig2,
    QueryServiceConfig2Reply, QueryServiceConfigEx, QueryServiceConfigExReply,
    QueryServiceConfigReply, QueryServiceStatus, QueryServiceStatusEx, QueryServiceStatusExReply,
    QueryServiceStatusReply, Reply, Request, ServiceConfig, ServiceStatus, StartService,
    StartServiceReply, StartType, Trigger, TriggerItem, accepts, access, controls, filter,
    notify_mask, service_type, trigger_type,
};
use svcwatch_wire::srvs::{RemoteTimeOfDay, RemoteTimeOfDayReply, TimeOfDay};

/// A seed: its target, its name and its bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// Every seed.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    packets(&mut seeds);
    texts(&mut seeds);
    requests(&mut seeds);
    replies(&mut seeds);
    configurations(&mut seeds);
    conversations(&mut seeds);
    times(&mut seeds);
    even::seeds(&mut seeds);
    seeds
}

/// A service with believable values.
fn service(name: &str, state: CurrentState, pid: u32) -> EnumeratedService {
    EnumeratedService {
        name: name.into(),
        display_name: format!("{name} Service"),
        status: ServiceStatus {
            service_type: service_type::OWN_PROCESS,
            current_state: state.raw(),
            controls_accepted: accepts::STOP,
            ..ServiceStatus::default()
        },
        pid: Some(pid),
        flags: Some(0),
    }
}

/// The time of day of a server.
fn times(seeds: &mut Vec<Seed>) {
    let time = TimeOfDay {
        elapsed: 1_700_000_000,
        uptime: 3_600_000,
        time_zone: u32::MAX,
        year: 2023,
        month: 11,
        day: 14,
        ..TimeOfDay::default()
    };
    let mut push = |name: &str, kind: u8, stub: Vec<u8>| {
        let mut data = vec![kind];
        data.extend(stub);
        seeds.push(("srvs", name.to_owned(), data));
    };
    push("question", 0, RemoteTimeOfDay.encode());
    for (name, time, code) in [
        ("time", Some(time), Code::SUCCESS),
        (
            "unknown",
            Some(TimeOfDay { uptime: 0, ..time }),
            Code::SUCCESS,
        ),
        ("refused", None, Code::ACCESS_DENIED),
    ] {
        push(name, 1, RemoteTimeOfDayReply { time, code }.encode());
    }
}

/// A few services.
fn services() -> Vec<EnumeratedService> {
    vec![
        service("Spooler", CurrentState::Running, 264),
        service("W32Time", CurrentState::Stopped, 0),
        service("Ärger-😀", CurrentState::Paused, 77),
    ]
}

const HANDLE: Handle = Handle([
    0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
]);

/// The packets of a whole conversation, as each side receives them.
fn packets(seeds: &mut Vec<Seed>) {
    for (name, stub) in [("short", vec![1, 2, 3]), ("fragments", vec![5; 9000])] {
        let mut client = Client::new(SERVICE_CONTROL);
        let mut server = Server::new(SERVICE_CONTROL);
        let bind = client.bind();
        let Ok(Incoming::Answer(ack)) = server.on_fragment(&bind) else {
            panic!("the server answers the bind");
        };
        client.on_bind_reply(&ack).expect("the bind is taken");
        let sent: Vec<Vec<u8>> = client.request(15, &stub);
        let answer = server.response(2, &stub);
        let fault = server.fault(3, FAULT_NO_SUCH_OPERATION);
        let to_server = [vec![bind], sent].concat().concat();
        let to_client = [vec![ack], answer, vec![fault]].concat().concat();
        seeds.push(("pdu_server", name.into(), to_server));
        seeds.push(("pdu_client", name.into(), to_client));
    }
    let mut other = SERVICE_CONTROL;
    other.version = 1;
    let Ok(Incoming::Answer(refusal)) =
        Server::new(other).on_fragment(&Client::new(SERVICE_CONTROL).bind())
    else {
        panic!("the server answers the bind");
    };
    seeds.push(("pdu_client", "refused".into(), refusal));
    seeds.push(("pdu_server", "other".into(), Client::new(other).bind()));
}

fn texts(seeds: &mut Vec<Seed>) {
    let mut writer = Writer::new();
    writer
        .u8(1)
        .u16(2)
        .u32(3)
        .u64(4)
        .pointer(true)
        .align(8)
        .conformant_bytes(b"bytes")
        .string("a text 😀")
        .zeros(20);
    let mut seed = vec![9, 0, 1, 2, 3, 4, 5, 6, 8, 7];
    seed.extend(writer.finish());
    seeds.push(("ndr", "everything".into(), seed));
    // A lone surrogate between two letters.
    let lone = [
        1, 8, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 65, 0, 0, 0xd8, 66, 0,
    ];
    seeds.push(("ndr", "lone_surrogate".into(), lone.into()));
}

fn request<R: Request>(seeds: &mut Vec<Seed>, name: &str, request: &R) {
    let mut seed = vec![u8::try_from(R::OPNUM).expect("operations are small")];
    seed.extend(request.encode());
    seeds.push(("scmr_requests", name.into(), seed));
}

fn requests(seeds: &mut Vec<Seed>) {
    let (manager, service, notify) = (HANDLE, HANDLE, HANDLE);
    let open = OpenScManager {
        machine: Some("host.example".into()),
        database: None,
        access: access::MANAGER_CONNECT | access::MANAGER_ENUMERATE,
    };
    request(seeds, "open_sc_manager", &open);
    let open = OpenService {
        manager,
        name: "Spooler".into(),
        access: access::QUERY_STATUS,
    };
    request(seeds, "open_service", &open);
    request(seeds, "close", &CloseServiceHandle { handle: HANDLE });
    let start = StartService {
        service,
        arguments: vec![Some("-v".into()), None, Some("x".into())],
    };
    request(seeds, "start_service", &start);
    let stop = ControlService {
        service,
        control: controls::STOP,
    };
    request(seeds, "control_service", &stop);
    let mask = notify_mask::STOPPED | notify_mask::RUNNING;
    request(
        seeds,
        "notify",
        &NotifyServiceStatusChange { service, mask },
    );
    request(seeds, "get_notify_results", &GetNotifyResults { notify });
    request(seeds, "close_notify_handle", &CloseNotifyHandle { notify });
    list_requests(seeds, manager, service);
    query_requests(seeds, service);
}

fn list_requests(seeds: &mut Vec<Seed>, manager: Handle, service: Handle) {
    let list = EnumServicesStatus {
        manager,
        service_type: service_type::WIN32,
        state: filter::ALL,
        buffer_size: 4096,
        resume: Some(0),
    };
    request(seeds, "enum_services_status", &list);
    let list = EnumServicesStatusEx {
        manager,
        service_type: service_type::WIN32,
        state: filter::ALL,
        buffer_size: 4096,
        resume: Some(3),
        group: Some("NetworkProvider".into()),
    };
    request(seeds, "enum_services_status_ex", &list);
    let list = EnumDependentServices {
        service,
        state: filter::ALL,
        buffer_size: 1024,
    };
    request(seeds, "enum_dependent_services", &list);
}

fn query_requests(seeds: &mut Vec<Seed>, service: Handle) {
    request(
        seeds,
        "query_service_status",
        &QueryServiceStatus { service },
    );
    request(
        seeds,
        "query_service_status_ex",
        &QueryServiceStatusEx { service },
    );
    request(
        seeds,
        "query_service_config",
        &QueryServiceConfig::new(service),
    );
    request(
        seeds,
        "query_service_config_ex",
        &QueryServiceConfigEx { service },
    );
    let config2 = QueryServiceConfig2::new(service, Config2Level::FailureActions);
    request(seeds, "query_service_config2", &config2);
}

fn reply<R: Request>(seeds: &mut Vec<Seed>, name: &str, reply: &R::Reply) {
    let mut seed = vec![u8::try_from(R::OPNUM).expect("operations are small")];
    seed.extend(reply.encode());
    seeds.push(("scmr_replies", name.into(), seed));
}

fn replies(seeds: &mut Vec<Seed>) {
    let code = Code::SUCCESS;
    let services = services();
    let handle = Some(HANDLE);
    reply::<OpenScManager>(
        seeds,
        "open_sc_manager",
        &OpenScManagerReply { handle, code },
    );
    let missing = OpenServiceReply {
        handle: None,
        code: Code::SERVICE_DOES_NOT_EXIST,
    };
    reply::<OpenService>(seeds, "open_service_missing", &missing);
    let list = EnumServicesStatusReply::page(&services, 1024, 0);
    reply::<EnumServicesStatus>(seeds, "enum_services_status", &list);
    let list = EnumServicesStatusExReply::page(&services, 1024, 0);
    reply::<EnumServicesStatusEx>(seeds, "enum_services_status_ex", &list);
    let list = EnumServicesStatusExReply::page(&services, 150, 0);
    reply::<EnumServicesStatusEx>(seeds, "enum_services_status_ex_part", &list);
    let list = EnumServicesStatusExReply::whole(&services, 16);
    reply::<EnumServicesStatusEx>(seeds, "enum_services_status_ex_none", &list);
    let list = EnumDependentServicesReply::whole(&services, 1024);
    reply::<EnumDependentServices>(seeds, "enum_dependent_services", &list);
    let status = services[0].status;
    let plain = QueryServiceStatusReply {
        status: Some(status),
        code,
    };
    reply::<QueryServiceStatus>(seeds, "query_service_status", &plain);
    let process = ProcessStatus {
        status,
        pid: 264,
        flags: 1,
    };
    let full = QueryServiceStatusExReply {
        status: Some(process),
        code,
    };
    reply::<QueryServiceStatusEx>(seeds, "query_service_status_ex", &full);
    reply::<StartService>(seeds, "start_service", &StartServiceReply { code });
    let refused = ControlServiceReply {
        status: None,
        code: Code::SERVICE_NOT_ACTIVE,
    };
    reply::<ControlService>(seeds, "control_service", &refused);
    let registered = NotifyServiceStatusChangeReply {
        notify: handle,
        code,
    };
    reply::<NotifyServiceStatusChange>(seeds, "notify", &registered);
    let notification = Notification {
        mask: notify_mask::STOPPED,
        status: process,
        sequence: 1,
        names: Some("/New".into()),
        ..Notification::default()
    };
    let results = GetNotifyResultsReply {
        notifications: Some(vec![notification]),
        code,
    };
    reply::<GetNotifyResults>(seeds, "get_notify_results", &results);
    reply::<CloseNotifyHandle>(
        seeds,
        "close_notify_handle",
        &CloseNotifyHandleReply { code },
    );
    reply::<CloseServiceHandle>(seeds, "close", &CloseServiceHandleReply { code });
}

/// One of each piece of optional configuration.
fn config2s() -> Vec<Config2> {
    vec![
        Config2::Description(Some("Queues print jobs.".into())),
        Config2::FailureActions(FailureActions {
            reset_period: 86_400,
            reboot_message: Some("Going down".into()),
            command: Some("C:\\recover.cmd".into()),
            actions: vec![
                FailureAction {
                    action: 1,
                    delay: 60_000,
                },
                FailureAction {
                    action: 0,
                    delay: 0,
                },
            ],
        }),
        Config2::DelayedAutoStart(true),
        Config2::FailureActionsFlag(true),
        Config2::ServiceSid(3),
        Config2::RequiredPrivileges(vec!["SeTcbPrivilege".into(), "SeDebugPrivilege".into()]),
        Config2::Preshutdown(180_000),
    ]
}

/// A configuration with everything in it.
fn config() -> ServiceConfig {
    ServiceConfig {
        service_type: service_type::OWN_PROCESS,
        start_type: StartType::Automatic.raw(),
        error_control: 1,
        binary_path: Some("C:\\Windows\\System32\\spoolsv.exe".into()),
        load_order_group: Some("SpoolerGroup".into()),
        tag_id: 0,
        dependencies: Some(vec!["RPCSS".into(), "http".into()]),
        start_name: Some("LocalSystem".into()),
        display_name: Some("Print Spooler".into()),
    }
}

fn configurations(seeds: &mut Vec<Seed>) {
    let code = Code::SUCCESS;
    for config in config2s() {
        let name = format!("query_service_config2_{}", config.level().raw());
        let answer = QueryServiceConfig2Reply::of(&config, 256);
        reply::<QueryServiceConfig2>(seeds, &name, &answer);
    }
    let answer = QueryServiceConfigReply {
        config: Some(config()),
        needed: 0,
        code,
    };
    reply::<QueryServiceConfig>(seeds, "query_service_config", &answer);
    let trigger = Trigger {
        trigger_type: trigger_type::NETWORK_ENDPOINT,
        action: 1,
        subtype: Some([9; 16]),
        items: Some(vec![TriggerItem {
            data_type: 2,
            data: Some(b"a\0b\0\0\0".into()),
        }]),
    };
    let bare = Trigger {
        trigger_type: trigger_type::DOMAIN_JOIN,
        action: 2,
        subtype: None,
        items: None,
    };
    let answer = QueryServiceConfigExReply {
        triggers: Some(vec![trigger, bare]),
        code,
    };
    reply::<QueryServiceConfigEx>(seeds, "query_service_config_ex", &answer);
}

/// Conversations of an enumeration with each kind of server.
fn conversations(seeds: &mut Vec<Seed>) {
    let services = services();
    let mut conversation = |name: &str, answers: &[Option<Vec<u8>>]| {
        let mut seed = Vec::new();
        for answer in answers {
            let length = answer.as_ref().map_or(u16::MAX, |answer| {
                u16::try_from(answer.len()).expect("the answers are small")
            });
            seed.extend(length.to_le_bytes());
            seed.extend(answer.as_deref().unwrap_or(&[]));
        }
        seeds.push(("enumeration", name.into(), seed));
    };
    let page =
        |size, resume| Some(EnumServicesStatusExReply::page(&services, size, resume).encode());
    conversation("at_once", &[page(1024, 0)]);
    conversation("in_parts", &[page(150, 0), page(1024, 2)]);
    conversation("stands_still", &[page(150, 0), page(150, 0)]);
    let none = EnumServicesStatusExReply::whole(&services, 16).encode();
    conversation("none_then_all", &[Some(none), page(1024, 0)]);
    let plain = EnumServicesStatusReply::whole(&services, 1024).encode();
    conversation("without_processes", &[None, Some(plain)]);
    let denied = EnumServicesStatusExReply::refused(Code::ACCESS_DENIED, 16).encode();
    conversation("denied", &[Some(denied)]);
}

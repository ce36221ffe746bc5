//! Against Samba alone: logons, encryption, rights, and a service control manager that answers oddly.

use svcwatch::probe::{Access, Encryption, Prober};
use svcwatch::secret::Secret;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{Asked, Fault, Logon, Outcome, Refusal, StartType, State};
use svcwatch_core::time::Span;

use crate::support::samba::{COMPUTER_NAME, Samba, Settings};
use crate::support::{ADMINISTRATOR, PASSWORD, USER};
use crate::{HOST, access, check_once, fault, find, read, request};

fn administrator(samba: &Samba) -> Access {
    access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required)
}

#[tokio::test]
async fn the_right_password_reads_the_services_over_one_kept_session() {
    let samba = Samba::start(&Settings::default());
    let prober = Prober::new();
    let access = administrator(&samba);
    let first = prober
        .check(&request(&["Spooler", "NoSuchService"]), &access)
        .await;
    assert_eq!(
        (first.logon, first.session_kept),
        (Logon::Accepted, true),
        "{first:?}\n{}",
        samba.logs()
    );
    assert_eq!(first.computer_name.as_deref(), Some(COMPUTER_NAME));
    assert_eq!(first.administrator, Some(true), "{first:?}");
    let reading = read(first);
    // Samba has no list with processes, so this came by the older call.
    assert_eq!(find(&reading, "Spooler").reading.state, State::Running);
    assert_eq!(find(&reading, "NETLOGON").reading.state, State::Stopped);
    assert_eq!(
        reading.asked,
        [(Name::new("NoSuchService"), Asked::Missing)]
    );

    let mut kept = request(&[]);
    kept.may_log_on = false;
    let second = prober.check(&kept, &access).await;
    assert_eq!((second.logon, second.session_kept), (Logon::None, true));
    assert_eq!(read(second).services.len(), reading.services.len());

    // Samba names a log file after the workstation that the client says it is.
    let workstation =
        std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux tells its name");
    assert!(samba.has_log_of(workstation.trim()), "{}", samba.logs());

    samba.net_rpc_service(&["stop", "Spooler"]);
    let stopped = read(prober.check(&kept, &access).await);
    assert_eq!(find(&stopped, "Spooler").reading.state, State::Stopped);
    samba.net_rpc_service(&["start", "Spooler"]);
    let running = read(prober.check(&kept, &access).await);
    assert_eq!(find(&running, "Spooler").reading.state, State::Running);
    prober.forget(&Name::new(HOST)).await;
    assert_eq!(prober.sessions(), 0);
}

#[tokio::test]
async fn a_configuration_is_read_as_far_as_samba_knows_it() {
    let samba = Samba::start(&Settings::default());
    let prober = Prober::new();
    read(prober.check(&request(&[]), &administrator(&samba)).await);
    let names = [Name::new("Spooler"), Name::new("NoSuchService")];
    let configs = prober
        .read_config(&Name::new(HOST), &names, Span::seconds(30))
        .await
        .unwrap();
    assert_eq!(
        configs.len(),
        1,
        "a service that does not exist is left out: {configs:?}"
    );
    let spooler = &configs[0];
    assert_eq!(spooler.display_name.as_deref(), Some("Print Spooler"));
    assert!(
        spooler
            .start_type
            .is_some_and(|start| start != StartType::Disabled),
        "{spooler:?}"
    );
    assert!(
        spooler.binary_path.is_some() && spooler.account.is_some(),
        "{spooler:?}"
    );
    assert_eq!(
        spooler.trigger_start, None,
        "Samba does not know triggers, and that is not the same as none"
    );
    assert_eq!(prober.sessions(), 1);
}

#[tokio::test]
async fn a_refused_logon_says_so_and_a_changed_password_is_for_the_next_logon() {
    let samba = Samba::start(&Settings::default());
    let prober = Prober::new();
    let mut access = administrator(&samba);
    access.password = Secret::new("not the password");
    let refused = prober.check(&request(&[]), &access).await;
    assert_eq!((refused.logon, refused.session_kept), (Logon::None, false));
    let told = fault(refused);
    assert_eq!(
        (told.fault, told.refusal),
        (Fault::LogonRefused, Some(Refusal::WrongPassword))
    );
    assert_eq!(
        told.cause,
        "logon refused: wrong user name or password (STATUS_LOGON_FAILURE)"
    );

    access.user = "nobody-of-that-name".into();
    let unknown = fault(prober.check(&request(&[]), &access).await);
    assert_eq!(unknown.refusal, Some(Refusal::WrongPassword), "{unknown:?}");

    access = administrator(&samba);
    read(prober.check(&request(&[]), &access).await);
    samba.set_password(ADMINISTRATOR, "Other0!Word");
    let mut kept = request(&[]);
    kept.may_log_on = false;
    read(prober.check(&kept, &access).await);
    access.password = Secret::new("Other0!Word");
    read(prober.check(&kept, &access).await);
    prober.forget(&kept.host).await;
    assert_eq!(
        prober.check(&kept, &access).await.outcome,
        Outcome::LogonNeeded
    );
    let anew = prober.check(&request(&[]), &access).await;
    assert_eq!(anew.logon, Logon::Accepted);
    read(anew);
}

#[tokio::test]
async fn while_a_password_is_changed_the_one_that_a_host_still_knows_lets_us_in() {
    let samba = Samba::start(&Settings::default());
    let mut access = administrator(&samba);
    access.password = Secret::new("The1New!Word");
    access.second_password = Some(Secret::new(PASSWORD));
    let mut two = request(&[]);
    two.logons = 2;
    let seen = Prober::new().check(&two, &access).await;
    assert_eq!(
        (seen.logon, seen.refusals),
        (Logon::Accepted, 1),
        "{seen:?}"
    );
    read(seen);
    let seen = Prober::new().check(&request(&[]), &access).await;
    assert_eq!(
        (seen.logon, seen.refusals),
        (Logon::None, 1),
        "one try is one try"
    );
    samba.set_password(ADMINISTRATOR, "The1New!Word");
    let seen = Prober::new().check(&two, &access).await;
    assert_eq!(
        (seen.logon, seen.refusals),
        (Logon::Accepted, 0),
        "{seen:?}"
    );
    samba.set_password(ADMINISTRATOR, "Another2!Word");
    let seen = Prober::new().check(&two, &access).await;
    assert_eq!(seen.refusals, 2, "{seen:?}");
    assert_eq!(fault(seen).refusal, Some(Refusal::WrongPassword));
}

#[tokio::test]
async fn a_disabled_account_is_told_from_a_wrong_password() {
    let samba = Samba::start(&Settings::default());
    samba.disable(USER);
    let told = fault(check_once(&access(samba.port(), USER, PASSWORD, Encryption::Required)).await);
    assert_eq!(
        (told.fault, told.refusal),
        (Fault::LogonRefused, Some(Refusal::Disabled)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_user_without_rights_reads_what_samba_lets_him() {
    let samba = Samba::start(&Settings::default());
    let user = access(samba.port(), USER, PASSWORD, Encryption::Required);
    let seen = Prober::new()
        .check(&request(&["NoSuchService"]), &user)
        .await;
    assert_eq!(seen.administrator, Some(false), "{seen:?}");
    let reading = read(seen);
    assert_eq!(find(&reading, "Spooler").reading.state, State::Running);
    assert_eq!(
        reading.asked,
        [(Name::new("NoSuchService"), Asked::Missing)]
    );
}

#[tokio::test]
async fn a_user_who_may_not_use_the_share_of_pipes_is_denied() {
    let samba = Samba::start(&Settings {
        extra: vec!["[IPC$]", "path = /tmp", "invalid users = svcuser"],
        ..Settings::default()
    });
    let denied = check_once(&access(samba.port(), USER, PASSWORD, Encryption::Required)).await;
    assert_eq!(denied.logon, Logon::Accepted, "{denied:?}");
    assert_eq!(denied.computer_name.as_deref(), Some(COMPUTER_NAME));
    let told = fault(denied);
    assert_eq!(
        (told.fault, told.refusal),
        (Fault::AccessDenied, None),
        "{told:?}"
    );
    assert!(told.cause.contains("STATUS_ACCESS_DENIED"), "{told:?}");
}

/// Checks one server with each of our three settings.
async fn encryptions(settings: Settings) -> [Result<usize, Fault>; 3] {
    let samba = Samba::start(&settings);
    let mut results = Vec::new();
    for encryption in [Encryption::Required, Encryption::Preferred, Encryption::Off] {
        let observation =
            check_once(&access(samba.port(), ADMINISTRATOR, PASSWORD, encryption)).await;
        results.push(match observation.outcome {
            Outcome::Read(reading) => Ok(reading.services.len()),
            Outcome::Fault(fault) => {
                assert!(
                    fault.cause.contains("encryption"),
                    "the cause says what to change: {fault:?}"
                );
                Err(fault.fault)
            }
            Outcome::LogonNeeded => panic!("a logon was allowed"),
        });
    }
    results.try_into().expect("three were checked")
}

#[tokio::test]
async fn a_host_that_requires_encryption_is_read_encrypted_only() {
    let [required, preferred, off] = encryptions(Settings {
        encryption: "required",
        ..Settings::default()
    })
    .await;
    assert!(
        required.is_ok() && preferred.is_ok(),
        "{required:?} {preferred:?}"
    );
    assert_eq!(off, Err(Fault::AccessDenied));
}

#[tokio::test]
async fn a_host_that_desires_encryption_is_read_in_every_way() {
    let [required, preferred, off] = encryptions(Settings {
        encryption: "desired",
        ..Settings::default()
    })
    .await;
    assert!(
        required.is_ok() && preferred.is_ok() && off.is_ok(),
        "{required:?} {preferred:?} {off:?}"
    );
}

#[tokio::test]
async fn a_host_without_encryption_is_not_read_where_it_is_required() {
    let [required, preferred, off] = encryptions(Settings {
        encryption: "off",
        ..Settings::default()
    })
    .await;
    assert_eq!(required, Err(Fault::ProtocolError));
    assert!(preferred.is_ok() && off.is_ok(), "{preferred:?} {off:?}");
}

/// How each version of SMB is read, by what the host wants and what we want.
#[tokio::test]
async fn every_version_of_smb_is_read_as_its_encryption_allows() {
    const READ: Result<(), &str> = Ok(());
    const OLD: Result<(), &str> = Err("write `encryption: off`");
    const NONE: Result<(), &str> = Err("write `encryption: preferred`");
    const DEMANDED: Result<(), &str> = Err("write `encryption: required`");
    // The last version that the host speaks and whether it encrypts, then what comes of required, preferred and off.
    let cases = [
        ("SMB2_10", "off", [OLD, OLD, READ]),
        ("SMB2_10", "desired", [OLD, OLD, READ]),
        ("SMB3_00", "off", [NONE, READ, READ]),
        ("SMB3_00", "desired", [READ, READ, READ]),
        ("SMB3_00", "required", [READ, READ, DEMANDED]),
        ("SMB3_02", "off", [NONE, READ, READ]),
        ("SMB3_02", "desired", [READ, READ, READ]),
        ("SMB3_02", "required", [READ, READ, DEMANDED]),
        ("SMB3_11", "off", [NONE, READ, READ]),
        ("SMB3_11", "desired", [READ, READ, READ]),
        ("SMB3_11", "required", [READ, READ, DEMANDED]),
    ];
    for (version, theirs, wanted) in cases {
        let samba = Samba::start(&Settings {
            encryption: theirs,
            extra: vec![match version {
                "SMB2_10" => "server max protocol = SMB2_10",
                "SMB3_00" => "server max protocol = SMB3_00",
                "SMB3_02" => "server max protocol = SMB3_02",
                _ => "server max protocol = SMB3_11",
            }],
        });
        for (ours, wanted) in [Encryption::Required, Encryption::Preferred, Encryption::Off]
            .into_iter()
            .zip(wanted)
        {
            let access = access(samba.port(), ADMINISTRATOR, PASSWORD, ours);
            let observation = check_once(&access).await;
            let told = format!("{version} {theirs} {ours:?}: {observation:?}");
            match (&observation.outcome, wanted) {
                (Outcome::Read(_), Ok(())) => {}
                (Outcome::Fault(fault), Err(line)) => {
                    assert!(fault.cause.contains(line), "{told}\n{}", samba.logs());
                    assert_eq!(fault.refusal, None, "{told}");
                }
                _ => panic!("{told}\n{}", samba.logs()),
            }
        }
    }
}

#[tokio::test]
async fn impossible_states_are_unknown_and_harm_nobody() {
    // The status of these names is whatever stood in the server's memory.
    let samba = Samba::start(&Settings {
        extra: vec!["svcctl list = ghost-one ghost-two ghost-three"],
        ..Settings::default()
    });
    let prober = Prober::new();
    for _ in 0..20 {
        let reading = read(
            prober
                .check(&request(&["ghost-one"]), &administrator(&samba))
                .await,
        );
        for ghost in ["ghost-one", "ghost-two", "ghost-three"] {
            let seen = find(&reading, ghost).reading;
            assert!(seen.state != State::Missing, "{seen:?}");
            assert!(
                seen.state != State::Unknown || seen.pid.is_none(),
                "{seen:?}"
            );
        }
        assert_eq!(find(&reading, "Spooler").reading.state, State::Running);
    }
}

#[tokio::test]
async fn a_guest_session_is_refused() {
    let extra = vec![
        "map to guest = bad user",
        "guest account = nobody",
        "server signing = auto",
    ];
    let samba = Samba::start(&Settings {
        encryption: "off",
        extra,
    });
    let stranger = access(
        samba.port(),
        "nobody-of-that-name",
        PASSWORD,
        Encryption::Preferred,
    );
    let told = fault(check_once(&stranger).await);
    assert_eq!(
        (told.fault, told.refusal),
        (Fault::LogonRefused, Some(Refusal::Other)),
        "{told:?}"
    );
    assert!(told.cause.contains("guest"), "{told:?}");
    // The same server lets a user of its own in as ever.
    read(
        check_once(&access(
            samba.port(),
            ADMINISTRATOR,
            PASSWORD,
            Encryption::Preferred,
        ))
        .await,
    );
}

#[tokio::test]
async fn a_session_that_the_host_ended_is_renewed_and_no_fault() {
    let samba = Samba::start(&Settings::default());
    let prober = Prober::new();
    let access = administrator(&samba);
    read(prober.check(&request(&[]), &access).await);
    let port = samba.port();
    drop(samba);
    let again = Samba::start_on(port, &Settings::default());

    let mut kept = request(&[]);
    kept.may_log_on = false;
    let needed = prober.check(&kept, &access).await;
    assert_eq!(
        (needed.outcome, needed.session_kept),
        (Outcome::LogonNeeded, false)
    );
    let renewed = prober.check(&request(&[]), &access).await;
    assert_eq!(
        (renewed.logon, renewed.session_kept),
        (Logon::Accepted, true)
    );
    read(renewed);

    // The same in one go, where the check may log on.
    drop(again);
    let third = Samba::start_on(port, &Settings::default());
    let renewed = prober.check(&request(&[]), &access).await;
    assert_eq!(renewed.logon, Logon::Accepted, "{renewed:?}");
    read(renewed);

    drop(third);
    let told = fault(prober.check(&request(&[]), &access).await);
    assert_eq!(told.fault, Fault::Unreachable, "{told:?}");
}

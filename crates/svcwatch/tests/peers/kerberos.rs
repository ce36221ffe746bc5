//! Logons with Kerberos, against a domain controller of Samba's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use svcwatch::probe::events::{EventsAsked, NoEvents};
use svcwatch::probe::kerberos::{Cache, Kerberos, Keytab, Proof};
use svcwatch::probe::{Access, Auth, Encryption, Prober};
use svcwatch::secret::Secret;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, HostFault, Logon, Refusal};
use svcwatch_core::time::Span;

use crate::support::PASSWORD;
use crate::support::domain::{CONTROLLER, Domain, REALM, WATCHER};
use crate::support::process::need;
use crate::{HOST, access, check_once, fault, find, read, request};

/// Access to the domain controller as the watcher, with this proof.
fn with(domain: &Domain, proof: Proof) -> Access {
    let kerberos = Kerberos {
        realm: Some(REALM.to_owned()),
        kdc: vec![domain.address().to_owned()],
        host: CONTROLLER.to_owned(),
        proof: Some(proof),
    };
    Access {
        address: domain.address().to_owned(),
        auth: Auth::Kerberos(Box::new(kerberos)),
        ..access(445, WATCHER, "", Encryption::Required)
    }
}

fn password(password: &str) -> Proof {
    Proof::Password(Secret::new(password))
}

fn cache(domain: &Domain, name: &str) -> Proof {
    let bytes = fs::read(domain.path(name)).expect("kinit wrote it");
    Proof::Cache(Arc::new(Cache::parse(&bytes).expect("it is a cache")))
}

fn keytab(domain: &Domain, user: &str, name: &str) -> Proof {
    let bytes = fs::read(domain.export_keys(user, name)).expect("the tool wrote it");
    Proof::Keytab(Arc::new(Keytab::parse(&bytes).expect("it is a keytab")))
}

fn edit(access: &mut Access, change: impl FnOnce(&mut Kerberos)) {
    let Auth::Kerberos(kerberos) = &mut access.auth else {
        panic!("it is an access with Kerberos");
    };
    change(kerberos);
}

async fn told(access: &Access) -> HostFault {
    fault(check_once(access).await)
}

/// One story, because a domain takes most of a minute to be made.
#[tokio::test]
async fn a_domain_is_read_with_kerberos() {
    let domain = Domain::start();
    every_proof_lets_us_in(&domain).await;
    every_proof_seals_calls_too(&domain).await;
    a_wrong_password_counts_and_a_second_one_lets_us_in(&domain).await;
    what_is_no_refused_password_is_not_taken_for_one(&domain).await;
    another_computer_cannot_read_the_ticket(&domain).await;
    a_ticket_is_renewed_before_it_expires(&domain).await;
    a_wrong_clock_is_no_wrong_password(&domain);
    a_refused_account_is_told_as_what_it_is(&domain).await;
}

async fn every_proof_lets_us_in(domain: &Domain) {
    assert!(domain.kinit(WATCHER, PASSWORD, "watcher.cache", &[]));
    let proofs = [
        password(PASSWORD),
        keytab(domain, WATCHER, "watcher.keytab"),
        cache(domain, "watcher.cache"),
    ];
    for proof in proofs {
        let prober = Prober::new();
        let access = with(domain, proof);
        let first = prober.check(&request(&[]), &access).await;
        assert_eq!(first.logon, Logon::Accepted, "{first:?}\n{}", domain.logs());
        assert_eq!(first.administrator, Some(false), "{first:?}");
        assert!(find(&read(first), "Spooler").reading.exit_code.is_some());
        let mut kept = request(&[]);
        kept.may_log_on = false;
        // Who holds a session needs no secret at all.
        let mut without = access;
        edit(&mut without, |kerberos| kerberos.proof = None);
        read(prober.check(&kept, &without).await);
    }
    let mut by_ntlm = access(445, r"SVCTEST\watcher", PASSWORD, Encryption::Required);
    by_ntlm.address = domain.address().to_owned();
    let seen = check_once(&by_ntlm).await;
    assert_eq!(seen.computer_name.as_deref(), Some("DC1"), "{seen:?}");
    let mut administrator = with(domain, password(PASSWORD));
    // The domain controller names the salt of the key, in which the user is written another way.
    administrator.user = r"SVCTEST\administrator".into();
    let seen = check_once(&administrator).await;
    assert_eq!(
        seen.administrator,
        Some(true),
        "{seen:?}\n{}",
        domain.logs()
    );
}

/// The answer comes sealed, and says that the watcher is no reader of event logs.
async fn every_proof_seals_calls_too(domain: &Domain) {
    let by_ntlm = Access {
        address: domain.address().to_owned(),
        ..access(445, r"SVCTEST\watcher", PASSWORD, Encryption::Required)
    };
    let accesses = [
        with(domain, password(PASSWORD)),
        with(domain, keytab(domain, WATCHER, "sealing.keytab")),
        with(domain, cache(domain, "watcher.cache")),
        by_ntlm,
    ];
    for access in accesses {
        let prober = Prober::new();
        read(prober.check(&request(&[]), &access).await);
        let asked = EventsAsked::whether_it_may();
        let host = Name::new(HOST);
        for _ in 0..2 {
            let told = prober
                .events(&host, &access, &asked, Span::seconds(30), Span::ZERO)
                .await;
            assert_eq!(
                told,
                Err(NoEvents::Denied {
                    doing: "reading the event log System"
                }),
                "{}",
                domain.logs()
            );
        }
    }
}

async fn a_wrong_password_counts_and_a_second_one_lets_us_in(domain: &Domain) {
    let wrong = with(domain, password("not the password"));
    let seen = check_once(&wrong).await;
    assert_eq!(seen.refusals, 1);
    let refused = fault(seen);
    assert_eq!(
        (refused.fault, refused.refusal),
        (Fault::LogonRefused, Some(Refusal::WrongPassword)),
        "{refused:?}"
    );
    let mut second = wrong;
    second.second_password = Some(Secret::new(PASSWORD));
    let mut two = request(&[]);
    two.logons = 2;
    let seen = Prober::new().check(&two, &second).await;
    assert_eq!(
        (seen.logon, seen.refusals),
        (Logon::Accepted, 1),
        "{seen:?}"
    );
}

/// None of these is a logon that was refused, so none parks a host or pauses an account.
async fn what_is_no_refused_password_is_not_taken_for_one(domain: &Domain) {
    let mut elsewhere = with(domain, keytab(domain, WATCHER, "elsewhere.keytab"));
    edit(&mut elsewhere, |kerberos| {
        kerberos.realm = Some("OTHER.TEST".into());
    });
    let foreign_keys = told(&elsewhere).await;
    assert!(
        foreign_keys
            .cause
            .contains("no AES key of watcher@OTHER.TEST"),
        "{foreign_keys:?}"
    );
    let mut elsewhere = with(domain, cache(domain, "watcher.cache"));
    edit(&mut elsewhere, |kerberos| {
        kerberos.realm = Some("OTHER.TEST".into());
    });
    let foreign_cache = told(&elsewhere).await;
    assert!(
        foreign_cache
            .cause
            .contains("that of watcher@SVCWATCH.TEST"),
        "{foreign_cache:?}"
    );

    assert!(domain.kinit(WATCHER, PASSWORD, "short.cache", &["-l", "2s"]));
    sleep(Duration::from_secs(3));
    let expired = told(&with(domain, cache(domain, "short.cache"))).await;
    assert!(
        expired.cause.contains("in the cache expired"),
        "{expired:?}"
    );

    let mut unknown = with(domain, password(PASSWORD));
    edit(&mut unknown, |kerberos| {
        kerberos.host = "nobody.svcwatch.test".into();
    });
    let unknown = told(&unknown).await;
    assert!(
        unknown.cause.contains("KDC_ERR_S_PRINCIPAL_UNKNOWN"),
        "{unknown:?}"
    );
    let mut nowhere = with(domain, password(PASSWORD));
    edit(&mut nowhere, |kerberos| {
        kerberos.kdc = vec!["127.0.0.1:1".into()];
    });
    let nowhere = told(&nowhere).await;
    assert!(
        nowhere.cause.contains("no domain controller"),
        "{nowhere:?}"
    );
    for one in [foreign_keys, foreign_cache, expired, unknown, nowhere] {
        assert_eq!(
            (one.fault, one.refusal),
            (Fault::LogonRefused, None),
            "{one:?}"
        );
    }
}

async fn another_computer_cannot_read_the_ticket(domain: &Domain) {
    domain.tool(&["user", "create", "other", PASSWORD]);
    domain.give_aes("other");
    domain.tool(&["spn", "add", "cifs/other.svcwatch.test", "other"]);
    let mut other = with(domain, password(PASSWORD));
    edit(&mut other, |kerberos| {
        kerberos.host = "other.svcwatch.test".into();
    });
    let other = told(&other).await;
    assert!(
        other.cause.contains("another computer"),
        "{other:?}\n{}",
        domain.logs()
    );
    assert_ne!(other.refusal, Some(Refusal::WrongPassword), "{other:?}");
}

/// A domain controller refuses a ticket with less than two minutes left, so one that is good for ten seconds more shows
/// within a few seconds whether it is renewed.
async fn a_ticket_is_renewed_before_it_expires(domain: &Domain) {
    let life = ["-l", "130s", "-r", "1h"];
    assert!(domain.kinit(WATCHER, PASSWORD, "renewed.cache", &life));
    let prober = Prober::new();
    let access = with(domain, cache(domain, "renewed.cache"));
    for _ in 0..4 {
        let seen = prober.check(&request(&[]), &access).await;
        assert_eq!(seen.logon, Logon::Accepted, "{seen:?}\n{}", domain.logs());
        prober.forget(&request(&[]).host).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let without = told(&access).await;
    assert!(
        without.cause.contains("the ticket has expired"),
        "the cache itself is over: {without:?}"
    );
}

/// The whole program with a clock of its own, which is an hour ahead.
fn a_wrong_clock_is_no_wrong_password(domain: &Domain) {
    need("faketime", "faketime");
    let secret = domain.path("password");
    fs::write(&secret, PASSWORD).expect("a file can be written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = domain.path("svcwatch.yaml");
    let text = format!(
        "credentials: {{ ops: {{ user: {WATCHER}, realm: {REALM}, password: {{ file: password }}, kdc: {0} }} }}\n\
         defaults: {{ credentials: ops, timeout: 30s }}\n\
         hosts: [{{ name: {CONTROLLER}, address: {0}, services: [Spooler] }}]\n\
         destinations: {{ out: {{ type: log, path: notices.log }} }}\n",
        domain.address()
    );
    fs::write(&config, text).expect("a file can be written");
    let output = Command::new("faketime")
        .args([
            "-f",
            "+1h",
            env!("CARGO_BIN_EXE_svcwatch"),
            "check",
            "--connect",
            "-c",
        ])
        .arg(&config)
        .output()
        .expect("faketime can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("ours is 60 min ahead of theirs"),
        "{output:?}"
    );
    assert!(!format!("{output:?}").contains(PASSWORD));
}

async fn a_refused_account_is_told_as_what_it_is(domain: &Domain) {
    let watcher = with(domain, password(PASSWORD));
    // Samba says the same of each, where Windows adds which it is; either way no other host is tried.
    let is_refused_everywhere = async |what: &str| {
        let told = told(&watcher).await;
        let everywhere = told.refusal.is_some_and(Refusal::concerns_the_account);
        assert!(
            everywhere && told.cause.contains("KDC_ERR_CLIENT_REVOKED"),
            "{what}: {told:?}"
        );
    };
    domain.tool(&["user", "disable", WATCHER]);
    is_refused_everywhere("disabled").await;
    domain.tool(&["user", "enable", WATCHER]);
    read(check_once(&watcher).await);

    domain.tool(&["user", "setexpiry", WATCHER, "--days=-1"]);
    is_refused_everywhere("expired").await;
    domain.tool(&["user", "setexpiry", WATCHER, "--days=30"]);
    read(check_once(&watcher).await);

    let must_change = ["--must-change-at-next-login", "--newpassword=Other0!Word"];
    domain.tool(&[&["user", "setpassword", WATCHER], &must_change[..]].concat());
    let mut changed = with(domain, password("Other0!Word"));
    changed.second_password = Some(Secret::new(PASSWORD));
    let mut two = request(&[]);
    two.logons = 2;
    let seen = Prober::new().check(&two, &changed).await;
    assert_eq!(
        seen.refusals, 1,
        "an expired password leads to no other: {seen:?}"
    );
    assert_eq!(fault(seen).refusal, Some(Refusal::Expired));
    domain.set_password(WATCHER, PASSWORD);

    domain.tool(&[
        "domain",
        "passwordsettings",
        "set",
        "--account-lockout-threshold=3",
    ]);
    let wrong = with(domain, password("not the password"));
    for _ in 0..3 {
        assert_eq!(told(&wrong).await.refusal, Some(Refusal::WrongPassword));
    }
    is_refused_everywhere("locked out").await;
}

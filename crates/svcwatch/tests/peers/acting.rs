//! `svcwatch check --connect` tries what acts before it is needed: once on each host, with nothing done, and a wrong
//! password once in all. Samba knows who is an administrator.

use std::fs;

use serde_json::{Value, json};

use crate::remedy::{Desk, EACH_LOGON, logons, svcwatch};
use crate::support::samba::{Samba, Settings};
use crate::support::{ADMINISTRATOR, USER};

/// What the check says of each host.
struct Checked(Value);

impl Checked {
    fn new(desk: &Desk) -> Self {
        let config = desk.path("svcwatch.yaml");
        let (code, out, err) = svcwatch(&["check", "-c", &config, "--connect", "-o", "json"]);
        assert_eq!(code, Some(1), "{out}{err}");
        let found: Value = serde_json::from_str(&out).expect("JSON");
        Self(found["connected"]["hosts"].clone())
    }

    fn host(&self, name: &str) -> &Value {
        let mut hosts = self.0.as_array().expect("hosts").iter();
        let one = hosts.find(|one| one["host"] == name);
        one.unwrap_or_else(|| panic!("{name} is not among {:#}", self.0))
    }

    fn lacks(&self, name: &str) -> String {
        self.host(name)["lacks"].to_string()
    }
}

/// Three hosts that are one Samba, each with a service that a plan starts again; this account acts on two of them.
fn write(desk: &Desk, port: u16, hands: &str) {
    let hosts = ["lab", "lab2", "other"].map(|name| {
        format!(
            "  - {{ name: {name}, address: 127.0.0.1, port: {port}, services: [{{ name: Spooler, remedy: restart }}] }}\n"
        )
    });
    let text = format!(
        "credentials:\n\
         \x20 ops: {{ user: {USER}, password: {{ file: password }} }}\n\
         \x20 hands: {{ user: {hands}, password: {{ file: hands.password }}, acting: true, hosts: ['lab*'] }}\n\
         defaults: {{ credentials: ops, timeout: 30s }}\n\
         remedy: {{ restart: {{ attempts: 1 }} }}\n\
         destinations: {{ out: {{ type: log, path: notices.log }} }}\n\
         hosts:\n{}",
        hosts.concat()
    );
    fs::write(desk.path("svcwatch.yaml"), text).expect("a file can be written");
}

fn samba_and_desk() -> (Samba, Desk) {
    let samba = Samba::start(&Settings {
        extra: vec![EACH_LOGON],
        ..Settings::default()
    });
    let desk = Desk::new(samba.port(), ADMINISTRATOR);
    fs::copy(desk.path("password"), desk.path("hands.password")).expect("a file can be copied");
    (samba, desk)
}

#[test]
fn an_account_that_may_act_is_tried_and_does_nothing() {
    let (samba, desk) = samba_and_desk();
    write(&desk, samba.port(), ADMINISTRATOR);
    let state = samba.net_rpc_service(&["status", "Spooler"]);
    let (before, _) = logons(&samba);
    let checked = Checked::new(&desk);
    assert_eq!(logons(&samba), (before + 5, 0), "{}", samba.logs());
    for name in ["lab", "lab2"] {
        let acting = &checked.host(name)["acting"];
        assert_eq!(
            (&acting["account"], &acting["may"], &acting["fault"]),
            (&json!("hands"), &json!(["Spooler"]), &Value::Null),
            "{acting:#}"
        );
        assert!(!checked.lacks(name).contains("hands"), "{acting:#}");
    }
    let nobody = checked.lacks("other");
    assert!(nobody.contains("no account may act on other"), "{nobody}");
    assert_eq!(samba.net_rpc_service(&["status", "Spooler"]), state);
}

#[test]
fn what_an_account_may_not_is_named_with_the_way_out() {
    let (samba, desk) = samba_and_desk();
    write(&desk, samba.port(), USER);
    let lacks = Checked::new(&desk).lacks("lab");
    for words in [
        "hands may not act on Spooler (SERVICE_START, SERVICE_STOP denied)",
        "RemoteAccessCheckExemptionList",
    ] {
        assert!(lacks.contains(words), "{lacks}");
    }
    let config = desk.path("svcwatch.yaml");
    let (_, out, _) = svcwatch(&["check", "-c", &config, "--connect"]);
    assert!(out.contains("RemoteAccessCheckExemptionList"), "{out}");
}

#[test]
fn a_wrong_password_of_what_acts_is_tried_on_one_host() {
    let (samba, desk) = samba_and_desk();
    write(&desk, samba.port(), ADMINISTRATOR);
    fs::write(desk.path("hands.password"), "wrong").expect("it is ours");
    let (before, _) = logons(&samba);
    let checked = Checked::new(&desk);
    assert_eq!(logons(&samba), (before + 3, 1), "{}", samba.logs());
    for name in ["lab", "lab2"] {
        let lacks = checked.lacks(name);
        assert!(lacks.contains("hands cannot act there: "), "{lacks}");
    }
}

//! Event logs of a Samba, written with Samba's own tool.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::process::{need, run, run_with_input};
use super::samba::{Samba, Settings};

/// What Samba must be told to have logs.
pub(crate) const LOGS: &str = "eventlog list = Application System";

/// A Samba with logs that its administrators may read.
pub(crate) fn with_logs() -> Samba {
    let samba = Samba::start(&Settings {
        extra: vec![LOGS],
        ..Settings::default()
    });
    let_administrators_read(&samba);
    samba
}

/// Lets the administrators of a Samba that was told of [`LOGS`] read them.
pub(crate) fn let_administrators_read(samba: &Samba) {
    write(samba, "Application", &[event(1, "Other", 1, &["nothing"])]);
    write(samba, "System", &[event(1, "Other", 1, &["nothing"])]);
    for log in ["application", "system"] {
        let file = samba
            .configuration()
            .with_file_name(format!("state/eventlog/{log}.tdb"));
        run(Command::new("chgrp").arg("svcadmins").arg(&file));
        let mode = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(&file, mode).expect("the log is there");
    }
}

/// An event in the form that Samba's own tool reads.
pub(crate) fn event(at: u32, source: &str, id: u32, strings: &[&str]) -> String {
    let mut lines = vec![
        "LEN: 0".to_owned(),
        "RS1: 1699505740".to_owned(),
        "RCN: 0".to_owned(),
        format!("TMG: {at}"),
        format!("TMW: {at}"),
        format!("EID: {id}"),
        "ETP: ERROR".to_owned(),
        "ECT: 0".to_owned(),
        "RS2: 0".to_owned(),
        "CRN: 0".to_owned(),
        "USL: 0".to_owned(),
        format!("SRC: {source}"),
        "SRN: CIHOST".to_owned(),
    ];
    lines.extend(strings.iter().map(|string| format!("STR: {string}")));
    lines.extend(["DAT:".to_owned(), String::new(), String::new()]);
    lines.join("\n")
}

/// Writes events into one of its logs, behind those that are there.
pub(crate) fn write(samba: &Samba, log: &str, events: &[String]) {
    need("eventlogadm", "samba");
    let mut command = Command::new("eventlogadm");
    command
        .arg("-s")
        .arg(samba.configuration())
        .args(["-o", "write", log]);
    run_with_input(&mut command, &events.concat());
}

//! What the unit of systemd locks down.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::project;
use crate::support::process::{need, run};

/// Every setting of the unit, so that none goes or changes unseen.
const SETTINGS: &[(&str, &str)] = &[
    ("Type", "exec"),
    ("User", "svcwatch"),
    ("Group", "svcwatch"),
    (
        "ExecStart",
        "/usr/bin/svcwatch run -c /etc/svcwatch/svcwatch.yaml --data /var/lib/svcwatch",
    ),
    ("ExecReload", "/bin/kill -HUP $MAINPID"),
    ("StateDirectory", "svcwatch"),
    ("StateDirectoryMode", "0700"),
    ("UMask", "0077"),
    ("Restart", "on-failure"),
    ("RestartSec", "10s"),
    ("RestartPreventExitStatus", "2"),
    ("KillSignal", "SIGTERM"),
    ("TimeoutStopSec", "30s"),
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("PrivateUsers", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("DevicePolicy", "closed"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("RemoveIPC", "yes"),
    ("KeyringMode", "private"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged"),
    ("SystemCallErrorNumber", "EPERM"),
];

/// The setting from which on they lock down; docs/packages.md explains each of those.
const FIRST_LOCK: &str = "NoNewPrivileges";

/// The most that systemd may find open, in tenths: 0 is nothing, 100 everything.
const EXPOSED_AT_MOST: &str = "15";

fn unit() -> String {
    let path = project().join("packaging/systemd/svcwatch.service");
    fs::read_to_string(path).expect("the unit")
}

#[test]
fn each_setting_is_as_it_was_decided() {
    let text = unit();
    let service = text
        .split("[Service]")
        .nth(1)
        .and_then(|rest| rest.split("[Install]").next());
    let lines = service.expect("a section Service").lines();
    let settings: Vec<(&str, &str)> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();
    assert_eq!(settings, SETTINGS);
    let page = fs::read_to_string(project().join("docs/packages.md")).expect("the page");
    let locks = SETTINGS.iter().skip_while(|(name, _)| *name != FIRST_LOCK);
    for (name, _) in locks {
        assert!(
            page.contains(&format!("`{name}")),
            "docs/packages.md does not explain {name}"
        );
    }
}

#[test]
fn systemd_takes_it_and_finds_little_open() {
    need("systemd-analyze", "systemd");
    // A root with the unit, and what it leans on of this machine's.
    let root = TempDir::new().expect("a temporary folder");
    let place = |name: &str| root.path().join(name);
    for name in ["usr/lib/systemd/system", "usr/bin", "bin"] {
        fs::create_dir_all(place(name)).expect("a folder can be made");
    }
    for entry in fs::read_dir("/usr/lib/systemd/system").expect("the units of systemd") {
        let entry = entry.expect("an entry of it");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = name.rsplit('.').next().unwrap_or_default();
        if ["target", "slice"].contains(&kind) {
            fs::copy(entry.path(), place("usr/lib/systemd/system").join(name))
                .expect("a unit can be copied");
        }
    }
    for name in ["usr/bin/svcwatch", "bin/kill"] {
        fs::copy("/usr/bin/true", place(name)).expect("a program can be copied");
    }
    fs::write(place("usr/lib/systemd/system/svcwatch.service"), unit())
        .expect("a unit can be written");
    let analyze = |words: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command
            .arg(format!("--root={}", root.path().display()))
            .args(words);
        let output = run(&mut command);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = analyze(&["--man=no", "verify", "svcwatch.service"]);
    assert!(!said.contains("svcwatch.service"), "{said}");
    let threshold = format!("--threshold={EXPOSED_AT_MOST}");
    let said = analyze(&[
        "--offline=true",
        "--no-pager",
        &threshold,
        "security",
        "svcwatch.service",
    ]);
    let last = said.lines().last().unwrap_or_default();
    println!("{last}");
    assert!(last.contains("Overall exposure level"), "{said}");
}

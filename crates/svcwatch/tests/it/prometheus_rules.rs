//! `svcwatch rules`, held against promtool: the file is sound, and its rules fire when they should and only then.

use crate::cli_support::svcwatch;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn promtool(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("promtool").args(arguments).current_dir(folder).output().expect(
        "promtool is needed for this test and is not installed: install Debian's package prometheus, for instance with `cargo xtask peers`",
    )
}

fn accepted(output: &Output) {
    assert!(
        output.status.success(),
        "promtool says: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn promtool_accepts_the_rules_and_they_tell_each_case() {
    let folder = tempfile::tempdir().unwrap();
    let rules = svcwatch(&["rules"]);
    assert_eq!(rules.code, Some(0), "{}", rules.err);
    fs::write(folder.path().join("rules.yaml"), &rules.out).unwrap();
    let tests = include_str!("../data/prometheus/rules_test.yaml");
    fs::write(folder.path().join("rules_test.yaml"), tests).unwrap();
    accepted(&promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", "rules.yaml"],
    ));
    accepted(&promtool(
        folder.path(),
        &["test", "rules", "rules_test.yaml"],
    ));

    // The proof proves something: without its condition a rule fails it.
    let broken = rules.out.replace("for: 1m", "for: 1h");
    fs::write(folder.path().join("rules.yaml"), broken).unwrap();
    let output = promtool(folder.path(), &["test", "rules", "rules_test.yaml"]);
    assert!(!output.status.success());
}

#[test]
fn links_lead_where_the_user_says() {
    let given = svcwatch(&["rules", "--url", "https://watch.corp.example/x/"]);
    assert!(
        given
            .out
            .contains("'https://watch.corp.example/x/runbooks/fleet'"),
        "{}",
        given.out
    );
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.yaml");
    fs::write(&config, "web: { url: 'https://w.example' }\nhosts: []\n").unwrap();
    let configured = svcwatch(&["rules", "-c", config.to_str().unwrap()]);
    assert!(
        configured
            .out
            .contains("'https://w.example/runbooks/fleet'"),
        "{}{}",
        configured.out,
        configured.err
    );
    for wrong in ["nothing", "ftp://x", "https://user:secret@x", "https://x?y"] {
        let refused = svcwatch(&["rules", "--url", wrong]);
        assert_eq!(refused.code, Some(2), "{wrong}");
        assert!(!refused.err.contains("panicked"), "{}", refused.err);
    }
}

#[test]
fn what_alertmanager_hides_is_yaml_for_it() {
    let inhibit = svcwatch(&["rules", "--inhibit"]);
    assert_eq!(inhibit.code, Some(0));
    assert!(inhibit.out.contains("inhibit_rules:"), "{}", inhibit.out);
}

#[test]
fn runbooks_are_listed_and_printed_with_names_filled_in() {
    let list = svcwatch(&["runbook"]);
    assert!(
        list.out.lines().any(|line| line == "host_unreachable"),
        "{}",
        list.out
    );
    let page = svcwatch(&["runbook", "stopped", "srv01", "Spooler"]);
    assert!(
        page.out.contains(r"sc.exe \\srv01 start Spooler"),
        "{}",
        page.out
    );
    let unknown = svcwatch(&["runbook", "stoped"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("stopped"), "{}", unknown.err);
}

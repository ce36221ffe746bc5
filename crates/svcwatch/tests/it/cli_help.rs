//! Help, version and wrong usage.

use crate::cli_support::svcwatch;

const COMMANDS: [&str; 16] = [
    "demo",
    "run",
    "check",
    "services",
    "test",
    "explain",
    "restart",
    "incidents",
    "history",
    "ack",
    "rights",
    "schedule",
    "dashboard",
    "schema",
    "backup",
    "completions",
];

#[test]
fn every_help_ends_well_and_has_an_example() {
    for command in COMMANDS {
        let done = svcwatch(&[command, "--help"]);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
        assert!(
            done.out.contains("Example") && done.out.contains(&format!("  svcwatch {command}")),
            "{}",
            done.out
        );
        assert!(!done.out.contains('\u{1b}'), "no colours in a pipe");
    }
    let done = svcwatch(&["--help"]);
    assert_eq!(done.code, Some(0));
    for command in COMMANDS {
        assert!(
            done.out.contains(&format!("  {command} ")),
            "{command} is not in {}",
            done.out
        );
    }
}

/// Lines that are broken in the source and broken again for the terminal leave single words on lines of their own.
#[test]
fn what_stands_behind_the_options_is_wrapped_once() {
    const COLUMNS: usize = 100;
    for command in COMMANDS.iter().chain(&["init", "import", "rules"]) {
        let mut command = crate::cli_support::command(&[command, "--help"]);
        let child = command.env("COLUMNS", COLUMNS.to_string()).spawn().unwrap();
        let help = crate::cli_support::done(child).out;
        let behind = help.split_once("\nExample").unwrap().1;
        let lines: Vec<&str> = behind.lines().skip(1).collect();
        for pair in lines.windows(2) {
            let [one, next] = pair else { unreachable!() };
            let Some(word) = next.split(' ').next().filter(|word| !word.is_empty()) else {
                continue;
            };
            let fits = one.chars().count() + 1 + word.chars().count() <= COLUMNS;
            assert!(
                one.is_empty() || one.starts_with(' ') || !fits,
                "{one:?} and {next:?} in {help}"
            );
        }
    }
}

#[test]
fn the_version_names_the_commit() {
    let done = svcwatch(&["--version"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.out.starts_with("svcwatch 0.1.0 (commit "),
        "{}",
        done.out
    );
}

#[test]
fn wrong_usage_is_said_and_ends_with_2() {
    for (arguments, said) in [
        (&["nonsense"][..], "nonsense"),
        (&[], "Usage"),
        (&["run", "--frobnicate"], "--frobnicate"),
        (&["run", "-c", "x", "--listen", "here"], "here"),
        (&["check"], "--config"),
        (&["ack"], "<ID>"),
        (&["services", "h", "--port", "0"], "0"),
        (&["incidents", "--limit", "100000"], "100000"),
        (&["incidents", "--api", "nowhere"], "--api"),
        (&["schedule"], "<TEXT>"),
        (&["schedule", "every 5 minutes", "--next", "0"], "--next"),
        (&["schedule", "every 5 minutes", "--from", "noon"], "--from"),
        (&["run"], "svcwatch services HOST"),
        (&["services", "h"], "--user"),
        (&["restart", "h", "s"], "-c FILE"),
        (&["restart", "h", "s"], "--user"),
        (&["restart", "h", "s", "--timeout", "300"], "300s"),
        (&["services", "h", "--user", "u"], "--password-file"),
    ] {
        let done = svcwatch(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.err);
        assert!(done.err.contains(said), "{arguments:?}: {}", done.err);
        assert_eq!(done.out, "", "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = crate::cli_support::command(&["schema"]).spawn().unwrap();
    drop(child.stdout.take());
    let done = crate::cli_support::done(child);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn the_schema_and_completions_are_printed() {
    let schema: serde_json::Value = serde_json::from_str(&svcwatch(&["schema"]).out).unwrap();
    assert!(schema["$defs"]["config"].is_object());
    assert!(svcwatch(&["completions", "bash"]).out.contains("svcwatch"));
}

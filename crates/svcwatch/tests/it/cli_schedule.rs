//! `svcwatch schedule`, as people and programs call it.

use crate::cli_support::svcwatch;

const FROM: [&str; 2] = ["--from", "2024-03-13T12:00:30Z"];

fn schedule(arguments: &[&str]) -> crate::cli_support::Done {
    svcwatch(&[&["schedule"], arguments, &FROM].concat())
}

#[test]
fn the_next_times_are_printed_for_programs() {
    let done = schedule(&["every 5 minutes", "-o", "json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let answer: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({ "next": [
            "2024-03-13T12:05:00Z", "2024-03-13T12:10:00Z", "2024-03-13T12:15:00Z",
            "2024-03-13T12:20:00Z", "2024-03-13T12:25:00Z",
        ] })
    );
}

#[test]
fn the_next_times_are_printed_for_people() {
    let done = schedule(&["at 9:00", "on", "fri", "--next", "2"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(
        done.out,
        "AT                       DAY     AFTER\n\
         2024-03-15 09:00:00 UTC  Friday  1 d 20 h\n\
         2024-03-22 09:00:00 UTC  Friday  7 d\n"
    );
    let over = schedule(&["in 2020"]);
    assert_eq!(
        (over.code, over.out.as_str()),
        (Some(0), "It does not run after 2024-03-13 12:00:30 UTC.\n")
    );
}

#[test]
fn a_time_of_another_zone_and_now_may_be_asked_for() {
    let done = svcwatch(&[
        "schedule",
        "every 1 hour",
        "--from",
        "2024-03-13T14:30:00+02:00",
        "--next",
        "1",
        "-o",
        "json",
    ]);
    assert!(done.out.contains("2024-03-13T13:00:00Z"), "{}", done.out);
    let done = svcwatch(&["schedule", "every 1 second", "--next", "1000"]);
    assert_eq!((done.code, done.out.lines().count()), (Some(0), 1_001));
}

#[test]
fn a_refused_text_ends_with_2_and_says_what_to_write() {
    for (text, said) in [
        ("every minute", "write `every 1 minute`"),
        ("at 9 am", "write `at 9:00 am`"),
        ("at 24:00", "write `at 00:00`"),
        ("*/5 * * * *", "cron"),
        ("every 1 minute and 30 seconds", "`30`"),
        ("of jul", "write `july`"),
        ("on tuesdays", "write `tuesday`"),
        ("every 5", "write `every 5 minutes`"),
        ("every 5 minutes except on weekend", "`every weekend`"),
        ("", "every 30 seconds"),
        ("30s", "every 30 seconds"),
    ] {
        let done = schedule(&[text, "-o", "json"]);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{text}");
        assert!(
            done.err.contains(said) && done.err.contains("Butler would have"),
            "{text}: {}",
            done.err
        );
        assert!(done.err.contains("column "), "{text}: {}", done.err);
    }
}

#[test]
fn what_is_probably_not_meant_is_noted_beside_the_answer() {
    let done = schedule(&["every 90 seconds", "--next", "1", "-o", "json"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains("second 0 of each minute alone"),
        "{}",
        done.err
    );
}

#[test]
fn a_config_takes_a_schedule_and_explain_says_when_it_runs_next() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("svcwatch.yaml");
    let text = "credentials: { ops: { user: u, password: { env: PATH } } }\n\
        defaults: { credentials: ops, every: at 5:00 am on the first day of the year }\n\
        destinations: { out: { type: log } }\n\
        hosts: [{ name: srv01, services: [Spooler] }, { name: srv02, every: every 90 seconds, services: [Spooler] }]\n";
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let data = folder.path().join("data");
    let done = svcwatch(&[
        "explain",
        "-c",
        config,
        "--data",
        data.to_str().unwrap(),
        "srv01",
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out
            .contains("by the schedule `at 5:00 am on the first day of the year`, next at ")
            && done.out.contains("-01-01 05:00:"),
        "{}",
        done.out
    );
    let done = svcwatch(&["check", "-c", config]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let said = format!("{}{}", done.out, done.err);
    assert!(
        said.contains("hosts[1].every") && said.contains("second 0 of each minute alone"),
        "{said}"
    );
}

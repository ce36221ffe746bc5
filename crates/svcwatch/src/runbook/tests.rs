use super::*;
use crate::board::Board;
use crate::board::tests::{host, service};
use std::fs;
use svcwatch_core::{
    cause::Cause,
    evidence::{Clue, ClueKind, Evidence},
    id::{IncidentId, Name},
    notice::Severity,
    observe::{Fault, State},
    record::IncidentRow,
    view::View,
};

fn page(name: &str, host: Option<&str>, service: Option<&str>) -> String {
    Runbooks::default()
        .page(name, &variables(host, service))
        .unwrap()
        .markdown
}

#[test]
fn every_event_has_a_page_that_renders() {
    for event in ToldEvent::ALL {
        if let Some(name) = name_of(*event) {
            assert!(names().any(|known| known == name), "{name} has no page");
        }
    }
    for (name, source) in PAGES {
        let template = Template::read(Origin::Text((*source).to_owned()), Target::Markdown);
        let text = template
            .render(&variables(Some("srv01"), Some("MSSQL$PROD")))
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert!(text.starts_with("# "), "{name} has no title");
        assert!(!text.contains("{{"), "{name}\n{text}");
        assert!(text.contains('\n'), "{name}");
    }
    assert!(PAGES.is_sorted_by_key(|(name, _)| *name));
}

#[test]
fn pages_link_to_pages_that_exist() {
    for (name, source) in PAGES {
        for to in source.split("](").skip(1) {
            let to = to.split(')').next().unwrap();
            let page = to.strip_suffix(".md").expect("a page is named by its file");
            assert!(names().any(|known| known == page), "{name} leads to {to}");
        }
    }
}

#[test]
fn every_command_of_ours_in_a_page_exists() {
    // Those that a page may name; the command line has a test that each of them is there.
    let known = [
        "services",
        "history",
        "incidents",
        "silence",
        "explain",
        "check",
        "test",
        "backup",
        "restart",
        "rules",
    ];
    for (name, source) in PAGES {
        let blocks = source.split("```sh\n").skip(1);
        let commands = blocks.filter_map(|block| block.split("```").next());
        for line in commands
            .flat_map(str::lines)
            .filter(|line| line.starts_with("svcwatch "))
        {
            let command = line.split(' ').nth(1).unwrap();
            assert!(known.contains(&command), "{name}: {line}");
        }
    }
}

#[test]
fn commands_name_the_host_and_the_service() {
    let known = page("stopped", Some("srv01"), Some("MSSQL$PROD"));
    assert!(
        known.contains(r"sc.exe \\srv01 queryex 'MSSQL$PROD'"),
        "{known}"
    );
    assert!(known.contains("**MSSQL$PROD** on **srv01**"), "{known}");
    let unknown = page("stopped", None, None);
    assert!(
        unknown.contains(r"sc.exe \\HOST queryex SERVICE"),
        "{unknown}"
    );
}

#[test]
fn a_name_is_one_word_of_a_command() {
    for (name, word) in [
        ("srv01.corp.example", "srv01.corp.example"),
        ("", "''"),
        ("MSSQL$PROD", "'MSSQL$PROD'"),
        ("a b; calc.exe", "'a b; calc.exe'"),
        ("a'b", "'a''b'"),
        ("a\u{2019}; calc.exe", "'a''; calc.exe'"),
    ] {
        assert_eq!(argument(name), word);
    }
    let page = page("stopped", Some("srv01"), Some("a`; calc.exe; `"));
    assert!(
        page.contains(r"sc.exe \\srv01 start 'a''; calc.exe; '''"),
        "{page}"
    );
}

#[test]
fn a_hostile_name_ends_no_line_and_no_code() {
    let hostile = "a`\n# not a title\n```\n<script>";
    let markdown = page("stopped", Some(hostile), Some("](javascript:alert(1))"));
    assert!(!markdown.contains("\n# not"), "{markdown}");
    let html = html(&markdown, &Around::default());
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains("href=\"javascript"), "{html}");
}

#[test]
fn what_a_user_writes_is_no_html_and_loads_nothing() {
    let html = html(
        "# T <b>x</b>\n\n<img src=x onerror=alert(1)>\n\n![p](http://x/y.png)\n\n[a](javascript:x) [b](//x) [c](stopped.md) [d](https://wiki/x)\n",
        &Around {
            query: "host=h",
            ..Around::default()
        },
    );
    for bad in ["<img", "<b>", "javascript", "href=\"//x"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
    assert!(html.contains("href=\"stopped?host=h\""), "{html}");
    assert!(html.contains("href=\"https://wiki/x\""), "{html}");
    assert!(html.contains("<title>T "), "{html}");
}

#[test]
fn the_users_own_page_comes_first_and_the_built_in_one_where_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("stopped.md"),
        "# Ours\n\nCall {{host}}.\n",
    )
    .unwrap();
    fs::write(folder.path().join("paused.md"), "# Broken {{#if}}\n").unwrap();
    fs::write(folder.path().join("disk.md"), "# Disk\n").unwrap();
    fs::write(folder.path().join("no page.md"), "# x\n").unwrap();
    let runbooks = Runbooks::new(Some(folder.path().to_owned()));
    let variables = variables(Some("srv01"), None);
    let ours = runbooks.page("Stopped", &variables).unwrap();
    assert_eq!(ours.markdown, "# Ours\n\nCall srv01.\n");
    assert_eq!(ours.fallback, None);
    let broken = runbooks.page("paused", &variables).unwrap();
    assert!(broken.markdown.starts_with("# A service is paused"));
    assert!(broken.fallback.is_some());
    assert!(runbooks.page("disk", &variables).is_some());
    assert!(runbooks.page("../stopped", &variables).is_none());
    assert!(runbooks.page("nothing", &variables).is_none());
    let list = runbooks.list();
    assert!(list.contains(&"disk".to_owned()));
    assert_eq!(list.len(), PAGES.len() + 1);
    runbooks.set_folder(None);
    assert!(runbooks.page("disk", &variables).is_none());
}

#[test]
fn what_is_seen_stands_on_the_page_without_arguments() {
    let board = Board::new();
    board.apply(View::Host(host("srv01")));
    let mut view = service("srv01", "Spooler");
    view.state = State::Stopped;
    view.exit_code = Some(1067);
    view.details = Some(std::sync::Arc::new(
        svcwatch_core::observe::ServiceDetails {
            binary_path: Some(r"C:\spool.exe --pin 4711".into()),
            run_as: Some("LocalSystem".into()),
            dependencies: Some(["RPCSS".into(), "http".into()].into()),
            ..svcwatch_core::observe::ServiceDetails::default()
        },
    ));
    board.apply(View::Service(view));
    board.apply(View::Service(service("srv01", "RpcSs")));
    let seen = seen(
        &board,
        &"srv01".into(),
        Some(&"spooler".into()),
        Wall(60_000),
    );
    let text = format!("{:?}", seen.pairs);
    for part in [
        "1067: the process ended unexpectedly",
        "LocalSystem",
        "RPCSS (running), http (not watched)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("4711"), "{text}");
    let page = Runbooks::default()
        .page("stopped", &seen.variables)
        .unwrap();
    assert!(page.markdown.contains("srv01"));
    let unknown = super::seen(&board, &"nobody".into(), None, Wall(0));
    assert!(unknown.pairs.is_empty());
    assert_eq!(
        unknown.first.as_deref(),
        Some("svcwatch does not watch nobody.")
    );
}

/// An incident of Spooler on srv01: it stopped after ten seconds, with a code and something that was found.
fn incident(over: Option<Wall>) -> IncidentRow {
    let clue = |kind, text: &str| Clue {
        kind,
        at: None,
        text: text.to_owned(),
        told: true,
    };
    IncidentRow {
        id: IncidentId("0123456789abcdef-7".into()),
        subject: Subject::Service {
            host: "srv01".into(),
            service: "Spooler".into(),
        },
        seq: 7,
        event: ToldEvent::Stopped,
        severity: Severity::Critical,
        opened_at: Wall(10_000),
        resolved_at: over,
        acknowledged: None,
        cause: None,
        evidence: Some(std::sync::Arc::new(Evidence {
            cause: Cause::EndedUnexpectedly,
            clues: vec![
                clue(ClueKind::ExitCode, "exit code 1067 (it ended)"),
                clue(ClueKind::Process, "its process is gone"),
            ],
            complete: true,
        })),
        previous_state: Some(State::Running),
        told: true,
        held_until: None,
        first_look: false,
        reminded_at: None,
        muted: None,
        untold: None,
    }
}

fn value<'a>(pairs: &'a [(String, String)], word: &str) -> Option<&'a str> {
    let mut pairs = pairs.iter();
    let (_, value) = pairs.find(|(known, _)| known == word)?;
    Some(value)
}

#[test]
fn what_was_found_about_an_incident_that_is_over_is_not_taken_for_now() {
    let open = found(&incident(None), Wall(20_000));
    assert_eq!(value(&open, "Found"), Some("its process is gone"));
    assert_eq!(value(&open, "Exit code then"), None, "it stands above");
    let over = found(&incident(Some(Wall(15_000))), Wall(20_000));
    assert_eq!(value(&over, "Found then"), Some("its process is gone"));
    assert_eq!(value(&over, "Found"), None);
    assert_eq!(value(&over, "Exit code then"), Some("1067 (it ended)"));
}

#[test]
fn that_it_runs_again_is_said_first_and_its_code_is_about_nothing() {
    let (host_name, spooler): (Name, Name) = ("srv01".into(), "Spooler".into());
    let again = |board: &Board, over: Option<i64>| {
        let incident = incident(over.map(Wall));
        runs_again(board, &host_name, &spooler, &incident, Wall(75_000))
    };
    let board = Board::new();
    let mut view = service("srv01", "Spooler");
    view.since = Wall(15_000);
    view.exit_code = Some(1067);
    board.apply_all([View::Host(host("srv01")), View::Service(view.clone())]);
    let sentence = again(&board, Some(16_000)).unwrap();
    assert!(
        sentence.starts_with("It runs again since ") && sentence.ends_with("(1 m ago)."),
        "{sentence}"
    );
    let now = seen(&board, &host_name, Some(&spooler), Wall(75_000));
    assert_eq!(value(&now.pairs, "Exit code"), None, "{:?}", now.pairs);
    assert_eq!(now.first, None);
    assert_eq!(again(&board, None), None, "its incident is open");
    // It ran before the incident and in it: nothing of it is again.
    view.since = Wall(9_000);
    board.apply(View::Service(view.clone()));
    assert_eq!(again(&board, Some(16_000)), None);
    view.since = Wall(15_000);
    board.apply(View::Service(view));
    let mut down = host("srv01");
    down.fault = Some(Fault::Timeout);
    board.apply(View::Host(down));
    assert_eq!(again(&board, Some(16_000)), None, "nobody can see it");
}

#[test]
fn a_page_about_what_is_not_watched_begins_with_that() {
    let board = Board::new();
    board.apply(View::Host(host("srv01")));
    let asked = "<b>Spuler".into();
    let now = seen(&board, &"srv01".into(), Some(&asked), Wall(0));
    let html = html(
        "# Title\n\nText\n",
        &Around {
            first: now.first.as_deref(),
            seen: &now.pairs,
            ..Around::default()
        },
    );
    let begin = html.split_once("<main>\n").unwrap().1;
    assert!(
        begin.starts_with(
            "<p class=\"first\">svcwatch does not watch &lt;b&gt;Spuler on srv01.</p>\n<h1>"
        ),
        "{begin}"
    );
}

#[test]
fn a_template_of_markdown_keeps_its_lines() {
    let template = Template::read(Origin::Text("# {{host}}\n\n- x\n".into()), Target::Markdown);
    assert_eq!(
        template.render(&variables(Some("a\nb"), None)).unwrap(),
        "# a b\n\n- x\n"
    );
}

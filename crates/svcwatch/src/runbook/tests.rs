use super::*;
use crate::board::Board;
use crate::board::tests::{host, service};
use std::fs;
use svcwatch_core::view::View;

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
        known.contains(r"sc.exe \\srv01 queryex MSSQL$PROD"),
        "{known}"
    );
    let unknown = page("stopped", None, None);
    assert!(
        unknown.contains(r"sc.exe \\HOST queryex SERVICE"),
        "{unknown}"
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
}

#[test]
fn a_template_of_markdown_keeps_its_lines() {
    let template = Template::read(Origin::Text("# {{host}}\n\n- x\n".into()), Target::Markdown);
    assert_eq!(
        template.render(&variables(Some("a\nb"), None)).unwrap(),
        "# a b\n\n- x\n"
    );
}

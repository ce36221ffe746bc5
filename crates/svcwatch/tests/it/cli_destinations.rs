//! `svcwatch test` and `svcwatch check` with every kind of chat destination, against receivers that answer as the
//! services do.

use crate::{
    cli_support::{Done, arg, svcwatch},
    dest_chat::services,
};
use std::{fs, path::PathBuf};

const HEAD: &str = "credentials: { ops: { user: u, password: { env: PATH } } }\n\
                    defaults: { credentials: ops }\n\
                    hosts: [{ name: srv01, services: [Spooler] }]\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

async fn run(arguments: Vec<String>) -> Done {
    let run = move || svcwatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_reports_what_each_says() {
    let (address, _) = services().await;
    let folder = Folder::new();
    let good = format!(
        "{HEAD}destinations:\n\
         \x20 chat: {{ type: slack, url: 'http://{address}/slack/ok' }}\n\
         \x20 cards: {{ type: teams, url: 'http://{address}/teams/ok' }}\n\
         \x20 relic: {{ type: newrelic, event_url: 'http://{address}/nr', log_url: 'http://{address}/nrlog', accounts: [{{ name: First, id: 111, key: {{ env: PATH }} }}] }}\n\
         \x20 hook: {{ type: webhook, body: butler, method: GET, url: 'http://me:canary@{address}/slack/ok?token=canary' }}\n"
    );
    let config = folder.write("good.yaml", &good);
    let done = run(vec!["test".into(), "-c".into(), arg(&config).into()]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for said in [
        "HTTP 200 OK: ok",
        "HTTP 202 Accepted",
        "event:First",
        "log:First",
        "requestId",
    ] {
        assert!(done.out.contains(said), "{said}: {done:?}");
    }
    assert!(!format!("{done:?}").contains("canary"), "{done:?}");

    let bad = good
        .replace("/slack/ok'", "/slack/gone'")
        .replace("/teams/ok'", "/teams/off'")
        .replace("id: 111", "id: 403");
    let config = folder.write("bad.yaml", &bad);
    let done = run(vec!["test".into(), "-c".into(), arg(&config).into()]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    for said in [
        "no_service",
        "WorkflowTriggerIsNotEnabled",
        "Invalid license key",
    ] {
        assert!(done.out.contains(said), "{said}: {done:?}");
    }
}

#[test]
fn check_says_which_templates_are_not_used() {
    let folder = Folder::new();
    folder.write(
        "good.json",
        "{\"text\":\"{{serviceExePath}} {{serviceDisplayName}}\"}",
    );
    folder.write("comma.json", "{\"text\":\"{{host}}\",}");
    folder.write("open.html", "<p>{{#if host}}</p>");
    folder.write(
        "loops.json",
        &("{{#each @root.links}}".repeat(8) + &"{{/each}}".repeat(8)),
    );
    folder.write("deep.json", &"{{#if a}}".repeat(1_000));
    folder.write("self.json", "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}");
    folder.write("large.json", &"x".repeat(10 * 1_048_576));
    let links = "{ id: a, text: b, url: 'https://wiki.example/' }, ".repeat(20);
    let config = folder.write(
        "svcwatch.yaml",
        &format!(
            "{HEAD}links: [{links}]\n\
             destinations:\n\
             \x20 chat: {{ type: slack, url: 'https://hooks.slack.example/services/canary', template: {{ stopped: good.json, started: comma.json, paused: loops.json, missing: gone.json, stuck: deep.json, hidden: self.json, summary: large.json }} }}\n\
             \x20 mail: {{ type: email, smtp: {{ host: mail.example }}, from: a@b.example, to: c@d.example, subject: '{{title}} of {{{{host}}}}', template: {{ opened: open.html }} }}\n"
        ),
    );
    let done = svcwatch(&["check", "-c", arg(&config)]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for (key, says) in [
        ("started", "is no JSON object"),
        ("paused", "too many steps"),
        ("missing", "cannot be read"),
        ("stuck", "more than 8 blocks"),
        ("hidden", "includes itself"),
        ("summary", "more than 262144 bytes"),
        ("opened", "line 1"),
        ("mail.subject", "write {{title}}"),
    ] {
        let line = done
            .err
            .lines()
            .find(|line| line.contains(&format!("{key}:")) && line.contains(says));
        assert!(line.is_some(), "{key}: {says}: {}", done.err);
    }
    assert!(!done.err.contains("good.json"), "{}", done.err);
    assert!(!format!("{done:?}").contains("canary"), "{done:?}");
    assert_eq!(done.err.lines().count(), 8, "{}", done.err);
}

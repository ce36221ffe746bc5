//! `svcwatch check`, `test` and `import` of a Butler file.

use crate::{
    butler_support::{Told, data, receivers},
    cli_support::{Done, arg, svcwatch},
};
use std::{fs, path::Path, path::PathBuf, sync::Arc};

const ACCOUNT: &str = "credentials: { ops: { user: u, password: { env: PATH } } }\n";

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

async fn run(arguments: &[&str]) -> Done {
    let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
    let run = move || svcwatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[test]
fn a_check_lists_what_is_ignored_and_what_differs_and_is_content() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(data().join("butler.yaml")).unwrap();
    let text = text
        .replace("Butler:\n", "Butler:\n  configQRS: { host: localhost }\n")
        .replace("templates", &data().join("templates").display().to_string());
    let butler = write(folder.path(), "butler.yaml", &text);
    let account = write(folder.path(), "svcwatch.yaml", ACCOUNT);
    let done = svcwatch(&["check", "-c", arg(&butler), "-c", arg(&account)]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for said in [
        "ignored: ",
        "butler.yaml:3:3: Butler.configQRS: does not concern",
        "differs: ",
        "Butler.serviceMonitor.monitor: svcwatch tells PAUSED as such",
        "Butler.webhookNotification.serviceMonitor.webhooks[2].httpMethod: svcwatch keeps it",
        "The configuration is good: 2 hosts, 3 entries of services",
    ] {
        assert!(done.out.contains(said), "{said}: {}", done.out);
    }
    let json = svcwatch(&[
        "check",
        "-c",
        arg(&butler),
        "-c",
        arg(&account),
        "-o",
        "json",
    ]);
    let found: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(found["ignored"][0]["line"], 3);
    assert!(found["differences"].as_array().unwrap().len() > 30);

    let alone = svcwatch(&["check", "-c", arg(&butler)]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
    for said in [
        "credentials:",
        "defaults: { credentials: butler }",
        "-c svcwatch.yaml",
    ] {
        assert!(alone.err.contains(said), "{said}: {}", alone.err);
    }
    assert!(alone.out.contains("differs: "), "it is said all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_goes_to_all_seven_without_an_account() {
    let told = Arc::new(Told::default());
    let folder = tempfile::tempdir().unwrap();
    let butler = write(folder.path(), "butler.yaml", &receivers(&told).await);
    let done = run(&["test", "-c", arg(&butler), "-o", "json"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for destination in [
        "slack",
        "teams",
        "email",
        "webhook_one",
        "webhook_two",
        "webhook_three",
        "mqtt",
        "influxdb",
        "newrelic_events",
        "newrelic_logs",
    ] {
        assert!(
            done.out
                .contains(&format!("\"destination\": \"{destination}\"")),
            "{destination}: {done:?}"
        );
    }
    for path in [
        "/slack/stopped",
        "/teams/stopped",
        "/hook/post",
        "/nr/v1",
        "/nrlog",
    ] {
        assert!(
            told.all()
                .iter()
                .any(|one| one.text("path").starts_with(path)),
            "nothing came to {path}"
        );
    }
}

#[test]
fn an_import_prints_no_secret_unless_asked_and_is_refused_where_there_is_nothing_to_import() {
    let full = data().join("full.yaml");
    let plain = svcwatch(&["import", arg(&full)]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(!plain.out.contains("smtp-password") && !plain.out.contains("workflows/stopped"));
    assert!(
        plain
            .out
            .contains("password: { file: secrets/email.password }"),
        "{}",
        plain.out
    );
    let whole = svcwatch(&["import", "--with-secrets", arg(&full)]);
    assert!(
        whole.out.contains("password: smtp-password"),
        "{}",
        whole.out
    );
    for text in [
        "hosts: []\n",
        "",
        "Butler:\n  serviceMonitor: 5\n",
        "a: [\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "other.yaml", text);
        let done = svcwatch(&["import", arg(&file)]);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{done:?}");
        assert!(done.err.contains("other.yaml:"), "{done:?}");
    }
    let none = svcwatch(&["import", "/none/butler.yaml"]);
    assert_eq!(none.code, Some(2), "{none:?}");
}

#[test]
fn a_schedule_that_butler_misreads_is_refused_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(data().join("butler.yaml")).unwrap();
    let text = text.replace("every 2 seconds", "every minute");
    let butler = write(folder.path(), "butler.yaml", &text);
    let account = write(folder.path(), "svcwatch.yaml", ACCOUNT);
    let done = svcwatch(&["check", "-c", arg(&butler), "-c", arg(&account)]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(
        done.err.contains("Butler.serviceMonitor.frequency")
            && done.err.contains("butler.yaml:7:16"),
        "{}",
        done.err
    );
}

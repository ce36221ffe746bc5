//! The commands for destinations that are feeds, the secrets that none of them shows, and the examples of the docs.

use crate::{
    cli_support::{Done, arg},
    feed_support::{Answer, Database},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use svcwatch::config::{self, LoadOptions};

const CANARY: &str = "canary-9c1e";

async fn svcwatch(arguments: Vec<String>) -> Done {
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        crate::cli_support::svcwatch(&arguments)
    })
    .await
    .expect("no panic")
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// A config with a database that takes everything, one that refuses us, and a broker that is not there; each with the
/// same secret.
fn written(folder: &tempfile::TempDir, good: &Database, bad: &Database) -> PathBuf {
    let secret = folder.path().join("secret");
    fs::write(&secret, CANARY).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let config = folder.path().join("svcwatch.yaml");
    let text = format!(
        "credentials: {{ ops: {{ user: u, password: {{ file: secret }} }} }}\n\
         defaults: {{ credentials: ops, timeout: 1s }}\n\
         hosts: [{{ name: dead, address: 127.0.0.1, port: 1, services: [Spooler] }}]\n\
         destinations:\n\
         \x20 good: {{ type: influxdb, url: '{}', version: 1, database: butler, user: monitor, password: {{ file: secret }} }}\n\
         \x20 bad: {{ type: influxdb, url: '{}', version: 2, org: o, bucket: b, token: {{ file: secret }} }}\n\
         \x20 broker: {{ type: mqtt, host: 127.0.0.1, port: 1, user: monitor, password: {{ file: secret }}, topics: {{ status: a }} }}\n",
        good.url(),
        bad.url()
    );
    fs::write(&config, text).unwrap();
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn test_and_check_tell_the_far_sides_words_and_no_secret() {
    let (good, bad) = (Database::start().await, Database::start().await);
    bad.usually(Answer::By(|_| {
        (
            401,
            format!(r#"{{"error":"authorization failed for {CANARY}"}}"#),
        )
    }));
    bad.next([Answer::By(|_| (401, format!("no {CANARY}")))]);
    let folder = tempfile::tempdir().unwrap();
    let config = written(&folder, &good, &bad);
    let config = arg(&config);
    let done = svcwatch(words(&["test", "-c", config, "-o", "json"])).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
    let answers: Value = serde_json::from_str(&done.out).expect("JSON");
    let of = |name: &str| {
        let all = answers.as_array().expect("a list").iter();
        let found = all
            .clone()
            .find(|one| one["destination"] == name)
            .expect("it is there");
        format!("{} {}", found["result"], found["answer"])
    };
    assert_eq!(of("good"), r#""delivered" "HTTP 204 No Content""#);
    assert!(
        of("bad").contains("authorization failed for ********")
            || of("bad").contains("no ********"),
        "{}",
        of("bad")
    );
    assert!(
        of("broker").contains("127.0.0.1:1: cannot be reached"),
        "{}",
        of("broker")
    );

    let done = svcwatch(words(&["check", "-c", config, "--connect", "-o", "json"])).await;
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    let told = found["connected"]["destinations"].to_string();
    for words in [
        "the database butler is there",
        "HTTP 401",
        "cannot be reached",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let done = svcwatch(words(&["test", "-c", config, "good"])).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = svcwatch(words(&[
        "explain",
        "-c",
        config,
        "--data",
        arg(folder.path()),
        "dead",
    ]))
    .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
}

/// Each block of YAML in the docs of feeds is a destination's part of a config, and a good one.
#[test]
fn every_example_of_the_docs_is_a_good_config() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/feeds.md");
    let text = fs::read_to_string(docs).unwrap();
    let mut examples = 0;
    for block in text.split("```yaml\n").skip(1) {
        let (example, _) = block.split_once("```").expect("an end");
        let whole = format!(
            "credentials: {{ ops: {{ user: u, password: {{ env: PATH }} }} }}\n\
             defaults: {{ credentials: ops }}\n\
             hosts: [{{ name: srv01, services: [Spooler] }}]\n{example}"
        );
        let options = LoadOptions {
            look: false,
            ..LoadOptions::default()
        };
        let loaded = config::load_text(whole.as_bytes(), Path::new("feeds.md"), options);
        let config = loaded.unwrap_or_else(|errors| panic!("{example}\n{errors}"));
        assert!(!config.destinations.is_empty(), "{example}");
        examples += 1;
    }
    assert!(examples >= 6, "{examples}");
}

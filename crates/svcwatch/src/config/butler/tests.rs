//! Whole Butler files: what becomes of them, and what is told of bad ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::DIFFERENCES;
use crate::config::problem::Problems;
use crate::config::scalar::Plain;
use crate::config::tree::{Node, Value};
use crate::config::{Config, ConfigErrors, LoadOptions, import, load, load_text, parse};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/butler")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(data(name)).expect("the file can be read")
}

const WITHOUT_LOOKING: LoadOptions = LoadOptions {
    look: false,
    accounts: false,
};

fn text(text: &str) -> Result<Config, ConfigErrors> {
    load_text(text.as_bytes(), Path::new("butler.yaml"), WITHOUT_LOOKING)
}

/// A short file around one section.
fn around(section: &str) -> String {
    format!(
        "Butler:\n  serviceMonitor: {{ enable: true, frequency: every 30 seconds, monitor: [] }}\n{section}"
    )
}

/// A tree as JSON, which is YAML too.
fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.to_string(), json_of(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Scalar(scalar) => match scalar.plain {
            Plain::Null => Json::Null,
            Plain::Switch(on) => json!(on),
            Plain::Whole(number) => json!(number),
            Plain::Number => json!(scalar.text.parse::<f64>().expect("a number")),
            Plain::Text => json!(scalar.text),
        },
    }
}

fn full() -> Json {
    let mut problems = Problems::new(&[]);
    let node = parse::parse(read("full.yaml").as_bytes(), 0, &mut problems);
    assert!(problems.none());
    json_of(&node.expect("it is YAML"))
}

/// Every place of a tree, as JSON pointer and as the path of a message.
fn places(json: &Json, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    found.push((pointer.to_owned(), path.to_owned()));
    match json {
        Json::Object(entries) => {
            for (key, value) in entries {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                places(value, &format!("{pointer}/{key}"), &below, found);
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(
                    value,
                    &format!("{pointer}/{index}"),
                    &format!("{path}[{index}]"),
                    found,
                );
            }
        }
        _ => {}
    }
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "switch",
        Json::Number(_) => "number",
        Json::String(_) => "text",
        Json::Array(_) => "list",
        Json::Object(_) => "mapping",
    }
}

/// Where Butler takes nothing in place of a value, and we do too.
fn may_be_null(value: &Json, path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    value.is_array()
        || matches!(
            last,
            "serverName"
                | "serviceRunningTopic"
                | "serviceStoppedTopic"
                | "serviceStatusTopic"
                | "dbName"
        )
        || path.contains("retentionPolicy.")
}

#[test]
fn every_value_of_the_wrong_type_is_told_with_its_path_and_never_breaks_anything() {
    let full = full();
    assert!(!format!("{full}").is_empty());
    let mut found = Vec::new();
    places(&full, "", "", &mut found);
    assert!(found.len() > 250, "only {} places", found.len());
    let wrong = [
        Json::Null,
        json!(true),
        json!(-1.5),
        json!("wörds: {} \\ \" '"),
        json!([[1], "x", null]),
        json!({ "x": 1, "": null }),
    ];
    let mut tried = 0;
    for (pointer, path) in found.iter().filter(|(_, path)| !path.is_empty()) {
        let original = full.pointer(pointer).expect("it is there");
        for value in &wrong {
            if kind(value) == kind(original) || value.is_null() && may_be_null(original, path) {
                continue;
            }
            tried += 1;
            let mut changed = full.clone();
            *changed.pointer_mut(pointer).expect("it is there") = value.clone();
            let yaml = serde_json::to_string_pretty(&changed).expect("it is JSON");
            let (problems, warnings, notes) = match text(&yaml) {
                Ok(config) => (Vec::new(), config.warnings, config.notes),
                Err(errors) => (errors.problems, Vec::new(), errors.notes),
            };
            let about = |told: &str| {
                told.starts_with(path.as_str()) || (!told.is_empty() && path.starts_with(told))
            };
            let told = problems
                .iter()
                .any(|problem| about(&problem.path) && problem.line > 0)
                || warnings.iter().any(|warning| about(&warning.path))
                || notes.ignored.iter().any(|note| about(&note.path));
            assert!(told, "{path} = {value}:\n{problems:#?}");
            for problem in &problems {
                assert!(
                    problem.line > 0 && !problem.what.is_empty() && !problem.instead.is_empty(),
                    "{problem}"
                );
            }
        }
    }
    assert!(tried > 1_000, "only {tried} were tried");
}

#[test]
fn every_key_may_be_missing_and_every_section_may_stand_anywhere() {
    let full = full();
    let mut found = Vec::new();
    places(&full, "", "", &mut found);
    for (pointer, path) in found
        .iter()
        .filter(|(pointer, _)| pointer.len() > "/Butler".len())
    {
        let (parent, key) = pointer.rsplit_once('/').expect("it has a parent");
        let mut changed = full.clone();
        let removed = match changed.pointer_mut(parent) {
            Some(Json::Object(entries)) => entries.remove(key).is_some(),
            _ => false,
        };
        if !removed {
            continue;
        }
        let yaml = serde_json::to_string_pretty(&changed).expect("it is JSON");
        if let Err(errors) = text(&yaml) {
            for problem in &errors.problems {
                assert!(
                    problem.path.starts_with("Butler") && problem.line > 0,
                    "without {path}: {problem}"
                );
            }
        }
    }
}

#[test]
fn faults_are_counted_once_and_all_are_answered() {
    let mut ids = BTreeSet::new();
    let mut faults = BTreeSet::new();
    for difference in DIFFERENCES {
        assert!(ids.insert(difference.id), "{} stands twice", difference.id);
        faults.extend(difference.faults);
        for text in [difference.butler, difference.svcwatch, difference.why] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains('|'),
                "{text}"
            );
        }
    }
    assert_eq!(faults, (1..=27).collect::<BTreeSet<u8>>());
}

/// The manual's table is written from the list, so that neither can say something else.
#[test]
fn the_manual_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/butler.md");
    let manual = std::fs::read_to_string(&path).expect("the manual can be read");
    let rows: Vec<String> = DIFFERENCES
        .iter()
        .map(|one| format!("| {} | {} | {} |", one.butler, one.svcwatch, one.why))
        .collect();
    let begin = "| Butler | svcwatch | Why |\n|---|---|---|\n";
    let (head, rest) = manual.split_once(begin).expect("the table's head");
    let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
    let wanted = format!("{}\n", rows.join("\n"));
    if std::env::var_os("SVCWATCH_ACCEPT_MESSAGES").is_some() {
        let tail = rest.get(end..).unwrap_or_default();
        std::fs::write(&path, format!("{head}{begin}{wanted}{tail}")).expect("it can be written");
        return;
    }
    assert_eq!(rest.get(..end).unwrap_or_default(), wanted);
}

fn imported(name: &str, with_secrets: bool) -> String {
    let imported = import(&data(name), with_secrets).expect("it is good");
    let here = data("").display().to_string();
    let text = imported.text.replace(here.trim_end_matches('/'), "/butler");
    let warnings: Vec<String> = imported
        .warnings
        .iter()
        .map(|warning| {
            format!(
                "# warning {}: {}: {}; {}\n",
                warning.line, warning.path, warning.what, warning.instead
            )
        })
        .collect();
    format!("{text}{}", warnings.concat())
}

#[test]
fn the_native_form_is_as_it_should_be() {
    for (name, secrets) in [
        ("butler.yaml", true),
        ("full.yaml", true),
        ("full.yaml", false),
    ] {
        let shown = format!("{}_{secrets}", name.trim_end_matches(".yaml"));
        insta::with_settings!({
            snapshot_path => "../../../tests/data/butler",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(shown, imported(name, secrets));
        });
    }
}

#[test]
fn no_secret_is_printed_unless_asked_for() {
    let secrets = [
        "NRII-first-key",
        "influx-password",
        "smtp-password",
        "hook-password",
        "workflows/stopped",
        "services/started",
    ];
    let (with, without) = (imported("full.yaml", true), imported("full.yaml", false));
    for secret in secrets {
        assert!(with.contains(secret), "{secret} is not carried over");
        assert!(!without.contains(secret), "{secret} is printed");
    }
    let notes = text(&read("full.yaml"));
    let told = notes.map_or_else(
        |errors| format!("{errors:?}"),
        |config| format!("{config:?}"),
    );
    for secret in [
        "NRII-first-key",
        "influx-password",
        "smtp-password",
        "hook-password",
    ] {
        assert!(!told.contains(secret), "{secret} is told");
    }
}

#[test]
fn messages_of_the_native_walk_name_the_place_in_the_butler_file() {
    let yaml = "Butler:\n  serviceMonitor:\n    enable: true\n    frequency: every 30 seconds\n    monitor:\n    - host: 'a b'\n      services:\n      - { name: 'a/b', friendlyName: x }\n";
    let errors = text(yaml).expect_err("neither is possible");
    let told: Vec<(u32, &str)> = errors
        .problems
        .iter()
        .map(|problem| (problem.line, problem.path.as_str()))
        .collect();
    assert!(
        told.contains(&(6, "Butler.serviceMonitor.monitor[0].host")),
        "{errors}"
    );
    assert!(
        told.contains(&(8, "Butler.serviceMonitor.monitor[0].services[0].name")),
        "{errors}"
    );
}

#[test]
fn a_slip_of_the_finger_is_told() {
    let yaml = "Butler:\n  serviceMonitor:\n    enabel: true\n    frequency: every 30 seconds\n";
    let warnings = text(yaml).expect("it is off").warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.instead == "did you mean `enable`?" && warning.line == 3),
        "{warnings:?}"
    );
}

#[test]
fn merge_keys_are_known_in_butler_files_alone() {
    let yaml = around(
        "  x: &off { enable: true }\n  slackNotification: { <<: [*off, { enable: 5 }], serviceStopped: 1 }\n",
    );
    let errors = text(&yaml).expect_err("a number is no section");
    let paths: Vec<&str> = errors
        .problems
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(paths, ["Butler.slackNotification.serviceStopped"]);
    let native = text("a: &a { b: 1 }\nhosts: []\nx: { <<: *a }\n").expect_err("not here");
    assert!(native.to_string().contains("merge keys"), "{native}");
    let wrong = text(&around("  x: { <<: 5 }\n")).expect_err("no mapping");
    assert!(
        wrong
            .to_string()
            .contains("3:12: Butler.x.`<<`: a merge key"),
        "{wrong}"
    );
}

#[test]
fn without_an_account_it_is_said_what_to_write() {
    let yaml = "Butler:\n  serviceMonitor:\n    enable: true\n    monitor: [{ host: srv01, services: [{ name: Spooler, friendlyName: x }] }]\n";
    let with_accounts = LoadOptions {
        look: false,
        accounts: true,
    };
    let errors = load_text(yaml.as_bytes(), Path::new("butler.yaml"), with_accounts)
        .expect_err("an account is wanted");
    let told = errors.to_string();
    for part in [
        "butler.yaml:4:23: Butler.serviceMonitor.monitor[0].host",
        "credentials:\n",
        "defaults: { credentials: butler }",
        "-c butler.yaml -c svcwatch.yaml",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!errors.notes.differences.is_empty());
    let folder = tempfile::tempdir().expect("a folder");
    let [butler, native] = ["butler.yaml", "svcwatch.yaml"].map(|name| folder.path().join(name));
    std::fs::write(&butler, yaml).expect("it can be written");
    let beside = "credentials: { ops: { user: u, password: { env: PATH } } }\ndefaults: { settle: 2s, boot_grace: 5m }\nhosts: [{ name: SRV01, address: 127.0.0.1, port: 4490, encryption: off }]\n";
    std::fs::write(&native, beside).expect("it can be written");
    for files in [[&butler, &native], [&native, &butler]] {
        let files = files.map(Clone::clone);
        let config = load(&files, LoadOptions::default()).expect("all is there");
        let connection = config.connections.values().next().expect("one host");
        assert_eq!(
            (connection.address.as_str(), connection.port),
            ("127.0.0.1", 4490)
        );
        assert!(
            connection.credentials.is_some(),
            "the only account is meant"
        );
        assert_eq!(config.core.hosts.len(), 1);
        assert_eq!(
            config.core.hosts[0].settle.0, 2_000,
            "the native file counts more"
        );
        assert_eq!(config.core.hosts[0].services.len(), 1);
    }
}

/// Values that stand in the place of others, for files that nobody wrote.
fn other_values(original: &Json) -> Vec<Json> {
    match original {
        Json::Bool(_) => vec![json!(true), json!(false)],
        Json::Number(_) => [0, 1, 2, 3, 25, 90, 300]
            .map(|number| json!(number))
            .to_vec(),
        Json::String(_) => [
            "basic",
            "Formatted",
            "GET",
            " post",
            "low",
            "Ops <ops@corp.example>",
            "https://host.example/in?a=1&b='2'",
            "every 5 minutes on mon-fri",
            "host.example",
            "it's \"{{host}}\": # - &x *y",
            "off",
            "1.5",
            "two\nlines",
            "",
        ]
        .map(|text| json!(text))
        .to_vec(),
        Json::Array(_) => vec![json!([]), Json::Null],
        Json::Object(_) | Json::Null => Vec::new(),
    }
}

/// A file and its native form mean the same, whatever stands in the file.
#[test]
fn any_file_and_its_native_form_have_the_same_plan() {
    use proptest::{
        sample::Index,
        strategy::{Strategy, ValueTree},
        test_runner::TestRunner,
    };
    let full = full();
    let mut found = Vec::new();
    places(&full, "", "", &mut found);
    let changes = proptest::collection::vec(
        (
            proptest::prelude::any::<Index>(),
            proptest::prelude::any::<Index>(),
            0..4,
        ),
        0..8,
    );
    let mut runner = TestRunner::deterministic();
    let mut compared = 0;
    for _ in 0..400 {
        let changes = changes.new_tree(&mut runner).expect("changes").current();
        let mut changed = full.clone();
        for (place, value, how) in changes {
            let (pointer, _) = place.get(&found);
            let Some(node) = changed.pointer_mut(pointer) else {
                continue;
            };
            let values = other_values(node);
            if how > 0 && !values.is_empty() {
                *node = value.get(&values).clone();
            } else if let Some((parent, key)) = pointer.rsplit_once('/')
                && let Some(Json::Object(entries)) = changed.pointer_mut(parent)
                && parent.len() > "/Butler".len()
            {
                entries.remove(key);
            }
        }
        let yaml = serde_json::to_string_pretty(&changed).expect("it is JSON");
        let Ok(direct) = text(&yaml) else { continue };
        let mut problems = Problems::new(&[]);
        let root = parse::parse(yaml.as_bytes(), 0, &mut problems).expect("it was read before");
        let translated = super::translate(&root, &mut problems, false);
        let native = translated.text(Path::new("butler.yaml"), &problems.take_notes(), true);
        let native = text(&native).unwrap_or_else(|errors| panic!("{errors}\n{native}"));
        assert_eq!(direct.core, native.core, "{yaml}");
        assert_eq!(direct.connections, native.connections, "{yaml}");
        assert_eq!(direct.destinations, native.destinations, "{yaml}");
        assert_eq!(direct.links, native.links, "{yaml}");
        compared += 1;
    }
    assert!(compared >= 100, "only {compared} files were good");
}

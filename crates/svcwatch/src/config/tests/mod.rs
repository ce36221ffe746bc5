//! Whole configs: good ones with their plans, bad ones with their messages.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;
use svcwatch_core::plan::Selector;
use svcwatch_core::rhythm::Rhythm;
use svcwatch_core::time::Span;

use super::*;

mod clusters;
mod examples;
mod idle;
mod schema;
mod selection;
mod windows;

const HEAD: &str = "credentials: { ops: { user: u, password: { env: PATH } } }\n\
                    defaults: { credentials: ops }\n\
                    destinations: { out: { type: log } }\n";

fn data(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

/// Loads with relative paths, so that messages do not depend on where the project lies.
fn load_data(path: &Path) -> Result<Config, ConfigErrors> {
    let text = fs::read(path).unwrap();
    load_text(
        &text,
        Path::new(path.file_name().unwrap()),
        LoadOptions::default(),
    )
}

fn text(text: &str) -> Result<Config, ConfigErrors> {
    load_text(
        text.as_bytes(),
        Path::new("config.yaml"),
        LoadOptions::default(),
    )
}

fn told(outcome: Result<Config, ConfigErrors>) -> String {
    outcome.map_or_else(|errors| errors.to_string(), |_| "accepted".into())
}

#[test]
fn every_bad_file_gets_exactly_its_message() {
    let accept = std::env::var_os("SVCWATCH_ACCEPT_MESSAGES").is_some();
    let files = data("config-bad");
    assert!(
        files.len() >= 40,
        "only {} bad files were found",
        files.len()
    );
    let mut wrong = String::new();
    for path in files {
        let got = format!("{}\n", told(load_data(&path)));
        let beside = path.with_extension("txt");
        if accept {
            fs::write(&beside, &got).unwrap();
        }
        let wanted = fs::read_to_string(&beside).unwrap_or_default();
        if got != wanted || got.contains("accepted") {
            writeln!(wrong, "{}\nwanted:\n{wanted}\ngot:\n{got}", path.display()).unwrap();
        }
        assert!(
            !got.contains("hunter2"),
            "{} tells a password",
            path.display()
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_good_file_gives_its_plan() {
    let files = data("config-good");
    assert!(files.len() >= 4);
    for path in files {
        let config =
            load_data(&path).unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
        let shown = format!("{config:#?}");
        assert!(
            !shown.contains("hidden") && !shown.contains("12345"),
            "{} shows a secret",
            path.display()
        );
        insta::with_settings!({
            snapshot_path => "../../../tests/data/config-good",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), shown);
        });
    }
}

#[test]
fn the_examples_load() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("svcwatch.yaml").is_file() {
            continue;
        }
        // The files of one folder belong together.
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        });
        files.sort_by_key(|path| !path.ends_with("svcwatch.yaml"));
        let config = load(
            &files,
            LoadOptions {
                look: false,
                ..LoadOptions::default()
            },
        )
        .unwrap();
        assert_eq!(config.warnings, []);
        count += 1;
    }
    assert!(count >= 2);
}

fn thousand(typo_at: usize, line: &str) -> String {
    let mut text = format!("{HEAD}hosts:\n");
    for index in 0..1_000 {
        if index == typo_at {
            text.push_str(line);
        } else {
            writeln!(text, "  - {{ name: srv{index:04}, every: 10s, services: [Spooler, {{ name: W32Time, for: 1m }}] }}").unwrap();
        }
    }
    text
}

#[test]
fn one_typo_among_a_thousand_hosts_is_the_only_problem() {
    let errors = text(&thousand(
        612,
        "  - { name: srv0612, evry: 10s, services: [Spooler] }\n",
    ))
    .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "config.yaml:617:22: hosts[612].evry: the key `evry` is not known here; did you mean `every`?\n1 problem"
    );
    assert_eq!(text(&thousand(1_000, "")).unwrap().core.hosts.len(), 1_000);
}

#[test]
fn problems_can_be_told_as_json() {
    let errors = text("hosts: 5\n").unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["problems"][0]["line"], 1);
    assert_eq!(json["problems"][0]["column"], 8);
    assert_eq!(json["problems"][0]["path"], "hosts");
    assert_eq!(json["more"], 0);
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        paths.push(path);
    }
    (folder, paths)
}

#[test]
fn later_files_are_laid_over_earlier_ones_field_by_field() {
    let base = format!(
        "{HEAD}hosts:\n  - {{ name: srv01, every: 10s, labels: {{ a: x, b: y }}, services: [Spooler, {{ name: W32Time, for: 1m }}] }}\n  - {{ name: srv02, services: [DNS] }}\n"
    );
    let over = "defaults: { timeout: 3s }\nhosts:\n  - { name: SRV01, timeout: 5s, labels: { b: z }, services: [{ name: spooler, for: 2m }, WAS] }\n  - { name: srv03, services: [Netlogon] }\n";
    let (_folder, paths) = folder(&[("a.yaml", &base), ("b.yaml", over)]);
    let config = load(&paths, LoadOptions::default()).unwrap();
    let names: Vec<&str> = config
        .core
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(names, ["SRV01", "srv02", "srv03"]);
    let first = &config.core.hosts[0];
    assert_eq!(
        (&first.every, first.timeout),
        (&Rhythm::Interval(Span::seconds(10)), Span::seconds(5))
    );
    assert_eq!(
        &*first.labels,
        [("a".into(), "x".into()), ("b".into(), "z".into())]
    );
    let services: Vec<(String, Span)> = first
        .services
        .iter()
        .map(|entry| match &entry.selector {
            Selector::Name(name) => (name.key().to_owned(), entry.for_span),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        services,
        [
            ("spooler".to_owned(), Span::minutes(2)),
            ("w32time".to_owned(), Span::minutes(1)),
            ("was".to_owned(), Span::ZERO)
        ]
    );
    assert_eq!(config.core.hosts[1].timeout, Span::seconds(3));
    assert_eq!(config.files, paths);
}

#[test]
fn a_problem_names_the_file_that_holds_it() {
    let base = format!("{HEAD}hosts: [{{ name: srv01, services: [Spooler] }}]\n");
    let (_folder, paths) = folder(&[
        ("a.yaml", &base),
        ("b.yaml", "hosts:\n  - { name: srv01, every: 0s }\n"),
    ]);
    let errors = load(&paths, LoadOptions::default()).unwrap_err();
    assert_eq!(errors.problems.len(), 1);
    assert_eq!(errors.problems[0].file, paths[1]);
    assert_eq!(
        (errors.problems[0].line, errors.problems[0].column),
        (2, 27)
    );
}

#[test]
fn files_that_are_not_there_are_named_and_hide_no_other_problem_of_reading() {
    let (folder, mut paths) = folder(&[("a.yaml", "hosts: [\n")]);
    paths.push(folder.path().join("none.yaml"));
    paths.push(folder.path().to_owned());
    let told = told(load(&paths, LoadOptions::default()));
    assert!(
        told.contains("none.yaml: the file does not exist"),
        "{told}"
    );
    assert!(told.contains("this is a folder"), "{told}");
    assert!(told.contains("a.yaml:"), "{told}");
    assert!(told.ends_with("3 problems"), "{told}");
    assert!(load(&[], LoadOptions::default()).is_err());
}

#[cfg(unix)]
#[test]
fn a_password_file_that_others_can_read_is_refused_and_relative_to_its_config() {
    use std::os::unix::fs::PermissionsExt;
    let config = "credentials: { ops: { user: u, password: { file: secrets/ops } } }\n\
                  defaults: { credentials: ops }\n\
                  destinations: { out: { type: log } }\n\
                  hosts: [{ name: srv01, services: [Spooler] }]\n";
    let (folder, paths) = folder(&[("config.yaml", config), ("secrets/ops", "hunter2\n")]);
    let secret = folder.path().join("secrets/ops");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o604)).unwrap();
    let message = told(load(&paths[..1], LoadOptions::default()));
    let wanted = format!(
        "{}:1:42: credentials.ops.password: others can read or change {shown} (mode 0604); run `chmod o= {shown}`\n1 problem",
        paths[0].display(),
        shown = secret.display()
    );
    assert_eq!(message, wanted);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let config = load(&paths[..1], LoadOptions::default()).unwrap();
    let credential = config.credentials.values().next().unwrap();
    assert_eq!(
        credential
            .password
            .as_ref()
            .unwrap()
            .read()
            .unwrap()
            .reveal(),
        "hunter2"
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let config = text(
        "credentials: { ops: { user: u, password: hunter2 } }\n\
         defaults: { credentials: ops }\n\
         hosts: [{ name: srv01 }]\n\
         groups: [{ name: web, hosts: 'web-*', services: [W3SVC] }]\n",
    )
    .unwrap();
    let mut warnings = String::new();
    for warning in &config.warnings {
        writeln!(warnings, "{warning}").unwrap();
    }
    assert!(!warnings.contains("hunter2"));
    for part in [
        "a secret stands readable",
        "none of the services",
        "no host is called like",
        "only printed on stdout",
    ] {
        assert!(warnings.contains(part), "{part} is not among\n{warnings}");
    }
    assert_eq!(config.warnings.len(), 4);
    assert_eq!(config.core.destinations.len(), 1);
}

#[test]
fn a_bomb_of_long_texts_is_refused_too() {
    let long = "x".repeat(100_000);
    let mut bomb = format!("a: &a {long}\n");
    writeln!(bomb, "b: [{}]", vec!["*a"; 10_000].join(", ")).unwrap();
    assert!(told(text(&bomb)).contains("aliases"));
}

#[test]
fn problems_without_end_are_counted() {
    let mut bad = format!("{HEAD}hosts:\n");
    for index in 0..1_500 {
        writeln!(bad, "  - {{ name: srv{index}, evry: 1s }}").unwrap();
    }
    let errors = text(&bad).unwrap_err();
    assert_eq!((errors.problems.len(), errors.more), (1_000, 500));
    assert!(errors.to_string().ends_with("and 500 more\n1500 problems"));
}

#[test]
fn ten_thousand_hosts_load_at_once() {
    // The number can be raised to measure: SVCWATCH_HOSTS=100000.
    let count = std::env::var("SVCWATCH_HOSTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    let mut yaml = format!(
        "{HEAD}groups: [{{ name: all, hosts: 'srv*', services: [W32Time, Netlogon] }}]\nhosts:\n"
    );
    for index in 0..count {
        writeln!(
            yaml,
            "- {{ name: srv{index:06}, site: s{}, services: [Spooler] }}",
            index % 50
        )
        .unwrap();
    }
    let begun = Instant::now();
    let config = text(&yaml).unwrap();
    println!(
        "{count} hosts ({} bytes) in {:?}",
        yaml.len(),
        begun.elapsed()
    );
    assert_eq!(config.core.hosts.len(), count);
    assert!(
        config
            .core
            .hosts
            .iter()
            .all(|host| host.services.len() == 3)
    );
}

#[test]
fn repeated_pieces_take_no_time_out_of_proportion() {
    let pieces = [
        "- ",
        "[",
        "[]",
        "[,",
        "{",
        "{a: ",
        "? ",
        ": ",
        "a: ",
        "a:\n",
        "&a ",
        "&a a: ",
        "*a ",
        "!",
        "!a ",
        "\"",
        "'",
        "\"\n\n",
        "|\n",
        ">\n",
        "#",
        "#\n",
        "\n",
        "\t",
        " ",
        "%a\n",
        "---\n",
        "...\n",
        "x",
        "x ",
        "x\n",
        "x: y\n",
        "x: |\n  y\n",
        "- x\n",
        "- {a: b}\n",
        "a: &a [*a]\n",
        "\u{feff}",
        "é",
    ];
    for piece in pieces {
        let text = piece.repeat(160_000 / piece.len());
        let begun = Instant::now();
        for before in ["", "a: ", "hosts: ["] {
            parse_any(format!("{before}{text}").as_bytes());
        }
        // It takes a fraction of a second; work that grows with the square of the length would take minutes.
        assert!(
            begun.elapsed().as_secs() < 20,
            "{piece:?} took {:?}",
            begun.elapsed()
        );
    }
}

fn all_texts() -> Vec<Vec<u8>> {
    let files = [data("config-good"), data("config-bad")].concat();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

proptest! {
    #[test]
    fn random_bytes_are_a_config_or_have_a_problem(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        parse_any(&bytes);
    }

    #[test]
    fn random_yaml_is_a_config_or_has_a_problem(text in "[-a-c:, \\[\\]{}&*!|>'\"%@?#\n\t0.]{0,60}") {
        parse_any(text.as_bytes());
    }

    #[test]
    fn mutated_files_are_a_config_or_have_a_problem(
        which in 0_usize..100,
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[-a-z:, \\[\\]{}&*!|>'\"\n\t0-9]{0,4}"), 1..6),
    ) {
        let texts = all_texts();
        let mut bytes = texts[which % texts.len()].clone();
        for (at, length, put) in cuts {
            let start = at.index(bytes.len().max(1)).min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, put.bytes());
        }
        parse_any(&bytes);
    }
}

#[test]
fn texts_that_once_were_hard_are_still_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config-any");
    let mut texts = 0;
    for entry in fs::read_dir(&folder).expect("the folder of hard texts") {
        let path = entry.expect("a hard text").path();
        parse_any(&fs::read(&path).expect("a hard text can be read"));
        texts += 1;
    }
    assert!(texts > 0, "{} is empty", folder.display());
}

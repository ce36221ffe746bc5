//! The examples of the pages are good.

use std::fs;
use std::path::Path;

use super::super::{Config, LoadOptions, load_text};
use svcwatch_core::id::Name;

/// The examples of a page.
fn examples(page: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(page)).unwrap();
    text.split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

/// An example as a config, whose files need not be there.
fn load(example: &str) -> Config {
    let options = LoadOptions {
        look: false,
        ..LoadOptions::default()
    };
    let loaded = load_text(example.as_bytes(), Path::new("example.yaml"), options);
    let config = loaded.unwrap_or_else(|errors| panic!("{example}\n{errors}"));
    assert_eq!(config.warnings, [], "{example}");
    config
}

#[test]
fn the_examples_of_logons_are_good() {
    let examples = examples("docs/logons.md");
    assert_eq!(examples.len(), 4);
    for example in examples {
        load(&example);
    }
}

#[test]
fn the_example_of_an_account_that_acts_is_good_and_it_acts_where_the_page_says() {
    let examples = examples("docs/remedy.md");
    let [example, plans] = &examples[..] else {
        panic!("{examples:?}");
    };
    let hosts = load(plans).core.hosts;
    let asked = hosts.iter().map(|host| {
        let remedies = host.services.iter().filter_map(|entry| {
            let remedy = entry.remedy.as_ref()?;
            assert!(remedy.may_act);
            Some(remedy.plan.name.to_string())
        });
        remedies.collect::<Vec<String>>().join(" ")
    });
    assert_eq!(asked.collect::<Vec<String>>(), ["restart gently", "gently"]);
    let config = load(example);
    let acting = |host: &str| {
        let connection = &config.connections[&Name::new(host)];
        connection
            .acting
            .as_ref()
            .map(|acting| acting.account.clone())
    };
    assert_eq!(acting("srv01"), Some(Name::new("hands")));
    assert_eq!(acting("web-1"), Some(Name::new("hands")));
    assert_eq!(acting("sql-1"), None);
}

#[test]
fn the_examples_of_estates_are_good() {
    let examples = examples("docs/estate.md");
    assert!(examples.len() >= 4, "{}", examples.len());
    for example in examples {
        load(&example);
    }
}

#[test]
fn the_examples_of_a_guarded_svcwatch_and_of_probes_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let (mut configs, mut guards) = (0, 0);
    for example in examples("docs/prometheus.md") {
        if example.contains("basic_auth_users:") {
            guards += 1;
            let path = folder.path().join("web.yaml");
            fs::write(&path, &example).unwrap();
            let guard = crate::config::load_web_config(&path).unwrap();
            assert!(guard.guards() && guard.tls.is_some());
        } else if example.lines().any(|line| line.starts_with("credentials:")) {
            configs += 1;
            let config = load(&example);
            let lets_in = !config.guests.allow.is_empty();
            assert!(config.web_config.is_some() || config.modules.len() == 2 || lets_in);
        }
    }
    assert_eq!((configs, guards), (3, 1));
}

#[test]
fn the_example_of_prometheus_is_good() {
    let page = include_str!("../../../../../docs/prometheus.md");
    let example = page
        .split("   ```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("   ```").next())
        .expect("an example");
    assert!(example.contains("hosts:"), "{example}");
    let lines: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix("   ").unwrap_or(line))
        .collect();
    load(&lines.join("\n"));
}

#[test]
fn the_examples_of_runbooks_are_good() {
    let examples = examples("docs/runbooks.md");
    assert_eq!(examples.len(), 1);
    for example in examples {
        load(&example);
    }
}

#[test]
fn the_examples_of_destinations_are_good() {
    let examples = examples("docs/destinations.md");
    assert!(examples.len() >= 6, "{}", examples.len());
    for example in examples {
        load(&format!(
            "credentials: {{ ops: {{ user: u, password: {{ env: PATH }} }} }}\ndefaults: {{ credentials: ops }}\nhosts: [{{ name: srv01, services: [Spooler] }}]\n{example}"
        ));
    }
}

#[test]
fn the_example_of_evidence_is_good() {
    let examples = examples("docs/evidence.md");
    assert_eq!(examples.len(), 1);
    let config = load(&examples[0]);
    let plan = config.core.evidence.expect("evidence is gathered");
    assert_eq!(plan.log, svcwatch_core::evidence::LogUse::Tell);
}

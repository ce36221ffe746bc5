//! Accounts, and which of them reads a host that names none.

use std::collections::BTreeMap;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::plan::Labels;

use super::Build;
use super::fields::{Fields, patterns};
use crate::config::settings::Credential;
use crate::config::tables::CREDENTIAL;
use crate::config::tree::{Entry, Node};

/// The most patterns that all accounts together may choose hosts by: each is held against each host.
const PATTERNS: usize = 1_000;

/// By what an account chooses the hosts that name none.
#[derive(Debug)]
struct Choice {
    account: Name,
    /// Any of these is its name; empty where the name does not matter.
    hosts: Vec<Glob>,
    /// All of these are among its labels, each with any of these values.
    labels: Vec<(String, Vec<Glob>)>,
}

/// The accounts that choose hosts, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Choices(Vec<Choice>);

impl Choices {
    /// The first account that chooses this host.
    pub(super) fn of(&self, host: &str, labels: &Labels) -> Option<&Name> {
        let named = |choice: &Choice| {
            choice.hosts.is_empty() || choice.hosts.iter().any(|glob| glob.matches(host))
        };
        let labelled = |choice: &Choice| {
            choice.labels.iter().all(|(name, values)| {
                labels.iter().any(|(known, value)| {
                    known == name && values.iter().any(|glob| glob.matches(value))
                })
            })
        };
        let mut fitting = self
            .0
            .iter()
            .filter(|choice| named(choice) && labelled(choice));
        fitting.next().map(|choice| &choice.account)
    }
}

/// Reads all accounts.
pub(super) fn read(build: &mut Build<'_>) -> (BTreeMap<Name, Credential>, Choices) {
    let entries = build
        .root
        .get("credentials")
        .and_then(Node::entries)
        .unwrap_or_default();
    let mut all = BTreeMap::new();
    let mut choices = Choices::default();
    let mut count = 0;
    for entry in entries {
        let name = Name::new(&entry.key);
        build.accounts.insert(name.key().to_owned(), name.clone());
        if let Some(choice) = choice(&name, entry) {
            count +=
                choice.hosts.len() + choice.labels.iter().map(|one| one.1.len()).sum::<usize>();
            if count > PATTERNS {
                build.error(
                    entry.key_at,
                    &format!("credentials.{}", entry.key),
                    format!("the accounts choose hosts by more than {PATTERNS} patterns"),
                    "write wider patterns, or `credentials:` on the hosts",
                );
                break;
            }
            choices.0.push(choice);
        }
        if let Some(credential) = credential(build, entry) {
            all.insert(name, credential);
        }
    }
    (all, choices)
}

fn choice(account: &Name, entry: &Entry) -> Option<Choice> {
    let fields = Fields::new(Some(&entry.value), &CREDENTIAL);
    let labels = fields.get("labels").and_then(Node::entries);
    let choice = Choice {
        account: account.clone(),
        hosts: fields.patterns("hosts"),
        labels: labels
            .unwrap_or_default()
            .iter()
            .map(|label| (label.key.to_string(), patterns(&label.value)))
            .collect(),
    };
    (!choice.hosts.is_empty() || !choice.labels.is_empty()).then_some(choice)
}

fn credential(build: &mut Build<'_>, entry: &Entry) -> Option<Credential> {
    let fields = Fields::new(Some(&entry.value), &CREDENTIAL);
    let mut secret = |key: &str| {
        let path = format!("credentials.{}.{key}", entry.key);
        fields
            .get(key)
            .and_then(|node| build.secret(node, &path, true))
    };
    let (password, previous) = (secret("password"), secret("previous"));
    Some(Credential {
        user: fields.text("user")?.to_owned(),
        password: password?,
        previous,
    })
}

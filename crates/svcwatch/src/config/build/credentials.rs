//! Accounts, and which of them reads a host that names none.

use std::collections::BTreeMap;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::plan::{HostPlan, Labels};

use super::Build;
use super::fields::{Fields, one_or_many, patterns};
use crate::config::problem::{Position, quoted};
use crate::config::settings::{Auth, Credential, TicketFile};
use crate::config::tables::CREDENTIAL;
use crate::config::tree::{Entry, Node};

/// The most patterns that all accounts together may choose hosts by: each is held against each host.
const PATTERNS: usize = 1_000;

/// By what an account chooses the hosts that name none.
#[derive(Debug)]
struct Choice {
    account: Name,
    at: Position,
    /// Any of these is its name; empty where the name does not matter.
    hosts: Vec<Glob>,
    /// All of these are among its labels, each with any of these values.
    labels: Vec<(String, Vec<Glob>)>,
}

impl Choice {
    fn takes(&self, host: &str, labels: &Labels) -> bool {
        let named = || self.hosts.is_empty() || self.hosts.iter().any(|glob| glob.matches(host));
        let labelled = || {
            self.labels.iter().all(|(name, values)| {
                labels.iter().any(|(known, value)| {
                    known == name && values.iter().any(|glob| glob.matches(value))
                })
            })
        };
        named() && labelled()
    }
}

/// The accounts that choose hosts, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Choices {
    reading: Vec<Choice>,
    acting: Vec<Choice>,
}

impl Choices {
    /// The first account that chooses this host to read it.
    pub(super) fn of(&self, host: &str, labels: &Labels) -> Option<&Name> {
        Self::first(&self.reading, host, labels)
    }

    /// The first account that may act on this host.
    pub(super) fn acting_on(&self, host: &str, labels: &Labels) -> Option<&Name> {
        Self::first(&self.acting, host, labels)
    }

    /// Warns of accounts that may act on none of these hosts.
    pub(super) fn tell_idle(&self, build: &mut Build<'_>, hosts: &[HostPlan]) {
        if hosts.is_empty() {
            return;
        }
        for choice in &self.acting {
            let takes = |host: &HostPlan| choice.takes(host.name.as_str(), &host.labels);
            if !hosts.iter().any(takes) {
                let name = choice.account.as_str();
                build.warn(
                    choice.at,
                    &format!("credentials.{name}"),
                    format!(
                        "the account {} may act on no host that is watched",
                        quoted(name)
                    ),
                    "look at its `hosts` and `labels`, and at the names of the hosts",
                );
            }
        }
    }

    fn first<'a>(choices: &'a [Choice], host: &str, labels: &Labels) -> Option<&'a Name> {
        let mut fitting = choices.iter().filter(|choice| choice.takes(host, labels));
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
        let acting = Fields::new(Some(&entry.value), &CREDENTIAL).switch("acting");
        let accounts = if acting {
            &mut build.acting_accounts
        } else {
            &mut build.accounts
        };
        accounts.insert(name.key().to_owned(), name.clone());
        if let Some(choice) = choice(&name, entry, acting) {
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
            if acting {
                choices.acting.push(choice);
            } else {
                choices.reading.push(choice);
            }
        }
        if let Some(credential) = credential(build, entry) {
            all.insert(name, credential);
        }
    }
    (all, choices)
}

/// By what an account chooses hosts. One that reads chooses none where it says nothing; one that acts may then act on all.
fn choice(account: &Name, entry: &Entry, acting: bool) -> Option<Choice> {
    let fields = Fields::new(Some(&entry.value), &CREDENTIAL);
    let labels = fields.get("labels").and_then(Node::entries);
    let choice = Choice {
        account: account.clone(),
        at: entry.key_at,
        hosts: fields.patterns("hosts"),
        labels: labels
            .unwrap_or_default()
            .iter()
            .map(|label| (label.key.to_string(), patterns(&label.value)))
            .collect(),
    };
    (acting || !choice.hosts.is_empty() || !choice.labels.is_empty()).then_some(choice)
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
    let file = ticket_file(build, entry, fields);
    complete(build, entry, fields);
    Some(Credential {
        user: fields.text("user")?.to_owned(),
        password,
        previous,
        realm: fields.text("realm").map(str::to_uppercase),
        file,
        kdc: fields
            .get("kdc")
            .map(|node| one_or_many(node).map(|(_, text)| text.to_owned()).collect())
            .unwrap_or_default(),
        acting: fields.switch("acting"),
    })
}

/// Tells an account that has nothing to log on with.
fn complete(build: &mut Build<'_>, entry: &Entry, fields: Fields<'_>) {
    let path = format!("credentials.{}", entry.key);
    let has = |key| fields.get(key).is_some();
    if !has("password") && !has("keytab") && !has("ccache") && entry.value.entries().is_some() {
        build.error(
            entry.value.at,
            &path,
            "there is nothing to log on with",
            "write `password: …`, or for Kerberos `keytab: PATH` or `ccache: PATH`",
        );
    }
    if let Some(node) = fields.get("previous").filter(|_| !has("password")) {
        build.error(
            node.at,
            &format!("{path}.previous"),
            "there is no password that this one would come before",
            "write `password: …`, or remove this",
        );
    }
}

/// A keytab or ticket cache; told at once if it cannot be used.
fn ticket_file(build: &mut Build<'_>, entry: &Entry, fields: Fields<'_>) -> Option<TicketFile> {
    let (node, key, file) = match (fields.get("keytab"), fields.get("ccache")) {
        (None, None) => return None,
        (Some(node), None) => (node, "keytab", TicketFile::Keytab(build.path(node)?)),
        (None, Some(node)) => (node, "ccache", TicketFile::Cache(build.path(node)?)),
        (Some(_), Some(node)) => {
            build.error(
                node.at,
                &format!("credentials.{}.ccache", entry.key),
                "both a keytab and a ticket cache are written",
                "write one of them",
            );
            return None;
        }
    };
    if build.look
        && let Err(error) = file.read()
    {
        let path = format!("credentials.{}.{key}", entry.key);
        build.error(node.at, &path, error.what, error.instead);
    }
    Some(file)
}

impl Credential {
    /// Whether what Kerberos needs is at hand without a guess.
    const fn has_realm(&self) -> bool {
        self.realm.is_some() || self.file.is_some()
    }
}

/// By what a host is logged on to, or what stands against what is written and what to write instead.
pub(in crate::config) fn auth(
    wanted: &str,
    host: &str,
    account: &Credential,
) -> Result<Auth, (&'static str, &'static str)> {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let against = if is_address {
        Some("its name is an IP address")
    } else if !host.contains('.') {
        Some("its name is not fully qualified")
    } else if !account.has_realm() {
        Some("its account names no realm, keytab or ticket cache")
    } else {
        None
    };
    let has_password = account.password.is_some();
    match (wanted, against) {
        ("kerberos", _) if is_address => Err((
            "Kerberos knows hosts by their names, and this one's is an IP address",
            "write its name in the domain as `name:` and the address as `address:`, or `auth: ntlm`",
        )),
        ("kerberos", _) if !account.has_realm() && !account.user.contains('@') => Err((
            "nothing says which realm of Kerberos its account belongs to",
            "write `realm: CORP.EXAMPLE` under the account",
        )),
        ("ntlm", _) if !has_password => Err((
            "NTLM needs a password, and its account has none",
            "write `password: …` under the account, or `auth: kerberos`",
        )),
        ("ntlm", _) => Ok(Auth::Ntlm),
        ("kerberos", _) | (_, None) => Ok(Auth::Kerberos(host.to_owned())),
        (_, Some(_)) if !has_password => Err((
            "its account has no password, and Kerberos wants the full name of a host",
            "write its full name as `name:`, such as srv01.corp.example; or `auth: kerberos` if the domain knows it by this one",
        )),
        (_, Some(against)) => Ok(Auth::NoKerberos(against)),
    }
}

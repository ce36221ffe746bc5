//! Hosts, their services, and the groups that give them more.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::notice::Severity;
use svcwatch_core::observe::StartType;
use svcwatch_core::plan::{EntryPlan, Expect, HostPlan, Labels, Selector};

use super::Build;
use super::fields::Fields;
use crate::config::near::nearest;
use crate::config::problem::{Position, quoted};
use crate::config::settings::{Connection, Encryption, Transport};
use crate::config::tables::{DEFAULTS, HOST, SERVICE};
use crate::config::text;
use crate::config::tree::Node;

/// The groups, ready to be asked for a host.
pub(super) struct Groups {
    services: Vec<Vec<EntryPlan>>,
    exact: HashMap<String, Vec<usize>>,
    patterns: Vec<(Glob, usize)>,
}

impl Groups {
    /// Reads `groups` and tells which of their hosts nobody has.
    pub(super) fn read(build: &mut Build<'_>, hosts: &[Node]) -> Self {
        let mut groups = Self {
            services: Vec::new(),
            exact: HashMap::new(),
            patterns: Vec::new(),
        };
        let names: Vec<&str> = hosts
            .iter()
            .filter_map(|host| Some(&*host.get("name")?.scalar()?.text))
            .collect();
        let keys: HashMap<String, ()> =
            names.iter().map(|name| (name.to_lowercase(), ())).collect();
        let nodes = build
            .root
            .get("groups")
            .and_then(Node::items)
            .unwrap_or_default();
        for (index, node) in nodes.iter().enumerate() {
            groups
                .services
                .push(entries(node, &Labels::default(), false));
            let Some(members) = node.get("hosts") else {
                continue;
            };
            for (member, text) in super::fields::one_or_many(members) {
                let path = format!("groups[{index}].hosts");
                if Glob::is_pattern(text) {
                    let glob = Glob::new(text);
                    if !names.iter().any(|name| glob.matches(name)) {
                        build.warn(
                            member.at,
                            &path,
                            format!("no host is called like {}", quoted(text)),
                            "",
                        );
                    }
                    groups.patterns.push((glob, index));
                } else {
                    if !keys.contains_key(&text.to_lowercase()) {
                        unknown(build, member.at, &path, "host", text, &names);
                    }
                    groups
                        .exact
                        .entry(text.to_lowercase())
                        .or_default()
                        .push(index);
                }
            }
        }
        groups
    }

    /// The services that groups give a host, in the order of the groups.
    fn of(&self, host: &str) -> Vec<&EntryPlan> {
        let mut indexes: Vec<usize> = self
            .exact
            .get(&host.to_lowercase())
            .cloned()
            .unwrap_or_default();
        indexes.extend(
            self.patterns
                .iter()
                .filter(|(glob, _)| glob.matches(host))
                .map(|(_, index)| *index),
        );
        indexes.sort_unstable();
        indexes.dedup();
        indexes
            .iter()
            .filter_map(|index| self.services.get(*index))
            .flatten()
            .collect()
    }
}

/// Tells that a name means nothing, with the nearest that does.
pub(super) fn unknown(
    build: &mut Build<'_>,
    at: Position,
    path: &str,
    what: &str,
    name: &str,
    known: &[&str],
) {
    let instead = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("none is configured; write one under `{what}s`"),
        None if known.len() <= 8 => format!("there are {}", known.join(", ")),
        None => format!("write the name of one under `{what}s`"),
    };
    let what = if what == "credential" {
        "account"
    } else {
        what
    };
    build.error(
        at,
        path,
        format!("no {what} is called {}", quoted(name)),
        instead,
    );
}

/// Hosts that name no account, told as one.
#[derive(Default)]
struct Accountless {
    count: usize,
    first: Option<(Position, String, String)>,
}

/// Reads all hosts.
pub(super) fn read(build: &mut Build<'_>) -> (Vec<HostPlan>, BTreeMap<Name, Connection>) {
    let nodes = build
        .root
        .get("hosts")
        .and_then(Node::items)
        .unwrap_or_default();
    let groups = Groups::read(build, nodes);
    let defaults = build.root.get("defaults");
    let shared = Fields::new(defaults, &DEFAULTS);
    let shared_labels = sorted(shared.labels("labels"));
    check_account(build, defaults, "defaults");
    let accounts: HashMap<String, Name> = build
        .accounts
        .iter()
        .map(|name| (name.key().to_owned(), name.clone()))
        .collect();
    let mut plans = Vec::with_capacity(nodes.len());
    let mut connections = BTreeMap::new();
    let mut accountless = Accountless::default();
    for (index, node) in nodes.iter().enumerate() {
        let fields = Fields::new(Some(node), &HOST).over(defaults);
        let Some(shown) = fields_name(node) else {
            continue;
        };
        let path = format!("hosts[{index}]");
        check_account(build, Some(node), &path);
        let name = Name::new(shown);
        let account = fields
            .text("credentials")
            .and_then(|text| accounts.get(&text.to_lowercase()))
            .cloned();
        if fields.get("credentials").is_none() {
            accountless.count += 1;
            accountless
                .first
                .get_or_insert_with(|| (node.at, path.clone(), shown.to_owned()));
        }
        let address = address(build, node, shown, &path);
        let labels = labels_of(node, &shared_labels);
        let mut services = entries(node, &Labels::default(), true);
        services.extend(groups.of(shown).into_iter().cloned());
        services.sort_by_key(|entry| precedence(&entry.selector));
        if services.is_empty() {
            build.warn(
                node.at,
                &path,
                format!("none of the services of {} is watched", quoted(shown)),
                "write them under `services`, or make it a member of a group",
            );
        }
        connections.insert(
            name.clone(),
            Connection {
                address: address.clone(),
                port: fields.whole("port").unwrap_or(445),
                credentials: account.clone(),
                encryption: match fields.word("encryption") {
                    "off" => Encryption::Off,
                    "preferred" => Encryption::Preferred,
                    _ => Encryption::Required,
                },
                transport: Transport::Rpc,
                timeout: fields.duration("timeout"),
            },
        );
        plans.push(HostPlan {
            name,
            address,
            site: fields.text("site").map(|site| build.shared(site)),
            account,
            every: fields.duration("every"),
            timeout: fields.duration("timeout"),
            host_for: fields.duration("host_for"),
            settle: fields.duration("settle"),
            also_known_as: fields.patterns("also_known_as"),
            labels,
            services,
        });
    }
    accountless.tell(build);
    (plans, connections)
}

impl Accountless {
    fn tell(self, build: &mut Build<'_>) {
        let Some((at, path, name)) = self.first else {
            return;
        };
        let what = match self.count {
            1 => format!(
                "the host {} names no account to read it with",
                quoted(&name)
            ),
            count => format!(
                "{count} hosts, of which {} is the first, name no account to read them with",
                quoted(&name)
            ),
        };
        let instead = if build.accounts.is_empty() {
            "write one under `credentials:`, and its name as `credentials:` on the host or under `defaults`"
        } else {
            "write its name as `credentials:` on the host or under `defaults`"
        };
        build.error(at, &path, what, instead);
    }
}

fn fields_name(node: &Node) -> Option<&str> {
    Some(&*node.get("name")?.scalar()?.text)
}

fn check_account(build: &mut Build<'_>, node: Option<&Node>, path: &str) {
    let Some(value) = node.and_then(|node| node.get("credentials")) else {
        return;
    };
    let Some(scalar) = value.scalar() else { return };
    if build
        .accounts
        .iter()
        .any(|name| name.key() == scalar.text.to_lowercase())
    {
        return;
    }
    let known: Vec<String> = build
        .accounts
        .iter()
        .map(|name| name.as_str().to_owned())
        .collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    unknown(
        build,
        value.at,
        &format!("{path}.credentials"),
        "credential",
        &scalar.text,
        &known,
    );
}

/// The address, which is the name where none is written.
fn address(build: &mut Build<'_>, node: &Node, name: &str, path: &str) -> String {
    if let Some(address) = node.get("address").and_then(Node::scalar) {
        return address.text.to_string();
    }
    if text::Form::Name.check(name).is_ok() && text::address(name).is_err() {
        build.error(
            node.get("name").map_or(node.at, |name| name.at),
            &format!("{path}.name"),
            format!(
                "the host {} has no address, and its name is none",
                quoted(name)
            ),
            "write `address:` with its host name or IP address",
        );
    }
    name.to_owned()
}

fn labels_of(node: &Node, shared: &Labels) -> Labels {
    let own = Fields::new(Some(node), &HOST).labels("labels");
    if own.is_empty() {
        return Arc::clone(shared);
    }
    let mut all: BTreeMap<String, String> = shared.iter().cloned().collect();
    all.extend(own);
    all.into_iter().collect()
}

fn sorted(labels: Vec<(String, String)>) -> Labels {
    let all: BTreeMap<String, String> = labels.into_iter().collect();
    all.into_iter().collect()
}

/// The entries of `services` of a host or a group.
fn entries(node: &Node, none: &Labels, on_host: bool) -> Vec<EntryPlan> {
    let items = node
        .get("services")
        .and_then(Node::items)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(|item| entry(item, none, on_host))
        .collect()
}

fn entry(node: &Node, none: &Labels, on_host: bool) -> Option<EntryPlan> {
    let mapping = node.entries().map(|_| node);
    let fields = Fields::new(mapping, &SERVICE);
    let selector = match node.scalar() {
        Some(scalar) => by_name(&scalar.text),
        None => selector(&fields)?,
    };
    let labels = fields.labels("labels");
    Some(EntryPlan {
        required: on_host && selector.is_named(),
        selector,
        expect: Expect::parse(fields.word("expect")).unwrap_or(Expect::Running),
        for_span: fields.duration("for"),
        confirm: fields.whole("confirm").unwrap_or(1),
        friendly_name: fields.text("friendly_name").map(Arc::from),
        severity: fields.text("severity").and_then(Severity::parse),
        labels: if labels.is_empty() {
            Arc::clone(none)
        } else {
            sorted(labels)
        },
    })
}

fn selector(fields: &Fields<'_>) -> Option<Selector> {
    if let Some(name) = fields.text("name") {
        return Some(by_name(name));
    }
    if let Some(name) = fields.text("display_name") {
        return Some(Selector::DisplayName(Glob::new(name)));
    }
    fields
        .text("start")
        .and_then(StartType::parse)
        .map(Selector::Start)
}

fn by_name(text: &str) -> Selector {
    if Glob::is_pattern(text) {
        Selector::NameGlob(Glob::new(text))
    } else {
        Selector::Name(Name::new(text))
    }
}

/// Exact key names come first, then display names, patterns and start types.
fn precedence(selector: &Selector) -> u8 {
    match selector {
        Selector::Name(_) => 0,
        Selector::DisplayName(glob) if !Glob::is_pattern(glob.as_str()) => 1,
        Selector::DisplayName(_) | Selector::NameGlob(_) => 2,
        Selector::Start(_) => 3,
    }
}

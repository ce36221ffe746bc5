//! Hosts and their services.

use std::collections::BTreeMap;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::{EntryPlan, GroupPlan, HostPlan, Labels};
use svcwatch_core::rhythm::Rhythm;
use svcwatch_core::time::Span;

use super::clusters::settle;
use super::credentials::{Choices, auth};
use super::fields::Fields;
use super::groups::Groups;
use super::services::{entries, precedence, sorted};
use super::{Build, remedies};
use crate::config::butler::account_wanted;
use crate::config::problem::{Position, quoted};
use crate::config::settings::{Acting, Auth, Connection, Credential, Encryption, Transport};
use crate::config::tables::{DEFAULTS, HOST};
use crate::config::text;
use crate::config::tree::Node;
use crate::os;

/// The most entries of services that one host may have, those of its groups included.
const ENTRIES_OF_HOST: usize = 2_000;
/// The most entries of services that all hosts together may have, those of their groups included.
const ENTRIES: usize = 2_000_000;

/// How often a computer is read that tells of changes by itself, unless the configuration says otherwise.
const EVERY_WHERE_HEARD: Span = Span::minutes(5);

/// Hosts that name no account, told as one.
#[derive(Default)]
struct Accountless {
    count: usize,
    first: Option<(Position, String, String)>,
}

/// Reads all hosts.
pub(super) fn read(
    build: &mut Build<'_>,
    (credentials, choices): (&BTreeMap<Name, Credential>, Choices),
) -> (
    Vec<HostPlan>,
    BTreeMap<Name, Connection>,
    Vec<Arc<GroupPlan>>,
) {
    let nodes = build
        .root
        .get("hosts")
        .and_then(Node::items)
        .unwrap_or_default();
    let defaults = build.root.get("defaults");
    check_account(build, defaults, "defaults");
    let mut run = Run {
        groups: Groups::read(build, nodes),
        defaults,
        labels: sorted(Fields::new(defaults, &DEFAULTS).labels("labels")),
        credentials,
        choices,
        accountless: Accountless::default(),
        entries: 0,
    };
    let mut plans = Vec::with_capacity(nodes.len());
    let mut connections = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if let Some((plan, connection)) = host(build, &mut run, node, &format!("hosts[{index}]")) {
            connections.insert(plan.name.clone(), connection);
            plans.push(plan);
        }
    }
    if nodes.is_empty()
        && build
            .root
            .get("hosts")
            .is_some_and(|hosts| hosts.items().is_some())
        && build.root.get("hosts_from").is_none()
    {
        build.warn(
            build.root.at,
            "hosts",
            "the list of hosts is empty, so nothing is watched",
            "write hosts into it",
        );
    }
    run.groups.tell_unused(build);
    run.accountless.tell(build);
    run.choices.tell_idle(build, &plans);
    remedies::tell_unused(build);
    if let Some((at, path, what)) = build.remedies.powerless() {
        build.warn(
            at,
            &path,
            what,
            "write one under `credentials` with `acting: true` that is an administrator there, or let the plan be a `dry_run`",
        );
    }
    let counted = run.groups.clusters.plans(build);
    (plans, connections, counted)
}

/// What is shared while the hosts are read.
struct Run<'tree> {
    groups: Groups,
    defaults: Option<&'tree Node>,
    labels: Labels,
    credentials: &'tree BTreeMap<Name, Credential>,
    choices: Choices,
    accountless: Accountless,
    entries: usize,
}

fn host<'tree>(
    build: &mut Build<'_>,
    run: &mut Run<'tree>,
    node: &'tree Node,
    path: &str,
) -> Option<(HostPlan, Connection)> {
    let fields = Fields::new(Some(node), &HOST).over(run.defaults);
    let shown = &*node.get("name")?.scalar()?.text;
    check_account(build, Some(node), path);
    let labels = labels_of(node, &run.labels);
    let chosen = match node.get("credentials") {
        Some(_) => None,
        None => run.choices.of(shown, &labels),
    };
    let account = chosen
        .or_else(|| {
            let text = fields.text("credentials")?;
            build.accounts.get(&text.to_lowercase())
        })
        .or_else(|| the_account(build, &fields))
        .cloned();
    let address = address(build, node, shown, path);
    let (transport, account) = transport(build, node, &fields, account, path);
    // Whoever names an account that does not exist was told so already.
    let nameless = fields.get("credentials").is_none() && account.is_none();
    if nameless && transport == Transport::Rpc && build.need_accounts {
        run.accountless.note(node.at, path, shown);
    }
    let credential = account.as_ref().and_then(|name| run.credentials.get(name));
    let auth = credential.map(|credential| auth(fields.word("auth"), shown, credential));
    let auth = match auth {
        Some(Ok(auth)) => auth,
        None => Auth::Ntlm,
        Some(Err((what, instead))) => {
            build.error(node.at, path, what, instead);
            Auth::Ntlm
        }
    };
    let acting = acting(build, run, &fields, (shown, &labels), (node, path));
    let connection = Connection {
        address: address.clone(),
        port: fields.whole("port").unwrap_or(445),
        credentials: account.clone(),
        auth,
        acting: acting.filter(|_| transport == Transport::Rpc),
        encryption: encryption(&fields),
        transport,
        timeout: fields.duration("timeout"),
    };
    let tells = tells_by_itself(build, node, transport);
    let plan = HostPlan {
        name: Name::new(shown),
        address,
        site: fields.text("site").map(|site| build.shared(site)),
        account,
        every: every(build, run, node, &fields, (tells, path)),
        timeout: fields.duration("timeout"),
        host_for: fields.duration("host_for"),
        settle: fields.duration("settle"),
        boot_grace: fields.duration("boot_grace"),
        also_known_as: fields.patterns("also_known_as"),
        listed: build.problems.is_list(node.at),
        tells_by_itself: tells,
        labels,
        services: services_of(build, run, node, (shown, may_act(&connection)), path),
    };
    Some((plan, connection))
}

/// Whether SMB encryption must be in use.
pub(super) fn encryption(fields: &Fields<'_>) -> Encryption {
    match fields.word("encryption") {
        "off" => Encryption::Off,
        "preferred" => Encryption::Preferred,
        _ => Encryption::Required,
    }
}

/// Whether anybody may start and stop the services of a host.
fn may_act(connection: &Connection) -> bool {
    match connection.transport {
        Transport::Local => true,
        // By WMI services are only read.
        Transport::Wmi => false,
        Transport::Rpc | Transport::Loopback => connection.acting.is_some(),
    }
}

/// Who may start and stop the services of a host: the first account that is for acting and chooses it. How it logs on is
/// said by the host's `auth`, as for the account that reads it.
fn acting(
    build: &mut Build<'_>,
    run: &Run<'_>,
    fields: &Fields<'_>,
    (shown, labels): (&str, &Labels),
    (node, path): (&Node, &str),
) -> Option<Acting> {
    let account = run.choices.acting_on(shown, labels)?.clone();
    let credential = run.credentials.get(&account)?;
    let auth = match auth(fields.word("auth"), shown, credential) {
        Ok(auth) => auth,
        Err((what, instead)) => {
            let what = format!("the account {account}, which may act on it, cannot log on: {what}");
            build.error(node.at, path, what, instead);
            Auth::Ntlm
        }
    };
    Some(Acting { account, auth })
}

/// How a host is read, and with which account: the Windows API takes the one that svcwatch runs as.
fn transport(
    build: &mut Build<'_>,
    node: &Node,
    fields: &Fields<'_>,
    account: Option<Name>,
    path: &str,
) -> (Transport, Option<Name>) {
    match fields.word("transport") {
        "rpc" => (Transport::Rpc, account),
        word @ ("local" | "wmi") => {
            let (transport, by) = match word {
                "local" => (Transport::Local, "by the Windows API"),
                _ => (Transport::Wmi, "by WMI"),
            };
            if !cfg!(windows) {
                build.error(
                    node.at,
                    &format!("{path}.transport"),
                    format!("`{word}` reads {by}, and this is no Windows"),
                    "write `rpc`, or run svcwatch on Windows",
                );
            } else if node.get("credentials").is_some() {
                build.error(
                    node.at,
                    &format!("{path}.credentials"),
                    format!("with `transport: {word}` a host is read as the account that svcwatch runs as"),
                    "remove `credentials`, or write `transport: rpc`",
                );
            }
            (transport, None)
        }
        _ if cfg!(windows) && account.is_none() => (Transport::Local, None),
        _ => (Transport::Rpc, account),
    }
}

/// Whether it is this computer, which tells of changes by itself where it is read by the Windows API.
fn tells_by_itself(build: &Build<'_>, node: &Node, transport: Transport) -> bool {
    let address = node.get("address").or_else(|| node.get("name"));
    let own = address
        .and_then(Node::scalar)
        .is_some_and(|address| os::is_this_computer(&address.text));
    is_heard(own, transport, build.may_tell())
}

/// Whether a computer tells of changes, where that is not switched off.
fn is_heard(own: bool, transport: Transport, may_tell: bool) -> bool {
    own && transport == Transport::Local && may_tell
}

/// When a host is read. One that tells of changes by itself need not be read often.
fn every<'tree>(
    build: &mut Build<'_>,
    run: &Run<'tree>,
    node: &'tree Node,
    fields: &Fields<'tree>,
    (tells, path): (bool, &str),
) -> Rhythm {
    let given = [Some(node), run.defaults]
        .into_iter()
        .flatten()
        .any(|node| node.get("every").is_some());
    if !given && tells {
        return EVERY_WHERE_HEARD.into();
    }
    build.rhythm(fields, "every", &every_path(node, path))
}

/// The path of the rhythm that a host has: its own, or that of the defaults.
fn every_path(node: &Node, path: &str) -> String {
    let place = if node.get("every").is_some() {
        path
    } else {
        "defaults"
    };
    format!("{place}.every")
}

/// The services of a host and those that its groups give it, in the order of precedence.
fn services_of(
    build: &mut Build<'_>,
    run: &mut Run<'_>,
    node: &Node,
    (name, may_act): (&str, bool),
    path: &str,
) -> Vec<EntryPlan> {
    let mut services = entries(build, node, (&Labels::default(), true), path);
    let from_groups = run.groups.of(name);
    let count = services.len().saturating_add(from_groups.len());
    run.entries = run.entries.saturating_add(count);
    if count > ENTRIES_OF_HOST {
        let what =
            format!("with those of its groups {count} entries of services stand for this host");
        build.error(
            node.at,
            path,
            what,
            format!("write at most {ENTRIES_OF_HOST}; a pattern stands for many services"),
        );
        return Vec::new();
    }
    if run.entries > ENTRIES {
        if run.entries - count <= ENTRIES {
            let what = format!("all hosts together have more than {ENTRIES} entries of services");
            build.error(
                node.at,
                path,
                what,
                "write patterns, which stand for many services, or watch fewer hosts",
            );
        }
        return Vec::new();
    }
    if count == 0 {
        build.warn(
            node.at,
            path,
            format!("none of the services of {} is watched", quoted(name)),
            "write them under `services`, or make it a member of a group",
        );
    }
    services.extend(from_groups.into_iter().cloned());
    settle(build, (node, path, name), &mut services);
    services.sort_by_key(|entry| precedence(&entry.selector));
    if may_act {
        remedies::allow(&mut services);
    }
    let at = (node.at, path);
    build.remedies.check_host(at, &Name::new(name), &services);
    services
}

impl Accountless {
    fn note(&mut self, at: Position, path: &str, name: &str) {
        self.count = self.count.saturating_add(1);
        self.first
            .get_or_insert_with(|| (at, path.to_owned(), name.to_owned()));
    }

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
        let wanted = account_wanted(build.problems, at);
        let instead = if let Some(wanted) = wanted.as_deref().filter(|_| build.accounts.is_empty())
        {
            wanted
        } else if build.accounts.is_empty() {
            "write one under `credentials:`, and its name as `credentials:` on the host or under `defaults`"
        } else {
            "write its name as `credentials:` on the host or under `defaults`"
        };
        build.error(at, &path, what, instead);
    }
}

/// Hosts of a Butler file name no account; where there is one only, it is meant.
fn the_account<'a>(build: &'a Build<'_>, fields: &Fields<'_>) -> Option<&'a Name> {
    let mut accounts = build.accounts.values();
    let meant = fields.get("credentials").is_none() && build.problems.any_butler();
    accounts
        .next()
        .filter(|_| meant && accounts.next().is_none())
}

/// Tells an account that is named and cannot be used to read a host.
pub(super) fn check_account(build: &mut Build<'_>, node: Option<&Node>, path: &str) {
    let Some(value) = node.and_then(|node| node.get("credentials")) else {
        return;
    };
    let Some(scalar) = value.scalar() else { return };
    if build
        .acting_accounts
        .contains_key(&scalar.text.to_lowercase())
    {
        build.error(
            value.at,
            &format!("{path}.credentials"),
            format!(
                "the account {} is for acting alone (`acting: true`), so no host is read with it",
                scalar.text
            ),
            "name another account here; which hosts it may act on is said by `hosts:` under the account",
        );
    } else if !build.accounts.contains_key(&scalar.text.to_lowercase()) {
        let known: Vec<String> = build
            .accounts
            .values()
            .map(|name| name.as_str().to_owned())
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        build.unknown(
            value.at,
            &format!("{path}.credentials"),
            "account",
            &scalar.text,
            &known,
        );
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_alone_tells_and_is_read_each_five_minutes() {
        assert!(is_heard(true, Transport::Local, true));
        assert!(!is_heard(true, Transport::Local, false), "switched off");
        assert!(!is_heard(false, Transport::Local, true), "another one");
        // Nothing of it is heard by these, though it is the same computer.
        for transport in [Transport::Rpc, Transport::Wmi, Transport::Loopback] {
            assert!(!is_heard(true, transport, true), "{transport:?}");
        }
        assert_eq!(EVERY_WHERE_HEARD, Span::minutes(5));
    }
}

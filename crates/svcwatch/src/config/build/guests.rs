//! `probe`: which services /probe gives, and who may be read without being watched.

use std::collections::BTreeMap;

use svcwatch_core::glob::Glob;
use svcwatch_core::guest::{Allowed, BadPattern, GuestPlan};
use svcwatch_core::id::Name;

use super::Build;
use super::fields::{Fields, one_or_many, patterns};
use super::hosts::{check_account, encryption};
use crate::config::problem::quoted;
use crate::config::settings::{
    Connection, GuestSettings, Module, Modules, Transport, usual_modules,
};
use crate::config::tables::{DEFAULTS, MODULE, PROBE};
use crate::config::text::Form;
use crate::config::tree::Node;

/// The modules of /probe; `default` is always there. One that names no account has that of the defaults.
pub(super) fn modules(build: &mut Build<'_>) -> Modules {
    let root = build.root;
    let defaults = Fields::new(root.get("defaults"), &DEFAULTS).text("credentials");
    let account = |build: &Build<'_>, text: Option<&str>| -> Option<Name> {
        build.accounts.get(&text?.to_lowercase()).cloned()
    };
    let written = root.get("probe").and_then(|probe| probe.get("modules"));
    let written = written.and_then(Node::entries).unwrap_or_default();
    let mut modules = usual_modules();
    for module in modules.values_mut() {
        module.credentials = account(build, defaults);
    }
    for entry in written {
        let fields = Fields::new(Some(&entry.value), &MODULE);
        check_account(
            build,
            Some(&entry.value),
            &format!("probe.modules.{}", entry.key),
        );
        let globs = fields.get("services").map(patterns).unwrap_or_default();
        let module = Module {
            services: if globs.is_empty() {
                vec![Glob::new("*")]
            } else {
                globs
            },
            credentials: account(build, fields.text("credentials").or(defaults)),
        };
        modules.insert(Name::new(&entry.key), module);
    }
    modules
}

/// Who may be read without being watched, and how.
pub(super) fn settings(
    build: &mut Build<'_>,
    modules: &Modules,
    connections: &BTreeMap<Name, Connection>,
) -> GuestSettings {
    let root = build.root;
    let defaults = Fields::new(root.get("defaults"), &DEFAULTS);
    let probe = Fields::new(root.get("probe"), &PROBE);
    let written = probe.get("allow");
    let allow = written.map(|node| allowed(build, node)).unwrap_or_default();
    if let Some(node) = written.filter(|_| !allow.is_empty()) {
        if let word @ ("local" | "wmi") = defaults.word("transport") {
            build.error(
                node.at,
                "probe.allow",
                format!("guests are read over SMB alone, and the defaults say `transport: {word}`"),
                "write `transport` on the hosts that are read so, and not under `defaults`",
            );
        }
        let nobody = modules.values().all(|module| module.credentials.is_none());
        if nobody && build.need_accounts {
            build.error(
                node.at,
                "probe.allow",
                "nothing says which account guests are read with",
                "write `credentials:` in a module of /probe, or under `defaults`",
            );
        }
        warn_of_shared(build, node, modules, connections);
    }
    GuestSettings {
        allow,
        port: defaults.whole("port").unwrap_or(445),
        auth: match defaults.word("auth") {
            "kerberos" => "kerberos",
            "ntlm" => "ntlm",
            _ => "auto",
        },
        encryption: encryption(&defaults),
        transport: Transport::Rpc,
        timeout: defaults.duration("timeout"),
    }
}

/// Warns where guests are read with an account that hosts are read with too: whoever can have a guest answer for them can
/// then have the account refused until it is paused for all.
fn warn_of_shared(
    build: &mut Build<'_>,
    node: &Node,
    modules: &Modules,
    connections: &BTreeMap<Name, Connection>,
) {
    let of_hosts = connections.values().map(|one| one.credentials.as_ref());
    let mut shared = modules.iter().filter_map(|(module, one)| {
        let account = one.credentials.as_ref()?;
        of_hosts
            .clone()
            .any(|of_host| of_host == Some(account))
            .then_some((module, account))
    });
    if let Some((module, account)) = shared.next() {
        build.warn(
            node.at,
            "probe.allow",
            format!(
                "the module {} reads guests with the account {}, which hosts of the config are read with too: three guests that refuse it pause it for those hosts",
                quoted(module.as_str()),
                quoted(account.as_str())
            ),
            "give guests an account of their own with rights to read and no others, and name it in `credentials` of every module, `default` too",
        );
    }
}

fn allowed(build: &mut Build<'_>, node: &Node) -> Vec<Allowed> {
    let mut allow = Vec::new();
    // What is no pattern at all was told by the walk.
    let patterns = one_or_many(node).filter(|(_, text)| Form::Pattern.check(text).is_ok());
    for (item, text) in patterns {
        match Allowed::parse(text) {
            Ok(allowed) => allow.push(allowed),
            Err(BadPattern::Wild) => build.error(
                item.at,
                "probe.allow",
                format!(
                    "{} says nothing but how many parts a name has, and lets in names as well as addresses",
                    quoted(text)
                ),
                "write what all have in common, such as `*.corp.example` or `10.0.*`, or `*` alone for everybody",
            ),
            Err(BadPattern::Nobody) => build.error(
                item.at,
                "probe.allow",
                format!(
                    "{} matches no host name and no IP address",
                    quoted(text)
                ),
                "write a pattern such as `*.corp.example` or `10.0.*`, without a port, a path or a network mask",
            ),
        }
    }
    allow
}

/// The same for the core.
pub(super) fn plan(settings: &GuestSettings, modules: &Modules) -> GuestPlan {
    let mut accounts: Vec<Name> = modules
        .values()
        .filter_map(|module| module.credentials.clone())
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    GuestPlan {
        allow: settings.allow.clone(),
        accounts,
        timeout: settings.timeout,
    }
}

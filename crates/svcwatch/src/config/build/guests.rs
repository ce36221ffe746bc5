//! `probe`: which services /probe gives, and who may be read without being watched.

use svcwatch_core::glob::Glob;
use svcwatch_core::guest::{Allowed, GuestPlan};
use svcwatch_core::id::Name;

use super::Build;
use super::fields::{Fields, one_or_many, patterns};
use super::hosts::{check_account, encryption};
use crate::config::problem::quoted;
use crate::config::settings::{GuestSettings, Module, Modules, Transport, usual_modules};
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
pub(super) fn settings(build: &mut Build<'_>, modules: &Modules) -> GuestSettings {
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

fn allowed(build: &mut Build<'_>, node: &Node) -> Vec<Allowed> {
    let mut allow = Vec::new();
    // What is no pattern at all was told by the walk.
    let patterns = one_or_many(node).filter(|(_, text)| Form::Pattern.check(text).is_ok());
    for (item, text) in patterns {
        match Allowed::parse(text) {
            Some(allowed) => allow.push(allowed),
            None => build.error(
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

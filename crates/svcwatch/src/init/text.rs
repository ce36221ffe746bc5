//! The proposal as a file, with the reason beside each line.

use std::collections::BTreeSet;

use svcwatch_core::time::Wall;

use super::{Account, As, Group, PasswordAt, Proposal, Proposed, Seen, propose};
use crate::VERSION;
use crate::dest::clean;
use crate::dest::text::moment;

/// Characters of a remark that a host wrote part of, at most.
const REMARK: usize = 300;
/// Lines of what is left out, at most.
const LEFT_OUT: usize = 2_000;
/// Hosts that a line of what is left out names.
const NAMED: usize = 3;

/// Writes the file. `seen` are all hosts that were looked at, also those that could not be read.
pub fn write(seen: &[Seen], by: &As, at: Wall) -> String {
    let proposal = propose(seen);
    let parts = [
        head(seen, by, at),
        by.account.as_ref().map_or_else(own_account, credentials),
        hosts(seen, &proposal),
        groups(seen, &proposal),
        destinations(),
        left_out(seen, &proposal),
    ];
    let mut text: String = parts.concat();
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

/// A scalar of YAML that means exactly this text.
fn word(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "on" | "off" | "yes" | "no"
        );
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn remark(text: &str) -> String {
    clean::line(text, REMARK)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn head(seen: &[Seen], by: &As, at: Wall) -> String {
    let read = seen.iter().filter(|host| host.services.is_ok()).count();
    let of = if read == seen.len() {
        String::new()
    } else {
        format!(" of {}", seen.len())
    };
    let mut lines = vec![
        format!(
            "Made by svcwatch {VERSION} at {} from what {}{of} showed.",
            moment(at),
            counted(read, "host")
        ),
        String::new(),
        "Proposed is what ran then and starts with Windows by itself, so this file raises no alarm as long as".to_owned(),
        "all stays as it was. What is left out stands at the end, each with the reason. Read it, change it, then:".to_owned(),
        String::new(),
        "  svcwatch check -c FILE --connect".to_owned(),
        "  svcwatch run -c FILE".to_owned(),
    ];
    if !by.remarks.is_empty() {
        lines.push(String::new());
        lines.extend(by.remarks.iter().map(|text| remark(text)));
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect();
    lines.concat() + "\n"
}

/// What is said where there are no credentials.
fn own_account() -> String {
    "# Hosts are read by the Windows API, as whoever runs svcwatch: `init` and `check` as you, the service as LocalSystem\n\
     # unless `svcwatch service install` was given an --account.\n\n"
        .to_owned()
}

fn credentials(by: &Account) -> String {
    let (remark, password) = match &by.password {
        PasswordAt::File(path) => (
            "# The password stays in the file that it was read from; only its owner may read that."
                .to_owned(),
            format!("{{ file: {} }}", word(&path.display().to_string())),
        ),
        PasswordAt::Variable(name) => (
            format!(
                "# The password was in {name}, which `check` and `run` need as well. A file is better:\n# {{ file: PATH }}, which only its owner may read."
            ),
            format!("{{ env: {name} }}"),
        ),
        PasswordAt::NewFile(name) => (
            format!(
                "# The password is not written here. Put it into this file, beside this one, before you go on:\n#   {}",
                how_to_write(name)
            ),
            format!("{{ file: {name} }}"),
        ),
    };
    let encryption = by.encryption.map_or_else(String::new, |how| {
        format!("  # Encryption was not required when the hosts were read.\n  encryption: {how}\n")
    });
    format!(
        "credentials:\n  {}\n  monitor: {{ user: {}, password: {password} }}\n\ndefaults:\n  credentials: monitor\n{encryption}\n",
        remark.replace('\n', "\n  "),
        word(&by.user)
    )
}

/// How a password gets into a file that others cannot read.
fn how_to_write(name: &str) -> String {
    if cfg!(windows) {
        // SYSTEM and the administrators by their SIDs: what they are called differs from language to language.
        format!(
            "notepad {name}\n#   icacls {name} /inheritance:r /grant '*S-1-5-18:F' '*S-1-5-32-544:F'"
        )
    } else {
        format!("(umask 077; cat > {name})")
    }
}

/// What a host is, but for its services.
fn keys(host: &Seen) -> Vec<String> {
    let mut keys = vec![format!("name: {}", word(&host.name))];
    keys.extend(
        host.address
            .as_ref()
            .map(|text| format!("address: {}", word(text))),
    );
    keys.extend(host.port.map(|port| format!("port: {port}")));
    keys.extend(host.own.then(|| "transport: local".to_owned()));
    keys.extend(
        host.site
            .as_ref()
            .map(|site| format!("site: {}", word(site))),
    );
    if !host.labels.is_empty() {
        let labels: Vec<String> = host
            .labels
            .iter()
            .map(|(name, value)| format!("{}: '{}'", word(name), value.replace('\'', "''")))
            .collect();
        keys.push(format!("labels: {{ {} }}", labels.join(", ")));
    }
    keys
}

fn service(proposed: &Proposed, indent: &str) -> String {
    format!(
        "{indent}- {}  # {}\n",
        word(&proposed.name),
        remark(&proposed.why)
    )
}

fn hosts(seen: &[Seen], proposal: &Proposal) -> String {
    let mut text = vec!["hosts:\n".to_owned()];
    let mut unread = Vec::new();
    for (place, host) in seen.iter().enumerate() {
        let services = match &host.services {
            Ok(services) => services,
            Err(why) => {
                unread.push(format!("  # {}\n", remark(why)));
                unread.push(format!("  # - {{ {} }}\n", remark(&keys(host).join(", "))));
                continue;
            }
        };
        let own = proposal.own.get(&place).map_or(&[][..], Vec::as_slice);
        let by_groups: usize = proposal
            .groups
            .iter()
            .filter(|group| group.hosts.contains(&place))
            .map(|group| group.services.len())
            .sum();
        let calls = host
            .computer_name
            .as_ref()
            .map_or_else(String::new, |name| format!(", and calls itself {name}"));
        text.push(format!(
            "  # It shows {}{}; {} are proposed, {by_groups} of them by groups.\n",
            counted(services.len(), "service"),
            remark(&calls),
            own.len() + by_groups
        ));
        let mut keys = keys(host).into_iter();
        text.extend(keys.next().map(|key| format!("  - {key}\n")));
        text.extend(keys.map(|key| format!("    {key}\n")));
        if !own.is_empty() {
            text.push("    services:\n".to_owned());
            text.extend(own.iter().map(|one| service(one, "      ")));
        }
    }
    if !unread.is_empty() {
        text.push("  # These could not be read. Mend what is said, and take away the sign in front of each.\n".to_owned());
        text.extend(unread);
    }
    text.concat() + "\n"
}

fn groups(seen: &[Seen], proposal: &Proposal) -> String {
    if proposal.groups.is_empty() {
        return String::new();
    }
    let mut text = vec!["# The same services on several hosts.\ngroups:\n".to_owned()];
    for group in &proposal.groups {
        text.push(format!(
            "  - name: {}\n    hosts: {}\n    services:\n",
            group.name,
            members(seen, group)
        ));
        text.extend(group.services.iter().map(|one| service(one, "      ")));
    }
    text.concat() + "\n"
}

fn members(seen: &[Seen], group: &Group) -> String {
    if group.everywhere {
        return "'*'".to_owned();
    }
    let names: Vec<String> = group
        .hosts
        .iter()
        .filter_map(|place| seen.get(*place))
        .map(|host| word(&host.name))
        .collect();
    format!("[{}]", names.join(", "))
}

fn destinations() -> String {
    "# Without destinations notices are printed on stdout. For mail, for example:\n\
     # destinations:\n\
     #   duty: { type: email, smtp: { host: mail.corp.example }, from: svcwatch@corp.example, to: duty@corp.example }\n\n"
        .to_owned()
}

fn left_out(seen: &[Seen], proposal: &Proposal) -> String {
    if proposal.left_out.is_empty() {
        return String::new();
    }
    let mut text = vec!["# Left out, by its reason:\n".to_owned()];
    let mut by_reason: Vec<(&(String, String), &BTreeSet<usize>)> =
        proposal.left_out.iter().collect();
    by_reason.sort_by(|((name, why), _), ((other, because), _)| {
        (why, name.to_lowercase()).cmp(&(because, other.to_lowercase()))
    });
    let read = seen.iter().filter(|host| host.services.is_ok()).count();
    for ((name, why), hosts) in by_reason.iter().take(LEFT_OUT) {
        let line = format!("{name}: {why}{}", on(seen, hosts, read));
        text.push(format!("#   {}\n", remark(&line)));
    }
    if by_reason.len() > LEFT_OUT {
        text.push(format!("#   and {} more\n", by_reason.len() - LEFT_OUT));
    }
    text.push("# Drivers are not listed by hosts, and are never watched.\n".to_owned());
    text.concat()
}

/// On which hosts something is so, where that is not each of them.
fn on(seen: &[Seen], hosts: &BTreeSet<usize>, read: usize) -> String {
    if hosts.len() == read {
        return String::new();
    }
    let names: Vec<&str> = hosts
        .iter()
        .take(NAMED)
        .filter_map(|place| Some(seen.get(*place)?.name.as_str()))
        .collect();
    match hosts.len() {
        count if count <= NAMED => format!(" (on {})", names.join(", ")),
        count => format!(" (on {count} hosts)"),
    }
}

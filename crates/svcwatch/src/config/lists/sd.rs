//! Hosts as a service for Prometheus names them (HTTP SD): groups of targets with labels.
//!
//! A target is `host` or `host:port`. Labels that begin with `__` say something of the host and go no further
//! (`__meta_svcwatch_name`, `_address`, `_port`, `_site` and `_credentials`); all others become its labels, and `site`
//! is its site too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use super::csv::{Fault, account, label};
use super::{HostList, LABELS, ListedHost};
use crate::config::problem::{Position, Problems, quoted};
use crate::config::text::Form;

/// What begins the labels that say something of the host.
const OURS: &str = "__meta_svcwatch_";
/// The port of the exporter that such lists are mostly made for: it is not the one of SMB.
const EXPORTER: u16 = 9_182;

/// Reads an answer.
pub(super) fn read(
    bytes: &[u8],
    shown: &str,
    accounts: &BTreeSet<String>,
    problems: &mut Problems,
) -> Option<HostList> {
    let file = problems.add_list(Path::new(shown));
    let whole = Position {
        file,
        line: 0,
        column: 0,
    };
    let groups = match serde_json::from_slice(bytes) {
        Ok(Value::Array(groups)) => groups,
        Ok(_) => {
            let what = "the answer is no list";
            let instead = "it must be `[{\"targets\": [\"host:port\"], \"labels\": {…}}]`, as Prometheus wants it";
            problems.error(whole, "", what, instead);
            return None;
        }
        Err(error) => {
            let place = Position {
                line: u32::try_from(error.line()).unwrap_or(0),
                column: u32::try_from(error.column()).unwrap_or(0).max(1),
                ..whole
            };
            let what = format!("the answer is no JSON ({})", kind_of(&error));
            problems.error(place, "", what, "look at what the address answers");
            return None;
        }
    };
    let mut seen: HashMap<String, ListedHost> = HashMap::new();
    let mut hosts = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let path = format!("[{index}]");
        for host in group_of(group, accounts, whole, &path, problems) {
            let key = host.name.to_lowercase();
            match seen.get(&key) {
                // One host may have several targets: each is another port of it.
                Some(known) if known.address == host.address => {}
                Some(known) => {
                    let what = format!(
                        "the host {} stands twice, at {} and at {}",
                        quoted(&host.name),
                        quoted(known.address.as_deref().unwrap_or_default()),
                        quoted(host.address.as_deref().unwrap_or_default())
                    );
                    problems.error(whole, &path, what, "give each host a name of its own");
                }
                None => {
                    seen.insert(key, host.clone());
                    hosts.push(host);
                }
            }
        }
    }
    Some(HostList {
        files: vec![shown.into()],
        hosts,
    })
}

/// What is wrong with text that is no JSON; not the library's sentence, which repeats the place.
fn kind_of(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        "it ends too early"
    } else {
        "it is written otherwise"
    }
}

fn group_of(
    group: &Value,
    accounts: &BTreeSet<String>,
    at: Position,
    path: &str,
    problems: &mut Problems,
) -> Vec<ListedHost> {
    let mut complain = |(what, instead): Fault, path: &str| problems.error(at, path, what, instead);
    let Some(Value::Array(targets)) = group.get("targets") else {
        let what = "this is no group with a list of `targets`";
        let instead = "it must be {\"targets\": [\"host:port\"], \"labels\": {…}}";
        complain((what.into(), instead.into()), path);
        return Vec::new();
    };
    let labels = match labels_of(group.get("labels")) {
        Ok(labels) => labels,
        Err(fault) => {
            complain(fault, &format!("{path}.labels"));
            return Vec::new();
        }
    };
    let mut hosts = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let path = format!("{path}.targets[{index}]");
        let Value::String(target) = target else {
            let what = "a target is a text";
            complain((what.into(), "write it as \"host:port\"".into()), &path);
            continue;
        };
        match host_of(target, &labels, accounts) {
            Ok(host) => hosts.push(host),
            Err(fault) => complain(fault, &path),
        }
    }
    hosts
}

fn labels_of(value: Option<&Value>) -> Result<BTreeMap<String, String>, Fault> {
    let fault = |what: String, instead: &str| Err((what, instead.to_owned()));
    let entries = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(entries)) => entries,
        Some(_) => return fault("labels are a mapping".into(), "write {\"name\": \"value\"}"),
    };
    let mut labels = BTreeMap::new();
    for (name, value) in entries {
        let Value::String(value) = value else {
            let what = format!("the value of the label {} is no text", quoted(name));
            return fault(what, "write it in quotes");
        };
        // An empty value means that there is no such label.
        if !value.is_empty() {
            label(name, value)?;
            labels.insert(name.clone(), value.clone());
        }
    }
    if labels.keys().filter(|name| !name.starts_with("__")).count() > LABELS {
        let what = format!("{} labels stand here", labels.len());
        return fault(what, &format!("give a host at most {LABELS}"));
    }
    Ok(labels)
}

fn host_of(
    target: &str,
    labels: &BTreeMap<String, String>,
    accounts: &BTreeSet<String>,
) -> Result<ListedHost, Fault> {
    let ours = |name: &str| labels.get(&format!("{OURS}{name}"));
    let (address, port) = split(target);
    let port = match ours("port").map(String::as_str).or(port) {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(0) | Err(_) => {
                let what = format!("{} is no port", quoted(text));
                return Err((what, "write a whole number from 1 to 65535".into()));
            }
            Ok(port) => Some(port),
        },
    };
    let port = port.filter(|port| *port != EXPORTER || ours("port").is_some());
    let address = ours("address").map_or(address, String::as_str);
    Form::Address.check(address)?;
    let name = ours("name").map_or(address, String::as_str);
    Form::Name.check(name)?;
    let site = ours("site").or_else(|| labels.get("site"));
    if let Some(site) = site {
        Form::Name.check(site)?;
    }
    let credentials = ours("credentials");
    if let Some(credentials) = credentials {
        account(credentials, accounts)?;
    }
    let own = labels.iter().filter(|(name, _)| !name.starts_with("__"));
    Ok(ListedHost {
        name: name.to_owned(),
        address: Some(address.to_owned()),
        port,
        site: site.cloned(),
        credentials: credentials.cloned(),
        labels: own
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        file: 0,
        line: 0,
    })
}

/// Host and port of a target.
fn split(target: &str) -> (&str, Option<&str>) {
    if let Some(rest) = target.strip_prefix('[')
        && let Some((address, port)) = rest.split_once(']')
    {
        return (address, port.strip_prefix(':'));
    }
    match target.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (target, None),
    }
}

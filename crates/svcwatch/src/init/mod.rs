//! A first config out of what hosts show: what is proposed to be watched, and why, and what is left out, and why.
//!
//! Proposed is only what ran when it was looked at and starts with Windows by itself, so the file raises no alarm as
//! long as everything stays as it was then.

mod judge;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use svcwatch_core::observe::{StartType, State};

use self::judge::Verdict;
pub use self::text::write;

/// A host that was looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Where it is reached, where that is not its name.
    pub address: Option<String>,
    /// The port of SMB, where it is not the usual one.
    pub port: Option<u16>,
    /// The site it stands in.
    pub site: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is the computer that svcwatch runs on, read by the Windows API.
    pub own: bool,
    /// The name by which the computer calls itself.
    pub computer_name: Option<String>,
    /// Its services, or why they could not be read, in one sentence.
    pub services: Result<Vec<SeenService>, String>,
}

impl Seen {
    /// A host without a name that nobody looked at yet.
    pub const fn new() -> Self {
        Self {
            name: String::new(),
            address: None,
            port: None,
            site: None,
            labels: BTreeMap::new(),
            own: false,
            computer_name: None,
            services: Ok(Vec::new()),
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self::new()
    }
}

/// A service that a host showed.
#[derive(Debug, Clone)]
pub struct SeenService {
    /// Its key name.
    pub name: String,
    /// Its display name.
    pub display_name: String,
    /// Its state.
    pub state: State,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// How it is started, where that may be read.
    pub start_type: Option<StartType>,
    /// Whether an event starts or stops it.
    pub trigger_start: Option<bool>,
    /// Whether it belongs to a user who is logged on.
    pub per_user: Option<bool>,
}

/// Where the file is to say that the password stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordAt {
    /// In this file, which is there.
    File(PathBuf),
    /// In this environment variable.
    Variable(&'static str),
    /// In this file, which somebody has yet to make.
    NewFile(&'static str),
}

/// As whom and how the hosts were read.
#[derive(Debug, Clone)]
pub struct As {
    /// The account that they were logged on to with; none where they were read by the Windows API, as whoever asked.
    pub account: Option<Account>,
    /// Remarks for the head of the file, each a sentence.
    pub remarks: Vec<String>,
}

/// An account that hosts are logged on to with.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: String,
    /// Where its password stands.
    pub password: PasswordAt,
    /// `preferred` or `off`, where encryption was not required.
    pub encryption: Option<&'static str>,
}

/// A service that is to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proposed {
    name: String,
    why: String,
}

/// The same services on several hosts.
#[derive(Debug)]
struct Group {
    name: String,
    /// The places of its hosts; all that were read where it is for every host.
    hosts: BTreeSet<usize>,
    everywhere: bool,
    services: Vec<Proposed>,
}

/// What is to be watched of all hosts.
#[derive(Debug, Default)]
struct Proposal {
    /// What only one host has, by its place.
    own: BTreeMap<usize, Vec<Proposed>>,
    groups: Vec<Group>,
    /// What is left out: the name and why, and the hosts on which.
    left_out: BTreeMap<(String, String), BTreeSet<usize>>,
}

/// The most groups that are made; what belongs to further ones is written on its hosts.
const GROUPS: usize = 200;
/// The most hosts that one group may name.
const HOSTS_OF_GROUP: usize = 1_000;

/// Finds out what is to be watched.
fn propose(seen: &[Seen]) -> Proposal {
    let mut proposal = Proposal::default();
    // By the name in lower case: as it was written, why, and on which hosts.
    let mut wanted: BTreeMap<String, (Proposed, BTreeSet<usize>)> = BTreeMap::new();
    for (place, host) in seen.iter().enumerate() {
        for service in host.services.iter().flatten() {
            match judge::judge(service) {
                Verdict::Watch(why) => {
                    let name = service.name.clone();
                    let why = format!("{}: {why}", service.display_name);
                    let entry = wanted.entry(name.to_lowercase());
                    let found = entry.or_insert_with(|| (Proposed { name, why }, BTreeSet::new()));
                    found.1.insert(place);
                }
                Verdict::LeaveOut(why) => {
                    let key = (service.name.clone(), why);
                    proposal.left_out.entry(key).or_default().insert(place);
                }
            }
        }
    }
    let mut alike: BTreeMap<BTreeSet<usize>, Vec<Proposed>> = BTreeMap::new();
    for (service, hosts) in wanted.into_values() {
        alike.entry(hosts).or_default().push(service);
    }
    let read = seen.iter().filter(|host| host.services.is_ok()).count();
    let mut alike: Vec<(BTreeSet<usize>, Vec<Proposed>)> = alike.into_iter().collect();
    // The group of the most hosts first.
    alike.sort_by_key(|(hosts, _)| std::cmp::Reverse(hosts.len()));
    for (hosts, services) in alike {
        let everywhere = hosts.len() == read;
        let one = hosts.len() < 2 || proposal.groups.len() >= GROUPS;
        if one || (hosts.len() > HOSTS_OF_GROUP && !everywhere) {
            for host in hosts {
                let own = proposal.own.entry(host).or_default();
                own.extend(services.iter().cloned());
            }
            continue;
        }
        let name = if everywhere {
            "everywhere".to_owned()
        } else {
            format!("alike-{}", proposal.groups.len() + 1)
        };
        proposal.groups.push(Group {
            name,
            hosts,
            everywhere,
            services,
        });
    }
    proposal
}

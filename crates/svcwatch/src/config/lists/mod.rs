//! Lists of hosts that stand outside the config (`hosts_from`): CSV files, and what an HTTP service says.
//!
//! The hosts of all lists join those of the config as if they stood there: the rest of the way is the same. A list that
//! cannot be read, that is wrong, or that lost many of its hosts is not taken: the one before stays.

mod csv;
mod guard;
mod join;
mod kept;
mod places;
mod sd;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use svcwatch_core::id::Name;
use svcwatch_core::time::Span;

use super::duration::duration;
use super::problem::{Position, Problems};
use super::tree::Node;

pub use self::csv::parse_any as parse_any_list;
pub use self::kept::write as keep_lists;
pub(super) use self::places::matching;
pub use self::places::read_one as read_list;

/// The most bytes of one list, a file or an answer.
pub(crate) const LIST_BYTES: usize = 32 * 1024 * 1024;
/// The most files of one list.
pub(crate) const LIST_FILES: usize = 1_000;
/// The most labels of one host.
const LABELS: usize = 64;
/// How often a service is asked unless the config says otherwise.
const EVERY: Span = Span::minutes(1);

/// A host as a list names it. What is not said is left to the config's `defaults`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedHost {
    /// Its name.
    pub name: String,
    /// Where it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The port of SMB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The site it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The name of the account that it is read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Which of the list's files names it, from 0.
    #[serde(default)]
    pub file: usize,
    /// The line of that file; 0 where there are no lines.
    #[serde(default)]
    pub line: u32,
}

/// A whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostList {
    /// The files that it was read from, or the address.
    pub files: Vec<PathBuf>,
    /// Its hosts.
    pub hosts: Vec<ListedHost>,
}

/// Where a list comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListSource {
    /// A CSV file, or all that match a pattern in their name.
    Files(PathBuf),
    /// A service that speaks Prometheus' HTTP service discovery.
    HttpSd {
        /// Where it is.
        url: String,
        /// How often it is asked.
        every: Span,
    },
}

impl ListSource {
    /// What it is called in messages and metrics: the path, or the address without what may be secret in it.
    pub fn shown(&self) -> String {
        match self {
            Self::Files(path) => path.display().to_string(),
            Self::HttpSd { url, .. } => url.split('?').next().unwrap_or(url).to_owned(),
        }
    }

    /// What tells it from every other one, today and after a restart.
    pub fn key(&self) -> String {
        match self {
            Self::Files(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                format!("file {}", path.display())
            }
            Self::HttpSd { url, .. } => format!("http_sd {url}"),
        }
    }
}

/// A list of the config, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListState {
    /// Where it comes from.
    pub source: ListSource,
    /// What is carried out of it; nothing while it was never read.
    pub list: Option<Arc<HostList>>,
    /// Whether that is what it says now.
    pub current: bool,
    /// Why what it says now is not carried out, each a sentence.
    pub refused: Vec<String>,
    /// How many of its hosts stand in the config too.
    pub in_config: usize,
    /// Whether there is one from before that could stay in its place.
    may_stay: bool,
}

impl ListState {
    /// How many hosts it names.
    pub fn count(&self) -> usize {
        self.list.as_ref().map_or(0, |list| list.hosts.len())
    }
}

/// Which lists that lost many hosts are taken all the same.
#[derive(Clone, Debug, Default)]
pub enum Accept {
    /// None.
    #[default]
    None,
    /// These, by their keys.
    These(BTreeSet<String>),
    /// All.
    All,
}

impl Accept {
    fn covers(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::These(keys) => keys.contains(key),
            Self::All => true,
        }
    }
}

/// How the lists of a config are read.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// The folder in which lists are kept; the config's own, or the usual one, if not set.
    pub data: Option<PathBuf>,
    /// The lists as they are carried out; those that are kept in the folder if not set.
    pub known: Option<Vec<ListState>>,
    /// What services said last, by the keys of their lists.
    pub answers: BTreeMap<String, Arc<[u8]>>,
    /// Which lists that lost many hosts are taken.
    pub accept: Accept,
    /// Whether a list that cannot be used is an error, as it is for somebody who looks at the files.
    pub strict: bool,
}

/// The lists that were refused by what was built of them, by their keys, each with why.
pub(super) type Refused = BTreeMap<String, Vec<String>>;

/// The lists of a config while it is read.
pub(super) struct Reading<'run> {
    pub(super) options: &'run ListOptions,
    pub(super) refused: &'run Refused,
}

/// What was read of a source, before it is held against what was there before.
struct Found {
    source: ListSource,
    at: Position,
    known: Option<Arc<HostList>>,
    new: Option<HostList>,
    refused: Vec<String>,
}

/// Reads the lists that a config names and lets their hosts join its own.
pub(super) fn take(
    root: &mut Node,
    reading: &Reading<'_>,
    problems: &mut Problems,
) -> Vec<ListState> {
    let sources = sources(root, problems);
    if sources.is_empty() {
        return Vec::new();
    }
    let known = known(root, reading.options, &sources, problems);
    let mut found = Vec::with_capacity(sources.len());
    for (source, at) in sources {
        let known = known.get(&source.key()).cloned();
        found.push(read(source, at, known, reading, root, problems));
    }
    guard::hold(&mut found, root, reading.options, problems);
    let mut states: Vec<ListState> = found
        .into_iter()
        .map(|one| ListState {
            may_stay: one.known.is_some() || matches!(one.source, ListSource::HttpSd { .. }),
            source: one.source,
            current: one.new.is_some(),
            list: one.new.map(Arc::new).or(one.known),
            refused: one.refused,
            in_config: 0,
        })
        .collect();
    join::join(root, &mut states, problems);
    states
}

/// The sources that the config names, each with its place.
fn sources(root: &Node, problems: &mut Problems) -> Vec<(ListSource, Position)> {
    let items = root.get("hosts_from").and_then(Node::items);
    let mut found: Vec<(ListSource, Position)> = Vec::new();
    for (index, node) in items.unwrap_or_default().iter().enumerate() {
        let source = match (node.get("file"), node.get("http_sd").and_then(Node::scalar)) {
            (Some(file), None) => {
                if let Some(every) = node.get("every") {
                    problems.error(
                        every.at,
                        &format!("hosts_from[{index}].every"),
                        "a file is looked at every two seconds, whatever is written here",
                        "remove it",
                    );
                }
                let Some(path) = path_of(file, problems) else {
                    continue;
                };
                ListSource::Files(path)
            }
            (None, Some(url)) => ListSource::HttpSd {
                url: url.text.to_string(),
                every: node
                    .get("every")
                    .and_then(|every| duration(&every.scalar()?.text).ok())
                    .unwrap_or(EVERY),
            },
            _ => continue,
        };
        if found.iter().any(|(known, _)| known.key() == source.key()) {
            problems.error(
                node.at,
                &format!("hosts_from[{index}]"),
                "this list stands here twice",
                "keep one of them",
            );
            continue;
        }
        found.push((source, node.at));
    }
    found
}

/// A path, relative to the file that names it.
fn path_of(node: &Node, problems: &Problems) -> Option<PathBuf> {
    let folder = problems.file(node.at).parent().unwrap_or(Path::new(""));
    Some(folder.join(&*node.scalar()?.text))
}

/// The lists as they were taken last.
fn known(
    root: &Node,
    options: &ListOptions,
    sources: &[(ListSource, Position)],
    problems: &Problems,
) -> BTreeMap<String, Arc<HostList>> {
    if let Some(states) = &options.known {
        let lists = states
            .iter()
            .filter_map(|state| Some((state.source.key(), Arc::clone(state.list.as_ref()?))));
        return lists.collect();
    }
    let configured = root.get("data").and_then(|node| path_of(node, problems));
    let Ok(folder) = crate::app::data_folder(options.data.clone(), configured) else {
        return BTreeMap::new();
    };
    let keys = sources.iter().map(|(source, _)| source.key());
    keys.filter_map(|key| {
        let list = kept::read(&folder, &key)?;
        Some((key, Arc::new(list)))
    })
    .collect()
}

/// Reads one list. Where that fails and there is one from before, the problems are why it is refused, else they are
/// problems of the config. A service that was not asked yet is no problem.
fn read(
    source: ListSource,
    at: Position,
    known: Option<Arc<HostList>>,
    reading: &Reading<'_>,
    root: &Node,
    problems: &mut Problems,
) -> Found {
    let key = source.key();
    let mut found = Found {
        source,
        at,
        known,
        new: None,
        refused: Vec::new(),
    };
    if let Some(refused) = reading.refused.get(&key) {
        found.refused.clone_from(refused);
        return found;
    }
    let before = problems.mark();
    let accounts = accounts(root);
    found.new = match &found.source {
        ListSource::Files(path) => places::read(path, at, Some(&accounts), problems),
        ListSource::HttpSd { .. } => {
            let Some(answer) = reading.options.answers.get(&key) else {
                return found;
            };
            sd::read(answer, &found.source.shown(), &accounts, problems)
        }
    };
    let good = problems.count() == before.count();
    let service = matches!(found.source, ListSource::HttpSd { .. });
    if !good {
        found.new = None;
        if !reading.options.strict && (service || found.known.is_some()) {
            found.refused = problems.take_since(before);
        }
    }
    found
}

/// The accounts that hosts may name, in lower case.
fn accounts(root: &Node) -> BTreeSet<String> {
    let entries = root.get("credentials").and_then(Node::entries);
    let keys = entries.unwrap_or_default().iter();
    keys.map(|entry| entry.key.to_lowercase()).collect()
}

/// Which list names a host, and where, in words.
pub(super) fn place_of(states: &[ListState], host: &Name) -> Option<String> {
    states.iter().find_map(|state| {
        let list = state.list.as_ref()?;
        let host = list
            .hosts
            .iter()
            .find(|listed| Name::new(&listed.name) == *host)?;
        let file = list.files.get(host.file)?.display();
        Some(match host.line {
            0 => file.to_string(),
            line => format!("{file}:{line}"),
        })
    })
}

/// The lists that were taken and whose hosts do not fit the rest of the config, where there is one from before.
pub(super) fn blamed(states: &[ListState], problems: &Problems) -> Refused {
    let mut refused = Refused::new();
    if problems.none() {
        return refused;
    }
    for state in states
        .iter()
        .filter(|state| state.current && state.may_stay)
    {
        let files = state.list.iter().flat_map(|list| &list.files);
        let why: Vec<String> = files.flat_map(|file| problems.errors_of(file)).collect();
        if !why.is_empty() {
            refused.insert(state.source.key(), why);
        }
    }
    refused
}

//! What is built into svcwatch: its libraries, as cargo resolves them for one system.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::{Project, read};

/// A library that is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crate {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// Its licence, as an expression of SPDX.
    pub(super) licence: String,
    /// Where its source is kept; empty where it does not say.
    pub(super) repository: String,
    /// Whether it is of this project.
    pub(super) ours: bool,
}

/// A library and its version.
pub(super) type Id = (String, String);

/// What is built in, and what asks for what.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Every library, and svcwatch itself.
    pub(super) crates: BTreeMap<Id, Crate>,
    /// For each of them those that it asks for.
    pub(super) asks: BTreeMap<Id, BTreeSet<Id>>,
}

/// Asks cargo what is built into svcwatch for a system. What only builds it is not in it, nor what only tests need.
pub(super) fn graph(project: &Project, target: &str) -> Result<Graph, String> {
    let words = [
        "tree",
        "--locked",
        "--package=svcwatch",
        "--edges=normal,no-proc-macro",
        "--prefix=depth",
        "--format= {p}|{l}|{r}",
    ];
    let said = read(project.cargo(&words).arg("--target").arg(target))?;
    parse(&said)
}

/// Reads the tree that cargo prints: the depth, the library, its licence and its source on each line.
fn parse(said: &str) -> Result<Graph, String> {
    let mut graph = Graph::default();
    let mut above: Vec<Id> = Vec::new();
    for line in said.lines().filter(|line| !line.is_empty()) {
        let (depth, one) = crate_of(line).ok_or_else(|| format!("cargo's tree says `{line}`"))?;
        let id = (one.name.clone(), one.version.clone());
        above.truncate(depth);
        if let Some(parent) = above.last() {
            graph
                .asks
                .entry(parent.clone())
                .or_default()
                .insert(id.clone());
        }
        graph.asks.entry(id.clone()).or_default();
        graph.crates.insert(id.clone(), one);
        above.push(id);
    }
    if graph.crates.len() < 2 {
        return Err("cargo's tree names no library".to_owned());
    }
    Ok(graph)
}

/// One line of the tree.
fn crate_of(line: &str) -> Option<(usize, Crate)> {
    // What was shown before is marked, and its own libraries are not shown again.
    let line = line.strip_suffix(" (*)").unwrap_or(line);
    let (depth, rest) = line.split_once(' ')?;
    let mut parts = rest.split('|');
    let mut words = parts.next()?.split(' ');
    let name = words.next()?.to_owned();
    let version = words.next()?.strip_prefix('v')?.to_owned();
    let one = Crate {
        name,
        version,
        licence: expression(parts.next()?),
        repository: parts.next()?.to_owned(),
        // Only what lies in this tree is named with its folder.
        ours: words.next().is_some_and(|word| word.starts_with("(/")),
    };
    Some((depth.parse().ok()?, one))
}

/// A licence as SPDX writes it: older manifests have a slash for `OR`.
fn expression(licence: &str) -> String {
    let parts: Vec<&str> = licence.split('/').map(str::trim).collect();
    parts.join(" OR ")
}

/// The checksums of the lock file.
pub(super) fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let mut found = BTreeMap::new();
    for part in lock.split("[[package]]") {
        let value = |key: &str| {
            part.lines().find_map(|line| {
                line.strip_prefix(key)?
                    .strip_prefix(" = \"")?
                    .strip_suffix('"')
            })
        };
        if let (Some(name), Some(version), Some(sum)) =
            (value("name"), value("version"), value("checksum"))
        {
            found.insert((name.to_owned(), version.to_owned()), sum.to_owned());
        }
    }
    found
}

/// The folders of all libraries that cargo has at hand, by name and version.
pub(super) fn folders(project: &Project) -> Result<BTreeMap<String, String>, String> {
    let said = read(&mut project.cargo(&["metadata", "--locked", "--format-version=1"]))?;
    let mut found = BTreeMap::new();
    for part in said.split("\"manifest_path\":\"").skip(1) {
        let path = part.split('"').next().unwrap_or_default();
        let folder = path.trim_end_matches("/Cargo.toml");
        let name = folder.rsplit('/').next().unwrap_or_default();
        found.insert(name.to_owned(), folder.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, version: &str) -> Id {
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn the_tree_becomes_a_graph() {
        let said = "0 svcwatch v0.1.0 (/somewhere/svcwatch)|MIT OR Apache-2.0|\n\
                    1 axum v0.8.9|MIT|https://example.org/axum\n\
                    2 bytes v1.12.1|MIT/Apache-2.0|https://example.org/bytes\n\
                    1 bytes v1.12.1|MIT/Apache-2.0|https://example.org/bytes (*)\n";
        let graph = parse(said).unwrap_or_else(|told| panic!("{told}"));
        assert_eq!(graph.crates.len(), 3);
        let bytes = &graph.crates[&id("bytes", "1.12.1")];
        assert_eq!(bytes.licence, "MIT OR Apache-2.0");
        assert_eq!(bytes.repository, "https://example.org/bytes");
        assert!(!bytes.ours);
        assert!(graph.crates[&id("svcwatch", "0.1.0")].ours);
        let asks: Vec<&Id> = graph.asks[&id("svcwatch", "0.1.0")].iter().collect();
        assert_eq!(asks, [&id("axum", "0.8.9"), &id("bytes", "1.12.1")]);
        assert!(graph.asks[&id("axum", "0.8.9")].contains(&id("bytes", "1.12.1")));
        assert!(parse("nonsense\n").is_err());
    }

    #[test]
    fn checksums_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n\
                    source = \"x\"\nchecksum = \"ab\"\ndependencies = [\n \"a\",\n]\n";
        let found = checksums(lock);
        assert_eq!(found.len(), 1);
        assert_eq!(found[&id("b", "2.0.0")], "ab");
    }
}

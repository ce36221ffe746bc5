//! No trace of the machine that something was written or built on.

use std::path::{Path, PathBuf};

use super::Finding;
use super::tree::File;

/// Folders right below the root that any page may name.
const COMMON: &[&str] = &[
    "app",
    "bin",
    "boot",
    "build",
    "builds",
    "data",
    "dev",
    "etc",
    "home",
    "lib",
    "media",
    "mnt",
    "opt",
    "proc",
    "repo",
    "root",
    "run",
    "sbin",
    "source",
    "src",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "workspace",
];

/// Hosts that the tree may name although packages come from there.
const PUBLIC_HOSTS: &[&str] = &[
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "github.com",
];

/// What would give this machine away.
pub(super) struct Traces {
    /// Texts that must not occur, each with what it is.
    texts: Vec<(String, &'static str)>,
}

impl Traces {
    /// What would give this machine away: where the project is, who works here, and where packages come from.
    pub(super) fn of_this_machine(root: &Path) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".cargo")));
        let config =
            cargo_home.and_then(|folder| std::fs::read_to_string(folder.join("config.toml")).ok());
        Self::new(root, home.as_deref(), config.as_deref().unwrap_or_default())
    }

    fn new(root: &Path, home: Option<&Path>, cargo_config: &str) -> Self {
        let mut texts = Vec::new();
        let mut folder = |path: Option<&Path>, what| {
            if let Some(path) = path.filter(|path| is_telling(path)) {
                texts.push((path.to_string_lossy().into_owned(), what));
            }
        };
        folder(Some(root), "the path of a build machine");
        folder(root.parent(), "the path of a build machine");
        folder(home, "the home folder of a build machine");
        texts.push((
            concat!(".cargo/", "registry/src").to_owned(),
            "a path of cargo's own",
        ));
        for host in hosts(cargo_config) {
            texts.push((host, "the host of a package registry"));
        }
        Self { texts }
    }
}

/// Whether a path would tell something: not a common folder such as `/tmp`, and not the root itself.
fn is_telling(path: &Path) -> bool {
    let mut parts = path
        .components()
        .skip(1)
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    match (parts.next(), parts.next()) {
        (None, _) => false,
        (Some(only), None) => !COMMON.contains(&only.as_str()),
        (Some(_), Some(_)) => true,
    }
}

/// The hosts of the addresses in cargo's settings.
fn hosts(config: &str) -> Vec<String> {
    let mut hosts = Vec::new();
    for (at, _) in config.match_indices("://") {
        let after = config.split_at(at + 3).1;
        let end = after
            .find(['/', '"', '\'', ' ', '\n', '?'])
            .unwrap_or(after.len());
        let host = after.split_at(end).0;
        let host = host.rsplit('@').next().unwrap_or(host);
        let host = host.split(':').next().unwrap_or(host);
        let local = host.is_empty() || host == "localhost" || host.starts_with("127.");
        if !local && !PUBLIC_HOSTS.contains(&host) {
            hosts.push(host.to_owned());
        }
    }
    hosts
}

/// Looks for the traces in one file.
pub(super) fn check(file: &File, traces: &Traces) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if let Some((_, what)) = traces.texts.iter().find(|(text, _)| holds(line, text)) {
            findings.push(Finding::new(
                file,
                at + 1,
                format!("names {what}: take it out"),
            ));
        }
    }
    findings
}

/// Whether the line holds this text, not as the beginning or end of another name.
fn holds(line: &str, text: &str) -> bool {
    let part_of_name =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    line.match_indices(text).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line
            .get(at + text.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> usize {
        let config = "[source.mirror]\nregistry = \"sparse+https://user:key@crates.corp.example:8443/index/\"\n";
        let traces = Traces::new(
            Path::new("/atelier/svcwatch"),
            Some(Path::new("/home/ada")),
            config,
        );
        let file = File {
            path: "a.md".to_owned(),
            text: line.to_owned(),
        };
        check(&file, &traces).len()
    }

    #[test]
    fn paths_and_hosts_of_the_machine_are_told() {
        assert_eq!(told("see /atelier/svcwatch/target"), 1);
        assert_eq!(told("see /atelier/other"), 1);
        assert_eq!(told("`/home/ada/notes`"), 1);
        assert_eq!(told("from https://crates.corp.example/index"), 1);
    }

    #[test]
    fn other_names_are_left_alone() {
        assert_eq!(
            told("an /ateliers/x, /home/adam, my-crates.corp.example"),
            0
        );
        assert_eq!(told("/etc/svcwatch/config.yaml and /var/lib/svcwatch"), 0);
    }

    #[test]
    fn a_common_folder_is_no_trace() {
        assert!(!is_telling(Path::new("/")));
        assert!(!is_telling(Path::new("/tmp")));
        assert!(is_telling(Path::new("/tmp/clone")));
        assert!(is_telling(Path::new("/atelier")));
    }
}

//! Rules for who may depend on whom.
//!
//! The core decides and the wire crate speaks; both stay free of ours, of I/O and of the runtime only because their
//! manifests say so, and because the core cannot name the standard library.

use super::Finding;
use super::tree::{File, has_ending};

/// What a package may depend on.
struct Wall {
    /// The package's manifest.
    manifest: &'static str,
    /// What it may depend on, beside tests; nothing said means anything but what the other rules refuse.
    allowed: Option<&'static [&'static str]>,
    /// Why.
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        manifest: "crates/core/Cargo.toml",
        allowed: Some(&["sha2"]),
        why: "the core decides: it takes only crates without std and without I/O",
    },
    Wall {
        manifest: "crates/wire/Cargo.toml",
        allowed: Some(&["thiserror"]),
        why: "the wire crate only turns bytes into values and back",
    },
    Wall {
        manifest: "xtask/Cargo.toml",
        allowed: Some(&[]),
        why: "the tools build in a second, from the standard library alone",
    },
];

/// The only package that may know the runtime.
const RUNTIME_USER: &str = "crates/svcwatch/Cargo.toml";

/// The packages of this project.
const OURS: &[&str] = &["svcwatch", "svcwatch-core", "svcwatch-wire", "xtask"];

/// Packages that may name ours: the program, the fuzz targets, and the workspace's list of versions.
const MAY_NAME_OURS: &[&str] = &[RUNTIME_USER, "fuzz/Cargo.toml", "Cargo.toml"];

/// Crates that must not be able to name the standard library, or to be unsafe.
const WITHOUT_STD: &[&str] = &["crates/core/src/lib.rs", "crates/wire/src/lib.rs"];

/// The only registry that the lock file may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Holds one manifest, lock file or crate root against the rules.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml") {
        return check_manifest(file);
    }
    if file.path.ends_with("Cargo.lock") && has_ending(&file.path, "lock") {
        return check_lock(file);
    }
    if WITHOUT_STD.contains(&file.path.as_str()) {
        return check_root(file);
    }
    Vec::new()
}

/// Every wall must have something behind it: a manifest that moved would otherwise be checked by nobody.
pub(super) fn check_walls(files: &[File]) -> Vec<Finding> {
    let paths = WALLS
        .iter()
        .map(|wall| wall.manifest)
        .chain(WITHOUT_STD.iter().copied());
    paths
        .filter(|path| !files.iter().any(|file| file.path == *path))
        .map(|path| Finding {
            path: path.to_owned(),
            line: 1,
            what: "is not there: the rules in xtask/src/tidy/manifest.rs guard it by this path"
                .to_owned(),
        })
        .collect()
}

fn check_manifest(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let wall = WALLS.iter().find(|wall| wall.manifest == file.path);
    for dependency in dependencies(&file.text) {
        let name = dependency.name.as_str();
        let mut tell = |what: String| findings.push(Finding::new(file, dependency.line, what));
        if OURS.contains(&name) && !MAY_NAME_OURS.contains(&file.path.as_str()) {
            tell(format!(
                "`{name}` is ours, and only svcwatch depends on ours: take it out"
            ));
            continue;
        }
        if name == "tokio"
            && file.path != RUNTIME_USER
            && dependency.section != "workspace.dependencies"
        {
            tell("only svcwatch may know tokio: take it out".to_owned());
            continue;
        }
        let Some(Wall {
            allowed: Some(allowed),
            why,
            ..
        }) = wall
        else {
            continue;
        };
        let for_tests = dependency.section.ends_with("dev-dependencies");
        if !for_tests && !allowed.contains(&name) {
            tell(format!(
                "`{name}` is not allowed here ({why}): do without it"
            ));
        }
    }
    findings
}

fn check_lock(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let Some(source) = line.strip_prefix("source = ") else {
            continue;
        };
        if source.trim_matches('"') != REGISTRY {
            findings.push(Finding::new(
                file,
                at + 1,
                format!("comes from {source}: take it from crates.io"),
            ));
        }
    }
    findings
}

fn check_root(file: &File) -> Vec<Finding> {
    ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|attribute| !file.text.lines().any(|line| line.trim() == *attribute))
        .map(|attribute| {
            Finding::new(
                file,
                1,
                format!("{attribute} is missing: it is what keeps this crate pure"),
            )
        })
        .collect()
}

/// One line of a manifest that names a dependency.
struct Dependency {
    /// The package, also where it is used under another name.
    name: String,
    /// The section that it stands in, such as `dev-dependencies`.
    section: String,
    /// The line, from 1.
    line: usize,
}

/// The dependencies of a manifest: entries of sections that end in `dependencies`, and sections below one.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section = String::new();
    let mut own_section = false;
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|header| header.split(']').next())
        {
            header.trim_matches('[').clone_into(&mut section);
            let parts = section
                .rsplit_once('.')
                .map(|(above, name)| (above.to_owned(), name.to_owned()));
            own_section = false;
            if let Some((above, name)) = parts
                && above.ends_with("dependencies")
            {
                own_section = true;
                section = above;
                found.push(Dependency {
                    name: name.trim_matches('"').to_owned(),
                    section: section.clone(),
                    line: at + 1,
                });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if line.starts_with('#') || !section.ends_with("dependencies") {
            continue;
        }
        let key = key.trim().trim_matches('"');
        if own_section {
            if key == "package"
                && let Some(last) = found.last_mut()
            {
                value.trim().trim_matches('"').clone_into(&mut last.name);
            }
            continue;
        }
        let name = renamed(value).unwrap_or_else(|| key.split('.').next().unwrap_or(key));
        found.push(Dependency {
            name: name.to_owned(),
            section: section.clone(),
            line: at + 1,
        });
    }
    found
}

/// The package behind another name, from `{ package = "…", … }`.
fn renamed(value: &str) -> Option<&str> {
    let (_, after) = value.split_once("package")?;
    after
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .strip_prefix('"')?
        .split('"')
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&file)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.what))
            .collect()
    }

    #[test]
    fn the_core_takes_only_what_is_on_its_list() {
        let told = told(
            "crates/core/Cargo.toml",
            "[package]\nname = \"x\"\n[dependencies]\nsha2.workspace = true\nserde = \"1\"\n\
             [dev-dependencies]\nproptest = \"1\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n",
        );
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter()
                .any(|line| line.starts_with("5: `serde` is not allowed here"))
        );
        assert!(told.iter().any(|line| line.starts_with("9: `libc`")));
    }

    #[test]
    fn nobody_but_svcwatch_names_ours_or_the_runtime() {
        let manifest = "[dependencies]\nsvcwatch-core = { path = \"../core\" }\n[dev-dependencies.tokio]\nversion = \"1\"\n";
        assert_eq!(told("crates/wire/Cargo.toml", manifest).len(), 2);
        assert!(told("crates/svcwatch/Cargo.toml", manifest).is_empty());
        assert!(
            told(
                "Cargo.toml",
                "[workspace.dependencies]\ntokio = \"1\"\nsvcwatch-core = \"1\"\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn another_name_does_not_hide_a_package() {
        assert_eq!(
            told(
                "fuzz/Cargo.toml",
                "[dependencies]\nrt = { version = \"1\", package = \"tokio\" }\n"
            )
            .len(),
            1
        );
        assert_eq!(
            told(
                "fuzz/Cargo.toml",
                "[dependencies.rt]\npackage = \"tokio\"\n"
            )
            .len(),
            1
        );
    }

    #[test]
    fn the_lock_file_names_one_registry() {
        let good = format!("source = \"{REGISTRY}\"\n");
        assert!(told("Cargo.lock", &good).is_empty());
        assert_eq!(
            told(
                "Cargo.lock",
                "name = \"x\"\nsource = \"git+https://example.org/x\"\n"
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_pure_crate_says_so() {
        assert_eq!(
            told("crates/core/src/lib.rs", "//! Core.\n#![no_std]\n").len(),
            1
        );
        assert!(
            told(
                "crates/wire/src/lib.rs",
                "#![no_std]\n#![forbid(unsafe_code)]\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_manifest_that_moved_is_told() {
        assert_eq!(check_walls(&[]).len(), WALLS.len() + WITHOUT_STD.len());
    }
}

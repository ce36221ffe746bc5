//! The licences of what is built in, as one text: most of them ask that theirs goes along.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::crates::{Crate, folders, graph};
use crate::project::Project;
use crate::windows;

/// How files begin that hold a licence, in upper case.
const STARTS: [&str; 6] = [
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// The largest licence, in bytes.
const LARGEST: usize = 200_000;

/// The text for the libraries of all systems that packages are made for.
pub(super) fn text(project: &Project) -> Result<String, String> {
    let mut crates = BTreeMap::new();
    for target in [windows::TARGET, "x86_64-unknown-linux-gnu"] {
        crates.extend(graph(project, target)?.crates);
    }
    crates.retain(|_, one| !one.ours);
    let folders = folders(project)?;
    let mut texts = BTreeMap::new();
    for one in crates.values() {
        let name = format!("{}-{}", one.name, one.version);
        let folder = folders
            .get(&name)
            .ok_or_else(|| format!("the source of {name} is not at hand"))?;
        let found = read(Path::new(folder))?;
        texts.insert(name, found);
    }
    Ok(write(crates.values(), &texts))
}

/// The licences that lie in a folder, by their names.
fn read(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let tell = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(tell)? {
        let path = entry.map_err(tell)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let upper = name.to_uppercase();
        if !path.is_file() || !STARTS.iter().any(|start| upper.starts_with(start)) {
            continue;
        }
        let bytes = fs::read(&path).map_err(tell)?;
        if bytes.len() > LARGEST {
            return Err(format!("{} is too large for a licence", path.display()));
        }
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        found.push((name, text.trim().to_owned()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes the list and each text once.
fn write<'a>(
    crates: impl Iterator<Item = &'a Crate>,
    texts: &BTreeMap<String, Vec<(String, String)>>,
) -> String {
    let mut parts = vec![
        "What is built into svcwatch, and under which licences\n\n\
         svcwatch itself is licensed under MIT or Apache-2.0, as you choose: see LICENSE-MIT and LICENSE-APACHE.\n\
         SQLite, which libsqlite3-sys brings, is in the public domain.\n\n"
            .to_owned(),
    ];
    for one in crates {
        let source = if one.repository.is_empty() {
            format!("https://crates.io/crates/{}", one.name)
        } else {
            one.repository.clone()
        };
        parts.push(format!(
            "{} {}: {} ({source})\n",
            one.name, one.version, one.licence
        ));
    }
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for (name, found) in texts {
        for (file, text) in found {
            let of = users.entry(text).or_default();
            if of.is_empty() {
                order.push(text);
            }
            of.push(format!("{name} ({file})"));
        }
    }
    for text in order {
        let of = users.get(text).map(|of| of.join(", ")).unwrap_or_default();
        parts.push(format!("\n{}\n{of}\n\n{text}\n", "=".repeat(80)));
    }
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_two_share_stands_there_once() {
        let one = |name: &str| Crate {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
            repository: String::new(),
            ours: false,
        };
        let crates = [one("a"), one("b")];
        let text = vec![("LICENSE".to_owned(), "the words".to_owned())];
        let texts = BTreeMap::from([
            ("a-1.0.0".to_owned(), text.clone()),
            ("b-1.0.0".to_owned(), text),
        ]);
        let said = write(crates.iter(), &texts);
        assert!(said.contains("\na 1.0.0: MIT (https://crates.io/crates/a)\nb 1.0.0: MIT ("));
        assert_eq!(said.matches("the words").count(), 1);
        assert!(said.contains("\na-1.0.0 (LICENSE), b-1.0.0 (LICENSE)\n\nthe words\n"));
    }
}

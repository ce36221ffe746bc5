//! The files of a list: one, or all whose name matches a pattern.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use svcwatch_core::glob::Glob;

use super::csv::Table;
use super::{HostList, LIST_BYTES, LIST_FILES, ListedHost};
use crate::config::problem::{ConfigErrors, Position, Problems};

/// The files that a path means: itself, or those in its folder whose name matches its last part. Hidden files and the
/// lock files of spreadsheet programs are left out.
pub(in crate::config) fn matching(path: &Path) -> io::Result<Vec<PathBuf>> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(pattern) = name.filter(|name| Glob::is_pattern(name)) else {
        return Ok(vec![path.to_owned()]);
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let glob = Glob::new(pattern);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(['.', '~']) || !glob.matches(name) {
            continue;
        }
        if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            found.push(path.with_file_name(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the files of a list.
pub(super) fn read(
    path: &Path,
    at: Position,
    accounts: Option<&BTreeSet<String>>,
    problems: &mut Problems,
) -> Option<HostList> {
    if path
        .parent()
        .and_then(Path::to_str)
        .is_some_and(Glob::is_pattern)
    {
        problems.error(
            at,
            "hosts_from",
            "a folder in this path is a pattern, and only the name of the file may be one",
            "write one entry for each folder",
        );
        return None;
    }
    let files = match matching(path) {
        Ok(files) => files,
        Err(error) => {
            let shown = path.parent().unwrap_or(path).display();
            let what = format!("the folder {shown} cannot be read: {error}");
            problems.error(at, "hosts_from", what, "look at the path after `file:`");
            return None;
        }
    };
    if files.is_empty() {
        let what = format!("no file is called like {}", path.display());
        problems.warn(at, "hosts_from", what, "look at the path after `file:`");
    }
    if files.len() > LIST_FILES {
        let what = format!("{} files are called like {}", files.len(), path.display());
        let instead = format!("write a pattern that at most {LIST_FILES} match");
        problems.error(at, "hosts_from", what, instead);
        return None;
    }
    let mut table = Table::new(accounts);
    for file in &files {
        let index = problems.add_list(file);
        let whole = Position {
            file: index,
            line: 0,
            column: 0,
        };
        match bytes_of(file) {
            Ok(bytes) if bytes.len() > LIST_BYTES => {
                let most = LIST_BYTES / 1024 / 1024;
                let what = format!("the file is larger than {most} MiB");
                problems.error(whole, "", what, "spread its hosts over several files");
            }
            Ok(bytes) => table.add(&bytes, index, problems),
            Err(error) => {
                let what = format!("the file cannot be read: {error}");
                let instead =
                    "look at the path after `file:` in `hosts_from`, and at who may read it";
                problems.error(whole, "", what, instead);
            }
        }
    }
    Some(HostList {
        hosts: table.hosts(),
        files,
    })
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // One byte more than allowed tells that it is too long, without reading it all.
    let most = u64::try_from(LIST_BYTES + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads one list by itself, outside of any config: its accounts are not looked for.
pub fn read_one(path: &Path) -> Result<Vec<ListedHost>, ConfigErrors> {
    let mut problems = Problems::new(&[]);
    let at = Position::default();
    let list = read(path, at, None, &mut problems);
    problems.finish()?;
    Ok(list.map(|list| list.hosts).unwrap_or_default())
}

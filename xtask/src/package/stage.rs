//! Files as they are put together for a package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The pages that go into each archive, beside those of `docs`.
const PAGES: [&str; 3] = ["README.md", "CHANGELOG.md", "SECURITY.md"];

/// A folder that becomes a package.
pub(super) struct Stage {
    /// Where it is.
    pub(super) root: PathBuf,
}

impl Stage {
    /// A new, empty one.
    pub(super) fn new(root: PathBuf) -> Result<Self, String> {
        if root.exists() {
            fs::remove_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        }
        place(&root)?;
        Ok(Self { root })
    }

    /// Adds a file.
    pub(super) fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<(), String> {
        let to = self.root.join(to);
        copy(from, &to)?;
        set_mode(&to, mode)
    }

    /// Adds a text.
    pub(super) fn text(&self, to: &str, text: &str, mode: u32) -> Result<(), String> {
        let to = self.root.join(to);
        write(&to, text)?;
        set_mode(&to, mode)
    }

    /// Adds the licences, our own and those of others.
    pub(super) fn licences(&self, project: &Path, to: &str, notices: &str) -> Result<(), String> {
        for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
            self.copy(&project.join(name), &format!("{to}{name}"), 0o644)?;
        }
        self.text(&format!("{to}THIRD-PARTY-LICENSES.txt"), notices, 0o644)
    }

    /// Adds the pages for readers.
    pub(super) fn pages(&self, project: &Path, to: &str) -> Result<(), String> {
        for name in PAGES {
            self.copy(&project.join(name), &format!("{to}{name}"), 0o644)?;
        }
        for path in entries(&project.join("docs"))? {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            self.copy(&path, &format!("{to}docs/{name}"), 0o644)?;
        }
        Ok(())
    }

    /// Gives every file and folder the same time, and each folder ordinary rights; gives the files, sorted, from the root.
    pub(super) fn finish(&self, epoch: u64) -> Result<Vec<String>, String> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        let mut all = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in entries(&folder)? {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&self.root).unwrap_or(&path);
                    files.push(name.to_string_lossy().into_owned());
                    all.push(path);
                }
            }
            set_mode(&folder, 0o755)?;
            all.push(folder);
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        for path in all {
            let set = fs::File::open(&path).and_then(|file| file.set_modified(time));
            set.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// What lies in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let tell = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(tell)? {
        found.push(entry.map_err(tell)?.path());
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes the files of a folder, and what they were made of; other folders in it stay.
pub(super) fn clear(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return place(folder);
    }
    for path in entries(folder)? {
        let ours = ["work", "image", "checks"]
            .iter()
            .any(|name| path.file_name().is_some_and(|found| found == *name));
        let removed = match (path.is_dir(), ours) {
            (true, true) => fs::remove_dir_all(&path),
            (true, false) => Ok(()),
            (false, _) => fs::remove_file(&path),
        };
        removed.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Makes a folder where there is none.
pub(super) fn place(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Copies a file, with the folders above it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    place(to.parent().unwrap_or(to))?;
    fs::copy(from, to)
        .map(|_| ())
        .map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

/// Writes a text, with the folders above it.
pub(super) fn write(to: &Path, text: &str) -> Result<(), String> {
    place(to.parent().unwrap_or(to))?;
    fs::write(to, text).map_err(|error| format!("{}: {error}", to.display()))
}

/// Reads a text.
pub(super) fn text(from: &Path) -> Result<String, String> {
    fs::read_to_string(from).map_err(|error| format!("{}: {error}", from.display()))
}

/// How long a file is, in bytes.
pub(super) fn size(path: &Path) -> Result<u64, String> {
    fs::metadata(path)
        .map(|found| found.len())
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| format!("{}: {error}", path.display()))
}

//! The text files of the tree.

use std::fs;
use std::path::Path;

/// Folders that hold what is made, not what is written.
const MADE: &[&str] = &[
    ".git",
    "target",
    "fuzz/target",
    "fuzz/corpus",
    "fuzz/artifacts",
    "fuzz/coverage",
];

/// The largest file that is looked at, in bytes.
const LARGEST: u64 = 2 * 1024 * 1024;

/// The largest number of files that are looked at: a tree with more is not this project.
const MOST: usize = 20_000;

/// A text file.
pub(super) struct File {
    /// Its path from the project's folder, with `/`.
    pub(super) path: String,
    /// What it says.
    pub(super) text: String,
}

impl File {
    /// Whether it is Rust source.
    pub(super) fn is_rust(&self) -> bool {
        has_ending(&self.path, "rs")
    }

    /// Whether it is a page of documentation.
    pub(super) fn is_page(&self) -> bool {
        has_ending(&self.path, "md")
    }
}

/// Whether the path ends in this extension.
pub(super) fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

/// Reads every text file of the tree, sorted by path. What is not text is left out.
pub(super) fn read(root: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                let made = path
                    .strip_prefix(root)
                    .is_ok_and(|path| MADE.iter().any(|made| path == Path::new(made)));
                if !made {
                    folders.push(path);
                }
                continue;
            }
            let small = entry
                .metadata()
                .is_ok_and(|metadata| metadata.len() <= LARGEST);
            if !kind.is_file() || !small {
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            let path = path.strip_prefix(root).unwrap_or(&path);
            let path = path.to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
            if files.len() > MOST {
                return Err(format!(
                    "more than {MOST} files here: is something built into the tree?"
                ));
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

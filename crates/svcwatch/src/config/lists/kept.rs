//! Lists as they were taken last, each in a file of the data folder, so that a restart while a list is gone or wrong
//! goes on with what was there before.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{HostList, LIST_BYTES, ListState};

/// The folder beside the store.
const FOLDER: &str = "host-lists";
/// The version of what is written.
const VERSION: u32 = 1;
/// A kept list says more than the list itself.
const KEPT_BYTES: u64 = 8 * LIST_BYTES as u64;

#[derive(Deserialize)]
struct Read {
    version: u32,
    source: String,
    #[serde(flatten)]
    list: HostList,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    source: &'a str,
    #[serde(flatten)]
    list: &'a HostList,
}

fn file_of(data: &Path, key: &str) -> PathBuf {
    let hash = Sha256::digest(key.as_bytes());
    let hex: Vec<String> = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    data.join(FOLDER).join(format!("{}.json", hex.concat()))
}

/// The list as it was kept; nothing where it was not, or where what was kept cannot be used.
pub(super) fn read(data: &Path, key: &str) -> Option<HostList> {
    let path = file_of(data, key);
    let metadata = fs::metadata(&path).ok()?;
    if metadata.len() > KEPT_BYTES {
        return None;
    }
    let kept: Read = match serde_json::from_slice(&fs::read(&path).ok()?) {
        Ok(kept) => kept,
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, error = %error, "a kept list of hosts cannot be used");
            return None;
        }
    };
    (kept.version == VERSION && kept.source == key).then_some(kept.list)
}

/// Keeps the lists that are carried out, and no others.
pub fn write(data: &Path, states: &[ListState]) -> io::Result<()> {
    let folder = data.join(FOLDER);
    let mut wanted = BTreeSet::new();
    for state in states {
        let key = state.source.key();
        let path = file_of(data, &key);
        if let Some(list) = &state.list
            && read(data, &key).as_ref() != Some(&**list)
        {
            fs::create_dir_all(&folder)?;
            let written = Written {
                version: VERSION,
                source: &key,
                list,
            };
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            serde_json::to_writer(io::BufWriter::new(file.as_file_mut()), &written)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
        }
        wanted.insert(path);
    }
    let Ok(there) = fs::read_dir(&folder) else {
        return Ok(());
    };
    for entry in there {
        let path = entry?.path();
        let ours = path
            .extension()
            .is_some_and(|extension| extension == "json");
        if ours && !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

//! What is handed out, as `cargo xtask package` made it: installed, run, upgraded and removed.

mod archives;
mod debian;
mod installer;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};

/// The version of all packages.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder of the packages: those that are named, else those that CI makes of the programs that tests use.
fn folder() -> PathBuf {
    let named = std::env::var_os("SVCWATCH_PACKAGES").filter(|named| !named.is_empty());
    let folder = named.map_or_else(
        || {
            let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
            target.expect("the build's folder").join("package/debug")
        },
        PathBuf::from,
    );
    let made = written(&folder.join("SHA256SUMS"));
    let made = made.unwrap_or_else(|| panic!("no packages in {}: {ASK}", folder.display()));
    let mut folders = vec![project().join("packaging")];
    while let Some(place) = folders.pop() {
        for entry in fs::read_dir(&place).expect("a folder of the project") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            assert!(
                written(&path).is_some_and(|written| written <= made),
                "{} is newer than the packages: {ASK}",
                path.display()
            );
        }
    }
    folder
}

/// What to do where there are no packages.
const ASK: &str = "run `cargo xtask package --debug`, which makes them";

fn written(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// One package.
fn package(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "{} is missing: {ASK}", path.display());
    path
}

/// The folder of the project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

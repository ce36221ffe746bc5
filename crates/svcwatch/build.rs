//! Finds out from which commit svcwatch is built. Without git or outside a checkout it is `unknown`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SVCWATCH_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var("SVCWATCH_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given
        .or_else(from_git)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=SVCWATCH_COMMIT={commit}");
}

fn from_git() -> Option<String> {
    // A folder that was unpacked inside somebody else's checkout must not take that one's commit.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // Each commit, checkout and reset adds a line to this file.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    // Cargo would build anew each time for a file that does not exist.
    if std::path::Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// What git says; nothing where there is none, or where it refuses.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}

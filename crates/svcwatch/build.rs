//! Finds out from which commit svcwatch is built: without git or outside a checkout it is `unknown`. For Windows it
//! makes what stands in the exe beside code: icon, version, and the texts of event log messages.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources of the resources stand.
const RESOURCES: &str = "../../packaging/windows";

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
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "windows") {
        if is("CARGO_CFG_TARGET_ENV", "gnu") {
            resources();
        } else {
            println!(
                "cargo::warning=the exe gets no icon, version and messages: only mingw's tools make them"
            );
        }
    }
}

/// Makes the resources with mingw's tools and hands them to the linker.
fn resources() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where to build"));
    let sources = Path::new(RESOURCES);
    for name in ["svcwatch.rc", "svcwatch.ico", "messages.mc"] {
        println!("cargo::rerun-if-changed={}", sources.join(name).display());
    }
    let mut messages = Command::new("x86_64-w64-mingw32-windmc");
    messages
        .arg("-h")
        .arg(&out)
        .arg("-r")
        .arg(&out)
        .arg(sources.join("messages.mc"));
    done(&mut messages);
    let version = env!("CARGO_PKG_VERSION");
    let numbers = version.split(['-', '+']).next().unwrap_or(version);
    let object = out.join("resources.o");
    let mut resources = Command::new("x86_64-w64-mingw32-windres");
    resources
        .arg(format!("-DVERSION_NUMBERS={},0", numbers.replace('.', ",")))
        .arg(format!("-DVERSION_TEXT=\\\"{version}\\\""))
        .arg("-I")
        .arg(sources)
        .arg("-I")
        .arg(&out)
        .args(["-O", "coff", "-i"])
        .arg(sources.join("svcwatch.rc"))
        .arg("-o")
        .arg(&object);
    done(&mut resources);
    println!("cargo::rustc-link-arg-bins={}", object.display());
}

/// Runs a tool that has to be there.
fn done(command: &mut Command) {
    let ended = command.status();
    assert!(
        ended.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{command:?} failed: {ended:?}; `cargo xtask peers` installs it"
    );
}

fn from_git() -> Option<String> {
    // A folder that was unpacked inside somebody else's checkout must not take that one's commit.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // Each commit, checkout and reset adds a line to this file.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    // Cargo would build anew each time for a file that does not exist.
    if Path::new(&log).exists() {
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

//! `cargo xtask windows`: the exe for Windows, built here and looked at before anybody runs it.

mod imports;
mod pe;
mod resources;
pub(crate) mod sign;

use std::path::PathBuf;
use std::time::Instant;

use crate::arguments::Arguments;
use crate::ci::duration;
use crate::peers;
use crate::project::{Failure, Project, read, run as run_program};

/// The help text.
pub(crate) const HELP: &str = "\
Builds svcwatch.exe for 64-bit Windows here, with mingw as linker and the pinned Rust's own parts for Windows, and looks
at what it asks of Windows: nothing but what Windows 10 1607 and Server 2016 have. What is missing is installed first.

Usage: cargo xtask windows [--release] [--clippy]

Options:
  --release    as it is handed out: small, at most 15 MB; else as the tests under Wine use it
  --clippy     only hold the lints against what is compiled for Windows alone, as the step `clippy` of CI does

It is signed with osslsigncode where SVCWATCH_SIGN_CERTIFICATE and SVCWATCH_SIGN_KEY name a certificate (with its chain)
and its key in PEM; SVCWATCH_SIGN_PASSWORD_FILE holds the key's password, SVCWATCH_SIGN_TIMESTAMP is a server of time stamps.

Examples:
  cargo xtask windows
  cargo xtask windows --release
";

/// The compiler's name of 64-bit Windows with mingw as linker.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The profile of cargo, and the folder of what it built, of the exe that is handed out.
const HANDED_OUT: &str = "exe";

/// The largest exe that is handed out, in bytes.
const RELEASE_BYTES_MAX: u64 = 15_000_000;

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let release = arguments.switch("--release");
    let lints = arguments.switch("--clippy");
    arguments.finish()?;
    println!("{}", peers::install(project)?);
    if lints {
        clippy(project)?;
        return Ok(());
    }
    println!("{}", build(project, release)?);
    Ok(())
}

/// Holds the lints against what is compiled for Windows, warnings denied: what calls Windows is compiled nowhere else.
/// Tests are left out, because they start servers that only Linux has.
pub(crate) fn clippy(project: &Project) -> Result<(), String> {
    install_target(project)?;
    let words = [
        "clippy",
        "--locked",
        "-p",
        "svcwatch",
        "-p",
        "svcwatch-core",
        "-p",
        "svcwatch-wire",
        "--lib",
        "--bins",
        "--target",
        TARGET,
        "--",
        "-D",
        "warnings",
    ];
    run_program(&mut project.cargo(&words))
}

/// Builds the exe, looks at it and signs it where there is a key. Says in one sentence what came of it.
pub(crate) fn build(project: &Project, release: bool) -> Result<String, String> {
    install_target(project)?;
    let began = Instant::now();
    let mut command = project.cargo(&[
        "build", "--locked", "-p", "svcwatch", "--bin", "svcwatch", "--target", TARGET,
    ]);
    if release {
        command.args(["--profile", HANDED_OUT]);
    }
    run_program(&mut command)?;
    let took = began.elapsed();
    let exe = exe(project, release)?;
    let bytes = std::fs::read(&exe).map_err(|error| format!("{}: {error}", exe.display()))?;
    let imports = imports::check(&pe::imports(&bytes)?)?;
    let carried = resources::check(&bytes, env!("CARGO_PKG_VERSION"), texts(project)?)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if release && size > RELEASE_BYTES_MAX {
        return Err(format!(
            "{} has {size} bytes, more than the {RELEASE_BYTES_MAX} that are promised",
            exe.display()
        ));
    }
    let signed = sign::sign(project, &exe)?;
    Ok(format!(
        "{}, {:.1} MB, built in {}, {carried}, {imports}, {signed}",
        exe.strip_prefix(&project.root).unwrap_or(&exe).display(),
        megabytes(size),
        duration(took),
    ))
}

/// How many texts of the event log there are.
fn texts(project: &Project) -> Result<usize, String> {
    let path = project.root.join("packaging/windows/messages.mc");
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text
        .lines()
        .filter(|line| line.starts_with("MessageId="))
        .count())
}

/// Bytes in millions, to a tenth.
fn megabytes(bytes: u64) -> f64 {
    let tenths = u32::try_from(bytes / 100_000).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}

/// Where cargo puts the exe.
pub(crate) fn exe(project: &Project, release: bool) -> Result<PathBuf, String> {
    let profile = if release { HANDED_OUT } else { "debug" };
    Ok(target_folder(project)?
        .join(TARGET)
        .join(profile)
        .join("svcwatch.exe"))
}

/// The folder in which cargo builds.
pub(crate) fn target_folder(project: &Project) -> Result<PathBuf, String> {
    let metadata = read(&mut project.cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    // The last key of what cargo prints about itself; a JSON reader for one path would be the tool's only dependency.
    let (_, rest) = metadata
        .split_once("\"target_directory\":\"")
        .ok_or("cargo does not say where it builds")?;
    let folder = rest.split('"').next().unwrap_or_default();
    Ok(PathBuf::from(folder))
}

/// Fetches the pinned Rust's parts for Windows where they are not here.
fn install_target(project: &Project) -> Result<(), String> {
    let here = read(
        project
            .program("rustup")
            .args(["target", "list", "--installed"]),
    )?;
    if here.lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    run_program(project.program("rustup").args(["target", "add", TARGET]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_to_a_tenth_of_a_million() {
        assert!((megabytes(12_345_678) - 12.3).abs() < 1e-9);
    }
}

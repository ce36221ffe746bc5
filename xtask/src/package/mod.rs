//! `cargo xtask package`: what is handed out, made and looked at.

mod archive;
mod crates;
mod debian;
mod docker;
mod installer;
mod notices;
mod sbom;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::arguments::Arguments;
use crate::ci::duration;
use crate::project::{Failure, Project, read, run as run_program};
use crate::{peers, windows};
use stage::{Stage, place};

/// The help text.
pub(crate) const HELP: &str = "\
Makes what is handed out, in target/package: a zip and an installer (MSI) for Windows, a .deb and a tarball for Linux with
glibc, an image where there is docker, podman or buildah, lists of all parts (CycloneDX) and checksums. What is missing
to make them is installed first. Each package is then installed and tried by the tests of packages, the installer on Wine.

Usage: cargo xtask package [--debug]

Options:
  --debug    of the programs that tests use, in target/package/debug, packed fast and not tried here: as CI does, whose
             tests try them. They are not to be handed out

The time in the packages is that of the last commit, or SOURCE_DATE_EPOCH in seconds since 1970; where there is neither,
that of the moment. Exe and installer are signed as `cargo xtask windows` says.

Examples:
  cargo xtask package
  SOURCE_DATE_EPOCH=1767225600 cargo xtask package
";

/// This version, which is that of every package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the packages are made of, and where they go.
struct Work<'project> {
    /// The project.
    project: &'project Project,
    /// Whether this is for tests.
    debug: bool,
    /// The time that the packages carry, in seconds since 1970.
    epoch: u64,
    /// Where the packages go.
    folder: PathBuf,
    /// Where they are put together.
    staging: PathBuf,
    /// svcwatch.exe, without what only a debugger reads.
    exe: PathBuf,
    /// svcwatch for Linux, likewise.
    program: PathBuf,
    /// The licences of what is built in.
    notices: String,
}

/// One package that was made.
struct Made {
    /// Its file, in the folder of packages.
    file: String,
    /// How it was looked at.
    checked: String,
}

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let debug = arguments.switch("--debug");
    arguments.finish()?;
    println!("{}", peers::install(project)?);
    println!("{}", make(project, debug)?);
    Ok(())
}

/// Makes all packages and prints a table of them. Says in one sentence what came of it.
pub(crate) fn make(project: &Project, debug: bool) -> Result<String, String> {
    let began = Instant::now();
    let work = prepare(project, debug)?;
    let mut made = Vec::new();
    let mut tell = |what: &str, one: Made| {
        println!("{what}: {}, {}", one.file, one.checked);
        made.push(one);
    };
    tell("zip", archive::zip(&work)?);
    tell("installer", installer::make(&work)?);
    tell("tarball", archive::tarball(&work)?);
    tell("Debian package", debian::make(&work)?);
    for (system, target) in [
        ("windows", windows::TARGET),
        ("linux", "x86_64-unknown-linux-gnu"),
    ] {
        tell("list of parts", sbom::make(&work, system, target)?);
    }
    let image = docker::make(&work)?;
    println!("image: {image}");
    sums(&work, &made)?;
    println!("\n{}", table(&work, &made)?);
    println!("image   {image}\n");
    if !debug {
        try_them(&work)?;
    }
    Ok(format!(
        "{} packages in {}, made in {}; image: {image}",
        made.len(),
        shown(project, &work.folder),
        duration(began.elapsed())
    ))
}

/// Builds both programs and lays them ready.
fn prepare(project: &Project, debug: bool) -> Result<Work<'_>, String> {
    println!("{}", windows::build(project, !debug)?);
    // The words are those of `cargo xtask tidy`, so that CI builds this once.
    let words: &[&str] = if debug {
        &["build", "--locked", "--workspace", "--bins", "--examples"]
    } else {
        &[
            "build",
            "--locked",
            "--release",
            "-p",
            "svcwatch",
            "--bin",
            "svcwatch",
        ]
    };
    run_program(&mut project.cargo(words))?;
    let target = windows::target_folder(project)?;
    let (folder, built) = if debug {
        (target.join("package/debug"), target.join("debug"))
    } else {
        (target.join("package"), target.join("release"))
    };
    // What an earlier version left must not be handed out with this one. Packages for tests lie in a folder below.
    stage::clear(&folder)?;
    let staging = folder.join("work");
    place(&staging.join("bin"))?;
    let epoch = epoch(project)?;
    let strip = |tool: &str, from: &Path, name: &str| -> Result<PathBuf, String> {
        let to = staging.join("bin").join(name);
        let mut command = project.program(tool);
        // The exe holds a time too.
        command.env("SOURCE_DATE_EPOCH", epoch.to_string());
        run_program(command.args(["--strip-all", "-o"]).arg(&to).arg(from))?;
        Ok(to)
    };
    let built_exe = windows::exe(project, !debug)?;
    let exe = if debug {
        strip("x86_64-w64-mingw32-strip", &built_exe, "svcwatch.exe")?
    } else {
        // Cargo has stripped it, and it may be signed.
        let to = staging.join("bin/svcwatch.exe");
        stage::copy(&built_exe, &to)?;
        to
    };
    let program = strip("strip", &built.join("svcwatch"), "svcwatch")?;
    Ok(Work {
        project,
        debug,
        epoch,
        notices: notices::text(project)?,
        folder,
        staging,
        exe,
        program,
    })
}

/// The time that packages carry: what is asked for, else that of the last commit, else now.
fn epoch(project: &Project) -> Result<u64, String> {
    let asked = std::env::var("SOURCE_DATE_EPOCH").ok();
    let asked = asked.filter(|text| !text.is_empty());
    let committed = || read(project.program("git").args(["log", "-1", "--format=%ct"])).ok();
    let Some(text) = asked.or_else(committed) else {
        println!("there is no commit here, so the packages carry the time of this moment");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        return now
            .map(|since| since.as_secs())
            .map_err(|error| error.to_string());
    };
    text.trim().parse().map_err(|_| {
        format!(
            "SOURCE_DATE_EPOCH is seconds since 1970, not `{}`",
            text.trim()
        )
    })
}

/// Writes the checksums and holds the packages against them.
fn sums(work: &Work<'_>, made: &[Made]) -> Result<(), String> {
    let mut files: Vec<&str> = made.iter().map(|one| one.file.as_str()).collect();
    files.sort_unstable();
    let sha256sum = || {
        let mut command = work.project.program("sha256sum");
        command.current_dir(&work.folder);
        command
    };
    let sums = read(sha256sum().arg("--").args(files))?;
    stage::write(&work.folder.join("SHA256SUMS"), &sums)?;
    read(sha256sum().args(["--check", "--strict", "SHA256SUMS"])).map(|_| ())
}

/// The closing table.
fn table(work: &Work<'_>, made: &[Made]) -> Result<String, String> {
    let mut rows = Vec::new();
    for one in made {
        let path = work.folder.join(&one.file);
        let size = stage::size(&path)?;
        rows.push(format!(
            "{:<44} {:>9}  {}\n",
            one.file,
            kilobytes(size),
            one.checked
        ));
    }
    Ok(format!(
        "{:<44} {:>9}  checked by\n{}SHA256SUMS names all of them\n",
        "file",
        "size",
        rows.concat()
    ))
}

/// Bytes in thousands.
fn kilobytes(bytes: u64) -> String {
    format!("{} kB", bytes.div_ceil(1000))
}

/// Installs and runs them, by the tests of packages.
fn try_them(work: &Work<'_>) -> Result<(), String> {
    let mut command = work
        .project
        .cargo(&["test", "--locked", "-p", "svcwatch", "--test", "peers"]);
    command.args(["--", "--nocapture", "--test-threads=1", "packages::"]);
    command.env("SVCWATCH_PACKAGES", &work.folder);
    run_program(&mut command)
}

/// A path as it is told: from the project's folder, where it is in there.
fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(&project.root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_thousands_and_never_as_nothing() {
        assert_eq!(kilobytes(1), "1 kB");
        assert_eq!(kilobytes(12_345_678), "12346 kB");
    }
}

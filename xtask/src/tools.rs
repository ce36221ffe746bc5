//! The cargo tools that `cargo xtask ci` needs: installed when missing or too old.

use std::time::Instant;

use crate::ci::duration;
use crate::project::{Project, read, run};

/// A cargo tool.
struct Tool {
    /// Its package, which is also its program.
    package: &'static str,
    /// The words that make it print its version.
    version: &'static [&'static str],
    /// The oldest version that does what is asked of it here.
    minimum: [u32; 3],
    /// The version that is installed otherwise.
    install: &'static str,
    /// Further words for its installation.
    options: &'static [&'static str],
    /// Whether it is of use only beside a nightly compiler.
    nightly: bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        package: "cargo-nextest",
        version: &["nextest", "--version"],
        minimum: [0, 9, 120],
        install: "0.9.151",
        // Without the part that downloads newer versions of itself.
        options: &["--no-default-features", "--features", "default-no-update"],
        nightly: false,
    },
    Tool {
        package: "cargo-deny",
        version: &["deny", "--version"],
        minimum: [0, 19, 0],
        install: "0.20.2",
        options: &[],
        nightly: false,
    },
    Tool {
        package: "cargo-fuzz",
        version: &["fuzz", "--version"],
        minimum: [0, 12, 0],
        install: "0.13.2",
        options: &[],
        nightly: true,
    },
];

/// Installs what is missing and says in one sentence what was done.
pub(crate) fn install(project: &Project) -> Result<String, String> {
    let with_nightly = nightly(project).is_some();
    let mut told = Vec::new();
    for tool in TOOLS {
        if tool.nightly && !with_nightly {
            println!(
                "{}: left out, there is no nightly compiler to use it with",
                tool.package
            );
            continue;
        }
        let found = read(&mut project.cargo(tool.version)).ok();
        let found = found.as_deref().and_then(version);
        match found {
            Some(found) if found >= tool.minimum => {
                println!("{}: {} is here", tool.package, text(found));
            }
            Some(found) => println!(
                "{}: {} is too old, {} or newer is needed",
                tool.package,
                text(found),
                text(tool.minimum)
            ),
            None => println!("{}: not here", tool.package),
        }
        if found.is_some_and(|found| found >= tool.minimum) {
            continue;
        }
        let start = Instant::now();
        let mut command = project.cargo(&[
            "install",
            "--locked",
            tool.package,
            "--version",
            tool.install,
        ]);
        command.args(tool.options);
        // A tool that runs for seconds need not be optimised for minutes.
        command.envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
        ]);
        run(&mut command)?;
        told.push(format!(
            "{} {} in {}",
            tool.package,
            tool.install,
            duration(start.elapsed())
        ));
    }
    if told.is_empty() {
        return Ok("all here".to_owned());
    }
    Ok(format!("installed {}", told.join(", ")))
}

/// The name of a nightly toolchain, where one is at hand.
pub(crate) fn nightly(project: &Project) -> Option<String> {
    let list = read(project.program("rustup").args(["toolchain", "list"])).ok()?;
    let name = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("nightly"))?;
    // A name in the list is no promise that the compiler is whole.
    read(
        project
            .program("rustup")
            .args(["run", name, "rustc", "--version"]),
    )
    .ok()?;
    Some(name.to_owned())
}

/// The first `a.b.c` in what a tool says of itself.
fn version(said: &str) -> Option<[u32; 3]> {
    said.split_whitespace().find_map(|word| {
        let word = word.split(['-', '+']).next()?;
        let mut numbers = word.split('.').map(str::parse);
        let found = [
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        ];
        numbers.next().is_none().then_some(found)
    })
}

/// The version as text.
fn text(version: [u32; 3]) -> String {
    let [major, minor, patch] = version;
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_tools_print_them() {
        assert_eq!(
            version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143"),
            Some([0, 9, 143])
        );
        assert_eq!(version("cargo-deny 0.20.2"), Some([0, 20, 2]));
        assert_eq!(version("cargo-fuzz 0.13.2-dev"), Some([0, 13, 2]));
        assert_eq!(version("no version at all 1.2"), None);
    }

    #[test]
    fn what_is_installed_is_new_enough() {
        for tool in TOOLS {
            assert!(
                version(tool.install) >= Some(tool.minimum),
                "{}",
                tool.package
            );
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!([0, 9, 143] > [0, 9, 20]);
    }
}

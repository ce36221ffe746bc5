//! The step that feeds decoders: every kept input again, then new ones for a while where a nightly is at hand.
//!
//! The kept inputs are replayed with the pinned compiler and no instrumentation, so that they are always replayed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::{Project, run};
use crate::tools::nightly;

/// How long all targets together are fuzzed, in seconds.
const SECONDS: usize = 300;

/// The shortest time for one target, in seconds.
const SECONDS_AT_LEAST: usize = 5;

/// How many inputs are handed to a target at once.
const AT_ONCE: usize = 500;

/// Replays all corpora, fuzzes all targets, and says what was done.
pub(crate) fn check(project: &Project) -> Result<Option<String>, String> {
    let folder = project.root.join("fuzz");
    let targets = targets(&folder)?;
    let inputs = replay(project, &folder, &targets)?;
    let replayed = format!("{inputs} kept inputs of {} targets", targets.len());
    let Some(nightly) = nightly(project) else {
        println!(
            "no new inputs were tried: fuzzing needs a nightly compiler, and there is none here"
        );
        return Ok(Some(format!(
            "{replayed}; not fuzzed: no nightly compiler here"
        )));
    };
    let seconds = (SECONDS / targets.len()).max(SECONDS_AT_LEAST);
    let failed: Vec<&str> = targets
        .iter()
        .map(String::as_str)
        .filter(|target| fuzz(project, &nightly, target, seconds).is_err())
        .collect();
    if !failed.is_empty() {
        return Err(format!(
            "{} failed: what made it fail is printed above and kept in fuzz/artifacts",
            failed.join(", ")
        ));
    }
    Ok(Some(format!("{replayed}; fuzzed {seconds} s each")))
}

/// The names of the targets: one file each.
fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let sources = folder.join("fuzz_targets");
    let mut names: Vec<String> = files(&sources)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err("there is no fuzz target in fuzz/fuzz_targets".to_owned());
    }
    Ok(names)
}

/// Runs each target over its kept inputs and gives their number.
fn replay(project: &Project, folder: &Path, targets: &[String]) -> Result<usize, String> {
    let built = folder.join("target").join("replay");
    let mut command = project.cargo(&[
        "build",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--bins",
    ]);
    run(command.arg("--target-dir").arg(&built))?;
    let mut count = 0;
    for target in targets {
        let inputs = files(&folder.join("corpus").join(target));
        if inputs.is_empty() {
            return Err(format!(
                "{target} has no kept input: put its seeds into fuzz/corpus/{target}"
            ));
        }
        let program = built.join("debug").join(target);
        for some in inputs.chunks(AT_ONCE) {
            let mut command = project.program(&program.to_string_lossy());
            run(command
                .args(["-timeout=10", "-rss_limit_mb=2048"])
                .args(some))?;
        }
        count += inputs.len();
    }
    Ok(count)
}

/// Tries new inputs on one target. What is found new goes to a folder that is not kept.
fn fuzz(project: &Project, nightly: &str, target: &str, seconds: usize) -> Result<(), String> {
    let found = format!("fuzz/target/found/{target}");
    fs::create_dir_all(project.root.join(&found))
        .map_err(|error| format!("{found} could not be made: {error}"))?;
    let mut command = project.program("rustup");
    command.args(["run", nightly, "cargo", "fuzz", "run", target]);
    command.args([found, format!("fuzz/corpus/{target}")]);
    command.args([
        "--",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-max_total_time={seconds}"));
    run(&mut command)
}

/// The plain files of a folder, sorted; none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

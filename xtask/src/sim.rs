//! `cargo xtask sim`: the seeded simulator of the deciding code.
//!
//! The simulator is a test target of the core, because it needs the core alone and so cannot reach an adapter.
//! Seeds reach it through the environment, so that the same target runs under any test runner.

use crate::arguments::Arguments;
use crate::project::{Failure, Project, Stream, tee};

/// How many seeds are run where nothing else is said, and in CI.
pub(crate) const SEEDS: u64 = 2000;

/// The help text.
pub(crate) const HELP: &str = "\
Runs the deciding code against hosts that die, lie, hang and reboot, destinations that refuse and vanish, a store
that fails, a clock that jumps and a crash at any commit, and checks the promises after every run.
A run is its seed: the same seed gives the same run.

Usage: cargo xtask sim [--seeds N] [--seed S] [--planted]

Options:
  --seeds N    how many seeds to run (2,000)
  --seed S     run this one seed and tell its story; decimal or 0x
  --planted    only the proof that each planted fault is found by some seed

Examples:
  cargo xtask sim
  cargo xtask sim --seeds 100000
  cargo xtask sim --seed 0x5eed
  cargo xtask sim --planted
";

/// What the simulator is asked to do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request {
    seeds: Option<u64>,
    seed: Option<u64>,
    planted: bool,
}

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let request = Request {
        seeds: arguments.number("--seeds")?,
        seed: arguments.number("--seed")?,
        planted: arguments.switch("--planted"),
    };
    arguments.finish()?;
    if request.seeds == Some(0) {
        return Err(Failure::Usage(
            "--seeds 0 would prove nothing: write 1 or more".to_owned(),
        ));
    }
    if request.planted && (request.seeds.is_some() || request.seed.is_some()) {
        return Err(Failure::Usage("--planted brings its own seeds".to_owned()));
    }
    simulate(project, request)?;
    Ok(())
}

/// Runs the simulator and says how many of its tests passed.
pub(crate) fn simulate(project: &Project, request: Request) -> Result<u64, String> {
    let mut command = project.cargo(&[
        "test",
        "-p",
        "svcwatch-core",
        "--features",
        "planted",
        "--test",
        "sim",
        "--",
        "--nocapture",
    ]);
    if request.planted {
        command.arg("planted");
    }
    command.env(
        "SVCWATCH_SIM_SEEDS",
        request.seeds.unwrap_or(SEEDS).to_string(),
    );
    if let Some(seed) = request.seed {
        command.env("SVCWATCH_SIM_SEED", seed.to_string());
        command.args(["--skip", "planted"]);
    }
    let seen = tee(&mut command, Stream::Out)?;
    seen.result?;
    let passed = seen.lines.iter().filter_map(|line| passed(line)).sum();
    if passed == 0 {
        return Err("the simulator ran no test, so nothing was proved".to_owned());
    }
    Ok(passed)
}

/// How many tests passed, from the test runner's closing line.
fn passed(line: &str) -> Option<u64> {
    let (_, counts) = line.split_once("test result: ok. ")?;
    counts.split_once(" passed")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_understood() {
        assert_eq!(
            passed("test result: ok. 14 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out"),
            Some(14)
        );
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed"), None);
        assert_eq!(passed("seed 7: 31 passed"), None);
    }
}

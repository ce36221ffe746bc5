//! `cargo xtask ci`: everything that must hold, in one command, the same here and in CI.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::project::{Failure, Project, Stream, read, run as run_program, tee};
use crate::{deny, disk, fuzz, package, peers, sim, tidy, tools, windows};

/// The help text.
pub(crate) const HELP: &str = "\
Runs everything that must hold, as CI does: installs what the tests need, then format, lints, house rules, all tests
with real servers, the simulator, the fuzz corpora and the look at dependencies. Each step is announced and timed.
A step that fails does not keep the others from running; the run then ends with 1.

Usage: cargo xtask ci [--only STEP,STEP…] [--list]

Options:
  --only STEPS    run only these steps, separated by commas
  --list          name the steps and run none

Examples:
  cargo xtask ci
  cargo xtask ci --only fmt,clippy,tidy
";

/// What a step hands back: a remark for the closing table, or the sentence that says what failed.
type Outcome = Result<Option<String>, String>;

/// One step of the run.
struct Step {
    /// Its name, for `--only` and the closing table.
    name: &'static str,
    /// What it does.
    about: &'static str,
    /// Does it; may leave lines to be repeated at the very end.
    run: fn(&Project, &mut Vec<String>) -> Outcome,
}

const STEPS: &[Step] = &[
    Step {
        name: "peers",
        about: "the real servers that the tests talk to",
        run: |project, _| peers::install(project).map(Some),
    },
    Step {
        name: "tools",
        about: "the cargo tools of the later steps",
        run: |project, _| tools::install(project).map(Some),
    },
    Step {
        name: "fmt",
        about: "the format of all code",
        run: |project, _| cargo(project, &["fmt", "--all", "--check"]),
    },
    Step {
        name: "clippy",
        about: "the lints, warnings denied",
        run: |project, _| clippy(project),
    },
    Step {
        name: "tidy",
        about: "the house rules",
        run: |project, _| tidy::check(project).map(Some),
    },
    Step {
        name: "windows",
        about: "the exe for Windows, which the tests run under Wine",
        run: |project, _| windows::build(project, false).map(Some),
    },
    Step {
        name: "package",
        about: "all packages, of those programs; the tests install them",
        run: |project, _| package::make(project, true).map(Some),
    },
    Step {
        name: "test",
        about: "all tests, real servers among them",
        run: test,
    },
    Step {
        name: "doctest",
        about: "the examples in the documentation",
        run: |project, _| cargo(project, &["test", "--locked", "--workspace", "--doc"]),
    },
    Step {
        name: "doc",
        about: "the documentation itself, warnings denied",
        run: |project, _| doc(project),
    },
    Step {
        name: "sim",
        about: "the simulator, and the proof that it finds planted faults",
        run: |project, _| {
            let passed = sim::simulate(project, sim::Request::default())?;
            Ok(Some(format!("{} seeds, {passed} tests", sim::SEEDS)))
        },
    },
    Step {
        name: "fuzz",
        about: "kept inputs again, then new ones",
        run: |project, _| fuzz::check(project),
    },
    Step {
        name: "deny",
        about: "licences, bans, sources and advisories of dependencies",
        run: |project, _| deny::check(project),
    },
];

/// How a step ended.
struct Ended {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let only = arguments.value("--only")?;
    let list = arguments.switch("--list");
    arguments.finish()?;
    if list {
        for step in STEPS {
            println!("{:<8} {}", step.name, step.about);
        }
        return Ok(());
    }
    let steps = select(only.as_deref())?;
    let project = Project {
        root: project.root.clone(),
        incremental: false,
    };
    println!("{}", surroundings(&project));
    let start = Instant::now();
    let mut closing = Vec::new();
    let mut ended = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        println!(
            "\n==== {}/{} {}: {}",
            at + 1,
            steps.len(),
            step.name,
            step.about
        );
        let began = Instant::now();
        let outcome = (step.run)(&project, &mut closing);
        let took = began.elapsed();
        match &outcome {
            Ok(_) => println!(
                "==== {}: done in {}, {}",
                step.name,
                duration(took),
                disk::shown(&project)
            ),
            Err(message) => println!(
                "==== {}: FAILED after {}, {}: {message}",
                step.name,
                duration(took),
                disk::shown(&project)
            ),
        }
        ended.push(Ended {
            name: step.name,
            took,
            outcome,
        });
    }
    println!("\n{}", table(&ended, start.elapsed()));
    for line in &closing {
        println!("{line}");
    }
    let failed: Vec<&str> = ended
        .iter()
        .filter(|step| step.outcome.is_err())
        .map(|step| step.name)
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "these steps failed: {}",
        failed.join(", ")
    )))
}

/// The steps that were asked for, in their own order.
fn select(only: Option<&str>) -> Result<Vec<&'static Step>, Failure> {
    let Some(only) = only else {
        return Ok(STEPS.iter().collect());
    };
    let names: Vec<&str> = only.split(',').map(str::trim).collect();
    for name in &names {
        if !STEPS.iter().any(|step| step.name == *name) {
            let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            return Err(Failure::Usage(format!(
                "there is no step `{name}`; the steps are {}",
                known.join(", ")
            )));
        }
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.contains(&step.name))
        .collect())
}

/// What the run stands on, for who reads its record later.
fn surroundings(project: &Project) -> String {
    let compiler = read(project.program("rustc").arg("--version")).unwrap_or_else(|error| error);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let nightly = tools::nightly(project).unwrap_or_else(|| "none".to_owned());
    format!(
        "{}, {cores} cores, {}, nightly: {nightly}",
        compiler.trim(),
        disk::shown(project)
    )
}

/// A step that is one cargo command.
fn cargo(project: &Project, words: &[&str]) -> Outcome {
    run_program(&mut project.cargo(words)).map(|()| None)
}

/// The lints, over everything; then once more where the planted faults are compiled in, and over what is for Windows.
fn clippy(project: &Project) -> Outcome {
    let all = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    cargo(project, &all)?;
    let core = [
        "clippy",
        "--locked",
        "-p",
        "svcwatch-core",
        "--all-targets",
        "--features",
        "planted",
    ];
    run_program(project.cargo(&core).args(["--", "-D", "warnings"]))?;
    windows::clippy(project).map(|()| None)
}

/// All tests. The test runner's own summary is repeated at the end of the run.
fn test(project: &Project, closing: &mut Vec<String>) -> Outcome {
    let mut command = project.cargo(&[
        "nextest",
        "run",
        "--locked",
        "--workspace",
        "--no-fail-fast",
    ]);
    let seen = tee(&mut command, Stream::Err)?;
    let lines: Vec<String> = seen.lines.into();
    let summary = lines
        .iter()
        .rposition(|line| line.trim_start().starts_with("Summary ["));
    if let Some(at) = summary {
        closing.extend(lines.into_iter().skip(at).filter(|line| !line.is_empty()));
    }
    seen.result?;
    if summary.is_none() {
        return Err(
            "the test runner printed no summary, so nothing is known of the tests".to_owned(),
        );
    }
    Ok(None)
}

/// The documentation. The word `--examples` makes cargo take the same features of dependencies as the lints did, so
/// that what they checked is not checked again.
fn doc(project: &Project) -> Outcome {
    let words = [
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--lib",
        "--examples",
    ];
    let mut command = project.cargo(&words);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run_program(&mut command).map(|()| None)
}

/// The closing table of times.
fn table(ended: &[Ended], all: Duration) -> String {
    let rows: Vec<String> = ended
        .iter()
        .map(|step| {
            let result = match &step.outcome {
                Ok(None) => "ok".to_owned(),
                Ok(Some(remark)) => format!("ok      {remark}"),
                Err(message) => format!("FAILED  {message}"),
            };
            format!("{:<8}  {:<8}  {result}\n", step.name, duration(step.took))
        })
        .collect();
    let rows = rows.concat();
    format!(
        "step      time      result\n{rows}{:<8}  {}\n",
        "all",
        duration(all)
    )
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 m 07 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} m {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_words() {
        assert_eq!(duration(Duration::from_millis(421)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(12)), "12 s");
        assert_eq!(duration(Duration::from_secs(187)), "3 m 07 s");
    }

    #[test]
    fn steps_are_selected_in_their_own_order_and_an_unknown_one_is_refused() {
        let names = |only| match select(only) {
            Ok(steps) => steps.iter().map(|step| step.name).collect(),
            Err(_) => vec!["refused"],
        };
        assert_eq!(names(Some("tidy, fmt")), ["fmt", "tidy"]);
        assert_eq!(names(Some("tidy,nothing")), ["refused"]);
        assert_eq!(names(None).len(), STEPS.len());
    }

    #[test]
    fn the_table_shows_what_failed_and_what_was_not_done() {
        let ended = [
            Ended {
                name: "fmt",
                took: Duration::from_millis(900),
                outcome: Ok(None),
            },
            Ended {
                name: "deny",
                took: Duration::from_secs(4),
                outcome: Ok(Some("advisories not checked".to_owned())),
            },
            Ended {
                name: "test",
                took: Duration::from_secs(61),
                outcome: Err("it ended badly".to_owned()),
            },
        ];
        let text = table(&ended, Duration::from_secs(66));
        assert_eq!(
            text,
            "step      time      result\n\
             fmt       0.9 s     ok\n\
             deny      4.0 s     ok      advisories not checked\n\
             test      1 m 01 s  FAILED  it ended badly\n\
             all       1 m 06 s\n"
        );
    }
}

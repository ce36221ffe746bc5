//! `svcwatch demo` as somebody runs it.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Ten times what the first outage takes at this speed.
const TOLD_WITHIN: Duration = Duration::from_mins(1);
/// Ten times what an end may take.
const ENDED_WITHIN: Duration = Duration::from_mins(1);

/// A demo that is killed where a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where all went well.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(temporary: &std::path::Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_svcwatch"));
    command
        .args(["demo", "--hosts", "20", "--speed", "5"])
        .env("TMPDIR", temporary)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running(command.spawn().unwrap())
}

fn ended(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + ENDED_WITHIN;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "it has not ended");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_says_what_it_is_tells_an_outage_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = start(temporary.path());
    let stdout = demo.0.stdout.take().unwrap();
    let (line_in, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if line_in.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    let until = Instant::now() + TOLD_WITHIN;
    let mut said = Vec::new();
    while !said.iter().any(|line: &String| line.contains(" stopped: ")) {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => said.push(line),
            Err(error) => panic!("{error}; it said {said:#?}"),
        }
    }
    let text = said.join("\n");
    for part in [
        "20 hosts of 60 services",
        "/metrics",
        "/api/v1/incidents",
        "Ctrl-C",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe: {text}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);

    let process = rustix::process::Pid::from_child(&demo.0);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let status = ended(&mut demo.0);
    let mut errors = String::new();
    demo.0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(errors, "svcwatch is ending\n");
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_number_that_makes_no_sense_is_refused_with_what_may_be_written() {
    for (arguments, says) in [
        (["--hosts", "0"], "1..=50000"),
        (["--hosts", "50001"], "1..=50000"),
        (["--speed", "0"], "between 0.1 and 100"),
        (["--listen", "here"], "invalid socket address"),
    ] {
        let answer = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .arg("demo")
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&answer.stderr);
        assert_eq!(answer.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
}

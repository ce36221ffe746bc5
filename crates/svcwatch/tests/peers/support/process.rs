//! Starting programs and ending them by their own ids.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a server may take to be there.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(1);

/// How long a server may take to go when it is asked to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Fails the test where a program of a Debian package is missing.
pub(crate) fn need(program: &str, package: &str) {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    assert!(
        found || Path::new(program).is_file(),
        "{program} is missing (Debian package {package}): run `cargo xtask peers`, which installs what these tests need"
    );
}

/// Fails the test where it does not run as root: users are created and Samba changes to them.
pub(crate) fn need_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "tests with Samba run as root, because they create the Unix users that log on; run `cargo xtask ci` as root"
    );
}

/// A running program that is ended when this value is dropped, with all it started itself.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts a program in a process group of its own.
    pub(crate) fn start(command: &mut Command) -> Self {
        // A pipe as standard input that nobody writes to: programs that heed its end stop even if we are killed.
        let child = command.stdin(Stdio::piped()).process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child }
    }

    /// The program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The program's standard output, once, where it was asked for as a pipe.
    pub(crate) fn take_output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until something is so that this program brings about; fails the test where it ends before.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut() -> bool,
        seen: impl Fn() -> String,
    ) {
        let child = &mut self.child;
        let waited = || {
            let ended = child.try_wait().ok().flatten();
            assert!(
                ended.is_none(),
                "waiting for {what}, but the program ended: {ended:?}\n{}",
                seen()
            );
            is_so()
        };
        wait_until(what, waited, &seen);
    }

    fn end(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let group = Pid::from_child(&self.child);
        drop(self.child.stdin.take());
        // Already ended members of the group are no error.
        kill_process_group(group, Signal::TERM).or_else(ignore_missing)?;
        let asked = Instant::now();
        while asked.elapsed() < END_LIMIT {
            if self.child.try_wait()?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        kill_process_group(group, Signal::KILL).or_else(ignore_missing)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("process {} could not be ended: {error}", self.child.id());
        }
    }
}

fn ignore_missing(error: rustix::io::Errno) -> rustix::io::Result<()> {
    if error == rustix::io::Errno::SRCH {
        Ok(())
    } else {
        Err(error)
    }
}

/// Runs a program to its end and fails the test where it fails.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    expect_success(command, &output);
    output
}

/// Runs a program with a text as its standard input.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let sent = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(input.as_bytes()));
    assert!(
        matches!(sent, Some(Ok(()))),
        "{command:?} did not read its input"
    );
    let output = child
        .wait_with_output()
        .unwrap_or_else(|error| panic!("cannot wait for {command:?}: {error}"));
    expect_success(command, &output);
    output
}

fn expect_success(command: &Command, output: &Output) {
    assert!(
        output.status.success(),
        "{command:?} failed with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether a program runs and succeeds, without a word.
pub(crate) fn succeeds(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A port of loopback on which nothing listens.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Waits until something is so; fails the test after [`START_LIMIT`], with what `seen` then says.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool, seen: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < START_LIMIT,
            "not within {START_LIMIT:?}: {what}\n{}",
            seen()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether something listens on a port of loopback.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

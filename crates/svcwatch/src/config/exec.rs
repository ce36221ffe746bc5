//! Secrets that a program prints: `{ exec: [argv] }`. No shell is asked, so nothing in the list is expanded.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::source::{SECRET_BYTES, SecretError, cut, refuse};
use crate::secret::Secret;

/// How long a program may take until it has printed the secret and ended.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a printed secret is good for, so that a vault is not asked at each of a thousand logons.
const GOOD_FOR: Duration = Duration::from_mins(1);
/// How long a failure stands until the program is run again.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// How often it is looked whether a program has ended after it closed its output.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The most programs whose secrets are remembered; a config names far fewer.
const REMEMBERED_MAX: usize = 4_096;

/// A program that prints a secret, with its arguments, which are shown to nobody: some hold a token themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What is run: a path, or a name that is looked for in $PATH.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<Secret>,
}

/// What a program printed last, or why it did not; locked while it runs, so that it runs once at a time.
type Slot = Arc<Mutex<Option<(Instant, Result<Secret, SecretError>)>>>;

/// What is remembered of all programs.
static REMEMBERED: LazyLock<Mutex<BTreeMap<Vec<String>, Slot>>> = LazyLock::new(Mutex::default);

impl Program {
    /// The secret that it prints. One that was printed within the last minute is given again.
    pub(super) fn read(&self) -> Result<Secret, SecretError> {
        let slot = self.slot();
        let mut last = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, result)) = last.as_ref() {
            let good_for = if result.is_ok() { GOOD_FOR } else { FAILED_FOR };
            if at.elapsed() < good_for {
                return result.clone();
            }
        }
        let result = self.run(LIMIT);
        *last = Some((Instant::now(), result.clone()));
        result
    }

    /// Forgets what it printed: it was refused, so the next logon asks anew.
    pub(super) fn forget(&self) {
        *self.slot().lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn slot(&self) -> Slot {
        let mut words = vec![self.path.display().to_string()];
        words.extend(self.arguments.iter().map(|one| one.reveal().to_owned()));
        let mut remembered: MutexGuard<'_, _> =
            REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX && !remembered.contains_key(&words) {
            remembered.clear();
        }
        Arc::clone(remembered.entry(words).or_default())
    }

    fn run(&self, limit: Duration) -> Result<Secret, SecretError> {
        let shown = self.path.display();
        let deadline = Instant::now() + limit;
        let mut child = match self.command().spawn() {
            Ok(child) => child,
            Err(error) => {
                return refuse(
                    format!("{shown} cannot be run: {error}"),
                    "write the full path of a program that the user of svcwatch may run",
                );
            }
        };
        let printed = printed(&mut child, deadline);
        let ended = match printed {
            Ok(_) => ended(&mut child, deadline),
            Err(_) => None,
        };
        end(&mut child);
        match (printed, ended) {
            (Ok(bytes), Some(true)) if bytes.is_empty() => refuse(
                format!("{shown} printed nothing"),
                "let it print the secret on its standard output, and nothing else",
            ),
            (Ok(bytes), Some(true)) => cut(bytes, &format!("what {shown} prints")),
            (Ok(_), Some(false)) => refuse(
                format!("{shown} printed no secret, because it failed"),
                "run it by hand as the user of svcwatch; what it says about its error is not shown here, since it may hold secrets",
            ),
            (Err(RecvTimeoutError::Disconnected), _) => refuse(
                format!("what {shown} prints cannot be read"),
                "run it by hand as the user of svcwatch",
            ),
            (Ok(_), None) | (Err(RecvTimeoutError::Timeout), _) => refuse(
                format!(
                    "{shown} did not print the secret and end within {} s",
                    limit.as_secs()
                ),
                "run it by hand as the user of svcwatch; it must ask nobody anything",
            ),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(self.arguments.iter().map(Secret::reveal))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // A group of its own, so that what it starts itself ends with it.
            command.process_group(0);
        }
        command
    }
}

/// All that a program prints until it closes its output, or one byte more than a secret may have.
fn printed(child: &mut Child, deadline: Instant) -> Result<Vec<u8>, RecvTimeoutError> {
    let output = child.stdout.take().ok_or(RecvTimeoutError::Disconnected)?;
    let (sender, receiver) = mpsc::channel();
    // A program may print nothing for ever, so somebody else reads; that thread ends with the program.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let most = u64::try_from(SECRET_BYTES + 3).unwrap_or(u64::MAX);
        if output.take(most).read_to_end(&mut bytes).is_ok() {
            // Where nobody waits any more the answer is of no use.
            drop(sender.send(bytes));
        }
    });
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
}

/// Whether it ended well; nothing where it did not end in time.
fn ended(child: &mut Child, deadline: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_EVERY),
            Ok(None) => return None,
            Err(_) => return Some(false),
        }
    }
}

/// Ends it with all that it started, if it still runs.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if matches!(child.try_wait(), Ok(None)) {
            // It may have ended by itself meanwhile.
            kill_process_group(Pid::from_child(child), Signal::KILL).unwrap_or_default();
        }
    }
    // The same here: who has ended needs no end.
    drop(child.kill());
    drop(child.wait());
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    fn program(words: &[&str]) -> Program {
        let (path, arguments) = words.split_first().unwrap();
        Program {
            path: PathBuf::from(path),
            arguments: arguments.iter().map(|one| Secret::from(*one)).collect(),
        }
    }

    fn told(words: &[&str]) -> String {
        program(words)
            .run(Duration::from_secs(1))
            .map_or_else(|error| error.to_string(), |secret| secret.reveal().into())
    }

    #[test]
    fn what_a_program_prints_is_the_secret_and_no_shell_is_asked() {
        assert_eq!(told(&["printf", "hunter2\\n"]), "hunter2");
        assert_eq!(told(&["echo", "$HOME", ";", "*"]), "$HOME ; *");
    }

    #[test]
    fn a_program_that_fails_hangs_or_is_not_there_is_said_so_without_its_arguments() {
        for (words, part) in [
            (&["/no/such/program", "canary"][..], "cannot be run"),
            (&["false", "canary"], "because it failed"),
            (&["sh", "-c", "echo canary; exit 3"], "because it failed"),
            (&["true", "canary"], "printed nothing"),
            (&["sh", "-c", "sleep 60 # canary"], "within 1 s"),
            (&["sh", "-c", "exec >&-; sleep 60 # canary"], "within 1 s"),
            (&["sh", "-c", "yes canary"], "more than 4096"),
            (&["printf", "\\377"], "not UTF-8"),
        ] {
            let told = told(words);
            let long = words.contains(&"yes canary");
            assert!(told.contains(part) || long, "{words:?}: {told}");
            assert!(!told.contains("canary"), "{told}");
        }
        let shown = format!("{:?}", program(&["vault", "--token", "canary"]));
        assert!(
            shown.contains("vault") && !shown.contains("canary"),
            "{shown}"
        );
    }

    #[test]
    fn what_it_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("late");
        let script = format!("(sleep 2; touch {}) & sleep 60", file.display());
        assert!(told(&["sh", "-c", &script]).contains("within 1 s"));
        thread::sleep(Duration::from_millis(1_500));
        assert!(!file.exists());
    }

    #[test]
    fn a_secret_is_remembered_until_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = format!("echo x >> {0}; wc -l < {0}", count.display());
        let program = program(&["sh", "-c", &script]);
        let read = || program.read().unwrap().reveal().trim().to_owned();
        assert_eq!((read(), read()), ("1".into(), "1".into()));
        program.forget();
        assert_eq!(read(), "2");
        assert_eq!(fs::read_to_string(&count).unwrap().lines().count(), 2);
    }
}

//! Where secrets come from. They are read again at each use, so that a changed password needs no reload.

use std::env;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::exec::Program;
use crate::secret::Secret;

/// The longest secret, in bytes.
pub(super) const SECRET_BYTES: usize = 4_096;

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It stands in the config itself.
    Text(Secret),
    /// A file; one line end at its end is cut.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A credential of systemd: a file in `$CREDENTIALS_DIRECTORY`.
    Systemd(String),
    /// A program that prints it.
    Exec(Program),
}

/// Why a secret could not be read: what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {instead}")]
pub struct SecretError {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub instead: String,
}

pub(super) fn refuse<T>(
    what: impl Into<String>,
    instead: impl Into<String>,
) -> Result<T, SecretError> {
    Err(SecretError {
        what: what.into(),
        instead: instead.into(),
    })
}

impl SecretSource {
    /// Reads the secret as it is now. The error says what to change, and never the secret.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(path) => from_file(path),
            Self::Env(name) => from_env(name),
            Self::Systemd(name) => from_systemd(
                name,
                env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            ),
            Self::Exec(program) => program.read(),
        }
    }

    /// It was refused: what is remembered of it does not count any more.
    pub fn forget(&self) {
        match self {
            Self::Exec(program) => program.forget(),
            Self::Text(_) | Self::File(_) | Self::Env(_) | Self::Systemd(_) => {}
        }
    }
}

fn from_env(name: &str) -> Result<Secret, SecretError> {
    match env::var(name) {
        Ok(text) if text.is_empty() => refuse(
            format!("the environment variable {name} is empty"),
            "give it the secret before svcwatch is started",
        ),
        Ok(text) if text.len() > SECRET_BYTES => {
            too_long(&format!("the environment variable {name}"))
        }
        Ok(text) => Ok(Secret::new(text)),
        Err(env::VarError::NotPresent) => refuse(
            format!("the environment variable {name} is not set"),
            "set it before svcwatch is started",
        ),
        Err(env::VarError::NotUnicode(_)) => refuse(
            format!("the environment variable {name} is not UTF-8"),
            "write the secret in UTF-8",
        ),
    }
}

fn from_systemd(name: &str, folder: Option<PathBuf>) -> Result<Secret, SecretError> {
    let Some(folder) = folder else {
        return refuse(
            format!(
                "there is no credential {name}, because systemd gave none ($CREDENTIALS_DIRECTORY is not set)"
            ),
            format!("start svcwatch as a unit with `LoadCredential={name}:FILE`"),
        );
    };
    from_file(&folder.join(name))
}

fn from_file(path: &Path) -> Result<Secret, SecretError> {
    // A mark of UTF-8, a line end, and one byte more by which too long a secret is known.
    let bytes = guarded_bytes(path, SECRET_BYTES + 6)?;
    cut(bytes, &path.display().to_string())
}

/// What a file holds that only its owner can read, but no more bytes than `most`.
pub(crate) fn guarded_bytes(path: &Path, most: usize) -> Result<Vec<u8>, SecretError> {
    let shown = path.display();
    let file = open(path)?;
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            return refuse(
                format!("{shown} cannot be read: {error}"),
                "look at its permissions",
            );
        }
    };
    if !metadata.is_file() {
        return refuse(
            format!("{shown} is no file"),
            "name a file that holds the secret and nothing else",
        );
    }
    guarded(path, &metadata)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    if let Err(error) = file.take(most).read_to_end(&mut bytes) {
        return refuse(
            format!("{shown} cannot be read: {error}"),
            "look at the file",
        );
    }
    Ok(bytes)
}

/// The secret in what was read; one line end at its end is cut, and the mark that Windows' editors write in front of
/// UTF-8.
pub(super) fn cut(bytes: Vec<u8>, shown: &str) -> Result<Secret, SecretError> {
    let Ok(text) = String::from_utf8(bytes) else {
        return refuse(format!("{shown} is not UTF-8"), "save the secret as UTF-8");
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return refuse(format!("{shown} is empty"), "write the secret into it");
    }
    if text.len() > SECRET_BYTES {
        return too_long(shown);
    }
    Ok(Secret::new(text))
}

fn too_long<T>(place: &str) -> Result<T, SecretError> {
    refuse(
        format!("{place} holds more than {SECRET_BYTES} bytes"),
        "let it hold the secret and nothing else",
    )
}

/// Opens without waiting, so that a pipe under that name cannot hold us up.
#[cfg(unix)]
fn open(path: &Path) -> Result<File, SecretError> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    let shown = path.display();
    match rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY,
        Mode::empty(),
    ) {
        Ok(file) => Ok(File::from(file)),
        Err(Errno::LOOP) => refuse(
            format!("{shown} is a symbolic link that leads back to itself"),
            "name the file itself",
        ),
        Err(Errno::NOENT) => refuse(
            format!("{shown} does not exist"),
            "write the secret into it, and run `chmod 600` on it",
        ),
        Err(Errno::ACCESS) => refuse(
            format!("{shown} may not be read by the user that svcwatch runs as"),
            format!("run `chown` to that user on {shown}"),
        ),
        Err(error) => refuse(
            format!("{shown} cannot be opened: {error}"),
            "look at the file",
        ),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, SecretError> {
    match File::open(path) {
        Ok(file) => Ok(file),
        Err(error) => refuse(
            format!("{} cannot be opened: {error}", path.display()),
            "look at the file",
        ),
    }
}

/// Refuses a file that others can read or change, or that belongs to somebody else.
#[cfg(unix)]
fn guarded(path: &Path, metadata: &Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::MetadataExt;

    let shown = path.display();
    let us = rustix::process::geteuid().as_raw();
    if metadata.uid() != us && metadata.uid() != 0 {
        return refuse(
            format!(
                "{shown} belongs to user {}, and svcwatch runs as user {us}",
                metadata.uid()
            ),
            format!("run `chown {us} {shown}`"),
        );
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o007 != 0 {
        return refuse(
            format!("others can read or change {shown} (mode {mode:04o})"),
            format!("run `chmod o= {shown}`"),
        );
    }
    if mode & 0o020 != 0 {
        return refuse(
            format!("its group can change {shown} (mode {mode:04o})"),
            format!("run `chmod g-w {shown}`"),
        );
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere a file that others may read is refused"
)]
fn guarded(_path: &Path, _metadata: &Metadata) -> Result<(), SecretError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, SecretSource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, SecretSource::File(path))
    }

    fn what(source: &SecretSource) -> String {
        source
            .read()
            .map_or_else(|error| error.to_string(), |_| "read".into())
    }

    #[test]
    fn one_line_end_and_the_mark_of_utf_8_are_cut_and_no_more() {
        for (text, wanted) in [
            ("pass\n", "pass"),
            ("pass\r\n", "pass"),
            ("pass\n\n", "pass\n"),
            (" p ", " p "),
            ("pass\r", "pass\r"),
            ("\u{feff}pass\r\n", "pass"),
        ] {
            let (_folder, source) = file(text.as_bytes(), 0o600);
            assert_eq!(source.read().unwrap().reveal(), wanted);
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let (folder, source) = file(b"hunter2", 0o644);
        let told = what(&source);
        let path = folder.path().join("password");
        assert!(
            told.contains("others can read")
                && told.contains(&format!("chmod o= {}", path.display())),
            "{told}"
        );
        assert!(!told.contains("hunter2"));
        let (_folder, source) = file(b"hunter2", 0o660);
        assert!(what(&source).contains("chmod g-w"));
        let (_folder, source) = file(b"hunter2", 0o640);
        assert_eq!(what(&source), "read");
    }

    #[test]
    fn what_is_no_secret_is_said_so() {
        for (text, part) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"\xff\xfe", "not UTF-8"),
            (&[b'a'; 5_000], "more than 4096"),
        ] {
            let (_folder, source) = file(text, 0o600);
            assert!(what(&source).contains(part), "{part}: {}", what(&source));
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(what(&SecretSource::File(folder.path().to_owned())).contains("is no file"));
        assert!(what(&SecretSource::File(folder.path().join("none"))).contains("does not exist"));
        let looped = folder.path().join("loop");
        symlink(&looped, &looped).unwrap();
        assert!(what(&SecretSource::File(looped)).contains("leads back to itself"));
    }

    #[test]
    fn a_pipe_does_not_hold_us_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(what(&SecretSource::File(path)).contains("is no file"));
    }

    #[test]
    fn a_changed_file_is_read_anew() {
        let (folder, source) = file(b"old", 0o600);
        assert_eq!(source.read().unwrap().reveal(), "old");
        fs::write(folder.path().join("password"), "new").unwrap();
        assert_eq!(source.read().unwrap().reveal(), "new");
    }

    #[test]
    fn variables_and_credentials_that_are_not_there_are_named() {
        assert!(
            what(&SecretSource::Env("SVCWATCH_TEST_NOT_SET".into()))
                .contains("SVCWATCH_TEST_NOT_SET is not set")
        );
        assert!(SecretSource::Env("PATH".into()).read().is_ok());
        let told = from_systemd("ops", None).map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.contains("LoadCredential=ops:FILE")));
        let (folder, _) = file(b"secret\n", 0o400);
        let read = from_systemd("password", Some(folder.path().to_owned())).unwrap();
        assert_eq!(read.reveal(), "secret");
    }
}

//! Lines into a file or onto the standard output: each whole or not at all, and on the disk before it counts.

use crate::dest::judge::{FileReply, too_late};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// A file that lines are added to.
#[derive(Debug)]
pub struct Lines {
    path: Option<PathBuf>,
    /// Held while a line is written, also beyond the deadline: a disk or pipe that hangs holds one thread, not many.
    writing: Arc<Mutex<()>>,
}

impl Lines {
    /// Lines of a file, or of the standard output.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            writing: Arc::new(Mutex::new(())),
        }
    }

    /// Adds one line. The file is opened for each, so that it may be moved away at any time.
    pub async fn write(&self, line: Vec<u8>, timeout: Duration) -> FileReply {
        match tokio::time::timeout(timeout, self.write_now(line)).await {
            Ok(reply) => reply,
            Err(_) => FileReply::Failed(too_late(timeout)),
        }
    }

    async fn write_now(&self, line: Vec<u8>) -> FileReply {
        let turn = Arc::clone(&self.writing).lock_owned().await;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let result = match &path {
                Some(path) => append(path, line),
                None => print(line),
            };
            drop(turn);
            result.map_err(|error| match &path {
                Some(path) => format!("{} cannot be written: {error}", path.display()),
                None => format!("the standard output cannot be written: {error}"),
            })
        });
        match written.await {
            Ok(Ok(())) => FileReply::Written,
            Ok(Err(error)) => FileReply::Failed(error),
            Err(_) => FileReply::Failed("writing broke off".to_owned()),
        }
    }

    /// Whether the file can be opened for writing.
    pub async fn check(&self, timeout: Duration) -> Result<String, String> {
        let Some(path) = self.path.clone() else {
            return Ok("writes to the standard output".to_owned());
        };
        let opened = tokio::task::spawn_blocking(move || {
            open(&path)
                .map(|_| format!("{} can be written", path.display()))
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))
        });
        match tokio::time::timeout(timeout, opened).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("opening broke off".to_owned()),
            Err(_) => Err(too_late(timeout)),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

fn append(path: &Path, line: Vec<u8>) -> io::Result<()> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(line.len() + 2);
    let regular = file.metadata()?.is_file();
    // A full disk or a crash may have torn the line before: it gets its end first.
    if regular && file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [b'\n'];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            bytes.push(b'\n');
        }
    }
    bytes.extend(line);
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    // A pipe or a device has nothing to sync.
    if regular { file.sync_data() } else { Ok(()) }
}

fn print(mut line: Vec<u8>) -> io::Result<()> {
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn lines_are_whole_and_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notices.jsonl");
        let lines = Lines::new(Some(path.clone()));
        assert_eq!(
            lines.write(b"{\"a\":1}".to_vec(), SOON).await,
            FileReply::Written
        );
        // A torn line, as a full disk leaves it.
        let mut file = OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("the file");
        file.write_all(b"{\"torn").expect("writing");
        assert_eq!(
            lines.write(b"{\"b\":2}".to_vec(), SOON).await,
            FileReply::Written
        );
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "{\"a\":1}\n{\"torn\n{\"b\":2}\n");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = Lines::new(Some(folder.path().join("missing/notices.jsonl")));
        let FileReply::Failed(error) = lines.write(b"{}".to_vec(), SOON).await else {
            panic!("written into a folder that does not exist");
        };
        assert!(
            error.contains("missing/notices.jsonl cannot be written"),
            "{error}"
        );
        assert!(lines.check(SOON).await.is_err());
    }
}

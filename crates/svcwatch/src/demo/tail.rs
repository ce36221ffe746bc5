//! Follows the file that the `log` destination writes to.

use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::sleep;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The longest line; what is longer is left out.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A file that grows by lines.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// What was read and not given yet.
    read: Vec<u8>,
}

impl Tail {
    /// From the beginning of a file, which need not be there yet.
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            read: Vec::new(),
        }
    }

    /// The next line without its end; waits until there is one. Nothing is lost where nobody waits to the end.
    pub async fn next(&mut self) -> io::Result<String> {
        loop {
            if let Some(line) = self.line() {
                return Ok(line);
            }
            if !self.more().await? {
                sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Cuts a line off what was read.
    fn line(&mut self) -> Option<String> {
        let Some(end) = self.read.iter().position(|byte| *byte == b'\n') else {
            if self.read.len() > LINE_BYTES_MAX {
                self.read.clear();
            }
            return None;
        };
        let rest = self.read.split_off(end.saturating_add(1));
        let line = std::mem::replace(&mut self.read, rest);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads on; false where there is nothing more for now.
    async fn more(&mut self) -> io::Result<bool> {
        let file = match &mut self.file {
            Some(file) => file,
            none => match File::open(&self.path).await {
                Ok(file) => none.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            },
        };
        self.read.reserve(PIECE_BYTES);
        Ok(file.read_buf(&mut self.read).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn lines_come_whole_and_once_even_where_they_are_written_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told");
        let mut tail = Tail::new(path.clone());
        let early = tokio::time::timeout(Duration::from_millis(120), tail.next()).await;
        assert!(early.is_err(), "there is no file yet");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(tail.next().await.unwrap(), "one");
        assert_eq!(tail.next().await.unwrap(), "two");
        let half = tokio::time::timeout(Duration::from_millis(120), tail.next()).await;
        assert!(half.is_err(), "a line is not there until its end is");
        file.write_all(b"ee\n").unwrap();
        assert_eq!(tail.next().await.unwrap(), "three");
    }
}

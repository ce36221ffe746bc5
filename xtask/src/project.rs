//! Where the project is, and how its tools start other programs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The last lines of a program's output that [`tee`] keeps.
const KEPT_LINES: usize = 2000;

/// How much of a long command is shown, in bytes.
const SHOWN_BYTES: usize = 300;

/// Why a command did not do its work.
pub(crate) enum Failure {
    /// It was called wrongly: exit code 2, with its help.
    Usage(String),
    /// It ran and something failed: exit code 1.
    Failed(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// The project that is worked on.
pub(crate) struct Project {
    /// The folder with the workspace's manifest.
    pub(crate) root: PathBuf,
    /// Whether cargo may build incrementally, which helps who edits and only costs who builds once.
    pub(crate) incremental: bool,
}

impl Project {
    /// Finds the project: cargo says where this tool's own manifest is, otherwise it is looked for upwards from here.
    pub(crate) fn find() -> Result<Self, Failure> {
        let told = std::env::var_os("CARGO_MANIFEST_DIR")
            .and_then(|xtask| Path::new(&xtask).parent().map(Path::to_path_buf));
        let here = std::env::current_dir().unwrap_or_default();
        let root = told
            .into_iter()
            .chain(here.ancestors().map(Path::to_path_buf))
            .find(|folder| folder.join("Cargo.toml").is_file() && folder.join("xtask").is_dir())
            .ok_or_else(|| {
                Failure::Failed(
                    "no svcwatch project here or above: run it inside the project".to_owned(),
                )
            })?;
        Ok(Self {
            root,
            incremental: true,
        })
    }

    /// A program, to be run in the project's folder.
    ///
    /// What cargo told us about ourselves is not handed on: build scripts of dependencies that look at it would run
    /// again, and with them half of the build, each time that one changes between `cargo build` and this tool.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.root);
        for (variable, _) in std::env::vars_os() {
            let variable_text = variable.to_string_lossy();
            let about_us = [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
            ]
            .iter()
            .any(|start| variable_text.starts_with(start));
            if about_us || variable_text == "CARGO_PRIMARY_PACKAGE" || variable_text == "OUT_DIR" {
                command.env_remove(&variable);
            }
        }
        if !self.incremental {
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }

    /// Cargo with the given words, in the project's folder.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = self.program("cargo");
        command.args(words);
        command
    }
}

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains([' ', '\n', '"', '$', '*']) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    }));
    let mut text = words.join(" ");
    if text.len() > SHOWN_BYTES {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES));
        text += " …";
    }
    text
}

/// Runs a program that may talk to the terminal; a bad end is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("$ {}", show(command));
    let status = command
        .status()
        .map_err(|error| format!("`{}` could not be started: {error}", show(command)))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{}` ended with {status}", show(command)))
}

/// Runs a program and gives its standard output; nothing is shown.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("`{}` could not be started: {error}", show(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", show(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Which of a program's two outputs is read along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What [`tee`] saw.
pub(crate) struct Seen {
    /// Whether the program ended well; otherwise the sentence that says how.
    pub(crate) result: Result<(), String>,
    /// Its last lines on that stream, without colours.
    pub(crate) lines: VecDeque<String>,
}

/// Runs a program, passes one of its outputs through as it comes, and keeps its last lines.
pub(crate) fn tee(command: &mut Command, stream: Stream) -> Result<Seen, String> {
    println!("$ {}", show(command));
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let (out, err) = match stream {
        Stream::Out => (Stdio::piped(), Stdio::inherit()),
        Stream::Err => (Stdio::inherit(), Stdio::piped()),
    };
    let mut child = command
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|error| format!("`{}` could not be started: {error}", show(command)))?;
    let pipe: Option<Box<dyn Read>> = match stream {
        Stream::Out => child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>),
        Stream::Err => child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>),
    };
    let mut lines = VecDeque::new();
    if let Some(pipe) = pipe {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            pass_on(&line, stream);
            lines.push_back(plain(String::from_utf8_lossy(&line).trim_end()));
            if lines.len() > KEPT_LINES {
                lines.pop_front();
            }
            line.clear();
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("`{}` could not be waited for: {error}", show(command)))?;
    let result = if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", show(command)))
    };
    Ok(Seen { result, lines })
}

/// Writes what was read to our own stream of the same kind. A reader that went away is no reason to stop working.
fn pass_on(line: &[u8], stream: Stream) {
    let written = match stream {
        Stream::Out => std::io::stdout().write_all(line),
        Stream::Err => std::io::stderr().write_all(line),
    };
    drop(written);
}

/// The line without its colour sequences.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A sequence goes from `ESC [` to its first letter.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            plain("\u{1b}[32;1m Summary\u{1b}[0m [ 1s]"),
            " Summary [ 1s]"
        );
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one two"]);
        assert_eq!(show(&command), "sh -c 'echo one two'");
    }

    #[test]
    fn tee_keeps_the_lines_and_the_end() {
        let seen = tee(
            Command::new("sh").args(["-c", "echo one; echo two; exit 3"]),
            Stream::Out,
        );
        let seen = seen.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(seen.lines, ["one", "two"]);
        assert!(seen.result.is_err_and(|text| text.contains('3')));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let result = run(&mut Command::new("no-such-program-anywhere"));
        assert!(result.is_err_and(|text| text.contains("`no-such-program-anywhere` could not be started")));
    }
}

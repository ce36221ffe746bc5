//! The built program, run as people run it.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a command may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, without anything in its environment that could change what it does.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_svcwatch"));
    for name in [
        "RUST_LOG",
        "SVCWATCH_PASSWORD",
        "NO_COLOR",
        "http_proxy",
        "HTTP_PROXY",
    ] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn svcwatch(arguments: &[&str]) -> Done {
    done(command(arguments).spawn().unwrap())
}

/// Waits for the end of a program that was started; it is ended where that takes too long.
pub(crate) fn done(mut child: Child) -> Done {
    // Read while it runs: a pipe takes 64 KiB, and a program that writes more would wait for ever.
    let out = child
        .stdout
        .take()
        .map(|pipe| std::thread::spawn(|| read(pipe)));
    let err = child
        .stderr
        .take()
        .map(|pipe| std::thread::spawn(|| read(pipe)));
    let all = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reader.map_or_else(String::new, |reader| text(&reader.join().unwrap()))
    };
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > DEADLINE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not end: {}", all(err));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let status = child.wait().unwrap();
    Done {
        code: status.code(),
        out: all(out),
        err: all(err),
    }
}

fn read(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

//! From the stop of a service of the machine itself to the notice, by svcwatch.exe on Wine: where it is heard at once, and
//! by reading alone. It begins when the service tells the manager that it has stopped. The notice is committed when
//! svcwatch logs the change, which it does as soon as the transaction is durable; then the destination, a file, has it. The
//! program that stops the service waits until the log and that file have grown.

use crate::support::process::wait_until;
use crate::support::windows::Windows;
use crate::table::{Promise, Table, percentile, seconds};
use std::fs;
use std::time::{Duration, Instant};

/// This part, for the table.
const PART: &str = "local";
/// Stops that are heard, and those that are found by reading.
const STOPS: (usize, usize) = (50, 50);
/// How often the machine is read where nothing is heard. A change waits half of it in the middle, whatever it is. It is
/// less than the program that measures waits after a start, so that no start goes by unseen.
const READ_EVERY: &str = "1s";
/// Seconds from the stop to the notice, in the middle and at most for 99 of 100.
const PROMISED: (f64, f64) = (0.010, 0.100);
/// Seconds until the program is ready.
const READY: f64 = 1.0;
/// Bytes of the exe.
const EXE: f64 = 15e6;
/// How often the start is measured; Wine itself has to be warm.
const STARTS: usize = 5;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let [mut committed, mut written] = stops("localhost", "1h", STOPS.0);
    let [mut read, _] = stops("another-name", READ_EVERY, STOPS.1);
    table.promised(
        PART,
        format!(
            "own machine under Wine: stop to committed notice, heard, {} times, p50",
            STOPS.0
        ),
        percentile(&mut committed, 50).as_secs_f64(),
        (Promise::AtMost, PROMISED.0),
        seconds,
    );
    table.promised(
        PART,
        "… p99",
        percentile(&mut committed, 99).as_secs_f64(),
        (Promise::AtMost, PROMISED.1),
        seconds,
    );
    let [half, most] = [50, 99].map(|percent| percentile(&mut written, percent).as_secs_f64());
    table.plain(
        PART,
        "… until its destination has it, with what its host says of the end, p50 and p99",
        format!("{}, {}", seconds(half), seconds(most)),
    );
    let [half, most] = [50, 99].map(|percent| percentile(&mut read, percent).as_secs_f64());
    table.plain(
        PART,
        format!(
            "… the same, found by reading every {READ_EVERY}, {} times, p50 and p99",
            STOPS.1
        ),
        format!("{}, {}", seconds(half), seconds(most)),
    );
    let (ready, bytes) = start();
    table.promised(
        PART,
        format!("svcwatch.exe from start to ready under Wine, middle of {STARTS}"),
        ready,
        (Promise::AtMost, READY),
        seconds,
    );
    table.promised(
        PART,
        "bytes of svcwatch.exe",
        bytes,
        (Promise::AtMost, EXE),
        megabytes,
    );
}

/// Millions of bytes.
fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A configuration that tells of one service to a file. Under an address that is no name of its own the machine is read as
/// another one is, for Wine has but one.
fn config(address: &str, every: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\n\
         hosts:\n  - {{ name: localhost, address: {address}, transport: local, every: {every}, settle: 0s, services: [measured] }}\n\
         destinations:\n  file: {{ type: log, path: 'C:\\told.jsonl' }}\n\
         notices: {{ summary_above: off }}\n"
    )
}

/// How long it took from each stop until its notice was committed, and until it was written.
fn stops(address: &str, every: &str, count: usize) -> [Vec<Duration>; 2] {
    let windows = Windows::start_with("exe");
    let drive = windows.drive();
    windows.service(&["install", "measured", "obey", "0"]);
    windows.service(&["start", "measured"]);
    fs::write(drive.join("svcwatch.yaml"), config(address, every)).expect("a file can be written");
    let log = drive.join("svcwatch.log");
    let words = ["run", "-c", r"C:\svcwatch.yaml", "--data", r"C:\data"];
    let mut running = windows.start_svcwatch(&words, &log);
    let read = |name: &str| fs::read_to_string(drive.join(name)).unwrap_or_default();
    let ready = || read("svcwatch.log").contains("service=measured to=running");
    running.wait_until("svcwatch has seen the service", ready, || {
        read("svcwatch.log")
    });
    // The first stop makes the file.
    for (what, event) in [("stop", "stopped"), ("start", "started")] {
        windows.service(&[what, "measured"]);
        wait_until(
            "it is told",
            || read("told.jsonl").contains(&format!(r#""event":"{event}""#)),
            || read("svcwatch.log"),
        );
    }
    let count = count.to_string();
    let said = windows.told_by_service(&[
        "measure",
        "measured",
        &count,
        r"C:\svcwatch.log",
        r"C:\told.jsonl",
    ]);
    let column = |number: usize| {
        let lines = said.lines().map(|line| line.split_whitespace().nth(number));
        let words = lines.map(|word| word.and_then(|word| word.parse().ok()));
        words
            .map(|word| Duration::from_micros(word.expect("microseconds")))
            .collect()
    };
    [column(0), column(1)]
}

/// How long it takes from the start to being ready, and how large the exe is.
fn start() -> (f64, f64) {
    let windows = Windows::start_with("exe");
    let drive = windows.drive();
    fs::write(drive.join("svcwatch.yaml"), config("localhost", "1h"))
        .expect("a file can be written");
    let log = drive.join("svcwatch.log");
    let words = ["run", "-c", r"C:\svcwatch.yaml", "--data", r"C:\data"];
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let mut running = windows.start_svcwatch(&words, &log);
        let read = || fs::read_to_string(&log).unwrap_or_default();
        running.wait_until("svcwatch is ready", || read().contains("is ready"), read);
        starts.push(begun.elapsed());
    }
    let size = fs::metadata(drive.join("svcwatch.exe"))
        .expect("the exe is there")
        .len();
    let size = u32::try_from(size).expect("an exe is smaller than 4 GB");
    (percentile(&mut starts, 50).as_secs_f64(), f64::from(size))
}

//! How long it takes from the end of a service until its notice is committed, and until its destination has it.

use super::Watch;
use crate::support::windows::Windows;

/// Stops that are measured.
const STOPS: usize = 20;

#[test]
fn each_stop_of_many_is_heard_and_its_time_is_told() {
    let windows = Windows::start();
    windows.service(&["install", "measured", "obey", "0"]);
    windows.service(&["start", "measured"]);
    let watch = Watch::start(windows, "measured");
    // The first stop makes the file.
    for (what, count) in [("stop", 1), ("start", 2)] {
        watch.windows.service(&[what, "measured"]);
        watch.until(count);
    }
    let count = STOPS.to_string();
    let words = [
        "measure",
        "measured",
        &count,
        r"C:\svcwatch.log",
        r"C:\told.jsonl",
    ];
    let said = watch.windows.told_by_service(&words);
    let mut took: Vec<[u64; 2]> = said
        .lines()
        .map(|line| {
            let mut words = line
                .split_whitespace()
                .map(|word| word.parse().expect("microseconds"));
            std::array::from_fn(|_| words.next().expect("two numbers in a line"))
        })
        .collect();
    assert_eq!(took.len(), STOPS, "{said}");
    for (column, what) in ["its notice was committed", "its destination had it"]
        .into_iter()
        .enumerate()
    {
        took.sort_by_key(|line| line[column]);
        println!(
            "own machine, from the stop until {what}, {STOPS} times, readings an hour apart: median {} ms, slowest {} ms",
            took[STOPS / 2][column] / 1000,
            took[STOPS - 1][column] / 1000
        );
    }
    // Each was told, and none twice.
    assert_eq!(watch.until(2 * STOPS + 2)["event"], "started");
    assert_eq!(watch.told().len(), 2 * STOPS + 2, "{}", watch.seen());
}

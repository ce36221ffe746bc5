//! What goes wrong on the machine itself: services that hang, vanish or change a thousand times a second, and a service
//! control manager that breaks.

use std::fs;

use super::{Watch, words};
use crate::support::process::wait_until;
use crate::support::windows::Windows;

/// How often the one service says that it changed, as fast as it can.
const CHANGES: &str = "1000";
/// Threads that a reading may have at the moment of counting.
const PASSING_THREADS: usize = 2;

impl Watch {
    /// The threads of svcwatch.exe.
    fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.running.id());
        fs::read_dir(tasks).expect("it runs").count()
    }

    /// Waits until the last notice about a service tells of this.
    fn until_last(&self, service: &str, event: &str) {
        let last = || {
            let told = self.told();
            let last = told.iter().rfind(|notice| notice["service"] == service);
            last.map(|notice| words(notice).1.to_owned())
        };
        wait_until(
            &format!("{service} is told as {event} last"),
            || last().as_deref() == Some(event),
            || self.seen(),
        );
    }
}

#[test]
fn services_that_hang_vanish_or_change_all_the_time_are_told_as_they_are_in_the_end() {
    let windows = Windows::start();
    for (name, how, number) in [
        ("hanging", "hang", "0"),
        ("deaf", "deaf", "9"),
        ("vanishing", "obey", "0"),
        ("stormy", "obey", CHANGES),
    ] {
        windows.service(&["install", name, how, number]);
        windows.service(&["start", name]);
    }
    let watch = Watch::start(windows, "hanging, deaf, vanishing, stormy");
    let windows = &watch.windows;
    // Everything that is begun once has begun when the first change was told.
    windows.service(&["stop", "vanishing"]);
    watch.until_last("vanishing", "stopped");
    let threads = watch.threads();

    windows.service(&["control", "stormy", "203"]);
    watch.until_last("stormy", "stopped");
    for _ in 0..10 {
        windows.service(&["start", "stormy"]);
        watch.until_last("stormy", "started");
        windows.service(&["stop", "stormy"]);
        watch.until_last("stormy", "stopped");
    }
    windows.service(&["start", "stormy"]);
    windows.service(&["control", "stormy", "203"]);
    watch.until_last("stormy", "stopped");

    // It does not heed the stop, so nothing has changed; then its process ends without a word.
    windows.service(&["stop", "deaf"]);
    windows.service(&["control", "deaf", "202"]);
    watch.until_last("deaf", "stopped");
    let told = watch.told();
    let of_deaf: Vec<_> = told
        .iter()
        .filter(|notice| notice["service"] == "deaf")
        .collect();
    assert_eq!(of_deaf.len(), 1, "{of_deaf:#?}");
    assert_eq!(of_deaf[0]["service_exit_code"], 9);

    watch.until_last("hanging", "stuck");
    windows.service(&["delete", "vanishing"]);
    watch.until_last("vanishing", "missing");

    let few = || watch.threads() <= threads + PASSING_THREADS;
    wait_until("no thread is left over", few, || {
        format!("{} threads, {threads} before", watch.threads())
    });
}

#[test]
fn a_service_control_manager_that_breaks_is_listened_to_anew() {
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);
    let watch = Watch::start_with(windows, "obedient", "3s");
    let log = || watch.seen();
    let threads = watch.threads();

    watch.windows.break_manager();
    let broken = || log().contains("fault=");
    wait_until("the fault of the machine is named", broken, log);
    let _manager = watch.windows.start_manager();
    watch.until_last("obedient", "stopped");
    watch.windows.service(&["start", "obedient"]);
    watch.until_last("obedient", "started");

    let few = || watch.threads() <= threads + PASSING_THREADS;
    wait_until("no thread is left over", few, || {
        format!("{} threads, {threads} before", watch.threads())
    });
}

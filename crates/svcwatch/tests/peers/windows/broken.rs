//! What goes wrong on the machine itself: services that hang, end without a word or change a thousand times a second, and
//! a service control manager that breaks.

use std::fs;
use std::time::{Duration, Instant};

use super::{Watch, words};
use crate::support::process::wait_until;
use crate::support::windows::Windows;

/// How often the one service says that it changed, as fast as it can.
const CHANGES: &str = "1000";
/// How often a service is stopped and started while threads are counted: each time there are several readings and
/// registrations, and a thread that one of them leaves over would be there so often.
const ROUNDS: usize = 20;
/// How long the manager is away: longer than it takes until its fault is believed.
const AWAY: Duration = Duration::from_secs(12);
/// The state as the test service sets it (SERVICE_STATUS, dwCurrentState).
const STOPPED: &str = "1";
/// Threads of the runtime and of Wine that come and go.
const PASSING_THREADS: usize = 8;
/// Handles that come and go with them: fewer than those of one registration and the manager that it is made with.
const PASSING_HANDLES: usize = 2;

impl Watch {
    /// The threads of svcwatch.exe.
    pub(super) fn threads(&self) -> Vec<String> {
        let tasks = format!("/proc/{}/task", self.running.id());
        let tasks = fs::read_dir(tasks).expect("it runs").flatten();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
        tasks.filter_map(|task| name(task).ok()).collect()
    }

    /// How many handles svcwatch.exe has.
    fn handles(&self) -> usize {
        let said = self.windows.told_by_service(&["handles", "svcwatch.exe"]);
        said.trim().parse().expect("a number")
    }

    /// Waits until there are no more threads and handles than there were, but for those that come and go.
    fn until_nothing_is_left_over(&self, (threads, handles): (usize, usize)) {
        let now = || (self.threads().len(), self.handles());
        let few = || {
            let now = now();
            now.0 <= threads + PASSING_THREADS && now.1 <= handles + PASSING_HANDLES
        };
        let told = || {
            let names = self.threads();
            format!(
                "threads and handles: {threads} and {handles} before, {:?} now: {names:?}",
                now()
            )
        };
        wait_until("no thread and no handle is left over", few, told);
        println!("{}", told());
    }

    /// Waits until the last notice about a service tells of this.
    pub(super) fn until_last(&self, service: &str, event: &str) {
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
fn services_that_hang_or_change_all_the_time_are_told_as_they_are_in_the_end() {
    let windows = Windows::start();
    for (name, how, number) in [
        ("hanging", "hang", "0"),
        ("heedless", "deaf", "9"),
        ("obedient", "obey", "0"),
        ("stormy", "obey", CHANGES),
    ] {
        windows.service(&["install", name, how, number]);
        windows.service(&["start", name]);
    }
    let watch = Watch::start(windows, "hanging, heedless, obedient, stormy");
    let windows = &watch.windows;
    // Everything that is begun once has begun when the first change was told.
    windows.service(&["stop", "obedient"]);
    watch.until_last("obedient", "stopped");
    windows.service(&["control", "stormy", "203"]);
    watch.until_last("stormy", "stopped");
    let before = (watch.threads().len(), watch.handles());
    for _ in 0..ROUNDS {
        windows.service(&["start", "stormy"]);
        watch.until_last("stormy", "started");
        windows.service(&["stop", "stormy"]);
        watch.until_last("stormy", "stopped");
    }
    windows.service(&["start", "stormy"]);
    windows.service(&["control", "stormy", "203"]);
    watch.until_last("stormy", "stopped");

    // It does not heed the stop, so nothing has changed; then its process ends without a word.
    windows.service(&["stop", "heedless"]);
    windows.kill("heedless");
    watch.until_last("heedless", "stopped");
    let told = watch.told();
    let of_heedless: Vec<_> = told
        .iter()
        .filter(|notice| notice["service"] == "heedless")
        .collect();
    assert_eq!(of_heedless.len(), 1, "{of_heedless:#?}");
    assert_eq!(of_heedless[0]["exit_code"], 1067);

    watch.until_last("hanging", "stuck");

    watch.until_nothing_is_left_over(before);
}

#[test]
fn a_manager_that_breaks_is_a_fault_and_is_asked_for_until_it_is_back() {
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);
    let watch = Watch::start(windows, "obedient");
    let log = || watch.seen();
    let runs = || log().contains("service=obedient to=running");
    wait_until("the service was seen", runs, log);
    // Everything that is begun once has begun when the first change was told.
    watch.windows.service(&["stop", "obedient"]);
    watch.until_last("obedient", "stopped");
    watch.windows.service(&["start", "obedient"]);
    watch.until_last("obedient", "started");
    let before = (watch.threads().len(), watch.handles());

    watch.windows.kill("services.exe");
    // Twice, so that the fault is believed and nothing but the next round would have the machine read.
    let broken = || log().contains("fault=");
    wait_until("the fault of the machine is named", broken, log);
    std::thread::sleep(AWAY);
    let begun = Instant::now();
    let _manager = watch.windows.start_manager();
    // A new manager of Wine may answer nobody for half a minute, which it gives to what starts by itself.
    watch.windows.service(&["says", "obedient", STOPPED]);
    println!("the manager answered after {:?}", begun.elapsed());
    let begun = Instant::now();
    watch.until_last("obedient", "stopped");
    println!("told {:?} after that", begun.elapsed());
    watch.until_nothing_is_left_over(before);
}

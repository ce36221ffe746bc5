//! How the processes of services ended. The service control manager says 1067 of each that ended without a word; with
//! what exit code, only the process itself tells, as long as somebody holds on to it.

use std::collections::{HashMap, HashSet};

use svcwatch_core::observe::{ServiceReading, State};

/// The process of a service ended unexpectedly (MS-ERREF 2.2, ERROR_PROCESS_ABORTED).
pub(super) const PROCESS_ABORTED: u32 = 1067;

/// What is known of the ends of processes.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The processes that ended, with their exit codes.
    ended: HashMap<u32, u32>,
    /// The process that each service ran in last, by the service's name.
    last: HashMap<String, u32>,
}

impl Ends {
    /// A process ended.
    pub(super) fn ended(&mut self, pid: u32, exit_code: u32) {
        self.ended.insert(pid, exit_code);
    }

    /// The processes that have ended up to now. Only what ended before a list was asked for explains what it says.
    pub(super) fn before(&self) -> HashSet<u32> {
        self.ended.keys().copied().collect()
    }

    /// The processes that services ran in last, so that somebody may hold on to them.
    pub(super) fn held(&self) -> HashSet<u32> {
        self.last.values().copied().collect()
    }

    /// Sees a list, and adds to it what is known: a service that still runs in a process that had ended before the
    /// list was asked for has stopped as the manager will say itself, and one that ended so gets the exit code of its
    /// process.
    pub(super) fn explain(&mut self, services: &mut [ServiceReading], before: &HashSet<u32>) {
        let mut last = HashMap::with_capacity(self.last.len());
        for service in services {
            let reading = &mut service.reading;
            if let Some(pid) = reading.pid {
                last.insert(service.name.clone(), pid);
                if before.contains(&pid) {
                    reading.state = State::Stopped;
                    reading.pid = None;
                    reading.exit_code = Some(PROCESS_ABORTED);
                    reading.service_exit_code = self.ended.get(&pid).copied();
                }
            } else if let Some(pid) = self.last.get(&service.name) {
                last.insert(service.name.clone(), *pid);
                if (reading.state, reading.exit_code) == (State::Stopped, Some(PROCESS_ABORTED)) {
                    let known = self.ended.get(pid).copied();
                    reading.service_exit_code = known.or(reading.service_exit_code);
                }
            }
        }
        self.last = last;
        let held = self.held();
        self.ended.retain(|pid, _| held.contains(pid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::observe::Reading;
    use svcwatch_core::time::Span;

    fn reads(state: State, pid: Option<u32>, exit_code: u32) -> Vec<ServiceReading> {
        vec![ServiceReading {
            name: "Spooler".to_owned(),
            display_name: String::new(),
            reading: Reading {
                state,
                pid,
                exit_code: Some(exit_code),
                service_exit_code: Some(0),
                checkpoint: 0,
                wait_hint: Span::ZERO,
            },
        }]
    }

    /// What a list comes to that was asked for now.
    fn seen(ends: &mut Ends, list: Vec<ServiceReading>) -> (State, Option<u32>, Option<u32>) {
        let before = ends.before();
        seen_after(ends, list, &before)
    }

    fn seen_after(
        ends: &mut Ends,
        mut list: Vec<ServiceReading>,
        before: &HashSet<u32>,
    ) -> (State, Option<u32>, Option<u32>) {
        ends.explain(&mut list, before);
        let reading = list[0].reading;
        (reading.state, reading.exit_code, reading.service_exit_code)
    }

    #[test]
    fn a_process_that_ended_before_the_list_is_a_stop_with_its_exit_code() {
        let mut ends = Ends::default();
        let running = || reads(State::Running, Some(8), 0);
        assert_eq!(seen(&mut ends, running()).0, State::Running);
        assert!(ends.held().contains(&8));
        let before = ends.before();
        ends.ended(8, 77);
        assert_eq!(
            seen_after(&mut ends, running(), &before).0,
            State::Running,
            "it may have ended as it should, after the list"
        );
        let stopped = (State::Stopped, Some(1067), Some(77));
        assert_eq!(seen(&mut ends, running()), stopped);
        let told = || reads(State::Stopped, None, 1067);
        assert_eq!(
            seen(&mut ends, told()),
            stopped,
            "what the manager says later is the same"
        );
        assert_eq!(seen(&mut ends, told()), stopped);
        let again = reads(State::Running, Some(9), 0);
        assert_eq!(seen(&mut ends, again).0, State::Running);
        assert!(!ends.held().contains(&8) && ends.before().is_empty());
    }

    #[test]
    fn an_ordinary_stop_keeps_what_the_manager_says() {
        let mut ends = Ends::default();
        seen(&mut ends, reads(State::Running, Some(8), 0));
        ends.ended(8, 3);
        let stop = reads(State::Stopped, None, 0);
        assert_eq!(seen(&mut ends, stop), (State::Stopped, Some(0), Some(0)));
    }
}

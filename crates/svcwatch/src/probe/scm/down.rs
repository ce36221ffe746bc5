//! Whether this computer shuts down: its services end one after another then, and nobody is to be told of that.

use std::sync::atomic::{AtomicBool, Ordering};

use super::faults;
use crate::probe::codes::ERROR_SHUTDOWN_IN_PROGRESS;
use crate::probe::rpc::Failure;

/// Whether it does; that is never taken back.
#[derive(Debug)]
pub(in crate::probe) struct Down(AtomicBool);

impl Down {
    /// It does not.
    pub(super) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// It does from now on.
    pub(in crate::probe) fn begins(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Why a machine is not read any more while `doing`: it is this computer (`own`), and shuts down. Asked once more after
    /// a reading, for what ended meanwhile may be the first that the shutdown ended.
    pub(in crate::probe) fn refuses(&self, own: bool, doing: &str) -> Result<(), Failure> {
        if own && self.0.load(Ordering::Relaxed) {
            return Err(Failure {
                fault: faults::fault(ERROR_SHUTDOWN_IN_PROGRESS, doing),
                after: faults::after(ERROR_SHUTDOWN_IN_PROGRESS),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::observe::Fault;

    #[test]
    fn a_machine_that_goes_down_answers_1115_and_others_are_read_on() {
        const DOING: &str = "reading the list of services";
        let down = Down::new();
        assert!(down.refuses(true, DOING).is_ok());
        down.begins();
        // What the core makes of that: nothing is told of its services.
        let failure = down.refuses(true, DOING).expect_err("it shuts down");
        assert_eq!(failure.fault.fault, Fault::ShuttingDown);
        assert!(failure.fault.cause.contains("1115"), "{failure:?}");
        assert!(down.refuses(false, DOING).is_ok());
    }
}

//! Whether svcwatch does its work: `/-/ready` asks it, the loop says it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether svcwatch does its work.
#[derive(Debug, Default)]
pub struct Readiness {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    loaded: bool,
    store_failure: Option<String>,
}

impl Readiness {
    /// Not ready: nothing is loaded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The store and the config are loaded, hosts are being read, and everything that was known is shown.
    pub fn loaded(&self) {
        self.lock().loaded = true;
    }

    /// The store cannot write: nothing is sent until it can. The sentence is a fragment that says why.
    pub fn store_failed(&self, why: &str) {
        self.lock().store_failure = Some(why.to_owned());
    }

    /// The store writes (again).
    pub fn store_works(&self) {
        self.lock().store_failure = None;
    }

    /// Nothing where svcwatch does its work, else a sentence that says why it does not.
    pub fn why_not(&self) -> Option<String> {
        let known = self.lock();
        if let Some(failure) = &known.store_failure {
            return Some(format!(
                "The store cannot write: {failure}. Nothing is sent until it can; it is tried again all the time."
            ));
        }
        (!known.loaded).then(|| {
            "svcwatch is starting: what its store and its config know is not all shown yet. Try again in a moment."
                .to_owned()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_when_loaded_and_while_the_store_writes() {
        let ready = Readiness::new();
        assert!(ready.why_not().unwrap().contains("starting"));
        ready.loaded();
        assert_eq!(ready.why_not(), None);
        ready.store_failed("the disk is full");
        assert!(ready.why_not().unwrap().contains("the disk is full"));
        ready.store_works();
        assert_eq!(ready.why_not(), None);
    }
}

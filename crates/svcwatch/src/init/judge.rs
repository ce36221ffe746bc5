//! Whether a service that was seen is to be watched.

use svcwatch_core::glob::Glob;
use svcwatch_core::observe::{StartType, State};

use super::SeenService;
use crate::config::{known_noise, names_a_service};

/// What becomes of a service, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is proposed.
    Watch(String),
    /// It is not.
    LeaveOut(String),
}

/// A service that never ran since the last boot (ERROR_SERVICE_NEVER_STARTED).
const NEVER_STARTED: u32 = 1_077;

/// Judges a service.
pub(super) fn judge(service: &SeenService) -> Verdict {
    let leave = |why: &str| Verdict::LeaveOut(why.to_owned());
    if let Some(why) = known_noise(&service.name) {
        return Verdict::LeaveOut(format!("known to come and go: {why}"));
    }
    if service.per_user == Some(true) || looks_per_user(&service.name) {
        return leave("per-user: it comes and goes with logons, each time under another name");
    }
    if service.trigger_start == Some(true) {
        return leave("trigger start: an event starts it, and it may end by itself");
    }
    let runs = service.state == State::Running;
    match service.start_type {
        Some(StartType::Disabled) if runs => {
            leave("disabled, though it runs now: it does not start again")
        }
        Some(StartType::Disabled) => leave("disabled"),
        Some(StartType::Boot | StartType::System) => leave("a driver"),
        Some(StartType::Manual) if runs => leave(
            "manual start: it runs now because something started it; add it if it should run always",
        ),
        Some(StartType::Manual) => leave("manual start, and not running"),
        Some(StartType::Automatic | StartType::AutomaticDelayed) | None if !runs => {
            Verdict::LeaveOut(not_running(service))
        }
        Some(_) | None if Glob::is_pattern(&service.name) || !names_a_service(&service.name) => {
            leave(
                "its name holds signs that a config takes for something else; a pattern can mean it",
            )
        }
        Some(StartType::AutomaticDelayed) => {
            Verdict::Watch("automatic (delayed), and it runs".to_owned())
        }
        Some(StartType::Automatic) => Verdict::Watch("automatic, and it runs".to_owned()),
        None => Verdict::Watch("it runs; how it is started may not be read".to_owned()),
    }
}

fn not_running(service: &SeenService) -> String {
    let start = match service.start_type {
        Some(_) => "automatic, yet",
        None => "it is",
    };
    match (service.state, service.exit_code) {
        (State::Stopped, Some(NEVER_STARTED)) => {
            format!(
                "{start} stopped, and never started since the last boot; add it if it should run"
            )
        }
        (State::Stopped, Some(code)) => {
            format!("{start} stopped with exit code {code}; add it if it should run")
        }
        (state, _) => format!("{start} {}; add it if it should run", state.in_words()),
    }
}

/// Instances of per-user services bear the number of a logon: `CDPUserSvc_1a2b3`.
fn looks_per_user(name: &str) -> bool {
    name.rsplit_once('_').is_some_and(|(name, number)| {
        !name.is_empty()
            && (4..=8).contains(&number.len())
            && number.chars().all(|digit| digit.is_ascii_hexdigit())
            && number.chars().any(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logons_are_told_from_others() {
        for name in ["CDPUserSvc_1a2b3", "OneSyncSvc_5f0c2", "cbdhsvc_123abc"] {
            assert!(looks_per_user(name), "{name}");
        }
        for name in [
            "clr_optimization_v4",
            "Spooler",
            "my_face",
            "_1a2b3",
            "aspnet_state",
        ] {
            assert!(!looks_per_user(name), "{name}");
        }
    }
}

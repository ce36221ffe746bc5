//! The words and numbers in which Butler says states and start types: feeds and the topics of MQTT use them, so that
//! dashboards and subscribers made for it go on.

use svcwatch_core::{
    notice::{Notice, ToldEvent},
    observe::{StartType, State},
};

/// The state in upper case: `RUNNING`.
pub fn status(state: State) -> String {
    state.as_str().to_uppercase()
}

/// The state before; `UNKNOWN` where none is known.
pub fn previous(state: Option<State>) -> String {
    status(state.unwrap_or(State::Unknown))
}

/// What a notice says the state is: the service's own state, or the word of the event where there is none.
pub fn told(notice: &Notice) -> String {
    if let Some(state) = notice.state
        && state != State::Unknown
        && notice.subject.service().is_some()
    {
        return status(state);
    }
    match notice.event {
        ToldEvent::HostUnreachable => "UNREACHABLE".to_owned(),
        ToldEvent::Started => status(State::Running),
        other => other.as_str().to_uppercase(),
    }
}

/// The number of a state: the service control manager's own (MS-SCMR 2.2.47, dwCurrentState), -1 for any other.
pub const fn state_number(state: State) -> i8 {
    match state {
        State::Stopped => 1,
        State::StartPending => 2,
        State::StopPending => 3,
        State::Running => 4,
        State::ContinuePending => 5,
        State::PausePending => 6,
        State::Paused => 7,
        State::Missing | State::Unknown => -1,
    }
}

/// How a service is started, for people.
pub const fn start_type(start_type: StartType) -> &'static str {
    match start_type {
        StartType::Automatic => "Automatic",
        StartType::AutomaticDelayed => "Automatic (delayed start)",
        StartType::Manual => "Manual",
        StartType::Disabled => "Disabled",
        StartType::Boot => "Boot",
        StartType::System => "System",
    }
}

/// The number of a start type; -1 for drivers and where it is not known.
pub const fn start_number(start_type: Option<StartType>) -> i8 {
    match start_type {
        Some(StartType::Automatic) => 0,
        Some(StartType::AutomaticDelayed) => 1,
        Some(StartType::Manual) => 2,
        Some(StartType::Disabled) => 3,
        Some(StartType::Boot | StartType::System) | None => -1,
    }
}

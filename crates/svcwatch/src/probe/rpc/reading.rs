//! From what stood on the wire to what core knows.

use svcwatch_core::observe::{Reading, ServiceReading, State};
use svcwatch_core::per_user;
use svcwatch_core::time::Span;
use svcwatch_wire::scmr::{CurrentState, EnumeratedService, ServiceStatus, service_type};

/// The reading of a service whose answer said nothing about its state.
pub(super) const UNKNOWN: Reading = Reading {
    state: State::Unknown,
    pid: None,
    exit_code: None,
    service_exit_code: None,
    checkpoint: 0,
    wait_hint: Span::ZERO,
};

/// The readings of a list, in which per-user services stand once each, under the names of their templates.
pub(super) fn services(listed: Vec<EnumeratedService>) -> Vec<ServiceReading> {
    let line = |service: EnumeratedService| {
        let instance = service.status.service_type & service_type::USER_SERVICE_INSTANCE != 0;
        (line(service), instance)
    };
    per_user::folded(listed.into_iter().map(line))
}

/// The reading of one line of a list.
fn line(service: EnumeratedService) -> ServiceReading {
    let reading = reading(&service.status, service.pid);
    ServiceReading {
        name: service.name,
        display_name: service.display_name,
        reading,
    }
}

/// The reading of a status. Of an impossible state the other values are not believed either.
pub(super) fn reading(status: &ServiceStatus, pid: Option<u32>) -> Reading {
    let Some(current) = status.state() else {
        return UNKNOWN;
    };
    Reading {
        state: state(current),
        pid: pid.filter(|pid| *pid != 0),
        exit_code: Some(status.win32_exit_code),
        service_exit_code: Some(status.service_exit_code),
        checkpoint: status.checkpoint,
        wait_hint: Span(u64::from(status.wait_hint)),
    }
}

fn state(current: CurrentState) -> State {
    match current {
        CurrentState::Stopped => State::Stopped,
        CurrentState::StartPending => State::StartPending,
        CurrentState::StopPending => State::StopPending,
        CurrentState::Running => State::Running,
        CurrentState::ContinuePending => State::ContinuePending,
        CurrentState::PausePending => State::PausePending,
        CurrentState::Paused => State::Paused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_state_is_unknown_and_nothing_else_is_believed() {
        let rubbish = ServiceStatus {
            current_state: 0,
            win32_exit_code: 77,
            checkpoint: 9,
            ..ServiceStatus::default()
        };
        assert_eq!(reading(&rubbish, Some(4711)), UNKNOWN);
        let far = ServiceStatus {
            current_state: 0xdead_beef,
            ..rubbish
        };
        assert_eq!(reading(&far, None), UNKNOWN);
    }

    #[test]
    fn instances_of_users_are_read_as_their_template() {
        let read = services(super::super::tests::host::instances().into());
        let [one] = &read[..] else {
            panic!("{read:?}");
        };
        assert_eq!(one.name, "CDPUserSvc");
        assert_eq!(one.display_name, "Connected Devices Platform User Service");
        assert_eq!(
            (one.reading.state, one.reading.exit_code),
            (State::Stopped, Some(1067))
        );
    }

    #[test]
    fn no_process_is_not_process_zero() {
        let stopped = ServiceStatus {
            current_state: 1,
            win32_exit_code: 1067,
            wait_hint: 30,
            ..ServiceStatus::default()
        };
        let told = reading(&stopped, Some(0));
        assert_eq!(
            (told.state, told.pid, told.exit_code),
            (State::Stopped, None, Some(1067))
        );
        assert_eq!(told.wait_hint, Span(30));
        let running = ServiceStatus {
            current_state: 4,
            ..ServiceStatus::default()
        };
        assert_eq!(reading(&running, Some(8)).pid, Some(8));
        assert_eq!(reading(&running, None).pid, None);
    }
}

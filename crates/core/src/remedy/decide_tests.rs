//! Each reason against a start, and the order of what is asked.

use super::{EntryRemedy, RemedyPlan, Scope, decide::*, tries::Past};
use crate::{
    cause::Cause,
    limits,
    observe::{StartType, State},
    plan::Expect,
    time::{Span, Tick},
};
use alloc::sync::Arc;

const NOW: Tick = Tick(limits::TICK_ORIGIN);

fn remedy() -> EntryRemedy {
    EntryRemedy {
        plan: Arc::new(RemedyPlan::new(&"restart".into())),
        group: None,
        may_act: true,
    }
}

/// A service of which everything speaks for a start.
fn service() -> Service {
    Service {
        expect: Expect::Running,
        counted: false,
        state: State::Stopped,
        sure: true,
        configured: true,
        start_type: Some(StartType::Automatic),
        exit_code: Some(1067),
        cover: None,
        recovery: None,
    }
}

fn host() -> Host {
    Host {
        readable: true,
        ..Host::default()
    }
}

fn incident() -> Incident {
    Incident {
        told: true,
        held_until: None,
        cause: Known::Cause(Cause::EndedUnexpectedly),
        past: Past::default(),
    }
}

fn judged(remedy: &EntryRemedy, change: impl FnOnce(&mut Case<'_>, &mut Incident)) -> Ruling {
    let mut incident = incident();
    let mut case = Case {
        asked: Some(remedy),
        service: service(),
        host: host(),
        incident: None,
    };
    change(&mut case, &mut incident);
    let case = Case {
        incident: Some(incident),
        ..case
    };
    decide(NOW, &case, || None)
}

#[test]
fn a_service_that_ended_unexpectedly_is_started_again() {
    assert_eq!(judged(&remedy(), |_, _| {}), Ruling::Act(1));
    let third = judged(&remedy(), |_, incident| incident.past.made = 2);
    assert_eq!(third, Ruling::Act(3));
}

/// A change that speaks against a start, with its word.
type Against = (Held, fn(&mut Case<'_>, &mut Incident));

const AGAINST: &[Against] = &[
    (Held::NotAsked, |case, _| case.asked = None),
    (Held::ClusterMember, |case, _| case.service.counted = true),
    (Held::NotToRun, |case, _| {
        case.service.expect = Expect::Stopped;
    }),
    (Held::NotToRun, |case, _| {
        case.service.expect = Expect::Absent;
    }),
    (Held::AlreadyActing, |_, one| one.past.under_way = true),
    (Held::HostUnseen, |case, _| case.host.readable = false),
    (Held::HostUnseen, |case, _| case.service.sure = false),
    (Held::OutcomeUnknown, |_, one| one.past.unknown = true),
    (Held::NotStopped, |case, _| {
        case.service.state = State::StopPending;
    }),
    (Held::NotStopped, |case, _| {
        case.service.state = State::Paused;
    }),
    (Held::NotStopped, |case, _| {
        case.service.state = State::Missing;
    }),
    (Held::SetupUnread, |case, _| case.service.configured = false),
    (Held::Disabled, |case, _| {
        case.service.start_type = Some(StartType::Disabled);
    }),
    (Held::Disabled, |case, _| {
        case.service.exit_code = Some(1058);
    }),
    (Held::LogonFailure, |case, _| {
        case.service.exit_code = Some(1069);
    }),
    (Held::LogonFailure, |_, one| {
        one.cause = Known::Cause(Cause::LogonFailed);
    }),
    (Held::MissingDependency, |case, _| {
        case.service.exit_code = Some(1068);
    }),
    (Held::MissingDependency, |case, _| {
        case.service.exit_code = Some(1075);
    }),
    (Held::MissingDependency, |_, one| {
        one.cause = Known::Cause(Cause::DependencyDown);
    }),
    (Held::NoCauseYet, |_, one| one.cause = Known::NotYet),
    (Held::CleanStop, |_, one| {
        one.cause = Known::Cause(Cause::StoppedCleanly);
    }),
    (Held::CauseNotNamed, |_, one| {
        one.cause = Known::Cause(Cause::EndedWithCode);
    }),
    (Held::Silenced, |case, _| {
        case.service.cover = Some(Cover::Silence);
    }),
    (Held::Maintenance, |case, _| {
        case.service.cover = Some(Cover::Window);
    }),
    (Held::NotToldYet, |_, one| one.told = false),
    (Held::AccessDenied, |_, one| one.past.denied = true),
    (Held::AttemptsUsed, |_, one| one.past.made = 3),
    (Held::HostBusy, |case, _| {
        case.host.busy = (limits::ACTS_PER_HOST_MAX, 1);
    }),
    (Held::FleetBusy, |case, _| {
        case.host.busy = (0, limits::ACTS_MAX);
    }),
];

#[test]
fn each_reason_has_its_word() {
    for (why, change) in AGAINST {
        assert_eq!(judged(&remedy(), change), Ruling::No(*why), "{why}");
    }
}

#[test]
fn what_is_over_some_time_is_waited_for() {
    type Change = fn(&mut Case<'_>, &mut Incident, Tick);
    let later = NOW + Span::minutes(2);
    let waits: &[(Held, Change)] = &[
        (Held::ShuttingDown, |case, _, at| {
            case.host.shutting_down = Some(at);
        }),
        (Held::BootGrace, |case, _, at| case.host.grace = Some(at)),
        (Held::ScmRecoveryFirst, |case, _, at| {
            case.service.recovery = Some(at);
        }),
        (Held::NotToldYet, |_, one, at| one.held_until = Some(at)),
    ];
    for (why, change) in waits {
        let ruling = judged(&remedy(), |case, one| change(case, one, later));
        assert_eq!(ruling, Ruling::Wait(later, *why), "{why}");
        let ruling = judged(&remedy(), |case, one| change(case, one, NOW));
        assert_eq!(ruling, Ruling::Act(1), "{why} is over");
    }
    let ruling = judged(&remedy(), |_, one| {
        one.past.made = 2;
        one.past.ended = Some(NOW);
    });
    assert_eq!(
        ruling,
        Ruling::Wait(later, Held::Pausing),
        "it has doubled once"
    );
}

#[test]
fn budgets_are_asked_last_and_have_a_word_each() {
    let remedy = remedy();
    let case = Case {
        asked: Some(&remedy),
        service: service(),
        host: host(),
        incident: Some(incident()),
    };
    let until = NOW + Span(9);
    for (scope, why) in [
        (Scope::Service, Held::BudgetService),
        (Scope::Group, Held::BudgetGroup),
        (Scope::Fleet, Held::BudgetFleet),
    ] {
        let ruling = decide(NOW, &case, || Some((scope, until)));
        assert_eq!(ruling, Ruling::Wait(until, why));
    }
    let used = Case {
        incident: Some(Incident {
            past: Past {
                made: 3,
                ..Past::default()
            },
            ..incident()
        }),
        ..case
    };
    let mut asked = false;
    decide(NOW, &used, || {
        asked = true;
        None
    });
    assert!(!asked);
}

#[test]
fn without_an_open_incident_or_a_credential_nothing_is_done() {
    let remedy = remedy();
    let case = Case {
        asked: Some(&remedy),
        service: service(),
        host: host(),
        incident: None,
    };
    assert_eq!(decide(NOW, &case, || None), Ruling::No(Held::NotOpen));
    let powerless = EntryRemedy {
        may_act: false,
        ..remedy.clone()
    };
    let ruling = judged(&powerless, |_, _| {});
    assert_eq!(ruling, Ruling::No(Held::NoActingCredential));
}

#[test]
fn a_dry_run_needs_no_credential_and_speaks_once() {
    let mut plan = RemedyPlan::new(&"restart".into());
    plan.dry_run = true;
    let dry = EntryRemedy {
        plan: Arc::new(plan),
        group: None,
        may_act: false,
    };
    assert_eq!(judged(&dry, |_, _| {}), Ruling::Act(1));
    let again = judged(&dry, |_, one| one.past.said = true);
    assert_eq!(again, Ruling::No(Held::DryRun));
}

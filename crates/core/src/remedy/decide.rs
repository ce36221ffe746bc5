//! Whether a service is started again now: one list of questions in one order, asked after each reading of its host. The
//! first that speaks against it decides, and its word is the same in `explain`, the page and the log.

use super::{EntryRemedy, tries::Past};
use crate::{
    cause::{Cause, Win32},
    limits,
    observe::{StartType, State},
    plan::Expect,
    planted::{self, Planted},
    time::{Span, Tick},
};

words! {
    /// Why a service is not started again by us, or not yet.
    pub enum Held {
        /// No plan was asked for.
        NotAsked = "not_asked",
        /// It belongs to a cluster, which moves it by itself.
        ClusterMember = "cluster_member",
        /// It should not run.
        NotToRun = "not_to_run",
        /// It has no open incident.
        NotOpen = "not_open",
        /// A try is under way.
        AlreadyActing = "already_acting",
        /// No credential may act on its host.
        NoActingCredential = "no_acting_credential",
        /// Its host, or the service on it, cannot be seen now.
        HostUnseen = "host_unseen",
        /// Nobody knows what the last try came to, and it was not read since.
        OutcomeUnknown = "outcome_unknown",
        /// It is not stopped: it is on its way, paused or not installed.
        NotStopped = "not_stopped",
        /// How it is set up was not read since it stopped.
        SetupUnread = "setup_unread",
        /// Its start is disabled.
        Disabled = "disabled",
        /// Its account could not be logged on.
        LogonFailure = "logon_failure",
        /// What it depends on did not start or is not there.
        MissingDependency = "missing_dependency",
        /// Why it stopped is still being looked for.
        NoCauseYet = "no_cause_yet",
        /// It was stopped in an orderly way: somebody wanted that.
        CleanStop = "clean_stop",
        /// Its cause is none that its plan names.
        CauseNotNamed = "cause_not_named",
        /// A silence covers it.
        Silenced = "silenced",
        /// A maintenance window covers it.
        Maintenance = "maintenance",
        /// Its host is shutting down.
        ShuttingDown = "shutting_down",
        /// Its host was booted a short while ago.
        BootGrace = "boot_grace",
        /// The service control manager may start it again by itself.
        ScmRecoveryFirst = "scm_recovery_first",
        /// Nobody was told yet that it is not as expected.
        NotToldYet = "not_told_yet",
        /// The host did not let us start it.
        AccessDenied = "access_denied",
        /// It was said what would be done; nothing is done in a dry run.
        DryRun = "dry_run",
        /// It was tried as often as its plan says.
        AttemptsUsed = "attempts_used",
        /// The last try was a short while ago.
        Pausing = "pausing",
        /// The budget of the service is used up.
        BudgetService = "budget_service",
        /// The budget of its group is used up.
        BudgetGroup = "budget_group",
        /// The budget of all is used up.
        BudgetFleet = "budget_fleet",
        /// Another service of its host is being started.
        HostBusy = "host_busy",
        /// As many services as may be are being started.
        FleetBusy = "fleet_busy",
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is started now; this is which try for its incident.
    Act(u32),
    /// Not before this time, if it still is so then.
    Wait(Tick, Held),
    /// Not as things stand.
    No(Held),
}

/// What covers a service, so that nobody is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// A silence.
    Silence,
    /// A maintenance window.
    Window,
}

/// What is known of the cause of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is being looked for.
    NotYet,
    /// This one.
    Cause(Cause),
}

/// What is known of the open incident of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// Whether somebody was told, or was to be.
    pub told: bool,
    /// Until when its opening is held.
    pub held_until: Option<Tick>,
    /// Why it is so.
    pub cause: Known,
    /// What was tried.
    pub past: Past,
}

/// What is known of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Host {
    /// Whether it can be read.
    pub readable: bool,
    /// Until when it is taken for shutting down.
    pub shutting_down: Option<Tick>,
    /// Until when it is left alone after a boot.
    pub grace: Option<Tick>,
    /// How many tries are under way there, and in all.
    pub busy: (usize, usize),
}

/// What is known of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// How it should be.
    pub expect: Expect,
    /// Whether a cluster counts it.
    pub counted: bool,
    /// Its confirmed state.
    pub state: State,
    /// Whether that is what its last reading has said.
    pub sure: bool,
    /// Whether its configuration was read since it last changed.
    pub configured: bool,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// What covers it.
    pub cover: Option<Cover>,
    /// Until when its host may start it again by itself.
    pub recovery: Option<Tick>,
}

/// What is known of a budget: the first that is used up, and until when.
pub type UsedUp = Option<(super::Scope, Tick)>;

/// All that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What the plan says of the service.
    pub asked: Option<&'a EntryRemedy>,
    /// The service.
    pub service: Service,
    /// Its host.
    pub host: Host,
    /// Its open incident.
    pub incident: Option<Incident>,
}

/// Whether a service is started again now. The budgets are asked last, and only where nothing else speaks against it.
pub fn decide(now: Tick, case: &Case<'_>, used_up: impl FnOnce() -> UsedUp) -> Ruling {
    match judge(now, case, used_up) {
        Ok(attempt) => Ruling::Act(attempt),
        Err(ruling) => ruling,
    }
}

/// The list. It is in this order because what is true of the plan alone is said before what is true for a while.
fn judge(now: Tick, case: &Case<'_>, used_up: impl FnOnce() -> UsedUp) -> Result<u32, Ruling> {
    let remedy = case.asked.ok_or(Ruling::No(Held::NotAsked))?;
    let (service, host, plan) = (&case.service, &case.host, &remedy.plan);
    no(service.counted, Held::ClusterMember)?;
    no(is_not_to_run(service.expect), Held::NotToRun)?;
    let incident = case.incident.ok_or(Ruling::No(Held::NotOpen))?;
    let past = incident.past;
    let twice = planted::is(Planted::ActsTwice);
    no(past.under_way && !twice, Held::AlreadyActing)?;
    no(!remedy.may_act && !plan.dry_run, Held::NoActingCredential)?;
    no(!host.readable || !service.sure, Held::HostUnseen)?;
    no(past.unknown && !twice, Held::OutcomeUnknown)?;
    no(service.state != State::Stopped, Held::NotStopped)?;
    no(!service.configured, Held::SetupUnread)?;
    excluded(service, incident.cause)?;
    let Known::Cause(cause) = incident.cause else {
        return Err(Ruling::No(Held::NoCauseYet));
    };
    let clean = cause == Cause::StoppedCleanly && !planted::is(Planted::CleanStopRestarted);
    no(clean, Held::CleanStop)?;
    let named = plan.acts_upon(cause, service.exit_code);
    no(!named, Held::CauseNotNamed)?;
    covered(service.cover)?;
    wait(now, host.shutting_down, Held::ShuttingDown)?;
    wait(now, host.grace, Held::BootGrace)?;
    wait(now, service.recovery, Held::ScmRecoveryFirst)?;
    wait(now, incident.held_until, Held::NotToldYet)?;
    no(!incident.told, Held::NotToldYet)?;
    no(past.denied, Held::AccessDenied)?;
    no(plan.dry_run && past.said, Held::DryRun)?;
    no(past.made >= plan.attempts, Held::AttemptsUsed)?;
    let next = past.ended.map(|ended| ended + plan.pause(past.made));
    wait(now, next.filter(|_| !plan.dry_run), Held::Pausing)?;
    if let Some((scope, until)) = used_up() {
        wait(now, Some(until), scope.held())?;
    }
    no(
        host.busy.0 >= limits::ACTS_PER_HOST_MAX && !twice,
        Held::HostBusy,
    )?;
    no(host.busy.1 >= limits::ACTS_MAX && !twice, Held::FleetBusy)?;
    Ok(past.made.saturating_add(1))
}

/// What no start mends, whatever the plan names.
fn excluded(service: &Service, cause: Known) -> Result<(), Ruling> {
    let is = |causes: &[Cause]| matches!(cause, Known::Cause(cause) if causes.contains(&cause));
    let code = |codes: &[u32]| service.exit_code.is_some_and(|code| codes.contains(&code));
    let disabled = service.start_type == Some(StartType::Disabled)
        || code(&[Win32::START_DISABLED])
        || is(&[Cause::StartDisabled]);
    no(disabled, Held::Disabled)?;
    let logon = code(&[Win32::LOGON_FAILED]) || is(&[Cause::LogonFailed]);
    no(logon, Held::LogonFailure)?;
    let dependency = code(&[Win32::DEPENDENCY_FAILED, Win32::DEPENDENCY_MISSING])
        || is(&[Cause::DependencyFailed, Cause::DependencyDown]);
    no(dependency, Held::MissingDependency)
}

fn covered(cover: Option<Cover>) -> Result<(), Ruling> {
    match cover {
        Some(_) if planted::is(Planted::RemedyInMaintenance) => Ok(()),
        Some(Cover::Silence) => Err(Ruling::No(Held::Silenced)),
        Some(Cover::Window) => Err(Ruling::No(Held::Maintenance)),
        None => Ok(()),
    }
}

const fn is_not_to_run(expect: Expect) -> bool {
    matches!(expect, Expect::Stopped | Expect::Absent)
}

/// A question whose yes speaks against it.
const fn no(against: bool, why: Held) -> Result<(), Ruling> {
    if against {
        Err(Ruling::No(why))
    } else {
        Ok(())
    }
}

/// A time before which it is not done.
fn wait(now: Tick, until: Option<Tick>, why: Held) -> Result<(), Ruling> {
    match until {
        Some(until) if until > now => Err(Ruling::Wait(until, why)),
        Some(_) | None => Ok(()),
    }
}

impl super::Scope {
    /// The word for a budget of this that is used up.
    pub const fn held(self) -> Held {
        match self {
            Self::Service => Held::BudgetService,
            Self::Group => Held::BudgetGroup,
            Self::Fleet => Held::BudgetFleet,
        }
    }
}

/// How long after a decision its try may still be begun. Where the store holds us up for longer, all that it was decided
/// from may be another thing by then.
pub const BEGUN_WITHIN: Span = Span::seconds(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::{RemedyPlan, Scope};
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

    #[test]
    fn each_reason_has_its_word() {
        type Change = fn(&mut Case<'_>, &mut Incident);
        let no: &[(Held, Change)] = &[
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
        for (why, change) in no {
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
}

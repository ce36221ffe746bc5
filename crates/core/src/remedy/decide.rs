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

//! The metrics of the program itself. All series of closed lists are there with 0 from the start.

use super::{
    Build, causes::CauseMetrics, feeds::FeedMetrics, instant::InstantMetrics, lists::ListMetrics,
    remedies::RemedyMetrics,
};
use crate::dest::sender::Fallbacks;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use svcwatch_core::{
    id::Name,
    notice::{Severity, ToldEvent, Why},
    observe::{Fault, State},
};

/// How a try of a delivery can end, as [`svcwatch_core::event::Verdict::as_str`] says it.
pub(super) const RESULTS: [&str; 3] = ["delivered", "retry", "rejected"];
/// The result of a check that read its host.
pub(super) const CHECK_OK: &str = "ok";
/// The result of a check whose answer came after it was given up.
pub(super) const CHECK_LATE: &str = "late";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResult {
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByEvent {
    pub(super) event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReason {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByEventAndSeverity {
    pub(super) event: &'static str,
    pub(super) severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByDestination {
    destination: String,
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
}

/// Every metric, and the registry that knows them all.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) registry: Registry,
    pub(super) checks: Family<ByResult, Counter>,
    pub(super) check_duration: Histogram,
    pub(super) schedule_lag: Histogram,
    pub(super) missed_rounds: Counter,
    pub(super) transitions: Family<ByEvent, Counter>,
    pub(super) incidents_open: Family<ByEventAndSeverity, Gauge>,
    pub(super) drops: Family<ByReason, Counter>,
    pub(super) deliveries: Family<ByDestination, Counter>,
    pub(super) fallbacks: Fallbacks,
    pub(super) feeds: FeedMetrics,
    pub(super) instant: InstantMetrics,
    /// Why services were not as expected.
    pub(super) causes: CauseMetrics,
    pub(super) remedies: RemedyMetrics,
    pub(super) lists: ListMetrics,
    pub(super) accounts_paused: Gauge,
    pub(super) late_acknowledgements: Counter,
    pub(super) commit_duration: Histogram,
    pub(super) commit_failures: Counter,
}

impl Metrics {
    /// All metrics at zero.
    pub(super) fn new(build: Build) -> Self {
        let metrics = Self {
            registry: Registry::default(),
            checks: Family::default(),
            check_duration: Histogram::new([
                0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
            ]),
            schedule_lag: Histogram::new([
                0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
            ]),
            missed_rounds: Counter::default(),
            transitions: Family::default(),
            incidents_open: Family::default(),
            drops: Family::default(),
            deliveries: Family::default(),
            fallbacks: Fallbacks::default(),
            feeds: FeedMetrics::default(),
            instant: InstantMetrics::new(),
            causes: CauseMetrics::new(),
            remedies: RemedyMetrics::new(),
            lists: ListMetrics::default(),
            accounts_paused: Gauge::default(),
            late_acknowledgements: Counter::default(),
            commit_duration: Histogram::new([
                0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
            ]),
            commit_failures: Counter::default(),
        };
        metrics.create_at_zero();
        metrics.register(build)
    }

    pub(super) fn count_transition(&self, event: &'static str) {
        self.transitions.get_or_create(&ByEvent { event }).inc();
    }

    pub(super) fn count_delivery(&self, destination: &Name, result: &'static str, by: u64) {
        let labels = ByDestination {
            destination: destination.as_str().to_owned(),
            result,
        };
        self.deliveries.get_or_create(&labels).inc_by(by);
    }

    fn create_at_zero(&self) {
        let results = Fault::ALL.iter().map(|fault| fault.as_str());
        for result in results.chain([CHECK_OK, CHECK_LATE]) {
            drop(self.checks.get_or_create(&ByResult { result }));
        }
        let states = State::ALL.iter().map(|state| word_of_state(*state));
        let faults = Fault::ALL.iter().map(|fault| word_of_fault(Some(*fault)));
        for event in states.chain(faults).chain([word_of_fault(None)]) {
            drop(self.transitions.get_or_create(&ByEvent { event }));
        }
        for why in Why::ALL {
            let reason = why.as_str();
            drop(self.drops.get_or_create(&ByReason { reason }));
        }
        for event in ToldEvent::ALL {
            for severity in Severity::ALL {
                let (event, severity) = (event.as_str(), severity.as_str());
                drop(
                    self.incidents_open
                        .get_or_create(&ByEventAndSeverity { event, severity }),
                );
            }
        }
    }

    fn register(mut self, build: Build) -> Self {
        let registry = &mut self.registry;
        // The encoder adds `_total` to the name of a counter and a full stop to its help.
        registry.register(
            "svcwatch_checks",
            "Checks of hosts by how they ended: ok, the fault, or late",
            self.checks.clone(),
        );
        registry.register(
            "svcwatch_check_duration_seconds",
            "How long a check of a host took",
            self.check_duration.clone(),
        );
        registry.register(
            "svcwatch_schedule_lag_seconds",
            "How much later than planned a check of a host began",
            self.schedule_lag.clone(),
        );
        registry.register(
            "svcwatch_missed_rounds",
            "Checks that were left out because the one before was still under way or no place was free",
            self.missed_rounds.clone(),
        );
        registry.register(
            "svcwatch_transitions",
            "Confirmed changes of services and hosts by what happened",
            self.transitions.clone(),
        );
        registry.register(
            "svcwatch_incidents_open",
            "Incidents that are open, by what is wrong and how bad it is",
            self.incidents_open.clone(),
        );
        registry.register(
            "svcwatch_drops",
            "What was not told, by the reason",
            self.drops.clone(),
        );
        registry.register(
            "svcwatch_deliveries",
            "Tries of deliveries by destination and how they ended",
            self.deliveries.clone(),
        );
        self.feeds.register(registry);
        self.instant.register(registry);
        self.causes.register(registry);
        self.remedies.register(registry);
        self.lists.register(registry);
        registry.register(
            "svcwatch_accounts_paused",
            "Accounts that are not used for logons until they are mended",
            self.accounts_paused.clone(),
        );
        registry.register(
            "svcwatch_late_acknowledgements",
            "Acknowledgements of incidents that were not open",
            self.late_acknowledgements.clone(),
        );
        self.register_commits();
        let registry = &mut self.registry;
        register_fallbacks(registry, &self.fallbacks);
        register_build(registry, build);
        self
    }

    fn register_commits(&mut self) {
        self.registry.register(
            "svcwatch_commit_duration_seconds",
            "How long it took until records were durable",
            self.commit_duration.clone(),
        );
        self.registry.register(
            "svcwatch_commit_failures",
            "Tries to write records that failed",
            self.commit_failures.clone(),
        );
    }
}

fn register_fallbacks(registry: &mut Registry, fallbacks: &Fallbacks) {
    registry.register(
        "svcwatch_template_failures",
        "Templates that were not used, so that the built-in message was sent, by destination",
        fallbacks.family(),
    );
}

fn register_build(registry: &mut Registry, build: Build) {
    let info = Family::<BuildLabels, Gauge>::default();
    let Build { version, commit } = build;
    info.get_or_create(&BuildLabels { version, commit }).set(1);
    registry.register(
        "svcwatch_build_info",
        "Always 1; its labels say which program this is",
        info,
    );
}

/// The word of a change of a service: that of what is told, or, where nothing is, that of its state.
pub(super) const fn word_of_state(state: State) -> &'static str {
    match state {
        State::Stopped => ToldEvent::Stopped.as_str(),
        State::Running => ToldEvent::Started.as_str(),
        State::Paused => ToldEvent::Paused.as_str(),
        State::Missing => ToldEvent::Missing.as_str(),
        State::StartPending
        | State::StopPending
        | State::ContinuePending
        | State::PausePending
        | State::Unknown => state.as_str(),
    }
}

/// The word of a change of a host: faults that are told as unreachable count as that.
pub(super) const fn word_of_fault(fault: Option<Fault>) -> &'static str {
    match fault {
        None => ToldEvent::HostRecovered.as_str(),
        Some(Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout) => {
            ToldEvent::HostUnreachable.as_str()
        }
        Some(
            fault @ (Fault::LogonRefused
            | Fault::AccountPaused
            | Fault::AccessDenied
            | Fault::WrongHost
            | Fault::ShuttingDown
            | Fault::ProtocolError),
        ) => fault.as_str(),
    }
}

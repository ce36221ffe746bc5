//! Everything worth knowing: each fact of the engine is one line of log and one metric, and nothing else logs or
//! counts what the engine decided.
//!
//! Labels of metrics are closed lists of words, or names out of the configuration; all series of closed lists are
//! there with 0 from the start, so that a rate over them is right from the first event on. What is wrong stands in
//! the log field `error`.

mod causes;
mod feeds;
mod instant;
mod lists;
mod metrics;
mod remedies;
mod words;

pub use lists::ListRead;

use metrics::{
    ByEventAndSeverity, ByReason, ByResult, CHECK_LATE, CHECK_OK, Metrics, RESULTS, word_of_fault,
    word_of_state,
};
use prometheus_client::encoding::text::encode_registry;
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use svcwatch_core::{
    effect::Fact,
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{ToldEvent, Why},
    observe::{Fault, State},
    record::{IncidentRow, Record, Restored},
    time::Span,
    view::View,
};
use words::{about, name, plain};

use crate::{board::Board, dest::sender::Fallbacks};

/// Which program this is.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from.
    pub commit: &'static str,
}

/// The log and the metrics of the program itself.
#[derive(Debug)]
pub struct Facts {
    metrics: Metrics,
    open: Mutex<HashMap<IncidentId, ByEventAndSeverity>>,
    paused: Mutex<BTreeSet<Name>>,
}

impl Facts {
    /// All metrics at zero.
    pub fn new(build: Build) -> Self {
        Self {
            metrics: Metrics::new(build),
            open: Mutex::default(),
            paused: Mutex::default(),
        }
    }

    /// The metrics as OpenMetrics text, without the mark of its end.
    pub fn encode(&self, text: &mut String) -> fmt::Result {
        encode_registry(text, &self.metrics.registry)
    }

    /// Says one fact.
    pub fn note(&self, fact: &Fact) {
        match fact {
            Fact::Checked {
                host,
                fault,
                took,
                lag,
            } => self.checked(host, *fault, *took, *lag),
            Fact::MissedRounds { host, rounds } => self.missed_rounds(host, *rounds),
            Fact::Transition {
                host,
                service,
                from,
                to,
            } => self.transition(host, service, *from, *to),
            Fact::HostChanged { host, fault, cause } => {
                self.host_changed(host, *fault, cause.as_deref());
            }
            Fact::IncidentOpened {
                incident,
                subject,
                event,
            } => Self::incident_opened(incident, subject, *event),
            Fact::IncidentResolved {
                incident,
                subject,
                event,
            } => Self::incident_resolved(incident, subject, *event),
            Fact::Dropped {
                subject,
                destination,
                why,
            } => self.dropped(subject, destination.as_ref(), *why),
            Fact::Attempted {
                delivery,
                destination,
                result,
                answer,
            } => self.attempted(delivery, destination, result, answer),
            Fact::LateAnswer { host } => self.late_answer(host),
            Fact::Ear { .. } => self.metrics.instant.note(fact),
            Fact::Explained { .. } => self.metrics.causes.note(fact),
            Fact::Acting { .. } | Fact::Acted { .. } => self.metrics.remedies.note(fact),
            Fact::AccountPaused { account, paused } => self.account_paused(account, *paused),
            Fact::ShuttingDown { host } => {
                tracing::info!(host = %host, "host is shutting down");
            }
            Fact::Booted { host } => tracing::info!(host = %host, "host was booted"),
            Fact::NotOpen { incident } => self.not_open(incident),
            Fact::Silenced {
                silence,
                author,
                comment,
            } => tracing::info!(
                silence = %silence, author = %plain(author), comment = %plain(comment), "silence was added"
            ),
            Fact::SilenceEnded { silence, by } => {
                let by = by.as_deref().map(plain);
                tracing::info!(silence = %silence, by = by.as_ref().map(tracing::field::display), "silence is over");
            }
            Fact::SilenceRefused { silence } => {
                tracing::warn!(silence = %silence, "silence was not added or ended");
            }
        }
    }

    /// What a start found in the store: the incidents that are still open and the accounts that are still paused.
    pub fn restored(&self, restored: &Restored) {
        for incident in &restored.incidents {
            self.incident_written(incident);
        }
        for account in &restored.accounts {
            self.keep_paused(&account.account, account.paused.is_some());
        }
    }

    /// Which destinations there are, at a start and after a reload: each is counted from zero.
    pub fn destinations(&self, board: &Board, names: &[Name]) {
        for name in names {
            for result in RESULTS {
                self.metrics.count_delivery(name, result, 0);
            }
            self.metrics.fallbacks.count(name, 0);
        }
        let known: BTreeSet<Name> = board.outbox().into_iter().map(|(name, _)| name).collect();
        let new = names.iter().filter(|name| !known.contains(*name));
        board.apply_all(new.map(|name| View::Outbox {
            destination: name.clone(),
            pending: 0,
        }));
    }

    /// Where templates that were not used are counted.
    pub fn fallbacks(&self) -> Fallbacks {
        self.metrics.fallbacks.clone()
    }

    /// Records are durable, and how long that took.
    pub fn committed(&self, records: &[Record], took: Duration) {
        self.metrics.commit_duration.observe(took.as_secs_f64());
        for record in records {
            if let Record::Incident(incident) = record {
                self.incident_written(incident);
            }
        }
        tracing::trace!(
            rows = records.len(),
            milliseconds = milliseconds(took),
            "records are durable"
        );
    }

    /// Records could not be written; they are tried again.
    pub fn commit_failed(&self, error: &str, took: Duration) {
        self.metrics.commit_failures.inc();
        tracing::error!(
            error = %plain(error),
            milliseconds = milliseconds(took),
            "records could not be written; nothing is sent until they are"
        );
    }

    fn checked(&self, host: &Name, fault: Option<Fault>, took: Span, lag: Span) {
        self.metrics.check_duration.observe(seconds(took));
        self.metrics.schedule_lag.observe(seconds(lag));
        let result = fault.map_or(CHECK_OK, Fault::as_str);
        self.metrics
            .checks
            .get_or_create(&ByResult { result })
            .inc();
        match fault {
            None => {
                tracing::debug!(host = %name(host), took = took.0, lag = lag.0, "host was read");
            }
            Some(fault) => tracing::debug!(
                host = %name(host), took = took.0, lag = lag.0, error = %fault, "host was not read"
            ),
        }
    }

    fn missed_rounds(&self, host: &Name, rounds: u64) {
        self.metrics.missed_rounds.inc_by(rounds);
        tracing::debug!(host = %name(host), rounds, "rounds were left out");
    }

    fn transition(&self, host: &Name, service: &Name, from: Option<State>, to: State) {
        self.metrics.count_transition(word_of_state(to));
        tracing::info!(
            host = %name(host), service = %name(service), from = from.map(State::as_str), to = %to, "service changed"
        );
    }

    fn host_changed(&self, host: &Name, fault: Option<Fault>, cause: Option<&str>) {
        self.metrics.count_transition(word_of_fault(fault));
        match fault {
            None => tracing::info!(host = %name(host), "host can be read"),
            Some(fault) => tracing::warn!(
                host = %name(host), %fault, error = %plain(cause.unwrap_or(fault.as_str())), "host cannot be read"
            ),
        }
    }

    // The gauge of open incidents follows their rows (`committed`), because an incident may also change what it
    // is about while it is open.
    fn incident_opened(incident: &IncidentId, subject: &Subject, event: ToldEvent) {
        tracing::warn!(%incident, subject = %about(subject), %event, "incident opened");
    }

    fn incident_resolved(incident: &IncidentId, subject: &Subject, event: ToldEvent) {
        tracing::info!(%incident, subject = %about(subject), %event, "incident resolved");
    }

    fn dropped(&self, subject: &Subject, destination: Option<&Name>, why: Why) {
        let reason = why.as_str();
        self.metrics.drops.get_or_create(&ByReason { reason }).inc();
        let destination = destination.map(|name| plain(name.as_str()).to_string());
        tracing::debug!(subject = %about(subject), destination, reason, "not told");
    }

    fn attempted(
        &self,
        delivery: &DeliveryKey,
        destination: &Name,
        result: &'static str,
        answer: &str,
    ) {
        self.metrics.count_delivery(destination, result, 1);
        let (destination, answer) = (name(destination), plain(answer));
        match result {
            "delivered" => tracing::info!(%delivery, %destination, %answer, "delivered"),
            "retry" => {
                tracing::warn!(%delivery, %destination, error = %answer, "not delivered yet, tried again later");
            }
            _ => {
                tracing::error!(%delivery, %destination, error = %answer, "the destination will never take this");
            }
        }
    }

    fn late_answer(&self, host: &Name) {
        self.metrics
            .checks
            .get_or_create(&ByResult { result: CHECK_LATE })
            .inc();
        tracing::debug!(host = %name(host), "an answer came after its check was given up, and was not used");
    }

    fn account_paused(&self, account: &Name, paused: bool) {
        self.keep_paused(account, paused);
        let account = name(account);
        if paused {
            tracing::warn!(%account, error = "logons refused", "account is paused, so that it does not get locked out");
        } else {
            tracing::info!(%account, "account is used again");
        }
    }

    fn not_open(&self, incident: &IncidentId) {
        self.metrics.late_acknowledgements.inc();
        tracing::info!(%incident, "acknowledgement of an incident that is not open");
    }

    fn incident_written(&self, row: &IncidentRow) {
        let labels = ByEventAndSeverity {
            event: row.event.as_str(),
            severity: row.severity.as_str(),
        };
        let mut open = lock(&self.open);
        let before = if row.resolved_at.is_some() {
            open.remove(&row.id)
        } else {
            self.metrics.incidents_open.get_or_create(&labels).inc();
            open.insert(row.id.clone(), labels)
        };
        if let Some(before) = before {
            self.metrics.incidents_open.get_or_create(&before).dec();
        }
    }

    fn keep_paused(&self, account: &Name, paused: bool) {
        let mut all = lock(&self.paused);
        if paused {
            all.insert(account.clone());
        } else {
            all.remove(account);
        }
        self.metrics
            .accounts_paused
            .set(i64::try_from(all.len()).unwrap_or(i64::MAX));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(span: Span) -> f64 {
    Duration::from_millis(span.0).as_secs_f64()
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

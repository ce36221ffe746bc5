//! Why a host or service is told or not, as JSON and as text for people.

use crate::{config::duration_text, dest::text::rfc3339};
use serde::{Deserialize, Serialize};
use std::fmt;
use svcwatch_core::{
    engine::{Explanation, LaneExplained, ServiceExplained},
    notice::Why,
    observe::State,
    plan::Limit,
    time::Wall,
};

/// What applies to a host or its services, and why they are told or not. Durations are written as in the config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplanationItem {
    /// The host.
    pub host: String,
    /// Where it is reached.
    pub address: String,
    /// The computer name that it gave at its first good logon.
    pub computer_name: Option<String>,
    /// The account that it is read with.
    pub account: Option<String>,
    /// Why the account is paused.
    pub account_paused: Option<String>,
    /// How often it is read.
    pub every: String,
    /// How long a fault of it must last.
    pub host_for: String,
    /// How long notices about its services are held.
    pub settle: String,
    /// Its confirmed fault.
    pub fault: Option<String>,
    /// The sentence of the fault.
    pub cause: Option<String>,
    /// Since when it is as it is.
    pub since: String,
    /// When it was last checked.
    pub checked_at: Option<String>,
    /// How many services it shows us.
    pub visible: Option<u32>,
    /// The open incident of the host.
    pub incident: Option<String>,
    /// One service, or all that are watched.
    pub services: Vec<ServiceExplanation>,
}

/// What applies to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceExplanation {
    /// Its key name.
    pub service: String,
    /// The place of the entry that selects it, from 1, in the order of precedence.
    pub entry: u64,
    /// That entry, as in the config.
    pub selector: String,
    /// How it should be.
    pub expected: String,
    /// How long it must be otherwise.
    pub r#for: String,
    /// How many readings must agree.
    pub confirm: u32,
    /// Its state; `unknown` while its host cannot be read.
    pub state: String,
    /// Since when.
    pub since: String,
    /// The state before.
    pub previous_state: Option<String>,
    /// Since when it is not as expected.
    pub wrong_since: Option<String>,
    /// How it is started.
    pub start_type: Option<String>,
    /// Its severity, where the config sets it.
    pub severity: Option<String>,
    /// Its open incident.
    pub incident: Option<String>,
    /// Until when the opening is held.
    pub held_until: Option<String>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Why it is not told.
    pub muted: Option<String>,
    /// Who is told of it.
    pub lanes: Vec<LaneExplanation>,
}

/// What one recipient knows of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneExplanation {
    /// The destination.
    pub destination: String,
    /// The recipient; empty where the destination itself is.
    pub recipient: String,
    /// How often it is told again; none where it is not.
    pub reminder: Option<String>,
    /// How much it is told at most.
    pub limit: Option<LimitExplanation>,
    /// The incident that it was told as open.
    pub told: Option<String>,
    /// How many messages wait for it.
    pub waiting: u64,
}

/// At most one message in so long a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitExplanation {
    /// What it counts: `service` or `destination`.
    pub per: String,
    /// The time between two messages.
    pub every: String,
}

impl From<Explanation> for ExplanationItem {
    fn from(explained: Explanation) -> Self {
        let unknown_since = explained.fault.map(|_| explained.since);
        let services = explained.services.into_iter();
        Self {
            host: explained.host.as_str().to_owned(),
            address: explained.address,
            computer_name: explained.computer_name,
            account: explained.account.map(|account| account.as_str().to_owned()),
            account_paused: explained.account_paused.map(str::to_owned),
            every: duration_text(explained.every),
            host_for: duration_text(explained.host_for),
            settle: duration_text(explained.settle),
            fault: explained.fault.map(|fault| fault.as_str().to_owned()),
            cause: explained.cause,
            since: rfc3339(explained.since),
            checked_at: explained.checked_at.map(rfc3339),
            visible: explained.visible,
            incident: explained.incident.map(|id| id.as_str().to_owned()),
            services: services.map(|one| service(one, unknown_since)).collect(),
        }
    }
}

fn service(explained: ServiceExplained, unknown_since: Option<Wall>) -> ServiceExplanation {
    // What cannot be read now was, before that, what was confirmed last.
    let (state, since, previous) = match unknown_since {
        Some(since) => (State::Unknown, since, Some(explained.state)),
        None => (explained.state, explained.since, explained.previous_state),
    };
    ServiceExplanation {
        service: explained.service.as_str().to_owned(),
        entry: u64::try_from(explained.entry).unwrap_or(u64::MAX),
        selector: explained.selector,
        expected: explained.expect.as_str().to_owned(),
        r#for: duration_text(explained.for_span),
        confirm: explained.confirm,
        state: state.as_str().to_owned(),
        since: rfc3339(since),
        previous_state: previous.map(|state| state.as_str().to_owned()),
        wrong_since: explained.wrong_since.map(rfc3339),
        start_type: explained.start_type.map(|start| start.as_str().to_owned()),
        severity: explained
            .severity
            .map(|severity| severity.as_str().to_owned()),
        incident: explained.incident.map(|id| id.as_str().to_owned()),
        held_until: explained.held_until.map(rfc3339),
        acknowledged_by: explained.acknowledged_by,
        muted: explained.muted.map(|why| why.as_str().to_owned()),
        lanes: explained
            .lanes
            .into_iter()
            .map(LaneExplanation::from)
            .collect(),
    }
}

impl From<LaneExplained> for LaneExplanation {
    fn from(lane: LaneExplained) -> Self {
        let limit = |limit: Limit| LimitExplanation {
            per: limit.per.as_str().to_owned(),
            every: duration_text(limit.every),
        };
        Self {
            destination: lane.destination.as_str().to_owned(),
            recipient: lane.recipient.to_string(),
            reminder: lane.reminder.map(duration_text),
            limit: lane.limit.map(limit),
            told: lane.told.map(|id| id.as_str().to_owned()),
            waiting: u64::try_from(lane.waiting).unwrap_or(u64::MAX),
        }
    }
}

/// A word of the list of reasons in a sentence.
pub const fn why_in_words(why: Why) -> &'static str {
    match why {
        Why::NeverSeenRunning => {
            "a pattern or start type selects it, and it was never seen running"
        }
        Why::Settled => "it was over before the settle time of its host was",
        Why::NoRoute => "no route leads anywhere for it",
        Why::HostFault => "its host cannot be read, and that is told instead",
        Why::AccountPaused => "the account of its host is paused, and that is told instead",
        Why::Summarized => "it stands in a summary",
        Why::MergedLater => "a later message says it too",
        Why::Acknowledged => "somebody has acknowledged it, so it is not told again",
        Why::Expired => "it could not be delivered in time",
        Why::Parked => "the destination will never take it",
        Why::DestinationRemoved => "its destination is not in the config any more",
        Why::OwnFailure => "a destination cannot be told of its own failure",
        Why::Limit => "a bound of the program was reached",
    }
}

impl fmt::Display for ExplanationItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.host)?;
        line(out, "address", &self.address)?;
        optional(out, "computer", self.computer_name.as_deref())?;
        match (&self.account, &self.account_paused) {
            (Some(account), Some(why)) => {
                line(out, "account", &format!("{account}, paused: {why}"))?;
            }
            (account, _) => optional(out, "account", account.as_deref())?,
        }
        line(
            out,
            "read",
            &format!(
                "every {}; a fault is told after {}, services are held {}",
                self.every, self.host_for, self.settle
            ),
        )?;
        match (&self.fault, &self.checked_at) {
            (Some(fault), _) => {
                let cause = self.cause.as_deref().unwrap_or("no more is known");
                line(
                    out,
                    "state",
                    &format!("unknown since {}: {fault} ({cause})", self.since),
                )?;
            }
            (None, Some(checked)) => {
                line(
                    out,
                    "state",
                    &format!("up since {}, last read {checked}", self.since),
                )?;
            }
            (None, None) => line(out, "state", "not read since the start")?,
        }
        if let Some(visible) = self.visible {
            line(out, "visible", &format!("{visible} services"))?;
        }
        optional(out, "incident", self.incident.as_deref())?;
        for service in &self.services {
            write!(out, "\n{service}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ServiceExplanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.service)?;
        line(
            out,
            "selected by",
            &format!("{} (entry {})", self.selector, self.entry),
        )?;
        let readings = match self.confirm {
            0 | 1 => String::new(),
            more => format!(", seen in {more} readings"),
        };
        line(
            out,
            "expected",
            &format!(
                "{}; told when otherwise for {}{readings}",
                self.expected, self.r#for
            ),
        )?;
        let before = self.previous_state.as_deref().unwrap_or("nothing known");
        line(
            out,
            "state",
            &format!("{} since {}, before that {before}", self.state, self.since),
        )?;
        optional(out, "wrong since", self.wrong_since.as_deref())?;
        optional(out, "start type", self.start_type.as_deref())?;
        optional(out, "severity", self.severity.as_deref())?;
        optional(out, "incident", self.incident.as_deref())?;
        optional(out, "held until", self.held_until.as_deref())?;
        optional(out, "acknowledged", self.acknowledged_by.as_deref())?;
        if let Some(word) = &self.muted {
            let sentence = Why::parse(word).map_or("for another reason", why_in_words);
            line(out, "not told", &format!("{word}: {sentence}"))?;
        }
        if self.lanes.is_empty() {
            line(out, "told to", "nobody: no route leads anywhere for it")?;
        }
        for lane in &self.lanes {
            line(out, "told to", &lane.to_string())?;
        }
        Ok(())
    }
}

impl fmt::Display for LaneExplanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.destination)?;
        if !self.recipient.is_empty() {
            write!(out, " ({})", self.recipient)?;
        }
        if let Some(limit) = &self.limit {
            write!(out, ", one message per {} each {}", limit.per, limit.every)?;
        }
        if let Some(reminder) = &self.reminder {
            write!(out, ", told again every {reminder}")?;
        }
        if let Some(told) = &self.told {
            write!(out, ", was told of {told}")?;
        }
        if self.waiting > 0 {
            write!(out, ", {} waiting", self.waiting)?;
        }
        Ok(())
    }
}

fn line(out: &mut fmt::Formatter<'_>, about: &str, text: &str) -> fmt::Result {
    writeln!(out, "  {about:<13} {text}")
}

fn optional(out: &mut fmt::Formatter<'_>, about: &str, text: Option<&str>) -> fmt::Result {
    text.map_or(Ok(()), |text| line(out, about, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::{
        id::IncidentId,
        observe::{Fault, StartType},
        plan::{Expect, LimitPer},
        time::Span,
    };

    fn explained() -> Explanation {
        let at = Wall(1_700_000_000_000);
        let lane = LaneExplained {
            destination: "duty".into(),
            recipient: "ops@corp.example".into(),
            reminder: Some(Span::hours(4)),
            limit: Some(Limit {
                per: LimitPer::Service,
                every: Span::seconds(30),
            }),
            told: Some(IncidentId("0123456789abcdef-7".into())),
            waiting: 1,
        };
        let service = ServiceExplained {
            service: "MSSQL$PROD".into(),
            entry: 2,
            selector: "name: MSSQL$*".to_owned(),
            expect: Expect::Running,
            for_span: Span::minutes(1),
            confirm: 1,
            state: State::Stopped,
            since: at,
            previous_state: Some(State::Running),
            wrong_since: Some(at),
            start_type: Some(StartType::Automatic),
            severity: None,
            incident: Some(IncidentId("0123456789abcdef-7".into())),
            held_until: None,
            acknowledged_by: Some("ola".to_owned()),
            muted: Some(Why::NeverSeenRunning),
            lanes: vec![lane],
        };
        Explanation {
            host: "SRV01".into(),
            address: "srv01.corp.example".to_owned(),
            computer_name: Some("SRV01".to_owned()),
            account: Some("ops".into()),
            account_paused: None,
            every: Span::seconds(30),
            host_for: Span::seconds(90),
            settle: Span::seconds(3),
            fault: None,
            cause: None,
            since: at,
            checked_at: Some(at),
            visible: Some(60),
            incident: None,
            services: vec![service],
        }
    }

    #[test]
    fn it_is_json() {
        let item = ExplanationItem::from(explained());
        insta::assert_snapshot!(
            "explained_json",
            serde_json::to_string_pretty(&item).unwrap()
        );
    }

    #[test]
    fn it_is_text_for_people() {
        insta::assert_snapshot!(
            "explained_text",
            ExplanationItem::from(explained()).to_string()
        );
        let mut down = explained();
        down.fault = Some(Fault::LogonRefused);
        down.cause = Some("the password is wrong".to_owned());
        down.account_paused = Some("wrong_password");
        down.services[0].lanes.clear();
        insta::assert_snapshot!(
            "explained_text_of_a_fault",
            ExplanationItem::from(down).to_string()
        );
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let mut down = explained();
        down.fault = Some(Fault::Timeout);
        assert_eq!(ExplanationItem::from(down).services[0].state, "unknown");
    }

    #[test]
    fn every_reason_has_a_sentence_of_its_own() {
        let mut sentences: Vec<&str> = Why::ALL.iter().map(|why| why_in_words(*why)).collect();
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), Why::ALL.len());
    }
}

//! How rows are stored, where that differs from how they are used.
//!
//! Lists of words are stored as their words. A newer version of the same form may write words that this one does not
//! know: each list says what such a word is taken for, so that going back one version loses no incident and no delivery.

use std::borrow::Cow;
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, Severity, ToldEvent, Why},
    observe::{Fault, Refusal, StartType, State},
    record::{DeliveryState, LeftAlone, Restarts, TargetRow},
    time::Wall,
};

/// The spelling of a name, where it is not its key.
pub(super) fn shown(name: &Name) -> Option<&str> {
    Some(name.as_str()).filter(|shown| *shown != name.key())
}

/// A subject in three parts: the word of its kind, its host or group, and the name of its service, account or destination.
pub(super) struct SubjectParts<'a> {
    /// The word of its kind.
    pub(super) kind: &'static str,
    /// Its host, where it belongs to one, or its group.
    pub(super) host: Option<&'a Name>,
    /// The name of its service, account or destination.
    pub(super) name: Option<&'a Name>,
}

impl<'a> SubjectParts<'a> {
    pub(super) const fn of(subject: &'a Subject) -> Self {
        let (kind, host, name) = match subject {
            Subject::Service { host, service } => ("service", Some(host), Some(service)),
            Subject::Host(host) => ("host", Some(host), None),
            Subject::Visibility(host) => ("visibility", Some(host), None),
            Subject::Account(account) => ("account", None, Some(account)),
            Subject::Destination(destination) => ("destination", None, Some(destination)),
            Subject::Fleet => ("fleet", None, None),
            Subject::Group { group, service } => ("group", Some(group), Some(service)),
        };
        Self { kind, host, name }
    }
}

/// The subject of a kind, a host and a name as they are written; none where the kind is not known.
pub(super) fn subject(kind: &str, host: &str, name: &str) -> Option<Subject> {
    Some(match kind {
        "service" => Subject::Service {
            host: Name::new(host),
            service: Name::new(name),
        },
        "host" => Subject::Host(Name::new(host)),
        "visibility" => Subject::Visibility(Name::new(host)),
        "account" => Subject::Account(Name::new(name)),
        "destination" => Subject::Destination(Name::new(name)),
        "fleet" => Subject::Fleet,
        "group" => Subject::Group {
            group: Name::new(host),
            service: Name::new(name),
        },
        _ => return None,
    })
}

/// A stored state; a word of a newer version is a state that we cannot tell.
pub(super) fn state(word: &str) -> State {
    State::parse(word).unwrap_or(State::Unknown)
}

/// A stored start type; a word of a newer version is none that we know.
pub(super) fn start_type(word: &str) -> Option<StartType> {
    StartType::parse(word)
}

/// A stored fault; a word of a newer version is still a fault.
pub(super) fn fault(word: &str) -> Fault {
    Fault::parse(word).unwrap_or(Fault::ProtocolError)
}

/// A stored refusal; a word of a newer version is still a refusal.
pub(super) fn refusal(word: &str) -> Refusal {
    Refusal::parse(word).unwrap_or(Refusal::Other)
}

/// A stored severity; a word of a newer version is worth a look.
pub(super) fn severity(word: &str) -> Severity {
    Severity::parse(word).unwrap_or(Severity::Warning)
}

/// Why something is not told; a word of a newer version is still a reason to hold it back until it is looked at again.
pub(super) fn muted(word: &str) -> Why {
    Why::parse(word).unwrap_or(Why::Silenced)
}

/// A stored kind of notice; a word of a newer version is good to know.
pub(super) fn kind(word: &str) -> Kind {
    Kind::parse(word).unwrap_or(Kind::Info)
}

/// Where a stored delivery stands; a word of a newer version is nothing that this one may send.
pub(super) fn delivery_state(word: &str) -> DeliveryState {
    DeliveryState::parse(word).unwrap_or(DeliveryState::Parked)
}

/// How a stored try ended.
pub(super) fn result(word: &str) -> &'static str {
    ["delivered", "retry", "rejected"]
        .into_iter()
        .find(|known| *known == word)
        .unwrap_or("unknown")
}

/// What is told, of a stored word; a word of a newer version is taken for the plainest thing that can be wrong with
/// such a subject, so that an open incident stays open until its subject is read again.
pub(super) fn event(word: &str, subject: &Subject) -> ToldEvent {
    ToldEvent::parse(word).unwrap_or(match subject {
        Subject::Service { .. } | Subject::Group { .. } => ToldEvent::Stopped,
        Subject::Host(_) => ToldEvent::HostUnreachable,
        Subject::Visibility(_) => ToldEvent::Hidden,
        Subject::Account(_) => ToldEvent::AccountPaused,
        Subject::Destination(_) => ToldEvent::DestinationFailing,
        Subject::Fleet => ToldEvent::Test,
    })
}

/// A number that only rises, as the database holds it.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same back.
pub(super) fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The yes and no of a target in one number, because there are millions of targets and each column costs time at a
/// start. Bits: 1 hidden, 2 seen running, 4 removed, 8 trigger start known, 16 trigger start, 32 per user known,
/// 64 per user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TargetFlags(pub(super) i64);

impl TargetFlags {
    const HIDDEN: i64 = 1;
    const SEEN_RUNNING: i64 = 2;
    const REMOVED: i64 = 4;
    const TRIGGER_KNOWN: i64 = 8;
    const TRIGGER: i64 = 16;
    const PER_USER_KNOWN: i64 = 32;
    const PER_USER: i64 = 64;

    pub(super) fn of(row: &TargetRow) -> Self {
        let bit = |set: bool, bit: i64| if set { bit } else { 0 };
        Self(
            bit(row.hidden, Self::HIDDEN)
                | bit(row.seen_running, Self::SEEN_RUNNING)
                | bit(row.removed, Self::REMOVED)
                | bit(row.trigger_start.is_some(), Self::TRIGGER_KNOWN)
                | bit(row.trigger_start == Some(true), Self::TRIGGER)
                | bit(row.per_user.is_some(), Self::PER_USER_KNOWN)
                | bit(row.per_user == Some(true), Self::PER_USER),
        )
    }

    const fn has(self, bit: i64) -> bool {
        self.0 & bit != 0
    }

    pub(super) const fn hidden(self) -> bool {
        self.has(Self::HIDDEN)
    }

    pub(super) const fn seen_running(self) -> bool {
        self.has(Self::SEEN_RUNNING)
    }

    pub(super) const fn removed(self) -> bool {
        self.has(Self::REMOVED)
    }

    pub(super) const fn trigger_start(self) -> Option<bool> {
        if self.has(Self::TRIGGER_KNOWN) {
            Some(self.has(Self::TRIGGER))
        } else {
            None
        }
    }

    pub(super) const fn per_user(self) -> Option<bool> {
        if self.has(Self::PER_USER_KNOWN) {
            Some(self.has(Self::PER_USER))
        } else {
            None
        }
    }
}

/// How often a service was started again, as a JSON list.
pub(super) fn restarts_to_json(restarts: &Restarts) -> String {
    let Restarts {
        count,
        since,
        last,
        failures,
        mending,
    } = restarts;
    format!("[{count},{},{},{failures},{mending}]", since.0, last.0)
}

/// The same of its JSON; none where it cannot be read: it is then counted anew.
pub(super) fn restarts_of_json(json: &str) -> Option<Restarts> {
    let (count, since, last, failures, mending) = serde_json::from_str(json).ok()?;
    Some(Restarts {
        count,
        since: Wall(since),
        last: Wall(last),
        failures,
        mending,
    })
}

/// Names as a JSON list.
pub(super) fn names_to_json(names: &[Name]) -> Result<String, serde_json::Error> {
    serde_json::to_string(&names.iter().map(Name::as_str).collect::<Vec<_>>())
}

/// Names of a JSON list.
pub(super) fn names_of_json(json: &str) -> Result<Vec<Name>, serde_json::Error> {
    let names: Vec<Cow<'_, str>> = serde_json::from_str(json)?;
    Ok(names.iter().map(|name| Name::new(name)).collect())
}

/// Guests that are left alone as JSON; nothing where there are none.
pub(super) fn left_alone_to_json(
    guests: &[LeftAlone],
) -> Result<Option<String>, serde_json::Error> {
    if guests.is_empty() {
        return Ok(None);
    }
    let pairs: Vec<(&str, i64)> = guests
        .iter()
        .map(|one| (one.guest.as_str(), one.until.0))
        .collect();
    serde_json::to_string(&pairs).map(Some)
}

/// Guests that are left alone of JSON.
pub(super) fn left_alone_of_json(json: &str) -> Result<Vec<LeftAlone>, serde_json::Error> {
    let pairs: Vec<(Cow<'_, str>, i64)> = serde_json::from_str(json)?;
    let guest = |(guest, until): (Cow<'_, str>, i64)| LeftAlone {
        guest: Name::new(&guest),
        until: Wall(until),
    };
    Ok(pairs.into_iter().map(guest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_newer_version_are_taken_for_something_harmless() {
        let service = Subject::Service {
            host: "a".into(),
            service: "b".into(),
        };
        assert_eq!(state("hibernating"), State::Unknown);
        assert_eq!(start_type("weekly"), None);
        assert_eq!(fault("bored"), Fault::ProtocolError);
        assert_eq!(refusal("mood"), Refusal::Other);
        assert_eq!(severity("fatal"), Severity::Warning);
        assert_eq!(kind("rumour"), Kind::Info);
        assert_eq!(muted("holiday"), Why::Silenced);
        assert_eq!(muted("maintenance"), Why::Maintenance);
        assert_eq!(delivery_state("postponed"), DeliveryState::Parked);
        assert_eq!(result("maybe"), "unknown");
        assert_eq!(event("flapping", &service), ToldEvent::Stopped);
        assert_eq!(event("paused", &service), ToldEvent::Paused);
        assert_eq!(subject("cluster", "a", "b"), None);
    }

    #[test]
    fn numbers_beyond_the_database_stop_at_its_greatest() {
        assert_eq!(counted(stored(u64::MAX)), i64::MAX.unsigned_abs());
        assert_eq!((counted(-1), counted(stored(17))), (0, 17));
    }
}

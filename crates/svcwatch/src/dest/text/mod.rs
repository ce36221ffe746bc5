//! A notice in plain words, for mail, chat and the `text` of a webhook.

mod tries;

use crate::dest::{clean, codes};
use jiff::{Timestamp, tz::TimeZone};
use svcwatch_core::{
    evidence::ClueKind,
    id::Subject,
    limits,
    notice::{GroupSeen, Item, Kind, Notice, ToldEvent},
    observe::{StartType, State},
    time::{Span, Wall},
};

/// Lines of a summary that stand in the running text; mails list more of them.
const ITEMS_IN_TEXT: usize = 10;
/// Things that were found out that are told in one text, at most.
const FOUND_IN_TEXT: usize = 6;

/// A moment for programs: RFC 3339 in UTC with milliseconds. Moments before 1970 or beyond 9999 are cut there.
pub fn rfc3339(wall: Wall) -> String {
    timestamp(wall)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// A moment for people.
pub fn moment(wall: Wall) -> String {
    timestamp(wall)
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}

/// The moment between 1970 and 9999 that is nearest.
fn timestamp(wall: Wall) -> Timestamp {
    let last = Timestamp::MAX.as_second() * 1_000;
    Timestamp::from_millisecond(wall.0.clamp(0, last)).unwrap_or_default()
}

/// A length of time for people, in its two largest units; less than a second in milliseconds.
pub fn duration(span: Span) -> String {
    if (1..1_000).contains(&span.0) {
        return format!("{} ms", span.0);
    }
    let seconds = span.0 / 1_000;
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = units
        .iter()
        .position(|(count, _)| *count > 0)
        .unwrap_or(units.len() - 1);
    let shown: Vec<String> = units
        .iter()
        .enumerate()
        .skip(first)
        .take(2)
        .filter(|(place, (count, _))| *place == first || *count > 0)
        .map(|(_, (count, unit))| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

/// A state in words.
pub const fn state(state: State) -> &'static str {
    state.in_words()
}

/// A start type in words.
pub const fn start_type(start_type: StartType) -> &'static str {
    match start_type {
        StartType::Automatic => "automatic",
        StartType::AutomaticDelayed => "automatic (delayed)",
        StartType::Manual => "manual",
        StartType::Disabled => "disabled",
        StartType::Boot => "by the boot loader",
        StartType::System => "with the system",
    }
}

/// An event in words, for lists and counts.
pub const fn event(event: ToldEvent) -> &'static str {
    match event {
        ToldEvent::Stopped => "stopped",
        ToldEvent::Started => "running",
        ToldEvent::Paused => "paused",
        ToldEvent::Stuck => "stuck",
        ToldEvent::Missing => "not installed",
        ToldEvent::Hidden => "not visible any more",
        ToldEvent::Restarted => "restarted",
        ToldEvent::Moved => "moved",
        ToldEvent::Changed => "changed",
        ToldEvent::Unwatched => "not watched any more",
        ToldEvent::DestinationFailing => "destination failing",
        ToldEvent::HostUnreachable => "unreachable",
        ToldEvent::HostRecovered => "readable again",
        ToldEvent::AfterBoot => "not back after a boot",
        ToldEvent::AccessDenied => "access denied",
        ToldEvent::LogonRefused => "logon refused",
        ToldEvent::AccountPaused => "account paused",
        ToldEvent::WrongHost => "another computer answers",
        ToldEvent::ProtocolError => "answers make no sense",
        ToldEvent::RemedyBudgetUsed => "not started again for now",
        ToldEvent::Test => "test",
    }
}

/// The word at the head of a message: how bad it is, or that it is over.
pub const fn urgency(notice: &Notice) -> &'static str {
    match notice.kind {
        Kind::Resolved => "RESOLVED",
        Kind::Opened | Kind::Updated | Kind::Reminder | Kind::Info | Kind::Summary => {
            match notice.severity {
                svcwatch_core::notice::Severity::Critical => "CRITICAL",
                svcwatch_core::notice::Severity::Warning => "WARNING",
                svcwatch_core::notice::Severity::Info => "INFO",
            }
        }
    }
}

/// What happened, in one line without a stop: `Spooler on srv01 stopped`.
pub fn title(notice: &Notice) -> String {
    match &notice.subject {
        Subject::Fleet => match notice.event {
            ToldEvent::Test => "Test message".to_owned(),
            ToldEvent::AfterBoot => format!("{} did not come back after boots", services(notice)),
            _ => match total(notice) {
                1 => "One thing is not as expected".to_owned(),
                total => format!("{total} things are not as expected"),
            },
        },
        Subject::Service { host, service } => {
            let service = notice.friendly_name.as_deref().unwrap_or(service.as_str());
            format!(
                "{} on {} {}",
                clean::name(service),
                clean::name(host.as_str()),
                phrase(notice)
            )
        }
        Subject::Host(host) if matches!(notice.kind, Kind::Summary) => {
            let (host, services) = (clean::name(host.as_str()), services(notice));
            match notice.event {
                ToldEvent::AfterBoot => {
                    format!("{services} of {host} did not come back after a boot")
                }
                _ => format!("{services} of {host} are not as expected"),
            }
        }
        Subject::Group { group, service } => {
            let service = notice.friendly_name.as_deref().unwrap_or(service.as_str());
            format!(
                "{} of {} {}",
                clean::name(service),
                clean::name(group.as_str()),
                phrase(notice)
            )
        }
        Subject::Host(host) | Subject::Visibility(host) => {
            format!("{} {}", clean::name(host.as_str()), phrase(notice))
        }
        Subject::Account(account) => format!(
            "The account {} {}",
            clean::name(account.as_str()),
            phrase(notice)
        ),
        Subject::Destination(destination) => format!(
            "The destination {} {}",
            clean::name(destination.as_str()),
            phrase(notice)
        ),
    }
}

/// What is told of the subject: an adjective after `is`, or a verb.
enum Phrase {
    Is(&'static str),
    Does(&'static str),
}

/// What happened to the subject.
fn phrase(notice: &Notice) -> String {
    if matches!(notice.kind, Kind::Resolved) {
        return over(notice).to_owned();
    }
    let service = matches!(notice.subject, Subject::Service { .. });
    let group = notice.group.as_deref();
    let phrase = match notice.event {
        ToldEvent::Restarted => return restarted(notice),
        ToldEvent::Moved => return moved(group),
        ToldEvent::Stopped if group.is_some_and(is_nowhere) => Phrase::Does("runs nowhere"),
        ToldEvent::Stopped if group.is_some() => Phrase::Does("runs on too few hosts"),
        ToldEvent::Started if group.is_some() => Phrase::Does("runs on too many hosts"),
        ToldEvent::Stopped if matches!(notice.kind, Kind::Opened | Kind::Info) => {
            // At first sight nobody saw it stop.
            if notice.previous_state.is_some() {
                return "stopped".to_owned();
            }
            Phrase::Is("stopped")
        }
        ToldEvent::Started if matches!(notice.kind, Kind::Opened) => {
            Phrase::Is("running although it should not be")
        }
        ToldEvent::Changed if matches!(notice.kind, Kind::Info) => Phrase::Does("changed"),
        ToldEvent::Changed => Phrase::Is("installed although it should not be"),
        ToldEvent::Stuck => Phrase::Is(match notice.state {
            Some(State::StartPending) => "stuck while starting",
            Some(State::StopPending) => "stuck while stopping",
            Some(State::PausePending) => "stuck while pausing",
            Some(State::ContinuePending) => "stuck while continuing",
            _ => "stuck",
        }),
        ToldEvent::Hidden if service => Phrase::Is("not visible to svcwatch any more"),
        ToldEvent::Hidden => Phrase::Does("shows fewer services than before"),
        ToldEvent::HostUnreachable => Phrase::Does("cannot be reached"),
        ToldEvent::HostRecovered => Phrase::Does("can be read again"),
        ToldEvent::AccessDenied => Phrase::Does("does not let svcwatch read its services"),
        ToldEvent::LogonRefused => Phrase::Does("refuses the logon"),
        ToldEvent::WrongHost => Phrase::Is("answered by another computer"),
        ToldEvent::ProtocolError => Phrase::Does("answers what makes no sense"),
        ToldEvent::AccountPaused => Phrase::Is("not used until it is mended"),
        ToldEvent::DestinationFailing => Phrase::Does("does not take what it is given"),
        other => Phrase::Is(event(other)),
    };
    match (phrase, notice.kind) {
        (Phrase::Is(what), Kind::Reminder) => format!("is still {what}"),
        (Phrase::Is(what), Kind::Updated) => format!("is now {what}"),
        (Phrase::Is(what), _) => format!("is {what}"),
        (Phrase::Does(what), Kind::Reminder) => format!("still {what}"),
        (Phrase::Does(what), Kind::Updated) => format!("now {what}"),
        (Phrase::Does(what), _) => what.to_owned(),
    }
}

/// Whether it is known to run on none of its hosts.
fn is_nowhere(group: &GroupSeen) -> bool {
    let known = |(_, state): &(_, State)| *state != State::Unknown;
    group.running == 0 && group.members.iter().all(known)
}

/// That it was started again, and how often.
fn restarted(notice: &Notice) -> String {
    let count = notice
        .counts
        .iter()
        .find(|(event, _)| *event == ToldEvent::Restarted);
    match count {
        Some((_, count)) if *count > 1 => format!("restarted, {count} times by now"),
        _ => "restarted".to_owned(),
    }
}

/// Where it runs now.
fn moved(group: Option<&GroupSeen>) -> String {
    let members = group.map_or(&[] as &[_], |group| &group.members);
    let names: Vec<String> = members
        .iter()
        .filter(|(_, state)| *state == State::Running)
        .take(ITEMS_IN_TEXT)
        .map(|(host, _)| clean::name(host.as_str()))
        .collect();
    if names.is_empty() {
        "moved".to_owned()
    } else {
        format!("runs on {} now", names.join(", "))
    }
}

/// The hosts of a group, each with the state of the service there.
pub fn members(group: &GroupSeen) -> String {
    let shown: Vec<String> = group
        .members
        .iter()
        .take(ITEMS_IN_TEXT)
        .map(|(host, of)| format!("{}: {}", clean::name(host.as_str()), state(*of)))
        .collect();
    match group.members.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How it ended.
fn over(notice: &Notice) -> &'static str {
    match (&notice.subject, notice.event, notice.state) {
        (_, ToldEvent::Unwatched, _) => "is not watched any more",
        (Subject::Service { .. }, _, Some(State::Running)) => "is running again",
        (Subject::Service { .. }, _, Some(State::Stopped)) => "is stopped, as it should be",
        (Subject::Group { .. }, ..) => "runs on as many hosts as it should again",
        (Subject::Host(_), ..) => "can be read again",
        (Subject::Visibility(_), ..) => "shows its services again",
        (Subject::Account(_), ..) => "is used again",
        (Subject::Destination(_), ..) => "takes messages again",
        (Subject::Service { .. } | Subject::Fleet, ..) => "is as expected again",
    }
}

/// The notice in a few sentences, on one line, without markup.
pub fn sentences(notice: &Notice, link: Option<&str>) -> String {
    let mut text = title(notice);
    if let Some(code) = exit_code(notice) {
        text = format!("{text} ({code})");
    }
    text.push('.');
    for sentence in details(notice) {
        text = format!("{text} {sentence}");
    }
    let items: Vec<String> = notice.items.iter().take(ITEMS_IN_TEXT).map(item).collect();
    if !items.is_empty() {
        let more = notice.items.len().saturating_sub(items.len());
        let rest = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        text = format!("{text} {}{rest}.", items.join("; "));
    }
    match link {
        Some(link) => format!("{text} {link}"),
        None => text,
    }
}

/// The sentences after the first one.
pub fn details(notice: &Notice) -> Vec<String> {
    let mut sentences = Vec::new();
    if matches!(notice.subject, Subject::Fleet) && matches!(notice.event, ToldEvent::Test) {
        sentences.push(
            "Somebody tries whether messages of svcwatch arrive here. Nothing is wrong.".to_owned(),
        );
    }
    if let Some(cause) = notice.cause.as_deref().filter(|cause| !cause.is_empty()) {
        let cause = clean::line(cause, limits::CAUSE_CHARACTERS_MAX);
        sentences.push(format!("Cause: {}.", cause.trim_end_matches('.')));
    }
    sentences.extend(found(notice));
    let over = notice.kind == Kind::Resolved;
    let tries = notice.remedy.iter();
    sentences.extend(tries.map(|told| tries::sentence(told, over)));
    if let Some(group) = notice.group.as_deref() {
        sentences.push(format!(
            "Expected on {} of its hosts, seen running on {}: {}.",
            group.expected.in_words(),
            group.running,
            members(group)
        ));
    }
    if let (Some(now), Some(since)) = (notice.state, notice.since) {
        sentences.push(match notice.previous_state {
            Some(before) if before != now => format!(
                "It has been {} since {}; before that it was {}.",
                state(now),
                moment(since),
                state(before)
            ),
            _ => format!("It has been {} since {}.", state(now), moment(since)),
        });
    }
    if let (Kind::Resolved, Some(incident)) = (notice.kind, &notice.incident) {
        sentences.push(format!(
            "The incident lasted {}.",
            duration(notice.at.since(incident.opened_at))
        ));
    }
    match notice.merged.len() {
        0 => {}
        1 => sentences.push("One incident came and went meanwhile.".to_owned()),
        count => sentences.push(format!("{count} incidents came and went meanwhile.")),
    }
    if !notice.counts.is_empty() && notice.event != ToldEvent::Restarted {
        let counts: Vec<String> = notice
            .counts
            .iter()
            .map(|(what, count)| match what {
                ToldEvent::AccountPaused if matches!(notice.subject, Subject::Account(_)) => {
                    format!("{count} hosts unseen")
                }
                what => format!("{count} {}", event(*what)),
            })
            .collect();
        sentences.push(format!("In all: {}.", counts.join(", ")));
    }
    sentences
}

/// What was found out besides the cause, a sentence for each, the most telling first. What other fields of the notice
/// say is left out.
fn found(notice: &Notice) -> Vec<String> {
    const TELLING: [ClueKind; 7] = [
        ClueKind::Event,
        ClueKind::Changed,
        ClueKind::Because,
        ClueKind::Boot,
        ClueKind::Process,
        ClueKind::Dependency,
        ClueKind::Dependent,
    ];
    let Some(evidence) = notice.evidence.as_deref() else {
        return Vec::new();
    };
    let told = notice.cause.as_deref().unwrap_or_default();
    let clues = TELLING.iter().flat_map(|kind| {
        let of_kind = evidence.clues.iter().filter(move |clue| clue.kind == *kind);
        of_kind.filter(|clue| !told.contains(clue.text.as_str()))
    });
    let sentences = clues.take(FOUND_IN_TEXT).map(|clue| {
        let text = clean::line(&clue.text, limits::CAUSE_CHARACTERS_MAX);
        let text = text.trim_end_matches('.');
        match (clue.kind, clue.at) {
            (ClueKind::Event, Some(at)) => format!("Event log, {}: {text}.", moment(at)),
            (ClueKind::Changed, Some(at)) => format!("Changed, {}: {text}.", moment(at)),
            _ => format!("Found: {text}."),
        }
    });
    sentences.collect()
}

/// The exit code of a stop in words; none where nothing stopped or the host did not tell it.
pub fn exit_code(notice: &Notice) -> Option<String> {
    if !matches!(notice.state, Some(State::Stopped)) || matches!(notice.kind, Kind::Resolved) {
        return None;
    }
    let code = notice.exit_code?;
    Some(match (code, notice.service_exit_code) {
        (1066, Some(own)) => format!("{}, {own}", codes::describe(code)),
        // Of a process that was held on to when it ended, its own exit code is known.
        (1067, Some(own)) if own != 0 => {
            format!("{}: {}", codes::describe(code), codes::describe(own))
        }
        _ => codes::describe(code),
    })
}

/// One line of a summary.
pub fn item(item: &Item) -> String {
    if let (Some(group), Some(service)) = (&item.group, &item.service) {
        let what = match item.event {
            ToldEvent::Stopped => "runs on too few hosts",
            ToldEvent::Started => "runs on too many hosts",
            other => event(other),
        };
        let (group, service) = (group.as_str(), service.as_str());
        return format!("{} of {}: {what}", clean::name(service), clean::name(group));
    }
    let what = event(item.event);
    match (&item.host, &item.service) {
        (Some(host), Some(service)) => format!(
            "{} on {}: {what}",
            clean::name(service.as_str()),
            clean::name(host.as_str())
        ),
        (Some(host), None) => format!("{}: {what}", clean::name(host.as_str())),
        (None, Some(service)) => format!("{}: {what}", clean::name(service.as_str())),
        (None, None) => what.to_owned(),
    }
}

/// How many services a summary stands for, in words.
fn services(notice: &Notice) -> String {
    match total(notice) {
        1 => "One service".to_owned(),
        total => format!("{total} services"),
    }
}

/// How many things a summary stands for.
fn total(notice: &Notice) -> u64 {
    let listed = u64::try_from(notice.items.len()).unwrap_or(u64::MAX);
    notice
        .counts
        .iter()
        .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
        .max(listed)
}

#[cfg(test)]
mod tests;

//! The JSON body that webhooks and the `log` destination send, version 1: every key is always there, what is unknown
//! is null. Fields and values may be added; none is taken away.

use crate::dest::{Context, text};
use serde::{Serialize, Serializer, ser::SerializeMap};
use svcwatch_core::{
    evidence::Clue,
    id::{DeliveryKey, IncidentId, Name},
    notice::{GroupSeen, Item, Merged, Notice, ToldEvent},
    observe::{StartType, State},
    remedy::{Outcome, RemedyTold},
};

/// The version of the body.
const VERSION: u8 = 1;

/// The body, in the order in which it is written.
#[derive(Serialize)]
struct Body<'a> {
    version: u8,
    key: &'a str,
    kind: &'static str,
    event: &'static str,
    at: String,
    severity: &'static str,
    host: Option<&'a str>,
    site: Option<&'a str>,
    service: Option<&'a str>,
    display_name: Option<&'a str>,
    friendly_name: Option<&'a str>,
    state: Option<&'static str>,
    previous_state: Option<&'static str>,
    since: Option<String>,
    start_type: Option<&'static str>,
    exit_code: Option<u32>,
    service_exit_code: Option<u32>,
    cause: Option<&'a str>,
    cause_kind: Option<&'static str>,
    evidence: Vec<ClueBody<'a>>,
    remedy: Vec<TryBody<'a>>,
    labels: Labels<'a>,
    incident: Option<Incident<'a>>,
    merged: Vec<MergedBody<'a>>,
    group: Option<GroupBody<'a>>,
    items: Vec<ItemBody<'a>>,
    counts: Counts<'a>,
    text: String,
    runbook: Option<String>,
}

#[derive(Serialize)]
struct Incident<'a> {
    id: &'a str,
    opened_at: String,
    url: Option<String>,
}

#[derive(Serialize)]
struct ClueBody<'a> {
    kind: &'static str,
    at: Option<String>,
    text: &'a str,
}

#[derive(Serialize)]
struct TryBody<'a> {
    at: String,
    plan: &'a str,
    attempt: u32,
    outcome: Option<&'static str>,
    text: &'a str,
}

#[derive(Serialize)]
struct MergedBody<'a> {
    incident: &'a str,
    opened_at: String,
    resolved_at: String,
}

#[derive(Serialize)]
struct GroupBody<'a> {
    name: &'a str,
    expected: ExpectedBody,
    running: u32,
    members: Vec<MemberBody<'a>>,
}

/// One of the two is null.
#[derive(Serialize)]
struct ExpectedBody {
    running: Option<u32>,
    at_least: Option<u32>,
}

#[derive(Serialize)]
struct MemberBody<'a> {
    host: &'a str,
    state: &'static str,
}

#[derive(Serialize)]
struct ItemBody<'a> {
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    service: Option<&'a str>,
    state: Option<&'static str>,
    event: &'static str,
}

/// Labels as one object.
struct Labels<'a>(&'a [(String, String)]);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Counts as one object.
struct Counts<'a>(&'a [(ToldEvent, u64)]);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (event, count) in self.0 {
            map.serialize_entry(event.as_str(), count)?;
        }
        map.end()
    }
}

/// The body of a notice, on one line. Of `items` and `merged` it names at most `lines` each.
pub fn json(
    key: &DeliveryKey,
    notice: &Notice,
    context: &Context,
    lines: usize,
) -> Result<Vec<u8>, String> {
    serde_json::to_vec(&body(key, notice, context, lines))
        .map_err(|error| format!("the body cannot be written as JSON: {error}"))
}

/// The body as a value, for templates.
pub fn value(
    key: &DeliveryKey,
    notice: &Notice,
    context: &Context,
    lines: usize,
) -> serde_json::Value {
    serde_json::to_value(body(key, notice, context, lines)).unwrap_or_default()
}

/// The flat fields of the body as the query of a URL, for receivers that take no body. What is unknown is left out.
pub fn query(key: &DeliveryKey, notice: &Notice, context: &Context) -> String {
    let body = body(key, notice, context, 0);
    let version = body.version.to_string();
    let exit_code = body.exit_code.map(|code| code.to_string());
    let service_exit_code = body.service_exit_code.map(|code| code.to_string());
    let fields = [
        ("version", Some(version.as_str())),
        ("key", Some(body.key)),
        ("kind", Some(body.kind)),
        ("event", Some(body.event)),
        ("at", Some(body.at.as_str())),
        ("severity", Some(body.severity)),
        ("host", body.host),
        ("site", body.site),
        ("service", body.service),
        ("display_name", body.display_name),
        ("friendly_name", body.friendly_name),
        ("state", body.state),
        ("previous_state", body.previous_state),
        ("since", body.since.as_deref()),
        ("start_type", body.start_type),
        ("exit_code", exit_code.as_deref()),
        ("service_exit_code", service_exit_code.as_deref()),
        ("cause", body.cause),
        (
            "incident",
            body.incident.as_ref().map(|incident| incident.id),
        ),
        ("text", Some(body.text.as_str())),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    pairs(fields)
}

/// Names with their values, as the query of an address.
pub(crate) fn pairs<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in fields {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        percent_encode(value, &mut query);
    }
    query
}

/// Adds the text with every byte but the unreserved ones (RFC 3986 2.3) as `%XX`.
fn percent_encode(text: &str, query: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            query.push(char::from(byte));
        } else {
            query.push('%');
            for nibble in [byte >> 4, byte & 0x0f] {
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                query.push(digit.to_ascii_uppercase());
            }
        }
    }
}

fn body<'a>(key: &'a DeliveryKey, notice: &'a Notice, context: &Context, lines: usize) -> Body<'a> {
    let link = notice
        .incident
        .as_ref()
        .and_then(|incident| context.incident_url(&incident.id));
    Body {
        version: VERSION,
        key: key.as_str(),
        kind: notice.kind.as_str(),
        event: notice.event.as_str(),
        at: text::rfc3339(notice.at),
        severity: notice.severity.as_str(),
        host: notice.subject.host().map(Name::as_str),
        site: notice.site.as_deref(),
        service: notice.subject.service().map(Name::as_str),
        display_name: notice.display_name.as_deref(),
        friendly_name: notice.friendly_name.as_deref(),
        state: notice.state.map(State::as_str),
        previous_state: notice.previous_state.map(State::as_str),
        since: notice.since.map(text::rfc3339),
        start_type: notice.start_type.map(StartType::as_str),
        exit_code: notice.exit_code,
        service_exit_code: notice.service_exit_code,
        cause: notice.cause.as_deref(),
        cause_kind: notice.evidence.as_ref().map(|one| one.cause.as_str()),
        evidence: notice
            .evidence
            .iter()
            .flat_map(|evidence| &evidence.clues)
            .take(lines)
            .map(clue)
            .collect(),
        remedy: notice.remedy.iter().map(tried).collect(),
        labels: Labels(&notice.labels),
        incident: notice.incident.as_ref().map(|incident| Incident {
            id: incident.id.as_str(),
            opened_at: text::rfc3339(incident.opened_at),
            url: link.clone(),
        }),
        merged: notice.merged.iter().take(lines).map(merged).collect(),
        group: notice.group.as_deref().map(|group| group_of(group, lines)),
        items: notice.items.iter().take(lines).map(item).collect(),
        counts: Counts(&notice.counts),
        text: text::sentences(notice, link.as_deref()),
        runbook: context.runbook_url(notice),
    }
}

fn clue(clue: &Clue) -> ClueBody<'_> {
    ClueBody {
        kind: clue.kind.as_str(),
        at: clue.at.map(text::rfc3339),
        text: &clue.text,
    }
}

fn tried(told: &RemedyTold) -> TryBody<'_> {
    TryBody {
        at: text::rfc3339(told.at),
        plan: told.plan.as_str(),
        attempt: told.attempt,
        outcome: told.outcome.map(Outcome::as_str),
        text: &told.text,
    }
}

fn merged(merged: &Merged) -> MergedBody<'_> {
    MergedBody {
        incident: IncidentId::as_str(&merged.incident),
        opened_at: text::rfc3339(merged.opened_at),
        resolved_at: text::rfc3339(merged.resolved_at),
    }
}

fn group_of(group: &GroupSeen, lines: usize) -> GroupBody<'_> {
    let count = group.expected.least();
    let exact = group.expected.is_exact();
    GroupBody {
        name: group.name.as_str(),
        expected: ExpectedBody {
            running: exact.then_some(count),
            at_least: (!exact).then_some(count),
        },
        running: group.running,
        members: group
            .members
            .iter()
            .take(lines)
            .map(|(host, state)| MemberBody {
                host: host.as_str(),
                state: state.as_str(),
            })
            .collect(),
    }
}

fn item(item: &Item) -> ItemBody<'_> {
    ItemBody {
        host: item.host.as_ref().map(Name::as_str),
        group: item.group.as_ref().map(Name::as_str),
        service: item.service.as_ref().map(Name::as_str),
        state: item.state.map(State::as_str),
        event: item.event.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_no_byte_that_means_something() {
        let mut query = String::new();
        percent_encode("a b&c=d\r\n#é~", &mut query);
        assert_eq!(query, "a%20b%26c%3Dd%0D%0A%23%C3%A9~");
    }
}

//! What Butler's receivers are used to: its words for states, and the body of its webhooks.

use crate::dest::clean;
use serde_json::{Map, Value, json};
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, Notice, ToldEvent},
    observe::{StartType, State},
};

/// The word for what is not known.
pub const UNKNOWN: &str = "UNKNOWN";
/// What Butler calls each of its webhook messages.
const EVENT: &str = "Windows service monitor";

/// The state that is told, as `STOPPED`, `RUNNING`, `MISSING` or `UNREACHABLE`: the state of a service where it is
/// known, else the event.
pub fn status(notice: &Notice) -> String {
    let of_state = match (&notice.subject, notice.event, notice.state) {
        (_, ToldEvent::Unwatched, _) | (_, _, None | Some(State::Unknown)) => None,
        (Subject::Service { .. }, ToldEvent::Hidden, _) if notice.kind != Kind::Resolved => None,
        (Subject::Service { .. }, _, Some(state)) => Some(state.as_str()),
        _ => None,
    };
    let word = of_state.unwrap_or(match (notice.kind, notice.event) {
        (Kind::Summary, _) => Kind::Summary.as_str(),
        (Kind::Resolved, ToldEvent::HostUnreachable) | (_, ToldEvent::HostRecovered) => "reachable",
        (_, ToldEvent::HostUnreachable) => "unreachable",
        (_, ToldEvent::Started) => State::Running.as_str(),
        (_, ToldEvent::Unwatched) => ToldEvent::Unwatched.as_str(),
        (Kind::Resolved, _) => Kind::Resolved.as_str(),
        (_, event) => event.as_str(),
    });
    word.to_ascii_uppercase()
}

/// The state before; [`UNKNOWN`] where nobody saw it.
pub fn previous_status(notice: &Notice) -> String {
    notice.previous_state.map_or_else(
        || UNKNOWN.to_owned(),
        |state| state.as_str().to_ascii_uppercase(),
    )
}

/// The display name; a service without one is shown by its key name, as Windows does. Empty where no service is meant.
pub fn display_name(notice: &Notice) -> &str {
    notice
        .display_name
        .as_deref()
        .or_else(|| notice.subject.service().map(Name::as_str))
        .unwrap_or_default()
}

/// The start type; empty where it is not known.
pub fn start_type(notice: &Notice) -> &'static str {
    notice.start_type.map_or("", word_of_start_type)
}

/// The word of a start type.
pub const fn word_of_start_type(start_type: StartType) -> &'static str {
    match start_type {
        StartType::Automatic => "Automatic",
        StartType::AutomaticDelayed => "Automatic (delayed start)",
        StartType::Manual => "Manual",
        StartType::Disabled => "Disabled",
        StartType::Boot => "Boot",
        StartType::System => "System",
    }
}

/// What a log of New Relic says: Butler's sentence.
pub fn sentence(notice: &Notice) -> String {
    let status = status(notice);
    let host = notice.subject.host().map_or("", Name::as_str);
    let what = match notice.subject {
        Subject::Service { .. } => format!(
            "Windows service \"{}\" on host \"{}\"",
            clean::name(display_name(notice)),
            clean::name(host)
        ),
        _ => format!("Host \"{}\"", clean::name(host)),
    };
    match status.as_str() {
        "STOPPED" | "RUNNING" => format!("{what} is {status}."),
        _ => format!("{what} is in state \"{status}\"."),
    }
}

/// The fields of the webhook's body, in Butler's order.
fn fields(notice: &Notice) -> [(&'static str, Value); 9] {
    let name = |name: Option<&Name>| json!(name.map_or("", Name::as_str));
    let status = status(notice);
    [
        ("event", json!(EVENT)),
        // A service of a group is on no host of its own.
        (
            "host",
            name(notice.subject.host().or(notice.subject.group())),
        ),
        ("serviceStatus", json!(status)),
        ("serviceName", name(notice.subject.service())),
        ("serviceDisplayName", json!(display_name(notice))),
        ("serviceStartType", json!(start_type(notice))),
        ("prevState", json!(previous_status(notice))),
        ("currState", json!(status)),
        ("stateChanged", json!(true)),
    ]
}

/// The body of a webhook as Butler sends it.
pub fn json(notice: &Notice) -> Vec<u8> {
    ordered(fields(notice).into_iter()).into_bytes()
}

/// The query of a webhook as Butler sends it: form-urlencoded, its names in lower case.
pub fn query(notice: &Notice) -> String {
    let pairs: Vec<String> = fields(notice)
        .into_iter()
        .map(|(name, value)| {
            let value = match &value {
                Value::String(text) => form_encode(text),
                other => other.to_string(),
            };
            format!("{}={value}", name.to_ascii_lowercase())
        })
        .collect();
    pairs.join("&")
}

/// A JSON object whose keys stay in this order.
pub fn ordered<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> String {
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{}:{value}", Value::from(name)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// A JSON object of these fields, where the order does not matter.
pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(fields)
}

/// The text as a form sends it (WHATWG URL, application/x-www-form-urlencoded): a blank is a plus.
fn form_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            byte => {
                encoded.push('%');
                for nibble in [byte >> 4, byte & 0x0f] {
                    let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                    encoded.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dest::samples::{AT, stopped};
    use State as S;
    use ToldEvent as E;

    fn told(event: ToldEvent, kind: Kind, subject: Subject, state: Option<State>) -> String {
        status(&Notice {
            state,
            ..Notice::new(kind, event, AT, subject, 1)
        })
    }

    #[test]
    fn the_status_of_a_service_is_the_true_word() {
        let service = Subject::Service {
            host: "srv01".into(),
            service: "Spooler".into(),
        };
        for (event, kind, state, word) in [
            (E::Stopped, Kind::Opened, S::Stopped, "STOPPED"),
            (E::Started, Kind::Resolved, S::Running, "RUNNING"),
            (E::Paused, Kind::Opened, S::Paused, "PAUSED"),
            (E::Stuck, Kind::Updated, S::StartPending, "START_PENDING"),
            (E::Missing, Kind::Opened, S::Missing, "MISSING"),
            (E::Hidden, Kind::Opened, S::Unknown, "HIDDEN"),
            (E::Unwatched, Kind::Resolved, S::Stopped, "UNWATCHED"),
        ] {
            assert_eq!(told(event, kind, service.clone(), Some(state)), word);
        }
    }

    #[test]
    fn the_status_of_all_else_is_its_event() {
        let host = || Subject::Host("srv01".into());
        for (event, kind, subject, word) in [
            (E::HostUnreachable, Kind::Opened, host(), "UNREACHABLE"),
            (E::HostRecovered, Kind::Resolved, host(), "REACHABLE"),
            (E::AccessDenied, Kind::Opened, host(), "ACCESS_DENIED"),
            (E::Hidden, Kind::Resolved, host(), "RESOLVED"),
            (E::Stopped, Kind::Summary, Subject::Fleet, "SUMMARY"),
            (E::Test, Kind::Info, Subject::Fleet, "TEST"),
        ] {
            assert_eq!(told(event, kind, subject, None), word);
        }
    }

    #[test]
    fn the_query_is_that_of_a_form() {
        let notice = Notice {
            display_name: Some("Windows 'Time' <b>& co~".into()),
            previous_state: None,
            ..stopped()
        };
        assert_eq!(
            query(&notice),
            "event=Windows+service+monitor&host=srv01&servicestatus=STOPPED&servicename=Spooler&servicedisplayname=Windows+%27Time%27+%3Cb%3E%26+co%7E&servicestarttype=Automatic&prevstate=UNKNOWN&currstate=STOPPED&statechanged=true"
        );
    }
}

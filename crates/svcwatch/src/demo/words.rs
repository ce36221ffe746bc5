//! What a notice says on the terminal: one line in words.
//!
//! It is made of the body that the `log` destination writes, so what is shown is what every receiver could show.

use crate::dest::{clean, codes};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Characters of a text that are shown, at most.
const TEXT_MAX: usize = 200;
/// Lines of a summary that are named.
const NAMED_MAX: usize = 4;

/// How bad a line is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Critical.
    Bad,
    /// A warning.
    Uneasy,
    /// It is over.
    Good,
    /// Good to know.
    Quiet,
}

/// A line for the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The time of day, in UTC.
    pub time: String,
    /// How bad it is.
    pub tone: Tone,
    /// The same as a word.
    pub word: &'static str,
    /// What happened.
    pub text: String,
}

/// What is used of the body of a notice.
#[derive(Debug, Deserialize)]
struct Body {
    kind: String,
    event: String,
    at: String,
    severity: String,
    host: Option<String>,
    site: Option<String>,
    service: Option<String>,
    display_name: Option<String>,
    state: Option<String>,
    previous_state: Option<String>,
    exit_code: Option<u32>,
    service_exit_code: Option<u32>,
    cause: Option<String>,
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    counts: BTreeMap<String, u64>,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Item {
    host: Option<String>,
    service: Option<String>,
    event: String,
}

/// The line of a notice; nothing where that is none.
pub fn line(body: &str) -> Option<Line> {
    let body: Body = serde_json::from_str(body).ok()?;
    let (word, tone) = match (body.kind.as_str(), body.severity.as_str()) {
        ("resolved", _) => ("RESOLVED", Tone::Good),
        (_, "critical") => ("CRITICAL", Tone::Bad),
        (_, "warning") => ("WARNING", Tone::Uneasy),
        _ => ("INFO", Tone::Quiet),
    };
    Some(Line {
        time: clean::line(body.at.get(11..19)?, TEXT_MAX),
        tone,
        word,
        text: clean::line(&said(&body), TEXT_MAX),
    })
}

fn said(body: &Body) -> String {
    let Some(host) = &body.host else {
        return if body.kind == "summary" {
            summary(body)
        } else {
            first_sentence(&body.text)
        };
    };
    let host = match &body.site {
        Some(site) => format!("{host} ({site})"),
        None => host.clone(),
    };
    match &body.service {
        Some(service) => {
            let shown = match &body.display_name {
                Some(display) if display != service => format!("{display} ({service})"),
                _ => service.clone(),
            };
            format!("{shown} on {host} {}", of_service(body))
        }
        None => format!("{host} {}", of_host(body)),
    }
}

fn of_service(body: &Body) -> String {
    if body.kind == "resolved" {
        return match body.state.as_deref() {
            Some("running") => "runs again".to_owned(),
            _ => "is as expected again".to_owned(),
        };
    }
    let what = match body.event.as_str() {
        "stopped" if body.previous_state.is_some() && body.kind != "reminder" => "stopped",
        "stopped" => "is stopped",
        "paused" => "is paused",
        "stuck" => match body.state.as_deref() {
            Some("start_pending") => "is stuck while starting",
            Some("stop_pending") => "is stuck while stopping",
            _ => "is stuck",
        },
        // What else there is to say of it says it once more.
        "missing" => return "is not installed".to_owned(),
        "hidden" => "is hidden from svcwatch",
        other => return format!("is {}", other.replace('_', " ")),
    };
    match why(body) {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}

/// Why a service is as it is, where that is known.
fn why(body: &Body) -> Option<String> {
    if body.event == "stopped"
        && let Some(code) = body.exit_code
    {
        let number = match body.service_exit_code {
            Some(own) if code == 1066 => format!("{code}, {own}"),
            _ => code.to_string(),
        };
        let meaning = codes::meaning(code).unwrap_or("exit code");
        return Some(format!("{meaning} ({number})"));
    }
    body.cause.clone()
}

fn of_host(body: &Body) -> String {
    if body.kind == "resolved" {
        return "can be read again".to_owned();
    }
    let what = match body.event.as_str() {
        "host_unreachable" => "cannot be reached",
        "access_denied" => "does not let svcwatch read its services",
        "logon_refused" => "refuses the logon",
        "wrong_host" => "is answered by another computer",
        "protocol_error" => "answers what makes no sense",
        "hidden" => "shows fewer services than before",
        _ => return first_sentence(&body.text),
    };
    match &body.cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
}

fn summary(body: &Body) -> String {
    let all: u64 = body.counts.values().sum();
    let things = if all == 1 { "thing was" } else { "things were" };
    let mut named: Vec<String> = body.items.iter().take(NAMED_MAX).map(item).collect();
    let more = all.saturating_sub(u64::try_from(named.len()).unwrap_or(0));
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    format!("{all} {things} wrong already: {}", named.join(", "))
}

fn item(item: &Item) -> String {
    let event = item.event.replace('_', " ");
    match (&item.service, &item.host) {
        (Some(service), Some(host)) => format!("{service} on {host} {event}"),
        (None, Some(host)) => format!("{host} {event}"),
        (_, None) => event,
    }
}

fn first_sentence(text: &str) -> String {
    let end = text.find(". ").unwrap_or(text.len());
    text.get(..end)
        .unwrap_or(text)
        .trim_end_matches('.')
        .to_owned()
}

impl Line {
    /// The line as it is printed, in colours or not.
    pub fn print(&self, colours: bool) -> String {
        let Self {
            time,
            tone,
            word,
            text,
        } = self;
        if !colours {
            return format!("{time} {word:<8}  {text}");
        }
        let code = match tone {
            Tone::Bad => "1;31",
            Tone::Uneasy => "33",
            Tone::Good => "32",
            Tone::Quiet => "2",
        };
        format!("\u{1b}[2m{time}\u{1b}[0m \u{1b}[{code}m{word:<8}\u{1b}[0m  {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(with: Value) -> String {
        let mut body = json!({
            "version": 1, "kind": "opened", "event": "stopped", "at": "2024-03-13T06:41:12.042Z",
            "severity": "critical", "host": "web-03", "site": "oslo", "service": "Spooler",
            "display_name": "Print Spooler", "state": "stopped", "previous_state": "running",
            "exit_code": 1067, "service_exit_code": 0, "cause": null, "items": [], "counts": {},
            "text": "Spooler on web-03 stopped. It has been so since."
        });
        if let (Value::Object(body), Value::Object(with)) = (&mut body, with) {
            body.extend(with);
        }
        body.to_string()
    }

    fn printed(with: Value) -> String {
        line(&body(with)).unwrap().print(false)
    }

    #[test]
    fn a_stopped_service_is_told_with_its_reason() {
        assert_eq!(
            printed(json!({})),
            "06:41:12 CRITICAL  Print Spooler (Spooler) on web-03 (oslo) stopped: the process ended unexpectedly (1067)"
        );
        assert_eq!(
            printed(json!({"exit_code": 1066, "service_exit_code": 17058, "previous_state": null})),
            "06:41:12 CRITICAL  Print Spooler (Spooler) on web-03 (oslo) is stopped: an error of its own (1066, 17058)"
        );
        assert_eq!(
            printed(
                json!({"kind": "resolved", "event": "started", "state": "running", "exit_code": 0})
            ),
            "06:41:12 RESOLVED  Print Spooler (Spooler) on web-03 (oslo) runs again"
        );
    }

    #[test]
    fn a_host_is_told_with_the_cause_and_a_summary_with_the_first_few() {
        let host = json!({
            "event": "host_unreachable", "service": null, "display_name": null, "state": null,
            "cause": "no answer in time while reading the services"
        });
        assert_eq!(
            printed(host),
            "06:41:12 CRITICAL  web-03 (oslo) cannot be reached: no answer in time while reading the services"
        );
        let missing = json!({
            "event": "missing", "state": "missing", "severity": "warning", "exit_code": null,
            "cause": "not installed: the host says that it is not installed (1060)"
        });
        assert_eq!(
            printed(missing),
            "06:41:12 WARNING   Print Spooler (Spooler) on web-03 (oslo) is not installed"
        );
        let summary = json!({
            "kind": "summary", "severity": "warning", "host": null, "site": null, "service": null,
            "items": [
                {"host": "web-01", "service": "WAS", "state": "missing", "event": "missing"},
                {"host": "dc-01", "service": null, "state": null, "event": "access_denied"}
            ],
            "counts": {"missing": 6, "access_denied": 1}
        });
        assert_eq!(
            printed(summary),
            "06:41:12 WARNING   7 things were wrong already: WAS on web-01 missing, dc-01 access denied, and 5 more"
        );
    }

    #[test]
    fn what_is_no_notice_is_no_line_and_nothing_steers_the_terminal() {
        assert_eq!(line("{\"half\": "), None);
        assert_eq!(line("{}"), None);
        let evil = printed(json!({"display_name": "a\u{1b}[2Jb"}));
        assert!(!evil.contains('\u{1b}'), "{evil}");
        let coloured = line(&body(json!({}))).unwrap().print(true);
        assert!(
            coloured.contains("\u{1b}[1;31mCRITICAL\u{1b}[0m"),
            "{coloured}"
        );
    }
}

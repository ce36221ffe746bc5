//! What svcwatch sees of a host and a service now, for the top of a page and for its variables.

use super::of_notice;
use crate::{
    board::{Board, Seen},
    dest::{clean, codes, text},
    probe::command_line,
};
use serde_json::Value;
use svcwatch_core::{
    evidence::ClueKind,
    id::{Name, Subject},
    notice::{Kind, Notice, ToldEvent},
    observe::State,
    record::IncidentRow,
    time::Wall,
    view::HostView,
};

/// Dependencies that are shown, at most.
const DEPENDENCIES_MAX: usize = 20;

/// What is seen now.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenNow {
    /// A sentence that stands before all else, where something is to be known first.
    pub first: Option<String>,
    /// The variables of the page.
    pub variables: Value,
    /// Pairs of a word and a value, in the order in which people read them. Empty where nothing is known.
    pub pairs: Vec<(String, String)>,
}

/// What the board shows of a host, and of a service on it.
pub fn seen(board: &Board, host: &Name, service: Option<&Name>, now: Wall) -> SeenNow {
    let mut pairs = Vec::new();
    let mut unwatched = Some(host);
    let mut notice = Notice::new(
        Kind::Opened,
        ToldEvent::Stopped,
        now,
        Subject::Service {
            host: host.clone(),
            service: service.cloned().unwrap_or_else(|| "SERVICE".into()),
        },
        0,
    );
    if let Some(view) = board.host(host) {
        unwatched = None;
        notice.site.clone_from(&view.site);
        pairs.extend(of_host(&view, now));
    }
    let mut first = unwatched.map(|host| not_watched(host, None));
    if let Some(service) = service {
        if unwatched.is_none() && !board.has_service(host, service) {
            first = Some(not_watched(host, Some(service)));
        }
        board.visit_service(host, service, |seen| {
            fill(&mut notice, &seen);
            pairs.extend(of_service(&seen, now));
        });
        let needed = notice.details.as_deref();
        let needed = needed.and_then(|details| details.dependencies.as_deref());
        pairs.extend(dependencies(board, host, needed.unwrap_or_default()));
    }
    SeenNow {
        first,
        variables: of_notice(&notice, None),
        pairs,
    }
}

/// Says that nothing of a host, or of a service on it, is seen.
fn not_watched(host: &Name, service: Option<&Name>) -> String {
    let host = clean::name(host.as_str());
    match service {
        None => format!("svcwatch does not watch {host}."),
        Some(service) => format!(
            "svcwatch does not watch {} on {host}.",
            clean::name(service.as_str())
        ),
    }
}

/// Says that a service runs again: who is woken by the notice of an incident wants to know that first.
pub fn runs_again(
    board: &Board,
    host: &Name,
    service: &Name,
    incident: &IncidentRow,
    now: Wall,
) -> Option<String> {
    incident.resolved_at?;
    let mut since = None;
    board.visit_service(host, service, |seen| {
        let again = seen.state() == State::Running && seen.since() >= incident.opened_at;
        since = again.then(|| seen.since());
    });
    since.map(|since| format!("It runs again since {}.", ago(since, now)))
}

/// What was found out about the last incident of a service, or of a host. What was found about one that is over says
/// so, lest it be taken for what is so now.
pub fn found(incident: &IncidentRow, now: Wall) -> Vec<(String, String)> {
    let is_over = incident.resolved_at.is_some();
    let stands = match incident.resolved_at {
        None => format!(
            "{}, open since {}",
            text::event(incident.event),
            ago(incident.opened_at, now)
        ),
        Some(over) => format!(
            "{}, over since {}",
            text::event(incident.event),
            ago(over, now)
        ),
    };
    let evidence = incident.evidence.as_deref();
    let cause = incident
        .cause
        .clone()
        .or_else(|| evidence?.sentence())
        .unwrap_or_else(|| "not known".to_owned());
    let mut pairs = vec![
        ("Last incident".to_owned(), stands),
        ("Cause".to_owned(), clean::name(&cause)),
    ];
    let clues = evidence.map_or(&[] as &[_], |evidence| &evidence.clues);
    let code = clues
        .iter()
        .find(|clue| is_over && clue.kind == ClueKind::ExitCode);
    pairs.extend(code.map(|clue| {
        let code = clue.text.strip_prefix("exit code ").unwrap_or(&clue.text);
        ("Exit code then".to_owned(), clean::name(code))
    }));
    let head = if is_over { "Found then" } else { "Found" };
    // What the lines above say already is left out, and what the cause says.
    let clues = clues.iter().filter(|clue| {
        !matches!(
            clue.kind,
            ClueKind::State
                | ClueKind::ExitCode
                | ClueKind::StartType
                | ClueKind::Account
                | ClueKind::Path
        ) && !cause.contains(&clue.text)
    });
    pairs.extend(clues.map(|clue| {
        let at = clue
            .at
            .map_or_else(String::new, |at| format!("{}: ", text::moment(at)));
        (head.to_owned(), format!("{at}{}", clean::name(&clue.text)))
    }));
    pairs
}

fn of_host(view: &HostView, now: Wall) -> Vec<(String, String)> {
    let state = match (view.fault, view.checked_at) {
        (Some(fault), _) => format!(
            "cannot be read: {}",
            view.cause
                .as_deref()
                .map_or_else(|| fault.to_string(), clean::name)
        ),
        (None, Some(_)) if view.is_up() => "can be read".to_owned(),
        (None, Some(_)) => "was not read yet".to_owned(),
        (None, None) => "was not looked at yet".to_owned(),
    };
    let since = view.since.map(|since| ago(since, now));
    let checked = view.checked_at.map(|at| ago(at, now));
    present([
        ("Host", Some(state)),
        ("So since", since),
        ("Last looked at", checked),
        (
            "Services it shows",
            view.visible.map(|count| count.to_string()),
        ),
    ])
}

fn of_service(seen: &Seen<'_>, now: Wall) -> Vec<(String, String)> {
    let row = seen.row;
    let details = row.details.as_deref();
    let path = details.and_then(|details| details.binary_path.as_deref());
    // The code of a service that runs is about nothing yet.
    let code = row.exit_code.filter(|_| seen.state() == State::Stopped);
    let code = code.map(|code| match codes::meaning(code) {
        Some(meaning) => format!("{code}: {meaning}"),
        None => code.to_string(),
    });
    present([
        ("Service", row.display_name.as_deref().map(clean::name)),
        ("State", Some(text::state(seen.state()).to_owned())),
        ("In it since", Some(ago(seen.since(), now))),
        ("Expected", Some(row.expected.to_string())),
        ("Exit code", code),
        ("Process", row.pid.map(|pid| pid.to_string())),
        (
            "Start type",
            row.start_type
                .map(|start| text::start_type(start).to_owned()),
        ),
        (
            "Account",
            details
                .and_then(|details| details.run_as.as_deref())
                .map(clean::name),
        ),
        // The arguments may hold secrets.
        (
            "Program",
            path.map(|path| clean::name(command_line::executable(path))),
        ),
        ("Not told because", seen.muted().map(|why| why.to_string())),
        ("Incident", row.incident.as_ref().map(ToString::to_string)),
    ])
}

/// Each service that is needed, and how it is where it is watched too.
fn dependencies(
    board: &Board,
    host: &Name,
    needed: &[std::sync::Arc<str>],
) -> Option<(String, String)> {
    let list: Vec<String> = needed
        .iter()
        .take(DEPENDENCIES_MAX)
        .map(|name| {
            let mut state = None;
            board.visit_service(host, &Name::new(name), |seen| {
                state = Some(text::state(seen.state()));
            });
            match (name.strip_prefix('+'), state) {
                (Some(group), _) => format!("the group {}", clean::name(group)),
                (None, Some(state)) => format!("{} ({state})", clean::name(name)),
                (None, None) => format!("{} (not watched)", clean::name(name)),
            }
        })
        .collect();
    (!list.is_empty()).then(|| ("Depends on".to_owned(), list.join(", ")))
}

fn fill(notice: &mut Notice, seen: &Seen<'_>) {
    let row = seen.row;
    notice.display_name.clone_from(&row.display_name);
    notice.friendly_name.clone_from(&row.friendly_name);
    notice.state = Some(seen.state());
    notice.since = Some(seen.since());
    notice.start_type = row.start_type;
    notice.exit_code = row.exit_code;
    notice.details.clone_from(&row.details);
    notice.labels.clone_from(&row.labels);
}

fn ago(at: Wall, now: Wall) -> String {
    format!(
        "{} ({} ago)",
        text::moment(at),
        text::duration(now.since(at))
    )
}

fn present<const N: usize>(pairs: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .filter_map(|(word, value)| Some((word.to_owned(), value?)))
        .collect()
}

//! What was found out, in order and in words.

use super::{Clue, ClueKind, Evidence, EvidencePlan, Gathered, LogLine, LogUse};
use crate::{
    cause::{self, Facts, Seen, Win32, exit_meaning, service_exit_meaning},
    command_line, limits,
    notice::ToldEvent,
    observe::{FailureAction, FailureActions, Fault, ServiceDetails, State},
    record::{HistoryRow, TargetRow},
    time::Wall,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What is known of a host when an incident of one of its services opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// Whether it is shutting down.
    pub goes_down: bool,
    /// When it booted, where that was a short while ago.
    pub booted_at: Option<Wall>,
    /// Whether the service was not seen running since then.
    pub not_since: bool,
}

/// The cause of a fault of a whole host.
pub fn of_fault(fault: Fault) -> Evidence {
    let facts = Facts {
        seen: Seen::Host(fault),
        ..Facts::default()
    };
    found(&facts, Vec::new(), true, true)
}

/// What the reading alone says about a service.
pub fn of_reading(row: &TargetRow, host: Circumstances) -> Evidence {
    let facts = facts(row, host);
    found(&facts, known(row, host), false, true)
}

/// What the reading and the host's answer say about a service.
pub fn of_answer(
    row: &TargetRow,
    host: Circumstances,
    plan: &EvidencePlan,
    answer: &Gathered,
) -> Evidence {
    let mut facts = facts(row, host);
    facts.dependencies_down = answer
        .dependencies
        .iter()
        .filter(|(_, state)| {
            matches!(state, Some(state) if ![State::Running, State::Unknown].contains(state))
        })
        .map(|(name, _)| name.clone())
        .take(limits::CLUES_OF_A_KIND)
        .collect();
    facts.told = answer
        .log
        .iter()
        .filter_map(|line| line.proves.clone())
        .collect();
    let mut clues = known(row, host);
    clues.extend(process(row, answer));
    clues.extend(around(answer));
    clues.extend(changes(&answer.history));
    let told = plan.log == LogUse::Tell;
    clues.extend(
        answer
            .log
            .iter()
            .take(limits::CLUES_OF_A_KIND)
            .map(|line| event(line, told)),
    );
    let lacking = answer.lacking.iter().take(limits::CLUES_OF_A_KIND);
    clues.extend(lacking.map(|why| clue(ClueKind::Lacking, None, why)));
    found(&facts, clues, true, told)
}

/// The finding with its clues. What the log says may be `told` to destinations, or not.
fn found(facts: &Facts, clues: Vec<Clue>, complete: bool, told: bool) -> Evidence {
    let finding = cause::find(facts);
    let from_log = finding.from_log;
    let because = finding.because.into_iter().enumerate();
    let because = because.map(|(place, text)| Clue {
        told: told || !from_log || place > 0,
        ..clue(ClueKind::Because, None, &text)
    });
    Evidence {
        cause: finding.cause,
        clues: because.chain(clues).collect(),
        complete,
    }
}

fn facts(row: &TargetRow, host: Circumstances) -> Facts {
    let seen = if row.hidden {
        Seen::Hidden
    } else {
        Seen::Service(row.state)
    };
    Facts {
        seen,
        exit_code: row.exit_code,
        service_exit_code: row.service_exit_code,
        start_type: row.start_type,
        goes_down: host.goes_down,
        rebooted: host.booted_at.is_some() && host.not_since,
        ..Facts::default()
    }
}

fn clue(kind: ClueKind, at: Option<Wall>, text: &str) -> Clue {
    let mut characters = text.chars();
    let mut kept: String = characters
        .by_ref()
        .take(limits::CLUE_CHARACTERS_MAX)
        .collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    Clue {
        kind,
        at,
        text: kept,
        told: true,
    }
}

/// What is known without asking.
fn known(row: &TargetRow, host: Circumstances) -> Vec<Clue> {
    let mut clues = Vec::new();
    let before = row.previous_state.map_or_else(String::new, |before| {
        format!(", before that {}", before.in_words())
    });
    let state = format!("it is {}{before}", row.state.still());
    clues.push(clue(ClueKind::State, Some(row.since), &state));
    if let Some(text) = exit(row) {
        clues.push(clue(ClueKind::ExitCode, None, &text));
    }
    if let Some(start) = row.start_type {
        let trigger = if row.trigger_start == Some(true) {
            ", by a trigger too"
        } else {
            ""
        };
        let text = format!("it is started {}{trigger}", start_words(start));
        clues.push(clue(ClueKind::StartType, None, &text));
    }
    if let Some(details) = row.details.as_deref() {
        clues.extend(set_up(details));
    }
    if host.goes_down {
        clues.push(clue(ClueKind::Boot, None, "its host is shutting down"));
    } else if let Some(at) = host.booted_at {
        clues.push(clue(ClueKind::Boot, Some(at), "its host was booted"));
    }
    clues
}

const fn start_words(start: crate::observe::StartType) -> &'static str {
    use crate::observe::StartType;
    match start {
        StartType::Automatic => "with the machine",
        StartType::AutomaticDelayed => "some minutes after the machine",
        StartType::Manual => "on demand",
        StartType::Disabled => "by nobody: its start is disabled",
        StartType::Boot => "by the boot loader",
        StartType::System => "by the system's start",
    }
}

fn exit(row: &TargetRow) -> Option<String> {
    // Of a service that runs, the code is about nothing yet.
    if row.state != State::Stopped {
        return None;
    }
    let code = row.exit_code?;
    let meaning =
        |words: Option<&'static str>| words.map_or_else(String::new, |words| format!(" ({words})"));
    let own = row
        .service_exit_code
        .filter(|own| {
            code == Win32::SERVICE_SPECIFIC || (*own != 0 && code == Win32::PROCESS_ABORTED)
        })
        .map_or_else(String::new, |own| {
            format!(", its own code {own}{}", meaning(service_exit_meaning(own)))
        });
    Some(format!(
        "exit code {code}{}{own}",
        meaning(exit_meaning(code))
    ))
}

fn set_up(details: &ServiceDetails) -> Vec<Clue> {
    let mut clues = Vec::new();
    if let Some(account) = &details.run_as {
        clues.push(clue(
            ClueKind::Account,
            None,
            &format!("it runs as {account}"),
        ));
    }
    if let Some(path) = &details.binary_path {
        // Of a path only the executable is told (P7).
        let executable = command_line::executable(path);
        clues.push(clue(ClueKind::Path, None, &format!("it runs {executable}")));
    }
    if let Some(actions) = &details.failure_actions {
        clues.push(clue(
            ClueKind::FailureActions,
            None,
            &actions_in_words(actions),
        ));
    }
    clues
}

fn actions_in_words(actions: &FailureActions) -> String {
    let words: Vec<String> = actions
        .actions
        .iter()
        .filter(|(action, _)| *action != FailureAction::None)
        .take(limits::CLUES_OF_A_KIND)
        .map(|(action, wait)| {
            let what = match action {
                FailureAction::None => "nothing",
                FailureAction::RestartService => "start it again",
                FailureAction::RestartComputer => "restart the computer",
                FailureAction::RunCommand => "run a command",
            };
            format!("{what} after {} s", wait.0.div_ceil(1_000))
        })
        .collect();
    if words.is_empty() {
        return "its host does nothing when it fails".to_string();
    }
    format!("when it fails its host is to {}", words.join(", then "))
}

/// The process that it runs in or ran in last, and what became of it: no more than the host's list of services says, and that
/// of one that ended unexpectedly Windows itself saw the end.
fn process(row: &TargetRow, answer: &Gathered) -> Option<Clue> {
    if let Some(process) = row.pid {
        let text = format!("it runs in process {process}");
        return Some(clue(ClueKind::Process, None, &text));
    }
    let mut history = answer.history.iter();
    let (at, process) = history.find_map(|row| Some((row.at, row.pid?)))?;
    let aborted = row.state == State::Stopped && row.exit_code == Some(Win32::PROCESS_ABORTED);
    let became = match answer.beside.as_deref() {
        Some(others @ [_, ..]) => {
            let shown = others.iter().take(limits::CLUES_OF_A_KIND);
            let shown: Vec<&str> = shown.map(String::as_str).collect();
            format!(", which still runs: {} in it", shown.join(", "))
        }
        Some([]) | None if aborted => ", which is gone".to_string(),
        Some([]) => ", in which no service runs any more".to_string(),
        None => String::new(),
    };
    let text = format!("its last process was {process}{became}");
    Some(clue(ClueKind::Process, Some(at), &text))
}

/// What it depends on, and what depends on it.
fn around(answer: &Gathered) -> Vec<Clue> {
    let on = answer.dependencies.iter().take(limits::CLUES_OF_A_KIND);
    let on = on.map(|(name, state)| {
        let text = match (name.strip_prefix('+'), state) {
            // Which services a group has is not looked up.
            (Some(group), _) => {
                format!("it depends on the group {group}, of which one service must run")
            }
            (None, None | Some(State::Unknown)) => {
                format!("it depends on {name}, which its host does not show")
            }
            (None, Some(state)) => format!("it depends on {name}, which is {}", state.in_words()),
        };
        clue(ClueKind::Dependency, None, &text)
    });
    let of = answer.dependents.iter().take(limits::CLUES_OF_A_KIND);
    let of = of.map(|(name, state)| {
        clue(
            ClueKind::Dependent,
            None,
            &format!("{name} depends on it and is {}", state.in_words()),
        )
    });
    on.chain(of).collect()
}

/// Changes since it last began to run well.
fn changes(history: &[HistoryRow]) -> Vec<Clue> {
    history
        .iter()
        .take_while(|row| row.to != Some(State::Running))
        .filter(|row| row.event == Some(ToldEvent::Changed))
        .filter_map(|row| Some(clue(ClueKind::Changed, Some(row.at), row.cause.as_deref()?)))
        .take(limits::CLUES_OF_A_KIND)
        .collect()
}

fn event(line: &LogLine, told: bool) -> Clue {
    let meaning = line.meaning.as_deref().unwrap_or_default();
    let strings = line.strings.join(" · ");
    let text = match (meaning, strings.as_str()) {
        ("", "") => line.from.clone(),
        ("", strings) => format!("{}: {strings}", line.from),
        (meaning, "") => format!("{}: {meaning}", line.from),
        (meaning, strings) => format!("{}: {meaning} ({strings})", line.from),
    };
    Clue {
        told,
        ..clue(ClueKind::Event, Some(line.at), &text)
    }
}

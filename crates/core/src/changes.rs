//! What changed in how a service is set up, in words.

use crate::{
    command_line, limits,
    observe::{FailureActions, ServiceConfig, ServiceDetails},
    record::TargetRow,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

words! {
    /// A part of a service's configuration whose change is kept and told.
    pub enum Part {
        /// How it is started.
        StartType = "start type",
        /// The account it runs as.
        Account = "account",
        /// The file that it runs.
        Executable = "executable",
        /// What the file is given.
        Arguments = "arguments",
        /// What is done when it fails.
        FailureActions = "failure actions",
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub part: Part,
    /// What it was; nothing where that may not be said.
    pub from: Option<String>,
    /// What it is now.
    pub to: Option<String>,
}

/// What is new in a configuration against what was known. What was not known before, or is not told now, is no change.
pub fn found(
    row: &TargetRow,
    config: &ServiceConfig,
    details: Option<&ServiceDetails>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Some(from), Some(to)) = (row.start_type, config.start_type)
        && from != to
    {
        changes.push(change(Part::StartType, from.as_str(), to.as_str()));
    }
    let (Some(before), Some(details)) = (row.details.as_deref(), details) else {
        return changes;
    };
    if let (Some(from), Some(to)) = (&before.run_as, &details.run_as)
        && !from.eq_ignore_ascii_case(to)
    {
        changes.push(change(Part::Account, from, to));
    }
    if let (Some(from), Some(to)) = (&before.binary_path, &details.binary_path) {
        changes.extend(executable(from, to));
        let hashes = (before.arguments_hash, details.arguments_hash);
        changes.extend(arguments(from, to, hashes));
    }
    if let (Some(from), Some(to)) = (&before.failure_actions, &details.failure_actions)
        && from != to
    {
        changes.push(change(Part::FailureActions, &in_words(from), &in_words(to)));
    }
    changes
}

/// All of them in one sentence.
pub fn sentence(changes: &[Change]) -> String {
    let parts: Vec<String> = changes
        .iter()
        .map(|change| match (&change.from, &change.to) {
            (Some(from), Some(to)) => format!("{}: now {to}, before {from}", change.part),
            (Some(_) | None, _) => {
                format!("{}: changed in what is not shown", change.part)
            }
        })
        .collect();
    let whole = parts.join("; ");
    whole.chars().take(limits::CAUSE_CHARACTERS_MAX).collect()
}

fn change(part: Part, from: &str, to: &str) -> Change {
    Change {
        part,
        from: Some(short(from)),
        to: Some(short(to)),
    }
}

fn short(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_string();
    }
    let mut characters = text.chars();
    let mut kept: String = characters
        .by_ref()
        .take(limits::CHANGED_CHARACTERS_MAX)
        .collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

fn executable(from: &str, to: &str) -> Option<Change> {
    let (from, to) = (command_line::executable(from), command_line::executable(to));
    (!from.eq_ignore_ascii_case(to)).then(|| change(Part::Executable, from, to))
}

/// Arguments whose difference is masked are known to differ by their hash.
fn arguments(from: &str, to: &str, hashes: (Option<u64>, Option<u64>)) -> Option<Change> {
    let (from, to) = (
        command_line::split(from).1.trim(),
        command_line::split(to).1.trim(),
    );
    if from != to {
        return Some(change(Part::Arguments, from, to));
    }
    let (Some(before), Some(after)) = hashes else {
        return None;
    };
    (before != after).then_some(Change {
        part: Part::Arguments,
        from: None,
        to: None,
    })
}

/// Failure actions in words.
fn in_words(actions: &FailureActions) -> String {
    if actions.actions.is_empty() {
        return "none".to_string();
    }
    let each: Vec<String> = actions
        .actions
        .iter()
        .map(|(action, wait)| format!("{action} after {} s", wait.0 / 1_000))
        .collect();
    let errors = if actions.on_error_exit {
        ", after errors too"
    } else {
        ""
    };
    let reset = actions.reset_after.map_or_else(
        || "never".to_string(),
        |span| format!("after {} s", span.0 / 1_000),
    );
    format!("{} (counted anew {reset}{errors})", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::Name,
        observe::{FailureAction, StartType},
        target::Target,
        time::{Now, Span},
    };
    use alloc::{sync::Arc, vec};

    fn config() -> ServiceConfig {
        ServiceConfig {
            name: "Spooler".into(),
            start_type: Some(StartType::Automatic),
            binary_path: Some(r"C:\a.exe --key ********".into()),
            account: Some("LocalSystem".into()),
            arguments_hash: Some(1),
            failure_actions: Some(FailureActions {
                reset_after: Some(Span::minutes(1)),
                actions: vec![(FailureAction::RestartService, Span::seconds(5))],
                on_error_exit: false,
            }),
            ..ServiceConfig::default()
        }
    }

    fn told(before: &ServiceConfig, after: &ServiceConfig) -> String {
        let (host, service) = (Name::new("h"), Name::new("Spooler"));
        let mut target = Target::new(&host, &service, 0, 0, Now::default());
        target.row.start_type = before.start_type;
        target.row.details = ServiceDetails::of(before).map(Arc::new);
        let details = ServiceDetails::of(after);
        sentence(&found(&target.row, after, details.as_ref()))
    }

    #[test]
    fn each_part_that_changed_is_said_with_what_it_was() {
        let changed = |change: fn(&mut ServiceConfig)| {
            let mut after = config();
            change(&mut after);
            told(&config(), &after)
        };
        assert_eq!(
            changed(|after| after.start_type = Some(StartType::Disabled)),
            "start type: now disabled, before automatic"
        );
        assert_eq!(
            changed(|after| after.account = Some(r"CORP\x".into())),
            r"account: now CORP\x, before LocalSystem"
        );
        assert_eq!(
            changed(|after| after.binary_path = Some(r"D:\b.exe --key ********".into())),
            r"executable: now D:\b.exe, before C:\a.exe"
        );
        assert_eq!(
            changed(|after| after.arguments_hash = Some(2)),
            "arguments: changed in what is not shown"
        );
        assert_eq!(
            changed(|after| {
                after.binary_path = Some(r"C:\a.exe -v".into());
                after.arguments_hash = Some(2);
            }),
            "arguments: now -v, before --key ********"
        );
        assert_eq!(
            changed(|after| after.failure_actions = Some(FailureActions::default())),
            "failure actions: now none, before restart_service after 5 s (counted anew after 60 s)"
        );
    }

    #[test]
    fn what_was_not_known_or_is_not_told_is_no_change() {
        let nothing = ServiceConfig {
            name: "Spooler".into(),
            ..ServiceConfig::default()
        };
        assert_eq!(told(&config(), &config()), "");
        assert_eq!(told(&nothing, &config()), "");
        assert_eq!(told(&config(), &nothing), "");
        let mut louder = config();
        louder.account = Some("LOCALSYSTEM".into());
        assert_eq!(told(&config(), &louder), "", "accounts have no case");
    }
}

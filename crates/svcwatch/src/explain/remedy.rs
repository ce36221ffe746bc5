//! Why a service is started again by svcwatch, or not now.

use super::Lines;
use crate::dest::{clean, text};
use svcwatch_core::{
    engine::{RemedyExplained, ServiceExplained},
    limits,
    remedy::{Outcome, RemedyTold, decide::Held},
};

/// Says what there is to say of the plan of a service, where it has one.
pub(super) fn tell(lines: &mut Lines, service: &ServiceExplained) {
    if let Some(remedy) = &service.remedy {
        lines.add("remedy", sentence(remedy));
    }
}

/// What is said of a plan.
fn sentence(remedy: &RemedyExplained) -> String {
    let of_group = remedy
        .group
        .as_ref()
        .map_or_else(String::new, |group| format!(" of the group {group}"));
    let dry_run = if remedy.dry_run { ", a dry run" } else { "" };
    let mut parts = vec![format!(
        "remedy {}{of_group}{dry_run}, at most {} tries for one incident",
        remedy.plan, remedy.attempts
    )];
    parts.extend(remedy.tries.iter().map(tried));
    parts.push(match remedy.held {
        None => "it is started again with the next reading that says that it is stopped".to_owned(),
        Some(held) => {
            let until = remedy.until.map_or_else(String::new, |until| {
                format!(", until {}", text::moment(until))
            });
            format!("not started now ({held}): {}{until}", because(held))
        }
    });
    parts.join("; ")
}

fn tried(told: &RemedyTold) -> String {
    let word = told.outcome.map_or("under way", Outcome::as_str);
    let text = clean::line(&told.text, limits::CAUSE_CHARACTERS_MAX);
    let text = if text.is_empty() {
        text
    } else {
        format!(" ({text})")
    };
    let at = text::moment(told.at);
    format!("try {} at {at}: {word}{text}", told.attempt)
}

/// Why it is not started, in words.
const fn because(held: Held) -> &'static str {
    match held {
        Held::NotAsked => "no plan was asked for",
        Held::ClusterMember => "its cluster moves it by itself",
        Held::NotToRun => "it should not run",
        Held::NotOpen => "nothing is wrong with it that was told",
        Held::AlreadyActing => "a try is under way",
        Held::NoActingCredential => {
            "no account may act on its host; see `acting` under `credentials`"
        }
        Held::HostUnseen => "it cannot be seen now",
        Held::OutcomeUnknown => "nobody knows what the last try came to before it is read again",
        Held::NotStopped => "it is not stopped",
        Held::SetupUnread => "how it is set up could not be read since it stopped",
        Held::Disabled => "its start is disabled",
        Held::LogonFailure => "its account could not be logged on, which no start mends",
        Held::MissingDependency => "what it depends on does not run, which no start of it mends",
        Held::NoCauseYet => "why it stopped is still being looked for",
        Held::CleanStop => "it was stopped in an orderly way, and so on purpose",
        Held::CauseNotNamed => "its plan does not name the cause of its stop",
        Held::Silenced => "a silence covers it",
        Held::Maintenance => "a maintenance window covers it",
        Held::ShuttingDown => "its host is shutting down",
        Held::BootGrace => "its host was booted a short while ago",
        Held::ScmRecoveryFirst => "its host may start it again by itself",
        Held::NotToldYet => "nobody was told yet",
        Held::AccessDenied => "the host did not let the acting account start it",
        Held::DryRun => "what would be done was said",
        Held::AttemptsUsed => "it was tried as often as its plan says",
        Held::Pausing => "the last try was a short while ago",
        Held::BudgetService => "the budget of the service is used up",
        Held::BudgetGroup => "the budget of its group is used up",
        Held::BudgetFleet => "the budget of all services is used up",
        Held::HostBusy => "another service of its host is being started",
        Held::FleetBusy => "as many services as may be are being started",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::time::Wall;

    #[test]
    fn the_word_stands_beside_what_it_means() {
        let mut remedy = RemedyExplained {
            plan: "restart".into(),
            group: Some("web".into()),
            dry_run: false,
            attempts: 3,
            tries: vec![RemedyTold {
                at: Wall(1_700_000_000_000),
                plan: "restart".into(),
                attempt: 1,
                outcome: Some(Outcome::Failed),
                text: "Spooler: start_timeout".to_owned(),
            }],
            held: Some(Held::Pausing),
            until: Some(Wall(1_700_000_060_000)),
        };
        let said = sentence(&remedy);
        assert!(said.contains("remedy restart of the group web"), "{said}");
        assert!(said.contains("failed (Spooler: start_timeout)"), "{said}");
        assert!(
            said.contains("(pausing)") && said.contains(", until "),
            "{said}"
        );
        remedy.held = None;
        assert!(sentence(&remedy).contains("is started again with the next reading"));
    }
}

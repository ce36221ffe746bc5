//! Tries to start a service again, in words.

use super::moment;
use crate::dest::clean;
use svcwatch_core::{
    limits,
    remedy::{Outcome, RemedyTold},
};

/// A try to start the service again, in a sentence.
/// `over` says that the service runs by now.
pub(super) fn sentence(told: &RemedyTold, over: bool) -> String {
    let plan = clean::name(told.plan.as_str());
    let what = match told.outcome {
        None if over => "was just being made",
        None => "is under way",
        Some(Outcome::Started) => "started it again",
        Some(Outcome::Failed) => "did not help",
        Some(Outcome::Denied) => "was denied",
        Some(Outcome::Unknown) => "ended, and nobody knows how",
        Some(Outcome::TooLate) => "was not begun",
        Some(Outcome::DryRun) => "would be made, but this is a dry run",
    };
    let text = clean::line(&told.text, limits::CAUSE_CHARACTERS_MAX);
    let text = match text.trim_end_matches('.') {
        "" => String::new(),
        text => format!(": {text}"),
    };
    format!(
        "Remedy {plan}, try {} at {} {what}{text}.",
        told.attempt,
        moment(told.at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::time::Wall;

    #[test]
    fn a_try_is_one_sentence_whatever_it_came_to() {
        for outcome in [None]
            .into_iter()
            .chain(Outcome::ALL.iter().copied().map(Some))
        {
            let said = sentence(
                &RemedyTold {
                    at: Wall(1_700_000_000_000),
                    plan: "restart".into(),
                    attempt: 2,
                    outcome,
                    text: "Spooler: it says\n<b>why</b>.".to_owned(),
                },
                false,
            );
            assert!(said.starts_with("Remedy restart, try 2 at "), "{said}");
            assert!(said.ends_with('.') && !said.ends_with(".."), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}

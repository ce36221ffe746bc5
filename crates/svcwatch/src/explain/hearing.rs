//! How changes of a service come to us, in words.

use crate::dest::text;
use svcwatch_core::{hearing::Hears, time::Span};

pub(super) fn words(hears: &Hears) -> String {
    match hears {
        Hears::AtOnce { since } => format!(
            "the host tells of its changes at once since {}; each is read before it is told",
            text::moment(*since)
        ),
        Hears::ByItself { held } => {
            let told = if *held == Span::ZERO {
                "without `settle`, unless others stopped right before it".to_owned()
            } else {
                format!("once it has stayed so for `settle`, {}", text::duration(*held))
            };
            format!(
                "it is on the machine that svcwatch runs on, which lets its changes be heard at once; each is read before it is told, and a stop is told {told}"
            )
        }
        Hears::Soon => "its changes are to be heard at once: the host is asked to tell of them after its next reading".to_owned(),
        Hears::ByReadings { cause } => {
            format!("its changes are to be heard at once, but only readings show them: {cause}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_machine_has_words_of_its_own() {
        let held = words(&Hears::ByItself {
            held: Span::seconds(3),
        });
        assert!(held.contains("heard at once"), "{held}");
        assert!(held.contains("`settle`, 3 s"), "{held}");
        assert!(!held.contains("only readings"), "{held}");
        let instant = words(&Hears::ByItself { held: Span::ZERO });
        assert!(instant.contains("told without `settle`"), "{instant}");
    }
}

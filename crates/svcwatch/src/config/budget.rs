//! Budgets as a config writes them: `3/h`, `5/10m`.

use svcwatch_core::limits;
use svcwatch_core::remedy::Budget;
use svcwatch_core::time::Span;

use super::duration::duration;
use super::problem::quoted;
use super::text::{Fault, fault};

/// So many within so long: `3/h`, `5/10m`.
pub(crate) fn budget(text: &str) -> Result<Budget, Fault> {
    let none = || {
        fault(
            format!("{} is no budget", quoted(text)),
            "write how many within how long, such as `3/h` or `5/10m`",
        )
    };
    let Some((count, length)) = text.split_once('/') else {
        return none();
    };
    let (count, length) = (count.trim(), length.trim());
    let Ok(acts) = count.parse::<u32>() else {
        return none();
    };
    if !(1..=limits::BUDGET_ACTS_MAX).contains(&acts) {
        return fault(
            format!(
                "a budget of {acts} is not within 1 and {}",
                limits::BUDGET_ACTS_MAX
            ),
            "leave `remedy` out of a service that is not to be started again",
        );
    }
    // A bare unit is one of it.
    let one = matches!(length, "s" | "m" | "h" | "d").then(|| format!("1{length}"));
    let within = duration(one.as_deref().unwrap_or(length))?;
    if within < Span::seconds(1) || within > limits::BUDGET_WITHIN_MAX {
        return fault(
            format!(
                "the time of the budget {} is not within 1s and 7d",
                quoted(text)
            ),
            "write one such as `3/h`",
        );
    }
    Ok(Budget { acts, within })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_so_many_within_so_long() {
        for (text, acts, within) in [
            ("3/h", 3, Span::hours(1)),
            ("5/10m", 5, Span::minutes(10)),
            ("1 / 7d", 1, Span::hours(7 * 24)),
            ("20/s", 20, Span::seconds(1)),
        ] {
            assert_eq!(budget(text).unwrap(), Budget { acts, within }, "{text}");
            let words = budget(text).unwrap().in_words();
            assert_eq!(budget(&words).unwrap(), Budget { acts, within }, "{words}");
        }
        for text in [
            "3",
            "h",
            "3/",
            "/h",
            "0/h",
            "-1/h",
            "3/8d",
            "3/0s",
            "3/10ms",
            "3 per hour",
            "1001/h",
            "3/h/h",
        ] {
            assert!(budget(text).is_err(), "{text}");
        }
    }
}

//! Durations as a config writes them: `500ms`, `30s`, `5m`, `2h`, `1d`.

use svcwatch_core::time::Span;

use super::problem::quoted;
use super::text::{Fault, fault};

/// A duration: a whole number and a unit.
pub(crate) fn duration(text: &str) -> Result<Span, Fault> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let unit_ms = match unit.trim_start() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    match (number.parse::<u64>(), unit_ms) {
        (Ok(0), None) if unit.is_empty() => Ok(Span::ZERO),
        (Ok(number), None) if unit.is_empty() => fault(
            format!("{number} has no unit"),
            format!("write `{number}s` for seconds, or another of ms, m, h, d"),
        ),
        (Ok(number), Some(unit_ms)) => match number.checked_mul(unit_ms) {
            Some(total) => Ok(Span(total)),
            None => fault(
                format!("{} is too long", quoted(text)),
                "write one such as `30s`",
            ),
        },
        _ => fault(
            format!("{} is no duration", quoted(text)),
            "write a whole number and one of ms, s, m, h, d, as in `30s`",
        ),
    }
}

/// A duration as it is written: in the greatest unit that holds it whole.
pub(crate) fn duration_text(span: Span) -> String {
    for (unit, length) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if span.0 > 0 && span.0.is_multiple_of(length) {
            return format!("{}{unit}", span.0 / length);
        }
    }
    if span.0 == 0 {
        "0s".into()
    } else {
        format!("{}ms", span.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_whole_number_and_a_unit() {
        for (text, wanted) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Span(wanted)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5h",
            "-3s",
            "30 seconds",
            "1h30m",
            "18446744073709551615d",
            "99999999999999999999s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["500ms", "90s", "30m", "36h", "400d", "0s"] {
            assert_eq!(duration(text).map(duration_text).as_deref(), Ok(text));
        }
    }
}

//! The time as Kerberos writes it: in whole seconds of UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How a moment is written (RFC 4120 section 5.2.3).
const FORM: &str = "%Y%m%d%H%M%SZ";

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// As `20261122104500Z`.
    pub(super) text: String,
    /// Behind the whole second.
    pub(super) microseconds: u32,
    /// In whole seconds since 1970.
    pub(super) seconds: i64,
}

impl Moment {
    /// This one.
    pub(super) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
        let text = Timestamp::from_second(seconds)
            .unwrap_or_default()
            .strftime(FORM)
            .to_string();
        Self {
            text,
            microseconds: since.subsec_micros(),
            seconds,
        }
    }

    /// A written moment in seconds since 1970.
    pub(super) fn seconds(text: &str) -> Option<i64> {
        let moment = DateTime::strptime(FORM, text).ok()?;
        let zoned = moment.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_back() {
        assert_eq!(Moment::seconds("19700101000100Z"), Some(60));
        assert_eq!(Moment::seconds("20261122104500Z"), Some(1_795_344_300));
        assert_eq!(Moment::seconds("2026"), None);
        let now = Moment::now();
        assert_eq!(Moment::seconds(&now.text), Some(now.seconds));
    }
}

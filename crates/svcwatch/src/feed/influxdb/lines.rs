//! InfluxDB's line protocol: one line a reading, in the measurement, tags and fields that Butler writes. Numbers are
//! written as floats, as they always were there: a database refuses integers where floats have been.

use crate::feed::{Reading, words};
use svcwatch_core::observe::StartType;

/// The measurement of readings.
pub const MEASUREMENT: &str = "win_service_state";
/// The measurement that `svcwatch test` writes to, so that no dashboard shows a try.
pub const TEST_MEASUREMENT: &str = "svcwatch_test";
/// Characters of one tag or text; longer ones are cut. InfluxDB takes 64 KiB of a tag.
const CHARACTERS_MAX: usize = 1_024;
/// The tags that say which service it is; tags of one's own cannot take their place.
const OWN_TAGS: [&str; 4] = ["host", "service_name", "display_name", "friendly_name"];

/// The beginning of every line: the measurement and the tags that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning(String);

impl Beginning {
    /// With these tags, in their order.
    pub fn new(measurement: &str, tags: &[(String, String)]) -> Self {
        let mut line = measurement.to_owned();
        for (name, value) in tags
            .iter()
            .filter(|(name, _)| !OWN_TAGS.contains(&name.as_str()))
        {
            tag(&mut line, name, Some(value));
        }
        Self(line)
    }

    /// The line of a reading, without its end.
    pub fn line(&self, reading: &Reading) -> String {
        let mut line = self.0.clone();
        tag(&mut line, "host", Some(reading.host.as_str()));
        tag(&mut line, "service_name", Some(reading.service.as_str()));
        tag(&mut line, "display_name", reading.display_name.as_deref());
        tag(&mut line, "friendly_name", reading.friendly_name.as_deref());
        let start = reading.start_type.map_or("Unknown", words::start_type);
        line.push_str(" startup_mode_num=");
        line.push_str(&start_number(reading.start_type));
        line.push_str(",startup_mode_text=");
        text(&mut line, start);
        line.push_str(",state_num=");
        line.push_str(&words::state_number(reading.state).to_string());
        line.push_str(",state_text=");
        text(&mut line, &words::status(reading.state));
        line.push(' ');
        line.push_str(&nanoseconds(reading.at.0));
        line
    }

    /// The line of a try.
    pub fn test_line(&self, computer: &str, milliseconds: i64) -> String {
        let mut line = self.0.clone();
        tag(&mut line, "host", Some(computer));
        line.push_str(" ok=1 ");
        line.push_str(&nanoseconds(milliseconds));
        line
    }
}

fn start_number(start_type: Option<StartType>) -> String {
    words::start_number(start_type).to_string()
}

fn nanoseconds(milliseconds: i64) -> String {
    milliseconds.saturating_mul(1_000_000).to_string()
}

/// Adds a tag; a value that is empty or unknown has none, because the protocol has no empty tags.
fn tag(line: &mut String, name: &str, value: Option<&str>) {
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else {
        return;
    };
    line.push(',');
    key_text(line, name);
    line.push('=');
    key_text(line, value);
}

/// The name or value of a tag: comma, equals sign and space are escaped. A line end has no place in it, and a
/// backslash at its end would take the comma behind it along: a space keeps the two apart.
fn key_text(line: &mut String, value: &str) {
    let mut last = ' ';
    for character in value.chars().take(CHARACTERS_MAX) {
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        if matches!(character, ',' | '=' | ' ') {
            line.push('\\');
        }
        line.push(character);
        last = character;
    }
    if last == '\\' {
        line.push_str("\\ ");
    }
}

/// A text field.
fn text(line: &mut String, value: &str) {
    line.push('"');
    for character in value.chars().take(CHARACTERS_MAX) {
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::samples::reading;
    use std::sync::Arc;
    use svcwatch_core::observe::State;

    fn beginning() -> Beginning {
        Beginning::new(MEASUREMENT, &[("env".to_owned(), "prod".to_owned())])
    }

    #[test]
    fn lines_are_those_of_butler_with_a_time() {
        let mut time = reading("srv01", "W32Time", State::Stopped);
        time.display_name = Some(Arc::from("Windows 'Time' <b>& co"));
        time.friendly_name = Some(Arc::from("Time \"sync\" <ntp> & co"));
        time.start_type = Some(StartType::Manual);
        assert_eq!(
            beginning().line(&time),
            r#"win_service_state,env=prod,host=srv01,service_name=W32Time,display_name=Windows\ 'Time'\ <b>&\ co,friendly_name=Time\ "sync"\ <ntp>\ &\ co startup_mode_num=2,startup_mode_text="Manual",state_num=1,state_text="STOPPED" 1710331500042000000"#
        );
    }

    #[test]
    fn every_state_and_start_type_has_its_number() {
        for (state, fields) in [
            (
                State::StartPending,
                "state_num=2,state_text=\"START_PENDING\"",
            ),
            (
                State::StopPending,
                "state_num=3,state_text=\"STOP_PENDING\"",
            ),
            (State::Running, "state_num=4,state_text=\"RUNNING\""),
            (
                State::ContinuePending,
                "state_num=5,state_text=\"CONTINUE_PENDING\"",
            ),
            (
                State::PausePending,
                "state_num=6,state_text=\"PAUSE_PENDING\"",
            ),
            (State::Paused, "state_num=7,state_text=\"PAUSED\""),
            (State::Missing, "state_num=-1,state_text=\"MISSING\""),
            (State::Unknown, "state_num=-1,state_text=\"UNKNOWN\""),
        ] {
            let line = beginning().line(&reading("h", "s", state));
            assert!(line.contains(fields), "{line}");
        }
        for (start_type, fields) in [
            (
                Some(StartType::Automatic),
                "startup_mode_num=0,startup_mode_text=\"Automatic\"",
            ),
            (
                Some(StartType::AutomaticDelayed),
                "startup_mode_num=1,startup_mode_text=\"Automatic (delayed start)\"",
            ),
            (
                Some(StartType::Disabled),
                "startup_mode_num=3,startup_mode_text=\"Disabled\"",
            ),
            (
                Some(StartType::Boot),
                "startup_mode_num=-1,startup_mode_text=\"Boot\"",
            ),
            (None, "startup_mode_num=-1,startup_mode_text=\"Unknown\""),
        ] {
            let mut one = reading("h", "s", State::Running);
            one.start_type = start_type;
            let line = beginning().line(&one);
            assert!(line.contains(fields), "{line}");
        }
    }

    #[test]
    fn no_name_can_change_what_a_line_means() {
        let tags = [
            ("a b,c=d".to_owned(), "x\ny z=1,2 \\".to_owned()),
            ("host".to_owned(), "not-this-one".to_owned()),
            ("empty".to_owned(), " ".to_owned()),
        ];
        let mut one = reading("srv,01", r"a\,b", State::Running);
        one.display_name = Some(Arc::from("C:\\"));
        one.friendly_name = None;
        let line = Beginning::new(MEASUREMENT, &tags).line(&one);
        assert!(
            line.starts_with(
                r"win_service_state,a\ b\,c\=d=x\ y\ z\=1\,2\ \\ ,host=srv\,01,service_name=a\\,b,display_name=C:\\  startup_mode_num"
            ),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1);
        let mut long = reading("h", &"x".repeat(5_000), State::Running);
        long.display_name = Some(Arc::from("\u{1b}[31m\r\n\t\0"));
        let line = beginning().line(&long);
        assert!(
            line.len() < 2_000 && !line.chars().any(char::is_control),
            "{line}"
        );
    }
}

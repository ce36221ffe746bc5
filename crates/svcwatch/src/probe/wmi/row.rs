//! What one object of Win32_Service says (Win32_Service class, as documented for Windows). Any of its properties may be
//! missing: older systems have fewer, and Wine too.

use std::collections::BTreeMap;

use svcwatch_core::observe::{Reading, ServiceConfig, ServiceReading, StartType, State};
use svcwatch_core::time::Span;

use crate::probe::command_line;
use crate::probe::rpc::reading::UNKNOWN;

/// A value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(u32),
    /// Yes or no.
    Flag(bool),
}

/// An object of Win32_Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row(BTreeMap<String, Value>);

impl Row {
    /// Takes over the properties of an object; their names count without case.
    pub(super) fn new(properties: impl IntoIterator<Item = (String, Value)>) -> Self {
        let properties = properties.into_iter();
        Self(
            properties
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
        )
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Number(_) | Value::Flag(_)) | None => None,
        }
    }

    fn number(&self, name: &str) -> Option<u32> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Text(_) | Value::Flag(_)) | None => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            Some(Value::Text(_) | Value::Number(_)) | None => None,
        }
    }

    /// The key name of the service.
    pub(super) fn name(&self) -> Option<&str> {
        self.text("name").filter(|name| !name.is_empty())
    }

    /// The name of the computer that it is on.
    pub(super) fn computer(&self) -> Option<&str> {
        self.text("systemname").filter(|name| !name.is_empty())
    }

    /// Whether it is what one user has of a per-user service. WMI has no word for that type: such a service is one that it
    /// knows no type of, and the name ends in the number of its user's session.
    pub(super) fn is_instance(&self) -> bool {
        self.text("servicetype") == Some("Unknown")
    }

    /// How the service is. Of an unknown state the other values are not believed either.
    pub(super) fn reading(&self) -> Reading {
        let Some(state) = self.state() else {
            return UNKNOWN;
        };
        Reading {
            state,
            pid: self.number("processid").filter(|pid| *pid != 0),
            exit_code: self.number("exitcode"),
            service_exit_code: self.number("servicespecificexitcode"),
            checkpoint: self.number("checkpoint").unwrap_or(0),
            wait_hint: Span(u64::from(self.number("waithint").unwrap_or(0))),
        }
    }

    /// The state; where it is not known, what the status says, which has words for two of them only.
    fn state(&self) -> Option<State> {
        match self.text("state")? {
            "Stopped" => Some(State::Stopped),
            "Start Pending" => Some(State::StartPending),
            "Stop Pending" => Some(State::StopPending),
            "Running" => Some(State::Running),
            "Continue Pending" => Some(State::ContinuePending),
            "Pause Pending" => Some(State::PausePending),
            "Paused" => Some(State::Paused),
            "Unknown" => match self.text("status")? {
                "Starting" => Some(State::StartPending),
                "Stopping" => Some(State::StopPending),
                _ => None,
            },
            _ => None,
        }
    }

    /// A line of the list, and whether it is an instance of a per-user service; nothing where the object has no name.
    pub(super) fn line(&self) -> Option<(ServiceReading, bool)> {
        let line = ServiceReading {
            name: self.name()?.to_owned(),
            display_name: self.text("displayname").unwrap_or_default().to_owned(),
            reading: self.reading(),
        };
        Some((line, self.is_instance()))
    }

    /// How the service is set up, as far as WMI says.
    pub(super) fn config(&self, name: &str) -> ServiceConfig {
        let path = self.text("pathname").filter(|path| !path.is_empty());
        let owned = |name| self.text(name).map(str::to_owned);
        ServiceConfig {
            name: name.to_owned(),
            start_type: self.start_type(),
            per_user: self.text("servicetype").map(|_| self.is_instance()),
            display_name: owned("displayname"),
            binary_path: path.map(command_line::masked),
            arguments_hash: path.map(command_line::arguments_hash),
            account: owned("startname"),
            description: owned("description"),
            ..ServiceConfig::default()
        }
    }

    fn start_type(&self) -> Option<StartType> {
        match self.text("startmode")? {
            "Boot" => Some(StartType::Boot),
            "System" => Some(StartType::System),
            "Auto" if self.flag("delayedautostart") == Some(true) => {
                Some(StartType::AutomaticDelayed)
            }
            "Auto" => Some(StartType::Automatic),
            "Manual" => Some(StartType::Manual),
            "Disabled" => Some(StartType::Disabled),
            _ => None,
        }
    }
}

/// The path of the object of a service.
pub(super) fn path_of(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("Win32_Service.Name=\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(properties: &[(&str, Value)]) -> Row {
        let owned = properties.iter();
        Row::new(owned.map(|(name, value)| ((*name).to_owned(), value.clone())))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn an_object_of_a_windows_is_read_whole() {
        let row = row(&[
            ("Name", text("Spooler")),
            ("DisplayName", text("Print Spooler")),
            ("State", text("Stopped")),
            ("Status", text("OK")),
            ("ProcessId", Value::Number(0)),
            ("ExitCode", Value::Number(1066)),
            ("ServiceSpecificExitCode", Value::Number(4242)),
            ("CheckPoint", Value::Number(3)),
            ("WaitHint", Value::Number(2_000)),
            ("ServiceType", text("Own Process")),
            ("StartMode", text("Auto")),
            ("DelayedAutoStart", Value::Flag(true)),
            (
                "PathName",
                text(r"C:\Windows\spoolsv.exe --password=Geheim99"),
            ),
            ("StartName", text("LocalSystem")),
            ("SystemName", text("SRV01")),
        ]);
        let (line, instance) = row.line().unwrap();
        assert!(!instance);
        assert_eq!(
            (line.name.as_str(), line.display_name.as_str()),
            ("Spooler", "Print Spooler")
        );
        let wanted = Reading {
            state: State::Stopped,
            pid: None,
            exit_code: Some(1066),
            service_exit_code: Some(4242),
            checkpoint: 3,
            wait_hint: Span(2_000),
        };
        assert_eq!(line.reading, wanted);
        assert_eq!(row.computer(), Some("SRV01"));
        let config = row.config("spooler");
        assert_eq!(config.start_type, Some(StartType::AutomaticDelayed));
        assert_eq!(config.account.as_deref(), Some("LocalSystem"));
        let path = config.binary_path.unwrap();
        assert!(
            path.contains("spoolsv.exe") && !path.contains("Geheim99"),
            "{path}"
        );
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        // All that Wine says, and in its own spelling.
        let row = row(&[
            ("Name", text("Spooler")),
            ("DisplayName", text("Print Spooler")),
            ("ProcessID", Value::Number(24)),
            ("StartMode", text("Manual")),
            ("State", text("Running")),
            ("SystemName", text("WINE")),
        ]);
        let reading = row.reading();
        assert_eq!((reading.state, reading.pid), (State::Running, Some(24)));
        assert_eq!((reading.exit_code, reading.service_exit_code), (None, None));
        let config = row.config("Spooler");
        assert_eq!(config.start_type, Some(StartType::Manual));
        assert_eq!((config.binary_path, config.account), (None, None));
        assert_eq!(config.per_user, None);
        assert_eq!(Row::default().line(), None);
    }

    #[test]
    fn an_unknown_state_is_what_the_status_says_or_unknown() {
        let of = |state: &str, status: &str| {
            let row = row(&[
                ("Name", text("a")),
                ("State", text(state)),
                ("Status", text(status)),
                ("ExitCode", Value::Number(77)),
            ]);
            row.reading()
        };
        assert_eq!(of("Unknown", "Starting").state, State::StartPending);
        assert_eq!(of("Unknown", "Stopping").state, State::StopPending);
        assert_eq!(of("Unknown", "Degraded"), UNKNOWN);
        assert_eq!(of("something", "OK"), UNKNOWN);
        assert_eq!(of("Stopped", "Degraded").state, State::Stopped);
        assert_eq!(
            row(&[("Name", text("a")), ("State", Value::Number(4))]).reading(),
            UNKNOWN
        );
    }

    #[test]
    fn an_instance_of_a_per_user_service_has_no_type() {
        let row = row(&[
            ("Name", text("CDPUserSvc_1a2b3")),
            ("ServiceType", text("Unknown")),
            ("State", text("Running")),
        ]);
        assert!(row.line().unwrap().1);
        assert_eq!(row.config("x").per_user, Some(true));
    }

    #[test]
    fn names_in_paths_end_no_text() {
        assert_eq!(path_of("MSSQL$PROD"), r#"Win32_Service.Name="MSSQL$PROD""#);
        assert_eq!(path_of(r#"a"b\c"#), r#"Win32_Service.Name="a\"b\\c""#);
    }
}

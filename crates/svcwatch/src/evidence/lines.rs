//! What a line of an event log says, in words that leave this program.

use crate::probe::{command_line::masked_text, events::EventLine};
use svcwatch_core::{cause::Told, evidence::LogLine, time::Wall};

/// Events of the service control manager that prove more than an exit code does.
const START_TIMEOUT: [u32; 2] = [7009, 7022];
const LOGON_FAILURE: [u32; 2] = [7038, 7041];
const DEPENDENCY_FAILURE: u32 = 7001;

/// A line about a service of these names as evidence. Texts that look like secrets are masked.
pub(super) fn told(line: &EventLine, names: &[&str]) -> LogLine {
    LogLine {
        at: Wall(i64::from(line.at).saturating_mul(1_000)),
        from: format!("{} {} {}", line.log, line.id, line.source),
        meaning: line.meaning().map(str::to_owned),
        strings: line
            .strings
            .iter()
            .map(|string| masked_text(string))
            .collect(),
        proves: proves(line, names),
    }
}

fn proves(line: &EventLine, names: &[&str]) -> Option<Told> {
    if line.is_of_crash() {
        return Some(Told::Crash {
            exception: line.exception(),
        });
    }
    if !line.is_of_manager() {
        return None;
    }
    // Where the service stands among the strings: 7009 has the time before it. A line may name a service only because
    // another one depends on it, and proves nothing about it then.
    let place = usize::from(line.id == 7009);
    let named = line.strings.get(place)?;
    if !names.iter().any(|name| name.eq_ignore_ascii_case(named)) {
        return None;
    }
    match line.id {
        id if START_TIMEOUT.contains(&id) => Some(Told::StartTimeout),
        id if LOGON_FAILURE.contains(&id) => Some(Told::LogonFailure),
        // Its strings are the service, what it depends on, and the error.
        DEPENDENCY_FAILURE => line.strings.get(1).cloned().map(Told::DependencyFailure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::events::Level;

    fn line(source: &str, id: u32, strings: &[&str]) -> EventLine {
        EventLine {
            log: "System",
            at: 1_700_000_000,
            id,
            source: source.to_owned(),
            level: Level::Error,
            strings: strings.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    const MANAGER: &str = "Service Control Manager";

    #[test]
    fn lines_of_the_manager_prove_what_they_say() {
        let told = |id, strings| told(&line(MANAGER, id, strings), &["Spooler", "Print Spooler"]);
        assert_eq!(
            told(7009, &["30000", "Spooler"]).proves,
            Some(Told::StartTimeout)
        );
        assert_eq!(
            told(7038, &["Spooler", "x", "y"]).proves,
            Some(Told::LogonFailure)
        );
        assert_eq!(
            told(7001, &["Spooler", "RpcSs", "%%1068"]).proves,
            Some(Told::DependencyFailure("RpcSs".to_owned()))
        );
        assert_eq!(
            told(7001, &["Fax", "Print Spooler", "%%1068"]).proves,
            None,
            "it is about what depends on it"
        );
        let ended = told(7034, &["Print Spooler", "1"]);
        assert_eq!(ended.proves, None, "an end without a stop is no crash");
        assert_eq!(ended.from, "System 7034 Service Control Manager");
        assert_eq!(ended.meaning.as_deref(), Some("ended unexpectedly"));
        assert_eq!(ended.at, Wall(1_700_000_000_000));
    }

    #[test]
    fn a_crash_is_proved_by_the_reporter_of_crashes_alone() {
        let strings = [
            "spoolsv.exe",
            "10.0",
            "5e",
            "ntdll.dll",
            "10.0",
            "6f",
            "c0000005",
            "0004",
            "1a2b",
        ];
        assert_eq!(
            told(&line("Application Error", 1000, &strings), &[]).proves,
            Some(Told::Crash {
                exception: Some(0xc000_0005)
            })
        );
        assert_eq!(told(&line("Spooler", 1000, &strings), &[]).proves, None);
    }

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        for text in [
            "connect --password hunter2",
            "Password=hunter2",
            r"connect --password hunter2 to C:\a.exe",
        ] {
            let told = told(&line("Spooler", 3, &[text]), &[]);
            assert!(!told.strings[0].contains("hunter2"), "{told:?}");
        }
    }
}

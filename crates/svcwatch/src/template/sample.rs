//! A notice with which `check` tries each template: with everything that can be known, and with the characters that
//! real names and paths have.

use super::Word;
use std::sync::Arc;
use svcwatch_core::{
    id::{IncidentId, Subject},
    notice::{IncidentRef, Kind, Notice, ToldEvent},
    observe::{ServiceDetails, StartType, State},
    time::Wall,
};

/// 2024-03-13T12:05:00.042Z.
const AT: Wall = Wall(1_710_331_500_042);

/// A notice of this event or kind.
pub fn sample(word: Word) -> Notice {
    let (kind, event) = match word {
        Word::Event(event @ (ToldEvent::Started | ToldEvent::HostRecovered)) => {
            (Kind::Resolved, event)
        }
        Word::Event(event) => (Kind::Opened, event),
        Word::Kind(Kind::Resolved) => (Kind::Resolved, ToldEvent::Started),
        Word::Kind(kind) => (kind, ToldEvent::Stopped),
        Word::Any => (Kind::Opened, ToldEvent::Stopped),
    };
    let runs = matches!(event, ToldEvent::Started);
    let (state, before) = if runs {
        (State::Running, State::Stopped)
    } else {
        (State::Stopped, State::Running)
    };
    let subject = Subject::Service {
        host: "srv01".into(),
        service: "MSSQL$PROD".into(),
    };
    Notice {
        site: Some(Arc::from("oslo")),
        display_name: Some(Arc::from("SQL Server \"PROD\" <main> & co")),
        friendly_name: Some(Arc::from("Ola's database")),
        state: Some(state),
        previous_state: Some(before),
        since: Some(AT),
        start_type: Some(StartType::Automatic),
        details: Some(Arc::new(ServiceDetails {
            binary_path: Some(Arc::from(r#""C:\Program Files\SQL\sqlservr.exe" -sPROD"#)),
            run_as: Some(Arc::from(r"CORP\sql")),
            dependencies: Some(Arc::from([Arc::from("RPCSS")])),
            ..ServiceDetails::default()
        })),
        exit_code: Some(1067),
        service_exit_code: Some(0),
        cause: Some("the process ended unexpectedly".to_owned()),
        incident: Some(IncidentRef {
            id: IncidentId(Arc::from("0123456789abcdef-7")),
            opened_at: AT,
        }),
        ..Notice::new(kind, event, AT, subject, 7)
    }
}

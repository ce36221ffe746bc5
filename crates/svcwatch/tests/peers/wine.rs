//! Against Wine's service control manager behind Samba: services that are real processes.

use svcwatch::probe::{Encryption, Prober};
use svcwatch_core::id::Name;
use svcwatch_core::observe::{Asked, StartType, State};
use svcwatch_core::time::Span;

use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD};
use crate::{HOST, access, find, read, request};

#[tokio::test]
async fn a_real_service_is_seen_to_start_and_stop() {
    let host = WineHost::start();
    let prober = Prober::new();
    let access = access(host.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let first = read(
        prober
            .check(&request(&["NoSuchService", "spooler"]), &access)
            .await,
    );
    assert!(first.services.len() >= 10, "{first:?}");
    assert_eq!(first.asked, [(Name::new("NoSuchService"), Asked::Missing)]);
    let spooler = find(&first, "Spooler").reading;
    assert_eq!(
        (spooler.state, spooler.pid, spooler.exit_code),
        (State::Stopped, None, Some(1077)),
        "never started"
    );

    host.start_service("Spooler");
    let started = find(&read(prober.check(&request(&[]), &access).await), "Spooler").reading;
    assert_eq!(started.state, State::Running);
    assert!(
        started.pid.is_some_and(|pid| pid > 4),
        "a real process: {started:?}"
    );

    host.stop_service("Spooler");
    let stopped = find(&read(prober.check(&request(&[]), &access).await), "Spooler").reading;
    assert_eq!((stopped.state, stopped.pid), (State::Stopped, None));

    let names = [
        Name::new("Spooler"),
        Name::new("PlugPlay"),
        Name::new("NoSuchService"),
    ];
    let configs = prober
        .read_config(&Name::new(HOST), &names, Span::seconds(30))
        .await
        .unwrap();
    assert_eq!(configs.len(), 2, "{configs:?}");
    assert_eq!(
        configs[0].start_type,
        Some(StartType::Manual),
        "{configs:?}"
    );
    assert!(
        configs[0]
            .binary_path
            .as_deref()
            .is_some_and(|path| path.contains("spoolsv")),
        "{configs:?}"
    );
    assert_eq!(
        configs[0].trigger_start, None,
        "Wine does not know triggers"
    );
    assert_eq!(prober.sessions(), 1);

    // And the session is as good as before.
    let mut kept = request(&[]);
    kept.may_log_on = false;
    assert_eq!(
        read(prober.check(&kept, &access).await).services.len(),
        first.services.len()
    );
}

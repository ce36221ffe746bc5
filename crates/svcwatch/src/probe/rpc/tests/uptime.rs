//! How long a host says it runs.

use super::*;

fn uptime(observation: &Observation) -> Option<Span> {
    match &observation.outcome {
        Outcome::Read(reading) => reading.uptime,
        other => panic!("not read: {other:?}"),
    }
}

#[tokio::test]
async fn the_uptime_comes_with_the_list_where_it_is_asked_for() {
    let (host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let asks = ProbeRequest {
        uptime: true,
        ..request(true, &[])
    };
    let first = prober.check(&asks, &access).await;
    assert_eq!((listed(&first), uptime(&first)), (81, Some(Span(90_000))));
    // The service control manager is asked again over the same connection, and nothing else.
    let second = prober.check(&request(false, &[]), &access).await;
    assert_eq!((listed(&second), uptime(&second)), (81, None));
    assert_eq!(host.counts(), (1, 3));
}

#[tokio::test]
async fn a_host_without_a_server_service_is_read_all_the_same() {
    let (host, access) = Host::start(Trick::NoServerService).await;
    let prober = Prober::new();
    let asks = ProbeRequest {
        uptime: true,
        ..request(true, &[])
    };
    for _ in 0..2 {
        let observation = prober.check(&asks, &access).await;
        assert_eq!((listed(&observation), uptime(&observation)), (81, None));
        assert!(observation.session_kept);
    }
    assert_eq!(host.counts(), (1, 3), "one logon");
}

#[tokio::test]
async fn a_host_that_never_says_how_long_it_runs_is_asked_once() {
    let (host, access) = Host::start(Trick::DeafServerService).await;
    let prober = Prober::new();
    let asks = ProbeRequest {
        uptime: true,
        ..request(true, &[])
    };
    let first = prober.check(&asks, &access).await;
    assert_eq!((listed(&first), first.session_kept), (81, false));
    let second = prober.check(&asks, &access).await;
    assert_eq!((listed(&second), second.session_kept), (81, true));
    assert_eq!(host.counts().0, 2, "and its session kept from then on");
}

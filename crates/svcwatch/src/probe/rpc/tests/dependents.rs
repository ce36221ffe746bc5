//! Which services depend on one: told whole, not known, and refused.

use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, State};
use svcwatch_core::time::Span;

use super::host::{Host, Trick};
use super::{listed, request};
use crate::probe::{Dependent, Prober};

/// A prober with a session to such a host.
async fn prober(trick: Trick) -> Prober {
    let (_host, access) = Host::start(trick).await;
    let prober = Prober::new();
    listed(&prober.check(&request(true, &[]), &access).await);
    prober
}

async fn ask(
    prober: &Prober,
    service: &str,
) -> Result<Option<Vec<Dependent>>, svcwatch_core::observe::HostFault> {
    let (host, service) = (Name::new("web-1"), Name::new(service));
    prober.dependents(&host, &service, Span(2_000)).await
}

#[tokio::test]
async fn a_list_larger_than_the_first_buffer_comes_whole() {
    let prober = prober(Trick::None).await;
    for _ in 0..2 {
        let found = ask(&prober, "Template").await.unwrap().unwrap();
        assert_eq!(found.len(), 81);
        let wanted = Dependent {
            name: "Spooler".into(),
            display_name: "Print Spooler".into(),
            state: State::Running,
        };
        assert_eq!(found.last(), Some(&wanted));
    }
    for unseen in ["Missing", "Hidden"] {
        assert_eq!(ask(&prober, unseen).await, Ok(None), "{unseen}");
    }
    assert_eq!(prober.sessions(), 1);
}

#[tokio::test]
async fn a_host_that_does_not_say_it_is_told_apart_from_one_that_breaks() {
    let old = prober(Trick::Old).await;
    assert_eq!(ask(&old, "Template").await, Ok(None));
    let denied = prober(Trick::ListCode(5)).await;
    assert_eq!(ask(&denied, "Template").await, Ok(None));
    assert_eq!((old.sessions(), denied.sessions()), (1, 1));

    let stale = prober(Trick::ListCode(6)).await;
    assert!(ask(&stale, "Template").await.is_err());
    assert_eq!(stale.sessions(), 0, "the next check opens another");
    let fault = ask(&stale, "Template").await.unwrap_err();
    assert_eq!(fault.fault, Fault::Unreachable);
    let nobody = ask(&Prober::new(), "Template").await.unwrap_err();
    assert_eq!(nobody.cause, "no session with the host is open");
}

//! What is put on the board is seen on it, in its order.

use super::*;

pub(crate) fn host(name: &str) -> HostView {
    HostView {
        name: name.into(),
        address: name.to_owned(),
        site: None,
        fault: None,
        cause: None,
        since: Some(Wall(1_000)),
        checked_at: Some(Wall(2_000)),
        visible: Some(60),
        watched: 2,
        labels: Arc::from([]),
    }
}

pub(crate) fn service(host: &str, service: &str) -> ServiceView {
    ServiceView {
        host: host.into(),
        service: service.into(),
        display_name: None,
        friendly_name: None,
        state: State::Running,
        since: Wall(1_500),
        expected: Expect::Running,
        as_expected: true,
        group: None,
        start_type: None,
        trigger_start: None,
        details: None,
        pid: Some(4),
        exit_code: Some(0),
        incident: None,
        muted: None,
        labels: Arc::from([]),
    }
}

fn all(board: &Board, piece: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        after = board.walk_services(after.as_ref(), piece, |service| {
            seen.push(format!("{}/{}", service.host, service.row.service));
            ControlFlow::Continue(())
        });
        if after.is_none() {
            return seen;
        }
    }
}

#[test]
fn a_row_is_lean() {
    assert!(size_of::<Row>() <= ROW_BYTES_MAX, "{}", size_of::<Row>());
}

#[test]
fn walks_give_everything_once_in_order_whatever_the_piece() {
    let board = Board::new();
    board.apply_all(["b", "a", "c"].map(|name| View::Host(host(name))));
    for (host, name) in [("b", "W"), ("a", "z"), ("a", "Y"), ("c", "x"), ("b", "v")] {
        board.apply(View::Service(service(host, name)));
    }
    for piece in 1..7 {
        assert_eq!(all(&board, piece), ["a/Y", "a/z", "b/v", "b/W", "c/x"]);
    }
    let mut hosts = Vec::new();
    let next = board.walk_hosts(Some(&"A".into()), 1, |host| {
        hosts.push(host.name.clone());
        ControlFlow::Continue(())
    });
    assert_eq!((hosts, next), (vec!["b".into()], Some("b".into())));
}

#[test]
fn a_walk_goes_on_behind_a_service_that_has_gone() {
    let board = Board::new();
    for name in ["a", "c"] {
        board.apply(View::Service(service("h", name)));
    }
    let mut seen = Vec::new();
    board.walk_services(Some(&("h".into(), "b".into())), 10, |service| {
        seen.push(service.row.service.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(seen, ["c".into()]);
}

#[test]
fn the_newest_view_stays_and_what_is_gone_is_gone() {
    let board = Board::new();
    board.apply(View::Host(host("SRV")));
    board.apply(View::Service(service("srv", "Spooler")));
    let mut newer = service("srv", "SPOOLER");
    newer.state = State::Stopped;
    board.apply(View::Service(newer));
    board.apply(View::Checked {
        host: "srv".into(),
        at: Wall(9),
        read: true,
    });
    assert_eq!(board.host(&"srv".into()).unwrap().checked_at, Some(Wall(9)));
    let mut states = Vec::new();
    board.walk_services(None, 9, |service| {
        states.push(service.state());
        ControlFlow::Continue(())
    });
    assert_eq!(states, [State::Stopped]);
    board.apply(View::ServiceGone {
        host: "srv".into(),
        service: "spooler".into(),
    });
    assert_eq!(all(&board, 9), Vec::<String>::new());
    board.apply(View::HostGone("srv".into()));
    assert_eq!(board.host(&"srv".into()), None);
}

#[test]
fn a_fault_of_the_host_makes_its_services_unknown_to_people() {
    let board = Board::new();
    let mut down = host("h");
    down.fault = Some(Fault::Timeout);
    down.since = Some(Wall(7_000));
    board.apply(View::Service(service("h", "a")));
    board.apply(View::Host(down));
    board.walk_services(None, 9, |service| {
        assert_eq!(service.state(), State::Unknown);
        assert_eq!(service.since(), Wall(7_000));
        assert_eq!(service.row.state, State::Running);
        assert_eq!(service.muted(), Some(Why::HostFault));
        ControlFlow::Continue(())
    });
    let mut shown_in_the_fault = service("h", "a");
    shown_in_the_fault.muted = Some(Why::HostFault);
    board.apply(View::Service(shown_in_the_fault));
    board.apply(View::Host(host("h")));
    board.walk_services(None, 9, |service| {
        assert_eq!(service.state(), State::Running);
        assert_eq!(service.muted(), None, "the fault is over");
        ControlFlow::Continue(())
    });
}

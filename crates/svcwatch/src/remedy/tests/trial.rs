//! Whether what acts would be let, found out without doing anything.

use super::actor::{Stage, text};
use super::host::{Greeting, Trick};
use super::{Reach, access};
use crate::probe::turns::Tried;
use crate::remedy::{Granted, Trial, Trials, may_act};
use crate::wiring::{self, Passwords};
use std::sync::Arc;
use svcwatch_core::id::Name;

fn trials(stage: &Stage, refused: Vec<Tried>) -> Arc<Trials> {
    let reach = Reach::new(&stage.config);
    Arc::new(Trials::new(reach, Arc::default(), refused))
}

fn trial(host: &str, services: &[&str]) -> Trial {
    Trial {
        host: Name::new(host),
        computer: Some("WEB-1".to_owned()),
        services: services.iter().map(|name| Name::new(name)).collect(),
    }
}

/// The three hosts on which the account may act, all at once.
async fn all(trials: &Arc<Trials>) -> Vec<Granted> {
    let begun = ["web-1", "web-2", "web-3"].map(|host| {
        let (trials, trial) = (Arc::clone(trials), trial(host, &["A", "B"]));
        tokio::spawn(async move { trials.of(&trial).await })
    });
    let mut found = Vec::new();
    for one in begun {
        found.push(one.await.unwrap());
    }
    found
}

#[tokio::test]
async fn services_are_opened_with_the_rights_to_act_and_nothing_is_done() {
    let stage = Stage::new(Trick::None).await;
    let (trials, trial) = (
        trials(&stage, Vec::new()),
        trial("web-1", &["A", "b", "None"]),
    );
    let granted = trials.of(&trial).await;
    assert_eq!(granted.may, ["A", "b"]);
    assert_eq!(granted.account.as_deref(), Some("hands"));
    assert_eq!(granted.lacks(), ["hands cannot act on None: error 1060"]);
    assert_eq!(granted.notes(), ["hands may act on A, b"]);
    assert_eq!(stage.host.controls(), "", "nothing was started or stopped");
    assert_eq!(stage.logons(), 1);
    assert_eq!(
        stage.host.rights(),
        access::START | access::STOP | access::QUERY_STATUS | access::ENUMERATE_DEPENDENTS
    );
}

#[tokio::test]
async fn what_is_denied_is_named_with_the_reason() {
    let stage = Stage::new(Trick::Denies).await;
    let (trials, trial) = (trials(&stage, Vec::new()), trial("web-1", &["A", "B"]));
    let granted = trials.of(&trial).await;
    assert!(granted.may.is_empty());
    let lacks = granted.lacks();
    assert_eq!(lacks.len(), 1, "one sentence for all: {lacks:?}");
    for words in [
        "hands may not act on A, B (SERVICE_START, SERVICE_STOP denied)",
        "RemoteAccessCheckExemptionList",
    ] {
        assert!(lacks[0].contains(words), "{lacks:?}");
    }
    assert_eq!(stage.host.controls(), "");
}

#[tokio::test]
async fn dependents_that_are_not_told_are_good_to_know() {
    let stage = Stage::new(Trick::ListsNothing).await;
    let granted = trials(&stage, Vec::new()).of(&trial("web-1", &["A"])).await;
    assert!(granted.lacks().is_empty(), "{granted:?}");
    assert!(
        granted.notes()[1].contains("what depends on A is not told to hands"),
        "{granted:?}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_hosts_there_are() {
    let stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Refuses(100)]);
    let trials = trials(&stage, Vec::new());
    let found = all(&trials).await;
    assert_eq!(stage.logons(), 1);
    let faults = found.iter().filter_map(|one| one.fault.as_deref());
    let (left, refused): (Vec<_>, Vec<_>) = faults.partition(|why| why.contains("left alone"));
    assert_eq!((left.len(), refused.len()), (2, 1), "{found:#?}");
    assert!(refused[0].starts_with("logon_refused"), "{refused:?}");
    assert!(found.iter().all(|one| one.lacks().len() == 1));
}

#[tokio::test]
async fn what_was_refused_as_it_read_is_not_tried_to_act() {
    let mut stage = Stage::new(Trick::None).await;
    stage.passwords(text("two"), None);
    let reach = Reach::new(&stage.config);
    let host = Name::new("web-1");
    let (connection, account) = may_act(&reach, &host).unwrap();
    let passwords = Passwords {
        first: "two".into(),
        ..Passwords::default()
    };
    let (_, credential) = account.unwrap();
    let access = wiring::access(connection, Some(credential), Some(passwords));
    let found = all(&trials(&stage, vec![Tried::of(&access)])).await;
    assert_eq!(stage.logons(), 0);
    for granted in found {
        assert!(
            granted.lacks()[0].contains("hands cannot act there: not tried"),
            "{granted:?}"
        );
    }
}

#[tokio::test]
async fn where_nothing_may_act_it_is_said_what_to_write() {
    let stage = Stage::new(Trick::None).await;
    let trials = trials(&stage, Vec::new());
    assert!(trials.may(&Name::new("web-1")).is_ok());
    assert!(trials.has_account(&Name::new("web-1")));
    let lab = Name::new("lab");
    assert!(!trials.has_account(&lab));
    let granted = trials.of(&trial("lab", &["A"])).await;
    let lacks = granted.lacks();
    assert!(lacks[0].contains("acting: true"), "{lacks:?}");
    assert_eq!(stage.logons(), 0);
}

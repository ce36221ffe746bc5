//! Stories of reasons: hosts that are asked why a service is not as expected.

use super::{Story, config, host, list, plan, reading};
use crate::{
    cause::{Cause, Told},
    event::Event,
    evidence::{ClueKind, Evidence, EvidencePlan, Gathered, Late, LogLine, LogUse},
    notice::{Kind, ToldEvent},
    observe::{HostReading, Outcome, ServiceConfig, ServiceReading, StartType, State},
    plan::{HostPlan, Plan},
    record::Record,
    time::{Span, Wall},
};
use alloc::{collections::BTreeMap, string::ToString, sync::Arc, vec, vec::Vec};

const SPOOLER: &[&str] = &["Spooler"];

const EVIDENCE: EvidencePlan = EvidencePlan {
    wait: Span(500),
    deadline: Span::seconds(10),
    hosts_at_once: 2,
    log: LogUse::Store,
    late: Late::Store,
};

fn asking(evidence: EvidencePlan, settle: Span, hosts: &[(&str, &[&str])]) -> Story {
    let hosts = hosts.iter().map(|(name, services)| HostPlan {
        settle,
        ..host(name, services)
    });
    Story::new(Plan {
        evidence: Some(evidence),
        ..plan(hosts.collect())
    })
}

fn ended(names: &[&str], exit_code: u32) -> Outcome {
    let services = names.iter().map(|name| {
        let mut reading = reading(State::Stopped);
        reading.exit_code = Some(exit_code);
        ServiceReading {
            name: (*name).to_string(),
            display_name: (*name).to_string(),
            reading,
        }
    });
    Outcome::Read(HostReading {
        services: services.collect(),
        ..HostReading::default()
    })
}

/// Lets a service run, then end with 1067, and nothing more than that happen.
fn stops(story: &mut Story) {
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    ends(story, 1067);
}

/// Lets a service end, and nothing more than that happen.
fn ends(story: &mut Story, exit_code: u32) {
    let begun = story.asked.len();
    let end = story.now + 60_000;
    while story.asked.len() == begun && story.now < end {
        story.pass(Span(100), &ended(SPOOLER, exit_code));
    }
}

fn crashed(request_service: &str) -> Gathered {
    Gathered {
        log: vec![LogLine {
            at: Wall(1_700_000_000_000),
            from: "Application 1000 Application Error".to_string(),
            meaning: Some("its process crashed".to_string()),
            strings: vec!["token=hunter2".to_string()],
            proves: Some(Told::Crash {
                exception: Some(0xc000_0005),
            }),
        }],
        dependencies: vec![("RpcSs".to_string(), Some(State::Running))],
        dependents: vec![("Fax".to_string(), State::Stopped)],
        ..Gathered::nothing(request_service.into())
    }
}

/// What is kept of the incident, the newest last.
fn kept(story: &Story) -> Vec<Arc<Evidence>> {
    let records = story.steps.iter().flat_map(|step| &step.commit);
    let incidents = records.filter_map(|record| {
        if let Record::Incident(row) = record {
            row.evidence.clone()
        } else {
            None
        }
    });
    incidents.collect()
}

fn answer(story: &mut Story, found: Vec<Gathered>) {
    let request = story.asked.remove(0);
    story.apply(Event::Gathered {
        host: request.host,
        gather: request.gather,
        found,
    });
}

#[test]
fn an_opening_goes_out_with_what_its_host_says_as_soon_as_it_says_it() {
    let mut story = asking(EVIDENCE, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    assert_eq!(story.words(), [], "it waits for its host");
    assert!(story.asked[0].log);
    answer(&mut story, vec![crashed("Spooler")]);
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let notice = &story.told[0];
    let evidence = notice.evidence.as_ref().unwrap();
    assert_eq!(evidence.cause, Cause::Crashed);
    // The log is only kept: what it says does not go out, only what follows from it.
    assert_eq!(
        notice.cause.as_deref(),
        Some("crashed: exit code 1067 (its process ended unexpectedly)")
    );
    let kinds: Vec<ClueKind> = evidence.clues.iter().map(|clue| clue.kind).collect();
    for kind in [
        ClueKind::State,
        ClueKind::ExitCode,
        ClueKind::Dependency,
        ClueKind::Dependent,
    ] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert!(!kinds.contains(&ClueKind::Event));
    let last = kept(&story).pop().unwrap();
    assert!(last.complete && last.clues.iter().any(|clue| clue.kind == ClueKind::Event));
}

#[test]
fn an_opening_waits_no_longer_than_it_may_and_then_says_what_the_reading_says() {
    let mut story = asking(EVIDENCE, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    story.pass(Span(600), &ended(&["Spooler"], 1067));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let evidence = story.told[0].evidence.clone().unwrap();
    assert_eq!(
        (evidence.cause, evidence.complete),
        (Cause::EndedUnexpectedly, false)
    );
    // What comes later is kept, and not told.
    answer(&mut story, vec![crashed("Spooler")]);
    assert_eq!(story.words().len(), 1);
    let records = story.steps.iter().flat_map(|step| &step.commit).rev();
    let mut causes = records.filter_map(|record| {
        if let Record::History(row) = record {
            row.cause.clone()
        } else {
            None
        }
    });
    assert!(causes.next().unwrap().starts_with("crashed"));
}

#[test]
fn the_log_is_read_from_before_the_end_however_long_it_was_waited() {
    let mut lab = host("lab", SPOOLER);
    lab.services[0].for_span = Span::hours(1);
    let mut story = Story::new(Plan {
        evidence: Some(EVIDENCE),
        ..plan(vec![lab])
    });
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    let ended_after = Wall(1_700_000_000_000) + Span(story.now);
    story.pass(Span::minutes(62), &ended(&["Spooler"], 1067));
    let request = story.asked.remove(0);
    assert!(request.services[0].since < ended_after, "{request:?}");
}

#[test]
fn what_comes_late_is_told_where_asked_and_where_it_is_news() {
    let tell = EvidencePlan {
        late: Late::Tell,
        ..EVIDENCE
    };
    let mut story = asking(tell, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    story.pass(Span(600), &ended(&["Spooler"], 1067));
    answer(&mut story, vec![crashed("Spooler")]);
    assert_eq!(
        story.words(),
        [
            (Kind::Opened, ToldEvent::Stopped),
            (Kind::Updated, ToldEvent::Stopped)
        ]
    );
    let mut story = asking(tell, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    story.pass(Span(600), &ended(&["Spooler"], 1067));
    answer(&mut story, vec![Gathered::nothing("Spooler".into())]);
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn a_host_that_never_answers_is_given_up_and_that_is_said() {
    let mut story = asking(EVIDENCE, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    story.pass(Span::seconds(11), &ended(&["Spooler"], 1067));
    assert_eq!(story.asked.len(), 1);
    let last = kept(&story).pop().unwrap();
    let lacking = last
        .clues
        .iter()
        .find(|clue| clue.kind == ClueKind::Lacking);
    assert!(
        last.complete && lacking.unwrap().text.contains("in time"),
        "{last:?}"
    );
    // An answer that comes after all is listened to no more.
    let before = story.steps.len();
    answer(&mut story, vec![crashed("Spooler")]);
    assert!(
        story.steps[before..]
            .iter()
            .all(|step| step.commit.is_empty())
    );
}

/// The clues of one kind that were told of the first opening.
fn told(story: &Story, kind: ClueKind) -> Vec<&str> {
    let clues = &story.told[0].evidence.as_ref().unwrap().clues;
    let of_kind = clues.iter().filter(|clue| clue.kind == kind);
    of_kind.map(|clue| clue.text.as_str()).collect()
}

#[test]
fn a_change_that_is_found_only_after_the_end_is_part_of_the_evidence() {
    let disabled = ServiceConfig {
        start_type: Some(StartType::Disabled),
        account: Some(r"CORP\other".to_string()),
        ..config(&"Spooler".into())
    };
    let change =
        r"start type: now disabled, before manual; account: now CORP\other, before LocalSystem";
    // The reading that saw the end asks how it is set up, or who asks why finds it first, or its history says it already.
    for (by_reading, by_history) in [(true, false), (false, false), (true, true)] {
        let mut story = asking(EVIDENCE, Span::ZERO, &[("srv01", SPOOLER)]);
        story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
        if by_reading {
            story.configs.push(disabled.clone());
        }
        ends(&mut story, 0);
        let records = story.steps.iter().flat_map(|step| &step.commit).rev();
        let history = records.filter_map(|record| {
            if let Record::History(row) = record
                && by_history
            {
                Some(row.clone())
            } else {
                None
            }
        });
        let found = Gathered {
            config: Some(disabled.clone()),
            history: history.collect(),
            ..Gathered::nothing("Spooler".into())
        };
        answer(&mut story, vec![found]);
        assert_eq!(told(&story, ClueKind::Changed), [change]);
        assert!(told(&story, ClueKind::Because).contains(&"its start is disabled"));
    }
}

#[test]
fn what_is_over_before_its_host_answers_is_not_told() {
    let mut story = asking(EVIDENCE, Span::seconds(3), &[("srv01", &["Spooler"])]);
    stops(&mut story);
    answer(&mut story, vec![crashed("Spooler")]);
    assert_eq!(story.words(), [], "its host is given time to settle");
    story.pass(Span::seconds(4), &ended(&["Spooler"], 1067));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    assert_eq!(
        story.told[0].evidence.as_ref().unwrap().cause,
        Cause::Crashed
    );
}

#[test]
fn so_many_hosts_are_asked_at_once_and_no_more() {
    let names = ["a", "b", "c", "d", "e"];
    let hosts: Vec<(&str, &[&str])> = names.iter().map(|name| (*name, SPOOLER)).collect();
    let mut story = asking(EVIDENCE, Span::ZERO, &hosts);
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    story.pass(Span::minutes(1), &ended(&["Spooler"], 0));
    // None of them answered, and each was given up after its time: all were told by then.
    let opened = story
        .words()
        .iter()
        .filter(|word| word.0 == Kind::Opened)
        .count();
    assert_eq!(opened, 5);
    let mut story = asking(EVIDENCE, Span::ZERO, &hosts);
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    while story.asked.len() < 2 {
        story.pass(Span(100), &ended(&["Spooler"], 0));
    }
    let asked = story.asked.len();
    answer(&mut story, Vec::new());
    story.pass(Span(1), &ended(&["Spooler"], 0));
    assert!(asked <= 2 && story.asked.len() <= 2);
}

#[test]
fn a_death_of_ours_forgets_no_reason() {
    let mut story = asking(EVIDENCE, Span::ZERO, &[("srv01", &["Spooler"])]);
    stops(&mut story);
    let mut rows: Vec<_> = Vec::new();
    let mut targets = Vec::new();
    let mut hosts = Vec::new();
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Incident(row) = record {
            rows = vec![row.clone()];
        } else if let Record::Target(row) = record {
            targets = vec![vec![row.clone()]];
        } else if let Record::Host(row) = record {
            hosts = vec![row.clone()];
        }
    }
    let restored = crate::record::Restored {
        store: crate::id::StoreId([1; 16]),
        last_record: 1_000,
        incidents: rows,
        targets,
        hosts,
        ..crate::record::Restored::default()
    };
    let planned = Arc::clone(story.engine.plan());
    let mut again = Story::new(Plan::clone(&planned));
    let (engine, step) = super::Engine::restore(restored, &planned, super::at(story.now));
    again.engine = engine;
    again.now = story.now;
    again.probes.clear();
    again.take(step);
    again.pass(Span::seconds(40), &ended(&["Spooler"], 1067));
    assert_eq!(again.asked.len(), 1, "it is asked again");
    answer(&mut again, vec![crashed("Spooler")]);
    let told = again
        .told
        .iter()
        .filter(|notice| notice.kind == Kind::Opened);
    assert_eq!(told.count(), 1);
}

#[test]
fn four_hundred_ends_at_once_are_explained_in_turns_and_slow_no_round() {
    let names: Vec<alloc::string::String> = (0..400).map(|at| alloc::format!("h{at}")).collect();
    let hosts: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), SPOOLER)).collect();
    let sixteen = EvidencePlan {
        hosts_at_once: 16,
        ..EVIDENCE
    };
    let mut story = asking(sixteen, Span::ZERO, &hosts);
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    let (end, stopped) = (story.now + 90_000, ended(&["Spooler"], 1067));
    let (mut most, mut answered, mut read) = (0, 0, 0);
    while story.now < end {
        // Each host takes 200 ms to answer what is asked of it.
        read += story.probes.len();
        story.pass(Span(200), &stopped);
        most = most.max(story.asked.len());
        for _ in 0..story.asked.len() {
            let service = story.asked[0].services[0].service.clone();
            answer(&mut story, vec![crashed(service.as_str())]);
            answered += 1;
        }
    }
    assert!(most <= 16, "{most} hosts were asked at once");
    assert_eq!(answered, 400, "each was asked once");
    let told = story
        .told
        .iter()
        .filter(|notice| notice.kind == Kind::Opened);
    assert_eq!(told.count(), 400);
    // Three rounds of all of them, whoever was asked meanwhile.
    let rounds = story
        .steps
        .iter()
        .flat_map(|step| &step.effects)
        .filter(|effect| matches!(effect, crate::effect::Effect::Probe(_)))
        .count();
    assert!(rounds >= 400 * 4 && read <= rounds, "{rounds}");
}

#[test]
fn who_is_not_asked_in_time_is_told_apart_and_asked_later() {
    let names: Vec<alloc::string::String> = (0..40).map(|at| alloc::format!("h{at}")).collect();
    let hosts: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), SPOOLER)).collect();
    let mut story = asking(EVIDENCE, Span::ZERO, &hosts);
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    let (end, stopped) = (story.now + 300_000, ended(SPOOLER, 1067));
    let mut begun = vec![];
    while story.now < end {
        story.pass(Span(200), &stopped);
        begun.resize(story.asked.len(), story.now);
        // Each host takes 4 s, so that the last of them is asked long after its time.
        while begun
            .first()
            .is_some_and(|begun| begun + 4_000 <= story.now)
        {
            begun.remove(0);
            answer(&mut story, vec![crashed("Spooler")]);
            begun.resize(story.asked.len(), story.now);
        }
    }
    let mut last = BTreeMap::new();
    let mut early = 0;
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Incident(row) = record
            && let Some(evidence) = &row.evidence
        {
            let lacking = evidence
                .clues
                .iter()
                .filter(|clue| clue.kind == ClueKind::Lacking);
            for clue in lacking {
                assert!(!clue.text.contains("did not answer"), "{clue:?}");
                assert!(clue.text.contains("was not asked"), "{clue:?}");
                early += 1;
            }
            last.insert(row.id.clone(), evidence.cause);
        }
    }
    assert!(early > 0, "some were explained before they were asked");
    assert_eq!(last.len(), 40);
    assert!(
        last.values().all(|cause| *cause == Cause::Crashed),
        "{last:?}"
    );
}

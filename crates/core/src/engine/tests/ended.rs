//! Ends of incidents that came before the answer of the try that brought them.

use super::{
    remedied::{FAILED, RUNS, again, are, ends, failed, remedied, ruling},
    *,
};
use crate::{
    remedy::{
        Outcome as Came,
        decide::{Held, Ruling},
    },
    silence::{SilenceId, SilenceRow},
};

const OPENED: (Kind, ToldEvent) = (Kind::Opened, ToldEvent::Stopped);
const RESOLVED: (Kind, ToldEvent) = (Kind::Resolved, ToldEvent::Started);

/// A story in which the service runs again, and the try that started it is still under way.
fn runs_before_the_answer() -> Story {
    let mut story = failed(|_| {});
    story.apply(Event::Stirred { host: "lab".into() });
    story.pass(Span::seconds(5), &are(&RUNS));
    let over = Some(Ruling::No(Held::NotOpen));
    assert_eq!(ruling(&story), over, "its incident is over");
    story
}

/// How the last try came out that the last message tells.
fn told_last(story: &Story) -> Option<Came> {
    story.told.last()?.remedy.last()?.outcome
}

#[test]
fn the_end_waits_for_the_answer_of_the_try_that_brought_it() {
    let mut story = runs_before_the_answer();
    let ended = story.now;
    assert_eq!(story.words(), [OPENED]);
    story.pass(Span::seconds(10), &are(&RUNS));
    ends(&mut story, Came::Started);
    assert_eq!(story.words(), [OPENED, RESOLVED]);
    assert_eq!(told_last(&story), Some(Came::Started));
    assert_eq!(story.told[1].remedy[0].text, "as the story says");
    assert!(story.told[1].at <= at(ended).wall, "it is told as it was");
    story.pass(Span::minutes(5), &are(&RUNS));
    assert_eq!(story.told.len(), 2);
}

#[test]
fn the_end_waits_no_longer_than_it_may() {
    let mut story = runs_before_the_answer();
    story.pass(Span::seconds(24), &are(&RUNS));
    assert_eq!(story.words(), [OPENED]);
    story.pass(Span::seconds(2), &are(&RUNS));
    assert_eq!(story.words(), [OPENED, RESOLVED]);
    assert_eq!(told_last(&story), None);
    ends(&mut story, Came::Started);
    story.pass(Span::minutes(5), &are(&RUNS));
    assert_eq!(story.told.len(), 2);
}

#[test]
fn what_fails_again_is_told_after_the_end_that_waits() {
    let mut story = runs_before_the_answer();
    story.apply(Event::Stirred { host: "lab".into() });
    story.pass(Span::seconds(20), &are(&FAILED));
    assert_eq!(story.words(), [OPENED, RESOLVED, OPENED]);
    ends(&mut story, Came::Failed);
    assert_eq!(story.told.len(), 3, "its incident is over and told");
}

#[test]
fn the_end_that_waits_is_told_after_a_restart() {
    let story = runs_before_the_answer();
    let mut after = again(&story, remedied(&["App"], |_| {}));
    after.pass(Span::seconds(1), &are(&RUNS));
    assert_eq!(after.words(), [RESOLVED]);
    assert_eq!(told_last(&after), Some(Came::Unknown));
    assert_eq!(after.told[0].incident, story.told[0].incident);
}

#[test]
fn the_end_that_waits_is_told_though_its_service_is_not_watched_any_more() {
    let mut story = runs_before_the_answer();
    story.apply(Event::PlanReplaced(Arc::new(remedied(&[], |_| {}))));
    story.pass(Span::seconds(5), &are(&RUNS));
    assert_eq!(story.words(), [OPENED]);
    ends(&mut story, Came::Started);
    assert_eq!(story.words(), [OPENED, RESOLVED]);
    assert_eq!(told_last(&story), Some(Came::Started));
}

#[test]
fn a_silence_that_begins_while_the_end_waits_holds_it_back() {
    let mut story = runs_before_the_answer();
    let id = SilenceId(Arc::from("a"));
    story.apply(Event::Silence(alloc::boxed::Box::new(SilenceRow {
        id: id.clone(),
        matcher: Matcher::default(),
        author: "ann".to_string(),
        comment: "mine".to_string(),
        from: at(0).wall,
        until: at(3_600_000).wall,
        ended_at: None,
        ended_by: None,
    })));
    ends(&mut story, Came::Started);
    story.pass(Span::minutes(5), &are(&RUNS));
    assert_eq!(story.words(), [OPENED]);
    let by = "ann".to_string();
    story.apply(Event::EndSilence { id, by });
    story.pass(Span::seconds(5), &are(&RUNS));
    assert_eq!(story.words(), [OPENED, RESOLVED]);
    assert_eq!(told_last(&story), Some(Came::Started));
}

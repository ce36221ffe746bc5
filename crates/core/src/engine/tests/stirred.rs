//! Hosts that say by themselves that something has happened.

use super::*;

#[test]
fn a_host_that_stirs_is_read_at_once_and_not_told_for_that_alone() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    let running = list(&[("Spooler", State::Running)]);
    story.pass(Span::minutes(2), &running);
    assert!(story.probes.is_empty());
    story.apply(Event::Stirred {
        host: "srv01".into(),
    });
    assert_eq!(story.probes.len(), 1, "it is read now");
    story.pass(Span(1), &running);
    assert!(story.probes.is_empty(), "once");
    assert_eq!(story.words(), []);
    story.apply(Event::Stirred {
        host: "no-such-host".into(),
    });
    assert!(story.probes.is_empty());
}

#[test]
fn what_happens_while_a_host_is_read_has_it_read_once_more() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    let stir = || Event::Stirred {
        host: "srv01".into(),
    };
    story.apply(stir());
    // However often it stirs meanwhile, it is one more reading.
    for _ in 0..100 {
        story.apply(stir());
    }
    let (name, probe) = story.probes.pop().expect("one reading is under way");
    assert!(story.probes.is_empty());
    story.answer(name, probe, list(&[("Spooler", State::Running)]));
    assert_eq!(
        story.probes.len(),
        1,
        "what was read may be older than the news"
    );
    let (name, probe) = story.probes.pop().expect("the second reading");
    story.answer(name, probe, list(&[("Spooler", State::Stopped)]));
    assert!(story.probes.is_empty());
    story.pass(Span::seconds(5), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

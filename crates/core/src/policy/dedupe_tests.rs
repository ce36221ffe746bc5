//! Laws of the shortest sequence.

use super::dedupe::shortest;
use crate::{
    id::{IncidentId, Subject},
    notice::{IncidentRef, Kind, Notice, ToldEvent},
    record::Told,
    time::Wall,
};
use alloc::{collections::BTreeSet, format, sync::Arc, vec::Vec};
use proptest::prelude::*;

fn notice(kind: Kind, incident: u64, seq: u64) -> Arc<Notice> {
    let mut notice = Notice::new(
        kind,
        ToldEvent::Stopped,
        Wall(i64::try_from(seq).unwrap()),
        Subject::Host("a".into()),
        seq,
    );
    notice.incident = Some(IncidentRef {
        id: id(incident),
        opened_at: Wall(0),
    });
    Arc::new(notice)
}

fn id(incident: u64) -> IncidentId {
    IncidentId(Arc::from(format!("incident-{incident}")))
}

/// A history as an engine makes it: incidents one after the other, each opened, perhaps updated, perhaps over.
/// Where the first is already told, its opening is not among what waits.
fn history() -> impl Strategy<Value = (bool, Vec<(u8, bool)>)> {
    (
        any::<bool>(),
        proptest::collection::vec((0_u8..3, any::<bool>()), 0..6),
    )
}

fn waiting(told: bool, story: &[(u8, bool)]) -> (Vec<Arc<Notice>>, Option<IncidentId>) {
    let (mut seq, mut notices, mut open) = (0, Vec::new(), None);
    for (number, (updates, ends)) in story.iter().enumerate() {
        let incident = u64::try_from(number).unwrap();
        let mut push = |kind| {
            seq += 1;
            notices.push(notice(kind, incident, seq));
        };
        if !(told && number == 0) {
            push(Kind::Opened);
        }
        for _ in 0..*updates {
            push(Kind::Updated);
        }
        open = Some(id(incident));
        // Only the last may stay open: the next one opens after the end of this one.
        if *ends || number + 1 < story.len() {
            push(Kind::Resolved);
            open = None;
        }
    }
    (notices, open)
}

proptest! {
    #[test]
    fn after_the_sequence_the_recipient_knows_the_truth((is_told, story) in history()) {
        let is_told = is_told && !story.is_empty();
        let (notices, open) = waiting(is_told, &story);
        let told = is_told.then(|| Told { incident: id(0), opened_at: Wall(0) });
        let sequence = shortest(told.as_ref(), &notices);
        prop_assert!(sequence.len() <= 2, "an end and an opening are enough");
        let mut knows = told.as_ref().map(|told| told.incident.clone());
        let mut named = BTreeSet::new();
        for notice in &sequence {
            let incident = notice.incident.as_ref().unwrap().id.clone();
            named.insert(incident.clone());
            named.extend(notice.merged.iter().map(|merged| merged.incident.clone()));
            match notice.kind {
                Kind::Resolved => {
                    let own = knows.as_ref() == Some(&incident);
                    prop_assert!(own || notice.merged.iter().any(|merged| merged.incident == incident),
                        "an end is of what was told, or says that it stands for what was not");
                    prop_assert!(knows.is_none() || own, "what was told as open is never merged away");
                    knows = None;
                }
                Kind::Opened => {
                    prop_assert!(knows.is_none(), "nothing opens while another is known as open");
                    knows = Some(incident);
                }
                Kind::Updated | Kind::Reminder => prop_assert_eq!(knows.as_ref(), Some(&incident)),
                Kind::Info | Kind::Summary => prop_assert!(false, "nobody made one"),
            }
        }
        if !notices.is_empty() {
            prop_assert_eq!(knows, open, "the recipient knows how things stand");
        }
        for notice in &notices {
            prop_assert!(named.contains(&notice.incident.as_ref().unwrap().id), "no incident is lost");
        }
    }

    #[test]
    fn it_cannot_be_made_shorter((is_told, story) in history()) {
        let is_told = is_told && !story.is_empty();
        let (notices, _) = waiting(is_told, &story);
        let told = is_told.then(|| Told { incident: id(0), opened_at: Wall(0) });
        let once = shortest(told.as_ref(), &notices);
        prop_assert_eq!(shortest(told.as_ref(), &once).len(), once.len());
    }
}

#[test]
fn what_is_good_to_know_is_told_once_and_hides_nothing() {
    let info = |event, seq| {
        let mut notice = Notice::clone(&notice(Kind::Info, 0, seq));
        notice.event = event;
        notice.incident = None;
        Arc::new(notice)
    };
    let waiting = [
        info(ToldEvent::Restarted, 1),
        info(ToldEvent::Moved, 2),
        info(ToldEvent::Restarted, 3),
        notice(Kind::Opened, 1, 4),
        info(ToldEvent::Moved, 5),
    ];
    let told: Vec<u64> = shortest(None, &waiting).iter().map(|one| one.seq).collect();
    assert_eq!(told, [3, 4, 5], "the newest word of each, where it belongs");
}

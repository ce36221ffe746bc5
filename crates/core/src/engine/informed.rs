//! What is good to know and no incident: it is told once, and nothing follows from it.

use super::Engine;
use crate::{
    effect::Step,
    id::Subject,
    notice::{Kind, Notice, ToldEvent, Why},
    time::Now,
};
use alloc::string::String;

impl Engine {
    /// Tells something that is good to know, with how often it happened where that is counted. Its number is that of
    /// the line of history that was written just before.
    pub(super) fn inform(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        (cause, count): (Option<String>, Option<u64>),
        step: &mut Step,
    ) {
        let muted = self.mute_covering(subject, event.severity(), event);
        if let Some(why) = muted.map(|mute| mute.by.why()) {
            self.not_told(now, subject, event, why, step);
            return;
        }
        let seq = self.seq_of(subject);
        let mut notice = Notice::new(Kind::Info, event, now.wall, subject.clone(), seq);
        notice.cause = cause;
        self.describe(subject, &mut notice);
        notice.counts.extend(count.map(|count| (event, count)));
        let destinations = self.destinations_of(&notice);
        if destinations.is_empty() {
            self.not_told(now, subject, event, Why::NoRoute, step);
        }
        for (destination, _) in destinations {
            self.tell_one(now, &notice, &destination, step);
        }
    }
}

//! Carries a restart out: asks the procedure what comes next, has the hand do it, and keeps what came of it.

use super::{
    Journal, JournalError,
    act::{Act, Step as Kept},
    words::{answer_text, explain, step_text},
};
use crate::{clock, dest::text::rfc3339, probe::hand::Hand};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use svcwatch_core::{
    id::Name,
    remedy::procedure::{Answer, Asked, Procedure, Report, Step},
};

/// Steps that are kept of one restart, at most.
const STEPS_MAX: usize = 2_000;

/// How many this process has begun.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// A restart that is to be carried out.
#[derive(Debug, Clone)]
pub struct Order {
    /// The host.
    pub host: Name,
    /// What is wanted there.
    pub asked: Asked,
    /// Who wants it: a person, or the plan of a remedy.
    pub by: String,
}

/// Carries it out to its end, and gives the record of it. Each step is told once it was answered, a state only where it
/// has changed. Whoever calls this has the turn on the host. Nothing is done that cannot be kept first; what cannot be
/// kept later, because the disk filled up meanwhile, does not stop what has begun.
pub async fn restart(
    hand: &mut Hand,
    order: &Order,
    journal: &Arc<Journal>,
    mut tell: impl FnMut(&Kept),
) -> Result<Act, JournalError> {
    let service = &order.asked.service;
    let begun = clock::now();
    // Several may begin within one millisecond.
    let number = BEGUN.fetch_add(1, Ordering::Relaxed);
    let id = format!("{}-{}-{number}", begun.wall.0, std::process::id());
    let at = rfc3339(begun.wall);
    let mut act = Act::begun(id, at, &order.by, &order.host, &order.asked);
    act.account = hand.account().map(str::to_owned);
    if !order.asked.dry_run {
        keep(journal, &act, Journal::begun).await?;
    }
    let (mut procedure, mut step) = Procedure::begin(order.asked.clone(), begun.tick);
    let mut steps = Steps::default();
    let mut controlled = false;
    let mut report = loop {
        if let Step::Done(report) = step {
            break *report;
        }
        if let (Step::Stop(_) | Step::Start(_), Some(text)) = (&step, step_text(&step)) {
            let at = rfc3339(clock::wall());
            let kept = keep(journal, &act, move |journal, act| {
                journal.control(act, &at, &text)
            });
            match kept.await {
                Ok(()) => {}
                Err(error) if controlled => {
                    tracing::error!(%error, "a control is not on record; it goes on, because it has begun");
                }
                Err(error) => return Err(error),
            }
            controlled = true;
        }
        let answer = hand.carry_out(&step).await;
        if let Some(kept) = steps.take(&step, &answer) {
            tracing::debug!(host = %order.host, step = kept.step, answer = kept.answer, "restart");
            tell(&kept);
            act.steps.push(kept);
        }
        steps.note_process(service, &step, &answer);
        step = procedure.next(clock::now().tick, answer);
    };
    explain(&mut report, hand.account(), hand.administrator());
    finish(&mut act, hand, &steps, service, &report);
    tracing::debug!(
        id = act.id,
        host = act.host,
        by = act.by,
        text = act.text,
        "a restart is over"
    );
    if !order.asked.dry_run
        && let Err(error) = keep(journal, &act, Journal::ended).await
    {
        tracing::error!(%error, "the end of a restart is not on record");
    }
    Ok(act)
}

fn finish(act: &mut Act, hand: &Hand, steps: &Steps, service: &Name, report: &Report) {
    act.computer = hand.computer().map(str::to_owned);
    act.pid_before = steps.first_process;
    act.pid_after = steps.last_process;
    act.over(rfc3339(clock::wall()), service, report);
}

/// Writes to the journal where waiting is allowed.
async fn keep(
    journal: &Arc<Journal>,
    act: &Act,
    write: impl FnOnce(&Journal, &Act) -> Result<(), JournalError> + Send + 'static,
) -> Result<(), JournalError> {
    let (journal, act) = (Arc::clone(journal), act.clone());
    match tokio::task::spawn_blocking(move || write(&journal, &act)).await {
        Ok(written) => written,
        Err(error) => Err(JournalError::broken(&error)),
    }
}

/// What was kept so far.
#[derive(Debug, Default)]
struct Steps {
    kept: usize,
    /// The last state of a service in words, so that the same is not kept twice.
    last: Option<(Name, String)>,
    first_process: Option<u32>,
    last_process: Option<u32>,
    looked: bool,
}

impl Steps {
    /// A step as it is kept; none for one that says nothing new.
    fn take(&mut self, step: &Step, answer: &Answer) -> Option<Kept> {
        let text = step_text(step)?;
        let answer = answer_text(step, answer);
        if let Step::Query(name) = step {
            let seen = Some((name.clone(), answer.clone()));
            if self.last == seen {
                return None;
            }
            self.last = seen;
        }
        self.kept = self.kept.saturating_add(1);
        (self.kept <= STEPS_MAX).then(|| Kept {
            at: rfc3339(clock::wall()),
            step: text,
            answer,
        })
    }

    fn note_process(&mut self, service: &Name, step: &Step, answer: &Answer) {
        if let (Step::Query(name), Answer::Status(reading)) = (step, answer)
            && name == service
        {
            if !self.looked {
                self.first_process = reading.pid;
                self.looked = true;
            }
            self.last_process = reading.pid;
        }
    }
}

//! A patch night in virtual time: what deciding costs while a third of the fleet is booted, and what is told.

use crate::night_world::{BOOTED, HOSTS, World};
use crate::table::{Promise, Table, seconds};

/// This part, for the table.
const PART: &str = "night";
/// Milliseconds of the world before the night, and of the night with what follows from it.
const LENGTHS: (u32, u32) = (10 * 60 * 1_000, 40 * 60 * 1_000);
/// Seconds of one core for a second of the world.
const PROMISED: f64 = 1.0;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let mut world = World::new();
    let begin = u64::from(LENGTHS.0);
    world.live_until(begin);
    assert_eq!(world.read.len(), HOSTS, "every host was read");
    let (before, logons) = (world.busy, world.logons.len());
    let lacking = world.patch_night(begin);
    world.live_until(begin + u64::from(LENGTHS.1));
    let spent = world.busy.saturating_sub(before).as_secs_f64();
    let told = world.sent.len();
    let named: usize = world.sent.iter().map(|sent| sent.notice.items.len()).sum();
    let places: std::collections::BTreeSet<&str> = world
        .sent
        .iter()
        .map(|sent| sent.destination.as_str())
        .collect();
    assert_eq!(
        (told, named),
        (places.len(), places.len() * lacking.len()),
        "one message to each destination"
    );
    let last = world.sent.iter().map(|sent| sent.at).max().unwrap_or(0) - begin;
    table.promised(
        PART,
        format!(
            "deciding a second of a night in which {BOOTED} of {HOSTS} hosts are booted ({} logons; one report to each of {} destinations after {} min)",
            world.logons.len() - logons,
            places.len(),
            last / 60_000
        ),
        spent / (f64::from(LENGTHS.1) / 1_000.0),
        (Promise::AtMost, PROMISED),
        seconds,
    );
    world.repair(&lacking);
    world.live_until(begin + u64::from(LENGTHS.1) + 120_000);
    assert!(world.sent.len() > told, "and its end is told");
}

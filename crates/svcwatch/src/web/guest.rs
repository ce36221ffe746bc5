//! Guests of `/probe`: hosts that are not in the config, and that `probe.allow` lets in. One is read when it is asked for,
//! with the account of the module; whether it may be logged on to is decided as it is for hosts.

use super::{
    Ask, Web,
    probe::{Offer, not_let_in, within},
    problem::Problem,
    query::quoted,
};
use crate::{config::Module, guests::Found};
use svcwatch_core::{
    guest::{Full, Visit},
    id::Name,
    limits,
    observe::{Fault, HostReading},
};
use tokio::time::Instant;

/// A guest that is let in, with the account of a module, where it can be read with that.
pub(super) fn visit(
    offer: &Offer,
    guest: Name,
    (name, module): (&str, &Module),
) -> Result<Visit, Problem> {
    let Some(account) = module.credentials.clone() else {
        return Err(Problem::bad_request(format!(
            "The module {} names no account to read guests with. Write credentials in it, or under defaults.",
            quoted(name)
        )));
    };
    let visit = Visit { guest, account };
    match offer.doors.open(&visit) {
        Ok(_) => Ok(visit),
        Err(why) => Err(Problem::bad_request(format!(
            "{} cannot be logged on to: {why}.",
            quoted(visit.guest.as_str())
        ))),
    }
}

/// Lets a guest be read until it was, or why it was not is known.
pub(super) async fn read(
    web: &Web,
    visit: &Visit,
    deadline: Instant,
) -> Result<Result<HostReading, Fault>, Problem> {
    let answer = web.guests.wait(visit);
    if web.asks.try_send(Ask::Visit(visit.clone())).is_err() {
        return Err(Problem::unavailable(
            "svcwatch is ending, or has too much to do. Try again in a moment.",
        ));
    }
    match within(deadline, answer).await {
        Some(Found::Reading(reading)) if reading.services.len() > limits::SERVICES_PER_HOST_MAX => {
            Ok(Err(Fault::ProtocolError))
        }
        Some(Found::Reading(reading)) => Ok(Ok(reading)),
        Some(Found::Fault(fault)) => Ok(Err(fault.fault)),
        // Another config holds since it was asked for.
        Some(Found::NotAllowed) => Err(not_let_in(&visit.guest)),
        Some(Found::TooMany(full)) => Err(Problem::unavailable(no_room(visit, full))),
        None => Ok(Err(Fault::Timeout)),
    }
}

/// Which limit a guest has met, and what to do.
fn no_room(visit: &Visit, full: Full) -> String {
    match full {
        Full::Readings => format!(
            "Too many guests: {} are being read or wait for it, which is the most. Let scrapes begin apart, or write those that are scraped always under hosts.",
            limits::VISITS_MAX
        ),
        Full::Sessions => format!(
            "Too many guests: {} have a session, which is the most. Write those that are scraped always under hosts.",
            limits::GUESTS_MAX
        ),
        Full::Refusals => format!(
            "Too many guests refused the account {} within an hour: {} are remembered, which is the most, so that no further one is tried. Narrow probe.allow to names that you give out, and see the log for who refused.",
            visit.account,
            limits::GUESTS_REFUSED_MAX
        ),
        Full::Ending => "svcwatch is ending. Try again in a moment.".to_owned(),
    }
}

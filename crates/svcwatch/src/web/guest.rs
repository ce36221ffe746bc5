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
    guest::Visit,
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
        Some(Found::TooMany) => Err(Problem::unavailable(format!(
            "Too many guests: at most {} are read at once, {} have a session, and {} that refused a logon are remembered for an hour. Write those that are scraped always under hosts.",
            limits::VISITS_MAX,
            limits::GUESTS_MAX,
            limits::GUESTS_REFUSED_MAX
        ))),
        None => Ok(Err(Fault::Timeout)),
    }
}

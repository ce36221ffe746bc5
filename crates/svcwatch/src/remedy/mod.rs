//! Starting services again: carries out what `svcwatch_core::remedy` decides, step by step, on the record.
//!
//! [`may_act`] says with which account, [`Turn`] that nobody else acts on the same host meanwhile, [`Journal`] keeps what
//! is done before it is done, and [`restart`] carries it out and gives the [`Act`].
//! [`Actor`] does all of this for what the engine wants; [`Trials`] say beforehand whether it would be let.

mod act;
mod actor;
mod drive;
mod journal;
#[cfg(test)]
mod tests;
mod trial;
mod turn;
mod words;

pub use act::{Act, Done, Step};
pub use actor::Actor;
pub use drive::{Order, restart};
pub use journal::{Journal, JournalError};
pub use trial::{Granted, Lacking, Trial, Trials};
pub use turn::{Turn, TurnError};
pub use words::{answer_text, step_text};

use crate::{
    config::{Connection, Credential, Transport},
    wiring::Reach,
};
use svcwatch_core::id::Name;
use thiserror::Error;

/// Why nothing is started or stopped on a host, before anything is tried.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotActing {
    /// The configuration does not have it.
    #[error("{host} is not among the hosts of the configuration")]
    NoSuchHost {
        /// The host.
        host: Name,
    },
    /// It is read by WMI, by which nothing is started or stopped.
    #[error(
        "{host} has `transport: wmi`, by which services are only read, so nothing was tried; write `transport: rpc` and an account with `acting: true`, or restart it on the host itself"
    )]
    ByWmi {
        /// The host.
        host: Name,
    },
    /// No account is for acting there.
    #[error(
        "no account may act on {host}, so nothing was tried; write one under `credentials` with `acting: true`, as `hands: {{ user: 'CORP\\svcwatch-hands', password: {{ file: hands.password }}, acting: true, hosts: ['{host}'] }}`, that is an administrator there"
    )]
    NoAccount {
        /// The host.
        host: Name,
    },
}

/// How a host is reached to act there, and with which account; none where it is the one that svcwatch runs as.
pub type MayAct<'a> = (&'a Connection, Option<(&'a Name, &'a Credential)>);

/// Who may act on a host: the first account that is for acting and chooses it. A host that is read by the Windows API is
/// acted on by it too, as the account that svcwatch runs as.
pub fn may_act<'a>(reach: &'a Reach, host: &Name) -> Result<MayAct<'a>, NotActing> {
    let connection = reach
        .connection(host)
        .ok_or_else(|| NotActing::NoSuchHost { host: host.clone() })?;
    if connection.transport == Transport::Local {
        return Ok((connection, None));
    }
    if connection.transport == Transport::Wmi {
        return Err(NotActing::ByWmi { host: host.clone() });
    }
    let acting = connection.acting.as_ref();
    let account = acting.and_then(|acting| reach.credentials().get_key_value(&acting.account));
    match account {
        Some(account) => Ok((connection, Some(account))),
        None => Err(NotActing::NoAccount { host: host.clone() }),
    }
}

//! As whom somebody is read, and what a refused logon means for the secrets that were used.

use crate::{
    config::{Connection, Credential},
    probe::Access,
    wiring::{self, Logons, Reach},
};
use std::sync::Arc;
use svcwatch_core::{
    id::Name,
    observe::{Fault, Logon, Observation},
};

/// How a host is reached for this check. The secret is read only where the check may log on, and then each time.
pub(super) async fn access_of(
    reach: &Arc<Reach>,
    logons: &Arc<Logons>,
    host: &Name,
    may_log_on: bool,
) -> Result<Access, (Fault, String)> {
    let gone = || {
        (
            Fault::Unreachable,
            "the host is not in the configuration any more".to_owned(),
        )
    };
    let connection = reach.connection(host).ok_or_else(gone)?;
    access_by(connection, reach.credential(connection), logons, may_log_on).await
}

/// How somebody is reached with an account, where one is needed.
pub(crate) async fn access_by(
    connection: &Connection,
    account: Option<(&Name, &Credential)>,
    logons: &Arc<Logons>,
    may_log_on: bool,
) -> Result<Access, (Fault, String)> {
    let Some((account, credential)) = account else {
        return Ok(wiring::access(connection, None, None));
    };
    if !may_log_on {
        return Ok(wiring::access(connection, Some(credential), None));
    }
    let (logons, account, of_account) = (Arc::clone(logons), account.clone(), credential.clone());
    // A secret may lie on a disk that does not answer.
    let read = tokio::task::spawn_blocking(move || logons.read(&account, &of_account)).await;
    match read {
        Ok(Ok(passwords)) => Ok(wiring::access(
            connection,
            Some(credential),
            Some(passwords),
        )),
        Ok(Err(error)) => Err((
            Fault::LogonRefused,
            format!("there is no password to log on with: {error}"),
        )),
        Err(_) => Err((
            Fault::LogonRefused,
            "reading the password broke off".to_owned(),
        )),
    }
}

/// Remembers what a logon said about the secrets of its account: a refused one is read anew, and the one that was
/// accepted instead is tried first from now on.
pub(crate) fn note_refusals(
    logons: &Logons,
    (account, credential): (&Name, &Credential),
    observation: &Observation,
) {
    if observation.refusals == 0 {
        return;
    }
    if observation.logon == Logon::Accepted {
        logons.second_accepted(account);
    } else {
        credential.forget();
    }
}

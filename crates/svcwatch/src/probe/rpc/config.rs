//! Reading how services are set up.

use svcwatch_core::observe::{FailureAction, FailureActions, ServiceConfig, StartType};
use svcwatch_core::time::Span;
use svcwatch_wire::WireError;
use svcwatch_wire::scmr::{self, Code, Config2, Config2Level, Handle, access, service_type};

use super::channel::{CallError, Channel};
use super::{Failure, Session, code_failure, codes};
use crate::probe::command_line;

/// What is being done, for messages.
const DOING: &str = "reading the configuration of a service";
/// The reset period that means never (MS-SCMR 2.2.39, dwResetPeriod).
const NEVER: u32 = u32::MAX;

impl Session {
    /// Reads the configuration of one service; None where it does not exist.
    /// What the host denies or does not know stays None in it.
    pub(super) async fn config(&mut self, name: &str) -> Result<Option<ServiceConfig>, Failure> {
        let open = scmr::OpenService {
            manager: self.manager,
            name: name.to_owned(),
            access: access::QUERY_CONFIG,
        };
        let opened = self
            .channel
            .call(&open)
            .await
            .map_err(|error| Failure::of_call(error, DOING))?;
        let mut config = ServiceConfig {
            name: name.to_owned(),
            ..ServiceConfig::default()
        };
        let handle = match (opened.handle, opened.code) {
            (Some(handle), _) => handle,
            (None, Code::SERVICE_DOES_NOT_EXIST) => return Ok(None),
            (None, code @ (Code::INVALID_HANDLE | Code::SHUTDOWN_IN_PROGRESS)) => {
                return Err(code_failure(code, DOING));
            }
            (None, _) => return Ok(Some(config)),
        };
        fill(&mut self.channel, handle, &mut config).await?;
        self.close(handle).await?;
        Ok(Some(config))
    }
}

/// Asks for each part of the configuration that the host may know.
async fn fill(
    channel: &mut Channel,
    handle: Handle,
    config: &mut ServiceConfig,
) -> Result<(), Failure> {
    if let Some(found) = main_part(channel, handle).await? {
        take(config, found);
    }
    if config.start_type == Some(StartType::Automatic)
        && let Some(Config2::DelayedAutoStart(true)) =
            piece(channel, handle, Config2Level::DelayedAutoStart).await?
    {
        config.start_type = Some(StartType::AutomaticDelayed);
    }
    if let Some(Config2::Description(text)) =
        piece(channel, handle, Config2Level::Description).await?
    {
        config.description = text;
    }
    if let Some(Config2::FailureActions(actions)) =
        piece(channel, handle, Config2Level::FailureActions).await?
    {
        config.failure_actions = Some(failure_actions(channel, handle, &actions).await?);
    }
    let triggers = given(
        channel
            .call(&scmr::QueryServiceConfigEx { service: handle })
            .await,
    )?;
    config.trigger_start = triggers
        .and_then(|reply| reply.triggers)
        .map(|triggers| !triggers.is_empty());
    Ok(())
}

/// The part of the configuration that every host knows, where it gives it.
pub(super) async fn main_part(
    channel: &mut Channel,
    handle: Handle,
) -> Result<Option<scmr::ServiceConfig>, Failure> {
    let mut query = scmr::QueryServiceConfig::new(handle);
    let mut reply = given(channel.call(&query).await)?;
    if let Some(small) = reply
        .as_ref()
        .filter(|reply| reply.code == Code::INSUFFICIENT_BUFFER)
        && small.needed > query.buffer_size
    {
        query.buffer_size = small.needed;
        reply = given(channel.call(&query).await)?;
    }
    Ok(reply.and_then(|reply| reply.config))
}

/// What the manager does when the service fails. Whether that is done after a stop with an error too is only asked
/// where anything is done; hosts before Windows Vista do not know it, and there it is not.
async fn failure_actions(
    channel: &mut Channel,
    handle: Handle,
    found: &scmr::FailureActions,
) -> Result<FailureActions, Failure> {
    let mut told = told_actions(found);
    told.on_error_exit = !told.actions.is_empty()
        && matches!(
            piece(channel, handle, Config2Level::FailureActionsFlag).await?,
            Some(Config2::FailureActionsFlag(true))
        );
    Ok(told)
}

/// The actions that a host told of, as far as they go: whether they follow a stop with an error too is asked apart.
pub(in crate::probe) fn told_actions(found: &scmr::FailureActions) -> FailureActions {
    let actions = found.actions.iter();
    FailureActions {
        reset_after: (found.reset_period != NEVER)
            .then(|| Span::seconds(u64::from(found.reset_period))),
        actions: actions
            .map(|one| (failure_action(one.action), Span(u64::from(one.delay))))
            .collect(),
        on_error_exit: false,
    }
}

/// An action that does not exist is none: the manager would not carry it out.
const fn failure_action(raw: u32) -> FailureAction {
    match raw {
        1 => FailureAction::RestartService,
        2 => FailureAction::RestartComputer,
        3 => FailureAction::RunCommand,
        _ => FailureAction::None,
    }
}

/// Takes over what the main query told.
pub(in crate::probe) fn take(config: &mut ServiceConfig, found: scmr::ServiceConfig) {
    config.start_type = found.start().map(|start| match start {
        scmr::StartType::Boot => StartType::Boot,
        scmr::StartType::System => StartType::System,
        scmr::StartType::Automatic => StartType::Automatic,
        scmr::StartType::Manual => StartType::Manual,
        scmr::StartType::Disabled => StartType::Disabled,
    });
    let per_user = service_type::USER_SERVICE | service_type::USER_SERVICE_INSTANCE;
    config.per_user = Some(found.service_type & per_user != 0);
    config.binary_path = found.binary_path.as_deref().map(command_line::masked);
    config.arguments_hash = found
        .binary_path
        .as_deref()
        .map(command_line::arguments_hash);
    config.account = found.start_name;
    config.dependencies = found.dependencies;
    config.display_name = found.display_name;
}

/// One optional piece, None where the host does not know or give it.
async fn piece(
    channel: &mut Channel,
    handle: Handle,
    level: Config2Level,
) -> Result<Option<Config2>, Failure> {
    let query = scmr::QueryServiceConfig2::new(handle, level);
    let Some(mut reply) = given(channel.call(&query).await)? else {
        return Ok(None);
    };
    if let Some(again) = query.again(&reply) {
        match given(channel.call(&again).await)? {
            Some(whole) => reply = whole,
            None => return Ok(None),
        }
    }
    // A piece that cannot be read is as good as none; the connection is still in order.
    Ok(reply.config(level).unwrap_or(None))
}

/// The answer to a call that a host need not have: a fault, or an answer that makes no sense, is none.
pub(super) fn given<R>(result: Result<R, CallError>) -> Result<Option<R>, Failure> {
    match result {
        Ok(reply) => Ok(Some(reply)),
        Err(CallError::Unreadable(_)) => Ok(None),
        Err(CallError::Wire(error @ WireError::Fault(_))) if !codes::is_stale_wire(&error) => {
            Ok(None)
        }
        Err(error @ (CallError::Wire(_) | CallError::Transport(_))) => {
            Err(Failure::of_call(error, DOING))
        }
    }
}

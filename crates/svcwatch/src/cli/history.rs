//! `svcwatch history`.

use super::{
    Output,
    api::Api,
    failure::Failure,
    output::{self, Table, maybe, plain},
    unknown,
};
use crate::web::items::{HistoryItem, List};
use clap::Args;

/// List what changed, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch history
  svcwatch history srv01 Spooler --limit 20
  svcwatch history srv01 -o json")]
pub(super) struct Arguments {
    /// Only of this host
    host: Option<String>,
    /// Only of this service
    service: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let limit = arguments.limit.to_string();
    let mut filters = vec![("limit", limit.as_str())];
    filters.extend(arguments.host.as_deref().map(|host| ("host", host)));
    filters.extend(
        arguments
            .service
            .as_deref()
            .map(|service| ("service", service)),
    );
    let client = arguments.api.client()?;
    let list = client.history(&filters).await?;
    if list.items.is_empty() {
        let (host, service) = (arguments.host.as_deref(), arguments.service.as_deref());
        unknown::refuse(&client, host, service).await?;
    }
    if list.items.is_empty() && arguments.output.output == super::Format::Table {
        return Ok(output::print(
            "Nothing has changed since the history begins.\n",
        )?);
    }
    output::show(arguments.output.output, &list, || table(&list))?;
    Ok(())
}

fn table(list: &List<HistoryItem>) -> Table {
    let mut table = Table::new(&[
        "AT", "HOST", "SERVICE", "FROM", "TO", "EVENT", "EXIT", "CAUSE",
    ]);
    for item in &list.items {
        let exit = match (item.exit_code, item.service_exit_code) {
            (Some(1066), Some(own)) => Some(format!("1066 ({own})")),
            (code, _) => code.map(|code| code.to_string()),
        };
        table.row([
            plain(&item.at),
            maybe(item.host.as_ref()),
            maybe(item.service.as_ref()),
            maybe(item.from.as_ref()),
            maybe(item.to.as_ref().or(item.fault.as_ref())),
            maybe(item.event.as_ref()),
            maybe(exit),
            maybe(item.cause.as_ref()),
        ]);
    }
    table
}

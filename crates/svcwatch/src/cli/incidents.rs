//! `svcwatch incidents`.

use super::{
    Output,
    api::Api,
    failure::Failure,
    output::{self, Colour, Table, maybe, plain},
    unknown,
};
use crate::web::items::{IncidentItem, List};
use clap::Args;

/// List what is wrong now, and with --all what was
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch incidents
  svcwatch incidents --host srv01 --all --limit 20
  svcwatch incidents -o json")]
pub(super) struct Arguments {
    /// Those that are over, too
    #[arg(long)]
    all: bool,
    /// Only of this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only of this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// At most so many, the newest first
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
    if !arguments.all {
        filters.push(("resolved_at", "null"));
    }
    filters.extend(arguments.host.as_deref().map(|host| ("host", host)));
    filters.extend(
        arguments
            .service
            .as_deref()
            .map(|service| ("service", service)),
    );
    let client = arguments.api.client()?;
    let list = client.incidents(&filters).await?;
    if list.items.is_empty() {
        let (host, service) = (arguments.host.as_deref(), arguments.service.as_deref());
        unknown::refuse(&client, host, service).await?;
    }
    if list.items.is_empty() && arguments.output.output == super::Format::Table {
        let none = if arguments.all {
            "There are no incidents.\n"
        } else {
            "No incident is open.\n"
        };
        return Ok(output::print(none)?);
    }
    output::show(arguments.output.output, &list, || table(&list))?;
    Ok(())
}

fn table(list: &List<IncidentItem>) -> Table {
    let mut table = Table::new(&[
        "ID", "SEVERITY", "EVENT", "HOST", "SERVICE", "OPENED", "RESOLVED", "NOTED BY", "CAUSE",
    ]);
    for item in &list.items {
        let colour = match item.severity.as_str() {
            "critical" if item.resolved_at.is_none() => Colour::Bad,
            _ => Colour::Plain,
        };
        table.row([
            plain(&item.id),
            (item.severity.clone(), colour),
            plain(&item.event),
            maybe(item.host.as_ref()),
            maybe(item.service.as_ref()),
            plain(&item.opened_at),
            maybe(item.resolved_at.as_ref()),
            maybe(item.acknowledged.as_ref().map(|note| note.by.clone())),
            maybe(item.cause.as_ref()),
        ]);
    }
    table
}

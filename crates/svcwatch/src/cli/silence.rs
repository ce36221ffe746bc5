//! `svcwatch silence`.

use super::{
    Format, Output,
    api::Api,
    failure::Failure,
    output::{self, Colour, Table, plain},
};
use crate::{
    config,
    web::{
        items::List,
        silences::{MatcherItem, MatchesItem, OneOrMany, SilenceBody, SilenceItem},
    },
};
use clap::{Args, Subcommand};
use std::collections::BTreeMap;

/// Hear nothing of something for a while
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch silence add --host srv01 --for 2h --comment 'a new disk'
  svcwatch silence add --site oslo --service 'MSSQL$*' --until 2026-03-01T06:00:00+01:00 --comment 'moving the databases'
  svcwatch silence list
  svcwatch silence end 4f2a90c1d3e5b687

A silence ends no incident: what is still wrong when it is over is told then.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Box<Add>),
    List(ListArguments),
    End(End),
}

/// Add a silence
#[derive(Debug, Args)]
struct Add {
    /// About this host, or hosts like this; several are alternatives
    #[arg(long, value_name = "PATTERN")]
    host: Vec<String>,
    /// About this service, or services like this
    #[arg(long, value_name = "PATTERN")]
    service: Vec<String>,
    /// About hosts of this site
    #[arg(long, value_name = "PATTERN")]
    site: Vec<String>,
    /// About what is so bad: critical, warning or info
    #[arg(long, value_name = "SEVERITY")]
    severity: Vec<String>,
    /// About what bears this label
    #[arg(long, value_name = "NAME=PATTERN")]
    label: Vec<String>,
    /// For how long, as in 30m, 2h or 1d
    #[arg(
        long = "for",
        value_name = "DURATION",
        required_unless_present = "until"
    )]
    length: Option<String>,
    /// Until when, with an offset, as in 2026-03-01T06:00:00+01:00
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    until: Option<String>,
    /// From when, if not now
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    comment: String,
    /// Who wants it
    #[arg(long, value_name = "NAME", env = super::WHO, hide_env_values = true)]
    author: Option<String>,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    output: Output,
}

/// List the silences that are not over
#[derive(Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    output: Output,
}

/// End a silence before its time
#[derive(Debug, Args)]
struct End {
    /// The silence, as `svcwatch silence list` shows it
    id: String,
    /// Who ends it
    #[arg(long, value_name = "NAME", env = super::WHO, hide_env_values = true)]
    by: Option<String>,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Add(arguments) => add(*arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::End(arguments) => end(arguments).await,
    }
}

async fn add(arguments: Add) -> Result<(), Failure> {
    let author = arguments.author.as_deref().unwrap_or_default().trim();
    if author.is_empty() {
        return Err(Failure::usage(
            "it is not known who wants it; say so with --author NAME",
        ));
    }
    // What is no duration is told without asking anybody.
    if let Some(Err((what, instead))) = arguments.length.as_deref().map(config::duration) {
        return Err(Failure::usage(format!("--for: {what}; {instead}")));
    }
    let body = SilenceBody {
        matcher: matcher(&arguments)?,
        author: author.to_owned(),
        comment: arguments.comment,
        from: arguments.from,
        until: arguments.until,
        length: arguments.length,
    };
    let item = arguments.api.client()?.silence(&body).await?;
    if item.matches == Some(MatchesItem::default()) {
        output::complain(
            "This silence is about no host and no service that is watched now; see that the names are right, or end it.",
        );
    }
    match arguments.output.output {
        Format::Json => output::print_json(&item)?,
        Format::Table => output::print(&format!(
            "Silence {} holds from {} until {}.\n",
            item.id, item.from, item.until
        ))?,
    }
    Ok(())
}

fn matcher(arguments: &Add) -> Result<MatcherItem, Failure> {
    let texts = |texts: &[String]| (!texts.is_empty()).then(|| OneOrMany::Many(texts.to_vec()));
    let mut labels: BTreeMap<String, OneOrMany> = BTreeMap::new();
    for label in &arguments.label {
        let pair = label
            .split_once('=')
            .filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let (name, value) = pair.ok_or_else(|| {
            Failure::usage(format!(
                "--label {label:?} is no name with a pattern; write one as in --label team=db"
            ))
        })?;
        match labels.get_mut(name) {
            Some(OneOrMany::Many(values)) => values.push(value.to_owned()),
            _ => {
                labels.insert(name.to_owned(), OneOrMany::Many(vec![value.to_owned()]));
            }
        }
    }
    let matcher = MatcherItem {
        host: texts(&arguments.host),
        site: texts(&arguments.site),
        service: texts(&arguments.service),
        severity: texts(&arguments.severity),
        event: None,
        labels,
    };
    if matcher == MatcherItem::default() {
        return Err(Failure::usage(
            "it is not said what the silence is about; use --host, --service, --site, --severity or --label (--host '*' is every host)",
        ));
    }
    Ok(matcher)
}

async fn list(arguments: ListArguments) -> Result<(), Failure> {
    let client = arguments.api.client()?;
    let mut list = client.silences(&[("limit", "1000")]).await?;
    while let Some(next) = list.next.take() {
        let more = client
            .silences(&[("limit", "1000"), ("next", &next)])
            .await?;
        list.items.extend(more.items);
        list.next = more.next;
    }
    if list.items.is_empty() && arguments.output.output == Format::Table {
        return Ok(output::print("There are no silences.\n")?);
    }
    output::show(arguments.output.output, &list, || table(&list))?;
    Ok(())
}

fn table(list: &List<SilenceItem>) -> Table {
    let mut table = Table::new(&["ID", "STATE", "ABOUT", "FROM", "UNTIL", "AUTHOR", "COMMENT"]);
    for item in &list.items {
        let colour = if item.state == "active" {
            Colour::Good
        } else {
            Colour::Weak
        };
        table.row([
            plain(&item.id),
            (item.state.clone(), colour),
            plain(about(&item.matcher)),
            plain(&item.from),
            plain(&item.until),
            plain(&item.author),
            plain(&item.comment),
        ]);
    }
    table
}

/// What a silence is about, in one line.
fn about(matcher: &MatcherItem) -> String {
    let texts = |given: &OneOrMany| match given {
        OneOrMany::One(text) => text.clone(),
        OneOrMany::Many(texts) => texts.join("|"),
    };
    let fields = [
        ("host", &matcher.host),
        ("site", &matcher.site),
        ("service", &matcher.service),
        ("severity", &matcher.severity),
        ("event", &matcher.event),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(name, given)| Some(format!("{name}={}", texts(given.as_ref()?))));
    let labels = matcher
        .labels
        .iter()
        .map(|(name, given)| format!("{name}={}", texts(given)));
    fields.chain(labels).collect::<Vec<_>>().join(" ")
}

async fn end(arguments: End) -> Result<(), Failure> {
    let by = arguments.by.unwrap_or_default();
    let item = arguments
        .api
        .client()?
        .end_silence(&arguments.id, by.trim())
        .await?;
    match arguments.output.output {
        Format::Json => output::print_json(&item)?,
        Format::Table => output::print(&format!(
            "Silence {} is over; what is still wrong is told now.\n",
            item.id
        ))?,
    }
    Ok(())
}

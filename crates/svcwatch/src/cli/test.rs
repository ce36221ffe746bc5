//! `svcwatch test`.

use super::{
    ConfigFiles, Output,
    failure::Failure,
    output::{self, Colour, Progress, Table, plain},
    run::load,
};
use crate::{
    clock,
    config::LoadOptions,
    dest,
    dest::sender::{Destination, Senders},
    wiring,
};
use clap::Args;
use serde::Serialize;
use std::sync::Arc;
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, Name},
    notice::Notice,
};
use tokio::task::JoinSet;

/// Send a test notice through the real destinations, a test point to feeds, and print what each answers
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch test -c svcwatch.yaml
  svcwatch test -c svcwatch.yaml duty chat

Exit code 1 where one of them did not take it.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigFiles,
    /// Only these destinations
    #[arg(value_name = "DEST")]
    destinations: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// What one recipient's destination answered.
#[derive(Debug, Serialize)]
struct Reply {
    destination: String,
    recipient: String,
    key: String,
    result: &'static str,
    answer: String,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    // No host is read, so none needs an account.
    let options = LoadOptions {
        accounts: false,
        ..LoadOptions::default()
    };
    let config = load(arguments.files.config, options).await?;
    let known: Vec<Name> = config.destinations.keys().cloned().collect();
    let wanted = wanted(&known, &arguments.destinations)?;
    let url = config.web_url(config.listen);
    let ready = tokio::task::spawn_blocking(move || {
        let mut list = wiring::destination_list(&config)?;
        for (_, settings) in &mut list {
            settings.trial();
        }
        wiring::destinations(list, &url)
    });
    let destinations = ready
        .await
        .map_err(|_| {
            Failure::met(
                "making the destinations ready broke off, which is a fault of svcwatch itself",
            )
        })?
        .map_err(Failure::Config)?;
    let senders = Senders::new(destinations);
    let notice = Arc::new(dest::test_notice(clock::wall()));
    let mut sending = JoinSet::new();
    for destination in senders
        .current()
        .iter()
        .filter(|one| wanted.contains(one.name()))
    {
        if !destination.takes_notices() {
            sending.spawn(try_feed(Arc::clone(destination)));
        }
        for recipient in destination.settings().recipients() {
            sending.spawn(send(
                senders.clone(),
                Arc::clone(destination),
                recipient,
                Arc::clone(&notice),
            ));
        }
    }
    let progress = Progress::new();
    let mut answers = Vec::new();
    progress.at(&format!("Waiting for {} answers …", sending.len()));
    while let Some(answer) = sending.join_next().await {
        answers.push(
            answer.map_err(|_| {
                Failure::met("sending broke off, which is a fault of svcwatch itself")
            })?,
        );
        progress.at(&format!("Waiting for {} answers …", sending.len()));
    }
    drop(progress);
    answers.sort_by(|one: &Reply, other| {
        (&one.destination, &one.recipient).cmp(&(&other.destination, &other.recipient))
    });
    let failed = answers
        .iter()
        .any(|answer| answer.result != Verdict::Delivered.as_str());
    output::show(arguments.output.output, &answers, || table(&answers))?;
    if failed { Err(Failure::Told) } else { Ok(()) }
}

/// The destinations that were named, or all where none was.
fn wanted(known: &[Name], named: &[String]) -> Result<Vec<Name>, Failure> {
    if named.is_empty() {
        return Ok(known.to_vec());
    }
    let named: Vec<Name> = named.iter().map(|name| Name::new(name)).collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        let known = known
            .iter()
            .map(Name::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        return Err(Failure::usage(format!(
            "no destination is called {unknown}; known: {known}"
        )));
    }
    Ok(named)
}

/// Tries a feed, which takes no notices, with a point of its own.
async fn try_feed(destination: Arc<Destination>) -> Reply {
    let (result, answer) = match destination.try_feed(clock::wall()).await {
        Some(judgement) => (judgement.verdict.as_str(), judgement.answer),
        None => (
            "rejected",
            "the destination takes nothing that could be tried".to_owned(),
        ),
    };
    Reply {
        destination: destination.name().to_string(),
        recipient: String::new(),
        key: String::new(),
        result,
        answer,
    }
}

async fn send(
    senders: Senders,
    destination: Arc<Destination>,
    recipient: Arc<str>,
    notice: Arc<Notice>,
) -> Reply {
    let name = destination.name().clone();
    // Each test is a message of its own, also where the destination drops repeats.
    let seq = u64::try_from(notice.at.0).unwrap_or(0);
    let key = DeliveryKey::new(&name, &recipient, "test", notice.kind.as_str(), seq);
    let made = senders.render(
        key.clone(),
        name.clone(),
        Arc::clone(&recipient),
        notice,
        clock::wall(),
    );
    let (result, answer) = match made.await {
        Ok(payload) => {
            let (verdict, answer) = senders
                .send(key.clone(), name.clone(), payload, clock::wall())
                .await;
            (verdict.as_str(), answer)
        }
        Err(error) => ("rejected", format!("the message cannot be made: {error}")),
    };
    Reply {
        destination: name.to_string(),
        recipient: recipient.to_string(),
        key: key.to_string(),
        result,
        answer,
    }
}

fn table(answers: &[Reply]) -> Table {
    let mut table = Table::new(&["DESTINATION", "RECIPIENT", "RESULT", "ANSWER"]);
    for answer in answers {
        let colour = if answer.result == Verdict::Delivered.as_str() {
            Colour::Good
        } else {
            Colour::Bad
        };
        table.row([
            plain(&answer.destination),
            output::maybe(Some(&answer.recipient).filter(|recipient| !recipient.is_empty())),
            (answer.result.to_owned(), colour),
            plain(&answer.answer),
        ]);
    }
    table
}

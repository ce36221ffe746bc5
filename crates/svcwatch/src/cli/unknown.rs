//! What a svcwatch that runs knows nothing of: an empty list about a name that was mistyped would look like all is well.

use super::failure::Failure;
use crate::{
    config::nearest,
    web::client::{Client, ClientError},
};
use svcwatch_core::id::Name;

/// Items of a page of names: as many as the API gives.
const PAGE: &str = "1000";
/// Pages of names that are looked through for the nearest one, at most.
const PAGES: usize = 10;
/// Names that are listed where none is near, at most.
const LISTED: usize = 8;

/// Refuses a host and a service that are not watched and of which nothing is known from before either.
pub(super) async fn refuse(
    client: &Client,
    host: Option<&str>,
    service: Option<&str>,
) -> Result<(), Failure> {
    if host.is_none() && service.is_none() {
        return Ok(());
    }
    let mut filters = vec![("limit", "1")];
    filters.extend(host.map(|host| ("host", host)));
    filters.extend(service.map(|service| ("service", service)));
    // Of one that is not watched any more the past is shown still.
    let is_of_before = !client.incidents(&filters).await?.items.is_empty()
        || !client.history(&filters).await?.items.is_empty();
    if is_of_before {
        return Ok(());
    }
    if let Some(host) = host {
        let hosts = hosts(client).await?;
        let Some(known) = hosts.iter().find(|known| is(&known.name, host)) else {
            let names: Vec<&str> = hosts.iter().map(|known| known.name.as_str()).collect();
            return Err(sentence(host, "", "hosts", &names));
        };
        if known.is_read {
            return of_service(client, Some(&known.name), service).await;
        }
        // Before its first reading nobody knows which services it has.
        return Ok(());
    }
    of_service(client, None, service).await
}

/// A host that is watched.
struct Known {
    name: String,
    /// Whether it was ever read.
    is_read: bool,
}

async fn of_service(
    client: &Client,
    host: Option<&str>,
    service: Option<&str>,
) -> Result<(), Failure> {
    let Some(service) = service else {
        return Ok(());
    };
    let services = services(client, host).await?;
    if services.iter().any(|known| is(known, service)) {
        return Ok(());
    }
    let on = host.map_or_else(String::new, |host| format!(" on {host}"));
    let names: Vec<&str> = services.iter().map(String::as_str).collect();
    Err(sentence(service, &on, "services", &names))
}

async fn hosts(client: &Client) -> Result<Vec<Known>, ClientError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut filters = vec![("limit", PAGE)];
        filters.extend(next.as_deref().map(|next| ("next", next)));
        let page = client.hosts(&filters).await?;
        all.extend(page.items.into_iter().map(|item| Known {
            name: item.name,
            is_read: item.visible.is_some(),
        }));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok(all)
}

async fn services(client: &Client, host: Option<&str>) -> Result<Vec<String>, ClientError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut filters = vec![("limit", PAGE)];
        filters.extend(host.map(|host| ("host", host)));
        filters.extend(next.as_deref().map(|next| ("next", next)));
        let page = client.services(&filters).await?;
        all.extend(page.items.into_iter().map(|item| item.service));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn is(known: &str, asked: &str) -> bool {
    Name::new(known) == Name::new(asked)
}

/// Says that something is not watched, with what was most likely meant. `on` says on which host, where it is one.
fn sentence(asked: &str, on: &str, kind: &str, names: &[&str]) -> Failure {
    let instead = match nearest(asked, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => format!("there are no {kind}{on} that are"),
        None if names.len() <= LISTED => format!("the {kind}{on} that are: {}", names.join(", ")),
        None => format!("it is none of the {} {kind}{on} that are", names.len()),
    };
    Failure::usage(format!("{asked}{on} is not watched; {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_what_was_meant() {
        let many: Vec<String> = (0..9).map(|number| format!("sql-{number:04}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (asked, on, kind, names, said) in [
            (
                "svr01",
                "",
                "hosts",
                vec!["srv01", "sql"],
                "svr01 is not watched; did you mean srv01?",
            ),
            (
                "Spoler",
                " on srv01",
                "services",
                vec!["Spooler"],
                "Spoler on srv01 is not watched; did you mean Spooler?",
            ),
            (
                "nosuch",
                "",
                "hosts",
                vec!["srv01", "sql"],
                "nosuch is not watched; the hosts that are: srv01, sql",
            ),
            (
                "nosuch",
                "",
                "hosts",
                many,
                "nosuch is not watched; it is none of the 9 hosts that are",
            ),
            (
                "nosuch",
                "",
                "hosts",
                vec![],
                "nosuch is not watched; there are no hosts that are",
            ),
        ] {
            let Failure::Usage(told) = sentence(asked, on, kind, &names) else {
                panic!("{asked} is bad usage");
            };
            assert_eq!(told, said);
        }
    }
}

//! `/api/v1/sd`: the watched hosts as targets, in the form of Prometheus' HTTP service discovery.

use super::Web;
use crate::board::{Board, PIECE_ROWS};
use axum::{Json, extract::State};
use serde::Serialize;
use std::{collections::BTreeMap, ops::ControlFlow};
use svcwatch_core::view::HostView;

/// What the names of our labels begin with: Prometheus drops them after relabelling.
const PREFIX: &str = "__meta_svcwatch_";

/// Targets that share their labels.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct TargetGroup {
    /// Hosts, by the names that /probe takes.
    targets: Vec<String>,
    /// Their labels.
    labels: BTreeMap<String, String>,
}

/// `GET /api/v1/sd`
pub(super) async fn targets(State(web): State<Web>) -> Json<Vec<TargetGroup>> {
    Json(groups(&web.board))
}

/// The hosts on the board, those with the same labels together.
fn groups(board: &Board) -> Vec<TargetGroup> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<String>> = BTreeMap::new();
    let mut after = None;
    loop {
        after = board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
            let targets = groups.entry(labels(host)).or_default();
            targets.push(host.name.as_str().to_owned());
            ControlFlow::Continue(())
        });
        if after.is_none() {
            break;
        }
    }
    groups
        .into_iter()
        .map(|(labels, targets)| TargetGroup { targets, labels })
        .collect()
}

fn labels(host: &HostView) -> BTreeMap<String, String> {
    let own = host.labels.iter().map(|(name, value)| {
        let name: String = name
            .chars()
            .map(|one| {
                if one.is_ascii_alphanumeric() {
                    one
                } else {
                    '_'
                }
            })
            .collect();
        (format!("{PREFIX}label_{name}"), value.clone())
    });
    let site = host.site.iter();
    let site = site.map(|site| (format!("{PREFIX}site"), site.to_string()));
    own.chain(site).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::host;
    use std::sync::Arc;
    use svcwatch_core::view::View;

    #[test]
    fn hosts_with_the_same_labels_are_one_group() {
        let board = Board::new();
        for (name, site, team) in [
            ("a", "oslo", "db"),
            ("b", "bergen", "db"),
            ("C", "oslo", "db"),
        ] {
            let mut view = host(name);
            view.site = Some(site.into());
            view.labels = Arc::from([("the team".to_owned(), team.to_owned())]);
            board.apply(View::Host(view));
        }
        board.apply(View::Host(host("quo\"te")));
        let json = serde_json::to_value(groups(&board)).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                { "targets": ["quo\"te"], "labels": {} },
                { "targets": ["b"], "labels": { "__meta_svcwatch_label_the_team": "db", "__meta_svcwatch_site": "bergen" } },
                { "targets": ["a", "C"], "labels": { "__meta_svcwatch_label_the_team": "db", "__meta_svcwatch_site": "oslo" } },
            ])
        );
        assert_eq!(serde_json::to_string(&groups(&Board::new())).unwrap(), "[]");
    }
}

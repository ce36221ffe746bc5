//! Every route of the API: items, filters, pages and errors.

use crate::web_server::{CANARY, Server, incident_id, service_view};
use serde_json::{Value, json};
use std::time::Duration;
use svcwatch_core::view::View;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The values of one field of all items.
fn field<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item[name].as_str().unwrap())
        .collect()
}

fn keys(list: &Value) -> Vec<&str> {
    list["items"][0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}

#[tokio::test]
async fn hosts_are_listed_and_filtered() {
    let server = Server::with_samples().await;
    let all = server.json("/api/v1/hosts").await;
    assert_eq!(field(&all, "name"), ["SRV01", "srv02", "srv03"]);
    assert_eq!(all["next"], Value::Null);
    assert_eq!(
        all["items"][0],
        json!({
            "name": "SRV01", "address": "SRV01.corp.example", "site": "oslo", "state": "up", "fault": null,
            "since": "2023-11-14T22:13:20.000Z", "checked_at": "2023-11-14T22:13:50.000Z",
            "visible": 60, "watched": 2, "labels": {"team": "db"},
        })
    );
    for (query, names) in [
        ("name=srv01", &["SRV01"][..]),
        ("name=SRV0*&site=oslo", &["SRV01", "srv02"]),
        ("address=srv03.*", &["srv03"]),
        ("site=null", &["srv03"]),
        ("state=up", &["SRV01", "srv02"]),
        ("state=unknown&fault=timeout", &["srv03"]),
        ("fault=null", &["SRV01", "srv02"]),
        ("labels=team%3Ddb", &["SRV01", "srv02", "srv03"]),
        ("labels=team=web", &[]),
        ("name=nobody", &[]),
    ] {
        let list = server.json(&format!("/api/v1/hosts?{query}")).await;
        assert_eq!(field(&list, "name"), names, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn services_are_listed_and_filtered() {
    let server = Server::with_samples().await;
    let all = server.json("/api/v1/services").await;
    assert_eq!(
        field(&all, "service"),
        ["MSSQL$PROD", "Spooler", "Spooler", "W32Time"]
    );
    assert_eq!(
        field(&all, "state"),
        ["running", "running", "stopped", "unknown"]
    );
    assert_eq!(
        keys(&all),
        sorted([
            "host",
            "service",
            "display_name",
            "friendly_name",
            "state",
            "since",
            "expected",
            "start_type",
            "pid",
            "exit_code",
            "incident",
            "muted",
            "group",
            "labels",
        ])
    );
    for (query, hosts) in [
        ("host=srv01", &["SRV01", "SRV01"][..]),
        ("host=srv0%3F&service=spooler", &["SRV01", "srv02"]),
        ("host=srv02&service=nothing", &[]),
        ("display_name=the+w*", &["srv03"]),
        ("friendly_name=null&state=stopped", &["srv02"]),
        ("state=unknown", &["srv03"]),
        ("incident=*", &["srv02"]),
        ("incident=null&host=srv02", &[]),
        ("expected=stopped", &[]),
        ("start_type=automatic&host=srv03", &["srv03"]),
        ("start_type=null", &[]),
        ("muted=settled", &[]),
        ("muted=null&host=srv02", &["srv02"]),
    ] {
        let list = server.json(&format!("/api/v1/services?{query}")).await;
        assert_eq!(field(&list, "host"), hosts, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_give_every_item_once() {
    let server = Server::with_samples().await;
    for number in 0..250 {
        let name = format!("svc-{number:03}");
        server
            .board
            .apply(View::Service(service_view("srv02", &name)));
    }
    for (path, filter, count) in [
        ("services", "", 254),
        ("services", "&host=srv02", 251),
        ("services", "&service=svc-1*", 100),
        ("hosts", "", 3),
        ("incidents", "", 3),
        ("history", "", 3),
        ("deliveries", "", 2),
    ] {
        // A page of one or two items is proved by the short lists.
        for limit in [1, 2, 100, 251, 1_000] {
            if (count > 10 && limit < 10) || (path == "deliveries" && limit > 100) {
                continue;
            }
            let (mut seen, mut next) = (Vec::new(), String::new());
            loop {
                let list = server
                    .json(&format!("/api/v1/{path}?limit={limit}{filter}{next}"))
                    .await;
                let items = list["items"].as_array().unwrap();
                assert!(items.len() <= limit, "{path}");
                seen.extend(items.iter().map(Value::to_string));
                match list["next"].as_str() {
                    Some(text) => next = format!("&next={text}"),
                    None => break,
                }
                assert_eq!(items.len(), limit, "only the last page of {path} is short");
            }
            assert_eq!(seen.len(), count, "{path}{filter} by {limit}");
            seen.sort();
            seen.dedup();
            assert_eq!(
                seen.len(),
                count,
                "{path}{filter} by {limit} gives nothing twice"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn incidents_are_listed_and_filtered() {
    let server = Server::with_samples().await;
    let open = server.json("/api/v1/incidents?resolved_at=null").await;
    assert_eq!(
        open["items"],
        json!([{
            "id": incident_id(1).as_str(), "host": "srv02", "service": "Spooler", "event": "stopped",
            "severity": "critical", "opened_at": "2023-11-14T22:13:21.000Z", "resolved_at": null,
            "acknowledged": null, "cause": null, "cause_kind": null, "evidence": [], "deliveries": 2, "group": null,
        }])
    );
    for (query, count) in [
        ("", 3),
        ("resolved_at=*", 2),
        ("host=SRV02&service=spooler", 2),
        ("event=host_unreachable", 1),
        ("severity=warning", 0),
        ("id=0123456789abcdef-3", 1),
        ("host=srv01", 0),
    ] {
        let list = server.json(&format!("/api/v1/incidents?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn deliveries_come_with_their_tries() {
    let server = Server::with_samples().await;
    let list = server.json("/api/v1/deliveries?destination=DUTY").await;
    let item = &list["items"][0];
    assert_eq!(
        keys(&list),
        sorted([
            "key",
            "destination",
            "recipient",
            "incident",
            "kind",
            "state",
            "reason",
            "attempts",
        ])
    );
    assert_eq!(
        item["attempts"],
        json!([{"at": "2023-11-14T22:13:22.000Z", "result": "delivered", "answer": "200 OK"}])
    );
    assert_eq!(
        (&item["state"], &item["kind"]),
        (&json!("delivered"), &json!("opened"))
    );
    let key = item["key"].as_str().unwrap().to_owned();
    for (query, count) in [
        ("state=parked".to_owned(), 1),
        ("state=expired".to_owned(), 0),
        (format!("key={key}"), 1),
        (format!("incident={}", incident_id(1)), 2),
        ("kind=resolved".to_owned(), 0),
        ("recipient=".to_owned(), 2),
    ] {
        let list = server.json(&format!("/api/v1/deliveries?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn history_is_the_newest_first() {
    let server = Server::with_samples().await;
    let all = server.json("/api/v1/history?host=srv02").await;
    let records: Vec<u64> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["record"].as_u64().unwrap())
        .collect();
    assert_eq!(records, [3, 2, 1]);
    assert_eq!(all["items"][0]["service"], Value::Null, "the host's own");
    let service = server
        .json("/api/v1/history?host=srv02&service=SPOOLER")
        .await;
    assert_eq!(field(&service, "to"), ["stopped", "stopped"]);
    assert_eq!(service["items"][0]["exit_code"], 1_067);
    server.stop().await;
}

#[tokio::test]
async fn an_incident_is_acknowledged_once_it_is_durable() {
    let server = Server::with_samples().await;
    let path = format!("/api/v1/incidents/{}/ack", incident_id(1));
    let answer = server
        .post(&path, &[JSON], r#"{"by":"ola","note":"on it"}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let item: Value = serde_json::from_str(&answer.body).unwrap();
    let expected = json!({"by": "ola", "at": "2023-11-14T22:13:29.000Z", "note": "on it"});
    assert_eq!(item["acknowledged"], expected);
    let listed = server.json("/api/v1/incidents?resolved_at=null").await;
    assert_eq!(listed["items"][0]["acknowledged"], expected);
    let over = format!("/api/v1/incidents/{}/ack", incident_id(2));
    let sentence = server
        .post(&over, &[JSON], r#"{"by":"ola"}"#)
        .await
        .problem(409);
    assert!(sentence.contains("is over"), "{sentence}");
    let none = server
        .post("/api/v1/incidents/x-9/ack", &[JSON], r#"{"by":"ola"}"#)
        .await;
    assert!(none.problem(404).contains("There is no incident \"x-9\""));
    server.stop().await;
}

#[tokio::test]
async fn a_bad_acknowledgement_is_told_what_to_send() {
    let server = Server::with_samples().await;
    let path = format!("/api/v1/incidents/{}/ack", incident_id(1));
    let long = format!(r#"{{"by":"ola","note":"{}"}}"#, "x".repeat(1_001));
    let huge = format!(r#"{{"by":"ola","note":"{}"}}"#, "x".repeat(20_000));
    for (body, status, word) in [
        ("", 400, "\"by\""),
        ("{", 400, "\"by\""),
        ("[]", 400, "\"by\""),
        (r#"{"note":"x"}"#, 400, "\"by\""),
        (r#"{"by":" "}"#, 400, "who takes note"),
        (r#"{"by":"ola","who":"x"}"#, 400, "who"),
        (long.as_str(), 400, "1000 characters"),
        (huge.as_str(), 413, "bytes"),
    ] {
        let sentence = server.post(&path, &[JSON], body).await.problem(status);
        assert!(sentence.contains(word), "{body}: {sentence}");
    }
    let open = server.json("/api/v1/incidents?resolved_at=null").await;
    assert_eq!(open["items"][0]["acknowledged"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_what_to_write() {
    let server = Server::with_samples().await;
    for (path, status, word) in [
        ("/api/v1/hosts?hots=a", 400, "use name, address"),
        ("/api/v1/hosts?state=down", 400, "use one of up, unknown"),
        ("/api/v1/hosts?name=a&name=b", 400, "twice"),
        ("/api/v1/services?limit=0", 400, "1 to 1000"),
        ("/api/v1/services?limit=5000", 400, "1 to 1000"),
        ("/api/v1/services?next=zzz", 400, "from the answer before"),
        ("/api/v1/services?state=dead", 400, "stopped, start_pending"),
        ("/api/v1/incidents?event=broken", 400, "use one of stopped"),
        (
            "/api/v1/incidents?resolved_at=yesterday",
            400,
            "null for open",
        ),
        ("/api/v1/incidents?next=-1", 400, "from the answer before"),
        ("/api/v1/deliveries?limit=101", 400, "1 to 100;"),
        ("/api/v1/deliveries?state=lost", 400, "pending, sending"),
        ("/api/v1/history?from=stopped", 400, "use host, service"),
        ("/api/v1/explain", 400, "Say which host"),
        ("/api/v1/explain?host=nobody", 404, "is not watched"),
        ("/api/v1/nothing", 404, "/api/v1/hosts"),
        ("/", 404, "/metrics"),
        ("/api/v1/incidents/x/ack", 405, "POST"),
    ] {
        let sentence = server.problem(status, path).await;
        assert!(sentence.contains(word), "{path}: {sentence}");
    }
    let post = server.post("/api/v1/hosts", &[JSON], "{}").await;
    assert!(post.problem(405).contains("GET"));
    server.stop().await;
}

#[tokio::test]
async fn the_loop_explains() {
    let server = Server::with_samples().await;
    let explained = server
        .json("/api/v1/explain?host=srv01&service=Spooler")
        .await;
    assert_eq!(
        explained,
        json!({
            "host": "srv01", "service": "Spooler",
            "lines": [{"about": "told", "text": "It is told to duty."}],
        })
    );
    assert_eq!(
        server.json("/api/v1/explain?host=srv01").await["service"],
        Value::Null
    );
    server.stop().await;
}

#[tokio::test]
async fn a_loop_that_does_not_answer_is_said_so() {
    let server = Server::with_samples().await;
    let sentence = server.problem(503, "/api/v1/explain?host=silent").await;
    assert!(sentence.contains("no answer within 10 s"), "{sentence}");
    server.stop().await;
}

#[tokio::test]
async fn it_lives_at_once_and_is_ready_when_it_works() {
    let server = Server::start().await;
    assert_eq!(server.get("/-/healthy").await.status, 200);
    let sentence = server.problem(503, "/-/ready").await;
    assert!(sentence.contains("starting"), "{sentence}");
    server.ready.loaded();
    assert_eq!(server.get("/-/ready").await.status, 200);
    server
        .ready
        .store_failed("the disk that holds svcwatch.db is full");
    let sentence = server.problem(503, "/-/ready").await;
    assert!(sentence.contains("is full"), "{sentence}");
    assert_eq!(server.get("/-/healthy").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn what_is_sent_or_given_in_confidence_is_told_nowhere() {
    let server = Server::with_samples().await;
    let authorization = format!("Bearer {CANARY}");
    for path in [
        "/metrics",
        "/api/v1/hosts",
        "/api/v1/services",
        "/api/v1/incidents",
        "/api/v1/deliveries",
        "/api/v1/history",
        "/api/v1/explain?host=srv01",
        "/api/v1/nothing",
        "/-/ready",
        "/-/healthy",
    ] {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Cookie", CANARY),
        ];
        let answer = server.send("GET", path, &headers, "").await;
        assert!(!answer.body.contains(CANARY), "{path}: {}", answer.body);
        assert!(
            answer
                .headers
                .iter()
                .all(|(_, value)| !value.contains(CANARY)),
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_list_of_many_services_is_quick() {
    let server = Server::start().await;
    server.board.apply_all((0..50_000).map(|number| {
        let host = format!("host-{:05}", number / 50);
        View::Service(service_view(&host, &format!("svc-{number}")))
    }));
    let begin = std::time::Instant::now();
    let list = server.json("/api/v1/services?state=stopped").await;
    assert_eq!(list["items"], json!([]));
    let took = begin.elapsed();
    println!("a filter that nothing of 50,000 services passes: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let one = server
        .json("/api/v1/services?host=HOST-00999&limit=1000")
        .await;
    assert_eq!(one["items"].as_array().unwrap().len(), 50);
    server.stop().await;
}

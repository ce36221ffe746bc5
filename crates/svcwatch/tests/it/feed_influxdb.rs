//! Writes to InfluxDB: what is sent to each version, and what becomes of every answer.

use crate::feed_support::{AT, Answer, Database, Request, reading, readings, ready};
use std::time::{Duration, Instant};
use svcwatch::{
    dest::{Settings, sender::Destination},
    feed::{
        Fed, Next, Reading,
        influxdb::{Retention, Settings as Influxdb, Version},
    },
    secret::Secret,
};
use svcwatch_core::observe::State;

pub(crate) fn one(database: &Database) -> Influxdb {
    Influxdb {
        database: Some("butler".to_owned()),
        tags: vec![("env".to_owned(), "prod".to_owned())],
        timeout: Duration::from_secs(1),
        ..Influxdb::new(database.url(), Version::V1)
    }
}

pub(crate) async fn feed(destination: &Destination, readings: &[Reading]) -> Fed {
    let all: Vec<&Reading> = readings.iter().collect();
    destination.feed(&all, AT).await
}

fn retried(fed: &Fed) -> (u64, String) {
    match &fed.next {
        Next::Retry { after, reason } => (after.map_or(0, |span| span.0), reason.clone()),
        Next::GoOn => panic!("it went on: {fed:?}"),
    }
}

#[tokio::test]
async fn version_1_gets_what_butler_sends_with_a_time_and_compressed() {
    let database = Database::start().await;
    let settings = Influxdb {
        user: Some(Secret::from("u")),
        password: Some(Secret::from("p")),
        ..one(&database)
    };
    let destination = ready(Settings::Influxdb(settings)).await;
    let some = [
        reading("srv01", "Spooler", State::Running),
        reading("srv01", "W32Time", State::Paused),
    ];
    assert_eq!(feed(&destination, &some).await, Fed::all(2));
    let requests = database.requests();
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].path, "/query?q=SHOW+DATABASES");
    let write = &requests[1];
    assert_eq!(
        (write.method.as_str(), write.path.as_str()),
        ("POST", "/write?db=butler&precision=n&rp=")
    );
    assert_eq!(write.header("content-encoding"), "gzip");
    assert_eq!(write.header("authorization"), "Basic dTpw");
    assert_eq!(
        write.body,
        "win_service_state,env=prod,host=srv01,service_name=Spooler,display_name=The\\ Spooler\\ service,friendly_name=Printing startup_mode_num=0,startup_mode_text=\"Automatic\",state_num=4,state_text=\"RUNNING\" 1710331500042000000\n\
         win_service_state,env=prod,host=srv01,service_name=W32Time,display_name=The\\ W32Time\\ service,friendly_name=Printing startup_mode_num=0,startup_mode_text=\"Automatic\",state_num=7,state_text=\"PAUSED\" 1710331500042000000"
    );
    feed(&destination, &some).await;
    assert_eq!(database.requests().len(), 3, "databases are asked for once");
}

#[tokio::test]
async fn versions_2_and_3_get_their_paths_and_tokens() {
    let database = Database::start().await;
    let two = Influxdb {
        org: Some("ops team".to_owned()),
        bucket: Some("services".to_owned()),
        token: Some(Secret::from("T0KEN")),
        ..Influxdb::new(database.url(), Version::V2)
    };
    let three = Influxdb {
        database: Some("services".to_owned()),
        token: Some(Secret::from("T0KEN")),
        ..Influxdb::new(format!("{}/proxy/", database.url()), Version::V3)
    };
    for settings in [two, three] {
        let destination = ready(Settings::Influxdb(settings)).await;
        assert_eq!(feed(&destination, &readings(1)).await, Fed::all(1));
    }
    let seen: Vec<String> = database
        .requests()
        .iter()
        .map(|request| {
            format!(
                "{} {} {}",
                request.method,
                request.path,
                request.header("authorization")
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "POST /api/v2/write?org=ops+team&bucket=services&precision=ns Token T0KEN",
            "POST /proxy/api/v3/write_lp?db=services&precision=nanosecond Bearer T0KEN",
        ]
    );
    assert!(database.lines()[0].starts_with("win_service_state,host=srv00000,"));
}

#[tokio::test]
async fn version_3_that_only_takes_the_older_path_gets_it_from_then_on() {
    fn older_alone(request: &Request) -> (u16, String) {
        if request.path.starts_with("/api/v2/write") {
            (204, String::new())
        } else {
            (404, "not found".to_owned())
        }
    }
    let database = Database::start().await;
    database.usually(Answer::By(older_alone));
    let settings = Influxdb {
        database: Some("services".to_owned()),
        token: Some(Secret::from("T0KEN")),
        ..Influxdb::new(database.url(), Version::V3)
    };
    let destination = ready(Settings::Influxdb(settings)).await;
    for _ in 0..2 {
        assert_eq!(feed(&destination, &readings(1)).await, Fed::all(1));
    }
    let paths: Vec<String> = database
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(
        paths,
        [
            "/api/v3/write_lp?db=services&precision=nanosecond",
            "/api/v2/write?bucket=services&precision=ns",
            "/api/v2/write?bucket=services&precision=ns",
        ]
    );
}

#[tokio::test]
async fn a_database_that_lacks_is_made_with_its_retention_policy() {
    fn without(request: &Request) -> (u16, String) {
        (
            200,
            format!(
                r#"{{"results":[{{"statement_id":{}}}]}}"#,
                request.body.len()
            ),
        )
    }
    let database = Database::start().await;
    database.next([
        Answer::By(without),
        Answer::By(without),
        Answer::By(without),
    ]);
    let settings = Influxdb {
        retention: Some(Retention {
            name: "10 \"d\"".to_owned(),
            duration: "10d".to_owned(),
        }),
        ..one(&database)
    };
    let destination = ready(Settings::Influxdb(settings)).await;
    assert_eq!(feed(&destination, &readings(1)).await, Fed::all(1));
    let asked: Vec<String> = database
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    assert_eq!(
        asked,
        [
            "GET /query?q=SHOW+DATABASES",
            "POST /query?q=CREATE+DATABASE+%22butler%22",
            "POST /query?q=CREATE+RETENTION+POLICY+%2210+%5C%22d%5C%22%22+ON+%22butler%22+DURATION+10d+REPLICATION+1+DEFAULT",
            "POST /write?db=butler&precision=n&rp=",
        ]
    );
    // Somebody takes it away: it is made once more.
    database.next([
        Answer::Status(404, r#"{"error":"database not found: \"butler\""}"#),
        Answer::By(without),
    ]);
    assert_eq!(feed(&destination, &readings(1)).await, Fed::all(1));
    assert!(database.requests()[5].path.contains("CREATE+DATABASE"));
    // Where that does not help, nothing is lost.
    database.usually(Answer::Status(
        404,
        r#"{"error":"database not found: \"butler\""}"#,
    ));
    let fed = feed(&destination, &readings(3)).await;
    assert_eq!((fed.done, fed.dropped), (0, 0));
    assert!(retried(&fed).1.contains("database not found"), "{fed:?}");
}

#[tokio::test]
async fn one_bad_line_among_many_is_found_and_given_up_alone() {
    fn refuses_seven(request: &Request) -> (u16, String) {
        if request
            .body
            .contains("host=srv00003,service_name=Service7,")
        {
            (
                400,
                r#"{"code":"invalid","message":"unable to parse it"}"#.to_owned(),
            )
        } else {
            (204, String::new())
        }
    }
    let database = Database::start().await;
    database.usually(Answer::By(|request| {
        if request.path.starts_with("/query") {
            (200, r#"{"results":[]}"#.to_owned())
        } else {
            refuses_seven(request)
        }
    }));
    let destination = ready(Settings::Influxdb(one(&database))).await;
    let fed = feed(&destination, &readings(100)).await;
    assert_eq!((fed.done, fed.dropped, &fed.next), (100, 1, &Next::GoOn));
    assert!(
        fed.reason
            .as_deref()
            .is_some_and(|reason| reason.contains("unable to parse it")),
        "{fed:?}"
    );
    // Each line was taken but for the one, in at most twice log2(100) requests.
    let writes = database.writes();
    assert!(writes.len() <= 15, "{}", writes.len());
    let taken: usize = writes
        .iter()
        .filter(|write| refuses_seven(write).0 == 204)
        .map(Request::lines)
        .sum();
    assert_eq!(taken, 99);
}

#[tokio::test]
async fn lines_that_influxdb_itself_left_out_are_counted_and_not_sent_again() {
    for (body, dropped) in [
        (
            r#"{"error":"partial write: field type conflict: input field \"state_num\" on measurement \"win_service_state\" is type float, already exists as type integer dropped=4"}"#,
            4,
        ),
        (
            r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":2,"error_message":"bad"}]}"#,
            1,
        ),
    ] {
        let database = Database::start().await;
        let destination = ready(Settings::Influxdb(one(&database))).await;
        database.next([
            Answer::Status(200, r#"{"results":[]}"#),
            Answer::Status(200, r#"{"results":[]}"#),
            Answer::Status(400, body),
        ]);
        let fed = feed(&destination, &readings(10)).await;
        assert_eq!(
            (fed.done, fed.dropped, &fed.next),
            (10, dropped, &Next::GoOn),
            "{body}"
        );
        assert!(
            fed.reason
                .as_deref()
                .is_some_and(|reason| reason.contains("partial write"))
        );
        assert_eq!(database.writes().len(), 1);
    }
}

#[tokio::test]
async fn requests_that_are_too_large_get_smaller_and_stay_so() {
    fn at_most_30(request: &Request) -> (u16, String) {
        let status = if request.lines() > 30 { 413 } else { 204 };
        (status, String::new())
    }
    let database = Database::start().await;
    let destination = ready(Settings::Influxdb(one(&database))).await;
    database.usually(Answer::By(at_most_30));
    assert_eq!(feed(&destination, &readings(100)).await, Fed::all(100));
    let first = database.writes().len();
    assert_eq!(feed(&destination, &readings(100)).await, Fed::all(100));
    let sizes: Vec<usize> = database.writes()[first..]
        .iter()
        .map(Request::lines)
        .collect();
    assert!(sizes.iter().all(|lines| *lines <= 30), "{sizes:?}");
}

#[tokio::test]
async fn every_other_answer_keeps_the_readings_and_says_why() {
    let database = Database::start().await;
    let settings = Influxdb {
        user: Some(Secret::from("monitor")),
        password: Some(Secret::from("canary-password")),
        ..one(&database)
    };
    let destination = ready(Settings::Influxdb(settings)).await;
    assert_eq!(feed(&destination, &readings(1)).await, Fed::all(1));
    for (answer, after, says) in [
        (
            Answer::Status(
                401,
                r#"{"error":"authorization failed for monitor:canary-password"}"#,
            ),
            60_000,
            "authorization failed",
        ),
        (Answer::Status(403, "forbidden"), 60_000, "HTTP 403"),
        (
            Answer::Status(404, "404 page not found"),
            60_000,
            "404 page not found",
        ),
        (Answer::Status(301, ""), 60_000, "HTTP 301"),
        (Answer::After(429, 17), 17_000, "HTTP 429"),
        (Answer::After(503, 3), 3_000, "HTTP 503"),
        (Answer::Status(500, r#"{"error":"timeout"}"#), 0, "timeout"),
        (
            Answer::Status(200, "<html>please log in"),
            60_000,
            "not InfluxDB",
        ),
        (Answer::Hang, 0, "within 1 s"),
        (Answer::Close, 0, "broke off"),
    ] {
        database.next([answer.clone()]);
        let begun = Instant::now();
        let fed = feed(&destination, &readings(5)).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{answer:?}");
        assert_eq!((fed.done, fed.dropped), (0, 0), "{answer:?}: {fed:?}");
        let (waits, reason) = retried(&fed);
        assert_eq!(waits, after, "{answer:?}");
        assert!(reason.contains(says), "{answer:?}: {reason}");
        assert!(!reason.contains("canary"), "{reason}");
    }
}

#[tokio::test]
async fn ten_thousand_readings_are_written_within_a_second() {
    let database = Database::start().await;
    let destination = ready(Settings::Influxdb(one(&database))).await;
    let all = readings(10_000);
    let begun = Instant::now();
    assert_eq!(feed(&destination, &all).await, Fed::all(10_000));
    let took = begun.elapsed();
    println!(
        "10,000 readings in {} requests: {took:?}",
        database.writes().len()
    );
    assert_eq!(database.writes().len(), 2, "5,000 lines each");
    assert_eq!(database.lines().len(), 10_000);
    // Ten times what is promised: tests share the machine and are not optimised.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_try_writes_where_no_dashboard_looks_and_tells_the_answer() {
    let database = Database::start().await;
    let destination = ready(Settings::Influxdb(one(&database))).await;
    let tried = destination.try_feed(AT).await.expect("a feed");
    assert_eq!(
        (tried.verdict.as_str(), tried.answer.as_str()),
        ("delivered", "HTTP 204 No Content")
    );
    assert!(
        database.lines()[0].starts_with("svcwatch_test,env=prod,host="),
        "{:?}",
        database.lines()
    );
    assert!(
        destination
            .check()
            .await
            .is_ok_and(|said| said.contains("the database butler is there"))
    );
    database.next([
        Answer::Status(204, ""),
        Answer::Status(401, r#"{"error":"authorization failed"}"#),
    ]);
    assert!(
        destination
            .check()
            .await
            .is_err_and(|said| said.contains("authorization failed"))
    );
}

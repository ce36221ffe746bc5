//! Runbooks over HTTP: with what is seen now, safe to look at in a browser, and each where notices say it is.

use crate::web_server::Server;

#[tokio::test]
async fn a_page_shows_what_is_seen_and_names_the_service_in_its_commands() {
    let server = Server::with_samples().await;
    let page = server
        .get("/runbooks/stopped?host=srv02&service=Spooler")
        .await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for part in [
        "What svcwatch sees now",
        r"sc.exe \\srv02 start",
        "<title>A service is stopped",
    ] {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    assert!(!page.body.contains("does not watch"), "{}", page.body);
    for (query, said) in [
        ("host=nosuch", "svcwatch does not watch nosuch."),
        (
            "host=srv02&service=Spuler",
            "svcwatch does not watch Spuler on srv02.",
        ),
    ] {
        let page = server.get(&format!("/runbooks/stopped?{query}")).await;
        assert!(page.body.contains(said), "{said} in {}", page.body);
    }
    let style = server.get("/runbooks/style.css").await;
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    let list = server.get("/runbooks").await;
    assert!(
        list.body.contains("href=\"runbooks/stopped\""),
        "{}",
        list.body
    );
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_a_sentence_and_what_is_hostile_does_nothing() {
    let server = Server::with_samples().await;
    assert!(
        server
            .get("/runbooks/nothing")
            .await
            .problem(404)
            .contains("/runbooks")
    );
    assert!(
        server
            .get("/runbooks/..%2Fstopped")
            .await
            .problem(404)
            .contains("/runbooks")
    );
    assert!(
        server
            .get("/runbooks/stopped?x=1")
            .await
            .problem(400)
            .contains("host")
    );
    let hostile = server
        .get("/runbooks/stopped?host=%3Cscript%3Ealert(1)%3C/script%3E&service=%60%0A%23%20x")
        .await;
    assert_eq!(hostile.status, 200);
    assert!(!hostile.body.contains("<script"), "{}", hostile.body);
    server.stop().await;
}

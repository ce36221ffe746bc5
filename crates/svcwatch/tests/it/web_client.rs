//! The command line's client against a real server.

use crate::{
    cli_support::svcwatch,
    web_server::{Server, host_view, incident_id},
};
use svcwatch::web::client::{Client, ClientError};
use svcwatch_core::view::View;
use tokio::{io::AsyncWriteExt, net::TcpListener};

#[tokio::test]
async fn it_asks_for_incidents_history_and_explanations() {
    let server = Server::with_samples().await;
    let client = Client::new(&server.url()).unwrap();
    let open = client.incidents(&[("resolved_at", "null")]).await.unwrap();
    assert_eq!(open.items.len(), 1);
    assert_eq!(open.items[0].id, incident_id(1).as_str());
    let history = client
        .history(&[("host", "srv02"), ("limit", "2")])
        .await
        .unwrap();
    assert_eq!(history.items.len(), 2);
    let next = history.next.unwrap();
    let rest = client
        .history(&[("host", "srv02"), ("next", &next)])
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let explained = client.explain("srv01", Some("MSSQL$PROD")).await.unwrap();
    assert_eq!(explained.service.as_deref(), Some("MSSQL$PROD"));
    server.stop().await;
}

#[tokio::test]
async fn it_acknowledges() {
    let server = Server::with_samples().await;
    let client = Client::new(&server.url()).unwrap();
    let item = client
        .acknowledge(incident_id(1).as_str(), "Åse", "50 % done & more")
        .await
        .unwrap();
    let taken = item.acknowledged.unwrap();
    assert_eq!(
        (taken.by.as_str(), taken.note.as_str()),
        ("Åse", "50 % done & more")
    );
    let error = client
        .acknowledge("no/such?id", "ola", "")
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { status: 404, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no/such?id"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn its_errors_are_for_people() {
    let server = Server::with_samples().await;
    let client = Client::new(&server.url()).unwrap();
    let refused = client
        .incidents(&[("colour", "red")])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("There is no filter \"colour\""),
        "{refused}"
    );
    let url = server.url();
    server.stop().await;
    let gone = Client::new(&url)
        .unwrap()
        .incidents(&[])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        gone.contains("svcwatch run") && gone.contains("--api"),
        "{gone}"
    );
}

#[tokio::test]
async fn something_else_at_the_address_is_said_so() {
    for (answer, word) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "not this svcwatch's API",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "status 404",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
            "status 302",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "no svcwatch answers"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut request)
                .await
                .unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        });
        let error = Client::new(&url)
            .unwrap()
            .incidents(&[])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{error}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn an_all_clear_is_never_about_what_nobody_knows() {
    let server = Server::with_samples().await;
    let url = server.url();
    let ask = async |arguments: &[&str]| {
        let words: Vec<String> = arguments
            .iter()
            .copied()
            .chain(["--api", url.as_str()])
            .map(str::to_owned)
            .collect();
        let done = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            svcwatch(&words)
        });
        done.await.unwrap()
    };
    for (arguments, said) in [
        (
            &["incidents", "--host", "srv0"][..],
            "srv0 is not watched; did you mean ",
        ),
        (
            &["incidents", "--host", "nosuch", "-o", "json"],
            "nosuch is not watched; the hosts that are: SRV01, srv02, srv03",
        ),
        (
            &["incidents", "--service", "Spoolr"],
            "Spoolr is not watched; did you mean Spooler?",
        ),
        (
            &["history", "nosuch", "Spooler"],
            "nosuch is not watched; the hosts",
        ),
        (
            &["history", "srv01", "MSSQL$PRD"],
            "MSSQL$PRD on SRV01 is not watched; did you mean MSSQL$PROD?",
        ),
    ] {
        let done = ask(arguments).await;
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.err);
        assert!(done.err.contains(said), "{arguments:?}: {}", done.err);
        assert_eq!(done.out, "", "{arguments:?}");
    }
    // What is watched and has never changed, and what is known from before alone.
    server.board.apply(View::HostGone("srv02".into()));
    for (arguments, shown) in [
        (
            &["incidents", "--host", "srv03"][..],
            "No incident is open.",
        ),
        (&["history", "srv01", "MSSQL$PROD"], "Nothing has changed"),
        (&["history", "SRV02"], "running"),
        (&["incidents", "--host", "srv02", "--all"], "srv02"),
    ] {
        let done = ask(arguments).await;
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.err);
        assert!(done.out.contains(shown), "{arguments:?}: {}", done.out);
    }
    // Nobody knows yet which services it has.
    let mut unread = host_view("srv04");
    unread.visible = None;
    server.board.apply(View::Host(unread));
    let done = ask(&["history", "srv04", "Spooler"]).await;
    assert_eq!(done.code, Some(0), "{}", done.err);
    server.stop().await;
}

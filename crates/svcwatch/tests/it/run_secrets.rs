//! Secrets that change while the program runs.

use crate::run_support::{Host, House, Receiver, eventually, items, shown};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_account_is_tried_again_as_soon_as_its_secret_changes() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    // STATUS_PASSWORD_EXPIRED (MS-ERREF 2.3.1): every other host would say so too.
    host.refuse(0xC000_0071);
    let config = House::head(&receiver).replace("{ env: PATH }", "{ file: password }");
    let house = House::empty();
    house.write_secret("password", "old");
    house.write(&format!(
        "{config}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n",
        host.address.port()
    ));
    let app = house.start().await;
    let paused = async || {
        let open = items(
            &app,
            "/api/v1/incidents?resolved_at=null&event=account_paused",
        )
        .await;
        (open.len() == 1).then_some(())
    };
    eventually("the pause", paused).await;
    host.refuse(0);
    house.write_secret("password", "new");
    shown(&app, "Spooler", "running").await;
    eventually("the end of the pause", async || {
        let open = items(&app, "/api/v1/incidents?resolved_at=null").await;
        open.is_empty().then_some(())
    })
    .await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_uses_its_new_secret_without_a_reload() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let with_token = "/in', headers: { x-token: { file: token } }";
    let config = House::head(&receiver).replace("/in'", with_token);
    let house = House::empty();
    house.write_secret("token", "first");
    house.write(&format!(
        "{config}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n",
        host.address.port()
    ));
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    assert_eq!(receiver.tokens(), ["first"]);
    house.write_secret("token", "second");
    // Each change of the service is one more message, until one goes out with the new secret.
    eventually("the new secret", async || {
        let told = receiver.told().len();
        // An odd number of messages says that it is stopped.
        host.set("Spooler", told % 2 == 1);
        receiver.wait_for(told + 1).await;
        receiver
            .tokens()
            .contains(&"second".to_owned())
            .then_some(())
    })
    .await;
    app.stop().await.unwrap();
}

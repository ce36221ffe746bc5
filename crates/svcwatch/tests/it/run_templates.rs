//! Templates while the program runs: files that change, and templates that cannot be used.

use crate::run_support::{Host, House, Receiver, eventually, get, shown};
use std::{path::Path, sync::Arc};
use svcwatch::app::App;

struct Stage {
    host: Arc<Host>,
    receiver: Arc<Receiver>,
    house: House,
}

impl Stage {
    /// A chat destination with a template file, and a plain webhook beside it.
    async fn new(template: &str) -> Self {
        let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
        let house = House::empty();
        let at = receiver.address;
        let links: Vec<String> = (0..20)
            .map(|id| format!("{{ id: '{id}', text: Runbook, url: 'https://wiki.example/{id}' }}"))
            .collect();
        let head = format!("links: [{}]\n{}", links.join(", "), House::head(&receiver));
        let head = head.replace(
            "destinations: {",
            &format!("destinations: {{ chat: {{ type: slack, url: 'http://{at}/chat', template: {{ stopped: chat.json, started: chat.json }} }},"),
        );
        house.write(&format!(
            "{head}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n",
            host.address.port()
        ));
        let stage = Self {
            host,
            receiver,
            house,
        };
        stage.write(template);
        stage
    }

    fn write(&self, template: &str) {
        let folder = self.house.config();
        let folder = folder.parent().unwrap_or(Path::new("."));
        std::fs::write(folder.join("chat.json"), template).unwrap();
    }

    /// Stops and starts the service until a chat message says this.
    async fn until_chat_says(&self, what: &str) {
        eventually(what, async || {
            let told = self.receiver.bodies().len();
            let mark = |body: &serde_json::Value| {
                body["text"]
                    .as_str()
                    .is_some_and(|text| text.contains(what))
            };
            if self.receiver.bodies().iter().any(mark) {
                return Some(());
            }
            // Each change is told twice: to the chat and to the webhook.
            self.host.set("Spooler", told % 4 == 2);
            self.receiver.wait_for(told + 2).await;
            None
        })
        .await;
    }
}

async fn failures(app: &App) -> u64 {
    let (_, metrics) = get(app, "/metrics").await;
    let line = metrics.lines().find_map(|line| {
        line.strip_prefix("svcwatch_template_failures_total{destination=\"chat\"} ")
    });
    line.expect("the metric is there from the start")
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_read_again_when_it_changes() {
    let stage = Stage::new("{\"text\":\"first {{serviceName}} {{serviceStatus}}\"}").await;
    let app = stage.house.start().await;
    shown(&app, "Spooler", "running").await;
    stage.until_chat_says("first Spooler STOPPED").await;
    assert_eq!(failures(&app).await, 0);
    stage.write("{\"text\":\"second {{serviceName}}\"}");
    stage.until_chat_says("second Spooler").await;
    // A broken one gives way to the built-in message, which is told in the metric, and mending it is enough.
    stage.write("{\"text\":\"third {{#if}}");
    stage
        .until_chat_says("CRITICAL: Spooler on lab stopped")
        .await;
    assert!(failures(&app).await > 0);
    stage.write("{\"text\":\"fourth {{serviceName}}\"}");
    stage.until_chat_says("fourth Spooler").await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_would_never_end_delays_nobody() {
    let loops = "{{#each @root.links}}".repeat(8) + &"{{/each}}".repeat(8);
    let stage = Stage::new(&format!("{{\"text\":\"{loops}\"}}")).await;
    let app = stage.house.start().await;
    shown(&app, "Spooler", "running").await;
    stage.host.set("Spooler", false);
    let told = stage.receiver.wait_for(2).await;
    // The webhook does not wait for the chat, whose message is the built-in one.
    assert!(
        told.iter()
            .any(|(kind, event, _)| (kind.as_str(), event.as_str()) == ("opened", "stopped"))
    );
    let bodies = stage.receiver.bodies();
    assert!(
        bodies
            .iter()
            .any(|body| body["blocks"][0]["type"] == "header"),
        "{bodies:?}"
    );
    assert_eq!(failures(&app).await, 1);
    app.stop().await.unwrap();
}

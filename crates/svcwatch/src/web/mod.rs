//! What svcwatch says over HTTP: /metrics, /-/healthy, /-/ready and /api/v1. It only reads; what
//! changes something, acknowledging an incident and silencing, is asked of the loop.

mod access;
mod api;
mod ask;
pub mod client;
mod discovery;
mod explanation;
pub mod guard;
mod guest;
mod incidents;
pub mod items;
pub mod listen;
pub mod metrics;
mod probe;
pub mod problem;
pub mod query;
mod ready;
mod runbooks;
pub mod silences;
mod stream;

pub use access::{Access, AccessError};
pub use ask::{ASKS_MAX, AckReply, Ask, SilenceReply};
pub use listen::{Bound, ListenError, Names, exposed};
pub use probe::{PROBES_MAX, ProbeModules};
pub use ready::Readiness;

use crate::{
    board::Board, ending::ANSWERS_WITHIN, facts::Facts, guests::Guests, runbook::Runbooks,
    store::AnyStore, wanted::Wanted,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use problem::Problem;
use std::{fmt, future::Future, io, sync::Arc};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// All that the answers are made of.
#[derive(Debug, Clone)]
pub struct Web {
    board: Arc<Board>,
    metrics: Arc<metrics::Metrics>,
    store: Arc<AnyStore>,
    asks: mpsc::Sender<Ask>,
    ready: Arc<Readiness>,
    runbooks: Arc<Runbooks>,
    wanted: Arc<Wanted>,
    guests: Arc<Guests>,
    modules: Arc<ProbeModules>,
    probes: Arc<Semaphore>,
    /// Places of guests, apart from those of hosts: who asks for many that do not answer holds up no host.
    visits: Arc<Semaphore>,
}

impl Web {
    /// Answers out of the board, the facts and the store; `asks` leads to the loop and holds at most [`ASKS_MAX`].
    pub fn new(
        board: &Arc<Board>,
        facts: &Arc<Facts>,
        store: Arc<AnyStore>,
        asks: mpsc::Sender<Ask>,
        ready: Arc<Readiness>,
    ) -> Self {
        Self {
            metrics: Arc::new(metrics::Metrics::new(Arc::clone(board), Arc::clone(facts))),
            board: Arc::clone(board),
            store,
            asks,
            ready,
            runbooks: Arc::default(),
            wanted: Arc::default(),
            guests: Arc::default(),
            modules: Arc::default(),
            probes: Arc::new(Semaphore::new(PROBES_MAX)),
            visits: Arc::new(Semaphore::new(PROBES_MAX)),
        }
    }

    /// With those who read hosts now, and what of a host is given.
    #[must_use]
    pub fn with_probes(
        self,
        (wanted, guests): (Arc<Wanted>, Arc<Guests>),
        modules: Arc<ProbeModules>,
    ) -> Self {
        Self {
            wanted,
            guests,
            modules,
            ..self
        }
    }

    /// With these runbooks in the place of the built-in ones alone.
    #[must_use]
    pub fn with_runbooks(mut self, runbooks: Arc<Runbooks>) -> Self {
        self.runbooks = runbooks;
        self
    }

    /// Answers until `stop` is ready, and then what is under way, for a few seconds at most.
    pub async fn serve(
        self,
        bound: Bound,
        names: Names,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (stopping, stopped) = oneshot::channel();
        let stop = async move {
            stop.await;
            if stopping.send(()).is_err() {
                tracing::debug!("serving had ended before it was stopped");
            }
        };
        let access = Arc::clone(bound.access());
        let serving = axum::serve(bound, self.router(names, access)).with_graceful_shutdown(stop);
        tokio::select! {
            served = serving => served,
            () = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(ANSWERS_WITHIN).await;
            } => Ok(()),
        }
    }

    /// Every path there is, behind the guard.
    fn router(self, names: Names, access: Arc<Access>) -> Router {
        Router::new()
            .route("/metrics", get(metrics_text))
            .route("/-/healthy", get(healthy))
            .route("/-/ready", get(ready_or_not))
            .route("/api/v1/hosts", get(api::hosts))
            .route("/api/v1/services", get(api::services))
            .route("/api/v1/incidents", get(api::incidents))
            .route("/api/v1/incidents/{id}/ack", post(api::acknowledge))
            .route("/api/v1/deliveries", get(api::deliveries))
            .route("/api/v1/history", get(api::history))
            .route("/api/v1/silences", get(silences::list).post(silences::add))
            .route("/api/v1/silences/{id}", delete(silences::end))
            .route("/api/v1/explain", get(api::explain))
            .route("/api/v1/sd", get(discovery::targets))
            .route("/probe", get(probe::probe))
            .route("/runbooks", get(runbooks::list))
            .route("/runbooks/style.css", get(runbooks::style))
            .route("/runbooks/{name}", get(runbooks::one))
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method)
            .with_state(self)
            .layer(DefaultBodyLimit::max(guard::BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(
                guard::Guard::new(names, access),
                guard::guard,
            ))
    }
}

async fn metrics_text(State(web): State<Web>, headers: HeaderMap) -> Response {
    web.metrics.answer(
        metrics::Format::of(&headers),
        metrics::Packing::of(&headers),
    )
}

/// Answers with a text of metrics that is whole already.
fn pack(
    text: Result<String, fmt::Error>,
    format: metrics::Format,
    packing: metrics::Packing,
) -> Response {
    match text {
        Ok(text) => metrics::whole(text, format, packing),
        Err(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The metrics could not be written, which is a fault of svcwatch itself.",
        )
        .into_response(),
    }
}

async fn healthy() -> &'static str {
    "svcwatch lives.\n"
}

async fn ready_or_not(State(web): State<Web>) -> Result<&'static str, Problem> {
    match web.ready.why_not() {
        None => Ok("svcwatch is ready.\n"),
        Some(why) => Err(Problem::unavailable(why)),
    }
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found(format!(
        "There is nothing at {}. There are /api/v1/hosts, services, incidents, deliveries, history, silences, explain and sd, /runbooks, /metrics, /probe, /-/healthy and /-/ready.",
        query::quoted(uri.path())
    ))
}

async fn no_such_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This method does nothing here. Use GET, POST for /api/v1/incidents/ID/ack and /api/v1/silences, or DELETE for /api/v1/silences/ID.",
    )
}

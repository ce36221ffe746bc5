//! What the loop carries between, and what the app may ask of it.

use crate::{
    board::Board,
    dest::sender::Destinations,
    facts::Facts,
    feed::Feeds,
    perform::Performer,
    store::Writer,
    wanted::Wanted,
    web::{Ask, Readiness},
    wiring::Reach,
};
use std::sync::Arc;
use svcwatch_core::{
    id::Name,
    pipeline::Pipeline,
    plan::{Plan, Times},
    view::View,
};
use tokio::sync::mpsc;

/// What the loop carries between.
#[derive(Debug)]
pub struct Parts {
    /// What decides, and in which order.
    pub pipeline: Pipeline,
    /// What does.
    pub performer: Performer,
    /// What makes durable.
    pub writer: Arc<Writer>,
    /// What is shown.
    pub board: Arc<Board>,
    /// What every reading goes to.
    pub feeds: Feeds,
    /// What is said.
    pub facts: Arc<Facts>,
    /// Whether all is well.
    pub ready: Arc<Readiness>,
    /// What the API asks.
    pub asks: mpsc::Receiver<Ask>,
    /// What the app asks.
    pub orders: mpsc::Receiver<Order>,
}

impl Parts {
    /// Shows something: feeds hang on it.
    pub(crate) fn show(&mut self, view: View) {
        if view == View::Complete {
            self.ready.loaded();
        }
        let ended = Wanted::ended_by(&view);
        self.feeds.show(view);
        if let Some(ended) = ended {
            self.performer.wanted().give(&ended);
        }
    }

    /// From now on through these destinations.
    pub(crate) fn replace_destinations(&mut self, destinations: Destinations) {
        self.performer.replace_destinations(destinations);
        self.feeds.replace(&self.performer.destinations());
    }

    /// From now on with this configuration, but for its plan.
    pub(crate) fn replace(&mut self, reach: Reach, destinations: Destinations) {
        self.performer.replace_reach(reach);
        self.replace_destinations(destinations);
    }
}

/// What the app asks of the loop.
#[derive(Debug)]
pub enum Order {
    /// To carry out another configuration from now on.
    Replace(Box<Change>),
    /// To send through these from now on: a secret of one is another.
    Destinations(Box<Destinations>),
    /// The secret of an account is another one than at its last logon.
    SecretChanged(Name),
    /// To go by these times of maintenance windows from now on.
    Calendar(Times),
    /// To begin nothing new, let what is under way settle, and end.
    Stop,
}

/// Another configuration, ready to be carried out.
#[derive(Debug)]
pub struct Change {
    /// What is watched and told.
    pub plan: Arc<Plan>,
    /// How hosts are reached.
    pub reach: Reach,
    /// How destinations are reached.
    pub destinations: Destinations,
}

impl Change {
    /// The names of the destinations.
    pub fn destination_names(&self) -> Vec<Name> {
        self.plan
            .destinations
            .iter()
            .map(|one| one.name.clone())
            .collect()
    }
}

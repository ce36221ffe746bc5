//! What a destination says in the user's own words: its templates, and the links that its messages offer.

use crate::{
    dest::Context,
    template::{self, Failure, Link, Target, Template, Templates},
};
use serde_json::Value;
use std::sync::Arc;
use svcwatch_core::{id::DeliveryKey, notice::Notice};

/// The templates and links of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// What is sent in place of the built-in message.
    pub message: Templates,
    /// What is sent in place of the built-in subject.
    pub subject: Templates,
    /// Links beside the incident's own, at most [`template::LINKS_MAX`].
    pub links: Arc<[Link]>,
}

/// What templates gave for one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// In place of the built-in message.
    pub message: Option<Filled>,
    /// In place of the built-in subject: one line.
    pub subject: Option<String>,
}

/// A template that was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// What it gave.
    pub text: String,
    /// What it was to give.
    pub target: Target,
}

/// A template that was not used, so that the built-in message was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// What the template is called.
    pub template: String,
    /// Why it was not used.
    pub failure: Failure,
    /// Whether this is the first failure of it since its text changed.
    pub news: bool,
}

impl Fallback {
    fn new(template: &Template, failure: Failure) -> Self {
        Self {
            template: template.name(),
            failure,
            news: template.is_news(),
        }
    }
}

impl Wording {
    /// Fills in the templates for a notice; those that cannot be used are told.
    pub fn draw(
        &self,
        key: &DeliveryKey,
        notice: &Notice,
        context: &Context,
        fallbacks: &mut Vec<Fallback>,
    ) -> Drawn {
        let (message, subject) = (self.message.of(notice), self.subject.of(notice));
        if message.is_none() && subject.is_none() {
            return Drawn::default();
        }
        let variables = template::variables(key, notice, context, &self.links);
        let mut fill = |template: Option<&Template>| fill(template?, &variables, fallbacks);
        Drawn {
            message: fill(message),
            subject: fill(subject).map(|filled| filled.text),
        }
    }

    /// What is told where the message that a template gave is too large to be sent.
    pub(super) fn too_large(&self, notice: &Notice) -> Option<Fallback> {
        let template = self.message.of(notice)?;
        Some(Fallback::new(template, Failure::Output))
    }
}

fn fill(template: &Template, variables: &Value, fallbacks: &mut Vec<Fallback>) -> Option<Filled> {
    match template.render(variables) {
        Ok(text) => Some(Filled {
            text,
            target: template.target(),
        }),
        Err(failure) => {
            fallbacks.push(Fallback::new(template, failure));
            None
        }
    }
}

//! From the settings of destinations to what renders and sends, with secrets and templates as they are now.

use crate::{
    config::{
        self, EmailSettings, NewRelicSettings, SecretError, SecretSource, SlackEnvelope,
        SlackFormat, SlackSettings, TeamsEnvelope, TeamsFormat, TeamsSettings, TemplateSettings,
        WebhookSettings, WordingSettings,
    },
    dest::{self, wording::Wording},
    secret::Secret,
    template::{Link, Template, Templates},
};
use std::{sync::Arc, time::Duration};
use svcwatch_core::time::Span;

/// The templates as they are now. One that cannot be read is no error here: it is told when it is used.
pub(super) fn wording(settings: &WordingSettings, links: &Arc<[Link]>) -> Wording {
    let read = |all: &[TemplateSettings]| {
        let templates = all.iter().map(|one| {
            let template = Template::read(one.origin.clone(), one.target);
            (one.word, template)
        });
        Templates::new(templates.collect())
    };
    Wording {
        message: read(&settings.message),
        subject: read(&settings.subject),
        links: Arc::clone(links),
    }
}

fn headers(all: &[(String, SecretSource)]) -> Result<Vec<(String, Secret)>, SecretError> {
    all.iter()
        .map(|(name, value)| Ok((name.clone(), value.read()?)))
        .collect()
}

pub(super) fn webhook(
    settings: &WebhookSettings,
    links: &Arc<[Link]>,
) -> Result<dest::webhook::Settings, SecretError> {
    Ok(dest::webhook::Settings {
        url: settings.url.clone(),
        method: match settings.method {
            config::Method::Post => dest::webhook::Method::Post,
            config::Method::Put => dest::webhook::Method::Put,
            config::Method::Get => dest::webhook::Method::Get,
        },
        body: match settings.body {
            config::Body::Svcwatch => dest::webhook::Body::Svcwatch,
            config::Body::Butler => dest::webhook::Body::Butler,
        },
        headers: headers(&settings.headers)?,
        secret: settings
            .secret
            .as_ref()
            .map(SecretSource::read)
            .transpose()?,
        wording: wording(&settings.wording, links),
        ca: settings.ca.clone(),
        verify: settings.verify,
        timeout: duration(settings.timeout),
    })
}

pub(super) fn email(
    settings: &EmailSettings,
    links: &Arc<[Link]>,
) -> Result<dest::email::Settings, SecretError> {
    let (user, password) = match &settings.smtp.login {
        Some((user, password)) => (Some(Secret::from(user.as_str())), Some(password.read()?)),
        None => (None, None),
    };
    let priority = |priority: config::Priority| match priority {
        config::Priority::Low => dest::email::Priority::Low,
        config::Priority::Normal => dest::email::Priority::Normal,
        config::Priority::High => dest::email::Priority::High,
    };
    Ok(dest::email::Settings {
        smtp: dest::email::Server {
            host: settings.smtp.host.clone(),
            port: Some(settings.smtp.port),
            tls: match settings.smtp.tls {
                config::SmtpTls::StartTls => dest::email::Encryption::Starttls,
                config::SmtpTls::Preferred => dest::email::Encryption::Preferred,
                config::SmtpTls::Implicit => dest::email::Encryption::Implicit,
                config::SmtpTls::Off => dest::email::Encryption::Off,
            },
            user,
            password,
            server_name: settings.smtp.server_name.clone(),
            verify: settings.smtp.verify,
        },
        from: settings.from.clone(),
        to: settings.to.clone(),
        priority: settings.priority.map(priority),
        resolved: dest::email::Resolved {
            from: settings.resolved.from.clone(),
            priority: settings.resolved.priority.map(priority),
        },
        wording: wording(&settings.wording, links),
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

pub(super) fn slack(
    settings: &SlackSettings,
    links: &Arc<[Link]>,
) -> Result<dest::slack::Settings, SecretError> {
    let envelope = |envelope: &SlackEnvelope| {
        Ok(dest::slack::Envelope {
            url: envelope.url.read()?,
            channel: envelope.channel.clone(),
            username: envelope.username.clone(),
            icon_emoji: envelope.icon_emoji.clone(),
            format: match envelope.format {
                SlackFormat::Blocks => dest::slack::Format::Blocks,
                SlackFormat::Text => dest::slack::Format::Text,
            },
        })
    };
    Ok(dest::slack::Settings {
        usual: envelope(&settings.usual)?,
        resolved: settings.resolved.as_ref().map(envelope).transpose()?,
        wording: wording(&settings.wording, links),
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

pub(super) fn teams(
    settings: &TeamsSettings,
    links: &Arc<[Link]>,
) -> Result<dest::teams::Settings, SecretError> {
    let envelope = |envelope: &TeamsEnvelope| {
        Ok(dest::teams::Envelope {
            url: envelope.url.read()?,
            format: match envelope.format {
                TeamsFormat::Card => dest::teams::Format::Card,
                TeamsFormat::Text => dest::teams::Format::Text,
            },
        })
    };
    Ok(dest::teams::Settings {
        usual: envelope(&settings.usual)?,
        resolved: settings.resolved.as_ref().map(envelope).transpose()?,
        wording: wording(&settings.wording, links),
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

pub(super) fn newrelic(
    settings: &NewRelicSettings,
    links: &Arc<[Link]>,
) -> Result<dest::newrelic::Settings, SecretError> {
    let accounts = settings.accounts.iter().map(|account| {
        Ok(dest::newrelic::Account {
            name: account.name.clone(),
            id: account.id,
            key: account.key.read()?,
        })
    });
    Ok(dest::newrelic::Settings {
        event_url: settings.event_url.clone(),
        log_url: settings.log_url.clone(),
        accounts: accounts.collect::<Result<_, SecretError>>()?,
        events: settings.events,
        logs: settings.logs,
        headers: headers(&settings.headers)?,
        attributes: settings.attributes.clone(),
        event_attributes: settings.event_attributes.clone(),
        log_attributes: settings.log_attributes.clone(),
        dynamic: settings.dynamic,
        wording: wording(&settings.wording, links),
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

pub(super) const fn duration(span: Span) -> Duration {
    Duration::from_millis(span.0)
}

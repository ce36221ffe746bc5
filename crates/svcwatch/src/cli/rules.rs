//! `svcwatch rules`.

use super::{failure::Failure, output};
use crate::{
    config::{self, LoadOptions},
    prometheus,
};
use clap::Args;
use std::path::PathBuf;

/// Where svcwatch listens unless somebody says otherwise.
const USUAL: &str = "http://127.0.0.1:7467";

/// Print rules for Prometheus, or what Alertmanager is to hide
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch rules -c svcwatch.yaml > /etc/prometheus/rules/svcwatch.yaml
  svcwatch rules --url https://svcwatch.corp.example
  svcwatch rules --inhibit

The first rule is WindowsServerServiceStatus as people know it; the others say what is wrong. Each links to a \
runbook. --inhibit prints a piece of Alertmanager's configuration: a host that cannot be read hides its services.")]
pub(super) struct Arguments {
    /// The address under which people open svcwatch's runbooks; the web.url of the configuration, if not given
    #[arg(long, value_name = "URL", value_parser = address, conflicts_with = "inhibit")]
    url: Option<String>,
    /// The configuration whose web.url is used
    #[arg(short, long = "config", value_name = "FILE", conflicts_with_all = ["url", "inhibit"])]
    config: Vec<PathBuf>,
    /// Print what Alertmanager is to hide instead
    #[arg(long)]
    inhibit: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.inhibit {
        return Ok(output::print(prometheus::inhibit_rules())?);
    }
    let base = base(arguments.url.as_deref(), &arguments.config)?;
    Ok(output::print(&prometheus::rules(&base))?)
}

/// The address under which people open runbooks: the one that is given, else that of the configuration.
pub(super) fn base(given: Option<&str>, files: &[PathBuf]) -> Result<String, Failure> {
    if let Some(url) = given {
        return Ok(url.to_owned());
    }
    if files.is_empty() {
        return Ok(USUAL.to_owned());
    }
    // Only an address is asked of it: what it names need not be here.
    let options = LoadOptions {
        look: false,
        ..LoadOptions::default()
    };
    let config = config::load(files, options)?;
    Ok(config.web_url(config.listen))
}

/// An address that links can begin with, without a slash at its end.
pub(super) fn address(text: &str) -> Result<String, String> {
    let instead = || "write it as https://svcwatch.corp.example".to_owned();
    let url = reqwest::Url::parse(text).map_err(|_| instead())?;
    if !matches!(url.scheme(), "http" | "https")
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(instead());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "leave user and password out: everybody who sees an alert sees its links".to_owned(),
        );
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

//! `svcwatch dashboard`.

use super::{failure::Failure, output, rules};
use crate::dashboard::{self, Datasource};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Print a dashboard for Grafana
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch dashboard -c svcwatch.yaml > svcwatch.json
  svcwatch dashboard --url https://svcwatch.corp.example
  svcwatch dashboard --datasource influxdb

In Grafana: Dashboards, New, Import, and give it the file. The data source is chosen above the panels.")]
pub(super) struct Arguments {
    /// Where Grafana gets the data from
    #[arg(long, value_enum, default_value_t)]
    datasource: From,
    /// The address under which people open svcwatch's runbooks; the web.url of the configuration, if not given
    #[arg(long, value_name = "URL", value_parser = rules::address)]
    url: Option<String>,
    /// The configuration whose web.url is used
    #[arg(short, long = "config", value_name = "FILE", conflicts_with = "url")]
    config: Vec<PathBuf>,
}

/// Where Grafana gets the data from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum From {
    /// A Prometheus that scrapes svcwatch
    #[default]
    Prometheus,
    /// The InfluxDB that svcwatch or Butler feeds, asked in InfluxQL
    Influxdb,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let base = rules::base(arguments.url.as_deref(), &arguments.config)?;
    let datasource = match arguments.datasource {
        From::Prometheus => Datasource::Prometheus,
        From::Influxdb => Datasource::Influxdb,
    };
    Ok(output::print(&dashboard::dashboard(datasource, &base))?)
}

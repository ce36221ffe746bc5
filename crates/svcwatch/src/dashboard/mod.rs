//! Dashboards for Grafana: what is shown is described in `prometheus` and `influxdb`, how Grafana writes it in `panel`.

mod influxdb;
mod panel;
mod prometheus;
#[cfg(test)]
mod tests;

use self::panel::Dashboard;

/// What a dashboard gets its data from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datasource {
    /// A Prometheus that scrapes svcwatch.
    Prometheus,
    /// The InfluxDB that svcwatch, or Butler, feeds.
    Influxdb,
}

impl Datasource {
    /// The name of its plugin in Grafana.
    const fn plugin(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Influxdb => "influxdb",
        }
    }
}

/// The dashboard as Grafana imports it. `base` is the address of svcwatch, without a slash at its end, under which
/// people open its runbooks.
pub fn dashboard(datasource: Datasource, base: &str) -> String {
    let dashboard: Dashboard = match datasource {
        Datasource::Prometheus => prometheus::dashboard(),
        Datasource::Influxdb => influxdb::dashboard(),
    };
    format!("{:#}\n", dashboard.json(base))
}

//! What a dashboard is made of, and how Grafana writes it: the classic form of its JSON. Names and values are those of
//! the npm package `@grafana/schema` 13.2.3; a test holds the result against it.

use super::Datasource;
use crate::{feed::words, web::metrics::state_number};
use serde_json::{Value, json};
use svcwatch_core::observe::State;

/// The form that is written (`defaultDashboard` of the package): Grafana brings older ones up to date by itself.
const SCHEMA_VERSION: u32 = 42;
/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;
/// Rows that a timeline shows at once; the others are on its further pages.
const TIMELINE_ROWS: u32 = 25;

/// A dashboard.
pub(super) struct Dashboard {
    pub(super) datasource: Datasource,
    /// What Grafana knows it by: the same at every import, so that the next one takes the place of the last.
    pub(super) uid: &'static str,
    pub(super) title: &'static str,
    pub(super) says: &'static str,
    pub(super) variables: Vec<Variable>,
    pub(super) rows: Vec<Row>,
}

/// Something that the reader chooses above the panels; everything is chosen at first.
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What may be chosen, asked of the data source.
    pub(super) query: &'static str,
}

/// Panels under a title.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: Vec<Panel>,
}

/// A panel.
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// What it says, for whoever points at it.
    pub(super) says: &'static str,
    /// Of the 24 columns.
    pub(super) width: u32,
    /// In rows of 30 pixels.
    pub(super) height: u32,
    pub(super) shown: Shown,
    /// Grafana's name of a unit; empty for a plain number.
    pub(super) unit: &'static str,
    pub(super) queries: Vec<Query>,
    /// What an item leads to.
    pub(super) runbook: Option<Runbook>,
}

/// A runbook that an item leads to.
#[derive(Clone, Copy)]
pub(super) enum Runbook {
    /// This page, for the host and the service of the item.
    Page(&'static str),
    /// The page that this field of the item names, for its host.
    Named(&'static str),
}

/// A question to the data source.
pub(super) struct Query {
    pub(super) text: String,
    /// What an answer is called; tables call it by its columns.
    pub(super) legend: &'static str,
}

/// How a panel shows its answers.
pub(super) enum Shown {
    /// States over time, a row for each service.
    Timeline,
    /// One number, with the colours that it takes.
    Number(Colours),
    /// Lines over time.
    Lines,
    /// Bars over time, on top of each other.
    Bars,
    /// A table with these columns; the others are left out.
    Table(Vec<Column>),
}

/// Which numbers are good.
pub(super) enum Colours {
    /// None is bad.
    Plain,
    /// Everything but zero is bad.
    Zero,
    /// One, and little less.
    Share,
}

/// A column of a table.
pub(super) struct Column {
    /// The field of the answer.
    pub(super) field: &'static str,
    pub(super) title: &'static str,
    pub(super) cell: Cell,
}

/// What stands in a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Plain,
    /// A name that leads to the runbook of the panel.
    Linked,
    State,
    /// A moment, in milliseconds since 1970.
    Since,
    /// A share of one.
    Share,
    /// 1 for yes.
    Yes,
    /// Not shown.
    Hidden,
}

impl Dashboard {
    /// As Grafana imports it.
    pub(super) fn json(&self, base: &str) -> Value {
        let mut panels = Vec::new();
        let mut top = 0;
        for row in &self.rows {
            panels.push(json!({
                "type": "row", "id": panels.len() + 1, "title": row.title, "collapsed": false, "panels": [],
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": top },
            }));
            top += 1;
            let (mut left, mut height) = (0, 0);
            for panel in &row.panels {
                if left + panel.width > COLUMNS {
                    (left, top, height) = (0, top + height, 0);
                }
                let mut json = panel.json(self.datasource, base);
                json["id"] = json!(panels.len() + 1);
                json["gridPos"] =
                    json!({ "h": panel.height, "w": panel.width, "x": left, "y": top });
                panels.push(json);
                left += panel.width;
                height = height.max(panel.height);
            }
            top += height;
        }
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.says,
            "tags": ["svcwatch", "windows"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": true,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": { "from": "now-6h", "to": "now" },
            "timezone": "browser",
            "annotations": { "list": [] },
            "links": [link(base)],
            "templating": { "list": self.variables() },
            "panels": panels,
        })
    }

    fn variables(&self) -> Vec<Value> {
        let source = json!({
            "type": "datasource", "name": "datasource", "label": "Data source", "query": self.datasource.plugin(),
            "refresh": 1, "multi": false, "includeAll": false,
        });
        let chosen = self.variables.iter().map(|variable| {
            json!({
                "type": "query", "name": variable.name, "label": variable.title, "query": variable.query,
                "datasource": source_of(self.datasource), "refresh": 2, "sort": 5,
                // One pattern for everything, in place of one that names a thousand hosts.
                "multi": true, "includeAll": true, "allValue": ".*",
                "current": { "text": ["All"], "value": ["$__all"] },
            })
        });
        std::iter::once(source).chain(chosen).collect()
    }
}

impl Panel {
    fn json(&self, datasource: Datasource, base: &str) -> Value {
        let mut panel = json!({
            "title": self.title,
            "description": self.says,
            "type": self.shown.plugin(),
            "datasource": source_of(datasource),
            "targets": self.targets(datasource),
            "options": self.shown.options(),
            "fieldConfig": { "defaults": self.field(datasource, base), "overrides": self.overrides(datasource, base) },
        });
        if let Shown::Table(columns) = &self.shown {
            let hidden = columns.iter().filter(|column| column.cell == Cell::Hidden);
            let mut left_out = json!({ "Time": true, "time": true });
            for column in hidden {
                left_out[column.field] = json!(true);
            }
            panel["transformations"] = json!([
                { "id": "merge", "options": {} },
                { "id": "organize", "options": { "excludeByName": left_out } },
            ]);
        }
        panel
    }

    fn targets(&self, datasource: Datasource) -> Vec<Value> {
        let table = matches!(self.shown, Shown::Table(_));
        let format = if table { "table" } else { "time_series" };
        let now = table || matches!(self.shown, Shown::Number(_));
        let numbered = ('A'..='Z').zip(&self.queries);
        numbered
            .map(|(letter, query)| {
                let mut target =
                    json!({ "refId": letter.to_string(), "datasource": source_of(datasource) });
                match datasource {
                    Datasource::Prometheus => {
                        target["expr"] = json!(query.text);
                        target["legendFormat"] = json!(query.legend);
                        target["format"] = json!(format);
                        target["instant"] = json!(now);
                        target["range"] = json!(!now);
                    }
                    Datasource::Influxdb => {
                        target["query"] = json!(query.text);
                        target["rawQuery"] = json!(true);
                        target["alias"] = json!(query.legend);
                        target["resultFormat"] = json!(format);
                    }
                }
                target
            })
            .collect()
    }

    /// What holds for all fields.
    fn field(&self, datasource: Datasource, base: &str) -> Value {
        let mut field = json!({ "unit": self.unit, "color": { "mode": "palette-classic" } });
        match &self.shown {
            Shown::Timeline => {
                field["color"] = json!({ "mode": "thresholds" });
                field["custom"] = json!({ "fillOpacity": 80, "lineWidth": 0 });
                field["mappings"] = states(datasource);
                if let Some(page) = self.runbook {
                    field["links"] =
                        json!([runbook_link(base, page, "__field.labels", datasource)]);
                }
            }
            Shown::Number(colours) => {
                field["color"] = json!({ "mode": "thresholds" });
                field["thresholds"] = colours.json();
                // An answer without rows counts nothing.
                if self.unit.is_empty() {
                    field["noValue"] = json!("0");
                }
            }
            Shown::Lines => {
                field["custom"] = json!({ "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never" });
                field["min"] = json!(0);
            }
            Shown::Bars => {
                field["custom"] = json!({
                    "drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80,
                    "stacking": { "mode": "normal", "group": "A" },
                });
            }
            Shown::Table(_) => {
                field["color"] = json!({ "mode": "thresholds" });
            }
        }
        field
    }

    /// What holds for one field alone: the columns of a table.
    fn overrides(&self, datasource: Datasource, base: &str) -> Vec<Value> {
        let Shown::Table(columns) = &self.shown else {
            return Vec::new();
        };
        let shown = columns.iter().filter(|column| column.cell != Cell::Hidden);
        shown
            .map(|column| {
                let mut properties = vec![json!({ "id": "displayName", "value": column.title })];
                let coloured = json!({ "id": "custom.cellOptions", "value": { "type": "color-text" } });
                match column.cell {
                    Cell::Plain | Cell::Hidden => {}
                    Cell::Linked => properties.extend(self.runbook.map(|page| {
                        json!({ "id": "links", "value": [runbook_link(base, page, "__data.fields", datasource)] })
                    })),
                    Cell::State => properties.extend([
                        json!({ "id": "mappings", "value": states(datasource) }),
                        coloured,
                    ]),
                    Cell::Since => {
                        properties.push(json!({ "id": "unit", "value": "dateTimeFromNow" }));
                    }
                    Cell::Share => properties.extend([
                        json!({ "id": "unit", "value": "percentunit" }),
                        json!({ "id": "decimals", "value": 3 }),
                        json!({ "id": "thresholds", "value": Colours::Share.json() }),
                        coloured,
                    ]),
                    Cell::Yes => properties.push(json!({ "id": "mappings", "value": [{
                        "type": "value", "options": { "0": { "text": "no" }, "1": { "text": "yes" } },
                    }] })),
                }
                json!({ "matcher": { "id": "byName", "options": column.field }, "properties": properties })
            })
            .collect()
    }
}

impl Shown {
    const fn plugin(&self) -> &'static str {
        match self {
            Self::Timeline => "state-timeline",
            Self::Number(_) => "stat",
            Self::Lines | Self::Bars => "timeseries",
            Self::Table(_) => "table",
        }
    }

    fn options(&self) -> Value {
        let legend = json!({ "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] });
        match self {
            Self::Timeline => json!({
                "alignValue": "left", "mergeValues": true, "rowHeight": 0.85, "showValue": "auto",
                "perPage": TIMELINE_ROWS, "legend": legend, "tooltip": { "mode": "single", "sort": "none" },
            }),
            Self::Number(_) => json!({
                "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
                "orientation": "auto", "wideLayout": true, "showPercentChange": false,
                "percentChangeColorMode": "standard",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            }),
            Self::Lines | Self::Bars => {
                json!({ "legend": legend, "tooltip": { "mode": "multi", "sort": "desc" } })
            }
            Self::Table(_) => json!({ "showHeader": true, "frameIndex": 0, "cellHeight": "sm" }),
        }
    }
}

impl Colours {
    fn json(&self) -> Value {
        let steps = match self {
            Self::Plain => json!([{ "color": "text", "value": null }]),
            Self::Zero => {
                json!([{ "color": "green", "value": null }, { "color": "red", "value": 1 }])
            }
            Self::Share => json!([
                { "color": "red", "value": null },
                { "color": "orange", "value": 0.99 },
                { "color": "green", "value": 0.999 },
            ]),
        };
        json!({ "mode": "absolute", "steps": steps })
    }
}

/// The data source that the reader has chosen.
fn source_of(datasource: Datasource) -> Value {
    json!({ "type": datasource.plugin(), "uid": "${datasource}" })
}

/// The states with their words and colours, by what stands for them in the data.
fn states(datasource: Datasource) -> Value {
    let mut options = json!({});
    for (index, state) in State::ALL.iter().enumerate() {
        let value = match datasource {
            Datasource::Prometheus => state_number(*state).to_string(),
            Datasource::Influxdb => words::status(*state),
        };
        options[value] = json!({
            "text": state.as_str().replace('_', " "), "color": colour(*state), "index": index,
        });
    }
    json!([{ "type": "value", "options": options }])
}

/// The colour of a state, by the names of Grafana's palette.
const fn colour(state: State) -> &'static str {
    match state {
        State::Running => "green",
        State::Stopped => "red",
        State::Paused => "blue",
        State::StartPending => "yellow",
        State::StopPending => "orange",
        State::ContinuePending => "super-light-green",
        State::PausePending => "super-light-blue",
        State::Missing => "purple",
        State::Unknown => "#808080",
    }
}

/// The link above the panels.
fn link(base: &str) -> Value {
    json!({
        "type": "link", "title": "Runbooks", "url": format!("{base}/runbooks"), "icon": "doc",
        "tooltip": "What to do, for each thing that can be wrong", "tags": [], "asDropdown": false,
        "targetBlank": true, "includeVars": false, "keepTime": false,
    })
}

/// The link of an item to its runbook, with the names that Grafana fills in from `fields`.
fn runbook_link(base: &str, runbook: Runbook, fields: &str, datasource: Datasource) -> Value {
    let service = match datasource {
        Datasource::Prometheus => "name",
        Datasource::Influxdb => "service_name",
    };
    let (page, names) = match runbook {
        Runbook::Page(page) => (
            page.to_owned(),
            vec![("host", "host"), ("service", service)],
        ),
        Runbook::Named(field) => (format!("${{{fields}.{field}}}"), vec![("host", "host")]),
    };
    let names: Vec<String> = names
        .iter()
        .map(|(key, field)| format!("{key}=${{{fields}.{field}:percentencode}}"))
        .collect();
    json!({
        "title": "Runbook", "targetBlank": true,
        "url": format!("{base}/runbooks/{page}?{}", names.join("&")),
    })
}

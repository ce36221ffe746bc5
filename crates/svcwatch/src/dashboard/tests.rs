use super::{Datasource, dashboard};
use crate::runbook;
use serde_json::Value;
use std::collections::BTreeSet;
use svcwatch_core::observe::{Fault, State};

const BOTH: [Datasource; 2] = [Datasource::Prometheus, Datasource::Influxdb];

fn of(datasource: Datasource) -> Value {
    serde_json::from_str(&dashboard(datasource, "https://w.example")).unwrap()
}

/// Every value in it, with the key that it stands under.
fn walk<'a>(key: &'a str, value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    visit(key, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(key, item, visit)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, field)| walk(key, field, visit)),
        _ => {}
    }
}

#[test]
fn it_can_be_imported_without_editing() {
    for datasource in BOTH {
        let dashboard = of(datasource);
        assert!(dashboard.get("id").is_none());
        assert!(dashboard.get("__inputs").is_none());
        assert_eq!(
            dashboard["templating"]["list"][0]["query"],
            datasource.plugin()
        );
        let mut sources = 0;
        walk("", &dashboard, &mut |key, value| {
            if key == "datasource" && value.is_object() {
                assert_eq!(value["uid"], "${datasource}");
                sources += 1;
            }
        });
        assert!(sources > 10, "{sources}");
    }
    assert_ne!(of(BOTH[0])["uid"], of(BOTH[1])["uid"]);
}

#[test]
fn each_state_has_its_word_and_a_colour_of_its_own() {
    for datasource in BOTH {
        let dashboard = of(datasource);
        let panels = dashboard["panels"].as_array().unwrap();
        let timeline = panels
            .iter()
            .find(|panel| panel["type"] == "state-timeline")
            .unwrap();
        let options = timeline["fieldConfig"]["defaults"]["mappings"][0]["options"]
            .as_object()
            .unwrap();
        let colours: BTreeSet<&str> = options
            .values()
            .map(|option| option["color"].as_str().unwrap())
            .collect();
        assert_eq!((options.len(), colours.len()), (State::ALL.len(), 9));
        let running = match datasource {
            Datasource::Prometheus => "4",
            Datasource::Influxdb => "RUNNING",
        };
        assert_eq!(options[running]["text"], "running");
        assert_eq!(options[running]["color"], "green");
    }
}

#[test]
fn panels_do_not_overlap_and_have_numbers_of_their_own() {
    for datasource in BOTH {
        let dashboard = of(datasource);
        let panels = dashboard["panels"].as_array().unwrap();
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64().unwrap()));
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{panel}");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(places.insert((x, y)), "{}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn each_fault_has_a_runbook() {
    let with_page: BTreeSet<&str> = super::prometheus::FAULTS_WITH_PAGE.split('|').collect();
    let words: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
    let pages: BTreeSet<&str> = runbook::names().collect();
    assert_eq!(with_page, &words & &pages);
    assert!(pages.contains("host_unreachable"));
}

#[test]
fn links_lead_to_runbooks_that_exist() {
    for datasource in BOTH {
        let (dashboard, mut links) = (of(datasource), 0);
        walk("", &dashboard, &mut |key, value| {
            let Some(url) = value.as_str().filter(|_| key == "url") else {
                return;
            };
            let page = url.strip_prefix("https://w.example/runbooks").unwrap();
            links += 1;
            let page = page.split('?').next().unwrap();
            match page.strip_prefix('/') {
                None => assert_eq!(page, ""),
                Some(page) if page.starts_with("${") => assert!(page.ends_with(".page}")),
                Some(page) => assert!(runbook::names().any(|known| known == page), "{page}"),
            }
        });
        assert!(links > 3, "{links}");
    }
}

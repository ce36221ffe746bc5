//! What Prometheus and Alertmanager are given for our metrics: rules, and which alert hides which.

const RULES: &str = include_str!("rules.yaml");
const INHIBIT: &str = include_str!("inhibit.yaml");
/// Where the rules have the base of links.
const BASE: &str = "%BASE%";

/// The rules, as a file of Prometheus. `base` is the address of svcwatch, without a slash at its end, under which
/// people open its runbooks.
pub fn rules(base: &str) -> String {
    // The addresses stand in single quotes (YAML 1.2, section 7.3.2).
    RULES.replace(BASE, &base.replace('\'', "''"))
}

/// What hides what, as a piece of Alertmanager's configuration.
pub const fn inhibit_rules() -> &'static str {
    INHIBIT
}

#[cfg(test)]
mod tests {
    use super::{inhibit_rules, rules};
    use crate::runbook;

    #[test]
    fn every_rule_leads_to_a_runbook_that_exists() {
        let rules = rules("https://watch.corp.example");
        let alerts = rules.matches("- alert: ").count();
        let links: Vec<&str> = rules
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
            .collect();
        assert_eq!(alerts, links.len());
        assert!(alerts >= 15, "{alerts}");
        for link in links {
            let link = link.trim_matches('\'');
            let name = link
                .strip_prefix("https://watch.corp.example/runbooks/")
                .unwrap_or_else(|| panic!("{link}"));
            let name = name.split('?').next().unwrap();
            // One rule takes the name from the fault, whose words all have a page.
            if !name.starts_with("{{") {
                assert!(runbook::names().any(|known| known == name), "{name}");
            }
        }
    }

    #[test]
    fn the_rule_that_people_have_is_unchanged() {
        let rules = rules("http://w");
        assert!(
            rules.contains(
                "- alert: WindowsServerServiceStatus\n        expr: windows_service_status{status=\"ok\"} != 1\n        for: 1m\n        labels:\n          severity: critical\n"
            ),
            "{rules}"
        );
    }

    #[test]
    fn what_hides_and_is_hidden_exists() {
        let rules = rules("http://w");
        for alert in [
            "WindowsHostUnreachable",
            "WindowsHostDenied",
            "WindowsServerServiceStatus",
            "WindowsServiceStopped",
            "WindowsServiceRunsUnexpectedly",
            "WindowsServiceInstalled",
            "WindowsServicePaused",
            "WindowsServiceStuck",
            "WindowsServiceMissing",
            "WindowsServiceHidden",
        ] {
            assert!(rules.contains(&format!("alert: {alert}\n")), "{alert}");
        }
        assert_eq!(inhibit_rules().matches("source_matchers").count(), 2);
    }

    #[test]
    fn a_quote_in_the_address_does_not_end_it() {
        assert!(rules("http://w/it's").contains("'http://w/it''s/runbooks/fleet'"));
    }
}

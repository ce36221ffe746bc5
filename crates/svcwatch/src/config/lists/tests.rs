//! Lists: what is wrong with each is told at its place; what is right joins the config.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use svcwatch_core::id::Name;

use super::csv::{Table, parse_any};
use super::*;
use crate::config::{Config, ConfigErrors, LoadOptions, load_with};

/// A folder with a config that names `hosts.d/*.csv`.
struct House(tempfile::TempDir);

impl House {
    fn new(more: &str) -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        fs::create_dir(house.path("hosts.d")).unwrap();
        let config = format!(
            "credentials: {{ ops: {{ user: u, password: {{ env: PATH }} }}, lab: {{ user: v, password: {{ env: PATH }} }} }}\n\
             defaults: {{ credentials: ops, labels: {{ team: base }} }}\n\
             destinations: {{ out: {{ type: log }} }}\n\
             hosts_from: [{{ file: 'hosts.d/*.csv' }}]\n{more}"
        );
        fs::write(house.path("svcwatch.yaml"), config).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn list(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path("hosts.d").join(name), text).unwrap();
        self
    }

    fn options(&self) -> ListOptions {
        ListOptions {
            data: Some(self.path("data")),
            ..ListOptions::default()
        }
    }

    fn load(&self, options: &ListOptions) -> Result<Config, ConfigErrors> {
        load_with(
            &[self.path("svcwatch.yaml")],
            LoadOptions::default(),
            options,
        )
    }

    /// Loads it, and keeps what was taken as a start does.
    fn start(&self) -> Config {
        let config = self.load(&self.options()).unwrap();
        keep_lists(&self.path("data"), &config.lists).unwrap();
        config
    }

    /// What is said of it, without the folder.
    fn told(&self) -> String {
        let told = match self.load(&self.options()) {
            Ok(config) => {
                let warnings = config
                    .warnings
                    .iter()
                    .map(|warning| format!("warning: {warning}\n"));
                warnings.collect::<Vec<_>>().concat()
            }
            Err(errors) => errors.to_string(),
        };
        told.replace(&format!("{}/", self.0.path().display()), "")
    }
}

const GROUP: &str = "groups: [{ name: all, hosts: '*', services: [Spooler] }]\n";

fn names(config: &Config) -> Vec<&str> {
    config
        .core
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect()
}

fn table(count: usize) -> String {
    let rows: Vec<String> = (0..count)
        .map(|number| format!("srv{number},{number}\n"))
        .collect();
    format!("name,site\n{}", rows.concat())
}

#[test]
fn each_bad_list_gets_its_sentence() {
    let utf16: Vec<u8> = b"\xff\xfe"
        .iter()
        .copied()
        .chain("name\n".bytes().flat_map(|byte| [byte, 0]))
        .collect();
    let lists: Vec<(&str, Vec<u8>)> = vec![
        ("a formula", b"name,site\nsrv01,\"=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\n+srv02,oslo\nsrv03,-1\nsrv04,@SUM(A1)\n".to_vec()),
        ("semicolons", b"name;address;port\r\nsrv01;10.0.0.1;445\r\n".to_vec()),
        ("tabs", b"name\taddress\nsrv01\t10.0.0.1\n".to_vec()),
        ("an open quote", b"name,site\nsrv01,\"oslo\nsrv02,bergen\n".to_vec()),
        ("twice", "\u{feff}name,site\r\nSrv01,oslo\r\n\r\n# old ones\r\nsrv01,bergen\r\n".into()),
        ("a wrong column", b"name,adress,owner\nsrv01,10.0.0.1,ann\n".to_vec()),
        ("a column twice", b"name,site,name\n".to_vec()),
        ("no column for names", b"address,site\n10.0.0.1,oslo\n".to_vec()),
        ("no first line", b"srv01,10.0.0.1\n".to_vec()),
        ("no UTF-8", b"name,site\nsrv01,troms\xf8\n".to_vec()),
        ("UTF-16", utf16),
        ("nothing", Vec::new()),
        ("no name", b"name,site\n,oslo\n , \n".to_vec()),
        ("values", "name,address,port,site,credentials,labels\nsrv01,10.0.0.300,0,,opps,team\nsr*,a b,smb,,lab,a=1;a=2\næøå,10.0.0.1:445,,,,\n".into()),
        ("too few and too many", b"name,site,port\nsrv01\nsrv02,oslo,445,\n\"a,b\",1\n".to_vec()),
        ("an address is missing", b"name\nsrv 01\n".to_vec()),
    ];
    let mut told = Vec::new();
    for (what, list) in lists {
        let house = House::new(GROUP);
        told.push(format!("## {what}\n{}\n", house.list("a.csv", list).told()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn two_files_are_one_list_and_no_file_is_a_warning() {
    let house = House::new(GROUP);
    insta::assert_snapshot!(house.told());
    house
        .list("a.csv", "name\nsrv01\n")
        .list("b.csv", "name\nSRV01\n");
    house
        .list(".#b.csv", "nonsense")
        .list("~$c.csv", "nonsense")
        .list("b.txt", "nonsense");
    insta::assert_snapshot!(house.told());
}

#[test]
fn spreadsheet_files_are_read_as_they_are_saved() {
    let house = House::new(GROUP);
    let list = "\u{feff}Name , ADDRESS,Port,site,credentials,labels\r\n\
                srv01.corp.example,,,\"Oslo, east\",LAB,\"tier = 1 ; role=\"\"db\"\"\"\r\n\
                ,,,,,\r\n\
                \"srv02\",10.0.0.2,4450,,,team=web;\r\n";
    house.list("hosts.csv", list);
    let config = house.start();
    assert_eq!(config.warnings, []);
    assert_eq!(names(&config), ["srv01.corp.example", "srv02"]);
    let host = &config.core.hosts[0];
    assert_eq!(host.site.as_deref(), Some("Oslo, east"));
    assert_eq!(host.account, Some(Name::new("lab")));
    assert!(host.listed && host.services.len() == 1);
    let labels: Vec<(&str, &str)> = host
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        labels,
        [("role", "\"db\""), ("team", "base"), ("tier", "1")]
    );
    let connection = &config.connections[&Name::new("srv02")];
    assert_eq!(
        (connection.address.as_str(), connection.port),
        ("10.0.0.2", 4_450)
    );
    assert_eq!(config.core.hosts[1].labels[0].1, "web");
    let place = config.listed_in(&Name::new("SRV02")).unwrap();
    assert!(place.ends_with("hosts.csv:4"), "{place}");
}

#[test]
fn what_the_config_says_of_a_host_wins_field_by_field() {
    let hosts =
        "hosts: [{ name: SRV01, port: 4451, labels: { tier: own }, services: [W32Time] }]\n";
    let house = House::new(&format!("{GROUP}{hosts}"));
    house.list(
        "a.csv",
        "name,address,port,labels\nsrv01,10.0.0.1,445,tier=list;role=db\nsrv02,,,\n",
    );
    let config = house.start();
    let connection = &config.connections[&Name::new("srv01")];
    assert_eq!(
        (connection.address.as_str(), connection.port),
        ("10.0.0.1", 4_451)
    );
    let host = &config.core.hosts[0];
    assert!(!host.listed, "it stays when the list lets go of it");
    assert_eq!(host.services.len(), 2);
    assert!(host.labels.contains(&("tier".to_owned(), "own".to_owned())));
    assert!(host.labels.contains(&("role".to_owned(), "db".to_owned())));
    assert_eq!(config.lists[0].in_config, 1);
    insta::assert_snapshot!(house.told());
}

#[test]
fn a_group_may_name_a_host_that_a_list_has_let_go_of() {
    let house = House::new("groups: [{ name: web, hosts: [srv01, srv07], services: [W3SVC] }]\n");
    house.list("a.csv", "name\nsrv01\n");
    insta::assert_snapshot!(house.told());
}

#[test]
fn a_list_that_lost_many_stays_as_it_was_until_somebody_accepts_it() {
    let house = House::new(GROUP);
    house.list("a.csv", table(10));
    assert_eq!(house.start().core.hosts.len(), 10);
    house.list("a.csv", table(8));
    let config = house.start();
    assert_eq!(
        (config.core.hosts.len(), config.lists[0].current),
        (8, true),
        "a fifth may go"
    );
    house.list("a.csv", table(4));
    let config = house.start();
    assert_eq!(
        (config.core.hosts.len(), config.lists[0].current),
        (8, false)
    );
    insta::assert_snapshot!(
        config.lists[0]
            .refused
            .join("\n")
            .replace(&format!("{}/", house.0.path().display()), "")
    );
    let strict = ListOptions {
        strict: true,
        ..house.options()
    };
    assert_eq!(
        house.load(&strict).unwrap().warnings.len(),
        1,
        "who looks at the files is warned"
    );
    // It grows back.
    house.list("a.csv", table(7));
    assert_eq!(house.start().core.hosts.len(), 7);
    house.list("a.csv", "name,site\n");
    let config = house.start();
    assert_eq!(config.core.hosts.len(), 7);
    assert!(
        config.lists[0].refused[0].contains("names no host any more"),
        "{:?}",
        config.lists
    );
    let accept = ListOptions {
        accept: Accept::All,
        ..house.options()
    };
    assert_eq!(house.load(&accept).unwrap().core.hosts.len(), 0);
}

#[test]
fn one_host_alone_may_go_and_so_may_those_that_the_config_names_now() {
    let house = House::new(GROUP);
    house.list("a.csv", table(3));
    house.start();
    house.list("a.csv", table(2));
    assert_eq!(house.start().core.hosts.len(), 2);
    house.list("a.csv", table(6));
    house.start();
    house.list("a.csv", table(1));
    let hosts: Vec<String> = (1..6)
        .map(|number| format!("  - {{ name: srv{number} }}\n"))
        .collect();
    let config = fs::read_to_string(house.path("svcwatch.yaml")).unwrap();
    fs::write(
        house.path("svcwatch.yaml"),
        format!("{config}hosts:\n{}", hosts.concat()),
    )
    .unwrap();
    assert!(house.start().lists[0].current);
}

#[test]
fn a_list_that_is_wrong_stays_as_it_was_across_a_restart() {
    let house = House::new(GROUP);
    house.list("a.csv", table(3));
    house.start();
    for (list, why) in [
        ("name,site\nsrv0,=1\n", "formula"),
        ("name;site\n", "semicolons"),
        // It is right in itself, and does not fit the rest.
        ("name\nsrv0\nsrv1\nsrv 2\n", "has no address"),
    ] {
        house.list("a.csv", list);
        let config = house.start();
        assert_eq!(config.core.hosts.len(), 3, "{list}");
        assert!(
            config.lists[0].refused.concat().contains(why),
            "{:?}",
            config.lists[0].refused
        );
        let strict = ListOptions {
            strict: true,
            ..house.options()
        };
        assert!(
            house.load(&strict).is_err(),
            "who looks at the files is told"
        );
    }
    fs::remove_file(house.path("hosts.d/a.csv")).unwrap();
    assert_eq!(house.start().core.hosts.len(), 3);
    fs::remove_dir_all(house.path("hosts.d")).unwrap();
    assert_eq!(house.start().core.hosts.len(), 3);
}

#[test]
fn what_was_kept_and_cannot_be_used_is_as_if_it_were_not_there() {
    let house = House::new(GROUP);
    house.list("a.csv", table(10));
    house.start();
    let kept = fs::read_dir(house.path("data/host-lists"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(kept, "{\"version\":1,").unwrap();
    house.list("a.csv", table(2));
    assert_eq!(house.start().core.hosts.len(), 2);
}

#[test]
fn a_hundred_thousand_hosts_are_read_in_seconds() {
    let house = House::new(GROUP);
    let rows: Vec<String> = (0..100_000)
        .map(|number| {
            format!(
                "srv{number}.corp.example,10.{}.{}.{},445,oslo,ops,tier={};role=app\n",
                number >> 16,
                number >> 8 & 255,
                number & 255,
                number % 3
            )
        })
        .collect();
    let list = format!(
        "name,address,port,site,credentials,labels\n{}",
        rows.concat()
    );
    house.list("a.csv", &list);
    let begun = Instant::now();
    let config = house.load(&house.options()).unwrap();
    assert_eq!(config.core.hosts.len(), 100_000);
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "{:?}",
        begun.elapsed()
    );
    house.list("a.csv", list.replace(",445,", ",=1,"));
    let errors = house.load(&house.options()).unwrap_err();
    assert_eq!((errors.problems.len(), errors.more), (1_000, 99_000));
}

#[test]
fn more_than_a_list_may_hold_is_refused() {
    let house = House::new(GROUP);
    house.list("a.csv", vec![b'\n'; LIST_BYTES + 1]);
    assert!(
        house.told().contains("larger than 32 MiB"),
        "{}",
        house.told()
    );
    house.list(
        "a.csv",
        format!("name,site\nsrv01,\"{}\n", "x,\n".repeat(10_000)),
    );
    assert!(
        house.told().contains("30000 bytes") || house.told().contains("bytes; write at most"),
        "{}",
        house.told()
    );
}

fn sd(text: &str) -> Result<HostList, String> {
    let mut problems = Problems::new(&[]);
    let accounts = BTreeSet::from(["ops".to_owned()]);
    let list = sd::read(text.as_bytes(), "http://cmdb/sd", &accounts, &mut problems);
    match problems.finish() {
        Ok(_) => Ok(list.unwrap()),
        Err(errors) => Err(errors.to_string()),
    }
}

#[test]
fn an_answer_for_prometheus_is_a_list() {
    let list = sd(r#"[
        { "targets": ["srv01.corp.example:9182", "10.0.0.2:4450", "[fe80::1]:445", "srv03"],
          "labels": { "site": "oslo", "team": "db", "empty": "", "__meta_x": "y" } },
        { "targets": ["10.0.0.9:9182"], "labels": { "__meta_svcwatch_name": "srv09", "__meta_svcwatch_port": "9182",
          "__meta_svcwatch_site": "bergen", "__meta_svcwatch_credentials": "OPS" } },
        { "targets": ["srv03:9100"] }, { "targets": [] } ]"#)
    .unwrap();
    let short: Vec<_> = list
        .hosts
        .iter()
        .map(|host| {
            (
                host.name.as_str(),
                host.address.as_deref().unwrap(),
                host.port,
                host.site.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            (
                "srv01.corp.example",
                "srv01.corp.example",
                None,
                Some("oslo")
            ),
            ("10.0.0.2", "10.0.0.2", Some(4_450), Some("oslo")),
            ("fe80::1", "fe80::1", Some(445), Some("oslo")),
            ("srv03", "srv03", None, Some("oslo")),
            ("srv09", "10.0.0.9", Some(9_182), Some("bergen")),
        ]
    );
    let labels: Vec<&str> = list.hosts[0].labels.keys().map(String::as_str).collect();
    assert_eq!(labels, ["site", "team"]);
    assert_eq!(list.hosts[4].credentials.as_deref(), Some("OPS"));
}

#[test]
fn an_answer_that_is_no_list_is_a_sentence() {
    let answers = [
        "<html>log on</html>",
        "[{\"targets\": [",
        "{\"targets\": []}",
        "[[]]",
        "[{\"targets\": \"srv01\"}]",
        "[{\"targets\": [1, \"a b\", \"srv01:smb\", \"-:1\"]}]",
        "[{\"targets\": [\"srv01\"], \"labels\": [\"a\"]}]",
        "[{\"targets\": [\"srv01\"], \"labels\": {\"a\": 1}}]",
        "[{\"targets\": [\"srv01\"], \"labels\": {\"__meta_svcwatch_credentials\": \"opps\"}}]",
        "[{\"targets\": [\"srv01\", \"srv02\"], \"labels\": {\"__meta_svcwatch_name\": \"x\"}}]",
    ];
    let told: Vec<String> = answers
        .iter()
        .map(|answer| format!("## {answer}\n{}\n", sd(answer).unwrap_err()))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_they_are_hosts_or_a_problem(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        parse_any(&bytes);
    }

    #[test]
    fn whatever_the_signs_are_they_are_hosts_or_a_problem(
        head in "(name|address|port|site|credentials|labels|,|;|\"|\n){1,8}",
        text in "[a-c0-9,;=+@\"'#\r\n\t ø.:-]{0,200}",
    ) {
        parse_any(format!("{head}\n{text}").as_bytes());
        parse_any(format!("name,{head}\n{text}").as_bytes());
        parse_any(format!("name,port,labels\n{text}").as_bytes());
    }

    #[test]
    fn whatever_a_service_says_is_a_list_or_a_sentence(text in r#"[\[\]{}",: a-z_0-9]{0,200}"#) {
        match sd(&text) {
            Ok(list) => assert!(list.hosts.iter().all(|host| !host.name.is_empty())),
            Err(told) => assert!(!told.is_empty()),
        }
    }

    #[test]
    fn a_value_is_where_its_message_says(before in "[a-zø ]{0,9}", quoted in any::<bool>(), lines in 0_u32..4) {
        let before = if quoted { format!("\"{before},\"\"\"") } else { before };
        let text = format!("site,port,name\n{}{before},x,srv01\n", "# remark\n".repeat(lines as usize));
        let accounts = BTreeSet::new();
        let mut problems = Problems::new(&[]);
        let file = problems.add_list(Path::new("hosts.csv"));
        Table::new(Some(&accounts)).add(text.as_bytes(), file, &mut problems);
        let errors = problems.finish().unwrap_err();
        let port = errors.problems.iter().find(|problem| problem.path == "port").unwrap();
        prop_assert_eq!(port.line, lines + 2);
        prop_assert_eq!(port.column, u32::try_from(before.chars().count()).unwrap() + 2);
    }
}

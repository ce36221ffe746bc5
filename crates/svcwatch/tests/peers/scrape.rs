//! A real Prometheus on the other side of `web.config_file`: it scrapes with a certificate and a login, learns the
//! hosts from /api/v1/sd, and reads each of them through /probe.

use crate::support::{
    ADMINISTRATOR, PASSWORD,
    process::{Running, need, run},
    prometheus::Server,
    samba::{Samba, Settings},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::{
    fs::{self, File},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_mins(3);

/// Writes an authority, a certificate of a server and one of a client, and the file that asks for the latter.
fn papers(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("there are no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key can be made");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("it signs itself");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    };
    write("ca.crt", &authority.pem());
    for (name, names, usage) in [
        (
            "server",
            vec!["127.0.0.1".to_owned()],
            ExtendedKeyUsagePurpose::ServerAuth,
        ),
        ("client", Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let key = key();
        let mut params = CertificateParams::new(names).expect("good names");
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &authority).expect("it is signed");
        write(&format!("{name}.crt"), &certificate.pem());
        write(&format!("{name}.key"), &key.serialize_pem());
    }
    let hash = bcrypt::hash_with_salt("scrape me", 10, [5; 16]).expect("it can be hashed");
    let hash = hash.format_for_version(bcrypt::Version::TwoY);
    write(
        "web.yaml",
        &format!(
            "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  min_version: TLS12\nbasic_auth_users:\n  prometheus: {hash}\n"
        ),
    );
}

/// A svcwatch that watches this host behind that file, and where it listens.
fn svcwatch(samba: &Samba, folder: &Path) -> (Running, String) {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = format!(
        "listen: 127.0.0.1:0\n\
         web: {{ config_file: web.yaml }}\n\
         credentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n\
         defaults: {{ every: 2s, timeout: 20s, credentials: ops }}\n\
         hosts: [{{ name: lab, address: 127.0.0.1, port: {}, site: oslo, services: [Spooler] }}]\n\
         probe: {{ modules: {{ print: {{ services: ['Spool*'] }} }} }}\n\
         destinations: {{ out: {{ type: log }} }}\n",
        samba.port()
    );
    fs::write(folder.join("svcwatch.yaml"), config).expect("a file can be written");
    let log = folder.join("log");
    let mut running = Running::start(
        Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .arg("run")
            .arg("-c")
            .arg(folder.join("svcwatch.yaml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("RUST_LOG", "svcwatch=info")
            .stdout(File::create(folder.join("told")).expect("a file can be written"))
            .stderr(File::create(&log).expect("a file can be written")),
    );
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let address = || {
        let said = said();
        let rest = said.split("listens https://").nth(1)?;
        Some(rest.lines().next()?.trim().to_owned())
    };
    running.wait_until(
        "svcwatch listens",
        || address().is_some_and(|address| TcpStream::connect(address).is_ok()),
        said,
    );
    (running, address().expect("it listens"))
}

/// How Prometheus scrapes: with everything, without a certificate, without a login, and each host of the service
/// discovery through /probe, relabelled as people do for exporters that scrape others.
fn config(address: &str, folder: &Path) -> String {
    let at = folder.display();
    let ca = format!("tls_config: {{ ca_file: '{at}/ca.crt' }}");
    let tls = format!(
        "tls_config: {{ ca_file: '{at}/ca.crt', cert_file: '{at}/client.crt', key_file: '{at}/client.key' }}"
    );
    let login = "basic_auth: { username: prometheus, password: 'scrape me' }";
    let targets = format!("scheme: https, static_configs: [{{ targets: ['{address}'] }}]");
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs:\n\
         - {{ job_name: svcwatch, {targets}, {tls}, {login} }}\n\
         - {{ job_name: no_certificate, {targets}, {ca}, {login} }}\n\
         - {{ job_name: no_login, {targets}, {tls} }}\n\
         - job_name: windows\n  \
           scheme: https\n  \
           metrics_path: /probe\n  \
           params: {{ module: [print] }}\n  \
           scrape_interval: 5s\n  \
           scrape_timeout: 5s\n  \
           {tls}\n  \
           {login}\n  \
           http_sd_configs: [{{ url: 'https://{address}/api/v1/sd', refresh_interval: 1s, {tls}, {login} }}]\n  \
           relabel_configs:\n  \
           - {{ source_labels: [__address__], target_label: __param_target }}\n  \
           - {{ source_labels: [__param_target], target_label: instance }}\n  \
           - {{ source_labels: [__meta_svcwatch_site], target_label: site }}\n  \
           - {{ target_label: __address__, replacement: '{address}' }}\n"
    )
}

/// The samples of a query, each as its labels and its value.
fn query(prometheus: &Server, text: &str) -> Vec<(serde_json::Value, String)> {
    let answer = prometheus.get(&format!("/api/v1/query?query={text}"));
    let samples = answer["data"]["result"].as_array().cloned();
    samples
        .unwrap_or_default()
        .into_iter()
        .map(|sample| {
            let value = sample["value"][1].as_str().unwrap_or_default().to_owned();
            (sample["metric"].clone(), value)
        })
        .collect()
}

#[test]
fn prometheus_scrapes_behind_a_certificate_and_a_login_and_probes_what_it_discovers() {
    need("promtool", "prometheus");
    let samba = Samba::start(&Settings::default());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    papers(folder.path());
    // Prometheus' own check takes the file as well.
    run(Command::new("promtool")
        .args(["check", "web-config"])
        .arg(folder.path().join("web.yaml")));
    let (_running, address) = svcwatch(&samba, folder.path());
    let prometheus = Server::prometheus_of(&config(&address, folder.path()));
    let begun = Instant::now();
    let wanted = [
        ("up{job=\"svcwatch\"}", "1"),
        ("up{job=\"no_certificate\"}", "0"),
        ("up{job=\"no_login\"}", "0"),
        ("up{job=\"windows\",instance=\"lab\"}", "1"),
        ("svcwatch_host_up{host=\"lab\"}", "1"),
        ("probe_success{instance=\"lab\",site=\"oslo\"}", "1"),
    ];
    for (text, value) in wanted {
        loop {
            let encoded = text
                .replace('"', "%22")
                .replace('{', "%7B")
                .replace('}', "%7D");
            let samples = query(&prometheus, &encoded);
            if matches!(&*samples, [(_, seen)] if seen == value) {
                break;
            }
            assert!(
                begun.elapsed() < DEADLINE,
                "{text} is {samples:?}\n{:#}\n{}",
                prometheus.get("/api/v1/targets"),
                fs::read_to_string(folder.path().join("log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(200));
        }
    }
    let states = query(
        &prometheus,
        "windows_service_state%7Bjob=%22windows%22%7D%20==%201",
    );
    let names: Vec<&str> = states
        .iter()
        .filter_map(|(labels, _)| labels["name"].as_str())
        .collect();
    assert_eq!(names, ["spooler"], "the module gives no others");
}

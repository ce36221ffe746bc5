//! One check of a real Samba, over a kept and encrypted session and from scratch, against impacket's library.

use crate::support::process::run;
use crate::support::samba::{Samba, Settings};
use crate::support::{ADMINISTRATOR, PASSWORD};
use crate::table::{Promise, Table, kibibytes, part_of, seconds};
use rustix::time::{ClockId, clock_gettime};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use svcwatch::probe::{Access, Auth, Encryption, Prober, Transport};
use svcwatch::secret::Secret;
use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{Outcome, ProbeId};
use svcwatch_core::time::Span;

/// The word by which the process that counts memory is started.
pub(crate) const CHILD: &str = "--memory-of-connections";
/// This part, for the table.
const PART: &str = "check";
/// Lists over one kept connection: ours and impacket's.
const KEPT: (u32, u32) = (2_000, 200);
/// Lists from scratch: ours and impacket's.
const SCRATCH: (u32, u32) = (100, 50);
/// Connections before memory is looked at first, and those that are looked at.
const CONNECTIONS: (u32, u32) = (64, 192);
/// Debian's own Python, which sees Debian's modules.
const PYTHON: &str = "/usr/bin/python3";
/// Of impacket's time over a kept connection and from scratch.
const PROMISED: (f64, f64) = (1.0 / 50.0, 1.0 / 25.0);
/// Bytes of a kept connection.
const MEMORY: f64 = 16.0 * 1024.0;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let samba = Samba::start(&Settings::default());
    let port = samba.port();
    let (kept, scratch) = ours(port);
    let (their_kept, their_scratch) = theirs(port);
    table.plain(
        PART,
        "CPU of one check, kept and encrypted",
        format!("{} (impacket {})", seconds(kept), seconds(their_kept)),
    );
    table.promised(
        PART,
        "… as a part of impacket's library, same Samba, same run",
        kept / their_kept,
        (Promise::AtMost, PROMISED.0),
        part_of,
    );
    table.plain(
        PART,
        "CPU of one check from scratch",
        format!("{} (impacket {})", seconds(scratch), seconds(their_scratch)),
    );
    table.promised(
        PART,
        "… as a part of impacket's library, same Samba, same run",
        scratch / their_scratch,
        (Promise::AtMost, PROMISED.1),
        part_of,
    );
    table.promised(
        PART,
        format!("memory of a kept connection ({} more)", CONNECTIONS.1),
        memory(port),
        (Promise::AtMost, MEMORY),
        kibibytes,
    );
}

fn access(port: u16) -> Access {
    Access {
        address: "127.0.0.1".to_owned(),
        port,
        transport: Transport::Smb {
            encryption: Encryption::Required,
        },
        user: ADMINISTRATOR.to_owned(),
        password: Secret::from(PASSWORD),
        second_password: None,
        auth: Auth::Ntlm,
    }
}

/// Lists the services of a host once, and fails where that did not work.
async fn check(prober: &Prober, access: &Access, host: &Name) {
    let request = ProbeRequest {
        host: host.clone(),
        probe: ProbeId(1),
        may_log_on: true,
        logons: 1,
        ask: Arc::from([]),
        uptime: false,
        timeout: Span::minutes(1),
    };
    let observation = Box::pin(prober.check(&request, access)).await;
    assert!(
        matches!(&observation.outcome, Outcome::Read(reading) if !reading.services.is_empty()),
        "the host was not read: {:?}",
        observation.outcome
    );
}

/// Seconds of CPU time of one kept check of ours, and of one from scratch.
fn ours(port: u16) -> (f64, f64) {
    let runtime = single_thread();
    let (access, host) = (access(port), Name::new("cihost"));
    runtime.block_on(async {
        let prober = Prober::new();
        check(&prober, &access, &host).await;
        let before = cpu_time();
        for _ in 0..KEPT.0 {
            check(&prober, &access, &host).await;
        }
        let kept = cpu_time().saturating_sub(before).as_secs_f64() / f64::from(KEPT.0);
        prober.forget(&host).await;
        let before = cpu_time();
        for _ in 0..SCRATCH.0 {
            check(&prober, &access, &host).await;
            prober.forget(&host).await;
        }
        let scratch = cpu_time().saturating_sub(before).as_secs_f64() / f64::from(SCRATCH.0);
        (kept, scratch)
    })
}

/// The same of impacket's library, in a process of its own.
fn theirs(port: u16) -> (f64, f64) {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/svcwatch/list_services.py"
    );
    let output = run(Command::new(PYTHON)
        .arg(script)
        .args([&port.to_string(), ADMINISTRATOR, PASSWORD])
        .args([KEPT.1.to_string(), SCRATCH.1.to_string()]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(kept)), Some(Ok(scratch))) => (kept, scratch),
        _ => panic!("impacket's script said {text:?}"),
    }
}

/// CPU time that this process has used.
fn cpu_time() -> Duration {
    time_of(ClockId::ProcessCPUTime)
}

/// CPU time that this thread has used, which other programs on the machine do not lengthen.
pub(crate) fn thread_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

fn single_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// Bytes that each further kept connection takes, in a process that does nothing else.
fn memory(port: u16) -> f64 {
    let program = std::env::current_exe().expect("this program knows its own path");
    let output = run(Command::new(program).args([CHILD, &port.to_string()]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("the process that counts memory said {text:?}"))
}

/// The process that counts memory.
pub(crate) fn child(words: &[String]) -> ExitCode {
    let port = words.get(1).and_then(|port| port.parse().ok());
    let access = access(port.expect("a port is given"));
    let bytes = single_thread().block_on(async {
        let prober = Prober::new();
        open(&prober, &access, 0..CONNECTIONS.0).await;
        let before = resident();
        open(
            &prober,
            &access,
            CONNECTIONS.0..CONNECTIONS.0 + CONNECTIONS.1,
        )
        .await;
        let after = resident();
        assert_eq!(
            prober.sessions(),
            usize::try_from(CONNECTIONS.0 + CONNECTIONS.1).unwrap_or(0)
        );
        after.saturating_sub(before)
    });
    println!("{}", to_f64(bytes) / f64::from(CONNECTIONS.1));
    ExitCode::SUCCESS
}

async fn open(prober: &Prober, access: &Access, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let host = Name::new(&format!("host-{number}"));
        // Twice, so that a kept connection is looked at that has been used as one.
        check(prober, access, &host).await;
        check(prober, access, &host).await;
    }
}

/// Bytes of memory that this process has in use.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: u64 = number
        .and_then(|number| number.parse().ok())
        .expect("Linux tells how much memory a process has");
    kibibytes * 1024
}

/// A number for a ratio; bytes and counts here are far below what a float holds exactly.
pub(crate) fn to_f64(number: u64) -> f64 {
    u32::try_from(number).map_or_else(
        |_| f64::from(u32::try_from(number >> 16).unwrap_or(u32::MAX)) * 65_536.0,
        f64::from,
    )
}

//! `svcwatch demo`.

use super::{failure::Failure, output};
use crate::{
    app::{App, StartError},
    demo::{self, Demo, DemoError, HOSTS_MAX, SERVICES_PER_HOST, Settings, words},
    os::{Signal, Signals},
    web::ListenError,
};
use clap::Args;
use std::{
    io::{self, IsTerminal},
    net::{Ipv4Addr, SocketAddr},
    ops::{ControlFlow, RangeInclusive},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// Where it listens unless somebody says otherwise.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7467);
/// Any free port.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How much slower or faster a story may be told.
const SPEEDS: RangeInclusive<f64> = 0.1..=100.0;
/// How often the line with the numbers is written anew.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Rows that are counted under one lock of the board.
const PIECE: usize = 2_000;

/// Watch a simulated fleet on this machine, in which outages happen
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch demo
  svcwatch demo --hosts 5000
  svcwatch demo --speed 5 --listen 127.0.0.1:7500

The hosts are simulated, but everything that looks at them is the real thing: they are read over their real protocol, \
and what svcwatch decides, stores, tells and serves is what it would for real ones. Its data lies in a temporary folder \
that is removed at the end.")]
pub(super) struct Arguments {
    /// How many hosts, of 60 services each
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(HOSTS_MAX)))]
    hosts: u32,
    /// So many times as fast: outages, checks and waits
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Where metrics and the API are served; 127.0.0.1:7467, or any free port where that one is taken
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text
        .parse()
        .map_err(|_| "a number such as 2 or 0.5 is wanted".to_owned())?;
    if SPEEDS.contains(&speed) {
        Ok(speed)
    } else {
        Err(format!(
            "it may be between {} and {}",
            SPEEDS.start(),
            SPEEDS.end()
        ))
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut signals = Signals::listen()
        .map_err(|error| Failure::not_started(format!("signals cannot be listened to: {error}")))?;
    let mut settings = Settings {
        hosts: usize::try_from(arguments.hosts).unwrap_or(usize::MAX),
        speed: arguments.speed,
        listen: arguments.listen.unwrap_or(USUAL),
        seed: demo::SEED,
    };
    let mut started = Box::pin(Demo::start(&settings)).await;
    if let Err(DemoError::Start(StartError::Listen(ListenError::InUse { .. }))) = &started
        && arguments.listen.is_none()
    {
        settings.listen = ANY;
        started = Box::pin(Demo::start(&settings)).await;
    }
    let mut demo = started?;
    let watched = Box::pin(watch(&mut demo, &settings, &mut signals)).await;
    output::complain("svcwatch is ending");
    let again = async { while signals.next().await != Signal::Stop {} };
    tokio::select! {
        stopped = demo.stop() => stopped.map_err(Failure::met)?,
        () = again => {}
    }
    watched
}

/// Tells what happens until somebody asks for the end.
async fn watch(demo: &mut Demo, settings: &Settings, signals: &mut Signals) -> Result<(), Failure> {
    output::print(&banner(demo, settings))?;
    let mut tail = demo.tail();
    let colours = output::colours_on(io::stdout().is_terminal());
    let progress = output::Progress::new();
    let mut status = interval(STATUS_EVERY);
    status.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            signal = signals.next() => if signal == Signal::Stop {
                return Ok(());
            },
            ended = demo.app().ended() => return ended.map_err(Failure::met),
            line = tail.next() => if let Some(line) = words::line(&line?) {
                progress.at("");
                output::print(&format!("{}\n", line.print(colours)))?;
                progress.at(&numbers(demo.app()));
            },
            _ = status.tick() => progress.at(&numbers(demo.app())),
        }
    }
}

fn banner(demo: &mut Demo, settings: &Settings) -> String {
    let app = demo.app();
    let url = app.url().to_owned();
    let folder = app.data().display().to_string();
    let program = std::env::args_os().next().map_or_else(
        || "svcwatch".to_owned(),
        |own| own.to_string_lossy().into_owned(),
    );
    let hosts = settings.hosts;
    let every = settings.pace().every;
    let (host, service) = example(demo);
    let seconds = Duration::from_millis(every.0).as_secs_f64();
    format!(
        "svcwatch watches a simulated fleet: {hosts} {} of {SERVICES_PER_HOST} services each, read every {seconds} s over the real\n\
         protocol on 127.0.0.1. Some are in trouble from the beginning: unreachable, silent, refusing the logon, denying\n\
         access, answering nonsense; services are stopped, paused, missing, hidden or stuck. Others fail while you watch.\n\
         \n\
         Look at   {url}/metrics\n\
         \x20         {url}/api/v1/incidents   (hosts, services, deliveries)\n\
         Try       {program} incidents --api {url}\n\
         \x20         {program} history --api {url} {host} {service}\n\
         \x20         curl '{url}/api/v1/explain?host={host}&service={service}'\n\
         Stored in {folder}, and removed at the end. Times are in UTC.\n\
         Stop with Ctrl-C.\n\n",
        if hosts == 1 { "host" } else { "hosts" },
    )
}

/// A service that something is wrong with, to try commands with.
fn example(demo: &Demo) -> (String, String) {
    let world = demo.fleet().world();
    let in_trouble = demo.cast().services.first().map(|(target, _)| *target);
    let target = in_trouble.or_else(|| world.watched(0).first().copied());
    target.map_or_else(
        || ("HOST".to_owned(), "SERVICE".to_owned()),
        |target| {
            (
                world.host_name(target.host).to_owned(),
                world.service_name(target).to_owned(),
            )
        },
    )
}

/// How all is: `200 hosts, 188 of them read, 9 with a fault; 14 incidents open`.
fn numbers(app: &App) -> String {
    let (mut hosts, mut read, mut faulty, mut incidents) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut after = None;
    loop {
        after = app.board().walk_hosts(after.as_ref(), PIECE, |host| {
            hosts += 1;
            faulty += u32::from(host.fault.is_some());
            read += u32::from(host.is_up());
            ControlFlow::Continue(())
        });
        if after.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        after = app.board().walk_services(after.as_ref(), PIECE, |seen| {
            incidents += u32::from(seen.row.incident.is_some());
            ControlFlow::Continue(())
        });
        if after.is_none() {
            break;
        }
    }
    format!(
        "{hosts} hosts, {read} of them read, {faulty} with a fault; {incidents} services not as expected"
    )
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Start(error) => error.into(),
            DemoError::Folder(_) | DemoError::Fleet(_) => Self::not_started(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_in_bounds() {
        assert!(speed("2").is_ok_and(|speed| speed > 1.9));
        assert!(speed("0.5").is_ok());
        for bad in ["0", "-1", "1e9", "NaN", "fast", ""] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}

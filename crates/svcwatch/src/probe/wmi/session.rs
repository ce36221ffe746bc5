//! A kept connection with WMI of one computer.

use std::collections::{HashMap, HashSet};

use svcwatch_core::id::Name;
use svcwatch_core::limits::{ASKED_MAX, SERVICES_PER_HOST_MAX};
use svcwatch_core::observe::{Asked, Fault, HostFault, HostReading, ServiceConfig};
use svcwatch_core::per_user;
use tokio::time::Instant;
use wmi::{IWbemClassWrapper, Variant, WMIConnection, WMIError};

use super::faults::Trouble;
use super::row::{self, Row, Value};
use super::worker::Worker;
use crate::os;
use crate::probe::rpc::{After, Failure, LoggedOn};
use crate::probe::{Access, scm};

/// Where Win32_Service lives.
const NAMESPACE: &str = r"ROOT\CIMV2";
/// What a check asks for. All of it has been there since WMI is.
const LIST: &str = "SELECT Name, DisplayName, State, Status, ProcessId, ExitCode, ServiceSpecificExitCode, \
     CheckPoint, WaitHint, ServiceType, SystemName FROM Win32_Service";
/// What is asked for to know how services are set up: whether a start is delayed only later systems say, and a query that
/// names what is not there is refused as a whole.
const CONFIG: &str = "SELECT * FROM Win32_Service";
/// What is being done, for messages.
const CONNECTING: &str = "connecting to its WMI";
const LISTING: &str = "reading the list of services by WMI";
const CONFIGURING: &str = "reading the configuration of services by WMI";

/// An open connection to WMI of a computer, held by a thread of its own.
#[derive(Debug)]
pub(in crate::probe) struct Session {
    access: Access,
    /// The name by which the computer called itself in the last list.
    computer: Option<String>,
    /// Whether it is this computer.
    own: bool,
    worker: Worker<WMIConnection>,
}

/// What a check brings.
type Listed = (HostReading, Option<String>);

impl Session {
    /// Connects to WMI at an address, until `deadline`, as the account that svcwatch runs as.
    pub(in crate::probe) async fn open(
        access: &Access,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> Result<Self, Failure> {
        let own = os::is_this_computer(&access.address);
        let address = access.address.clone();
        let connect = move || {
            if own {
                WMIConnection::with_namespace_path(NAMESPACE)
            } else {
                WMIConnection::with_credentials_and_namespace(&address, NAMESPACE, None, None, None)
            }
            .map_err(|error| trouble(&error))
        };
        let worker = Worker::start(&access.address, deadline, CONNECTING, connect).await?;
        let worker = worker.map_err(|trouble| failure(&trouble, CONNECTING))?;
        logon.accepted = true;
        Ok(Self {
            access: access.clone(),
            computer: None,
            own,
            worker,
        })
    }

    /// Whether it was opened in the way that is asked for now.
    pub(in crate::probe) fn is_for(&self, access: &Access) -> bool {
        (&self.access.address, self.access.transport) == (&access.address, access.transport)
    }

    /// The name by which the computer called itself.
    pub(in crate::probe) fn computer(&self) -> Option<&str> {
        self.computer.as_deref()
    }

    /// Reads the list of services, and asks one by one for those of `ask` that it lacks.
    pub(in crate::probe) async fn check(
        &mut self,
        ask: &[Name],
        deadline: Instant,
    ) -> Result<HostReading, Failure> {
        let ask = ask.to_vec();
        let work = move |connection: &mut WMIConnection| list(connection, &ask);
        let listed = self.worker.ask(deadline, LISTING, work).await?;
        let (reading, computer) = listed.map_err(|trouble| failure(&trouble, LISTING))?;
        scm::GOES_DOWN.refuses(self.own, LISTING)?;
        if reading.services.len() > SERVICES_PER_HOST_MAX {
            let cause = format!("the host lists more than {SERVICES_PER_HOST_MAX} services");
            return Err(dropped(Fault::ProtocolError, cause));
        }
        self.computer = computer;
        Ok(reading)
    }

    /// Reads the configuration of services; those that the list lacks are left out.
    pub(in crate::probe) async fn read_config(
        &mut self,
        services: &[Name],
        deadline: Instant,
    ) -> Result<Vec<ServiceConfig>, Failure> {
        let wanted = services.to_vec();
        let work = move |connection: &mut WMIConnection| {
            let rows = rows(connection, CONFIG)?;
            let by_name: HashMap<String, &Row> = rows
                .iter()
                .filter_map(|row| Some((row.name()?.to_lowercase(), row)))
                .collect();
            let found = wanted.iter().filter_map(|name| {
                let row = by_name.get(name.key())?;
                Some(row.config(name.as_str()))
            });
            Ok(found.collect())
        };
        let read = self.worker.ask(deadline, CONFIGURING, work).await?;
        read.map_err(|trouble: Trouble| failure(&trouble, CONFIGURING))
    }
}

fn dropped(fault: Fault, cause: String) -> Failure {
    Failure {
        fault: HostFault {
            fault,
            cause,
            refusal: None,
        },
        after: After::Drop,
    }
}

fn failure(trouble: &Trouble, doing: &str) -> Failure {
    Failure {
        fault: trouble.fault(doing),
        after: trouble.after(),
    }
}

fn trouble(error: &WMIError) -> Trouble {
    match error {
        WMIError::HResultError { hres } => Trouble::Code(hres.cast_unsigned()),
        other => Trouble::Unreadable(other.to_string()),
    }
}

/// The list, the answers for names that it lacks, and the computer's name.
fn list(connection: &WMIConnection, ask: &[Name]) -> Result<Listed, Trouble> {
    let rows = rows(connection, LIST)?;
    let computer = rows.iter().find_map(Row::computer).map(str::to_owned);
    let known: HashSet<String> = rows
        .iter()
        .filter_map(|row| Some(row.name()?.to_lowercase()))
        .collect();
    let lacking = ask.iter().filter(|name| !known.contains(name.key()));
    let mut asked = Vec::new();
    for name in lacking.take(ASKED_MAX) {
        asked.push((name.clone(), look_for(connection, name)?));
    }
    let services = per_user::folded(rows.iter().filter_map(Row::line));
    let reading = HostReading {
        services,
        asked,
        uptime: None,
    };
    Ok((reading, computer))
}

/// Asks for one service that the list lacks, to learn whether it is missing or only hidden.
fn look_for(connection: &WMIConnection, name: &Name) -> Result<Asked, Trouble> {
    let found = connection.get_object(row::path_of(name.as_str()));
    let read = found.and_then(row_of);
    match read.map_err(|error| trouble(&error)) {
        Ok(row) => Ok(Asked::Read(row.reading())),
        Err(trouble) if trouble.is_missing() => Ok(Asked::Missing),
        Err(trouble) if trouble.is_denied() => Ok(Asked::Hidden),
        Err(trouble) => Err(trouble),
    }
}

/// The objects that a query finds; no more than are read of a host, and one besides.
fn rows(connection: &WMIConnection, query: &str) -> Result<Vec<Row>, Trouble> {
    let found = connection
        .exec_query(query)
        .map_err(|error| trouble(&error))?;
    let rows = found
        .take(SERVICES_PER_HOST_MAX + 1)
        .map(|object| object.and_then(row_of));
    rows.collect::<Result<_, _>>()
        .map_err(|error| trouble(&error))
}

fn row_of(object: IWbemClassWrapper) -> Result<Row, WMIError> {
    let properties: HashMap<String, Variant> = object.into_desr()?;
    let told = properties.into_iter();
    Ok(Row::new(told.filter_map(|(name, value)| {
        Some((name, told_value(value)?))
    })))
}

/// A value as far as it is of use; negative numbers are those of 32 bits that the host means without a sign.
fn told_value(value: Variant) -> Option<Value> {
    let number = |number: Option<u32>| number.map(Value::Number);
    match value {
        Variant::String(text) => Some(Value::Text(text)),
        Variant::Bool(flag) => Some(Value::Flag(flag)),
        Variant::UI1(one) => Some(Value::Number(u32::from(one))),
        Variant::UI2(one) => Some(Value::Number(u32::from(one))),
        Variant::UI4(one) => Some(Value::Number(one)),
        Variant::I4(one) => Some(Value::Number(one.cast_unsigned())),
        Variant::UI8(one) => number(u32::try_from(one).ok()),
        Variant::I1(one) => number(u32::try_from(one).ok()),
        Variant::I2(one) => number(u32::try_from(one).ok()),
        Variant::I8(one) => number(u32::try_from(one).ok()),
        Variant::Empty
        | Variant::Null
        | Variant::R4(_)
        | Variant::R8(_)
        | Variant::Array(_)
        | Variant::Unknown(_)
        | Variant::Object(_) => None,
    }
}

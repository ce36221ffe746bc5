//! The configuration of a service: 17.

use super::handle::decode_code;
use super::{Code, Handle, Reply, Request};
use crate::WireError;
use crate::limits::{CONFIGURATION_BYTES_MAX, STRING_UNITS_MAX};
use crate::ndr::{Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

/// When a service starts (2.2.15, `dwStartType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartType {
    /// 0: a driver that the loader starts.
    Boot,
    /// 1: a driver started while the kernel comes up.
    System,
    /// 2: started at boot; whether delayed is told by [`super::Config2::DelayedAutoStart`].
    Automatic,
    /// 3: started on demand.
    Manual,
    /// 4: cannot be started.
    Disabled,
}

impl StartType {
    /// The start type of a raw value; `None` for a value that the protocol does not have.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::Boot,
            1 => Self::System,
            2 => Self::Automatic,
            3 => Self::Manual,
            4 => Self::Disabled,
            _ => return None,
        })
    }

    /// The raw value.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::Boot => 0,
            Self::System => 1,
            Self::Automatic => 2,
            Self::Manual => 3,
            Self::Disabled => 4,
        }
    }
}

/// The configuration of a service as it stood on the wire: `QUERY_SERVICE_CONFIGW` (2.2.15).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceConfig {
    /// Bits of [`super::service_type`].
    pub service_type: u32,
    /// The start type; [`ServiceConfig::start`] says whether it is one.
    pub start_type: u32,
    /// What the system does when it does not start: 0 ignore to 3 critical.
    pub error_control: u32,
    /// The command line of the service.
    pub binary_path: Option<String>,
    /// Its load-order group.
    pub load_order_group: Option<String>,
    /// Its order inside the group.
    pub tag_id: u32,
    /// Services that it depends on; a `+` before a name means a load-order group.
    pub dependencies: Option<Vec<String>>,
    /// The account that it runs as.
    pub start_name: Option<String>,
    /// The name that people see.
    pub display_name: Option<String>,
}

impl ServiceConfig {
    /// What stands between dependencies on the wire. A conformant string ends at its first NUL, so
    /// servers send slashes, which service names cannot have (3.1.4.11), and clients put them back.
    const SEPARATOR: char = '/';

    /// The start type, or `None` where the raw value is impossible.
    #[must_use]
    pub const fn start(&self) -> Option<StartType> {
        StartType::from_raw(self.start_type)
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let what = "the configuration of a service";
        let service_type = reader.u32(what)?;
        let start_type = reader.u32(what)?;
        let error_control = reader.u32(what)?;
        let has_binary_path = reader.pointer(what)?;
        let has_group = reader.pointer(what)?;
        let tag_id = reader.u32(what)?;
        let has_dependencies = reader.pointer(what)?;
        let has_start_name = reader.pointer(what)?;
        let has_display_name = reader.pointer(what)?;
        let mut string = |present: bool, what: &'static str| {
            if present {
                reader.string(what, STRING_UNITS_MAX).map(Some)
            } else {
                Ok(None)
            }
        };
        Ok(Self {
            service_type,
            start_type,
            error_control,
            binary_path: string(has_binary_path, "the path of the service")?,
            load_order_group: string(has_group, "the load-order group")?,
            tag_id,
            dependencies: string(has_dependencies, "the dependencies")?.map(|list| {
                list.split(Self::SEPARATOR)
                    .filter(|name| !name.is_empty())
                    .map(String::from)
                    .collect()
            }),
            start_name: string(has_start_name, "the account of the service")?,
            display_name: string(has_display_name, "the display name of the service")?,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        let dependencies = self.dependencies.as_ref().map(|names| names.join("/"));
        writer
            .u32(self.service_type)
            .u32(self.start_type)
            .u32(self.error_control)
            .pointer(self.binary_path.is_some())
            .pointer(self.load_order_group.is_some())
            .u32(self.tag_id)
            .pointer(dependencies.is_some())
            .pointer(self.start_name.is_some())
            .pointer(self.display_name.is_some());
        let strings = [
            &self.binary_path,
            &self.load_order_group,
            &dependencies,
            &self.start_name,
            &self.display_name,
        ];
        for text in strings.into_iter().flatten() {
            writer.string(text);
        }
    }
}

/// `RQueryServiceConfigW` (3.1.4.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceConfig {
    /// The service.
    pub service: Handle,
    /// Size of the buffer that the answer may fill at the server, in bytes.
    pub buffer_size: u32,
}

impl QueryServiceConfig {
    /// Asks with the largest buffer. Unlike a list, the answer is only as long as what is in it.
    #[must_use]
    pub const fn new(service: Handle) -> Self {
        Self {
            service,
            buffer_size: CONFIGURATION_BYTES_MAX,
        }
    }
}

impl Request for QueryServiceConfig {
    const OPNUM: u16 = 17;
    type Reply = QueryServiceConfigReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(self.buffer_size);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            service: Handle::decode(&mut reader)?,
            buffer_size: reader.count("the size of the buffer", CONFIGURATION_BYTES_MAX)?,
        })
    }
}

/// The answer to [`QueryServiceConfig`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryServiceConfigReply {
    /// The configuration, where the call succeeded.
    pub config: Option<ServiceConfig>,
    /// With 122: the size to ask with.
    pub needed: u32,
    /// The code.
    pub code: Code,
}

impl Reply for QueryServiceConfigReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match &self.config {
            Some(config) => config.encode(&mut writer),
            None => ServiceConfig::default().encode(&mut writer),
        }
        writer.u32(self.needed).u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let config = ServiceConfig::decode(&mut reader)?;
        let needed = reader.u32("the size that is needed")?;
        let code = decode_code(&mut reader)?;
        let config = code.is_success().then_some(config);
        Ok(Self {
            config,
            needed,
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}

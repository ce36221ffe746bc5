//! What starts or stops a service besides people: 56.

use super::handle::decode_code;
use super::{Code, Handle, Reply, Request};
use crate::WireError;
use crate::limits::{TRIGGER_DATA_BYTES_MAX, TRIGGERS_MAX};
use crate::ndr::{Reader, Writer, count};
use alloc::vec::Vec;

/// Values of [`Trigger::trigger_type`] (2.2.53).
pub mod trigger_type {
    /// A device arrives.
    pub const DEVICE_INTERFACE_ARRIVAL: u32 = 1;
    /// The first IP address appears, or the last one goes.
    pub const IP_ADDRESS_AVAILABILITY: u32 = 2;
    /// The computer joins or leaves a domain.
    pub const DOMAIN_JOIN: u32 = 3;
    /// A firewall port opens or closes.
    pub const FIREWALL_PORT_EVENT: u32 = 4;
    /// A policy changes.
    pub const GROUP_POLICY: u32 = 5;
    /// Something calls an endpoint of the service.
    pub const NETWORK_ENDPOINT: u32 = 6;
    /// An event of a provider.
    pub const CUSTOM: u32 = 20;
}

/// A trigger: `SERVICE_TRIGGER` (2.2.53).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// One of [`trigger_type`]; raw.
    pub trigger_type: u32,
    /// 1 starts the service, 2 stops it; raw.
    pub action: u32,
    /// Which event of its type, as a GUID in wire order.
    pub subtype: Option<[u8; 16]>,
    /// What the event must bring; `None` where the server sent no list at all.
    pub items: Option<Vec<TriggerItem>>,
}

/// A condition of a trigger: `SERVICE_TRIGGER_SPECIFIC_DATA_ITEM` (2.2.52).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerItem {
    /// 1 bytes, 2 text; raw.
    pub data_type: u32,
    /// The bytes; `None` where the server sent none.
    pub data: Option<Vec<u8>>,
}

/// `RQueryServiceConfigEx` (3.1.4.48) at its only level.
///
/// Wine never answers it, and Samba with a fault. Ask it only of a server that has
/// [`super::Config2Level::DelayedAutoStart`], which both refuse with 124 and every Windows with triggers has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceConfigEx {
    /// The service.
    pub service: Handle,
}

impl QueryServiceConfigEx {
    /// `SERVICE_CONFIG_TRIGGER_INFO`.
    const LEVEL: u32 = 8;
}

impl Request for QueryServiceConfigEx {
    const OPNUM: u16 = 56;
    type Reply = QueryServiceConfigExReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(Self::LEVEL);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let service = Handle::decode(&mut reader)?;
        let level = reader.u32("the level of the configuration")?;
        if level != Self::LEVEL {
            return Err(WireError::BadValue {
                what: "the level of the configuration",
                value: level,
            });
        }
        Ok(Self { service })
    }
}

/// The answer to [`QueryServiceConfigEx`]: `SC_RPC_CONFIG_INFOW` (2.2.22) with `SERVICE_TRIGGER_INFO` (2.2.54).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryServiceConfigExReply {
    /// The triggers, where the call succeeded.
    pub triggers: Option<Vec<Trigger>>,
    /// The code.
    pub code: Code,
}

impl Reply for QueryServiceConfigExReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        // The level, and again as the tag of the union.
        writer
            .u32(QueryServiceConfigEx::LEVEL)
            .u32(QueryServiceConfigEx::LEVEL)
            .pointer(self.triggers.is_some());
        if let Some(triggers) = &self.triggers {
            // A list, then a reserved pointer to nothing.
            writer
                .u32(count(triggers.len()))
                .pointer(!triggers.is_empty())
                .u32(0);
            if !triggers.is_empty() {
                encode_triggers(&mut writer, triggers);
            }
        }
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let what = "the level of the configuration";
        let mut reader = Reader::new(stub);
        let level = reader.u32(what)?;
        let tag = reader.u32(what)?;
        if level != tag || !(1..=9).contains(&level) {
            return Err(WireError::BadValue { what, value: level });
        }
        let mut triggers = Vec::new();
        if reader.pointer("the triggers")? {
            if level != QueryServiceConfigEx::LEVEL {
                return Err(WireError::BadValue { what, value: level });
            }
            triggers = decode_triggers(&mut reader)?;
        }
        let code = decode_code(&mut reader)?;
        let triggers = code.is_success().then_some(triggers);
        Ok(Self { triggers, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// Reads `SERVICE_TRIGGER_INFO`. What pointers of an array point to follows the whole array (C706, 14.3.12.3).
fn decode_triggers(reader: &mut Reader<'_>) -> Result<Vec<Trigger>, WireError> {
    let what = "the triggers";
    let number = reader.count(what, TRIGGERS_MAX)?;
    let present = reader.pointer(what)?;
    let reserved = reader.pointer(what)?;
    let mut triggers = Vec::new();
    if present {
        same(what, reader.u32(what)?, number)?;
        let mut pointers = Vec::new();
        for _ in 0..number {
            let trigger_type = reader.u32("the type of a trigger")?;
            let action = reader.u32("the action of a trigger")?;
            let subtype = reader.pointer("the subtype of a trigger")?;
            let items = reader.count("the conditions of a trigger", TRIGGERS_MAX)?;
            let has_items = reader.pointer("the conditions of a trigger")?;
            pointers.push((trigger_type, action, subtype, items, has_items));
        }
        for (trigger_type, action, subtype, items, has_items) in pointers {
            let subtype = if subtype {
                reader.align("the subtype of a trigger", 4)?;
                Some(reader.array("the subtype of a trigger")?)
            } else {
                None
            };
            let items = if has_items {
                Some(decode_items(reader, items)?)
            } else {
                None
            };
            triggers.push(Trigger {
                trigger_type,
                action,
                subtype,
                items,
            });
        }
    }
    if reserved {
        // It must be null (2.2.54); what it points to would be one byte.
        reader.u8("the reserved part of the triggers")?;
    }
    Ok(triggers)
}

fn decode_items(reader: &mut Reader<'_>, number: u32) -> Result<Vec<TriggerItem>, WireError> {
    let what = "the conditions of a trigger";
    same(what, reader.u32(what)?, number)?;
    let mut pointers = Vec::new();
    for _ in 0..number {
        let data_type = reader.u32(what)?;
        let size = reader.count(what, TRIGGER_DATA_BYTES_MAX)?;
        pointers.push((data_type, size, reader.pointer(what)?));
    }
    let mut items = Vec::new();
    for (data_type, size, present) in pointers {
        let data = if present {
            let bytes = reader.conformant_bytes(what, TRIGGER_DATA_BYTES_MAX)?;
            same(what, count(bytes.len()), size)?;
            Some(bytes.to_vec())
        } else {
            None
        };
        items.push(TriggerItem { data_type, data });
    }
    Ok(items)
}

/// The size of a conformant array stands on the wire twice, and must be the same.
fn same(what: &'static str, value: u32, stated: u32) -> Result<(), WireError> {
    if value == stated {
        return Ok(());
    }
    Err(WireError::BadValue { what, value })
}

fn encode_triggers(writer: &mut Writer, triggers: &[Trigger]) {
    writer.u32(count(triggers.len()));
    for trigger in triggers {
        let items = trigger.items.as_deref();
        writer
            .u32(trigger.trigger_type)
            .u32(trigger.action)
            .pointer(trigger.subtype.is_some())
            .u32(count(items.unwrap_or(&[]).len()))
            .pointer(items.is_some());
    }
    for trigger in triggers {
        if let Some(subtype) = &trigger.subtype {
            writer.align(4).bytes(subtype);
        }
        let Some(items) = &trigger.items else {
            continue;
        };
        writer.u32(count(items.len()));
        for item in items {
            let data = item.data.as_deref();
            writer
                .u32(item.data_type)
                .u32(count(data.unwrap_or(&[]).len()))
                .pointer(data.is_some());
        }
        for data in items.iter().filter_map(|item| item.data.as_deref()) {
            writer.conformant_bytes(data);
        }
    }
}

//! The time of day of a server, from its server service: MS-SRVS, both sides. Of it only the one call that tells how
//! long the server runs. Section numbers are those of MS-SRVS.

pub use crate::pdu::SERVER_SERVICE;

use crate::WireError;
use crate::ndr::{Reader, Writer};
use crate::scmr::{Code, Reply, Request};
use alloc::vec::Vec;

/// `TIME_OF_DAY_INFO` (2.2.4.105), in the order of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOfDay {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub elapsed: u32,
    /// Milliseconds since the server was started, in 32 bits; 0 from a server that does not tell.
    pub uptime: u32,
    /// Hour.
    pub hours: u32,
    /// Minute.
    pub minutes: u32,
    /// Second.
    pub seconds: u32,
    /// Hundredth of a second.
    pub hundredths: u32,
    /// Minutes from the server's time zone to UTC, as two's complement; -1 where it has none.
    pub time_zone: u32,
    /// The time of one tick of its clock, in ten-thousandths of a second.
    pub interval: u32,
    /// Day of the month.
    pub day: u32,
    /// Month.
    pub month: u32,
    /// Year.
    pub year: u32,
    /// Day of the week, 0 for Sunday.
    pub weekday: u32,
}

impl TimeOfDay {
    fn encode(&self, writer: &mut Writer) {
        for field in [
            self.elapsed,
            self.uptime,
            self.hours,
            self.minutes,
            self.seconds,
            self.hundredths,
            self.time_zone,
            self.interval,
            self.day,
            self.month,
            self.year,
            self.weekday,
        ] {
            writer.u32(field);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        const WHAT: &str = "the time of day";
        Ok(Self {
            elapsed: reader.u32(WHAT)?,
            uptime: reader.u32(WHAT)?,
            hours: reader.u32(WHAT)?,
            minutes: reader.u32(WHAT)?,
            seconds: reader.u32(WHAT)?,
            hundredths: reader.u32(WHAT)?,
            time_zone: reader.u32(WHAT)?,
            interval: reader.u32(WHAT)?,
            day: reader.u32(WHAT)?,
            month: reader.u32(WHAT)?,
            year: reader.u32(WHAT)?,
            weekday: reader.u32(WHAT)?,
        })
    }
}

/// `NetrRemoteTOD` (3.1.4.21). The server ignores the name that it may be given, so none is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteTimeOfDay;

impl Request for RemoteTimeOfDay {
    const OPNUM: u16 = 28;
    type Reply = RemoteTimeOfDayReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.pointer(false);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        // Whatever name a client sends is not looked at.
        Reader::new(stub).pointer("the name of the server")?;
        Ok(Self)
    }
}

/// The answer to [`RemoteTimeOfDay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteTimeOfDayReply {
    /// The time of day, where the call succeeded.
    pub time: Option<TimeOfDay>,
    /// The code.
    pub code: Code,
}

impl Reply for RemoteTimeOfDayReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.pointer(self.time.is_some());
        if let Some(time) = &self.time {
            time.encode(&mut writer);
        }
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let time = if reader.pointer("the time of day")? {
            Some(TimeOfDay::decode(&mut reader)?)
        } else {
            None
        };
        let code = Code(reader.u32("the code of the answer")?);
        // With any other code the time is whatever lay in the server's memory.
        let time = time.filter(|_| code.is_success());
        Ok(Self { time, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn an_answer_as_a_server_lays_it_out() {
        let mut stub = vec![0, 0, 2, 0];
        for field in [
            1_700_000_000_u32,
            600_000,
            22,
            13,
            20,
            50,
            u32::MAX,
            310,
            14,
            11,
            2023,
            2,
        ] {
            stub.extend_from_slice(&field.to_le_bytes());
        }
        stub.extend_from_slice(&[0; 4]);
        let reply = RemoteTimeOfDayReply::decode(&stub).unwrap();
        let time = reply.time.unwrap();
        assert_eq!((time.elapsed, time.uptime), (1_700_000_000, 600_000));
        assert_eq!((time.day, time.month, time.year), (14, 11, 2023));
        assert_eq!(reply.encode(), stub);
    }

    #[test]
    fn a_refusal_has_no_time() {
        let reply = RemoteTimeOfDayReply::decode(&[0, 0, 0, 0, 5, 0, 0, 0]).unwrap();
        assert_eq!((reply.time, reply.code), (None, Code::ACCESS_DENIED));
        assert!(RemoteTimeOfDayReply::decode(&[0, 0, 2, 0, 5, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_question_names_no_server() {
        assert_eq!(RemoteTimeOfDay.encode(), [0; 4]);
        assert_eq!(RemoteTimeOfDay::OPNUM, 28);
        RemoteTimeOfDay::decode(&[0; 4]).unwrap();
    }
}

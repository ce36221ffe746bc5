//! What the Windows API writes into a buffer of ours (winsvc.h): structures of 64-bit Windows whose texts stand in the
//! same buffer, named by address. An address that points elsewhere is not followed.

use svcwatch_wire::scmr::{
    EnumeratedService, FailureAction, FailureActions, ProcessStatus, ServiceConfig, ServiceStatus,
};

/// Characters of a text, at most: that of the longest command line.
const TEXT_UNITS_MAX: usize = 32_768;
/// Texts of a list, at most.
const TEXTS_MAX: usize = 1_024;
/// Bytes of one line of a list (ENUM_SERVICE_STATUS_PROCESSW): two addresses, nine words, and four bytes to fill up.
const LINE_BYTES: usize = 56;
/// Bytes of one line without its process (ENUM_SERVICE_STATUSW): two addresses, seven words, and four bytes to fill up.
const PLAIN_LINE_BYTES: usize = 48;
/// Failure actions of one service, at most.
const ACTIONS_MAX: usize = 256;

/// The buffer that a list of these services needs, in bytes, with some room for a few more.
pub(super) fn needed(services: &[EnumeratedService]) -> u32 {
    let text = |text: &str| (text.encode_utf16().count() + 1) * 2;
    let lines = services
        .iter()
        .map(|service| LINE_BYTES + text(&service.name) + text(&service.display_name));
    let bytes: usize = lines.sum();
    u32::try_from(bytes + bytes / 8 + 512).unwrap_or(u32::MAX)
}

/// A buffer that the API has filled, and the address that it had then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer<'a> {
    bytes: &'a [u8],
    address: u64,
}

impl<'a> Buffer<'a> {
    /// A filled buffer.
    pub(super) const fn new(bytes: &'a [u8], address: u64) -> Self {
        Self { bytes, address }
    }

    fn word(&self, at: usize) -> Option<u32> {
        let four = self.bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    }

    /// The place in the buffer that an address stands for; none for no address, and for one that points elsewhere.
    fn place(&self, at: usize) -> Option<usize> {
        let eight = self.bytes.get(at..at.checked_add(8)?)?;
        let address = u64::from_le_bytes(eight.try_into().ok()?);
        let place = usize::try_from(address.checked_sub(self.address)?).ok()?;
        (address != 0 && place < self.bytes.len()).then_some(place)
    }

    /// The text at a place, up to its end or that of the buffer.
    fn text_at(&self, place: usize) -> Option<String> {
        let units = self.bytes.get(place..)?.chunks_exact(2);
        let units: Vec<u16> = units
            .map(|unit| u16::from_le_bytes(unit.try_into().unwrap_or_default()))
            .take_while(|unit| *unit != 0)
            .take(TEXT_UNITS_MAX)
            .collect();
        Some(String::from_utf16_lossy(&units))
    }

    fn text(&self, at: usize) -> Option<String> {
        self.text_at(self.place(at)?)
    }

    /// Texts one after another, up to an empty one.
    fn texts(&self, at: usize) -> Option<Vec<String>> {
        let mut place = self.place(at)?;
        let mut texts = Vec::new();
        while texts.len() < TEXTS_MAX {
            let Some(text) = self.text_at(place).filter(|text| !text.is_empty()) else {
                break;
            };
            place = place.checked_add(2 * (text.encode_utf16().count() + 1))?;
            texts.push(text);
        }
        Some(texts)
    }

    fn plain_status_at(&self, at: usize) -> Option<ServiceStatus> {
        let word = |index: usize| self.word(at.checked_add(4 * index)?);
        Some(ServiceStatus {
            service_type: word(0)?,
            current_state: word(1)?,
            controls_accepted: word(2)?,
            win32_exit_code: word(3)?,
            service_exit_code: word(4)?,
            checkpoint: word(5)?,
            wait_hint: word(6)?,
        })
    }

    fn status_at(&self, at: usize) -> Option<ProcessStatus> {
        let word = |index: usize| self.word(at.checked_add(4 * index)?);
        Some(ProcessStatus {
            status: self.plain_status_at(at)?,
            pid: word(7)?,
            flags: word(8)?,
        })
    }

    /// The answer of QueryServiceStatusEx (SERVICE_STATUS_PROCESS).
    pub(super) fn status(&self) -> Option<ProcessStatus> {
        self.status_at(0)
    }

    /// So many lines of EnumServicesStatusExW. A line without a name is none; nothing where one lies outside.
    pub(super) fn lines(&self, count: u32) -> Option<Vec<EnumeratedService>> {
        let count = usize::try_from(count).ok()?;
        let mut lines = Vec::with_capacity(count.min(self.bytes.len() / LINE_BYTES));
        for index in 0..count {
            let at = index.checked_mul(LINE_BYTES)?;
            let process = self.status_at(at.checked_add(16)?)?;
            let Some(name) = self.text(at).filter(|name| !name.is_empty()) else {
                continue;
            };
            lines.push(EnumeratedService {
                name,
                display_name: self.text(at + 8).unwrap_or_default(),
                status: process.status,
                pid: Some(process.pid),
                flags: Some(process.flags),
            });
        }
        Some(lines)
    }

    /// So many lines of EnumDependentServicesW (ENUM_SERVICE_STATUSW). A line without a name is none; nothing where one
    /// lies outside.
    pub(super) fn plain_lines(&self, count: u32) -> Option<Vec<EnumeratedService>> {
        let count = usize::try_from(count).ok()?;
        let mut lines = Vec::with_capacity(count.min(self.bytes.len() / PLAIN_LINE_BYTES));
        for index in 0..count {
            let at = index.checked_mul(PLAIN_LINE_BYTES)?;
            let status = self.plain_status_at(at.checked_add(16)?)?;
            let Some(name) = self.text(at).filter(|name| !name.is_empty()) else {
                continue;
            };
            lines.push(EnumeratedService {
                name,
                display_name: self.text(at + 8).unwrap_or_default(),
                status,
                pid: None,
                flags: None,
            });
        }
        Some(lines)
    }

    /// The answer of QueryServiceConfigW (QUERY_SERVICE_CONFIGW).
    pub(super) fn config(&self) -> Option<ServiceConfig> {
        Some(ServiceConfig {
            service_type: self.word(0)?,
            start_type: self.word(4)?,
            error_control: self.word(8)?,
            binary_path: self.text(16),
            load_order_group: self.text(24),
            tag_id: self.word(32)?,
            dependencies: self.texts(40),
            start_name: self.text(48),
            display_name: self.text(56),
        })
    }

    /// SERVICE_DESCRIPTIONW.
    pub(super) fn description(&self) -> Option<String> {
        self.text(0).filter(|text| !text.is_empty())
    }

    /// A structure that is one BOOL: SERVICE_DELAYED_AUTO_START_INFO, SERVICE_FAILURE_ACTIONS_FLAG.
    pub(super) fn flag(&self) -> Option<bool> {
        self.word(0).map(|word| word != 0)
    }

    /// SERVICE_TRIGGER_INFO: whether there is one.
    pub(super) fn has_triggers(&self) -> Option<bool> {
        self.word(0).map(|count| count != 0)
    }

    /// SERVICE_FAILURE_ACTIONSW.
    pub(super) fn failure_actions(&self) -> Option<FailureActions> {
        let count = usize::try_from(self.word(24)?).ok()?.min(ACTIONS_MAX);
        let first = self.place(32);
        let mut actions = Vec::new();
        if let Some(first) = first {
            for index in 0..count {
                let at = first.checked_add(8 * index)?;
                actions.push(FailureAction {
                    action: self.word(at)?,
                    delay: self.word(at.checked_add(4)?)?,
                });
            }
        }
        Some(FailureActions {
            reset_period: self.word(0)?,
            reboot_message: self.text(8),
            command: self.text(16),
            actions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where the made buffers pretend to be.
    const HERE: u64 = 0x7ff6_1234_0000;

    /// A buffer that is made: fixed part first, texts behind it.
    struct Made {
        bytes: Vec<u8>,
    }

    impl Made {
        fn new(fixed: usize) -> Self {
            Self {
                bytes: vec![0; fixed],
            }
        }

        fn word(mut self, at: usize, value: u32) -> Self {
            self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            self
        }

        /// Writes a text behind the rest, and its address to `at`.
        fn text(mut self, at: usize, text: &str) -> Self {
            let address = HERE + u64::try_from(self.bytes.len()).unwrap();
            self.bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
            for unit in text.encode_utf16().chain([0]) {
                self.bytes.extend(unit.to_le_bytes());
            }
            self
        }

        fn read(&self) -> Buffer<'_> {
            Buffer::new(&self.bytes, HERE)
        }
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let made = Made::new(2 * LINE_BYTES)
            .text(0, "Spooler")
            .text(8, "Druckwarteschlange")
            .word(16, 0x110)
            .word(20, 4)
            .word(44, 4711)
            .text(56, "Größe")
            .word(56 + 20, 1)
            .word(56 + 28, 1066)
            .word(56 + 32, 42);
        let lines = made.read().lines(2).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[0].name.as_str(), lines[0].display_name.as_str()),
            ("Spooler", "Druckwarteschlange")
        );
        assert_eq!(
            (lines[0].status.current_state, lines[0].pid),
            (4, Some(4711))
        );
        assert_eq!(
            (lines[1].name.as_str(), lines[1].display_name.as_str()),
            ("Größe", "")
        );
        let ended = lines[1].status;
        assert_eq!((ended.win32_exit_code, ended.service_exit_code), (1066, 42));
        assert_eq!(Made::new(LINE_BYTES - 8).read().lines(1), None);
    }

    #[test]
    fn a_list_without_processes_is_read_line_by_line() {
        let made = Made::new(2 * PLAIN_LINE_BYTES)
            .text(0, "Fax")
            .text(8, "Telefax")
            .word(16, 0x10)
            .word(20, 4)
            .text(48, "PrintNotify")
            .word(48 + 20, 1)
            .word(48 + 28, 1077);
        let lines = made.read().plain_lines(2).unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.name.as_str(), line.status.current_state, line.pid))
            .collect();
        assert_eq!(told, [("Fax", 4, None), ("PrintNotify", 1, None)]);
        assert_eq!(lines[0].display_name, "Telefax");
        assert_eq!(lines[1].status.win32_exit_code, 1077);
        assert_eq!(Made::new(PLAIN_LINE_BYTES - 8).read().plain_lines(1), None);
        assert_eq!(Made::new(0).read().plain_lines(0), Some(vec![]));
    }

    #[test]
    fn the_next_buffer_has_room_for_the_last_list_and_little_more() {
        let mut made = Made::new(LINE_BYTES * 2);
        for (line, name) in ["Fax", "Größe"].into_iter().enumerate() {
            made = made
                .text(line * LINE_BYTES, name)
                .text(line * LINE_BYTES + 8, "Telefax");
        }
        let used = u32::try_from(made.bytes.len()).unwrap();
        let lines = made.read().lines(2).unwrap();
        assert!((used..used * 2 + 512).contains(&needed(&lines)), "{used}");
        assert!(needed(&[]) > 0);
    }

    #[test]
    fn a_configuration_is_read_with_all_its_texts() {
        let mut made = Made::new(64)
            .word(0, 0x10)
            .word(4, 2)
            .text(16, r"C:\a.exe -x")
            .text(48, "LocalSystem")
            .text(56, "Print Spooler")
            .text(40, "RPCSS");
        for unit in "+TDI".encode_utf16().chain([0, 0]) {
            made.bytes.extend(unit.to_le_bytes());
        }
        let config = made.read().config().unwrap();
        assert_eq!((config.service_type, config.start_type), (0x10, 2));
        assert_eq!(config.binary_path.as_deref(), Some(r"C:\a.exe -x"));
        assert_eq!(config.start_name.as_deref(), Some("LocalSystem"));
        assert_eq!(config.display_name.as_deref(), Some("Print Spooler"));
        assert_eq!(config.load_order_group, None);
        assert_eq!(
            config.dependencies,
            Some(vec!["RPCSS".to_owned(), "+TDI".to_owned()])
        );
    }

    #[test]
    fn pieces_of_the_configuration_are_read() {
        assert_eq!(
            Made::new(8)
                .text(0, "prints")
                .read()
                .description()
                .as_deref(),
            Some("prints")
        );
        assert_eq!(Made::new(8).read().description(), None);
        assert_eq!(Made::new(4).word(0, 1).read().flag(), Some(true));
        assert_eq!(Made::new(24).word(0, 3).read().has_triggers(), Some(true));
        assert_eq!(Made::new(24).read().has_triggers(), Some(false));
        let mut made = Made::new(40)
            .word(0, 86_400)
            .text(16, "mend.exe")
            .word(24, 2);
        let address = HERE + u64::try_from(made.bytes.len()).unwrap();
        made.bytes[32..40].copy_from_slice(&address.to_le_bytes());
        for word in [1_u32, 60_000, 0, 0] {
            made.bytes.extend(word.to_le_bytes());
        }
        let actions = made.read().failure_actions().unwrap();
        assert_eq!(actions.reset_period, 86_400);
        assert_eq!(actions.command.as_deref(), Some("mend.exe"));
        let action = |action, delay| FailureAction { action, delay };
        assert_eq!(actions.actions, [action(1, 60_000), action(0, 0)]);
    }

    #[test]
    fn an_address_that_points_elsewhere_is_not_followed() {
        let mut made = Made::new(64).text(16, "here");
        for address in [0, HERE - 1, HERE + 1_000_000, u64::MAX] {
            made.bytes[16..24].copy_from_slice(&address.to_le_bytes());
            assert_eq!(made.read().config().unwrap().binary_path, None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..400), near in 0u64..64, count in 0u32..9) {
            let buffer = Buffer::new(&bytes, near);
            drop((buffer.lines(count), buffer.plain_lines(count), buffer.config(), buffer.failure_actions()));
            drop((buffer.status(), buffer.description(), buffer.flag(), buffer.has_triggers()));
        }
    }
}

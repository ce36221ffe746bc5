//! Every bound of this crate, in one place.
//!
//! What a host sends is never trusted to end by itself: each count, string, fragment run and
//! conversation has a bound here, and passing it is an error of that host alone.

/// Largest reply stub put together from fragments, in bytes.
pub const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest request stub a [`crate::pdu::Server`] puts together, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Most fragments of one reply or request. Full fragments of the smallest legal size (1,432 bytes)
/// carry 8 MiB in fewer than this.
pub const FRAGMENTS_MAX: usize = 8192;

/// Fragment size that we offer in a bind, in bytes: what Samba and Windows use on a named pipe.
pub const FRAGMENT_BYTES: u16 = 4280;

/// Smallest fragment that every implementation must take, in bytes (C706, 12.6.3.1, `MustRecvFragSize`).
pub const FRAGMENT_BYTES_MIN: u16 = 1432;

/// Most presentation contexts of a bind that a server reads, and most results of its answer.
pub const CONTEXTS_MAX: u8 = 32;

/// Longest conformant string of a stub, in UTF-16 units with the terminator
/// (MS-SCMR 6, `SC_MAX_PATH_LENGTH` is 32 Ki; `pszServiceNames` may have 64 Ki).
pub const STRING_UNITS_MAX: usize = 64 * 1024;

/// Longest service or display name, in UTF-16 units with the terminator (MS-SCMR 6, `SC_MAX_NAME_LENGTH`).
pub const NAME_UNITS_MAX: usize = 257;

/// Largest buffer of an enumeration call, in bytes (MS-SCMR 3.1.4.14 and 3.1.4.40).
pub const ENUMERATION_BYTES_MAX: u32 = 256 * 1024;

/// Largest buffer of a configuration call, in bytes (MS-SCMR 3.1.4.17 and 3.1.4.37).
pub const CONFIGURATION_BYTES_MAX: u32 = 8 * 1024;

/// Most calls that one [`crate::scmr::Enumeration`] makes before it gives up.
pub const ENUMERATION_CALLS_MAX: u32 = 64;

/// Most services that one [`crate::scmr::Enumeration`] gathers.
pub const SERVICES_MAX: usize = 65_536;

/// Most failure actions read from one service (MS-SCMR 2.2.40 allows 1,024).
pub const FAILURE_ACTIONS_MAX: u32 = 1024;

/// Most triggers of a service, and most data items of a trigger (MS-SCMR 2.2.53 and 2.2.54).
pub const TRIGGERS_MAX: u32 = 64;

/// Largest data item of a trigger, in bytes (MS-SCMR 2.2.52).
pub const TRIGGER_DATA_BYTES_MAX: u32 = 1024;

/// Most notifications in one answer (MS-SCMR 2.2.24 allows 4 Ki; one call registers one).
pub const NOTIFICATIONS_MAX: u32 = 4096;

/// Most arguments of a start request (MS-SCMR 6, `SC_MAX_ARGUMENTS`).
pub const ARGUMENTS_MAX: u32 = 1024;

/// Longest signature of a sealed packet, in bytes. NTLM's has 16 (MS-NLMP 2.2.2.9), that of Kerberos 76 (RFC 4121 4.2.6.2).
pub const SIGNATURE_BYTES_MAX: usize = 256;

/// Largest buffer of a call that reads an event log, in bytes (MS-EVEN 2.2.13, `MAX_BATCH_BUFF`).
pub const EVENT_LOG_BYTES_MAX: u32 = 0x7_ffff;

/// Most strings that one event keeps.
pub const EVENT_STRINGS_MAX: usize = 64;

/// Longest string of an event that is kept, in UTF-16 units; what is longer is cut.
pub const EVENT_STRING_UNITS_MAX: usize = 4096;

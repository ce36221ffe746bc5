//! What reads a host.

pub mod codes;
pub mod hello;
mod loopback;
mod smb;
mod transport;

/// Whether a session with a host must be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Encrypted, or not at all.
    #[default]
    Required,
    /// Encrypted where the host can.
    Preferred,
    /// Only signed, unless the host demands encryption.
    Off,
}

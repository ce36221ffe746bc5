//! The greeting that opens a connection to the simulated fleet.
//!
//! The fleet speaks the same DCE/RPC as a Windows host, but over plain TCP on loopback, so there is no SMB
//! logon in front of it. This greeting stands in for that logon: the client says who it is and which host
//! it wants, and the fleet answers with the computer's name or with the NTSTATUS of a refused logon.
//! After an accepted greeting each message in either direction is one DCE/RPC fragment, whose length
//! stands in its own header.
//!
//! All numbers are little endian, all texts are UTF-8 and at most [`TEXT_LIMIT`] bytes long.
//!
//! | client sends            | bytes | fleet answers                      | bytes |
//! |-------------------------|-------|------------------------------------|-------|
//! | magic `svcwfl01`        | 8     | magic `svcwfl01`                   | 8     |
//! | length of the user      | 2     | NTSTATUS, 0 for accepted           | 4     |
//! | length of the host      | 2     | length of the computer name        | 2     |
//! | user, then host         | …     | computer name (empty in a refusal) | …     |

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The first eight bytes in both directions; the last two are the version of this format.
pub const MAGIC: [u8; 8] = *b"svcwfl01";

/// The longest user, host or computer name, in bytes.
pub const TEXT_LIMIT: usize = 256;

/// Length of the fixed part of [`Hello`].
const HELLO_HEAD: usize = 12;

/// Length of the fixed part of [`Reply`].
const REPLY_HEAD: usize = 14;

/// What is wrong with a greeting.
#[derive(Debug, Error)]
pub enum HelloError {
    /// The first bytes are not [`MAGIC`].
    #[error("the other side does not greet as a simulated fleet does")]
    NotAFleet,
    /// A text is longer than [`TEXT_LIMIT`].
    #[error("a name of {0} bytes in the greeting, more than the {TEXT_LIMIT} allowed")]
    TooLong(usize),
    /// A text is not UTF-8.
    #[error("a name in the greeting is not UTF-8")]
    NotText,
    /// The connection failed or ended inside the greeting.
    #[error("the connection ended in the greeting: {0}")]
    Io(#[from] std::io::Error),
}

/// What the client says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The user name as configured, for example `DEMO\watcher`.
    pub user: String,
    /// Name of the host that the client wants to read.
    pub host: String,
}

/// What the fleet answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The logon is accepted, on the computer of this name.
    Accepted {
        /// The computer's own name, which core pins to the host.
        computer: String,
    },
    /// The logon is refused.
    Refused {
        /// Why, as an NTSTATUS (MS-ERREF 2.3.1), for example `0xC000006D`.
        status: u32,
    },
}

impl Hello {
    /// The bytes of this greeting.
    pub fn encode(&self) -> Result<Vec<u8>, HelloError> {
        let user = length(&self.user)?;
        let host = length(&self.host)?;
        let mut bytes = Vec::with_capacity(HELLO_HEAD + self.user.len() + self.host.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&user.to_le_bytes());
        bytes.extend_from_slice(&host.to_le_bytes());
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.extend_from_slice(self.host.as_bytes());
        Ok(bytes)
    }

    /// Sends this greeting.
    pub async fn send(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), HelloError> {
        writer.write_all(&self.encode()?).await?;
        Ok(())
    }

    /// Reads a greeting; the fleet's side.
    pub async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> Result<Self, HelloError> {
        let mut head = [0; HELLO_HEAD];
        reader.read_exact(&mut head).await?;
        let [m0, m1, m2, m3, m4, m5, m6, m7, u0, u1, h0, h1] = head;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
            return Err(HelloError::NotAFleet);
        }
        let user = text(reader, u16::from_le_bytes([u0, u1])).await?;
        let host = text(reader, u16::from_le_bytes([h0, h1])).await?;
        Ok(Self { user, host })
    }
}

impl Reply {
    /// The bytes of this answer.
    pub fn encode(&self) -> Result<Vec<u8>, HelloError> {
        let (status, computer) = match self {
            Self::Accepted { computer } => (0, computer.as_str()),
            Self::Refused { status } => (*status, ""),
        };
        let mut bytes = Vec::with_capacity(REPLY_HEAD + computer.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&status.to_le_bytes());
        bytes.extend_from_slice(&length(computer)?.to_le_bytes());
        bytes.extend_from_slice(computer.as_bytes());
        Ok(bytes)
    }

    /// Sends this answer; the fleet's side.
    pub async fn send(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), HelloError> {
        writer.write_all(&self.encode()?).await?;
        Ok(())
    }

    /// Reads an answer.
    pub async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> Result<Self, HelloError> {
        let mut head = [0; REPLY_HEAD];
        reader.read_exact(&mut head).await?;
        let [m0, m1, m2, m3, m4, m5, m6, m7, s0, s1, s2, s3, n0, n1] = head;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
            return Err(HelloError::NotAFleet);
        }
        let computer = text(reader, u16::from_le_bytes([n0, n1])).await?;
        Ok(match u32::from_le_bytes([s0, s1, s2, s3]) {
            0 => Self::Accepted { computer },
            status => Self::Refused { status },
        })
    }
}

/// The length of a text as it is sent.
fn length(text: &str) -> Result<u16, HelloError> {
    match u16::try_from(text.len()) {
        Ok(length) if text.len() <= TEXT_LIMIT => Ok(length),
        _ => Err(HelloError::TooLong(text.len())),
    }
}

/// Reads a text of a stated length.
async fn text(reader: &mut (impl AsyncRead + Unpin), length: u16) -> Result<String, HelloError> {
    let length = usize::from(length);
    if length > TEXT_LIMIT {
        return Err(HelloError::TooLong(length));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).await?;
    String::from_utf8(bytes).map_err(|_| HelloError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_sides_understand_each_other() {
        let hello = Hello {
            user: r"DEMO\wächter".into(),
            host: "web-017".into(),
        };
        let bytes = hello.encode().unwrap();
        assert_eq!(Hello::receive(&mut bytes.as_slice()).await.unwrap(), hello);

        for reply in [
            Reply::Accepted {
                computer: "WEB-017".into(),
            },
            Reply::Refused {
                status: 0xC000_006D,
            },
        ] {
            let bytes = reply.encode().unwrap();
            assert_eq!(Reply::receive(&mut bytes.as_slice()).await.unwrap(), reply);
        }
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let hello = Hello {
            user: "u".into(),
            host: "ho".into(),
        };
        assert_eq!(hello.encode().unwrap(), b"svcwfl01\x01\x00\x02\x00uho");
        let reply = Reply::Refused {
            status: 0xC000_006D,
        };
        assert_eq!(reply.encode().unwrap(), b"svcwfl01\x6d\x00\x00\xc0\x00\x00");
    }

    #[tokio::test]
    async fn what_is_not_a_greeting_is_refused() {
        let mut foreign: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        assert!(matches!(
            Hello::receive(&mut foreign).await,
            Err(HelloError::NotAFleet)
        ));
        let mut long: &[u8] = b"svcwfl01\xff\xff\x00\x00";
        assert!(matches!(
            Hello::receive(&mut long).await,
            Err(HelloError::TooLong(65535))
        ));
        let mut half: &[u8] = b"svcwfl01\x05\x00\x00\x00ab";
        assert!(matches!(
            Hello::receive(&mut half).await,
            Err(HelloError::Io(_))
        ));
        let mut binary: &[u8] = b"svcwfl01\x01\x00\x00\x00\xff";
        assert!(matches!(
            Hello::receive(&mut binary).await,
            Err(HelloError::NotText)
        ));
        let long = Hello {
            user: "u".repeat(TEXT_LIMIT + 1),
            host: String::new(),
        };
        assert!(matches!(long.encode(), Err(HelloError::TooLong(257))));
    }
}

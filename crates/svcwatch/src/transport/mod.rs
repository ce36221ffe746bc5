//! The only code that can send: HTTP, SMTP, MQTT, and lines into a file. Each ends within its deadline whatever the far end
//! does, and reads no more of it than a fixed number of bytes.

pub mod file;
pub mod http;
pub mod influxdb;
mod limited;
pub mod listing;
pub mod mqtt;
pub mod smtp;
pub mod tls;

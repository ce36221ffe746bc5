//! The program against the outside world: each file tests one part with servers that it starts itself.

mod dest_http;
mod dest_http_hostile;
mod dest_smtp;
mod dest_support;

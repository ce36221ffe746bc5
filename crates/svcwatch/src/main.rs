//! The svcwatch program.
fn main() {}

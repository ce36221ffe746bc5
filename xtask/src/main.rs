//! The tools of this project.
fn main() {}

//! The svcwatch program.

use std::process::ExitCode;

fn main() -> ExitCode {
    svcwatch::cli::main()
}

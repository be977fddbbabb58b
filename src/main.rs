//! The `portcullis` program. Everything is in the library; this is its front door.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis::cli::main()
}

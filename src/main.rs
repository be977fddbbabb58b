//! The `portcullis` program. Everything is in the library; this is its front door.

use std::process::ExitCode;

/// Gives back what a reload has freed: the C library's allocator keeps most of it, for each of its threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}

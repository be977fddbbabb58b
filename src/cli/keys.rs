//! `portcullis keys`: client keys of ours.

use clap::Subcommand;

use super::{Failure, out};
use crate::access::{KeyHash, keys};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key: prints it once, and the lines for access.keys that hold its hash
    New {
        /// The key's name in the record
        #[arg(long)]
        id: String,
        /// The tenant it belongs to
        #[arg(long)]
        tenant: String,
    },
}

pub(super) fn run(command: &KeysCommand) -> Result<u8, Failure> {
    let KeysCommand::New { id, tenant } = command;
    let key = keys::generate().map_err(Failure::job)?;
    out::line(format!("key, to give to the client (it is shown this once):\n  {}", key.expose()))?;
    out::line(format!(
        "line for access.keys in the configuration:\n  - {{ id: {id}, tenant: {tenant}, sha256: {} }}",
        KeyHash::of(key.expose())
    ))?;
    Ok(0)
}

//! `portcullis console`: getting into the console for the first time.

use clap::Subcommand;
use http::{Method, StatusCode};

use super::admin::{appliance, ask};
use super::{ConfigArg, Failure, out};

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleCommand {
    /// Print a link that makes the first user, once, within a day; the one before works no more
    Link {
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub(super) fn run(command: &ConsoleCommand) -> Result<u8, Failure> {
    match command {
        ConsoleCommand::Link { config } => link(config),
    }
}

fn link(config: &ConfigArg) -> Result<u8, Failure> {
    let appliance = appliance(config)?;
    let answer = ask(&appliance, Method::POST, "/api/v1/setup/link", None)?;
    let Some((status, answer)) = answer else {
        return Err(Failure::job("the appliance does not run; start it with `portcullis run`"));
    };
    let text = |name: &str| answer.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    if status != StatusCode::OK {
        return Err(Failure::job(text("error")));
    }
    out::line(text("link"))?;
    Ok(0)
}

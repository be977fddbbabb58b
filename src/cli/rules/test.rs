//! `portcullis rules test`: the examples that rules carry.

use clap::Args;

use crate::app::load_rules;
use crate::cli::run::failure;
use crate::cli::{ConfigArg, Failure, out};
use crate::scan::examples::Trial;

/// Run every rule's own examples.
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Only rules whose id begins so
    #[arg(long, value_name = "ID", default_value = "")]
    only: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &TestArgs) -> Result<u8, Failure> {
    let folders = args.config.config()?.rules;
    let scanner = load_rules(&folders).map_err(failure)?;
    if !scanner.rules().iter().any(|(_, rule)| rule.id.starts_with(&args.only)) {
        let message = format!("no rule's id begins with `{}`; `portcullis rules list` shows all", args.only);
        return Err(Failure::usage(message));
    }
    // The way that a reload goes.
    let reloaded = load_rules(&folders).map_err(failure)?;
    if reloaded.rules().version() != scanner.rules().version() {
        return Err(Failure::job("the rule files changed while they were tested; run it again"));
    }
    let report = Trial { scanner: &scanner, reloaded: Some(&reloaded), only: &args.only }.run();
    if args.json {
        out::json(&report)?;
    } else {
        out::line(report.to_string().trim_end())?;
    }
    Ok(u8::from(!report.is_ok()))
}

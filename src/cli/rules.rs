//! `portcullis rules`: list here; one file for each of the other tools.

use clap::Subcommand;

use self::lint::LintArgs;
use self::policy::{ReloadArgs, RollbackArgs, VersionsArgs};
use self::profile::ProfileArgs;
use self::test::TestArgs;

mod explain;
mod files;
mod fmt;
mod import;
mod lint;
mod new;
mod policy;
mod profile;
mod replay;
mod test;

use super::run::failure;
use super::{ConfigArg, Failure, out};
use crate::app::load_rules;
use crate::verdict::Action;

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// List the rules that the configuration names, those with `mode: off` too
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Run every rule's own examples: whole, split everywhere, with and without the literal pass, after a reload
    Test(TestArgs),
    /// Name rules that are slow, find nothing, find what others find, or too much
    Lint(LintArgs),
    /// Cost and hits per rule on labelled JSON lines
    Profile(ProfileArgs),
    /// Lay rule files out as all rule files are; comments stay, and nothing they say changes
    Fmt(fmt::FmtArgs),
    /// Rules of other programs and word lists as rule files
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// A new rule with the next free id
    New(new::NewArgs),
    /// What a candidate rule set would change on recorded traffic, before it goes live
    Replay(replay::ReplayArgs),
    /// Have the running appliance read rules and policy again, and say what became of it
    Reload(ReloadArgs),
    /// Go back to a policy that was in force before; it stays until the files change or a reload is asked for
    Rollback(RollbackArgs),
    /// List the policies that are kept to go back to, the latest first
    Versions(VersionsArgs),
    /// Show one rule in full: what it looks for, where, why, and what the site changes about it
    Explain {
        /// The rule's id, for example INJ-001
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub(super) fn run(command: &RulesCommand) -> Result<u8, Failure> {
    match command {
        RulesCommand::List { json, config } => list(*json, config),
        RulesCommand::Test(args) => test::run(args),
        RulesCommand::Lint(args) => lint::run(args),
        RulesCommand::Profile(args) => profile::run(args),
        RulesCommand::Fmt(args) => fmt::run(args),
        RulesCommand::Import(command) => import::run(command),
        RulesCommand::New(args) => new::run(args),
        RulesCommand::Replay(args) => replay::run(args),
        RulesCommand::Reload(args) => policy::reload(args),
        RulesCommand::Rollback(args) => policy::rollback(args),
        RulesCommand::Versions(args) => policy::versions(args),
        RulesCommand::Explain { id, config } => explain::run(id, config),
    }
}

fn list(json: bool, config: &ConfigArg) -> Result<u8, Failure> {
    let scanner = load_rules(&config.config()?.rules).map_err(failure)?;
    if json {
        let rules: Vec<_> = scanner.rules().iter().map(|(_, rule)| rule).collect();
        out::json(&rules)?;
        return Ok(0);
    }
    for (_, rule) in scanner.rules().iter() {
        let action = rule.action.map_or("score", Action::name);
        let severity = format!("{:?}", rule.severity).to_lowercase();
        out::line(format!("{:<9} {severity:<9} {action:<7} {}", rule.id, rule.title))?;
    }
    out::line(format!("{} rules, version {}", scanner.rules().len(), scanner.rules().version_short()))?;
    Ok(0)
}

//! The command line, one file per subcommand.

mod admin;
mod archive;
mod audit;
mod check;
mod console;
mod dataset;
mod demo;
mod eval;
mod explain;
mod keys;
mod message;
mod mock_provider;
mod models;
mod one_text;
mod out;
mod rules;
mod run;
mod scan;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Loaded, Readable, Source, Written};
use crate::yaml::Diagnostics;
use eval::EvalError;

/// The exit status of bad usage or configuration (`EX_USAGE` of sysexits.h).
pub const USAGE: u8 = 64;

/// The exit status of `scan` for a text that is blocked or redacted.
pub const CAUGHT: u8 = 10;

/// A security-first AI firewall: inspects prompts and replies inline, records every verdict, routes what passes.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, max_term_width = 100)]
#[command(
    after_help = "First steps:\n  portcullis demo                          see it judge a score of prompts\n  portcullis run                           start the appliance\n  portcullis scan 'ignore all previous instructions'\n\nExit status: 0 done, 1 failed, 10 more than a flag (scan: redact,\nstrip, route, throttle or block) or a change (rules replay), 64 bad usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the appliance and serve until SIGTERM or Ctrl-C
    Run(ConfigArg),
    /// Check configuration, rules and model, and name every problem at once
    Check(check::CheckArgs),
    /// Judge one text and print the verdict as JSON
    Scan(scan::ScanArgs),
    /// Show how the verdict about a text comes about, stage by stage
    Explain(explain::ExplainArgs),
    /// Measure the classifier on labelled JSON lines
    Eval(eval::EvalArgs),
    /// List, test and explain rules; put them in force, and go back
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Read the record: list, show, verify
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Get into the console for the first time
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// Build and list data sets out of reviewed incidents and samples
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// List and verify models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Make client keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Start everything on the loopback, send a score of prompts through it, and show the verdicts
    Demo(demo::DemoArgs),
    /// A loopback stand-in for a provider, for trials, tests and benches
    MockProvider(mock_provider::MockArgs),
}

/// Which configuration.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArg {
    /// The configuration file; without it ./portcullis.yaml, and without that the built-in example.
    /// PORTCULLIS_CONFIG names one too
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command ended badly: the exit status and what to say.
#[derive(Debug)]
pub struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    /// The job failed.
    fn job(message: impl ToString) -> Self {
        Self { status: 1, message: message.to_string() }
    }

    /// Bad usage or configuration.
    fn usage(message: impl ToString) -> Self {
        Self { status: USAGE, message: message.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // Whoever read our output has seen enough (`| head`).
            std::io::ErrorKind::BrokenPipe => Self { status: 0, message: String::new() },
            _ => Self::job(error),
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::usage(found)
    }
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are answers, not errors.
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Eval(args) => evaluate(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Console(command) => console::run(&command),
        Command::Dataset(command) => dataset::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::MockProvider(args) => mock_provider::run(&args),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            if !failure.message.is_empty() {
                out::error(&failure.message);
            }
            ExitCode::from(failure.status)
        }
    }
}

fn evaluate(args: &eval::EvalArgs) -> Result<u8, Failure> {
    eval::run(args, &mut std::io::stdout().lock()).map(|()| 0).map_err(|error| match error {
        EvalError::Config(failure) => failure,
        EvalError::Usage(_) | EvalError::Rows(_) => Failure::usage(error),
        EvalError::Judge { .. } | EvalError::Model(_) | EvalError::Write(_) => Failure::job(error),
    })
}

impl ConfigArg {
    /// The file to read, if there is one.
    fn file(&self) -> Option<PathBuf> {
        let beside = PathBuf::from("portcullis.yaml");
        let named = std::env::var_os("PORTCULLIS_CONFIG").map(PathBuf::from);
        self.config.clone().or(named).or_else(|| beside.is_file().then_some(beside))
    }

    fn source(&self) -> Source {
        Source::new(self.file(), environment())
    }

    fn load(&self) -> Result<Loaded, Diagnostics> {
        self.source().read()?.load()
    }

    /// What can be read of a configuration that does not load.
    fn readable(&self) -> Readable {
        config::readable(self.file().as_deref(), &environment())
    }

    /// The configuration, for commands that only read it: warnings go to stderr.
    fn config(&self) -> Result<Config, Failure> {
        self.written().map(|(config, _)| config)
    }

    /// As [`Self::config`], with where it comes from and what it was read from, for commands that read it again.
    fn written(&self) -> Result<(Config, (Source, Written)), Failure> {
        let source = self.source();
        let Loaded { config, warnings, written } = source.read()?.load()?;
        warnings.iter().for_each(|warning| out::error(&format!("warning {warning}")));
        Ok((config, (source, written)))
    }
}

fn environment() -> Vec<(String, String)> {
    let pairs = std::env::vars_os();
    pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// A runtime for commands that need one.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::job(format!("the async runtime cannot start: {error}")))?;
    let done = runtime.block_on(work);
    // A write that nobody takes (a pipe whose reader stopped) must not keep the program from ending.
    runtime.shutdown_timeout(LEFT_OVER);
    Ok(done)
}

/// Time that blocked threads have at the end.
const LEFT_OVER: std::time::Duration = std::time::Duration::from_secs(5);

//! `portcullis explain`: how the verdict about one text comes about, stage by stage.

mod report;
mod shown;
mod told;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use self::report::Report;
use super::run::failure;
use super::scan::{RoleArg, ask, text};
use super::texts::Texts;
use super::{ConfigArg, Failure, block_on, out};
use crate::app;
use crate::inspect::Subject;
use crate::rules::Facts;
use crate::text::{Direction, Role};

/// Show how the verdict about a text comes about.
#[derive(Args, Debug)]
#[command(after_help = "What rules call sensitive is masked. Exit status: 0 whatever the verdict, 64 usage.")]
pub(super) struct ExplainArgs {
    /// The text; `-` reads standard input
    text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Who speaks; without it the text is untrusted, of unknown origin
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
    /// Judge the text as a provider's reply
    #[arg(long)]
    reply: bool,
    /// The model that is asked, for rules that apply by it
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The tenant that asks, for rules that apply by it
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The tool whose arguments, result or definition the text is
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Show secrets and personal data as they stand in the text
    #[arg(long)]
    show_sensitive: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    let config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let text = text(args.text.as_deref(), args.file.as_deref(), limits.body_bytes)?;
    let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
    let role = args.role.map_or(Role::Unknown, Role::from);
    let direction = if args.reply { Direction::Reply } else { Direction::Request };
    let texts = Texts::new(role, text).of_tool(args.tool.as_deref());
    let facts =
        Facts { tenant: args.tenant.clone(), model: args.model.clone(), today: Some(app::today()), ..Facts::default() };
    let Some(passage) = texts.passages().first().cloned() else { return Err(Failure::usage("there is no text")) };
    let trace = judges.snapshot.trace(&passage, direction, &mut judges.snapshot.scanner.scratch());
    let scanned = judges.snapshot.scan(texts, direction, &facts);
    let by_rules = scanned.by_rules().action;
    let (answer, score) = ask(&judges, scanned.questions());
    let judged = scanned.judge(answer);
    let model = judges.classifier.as_ref().map(|classifier| (classifier.version().to_owned(), score));
    let report = Report::new(
        &report::Given { snapshot: &judges.snapshot, passage: &passage, direction, by_rules, model, trace: &trace },
        &judged,
        args.show_sensitive,
    );
    if args.json {
        out::json(&report)?;
    } else {
        out::line(told::tell(&report).trim_end())?;
    }
    Ok(0)
}

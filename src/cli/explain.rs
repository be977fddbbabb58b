//! `portcullis explain`: how the verdict about one text comes about, stage by stage.

mod report;
mod shown;
mod told;

use clap::Args;

use self::report::Report;
use super::one_text::{Heard, TextArgs};
use super::{Failure, out};
use crate::inspect::Subject;
use crate::inspect::trace::Known;

/// Show how the verdict about a text comes about.
#[derive(Args, Debug)]
#[command(after_help = "What rules call sensitive is masked. Exit status: 0 whatever the verdict, 64 usage.")]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Show secrets and personal data as they stand in the text
    #[arg(long)]
    show_sensitive: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    let asked = args.text.open()?;
    let (snapshot, direction) = (&asked.judges.snapshot, asked.direction);
    let Some(passage) = asked.texts.passages().first() else { return Err(Failure::usage("there is no text")) };
    let scanned = asked.scan();
    let by_rules = scanned.by_rules().action;
    let Heard { judged, score, scores } = asked.judge(scanned);
    let known = Known { direction, facts: &asked.facts, scores: scores.get(&0).copied().unwrap_or_default() };
    let trace = snapshot.trace(passage, known, &mut snapshot.scanner.scratch());
    let model = asked.judges.classifier.as_ref().map(|classifier| (classifier.version().to_owned(), score));
    let given = report::Given { snapshot, passage, direction, by_rules, model, trace: &trace };
    let report = Report::new(&given, &judged, args.show_sensitive);
    if args.json {
        out::json(&report)?;
    } else {
        out::line(told::tell(&report).trim_end())?;
    }
    Ok(0)
}

//! `portcullis explain`: how the verdict about one text or one body comes about, stage by stage.

mod reader;
mod report;
mod shown;
mod told;

use clap::Args;

use self::report::Report;
use super::one_text::{Heard, TextArgs};
use super::{Failure, out};
use crate::inspect::trace::Known;
use crate::inspect::{Subject, Trace};

/// Show how the verdict about a text, or about each text of a body, comes about.
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
    let message = asked.message()?;
    let passages = message.passages();
    if passages.is_empty() {
        return Err(Failure::usage("there is no text"));
    }
    let scanned = asked.scan()?;
    let by_rules = scanned.by_rules().action;
    let Heard { judged, score, scores } = asked.judge(scanned);
    let mut scratch = snapshot.scanner.scratch();
    let traces = passages.iter().enumerate().map(|(index, passage)| {
        let scores = scores.get(&index).copied().unwrap_or_default();
        snapshot.trace(passage, Known { direction, facts: &asked.facts, scores }, &mut scratch)
    });
    let traces: Vec<Trace> = traces.collect();
    let model = asked.judges.classifier.as_ref().map(|classifier| (classifier.version().to_owned(), score));
    let is_body = asked.role.is_none();
    let given = report::Given { snapshot, passages, direction, is_body, by_rules, model, traces: &traces };
    let report = Report::new(&given, &judged, args.show_sensitive);
    if args.json {
        out::json(&report)?;
    } else {
        out::line(told::tell(&report).trim_end())?;
    }
    Ok(0)
}

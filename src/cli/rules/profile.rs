//! `portcullis rules profile`: what each rule finds on a corpus.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;

use crate::app;
use crate::cli::eval::rows::Rows;
use crate::cli::run::failure;
use crate::cli::texts::Texts;
use crate::cli::{ConfigArg, Failure, block_on, out};
use crate::rules::Facts;
use crate::text::{Direction, Role};
use crate::verdict::Action;

/// Hits per rule on labelled JSON lines.
#[derive(Args, Debug)]
pub(in crate::cli) struct ProfileArgs {
    /// Role of rows that name none
    #[arg(long, value_name = "ROLE", default_value = "unknown")]
    role: String,
    /// Judge the rows as a provider's replies
    #[arg(long)]
    reply: bool,
    /// Show so many benign texts per rule
    #[arg(long, default_value_t = 0)]
    shown: usize,
    /// Only rules whose id begins so
    #[arg(long, default_value = "")]
    only: String,
    /// Files of rows `{"text": …, "label": …}`
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Default)]
struct Hits {
    benign: usize,
    attack: usize,
    shown: Vec<String>,
}

pub(super) fn run(args: &ProfileArgs) -> Result<u8, Failure> {
    let role: Role = serde_json::from_value(args.role.clone().into())
        .map_err(|_| Failure::usage(format!("there is no role `{}`", args.role)))?;
    let config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
    let direction = if args.reply { Direction::Reply } else { Direction::Request };
    let mut rules: BTreeMap<String, Hits> = BTreeMap::new();
    let mut totals = [[0usize; 5]; 2];
    for file in &args.files {
        for row in Rows::open(file, &ProgressBar::hidden()) {
            let row = row.map_err(Failure::usage)?;
            let texts = Texts::new(row.role.unwrap_or(role), row.text.clone());
            let verdict = judges.snapshot.scan(texts, direction, &Facts::default()).by_rules();
            let side = &mut totals[usize::from(row.is_attack)];
            side[0] += 1;
            match verdict.action {
                Action::Allow => {}
                Action::Flag => side[1] += 1,
                Action::Redact | Action::Strip | Action::Route | Action::Throttle => side[2] += 1,
                Action::Block => side[3] += 1,
            }
            let mut seen = Vec::new();
            for finding in &verdict.findings {
                let id = finding.source.name();
                if seen.contains(&id) || !id.starts_with(&args.only) {
                    continue;
                }
                seen.push(id);
                let hits = rules.entry(id.to_owned()).or_default();
                if row.is_attack {
                    hits.attack += 1;
                } else {
                    hits.benign += 1;
                    if hits.shown.len() < args.shown {
                        let around = row.text.get(finding.span.range()).unwrap_or_default();
                        hits.shown.push(format!("{}: {around:?}", row.place(file)));
                    }
                }
            }
        }
    }
    for (id, hits) in &rules {
        out::line(format!("{id:<9} benign {:>6}  attack {:>6}", hits.benign, hits.attack))?;
        for shown in &hits.shown {
            out::line(format!("    {shown}"))?;
        }
    }
    for (name, [rows, flag, redact, block, _]) in [("benign", totals[0]), ("attack", totals[1])] {
        out::line(format!("{name}: {rows} rows, {flag} flagged, {redact} redacted, {block} blocked"))?;
    }
    Ok(0)
}

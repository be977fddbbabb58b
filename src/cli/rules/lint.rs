//! `portcullis rules lint`: what can be told of rules without running them, and of benign texts that they hit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::app;
use crate::cli::eval::rows::Rows;
use crate::cli::run::failure;
use crate::cli::texts::Texts;
use crate::cli::{ConfigArg, Failure, block_on, out};
use crate::rules::Facts;
use crate::rules::lint::{Level, Lint};
use crate::scan::lint::{Benign, Finding, Linted, lint};
use crate::text::{Direction, Role};
use crate::yaml::diagnostic::{Diagnostic, lines};

/// Name rules that are slow, find nothing, find what others find, or too much.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 nothing at or above --level, 1 something, 64 usage.")]
pub(crate) struct LintArgs {
    /// Files of rows `{"text": …, "label": "benign"}`: rules that hit too many of them are too broad
    #[arg(long, value_name = "FILE", num_args = 1..)]
    corpus: Vec<PathBuf>,
    /// Percent of the benign rows that a rule may hit
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1)]
    broad: f64,
    /// Role of rows that name none
    #[arg(long, value_name = "ROLE", default_value = "unknown")]
    role: String,
    /// Judge the rows as a provider's replies
    #[arg(long)]
    reply: bool,
    /// Show findings from this level on, and fail on them
    #[arg(long, value_enum, default_value_t = LevelArg::Warning)]
    level: LevelArg,
    /// Leave out findings of this name; may be given several times
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,
    /// Only rules whose id begins so
    #[arg(long, value_name = "ID", default_value = "")]
    only: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelArg {
    Note,
    Warning,
    Error,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Note => Self::Note,
            LevelArg::Warning => Self::Warning,
            LevelArg::Error => Self::Error,
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    rules: usize,
    benign_texts: Option<usize>,
    findings: Vec<Finding>,
    /// Findings below the level, by name.
    below: BTreeMap<&'static str, usize>,
    /// Findings that the rules themselves allow.
    allowed: Vec<AllowedFinding>,
}

#[derive(Debug, Serialize)]
struct AllowedFinding {
    #[serde(flatten)]
    finding: Finding,
    /// What the rule says of it.
    because: String,
}

pub(super) fn run(args: &LintArgs) -> Result<u8, Failure> {
    let names: HashSet<&str> = Lint::ALL.map(Lint::name).into();
    if let Some(unknown) = args.allow.iter().find(|name| !names.contains(name.as_str())) {
        let all = Lint::ALL.map(Lint::name).join(", ");
        return Err(Failure::usage(format!("nothing is called `{unknown}`; the names are {all}")));
    }
    if !(0.0..=100.0).contains(&args.broad) {
        return Err(Failure::usage("`--broad` is a number from 0 to 100"));
    }
    let config = args.config.config()?;
    let scanner = app::load_rules(&config.rules).map_err(failure)?;
    let benign = if args.corpus.is_empty() { None } else { Some(benign(args)?) };
    let Linted { mut findings, mut allowed } = lint(&scanner, benign.as_ref());
    for list in [&mut findings, &mut allowed] {
        list.retain(|finding| {
            finding.rule.starts_with(&args.only) && !args.allow.iter().any(|name| name == finding.lint.name())
        });
    }
    let level = Level::from(args.level);
    let below = by_name(findings.iter().filter(|finding| finding.level < level));
    let because = |id: &str| {
        let rule = scanner.rules().by_id(id).and_then(|(_, rule)| rule.lint.as_ref());
        rule.map(|lint| lint.because.clone()).unwrap_or_default()
    };
    let allowed: Vec<AllowedFinding> =
        allowed.into_iter().map(|finding| AllowedFinding { because: because(&finding.rule), finding }).collect();
    findings.retain(|finding| finding.level >= level);
    let rules = scanner.rules().iter().filter(|(_, rule)| rule.id.starts_with(&args.only)).count();
    let report = Report { rules, benign_texts: benign.map(|benign| benign.texts), findings, below, allowed };
    if args.json {
        out::json(&report)?;
    } else {
        tell(&report)?;
    }
    Ok(u8::from(!report.findings.is_empty()))
}

fn by_name<'f>(findings: impl Iterator<Item = &'f Finding>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    findings.for_each(|finding| *counts.entry(finding.lint.name()).or_default() += 1);
    counts
}

/// Judges the benign rows as the inline path does.
fn benign(args: &LintArgs) -> Result<Benign, Failure> {
    let role: Role = serde_json::from_value(args.role.clone().into())
        .map_err(|_| Failure::usage(format!("there is no role `{}`", args.role)))?;
    let config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
    let direction = if args.reply { Direction::Reply } else { Direction::Request };
    let mut benign = Benign { share_max: args.broad / 100.0, ..Benign::default() };
    for file in &args.corpus {
        for row in Rows::open(file, &ProgressBar::hidden()) {
            let row = row.map_err(Failure::usage)?;
            if row.is_attack {
                continue;
            }
            benign.texts += 1;
            let texts = Texts::new(row.role.unwrap_or(role), row.text);
            let findings = judges.snapshot.scan(texts, direction, &Facts::default()).without_model().findings;
            let hit: HashSet<&str> = findings
                .iter()
                .filter(|finding| finding.standing.acts())
                .map(|finding| finding.source.name())
                .collect();
            hit.into_iter().for_each(|id| *benign.hits.entry(id.to_owned()).or_default() += 1);
        }
    }
    if benign.texts == 0 {
        return Err(Failure::usage("the corpus has no benign row"));
    }
    Ok(benign)
}

fn tell(report: &Report) -> Result<(), Failure> {
    let mut files = HashMap::new();
    for finding in &report.findings {
        let level = format!("{:?}", finding.level).to_lowercase();
        let content: &String =
            files.entry(finding.file.clone()).or_insert_with(|| fs::read_to_string(&finding.file).unwrap_or_default());
        out::line(format!("{level} {}", diagnostic(finding, content)).trim_end())?;
    }
    let some = |count: usize, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
    let more = some(report.below.values().sum(), "below the level") + &some(report.allowed.len(), "allowed by rules");
    let corpus = report.benign_texts.map_or_else(String::new, |texts| format!(", {texts} benign texts"));
    out::line(format!("{} rules{corpus}: {} finding(s){more}", report.rules, report.findings.len()))?;
    Ok(())
}

fn diagnostic(finding: &Finding, content: &str) -> Diagnostic {
    let place = place(finding, content);
    Diagnostic {
        code: finding.lint.name(),
        file: shorter(&finding.file),
        place: Some(place),
        message: format!("{}: {}", finding.rule, finding.message),
        help: finding.help.clone(),
        line_text: lines(content).nth(place.0.saturating_sub(1)).map(str::to_owned),
    }
}

fn shorter(file: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).to_owned()
}

/// Line and column of the pattern; of what is about the whole rule, where its id stands.
fn place(finding: &Finding, content: &str) -> (usize, usize) {
    finding.place.unwrap_or_else(|| {
        let line = usize::try_from(finding.line).unwrap_or(1).max(1);
        let text = lines(content).nth(line - 1).unwrap_or_default();
        (line, text.chars().take_while(|c| " -".contains(*c)).count() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_pointed_at_where_it_begins() {
        let content = "rules:\n  - id: INJ-001\n    title: x\n  - id: INJ-002\n";
        let finding = |line, place| Finding {
            lint: Lint::Unexercised,
            level: Level::Warning,
            rule: "INJ-001".into(),
            file: "x".into(),
            line,
            pattern: None,
            place,
            message: String::new(),
            help: String::new(),
        };
        assert_eq!(place(&finding(4, None), content), (4, 5));
        assert_eq!(place(&finding(2, Some((3, 9))), content), (3, 9));
        assert_eq!(place(&finding(50, None), content), (50, 1));
        // YAML counts a carriage return alone as the end of a line, and so do the rules' lines.
        let content = &content.replace('\n', "\r");
        assert_eq!(place(&finding(4, None), content), (4, 5));
        assert_eq!(diagnostic(&finding(4, None), content).line_text.as_deref(), Some("  - id: INJ-002"));
    }
}

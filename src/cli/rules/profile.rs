//! `portcullis rules profile`: what each rule costs and finds on a corpus.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::app;
use crate::cli::eval::rows::Rows;
use crate::cli::run::failure;
use crate::cli::texts::Texts;
use crate::cli::{ConfigArg, Failure, block_on, out};
use crate::rules::{Facts, RuleIndex};
use crate::scan::lint::estimates;
use crate::scan::{Context, Cost, Match, Reading, Scanner, Scratch, Sightings};
use crate::text::{Direction, Role, canonical};
use crate::verdict::Action;

/// Cost and hits per rule on labelled JSON lines.
#[derive(Args, Debug)]
pub(in crate::cli) struct ProfileArgs {
    /// Role of rows that name none
    #[arg(long, value_name = "ROLE", default_value = "unknown")]
    role: String,
    /// Judge the rows as a provider's replies
    #[arg(long)]
    reply: bool,
    /// What the rules are sorted by, the most first; without it they stand by id
    #[arg(long, value_enum)]
    by: Option<By>,
    /// As JSON
    #[arg(long)]
    json: bool,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Cost,
    Hits,
}

/// What one rule costs and finds.
#[derive(Debug, Default, Serialize)]
struct Profile {
    rule: String,
    /// Benign rows in which it finds something.
    benign: usize,
    /// The same of all others.
    attack: usize,
    /// Estimated nanoseconds per byte of ordinary text that looking for its literals takes; null where a pattern has none.
    estimate: Option<f64>,
    #[serde(flatten)]
    cost: Cost,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown: Vec<String>,
}

/// Rows of one kind, and what the rules alone come to.
#[derive(Debug, Default, Serialize)]
struct Side {
    rows: usize,
    flagged: usize,
    /// Changed, or sent elsewhere: redact, strip, route, throttle.
    redacted: usize,
    blocked: usize,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    benign: Side,
    attack: Side,
    /// Bytes of the rows' texts, as sent and canonical.
    bytes: usize,
    /// Time that scanning them took, with all rules.
    nanoseconds: u64,
    /// Bytes as sent per microsecond of scanning.
    megabytes_per_second: f64,
    sightings: Sightings,
}

pub(super) fn run(args: &ProfileArgs) -> Result<u8, Failure> {
    let role: Role = serde_json::from_value(args.role.clone().into())
        .map_err(|_| Failure::usage(format!("there is no role `{}`", args.role)))?;
    let config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
    let scanner = &judges.snapshot.scanner;
    let direction = if args.reply { Direction::Reply } else { Direction::Request };
    let mut profiles: BTreeMap<RuleIndex, Profile> = BTreeMap::new();
    for (index, rule) in scanner.rules().iter().filter(|(_, rule)| rule.id.starts_with(&args.only)) {
        let estimate = estimates(rule).sum();
        profiles.insert(index, Profile { rule: rule.id.clone(), estimate, ..Profile::default() });
    }
    let indices: HashMap<String, RuleIndex> = profiles.iter().map(|(index, one)| (one.rule.clone(), *index)).collect();
    let mut totals = Totals::default();
    // Noting what each pattern costs takes time itself: the whole is timed without.
    let (mut timed, mut noted) = (scanner.scratch(), scanner.scratch());
    noted.profile();
    let mut matches = Vec::new();
    for file in &args.files {
        for row in Rows::open(file, &ProgressBar::hidden()) {
            let row = row.map_err(Failure::usage)?;
            let role = row.role.unwrap_or(role);
            let context = Context { direction, role };
            totals.bytes += row.text.len();
            totals.nanoseconds += scan(scanner, &row.text, context, &mut timed, &mut matches);
            scan(scanner, &row.text, context, &mut noted, &mut matches);
            let texts = Texts::new(role, row.text.clone());
            let verdict = judges.snapshot.scan(texts, direction, &Facts::default()).without_model();
            let side = if row.is_attack { &mut totals.attack } else { &mut totals.benign };
            side.add(verdict.action);
            let mut seen = Vec::new();
            for finding in &verdict.findings {
                let id = finding.source.name();
                let Some(profile) = indices.get(id).and_then(|index| profiles.get_mut(index)) else { continue };
                if seen.contains(&id) {
                    continue;
                }
                seen.push(id);
                if row.is_attack {
                    profile.attack += 1;
                } else {
                    profile.benign += 1;
                    if profile.shown.len() < args.shown {
                        let around = row.text.get(finding.span.range()).unwrap_or_default();
                        profile.shown.push(format!("{}: {around:?}", row.place(file)));
                    }
                }
            }
        }
    }
    totals.megabytes_per_second = totals.bytes as f64 * 1000.0 / totals.nanoseconds.max(1) as f64;
    totals.sightings = noted.sightings();
    for (index, _, cost) in scanner.costs(&noted) {
        if let Some(profile) = profiles.get_mut(&index) {
            profile.add(cost);
        }
    }
    let mut profiles: Vec<Profile> = profiles.into_values().collect();
    profiles.retain(|one| one.benign + one.attack > 0 || one.cost.candidates > 0 || one.cost.searches > 0);
    match args.by {
        Some(By::Cost) => profiles.sort_by_key(|one| Reverse(one.cost.nanoseconds)),
        Some(By::Hits) => profiles.sort_by_key(|one| Reverse((one.benign, one.attack))),
        None => profiles.sort_by(|a, b| a.rule.cmp(&b.rule)),
    }
    if args.json {
        out::json(&serde_json::json!({ "rules": profiles, "totals": totals }))?;
        return Ok(0);
    }
    tell(&profiles, &totals)
}

/// Scans a text as it was sent and, where that differs, its canonical form, as the inline path does. Gives nanoseconds.
fn scan(scanner: &Scanner, text: &str, context: Context, scratch: &mut Scratch, out: &mut Vec<Match>) -> u64 {
    let folded = canonical(text);
    out.clear();
    let start = Instant::now();
    if matches!(folded.text, Cow::Borrowed(_)) {
        scanner.scan(text, Reading::Both, context, scratch, out);
    } else {
        scanner.scan(text, Reading::Raw, context, scratch, out);
        scanner.scan(&folded.text, Reading::Canonical, context, scratch, out);
    }
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn tell(profiles: &[Profile], totals: &Totals) -> Result<u8, Failure> {
    out::line("rule      benign  attack  candidates    searches     matches         us  estimate ns/B")?;
    for one in profiles {
        let Cost { candidates, searches, matches, nanoseconds, .. } = one.cost;
        let estimate = one.estimate.map_or_else(|| "no literal".to_owned(), |cost| format!("{cost:.4}"));
        out::line(format!(
            "{:<9} {:>6}  {:>6}  {candidates:>10}  {searches:>10}  {matches:>10}  {:>9}  {estimate:>13}",
            one.rule,
            one.benign,
            one.attack,
            nanoseconds / 1000
        ))?;
        for shown in &one.shown {
            out::line(format!("    {shown}"))?;
        }
    }
    for (name, side) in [("benign", &totals.benign), ("attack", &totals.attack)] {
        let Side { rows, flagged, redacted, blocked } = side;
        out::line(format!("{name}: {rows} rows, {flagged} flagged, {redacted} redacted, {blocked} blocked"))?;
    }
    let Sightings { literals, gate, passed, .. } = totals.sightings;
    out::line(format!(
        "scanning: {} bytes at {:.1} MB/s; {literals} literals seen, the gate asked {gate} times, {passed} patterns passed",
        totals.bytes, totals.megabytes_per_second
    ))?;
    Ok(0)
}

impl Side {
    fn add(&mut self, action: Action) {
        self.rows += 1;
        match action {
            Action::Allow => {}
            Action::Flag => self.flagged += 1,
            Action::Redact | Action::Strip | Action::Route | Action::Throttle => self.redacted += 1,
            Action::Block => self.blocked += 1,
        }
    }
}

impl Profile {
    fn add(&mut self, cost: Cost) {
        self.cost.candidates += cost.candidates;
        self.cost.searches += cost.searches;
        self.cost.bytes += cost.bytes;
        self.cost.matches += cost.matches;
        self.cost.nanoseconds += cost.nanoseconds;
    }
}

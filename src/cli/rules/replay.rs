//! `portcullis rules replay`: a candidate rule set over recorded traffic, before it goes live.

mod record;
mod rows;
mod table;
mod traffic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use self::traffic::{Said, Traffic};
use crate::app;
use crate::base::{Fault, Limits};
use crate::classify::Classifier;
use crate::cli::run::failure;
use crate::cli::{CAUGHT, ConfigArg, Failure, block_on};
use crate::config::Config;
use crate::inspect::{Answer, Snapshot, Subject, visible};
use crate::proxy::judgement;
use crate::review::recorded::Recorded;
use crate::review::replay::{Comparison, Origin};
use crate::rules::Facts;
use crate::text::Direction;
use crate::verdict::Verdict;

/// What a candidate rule set would change on recorded traffic, before it goes live.
#[derive(Args, Debug)]
#[command(
    after_help = "A row of a FILE is {\"text\": …, \"role\": …, \"direction\": \"reply\", \"label\": …, \"id\": …}, or a whole body under \"request\" or \"reply\".\n\nExit status: 0 nothing would change, 10 something would."
)]
pub(in crate::cli) struct ReplayArgs {
    /// Folder of the candidate set, in the place of `rules.folders`; may be given several times, the shipped one too
    #[arg(long, value_name = "FOLDER", required = true)]
    rules: Vec<PathBuf>,
    /// Replay what the audit store holds
    #[arg(long, conflicts_with = "files", required_unless_present = "files")]
    audit: bool,
    /// Only exchanges begun at or after this time (RFC 3339)
    #[arg(long, requires = "audit")]
    since: Option<jiff::Timestamp>,
    /// Only exchanges begun before this time (RFC 3339)
    #[arg(long, requires = "audit")]
    until: Option<jiff::Timestamp>,
    /// So many exchanges, the newest first
    #[arg(long, requires = "audit", default_value_t = 10_000)]
    limit: u64,
    /// Ask the classifier too; without this both sets judge by rules alone
    #[arg(long)]
    model: bool,
    /// Changed rows shown of each rule and of each change of action
    #[arg(long, default_value_t = 3)]
    shown: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Recorded rows: JSON lines, plain or gzip
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Rows that are judged at once.
const BATCH_ROWS: usize = 256;
/// Bytes of their texts.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// How long the classifier may take: nobody waits for an answer here.
const MODEL_TIME: Duration = Duration::from_secs(120);

pub(super) fn run(args: &ReplayArgs) -> Result<u8, Failure> {
    let mut config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let classifier = match args.model {
        true => classifier(&config, &limits)?,
        false => None,
    };
    let current = snapshot(&config, &limits)?;
    config.rules.clone_from(&args.rules);
    let candidate = snapshot(&config, &limits)?;
    let mut replay = Replay {
        current,
        candidate,
        classifier,
        limits,
        comparison: Comparison::new(args.shown),
        batch: Vec::new(),
        bytes: 0,
    };
    if args.audit {
        record::read(args, &config, &mut replay)?;
    } else {
        rows::read(&args.files, &mut replay)?;
    }
    replay.flush();
    let Replay { current, candidate, comparison, .. } = replay;
    if args.json {
        table::json(&current, &candidate, &comparison)?;
    } else {
        table::lines(&current, &candidate, &comparison)?;
    }
    if comparison.judged == 0 {
        return Err(Failure::job("nothing was judged, so nothing is known about the candidate"));
    }
    Ok(if comparison.changed > 0 { CAUGHT } else { 0 })
}

fn snapshot(config: &Config, limits: &Arc<Limits>) -> Result<Arc<Snapshot>, Failure> {
    let scanner = app::rules_in_force(config).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Arc::new(app::snapshot(&config.policy, scanner, limits)))
}

fn classifier(config: &Config, limits: &Arc<Limits>) -> Result<Option<Classifier>, Failure> {
    let judges = block_on(app::judges(config, limits))?.map_err(failure)?;
    let none = || Failure::job("no classifier can be used; leave --model out to judge by rules alone");
    judges.classifier.map(Some).ok_or_else(none)
}

/// Both policies, and what they said so far.
struct Replay {
    current: Arc<Snapshot>,
    candidate: Arc<Snapshot>,
    classifier: Option<Classifier>,
    limits: Arc<Limits>,
    comparison: Comparison,
    batch: Vec<(Origin, Traffic, Facts)>,
    bytes: usize,
}

impl Replay {
    fn add(&mut self, origin: Origin, traffic: Traffic, facts: Facts) {
        self.bytes += traffic.bytes();
        self.batch.push((origin, traffic, facts));
        if self.batch.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.flush();
        }
    }

    fn skip(&mut self, reason: &str, place: impl FnOnce() -> String) {
        self.comparison.skip(reason, place);
    }

    /// Judges what was collected. Rules run on all cores; the classifier has threads of its own.
    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let judge = |(origin, traffic, facts): &(Origin, Traffic, Facts)| self.judge(traffic, origin.direction, facts);
        let verdicts: Vec<_> = match self.classifier {
            None => batch.par_iter().map(judge).collect(),
            Some(_) => batch.iter().map(judge).collect(),
        };
        for ((origin, ..), verdicts) in batch.into_iter().zip(verdicts) {
            match verdicts {
                Ok((current, candidate)) => self.comparison.add(origin, &current, &candidate),
                Err((reason, detail)) => {
                    self.comparison.skip(&reason, || format!("{} ({})", origin.id, visible(&detail)));
                }
            }
        }
    }

    /// The error: why not, in the words under which such rows are counted, and what was wrong with this one.
    fn judge(
        &self,
        traffic: &Traffic,
        direction: Direction,
        facts: &Facts,
    ) -> Result<(Verdict, Verdict), (String, String)> {
        let refused = |fault: Fault| (format!("refused unjudged ({})", fault.cause.name()), fault.detail);
        let verdict = |snapshot: &Arc<Snapshot>| match traffic.said(direction, &self.limits).map_err(refused)? {
            Said::Request(request) => self.verdict(snapshot, request, direction, facts),
            Said::Reply(reply) => self.verdict(snapshot, reply, direction, facts),
            Said::Texts(texts) => self.verdict(snapshot, Recorded(texts), direction, facts),
        };
        Ok((verdict(&self.current)?, verdict(&self.candidate)?))
    }

    /// What the inline path would come to.
    fn verdict<T: Subject>(
        &self,
        snapshot: &Arc<Snapshot>,
        subject: T,
        direction: Direction,
        facts: &Facts,
    ) -> Result<Verdict, (String, String)> {
        let scanned = snapshot.scan(subject, direction, facts);
        let Some(classifier) = &self.classifier else { return Ok(scanned.without_model()) };
        let questions = scanned.questions();
        if questions.is_empty() {
            return Ok(scanned.judge(Answer::NotAsked).verdict);
        }
        let asked = classifier.submit(questions, Instant::now() + MODEL_TIME).and_then(|ticket| ticket.wait());
        let scored = asked.map_err(|fault| ("the classifier did not answer".to_owned(), fault.detail))?;
        Ok(scanned.judge(Answer::Scores(scored.iter().map(judgement).collect())).verdict)
    }
}

/// The reason that a place is too long for the inline path.
const TOO_LONG: &str = "longer than limits.body_bytes";

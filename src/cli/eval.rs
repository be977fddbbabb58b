//! `portcullis eval`: how well the classifier does on labelled texts.

mod full;
mod report;
pub(super) mod rows;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;

use super::{ConfigArg, Failure, block_on};
use crate::app;
use crate::base::{Fault, Limits};
use crate::classify::metrics::Scored;
use crate::classify::{Classifier, ClassifierConfig, Ticket};
use crate::config::Config;
use crate::inspect::Snapshot;
use crate::model::ModelError;
use report::{FileRows, Report};
use rows::{Row, Rows};

/// Measure the classifier on labelled texts.
///
/// Each FILE holds JSON lines, plain or gzip: {"text": …, "label": …}, and if you like "source", "role" and "system".
/// The label "benign" stands against all others. Texts are scored by the model alone, as untrusted text; --full adds
/// the rules.
///
/// The thresholds behind recall_at_fpr_0.01 and recall_at_fpr_0.001 are set once, over the benign texts of all files
/// together: recall on one file is what you would get with the level that suits all of them.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    /// Labelled texts, JSON lines, plain or gzip.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print one JSON object: {"pooled", "files", "macro", "sources"}.
    #[arg(long)]
    pub json: bool,
    /// The model's folder.
    #[arg(long, value_name = "DIR", default_value = "models/guard", conflicts_with = "full")]
    pub model: PathBuf,
    /// The score from which a text counts as an attack [default: the model's own, else 0.5].
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub threshold: Option<f32>,
    /// Judge by rules and model together, as the inline path does, instead of by the model alone. Rules, policy and
    /// model are those of the configuration; a row's "role" and "system" count.
    #[arg(long)]
    pub full: bool,
    /// The configuration file for --full
    #[command(flatten)]
    pub config: ConfigArg,
    /// Take only the first N rows of each file.
    #[arg(long, value_name = "N")]
    pub limit_per_file: Option<usize>,
    /// Sessions side by side; 0: one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// ONNX Runtime's library [default: PORTCULLIS_ONNXRUNTIME, else the usual places].
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

/// Why an evaluation did not come to its end.
#[derive(Debug, Error)]
pub enum EvalError {
    /// Files that cannot be told apart in the result, for example: the command line is at fault.
    #[error("{0}")]
    Usage(String),
    /// The configuration for --full does not load.
    #[error("{}", .0.message)]
    Config(Failure),
    /// Labelled files that are not what they should be: every problem, with file and line.
    #[error("{}", .0.join("\n"))]
    Rows(Vec<String>),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model gave no answer for a text.
    #[error("{place}: {fault}")]
    Judge {
        /// File and line.
        place: String,
        /// What went wrong.
        fault: Fault,
    },
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

/// Runs the evaluation and writes its report to `out`. Progress goes to stderr when that is a terminal.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> Result<(), EvalError> {
    let names = file_names(&args.files)?;
    let configured = if args.full { Some(args.config.config().map_err(EvalError::Config)?) } else { None };
    let limits =
        full::limits(&configured.as_ref().map_or_else(Limits::default, |config| config.limits.clone()), IN_FLIGHT);
    let folder = match &configured {
        None => args.model.clone(),
        Some(config) => {
            let cache = app::model_cache(&config.state);
            block_on(app::model_folder(&config.model.source, &cache, &limits)).map_err(EvalError::Config)??
        }
    };
    let library = configured.as_ref().and_then(|config| config.model.onnxruntime.clone());
    let settings = ClassifierConfig { threads: args.threads, onnxruntime: args.onnxruntime.clone().or(library) };
    let classifier = Classifier::load(&folder, &settings, &limits)?;
    let threshold = args.threshold.or(classifier.manifest().threshold).unwrap_or(DEFAULT_THRESHOLD);
    let snapshot = configured.map(|config| snapshot(&config, &limits)).transpose()?;
    let mut scorer = |row: &Row| match &snapshot {
        Some(snapshot) => full::score(snapshot, &classifier, row),
        None => {
            let ticket = classifier.submit(vec![row.text.clone()], Instant::now() + ROW_TIME)?;
            Ok(Box::new(move || score_of(ticket)) as Pending)
        }
    };
    let files = evaluate(&args.files, names, args.limit_per_file, &mut scorer)?;
    let report = Report::of(&files, threshold, classifier.version());
    if args.json {
        report.write_json(out)?
    } else {
        report.write_table(out)?
    }
    Ok(())
}

/// Rules and policy of the configuration.
fn snapshot(config: &Config, limits: &Limits) -> Result<Arc<Snapshot>, EvalError> {
    let scanner = app::rules_in_force(config).map_err(|error| EvalError::Usage(error.to_string()))?;
    Ok(Arc::new(app::snapshot(&config.policy, scanner, &Arc::new(limits.clone()))))
}

/// What one text came to.
#[derive(Clone, Copy, Debug)]
struct TextScore {
    score: f32,
    /// Some of the text was over the model's budget.
    is_partial: bool,
}

/// A score on its way.
type Pending = Box<dyn FnOnce() -> Result<TextScore, Fault>>;

/// How a row is scored: started here, waited for later, so that several are under way at once.
type Scorer<'a> = dyn FnMut(&Row) -> Result<Pending, Fault> + 'a;

fn score_of(ticket: Ticket) -> Result<TextScore, Fault> {
    let judged = ticket.wait()?;
    let highest = judged.iter().map(|judged| judged.score).fold(0.0, f32::max);
    Ok(TextScore { score: highest, is_partial: judged.iter().any(|judged| !judged.unjudged.is_empty()) })
}

/// Scores all files, row by row, with [`IN_FLIGHT`] rows under way. Bad rows of all files are collected before giving up.
fn evaluate(
    paths: &[PathBuf],
    names: Vec<String>,
    limit: Option<usize>,
    scorer: &mut Scorer<'_>,
) -> Result<Vec<FileRows>, EvalError> {
    let bar = progress(paths);
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for (path, name) in paths.iter().zip(names) {
        let mut file = FileRows::new(name);
        let mut under_way = VecDeque::new();
        for row in Rows::open(path, &bar).take(limit.unwrap_or(usize::MAX)) {
            match row {
                Err(problem) => problems.push(problem),
                // With a bad row known there will be no result: the rest is read for its errors alone.
                Ok(_) if !problems.is_empty() => {}
                Ok(row) => {
                    let pending = scorer(&row).map_err(|fault| EvalError::Judge { place: row.place(path), fault })?;
                    under_way.push_back((row, pending));
                    if under_way.len() >= IN_FLIGHT {
                        settle(&mut under_way, path, &mut file)?;
                    }
                }
            }
            if problems.len() >= PROBLEMS_MAX {
                problems.push(format!("… and perhaps more: stopped after {PROBLEMS_MAX} problems"));
                return Err(EvalError::Rows(problems));
            }
        }
        while !under_way.is_empty() {
            settle(&mut under_way, path, &mut file)?;
        }
        if file.is_empty() && problems.is_empty() {
            problems.push(format!("{}: no rows in it", path.display()));
        }
        files.push(file);
    }
    bar.finish_and_clear();
    if problems.is_empty() { Ok(files) } else { Err(EvalError::Rows(problems)) }
}

/// Waits for the oldest row under way.
fn settle(under_way: &mut VecDeque<(Row, Pending)>, path: &Path, file: &mut FileRows) -> Result<(), EvalError> {
    let Some((row, pending)) = under_way.pop_front() else { return Ok(()) };
    let scored = pending().map_err(|fault| EvalError::Judge { place: row.place(path), fault })?;
    file.push(Scored { is_attack: row.is_attack, score: scored.score }, row.source, scored.is_partial);
    Ok(())
}

/// The files' names without folders: the keys of the result, so no two may be equal.
fn file_names(paths: &[PathBuf]) -> Result<Vec<String>, EvalError> {
    let mut names: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        let Some(name) = path.file_name() else {
            return Err(EvalError::Usage(format!("{} is not a file", path.display())));
        };
        let name = name.to_string_lossy().into_owned();
        if names.contains(&name) {
            return Err(EvalError::Usage(format!("two files are named {name}; the result is by file name")));
        }
        names.push(name);
    }
    Ok(names)
}

/// Counts bytes read of all files; hidden when stderr is not a terminal.
fn progress(paths: &[PathBuf]) -> ProgressBar {
    let bytes = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let bar = ProgressBar::new(bytes);
    // The template is a constant; should it ever be wrong, the plain bar is good enough.
    if let Ok(style) =
        ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn score(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

const DEFAULT_THRESHOLD: f32 = 0.5;

/// Rows under way at once; the queue has room for all their windows.
const IN_FLIGHT: usize = 64;

/// Time for one row, with others before it in the queue.
const ROW_TIME: Duration = Duration::from_secs(600);

const PROBLEMS_MAX: usize = 20;

//! The result of an evaluation, as JSON and as a table.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::classify::metrics::{Macro, Metrics, ScoreLevels, Scored};

/// The scored rows of one file.
#[derive(Debug)]
pub(super) struct FileRows {
    name: String,
    rows: Vec<Scored>,
    /// Indices into `rows`.
    sources: BTreeMap<String, Vec<usize>>,
    partial: usize,
}

impl FileRows {
    pub fn new(name: String) -> Self {
        Self { name, rows: Vec::new(), sources: BTreeMap::new(), partial: 0 }
    }

    pub fn push(&mut self, row: Scored, source: Option<String>, is_partial: bool) {
        if let Some(source) = source {
            self.sources.entry(source).or_default().push(self.rows.len());
        }
        self.rows.push(row);
        self.partial += usize::from(is_partial);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// All figures.
#[derive(Debug)]
pub(super) struct Report {
    model: String,
    levels: ScoreLevels,
    pooled: Metrics,
    files: Vec<(String, Metrics)>,
    mean: Macro,
    sources: Vec<(String, Metrics)>,
    partial: usize,
}

impl Report {
    /// Figures of all files; the levels for recall at 1 % and 0.1 % are set over all of them together.
    pub fn of(files: &[FileRows], threshold: f32, model: &str) -> Self {
        let all: Vec<Scored> = files.iter().flat_map(|file| file.rows.iter().copied()).collect();
        let levels = ScoreLevels::of(threshold, &all);
        let mut sources: BTreeMap<&str, Vec<Scored>> = BTreeMap::new();
        for file in files {
            for (source, rows) in &file.sources {
                let rows = rows.iter().filter_map(|&index| file.rows.get(index).copied());
                sources.entry(source).or_default().extend(rows);
            }
        }
        let by_file: Vec<(String, Metrics)> =
            files.iter().map(|file| (file.name.clone(), Metrics::of(&file.rows, &levels))).collect();
        Self {
            model: model.to_owned(),
            levels,
            pooled: Metrics::of(&all, &levels),
            mean: Macro::of(by_file.iter().map(|(_, metrics)| metrics)),
            files: by_file,
            sources: sources.into_iter().map(|(name, rows)| (name.to_owned(), Metrics::of(&rows, &levels))).collect(),
            partial: files.iter().map(|file| file.partial).sum(),
        }
    }

    /// One JSON object on one line.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let table = |rows: &[(String, Metrics)]| -> Map<String, Value> {
            rows.iter().map(|(name, metrics)| (name.clone(), json!(metrics))).collect()
        };
        let whole = json!({
            "pooled": self.pooled,
            "files": table(&self.files),
            "macro": self.mean,
            "sources": table(&self.sources),
            "model": self.model,
            "thresholds": {
                "decision": self.levels.decision,
                "fpr_0.01": self.levels.fpr_01,
                "fpr_0.001": self.levels.fpr_001,
            },
            "n_partly_unjudged": self.partial,
        });
        serde_json::to_writer(&mut *out, &whole)?;
        writeln!(out)
    }

    /// A table for people.
    pub fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let names = self.files.iter().chain(&self.sources).map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0).clamp(HEADING.len(), NAME_MAX);
        heading(out, "file", width)?;
        for (name, metrics) in &self.files {
            line(out, name, width, metrics)?;
        }
        line(out, "all files pooled", width, &self.pooled)?;
        let mean = self.mean;
        let figures = [mean.auc, mean.recall, mean.fpr, mean.accuracy, mean.recall_at_fpr_01, mean.recall_at_fpr_001];
        write!(out, "{HEADING:width$} {:>24}", format!("mean of {} files", mean.files))?;
        write_figures(out, figures)?;
        if !self.sources.is_empty() {
            writeln!(out)?;
            heading(out, "source", width)?;
            for (name, metrics) in &self.sources {
                line(out, name, width, metrics)?;
            }
        }
        let level = |level: Option<f32>| level.map_or("none".to_owned(), |level| format!("{level:.6}"));
        writeln!(
            out,
            "\nModel {}. An attack from a score of {} on; r@1% from {}, r@0.1% from {} (levels over the benign rows of all files).",
            self.model,
            self.levels.decision,
            level(self.levels.fpr_01),
            level(self.levels.fpr_001)
        )?;
        if self.partial > 0 {
            writeln!(out, "{} rows were longer than the model's budget and were judged in part.", self.partial)?;
        }
        Ok(())
    }
}

fn heading(out: &mut dyn Write, first: &str, width: usize) -> io::Result<()> {
    writeln!(
        out,
        "{first:width$} {:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "n", "attack", "benign", "auc", "recall", "fpr", "acc", "r@1%", "r@0.1%"
    )
}

fn line(out: &mut dyn Write, name: &str, width: usize, metrics: &Metrics) -> io::Result<()> {
    // File and source names are data: what could move a terminal's cursor is not printed.
    let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).take(width).collect();
    let Metrics { n, n_attack, n_benign, auc, recall, fpr, accuracy, recall_at_fpr_01, recall_at_fpr_001 } = *metrics;
    write!(out, "{name:width$} {n:>8}{n_attack:>8}{n_benign:>8}")?;
    write_figures(out, [auc, recall, fpr, accuracy, recall_at_fpr_01, recall_at_fpr_001])
}

fn write_figures(out: &mut dyn Write, figures: [Option<f64>; 6]) -> io::Result<()> {
    for figure in figures {
        match figure {
            Some(figure) => write!(out, "{figure:>8.4}")?,
            None => write!(out, "{:>8}", "-")?,
        }
    }
    writeln!(out)
}

const HEADING: &str = "files with attacks";
const NAME_MAX: usize = 60;

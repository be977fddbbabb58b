//! Labelled rows: JSON lines, plain or gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressBarIter};
use serde::Deserialize;

use crate::text::Role;

/// One labelled text.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Row {
    /// The text to score.
    pub text: String,
    /// True for every label but `benign`.
    pub is_attack: bool,
    /// Where the row comes from, if it says.
    pub source: Option<String>,
    /// Who speaks, if it says; judged as untrusted otherwise.
    pub role: Option<Role>,
    /// The system prompt of the same conversation.
    pub system: Option<String>,
    line: usize,
}

impl Row {
    /// File and line, for messages.
    pub fn place(&self, path: &Path) -> String {
        format!("{}:{}", path.display(), self.line)
    }
}

/// A row as written. Data sets carry more keys than these; they are nobody's business here.
#[derive(Deserialize)]
struct Raw {
    text: String,
    label: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    system: Option<String>,
}

/// The rows of one file; an error is one line for people, with file and line.
pub(in crate::cli) struct Rows {
    path: PathBuf,
    lines: Option<Box<dyn BufRead>>,
    failed: Option<io::Error>,
    line: usize,
    buffer: Vec<u8>,
}

impl Rows {
    /// Opens a file. That it cannot be read is the first row's error.
    pub fn open(path: &Path, bar: &ProgressBar) -> Self {
        let (lines, failed) = match open(path, bar) {
            Ok(lines) => (Some(lines), None),
            Err(error) => (None, Some(error)),
        };
        Self { path: path.to_path_buf(), lines, failed, line: 0, buffer: Vec::new() }
    }

    /// Ends the iteration with one last error.
    fn broken(&mut self, problem: &str) -> Option<Result<Row, String>> {
        self.lines = None;
        Some(Err(format!("{}:{}: {problem}", self.path.display(), self.line)))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(format!("{}: {error}", self.path.display())));
        }
        loop {
            self.line += 1;
            self.buffer.clear();
            let lines = self.lines.as_mut()?;
            let read = lines.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut self.buffer);
            match read {
                Ok(0) => return None,
                Ok(_) if self.buffer.len() as u64 > LINE_BYTES => {
                    return self.broken(&format!("a line of more than {LINE_BYTES} bytes"));
                }
                Ok(_) if self.buffer.trim_ascii().is_empty() => {}
                Ok(_) => return Some(self.row()),
                Err(error) => return self.broken(&error.to_string()),
            }
        }
    }
}

impl Rows {
    fn row(&self) -> Result<Row, String> {
        let failed = |problem: String| format!("{}:{}: {problem}", self.path.display(), self.line);
        let raw: Raw = serde_json::from_slice(&self.buffer).map_err(|error| {
            let column = error.column();
            // The parser's own "at line 1 column …" speaks of a line that is this one.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            failed(format!("column {column}: {text}; a row is {{\"text\": …, \"label\": …}}"))
        })?;
        if raw.label.is_empty() {
            return Err(failed("the label is empty; write \"benign\" or the kind of attack".to_owned()));
        }
        Ok(Row {
            text: raw.text,
            is_attack: raw.label != "benign",
            source: raw.source,
            role: raw.role,
            system: raw.system,
            line: self.line,
        })
    }
}

type Head = Chain<Cursor<Vec<u8>>, ProgressBarIter<File>>;

/// Opens a file as lines; gzip is told by its first two bytes (RFC 1952), not by the name.
pub(in crate::cli) fn open(path: &Path, bar: &ProgressBar) -> io::Result<Box<dyn BufRead>> {
    let mut file = bar.wrap_read(File::open(path)?);
    let mut magic = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut magic)?;
    let is_gzip = magic == [0x1f, 0x8b];
    let whole: Head = Cursor::new(magic).chain(file);
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(BufReader::new(whole)) })
}

/// Longest line: the largest request body there may be, escapes included.
pub(in crate::cli) const LINE_BYTES: u64 = 64 * 1024 * 1024;

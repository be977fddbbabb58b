//! Deny-lists: files of literals, one a line.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::pattern::{self, Compiled, Problem, Reading};
use super::set::What;
use super::source::Text;
use crate::base::limits::rules as limits;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::table::shown;

/// Where lists are read from, and what was read so far.
#[derive(Debug)]
pub(super) struct Lists<'s> {
    /// Contents by path; `None`: the disk.
    given: Option<BTreeMap<&'s Path, &'s str>>,
    entries: usize,
    /// Family, path as written and content of each list that was read, in order.
    read: Vec<[Vec<u8>; 3]>,
}

impl<'s> Lists<'s> {
    /// Lists on the disk.
    pub(super) fn on_disk() -> Self {
        Self { given: None, entries: 0, read: Vec::new() }
    }

    /// Lists among these texts.
    pub(super) fn given(texts: impl Iterator<Item = (&'s Path, &'s str)>) -> Self {
        Self { given: Some(texts.collect()), entries: 0, read: Vec::new() }
    }

    /// For files that name no list.
    pub(super) fn none() -> Self {
        Self::given(std::iter::empty())
    }

    /// What was read, for the version of the rule set.
    pub(super) fn digest(&self) -> Vec<Vec<u8>> {
        self.read.iter().flatten().cloned().collect()
    }

    /// The entries of a list as literals. What is left out of it is a warning with its number.
    pub(super) fn load(
        &mut self,
        path: &Text,
        word: bool,
        reading: Reading,
        report: &mut Reporter<'_>,
    ) -> Option<Vec<Compiled>> {
        let content = match self.content(report.file, &path.value) {
            Ok(content) => content,
            Err(message) => {
                let help = "name a UTF-8 text file beside or below the rule file: `lists/denied.txt`";
                let message = format!("cannot read the list `{}`: {message}", shown(&path.value));
                report.error("R024", path.place, message, help);
                return None;
            }
        };
        let mut all = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let (mut short, mut twice) = (LeftOut::default(), LeftOut::default());
        for (index, line) in content.trim_start_matches('\u{FEFF}').lines().enumerate() {
            let entry = line.trim();
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            self.entries += 1;
            if self.entries > limits::LIST_ENTRIES || entry.len() > limits::PATTERN_BYTES {
                let message = match entry.len() > limits::PATTERN_BYTES {
                    true => format!("an entry has {} bytes, {} are allowed", entry.len(), limits::PATTERN_BYTES),
                    false => format!("all lists together have over {} entries", limits::LIST_ENTRIES),
                };
                let at = report.elsewhere(place(report.file, &path.value, index + 1));
                report.error("R024", at, message, "shorten the list");
                return None;
            }
            match pattern::literal(entry, word, reading) {
                Err(Problem::TooShort { .. }) => short.add(index + 1, entry),
                Err(_) => {}
                Ok(compiled) => {
                    let key = key(&compiled, reading);
                    match seen.get(&key) {
                        Some(first) => twice.add_second(index + 1, entry, *first),
                        None => {
                            seen.insert(key, index + 1);
                            all.push(compiled);
                        }
                    }
                }
            }
        }
        short.warn(&path.value, "shorter than 3 bytes as they are searched: they are left out", report);
        twice.warn(&path.value, "there already, as they are searched", report);
        if all.is_empty() {
            let message = format!("the list `{}` has no entry", shown(&path.value));
            report.error("R024", path.place, message, "write one entry a line; lines that begin with `#` are comments");
            return None;
        }
        let family = report.file.parent().and_then(Path::file_name).unwrap_or_default();
        let part =
            [family.to_string_lossy().as_bytes().to_vec(), path.value.clone().into_bytes(), content.into_bytes()];
        self.read.push(part);
        Some(all)
    }

    fn content(&self, rule_file: &Path, written: &str) -> Result<String, String> {
        let relative = Path::new(written);
        let is_plain = relative.components().all(|part| matches!(part, Component::CurDir | Component::Normal(_)));
        if !is_plain || written.is_empty() {
            return Err("the path leads out of the rule file's folder".to_owned());
        }
        // As for rule files: what editors leave, and the copies that Kubernetes keeps.
        let is_hidden =
            |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".") && part != Component::CurDir;
        if relative.components().any(is_hidden) {
            return Err("names that begin with a dot are passed over".to_owned());
        }
        let folder = rule_file.parent().unwrap_or(Path::new(""));
        let path = folder.join(relative);
        match &self.given {
            Some(given) => given.get(path.as_path()).map(|text| (*text).to_owned()).ok_or("there is none".to_owned()),
            None => on_disk(folder, &path),
        }
    }
}

/// Reads a list below a folder. Links are followed only inside it: that is how Kubernetes mounts files.
fn on_disk(folder: &Path, path: &Path) -> Result<String, String> {
    let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    if !real.starts_with(&folder) {
        return Err("it is a link that leads out of the rule file's folder".to_owned());
    }
    // A pipe would never end.
    if !fs::metadata(&real).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".to_owned());
    }
    let bound = u64::try_from(limits::LIST_BYTES).unwrap_or(u64::MAX);
    let read = |bytes: &mut Vec<u8>| -> io::Result<()> {
        File::open(&real)?.take(bound + 1).read_to_end(bytes)?;
        Ok(())
    };
    let mut bytes = Vec::new();
    read(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > limits::LIST_BYTES {
        return Err(format!("it has more than {} bytes", limits::LIST_BYTES));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        format!("line {} is not UTF-8", good.iter().filter(|byte| **byte == b'\n').count() + 1)
    })
}

/// What two entries have in common that find the same.
fn key(compiled: &Compiled, reading: Reading) -> String {
    let What::Literal(literal) = &compiled.what else { return String::new() };
    if reading.case_sensitive { literal.text.clone() } else { literal.text.to_ascii_lowercase() }
}

fn place(rule_file: &Path, list: &str, line: usize) -> String {
    let path: PathBuf = rule_file.parent().unwrap_or(Path::new("")).join(list);
    format!("{}:{line}", path.display())
}

/// Entries that are not taken: how many, and the first of them.
#[derive(Debug, Default)]
struct LeftOut {
    count: usize,
    first: Option<(usize, String)>,
}

impl LeftOut {
    fn add(&mut self, line: usize, entry: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| (line, format!("`{}`", shown(entry))));
    }

    fn add_second(&mut self, line: usize, entry: &str, first: usize) {
        self.count += 1;
        self.first.get_or_insert_with(|| (line, format!("`{}`, which line {first} has", shown(entry))));
    }

    fn warn(self, list: &str, what: &str, report: &mut Reporter<'_>) {
        let Some((line, entry)) = self.first else { return };
        let at = report.elsewhere(place(report.file, list, line));
        let message = format!("{} line(s) of the list are {what}", self.count);
        report.warning("W003", at, message, format!("delete them; the first is {entry}"));
    }
}

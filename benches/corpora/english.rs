//! English: prose and requests as people write them to models, from english.txt; sentences of the project's own pages and of
//! comments in its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::DOCUMENT_BYTES;
use super::code::sources;
use super::draw::Draw;

const OWN: &str = include_str!("english.txt");

/// Pages that quote no attacks.
const PAGES: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/admin-api.md",
    "docs/audit-schema.md",
    "docs/cli.md",
    "docs/configuration.md",
    "docs/faults.md",
    "docs/limits.md",
    "docs/operations.md",
    "docs/streaming.md",
];

/// A sentence shorter or longer than this is none.
const SENTENCE_BYTES: std::ops::RangeInclusive<usize> = 30..=400;

/// Sentences by where they come from.
pub struct Sentences {
    prose: Vec<String>,
    pages: Vec<String>,
    comments: Vec<String>,
    /// Examples of rules, which they leave alone.
    passing: Vec<String>,
    /// What systems and people tell a model about its task.
    instructions: Vec<String>,
    /// Sentences with names and numbers, with words of lists as in `requests`.
    facts: Vec<String>,
    /// Requests, in which `{name}` stands for a word of the list of that name.
    requests: Vec<String>,
    slots: BTreeMap<String, Vec<String>>,
}

impl Sentences {
    pub fn of(root: &Path, passing: Vec<String>) -> Self {
        let mut slots = sections(OWN);
        let pages = PAGES.iter().map(|page| fs::read_to_string(root.join(page)).unwrap_or_default());
        Self {
            prose: slots.remove("prose").unwrap_or_default(),
            requests: slots.remove("requests").unwrap_or_default(),
            pages: pages.flat_map(|page| sentences(&plain(&page))).collect(),
            comments: sources(root).iter().flat_map(|source| sentences(&comments(source))).collect(),
            instructions: slots.remove("instructions").unwrap_or_default(),
            facts: slots.remove("facts").unwrap_or_default(),
            passing,
            slots,
        }
    }

    /// One sentence of any kind.
    pub fn sentence(&self, draw: &mut Draw) -> String {
        let kind = match draw.below(16) {
            0..=3 => &self.prose,
            4 | 5 => return self.request(draw),
            6 | 7 => &self.instructions,
            8 | 9 => return self.filled(draw.pick(&self.facts).as_str(), draw),
            10 | 11 => &self.pages,
            12 | 13 => &self.comments,
            _ => &self.passing,
        };
        // A checkout may lack pages, sources or rules.
        draw.pick(if kind.is_empty() { &self.prose } else { kind }).clone()
    }

    /// Something that is asked of a model.
    pub fn request(&self, draw: &mut Draw) -> String {
        self.filled(draw.pick(&self.requests).as_str(), draw)
    }

    fn filled(&self, sentence: &str, draw: &mut Draw) -> String {
        let mut text = String::new();
        let mut rest = sentence;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            text.push_str(self.slots.get(slot).map_or("", |words| draw.pick(words).as_str()));
            rest = after;
        }
        text + rest
    }

    /// Paragraphs.
    pub fn document(&self, draw: &mut Draw) -> String {
        let mut text = self.request(draw);
        text.push('\n');
        while text.len() < DOCUMENT_BYTES {
            for _ in 0..2 + draw.below(5) {
                text.push_str(&self.sentence(draw));
                text.push(' ');
            }
            text.pop();
            text.push_str("\n\n");
        }
        text
    }
}

/// The words of english.txt that have so many letters at least, in lower case, each once.
pub fn words(least: usize) -> Vec<String> {
    let words = OWN.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() >= least);
    words.map(str::to_lowercase).collect::<BTreeSet<String>>().into_iter().collect()
}

/// Lines below `== name`, by name.
pub fn sections(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix("== ") {
            Some(next) => name = next,
            None => sections.entry(name.to_owned()).or_default().push(line.to_owned()),
        }
    }
    sections
}

/// A page's prose: no code, tables, headings; marks and targets of links taken out.
fn plain(page: &str) -> String {
    let mut text = String::new();
    let mut is_code = false;
    for line in page.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            is_code = !is_code;
        } else if line.is_empty() {
            text.push('\n');
        } else if !is_code && !line.starts_with(['|', '#']) {
            let line = line.trim_start_matches(['-', '*', ' ']);
            text.push_str(&linkless(line).replace(['`', '*'], ""));
            text.push(' ');
        }
    }
    text
}

fn linkless(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    (text + rest).replace(['[', ']'], "")
}

/// What comments in a source say.
fn comments(source: &str) -> String {
    let mut text = String::new();
    for line in source.lines() {
        let line = line.trim_start();
        match ["//! ", "/// ", "// "].iter().find_map(|mark| line.strip_prefix(mark)) {
            Some(comment) => {
                text.push_str(comment);
                text.push(' ');
            }
            None => text.push('\n'),
        }
    }
    text
}

/// Sentences without code in them.
fn sentences(text: &str) -> Vec<String> {
    let paragraphs = text.lines().flat_map(|paragraph| paragraph.split_inclusive(". "));
    let said = paragraphs.map(str::trim).filter(|sentence| {
        SENTENCE_BYTES.contains(&sentence.len())
            && sentence.ends_with(['.', '?', ':'])
            && sentence.starts_with(|c: char| c.is_uppercase())
            && !sentence.contains(['`', '[', '{', '<', '"', '\\', '|', '/'])
    });
    said.map(str::to_owned).collect()
}

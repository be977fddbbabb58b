//! Reads YAML as it is written, line by line. Only what rule files are made of is understood: mappings, lists and scalars, no
//! anchors, tags, several documents or keys that are no words.

use super::Unformatted;
use super::flow::{Flow, Stop};
use super::tree::{Body, File, Item, Trivia};

/// Deepest nesting; the loader of YAML has a bound of its own.
pub(super) const DEPTH: usize = 64;

/// Reads a file.
pub(super) fn read(text: &str) -> Result<File, Unformatted> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(|line| line.trim_end().to_owned()).collect();
    let mut reader = Reader { lines, at: 0 };
    let before = reader.trivia();
    let mut root = match reader.indent() {
        Some(0) => reader.block(0, 0)?,
        _ => return Err(reader.wrong("the first key must stand at the beginning of its line")),
    };
    if let Some((_, first)) = match &mut root.body {
        Body::Map(entries) => entries.first_mut(),
        _ => return Err(reader.wrong("a rule file is a mapping")),
    } {
        first.before = before;
    }
    let tail = reader.trivia();
    if reader.at < reader.lines.len() {
        return Err(reader.wrong("this line belongs to nothing above it"));
    }
    Ok(File { root, tail })
}

struct Reader {
    lines: Vec<String>,
    at: usize,
}

impl Reader {
    fn wrong(&self, what: &str) -> Unformatted {
        Unformatted { line: self.at + 1, what: format!("cannot lay it out: {what}") }
    }

    fn line(&self) -> Option<&str> {
        self.lines.get(self.at).map(String::as_str)
    }

    /// Indent of the present line.
    fn indent(&self) -> Option<usize> {
        self.line().map(|line| line.len() - line.trim_start_matches(' ').len())
    }

    /// Empty lines and lines of comments.
    fn trivia(&mut self) -> Vec<Trivia> {
        let mut found = Vec::new();
        while let Some(line) = self.line() {
            let text = line.trim();
            if text.is_empty() {
                found.push(Trivia::Blank);
            } else if text.starts_with('#') {
                found.push(Trivia::Comment(text.to_owned()));
            } else {
                break;
            }
            self.at += 1;
        }
        found
    }

    /// As [`Self::trivia`], undone unless an item at this indent follows: what stands before a shallower item is its.
    fn trivia_at(&mut self, indent: usize) -> Option<Vec<Trivia>> {
        let start = self.at;
        let found = self.trivia();
        if self.indent() == Some(indent) {
            return Some(found);
        }
        self.at = start;
        None
    }

    /// A mapping, list or scalar whose first line is the present one.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Item, Unformatted> {
        if depth > DEPTH {
            return Err(self.wrong("it is nested too deep"));
        }
        let rest = self.line().and_then(|line| line.get(indent..)).unwrap_or_default().to_owned();
        if is_element(&rest) {
            return self.list(indent, depth);
        }
        if key(&rest).is_some() {
            return self.map(indent, depth);
        }
        self.value(&rest, indent.saturating_sub(1), depth)
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Item, Unformatted> {
        let mut items = Vec::new();
        while let Some(before) = self.trivia_at(indent) {
            let Some(rest) = self.line().and_then(|line| line.get(indent..)).filter(|rest| is_element(rest)) else {
                if items.is_empty() {
                    break;
                }
                // The mapping that this list belongs to goes on at the same indent.
                self.at -= before.len();
                break;
            };
            let inner = rest.get(1..).unwrap_or_default();
            let content = inner.trim_start_matches(' ');
            let mut item = if content.is_empty() || content.starts_with('#') {
                let beside = (!content.is_empty()).then(|| content.to_owned());
                self.at += 1;
                let mut item = self.below(indent + 1, depth)?;
                item.beside = item.beside.or(beside);
                item
            } else {
                // What stands behind the hyphen begins a block of its own.
                let inner_indent = indent + 1 + (inner.len() - content.len());
                if let Some(line) = self.lines.get_mut(self.at) {
                    line.replace_range(indent..=indent, " ");
                }
                self.block(inner_indent, depth + 1)?
            };
            item.before.splice(0..0, before);
            items.push(item);
        }
        Ok(Item { body: Body::List(items), ..Item::default() })
    }

    fn map(&mut self, indent: usize, depth: usize) -> Result<Item, Unformatted> {
        let mut entries = Vec::new();
        while let Some(before) = self.trivia_at(indent) {
            let rest = self.line().and_then(|line| line.get(indent..)).unwrap_or_default().to_owned();
            if is_element(&rest) {
                self.at -= before.len();
                break;
            }
            let Some((name, value)) = key(&rest) else { return Err(self.wrong("neither a key nor a list")) };
            let (name, value) = (name.to_owned(), value.to_owned());
            let mut item = if value.is_empty() || value.starts_with('#') {
                let beside = (!value.is_empty()).then_some(value);
                self.at += 1;
                // A list may stand as far left as its key.
                let mut item = self.below_or_list(indent, depth)?;
                item.beside = item.beside.or(beside);
                item
            } else {
                self.value(&value, indent, depth)?
            };
            item.before.splice(0..0, before);
            entries.push((name, item));
        }
        Ok(Item { body: Body::Map(entries), ..Item::default() })
    }

    /// The block further right, if there is one.
    fn below(&mut self, least: usize, depth: usize) -> Result<Item, Unformatted> {
        let start = self.at;
        let before = self.trivia();
        match self.indent() {
            Some(indent) if indent >= least => {
                let mut item = self.block(indent, depth + 1)?;
                item.under(before);
                Ok(item)
            }
            _ => {
                self.at = start;
                Ok(Item::default())
            }
        }
    }

    fn below_or_list(&mut self, indent: usize, depth: usize) -> Result<Item, Unformatted> {
        let start = self.at;
        let before = self.trivia();
        let is_list =
            self.indent() == Some(indent) && self.line().and_then(|line| line.get(indent..)).is_some_and(is_element);
        if is_list {
            let mut item = self.list(indent, depth + 1)?;
            item.under(before);
            return Ok(item);
        }
        self.at = start;
        self.below(indent + 1, depth)
    }

    /// A value that begins on the present line with `text`; lines that belong to it stand further right than `parent`.
    fn value(&mut self, text: &str, parent: usize, depth: usize) -> Result<Item, Unformatted> {
        match text.chars().next() {
            Some('|' | '>') => self.scalar_block(text, parent),
            Some('[' | '{' | '\'' | '"') => {
                let mut all = text.to_owned();
                let mut lines = vec![text.to_owned()];
                loop {
                    let mut flow = Flow::new(&all, depth);
                    match flow.value() {
                        Ok(mut item) => {
                            let rest = flow.rest().trim_start();
                            if !rest.is_empty() && !rest.starts_with('#') {
                                return Err(self.wrong("text behind the end of a value"));
                            }
                            if let Body::Scalar(scalar) = &mut item.body {
                                // Folded over lines: as it was written.
                                let last = lines.len() - 1;
                                if let Some(line) = lines.get_mut(last) {
                                    let cut = line.len() - rest.len();
                                    *line = line.get(..cut).unwrap_or_default().trim_end().to_owned();
                                }
                                *scalar = lines;
                            }
                            item.beside = (!rest.is_empty()).then(|| rest.to_owned());
                            self.at += 1;
                            return Ok(item);
                        }
                        Err(Stop::Wrong(what)) => return Err(self.wrong(what)),
                        Err(Stop::More) => {
                            self.at += 1;
                            let Some(next) = self.line() else {
                                return Err(self.wrong("a quote or bracket is not closed"));
                            };
                            let next = next.trim().to_owned();
                            all.push('\n');
                            all.push_str(&next);
                            lines.push(next);
                        }
                    }
                }
            }
            Some('&' | '*' | '!' | '%' | '@' | '`') => Err(self.wrong("anchors, aliases and tags are not laid out")),
            _ => self.plain(text, parent),
        }
    }

    /// A plain scalar, over lines that stand further right.
    fn plain(&mut self, text: &str, parent: usize) -> Result<Item, Unformatted> {
        let (first, beside) = split_comment(text);
        let mut lines = vec![first.to_owned()];
        let mut beside = beside.map(str::to_owned);
        self.at += 1;
        while beside.is_none() {
            let Some(next) = self.line().filter(|line| !line.trim().is_empty()) else { break };
            if self.indent().is_none_or(|indent| indent <= parent) || next.trim().starts_with('#') {
                break;
            }
            let (part, comment) = split_comment(next.trim());
            lines.push(part.to_owned());
            beside = comment.map(str::to_owned);
            self.at += 1;
        }
        Ok(Item { beside, body: Body::Scalar(lines), ..Item::default() })
    }

    fn scalar_block(&mut self, text: &str, parent: usize) -> Result<Item, Unformatted> {
        let (header, beside) = split_comment(text);
        if header.len() > 2 || header.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong("a block scalar with an indent of its own"));
        }
        self.at += 1;
        let mut lines: Vec<String> = Vec::new();
        while let Some(line) = self.line() {
            if !line.trim().is_empty() && self.indent().is_none_or(|indent| indent <= parent) {
                break;
            }
            lines.push(line.to_owned());
            self.at += 1;
        }
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
            self.at -= 1;
        }
        let indent = lines.iter().find(|line| !line.is_empty()).map_or(0, |line| line.len() - line.trim_start().len());
        let lines = lines.iter().map(|line| line.get(indent..).unwrap_or_default().to_owned()).collect();
        Ok(Item { beside: beside.map(str::to_owned), body: Body::Block(header.to_owned(), lines), ..Item::default() })
    }
}

fn is_element(rest: &str) -> bool {
    rest == "-" || rest.starts_with("- ")
}

/// Key and value of `key: value`.
fn key(rest: &str) -> Option<(&str, &str)> {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.'))?;
    let (name, rest) = rest.split_at_checked(end)?;
    let value = rest.strip_prefix(':')?;
    let is_key = !name.is_empty() && (value.is_empty() || value.starts_with(' '));
    is_key.then(|| (name, value.trim_start()))
}

/// A plain scalar and the comment behind it.
fn split_comment(text: &str) -> (&str, Option<&str>) {
    match text.find(" #") {
        Some(at) => (text.get(..at).unwrap_or_default().trim_end(), text.get(at + 1..)),
        None => (text, None),
    }
}

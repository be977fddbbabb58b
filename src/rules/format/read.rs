//! YAML as it is written: items with their comments, scalars as their bytes. Only what rule files are made of is understood:
//! mappings, lists and scalars, no anchors, tags, several documents or keys that are no words.

use super::Unformatted;

/// A file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) root: Item,
    /// Comments behind the last item.
    pub(super) tail: Vec<Trivia>,
}

/// What stands between items.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Trivia {
    Blank,
    /// With its `#`.
    Comment(String),
}

/// A value, with what stands before it and behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    /// Above it.
    pub(super) before: Vec<Trivia>,
    /// At the end of its line.
    pub(super) beside: Option<String>,
    pub(super) body: Body,
    /// An empty line goes before it, unless it is the first.
    pub(super) starts: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Body {
    #[default]
    Nothing,
    /// As written, on one line or more (quoted or plain, folded over lines).
    Scalar(Vec<String>),
    /// `|` or `>` with its header, and its lines without their common indent.
    Block(String, Vec<String>),
    Map(Vec<(String, Item)>),
    List(Vec<Item>),
    /// `{…}`: without comments.
    FlowMap(Vec<(String, Option<Item>)>),
    /// `[…]`
    FlowList(Vec<Item>),
}

impl File {
    /// All comments, sorted: keys change places.
    pub(super) fn comments(&self) -> Vec<String> {
        let mut all = Vec::new();
        let take = |trivia: &[Trivia], all: &mut Vec<String>| {
            for one in trivia {
                if let Trivia::Comment(text) = one {
                    all.push(text.clone());
                }
            }
        };
        let mut stack = vec![&self.root];
        while let Some(item) = stack.pop() {
            take(&item.before, &mut all);
            all.extend(item.beside.clone());
            match &item.body {
                Body::Map(entries) => stack.extend(entries.iter().map(|(_, item)| item)),
                Body::List(items) | Body::FlowList(items) => stack.extend(items),
                Body::FlowMap(entries) => stack.extend(entries.iter().filter_map(|(_, item)| item.as_ref())),
                Body::Nothing | Body::Scalar(_) | Body::Block(..) => {}
            }
        }
        take(&self.tail, &mut all);
        all.sort();
        all
    }
}

impl Item {
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = (&str, &mut Self)> {
        let entries = match &mut self.body {
            Body::Map(entries) => entries.as_mut_slice(),
            _ => &mut [],
        };
        entries.iter_mut().map(|(key, item)| (key.as_str(), item))
    }

    pub(super) fn elements_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        match &mut self.body {
            Body::List(items) => items.as_mut_slice(),
            _ => &mut [],
        }
        .iter_mut()
    }

    /// Sorts a mapping's keys; equal ones stay in their order.
    pub(super) fn sort_by_key(&mut self, mut rank: impl FnMut(&str) -> usize) {
        if let Body::Map(entries) = &mut self.body {
            let mut ranked: Vec<(usize, (String, Self))> =
                std::mem::take(entries).into_iter().map(|entry| (rank(&entry.0), entry)).collect();
            // What stands above the first key belongs to the whole mapping.
            let head = ranked.first_mut().map(|(_, (_, item))| std::mem::take(&mut item.before)).unwrap_or_default();
            ranked.sort_by_key(|(rank, _)| *rank);
            *entries = ranked.into_iter().map(|(_, entry)| entry).collect();
            if let Some((_, first)) = entries.first_mut() {
                let own = std::mem::replace(&mut first.before, head);
                first.before.extend(own);
            }
        }
    }

    /// Calls with every key and its value, at any depth.
    pub(super) fn walk(&mut self, call: &mut impl FnMut(&str, &mut Self)) {
        match &mut self.body {
            Body::Map(entries) => entries.iter_mut().for_each(|(key, item)| {
                call(key, item);
                item.walk(call);
            }),
            Body::FlowMap(entries) => entries.iter_mut().for_each(|(key, item)| {
                if let Some(item) = item {
                    call(key, item);
                    item.walk(call);
                }
            }),
            Body::List(items) | Body::FlowList(items) => items.iter_mut().for_each(|item| item.walk(call)),
            Body::Nothing | Body::Scalar(_) | Body::Block(..) => {}
        }
    }

    /// A list of scalars without comments goes on one line.
    pub(super) fn flatten(&mut self) {
        let Body::List(items) = &self.body else { return };
        let is_plain = |item: &Self| {
            let is_scalar = matches!(&item.body, Body::Scalar(lines) if lines.len() == 1);
            let text = item.text().unwrap_or_default();
            let breaks = !text.starts_with(['\'', '"']) && text.contains([',', '[', ']', '{', '}']);
            is_scalar
                && !breaks
                && item.beside.is_none()
                && !item.before.iter().any(|one| matches!(one, Trivia::Comment(_)))
        };
        if items.iter().all(is_plain) {
            self.body = Body::FlowList(items.clone());
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Scalar(lines) => lines.first().map(String::as_str),
            _ => None,
        }
    }

    /// A scalar of one line in single quotes, unless it has escapes that would have to be undone.
    pub(super) fn single_quote(&mut self) {
        let Body::Scalar(lines) = &mut self.body else { return };
        let [line] = lines.as_mut_slice() else { return };
        let text = if line.starts_with('\'') {
            return;
        } else if let Some(inner) = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            let mut text = String::new();
            let mut rest = inner.chars();
            while let Some(c) = rest.next() {
                match (c, if c == '\\' { rest.next() } else { None }) {
                    ('\\', Some(c @ ('\\' | '"'))) => text.push(c),
                    ('\\', _) => return,
                    (c, _) => text.push(c),
                }
            }
            text
        } else {
            line.clone()
        };
        *line = format!("'{}'", text.replace('\'', "''"));
    }
}

/// Deepest nesting; the loader of YAML has a bound of its own.
const DEPTH: usize = 64;

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
                    let mut flow = Flow { text: &all, at: 0, depth };
                    match flow.value() {
                        Ok(mut item) => {
                            let rest = all.get(flow.at..).unwrap_or_default().trim_start();
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

impl Item {
    /// Puts this above the first line.
    fn under(&mut self, before: Vec<Trivia>) {
        let own = match &mut self.body {
            Body::Map(entries) => entries.first_mut().map(|(_, item)| &mut item.before),
            Body::List(items) => items.first_mut().map(|item| &mut item.before),
            _ => None,
        };
        own.unwrap_or(&mut self.before).splice(0..0, before);
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

/// Why a flow value cannot be read yet.
enum Stop {
    /// It goes on in the next line.
    More,
    Wrong(&'static str),
}

/// A reader of `[…]`, `{…}` and quoted scalars.
struct Flow<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Flow<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) -> Result<(), Stop> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        if self.rest().starts_with('#') {
            return Err(Stop::Wrong("a comment inside brackets"));
        }
        if self.rest().is_empty() { Err(Stop::More) } else { Ok(()) }
    }

    fn value(&mut self) -> Result<Item, Stop> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Stop::Wrong("it is nested too deep"));
        }
        let body = match self.rest().chars().next() {
            Some('[') => self.list()?,
            Some('{') => self.map()?,
            Some(quote @ ('\'' | '"')) => Body::Scalar(vec![self.quoted(quote)?]),
            Some('&' | '*' | '!') => return Err(Stop::Wrong("anchors, aliases and tags are not laid out")),
            _ => Body::Scalar(vec![self.plain()?]),
        };
        self.depth -= 1;
        Ok(Item { body, ..Item::default() })
    }

    fn list(&mut self) -> Result<Body, Stop> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.space()?;
            if self.take(']') {
                return Ok(Body::FlowList(items));
            }
            items.push(self.value()?);
            self.space()?;
            if !self.take(',') && !self.rest().starts_with(']') {
                return Err(Stop::Wrong("a pair inside a list"));
            }
        }
    }

    fn map(&mut self) -> Result<Body, Stop> {
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.space()?;
            if self.take('}') {
                return Ok(Body::FlowMap(entries));
            }
            let name = match self.rest().chars().next() {
                Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
                _ => self.plain()?,
            };
            self.space()?;
            let value = if self.take(':') {
                self.space()?;
                let is_empty = self.rest().starts_with([',', '}']);
                if is_empty { None } else { Some(self.value()?) }
            } else {
                None
            };
            entries.push((name, value));
            self.space()?;
            if !self.take(',') && !self.rest().starts_with('}') {
                return Err(Stop::Wrong("a comma is missing"));
            }
        }
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += usize::from(found);
        found
    }

    /// A quoted scalar as written, on one line: line ends in it are spaces (one) where it is folded over lines.
    fn quoted(&mut self, quote: char) -> Result<String, Stop> {
        let mut escaped = false;
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quote == '"' => escaped = true,
                '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => escaped = true,
                c if c == quote => {
                    let text = self.rest().get(..=at).unwrap_or_default().replace('\n', " ");
                    self.at += at + 1;
                    return Ok(text);
                }
                _ => {}
            }
        }
        Err(Stop::More)
    }

    fn plain(&mut self) -> Result<String, Stop> {
        let rest = self.rest();
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            let next = rest.get(at + 1..).and_then(|rest| rest.chars().next());
            let ends = matches!(c, ',' | '[' | ']' | '{' | '}')
                || (c == ':' && next.is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ']' | '}')));
            if ends {
                end = at;
                break;
            }
        }
        if end == rest.len() {
            return Err(Stop::More);
        }
        let raw = rest.get(..end).unwrap_or_default();
        if raw.contains(" #") || raw.contains("\n#") {
            return Err(Stop::Wrong("a comment inside brackets"));
        }
        let text = raw.split_whitespace().collect::<Vec<_>>().join(" ");
        self.at += end;
        if text.is_empty() { Err(Stop::Wrong("an empty element")) } else { Ok(text) }
    }
}

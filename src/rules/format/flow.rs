//! Reads what stands in brackets, and quoted scalars: they may go on over lines.

use super::read::DEPTH;
use super::tree::{Body, Item};

/// Why a flow value cannot be read yet.
pub(super) enum Stop {
    /// It goes on in the next line.
    More,
    Wrong(&'static str),
}

/// A reader of `[…]`, `{…}` and quoted scalars.
pub(super) struct Flow<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Flow<'t> {
    /// At the beginning of `text`, this deep in brackets already.
    pub(super) fn new(text: &'t str, depth: usize) -> Self {
        Self { text, at: 0, depth }
    }

    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) -> Result<(), Stop> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        if self.rest().starts_with('#') {
            return Err(Stop::Wrong("a comment inside brackets"));
        }
        if self.rest().is_empty() { Err(Stop::More) } else { Ok(()) }
    }

    pub(super) fn value(&mut self) -> Result<Item, Stop> {
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

//! YAML as it is written: items with their comments, scalars as their bytes.

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

impl Item {
    /// Puts this above the first line.
    pub(super) fn under(&mut self, before: Vec<Trivia>) {
        let own = match &mut self.body {
            Body::Map(entries) => entries.first_mut().map(|(_, item)| &mut item.before),
            Body::List(items) => items.first_mut().map(|item| &mut item.before),
            _ => None,
        };
        own.unwrap_or(&mut self.before).splice(0..0, before);
    }
}

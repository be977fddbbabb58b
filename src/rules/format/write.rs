//! Items as text.

use super::tree::{Body, File, Item, Trivia};

/// Characters of a line up to which lists stay on one line and words are folded.
const WIDTH: usize = 120;

pub(super) fn write(file: &File) -> String {
    let mut writer = Writer { out: String::new() };
    if let Body::Map(entries) = &file.root.body {
        writer.map(entries, 0, true);
    }
    let mut tail = file.tail.as_slice();
    while let [rest @ .., Trivia::Blank] = tail {
        tail = rest;
    }
    writer.trivia(tail, 0, true);
    writer.out
}

struct Writer {
    out: String,
}

impl Writer {
    fn line(&mut self, indent: usize, text: &str) {
        if !text.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.out.push_str(text);
        }
        self.out.push('\n');
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Comments, with the empty lines between them; `blanks`: those around them too.
    fn trivia(&mut self, trivia: &[Trivia], indent: usize, blanks: bool) {
        let has_comment = |rest: &[Trivia]| rest.iter().any(|one| matches!(one, Trivia::Comment(_)));
        for (at, one) in trivia.iter().enumerate() {
            match one {
                Trivia::Comment(text) => self.line(indent, text),
                Trivia::Blank => {
                    let inner = has_comment(trivia.get(..at).unwrap_or_default())
                        && has_comment(trivia.get(at..).unwrap_or_default());
                    if blanks || inner {
                        self.blank();
                    }
                }
            }
        }
    }

    fn before(&mut self, item: &Item, indent: usize, is_first: bool, top: bool) {
        if item.starts && !is_first {
            self.blank();
            let from =
                item.before.iter().position(|one| matches!(one, Trivia::Comment(_))).unwrap_or(item.before.len());
            self.trivia(item.before.get(from..).unwrap_or_default(), indent, false);
        } else {
            self.trivia(&item.before, indent, top);
        }
    }

    fn map(&mut self, entries: &[(String, Item)], indent: usize, top: bool) {
        for (at, (key, item)) in entries.iter().enumerate() {
            self.before(item, indent, at == 0, top);
            self.entry(key, item, indent, indent);
        }
    }

    /// `key: value`, the key already at `column` where that is not `indent`.
    fn entry(&mut self, key: &str, item: &Item, indent: usize, column: usize) {
        let beside = item.beside.as_ref().map(|comment| format!(" {comment}")).unwrap_or_default();
        let pad = if column == indent { indent } else { 0 };
        match &item.body {
            Body::Nothing => self.line(pad, &format!("{key}:{beside}")),
            Body::Map(entries) => {
                self.line(pad, &format!("{key}:{beside}"));
                self.map(entries, indent + 2, false);
            }
            Body::List(items) => {
                self.line(pad, &format!("{key}:{beside}"));
                self.list(items, indent + 2);
            }
            body => self.inline(pad, &format!("{key}: "), body, &beside, indent),
        }
    }

    fn list(&mut self, items: &[Item], indent: usize) {
        for (at, item) in items.iter().enumerate() {
            let beside = item.beside.as_ref().map(|comment| format!(" {comment}")).unwrap_or_default();
            match &item.body {
                Body::Map(entries) => {
                    let mut entries = entries.iter();
                    let Some((key, first)) = entries.next() else { continue };
                    // What stands above the first key stands above the hyphen.
                    let whole = Item {
                        before: [item.before.clone(), first.before.clone()].concat(),
                        starts: item.starts,
                        ..Item::default()
                    };
                    self.before(&whole, indent, at == 0, false);
                    self.out.extend(std::iter::repeat_n(' ', indent));
                    self.out.push_str("- ");
                    self.entry(key, first, indent + 2, 0);
                    for (key, item) in entries {
                        self.before(item, indent + 2, false, false);
                        self.entry(key, item, indent + 2, indent + 2);
                    }
                }
                Body::List(inner) => {
                    self.before(item, indent, at == 0, false);
                    self.line(indent, &format!("-{beside}"));
                    self.list(inner, indent + 2);
                }
                Body::Nothing => {
                    self.before(item, indent, at == 0, false);
                    self.line(indent, &format!("-{beside}"));
                }
                body => {
                    self.before(item, indent, at == 0, false);
                    self.inline(indent, "- ", body, &beside, indent);
                }
            }
        }
    }

    /// A scalar or a flow behind `head`.
    fn inline(&mut self, pad: usize, head: &str, body: &Body, beside: &str, indent: usize) {
        match body {
            Body::Scalar(lines) => {
                let (first, rest) = lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
                let Some((last, middle)) = rest.split_last() else {
                    return self.line(pad, &format!("{head}{first}{beside}"));
                };
                self.line(pad, &format!("{head}{first}"));
                middle.iter().for_each(|line| self.line(indent + 2, line));
                self.line(indent + 2, &format!("{last}{beside}"));
            }
            Body::Block(header, lines) => {
                self.line(pad, &format!("{head}{header}{beside}"));
                lines.iter().for_each(|line| self.line(indent + 2, line));
            }
            body => {
                let text = format!("{head}{}{beside}", flow(body));
                match body {
                    Body::FlowList(items) if indent + text.chars().count() > WIDTH && items.len() > 1 => {
                        self.filled(pad, head, items, beside, indent);
                    }
                    _ => self.line(pad, &text),
                }
            }
        }
    }

    /// A long list, as many elements on a line as fit.
    fn filled(&mut self, pad: usize, head: &str, items: &[Item], beside: &str, indent: usize) {
        self.line(pad, &format!("{head}["));
        let mut line = String::new();
        for item in items {
            let text = format!("{},", flow(&item.body));
            if !line.is_empty() && indent + 2 + line.chars().count() + 1 + text.chars().count() > WIDTH {
                self.line(indent + 2, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&text);
        }
        self.line(indent + 2, &line);
        self.line(indent, &format!("]{beside}"));
    }
}

fn flow(body: &Body) -> String {
    match body {
        Body::Scalar(lines) => lines.join(" "),
        Body::FlowList(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(&item.body)).collect();
            format!("[{}]", items.join(", "))
        }
        Body::FlowMap(entries) if entries.is_empty() => "{}".to_owned(),
        Body::FlowMap(entries) => {
            let entry = |(key, item): &(String, Option<Item>)| match item {
                Some(item) => format!("{key}: {}", flow(&item.body)),
                None => format!("{key}:"),
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Body::Nothing | Body::Block(..) | Body::Map(_) | Body::List(_) => String::new(),
    }
}

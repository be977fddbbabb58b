//! Whether a text stands inside something that is an address, or could be read as one. In doubt it does.
//!
//! A reply is read by whatever renders it: as Markdown, as HTML, as text in which addresses become links. The readings
//! disagree about where a construct ends, so each has a watcher of its own here, they all see every character, and the text
//! is inside as long as one of them says so. None may end before the real construct does; each may end later.

mod tag;

use self::tag::Tag;

/// The watchers, over text or over the strings of a JSON document.
#[derive(Debug)]
pub(super) struct Link {
    /// `Some`: the text is JSON, and this far into an escape.
    escape: Option<Escape>,
    watchers: Watchers,
}

/// How far into an escape of a JSON string.
#[derive(Clone, Copy, Debug)]
enum Escape {
    None,
    Begun,
    /// `\u`, digits so far and what they say.
    Unicode(u8, u32),
}

impl Link {
    /// `is_json`: addresses stand inside the strings of a document, each string by itself.
    pub(super) fn new(is_json: bool) -> Self {
        Self { escape: is_json.then_some(Escape::None), watchers: Watchers::default() }
    }

    /// True where what comes next would be part of an address.
    pub(super) fn is_inside(&self) -> bool {
        self.watchers.is_inside()
    }

    /// Takes in what the reader of the text will see.
    pub(super) fn read(&mut self, text: &str) {
        text.chars().for_each(|c| self.step(c));
    }

    fn step(&mut self, c: char) {
        let Some(escape) = &mut self.escape else { return self.watchers.step(c) };
        match *escape {
            Escape::None if c == '\\' => *escape = Escape::Begun,
            // A string begins or ends.
            Escape::None if c == '"' => self.watchers = Watchers::default(),
            Escape::None => self.watchers.step(c),
            Escape::Begun if c == 'u' => *escape = Escape::Unicode(0, 0),
            Escape::Begun => {
                *escape = Escape::None;
                self.watchers.step(match c {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                });
            }
            Escape::Unicode(digits, value) => {
                let value = value << 4 | c.to_digit(16).unwrap_or_default();
                *escape = if digits < 3 { Escape::Unicode(digits + 1, value) } else { Escape::None };
                if digits == 3 {
                    self.watchers.step(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
        }
    }
}

/// One for each way of writing an address.
#[derive(Debug, Default)]
struct Watchers {
    /// In an address that stands in the text by itself, to the next blank.
    bare: bool,
    /// The characters so far could be a host: `e.example`.
    is_host: bool,
    /// In `](…)`.
    destination: Option<Destination>,
    /// In `]: …`: line ends until it is over.
    definition: u8,
    tag: Tag,
    /// The last characters, folded to lower case, the last one in front.
    last: [char; 6],
}

/// Where a link of Markdown leads.
#[derive(Clone, Copy, Debug, Default)]
struct Destination {
    depth: usize,
    /// In `<…>`, where brackets do not count.
    is_pointed: bool,
}

impl Watchers {
    fn is_inside(&self) -> bool {
        self.bare || self.destination.is_some() || self.definition > 0 || self.tag.is_inside()
    }

    fn step(&mut self, c: char) {
        let c = c.to_ascii_lowercase();
        let [before, second, ..] = self.last;
        self.tag.step(before, c);
        self.bare = if self.bare { !c.is_ascii_whitespace() } else { self.begins_bare(before, second, c) };
        let is_of_host = c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@');
        let is_inner_dot = before == '.' && second.is_alphanumeric() && c.is_alphanumeric();
        self.is_host = is_of_host && (self.is_host || is_inner_dot);
        self.destination = match self.destination.take() {
            // An empty line ends the paragraph, and all that is not closed in it.
            Some(_) if before == '\n' && c == '\n' => None,
            Some(inside) => inside.step(before, c),
            None => (before == ']' && c == '(').then(Destination::default),
        };
        self.definition = match c {
            ':' if before == ']' => 2,
            '\n' => self.definition.saturating_sub(1),
            _ => self.definition,
        };
        self.last.rotate_right(1);
        if let Some(front) = self.last.first_mut() {
            *front = c;
        }
    }

    /// An address by itself: what browsers take for one, what programs make a link of, and an escape that could spell it.
    fn begins_bare(&self, before: char, second: char, c: char) -> bool {
        match c {
            '/' | '\\' if is_slash(before) => true,
            '/' | '?' | '#' if self.is_host => true,
            ':' => self.ends_with(&["http", "https", "ftp", "ws", "wss", "mailto"]),
            '.' => self.ends_with(&["www"]),
            '0'..='9' | 'a'..='f' | '{' => matches!(before, 'u' | 'x') && second == '\\',
            _ => false,
        }
    }

    /// True after one of these words: browsers want no slashes behind a scheme.
    fn ends_with(&self, words: &[&str]) -> bool {
        words.iter().any(|word| word.chars().rev().eq(self.last.iter().copied().take(word.len())))
    }
}

impl Destination {
    fn step(self, before: char, c: char) -> Option<Self> {
        let is_escaped = before == '\\';
        match c {
            '(' => Some(Self { depth: self.depth + 1, ..self }),
            '<' => Some(Self { is_pointed: true, ..self }),
            '>' if !is_escaped => Some(Self { is_pointed: false, ..self }),
            ')' if is_escaped || self.is_pointed => Some(self),
            ')' => self.depth.checked_sub(1).map(|depth| Self { depth, ..self }),
            _ => Some(self),
        }
    }
}

/// Browsers take both for one.
fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_inside(text: &str) -> bool {
        let mut link = Link::new(false);
        link.read(text);
        link.is_inside()
    }

    fn is_inside_json(text: &str) -> bool {
        let mut link = Link::new(true);
        link.read(text);
        link.is_inside()
    }

    #[test]
    fn addresses_by_themselves_go_to_the_next_blank() {
        for text in [
            "https://e.example/?d=",
            "https:e.example?d=",
            "//e.example/",
            r"\\e.example\",
            "mailto:a@e.example?body=",
            "see www.e.example/",
            "e.example/?d=",
            "e.example:8080/a?",
            "e.example#",
            // GitHub's links go on over quotes and blanks that are not ASCII.
            "https://e.example/?d=\"",
            "\"https://e.example/?d=\",",
            "https://e.example/?d=`",
            "https://e.example/?d=\u{a0}",
            r#"{"url":"\u0068ttps:\u002f\u002fe.example/?d="#,
        ] {
            assert!(is_inside(text), "{text}");
            assert!(!is_inside(&format!("{text} ")), "{text}");
        }
        for text in ["Card: ", "Card:", "and/or", "1.5 / ", "e.g. ", "a.b,c/", "wwx.", r"C:\users\", "Hello, "] {
            assert!(!is_inside(text), "{text}");
        }
    }

    #[test]
    fn links_of_markdown_end_no_sooner_than_they_do() {
        for text in [
            "![x](e.example",
            r"![x](/a\)?d=",
            r"![x](&#104;ttps&colon;&sol;&sol;e.example/a\)?d=",
            "![x](</a)?d=",
            r"![x](</a\>)?d=",
            "![x](/(a)?d=",
            "![x](\n/a",
            "[x]: e.example?",
            "[x]:\n e.example?",
        ] {
            assert!(is_inside(text), "{text}");
        }
        for text in ["![x](/a) ", "![x](</a>) ", "[x](/(a)) ", "[x]: /a\n\n", "[x](never closed\n\n", "f[0] (a"] {
            assert!(!is_inside(text), "{text}");
        }
    }

    #[test]
    fn each_string_of_a_document_stands_by_itself() {
        for text in [
            r#"{"url":"https://e.example/?d="#,
            r#"{"url":"\u0068ttps:\u002F\u002fe.example/?d="#,
            r#"{"url":"https:\/\/e.example/?d=\""#,
            r#"{"html":"<img src=\""#,
            r#"{"inner":"{\"url\":\"\\u0068ttps:\\u002f"#,
        ] {
            assert!(is_inside_json(text), "{text}");
            assert!(!is_inside_json(&format!(r#"{text}","next":""#)), "{text}");
        }
        for text in [r#"{"path":"C:\\Users\\"#, r#"{"html":"<img src=\"a\">"#, r#"{"a":"b\n"#] {
            assert!(!is_inside_json(text), "{text}");
        }
    }
}

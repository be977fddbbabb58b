//! Tags of HTML, as far as it takes to know that one is over.
//!
//! Browsers and readers of Markdown disagree about malformed tags and about what is code: for one a quote begins a value in
//! which `>` does not count, for another it is a quote. So only what all read alike counts as the end of a tag. Once they
//! could disagree about a quote, the text is inside to its end.

/// Where in a tag the text is.
#[derive(Debug, Default)]
pub(super) struct Tag {
    part: Part,
    /// The first letters of its name.
    name: String,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    #[default]
    Outside,
    Name,
    /// A name for some, part of an attribute for others.
    Inner,
    /// Before an attribute, behind a blank or a slash.
    Before,
    Attribute,
    AfterAttribute,
    BeforeValue,
    Unquoted,
    Quoted(char),
    AfterQuoted,
    /// `<!…` and `<?…`: it ends with the first `>` or later, and holds no address.
    Declaration,
    /// Nobody knows.
    Lost,
}

/// What these hold is no text: it can fetch and send.
const ACTIVE: [&str; 3] = ["form", "script", "style"];

impl Tag {
    pub(super) fn is_inside(&self) -> bool {
        self.part != Part::Outside
    }

    /// `c` in lower case, and the character before it.
    pub(super) fn step(&mut self, before: char, c: char) {
        use Part::{
            AfterAttribute, AfterQuoted, Attribute, Before, BeforeValue, Declaration, Inner, Lost, Name, Outside,
            Quoted, Unquoted,
        };
        let is_blank = c.is_ascii_whitespace();
        self.part = match (self.part, c) {
            (Lost, _) => Lost,
            (Outside, 'a'..='z') if before == '<' => {
                self.name = c.to_string();
                Name
            }
            (Outside, '/') if before == '<' => {
                self.name.clear();
                Name
            }
            (Outside, '!' | '?') if before == '<' => Declaration,
            (Outside, _) => Outside,
            // For some another tag begins here. Both have the same end, as long as no quote came in between.
            (Name | Inner | Before | Attribute | AfterAttribute | AfterQuoted | Declaration, '<') => {
                self.name.clear();
                Inner
            }
            (BeforeValue | Unquoted | Quoted(_), '<') => Lost,
            (Quoted(open), _) if c == open => AfterQuoted,
            (Quoted(open), _) => Quoted(open),
            (_, '>') if ACTIVE.contains(&self.name.as_str()) => Lost,
            (_, '>') => Outside,
            (Declaration, _) => Declaration,
            (BeforeValue, '"' | '\'') => Quoted(c),
            (_, '"' | '\'') => Lost,
            (Attribute | AfterAttribute, '=') => BeforeValue,
            (Name, '=') => Name,
            (Unquoted, '=') => Unquoted,
            (_, '=') => Lost,
            (Attribute | AfterAttribute, _) if is_blank => AfterAttribute,
            (BeforeValue, _) if is_blank => BeforeValue,
            (_, _) if is_blank => Before,
            (BeforeValue | Unquoted, _) => Unquoted,
            (_, '/') => Before,
            (AfterQuoted, _) => Lost,
            (name @ (Name | Inner), _) => {
                let is_short = self.name.len() < ACTIVE.iter().map(|name| name.len()).max().unwrap_or(0) + 1;
                self.name.extend(is_short.then_some(c));
                name
            }
            (Before | Attribute | AfterAttribute, _) => Attribute,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        let mut tag = Tag::default();
        let mut before = '\0';
        for c in text.chars() {
            tag.step(before, c);
            before = c;
        }
        tag.part
    }

    #[test]
    fn a_tag_ends_where_everybody_ends_it() {
        for text in [
            "<img src=x>",
            "<img src='>' alt=\"a > b\" x = 'y'/>",
            "<br/>",
            "<e.example?a=b>",
            "</p >",
            "<a href=https://e.example/?a=b>",
            "<https://e.example/?a=b&c=d>",
            "<!-- it's a comment -->",
            "Vec<Option<String>>",
            "HashMap<String, Vec<u8>>",
            "a < b, c <= d, 1 <3",
        ] {
            assert_eq!(part(text), Part::Outside, "{text}");
        }
        for text in ["<img src=", "<img alt='>", "<img alt=\">", "<b", "</", "<!--", "<a <img alt=\">"] {
            assert_ne!(part(text), Part::Outside, "{text}");
        }
    }

    #[test]
    fn what_is_read_in_two_ways_does_not_end() {
        for text in [
            // A browser sees a quote inside an unquoted value, and then a value that goes on.
            r#"<img a=b"c alt="> " src="#,
            // A quote between attributes; then a tag of its own.
            r#"<a "><img x="> " src="#,
            // Not a tag for Markdown, which sees the one inside.
            r#"<a b"c=' <img x='> src="#,
            // A piece of code for Markdown, and the tag behind it.
            r#"`<a b=" ` <img alt="> " src="#,
            r#"<a b=c<d/y=" z="> " href="#,
            r#"<a <b=c/y=" z="> " href="#,
            r#"<a =" z="> " href="#,
            r#"<a b="c"d="> " href="#,
            "<style>@import url(",
            "<script>fetch(",
            "<a <script>fetch(",
            "<form action=/><textarea>",
        ] {
            assert_ne!(part(text), Part::Outside, "{text}");
        }
    }
}

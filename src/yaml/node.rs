//! YAML as a tree in which every value knows its place, so that all problems of a file can be named at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Options, Spanned};

/// Line and column, both from 1, the column in characters.
pub(crate) type Place = (usize, usize);

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bool(bool),
    List(Vec<Node>),
    Map(Vec<(String, Place, Node)>),
    Null,
    /// A number as it would be written, with its value where it is a small whole number.
    Number(String, Option<usize>),
    Text(String),
}

impl Value {
    /// What it is, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Null => "nothing",
            Self::Number(..) => "a number",
            Self::Text(_) => "a text",
        }
    }
}

/// Parses one document. The error: what the YAML parser said, and where.
pub(crate) fn parse(content: &str) -> Result<Node, (Option<Place>, String)> {
    let mut options = Options::default();
    // Later problems (twice the same key, for one) are ours to report, all at once and with a place.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::Error;
    // `on: raw` is a key of ours, not a boolean.
    options.strict_booleans = true;
    options.with_snippet = false;
    match serde_saphyr::from_str_with_options::<Spanned<Value>>(content, options) {
        Ok(spanned) => Ok(Node::from(spanned)),
        Err(error) => {
            // The names of the parser's own functions help nobody.
            let message = error.without_snippet().to_string().replace(OF_THE_PARSER, "");
            let told = error.location().and_then(place);
            // The parser tells of the line before the tab.
            let is_tab = TABS.iter().any(|said| message.contains(said));
            match (told, told.filter(|_| is_tab).and_then(|(line, _)| indenting_tab(content, line))) {
                (Some(told), Some(found)) => {
                    let at = |(line, column): Place| format!("line {line}, column {column}");
                    Err((Some(found), message.replace(&at(told), &at(found))))
                }
                _ => Err((told, message)),
            }
        }
    }
}

/// What the parser says of tabs in the place of blanks.
const TABS: [&str; 2] = ["tabs disallowed", "found a tab"];

/// The first tab that a line is indented with, from this line on.
fn indenting_tab(content: &str, from: usize) -> Option<Place> {
    let lines = content.lines().enumerate().skip(from.saturating_sub(1));
    lines
        .filter_map(|(number, line)| {
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let tab = line.get(..indent)?.find('\t')?;
            Some((number + 1, tab + 1))
        })
        .next()
}

/// Said where a file holds several documents.
const OF_THE_PARSER: &str = "; use from_str_multiple or from_str_multiple_with_options";

fn place(location: Location) -> Option<Place> {
    let line = usize::try_from(location.line()).ok()?;
    let column = usize::try_from(location.column()).ok()?;
    (line > 0).then_some((line, column.max(1)))
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { place: place(spanned.referenced).unwrap_or((1, 1)), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string(), usize::try_from(value).ok()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string(), usize::try_from(value).ok()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string(), None))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string(), None))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string(), None))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = sequence.next_element::<Spanned<Value>>()? {
            list.push(Node::from(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value::<Spanned<Value>>()?;
            entries.push((key.value, place(key.referenced).unwrap_or((1, 1)), Node::from(value)));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let node = parse("a: 1\n'on':\n  - x: 'é'\n    y: |\n      text\n  - [true, ~]\n").unwrap();
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!((entries[0].0.as_str(), entries[0].1, entries[0].2.place), ("a", (1, 1), (1, 4)));
        let Value::List(items) = &entries[1].2.value else { panic!("{node:?}") };
        let Value::Map(inner) = &items[0].value else { panic!("{node:?}") };
        assert_eq!((inner[0].1, inner[0].2.place), ((3, 5), (3, 8)));
        // A block text stands where its first line stands.
        assert_eq!(inner[1].2.place.0, 5);
        let Value::List(last) = &items[1].value else { panic!("{node:?}") };
        assert!(matches!(last[0].value, Value::Bool(true)));
        assert!(matches!(last[1].value, Value::Null));
        assert_eq!(last[1].place, (6, 12));
    }

    #[test]
    fn on_is_a_key_and_twice_the_same_key_is_kept() {
        let node = parse("on: raw\non: no\n").unwrap();
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!(entries.len(), 2);
        assert!(matches!(&entries[1].2.value, Value::Text(text) if text == "no"));
    }

    #[test]
    fn broken_yaml_says_where() {
        let (place, message) = parse("a: [1\nb: 2\n").unwrap_err();
        assert!(place.is_some(), "{message}");
    }
}

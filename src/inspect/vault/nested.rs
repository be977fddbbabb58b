//! How deep in JSON a place lies: a string of a JSON document may be a JSON document itself.
//!
//! Programs hand JSON on as text: the body of a request, the arguments of another call. What is put into such a string must
//! be written for each of the documents around it, or the inner one breaks. Only objects and arrays count as documents: a
//! text in quotes is most often just that. What is none may be read as one all the same, by a reader that is less strict, from
//! some place in it, or once more; but no such reader sees a string where there is no quote, and no escape.

use serde::de::IgnoredAny;

use crate::base::Span;

/// For places in a JSON document, in order: how many documents they lie in, one inside the other, the outermost included.
/// `None` there: more than `most`, or it cannot be told. `None` for all: the text is no document.
pub(super) fn depths(json: &str, places: &[usize], most: usize) -> Option<Vec<Option<usize>>> {
    if !is_document(json) {
        return None;
    }
    let mut depths = vec![None; places.len()];
    walk(json, places, 1, most, &mut depths);
    Some(depths)
}

/// Fills in the depths of places in a document that lies so deep.
fn walk(json: &str, places: &[usize], depth: usize, most: usize, depths: &mut [Option<usize>]) {
    if depth > most {
        return;
    }
    for string in strings(json) {
        let within = places.partition_point(|at| *at < string.start)..places.partition_point(|at| *at < string.end);
        let (Some(inner), Some(depths)) = (places.get(within.clone()), depths.get_mut(within)) else { continue };
        if inner.is_empty() {
            continue;
        }
        let inner: Vec<usize> = inner.iter().map(|at| at - string.start).collect();
        match json.get(string.range()).and_then(|written| decode(written, &inner)) {
            Some((text, inner)) if is_document(&text) => walk(&text, &inner, depth + 1, most, depths),
            Some((text, _)) if !text.contains(['"', '\\']) => depths.fill(Some(depth)),
            _ => {}
        }
    }
}

/// What stands between the quotes of each string. One that does not end goes to the end of the text.
fn strings(json: &str) -> impl Iterator<Item = Span> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = json.as_bytes();
        let start = at + bytes.get(at..)?.iter().position(|byte| *byte == b'"')? + 1;
        let mut end = start;
        while let Some(byte) = bytes.get(end).filter(|byte| **byte != b'"') {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        at = end + 1;
        Some(Span::new(start, end.min(bytes.len())))
    })
}

fn is_document(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A string without its escapes, and where places in it come to lie. `None`: it is no string of JSON.
fn decode(written: &str, places: &[usize]) -> Option<(String, Vec<usize>)> {
    let mut text = String::with_capacity(written.len());
    let mut moved = Vec::with_capacity(places.len());
    let mut places = places.iter().peekable();
    let mut rest = written.char_indices();
    while let Some((at, c)) = rest.next() {
        while places.next_if(|place| **place <= at).is_some() {
            moved.push(text.len());
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match rest.next()?.1 {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => escaped(&mut rest.by_ref().map(|(_, c)| c))?,
            _ => return None,
        });
    }
    moved.extend(places.map(|_| text.len()));
    Some((text, moved))
}

/// The character behind `\u`, of one half or of two.
fn escaped(rest: &mut impl Iterator<Item = char>) -> Option<char> {
    let first = half(rest)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    if rest.next() != Some('\\') || rest.next() != Some('u') {
        return None;
    }
    let second = half(rest).filter(|half| (0xDC00..0xE000).contains(half))?;
    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
}

fn half(rest: &mut impl Iterator<Item = char>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value << 4 | rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The depths of all `@` of a document.
    fn at(json: &str, most: usize) -> Vec<Option<usize>> {
        let places: Vec<usize> = json.match_indices('@').map(|(at, _)| at).collect();
        depths(json, &places, most).expect(json)
    }

    #[test]
    fn each_place_is_as_deep_as_the_documents_around_it() {
        let inner = serde_json::json!({ "é\n": "@", "list": ["\u{1F600}", "@"] }).to_string();
        let middle = serde_json::json!({ "inner": inner, "text": "say '@'" }).to_string();
        let outer = serde_json::json!({ "a": "@", "middle": middle, "z": "{ @ }" }).to_string();
        assert_eq!(at(&outer, 4), [1, 3, 3, 2, 1].map(Some), "{outer}");
        // Written with escapes that nobody needs, it says the same.
        let escaped = outer.replace('é', "\\u00e9").replace('\u{1F600}', "\\ud83d\\ude00");
        assert_eq!(at(&escaped, 4), [1, 3, 3, 2, 1].map(Some), "{escaped}");
    }

    #[test]
    fn the_depth_is_bounded_at_n_and_n_plus_1() {
        let mut json = r#"{"a":"@"}"#.to_owned();
        for depth in 1..=4 {
            assert_eq!(at(&json, 3), [(depth <= 3).then_some(depth)], "{json}");
            json = serde_json::json!({ "a": json, "b": "@" }).to_string();
            assert_eq!(at(&json, 3).last(), Some(&Some(1)));
            json = json.replace(r#","b":"@""#, "");
        }
    }

    #[test]
    fn what_may_be_read_as_a_document_and_is_none_has_no_depth() {
        for json in [
            r#"{"a":"\"@\""}"#,
            r#"{"a":"[\"@\"] and more"}"#,
            r#"{"a":"{\"b\": \"@\""}"#,
            r#"{"a":"{\"b\": \"@\"}\n{\"c\": 1}"}"#,
            r#"{"a":"data: {\"b\": \"@\"}"}"#,
            r#"{"a":"```json\n{\"b\": \"@\"}\n```"}"#,
            r#"{"a":"{\"n\": NaN, \"b\": \"@\"}"}"#,
            r#"{"a":"{\"b\": \"\\x @\"}"}"#,
            r#"{"a":"{\\u0022b\\u0022: \\u0022@"}"#,
            r#"{"a":"\ud83d {\"b\": \"@\"}"}"#,
            r#"{"a":"\ud83d @"}"#,
            r#"{"a":"\ufeff{\"b\": \"@\"}"}"#,
        ] {
            assert_eq!(at(json, 4), [None], "{json}");
        }
        for json in [r#"{"a":"[@]"}"#, r#"{"a":"it is @, {n}"}"#, r#" ["@"] "#] {
            assert_eq!(at(json, 4), [Some(1)], "{json}");
        }
        for text in [r#"{"a":"@"#, r#"{"a":@}"#, r#"{"a":"@\"#, r#""@""#, r#"{"a":"@"}{"b":1}"#, "@", ""] {
            assert_eq!(depths(text, &[text.find('@').unwrap_or(0)], 4), None, "{text}");
        }
    }
}

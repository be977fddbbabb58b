//! Whatever document a token stands in: read after its text is put back, each level says what it said before.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::{Kind, Restorer, Vault};
use crate::inspect::redact;

/// Documents inside each other in which texts are put back here.
const DEPTH: usize = 2;

/// What tokens stand for: the last one stands in every string as it is.
const ORIGINALS: [&str; 4] = ["x\",\"admin\":true,\"y\":\"z", "a\n\\b", "\"}", "4111 é"];

fn vault() -> (Vault, Vec<String>) {
    let mut vault = Vault::new([7; 8], 1 << 24, DEPTH);
    let name: Arc<str> = "CARD".into();
    let tokens = ORIGINALS.iter().map(|text| vault.token(&name, text)).collect();
    (vault, tokens)
}

/// A text: tokens, words, and what has a meaning in JSON.
fn text() -> impl Strategy<Value = String> {
    let pieces: Vec<String> =
        ["a", "é", " ", "\"", "\\", "{", "}", "[", "]", ":", ",", "'", "\n"].map(str::to_owned).into();
    let piece = prop_oneof![2 => select(vault().1), 3 => select(pieces)];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A text, a document, or what only a lenient reader takes for one; in its strings the same again.
fn document() -> impl Strategy<Value = String> {
    let text = prop_oneof![3 => select(vault().1), 1 => text()];
    text.prop_recursive(DEPTH as u32 + 1, 24, 3, |inner| {
        let members = vec((self::text(), inner), 1..4);
        (members, any::<bool>(), prop_oneof![3 => Just(0), 2 => 1_usize..9]).prop_map(|(members, is_array, variant)| {
            let value: Value = if is_array {
                members.into_iter().map(|(_, value)| value).collect()
            } else {
                Value::Object(members.into_iter().map(|(key, value)| (key, value.into())).collect())
            };
            written(&value, variant)
        })
    })
}

fn written(value: &Value, variant: usize) -> String {
    let json = value.to_string();
    match variant {
        1 => format!("{json}\n{{\"b\":1}}"),
        2 => format!("data: {json}\n\n"),
        3 => format!("```json\n{json}\n```"),
        4 => format!("[NaN,{json}]"),
        5 => Value::from(json).to_string(),
        6 => json.replacen(":\"", ":\"\\ud83d ", 1),
        7 => format!(" {value:#}\n"),
        8 => format!("\u{feff}{json}").replace("\"a\"", "\"\\u0061\""),
        _ => json,
    }
}

/// True where a text says after what it said before, but for tokens that are texts now.
fn same(before: &str, after: &str) -> bool {
    if before.trim_start().starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str(before)
    {
        return serde_json::from_str(after).is_ok_and(|after| same_value(&value, &after));
    }
    if !before.contains(['"', '\\']) {
        return follows(before, after, &ORIGINALS) == Some("");
    }
    // A reader that looks for strings by their quotes.
    let (before, after) = (by_quotes(before), by_quotes(after));
    before.len() == after.len()
        && before.iter().zip(&after).enumerate().all(|(at, (before, after))| {
            let decoded = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
            match (decoded(before), decoded(after)) {
                (Some(before), Some(after)) if at % 2 == 1 => same(&before, &after),
                _ => follows(before, after, &ORIGINALS[3..]) == Some(""),
            }
        })
}

fn same_value(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::String(before), Value::String(after)) => same(before, after),
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same_value(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            // Two keys may have become one: their tokens stand for what the other says.
            after.len() <= before.len()
                && before
                    .iter()
                    .all(|(key, value)| after.iter().any(|(name, after)| same(key, name) && same_value(value, after)))
        }
        _ => before == after,
    }
}

/// What is left of `after` behind what `before` says, its tokens as they are or as one of these texts.
fn follows<'a>(before: &str, mut after: &'a str, texts: &[&str]) -> Option<&'a str> {
    let tokens = vault().1;
    let mut at = 0;
    while let Some(rest) = before.get(at..).filter(|rest| !rest.is_empty()) {
        let token = tokens.iter().zip(ORIGINALS).find(|(token, _)| rest.starts_with(token.as_str()));
        let step = token.map_or(rest.chars().next()?.len_utf8(), |(token, _)| token.len());
        let original = token.map(|(_, original)| original).filter(|original| texts.contains(original));
        let stays = after.strip_prefix(rest.get(..step)?);
        after = stays.or_else(|| after.strip_prefix(original?))?;
        at += step;
    }
    Some(after)
}

/// The text cut at each quote that no backslash stands before: every other piece is a string.
fn by_quotes(text: &str) -> Vec<String> {
    let (mut pieces, mut is_escaped) = (Vec::from([String::new()]), false);
    for c in text.chars() {
        match pieces.last_mut() {
            Some(piece) if c != '"' || is_escaped => piece.push(c),
            _ => pieces.push(String::new()),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    pieces
}

/// The reader above sees a string that was ended too soon, whoever reads it so.
#[test]
fn what_breaks_out_is_told() {
    let (token, other) = (&vault().1[0], &vault().1[3]);
    for variant in 0..9 {
        let document = written(&serde_json::json!({ "a": token, "b": other }), variant);
        let nested = written(&serde_json::json!({ "c": document }), 0);
        for text in [document, nested] {
            assert!(same(&text, &text) && same(&text, &text.replace(other, ORIGINALS[3])), "{text}");
            assert!(!same(&text, &text.replace(token, ORIGINALS[0])), "{text}");
        }
        // Written for one document, and it lies in two.
        let nested = written(&serde_json::json!({ "c": written(&serde_json::json!([token]), variant) }), 0);
        let once = Value::from(ORIGINALS[0]).to_string();
        assert!(!same(&nested, &nested.replace(token, &once[1..once.len() - 1])), "{nested}");
    }
}

proptest! {
    #[test]
    fn every_level_says_what_it_said(text in document(), split in any::<Index>()) {
        for kind in [Kind::Arguments, Kind::Part, Kind::Text] {
            let places = vault().0.places(&text, kind);
            let after = redact::apply(&text, 0, places.iter().map(|(span, with)| (*span, with.as_str())));
            // As it is, a text is put back before the first quote of a text by itself.
            let is_document = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            let plain = if kind == Kind::Text && !is_document { text.find(['"', '\\']).unwrap_or(text.len()) } else { 0 };
            let (head, tail) = text.split_at(plain);
            let rest = follows(head, &after, &ORIGINALS);
            prop_assert!(rest.is_some_and(|rest| same(tail, rest)), "{kind:?}\n{text}\n{after}");

            let at = (0..=split.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            let mut restorer = Restorer::new(Arc::new(vault().0), kind, text.len());
            let pieces = restorer.push(&text[..at]) + &restorer.push(&text[at..]) + &restorer.finish();
            prop_assert_eq!(pieces, after, "{:?}: split at {}", kind, at);
        }
    }
}

//! Texts that tokens stand for: taken out of one request, put back into its reply, and forgotten with the exchange.
//!
//! The provider and the record see `[CARD-1-k3f9x2qamz]` only. The last part is random and the exchange's own, so that a token
//! which somebody wrote by hand stands for nothing.
//!
//! A token is not put back inside a link, an image or an HTML tag: whoever reads the reply would send the text on to whatever
//! address a hostile prompt made the model write.

mod link;
mod nested;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::link::Link;
use crate::base::Span;
use crate::base::limits::rules as limits;
use crate::inspect::redact;

/// The tokens of one exchange.
#[derive(Debug, Default)]
pub struct Vault {
    mark: String,
    texts: BTreeMap<String, String>,
    known: HashMap<(Arc<str>, String), String>,
    counts: HashMap<Arc<str>, usize>,
    /// Bytes that may still be put back: a reply may say a short token of a long text a million times.
    left: AtomicUsize,
    /// JSON documents inside each other, each a string of the one around it, in which texts are put back.
    depth: usize,
}

/// Bytes of the longest token: brackets, name, number and mark, with hyphens between.
const TOKEN_BYTES: usize = 1 + limits::TOKEN_NAME_BYTES + 1 + 20 + 1 + MARK_LETTERS + 1;

/// Letters of the random part, five bits each.
const MARK_LETTERS: usize = 12;

impl Vault {
    /// An empty vault; `salt` must be random and used for no other exchange. `bytes` are put back at most, in all, and in no
    /// more than `depth` JSON documents inside each other; tokens beyond stay what they are.
    pub(super) fn new(salt: [u8; 8], bytes: usize, depth: usize) -> Self {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let bits = u64::from_be_bytes(salt);
        let letter =
            |at: usize| LETTERS.get((bits >> (5 * at)) as usize & 31).map_or('a', |letter| char::from(*letter));
        let mark = (0..MARK_LETTERS).map(letter).collect();
        Self { mark, left: AtomicUsize::new(bytes), depth, ..Self::default() }
    }

    /// True when no text was taken out.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The token for a text: the same for the same text.
    pub(super) fn token(&mut self, name: &Arc<str>, text: &str) -> String {
        let key = (Arc::clone(name), text.to_owned());
        if let Some(token) = self.known.get(&key) {
            return token.clone();
        }
        let count = self.counts.entry(Arc::clone(name)).or_insert(0);
        *count += 1;
        let token = format!("[{name}-{count}-{}]", self.mark);
        self.texts.insert(token.clone(), text.to_owned());
        self.known.insert(key, token.clone());
        token
    }

    /// True for a token of this exchange.
    pub(super) fn has(&self, token: &str) -> bool {
        self.texts.contains_key(token)
    }

    /// The token at the start of `text`.
    fn at_start(&self, text: &str) -> Found<'_> {
        if !text.starts_with('[') {
            return Found::Nothing;
        }
        let head = text.bytes().take(TOKEN_BYTES).position(|byte| byte == b']').and_then(|end| text.get(..=end));
        if let Some(head) = head {
            return self.texts.get_key_value(head).map_or(Found::Nothing, |(token, text)| Found::Whole(token, text));
        }
        let mut after = self.texts.range::<str, _>((Bound::Included(text), Bound::Unbounded));
        match after.next() {
            Some((token, _)) if token.starts_with(text) => Found::Start,
            _ => Found::Nothing,
        }
    }

    /// What stands for a token here, unless it must not be put back; `depth`: JSON documents around it.
    fn put_back(&self, original: &str, depth: usize, link: &Link) -> Option<String> {
        if link.is_inside() {
            return None;
        }
        let with = written(original, depth);
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(with.len()));
        left.is_ok().then_some(with)
    }

    /// Where tokens stand in a whole text, and what is put back there.
    pub(super) fn places(&self, text: &str, is_json: bool) -> Vec<(Span, String)> {
        let mut places = Vec::new();
        let mut depths = if is_json { self.depths(text) } else { Vec::new() }.into_iter();
        let mut link = Link::new(is_json);
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let step = match self.at_start(rest) {
                Found::Whole(token, original) => {
                    let depth = if is_json { depths.next().flatten() } else { Some(0) };
                    let with = depth.and_then(|depth| self.put_back(original, depth, &link));
                    link.read(with.as_deref().unwrap_or(token));
                    places.extend(with.map(|with| (Span::new(at, at + token.len()), with)));
                    token.len()
                }
                Found::Nothing | Found::Start => {
                    let step = rest.chars().next().map_or(1, char::len_utf8);
                    link.read(rest.get(..step).unwrap_or_default());
                    step
                }
            };
            at += step;
        }
        places
    }

    /// For each token of a JSON document, in order, how deep in documents inside each other it lies.
    fn depths(&self, json: &str) -> Vec<Option<usize>> {
        let is_token = |at: &usize| json.get(*at..).is_some_and(|rest| matches!(self.at_start(rest), Found::Whole(..)));
        let places: Vec<usize> = json.match_indices('[').map(|(at, _)| at).filter(is_token).collect();
        nested::depths(json, &places, self.depth)
    }
}

enum Found<'v> {
    Nothing,
    /// It may become a token.
    Start,
    /// A token, and the text that it stands for.
    Whole(&'v str, &'v str),
}

/// What stands for a token: inside JSON as the characters of a JSON string, for each document around it.
fn written(original: &str, depth: usize) -> String {
    (0..depth).fold(original.to_owned(), |text, _| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    })
}

/// Puts texts back while a reply flows: text in, text out, and what may become a token is held. JSON is held whole, since only
/// its end tells what its strings are; arguments of tools leave whole in any case.
#[derive(Debug)]
pub(super) struct Restorer {
    vault: Arc<Vault>,
    is_json: bool,
    link: Link,
    held: String,
}

impl Restorer {
    /// `is_json`: the text is JSON itself, as arguments of tools are.
    pub(super) fn new(vault: Arc<Vault>, is_json: bool) -> Self {
        Self { vault, is_json, link: Link::new(is_json), held: String::new() }
    }

    /// Takes the next piece; gives what can leave.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        if self.is_json {
            self.held = text;
            return String::new();
        }
        self.walk(&text, false)
    }

    /// The text is over: what was held was no token.
    pub(super) fn finish(&mut self) -> String {
        let text = std::mem::take(&mut self.held);
        if self.is_json {
            let places = self.vault.places(&text, true);
            return redact::apply(&text, 0, places.iter().map(|(span, with)| (*span, with.as_str())));
        }
        self.walk(&text, true)
    }

    fn walk(&mut self, text: &str, is_last: bool) -> String {
        let vault = Arc::clone(&self.vault);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let step = match vault.at_start(rest) {
                Found::Start if !is_last => {
                    self.held = rest.to_owned();
                    break;
                }
                Found::Whole(token, original) => {
                    let with = vault.put_back(original, 0, &self.link);
                    let shown = with.as_deref().unwrap_or(token);
                    self.link.read(shown);
                    out.push_str(shown);
                    token.len()
                }
                Found::Nothing | Found::Start => {
                    let step = rest.chars().next().map_or(1, char::len_utf8);
                    let shown = rest.get(..step).unwrap_or_default();
                    self.link.read(shown);
                    out.push_str(shown);
                    step
                }
            };
            at += step;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> (Arc<Vault>, String, String) {
        let mut vault = Vault::new([7; 8], 1 << 20, 2);
        let name: Arc<str> = "CARD".into();
        let (one, two) = (vault.token(&name, "4111 \"1\""), vault.token(&name, "x\\y"));
        assert_eq!(vault.token(&name, "4111 \"1\""), one, "the same text has the same token");
        assert_ne!(one, two);
        (Arc::new(vault), one, two)
    }

    fn restored(text: &str, is_json: bool) -> String {
        let (vault, ..) = vault();
        let mut restorer = Restorer::new(Arc::clone(&vault), is_json);
        let whole = restorer.push(text) + &restorer.finish();
        for split in (0..=text.len()).filter(|split| text.is_char_boundary(*split)) {
            let mut restorer = Restorer::new(Arc::clone(&vault), is_json);
            let (head, tail) = text.split_at(split);
            let pieces = restorer.push(head) + &restorer.push(tail) + &restorer.finish();
            assert_eq!(pieces, whole, "split at {split}");
        }
        let mut edited = text.to_owned();
        for (span, with) in vault.places(text, is_json).into_iter().rev() {
            edited.replace_range(span.range(), &with);
        }
        assert_eq!(edited, whole, "in one piece");
        whole
    }

    #[test]
    fn tokens_are_put_back_wherever_they_are_split() {
        let (_, one, two) = vault();
        assert_eq!(restored(&format!("a [{one}] [b {two}{one}"), false), "a [4111 \"1\"] [b x\\y4111 \"1\"");
        assert_eq!(restored(&format!(r#"{{"card":"{one}"}}"#), true), r#"{"card":"4111 \"1\""}"#);
        assert_eq!(restored(&one[..one.len() - 1], false), one[..one.len() - 1]);
    }

    #[test]
    fn documents_inside_documents_stay_well_formed_to_the_depth_that_is_allowed() {
        let (_, one, two) = vault();
        let inner = serde_json::json!({ "card": one, "said": format!("\"{two}\"") }).to_string();
        let outer = serde_json::json!({ "a": one, "body": inner, "card": one }).to_string();
        let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        let back = read(&restored(&outer, true));
        assert_eq!((&back["a"], &back["card"]), (&"4111 \"1\"".into(), &"4111 \"1\"".into()));
        let inner = read(back["body"].as_str().unwrap());
        assert_eq!((&inner["card"], &inner["said"]), (&"4111 \"1\"".into(), &"\"x\\y\"".into()));
        let deeper = serde_json::json!({ "more": outer }).to_string();
        let back = read(&restored(&deeper, true));
        let outer = read(back["more"].as_str().unwrap());
        assert_eq!(outer["a"], "4111 \"1\"");
        let inner = read(outer["body"].as_str().unwrap());
        assert_eq!(inner["card"], one.as_str(), "one document deeper than is allowed");
    }

    #[test]
    fn from_the_fourth_document_on_texts_are_put_back_behind_a_blank_alone() {
        let mut vault = Vault::new([7; 8], 4096, 4);
        let token = vault.token(&"CARD".into(), "a \"b\" \\c");
        let inner = serde_json::json!({ "close": token, "said": format!("it is {token}") }).to_string();
        let third = serde_json::json!({ "body": inner }).to_string();
        let outer = serde_json::json!({ "more": serde_json::json!({ "most": third }).to_string() }).to_string();
        let mut restorer = Restorer::new(Arc::new(vault), true);
        let back = restorer.push(&outer) + &restorer.finish();
        let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        let third = read(read(read(&back)["more"].as_str().unwrap())["most"].as_str().unwrap());
        let inner = read(third["body"].as_str().unwrap());
        assert_eq!((&inner["close"], &inner["said"]), (&token.as_str().into(), &"it is a \"b\" \\c".into()));
    }

    #[test]
    fn what_nobody_took_out_stands_for_nothing() {
        let (_, one, _) = vault();
        for text in
            ["[CARD-1-aaaaaaaaaaaa]", "[CARD-1]", "[CARD-", "[[[", &one.to_lowercase(), &one.replace("-1-", "-9-")]
        {
            assert_eq!(restored(text, false), text);
        }
        let other = Vault::new([8; 8], 4096, 2);
        assert!(!other.has(&one) && other.places(&one, false).is_empty());
    }

    #[test]
    fn nothing_is_put_back_into_an_address() {
        let (_, one, _) = vault();
        for (before, after) in [
            ("see https://e.example/?d=", ""),
            ("see https:e.example?d=", ""),
            ("see //e.example/", ""),
            (r"see \\e.example\", ""),
            ("![x](http://e.example/?d=", ")"),
            ("![x](&#104;ttp&colon;&sol;&sol;e.example/(a)?d=", ")"),
            ("![x](<e.example ", ">)"),
            ("[x]: e.example?", ""),
            ("[x]:\n e.example?", ""),
            (r"![x](&#104;ttps&colon;&sol;&sol;e.example/\)?d=", ")"),
            ("![x](</a)?d=", ">)"),
            ("see www.e.example?d=", ""),
            ("see e.example/?d=", ""),
            ("see https://e.example/?d=\"", ""),
            ("<img alt='>' src=&#104;ttp&#58;x?", ">"),
            ("<img src=\"\n&#47;&#47;e.example?\n", "\">"),
        ] {
            let text = format!("{before}{one}{after}");
            assert_eq!(restored(&text, false), text);
            let text = format!("{before}{one}{after}\n\n next: {one}.");
            assert!(restored(&text, false).ends_with("next: 4111 \"1\"."), "{text}");
        }
        // What cannot be told does not end.
        for before in [r#"<img a=b"c alt="> " src="&#104;ttps&colon;&sol;&sol;e.example?"#, "<style>@import url(/"] {
            let text = format!("{before}{one}\n\n next: {one}.");
            assert_eq!(restored(&text, false), text);
        }
        let text = format!(r#"{{"url":"\u0068ttps:\u002f\u002fe.example/?{one}"}}"#);
        assert_eq!(restored(&text, true), text);
        let text = format!(r#"{{"url":"https:\/\/e.example/?{one}","card":"{one}"}}"#);
        assert!(restored(&text, true).ends_with(r#","card":"4111 \"1\""}"#));
    }

    #[test]
    fn what_was_put_back_can_be_an_address_too() {
        let mut vault = Vault::new([7; 8], 4096, 2);
        let url = vault.token(&"URL".into(), "https://e.example/?d=");
        let card = vault.token(&"CARD".into(), "4111");
        let text = format!("{url}{card} {card}");
        let with: Vec<String> = vault.places(&text, false).into_iter().map(|(_, with)| with).collect();
        assert_eq!(with, ["https://e.example/?d=", "4111"], "the first card stands in the address");
        let mut restorer = Restorer::new(Arc::new(vault), false);
        assert_eq!(restorer.push(&text) + &restorer.finish(), format!("https://e.example/?d={card} 4111"));
    }

    #[test]
    fn what_is_put_back_is_bounded_at_n_and_n_plus_1() {
        let mut vault = Vault::new([7; 8], 10, 2);
        let token = vault.token(&"CARD".into(), "12345");
        let vault = Arc::new(vault);
        assert_eq!(vault.places(&token, false).len(), 1);
        let mut restorer = Restorer::new(Arc::clone(&vault), false);
        let text = format!("{token}{token}");
        assert_eq!(restorer.push(&text) + &restorer.finish(), format!("12345{token}"), "in all texts of a reply");
    }
}

//! Texts that tokens stand for: taken out of one request, put back into its reply, and forgotten with the exchange.
//!
//! The provider and the record see `[CARD-1-k3f9x2qamzr7]` only. The last part is random and the exchange's own, so that a token
//! which somebody wrote by hand stands for nothing.
//!
//! A token is not put back inside a link, an image or an HTML tag: whoever reads the reply would send the text on to whatever
//! address a hostile prompt made the model write.
//!
//! Nor may a text end the string of JSON that it is put into: what follows in it would be members of the object around. A
//! text that such a string holds as it is goes anywhere. Any other goes where it is known how it must be written: in a JSON
//! document, and in a text that cannot have begun a string. In doubt the token stays.

mod link;
mod nested;
mod restorer;
mod written;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::link::Link;
pub(super) use self::restorer::Restorer;
use self::written::{is_escaped, written};
use crate::base::Span;
use crate::base::limits::{TOKEN_DEPTH_MAX, rules as limits};

/// The tokens of one exchange.
#[derive(Debug, Default)]
pub struct Vault {
    mark: String,
    texts: BTreeMap<String, Original>,
    known: HashMap<(Arc<str>, String), String>,
    counts: HashMap<Arc<str>, usize>,
    /// Bytes that may still be put back: a reply may say a short token of a long text a million times.
    left: AtomicUsize,
    /// JSON documents inside each other, each a string of the one around it, in which texts are put back.
    depth: usize,
}

/// What a token stands for.
#[derive(Debug)]
struct Original {
    text: String,
    /// It must be written in another way inside a string of JSON.
    is_escaped: bool,
}

/// What a text of a reply is to its reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Arguments of a tool: read as JSON, each string by itself.
    Arguments,
    /// Part of a text that its reader puts together: a string may have begun in another part.
    Part,
    /// A text by itself.
    Text,
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
        Self { mark, left: AtomicUsize::new(bytes), depth: depth.min(TOKEN_DEPTH_MAX), ..Self::default() }
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
        self.texts.insert(token.clone(), Original { text: text.to_owned(), is_escaped: is_escaped(text) });
        self.known.insert(key, token.clone());
        token
    }

    /// True for a token of this exchange.
    pub(super) fn has(&self, token: &str) -> bool {
        self.texts.contains_key(token)
    }

    /// True when it matters for some text how deep in JSON it is put back.
    fn is_escaped(&self) -> bool {
        self.texts.values().any(|original| original.is_escaped)
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

    /// Where tokens stand in a whole text, and what is put back there.
    pub(super) fn places(&self, text: &str, kind: Kind) -> Vec<(Span, String)> {
        self.whole(text, &mut Before::new(kind))
    }

    /// The same, behind what has left already: that was no part of a document that begins here.
    fn whole(&self, text: &str, before: &mut Before) -> Vec<(Span, String)> {
        let is_token = |at: &usize| text.get(*at..).is_some_and(|rest| matches!(self.at_start(rest), Found::Whole(..)));
        let places: Vec<usize> = text.match_indices('[').map(|(at, _)| at).filter(is_token).collect();
        if places.is_empty() {
            before.read(text);
            return Vec::new();
        }
        self.find(text, before, nested::depths(text, &places, self.depth), true).0
    }

    /// Reads on in a text: what is put back where, and how far it was read. Unless it `is_last`, what may become a token is
    /// left. `depths`: of a document, how deep each token lies.
    fn find(
        &self,
        text: &str,
        before: &mut Before,
        depths: Option<Vec<Option<usize>>>,
        is_last: bool,
    ) -> (Vec<(Span, String)>, usize) {
        let (mut places, mut forms, mut at) = (Vec::new(), Forms::default(), 0);
        let mut depths = depths.map(Vec::into_iter);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.at_start(rest) {
                Found::Start if !is_last => break,
                Found::Whole(token, original) => {
                    let depth = match &mut depths {
                        Some(depths) => depths.next().flatten(),
                        None => before.is_plain().then_some(0),
                    };
                    let with = self.put_back(token, original, depth, before, &mut forms);
                    before.link.read(with.as_deref().unwrap_or(token));
                    places.extend(with.map(|with| (Span::new(at, at + token.len()), with)));
                    token.len()
                }
                Found::Nothing | Found::Start => {
                    let step = rest.chars().next().map_or(1, char::len_utf8);
                    before.read(rest.get(..step).unwrap_or_default());
                    step
                }
            };
        }
        (places, at)
    }

    /// What stands for a token, unless it must not be put back. `depth`: JSON documents around it, where that is known.
    fn put_back<'v>(
        &self,
        token: &'v str,
        original: &Original,
        depth: Option<usize>,
        before: &Before,
        forms: &mut Forms<'v>,
    ) -> Option<String> {
        let left = self.left.load(Ordering::Relaxed);
        if before.link.is_inside() || left < original.text.len() {
            return None;
        }
        let with = match depth {
            _ if !original.is_escaped => &original.text,
            Some(0) => &original.text,
            Some(depth) => {
                let form = forms.entry((token, depth)).or_insert_with(|| written(&original.text, depth, left));
                form.as_ref()?
            }
            None => return None,
        };
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(with.len()));
        left.is_ok().then(|| with.clone())
    }
}

/// How tokens are written in a text, by their depth; `None`: longer than what may still be put back, which only gets less. A
/// reply may say one token many times.
type Forms<'v> = HashMap<(&'v str, usize), Option<String>>;

enum Found<'v> {
    Nothing,
    /// It may become a token.
    Start,
    /// A token, and what it stands for.
    Whole(&'v str, &'v Original),
}

/// What stands before a place in a text.
#[derive(Debug)]
struct Before {
    kind: Kind,
    link: Link,
    /// The model has written a quote or a backslash: a string of JSON may have begun, in whatever document the text holds.
    is_quoted: bool,
}

impl Before {
    fn new(kind: Kind) -> Self {
        Self { kind, link: Link::new(kind == Kind::Arguments), is_quoted: false }
    }

    /// Takes in what the model wrote.
    fn read(&mut self, text: &str) {
        self.is_quoted |= text.contains(['"', '\\']);
        self.link.read(text);
    }

    /// True where no string of JSON can have begun.
    fn is_plain(&self) -> bool {
        self.kind == Kind::Text && !self.is_quoted
    }
}

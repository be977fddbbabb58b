//! The tokenizer, made safe for hostile texts.
//!
//! - A text cannot name special tokens: `[SEP]` in a text is read as brackets and letters.
//! - WordPiece gives one `[UNK]` for a whole word when a single character of it is unknown, or when it is longer than 100
//!   characters; an attacker would hide words in that. Such a word is taken apart: its known parts become real tokens.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use tokenizers::models::ModelWrapper;
use tokenizers::{Encoding, Tokenizer};

use crate::base::Span;
use crate::model::ModelError;
use crate::text::model_text;

/// A model's tokenizer with what surrounds a window.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    before: Vec<i64>,
    after: Vec<i64>,
    unknown: Option<u32>,
}

/// One token of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Where it starts in the text, in bytes; on a character boundary.
    pub start: usize,
    /// Characters it stands for.
    pub chars: u32,
    /// True when the vocabulary does not know these characters.
    pub unknown: bool,
}

impl Tokens {
    /// Reads a `tokenizer.json`. `path` is for messages.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        let failed = |problem: String| ModelError::file(path, format!("not a usable tokenizer: {problem}"));
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| failed(error.to_string()))?;
        tokenizer.with_truncation(None).map_err(|error| failed(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        let unknown = match tokenizer.get_model() {
            ModelWrapper::WordPiece(model) => Some(model.unk_token.as_str()),
            ModelWrapper::WordLevel(model) => Some(model.unk_token.as_str()),
            _ => None,
        };
        let unknown = unknown.and_then(|token| tokenizer.token_to_id(token));
        let empty = tokenizer.encode("", true).map_err(|error| failed(error.to_string()))?;
        let [before, after] = *empty.get_ids() else {
            return Err(failed(format!("it puts {} tokens around a text instead of two", empty.len())));
        };
        Ok(Self { tokenizer, before: vec![before.into()], after: vec![after.into()], unknown })
    }

    /// A window's ids: the special tokens around those of `tokens`.
    pub fn window(&self, tokens: &[Token]) -> Vec<i64> {
        let ids = tokens.iter().map(|token| i64::from(token.id));
        self.before.iter().copied().chain(ids).chain(self.after.iter().copied()).collect()
    }

    /// The tokens of `piece`, which must lie in `text` on character boundaries. Starts are bytes of `text`, ascending.
    pub fn encode(&self, text: &str, piece: Span) -> Result<Vec<Token>, String> {
        let raw = text.get(piece.range()).ok_or("a piece that is not in its text")?;
        let prepared = model_text(raw);
        let mut found = Found { tokens: Vec::with_capacity(raw.len() / 4), known: HashMap::new() };
        self.words(&prepared, 0, &mut found)?;
        let mut tokens = found.tokens;
        // Starts are positions in the prepared text; where characters were dropped, they are mapped back.
        let starts = matches!(prepared, Cow::Owned(_)).then(|| raw_starts(raw));
        let mut previous = 0;
        for token in &mut tokens {
            let start = match &starts {
                None => token.start,
                Some(starts) => starts.get(token.start).copied().unwrap_or(raw.len()),
            };
            previous = start.max(previous);
            token.start = piece.start + previous;
        }
        Ok(tokens)
    }

    /// Tokens of `text`, which stands at `base` in the prepared text.
    fn words(&self, text: &str, base: usize, found: &mut Found) -> Result<(), String> {
        let encoding = self.tokenizer.encode(text, false).map_err(|error| error.to_string())?;
        for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            let word = text.get(start..end).unwrap_or_default();
            let chars = word.chars().count();
            if Some(id) == self.unknown && chars > 1 {
                self.take_apart(word, base + start, found)?;
            } else {
                found.push(id, base + start, chars, Some(id) == self.unknown);
            }
        }
        Ok(())
    }

    /// A word that the vocabulary does not know as a whole: runs of known characters are tokenised on their own, runs of
    /// unknown ones become one unknown token each.
    fn take_apart(&self, word: &str, base: usize, found: &mut Found) -> Result<(), String> {
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let is_known = self.is_known(first, found)?;
            let most = if is_known { WORD_CHARS } else { UNKNOWN_CHARS };
            let mut length = 0;
            for c in rest.chars().take(most) {
                if self.is_known(c, found)? != is_known {
                    break;
                }
                length += c.len_utf8();
            }
            let (run, tail) = rest.split_at(length);
            let start = base + (word.len() - rest.len());
            match (is_known, self.unknown) {
                (true, _) => self.known_run(run, start, found)?,
                (false, Some(id)) => found.push(id, start, run.chars().count(), true),
                (false, None) => {}
            }
            rest = tail;
        }
        Ok(())
    }

    /// Characters that are known each, but perhaps not inside a word: then they are taken one by one.
    fn known_run(&self, run: &str, base: usize, found: &mut Found) -> Result<(), String> {
        let encoding = self.tokenizer.encode(run, false).map_err(|error| error.to_string())?;
        if !encoding.get_ids().iter().any(|&id| Some(id) == self.unknown) {
            self.take(&encoding, run, base, found);
            return Ok(());
        }
        for (at, c) in run.char_indices() {
            let single = run.get(at..at + c.len_utf8()).unwrap_or_default();
            let encoding = self.tokenizer.encode(single, false).map_err(|error| error.to_string())?;
            self.take(&encoding, single, base + at, found);
        }
        Ok(())
    }

    /// Takes an encoding's tokens as they are.
    fn take(&self, encoding: &Encoding, text: &str, base: usize, found: &mut Found) {
        for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            let chars = text.get(start..end).unwrap_or_default().chars().count();
            found.push(id, base + start, chars, Some(id) == self.unknown);
        }
    }

    /// True when the character alone gives no unknown token.
    fn is_known(&self, c: char, found: &mut Found) -> Result<bool, String> {
        if let Some(&known) = found.known.get(&c) {
            return Ok(known);
        }
        let encoding = self.tokenizer.encode(c.encode_utf8(&mut [0; 4]) as &str, false).map_err(|e| e.to_string())?;
        let known = !encoding.get_ids().iter().any(|&id| Some(id) == self.unknown);
        found.known.insert(c, known);
        Ok(known)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the vocabulary: it has tens of thousands of entries.
        let words = self.tokenizer.get_vocab_size(true);
        f.debug_struct("Tokens").field("vocabulary", &words).field("unknown", &self.unknown).finish_non_exhaustive()
    }
}

/// Tokens found so far, and which characters were looked up.
struct Found {
    tokens: Vec<Token>,
    known: HashMap<char, bool>,
}

impl Found {
    fn push(&mut self, id: u32, start: usize, chars: usize, unknown: bool) {
        self.tokens.push(Token { id, start, chars: u32::try_from(chars).unwrap_or(u32::MAX), unknown });
    }
}

/// For each byte of `model_text(raw)` the start of the character in `raw` that it came from.
fn raw_starts(raw: &str) -> Vec<usize> {
    let mut starts = Vec::with_capacity(raw.len());
    for (at, c) in raw.char_indices() {
        let kept = model_text(c.encode_utf8(&mut [0; 4])).len();
        starts.extend(std::iter::repeat_n(at, kept));
    }
    starts
}

/// A known run is cut after this many characters: WordPiece takes words of up to 100 characters, and some grow when they
/// are normalised.
const WORD_CHARS: usize = 48;

/// One unknown token stands for at most this many unknown characters.
const UNKNOWN_CHARS: usize = 16;

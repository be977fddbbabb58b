//! Prompts and replies in full, where policy records them: compressed, encrypted, and apart from the records that tell of them.
//!
//! A record holds the SHA-256 of the ciphertext ([`TextRef`]) and never the text, so that the chain stays whole when a text
//! cannot be read any more. What can be read is decided by keys: see [`keys`].

mod files;
pub(crate) mod keys;
mod shred;
mod terms;

use serde::{Deserialize, Serialize};

use super::event::{Event, PassageText};
use super::record::Hash;
use crate::base::ExchangeId;

pub use files::TextKeyFiles;
pub use shred::Shred;

/// The passages of one direction in full.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FullText {
    /// As they are: before they are recorded, when a reader may read them, and in records of schema 2 and older.
    Plain(Vec<PassageText>),
    /// Where they are kept.
    Kept(TextRef),
}

/// What a record says of a text that is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TextRef {
    /// The SHA-256 of the ciphertext in table `passage_text`.
    pub sha256: Hash,
    /// Bytes of the passages' JSON before they were compressed and encrypted.
    pub bytes: u64,
    /// How many passages.
    pub passages: u64,
    /// Why a reader cannot show it; never in a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}

/// Why a kept text cannot be shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// It is not what the record says, or not what was encrypted.
    Damaged,
    /// The store does not have it, or not any more.
    Gone,
    /// The key under which it was encrypted is not here.
    KeyMissing,
    /// Its key was destroyed.
    Shredded,
}

impl FullText {
    /// The passages; `None` when they cannot be read here.
    pub fn passages(&self) -> Option<&[PassageText]> {
        match self {
            Self::Plain(passages) => Some(passages),
            Self::Kept(_) => None,
        }
    }
}

impl From<Vec<PassageText>> for FullText {
    fn from(passages: Vec<PassageText>) -> Self {
        Self::Plain(passages)
    }
}

/// Whose text it is: what a ciphertext is tied to, so that it cannot be passed off as another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) exchange: ExchangeId,
    pub(crate) direction: Direction,
}

/// Which way a text went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Reply,
    Request,
}

impl Direction {
    /// The name in the stores.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Request => "request",
        }
    }

    /// Of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Reply, Self::Request].into_iter().find(|direction| direction.name() == name)
    }
}

/// A text as it is kept: beside its record, in the spool and in the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sealed {
    /// The master key under which its own key is wrapped.
    pub(crate) key_id: String,
    /// Its own key, wrapped; `None`: shredded.
    pub(crate) wrapped: Option<Vec<u8>>,
    /// Keyed hashes of its words.
    pub(crate) terms: Vec<i64>,
    /// Nonce, ciphertext and tag.
    pub(crate) ciphertext: Vec<u8>,
}

impl Sealed {
    /// As it lies behind its record in the spool: lengths are 4 bytes, little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let wrapped = self.wrapped.as_deref().unwrap_or_default();
        let terms: Vec<u8> = self.terms.iter().flat_map(|term| term.to_le_bytes()).collect();
        let mut bytes =
            Vec::with_capacity(12 + self.key_id.len() + wrapped.len() + terms.len() + self.ciphertext.len());
        for part in [self.key_id.as_bytes(), wrapped, &terms] {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(&self.ciphertext);
        bytes
    }

    /// Reads it back; `None` when that is not what it is.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let part = |bytes: &mut &[u8]| -> Option<Vec<u8>> {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            *bytes = rest;
            Some(part.to_vec())
        };
        let mut rest = bytes;
        let key_id = String::from_utf8(part(&mut rest)?).ok()?;
        let wrapped = Some(part(&mut rest)?).filter(|wrapped| !wrapped.is_empty());
        let terms = part(&mut rest)?;
        let (terms, odd) = terms.as_chunks::<8>();
        let terms = odd.is_empty().then(|| terms.iter().map(|term| i64::from_le_bytes(*term)).collect())?;
        Some(Self { key_id, wrapped, terms, ciphertext: rest.to_vec() })
    }
}

impl Event {
    /// The text of this event, with whose it is; `None` where none is recorded.
    pub(crate) fn text_mut(&mut self) -> Option<(Owner<'_>, &mut Option<FullText>)> {
        let (tenant, exchange, direction, text) = match self {
            Self::Begin(begin) => (&begin.tenant, begin.exchange, Direction::Request, &mut begin.prompt_text),
            Self::End(end) => (&end.tenant, end.exchange?, Direction::Reply, &mut end.reply_text),
            Self::Refused(_) | Self::Seal(_) | Self::System(_) | Self::Tombstone(_) => return None,
        };
        Some((Owner { tenant, exchange, direction }, text))
    }

    /// What the record says of its kept text.
    pub(crate) fn text_ref(&self) -> Option<(ExchangeId, Direction, &TextRef)> {
        let (exchange, direction, text) = match self {
            Self::Begin(begin) => (begin.exchange, Direction::Request, &begin.prompt_text),
            Self::End(end) => (end.exchange?, Direction::Reply, &end.reply_text),
            Self::Refused(_) | Self::Seal(_) | Self::System(_) | Self::Tombstone(_) => return None,
        };
        match text {
            Some(FullText::Kept(text)) => Some((exchange, direction, text)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_spool_reads_back_and_nothing_else_does() {
        let sealed = Sealed {
            key_id: "0123abcd".into(),
            wrapped: Some(vec![7; 60]),
            terms: vec![i64::MIN, -1, 0, i64::MAX],
            ciphertext: vec![1, 2, 3],
        };
        let bytes = sealed.to_bytes();
        assert_eq!(Sealed::parse(&bytes), Some(sealed.clone()));
        let bare = Sealed { wrapped: None, terms: Vec::new(), ..sealed };
        assert_eq!(Sealed::parse(&bare.to_bytes()), Some(bare));
        // Everything before the ciphertext has a length.
        for end in 0..bytes.len() - 3 {
            assert_eq!(Sealed::parse(&bytes[..end]), None, "{end}");
        }
    }

    #[test]
    fn old_records_hold_the_text_and_new_ones_where_it_is() {
        let plain: FullText = serde_json::from_str(r#"[{"role":"user","place":"/p","text":"t"}]"#).unwrap();
        assert_eq!(plain.passages().unwrap()[0].text, "t");
        let kept = FullText::Kept(TextRef { sha256: Hash::ZERO, bytes: 5, passages: 1, unread: None });
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(json, format!(r#"{{"sha256":"{}","bytes":5,"passages":1}}"#, Hash::ZERO));
        assert_eq!(serde_json::from_str::<FullText>(&json).unwrap(), kept);
    }
}

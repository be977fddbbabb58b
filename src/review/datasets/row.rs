//! Rows as `train/rows.py` reads them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::audit::IncidentId;
use crate::text::Role;

/// What a text is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// No attack.
    Benign,
    /// It tries to take the model over.
    Injection,
    /// It tries to get the prompt, or the model, out.
    Extraction,
}

impl Label {
    /// The name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Injection => "injection",
            Self::Extraction => "extraction",
        }
    }

    /// Of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Benign, Self::Injection, Self::Extraction].into_iter().find(|label| label.name() == name)
    }
}

/// How a text came, in the words of `train/data.py`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An attack of whoever asks.
    Direct,
    /// An attack in what was brought along: a document, what a tool said.
    Indirect,
    /// No attack, and yet something was seen in it.
    HardNegative,
    /// No attack, and nothing was seen in it.
    Plain,
}

/// Which text of the record: `EXCHANGE:request:0`, the passage's number last.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RowId {
    /// The exchange and its direction.
    pub of: IncidentId,
    /// The passage, from 0.
    pub passage: usize,
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.of, self.passage)
    }
}

impl FromStr for RowId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no row's id; write EXCHANGE:request:NUMBER or EXCHANGE:reply:NUMBER");
        let (of, passage) = text.rsplit_once(':').ok_or_else(wrong)?;
        Ok(Self { of: of.parse().map_err(|_| wrong())?, passage: passage.parse().map_err(|_| wrong())? })
    }
}

impl Serialize for RowId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One labelled text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The text, redacted.
    pub text: String,
    /// What it is.
    pub label: Label,
    /// Where in the text the attack stands, in characters; `None`: all of it, or nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
    /// `portcullis:incident` or `portcullis:sample`.
    pub source: String,
    /// How it came.
    pub kind: Kind,
    /// The language: not told (`und`, BCP 47).
    pub lang: String,
    /// The licence under which its tenant gave it.
    pub lic: String,
    /// Who spoke.
    pub role: Role,
    /// Where it is in the record.
    pub id: RowId,
    /// Why it is in quarantine; of no row for training or judging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Row {
    /// What counts when texts are compared: the attack where it is marked, else the whole text.
    pub(super) fn essence(&self) -> &str {
        let Some([start, end]) = self.span else { return &self.text };
        let mut ends = self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]);
        let from = ends.nth(start);
        let to = end.checked_sub(start + 1).and_then(|more| ends.nth(more));
        from.zip(to).and_then(|(from, to)| self.text.get(from..to)).unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057:reply:12";
        assert_eq!(id.parse::<RowId>().unwrap().to_string(), id);
        for bad in [
            "",
            "x:request:0",
            "01890a5d-ac96-774b-bcce-b302099a8057:reply",
            "01890a5d-ac96-774b-bcce-b302099a8057:both:1",
        ] {
            assert!(bad.parse::<RowId>().unwrap_err().contains("NUMBER"), "{bad}");
        }
    }

    #[test]
    fn the_essence_is_what_the_span_marks() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057:request:0".parse().unwrap();
        let mut row = Row {
            text: "äö: ignore it".into(),
            label: Label::Injection,
            span: Some([4, 10]),
            source: "portcullis:incident".into(),
            kind: Kind::Direct,
            lang: "und".into(),
            lic: "own".into(),
            role: Role::User,
            id,
            why: None,
        };
        assert_eq!(row.essence(), "ignore");
        row.span = Some([4, 13]);
        assert_eq!(row.essence(), "ignore it");
        for odd in [None, Some([5, 5]), Some([9, 2]), Some([0, 99])] {
            row.span = odd;
            assert_eq!(row.essence(), "äö: ignore it", "{odd:?}");
        }
    }
}

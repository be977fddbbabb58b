//! What a version of a set says of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::row::RowId;

/// The name of a set.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-');
        is_name
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("`{text}` is no name; use 1 to {NAME_BYTES} small letters, digits and hyphens"))
    }
}

/// A version: the day (UTC) on which it was built, and its number on that day: `2026-11-24.1`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// The day.
    pub day: Date,
    /// From 1.
    pub number: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.day, self.number)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (day, number) = text.rsplit_once('.')?;
            Some(Self { day: day.parse().ok()?, number: number.parse().ok().filter(|number| *number > 0)? })
        };
        // Only as it is written: the text is part of a place.
        read()
            .filter(|version| version.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no version; write YYYY-MM-DD.NUMBER"))
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Name);
as_text!(Version);

/// By what it was made: section `datasets`, as it stood.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Licences by tenant.
    pub consent: BTreeMap<String, String>,
    /// Families of rules whose findings were taken out.
    pub redact: Vec<String>,
    /// Rows that one principal may give.
    pub per_principal: usize,
    /// Days that a disposition must have stood.
    pub quarantine_days: u32,
    /// Of a hundred groups of alike texts, those for judging.
    pub eval_percent: u8,
    /// The policy by which texts were redacted, and benign ones doubted.
    pub policy_version: String,
}

/// One file of a version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name beside the manifest.
    pub name: String,
    /// Of its bytes, in hex.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
    /// Rows by label.
    pub labels: BTreeMap<String, u64>,
}

/// One version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The set.
    pub name: Name,
    /// The version.
    pub version: Version,
    /// When it was built.
    pub built_at: Timestamp,
    /// The version of Portcullis that built it.
    pub portcullis: String,
    /// Exchanges begun at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Exchanges begun before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// By what it was made.
    pub terms: Terms,
    /// Its files: for training, for judging, in quarantine.
    pub files: Vec<File>,
    /// Rows by tenant.
    pub tenants: BTreeMap<String, u64>,
    /// What was not taken, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What is in quarantine, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Rows that somebody let out of quarantine.
    pub accepted: Vec<RowId>,
}

impl Manifest {
    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Rows for training and for judging.
    pub fn rows(&self) -> u64 {
        [TRAIN, EVAL].iter().filter_map(|name| self.file(name)).map(|file| file.rows).sum()
    }
}

/// The form of manifests that this version writes and reads.
pub const FORMAT: u32 = 1;
/// Rows to train on.
pub const TRAIN: &str = "train.jsonl.gz";
/// Rows to judge by.
pub const EVAL: &str = "eval.jsonl.gz";
/// Rows that somebody must look at first.
pub const QUARANTINE: &str = "quarantine.jsonl.gz";
/// Bytes of a name.
const NAME_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_no_paths() {
        for good in ["incidents", "a", "set-2"] {
            assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
        }
        for bad in ["", "-a", "A", "a/b", "..", "a.b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().unwrap_err().contains("small letters"), "{bad}");
        }
        let version: Version = "2026-11-24.10".parse().unwrap();
        assert!(version > "2026-11-24.9".parse().unwrap());
        for bad in
            ["", "2026-11-24", "2026-11-24.0", "2026-11-24.01", "2026-11-24.+1", "20261124.1", "x.1", "2026-11-24.1/.."]
        {
            assert!(bad.parse::<Version>().unwrap_err().contains("YYYY-MM-DD"), "{bad}");
        }
    }
}

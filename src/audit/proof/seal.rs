//! Seals: signed checkpoints of a chain, themselves records of it.
//!
//! The records of one node and day are a *period*: a log of its own, whose leaves are the hashes of its records. A seal signs how
//! far the period has come and where the chain stands, as a checkpoint of a transparency log
//! (<https://c2sp.org/tlog-checkpoint>, a signed note), so that tools made for those can read it:
//!
//! ```text
//! portcullis/edge-1-3f9a2c1b/2026-11-23/4711     the log: node, day, number of the period's first record
//! 8190                                           records in it
//! <base64>                                       their Merkle root
//! chain 12900 <base64>                           the chain's last record under this seal, and its hash
//!
//! — portcullis/edge-1-3f9a2c1b <base64>          the signature
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::SigningKey;
use super::public_key::PublicKey;
use crate::audit::record::Hash;

/// A signed checkpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seal {
    /// When it was signed.
    pub at: Timestamp,
    /// The period's day (UTC).
    pub day: Date,
    /// The period's first record.
    pub first_seq: u64,
    /// The last record under this seal; it is the one before the seal itself.
    pub last_seq: u64,
    /// The Merkle root over the hashes of both and all between.
    pub root: Hash,
    /// The hash of the last record, and so of all before it.
    pub hash: Hash,
    /// True when the period ends here: the next record is of another.
    pub is_last: bool,
    /// Which key signed: [`PublicKey::id`].
    pub key_id: String,
    /// The note's signature line, base64 of four bytes of the key's hash and 64 of the signature.
    pub signature: String,
}

impl Seal {
    /// Signs.
    pub(crate) fn sign(node: &str, unsigned: Unsigned, key: &SigningKey) -> Self {
        let Unsigned { at, day, first_seq, last_seq, root, hash, is_last } = unsigned;
        let public = key.public();
        let mut seal =
            Self { at, day, first_seq, last_seq, root, hash, is_last, key_id: public.id(), signature: String::new() };
        let mut bytes = public.note_hash(&signer(node)).to_vec();
        bytes.extend(key.sign(seal.text(node).as_bytes()));
        seal.signature = STANDARD.encode(bytes);
        seal
    }

    /// Whether `key` signed this for `node`.
    pub fn is_signed(&self, node: &str, key: &PublicKey) -> bool {
        let Ok(bytes) = STANDARD.decode(&self.signature) else { return false };
        let Some((hash, signature)) = bytes.split_first_chunk::<4>() else { return false };
        *hash == key.note_hash(&signer(node)) && key.verifies(self.text(node).as_bytes(), signature)
    }

    /// Records in the period, up to here.
    pub fn size(&self) -> u64 {
        self.last_seq.saturating_add(1).saturating_sub(self.first_seq)
    }

    /// The signed note.
    pub fn note(&self, node: &str) -> String {
        format!("{}\n\u{2014} {} {}\n", self.text(node), signer(node), self.signature)
    }

    /// What is signed.
    fn text(&self, node: &str) -> String {
        format!(
            "portcullis/{node}/{}/{}\n{}\n{}\nchain {} {}\n",
            self.day,
            self.first_seq,
            self.size(),
            STANDARD.encode(self.root.bytes()),
            self.last_seq,
            STANDARD.encode(self.hash.bytes()),
        )
    }
}

/// The name under which a node signs.
pub fn signer(node: &str) -> String {
    format!("portcullis/{node}")
}

/// What a seal says, before it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsigned {
    pub(crate) at: Timestamp,
    pub(crate) day: Date,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) root: Hash,
    pub(crate) hash: Hash,
    pub(crate) is_last: bool,
}

/// A signed note, read back: what an anchor holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchored {
    /// The chain.
    pub node: String,
    /// The period's day.
    pub day: Date,
    /// The period's first record.
    pub first_seq: u64,
    /// The last record under the seal.
    pub last_seq: u64,
    /// The period's root.
    pub root: Hash,
    /// The hash of the last record.
    pub hash: Hash,
    text: String,
    signatures: Vec<Vec<u8>>,
}

impl Anchored {
    /// Reads one note; the error says what is wrong with it.
    pub fn parse(note: &str) -> Result<Self, String> {
        let (text, signed) = note.split_once("\n\n").ok_or("it has no blank line between text and signatures")?;
        let lines: Vec<&str> = text.split('\n').collect();
        let &[origin, size, root, chain] = lines.as_slice() else {
            return Err(format!("it has {} lines of text, a checkpoint of ours has 4", lines.len()));
        };
        let mut parts =
            origin.strip_prefix("portcullis/").ok_or("its first line names no log of ours")?.rsplitn(3, '/');
        let (Some(first_seq), Some(day), Some(node)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("its first line names no log of ours".to_owned());
        };
        let first_seq: u64 = first_seq.parse().map_err(|_| "its first line names no record")?;
        let day: Date = day.parse().map_err(|_| "its first line names no day")?;
        let size: u64 = size.parse().map_err(|_| "its second line is no number")?;
        let (last_seq, hash) = chain
            .strip_prefix("chain ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or("its fourth line names no record")?;
        let last_seq: u64 = last_seq.parse().map_err(|_| "its fourth line names no record")?;
        if last_seq.checked_add(1).and_then(|end| end.checked_sub(first_seq)) != Some(size) {
            return Err(format!("records {first_seq} to {last_seq} are not {size}"));
        }
        let decode =
            |text: &str| STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Hash::from_bytes);
        let root = decode(root).ok_or("its root is no hash")?;
        let hash = decode(hash).ok_or("its fourth line has no hash")?;
        let ours = format!("\u{2014} {} ", signer(node));
        let signatures = signed.lines().filter_map(|line| line.strip_prefix(&ours));
        let signatures: Vec<Vec<u8>> = signatures.filter_map(|line| STANDARD.decode(line).ok()).collect();
        Ok(Self { node: node.to_owned(), day, first_seq, last_seq, root, hash, text: format!("{text}\n"), signatures })
    }

    /// Reads every note of a file to which notes are appended, or to which an output writes its lines.
    ///
    /// # Errors
    /// What is wrong with the first note that is none, or that there is none at all.
    pub fn parse_all(file: &str) -> Result<Vec<Self>, String> {
        if file.trim_start().starts_with('{') {
            return Self::parse_lines(file);
        }
        let starts: Vec<usize> = file.match_indices("portcullis/").map(|(at, _)| at).collect();
        let starts: Vec<usize> = starts.into_iter().filter(|at| *at == 0 || file[..*at].ends_with('\n')).collect();
        if starts.is_empty() && !file.trim().is_empty() {
            return Err("it holds no checkpoint".to_owned());
        }
        let ends = starts.iter().skip(1).copied().chain([file.len()]);
        let notes = starts.iter().zip(ends).enumerate();
        notes
            .map(|(number, (start, end))| {
                Self::parse(&file[*start..end]).map_err(|why| format!("checkpoint {}: {why}", number + 1))
            })
            .collect()
    }

    fn parse_lines(file: &str) -> Result<Vec<Self>, String> {
        let notes = Self::among(file)?;
        if notes.is_empty() { Err("it holds no checkpoint".to_owned()) } else { Ok(notes) }
    }

    /// Reads the notes among the lines of an output: docs/outputs.md. Lines that tell of something else are passed over.
    pub(crate) fn among(file: &str) -> Result<Vec<Self>, String> {
        let mut notes = Vec::new();
        for (number, line) in file.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| format!("line {}: {why}", number + 1);
            let line: Value = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            // As a webhook has it, or by itself.
            let line = line.get("data").unwrap_or(&line);
            if let Some(note) = line.pointer("/checkpoint/note").and_then(Value::as_str) {
                notes.push(Self::parse(note).map_err(wrong)?);
            }
        }
        Ok(notes)
    }

    /// Whether `key` signed it.
    pub fn is_signed(&self, key: &PublicKey) -> bool {
        let name = key.note_hash(&signer(&self.node));
        self.signatures.iter().any(|line| {
            line.split_first_chunk::<4>()
                .is_some_and(|(hash, signature)| *hash == name && key.verifies(self.text.as_bytes(), signature))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        let folder = tempfile::tempdir().unwrap();
        SigningKey::read_or_make(&folder.path().join("key")).unwrap()
    }

    fn seal(key: &SigningKey) -> Seal {
        let unsigned = Unsigned {
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            day: "2026-11-23".parse().unwrap(),
            first_seq: 11,
            last_seq: 20,
            root: Hash::of(Hash::ZERO, b"root"),
            hash: Hash::of(Hash::ZERO, b"head"),
            is_last: false,
        };
        Seal::sign("edge/1-3f9a2c1b", unsigned, key)
    }

    #[test]
    fn only_the_key_and_the_text_that_were_signed_verify() {
        let (key, other) = (key(), key());
        let seal = seal(&key);
        assert!(seal.is_signed("edge/1-3f9a2c1b", &key.public()));
        assert!(!seal.is_signed("edge/1-3f9a2c1b", &other.public()));
        assert!(!seal.is_signed("edge/2-3f9a2c1b", &key.public()));
        let changes: [fn(&mut Seal); 5] = [
            |seal| seal.last_seq += 1,
            |seal| seal.first_seq -= 1,
            |seal| seal.root = Hash::ZERO,
            |seal| seal.hash = Hash::ZERO,
            |seal| seal.day = "2026-11-24".parse().unwrap(),
        ];
        for change in changes {
            let mut changed = seal.clone();
            change(&mut changed);
            assert!(!changed.is_signed("edge/1-3f9a2c1b", &key.public()));
        }
    }

    #[test]
    fn notes_read_back_from_a_file_they_are_appended_to() {
        let key = key();
        let seal = seal(&key);
        let note = seal.note("edge/1-3f9a2c1b");
        let read = Anchored::parse_all(&format!("{note}\n{note}")).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].node.as_str(), read[0].first_seq, read[0].last_seq), ("edge/1-3f9a2c1b", 11, 20));
        assert_eq!((read[1].root, read[1].hash, read[1].day), (seal.root, seal.hash, seal.day));
        assert!(read.iter().all(|note| note.is_signed(&key.public())));
        let changed = Anchored::parse(&note.replace("\n10\n", "\n9\n").replace("/11\n", "/12\n")).unwrap();
        assert!(!changed.is_signed(&key.public()));
    }

    #[test]
    fn what_is_no_note_is_told() {
        let note = seal(&key()).note("n");
        for (bad, why) in [
            ("hello", "no checkpoint"),
            (&note.replace("\n\n", "\n"), "blank line"),
            (&note.replace("\n10\n", "\n11\n"), "are not 11"),
            (&note.replace("chain 20", "chain x"), "fourth line"),
            (&note.replace("chain 20", "chain 18446744073709551615"), "are not 10"),
        ] {
            assert!(Anchored::parse_all(bad).unwrap_err().contains(why), "{why}");
        }
    }
}

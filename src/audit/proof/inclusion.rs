//! The proof that one record is in the record: for somebody who may see this one and no other.

use serde::{Deserialize, Serialize};

use super::merkle;
use super::public_key::PublicKey;
use super::seal::Anchored;
use crate::audit::record::{Hash, Record};

/// A record, and its way up to a signed checkpoint (RFC 9162, section 2.1.3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Inclusion {
    /// The hash of the record before.
    pub prev_hash: Hash,
    /// The record's bytes.
    pub body: String,
    /// The hashes beside its way up, lowest first.
    pub path: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

impl Inclusion {
    /// The record, when everything holds: its hash leads to the checkpoint's root, and one of `keys` signed that.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, keys: &[PublicKey]) -> Result<Record, String> {
        let checkpoint = Anchored::parse(&self.checkpoint).map_err(|why| format!("the checkpoint: {why}"))?;
        let record = Record::parse(self.prev_hash, self.body.as_bytes()).map_err(|why| format!("the record: {why}"))?;
        if record.node != checkpoint.node {
            return Err(format!("the record is of {}, the checkpoint of {}", record.node, checkpoint.node));
        }
        if !(checkpoint.first_seq..=checkpoint.last_seq).contains(&record.seq) {
            return Err(format!(
                "record {} is not among {} to {} under the checkpoint",
                record.seq, checkpoint.first_seq, checkpoint.last_seq
            ));
        }
        let index = record.seq - checkpoint.first_seq;
        let size = checkpoint.last_seq - checkpoint.first_seq + 1;
        if merkle::root_by_path(record.hash, index, size, &self.path) != Some(checkpoint.root) {
            return Err("the record's hash does not lead to the checkpoint's root: it is not the one that was sealed"
                .to_owned());
        }
        if !keys.iter().any(|key| checkpoint.is_signed(key)) {
            return Err("the checkpoint is signed by none of the keys".to_owned());
        }
        Ok(record)
    }
}

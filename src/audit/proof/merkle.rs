//! Merkle trees over the hashes of records, as Certificate Transparency makes them (RFC 9162, section 2.1). Pure.
//!
//! A leaf is `SHA-256(00 || record's hash)`, an inner node `SHA-256(01 || left || right)`, and a tree of n leaves splits at the
//! largest power of two below n, so that a tree only ever grows at its right edge.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::record::Hash;

/// The right edge of a growing tree: the roots of its perfect subtrees, largest first. Room for 64 hashes at most.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Leaves so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of the next record.
    pub(crate) fn push(&mut self, record: Hash) {
        let mut node = leaf(record);
        // Each trailing one of the size is a perfect subtree that the new leaf completes to one twice as large.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = join(left, node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree as it is; that of an empty one is the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Hash::from_bytes(Sha256::digest([]).into()) };
        peaks.fold(last, |right, left| join(left, right))
    }

    /// True when it could have come about by adding leaves: for what was read from a file.
    pub(crate) fn is_sound(&self) -> bool {
        self.peaks.len() == self.size.count_ones() as usize
    }
}

/// The root over some records, in order.
pub(crate) fn root(records: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Frontier::default();
    records.into_iter().for_each(|record| tree.push(record));
    tree.root()
}

/// The siblings from leaf `index` up to the root, lowest first; `None` when there is no such leaf (RFC 9162, section 2.1.3.1).
pub(crate) fn path(records: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= records.len() {
        return None;
    }
    let mut path = Vec::new();
    let mut part = records;
    let mut at = index;
    while part.len() > 1 {
        let (left, right) = part.split_at(part.len().next_power_of_two() / 2);
        if at < left.len() {
            path.push(root(right.iter().copied()));
            part = left;
        } else {
            path.push(root(left.iter().copied()));
            at -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The root that a record, its place and its path come to; `None` when the path has not the length of such a tree (RFC 9162,
/// section 2.1.3.2).
pub(crate) fn root_by_path(record: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut node = leaf(record);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            node = join(*sibling, node);
            // A node without a sibling of its own goes up as it is.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = join(node, *sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

fn leaf(record: Hash) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update([0]).chain_update(record.bytes()).finalize().into())
}

fn join(left: Hash, right: Hash) -> Hash {
    Hash::from_bytes(
        Sha256::new().chain_update([1]).chain_update(left.bytes()).chain_update(right.bytes()).finalize().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize) -> Vec<Hash> {
        (0..count).map(|index| Hash::of(Hash::ZERO, index.to_string().as_bytes())).collect()
    }

    /// The definition of RFC 9162, word for word.
    fn by_definition(records: &[Hash]) -> Hash {
        match records {
            [] => Hash::from_bytes(Sha256::digest([]).into()),
            [one] => leaf(*one),
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                join(by_definition(left), by_definition(right))
            }
        }
    }

    #[test]
    fn a_tree_grown_leaf_by_leaf_is_the_tree_of_the_definition() {
        let records = records(70);
        let mut tree = Frontier::default();
        for size in 0..records.len() {
            assert_eq!(tree.root(), by_definition(&records[..size]), "{size} leaves");
            assert!(tree.is_sound());
            tree.push(records[size]);
        }
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        for size in 1..40 {
            let records = records(size);
            let root = root(records.iter().copied());
            for index in 0..size {
                let way = path(&records, index).unwrap();
                let leads = |index: usize, size: usize, path: &[Hash]| {
                    root_by_path(records[index], index as u64, size as u64, path) == Some(root)
                };
                assert!(leads(index, size, &way), "{index} of {size}");
                let other = (index + 1) % size;
                assert!(size == 1 || !leads(other, size, &way), "{other} with the path of {index}");
                assert!(way.is_empty() || !leads(index, size, &way[1..]));
                let mut longer = way.clone();
                longer.push(root);
                assert!(!leads(index, size, &longer));
                for at in 0..way.len() {
                    let mut changed = way.clone();
                    changed[at] = Hash::of(changed[at], b"");
                    assert!(!leads(index, size, &changed));
                }
            }
            assert_eq!(path(&records, size), None);
        }
    }
}

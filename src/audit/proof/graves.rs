//! What tombstones say is gone, held against what is found to be gone.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::merkle::Frontier;
use super::tombstone::{Gone, Part, Tombstone};
use crate::audit::record::Hash;

/// Every tombstone that was found, by the chains that it is about.
#[derive(Debug, Default)]
pub(crate) struct Graves {
    by_node: BTreeMap<String, Vec<Grave>>,
    /// Days and classes whose rows for review, or texts, were given up.
    unlinked: BTreeMap<(Part, Date, String), Unlinked>,
}

/// Rows that hang on no chain, of one day and class.
#[derive(Debug, Default)]
struct Unlinked {
    /// The tombstones' own chains and numbers: one may have been written before a crash and never carried out.
    told_by: Vec<(String, u64)>,
    /// Whether they spared a row from being looked for.
    spared: bool,
}

/// Records of one chain that one tombstone stands for.
#[derive(Debug)]
struct Grave {
    part: Part,
    day: Date,
    class: Option<String>,
    gone: Gone,
    /// The tombstone's own chain and number.
    told_by: (String, u64),
    /// Those of its records that were met without a body.
    met: Frontier,
    /// Whether the walk stepped over it.
    crossed: bool,
}

/// Something that tombstones do not explain.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Unexplained {
    /// The chain in which it shows.
    pub(crate) node: String,
    /// Where.
    pub(crate) seq: u64,
    /// For people.
    pub(crate) detail: String,
}

impl Graves {
    /// Takes in a tombstone that record `seq` of `node` holds.
    pub(crate) fn add(&mut self, node: &str, seq: u64, tombstone: Tombstone) {
        let Tombstone { part, day, class, chains, .. } = tombstone;
        if let (Part::Review | Part::Texts, Some(class)) = (part, &class) {
            self.unlinked.entry((part, day, class.clone())).or_default().told_by.push((node.to_owned(), seq));
        }
        // What ends before it begins was not written by us, and would be walked around for ever.
        for gone in chains.into_iter().filter(|gone| gone.last_seq >= gone.first_seq) {
            let told_by = (node.to_owned(), seq);
            let (class, met) = (class.clone(), Frontier::default());
            let graves = self.by_node.entry(gone.node.clone()).or_default();
            graves.push(Grave { part, day, class, gone, told_by, met, crossed: false });
        }
    }

    /// Whether rows for review, or texts, of a day and class were given up, and so need not be there.
    pub(crate) fn spares(&mut self, part: Part, day: Date, class: &str) -> bool {
        let found = self.unlinked.get_mut(&(part, day, class.to_owned()));
        found.map(|unlinked| unlinked.spared = true).is_some()
    }

    /// A record without a body; false when no tombstone explains it.
    pub(crate) fn lies(&mut self, node: &str, seq: u64, (day, class): (Date, &str), hash: Hash) -> bool {
        // The last one: an earlier one may have been written before a crash and never carried out.
        let grave = self.of(node).filter(|grave| {
            grave.part == Part::Events
                && (grave.day, grave.class.as_deref()) == (day, Some(class))
                && (grave.gone.first_seq..=grave.gone.last_seq).contains(&seq)
        });
        grave.last().map(|grave| grave.met.push(hash)).is_some()
    }

    /// The hash of the record before `seq`, when tombstones explain that everything from `first` up to it is gone.
    pub(crate) fn crosses(&mut self, node: &str, first: u64, seq: u64) -> Option<Hash> {
        let mut next = first;
        let mut hash = None;
        while next < seq {
            let grave = self.of(node).find(|grave| grave.part == Part::Chain && grave.gone.first_seq == next)?;
            grave.crossed = true;
            (next, hash) = (grave.gone.last_seq.checked_add(1)?, Some(grave.gone.hash));
        }
        hash.filter(|_| next == seq)
    }

    /// The hash of the record before the first one that is left, when a tombstone tells it: what came before it is told by
    /// tombstones that are gone themselves.
    pub(crate) fn ends_before(&mut self, node: &str, seq: u64) -> Option<Hash> {
        let grave =
            self.of(node).find(|grave| grave.part == Part::Chain && grave.gone.last_seq.checked_add(1) == Some(seq))?;
        grave.crossed = true;
        Some(grave.gone.hash)
    }

    /// What does not add up after all chains were walked. `sealed`: how far each chain is under a seal; a tombstone that is
    /// not could be anybody's.
    pub(crate) fn unexplained(&self, sealed: &BTreeMap<String, u64>) -> Option<Unexplained> {
        let is_sealed = |(node, seq): &(String, u64)| sealed.get(node).is_some_and(|sealed| seq <= sealed);
        let unsealed = self.unlinked.iter().find(|(_, one)| one.spared && !one.told_by.iter().any(is_sealed));
        if let Some(((part, day, class), one)) = unsealed
            && let Some((node, seq)) = one.told_by.first()
        {
            let what = part.name();
            let detail = format!(
                "the tombstone for the {what} of class {class}, {day}, is under no seal: anybody could have written it"
            );
            return Some(Unexplained { node: node.clone(), seq: *seq, detail });
        }
        self.by_node.values().flatten().find_map(|grave| {
            let (met, gone) = (&grave.met, &grave.gone);
            let what = grave.class.as_deref().unwrap_or("chain");
            let fail = |detail: String| Some(Unexplained { node: gone.node.clone(), seq: gone.first_seq, detail });
            if met.size() > 0 && (met.size() != gone.records || met.root() != gone.root) {
                return fail(format!(
                    "of class {what}, {}, {} records are gone, and the tombstone is for {} (record {} of {}); they are not the same",
                    grave.day, met.size(), gone.records, grave.told_by.1, grave.told_by.0
                ));
            }
            let is_used = met.size() > 0 || grave.crossed;
            if is_used && !is_sealed(&grave.told_by) {
                return fail(format!(
                    "the tombstone for class {what}, {}, is under no seal (record {} of {}): anybody could have written it",
                    grave.day, grave.told_by.1, grave.told_by.0
                ));
            }
            None
        })
    }

    fn of(&mut self, node: &str) -> impl Iterator<Item = &mut Grave> {
        self.by_node.get_mut(node).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::proof::tombstone::Reason;

    fn tombstone(part: Part, (first_seq, last_seq): (u64, u64), hashes: &[Hash]) -> Tombstone {
        let gone = Gone {
            node: "n".into(),
            first_seq,
            last_seq,
            records: hashes.len() as u64,
            root: crate::audit::proof::merkle::root(hashes.iter().copied()),
            hash: hashes.last().copied().unwrap_or_default(),
        };
        Tombstone {
            at: jiff::Timestamp::UNIX_EPOCH,
            reason: Reason::Retention,
            part,
            day: DAY,
            class: (part != Part::Chain).then(|| "standard".to_owned()),
            archived: None,
            chains: vec![gone],
        }
    }

    const DAY: Date = jiff::civil::date(2026, 11, 23);

    fn hash(number: u64) -> Hash {
        Hash::of(Hash::ZERO, &number.to_be_bytes())
    }

    #[test]
    fn what_a_hostile_tombstone_says_ends_nothing_and_loops_nowhere() {
        let mut graves = Graves::default();
        for range in [(5, 4), (5, 0), (u64::MAX, u64::MAX), (7, u64::MAX)] {
            graves.add("n", 1, tombstone(Part::Chain, range, &[hash(1)]));
        }
        assert_eq!(graves.crosses("n", 5, 9), None);
        assert_eq!(graves.crosses("n", 7, 9), None);
        assert_eq!(graves.ends_before("n", 0), None);
        assert_eq!(graves.ends_before("n", 5), None);
    }

    #[test]
    fn graves_that_follow_each_other_are_crossed_and_a_hole_between_them_is_not() {
        let mut graves = Graves::default();
        graves.add("n", 90, tombstone(Part::Chain, (3, 5), &[hash(5)]));
        graves.add("n", 91, tombstone(Part::Chain, (6, 9), &[hash(9)]));
        graves.add("n", 92, tombstone(Part::Chain, (11, 12), &[hash(12)]));
        assert_eq!(graves.crosses("n", 3, 10), Some(hash(9)));
        assert_eq!(graves.crosses("n", 3, 9), None, "it ends in the middle of one");
        assert_eq!(graves.crosses("n", 3, 13), None, "record 10 is told by none");
        assert_eq!(graves.crosses("m", 3, 10), None);
    }

    #[test]
    fn a_grave_holds_what_it_was_dug_for_and_all_of_it() {
        let records = [hash(1), hash(2)];
        let lie = |met: &[(u64, Hash)]| {
            let mut graves = Graves::default();
            graves.add("n", 9, tombstone(Part::Events, (1, 3), &records));
            let all = met.iter().all(|(seq, hash)| graves.lies("n", *seq, (DAY, "standard"), *hash));
            (all, graves.unexplained(&[("n".to_owned(), 9)].into()).is_none())
        };
        assert_eq!(lie(&[(1, hash(1)), (3, hash(2))]), (true, true));
        assert_eq!(lie(&[]), (true, true), "told, and still there");
        assert_eq!(lie(&[(1, hash(1))]), (true, false), "one of two");
        assert_eq!(lie(&[(1, hash(1)), (3, hash(3))]), (true, false), "another one");
        assert_eq!(lie(&[(4, hash(1))]), (false, true), "beyond it");
        let mut graves = Graves::default();
        graves.add("n", 9, tombstone(Part::Events, (1, 3), &records));
        assert!(
            !graves.lies("n", 1, (DAY, "short"), hash(1))
                && !graves.lies("n", 1, (DAY.tomorrow().unwrap(), "standard"), hash(1))
        );
    }
}

//! Texts that begin alike, by the thousand: lists of addresses, and of numbers, which the literal pass takes for one.
//!
//! Which of them stand at a place is found by the hashes of what stands there, one for each length that a text has, and not by
//! trying them one after another: hostile text would make that a search of the whole list at every few bytes.

/// More texts than this under one entry of the literal pass are a crowd.
pub(super) const CROWD: usize = if cfg!(test) { 2 } else { 16 };

/// Texts with numbers of their owner's, which also has the texts themselves.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Hash and number of each text, in order.
    hashes: Box<[(u64, u32)]>,
    /// Hashes of what longer texts begin with, at some lengths: where none of them is met, no longer text stands.
    glances: Box<[u64]>,
    /// The lengths that texts have, ascending.
    lengths: Box<[u32]>,
    /// The numbers in the order of their texts.
    order: Box<[u32]>,
}

/// The first length at which the hash is compared with what longer texts begin with.
const GLANCE: usize = 8;

impl Crowd {
    /// Takes texts, none of them empty, and their numbers.
    pub(super) fn new(mut texts: Vec<(Vec<u8>, u32)>) -> Self {
        texts.sort_unstable();
        let mut hashes = Vec::with_capacity(texts.len());
        let mut glances = Vec::new();
        let mut lengths: Vec<u32> = Vec::new();
        for (text, number) in &texts {
            let (mut hash, mut glance) = (START, GLANCE);
            for (length, byte) in (1..).zip(text) {
                hash = step(hash, *byte);
                if length == glance {
                    glance = next_glance(glance);
                    if length < text.len() {
                        glances.push(hash);
                    }
                }
            }
            hashes.push((hash, *number));
            lengths.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        hashes.sort_unstable();
        glances.sort_unstable();
        glances.dedup();
        lengths.sort_unstable();
        lengths.dedup();
        Self {
            hashes: hashes.into(),
            glances: glances.into(),
            lengths: lengths.into(),
            order: texts.into_iter().map(|(_, number)| number).collect(),
        }
    }

    /// Calls `found` with the number of every text that may stand at the beginning of `there`: that the hashes agree is
    /// hardly ever an accident, but may be one.
    pub(super) fn standing(&self, there: impl Iterator<Item = u8>, mut found: impl FnMut(u32)) {
        let mut lengths = self.lengths.iter().map(|length| *length as usize).peekable();
        let (mut hash, mut glance) = (START, GLANCE);
        for (length, byte) in (1..).zip(there) {
            hash = step(hash, byte);
            if lengths.next_if_eq(&length).is_some() {
                let first = self.hashes.partition_point(|(other, _)| *other < hash);
                let same = self.hashes.get(first..).unwrap_or_default().iter().take_while(|(other, _)| *other == hash);
                same.for_each(|(_, number)| found(*number));
            }
            if lengths.peek().is_none() {
                return;
            }
            if length == glance {
                glance = next_glance(glance);
                if self.glances.binary_search(&hash).is_err() {
                    return;
                }
            }
        }
    }

    /// The number of a text that begins with `rest` and is longer. `text`: the text of a number.
    pub(super) fn begun<'t>(&self, rest: &[u8], text: impl Fn(u32) -> &'t [u8], fold: fn(u8) -> u8) -> Option<u32> {
        let folded = |number: u32| text(number).iter().map(move |byte| fold(*byte));
        // The first text behind `rest` itself: if any begins with it, that one does.
        let behind = self.order.partition_point(|number| folded(*number).le(rest.iter().copied()));
        let next = *self.order.get(behind)?;
        folded(next).take(rest.len()).eq(rest.iter().copied()).then_some(next)
    }

    /// Bytes of its longest text.
    pub(super) fn longest(&self) -> usize {
        self.lengths.last().map_or(0, |length| *length as usize)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.hashes.as_ref())
            + size_of_val(self.glances.as_ref())
            + size_of_val(self.lengths.as_ref())
            + size_of_val(self.order.as_ref())
    }
}

/// 8, 12, 16, 24, 32, 48 …
fn next_glance(length: usize) -> usize {
    if length.is_power_of_two() { length.saturating_add(length / 2) } else { (length / 3).saturating_mul(4) }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): one byte more is one step more. Texts come from the site's own lists, and what agrees
/// is compared byte by byte.
const START: u64 = 0xCBF2_9CE4_8422_2325;

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, proptest};

    use super::*;

    fn lower(byte: u8) -> u8 {
        byte.to_ascii_lowercase()
    }

    fn of(texts: &[String]) -> Crowd {
        Crowd::new((0..).zip(texts).map(|(number, text)| (text.to_ascii_lowercase().into_bytes(), number)).collect())
    }

    fn standing(texts: &[String], there: &str) -> Vec<u32> {
        let mut found = Vec::new();
        of(texts).standing(there.bytes().map(lower), |number| found.push(number));
        found.sort_unstable();
        found
    }

    /// Short ones, and ones that go on beyond the first glances.
    fn texts() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[ab]{1,4}|(?:ab){20,60}[abA]{0,2}|(?:ab){24}|(?:ab){48}", 1..12)
    }

    proptest! {
        #[test]
        fn those_that_stand_are_found_and_those_that_go_on(texts in texts(), there in "[abB]{0,6}|(?:ab){20,60}[abA]{0,3}") {
            let lowered = there.to_ascii_lowercase();
            let expected: Vec<u32> = (0..)
                .zip(&texts)
                .filter(|(_, text)| lowered.starts_with(&text.to_ascii_lowercase()))
                .map(|(number, _)| number)
                .collect();
            assert_eq!(standing(&texts, &there), expected);
            let begun = of(&texts).begun(lowered.as_bytes(), |number| texts[number as usize].as_bytes(), lower);
            let goes_on = |text: &&String| text.len() > there.len() && text.to_ascii_lowercase().starts_with(&lowered);
            assert_eq!(begun.is_some(), texts.iter().any(|text| goes_on(&text)));
            assert!(begun.is_none_or(|number| goes_on(&&texts[number as usize])));
        }
    }
}

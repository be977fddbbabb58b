//! Texts that a regex matches, made from the regex.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Bytes of a made text; regexes that ask for more get none.
const SAMPLE_BYTES: usize = 4096;

/// Repeats beyond the least that a made text has at most.
const MORE: u64 = 6;

/// A stream of numbers that is the same for the same seed (xorshift64*, Vigna 2016): examples must not change from run to run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// Below `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 |= u64::from(self.0 == 0);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound.max(1)
    }
}

/// One text; `None` when it would be too long or is none. What assertions ask is left to luck: try the text.
pub(super) fn sample(hir: &Hir, numbers: &mut Numbers) -> Option<String> {
    let mut out = Vec::new();
    add(hir, numbers, &mut out)?;
    String::from_utf8(out).ok()
}

/// The parser of regexes bounds the depth.
fn add(hir: &Hir, numbers: &mut Numbers, out: &mut Vec<u8>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.extend_from_slice(member(class, numbers)?.to_string().as_bytes()),
        HirKind::Capture(capture) => add(&capture.sub, numbers, out)?,
        HirKind::Repetition(repetition) => {
            let (least, most) = (repetition.min, repetition.max.unwrap_or(u32::MAX));
            let more = numbers.below(MORE.min(u64::from(most.saturating_sub(least)) + 1));
            for _ in 0..u64::from(least) + more {
                add(&repetition.sub, numbers, out)?;
            }
        }
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| add(part, numbers, out))?,
        HirKind::Alternation(parts) => {
            let at = usize::try_from(numbers.below(parts.len() as u64)).ok()?;
            add(parts.get(at)?, numbers, out)?;
        }
    }
    (out.len() <= SAMPLE_BYTES).then_some(())
}

/// A member of a class: a letter or digit if there is one, else something visible, else whatever there is.
fn member(class: &Class, numbers: &mut Numbers) -> Option<char> {
    let has = |c: char| match class {
        Class::Unicode(class) => class.ranges().iter().any(|range| range.start() <= c && c <= range.end()),
        Class::Bytes(class) => {
            class.ranges().iter().any(|range| char::from(range.start()) <= c && c <= char::from(range.end()))
        }
    };
    let pick = |numbers: &mut Numbers, wanted: &dyn Fn(&char) -> bool| {
        let members: Vec<char> = ('\0'..='\x7f').filter(wanted).filter(|c| has(*c)).collect();
        let at = usize::try_from(numbers.below(members.len() as u64)).ok()?;
        members.get(at).copied()
    };
    let first = match class {
        Class::Unicode(class) => class.ranges().first().map(|range| range.start()),
        Class::Bytes(class) => class.ranges().first().map(|range| char::from(range.start())).filter(char::is_ascii),
    };
    pick(numbers, &|c| c.is_ascii_alphanumeric())
        .or_else(|| pick(numbers, &|c| c.is_ascii_graphic()))
        .or_else(|| pick(numbers, &|c| *c == ' ').or(first))
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::super::bound::parse;
    use super::*;

    #[test]
    fn samples_match_and_are_the_same_each_time() {
        for text in [r"^key-[A-Za-z0-9]{16,24}$", "^(?:abc|d[^a-z]e){2,}$", r"^[\s=]{0,3}é[^\x00-\x7f]$", "^(?i)ab+$"]
        {
            let (hir, regex) = (parse(text).unwrap(), Regex::new(text).unwrap());
            for seed in 0..50 {
                let made = sample(&hir, &mut Numbers::new(seed)).unwrap();
                assert!(regex.is_match(&made), "{text}: {made:?}");
                assert_eq!(Some(made), sample(&hir, &mut Numbers::new(seed)));
            }
        }
    }

    #[test]
    fn samples_are_bounded() {
        let made = |count: usize| sample(&parse(&format!("a{{{count}}}")).unwrap(), &mut Numbers::new(1));
        assert_eq!(made(SAMPLE_BYTES).map(|text| text.len()), Some(SAMPLE_BYTES));
        assert_eq!(made(SAMPLE_BYTES + 1), None);
    }
}

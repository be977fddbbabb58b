//! With which two bytes a match can begin, exactly: what [`super::firsts`] says of one.

use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::utf8::{Utf8Range, Utf8Sequences};

use super::firsts::Firsts;

/// A set of pairs of bytes: of each first byte, the second ones. It has 8 KB: made where it is asked, not kept for each pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pairs(Box<[Firsts; 256]>);

/// The beginnings of a part's matches.
#[derive(Debug, Default)]
struct Begin {
    /// It can match the empty text.
    empty: bool,
    /// Its matches of one byte.
    one: Firsts,
    /// The first two bytes of the longer ones.
    longer: Pairs,
}

impl Default for Pairs {
    fn default() -> Self {
        Self(Box::new([Firsts::default(); 256]))
    }
}

impl Pairs {
    /// The pairs with which a match can begin; behind a match of one byte there may be any. What an expression asks of the
    /// bytes around its matches is not considered.
    pub(crate) fn of(hir: &Hir) -> Self {
        let Begin { empty, one, mut longer } = begin(hir);
        let all = Firsts::all();
        (0..=u8::MAX).filter(|first| empty || one.holds(*first)).for_each(|first| longer.join_row(first, &all));
        longer
    }

    /// The second bytes behind a first one.
    pub(crate) fn row(&self, first: u8) -> &Firsts {
        &self.0[usize::from(first)]
    }

    pub(crate) fn join_row(&mut self, first: u8, seconds: &Firsts) {
        self.0[usize::from(first)].join(seconds);
    }

    pub(crate) fn holds(&self, first: u8, second: u8) -> bool {
        self.row(first).holds(second)
    }

    pub(crate) fn put(&mut self, first: u8, second: u8) {
        self.0[usize::from(first)].put(second);
    }

    /// The first bytes.
    pub(crate) fn firsts(&self) -> Firsts {
        let mut firsts = Firsts::default();
        (0..=u8::MAX).filter(|first| self.row(*first).len() > 0).for_each(|first| firsts.put(first));
        firsts
    }

    fn join(&mut self, other: &Self) {
        (0..=u8::MAX).for_each(|first| self.join_row(first, other.row(first)));
    }

    /// Adds every pair of some first and some second bytes.
    fn cross(&mut self, firsts: &Firsts, seconds: &Firsts) {
        (0..=u8::MAX).filter(|first| firsts.holds(*first)).for_each(|first| self.join_row(first, seconds));
    }
}

impl Begin {
    fn firsts(&self) -> Firsts {
        let mut firsts = self.longer.firsts();
        firsts.join(&self.one);
        firsts
    }

    /// Adds what begins with it and goes on with another.
    fn then(&mut self, next: &Self) {
        self.longer.cross(&self.one, &next.firsts());
        if !next.empty {
            self.one = Firsts::default();
        }
        if self.empty {
            self.longer.join(&next.longer);
            self.one.join(&next.one);
        }
        self.empty &= next.empty;
    }
}

fn begin(hir: &Hir) -> Begin {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Begin { empty: true, ..Begin::default() },
        HirKind::Literal(literal) => {
            let mut begin = Begin::default();
            match *literal.0 {
                [] => begin.empty = true,
                [only] => begin.one.put(only),
                [first, second, ..] => begin.longer.put(first, second),
            }
            begin
        }
        HirKind::Class(Class::Bytes(_)) => Begin { one: Firsts::of(hir), ..Begin::default() },
        HirKind::Class(Class::Unicode(class)) => {
            let mut begin = Begin::default();
            for range in class.ranges() {
                for sequence in Utf8Sequences::new(range.start(), range.end()) {
                    match sequence.as_slice() {
                        [] => {}
                        [only] => begin.one.join(&set(only)),
                        [first, second, ..] => begin.longer.cross(&set(first), &set(second)),
                    }
                }
            }
            begin
        }
        HirKind::Capture(capture) => begin(&capture.sub),
        HirKind::Repetition(repetition) if repetition.max == Some(0) => Begin { empty: true, ..Begin::default() },
        HirKind::Repetition(repetition) => {
            let each = begin(&repetition.sub);
            let mut all = Begin { empty: repetition.min == 0 || each.empty, ..Begin::default() };
            if repetition.max != Some(1) {
                all.longer.cross(&each.one, &each.firsts());
            }
            if repetition.min < 2 || each.empty {
                all.one = each.one;
            }
            all.longer.join(&each.longer);
            all
        }
        HirKind::Concat(parts) => {
            let mut all = Begin { empty: true, ..Begin::default() };
            for part in parts {
                if !all.empty && all.one.len() == 0 {
                    break;
                }
                all.then(&begin(part));
            }
            all
        }
        HirKind::Alternation(parts) => {
            let mut all = Begin::default();
            for part in parts.iter().map(begin) {
                all.empty |= part.empty;
                all.one.join(&part.one);
                all.longer.join(&part.longer);
            }
            all
        }
    }
}

fn set(range: &Utf8Range) -> Firsts {
    let mut set = Firsts::default();
    (range.start..=range.end).for_each(|byte| set.put(byte));
    set
}

#[cfg(test)]
mod tests {
    use regex_automata::hybrid::dfa::{Cache, DFA};
    use regex_automata::{Anchored, Input, MatchKind};

    use super::*;

    /// The same by an automaton: it is alive behind both bytes, or has matched on the way.
    fn plainly(dfa: &DFA, cache: &mut Cache, first: u8, second: u8) -> bool {
        let input = Input::new("").anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(cache, &input).unwrap();
        for byte in [first, second] {
            state = dfa.next_state(cache, state, byte).unwrap();
            if state.is_match() {
                return true;
            }
        }
        !state.is_dead()
    }

    #[test]
    fn pairs_are_those_of_every_match() {
        for regex in [
            "abc|[x-z]",
            "(?:q?r)+s*t",
            "[a-c]{2,4}é",
            "[é忽]z",
            "(a|bc)(d|)e",
            "[^a-z]{0,3}k",
            r"\w[0-9]?,",
            "a{0}b{1}c{2}",
            "[[:^ascii:]]x|(?i)ſk",
        ] {
            let pairs = Pairs::of(&regex_syntax::parse(regex).unwrap());
            let config = DFA::config().match_kind(MatchKind::All);
            let dfa = DFA::builder().configure(config).build(regex).unwrap();
            let mut cache = dfa.create_cache();
            for first in 0..=u8::MAX {
                for second in 0..=u8::MAX {
                    let wanted = plainly(&dfa, &mut cache, first, second);
                    assert_eq!(pairs.holds(first, second), wanted, "{regex} {first:x} {second:x}");
                }
            }
        }
    }

    #[test]
    fn what_may_be_empty_begins_with_everything() {
        let pairs = Pairs::of(&regex_syntax::parse("a?").unwrap());
        assert!(pairs.holds(0, 0) && pairs.holds(255, 255));
        let pairs = Pairs::of(&regex_syntax::parse("a").unwrap());
        assert!(pairs.holds(b'a', 7) && !pairs.holds(b'b', b'a'));
    }
}

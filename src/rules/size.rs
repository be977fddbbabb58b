//! How large an expression becomes as an NFA: whether it stays within the limit on every automaton.

use regex_automata::nfa::thompson;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Repetition};
use regex_syntax::utf8::Utf8Sequences;

use super::firsts::Firsts;
use super::frequency::fold;
use super::heads::AllHeads;
use crate::base::limits::rules as limits;

/// True when the compiled expression has at most [`limits::REGEX_BYTES`].
///
/// Building it is the only way to know. Nearly all expressions are far from the limit, which takes no more than counting to
/// see: so those alone are built that might not be.
pub(super) fn is_within_limit(hir: &Hir) -> bool {
    at_most(hir) <= limits::REGEX_BYTES || builds(hir, limits::REGEX_BYTES)
}

fn builds(hir: &Hir, bytes: usize) -> bool {
    let config = thompson::Config::new().nfa_size_limit(Some(bytes));
    thompson::Compiler::new().configure(config).build_from_hir(hir).is_ok()
}

/// Bytes of one state of regex-automata's compiler (0.4: 32), and some more.
const STATE: usize = 40;
/// Bytes of one range of bytes that leads from a state to another.
const TRANSITION: usize = 8;
/// Bytes of one state's number, which is what an alternative takes.
const NUMBER: usize = 4;
/// States around an expression: the unanchored start, the whole match's group, the end.
const AROUND: usize = 16;

/// Bytes that the compiled expression has at most.
fn at_most(hir: &Hir) -> usize {
    of(hir).saturating_add(AROUND * (STATE + 2 * NUMBER))
}

fn of(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(literal) => literal.0.len().saturating_mul(STATE),
        HirKind::Class(Class::Bytes(class)) => of_ranges(class.ranges().len()),
        HirKind::Class(Class::Unicode(class)) if class.is_ascii() => of_ranges(class.ranges().len()),
        HirKind::Class(Class::Unicode(class)) => of_characters(class),
        HirKind::Capture(capture) => of(&capture.sub).saturating_add(2 * STATE),
        HirKind::Concat(parts) => sum(parts.iter().map(of)).saturating_add(STATE),
        HirKind::Alternation(parts) => {
            // Literals alone become a trie: for each byte a state, and another where a literal ends on the way.
            let one = |part| match Hir::kind(part) {
                HirKind::Literal(literal) => (literal.0.len() + 2).saturating_mul(2 * (STATE + TRANSITION)),
                _ => of(part),
            };
            sum(parts.iter().map(|part| one(part).saturating_add(NUMBER))).saturating_add(2 * STATE)
        }
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let copies = usize::try_from(max.unwrap_or(*min).max(*min).max(1)).unwrap_or(usize::MAX);
            let copy = of(sub).saturating_add(STATE + 2 * NUMBER);
            copy.saturating_mul(copies).saturating_add(4 * (STATE + 2 * NUMBER))
        }
    }
}

fn of_ranges(ranges: usize) -> usize {
    ranges.saturating_mul(TRANSITION).saturating_add(2 * STATE)
}

/// Each sequence of byte ranges as if it shared no state with another.
fn of_characters(class: &ClassUnicode) -> usize {
    let sequences = class.ranges().iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
    sum(sequences.map(|sequence| sequence.len() * (STATE + TRANSITION))).saturating_add(2 * STATE)
}

fn sum(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, usize::saturating_add)
}

/// How many beginnings of an expression's matches hostile text can keep going at once, at most: an engine that is linear
/// in the text takes so many steps for each byte of it.
///
/// A repeat counts as many times as it may go on, where a match could begin anew inside of it; where none can, the beginning
/// that is under way is the only one.
pub(super) fn overlap(hir: &Hir) -> usize {
    let heads =
        AllHeads::default().of(hir).map(|heads| heads.texts.iter().map(|text| text.as_slice().to_vec()).collect());
    overlap_of(hir, &Begins { heads, firsts: Firsts::of(hir) })
}

/// What an expression's matches begin with.
struct Begins {
    /// Texts, folded; `None`: too many.
    heads: Option<Vec<Vec<u8>>>,
    firsts: Firsts,
}

impl Begins {
    /// Bytes of the shortest beginning that is known.
    fn shortest(&self) -> usize {
        self.heads.iter().flatten().map(Vec::len).min().unwrap_or(1).max(1)
    }

    /// True when a match may begin in a text of these bytes, and go on in it for as long as is known.
    fn fits(&self, bytes: &Firsts) -> bool {
        let mut folded = Firsts::default();
        (0..=u8::MAX).filter(|byte| bytes.holds(*byte)).for_each(|byte| folded.put(fold(byte)));
        match &self.heads {
            Some(heads) => heads.iter().any(|head| head.iter().all(|byte| folded.holds(*byte))),
            None => (0..=u8::MAX).any(|byte| self.firsts.holds(byte) && bytes.holds(byte)),
        }
    }
}

fn overlap_of(hir: &Hir, begins: &Begins) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => 0,
        HirKind::Capture(capture) => overlap_of(&capture.sub, begins),
        HirKind::Concat(parts) => sum(parts.iter().map(|part| overlap_of(part, begins))),
        HirKind::Alternation(parts) => sum(parts.iter().map(|part| overlap_of(part, begins))),
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            if !begins.fits(&Firsts::all_of(sub)) {
                return 0;
            }
            let copies = usize::try_from(max.unwrap_or(*min).max(*min).max(1)).unwrap_or(usize::MAX);
            // One beginning does not stand inside another, but for their last and first bytes.
            let apart = begins.shortest();
            overlap_of(sub, begins).max(1).saturating_mul(copies.div_ceil(apart))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};

    use super::*;

    fn hir(regex: &str) -> Hir {
        regex_syntax::parse(regex).unwrap()
    }

    #[test]
    fn the_limit_is_that_of_the_automaton() {
        let mut refused = 0;
        for copies in [1, 10, 100, 150, 200, 250, 300, 1000] {
            for regex in [format!(r"\w{{{copies}}}"), format!(r"(?:\w{{{copies}}}|[^ab]{{0,{copies}}}x){{1,5}}")] {
                let hir = hir(&regex);
                assert_eq!(is_within_limit(&hir), builds(&hir, limits::REGEX_BYTES), "{regex}");
                refused += usize::from(!is_within_limit(&hir));
            }
        }
        assert!((3..13).contains(&refused), "{refused}");
    }

    #[test]
    fn what_shares_its_states_is_built() {
        // As if nothing were shared it is over the limit, and it is not.
        let shared = hir(r"\w{100}");
        assert!(at_most(&shared) > limits::REGEX_BYTES && is_within_limit(&shared));
        assert!(at_most(&hir(r"\b(?:ignore|forget)\s{1,3}(?:all\s{1,3}){0,2}(\S{1,16}) rules")) < 200_000);
    }

    /// Expressions of every kind, some of them large.
    fn regexes() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(String::new()),
            "[a-c]{1,3}",
            "[é忽😀]{1,2}",
            Just(r"\b".to_owned()),
            Just(r"\w".to_owned()),
            Just(r"\S".to_owned()),
            Just(r"(?s-u:.)".to_owned()),
            Just("[^ab]".to_owned()),
            Just("[a-dx-zA-F]".to_owned()),
            Just(r"[\x{E0020}-\x{E007E}]".to_owned()),
            Just("(?:ab|abc|abd|a|x)".to_owned()),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let parts = proptest::collection::vec(inner.clone(), 1..4);
            let copies = (0u32..4, 0u32..5, any::<bool>());
            prop_oneof![
                parts.clone().prop_map(|parts| parts.concat()),
                parts.prop_map(|parts| format!("(?:{})", parts.join("|"))),
                inner.clone().prop_map(|inner| format!("({inner})")),
                (inner.clone(), copies).prop_map(|(inner, (min, more, greedy))| {
                    format!("(?:{inner}){{{min},{}}}{}", min + more, if greedy { "" } else { "?" })
                }),
                (inner, 0u32..3).prop_map(|(inner, min)| format!("(?:{inner}){{{min},}}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_automaton_is_larger_than_what_is_counted(regex in regexes()) {
            if let Ok(hir) = regex_syntax::ParserBuilder::new().utf8(false).build().parse(&regex) {
                prop_assert!(builds(&hir, at_most(&hir)), "{} {}", regex, at_most(&hir));
            }
        }
    }

    #[test]
    fn beginnings_that_may_be_under_way_at_once_are_counted() {
        let count = |regex: &str| overlap(&regex_syntax::parse(regex).unwrap());
        assert_eq!(count("(?:vault|vaul).{0,8000}zend"), 2000, "a beginning has four bytes at least");
        assert_eq!(count("vault[a-k]{0,8000}zend"), 0, "none begins in the gap");
        assert_eq!(count("(?s)-----BEGIN KEY-----.{0,6000}-----END KEY-----"), 316);
        assert_eq!(count("[a-z]{1,9}@[a-z]{1,9}"), 18);
        assert_eq!(count("needle"), 0);
    }
}

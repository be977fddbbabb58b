//! Literals that every match of a regex must contain, so that one literal pass can find the candidates.
//!
//! The same idea as Vectorscan's literal factors and ripgrep's inner literals. Two things differ. Texts are folded, letters to
//! lower case and every digit to `0`, as the literal pass reads them: `\d{3}-\d{2}` has the literal `000-00`, and a class of
//! a few dozen characters may be spelled out. And of all sets that would do, the one is taken that costs the scanner least
//! in ordinary text, by an estimate of how often its members stand there.

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::firsts::Firsts;
use super::frequency::{self, fold};
use super::heads::{AllHeads, Heads, Text, tidy};

/// A set of literals one of which is in every match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Required {
    /// Folded literals, sorted, each once.
    pub(crate) literals: Vec<Vec<u8>>,
    /// Fewest bytes between the start of a match and the start of its literal.
    pub(crate) before_min: usize,
    /// Most bytes between them; `None`: unbounded.
    pub(crate) before_max: Option<usize>,
    /// What a match goes on with from the start of its literal, where that can be said: what is cheap to try first.
    pub(crate) rest: Option<Hir>,
    /// Nanoseconds that one start takes where a window of starts is searched.
    per_start: f64,
}

/// Literals in one set.
pub(super) const SET_MAX: usize = 1024;
/// Bytes of one literal; longer ones say no more.
pub(crate) const LITERAL_BYTES_MAX: usize = 32;

/// Bytes that the literal pass looks at first.
pub(crate) const GRAM: usize = 4;

/// Estimated nanoseconds per byte of ordinary text from which one pattern is expensive: a tenth of a whole scan at 1 GB/s.
const EXPENSIVE_NS: f64 = 0.1;

/// Estimated nanoseconds per byte of text from which a set is no better than running all such regexes over the text.
const COST_MAX: f64 = 1.0;

impl Required {
    /// The cheapest set for an expression, if it has one that is worth looking for.
    pub(crate) fn of(hir: &Hir) -> Option<Self> {
        // Where few bytes begin a match, most starts are passed over.
        let per_start = if Firsts::of(hir).len() <= 16 { 0.7 } else { 8.0 };
        let mut search = Search { heads: AllHeads::default(), per_start };
        let best = search.best(hir, COST_MAX)?;
        Some(Self {
            literals: best.literals.iter().map(|literal| literal.as_slice().to_vec()).collect(),
            before_min: best.before_min,
            before_max: best.before_max,
            rest: best.rest.map(|pieces| joined(&pieces)),
            per_start,
        })
    }

    /// A literal that begins the match.
    pub(crate) fn prefix(literal: &[u8], rest: Hir) -> Self {
        let end = literal.len().min(LITERAL_BYTES_MAX);
        let literal = literal.iter().take(end).map(|byte| fold(*byte)).collect();
        Self { literals: vec![literal], before_min: 0, before_max: Some(0), rest: Some(rest), per_start: 0.0 }
    }

    /// Bytes of the shortest literal.
    pub(crate) fn shortest(&self) -> usize {
        self.literals.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Estimated nanoseconds that looking for this set takes, per byte of ordinary text.
    pub(crate) fn cost(&self) -> f64 {
        let try_out = try_out(self.before_max, self.rest.is_some(), self.per_start);
        let price = Price::of(self.literals.iter().map(Vec::as_slice), try_out, f64::INFINITY);
        price.map_or(f64::INFINITY, |price| price.with(try_out))
    }

    /// True when that is more than one pattern should take.
    pub(crate) fn is_expensive(&self) -> bool {
        self.cost() > EXPENSIVE_NS
    }
}

/// Nanoseconds that trying a match takes where a literal stands in the text: an anchored search, or one over a window.
fn try_out(before_max: Option<usize>, has_rest: bool, per_start: f64) -> f64 {
    match (before_max, has_rest) {
        (Some(0), _) => 60.0,
        (Some(before), true) => 80.0 + before as f64 * per_start,
        (Some(before), false) => 300.0 + before as f64 * per_start,
        (None, _) => 100_000.0,
    }
}

/// What a set costs, per byte of ordinary text.
#[derive(Clone, Copy, Debug, Default)]
struct Price {
    /// Nanoseconds of the literal pass.
    pass: f64,
    /// How often a match is tried.
    tries: f64,
}

impl Price {
    /// `None`: the cost is not below the bound.
    fn of<'l>(literals: impl Iterator<Item = &'l [u8]>, try_out: f64, bound: f64) -> Option<Self> {
        let mut all = Self::default();
        for literal in literals {
            let one = Self::of_one(literal)?;
            all = Self { pass: all.pass + one.pass, tries: all.tries + one.tries };
            // More literals only cost more.
            if all.with(try_out) >= bound {
                return None;
            }
        }
        Some(all)
    }

    fn of_one(literal: &[u8]) -> Option<Self> {
        match literal.len() {
            0 => None,
            // Looked for byte by byte.
            length @ 1..=2 => {
                let rarest = literal.iter().map(|byte| frequency::of(&[*byte])).fold(1.0, f64::min);
                let tries = frequency::of(literal) * if length == 1 { 1.5 } else { 1.0 };
                Some(Self { pass: 0.02 + rarest * 20.0, tries })
            }
            3 => {
                let tries = frequency::of(literal);
                Some(Self { pass: tries * 8.0 + TRIPLE_ENTRIES * GRAM_COST, tries })
            }
            _ => {
                let (_, rarest) = rarest_gram(literal);
                Some(Self { pass: rarest * 8.0 + GRAM_COST, tries: frequency::of_longer(rarest, literal.len()) })
            }
        }
    }

    fn with(self, try_out: f64) -> f64 {
        self.pass + self.tries * try_out
    }
}

/// What one more entry in the literal pass's table costs, by false candidates, in nanoseconds per byte.
const GRAM_COST: f64 = 2e-5;

/// What a literal of three bytes counts for among the entries: an estimate, it fills a whole word of the bitmap.
const TRIPLE_ENTRIES: f64 = 221.0;

/// Place and estimated frequency of the rarest [`GRAM`] bytes of a literal.
pub(crate) fn rarest_gram(literal: &[u8]) -> (usize, f64) {
    let grams = literal.windows(GRAM).map(frequency::of).enumerate();
    grams.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 1.0))
}

/// A set that would do.
#[derive(Debug)]
struct Candidate<'h> {
    literals: Vec<Text>,
    price: Price,
    before_min: usize,
    before_max: Option<usize>,
    /// The parts of [`Required::rest`], level by level from the inside: they are copied for the cheapest set alone.
    rest: Option<Vec<&'h [Hir]>>,
}

/// The search for the cheapest set of one expression.
#[derive(Debug)]
struct Search {
    heads: AllHeads,
    per_start: f64,
}

/// The cheapest candidate so far.
#[derive(Debug)]
struct Cheapest<'h> {
    found: Option<Candidate<'h>>,
    /// Candidates must cost less.
    bound: f64,
}

impl<'h> Cheapest<'h> {
    fn offer(&mut self, candidate: Candidate<'h>, per_start: f64) {
        let cost = candidate.price.with(try_out(candidate.before_max, candidate.rest.is_some(), per_start));
        if cost < self.bound {
            *self = Self { found: Some(candidate), bound: cost };
        }
    }
}

impl Search {
    /// The cheapest set, if one costs less than the bound. What surrounds an expression only makes its sets dearer, so that
    /// the bound of the whole holds for its parts.
    fn best<'h>(&mut self, hir: &'h Hir, bound: f64) -> Option<Candidate<'h>> {
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(hir),
        };
        let mut cheapest = Cheapest { found: None, bound };
        let heads: Vec<_> = parts.iter().map(|part| self.heads.of(part)).collect();
        let heads: Vec<Option<&Heads>> = heads.iter().map(Option::as_deref).collect();
        // Where a run of parts that can be spelled out ends: inside it only a part after a choice begins another.
        let (mut min, mut max) = (0usize, Some(0usize));
        let mut run_end = 0;
        for (index, part) in parts.iter().enumerate() {
            let after_choice = index.checked_sub(1).and_then(|before| heads.get(before)).is_some_and(is_choice);
            if index >= run_end || after_choice {
                run_end = self.run(parts, &heads, index, (min, max), &mut cheapest).max(run_end);
            }
            if let Some(mut inner) = self.inner(part, cheapest.bound) {
                if let Some(rest) = &mut inner.rest {
                    rest.push(parts.get(index + 1..).unwrap_or_default());
                }
                inner.before_min = inner.before_min.saturating_add(min);
                inner.before_max = inner.before_max.zip(max).map(|(a, b)| a.saturating_add(b));
                cheapest.offer(inner, self.per_start);
            }
            let properties = part.properties();
            min = min.saturating_add(properties.minimum_len().unwrap_or(0));
            max = max.zip(properties.maximum_len()).map(|(a, b)| a.saturating_add(b));
        }
        cheapest.found
    }

    /// Offers every length of the run of parts from `first`; gives where the run ends.
    fn run<'h>(
        &self,
        parts: &'h [Hir],
        heads: &[Option<&Heads>],
        first: usize,
        (before_min, before_max): (usize, Option<usize>),
        cheapest: &mut Cheapest<'h>,
    ) -> usize {
        let try_out = try_out(before_max, true, self.per_start);
        let mut propose = |texts: &Heads| {
            if let Some(price) = Price::of(texts.texts.iter().map(Text::as_slice), try_out, cheapest.bound) {
                let rest = Some(vec![parts.get(first..).unwrap_or_default()]);
                let candidate = Candidate { literals: texts.texts.clone(), price, before_min, before_max, rest };
                cheapest.offer(candidate, self.per_start);
            }
        };
        let mut texts = Heads::nothing();
        let mut end = first;
        while let Some(Some(next)) = heads.get(end) {
            // What does not fit leaves the texts as they are.
            if !texts.extend(next) {
                break;
            }
            end += 1;
            if !texts.complete {
                break;
            }
            // Inside a plain text only its end is of interest.
            if heads.get(end).is_some_and(is_choice) {
                propose(&texts);
            }
        }
        propose(&texts);
        end
    }

    /// The set of a part that cannot be spelled out as a whole.
    fn inner<'h>(&mut self, part: &'h Hir, bound: f64) -> Option<Candidate<'h>> {
        match part.kind() {
            HirKind::Capture(capture) => self.best(&capture.sub, bound),
            HirKind::Concat(_) => self.best(part, bound),
            HirKind::Alternation(parts) => self.best_of_alternation(parts, bound),
            // The first copy has it; what follows its literal is anybody's guess.
            HirKind::Repetition(Repetition { min: 1.., sub, .. }) => {
                self.best(sub, bound).map(|best| Candidate { rest: None, ..best })
            }
            _ => None,
        }
    }

    fn best_of_alternation<'h>(&mut self, parts: &'h [Hir], bound: f64) -> Option<Candidate<'h>> {
        let mut parts = parts.iter();
        let mut all = Candidate { rest: None, ..self.best(parts.next()?, bound)? };
        for part in parts {
            let next = self.best(part, bound)?;
            all.literals.extend(next.literals);
            all.before_min = all.before_min.min(next.before_min);
            all.before_max = all.before_max.zip(next.before_max).map(|(a, b)| a.max(b));
            if all.literals.len() > SET_MAX {
                tidy(&mut all.literals);
                if all.literals.len() > SET_MAX {
                    return None;
                }
            }
        }
        tidy(&mut all.literals);
        let try_out = try_out(all.before_max, false, self.per_start);
        all.price = Price::of(all.literals.iter().map(Text::as_slice), try_out, bound)?;
        Some(all)
    }
}

/// True where more than one text may stand, folded.
fn is_choice(heads: &Option<&Heads>) -> bool {
    heads.is_none_or(|heads| heads.texts.len() > 1 || !heads.complete)
}

/// Parts one behind the other, level by level.
fn joined(pieces: &[&[Hir]]) -> Hir {
    let concat = |first: Hir, rest: &&[Hir]| Hir::concat(std::iter::once(first).chain(rest.iter().cloned()).collect());
    pieces.iter().fold(Hir::empty(), concat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regex: &str) -> Option<(Vec<String>, usize, Option<usize>)> {
        let required = Required::of(&regex_syntax::parse(regex).unwrap())?;
        let literals = required.literals.into_iter().map(|literal| String::from_utf8(literal).unwrap()).collect();
        Some((literals, required.before_min, required.before_max))
    }

    fn rest(regex: &str) -> Option<String> {
        Required::of(&regex_syntax::parse(regex).unwrap())?.rest.map(|rest| rest.to_string())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn finds_prefixes_inner_literals_and_suffixes() {
        assert_eq!(of("ghp_[A-Za-z0-9]{36}"), Some((texts(&["ghp_"]), 0, Some(0))));
        assert_eq!(of("gh[pousr]_[A-Za-z0-9]{36}").unwrap().0.len(), 5);
        assert_eq!(
            of(r"(ignore|disregard|forget)\s{1,3}(all\s{1,3})?(previous|prior)"),
            Some((texts(&["disregard", "forget", "ignore"]), 0, Some(0)))
        );
        assert_eq!(of("[A-Za-z]{2,3}Needle"), Some((texts(&["needle"]), 2, Some(3))));
        assert_eq!(of(r"[a-z]+Needle"), Some((texts(&["needle"]), 1, None)));
        assert_eq!(of("[a-z]{1,9}@[a-z]{2,9}"), Some((texts(&["@"]), 1, Some(9))));
        assert_eq!(of("(?i)rare tea"), Some((texts(&["rare tea"]), 0, Some(0))));
    }

    #[test]
    fn digits_are_one_and_small_classes_are_spelled_out() {
        assert_eq!(of(r"[0-9]{13,19}"), Some((texts(&["00000000"]), 0, Some(0))));
        assert_eq!(of(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"), Some((texts(&["000-00-0000"]), 0, Some(0))));
        let (iban, 0, Some(0)) = of("[A-Z]{2}[0-9]{2}[A-Z0-9]{4}").unwrap() else { panic!() };
        assert_eq!((iban.len(), iban[0].as_str()), (26 * 26, "aa00"));
        assert_eq!(of("7f[0-9a-f]{8}"), of("0f[0-9a-f]{8}"));
    }

    #[test]
    fn what_follows_is_told_where_the_place_is_one() {
        assert_eq!(rest("[a-z]{1,9}(@[a-z]{2,9})x").as_deref(), Some("(?:@[a-z]{2,9}x)"));
        assert_eq!(rest("a{3}bcd").as_deref(), Some("(?:a{3}(?:bcd))"));
        assert_eq!(rest("(?:zqx1|[a-z]{9}qzx2)[a-z]{4}"), None);
        assert_eq!(rest("(?:zqxj[a-z]{4}){2,3}"), None);
    }

    #[test]
    fn large_classes_beyond_ascii_give_their_leading_bytes() {
        let of = |regex: &str| Required::of(&regex_syntax::parse(regex).unwrap()).map(|required| required.literals);
        let tags = vec![vec![0xF3, 0xA0, 0x80], vec![0xF3, 0xA0, 0x81]];
        assert_eq!(of(r"[\x{E0020}-\x{E007E}]{2,9}"), Some(tags));
        assert_eq!(of(r"[\x{E000}-\x{E07F}]{4}").unwrap(), [[0xEE, 0x80], [0xEE, 0x81]]);
        assert_eq!(of(r"[^\s]{4}"), None);
    }

    #[test]
    fn says_so_when_nothing_is_required() {
        assert_eq!(of(r"[a-z]{13,19}"), None);
        assert_eq!(of(r"\w+\s+\w+"), None);
        assert_eq!(of("(abc)?[a-z]"), None);
    }

    #[test]
    fn long_literals_and_large_sets_are_cut_not_lost() {
        let long = "x".repeat(100);
        assert_eq!(of(&long), Some((vec!["x".repeat(LITERAL_BYTES_MAX)], 0, Some(0))));
        let many: Vec<String> =
            (0..=SET_MAX).map(|n| format!("w{}rd", char::from_u32(0x4E00 + n as u32).unwrap())).collect();
        assert!(of(&format!("({})[a-z]", many[1..].join("|"))).is_some());
    }
}

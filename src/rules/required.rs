//! Literals that every match of a regex must contain, so that one literal pass can find the candidates.
//!
//! The same idea as Vectorscan's literal factors and ripgrep's inner literals. Two things differ. Texts are folded, letters to
//! lower case and every digit to `0`, as the literal pass reads them: `\d{3}-\d{2}` has the literal `000-00`, and a class of
//! a few dozen characters may be spelled out. And of all sets that would do, the one is taken that costs the scanner least
//! in ordinary text, by an estimate of how often its members stand there.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Repetition};

use super::firsts::Firsts;
use super::frequency::{self, fold};

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
const SET_MAX: usize = 1024;
/// Bytes of one literal; longer ones say no more.
pub(crate) const LITERAL_BYTES_MAX: usize = 32;
/// Characters of a class that is spelled out, folded.
const CLASS_MAX: usize = 40;
/// Copies of a repeated part that are spelled out.
const COPIES_MAX: u32 = 8;

/// Bytes that the literal pass looks at first.
pub(crate) const GRAM: usize = 4;

/// Estimated nanoseconds per byte of text from which a set is no better than running all such regexes over the text.
const COST_MAX: f64 = 1.0;

impl Required {
    /// The cheapest set for an expression, if it has one that is worth looking for.
    pub(crate) fn of(hir: &Hir) -> Option<Self> {
        // Where few bytes begin a match, most starts are passed over.
        let per_start = if Firsts::of(hir).len() <= 16 { 0.7 } else { 8.0 };
        best(hir, per_start).filter(|best| best.cost() < COST_MAX)
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
        // What a literal that stands in the text leads to: an anchored search, or one over a window.
        let try_out = match (self.before_max, &self.rest) {
            (Some(0), _) => 60.0,
            (Some(before), Some(_)) => 80.0 + before as f64 * self.per_start,
            (Some(before), None) => 300.0 + before as f64 * self.per_start,
            (None, _) => 100_000.0,
        };
        let one = |literal: &Vec<u8>| match literal.len() {
            0 => f64::INFINITY,
            // Looked for byte by byte.
            length @ 1..=2 => {
                let rarest = literal.iter().map(|byte| frequency::of(&[*byte])).fold(1.0, f64::min);
                0.02 + rarest * 20.0 + frequency::of(literal) * try_out * if length == 1 { 1.5 } else { 1.0 }
            }
            // The byte after it is spelled out.
            3 => frequency::of(literal) * (8.0 + try_out) + 221.0 * GRAM_COST,
            _ => rarest_gram(literal).1 * 8.0 + frequency::of(literal) * try_out + GRAM_COST,
        };
        self.literals.iter().map(one).sum()
    }

    fn shift(mut self, min: usize, max: Option<usize>) -> Self {
        self.before_min = self.before_min.saturating_add(min);
        self.before_max = self.before_max.zip(max).map(|(a, b)| a.saturating_add(b));
        self
    }
}

/// What one more entry in the literal pass's table costs, by false candidates, in nanoseconds per byte.
const GRAM_COST: f64 = 2e-5;

/// Place and estimated frequency of the rarest [`GRAM`] bytes of a literal.
pub(crate) fn rarest_gram(literal: &[u8]) -> (usize, f64) {
    let grams = literal.windows(GRAM).map(frequency::of).enumerate();
    grams.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 1.0))
}

/// What the matches of an expression begin with.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    /// Folded; each match begins with one of them.
    pub(super) texts: Vec<Vec<u8>>,
    /// They are whole matches.
    pub(super) complete: bool,
}

impl Heads {
    fn nothing() -> Self {
        Self { texts: vec![Vec::new()], complete: true }
    }

    /// Puts what follows behind it, as far as there is room. False when there was none.
    fn extend(&mut self, next: &Self) -> bool {
        if !self.complete || self.texts.len().saturating_mul(next.texts.len()) > SET_MAX {
            self.complete = false;
            return false;
        }
        let longest = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).max().unwrap_or(0);
        if longest(&self.texts) + longest(&next.texts) > LITERAL_BYTES_MAX {
            self.complete = false;
            return false;
        }
        if let [only] = next.texts.as_slice() {
            self.texts.iter_mut().for_each(|text| text.extend_from_slice(only));
        } else {
            let pairs = self.texts.iter().flat_map(|start| next.texts.iter().map(move |end| (start, end)));
            self.texts = pairs.map(|(start, end)| [start.as_slice(), end.as_slice()].concat()).collect();
        }
        tidy(&mut self.texts);
        self.complete = next.complete;
        true
    }
}

fn tidy(all: &mut Vec<Vec<u8>>) {
    if all.len() > 1 {
        all.sort_unstable();
        all.dedup();
    }
}

/// `None`: too many to spell out.
pub(super) fn heads(hir: &Hir) -> Option<Heads> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Heads::nothing()),
        HirKind::Literal(literal) => {
            let texts = vec![literal.0.iter().take(LITERAL_BYTES_MAX).map(|byte| fold(*byte)).collect()];
            Some(Heads { texts, complete: literal.0.len() <= LITERAL_BYTES_MAX })
        }
        HirKind::Class(class) => class_heads(class),
        HirKind::Capture(capture) => heads(&capture.sub),
        HirKind::Concat(parts) => {
            let mut all = Heads::nothing();
            for part in parts {
                match heads(part) {
                    Some(next) if all.extend(&next) && all.complete => {}
                    _ => {
                        all.complete = false;
                        break;
                    }
                }
            }
            Some(all)
        }
        HirKind::Alternation(parts) => {
            let mut all = Heads { texts: Vec::new(), complete: true };
            for part in parts {
                let next = heads(part)?;
                all.complete &= next.complete;
                all.texts.extend(next.texts);
                if all.texts.len() > SET_MAX {
                    tidy(&mut all.texts);
                    if all.texts.len() > SET_MAX {
                        return None;
                    }
                }
            }
            tidy(&mut all.texts);
            Some(all)
        }
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let once = heads(sub)?;
            if let Some(all) = max.filter(|max| *max <= 4).and_then(|max| powers(&once, *min, max)) {
                return Some(all);
            }
            let mut all = Heads::nothing();
            for _ in 0..(*min).min(COPIES_MAX) {
                if !all.extend(&once) || !all.complete {
                    break;
                }
            }
            all.complete &= Some(*min) == *max && *min <= COPIES_MAX;
            Some(all)
        }
    }
}

/// All texts of `min` to `max` copies, if they are few.
fn powers(once: &Heads, min: u32, max: u32) -> Option<Heads> {
    let mut power = Heads::nothing();
    let mut all = Vec::new();
    for count in 0..=max {
        if count >= min {
            all.extend(power.texts.iter().cloned());
        }
        if count < max && !(power.extend(once) && power.complete) {
            return None;
        }
    }
    tidy(&mut all);
    (all.len() <= SET_MAX).then_some(Heads { texts: all, complete: true })
}

fn class_heads(class: &Class) -> Option<Heads> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    match class {
        Class::Unicode(class) => {
            if class.ranges().iter().map(|range| range.len()).sum::<usize>() > CLASS_MAX * 4 {
                return leading_bytes(class);
            }
            for c in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
                texts.push(c.encode_utf8(&mut [0; 4]).bytes().map(fold).collect());
            }
        }
        Class::Bytes(class) => {
            let bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            texts.extend(bytes.map(|byte| vec![fold(byte)]));
        }
    }
    tidy(&mut texts);
    if texts.len() > CLASS_MAX
        && let Class::Unicode(class) = class
    {
        return leading_bytes(class);
    }
    (!texts.is_empty() && texts.len() <= CLASS_MAX).then_some(Heads { texts, complete: true })
}

/// Of a large class beyond ASCII, the bytes that its characters begin with: all but the last, or the last two.
fn leading_bytes(class: &ClassUnicode) -> Option<Heads> {
    if class.ranges().first()?.start().is_ascii() {
        return None;
    }
    for dropped in 1..=2u32 {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for range in class.ranges() {
            let mut code = range.start() as u32;
            while code <= range.end() as u32 && texts.len() <= CLASS_MAX {
                let c = char::from_u32(code).unwrap_or('\u{E000}');
                let mut bytes = c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                bytes.truncate(bytes.len().saturating_sub(dropped as usize).max(1));
                texts.push(bytes);
                // Sixty-four characters differ in their last byte only.
                code = (code >> (6 * dropped)).saturating_add(1) << (6 * dropped);
            }
        }
        tidy(&mut texts);
        if texts.len() <= CLASS_MAX {
            return Some(Heads { texts, complete: false });
        }
    }
    None
}

fn best(hir: &Hir, per_start: f64) -> Option<Required> {
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(hir),
    };
    let mut found: Option<(Required, f64)> = None;
    let mut offer = |candidate: Required| {
        let cost = candidate.cost();
        if cost.is_finite() && found.as_ref().is_none_or(|(_, best)| cost < *best) {
            found = Some((candidate, cost));
        }
    };
    let heads: Vec<Option<Heads>> = parts.iter().map(heads).collect();
    // Where a run of parts that can be spelled out ends: inside it only a part after a choice begins another.
    let (mut min, mut max) = (0usize, Some(0usize));
    let mut run_end = 0;
    for (index, part) in parts.iter().enumerate() {
        let after_choice = index.checked_sub(1).and_then(|before| heads.get(before)).is_some_and(is_choice);
        if index >= run_end || after_choice {
            run_end = run(parts, &heads, index, (min, max), per_start, &mut offer).max(run_end);
        }
        if let Some(inner) = inner(part, per_start) {
            let rest = inner.rest.clone().map(|rest| concat(rest, parts.get(index + 1..).unwrap_or_default()));
            offer(Required { rest, ..inner.shift(min, max) });
        }
        let properties = part.properties();
        min = min.saturating_add(properties.minimum_len().unwrap_or(0));
        max = max.zip(properties.maximum_len()).map(|(a, b)| a.saturating_add(b));
    }
    found.map(|(best, _)| best)
}

/// Offers every length of the run of parts from `first`; gives where the run ends.
fn run(
    parts: &[Hir],
    heads: &[Option<Heads>],
    first: usize,
    before: (usize, Option<usize>),
    per_start: f64,
    offer: &mut impl FnMut(Required),
) -> usize {
    let mut propose = |texts: &Heads| {
        if !texts.texts.iter().any(Vec::is_empty) {
            let rest = concat(Hir::empty(), parts.get(first..).unwrap_or_default());
            let literals = texts.texts.clone();
            let whole = Required { literals, before_min: 0, before_max: Some(0), rest: Some(rest), per_start };
            offer(whole.shift(before.0, before.1));
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

/// True where more than one text may stand, folded.
fn is_choice(heads: &Option<Heads>) -> bool {
    heads.as_ref().is_none_or(|heads| heads.texts.len() > 1 || !heads.complete)
}

/// The set of a part that cannot be spelled out as a whole.
fn inner(part: &Hir, per_start: f64) -> Option<Required> {
    match part.kind() {
        HirKind::Capture(capture) => best(&capture.sub, per_start),
        HirKind::Concat(_) => best(part, per_start),
        HirKind::Alternation(parts) => best_of_alternation(parts, per_start),
        // The first copy has it; what follows its literal is anybody's guess.
        HirKind::Repetition(Repetition { min: 1.., sub, .. }) => {
            best(sub, per_start).map(|best| Required { rest: None, ..best })
        }
        _ => None,
    }
}

fn best_of_alternation(parts: &[Hir], per_start: f64) -> Option<Required> {
    let mut parts = parts.iter();
    let mut all = best(parts.next()?, per_start)?;
    all.rest = None;
    for part in parts {
        let next = best(part, per_start)?;
        all.literals.extend(next.literals);
        all.before_min = all.before_min.min(next.before_min);
        all.before_max = all.before_max.zip(next.before_max).map(|(a, b)| a.max(b));
    }
    tidy(&mut all.literals);
    (all.literals.len() <= SET_MAX).then_some(all)
}

fn concat(first: Hir, rest: &[Hir]) -> Hir {
    Hir::concat(std::iter::once(first).chain(rest.iter().cloned()).collect())
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

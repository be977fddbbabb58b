//! What every match of an expression begins with: a stream asks at each place whether something may begin there.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::firsts::Firsts;
use super::frequency::{self, fold};
use super::heads::AllHeads;
use super::pairs::Pairs;
use super::required::{LITERAL_BYTES_MAX, Required};

/// How the matches of one expression, or of one of its branches, begin.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    /// The branch.
    pub(crate) hir: Hir,
    /// No match that begins with an ASCII word character begins behind one.
    pub(crate) at_word_start: bool,
    /// Matches begin at the text's start only.
    pub(crate) at_text_start: bool,
    /// The bytes with which matches begin.
    pub(crate) firsts: Firsts,
    /// What to look for.
    pub(crate) how: How,
}

/// What shows that a match may begin.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// It begins with one of these texts, folded as [`super::frequency::fold`] does, long enough to be looked for.
    Texts(Vec<Vec<u8>>),
    /// Soon there is one of these texts: so many bytes behind the start, at least and at most.
    Near {
        texts: Vec<Vec<u8>>,
        before: (usize, usize),
        /// Up to the end of that text a match has these bytes only.
        within: Firsts,
        /// What a match has up to that text's end, at least as much.
        head: Hir,
    },
    /// Nothing but its first bytes.
    Nothing,
}

/// Branches of one expression; what has more is taken as one.
const BRANCHES_MAX: usize = 64;
/// Texts of one branch; more say no more than their first bytes.
const TEXTS_MAX: usize = 1024;
/// Texts with the same first bytes, on average.
const CROWD_MAX: usize = 4;
/// Bytes of a text; longer ones would hardly be rarer.
const TEXT_BYTES_MAX: usize = 16;
/// Bytes of a text that can be looked for by itself.
const TEXT_BYTES_MIN: usize = 4;
/// Texts of three bytes in one branch: each fills a word of the bitmap.
const SHORT_TEXTS_MAX: usize = 8;
/// Bytes beyond ASCII with which a text that is near may begin, where nothing more can be said.
const LEADING_MAX: u32 = 10;
/// Bytes between a start and a text that is near.
const NEAR_MAX: usize = 1024;
/// Texts that matches begin with; where there are more, one nearby is better.
const TEXTS_FEW: usize = 64;
/// Texts that stand at no more places than this, of all, are rare.
const RARE: f64 = 2e-5;
/// The same of the pairs of bytes that matches begin with.
const RARE_PAIRS: f64 = 5e-4;
/// So many times as rare a text nearby must be to be worth it.
const NEAR_COST: f64 = 4.0;
/// Of letters, those in upper case, and of the bytes of words, those at the start: estimates.
const UPPER: f64 = 0.1;
const WORD_STARTS: f64 = 0.2;
/// Copies of a part, beyond those that there must be, that are few.
pub(crate) const COPIES_FEW: u32 = 8;
/// Bytes that a part may have of which there are many copies: it is left soon in ordinary text.
pub(crate) const NARROW: u32 = 80;

impl Beginning {
    /// Those of an expression.
    pub(crate) fn of(hir: &Hir) -> Vec<Self> {
        if let Some(texts) = beginning(hir).filter(|texts| is_good(texts, often(texts))) {
            return vec![Self::new(hir.clone(), How::Texts(texts))];
        }
        let mut all = Vec::new();
        branches(hir, &mut all);
        all.into_iter().map(Self::of_branch).collect()
    }

    fn new(hir: Hir, how: How) -> Self {
        let at_text_start = hir.properties().look_set_prefix().contains(Look::Start);
        Self { at_word_start: is_word_start(&hir), at_text_start, firsts: Firsts::of(&hir), hir, how }
    }

    /// That of a literal.
    pub(crate) fn of_literal(literal: &str, word: bool) -> Self {
        // Lists hold many that begin alike, addresses above all.
        let text: Vec<u8> = literal.bytes().take(LITERAL_BYTES_MAX).map(fold).collect();
        let at_word_start = word && literal.bytes().next().is_some_and(is_word);
        Self {
            hir: Hir::empty(),
            at_word_start,
            at_text_start: false,
            firsts: Firsts::default(),
            how: How::Texts(vec![text]),
        }
    }

    fn of_branch(hir: Hir) -> Self {
        let texts = beginning(&hir);
        let often = texts.as_deref().map_or(f64::INFINITY, often);
        let is_good = texts.as_deref().is_some_and(|texts| is_good(texts, often));
        let near = if is_good { None } else { near(&hir, often / NEAR_COST) };
        let texts = texts.filter(|texts| texts.len() <= TEXTS_FEW || !begins_rarely(&hir));
        let how = near.or(texts.map(How::Texts)).unwrap_or(How::Nothing);
        Self::new(hir, how)
    }
}

/// The texts that matches begin with, where they can be looked for.
fn beginning(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    looked_for(heads(hir)?, false)
}

/// True for an expression of which the first two bytes say enough.
fn begins_rarely(hir: &Hir) -> bool {
    let (pairs, at_word_start) = (Pairs::of(hir), is_word_start(hir));
    let case = |byte: u8| if byte.is_ascii_uppercase() { UPPER } else { 1.0 };
    let of_first = |first: u8| {
        let seconds = (0..=u8::MAX).filter(|second| pairs.holds(first, *second));
        let often = seconds.map(|second| frequency::of(&[fold(first), fold(second)]) * case(second)).sum::<f64>();
        often * case(first) * if at_word_start && is_word(first) { WORD_STARTS } else { 1.0 }
    };
    (0..=u8::MAX).map(of_first).sum::<f64>() <= RARE_PAIRS
}

/// True for texts so few and so rare that there is no need for better ones.
fn is_good(texts: &[Vec<u8>], often: f64) -> bool {
    texts.len() <= TEXTS_FEW && often <= RARE
}

/// How many of some texts there are at a place, on average: an estimate.
fn often(texts: &[Vec<u8>]) -> f64 {
    texts.iter().map(|text| frequency::of(text.get(..TEXT_BYTES_MIN).unwrap_or(text))).sum()
}

/// What the matches of an expression begin with, folded. `None`: too many to spell out.
fn heads(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    Some(AllHeads::default().of(hir)?.texts.iter().map(|text| text.as_slice().to_vec()).collect())
}

/// The first rare text that every match has near its start, or else the rarest that is rarer than `often_max`.
fn near(hir: &Hir, mut often_max: f64) -> Option<How> {
    let parts = first_parts(hir);
    let mut within = Firsts::default();
    let (mut min, mut max) = (0usize, 0usize);
    let mut best = None;
    for (index, part) in parts.iter().enumerate() {
        within.join(&Firsts::all_of(part));
        let leading = || {
            let firsts = Firsts::of(part);
            let bytes = (0..=u8::MAX).filter(|byte| firsts.holds(*byte)).map(|byte| vec![byte]);
            (firsts.len() <= LEADING_MAX).then(|| looked_for(bytes.collect(), true)).flatten()
        };
        let texts = heads(part).and_then(|texts| looked_for(texts, true)).or_else(leading);
        // A word in either case has a part for each letter; inside of it nothing better is to be found.
        let is_inside = index.checked_sub(1).and_then(|before| parts.get(before)).is_some_and(|part| is_letter(part));
        let next = parts.get(index..parts.len().min(index + TEXT_BYTES_MAX))?;
        let rest = || joined(next);
        let is_word = matches!(part.kind(), HirKind::Class(_)) && !is_inside;
        let word = || is_word.then(|| heads(&rest())).flatten().and_then(|texts| looked_for(texts, true));
        let texts = texts.or_else(word).filter(|_| index > 0);
        let found = if let Some(texts) = texts {
            let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
            let text = up_to(&rest(), longest);
            let head = parts.get(..index)?.iter().copied().cloned().chain([text]);
            Some((texts, (min, max), Hir::concat(head.collect())))
        } else if !part.properties().is_literal()
            && !matches!(part.kind(), HirKind::Class(_) | HirKind::Look(_))
            && let Some(required) = Required::of(&joined(parts.get(..=index)?))
            && let Some(before_max) = required.before_max
            && let Some(texts) = looked_for(required.literals, true)
        {
            Some((texts, (required.before_min, before_max), joined(parts.get(..=index)?)))
        } else {
            None
        };
        if let Some((texts, before, head)) = found
            && before.1 <= NEAR_MAX
            && !runs_far(&head)
            && let often = often(&texts)
            && often < often_max
        {
            best = Some(How::Near { texts, before, within, head });
            often_max = often;
            if often <= RARE {
                break;
            }
        }
        let (Some(least), Some(most)) = (part.properties().minimum_len(), part.properties().maximum_len()) else {
            break;
        };
        (min, max) = (min.saturating_add(least), max.saturating_add(most));
        if runs_far(part) {
            break;
        }
    }
    best
}

/// True for a letter in either case.
fn is_letter(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(_)) && Firsts::of(hir).len() <= 2
}

/// True where a part of an expression may go on far through ordinary text.
fn runs_far(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let bytes = Firsts::all_of(sub);
            let is_long = max.is_none_or(|max| max - min > COPIES_FEW);
            (is_long && (bytes.len() > NARROW || bytes.holds(b' '))) || runs_far(sub)
        }
        HirKind::Capture(capture) => runs_far(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(runs_far),
        _ => false,
    }
}

/// What matches have in their first bytes, at least so many of them: parts that nobody looks at are left out.
fn up_to(hir: &Hir, bytes: usize) -> Hir {
    match hir.kind() {
        HirKind::Capture(capture) => up_to(&capture.sub, bytes),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(|part| up_to(part, bytes)).collect()),
        HirKind::Concat(parts) => {
            let mut left = bytes;
            let taken = parts.iter().map_while(|part| {
                let part = (left > 0).then(|| up_to(part, left))?;
                left = left.saturating_sub(part.properties().minimum_len().unwrap_or(left));
                Some(part)
            });
            Hir::concat(taken.collect())
        }
        _ => hir.clone(),
    }
}

fn joined(parts: &[&Hir]) -> Hir {
    Hir::concat(parts.iter().copied().cloned().collect())
}

/// The parts of an expression in order, as far as each stands in one place: behind the first copy of a repeated part nobody
/// knows.
fn first_parts(hir: &Hir) -> Vec<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => first_parts(&capture.sub),
        HirKind::Repetition(Repetition { min: 1.., sub, .. }) if matches!(sub.kind(), HirKind::Concat(_)) => {
            first_parts(sub)
        }
        HirKind::Concat(parts) => match parts.split_first() {
            Some((first, _)) if matches!(first.kind(), HirKind::Repetition(Repetition { min: 1.., sub, .. }) if matches!(sub.kind(), HirKind::Concat(_))) => {
                first_parts(first)
            }
            _ => parts.iter().collect(),
        },
        _ => vec![hir],
    }
}

/// The texts, cut so that they are few, where they are long enough. `inside`: matches do not begin with them; then two bytes
/// beyond ASCII will do, and a sign that is rare.
fn looked_for(mut texts: Vec<Vec<u8>>, inside: bool) -> Option<Vec<Vec<u8>>> {
    if inside {
        // Of a character beyond ASCII two bytes will do.
        let is_beyond = |text: &Vec<u8>| text.len() == 3 && text.first().is_some_and(|byte| !byte.is_ascii());
        texts.iter_mut().filter(|text| is_beyond(text)).for_each(|text| text.truncate(2));
    }
    let is_rare = |text: &[u8]| inside && matches!(text, [b'@'] | [0x80..=u8::MAX] | [0x80..=u8::MAX, _]);
    let short = texts.iter().filter(|text| text.len() == 3).count();
    if texts.is_empty() || short > SHORT_TEXTS_MAX || texts.iter().any(|text| text.len() < 3 && !is_rare(text)) {
        return None;
    }
    let cut = |length: usize| {
        let mut cut: Vec<Vec<u8>> = texts.iter().map(|text| text.iter().take(length).copied().collect()).collect();
        cut.sort_unstable();
        cut.dedup();
        cut
    };
    let first = cut(TEXT_BYTES_MIN);
    if first.len() > TEXTS_MAX {
        return None;
    }
    // All that have the same first bytes are compared wherever these stand.
    let most = first.len().max(first.len().saturating_mul(CROWD_MAX).min(TEXTS_FEW));
    (TEXT_BYTES_MIN..=TEXT_BYTES_MAX).rev().map(cut).find(|cut| cut.len() <= most)
}

/// The branches of an expression that differ in how they begin. Groups are dropped on the way.
fn branches(hir: &Hir, all: &mut Vec<Hir>) {
    let first = all.len();
    all.push(without_group(hir).clone());
    let mut next = first;
    while let Some(branch) = all.get(next) {
        match split(branch) {
            Some(parts) if all.len() - first + parts.len() <= BRANCHES_MAX => {
                all.splice(next..=next, parts);
            }
            _ => next += 1,
        }
    }
}

/// The branches of the first part that has some, each with what stands around it; it lies behind a few fixed bytes at most.
fn split(hir: &Hir) -> Option<Vec<Hir>> {
    let parts = match hir.kind() {
        HirKind::Alternation(parts) => return Some(parts.iter().map(|part| without_group(part).clone()).collect()),
        HirKind::Concat(parts) => parts,
        _ => return None,
    };
    let mut before = 0;
    let fixed = |part: &&Hir| match part.kind() {
        HirKind::Look(_) => true,
        // A class counts as one byte, which most of its characters are.
        HirKind::Literal(_) | HirKind::Class(_) => {
            before += part.properties().minimum_len().unwrap_or(TEXT_BYTES_MIN);
            before < TEXT_BYTES_MIN
        }
        _ => false,
    };
    let (first, rest) = parts.split_at_checked(parts.iter().take_while(fixed).count())?;
    let (part, rest) = rest.split_first()?;
    let choices: Vec<&[Hir]> = match without_group(part).kind() {
        HirKind::Alternation(choices) => choices.iter().map(std::slice::from_ref).collect(),
        HirKind::Repetition(Repetition { min: 0, max: Some(1), sub, .. }) => vec![std::slice::from_ref(sub), &[]],
        HirKind::Concat(inner) if matches!(part.kind(), HirKind::Capture(_)) => vec![inner],
        _ => return None,
    };
    let joined = |choice: &[Hir]| Hir::concat([first, choice, rest].concat());
    Some(choices.into_iter().map(joined).collect())
}

fn without_group(hir: &Hir) -> &Hir {
    match hir.kind() {
        HirKind::Capture(capture) => without_group(&capture.sub),
        _ => hir,
    }
}

/// True when a match that begins with a word character asks that none stands before it.
fn is_word_start(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Look(
            Look::WordAscii | Look::WordStartAscii | Look::WordStartHalfAscii | Look::Start | Look::StartLF,
        ) => true,
        HirKind::Capture(capture) => is_word_start(&capture.sub),
        HirKind::Alternation(parts) => parts.iter().all(is_word_start),
        HirKind::Repetition(repetition) => repetition.min > 0 && is_word_start(&repetition.sub),
        HirKind::Concat(parts) => {
            for part in parts {
                if is_word_start(part) {
                    return true;
                }
                // Behind what may take a byte the question is another one.
                if part.properties().maximum_len() != Some(0) {
                    return false;
                }
            }
            false
        }
        _ => false,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regex: &str) -> Vec<String> {
        let all = Beginning::of(&regex_syntax::parse(regex).unwrap());
        let text = |text: &Vec<u8>| String::from_utf8_lossy(text).into_owned();
        all.iter()
            .map(|begin| {
                let start = if begin.at_word_start { "<" } else { "" };
                let how = match &begin.how {
                    How::Texts(texts) => texts.iter().map(text).collect::<Vec<_>>().join("|"),
                    How::Near { texts, before: (min, max), .. } => {
                        format!("{min}..{max} {}", texts.iter().map(text).collect::<Vec<_>>().join("|"))
                    }
                    How::Nothing => format!("{} bytes", begin.firsts.len()),
                };
                format!("{start}{how}")
            })
            .collect()
    }

    #[test]
    fn beginnings_are_spelled_out_or_looked_for_nearby() {
        assert_eq!(of(r"(?-u:\b)ghp_[a-z]{36}"), ["<ghp_"]);
        assert_eq!(of(r"(?:(?-u:\b)|_)(?:bank|iban)[ ]"), ["_bank |_iban |bank |iban "]);
        assert_eq!(of(r"(?:\A|[^a-z0-9])(md-[0-9]{4}x)"), ["<md-0000x", "1..4 md-"]);
        assert_eq!(of(r"(?:please )?quux[0-9]"), ["please quux0", "quux0"]);
        assert_eq!(of(r"[a-z]{1,30}"), ["26 bytes"]);
        // A rare text is better than a common one, and two rare bytes than a thousand texts.
        assert_eq!(of(r"(?-u:\b)(?:the)[ \t]{1,8}quuxbar"), ["<4..11 quuxbar"]);
        assert_eq!(of(r"(?-u:\b)(?:the)[^x]{1,80}quuxbar"), ["<the"]);
        assert_eq!(of(r"(?-u:\b)(?:YC)[A-Za-z0-9_-]{38}"), ["<1 bytes"]);
        assert_eq!(of(r"(?-u:\b)[^ ]@"), ["<1..4 @"]);
    }

    #[test]
    fn many_branches_are_taken_as_one() {
        let many: Vec<String> =
            (0..2 * BRANCHES_MAX).map(|n| format!("[^{}]x", char::from_u32(0x4E00 + n as u32).unwrap())).collect();
        assert_eq!(of(&format!("(?:{})y", many.join("|"))).len(), 1);
    }
}

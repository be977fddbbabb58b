//! What every match of an expression begins with: a stream asks at each place whether something may begin there.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::firsts::Firsts;
use super::frequency::fold;
use super::heads::AllHeads;
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
    /// Soon there is one of these texts: so many bytes behind the start, at least and at most. `within`: up to the end of that
    /// text a match has these bytes only.
    Near { texts: Vec<Vec<u8>>, before: (usize, usize), within: Firsts },
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

impl Beginning {
    /// Those of an expression.
    pub(crate) fn of(hir: &Hir) -> Vec<Self> {
        if let Some(whole) = Self::spelled(hir) {
            return vec![whole];
        }
        let mut all = Vec::new();
        branches(hir, &mut all);
        all.into_iter().map(Self::of_branch).collect()
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
        if let Some(spelled) = Self::spelled(&hir) {
            return spelled;
        }
        let at_text_start = hir.properties().look_set_prefix().contains(Look::Start);
        let how = near(&hir).unwrap_or(How::Nothing);
        Self { at_word_start: is_word_start(&hir), at_text_start, firsts: Firsts::of(&hir), hir, how }
    }

    /// Where the beginnings are few texts.
    fn spelled(hir: &Hir) -> Option<Self> {
        let how = How::Texts(looked_for(heads(hir)?, false)?);
        let at_text_start = hir.properties().look_set_prefix().contains(Look::Start);
        let at_word_start = is_word_start(hir);
        Some(Self { hir: hir.clone(), at_word_start, at_text_start, firsts: Firsts::of(hir), how })
    }
}

/// What the matches of an expression begin with, folded. `None`: too many to spell out.
fn heads(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    Some(AllHeads::default().of(hir)?.texts.iter().map(|text| text.as_slice().to_vec()).collect())
}

/// The first text that every match has near its start.
fn near(hir: &Hir) -> Option<How> {
    let parts = first_parts(hir);
    let mut within = Firsts::default();
    let (mut min, mut max) = (0usize, 0usize);
    for (index, part) in parts.iter().enumerate() {
        within.join(&Firsts::all_of(part));
        let leading = || {
            let firsts = Firsts::of(part);
            let bytes = (0..=u8::MAX).filter(|byte| firsts.holds(*byte)).map(|byte| vec![byte]);
            (firsts.len() <= LEADING_MAX).then(|| looked_for(bytes.collect(), true)).flatten()
        };
        let texts = heads(part).and_then(|texts| looked_for(texts, true)).or_else(leading);
        // A word in either case has a part for each letter.
        let rest = parts.get(index..).filter(|_| matches!(part.kind(), HirKind::Class(_)));
        let word = || rest.and_then(|rest| heads(&joined(rest))).and_then(|texts| looked_for(texts, true));
        let texts = texts.or_else(word).filter(|_| index > 0);
        let (texts, before) = if let Some(texts) = texts {
            (texts, (min, max))
        } else if let Some(required) = Required::of(&joined(parts.get(..=index)?))
            && let Some(before_max) = required.before_max
            && let Some(texts) = looked_for(required.literals, true)
        {
            (texts, (required.before_min, before_max))
        } else {
            min = min.saturating_add(part.properties().minimum_len()?);
            max = max.saturating_add(part.properties().maximum_len()?);
            continue;
        };
        return (before.1 <= NEAR_MAX).then_some(How::Near { texts, before, within });
    }
    None
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
    let most = first.len().saturating_mul(CROWD_MAX).min(TEXTS_MAX);
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
        assert_eq!(of(r"(?:please )?quux[0-9]"), ["please quux0|quux0"]);
        assert_eq!(of(r"[a-z]{1,30}"), ["26 bytes"]);
        assert_eq!(of(r"(?-u:\b)[^ ]@"), ["<1..4 @"]);
    }

    #[test]
    fn many_branches_are_taken_as_one() {
        let many: Vec<String> =
            (0..2 * BRANCHES_MAX).map(|n| format!("[^{}]x", char::from_u32(0x4E00 + n as u32).unwrap())).collect();
        assert_eq!(of(&format!("(?:{})y", many.join("|"))).len(), 1);
    }
}

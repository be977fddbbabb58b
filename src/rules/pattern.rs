//! From a pattern as written to what is matched: parsed, folded as the text is, case and word boundaries applied.

use regex_syntax::ast;
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};

use super::classes;
use super::required::Required;
use super::set::{Literal, What};
use super::size;
use crate::base::limits::rules as limits;
use crate::text::{canonical, fold_char};

/// How a rule wants its patterns read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Literal parts are folded as canonical text is.
    pub(super) fold: bool,
    /// Lower and upper case are told apart.
    pub(super) case_sensitive: bool,
}

/// Why a pattern cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Problem {
    /// The regex does not parse: what is wrong, and the characters of the regex before the place.
    Syntax { message: String, before: usize },
    /// The compiled regex is too large.
    TooBig,
    /// So many of its beginnings may be under way at once.
    Overlaps(usize),
    /// The literal, after folding, has fewer bytes than it must.
    TooShort { bytes: usize },
    /// It matches the empty text.
    MatchesNothing,
}

/// A checked expression, not yet anybody's pattern.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) what: What,
    pub(super) required: Option<Required>,
    pub(super) length_max: Option<usize>,
}

/// Compiles a literal.
pub(super) fn literal(written: &str, word: bool, reading: Reading) -> Result<Compiled, Problem> {
    let text = if reading.fold { canonical(written).text.into_owned() } else { written.to_owned() };
    if text.len() < limits::LITERAL_BYTES_MIN {
        return Err(Problem::TooShort { bytes: text.len() });
    }
    Ok(Compiled {
        required: Some(Required::prefix(text.as_bytes(), Hir::empty())),
        length_max: Some(text.len()),
        what: What::Literal(Literal { text, word }),
    })
}

/// A regex as written, folded as the text is; case not yet applied.
pub(super) fn expression(written: &str, reading: Reading) -> Result<Hir, Problem> {
    let mut ast = ast::parse::Parser::new().parse(written).map_err(|error| syntax(error.into()))?;
    if !reading.case_sensitive {
        classes::both_cases(&mut ast);
    }
    let parsed = Translator::new().translate(written, &ast).map_err(|error| syntax(error.into()))?;
    Ok(as_read(&parsed, reading))
}

/// A literal as a part of an expression; case not yet applied. `None`: folding leaves nothing of it.
pub(super) fn literal_part(written: &str, word: bool, reading: Reading) -> Option<Hir> {
    let text = if reading.fold { canonical(written).text.into_owned() } else { written.to_owned() };
    (!text.is_empty()).then(|| as_word(&text, word, Hir::literal(text.clone().into_bytes())))
}

/// An expression that must not touch an ASCII word character, whatever its own edges are.
pub(super) fn standing_free(hir: Hir) -> Hir {
    Hir::concat(vec![Hir::look(Look::WordStartHalfAscii), hir, Hir::look(Look::WordEndHalfAscii)])
}

/// An expression without groups, for a place where it may be repeated.
pub(super) fn without_groups(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(Capture { sub, .. }) => without_groups(sub),
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub: Box::new(without_groups(sub)) })
        }
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_groups).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_groups).collect()),
        _ => hir.clone(),
    }
}

/// True for an expression that can match the empty text.
pub(super) fn may_be_empty(hir: &Hir) -> bool {
    hir.properties().minimum_len().unwrap_or(0) == 0
}

/// Applies case, and bounds the size.
pub(super) fn finish(hir: Hir, reading: Reading) -> Result<Compiled, Problem> {
    if may_be_empty(&hir) {
        return Err(Problem::MatchesNothing);
    }
    let hir = if reading.case_sensitive { hir } else { ignore_case(&hir) };
    if !size::is_within_limit(&hir) {
        return Err(Problem::TooBig);
    }
    let overlap = size::overlap(&hir);
    if overlap > limits::OVERLAP {
        return Err(Problem::Overlaps(overlap));
    }
    let required = Required::of(&hir);
    let length_max = hir.properties().maximum_len();
    Ok(Compiled { what: What::Regex(hir), required, length_max })
}

impl Literal {
    /// The literal as an expression, word boundaries and case applied.
    pub(super) fn hir(&self, case_sensitive: bool) -> Hir {
        let plain = Hir::literal(self.text.clone().into_bytes());
        as_word(&self.text, self.word, if case_sensitive { plain } else { ignore_case(&plain) })
    }
}

fn as_word(text: &str, word: bool, hir: Hir) -> Hir {
    let mut parts = vec![hir];
    if word && text.bytes().next().is_some_and(is_word) {
        parts.insert(0, Hir::look(Look::WordAscii));
    }
    if word && text.bytes().next_back().is_some_and(is_word) {
        parts.push(Hir::look(Look::WordAscii));
    }
    Hir::concat(parts)
}

fn syntax(error: regex_syntax::Error) -> Problem {
    let (message, span) = match &error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        _ => return Problem::Syntax { message: error.to_string(), before: 0 },
    };
    // The pattern is one line nearly always; over lines the count goes on.
    let pattern = match &error {
        regex_syntax::Error::Parse(error) => error.pattern(),
        regex_syntax::Error::Translate(error) => error.pattern(),
        _ => "",
    };
    let before = pattern.get(..span.start.offset).map_or(0, |start| start.chars().count());
    Problem::Syntax { message, before }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Word boundaries become ASCII ones, as the language says: lazy DFAs cannot do Unicode ones. Where a rule reads canonical text,
/// literal parts, and small classes, get the form that it has.
fn as_read(hir: &Hir, reading: Reading) -> Hir {
    map(hir, &|leaf| match leaf.kind() {
        HirKind::Look(look) => Some(Hir::look(ascii_word(*look))),
        HirKind::Literal(literal) if reading.fold => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            Some(Hir::literal(canonical(text).text.into_owned().into_bytes()))
        }
        HirKind::Class(Class::Unicode(class)) if reading.fold => fold_class(class),
        _ => None,
    })
}

fn ascii_word(look: Look) -> Look {
    match look {
        Look::WordUnicode => Look::WordAscii,
        Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
        other => other,
    }
}

/// Adds the folded forms of a small class's characters, so that `[Ии]` finds what folding makes of them.
fn fold_class(class: &ClassUnicode) -> Option<Hir> {
    const SMALL: usize = 64;
    let characters = || class.ranges().iter().flat_map(|range| range.start()..=range.end());
    if characters().take(SMALL + 1).count() > SMALL {
        return None;
    }
    let mut widened = class.clone();
    let mut longer = Vec::new();
    let mut folded = String::new();
    for c in characters() {
        folded.clear();
        fold_char(c, &mut folded);
        let mut parts = folded.chars();
        match (parts.next(), parts.next()) {
            (Some(one), None) => widened.push(ClassUnicodeRange::new(one, one)),
            (Some(_), Some(_)) => longer.push(Hir::literal(folded.clone().into_bytes())),
            (None, _) => {}
        }
    }
    longer.insert(0, Hir::class(Class::Unicode(widened)));
    Some(Hir::alternation(longer))
}

/// ASCII letters match in both cases.
fn ignore_case(hir: &Hir) -> Hir {
    map(hir, &|leaf| match leaf.kind() {
        HirKind::Literal(literal) => {
            let mut parts = Vec::new();
            for run in literal.0.chunk_by(|a, b| !a.is_ascii_alphabetic() && !b.is_ascii_alphabetic()) {
                match run {
                    [letter] if letter.is_ascii_alphabetic() => {
                        let both = [letter.to_ascii_uppercase(), letter.to_ascii_lowercase()];
                        let both = both.map(|byte| ClassUnicodeRange::new(char::from(byte), char::from(byte)));
                        parts.push(Hir::class(Class::Unicode(ClassUnicode::new(both))));
                    }
                    bytes => parts.push(Hir::literal(bytes.to_vec())),
                }
            }
            Some(Hir::concat(parts))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut widened = class.clone();
            for range in class.ranges() {
                for (from, to) in other_case(u32::from(range.start()), u32::from(range.end())) {
                    widened.push(ClassUnicodeRange::new(char::from(from), char::from(to)));
                }
            }
            Some(Hir::class(Class::Unicode(widened)))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut widened: ClassBytes = class.clone();
            for range in class.ranges() {
                for (from, to) in other_case(u32::from(range.start()), u32::from(range.end())) {
                    widened.push(ClassBytesRange::new(from, to));
                }
            }
            Some(Hir::class(Class::Bytes(widened)))
        }
        _ => None,
    })
}

/// The ranges of the other case of the ASCII letters within a range.
fn other_case(start: u32, end: u32) -> impl Iterator<Item = (u8, u8)> {
    let within = move |first: u8, last: u8| {
        let from = u8::try_from(start.max(u32::from(first))).ok()?;
        let to = u8::try_from(end.min(u32::from(last))).ok()?;
        (from <= to).then_some((from ^ 0x20, to ^ 0x20))
    };
    within(b'A', b'Z').into_iter().chain(within(b'a', b'z'))
}

/// Rebuilds an expression with some leaves replaced. The parser bounds the nesting.
fn map(hir: &Hir, leaf: &impl Fn(&Hir) -> Option<Hir>) -> Hir {
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub: Box::new(map(sub, leaf)) })
        }
        HirKind::Capture(Capture { index, name, sub }) => {
            Hir::capture(Capture { index: *index, name: name.clone(), sub: Box::new(map(sub, leaf)) })
        }
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(|part| map(part, leaf)).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(|part| map(part, leaf)).collect()),
        _ => leaf(hir).unwrap_or_else(|| hir.clone()),
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::meta;

    use super::*;

    const LOOSE: Reading = Reading { fold: true, case_sensitive: false };
    const EXACT: Reading = Reading { fold: false, case_sensitive: true };

    fn regex(written: &str, reading: Reading) -> Result<Compiled, Problem> {
        finish(expression(written, reading)?, reading)
    }

    fn finds(pattern: &Compiled, text: &str) -> bool {
        let hir = match &pattern.what {
            What::Literal(literal) => literal.hir(false),
            What::Regex(hir) => hir.clone(),
        };
        meta::Builder::new().build_from_hir(&hir).unwrap().is_match(text)
    }

    #[test]
    fn case_is_ascii_case() {
        let pattern = regex("[a-m]ey sk+", LOOSE).unwrap();
        assert!(finds(&pattern, "KEY SKK") && finds(&pattern, "key sk"));
        // The Kelvin sign and the long s belong to Unicode's case folding, not to ours: canonical text has no such thing.
        assert!(!finds(&pattern, "\u{212A}ey sk") && !finds(&pattern, "key \u{17F}k"));
        assert!(!finds(&regex("key", EXACT).unwrap(), "KEY"));
    }

    #[test]
    fn literals_and_small_classes_are_folded_as_text_is() {
        let sent = "Игнорируй Äpfel ﬁn";
        let text = canonical(sent).text;
        assert!(finds(&literal("игнорируй", true, LOOSE).unwrap(), &text));
        assert!(finds(&regex("[Ии]гнорируй", LOOSE).unwrap(), &text));
        assert!(finds(&regex("[äö]pfel [ﬁ]n", LOOSE).unwrap(), &text));
        assert!(!finds(&regex("äpfel", EXACT).unwrap(), &text));
    }

    #[test]
    fn words_end_where_ascii_words_end() {
        let pattern = literal("DAN", true, LOOSE).unwrap();
        assert!(finds(&pattern, "a dan.") && !finds(&pattern, "dance") && !finds(&pattern, "_dan"));
        let edge = literal("<|im_start|>", true, LOOSE).unwrap();
        assert!(finds(&edge, "x<|im_start|>x"), "an edge that is no word character asks nothing of its neighbour");
        assert!(finds(&regex(r"\bdan\b", LOOSE).unwrap(), "é dan é"));
    }

    #[test]
    fn problems_are_told_apart() {
        assert_eq!(literal("ab", false, EXACT).unwrap_err(), Problem::TooShort { bytes: 2 });
        assert!(literal("abc", false, EXACT).is_ok());
        assert_eq!(regex("a*", EXACT).unwrap_err(), Problem::MatchesNothing);
        assert_eq!(regex(r"\b", EXACT).unwrap_err(), Problem::MatchesNothing);
        assert_eq!(regex(r"\w{1000}\w{1000}", EXACT).unwrap_err(), Problem::TooBig);
        let Problem::Syntax { before, .. } = regex("é(ab[c", EXACT).unwrap_err() else { panic!() };
        assert_eq!(before, 4);
        assert!(matches!(regex("(?=x)y", EXACT).unwrap_err(), Problem::Syntax { .. }));
    }
}
